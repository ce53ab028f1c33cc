//! What processors have and others lack: bits of [`arch::Cpu::features`], and which instructions need them. The least is a 486.

use iced_x86::CpuidFeature as Id;

const fn bit(n: u32) -> u64 {
    1 << n
}

pub(crate) const CX16: u64 = bit(0);
pub(crate) const SSE3: u64 = bit(1);
pub(crate) const SSSE3: u64 = bit(2);
pub(crate) const SSE41: u64 = bit(3);
pub(crate) const SSE42: u64 = bit(4);
pub(crate) const POPCNT: u64 = bit(5);
pub(crate) const LZCNT: u64 = bit(6);
pub(crate) const BMI1: u64 = bit(7);
pub(crate) const BMI2: u64 = bit(8);
pub(crate) const MOVBE: u64 = bit(9);
pub(crate) const ADX: u64 = bit(10);
pub(crate) const SSE2: u64 = bit(11);
pub(crate) const LAHF: u64 = bit(12);

pub(crate) const CX8: u64 = bit(13);
pub(crate) const CMOV: u64 = bit(14);
pub(crate) const MMX: u64 = bit(15);
pub(crate) const FXSR: u64 = bit(16);
pub(crate) const SSE: u64 = bit(17);
pub(crate) const TSC: u64 = bit(18);
pub(crate) const AES: u64 = bit(19);
pub(crate) const PCLMUL: u64 = bit(20);
pub(crate) const SHA: u64 = bit(21);
pub(crate) const FSGSBASE: u64 = bit(22);
pub(crate) const RDTSCP: u64 = bit(23);
pub(crate) const CLFLUSHOPT: u64 = bit(24);
pub(crate) const CLWB: u64 = bit(25);
pub(crate) const RDPID: u64 = bit(26);
pub(crate) const RDRAND: u64 = bit(27);
/// 64-bit mode, for what processors tell.
pub(crate) const LONG: u64 = bit(28);
pub(crate) const AVX: u64 = bit(29);
pub(crate) const AVX2: u64 = bit(30);
pub(crate) const FMA: u64 = bit(31);
pub(crate) const F16C: u64 = bit(32);
/// VPCLMULQDQ too.
pub(crate) const VAES: u64 = bit(33);
pub(crate) const XSAVE: u64 = bit(34);
pub(crate) const XSAVEOPT: u64 = bit(35);
/// XGETBV of what is in use, too.
pub(crate) const XSAVEC: u64 = bit(36);
pub(crate) const RDSEED: u64 = bit(37);

pub(crate) const AVX512F: u64 = bit(38);
pub(crate) const AVX512BW: u64 = bit(39);
pub(crate) const AVX512CD: u64 = bit(40);
pub(crate) const AVX512DQ: u64 = bit(41);
pub(crate) const AVX512VL: u64 = bit(42);
pub(crate) const AVX512_IFMA: u64 = bit(43);
pub(crate) const AVX512_VBMI: u64 = bit(44);
pub(crate) const AVX512_VBMI2: u64 = bit(45);
pub(crate) const AVX512_VNNI: u64 = bit(46);
pub(crate) const AVX512_BITALG: u64 = bit(47);
pub(crate) const AVX512_VPOPCNTDQ: u64 = bit(48);
pub(crate) const GFNI: u64 = bit(49);

/// All there is.
pub const ALL: u64 = bit(50) - 1;
/// All but AVX-512 and GFNI, as QEMU's has it: C libraries choose their routines by the one, and the other is slower than what programs do without.
pub(crate) const MAX: u64 = bit(38) - 1;

// What models have: each what the one before it has.
pub(crate) const PENTIUM: u64 = CX8 | TSC;
pub(crate) const PENTIUM2: u64 = PENTIUM | CMOV | MMX | FXSR;
pub(crate) const PENTIUM3: u64 = PENTIUM2 | SSE;
pub(crate) const QEMU32: u64 = PENTIUM3 | SSE2 | SSE3;
/// x86-64's baseline, and what each of its processors has by now.
pub(crate) const QEMU64: u64 = QEMU32 | CX16 | LAHF | LONG;
pub(crate) const CORE2: u64 = QEMU64 | SSSE3;
pub(crate) const PENRYN: u64 = CORE2 | SSE41;
/// x86-64-v2.
pub(crate) const NEHALEM: u64 = PENRYN | SSE42 | POPCNT | RDTSCP;
pub(crate) const WESTMERE: u64 = NEHALEM | AES | PCLMUL;
pub(crate) const SANDY_BRIDGE: u64 = WESTMERE | AVX | XSAVE | XSAVEOPT;
pub(crate) const IVY_BRIDGE: u64 = SANDY_BRIDGE | F16C | RDRAND | FSGSBASE;
/// x86-64-v3.
pub(crate) const HASWELL: u64 = IVY_BRIDGE | AVX2 | FMA | BMI1 | BMI2 | LZCNT | MOVBE;
pub(crate) const BROADWELL: u64 = HASWELL | ADX | RDSEED;
pub(crate) const SKYLAKE: u64 = BROADWELL | XSAVEC | CLFLUSHOPT;

