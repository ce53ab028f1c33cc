//! V's operations on masks, and permutations (chapters 15 and 16).

use super::vector::{Group, form};
use super::vector_file as file;
use super::{Cx, rows};
use crate::insn::*;
use crate::state::{VL, VSTART, Vector};
use ir::{Bin, Helper, IntCc, Lane, Ty, Un, V1, V2, VShift, Val};

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

/// The active bits of a mask as words, lowest first, if they are in one piece.
fn active_words(cx: &mut Cx, t: Vector, m: u32, is_masked: bool) -> Option<Vec<Val>> {
    let count = t.max(cx.vlenb());
    if count > 128 {
        return None;
    }
    let mut bits = cx.piece(m, 0);
    if let Some(active) = cx.active_bits(t, is_masked, 0) {
        bits = cx.b.v2(V2::And, Lane::D, bits, active);
    }
    Some((0..count.div_ceil(64)).map(|word| cx.b.vget(Ty::I64, bits, word)).collect())
}

fn count(cx: &mut Cx, [d, m, v]: [u32; 3], helper: &'static Helper, of: fn(&mut Cx, &[Val]) -> Val) {
    let Some(t) = cx.unstarted() else { return cx.undefined() };
    let v = match active_words(cx, t, m, v == 0) {
        Some(words) => of(cx, &words),
        None => cx.by_file(helper, Ty::I64, &[]),
    };
    cx.set_x(d, v);
}

rows! { count(d m v):
    vcpop Vcpop(&file::CPOP, ones);
    vfirst Vfirst(&file::FIRST, first_one);
}

/// How many bits are set.
fn ones(cx: &mut Cx, words: &[Val]) -> Val {
    let counts: Vec<Val> = words.iter().map(|w| cx.b.un(Un::Popcnt, *w)).collect();
    counts.into_iter().reduce(|a, b| cx.b.add(a, b)).expect("a word")
}

/// Which bit is the first that is set; -1 if none is.
fn first_one(cx: &mut Cx, words: &[Val]) -> Val {
    let mut first = cx.b.i64(u64::MAX);
    for (at, word) in words.iter().enumerate().rev() {
        let zero = cx.b.i64(0);
        let any = cx.b.cmp(IntCc::Ne, *word, zero);
        let here = cx.b.un(Un::Ctz, *word);
        let here = cx.b.add_imm(here, 64 * at as i64);
        first = cx.b.select(any, here, first);
    }
    first
}

/// `with_less` combines the bits with what they are less one, which differs from them up to the first one.
fn first(cx: &mut Cx, [d, m, v]: [u32; 3], helper: &'static Helper, with_less: fn(&mut Cx, Val, Val) -> Val) {
    let Some(t) = cx.unstarted().filter(|_| d != m && !(v == 0 && d == 0)) else { return cx.undefined() };
    if t.max(cx.vlenb()) > 64 {
        cx.by_file(helper, Ty::Void, &[]);
        return;
    }
    let words = active_words(cx, t, m, v == 0).expect("one word");
    let less = cx.b.add_imm(words[0], -1);
    let new = with_less(cx, words[0], less);
    let new = cx.b.v_from_scalar(new);
    cx.set_mask(t, v == 0, d, vec![new]);
}

rows! { first(d m v):
    vmsbf Vmsbf(&file::SBF, |cx, bits, less| cx.b.and_not(less, bits));
    vmsif Vmsif(&file::SIF, |cx, bits, less| cx.b.xor(less, bits));
    vmsof Vmsof(&file::SOF, |cx, bits, less| cx.b.and_not(bits, less));
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
    let t = cx.vector().filter(|t| cx.group(i.d, *t).is_legal() && !(i.v == 0 && i.d == 0));
    let Some(t) = t else { return cx.undefined() };
    let d = cx.group(i.d, t);
    cx.each(t, i.v == 0, d, |cx, k, _| {
        let (each, bits) = (16 / d.lane.bytes() as u32, d.lane.bits());
        let number = |i: u32| u128::from(u64::from(k * each + i) & d.lane.mask()) << (i * bits);
        cx.b.v128((0..each).fold(0, |v, i| v | number(i)))
    });
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

/// Kinds of slides, and what else has a scalar.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Slide {
    Up,
    Down,
    Up1,
    Down1,
    /// Every element is the one with the scalar's number.
    Gather,
}

