//! Folding of vector operations while building, where that takes more than one operation or a vector constant. `fold.rs` has the rest.

use crate::builder::Builder;
use crate::op::{Bin, Op, Un, V1, V2, Val};
use crate::types::{Lane, Ty};

impl Builder {
    /// What a pure operation folds to.
    pub(crate) fn fold_vector(&mut self, op: &Op, ty: Ty) -> Option<Val> {
        match *op {
            Op::VFromScalar(s) => {
                let c = self.const_of(s)?;
                Some(self.v128(c.into()))
            }
            Op::VGet(Lane::S, v, n) if ty == Ty::I32 && matches!(self.region.op(v), Op::V1(V1::Not, ..)) => {
                let Op::V1(V1::Not, _, x) = *self.region.op(v) else { return None };
                let x = self.vget(ty, x, n.into());
                Some(self.un(Un::Not, x))
            }
            Op::VGet(Lane::S, v, 0) if ty == Ty::I32 => self.lane_of_pair(v),
            Op::V2(V2::Xor, _, a, b) => {
                let v = self.region.const_v_of(a)? ^ self.region.const_v_of(b)?;
                Some(self.v128(v))
            }
            Op::V2(V2::CmpGtS, lane, a, b) => self.not_zero(lane, a, b),
            _ => None,
        }
    }

    /// A word's lanes compared with zero: with their highest bits turned, they are above the least number.
    fn not_zero(&mut self, lane: Lane, a: Val, b: Val) -> Option<Val> {
        let Op::V2(V2::Xor, _, x, turned) = *self.region.op(a) else { return None };
        let signs = u128::MAX / u128::from(lane.mask()) * (1 << (lane.bits() - 1));
        let is_word = matches!(*self.region.op(x), Op::VFromScalar(s) if self.ty(s) == Ty::I32);
        // Above the word there are zeros, which are not above anything.
        let least = self.region.const_v_of(b)? as u32 == signs as u32;
        if !is_word || self.region.const_v_of(turned)? != signs || !least {
            return None;
        }
        let zero = self.v128(0);
        let is_zero = self.v2(V2::CmpEq, lane, x, zero);
        Some(self.v1(V1::Not, lane, is_zero))
    }

    /// A word that is half of what a load gave, compared with zero by lanes: both halves are compared at once.
    fn lane_of_pair(&mut self, v: Val) -> Option<Val> {
        let Op::V2(V2::CmpEq, lane, x, zero) = *self.region.op(v) else { return None };
        let (Op::VFromScalar(word), Some(0)) = (*self.region.op(x), self.region.const_v_of(zero)) else { return None };
        let Op::Trunc(half) = *self.region.op(word) else { return None };
        let (both, n) = match *self.region.op(half) {
            Op::Bin(Bin::Shr, both, by) if self.const_of(by) == Some(32) => (both, 1),
            Op::Bin(Bin::And, both, mask) if self.const_of(mask) == Some(u32::MAX.into()) => (both, 0),
            _ => (half, 0),
        };
        if lane == Lane::D || !matches!(self.region.op(both), Op::Load(_)) || self.ty(both) != Ty::I64 {
            return None;
        }
        let both = self.v_from_scalar(both);
        let equal = self.v2_once(V2::CmpEq, lane, both, zero);
        Some(self.vget(Ty::I32, equal, n))
    }
}
