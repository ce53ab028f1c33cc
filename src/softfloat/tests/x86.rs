//! Results and flags against the host's own instructions, under each rounding direction, with and without DAZ and FTZ.

use core::arch::asm;

use super::{HOST_ROUNDS, Random, corners, expect};
use crate::{Env, Flags, Fmt, Int, Negate, Ordering, Round};

/// An environment and the MXCSR that means the same.
fn environments() -> Vec<(Env, u32)> {
    let mut list = Vec::new();
    for (rc, round) in HOST_ROUNDS.into_iter().enumerate() {
        for (flush_in, flush_out) in [(false, false), (true, false), (false, true), (true, true)] {
            let env = Env { round, flush_in, flush_out, ..Env::X86 };
            list.push((env, 0x1f80 | (rc as u32) << 13 | (flush_in as u32) << 6 | (flush_out as u32) << 15));
        }
    }
    list
}

/// A function that runs one instruction on xmm0 to xmm2 (or rax) under a given MXCSR and returns the output register
/// and the exception flags.
macro_rules! host {
    ($name:ident($($input:ident),*), $setup:literal, $insn:literal, $result:literal) => {
        fn $name(mxcsr: u32, $($input: u64),*) -> (u64, u8) {
            let (mut saved, mut status) = (0u32, 0u32);
            let result: u64;
            // SAFETY: registers and the three stack words are declared; MXCSR is put back as it was.
            unsafe {
                asm!(
                    "stmxcsr [{saved}]",
                    "ldmxcsr [{control}]",
                    $setup,
                    $insn,
                    "stmxcsr [{status}]",
                    "ldmxcsr [{saved}]",
                    $result,
                    $($input = in(reg) $input,)*
                    saved = in(reg) &mut saved,
                    control = in(reg) &mxcsr,
                    status = in(reg) &mut status,
                    out("rax") result,
                    out("xmm0") _, out("xmm1") _, out("xmm2") _,
                );
            }
            (result, status as u8 & 0x3f)
        }
    };
}

macro_rules! binary {
    ($($name:ident $insn:literal;)*) => {
        $(host!($name(a, b), "movq xmm0, {a}\nmovq xmm1, {b}", $insn, "movq rax, xmm0");)*
    };
}

macro_rules! unary {
    ($($name:ident $insn:literal;)*) => {
        $(host!($name(a), "movq xmm1, {a}\npxor xmm0, xmm0", $insn, "movq rax, xmm0");)*
    };
}

macro_rules! ternary {
    ($($name:ident $insn:literal;)*) => {
        $(host!($name(a, b, c), "movq xmm1, {a}\nmovq xmm0, {b}\nmovq xmm2, {c}", $insn, "movq rax, xmm0");)*
    };
}

macro_rules! integer {
    ($($name:ident $insn:literal;)*) => {
        $(host!($name(a), "movq xmm1, {a}\nxor eax, eax", $insn, "");)*
    };
}

binary! {
    addss "addss xmm0, xmm1"; addsd "addsd xmm0, xmm1";
    subss "subss xmm0, xmm1"; subsd "subsd xmm0, xmm1";
    mulss "mulss xmm0, xmm1"; mulsd "mulsd xmm0, xmm1";
    divss "divss xmm0, xmm1"; divsd "divsd xmm0, xmm1";
}

unary! {
    sqrtss "sqrtss xmm0, xmm1"; sqrtsd "sqrtsd xmm0, xmm1";
    cvtss2sd "cvtss2sd xmm0, xmm1"; cvtsd2ss "cvtsd2ss xmm0, xmm1";
    vcvtph2ps "vcvtph2ps xmm0, xmm1"; vcvtps2ph "vcvtps2ph xmm0, xmm1, 4";
    roundss "roundss xmm0, xmm1, 4"; roundsd "roundsd xmm0, xmm1, 4";
    rintss "roundss xmm0, xmm1, 12"; rintsd "roundsd xmm0, xmm1, 12";
}

