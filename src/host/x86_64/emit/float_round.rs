//! Rounding to an integer, ties away from zero, which the host has no instruction for. Without exceptions, or with those that are due.

use super::super::asm::{Cc as X, L128, Label, Rounding, Xm, Xmm, vop};
use super::Emitter;
use super::cold::Cold;
use super::float::{GE_OS, Widths, is_half, one, sign, width};
use super::float_check::{Check, Guard};
use ir::{Env, Fmt, Shape, Val};

impl Emitter<'_> {
    pub(super) fn round_away(&mut self, v: Val, shape: Shape, env: Env, a: Val) {
        self.clobber();
        let ra = self.x(a);
        let (d, t, m) = self.fp_regs(v, &[Xm::Reg(ra)]);
        let u = self.xtemp();
        let label = self.guard(shape, env, Guard::Operands, &[Xm::Reg(ra)], (t, m, u));
        let label = label.unwrap_or_else(|| self.a.label());
        self.ties_away(shape, (t, m, u), ra, label);
        let zero = self.is_zero_above(a);
        self.fp_finish(v, shape, (Check::Nothing, Some(label)), (d, t, m), &[Xm::Reg(ra)], zero);
    }

    /// t = a rounded to an integer, ties away from zero, without exceptions. To the label if `a` is NaN, or perhaps if it is so large that it is an
    /// integer.
    pub(super) fn ties_away(&mut self, shape: Shape, (t, m, u): (Xmm, Xmm, Xmm), a: Xmm, label: Label) {
        const NOT_LESS: u8 = 0x15;
        let fmt = shape.fmt;
        let op = |ops: Widths| width(shape, ops);
        let mut from = a;
        if is_half(shape) {
            self.low_lanes(shape, m, Xm::Reg(a));
            from = m;
        }
        if shape.lanes <= 1 {
            return if self.features.avx512 {
                self.scalar_ties_away(fmt, (t, m), a, label)
            } else {
                self.scalar_ties_seldom(fmt, (t, m), a, label)
            };
        }
        let magnitude = self.fmt_const(fmt, sign(fmt) - 1);
        self.a.v3(vop::VANDPS, L128, m, from, magnitude);
        let integers = self.fmt_const(fmt, if fmt == Fmt::F64 { 0x4330 << 48 } else { 0x4b00_0000 });
        let compare = op([vop::VCMPSS, vop::VCMPSD, vop::VCMPPS, vop::VCMPPD]);
        self.a.v3i(compare, L128, u, m, integers, NOT_LESS);
        self.jump_if_lanes(shape, u, label);
        self.unary_round(shape, t, m, m, 3 | 8);
        // What was cut off, exactly; if that is a half or more, one is added.
        self.a.v3(op([vop::VSUBSS, vop::VSUBSD, vop::VSUBPS, vop::VSUBPD]), L128, m, m, t);
        let half = self.fmt_const(fmt, if fmt == Fmt::F64 { 0x3fe0 << 48 } else { 0x3f00_0000 });
        self.a.v3i(compare, L128, m, m, half, GE_OS);
        let ones = self.fmt_const(fmt, one(fmt));
        self.a.v3(vop::VANDPS, L128, m, m, ones);
        self.a.v3(op([vop::VADDSS, vop::VADDSD, vop::VADDPS, vop::VADDPD]), L128, t, t, m);
        let sign = self.fmt_const(fmt, sign(fmt));
        self.a.v2(vop::VMOVUPS, L128, m, sign);
        self.a.v3(vop::VANDPS, L128, m, m, a);
        self.a.v3(vop::VORPS, L128, t, t, m);
    }

    /// Ties to even, which the host has an instruction for, and cold code for the others.
    fn scalar_ties_seldom(&mut self, fmt: Fmt, (t, m): (Xmm, Xmm), a: Xmm, label: Label) {
        let double = fmt == Fmt::F64;
        let (compare, subtract) = if double { (vop::VUCOMISD, vop::VSUBSD) } else { (vop::VUCOMISS, vop::VSUBSS) };
        let magnitude = self.fmt_const(fmt, sign(fmt) - 1);
        self.a.v3(vop::VANDPS, L128, m, a, magnitude);
        // Of an infinity what is cut off would be invalid. Unordered sets ZF, too.
        let infinity = self.fmt_const(fmt, if double { 0x7ff0 << 48 } else { 0x7f80_0000 });
        self.a.v2(compare, L128, m, infinity);
        self.a.jcc(X::E, label);
        self.unary_round(Shape::scalar(fmt), t, a, a, 8);
        self.a.v3(subtract, L128, m, a, t);
        self.a.v3(vop::VANDPS, L128, m, m, magnitude);
        let half = self.fmt_const(fmt, if double { 0x3fe0 << 48 } else { 0x3f00_0000 });
        self.a.v2(compare, L128, m, half);
        let tie = self.a.label();
        self.a.jcc(X::E, tie);
        let back = self.a.label_here();
        self.cold.push(Cold::Tie { label: tie, back, fmt, t, m, a });
    }

    /// t = a and a half, away from zero: exact, if `a` is an integer and a half.
    pub(super) fn tie_away(&mut self, fmt: Fmt, t: Xmm, m: Xmm, a: Xmm) {
        let (add, half) = if fmt == Fmt::F64 { (vop::VADDSD, 0x3fe0 << 48) } else { (vop::VADDSS, 0x3f00_0000) };
        let (sign, half) = (self.fmt_const(fmt, sign(fmt)), self.fmt_const(fmt, half));
        self.a.v3(vop::VANDPS, L128, m, a, sign);
        self.a.v3(vop::VORPS, L128, m, m, half);
        self.a.v3(add, L128, t, a, m);
    }

    /// The number next below a half added, to the nearest and without exceptions, makes an integer or more of just what is to go up.
    fn scalar_ties_away(&mut self, fmt: Fmt, (t, m): (Xmm, Xmm), a: Xmm, label: Label) {
        let double = fmt == Fmt::F64;
        let (compare, add, round) = if double {
            (vop::VUCOMISD, vop::VADDSD, vop::VROUNDSD)
        } else {
            (vop::VUCOMISS, vop::VADDSS, vop::VROUNDSS)
        };
        self.a.v2(compare, L128, a, a);
        self.a.jcc(X::P, label);
        let sign = self.fmt_const(fmt, sign(fmt));
        self.a.v3(vop::VANDPS, L128, m, a, sign);
        let below_half = self.fmt_const(fmt, if double { 0x3fdf_ffff_ffff_ffff } else { 0x3eff_ffff });
        self.a.v3(vop::VORPS, L128, m, m, below_half);
        self.a.v3(add, L128.round(Rounding::Nearest), m, a, m);
        self.a.v3i(round, L128, t, m, m, 3 | 8);
    }
}
