//! Conversions between floating-point formats, and to and from integers.
//!
//! To an integer, the host gives one value for everything it cannot represent, and raises invalid for it: that value takes the slow path.
//! Nothing may be rounded with the inexact exception before it is known to be in range, since out of range the guest's is invalid alone.

use super::super::asm::vop::VOp;
use super::super::asm::{Alu, Bit, Cc as X, L128, Label, Reg, Rm, Shift, Size, Unary, Xm, Xmm, vop};
use super::super::{SCRATCH, XSCRATCH};
use super::Emitter;
use super::cold::{Arg, Cold};
use super::float::{KEEP_LANE_0, is_native, is_plain, rounding};
use super::float_check::{Check, Guard, tiny, wanted};
use super::vector::splat;
use ir::{Env, Fmt, Lane, NanRule, Op, Round, Shape, Ty, Val};

/// In vround: no inexact exception; the rounding in force.
const QUIET: u8 = 8;
const IN_FORCE: u8 = 4;

impl Emitter<'_> {
    pub(super) fn float_convert(&mut self, v: Val) -> bool {
        match *self.r.op(v) {
            Op::FpCvt { from, to, lanes, env, v: a } if is_plain(env) && !env.alt_half => {
                self.between_formats(v, from, to, lanes, env, a)
            }
            Op::FpToInt { shape, env, signed, bits, fbits: 0, v: a } if is_native(shape.fmt) => {
                if shape.lanes == 0 {
                    self.scalar_to_int(v, shape.fmt, env, signed, bits, a)
                } else {
                    self.lanes_to_int(v, shape, env, signed, a)
                }
            }
            Op::FpFromInt { shape, env, signed, fbits, v: a } if is_native(shape.fmt) => {
                if shape.lanes == 0 {
                    self.int_to_scalar(v, shape.fmt, env, signed, fbits, a)
                } else {
                    self.int_to_lanes(v, shape, env, signed, fbits, a)
                }
            }
            Op::FpToIntJs(a) => self.scalar_to_int(v, Fmt::F64, Env::IEEE_ARM.round(Round::Zero), true, 32, a),
            _ => false,
        }
    }

    // ---- between formats ----

    fn between_formats(&mut self, v: Val, from: Fmt, to: Fmt, lanes: u8, env: Env, a: Val) -> bool {
        // A NaN operand gives the same NaN on both, but where all NaNs are to be the default.
        let nan = if env.nan.is_canonical() { Check::Nan } else { Check::Nothing };
        let shape = Shape { fmt: to, lanes };
        match (from, to, lanes) {
            (Fmt::F32, Fmt::F64, 0 | 2) => {
                self.save_for(nan, env);
                let ra = self.x(a);
                let (d, t, m) = self.fp_regs(v, &[Xm::Reg(ra)]);
                let u = self.guard_reg(env);
                let operand = Shape { fmt: from, lanes };
                let label = self.guard(operand, env, Guard::Operands, &[Xm::Reg(ra)], (t, m, u));
                if lanes == 0 {
                    let above = self.above(v, t, a, ra);
                    self.a.v3(vop::VCVTSS2SD, L128, t, above, ra);
                } else {
                    self.a.v2(vop::VCVTPS2PD, L128, t, ra);
                }
                self.fp_finish(v, shape, (nan, label), (d, t, m), &[Xm::Reg(ra)], true);
            }
            (Fmt::F64, Fmt::F32, 0 | 2) if env.round == self.rounding => {
                let check = wanted(env, if env.flush_in { Check::Nan } else { tiny(env) });
                self.save_for(check, env);
                let ra = self.x(a);
                let (d, t, m) = self.fp_regs(v, &[Xm::Reg(ra)]);
                let u = self.guard_reg(env);
                let operand = Shape { fmt: from, lanes };
                // The smallest normal single, as a double's exponent; one more, for that may be one too few.
                let label = self.guard(operand, env, Guard::Least(1023 - 126 + 1), &[Xm::Reg(ra)], (t, m, u));
                if lanes == 0 {
                    // The old value would stay above, and its upper half is not zero: the same register, zeroed, breaks that.
                    self.a.vzero(t);
                    self.a.v3(vop::VCVTSD2SS, L128, t, t, ra);
                } else {
                    self.a.v2(vop::VCVTPD2PS, L128, t, ra);
                }
                self.fp_finish(v, shape, (check, label), (d, t, m), &[Xm::Reg(ra)], true);
            }
            (Fmt::F16, Fmt::F32, 0 | 4) if !env.flush_in => {
                self.save_for(nan, env);
                let ra = self.x(a);
                let (d, t, m) = self.fp_regs(v, &[Xm::Reg(ra)]);
                if lanes == 0 {
                    // What stands above may be a signalling NaN.
                    let low = self.pool(0xffff);
                    self.a.v3(vop::VPAND, L128, t, ra, low);
                    self.a.v2(vop::VCVTPH2PS, L128, t, t);
                } else {
                    self.a.v2(vop::VCVTPH2PS, L128, t, ra);
                }
                self.fp_finish(v, shape, (nan, None), (d, t, m), &[Xm::Reg(ra)], true);
            }
            _ => return false,
        }
        true
    }

    pub(super) fn save_for(&mut self, check: Check, env: Env) {
        if !matches!(check, Check::Nothing | Check::Trapped) || env.flush_in {
            self.clobber();
        }
    }

    // ---- to integers ----

    fn scalar_to_int(&mut self, v: Val, fmt: Fmt, env: Env, signed: bool, bits: u8, a: Val) -> bool {
        let round = env.round;
        // Truncation has an instruction; the rounding in force too.
        let in_force = round == self.rounding;
        let truncate = round == Round::Zero;
        let away = round == Round::NearestAway;
        let mode = rounding(round).unwrap_or(3);
        if bits == 16 || round == Round::Odd {
            return false;
        }
        let double = fmt == Fmt::F64;
        if env.nan == NanRule::X86 && !env.flush_in && signed && (truncate || in_force) {
            // The host's own, out of range too.
            let ma = self.xm(a);
            let d = self.def(v, None);
            self.a.v2(conversion(double, bits == 64, truncate), L128, d, ma);
            return true;
        }
        self.clobber();
        let ra = self.x(a);
        // Registers are found before the first branch: both ways must agree on them.
        let d = self.def(v, None);
        let work = if away { (self.xtemp(), self.xtemp()) } else { (XSCRATCH, self.guard_reg(env)) };
        let regs = (XSCRATCH, work.0, work.1);
        let label = self.guard(Shape::scalar(fmt), env, Guard::Operands, &[Xm::Reg(ra)], regs);
        let label = label.unwrap_or_else(|| self.a.label());
        let size = match (signed, bits) {
            (true, 32) => Size::D,
            _ => Size::Q,
        };
        // Of unsigned numbers of 64 bits the upper half is as usual.
        let upper = (!signed && bits == 64 && !env.flush_in).then(|| self.a.label());
        if !signed {
            self.below_unsigned_limit(fmt, bits, ra, upper.unwrap_or(label));
        }
        let direct = truncate || in_force;
        let mut from = ra;
        // The singles out of an integer's range, and the doubles out of a 64-bit one's, are integers: rounding them raises nothing.
        let may_be_inexact_beyond = double && bits == 32 && signed;
        if away {
            self.ties_away(Shape::scalar(fmt), regs, ra, label);
            from = XSCRATCH;
        } else if !direct {
            let imm = mode | if may_be_inexact_beyond { QUIET } else { 0 };
            self.a.v3i(if double { vop::VROUNDSD } else { vop::VROUNDSS }, L128, XSCRATCH, ra, ra, imm);
            from = XSCRATCH;
        }
        self.a.v2(conversion(double, size == Size::Q, truncate || !in_force), L128, d, from);
        let wraps = matches!(self.r.op(v), Op::FpToIntJs(_));
        let saturates = direct && !away && !wraps && env.nan != NanRule::X86;
        let beyond = if saturates { self.a.label() } else { label };
        if signed {
            // Only the most negative number less one overflows.
            self.a.alu_i(Alu::Cmp, size, d, 1);
            self.a.jcc(X::O, beyond);
        }
        if away || signed && !direct && may_be_inexact_beyond {
            // In range: the inexact exception that is due.
            self.a.v3i(if double { vop::VROUNDSD } else { vop::VROUNDSS }, L128, XSCRATCH, ra, ra, mode);
        }
        let back = self.a.label_here();
        if signed && saturates {
            let nan_is_zero = env.nan != NanRule::RiscV;
            self.cold.push(Cold::Saturate { label: beyond, back, fmt, a: ra, to: d, size, nan_is_zero });
        }
        if let Some(upper) = upper {
            self.cold.push(Cold::UpperHalf { label: upper, back, fmt, a: ra, to: d, slow: label });
        }
        if !signed || !saturates || env.flush_in {
            self.cold_eval(v, label, back, &[Xm::Reg(ra)], Arg::Reg(d));
        }
        true
    }

    /// What a conversion out of range gives where the host's has given the most negative number (see [`Cold::Saturate`]).
    pub(super) fn saturate(&mut self, fmt: Fmt, a: Xmm, to: (Reg, Size), nan_is_zero: bool, back: Label) {
        let (to, size) = to;
        let (greatest, number) = (self.a.label(), self.a.label());
        self.a.v3(vop::VXORPS, L128, XSCRATCH, XSCRATCH, XSCRATCH);
        self.a.v2(if fmt == Fmt::F64 { vop::VUCOMISD } else { vop::VUCOMISS }, L128, a, XSCRATCH);
        if nan_is_zero {
            self.a.jcc(X::Np, number);
            self.a.mov_ri(to, 0);
            self.a.jmp(back);
            self.a.bind(number);
        } else {
            self.a.jcc(X::P, greatest);
        }
        self.a.jcc(X::B, back);
        self.a.bind(greatest);
        self.a.unary(Unary::Not, size, to);
        self.a.jmp(back);
    }

    /// A number from 2^63 on and below 2^64, which is an integer, to an unsigned one; others go on to `slow`.
    pub(super) fn upper_half(&mut self, fmt: Fmt, a: Xmm, to: Reg, slow: Label) {
        let double = fmt == Fmt::F64;
        let [least, beyond] = if double { [0x43e0 << 48, 0x43f0 << 48] } else { [0x5f00_0000, 0x5f80_0000] };
        let [least, beyond] = [least, beyond].map(|bits| self.fmt_const(fmt, bits));
        let compare = if double { vop::VUCOMISD } else { vop::VUCOMISS };
        self.a.v2(compare, L128, a, least);
        // Below, or a NaN.
        self.a.jcc(X::B, slow);
        self.a.v2(compare, L128, a, beyond);
        self.a.jcc(X::Ae, slow);
        self.a.v3(if double { vop::VSUBSD } else { vop::VSUBSS }, L128, XSCRATCH, a, least);
        self.a.v2(conversion(double, true, true), L128, to, XSCRATCH);
        self.a.bit_i(Bit::Btc, Size::Q, to, 63);
    }

    /// The label of the slow path, for a subnormal operand where those are flushed.
    fn guard_operand(&mut self, shape: Shape, env: Env, a: Xmm, t: Xmm, m: Xmm) -> Label {
        let u = self.guard_reg(env);
        let guarded = self.guard(shape, env, Guard::Operands, &[Xm::Reg(a)], (t, m, u));
        guarded.unwrap_or_else(|| self.a.label())
    }

    /// To the label unless the number is not negative and surely below the limit after any rounding: compared as bits. Doubles below 2^63
    /// and all singles that large are integers already.
    fn below_unsigned_limit(&mut self, fmt: Fmt, bits: u8, x: Xmm, label: Label) {
        let limit = match (fmt, bits) {
            (Fmt::F32, 32) => 0x4f80_0000,
            (Fmt::F32, _) => 0x5f00_0000,
            // The upper halves of 2^32 - 2048 and 2^63.
            (_, 32) => 0x41ef_ffff,
            _ => 0x43e0_0000,
        };
        if fmt == Fmt::F32 {
            self.a.vst(vop::VMOVD_ST, L128, SCRATCH, x);
        } else {
            self.a.vst(vop::VMOVQ_GST, L128, SCRATCH, x);
            self.a.shift_i(Shift::Shr, Size::Q, SCRATCH, 32);
        }
        self.a.alu_i(Alu::Cmp, Size::D, SCRATCH, limit);
        self.a.jcc(X::Ae, label);
    }

    fn lanes_to_int(&mut self, v: Val, shape: Shape, env: Env, signed: bool, a: Val) -> bool {
        if shape.fmt != Fmt::F32 {
            return self.double_lanes_to_int(v, shape, env, signed, a);
        }
        let round = env.round;
        let in_force = round == self.rounding;
        let away = round == Round::NearestAway && shape.lanes == 4 && !env.flush_in;
        let Some(mode) = rounding(round).or(away.then_some(IN_FORCE)) else { return false };
        self.clobber();
        let ra = self.x(a);
        let d = self.xdest(v);
        let (t, m) = if d == ra { (XSCRATCH, self.xtemp()) } else { (d, XSCRATCH) };
        let u = if away { self.xtemp() } else { XSCRATCH };
        let label = self.guard_operand(shape, env, ra, t, m);
        let mut from = ra;
        if shape.lanes < 4 {
            self.low_lanes_of(shape, t, ra);
            from = t;
        }
        if !signed {
            // Negative, or 2^31 and more, as bits.
            let most = self.pool(splat(Lane::S, 0x4eff_ffff));
            self.a.v2(vop::VMOVDQU, L128, m, most);
            self.a.v3(vop::VPSUBD, L128, m, m, from);
            self.a.v3(vop::VPOR, L128, m, m, from);
            self.jump_if_any(m, label);
        }
        let truncate = round == Round::Zero;
        if truncate || in_force {
            self.a.v2(if truncate { vop::VCVTTPS2DQ } else { vop::VCVTPS2DQ }, L128, t, from);
        } else if away {
            self.ties_away(shape, (t, m, u), from, label);
            // What was no integer is inexact.
            self.a.v2i(vop::VROUNDPS, L128, m, from, mode);
            self.a.v2(vop::VCVTTPS2DQ, L128, t, t);
        } else {
            self.a.v2i(vop::VROUNDPS, L128, t, from, mode);
            self.a.v2(vop::VCVTTPS2DQ, L128, t, t);
        }
        if signed && (env.nan != NanRule::X86 || env.flush_in) {
            let least = self.pool(splat(Lane::S, 1 << 31));
            self.a.v3(vop::VPCMPEQD, L128, m, t, least);
            self.jump_if_any(m, label);
        }
        if t != d {
            self.a.vmov(L128, d, t);
        }
        let back = self.a.label_here();
        self.cold_eval(v, label, back, &[Xm::Reg(ra)], Arg::Xmm(d));
        true
    }

    /// The lanes that count, zero above: zeros convert to zeros.
    fn low_lanes_of(&mut self, shape: Shape, to: Xmm, from: Xmm) {
        match shape.lanes {
            1 => self.a.v3i(vop::VINSERTPS, L128, to, from, from, KEEP_LANE_0),
            2 => self.a.v2(vop::VMOVQ, L128, to, from),
            _ => self.fp_move(shape, to, from),
        }
    }

    /// One lane after the other.
    fn double_lanes_to_int(&mut self, v: Val, shape: Shape, env: Env, signed: bool, a: Val) -> bool {
        let round = env.round;
        let in_force = round == self.rounding;
        // Without a sign it is known lane by lane what is in range.
        let away = round == Round::NearestAway && shape.lanes == 2 && signed && !env.flush_in;
        let truncate = round == Round::Zero || away;
        let Some(mode) = rounding(round).or(away.then_some(IN_FORCE)) else { return false };
        self.clobber();
        let ra = self.x(a);
        let g = self.temp();
        let d = self.xdest(v);
        let mut w = self.xwork(d, &[Xm::Reg(ra)]);
        let u = if away { self.xtemp() } else { XSCRATCH };
        let label = self.guard_operand(shape, env, ra, XSCRATCH, w);
        let mut source = ra;
        if away {
            self.ties_away(shape, (w, XSCRATCH, u), ra, label);
            // What was no integer is inexact.
            self.a.v2i(vop::VROUNDPD, L128, XSCRATCH, ra, mode);
            (source, w) = (w, u);
        }
        for lane in 0..shape.lanes {
            let mut from = source;
            if lane > 0 {
                self.a.v2i(vop::VPSHUFD, L128, XSCRATCH, source, 0xee);
                from = XSCRATCH;
            }
            if !signed {
                self.below_unsigned_limit(Fmt::F64, 64, from, label);
            }
            if !truncate && !in_force {
                self.a.v3i(vop::VROUNDSD, L128, XSCRATCH, from, from, mode);
                from = XSCRATCH;
            }
            self.a.v2(if in_force && !truncate { vop::VCVTSD2SI_Q } else { vop::VCVTTSD2SI_Q }, L128, g, from);
            if signed {
                self.a.alu_i(Alu::Cmp, Size::Q, g, 1);
                self.a.jcc(X::O, label);
            }
            if lane == 0 {
                self.a.v2(vop::VMOVQ_G, L128, w, g);
            } else {
                self.a.v3i(vop::VPINSRQ, L128, w, w, g, 1);
            }
        }
        if w != d {
            self.a.vmov(L128, d, w);
        }
        let back = self.a.label_here();
        self.cold_eval(v, label, back, &[Xm::Reg(ra)], Arg::Xmm(d));
        true
    }

    // ---- from integers ----

    fn int_to_scalar(&mut self, v: Val, fmt: Fmt, env: Env, signed: bool, fbits: u8, a: Val) -> bool {
        let wide = self.r.ty(a) == Ty::I64;
        if !matches!(self.r.ty(a), Ty::I32 | Ty::I64) {
            return false;
        }
        // Under another rounding than that in force only those that need none.
        let small = (fmt == Fmt::F32 || wide) && env.round != self.rounding;
        let half = wide && !signed && !small;
        if half || small {
            self.clobber();
        }
        let r = self.reg(a);
        let d = self.xdef(v, None);
        let label = self.a.label();
        let mut from = r;
        if small {
            self.within_precision(fmt, (r, if wide { Size::Q } else { Size::D }), signed, label);
        } else if half {
            // 2^63 and more: slowly.
            self.a.test(Size::Q, r, r);
            self.a.jcc(X::S, label);
        }
        if !wide && !signed {
            self.a.mov(Size::D, SCRATCH, r);
            from = SCRATCH;
        }
        self.int_to_float(d, fmt, wide || !signed, from);
        self.scale(Shape::scalar(fmt), d, fbits);
        if half || small {
            let back = self.a.label_here();
            self.cold.push(super::cold::Cold::Eval {
                label,
                back,
                v,
                args: vec![Arg::Reg(r)],
                to: Arg::Xmm(d),
                keep: false,
            });
        }
        true
    }

    /// To the label if the integer has more bits than the format has for its significand. Takes scratch.
    fn within_precision(&mut self, fmt: Fmt, (r, size): (Reg, Size), signed: bool, label: Label) {
        let bits = if fmt == Fmt::F64 { 53 } else { 24 };
        self.a.mov(size, SCRATCH, r);
        if signed {
            // All that is above is as the sign.
            self.a.shift_i(Shift::Sar, size, SCRATCH, bits);
            self.a.alu_i(Alu::Add, size, SCRATCH, 1);
            self.a.alu_i(Alu::Cmp, size, SCRATCH, 1);
            self.a.jcc(X::A, label);
        } else {
            self.a.shift_i(Shift::Shr, size, SCRATCH, bits);
            self.a.jcc(X::Ne, label);
        }
    }

    fn int_to_float(&mut self, d: Xmm, fmt: Fmt, wide: bool, from: Reg) {
        let op = match (fmt, wide) {
            (Fmt::F32, false) => vop::VCVTSI2SS_D,
            (Fmt::F32, true) => vop::VCVTSI2SS_Q,
            (_, false) => vop::VCVTSI2SD_D,
            (_, true) => vop::VCVTSI2SD_Q,
        };
        // The instruction keeps the upper lanes: it would wait for them.
        self.a.vzero(d);
        self.a.v3(op, L128, d, d, Rm::Reg(from));
    }

    /// Times 2^-fbits, which is exact: the integer is 0 or at least 1.
    fn scale(&mut self, shape: Shape, d: Xmm, fbits: u8) {
        if fbits == 0 {
            return;
        }
        let n = u64::from(fbits);
        let (op, factor) = match (shape.fmt, shape.lanes > 1) {
            (Fmt::F32, false) => (vop::VMULSS, splat(Lane::S, (127 - n) << 23)),
            (Fmt::F32, true) => (vop::VMULPS, splat(Lane::S, (127 - n) << 23)),
            (_, false) => (vop::VMULSD, splat(Lane::D, (1023 - n) << 52)),
            (_, true) => (vop::VMULPD, splat(Lane::D, (1023 - n) << 52)),
        };
        let factor = self.pool(factor);
        self.a.v3(op, L128, d, d, factor);
    }

    fn int_to_lanes(&mut self, v: Val, shape: Shape, env: Env, signed: bool, fbits: u8, a: Val) -> bool {
        if env.round != self.rounding {
            return false;
        }
        if shape.fmt == Fmt::F64 {
            return signed && self.int_to_double_lanes(v, shape, fbits, a);
        }
        let ra = self.x(a);
        let d = self.xdest(v);
        let t = if d == ra { self.xtemp() } else { d };
        let mut from = ra;
        if shape.lanes < 4 {
            self.low_lanes_of(shape, t, ra);
            from = t;
        }
        if signed {
            self.a.v2(vop::VCVTDQ2PS, L128, t, from);
        } else {
            // The halves as 2^23 + low and 2^39 + 2^16 * high; what is too much is taken from the second, exactly, and their sum is
            // rounded once. It is -0 for 0 when rounding down: the sign goes.
            let low = self.pool(splat(Lane::S, 0x4b00_0000));
            let high = self.pool(splat(Lane::S, 0x5300_0000));
            let excess = self.pool(splat(Lane::S, 0x5300_0080));
            let magnitude = self.pool(splat(Lane::S, 0x7fff_ffff));
            self.a.vshift_i(vop::VPSRLD_I, L128, XSCRATCH, from, 16);
            self.a.v3i(vop::VPBLENDW, L128, XSCRATCH, XSCRATCH, high, 0xaa);
            self.a.v3(vop::VSUBPS, L128, XSCRATCH, XSCRATCH, excess);
            self.a.v3i(vop::VPBLENDW, L128, t, from, low, 0xaa);
            self.a.v3(vop::VADDPS, L128, t, t, XSCRATCH);
            self.a.v3(vop::VANDPS, L128, t, t, magnitude);
        }
        self.scale(shape, t, fbits);
        if t != d {
            self.a.vmov(L128, d, t);
        }
        true
    }

    fn int_to_double_lanes(&mut self, v: Val, shape: Shape, fbits: u8, a: Val) -> bool {
        let ra = self.x(a);
        let d = self.xdest(v);
        let t = if d == ra { self.xtemp() } else { d };
        self.a.vst(vop::VMOVQ_GST, L128, SCRATCH, ra);
        self.int_to_float(XSCRATCH, Fmt::F64, true, SCRATCH);
        if shape.lanes > 1 {
            self.a.vsti(vop::VPEXTRQ_ST, L128, SCRATCH, ra, 1);
            self.int_to_float(t, Fmt::F64, true, SCRATCH);
            self.a.v3(vop::VPUNPCKLQDQ, L128, t, XSCRATCH, t);
        } else {
            self.a.v2(vop::VMOVQ, L128, t, XSCRATCH);
        }
        self.scale(shape, t, fbits);
        if t != d {
            self.a.vmov(L128, d, t);
        }
        true
    }
}

/// The instruction that makes an integer of a scalar.
fn conversion(double: bool, wide: bool, truncate: bool) -> VOp {
    match (double, wide, truncate) {
        (true, true, true) => vop::VCVTTSD2SI_Q,
        (true, false, true) => vop::VCVTTSD2SI_D,
        (false, true, true) => vop::VCVTTSS2SI_Q,
        (false, false, true) => vop::VCVTTSS2SI_D,
        (true, true, false) => vop::VCVTSD2SI_Q,
        (true, false, false) => vop::VCVTSD2SI_D,
        (false, true, false) => vop::VCVTSS2SI_Q,
        (false, false, false) => vop::VCVTSS2SI_D,
    }
}