// The SDM's 213 form: its first factor is the second register.
ternary! {
    vfmaddss "vfmadd213ss xmm0, xmm1, xmm2"; vfmaddsd "vfmadd213sd xmm0, xmm1, xmm2";
    vfmsubss "vfmsub213ss xmm0, xmm1, xmm2"; vfmsubsd "vfmsub213sd xmm0, xmm1, xmm2";
    vfnmaddss "vfnmadd213ss xmm0, xmm1, xmm2"; vfnmaddsd "vfnmadd213sd xmm0, xmm1, xmm2";
    vfnmsubss "vfnmsub213ss xmm0, xmm1, xmm2"; vfnmsubsd "vfnmsub213sd xmm0, xmm1, xmm2";
}

integer! {
    cvtss2si32 "cvtss2si eax, xmm1"; cvtss2si64 "cvtss2si rax, xmm1";
    cvtsd2si32 "cvtsd2si eax, xmm1"; cvtsd2si64 "cvtsd2si rax, xmm1";
    cvttss2si32 "cvttss2si eax, xmm1"; cvttss2si64 "cvttss2si rax, xmm1";
    cvttsd2si32 "cvttsd2si eax, xmm1"; cvttsd2si64 "cvttsd2si rax, xmm1";
    vcvtss2usi32 "vcvtss2usi eax, xmm1"; vcvtss2usi64 "vcvtss2usi rax, xmm1";
    vcvtsd2usi32 "vcvtsd2usi eax, xmm1"; vcvtsd2usi64 "vcvtsd2usi rax, xmm1";
}

macro_rules! from_integer {
    ($($name:ident $insn:literal;)*) => {
        $(host!($name(a), "mov rax, {a}\npxor xmm0, xmm0", $insn, "movq rax, xmm0");)*
    };
}

from_integer! {
    cvtsi2ss32 "cvtsi2ss xmm0, eax"; cvtsi2ss64 "cvtsi2ss xmm0, rax";
    cvtsi2sd32 "cvtsi2sd xmm0, eax"; cvtsi2sd64 "cvtsi2sd xmm0, rax";
    vcvtusi2ss32 "vcvtusi2ss xmm0, xmm0, eax"; vcvtusi2ss64 "vcvtusi2ss xmm0, xmm0, rax";
    vcvtusi2sd32 "vcvtusi2sd xmm0, xmm0, eax"; vcvtusi2sd64 "vcvtusi2sd xmm0, xmm0, rax";
}

// rax = CF | PF << 1 | ZF << 2
host!(comiss(a, b), "movq xmm0, {a}\nmovq xmm1, {b}", "comiss xmm0, xmm1\npushfq\npop rax\nand eax, 0x45", "");
host!(comisd(a, b), "movq xmm0, {a}\nmovq xmm1, {b}", "comisd xmm0, xmm1\npushfq\npop rax\nand eax, 0x45", "");
host!(ucomiss(a, b), "movq xmm0, {a}\nmovq xmm1, {b}", "ucomiss xmm0, xmm1\npushfq\npop rax\nand eax, 0x45", "");
host!(ucomisd(a, b), "movq xmm0, {a}\nmovq xmm1, {b}", "ucomisd xmm0, xmm1\npushfq\npop rax\nand eax, 0x45", "");

/// EFLAGS after COMISS: CF = 1, PF = 4, ZF = 0x40.
fn eflags(ordering: Ordering) -> u64 {
    match ordering {
        Ordering::Less => 1,
        Ordering::Equal => 0x40,
        Ordering::Greater => 0,
        Ordering::Unordered => 0x45,
    }
}

type Host1 = fn(u32, u64) -> (u64, u8);
type Host2 = fn(u32, u64, u64) -> (u64, u8);
type Host3 = fn(u32, u64, u64, u64) -> (u64, u8);
type Soft2 = fn(Fmt, u64, u64, &mut Env) -> u64;

fn check2(what: &str, fmt: Fmt, soft: Soft2, host: Host2, a: u64, b: u64, (env, mxcsr): (Env, u32)) {
    let mut used = env;
    let got = soft(fmt, a, b, &mut used);
    expect(what, &[a, b], &env, (got, used.flags.bits()), host(mxcsr, a, b));
}

