//! Moves of vectors and of their parts, and between them and general registers; rearrangements of lanes.

use super::Cx;
use super::vector::last;
use crate::insn::rows;
use crate::state::RDI;
use iced_x86::{Instruction, OpKind};
use ir::{Lane, Mem, Ty, V1, V2};

rows! {
    Movaps, Vmovaps => whole();
    Movups, Vmovups => whole();
    Movapd, Vmovapd => whole();
    Movupd, Vmovupd => whole();
    Movdqa, Vmovdqa => whole();
    Movdqu, Vmovdqu => whole();
    Lddqu, Vlddqu => whole();
    Movntps, Vmovntps => whole();
    Movntpd, Vmovntpd => whole();
    Movntdq, Vmovntdq => whole();
    Movntdqa, Vmovntdqa => whole();
    Movnti => general();
    Movss, Vmovss => scalar(Lane::S);
    Movsd, Vmovsd => scalar_or_string();
    Movd, Vmovd => between(Ty::I32);
    Movq, Vmovq => between(Ty::I64);
    Movlps, Vmovlps => half(0);
    Movlpd, Vmovlpd => half(0);
    Movhps, Vmovhps => half(1);
    Movhpd, Vmovhpd => half(1);
    Movhlps, Vmovhlps => from_high();
    Movlhps, Vmovlhps => from_low();
    Movmskps => signs(Lane::S);
    Movmskpd => signs(Lane::D);
    Pmovmskb => signs(Lane::B);
    Maskmovdqu, Vmaskmovdqu => masked();
    Movddup, Vmovddup => duplicate_low();
    Movsldup, Vmovsldup => duplicate(V2::TrnEven);
    Movshdup, Vmovshdup => duplicate(V2::TrnOdd);
    Unpcklps, Vunpcklps => two(V2::ZipLo, Lane::S);
    Unpckhps, Vunpckhps => two(V2::ZipHi, Lane::S);
    Unpcklpd, Vunpcklpd => two(V2::ZipLo, Lane::D);
    Unpckhpd, Vunpckhpd => two(V2::ZipHi, Lane::D);
    Punpcklbw, Vpunpcklbw => two(V2::ZipLo, Lane::B);
    Punpcklwd, Vpunpcklwd => two(V2::ZipLo, Lane::H);
    Punpckldq, Vpunpckldq => two(V2::ZipLo, Lane::S);
    Punpcklqdq, Vpunpcklqdq => two(V2::ZipLo, Lane::D);
    Punpckhbw, Vpunpckhbw => two(V2::ZipHi, Lane::B);
    Punpckhwd, Vpunpckhwd => two(V2::ZipHi, Lane::H);
    Punpckhdq, Vpunpckhdq => two(V2::ZipHi, Lane::S);
    Punpckhqdq, Vpunpckhqdq => two(V2::ZipHi, Lane::D);
    Shufps, Vshufps => shuffle_two(Lane::S);
    Shufpd, Vshufpd => shuffle_two(Lane::D);
    Pshufd, Vpshufd => shuffle(Lane::S, 0);
    Pshuflw, Vpshuflw => shuffle(Lane::H, 0);
    Pshufhw, Vpshufhw => shuffle(Lane::H, 4);
    Pshufb, Vpshufb => shuffle_bytes();
    Palignr, Vpalignr => align();
    Pinsrb, Vpinsrb => insert(Lane::B);
    Pinsrw, Vpinsrw => insert(Lane::H);
    Pinsrd, Vpinsrd => insert(Lane::S);
    Pinsrq, Vpinsrq => insert(Lane::D);
    Pextrb, Vpextrb => extract(Lane::B);
    Pextrw, Vpextrw => extract(Lane::H);
    Pextrd, Vpextrd => extract(Lane::S);
    Pextrq, Vpextrq => extract(Lane::D);
    Extractps, Vextractps => extract(Lane::S);
    Insertps, Vinsertps => insert_single();
    Pmovsxbw, Vpmovsxbw => widen(V1::WidenS, Lane::B, 1);
    Pmovsxbd, Vpmovsxbd => widen(V1::WidenS, Lane::B, 2);
    Pmovsxbq, Vpmovsxbq => widen(V1::WidenS, Lane::B, 3);
    Pmovsxwd, Vpmovsxwd => widen(V1::WidenS, Lane::H, 1);
    Pmovsxwq, Vpmovsxwq => widen(V1::WidenS, Lane::H, 2);
    Pmovsxdq, Vpmovsxdq => widen(V1::WidenS, Lane::S, 1);
    Pmovzxbw, Vpmovzxbw => widen(V1::WidenU, Lane::B, 1);
    Pmovzxbd, Vpmovzxbd => widen(V1::WidenU, Lane::B, 2);
    Pmovzxbq, Vpmovzxbq => widen(V1::WidenU, Lane::B, 3);
    Pmovzxwd, Vpmovzxwd => widen(V1::WidenU, Lane::H, 1);
    Pmovzxwq, Vpmovzxwq => widen(V1::WidenU, Lane::H, 2);
    Pmovzxdq, Vpmovzxdq => widen(V1::WidenU, Lane::S, 1);
}

