//! Sums that a loop keeps in a slot: something of each element is added to it, or put in by an exclusive or; or the least or the greatest of them is kept.
//! A chunk adds up in lanes, and what these hold in the end is added to the slot once: in whatever order, the sum is the same.

use super::Sweep;
use super::compute::{Need, Order, lane_of, within};
use super::lanes::Lanes;
use crate::builder::Builder;
use crate::op::{Bin, Op, Slot, V1, V2, Val};
use crate::types::{IntCc, Lane, Ty};

/// Something of an element that is added.
#[derive(Clone, Debug)]
pub(super) enum Part {
    Plus(Val),
    Minus(Val),
    /// The first where the condition holds, else the second.
    Either(Val, Vec<Part>, Vec<Part>),
}

#[derive(Debug)]
pub(super) struct Sum {
    pub slot: Slot,
    /// What it holds as the round ends.
    pub last: Val,
    /// The new sum, of which as many low bits count as `ty` has: the slot gets these, extended.
    pub core: Val,
    pub ty: Ty,
    /// It works if the slot has a number with a sign of 32 bits.
    pub is_number: bool,
    kind: Kind,
    pub parts: Vec<Part>,
    /// What is added is computed in lanes of this size, where it may have a sign.
    lane: Lane,
    signed: bool,
    how: How,
}

/// What is done with it.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Kind {
    Add,
    Xor,
    /// The one is kept for which the comparison with the other holds.
    Keep(IntCc),
}

/// How lanes are added up.
#[derive(Clone, Copy, PartialEq, Debug)]
enum How {
    /// As they are.
    Lanes,
    /// Neighbours together, in lanes twice as wide.
    Pairs,
    /// Eight bytes together.
    Bytes,
    /// Each is the product of these, of which neighbours are added together.
    Products(Val, Val),
}

