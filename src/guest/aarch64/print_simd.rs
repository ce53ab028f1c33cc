//! The operand kinds that the formats in simd.decode name. The fields they look at are explained there.

use decode::At;

/// Lane letters by size.
const LANES: [char; 4] = ['b', 'h', 's', 'd'];

/// A vector register of 64 (`q` 0) or 128 bits in lanes of 2^`size` bytes.
fn vector(n: u32, size: u32, q: u32) -> String {
    format!("v{n}.{}{}", 8 << q >> size, LANES[size as usize & 3])
}

fn scalar(n: u32, size: u32) -> String {
    format!("{}{n}", ["b", "h", "s", "d", "q"][size as usize % 5])
}

fn lane(n: u32, size: u32, index: u32) -> String {
    format!("v{n}.{}[{index}]", LANES[size as usize & 3])
}

fn is_scalar(at: &At<'_>) -> bool {
    at.field("k") & 2 != 0
}

/// Lane size of a floating-point row: of its fields k and e (or f).
fn fp_size(at: &At<'_>) -> u32 {
    if at.field("k") & 1 != 0 { 1 } else { 2 + ((at.field("e") | at.field("f")) & 1) }
}

/// 128 bits in a floating-point row.
fn fp_q(at: &At<'_>) -> u32 {
    at.field("q") | if at.field("k") & 1 != 0 { at.field("e") & 1 } else { at.field("e") >> 1 & 1 }
}

// ---- scalar floating point ----

/// The log2 size of a scalar type field.
fn type_size(t: u32) -> u32 {
    [2, 3, 4, 1][t as usize & 3]
}

/// A scalar register of the row's type.
pub(crate) fn fs(at: &At<'_>, n: u32) -> String {
    scalar(n, type_size(at.field("t")))
}

/// A scalar register of FCVT's target type.
pub(crate) fn fo(at: &At<'_>, n: u32) -> String {
    scalar(n, type_size(at.field("o")))
}

/// An 8-bit floating-point immediate.
pub(crate) fn fimm(_: &At<'_>, i: u32) -> String {
    let exponent = (i >> 4 & 7 ^ 4) as i32 - 3;
    let size = f64::from(16 + (i & 15)) / 16.0 * f64::from(exponent).exp2();
    let value = if i & 0x80 == 0 { size } else { -size };
    let text = format!("{value:.18e}");
    let (digits, power) = text.split_once('e').unwrap_or((&text, "0"));
    let power: i32 = power.parse().unwrap_or(0);
    let sign = if power < 0 { '-' } else { '+' };
    format!("#{digits}e{sign}{:02}", power.abs())
}

/// The fraction bits of a scalar conversion.
pub(crate) fn fbits(_: &At<'_>, i: u32) -> String {
    (64 - i).to_string()
}

// ---- arrangements ----

/// A register in the row's arrangement.
pub(crate) fn va(at: &At<'_>, n: u32) -> String {
    let e = at.field("e");
    if is_scalar(at) { scalar(n, e & 3) } else { vector(n, e & 3, e >> 2) }
}

/// A register of 128 bits in lanes twice as wide.
pub(crate) fn vw(at: &At<'_>, n: u32) -> String {
    let size = (at.field("e") & 3) + 1;
    match (is_scalar(at), size) {
        (true, _) => scalar(n, size),
        (_, 4) => format!("v{n}.1q"),
        _ => vector(n, size, 1),
    }
}

/// A register in lanes twice as wide, as many bits.
pub(crate) fn vp(at: &At<'_>, n: u32) -> String {
    let e = at.field("e");
    vector(n, (e & 3) + 1, e >> 2)
}

/// A scalar of the lane's size.
pub(crate) fn vl(at: &At<'_>, n: u32) -> String {
    scalar(n, at.field("e") & 3)
}

/// A scalar of twice the lane's size.
pub(crate) fn vlw(at: &At<'_>, n: u32) -> String {
    scalar(n, (at.field("e") & 3) + 1)
}

/// A register in the row's floating-point arrangement.
pub(crate) fn vf(at: &At<'_>, n: u32) -> String {
    let size = fp_size(at);
    if is_scalar(at) { scalar(n, size) } else { vector(n, size, fp_q(at)) }
}

/// The pair that a scalar instruction adds up.
pub(crate) fn vpair(at: &At<'_>, n: u32) -> String {
    let size = fp_size(at);
    format!("v{n}.2{}", LANES[size as usize & 3])
}

/// A register in bytes, halfwords, words, by field q.
pub(crate) fn vb(at: &At<'_>, n: u32) -> String {
    vector(n, 0, at.field("q") | at.field("e"))
}
/// See [`vb`].
pub(crate) fn vh(at: &At<'_>, n: u32) -> String {
    vector(n, 1, at.field("q"))
}
/// See [`vb`].
pub(crate) fn vs(at: &At<'_>, n: u32) -> String {
    vector(n, 2, at.field("q"))
}

/// Half of a register in halfwords.
pub(crate) fn vhh(at: &At<'_>, n: u32) -> String {
    if at.field("q") == 1 { format!("v{n}.4h") } else { format!("v{n}.2h") }
}

/// `2` where the instruction works on upper halves.
pub(crate) fn two(at: &At<'_>, e: u32) -> String {
    if e & 4 != 0 && !is_scalar(at) { "2".into() } else { String::new() }
}

/// The same for the rows where `e` has one size bit.
pub(crate) fn two_f(at: &At<'_>, _: u32) -> String {
    if at.field("e") & 2 != 0 { "2".into() } else { String::new() }
}

