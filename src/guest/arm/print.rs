//! The operand kinds that the formats in the row files name: for reading dumps, not for assembling again. A conditional word is
//! printed from its original bits; in Thumb the conditions of an IT block are not shown.

pub(crate) use crate::print_simd::*;
use crate::translate::{expand, offset25, signed};
use decode::At;

const CONDITIONS: [&str; 16] =
    ["eq", "ne", "cs", "cc", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le", "al", "nv"];

/// The condition in an A32 word: nothing for 1110 and 1111. (T32 words begin with 1110 or 1111 too.)
pub(crate) fn c(at: &At<'_>, _: u32) -> String {
    if at.bits >> 28 >= 14 { String::new() } else { CONDITIONS[(at.bits >> 28) as usize].into() }
}

/// A condition by number.
pub(crate) fn cond(_: &At<'_>, n: u32) -> String {
    CONDITIONS[n as usize & 15].into()
}

/// A general register.
pub(crate) fn r(_: &At<'_>, n: u32) -> String {
    match n {
        13 => "sp".into(),
        14 => "lr".into(),
        15 => "pc".into(),
        n => format!("r{n}"),
    }
}

/// A second operand that is there unless it is 15.
pub(crate) fn rn(at: &At<'_>, n: u32) -> String {
    if n == 15 { String::new() } else { format!(", {}", r(at, n)) }
}

/// An addend that is there unless it is 15.
pub(crate) fn ra(at: &At<'_>, n: u32) -> String {
    rn(at, n)
}

/// Hexadecimal immediate.
pub(crate) fn x(_: &At<'_>, n: u32) -> String {
    format!("{n:#x}")
}

/// Counted in words.
pub(crate) fn x4(_: &At<'_>, n: u32) -> String {
    (4 * n).to_string()
}

pub(crate) fn plus1(_: &At<'_>, n: u32) -> String {
    (n + 1).to_string()
}

/// The modified immediate of data processing.
pub(crate) fn imm(at: &At<'_>, n: u32) -> String {
    format!("#{:#x}", expand(at.field("k"), n).0)
}

/// MOVW's.
pub(crate) fn imm16(at: &At<'_>, _: u32) -> String {
    format!("#{:#x}", at.field("h") << 12 | at.field("i"))
}

/// The name of a shift.
pub(crate) fn sh(_: &At<'_>, t: u32) -> String {
    ["lsl", "lsr", "asr", "ror"][t as usize & 3].into()
}

fn shift_text(at: &At<'_>, t: u32, i: u32) -> String {
    match (t, i) {
        (0, 0) => String::new(),
        (3, 0) => ", rrx".into(),
        (t, i) => format!(", {} #{}", sh(at, t), if i == 0 { 32 } else { i }),
    }
}

/// A shift by an immediate.
pub(crate) fn shift(at: &At<'_>, _: u32) -> String {
    shift_text(at, at.field("t"), at.field("i"))
}

/// The amount of a right shift.
pub(crate) fn sh32(at: &At<'_>, _: u32) -> String {
    format!("#{}", if at.field("i") == 0 { 32 } else { at.field("i") })
}

/// The shift of SSAT and USAT.
pub(crate) fn sat(at: &At<'_>, _: u32) -> String {
    shift_text(at, 2 * at.field("h"), at.field("i"))
}

fn indexed(at: &At<'_>, offset: &str) -> String {
    let base = r(at, at.field("n"));
    let sign = if at.field("u") == 1 { "" } else { "-" };
    let offset = offset.replacen('±', sign, 1);
    match (at.field("p"), at.field("w")) {
        (0, _) => format!("[{base}], {offset}"),
        (_, 1) => format!("[{base}, {offset}]!"),
        _ => format!("[{base}, {offset}]"),
    }
}

/// An address with an immediate offset.
pub(crate) fn mem(at: &At<'_>, _: u32) -> String {
    indexed(at, &format!("#±{}", at.field("i") << at.field("k")))
}

/// An address with a register offset.
pub(crate) fn memr(at: &At<'_>, _: u32) -> String {
    indexed(at, &format!("±{}{}", r(at, at.field("m")), shift_text(at, at.field("y"), at.field("i"))))
}

/// The suffix of a T32 access with an 8-bit offset: unprivileged for positive ones.
pub(crate) fn tm(at: &At<'_>, _: u32) -> String {
    if at.field("u") == 1 && at.field("w") == 0 { "t".into() } else { ".w".into() }
}

fn registers(at: &At<'_>, list: u32) -> String {
    let names: Vec<String> = (0..16).filter(|n| list >> n & 1 == 1).map(|n| r(at, n)).collect();
    format!("{{{}}}", names.join(", "))
}

/// A register list.
pub(crate) fn list(at: &At<'_>, list: u32) -> String {
    registers(at, list)
}

pub(crate) fn push(at: &At<'_>, _: u32) -> String {
    registers(at, at.field("r") | at.field("h") << 14)
}

pub(crate) fn pop(at: &At<'_>, _: u32) -> String {
    registers(at, at.field("r") | at.field("h") << 15)
}

/// Write-back of T16's LDM.
pub(crate) fn t16wb(at: &At<'_>, _: u32) -> String {
    if at.field("r") >> at.field("n") & 1 == 0 { "!".into() } else { String::new() }
}

/// The direction of a block transfer.
pub(crate) fn ldm(at: &At<'_>, _: u32) -> String {
    ["da", "ia", "db", "ib"][(at.field("p") << 1 | at.field("u")) as usize].into()
}

fn target(at: &At<'_>, ahead: u64, offset: i32) -> String {
    format!("{:#x}", (at.pc & !1).wrapping_add(ahead).wrapping_add_signed(offset.into()) as u32)
}

pub(crate) fn b24(at: &At<'_>, i: u32) -> String {
    target(at, 8, signed(i, 24) << 2 | (at.field("h") << 1).cast_signed())
}

pub(crate) fn b11(at: &At<'_>, i: u32) -> String {
    target(at, 4, signed(i, 11) << 1)
}

pub(crate) fn b8(at: &At<'_>, i: u32) -> String {
    target(at, 4, signed(i, 8) << 1)
}

pub(crate) fn cb(at: &At<'_>, i: u32) -> String {
    target(at, 4, (i << 1).cast_signed())
}

pub(crate) fn b20(at: &At<'_>, _: u32) -> String {
    let f = |name| at.field(name);
    target(at, 4, signed(f("s") << 20 | f("k") << 19 | f("j") << 18 | f("i") << 12 | f("l") << 1, 21))
}

pub(crate) fn b25(at: &At<'_>, _: u32) -> String {
    let f = |name| at.field(name);
    target(at, 4, offset25(f("s"), f("j"), f("k"), f("i"), f("l")))
}

pub(crate) fn blx25(at: &At<'_>, _: u32) -> String {
    let f = |name| at.field(name);
    let aligned = At { pc: at.pc & !3, ..*at };
    target(&aligned, 4, offset25(f("s"), f("j"), f("k"), f("i"), f("l") << 1))
}

pub(crate) fn hint(at: &At<'_>, _: u32) -> String {
    match at.field("i") {
        n @ 0..=5 => ["nop", "yield", "wfe", "wfi", "sev", "sevl"][n as usize].into(),
        n => format!("nop {{{n}}}"),
    }
}

/// The letters after IT.
pub(crate) fn it(at: &At<'_>, _: u32) -> String {
    let (c, m) = (at.field("c"), at.field("m"));
    (0..3 - m.trailing_zeros()).map(|i| if m >> (3 - i) & 1 == c & 1 { 't' } else { 'e' }).collect()
}

/// Parallel arithmetic.
pub(crate) fn par(_: &At<'_>, k: u32) -> String {
    ["add16", "asx", "sax", "sub16", "add8", "?", "?", "sub8"][k as usize & 7].into()
}

/// SMMLA's or SMMUL's end.
pub(crate) fn smmla(_: &At<'_>, a: u32) -> String {
    if a == 15 { "ul".into() } else { "la".into() }
}

pub(crate) fn usada(_: &At<'_>, a: u32) -> String {
    if a == 15 { String::new() } else { "a".into() }
}

pub(crate) fn xta(_: &At<'_>, n: u32) -> String {
    usada(&At { bits: 0, pc: 0, fields: &[] }, n)
}

/// Wide T32 forms that have a narrow one.
pub(crate) fn w(_: &At<'_>, n: u32) -> String {
    if n == 15 { ".w".into() } else { String::new() }
}

pub(crate) fn bfi(_: &At<'_>, n: u32) -> String {
    if n == 15 { "c".into() } else { "i".into() }
}

pub(crate) fn bfw(at: &At<'_>, _: u32) -> String {
    (at.field("w") + 1).wrapping_sub(at.field("i")).to_string()
}