impl Sweep<'_> {
    /// The sum that a slot holds, if its value as the round ends is one.
    pub(super) fn sum_of(&self, slot: Slot, last: Val) -> Option<Sum> {
        let mut core = self.itself(last);
        let mut ty = self.r.ty(core);
        match *self.r.op(core) {
            Op::Zext(x) | Op::Sext(x) => {
                core = self.itself(x);
                ty = self.r.ty(core);
            }
            Op::Extract { v, lsb: 0, width, .. } => {
                core = self.itself(v);
                ty = lane_of(width.into())?.ty();
            }
            _ => {}
        }
        if !matches!(ty, Ty::I32 | Ty::I64) {
            return None;
        }
        // A sum of 32 bits that not all ways have extended.
        let partly = matches!(self.r.op(core), Op::Select(..)) && ty == Ty::I64;
        let of = |ty, is_number| self.sum_of_type((slot, last, core), ty, is_number);
        of(ty, false).or_else(|| if partly { of(Ty::I32, true) } else { None })
    }

    fn sum_of_type(&self, (slot, last, core): (Slot, Val, Val), ty: Ty, is_number: bool) -> Option<Sum> {
        let kind = if matches!(self.r.op(core), Op::Bin(Bin::Xor, ..)) { Kind::Xor } else { Kind::Add };
        let mut sum = Sum {
            slot,
            last,
            core,
            ty,
            is_number,
            kind,
            parts: Vec::new(),
            lane: Lane::B,
            signed: false,
            how: How::Lanes,
        };
        let mut parts = Vec::new();
        self.parts(&sum, core, &mut parts)?;
        sum.parts = parts;
        Some(sum)
    }

    /// The least or the greatest that a slot holds, if its value as the round ends is that.
    pub(super) fn extreme_of(&self, slot: Slot, last: Val) -> Option<Sum> {
        let mut core = self.itself(last);
        let mut extended = false;
        loop {
            (core, extended) = match *self.r.op(core) {
                Op::Zext(x) | Op::Trunc(x) => (self.itself(x), extended),
                Op::Sext(x) if self.r.ty(x) == Ty::I32 => (self.itself(x), true),
                Op::Extract { v, lsb: 0, width: 32, signed: true } => (self.itself(v), true),
                _ => break,
            };
        }
        let Op::Select(cond, a, b) = *self.r.op(core) else { return None };
        let ty = self.r.ty(core);
        // Extending leaves such a number as it is.
        let is_number = extended && ty == Ty::I64;
        if !is_number && self.r.ty(self.itself(last)) == ty && self.itself(last) != core {
            return None;
        }
        let before = |v: Val| match *self.op(v) {
            Op::Trunc(x) => *self.op(x) == Op::Get(slot),
            op => op == Op::Get(slot),
        };
        let (kept, other) = if before(a) { (true, b) } else { (false, a) };
        if !matches!(ty, Ty::I32 | Ty::I64) || !before(if kept { a } else { b }) || self.has(other, slot) {
            return None;
        }
        // The comparison of what was with what comes for which the former stays.
        let (tests, wanted) = self.tests_of(cond)?;
        let [test] = tests[..] else { return None };
        let cc = if wanted == kept { test.cc } else { test.cc.invert() };
        let same = |v: Val| !v.is_none() && self.itself(v) == self.itself(other);
        let cc = match () {
            () if self.r.ty(test.a) != ty || test.b.is_none() => return None,
            () if before(test.a) && same(test.b) => cc,
            () if before(test.b) && same(test.a) => cc.swap(),
            () => return None,
        };
        // Nobody else sees what it was.
        let used = self.used(|v| v == core);
        if matches!(cc, IntCc::Eq | IntCc::Ne) || used.iter().any(|&v| before(v)) {
            return None;
        }
        let parts = vec![Part::Plus(other)];
        Some(Sum {
            slot,
            last,
            core,
            ty,
            is_number,
            kind: Kind::Keep(cc),
            parts,
            lane: Lane::B,
            signed: false,
            how: How::Lanes,
        })
    }

    /// What is added to the slot in a value that has it as a part of its sum.
    fn parts(&self, sum: &Sum, v: Val, parts: &mut Vec<Part>) -> Option<()> {
        let v = self.itself(v);
        let bits = sum.ty.bits();
        match *self.r.op(v) {
            Op::Get(slot) => (slot == sum.slot).then_some(()),
            Op::Trunc(x) => self.parts(sum, x, parts),
            Op::Zext(x) | Op::Sext(x) if self.r.ty(x).bits() >= bits => self.parts(sum, x, parts),
            Op::Extract { v: x, lsb: 0, width, .. } if u32::from(width) >= bits => self.parts(sum, x, parts),
            Op::Bin(bin, a, b) if bin == if sum.kind == Kind::Xor { Bin::Xor } else { Bin::Add } => {
                let (sums, part) = if self.has(a, sum.slot) { (a, b) } else { (b, a) };
                parts.push(Part::Plus(part));
                self.parts(sum, sums, parts)
            }
            Op::Bin(Bin::Sub, a, b) if sum.kind == Kind::Add => {
                parts.push(Part::Minus(b));
                self.parts(sum, a, parts)
            }
            Op::Select(cond, a, b) if sum.kind == Kind::Add => {
                let (mut x, mut y) = (Vec::new(), Vec::new());
                self.parts(sum, a, &mut x)?;
                self.parts(sum, b, &mut y)?;
                parts.push(Part::Either(cond, x, y));
                Some(())
            }
            _ => None,
        }
    }

    /// Whether a value depends on a slot that a sum is in.
    fn has(&self, v: Val, slot: Slot) -> bool {
        let v = self.itself(v);
        let op = self.r.op(v);
        let mut has = *op == Op::Get(slot);
        op.for_each_arg(|a| has |= self.has(a, slot));
        has
    }

    /// Finds how the sums can be added up in lanes. Each is of one element a round.
    pub(super) fn look_at_sums(&mut self) -> Option<()> {
        let mut sums = std::mem::take(&mut self.sums);
        let elements = self.arrays.iter().map(|a| a.accesses.len()).max();
        if !sums.is_empty() && (elements != Some(1) || self.whole) {
            return None;
        }
        for sum in &mut sums {
            let mut leaves = Vec::new();
            self.leaves_of(&sum.parts, &mut leaves)?;
            if leaves.iter().any(|leaf| *leaf != (false, 0)) {
                return None;
            }
            // What is chosen of two such numbers is one.
            let number = |v| within(self.range(v), (-(1 << 31), (1 << 31) - 1));
            if matches!((sum.kind, &sum.parts[..]), (Kind::Keep(_), [Part::Plus(v)]) if sum.is_number && !number(*v)) {
                return None;
            }
            let mut needs = Vec::new();
            (sum.lane, sum.signed, sum.how) = self.way(sum, &mut needs)?;
            self.needs.extend(needs);
            if sum.is_number {
                let v = self.insts().find(|v| *self.r.op(*v) == Op::Get(sum.slot) && self.itself(*v) == *v)?;
                self.needs.push(Need { v, least: i32::MIN.into(), most: u32::MAX.into() });
            }
        }
        self.sums = sums;
        Some(())
    }

    fn leaves_of(&self, parts: &[Part], leaves: &mut Vec<(bool, usize)>) -> Option<()> {
        for part in parts {
            match part {
                Part::Plus(v) | Part::Minus(v) => self.leaves(*v, leaves)?,
                Part::Either(cond, a, b) => {
                    self.leaves(*cond, leaves)?;
                    self.leaves_of(a, leaves)?;
                    self.leaves_of(b, leaves)?;
                }
            }
        }
        Some(())
    }

    /// The lanes that a sum's parts are computed in, whether these can be below zero there, and how they are added up.
    fn way(&self, sum: &Sum, needs: &mut Vec<Need>) -> Option<(Lane, bool, How)> {
        let bits = sum.ty.bits();
        // Elements of a chunk.
        let most = (self.most_rounds() as i128) * self.lane.bytes() as i128;
        if sum.kind == Kind::Add
            && let [Part::Plus(v)] = sum.parts[..]
            && let Op::Bin(Bin::Mul, a, b) = *self.op(v)
            && (self.lane.bits() <= 16 && bits == 32)
            && [a, b].into_iter().all(|v| within(self.range(v), (-0x8000, 0x7fff)))
            && [a, b].into_iter().all(|v| self.fits(v, Lane::H, needs))
        {
            return Some((Lane::H, true, How::Products(a, b)));
        }
        needs.clear();
        let mut lane = self.lane;
        while lane.bits() <= bits {
            if self.parts_fit(&sum.parts, lane, needs) {
                let range = self.range_of_parts(&sum.parts);
                let signed = range.0 < 0;
                let times = |n: i128| (range.0 * n, range.1 * n);
                let holds = |lane: Lane, n: i128| {
                    let b = lane.bits();
                    let all = if signed { (-(1i128 << (b - 1)), (1 << (b - 1)) - 1) } else { (0, (1 << b) - 1) };
                    b >= bits || within(times(n), all)
                };
                // Elements that one lane of so many bytes has to take.
                let each = |lane: Lane| most / self.lane.bytes() as i128 * lane.bytes() as i128 / 16;
                let alone = lane.bits() == bits || sum.parts.len() == 1;
                let as_they_are = match sum.kind {
                    Kind::Add => holds(lane, each(lane)),
                    Kind::Xor => alone && holds(lane, 1),
                    Kind::Keep(_) => lane != Lane::D && holds(lane, 1),
                };
                if as_they_are {
                    return Some((lane, signed, How::Lanes));
                }
                if sum.kind == Kind::Add && holds(lane, 1) {
                    if lane == Lane::B && !signed {
                        return Some((lane, false, How::Bytes));
                    }
                    if holds(lane.wider(), each(lane.wider())) {
                        return Some((lane, signed, How::Pairs));
                    }
                }
            }
            needs.clear();
            if lane == Lane::D {
                break;
            }
            lane = lane.wider();
        }
        None
    }

    fn parts_fit(&self, parts: &[Part], lane: Lane, needs: &mut Vec<Need>) -> bool {
        parts.iter().all(|part| match part {
            Part::Plus(v) | Part::Minus(v) => self.fits(*v, lane, needs),
            Part::Either(cond, a, b) => {
                self.chooses(*cond, lane, needs) && self.parts_fit(a, lane, needs) && self.parts_fit(b, lane, needs)
            }
        })
    }

    fn range_of_parts(&self, parts: &[Part]) -> (i128, i128) {
        parts.iter().fold((0, 0), |(low, high), part| match part {
            Part::Plus(v) => {
                let r = self.range(*v);
                (low + r.0, high + r.1)
            }
            Part::Minus(v) => {
                let r = self.range(*v);
                (low - r.1, high - r.0)
            }
            Part::Either(_, a, b) => {
                let (x, y) = (self.range_of_parts(a), self.range_of_parts(b));
                (low + x.0.min(y.0), high + x.1.max(y.1))
            }
        })
    }
}

