//! The wide loop, as it is written beside the one that searches.

use super::{PAGE, Search, Test};
use crate::builder::Builder;
use crate::mem::{Ext, Mem};
use crate::op::{Bin, Op, Un, V1, V2, VShift, Val};
use crate::region::{BlockId, Term};
use crate::types::{Cc, IntCc, Lane, Ty};
use std::collections::HashMap;

impl Search<'_> {
    /// Bytes of each array that a round reads. (There can be as many narrow rounds before the first, which matters most if they read bytes.)
    fn chunk(&self) -> u64 {
        if self.lane == Lane::B && !self.whole { 128 } else { 256 }
    }

    /// Elements in a chunk, and rounds of the loop that read them.
    fn elements(&self) -> usize {
        self.chunk() as usize / if self.whole { 16 } else { self.lane.bytes() }
    }

    pub(super) fn rounds(&self) -> u64 {
        self.chunk() / self.stride
    }

    /// Appends the wide loop. Where the narrow one ends a round, it asks whether a chunk begins here and what does not change is as it must be; what
    /// else must hold for a chunk to be read is asked before it is, and after it things are left as they are after the chunk's last round.
    pub(super) fn widen(&self, b: &mut Builder) {
        let [ask, first, head] = std::array::from_fn(|_| b.block());
        let narrow = BlockId(self.blocks[0] as u32);
        let end = self.blocks[self.blocks.len() - 1];
        b.region.blocks[end].term.map_successors(|s| if s == narrow { ask } else { s });

        b.enter(ask);
        let at = Now::new(self).address(b, self.first_load(0));
        let rest = b.and_imm(at, self.chunk() - self.stride);
        let zero = b.constant(b.ty(rest), 0);
        let begins = b.cmp(IntCc::Eq, rest, zero);
        b.end(Term::Branch { cond: begins, then: first, other: narrow });

        b.enter(first);
        let (still, each): (Vec<Guard>, Vec<Guard>) = self.guards().into_iter().partition(|g| self.is_still(g));
        self.ask(b, &still, narrow);
        b.end(Term::Jump(head));

        b.enter(head);
        b.push(Op::Poll { pc: self.pc }, Ty::Void);
        b.push(Op::Insn { pc: self.pc, extra: self.extra }, Ty::Void);
        self.ask(b, &each, narrow);
        let (ends, vectors) = self.read(b);
        let last = b.block();
        b.end(Term::Branch { cond: ends, then: narrow, other: last });

        b.enter(last);
        self.last(b, &vectors);
        b.end(Term::Jump(head));
    }

    fn first_load(&self, array: usize) -> Val {
        self.arrays[array].loads[0].1
    }

    fn guards(&self) -> Vec<Guard> {
        let pages = (0..self.arrays.len()).map(Guard::Page);
        let narrow = self.narrow.iter().map(|&v| Guard::Most(v, self.lane.mask()));
        let equal = self.equal.iter().map(|&(v, is)| Guard::Is(v, is));
        pages.chain(narrow).chain(equal).chain(self.counts.iter().map(|&t| Guard::Test(t))).collect()
    }

    /// Whether what is asked once is known for all rounds.
    fn is_still(&self, guard: &Guard) -> bool {
        match guard {
            Guard::Page(_) => false,
            Guard::Most(..) | Guard::Is(..) => true,
            Guard::Test(test) => self.step(test.a) == Some(0),
        }
    }

    /// Goes on in another block if all this holds.
    fn ask(&self, b: &mut Builder, guards: &[Guard], narrow: BlockId) {
        for &guard in guards {
            let holds = self.holds(b, guard);
            let next = b.block();
            b.end(Term::Branch { cond: holds, then: next, other: narrow });
            b.enter(next);
        }
    }

    fn holds(&self, b: &mut Builder, guard: Guard) -> Val {
        let mut now = Now::new(self);
        let compare = |b: &mut Builder, cc, v, with| {
            let with = b.constant(b.ty(v), with);
            b.cmp(cc, v, with)
        };
        match guard {
            Guard::Page(array) => {
                let at = now.address(b, self.first_load(array));
                let in_page = b.and_imm(at, PAGE - 1);
                compare(b, IntCc::Ule, in_page, PAGE - self.chunk())
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
                let step = self.step(test.a).unwrap_or(0);
                counts_on(b, test.cc, (v, step), limit, self.rounds() - 1)
            }
        }
    }

    /// Reads a chunk: whether one of its elements ends the search, and each array's vectors.
    fn read(&self, b: &mut Builder) -> (Val, Vec<Vec<Val>>) {
        let mut lanes = Lanes {
            search: self,
            now: Now::new(self),
            vectors: vec![Vec::new(); self.arrays.len()],
            at: 0,
            splats: HashMap::new(),
        };
        let least = self.least();
        let add = |b: &mut Builder, sum: Option<Val>, v| match (sum, least) {
            (None, _) => Some(v),
            (Some(sum), Some(lane)) => Some(b.v2(V2::MinU, lane, sum, v)),
            (Some(sum), None) => Some(b.v2(V2::Or, Lane::D, sum, v)),
        };
        let mut sum = None;
        for at in 0..self.chunk() as usize / 16 {
            lanes.at = at;
            // One vector's first, so that each waits for the sum once.
            let mut all = None;
            for test in &self.data {
                let one = if least.is_some() { lanes.holds(b, test) } else { lanes.fails(b, test) };
                all = add(b, all, one);
            }
            sum = all.map_or(sum, |all| add(b, sum, all));
            (0..self.arrays.len()).for_each(|array| _ = lanes.vector(b, array));
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
        (b.cond(Cc::Ne, flags), lanes.vectors)
    }

    /// The lane of which none may be zero, where that is what is asked: the least of all says so. There is none of 64 bits.
    fn least(&self) -> Option<Lane> {
        let asked = |t: &Test| match t.cc {
            _ if t.bytes => Some(Lane::B),
            IntCc::Ne => Some(self.lane),
            _ => None,
        };
        let lane = self.data.iter().find_map(asked)?;
        let fits = lane != Lane::D && !self.whole && self.data.iter().all(|t| asked(t).is_none_or(|l| l == lane));
        fits.then_some(lane)
    }

    /// The chunk's last round, of elements that have been read.
    fn last(&self, b: &mut Builder, vectors: &[Vec<Val>]) {
        for &(slot, step) in &self.steps {
            let v = b.get(slot);
            let sum = b.constant(b.ty(v), step.wrapping_mul(self.rounds() - 1));
            let v = b.add(v, sum);
            b.set(slot, v);
        }
        let in_round = self.arrays[0].loads.len();
        for &(slot, load) in &self.carried {
            let v = self.loaded(b, load, vectors, self.elements() - 2 * in_round);
            b.set(slot, v);
        }
        let mut now = HashMap::new();
        for v in self.insts() {
            let new = match *self.r.op(v) {
                Op::Insn { .. } | Op::Poll { .. } => continue,
                Op::Load(_) => self.loaded(b, v, vectors, self.elements() - in_round),
                _ => b.again(self.r, v, |v| now[&v]),
            };
            now.insert(v, new);
        }
    }

    /// What a load gives in the round whose first element is the one with this number.
    fn loaded(&self, b: &mut Builder, load: Val, vectors: &[Vec<Val>], first: usize) -> Val {
        let (array, n) = self.element(load).expect("all loads are known");
        let n = first + n;
        if self.whole {
            return vectors[array][n];
        }
        let in_vector = 16 / self.lane.bytes();
        let element = b.vget(self.lane.ty(), vectors[array][n / in_vector], (n % in_vector) as u32);
        let ty = self.r.ty(load);
        match self.mem(load).ext {
            _ if ty == self.lane.ty() => element,
            Ext::Zero => b.zext(ty, element),
            Ext::Sign => b.sext(ty, element),
        }
    }
}

