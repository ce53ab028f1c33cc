//! V's floating-point arithmetic, element by element (chapter 13). Where elements are inactive, their operands are 1, which raises nothing.

use super::vector::{Group, Source, form};
use super::vector_integer::{Width, copy, groups, merge, to_mask};
use super::vector_lanes::{self as lanes};
use super::{Cx, rows};
use crate::features::ZVFH;
use crate::insn::*;
use crate::state::Vector;
use ir::{Env, Fmt, Fp1, Fp2, FpCc, Helper, Lane, NanRule, Round, Shape, Ty, V1, V2, V3, Val};

/// The format of elements; bytes have none.
pub(super) fn format(lane: Lane) -> Fmt {
    match lane {
        Lane::S => Fmt::F32,
        Lane::D => Fmt::F64,
        Lane::B | Lane::H => Fmt::F16,
    }
}

/// The environment but for rounding.
pub(super) const RISCV: Env = Env {
    round: Round::NearestEven,
    nan: NanRule::RiscV,
    flush_in: false,
    flush_out: false,
    alt_half: false,
    unmasked: false,
};

fn one(fmt: Fmt) -> u64 {
    match fmt {
        Fmt::F32 => 0x3f80_0000,
        Fmt::F64 => 0x3ff0_0000_0000_0000,
        _ => 0x3c00,
    }
}

/// All lanes of a piece.
fn shape(lane: Lane) -> Shape {
    Shape::vector(format(lane), 16 / lane.bytes() as u8)
}

impl Cx<'_> {
    /// Whether elements of that many bytes (log2) have arithmetic.
    pub(super) fn has_floats(&self, sew: u32) -> bool {
        match sew {
            1 => self.features & ZVFH != 0,
            2 | 3 => true,
            _ => false,
        }
    }

    /// frm's environment, if that is a rounding.
    pub(super) fn vector_env(&self) -> Option<Env> {
        self.round(7).map(|r| self.env(r))
    }

    /// The operand where active, 1 elsewhere.
    fn quiet(&mut self, active: Option<Val>, lane: Lane, v: Val) -> Val {
        let Some(mask) = active else { return v };
        let one = self.splat(lane, one(format(lane)));
        self.b.v3(V3::BitSelect, Lane::B, mask, v, one)
    }
}

type Fields = [u32; 5];

/// The groups of an instruction on floats, and the environment.
fn float_groups(cx: &Cx, i: Fields, width: Width) -> Option<(Vector, [Group; 3], Env)> {
    let (t, g) = groups(cx, i, width)?;
    let env = cx.vector_env()?;
    cx.has_floats(t.sew).then_some((t, g, env))
}

// ---- arithmetic ----

fn binary(cx: &mut Cx, i: Fields, op: Fp2, reversed: bool) {
    let [_, m, n, v, k] = i;
    let Some((t, [d, ..], env)) = float_groups(cx, i, Width::Same) else { return cx.undefined() };
    let source = cx.source(k, n, d.lane, true);
    cx.each(t, v == 0, d, |cx, k, active| {
        let (a, b) = (cx.piece(m, k), cx.source_piece(source, k));
        let (a, b) = (cx.quiet(active, d.lane, a), cx.quiet(active, d.lane, b));
        let (a, b) = if reversed { (b, a) } else { (a, b) };
        cx.b.fp2(op, shape(d.lane), env, a, b)
    });
}

rows! { binary(d m n v k):
    vfadd Vfadd(Fp2::Add, false);
    vfsub Vfsub(Fp2::Sub, false);
    vfrsub Vfrsub(Fp2::Sub, true);
    vfmul Vfmul(Fp2::Mul, false);
    vfdiv Vfdiv(Fp2::Div, false);
    vfrdiv Vfrdiv(Fp2::Div, true);
    vfmin Vfmin(Fp2::MinNum, false);
    vfmax Vfmax(Fp2::MaxNum, false);
}

/// Where the sign comes from.
#[derive(Clone, Copy, Debug)]
enum Sign {
    Other,
    NotOther,
    Both,
}

