//! EVEX: moves, and elements from one piece to another.

use super::Cx;
use super::evex::lane_of;
use crate::insn::{Row, rows as all_rows};
use iced_x86::{Instruction, OpKind, Register};
use ir::{Lane, V1, V2, VShift, Val};

/// What looks at all pieces.
pub(crate) mod whole {
    use super::*;
    use crate::insn::rows;

    rows! {
        Vblendmps => blend();
        Vblendmpd => blend();
        Vpblendmb => blend();
        Vpblendmw => blend();
        Vpblendmd => blend();
        Vpblendmq => blend();
        Vbroadcastss => repeat(4);
        Vbroadcastsd => repeat(8);
        Vbroadcastf32x2 => repeat(8);
        Vbroadcasti32x2 => repeat(8);
        Vbroadcastf32x4 => repeat(16);
        Vbroadcasti32x4 => repeat(16);
        Vbroadcastf64x2 => repeat(16);
        Vbroadcasti64x2 => repeat(16);
        Vbroadcastf32x8 => repeat(32);
        Vbroadcasti32x8 => repeat(32);
        Vbroadcastf64x4 => repeat(32);
        Vbroadcasti64x4 => repeat(32);
        Vpbroadcastb => repeat(1);
        Vpbroadcastw => repeat(2);
        Vpbroadcastd => repeat(4);
        Vpbroadcastq => repeat(8);
        Vinsertf32x4 => insert(1);
        Vinsertf64x2 => insert(1);
        Vinserti32x4 => insert(1);
        Vinserti64x2 => insert(1);
        Vinsertf32x8 => insert(2);
        Vinsertf64x4 => insert(2);
        Vinserti32x8 => insert(2);
        Vinserti64x4 => insert(2);
        Vextractf32x4 => extract(1);
        Vextractf64x2 => extract(1);
        Vextracti32x4 => extract(1);
        Vextracti64x2 => extract(1);
        Vextractf32x8 => extract(2);
        Vextractf64x4 => extract(2);
        Vextracti32x8 => extract(2);
        Vextracti64x4 => extract(2);
        Vshuff32x4 => shuffle_pieces();
        Vshuff64x2 => shuffle_pieces();
        Vshufi32x4 => shuffle_pieces();
        Vshufi64x2 => shuffle_pieces();
        Valignd => align(Lane::S);
        Valignq => align(Lane::D);
        Vpermb => permute(Lane::B);
        Vpermw => permute(Lane::H);
        Vpermd => permute(Lane::S);
        Vpermps => permute(Lane::S);
        Vpermq => permute(Lane::D);
        Vpermpd => permute(Lane::D);
        Vpermi2b => permute_two(Lane::B, true);
        Vpermi2w => permute_two(Lane::H, true);
        Vpermi2d => permute_two(Lane::S, true);
        Vpermi2q => permute_two(Lane::D, true);
        Vpermi2ps => permute_two(Lane::S, true);
        Vpermi2pd => permute_two(Lane::D, true);
        Vpermt2b => permute_two(Lane::B, false);
        Vpermt2w => permute_two(Lane::H, false);
        Vpermt2d => permute_two(Lane::S, false);
        Vpermt2q => permute_two(Lane::D, false);
        Vpermt2ps => permute_two(Lane::S, false);
        Vpermt2pd => permute_two(Lane::D, false);
        Vpmovwb => cut(Lane::H, 1, Cut::Plain);
        Vpmovdw => cut(Lane::S, 1, Cut::Plain);
        Vpmovqd => cut(Lane::D, 1, Cut::Plain);
        Vpmovdb => cut(Lane::S, 2, Cut::Plain);
        Vpmovqw => cut(Lane::D, 2, Cut::Plain);
        Vpmovqb => cut(Lane::D, 3, Cut::Plain);
        Vpmovswb => cut(Lane::H, 1, Cut::Signed);
        Vpmovsdw => cut(Lane::S, 1, Cut::Signed);
        Vpmovsqd => cut(Lane::D, 1, Cut::Signed);
        Vpmovsdb => cut(Lane::S, 2, Cut::Signed);
        Vpmovsqw => cut(Lane::D, 2, Cut::Signed);
        Vpmovsqb => cut(Lane::D, 3, Cut::Signed);
        Vpmovuswb => cut(Lane::H, 1, Cut::Unsigned);
        Vpmovusdw => cut(Lane::S, 1, Cut::Unsigned);
        Vpmovusqd => cut(Lane::D, 1, Cut::Unsigned);
        Vpmovusdb => cut(Lane::S, 2, Cut::Unsigned);
        Vpmovusqw => cut(Lane::D, 2, Cut::Unsigned);
        Vpmovusqb => cut(Lane::D, 3, Cut::Unsigned);
    }
}

