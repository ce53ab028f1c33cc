//! The wide loops, as they are written beside the one that goes over memory.

use super::compute::Need;
use super::lanes::{Lanes, Now, Vectors};
use super::{PAGE, STORED_AT_ONCE, Sweep, Test};
use crate::builder::Builder;
use crate::mem::Ext;
use crate::op::{Bin, Op, Slot, V2, Val};
use crate::region::{BlockId, Term};
use crate::types::{Cc, IntCc, Lane, Ty};
use std::collections::HashMap;

/// Bytes of an array from which on chunks pay.
const WORTH: u64 = 64;
/// Bits of an address that memory is told apart by, at least: of those above, some guests take no notice.
const ADDRESS_BITS: u32 = 48;

impl Sweep<'_> {
    /// Bytes of each array that rounds of the wide loops take. A small chunk is one that pays; a loop that looks at what it stores has no other, so that
    /// what it has read is in registers as it is stored. (There can be as many narrow rounds before the first, which matters most if they take bytes.)
    fn chunks(&self) -> (u64, Option<u64>) {
        // In place a chunk is what one instruction stores: where that faults, nothing has been stored, and all can be computed again.
        if self.in_place.is_some() {
            return (STORED_AT_ONCE, None);
        }
        let large = if self.lane == Lane::B && !self.whole { 128 } else { 256.max(4 * self.stride) };
        let small = 16.max(4 * self.stride);
        match small * 4 <= large {
            true if !self.data.is_empty() && (self.target.is_some() || !self.sums.is_empty()) => (small, None),
            true => (small, Some(large)),
            false => (large, None),
        }
    }

    /// Rounds of the loop that one of a wide loop's does, at most, or that are asked for.
    pub(super) fn most_rounds(&self) -> u64 {
        let (small, large) = self.chunks();
        (large.unwrap_or(small) / self.stride).max(self.worth())
    }

    /// Rounds that are worth looking for a chunk's beginning: it comes at an unforeseen time, so a few rounds are sooner done in the plain loop.
    fn worth(&self) -> u64 {
        (WORTH / self.stride).max(2 * self.chunks().0 / self.stride)
    }

    /// Whether it is known as the loop begins how many rounds there are.
    pub(super) fn is_counted(&self) -> bool {
        self.data.is_empty() && self.ends().next().is_some()
    }

    /// What is counted.
    fn ends(&self) -> impl Iterator<Item = &Test> {
        self.counts.iter().filter(|test| self.step(test.a) != Some(0))
    }

    /// Lets who comes to the loop from elsewhere go to the plain one if there are few rounds.
    fn choose(&self, b: &mut Builder) {
        let (enter, narrow) = (b.block(), BlockId(self.blocks[0] as u32));
        for (n, block) in b.region.blocks.iter_mut().enumerate() {
            if self.body.binary_search(&n).is_err() {
                block.term.map_successors(|s| if s == narrow { enter } else { s });
            }
        }
        b.enter(enter);
        for test in self.ends() {
            let many = test_holds(b, self, *test, self.worth() - 1);
            let next = b.block();
            b.end(Term::Branch { cond: many, then: next, other: self.plain });
            b.enter(next);
        }
        b.end(Term::Jump(narrow));
    }

    /// Appends the wide loops. Where the narrow one ends a round, it asks whether a chunk begins here and what does not change is as it must be; what
    /// else must hold for a chunk to be taken is asked before it is, and after it things are left as they are after the chunk's last round.
    pub(super) fn widen(&self, b: &mut Builder) {
        if self.is_counted() {
            self.choose(b);
        }
        let [ask, first] = std::array::from_fn(|_| b.block());
        let narrow = BlockId(self.blocks[0] as u32);
        for &end in &self.backs {
            b.region.blocks[end].term.map_successors(|s| if s == narrow { ask } else { s });
        }
        let (small, large) = self.chunks();
        let small = Chunk { s: self, bytes: small };

        b.enter(ask);
        small.begins(b, first, narrow);
        b.enter(first);
        small.ask(b, |g| self.is_still(g), self.plain);
        let head = b.block();
        let Some(large) = large.map(|bytes| Chunk { s: self, bytes }) else {
            b.end(Term::Jump(head));
            return small.go_round(b, head, [narrow, self.plain], head);
        };
        let more = b.block();
        let in_pages = self.stays_in_pages();
        b.end(Term::Jump(if in_pages { head } else { more }));
        // (Values last as long as blocks follow each other: each loop's head stands right before what it leads to.)
        small.go_round(b, head, [narrow, self.plain], if in_pages { more } else { head });
        b.enter(more);
        if in_pages {
            let begins = b.block();
            large.begins(b, begins, head);
            b.enter(begins);
        }
        large.ask(b, |g| matches!(g, Guard::Apart(_)), head);
        let wide = b.block();
        b.end(Term::Jump(wide));
        large.go_round(b, wide, [head; 2], wide);
    }

    /// An access whose chunks begin at a multiple of their size.
    fn first_access(&self) -> Val {
        let target = self.target.iter();
        if self.in_place.is_some() {
            target.chain(&self.arrays).next()
        } else {
            self.arrays.iter().chain(target).next()
        }
        .expect("there is one")
        .accesses[0]
            .1
    }

    pub(super) fn first_load(&self, array: usize) -> Val {
        self.arrays[array].accesses[0].1
    }

    /// Whether it has to be asked if a chunk stores something of what it loads from an array.
    pub(super) fn may_overlap(&self, array: usize) -> bool {
        self.target.as_ref().is_some_and(|t| self.in_place.is_none() || t.base != self.arrays[array].base)
    }

    /// Whether a chunk may not go on in another page: the loop may end before it comes there, or addresses may begin anew there.
    fn stays_in_pages(&self) -> bool {
        !self.data.is_empty() || self.r.ty(self.mem(self.first_access()).base) == Ty::I32
    }

    /// Whether what is asked once is known for all rounds.
    fn is_still(&self, guard: &Guard) -> bool {
        match guard {
            Guard::Page(_) => false,
            Guard::Alone | Guard::Within(_) | Guard::Is(..) | Guard::Apart(_) => true,
            Guard::Test(test) => self.step(test.a) == Some(0),
        }
    }
}

