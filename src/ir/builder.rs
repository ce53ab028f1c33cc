//! Builds a region. Front ends call nothing else. It folds constants and forwards slots while it builds, so that front ends
//! can be plain: `b.get(X1)` twice in a block costs nothing.
//!
//! Methods are not inlined: a front end is thousands of such calls, and inlining them costs four times the build.

use crate::fold;
use crate::helper::{Helper, Touches};
use crate::mem::{Align, Mem, OnFault};
use crate::op::{Bin, Fp1, Fp2, FpCc, Inst, Op, Rmw, Shift, Slot, Un, V1, V2, V3, VShift, Val, X87};
use crate::opt::{origin, stored_before};
use crate::region::{Block, BlockId, FpControl, Region, Term, Trap};
use crate::types::{Cc, Env, Fence, Fmt, IntCc, Lane, Order, Shape, Ty};
use crate::ways::is_stub;

/// The builder of one region; reused for the next by [`Builder::start`].
#[derive(Debug)]
pub struct Builder {
    pub region: Region,
    slot_types: &'static [Ty],
    /// What each slot is known to hold in the current block.
    known: Vec<Val>,
    current: BlockId,
    /// Constants of the current block, for reuse.
    consts: Vec<Val>,
    /// Bases of accesses in the current block that were aligned: what they are a sum of, its constant part, to how many bytes.
    aligned: Vec<(Val, u64, u8)>,
    /// A slot that is to get a constant by the end of the block.
    late: Option<(Slot, u64)>,
    /// A slot that is to be moved by the end of the block.
    moved: Option<Moved>,
    /// What is known lasts behind a branch that may leave ([`Builder::leave_if`]): values are used in later blocks.
    pub lasting: bool,
    /// The guest instruction being built.
    at: u64,
    /// Where branches of the region lead ([`Builder::leave_if`]) that lie ahead of them, the blocks that end by them, and those that leave.
    targets: Vec<(u64, BlockId, BlockId)>,
    /// The first instruction of the region, but for its start, that a branch behind it leads to.
    back: Option<u64>,
    /// The slots of flags: those are read anew in each block.
    flags: Vec<usize>,
    /// The last three operations of the current block that can fault.
    faults: [Val; 3],
}

/// A slot that holds a value yet that something constant has been added to: see [`Builder::set_moving`].
#[derive(Clone, Copy, Debug)]
struct Moved {
    slot: Slot,
    /// What it holds, and what it is to hold.
    held: Val,
    value: Val,
    by: i16,
}

/// Operations from an address on to where its slot is written again ([`Builder::forget_address`]).
const FEW: usize = 24;

/// Of the pages by which translations are stored.
const PAGE_BITS: u32 = 12;

/// Where the word beside pc ([`Op::Insn`]) has how far the moved slot is from what it holds.
const MOVED_SHIFT: u32 = 16;

/// The same from such a word, and the rest of it.
pub fn moved_by(extra: u32) -> (i16, u32) {
    ((extra >> MOVED_SHIFT) as i16, extra & ((1 << MOVED_SHIFT) - 1))
}

/// Where a builder stood.
#[derive(Debug)]
pub struct Mark {
    insts: usize,
    blocks: usize,
    current: BlockId,
    known: Vec<Val>,
    late: Option<(Slot, u64)>,
    moved: Option<Moved>,
}

impl Builder {
    /// A builder for a guest whose slots have these types.
    pub fn new(slot_types: &'static [Ty]) -> Builder {
        Builder {
            region: Region::default(),
            slot_types,
            known: vec![Val::NONE; slot_types.len()],
            current: BlockId(0),
            consts: Vec::new(),
            aligned: Vec::new(),
            late: None,
            faults: [Val::NONE; 3],
            moved: None,
            lasting: false,
            at: 0,
            targets: Vec::new(),
            back: None,
            flags: (0..slot_types.len()).filter(|s| slot_types[*s] == Ty::Flags).collect(),
        }
    }

    /// Begins a new region, in its entry block.
    pub fn start(&mut self, pc: u64, mode: u32, fp: FpControl) {
        let r = &mut self.region;
        r.insts.clear();
        r.blocks.clear();
        r.vectors.clear();
        r.side_entries.clear();
        (r.pc, r.mode, r.end, r.fp, r.guest_insns) = (pc, mode, pc, fp, 0);
        (self.late, self.moved) = (None, None);
        (self.at, self.back) = (pc, None);
        self.targets.clear();
        let entry = self.block();
        self.enter(entry);
    }

    /// A new block, to be entered once.
    #[inline(never)]
    pub fn block(&mut self) -> BlockId {
        let at = self.region.insts.len() as u32;
        self.region.blocks.push(Block { start: at, end: at, term: Term::None, params: Vec::new(), args: Vec::new() });
        BlockId(self.region.blocks.len() as u32 - 1)
    }

    /// Goes on in `block`. The block before it must have been ended.
    ///
    /// # Panics
    /// If the block that was being built has no terminator.
    #[inline(never)]
    pub fn enter(&mut self, block: BlockId) {
        assert!(
            block == self.current || block.0 == 0 || self.region.blocks[self.current.0 as usize].term != Term::None,
            "a block was left without its end"
        );
        self.current = block;
        let at = self.region.insts.len() as u32;
        let b = &mut self.region.blocks[block.0 as usize];
        (b.start, b.end) = (at, at);
        self.known.fill(Val::NONE);
        self.consts.clear();
        self.aligned.clear();
        self.faults = [Val::NONE; 3];
    }

