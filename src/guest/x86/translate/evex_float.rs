//! EVEX: floating point that neither SSE nor AVX has. Conversions from and to unsigned and 64-bit integers are operations of the IR; the rest are helpers
//! (`evex_special.rs`).

use super::Cx;
use super::evex_special::{self as special, DOUBLE, Of, SINGLE};
use super::sse_float::{PD, PS, SD, SS};
use super::vector::last;
use crate::insn::{Row, rows as all_rows};
use iced_x86::{Instruction, OpKind};
use ir::{Env, Fmt, Frame, Helper, Lane, Round, Shape, Touches, Ty, V1, V2, Val, fpflag};

/// What writes no vector or has a row in VEX that is another.
pub(crate) mod scalar {
    use super::*;
    use crate::insn::rows;

    rows! {
        Vcvtss2usi => to_general(Fmt::F32, false);
        Vcvtsd2usi => to_general(Fmt::F64, false);
        Vcvttss2usi => to_general(Fmt::F32, true);
        Vcvttsd2usi => to_general(Fmt::F64, true);
        Vcvtusi2ss => from_general(Fmt::F32);
        Vcvtusi2sd => from_general(Fmt::F64);
    }
}

/// What looks at all pieces.
pub(crate) mod whole {
    use super::*;
    use crate::insn::rows;

    rows! {
        Vcvtps2ph => to_half_precision();
    }
}

all_rows! {
    Vcvtps2udq => lanes_from(Fmt::F32, Lane::S, false, false);
    Vcvttps2udq => lanes_from(Fmt::F32, Lane::S, false, true);
    Vcvtpd2udq => lanes_from(Fmt::F64, Lane::S, false, false);
    Vcvttpd2udq => lanes_from(Fmt::F64, Lane::S, false, true);
    Vcvtpd2qq => lanes_from(Fmt::F64, Lane::D, true, false);
    Vcvttpd2qq => lanes_from(Fmt::F64, Lane::D, true, true);
    Vcvtpd2uqq => lanes_from(Fmt::F64, Lane::D, false, false);
    Vcvttpd2uqq => lanes_from(Fmt::F64, Lane::D, false, true);
    Vcvtps2qq => lanes_from(Fmt::F32, Lane::D, true, false);
    Vcvttps2qq => lanes_from(Fmt::F32, Lane::D, true, true);
    Vcvtps2uqq => lanes_from(Fmt::F32, Lane::D, false, false);
    Vcvttps2uqq => lanes_from(Fmt::F32, Lane::D, false, true);
    Vcvtudq2ps => from_lanes(PS, false);
    Vcvtqq2pd => from_lanes(PD, true);
    Vcvtuqq2pd => from_lanes(PD, false);
    Vcvtudq2pd => doubles_from_lanes();
    Vcvtqq2ps => singles_from_doubles(true);
    Vcvtuqq2ps => singles_from_doubles(false);
    Vrndscaleps => by_helper(&ROUND_SCALE, PS, 1);
    Vrndscalepd => by_helper(&ROUND_SCALE, PD, 1);
    Vrndscaless => by_helper(&ROUND_SCALE, SS, 1);
    Vrndscalesd => by_helper(&ROUND_SCALE, SD, 1);
    Vreduceps => by_helper(&REDUCE, PS, 1);
    Vreducepd => by_helper(&REDUCE, PD, 1);
    Vreducess => by_helper(&REDUCE, SS, 1);
    Vreducesd => by_helper(&REDUCE, SD, 1);
    Vgetexpps => by_helper(&EXPONENT, PS, 1);
    Vgetexppd => by_helper(&EXPONENT, PD, 1);
    Vgetexpss => by_helper(&EXPONENT, SS, 1);
    Vgetexpsd => by_helper(&EXPONENT, SD, 1);
    Vgetmantps => by_helper(&MANTISSA, PS, 1);
    Vgetmantpd => by_helper(&MANTISSA, PD, 1);
    Vgetmantss => by_helper(&MANTISSA, SS, 1);
    Vgetmantsd => by_helper(&MANTISSA, SD, 1);
    Vrcp14ps => by_helper(&RECIPROCAL, PS, 1);
    Vrcp14pd => by_helper(&RECIPROCAL, PD, 1);
    Vrcp14ss => by_helper(&RECIPROCAL, SS, 1);
    Vrcp14sd => by_helper(&RECIPROCAL, SD, 1);
    Vrsqrt14ps => by_helper(&RECIPROCAL_ROOT, PS, 1);
    Vrsqrt14pd => by_helper(&RECIPROCAL_ROOT, PD, 1);
    Vrsqrt14ss => by_helper(&RECIPROCAL_ROOT, SS, 1);
    Vrsqrt14sd => by_helper(&RECIPROCAL_ROOT, SD, 1);
    Vscalefps => by_helper(&SCALE, PS, 2);
    Vscalefpd => by_helper(&SCALE, PD, 2);
    Vscalefss => by_helper(&SCALE, SS, 2);
    Vscalefsd => by_helper(&SCALE, SD, 2);
    Vrangeps => by_helper(&RANGE, PS, 2);
    Vrangepd => by_helper(&RANGE, PD, 2);
    Vrangess => by_helper(&RANGE, SS, 2);
    Vrangesd => by_helper(&RANGE, SD, 2);
    Vfixupimmps => by_helper(&FIXUP, PS, 3);
    Vfixupimmpd => by_helper(&FIXUP, PD, 3);
    Vfixupimmss => by_helper(&FIXUP, SS, 3);
    Vfixupimmsd => by_helper(&FIXUP, SD, 3);
    Vfpclassps => class(PS);
    Vfpclasspd => class(PD);
    Vfpclassss => class(SS);
    Vfpclasssd => class(SD);
}