fn whole(cx: &mut Cx, i: &Instruction) {
    if i.op0_kind() == OpKind::Memory {
        let v = cx.of_half(i.op1_register());
        let mem = cx.half_of_memory(i);
        return cx.b.store(mem, v);
    }
    let v = cx.source(i, 16);
    cx.set_vector(i, v);
}

fn general(cx: &mut Cx, i: &Instruction) {
    let v = cx.read(i, 1);
    cx.write(i, 0, v);
}

/// MOVSS, MOVSD: from memory with zero above, from a register into the lowest lane.
fn scalar(cx: &mut Cx, i: &Instruction, lane: Lane) {
    let bytes = lane.bytes();
    // By way of no general register.
    let ty = if lane == Lane::D { Ty::F64 } else { Ty::F32 };
    if i.op0_kind() == OpKind::Memory {
        let v = cx.xmm(i.op1_register());
        let v = cx.b.vget(ty, v, 0);
        let mem = cx.mem(i, bytes);
        return cx.b.store(mem, v);
    }
    let v = cx.source(i, bytes);
    let v = if i.op1_kind() == OpKind::Memory {
        v
    } else {
        let low = cx.b.vget(ty, v, 0);
        let old = cx.first(i);
        cx.b.vset(lane, old, low, 0)
    };
    cx.set_vector(i, v);
}

fn scalar_or_string(cx: &mut Cx, i: &Instruction) {
    if i.is_string_instruction() {
        super::string::move_or_compare(cx, i, false);
    } else {
        scalar(cx, i, Lane::D);
    }
}

/// MOVD and MOVQ: a general register or memory to a vector, or back. MOVQ also between vectors.
fn between(cx: &mut Cx, i: &Instruction, ty: Ty) {
    let is_vector = |n: u32| i.op_kind(n) == OpKind::Register && i.op_register(n).is_xmm();
    // With REX.W iced names the 64-bit form MOVQ.
    match (is_vector(0), is_vector(1)) {
        (true, true) => {
            let v = cx.xmm(i.op1_register());
            let v = cx.b.v1(V1::ZeroHi, Lane::D, v);
            cx.set_vector(i, v);
        }
        (true, false) => {
            let v = if i.op1_kind() == OpKind::Memory {
                cx.source(i, ty.bytes())
            } else {
                let v = cx.reg(i.op1_register());
                cx.b.v_from_scalar(v)
            };
            cx.set_vector(i, v);
        }
        (false, true) if i.op0_kind() == OpKind::Memory => {
            let v = cx.xmm(i.op1_register());
            let v = cx.b.vget(if ty == Ty::I64 { Ty::F64 } else { Ty::F32 }, v, 0);
            let mem = cx.mem(i, ty.bytes());
            cx.b.store(mem, v);
        }
        _ => {
            let v = cx.xmm(i.op1_register());
            let v = cx.b.vget(ty, v, 0);
            cx.write(i, 0, v);
        }
    }
}

/// Half a vector from or to memory.
fn half(cx: &mut Cx, i: &Instruction, n: u32) {
    let mem = cx.mem(i, 8);
    if i.op0_kind() == OpKind::Memory {
        let v = cx.xmm(i.op1_register());
        let v = cx.b.vget(Ty::F64, v, n);
        return cx.b.store(mem, v);
    }
    let new = cx.b.load(Ty::V128, mem);
    let old = cx.first(i);
    let v = if n == 0 {
        let high = cx.b.v1(V1::MoveHi, Lane::D, old);
        cx.b.v2(V2::ConcatLo, Lane::D, new, high)
    } else {
        cx.b.v2(V2::ConcatLo, Lane::D, old, new)
    };
    cx.set_vector(i, v);
}

