//! What emission needs to know before it begins: who uses a value last, which values and slot writes nobody needs, and which values should be
//! computed straight into the host register that is a slot's home. One backward pass over each block, what it leads to first.

use super::Map;
use ir::{Bin, Crypto, Fp1, Fp2, Lane, NanRule, Op, Region, Slot, Ty, Un, Val};
use ir::{Touches, V1, V2};

/// No home wanted.
pub(super) const NO_HOME: u16 = u16::MAX;

/// The plan of a region. Indexed by instruction.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// The value whose register this one shares: itself, or what it only renames (a truncation, lane 0 of a vector).
    pub(super) root: Vec<Val>,
    /// The last instruction that uses the (root) value; the block's end counts as one. 0: never.
    pub(super) last_use: Vec<u32>,
    pub(super) uses: Vec<u16>,
    /// Instructions to leave out.
    pub(super) skip: Vec<bool>,
    /// The slot whose home the value should be computed into, or [`NO_HOME`].
    pub(super) home: Vec<u16>,
    /// It is so for the sake of a result that is going to stand there.
    passed: Vec<bool>,
    /// After the instruction, the flags slot is overwritten before anybody can see it.
    pub(super) flags_dead: Vec<bool>,
    /// A scalar that a vector shares its register with: zero must stand above it.
    pub(super) wide: Vec<bool>,
    /// A result of which somebody sees which NaN it is: not only operations to which all are the same.
    pub(super) nan_seen: Vec<bool>,
    /// Slots: overwritten before anybody can see them. (Scratch for the pass.)
    dead: Vec<bool>,
    pairs: Vec<Pair>,
    /// The exclusive stores between which and their load no other access stands, though a branch may.
    closed: Vec<u32>,
    /// Blocks: whether an exclusive load comes before the end with no access behind it.
    loaded_at_end: Vec<bool>,
    rounds: Vec<Round>,
    /// The same at the start of each block that has been planned: by block and slot.
    dead_at_start: Vec<bool>,
    planned: Vec<bool>,
    order: Order,
    /// Slots: the value that is going to be set there and wants its home.
    wanted: Vec<Val>,
    /// Those that have one, each once, and perhaps others.
    wanting: Vec<u16>,
    /// Where the block begins. Values of earlier ones may take no home early: between the blocks the region may be left.
    start: u32,
}

/// A closed pair of exclusives: no other access stands between load and store.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair {
    pub(super) load: u32,
    store: u32,
    /// Where to go when the store fails, for the fence before the pair is left out: the load's address. A store that succeeds is a fence, at which
    /// the value loaded still holds.
    pub(super) again: Option<u64>,
}

/// A round of AES that is done where its result meets the next round's key, which the host's instruction adds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Round {
    /// The exclusive or that adds the key.
    xor: u32,
    /// [`Crypto::AesSubShift`] or its inverse.
    pub(super) op: Crypto,
    pub(super) is_mixed: bool,
    pub(super) state: Val,
    pub(super) key: Val,
}

impl Plan {
    /// The round that the exclusive or `v` completes.
    pub(super) fn round_of(&self, v: Val) -> Option<Round> {
        self.rounds.iter().copied().find(|p| p.xor == v.0)
    }

    pub(super) fn pair_of_load(&self, v: Val) -> Option<Pair> {
        self.pairs.iter().copied().find(|p| p.load == v.0)
    }

    pub(super) fn pair_of_store(&self, v: Val) -> Option<Pair> {
        self.pairs.iter().copied().find(|p| p.store == v.0)
    }

    /// Whether no access stands between the exclusive store `v` and its load.
    pub(super) fn is_closed(&self, v: Val) -> bool {
        self.closed.contains(&v.0)
    }

