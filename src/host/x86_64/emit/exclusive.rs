//! Exclusive loads and stores.
//!
//! The monitor remembers address and value, and the stamp of the address' granule: each exclusive store gives its granule a new stamp, so another
//! thread's store of the same value in between (A-B-A) is seen. Plain stores are noticed by value.
//! As long as nobody else sees guest memory, address and value are enough.
//!
//! A granule's lock makes a store's look at the stamp and the store itself one: whoever stores exclusively meanwhile has first loaded what the
//! holder's rival left, then finds the lock taken, and fails.
//!
//! A *closed pair* is a load and a store with no other access between: what is stored depends on nothing but registers and the
//! value loaded, so the pair is a compare-and-exchange by value, whatever others stored meanwhile. As long as a program has no others
//! ([`CLOSED_PAIRS`]), nobody needs a stamp. The first open pair's store leaves code for the engine, which has all threads go on with stamps.
//!
//! Then a closed pair gives its granule a stamp, too; in one block, without taking the lock. It looks at it, after its load: two of them cannot
//! make A-B-A while the lock is held.
//!
//! Differs: a closed pair writes its stamp before its compare-and-exchange. Two that were both put off between the two, one since before the value it
//! loaded came back, can make A-B-A behind a third thread's load-exclusive unseen.

use super::super::alloc::size;
use super::super::asm::{Alu, Cc as X, L128, Label, Mem, Reg, Size, vop};
use super::super::plan::Pair;
use super::super::{SCRATCH, TEMPS, field};
use super::Emitter;
use super::cold::Cold;
use crate::Exit;
use crate::cpu::{CLOSED_PAIRS, GRANULES, at};
use ir::{Align, Ty, Val};

