//! The operand kinds that the formats in insn.decode name, for reading dumps, not for assembling again.
//! Those of simd.decode are in print_simd.rs.

pub(crate) use crate::print_simd::*;
use decode::At;

fn sign(value: u32, width: u32) -> i64 {
    i64::from(value) << (64 - width) >> (64 - width)
}

fn register(prefix: char, n: u32, last: &str) -> String {
    if n == 31 { last.into() } else { format!("{prefix}{n}") }
}

/// A 64-bit register or xzr.
pub(crate) fn x(_: &At<'_>, n: u32) -> String {
    register('x', n, "xzr")
}

/// A 32-bit register or wzr.
pub(crate) fn w(_: &At<'_>, n: u32) -> String {
    register('w', n, "wzr")
}

/// A 64-bit register or sp.
pub(crate) fn xsp(_: &At<'_>, n: u32) -> String {
    register('x', n, "sp")
}

/// A register of the operation's width (field `f`), or zr.
pub(crate) fn r(at: &At<'_>, n: u32) -> String {
    if at.field("f") == 1 { x(at, n) } else { w(at, n) }
}

/// A register of the operation's width (field `f`), or sp.
pub(crate) fn rsp(at: &At<'_>, n: u32) -> String {
    if at.field("f") == 1 { xsp(at, n) } else { register('w', n, "wsp") }
}

/// A register of the access's size (field `z`, 3 is a doubleword).
pub(crate) fn rz(at: &At<'_>, n: u32) -> String {
    if at.field("z") == 3 { x(at, n) } else { w(at, n) }
}

/// A register of the access's size (field `z`, 1 is a doubleword).
pub(crate) fn rz1(at: &At<'_>, n: u32) -> String {
    if at.field("z") == 1 { x(at, n) } else { w(at, n) }
}