    fn is_of_this_block(&self, v: Val) -> bool {
        v.0 >= self.region.blocks[self.current.0 as usize].start
    }

    /// Whether the current block has its end.
    pub fn ended(&self) -> bool {
        self.region.blocks[self.current.0 as usize].term != Term::None
    }

    /// Ends the current block.
    ///
    /// # Panics
    /// If it has an end.
    #[inline(never)]
    pub fn end(&mut self, term: Term) {
        assert!(!self.ended(), "a block has one end");
        let moved = self.moved.is_some();
        self.settle();
        let leaves = matches!(
            term,
            Term::Goto { .. }
                | Term::Switch { .. }
                | Term::Call { .. }
                | Term::CallIndirect { .. }
                | Term::Return { .. }
                | Term::Indirect { .. }
        );
        if moved && !leaves {
            self.mark_settled();
        }
        let b = &mut self.region.blocks[self.current.0 as usize];
        (b.end, b.term) = (self.region.insts.len() as u32, term);
    }

    /// Ends the block with a branch on an I1, folded if that is a constant.
    #[inline(never)]
    pub fn branch(&mut self, cond: Val, then: BlockId, other: BlockId) {
        match self.region.const_of(cond) {
            Some(0) => self.end(Term::Jump(other)),
            Some(_) => self.end(Term::Jump(then)),
            None => self.end(Term::Branch { cond, then, other }),
        }
    }

    /// Leaves the region by `term` if the condition (I1) holds; else what follows is done.
    pub fn leave_if(&mut self, cond: Val, term: Term) {
        let current = self.current;
        let (left, rest) = (self.block(), self.block());
        if let Term::Goto { pc } = term {
            self.note_target(pc, current, left);
        }
        // Blocks that were made before and have code, or will have some, stand between this one and the rest.
        let falls = (current.0 + 1..left.0).all(|b| {
            let ended = self.region.blocks[b as usize].term != Term::None;
            ended && is_stub(&self.region, BlockId(b))
        });
        self.branch(cond, left, rest);
        if !self.lasting || !falls {
            self.enter(left);
            self.end(term);
            return self.enter(rest);
        }
        let at = self.region.insts.len() as u32;
        for (block, term) in [(left, term), (rest, Term::None)] {
            let b = &mut self.region.blocks[block.0 as usize];
            (b.start, b.end, b.term) = (at, at, term);
        }
        self.current = rest;
        self.flags.iter().for_each(|&slot| self.known[slot] = Val::NONE);
    }

    fn note_target(&mut self, pc: u64, from: BlockId, left: BlockId) {
        if pc > self.at {
            self.targets.push((pc, from, left));
        } else if pc > self.region.pc && self.back.is_none_or(|back| pc < back) {
            self.back = Some(pc);
        }
    }

    /// Whether earlier branches of the region lead to the instruction.
    pub fn is_target(&self, pc: u64) -> bool {
        self.lasting && self.targets.iter().any(|t| t.0 == pc)
    }

    /// Goes on at the instruction at `pc`, to which earlier branches of the region lead ([`Builder::is_target`]): from now on they do so within it, and nothing is
    /// known of what slots hold. False if that would be on another page than the region begins on: regions are looked for by page.
    pub fn meet(&mut self, pc: u64) -> bool {
        if (pc ^ self.region.pc) >> PAGE_BITS != 0 {
            return false;
        }
        let join = self.block();
        self.end(Term::Jump(join));
        for &(_, from, left) in self.targets.iter().filter(|t| t.0 == pc) {
            self.region.blocks[from.0 as usize].term.map_successors(|b| if b == left { join } else { b });
        }
        self.enter(join);
        self.region.side_entries.push((pc, join));
        true
    }

    /// The head of a loop that lies within the region.
    pub fn loop_within(&self) -> Option<u64> {
        self.back.filter(|_| self.lasting)
    }

    /// Ends the block by a trap of the current instruction.
    pub fn trap(&mut self, trap: Trap) {
        self.end(Term::Trap(trap));
    }

    /// Where it stands, in a block that has no end yet.
    pub fn mark(&self) -> Mark {
        Mark {
            insts: self.region.insts.len(),
            blocks: self.region.blocks.len(),
            current: self.current,
            known: self.known.clone(),
            late: self.late,
            moved: self.moved,
        }
    }

    /// The operations since then, if all of them are in the block that has no end yet.
    pub fn since(&self, mark: &Mark) -> Option<&[Inst]> {
        let straight = self.region.blocks.len() == mark.blocks && self.current == mark.current && !self.ended();
        straight.then(|| &self.region.insts[mark.insts..])
    }

    /// What was built since then writes neither state nor memory; it may still fault and raise floating-point exceptions.
    pub fn unwrite(&mut self, mark: &Mark) {
        for i in &mut self.region.insts[mark.insts..] {
            if matches!(i.op, Op::Set(..) | Op::Store(..) | Op::StoreLanes(..) | Op::X87 { op: X87::SetMmx(_), .. }) {
                *i = Inst { op: Op::Const(0), ty: Ty::I1 };
            }
        }
        self.known.copy_from_slice(&mark.known);
        (self.late, self.moved) = (mark.late, mark.moved);
    }

    pub fn ty(&self, v: Val) -> Ty {
        self.region.ty(v)
    }

    /// The bits of a scalar constant, if `v` is one.
    pub fn const_of(&self, v: Val) -> Option<u64> {
        self.region.const_of(v)
    }

