//! V's integer and fixed-point arithmetic, element by element (chapters 11 and 12).

use super::vector::{Group, Source, form};
use super::vector_lanes::{self as lanes, Fixed};
use super::{Cx, rows};
use crate::insn::*;
use crate::state::{VXRM, VXSAT, Vector};
use ir::{Helper, IntCc, Lane, Ty, V1, V2, VShift, Val};

/// What the elements of a destination and of its sources are, relative to SEW.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Width {
    Same,
    /// Twice as wide of two of SEW; of one that is as wide and one of SEW.
    Wide,
    /// The same, added to the destination: that is a source, too.
    WideSum,
    WideOfWide,
    /// SEW of one twice as wide.
    Narrow,
}

/// The groups of an instruction, if vtype allows them: destination, vs2, vs1.
pub(super) fn groups(cx: &Cx, [d, m, n, v, k]: [u32; 5], width: Width) -> Option<(Vector, [Group; 3])> {
    let t = cx.vector()?;
    let same = |reg| cx.group(reg, t);
    if width != Width::Same && (t.sew == 3 || t.lmul == 3) {
        return None;
    }
    let [gd, gm, gn] = match width {
        Width::Same => [same(d), same(m), same(n)],
        Width::Wide | Width::WideSum => [same(d).wider(), same(m), same(n)],
        Width::WideOfWide => [same(d).wider(), same(m).wider(), same(n)],
        Width::Narrow => [same(d), same(m).wider(), same(n)],
    };
    let (is_vector, sums) = (form::is_vector(k), width == Width::WideSum);
    let agree = |g: Group| g.is_legal() && gd.may_replace(g) && !(sums && gd.overlaps(g));
    let sources = agree(gm) && (!is_vector || agree(gn) && gm.agrees(gn));
    // A mask is read as bits.
    let masks = v == 0 && (d == 0 || m == 0 || is_vector && n == 0);
    let legal = gd.is_legal() && sources && !masks;
    legal.then_some((t, [gd, gm, gn]))
}

/// d, m, n, v, k.
pub(super) type Fields = [u32; 5];

/// An instruction whose destination and sources have the same width: `f` gives a piece of two.
pub(super) fn same(cx: &mut Cx, i: Fields, signed: bool, mut f: impl FnMut(&mut Cx, Lane, Val, Val) -> Val) {
    let [_, m, n, v, k] = i;
    let Some((t, [d, ..])) = groups(cx, i, Width::Same) else { return cx.undefined() };
    let source = cx.source(k, n, d.lane, signed);
    cx.each(t, v == 0, d, |cx, k, _| {
        let (a, b) = (cx.piece(m, k), cx.source_piece(source, k));
        f(cx, d.lane, a, b)
    });
}

fn binary(cx: &mut Cx, i: Fields, op: V2) {
    same(cx, i, true, |cx, lane, a, b| cx.b.v2(op, lane, a, b));
}

fn reversed(cx: &mut Cx, i: Fields, op: V2) {
    same(cx, i, true, |cx, lane, a, b| cx.b.v2(op, lane, b, a));
}

rows! { binary(d m n v k):
    vadd Vadd(V2::Add);
    vsub Vsub(V2::Sub);
    vminu Vminu(V2::MinU);
    vmin Vmin(V2::MinS);
    vmaxu Vmaxu(V2::MaxU);
    vmax Vmax(V2::MaxS);
    vand Vand(V2::And);
    vor Vor(V2::Or);
    vxor Vxor(V2::Xor);
    vmul Vmul(V2::Mul);
}

rows! { reversed(d m n v k):
    vrsub Vrsub(V2::Sub);
}

/// What IR has no lanes for.
fn by_helper(cx: &mut Cx, i: Fields, helper: &'static Helper) {
    same(cx, i, true, |cx, lane, a, b| {
        let lane = cx.b.i32(lane as u32);
        cx.b.call(helper, Ty::V128, &[a, b, lane])
    });
}

rows! { by_helper(d m n v k):
    vmulhsu Vmulhsu(&lanes::MULHSU);
    vdivu Vdivu(&lanes::DIVU);
    vdiv Vdiv(&lanes::DIV);
    vremu Vremu(&lanes::REMU);
    vrem Vrem(&lanes::REM);
}

