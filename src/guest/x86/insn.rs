//! The instructions: rows by mnemonic, from the lists of `translate/`, and text.

use crate::features;
use crate::translate::{BY_HALVES, Cx, GROUPS, mmx};
use iced_x86::{Decoder, DecoderOptions, Formatter as _, Instruction, IntelFormatter, Mnemonic};

/// Translates an instruction.
pub(crate) type Translate = fn(&mut Cx<'_>, &Instruction);

/// A mnemonic, that of its VEX form if there is one, and how its instructions are translated.
pub(crate) struct Row {
    pub(crate) mnemonic: Mnemonic,
    pub(crate) vex: &'static [Mnemonic],
    pub(crate) translate: Translate,
}

/// `Mnemonic => function(parameters);` makes a row whose function is called as `function(cx, i, parameters)`. After a comma the mnemonic of the VEX
/// form may follow, for which the same function is called (`translate/vector.rs`).
macro_rules! rows {
    ($(#[$m:meta])* $($name:ident $(, $vex:ident)? => $f:ident($($arg:expr),*);)*) => {
        $(#[$m])*
        pub(crate) const ROWS: &[$crate::insn::Row] = &[$($crate::insn::Row {
            mnemonic: iced_x86::Mnemonic::$name,
            vex: &[$(iced_x86::Mnemonic::$vex)?],
            translate: |cx, i| $f(cx, i $(, $arg)*),
        }),*];
    };
}
pub(crate) use rows;

/// More than there are mnemonics.
const MNEMONICS: usize = 2048;

/// Rows by mnemonic, and those for instructions with MMX registers, whose mnemonics are mostly those of SSE.
static TABLE: Table = table(GROUPS, BY_HALVES);
static MMX: Table = table(&[mmx::ROWS], &[]);

type Table = [Option<Form>; MNEMONICS];

/// How an instruction is translated.
#[derive(Clone, Copy)]
pub(crate) enum Form {
    /// By its own row.
    Own(Translate),
    /// As the VEX form of a row's instruction.
    Vex(Translate),
}

const fn table(groups: &[&[Row]], by_halves: &[&[Row]]) -> Table {
    let mut table: Table = [None; MNEMONICS];
    let mut group = 0;
    while group < groups.len() + by_halves.len() {
        let own = group < groups.len();
        let rows = if own { groups[group] } else { by_halves[group - groups.len()] };
        let mut n = 0;
        while n < rows.len() {
            let row = &rows[n];
            enter(&mut table, row.mnemonic, if own { Form::Own(row.translate) } else { Form::Vex(row.translate) });
            if let [vex] = row.vex {
                enter(&mut table, *vex, Form::Vex(row.translate));
            }
            n += 1;
        }
        group += 1;
    }
    table
}

const fn enter(table: &mut Table, mnemonic: Mnemonic, form: Form) {
    assert!(table[mnemonic as usize].is_none(), "a mnemonic has two rows");
    table[mnemonic as usize] = Some(form);
}

/// The row of an instruction.
pub(crate) fn row(i: &Instruction) -> Option<Form> {
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