    /// Appends an operation as it is. Front ends use the named methods.
    #[inline(never)]
    pub fn push(&mut self, op: Op, ty: Ty) -> Val {
        debug_assert!(!self.ended(), "the block has ended");
        self.region.insts.push(Inst { op, ty });
        let at = Val(self.region.insts.len() as u32 - 1);
        if op.can_fault() {
            self.faults = [self.faults[1], self.faults[2], at];
        }
        at
    }

    /// Appends operation `v` of region `r` once more, with operands from `now`, or what it folds to by now.
    pub(crate) fn again(&mut self, r: &Region, v: Val, now: impl Fn(Val) -> Val) -> Val {
        let (mut op, ty) = (*r.op(v), r.ty(v));
        op.map_args(now);
        match op {
            Op::Get(slot) => self.get(slot),
            Op::Set(slot, v) => {
                self.set(slot, v);
                Val::NONE
            }
            Op::Const(c) => self.constant(ty, c),
            Op::ConstV(v) => self.v128(r.vectors[v as usize]),
            Op::VFromScalar(v) => self.v_from_scalar(v),
            Op::V2(op, lane, a, b) => self.v2_once(op, lane, a, b),
            Op::Cond(cc, flags) => self.cond(cc, flags),
            Op::Call(helper, _) => {
                let v = self.push(op, ty);
                self.touched(helper);
                v
            }
            op => self.pure(op, ty),
        }
    }

    /// Appends a pure operation, or what it folds to.
    #[inline(never)]
    pub(crate) fn pure(&mut self, op: Op, ty: Ty) -> Val {
        if let Some(v) = self.fold_vector(&op) {
            return v;
        }
        match fold::fold(&self.region, &op, ty) {
            fold::Folded::No => self.push(op, ty),
            // A truth value may be of an earlier block, but flags are of one.
            fold::Folded::Op(Op::Cond(_, flags)) if !self.is_of_this_block(flags) => self.push(op, ty),
            fold::Folded::Val(v) => v,
            fold::Folded::Const(c) => self.constant(ty, c),
            fold::Folded::Op(op) => self.pure(op, ty),
        }
    }

    /// The start of a guest instruction: see [`Op::Insn`]. `next` is the address after it.
    #[inline(never)]
    pub fn insn(&mut self, pc: u64, extra: u32, next: u64) {
        let moved = self.moved.map_or(0, |m| u32::from(m.by as u16) << MOVED_SHIFT);
        self.push(Op::Insn { pc, extra: extra | moved }, Ty::Void);
        self.at = pc;
        self.region.guest_insns += 1;
        self.region.end = self.region.end.max(next);
    }

    // ---- constants and state ----

    /// A scalar constant of type `ty`; the bits above its width are dropped.
    #[inline(never)]
    pub fn constant(&mut self, ty: Ty, bits: u64) -> Val {
        let bits = bits & ty.mask();
        for &v in &self.consts {
            let i = &self.region.insts[v.0 as usize];
            if i.ty == ty && i.op == Op::Const(bits) {
                return v;
            }
        }
        let v = self.push(Op::Const(bits), ty);
        self.consts.push(v);
        v
    }
    pub fn i64(&mut self, c: u64) -> Val {
        self.constant(Ty::I64, c)
    }
    pub fn i32(&mut self, c: u32) -> Val {
        self.constant(Ty::I32, c as u64)
    }
    pub fn i1(&mut self, c: bool) -> Val {
        self.constant(Ty::I1, c as u64)
    }
    /// A V128 constant.
    #[inline(never)]
    pub fn v128(&mut self, bits: u128) -> Val {
        let r = &mut self.region;
        let at = r.vectors.iter().position(|v| *v == bits).unwrap_or_else(|| {
            r.vectors.push(bits);
            r.vectors.len() - 1
        });
        self.once(Op::ConstV(at as u32), Val(0))
    }
    /// Reads a slot.
    #[inline(never)]
    pub fn get(&mut self, slot: Slot) -> Val {
        let at = slot.0 as usize;
        if self.known[at].is_none() {
            self.known[at] = self.push(Op::Get(slot), self.slot_types[at]);
        }
        self.known[at]
    }
    /// Writes a slot. Only after the last operation of the guest instruction that can fault, unless that is a load that can be done again: its address
    /// stands in another slot.
    ///
    /// # Panics
    /// If the value has another type than the slot.
    #[inline(never)]
    pub fn set(&mut self, slot: Slot, v: Val) {
        self.late = self.late.filter(|(late, _)| *late != slot);
        if let Some(m) = self.moved.take_if(|m| m.slot == slot) {
            self.known[slot.0 as usize] = m.held;
        }
        let at = slot.0 as usize;
        assert_eq!(self.ty(v), self.slot_types[at], "type of slot {at}");
        if self.known[at] != v {
            self.forget_address(slot);
            self.push(Op::Set(slot, v), Ty::Void);
            self.known[at] = v;
        }
    }
    /// A slot is about to be written. If it holds the address of a load that is all that could see it, the load tells it should it fault, and takes
    /// the address apart.
    fn forget_address(&mut self, slot: Slot) {
        let ([before, _, load], held) = (self.faults, self.known[slot.0 as usize]);
        // Behind a load of an earlier block somebody may have left, who sees the slot.
        if load.is_none() || !self.is_of_this_block(load) || held.is_none() || !before.is_none() && before > held {
            return;
        }
        let Op::Load(mem) = *self.region.op(load) else { return };
        // Whoever else wants the address has it computed. What the slot has got behind the load is none.
        let since = &self.region.insts[held.0 as usize + 1..];
        let (is_set, mut uses) = (|i: &Inst| matches!(i.op, Op::Set(s, _) if s == slot), 0);
        if since.len() > FEW || self.region.insts[load.0 as usize + 1..].iter().any(is_set) {
            return;
        }
        since.iter().for_each(|i| i.op.for_each_arg(|v| uses += u32::from(v == held)));
        if uses > 1 + u32::from(mem.base == held) {
            return;
        }
        let plain = !mem.big && mem.size <= 8 && mem.order == Order::Plain && mem.align == Align::Any;
        if !plain || self.known.iter().filter(|v| **v == held).count() > 1 {
            return;
        }
        let sum = fold::address(&self.region, &[], Mem { base: held, index: Val::NONE, scale: 0, disp: 0, ..mem });
        let parts = |m: &Mem| (m.base, m.index, m.scale);
        let (disp, back) = if sum.base == held {
            return;
        } else if parts(&mem) == (held, Val::NONE, 0) {
            let Some(disp) = mem.disp.checked_add(sum.disp) else { return };
            (disp, mem.disp)
        } else if parts(&mem) == parts(&sum) {
            let Some(back) = mem.disp.checked_sub(sum.disp) else { return };
            (mem.disp, back)
        } else {
            return;
        };
        self.region.insts[load.0 as usize].op = Op::Load(Mem { disp, on_fault: Some(OnFault { slot, back }), ..sum });
    }
    /// A slot gets a constant, at the latest where the block ends or a helper may see it. Until then only a fault can, whose record must tell: the
    /// guest says what it has been told so far by [`Builder::late`] in the word beside pc ([`Op::Insn`]). There is one such slot.
    pub fn set_late(&mut self, slot: Slot, c: u64) {
        self.late = Some((slot, c));
    }
    pub fn late(&self) -> Option<u64> {
        self.late.map(|(_, c)| c)
    }
    /// Writes an integer slot that is moved often, and by constants: a stack pointer. If what it gets is what it holds plus something constant, it is
    /// written where the block ends or a helper may see it. Until then only a fault can, whose record tells how far it was moved, in the upper half of the word
    /// beside pc ([`moved_by`]). Like [`Builder::set`] it comes last in an instruction. There is one such slot.
    pub fn set_moving(&mut self, slot: Slot, v: Val) {
        let held = self.moved.map_or(self.known[slot.0 as usize], |m| m.held);
        let by = if held.is_none() { None } else { self.distance(held, v) };
        let Some(by) = by else { return self.set(slot, v) };
        if by == 0 {
            return self.set(slot, held);
        }
        let value = self.add_imm(held, by.into());
        self.moved = Some(Moved { slot, held, value, by });
        self.known[slot.0 as usize] = value;
    }