/// The upper half of products.
fn high(cx: &mut Cx, i: Fields, is_signed: bool) {
    let helper = if is_signed { &lanes::MULH } else { &lanes::MULHU };
    same(cx, i, true, |cx, lane, a, b| match lane {
        Lane::H => cx.b.v2(if is_signed { V2::MulHiS } else { V2::MulHiU }, lane, a, b),
        Lane::S => {
            let op = if is_signed { V2::MulEvenS } else { V2::MulEvenU };
            let even = cx.b.v2(op, lane, a, b);
            let [a, b] = [a, b].map(|v| cx.b.vshift(VShift::ShrU, Lane::D, v, 32));
            let odd = cx.b.v2(op, lane, a, b);
            cx.b.v2(V2::TrnOdd, lane, even, odd)
        }
        _ => {
            let lane = cx.b.i32(lane as u32);
            cx.b.call(helper, Ty::V128, &[a, b, lane])
        }
    });
}

rows! { high(d m n v k):
    vmulh Vmulh(true);
    vmulhu Vmulhu(false);
}

// ---- shifts ----

/// Kinds of shifts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Shift {
    Left,
    Right,
    Signed,
}

/// `a` shifted by `b`'s lanes, or by an amount that is known; modulo the width.
pub(super) fn shifted(cx: &mut Cx, shift: Shift, lane: Lane, a: Val, b: Val, known: Option<u32>) -> Val {
    let width = lane.bits() - 1;
    match known.map(|n| n & width) {
        Some(0) => return a,
        Some(n) => {
            let op = match shift {
                Shift::Left => VShift::Shl,
                Shift::Right => VShift::ShrU,
                Shift::Signed => VShift::ShrS,
            };
            return cx.b.vshift(op, lane, a, n);
        }
        None => {}
    }
    let mask = cx.splat(lane, width.into());
    let amount = cx.b.v2(V2::And, lane, b, mask);
    if shift == Shift::Left {
        return cx.b.v2(V2::ShiftU, lane, a, amount);
    }
    let right = cx.b.v1(V1::Neg, lane, amount);
    cx.b.v2(if shift == Shift::Signed { V2::ShiftS } else { V2::ShiftU }, lane, a, right)
}

/// The amount of an immediate form.
pub(super) fn known([_, _, n, _, k]: Fields) -> Option<u32> {
    (k == form::IMMEDIATE).then_some(n)
}

fn shift(cx: &mut Cx, i: Fields, op: Shift) {
    same(cx, i, false, |cx, lane, a, b| shifted(cx, op, lane, a, b, known(i)));
}

rows! { shift(d m n v k):
    vsll Vsll(Shift::Left);
    vsrl Vsrl(Shift::Right);
    vsra Vsra(Shift::Signed);
}

/// A piece of narrowed lanes: `f` gives each wide one of the wide source and of the other, whose lanes were widened.
fn narrowed(cx: &mut Cx, i: Fields, mut f: impl FnMut(&mut Cx, Lane, Val, Val, [u32; 2]) -> Val) {
    let [_, m, n, v, k] = i;
    let Some((t, [d, wide, _])) = groups(cx, i, Width::Narrow) else { return cx.undefined() };
    let source = cx.source(k, n, d.lane, false);
    let pieces = cx.pieces(wide.lmul);
    cx.each(t, v == 0, d, |cx, k, _| {
        let halves = [2 * k, 2 * k + 1].map(|at| {
            // A part of a register has no second half.
            if at >= pieces {
                return cx.b.v128(0);
            }
            let (a, b) = (cx.piece(m, at), cx.half(source, at));
            let b = cx.b.v1(V1::WidenU, d.lane, b);
            f(cx, wide.lane, a, b, [k, at % 2])
        });
        cx.b.v2(V2::ConcatLo, Lane::D, halves[0], halves[1])
    });
}

fn narrow_shift(cx: &mut Cx, i: Fields, op: Shift) {
    narrowed(cx, i, |cx, wide, a, b, _| {
        let v = shifted(cx, op, wide, a, b, known(i));
        cx.b.v1(V1::Narrow, wide, v)
    });
}

rows! { narrow_shift(d m n v k):
    vnsrl Vnsrl(Shift::Right);
    vnsra Vnsra(Shift::Signed);
}