/// AVX-512 has the conversions from and to unsigned integers.
fn has_avx512() -> bool {
    let found = is_x86_feature_detected!("avx512f");
    if !found {
        eprintln!("no AVX-512: conversions of unsigned integers not compared with the host");
    }
    found
}

const BINARY: [(&str, Fmt, Soft2, Host2); 8] = [
    ("add", Fmt::F32, crate::add, addss),
    ("sub", Fmt::F32, crate::sub, subss),
    ("mul", Fmt::F32, crate::mul, mulss),
    ("div", Fmt::F32, crate::div, divss),
    ("add", Fmt::F64, crate::add, addsd),
    ("sub", Fmt::F64, crate::sub, subsd),
    ("mul", Fmt::F64, crate::mul, mulsd),
    ("div", Fmt::F64, crate::div, divsd),
];

#[test]
fn binary_corners() {
    for env in environments() {
        for (what, fmt, soft, host) in BINARY {
            for &a in &corners(fmt) {
                for &b in &corners(fmt) {
                    check2(what, fmt, soft, host, a, b, env);
                }
            }
        }
    }
}

#[test]
fn binary_random() {
    let mut random = Random(1);
    let environments = environments();
    for _ in 0..150_000 {
        let env = environments[random.next() as usize % environments.len()];
        for (what, fmt, soft, host) in BINARY {
            let (a, b) = (random.float(fmt), random.float(fmt));
            check2(what, fmt, soft, host, a, b, env);
        }
    }
}

const NEGATE: [Negate; 4] = [Negate::NONE, Negate::ADDEND, Negate::PRODUCT, Negate::BOTH];
const TERNARY: [(Fmt, [Host3; 4]); 2] =
    [(Fmt::F32, [vfmaddss, vfmsubss, vfnmaddss, vfnmsubss]), (Fmt::F64, [vfmaddsd, vfmsubsd, vfnmaddsd, vfnmsubsd])];

fn check3(fmt: Fmt, form: usize, host: Host3, [a, b, c]: [u64; 3], (env, mxcsr): (Env, u32)) {
    let mut used = env;
    let got = crate::mul_add(fmt, a, b, c, NEGATE[form], &mut used);
    expect("mul_add", &[a, b, c, form as u64], &env, (got, used.flags.bits()), host(mxcsr, a, b, c));
}

#[test]
fn mul_add_corners() {
    assert!(is_x86_feature_detected!("fma"), "the reference needs FMA");
    for (index, env) in environments().into_iter().enumerate() {
        for (fmt, hosts) in TERNARY {
            // One form in each environment: the flush modes rotate fastest, so each form meets each direction.
            let form = (index + index / 4) % 4;
            let list = corners(fmt);
            for &a in &list {
                for &b in &list {
                    // Every other addend, and all of them over two neighbouring factors.
                    let odd = (a ^ b) as usize & 1;
                    for &c in list.iter().skip(odd).step_by(2) {
                        check3(fmt, form, hosts[form], [a, b, c], env);
                    }
                }
            }
        }
    }
}

#[test]
fn mul_add_random() {
    let mut random = Random(2);
    let environments = environments();
    for _ in 0..400_000 {
        let env = environments[random.next() as usize % environments.len()];
        for (fmt, hosts) in TERNARY {
            let (a, b) = (random.float(fmt), random.float(fmt));
            // Half of the addends all but cancel the product.
            let c = match random.next() % 2 {
                0 => random.float(fmt),
                _ => {
                    let product = crate::mul(fmt, a, b, &mut { Env::X86 });
                    (product ^ 1 << (fmt.bits() - 1)).wrapping_add(random.next() % 5).wrapping_sub(2)
                        & (u64::MAX >> (64 - fmt.bits()))
                }
            };
            let form = random.next() as usize % 4;
            check3(fmt, form, hosts[form], [a, b, c], env);
        }
    }
}

/// Corner values and random ones, each under each environment.
fn each1(fmt: Fmt, count: usize, mut check: impl FnMut(u64, Env, u32)) {
    let mut random = Random(3);
    let mut list = corners(fmt);
    list.extend((0..count).map(|_| random.float(fmt)));
    for (env, mxcsr) in environments() {
        for &a in &list {
            check(a, env, mxcsr);
        }
    }
}