/// The high half of the second becomes the low half of the first.
fn from_high(cx: &mut Cx, i: &Instruction) {
    let (a, b) = (cx.first(i), cx.source(i, 16));
    let v = cx.b.v2(V2::ConcatHi, Lane::D, b, a);
    cx.set_vector(i, v);
}

fn from_low(cx: &mut Cx, i: &Instruction) {
    let (a, b) = (cx.first(i), cx.source(i, 16));
    let v = cx.b.v2(V2::ConcatLo, Lane::D, a, b);
    cx.set_vector(i, v);
}

fn signs(cx: &mut Cx, i: &Instruction, lane: Lane) {
    let v = cx.xmm(i.op1_register());
    let v = cx.b.vsigns(lane, v);
    let v = cx.b.zext(Ty::int(i.op0_register().size()), v);
    cx.set_reg(i.op0_register(), v);
}

/// Bytes whose mask byte is negative go to memory. Done as a whole, with the others as they are there.
// Differs: bytes that are not written are read and written back.
fn masked(cx: &mut Cx, i: &Instruction) {
    let (v, mask) = (cx.xmm(i.op1_register()), cx.xmm(i.op2_register()));
    let addr = cx.x(RDI);
    let mem = cx.in_segment(i, i.memory_segment(), Mem::at(addr, 16));
    let old = cx.b.load(Ty::V128, mem);
    let zero = cx.b.v128(0);
    let negative = cx.b.v2(V2::CmpGtS, Lane::B, zero, mask);
    let v = cx.b.v3(ir::V3::BitSelect, Lane::B, negative, v, old);
    cx.b.store(mem, v);
}

fn duplicate_low(cx: &mut Cx, i: &Instruction) {
    let v = cx.source(i, 8);
    let v = cx.b.vsplat_lane(Lane::D, v, 0);
    cx.set_vector(i, v);
}

fn duplicate(cx: &mut Cx, i: &Instruction, op: V2) {
    let v = cx.source(i, 16);
    let v = cx.b.v2(op, Lane::S, v, v);
    cx.set_vector(i, v);
}

/// An operation of the first two operands.
pub(super) fn two(cx: &mut Cx, i: &Instruction, op: V2, lane: Lane) {
    let (a, b) = (cx.first(i), cx.source(i, 16));
    let v = cx.b.v2(op, lane, a, b);
    cx.set_vector(i, v);
}

/// Lanes chosen by number, as bytes for a table look-up. 0x80 gives zero.
pub(super) fn choice(lane: Lane, lanes: impl Iterator<Item = Option<u32>>) -> u128 {
    let size = lane.bytes() as u32;
    let bytes = lanes.flat_map(|n| (0..size).map(move |at| n.map_or(0x80, |n| n * size + at)));
    bytes.enumerate().fold(0, |all, (at, byte)| all | u128::from(byte) << (8 * at))
}

/// Field `n` of an immediate that has fields for `lanes` lanes.
fn field(imm: u32, lanes: u32, n: u32) -> u32 {
    let bits = lanes.trailing_zeros();
    imm >> (n * bits) & (lanes - 1)
}

/// Lanes of one vector: all four, or the four from `first` on.
fn shuffle(cx: &mut Cx, i: &Instruction, lane: Lane, first: u32) {
    let v = cx.source(i, 16);
    let imm = i.immediate8().into();
    let count = 16 / lane.bytes() as u32;
    let chosen = |n: u32| if (first..first + 4).contains(&n) { first + field(imm, 4, n - first) } else { n };
    let all: Vec<u32> = (0..count).map(chosen).collect();
    let v = if all.iter().all(|n| *n == all[0]) {
        cx.b.vsplat_lane(lane, v, all[0])
    } else {
        let table = cx.b.v128(choice(lane, all.into_iter().map(Some)));
        cx.b.v2(V2::Tbl, Lane::B, v, table)
    };
    cx.set_vector(i, v);
}