// ---- multiply-add ----

/// Which operands are multiplied, and whether the product is taken off.
#[derive(Clone, Copy, Debug)]
enum MulAdd {
    /// vd ± vs1 * vs2
    ToDestination,
    /// vs2 ± vs1 * vd
    ToSource,
}

fn multiply_add(cx: &mut Cx, i: Fields, kind: MulAdd, op: V2) {
    let [_, m, n, v, k] = i;
    let Some((t, [d, ..])) = groups(cx, i, Width::Same) else { return cx.undefined() };
    let source = cx.source(k, n, d.lane, true);
    cx.each(t, v == 0, d, |cx, k, _| {
        let (old, a, b) = (cx.piece(d.reg, k), cx.piece(m, k), cx.source_piece(source, k));
        let (factor, addend) = match kind {
            MulAdd::ToDestination => (a, old),
            MulAdd::ToSource => (old, a),
        };
        let product = cx.b.v2(V2::Mul, d.lane, factor, b);
        cx.b.v2(op, d.lane, addend, product)
    });
}

rows! { multiply_add(d m n v k):
    vmacc Vmacc(MulAdd::ToDestination, V2::Add);
    vnmsac Vnmsac(MulAdd::ToDestination, V2::Sub);
    vmadd Vmadd(MulAdd::ToSource, V2::Add);
    vnmsub Vnmsub(MulAdd::ToSource, V2::Sub);
}

// ---- widening ----

/// Widened lanes of vs2 and of the other, by their signs.
pub(super) fn widened(
    cx: &mut Cx,
    i: Fields,
    width: Width,
    signs: [bool; 2],
    mut f: impl FnMut(&mut Cx, Group, u32, [Val; 2]) -> Val,
) {
    let [_, m, n, v, k] = i;
    let Some((t, [d, a, _])) = groups(cx, i, width) else { return cx.undefined() };
    let sources = [Source::Group(m), cx.source(k, n, a.lane, true)];
    cx.each(t, v == 0, d, |cx, k, _| {
        let wide = [0, 1].map(|s| {
            let half = cx.half(sources[s], k);
            cx.b.v1(if signs[s] { V1::WidenS } else { V1::WidenU }, a.lane, half)
        });
        f(cx, d, k, wide)
    });
}

fn widen(cx: &mut Cx, i: Fields, signed: bool, op: V2) {
    widened(cx, i, Width::Wide, [signed; 2], |cx, d, _, [a, b]| cx.b.v2(op, d.lane, a, b));
}

rows! { widen(d m n v k):
    vwaddu Vwaddu(false, V2::Add);
    vwadd Vwadd(true, V2::Add);
    vwsubu Vwsubu(false, V2::Sub);
    vwsub Vwsub(true, V2::Sub);
}

fn widen_multiply(cx: &mut Cx, i: Fields, signs: [bool; 2]) {
    widened(cx, i, Width::Wide, signs, |cx, d, _, [a, b]| cx.b.v2(V2::Mul, d.lane, a, b));
}

rows! { widen_multiply(d m n v k):
    vwmulu Vwmulu([false, false]);
    vwmulsu Vwmulsu([true, false]);
    vwmul Vwmul([true, true]);
}

/// vd + vs1 * vs2; the signs are vs2's and vs1's.
fn widen_multiply_add(cx: &mut Cx, i: Fields, signs: [bool; 2]) {
    widened(cx, i, Width::WideSum, signs, |cx, d, k, [a, b]| {
        let (product, old) = (cx.b.v2(V2::Mul, d.lane, a, b), cx.piece(d.reg, k));
        cx.b.v2(V2::Add, d.lane, old, product)
    });
}

rows! { widen_multiply_add(d m n v k):
    vwmaccu Vwmaccu([false, false]);
    vwmacc Vwmacc([true, true]);
    vwmaccus Vwmaccus([true, false]);
    vwmaccsu Vwmaccsu([false, true]);
}

/// vs2 is wide already.
fn widen_second(cx: &mut Cx, i: Fields, signed: bool, op: V2) {
    let [_, m, n, v, k] = i;
    let Some((t, [d, _, b])) = groups(cx, i, Width::WideOfWide) else { return cx.undefined() };
    let source = cx.source(k, n, b.lane, true);
    cx.each(t, v == 0, d, |cx, k, _| {
        let (a, half) = (cx.piece(m, k), cx.half(source, k));
        let wide = cx.b.v1(if signed { V1::WidenS } else { V1::WidenU }, b.lane, half);
        cx.b.v2(op, d.lane, a, wide)
    });
}

