//! The operand kinds that the formats in the decode files name, for reading dumps, not for assembling again.

use crate::translate::compressed::{
    ADDI4SPN, ADDI16SP, BRANCH, BYTE, DOUBLE, DOUBLE_SP, HALF, JUMP, STORE_DOUBLE_SP, STORE_WORD_SP, WORD, WORD_SP,
    scatter,
};
use crate::translate::{branch_offset, jump_offset, signed, system, vector_config};
use decode::At;

/// An integer register by its name in the ABI.
pub(crate) fn x(_: &At<'_>, n: u32) -> String {
    const NAMES: [&str; 32] = [
        "zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", "a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7",
        "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6",
    ];
    NAMES[n as usize & 31].into()
}

/// A floating-point register.
pub(crate) fn f(_: &At<'_>, n: u32) -> String {
    match n {
        0..8 => format!("ft{n}"),
        8..10 => format!("fs{}", n - 8),
        10..18 => format!("fa{}", n - 10),
        18..28 => format!("fs{}", n - 16),
        _ => format!("ft{}", n - 20),
    }
}

/// The registers of compressed instructions.
pub(crate) fn xc(at: &At<'_>, n: u32) -> String {
    x(at, n + 8)
}

/// See [`xc`].
pub(crate) fn fc(at: &At<'_>, n: u32) -> String {
    f(at, n + 8)
}

/// The first of a pair, by half of its number.
pub(crate) fn pair(at: &At<'_>, n: u32) -> String {
    x(at, 2 * n)
}

/// A signed immediate of 12 bits.
pub(crate) fn i12(_: &At<'_>, i: u32) -> String {
    signed(i, 12).to_string()
}

/// A signed immediate of 6 bits.
pub(crate) fn i6(_: &At<'_>, i: u32) -> String {
    signed(i, 6).to_string()
}

fn target(at: &At<'_>, offset: i64) -> String {
    format!("{:#x}", at.pc.wrapping_add_signed(offset))
}

/// The target of a branch.
pub(crate) fn branch(at: &At<'_>, i: u32) -> String {
    target(at, branch_offset(i))
}

/// The target of JAL.
pub(crate) fn jump(at: &At<'_>, i: u32) -> String {
    target(at, jump_offset(i))
}

/// The targets of compressed branches and jumps.
pub(crate) fn cb(at: &At<'_>, _: u32) -> String {
    target(at, signed(scatter(at.field("i"), BRANCH), 9))
}

/// See [`cb`].
pub(crate) fn cj(at: &At<'_>, _: u32) -> String {
    target(at, signed(scatter(at.field("i"), JUMP), 12))
}

/// Immediates of compressed instructions, by what they are for.
macro_rules! scattered {
    ($($name:ident $places:ident;)*) => {
        $(pub(crate) fn $name(at: &At<'_>, _: u32) -> String {
            scatter(at.field("i"), $places).to_string()
        })*
    };
}

scattered! {
    addi4spn ADDI4SPN;
    cw WORD;
    cd DOUBLE;
    cwsp WORD_SP;
    cdsp DOUBLE_SP;
    cswsp STORE_WORD_SP;
    csdsp STORE_DOUBLE_SP;
    cbyte BYTE;
    chalf HALF;
}

/// C.ADDI16SP's, which is signed.
pub(crate) fn addi16sp(at: &At<'_>, _: u32) -> String {
    signed(scatter(at.field("i"), ADDI16SP), 10).to_string()
}

/// A set of FENCE.
pub(crate) fn fence(_: &At<'_>, set: u32) -> String {
    let letters = ['w', 'r', 'o', 'i'].iter().enumerate().rev();
    let text: String = letters.filter(|(bit, _)| set >> bit & 1 == 1).map(|(_, c)| *c).collect();
    if text.is_empty() { String::from("0") } else { text }
}

/// A rounding mode, if it is not frm's.
pub(crate) fn rm(_: &At<'_>, r: u32) -> String {
    match r {
        7 => String::new(),
        _ => format!(", {}", ["rne", "rtz", "rdn", "rup", "rmm", "rm5", "rm6", ""][r as usize & 7]),
    }
}

/// A control and status register.
pub(crate) fn csr(_: &At<'_>, c: u32) -> String {
    match c {
        system::FFLAGS => "fflags".into(),
        system::FRM_CSR => "frm".into(),
        system::FCSR => "fcsr".into(),
        system::CYCLE => "cycle".into(),
        system::TIME => "time".into(),
        system::INSTRET => "instret".into(),
        _ => match vector_config::NAMES.iter().find(|n| n.0 == c) {
            Some((_, name)) => (*name).into(),
            None => format!("{c:#x}"),
        },
    }
}

// ---- vectors ----

/// A vector register.
pub(crate) fn vr(_: &At<'_>, n: u32) -> String {
    format!("v{n}")
}

/// The operand that the form (funct3) says: a vector, an immediate, an integer or a floating-point register.
pub(crate) fn vs(at: &At<'_>, n: u32) -> String {
    match at.field("k") {
        3 => signed(n, 5).to_string(),
        4 | 6 => x(at, n),
        5 => f(at, n),
        _ => vr(at, n),
    }
}

/// The form itself.
pub(crate) fn form(_: &At<'_>, k: u32) -> String {
    ["vv", "vv", "vv", "vi", "vx", "vf", "vx", ""][k as usize & 7].into()
}

/// The mask.
pub(crate) fn vm(_: &At<'_>, v: u32) -> String {
    if v == 0 { ", v0.t".into() } else { String::new() }
}

/// The fields of a segment.
pub(crate) fn seg(_: &At<'_>, f: u32) -> String {
    if f == 0 { String::new() } else { format!("seg{}", f + 1) }
}

/// The width of an access.
pub(crate) fn ew(_: &At<'_>, e: u32) -> String {
    (8 << (e & 3)).to_string()
}

/// A type of vectors.
pub(crate) fn vtype(_: &At<'_>, t: u32) -> String {
    if t >> 8 != 0 || t & 7 == 4 {
        return t.to_string();
    }
    let lmul = ["1", "2", "4", "8", "", "f8", "f4", "f2"][t as usize & 7];
    let agnostic = |bit: u32, letter: char| if t >> bit & 1 != 0 { format!("{letter}a") } else { format!("{letter}u") };
    format!("e{}, m{lmul}, {}, {}", 8 << (t >> 3 & 7), agnostic(6, 't'), agnostic(7, 'm'))
}
