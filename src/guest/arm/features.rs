//! What processors have and others lack: bits of [`arch::Cpu::features`], named by rows (`@v6`).
//!
//! The least is ARMv5TE. Each architecture has what those before it have.

const fn bit(n: u32) -> u64 {
    1 << n
}

pub(crate) const V6: u64 = bit(0);
/// Exclusives of bytes, halfwords and doublewords in A32, and the thread registers of CP15.
pub(crate) const V6K: u64 = bit(1);
/// Thumb-2, and what came to A32 with it.
pub(crate) const V6T2: u64 = bit(2);
pub(crate) const V7: u64 = bit(3);
pub(crate) const V8: u64 = bit(4);
/// SDIV and UDIV.
pub(crate) const IDIV: u64 = bit(5);
/// VFPv2, sixteen registers of double precision.
pub(crate) const VFP: u64 = bit(6);
pub(crate) const VFPV3: u64 = bit(7);
/// Fused multiply-add.
pub(crate) const VFPV4: u64 = bit(8);
/// Conversions from and to half precision.
pub(crate) const HALF: u64 = bit(9);
/// D16 to D31.
pub(crate) const D32: u64 = bit(10);
pub(crate) const NEON: u64 = bit(11);
pub(crate) const AES: u64 = bit(12);
pub(crate) const PMULL: u64 = bit(13);
pub(crate) const SHA1: u64 = bit(14);
pub(crate) const SHA2: u64 = bit(15);
pub(crate) const CRC: u64 = bit(16);

pub(crate) const ARM926: u64 = VFP;
pub(crate) const ARM1176: u64 = ARM926 | V6 | V6K;
pub(crate) const CORTEX_A15: u64 = ARM1176 | V6T2 | V7 | IDIV | VFPV3 | VFPV4 | HALF | D32 | NEON;
pub(crate) const MAX: u64 = CORTEX_A15 | V8 | AES | PMULL | SHA1 | SHA2 | CRC;