/// A loop whose rounds take a chunk of so many bytes.
struct Chunk<'s, 'a> {
    s: &'s Sweep<'a>,
    bytes: u64,
}

impl Chunk<'_, '_> {
    /// Elements in a chunk.
    fn elements(&self) -> usize {
        self.bytes as usize / if self.s.whole { 16 } else { self.s.lane.bytes() }
    }

    /// Rounds of the narrow loop that take a chunk.
    fn rounds(&self) -> u64 {
        self.bytes / self.s.stride
    }

    /// Where the chunk begins whose first round has that access.
    fn address(&self, b: &mut Builder, now: &mut Now, access: Val) -> Val {
        let at = now.address(b, access);
        if self.s.down { b.add_imm(at, self.s.stride as i64 - self.bytes as i64) } else { at }
    }

    /// Goes on where a chunk begins: at a multiple of its size, so that it crosses no page, or where that does not matter, of a vector's.
    fn begins(&self, b: &mut Builder, then: BlockId, other: BlockId) {
        let s = self.s;
        let size = if s.stays_in_pages() { self.bytes } else { 16.max(s.stride) };
        if size == s.stride && s.in_place.is_none() {
            return b.end(Term::Jump(then));
        }
        let at = self.address(b, &mut Now::new(s), s.first_access());
        let rest = b.and_imm(at, size - if s.in_place.is_some() { 1 } else { s.stride });
        let zero = b.constant(b.ty(rest), 0);
        let begins = b.cmp(IntCc::Eq, rest, zero);
        b.end(Term::Branch { cond: begins, then, other });
    }

