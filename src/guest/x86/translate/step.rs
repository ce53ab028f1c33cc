//! EFLAGS.TF: each instruction is followed by a trap (SDM vol. 3, "single-step exception condition"). Under its mode word a region is one instruction, and
//! begins by raising the trap of the one before. So any way to go on will do.

use super::Cx;
use crate::state::{STEPPED, mode};
use iced_x86::{Instruction, Mnemonic};
use ir::{IntCc, Trap};

impl Cx<'_> {
    pub(super) fn steps(&self) -> bool {
        self.mode & mode::STEP != 0
    }

    /// What stands before an instruction that is to be followed by a trap.
    pub(super) fn step(&mut self, i: &Instruction) {
        let pc = self.pc;
        self.b.insn(pc, 0, pc);
        let (stepped, zero) = (self.b.get(STEPPED), self.b.i32(0));
        let due = self.b.cmp(IntCc::Ne, stepped, zero);
        let (trap, on) = (self.b.block(), self.b.block());
        self.b.branch(due, trap, on);
        self.b.enter(trap);
        self.b.set(STEPPED, zero);
        self.b.trap(Trap::Step);
        self.b.enter(on);
        // The kernel is entered with TF clear, so the trap is that of the instruction behind the call.
        let is_call = i.mnemonic() == Mnemonic::Syscall || i.mnemonic() == Mnemonic::Int && i.immediate8() == 0x80;
        let stepped = self.b.i32((!is_call).into());
        self.b.set(STEPPED, stepped);
    }
}
