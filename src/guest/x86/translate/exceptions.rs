//! Exceptions of SSE that the program has not masked: SDM vol. 1, 11.5. Such an instruction is translated twice: first without what it writes, to see
//! what it raises in all of its lanes.

use super::Cx;
use crate::insn::Form;
use crate::state::{MXCSR, MXCSR_MASKS};
use iced_x86::Instruction;
use ir::fpflag::{DIV_BY_ZERO, INEXACT, INPUT_DENORMAL, INVALID, OVERFLOW, UNDERFLOW};
use ir::{Fmt, Fp2, Frame, Helper, Op, Shape, Touches, Trap, Ty, Val};

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

/// Looks at what an instruction has raised: the flags from before, those that it raises, MXCSR, whether a result is tiny.
static RAISE: Helper =
    Helper { name: "raise_unmasked", run: raise, touches: Touches::Nothing, can_exit: true, pure: false };

fn raise(f: &mut Frame<'_>) {
    let [old, mut new, mxcsr, tiny] = f.args.map(|v| v as u32);
    let unmasked = (!mxcsr & MXCSR_MASKS) >> 7;
    // Without a mask what is tiny underflows though it is exact.
    new |= if tiny != 0 { UNDERFLOW & unmasked } else { 0 };
    if new & unmasked & BEFORE != 0 {
        new &= BEFORE;
    }
    f.fp_flags = old | new;
    if new & unmasked != 0 {
        f.exit = GRAVEST.iter().find(|(flags, _)| f.fp_flags & unmasked & flags != 0).map(|(_, trap)| *trap);
    }
}

/// Whether a lane of a vector is denormal: the vector, bits of a lane, bits of its fraction.
static IS_TINY: Helper = Helper { name: "is_tiny", run: is_tiny, touches: Touches::Nothing, can_exit: false, pure: true };

fn is_tiny(f: &mut Frame<'_>) {
    let (bits, fraction) = (f.args[1] as u32, f.args[2] as u32);
    let lane = |n: u32| (f.args[0] >> (n * bits)) as u64 & (u64::MAX >> (65 - bits));
    f.ret = (0..128 / bits).any(|n| (1..1 << fraction).contains(&lane(n))).into();
}

/// The format of an operation's results, if they may be tiny.
fn may_be_tiny(op: &Op) -> Option<Fmt> {
    match *op {
        Op::Fp2(Fp2::Add | Fp2::Sub | Fp2::Mul | Fp2::Div, Shape { fmt, .. }, ..) => Some(fmt),
        Op::Fma { shape, .. } => Some(shape.fmt),
        Op::FpCvt { to, from, .. } if to.ty().bytes() < from.ty().bytes() => Some(to),
        _ => None,
    }
}

/// Bits of a format's fraction.
const fn fraction(fmt: Fmt) -> u32 {
    match fmt {
        Fmt::F16 => 10,
        Fmt::BF16 => 7,
        Fmt::F32 => 23,
        Fmt::F64 => 52,
    }
}

impl Cx<'_> {
    /// Translates an instruction where exceptions are not masked.
    pub(super) fn with_exceptions(&mut self, i: &Instruction, form: Form) {
        let begin = self.b.mark();
        self.translate(i, form);
        if !self.b.since(&begin).is_some_and(|insts| insts.iter().any(|i| i.op.env().is_some())) {
            return;
        }
        self.b.back_to(&begin);
        let (old, none) = (self.b.fp_flags(), self.b.i32(0));
        self.b.set_fp_flags(none);
        let rehearsal = self.b.mark();
        self.translate(i, form);
        let tiny = self.tiny(&rehearsal);
        self.b.unwrite(&rehearsal);
        let (new, mxcsr) = (self.b.fp_flags(), self.b.get(MXCSR));
        self.b.set_fp_flags(none);
        self.b.call(&RAISE, Ty::Void, &[old, new, mxcsr, tiny]);
        self.translate(i, form);
    }

    /// Whether a result since then is tiny.
    fn tiny(&mut self, since: &ir::Mark) -> Val {
        let insts = self.b.since(since).unwrap_or_default();
        let last = self.b.region.insts.len() - insts.len();
        let results: Vec<(Val, Fmt)> =
            (last..).zip(insts).filter_map(|(at, i)| Some((Val(at as u32), may_be_tiny(&i.op)?))).collect();
        let mut any = self.b.i32(0);
        for (v, fmt) in results {
            let v = if self.b.ty(v).is_float() { self.b.bitcast(Ty::int(fmt.ty().bytes()), v) } else { v };
            let [bits, fraction] = [8 * fmt.ty().bytes() as u32, fraction(fmt)].map(|n| self.b.i32(n));
            let tiny = self.b.call(&IS_TINY, Ty::I32, &[v, bits, fraction]);
            any = self.b.or(any, tiny);
        }
        any
    }
}
