//! What processors have and others lack: bits of [`arch::Cpu::features`], named by rows (`@v6`).
//!
//! The least is ARMv4T. Each architecture has what those before it have.

const fn bit(n: u32) -> u64 {
    1 << n
}

/// BLX, CLZ, saturating and halfword arithmetic, doublewords.
pub(crate) const V5TE: u64 = bit(0);
pub(crate) const V6: u64 = bit(1);
/// Exclusives of bytes, halfwords and doublewords in A32, and the thread registers of CP15.
pub(crate) const V6K: u64 = bit(2);
/// Thumb-2, and what came to A32 with it.
pub(crate) const V6T2: u64 = bit(3);
pub(crate) const V7: u64 = bit(4);
pub(crate) const V8: u64 = bit(5);
/// SDIV and UDIV.
pub(crate) const IDIV: u64 = bit(6);
/// VFPv2, sixteen registers of double precision.
pub(crate) const VFP: u64 = bit(7);
pub(crate) const VFPV3: u64 = bit(8);
/// Fused multiply-add.
pub(crate) const VFPV4: u64 = bit(9);
/// Conversions from and to half precision.
pub(crate) const HALF: u64 = bit(10);
/// D16 to D31.
pub(crate) const D32: u64 = bit(11);
pub(crate) const NEON: u64 = bit(12);
pub(crate) const AES: u64 = bit(13);
pub(crate) const PMULL: u64 = bit(14);
pub(crate) const SHA1: u64 = bit(15);
pub(crate) const SHA2: u64 = bit(16);
pub(crate) const CRC: u64 = bit(17);
/// 40-bit addresses; to programs: a doubleword is one access.
pub(crate) const LPAE: u64 = bit(18);
/// PLDW.
pub(crate) const V7MP: u64 = bit(19);

/// MIDR of the model.
const fn midr(v: u32) -> u64 {
    (v as u64) << 32
}

/// The model's MIDR.
pub(crate) fn midr_of(features: u64) -> u32 {
    (features >> 32) as u32
}

const ARM11: u64 = V5TE | V6 | VFP;
const ARMV7: u64 = ARM11 | V6K | V6T2 | V7 | VFPV3 | D32 | NEON;
const ARMV7VE: u64 = ARMV7 | V7MP | IDIV | VFPV4 | HALF | LPAE;

pub(crate) const TI925T: u64 = midr(0x5402_9252);
pub(crate) const ARM946: u64 = midr(0x4105_9461) | V5TE;
pub(crate) const ARM926: u64 = midr(0x4106_9265) | V5TE | VFP;
pub(crate) const ARM1026: u64 = midr(0x4106_a262) | V5TE | VFP;
pub(crate) const ARM1136: u64 = midr(0x4117_b363) | ARM11 | V6K;
pub(crate) const ARM1176: u64 = midr(0x410f_b767) | ARM11 | V6K;
pub(crate) const CORTEX_A7: u64 = midr(0x410f_c075) | ARMV7VE;
pub(crate) const CORTEX_A8: u64 = midr(0x410f_c080) | ARMV7;
pub(crate) const CORTEX_A9: u64 = midr(0x410f_c090) | ARMV7 | V7MP | HALF;
pub(crate) const CORTEX_A15: u64 = midr(0x414f_c0f0) | ARMV7VE;
pub(crate) const MAX: u64 = midr(0x000f_0510) | ARMV7VE | V8 | AES | PMULL | SHA1 | SHA2 | CRC;