    /// Finds the exclusive stores of the blocks that are closed. A block that can be come to from one other alone goes on where that ended.
    fn find_closed(&mut self, r: &Region) {
        self.closed.clear();
        self.loaded_at_end.clear();
        self.loaded_at_end.resize(r.blocks.len(), false);
        if !r.insts.iter().any(|i| matches!(i.op, Op::StoreExcl(..))) {
            return;
        }
        let mut from = vec![(0, 0); r.blocks.len()];
        // The region's own beginning, and others.
        from[0].0 = 1;
        r.side_entries.iter().for_each(|(_, block)| from[block.0 as usize].0 = 1);
        for (n, b) in r.blocks.iter().enumerate() {
            for to in b.term.successors() {
                let (ways, last) = &mut from[to.0 as usize];
                (*ways, *last) = (*ways + 1, n);
            }
        }
        for (n, b) in r.blocks.iter().enumerate() {
            let mut loaded = matches!(from[n], (1, before) if before < n && self.loaded_at_end[before]);
            for i in b.start..b.end {
                match &r.insts[i as usize].op {
                    Op::LoadExcl(..) => loaded = true,
                    Op::StoreExcl(..) => self.closed.extend(std::mem::take(&mut loaded).then_some(i)),
                    Op::Fence(ir::Fence::Full) | Op::ClearExcl | Op::Call(..) => loaded = false,
                    op if op.can_fault() => loaded = false,
                    _ => {}
                }
            }
            self.loaded_at_end[n] = loaded;
        }
    }

    /// Finds the closed pairs of a block.
    fn find_pairs(&mut self, r: &Region, start: u32, end: u32) {
        let (mut load, mut fence) = (None, None);
        for i in start..end {
            let inst = &r.insts[i as usize];
            match inst.op {
                Op::LoadExcl(..) if inst.ty != Ty::V128 => load = Some(i),
                Op::StoreExcl(addr, x, ..) => {
                    if let Some(l) = load
                        && matches!(*r.op(Val(l)), Op::LoadExcl(a, ..) if self.root[a.0 as usize] == self.root[addr.0 as usize])
                        && r.ty(Val(l)) == r.ty(x)
                    {
                        let again = fence.and_then(|f| {
                            let pc = repeatable(r, start, l, i)?;
                            self.skip[f as usize] = true;
                            Some(pc)
                        });
                        self.pairs.push(Pair { load: l, store: i, again });
                    }
                    (load, fence) = (None, None);
                }
                Op::Fence(ir::Fence::Full) => (load, fence) = (None, Some(i)),
                Op::Fence(_) | Op::ClearExcl | Op::Call(..) => (load, fence) = (None, None),
                _ if inst.op.can_fault() => (load, fence) = (None, None),
                _ => {}
            }
        }
    }

    /// Plans a region for the slots' homes.
    pub(super) fn run(&mut self, r: &Region, map: &Map) {
        let (n, homed) = (r.insts.len(), &*map.homed);
        self.root.clear();
        self.wide.clear();
        self.wide.resize(n, false);
        for (i, inst) in r.insts.iter().enumerate() {
            let root = renames(r, &inst.op, inst.ty).map_or(Val(i as u32), |v| self.root[v.0 as usize]);
            self.wide[root.0 as usize] |= matches!(inst.op, Op::VFromScalar(_));
            self.root.push(root);
        }
        {
            let list = &mut self.last_use;
            list.clear();
            list.resize(n, 0);
        }
        self.uses.clear();
        self.uses.resize(n, 0);
        self.nan_seen.clear();
        self.nan_seen.resize(n, false);
        self.skip.clear();
        self.skip.resize(n, false);
        self.home.clear();
        self.home.resize(n, NO_HOME);
        self.passed.clear();
        self.passed.resize(n, false);
        self.flags_dead.clear();
        self.flags_dead.resize(n, false);
        self.dead_at_start.clear();
        self.dead_at_start.resize(r.blocks.len() * homed.len(), false);
        self.pairs.clear();
        self.rounds.clear();
        for b in &r.blocks {
            self.find_pairs(r, b.start, b.end);
        }
        self.find_closed(r);
        self.planned.clear();
        self.planned.resize(r.blocks.len(), false);
        let mut order = std::mem::take(&mut self.order);
        order.find(r);
        for &i in &order.blocks {
            let b = &r.blocks[i];
            self.dead_at_end(&b.term, homed.len());
            self.block(r, b, homed, map.flags);
            self.dead_at_start[i * homed.len()..][..homed.len()].copy_from_slice(&self.dead);
            self.planned[i] = true;
        }
        self.order = order;
    }