    /// The loop, whose guards and chunks lead `back` if they fail and `on` if not; and elsewhere if it is known that there is no such chunk any more.
    fn go_round(&self, b: &mut Builder, head: BlockId, [back, end]: [BlockId; 2], on: BlockId) {
        b.enter(head);
        b.push(Op::Poll { pc: self.s.pc }, Ty::Void);
        b.push(Op::Insn { pc: self.s.pc, extra: self.s.extra }, Ty::Void);
        let ends = |g: &Guard| matches!(g, Guard::Test(_)) && self.s.is_counted();
        self.ask(b, |g| !self.s.is_still(g) && ends(g), end);
        self.ask(b, |g| !self.s.is_still(g) && !ends(g), back);
        let mut lanes = Lanes::new(self.s, self.bytes);
        let mut sums = Vec::new();
        if !self.s.data.is_empty() {
            let ends = self.read(b, &mut lanes);
            let next = b.block();
            b.end(Term::Branch { cond: ends, then: back, other: next });
            b.enter(next);
        }
        if self.s.target.is_some() || !self.s.sums.is_empty() {
            let nowhere;
            (nowhere, sums) = self.compute(b, &mut lanes);
            let next = b.block();
            b.end(Term::Branch { cond: nowhere, then: back, other: next });
            b.enter(next);
        }
        self.last(b, &lanes.vectors, &sums);
        b.end(Term::Jump(on));
    }

    fn guards(&self) -> Vec<Guard> {
        let s = self.s;
        let mut guards: Vec<Guard> = s.alone.then_some(Guard::Alone).into_iter().collect();
        guards.extend(s.counts.iter().map(|&t| Guard::Test(t)));
        guards.extend(s.needs.iter().map(|&need| Guard::Within(need)));
        guards.extend(s.equal.iter().map(|&(v, is)| Guard::Is(v, is)));
        let (arrays, target) = (0..s.arrays.len(), s.target.as_ref().map(|t| t.accesses[0].1));
        // What is written beyond a page where nothing can be is written again by the loop itself, unless it is elsewhere or would not have come so far.
        let elsewhere = |store: &Val| s.in_place.is_none() && (!s.ordered || s.r.ty(s.mem(*store).base) == Ty::I32);
        guards.extend(target.filter(elsewhere).map(Guard::Page));
        if s.stays_in_pages() {
            // (Of bytes that begin at a multiple of the chunk's size this is known.)
            let known = s.in_place.unwrap_or((s.stride == 1).then_some(0));
            let unknown = arrays.clone().filter(|&array| Some(array) != known);
            guards.extend(unknown.map(|array| Guard::Page(s.first_load(array))));
        }
        guards.extend(arrays.filter(|&array| s.may_overlap(array)).map(Guard::Apart));
        guards
    }

    /// Goes on in another block if such guards hold.
    fn ask(&self, b: &mut Builder, which: impl Fn(&Guard) -> bool, back: BlockId) {
        for guard in self.guards().into_iter().filter(which) {
            let holds = self.holds(b, guard);
            let next = b.block();
            b.end(Term::Branch { cond: holds, then: next, other: back });
            b.enter(next);
        }
    }

