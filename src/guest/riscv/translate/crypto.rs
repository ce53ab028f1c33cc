//! Scalar cryptography: Zbkb and Zbkx (with Zbb's PACK relatives), Zknh, Zknd, Zkne, Zksh, Zksed.

use super::helper::{SM4, XPERM};
use super::{Cx, rows};
use crate::insn::*;
use ir::{Bin, Crypto, Lane, Ty, Un, V2, Val};

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

/// The steps that interleave two halfwords: bits of the upper half of each group change places with those of the lower.
const INTERLEAVE: [(u32, u32); 4] = [(0x0000_ff00, 8), (0x00f0_00f0, 4), (0x0c0c_0c0c, 2), (0x2222_2222, 1)];

fn interleave(cx: &mut Cx, d: u32, n: u32, steps: impl Iterator<Item = (u32, u32)>) {
    let a = cx.w(n);
    let v = steps.fold(a, |v, (mask, by)| {
        let shifted = cx.b.shift_imm(Bin::Shr, v, by);
        let differ = cx.b.xor(v, shifted);
        let differ = cx.b.and_imm(differ, mask.into());
        let back = cx.b.shift_imm(Bin::Shl, differ, by);
        let both = cx.b.or(differ, back);
        cx.b.xor(v, both)
    });
    cx.set_x(d, v);
}

pub(crate) fn zip(cx: &mut Cx, i: Zip) {
    interleave(cx, i.d, i.n, INTERLEAVE.into_iter());
}

pub(crate) fn unzip(cx: &mut Cx, i: Unzip) {
    interleave(cx, i.d, i.n, INTERLEAVE.into_iter().rev());
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

/// A half of a function of SHA-512 on RV32, the exclusive or of rotates and of one that may be a shift: the lower half of what the two words make, the
/// first one lower. Of the upper half programs pass the words the other way round; only a shift differs then.
fn half(cx: &mut Cx, [d, n, m]: [u32; 3], by: [u32; 3], last: Bin, high: bool) {
    let (low, top) = (cx.w(n), cx.w(m));
    let part = |cx: &mut Cx, amount: u32, is_shift: bool| {
        let (low, top) = if amount >= 32 { (top, low) } else { (low, top) };
        match amount % 32 {
            by if is_shift && high => cx.b.shift_imm(Bin::Shr, low, by),
            by => cx.b.funnel(top, low, by),
        }
    };
    let [x, y] = [by[0], by[1]].map(|n| part(cx, n, false));
    let z = part(cx, by[2], last == Bin::Shr);
    let v = cx.b.xor(x, y);
    let v = cx.b.xor(v, z);
    cx.set_x(d, v);
}

rows! { half(d n m):
    sha512sum0r Sha512sum0r([28, 34, 39], Bin::Rotr, false);
    sha512sum1r Sha512sum1r([14, 18, 41], Bin::Rotr, false);
    sha512sig0l Sha512sig0l([1, 8, 7], Bin::Shr, false);
    sha512sig0h Sha512sig0h([1, 8, 7], Bin::Shr, true);
    sha512sig1l Sha512sig1l([19, 61, 6], Bin::Shr, false);
    sha512sig1h Sha512sig1h([19, 61, 6], Bin::Shr, true);
}

// ---- Zksh, Zksed ----

/// The exclusive or of a word and two of its rotates.
fn sm3(cx: &mut Cx, [d, n]: [u32; 2], left: [u32; 2]) {
    let a = cx.w(n);
    let [x, y] = left.map(|by| cx.b.shift_imm(Bin::Rotr, a, 32 - by));
    let v = cx.b.xor(a, x);
    let v = cx.b.xor(v, y);
    cx.set_x(d, v);
}

rows! { sm3(d n):
    sm3p0 Sm3p0([9, 17]);
    sm3p1 Sm3p1([15, 23]);
}

/// A byte of rs2.
fn byte(cx: &mut Cx, m: u32, b: u32) -> Val {
    let word = cx.w(m);
    cx.b.extract(word, 8 * b, 8, false)
}

/// Adds what a byte of rs2 became, at that byte's place, to rs1.
fn add_at(cx: &mut Cx, [d, n, b]: [u32; 3], v: Val) {
    let turned = if b == 0 { v } else { cx.b.shift_imm(Bin::Rotr, v, 32 - 8 * b) };
    let old = cx.w(n);
    let v = cx.b.xor(old, turned);
    cx.set_x(d, v);
}

/// The byte through the box and the linear transformation of a round, or of the key schedule.
fn sm4(cx: &mut Cx, [d, n, m, b]: [u32; 4], is_schedule: bool) {
    let (byte, is_schedule) = (byte(cx, m, b), cx.b.i32(is_schedule.into()));
    let v = cx.b.call(&SM4, Ty::I32, &[byte, is_schedule]);
    add_at(cx, [d, n, b], v);
}

rows! { sm4(d n m b):
    sm4ed Sm4ed(false);
    sm4ks Sm4ks(true);
}

// ---- Zknd, Zkne ----

/// A byte's step on RV32: all bytes alike are not changed by their rows' shifts; a column of one byte is mixed.
fn column(cx: &mut Cx, [d, n, m, b]: [u32; 4], sub: Crypto, mix: Option<Crypto>) {
    let byte = byte(cx, m, b);
    let bytes = cx.b.vsplat(Lane::B, byte);
    let mut v = cx.b.crypto(sub, bytes, bytes);
    let low = cx.b.v128(0xff);
    v = cx.b.v2(V2::And, Lane::D, v, low);
    if let Some(mix) = mix {
        v = cx.b.crypto(mix, v, v);
    }
    let v = cx.b.vget(Ty::I32, v, 0);
    add_at(cx, [d, n, b], v);
}

rows! { column(d n m b):
    aes32esi Aes32esi(Crypto::AesSubShift, None);
    aes32esmi Aes32esmi(Crypto::AesSubShift, Some(Crypto::AesMix));
    aes32dsi Aes32dsi(Crypto::AesInvSubShift, None);
    aes32dsmi Aes32dsmi(Crypto::AesInvSubShift, Some(Crypto::AesInvMix));
}

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
