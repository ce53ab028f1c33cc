//! The system registers that EL0 may read, and those that Linux reads for it (HWCAP_CPUID): numbers and constant values.
//! What an identification register says must agree with the hwcaps in linux.rs.

use crate::features::QARMA5;

/// A register's number, as in MRS's bits 19 .. 5: op0 - 2, op1, CRn, CRm, op2.
const fn number(op0: u32, op1: u32, n: u32, m: u32, op2: u32) -> u32 {
    (op0 - 2) << 14 | op1 << 11 | n << 7 | m << 3 | op2
}

pub(crate) const CTR_EL0: u32 = number(3, 3, 0, 0, 1);
pub(crate) const DCZID_EL0: u32 = number(3, 3, 0, 0, 7);
pub(crate) const NZCV: u32 = number(3, 3, 4, 2, 0);
pub(crate) const DIT: u32 = number(3, 3, 4, 2, 5);
pub(crate) const SSBS: u32 = number(3, 3, 4, 2, 6);
pub(crate) const FPCR: u32 = number(3, 3, 4, 4, 0);
pub(crate) const FPSR: u32 = number(3, 3, 4, 4, 1);
/// A random number, and one from a generator that is reseeded for it.
pub(crate) const RNDR: u32 = number(3, 3, 2, 4, 0);
pub(crate) const RNDRRS: u32 = number(3, 3, 2, 4, 1);
pub(crate) const TPIDR_EL0: u32 = number(3, 3, 13, 0, 2);
pub(crate) const TPIDRRO_EL0: u32 = number(3, 3, 13, 0, 3);
pub(crate) const CNTFRQ_EL0: u32 = number(3, 3, 14, 0, 0);
pub(crate) const CNTPCT_EL0: u32 = number(3, 3, 14, 0, 1);
pub(crate) const CNTVCT_EL0: u32 = number(3, 3, 14, 0, 2);

/// Place of the bit in the DIT register and in SSBS.
pub(crate) const DIT_BIT: u32 = 24;
pub(crate) const SSBS_BIT: u32 = 12;

/// Bytes of a cache line, and of DC ZVA's block.
pub(crate) const LINE: u64 = 64;

/// Ticks of the counter in a second.
pub(crate) const FREQUENCY: u64 = 1_000_000_000;

const ID_AA64ISAR1: u32 = number(3, 0, 0, 6, 1);
/// In models with [`QARMA5`]: APA and GPA in place of API and GPI.
const ISAR1_QARMA5: u64 = 0x0010_1011_0121_1032;

/// Values of the registers that do not change.
const CONSTANTS: [(u32, u64); 13] = [
    // Lines of 64 bytes (DminLine, IminLine, ERG, CWG 4), PIPT; IDC: cleaning is not needed, DIC not: IC IVAU is.
    (CTR_EL0, 0x9444_c004),
    // 2^4 words.
    (DCZID_EL0, 4),
    (TPIDRRO_EL0, 0),
    (CNTFRQ_EL0, FREQUENCY),
    // MIDR: a Neoverse N1, r4p1. C libraries choose their copy loops by it: those for this core use vector registers, which the host has
    // for the guest's, while most of the general ones are in memory.
    (number(3, 0, 0, 0, 0), 0x414f_d0c1),
    // MPIDR, as Linux shows it, and REVIDR.
    (number(3, 0, 0, 0, 5), 1 << 31),
    (number(3, 0, 0, 0, 6), 0),
    // ID_AA64PFR0: AArch64 only at EL0 and EL1, FP and AdvSIMD with half precision, DIT.
    (number(3, 0, 0, 4, 0), 0x0001_0000_0011_0011),
    // ID_AA64PFR1: SSBS with its MSR, BT.
    (number(3, 0, 0, 4, 1), 0x21),
    // ID_AA64ISAR0: RNDR, TS 2, FHM, DP, SM4, SM3, SHA3, RDM, atomics 2, CRC32, SHA2 2 (512), SHA1, AES 2 (PMULL).
    (number(3, 0, 0, 6, 0), 0x1021_1111_1021_2120),
    // ID_AA64ISAR1: I8MM, BF16, SB, FRINTTS, GPI, LRCPC 2, FCMA, JSCVT, API 3 (PAuth2), DPB 2.
    (ID_AA64ISAR1, 0x0010_1011_1021_1302),
    // ID_AA64MMFR0, MMFR2: nothing of concern to programs but 48-bit addresses.
    (number(3, 0, 0, 7, 0), 0xff00_0005),
    (number(3, 0, 0, 7, 2), 0),
];

/// The value of a register that does not change. Identification registers that Linux reads for EL0 and that are not allocated are zero.
pub(crate) fn constant(r: u32, features: u64) -> Option<u64> {
    if r == ID_AA64ISAR1 && features & QARMA5 != 0 {
        return Some(ISAR1_QARMA5);
    }
    let value = CONSTANTS.iter().find(|c| c.0 == r).map(|c| c.1);
    // op0 3, op1 0, CRn 0, CRm 2 to 7.
    let identification = r >> 7 == number(3, 0, 0, 0, 0) >> 7 && r >> 3 & 15 >= 2 && r >> 3 & 15 <= 7;
    value.or(identification.then_some(0))
}

/// The register as s<op0>_<op1>_c<n>_c<m>_<op2>.
pub(crate) fn name(r: u32) -> String {
    format!("s{}_{}_c{}_c{}_{}", 2 + (r >> 14), r >> 11 & 7, r >> 7 & 15, r >> 3 & 15, r & 7)
}
