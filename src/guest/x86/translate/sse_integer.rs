//! Integer operations on vectors.

use super::Cx;
use super::sse_move::two;
use crate::insn::rows;
use iced_x86::{Instruction, OpKind};
use ir::{Lane, Ty, V1, V2, V3, VShift, Val};

rows! {
    Paddb => two(V2::Add, Lane::B);
    Paddw => two(V2::Add, Lane::H);
    Paddd => two(V2::Add, Lane::S);
    Paddq => two(V2::Add, Lane::D);
    Psubb => two(V2::Sub, Lane::B);
    Psubw => two(V2::Sub, Lane::H);
    Psubd => two(V2::Sub, Lane::S);
    Psubq => two(V2::Sub, Lane::D);
    Paddsb => two(V2::SatAddS, Lane::B);
    Paddsw => two(V2::SatAddS, Lane::H);
    Paddusb => two(V2::SatAddU, Lane::B);
    Paddusw => two(V2::SatAddU, Lane::H);
    Psubsb => two(V2::SatSubS, Lane::B);
    Psubsw => two(V2::SatSubS, Lane::H);
    Psubusb => two(V2::SatSubU, Lane::B);
    Psubusw => two(V2::SatSubU, Lane::H);
    Pmullw => two(V2::Mul, Lane::H);
    Pmulld => two(V2::Mul, Lane::S);
    Pmulhw => two(V2::MulHiS, Lane::H);
    Pmulhuw => two(V2::MulHiU, Lane::H);
    Pmulhrsw => two(V2::MulHiRound, Lane::H);
    Pmuludq => two(V2::MulEvenU, Lane::S);
    Pmuldq => two(V2::MulEvenS, Lane::S);
    Pmaddwd => two(V2::MulAddPairs, Lane::H);
    Pmaddubsw => two(V2::MulAddPairsSat, Lane::B);
    Psadbw => two(V2::SumAbsDiff, Lane::B);
    Pavgb => two(V2::HalfAddRoundU, Lane::B);
    Pavgw => two(V2::HalfAddRoundU, Lane::H);
    Pminub => two(V2::MinU, Lane::B);
    Pminuw => two(V2::MinU, Lane::H);
    Pminud => two(V2::MinU, Lane::S);
    Pminsb => two(V2::MinS, Lane::B);
    Pminsw => two(V2::MinS, Lane::H);
    Pminsd => two(V2::MinS, Lane::S);
    Pmaxub => two(V2::MaxU, Lane::B);
    Pmaxuw => two(V2::MaxU, Lane::H);
    Pmaxud => two(V2::MaxU, Lane::S);
    Pmaxsb => two(V2::MaxS, Lane::B);
    Pmaxsw => two(V2::MaxS, Lane::H);
    Pmaxsd => two(V2::MaxS, Lane::S);
    Pcmpeqb => two(V2::CmpEq, Lane::B);
    Pcmpeqw => two(V2::CmpEq, Lane::H);
    Pcmpeqd => two(V2::CmpEq, Lane::S);
    Pcmpeqq => two(V2::CmpEq, Lane::D);
    Pcmpgtb => two(V2::CmpGtS, Lane::B);
    Pcmpgtw => two(V2::CmpGtS, Lane::H);
    Pcmpgtd => two(V2::CmpGtS, Lane::S);
    Pcmpgtq => two(V2::CmpGtS, Lane::D);
    Pand => two(V2::And, Lane::D);
    Andps => two(V2::And, Lane::S);
    Andpd => two(V2::And, Lane::D);
    Por => two(V2::Or, Lane::D);
    Orps => two(V2::Or, Lane::S);
    Orpd => two(V2::Or, Lane::D);
    Pxor => two(V2::Xor, Lane::D);
    Xorps => two(V2::Xor, Lane::S);
    Xorpd => two(V2::Xor, Lane::D);
    Pandn => not_and();
    Andnps => not_and();
    Andnpd => not_and();
    Packsswb => two(V2::PackS, Lane::H);
    Packssdw => two(V2::PackS, Lane::S);
    Packuswb => two(V2::PackU, Lane::H);
    Packusdw => two(V2::PackU, Lane::S);
    Psignb => two(V2::SignOf, Lane::B);
    Psignw => two(V2::SignOf, Lane::H);
    Psignd => two(V2::SignOf, Lane::S);
    Phaddw => two(V2::PairwiseAdd, Lane::H);
    Phaddd => two(V2::PairwiseAdd, Lane::S);
    Phsubw => neighbours(V2::Sub, Lane::H);
    Phsubd => neighbours(V2::Sub, Lane::S);
    Phaddsw => neighbours(V2::SatAddS, Lane::H);
    Phsubsw => neighbours(V2::SatSubS, Lane::H);
    Pabsb => one(V1::Abs, Lane::B);
    Pabsw => one(V1::Abs, Lane::H);
    Pabsd => one(V1::Abs, Lane::S);
    Psllw => shift(Shift::Left, Lane::H);
    Pslld => shift(Shift::Left, Lane::S);
    Psllq => shift(Shift::Left, Lane::D);
    Psrlw => shift(Shift::Right, Lane::H);
    Psrld => shift(Shift::Right, Lane::S);
    Psrlq => shift(Shift::Right, Lane::D);
    Psraw => shift(Shift::Arithmetic, Lane::H);
    Psrad => shift(Shift::Arithmetic, Lane::S);
    Pslldq => shift_bytes(true);
    Psrldq => shift_bytes(false);
    Mpsadbw => differences();
    Phminposuw => smallest();
    Ptest => test();
    Pblendvb => blend(Lane::B);
    Blendvps => blend(Lane::S);
    Blendvpd => blend(Lane::D);
    Pblendw => blend_constant(Lane::H);
    Blendps => blend_constant(Lane::S);
    Blendpd => blend_constant(Lane::D);
}

