//! Known answers, a row per case: operation, operands, result, flags. Every row is run a second time with the bits above
//! the operands' widths set, which must not matter.

mod crypto;
mod float;
mod folding;
mod scalar;
mod vector;

use super::eval;
use crate::op::{Op, Val};
use crate::types::Ty;

pub(super) const A: Val = Val(0);
pub(super) const B: Val = Val(1);
pub(super) const C: Val = Val(2);

/// Result and floating-point flags of an operation on typed operands.
fn run(op: Op, ty: Ty, operands: &[(Ty, u128)]) -> (u128, u32) {
    let mut types = [Ty::Void; 4];
    let mut args = [0; 4];
    let mut dirty = [u128::MAX; 4];
    for (i, &(ty, bits)) in operands.iter().enumerate() {
        (types[i], args[i], dirty[i]) = (ty, bits, bits | !super::mask(ty));
    }
    let (mut fp_flags, mut fp_flags_of_dirty) = (0, 0);
    let result = eval(&op, ty, &types, &args, &mut fp_flags);
    assert_eq!(result, eval(&op, ty, &types, &dirty, &mut fp_flags_of_dirty), "{op:?} looks above its operands");
    assert_eq!(fp_flags, fp_flags_of_dirty);
    (result, fp_flags)
}

/// Result of an operation on vectors.
fn v128(op: Op, operands: &[u128]) -> u128 {
    let typed: Vec<_> = operands.iter().map(|&v| (Ty::V128, v)).collect();
    run(op, Ty::V128, &typed).0
}
