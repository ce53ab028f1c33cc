//! Exclusives, load-acquire and store-release, swap (Arm ARM F3.1.4, F4.1.3).

use super::{Cx, pair};
use crate::insn::{Clrex, Lda, Ldrex, Ldrexd, Stl, Strex, Strexd, Swp};
use ir::{Align, Bin, Order, Rmw, Ty, Un, Val};

impl Cx<'_> {
    /// A value of memory's byte order in the guest's, or the other way: for accesses that have no byte order of their own.
    fn ordered(&mut self, v: Val) -> Val {
        if self.big() && self.b.ty(v) != Ty::I8 { self.b.un(Un::Bswap, v) } else { v }
    }

    /// The two halves of a doubleword as the transferred registers have them: the first from the lower address.
    pub fn halves(&mut self, v: Val) -> [Val; 2] {
        let low = self.b.trunc(Ty::I32, v);
        let high = self.b.shift_imm(Bin::Shr, v, 32);
        let high = self.b.trunc(Ty::I32, high);
        [self.ordered(low), self.ordered(high)]
    }

    pub fn doubleword(&mut self, low: Val, high: Val) -> Val {
        let (low, high) = (self.ordered(low), self.ordered(high));
        let (low, high) = (self.b.zext(Ty::I64, low), self.b.zext(Ty::I64, high));
        let high = self.b.shift_imm(Bin::Shl, high, 32);
        self.b.or(low, high)
    }
}

fn acquire(q: u32) -> Order {
    if q == 1 { Order::Acquire } else { Order::Plain }
}

fn release(q: u32) -> Order {
    if q == 1 { Order::Release } else { Order::Plain }
}

pub(crate) fn ldrex(cx: &mut Cx, a: Ldrex) {
    let base = cx.r(a.n);
    let at = cx.b.add_imm(base, i64::from(a.i) * 4);
    let v = cx.b.load_excl(Ty::int(1 << a.z), acquire(a.q), Align::To(1 << a.z), at);
    let v = cx.ordered(v);
    let v = cx.b.zext(Ty::I32, v);
    cx.set_r(a.t, v);
}

pub(crate) fn ldrexd(cx: &mut Cx, a: Ldrexd) {
    let at = cx.r(a.n);
    let v = cx.b.load_excl(Ty::I64, acquire(a.q), Align::To(8), at);
    let [low, high] = cx.halves(v);
    cx.set_r(a.t, low);
    cx.set_r(pair(a.t, a.x), high);
}

pub(crate) fn strex(cx: &mut Cx, a: Strex) {
    let base = cx.r(a.n);
    let at = cx.b.add_imm(base, i64::from(a.i) * 4);
    let v = cx.r(a.t);
    let v = cx.b.trunc(Ty::int(1 << a.z), v);
    let v = cx.ordered(v);
    let status = cx.b.store_excl(release(a.q), Align::To(1 << a.z), at, v);
    cx.set_r(a.d, status);
}

pub(crate) fn strexd(cx: &mut Cx, a: Strexd) {
    if a.d == pair(a.t, a.x) {
        return cx.undefined();
    }
    let (at, low, high) = (cx.r(a.n), cx.r(a.t), cx.r(pair(a.t, a.x)));
    let v = cx.doubleword(low, high);
    let status = cx.b.store_excl(release(a.q), Align::To(8), at, v);
    cx.set_r(a.d, status);
}

pub(crate) fn clrex(cx: &mut Cx, _: Clrex) {
    cx.b.clear_excl();
}

pub(crate) fn lda(cx: &mut Cx, a: Lda) {
    let at = cx.r(a.n);
    let mem = cx.mem(at, 1 << a.z).order(Order::Acquire).aligned();
    let v = cx.b.load(Ty::I32, mem);
    cx.set_r(a.t, v);
}

pub(crate) fn stl(cx: &mut Cx, a: Stl) {
    let (at, v) = (cx.r(a.n), cx.r(a.t));
    let mem = cx.mem(at, 1 << a.z).order(Order::Release).aligned();
    cx.b.store(mem, v);
}

pub(crate) fn swp(cx: &mut Cx, a: Swp) {
    let (at, v) = (cx.r(a.n), cx.r(a.m));
    let v = cx.b.trunc(Ty::int(1 << a.z), v);
    let v = cx.ordered(v);
    let old = cx.b.rmw(Rmw::Swap, Order::Plain, Align::To(1 << a.z), at, v);
    let old = cx.ordered(old);
    let old = cx.b.zext(Ty::I32, old);
    cx.set_r(a.t, old);
}