fn inject(cx: &mut Cx, i: Fields, sign: Sign) {
    let [_, m, n, v, k] = i;
    let Some((t, [d, ..], _)) = float_groups(cx, i, Width::Same) else { return cx.undefined() };
    let source = cx.source(k, n, d.lane, true);
    let mask = cx.splat(d.lane, 1 << (d.lane.bits() - 1));
    cx.each(t, v == 0, d, |cx, k, _| {
        let (a, b) = (cx.piece(m, k), cx.source_piece(source, k));
        match sign {
            Sign::Other => cx.b.v3(V3::BitSelect, Lane::B, mask, b, a),
            Sign::NotOther => {
                let b = cx.b.v1(V1::Not, Lane::D, b);
                cx.b.v3(V3::BitSelect, Lane::B, mask, b, a)
            }
            Sign::Both => {
                let signs = cx.b.v2(V2::And, Lane::D, b, mask);
                cx.b.v2(V2::Xor, Lane::D, a, signs)
            }
        }
    });
}

rows! { inject(d m n v k):
    vfsgnj Vfsgnj(Sign::Other);
    vfsgnjn Vfsgnjn(Sign::NotOther);
    vfsgnjx Vfsgnjx(Sign::Both);
}

/// ±(vs1 * x) ± y: x and y are vd and vs2, or vs2 and vd where the sum goes to `vd`.
fn multiply_add(cx: &mut Cx, i: Fields, to_destination: bool, neg_product: bool, neg_addend: bool) {
    let [_, m, n, v, k] = i;
    let Some((t, [d, ..], env)) = float_groups(cx, i, Width::Same) else { return cx.undefined() };
    let source = cx.source(k, n, d.lane, true);
    cx.each(t, v == 0, d, |cx, k, active| {
        let all = [cx.piece(d.reg, k), cx.piece(m, k), cx.source_piece(source, k)];
        let [old, a, b] = all.map(|v| cx.quiet(active, d.lane, v));
        let (factor, addend) = if to_destination { (a, old) } else { (old, a) };
        cx.b.fma(shape(d.lane), env, neg_product, neg_addend, factor, b, addend)
    });
}

rows! { multiply_add(d m n v k):
    vfmacc Vfmacc(true, false, false);
    vfnmacc Vfnmacc(true, true, true);
    vfmsac Vfmsac(true, false, true);
    vfnmsac Vfnmsac(true, true, false);
    vfmadd Vfmadd(false, false, false);
    vfnmadd Vfnmadd(false, true, true);
    vfmsub Vfmsub(false, false, true);
    vfnmsub Vfnmsub(false, true, false);
}

// ---- widening ----

/// Half a piece converted to the format twice as wide; `active` are the wide lanes.
fn convert_half(cx: &mut Cx, source: Source, k: u32, lane: Lane, active: Option<Val>, env: Env) -> Val {
    let mut half = cx.half(source, k);
    if let Some(mask) = active {
        let narrow = cx.b.v1(V1::Narrow, lane.wider(), mask);
        half = cx.quiet(Some(narrow), lane, half);
    }
    cx.b.fp_cvt_lanes(format(lane), format(lane.wider()), 8 / lane.bytes() as u32, env, half)
}

fn widened(cx: &mut Cx, i: Fields, width: Width, f: impl Fn(&mut Cx, Group, u32, Option<Val>, [Val; 2], Env) -> Val) {
    let [_, m, n, v, k] = i;
    let Some((t, [d, a, _], env)) = float_groups(cx, i, width) else { return cx.undefined() };
    let sources = [Source::Group(m), cx.source(k, n, a.lane, true)];
    cx.each(t, v == 0, d, |cx, k, active| {
        let wide = sources.map(|s| convert_half(cx, s, k, a.lane, active, env));
        f(cx, d, k, active, wide, env)
    });
}

fn widen(cx: &mut Cx, i: Fields, op: Fp2) {
    widened(cx, i, Width::Wide, |cx, d, _, _, [a, b], env| cx.b.fp2(op, shape(d.lane), env, a, b));
}