    /// Whether a slot is overwritten in `block` (or beyond) before anybody can see what it holds at the block's start.
    pub(super) fn is_dead_in(&self, block: ir::BlockId, slot: u16) -> bool {
        let slots = self.dead.len();
        self.dead_at_start[block.0 as usize * slots + slot as usize]
    }

    /// The slots that are dead at the end of a block: in all blocks that it goes on to, which have been planned unless they are heads of loops.
    fn dead_at_end(&mut self, term: &ir::Term, slots: usize) {
        self.dead.clear();
        self.dead.resize(slots, term.successors().next().is_some());
        for b in term.successors() {
            let start = &self.dead_at_start[b.0 as usize * slots..][..slots];
            let planned = self.planned[b.0 as usize];
            if planned {
                self.dead.iter_mut().zip(start).for_each(|(dead, start)| *dead &= *start);
            } else {
                self.dead.fill(false);
            }
        }
    }

    fn block(&mut self, r: &Region, block: &ir::Block, homed: &[bool], flags: Option<u16>) {
        let (start, end, term) = (block.start, block.end, &block.term);
        self.start = start;
        self.wanted.resize(homed.len(), Val::NONE);
        self.wanting.drain(..).for_each(|s| self.wanted[usize::from(s)] = Val::NONE);
        term.for_each_arg(|v| self.note_use(v, end));
        if let ir::Term::Call { ret, .. } | ir::Term::CallIndirect { ret, .. } = *term {
            self.keep_for_call(r, start..end, ret);
        }
        for i in (start..end).rev() {
            self.flags_dead[i as usize] = flags.is_some_and(|f| self.dead[f as usize]);
            self.inst(r, i, homed);
        }
    }

    /// The address that a call returns to has been made for a register or the stack: it is pushed once more.
    fn keep_for_call(&mut self, r: &Region, block: std::ops::Range<u32>, ret: u64) {
        const BACK: usize = 8;
        let end = block.end;
        let made = block.rev().take(BACK).find(|&i| matches!(r.insts[i as usize].op, Op::Const(c) if c == ret));
        made.into_iter().for_each(|i| self.note_use(Val(i), end));
    }

    fn note_use(&mut self, v: Val, at: u32) {
        self.note_number(v, at);
        self.nan_seen[self.root[v.0 as usize].0 as usize] = true;
    }

    /// The same for an operand of which it does not matter what NaN it is.
    fn note_number(&mut self, v: Val, at: u32) {
        let root = self.root[v.0 as usize];
        let last = &mut self.last_use[root.0 as usize];
        *last = (*last).max(at);
        self.uses[v.0 as usize] += 1;
        if root != v {
            self.uses[root.0 as usize] += 1;
        }
    }

