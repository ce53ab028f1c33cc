//! The system call thunk: generated code makes most calls itself. What the kernel keeps stays where it is, vector homes among it.

use super::super::asm::{Alu, Cc, Label, Mem, Reg, Size};
use super::super::{Home, SCRATCH, field};
use super::{ThunkOffsets, Writer};
use crate::cpu::{CALL_HOST, CALL_QUIET, CALL_SERVED, CALLS, ExitKind, NOT_SERVED, at};
use ir::Slot;

/// Where the kernel takes the arguments.
const ARGS: [Reg; 6] = [Reg::RDI, Reg::RSI, Reg::RDX, Reg::R10, Reg::R8, Reg::R9];
/// What the syscall instruction itself destroys, beside rax.
const DESTROYED: [Reg; 2] = [Reg::RCX, Reg::R11];

impl Writer<'_> {
    /// Makes the guest's system call as the table of calls says; the guest goes on at the address in scratch. Called: returns when the call is
    /// made and nothing waits, else leaves.
    pub(super) fn syscall(&mut self, at: &mut ThunkOffsets) {
        let (leaves, served, waits, out) = (self.a.label(), self.a.label(), self.a.label(), self.a.label());
        let slots = self.map.state.syscall;
        self.a.mov_mr(Size::Q, field(at::EXIT_VALUE), SCRATCH);
        self.get(SCRATCH, slots.number);
        self.a.alu_i(Alu::Cmp, Size::D, SCRATCH, CALLS as i32);
        self.a.jcc(Cc::Ae, leaves);
        self.a.mov(Size::Q, Reg::RCX, field(at::CALLS_PTR));
        self.a.mov(Size::Q, SCRATCH, Mem::sib(Reg::RCX, SCRATCH, 3, 0));
        self.a.lea(Size::Q, Reg::RCX, Mem::base(Reg::RSP, 8));
        self.a.alu_i(Alu::Cmp, Size::Q, SCRATCH, CALL_SERVED as i32);
        self.a.jcc(Cc::Ae, served);
        self.a.alu_i(Alu::Sub, Size::Q, SCRATCH, CALL_HOST as i32);
        self.a.jcc(Cc::B, leaves);

        // Into the kernel. The engine may drop all code meanwhile, and empty the shadow stack; the thunks stay.
        self.a.mov_mr(Size::Q, field(at::SHADOW), Reg::RCX);
        self.each_lent(|w, s, r| w.a.mov_mr(w.map.size(s), w.map.mem(s), r));
        for (r, slot) in ARGS.into_iter().zip(slots.args) {
            self.get_stored(r, slot);
        }
        self.a.mov_ri(Reg::RCX, 0);
        self.a.mov_mi(Size::D, field(at::IN_CODE), 0);
        let unmade = self.a.label();
        at.syscall_begin = self.a.here();
        self.a.alu_i(Alu::Cmp, Size::D, field(at::GOING), 0);
        self.a.jcc(Cc::E, unmade);
        at.syscall_end = self.a.here();
        self.a.syscall();
        // `Engine::drop_all` orders these two for us.
        self.a.mov_mi(Size::D, field(at::IN_CODE), 1);
        self.a.mov(Size::Q, Reg::RCX, field(at::NEWEST));
        self.a.mov(Size::D, Reg::RCX, Mem::base(Reg::RCX, 0));
        self.take_back();
        self.put(slots.result);
        self.a.alu(Alu::Cmp, Size::D, Reg::RCX, field(at::GENERATION));
        self.a.jcc(Cc::Ne, waits);
        self.return_unless_pending(waits);

        // Without the kernel.
        self.a.bind(served);
        let loud = self.a.label();
        self.a.test(Size::Q, SCRATCH, SCRATCH);
        self.a.jcc(Cc::Ns, loud);
        self.a.mov_ri(Reg::RDX, CALL_QUIET);
        self.a.alu(Alu::Xor, Size::Q, SCRATCH, Reg::RDX);
        self.serve(false, leaves);
        self.return_unless_pending(waits);
        self.a.bind(loud);
        self.serve(true, leaves);
        self.return_unless_pending(waits);

        self.a.bind(waits);
        self.a.mov_mi(Size::D, field(at::EXIT_KIND), ExitKind::SyscallDone as i32);
        self.a.jmp(out);
        at.syscall_restart = self.a.here();
        self.take_back();
        self.a.mov_mi(Size::D, field(at::EXIT_KIND), ExitKind::SyscallRestart as i32);
        self.a.jmp(out);
        self.a.bind(unmade);
        at.syscall_unmade = self.a.here();
        self.take_back();
        self.a.mov_mi(Size::D, field(at::EXIT_KIND), ExitKind::Syscall as i32);
        self.a.jmp(out);
        self.a.bind(leaves);
        self.a.lea(Size::Q, Reg::RCX, Mem::base(Reg::RSP, 8));
        self.a.mov_mr(Size::Q, field(at::SHADOW), Reg::RCX);
        self.a.mov_mi(Size::D, field(at::EXIT_KIND), ExitKind::Syscall as i32);
        self.a.bind(out);
        self.store_homes();
        self.a.stmxcsr(field(at::MXCSR));
        self.return_to_rust();
    }

    /// Calls the function in scratch, with the guest's first arguments; `loud`: it may use vector registers. Where the call begins on the shadow
    /// stack is in rcx.
    fn serve(&mut self, loud: bool, leaves: Label) {
        let slots = self.map.state.syscall;
        self.a.mov_mr(Size::Q, field(at::SHADOW), Reg::RCX);
        self.each_lent(|w, s, r| w.a.mov_mr(w.map.size(s), w.map.mem(s), r));
        if loud {
            self.store_vectors();
        }
        self.a.mov(Size::Q, Reg::RSP, field(at::HOST_RSP));
        for (r, slot) in ARGS.into_iter().zip(slots.args).take(3) {
            self.get_stored(r, slot);
        }
        self.a.call_reg(SCRATCH);
        self.a.mov(Size::Q, Reg::RCX, field(at::SHADOW));
        self.a.lea(Size::Q, Reg::RSP, Mem::base(Reg::RCX, -8));
        self.take_back();
        if loud {
            self.load_vectors();
        }
        self.a.mov_ri(Reg::RDX, NOT_SERVED.cast_unsigned());
        self.a.alu(Alu::Cmp, Size::Q, SCRATCH, Reg::RDX);
        self.a.jcc(Cc::E, leaves);
        self.put(slots.result);
    }

    /// Vector homes to memory, and back.
    fn store_vectors(&mut self) {
        for s in 0..self.map.homed.len() {
            if let Some(x) = self.map.homes.xmm[s] {
                self.map.store(self.a, s, Home::Xmm(x));
            }
        }
    }
    fn load_vectors(&mut self) {
        for s in 0..self.map.homed.len() {
            if let Some(x) = self.map.homes.xmm[s] {
                self.map.load(self.a, s, Home::Xmm(x));
            }
        }
    }

    fn return_unless_pending(&mut self, waits: Label) {
        self.a.alu_i(Alu::Cmp, Size::D, field(at::GOING), 0);
        self.a.jcc(Cc::E, waits);
        self.a.ret();
    }

    /// Homes in registers that a system call needs: (slot, register).
    fn each_lent(&mut self, mut f: impl FnMut(&mut Self, usize, Reg)) {
        for s in 0..self.map.homed.len() {
            if let Some(r) = self.map.homes.gpr[s]
                && is_lent(r)
            {
                f(self, s, r);
            }
        }
    }

    /// Loads those homes from where they were stored.
    fn take_back(&mut self) {
        self.each_lent(|w, s, r| w.a.mov(w.map.size(s), r, w.map.mem(s)));
    }

    /// A slot's value, from its home if it has one.
    fn get(&mut self, to: Reg, slot: Slot) {
        let s = slot.0 as usize;
        match self.map.homes.gpr[s] {
            Some(home) => self.a.mov(self.map.size(s), to, home),
            None => self.a.mov(self.map.size(s), to, self.map.mem(s)),
        }
    }

    /// The same when the homes in lent registers are stored, and no longer there.
    fn get_stored(&mut self, to: Reg, slot: Slot) {
        let s = slot.0 as usize;
        match self.map.homes.gpr[s] {
            Some(home) if !is_lent(home) => self.a.mov(self.map.size(s), to, home),
            _ => self.a.mov(self.map.size(s), to, self.map.mem(s)),
        }
    }

    /// Scratch to a slot.
    fn put(&mut self, slot: Slot) {
        let s = slot.0 as usize;
        match self.map.homes.gpr[s] {
            Some(home) => self.a.mov(self.map.size(s), home, SCRATCH),
            None => self.a.mov_mr(self.map.size(s), self.map.mem(s), SCRATCH),
        }
    }
}

fn is_lent(r: Reg) -> bool {
    ARGS.contains(&r) || DESTROYED.contains(&r)
}