const _: &[&[Row]] = &[ROWS, scalar::ROWS];

fn rounded(cx: &Cx, truncate: bool) -> Env {
    let env = cx.env();
    if truncate { env.round(Round::Zero) } else { env }
}

fn to_general(cx: &mut Cx, i: &Instruction, fmt: Fmt, truncate: bool) {
    let (v, env) = (cx.fp(i, Shape::scalar(fmt)), rounded(cx, truncate));
    let v = cx.without_denormal(|cx| cx.b.fp_to_int(fmt, env, false, Ty::int(i.op0_register().size()), 0, v));
    cx.set_reg(i.op0_register(), v);
}

impl Cx<'_> {
    /// A conversion to a number of 64 bits without sign, of which the host makes several operations: no denormal operand is told of.
    fn without_denormal<T>(&mut self, convert: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.b.fp_flags();
        let v = convert(self);
        let after = self.b.fp_flags();
        let before = self.b.and_imm(before, fpflag::INPUT_DENORMAL.into());
        let after = self.b.and_imm(after, (!fpflag::INPUT_DENORMAL).into());
        let flags = self.b.or(before, after);
        self.b.set_fp_flags(flags);
        v
    }
}

fn from_general(cx: &mut Cx, i: &Instruction, fmt: Fmt) {
    let v = cx.read(i, last(i));
    let v = cx.b.fp_from_int(Shape::scalar(fmt), cx.env(), false, 0, v);
    cx.set_fp(i, Shape::scalar(fmt), v);
}

/// Integers of lanes as wide, or half or twice as wide: then one after the other.
fn lanes_from(cx: &mut Cx, i: &Instruction, fmt: Fmt, to: Lane, signed: bool, truncate: bool) {
    let env = rounded(cx, truncate);
    if fmt.lane() == to {
        let shape = if fmt == Fmt::F32 { PS } else { PD };
        let v = cx.source(i, 16);
        let v = cx.live(to, shape.lanes.into(), v);
        let convert = |cx: &mut Cx| cx.b.fp_to_int_lanes(shape, env, signed, 0, v);
        let v = if signed || to != Lane::D { convert(cx) } else { cx.without_denormal(convert) };
        return cx.set_vector(i, v);
    }
    let v = if fmt == Fmt::F32 { cx.narrow(i, 8) } else { cx.source(i, 16) };
    let v = cx.live(fmt.lane(), 2, v);
    let convert = |cx: &mut Cx| {
        [0, 1].map(|n| {
            let lane = cx.b.vget(fmt.ty(), v, n);
            let v = cx.b.fp_to_int(fmt, env, signed, to.ty(), 0, lane);
            cx.b.v_from_scalar(v)
        })
    };
    let parts = if signed || to != Lane::D { convert(cx) } else { cx.without_denormal(convert) };
    let v = cx.b.v2(V2::ZipLo, to, parts[0], parts[1]);
    cx.set_vector(i, v);
}

fn from_lanes(cx: &mut Cx, i: &Instruction, shape: Shape, signed: bool) {
    let v = cx.source(i, 16);
    let v = cx.live(shape.fmt.lane(), shape.lanes.into(), v);
    let v = cx.b.fp_from_int(shape, cx.env(), signed, 0, v);
    cx.set_vector(i, v);
}

