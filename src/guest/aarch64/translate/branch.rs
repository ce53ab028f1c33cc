//! Branches and exceptions (Arm ARM C4.1.93).

use super::pointer::authenticated;
use super::{Cx, signed};
use crate::insn::*;
use ir::{IntCc, Term, Trap, Val};

/// The target of a branch by `i` words.
fn target(cx: &Cx, i: u32, width: u32) -> u64 {
    cx.pc.wrapping_add_signed(signed(i, width) * 4)
}

/// To `pc` if the condition (I1) holds, else on: the region goes on with the next instruction.
fn branch_if(cx: &mut Cx, cond: Val, pc: u64) {
    let (taken, other) = (cx.b.block(), cx.b.block());
    cx.b.branch(cond, taken, other);
    cx.b.enter(taken);
    cx.b.end(Term::Goto { pc });
    cx.b.enter(other);
}

/// Writes the return address.
fn link(cx: &mut Cx) {
    let next = cx.next();
    let ret = cx.b.i64(next);
    cx.set_r(30, ret);
}

pub(crate) fn b_cond(cx: &mut Cx, i: BCond) {
    let pc = target(cx, i.i, 19);
    if i.c >= 14 {
        return cx.b.end(Term::Goto { pc });
    }
    let cond = cx.cond(i.c);
    branch_if(cx, cond, pc);
}

pub(crate) fn b(cx: &mut Cx, i: B) {
    let pc = target(cx, i.i, 26);
    cx.b.end(Term::Goto { pc });
}

pub(crate) fn bl(cx: &mut Cx, i: Bl) {
    let (pc, ret) = (target(cx, i.i, 26), cx.next());
    link(cx);
    cx.b.end(Term::Call { pc, ret });
}

/// CBZ and CBNZ.
fn compare_branch(cx: &mut Cx, cc: IntCc, f: u32, t: u32, i: u32) {
    let (v, zero) = (cx.r(f, t), cx.imm(f, 0));
    let cond = cx.b.cmp(cc, v, zero);
    let pc = target(cx, i, 19);
    branch_if(cx, cond, pc);
}

pub(crate) fn cbz(cx: &mut Cx, i: Cbz) {
    compare_branch(cx, IntCc::Eq, i.f, i.t, i.i);
}

pub(crate) fn cbnz(cx: &mut Cx, i: Cbnz) {
    compare_branch(cx, IntCc::Ne, i.f, i.t, i.i);
}

/// TBZ and TBNZ.
fn test_branch(cx: &mut Cx, cc: IntCc, bit: u32, t: u32, i: u32) {
    let v = cx.x(t);
    let (masked, zero) = (cx.b.and_imm(v, 1 << bit), cx.b.i64(0));
    let cond = cx.b.cmp(cc, masked, zero);
    let pc = target(cx, i, 14);
    branch_if(cx, cond, pc);
}

pub(crate) fn tbz(cx: &mut Cx, i: Tbz) {
    test_branch(cx, IntCc::Eq, i.b, i.t, i.i);
}

pub(crate) fn tbnz(cx: &mut Cx, i: Tbnz) {
    test_branch(cx, IntCc::Ne, i.b, i.t, i.i);
}

/// A call through a value, which was read before the link register is written.
fn call(cx: &mut Cx, pc: Val) {
    let ret = cx.next();
    link(cx);
    cx.b.end(Term::CallIndirect { pc, ret });
}

pub(crate) fn br(cx: &mut Cx, i: Br) {
    let pc = cx.x(i.n);
    cx.b.end(Term::Indirect { pc });
}

pub(crate) fn blr(cx: &mut Cx, i: Blr) {
    let pc = cx.x(i.n);
    call(cx, pc);
}

pub(crate) fn ret(cx: &mut Cx, i: Ret) {
    let pc = cx.x(i.n);
    cx.b.end(Term::Return { pc });
}

pub(crate) fn braz(cx: &mut Cx, i: Braz) {
    let (v, modifier) = (cx.x(i.n), cx.b.i64(0));
    let pc = authenticated(cx, v, modifier, 0, i.k);
    cx.b.end(Term::Indirect { pc });
}

pub(crate) fn bra(cx: &mut Cx, i: Bra) {
    let (v, modifier) = (cx.x(i.n), cx.xsp(i.m));
    let pc = authenticated(cx, v, modifier, 0, i.k);
    cx.b.end(Term::Indirect { pc });
}

pub(crate) fn blraz(cx: &mut Cx, i: Blraz) {
    let (v, modifier) = (cx.x(i.n), cx.b.i64(0));
    let pc = authenticated(cx, v, modifier, 0, i.k);
    call(cx, pc);
}

pub(crate) fn blra(cx: &mut Cx, i: Blra) {
    let (v, modifier) = (cx.x(i.n), cx.xsp(i.m));
    let pc = authenticated(cx, v, modifier, 0, i.k);
    call(cx, pc);
}

pub(crate) fn reta(cx: &mut Cx, i: Reta) {
    let (v, modifier) = (cx.x(30), cx.xsp(31));
    let pc = authenticated(cx, v, modifier, 0, i.k);
    cx.b.end(Term::Return { pc });
}

// ---- exceptions ----

pub(crate) fn svc(cx: &mut Cx, _: Svc) {
    // Linux does not look at the immediate.
    let next = cx.next();
    cx.b.end(Term::Syscall { next });
}

pub(crate) fn brk(cx: &mut Cx, _: Brk) {
    cx.b.trap(Trap::Breakpoint);
}

pub(crate) fn hlt(cx: &mut Cx, _: Hlt) {
    // Undefined unless halting debug is on.
    cx.undefined();
}

pub(crate) fn udf(cx: &mut Cx, _: Udf) {
    cx.undefined();
}
