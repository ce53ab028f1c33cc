//! Jumps, calls, returns, loops.

use super::Cx;
use crate::insn::rows;
use crate::state::{RCX, RSP};
use iced_x86::{ConditionCode, Instruction, OpKind};
use ir::{IntCc, Mem, Term, Ty, Val};

rows! {
    Jmp => jmp();
    Call => call();
    Ret => ret();
    Jo => jcc();
    Jno => jcc();
    Jb => jcc();
    Jae => jcc();
    Je => jcc();
    Jne => jcc();
    Jbe => jcc();
    Ja => jcc();
    Js => jcc();
    Jns => jcc();
    Jp => jcc();
    Jnp => jcc();
    Jl => jcc();
    Jge => jcc();
    Jle => jcc();
    Jg => jcc();
    Jcxz => jump_if_zero(Ty::I16);
    Jecxz => jump_if_zero(Ty::I32);
    Jrcxz => jump_if_zero(Ty::I64);
    Loop => count_down(ConditionCode::None);
    Loope => count_down(ConditionCode::e);
    Loopne => count_down(ConditionCode::ne);
}

impl Cx<'_> {
    /// To `pc` if the condition (I1) holds, else on: the region goes on with the next instruction.
    pub(super) fn branch_if(&mut self, cond: Val, pc: u64) {
        self.b.leave_if(cond, Term::Goto { pc });
    }

    fn target(&self, i: &Instruction) -> u64 {
        i.near_branch_target() & self.pointer().mask()
    }

    /// The value of an indirect jump's operand.
    fn indirect(&mut self, i: &Instruction) -> Val {
        let v = self.read(i, 0);
        self.b.zext(self.xlen, v)
    }
}

fn is_near(i: &Instruction) -> bool {
    matches!(i.op0_kind(), OpKind::NearBranch16 | OpKind::NearBranch32 | OpKind::NearBranch64)
}

fn is_far(i: &Instruction) -> bool {
    i.is_jmp_far() || i.is_call_far() || i.is_jmp_far_indirect() || i.is_call_far_indirect()
}

fn jmp(cx: &mut Cx, i: &Instruction) {
    if is_far(i) {
        return cx.jump_far(i);
    }
    if is_near(i) {
        let pc = cx.target(i);
        return cx.b.end(Term::Goto { pc });
    }
    let pc = cx.indirect(i);
    cx.b.end(Term::Indirect { pc });
}

fn call(cx: &mut Cx, i: &Instruction) {
    if is_far(i) {
        return cx.call_far(i);
    }
    let ret = cx.next;
    let link = cx.imm(ret);
    if is_near(i) {
        let pc = cx.target(i);
        if let Some(thunk) = cx.called {
            return cx.call_thunk(thunk, pc);
        }
        let link = cx.b.trunc(cx.pointer(), link);
        cx.push(link);
        // The next instruction's address is asked for so; there is no return from it.
        return cx.b.end(if pc == ret { Term::Goto { pc } } else { Term::Call { pc, ret } });
    }
    let pc = cx.indirect(i);
    let ty = Ty::int(i.stack_pointer_increment().unsigned_abs() as usize);
    let link = cx.b.trunc(ty, link);
    cx.push(link);
    cx.b.end(Term::CallIndirect { pc, ret });
}

fn ret(cx: &mut Cx, i: &Instruction) {
    let sp = cx.x(RSP);
    let bytes = i.stack_pointer_increment() - if i.op_count() > 0 { i32::from(i.immediate16()) } else { 0 };
    let ty = Ty::int(bytes as usize);
    let pc = cx.b.load(ty, Mem::at(sp, bytes as u8));
    let pc = cx.b.zext(cx.xlen, pc);
    let sp = cx.b.add_imm(sp, i.stack_pointer_increment().into());
    cx.set_x(RSP, sp);
    cx.b.end(Term::Return { pc });
}

fn jcc(cx: &mut Cx, i: &Instruction) {
    let cond = cx.condition(i.condition_code());
    let pc = cx.target(i);
    cx.branch_if(cond, pc);
}

fn jump_if_zero(cx: &mut Cx, i: &Instruction, ty: Ty) {
    let v = cx.low(ty, RCX);
    let zero = cx.b.constant(ty, 0);
    let cond = cx.b.cmp(IntCc::Eq, v, zero);
    let pc = cx.target(i);
    cx.branch_if(cond, pc);
}

/// LOOP and its kin: the counter has the width of addresses.
fn count_down(cx: &mut Cx, i: &Instruction, cc: ConditionCode) {
    let ty = counter(i);
    let v = cx.low(ty, RCX);
    let v = cx.b.add_imm(v, -1);
    let zero = cx.b.constant(ty, 0);
    let more = cx.b.cmp(IntCc::Ne, v, zero);
    let cond = cx.condition(cc);
    let cond = cx.b.and(more, cond);
    cx.set_low(RCX, v);
    let pc = cx.target(i);
    cx.branch_if(cond, pc);
}

fn counter(i: &Instruction) -> Ty {
    use iced_x86::Code as C;
    match i.code() {
        C::Loop_rel8_16_CX
        | C::Loop_rel8_32_CX
        | C::Loope_rel8_16_CX
        | C::Loope_rel8_32_CX
        | C::Loopne_rel8_16_CX
        | C::Loopne_rel8_32_CX => Ty::I16,
        C::Loop_rel8_64_RCX | C::Loope_rel8_64_RCX | C::Loopne_rel8_64_RCX => Ty::I64,
        _ => Ty::I32,
    }
}