    /// How far one value is from another, if that is known.
    fn distance(&self, from: Val, to: Val) -> Option<i16> {
        let [(a, first), (b, second)] = [from, to].map(|v| origin(&self.region, v));
        let by = fold::sign_extend(second.wrapping_sub(first), self.ty(from).bits()) as i64;
        if a == b { i16::try_from(by).ok() } else { None }
    }

    fn settle(&mut self) {
        if let Some((slot, c)) = self.late.take() {
            let v = self.constant(self.slot_types[slot.0 as usize], c);
            self.set(slot, v);
        }
        let Some(Moved { slot, held, by, .. }) = self.moved else { return };
        // Anew, so that what it holds need not wait elsewhere.
        let ty = self.ty(held);
        let by = self.constant(ty, i64::from(by) as u64);
        let value = self.push(Op::Bin(Bin::Add, held, by), ty);
        self.set(slot, value);
    }

    /// Behind [`Builder::settle`]: what follows of the instruction finds the moved slot written.
    fn mark_settled(&mut self) {
        let last = self.region.insts.iter().rev().find_map(|i| match i.op {
            Op::Insn { pc, extra } => Some((pc, moved_by(extra))),
            _ => None,
        });
        if let Some((pc, (1.. | ..=-1, extra))) = last {
            self.push(Op::Insn { pc, extra }, Ty::Void);
        }
    }
    /// Whether others see guest memory.
    pub(crate) fn concurrent(&mut self) -> Val {
        self.push(Op::Concurrent, Ty::I32)
    }
    pub fn fp_flags(&mut self) -> Val {
        self.push(Op::FpFlagsGet, Ty::I32)
    }
    pub fn set_fp_flags(&mut self, v: Val) {
        self.push(Op::FpFlagsSet(v), Ty::Void);
    }

    // ---- integers ----

