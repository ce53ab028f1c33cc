//! V's reductions (chapter 14). Integers are combined piece by piece, then halves with halves; inactive elements count as what changes nothing. Floats
//! are combined in order, one by one, where all are active; else by a helper.

use super::vector::Group;
use super::vector_file as file;
use super::vector_float::format;
use super::{Cx, rows};
use crate::insn::*;
use crate::state::{VL, Vector};
use ir::{Fp2, Helper, IntCc, Lane, Shape, Ty, V1, V2, VShift, Val};

/// The most elements that floats are combined of without a helper.
const MOST: u32 = 16;

/// Whether a reduction of vs2 is allowed; it has to begin at element 0.
fn legal(cx: &Cx, m: u32, widens: bool) -> Option<(Vector, Group)> {
    let t = cx.vector().filter(|t| !(t.started || widens && t.sew == 3))?;
    let g = cx.group(m, t);
    g.is_legal().then_some((t, g))
}

// ---- integers ----

/// The element that changes no result of an operation.
fn neutral(op: V2, lane: Lane) -> u64 {
    match op {
        V2::And | V2::MinU => lane.mask(),
        V2::MinS => lane.mask() >> 1,
        V2::MaxS => 1 << (lane.bits() - 1),
        _ => 0,
    }
}

fn reduce(cx: &mut Cx, [d, m, n, v]: [u32; 4], op: V2) {
    let Some((t, g)) = legal(cx, m, false) else { return cx.undefined() };
    let rest = cx.splat(g.lane, neutral(op, g.lane));
    let pieces = active_pieces(cx, t, g, v == 0, rest);
    combined(cx, t, [d, n], g.lane, op, pieces);
}

/// A group's pieces, with `rest` where elements are inactive.
fn active_pieces(cx: &mut Cx, t: Vector, g: Group, is_masked: bool, rest: Val) -> Vec<Val> {
    let count = cx.pieces(g.lmul);
    let of = |k| {
        let v = cx.piece(g.reg, k);
        let active = cx.active(t, is_masked, g.lane, k);
        cx.blend(active, v, rest)
    };
    (0..count).map(of).collect()
}

/// vd[0]: vs1[0] and all lanes of the pieces.
fn combined(cx: &mut Cx, t: Vector, [d, n]: [u32; 2], lane: Lane, op: V2, pieces: Vec<Val>) {
    let mut all = pieces.into_iter().reduce(|a, b| cx.b.v2(op, lane, a, b)).expect("a piece");
    let high = cx.b.v1(V1::MoveHi, Lane::D, all);
    all = cx.b.v2(op, lane, all, high);
    for half in [32, 16, 8].into_iter().filter(|half| *half >= lane.bits()) {
        let high = cx.b.vshift(VShift::ShrU, Lane::D, all, half);
        all = cx.b.v2(op, lane, all, high);
    }
    let first = cx.piece(n, 0);
    all = cx.b.v2(op, lane, all, first);
    set_first(cx, t, d, lane, all);
}

/// Lane 0 of a piece becomes that of vd, unless vl is 0.
fn set_first(cx: &mut Cx, t: Vector, d: u32, lane: Lane, v: Val) {
    let old = cx.piece(d, 0);
    let low = cx.b.v128(lane.mask().into());
    let mut new = cx.blend(Some(low), v, old);
    if !t.full {
        let (vl, zero) = (cx.b.get(VL), cx.b.i32(0));
        let any = cx.b.cmp(IntCc::Ne, vl, zero);
        new = cx.b.select(any, new, old);
    }
    cx.set_piece(d, 0, new);
}

rows! { reduce(d m n v):
    vredsum Vredsum(V2::Add);
    vredand Vredand(V2::And);
    vredor Vredor(V2::Or);
    vredxor Vredxor(V2::Xor);
    vredminu Vredminu(V2::MinU);
    vredmin Vredmin(V2::MinS);
    vredmaxu Vredmaxu(V2::MaxU);
    vredmax Vredmax(V2::MaxS);
}

/// Sums twice as wide: neighbours are added first.
fn reduce_wide(cx: &mut Cx, [d, m, n, v]: [u32; 4], pairs: V1) {
    let Some((t, g)) = legal(cx, m, true) else { return cx.undefined() };
    let zero = cx.b.v128(0);
    let pieces = active_pieces(cx, t, g, v == 0, zero);
    let pieces = pieces.into_iter().map(|v| cx.b.v1(pairs, g.lane, v)).collect();
    combined(cx, t, [d, n], g.lane.wider(), V2::Add, pieces);
}

rows! { reduce_wide(d m n v):
    vwredsumu Vwredsumu(V1::PairAddU);
    vwredsum Vwredsum(V1::PairAddS);
}

// ---- floats ----

fn reduce_float(cx: &mut Cx, [d, m, n, v]: [u32; 4], op: Fp2, widens: bool, helper: &'static Helper) {
    let has_floats = cx.vector().is_none_or(|t| cx.has_floats(t.sew));
    let (Some((t, g)), Some(env), true) = (legal(cx, m, widens), cx.vector_env(), has_floats) else {
        return cx.undefined();
    };
    let count = t.max(cx.vlenb());
    if widens || !t.full || v == 0 || count > MOST || g.lane < Lane::S {
        let word = cx.b.i32(cx.word);
        cx.b.call(helper, Ty::Void, &[word]);
        return;
    }
    let (fmt, each) = (format(g.lane), 16 / g.lane.bytes() as u32);
    let first = cx.piece(n, 0);
    let mut all = cx.b.vget(fmt.ty(), first, 0);
    for i in 0..count {
        let piece = cx.piece(m, i / each);
        let element = cx.b.vget(fmt.ty(), piece, i % each);
        all = cx.b.fp2(op, Shape::scalar(fmt), env, all, element);
    }
    let all = cx.b.bitcast(g.lane.ty(), all);
    let old = cx.piece(d, 0);
    let new = cx.b.vset(g.lane, old, all, 0);
    cx.set_piece(d, 0, new);
}

rows! { reduce_float(d m n v):
    vfredusum Vfredusum(Fp2::Add, false, &file::FREDSUM);
    vfredosum Vfredosum(Fp2::Add, false, &file::FREDSUM);
    vfredmin Vfredmin(Fp2::MinNum, false, &file::FREDMIN);
    vfredmax Vfredmax(Fp2::MaxNum, false, &file::FREDMAX);
    vfwredusum Vfwredusum(Fp2::Add, true, &file::FWREDSUM);
    vfwredosum Vfwredosum(Fp2::Add, true, &file::FWREDSUM);
}
