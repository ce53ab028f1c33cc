//! Floating point on the host's unit: one instruction, and a check that sends NaNs and the other cases where x86 and the guest differ to
//! [`ir::eval`]. Sticky flags gather in MXCSR; what slow paths raise gathers beside it in `Cpu::fp_flags`.
//!
//! The rule that makes it exact: what an instruction raises in MXCSR is always a part of what the guest's operation raises, and whenever
//! the two may differ in more than that, the slow path is taken, which adds the rest. x86's denormal flag is a guest's only if that is an x86, whose operations are the host's own.

use super::super::alloc::Loc;
use super::super::asm::vop::VOp;
use super::super::asm::{Alu, Cc as X, L128, Label, Mem, Size, Xm, Xmm, vop};
use super::super::{SCRATCH, XSCRATCH, XTEMPS, field};
use super::Emitter;
use super::cold::{Arg, Cold};
use super::float_check::{Check, Guard, PRODUCT, PRODUCT_IN_SUM, QUOTIENT, tiny, wanted};
use super::float_nans::Nans;
use crate::cpu::{UNKNOWN, at};
use ir::{Env, Fmt, Fp1, Fp2, FpCc, NanRule, Op, Round, Shape, Val};

/// MXCSR's sticky flags.
const MXCSR_FLAGS: i32 = 0x3f;
/// Its rounding control.
const ROUNDING: i32 = 3 << 13;

/// Predicates of vcmp (SDM vol. 2, VCMPPD): quiet and signalling.
const EQ_OQ: u8 = 0x00;
pub(super) const UNORD_Q: u8 = 0x03;
pub(super) const EQ_UQ: u8 = 0x08;
pub(super) const GE_OS: u8 = 0x0d;
const GT_OS: u8 = 0x0e;

/// In vinsertps: lane 0 as it is, the others zero.
pub(super) const KEEP_LANE_0: u8 = 0x0e;

/// An instruction in its four widths: ss, sd, ps, pd.
pub(super) type Widths = [VOp; 4];

/// The one for a shape. A vector of one lane is computed as a scalar.
pub(super) fn width(shape: Shape, ops: Widths) -> VOp {
    let packed = shape.lanes > 1 && shape.low_of().is_none();
    ops[usize::from(packed) * 2 + usize::from(shape.fmt == Fmt::F64)]
}

/// Whether the vector has lanes above those that count, and more than one that does.
pub(super) fn is_half(shape: Shape) -> bool {
    shape.fmt == Fmt::F32 && matches!(shape.lanes, 2 | 3)
}

/// The format's bits in every lane.
pub(super) fn splat(fmt: Fmt, bits: u64) -> u128 {
    let n = fmt.lane().bits();
    (0..128 / n).fold(0, |v, i| v | u128::from(bits) << (i * n))
}

pub(super) fn sign(fmt: Fmt) -> u64 {
    1 << (fmt.lane().bits() - 1)
}

pub(super) fn one(fmt: Fmt) -> u64 {
    match fmt {
        Fmt::F32 => 0x3f80_0000,
        _ => 0x3ff0_0000_0000_0000,
    }
}

/// The rounding control of vround and vcvtps2ph, and of MXCSR.
pub(super) fn rounding(round: Round) -> Option<u8> {
    match round {
        Round::NearestEven => Some(0),
        Round::Down => Some(1),
        Round::Up => Some(2),
        Round::Zero => Some(3),
        Round::NearestAway | Round::Odd => None,
    }
}

/// A format that the host computes with.
pub(super) fn is_native(fmt: Fmt) -> bool {
    matches!(fmt, Fmt::F32 | Fmt::F64)
}

/// Subnormal operands and tiny results count both, or neither.
pub(super) fn is_plain(env: Env) -> bool {
    env.flush_in == env.flush_out
}

