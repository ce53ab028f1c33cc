//! Multiplication and division (Arm ARM F3.1.17, F4.1.3, F4.1.6).

use super::Cx;
use crate::insn::{
    Div, Mla, Mls, Mul, MulTwo, Smlad, Smlal, Smlald, Smlalxy, Smlaw, Smlaxy, Smmla, Smuad, Smull, Smulw, Smulxy,
    Umaal, Umlal, Umull,
};
use ir::{Bin, IntCc, Ty, Val};

impl Cx<'_> {
    /// rn in 64 bits.
    fn wide(&mut self, n: u32, signed: bool) -> Val {
        let v = self.r(n);
        if signed { self.b.sext(Ty::I64, v) } else { self.b.zext(Ty::I64, v) }
    }

    /// The low (0) or high (1) half of rn as a signed number.
    pub fn half(&mut self, n: u32, high: u32) -> Val {
        let v = self.r(n);
        self.b.extract(v, 16 * high, 16, true)
    }

    /// rh:rl.
    fn pair_of(&mut self, h: u32, l: u32) -> Val {
        let (high, low) = (self.r(h), self.r(l));
        let (high, low) = (self.b.zext(Ty::I64, high), self.b.zext(Ty::I64, low));
        let high = self.b.shift_imm(Bin::Shl, high, 32);
        self.b.or(high, low)
    }

    fn high_word(&mut self, v: Val) -> Val {
        let high = self.b.shift_imm(Bin::Shr, v, 32);
        self.b.trunc(Ty::I32, high)
    }

    fn set_pair(&mut self, h: u32, l: u32, v: Val) {
        let low = self.b.trunc(Ty::I32, v);
        let high = self.high_word(v);
        self.set_r(l, low);
        self.set_r(h, high);
    }

    /// N and Z of a result, if the instruction sets flags.
    fn set_nz(&mut self, f: u32, v: Val) {
        if self.sets_flags(f) {
            let old = self.flags();
            let flags = self.b.flags_nz(v, old);
            self.set_flags(flags);
        }
    }

    /// Writes the low word of a 64-bit sum; Q if it does not fit.
    fn set_narrowed(&mut self, d: u32, sum: Val) {
        let v = self.b.trunc(Ty::I32, sum);
        let back = self.b.sext(Ty::I64, v);
        let overflow = self.b.cmp(IntCc::Ne, back, sum);
        self.set_q(overflow);
        self.set_r(d, v);
    }
}

fn multiply(cx: &mut Cx, d: u32, n: u32, m: u32, f: u32) {
    let (n, m) = (cx.r(n), cx.r(m));
    let v = cx.b.mul(n, m);
    cx.set_nz(f, v);
    cx.set_r(d, v);
}

pub(crate) fn mul(cx: &mut Cx, a: Mul) {
    multiply(cx, a.d, a.n, a.m, a.f);
}

pub(crate) fn mul_two(cx: &mut Cx, a: MulTwo) {
    multiply(cx, a.d, a.n, a.d, 2);
}

pub(crate) fn mla(cx: &mut Cx, a: Mla) {
    let (n, m, addend) = (cx.r(a.n), cx.r(a.m), cx.r(a.a));
    let product = cx.b.mul(n, m);
    let v = cx.b.add(addend, product);
    cx.set_nz(a.f, v);
    cx.set_r(a.d, v);
}

pub(crate) fn mls(cx: &mut Cx, a: Mls) {
    let (n, m, minuend) = (cx.r(a.n), cx.r(a.m), cx.r(a.a));
    let product = cx.b.mul(n, m);
    let v = cx.b.sub(minuend, product);
    cx.set_r(a.d, v);
}

/// What the four long multiplications share: `h`, `l`, the sources and `f`.
#[derive(Clone, Copy, Debug)]
struct Long {
    h: u32,
    l: u32,
    n: u32,
    m: u32,
    f: u32,
}

fn long(cx: &mut Cx, a: Long, signed: bool, accumulate: bool) {
    let (n, m) = (cx.wide(a.n, signed), cx.wide(a.m, signed));
    let mut v = cx.b.mul(n, m);
    if accumulate {
        let addend = cx.pair_of(a.h, a.l);
        v = cx.b.add(addend, v);
    }
    cx.set_nz(a.f, v);
    cx.set_pair(a.h, a.l, v);
}

pub(crate) fn umull(cx: &mut Cx, a: Umull) {
    long(cx, Long { h: a.h, l: a.l, n: a.n, m: a.m, f: a.f }, false, false);
}

pub(crate) fn umlal(cx: &mut Cx, a: Umlal) {
    long(cx, Long { h: a.h, l: a.l, n: a.n, m: a.m, f: a.f }, false, true);
}

pub(crate) fn smull(cx: &mut Cx, a: Smull) {
    long(cx, Long { h: a.h, l: a.l, n: a.n, m: a.m, f: a.f }, true, false);
}

pub(crate) fn smlal(cx: &mut Cx, a: Smlal) {
    long(cx, Long { h: a.h, l: a.l, n: a.n, m: a.m, f: a.f }, true, true);
}

