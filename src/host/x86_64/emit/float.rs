//! Floating point on the host's unit: one instruction, and a check that sends NaNs and the other cases where x86 and the guest differ to
//! [`ir::eval`]. Sticky flags gather in MXCSR; what slow paths raise gathers beside it in `Cpu::fp_flags`.

use super::super::asm::{Alu, Size};
use super::super::{SCRATCH, field};
use super::Emitter;
use crate::cpu::at;
use ir::Val;

/// MXCSR's sticky flags, all six, and those that mean the same for the guest: x86's denormal flag is not the guest's.
const MXCSR_FLAGS: i32 = 0x3f;
const MXCSR_SHARED: i32 = 0x3d;

impl Emitter<'_> {
    pub(super) fn fp_flags_get(&mut self, v: Val) {
        self.clobber();
        self.a.stmxcsr(field(at::SCRATCH));
        let d = self.def(v, None);
        self.a.mov(Size::D, d, field(at::SCRATCH));
        self.a.alu_i(Alu::And, Size::D, d, MXCSR_SHARED);
        self.a.alu(Alu::Or, Size::D, d, field(at::FP_FLAGS));
    }

    pub(super) fn fp_flags_set(&mut self, x: Val) {
        self.clobber();
        let x = self.reg(x);
        self.a.mov_mr(Size::D, field(at::FP_FLAGS), x);
        self.a.stmxcsr(field(at::SCRATCH));
        self.a.mov(Size::D, SCRATCH, field(at::SCRATCH));
        self.a.alu_i(Alu::And, Size::D, SCRATCH, !MXCSR_FLAGS);
        self.a.mov_mr(Size::D, field(at::SCRATCH), SCRATCH);
        self.a.ldmxcsr(field(at::SCRATCH));
    }

    /// Emits `v` if it is a floating-point operation done here.
    pub(super) fn float_op(&mut self, _v: Val) -> bool {
        false
    }
}
