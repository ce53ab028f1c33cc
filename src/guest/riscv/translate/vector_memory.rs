//! V's loads and stores (chapter 7): whole pieces where all elements in a row are accessed, else element by element (`vector_elements.rs`), so that
//! a fault leaves vstart as the manual asks.
//!
//! Differs: a fault in the former leaves vstart 0, from where the instruction may be repeated as well.

use super::vector::{Bottom, Group};
use super::vector_elements::{Access, Place, access, element_wise};
use super::{Cx, rows};
use crate::insn::*;
use crate::state::{VL, VSTART, Vector};
use ir::{IntCc, Lane, Mem, Term, Ty, V2, V3, Val};

/// log2 of the bytes that the width field names.
fn bytes(e: u32) -> u32 {
    e & 3
}

/// The instruction on elements of 2^`width` bytes: vtype with them, if its groups are legal.
fn legal(cx: &Cx, d: u32, f: u32, width: u32) -> Option<(Vector, Group)> {
    let t = cx.vector()?;
    let g = Group { reg: d, lane: Lane::log2(width), lmul: t.lmul + width as i32 - t.sew as i32 };
    fits(g, f).then_some((t, g))
}

/// Whether a segment's fields have registers.
fn fits(g: Group, f: u32) -> bool {
    let each = 1 << g.lmul.max(0);
    g.is_legal() && (f + 1) * each <= 8 && g.reg + (f + 1) * each <= 32
}

// ---- pieces ----

/// Where piece `k` from xn on is.
fn place(cx: &mut Cx, n: u32, k: u32) -> Mem {
    cx.access(n, 16 * k as i32, 16)
}

/// Loads that many pieces.
fn load_pieces(cx: &mut Cx, d: u32, n: u32, count: u32) {
    let values: Vec<Val> = (0..count)
        .map(|k| {
            let mem = place(cx, n, k);
            cx.b.load(Ty::V128, mem)
        })
        .collect();
    (0..).zip(values).for_each(|(k, v)| cx.set_piece(d, k, v));
}

fn store_pieces(cx: &mut Cx, d: u32, n: u32, count: u32) {
    for k in 0..count {
        let (mem, v) = (place(cx, n, k), cx.piece(d, k));
        cx.b.store(mem, v);
    }
}

/// The bytes of a group in a row, as many as vl says: I64.
fn length(cx: &mut Cx, width: u32) -> Val {
    let vl = cx.b.get(VL);
    let vl = cx.b.zext(Ty::I64, vl);
    cx.b.shift_imm(ir::Bin::Shl, vl, width)
}

/// The first `length` bytes of a group: whole pieces, then a part of one. Where that ends, in a block of its own, `part` does it.
fn in_part(cx: &mut Cx, width: u32, count: u32, whole: impl Fn(&mut Cx, u32), part: impl Fn(&mut Cx, u32, Val)) {
    let end = cx.b.block();
    for k in 0..count {
        let left = length(cx, width);
        let left = cx.b.add_imm(left, -i64::from(16 * k));
        let (full, not_full) = (cx.b.block(), cx.b.block());
        let sixteen = cx.b.i64(16);
        let is_full = cx.b.cmp(IntCc::Sge, left, sixteen);
        cx.b.branch(is_full, full, not_full);
        cx.b.enter(not_full);
        let some = cx.b.block();
        let left = length(cx, width);
        let left = cx.b.add_imm(left, -i64::from(16 * k));
        let zero = cx.b.i64(0);
        let any = cx.b.cmp(IntCc::Sgt, left, zero);
        cx.b.branch(any, some, end);
        cx.b.enter(some);
        let left = length(cx, width);
        let left = cx.b.add_imm(left, -i64::from(16 * k));
        part(cx, k, left);
        cx.b.end(Term::Jump(end));
        cx.b.enter(full);
        whole(cx, k);
    }
    cx.b.end(Term::Jump(end));
    cx.b.enter(end);
}