/// rn * rm + rh + rl, which cannot overflow.
pub(crate) fn umaal(cx: &mut Cx, a: Umaal) {
    let (n, m) = (cx.wide(a.n, false), cx.wide(a.m, false));
    let (h, l) = (cx.wide(a.h, false), cx.wide(a.l, false));
    let v = cx.b.mul(n, m);
    let v = cx.b.add(v, h);
    let v = cx.b.add(v, l);
    cx.set_pair(a.h, a.l, v);
}

pub(crate) fn smulxy(cx: &mut Cx, a: Smulxy) {
    let (n, m) = (cx.half(a.n, a.x), cx.half(a.m, a.y));
    let v = cx.b.mul(n, m);
    cx.set_r(a.d, v);
}

pub(crate) fn smlaxy(cx: &mut Cx, a: Smlaxy) {
    let (n, m, addend) = (cx.half(a.n, a.x), cx.half(a.m, a.y), cx.wide(a.a, true));
    let product = cx.b.mul(n, m);
    let product = cx.b.sext(Ty::I64, product);
    let sum = cx.b.add(product, addend);
    cx.set_narrowed(a.d, sum);
}

pub(crate) fn smlalxy(cx: &mut Cx, a: Smlalxy) {
    let (n, m, addend) = (cx.half(a.n, a.x), cx.half(a.m, a.y), cx.pair_of(a.h, a.l));
    let product = cx.b.mul(n, m);
    let product = cx.b.sext(Ty::I64, product);
    let v = cx.b.add(product, addend);
    cx.set_pair(a.h, a.l, v);
}

/// Bits 47..16 of rn times a half of rm, in 64 bits.
fn product_w(cx: &mut Cx, n: u32, m: u32, y: u32) -> Val {
    let (n, m) = (cx.wide(n, true), cx.half(m, y));
    let m = cx.b.sext(Ty::I64, m);
    let product = cx.b.mul(n, m);
    cx.b.shift_imm(Bin::Sar, product, 16)
}

pub(crate) fn smulw(cx: &mut Cx, a: Smulw) {
    let v = product_w(cx, a.n, a.m, a.y);
    let v = cx.b.trunc(Ty::I32, v);
    cx.set_r(a.d, v);
}

pub(crate) fn smlaw(cx: &mut Cx, a: Smlaw) {
    let product = product_w(cx, a.n, a.m, a.y);
    let addend = cx.wide(a.a, true);
    let sum = cx.b.add(product, addend);
    cx.set_narrowed(a.d, sum);
}

/// The sum (`k` 0) or difference of the products of the halves, in 64 bits; `x` crosses rm's halves.
fn dual(cx: &mut Cx, n: u32, m: u32, x: u32, k: u32) -> Val {
    let (n0, m0) = (cx.half(n, 0), cx.half(m, x));
    let (n1, m1) = (cx.half(n, 1), cx.half(m, x ^ 1));
    let (low, high) = (cx.b.mul(n0, m0), cx.b.mul(n1, m1));
    let (low, high) = (cx.b.sext(Ty::I64, low), cx.b.sext(Ty::I64, high));
    if k == 0 { cx.b.add(low, high) } else { cx.b.sub(low, high) }
}

pub(crate) fn smuad(cx: &mut Cx, a: Smuad) {
    let sum = dual(cx, a.n, a.m, a.x, a.k);
    cx.set_narrowed(a.d, sum);
}

pub(crate) fn smlad(cx: &mut Cx, a: Smlad) {
    let product = dual(cx, a.n, a.m, a.x, a.k);
    let addend = cx.wide(a.a, true);
    let sum = cx.b.add(product, addend);
    cx.set_narrowed(a.d, sum);
}

pub(crate) fn smlald(cx: &mut Cx, a: Smlald) {
    let product = dual(cx, a.n, a.m, a.x, a.k);
    let addend = cx.pair_of(a.h, a.l);
    let v = cx.b.add(product, addend);
    cx.set_pair(a.h, a.l, v);
}

/// The upper word of (ra << 32) ± rn * rm; 15 as ra is zero.
pub(crate) fn smmla(cx: &mut Cx, a: Smmla) {
    let (n, m) = (cx.wide(a.n, true), cx.wide(a.m, true));
    let mut v = cx.b.mul(n, m);
    if a.a != 15 {
        let addend = cx.wide(a.a, false);
        let addend = cx.b.shift_imm(Bin::Shl, addend, 32);
        v = if a.k == 0 { cx.b.add(addend, v) } else { cx.b.sub(addend, v) };
    }
    if a.r == 1 {
        v = cx.b.add_imm(v, 0x8000_0000);
    }
    let v = cx.high_word(v);
    cx.set_r(a.d, v);
}

/// By zero it gives zero.
pub(crate) fn div(cx: &mut Cx, a: Div) {
    let (n, m) = (cx.r(a.n), cx.r(a.m));
    let v = cx.b.bin(if a.u == 1 { Bin::DivU } else { Bin::DivS }, n, m);
    cx.set_r(a.d, v);
}
