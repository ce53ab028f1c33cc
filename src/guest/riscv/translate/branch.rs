//! Branches, jumps, calls.

use super::{Cx, rows, signed};
use crate::insn::*;
use crate::state::{RA, T0};
use ir::{IntCc, Term, Val};

/// The offset in a branch's word: imm[12|10:5] and imm[4:1|11], as they stand.
pub(crate) fn branch_offset(i: u32) -> i64 {
    signed((i >> 11 & 1) << 12 | (i & 1) << 11 | (i >> 5 & 0x3f) << 5 | i & 0x1e, 13)
}

/// The offset in JAL's word: imm[20|10:1|11|19:12].
pub(crate) fn jump_offset(i: u32) -> i64 {
    signed((i >> 19 & 1) << 20 | (i & 0xff) << 12 | (i >> 8 & 1) << 11 | (i >> 9 & 0x3ff) << 1, 21)
}

/// To pc + offset if the condition (I1) holds, else on: the region goes on with the next instruction.
pub(super) fn branch_if(cx: &mut Cx, cond: Val, offset: i64) {
    let pc = target(cx, offset);
    cx.b.leave_if(cond, Term::Goto { pc });
}

fn target(cx: &Cx, offset: i64) -> u64 {
    cx.pc.wrapping_add_signed(offset) & cx.xlen.mask()
}

fn compare(cx: &mut Cx, [n, m, i]: [u32; 3], cc: IntCc) {
    let (a, b) = (cx.x(n), cx.x(m));
    let cond = cx.b.cmp(cc, a, b);
    branch_if(cx, cond, branch_offset(i));
}

rows! { compare(n m i):
    beq Beq(IntCc::Eq);
    bne Bne(IntCc::Ne);
    blt Blt(IntCc::Slt);
    bge Bge(IntCc::Sge);
    bltu Bltu(IntCc::Ult);
    bgeu Bgeu(IntCc::Uge);
}

/// The registers that calls leave the return address in, by which the manual has hardware tell calls and returns (2.5.1).
fn is_link(d: u32) -> bool {
    d == RA || d == T0
}

/// Writes the return address.
fn link(cx: &mut Cx, d: u32) {
    let ret = cx.b.constant(cx.xlen, cx.next);
    cx.set_x(d, ret);
}

pub(super) fn jump(cx: &mut Cx, d: u32, offset: i64) {
    let (pc, ret) = (target(cx, offset), cx.next);
    link(cx, d);
    if is_link(d) {
        cx.b.end(Term::Call { pc, ret });
    } else {
        cx.go_to(pc);
    }
}

pub(crate) fn jal(cx: &mut Cx, i: Jal) {
    jump(cx, i.d, jump_offset(i.i));
}

/// The lowest bit of the target is dropped: by [`arch::Guest::branch_target`], where it is set.
pub(crate) fn jalr(cx: &mut Cx, i: Jalr) {
    let (base, ret) = (cx.x(i.n), cx.next);
    let pc = cx.b.add_imm(base, signed(i.i, 12));
    link(cx, i.d);
    let term = match (cx.b.const_of(pc), is_link(i.d)) {
        (Some(pc), true) => Term::Call { pc: pc & !1, ret },
        (Some(pc), false) => return cx.go_to(pc & !1),
        (None, true) => Term::CallIndirect { pc, ret },
        (None, false) if is_link(i.n) && i.d == 0 => Term::Return { pc },
        (None, false) => Term::Indirect { pc },
    };
    cx.b.end(term);
}