rows! { widen_second(d m n v k):
    vwaddu_w VwadduW(false, V2::Add);
    vwadd_w VwaddW(true, V2::Add);
    vwsubu_w VwsubuW(false, V2::Sub);
    vwsub_w VwsubW(true, V2::Sub);
}

/// VZEXT and VSEXT of lanes 2, 4 or 8 times narrower.
pub(crate) fn vext(cx: &mut Cx, i: Vext) {
    let (Some(t), by) = (cx.vector(), 4 - i.i) else { return cx.undefined() };
    let d = cx.group(i.d, t);
    if t.sew < by {
        return cx.undefined();
    }
    let source = Group { reg: i.m, lane: Lane::log2(t.sew - by), lmul: t.lmul - by as i32 };
    // A source of less than an eighth of a register is reserved; it reads what is there, as elsewhere.
    if !(d.is_legal() && source.is_aligned() && d.may_replace(source)) || i.v == 0 && (i.d == 0 || i.m == 0) {
        return cx.undefined();
    }
    cx.each(t, i.v == 0, d, |cx, k, _| {
        let part = k % (1 << by);
        let mut v = cx.source_of(source, k >> by);
        for step in 0..by {
            if part >> (by - 1 - step) & 1 == 1 {
                v = cx.b.v1(V1::MoveHi, Lane::D, v);
            }
            v = cx.b.v1(if i.u == 1 { V1::WidenS } else { V1::WidenU }, Lane::log2(source.lane as u32 + step), v);
        }
        v
    });
}

// ---- carries, comparisons, merging ----

/// VADC and VSBC: v0 is what comes in.
fn with_carry(cx: &mut Cx, [d, m, n, k]: [u32; 4], op: V2, carry: V2) {
    let i = [d, m, n, 1, k];
    let Some((t, [gd, ..])) = groups(cx, i, Width::Same).filter(|_| d != 0) else { return cx.undefined() };
    let source = cx.source(k, n, gd.lane, true);
    cx.each(t, false, gd, |cx, k, _| {
        let (a, b, c) = (cx.piece(m, k), cx.source_piece(source, k), cx.mask_lanes(gd.lane, k));
        let v = cx.b.v2(op, gd.lane, a, b);
        // The carry's lanes are -1.
        cx.b.v2(carry, gd.lane, v, c)
    });
}

rows! { with_carry(d m n k):
    vadc Vadc(V2::Add, V2::Sub);
    vsbc Vsbc(V2::Sub, V2::Add);
}

/// An instruction that gives a mask: `f` gives lanes of ones and zeros.
pub(super) fn to_mask(cx: &mut Cx, i: Fields, mut f: impl FnMut(&mut Cx, Vector, Lane, [Val; 2], u32) -> Val) {
    let [d, m, n, v, k] = i;
    let Some(t) = cx.vector() else { return cx.undefined() };
    let (gm, gn) = (cx.group(m, t), cx.group(n, t));
    // A mask is narrower than any elements: it may be in the first register of theirs.
    let free = |g: Group| g.reg == d || !g.overlaps(Group { reg: d, lmul: 0, ..g });
    let legal = gm.is_legal() && free(gm) && (!form::is_vector(k) || gn.is_legal() && free(gn));
    if !legal {
        return cx.undefined();
    }
    let source = cx.source(k, n, gm.lane, true);
    let lanes: Vec<Val> = (0..cx.pieces(t.lmul))
        .map(|k| {
            let a = cx.source_of(gm, k);
            let b = if let Source::Group(_) = source { cx.source_of(gn, k) } else { cx.source_piece(source, k) };
            f(cx, t, gm.lane, [a, b], k)
        })
        .collect();
    cx.set_mask_of(t, v == 0, d, gm.lane, lanes);
}