fn check1(what: &str, fmt: Fmt, soft: impl Fn(u64, &mut Env) -> u64, host: Host1) {
    each1(fmt, 30_000, |a, env, mxcsr| {
        let mut used = env;
        let got = soft(a, &mut used);
        expect(what, &[a], &env, (got, used.flags.bits()), host(mxcsr, a));
    });
}

#[test]
fn square_roots() {
    check1("sqrt", Fmt::F32, |a, env| crate::sqrt(Fmt::F32, a, env), sqrtss);
    check1("sqrt", Fmt::F64, |a, env| crate::sqrt(Fmt::F64, a, env), sqrtsd);
}

#[test]
fn conversions() {
    assert!(is_x86_feature_detected!("f16c"), "the reference needs F16C");
    use Fmt::{F16, F32, F64};
    check1("convert", F32, |a, env| crate::convert(F32, F64, a, env), cvtss2sd);
    check1("convert", F64, |a, env| crate::convert(F64, F32, a, env), cvtsd2ss);
    check1("convert", F16, |a, env| crate::convert(F16, F32, a, env), vcvtph2ps);
    check1("convert", F32, |a, env| crate::convert(F32, F16, a, env), vcvtps2ph);
}

#[test]
fn integral_values() {
    for (fmt, quiet, exact) in [(Fmt::F32, rintss as Host1, roundss as Host1), (Fmt::F64, rintsd, roundsd)] {
        check1("round_to_int", fmt, |a, env| crate::round_to_int(fmt, a, env.round, false, env), quiet);
        check1("round_to_int exact", fmt, |a, env| crate::round_to_int(fmt, a, env.round, true, env), exact);
    }
}

#[test]
fn to_integers() {
    let rows: [(Fmt, Int, Host1, Option<Host1>); 4] = [
        (Fmt::F32, Int::I32, cvtss2si32, Some(cvttss2si32)),
        (Fmt::F32, Int::I64, cvtss2si64, Some(cvttss2si64)),
        (Fmt::F64, Int::I32, cvtsd2si32, Some(cvttsd2si32)),
        (Fmt::F64, Int::I64, cvtsd2si64, Some(cvttsd2si64)),
    ];
    let unsigned: [(Fmt, Int, Host1, Option<Host1>); 4] = [
        (Fmt::F32, Int::U32, vcvtss2usi32, None),
        (Fmt::F32, Int::U64, vcvtss2usi64, None),
        (Fmt::F64, Int::U32, vcvtsd2usi32, None),
        (Fmt::F64, Int::U64, vcvtsd2usi64, None),
    ];
    let avx512 = has_avx512();
    for (fmt, int, rounding, truncating) in rows.into_iter().chain(unsigned.into_iter().filter(|_| avx512)) {
        check1("to_int", fmt, |a, env| crate::to_int(fmt, a, int, 0, env.round, env), rounding);
        if let Some(host) = truncating {
            check1("to_int zero", fmt, |a, env| crate::to_int(fmt, a, int, 0, Round::Zero, env), host);
        }
    }
}

#[test]
fn from_integers() {
    let rows: [(Fmt, Int, Host1); 8] = [
        (Fmt::F32, Int::I32, cvtsi2ss32),
        (Fmt::F32, Int::I64, cvtsi2ss64),
        (Fmt::F64, Int::I32, cvtsi2sd32),
        (Fmt::F64, Int::I64, cvtsi2sd64),
        (Fmt::F32, Int::U32, vcvtusi2ss32),
        (Fmt::F32, Int::U64, vcvtusi2ss64),
        (Fmt::F64, Int::U32, vcvtusi2sd32),
        (Fmt::F64, Int::U64, vcvtusi2sd64),
    ];
    let avx512 = has_avx512();
    let mut random = Random(4);
    let edges = [0, 1, 2, 1 << 23, (1 << 24) + 1, (1 << 25) + 2, i32::MAX as u64, 1 << 31, u32::MAX as u64, 1 << 32];
    let wide = [(1 << 53) + 1, (1 << 54) + 2, (1 << 54) + 6, i64::MAX as u64, 1 << 63, u64::MAX - 1024, u64::MAX];
    let mut list: Vec<u64> = edges.into_iter().chain(wide).collect();
    list.extend((0..20_000).map(|_| random.next() >> (random.next() % 64)));
    for (env, mxcsr) in environments() {
        for (fmt, int, host) in rows.into_iter().filter(|(_, int, _)| int.signed || avx512) {
            for &value in &list {
                let mut used = env;
                let got = crate::from_int(fmt, value, int, 0, &mut used);
                expect("from_int", &[value], &env, (got, used.flags.bits()), host(mxcsr, value));
            }
        }
    }
}