all_rows! {
    Vmovaps => moved();
    Vmovapd => moved();
    Vmovups => moved();
    Vmovupd => moved();
    Vmovdqa32 => moved();
    Vmovdqa64 => moved();
    Vmovdqu8 => moved();
    Vmovdqu16 => moved();
    Vmovdqu32 => moved();
    Vmovdqu64 => moved();
    Vmovss => scalar(Lane::S);
    Vmovsd => scalar(Lane::D);
}

const _: &[&[Row]] = &[ROWS, whole::ROWS];

fn moved(cx: &mut Cx, i: &Instruction) {
    let v = if i.op0_kind() == OpKind::Memory { cx.of_half(i.op1_register()) } else { cx.source(i, 16) };
    cx.set_vector(i, v);
}

/// From memory with zero above, from a register into the lowest lane.
fn scalar(cx: &mut Cx, i: &Instruction, lane: Lane) {
    if i.op0_kind() == OpKind::Memory {
        let v = cx.xmm(i.op1_register());
        return cx.set_vector(i, v);
    }
    let v = cx.source(i, lane.bytes());
    let v = if i.op1_kind() == OpKind::Memory {
        let low = cx.b.v128(lane.mask().into());
        cx.b.v2(V2::And, lane, v, low)
    } else {
        let low = cx.b.v128(lane.mask().into());
        let old = cx.first(i);
        cx.b.v3(ir::V3::BitSelect, lane, low, v, old)
    };
    cx.set_vector(i, v);
}

/// Lanes that are not chosen are the first source's, or cleared.
fn blend(cx: &mut Cx, i: &Instruction) {
    let (mut parts, a, lane) = (cx.whole_last(i), cx.whole_source(i, 1), lane_of(i));
    let evex = cx.evex(i, lane, 16 / lane.bytes() as u32);
    for (n, part) in parts.iter_mut().enumerate() {
        *part = match evex.mask {
            _ if n >= i.op0_register().size() / 16 => Val::NONE,
            None => *part,
            Some(_) if i.zeroing_masking() => cx.b.v2(V2::And, lane, *part, evex.masks[n]),
            Some(_) => cx.b.v3(ir::V3::BitSelect, lane, evex.masks[n], *part, a[n]),
        };
    }
    cx.set_parts(i.op0_register(), parts);
}

/// Parts of so many bytes, as often as they go into the result.
fn repeat(cx: &mut Cx, i: &Instruction, bytes: usize) {
    let from = if i.op1_kind() == OpKind::Register && i.op1_register().is_gpr() {
        let v = cx.reg(i.op1_register());
        let lane = Lane::log2(bytes.trailing_zeros());
        let v = cx.b.trunc(lane.ty(), v);
        [cx.b.vsplat(lane, v); 4]
    } else {
        let from = cx.whole_source(i, 1);
        match bytes {
            32 => [from[0], from[1], from[0], from[1]],
            16 => [from[0]; 4],
            _ => [cx.b.vsplat_lane(Lane::log2(bytes.trailing_zeros()), from[0], 0); 4],
        }
    };
    let lane = if i.op1_kind() == OpKind::Register && i.op1_register().is_gpr() {
        Lane::log2(bytes.trailing_zeros())
    } else {
        lane_of(i)
    };
    let mut parts = [Val::NONE; 4];
    let count = i.op0_register().size() / 16;
    parts[..count].copy_from_slice(&from[..count]);
    let evex = cx.evex(i, lane, 16 / lane.bytes() as u32);
    cx.deliver(i, parts, evex);
}