    fn holds(&self, b: &mut Builder, guard: Guard) -> Val {
        let mut now = Now::new(self.s);
        let compare = |b: &mut Builder, cc, v, with| {
            let with = b.constant(b.ty(v), with);
            b.cmp(cc, v, with)
        };
        match guard {
            Guard::Alone => {
                let others = b.concurrent();
                compare(b, IntCc::Eq, others, 0)
            }
            Guard::Page(access) => {
                let at = self.address(b, &mut now, access);
                let in_page = b.and_imm(at, PAGE - 1);
                compare(b, IntCc::Ule, in_page, PAGE - self.bytes)
            }
            Guard::Apart(array) => {
                let store = self.s.target.as_ref().expect("it stores").accesses[0].1;
                let [from, to] = [self.s.first_load(array), store].map(|access| now.address(b, access));
                let distance = b.sub(to, from);
                let unseen = b.ty(distance).bits() - ADDRESS_BITS.min(b.ty(distance).bits());
                let least = self.bytes - 1;
                let distance = b.add_imm(distance, least as i64);
                let distance = b.shift_imm(Bin::Shl, distance, unseen);
                compare(b, IntCc::Ugt, distance, (2 * least) << unseen)
            }
            Guard::Within(Need { v, least, most }) => {
                let v = now.value(b, v);
                let above = b.add_imm(v, least.wrapping_neg());
                compare(b, IntCc::Ule, above, most)
            }
            Guard::Is(v, is) => {
                let v = now.value(b, v);
                compare(b, IntCc::Eq, v, is)
            }
            Guard::Test(test) => test_holds(b, self.s, test, self.rounds() - 1),
        }
    }

    /// Reads a chunk: whether one of its elements ends the search.
    fn read(&self, b: &mut Builder, lanes: &mut Lanes) -> Val {
        let least = self.least();
        let add = |b: &mut Builder, sum: Option<Val>, v| match (sum, least) {
            (None, _) => Some(v),
            (Some(sum), Some(lane)) => Some(b.v2(V2::MinU, lane, sum, v)),
            (Some(sum), None) => Some(b.v2(V2::Or, Lane::D, sum, v)),
        };
        let mut sum = None;
        for at in 0..self.bytes as usize / 16 {
            lanes.at = at;
            // One vector's first, so that each waits for the sum once.
            let mut all = None;
            for test in &self.s.data {
                let one = if least.is_some() { lanes.holds(b, test) } else { lanes.fails(b, test) };
                all = add(b, all, one);
            }
            sum = all.map_or(sum, |all| add(b, sum, all));
            (0..self.s.arrays.len()).for_each(|array| _ = lanes.vector(b, array));
        }
        let sum = sum.expect("something is asked");
        let ends = match least {
            Some(lane) => {
                let zero = b.v128(0);
                b.v2(V2::CmpEq, lane, sum, zero)
            }
            None => sum,
        };
        let flags = b.flags_test(ends, ends);
        b.cond(Cc::Ne, flags)
    }

    /// Computes what a chunk adds to sums, by lanes, and what it stores, and stores it. It reads what has not been read. What is asked at the end is what
    /// cannot be, since there was a chunk: that memory begins here.
    fn compute(&self, b: &mut Builder, lanes: &mut Lanes) -> (Val, Vec<Option<Val>>) {
        let s = self.s;
        let store = s.target.as_ref().map(|t| t.accesses[0].1);
        let vectors = self.bytes as usize / 16;
        let mut sums = vec![None; s.sums.len()];
        if let Some(store) = store {
            // What cannot be read is in the first vector or in the last, and found before anything is written.
            lanes.at = if s.down { 0 } else { vectors - 1 };
            (0..s.arrays.len()).for_each(|array| _ = lanes.vector(b, array));
            lanes.place(b, store);
        }
        // By pairs, which hosts have registers for, in the order of the rounds.
        for first in (0..vectors).step_by(2) {
            let first = if s.down { (vectors - 1) / 2 * 2 - first } else { first };
            let pair = first..vectors.min(first + 2);
            let together = if store.is_some() { pair.clone() } else { first..first };
            for at in together {
                lanes.at = at;
                (0..s.arrays.len()).for_each(|array| _ = lanes.vector(b, array));
            }
            let mut values = [Val::NONE; 2];
            for (n, at) in pair.enumerate() {
                lanes.at = at;
                for (sum, so_far) in s.sums.iter().zip(&mut sums) {
                    *so_far = sum.add(b, lanes, *so_far);
                }
                if let Some(store) = store {
                    values[n] = lanes.stored(b, s.stored(store));
                }
            }
            if let Some(store) = store {
                lanes.at = first;
                let mem = lanes.place(b, store);
                b.store_ahead(mem, values[0], values[1]);
            }
        }
        let at = lanes.now.address(b, store.unwrap_or(s.first_access()));
        let zero = b.constant(b.ty(at), 0);
        (b.cmp(IntCc::Eq, at, zero), sums)
    }

