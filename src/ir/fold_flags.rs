//! Flags made of older ones while building: what made the older ones is passed over where it gave none of what is left of them. In chains of
//! instructions that set flags nobody reads only the last makes any.

use crate::builder::Builder;
use crate::op::{Op, Val};

impl Builder {
    /// The oldest flags with the C and V of these.
    pub(crate) fn carry_and_overflow_of(&self, flags: Val) -> Val {
        self.older(flags, |op| match *op {
            Op::FlagsNz(_, f) => Some(f),
            _ => None,
        })
    }

    /// The oldest flags with the V of these.
    pub(crate) fn overflow_of(&self, flags: Val) -> Val {
        self.older(flags, |op| match *op {
            Op::FlagsNz(_, f)
            | Op::FlagsNzc(_, _, f)
            | Op::FlagsShift { flags: f, .. }
            | Op::FlagsSetC(f, _)
            | Op::FlagsOppositeC(f) => Some(f),
            _ => None,
        })
    }

    /// Goes on to older flags as long as nobody can see the newer ones: what somebody sees stands in its slot, and is at hand there.
    fn older(&self, mut flags: Val, next: impl Fn(&Op) -> Option<Val>) -> Val {
        while let Some(f) = next(self.region.op(flags)) {
            let after = &self.region.insts[flags.0 as usize..];
            if after.iter().any(|i| i.op.can_fault() || matches!(i.op, Op::Call(..))) {
                break;
            }
            flags = f;
        }
        flags
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mem::Mem;
    use crate::op::{Bin, Slot};
    use crate::region::FpControl;
    use crate::types::{Round, Ty};

    static TYPES: [Ty; 2] = [Ty::I32, Ty::Flags];

    /// A builder, an integer and flags of a slot.
    fn start() -> (Builder, Val, Val) {
        let mut b = Builder::new(&TYPES);
        b.start(0x1000, 0, FpControl { round: Round::NearestEven });
        b.insn(0x1000, 0, 0x1004);
        let (x, flags) = (b.get(Slot(0)), b.get(Slot(1)));
        (b, x, flags)
    }

    #[test]
    fn what_nobody_sees_is_passed_over() {
        let (mut b, x, old) = start();
        let shifted = b.flags_shift(Bin::Shl, x, 3, old);
        b.set(Slot(1), shifted);
        let again = b.flags_shift(Bin::Shr, x, 5, shifted);
        assert_eq!(*b.region.op(again), Op::FlagsShift { shift: Bin::Shr, v: x, amount: 5, flags: old });
        let nz = b.flags_nz(x, again);
        // C is the shift's.
        assert_eq!(*b.region.op(nz), Op::FlagsNz(x, again));
        let other = b.flags_nz(x, nz);
        assert_eq!(*b.region.op(other), Op::FlagsNz(x, again));
    }

    #[test]
    fn what_a_fault_can_show_is_not() {
        let (mut b, x, old) = start();
        let nz = b.flags_nz(x, old);
        b.set(Slot(1), nz);
        b.load(Ty::I32, Mem::at(x, 4));
        let other = b.flags_nz(x, nz);
        assert_eq!(*b.region.op(other), Op::FlagsNz(x, nz));
    }
}
