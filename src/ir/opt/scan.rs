//! Loops that go over memory, element after element, to search, copy or fill it, go over many elements at once: as long as none of these ends the
//! search, nothing of a round is seen but what it stores and what the last one leaves. A C library's string functions are such loops, and compilers make
//! no vector code of most.
//!
//! The loop stays as it is, and beside it stand ones that take a chunk of elements a round: a small chunk, so that short strings gain too, and a large
//! one. They are entered from the loop's end, where a chunk begins, and left as soon as a chunk may hold what is looked for, crosses into another page that
//! the loop itself may not come to, overlaps with what is stored, or cannot be accessed: the loop itself then finds what there is, be it a fault. Stores
//! that had been done by then are done again, with the same values. Accesses that a program does one after the other are done in another order here: for
//! guests that do not allow that, as long as nobody else sees memory.

mod compute;
mod lanes;
mod sums;
mod wide;

use compute::Need;
use sums::Sum;

use super::entries::round;
use super::merge::merge_detours;
use super::peel::loops;
use super::rebuild::{copy, copy_of_block};
use crate::builder::Builder;
use crate::mem::{Align, Ext, Mem};
use crate::op::{Bin, Op, Slot, Un, V2, Val};
use crate::region::{BlockId, Region, Term};
use crate::types::{Cc, IntCc, Lane, Order, Ty};
use std::collections::{HashMap, HashSet};

/// A page, at least.
const PAGE: u64 = 4096;
/// Operations in a loop, arrays that it reads, and elements of one that a round reads, at most: of a search, and of a loop that stores.
const MOST_OPS: usize = 300;
/// And in what one value is computed of.
const MOST_USES: usize = 400;
const MOST_ARRAYS: usize = 2;
const MOST_ELEMENTS: usize = 4;
const MOST_STORED: usize = 16;
/// Bytes that a host stores at once, if they begin at a multiple of that.
const STORED_AT_ONCE: u64 = 32;
/// Two places of an array that are closer are both in one chunk.
const NEAR: u64 = 512;

/// The region with wide loops beside each that goes over memory, if there are any. `types` are all slots'; `weak`: others may see accesses in any order.
/// And how many blocks there are before theirs.
pub fn scan(r: &Region, types: &'static [Ty], weak: bool) -> Option<(Region, usize)> {
    // A loop that branches around a little of what it computes is seen as if it chose.
    let chosen = merge_detours(r, types);
    let mut found: Vec<Sweep> = Vec::new();
    let plain = loops(r);
    let ways = |head: usize| plain.iter().find(|l| l.0 == head);
    for (head, body) in chosen.iter().flat_map(loops) {
        let (Some(chosen), Some((_, ways))) = (&chosen, ways(head)) else { continue };
        if found.iter().any(|s| s.blocks.iter().any(|n| body.contains(n))) {
            continue;
        }
        if let Some(mut s) = Sweep::of(chosen, head, &body) {
            let leads_back = |&n: &usize| r.blocks[n].term.successors().any(|s| s.0 as usize == head);
            s.backs = ways.iter().copied().filter(leads_back).collect();
            found.push(s);
        }
    }
    for (head, body) in &plain {
        if !found.iter().any(|s| s.blocks.iter().any(|n| body.contains(n))) {
            found.extend(Sweep::of(r, *head, body));
        }
    }
    if found.is_empty() {
        return None;
    }
    let mut narrow = r.clone();
    for s in &mut found {
        s.alone = !weak;
        if s.alone || s.is_counted() || s.arrays.iter().enumerate().any(|(n, _)| s.may_overlap(n)) {
            s.body.clone_from(&ways(s.blocks[0]).expect("it is a loop").1);
            s.plain = copy_of_loop(&mut narrow, s.blocks[0], &s.body);
        }
    }
    let mut b = copy(&narrow, types, |b, v, now| b.again(&narrow, v, |v| now[v.0 as usize]), Builder::end);
    found.iter().for_each(|s| s.widen(&mut b));
    let mut region = b.region;
    (region.end, region.guest_insns) = (r.end, r.guest_insns);
    Some((region, narrow.blocks.len()))
}

/// Appends a copy of a loop that nobody comes to yet: its head.
fn copy_of_loop(r: &mut Region, head: usize, body: &[usize]) -> BlockId {
    let first = r.blocks.len();
    let copy_of = |b: BlockId| body.binary_search(&(b.0 as usize)).map_or(b, |n| BlockId((first + n) as u32));
    for &b in body {
        let mut copy = copy_of_block(r, b);
        copy.term.map_successors(copy_of);
        r.blocks.push(copy);
    }
    copy_of(BlockId(head as u32))
}

/// What must hold for the loop to go on.
#[derive(Clone, Copy, Debug)]
struct Test {
    cc: IntCc,
    a: Val,
    /// Zero if there is none.
    b: Val,
    /// No byte of `a` may be zero.
    bytes: bool,
}

/// Where a round's loads read from, or its stores write to: an array of which each round takes the next elements.
#[derive(Debug)]
struct Array {
    /// What the addresses are sums of, but for a constant, and by which power of two the second is multiplied.
    base: ([Root; 2], u8),
    /// The loads or stores, and their constants, which are in a row.
    accesses: Vec<(i64, Val)>,
}

