//! The operand kinds of simd.decode's formats.

use crate::translate::{double, modified_immediate, single};
use decode::At;

/// A VFP register of the row's precision. `n` of Vn:N is brought into the form of d and m by [`vn`].
pub(crate) fn vd(at: &At<'_>, d: u32) -> String {
    if at.field("z") == 1 { format!("d{d}") } else { sd(at, d) }
}

pub(crate) fn vm(at: &At<'_>, m: u32) -> String {
    vd(at, m)
}

pub(crate) fn vn(at: &At<'_>, n: u32) -> String {
    if at.field("z") == 1 { dn(at, n) } else { format!("s{n}") }
}

pub(crate) fn sd(_: &At<'_>, d: u32) -> String {
    format!("s{}", single(d))
}

pub(crate) fn sm(at: &At<'_>, m: u32) -> String {
    sd(at, m)
}

pub(crate) fn dn(_: &At<'_>, n: u32) -> String {
    format!("d{}", double(n))
}

pub(crate) fn qn(at: &At<'_>, n: u32) -> String {
    let n = double(n);
    if at.field("q") == 1 { format!("q{}", n / 2) } else { format!("d{n}") }
}

/// The precision's suffix.
pub(crate) fn vf(at: &At<'_>, _: u32) -> String {
    if at.field("z") == 1 { ".f64".into() } else { ".f32".into() }
}

pub(crate) fn vmem(at: &At<'_>, _: u32) -> String {
    let sign = if at.field("u") == 1 { "" } else { "-" };
    format!("[r{}, #{sign}{}]", at.field("n"), 4 * at.field("i"))
}

pub(crate) fn vlist(at: &At<'_>, _: u32) -> String {
    let (i, d) = (at.field("i"), at.field("d"));
    let (prefix, first, count) = if at.field("z") == 1 { ('d', d, i / 2) } else { ('s', single(d), i) };
    format!("{{{prefix}{first}-{prefix}{}}}", first + count.max(1) - 1)
}

pub(crate) fn vmovd(at: &At<'_>, _: u32) -> String {
    let general = format!("r{}, r{}", at.field("t"), at.field("x"));
    let m = at.field("m");
    let vector = if at.field("z") == 1 { format!("d{m}") } else { format!("s{}, s{}", single(m), single(m) + 1) };
    if at.field("o") == 1 { format!("{general}, {vector}") } else { format!("{vector}, {general}") }
}

pub(crate) fn vmovs(at: &At<'_>, _: u32) -> String {
    let (t, n) = (at.field("t"), at.field("n"));
    if at.field("o") == 1 { format!("r{t}, s{n}") } else { format!("s{n}, r{t}") }
}

fn lane_bits(o: u32) -> u32 {
    match o {
        o if o & 8 != 0 => 8,
        o if o & 1 != 0 => 16,
        _ => 32,
    }
}

pub(crate) fn lane(_: &At<'_>, o: u32) -> String {
    format!(".{}", lane_bits(o))
}

pub(crate) fn laneu(at: &At<'_>, o: u32) -> String {
    let sign = if at.field("u") == 1 { "u" } else { "s" };
    match lane_bits(o) {
        32 => ".32".into(),
        n => format!(".{sign}{n}"),
    }
}

pub(crate) fn lanei(_: &At<'_>, o: u32) -> String {
    let index = match lane_bits(o) {
        8 => o & 7,
        16 => o >> 1 & 3,
        _ => o >> 2 & 1,
    };
    index.to_string()
}

pub(crate) fn dupsz(at: &At<'_>, _: u32) -> String {
    [".32", ".16", ".8", "?"][(at.field("b") << 1 | at.field("e")) as usize].into()
}

pub(crate) fn apsr(at: &At<'_>, t: u32) -> String {
    if t == 15 { "apsr_nzcv".into() } else { crate::print::r(at, t) }
}

pub(crate) fn hf(at: &At<'_>, _: u32) -> String {
    let wide = if at.field("z") == 1 { "f64" } else { "f32" };
    if at.field("o") == 1 { format!(".f16.{wide}") } else { format!(".{wide}.f16") }
}

pub(crate) fn hdm(at: &At<'_>, _: u32) -> String {
    let (d, m) = (at.field("d"), at.field("m"));
    if at.field("o") == 1 { format!("{}, {}", sd(at, d), vd(at, m)) } else { format!("{}, {}", vd(at, d), sd(at, m)) }
}

pub(crate) fn dsm(at: &At<'_>, _: u32) -> String {
    let (d, m) = (at.field("d"), at.field("m"));
    if at.field("z") == 1 { format!("s{}, d{m}", single(d)) } else { format!("d{d}, s{}", single(m)) }
}

pub(crate) fn fixf(at: &At<'_>, _: u32) -> String {
    let int = format!("{}{}", if at.field("u") == 1 { "u" } else { "s" }, 16 << at.field("x"));
    let float = if at.field("z") == 1 { "f64" } else { "f32" };
    if at.field("o") == 1 { format!(".{int}.{float}") } else { format!(".{float}.{int}") }
}