#[test]
fn comparisons() {
    let rows: [(Fmt, bool, Host2); 4] =
        [(Fmt::F32, false, ucomiss), (Fmt::F32, true, comiss), (Fmt::F64, false, ucomisd), (Fmt::F64, true, comisd)];
    let mut random = Random(5);
    for (env, mxcsr) in environments() {
        for (fmt, signalling, host) in rows {
            let check = |a, b| {
                let mut used = env;
                let got = eflags(crate::compare(fmt, a, b, signalling, &mut used));
                expect("compare", &[a, b], &env, (got, used.flags.bits()), host(mxcsr, a, b));
            };
            let list = corners(fmt);
            for &a in &list {
                for &b in &list {
                    check(a, b);
                }
            }
            for _ in 0..5_000 {
                check(random.float(fmt), random.float(fmt));
            }
        }
    }
}

// AVX512-FP16; denormals are never flushed there.
binary! {
    vaddsh "vaddsh xmm0, xmm0, xmm1"; vsubsh "vsubsh xmm0, xmm0, xmm1";
    vmulsh "vmulsh xmm0, xmm0, xmm1"; vdivsh "vdivsh xmm0, xmm0, xmm1";
}
unary! { vsqrtsh "vsqrtsh xmm0, xmm0, xmm1"; }
ternary! { vfmaddsh "vfmadd213sh xmm0, xmm1, xmm2"; vfnmsubsh "vfnmsub213sh xmm0, xmm1, xmm2"; }

/// Runs only on hosts with AVX512-FP16; elsewhere f16 rests on `narrow.rs`.
#[test]
fn half_precision() {
    if !is_x86_feature_detected!("avx512fp16") {
        eprintln!("no AVX512-FP16: f16 not compared with the host");
        return;
    }
    let fmt = Fmt::F16;
    let rows: [(&str, Soft2, Host2); 4] = [
        ("add", crate::add, vaddsh),
        ("sub", crate::sub, vsubsh),
        ("mul", crate::mul, vmulsh),
        ("div", crate::div, vdivsh),
    ];
    let mut random = Random(10);
    for env in environments().into_iter().filter(|(env, _)| !env.flush_in && !env.flush_out) {
        let list = corners(fmt);
        let mut pairs: Vec<(u64, u64)> = list.iter().flat_map(|&a| list.iter().map(move |&b| (a, b))).collect();
        pairs.extend((0..50_000).map(|_| (random.float(fmt), random.float(fmt))));
        for &(a, b) in &pairs {
            for (what, soft, host) in rows {
                check2(what, fmt, soft, host, a, b, env);
            }
            let c = random.float(fmt);
            check3(fmt, 0, vfmaddsh, [a, b, c], env);
            check3(fmt, 3, vfnmsubsh, [a, b, c], env);
            let mut used = env.0;
            let got = crate::sqrt(fmt, a, &mut used);
            expect("sqrt", &[a], &env.0, (got, used.flags.bits()), vsqrtsh(env.1, a));
        }
    }
}

/// The flags' order is MXCSR's: what the comparisons above rest on.
#[test]
fn flag_bits() {
    let (_, status) = divsd(0x1f80, 1f64.to_bits(), 3f64.to_bits());
    assert_eq!(status, Flags::INEXACT.bits());
    let (_, status) = divsd(0x1f80, 1f64.to_bits(), 0);
    assert_eq!(status, Flags::DIV_BY_ZERO.bits());
}