impl Sum {
    /// Adds a chunk's vector to what lanes hold so far.
    pub(super) fn add(&self, b: &mut Builder, lanes: &mut Lanes, mut so_far: Option<Val>) -> Option<Val> {
        let pieces = self.lane.bytes() / lanes.sweep.lane.bytes();
        for piece in 0..pieces {
            lanes.piece = piece;
            let (lane, op, v) = match self.how {
                How::Products(x, y) => {
                    let (x, y) = (lanes.value(b, x, self.lane), lanes.value(b, y, self.lane));
                    (Lane::S, V2::Add, b.v2(V2::MulAddPairs, Lane::H, x, y))
                }
                _ if let [Part::Either(cond, x, y)] = &self.parts[..]
                    && let ([Part::Plus(one)], []) | ([], [Part::Plus(one)]) = (&x[..], &y[..])
                    && lanes.sweep.const_of(*one) == Some(1)
                    && self.how == How::Lanes =>
                {
                    // Lanes where it holds are -1.
                    let mask = lanes.mask(b, *cond, self.lane);
                    (self.lane, V2::Sub, if x.is_empty() { b.v1(V1::Not, self.lane, mask) } else { mask })
                }
                how => {
                    let v = self.in_lanes(b, lanes, &self.parts);
                    match how {
                        How::Bytes => {
                            let zero = b.v128(0);
                            (Lane::D, V2::Add, b.v2(V2::SumAbsDiff, Lane::B, v, zero))
                        }
                        How::Pairs => {
                            let op = if self.signed { V1::PairAddS } else { V1::PairAddU };
                            (self.lane.wider(), V2::Add, b.v1(op, self.lane, v))
                        }
                        _ => {
                            let (lane, op) = self.op(self.lane);
                            (lane, op, v)
                        }
                    }
                }
            };
            so_far = Some(match so_far {
                None if op == V2::Sub => b.v1(V1::Neg, lane, v),
                None => v,
                Some(sum) => b.v2(op, lane, sum, v),
            });
        }
        lanes.piece = 0;
        so_far
    }

