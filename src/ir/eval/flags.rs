//! The conditions of an addition or subtraction, in the form of [`Ty::Flags`].

use super::int;
use crate::op::{Bin, Shift};
use crate::types::Ty;

pub(super) const N: u32 = 1 << 15;
pub(super) const Z: u32 = 1 << 14;
const A: u32 = 1 << 12;
pub(super) const P: u32 = 1 << 10;
pub(super) const C: u32 = 1 << 8;
pub(super) const V: u32 = 1;
pub(super) const ALL: u32 = N | Z | A | P | C | V;

/// The bit, if it holds.
pub(super) fn when(holds: bool, bit: u32) -> u32 {
    if holds { bit } else { 0 }
}

/// The carry in a flags value.
pub(super) fn carry(flags: u128) -> bool {
    flags & u128::from(C) != 0
}

/// N, Z and P of a value.
pub(super) fn nz(v: u64, ty: Ty) -> u32 {
    let v = v & ty.mask();
    when(v & sign(ty) != 0, N) | when(v == 0, Z) | when((v as u8).count_ones() & 1 == 0, P)
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
    let adjust = (a ^ b ^ sum) & 0x10 != 0;
    (sum, nz(sum, ty) | when(wide >> ty.bits() != 0, C) | when(overflow, V) | when(adjust, A))
}

/// a - b - !carry, and its flags; C is "no borrow".
pub(super) fn sub(a: u64, b: u64, carry: bool, ty: Ty) -> (u64, u32) {
    let (difference, flags) = add(a, !b & ty.mask(), carry, ty);
    // A is a borrow.
    (difference, flags ^ A)
}

/// Of a + 1 or a - 1, with the C of `old`.
pub(super) fn step(a: u64, down: bool, old: u32, ty: Ty) -> u32 {
    let (_, flags) = if down { sub(a, 1, true, ty) } else { add(a, 1, false, ty) };
    flags & !C | old & C
}

/// Flags after x86's shifts and rotations: C is the opposite of CF. What the manual leaves open (A; V, if not by one; C beyond the width) is 0.
pub(super) fn shift_x86(shift: Shift, v: u64, amount: u64, old: u32, ty: Ty) -> u32 {
    let bits = u64::from(ty.bits());
    let n = amount & if ty == Ty::I64 { 63 } else { 31 };
    if n == 0 {
        return old;
    }
    let at = |v: u64, bit: u64| bit < bits && v >> bit & 1 == 1;
    let signed = int::signed(v, ty.bits()) as i64;
    let (r, out) = match shift {
        Shift::Shl => ((u128::from(v) << n) as u64, n <= bits && at(v, bits - n)),
        Shift::Shr => (v >> n, at(v, n - 1)),
        Shift::Sar => ((signed >> n) as u64, signed >> (n - 1) & 1 == 1),
        Shift::Rol | Shift::Ror => {
            let n = if shift == Shift::Rol { bits - n % bits } else { n };
            let r = int::bin(Bin::Rotr, v, n % bits, ty);
            (r, if shift == Shift::Rol { at(r, 0) } else { at(r, bits - 1) })
        }
    };
    let top = at(r, bits - 1);
    let overflow = match shift {
        Shift::Shl | Shift::Rol => top != out,
        Shift::Shr => at(v, bits - 1),
        Shift::Sar => false,
        Shift::Ror => top != at(r, bits - 2),
    };
    let rest = if matches!(shift, Shift::Rol | Shift::Ror) { old & (N | Z | A | P) } else { nz(r, ty) };
    rest | when(!out, C) | when(overflow && n == 1, V)
}

/// The same after x86's double shifts.
pub(super) fn shift_double(left: bool, a: u64, b: u64, amount: u64, old: u32, ty: Ty) -> u32 {
    let bits = u64::from(ty.bits());
    let n = amount % bits;
    if n == 0 {
        return old;
    }
    let r = int::shift_double(left, a, b, n, ty);
    let out = a >> if left { bits - n } else { n - 1 } & 1 == 1;
    let turns = (a ^ r) >> (bits - 1) & 1 == 1;
    nz(r, ty) | when(!out, C) | when(turns && n == 1, V)
}

/// C and V of x86's products: whether they are wider than their low half. C is the opposite of CF.
pub(super) fn product(a: u64, b: u64, signed: bool, ty: Ty) -> u32 {
    let wider = if signed {
        let p = int::signed(a, ty.bits()) * int::signed(b, ty.bits());
        p != int::signed(p as u64 & ty.mask(), ty.bits())
    } else {
        (u128::from(a) * u128::from(b)) >> ty.bits() != 0
    };
    if wider { V } else { C }
}

/// PTEST's: Z if no bit is in both, C (the opposite of CF) if some of b's is not in a.
pub(super) fn test_vectors(a: u128, b: u128) -> u32 {
    when(a & b == 0, Z) | when(b & !a != 0, C)
}

/// Bits of EFLAGS, and where flags have them. CF is the opposite of C.
const EFLAGS: [(u32, u32); 6] = [(7, N), (6, Z), (4, A), (2, P), (0, C), (11, V)];

pub(super) fn to_eflags(flags: u32) -> u32 {
    EFLAGS.iter().fold(0, |all, (bit, flag)| all | when((flags ^ C) & flag != 0, 1 << bit))
}

pub(super) fn from_eflags(eflags: u32) -> u32 {
    EFLAGS.iter().fold(C, |all, (bit, flag)| all ^ when(eflags >> bit & 1 == 1, *flag))
}

fn sign(ty: Ty) -> u64 {
    1 << (ty.bits() - 1)
}

/// The bits P=16, N=8, Z=4, C=2, V=1.
pub(super) fn to_pnzcv(flags: u32) -> u32 {
    to_nzcv(flags) | when(flags & P != 0, 16)
}

/// The four bits N=8, Z=4, C=2, V=1.
pub(super) fn to_nzcv(flags: u32) -> u32 {
    when(flags & N != 0, 8) | when(flags & Z != 0, 4) | when(flags & C != 0, 2) | when(flags & V != 0, 1)
}

/// From the four bits N=8, Z=4, C=2, V=1.
pub(super) fn from_nzcv(nzcv: u32) -> u32 {
    when(nzcv & 8 != 0, N) | when(nzcv & 4 != 0, Z) | when(nzcv & 2 != 0, C) | when(nzcv & 1 != 0, V)
}
