//! Branches, interworking, IT, table branches, calls of the system (Arm ARM F3.1.10, F4.1.8).

use super::Cx;
use crate::insn::{B, B11, B24, BCond8, BCond20, Bkpt, Bl, Bl24, Blx, Blx24, BlxReg, Bx, Cbz, It, Svc, Tbb, Udf};
use crate::state::{self, LR};
use ir::{Cc, IntCc, Op, Term, Trap, Ty, Val};

/// The low `width` bits as a signed number.
pub(crate) fn signed(value: u32, width: u32) -> i32 {
    (value << (32 - width)).cast_signed() >> (32 - width)
}

/// Offset of T32's 25-bit branches: S:I1:I2:imm, where I = not (J xor S).
pub(crate) fn offset25(s: u32, j: u32, k: u32, i: u32, l: u32) -> i32 {
    let (i1, i2) = (j ^ s ^ 1, k ^ s ^ 1);
    signed(s << 24 | i1 << 23 | i2 << 22 | i << 12 | l << 1, 25)
}

pub(crate) fn b(cx: &mut Cx, a: B) {
    cx.jump(signed(a.i, 24) << 2);
}

pub(crate) fn b11(cx: &mut Cx, a: B11) {
    cx.jump(signed(a.i, 11) << 1);
}

pub(crate) fn b24(cx: &mut Cx, a: B24) {
    cx.jump(offset25(a.s, a.j, a.k, a.i, a.l));
}

pub(crate) fn b_cond8(cx: &mut Cx, a: BCond8) {
    conditional(cx, a.c, signed(a.i, 8) << 1);
}

pub(crate) fn b_cond20(cx: &mut Cx, a: BCond20) {
    conditional(cx, a.c, signed(a.s << 20 | a.k << 19 | a.j << 18 | a.i << 12 | a.l << 1, 21));
}

pub(crate) fn bl(cx: &mut Cx, a: Bl) {
    let pc = cx.target(signed(a.i, 24) << 2);
    call(cx, cx.pc_t(pc));
}

pub(crate) fn bl24(cx: &mut Cx, a: Bl24) {
    let pc = cx.target(offset25(a.s, a.j, a.k, a.i, a.l));
    call(cx, cx.pc_t(pc));
}

/// To T32.
pub(crate) fn blx(cx: &mut Cx, a: Blx) {
    let pc = cx.target(signed(a.i, 24) << 2 | (a.h << 1).cast_signed());
    call(cx, u64::from(pc | 1));
}

/// To A32: the base is pc aligned.
pub(crate) fn blx24(cx: &mut Cx, a: Blx24) {
    let pc = cx.target(offset25(a.s, a.j, a.k, a.i, a.l << 1)) & !3;
    call(cx, pc.into());
}

pub(crate) fn bx(cx: &mut Cx, a: Bx) {
    let v = cx.r(a.m);
    let is_return = cx.is_link(v);
    cx.bx_write_pc(v, is_return);
}

pub(crate) fn blx_reg(cx: &mut Cx, a: BlxReg) {
    let pc = cx.r(a.m);
    let ret = cx.pc_t(cx.next);
    let link = cx.b.i32(ret as u32);
    cx.b.set(LR, link);
    cx.b.end(Term::CallIndirect { pc, ret });
}

pub(crate) fn cbz(cx: &mut Cx, a: Cbz) {
    let (n, zero) = (cx.r(a.n), cx.b.i32(0));
    let holds = cx.b.cmp(if a.o == 1 { IntCc::Ne } else { IntCc::Eq }, n, zero);
    two_ways(cx, holds, (a.i << 1).cast_signed());
}

pub(crate) fn tbb(cx: &mut Cx, a: Tbb) {
    let (base, index) = (cx.r(a.n), cx.r(a.m));
    let mem = cx.mem(base, 1 << a.h).index(index, a.h as u8);
    let entry = cx.b.load(Ty::I32, mem);
    let offset = cx.b.add(entry, entry);
    let pc = cx.b.add_imm(offset, i64::from(cx.pc.wrapping_add(4) | 1));
    cx.b.end(Term::Indirect { pc });
}

pub(crate) fn it(cx: &mut Cx, a: It) {
    cx.it = a.c << 4 | a.m;
}

pub(crate) fn svc(cx: &mut Cx, _: Svc) {
    // A handler or a tracer sees ITSTATE for the next instruction.
    let it = super::advance(cx.it);
    if it != 0 {
        let it = cx.b.i32(it);
        cx.b.set(state::ITSTATE, it);
    }
    let next = cx.pc_t(cx.next);
    cx.b.end(Term::Syscall { next });
}

pub(crate) fn bkpt(cx: &mut Cx, _: Bkpt) {
    cx.b.trap(Trap::Breakpoint);
}

pub(crate) fn udf(cx: &mut Cx, _: Udf) {
    cx.undefined();
}

/// A branch with a condition of its own, outside IT blocks.
fn conditional(cx: &mut Cx, c: u32, offset: i32) {
    let holds = cx.cond(Cc::ALL[c as usize]);
    two_ways(cx, holds, offset);
}

/// Branches if it `holds` (I1), else the region goes on with the next instruction.
fn two_ways(cx: &mut Cx, holds: Val, offset: i32) {
    let pc = cx.pc_t(cx.target(offset));
    cx.b.leave_if(holds, Term::Goto { pc });
    cx.last = None;
}

fn call(cx: &mut Cx, pc: u64) {
    let ret = cx.pc_t(cx.next);
    let link = cx.b.i32(ret as u32);
    cx.b.set(LR, link);
    cx.b.end(Term::Call { pc, ret });
}

impl Cx<'_> {
    /// The target of a branch by `offset` from the pc that the instruction reads.
    fn target(&self, offset: i32) -> u32 {
        self.pc.wrapping_add(if self.thumb { 4 } else { 8 }).wrapping_add_signed(offset)
    }

    fn jump(&mut self, offset: i32) {
        let pc = self.pc_t(self.target(offset));
        self.b.end(Term::Goto { pc });
    }

    /// Whether the value is lr's.
    pub fn is_link(&self, v: Val) -> bool {
        *self.b.region.op(v) == Op::Get(LR)
    }

    /// Goes on at an address whose bit 0 chooses the instruction set (Arm ARM BXWritePC, LoadWritePC).
    pub fn bx_write_pc(&mut self, pc: Val, is_return: bool) {
        self.b.end(if is_return { Term::Return { pc } } else { Term::Indirect { pc } });
    }

    /// Goes on at the result of data processing: interworking in A32, within T32 in Thumb (Arm ARM ALUWritePC).
    pub fn alu_write_pc(&mut self, v: Val, is_return: bool) {
        let one = self.b.i32(1);
        let pc = if self.thumb { self.b.or(v, one) } else { v };
        self.bx_write_pc(pc, is_return);
    }
}