fn insert(cx: &mut Cx, i: &Instruction, size: usize) {
    let new = cx.whole_last(i);
    let mut all = cx.whole_source(i, 1);
    let count = i.op0_register().size() / 16;
    let at = usize::from(i.immediate8()) % (count / size) * size;
    all[at..at + size].copy_from_slice(&new[..size]);
    cx.deliver_whole(i, all);
}

fn extract(cx: &mut Cx, i: &Instruction, size: usize) {
    if i.op0_kind() == OpKind::Memory && i.op_mask() != Register::None {
        // All of it has to be there, whatever the mask has.
        // Differs: that it can be written is not asked.
        cx.load_whole(i);
    }
    let all = cx.whole_source(i, 1);
    let count = i.op1_register().size() / 16;
    let at = usize::from(i.immediate8()) % (count / size) * size;
    let mut parts = [Val::NONE; 4];
    parts[..size].copy_from_slice(&all[at..at + size]);
    cx.deliver_whole(i, parts);
}

/// The lower half of the result's pieces are of the first source, the upper half of the second.
fn shuffle_pieces(cx: &mut Cx, i: &Instruction) {
    let (b, a) = (cx.whole_last(i), cx.whole_source(i, 1));
    let count = i.op0_register().size() / 16;
    let bits = count.trailing_zeros();
    let mut parts = [Val::NONE; 4];
    for (n, part) in parts.iter_mut().enumerate().take(count) {
        let which = usize::from(i.immediate8()) >> (n as u32 * bits) & (count - 1);
        *part = if n < count / 2 { a[which] } else { b[which] };
    }
    cx.deliver_whole(i, parts);
}

/// Both sources side by side, the second one low, moved down by lanes.
fn align(cx: &mut Cx, i: &Instruction, lane: Lane) {
    let (low, high) = (cx.whole_last(i), cx.whole_source(i, 1));
    let count = i.op0_register().size() / 16;
    let all: Vec<Val> = low[..count].iter().chain(&high[..count]).copied().collect();
    let by = usize::from(i.immediate8()) % (count * 16 / lane.bytes()) * lane.bytes();
    let mut parts = [Val::NONE; 4];
    for (n, part) in parts.iter_mut().enumerate().take(count) {
        let at = n + by / 16;
        *part = if by.is_multiple_of(16) { all[at] } else { cx.b.vext(all[at], all[at + 1], by as u32 % 16) };
    }
    cx.deliver_whole(i, parts);
}

// ---- permutations ----

/// Numbers of lanes, below `count`, as numbers of bytes.
fn numbers_of_bytes(cx: &mut Cx, v: Val, lane: Lane, count: usize) -> Val {
    let each = |n: u64| (0..128 / lane.bits()).fold(0u128, |all, at| all | u128::from(n) << (at * lane.bits()));
    let bits = cx.b.v128(each(count as u64 - 1));
    let v = cx.b.v2(V2::And, lane, v, bits);
    if lane == Lane::B {
        return v;
    }
    let v = cx.b.vshift(VShift::Shl, lane, v, lane as u32);
    let size = lane.bytes();
    let spread: [u8; 16] = std::array::from_fn(|n| (n / size * size) as u8);
    let within: [u8; 16] = std::array::from_fn(|n| (n % size) as u8);
    let [spread, within] = [spread, within].map(|table| cx.b.v128(u128::from_le_bytes(table)));
    let v = cx.b.v2(V2::Tbl, Lane::B, v, spread);
    cx.b.v2(V2::Or, Lane::B, v, within)
}

