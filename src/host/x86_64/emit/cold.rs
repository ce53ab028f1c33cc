//! What stands behind a region's code: exits, slow paths, constants. And the calls of helper sites.

use super::super::asm::{Alu, Cc as X, L128, Label, Mem, Reg, Size, Xm, Xmm, vop};
use super::super::field;
use super::super::{SCRATCH, thunks};
use super::Emitter;
use super::flags::Kind;
use super::float_nans::Nans;
use crate::cpu::at;
use crate::{Exit, FlagsRule, Site};
use ir::{BlockId, Fmt, Helper, Shape, Ty, Val};

/// An operand of a slow path, where it stands when the path is taken.
#[derive(Clone, Copy, Debug)]
pub(super) enum Arg {
    Reg(Reg),
    Xmm(Xmm),
    /// 16 bytes of memory.
    Mem(Mem),
}

/// A piece of code to be written behind the region.
#[derive(Clone, Debug)]
pub(super) enum Cold {
    /// Leave; `value` if scratch holds what goes to `Cpu::exit_value`.
    Leave { label: Label, exit: Exit, value: bool, flags: Option<(u16, FlagsRule)> },
    /// Leaves with the address of `mem`; but an access of so many bytes that lies within 16 aligned ones goes back to the label.
    Misaligned { label: Label, mem: Mem, unless: Option<(u8, Label)>, exit: Exit, flags: Option<(u16, FlagsRule)> },
    /// On the way to a block that wants flags in their slot.
    Edge { label: Label, to: Label, pending: Option<(u16, Kind)>, ruled: Option<(u16, FlagsRule)> },
    /// Flags in packed form to the host's flags.
    Unpack { label: Label, back: Label, bits: u32 },
    /// The granule's lock is given back: another exclusive store came before.
    Unlock { label: Label, fail: Label },
    /// An exclusive pair whose fence was left out and whose store failed: back to its load.
    Again { label: Label, pc: u64, flags: Option<(u16, FlagsRule)> },
    /// Scratch = 1 (an exclusive store that failed), behind a fence as one that did not.
    One { label: Label, back: Label },
    /// Quotient and remainder are 0.
    NoQuotient { label: Label, back: Label },
    /// To `slow` if the scalar in `t` is NaN or the smallest normal number, to `beyond` if it is infinite; `m` is free.
    Judge { label: Label, back: Label, fmt: Fmt, t: Xmm, m: Xmm, slow: Label, beyond: Option<Label> },
    /// RISC-V's NaN where the result in `t` is one; but one of a sum of products goes on to the addend's label if the `addend` is a NaN. `m` is free.
    Canonical { label: Label, back: Label, shape: Shape, t: Xmm, m: Xmm, addend: Option<(Xm, Label)> },
    /// A scalar that is a NaN, as Arm has it.
    Nans(Nans),
    /// The scalar `a` is an integer and a half: to `t`, rounded away from zero; `m` is free.
    Tie { label: Label, back: Label, fmt: Fmt, t: Xmm, m: Xmm, a: Xmm },
    /// The conversion of the scalar `a` to `to` has given the most negative number: right for what is as low or lower, the greatest otherwise, and for
    /// NaN that or zero. The host has raised what is due.
    Saturate { label: Label, back: Label, fmt: Fmt, a: Xmm, to: Reg, size: Size, nan_is_zero: bool },
    /// The conversion of the scalar `a` to `to`, if it is from 2^63 on and below 2^64; else on to `slow`.
    UpperHalf { label: Label, back: Label, fmt: Fmt, a: Xmm, to: Reg, slow: Label },
    /// The sticky flags to a register: they are not known.
    GetFlags { label: Label, back: Label, to: Reg },
    /// The region's rounding again, after an operation with its own, with what that has raised.
    RoundAgain { label: Label, back: Label },
    /// The sticky flags become what the register has.
    SetFlags { label: Label, back: Label, from: Reg },
    /// The floating-point comparison at `v` by [`ir::eval`]; the host's flags become what its own comparison would leave.
    Compare { label: Label, back: Label, v: Val, args: Vec<Arg>, swapped: bool },
    /// The operation at `v` by [`ir::eval`], its operands where `args` say, its result to a vector register; the host's flags stay if `keep`.
    Eval { label: Label, back: Label, v: Val, args: Vec<Arg>, to: Arg, keep: bool },
}

