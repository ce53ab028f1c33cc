//! Folding of vector operations while building, where that takes more than one operation or a vector constant. `fold.rs` has the rest.

use crate::builder::Builder;
use crate::op::{Op, V2, Val};
use crate::types::{Lane, Ty};

impl Builder {
    /// What a pure operation folds to.
    pub(crate) fn fold_vector(&mut self, op: &Op) -> Option<Val> {
        match *op {
            Op::VFromScalar(s) => {
                let c = self.const_of(s)?;
                Some(self.v128(c.into()))
            }
            Op::V2(V2::Xor, _, a, b) => {
                let v = self.region.const_v_of(a)? ^ self.region.const_v_of(b)?;
                Some(self.v128(v))
            }
            Op::V2(V2::CmpGeS, lane, a, b) => self.is_zero(lane, a, b),
            _ => None,
        }
    }

    /// A word's lanes compared with zero: with their highest bits turned, the least number is not below them.
    fn is_zero(&mut self, lane: Lane, a: Val, b: Val) -> Option<Val> {
        let Op::V2(V2::Xor, _, x, turned) = *self.region.op(b) else { return None };
        let signs = u128::MAX / u128::from(lane.mask()) * (1 << (lane.bits() - 1));
        let is_word = matches!(*self.region.op(x), Op::VFromScalar(s) if self.ty(s) == Ty::I32);
        // Above the word there are zeros, which are not below anything.
        let least = self.region.const_v_of(a)? as u32 == signs as u32;
        if !is_word || self.region.const_v_of(turned)? != signs || !least {
            return None;
        }
        let zero = self.v128(0);
        Some(self.v2(V2::CmpEq, lane, x, zero))
    }
}