/// The narrow side of a conversion between formats.
pub(crate) fn vfn(at: &At<'_>, n: u32) -> String {
    let e = at.field("e");
    vector(n, 1 + (e & 1), e >> 1)
}

/// The wide side.
pub(crate) fn vfw(at: &At<'_>, n: u32) -> String {
    vector(n, 2 + (at.field("e") & 1), 1)
}

/// SHLL's shift.
pub(crate) fn lanebits(_: &At<'_>, e: u32) -> String {
    (8 << (e & 3)).to_string()
}

/// Rotations of FCMLA and FCADD.
pub(crate) fn rot(_: &At<'_>, r: u32) -> String {
    format!("#{}", r * 90)
}
/// See [`rot`].
pub(crate) fn rotadd(_: &At<'_>, r: u32) -> String {
    format!("#{}", 90 + r * 180)
}

// ---- copy and table ----

/// The lane size in a copy's `i`.
fn copy_size(i: u32) -> u32 {
    i.trailing_zeros() & 3
}

/// The target of DUP.
pub(crate) fn vi(at: &At<'_>, n: u32) -> String {
    let size = copy_size(at.field("i"));
    if is_scalar(at) { scalar(n, size) } else { vector(n, size, at.field("q")) }
}

/// The lane that `i` selects.
pub(crate) fn vx(at: &At<'_>, n: u32) -> String {
    let i = at.field("i");
    lane(n, copy_size(i), i >> (copy_size(i) + 1))
}

/// INS's source lane.
pub(crate) fn vj(at: &At<'_>, n: u32) -> String {
    let size = copy_size(at.field("i"));
    lane(n, size, at.field("j") >> size)
}

/// The integer register of a copy.
pub(crate) fn ri(at: &At<'_>, n: u32) -> String {
    if copy_size(at.field("i")) == 3 { crate::print::x(at, n) } else { crate::print::w(at, n) }
}

/// The integer register of SMOV and UMOV.
pub(crate) fn rq(at: &At<'_>, n: u32) -> String {
    if at.field("q") == 1 { crate::print::x(at, n) } else { crate::print::w(at, n) }
}

/// The registers of a table.
pub(crate) fn vlist(at: &At<'_>, n: u32) -> String {
    let last = n + at.field("l");
    if at.field("l") > 1 && last < 32 {
        return format!("v{n}.16b-v{last}.16b");
    }
    let names: Vec<String> = (n..=last).map(|n| format!("v{}.16b", n % 32)).collect();
    names.join(", ")
}

// ---- immediates ----

/// The target of a modified immediate.
pub(crate) fn vimm(at: &At<'_>, n: u32) -> String {
    let (c, q) = (at.field("c"), at.field("q"));
    match (c, at.field("o")) {
        (14, 0) => vector(n, 0, q),
        (14, _) if q == 0 => scalar(n, 3),
        (14, _) => vector(n, 3, 1),
        (8..=11, _) => vector(n, 1, q),
        _ => vector(n, 2, q),
    }
}

/// A modified immediate with its shift.
pub(crate) fn imm(at: &At<'_>, i: u32) -> String {
    match at.field("c") {
        14 if at.field("o") == 1 => format!("#{:#x}", crate::translate::modified_immediate(14, 1, i)),
        14 => format!("#{i:#x}"),
        c @ 12..=13 => format!("#{i:#x}, msl #{}", 8 << (c & 1)),
        c => match c >> 1 & if c >= 8 { 1 } else { 3 } {
            0 => format!("#{i:#x}"),
            s => format!("#{i:#x}, lsl #{}", s * 8),
        },
    }
}

/// The lane size in a shift's `i`.
fn shift_size(i: u32) -> u32 {
    (31 - (i | 8).leading_zeros()) - 3
}

/// A register in the arrangement of a shift.
pub(crate) fn vsh(at: &At<'_>, n: u32) -> String {
    let size = shift_size(at.field("i"));
    if is_scalar(at) { scalar(n, size) } else { vector(n, size, at.field("q")) }
}

/// The wide side of a narrowing or widening shift.
pub(crate) fn vshw(at: &At<'_>, n: u32) -> String {
    let size = shift_size(at.field("i")) + 1;
    if is_scalar(at) { scalar(n, size) } else { vector(n, size, 1) }
}

/// A left shift's amount.
pub(crate) fn left(_: &At<'_>, i: u32) -> String {
    (i - (8 << shift_size(i))).to_string()
}

/// A right shift's amount.
pub(crate) fn right(_: &At<'_>, i: u32) -> String {
    ((16 << shift_size(i)) - i).to_string()
}

// ---- elements ----

/// The indexed lane of an integer row.
pub(crate) fn vel(at: &At<'_>, n: u32) -> String {
    let size = at.field("e") & 3;
    lane(n, size, index(at, size))
}

/// The indexed lane of a floating-point row.
pub(crate) fn vfel(at: &At<'_>, n: u32) -> String {
    let size = fp_size(at);
    lane(n, size, index(at, size))
}

/// The index of a lane of 2^`size` bytes: the letters i and h.
fn index(at: &At<'_>, size: u32) -> u32 {
    crate::translate::element_index(size, at.field("h"), at.field("i"))
}

/// The index of a halfword, of a word, of a complex pair.
pub(crate) fn ixh(at: &At<'_>, _: u32) -> String {
    index(at, 1).to_string()
}
/// See [`ixh`].
pub(crate) fn ixs(at: &At<'_>, _: u32) -> String {
    index(at, 2).to_string()
}
/// See [`ixh`].
pub(crate) fn ixc(at: &At<'_>, _: u32) -> String {
    index(at, (at.field("e") & 3) + 1).to_string()
}
