//! What processors have and others lack: bits of [`arch::Cpu::features`], and which instructions need them. The least is x86-64's baseline without
//! anything that is not there yet.

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

/// All there is.
pub(crate) const MAX: u64 = (bit(13) - 1) & !(SSE41 | SSE42);

/// What no processor has: features that are not named here.
const NONE: u64 = bit(63);

/// What all have, or what nobody asks for.
#[rustfmt::skip]
const ALWAYS: &[Id] = &[
    Id::INTEL8086, Id::INTEL8086_ONLY, Id::INTEL186, Id::INTEL286, Id::INTEL286_ONLY, Id::INTEL386, Id::INTEL386_ONLY, Id::INTEL486,
    Id::X64, Id::CMOV, Id::CPUID, Id::CX8, Id::MULTIBYTENOP, Id::FPU, Id::FPU287, Id::FPU387, Id::MMX, Id::FXSR, Id::CLFSH, Id::CLFLUSHOPT,
    Id::CLWB, Id::FSGSBASE, Id::MSR, Id::PAUSE, Id::PREFETCHW, Id::PREFETCHWT1, Id::D3NOW, Id::RDPID, Id::RDPMC, Id::RDTSCP, Id::TSC,
    Id::SEP, Id::SYSCALL, Id::CET_IBT,
];

/// What iced calls the features that instructions may need.
const NAMES: &[(Id, u64)] = &[
    (Id::CMPXCHG16B, CX16),
    (Id::SSE, SSE2),
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
];

/// The features that an instruction needs.
pub(crate) fn needs(ids: &[Id]) -> u64 {
    let named = |id: &Id| NAMES.iter().find(|(name, _)| name == id).map(|(_, bit)| *bit);
    let feature = |id: &Id| named(id).unwrap_or(if ALWAYS.contains(id) { 0 } else { NONE });
    ids.iter().fold(0, |all, id| all | feature(id))
}