rows! { widen(d m n v k):
    vfwadd Vfwadd(Fp2::Add);
    vfwsub Vfwsub(Fp2::Sub);
    vfwmul Vfwmul(Fp2::Mul);
}

fn widen_multiply_add(cx: &mut Cx, i: Fields, neg_product: bool, neg_addend: bool) {
    widened(cx, i, Width::WideSum, |cx, d, k, active, [a, b], env| {
        let old = cx.piece(d.reg, k);
        let old = cx.quiet(active, d.lane, old);
        cx.b.fma(shape(d.lane), env, neg_product, neg_addend, a, b, old)
    });
}

rows! { widen_multiply_add(d m n v k):
    vfwmacc Vfwmacc(false, false);
    vfwnmacc Vfwnmacc(true, true);
    vfwmsac Vfwmsac(false, true);
    vfwnmsac Vfwnmsac(true, false);
}

fn widen_second(cx: &mut Cx, i: Fields, op: Fp2) {
    let [_, m, n, v, k] = i;
    let Some((t, [d, _, b], env)) = float_groups(cx, i, Width::WideOfWide) else { return cx.undefined() };
    let source = cx.source(k, n, b.lane, true);
    cx.each(t, v == 0, d, |cx, k, active| {
        let a = cx.piece(m, k);
        let a = cx.quiet(active, d.lane, a);
        let wide = convert_half(cx, source, k, b.lane, active, env);
        cx.b.fp2(op, shape(d.lane), env, a, wide)
    });
}

rows! { widen_second(d m n v k):
    vfwadd_w VfwaddW(Fp2::Add);
    vfwsub_w VfwsubW(Fp2::Sub);
}

// ---- comparison, of one operand ----

fn compare(cx: &mut Cx, i: Fields, cc: FpCc, swapped: bool, not: bool) {
    let (Some(env), Some(t)) = (cx.vector_env(), cx.vector()) else { return cx.undefined() };
    if !cx.has_floats(t.sew) {
        return cx.undefined();
    }
    to_mask(cx, i, |cx, t, lane, [a, b], k| {
        let active = cx.active(t, i[3] == 0, lane, k);
        let (a, b) = (cx.quiet(active, lane, a), cx.quiet(active, lane, b));
        let (a, b) = if swapped { (b, a) } else { (a, b) };
        let v = cx.b.fp_cmp(cc, shape(lane), env, a, b);
        if not { cx.b.v1(V1::Not, Lane::D, v) } else { v }
    });
}

rows! { compare(d m n v k):
    vmfeq Vmfeq(FpCc::Eq, false, false);
    vmfne Vmfne(FpCc::Eq, false, true);
    vmfle Vmfle(FpCc::Ge, true, false);
    vmflt Vmflt(FpCc::Gt, true, false);
    vmfgt Vmfgt(FpCc::Gt, false, false);
    vmfge Vmfge(FpCc::Ge, false, false);
}

/// What control the helpers want: the lane, frm, and one thing more.
fn control(cx: &mut Cx, lane: Lane, env: Env, more: u32) -> Val {
    let round = (0..5).find(|r| crate::state::rounding(*r) == Some(env.round)).unwrap_or(0);
    cx.b.i32(lane as u32 | round << 8 | more << 16)
}

fn by_helper(cx: &mut Cx, [d, m, v]: [u32; 3], helper: &'static Helper) {
    let Some((t, [gd, ..], env)) = float_groups(cx, [d, m, 0, v, form::FLOAT], Width::Same) else {
        return cx.undefined();
    };
    let control = control(cx, gd.lane, env, 0);
    cx.each(t, v == 0, gd, |cx, k, active| {
        let a = cx.piece(m, k);
        let active = active.unwrap_or_else(|| cx.b.v128(u128::MAX));
        cx.b.call(helper, Ty::V128, &[a, active, control])
    });
}

rows! { by_helper(d m v):
    vfclass Vfclass(&lanes::CLASS);
    vfrec7 Vfrec7(&lanes::REC7);
    vfrsqrt7 Vfrsqrt7(&lanes::RSQRT7);
}

