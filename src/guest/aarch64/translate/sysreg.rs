//! The system registers that EL0 may read, and those that Linux reads for it (HWCAP_CPUID): numbers and constant values.
//! What an identification register says stands in features.rs.

use crate::features;

/// A register's number, as in MRS's bits 19 .. 5: op0 - 2, op1, CRn, CRm, op2.
const fn number(op0: u32, op1: u32, n: u32, m: u32, op2: u32) -> u32 {
    (op0 - 2) << 14 | op1 << 11 | n << 7 | m << 3 | op2
}

const MIDR: u32 = number(3, 0, 0, 0, 0);
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

/// Values of the registers that do not change.
const CONSTANTS: [(u32, u64); 6] = [
    // Lines of 64 bytes (DminLine, IminLine, ERG, CWG 4), PIPT; IDC: cleaning is not needed, DIC not: IC IVAU is.
    (CTR_EL0, 0x9444_c004),
    // 2^4 words.
    (DCZID_EL0, 4),
    (TPIDRRO_EL0, 0),
    (CNTFRQ_EL0, FREQUENCY),
    // MPIDR, as Linux shows it, and REVIDR.
    (number(3, 0, 0, 0, 5), 1 << 31),
    (number(3, 0, 0, 0, 6), 0),
];

/// The value of a register that does not change. Identification registers that Linux reads for EL0 and that are not allocated are zero.
pub(crate) fn constant(r: u32, features: u64) -> Option<u64> {
    if r == MIDR {
        return Some(features::midr_of(features).into());
    }
    if let Some(c) = CONSTANTS.iter().find(|c| c.0 == r) {
        return Some(c.1);
    }
    // op0 3, op1 0, CRn 0, CRm 2 to 7.
    let is_identification = r >> 7 == number(3, 0, 0, 0, 0) >> 7 && (2..8).contains(&(r >> 3 & 15));
    is_identification.then(|| features::identification(r & 0x7f, features))
}

/// The register as s<op0>_<op1>_c<n>_c<m>_<op2>.
pub(crate) fn name(r: u32) -> String {
    format!("s{}_{}_c{}_c{}_{}", 2 + (r >> 14), r >> 11 & 7, r >> 7 & 15, r >> 3 & 15, r & 7)
}