    #[inline(never)]
    pub fn bin(&mut self, op: Bin, a: Val, b: Val) -> Val {
        let ty = self.ty(a);
        self.pure(Op::Bin(op, a, b), ty)
    }
    pub fn add(&mut self, a: Val, b: Val) -> Val {
        self.bin(Bin::Add, a, b)
    }
    pub fn sub(&mut self, a: Val, b: Val) -> Val {
        self.bin(Bin::Sub, a, b)
    }
    pub fn mul(&mut self, a: Val, b: Val) -> Val {
        self.bin(Bin::Mul, a, b)
    }
    pub fn and(&mut self, a: Val, b: Val) -> Val {
        self.bin(Bin::And, a, b)
    }
    pub fn or(&mut self, a: Val, b: Val) -> Val {
        self.bin(Bin::Or, a, b)
    }
    pub fn xor(&mut self, a: Val, b: Val) -> Val {
        self.bin(Bin::Xor, a, b)
    }
    /// a & !b
    pub fn and_not(&mut self, a: Val, b: Val) -> Val {
        self.bin(Bin::AndNot, a, b)
    }
    /// a + constant (its low bits, at a's width).
    pub fn add_imm(&mut self, a: Val, imm: i64) -> Val {
        let ty = self.ty(a);
        let c = self.constant(ty, imm as u64);
        self.bin(Bin::Add, a, c)
    }
    pub fn and_imm(&mut self, a: Val, imm: u64) -> Val {
        let ty = self.ty(a);
        let c = self.constant(ty, imm);
        self.bin(Bin::And, a, c)
    }
    /// Shift or rotate by a constant below the width.
    pub fn shift_imm(&mut self, op: Bin, a: Val, amount: u32) -> Val {
        let ty = self.ty(a);
        let c = self.constant(ty, amount as u64);
        self.bin(op, a, c)
    }
    pub fn un(&mut self, op: Un, a: Val) -> Val {
        let ty = self.ty(a);
        self.pure(Op::Un(op, a), ty)
    }
    pub fn neg(&mut self, a: Val) -> Val {
        self.un(Un::Neg, a)
    }
    pub fn not(&mut self, a: Val) -> Val {
        self.un(Un::Not, a)
    }
    /// To a wider integer type (or the same: nothing), zeros above.
    pub fn zext(&mut self, ty: Ty, v: Val) -> Val {
        if self.ty(v) == ty { v } else { self.pure(Op::Zext(v), ty) }
    }
    pub fn sext(&mut self, ty: Ty, v: Val) -> Val {
        if self.ty(v) == ty { v } else { self.pure(Op::Sext(v), ty) }
    }
    pub fn trunc(&mut self, ty: Ty, v: Val) -> Val {
        if self.ty(v) == ty { v } else { self.pure(Op::Trunc(v), ty) }
    }
    /// Bits lsb .. lsb+width, zero- or sign-extended to v's type.
    pub fn extract(&mut self, v: Val, lsb: u32, width: u32, signed: bool) -> Val {
        let ty = self.ty(v);
        self.pure(Op::Extract { v, lsb: lsb as u8, width: width as u8, signed }, ty)
    }
    pub fn deposit(&mut self, into: Val, v: Val, lsb: u32, width: u32) -> Val {
        let ty = self.ty(into);
        self.pure(Op::Deposit { into, v, lsb: lsb as u8, width: width as u8 }, ty)
    }
    pub fn funnel(&mut self, hi: Val, lo: Val, amount: u32) -> Val {
        let ty = self.ty(lo);
        self.pure(Op::Funnel { hi, lo, amount: amount as u8 }, ty)
    }
    pub fn shift_double(&mut self, left: bool, a: Val, b: Val, amount: Val) -> Val {
        let ty = self.ty(a);
        self.pure(Op::ShiftDouble { left, a, b, amount }, ty)
    }
    pub fn cmp(&mut self, cc: IntCc, a: Val, b: Val) -> Val {
        self.pure(Op::Cmp(cc, a, b), Ty::I1)
    }
    pub fn select(&mut self, cond: Val, a: Val, b: Val) -> Val {
        let ty = self.ty(a);
        self.pure(Op::Select(cond, a, b), ty)
    }
    /// a + b + C
    pub fn add_c(&mut self, a: Val, b: Val, flags: Val) -> Val {
        let ty = self.ty(a);
        self.push(Op::AddC(a, b, flags), ty)
    }
    /// a - b - !C
    pub fn sub_c(&mut self, a: Val, b: Val, flags: Val) -> Val {
        let ty = self.ty(a);
        self.push(Op::SubC(a, b, flags), ty)
    }
    pub fn div_wide(&mut self, remainder: bool, hi: Val, lo: Val, divisor: Val) -> Val {
        let ty = self.ty(lo);
        self.push(Op::DivWide { remainder, hi, lo, divisor }, ty)
    }
    /// See [`Op::Strings`].
    pub fn strings(&mut self, ty: Ty, control: u8, explicit: bool, [a, b, lengths]: [Val; 3]) -> Val {
        self.push(Op::Strings { control, explicit, a, b, lengths }, ty)
    }
    pub fn crc32(&mut self, acc: Val, v: Val, bytes: u32, c: bool) -> Val {
        self.push(Op::Crc32 { acc, v, bytes: bytes as u8, c }, Ty::I32)
    }

    // ---- flags ----