fn differences(cx: &mut Cx, i: &Instruction) {
    let (a, b) = (cx.xmm(i.op0_register()), cx.vector(i, 1, 16));
    let imm = cx.b.i64(i.immediate8().into());
    let v = cx.b.call(&super::helper::DIFFERENCES, Ty::V128, &[a, b, imm]);
    cx.set_xmm(i.op0_register(), v);
}

fn smallest(cx: &mut Cx, i: &Instruction) {
    let v = cx.vector(i, 1, 16);
    let v = cx.b.call(&super::helper::SMALLEST, Ty::V128, &[v]);
    cx.set_xmm(i.op0_register(), v);
}

/// The first is turned round.
fn not_and(cx: &mut Cx, i: &Instruction) {
    let (a, b) = (cx.xmm(i.op0_register()), cx.vector(i, 1, 16));
    let v = cx.b.v2(V2::AndNot, Lane::D, b, a);
    cx.set_xmm(i.op0_register(), v);
}

fn one(cx: &mut Cx, i: &Instruction, op: V1, lane: Lane) {
    let v = cx.vector(i, 1, 16);
    let v = cx.b.v1(op, lane, v);
    cx.set_xmm(i.op0_register(), v);
}

/// Even lanes with odd ones.
fn neighbours(cx: &mut Cx, i: &Instruction, op: V2, lane: Lane) {
    let (a, b) = (cx.xmm(i.op0_register()), cx.vector(i, 1, 16));
    let even = cx.b.v2(V2::UnzipEven, lane, a, b);
    let odd = cx.b.v2(V2::UnzipOdd, lane, a, b);
    let v = cx.b.v2(op, lane, even, odd);
    cx.set_xmm(i.op0_register(), v);
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shift {
    Left,
    Right,
    Arithmetic,
}

/// By a constant, or by the low half of a vector; further than the lanes are wide it clears them, or leaves their signs.
fn shift(cx: &mut Cx, i: &Instruction, by: Shift, lane: Lane) {
    let a = cx.xmm(i.op0_register());
    let v = if i.op1_kind() == OpKind::Immediate8 {
        shift_constant(cx, a, by, lane, i.immediate8().into())
    } else {
        let op = [V2::ShlAll, V2::ShrAllU, V2::ShrAllS][by as usize];
        let b = cx.vector(i, 1, 16);
        cx.b.v2(op, lane, a, b)
    };
    cx.set_xmm(i.op0_register(), v);
}

fn shift_constant(cx: &mut Cx, a: Val, by: Shift, lane: Lane, n: u32) -> Val {
    match by {
        _ if n == 0 => a,
        Shift::Arithmetic => cx.b.vshift(VShift::ShrS, lane, a, n.min(lane.bits())),
        _ if n >= lane.bits() => cx.b.v128(0),
        Shift::Left => cx.b.vshift(VShift::Shl, lane, a, n),
        Shift::Right => cx.b.vshift(VShift::ShrU, lane, a, n),
    }
}

fn shift_bytes(cx: &mut Cx, i: &Instruction, left: bool) {
    let a = cx.xmm(i.op0_register());
    let (n, zero) = (u32::from(i.immediate8()).min(16), cx.b.v128(0));
    let v = if left { cx.b.vext(zero, a, 16 - n) } else { cx.b.vext(a, zero, n) };
    cx.set_xmm(i.op0_register(), v);
}

/// ZF: no common bit; CF: no bit of the second that the first lacks.
fn test(cx: &mut Cx, i: &Instruction) {
    let (a, b) = (cx.xmm(i.op0_register()), cx.vector(i, 1, 16));
    let flags = cx.b.flags_test(a, b);
    cx.set_flags(flags);
}

/// Lanes of the second where the implied XMM0's are negative.
fn blend(cx: &mut Cx, i: &Instruction, lane: Lane) {
    let (a, b) = (cx.xmm(i.op0_register()), cx.vector(i, 1, 16));
    let mask = cx.b.get(crate::state::xmm(0));
    let zero = cx.b.v128(0);
    let negative = cx.b.v2(V2::CmpGtS, lane, zero, mask);
    let v = cx.b.v3(V3::BitSelect, lane, negative, b, a);
    cx.set_xmm(i.op0_register(), v);
}

fn blend_constant(cx: &mut Cx, i: &Instruction, lane: Lane) {
    let (a, b) = (cx.xmm(i.op0_register()), cx.vector(i, 1, 16));
    let (imm, bits) = (u32::from(i.immediate8()), lane.bits());
    let chosen = (0..128 / bits).filter(|n| imm >> n & 1 == 1);
    let mask = chosen.fold(0, |all, n| all | u128::from(lane.mask()) << (n * bits));
    let mask = cx.b.v128(mask);
    let v = cx.b.v3(V3::BitSelect, lane, mask, b, a);
    cx.set_xmm(i.op0_register(), v);
}
