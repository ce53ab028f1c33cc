//! Instructions of AVX and AVX2 that SSE has no counterpart of and that look at both halves of a register.

use super::Cx;
use super::sse_integer::test_flags;
use crate::insn::rows;
use crate::state::{vector, xmm};
use iced_x86::{Instruction, OpKind};
use ir::{Align, Bin, Lane, Ty, V2, V3, VShift, Val};

rows! {
    Vzeroupper => zero_upper();
    Vzeroall => zero_all();
    Vmovmskps => signs(Lane::S);
    Vmovmskpd => signs(Lane::D);
    Vpmovmskb => signs(Lane::B);
    Vptest => test(None);
    Vtestps => test(Some(Lane::S));
    Vtestpd => test(Some(Lane::D));
    Vbroadcastss => broadcast(Lane::S);
    Vbroadcastsd => broadcast(Lane::D);
    Vpbroadcastb => broadcast(Lane::B);
    Vpbroadcastw => broadcast(Lane::H);
    Vpbroadcastd => broadcast(Lane::S);
    Vpbroadcastq => broadcast(Lane::D);
    Vbroadcastf128 => broadcast_half();
    Vbroadcasti128 => broadcast_half();
    Vinsertf128 => insert();
    Vinserti128 => insert();
    Vextractf128 => extract();
    Vextracti128 => extract();
    Vperm2f128 => choose_halves();
    Vperm2i128 => choose_halves();
    Vpermq => choose_doubles();
    Vpermpd => choose_doubles();
    Vpermd => choose_singles();
    Vpermps => choose_singles();
}

/// How many registers this mode has.
fn count(cx: &Cx) -> u32 {
    if cx.is_long() { 16 } else { 8 }
}

fn zero_upper(cx: &mut Cx, _: &Instruction) {
    let (zero, parts) = (cx.b.v128(0), if cx.is_dirty() { 4 } else { 2 });
    for part in 1..parts {
        (0..count(cx)).for_each(|n| cx.b.set(vector(n, part), zero));
    }
    // Of 32-bit code some registers are left.
    if cx.is_dirty() && cx.is_long() {
        cx.clean();
    }
}

fn zero_all(cx: &mut Cx, i: &Instruction) {
    let zero = cx.b.v128(0);
    (0..count(cx)).for_each(|n| cx.b.set(xmm(n), zero));
    zero_upper(cx, i);
}

/// Both halves of an operand of 256 bits, or an XMM register and nothing.
fn whole(cx: &mut Cx, i: &Instruction, n: u32) -> [Val; 2] {
    if i.op_kind(n) == OpKind::Register {
        let reg = i.op_register(n);
        let high = if reg.is_ymm() { cx.high(reg) } else { Val::NONE };
        return [cx.xmm(reg), high];
    }
    let low = cx.part_of_memory(i, 0, 16).align(Align::Any);
    let low = cx.b.load(Ty::V128, low);
    if i.memory_size().size() < 32 {
        return [low, Val::NONE];
    }
    let high = cx.part_of_memory(i, 16, 16);
    [low, cx.b.load(Ty::V128, high)]
}

/// The same value in both halves of the result, if it has two.
fn set_both(cx: &mut Cx, i: &Instruction, v: Val) {
    let reg = i.op0_register();
    cx.set_whole(reg, [v, if reg.is_ymm() { v } else { Val::NONE }]);
}

fn signs(cx: &mut Cx, i: &Instruction, lane: Lane) {
    let [low, high] = whole(cx, i, 1);
    let mut v = cx.b.vsigns(lane, low);
    if !high.is_none() {
        let high = cx.b.vsigns(lane, high);
        let high = cx.b.shift_imm(Bin::Shl, high, 16 / lane.bytes() as u32);
        v = cx.b.or(v, high);
    }
    let v = cx.b.zext(Ty::int(i.op0_register().size()), v);
    cx.set_reg(i.op0_register(), v);
}

/// VPTEST: of all bits; VTESTPS, VTESTPD: of the lanes' signs.
fn test(cx: &mut Cx, i: &Instruction, of_signs: Option<Lane>) {
    let (a, b) = (whole(cx, i, 0), whole(cx, i, 1));
    let both = |cx: &mut Cx, op: V2| {
        let [low, high] = [0, 1].map(|n| if a[n].is_none() { Val::NONE } else { cx.b.v2(op, Lane::D, b[n], a[n]) });
        let v = if high.is_none() { low } else { cx.b.v2(V2::Or, Lane::D, low, high) };
        match of_signs {
            Some(lane) => cx.b.vshift(VShift::ShrU, lane, v, lane.bits() - 1),
            None => v,
        }
    };
    let (common, missing) = (both(cx, V2::And), both(cx, V2::AndNot));
    test_flags(cx, common, missing);
}