fn slide(cx: &mut Cx, [d, m, n, v, k]: [u32; 5], helper: &'static Helper, kind: Slide) {
    // Else the destination may not be the source.
    let apart = !matches!(kind, Slide::Down | Slide::Down1);
    let Some(t) = cx.vector() else { return cx.undefined() };
    let (gd, gm) = (cx.group(d, t), cx.group(m, t));
    let float = k != form::FLOAT || cx.has_floats(t.sew) && cx.vector_env().is_some();
    if !(gd.is_legal() && gm.is_legal() && float) || apart && gd.overlaps(gm) || v == 0 && (d == 0 || m == 0) {
        return cx.undefined();
    }
    let s = scalar(cx, n, k, t);
    match (kind, cx.b.const_of(s)) {
        (Slide::Up, Some(by)) => up(cx, [d, m, v], t, by, None),
        (Slide::Down, Some(by)) => down(cx, [d, m, v], t, by, None),
        (Slide::Up1, _) => up(cx, [d, m, v], t, 1, Some(s)),
        (Slide::Down1, _) if t.full => down(cx, [d, m, v], t, 1, Some(s)),
        (Slide::Up | Slide::Down, _) if cx.pieces(t.lmul) == 1 => within(cx, [d, m, v], t, kind, s),
        _ => {
            cx.by_file(helper, Ty::Void, &[s]);
            cx.finish();
        }
    }
}

/// Piece `k` of a group that is followed, and preceded, by zeros.
fn or_zero(cx: &mut Cx, g: Group, k: i64) -> Val {
    if (0..i64::from(cx.pieces(g.lmul))).contains(&k) { cx.piece(g.reg, k as u32) } else { cx.b.v128(0) }
}

/// Elements from `by` elements further on; the last becomes the scalar.
fn down(cx: &mut Cx, [d, m, v]: [u32; 3], t: Vector, by: u64, s: Option<Val>) {
    let (gd, gm) = (cx.group(d, t), cx.group(m, t));
    let (width, max) = (gd.lane.bytes() as u64, t.max(cx.vlenb()));
    let bytes = (by.min(max.into()) * width) as i64;
    cx.each(t, v == 0, gd, |cx, k, _| {
        let first = i64::from(k) + bytes / 16;
        let (low, high) = (or_zero(cx, gm, first), or_zero(cx, gm, first + 1));
        let (low, high) = (below_max(cx, gm, t, low), below_max(cx, gm, t, high));
        let moved = if bytes % 16 == 0 { low } else { cx.b.vext(low, high, (bytes % 16) as u32) };
        let each = 16 / width as u32;
        match s {
            Some(s) if (max - 1) / each == k => {
                let s = cx.b.trunc(gd.lane.ty(), s);
                cx.b.vset(gd.lane, moved, s, (max - 1) % each)
            }
            _ => moved,
        }
    });
}

/// Up or down within one piece, as far as is not known: each byte is one by its number, or zero.
fn within(cx: &mut Cx, [d, m, v]: [u32; 3], t: Vector, kind: Slide, by: Val) {
    let (gd, gm) = (cx.group(d, t), cx.group(m, t));
    let sixteen = cx.b.i64(16);
    let is_more = cx.b.cmp(IntCc::Ugt, by, sixteen);
    let by = cx.b.select(is_more, sixteen, by);
    let bytes = cx.b.shift_imm(Bin::Shl, by, gd.lane as u32);
    let bytes = cx.b.trunc(Ty::I8, bytes);
    let bytes = cx.b.vsplat(Lane::B, bytes);
    cx.each(t, v == 0, gd, |cx, _, _| {
        let source = cx.piece(m, 0);
        let iota = cx.b.v128((0..16).fold(0, |v, i| v | i << (8 * i)));
        if kind == Slide::Down {
            let source = below_max(cx, gm, t, source);
            let from = cx.b.v2(V2::Add, Lane::B, iota, bytes);
            return cx.b.v2(V2::Tbl, Lane::B, source, from);
        }
        let from = cx.b.v2(V2::Sub, Lane::B, iota, bytes);
        let moved = cx.b.v2(V2::Tbl, Lane::B, source, from);
        let (old, stays) = (cx.piece(d, 0), cx.b.v2(V2::CmpGtU, Lane::B, bytes, iota));
        cx.blend(Some(stays), old, moved)
    });
}

