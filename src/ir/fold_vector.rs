//! Folding of vector operations while building, where that takes more than one operation or a vector constant. `fold.rs` has the rest.

use crate::builder::Builder;
use crate::op::{Op, Un, V1, V2, Val};
use crate::types::{Lane, Ty};

impl Builder {
    /// What a pure operation folds to.
    pub(crate) fn fold_vector(&mut self, op: &Op, ty: Ty) -> Option<Val> {
        match *op {
            Op::VFromScalar(s) => {
                let c = self.const_of(s)?;
                Some(self.v128(c.into()))
            }
            Op::VGet(Lane::S, v, n) if ty == Ty::I32 => {
                let Op::V1(V1::Not, _, x) = *self.region.op(v) else { return None };
                let x = self.vget(ty, x, n.into());
                Some(self.un(Un::Not, x))
            }
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
}