// ---- from one half to the other ----

fn broadcast(cx: &mut Cx, i: &Instruction, lane: Lane) {
    let v = cx.source(i, lane.bytes());
    let v = cx.b.vsplat_lane(lane, v, 0);
    set_both(cx, i, v);
}

fn broadcast_half(cx: &mut Cx, i: &Instruction) {
    let mem = cx.mem(i, 16);
    let v = cx.b.load(Ty::V128, mem);
    set_both(cx, i, v);
}

fn insert(cx: &mut Cx, i: &Instruction) {
    let [new, _] = whole(cx, i, 2);
    let [low, high] = whole(cx, i, 1);
    let halves = if i.immediate8() & 1 == 0 { [new, high] } else { [low, new] };
    cx.set_whole(i.op0_register(), halves);
}

fn extract(cx: &mut Cx, i: &Instruction) {
    let v = whole(cx, i, 1)[usize::from(i.immediate8() & 1)];
    if i.op0_kind() == OpKind::Register {
        return cx.set_whole(i.op0_register(), [v, Val::NONE]);
    }
    let mem = cx.mem(i, 16);
    cx.b.store(mem, v);
}

/// Each half of the result is one of four, or zero.
fn choose_halves(cx: &mut Cx, i: &Instruction) {
    let (b, a) = (whole(cx, i, 2), whole(cx, i, 1));
    let all = [a[0], a[1], b[0], b[1]];
    let halves = [0, 4].map(|at| {
        let field = i.immediate8() >> at;
        if field & 8 != 0 { cx.b.v128(0) } else { all[usize::from(field & 3)] }
    });
    cx.set_whole(i.op0_register(), halves);
}

/// VPERMQ, VPERMPD: each of four lanes is one of four.
fn choose_doubles(cx: &mut Cx, i: &Instruction) {
    let v = whole(cx, i, 1);
    let halves = [0, 4].map(|at| {
        let [first, second] = [0, 2].map(|by| usize::from(i.immediate8() >> (at + by) & 3));
        pair(cx, (v[first / 2], first % 2), (v[second / 2], second % 2))
    });
    cx.set_whole(i.op0_register(), halves);
}

/// Two lanes of doubles side by side: of which vector, and which of it.
pub(super) fn pair(cx: &mut Cx, (a, n): (Val, usize), (b, m): (Val, usize)) -> Val {
    match (n, m) {
        (0, 1) if a == b => a,
        (0, 0) => cx.b.v2(V2::ConcatLo, Lane::D, a, b),
        (1, 1) => cx.b.v2(V2::ConcatHi, Lane::D, a, b),
        (1, _) => cx.b.vext(a, b, 8),
        _ => {
            let low = cx.b.v128(u64::MAX.into());
            cx.b.v3(V3::BitSelect, Lane::D, low, a, b)
        }
    }
}

/// VPERMD, VPERMPS: each of eight lanes is one of eight, by the low bits of the first source's lane.
fn choose_singles(cx: &mut Cx, i: &Instruction) {
    let table = whole(cx, i, 2);
    let chosen = whole(cx, i, 1);
    let halves = chosen.map(|which| {
        let (three, spread) = (cx.b.v128(lanes(7)), cx.b.v128(0x0c0c_0c0c_0808_0808_0404_0404_0000_0000));
        let (bytes, other) = (cx.b.v128(lanes(0x0302_0100)), cx.b.v128(lanes(0x1010_1010)));
        let which = cx.b.v2(V2::And, Lane::S, which, three);
        let which = cx.b.vshift(VShift::Shl, Lane::S, which, 2);
        let which = cx.b.v2(V2::Tbl, Lane::B, which, spread);
        let which = cx.b.v2(V2::Or, Lane::B, which, bytes);
        let low = cx.b.v2(V2::Tbl, Lane::B, table[0], which);
        let which = cx.b.v2(V2::Xor, Lane::B, which, other);
        let high = cx.b.v2(V2::Tbl, Lane::B, table[1], which);
        cx.b.v2(V2::Or, Lane::D, low, high)
    });
    cx.set_whole(i.op0_register(), halves);
}

/// The same word in each of four lanes.
fn lanes(word: u32) -> u128 {
    u128::from(word) * 0x1_0000_0001_0000_0001_0000_0001
}