/// A piece without what stands above a group that is less than a piece.
fn below_max(cx: &mut Cx, g: Group, t: Vector, v: Val) -> Val {
    let bits = t.max(cx.vlenb()) * g.lane.bits();
    if bits >= 128 {
        return v;
    }
    let kept = cx.b.v128((1 << bits) - 1);
    cx.b.v2(V2::And, Lane::D, v, kept)
}

/// Elements from `by` elements before; those that have none stay, or the first becomes the scalar.
fn up(cx: &mut Cx, [d, m, v]: [u32; 3], t: Vector, by: u64, s: Option<Val>) {
    let (gd, gm) = (cx.group(d, t), cx.group(m, t));
    let (width, max) = (gd.lane.bytes() as u64, t.max(cx.vlenb()));
    let bytes = (by.min(max.into()) * width) as i64;
    cx.each(t, v == 0, gd, |cx, k, _| {
        let last = i64::from(k) - bytes / 16;
        let (low, high) = (or_zero(cx, gm, last - 1), or_zero(cx, gm, last));
        let moved = if bytes % 16 == 0 { high } else { cx.b.vext(low, high, (16 - bytes % 16) as u32) };
        if let (Some(s), 0) = (s, k) {
            let s = cx.b.trunc(gd.lane.ty(), s);
            return cx.b.vset(gd.lane, moved, s, 0);
        }
        let stay = (bytes - i64::from(16 * k)).clamp(0, 16);
        if s.is_some() || stay == 0 {
            return moved;
        }
        let old = cx.piece(d, k);
        let mask = cx.b.v128(u128::MAX.checked_shr(128 - 8 * stay as u32).unwrap_or(0));
        cx.blend(Some(mask), old, moved)
    });
}

rows! { slide(d m n v k):
    vslideup Vslideup(&file::SLIDEUP, Slide::Up);
    vslidedown Vslidedown(&file::SLIDEDOWN, Slide::Down);
    vslide1up Vslide1up(&file::SLIDE1UP, Slide::Up1);
    vslide1down Vslide1down(&file::SLIDE1DOWN, Slide::Down1);
    vfslide1up Vfslide1up(&file::SLIDE1UP, Slide::Up1);
    vfslide1down Vfslide1down(&file::SLIDE1DOWN, Slide::Down1);
}

pub(crate) fn vrgather(cx: &mut Cx, i: Vrgather) {
    if !form::is_vector(i.k) {
        return slide(cx, [i.d, i.m, i.n, i.v, i.k], &file::GATHER_SCALAR, Slide::Gather);
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
    if cx.pieces(t.lmul) == 1 && width == t.sew {
        return cx.each(t, v == 0, gd, |cx, _, _| gather(cx, gd.lane, t.max(cx.vlenb()), [m, n]));
    }
    cx.by_file(helper, Ty::Void, &[]);
    cx.finish();
}

/// Lanes of a piece by their numbers in another; 0 for those that are not below `max`.
fn gather(cx: &mut Cx, lane: Lane, max: u32, [m, n]: [u32; 2]) -> Val {
    let (v, index) = (cx.piece(m, 0), cx.piece(n, 0));
    let most = cx.splat(lane, max.into());
    let is_there = cx.b.v2(V2::CmpGtU, lane, most, index);
    // Each byte: the lane's number times its bytes, and which of them it is.
    let size = lane.bytes() as u32;
    let lowest = cx.b.v128((0..16).fold(0, |v, i| v | u128::from(i / size * size) << (8 * i)));
    let number = cx.b.v2(V2::Tbl, Lane::B, index, lowest);
    let number = if size == 1 { number } else { cx.b.vshift(VShift::Shl, Lane::H, number, size.trailing_zeros()) };
    let within = cx.b.v128((0..16).fold(0, |v, i| v | u128::from(i % size) << (8 * i)));
    let bytes = cx.b.v2(V2::Or, Lane::D, number, within);
    let found = cx.b.v2(V2::Tbl, Lane::B, v, bytes);
    cx.b.v2(V2::And, Lane::D, found, is_there)
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