/// x86-64-v4.
pub(crate) const V4: u64 = HASWELL | AVX512F | AVX512BW | AVX512CD | AVX512DQ | AVX512VL;
pub(crate) const SKYLAKE_SERVER: u64 = SKYLAKE | CLWB | V4;
pub(crate) const ICELAKE_SERVER: u64 = SKYLAKE_SERVER | MORE512 | GFNI | VAES | SHA | RDPID;
const MORE512: u64 = AVX512_IFMA | AVX512_VBMI | AVX512_VBMI2 | AVX512_VNNI | AVX512_BITALG | AVX512_VPOPCNTDQ;

/// What no processor has: features that are not named here.
const NONE: u64 = bit(63);

/// What all have, or what nobody asks for.
#[rustfmt::skip]
const ALWAYS: &[Id] = &[
    Id::INTEL8086, Id::INTEL8086_ONLY, Id::INTEL186, Id::INTEL286, Id::INTEL286_ONLY, Id::INTEL386, Id::INTEL386_ONLY, Id::INTEL486,
    Id::X64, Id::CPUID, Id::FPU, Id::FPU287, Id::FPU387, Id::MSR, Id::PAUSE, Id::PREFETCHW, Id::PREFETCHWT1, Id::D3NOW, Id::RDPMC, Id::SEP,
    Id::SYSCALL, Id::CET_IBT,
];

/// What iced calls the features that instructions may need.
const NAMES: &[(Id, u64)] = &[
    (Id::CX8, CX8),
    (Id::CMOV, CMOV),
    (Id::MULTIBYTENOP, CMOV),
    (Id::MMX, MMX),
    (Id::FXSR, FXSR),
    (Id::TSC, TSC),
    (Id::CMPXCHG16B, CX16),
    (Id::SSE, SSE),
    (Id::CLFSH, SSE2),
    (Id::SSE2, SSE2),
    (Id::SSE3, SSE3),
    (Id::SSSE3, SSSE3),
    (Id::SSE4_1, SSE41),
    (Id::SSE4_2, SSE42),
    (Id::POPCNT, POPCNT),
    (Id::LZCNT, LZCNT),
    (Id::BMI1, BMI1),
    (Id::BMI2, BMI2),
    (Id::MOVBE, MOVBE),
    (Id::ADX, ADX),
    (Id::AES, AES),
    (Id::PCLMULQDQ, PCLMUL),
    (Id::SHA, SHA),
    (Id::FSGSBASE, FSGSBASE),
    (Id::RDTSCP, RDTSCP),
    (Id::RDPID, RDPID),
    (Id::RDRAND, RDRAND),
    (Id::RDSEED, RDSEED),
    (Id::CLFLUSHOPT, CLFLUSHOPT),
    (Id::CLWB, CLWB),
    (Id::AVX, AVX),
    (Id::AVX2, AVX2),
    (Id::FMA, FMA),
    (Id::F16C, F16C),
    (Id::VAES, VAES),
    (Id::VPCLMULQDQ, VAES),
    (Id::XSAVE, XSAVE),
    (Id::XSAVEOPT, XSAVEOPT),
    (Id::XSAVEC, XSAVEC),
    (Id::AVX512F, AVX512F),
    (Id::AVX512BW, AVX512BW),
    (Id::AVX512CD, AVX512CD),
    (Id::AVX512DQ, AVX512DQ),
    (Id::AVX512VL, AVX512VL),
    (Id::AVX512_IFMA, AVX512_IFMA),
    (Id::AVX512_VBMI, AVX512_VBMI),
    (Id::AVX512_VBMI2, AVX512_VBMI2),
    (Id::AVX512_VNNI, AVX512_VNNI),
    (Id::AVX512_BITALG, AVX512_BITALG),
    (Id::AVX512_VPOPCNTDQ, AVX512_VPOPCNTDQ),
    (Id::GFNI, GFNI),
];

/// The features that an instruction needs.
pub(crate) fn needs(ids: &[Id]) -> u64 {
    let named = |id: &Id| NAMES.iter().find(|(name, _)| name == id).map(|(_, bit)| *bit);
    let feature = |id: &Id| named(id).unwrap_or(if ALWAYS.contains(id) { 0 } else { NONE });
    ids.iter().fold(0, |all, id| all | feature(id))
}
