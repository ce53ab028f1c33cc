//! Scalar cryptography: Zbkb and Zbkx (with Zbb's PACK relatives), Zknh, Zknd, Zkne.

use super::helper::XPERM;
use super::{Cx, rows};
use crate::insn::*;
use ir::{Bin, Crypto, Lane, Ty, Un, Val};

// ---- Zbkb, Zbkx ----

/// The low halves of two registers. Of x0 it is ZEXT.H on RV32.
pub(crate) fn pack(cx: &mut Cx, i: Pack) {
    let half = cx.xlen.bits() / 2;
    let (a, b) = (cx.x(i.n), cx.x(i.m));
    let v = packed(cx, a, b, half);
    cx.set_x(i.d, v);
}

/// Of x0 it is ZEXT.H.
pub(crate) fn packw(cx: &mut Cx, i: Packw) {
    let (a, b) = (cx.w(i.n), cx.w(i.m));
    let v = packed(cx, a, b, 16);
    cx.set_x(i.d, v);
}

fn packed(cx: &mut Cx, a: Val, b: Val, half: u32) -> Val {
    if cx.b.const_of(b) == Some(0) { cx.b.extract(a, 0, half, false) } else { cx.b.deposit(a, b, half, half) }
}

pub(crate) fn packh(cx: &mut Cx, i: Packh) {
    let (a, b) = (cx.x(i.n), cx.x(i.m));
    let low = cx.b.extract(a, 0, 8, false);
    let high = cx.b.extract(b, 0, 8, false);
    let high = cx.b.shift_imm(Bin::Shl, high, 8);
    let v = cx.b.or(low, high);
    cx.set_x(i.d, v);
}

pub(crate) fn brev8(cx: &mut Cx, i: Brev8) {
    let a = cx.x(i.n);
    let v = cx.b.un(Un::Bitrev, a);
    let v = cx.b.un(Un::Bswap, v);
    cx.set_x(i.d, v);
}

fn permute(cx: &mut Cx, [d, n, m]: [u32; 3], width: u64) {
    let (a, b) = (cx.x(n), cx.x(m));
    let (width, bits) = (cx.b.i64(width), cx.b.i64(cx.xlen.bits().into()));
    let v = cx.b.call(&XPERM, cx.xlen, &[a, width, b, bits]);
    cx.set_x(d, v);
}

rows! { permute(d n m):
    xperm4 Xperm4(4);
    xperm8 Xperm8(8);
}

// ---- Zknh ----

/// The exclusive or of two rotates and of a third, or of a shift.
fn sigma(cx: &mut Cx, d: u32, a: Val, [first, second, third]: [u32; 3], last: Bin) {
    let (x, y) = (cx.b.shift_imm(Bin::Rotr, a, first), cx.b.shift_imm(Bin::Rotr, a, second));
    let z = cx.b.shift_imm(last, a, third);
    let v = cx.b.xor(x, y);
    let v = cx.b.xor(v, z);
    cx.set_x(d, v);
}

fn sha256(cx: &mut Cx, [d, n]: [u32; 2], by: [u32; 3], last: Bin) {
    let a = cx.w(n);
    sigma(cx, d, a, by, last);
}

rows! { sha256(d n):
    sha256sum0 Sha256sum0([2, 13, 22], Bin::Rotr);
    sha256sum1 Sha256sum1([6, 11, 25], Bin::Rotr);
    sha256sig0 Sha256sig0([7, 18, 3], Bin::Shr);
    sha256sig1 Sha256sig1([17, 19, 10], Bin::Shr);
}

fn sha512(cx: &mut Cx, [d, n]: [u32; 2], by: [u32; 3], last: Bin) {
    let a = cx.x(n);
    sigma(cx, d, a, by, last);
}

rows! { sha512(d n):
    sha512sum0 Sha512sum0([28, 34, 39], Bin::Rotr);
    sha512sum1 Sha512sum1([14, 18, 41], Bin::Rotr);
    sha512sig0 Sha512sig0([1, 8, 7], Bin::Shr);
    sha512sig1 Sha512sig1([19, 61, 6], Bin::Shr);
}

// ---- Zknd, Zkne ----

/// The state of AES in two registers.
fn block(cx: &mut Cx, n: u32, m: u32) -> Val {
    let (lo, hi) = (cx.x(n), cx.x(m));
    let lo = cx.b.v_from_scalar(lo);
    cx.b.vset(Lane::D, lo, hi, 1)
}

/// The low half of the state after these steps.
fn steps(cx: &mut Cx, d: u32, mut state: Val, steps: &[Crypto]) {
    for step in steps {
        state = cx.b.crypto(*step, state, state);
    }
    let v = cx.b.vget(Ty::I64, state, 0);
    cx.set_x(d, v);
}

fn round(cx: &mut Cx, [d, n, m]: [u32; 3], what: &[Crypto]) {
    let state = block(cx, n, m);
    steps(cx, d, state, what);
}

rows! { round(d n m):
    aes64es Aes64es(&[Crypto::AesSubShift]);
    aes64esm Aes64esm(&[Crypto::AesSubShift, Crypto::AesMix]);
    aes64ds Aes64ds(&[Crypto::AesInvSubShift]);
    aes64dsm Aes64dsm(&[Crypto::AesInvSubShift, Crypto::AesInvMix]);
}

pub(crate) fn aes64im(cx: &mut Cx, i: Aes64im) {
    let state = block(cx, i.n, 0);
    steps(cx, i.d, state, &[Crypto::AesInvMix]);
}

/// AES's round constants; the last is for a step without one, which is not rotated either.
const ROUND: [u32; 11] = [0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0x1b, 0x36, 0];

/// SubWord of four columns that are alike: their rows' shifts change nothing.
pub(crate) fn aes64ks1i(cx: &mut Cx, i: Aes64ks1i) {
    let a = cx.x(i.n);
    let high = cx.b.shift_imm(Bin::Shr, a, 32);
    let word = cx.b.trunc(Ty::I32, high);
    let word = if i.i == 10 { word } else { cx.b.shift_imm(Bin::Rotr, word, 8) };
    let columns = cx.b.vsplat(Lane::S, word);
    let columns = cx.b.crypto(Crypto::AesSubShift, columns, columns);
    let constant = u64::from(ROUND[i.i as usize]);
    let both = cx.b.vget(Ty::I64, columns, 0);
    let constant = cx.b.i64(constant << 32 | constant);
    let v = cx.b.xor(both, constant);
    cx.set_x(i.d, v);
}

pub(crate) fn aes64ks2(cx: &mut Cx, i: Aes64ks2) {
    let (a, b) = (cx.x(i.n), cx.x(i.m));
    let high = cx.b.shift_imm(Bin::Shr, a, 32);
    let low = cx.b.xor(high, b);
    let low = cx.b.extract(low, 0, 32, false);
    let above = cx.b.shift_imm(Bin::Shr, b, 32);
    let above = cx.b.xor(above, low);
    let v = cx.b.deposit(low, above, 32, 32);
    cx.set_x(i.d, v);
}
