//! V's reductions, operations on masks, and permutations (chapters 14 to 16).

use super::vector::{Group, form};
use super::vector_file as file;
use super::{Cx, rows};
use crate::insn::*;
use crate::state::{VL, VSTART, Vector};
use ir::{Helper, IntCc, Lane, Ty, V1, V2, Val};

impl Cx<'_> {
    /// Leaves an instruction to a helper on whole registers.
    fn by_file(&mut self, helper: &'static Helper, ty: Ty, more: &[Val]) -> Val {
        let mut args = vec![self.b.i32(self.word)];
        args.extend(more);
        self.b.call(helper, ty, &args)
    }

    /// vtype, where vstart has to be 0.
    fn unstarted(&self) -> Option<Vector> {
        self.vector().filter(|t| !t.started)
    }
}

// ---- reductions ----

fn reduce(cx: &mut Cx, [m]: [u32; 1], helper: &'static Helper, widens: bool) {
    if !cx.unstarted().is_some_and(|t| cx.group(m, t).is_legal() && !(widens && t.sew == 3)) {
        return cx.undefined();
    }
    cx.by_file(helper, Ty::Void, &[]);
}

rows! { reduce(m):
    vredsum Vredsum(&file::REDSUM, false);
    vredand Vredand(&file::REDAND, false);
    vredor Vredor(&file::REDOR, false);
    vredxor Vredxor(&file::REDXOR, false);
    vredminu Vredminu(&file::REDMINU, false);
    vredmin Vredmin(&file::REDMIN, false);
    vredmaxu Vredmaxu(&file::REDMAXU, false);
    vredmax Vredmax(&file::REDMAX, false);
    vwredsumu Vwredsumu(&file::WREDSUMU, true);
    vwredsum Vwredsum(&file::WREDSUM, true);
}

fn reduce_float(cx: &mut Cx, m: [u32; 1], helper: &'static Helper, widens: bool) {
    if cx.vector().is_some_and(|t| !cx.has_floats(t.sew)) || cx.vector_env().is_none() {
        return cx.undefined();
    }
    reduce(cx, m, helper, widens);
}

rows! { reduce_float(m):
    vfredusum Vfredusum(&file::FREDSUM, false);
    vfredosum Vfredosum(&file::FREDSUM, false);
    vfredmin Vfredmin(&file::FREDMIN, false);
    vfredmax Vfredmax(&file::FREDMAX, false);
    vfwredusum Vfwredusum(&file::FWREDSUM, true);
    vfwredosum Vfwredosum(&file::FWREDSUM, true);
}

// ---- masks ----

/// An operation on masks: on vs2 and vs1, or on their complements.
fn logical(cx: &mut Cx, [d, m, n]: [u32; 3], op: V2, not: bool) {
    let Some(t) = cx.vector() else { return cx.undefined() };
    let pieces = (0..cx.vlenb() / 16)
        .map(|j| {
            let (a, b) = (cx.piece(m, j), cx.piece(n, j));
            let v = cx.b.v2(op, Lane::D, a, b);
            if not { cx.b.v1(V1::Not, Lane::D, v) } else { v }
        })
        .collect();
    cx.set_mask(t, false, d, pieces);
}

rows! { logical(d m n):
    vmand Vmand(V2::And, false);
    vmnand Vmnand(V2::And, true);
    vmandn Vmandn(V2::AndNot, false);
    vmor Vmor(V2::Or, false);
    vmnor Vmnor(V2::Or, true);
    vmorn Vmorn(V2::OrNot, false);
    vmxor Vmxor(V2::Xor, false);
    vmxnor Vmxnor(V2::Xor, true);
}

fn count(cx: &mut Cx, [d]: [u32; 1], helper: &'static Helper) {
    if cx.unstarted().is_none() {
        return cx.undefined();
    }
    let v = cx.by_file(helper, Ty::I64, &[]);
    cx.set_x(d, v);
}