    /// The lane of which none may be zero, where that is what is asked: the least of all says so. There is none of 64 bits.
    fn least(&self) -> Option<Lane> {
        let s = self.s;
        let asked = |t: &Test| match t.cc {
            _ if t.bytes => Some(Lane::B),
            IntCc::Ne => Some(s.lane),
            _ => None,
        };
        let lane = s.data.iter().find_map(asked)?;
        let fits = lane != Lane::D && !s.whole && s.data.iter().all(|t| asked(t).is_none_or(|l| l == lane));
        fits.then_some(lane)
    }

    /// The chunk's last round, of elements that have been read. `sums` are what lanes have added up.
    fn last(&self, b: &mut Builder, vectors: &Vectors, sums: &[Option<Val>]) {
        let s = self.s;
        // What it begins with: what slots hold now and how much more, or what is left of the round before.
        let counted: HashMap<Slot, (Val, u64)> =
            s.steps.iter().map(|&(slot, step)| (slot, (b.get(slot), step.wrapping_mul(self.rounds() - 1)))).collect();
        let in_round = self.elements() / self.rounds() as usize;
        let mut left = HashMap::new();
        for &(slot, load) in &s.carried {
            let before = self.first_of_last();
            let before = if s.down { before + in_round } else { before - in_round };
            let v = self.loaded(b, load, vectors, before);
            let ty = s.written.iter().find(|w| w.0 == slot).map_or(b.ty(v), |w| s.r.ty(w.1));
            left.insert(slot, if s.mem(load).ext == Ext::Zero { b.zext(ty, v) } else { b.sext(ty, v) });
        }
        let mut last = Last { chunk: self, vectors, counted, left, now: HashMap::new() };
        for (sum, all) in s.sums.iter().zip(sums) {
            let total = sum.total(b, all.expect("a chunk has elements"));
            let before = b.get(sum.slot);
            let ty = b.ty(before);
            let before = b.trunc(sum.ty, before);
            let core = sum.with(b, before, total);
            let one = sum.of_round(b, &sum.parts, &mut |b, v| last.value(b, v));
            if let Some(begins) = sum.before(b, core, one) {
                let no_sign = matches!(s.op(sum.last), Op::Zext(_) | Op::Extract { signed: false, .. });
                let begins = if no_sign { b.zext(ty, begins) } else { b.sext(ty, begins) };
                last.left.insert(sum.slot, begins);
            }
            let ty = s.r.ty(sum.core);
            let core = if sum.is_number { b.sext(ty, core) } else { b.zext(ty, core) };
            last.now.insert(sum.core, core);
        }
        let ends: Vec<(Slot, Val)> = s.written.iter().map(|&(slot, v)| (slot, last.value(b, v))).collect();
        ends.into_iter().for_each(|(slot, v)| b.set(slot, v));
    }

    /// The last round's first element.
    fn first_of_last(&self) -> usize {
        if self.s.down { 0 } else { self.elements() - self.elements() / self.rounds() as usize }
    }

    /// What a load gives in the round whose first element is the one with this number.
    fn loaded(&self, b: &mut Builder, load: Val, vectors: &Vectors, first: usize) -> Val {
        let s = self.s;
        let (array, n) = s.element(load).expect("all loads are known");
        let n = first + n;
        if s.whole {
            return vectors[&(array, n)];
        }
        let in_vector = 16 / s.lane.bytes();
        let element = b.vget(s.lane.ty(), vectors[&(array, n / in_vector)], (n % in_vector) as u32);
        let ty = s.r.ty(load);
        match s.mem(load).ext {
            _ if ty == s.lane.ty() => element,
            Ext::Zero => b.zext(ty, element),
            Ext::Sign => b.sext(ty, element),
        }
    }
}