fn doubles_from_lanes(cx: &mut Cx, i: &Instruction) {
    let v = cx.narrow(i, 8);
    let v = cx.b.v1(V1::WidenU, Lane::S, v);
    let v = cx.b.fp_from_int(PD, cx.env(), true, 0, v);
    cx.set_vector(i, v);
}

fn singles_from_doubles(cx: &mut Cx, i: &Instruction, signed: bool) {
    let v = cx.source(i, 16);
    let v = cx.live(Lane::D, 2, v);
    let parts: [Val; 2] = [0, 1].map(|n| {
        let lane = cx.b.vget(Ty::I64, v, n);
        let v = cx.b.fp_from_int(SS, cx.env(), signed, 0, lane);
        cx.b.v_from_scalar(v)
    });
    let v = cx.b.v2(V2::ZipLo, Lane::S, parts[0], parts[1]);
    cx.set_vector(i, v);
}

/// Bit 2 of the constant: rounded as MXCSR has it. Its results are half as wide.
fn to_half_precision(cx: &mut Cx, i: &Instruction) {
    let sources = cx.whole_source(i, 1);
    let count = i.op1_register().size() / 16;
    let imm = u32::from(i.immediate8());
    let round = if imm & 4 != 0 { cx.env().round } else { crate::state::rounding(imm) };
    let env = Env { flush_out: false, ..cx.env().round(round) };
    let before = cx.b.fp_flags();
    let mask = cx.mask(i);
    let mut results = [Val::NONE; 4];
    for (n, v) in sources.into_iter().enumerate().take(count) {
        let v = match mask {
            Some(mask) => {
                let live = cx.lanes_of(mask, Lane::S, 4 * n as u32, 4);
                cx.b.v2(V2::And, Lane::S, v, live)
            }
            None => v,
        };
        results[n] = cx.b.fp_cvt_lanes(Fmt::F32, Fmt::F16, 4, env, v);
    }
    let after = if i.suppress_all_exceptions() { before } else { cx.b.fp_flags() };
    let results = if count == 1 { results } else { cx.joined(results, 8 * count) };
    let evex = cx.evex(i, Lane::H, if count == 1 { 4 } else { 8 });
    // A store that faults has raised nothing.
    cx.b.set_fp_flags(before);
    if i.op0_kind() == OpKind::Register {
        cx.deliver(i, results, evex);
        return cx.b.set_fp_flags(after);
    }
    if mask.is_none() {
        cx.store_pieces(i, results, evex);
        return cx.b.set_fp_flags(after);
    }
    // Values do not last beyond the blocks of a masked store.
    let kept = cx.b.zext(Ty::I64, after);
    cx.b.set(crate::state::XSTATE, kept);
    cx.store_pieces(i, results, evex);
    let after = cx.b.get(crate::state::XSTATE);
    let after = cx.b.trunc(Ty::I32, after);
    cx.b.set_fp_flags(after);
}

// ---- by helpers ----

/// Whether a helper computes in floating point, and raises what that raises.
pub(super) fn raises(helper: &Helper) -> bool {
    helper.name.starts_with("evex_fp_")
}

const fn function(name: &'static str, run: fn(&mut Frame<'_>)) -> Helper {
    Helper { name, run, touches: Touches::Nothing, can_exit: false, pure: false }
}

static ROUND_SCALE: Helper = function("evex_fp_round_scale", |f| each(f, special::round_scale));
static REDUCE: Helper = function("evex_fp_reduce", |f| each(f, special::reduce));
static EXPONENT: Helper = function("evex_fp_exponent", |f| each(f, special::exponent));
static MANTISSA: Helper = function("evex_fp_mantissa", |f| each(f, special::mantissa));
static SCALE: Helper = function("evex_fp_scale", |f| each(f, special::scale));
static RANGE: Helper = function("evex_fp_range", |f| each(f, special::range));
static FIXUP: Helper = function("evex_fp_fixup", |f| each(f, special::fixup));
static CLASS: Helper = Helper { pure: true, ..function("evex_class", |f| each(f, special::class)) };
static RECIPROCAL: Helper = Helper { pure: true, ..function("evex_reciprocal", |f| each(f, special::reciprocal)) };
static RECIPROCAL_ROOT: Helper =
    Helper { pure: true, ..function("evex_reciprocal_root", |f| each(f, special::reciprocal_root)) };