/// What does not depend on the instruction that asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Root {
    None,
    /// What a slot holds as the round begins.
    Slot(Slot),
    Value(Val),
}

/// A loop that goes over memory: its blocks follow one another, and each may leave it.
struct Sweep<'a> {
    r: &'a Region,
    blocks: Vec<usize>,
    /// Those that lead back to the first, in the region that the wide loops are written into.
    backs: Vec<usize>,
    pc: u64,
    extra: u32,
    /// The wide loops are for when nobody else sees memory.
    alone: bool,
    /// A copy of the loop that has no wide ones beside it, for when they cannot be entered; and what it is a copy of.
    plain: BlockId,
    body: Vec<usize>,
    /// By instruction: the value that a slot's reader finds there, if the same round has written it.
    found: HashMap<Val, Val>,
    /// Slots to which a round adds a constant.
    steps: Vec<(Slot, u64)>,
    /// Slots in which it leaves what it has loaded to the next, with zeros or the sign above it.
    carried: Vec<(Slot, Val)>,
    /// Slots to which it adds something of each element.
    sums: Vec<Sum>,
    /// Slots that the loop writes, and what a round leaves in them.
    written: Vec<(Slot, Val)>,
    loads: Vec<Val>,
    arrays: Vec<Array>,
    stores: Vec<Val>,
    /// The array that it writes.
    target: Option<Array>,
    /// The one of those read that is the same: each element is read before it is written. If it stands where the other does, its number.
    in_place: Option<Option<usize>>,
    /// What is stored is computed in lanes of this size.
    stored_in: Lane,
    /// What is stored is computed of the elements before: the first of the one that the last round has left.
    late: bool,
    /// It writes in the order of addresses: of a round that faults, what stands before that place has been written.
    ordered: bool,
    lane: Lane,
    /// Elements are whole vectors, which are computed with one by one.
    whole: bool,
    /// Bytes of each array that a round takes.
    stride: u64,
    /// Each round takes those before the last one's.
    down: bool,
    /// Conditions on what is loaded.
    data: Vec<Test>,
    /// Conditions on what a round begins with.
    counts: Vec<Test>,
    /// What does not change and must fit lanes, or be this.
    needs: Vec<Need>,
    equal: Vec<(Val, u64)>,
}

