//! Zvbb and Zvbc: bits of vector elements, rotations, carry-less products.

use super::vector::Source;
use super::vector_integer::{Fields, Shift, Width, groups, known, same, shifted, widened};
use super::{Cx, rows};
use crate::insn::*;
use ir::{Lane, V1, V2, Val};

/// An operation on one source: `f` gives a piece of it.
fn unary(cx: &mut Cx, [d, m, v]: [u32; 3], f: fn(&mut Cx, Lane, Val) -> Val) {
    // Of one source: as if both were it.
    same(cx, [d, m, m, v, 0], false, |cx, lane, a, _| f(cx, lane, a));
}

fn reversed_bytes(cx: &mut Cx, lane: Lane, a: Val) -> Val {
    if lane == Lane::B { a } else { cx.b.v1(V1::Bswap, lane, a) }
}

fn reversed_bits(cx: &mut Cx, lane: Lane, a: Val) -> Val {
    let v = cx.b.v1(V1::Bitrev, Lane::B, a);
    reversed_bytes(cx, lane, v)
}

fn leading_zeros(cx: &mut Cx, lane: Lane, a: Val) -> Val {
    cx.b.v1(V1::Clz, lane, a)
}

/// The bits below the lowest one, counted from the top.
fn trailing_zeros(cx: &mut Cx, lane: Lane, a: Val) -> Val {
    let (ones, width) = (cx.splat(lane, u64::MAX), cx.splat(lane, lane.bits().into()));
    let less = cx.b.v2(V2::Add, lane, a, ones);
    let below = cx.b.v2(V2::AndNot, Lane::D, less, a);
    let zeros = leading_zeros(cx, lane, below);
    cx.b.v2(V2::Sub, lane, width, zeros)
}

fn population(cx: &mut Cx, lane: Lane, a: Val) -> Val {
    let bytes = cx.b.v1(V1::Popcnt, Lane::B, a);
    (0..lane as u32).fold(bytes, |v, narrow| cx.b.v1(V1::PairAddU, Lane::log2(narrow), v))
}

rows! { unary(d m v):
    vbrev8 Vbrev8(|cx, _, a| reversed_bits(cx, Lane::B, a));
    vrev8 Vrev8(reversed_bytes);
    vbrev Vbrev(reversed_bits);
    vclz Vclz(leading_zeros);
    vctz Vctz(trailing_zeros);
    vcpop_v VcpopV(population);
}

pub(crate) fn vandn(cx: &mut Cx, i: Vandn) {
    same(cx, [i.d, i.m, i.n, i.v, i.k], true, |cx, _, a, b| cx.b.v2(V2::AndNot, Lane::D, a, b));
}

// ---- rotations ----

fn rotate(cx: &mut Cx, i: Fields, to: Shift) {
    same(cx, i, true, |cx, lane, a, b| {
        let back = if to == Shift::Left { Shift::Right } else { Shift::Left };
        let opposite = cx.b.v1(V1::Neg, lane, b);
        let (one, other) = (shifted(cx, to, lane, a, b, None), shifted(cx, back, lane, a, opposite, None));
        cx.b.v2(V2::Or, Lane::D, one, other)
    });
}

rows! { rotate(d m n v k):
    vrol Vrol(Shift::Left);
    vror Vror(Shift::Right);
}

/// Its amount has six bits.
pub(crate) fn vror_i(cx: &mut Cx, i: VrorI) {
    same(cx, [i.d, i.m, i.m, i.v, 0], true, |cx, lane, a, _| {
        let left = lane.bits() - i.i % lane.bits();
        let one = shifted(cx, Shift::Right, lane, a, a, Some(i.i));
        let other = shifted(cx, Shift::Left, lane, a, a, Some(left));
        cx.b.v2(V2::Or, Lane::D, one, other)
    });
}

pub(crate) fn vwsll(cx: &mut Cx, i: Vwsll) {
    let i = [i.d, i.m, i.n, i.v, i.k];
    widened(cx, i, Width::Wide, [false; 2], |cx, d, _, [a, b]| shifted(cx, Shift::Left, d.lane, a, b, known(i)));
}

// ---- carry-less products ----

/// One half of each product; of 64 bits only.
fn carryless(cx: &mut Cx, i: Fields, half: V2) {
    let [_, m, n, v, k] = i;
    let Some((t, [d, ..])) = groups(cx, i, Width::Same).filter(|(t, _)| t.sew == 3) else { return cx.undefined() };
    let source: Source = cx.source(k, n, d.lane, true);
    cx.each(t, v == 0, d, |cx, k, _| {
        let (a, b) = (cx.piece(m, k), cx.source_piece(source, k));
        let [high_a, high_b] = [a, b].map(|v| cx.b.v1(V1::MoveHi, Lane::D, v));
        let low = cx.b.v2(V2::PMulWide, Lane::D, a, b);
        let high = cx.b.v2(V2::PMulWide, Lane::D, high_a, high_b);
        cx.b.v2(half, Lane::D, low, high)
    });
}

rows! { carryless(d m n v k):
    vclmul Vclmul(V2::ZipLo);
    vclmulh Vclmulh(V2::ZipHi);
}