pub(crate) fn vfsqrt(cx: &mut Cx, i: Vfsqrt) {
    unary(cx, [i.d, i.m, i.v], |cx, lane, env, a| cx.b.fp1(Fp1::Sqrt, shape(lane), env, a));
}

fn unary(cx: &mut Cx, [d, m, v]: [u32; 3], f: impl Fn(&mut Cx, Lane, Env, Val) -> Val) {
    let Some((t, [gd, ..], env)) = float_groups(cx, [d, m, 0, v, form::FLOAT], Width::Same) else {
        return cx.undefined();
    };
    cx.each(t, v == 0, gd, |cx, k, active| {
        let a = cx.piece(m, k);
        let a = cx.quiet(active, gd.lane, a);
        f(cx, gd.lane, env, a)
    });
}

pub(crate) fn vfmerge(cx: &mut Cx, i: Vfmerge) {
    if cx.vector().is_some_and(|t| !cx.has_floats(t.sew)) || cx.vector_env().is_none() {
        return cx.undefined();
    }
    merge(cx, [i.d, i.m, i.n, form::FLOAT]);
}

pub(crate) fn vfmv_v_f(cx: &mut Cx, i: VfmvVF) {
    if cx.vector().is_some_and(|t| !cx.has_floats(t.sew)) || cx.vector_env().is_none() {
        return cx.undefined();
    }
    copy(cx, [i.d, i.n, form::FLOAT]);
}

// ---- conversions ----

/// Conversions to integers truncate if `z`.
fn truncated(env: Env, z: u32) -> Env {
    if z == 1 { env.round(Round::Zero) } else { env }
}

fn to_int(cx: &mut Cx, fields: [u32; 3], u: u32, z: u32) {
    unary(cx, fields, |cx, lane, env, a| cx.b.fp_to_int_lanes(shape(lane), truncated(env, z), u == 0, 0, a));
}

fn from_int(cx: &mut Cx, fields: [u32; 3], u: u32) {
    unary(cx, fields, |cx, lane, env, a| cx.b.fp_from_int(shape(lane), env, u == 0, 0, a));
}

/// To an integer twice as wide: the wide format has all values of the narrow one.
fn wide_to_int(cx: &mut Cx, [d, m, v]: [u32; 3], u: u32, z: u32) {
    widened_one(cx, [d, m, v], true, |cx, lane, active, half, env| {
        let wide = convert_half(cx, Source::Splat(half), 0, lane, active, env);
        cx.b.fp_to_int_lanes(shape(lane.wider()), truncated(env, z), u == 0, 0, wide)
    });
}

/// From an integer half as wide, to a format that may be half precision.
fn wide_from_int(cx: &mut Cx, [d, m, v]: [u32; 3], u: u32) {
    widened_one(cx, [d, m, v], false, |cx, lane, _, half, env| {
        let wide = cx.b.v1(if u == 0 { V1::WidenS } else { V1::WidenU }, lane, half);
        cx.b.fp_from_int(shape(lane.wider()), env, u == 0, 0, wide)
    });
}

/// An instruction with one operand of SEW and a result twice as wide; `from_float` says which of them is a float if only one is.
fn widened_one(
    cx: &mut Cx,
    [d, m, v]: [u32; 3],
    from_float: bool,
    f: impl Fn(&mut Cx, Lane, Option<Val>, Val, Env) -> Val,
) {
    let legal = groups(cx, [d, m, 0, v, form::FLOAT], Width::Wide);
    let (Some((t, [gd, gm, _])), Some(env)) = (legal, cx.vector_env()) else { return cx.undefined() };
    if !cx.has_floats(if from_float { t.sew } else { t.sew + 1 }) {
        return cx.undefined();
    }
    cx.each(t, v == 0, gd, |cx, k, active| {
        let half = cx.half(Source::Group(m), k);
        f(cx, gm.lane, active, half, env)
    });
}

pub(crate) fn vfwcvt_f_f(cx: &mut Cx, i: VfwcvtFF) {
    widened_one(cx, [i.d, i.m, i.v], true, |cx, lane, active, half, env| {
        convert_half(cx, Source::Splat(half), 0, lane, active, env)
    });
}

