//! Exclusives, ordered accesses, atomic read-modify-write (Arm ARM C4.1.94, B2.9, B2.10).

use super::Cx;
use crate::insn::*;
use ir::{Align, Ext, Lane, Mem, Order, Rmw, Ty, Val};

/// Writes a value of any width to a register, zeros above.
fn set(cx: &mut Cx, t: u32, v: Val) {
    cx.set_r(t, v);
}

/// Exclusive, atomic and ordered accesses fault where they cross a multiple of 16 (AArch64.UnalignedAccessFaults with FEAT_LSE2;
/// Linux leaves SCTLR_EL1.nAA 0).
const ALIGN: Align = Align::Within16;

// ---- exclusives ----

pub(crate) fn ldxr(cx: &mut Cx, i: Ldxr) {
    let addr = cx.xsp(i.n);
    let order = if i.o == 1 { Order::Acquire } else { Order::Plain };
    let v = cx.b.load_excl(Ty::int(1 << i.z), order, ALIGN, addr);
    set(cx, i.t, v);
}

pub(crate) fn stxr(cx: &mut Cx, i: Stxr) {
    let (addr, v) = (cx.xsp(i.n), cx.rz(i.z, i.t));
    let order = if i.o == 1 { Order::Release } else { Order::Plain };
    let status = cx.b.store_excl(order, ALIGN, addr, v);
    set(cx, i.s, status);
}

/// Two words as one value of 64 bits (`z` 0), two doublewords as one of 128.
fn pair(cx: &mut Cx, z: u32, t: u32, u: u32) -> Val {
    let (lo, hi) = (cx.x(t), cx.x(u));
    if z == 0 {
        return cx.b.deposit(lo, hi, 32, 32);
    }
    let lo = cx.b.v_from_scalar(lo);
    cx.b.vset(Lane::D, lo, hi, 1)
}

fn set_pair(cx: &mut Cx, z: u32, t: u32, u: u32, v: Val) {
    let (lo, hi) = if z == 0 {
        (cx.b.extract(v, 0, 32, false), cx.b.extract(v, 32, 32, false))
    } else {
        (cx.b.vget(Ty::I64, v, 0), cx.b.vget(Ty::I64, v, 1))
    };
    set(cx, t, lo);
    set(cx, u, hi);
}

fn pair_type(z: u32) -> Ty {
    if z == 0 { Ty::I64 } else { Ty::V128 }
}

pub(crate) fn ldxp(cx: &mut Cx, i: Ldxp) {
    let addr = cx.xsp(i.n);
    let order = if i.o == 1 { Order::Acquire } else { Order::Plain };
    let v = cx.b.load_excl(pair_type(i.z), order, ALIGN, addr);
    set_pair(cx, i.z, i.t, i.u, v);
}

pub(crate) fn stxp(cx: &mut Cx, i: Stxp) {
    let (addr, v) = (cx.xsp(i.n), pair(cx, i.z, i.t, i.u));
    let order = if i.o == 1 { Order::Release } else { Order::Plain };
    let status = cx.b.store_excl(order, ALIGN, addr, v);
    set(cx, i.s, status);
}

// ---- ordered loads and stores ----

/// An ordered load of 2^`z` bytes.
fn load(cx: &mut Cx, z: u32, mem: Mem) -> Val {
    let ty = if z == 3 { Ty::I64 } else { Ty::I32 };
    cx.b.load(ty, mem.order(Order::Acquire).align(ALIGN))
}

pub(crate) fn ldar(cx: &mut Cx, i: Ldar) {
    // LDLAR (o 0) as LDAR: one limited-ordering region would be weaker.
    let mem = cx.at(i.n, 1 << i.z);
    let v = load(cx, i.z, mem);
    set(cx, i.t, v);
}

pub(crate) fn stlr(cx: &mut Cx, i: Stlr) {
    let (mem, v) = (cx.at(i.n, 1 << i.z), cx.rz(i.z, i.t));
    cx.b.store(mem.order(Order::Release).align(ALIGN), v);
}

pub(crate) fn ldapr(cx: &mut Cx, i: Ldapr) {
    let mem = cx.at(i.n, 1 << i.z);
    let v = load(cx, i.z, mem);
    set(cx, i.t, v);
}