    fn in_lanes(&self, b: &mut Builder, lanes: &mut Lanes, parts: &[Part]) -> Val {
        let mut sum: Option<Val> = None;
        for part in parts {
            let (v, minus) = match part {
                Part::Plus(v) => (lanes.value(b, *v, self.lane), false),
                Part::Minus(v) => (lanes.value(b, *v, self.lane), true),
                Part::Either(cond, x, y) => {
                    let mask = lanes.mask(b, *cond, self.lane);
                    let (x, y) = (self.in_lanes(b, lanes, x), self.in_lanes(b, lanes, y));
                    (lanes.choose(b, mask, x, y), false)
                }
            };
            sum = Some(match (sum, minus) {
                (None, false) => v,
                (None, true) => b.v1(V1::Neg, self.lane, v),
                (Some(sum), _) if self.kind == Kind::Xor => b.v2(V2::Xor, Lane::D, sum, v),
                (Some(sum), minus) => b.v2(if minus { V2::Sub } else { V2::Add }, self.lane, sum, v),
            });
        }
        sum.unwrap_or_else(|| b.v128(0))
    }

    /// What lanes hold in the end, all together: a number of the sum's type.
    pub(super) fn total(&self, b: &mut Builder, mut v: Val) -> Val {
        let mut lane = match self.how {
            How::Lanes => self.lane,
            How::Pairs => self.lane.wider(),
            How::Bytes => Lane::D,
            How::Products(..) => Lane::S,
        };
        while self.kind == Kind::Add && lane.bits() < self.ty.bits() {
            v = b.v1(if self.signed { V1::PairAddS } else { V1::PairAddU }, lane, v);
            lane = lane.wider();
        }
        let mut half = 8;
        while half >= lane.bytes() {
            let other = b.vext(v, v, half as u32);
            let (lanes, op) = self.op(lane);
            v = b.v2(op, lanes, v, other);
            half /= 2;
        }
        let total = b.vget(lane.ty(), v, 0);
        if lane.bits() >= self.ty.bits() {
            b.trunc(self.ty, total)
        } else if self.signed {
            b.sext(self.ty, total)
        } else {
            b.zext(self.ty, total)
        }
    }

