//! The x87 unit: the guest's is the host's, so its instructions are the guest's own.

use super::super::asm::{Alu, Cc, Size};
use super::super::{SCRATCH, field};
use super::Emitter;
use super::flags::Kind;
use crate::cpu::at;
use ir::{Val, X87};

/// From FCMOVE to FCMOVNE, in the opcode.
const NOT_EQUAL: u16 = 0x0100;

impl Emitter<'_> {
    pub(super) fn x87(&mut self, v: Val, op: X87, x: Val) {
        match op {
            X87::Run(code) => {
                self.fault_here();
                self.a.x87(code);
            }
            X87::Compare(code) => {
                self.clobber();
                self.fault_here();
                self.a.x87(code);
                self.now_hold(v, Kind::Int { inverted: true });
            }
            // Differs: the opcode that the unit notes with an exception is FCMOVNE's; of instructions on memory it has ModRM's digit, not the address.
            X87::Move(code) => {
                let cond = self.reg(x);
                self.clobber();
                self.a.test(Size::D, cond, cond);
                self.fault_here();
                self.a.x87(code + NOT_EQUAL);
            }
            X87::Status => {
                self.a.x87(x87::code::FNSTSW_AX);
                let d = self.def(v, None);
                self.a.movzx(Size::W, d, SCRATCH);
            }
            X87::Save | X87::Load => self.eval(v),
            X87::Environment => {
                self.clobber();
                self.a.x87_mem(x87::code::FNSTENV, field(at::ENVIRONMENT));
                self.unless_masked(x87::code::FLDCW);
            }
            X87::Mask => {
                self.clobber();
                self.unless_masked(x87::code::FNSTENV);
            }
            X87::Word(n) => {
                let d = self.def(v, None);
                self.a.mov(Size::D, d, field(at::ENVIRONMENT + 4 * i32::from(n)));
            }
            X87::SetWord(n) => {
                let r = self.reg(x);
                self.a.mov_mr(Size::D, field(at::ENVIRONMENT + 4 * i32::from(n)), r);
            }
            // FWAIT has been done.
            X87::SetEnvironment => self.a.x87_mem(x87::code::FLDENV, field(at::ENVIRONMENT)),
            X87::Mmx(n) => {
                let d = if self.plan.uses[v.0 as usize] == 0 { SCRATCH } else { self.def(v, None) };
                self.fault_here();
                self.a.movq_from_mmx(d, n);
            }
            X87::SetMmx(n) => {
                let r = self.reg(x);
                self.fault_here();
                self.a.movq_to_mmx(n, r);
            }
        }
    }

    /// An instruction with the environment that was taken, unless all exceptions are masked there.
    fn unless_masked(&mut self, code: u16) {
        let masked = self.a.label();
        self.a.mov(Size::D, SCRATCH, field(at::ENVIRONMENT));
        self.a.alu_i(Alu::Xor, Size::D, SCRATCH, i32::from(x87::EXCEPTIONS));
        self.a.test_i(Size::D, SCRATCH, i32::from(x87::EXCEPTIONS));
        self.a.jcc(Cc::E, masked);
        self.a.x87_mem(code, field(at::ENVIRONMENT));
        self.a.bind(masked);
    }

    pub(super) fn x87_mem(&mut self, code: u16, mem: &ir::Mem) {
        let mem = self.operand(mem);
        self.fault_here();
        self.a.x87_mem(code, mem);
    }
}