/// What is asked before a chunk is read.
#[derive(Clone, Copy)]
enum Guard {
    /// A chunk of an array lies in one page: what the loop need not read may not be there, or be watched.
    Page(usize),
    /// A value is not above this.
    Most(Val, u64),
    Is(Val, u64),
    /// This holds in all rounds.
    Test(Test),
}

/// Values as the next round begins with them.
struct Now<'a> {
    search: &'a Search<'a>,
    made: HashMap<Val, Val>,
}

impl<'a> Now<'a> {
    fn new(search: &'a Search<'a>) -> Now<'a> {
        Now { search, made: HashMap::new() }
    }

    /// A value that no load is needed for.
    fn value(&mut self, b: &mut Builder, v: Val) -> Val {
        let v = self.search.itself(v);
        if let Some(&made) = self.made.get(&v) {
            return made;
        }
        let mut args = Vec::new();
        self.search.r.op(v).for_each_arg(|a| args.push(a));
        let args: HashMap<Val, Val> = args.into_iter().map(|a| (a, self.value(b, a))).collect();
        let made = b.again(self.search.r, v, |a| args[&a]);
        self.made.insert(v, made);
        made
    }

    /// Where a load reads.
    fn address(&mut self, b: &mut Builder, load: Val) -> Val {
        let m = self.search.mem(load);
        let mut at = self.value(b, m.base);
        if !m.index.is_none() {
            let index = self.value(b, m.index);
            let index = b.shift_imm(Bin::Shl, index, m.scale.into());
            at = b.add(at, index);
        }
        b.add_imm(at, m.disp.into())
    }
}