    fn inst(&mut self, r: &Region, i: u32, homed: &[bool]) {
        let op = &r.insts[i as usize].op;
        let at = i as usize;
        if let Op::Set(slot, v) = *op {
            let s = slot.0 as usize;
            if self.dead[s] {
                self.skip[at] = true;
                // Nobody sees the home before it is written again: the value may live there, unless that of the later write does already.
                if homed[s] && (self.wanted[s].is_none() || self.wanted[s].0 > i) {
                    self.want(r, i, slot, v);
                }
                return;
            }
            self.dead[s] = true;
            self.note_use(v, i);
            if homed[s] {
                self.want(r, i, slot, v);
            }
            return;
        }
        if self.uses[at] == 0 && !op.has_effect() {
            self.skip[at] = true;
            return;
        }
        match op {
            Op::Get(slot) => {
                self.dead[slot.0 as usize] = false;
                self.unwant(slot.0 as usize, i);
            }
            Op::Call(h, _) => match h.touches {
                Touches::Nothing => {}
                Touches::Reads(slots) | Touches::Writes(slots) => {
                    for s in slots {
                        self.dead[s.0 as usize] = false;
                        self.unwant(s.0 as usize, i);
                    }
                }
                Touches::All => self.all_seen(i),
            },
            _ => {}
        }
        if op.can_fault() {
            let told = match *op {
                Op::Load(m) => m.on_fault.map(|told| (told.slot.0 as usize, self.dead[told.slot.0 as usize])),
                _ => None,
            };
            self.all_seen(i);
            // A slot that its record tells of is not seen by the fault.
            told.into_iter().for_each(|(slot, dead)| self.dead[slot] = dead);
        }
        if let Some(round) = self.keyed_round(r, i) {
            self.skip[at] = true;
            self.pass_home_to(r, i, homed, (round.state, None));
            self.note_use(round.state, round.xor);
            self.rounds.push(round);
            return;
        }
        self.pass_home_on(r, i, homed);
        match *op {
            // One operand, said twice.
            Op::Crypto(_, a, b) if a == b => self.note_use(a, i),
            // The flags of narrow sums are not the host's.
            Op::FlagsAdc(a, _, _) if !matches!(r.ty(a), Ty::I32 | Ty::I64) => op.for_each_arg(|v| self.note_use(v, i)),
            Op::AddC(a, b, f) | Op::FlagsAdc(a, b, f) => {
                [a, b, carry_of(r, f).0].into_iter().for_each(|v| self.note_use(v, i));
            }
            Op::V2(V2::PMulWide, Lane::D, a, b) => [a, b].into_iter().for_each(|v| self.note_use(half(r, v).0, i)),
            _ if is_blind_to_nans(op) => op.for_each_arg(|v| self.note_number(v, i)),
            _ => op.for_each_arg(|v| self.note_use(v, i)),
        }
        if let (Op::StoreExcl(..), Some(pair)) = (op, self.pair_of_store(Val(i))) {
            self.note_use(Val(pair.load), i);
        }
        if let (Op::Select(_, x, y), Ty::Flags) = (op, r.insts[at].ty) {
            // The comparison that a conditional comparison selects is emitted at the selection: its operands must last until then.
            for f in [x, y].into_iter().filter(|f| matches!(r.op(**f), Op::FlagsSub(..) | Op::FlagsAdd(..))) {
                r.op(*f).for_each_arg(|v| self.note_use(v, i));
            }
        }
    }

    /// The operation at `i` is computed in a home: its first operand, if this is all that it is for, may be computed there already.
    fn pass_home_on(&mut self, r: &Region, i: u32, homed: &[bool]) {
        let operands = match *r.op(Val(i)) {
            Op::Bin(Bin::Add | Bin::Sub | Bin::And | Bin::Or | Bin::Xor | Bin::Mul, a, b) => (a, Some(b)),
            Op::Bin(Bin::Shl | Bin::Shr | Bin::Sar, a, n) if r.const_of(n).is_some() => (a, None),
            Op::Un(Un::Not | Un::Neg | Un::Bswap, a) => (a, None),
            _ => return,
        };
        self.pass_home_to(r, i, homed, operands);
    }

