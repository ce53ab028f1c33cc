//! How blocks end: branches, links to other regions, calls and returns on the shadow stack, and leaving for the engine.
//!
//! The shadow stack holds a pair for each call: the guest's return address, and above it (pushed by `call`) the host's. A return compares the
//! first with where the guest wants to go, and if they agree the host's `ret` predicts it.

use super::super::alloc::{File, HostCc, Loc};
use super::super::asm::{Alu, Cc as X, Label, Mem, Reg, Size};
use super::super::{SCRATCH, field, thunks};
use super::Emitter;
use super::cold::Cold;
use crate::cpu::at;
use crate::{Exit, FlagsRule, Link};
use ir::{BlockId, Term, Val, is_stub};

/// Bytes of a jump or a call through a link slot. They are replaced as a whole when it is linked.
const BY_LINK: usize = 6;

impl Emitter<'_> {
    pub(super) fn term(&mut self, id: BlockId, term: &Term) {
        match *term {
            Term::None => panic!("block {id:?} has no end"),
            Term::Jump(b) => {
                self.save_later_conditions();
                self.prepare_successor(b, self.tracker.rule);
                self.jump_to(b);
            }
            Term::Branch { cond, then, other } => match self.choice.take() {
                Some(choice) => self.choose(&choice),
                None => self.branch(cond, then, other),
            },
            _ => self.exit(term),
        }
    }

    /// What a successor expects, before the jump to it.
    fn prepare_successor(&mut self, b: BlockId, rule: Option<FlagsRule>) {
        if !self.takes_over(b, rule) {
            self.save_pending();
        }
        self.note_way(b);
    }

    /// What is known where a way leads to a block.
    fn note_way(&mut self, b: BlockId) {
        self.blocks[b.0 as usize].stub_at = (self.pc, self.extra);
        self.blocks[b.0 as usize].fenced = self.fenced && self.ways.count[b.0 as usize] == 1 && b.0 != 0;
    }

    /// Whether the block finds flags in the host's: it has one predecessor, which stands before it.
    pub(super) fn hands_over(&self, b: BlockId) -> bool {
        self.ways.count[b.0 as usize] == 1 && b.0 != 0 && !self.blocks[b.0 as usize].emitted
    }

    /// Goes to a block, by falling into it if it is not written yet.
    fn jump_to(&mut self, b: BlockId) {
        if is_stub(self.r, b) && !self.blocks[b.0 as usize].emitted {
            self.stub(b);
        } else if self.blocks[b.0 as usize].emitted || !self.is_next(b) {
            let label = self.blocks[b.0 as usize].label;
            self.a.jmp(label);
        }
    }

    /// Whether `b` is the block that will be written next.
    fn is_next(&self, b: BlockId) -> bool {
        (1..self.r.blocks.len())
            .find(|&i| !self.blocks[i].emitted && !is_stub(self.r, BlockId(i as u32)) && self.ways.count[i] > 0)
            .is_some_and(|i| i == b.0 as usize)
    }

    fn branch(&mut self, cond: Val, then: BlockId, other: BlockId) {
        self.drop_flags(|plan, slot| plan.is_dead_in(then, slot) && plan.is_dead_in(other, slot));
        if !matches!(self.loc(cond), Loc::Cc(_)) {
            // Testing it costs the host's flags.
            self.clobber();
        }
        let cc = self.host_cond(cond);
        self.save_later_conditions();
        let [on_then, on_other] = [true, false].map(|taken| self.tracker.on_edge(self.r, cond, taken));
        if !self.ahead.is_empty() {
            let label = self.edge(then, on_then);
            let ahead = std::mem::take(&mut self.ahead);
            self.trapping.extend(ahead.into_iter().map(|at| (at, label)));
        }
        let (cc, target, rule, rest, rest_rule) = if self.is_next(other) || !self.is_next(then) {
            (cc, then, on_then, other, on_other)
        } else {
            (negate(cc), other, on_other, then, on_then)
        };
        let label = self.edge(target, rule);
        match cc {
            HostCc::One(cc) => self.a.jcc(cc, label),
            HostCc::FpEq => {
                let fall = self.a.label();
                self.a.jcc(X::P, fall);
                self.a.jcc(X::E, label);
                self.a.bind(fall);
            }
            HostCc::FpNe => {
                self.a.jcc(X::P, label);
                self.a.jcc(X::Ne, label);
            }
        }
        self.prepare_successor(rest, rest_rule);
        self.jump_to(rest);
    }

    /// Where a conditional jump to the block goes: there, or to a cold place that saves flags on the way.
    pub(super) fn edge(&mut self, b: BlockId, rule: Option<FlagsRule>) -> Label {
        self.note_way(b);
        let to = self.blocks[b.0 as usize].label;
        let (pending, ruled) = (self.pending_kind(), self.rule_now());
        if self.takes_over(b, rule) || pending.is_none() && ruled.is_none() {
            return to;
        }
        let label = self.a.label();
        self.cold.push(Cold::Edge { label, to, pending, ruled });
        label
    }

    /// A block that only leaves, in the cold part.
    pub(super) fn stub(&mut self, id: BlockId) {
        self.blocks[id.0 as usize].emitted = true;
        self.a.bind(self.blocks[id.0 as usize].label);
        self.flags_at_block(id);
        (self.pc, self.extra) = self.blocks[id.0 as usize].stub_at;
        let term = self.r.blocks[id.0 as usize].term;
        let link = self.out.links.len() as u32;
        self.jump_at = u32::MAX;
        // What registers hold is known of the block that was written last, which need not be the one that leads here.
        let gpr = std::mem::replace(&mut self.gpr, File::EMPTY);
        self.exit(&term);
        self.gpr = gpr;
        let label = self.blocks[id.0 as usize].label;
        if matches!(term, Term::Goto { .. } | Term::Switch { .. }) && self.a.offset_of(label) == Some(self.jump_at) {
            self.bare.push((label, link));
        }
    }

    fn exit(&mut self, term: &Term) {
        if let Term::CallIndirect { pc, .. }
        | Term::Return { pc }
        | Term::Indirect { pc }
        | Term::ResumeAt { pc }
        | Term::FlushCode { addr: pc, .. } = *term
            && matches!(self.loc(pc), Loc::Cc(_))
        {
            self.reg(pc);
        }
        self.save_pending();
        self.host.forget();
        match *term {
            Term::Goto { pc } => self.leave_to(pc, self.r.mode),
            Term::Switch { pc, mode } => self.leave_to(pc, mode),
            Term::Call { pc, ret } => {
                if pc <= self.pc {
                    self.poll(pc);
                }
                self.push_return(ret);
                self.restore_homes();
                let slot = self.link(pc, self.mode_behind());
                self.a.keep_within_quadword(BY_LINK);
                self.a.call_mem(Mem::external(slot));
                self.landing(ret);
            }
            Term::CallIndirect { pc, ret } => {
                self.copy_to(pc, SCRATCH);
                self.push_return(ret);
                self.restore_homes();
                let dispatch = self.a.label();
                self.a.call(dispatch);
                self.landing(ret);
                self.a.bind(dispatch);
                self.dispatch();
            }
            Term::Return { pc } => self.ret(pc),
            Term::Indirect { pc } => {
                self.copy_to(pc, SCRATCH);
                self.restore_homes();
                self.dispatch();
            }
            Term::Syscall { next } => self.syscall(next),
            Term::Resume { pc } => self.leave(Exit::Resume { pc }),
            Term::ResumeAt { pc } => {
                self.copy_to(pc, SCRATCH);
                self.a.mov_mr(Size::Q, field(at::EXIT_VALUE), SCRATCH);
                self.leave(Exit::ResumeAt);
            }
            Term::FlushCode { addr, len, next } => {
                self.copy_to(addr, SCRATCH);
                self.a.mov_mr(Size::Q, field(at::EXIT_VALUE), SCRATCH);
                self.leave(Exit::FlushCode { len, next });
            }
            Term::Trap(trap) => self.leave(Exit::Trap { trap, pc: self.pc, extra: self.extra }),
            Term::None | Term::Jump(_) | Term::Branch { .. } => unreachable!("not an exit"),
        }
    }

    /// On to other code, which may be a loop's head.
    fn leave_to(&mut self, pc: u64, mode: u32) {
        if pc <= self.pc {
            self.turn(pc, mode);
        }
        self.restore_homes();
        self.goto(pc, mode);
    }

    /// The mode word behind calls, returns and the like.
    fn mode_behind(&self) -> u32 {
        self.r.mode & !self.map.state.direct_mode
    }

    /// A system call, which the thunk makes if it can.
    fn syscall(&mut self, next: u64) {
        self.restore_homes();
        self.a.mov_ri(SCRATCH, next);
        self.a.call_extern(self.thunks.syscall);
        if self.extra == 0 {
            self.goto(next, self.mode_behind());
        } else {
            // What goes on after it may belong to another mode.
            self.leave_restored(Exit::Resume { pc: next });
        }
    }

    /// Leaves for the engine.
    pub(super) fn leave(&mut self, exit: Exit) {
        if self.local.is_none() {
            return self.leave_restored(exit);
        }
        let way_out = *self.way_out.get_or_insert_with(|| self.a.label());
        self.hand_exit(exit);
        self.a.jmp(way_out);
    }

    /// Leaves for the engine with the homes that hold between regions.
    fn leave_restored(&mut self, exit: Exit) {
        self.hand_exit(exit);
        self.a.jmp_extern(self.thunks.exit);
    }

    fn hand_exit(&mut self, exit: Exit) {
        let record = self.first_exit + (self.out.exits.len() * size_of::<Exit>()) as u64;
        self.out.exits.push(exit);
        self.a.lea(Size::Q, SCRATCH, Mem::external(record));
    }

    /// To the homes that hold between regions. The host's flags and scratch stay.
    fn restore_homes(&mut self) {
        if let Some(local) = self.local {
            local.leave(self.a);
        }
    }

    /// Leaves, to come back at `pc`, if somebody asked.
    pub(super) fn poll(&mut self, pc: u64) {
        self.a.alu_i(Alu::Cmp, Size::D, field(at::GOING), 0);
        let label = self.a.label();
        self.a.jcc(X::E, label);
        self.leave_cold(label, Exit::Poll { pc }, false);
    }

    /// Polls at a backward jump to `pc`, by counting: whoever wants to interrupt the thread ends its countdown, too.
    fn turn(&mut self, pc: u64, mode: u32) {
        if !self.count {
            return self.poll(pc);
        }
        self.a.alu_i(Alu::Sub, Size::D, field(at::COUNTDOWN), 1);
        let label = self.a.label();
        self.a.jcc(X::B, label);
        self.leave_cold(label, Exit::Hot { pc, from: self.pc, mode }, false);
    }

    /// To code at `pc`, from a cold path on which guest state stands, in the homes within the region.
    pub(super) fn go_back(&mut self, pc: u64) {
        self.host.forget();
        self.poll(pc);
        self.restore_homes();
        self.goto(pc, self.mode_behind());
    }

    /// The address of a new link slot for code.
    fn link(&mut self, pc: u64, mode: u32) -> u64 {
        let n = self.out.links.len() as u64;
        self.out.links.push(Link { pc, mode, slot: 0 });
        self.first_link + 8 * n
    }

    fn goto(&mut self, pc: u64, mode: u32) {
        let slot = self.link(pc, mode);
        self.jump_at = self.a.here();
        self.a.keep_within_quadword(BY_LINK);
        self.a.jmp_mem(Mem::external(slot));
    }

    /// Pushes the guest's return address, which the link register has just been set to, or the guest's stack.
    fn push_return(&mut self, ret: u64) {
        if let Some(r) = self.register_with(ret) {
            return self.a.push(r);
        }
        match i32::try_from(ret) {
            Ok(imm) => self.a.push_i(imm),
            Err(_) => {
                let t = Reg::RDX;
                self.a.mov_ri(t, ret);
                self.a.push(t);
            }
        }
    }

    /// Where a call returns to.
    fn landing(&mut self, ret: u64) {
        self.a.lea(Size::Q, Reg::RSP, Mem::base(Reg::RSP, 8));
        self.goto(ret, self.mode_behind());
    }

    fn ret(&mut self, pc: Val) {
        let target = match self.loc(pc) {
            Loc::Reg(r) if self.r.ty(pc) == ir::Ty::I64 && self.local.is_none() => r,
            _ => {
                self.copy_to(pc, SCRATCH);
                SCRATCH
            }
        };
        self.restore_homes();
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
        thunks::jump_cached(self.a, slow);
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