rows! { count(d):
    vcpop Vcpop(&file::CPOP);
    vfirst Vfirst(&file::FIRST);
}

fn first(cx: &mut Cx, [d, m, v]: [u32; 3], helper: &'static Helper) {
    if cx.unstarted().is_none() || d == m || v == 0 && d == 0 {
        return cx.undefined();
    }
    cx.by_file(helper, Ty::Void, &[]);
}

rows! { first(d m v):
    vmsbf Vmsbf(&file::SBF);
    vmsif Vmsif(&file::SIF);
    vmsof Vmsof(&file::SOF);
}

pub(crate) fn viota(cx: &mut Cx, i: Viota) {
    let legal = cx.unstarted().is_some_and(|t| {
        let d = cx.group(i.d, t);
        d.is_legal() && !d.overlaps(Group { reg: i.m, lmul: 0, ..d }) && !(i.v == 0 && i.d == 0)
    });
    if !legal {
        return cx.undefined();
    }
    cx.by_file(&file::IOTA, Ty::Void, &[]);
}

pub(crate) fn vid(cx: &mut Cx, i: Vid) {
    let legal = cx.vector().is_some_and(|t| cx.group(i.d, t).is_legal() && !(i.v == 0 && i.d == 0));
    if !legal {
        return cx.undefined();
    }
    cx.by_file(&file::ID, Ty::Void, &[]);
    cx.finish();
}

// ---- scalars ----

pub(crate) fn vmv_x_s(cx: &mut Cx, i: VmvXS) {
    let Some(t) = cx.vector() else { return cx.undefined() };
    let v = cx.piece(i.m, 0);
    let v = cx.b.vget(Lane::log2(t.sew).ty(), v, 0);
    cx.set_x(i.d, v);
    cx.finish();
}

pub(crate) fn vfmv_f_s(cx: &mut Cx, i: VfmvFS) {
    let Some(t) = cx.vector().filter(|t| cx.has_floats(t.sew) && cx.vector_env().is_some()) else {
        return cx.undefined();
    };
    let v = cx.piece(i.m, 0);
    let v = cx.b.vget(super::vector_float::format(Lane::log2(t.sew)).ty(), v, 0);
    cx.set_f(i.d, v);
    cx.finish();
}

/// Element 0, if vstart is below vl.
fn set_first(cx: &mut Cx, t: Vector, d: u32, v: Val) {
    let old = cx.piece(d, 0);
    let mut new = cx.b.vset(Lane::log2(t.sew), old, v, 0);
    if !t.full || t.started {
        let (start, vl) = (cx.b.get(VSTART), cx.b.get(VL));
        let any = cx.b.cmp(IntCc::Ult, start, vl);
        new = cx.b.select(any, new, old);
    }
    cx.set_piece(d, 0, new);
    cx.finish();
}

pub(crate) fn vmv_s_x(cx: &mut Cx, i: VmvSX) {
    let Some(t) = cx.vector() else { return cx.undefined() };
    let x = cx.x(i.n);
    let x = cx.b.trunc(Lane::log2(t.sew).ty(), x);
    set_first(cx, t, i.d, x);
}

pub(crate) fn vfmv_s_f(cx: &mut Cx, i: VfmvSF) {
    let Some(t) = cx.vector().filter(|t| cx.has_floats(t.sew) && cx.vector_env().is_some()) else {
        return cx.undefined();
    };
    let lane = Lane::log2(t.sew);
    let v = cx.f_exact(super::vector_float::format(lane), i.n);
    let v = cx.b.bitcast(lane.ty(), v);
    set_first(cx, t, i.d, v);
}

// ---- slides, gathers ----

/// The scalar of a permutation: an immediate without sign, an integer or a float.
fn scalar(cx: &mut Cx, n: u32, k: u32, t: Vector) -> Val {
    match k {
        form::IMMEDIATE => cx.imm(n.into()),
        form::FLOAT => {
            let lane = Lane::log2(t.sew);
            let v = cx.f_exact(super::vector_float::format(lane), n);
            cx.b.bitcast(lane.ty(), v)
        }
        _ => cx.x(n),
    }
}