/// Values of a chunk's last round.
struct Last<'c, 's, 'a> {
    chunk: &'c Chunk<'s, 'a>,
    vectors: &'c Vectors,
    /// What counted slots hold as the chunk begins, and how much more it is as this round does.
    counted: HashMap<Slot, (Val, u64)>,
    /// What others hold as it begins.
    left: HashMap<Slot, Val>,
    now: HashMap<Val, Val>,
}

impl Last<'_, '_, '_> {
    fn value(&mut self, b: &mut Builder, v: Val) -> Val {
        let s = self.chunk.s;
        let v = s.itself(v);
        if let Some(&now) = self.now.get(&v) {
            return now;
        }
        let new = match *s.r.op(v) {
            Op::Get(slot) if let Some(&left) = self.left.get(&slot) => left,
            Op::Get(_) | Op::Bin(Bin::Add | Bin::Sub, ..)
                if let Some((slot, sum)) = s.plus(v)
                    && let Some(&(now, more)) = self.counted.get(&slot) =>
            {
                let sum = b.constant(b.ty(now), sum.wrapping_add(more));
                b.add(now, sum)
            }
            Op::Load(_) => self.chunk.loaded(b, v, self.vectors, self.chunk.first_of_last()),
            op => {
                let mut args = Vec::new();
                op.for_each_arg(|a| args.push(a));
                let args: HashMap<Val, Val> = args.into_iter().map(|a| (a, self.value(b, a))).collect();
                b.again(s.r, v, |a| args[&a])
            }
        };
        self.now.insert(v, new);
        new
    }
}

/// What is asked before a chunk is taken.
#[derive(Clone, Copy)]
enum Guard {
    /// Nobody else sees memory.
    Alone,
    /// The chunk that begins with this access lies in one page: what the loop need not read may not be there, or be watched.
    Page(Val),
    /// What is stored is nothing of an array's chunk.
    Apart(usize),
    Within(Need),
    Is(Val, u64),
    /// This holds in all rounds.
    Test(Test),
}

/// Whether a test on what a round begins with holds now and for so many more rounds.
fn test_holds(b: &mut Builder, s: &Sweep, test: Test, more: u64) -> Val {
    let mut now = Now::new(s);
    let v = now.value(b, test.a);
    let limit = if test.b.is_none() { b.constant(b.ty(v), 0) } else { now.value(b, test.b) };
    counts_on(b, test.cc, (v, s.step(test.a).unwrap_or(0)), limit, more)
}

/// Whether a comparison of a value that grows by a constant each round holds now and for so many more rounds.
fn counts_on(b: &mut Builder, cc: IntCc, (v, step): (Val, u64), limit: Val, more: u64) -> Val {
    let ty = b.ty(v);
    let falls = step > ty.mask() / 2;
    if step == 0 {
        return b.cmp(cc, v, limit);
    }
    let way = step.wrapping_mul(more) & ty.mask();
    if cc == IntCc::Ne {
        // It is further away than all rounds go.
        let distance = if falls { b.sub(v, limit) } else { b.sub(limit, v) };
        let way = b.constant(ty, if falls { way.wrapping_neg() } else { way });
        return b.cmp(IntCc::Ugt, distance, way);
    }
    // It holds in the first round and in the last, and the value does not go round the end of numbers between them.
    let signed = matches!(cc, IntCc::Slt | IntCc::Sle | IntCc::Sgt | IntCc::Sge);
    let way = b.constant(ty, way);
    let end = b.add(v, way);
    let order = match (signed, falls) {
        (false, false) => IntCc::Uge,
        (false, true) => IntCc::Ule,
        (true, false) => IntCc::Sge,
        (true, true) => IntCc::Sle,
    };
    let [first, last, order] = [(cc, v, limit), (cc, end, limit), (order, end, v)].map(|(cc, x, y)| b.cmp(cc, x, y));
    let both = b.and(first, last);
    b.and(both, order)
}