/// A condition.
pub(crate) fn cond(_: &At<'_>, c: u32) -> String {
    const NAMES: [&str; 16] =
        ["eq", "ne", "hs", "lo", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le", "al", "nv"];
    NAMES[c as usize & 15].into()
}

/// ADR's target.
pub(crate) fn adr(at: &At<'_>, _: u32) -> String {
    let offset = sign(at.field("i") << 2 | at.field("l"), 21);
    format!("{:#x}", at.pc.wrapping_add_signed(offset))
}

/// ADRP's target.
pub(crate) fn adrp(at: &At<'_>, _: u32) -> String {
    let offset = sign(at.field("i") << 2 | at.field("l"), 21) << 12;
    format!("{:#x}", (at.pc & !0xfff).wrapping_add_signed(offset))
}

fn branch(at: &At<'_>, i: u32, width: u32) -> String {
    format!("{:#x}", at.pc.wrapping_add_signed(sign(i, width) * 4))
}

/// The target of TBZ and TBNZ.
pub(crate) fn branch14(at: &At<'_>, i: u32) -> String {
    branch(at, i, 14)
}

/// The target of conditional branches and literal loads.
pub(crate) fn branch19(at: &At<'_>, i: u32) -> String {
    branch(at, i, 19)
}

/// The target of B and BL.
pub(crate) fn branch26(at: &At<'_>, i: u32) -> String {
    branch(at, i, 26)
}

/// The register that TBZ and TBNZ test.
pub(crate) fn tbit(at: &At<'_>, _: u32) -> String {
    register(if at.field("b") >= 32 { 'x' } else { 'w' }, at.field("t"), "zr")
}

/// The immediate of a logical instruction.
pub(crate) fn bitmask(at: &At<'_>, _: u32) -> String {
    let value = crate::translate::bitmask::immediate(at.field("z"), at.field("r"), at.field("s"));
    format!("#{:#x}", if at.field("f") == 1 { value } else { value & 0xffff_ffff })
}

/// The shift of the second source.
pub(crate) fn shift(at: &At<'_>, _: u32) -> String {
    match (at.field("h"), at.field("i")) {
        (0, 0) => String::new(),
        (h, i) => format!(", {} #{i}", ["lsl", "lsr", "asr", "ror"][h as usize & 3]),
    }
}

const EXTENDS: [&str; 8] = ["uxtb", "uxth", "uxtw", "uxtx", "sxtb", "sxth", "sxtw", "sxtx"];

/// The extended second source of an addition.
pub(crate) fn extend(at: &At<'_>, _: u32) -> String {
    let (m, e, i) = (at.field("m"), at.field("e"), at.field("i"));
    let register = if e & 3 == 3 && at.field("f") == 1 { x(at, m) } else { w(at, m) };
    format!("{register}, {} #{i}", EXTENDS[e as usize & 7])
}

/// A signed 9-bit offset.
pub(crate) fn s9(_: &At<'_>, i: u32) -> String {
    sign(i, 9).to_string()
}

/// The offset of LDRAA and LDRAB.
pub(crate) fn s10(at: &At<'_>, i: u32) -> String {
    let _ = at;
    (sign(i, 10) * 8).to_string()
}

/// A prefetch operation.
pub(crate) fn prf(_: &At<'_>, t: u32) -> String {
    format!("#{t:#x}")
}

/// A barrier's domain and kind.
pub(crate) fn barrier(_: &At<'_>, i: u32) -> String {
    const KINDS: [&str; 4] = ["", "ld", "st", ""];
    let domain = ["osh", "nsh", "ish", "sy"][i as usize >> 2];
    match i & 3 {
        0 => format!("#{i:#x}"),
        3 => domain.into(),
        k if i >> 2 == 3 => KINDS[k as usize].into(),
        k => format!("{domain}{}", KINDS[k as usize]),
    }
}

/// BTI's targets.
pub(crate) fn bti(at: &At<'_>, _: u32) -> String {
    [["", " c"], [" j", " jc"]][at.field("j") as usize & 1][at.field("c") as usize & 1].into()
}

/// A system register as s<op0>_<op1>_c<n>_c<m>_<op2>.
pub(crate) fn sysreg(_: &At<'_>, r: u32) -> String {
    crate::translate::sysreg::name(r)
}

fn based(at: &At<'_>, mode: u32, offset: i64) -> String {
    let base = xsp(at, at.field("n"));
    match mode {
        1 => format!("[{base}], #{offset}"),
        3 => format!("[{base}, #{offset}]!"),
        _ if offset == 0 => format!("[{base}]"),
        _ => format!("[{base}, #{offset}]"),
    }
}

/// The address of a register pair.
pub(crate) fn pair(at: &At<'_>, _: u32) -> String {
    // Words, doublewords; SIMD&FP also quadwords; LDPSW has no size field.
    let vector = at.bits >> 26 & 1;
    let scale = 2 + if vector == 1 || at.field("z") != 0 { at.field("z") } else { 0 };
    based(at, at.field("p"), sign(at.field("i"), 7) << scale)
}

/// An address with a 9-bit offset.
pub(crate) fn indexed(at: &At<'_>, i: u32) -> String {
    let _ = i;
    based(at, at.field("p"), sign(at.field("i"), 9))
}

/// An address with an unsigned scaled offset.
pub(crate) fn scaled(at: &At<'_>, _: u32) -> String {
    based(at, 0, i64::from(at.field("i")) << at.field("z"))
}

/// An address with a register offset.
pub(crate) fn offset(at: &At<'_>, _: u32) -> String {
    let (base, m) = (xsp(at, at.field("n")), at.field("m"));
    // The letter e is the option's outer bits; its middle bit is one.
    let option = (at.field("e") & 2) << 1 | 2 | at.field("e") & 1;
    let index = if option & 1 == 1 { x(at, m) } else { w(at, m) };
    let amount = at.field("s") * at.field("z");
    match option {
        3 if at.field("s") == 0 => format!("[{base}, {index}]"),
        3 => format!("[{base}, {index}, lsl #{amount}]"),
        _ => format!("[{base}, {index}, {} #{amount}]", EXTENDS[option as usize]),
    }
}

/// CASP's two pairs.
pub(crate) fn casp(at: &At<'_>, _: u32) -> String {
    let (s, t) = (at.field("s") * 2, at.field("t") * 2);
    format!("{}, {}, {}, {}", rz1(at, s), rz1(at, s + 1), rz1(at, t), rz1(at, t + 1))
}

/// Elements in a structure of the single-structure forms.
pub(crate) fn count(at: &At<'_>, _: u32) -> String {
    (at.field("o") * 2 + at.field("r") + 1).to_string()
}

fn list(first: u32, n: u32, suffix: &str) -> String {
    let names: Vec<String> = (0..n).map(|i| format!("v{}{suffix}", (first + i) % 32)).collect();
    format!("{{{}}}", names.join(", "))
}

const ARRANGEMENTS: [&str; 8] = [".8b", ".16b", ".4h", ".8h", ".2s", ".4s", ".1d", ".2d"];

/// The registers of the multiple-structure and replicating forms.
pub(crate) fn structs(at: &At<'_>, _: u32) -> String {
    let several = at.field("e") * at.field("c");
    let n = if several == 0 { at.field("o") * 2 + at.field("r") + 1 } else { several };
    list(at.field("t"), n, ARRANGEMENTS[(at.field("z") * 2 + at.field("q")) as usize & 7])
}

/// The registers and the lane of the single-structure forms.
pub(crate) fn lanes(at: &At<'_>, _: u32) -> String {
    let n = at.field("o") * 2 + at.field("r") + 1;
    let registers = list(at.field("t"), n, [".b", ".h", ".s", ".d"][at.field("z") as usize & 3]);
    format!("{registers}[{}]", at.field("i"))
}

/// The post-index of the structure forms: a register, or the size for register 31.
pub(crate) fn step(at: &At<'_>, _: u32) -> String {
    register('x', at.field("m"), "#size")
}