pub(crate) fn fixi(at: &At<'_>, _: u32) -> String {
    format!("#{}", (16u32 << at.field("x")).wrapping_sub(single(at.field("i"))).cast_signed())
}

// ---- Advanced SIMD ----

/// A register of the row's length.
pub(crate) fn q(at: &At<'_>, n: u32) -> String {
    if at.field("q") == 1 { qq(at, n) } else { d(at, n) }
}

pub(crate) fn d(_: &At<'_>, n: u32) -> String {
    format!("d{n}")
}

pub(crate) fn qq(_: &At<'_>, n: u32) -> String {
    format!("q{}", n / 2)
}

/// The same of Vn:N.
pub(crate) fn nq(at: &At<'_>, n: u32) -> String {
    q(at, double(n))
}

pub(crate) fn nd(at: &At<'_>, n: u32) -> String {
    d(at, double(n))
}

pub(crate) fn nqq(at: &At<'_>, n: u32) -> String {
    qq(at, double(n))
}

pub(crate) fn bits(_: &At<'_>, z: u32) -> String {
    (8 << z).to_string()
}

/// The size of the wide side.
pub(crate) fn bits2(_: &At<'_>, z: u32) -> String {
    (16 << z).to_string()
}

pub(crate) fn bitsa(_: &At<'_>, z: u32) -> String {
    (8 << z.min(2)).to_string()
}

pub(crate) fn scalar(at: &At<'_>, m: u32) -> String {
    if at.field("z") == 1 { format!("d{}[{}]", m & 7, m >> 3) } else { format!("d{}[{}]", m & 15, m >> 4) }
}

fn shift_bits(at: &At<'_>) -> u32 {
    8 << ((at.field("l") << 6 | at.field("i")).ilog2() - 3)
}

pub(crate) fn shl(at: &At<'_>, _: u32) -> String {
    shift_bits(at).to_string()
}

pub(crate) fn shl2(at: &At<'_>, _: u32) -> String {
    (2 * shift_bits(at)).to_string()
}

/// A right shift's amount.
pub(crate) fn sha(at: &At<'_>, i: u32) -> String {
    (2 * shift_bits(at) - (at.field("l") << 6 | i)).to_string()
}

/// A left shift's amount.
pub(crate) fn shb(at: &At<'_>, i: u32) -> String {
    ((at.field("l") << 6 | i) - shift_bits(at)).to_string()
}

pub(crate) fn fbits(_: &At<'_>, i: u32) -> String {
    (64 - i).to_string()
}

pub(crate) fn modi(at: &At<'_>, _: u32) -> String {
    match (at.field("c"), at.field("o")) {
        (0..=7 | 12 | 13, _) => ".i32",
        (8..=11, _) => ".i16",
        (14, 0) => ".i8",
        (14, _) => ".i64",
        _ => ".f32",
    }
    .into()
}

pub(crate) fn modv(at: &At<'_>, i: u32) -> String {
    let value = modified_immediate(at.field("c"), at.field("o"), i);
    match at.field("c") {
        8..=11 => format!("{:#x}", value & 0xffff),
        14 if at.field("o") == 0 => format!("{:#x}", value & 0xff),
        14 => format!("{value:#018x}"),
        _ => format!("{:#x}", value & 0xffff_ffff),
    }
}

pub(crate) fn mvn(at: &At<'_>, _: u32) -> String {
    if at.field("c") == 14 { "vmov".into() } else { "vmvn".into() }
}

pub(crate) fn tbl(at: &At<'_>, _: u32) -> String {
    let first = double(at.field("n"));
    format!("{{d{first}-d{}}}", first + at.field("l"))
}

pub(crate) fn dups(at: &At<'_>, _: u32) -> String {
    (8 << at.field("i").trailing_zeros()).to_string()
}

pub(crate) fn dupd(at: &At<'_>, m: u32) -> String {
    let i = at.field("i");
    format!("d{m}[{}]", i >> (i.trailing_zeros() + 1))
}

/// How many registers a structure type has.
pub(crate) fn vst(_: &At<'_>, t: u32) -> String {
    ["4", "4", "1", "2", "3", "3", "1", "1", "2", "2", "1"].get(t as usize).copied().unwrap_or("?").into()
}

fn base(at: &At<'_>) -> String {
    match at.field("m") {
        15 => format!("[r{}]", at.field("n")),
        13 => format!("[r{}]!", at.field("n")),
        m => format!("[r{}], r{m}", at.field("n")),
    }
}

pub(crate) fn vlst(at: &At<'_>, _: u32) -> String {
    format!("{{d{}...}}, {}", at.field("d"), base(at))
}

pub(crate) fn vls1(at: &At<'_>, _: u32) -> String {
    format!("{{d{}[{}]...}}, {}", at.field("d"), at.field("i") >> (at.field("z") + 1), base(at))
}

pub(crate) fn vlsa(at: &At<'_>, _: u32) -> String {
    format!("{{d{}[]...}}, {}", at.field("d"), base(at))
}