/// Values of as many elements as a vector has.
struct Lanes<'a> {
    search: &'a Search<'a>,
    now: Now<'a>,
    /// What has been read so far, by array, up to the vector that is computed with.
    vectors: Vec<Vec<Val>>,
    at: usize,
    /// What does not change, in every lane.
    splats: HashMap<Val, Val>,
}

impl Lanes<'_> {
    /// The array's elements.
    fn vector(&mut self, b: &mut Builder, array: usize) -> Val {
        if self.vectors[array].len() == self.at {
            let m = self.search.mem(self.search.first_load(array));
            let base = self.now.value(b, m.base);
            let index = if m.index.is_none() { Val::NONE } else { self.now.value(b, m.index) };
            let disp = m.disp + 16 * self.at as i32;
            let v = b.load_ahead(Mem { index, disp, scale: m.scale, ..Mem::at(base, 16) });
            self.vectors[array].push(v);
        }
        self.vectors[array][self.at]
    }

    /// Lanes that are not zero where the test holds.
    fn holds(&mut self, b: &mut Builder, test: &Test) -> Val {
        let x = self.value(b, test.a);
        if test.b.is_none() && (test.bytes || test.cc == IntCc::Ne) {
            return x;
        }
        let y = if test.b.is_none() { b.v128(0) } else { self.value(b, test.b) };
        if test.cc == IntCc::Ne { b.v2(V2::Xor, Lane::D, x, y) } else { b.v2(V2::CmpEq, self.search.lane, x, y) }
    }

    /// Lanes that are not zero where it does not.
    fn fails(&mut self, b: &mut Builder, test: &Test) -> Val {
        let x = self.value(b, test.a);
        let y = if test.b.is_none() { b.v128(0) } else { self.value(b, test.b) };
        match test.cc {
            _ if test.bytes => b.v2(V2::CmpEq, Lane::B, x, y),
            IntCc::Ne => b.v2(V2::CmpEq, self.search.lane, x, y),
            _ if test.b.is_none() => x,
            _ => b.v2(V2::Xor, Lane::D, x, y),
        }
    }

    fn value(&mut self, b: &mut Builder, v: Val) -> Val {
        let s = self.search;
        let v = s.itself(v);
        let lane = s.lane;
        if let Some((array, _)) = s.element(v) {
            return self.vector(b, array);
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
            Op::Zext(x) | Op::Trunc(x) => self.value(b, x),
            _ => unreachable!("it fits no lanes"),
        }
    }

    /// A value of one element that is a vector.
    fn whole(&mut self, b: &mut Builder, v: Val) -> Val {
        let s = self.search;
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
        let lane = self.search.lane;
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