impl Emitter<'_> {
    /// An exclusive access's operand, tag and all: with the other registers it needs there is none for the address without. It comes off by
    /// [`Emitter::untagged`], when those have been used.
    fn exclusive_operand(&mut self, addr: Val, align: Align, ty: Ty) -> Mem {
        let mask = std::mem::take(&mut self.mask_tags);
        let mem = self.atomic_operand(addr, align, ty);
        self.mask_tags = mask;
        mem
    }

    /// The operand without a tag, through the value register `t`; the host's flags are lost.
    fn untagged(&mut self, mem: Mem, addr: Val, t: Reg) -> Mem {
        if !self.mask_tags || self.r.ty(addr) != Ty::I64 {
            return mem;
        }
        self.a.lea(Size::Q, t, mem);
        self.mask_tag(t);
        Mem::base(t, 0)
    }

    /// The granule of the address in `addr`; uses scratch and `t`.
    fn granule(&mut self, addr: Reg, t: Reg) -> Mem {
        // An entry is as large as the granule, 16 bytes: the address' bits are its offset.
        self.a.mov(Size::D, SCRATCH, addr);
        self.a.alu_i(Alu::And, Size::D, SCRATCH, (GRANULES as i32 - 1) << 4);
        self.a.mov(Size::Q, t, field(at::GRANULES_PTR));
        self.a.lea(Size::Q, t, Mem::sib(t, SCRATCH, 0, 0));
        Mem::base(t, 0)
    }

    pub(super) fn load_excl(&mut self, v: Val, align: Align, addr: Val) {
        self.clobber();
        let ty = self.r.ty(v);
        if self.plan.pair_of_load(v).is_some() {
            let mem = self.atomic_operand(addr, align, ty);
            let d = self.def(v, None);
            self.fault_here();
            return self.load_exclusive(ty, d, mem);
        }
        let mem = self.exclusive_operand(addr, align, ty);
        let base = self.reg(addr);
        // The stamp is read before the value.
        let t = self.temp();
        let alone = self.a.label();
        if ty != Ty::V128 {
            // (A pair's store claims its granule always.)
            self.unless_concurrent(alone);
        }
        let stamp = self.granule(base, t);
        self.a.mov(Size::Q, SCRATCH, stamp);
        self.a.mov_mr(Size::Q, field(at::EXCL_SEEN), SCRATCH);
        self.a.bind(alone);
        let mem = self.untagged(mem, addr, t);
        self.gpr.locked &= !(1 << t.0);
        if ty == Ty::V128 {
            let x = self.xdef(v, None);
            self.fault_here();
            self.a.v2(vop::VMOVDQU, L128, x, mem);
            self.a.vst(vop::VMOVDQU_ST, L128, field(at::EXCL_VALUE), x);
        } else {
            self.fault_here();
            self.load_exclusive(ty, SCRATCH, mem);
            self.a.mov_mr(Size::Q, field(at::EXCL_VALUE), SCRATCH);
        }
        let addr_size = if self.r.ty(addr) == Ty::I32 { Size::D } else { Size::Q };
        if ty == Ty::V128 {
            self.a.mov(addr_size, SCRATCH, base);
            self.a.mov_mr(Size::Q, field(at::EXCL_ADDR), SCRATCH);
        } else {
            let d = self.temp();
            self.a.mov(addr_size, d, base);
            self.a.mov_mr(Size::Q, field(at::EXCL_ADDR), d);
            self.gpr.locked &= !(1 << d.0);
            let d = self.def(v, None);
            self.a.mov(Size::Q, d, SCRATCH);
        }
    }

    fn load_exclusive(&mut self, ty: Ty, d: Reg, mem: Mem) {
        match size(ty) {
            Size::B => self.a.movzx(Size::B, d, mem),
            Size::W => self.a.movzx(Size::W, d, mem),
            s => self.a.mov(s, d, mem),
        }
    }

    pub(super) fn store_excl(&mut self, v: Val, align: Align, addr: Val, x: Val) {
        self.clobber();
        if let Some(pair) = self.plan.pair_of_store(v) {
            return self.close_pair(v, pair, addr, x);
        }
        let ty = self.r.ty(x);
        let mem = self.exclusive_operand(addr, align, ty);
        let base = self.reg(addr);
        let fail = self.a.label();
        let done = self.a.label();
        if ty == Ty::V128 {
            return self.store_excl16(v, addr, x, base, fail, done);
        }
        let value = self.reg(x);
        let t = self.temp();
        let addr_size = if self.r.ty(addr) == Ty::I32 { Size::D } else { Size::Q };
        self.a.mov(addr_size, SCRATCH, base);
        self.a.alu(Alu::Cmp, Size::Q, SCRATCH, field(at::EXCL_ADDR));
        self.a.jcc(X::Ne, fail);
        let (alone, by_value, tried) = (self.a.label(), self.a.label(), self.a.label());
        self.judge_pair(Some(alone), by_value);
        self.claim(base, t, fail);
        self.exchange(mem, addr, t, None, value, ty, true);
        self.unlock_granule();
        self.a.jmp(tried);
        if self.plan.is_closed(v) {
            self.a.bind(by_value);
            self.exchange(mem, addr, t, None, value, ty, true);
            self.a.jmp(tried);
        } else {
            self.leave_for_stamps(by_value);
        }
        self.a.bind(alone);
        self.exchange(mem, addr, t, None, value, ty, false);
        self.a.bind(tried);
        self.a.jcc(X::Ne, fail);
        self.a.mov_ri(SCRATCH, 0);
        self.a.bind(done);
        self.excl_result(v, fail, done);
    }

    /// Goes on with stamps, else to one of the labels.
    fn judge_pair(&mut self, alone: Option<Label>, without_stamps: Label) {
        self.a.alu_i(Alu::Cmp, Size::D, field(at::CONCURRENT), CLOSED_PAIRS as i32);
        if let Some(label) = alone {
            self.a.jcc(X::B, label);
        }
        self.a.jcc(X::E, without_stamps);
    }

    /// The store of an open pair, come to by the label.
    fn leave_for_stamps(&mut self, label: Label) {
        self.leave_cold(label, Exit::OpenPair { pc: self.pc, extra: self.extra }, false);
    }

    /// Stores the value if memory still holds what was loaded: that value, or what the monitor keeps. ZF tells. Scratch and `t` are lost.
    #[allow(clippy::too_many_arguments, reason = "one exchange, said once")]
    fn exchange(&mut self, mem: Mem, addr: Val, t: Reg, loaded: Option<Val>, value: Reg, ty: Ty, lock: bool) {
        let mem = self.untagged(mem, addr, t);
        match loaded {
            Some(v) => self.copy_to(v, SCRATCH),
            None => self.a.mov(Size::Q, SCRATCH, field(at::EXCL_VALUE)),
        }
        self.fault_here();
        if lock {
            self.a.lock();
        }
        self.a.cmpxchg(size(ty), mem, value);
    }

    /// The store of a closed pair.
    fn close_pair(&mut self, v: Val, pair: Pair, addr: Val, x: Val) {
        let ty = self.r.ty(x);
        // The load was as much aligned.
        let mem = self.exclusive_operand(addr, Align::Any, ty);
        let base = self.reg(addr);
        let value = self.reg(x);
        let t = self.temp();
        let (fail, done) = (self.a.label(), self.a.label());
        let (alone, by_value, tried) = (self.a.label(), self.a.label(), self.a.label());
        self.judge_pair(Some(alone), by_value);
        let granule = self.granule(base, t);
        self.a.alu_i(Alu::Cmp, Size::D, Mem { disp: 8, ..granule }, 0);
        self.a.jcc(X::Ne, fail);
        self.new_stamp(granule);
        let loaded = Some(Val(pair.load));
        self.a.bind(by_value);
        self.exchange(mem, addr, t, loaded, value, ty, true);
        self.a.jmp(tried);
        self.a.bind(alone);
        self.exchange(mem, addr, t, loaded, value, ty, false);
        self.a.bind(tried);
        self.a.jcc(X::Ne, fail);
        self.a.mov_ri(SCRATCH, 0);
        self.a.bind(done);
        match pair.again {
            Some(pc) => {
                let flags = self.rule_now();
                self.cold.push(Cold::Again { label: fail, pc, flags });
                self.excl_status(v);
            }
            None => self.excl_result(v, fail, done),
        }
    }

    /// Gives the granule a stamp that it never had. Scratch is lost.
    fn new_stamp(&mut self, granule: Mem) {
        self.a.alu_i(Alu::Add, Size::Q, field(at::EXCL_STAMP), 1);
        self.a.mov(Size::Q, SCRATCH, field(at::EXCL_STAMP));
        self.a.mov_mr(Size::Q, granule, SCRATCH);
    }

    /// Goes to `fail` unless the granule's stamp is what it was at the load; then holds its lock, so that no other exclusive store comes between
    /// here and ours. Its entry is noted in the Cpu: a fault of the store gives the lock back.
    fn claim(&mut self, base: Reg, t: Reg, fail: Label) {
        let granule = self.granule(base, t);
        let lock = Mem { disp: 8, ..granule };
        self.a.mov_ri(SCRATCH, 1);
        self.a.xchg(Size::Q, lock, SCRATCH);
        self.a.test(Size::D, SCRATCH, SCRATCH);
        self.a.jcc(X::Ne, fail);
        self.a.mov_mr(Size::Q, field(at::EXCL_LOCK), t);
        self.a.mov(Size::Q, SCRATCH, field(at::EXCL_SEEN));
        self.a.alu(Alu::Cmp, Size::Q, SCRATCH, granule);
        let lost = self.a.label();
        self.a.jcc(X::Ne, lost);
        self.cold.push(Cold::Unlock { label: lost, fail });
        self.new_stamp(granule);
    }

    /// Gives the granule's lock back; the host's flags stay. Scratch is lost.
    pub(super) fn unlock_granule(&mut self) {
        self.a.mov(Size::Q, SCRATCH, field(at::EXCL_LOCK));
        self.a.mov_mi(Size::Q, Mem::base(SCRATCH, 8), 0);
        self.a.mov_mi(Size::Q, field(at::EXCL_LOCK), 0);
    }

    fn excl_result(&mut self, v: Val, fail: Label, done: Label) {
        self.cold.push(Cold::One { label: fail, back: done });
        self.a.mov_mi(Size::Q, field(at::EXCL_ADDR), -1);
        self.excl_status(v);
    }

    fn excl_status(&mut self, v: Val) {
        self.fenced = true;
        if self.plan.uses[v.0 as usize] > 0 {
            self.gpr.locked = 0;
            let d = self.def(v, None);
            self.a.mov(Size::D, d, SCRATCH);
        }
    }

    fn store_excl16(&mut self, v: Val, addr: Val, x: Val, base: Reg, fail: Label, done: Label) {
        let t = self.temp();
        self.a.mov(Size::Q, SCRATCH, base);
        self.a.alu(Alu::Cmp, Size::Q, SCRATCH, field(at::EXCL_ADDR));
        // Value registers are emptied before the branches, so that both ways agree on them.
        self.temp_at(t);
        let others: Vec<Reg> = TEMPS.into_iter().filter(|r| *r != t && *r != base).collect();
        for r in others {
            self.temp_at(r);
        }
        let xn = self.x(x);
        self.a.jcc(X::Ne, fail);
        if !self.plan.is_closed(v) {
            let open = self.a.label();
            self.judge_pair(None, open);
            self.leave_for_stamps(open);
        }
        self.claim(base, t, fail);
        if base != Reg::R14 {
            self.a.mov(Size::Q, Reg::R14, base);
        }
        // The value of a base that is a value register is read again by others, tag and all.
        let kept = base == Reg::RCX || base == Reg::RDX || base == Reg::R14;
        if kept {
            self.a.mov_mr(Size::Q, field(at::SAVE + 8), base);
        }
        let mem = self.untagged(Mem::base(Reg::R14, 0), addr, Reg::R14);
        self.fault_here();
        self.a.lock().alu_i(Alu::Or, Size::B, mem, 0);
        self.a.mov_mr(Size::Q, field(at::SAVE), Reg::RBX);
        self.a.mov(Size::Q, SCRATCH, field(at::EXCL_VALUE));
        self.a.mov(Size::Q, Reg::RDX, field(at::EXCL_VALUE + 8));
        self.a.vst(vop::VMOVQ_GST, L128, Reg::RBX, xn);
        self.a.vsti(vop::VPEXTRQ_ST, L128, Reg::RCX, xn, 1);
        self.a.lock().cmpxchg16b(mem);
        self.a.mov(Size::Q, Reg::RBX, field(at::SAVE));
        if kept {
            self.a.mov(Size::Q, base, field(at::SAVE + 8));
        }
        self.unlock_granule();
        self.a.jcc(X::Ne, fail);
        self.a.mov_ri(SCRATCH, 0);
        self.a.bind(done);
        self.excl_result(v, fail, done);
    }

    pub(super) fn clear_excl(&mut self) {
        self.a.mov_mi(Size::Q, field(at::EXCL_ADDR), -1);
    }
}