/// Bytes of a table of pieces.
fn look_up(cx: &mut Cx, table: &[Val], which: Val) -> Val {
    let mut v = cx.b.v2(V2::Tbl, Lane::B, table[0], which);
    for (n, piece) in (1u8..).zip(&table[1..]) {
        let before = cx.b.v128(u128::from_le_bytes([16 * n; 16]));
        let which = cx.b.v2(V2::Sub, Lane::B, which, before);
        let part = cx.b.v2(V2::Tbl, Lane::B, *piece, which);
        v = cx.b.v2(V2::Or, Lane::D, v, part);
    }
    v
}

fn permuted(cx: &mut Cx, i: &Instruction, table: &[Val], which: [Val; 4], lane: Lane) {
    let count = i.op0_register().size() / 16;
    let mut parts = [Val::NONE; 4];
    for (part, which) in parts.iter_mut().zip(which).take(count) {
        let which = numbers_of_bytes(cx, which, lane, table.len() * 16 / lane.bytes());
        *part = look_up(cx, table, which);
    }
    cx.deliver_whole(i, parts);
}

/// By the first source's lanes, or VPERMQ and VPERMPD by a constant, which is for each half.
fn permute(cx: &mut Cx, i: &Instruction, lane: Lane) {
    let table = cx.whole_last(i);
    let count = i.op0_register().size() / 16;
    if i.op_kind(i.op_count() - 1) == OpKind::Immediate8 {
        let field = |n: usize| usize::from(i.immediate8() >> (2 * n) & 3);
        let mut parts = [Val::NONE; 4];
        for (n, part) in parts.iter_mut().enumerate().take(count) {
            let [first, second] = [0, 1].map(|at| {
                let lane = field(2 * (n % 2) + at) + n / 2 * 4;
                (table[lane / 2], lane % 2)
            });
            *part = super::avx::pair(cx, first, second);
        }
        return cx.deliver_whole(i, parts);
    }
    let which = cx.whole_source(i, 1);
    permuted(cx, i, &table[..count], which, lane);
}

/// A table of two registers; the numbers stand in the one that is overwritten, or in the first source.
fn permute_two(cx: &mut Cx, i: &Instruction, lane: Lane, numbers_overwritten: bool) {
    let (c, b, a) = (cx.whole_last(i), cx.whole_source(i, 1), cx.whole_source(i, 0));
    let count = i.op0_register().size() / 16;
    let (which, low) = if numbers_overwritten { (a, b) } else { (b, a) };
    let table: Vec<Val> = low[..count].iter().chain(&c[..count]).copied().collect();
    permuted(cx, i, &table, which, lane);
}

// ---- truncation ----

#[derive(Clone, Copy, PartialEq, Eq)]
enum Cut {
    Plain,
    Signed,
    Unsigned,
}

/// Lanes cut to half their width so many times, all of them next to each other.
fn cut(cx: &mut Cx, i: &Instruction, lane: Lane, times: u32, how: Cut) {
    let mut parts = cx.whole_source(i, 1);
    let mut wide = lane;
    let count = i.op1_register().size() / 16;
    let mut n = count;
    for _ in 0..times {
        let op = match how {
            Cut::Plain => V1::Narrow,
            Cut::Signed => V1::NarrowSatS,
            Cut::Unsigned => V1::NarrowSatU,
        };
        let halves: Vec<Val> = parts[..n].iter().map(|v| cx.b.v1(op, wide, *v)).collect();
        parts = [Val::NONE; 4];
        for (part, pair) in parts.iter_mut().zip(halves.chunks(2)) {
            *part = match pair {
                [low, high] => cx.b.v2(V2::ConcatLo, Lane::D, *low, *high),
                _ => pair[0],
            };
        }
        n = n.div_ceil(2);
        wide = Lane::log2(wide as u32 - 1);
    }
    // Of what fills less than a piece the rest is zero whatever the mask has.
    let lanes = (16 / wide.bytes() as u32).min(count as u32 * 16 / lane.bytes() as u32);
    let evex = cx.evex(i, wide, lanes);
    cx.deliver(i, parts, evex);
}
