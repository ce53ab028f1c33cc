//! The four conditions of an addition or subtraction, in the form of [`Ty::Flags`].

use super::int;
use crate::op::Bin;
use crate::types::Ty;

pub(super) const N: u32 = 1 << 15;
pub(super) const Z: u32 = 1 << 14;
pub(super) const C: u32 = 1 << 8;
pub(super) const V: u32 = 1;
pub(super) const ALL: u32 = N | Z | C | V;

/// The bit, if it holds.
pub(super) fn when(holds: bool, bit: u32) -> u32 {
    if holds { bit } else { 0 }
}

/// The carry in a flags value.
pub(super) fn carry(flags: u128) -> bool {
    flags & u128::from(C) != 0
}

/// N and Z of a value.
pub(super) fn nz(v: u64, ty: Ty) -> u32 {
    let v = v & ty.mask();
    when(v & sign(ty) != 0, N) | when(v == 0, Z)
}

/// N and Z of a value shifted, and the bit shifted out last.
pub(super) fn shift(shift: Bin, v: u64, amount: u64, ty: Ty) -> u32 {
    let out = if shift == Bin::Shl { u64::from(ty.bits()) - amount } else { amount - 1 };
    nz(int::bin(shift, v & ty.mask(), amount, ty), ty) | when(v >> out & 1 == 1, C)
}

/// a + b + carry, and its flags.
pub(super) fn add(a: u64, b: u64, carry: bool, ty: Ty) -> (u64, u32) {
    let wide = u128::from(a) + u128::from(b) + u128::from(carry);
    let sum = wide as u64 & ty.mask();
    let overflow = (a ^ sum) & (b ^ sum) & sign(ty) != 0;
    (sum, nz(sum, ty) | when(wide >> ty.bits() != 0, C) | when(overflow, V))
}

/// a - b - !carry, and its flags; C is "no borrow".
pub(super) fn sub(a: u64, b: u64, carry: bool, ty: Ty) -> (u64, u32) {
    add(a, !b & ty.mask(), carry, ty)
}

fn sign(ty: Ty) -> u64 {
    1 << (ty.bits() - 1)
}

/// The four bits N=8, Z=4, C=2, V=1.
pub(super) fn to_nzcv(flags: u32) -> u32 {
    when(flags & N != 0, 8) | when(flags & Z != 0, 4) | when(flags & C != 0, 2) | when(flags & V != 0, 1)
}

/// From the four bits N=8, Z=4, C=2, V=1.
pub(super) fn from_nzcv(nzcv: u32) -> u32 {
    when(nzcv & 8 != 0, N) | when(nzcv & 4 != 0, Z) | when(nzcv & 2 != 0, C) | when(nzcv & 1 != 0, V)
}
