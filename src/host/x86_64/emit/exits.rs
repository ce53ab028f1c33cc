//! How blocks end: branches, links to other regions, calls and returns on the shadow stack, and leaving for the engine.
//!
//! The shadow stack holds a pair for each call: the guest's return address, and above it (pushed by `call`) the host's. A return compares the
//! first with where the guest wants to go, and if they agree the host's `ret` predicts it.

use super::super::alloc::{HostCc, Loc};
use super::super::asm::{Alu, Cc as X, Mem, Reg, Size};
use super::super::{SCRATCH, field};
use super::Emitter;
use super::cold::Cold;
use crate::cpu::{JUMP_CACHE, at};
use crate::{Exit, ExitRecord};
use ir::{BlockId, Term, Val};

impl Emitter<'_> {
    pub(super) fn term(&mut self, id: BlockId, term: &Term) {
        debug_assert!(self.host.unsaved.is_none(), "flags are missing at the end of {id:?}");
        match *term {
            Term::None => panic!("block {id:?} has no end"),
            Term::Jump(b) => {
                self.prepare_successor(b, false);
                self.jump_to(b);
            }
            Term::Branch { cond, then, other } => self.branch(cond, then, other),
            _ => self.exit(term),
        }
    }

    /// Flags for a successor: with one predecessor it finds them where they are, else they are saved.
    fn prepare_successor(&mut self, b: BlockId, keep: bool) {
        let pending = self.pending_kind().filter(|&(slot, _)| !self.plan.is_dead_in(b, slot));
        if self.predecessors[b.0 as usize] == 1 && b.0 != 0 {
            self.entry[b.0 as usize] = pending.map(|(slot, kind)| (slot, kind, self.pending_from()));
        } else if pending.is_some() {
            self.save_pending(keep);
        }
        self.stub_at[b.0 as usize] = (self.pc, self.extra);
        self.fenced_at[b.0 as usize] = self.fenced && self.predecessors[b.0 as usize] == 1 && b.0 != 0;
    }

    /// Goes to a block, by falling into it if it is not written yet.
    fn jump_to(&mut self, b: BlockId) {
        if self.is_stub(b) && !self.emitted[b.0 as usize] {
            self.stub(b);
        } else if self.emitted[b.0 as usize] || !self.is_next(b) {
            let label = self.labels[b.0 as usize];
            self.a.jmp(label);
        }
    }

    /// Whether `b` is the block that will be written next.
    fn is_next(&self, b: BlockId) -> bool {
        (1..self.r.blocks.len())
            .find(|&i| !self.emitted[i] && !self.is_stub(BlockId(i as u32)) && self.predecessors[i] > 0)
            .is_some_and(|i| i == b.0 as usize)
    }

    fn branch(&mut self, cond: Val, then: BlockId, other: BlockId) {
        let wanted = |b: BlockId| self.pending_kind().is_some_and(|(slot, _)| !self.plan.is_dead_in(b, slot));
        let is_single = |b: BlockId| self.predecessors[b.0 as usize] == 1 && b.0 != 0;
        if !wanted(then) && !wanted(other) {
            self.drop_pending();
        } else if !matches!(self.loc(cond), Loc::Cc(_)) {
            // Testing it costs the host's flags.
            self.save_pending(false);
        } else if [then, other].into_iter().any(|b| wanted(b) && !is_single(b)) {
            self.save_pending(true);
        }
        let cc = self.host_cond(cond);
        self.prepare_successor(then, true);
        self.prepare_successor(other, true);
        let (first, target, rest) =
            if self.is_next(other) || !self.is_next(then) { (cc, then, other) } else { (negate(cc), other, then) };
        let label = self.labels[target.0 as usize];
        let fall = self.labels[rest.0 as usize];
        match first {
            HostCc::One(cc) => self.a.jcc(cc, label),
            HostCc::FpEq => {
                self.a.jcc(X::P, fall);
                self.a.jcc(X::E, label);
            }
            HostCc::FpNe => {
                self.a.jcc(X::P, label);
                self.a.jcc(X::Ne, label);
            }
        }
        self.jump_to(rest);
    }

    /// A block that only leaves, in the cold part.
    pub(super) fn stub(&mut self, id: BlockId) {
        self.emitted[id.0 as usize] = true;
        self.a.bind(self.labels[id.0 as usize]);
        self.host = super::HostFlags::at_entry(self.entry[id.0 as usize]);
        (self.pc, self.extra) = self.stub_at[id.0 as usize];
        let term = self.r.blocks[id.0 as usize].term;
        self.exit(&term);
    }

    fn exit(&mut self, term: &Term) {
        if !matches!(term, Term::Goto { .. } | Term::Call { .. })
            && let Term::CallIndirect { pc, .. }
            | Term::Return { pc }
            | Term::Indirect { pc }
            | Term::FlushCode { addr: pc, .. } = *term
            && matches!(self.loc(pc), Loc::Cc(_))
        {
            self.reg(pc);
        }
        self.save_pending(false);
        self.host.forget();
        match *term {
            Term::Goto { pc } => {
                if pc <= self.pc {
                    self.poll(pc);
                }
                self.goto(pc);
            }
            Term::Call { pc, ret } => {
                if pc <= self.pc {
                    self.poll(pc);
                }
                self.push_return(ret);
                let slot = self.link(pc);
                self.a.call_mem(Mem::external(slot));
                self.landing(ret);
            }
            Term::CallIndirect { pc, ret } => {
                self.copy_to(pc, SCRATCH);
                self.push_return(ret);
                let dispatch = self.a.label();
                self.a.call(dispatch);
                self.landing(ret);
                self.a.bind(dispatch);
                self.dispatch();
            }
            Term::Return { pc } => self.ret(pc),
            Term::Indirect { pc } => {
                self.copy_to(pc, SCRATCH);
                self.dispatch();
            }
            Term::Syscall { next } => self.syscall(next),
            Term::Resume { pc } => self.leave(Exit::Resume { pc }),
            Term::FlushCode { addr, len, next } => {
                self.copy_to(addr, SCRATCH);
                self.a.mov_mr(Size::Q, field(at::EXIT_VALUE), SCRATCH);
                self.leave(Exit::FlushCode { len, next });
            }
            Term::Trap(trap) => self.leave(Exit::Trap { trap, pc: self.pc, extra: self.extra }),
            Term::None | Term::Jump(_) | Term::Branch { .. } => unreachable!("not an exit"),
        }
    }

    /// A system call, which the thunk makes if it can.
    fn syscall(&mut self, next: u64) {
        self.a.mov_ri(SCRATCH, next);
        self.a.call_extern(self.thunks.syscall);
        if self.extra == 0 {
            self.goto(next);
        } else {
            // What goes on after it may belong to another mode.
            self.leave(Exit::Resume { pc: next });
        }
    }

    /// Leaves for the engine.
    pub(super) fn leave(&mut self, exit: Exit) {
        let record = self.first_exit + (self.out.exits.len() * size_of::<ExitRecord>()) as u64;
        self.out.exits.push(exit);
        self.a.lea(Size::Q, SCRATCH, Mem::external(record));
        self.a.jmp_extern(self.thunks.exit);
    }

    /// Leaves, to come back at `pc`, if somebody asked.
    fn poll(&mut self, pc: u64) {
        self.a.alu_i(Alu::Cmp, Size::D, field(at::PENDING), 0);
        let label = self.a.label();
        self.a.jcc(X::Ne, label);
        self.cold.push(Cold::Leave { label, exit: Exit::Poll { pc }, value: false });
    }

    /// To code at `pc`, from a cold path on which guest state stands.
    pub(super) fn go_back(&mut self, pc: u64) {
        self.poll(pc);
        self.goto(pc);
    }

    /// The address of a new link slot for a guest address.
    fn link(&mut self, pc: u64) -> u64 {
        let n = self.out.links.len() as u64;
        self.out.links.push((pc, 0));
        self.first_link + 8 * n
    }

    /// What link slots point to until they are linked.
    pub(super) fn link_stubs(&mut self) {
        for n in 0..self.out.links.len() {
            self.out.links[n].1 = self.a.here();
            let pc = self.out.links[n].0;
            self.leave(Exit::Goto { pc, link: n as u32 });
        }
    }

    fn goto(&mut self, pc: u64) {
        let slot = self.link(pc);
        self.a.jmp_mem(Mem::external(slot));
    }

    /// Pushes the guest's return address.
    fn push_return(&mut self, ret: u64) {
        match i32::try_from(ret) {
            Ok(imm) => self.a.push_i(imm),
            Err(_) => {
                // The link register has just been set to it: its home, if it has one.
                let home = self.map.gpr.iter().flatten().copied().find(|r| {
                    let v = self.gpr.holds[r.0 as usize];
                    !v.is_none() && self.const_of(v) == Some(ret)
                });
                match home {
                    Some(r) => self.a.push(r),
                    None => {
                        let t = Reg::RDX;
                        self.a.mov_ri(t, ret);
                        self.a.push(t);
                    }
                }
            }
        }
    }

    /// Where a call returns to.
    fn landing(&mut self, ret: u64) {
        self.a.lea(Size::Q, Reg::RSP, Mem::base(Reg::RSP, 8));
        self.goto(ret);
    }

    fn ret(&mut self, pc: Val) {
        let target = match self.loc(pc) {
            Loc::Reg(r) if self.r.ty(pc) == ir::Ty::I64 => r,
            _ => {
                self.copy_to(pc, SCRATCH);
                SCRATCH
            }
        };
        let miss = self.a.label();
        self.a.alu(Alu::Cmp, Size::Q, target, Mem::base(Reg::RSP, 8));
        self.a.jcc(X::Ne, miss);
        self.a.ret();
        self.a.bind(miss);
        if target != SCRATCH {
            self.a.mov(Size::Q, SCRATCH, target);
        }
        self.a.jmp_extern(self.thunks.return_miss);
    }

    /// To the guest address in scratch, by the jump cache.
    fn dispatch(&mut self) {
        let slow = self.a.label();
        self.a.alu_i(Alu::Cmp, Size::D, field(at::PENDING), 0);
        self.a.jcc(X::Ne, slow);
        // Entries are 16 bytes: the address' bits 2.. choose one, times four is its offset.
        self.a.mov(Size::D, Reg::RCX, SCRATCH);
        self.a.alu_i(Alu::And, Size::D, Reg::RCX, (JUMP_CACHE as i32 - 1) << 2);
        let entry = |disp: i32| Mem::sib(super::super::STATE, Reg::RCX, 2, at::JUMPS + disp);
        self.a.alu(Alu::Cmp, Size::Q, SCRATCH, entry(0));
        self.a.jcc(X::Ne, slow);
        self.a.jmp_mem(entry(8));
        self.a.bind(slow);
        self.a.jmp_extern(self.thunks.indirect);
    }
}

fn negate(cc: HostCc) -> HostCc {
    match cc {
        HostCc::One(cc) => HostCc::One(cc.invert()),
        HostCc::FpEq => HostCc::FpNe,
        HostCc::FpNe => HostCc::FpEq,
    }
}
