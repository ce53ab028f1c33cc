//! What processors have and others lack: bits of [`arch::Cpu::features`], named by rows (`@zba`). The least is IMAFDC with Zicsr and Zifencei.

const fn bit(n: u32) -> u64 {
    1 << n
}

pub(crate) const ZBA: u64 = bit(0);
pub(crate) const ZBB: u64 = bit(1);
pub(crate) const ZBS: u64 = bit(2);
/// Zbc, with Zbkc in it.
pub(crate) const ZBC: u64 = bit(3);
/// Zbkb and Zbkx, beyond what Zbb has of them.
pub(crate) const ZBK: u64 = bit(4);
/// Zknd, Zkne, Zknh.
pub(crate) const ZKN: u64 = bit(5);
pub(crate) const ZICOND: u64 = bit(6);
pub(crate) const ZIMOP: u64 = bit(7);
pub(crate) const ZCMOP: u64 = bit(8);
pub(crate) const ZCB: u64 = bit(9);
pub(crate) const ZFA: u64 = bit(10);
/// Loads, stores, moves and conversions of half precision.
pub(crate) const ZFHMIN: u64 = bit(11);
/// And its arithmetic.
pub(crate) const ZFH: u64 = bit(12);
pub(crate) const ZACAS: u64 = bit(13);
/// Atomics of bytes and halfwords.
pub(crate) const ZABHA: u64 = bit(14);
pub(crate) const ZAWRS: u64 = bit(15);
pub(crate) const ZICBOM: u64 = bit(16);
pub(crate) const ZICBOZ: u64 = bit(17);

/// Vectors: V, with D's and F's arithmetic.
pub(crate) const V: u64 = bit(18);
/// And half precision's (Zvfh).
pub(crate) const ZVFH: u64 = bit(19);
/// log2 of VLEN / 128, in two bits.
pub(crate) const VLEN: u64 = 3 << VLEN_AT;
const VLEN_AT: u32 = 20;

/// Bytes of a vector register.
pub(crate) const fn vlenb(features: u64) -> u32 {
    16 << (features >> VLEN_AT & 3)
}

/// What VLEN may be.
pub(crate) const VLENS: &[(&str, u64)] = &[("128", 0), ("256", 1 << VLEN_AT), ("512", 2 << VLEN_AT), ("1024", VLEN)];

// Vector cryptography, by the manual's extensions.
pub(crate) const ZVBB: u64 = bit(22);
pub(crate) const ZVBC: u64 = bit(23);
pub(crate) const ZVKG: u64 = bit(24);
pub(crate) const ZVKNED: u64 = bit(25);
/// Zvknha and Zvknhb.
pub(crate) const ZVKNH: u64 = bit(26);
pub(crate) const ZVKSED: u64 = bit(27);
pub(crate) const ZVKSH: u64 = bit(28);
/// Zksed and Zksh.
pub(crate) const ZKS: u64 = bit(29);
/// Addresses with bits that are overlooked, as many as the program asks for.
pub(crate) const SUPM: u64 = bit(30);
/// NIST's algorithms, and ShangMi's.
pub(crate) const ZVKN: u64 = ZVKNED | ZVKNH;
pub(crate) const ZVKS: u64 = ZVKSED | ZVKSH;
const VECTOR: u64 = V | ZVFH | ZVBB | ZVBC | ZVKG | ZVKN | ZVKS;

/// All there is.
pub(crate) const MAX: u64 = (bit(18) - 1) | VECTOR | ZKS | SUPM;
/// RV32 has no vectors yet, and no bits to spare.
pub(crate) const MAX32: u64 = MAX & !(VECTOR | SUPM);
/// What the profile asks for: all but hints is here.
pub(crate) const RVA22U64: u64 = ZBA | ZBB | ZBS | ZFHMIN | ZICBOM | ZICBOZ;
/// Its successor. Differs: with half precision's arithmetic of vectors, of which it asks for conversions only.
pub(crate) const RVA23U64: u64 = RVA22U64 | ZICOND | ZIMOP | ZCMOP | ZCB | ZFA | ZAWRS | V | ZVFH | ZVBB | SUPM;