    pub fn flags_add(&mut self, a: Val, b: Val) -> Val {
        self.push(Op::FlagsAdd(a, b), Ty::Flags)
    }
    pub fn flags_sub(&mut self, a: Val, b: Val) -> Val {
        self.push(Op::FlagsSub(a, b), Ty::Flags)
    }
    pub fn flags_adc(&mut self, a: Val, b: Val, flags: Val) -> Val {
        self.push(Op::FlagsAdc(a, b, flags), Ty::Flags)
    }
    pub fn flags_sbc(&mut self, a: Val, b: Val, flags: Val) -> Val {
        self.push(Op::FlagsSbc(a, b, flags), Ty::Flags)
    }
    pub fn flags_logic(&mut self, v: Val) -> Val {
        self.push(Op::FlagsLogic(v), Ty::Flags)
    }
    pub fn flags_nz(&mut self, v: Val, cv: Val) -> Val {
        let cv = self.carry_and_overflow_of(cv);
        self.push(Op::FlagsNz(v, cv), Ty::Flags)
    }
    /// N and Z of `v`, C the truth value `c`, V from `flags`.
    pub fn flags_nzc(&mut self, v: Val, c: Val, flags: Val) -> Val {
        let flags = self.overflow_of(flags);
        self.push(Op::FlagsNzc(v, c, flags), Ty::Flags)
    }
    /// N and Z of `v` shifted by a constant above 0 and below the width, C the bit shifted out last, V from `flags`.
    pub fn flags_shift(&mut self, shift: Bin, v: Val, amount: u32, flags: Val) -> Val {
        let flags = self.overflow_of(flags);
        self.push(Op::FlagsShift { shift, v, amount: amount as u8, flags }, Ty::Flags)
    }
    pub fn flags_set_c(&mut self, flags: Val, c: Val) -> Val {
        self.push(Op::FlagsSetC(flags, c), Ty::Flags)
    }
    pub fn flags_opposite_c(&mut self, flags: Val) -> Val {
        self.push(Op::FlagsOppositeC(flags), Ty::Flags)
    }
    pub fn flags_fcmp(&mut self, fmt: Fmt, env: Env, signalling: bool, a: Val, b: Val) -> Val {
        self.push(Op::FlagsFcmp { fmt, signalling, env, a, b }, Ty::Flags)
    }
    /// Flags of v + 1, or v - 1, with the C of `flags`.
    pub fn flags_step(&mut self, down: bool, v: Val, flags: Val) -> Val {
        self.push(Op::FlagsStep { down, v, flags }, Ty::Flags)
    }
    pub fn flags_shift_x86(&mut self, shift: Shift, v: Val, amount: Val, flags: Val) -> Val {
        let mask = if self.ty(v) == Ty::I64 { 63 } else { 31 };
        let moves = self.const_of(amount).is_some_and(|n| n & mask != 0);
        let flags = if moves && !matches!(shift, Shift::Rol | Shift::Ror) { Val::NONE } else { flags };
        self.push(Op::FlagsShiftX86 { shift, v, amount, flags }, Ty::Flags)
    }
    pub fn flags_shift_double(&mut self, left: bool, a: Val, b: Val, amount: Val, flags: Val) -> Val {
        let mask = u64::from(self.ty(a).bits() - 1);
        let moves = self.const_of(amount).is_some_and(|n| n & mask != 0);
        let flags = if moves { Val::NONE } else { flags };
        self.push(Op::FlagsShiftDouble { left, a, b, amount, flags }, Ty::Flags)
    }
    pub fn flags_product(&mut self, signed: bool, a: Val, b: Val) -> Val {
        self.push(Op::FlagsProduct { signed, a, b }, Ty::Flags)
    }
    pub fn flags_test(&mut self, a: Val, b: Val) -> Val {
        self.push(Op::FlagsTest(a, b), Ty::Flags)
    }
    pub fn flags_to_eflags(&mut self, flags: Val) -> Val {
        self.push(Op::FlagsToEflags(flags), Ty::I32)
    }
    pub fn flags_from_eflags(&mut self, eflags: Val) -> Val {
        self.push(Op::FlagsFromEflags(eflags), Ty::Flags)
    }
    pub fn flags_to_bits(&mut self, flags: Val) -> Val {
        self.push(Op::FlagsToBits(flags), Ty::I32)
    }
    pub fn flags_from_bits(&mut self, bits: Val) -> Val {
        self.push(Op::FlagsFromBits(bits), Ty::Flags)
    }
    pub fn cond(&mut self, cc: Cc, flags: Val) -> Val {
        if let (Cc::Cs | Cc::Cc, Op::FlagsSetC(_, c) | Op::FlagsNzc(_, c, _)) = (cc, *self.region.op(flags)) {
            return if cc == Cc::Cs { c } else { self.not(c) };
        }
        match fold::condition(&self.region, cc, flags) {
            Some(holds) => self.i1(holds),
            None => self.push(Op::Cond(cc, flags), Ty::I1),
        }
    }

    // ---- floating point ----

