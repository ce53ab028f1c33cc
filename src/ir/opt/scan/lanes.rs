//! Values of a chunk: as a round begins with them, and in lanes, as many at a time as a vector has.

use super::Sweep;
use super::Test;
use super::compute::{Order, lane_of};
use crate::builder::Builder;
use crate::mem::{Ext, Mem};
use crate::op::{Bin, Op, Un, V1, V2, V3, VShift, Val};
use crate::types::{IntCc, Lane, Ty};
use std::collections::HashMap;

/// Values as the next round begins with them.
pub(super) struct Now<'s, 'a> {
    sweep: &'s Sweep<'a>,
    made: HashMap<Val, Val>,
}

impl<'s, 'a> Now<'s, 'a> {
    pub(super) fn new(sweep: &'s Sweep<'a>) -> Now<'s, 'a> {
        Now { sweep, made: HashMap::new() }
    }

    /// A value that no load is needed for.
    pub(super) fn value(&mut self, b: &mut Builder, v: Val) -> Val {
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
    pub(super) fn address(&mut self, b: &mut Builder, access: Val) -> Val {
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
pub(super) type Vectors = HashMap<(usize, usize), Val>;

/// Values of as many elements as a vector has.
pub(super) struct Lanes<'s, 'a> {
    pub sweep: &'s Sweep<'a>,
    pub now: Now<'s, 'a>,
    /// The first vector's place, beside the first round's access.
    first: i32,
    pub vectors: Vectors,
    /// The place of the vector that is computed with.
    pub at: usize,
    /// Which part of it, where lanes are wider than elements.
    pub piece: usize,
    /// Elements are those before.
    late: bool,
    /// What does not change, in every lane.
    splats: HashMap<(Val, Lane), Val>,
}

impl<'s, 'a> Lanes<'s, 'a> {
    pub(super) fn new(sweep: &'s Sweep<'a>, bytes: u64) -> Lanes<'s, 'a> {
        let now = Now::new(sweep);
        let first = if sweep.down { sweep.stride as i32 - bytes as i32 } else { 0 };
        Lanes { sweep, now, first, vectors: HashMap::new(), at: 0, piece: 0, late: false, splats: HashMap::new() }
    }

    /// The array's elements.
    pub(super) fn vector(&mut self, b: &mut Builder, array: usize) -> Val {
        if let Some(&v) = self.vectors.get(&(array, self.at)) {
            return v;
        }
        let mem = self.place(b, self.sweep.first_load(array));
        let v = b.load_ahead(mem);
        self.vectors.insert((array, self.at), v);
        v
    }

    /// Where the chunk's vector is of which that access has the first element.
    pub(super) fn place(&mut self, b: &mut Builder, access: Val) -> Mem {
        let m = self.sweep.mem(access);
        let base = self.now.value(b, m.base);
        let index = if m.index.is_none() { Val::NONE } else { self.now.value(b, m.index) };
        Mem { index, disp: m.disp + self.first + 16 * self.at as i32, scale: m.scale, ..Mem::at(base, 16) }
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
    pub(super) fn holds(&mut self, b: &mut Builder, test: &Test) -> Val {
        let x = self.element_value(b, test.a);
        if test.b.is_none() && (test.bytes || test.cc == IntCc::Ne) {
            return x;
        }
        let y = if test.b.is_none() { b.v128(0) } else { self.element_value(b, test.b) };
        if test.cc == IntCc::Ne { b.v2(V2::Xor, Lane::D, x, y) } else { b.v2(V2::CmpEq, self.sweep.lane, x, y) }
    }

    /// Lanes that are not zero where it does not.
    pub(super) fn fails(&mut self, b: &mut Builder, test: &Test) -> Val {
        let x = self.element_value(b, test.a);
        let y = if test.b.is_none() { b.v128(0) } else { self.element_value(b, test.b) };
        match test.cc {
            _ if test.bytes => b.v2(V2::CmpEq, Lane::B, x, y),
            IntCc::Ne => b.v2(V2::CmpEq, self.sweep.lane, x, y),
            _ if test.b.is_none() => x,
            _ => b.v2(V2::Xor, Lane::D, x, y),
        }
    }

    /// What is stored.
    pub(super) fn stored(&mut self, b: &mut Builder, v: Val) -> Val {
        let (narrow, lane) = (self.sweep.lane, self.sweep.stored_in);
        self.late = self.sweep.late;
        let mut parts: Vec<Val> = (0..lane.bytes() / narrow.bytes())
            .map(|piece| {
                self.piece = piece;
                self.value(b, v, lane)
            })
            .collect();
        (self.piece, self.late) = (0, false);
        while parts.len() > 1 {
            let half = lane_of(narrow.bits() * parts.len() as u32 / 2).expect("lanes are halved");
            parts = parts.chunks(2).map(|p| b.v2(V2::UnzipEven, half, p[0], p[1])).collect();
        }
        parts[0]
    }

    /// A value in lanes of elements.
    fn element_value(&mut self, b: &mut Builder, v: Val) -> Val {
        if self.sweep.whole { self.whole(b, v) } else { self.value(b, v, self.sweep.lane) }
    }

    pub(super) fn value(&mut self, b: &mut Builder, v: Val, lane: Lane) -> Val {
        let s = self.sweep;
        let v = s.itself(v);
        if let Some((array, n)) = s.element(v) {
            let vector = if self.late { self.vector_before(b, array) } else { self.vector(b, array) };
            let sign = s.mem(s.arrays[array].accesses[n].1).ext == Ext::Sign;
            return widen(b, vector, (s.lane, lane), self.piece, sign);
        }
        match *s.r.op(v) {
            Op::Const(c) => b.v128(splat(lane, c)),
            _ if s.step(v) == Some(0) => self.splat(b, v, lane),
            Op::Bin(bin @ (Bin::Shl | Bin::Shr | Bin::Sar), x, amount) => {
                let amount = (s.const_of(amount).unwrap_or(0) as u32).min(lane.bits() - 1);
                let x = self.value(b, x, lane);
                let op = match bin {
                    Bin::Shl => VShift::Shl,
                    Bin::Shr => VShift::ShrU,
                    _ => VShift::ShrS,
                };
                b.vshift(op, lane, x, amount)
            }
            Op::Bin(bin, x, y) => {
                let (x, y) = (self.value(b, x, lane), self.value(b, y, lane));
                match bin {
                    Bin::Add => b.v2(V2::Add, lane, x, y),
                    Bin::Sub => b.v2(V2::Sub, lane, x, y),
                    Bin::Mul => b.v2(V2::Mul, lane, x, y),
                    Bin::And => b.v2(V2::And, Lane::D, x, y),
                    Bin::Or => b.v2(V2::Or, Lane::D, x, y),
                    Bin::Xor => b.v2(V2::Xor, Lane::D, x, y),
                    Bin::AndNot => b.v2(V2::AndNot, Lane::D, x, y),
                    _ => unreachable!("it fits no lanes"),
                }
            }
            Op::Un(un @ (Un::Not | Un::Neg), x) => {
                let x = self.value(b, x, lane);
                b.v1(if un == Un::Not { V1::Not } else { V1::Neg }, lane, x)
            }
            Op::Zext(x) if s.r.ty(x) == Ty::I1 => {
                let mask = self.mask(b, x, lane);
                let one = b.v128(splat(lane, 1));
                b.v2(V2::And, Lane::D, mask, one)
            }
            Op::Zext(x) => self.extended(b, x, s.r.ty(x).bits(), lane, false),
            Op::Sext(x) => self.extended(b, x, s.r.ty(x).bits(), lane, true),
            Op::Extract { v: x, width, signed, .. } => self.extended(b, x, width.into(), lane, signed),
            Op::Trunc(x) => self.value(b, x, lane),
            Op::Select(cond, x, y) => {
                let mask = self.mask(b, cond, lane);
                let (x, y) = (self.value(b, x, lane), self.value(b, y, lane));
                self.choose(b, mask, x, y)
            }
            _ => unreachable!("it fits no lanes"),
        }
    }

    /// A value's low bits, extended.
    fn extended(&mut self, b: &mut Builder, v: Val, width: u32, lane: Lane, sign: bool) -> Val {
        if width >= lane.bits() {
            return self.value(b, v, lane);
        }
        let narrow = lane_of(width).expect("it fits lanes");
        let (piece, times) = (self.piece, lane.bytes() / narrow.bytes());
        self.piece = piece / times;
        let v = self.value(b, v, narrow);
        self.piece = piece;
        widen(b, v, (narrow, lane), piece % times, sign)
    }

    /// Lanes with all bits set where a condition holds.
    pub(super) fn mask(&mut self, b: &mut Builder, cond: Val, lane: Lane) -> Val {
        let (tests, wanted) = self.sweep.tests_of(cond).expect("lanes tell where it holds");
        let mut all = None;
        for test in &tests {
            let one = self.test(b, test, lane);
            all = Some(all.map_or(one, |all| b.v2(V2::And, Lane::D, all, one)));
        }
        let all = all.expect("something is asked");
        if wanted { all } else { b.v1(V1::Not, lane, all) }
    }

    fn test(&mut self, b: &mut Builder, test: &Test, lane: Lane) -> Val {
        let order = self.sweep.compares(test, lane, &mut Vec::new()).expect("lanes tell where it holds");
        let x = self.value(b, test.a, lane);
        let y = if test.b.is_none() { b.v128(0) } else { self.value(b, test.b, lane) };
        let (greater, not_less) = match order {
            Order::Signed => (V2::CmpGtS, V2::CmpGeS),
            Order::Unsigned => (V2::CmpGtU, V2::CmpGeU),
        };
        match test.cc {
            IntCc::Eq => b.v2(V2::CmpEq, lane, x, y),
            IntCc::Ne => {
                let same = b.v2(V2::CmpEq, lane, x, y);
                b.v1(V1::Not, lane, same)
            }
            IntCc::Ugt | IntCc::Sgt => b.v2(greater, lane, x, y),
            IntCc::Uge | IntCc::Sge => b.v2(not_less, lane, x, y),
            IntCc::Ult | IntCc::Slt => b.v2(greater, lane, y, x),
            IntCc::Ule | IntCc::Sle => b.v2(not_less, lane, y, x),
        }
    }

    /// x where the mask has ones, else y.
    pub(super) fn choose(&mut self, b: &mut Builder, mask: Val, x: Val, y: Val) -> Val {
        if b.region.const_v_of(y) == Some(0) {
            return b.v2(V2::And, Lane::D, x, mask);
        }
        b.v3(V3::BitSelect, Lane::D, mask, x, y)
    }

    /// A value of one element that is a vector.
    fn whole(&mut self, b: &mut Builder, v: Val) -> Val {
        let s = self.sweep;
        let v = s.itself(v);
        if let Some((array, _)) = s.element(v) {
            return self.vector(b, array);
        }
        if s.step(v) == Some(0) {
            return self.now.value(b, v);
        }
        let mut args = Vec::new();
        s.r.op(v).for_each_arg(|a| args.push(a));
        let args: HashMap<Val, Val> = args.into_iter().map(|a| (a, self.whole(b, a))).collect();
        b.again(s.r, v, |a| args[&a])
    }

    fn splat(&mut self, b: &mut Builder, v: Val, lane: Lane) -> Val {
        if let Some(&splat) = self.splats.get(&(v, lane)) {
            return splat;
        }
        let mut element = self.now.value(b, v);
        if b.ty(element) != lane.ty() {
            element = b.trunc(lane.ty(), element);
        }
        let splat = b.vsplat(lane, element);
        self.splats.insert((v, lane), splat);
        splat
    }
}

/// A part of a vector whose lanes have become wider.
fn widen(b: &mut Builder, mut v: Val, (from, to): (Lane, Lane), piece: usize, sign: bool) -> Val {
    let mut lane = from;
    while lane.bits() < to.bits() {
        // Which half has the part.
        let halves = to.bytes() / lane.bytes() / 2;
        if piece / halves % 2 == 1 {
            v = b.v1(V1::MoveHi, Lane::D, v);
        }
        v = b.v1(if sign { V1::WidenS } else { V1::WidenU }, lane, v);
        lane = lane.wider();
    }
    v
}

/// A number in every lane.
fn splat(lane: Lane, c: u64) -> u128 {
    u128::MAX / u128::from(lane.mask()) * u128::from(c & lane.mask())
}