impl<'a> Sweep<'a> {
    fn of(r: &'a Region, head: usize, body: &[usize]) -> Option<Sweep<'a>> {
        let blocks = round(r, head, |b| body.contains(&b))?;
        let (pc, extra) = start(r, head)?;
        let mut s = Sweep {
            r,
            backs: vec![*blocks.last()?],
            blocks,
            pc,
            extra,
            alone: false,
            plain: BlockId(head as u32),
            body: Vec::new(),
            found: HashMap::new(),
            steps: Vec::new(),
            carried: Vec::new(),
            sums: Vec::new(),
            written: Vec::new(),
            loads: Vec::new(),
            arrays: Vec::new(),
            stores: Vec::new(),
            target: None,
            in_place: None,
            stored_in: Lane::B,
            late: false,
            ordered: true,
            lane: Lane::B,
            whole: false,
            stride: 0,
            down: false,
            data: Vec::new(),
            counts: Vec::new(),
            needs: Vec::new(),
            equal: Vec::new(),
        };
        s.follow_slots()?;
        s.look_at_accesses()?;
        s.look_at_stores()?;
        s.look_at_sums()?;
        s.look_at_conditions()?;
        // What a loop counts besides, where it chooses by what it loads between several ways round, it seldom counts for long.
        let only_way = s.blocks.len() == body.len();
        (only_way || s.data.is_empty() || s.sums.is_empty()).then_some(s)
    }

    fn insts(&self) -> impl Iterator<Item = Val> + use<'a, '_> {
        self.blocks.iter().flat_map(|&n| self.r.blocks[n].start..self.r.blocks[n].end).map(Val)
    }

    /// Finds what slots hold, and which are counted; None if a round hands something else on to the next, or does more than to load, compute and store.
    fn follow_slots(&mut self) -> Option<()> {
        let mut held: HashMap<Slot, Val> = HashMap::new();
        let mut begins_with: Vec<(Slot, Val)> = Vec::new();
        let (mut found, mut loads, mut stores, mut ops) = (HashMap::new(), Vec::new(), Vec::new(), 0);
        // Values and what they are computed of, each as often as it is used.
        let mut sizes: HashMap<Val, usize> = HashMap::new();
        for v in self.insts() {
            let mut size = 1;
            self.r.op(v).for_each_arg(|a| size += sizes.get(&a).unwrap_or(&1));
            if size > MOST_USES {
                return None;
            }
            sizes.insert(v, size);
            match *self.r.op(v) {
                Op::Get(slot) => match held.get(&slot) {
                    Some(&is) => {
                        found.insert(v, is);
                        sizes.insert(v, sizes.get(&is).copied().unwrap_or(1));
                    }
                    None => begins_with.push((slot, v)),
                },
                Op::Set(slot, is) => _ = held.insert(slot, is),
                Op::Insn { .. } | Op::Poll { .. } => {}
                Op::Load(_) => loads.push(v),
                Op::Store(..) => stores.push(v),
                op if op.has_effect() || op.can_fault() => return None,
                _ => ops += 1,
            }
        }
        (self.found, self.loads, self.stores) = (found, loads, stores);
        self.written = held.into_iter().map(|(slot, last)| (slot, self.itself(last))).collect();
        self.written.sort_unstable_by_key(|w| w.0.0);
        let used = self.used(|_| false);
        for &(slot, last) in &self.written {
            let step = self.plus(last).filter(|(from, _)| *from == slot);
            match step {
                Some((_, step)) => self.steps.push((slot, step)),
                None if !begins_with.iter().any(|b| b.0 == slot && used.contains(&b.1)) => {}
                None if let Some(load) = self.load_of(last) => self.carried.push((slot, load)),
                None if self.keeps(slot, last) => {}
                None => self.sums.push(self.sum_of(slot, last).or_else(|| self.extreme_of(slot, last))?),
            }
        }
        (ops <= MOST_OPS).then_some(())
    }

    /// The load whose value, as a register has it, this is.
    fn load_of(&self, v: Val) -> Option<Val> {
        let (load, ext) = match *self.r.op(v) {
            Op::Zext(x) => (self.itself(x), Some(Ext::Zero)),
            Op::Sext(x) => (self.itself(x), Some(Ext::Sign)),
            _ => (v, None),
        };
        self.loads.contains(&load).then_some(load).filter(|&load| {
            let (m, bits) = (self.mem(load), self.r.ty(load).bits());
            ext.is_none_or(|ext| m.ext == ext && 8 * u32::from(m.size) < bits)
        })
    }

    /// The values that a round leaves, stores or goes by, and what these are computed of, but for those of which that is not asked.
    fn used(&self, but: impl Fn(Val) -> bool) -> HashSet<Val> {
        let (mut used, mut open) = (HashSet::new(), Vec::new());
        self.written.iter().for_each(|w| open.push(w.1));
        self.loads.iter().chain(&self.stores).for_each(|&v| open.push(v));
        self.blocks.iter().for_each(|&n| self.r.blocks[n].term.for_each_arg(|v| open.push(v)));
        while let Some(v) = open.pop().map(|v| self.itself(v)) {
            if !but(v) && used.insert(v) {
                self.r.op(v).for_each_arg(|a| open.push(a));
            }
        }
        used
    }

    /// Whether of a slot's flags C and V stay as they were, and nothing else of what the round begins with matters.
    fn keeps(&self, slot: Slot, mut flags: Val) -> bool {
        while let Op::FlagsNz(_, before) = *self.op(flags) {
            flags = before;
        }
        let begins = |v: Val| *self.op(v) == Op::Get(slot);
        let mut readers = self.insts().filter(|&v| {
            let (op, mut reads) = (self.r.op(v), false);
            op.for_each_arg(|a| reads |= begins(a));
            reads && !matches!(op, Op::FlagsNz(..))
        });
        begins(flags) && readers.next().is_none()
    }

    /// The value itself: what is read from a slot that the round has written is what was written.
    fn itself(&self, mut v: Val) -> Val {
        while let Some(&is) = self.found.get(&v) {
            v = is;
        }
        v
    }

    fn const_of(&self, v: Val) -> Option<u64> {
        self.r.const_of(self.itself(v))
    }

    /// A slot as the round begins, plus a constant, if that is what the value is.
    fn plus(&self, v: Val) -> Option<(Slot, u64)> {
        let v = self.itself(v);
        let ty = self.r.ty(v);
        if !ty.is_int() {
            return None;
        }
        let (slot, sum) = match *self.r.op(v) {
            Op::Get(slot) => (slot, 0),
            Op::Bin(Bin::Add, a, b) => {
                self.plus(a).zip(self.const_of(b)).map(|((slot, sum), c)| (slot, sum.wrapping_add(c)))?
            }
            Op::Bin(Bin::Sub, a, b) => {
                self.plus(a).zip(self.const_of(b)).map(|((slot, sum), c)| (slot, sum.wrapping_sub(c)))?
            }
            _ => return None,
        };
        Some((slot, sum & ty.mask()))
    }

    /// How much greater the value is in each round, if that is a constant.
    fn step(&self, v: Val) -> Option<u64> {
        if v.is_none() {
            return Some(0);
        }
        let v = self.itself(v);
        let step = match *self.r.op(v) {
            Op::Get(slot) if !self.written.iter().any(|w| w.0 == slot) => 0,
            Op::Get(slot) => self.steps.iter().find(|s| s.0 == slot)?.1,
            Op::Bin(Bin::Add, a, b) => self.step(a)?.wrapping_add(self.step(b)?),
            Op::Bin(Bin::Sub, a, b) => self.step(a)?.wrapping_sub(self.step(b)?),
            Op::Load(_) => return None,
            op => {
                let mut same = true;
                op.for_each_arg(|a| same &= self.step(a) == Some(0));
                return same.then_some(0);
            }
        };
        let ty = self.r.ty(v);
        Some(if ty.is_int() { step & ty.mask() } else { step })
    }

    /// Sorts the accesses by arrays: all are of one size, and a round takes as many elements of each array, from where the one before ended, or up to where
    /// it began.
    fn look_at_accesses(&mut self) -> Option<()> {
        let m = self.mem(*self.loads.first().or(self.stores.first())?);
        let step = self.access_step(&m)?;
        let back = step.wrapping_neg() & self.r.ty(m.base).mask();
        (self.stride, self.down) = (step.min(back), back < step);
        self.whole = m.size == 16;
        self.lane = if self.whole { Lane::B } else { Lane::log2(m.size.trailing_zeros()) };
        self.arrays = self.arrays_of(&self.loads, m.size)?;
        let mut targets = self.arrays_of(&self.stores, m.size)?;
        self.target = targets.pop();
        let elements = self.arrays.iter().chain(&self.target).next()?.accesses.len();
        // Vectors of the round that is computed again are all there at once.
        let (most, vectors) = match self.target {
            Some(_) => (MOST_STORED, MOST_STORED * 8),
            None if self.whole => (MOST_ELEMENTS, MOST_ELEMENTS * 16),
            None => (MOST_ELEMENTS, MOST_ARRAYS * MOST_ELEMENTS * 8),
        };
        let fits = m.size <= if self.target.is_some() { 8 } else { 16 }
            && self.arrays.len() <= MOST_ARRAYS
            && targets.is_empty()
            && self.arrays.iter().chain(&self.target).all(|a| a.accesses.len() == elements)
            && elements <= most
            && elements.is_power_of_two()
            && self.loads.len() * usize::from(m.size) <= vectors;
        (fits && self.stride == u64::from(m.size) * elements as u64).then_some(())
    }

    fn arrays_of(&self, accesses: &[Val], size: u8) -> Option<Vec<Array>> {
        let mut arrays: Vec<Array> = Vec::new();
        for &access in accesses {
            let m = self.mem(access);
            let aligned = match m.align {
                Align::Any => true,
                Align::To(n) => n <= size,
                _ => false,
            };
            let ty = match *self.r.op(access) {
                Op::Store(_, v) => self.r.ty(v),
                _ => self.r.ty(access),
            };
            let of_type = ty.is_int() || ty == Ty::V128 && size == 16;
            let plain = m.order == Order::Plain && !m.big && m.space == 0 && aligned && of_type;
            if m.size != size || self.round_step(&m) != Some(self.stride) || !plain {
                return None;
            }
            let (base, sum) = self.place(&m);
            match arrays.iter_mut().find(|a| a.base == base) {
                Some(array) => array.accesses.push((sum, access)),
                None => arrays.push(Array { base, accesses: vec![(sum, access)] }),
            }
        }
        for array in &mut arrays {
            array.accesses.sort_unstable();
            let in_a_row = array.accesses.windows(2).all(|w| w[0].0.checked_add_unsigned(size.into()) == Some(w[1].0));
            if !in_a_row {
                return None;
            }
        }
        Some(arrays)
    }

    fn mem(&self, access: Val) -> Mem {
        match *self.r.op(access) {
            Op::Load(m) | Op::Store(m, _) => m,
            _ => unreachable!("it is an access"),
        }
    }

    /// The same of one that goes as the first of all does.
    fn round_step(&self, m: &Mem) -> Option<u64> {
        let step = self.access_step(m)?;
        Some(if self.down { step.wrapping_neg() & self.r.ty(m.base).mask() } else { step })
    }

    /// How much further each round's access goes.
    fn access_step(&self, m: &Mem) -> Option<u64> {
        let index = if m.index.is_none() { 0 } else { self.step(m.index)? << m.scale };
        Some(self.step(m.base)?.wrapping_add(index) & self.r.ty(m.base).mask())
    }

    /// What is stored is the same of each element, or of each one before.
    fn look_at_stores(&mut self) -> Option<()> {
        let Some(target) = &self.target else { return Some(()) };
        self.ordered = match self.down {
            false => target.accesses.is_sorted_by_key(|a| a.1.0),
            true => target.accesses.iter().rev().is_sorted_by_key(|a| a.1.0),
        };
        self.in_place = self.place_of(target)?;
        let values: Vec<Val> = target.accesses.iter().map(|a| self.stored(a.1)).collect();
        let elements = values.len();
        let mut late = None;
        for (n, &v) in values.iter().enumerate() {
            let mut leaves = Vec::new();
            self.leaves(v, &mut leaves)?;
            for leaf in leaves {
                let before = leaf == (n == 0, (n + elements - 1) % elements);
                if !before && leaf != (false, n) || late.is_some_and(|late| late != before) {
                    return None;
                }
                late = Some(before);
            }
            if !self.same(values[0], v) {
                return None;
            }
        }
        self.late = late == Some(true);
        if self.late && self.down {
            return None;
        }
        let mut needs = Vec::new();
        self.stored_in = (self.lane as u32..4).map(Lane::log2).take(3).find(|&lane| {
            needs.clear();
            self.fits(values[0], lane, &mut needs)
        })?;
        self.needs.extend(needs);
        Some(())
    }

    /// What a store stores.
    fn stored(&self, store: Val) -> Val {
        match *self.r.op(store) {
            Op::Store(_, v) => v,
            _ => unreachable!("it is a store"),
        }
    }

    /// Whether an array that is read is the one that is written; None if a round reads near there what an earlier one has written.
    fn place_of(&self, target: &Array) -> Option<Option<Option<usize>>> {
        let mut found = None;
        for (n, array) in self.arrays.iter().enumerate().filter(|(_, a)| a.base == target.base) {
            // How far reading is ahead.
            let (from, to) = (array.accesses[0].0, target.accesses[0].0);
            let ahead = if self.down { to.wrapping_sub(from) } else { from.wrapping_sub(to) };
            if ahead.unsigned_abs() >= NEAR {
                continue;
            }
            let in_order = |load: &(i64, Val)| target.accesses.iter().all(|s| s.0 != load.0 || load.1.0 < s.1.0);
            if ahead < 0 || self.stride > STORED_AT_ONCE || !array.accesses.iter().all(in_order) {
                return None;
            }
            found = Some((ahead == 0).then_some(n));
        }
        Some(found)
    }

    /// What an address is a sum of, and the constant in it.
    fn place(&self, m: &Mem) -> (([Root; 2], u8), i64) {
        let ty = self.r.ty(m.base);
        let root = |v: Val| match self.plus(v) {
            _ if v.is_none() => (Root::None, 0),
            Some((slot, sum)) => (Root::Slot(slot), sum),
            None => (Root::Value(self.itself(v)), 0),
        };
        let ((base, sum), (index, more)) =
            (root(m.base), if m.index.is_none() { (Root::None, 0) } else { root(m.index) });
        let sum = sum.wrapping_add(more << m.scale).wrapping_add_signed(m.disp.into());
        // Differences count: of addresses of 32 bits as well.
        (([base, index], m.scale), if ty == Ty::I32 { i64::from(sum as i32) } else { sum as i64 })
    }

    /// The array, and which of a round's elements it is, of a load or of what is left of the last round's.
    fn element(&self, v: Val) -> Option<(usize, usize)> {
        let v = self.itself(v);
        let load = match *self.r.op(v) {
            Op::Load(_) => v,
            Op::Get(slot) => self.carried.iter().find(|c| c.0 == slot)?.1,
            _ => return None,
        };
        self.arrays.iter().enumerate().find_map(|(n, a)| Some((n, a.accesses.iter().position(|l| l.1 == load)?)))
    }

    fn look_at_conditions(&mut self) -> Option<()> {
        let mut tests = Vec::new();
        for (n, &block) in self.blocks.iter().enumerate() {
            let next = self.blocks[(n + 1) % self.blocks.len()];
            if let Term::Branch { cond, then, .. } = self.r.blocks[block].term {
                self.condition(cond, then.0 as usize == next, &mut tests)?;
            }
        }
        for mut test in tests {
            if self.step(test.a) == Some(0) && !test.b.is_none() {
                test = Test { cc: test.cc.swap(), a: test.b, b: test.a, ..test };
            }
            match (self.step(test.a), self.step(test.b)) {
                (Some(0), Some(0)) => self.counts.push(test),
                (Some(a), Some(0)) if test.cc != IntCc::Eq && self.stays_in_range(a, test.a) => self.counts.push(test),
                (None, _) if matches!(test.cc, IntCc::Eq | IntCc::Ne) => self.look_at_data(test)?,
                _ => return None,
            }
        }
        let ends = self.counts.iter().any(|test| self.step(test.a) != Some(0));
        (!self.data.is_empty() || (self.target.is_some() || !self.sums.is_empty()) && ends).then_some(())
    }

    /// Whether what is counted by such steps does not go round the end of numbers more than once in a round of the wide loop.
    fn stays_in_range(&self, step: u64, v: Val) -> bool {
        let mask = self.r.ty(v).mask();
        let size = step.min(step.wrapping_neg() & mask);
        size.checked_mul(self.most_rounds()).is_some_and(|way| way <= mask / 2)
    }

    /// A condition on what is loaded. All elements of an array are asked the same, be it more than the loop asks of each.
    fn look_at_data(&mut self, mut test: Test) -> Option<()> {
        if test.cc == IntCc::Eq && self.lane == Lane::D {
            // All is asked of the whole element: it holds of its halves too.
            match (self.half(test.a), self.half(test.b)) {
                (Some((a, _)), _) if test.b.is_none() => test.a = a,
                (Some((a, n)), Some((b, m))) if n == m => (test.a, test.b) = (a, b),
                _ => {}
            }
        }
        let mut leaves = Vec::new();
        self.leaves(test.a, &mut leaves)?;
        self.leaves(test.b, &mut leaves)?;
        let (is_carried, element) = *leaves.first()?;
        if leaves.iter().any(|l| *l != (is_carried, element)) {
            return None;
        }
        // What the last round has loaded is asked for itself, and of the elements as if it were this round's. (Nobody asks numbers for their bytes.)
        if is_carried && test.bytes {
            return None;
        }
        self.counts.extend(is_carried.then_some(test));
        if test.cc == IntCc::Eq
            && test.b.is_none()
            && !test.bytes
            && let Some((x, equal)) = self.zero_bytes(test.a)
        {
            self.equal.extend(equal);
            test = Test { a: x, bytes: true, ..test };
        }
        self.fits_lanes(test.a)?;
        self.fits_lanes(test.b)?;
        let asked = self
            .data
            .iter()
            .any(|t| (t.cc, t.bytes) == (test.cc, test.bytes) && self.same(t.a, test.a) && self.same(t.b, test.b));
        if !asked {
            self.data.push(test);
        }
        Some(())
    }

    /// Takes a truth value that is to be as `wanted` to pieces all of which must hold.
    fn condition(&self, cond: Val, wanted: bool, tests: &mut Vec<Test>) -> Option<()> {
        let cond = self.itself(cond);
        match *self.r.op(cond) {
            Op::Cmp(cc, a, b) => {
                let cc = if wanted { cc } else { cc.invert() };
                self.comparison(cc, a, b, tests);
                Some(())
            }
            Op::Cond(cc, flags) => self.flags(if wanted { cc } else { cc.invert() }, flags, tests),
            Op::Bin(Bin::And, a, b) if wanted => {
                self.condition(a, true, tests)?;
                self.condition(b, true, tests)
            }
            Op::Bin(Bin::Or, a, b) if !wanted => {
                self.condition(a, false, tests)?;
                self.condition(b, false, tests)
            }
            _ => None,
        }
    }

    /// The same of flags.
    fn flags(&self, cc: Cc, flags: Val, tests: &mut Vec<Test>) -> Option<()> {
        let flags = self.itself(flags);
        match *self.r.op(flags) {
            Op::FlagsSub(a, b) if matches!(cc, Cc::Mi | Cc::Pl) => {
                // The difference has that sign.
                let cc = if cc == Cc::Mi { IntCc::Slt } else { IntCc::Sge };
                tests.push(Test { cc, a: self.computed(Bin::Sub, a, b)?, b: Val::NONE, bytes: false });
                Some(())
            }
            Op::FlagsAdd(a, b) if matches!(cc, Cc::Eq | Cc::Ne) => {
                let cc = if cc == Cc::Eq { IntCc::Eq } else { IntCc::Ne };
                self.comparison(cc, self.computed(Bin::Add, a, b)?, Val::NONE, tests);
                Some(())
            }
            Op::FlagsSub(a, b) => {
                self.comparison(after_subtraction(cc)?, a, b, tests);
                Some(())
            }
            Op::FlagsLogic(v) | Op::FlagsNz(v, _) | Op::FlagsNzc(v, ..) => {
                let cc = after_subtraction(cc).filter(|cc| matches!(cc, IntCc::Eq | IntCc::Ne))?;
                self.comparison(cc, v, Val::NONE, tests);
                Some(())
            }
            Op::Select(cond, a, b) => match (self.constant_flags(a), self.constant_flags(b)) {
                (_, Some(bits)) if !cc.holds(bits) => {
                    self.condition(cond, true, tests)?;
                    self.flags(cc, a, tests)
                }
                (Some(bits), _) if !cc.holds(bits) => {
                    self.condition(cond, false, tests)?;
                    self.flags(cc, b, tests)
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// Where the loop has computed something of two values, which it does beside their flags.
    fn computed(&self, bin: Bin, a: Val, b: Val) -> Option<Val> {
        let is = |v: &Val| match *self.r.op(*v) {
            Op::Bin(op, x, y) => op == bin && [(x, a), (y, b)].iter().all(|&(x, a)| self.itself(x) == self.itself(a)),
            _ => false,
        };
        self.insts().find(is)
    }

    /// N, Z, C and V of flags that are constant, as bits 3 to 0.
    fn constant_flags(&self, flags: Val) -> Option<u32> {
        match *self.op(flags) {
            Op::FlagsFromBits(bits) => self.r.const_of(self.itself(bits)).map(|c| c as u32 >> 28),
            _ => None,
        }
    }

    /// A comparison, with zero if `b` is nothing.
    fn comparison(&self, cc: IntCc, a: Val, b: Val, tests: &mut Vec<Test>) {
        let is_zero = b.is_none() || self.const_of(b) == Some(0);
        match cc {
            IntCc::Eq if is_zero => self.nothing_set(a, tests),
            _ => tests.push(Test { cc, a, b: if is_zero { Val::NONE } else { b }, bytes: false }),
        }
    }

    /// A value is to be zero: if it is a union, both its parts.
    fn nothing_set(&self, v: Val, tests: &mut Vec<Test>) {
        let test = |a, b, bytes| Test { cc: IntCc::Eq, a, b, bytes };
        match *self.op(v) {
            Op::Bin(Bin::Or, x, y) => {
                for (part, other) in [(x, y), (y, x)] {
                    // What the other part takes away is not set in it.
                    let part = match *self.op(part) {
                        Op::Bin(Bin::AndNot, part, but) if self.itself(but) == self.itself(other) => part,
                        _ => part,
                    };
                    self.nothing_set(part, tests);
                }
            }
            Op::Bin(Bin::Xor, x, y) => tests.push(test(x, y, false)),
            Op::VGet(Lane::D, lanes, 0) => self.nothing_set_in(lanes, true, tests),
            Op::VGet(Lane::S, lanes, 0) => tests.push(match *self.op(lanes) {
                Op::V2(V2::CmpEq, Lane::B, word, zero) if self.r.const_v_of(self.itself(zero)) == Some(0) => {
                    match *self.op(word) {
                        Op::VFromScalar(word) if self.r.ty(word) == Ty::I32 => test(word, Val::NONE, true),
                        _ => test(v, Val::NONE, false),
                    }
                }
                _ => test(v, Val::NONE, false),
            }),
            _ => tests.push(test(v, Val::NONE, false)),
        }
    }

    /// A vector, or the low half of it at least, is to be zero. What is asked of more than it need be is asked in vain at worst.
    fn nothing_set_in(&self, v: Val, low: bool, tests: &mut Vec<Test>) {
        let test = |cc, a, b, bytes| Test { cc, a, b, bytes };
        match *self.op(v) {
            // Its low half is made of the first operand.
            Op::V2(V2::PairwiseMaxU, _, x, y) => {
                self.nothing_set_in(x, false, tests);
                if !low {
                    self.nothing_set_in(y, false, tests);
                }
            }
            Op::V2(V2::Or, _, x, y) => [x, y].into_iter().for_each(|v| self.nothing_set_in(v, low, tests)),
            Op::V2(V2::Xor, _, x, y) => tests.push(test(IntCc::Eq, x, y, false)),
            Op::V2(V2::CmpEq, Lane::B, x, y) if self.r.const_v_of(self.itself(y)) == Some(0) => {
                self.no_byte_zero_in(x, low, tests)
            }
            Op::V2(V2::CmpEq, Lane::B, x, y) => tests.push(test(IntCc::Ne, x, y, false)),
            _ => tests.push(test(IntCc::Eq, v, Val::NONE, false)),
        }
    }

    /// The same of bytes, none of which is to be zero.
    fn no_byte_zero_in(&self, v: Val, low: bool, tests: &mut Vec<Test>) {
        match *self.op(v) {
            Op::V2(V2::PairwiseMinU, Lane::B, x, y) => {
                self.no_byte_zero_in(x, false, tests);
                if !low {
                    self.no_byte_zero_in(y, false, tests);
                }
            }
            Op::V2(V2::MinU, Lane::B, x, y) => [x, y].into_iter().for_each(|v| self.no_byte_zero_in(v, low, tests)),
            _ => tests.push(Test { cc: IntCc::Eq, a: v, b: Val::NONE, bytes: true }),
        }
    }

    /// The load that a value is a half of, and which.
    fn half(&self, v: Val) -> Option<(Val, u8)> {
        if v.is_none() {
            return None;
        }
        let Op::Trunc(v) = *self.op(v) else { return None };
        if self.r.ty(v) != Ty::I64 {
            return None;
        }
        let (load, n) = match *self.op(v) {
            Op::Bin(Bin::And, load, mask) if self.const_of(mask) == Some(u32::MAX.into()) => (load, 0),
            Op::Bin(Bin::Shr, load, amount) if self.const_of(amount) == Some(32) => (load, 1),
            _ => (v, 0),
        };
        let load = self.itself(load);
        self.loads.contains(&load).then_some((load, n))
    }

    fn op(&self, v: Val) -> &'a Op {
        self.r.op(self.itself(v))
    }

    /// What a value has of loads: whether the round before has done them, and which of its elements they are.
    fn leaves(&self, v: Val, out: &mut Vec<(bool, usize)>) -> Option<()> {
        if self.step(v).is_some() {
            return Some(());
        }
        let v = self.itself(v);
        match *self.r.op(v) {
            Op::Load(_) | Op::Get(_) => {
                let is_carried = matches!(self.r.op(v), Op::Get(_));
                out.push((is_carried, self.element(v)?.1));
            }
            op => {
                let mut all = Some(());
                op.for_each_arg(|a| all = all.and_then(|()| self.leaves(a, out)));
                all?;
            }
        }
        Some(())
    }

    /// Whether two values are the same of elements that may differ.
    fn same(&self, a: Val, b: Val) -> bool {
        if a.is_none() || b.is_none() {
            return a == b;
        }
        let (a, b) = (self.itself(a), self.itself(b));
        if let (Some(x), Some(y)) = (self.element(a), self.element(b)) {
            return x.0 == y.0;
        }
        let (mut x, y) = (*self.r.op(a), *self.r.op(b));
        let (mut args, mut n, mut same) = (Vec::new(), 0, self.r.ty(a) == self.r.ty(b));
        y.for_each_arg(|v| args.push(v));
        x.map_args(|v| {
            let other = args.get(n).copied().unwrap_or(Val::NONE);
            n += 1;
            same &= self.same(v, other);
            other
        });
        same && x == y
    }

    /// The word of which the value has bits exactly if it has a byte of zero, and what must be what for that: a word less a one in every byte, without
    /// what was set in it, and of that the highest bit of each byte.
    fn zero_bytes(&self, v: Val) -> Option<(Val, Vec<(Val, u64)>)> {
        let ty = self.r.ty(v);
        if ty.bits() != self.lane.bits() || self.lane == Lane::B {
            return None;
        }
        let ones = ty.mask() / 0xff;
        let (mut plain, mut inverted) = (Vec::new(), Vec::new());
        self.factors(v, &mut plain, &mut inverted);
        let [not] = inverted[..] else { return None };
        let difference = plain.iter().position(|&v| matches!(self.r.op(v), Op::Bin(Bin::Add | Bin::Sub, ..)))?;
        let mut equal = Vec::new();
        let x = match *self.r.op(plain.remove(difference)) {
            Op::Bin(Bin::Sub, x, k) => {
                equal.push((k, ones));
                x
            }
            Op::Bin(_, x, k) => {
                equal.push((k, ones.wrapping_neg() & ty.mask()));
                x
            }
            _ => return None,
        };
        let x = self.itself(x);
        match (*self.r.op(not), &plain[..]) {
            (_, &[bits]) if not == x => equal.push((bits, ones << 7)),
            (Op::Bin(Bin::Or, y, bits), []) if self.itself(y) == x => equal.push((bits, (ones << 7) ^ ty.mask())),
            _ => return None,
        }
        // What is constant is looked at here, what is not as the loop runs.
        let mut good = true;
        equal.retain(|&(v, wanted)| {
            let is = self.const_of(v);
            good &= is.map_or(self.step(v) == Some(0), |is| is == wanted);
            is.is_none()
        });
        good.then_some((x, equal))
    }

    /// The values that a value is the intersection of, and those whose complements it is of.
    fn factors(&self, v: Val, plain: &mut Vec<Val>, inverted: &mut Vec<Val>) {
        let v = self.itself(v);
        match *self.r.op(v) {
            Op::Bin(Bin::And, a, b) => {
                self.factors(a, plain, inverted);
                self.factors(b, plain, inverted);
            }
            Op::Bin(Bin::AndNot, a, b) => {
                self.factors(a, plain, inverted);
                inverted.push(self.itself(b));
            }
            Op::Un(Un::Not, a) => inverted.push(self.itself(a)),
            _ => plain.push(v),
        }
    }

    /// The same of elements that are whole vectors, of which all can be computed that a round computes.
    fn fits_whole(&self, v: Val) -> Option<()> {
        if self.r.ty(v) != Ty::V128 {
            return None;
        }
        if self.element(v).is_some() || self.step(v) == Some(0) {
            return Some(());
        }
        let mut all = Some(());
        self.op(v).for_each_arg(|a| all = all.and_then(|()| self.fits_whole(a)));
        all
    }

    /// Sees to it that the value can be computed in lanes of the elements' size: it has that size, or nothing but zeros above it.
    fn fits_lanes(&mut self, v: Val) -> Option<()> {
        if v.is_none() {
            return Some(());
        }
        let v = self.itself(v);
        let ty = self.r.ty(v);
        if self.whole {
            return self.fits_whole(v);
        }
        if !ty.is_int() || ty.bits() < self.lane.bits() {
            return None;
        }
        let is_wide = ty.bits() > self.lane.bits();
        match *self.r.op(v) {
            Op::Const(c) => (c <= self.lane.mask()).then_some(()),
            _ if let Some((array, n)) = self.element(v) => {
                let m = self.mem(self.arrays[array].accesses[n].1);
                (!is_wide || m.ext == Ext::Zero).then_some(())
            }
            _ if self.step(v) == Some(0) => {
                if is_wide {
                    self.needs.push(Need { v, least: 0, most: self.lane.mask() });
                }
                Some(())
            }
            _ if self.step(v).is_some() => None,
            Op::Bin(Bin::And | Bin::Or | Bin::Xor, a, b) => {
                self.fits_lanes(a)?;
                self.fits_lanes(b)
            }
            Op::Bin(Bin::Add | Bin::Sub | Bin::AndNot, a, b) if !is_wide => {
                self.fits_lanes(a)?;
                self.fits_lanes(b)
            }
            Op::Bin(Bin::Shl | Bin::Shr, a, b) if !is_wide && self.lane != Lane::B => {
                self.const_of(b).filter(|c| (1..u64::from(ty.bits())).contains(c))?;
                self.fits_lanes(a)
            }
            Op::Un(Un::Not, a) if !is_wide => self.fits_lanes(a),
            Op::Zext(a) | Op::Trunc(a) => self.fits_lanes(a),
            _ => None,
        }
    }
}

/// The first instruction of a loop's head, which polls: pc and the word beside it.
fn start(r: &Region, head: usize) -> Option<(u64, u32)> {
    let b = &r.blocks[head];
    match r.insts[b.start as usize..b.end as usize] {
        [poll, insn, ..] => match (poll.op, insn.op) {
            (Op::Poll { pc }, Op::Insn { pc: same, extra }) if pc == same => Some((pc, extra)),
            _ => None,
        },
        _ => None,
    }
}

/// The comparison of a and b whose truth a condition tells after the flags of a - b.
fn after_subtraction(cc: Cc) -> Option<IntCc> {
    Some(match cc {
        Cc::Eq => IntCc::Eq,
        Cc::Ne => IntCc::Ne,
        Cc::Cs => IntCc::Uge,
        Cc::Cc => IntCc::Ult,
        Cc::Hi => IntCc::Ugt,
        Cc::Ls => IntCc::Ule,
        Cc::Ge => IntCc::Sge,
        Cc::Lt => IntCc::Slt,
        Cc::Gt => IntCc::Sgt,
        Cc::Le => IntCc::Sle,
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
