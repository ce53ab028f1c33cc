//! The checks of floating-point results and operands, and what spares them.
//!
//! The differences that they look for: which NaN comes out of several, and the default NaN's sign (all give NaN results); and a
//! result that is tiny before rounding and not after it (SDM vol. 1, 4.9.1.5; DDI 0487, FPRound), which can only be the smallest normal number.
//! A quotient never is that: two numbers of p bits that differ do so by a part of at least 2^-p, and what rounds up to the smallest normal
//! number without being tiny differs from it by less.
//!
//! Where invalid operations trap ([`crate::FlagsAt::SlowPath`]) a NaN need not be looked for if it can only come of one, or comes out of others as the guest has it.

use super::super::asm::{Alu, Cc as X, K, L128, Label, Size, Xm, Xmm, vop};
use super::super::{SCRATCH, reads};
use super::Emitter;
use super::cold::Cold;
use super::float::{EQ_UQ, UNORD_Q, sign};
use ir::{Env, Fmt, Fp1, Fp2, NanRule, Op, Shape, Ty, Val};

/// Where a comparison's lanes gather with AVX-512.
const LANES: K = K(2);

/// What a result must be checked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Check {
    Nothing,
    /// The host traps where its NaN may be another than the guest's.
    Trapped,
    /// The same, but a scalar may be the smallest normal number.
    Tiny,
    Nan,
    /// And the smallest normal number.
    NanOrTiny,
    /// The same of a scalar that is NaN or not negative.
    NanOrTinySquare,
    /// And subnormal numbers.
    NanOrFlushed,
}

/// What operands must be like where subnormal numbers are flushed: not subnormal, and such that no result is tiny and inexact, for the
/// host would raise inexact for it and the guest does not. In terms of [`Emitter::exponents`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Guard {
    Operands,
    /// The sum of the first two is at least that, for singles and doubles.
    Sum(u64, u64),
    /// The first less the second, plus the largest exponent.
    Difference(u64, u64),
    /// Every one is at least that (both formats).
    Least(u64),
}

/// A product is not tiny.
pub(super) const PRODUCT: Guard = Guard::Sum(128, 1024);
/// A product's last bit is one that a subnormal number has: a tiny sum with it is exact.
pub(super) const PRODUCT_IN_SUM: Guard = Guard::Sum(152, 1077);
/// A quotient is not tiny.
pub(super) const QUOTIENT: Guard = Guard::Difference(255 - 124, 2047 - 1020);

fn smallest_normal(fmt: Fmt) -> u64 {
    match fmt {
        Fmt::F32 => 1 << 23,
        Fmt::F64 => 1 << 52,
        Fmt::F16 => 1 << 10,
        Fmt::BF16 => 1 << 7,
    }
}

/// The check of a result that can be tiny: the host judges that after rounding.
pub(super) fn tiny(env: Env) -> Check {
    if env.nan.tiny_after_rounding() { Check::Nan } else { Check::NanOrTiny }
}

/// The check that is needed: none where the guest's NaNs are the host's.
pub(super) fn wanted(env: Env, check: Check) -> Check {
    if env.nan == NanRule::X86 && !env.flush_in { Check::Nothing } else { check }
}