/// The first `left` (1 to 15) bytes of piece `k`, by an access of 16 that touches no page that they do not: they are its first, or, where
/// it would reach into the next page, its last ones.
fn load_part(cx: &mut Cx, d: u32, n: u32, k: u32, left: Val) {
    let offset = cx.b.i64((16 * k).into());
    let at = cx.address(n, offset);
    let in_page = cx.b.and_imm(at, 4095);
    let last = cx.b.i64(4096 - 16);
    let is_near_end = cx.b.cmp(IntCc::Ugt, in_page, last);
    let back = cx.b.add_imm(left, -16);
    let zero = cx.b.i64(0);
    let back = cx.b.select(is_near_end, back, zero);
    let from = cx.b.add(at, back);
    let v = cx.b.load(Ty::V128, Mem::at(from, 16));
    let shift = cx.b.neg(back);
    let [shift, left] = [shift, left].map(|v| {
        let v = cx.b.trunc(Ty::I8, v);
        cx.b.vsplat(Lane::B, v)
    });
    let iota = cx.b.v128((0..16).fold(0, |v, i| v | i << (8 * i)));
    let index = cx.b.v2(V2::Add, Lane::B, iota, shift);
    let v = cx.b.v2(V2::Tbl, Lane::B, v, index);
    let below = cx.b.v2(V2::CmpGtU, Lane::B, left, iota);
    let old = cx.piece(d, k);
    let v = cx.b.v3(V3::BitSelect, Lane::B, below, v, old);
    cx.set_piece(d, k, v);
}

/// Stores the first `left` (1 to 15) bytes of piece `k`: 8, 4, 2 and 1 of them.
fn store_part(cx: &mut Cx, d: u32, n: u32, k: u32, width: u32) {
    for size in [8u32, 4, 2, 1].into_iter().filter(|size| *size >= 1 << width) {
        let (some, rest) = (cx.b.block(), cx.b.block());
        let left = length(cx, width);
        let bit = cx.b.and_imm(left, size.into());
        let zero = cx.b.i64(0);
        let any = cx.b.cmp(IntCc::Ne, bit, zero);
        cx.b.branch(any, some, rest);
        cx.b.enter(some);
        let left = length(cx, width);
        // What is above this bit of the length was stored before.
        let done = cx.b.and_imm(left, 15 & !(2 * u64::from(size) - 1));
        let at = cx.address(n, done);
        let v = cx.piece(d, k);
        let shift = cx.b.trunc(Ty::I8, done);
        let shift = cx.b.vsplat(Lane::B, shift);
        let iota = cx.b.v128((0..16).fold(0, |v, i| v | i << (8 * i)));
        let index = cx.b.v2(V2::Add, Lane::B, iota, shift);
        let v = cx.b.v2(V2::Tbl, Lane::B, v, index);
        let v = cx.b.vget(Ty::I64, v, 0);
        cx.b.store(Mem::at(at, size as u8).disp(16 * k as i32), v);
        cx.b.end(Term::Jump(rest));
        cx.b.enter(rest);
    }
}

// ---- the instructions ----

fn unit(cx: &mut Cx, [d, n, v, f, e]: [u32; 5], loads: bool) {
    let width = bytes(e);
    let Some((t, g)) = legal(cx, d, f, width) else { return cx.undefined() };
    if v == 0 && loads && d == 0 {
        return cx.undefined();
    }
    let count = cx.pieces(g.lmul);
    if v == 0 || t.started || f > 0 {
        let (lane, is_masked, registers) = (g.lane, v == 0, 1 << g.lmul.max(0));
        return access(cx, t, Access { d, n, f, lane, is_masked, place: Place::Unit, loads, registers });
    }
    let size = t.max(cx.vlenb()) << width;
    match (t.full, size < 16, loads) {
        (true, true, _) => small(cx, d, n, size, loads),
        (true, false, true) => load_pieces(cx, d, n, count),
        (true, false, false) => store_pieces(cx, d, n, count),
        (false, _, true) => load_in_part(cx, d, n, width, count),
        (false, _, false) => store_in_part(cx, d, n, width, count),
    }
}