    pub fn bitcast(&mut self, ty: Ty, v: Val) -> Val {
        if self.ty(v) == ty { v } else { self.pure(Op::Bitcast(v), ty) }
    }
    pub fn fp1(&mut self, op: Fp1, shape: Shape, env: Env, a: Val) -> Val {
        self.push(Op::Fp1(op, shape, env, a), shape.ty())
    }
    pub fn fp2(&mut self, op: Fp2, shape: Shape, env: Env, a: Val, b: Val) -> Val {
        self.push(Op::Fp2(op, shape, env, a, b), shape.ty())
    }
    /// (±a*b) ± c
    #[allow(clippy::too_many_arguments, reason = "the operation has them")]
    pub fn fma(&mut self, shape: Shape, env: Env, neg_product: bool, neg_addend: bool, a: Val, b: Val, c: Val) -> Val {
        self.push(Op::Fma { shape, env, neg_product, neg_addend, a, b, c }, shape.ty())
    }
    /// Scalar conversion between formats (BF16 is an I16).
    pub fn fp_cvt(&mut self, from: Fmt, to: Fmt, env: Env, v: Val) -> Val {
        self.push(Op::FpCvt { from, to, lanes: 0, env, v }, to.ty())
    }
    /// The low `lanes` lanes converted.
    pub fn fp_cvt_lanes(&mut self, from: Fmt, to: Fmt, lanes: u32, env: Env, v: Val) -> Val {
        self.push(Op::FpCvt { from, to, lanes: lanes as u8, env, v }, Ty::V128)
    }
    /// Scalar to an integer of type `ty`.
    pub fn fp_to_int(&mut self, fmt: Fmt, env: Env, signed: bool, ty: Ty, fbits: u32, v: Val) -> Val {
        let op = Op::FpToInt { shape: Shape::scalar(fmt), env, signed, bits: ty.bits() as u8, fbits: fbits as u8, v };
        self.push(op, ty)
    }
    /// Lanes to integers of the same width.
    pub fn fp_to_int_lanes(&mut self, shape: Shape, env: Env, signed: bool, fbits: u32, v: Val) -> Val {
        let bits = shape.fmt.lane().bits() as u8;
        self.push(Op::FpToInt { shape, env, signed, bits, fbits: fbits as u8, v }, Ty::V128)
    }
    /// From an integer scalar (I32, I64) or lanes of the same width.
    pub fn fp_from_int(&mut self, shape: Shape, env: Env, signed: bool, fbits: u32, v: Val) -> Val {
        self.push(Op::FpFromInt { shape, env, signed, fbits: fbits as u8, v }, shape.ty())
    }
    pub fn fp_to_int_js(&mut self, v: Val) -> Val {
        self.push(Op::FpToIntJs(v), Ty::I32)
    }
    pub fn fp_cmp(&mut self, cc: FpCc, shape: Shape, env: Env, a: Val, b: Val) -> Val {
        self.push(Op::FpCmp(cc, shape, env, a, b), Ty::V128)
    }

    // ---- vectors ----

    pub fn v1(&mut self, op: V1, lane: Lane, a: Val) -> Val {
        if let (V1::WidenU, Op::V1(V1::MoveHi, _, whole)) = (op, *self.region.op(a)) {
            // The high half widened: its lanes and zeros by turns.
            let zero = self.v128(0);
            return self.v2(V2::ZipHi, lane, whole, zero);
        }
        self.pure(Op::V1(op, lane, a), Ty::V128)
    }
    pub fn v2(&mut self, op: V2, lane: Lane, a: Val, b: Val) -> Val {
        self.pure(Op::V2(op, lane, a, b), Ty::V128)
    }
    pub fn v3(&mut self, op: V3, lane: Lane, a: Val, b: Val, c: Val) -> Val {
        self.push(Op::V3(op, lane, a, b, c), Ty::V128)
    }
    pub fn vshift(&mut self, op: VShift, lane: Lane, a: Val, amount: u32) -> Val {
        self.push(Op::VShift(op, lane, a, amount as u8), Ty::V128)
    }
    pub fn crypto(&mut self, op: crate::op::Crypto, a: Val, b: Val) -> Val {
        self.push(Op::Crypto(op, a, b), Ty::V128)
    }
    /// Bytes n .. n+16 of hi:lo.
    pub fn vext(&mut self, lo: Val, hi: Val, n: u32) -> Val {
        self.push(Op::VExt(lo, hi, n as u8), Ty::V128)
    }
    pub fn v_from_scalar(&mut self, v: Val) -> Val {
        // Scalars in general registers are slow to come to vectors: once is enough.
        self.once(Op::VFromScalar(v), v)
    }
    /// A vector operation that may have been made of the same operands shortly before.
    pub fn v2_once(&mut self, op: V2, lane: Lane, a: Val, b: Val) -> Val {
        self.once(Op::V2(op, lane, a, b), a)
    }
    /// A pure vector operation, or the same one of shortly before in the block. `operand` is one of its own.
    fn once(&mut self, op: Op, operand: Val) -> Val {
        let start = self.region.blocks[self.current.0 as usize].start as usize;
        let begin = start.max(operand.0 as usize).max(self.region.insts.len().saturating_sub(64));
        match (begin..self.region.insts.len()).rev().find(|&i| self.region.insts[i].op == op) {
            Some(i) => Val(i as u32),
            None => self.pure(op, Ty::V128),
        }
    }
    /// A floating-point scalar at the bottom of a vector; what is above is of no meaning.
    pub fn v_low(&mut self, v: Val) -> Val {
        self.pure(Op::VLow(v), Ty::V128)
    }
    pub fn vsplat(&mut self, lane: Lane, v: Val) -> Val {
        self.push(Op::VSplat(lane, v), Ty::V128)
    }
    pub fn vsplat_lane(&mut self, lane: Lane, v: Val, n: u32) -> Val {
        self.push(Op::VSplatLane(lane, v, n as u8), Ty::V128)
    }
    /// The signs of the lanes.
    pub fn vsigns(&mut self, lane: Lane, v: Val) -> Val {
        self.push(Op::VSigns(lane, v), Ty::I32)
    }
    /// A lane as a scalar of type `ty` (its size is the lane's).
    pub fn vget(&mut self, ty: Ty, v: Val, n: u32) -> Val {
        let lane = Lane::log2(ty.bytes().trailing_zeros());
        self.pure(Op::VGet(lane, v, n as u8), ty)
    }
    pub fn vset(&mut self, lane: Lane, v: Val, scalar: Val, n: u32) -> Val {
        let ty = self.ty(v);
        self.pure(Op::VSet(lane, v, scalar, n as u8), ty)
    }

    // ---- memory ----