/// An instruction with one operand of twice SEW: `f` gives a piece of narrow lanes, in its low half.
fn narrowed_one(
    cx: &mut Cx,
    [d, m, v]: [u32; 3],
    to_float: bool,
    f: impl Fn(&mut Cx, Lane, Option<Val>, Val, Env) -> Val,
) {
    let legal = groups(cx, [d, m, 0, v, form::FLOAT], Width::Narrow);
    let (Some((t, [gd, wide, _])), Some(env)) = (legal, cx.vector_env()) else { return cx.undefined() };
    if !cx.has_floats(if to_float { t.sew } else { t.sew + 1 }) {
        return cx.undefined();
    }
    let pieces = cx.pieces(wide.lmul);
    cx.each(t, v == 0, gd, |cx, k, active| {
        let halves = [2 * k, 2 * k + 1].map(|at| {
            if at >= pieces {
                return cx.b.v128(0);
            }
            let a = cx.piece(m, at);
            let active = active.map(|all| {
                let half = if at % 2 == 1 { cx.b.v1(V1::MoveHi, Lane::D, all) } else { all };
                cx.b.v1(V1::WidenS, gd.lane, half)
            });
            f(cx, wide.lane, active, a, env)
        });
        cx.b.v2(V2::ConcatLo, Lane::D, halves[0], halves[1])
    });
}

fn narrow_by_helper(cx: &mut Cx, fields: [u32; 3], [u, z]: [u32; 2], to_float: bool, helper: &'static Helper) {
    narrowed_one(cx, fields, to_float, |cx, lane, active, a, env| {
        let control = control(cx, lane, truncated(env, z), u);
        let active = active.unwrap_or_else(|| cx.b.v128(u128::MAX));
        let v = cx.b.call(helper, Ty::V128, &[a, active, control]);
        cx.b.v1(V1::Narrow, lane, v)
    });
}

fn narrow_float(cx: &mut Cx, fields: [u32; 3], odd: bool) {
    narrowed_one(cx, fields, true, |cx, lane, active, a, env| {
        let a = cx.quiet(active, lane, a);
        let narrow = Lane::log2(lane as u32 - 1);
        let env = if odd { env.round(Round::Odd) } else { env };
        cx.b.fp_cvt_lanes(format(lane), format(narrow), 16 / lane.bytes() as u32, env, a)
    });
}

pub(crate) fn vfncvt_f_f(cx: &mut Cx, i: VfncvtFF) {
    narrow_float(cx, [i.d, i.m, i.v], false);
}

pub(crate) fn vfncvt_rod(cx: &mut Cx, i: VfncvtRod) {
    narrow_float(cx, [i.d, i.m, i.v], true);
}

pub(crate) fn vfcvt_to_int(cx: &mut Cx, i: VfcvtToInt) {
    to_int(cx, [i.d, i.m, i.v], i.u, i.z);
}

pub(crate) fn vfcvt_from_int(cx: &mut Cx, i: VfcvtFromInt) {
    from_int(cx, [i.d, i.m, i.v], i.u);
}

pub(crate) fn vfwcvt_to_int(cx: &mut Cx, i: VfwcvtToInt) {
    wide_to_int(cx, [i.d, i.m, i.v], i.u, i.z);
}

pub(crate) fn vfwcvt_from_int(cx: &mut Cx, i: VfwcvtFromInt) {
    wide_from_int(cx, [i.d, i.m, i.v], i.u);
}

pub(crate) fn vfncvt_to_int(cx: &mut Cx, i: VfncvtToInt) {
    narrow_by_helper(cx, [i.d, i.m, i.v], [i.u, i.z], false, &lanes::NARROW_TO_INT);
}

pub(crate) fn vfncvt_from_int(cx: &mut Cx, i: VfncvtFromInt) {
    narrow_by_helper(cx, [i.d, i.m, i.v], [i.u, 0], true, &lanes::NARROW_FROM_INT);
}