impl Emitter<'_> {
    pub(super) fn fp_flags_get(&mut self, v: Val) {
        self.clobber();
        if self.map.state.invalid_traps {
            let (label, d) = (self.a.label(), self.def(v, None));
            self.a.mov(Size::D, d, field(at::KNOWN_FLAGS));
            self.a.test(Size::D, d, d);
            self.a.jcc(X::S, label);
            let back = self.a.label_here();
            return self.cold.push(Cold::GetFlags { label, back, to: d });
        }
        self.a.stmxcsr(field(at::SCRATCH));
        let d = self.def(v, None);
        self.a.mov(Size::D, d, field(at::SCRATCH));
        self.a.alu_i(Alu::And, Size::D, d, self.map.state.host_flags.cast_signed());
        self.a.alu(Alu::Or, Size::D, d, field(at::FP_FLAGS));
    }

    pub(super) fn fp_flags_set(&mut self, x: Val) {
        self.clobber();
        let x = self.reg(x);
        if self.map.state.invalid_traps {
            let label = self.a.label();
            self.a.alu(Alu::Cmp, Size::D, x, field(at::KNOWN_FLAGS));
            self.a.jcc(X::Ne, label);
            let back = self.a.label_here();
            return self.cold.push(Cold::SetFlags { label, back, from: x });
        }
        self.a.mov_mr(Size::D, field(at::FP_FLAGS), x);
        self.a.stmxcsr(field(at::SCRATCH));
        self.a.mov(Size::D, SCRATCH, field(at::SCRATCH));
        self.a.alu_i(Alu::And, Size::D, SCRATCH, !MXCSR_FLAGS);
        self.a.mov_mr(Size::D, field(at::SCRATCH), SCRATCH);
        self.a.ldmxcsr(field(at::SCRATCH));
    }

    /// Emits `v` if it is a floating-point operation done here.
    pub(super) fn float_op(&mut self, v: Val) -> bool {
        let Some(round) = self.other_rounding(v) else { return self.rounded_op(v) };
        self.clobber();
        self.rounding = round;
        self.a.stmxcsr(field(at::SCRATCH));
        self.a.mov(Size::D, SCRATCH, field(at::SCRATCH));
        self.round_in_scratch(round);
        self.a.mov_mr(Size::D, field(at::ROUNDED), SCRATCH);
        self.a.ldmxcsr(field(at::ROUNDED));
        let done = self.rounded_op(v);
        assert!(done, "it is one of the host's but for its rounding");
        self.rounding = self.r.fp.round;
        // Where all flags are known it has raised none.
        let label = self.a.label();
        self.a.alu_i(Alu::Cmp, Size::D, field(at::KNOWN_FLAGS), UNKNOWN.cast_signed());
        self.a.jcc(X::E, label);
        self.a.ldmxcsr(field(at::SCRATCH));
        let back = self.a.label_here();
        self.cold.push(Cold::RoundAgain { label, back });
        true
    }

    /// The rounding of an operation that has its own, where nothing else is in the host's way.
    fn other_rounding(&self, v: Val) -> Option<Round> {
        let (env, shape) = match *self.r.op(v) {
            Op::Fp1(Fp1::Sqrt, shape, env, _) => (env, shape),
            Op::FpCvt { from: Fmt::F64, to: Fmt::F32, lanes: 0, env, .. } => (env, Shape::scalar(Fmt::F32)),
            Op::Fp2(Fp2::Add | Fp2::Sub | Fp2::Mul | Fp2::Div, shape, env, ..) | Op::Fma { shape, env, .. } => {
                (env, shape)
            }
            _ => return None,
        };
        let plain = env.nan == NanRule::RiscV && !env.flush_in && is_plain(env);
        let whole = shape.low_of().is_none() && u32::from(shape.lanes) * shape.fmt.lane().bits() == 128;
        let fits = shape == Shape::scalar(shape.fmt) || whole;
        let own = plain && fits && is_native(shape.fmt) && env.round != self.r.fp.round;
        own.then_some(env.round).filter(|round| rounding(*round).is_some())
    }

    /// MXCSR in scratch with this rounding.
    pub(super) fn round_in_scratch(&mut self, round: Round) {
        let control = rounding(round).expect("one of the host's");
        self.a.alu_i(Alu::And, Size::D, SCRATCH, !ROUNDING);
        self.a.alu_i(Alu::Or, Size::D, SCRATCH, i32::from(control) << ROUNDING.trailing_zeros());
    }

    /// The same under the rounding in force.
    fn rounded_op(&mut self, v: Val) -> bool {
        match *self.r.op(v) {
            Op::Fp1(Fp1::Neg, shape, _, a) => self.fp_sign(v, shape, a, [vop::VXORPS, vop::VXORPD], sign(shape.fmt)),
            Op::Fp1(Fp1::Abs, shape, _, a) => {
                self.fp_sign(v, shape, a, [vop::VANDPS, vop::VANDPD], sign(shape.fmt) - 1);
            }
            Op::Fp1(op, shape, env, a) if is_native(shape.fmt) && is_plain(env) => {
                return self.fp1(v, op, shape, env, a);
            }
            Op::Fp2(_, shape, env, ..) | Op::Fma { shape, env, .. }
                if shape.low_of().is_some() && !self.is_own(shape, env) =>
            {
                return false;
            }
            Op::Fp2(op, shape, env, a, b) if is_native(shape.fmt) && is_plain(env) => {
                return self.fp2(v, op, shape, env, a, b);
            }
            Op::Fma { shape, env, neg_product, neg_addend, a, b, c }
                if is_native(shape.fmt) && is_plain(env) && env.round == self.rounding =>
            {
                self.fma(v, shape, env, (neg_product, neg_addend), [a, b, c]);
            }
            Op::FpCmp(cc, shape, env, a, b) if is_native(shape.fmt) => self.fp_cmp(v, cc, shape, env, a, b),
            Op::FpCvt { .. } | Op::FpToInt { .. } | Op::FpFromInt { .. } | Op::FpToIntJs(_) => {
                return self.float_convert(v);
            }
            _ => return false,
        }
        true
    }

    /// Whether the host's scalar operation is the guest's, in everything.
    fn is_own(&self, shape: Shape, env: Env) -> bool {
        is_native(shape.fmt) && wanted(env, Check::Nan) == Check::Nothing && env.round == self.rounding
    }

    // ---- registers, checks, slow paths ----

    /// The result's register, never one that an operand ends in unless it is the result's home. Values moved out of the home's way may be spilled.
    pub(super) fn xdest(&mut self, v: Val) -> Xmm {
        let locked = self.xmm.locked;
        let d = self.xdef(v, None);
        self.xmm.locked = locked | 1 << d.0;
        d
    }

    /// A register to compute in while the operands `busy` are still to be read: the result's if it is none of theirs.
    pub(super) fn xwork(&mut self, d: Xmm, busy: &[Xm]) -> Xmm {
        if busy.contains(&Xm::Reg(d)) { self.xtemp() } else { d }
    }

    /// Moves operands from value registers to memory until at most `n` are in them.
    pub(super) fn xlimit(&mut self, operands: &[Val], n: usize) {
        let mut held: Vec<Xmm> = Vec::new();
        for v in operands {
            if let Loc::Xmm(x) = self.loc(*v)
                && XTEMPS.contains(&x)
                && !held.contains(&x)
            {
                held.push(x);
            }
        }
        for x in held.into_iter().skip(n) {
            self.xevict(x);
        }
    }

    /// Takes the slow path at `label`, whose operands are `args`.
    pub(super) fn cold_eval(&mut self, v: Val, label: Label, back: Label, args: &[Xm], to: Arg) {
        let args = args.iter().map(|a| match *a {
            Xm::Reg(x) => Arg::Xmm(x),
            Xm::Mem(m) => Arg::Mem(m),
        });
        let keep = self.host_flags_held();
        self.cold.push(Cold::Eval { label, back, v, args: args.collect(), to, keep });
    }

    /// The same for a comparison, whose result is the host's flags.
    pub(super) fn cold_compare(&mut self, v: Val, label: Label, back: Label, args: &[Xm], swapped: bool) {
        let args = args.iter().map(|a| match *a {
            Xm::Reg(x) => Arg::Xmm(x),
            Xm::Mem(m) => Arg::Mem(m),
        });
        self.cold.push(Cold::Compare { label, back, v, args: args.collect(), swapped });
    }

    pub(super) fn fmt_const(&mut self, fmt: Fmt, bits: u64) -> Mem {
        self.pool(splat(fmt, bits))
    }

    /// The low lanes that count from `from`, zero above for a vector.
    pub(super) fn fp_move(&mut self, shape: Shape, d: Xmm, from: Xmm) {
        match (shape.lanes, shape.fmt) {
            (1, Fmt::F32) => self.a.v3i(vop::VINSERTPS, L128, d, from, from, KEEP_LANE_0),
            (1, _) | (2, Fmt::F32) => self.a.v2(vop::VMOVQ, L128, d, from),
            (3, Fmt::F32) => {
                let mask = self.pool(u128::MAX >> 32);
                self.a.v3(vop::VANDPS, L128, d, from, mask);
            }
            _ if d != from => self.a.vmov(L128, d, from),
            _ => {}
        }
    }

    /// An operand's lanes that count into `to`, zero above (shapes of [`is_half`]).
    pub(super) fn low_lanes(&mut self, shape: Shape, to: Xmm, from: Xm) {
        if shape.lanes == 2 {
            self.a.v2(vop::VMOVQ, L128, to, from);
        } else {
            self.a.v2(vop::VMOVUPS, L128, to, from);
            self.fp_move(shape, to, to);
        }
    }

    /// Whether zero must stand above the scalar.
    pub(super) fn is_wide(&self, v: Val) -> bool {
        self.plan.wide[self.root(v).0 as usize]
    }

    /// Whether zero stands above the scalar in its register.
    pub(super) fn is_zero_above(&self, v: Val) -> bool {
        let root = self.root(v);
        if matches!(self.loc(root), Loc::Xmm(x) if self.shared >> x.0 & 1 != 0) {
            return false;
        }
        match *self.r.op(root) {
            Op::Load(m) => m.size <= self.r.ty(v).bytes() as u8,
            Op::Get(_) => {
                self.reads.get(root.0 as usize).is_some_and(|held| usize::from(held.bytes) <= self.r.ty(v).bytes())
            }
            Op::Bitcast(a) => self.r.ty(a).is_int() && self.r.ty(root) == self.r.ty(v),
            Op::Const(_) | Op::FpFromInt { .. } => self.r.ty(root) == self.r.ty(v),
            Op::VFromScalar(a) => self.r.ty(a) == self.r.ty(v),
            _ => self.is_wide(v) && self.r.ty(root) == self.r.ty(v),
        }
    }

    /// Where a scalar operation on `a` takes what stands above its result from: `t`, zeroed, where `a` has not what is wanted.
    pub(super) fn above(&mut self, v: Val, t: Xmm, a: Val, ra: Xmm) -> Xmm {
        if !self.is_wide(v) || self.is_zero_above(a) {
            return ra;
        }
        self.a.vzero(t);
        t
    }

    /// Where the scalar operand `a` stands in memory with something above it, though `v` wants zero there.
    fn wide_in_slot(&self, v: Val, shape: Shape, env: Env, a: Val) -> Option<Mem> {
        let Loc::Slot(slot) = self.loc(a) else { return None };
        let wanted = shape.lanes == 0 && !env.flush_in && self.is_wide(v) && !self.is_zero_above(a);
        wanted.then(|| self.map.mem(usize::from(slot)))
    }

    /// Checks the result in `t` and brings it to `d`; `zero` if a scalar's register has zero above already.
    pub(super) fn fp_finish(
        &mut self,
        v: Val,
        shape: Shape,
        (check, label): (Check, Option<Label>),
        (d, t, m): (Xmm, Xmm, Xmm),
        args: &[Xm],
        zero: bool,
    ) {
        // What traps goes to the slow path still.
        let replaced = check == Check::Nan && (label.is_none() || self.traps) && self.nans_are_one(v);
        let made = self.makes_nans(v, shape, check);
        let (trap, joined) = if replaced || made.is_some() { (label, None) } else { (None, label) };
        let mut label = self.check(shape, check, joined, t, m);
        if replaced && let Some(nan) = label {
            let back = self.a.label_here();
            let addend = if let [_, _, c] = *args { Some((c, trap.unwrap_or_else(|| self.a.label()))) } else { None };
            label = trap.or(addend.map(|(_, label)| label));
            self.cold.push(Cold::Canonical { label: nan, back, shape, t, m, addend });
        }
        let suspect = label.filter(|_| made.is_some());
        if suspect.is_some() {
            label = Some(trap.unwrap_or_else(|| self.a.label()));
        }
        let moved = if shape.lanes == 0 && !zero && self.is_wide(v) { Shape { lanes: 1, ..shape } } else { shape };
        self.fp_move(moved, d, t);
        let Some(slow) = label else { return };
        let back = self.a.label_here();
        self.cold_eval(v, slow, back, args, Arg::Xmm(d));
        if let (Some(label), Some(negate)) = (suspect, made) {
            let args = args.to_vec();
            self.cold.push(Cold::Nans(Nans { label, back, slow, fmt: shape.fmt, t, to: d, moved, args, negate }));
        }
    }

    /// Whether a NaN that comes out of the operation on the host is RISC-V's but for its bits.
    fn nans_are_one(&self, v: Val) -> bool {
        let op = self.r.op(v);
        let plain = matches!(
            op,
            Op::Fp1(Fp1::Sqrt, ..) | Op::Fp2(Fp2::Add | Fp2::Sub | Fp2::Mul | Fp2::Div, ..) | Op::Fma { .. }
        );
        plain && op.env().is_some_and(|env| env.nan == NanRule::RiscV && !env.flush_in)
    }

    /// RISC-V's NaN in each lane of a result that is one. Where the `addend` of a sum of products is a NaN, only a look at the factors tells whether they
    /// are invalid: infinity times zero.
    pub(super) fn canonical(&mut self, shape: Shape, t: Xmm, m: Xmm, addend: Option<(Xm, Label)>) {
        let double = shape.fmt == Fmt::F64;
        if let Some((c, label)) = addend {
            if is_half(shape) {
                // A signalling NaN above them would be invalid.
                self.low_lanes(shape, m, c);
            } else {
                self.a.v2(vop::VMOVUPS, L128, m, c);
            }
            let unordered = width(shape, [vop::VCMPSS, vop::VCMPSD, vop::VCMPPS, vop::VCMPPD]);
            self.a.v3i(unordered, L128, m, m, Xm::Reg(m), UNORD_Q);
            self.jump_if_lanes(shape, m, label);
        }
        let nan = self.fmt_const(shape.fmt, if double { 0x7ff8 << 48 } else { 0x7fc0_0000 });
        if shape.lanes <= 1 {
            self.a.v2(if double { vop::VMOVSD } else { vop::VMOVSS }, L128, t, nan);
        } else {
            self.a.v3i(if double { vop::VCMPPD } else { vop::VCMPPS }, L128, m, t, Xm::Reg(t), UNORD_Q);
            self.a.v4(if double { vop::VBLENDVPD } else { vop::VBLENDVPS }, L128, t, t, nan, m);
        }
    }

    /// Registers for a result whose operands must stay as they are until it is checked: its own, where to compute it, and one for the check.
    pub(super) fn fp_regs(&mut self, v: Val, busy: &[Xm]) -> (Xmm, Xmm, Xmm) {
        let d = self.xdest(v);
        if busy.contains(&Xm::Reg(d)) { (d, XSCRATCH, self.xtemp()) } else { (d, d, XSCRATCH) }
    }

    /// The same, for a result that is there only when it is right if the host traps.
    fn fp_regs_for(&mut self, check: Check, v: Val, busy: &[Xm]) -> (Xmm, Xmm, Xmm) {
        if check == Check::Trapped {
            let d = self.xdest(v);
            return (d, d, XSCRATCH);
        }
        self.fp_regs(v, busy)
    }

    /// Another register for the work of `guard`, where it has any.
    pub(super) fn guard_reg(&mut self, env: Env) -> Xmm {
        if env.flush_in { self.xtemp() } else { XSCRATCH }
    }

    // ---- one operand ----

    /// Negation and absolute value: bits only.
    fn fp_sign(&mut self, v: Val, shape: Shape, a: Val, ops: [VOp; 2], bits: u64) {
        let op = ops[usize::from(shape.fmt == Fmt::F64)];
        let lane = shape.fmt.lane().bits();
        let used = u32::from(shape.lanes) * lane;
        let mask = splat(shape.fmt, bits);
        let ra = self.x(a);
        let d = self.xdef(v, Some(a));
        if shape.lanes == 0 && self.is_wide(v) {
            let zero = self.is_zero_above(a);
            if !zero {
                self.fp_move(Shape { lanes: 1, ..shape }, d, ra);
            }
            let from = if zero { ra } else { d };
            let mask = self.pool(u128::from(bits));
            self.a.v3(op, L128, d, from, mask);
            return;
        }
        if shape.lanes == 0 || used == 128 {
            let mask = self.pool(mask);
            self.a.v3(op, L128, d, ra, mask);
            return;
        }
        let low = u128::MAX >> (128 - used);
        if used == 64 {
            self.a.v2(vop::VMOVQ, L128, d, ra);
        } else {
            let low = self.pool(low);
            self.a.v3(vop::VANDPS, L128, d, ra, low);
        }
        let mask = self.pool(mask & low);
        self.a.v3(op, L128, d, d, mask);
    }

    /// `op t, a`, with a scalar's upper lanes from `above`.
    fn unary(&mut self, shape: Shape, op: VOp, t: Xmm, above: Xmm, a: Xmm) {
        if shape.lanes > 1 {
            self.a.v2(op, L128, t, a);
        } else {
            self.a.v3(op, L128, t, above, a);
        }
    }

    pub(super) fn unary_round(&mut self, shape: Shape, t: Xmm, above: Xmm, a: Xmm, imm: u8) {
        let op = width(shape, [vop::VROUNDSS, vop::VROUNDSD, vop::VROUNDPS, vop::VROUNDPD]);
        if shape.lanes > 1 {
            self.a.v2i(op, L128, t, a, imm);
        } else {
            self.a.v3i(op, L128, t, above, a, imm);
        }
    }

    fn fp1(&mut self, v: Val, op: Fp1, shape: Shape, env: Env, a: Val) -> bool {
        // A NaN operand gives the same NaN on both, but where all NaNs are to be the default.
        let nan = if env.nan.is_canonical() { Check::Nan } else { Check::Nothing };
        let (check, imm) = match op {
            // A NaN operand is the only cause of a NaN, and comes through.
            Fp1::Sqrt if env.round == self.rounding && shape.lanes <= 1 && self.is_not_negative(shape.fmt, a) => {
                (nan, None)
            }
            Fp1::Sqrt if env.round == self.rounding => (self.or_trap(shape, env, wanted(env, Check::Nan), &[a]), None),
            Fp1::RoundInt if env.round == Round::NearestAway => {
                self.round_away(v, shape, env, a);
                return true;
            }
            Fp1::RoundInt | Fp1::RoundIntExact => {
                let Some(mode) = rounding(env.round) else { return false };
                // Bit 3: no inexact exception.
                (nan, Some(mode | if op == Fp1::RoundInt { 8 } else { 0 }))
            }
            _ => return false,
        };
        self.save_for(check, env);
        let ra = self.x(a);
        let (d, t, m) = self.fp_regs_for(check, v, &[Xm::Reg(ra)]);
        let u = self.guard_reg(env);
        let mut label = self.guard(shape, env, Guard::Operands, &[Xm::Reg(ra)], (t, m, u));
        let mut from = ra;
        if is_half(shape) {
            let low = if t == ra { m } else { t };
            self.low_lanes(shape, low, Xm::Reg(ra));
            from = low;
        }
        let above = if shape.lanes == 0 { self.above(v, if t == ra { m } else { t }, a, from) } else { from };
        match imm {
            Some(imm) => self.unary_round(shape, t, above, from, imm),
            None => {
                let sqrt = width(shape, [vop::VSQRTSS, vop::VSQRTSD, vop::VSQRTPS, vop::VSQRTPD]);
                label = self.computes(check, label);
                self.unary(shape, sqrt, t, above, from);
            }
        }
        self.fp_finish(v, shape, (check, label), (d, t, m), &[Xm::Reg(ra)], true);
        true
    }

    // ---- two operands ----

    fn fp2(&mut self, v: Val, op: Fp2, shape: Shape, env: Env, a: Val, b: Val) -> bool {
        let (ops, check) = match op {
            Fp2::Add => ([vop::VADDSS, vop::VADDSD, vop::VADDPS, vop::VADDPD], self.of_sum(op, shape, env, a, b)),
            // NaNs take the slow path.
            Fp2::Sub | Fp2::AddNeg => {
                ([vop::VSUBSS, vop::VSUBSD, vop::VSUBPS, vop::VSUBPD], self.of_sum(op, shape, env, a, b))
            }
            Fp2::Mul => ([vop::VMULSS, vop::VMULSD, vop::VMULPS, vop::VMULPD], self.of_square(v, shape, tiny(env))),
            Fp2::Div => ([vop::VDIVSS, vop::VDIVSD, vop::VDIVPS, vop::VDIVPD], Check::Nan),
            Fp2::Min | Fp2::MinNum => {
                self.min_max(v, shape, env, [vop::VMINSS, vop::VMINSD, vop::VMINPS, vop::VMINPD], vop::VORPS, a, b);
                return true;
            }
            Fp2::Max | Fp2::MaxNum => {
                self.min_max(v, shape, env, [vop::VMAXSS, vop::VMAXSD, vop::VMAXPS, vop::VMAXPD], vop::VANDPS, a, b);
                return true;
            }
            // The host's own; NaNs are as they come.
            Fp2::MinSelect => ([vop::VMINSS, vop::VMINSD, vop::VMINPS, vop::VMINPD], Check::Nothing),
            Fp2::MaxSelect => ([vop::VMAXSS, vop::VMAXSD, vop::VMAXPS, vop::VMAXPD], Check::Nothing),
            Fp2::MulX | Fp2::RecipStep | Fp2::RsqrtStep => return false,
        };
        if env.round != self.rounding {
            return false;
        }
        let (guard, check) = match op {
            _ if !env.flush_in => (Guard::Operands, check),
            Fp2::Mul => (PRODUCT, Check::Nan),
            Fp2::Div => (QUOTIENT, Check::Nan),
            // A tiny sum is exact.
            _ => (Guard::Operands, Check::NanOrFlushed),
        };
        let check = wanted(env, check);
        if shape.low_of().is_some() {
            let ra = self.x(a);
            let mb = self.xm(b);
            let d = self.xdef(v, Some(a));
            self.a.v3(width(shape, ops), L128, d, ra, mb);
            return true;
        }
        // x86 has no sum with a negated NaN.
        let check = if op == Fp2::AddNeg { check } else { self.or_trap(shape, env, check, &[a, b]) };
        let checked = check;
        let check = self.or_later(v, shape, env, check);
        self.save_for(check, env);
        let host = width(shape, ops);
        if is_half(shape) {
            if env.flush_in {
                self.xlimit(&[a, b], 1);
            }
            let (ma, mb) = (self.xm(a), self.xm(b));
            let d = self.xdest(v);
            let w = self.xwork(d, &[ma, mb]);
            let u = self.guard_reg(env);
            let mut label = self.guard(shape, env, guard, &[ma, mb], (XSCRATCH, w, u));
            self.low_lanes(shape, XSCRATCH, ma);
            self.low_lanes(shape, w, mb);
            if op == Fp2::Div {
                // Nothing divided by nothing would be invalid.
                let ones = self.fmt_const(shape.fmt, one(shape.fmt));
                self.a.v3i(vop::VBLENDPS, L128, w, w, ones, 0xf << shape.lanes & 0xf);
            }
            label = self.computes(check, label);
            self.a.v3(host, L128, XSCRATCH, XSCRATCH, w);
            self.fp_finish(v, shape, (check, label), (d, XSCRATCH, w), &[ma, mb], true);
            return true;
        }
        if let Some(slot) = self.wide_in_slot(v, shape, env, a) {
            let mb = self.xm(b);
            let (d, t, m) = self.fp_regs(v, &[mb]);
            // So there is zero above.
            self.a.v2(if shape.fmt == Fmt::F64 { vop::VMOVSD } else { vop::VMOVSS }, L128, t, slot);
            let label = self.computes(check, None);
            let to = if check == Check::Trapped { d } else { t };
            self.a.v3(host, L128, to, t, mb);
            self.fp_finish(v, shape, (check, label), (d, to, m), &[Xm::Mem(slot), mb], true);
            return true;
        }
        let ra = self.x(a);
        if env.flush_in {
            self.xlimit(&[a, b], 1);
        }
        let mb = self.xm(b);
        let (d, t, m) = self.fp_regs_for(check, v, &[Xm::Reg(ra), mb]);
        let u = self.guard_reg(env);
        let mut label = self.guard(shape, env, guard, &[Xm::Reg(ra), mb], (t, m, u));
        let mut check = check;
        let any_order = !matches!(checked, Check::Nothing | Check::Trapped | Check::Tiny);
        if check == Check::Nan
            && op != Fp2::Div
            && shape.lanes <= 1
            && env.nan == NanRule::ArmPropagate
            && label.is_none()
        {
            label = self.after_product(if op == Fp2::AddNeg { b } else { a }, b);
            if label.is_some() {
                check = Check::Nothing;
            }
        }
        let mut zero = self.is_zero_above(a);
        label = self.computes(check, label);
        match mb {
            // What stands above comes from the first; a NaN, for which the order matters, takes the slow path.
            Xm::Reg(rb) if !zero && any_order && matches!(op, Fp2::Add | Fp2::Mul) && self.is_zero_above(b) => {
                self.a.v3(host, L128, t, rb, ra);
                zero = true;
            }
            _ => self.a.v3(host, L128, t, ra, mb),
        }
        self.fp_finish(v, shape, (check, label), (d, t, m), &[Xm::Reg(ra), mb], zero);
        true
    }

    /// The host's minimum gives its second operand when both are zeros: done both ways round and joined, -0 wins (for the maximum, +0).
    /// It signals quiet NaNs: they are caught before.
    #[expect(clippy::too_many_arguments, reason = "the operation, and the two instructions for it")]
    fn min_max(&mut self, v: Val, shape: Shape, env: Env, ops: Widths, join: VOp, a: Val, b: Val) {
        self.clobber();
        let host = width(shape, ops);
        let (d, args, label);
        if is_half(shape) {
            self.xlimit(&[a, b], 1);
            let (ma, mb) = (self.xm(a), self.xm(b));
            d = self.xdest(v);
            let w = self.xwork(d, &[ma, mb]);
            let u = self.xtemp();
            let guarded = self.guard(shape, env, Guard::Operands, &[ma, mb], (XSCRATCH, w, u));
            label = guarded.unwrap_or_else(|| self.a.label());
            self.low_lanes(shape, XSCRATCH, ma);
            self.low_lanes(shape, w, mb);
            self.a.v3i(vop::VCMPPS, L128, u, XSCRATCH, w, UNORD_Q);
            self.jump_if_any(u, label);
            self.a.v3(host, L128, u, XSCRATCH, w);
            self.a.v3(host, L128, XSCRATCH, w, XSCRATCH);
            self.a.v3(join, L128, d, XSCRATCH, u);
            args = [ma, mb];
        } else {
            let ra = self.x(a);
            if env.flush_in {
                self.xlimit(&[a, b], 1);
            }
            let mb = self.xm(b);
            args = [Xm::Reg(ra), mb];
            d = self.xdest(v);
            let w = self.xwork(d, &args);
            let u = self.guard_reg(env);
            let guarded = self.guard(shape, env, Guard::Operands, &args, (XSCRATCH, w, u));
            label = guarded.unwrap_or_else(|| self.a.label());
            if shape.lanes > 1 {
                self.a.v3i(
                    width(shape, [vop::VCMPPS, vop::VCMPPD, vop::VCMPPS, vop::VCMPPD]),
                    L128,
                    w,
                    ra,
                    mb,
                    UNORD_Q,
                );
                self.jump_if_any(w, label);
            } else {
                self.a.v2(if shape.fmt == Fmt::F64 { vop::VUCOMISD } else { vop::VUCOMISS }, L128, ra, mb);
                self.a.jcc(X::P, label);
            }
            self.a.v3(host, L128, XSCRATCH, ra, mb);
            let rb = match mb {
                Xm::Reg(x) => x,
                Xm::Mem(m) => {
                    self.a.v2(vop::VMOVUPS, L128, w, m);
                    w
                }
            };
            self.a.v3(host, L128, w, rb, ra);
            self.a.v3(join, L128, d, XSCRATCH, w);
            self.fp_move(shape, d, d);
        }
        let back = self.a.label_here();
        self.cold_eval(v, label, back, &args, Arg::Xmm(d));
    }

    fn fp_cmp(&mut self, v: Val, cc: FpCc, shape: Shape, env: Env, a: Val, b: Val) {
        let predicate = match cc {
            FpCc::Eq => EQ_OQ,
            FpCc::Unordered => UNORD_Q,
            FpCc::Ge | FpCc::AbsGe => GE_OS,
            FpCc::Gt | FpCc::AbsGt => GT_OS,
        };
        let cmp = width(shape, [vop::VCMPSS, vop::VCMPSD, vop::VCMPPS, vop::VCMPPD]);
        let absolute = matches!(cc, FpCc::AbsGe | FpCc::AbsGt);
        if !absolute && !is_half(shape) && !env.flush_in {
            let ra = self.x(a);
            let mb = self.xm(b);
            let d = self.xdef(v, Some(a));
            self.a.v3i(cmp, L128, d, ra, mb, predicate);
            self.fp_move(shape, d, d);
            return;
        }
        if env.flush_in {
            self.clobber();
            self.xlimit(&[a, b], 1);
        }
        let (ma, mb) = (self.xm(a), self.xm(b));
        let d = self.xdest(v);
        let w = self.xwork(d, &[ma, mb]);
        let u = self.guard_reg(env);
        let label = self.guard(shape, env, Guard::Operands, &[ma, mb], (XSCRATCH, w, u));
        if is_half(shape) {
            self.low_lanes(shape, XSCRATCH, ma);
            self.low_lanes(shape, w, mb);
        } else {
            self.a.v2(vop::VMOVUPS, L128, XSCRATCH, ma);
            self.a.v2(vop::VMOVUPS, L128, w, mb);
        }
        if absolute {
            let magnitude = self.fmt_const(shape.fmt, sign(shape.fmt) - 1);
            self.a.v3(vop::VANDPS, L128, XSCRATCH, XSCRATCH, magnitude);
            self.a.v3(vop::VANDPS, L128, w, w, magnitude);
        }
        self.a.v3i(cmp, L128, XSCRATCH, XSCRATCH, w, predicate);
        self.fp_finish(v, shape, (Check::Nothing, label), (d, XSCRATCH, w), &[ma, mb], true);
    }

    // ---- three operands ----

    fn fma(&mut self, v: Val, shape: Shape, env: Env, negate: (bool, bool), abc: [Val; 3]) {
        let ops = match negate {
            (false, false) => [vop::VFMADD231SS, vop::VFMADD231SD, vop::VFMADD231PS, vop::VFMADD231PD],
            (true, false) => [vop::VFNMADD231SS, vop::VFNMADD231SD, vop::VFNMADD231PS, vop::VFNMADD231PD],
            (false, true) => [vop::VFMSUB231SS, vop::VFMSUB231SD, vop::VFMSUB231PS, vop::VFMSUB231PD],
            (true, true) => [vop::VFNMSUB231SS, vop::VFNMSUB231SD, vop::VFNMSUB231PS, vop::VFNMSUB231PD],
        };
        if let Some(of) = shape.low_of() {
            return self.fma_low(v, (shape, of), negate, abc);
        }
        let host = width(shape, ops);
        let [a, b, c] = abc;
        let check = if env.flush_in { Check::NanOrFlushed } else { self.of_square(v, shape, tiny(env)) };
        let check = wanted(env, check);
        // Arm has the addend's NaN first; and infinity times zero is invalid there and on RISC-V beside a NaN, too: no trap tells.
        self.save_for(check, env);
        if is_half(shape) {
            self.xlimit(&abc, 1);
            let args = [self.xm(a), self.xm(b), self.xm(c)];
            let d = self.xdest(v);
            let w = self.xwork(d, &args);
            let u = self.xtemp();
            let mut label = self.guard(shape, env, PRODUCT_IN_SUM, &args, (XSCRATCH, w, u));
            self.low_lanes(shape, XSCRATCH, args[2]);
            self.low_lanes(shape, w, args[0]);
            self.low_lanes(shape, u, args[1]);
            label = self.computes(check, label);
            self.a.v3(host, L128, XSCRATCH, w, u);
            self.fp_finish(v, shape, (check, label), (d, XSCRATCH, w), &args, true);
            return;
        }
        let room = if env.flush_in { 1 } else { 2 };
        self.xlimit(&[a, c, b], room);
        let ra = self.x(a);
        self.xlimit(&[a, c, b], room);
        let (mb, mc) = (self.xm(b), self.xm(c));
        let args = [Xm::Reg(ra), mb, mc];
        let (d, t, m) = self.fp_regs(v, &args);
        let u = self.guard_reg(env);
        let mut label = self.guard(shape, env, PRODUCT_IN_SUM, &args, (t, m, u));
        if shape.lanes == 0 && self.is_wide(v) && !self.is_zero_above(c) {
            match mc {
                Xm::Reg(rc) => self.fp_move(Shape { lanes: 1, ..shape }, t, rc),
                Xm::Mem(m) if shape.fmt == Fmt::F64 => self.a.v2(vop::VMOVSD, L128, t, m),
                Xm::Mem(m) => self.a.v2(vop::VMOVSS, L128, t, m),
            }
        } else if mc == Xm::Reg(d) && label.is_none() && ![Xm::Reg(ra), mb].contains(&mc) {
            // In place; what is added is kept for the slow path.
            self.a.v2(vop::VMOVUPS, L128, t, mc);
            label = self.computes(check, label);
            self.a.v3(host, L128, d, ra, mb);
            self.fp_finish(v, shape, (check, label), (d, d, m), &[Xm::Reg(ra), mb, Xm::Reg(t)], true);
            return;
        } else {
            self.a.v2(vop::VMOVUPS, L128, t, mc);
        }
        label = self.computes(check, label);
        self.a.v3(host, L128, t, ra, mb);
        self.fp_finish(v, shape, (check, label), (d, t, m), &args, true);
    }

    /// Of the lowest lane, in place of the operand `of`, above which the rest stands. The forms have NaNs in the same order.
    fn fma_low(&mut self, v: Val, (shape, of): (Shape, usize), negate: (bool, bool), abc: [Val; 3]) {
        let [m132, m213, m231] = match negate {
            (false, false) => [
                [vop::VFMADD132SS, vop::VFMADD132SD],
                [vop::VFMADD213SS, vop::VFMADD213SD],
                [vop::VFMADD231SS, vop::VFMADD231SD],
            ],
            (true, false) => [
                [vop::VFNMADD132SS, vop::VFNMADD132SD],
                [vop::VFNMADD213SS, vop::VFNMADD213SD],
                [vop::VFNMADD231SS, vop::VFNMADD231SD],
            ],
            (false, true) => [
                [vop::VFMSUB132SS, vop::VFMSUB132SD],
                [vop::VFMSUB213SS, vop::VFMSUB213SD],
                [vop::VFMSUB231SS, vop::VFMSUB231SD],
            ],
            (true, true) => [
                [vop::VFNMSUB132SS, vop::VFNMSUB132SD],
                [vop::VFNMSUB213SS, vop::VFNMSUB213SD],
                [vop::VFNMSUB231SS, vop::VFNMSUB231SD],
            ],
        };
        let [a, b, c] = abc;
        let (op, second, third) = [(m132, c, b), (m213, a, c), (m231, a, b)][of];
        let all = [second, third, abc[of]];
        self.xlimit(&all, 2);
        let second = self.x(second);
        self.xlimit(&all, 2);
        let (third, first) = (self.xm(third), self.xm(abc[of]));
        let d = self.xdest(v);
        let t = if [Xm::Reg(second), third].contains(&Xm::Reg(d)) { XSCRATCH } else { d };
        if first != Xm::Reg(t) {
            self.a.v2(vop::VMOVUPS, L128, t, first);
        }
        self.a.v3(op[usize::from(shape.fmt == Fmt::F64)], L128, t, second, third);
        if t != d {
            self.a.vmov(L128, d, t);
        }
    }
}
