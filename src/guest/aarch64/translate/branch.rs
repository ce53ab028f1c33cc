//! Branches and exceptions (Arm ARM C4.1.93).

use super::pointer::authenticated;
use super::{Cx, signed};
use crate::insn::*;
use crate::state;
use ir::{IntCc, Term, Trap, Val};

/// The target of a branch by `i` words.
fn target(cx: &Cx, i: u32, width: u32) -> u64 {
    cx.pc.wrapping_add_signed(signed(i, width) * 4)
}

/// To `pc` if the condition (I1) holds, else on: the region goes on with the next instruction.
fn branch_if(cx: &mut Cx, cond: Val, pc: u64) {
    cx.b.leave_if(cond, Term::Goto { pc });
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

/// The values of PSTATE.BTYPE with which a branch may arrive at an instruction in a guarded page, as a mask (Arm ARM D8.4.4,
/// C6.2: BTI, PACIxSP; Linux sets SCTLR_EL1.BT0). All other instructions admit none.
fn admitted(word: u32) -> u32 {
    match word {
        0xd503_245f => 0b0110,
        0xd503_249f => 0b1010,
        0xd503_24df => 0b1110,
        // PACIASP, PACIBSP
        0xd503_233f | 0xd503_237f => 0b0110,
        _ if word & 0xffe0_001f == 0xd420_0000 || word & 0xffe0_001f == 0xd440_0000 => 0b1110,
        _ => 0,
    }
}

/// At the start of a region, where branches arrive: looks at BTYPE, which every instruction leaves zero but indirect branches.
pub(super) fn arrive(cx: &mut Cx, word: u32) {
    let (arrived, rest) = (cx.b.block(), cx.b.block());
    let is_set = |cx: &mut Cx, value: u64, cc| {
        let (btype, value) = (cx.b.get(state::BTYPE), cx.b.i64(value));
        cx.b.cmp(cc, btype, value)
    };
    let cond = is_set(cx, 0, IntCc::Ne);
    cx.b.branch(cond, arrived, rest);
    cx.b.enter(arrived);
    let admitted = if cx.guarded { admitted(word) } else { 0b1110 };
    if admitted == 0 {
        cx.b.trap(Trap::BranchTarget);
        return cx.b.enter(rest);
    }
    for refused in (1..4).filter(|btype| admitted >> btype & 1 == 0) {
        let (trap, on) = (cx.b.block(), cx.b.block());
        let cond = is_set(cx, refused, IntCc::Eq);
        cx.b.branch(cond, trap, on);
        cx.b.enter(trap);
        cx.b.trap(Trap::BranchTarget);
        cx.b.enter(on);
    }
    set_btype(cx, 0);
    cx.b.end(Term::Jump(rest));
    cx.b.enter(rest);
}

fn set_btype(cx: &mut Cx, btype: u64) {
    if cx.guards {
        let v = cx.b.i64(btype);
        cx.b.set(state::BTYPE, v);
    }
}

/// A jump through Xn, whose target is `pc`. X16 and X17 are for veneers, which may lead to functions.
fn jump(cx: &mut Cx, n: u32, pc: Val) {
    let veneer = n == 16 || n == 17;
    set_btype(cx, if veneer || !cx.guarded { 1 } else { 3 });
    cx.b.end(Term::Indirect { pc });
}

/// A call through a value, which was read before the link register is written.
fn call(cx: &mut Cx, pc: Val) {
    let ret = cx.next();
    link(cx);
    set_btype(cx, 2);
    cx.b.end(Term::CallIndirect { pc, ret });
}

pub(crate) fn br(cx: &mut Cx, i: Br) {
    let pc = cx.x(i.n);
    jump(cx, i.n, pc);
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
    jump(cx, i.n, pc);
}

pub(crate) fn bra(cx: &mut Cx, i: Bra) {
    let (v, modifier) = (cx.x(i.n), cx.xsp(i.m));
    let pc = authenticated(cx, v, modifier, 0, i.k);
    jump(cx, i.n, pc);
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