    /// The same for the first of an operation's operands, whatever the operation.
    fn pass_home_to(&mut self, r: &Region, i: u32, homed: &[bool], (a, b): (Val, Option<Val>)) {
        let s = self.home[i as usize];
        if s == NO_HOME || !homed[s as usize] || self.wanted[s as usize] != Val(i) {
            return;
        }
        let root = self.root[a.0 as usize];
        let at = root.0 as usize;
        let is_slot = |v: Val| matches!(*r.op(v), Op::Get(slot) if slot.0 == s);
        let is_made = !matches!(r.op(root), Op::Const(_) | Op::ConstV(_) | Op::Get(_));
        let is_own = self.last_use[at] == 0 && self.home[at] == NO_HOME && b != Some(a) && root.0 >= self.start;
        let (ty, own) = (r.ty(root), r.ty(Val(i)));
        let fits = ty == own || ty.is_int() && own.is_int() && ty.bytes() <= own.bytes() && ty != Ty::I1;
        if is_made && is_own && fits && !b.is_some_and(is_slot) {
            (self.home[at], self.passed[at]) = (s, true);
            self.wanted[s as usize] = root;
        }
    }

    /// The operation at `i` is (the end of) a round of AES for nothing but an exclusive or.
    fn keyed_round(&self, r: &Region, i: u32) -> Option<Round> {
        use Crypto::{AesInvMix, AesInvSubShift, AesMix, AesSubShift};
        let (op, is_mixed, state) = match *r.op(Val(i)) {
            Op::Crypto(op @ (AesSubShift | AesInvSubShift), state, _) => (op, false, state),
            Op::Crypto(mix @ (AesMix | AesInvMix), v, _) => match *r.op(v) {
                Op::Crypto(AesSubShift, state, _) if mix == AesMix => (AesSubShift, true, state),
                Op::Crypto(AesInvSubShift, state, _) if mix == AesInvMix => (AesInvSubShift, true, state),
                _ => return None,
            },
            _ => return None,
        };
        let xor = self.last_use[i as usize];
        if self.uses[i as usize] != 1 || self.round_of(Val(xor)).is_some() {
            return None;
        }
        let key = match *r.op(Val(xor)) {
            Op::V2(V2::Xor, _, a, b) if a == Val(i) => b,
            Op::V2(V2::Xor, _, a, b) if b == Val(i) => a,
            _ => return None,
        };
        Some(Round { xor, op, is_mixed, state, key })
    }

    /// Guest state can be seen before instruction `i` is done: every slot must stand.
    fn all_seen(&mut self, i: u32) {
        self.dead.fill(false);
        let mut wanting = std::mem::take(&mut self.wanting);
        wanting.retain(|&s| {
            self.unwant(s.into(), i);
            !self.wanted[usize::from(s)].is_none()
        });
        self.wanting = wanting;
    }

    /// Slot `s` is read at `i`: a value defined before may not take its home early.
    fn unwant(&mut self, s: usize, i: u32) {
        let v = self.wanted[s];
        if !v.is_none() && v.0 < i {
            self.home[v.0 as usize] = NO_HOME;
            self.wanted[s] = Val::NONE;
        }
    }

    fn want(&mut self, r: &Region, i: u32, slot: Slot, v: Val) {
        let root = self.root[v.0 as usize];
        let passed = self.home[root.0 as usize];
        if std::mem::take(&mut self.passed[root.0 as usize]) && passed != NO_HOME {
            // A slot of its own comes first.
            self.unwant(passed as usize, u32::MAX);
        }
        let fits = match r.op(root) {
            Op::Const(_) | Op::ConstV(_) | Op::Get(_) => false,
            // A home holds as much as its slot: a wider value would lose its upper bits in it.
            _ => {
                self.home[root.0 as usize] == NO_HOME
                    && root.0 >= self.start
                    && (r.ty(root) != Ty::V128 || r.ty(v) == Ty::V128)
                    && (r.ty(root).bytes() <= r.ty(v).bytes() || is_low(r, root) && r.ty(v) == Ty::I32)
            }
        };
        let s = slot.0 as usize;
        // A value defined before this write, for a later write of the same slot, may not take the home early.
        self.unwant(s, i);
        if fits {
            self.home[root.0 as usize] = slot.0;
            self.wanted[s] = root;
            if !self.wanting.contains(&slot.0) {
                self.wanting.push(slot.0);
            }
        }
    }
}