/// VMADC and VMSBC, with what comes in by v0 or without.
fn carry_out(cx: &mut Cx, [d, m, n, k, c]: [u32; 5], adds: bool) {
    if c == 1 && cx.vector().is_none() {
        return cx.undefined();
    }
    to_mask(cx, [d, m, n, 1, k], |cx, _, lane, [a, b], k| {
        let carry = (c == 1).then(|| cx.mask_lanes(lane, k));
        // There is one if the sum is less than an addend (or as much, with one coming in); likewise if a is less than b.
        let (low, high) = if adds {
            let sum = cx.b.v2(V2::Add, lane, a, b);
            (carry.map_or(sum, |c| cx.b.v2(V2::Sub, lane, sum, c)), a)
        } else {
            (a, b)
        };
        let less = cx.b.v2(V2::CmpGtU, lane, high, low);
        let Some(carry) = carry else { return less };
        let equal = cx.b.v2(V2::CmpEq, lane, high, low);
        let equal = cx.b.v2(V2::And, lane, equal, carry);
        cx.b.v2(V2::Or, lane, less, equal)
    });
}

rows! { carry_out(d m n k c):
    vmadc Vmadc(true);
    vmsbc Vmsbc(false);
}

fn compare(cx: &mut Cx, i: Fields, cc: IntCc) {
    to_mask(cx, i, |cx, _, lane, [a, b], _| {
        let (op, [a, b]) = match cc {
            IntCc::Eq | IntCc::Ne => (V2::CmpEq, [a, b]),
            IntCc::Ult => (V2::CmpGtU, [b, a]),
            IntCc::Ule => (V2::CmpGeU, [b, a]),
            IntCc::Ugt => (V2::CmpGtU, [a, b]),
            IntCc::Uge => (V2::CmpGeU, [a, b]),
            IntCc::Slt => (V2::CmpGtS, [b, a]),
            IntCc::Sle => (V2::CmpGeS, [b, a]),
            IntCc::Sgt => (V2::CmpGtS, [a, b]),
            IntCc::Sge => (V2::CmpGeS, [a, b]),
        };
        let v = cx.b.v2(op, lane, a, b);
        if cc == IntCc::Ne { cx.b.v1(V1::Not, Lane::D, v) } else { v }
    });
}

rows! { compare(d m n v k):
    vmseq Vmseq(IntCc::Eq);
    vmsne Vmsne(IntCc::Ne);
    vmsltu Vmsltu(IntCc::Ult);
    vmslt Vmslt(IntCc::Slt);
    vmsleu Vmsleu(IntCc::Ule);
    vmsle Vmsle(IntCc::Sle);
    vmsgtu Vmsgtu(IntCc::Ugt);
    vmsgt Vmsgt(IntCc::Sgt);
}

/// VMERGE and VFMERGE: vs1 where v0 says so, else vs2.
pub(super) fn merge(cx: &mut Cx, [d, m, n, k]: [u32; 4]) {
    let i = [d, m, n, 0, k];
    let Some((t, [gd, ..])) = groups(cx, i, Width::Same) else { return cx.undefined() };
    let source = cx.source(k, n, gd.lane, true);
    cx.each(t, false, gd, |cx, k, _| {
        let (mask, a, b) = (cx.mask_lanes(gd.lane, k), cx.piece(m, k), cx.source_piece(source, k));
        cx.blend(Some(mask), b, a)
    });
}

pub(crate) fn vmerge(cx: &mut Cx, i: Vmerge) {
    merge(cx, [i.d, i.m, i.n, i.k]);
}

/// VMV.V and VFMV.V.
pub(super) fn copy(cx: &mut Cx, [d, n, k]: [u32; 3]) {
    let i = [d, d, n, 1, k];
    let Some((t, [gd, ..])) = groups(cx, i, Width::Same) else { return cx.undefined() };
    let source = cx.source(k, n, gd.lane, true);
    cx.each(t, false, gd, |cx, k, _| cx.source_piece(source, k));
}

pub(crate) fn vmv_v(cx: &mut Cx, i: VmvV) {
    copy(cx, [i.d, i.n, i.k]);
}

// ---- fixed point ----

