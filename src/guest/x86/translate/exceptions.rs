//! Exceptions of SSE that the program has not masked: SDM vol. 1, 11.5. An instruction that may raise some is first translated without what it writes: to
//! see whether its operands are there, and what it raises in all of its lanes.

use super::{Cx, evex, evex_float};
use crate::insn::Form;
use crate::state::{MXCSR, MXCSR_MASKS};
use iced_x86::Instruction;
use ir::fpflag::{DIV_BY_ZERO, INEXACT, INPUT_DENORMAL, INVALID, LOST, OVERFLOW, TINY, UNDERFLOW};
use ir::{Frame, Helper, Op, Touches, Trap, Ty};

/// MXCSR's flags.
const ALL: u32 = 0x3f;

/// Those that an instruction finds before it computes: one of them that is not masked keeps it from that.
const BEFORE: u32 = INVALID | INPUT_DENORMAL | DIV_BY_ZERO;

/// What Linux reports of several (arch/x86/kernel/fpu/core.c, fpu__exception_code).
const GRAVEST: [(u32, Trap); 5] = [
    (INVALID, Trap::FloatInvalid),
    (DIV_BY_ZERO, Trap::FloatDivide),
    (OVERFLOW, Trap::FloatOverflow),
    (UNDERFLOW | INPUT_DENORMAL, Trap::FloatUnderflow),
    (INEXACT, Trap::FloatInexact),
];

/// Looks at what an instruction has raised: the flags from before, those that it raises, MXCSR.
static RAISE: Helper =
    Helper { name: "raise_unmasked", run: raise, touches: Touches::Nothing, can_exit: true, pure: false };

fn raise(f: &mut Frame<'_>) {
    let [old, raised, mxcsr, _] = f.args.map(|v| v as u32);
    let unmasked = (!mxcsr & MXCSR_MASKS) >> 7;
    let new = raised & ALL | out_of_range(raised, unmasked);
    let new = if new & unmasked & BEFORE != 0 { new & BEFORE } else { new };
    f.fp_flags = old | new;
    if new & unmasked != 0 {
        f.exit = GRAVEST.iter().find(|(flags, _)| f.fp_flags & unmasked & flags != 0).map(|(_, trap)| *trap);
    }
}

/// What overflow and underflow are with masks or without.
fn out_of_range(raised: u32, unmasked: u32) -> u32 {
    let overflow = if raised & OVERFLOW & !unmasked != 0 { INEXACT } else { 0 };
    let underflow = match unmasked & UNDERFLOW {
        0 if raised & LOST != 0 => UNDERFLOW | INEXACT,
        UNDERFLOW if raised & TINY != 0 => UNDERFLOW,
        _ => 0,
    };
    overflow | underflow
}

impl Cx<'_> {
    /// Translates an instruction where exceptions are not masked.
    pub(super) fn with_exceptions(&mut self, i: &Instruction, form: Form) {
        if evex::suppresses_exceptions(i) {
            return self.translate(i, form);
        }
        let (old, none) = (self.b.fp_flags(), self.b.i32(0));
        let begin = self.b.mark();
        self.translate(i, form);
        let raises = |op: &Op| op.env().is_some() || matches!(op, Op::Call(helper, _) if evex_float::raises(helper));
        if !self.b.since(&begin).is_some_and(|insts| insts.iter().any(|i| raises(&i.op))) {
            return;
        }
        // So its operands are there before the flags change.
        self.b.unwrite(&begin);
        self.b.set_fp_flags(none);
        let rehearsal = self.b.mark();
        self.rehearsing = true;
        self.translate(i, form);
        self.rehearsing = false;
        self.b.unwrite(&rehearsal);
        let (new, mxcsr) = (self.b.fp_flags(), self.b.get(MXCSR));
        self.b.set_fp_flags(none);
        self.b.call(&RAISE, Ty::Void, &[old, new, mxcsr]);
        self.translate(i, form);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn out_of_range_with_and_without_a_mask() {
        assert_eq!(out_of_range(OVERFLOW, 0), INEXACT);
        assert_eq!(out_of_range(OVERFLOW, OVERFLOW), 0);
        assert_eq!([out_of_range(TINY, 0), out_of_range(TINY | LOST, 0)], [0, UNDERFLOW | INEXACT]);
        assert_eq!([out_of_range(TINY, UNDERFLOW), out_of_range(LOST, UNDERFLOW)], [UNDERFLOW, 0]);
    }
}
