//! The instructions: rows by mnemonic, from the lists of `translate/`, and text.

use crate::features;
use crate::translate::{Cx, GROUPS, mmx};
use iced_x86::{Decoder, DecoderOptions, Formatter as _, Instruction, IntelFormatter, Mnemonic};

/// Translates an instruction.
pub(crate) type Translate = fn(&mut Cx<'_>, &Instruction);

/// A mnemonic, and how its instructions are translated.
pub(crate) struct Row {
    pub(crate) mnemonic: Mnemonic,
    pub(crate) translate: Translate,
}

/// `Mnemonic => function(parameters);` makes a row whose function is called as `function(cx, i, parameters)`.
macro_rules! rows {
    ($(#[$m:meta])* $($name:ident => $f:ident($($arg:expr),*);)*) => {
        $(#[$m])*
        pub(crate) const ROWS: &[$crate::insn::Row] = &[$($crate::insn::Row {
            mnemonic: iced_x86::Mnemonic::$name,
            translate: |cx, i| $f(cx, i $(, $arg)*),
        }),*];
    };
}
pub(crate) use rows;

/// More than there are mnemonics.
const MNEMONICS: usize = 2048;

/// Rows by mnemonic, and those for instructions with MMX registers, whose mnemonics are mostly those of SSE.
static TABLE: [Option<Translate>; MNEMONICS] = table(GROUPS);
static MMX: [Option<Translate>; MNEMONICS] = table(&[mmx::ROWS]);

const fn table(groups: &[&[Row]]) -> [Option<Translate>; MNEMONICS] {
    let mut table: [Option<Translate>; MNEMONICS] = [None; MNEMONICS];
    let mut group = 0;
    while group < groups.len() {
        let mut n = 0;
        while n < groups[group].len() {
            let row = &groups[group][n];
            assert!(table[row.mnemonic as usize].is_none(), "a mnemonic has two rows");
            table[row.mnemonic as usize] = Some(row.translate);
            n += 1;
        }
        group += 1;
    }
    table
}

/// The row of an instruction.
pub(crate) fn row(i: &Instruction) -> Option<Translate> {
    let table = if mmx::is_mmx(i) { &MMX } else { &TABLE };
    table[i.mnemonic() as usize]
}

/// Whether there is a row for an instruction that the default processor has.
pub fn has_row(i: &Instruction) -> bool {
    row(i).is_some() && needs(i) & !features::MAX == 0
}

/// The features that an instruction needs.
pub(crate) fn needs(i: &Instruction) -> u64 {
    match i.mnemonic() {
        // On processors without them they are BSF and BSR.
        Mnemonic::Tzcnt | Mnemonic::Lzcnt => 0,
        _ => features::needs(i.cpuid_features()),
    }
}

/// The instruction at the start of the bytes; None if they end within it.
pub(crate) fn decode(bytes: &[u8], pc: u64, bits: u32) -> Option<Instruction> {
    let mut decoder = Decoder::with_ip(bits, bytes, pc, DecoderOptions::NONE);
    let i = decoder.decode();
    (!matches!(decoder.last_error(), iced_x86::DecoderError::NoMoreBytes)).then_some(i)
}

fn disassemble(bytes: &[u8], pc: u64, bits: u32) -> (String, usize) {
    let Some(i) = decode(bytes, pc, bits).filter(|i| !i.is_invalid()) else {
        return (String::from("(bad)"), bytes.len().min(1));
    };
    let mut text = String::new();
    let mut formatter = IntelFormatter::new();
    formatter.options_mut().set_branch_leading_zeros(false);
    formatter.format(&i, &mut text);
    (text, i.len())
}

pub(crate) fn disassemble32(bytes: &[u8], pc: u64, _mode: u32) -> (String, usize) {
    disassemble(bytes, pc, 32)
}

pub(crate) fn disassemble64(bytes: &[u8], pc: u64, _mode: u32) -> (String, usize) {
    disassemble(bytes, pc, 64)
}