/// `apart`: the destination may not be the source.
fn slide(cx: &mut Cx, [d, m, n, v, k]: [u32; 5], helper: &'static Helper, apart: bool) {
    let Some(t) = cx.vector() else { return cx.undefined() };
    let (gd, gm) = (cx.group(d, t), cx.group(m, t));
    let float = k != form::FLOAT || cx.has_floats(t.sew) && cx.vector_env().is_some();
    if !(gd.is_legal() && gm.is_legal() && float) || apart && gd.overlaps(gm) || v == 0 && (d == 0 || m == 0) {
        return cx.undefined();
    }
    let s = scalar(cx, n, k, t);
    cx.by_file(helper, Ty::Void, &[s]);
    cx.finish();
}

rows! { slide(d m n v k):
    vslideup Vslideup(&file::SLIDEUP, true);
    vslidedown Vslidedown(&file::SLIDEDOWN, false);
    vslide1up Vslide1up(&file::SLIDE1UP, true);
    vslide1down Vslide1down(&file::SLIDE1DOWN, false);
    vfslide1up Vfslide1up(&file::SLIDE1UP, true);
    vfslide1down Vfslide1down(&file::SLIDE1DOWN, false);
}

pub(crate) fn vrgather(cx: &mut Cx, i: Vrgather) {
    if !form::is_vector(i.k) {
        return slide(cx, [i.d, i.m, i.n, i.v, i.k], &file::GATHER_SCALAR, true);
    }
    let Some(t) = cx.vector() else { return cx.undefined() };
    by_index(cx, [i.d, i.m, i.n, i.v], t, t.sew, &file::GATHER);
}

pub(crate) fn vrgatherei16(cx: &mut Cx, i: Vrgatherei16) {
    let Some(t) = cx.vector() else { return cx.undefined() };
    by_index(cx, [i.d, i.m, i.n, i.v], t, 1, &file::GATHER16);
}

/// Indices of 2^`width` bytes.
fn by_index(cx: &mut Cx, [d, m, n, v]: [u32; 4], t: Vector, width: u32, helper: &'static Helper) {
    let (gd, gm) = (cx.group(d, t), cx.group(m, t));
    let gn = Group { reg: n, lane: Lane::log2(width), lmul: t.lmul + width as i32 - t.sew as i32 };
    let legal = [gd, gm, gn].iter().all(|g| g.is_legal()) && !gd.overlaps(gm) && !gd.overlaps(gn) && gm.agrees(gn);
    if !legal || v == 0 && [d, m, n].contains(&0) {
        return cx.undefined();
    }
    cx.by_file(helper, Ty::Void, &[]);
    cx.finish();
}

pub(crate) fn vcompress(cx: &mut Cx, i: Vcompress) {
    let legal = cx.unstarted().is_some_and(|t| {
        let (d, m) = (cx.group(i.d, t), cx.group(i.m, t));
        let mask = Group { reg: i.n, lmul: 0, ..d };
        d.is_legal() && m.is_legal() && !d.overlaps(m) && !d.overlaps(mask)
    });
    if !legal {
        return cx.undefined();
    }
    cx.by_file(&file::COMPRESS, Ty::Void, &[]);
}

pub(crate) fn vmvr(cx: &mut Cx, i: Vmvr) {
    let Some(t) = cx.vector().filter(|_| (i.d | i.m) & i.n == 0) else { return cx.undefined() };
    if t.started {
        cx.by_file(&file::MOVE, Ty::Void, &[]);
        return cx.finish();
    }
    let pieces: Vec<Val> = (0..(i.n + 1) * cx.vlenb() / 16).map(|k| cx.piece(i.m, k)).collect();
    (0u32..).zip(pieces).for_each(|(k, v)| cx.set_piece(i.d, k, v));
}