    /// A load; `ty` is at least `mem.size` wide.
    #[inline(never)]
    pub fn load(&mut self, ty: Ty, mem: Mem) -> Val {
        let mem = self.access(mem);
        if ty == Ty::V128 {
            let start = self.region.blocks[self.current.0 as usize].start;
            if let Some(known) = stored_before(&self.region, start, &mem, ty) {
                return known.build(self, |v| v);
            }
        }
        self.push(Op::Load(mem), ty)
    }
    /// A vector read ahead, in a block that ends with a branch and writes nothing.
    pub fn load_ahead(&mut self, mem: Mem) -> Val {
        let mem = self.access(mem);
        self.push(Op::LoadAhead(mem), Ty::V128)
    }
    /// A vector written ahead, in such a block.
    pub(crate) fn store_ahead(&mut self, mem: Mem, v: Val, second: Val) {
        let mem = self.access(mem);
        self.push(Op::StoreAhead(mem, v, second), Ty::Void);
    }
    #[inline(never)]
    pub fn store(&mut self, mem: Mem, v: Val) {
        let mem = self.access(mem);
        self.push(Op::Store(mem, v), Ty::Void);
    }
    /// Lanes of a vector, of the access's size, where the mask's are all ones; zero elsewhere.
    pub fn load_lanes(&mut self, mem: Mem, mask: Val) -> Val {
        let mem = self.access(mem);
        self.push(Op::LoadLanes(mem, mask), Ty::V128)
    }
    pub fn store_lanes(&mut self, mem: Mem, v: Val, mask: Val) {
        let mem = self.access(mem);
        self.push(Op::StoreLanes(mem, v, mask), Ty::Void);
    }
    /// An access in its shortest form: its address folded, its alignment not asked for where an access before would have trapped.
    fn access(&mut self, mem: Mem) -> Mem {
        let mut mem = fold::address(&self.region, &self.known, mem);
        if let Some(m) = self.moved.filter(|m| m.value == mem.base)
            && let Some(disp) = mem.disp.checked_add(m.by.into())
        {
            (mem.base, mem.disp) = (m.held, disp);
        }
        if let (Align::To(bytes), true) = (mem.align, mem.index.is_none()) {
            let (root, sum) = origin(&self.region, mem.base);
            let (sum, low) = (sum.wrapping_add_signed(mem.disp.into()), u64::from(bytes) - 1);
            let known = |&(base, other, to): &(Val, u64, u8)| base == root && to >= bytes && (other ^ sum) & low == 0;
            let constant = self.const_of(root).map(|c| c.wrapping_add(sum) & low);
            if constant == Some(0) || self.aligned.iter().any(known) {
                mem.align = Align::Any;
            } else {
                self.aligned.push((root, sum, bytes));
            }
        }
        mem
    }
    pub fn rmw(&mut self, op: Rmw, order: Order, align: Align, addr: Val, v: Val) -> Val {
        let ty = self.ty(v);
        self.push(Op::AtomicRmw(op, order, align.for_size(ty.bytes()), addr, v), ty)
    }
    pub fn cmpxchg(&mut self, align: Align, addr: Val, expected: Val, new: Val) -> Val {
        let ty = self.ty(new);
        self.push(Op::CmpXchg { addr, expected, new, align: align.for_size(ty.bytes()) }, ty)
    }
    pub fn load_excl(&mut self, ty: Ty, order: Order, align: Align, addr: Val) -> Val {
        self.push(Op::LoadExcl(addr, order, align.for_size(ty.bytes())), ty)
    }
    pub fn store_excl(&mut self, order: Order, align: Align, addr: Val, v: Val) -> Val {
        let align = align.for_size(self.ty(v).bytes());
        self.push(Op::StoreExcl(addr, v, order, align), Ty::I32)
    }
    pub fn clear_excl(&mut self) {
        self.push(Op::ClearExcl, Ty::Void);
    }
    pub fn fence(&mut self, kind: Fence) {
        self.push(Op::Fence(kind), Ty::Void);
    }
    pub fn prefetch(&mut self, addr: Val) {
        self.push(Op::Prefetch(addr), Ty::Void);
    }
    /// An operation of the x87 unit whose image begins at the slot. `v` is [`Val::NONE`] if it has no operand.
    #[inline(never)]
    pub fn x87(&mut self, image: Slot, op: X87, v: Val) -> Val {
        self.push(Op::X87 { image, op, v }, op.result())
    }
    /// An instruction of the unit with a memory operand.
    #[inline(never)]
    pub fn x87_mem(&mut self, image: Slot, code: u16, mem: Mem) {
        let mem = self.access(mem);
        self.push(Op::X87Mem { image, code, mem }, Ty::Void);
    }
    /// Calls a helper with up to four arguments; the result has type `ty` (Void: none).
    #[inline(never)]
    pub fn call(&mut self, helper: &'static Helper, ty: Ty, args: &[Val]) -> Val {
        let mut a = [Val::NONE; 4];
        a[..args.len()].copy_from_slice(args);
        let waiting = [self.late.map(|l| l.0), self.moved.map(|m| m.slot)];
        if waiting.into_iter().flatten().any(|slot| helper.touches.includes(slot)) {
            self.settle();
            self.mark_settled();
        }
        let v = self.push(Op::Call(helper, a), ty);
        self.touched(helper);
        v
    }

    /// What a helper writes is not known any more.
    fn touched(&mut self, helper: &Helper) {
        match helper.touches {
            Touches::Nothing | Touches::Reads(_) => {}
            Touches::Writes(slots) => slots.iter().for_each(|s| self.known[s.0 as usize] = Val::NONE),
            Touches::All => self.known.fill(Val::NONE),
        }
    }
}

#[cfg(test)]
mod tests;