impl Emitter<'_> {
    pub(super) fn cold_paths(&mut self) {
        for i in 0..self.r.blocks.len() {
            if self.ways.count[i] > 0 && !self.blocks[i].emitted {
                self.stub(BlockId(i as u32));
            }
        }
        let mut i = 0;
        // Slow paths may add others.
        while i < self.cold.len() {
            let cold = self.cold[i].clone();
            self.cold_path(&cold);
            i += 1;
        }
    }

    fn cold_path(&mut self, cold: &Cold) {
        match cold {
            Cold::Leave { label, exit, value, flags } => {
                self.a.bind(*label);
                if *value {
                    self.a.mov_mr(Size::Q, field(at::EXIT_VALUE), SCRATCH);
                }
                self.leave_with(*exit, *flags);
            }
            Cold::Misaligned { label, mem, unless, exit, flags } => {
                self.a.bind(*label);
                self.a.lea(Size::Q, SCRATCH, *mem);
                self.a.mov_mr(Size::Q, field(at::EXIT_VALUE), SCRATCH);
                if let Some((size, back)) = unless {
                    self.a.alu_i(Alu::And, Size::D, SCRATCH, 15);
                    self.a.alu_i(Alu::Cmp, Size::D, SCRATCH, 16 - i32::from(*size));
                    self.a.jcc(X::Be, *back);
                }
                self.leave_with(*exit, *flags);
            }
            Cold::Edge { label, to, pending, ruled } => {
                self.a.bind(*label);
                if let Some((slot, kind)) = *pending {
                    self.save_flags(slot, kind);
                }
                if let Some((slot, rule)) = *ruled {
                    self.save_by_rule(slot, rule);
                }
                self.a.jmp(*to);
            }
            Cold::Unpack { label, back, bits } => {
                self.a.bind(*label);
                self.unpack_constant(*bits);
                self.a.jmp(*back);
            }
            Cold::Unlock { label, fail } => {
                self.a.bind(*label);
                self.unlock_granule();
                self.a.jmp(*fail);
            }
            Cold::Again { label, pc, flags } => {
                self.a.bind(*label);
                if let Some((slot, rule)) = *flags {
                    self.save_by_rule(slot, rule);
                }
                self.go_back(*pc);
            }
            Cold::One { label, back } => {
                self.a.bind(*label);
                self.locked_nothing();
                self.a.mov_ri(SCRATCH, 1);
                self.a.jmp(*back);
            }
            Cold::NoQuotient { label, back } => {
                self.a.bind(*label);
                self.a.mov_ri(SCRATCH, 0);
                self.a.mov_ri(Reg::RDX, 0);
                self.a.jmp(*back);
            }
            Cold::Judge { label, back, fmt, t, m, slow, beyond } => {
                self.a.bind(*label);
                self.jump_if_nan_or_tiny(*fmt, *t, *m, *slow);
                if let Some(beyond) = beyond {
                    self.jump_if_infinite(*fmt, *m, *beyond);
                }
                self.a.jmp(*back);
            }
            Cold::Canonical { label, back, shape, t, m, addend } => {
                self.a.bind(*label);
                self.canonical(*shape, *t, *m, *addend);
                self.a.jmp(*back);
            }
            Cold::Nans(nans) => self.nans(nans),
            Cold::Tie { label, back, fmt, t, m, a } => {
                self.a.bind(*label);
                self.tie_away(*fmt, *t, *m, *a);
                self.a.jmp(*back);
            }
            Cold::Saturate { label, back, fmt, a, to, size, nan_is_zero } => {
                self.a.bind(*label);
                self.saturate(*fmt, *a, (*to, *size), *nan_is_zero, *back);
            }
            Cold::UpperHalf { label, back, fmt, a, to, slow } => {
                self.a.bind(*label);
                self.upper_half(*fmt, *a, *to, *slow);
                self.a.jmp(*back);
            }
            Cold::GetFlags { label, back, to } => {
                self.a.bind(*label);
                self.a.call_extern(self.thunks.get_flags);
                self.a.mov(Size::D, *to, SCRATCH);
                self.a.jmp(*back);
            }
            Cold::RoundAgain { label, back } => {
                self.a.bind(*label);
                self.a.stmxcsr(field(at::SCRATCH));
                self.a.mov(Size::D, SCRATCH, field(at::SCRATCH));
                self.round_in_scratch(self.r.fp.round);
                self.a.mov_mr(Size::D, field(at::SCRATCH), SCRATCH);
                self.a.ldmxcsr(field(at::SCRATCH));
                self.a.jmp(*back);
            }
            Cold::SetFlags { label, back, from } => {
                self.a.bind(*label);
                self.a.mov(Size::D, SCRATCH, *from);
                self.a.call_extern(self.thunks.set_flags);
                self.a.jmp(*back);
            }
            Cold::Compare { label, back, v, args, swapped } => {
                self.a.bind(*label);
                for (i, arg) in args.iter().enumerate() {
                    self.store_arg(i, *arg);
                }
                let site = self.site(*v, None);
                self.call_site(site);
                self.compared(*swapped);
                self.a.jmp(*back);
            }
            Cold::Eval { label, back, v, args, to, keep } => {
                self.a.bind(*label);
                if *keep {
                    self.a.lahf();
                    self.a.setcc(X::O, SCRATCH);
                    self.a.mov_mr(Size::D, field(at::SCRATCH), SCRATCH);
                }
                for (i, arg) in args.iter().enumerate() {
                    self.store_arg(i, *arg);
                }
                let site = self.site(*v, None);
                self.call_site(site);
                match *to {
                    Arg::Reg(r) => self.a.mov(Size::Q, r, field(at::RET)),
                    Arg::Xmm(x) => self.a.v2(vop::VMOVDQU, L128, x, field(at::RET)),
                    Arg::Mem(_) => unreachable!("results go to registers"),
                }
                if *keep {
                    self.a.mov(Size::D, SCRATCH, field(at::SCRATCH));
                    self.unpack();
                }
                self.a.jmp(*back);
            }
        }
    }

    /// Leaves with guest flags made by their rule, if they are known so.
    fn leave_with(&mut self, exit: Exit, flags: Option<(u16, FlagsRule)>) {
        if let Some((slot, rule)) = flags {
            self.save_by_rule(slot, rule);
        }
        self.leave(exit);
    }

    /// Leaves in the cold part; `value` if scratch holds what goes to `Cpu::exit_value`. The host's flags must have been saved.
    pub(super) fn leave_cold(&mut self, label: Label, exit: Exit, value: bool) {
        let flags = self.rule_now();
        self.cold.push(Cold::Leave { label, exit, value, flags });
    }

    /// The flags in `Cpu::ret` to the host's Z, P, C as a comparison leaves them.
    fn compared(&mut self, swapped: bool) {
        let (less, greater) = if swapped { (0, 0x0100) } else { (0x0100, 0) };
        let done = self.a.label();
        self.a.mov(Size::D, SCRATCH, field(at::RET));
        for (bit, flags) in [(0x0001, 0x4500), (0x4000, 0x4000), (0x8000, less)] {
            let next = self.a.label();
            self.a.test_i(Size::D, SCRATCH, bit);
            self.a.jcc(X::E, next);
            self.a.mov_ri(SCRATCH, flags);
            self.a.jmp(done);
            self.a.bind(next);
        }
        self.a.mov_ri(SCRATCH, greater);
        self.a.bind(done);
        self.a.sahf();
    }

    /// What a region with homes of its own has of its own.
    pub(super) fn own_thunks(&mut self) {
        let Some(local) = self.local else { return };
        if let Some(label) = self.way_out {
            self.a.bind(label);
            local.leave(self.a);
            self.a.jmp_extern(self.thunks.exit);
        }
        if let Some(label) = self.own_site {
            self.a.bind(label);
            thunks::write_site(self.a, self.map, self.thunks.serve);
        }
    }

    pub(super) fn place_constants(&mut self) {
        if self.constants.is_empty() {
            return;
        }
        self.a.align(16);
        for (bits, label) in std::mem::take(&mut self.constants) {
            self.a.bind(label);
            self.a.buf.extend_from_slice(&bits.to_le_bytes());
        }
    }

    fn store_arg(&mut self, n: usize, arg: Arg) {
        let to = |half: i32| field(at::ARGS + n as i32 * 16 + half);
        match arg {
            Arg::Reg(r) => {
                self.a.mov_mr(Size::Q, to(0), r);
                self.a.mov_mi(Size::Q, to(8), 0);
            }
            Arg::Xmm(x) => self.a.vst(vop::VMOVDQU_ST, L128, to(0), x),
            Arg::Mem(m) => {
                for half in [0, 8] {
                    self.a.mov(Size::Q, SCRATCH, m.offset(half).expect("small displacements"));
                    self.a.mov_mr(Size::Q, to(half), SCRATCH);
                }
            }
        }
    }

    /// Keeps what a call of the helper site needs to know; the address of its cell.
    fn site(&mut self, v: Val, helper: Option<&'static Helper>) -> u64 {
        let inst = self.r.insts[v.0 as usize];
        let mut arg_types = [Ty::Void; 4];
        let mut n = 0;
        inst.op.for_each_arg(|a| {
            arg_types[n] = self.r.ty(a);
            n += 1;
        });
        let cell = self.first_site + 8 * self.out.sites.len() as u64;
        self.out.sites.push(Site { op: inst.op, ty: inst.ty, arg_types, helper });
        cell
    }

    /// All registers but scratch survive; homes pass through guest state.
    fn call_site(&mut self, cell: u64) {
        self.a.mov(Size::Q, SCRATCH, Mem::external(cell));
        match self.local {
            Some(_) => {
                let own = *self.own_site.get_or_insert_with(|| self.a.label());
                self.a.call(own);
            }
            None => self.a.call_extern(self.thunks.site),
        }
    }

    /// Stores the operands of `v` as a site's arguments.
    fn store_args(&mut self, args: &[Val]) {
        for (i, a) in args.iter().enumerate() {
            let ty = self.r.ty(*a);
            let to = |half: i32| field(at::ARGS + i as i32 * 16 + half);
            if ty == Ty::Flags {
                let m = self.flags_place(*a);
                self.load_flags(SCRATCH, m);
                self.a.mov_mr(Size::Q, to(0), SCRATCH);
            } else if ty.is_int() {
                match self.const_of(*a).map(|c| i32::try_from(c as i64)) {
                    Some(Ok(imm)) => self.a.mov_mi(Size::Q, to(0), imm),
                    _ => {
                        self.copy_to(*a, SCRATCH);
                        self.a.mov_mr(Size::Q, to(0), SCRATCH);
                    }
                }
                self.a.mov_mi(Size::Q, to(8), 0);
            } else {
                let x = self.x(*a);
                self.a.vst(vop::VMOVDQU_ST, L128, to(0), x);
                self.xmm.locked = 0;
            }
        }
    }

    fn operands(&self, v: Val) -> Vec<Val> {
        let mut args = Vec::new();
        self.r.op(v).for_each_arg(|a| args.push(a));
        args
    }

    fn take_result(&mut self, v: Val) {
        let ty = self.r.ty(v);
        if ty == Ty::Void || self.plan.uses[v.0 as usize] == 0 {
        } else if ty == Ty::Flags {
            self.flags_from_ret(v);
        } else if ty.is_int() {
            let d = self.def(v, None);
            self.a.mov(Size::Q, d, field(at::RET));
        } else {
            let x = self.xdef(v, None);
            self.a.v2(vop::VMOVDQU, L128, x, field(at::RET));
        }
    }

    /// The operation by [`ir::eval`]: what this back end does not do itself.
    pub(super) fn eval(&mut self, v: Val) {
        let args = self.operands(v);
        self.prepare_flags_args(&args);
        self.clobber();
        self.store_args(&args);
        let site = self.site(v, None);
        self.call_site(site);
        self.take_result(v);
    }

    pub(super) fn call_helper(&mut self, v: Val, helper: &'static Helper, args: &[Val; 4]) {
        let args: Vec<Val> = args.iter().copied().filter(|a| !a.is_none()).collect();
        self.prepare_flags_args(&args);
        self.clobber();
        if helper.can_exit || !matches!(helper.touches, ir::Touches::Nothing) {
            self.save_ruled();
        }
        self.store_args(&args);
        self.release();
        match helper.touches {
            ir::Touches::Nothing | ir::Touches::Reads(_) => {}
            ir::Touches::Writes(slots) => {
                for s in slots {
                    self.leave_slot(s.0 as usize);
                }
            }
            ir::Touches::All => {
                for s in 0..self.map.homed.len() {
                    self.leave_slot(s);
                }
            }
        }
        let site = self.site(v, Some(helper));
        self.call_site(site);
        if helper.can_exit {
            self.a.alu_i(Alu::Cmp, Size::D, field(at::HELPER_TRAP), 0);
            let label = self.a.label();
            self.a.jcc(X::Ne, label);
            let exit = Exit::HelperTrap { pc: self.pc, extra: self.extra };
            self.leave_cold(label, exit, false);
        }
        self.take_result(v);
    }

    /// A slot is going to be written behind our back: values in it that are still needed move out.
    fn leave_slot(&mut self, s: usize) {
        if let Some(r) = self.map.homes.gpr[s] {
            self.free_home(r);
        } else if let Some(x) = self.map.homes.xmm[s] {
            self.free_xhome(x);
        } else if self.map.state.slots[s].ty == Ty::Flags {
            self.spill_flags_in_slot(s as u16, Val::NONE);
        } else {
            self.rescue(s as u16, Val::NONE);
        }
        self.release_locks();
    }

    fn release_locks(&mut self) {
        self.gpr.locked = 0;
        self.xmm.locked = 0;
    }
}
