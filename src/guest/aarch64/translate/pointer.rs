//! Pointer authentication (Arm ARM D8.10, FEAT_PAuth2 without FPAC): the code is exclusive-ored into bits 54 .. 48 of the pointer
//! when it is made and again when it is checked, so that a wrong one leaves an address that faults when used.
//!
//! As Linux sets up user space: 48-bit addresses, the top byte ignored for data and code, all keys enabled. The algorithm is QARMA5 for
//! models that have it, else implementation defined: ours is two steps of CRC-32C, which costs the guest little. That is no protection.

use super::{Cx, helper};
use crate::features::QARMA5;
use crate::insn::*;
use crate::state;
use ir::{Bin, Ty, Val};

/// Bits 54 .. 48.
const LSB: u32 = 48;
const BITS: u32 = 7;

/// A code: 64 bits of QARMA5, of which a pointer takes those at the place of its own; or 32 of ours.
fn code(cx: &mut Cx, v: Val, modifier: Val, key: usize) -> Val {
    let [low, high] = state::KEYS[key];
    let low = cx.b.get(low);
    if cx.features & QARMA5 != 0 {
        let high = cx.b.get(high);
        return cx.b.call(&helper::QARMA5, Ty::I64, &[v, modifier, low, high]);
    }
    let key = cx.b.trunc(Ty::I32, low);
    let first = cx.b.crc32(key, v, 8, true);
    cx.b.crc32(first, modifier, 8, true)
}

/// PACGA's result: 32 bits of code, in the upper half.
pub(super) fn generic(cx: &mut Cx, v: Val, modifier: Val) -> Val {
    let code = code(cx, v, modifier, 4);
    if cx.b.ty(code) == Ty::I64 {
        return cx.b.and_imm(code, !0 << 32);
    }
    let code = cx.b.zext(Ty::I64, code);
    cx.b.shift_imm(Bin::Shl, code, 32)
}

/// The pointer with copies of bit 55 in place of the code.
fn plain(cx: &mut Cx, v: Val) -> Val {
    let sign = cx.b.extract(v, 55, 1, true);
    cx.b.deposit(v, sign, LSB, BITS)
}

/// XPAC. Addresses with bit 55 set are the kernel's, where the top byte is not ignored: there it is part of the code.
fn strip(cx: &mut Cx, v: Val) -> Val {
    let sign = cx.b.extract(v, 55, 1, true);
    let top = cx.b.shift_imm(Bin::Shl, sign, LSB);
    let low = cx.b.and_imm(v, !(((1 << BITS) - 1) << LSB));
    cx.b.or(low, top)
}

/// Adds the code to a pointer or, the same operation, takes it off.
fn toggle(cx: &mut Cx, v: Val, modifier: Val, key: usize) -> Val {
    let plain = plain(cx, v);
    let code = code(cx, plain, modifier, key);
    let bits = (1 << BITS) - 1;
    let code = if cx.b.ty(code) == Ty::I64 {
        cx.b.and_imm(code, bits << LSB)
    } else {
        let code = cx.b.and_imm(code, bits);
        let code = cx.b.zext(Ty::I64, code);
        cx.b.shift_imm(Bin::Shl, code, LSB)
    };
    cx.b.xor(v, code)
}

/// A modifier in a register or SP; zero for the forms with Z.
fn modifier(cx: &mut Cx, n: u32, z: u32) -> Val {
    if z == 1 { cx.b.i64(0) } else { cx.xsp(n) }
}

/// A branch target or a load's base, authenticated with key IA or IB (`first` 0), DA or DB (`first` 2).
pub(super) fn authenticated(cx: &mut Cx, v: Val, modifier: Val, first: usize, k: u32) -> Val {
    toggle(cx, v, modifier, first + k as usize)
}

/// One register with the modifier of another.
fn one(cx: &mut Cx, d: u32, n: u32, z: u32, key: usize) {
    let (v, modifier) = (cx.x(d), modifier(cx, n, z));
    let v = toggle(cx, v, modifier, key);
    cx.set_r(d, v);
}

pub(crate) fn paci(cx: &mut Cx, i: Paci) {
    one(cx, i.d, i.n, i.z, i.k as usize);
}

pub(crate) fn pacd(cx: &mut Cx, i: Pacd) {
    one(cx, i.d, i.n, i.z, 2 + i.k as usize);
}

pub(crate) fn auti(cx: &mut Cx, i: Auti) {
    one(cx, i.d, i.n, i.z, i.k as usize);
}

pub(crate) fn autd(cx: &mut Cx, i: Autd) {
    one(cx, i.d, i.n, i.z, 2 + i.k as usize);
}

pub(crate) fn xpaci(cx: &mut Cx, i: Xpaci) {
    let v = cx.x(i.d);
    let v = strip(cx, v);
    cx.set_r(i.d, v);
}

pub(crate) fn xpacd(cx: &mut Cx, i: Xpacd) {
    let v = cx.x(i.d);
    let v = strip(cx, v);
    cx.set_r(i.d, v);
}

// ---- the forms in the hint space: X17 with X16, X30 with SP or zero ----

pub(crate) fn xpaclri(cx: &mut Cx, _: Xpaclri) {
    let v = cx.x(30);
    let v = strip(cx, v);
    cx.set_r(30, v);
}

pub(crate) fn pac1716(cx: &mut Cx, i: Pac1716) {
    one(cx, 17, 16, 0, i.k as usize);
}

pub(crate) fn aut1716(cx: &mut Cx, i: Aut1716) {
    one(cx, 17, 16, 0, i.k as usize);
}

pub(crate) fn paciz(cx: &mut Cx, i: Paciz) {
    one(cx, 30, 31, 1, i.k as usize);
}

pub(crate) fn pacisp(cx: &mut Cx, i: Pacisp) {
    one(cx, 30, 31, 0, i.k as usize);
}

pub(crate) fn autiz(cx: &mut Cx, i: Autiz) {
    one(cx, 30, 31, 1, i.k as usize);
}

pub(crate) fn autisp(cx: &mut Cx, i: Autisp) {
    one(cx, 30, 31, 0, i.k as usize);
}
