//! Advanced SIMD that moves lanes: copy, table lookup, permute, extract, modified immediate (Arm ARM C4.1.96).

use super::Cx;
use super::simd::{is_scalar, lane, moved, rows};
use crate::insn::*;
use ir::{Lane, Ty, V1, V2, V3, Val};

// ---- copy ----

/// The lane in a copy's immediate: its lowest one.
fn copy_lane(i: u32) -> Lane {
    Lane::log2(i.trailing_zeros())
}

/// The index above it.
fn copy_index(i: u32) -> u32 {
    i >> (i.trailing_zeros() + 1)
}

pub(crate) fn dup_elem(cx: &mut Cx, i: DupElem) {
    let (a, lane) = (cx.v(i.n), copy_lane(i.i));
    if is_scalar(i.k) {
        let low = cx.b.vget(moved(lane), a, copy_index(i.i));
        return cx.set_fp(i.d, low);
    }
    let v = cx.b.vsplat_lane(lane, a, copy_index(i.i));
    cx.set_v(i.q, i.d, v);
}

/// The low bits of Xn as a scalar of the lane's type.
fn lane_of_x(cx: &mut Cx, lane: Lane, n: u32) -> Val {
    let x = cx.x(n);
    cx.b.trunc(lane.ty(), x)
}

pub(crate) fn dup_gen(cx: &mut Cx, i: DupGen) {
    let lane = copy_lane(i.i);
    let x = lane_of_x(cx, lane, i.n);
    let v = cx.b.vsplat(lane, x);
    cx.set_v(i.q, i.d, v);
}

pub(crate) fn smov(cx: &mut Cx, i: Smov) {
    let a = cx.v(i.n);
    let low = cx.b.vget(copy_lane(i.i).ty(), a, copy_index(i.i));
    let v = cx.b.sext(super::width(i.q), low);
    cx.set_r(i.d, v);
}

pub(crate) fn umov(cx: &mut Cx, i: Umov) {
    let a = cx.v(i.n);
    let low = cx.b.vget(copy_lane(i.i).ty(), a, copy_index(i.i));
    cx.set_r(i.d, low);
}

pub(crate) fn ins_gen(cx: &mut Cx, i: InsGen) {
    let (c, lane) = (cx.v(i.d), copy_lane(i.i));
    let x = lane_of_x(cx, lane, i.n);
    let v = cx.b.vset(lane, c, x, copy_index(i.i));
    cx.set_whole(i.d, v);
}

pub(crate) fn ins_elem(cx: &mut Cx, i: InsElem) {
    let (c, a, lane) = (cx.v(i.d), cx.v(i.n), copy_lane(i.i));
    let from = i.j >> lane as u32;
    let v = match (lane, from, copy_index(i.i)) {
        (Lane::D, 0, 1) => cx.b.v2(V2::ConcatLo, Lane::D, c, a),
        (Lane::D, 1, 0) => cx.b.v2(V2::ConcatHi, Lane::D, a, c),
        (_, from, to) => {
            let v = cx.b.vget(moved(lane), a, from);
            cx.b.vset(lane, c, v, to)
        }
    };
    cx.set_whole(i.d, v);
}

// ---- table lookup ----

/// The bytes that the index vector chooses from the `l` + 1 registers at Vn, 0 where it is out of range.
fn lookup(cx: &mut Cx, l: u32, n: u32, index: Val) -> Val {
    let table = cx.v(n);
    let mut v = cx.b.v2(V2::Tbl, Lane::B, table, index);
    for i in 1..=l {
        let table = cx.v((n + i) % 32);
        let base = cx.splat(Lane::B, u64::from(i) * 16);
        // Below the base the index wraps to a large one.
        let relative = cx.b.v2(V2::Sub, Lane::B, index, base);
        let part = cx.b.v2(V2::Tbl, Lane::B, table, relative);
        v = cx.b.v2(V2::Or, Lane::D, v, part);
    }
    v
}

pub(crate) fn tbl(cx: &mut Cx, i: Tbl) {
    let index = cx.v(i.m);
    let v = lookup(cx, i.l, i.n, index);
    cx.set_v(i.q, i.d, v);
}

pub(crate) fn tbx(cx: &mut Cx, i: Tbx) {
    let (index, c) = (cx.v(i.m), cx.v(i.d));
    let v = lookup(cx, i.l, i.n, index);
    let size = cx.splat(Lane::B, u64::from(i.l + 1) * 16);
    let inside = cx.b.v2(V2::CmpGtU, Lane::B, size, index);
    let v = cx.b.v3(V3::BitSelect, Lane::B, inside, v, c);
    cx.set_v(i.q, i.d, v);
}

// ---- permute, extract ----

fn transpose(cx: &mut Cx, [e, d, n, m]: [u32; 4], op: V2) {
    let (a, b) = (cx.v(n), cx.v(m));
    let v = cx.b.v2(op, lane(e), a, b);
    cx.set_v(e >> 2, d, v);
}