/// 1, 2, 4 or 8 bytes.
fn small(cx: &mut Cx, d: u32, n: u32, size: u32, loads: bool) {
    let (lane, mem) = (Lane::log2(size.trailing_zeros()), cx.access(n, 0, size as u8));
    if loads {
        let v = cx.b.load(lane.ty(), mem);
        let alone = cx.b.v_from_scalar(v);
        let old = cx.piece(d, 0);
        let whole = cx.b.vset(lane, old, v, 0);
        cx.set_piece(d, 0, whole);
        cx.bottoms.push(Bottom { whole, alone, bytes: size });
    } else {
        let v = cx.piece(d, 0);
        let v = cx.b.vget(lane.ty(), v, 0);
        cx.b.store(mem, v);
    }
}

fn load_in_part(cx: &mut Cx, d: u32, n: u32, width: u32, count: u32) {
    let whole = |cx: &mut Cx, k: u32| {
        let mem = place(cx, n, k);
        let v = cx.b.load(Ty::V128, mem);
        cx.set_piece(d, k, v);
    };
    in_part(cx, width, count, whole, |cx, k, left| load_part(cx, d, n, k, left));
}

fn store_in_part(cx: &mut Cx, d: u32, n: u32, width: u32, count: u32) {
    let whole = |cx: &mut Cx, k: u32| {
        let (mem, v) = (place(cx, n, k), cx.piece(d, k));
        cx.b.store(mem, v);
    };
    in_part(cx, width, count, whole, |cx, k, _| store_part(cx, d, n, k, width));
}

rows! { unit(d n v f e):
    vle Vle(true);
    vse Vse(false);
}

/// How many elements of so many bytes fit between xn and the end of its page, but at least one: I64.
fn room(cx: &mut Cx, n: u32, bytes: u32) -> Val {
    let at = cx.x(n);
    let in_page = cx.b.and_imm(at, 4095);
    let page = cx.b.i64(4096);
    let left = cx.b.sub(page, in_page);
    let room = if bytes.is_power_of_two() {
        cx.b.shift_imm(ir::Bin::Shr, left, bytes.trailing_zeros())
    } else {
        let bytes = cx.b.i64(bytes.into());
        cx.b.bin(ir::Bin::DivU, left, bytes)
    };
    let (zero, one) = (cx.b.i64(0), cx.b.i64(1));
    let none = cx.b.cmp(IntCc::Eq, room, zero);
    cx.b.select(none, one, room)
}

/// Fault-only-first: elements that lie beyond the first one's page are left for the next time, which the manual allows ("vl may be less for
/// any reason"): so only the first can fault.
pub(crate) fn vle_ff(cx: &mut Cx, i: VleFf) {
    let width = bytes(i.e);
    let Some((t, _)) = legal(cx, i.d, i.f, width).filter(|_| !(i.v == 0 && i.d == 0)) else {
        return cx.undefined();
    };
    let fitting = room(cx, i.n, (i.f + 1) << width);
    let vl = cx.b.get(VL);
    let vl = cx.b.zext(Ty::I64, vl);
    let fits = cx.b.cmp(IntCc::Ule, vl, fitting);
    let (all, part) = (cx.b.block(), cx.b.block());
    cx.b.branch(fits, all, part);
    cx.b.enter(part);
    // Again with a shorter vl: nothing has happened yet.
    let room = room(cx, i.n, (i.f + 1) << width);
    let room = cx.b.trunc(Ty::I32, room);
    let pc = cx.pc;
    if t.started {
        // vstart may lie beyond.
        let start = cx.b.get(VSTART);
        let start = cx.b.add_imm(start, 1);
        let beyond = cx.b.cmp(IntCc::Ult, room, start);
        let room = cx.b.select(beyond, start, room);
        cx.b.set(VL, room);
        cx.b.end(Term::Resume { pc });
    } else {
        cx.b.set(VL, room);
        // It is less than it was.
        let mode = Vector { full: false, ..Vector::of_mode(cx.mode) }.in_mode(cx.mode);
        cx.go_on(pc, mode);
    }
    cx.b.enter(all);
    unit(cx, [i.d, i.n, i.v, i.f, i.e], true);
}

