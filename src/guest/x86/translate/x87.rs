//! Instructions of the x87 unit: arithmetic, moves, comparisons. They go to the unit as they are, for the guest's is the host's ([`ir::X87`]).

use super::Cx;
use crate::insn::rows;
use crate::state::{RAX, X87, X87_IP};
use iced_x86::{ConditionCode, Instruction, OpKind};
use ir::{Ty, Val};

rows! {
    F2xm1 => compute();
    Fabs => compute();
    Fadd => compute();
    Faddp => compute();
    Fbld => compute();
    Fbstp => compute();
    Fchs => compute();
    Fcom => compute();
    Fcomp => compute();
    Fcompp => compute();
    Fcos => compute();
    Fdecstp => compute();
    Fdiv => compute();
    Fdivp => compute();
    Fdivr => compute();
    Fdivrp => compute();
    Ffree => compute();
    Ffreep => compute();
    Fiadd => compute();
    Ficom => compute();
    Ficomp => compute();
    Fidiv => compute();
    Fidivr => compute();
    Fild => compute();
    Fimul => compute();
    Fincstp => compute();
    Fist => compute();
    Fistp => compute();
    Fisttp => compute();
    Fisub => compute();
    Fisubr => compute();
    Fld => compute();
    Fld1 => compute();
    Fldl2e => compute();
    Fldl2t => compute();
    Fldlg2 => compute();
    Fldln2 => compute();
    Fldpi => compute();
    Fldz => compute();
    Fmul => compute();
    Fmulp => compute();
    Fnop => compute();
    Fpatan => compute();
    Fprem => compute();
    Fprem1 => compute();
    Fptan => compute();
    Frndint => compute();
    Fscale => compute();
    Fsin => compute();
    Fsincos => compute();
    Fsqrt => compute();
    Fst => compute();
    Fstp => compute();
    Fstpnce => compute();
    Fsub => compute();
    Fsubp => compute();
    Fsubr => compute();
    Fsubrp => compute();
    Ftst => compute();
    Fucom => compute();
    Fucomp => compute();
    Fucompp => compute();
    Fxam => compute();
    Fxch => compute();
    Fxtract => compute();
    Fyl2x => compute();
    Fyl2xp1 => compute();
    Fcomi => compare();
    Fcomip => compare();
    Fucomi => compare();
    Fucomip => compare();
    Fcmovb => conditional(ConditionCode::b);
    Fcmove => conditional(ConditionCode::e);
    Fcmovbe => conditional(ConditionCode::be);
    Fcmovu => conditional(ConditionCode::p);
    Fcmovnb => conditional(ConditionCode::ae);
    Fcmovne => conditional(ConditionCode::ne);
    Fcmovnbe => conditional(ConditionCode::a);
    Fcmovnu => conditional(ConditionCode::np);
    Fldcw => control();
    Fnstcw => control();
    Fnclex => control();
    Fneni => nothing();
    Fndisi => nothing();
    Fnsetpm => nothing();
    Fninit => init();
    Fnstsw => status();
    Wait => wait();
    Emms => emms();
}

/// FCMOVE of ST(0).
const FCMOVE: u16 = 0xdac8;

impl Cx<'_> {
    /// The instruction's code in the sense of the crate `x87`: no prefix is among the unit's opcodes.
    fn x87_code(&self) -> u16 {
        let at = self.bytes.iter().position(|b| (0xd8..=0xdf).contains(b)).unwrap_or_default();
        let [opcode, modrm] = [self.bytes[at], self.bytes[at + 1]];
        u16::from_be_bytes([opcode, if modrm < 0xc0 { modrm & 0x38 } else { modrm }])
    }

    pub(super) fn x87(&mut self, op: ir::X87) -> Val {
        self.b.x87(X87, op, Val::NONE)
    }

    /// The unit remembers where its last instruction stood.
    fn at_work(&mut self) {
        self.b.set_late(X87_IP, self.pc);
    }
}

fn compute(cx: &mut Cx, i: &Instruction) {
    control(cx, i);
    cx.at_work();
}

/// Instructions for the unit's control are not remembered.
fn control(cx: &mut Cx, i: &Instruction) {
    let code = cx.x87_code();
    if x87::code::is_memory(code) {
        let mem = cx.mem(i, i.memory_size().size());
        cx.b.x87_mem(X87, code, mem);
    } else {
        cx.x87(ir::X87::Run(code));
    }
}

fn compare(cx: &mut Cx, _: &Instruction) {
    let code = cx.x87_code();
    let flags = cx.x87(ir::X87::Compare(code));
    cx.set_flags(flags);
    cx.at_work();
}

fn conditional(cx: &mut Cx, _: &Instruction, condition: ConditionCode) {
    let condition = cx.condition(condition);
    let code = FCMOVE | cx.x87_code() & 7;
    cx.b.x87(X87, ir::X87::Move(code), condition);
    cx.at_work();
}

/// What the 8087 and the 287 had.
fn nothing(_: &mut Cx, _: &Instruction) {}

fn init(cx: &mut Cx, i: &Instruction) {
    control(cx, i);
    let zero = cx.imm(0);
    cx.b.set(X87_IP, zero);
}

fn status(cx: &mut Cx, i: &Instruction) {
    if i.op0_kind() == OpKind::Memory {
        return control(cx, i);
    }
    let v = cx.x87(ir::X87::Status);
    let v = cx.b.trunc(Ty::I16, v);
    cx.set_low(RAX, v);
}

fn wait(cx: &mut Cx, _: &Instruction) {
    cx.x87(ir::X87::Run(x87::code::FWAIT));
}

fn emms(cx: &mut Cx, _: &Instruction) {
    cx.x87(ir::X87::Run(x87::code::EMMS));
}