/// Scalar operations that do the same with each quiet NaN, and have a result of their own to be checked.
fn is_blind_to_nans(op: &Op) -> bool {
    match op {
        Op::Fp1(Fp1::Sqrt, shape, env, _)
        | Op::Fp2(Fp2::Add | Fp2::Sub | Fp2::Mul | Fp2::Div, shape, env, ..)
        | Op::Fma { shape, env, .. } => shape.lanes == 0 && env.nan == NanRule::RiscV,
        Op::FlagsFcmp { env, .. } => env.nan == NanRule::RiscV,
        _ => false,
    }
}

/// The blocks that can be reached, each behind those that it goes on to, but for jumps back.
#[derive(Default, Debug)]
struct Order {
    blocks: Vec<usize>,
    seen: Vec<bool>,
    /// A block is met again when all behind it are done.
    open: Vec<(usize, bool)>,
}

impl Order {
    fn find(&mut self, r: &Region) {
        self.blocks.clear();
        self.seen.clear();
        self.seen.resize(r.blocks.len(), false);
        self.open.extend(r.side_entries.iter().map(|(_, block)| (block.0 as usize, false)));
        self.open.push((0, false));
        while let Some((at, done)) = self.open.pop() {
            if done {
                self.blocks.push(at);
            } else if !std::mem::replace(&mut self.seen[at], true) {
                self.open.push((at, true));
                self.open.extend(r.blocks[at].term.successors().map(|b| (b.0 as usize, false)));
            }
        }
    }
}

/// The address of the guest instruction of the exclusive load `load`, if the instructions from there to the store `store` (in one block, which
/// begins at `start`) do the same when they are done again: what they read, they do not write.
fn repeatable(r: &Region, start: u32, load: u32, store: u32) -> Option<u64> {
    let insts = |from: u32, to: u32| (from..to).map(|i| (i, &r.insts[i as usize].op));
    let (first, pc) = insts(start, load).rev().find_map(|(i, op)| match *op {
        Op::Insn { pc, extra: 0 } => Some((i, pc)),
        _ => None,
    })?;
    if insts(first + 1, load).any(|(_, op)| matches!(op, Op::Insn { .. })) {
        return None;
    }
    // What each slot holds at `first`, as far as the block knows.
    let mut held: Vec<(Slot, Val)> = Vec::new();
    for (i, op) in insts(start, store) {
        match *op {
            Op::Set(s, v) if i < first => {
                held.retain(|(slot, _)| *slot != s);
                held.push((s, v));
            }
            Op::Get(s) => held.push((s, Val(i))),
            _ => {}
        }
    }
    let written = |slot: Slot| insts(first, store).any(|(_, op)| matches!(*op, Op::Set(s, _) if s == slot));
    let same = |v: Val| {
        let mut slots = held.iter().filter(|(_, held)| *held == v).map(|(s, _)| *s).peekable();
        slots.peek().is_some() && slots.all(|s| !written(s))
    };
    let mut all = true;
    for (_, op) in insts(first, store + 1) {
        op.for_each_arg(|v| {
            let is_constant = matches!(r.op(v), Op::Const(_) | Op::ConstV(_));
            let is_within = v.0 >= first && !matches!(r.op(v), Op::Get(_));
            all &= is_constant || is_within || same(v);
        });
    }
    all.then_some(pc)
}

/// The flags whose C goes into a sum, and whether the opposite of it does: that needs no value of its own.
pub(super) fn carry_of(r: &Region, f: Val) -> (Val, bool) {
    match *r.op(f) {
        Op::FlagsOppositeC(of) => (of, true),
        _ => (f, false),
    }
}

