//! The wide loops, as they are written beside the one that goes over memory.

use super::{PAGE, Sweep, Test};
use crate::builder::Builder;
use crate::mem::{Ext, Mem};
use crate::op::{Bin, Op, Slot, Un, V1, V2, VShift, Val};
use crate::region::{BlockId, Term};
use crate::types::{Cc, IntCc, Lane, Ty};
use std::collections::HashMap;

/// Bits of an address that memory is told apart by, at least: of those above, some guests take no notice.
const ADDRESS_BITS: u32 = 48;

impl Sweep<'_> {
    /// Bytes of each array that rounds of the wide loops take. A small chunk is one that pays; a loop that looks at what it stores has no other, so that
    /// what it has read is in registers as it is stored. (There can be as many narrow rounds before the first, which matters most if they take bytes.)
    fn chunks(&self) -> (u64, Option<u64>) {
        let large = if self.lane == Lane::B && !self.whole { 128 } else { 256.max(4 * self.stride) };
        let small = 16.max(4 * self.stride);
        match small * 4 <= large {
            true if self.target.is_some() && !self.data.is_empty() => (small, None),
            true => (small, Some(large)),
            false => (large, None),
        }
    }

    /// Rounds of the loop that one of a wide loop's does, at most.
    pub(super) fn most_rounds(&self) -> u64 {
        let (small, large) = self.chunks();
        large.unwrap_or(small) / self.stride
    }

    /// Appends the wide loops. Where the narrow one ends a round, it asks whether a chunk begins here and what does not change is as it must be; what
    /// else must hold for a chunk to be taken is asked before it is, and after it things are left as they are after the chunk's last round.
    pub(super) fn widen(&self, b: &mut Builder) {
        let [ask, first] = std::array::from_fn(|_| b.block());
        let narrow = BlockId(self.blocks[0] as u32);
        let end = self.blocks[self.blocks.len() - 1];
        b.region.blocks[end].term.map_successors(|s| if s == narrow { ask } else { s });
        let (small, large) = self.chunks();
        let small = Chunk { s: self, bytes: small };

        b.enter(ask);
        small.begins(b, first, narrow);
        b.enter(first);
        small.ask(b, |g| self.is_still(g), narrow);
        let head = b.block();
        let Some(large) = large.map(|bytes| Chunk { s: self, bytes }) else {
            b.end(Term::Jump(head));
            return small.go_round(b, head, narrow, head);
        };
        let more = b.block();
        let in_pages = self.stays_in_pages();
        b.end(Term::Jump(if in_pages { head } else { more }));
        // (Values last as long as blocks follow each other: each loop's head stands right before what it leads to.)
        small.go_round(b, head, narrow, if in_pages { more } else { head });
        b.enter(more);
        if in_pages {
            let begins = b.block();
            large.begins(b, begins, head);
            b.enter(begins);
        }
        large.ask(b, |g| matches!(g, Guard::Apart(_)), head);
        let wide = b.block();
        b.end(Term::Jump(wide));
        large.go_round(b, wide, head, wide);
    }

    /// The access that the first chunk begins with.
    fn first_access(&self) -> Val {
        self.arrays.iter().chain(&self.target).next().expect("there is one").accesses[0].1
    }

    fn first_load(&self, array: usize) -> Val {
        self.arrays[array].accesses[0].1
    }

    /// Whether a chunk may not go on in another page: the loop may end before it comes there, or addresses may begin anew there.
    fn stays_in_pages(&self) -> bool {
        !self.data.is_empty() || self.r.ty(self.mem(self.first_access()).base) == Ty::I32
    }

    /// Whether what is asked once is known for all rounds.
    fn is_still(&self, guard: &Guard) -> bool {
        match guard {
            Guard::Page(_) => false,
            Guard::Most(..) | Guard::Is(..) | Guard::Apart(_) => true,
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

    /// Goes on where a chunk begins: at a multiple of its size, so that it crosses no page, or where that does not matter, of a vector's.
    fn begins(&self, b: &mut Builder, then: BlockId, other: BlockId) {
        let s = self.s;
        let size = if s.stays_in_pages() { self.bytes } else { 16.max(s.stride) };
        if size == s.stride {
            return b.end(Term::Jump(then));
        }
        let at = Now::new(s).address(b, s.first_access());
        let rest = b.and_imm(at, size - s.stride);
        let zero = b.constant(b.ty(rest), 0);
        let begins = b.cmp(IntCc::Eq, rest, zero);
        b.end(Term::Branch { cond: begins, then, other });
    }

    /// The loop, whose guards and chunks lead `back` if they fail and `on` if not.
    fn go_round(&self, b: &mut Builder, head: BlockId, back: BlockId, on: BlockId) {
        b.enter(head);
        b.push(Op::Poll { pc: self.s.pc }, Ty::Void);
        b.push(Op::Insn { pc: self.s.pc, extra: self.s.extra }, Ty::Void);
        self.ask(b, |g| !self.s.is_still(g), back);
        let mut lanes = Lanes {
            sweep: self.s,
            now: Now::new(self.s),
            vectors: HashMap::new(),
            at: 0,
            late: false,
            splats: HashMap::new(),
        };
        if !self.s.data.is_empty() {
            let ends = self.read(b, &mut lanes);
            let next = b.block();
            b.end(Term::Branch { cond: ends, then: back, other: next });
            b.enter(next);
        }
        if self.s.target.is_some() {
            let nowhere = self.write(b, &mut lanes);
            let next = b.block();
            b.end(Term::Branch { cond: nowhere, then: back, other: next });
            b.enter(next);
        }
        self.last(b, &lanes.vectors);
        b.end(Term::Jump(on));
    }

    fn guards(&self) -> Vec<Guard> {
        let s = self.s;
        let mut guards: Vec<Guard> = s.counts.iter().map(|&t| Guard::Test(t)).collect();
        guards.extend(s.narrow.iter().map(|&v| Guard::Most(v, s.lane.mask())));
        guards.extend(s.equal.iter().map(|&(v, is)| Guard::Is(v, is)));
        let (arrays, target) = (0..s.arrays.len(), s.target.as_ref().map(|t| t.accesses[0].1));
        // What is written beyond a page where nothing can be is written again by the loop itself, unless it is elsewhere or would not have come so far.
        let elsewhere = |store: &Val| !s.ordered || s.r.ty(s.mem(*store).base) == Ty::I32;
        guards.extend(target.filter(elsewhere).map(Guard::Page));
        if s.stays_in_pages() {
            // (Of bytes that begin at a multiple of the chunk's size this is known.)
            guards.extend(arrays.clone().skip((s.stride == 1).into()).map(|array| Guard::Page(s.first_load(array))));
        }
        guards.extend(arrays.filter(|_| target.is_some()).map(Guard::Apart));
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
            Guard::Page(access) => {
                let at = now.address(b, access);
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
            Guard::Most(v, most) => {
                let v = now.value(b, v);
                compare(b, IntCc::Ule, v, most)
            }
            Guard::Is(v, is) => {
                let v = now.value(b, v);
                compare(b, IntCc::Eq, v, is)
            }
            Guard::Test(test) => {
                let v = now.value(b, test.a);
                let limit = if test.b.is_none() { b.constant(b.ty(v), 0) } else { now.value(b, test.b) };
                let step = self.s.step(test.a).unwrap_or(0);
                counts_on(b, test.cc, (v, step), limit, self.rounds() - 1)
            }
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

    /// Writes a chunk, and reads what it is computed of if that has not been. What is asked at the end is what cannot be, since there was a chunk: that
    /// memory begins here.
    fn write(&self, b: &mut Builder, lanes: &mut Lanes) -> Val {
        let store = self.s.target.as_ref().expect("it stores").accesses[0].1;
        let v = self.s.stored(store);
        let vectors = self.bytes as usize / 16;
        // What cannot be read is in the first vector or in the last, and found before anything is written.
        lanes.at = vectors - 1;
        (0..self.s.arrays.len()).for_each(|array| _ = lanes.vector(b, array));
        lanes.place(b, store);
        // By pairs, which hosts have registers for.
        for first in (0..vectors).step_by(2) {
            let pair = first..vectors.min(first + 2);
            for at in pair.clone() {
                lanes.at = at;
                (0..self.s.arrays.len()).for_each(|array| _ = lanes.vector(b, array));
            }
            lanes.late = self.s.late;
            let values: Vec<Val> = pair
                .clone()
                .map(|at| {
                    lanes.at = at;
                    lanes.value(b, v)
                })
                .collect();
            for (at, v) in pair.zip(values) {
                lanes.at = at;
                let mem = lanes.place(b, store);
                b.store_ahead(mem, v);
            }
        }
        let at = lanes.now.address(b, store);
        let zero = b.constant(b.ty(at), 0);
        b.cmp(IntCc::Eq, at, zero)
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

    /// The chunk's last round, of elements that have been read.
    fn last(&self, b: &mut Builder, vectors: &Vectors) {
        let s = self.s;
        // What it begins with: what slots hold now and how much more, or what is left of the round before.
        let counted: HashMap<Slot, (Val, u64)> =
            s.steps.iter().map(|&(slot, step)| (slot, (b.get(slot), step.wrapping_mul(self.rounds() - 1)))).collect();
        let in_round = self.elements() / self.rounds() as usize;
        let mut left = HashMap::new();
        for &(slot, load) in &s.carried {
            left.insert(slot, self.loaded(b, load, vectors, self.elements() - 2 * in_round));
        }
        let mut now = HashMap::new();
        for v in s.insts() {
            let new = match *s.r.op(v) {
                Op::Insn { .. } | Op::Poll { .. } | Op::Store(..) => continue,
                Op::Get(slot) if !s.found.contains_key(&v) && left.contains_key(&slot) => left[&slot],
                Op::Get(_) | Op::Bin(Bin::Add | Bin::Sub, ..)
                    if let Some((slot, sum)) = s.plus(v)
                        && let Some(&(now, more)) = counted.get(&slot) =>
                {
                    let sum = b.constant(b.ty(now), sum.wrapping_add(more));
                    b.add(now, sum)
                }
                Op::Load(_) => self.loaded(b, v, vectors, self.elements() - in_round),
                _ => b.again(s.r, v, |v| now[&v]),
            };
            now.insert(v, new);
        }
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

/// What is asked before a chunk is taken.
#[derive(Clone, Copy)]
enum Guard {
    /// The chunk that begins with this access lies in one page: what the loop need not read may not be there, or be watched.
    Page(Val),
    /// What is stored is nothing of an array's chunk.
    Apart(usize),
    /// A value is not above this.
    Most(Val, u64),
    Is(Val, u64),
    /// This holds in all rounds.
    Test(Test),
}

/// Values as the next round begins with them.
struct Now<'s, 'a> {
    sweep: &'s Sweep<'a>,
    made: HashMap<Val, Val>,
}

impl<'s, 'a> Now<'s, 'a> {
    fn new(sweep: &'s Sweep<'a>) -> Now<'s, 'a> {
        Now { sweep, made: HashMap::new() }
    }

    /// A value that no load is needed for.
    fn value(&mut self, b: &mut Builder, v: Val) -> Val {
        let v = self.sweep.itself(v);
        if let Some(&made) = self.made.get(&v) {
            return made;
        }
        let mut args = Vec::new();
        self.sweep.r.op(v).for_each_arg(|a| args.push(a));
        let args: HashMap<Val, Val> = args.into_iter().map(|a| (a, self.value(b, a))).collect();
        let made = b.again(self.sweep.r, v, |a| args[&a]);
        self.made.insert(v, made);
        made
    }

    /// Where an access is.
    fn address(&mut self, b: &mut Builder, access: Val) -> Val {
        let m = self.sweep.mem(access);
        let mut at = self.value(b, m.base);
        if !m.index.is_none() {
            let index = self.value(b, m.index);
            let index = b.shift_imm(Bin::Shl, index, m.scale.into());
            at = b.add(at, index);
        }
        b.add_imm(at, m.disp.into())
    }
}

/// What has been read so far, by array and place in the chunk.
type Vectors = HashMap<(usize, usize), Val>;

/// Values of as many elements as a vector has.
struct Lanes<'s, 'a> {
    sweep: &'s Sweep<'a>,
    now: Now<'s, 'a>,
    vectors: Vectors,
    /// The place of the vector that is computed with.
    at: usize,
    /// Elements are those before.
    late: bool,
    /// What does not change, in every lane.
    splats: HashMap<Val, Val>,
}

impl Lanes<'_, '_> {
    /// The array's elements.
    fn vector(&mut self, b: &mut Builder, array: usize) -> Val {
        if let Some(&v) = self.vectors.get(&(array, self.at)) {
            return v;
        }
        let mem = self.place(b, self.sweep.first_load(array));
        let v = b.load_ahead(mem);
        self.vectors.insert((array, self.at), v);
        v
    }

    /// Where the chunk's vector is of which that access has the first element.
    fn place(&mut self, b: &mut Builder, access: Val) -> Mem {
        let m = self.sweep.mem(access);
        let base = self.now.value(b, m.base);
        let index = if m.index.is_none() { Val::NONE } else { self.now.value(b, m.index) };
        Mem { index, disp: m.disp + 16 * self.at as i32, scale: m.scale, ..Mem::at(base, 16) }
    }

    /// The same less one: the first is what the round before has left.
    fn vector_before(&mut self, b: &mut Builder, array: usize) -> Val {
        let lane = self.sweep.lane;
        let last = 16 / lane.bytes() - 1;
        let before = match self.at.checked_sub(1) {
            Some(at) => self.vectors[&(array, at)],
            None => {
                let element = self.sweep.arrays[array].accesses.last().expect("there is one").1;
                let (slot, _) = *self.sweep.carried.iter().find(|c| c.1 == element).expect("it is carried");
                let mut left = b.get(slot);
                if b.ty(left) != lane.ty() {
                    left = b.trunc(lane.ty(), left);
                }
                let zero = b.v128(0);
                b.vset(lane, zero, left, last as u32)
            }
        };
        let now = self.vector(b, array);
        b.vext(before, now, (last * lane.bytes()) as u32)
    }

    /// Lanes that are not zero where the test holds.
    fn holds(&mut self, b: &mut Builder, test: &Test) -> Val {
        let x = self.value(b, test.a);
        if test.b.is_none() && (test.bytes || test.cc == IntCc::Ne) {
            return x;
        }
        let y = if test.b.is_none() { b.v128(0) } else { self.value(b, test.b) };
        if test.cc == IntCc::Ne { b.v2(V2::Xor, Lane::D, x, y) } else { b.v2(V2::CmpEq, self.sweep.lane, x, y) }
    }

    /// Lanes that are not zero where it does not.
    fn fails(&mut self, b: &mut Builder, test: &Test) -> Val {
        let x = self.value(b, test.a);
        let y = if test.b.is_none() { b.v128(0) } else { self.value(b, test.b) };
        match test.cc {
            _ if test.bytes => b.v2(V2::CmpEq, Lane::B, x, y),
            IntCc::Ne => b.v2(V2::CmpEq, self.sweep.lane, x, y),
            _ if test.b.is_none() => x,
            _ => b.v2(V2::Xor, Lane::D, x, y),
        }
    }

    fn value(&mut self, b: &mut Builder, v: Val) -> Val {
        let s = self.sweep;
        let v = s.itself(v);
        let lane = s.lane;
        if let Some((array, _)) = s.element(v) {
            return if self.late { self.vector_before(b, array) } else { self.vector(b, array) };
        }
        if s.whole {
            return self.whole(b, v);
        }
        match *s.r.op(v) {
            Op::Const(c) => b.v128(splat(lane, c)),
            _ if s.step(v) == Some(0) => self.splat(b, v),
            Op::Bin(bin @ (Bin::Shl | Bin::Shr), x, amount) => {
                let amount = s.const_of(amount).unwrap_or(0) as u32;
                let x = self.value(b, x);
                b.vshift(if bin == Bin::Shl { VShift::Shl } else { VShift::ShrU }, lane, x, amount)
            }
            Op::Bin(bin, x, y) => {
                let (x, y) = (self.value(b, x), self.value(b, y));
                match bin {
                    Bin::Add => b.v2(V2::Add, lane, x, y),
                    Bin::Sub => b.v2(V2::Sub, lane, x, y),
                    Bin::And => b.v2(V2::And, Lane::D, x, y),
                    Bin::Or => b.v2(V2::Or, Lane::D, x, y),
                    Bin::Xor => b.v2(V2::Xor, Lane::D, x, y),
                    Bin::AndNot => b.v2(V2::AndNot, Lane::D, x, y),
                    _ => unreachable!("it fits no lanes"),
                }
            }
            Op::Un(Un::Not, x) => {
                let x = self.value(b, x);
                b.v1(V1::Not, lane, x)
            }
            Op::Zext(x) | Op::Sext(x) | Op::Trunc(x) => self.value(b, x),
            _ => unreachable!("it fits no lanes"),
        }
    }

    /// A value of one element that is a vector.
    fn whole(&mut self, b: &mut Builder, v: Val) -> Val {
        let s = self.sweep;
        if s.step(v) == Some(0) {
            return self.now.value(b, v);
        }
        let mut args = Vec::new();
        s.r.op(v).for_each_arg(|a| args.push(a));
        let args: HashMap<Val, Val> = args.into_iter().map(|a| (a, self.value(b, a))).collect();
        b.again(s.r, v, |a| args[&a])
    }

    fn splat(&mut self, b: &mut Builder, v: Val) -> Val {
        if let Some(&splat) = self.splats.get(&v) {
            return splat;
        }
        let lane = self.sweep.lane;
        let mut element = self.now.value(b, v);
        if b.ty(element) != lane.ty() {
            element = b.trunc(lane.ty(), element);
        }
        let splat = b.vsplat(lane, element);
        self.splats.insert(v, splat);
        splat
    }
}

/// A number in every lane.
fn splat(lane: Lane, c: u64) -> u128 {
    u128::MAX / u128::from(lane.mask()) * u128::from(c & lane.mask())
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
