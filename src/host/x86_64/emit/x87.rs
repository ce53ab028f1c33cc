//! The x87 unit: the guest's is the host's, so its instructions are the guest's own.

use super::super::SCRATCH;
use super::super::asm::Size;
use super::Emitter;
use super::flags::Kind;
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

    pub(super) fn x87_mem(&mut self, code: u16, mem: &ir::Mem) {
        let mem = self.operand(mem);
        self.fault_here();
        self.a.x87_mem(code, mem);
    }
}