fn unscaled(cx: &mut Cx, z: u32, n: u32, i: u32) -> Mem {
    cx.at(n, 1 << z).disp(super::signed(i, 9) as i32)
}

pub(crate) fn ldapur(cx: &mut Cx, i: Ldapur) {
    let mem = unscaled(cx, i.z, i.n, i.i);
    let v = load(cx, i.z, mem);
    set(cx, i.t, v);
}

pub(crate) fn ldapurs(cx: &mut Cx, i: Ldapurs) {
    let mem = Mem { ext: Ext::Sign, ..unscaled(cx, i.z, i.n, i.i) };
    let v = cx.b.load(super::width(i.f), mem.order(Order::Acquire).align(ALIGN));
    set(cx, i.t, v);
}

pub(crate) fn stlur(cx: &mut Cx, i: Stlur) {
    let (mem, v) = (unscaled(cx, i.z, i.n, i.i), cx.rz(i.z, i.t));
    cx.b.store(mem.order(Order::Release).align(ALIGN), v);
}

// ---- compare and swap ----

pub(crate) fn cas(cx: &mut Cx, i: Cas) {
    let (addr, expected, new) = (cx.xsp(i.n), cx.rz(i.z, i.s), cx.rz(i.z, i.t));
    let old = cx.b.cmpxchg(ALIGN, addr, expected, new);
    set(cx, i.s, old);
}

pub(crate) fn casp(cx: &mut Cx, i: Casp) {
    // The fields are half of the even registers' numbers.
    let (s, t) = (2 * i.s, 2 * i.t);
    let (addr, expected, new) = (cx.xsp(i.n), pair(cx, i.z, s, s + 1), pair(cx, i.z, t, t + 1));
    let old = cx.b.cmpxchg(ALIGN, addr, expected, new);
    set_pair(cx, i.z, s, s + 1, old);
}

// ---- read-modify-write ----

/// The operands that all forms have.
struct Access {
    z: u32,
    a: u32,
    r: u32,
    s: u32,
    n: u32,
    t: u32,
}

fn atomic(cx: &mut Cx, op: Rmw, i: Access) {
    let (addr, v) = (cx.xsp(i.n), cx.rz(i.z, i.s));
    modify(cx, op, &i, addr, v);
}

fn modify(cx: &mut Cx, op: Rmw, i: &Access, addr: Val, v: Val) {
    let order = match (i.a, i.r) {
        (0, 0) => Order::Plain,
        (1, 0) => Order::Acquire,
        (0, _) => Order::Release,
        _ => Order::AcqRel,
    };
    let old = cx.b.rmw(op, order, ALIGN, addr, v);
    set(cx, i.t, old);
}

/// The operands out of any of the rows' structs.
macro_rules! access {
    ($i:ident) => {
        Access { z: $i.z, a: $i.a, r: $i.r, s: $i.s, n: $i.n, t: $i.t }
    };
}

pub(crate) fn ldadd(cx: &mut Cx, i: Ldadd) {
    atomic(cx, Rmw::Add, access!(i));
}

pub(crate) fn ldclr(cx: &mut Cx, i: Ldclr) {
    let (addr, bits) = (cx.xsp(i.n), cx.rz(i.z, i.s));
    let kept = cx.b.not(bits);
    modify(cx, Rmw::And, &access!(i), addr, kept);
}

pub(crate) fn ldeor(cx: &mut Cx, i: Ldeor) {
    atomic(cx, Rmw::Xor, access!(i));
}

pub(crate) fn ldset(cx: &mut Cx, i: Ldset) {
    atomic(cx, Rmw::Or, access!(i));
}

pub(crate) fn ldsmax(cx: &mut Cx, i: Ldsmax) {
    atomic(cx, Rmw::MaxS, access!(i));
}

pub(crate) fn ldsmin(cx: &mut Cx, i: Ldsmin) {
    atomic(cx, Rmw::MinS, access!(i));
}

pub(crate) fn ldumax(cx: &mut Cx, i: Ldumax) {
    atomic(cx, Rmw::MaxU, access!(i));
}

pub(crate) fn ldumin(cx: &mut Cx, i: Ldumin) {
    atomic(cx, Rmw::MinU, access!(i));
}

pub(crate) fn swp(cx: &mut Cx, i: Swp) {
    atomic(cx, Rmw::Swap, access!(i));
}