/// SHUFPS and SHUFPD: the low lanes from the first vector, the high ones from the second.
fn shuffle_two(cx: &mut Cx, i: &Instruction, lane: Lane) {
    let (a, b) = (cx.first(i), cx.source(i, 16));
    let (imm, count) = (u32::from(i.immediate8()), 16 / lane.bytes() as u32);
    // Each half of four doubles has bits of its own, of eight singles all the same.
    let imm = if lane == Lane::D { imm >> (2 * cx.half()) } else { imm };
    let fields: Vec<u32> = (0..count).map(|n| field(imm, count, n)).collect();
    let v = if a == b {
        let table = cx.b.v128(choice(lane, fields.into_iter().map(Some)));
        cx.b.v2(V2::Tbl, Lane::B, a, table)
    } else {
        let half = count as usize / 2;
        let (low, high) = fields.split_at(half);
        let [low, high] = [(low, a), (high, b)].map(|(part, from)| {
            let table = cx.b.v128(choice(lane, part.iter().map(|n| Some(*n)).chain(part.iter().map(|_| None))));
            cx.b.v2(V2::Tbl, Lane::B, from, table)
        });
        cx.b.v2(V2::ConcatLo, Lane::D, low, high)
    };
    cx.set_vector(i, v);
}

/// An index's upper bit gives zero; of the others only four bits count.
fn shuffle_bytes(cx: &mut Cx, i: &Instruction) {
    let (a, b) = (cx.first(i), cx.source(i, 16));
    let mask = cx.b.v128(u128::from_le_bytes([0x8f; 16]));
    let b = cx.b.v2(V2::And, Lane::B, b, mask);
    let v = cx.b.v2(V2::Tbl, Lane::B, a, b);
    cx.set_vector(i, v);
}

fn align(cx: &mut Cx, i: &Instruction) {
    let (high, low) = (cx.first(i), cx.source(i, 16));
    let zero = cx.b.v128(0);
    let v = match u32::from(i.immediate8()) {
        n @ 0..=16 => cx.b.vext(low, high, n),
        n @ 17..=31 => cx.b.vext(high, zero, n - 16),
        _ => zero,
    };
    cx.set_vector(i, v);
}

fn insert(cx: &mut Cx, i: &Instruction, lane: Lane) {
    let v = if i.op_kind(last(i)) == OpKind::Memory {
        let mem = cx.mem(i, lane.bytes());
        cx.b.load(lane.ty(), mem)
    } else {
        let v = cx.reg(i.op_register(last(i)));
        cx.b.trunc(lane.ty(), v)
    };
    let old = cx.first(i);
    let n = u32::from(i.immediate8()) % (16 / lane.bytes() as u32);
    let v = cx.b.vset(lane, old, v, n);
    cx.set_vector(i, v);
}

fn extract(cx: &mut Cx, i: &Instruction, lane: Lane) {
    let v = cx.xmm(i.op1_register());
    let n = u32::from(i.immediate8()) % (16 / lane.bytes() as u32);
    let v = cx.b.vget(lane.ty(), v, n);
    if i.op0_kind() == OpKind::Memory {
        let mem = cx.mem(i, lane.bytes());
        return cx.b.store(mem, v);
    }
    let v = cx.b.zext(Ty::int(i.op0_register().size()), v);
    cx.set_reg(i.op0_register(), v);
}

/// INSERTPS: a lane of the second, or a single from memory, to a lane of the first; some lanes cleared.
fn insert_single(cx: &mut Cx, i: &Instruction) {
    let imm = u32::from(i.immediate8());
    let v = if i.op_kind(last(i)) == OpKind::Memory {
        let mem = cx.mem(i, 4);
        cx.b.load(Ty::I32, mem)
    } else {
        let v = cx.source(i, 16);
        cx.b.vget(Ty::I32, v, imm >> 6)
    };
    let old = cx.first(i);
    let v = cx.b.vset(Lane::S, old, v, imm >> 4 & 3);
    let kept = (0..4).filter(|n| imm >> n & 1 == 0).fold(0, |all, n| all | 0xffff_ffff << (32 * n));
    let mask = cx.b.v128(kept);
    let v = cx.b.v2(V2::And, Lane::S, v, mask);
    cx.set_vector(i, v);
}

/// The low lanes, widened `times` times.
fn widen(cx: &mut Cx, i: &Instruction, op: V1, lane: Lane, times: u32) {
    let upper = cx.half() % 2 == 1 && i.op_kind(last(i)) == OpKind::Register;
    if op == V1::WidenU && times == 1 && upper {
        let (v, zero) = (cx.part(i.op_register(last(i)), cx.half() / 2), cx.b.v128(0));
        let v = cx.b.v2(V2::ZipHi, lane, v, zero);
        return cx.set_vector(i, v);
    }
    let mut v = cx.narrow(i, 16 >> times);
    let mut lane = lane;
    for _ in 0..times {
        v = cx.b.v1(op, lane, v);
        if lane != Lane::S {
            lane = lane.wider();
        }
    }
    cx.set_vector(i, v);
}