impl Emitter<'_> {
    /// Jumps to the label returned (`label`, if there is one already) if the result in `t` must be done again slowly. The host's flags must
    /// have been saved; `m` is overwritten.
    pub(super) fn check(&mut self, shape: Shape, check: Check, label: Option<Label>, t: Xmm, m: Xmm) -> Option<Label> {
        if matches!(check, Check::Nothing | Check::Trapped) {
            return label;
        }
        let label = label.unwrap_or_else(|| self.a.label());
        if check == Check::Tiny {
            self.suspect_tiny(shape.fmt, t, m, label);
            return Some(label);
        }
        if check == Check::NanOrFlushed {
            self.exponents(shape.fmt, m, Xm::Reg(t));
            let zero = self.pool(0);
            self.a.v3(if shape.fmt == Fmt::F64 { vop::VPCMPEQQ } else { vop::VPCMPEQD }, L128, m, m, zero);
            self.jump_if_lanes(shape, m, label);
        }
        let fmt = shape.fmt;
        let double = fmt == Fmt::F64;
        if check == Check::NanOrTiny && shape.lanes <= 1 && t.0 < 16 {
            self.suspect(fmt, t, m, label);
            return Some(label);
        }
        if shape.lanes > 1 {
            let (mut from, mut with, mut predicate) = (t, Xm::Reg(t), UNORD_Q);
            if check == Check::NanOrTiny {
                let magnitude = self.fmt_const(fmt, sign(fmt) - 1);
                self.a.v3(if double { vop::VANDPD } else { vop::VANDPS }, L128, m, t, magnitude);
                (from, with, predicate) = (m, Xm::Mem(self.fmt_const(fmt, smallest_normal(fmt))), EQ_UQ);
            }
            if self.features.avx512 {
                let cmp = if double { vop::VCMPPD_K } else { vop::VCMPPS_K };
                self.a.v3i(cmp, L128, LANES, from, with, predicate);
                self.a.v2(vop::KORTESTB, L128, LANES, LANES);
                self.a.jcc(X::Ne, label);
            } else {
                let cmp = if double { vop::VCMPPD } else { vop::VCMPPS };
                self.a.v3i(cmp, L128, m, from, with, predicate);
                self.jump_if_any(m, label);
            }
        } else if check == Check::NanOrTiny {
            self.jump_if_nan_or_tiny(fmt, t, m, label);
        } else if check == Check::NanOrTinySquare {
            let least = self.fmt_const(fmt, smallest_normal(fmt));
            self.a.v2(if double { vop::VUCOMISD } else { vop::VUCOMISS }, L128, t, least);
            self.a.jcc(X::E, label);
        } else {
            self.a.v2(if double { vop::VUCOMISD } else { vop::VUCOMISS }, L128, t, t);
            self.a.jcc(X::P, label);
        }
        Some(label)
    }

    /// Jumps if the scalar in `t` is NaN or the smallest normal number, by way of cold code that looks closer at what one test finds: exponents of
    /// all ones and all zeros, and their neighbours.
    pub(super) fn suspect(&mut self, fmt: Fmt, t: Xmm, m: Xmm, slow: Label) {
        let upper = if fmt == Fmt::F64 { 0x7fe0 << 48 } else { 0x7f00_0000 };
        let upper = self.pool(upper);
        // ZF: none of these bits is set; CF: all are.
        self.a.v2(vop::VPTEST, L128, t, upper);
        let label = self.a.label();
        self.a.jcc(X::Be, label);
        let back = self.a.label_here();
        self.suspected = Some((self.a.here(), self.cold.len()));
        self.cold.push(Cold::Judge { label, back, fmt, t, m, slow, beyond: None });
    }

    /// The same where it is no NaN.
    pub(super) fn suspect_tiny(&mut self, fmt: Fmt, t: Xmm, m: Xmm, slow: Label) {
        if fmt == Fmt::F64 {
            let upper = self.pool(0x7fe0 << 48);
            self.a.vst(vop::VMOVQ_GST, L128, SCRATCH, t);
            self.a.alu(Alu::And, Size::Q, SCRATCH, upper);
        } else {
            self.a.vst(vop::VMOVD_ST, L128, SCRATCH, t);
            self.a.test_i(Size::D, SCRATCH, 0x7f00_0000);
        }
        let label = self.a.label();
        self.a.jcc(X::E, label);
        let back = self.a.label_here();
        self.cold.push(Cold::Judge { label, back, fmt, t, m, slow, beyond: None });
    }

    /// What is left to be checked where the host traps at what is invalid. Arm: a NaN that comes out of others is the guest's, operands being in its
    /// order. RISC-V: it is, if it comes out of the guest's own.
    pub(super) fn or_trap(&self, shape: Shape, env: Env, check: Check, operands: &[Val]) -> Check {
        let arm = env.nan == NanRule::ArmPropagate;
        if !self.traps || env.flush_in || !arm && !self.have_own_nans(shape, env, operands) {
            return check;
        }
        match check {
            Check::Nan => Check::Trapped,
            Check::NanOrTiny | Check::NanOrTinySquare if shape.lanes <= 1 => Check::Tiny,
            check => check,
        }
    }

    /// What is left of the check of a scalar if only operations will see it to which all NaNs are the same: they check their own results.
    pub(super) fn or_later(&mut self, v: Val, shape: Shape, env: Env, check: Check) -> Check {
        let own_rule = env.nan == NanRule::RiscV && !env.flush_in && shape.lanes == 0;
        if check != Check::Nan || !own_rule || self.plan.nan_seen[v.0 as usize] || self.traps && !self.reader_checks(v)
        {
            return check;
        }
        self.unchecked.push(v);
        if self.traps { Check::Trapped } else { Check::Nothing }
    }

    /// Whether the one operation that reads the scalar, which does not care for what NaN it is, would not be spared its check by this one's.
    fn reader_checks(&self, v: Val) -> bool {
        if self.plan.uses[v.0 as usize] != 1 {
            return false;
        }
        let reader = Val(self.plan.last_use[v.0 as usize]);
        match *self.r.op(reader) {
            Op::Fma { .. } | Op::FlagsFcmp { .. } => true,
            Op::Fp2(_, shape, env, a, b) => {
                let other = if self.root(a) == v { b } else { a };
                !self.have_own_nans(shape, env, &[other])
            }
            _ => false,
        }
    }

    /// Whether none of the scalars can be another NaN than RISC-V's.
    pub(super) fn have_own_nans(&self, shape: Shape, env: Env, operands: &[Val]) -> bool {
        let own = |v: &Val| {
            let root = self.root(*v);
            self.unchecked.binary_search(&root).is_err() && reads::is_own(self.r, root, self.r.ty(*v), &self.reads)
        };
        env.nan == NanRule::RiscV && shape.lanes == 0 && operands.iter().all(own)
    }

    /// The next instruction computes what is to be checked so; if it traps it goes to its slow path, too, which is at the label returned.
    pub(super) fn computes(&mut self, check: Check, slow: Option<Label>) -> Option<Label> {
        if !self.traps || check == Check::Nothing {
            return slow;
        }
        let slow = slow.unwrap_or_else(|| self.a.label());
        self.trap_here(slow);
        Some(slow)
    }

    /// If one of the operands is a product that has just been suspected, and no code was written since: from there on it is finite, and its sum with
    /// anything is the guest's. A product that is not goes to the label returned, past the host's own sum.
    pub(super) fn after_product(&mut self, a: Val, b: Val) -> Option<Label> {
        let (at, n) = self.suspected?;
        let (a, b) = (self.root(a), self.root(b));
        let product = match self.cold.get(n + 1) {
            Some(Cold::Eval { v, .. }) if at == self.a.here() => self.root(*v),
            _ => return None,
        };
        if product != a && product != b {
            return None;
        }
        let label = self.a.label();
        if let Cold::Judge { beyond, .. } = &mut self.cold[n] {
            *beyond = Some(label);
        }
        if let Cold::Eval { back, .. } = &mut self.cold[n + 1] {
            *back = label;
        }
        if let Some(Cold::Nans(nans)) = self.cold.get_mut(n + 2) {
            nans.back = label;
        }
        Some(label)
    }

    /// Whether it is a finite number of the format, whatever the guest does.
    fn is_finite(&self, fmt: Fmt, v: Val) -> bool {
        let root = self.root(v);
        if self.r.ty(root) != self.r.ty(v) {
            return false;
        }
        match *self.r.op(root) {
            Op::Const(bits) => match self.r.ty(v) {
                Ty::F64 => f64::from_bits(bits).is_finite(),
                Ty::F32 => f32::from_bits(bits as u32).is_finite(),
                _ => false,
            },
            Op::FpFromInt { shape, .. } => shape.fmt == fmt,
            _ => false,
        }
    }

    /// Whether it is zero, positive or NaN, of either sign, as a number of the format.
    pub(super) fn is_not_negative(&self, fmt: Fmt, v: Val) -> bool {
        // Sums of sums of squares end somewhere.
        self.is_not_negative_within(fmt, v, 8)
    }

    fn is_not_negative_within(&self, fmt: Fmt, v: Val, depth: u32) -> bool {
        let root = self.root(v);
        if depth == 0 || self.r.ty(root) != self.r.ty(v) {
            return false;
        }
        let same = |a: Val, b: Val| self.root(a) == self.root(b);
        match *self.r.op(root) {
            Op::Fp1(Fp1::Sqrt | Fp1::Abs, shape, ..) => shape.fmt == fmt,
            Op::Fp2(Fp2::Mul, shape, _, a, b) => shape.fmt == fmt && same(a, b),
            Op::Fp2(Fp2::Add, shape, _, a, b) => {
                shape.fmt == fmt && [a, b].iter().all(|x| self.is_not_negative_within(fmt, *x, depth - 1))
            }
            Op::Fma { shape, neg_product: false, neg_addend: false, a, b, c, .. } => {
                shape.fmt == fmt && same(a, b) && self.is_not_negative_within(fmt, c, depth - 1)
            }
            _ => false,
        }
    }

    /// The check of a scalar that [`Emitter::is_not_negative`].
    pub(super) fn of_square(&self, v: Val, shape: Shape, check: Check) -> Check {
        if check == Check::NanOrTiny && shape.lanes <= 1 && self.is_not_negative(shape.fmt, v) {
            Check::NanOrTinySquare
        } else {
            check
        }
    }

    /// The check of a sum of scalars. At most one of two is a NaN if the other is finite, and then it is the result on both; and there is no
    /// infinity to take from another. But x86 has no sum with a negated NaN.
    pub(super) fn of_sum(&self, op: Fp2, shape: Shape, env: Env, a: Val, b: Val) -> Check {
        let spared = shape.lanes <= 1
            && env.nan == NanRule::ArmPropagate
            && !env.flush_in
            && match op {
                Fp2::Add => {
                    self.is_finite(shape.fmt, a) || self.is_finite(shape.fmt, b) || self.root(a) == self.root(b)
                }
                Fp2::Sub => self.is_finite(shape.fmt, a) || self.is_finite(shape.fmt, b),
                _ => self.is_finite(shape.fmt, b),
            };
        if spared { Check::Nothing } else { Check::Nan }
    }

    /// Jumps if the scalar in `t` is NaN or the smallest normal number; `m` is overwritten.
    pub(super) fn jump_if_nan_or_tiny(&mut self, fmt: Fmt, t: Xmm, m: Xmm, label: Label) {
        let (and, cmp) = if fmt == Fmt::F64 { (vop::VANDPD, vop::VUCOMISD) } else { (vop::VANDPS, vop::VUCOMISS) };
        let magnitude = self.fmt_const(fmt, sign(fmt) - 1);
        self.a.v3(and, L128, m, t, magnitude);
        let least = self.fmt_const(fmt, smallest_normal(fmt));
        // Equal and unordered both set ZF.
        self.a.v2(cmp, L128, m, least);
        self.a.jcc(X::E, label);
    }

    /// Jumps if the magnitude in `m`, a number's, is that of infinity.
    pub(super) fn jump_if_infinite(&mut self, fmt: Fmt, m: Xmm, label: Label) {
        let (compare, infinity) =
            if fmt == Fmt::F64 { (vop::VUCOMISD, 0x7ff0 << 48) } else { (vop::VUCOMISS, 0x7f80_0000) };
        let infinity = self.fmt_const(fmt, infinity);
        self.a.v2(compare, L128, m, infinity);
        self.a.jcc(X::E, label);
    }

    /// For each lane its exponent as biased, or one less; the largest there is for zero, 0 for subnormal numbers (and the smallest normal one).
    pub(super) fn exponents(&mut self, fmt: Fmt, to: Xmm, from: Xm) {
        let (add, shift, by) =
            if fmt == Fmt::F64 { (vop::VPADDQ, vop::VPSRLQ_I, 53) } else { (vop::VPADDD, vop::VPSRLD_I, 24) };
        match from {
            Xm::Reg(x) => self.a.v3(add, L128, to, x, x),
            Xm::Mem(m) => {
                self.a.v2(vop::VMOVDQU, L128, to, m);
                self.a.v3(add, L128, to, to, to);
            }
        }
        let minus_one = self.pool(u128::MAX);
        self.a.v3(add, L128, to, to, minus_one);
        self.a.vshift_i(shift, L128, to, to, by);
    }

    /// Jumps if a lane that counts is set in a mask.
    pub(super) fn jump_if_lanes(&mut self, shape: Shape, m: Xmm, label: Label) {
        self.a.v2(if shape.fmt == Fmt::F64 { vop::VMOVMSKPD } else { vop::VMOVMSKPS }, L128, SCRATCH, m);
        self.a.test_i(Size::D, SCRATCH, (1 << shape.lanes.max(1)) - 1);
        self.a.jcc(X::Ne, label);
    }

    /// Where subnormal numbers are flushed, jumps to the label returned unless the operands are as `guard` says.
    pub(super) fn guard(
        &mut self,
        shape: Shape,
        env: Env,
        guard: Guard,
        args: &[Xm],
        work: (Xmm, Xmm, Xmm),
    ) -> Option<Label> {
        if !env.flush_in {
            return None;
        }
        let label = self.a.label();
        let (t, m, least) = work;
        let double = shape.fmt == Fmt::F64;
        let (add, subtract) = if double { (vop::VPADDQ, vop::VPSUBQ) } else { (vop::VPADDD, vop::VPSUBD) };
        let (greater, equal) = if double { (vop::VPCMPGTQ, vop::VPCMPEQQ) } else { (vop::VPCMPGTD, vop::VPCMPEQD) };
        self.exponents(shape.fmt, t, args[0]);
        self.a.vmov(L128, least, t);
        for (i, arg) in args.iter().enumerate().skip(1) {
            self.exponents(shape.fmt, m, *arg);
            // The upper halves of 64-bit lanes are zero.
            self.a.v3(vop::VPMINUD, L128, least, least, m);
            match guard {
                Guard::Sum(..) if i == 1 => self.a.v3(add, L128, t, t, m),
                Guard::Difference(..) if i == 1 => {
                    self.a.v3(subtract, L128, t, t, m);
                    let most = self.fmt_const(shape.fmt, if double { 2047 } else { 255 });
                    self.a.v3(add, L128, t, t, most);
                }
                _ => {}
            }
        }
        let limit = match guard {
            Guard::Operands => None,
            Guard::Sum(single, double_limit) | Guard::Difference(single, double_limit) => {
                Some(if double { double_limit } else { single })
            }
            Guard::Least(n) => Some(n),
        };
        let zero = self.pool(0);
        self.a.v3(equal, L128, least, least, zero);
        if let Some(limit) = limit {
            let limit = self.fmt_const(shape.fmt, limit);
            self.a.v2(vop::VMOVDQU, L128, m, limit);
            self.a.v3(greater, L128, m, m, t);
            self.a.v3(vop::VPOR, L128, least, least, m);
        }
        self.jump_if_lanes(shape, least, label);
        Some(label)
    }

    /// Jumps if any 32-bit lane of a mask is set.
    pub(super) fn jump_if_any(&mut self, m: Xmm, label: Label) {
        self.a.v2(vop::VMOVMSKPS, L128, SCRATCH, m);
        self.a.test(Size::D, SCRATCH, SCRATCH);
        self.a.jcc(X::Ne, label);
    }
}