// What the last argument of these helpers says.
const DOUBLES: u32 = 1;
const LOWEST: u32 = 2;
const FLUSH_IN: u32 = 4;
const FLUSH_OUT: u32 = 8;
const UNMASKED: u32 = 16;
const ROUND: u32 = 5;
const CONSTANT: u32 = 8;

/// Each lane, or the lowest. (Lanes that are not chosen are zero, or what raises as little.)
fn each(f: &mut Frame<'_>, of: Of) {
    let how = f.args[3] as u32;
    let l = if how & DOUBLES != 0 { DOUBLE } else { SINGLE };
    let round = [softfloat::Round::NearestEven, softfloat::Round::Down, softfloat::Round::Up, softfloat::Round::Zero];
    let mut env = softfloat::Env {
        round: round[(how >> ROUND) as usize & 3],
        flush_in: how & FLUSH_IN != 0,
        flush_out: how & FLUSH_OUT != 0,
        unmasked: how & UNMASKED != 0,
        ..softfloat::Env::X86
    };
    let bits = l.bits();
    let mask = u64::MAX >> (64 - bits);
    let count = if how & LOWEST != 0 { 1 } else { 128 / bits };
    let mut all = 0;
    for n in 0..count {
        let lane = |v: u128| (v >> (n * bits)) as u64 & mask;
        let v = of(l, [lane(f.args[0]), lane(f.args[1]), lane(f.args[2])], how >> CONSTANT, &mut env) & mask;
        all |= u128::from(v) << (n * bits);
    }
    f.ret = all;
    f.fp_flags |= u32::from(env.flags.bits());
}

fn how(cx: &mut Cx, i: &Instruction, shape: Shape) -> Val {
    let env = cx.env();
    let bit = |holds: bool, bit: u32| if holds { bit } else { 0 };
    let round = match env.round {
        Round::Down => 1,
        Round::Up => 2,
        Round::Zero => 3,
        _ => 0,
    };
    let has_constant = i.op_kind(i.op_count() - 1) == OpKind::Immediate8;
    let imm = if has_constant { u32::from(i.immediate8()) } else { 0 };
    cx.b.i32(
        bit(shape.fmt == Fmt::F64, DOUBLES)
            | bit(shape.lanes == 0, LOWEST)
            | bit(env.flush_in, FLUSH_IN)
            | bit(env.flush_out, FLUSH_OUT)
            | bit(env.unmasked, UNMASKED)
            | round << ROUND
            | imm << CONSTANT,
    )
}

/// Of one source, of two, or of the result's old value and two.
fn by_helper(cx: &mut Cx, i: &Instruction, helper: &'static Helper, shape: Shape, sources: u32) {
    let (lane, lanes) = (shape.fmt.lane(), u32::from(shape.lanes).max(1));
    let b = if shape.lanes > 0 { cx.source(i, 16) } else { cx.fp_low(i, shape.fmt) };
    let zero = cx.b.v128(0);
    let args = match sources {
        1 => [cx.live(lane, lanes, b), zero, zero],
        2 => {
            let a = cx.first(i);
            [cx.live(lane, lanes, a), cx.live(lane, lanes, b), zero]
        }
        _ => {
            // A positive number raises nothing, whatever the table has.
            let (old, a) = (cx.of_half(i.op0_register()), cx.first(i));
            let two = if lane == Lane::S {
                0x4000_0000_4000_0000_4000_0000_4000_0000
            } else {
                0x4000_0000_0000_0000_4000_0000_0000_0000
            };
            [old, cx.live_or(lane, lanes, a, two), b]
        }
    };
    let how = how(cx, i, shape);
    let v = cx.b.call(helper, Ty::V128, &[args[0], args[1], args[2], how]);
    if shape.lanes > 0 {
        return cx.set_vector(i, v);
    }
    let v = cx.b.vget(shape.fmt.ty(), v, 0);
    if sources == 3 {
        // What stands above is the first source's.
        let old = cx.first(i);
        let v = cx.b.vset(lane, old, v, 0);
        return cx.set_vector(i, v);
    }
    cx.set_fp(i, shape, v);
}

fn class(cx: &mut Cx, i: &Instruction, shape: Shape) {
    let v = cx.source(i, if shape.lanes == 0 { shape.fmt.lane().bytes() } else { 16 });
    let (how, zero) = (how(cx, i, shape), cx.b.v128(0));
    let v = cx.b.call(&CLASS, Ty::V128, &[v, zero, zero, how]);
    cx.set_vector(i, v);
}