rows! { transpose(e d n m):
    trn1 Trn1(V2::TrnEven);
    trn2 Trn2(V2::TrnOdd);
    zip1 Zip1(V2::ZipLo);
}

/// ZIP2: of 64-bit vectors it is the high half of the interleaved low halves.
pub(crate) fn zip2(cx: &mut Cx, i: Zip2) {
    let (a, b) = (cx.v(i.n), cx.v(i.m));
    let v = if i.e >> 2 == 1 {
        cx.b.v2(V2::ZipHi, lane(i.e), a, b)
    } else {
        let v = cx.b.v2(V2::ZipLo, lane(i.e), a, b);
        cx.b.v1(V1::MoveHi, Lane::D, v)
    };
    cx.set_whole(i.d, v);
}

/// UZP1 (`odd` false), UZP2.
fn unzip(cx: &mut Cx, [e, d, n, m]: [u32; 4], op: V2) {
    let (mut a, mut b) = (cx.v(n), cx.v(m));
    if e >> 2 == 0 {
        a = cx.b.v2(V2::ConcatLo, Lane::D, a, b);
        b = a;
    }
    let v = cx.b.v2(op, lane(e), a, b);
    cx.set_v(e >> 2, d, v);
}

rows! { unzip(e d n m):
    uzp1 Uzp1(V2::UnzipEven);
    uzp2 Uzp2(V2::UnzipOdd);
}

pub(crate) fn ext(cx: &mut Cx, i: Ext) {
    let (mut a, mut b) = (cx.v(i.n), cx.v(i.m));
    if i.q == 0 {
        a = cx.b.v2(V2::ConcatLo, Lane::D, a, b);
        b = a;
    }
    let v = cx.b.vext(a, b, i.i);
    cx.set_v(i.q, i.d, v);
}

// ---- modified immediate ----

/// Arm ARM AdvSIMDExpandImm: 64 bits from cmode, op and the 8-bit immediate; cmode 15 is left to FMOV. MVNI is not inverted.
pub(crate) fn modified_immediate(cmode: u32, op: u32, imm: u32) -> u64 {
    let imm = u64::from(imm);
    let words = |v: u64| v | v << 32;
    match cmode {
        0..=7 => words(imm << (cmode / 2 * 8)),
        8..=11 => words((imm << (cmode / 2 % 2 * 8)) * 0x1_0001),
        12 => words(imm << 8 | 0xff),
        13 => words(imm << 16 | 0xffff),
        _ if op == 0 => imm * 0x0101_0101_0101_0101,
        _ => (0..8).filter(|bit| imm >> bit & 1 == 1).fold(0, |v, bit| v | 0xff << (8 * bit)),
    }
}

/// The immediate in every doubleword.
fn expanded(cx: &mut Cx, c: u32, o: u32, i: u32) -> Val {
    let value = modified_immediate(c, o, i);
    cx.splat(Lane::D, value)
}

pub(crate) fn movi(cx: &mut Cx, i: Movi) {
    let v = expanded(cx, i.c, i.o, i.i);
    cx.set_v(i.q, i.d, v);
}

pub(crate) fn mvni(cx: &mut Cx, i: Mvni) {
    let v = cx.splat(Lane::D, !modified_immediate(i.c, 1, i.i));
    cx.set_v(i.q, i.d, v);
}

pub(crate) fn orr_vimm(cx: &mut Cx, i: OrrVimm) {
    let (c, v) = (cx.v(i.d), expanded(cx, i.c, i.o, i.i));
    let v = cx.b.v2(V2::Or, Lane::D, c, v);
    cx.set_v(i.q, i.d, v);
}

pub(crate) fn bic_vimm(cx: &mut Cx, i: BicVimm) {
    let (c, v) = (cx.v(i.d), expanded(cx, i.c, i.o, i.i));
    let v = cx.b.v2(V2::AndNot, Lane::D, c, v);
    cx.set_v(i.q, i.d, v);
}

/// Arm ARM VFPExpandImm: sign, three bits of exponent, four of fraction.
pub(super) fn expand_fp_immediate(ty: Ty, imm: u32) -> u64 {
    let (exponent, fraction) = match ty {
        Ty::F16 => (5, 10),
        Ty::F32 => (8, 23),
        _ => (11, 52),
    };
    let (sign, high, low) = (u64::from(imm >> 7 & 1), u64::from(imm >> 6 & 1), u64::from(imm & 0x3f));
    // NOT(b6), then b6 repeated, then the lowest two bits of exponent and the fraction.
    let repeated = if high == 1 { (1 << (exponent - 3)) - 1 } else { 0 };
    sign << (exponent + fraction)
        | (high ^ 1) << (exponent + fraction - 1)
        | repeated << (fraction + 2)
        | low << (fraction - 4)
}

/// FMOV (vector, immediate).
pub(crate) fn fmov_vimm(cx: &mut Cx, i: FmovVimm) {
    let fmt = super::simd::scalar_fmt(i.t);
    let value = expand_fp_immediate(fmt.ty(), i.i);
    let v = cx.splat(fmt.lane(), value);
    cx.set_v(i.q, i.d, v);
}