    /// What one round adds, of values that `now` gives.
    pub(super) fn of_round(
        &self,
        b: &mut Builder,
        parts: &[Part],
        now: &mut dyn FnMut(&mut Builder, Val) -> Val,
    ) -> Val {
        let mut sum = b.constant(self.ty, 0);
        for part in parts {
            let (v, minus) = match part {
                Part::Plus(v) => (now(b, *v), false),
                Part::Minus(v) => (now(b, *v), true),
                Part::Either(cond, x, y) => {
                    let cond = now(b, *cond);
                    let (x, y) = (self.of_round(b, x, now), self.of_round(b, y, now));
                    (b.select(cond, x, y), false)
                }
            };
            let v = b.trunc(self.ty, v);
            sum = match minus {
                true => b.sub(sum, v),
                false if self.kind == Kind::Xor => b.xor(sum, v),
                false => b.add(sum, v),
            };
        }
        sum
    }

    /// What puts two lanes together, and of which lanes.
    fn op(&self, lane: Lane) -> (Lane, V2) {
        match self.kind {
            Kind::Add => (lane, V2::Add),
            Kind::Xor => (Lane::D, V2::Xor),
            Kind::Keep(cc) => {
                let op = match (cc, self.order(lane)) {
                    (IntCc::Ult | IntCc::Ule | IntCc::Slt | IntCc::Sle, Order::Signed) => V2::MinS,
                    (IntCc::Ult | IntCc::Ule | IntCc::Slt | IntCc::Sle, Order::Unsigned) => V2::MinU,
                    (_, Order::Signed) => V2::MaxS,
                    (_, Order::Unsigned) => V2::MaxU,
                };
                (lane, op)
            }
        }
    }

    /// How lanes are compared: by the comparison's own order where they are the numbers themselves, else without a sign if there is none. (Numbers with a
    /// sign that are compared without one are so in lanes too.)
    fn order(&self, lane: Lane) -> Order {
        match self.kind {
            Kind::Keep(IntCc::Slt | IntCc::Sle | IntCc::Sgt | IntCc::Sge)
                if self.signed || lane.bits() == self.ty.bits() =>
            {
                Order::Signed
            }
            _ => Order::Unsigned,
        }
    }

    /// The sum and what lanes have added to it.
    pub(super) fn with(&self, b: &mut Builder, sum: Val, total: Val) -> Val {
        match self.kind {
            Kind::Add => b.add(sum, total),
            Kind::Xor => b.xor(sum, total),
            Kind::Keep(cc) => {
                let keeps = b.cmp(cc, sum, total);
                b.select(keeps, sum, total)
            }
        }
    }

    /// What it was a round before, of which `one` is what it has added, if that can be told.
    pub(super) fn before(&self, b: &mut Builder, sum: Val, one: Val) -> Option<Val> {
        match self.kind {
            Kind::Add => Some(b.sub(sum, one)),
            Kind::Xor => Some(b.xor(sum, one)),
            Kind::Keep(_) => None,
        }
    }
}
