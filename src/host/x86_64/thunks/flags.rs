//! Sticky flags of floating point that are known without asking the host: as long as it traps at what would raise another one
//! ([`crate::cpu::Cpu::known_flags`]). STMXCSR waits for all operations before it.

use super::super::asm::{Alu, Cc, Label, Shift, Size};
use super::super::{SCRATCH, field};
use super::Writer;
use crate::cpu::{MASKS, UNKNOWN, WATCHED, at};
use ir::fpflag;

/// MXCSR's sticky flags, the bits that mask what may be watched, and the one that masks invalid operations.
const FLAGS: u32 = 0x3f;
const WATCHED_MASKS: u32 = WATCHED << MASKS;
const MASK_INVALID: u32 = fpflag::INVALID << MASKS;

impl Writer<'_> {
    /// All flags to scratch.
    pub(super) fn get_flags(&mut self) {
        let done = self.a.label();
        self.a.stmxcsr(field(at::SCRATCH));
        self.a.mov(Size::D, SCRATCH, field(at::SCRATCH));
        self.a.alu_i(Alu::And, Size::D, SCRATCH, self.map.state.host_flags.cast_signed());
        self.a.alu_mr(Alu::Or, Size::D, field(at::FP_FLAGS), SCRATCH);
        self.watch(done);
        self.a.bind(done);
        self.a.mov(Size::D, SCRATCH, field(at::FP_FLAGS));
        self.a.ret();
    }

    /// The flags in scratch are all that are raised.
    pub(super) fn set_flags(&mut self) {
        let done = self.a.label();
        self.a.mov_mr(Size::D, field(at::FP_FLAGS), SCRATCH);
        self.a.mov_mi(Size::D, field(at::KNOWN_FLAGS), UNKNOWN.cast_signed());
        self.a.stmxcsr(field(at::SCRATCH));
        self.a.alu_i(Alu::And, Size::D, field(at::SCRATCH), !FLAGS.cast_signed());
        self.a.alu_i(Alu::Or, Size::D, field(at::SCRATCH), WATCHED_MASKS.cast_signed());
        let unwatched = self.a.label();
        self.watch(unwatched);
        self.a.jmp(done);
        self.a.bind(unwatched);
        self.a.ldmxcsr(field(at::SCRATCH));
        self.a.bind(done);
        self.a.ret();
    }

    /// From now on all flags are known, if the two that anything raises are raised or trap, and traps are left. Else to `not`. MXCSR is in the
    /// Cpu's scratch, its flags are beside it.
    fn watch(&mut self, not: Label) {
        self.a.alu_i(Alu::Cmp, Size::D, field(at::WATCHES), 0);
        self.a.jcc(Cc::E, not);
        self.a.mov(Size::D, SCRATCH, field(at::FP_FLAGS));
        self.a.test_i(Size::D, SCRATCH, fpflag::INEXACT.cast_signed());
        self.a.jcc(Cc::E, not);
        let has_invalid = self.a.label();
        self.a.test_i(Size::D, SCRATCH, fpflag::INVALID.cast_signed());
        self.a.jcc(Cc::Ne, has_invalid);
        self.a.test_i(Size::D, field(at::SCRATCH), MASK_INVALID.cast_signed());
        self.a.jcc(Cc::Ne, not);
        self.a.bind(has_invalid);
        self.a.mov_mr(Size::D, field(at::KNOWN_FLAGS), SCRATCH);
        // What is raised stays masked; flags that MXCSR has would trap at once if they came again.
        self.a.shift_i(Shift::Shl, Size::D, SCRATCH, MASKS as u8);
        self.a.alu_i(Alu::Or, Size::D, SCRATCH, !(WATCHED_MASKS | FLAGS).cast_signed());
        self.a.alu_mr(Alu::And, Size::D, field(at::SCRATCH), SCRATCH);
        self.a.ldmxcsr(field(at::SCRATCH));
    }
}
