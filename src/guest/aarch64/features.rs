//! What processors have and others lack: bits of [`arch::Cpu::features`], named by rows (`@lse`). The least is ARMv8.0 with CRC32 and AES.

const fn bit(n: u32) -> u64 {
    1 << n
}

/// Large system extensions: atomic read-modify-write.
pub(crate) const LSE: u64 = bit(0);
pub(crate) const RDM: u64 = bit(1);
/// Half precision arithmetic.
pub(crate) const FP16: u64 = bit(2);
pub(crate) const DOTPROD: u64 = bit(3);
pub(crate) const FCMA: u64 = bit(4);
pub(crate) const JSCVT: u64 = bit(5);
pub(crate) const FRINTTS: u64 = bit(6);
pub(crate) const FLAGM: u64 = bit(7);
pub(crate) const FLAGM2: u64 = bit(8);
pub(crate) const LRCPC: u64 = bit(9);
pub(crate) const LRCPC2: u64 = bit(10);
pub(crate) const SHA512: u64 = bit(11);
pub(crate) const SHA3: u64 = bit(12);
pub(crate) const SM3: u64 = bit(13);
pub(crate) const SM4: u64 = bit(14);
pub(crate) const BF16: u64 = bit(15);
pub(crate) const I8MM: u64 = bit(16);
pub(crate) const FHM: u64 = bit(17);
/// Pointer authentication. In the space of hints, it does nothing where it lacks.
pub(crate) const PAUTH: u64 = bit(18);
pub(crate) const BTI: u64 = bit(19);
pub(crate) const RNG: u64 = bit(20);
pub(crate) const SB: u64 = bit(21);
pub(crate) const SSBS: u64 = bit(22);
/// DC CVAP, and DC CVADP.
pub(crate) const DPB: u64 = bit(23);
pub(crate) const DPB2: u64 = bit(24);
pub(crate) const DIT: u64 = bit(25);
/// Pointers are authenticated by QARMA5, the architected algorithm, which costs about a hundred times what ours does.
pub(crate) const QARMA5: u64 = bit(26);
/// LDLAR and STLLR.
pub(crate) const LOR: u64 = bit(28);
/// A pair of registers is one access. It costs a way through a vector register, and a pair that was just stored one by one is slow to load.
pub(crate) const LSE2: u64 = bit(27);

/// MIDR of the model.
const fn midr(v: u32) -> u64 {
    (v as u64) << 32
}

/// The model's MIDR.
pub(crate) fn midr_of(features: u64) -> u32 {
    (features >> 32) as u32
}

/// ARMv8.2 of 2016 to 2018: Cortex-A55 and those of its age.
const V8_2: u64 = LSE | LOR | RDM | FP16 | DOTPROD | LRCPC | DPB | SSBS;

pub(crate) const CORTEX_A35: u64 = midr(0x411f_d040);
pub(crate) const CORTEX_A53: u64 = midr(0x410f_d034);
pub(crate) const CORTEX_A55: u64 = midr(0x412f_d050) | V8_2;
pub(crate) const CORTEX_A57: u64 = midr(0x411f_d070);
pub(crate) const CORTEX_A72: u64 = midr(0x410f_d083);
pub(crate) const CORTEX_A76: u64 = midr(0x414f_d0b1) | V8_2;
pub(crate) const NEOVERSE_N1: u64 = midr(0x414f_d0c1) | V8_2;

/// All that is implemented, but for what slows programs down. As MIDR that of a Neoverse N1: C libraries choose their copy loops by it, and those for
/// this core use vector registers, which the host has for the guest's, while most of the general ones are in memory.
#[rustfmt::skip]
pub(crate) const MAX: u64 = NEOVERSE_N1 | FCMA | JSCVT | FRINTTS | FLAGM | FLAGM2 | LRCPC2 | SHA512 | SHA3 | SM3 | SM4 | BF16 | I8MM | FHM | PAUTH | BTI
    | RNG | SB | DPB2 | DIT;

/// A field of an identification register that says that a feature is there: register, lowest bit, value, feature (0: always). Of two fields at one
/// place the later one counts.
type Field = (u32, u32, u64, u64);

pub(crate) const PFR0: u32 = 0x20;
pub(crate) const PFR1: u32 = 0x21;
pub(crate) const ISAR0: u32 = 0x30;
pub(crate) const ISAR1: u32 = 0x31;
pub(crate) const MMFR0: u32 = 0x38;
pub(crate) const MMFR2: u32 = 0x3a;

/// Registers by CRm and op2 (0xCRm:op2 in three bits each).
const FIELDS: [Field; 41] = [
    // AArch64 only at EL0 and EL1.
    (PFR0, 0, 0x11, 0),
    (PFR0, 16, 1, FP16),
    (PFR0, 20, 1, FP16),
    (PFR0, 48, 1, DIT),
    (PFR1, 0, 1, BTI),
    (PFR1, 4, 2, SSBS),
    // SHA1, SHA2, AES with PMULL, CRC32.
    (ISAR0, 4, 2, 0),
    (ISAR0, 8, 1, 0),
    (ISAR0, 12, 1, 0),
    (ISAR0, 16, 1, 0),
    (ISAR0, 12, 2, SHA512),
    (ISAR0, 20, 2, LSE),
    (ISAR0, 28, 1, RDM),
    (ISAR0, 32, 1, SHA3),
    (ISAR0, 36, 1, SM3),
    (ISAR0, 40, 1, SM4),
    (ISAR0, 44, 1, DOTPROD),
    (ISAR0, 48, 1, FHM),
    (ISAR0, 52, 1, FLAGM),
    (ISAR0, 52, 2, FLAGM2),
    (ISAR0, 60, 1, RNG),
    (ISAR1, 0, 1, DPB),
    (ISAR1, 0, 2, DPB2),
    // API 3 (PAuth2) and GPI; with QARMA5 APA and GPA.
    (ISAR1, 8, 3, PAUTH),
    (ISAR1, 28, 1, PAUTH),
    (ISAR1, 4, 3, PAUTH | QARMA5),
    (ISAR1, 8, 0, PAUTH | QARMA5),
    (ISAR1, 24, 1, PAUTH | QARMA5),
    (ISAR1, 28, 0, PAUTH | QARMA5),
    (ISAR1, 12, 1, JSCVT),
    (ISAR1, 16, 1, FCMA),
    (ISAR1, 20, 1, LRCPC),
    (ISAR1, 20, 2, LRCPC2),
    (ISAR1, 32, 1, FRINTTS),
    (ISAR1, 36, 1, SB),
    (ISAR1, 44, 1, BF16),
    (ISAR1, 52, 1, I8MM),
    // 48-bit addresses; Linux hides the rest.
    (MMFR0, 0, 5, 0),
    (MMFR0, 24, 15, 0),
    (MMFR0, 28, 15, 0),
    (MMFR2, 32, 1, LSE2),
];

/// The value of an identification register.
pub(crate) fn identification(register: u32, features: u64) -> u64 {
    let fields = FIELDS.iter().filter(|f| f.0 == register && f.3 & !features == 0);
    fields.fold(0, |v, &(_, at, value, _)| v & !(15 << at) | value << at)
}