/// A mask's bytes.
fn mask(cx: &mut Cx, [d, n]: [u32; 2], loads: bool) {
    let Some(t) = cx.vector() else { return cx.undefined() };
    let bytes = t.max(cx.vlenb()).div_ceil(8);
    match (t.full && !t.started, loads) {
        (true, _) if bytes < 16 => small(cx, d, n, bytes, loads),
        (true, true) => load_pieces(cx, d, n, bytes / 16),
        (true, false) => store_pieces(cx, d, n, bytes / 16),
        _ => element_wise(cx, n, 0, 0, 0, loads),
    }
}

rows! { mask(d n):
    vlm Vlm(true);
    vsm Vsm(false);
}

/// Whole registers: vtype does not matter.
fn registers(cx: &mut Cx, [d, n, f]: [u32; 3], width: u32, loads: bool) {
    if d & f != 0 {
        return cx.undefined();
    }
    let count = (f + 1) * cx.vlenb() / 16;
    match (Vector::of_mode(cx.mode).started, loads) {
        (true, _) => element_wise(cx, n, 0, width, 0, loads),
        (false, true) => load_pieces(cx, d, n, count),
        (false, false) => store_pieces(cx, d, n, count),
    }
}

pub(crate) fn vlr(cx: &mut Cx, i: Vlr) {
    registers(cx, [i.d, i.n, i.f], bytes(i.e), true);
}

pub(crate) fn vsr(cx: &mut Cx, i: Vsr) {
    registers(cx, [i.d, i.n, i.f], 0, false);
}

fn strided(cx: &mut Cx, [d, m, n, v, f, e]: [u32; 6], loads: bool) {
    let width = bytes(e);
    let Some((t, g)) = legal(cx, d, f, width).filter(|_| v == 1 || !loads || d != 0) else { return cx.undefined() };
    let (lane, is_masked, registers) = (g.lane, v == 0, 1 << g.lmul.max(0));
    access(cx, t, Access { d, n, f, lane, is_masked, place: Place::Strided(m), loads, registers });
}

rows! { strided(d m n v f e):
    vlse Vlse(true);
    vsse Vsse(false);
}

/// Elements as vtype has them, indices of the width that the instruction names.
fn indexed(cx: &mut Cx, [d, m, n, v, f, e]: [u32; 6], loads: bool) {
    let (Some(t), width) = (cx.vector(), bytes(e)) else { return cx.undefined() };
    let data = cx.group(d, t);
    let index = Group { reg: m, lane: Lane::log2(width), lmul: t.lmul + width as i32 - t.sew as i32 };
    let mut fields = (0..=f).map(|at| Group { reg: d + at * (1 << t.lmul.max(0)), ..data });
    let apart = match (loads, f) {
        (true, 0) => data.may_replace(index),
        (true, _) => fields.all(|g| !g.overlaps(index)),
        (false, _) => data.agrees(index),
    };
    let masks = v == 0 && (m == 0 || d == 0);
    if !(fits(data, f) && index.is_legal() && apart) || masks {
        return cx.undefined();
    }
    let (lane, is_masked, registers) = (data.lane, v == 0, 1 << t.lmul.max(0));
    access(cx, t, Access { d, n, f, lane, is_masked, place: Place::Indexed(m, index.lane), loads, registers });
}

rows! { indexed(d m n v f e):
    vlxei Vlxei(true);
    vsxei Vsxei(false);
}
