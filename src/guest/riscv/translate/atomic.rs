//! A, Zacas, Zabha: load-reserved, store-conditional, atomic read-modify-write. The address must be aligned.

use super::{Cx, rows};
use crate::insn::*;
use ir::{Align, Lane, Order, Rmw, Ty, Val};

/// Bits aq and rl.
fn order(o: u32, l: u32) -> Order {
    match (o, l) {
        (0, 0) => Order::Plain,
        (1, 0) => Order::Acquire,
        (0, _) => Order::Release,
        _ => Order::AcqRel,
    }
}

fn align(z: u32) -> Align {
    Align::To(1 << z)
}

fn address(cx: &mut Cx, n: u32) -> Val {
    let addr = cx.x(n);
    cx.masked(addr)
}

/// The low 2^`z` bytes of xn.
fn low(cx: &mut Cx, z: u32, n: u32) -> Val {
    let v = cx.x(n);
    cx.b.trunc(Ty::int(1 << z), v)
}

pub(crate) fn lr(cx: &mut Cx, i: Lr) {
    let addr = address(cx, i.n);
    let v = cx.b.load_excl(Ty::int(1 << i.z), order(i.o, i.l), align(i.z), addr);
    cx.set_x(i.d, v);
}

pub(crate) fn sc(cx: &mut Cx, i: Sc) {
    let (addr, v) = (address(cx, i.n), low(cx, i.z, i.m));
    let status = cx.b.store_excl(order(i.o, i.l), align(i.z), addr, v);
    cx.set_bool(i.d, status);
}

fn modify(cx: &mut Cx, [z, o, l, d, n, m]: [u32; 6], op: Rmw) {
    let (addr, v) = (address(cx, n), low(cx, z, m));
    let old = cx.b.rmw(op, order(o, l), align(z), addr, v);
    cx.set_x(d, old);
}

rows! { modify(z o l d n m):
    amoswap Amoswap(Rmw::Swap);
    amoadd Amoadd(Rmw::Add);
    amoxor Amoxor(Rmw::Xor);
    amoand Amoand(Rmw::And);
    amoor Amoor(Rmw::Or);
    amomin Amomin(Rmw::MinS);
    amomax Amomax(Rmw::MaxS);
    amominu Amominu(Rmw::MinU);
    amomaxu Amomaxu(Rmw::MaxU);
}

pub(crate) fn amocas(cx: &mut Cx, i: Amocas) {
    let (addr, expected, new) = (address(cx, i.n), low(cx, i.z, i.d), low(cx, i.z, i.m));
    let old = cx.b.cmpxchg(align(i.z), addr, expected, new);
    cx.set_x(i.d, old);
}

/// Two registers as one value; those of x0 are both zero.
fn pair(cx: &mut Cx, n: u32) -> Val {
    let (lo, hi) = if n == 0 { (cx.imm(0), cx.imm(0)) } else { (cx.x(n), cx.x(n + 1)) };
    if cx.xlen == Ty::I32 {
        let (lo, hi) = (cx.b.zext(Ty::I64, lo), cx.b.zext(Ty::I64, hi));
        return cx.b.deposit(lo, hi, 32, 32);
    }
    let lo = cx.b.v_from_scalar(lo);
    cx.b.vset(Lane::D, lo, hi, 1)
}

/// The fields are half of the even registers' numbers.
pub(crate) fn amocas_pair(cx: &mut Cx, i: AmocasPair) {
    let d = 2 * i.d;
    let (addr, expected, new) = (address(cx, i.n), pair(cx, d), pair(cx, 2 * i.m));
    let size = cx.xlen.bytes() as u8;
    let old = cx.b.cmpxchg(Align::To(2 * size), addr, expected, new);
    if d == 0 {
        return;
    }
    let (lo, hi) = if cx.xlen == Ty::I32 {
        let hi = cx.b.extract(old, 32, 32, false);
        (cx.b.trunc(Ty::I32, old), cx.b.trunc(Ty::I32, hi))
    } else {
        (cx.b.vget(Ty::I64, old, 0), cx.b.vget(Ty::I64, old, 1))
    };
    cx.set_x(d, lo);
    cx.set_x(d + 1, hi);
}