/// What a carry-less product multiplies: a value, and which of its halves.
pub(super) fn half(r: &Region, v: Val) -> (Val, u8) {
    match *r.op(v) {
        Op::V1(V1::MoveHi, _, v) => (v, 1),
        _ => (v, 0),
    }
}

/// A 64-bit value of which only the low half is not zero.
fn is_low(r: &Region, v: Val) -> bool {
    r.ty(v) == Ty::I64
        && match *r.op(v) {
            Op::Bin(Bin::Shr, _, n) => r.const_of(n).is_some_and(|n| n & 63 >= 32),
            Op::Bin(Bin::And, _, mask) => r.const_of(mask).is_some_and(|mask| mask <= 0xffff_ffff),
            _ => false,
        }
}

/// The value that this operation only renames: it costs no instruction.
fn renames(r: &Region, op: &Op, ty: Ty) -> Option<Val> {
    match *op {
        Op::Trunc(v) if ty != Ty::I1 => Some(v),
        // All 32-bit operations leave zeros above, but for a truncation.
        Op::Zext(v) if r.ty(v) == Ty::I32 && !matches!(r.op(v), Op::Trunc(_)) => Some(v),
        Op::Zext(v) if r.ty(v) == Ty::I1 && !matches!(r.op(v), Op::Trunc(_)) => Some(v),
        Op::VGet(_, v, 0) if ty.is_float() => Some(v),
        Op::VLow(v) => Some(v),
        // A scalar load zeroes the rest of the register, as a move from a general register and a conversion do.
        Op::VFromScalar(v)
            if r.ty(v).is_float()
                && r.ty(v) != Ty::F16
                && (matches!(r.op(v), Op::Load(_) | Op::Bitcast(_) | Op::FpFromInt { .. }) || widens(r.op(v))) =>
        {
            Some(v)
        }
        Op::V1(V1::ZeroHi, _, v) if matches!(r.op(v), Op::Load(m) if m.size <= 8) => Some(v),
        _ => None,
    }
}

/// Scalar operations whose result comes with zero above where that is wanted ([`Plan::wide`]).
fn widens(op: &Op) -> bool {
    match op {
        Op::Fp1(Fp1::Neg | Fp1::Abs | Fp1::Sqrt | Fp1::RoundInt | Fp1::RoundIntExact, shape, ..)
        | Op::Fp2(Fp2::Add | Fp2::Sub | Fp2::AddNeg | Fp2::Mul | Fp2::Div, shape, ..)
        | Op::Fma { shape, .. } => shape.lanes == 0,
        Op::FpCvt { lanes, .. } => *lanes == 0,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::Order;
    use ir::{Builder, FpControl, Round, Slot, Term, Ty};

    static TYPES: [Ty; 1] = [Ty::I1];

    #[test]
    fn blocks_come_behind_what_they_go_on_to_wherever_they_stand() {
        let mut b = Builder::new(&TYPES);
        b.start(0x1000, 0, FpControl { round: Round::NearestEven });
        let [head, join, aside, unreached] = std::array::from_fn(|_| b.block());
        b.end(Term::Jump(head));
        b.enter(head);
        let cond = b.get(Slot(0));
        b.branch(cond, aside, join);
        b.enter(join);
        let cond = b.get(Slot(0));
        let out = b.block();
        b.branch(cond, head, out);
        for (block, to) in [(aside, Term::Jump(join)), (unreached, Term::Jump(join)), (out, Term::Goto { pc: 0 })] {
            b.enter(block);
            b.end(to);
        }
        let mut order = Order::default();
        order.find(&b.region);
        let order = order.blocks;
        let at = |block: ir::BlockId| order.iter().position(|&b| b == block.0 as usize);
        assert!(at(out) < at(join) && at(join) < at(aside) && at(aside) < at(head) && order.len() == 5);
        assert_eq!(at(unreached), None);
    }
}
