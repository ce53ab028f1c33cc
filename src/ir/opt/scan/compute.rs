//! What can be computed in lanes: values of which as many low bits as a lane has depend on nothing but the same bits of others, and conditions on numbers
//! that lanes hold. A lane may be wider than an element.

use super::{Sweep, Test};
use crate::mem::Ext;
use crate::op::{Bin, Op, Un, Val};
use crate::types::{IntCc, Lane, Ty};

/// The least and the greatest number that a value can be: it is one between these, but for multiples of two to the power of its bits.
type Range = (i128, i128);

/// What must hold of a value that does not change: it is not below `least`, nor further above that than `most`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Need {
    pub v: Val,
    pub least: i64,
    pub most: u64,
}

/// How lanes are compared.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Order {
    Signed,
    Unsigned,
}

const fn signed(bits: u32) -> Range {
    (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
}

const fn unsigned(bits: u32) -> Range {
    (0, (1 << bits) - 1)
}

pub(super) const fn within(a: Range, b: Range) -> bool {
    a.0 >= b.0 && a.1 <= b.1
}

impl Sweep<'_> {
    pub(super) fn range(&self, v: Val) -> Range {
        let v = self.itself(v);
        let ty = self.r.ty(v);
        if ty == Ty::I1 {
            return (0, 1);
        }
        let bits = ty.bits();
        let range = self.range_of(v, bits);
        // Numbers that are further apart say nothing.
        let fits = range.0 >= signed(bits).0 && range.1 <= unsigned(bits).1 && range.1 - range.0 < 1 << bits;
        if fits { range } else { signed(bits) }
    }

    fn range_of(&self, v: Val, bits: u32) -> Range {
        let all = signed(bits);
        if let Some((array, n)) = self.element(v) {
            let m = self.mem(self.arrays[array].accesses[n].1);
            let size = 8 * u32::from(m.size);
            return match m.ext {
                Ext::Zero if size < bits => unsigned(size),
                _ => signed(size),
            };
        }
        let not_negative = |r: &Range| r.0 >= 0;
        match *self.r.op(v) {
            Op::Const(c) => {
                let c = i128::from(c);
                let c = if c > all.1 { c - (1 << bits) } else { c };
                (c, c)
            }
            Op::Zext(x) => self.extended(x, self.r.ty(x).bits(), false),
            Op::Sext(x) => self.extended(x, self.r.ty(x).bits(), true),
            Op::Trunc(x) => self.range(x),
            Op::Extract { v: x, lsb: 0, width, signed } => self.extended(x, width.into(), signed),
            Op::Bin(bin, a, b) => {
                let (x, y) = (self.range(a), self.range(b));
                let amount = self.const_of(b).filter(|&c| c < bits.into());
                match bin {
                    Bin::Add => (x.0 + y.0, x.1 + y.1),
                    Bin::Sub => (x.0 - y.1, x.1 - y.0),
                    // (No product of what these can be has more bits than a number here.)
                    Bin::Mul if within(x, signed(63)) && within(y, signed(63)) => {
                        let all = [x.0 * y.0, x.0 * y.1, x.1 * y.0, x.1 * y.1];
                        all.into_iter().fold((all[0], all[0]), |r, p| (r.0.min(p), r.1.max(p)))
                    }
                    Bin::And if x.0 >= 0 || y.0 >= 0 => {
                        (0, [x, y].into_iter().filter(not_negative).map(|r| r.1).min().unwrap_or(all.1))
                    }
                    Bin::AndNot if x.0 >= 0 => (0, x.1),
                    Bin::Or | Bin::Xor if x.0 >= 0 && y.0 >= 0 => (0, (1 << (128 - x.1.max(y.1).leading_zeros())) - 1),
                    // As many bits as both have.
                    Bin::And | Bin::Or | Bin::Xor => {
                        (2..bits).map(signed).find(|&r| within(x, r) && within(y, r)).unwrap_or(all)
                    }
                    Bin::Shl if let Some(c) = amount.filter(|&c| c < 60) => (x.0 << c, x.1 << c),
                    Bin::Shr if let Some(c) = amount => match x.0 >= 0 {
                        true => (x.0 >> c, x.1 >> c),
                        false if c > 0 => unsigned(bits - c as u32),
                        false => all,
                    },
                    Bin::Sar if let Some(c) = amount.filter(|_| within(x, all)) => (x.0 >> c, x.1 >> c),
                    _ => all,
                }
            }
            Op::Un(Un::Neg, x) => {
                let x = self.range(x);
                (-x.1, -x.0)
            }
            Op::Un(Un::Not, x) => {
                let x = self.range(x);
                (-x.1 - 1, -x.0 - 1)
            }
            Op::Select(_, a, b) => {
                let (x, y) = (self.range(a), self.range(b));
                (x.0.min(y.0), x.1.max(y.1))
            }
            _ => all,
        }
    }

    /// What the low bits of a value are, extended.
    fn extended(&self, x: Val, width: u32, sign: bool) -> Range {
        let (r, all) = (self.range(x), if sign { signed(width) } else { unsigned(width) });
        if within(r, all) { r } else { all }
    }

    /// Whether as many bits of the value as a lane has can be computed in such lanes, whatever is above, if what is needed holds.
    pub(super) fn fits(&self, v: Val, lane: Lane, needs: &mut Vec<Need>) -> bool {
        let v = self.itself(v);
        let (ty, bits) = (self.r.ty(v), lane.bits());
        if ty == Ty::I1 {
            return false;
        }
        if !ty.is_int() || ty.bits() < bits {
            return false;
        }
        let amount = |b: Val| self.const_of(b).filter(|c| (1..u64::from(bits)).contains(c) && lane != Lane::B);
        match *self.r.op(v) {
            Op::Const(_) => true,
            _ if self.element(v).is_some() => lane == self.lane || bits > self.lane.bits() && !self.late,
            _ if self.step(v).is_some() => self.step(v) == Some(0),
            Op::Bin(Bin::Add | Bin::Sub | Bin::And | Bin::Or | Bin::Xor | Bin::AndNot, a, b) => {
                self.fits(a, lane, needs) && self.fits(b, lane, needs)
            }
            Op::Bin(Bin::Mul, a, b) => {
                matches!(lane, Lane::H | Lane::S) && self.fits(a, lane, needs) && self.fits(b, lane, needs)
            }
            Op::Bin(Bin::Shl, a, b) => amount(b).is_some() && self.fits(a, lane, needs),
            Op::Bin(Bin::Shr, a, b) => {
                let exact = ty.bits() == bits || within(self.range(a), unsigned(bits));
                amount(b).is_some() && exact && self.fits(a, lane, needs)
            }
            Op::Bin(Bin::Sar, a, b) => {
                let exact = ty.bits() == bits || within(self.range(a), signed(bits));
                // (Further than a lane is wide there are only signs.)
                let by = self.const_of(b).is_some_and(|c| (1..ty.bits().into()).contains(&c));
                by && !matches!(lane, Lane::B | Lane::D) && exact && self.fits(a, lane, needs)
            }
            Op::Un(Un::Not | Un::Neg, a) => self.fits(a, lane, needs),
            Op::Zext(a) if self.r.ty(a) == Ty::I1 => self.chooses(a, lane, needs),
            Op::Zext(a) | Op::Sext(a) => self.fits_extended(a, self.r.ty(a).bits(), lane, needs),
            Op::Extract { v: a, lsb: 0, width, .. } => self.fits_extended(a, width.into(), lane, needs),
            Op::Trunc(a) => self.fits(a, lane, needs),
            Op::Select(cond, a, b) => {
                self.chooses(cond, lane, needs) && self.fits(a, lane, needs) && self.fits(b, lane, needs)
            }
            _ => false,
        }
    }

    /// The same of a value's low bits, extended: where a lane has more than these, they are computed in lanes of their own.
    fn fits_extended(&self, v: Val, width: u32, lane: Lane, needs: &mut Vec<Need>) -> bool {
        if width >= lane.bits() {
            return self.fits(v, lane, needs);
        }
        width >= self.lane.bits() && lane_of(width).is_some_and(|narrow| self.fits(v, narrow, needs))
    }

    /// Whether lanes can tell where a condition holds.
    pub(super) fn chooses(&self, cond: Val, lane: Lane, needs: &mut Vec<Need>) -> bool {
        self.tests_of(cond).is_some_and(|(tests, _)| tests.iter().all(|t| self.compares(t, lane, needs).is_some()))
    }

    /// Comparisons that hold all together where a condition does, or where it does not.
    pub(super) fn tests_of(&self, cond: Val) -> Option<(Vec<Test>, bool)> {
        [true, false].into_iter().find_map(|wanted| {
            let mut tests = Vec::new();
            self.condition(cond, wanted, &mut tests)?;
            let plain = tests.iter().all(|t| !t.bytes && self.r.ty(t.a).is_int());
            (plain && !tests.is_empty()).then(|| (tests.into_iter().map(|t| self.simpler(t)).collect(), wanted))
        })
    }

    /// A difference is zero where two numbers are the same.
    fn simpler(&self, mut t: Test) -> Test {
        if !t.b.is_none() && self.const_of(t.b) == Some(1) && matches!(t.cc, IntCc::Ult | IntCc::Uge) {
            t = Test { cc: if t.cc == IntCc::Ult { IntCc::Eq } else { IntCc::Ne }, b: Val::NONE, ..t };
        }
        while t.b.is_none() && matches!(t.cc, IntCc::Eq | IntCc::Ne) {
            t = match *self.op(t.a) {
                Op::Zext(x) | Op::Sext(x) if self.r.ty(x) != Ty::I1 => Test { a: x, ..t },
                Op::Bin(Bin::Sub | Bin::Xor, a, b) => Test { a, b, ..t },
                _ => break,
            };
        }
        t
    }

    /// How lanes are to be compared so that they tell the same, if they can.
    pub(super) fn compares(&self, t: &Test, lane: Lane, needs: &mut Vec<Need>) -> Option<Order> {
        let bits = lane.bits();
        if !self.fits(t.a, lane, needs) || !t.b.is_none() && !self.fits(t.b, lane, needs) {
            return None;
        }
        let by_sign = match t.cc {
            IntCc::Ult | IntCc::Ule | IntCc::Ugt | IntCc::Uge => Order::Unsigned,
            _ => Order::Signed,
        };
        if self.r.ty(t.a).bits() == bits {
            return Some(by_sign);
        }
        let known = |v: Val| match () {
            () if v.is_none() => Some((0, 0)),
            () if self.const_of(v).is_none() && self.step(v) == Some(0) => None,
            () => Some(self.range(v)),
        };
        let (low, high) = (signed(bits), unsigned(bits));
        let (x, y) = match (known(t.a), known(t.b)) {
            (Some(x), Some(y)) => (x, y),
            // What does not change is to be a number like the other.
            (Some(x), None) | (None, Some(x)) => {
                let v = if known(t.b).is_none() { t.b } else { t.a };
                let range = [high, low].into_iter().find(|&range| within(x, range))?;
                needs.push(Need { v, least: range.0 as i64, most: lane.mask() });
                (x, range)
            }
            (None, None) => return None,
        };
        if within(x, low) && within(y, low) {
            let same = by_sign == Order::Signed || x.0 >= 0 && y.0 >= 0;
            return Some(if same { Order::Signed } else { Order::Unsigned });
        }
        if within(x, high) && within(y, high) {
            return Some(Order::Unsigned);
        }
        // A number less a constant, compared without a sign: what is below zero is above all others in lanes too.
        let turned = |x: Range, y: Range| within(y, high) && x.1 <= high.1 && x.0 + (1 << bits) > y.1;
        (by_sign == Order::Unsigned && (turned(x, y) || turned(y, x))).then_some(Order::Unsigned)
    }
}

/// Lanes of so many bits.
pub(super) fn lane_of(bits: u32) -> Option<Lane> {
    matches!(bits, 8 | 16 | 32 | 64).then(|| Lane::log2((bits / 8).trailing_zeros()))
}
