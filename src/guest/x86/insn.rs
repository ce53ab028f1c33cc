//! The instructions: rows by mnemonic, from the lists of `translate/`, and text.

use crate::features;
use crate::translate::{BY_HALVES, Cx, EVEX, EVEX_PIECES, GROUPS, mmx};
use iced_x86::{
    Code, Decoder, DecoderOptions, EncodingKind, Formatter as _, Instruction, IntelFormatter, Mnemonic, OpKind,
};

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
static MMX: Table = table(MMX_GROUPS, &[]);
/// Those of EVEX's forms, which are mostly rows of SSE and VEX.
static EVEX_TABLE: Table = table(EVEX, EVEX_PIECES);
const MMX_GROUPS: &[&[Row]] = &[mmx::ROWS];

/// The functions of all rows, in order: those of `TABLE`, and those of `MMX`. Tables have numbers, since each pointer is relocated whenever the program
/// starts.
static FUNCTIONS: [Translate; count(GROUPS) + count(BY_HALVES)] = functions(GROUPS, BY_HALVES);
static EVEX_FUNCTIONS: [Translate; count(EVEX) + count(EVEX_PIECES)] = functions(EVEX, EVEX_PIECES);
static MMX_FUNCTIONS: [Translate; count(MMX_GROUPS)] = functions(MMX_GROUPS, &[]);

/// By mnemonic 0, or 1 + the place among the functions, with [`VEX`].
type Table = [u16; MNEMONICS];
/// As the VEX form.
const VEX: u16 = 1 << 15;

/// How an instruction is translated.
#[derive(Clone, Copy)]
pub(crate) enum Form {
    /// By its own row.
    Own(Translate),
    /// As the VEX form of a row's instruction.
    Vex(Translate),
}

/// The row with that number of all.
const fn nth(groups: &'static [&'static [Row]], by_halves: &'static [&'static [Row]], n: usize) -> &'static Row {
    let mut n = n;
    let mut group = 0;
    loop {
        let rows = if group < groups.len() { groups[group] } else { by_halves[group - groups.len()] };
        if n < rows.len() {
            return &rows[n];
        }
        n -= rows.len();
        group += 1;
    }
}

const fn count(groups: &[&[Row]]) -> usize {
    let (mut sum, mut group) = (0, 0);
    while group < groups.len() {
        sum += groups[group].len();
        group += 1;
    }
    sum
}

const fn functions<const N: usize>(
    groups: &'static [&'static [Row]],
    by_halves: &'static [&'static [Row]],
) -> [Translate; N] {
    let mut all = [nth(groups, by_halves, 0).translate; N];
    let mut n = 0;
    while n < N {
        all[n] = nth(groups, by_halves, n).translate;
        n += 1;
    }
    all
}

const fn table(groups: &'static [&'static [Row]], by_halves: &'static [&'static [Row]]) -> Table {
    let mut table: Table = [0; MNEMONICS];
    let own = count(groups);
    let mut n = 0;
    while n < own + count(by_halves) {
        let row = nth(groups, by_halves, n);
        let at = n as u16 + 1;
        enter(&mut table, row.mnemonic, if n < own { at } else { at | VEX });
        if let [vex] = row.vex {
            enter(&mut table, *vex, at | VEX);
        }
        n += 1;
    }
    table
}

const fn enter(table: &mut Table, mnemonic: Mnemonic, at: u16) {
    assert!(table[mnemonic as usize] == 0, "a mnemonic has two rows");
    table[mnemonic as usize] = at;
}

/// The row of an instruction.
pub(crate) fn row(i: &Instruction) -> Option<Form> {
    // 0F 0D, PREFETCHW's group, of registers: Intel's processors take it for a hint, AMD's do not.
    if i.op0_kind() == OpKind::Register
        && matches!(
            i.code(),
            Code::Reservednop_rm16_r16_0F0D | Code::Reservednop_rm32_r32_0F0D | Code::Reservednop_rm64_r64_0F0D
        )
    {
        return None;
    }
    let evex = i.encoding() == EncodingKind::EVEX;
    if evex && EVEX_TABLE[i.mnemonic() as usize] != 0 {
        let at = EVEX_TABLE[i.mnemonic() as usize];
        let function = EVEX_FUNCTIONS[usize::from(at & !VEX) - 1];
        return Some(if at & VEX == 0 { Form::Own(function) } else { Form::Vex(function) });
    }
    let (table, functions) = if mmx::is_mmx(i) { (&MMX, &MMX_FUNCTIONS[..]) } else { (&TABLE, &FUNCTIONS[..]) };
    let at = table[i.mnemonic() as usize];
    let function = functions[usize::from(at & !VEX).checked_sub(1)?];
    match at & VEX {
        0 if evex => None,
        0 => Some(Form::Own(function)),
        _ => Some(Form::Vex(function)),
    }
}

/// Whether there is a row for an instruction that some processor has.
pub fn has_row(i: &Instruction) -> bool {
    row(i).is_some() && needs(i) & !features::ALL == 0
}

/// The features that an instruction needs.
pub(crate) fn needs(i: &Instruction) -> u64 {
    match i.mnemonic() {
        // On processors without them they are BSF and BSR.
        Mnemonic::Tzcnt | Mnemonic::Lzcnt => 0,
        // And these nothing: compilers write them for all. Unwinders read the shadow stack's pointer so, to learn whether there is one.
        Mnemonic::Rdsspd | Mnemonic::Rdsspq | Mnemonic::Cldemote | Mnemonic::Prefetchit0 | Mnemonic::Prefetchit1 => 0,
        _ if i.encoding() == EncodingKind::EVEX => features::needs(i.cpuid_features()) | features::AVX512F,
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