/// Saturating sums: where the plain one is another, vxsat is set.
fn saturating(cx: &mut Cx, i: Fields, op: V2, plain: V2) {
    let [_, m, n, v, k] = i;
    let Some((t, [d, ..])) = groups(cx, i, Width::Same) else { return cx.undefined() };
    let source = cx.source(k, n, d.lane, true);
    let mut differs = cx.b.v128(0);
    let mut pieces = vec![];
    for k in 0..cx.pieces(t.lmul) {
        let active = cx.active(t, v == 0, d.lane, k);
        let (a, b) = (cx.piece(m, k), cx.source_piece(source, k));
        let (new, wrapped) = (cx.b.v2(op, d.lane, a, b), cx.b.v2(plain, d.lane, a, b));
        let mut other = cx.b.v2(V2::Xor, Lane::D, new, wrapped);
        if let Some(mask) = active {
            other = cx.b.v2(V2::And, Lane::D, other, mask);
        }
        differs = cx.b.v2(V2::Or, Lane::D, differs, other);
        let old = cx.piece(d.reg, k);
        pieces.push(cx.blend(active, new, old));
    }
    (0u32..).zip(pieces).for_each(|(k, new)| cx.set_piece(d.reg, k, new));
    let [low, high] = [0, 1].map(|half| cx.b.vget(Ty::I64, differs, half));
    let (any, zero) = (cx.b.or(low, high), cx.b.i64(0));
    let any = cx.b.cmp(IntCc::Ne, any, zero);
    let (any, old) = (cx.b.zext(Ty::I32, any), cx.b.get(VXSAT));
    let all = cx.b.or(old, any);
    cx.b.set(VXSAT, all);
    cx.finish();
}

rows! { saturating(d m n v k):
    vsaddu Vsaddu(V2::SatAddU, V2::Add);
    vsadd Vsadd(V2::SatAddS, V2::Add);
    vssubu Vssubu(V2::SatSubU, V2::Sub);
    vssub Vssub(V2::SatSubS, V2::Sub);
}

/// What the helper for fixed point has to know: the operation, the lane, vxrm.
fn fixed_control(cx: &mut Cx, op: Fixed, lane: Lane) -> Val {
    let vxrm = cx.b.get(VXRM);
    let vxrm = cx.b.shift_imm(ir::Bin::Shl, vxrm, 16);
    let rest = cx.b.i32((op as u32) << 8 | lane as u32);
    cx.b.or(vxrm, rest)
}

fn fixed(cx: &mut Cx, i: Fields, op: Fixed) {
    let [_, m, n, v, k] = i;
    let Some((t, [d, ..])) = groups(cx, i, Width::Same) else { return cx.undefined() };
    let source = cx.source(k, n, d.lane, false);
    let control = fixed_control(cx, op, d.lane);
    cx.each(t, v == 0, d, |cx, k, active| {
        let (a, b) = (cx.piece(m, k), cx.source_piece(source, k));
        let active = active.unwrap_or_else(|| cx.b.v128(u128::MAX));
        cx.b.call(&lanes::FIXED, Ty::V128, &[a, b, active, control])
    });
}

rows! { fixed(d m n v k):
    vsmul Vsmul(Fixed::Multiply);
    vssrl Vssrl(Fixed::Shift);
    vssra Vssra(Fixed::ShiftSigned);
    vaaddu Vaaddu(Fixed::Average);
    vaadd Vaadd(Fixed::AverageSigned);
    vasubu Vasubu(Fixed::AverageDifference);
    vasub Vasub(Fixed::AverageDifferenceSigned);
}

/// VNCLIP: shifted with rounding, saturated to half the width.
fn clip(cx: &mut Cx, i: Fields, op: Fixed) {
    let Some((t, [d, wide, _])) = groups(cx, i, Width::Narrow) else { return cx.undefined() };
    let control = fixed_control(cx, op, wide.lane);
    narrowed(cx, i, |cx, _, a, b, [k, half]| {
        let active = cx.active(t, i[3] == 0, d.lane, k).unwrap_or_else(|| cx.b.v128(u128::MAX));
        let active = if half == 1 { cx.b.v1(V1::MoveHi, Lane::D, active) } else { active };
        let active = cx.b.v1(V1::WidenS, d.lane, active);
        let v = cx.b.call(&lanes::FIXED, Ty::V128, &[a, b, active, control]);
        cx.b.v1(V1::Narrow, wide.lane, v)
    });
}

rows! { clip(d m n v k):
    vnclipu Vnclipu(Fixed::Clip);
    vnclip Vnclip(Fixed::ClipSigned);
}
