//! Integer operations on vectors.

use super::Cx;
use super::sse_move::two;
use crate::insn::rows;
use iced_x86::{Instruction, OpKind};
use ir::{Lane, Ty, V1, V2, V3, VShift, Val};

rows! {
    Paddb, Vpaddb => two(V2::Add, Lane::B);
    Paddw, Vpaddw => two(V2::Add, Lane::H);
    Paddd, Vpaddd => two(V2::Add, Lane::S);
    Paddq, Vpaddq => two(V2::Add, Lane::D);
    Psubb, Vpsubb => two(V2::Sub, Lane::B);
    Psubw, Vpsubw => two(V2::Sub, Lane::H);
    Psubd, Vpsubd => two(V2::Sub, Lane::S);
    Psubq, Vpsubq => two(V2::Sub, Lane::D);
    Paddsb, Vpaddsb => two(V2::SatAddS, Lane::B);
    Paddsw, Vpaddsw => two(V2::SatAddS, Lane::H);
    Paddusb, Vpaddusb => two(V2::SatAddU, Lane::B);
    Paddusw, Vpaddusw => two(V2::SatAddU, Lane::H);
    Psubsb, Vpsubsb => two(V2::SatSubS, Lane::B);
    Psubsw, Vpsubsw => two(V2::SatSubS, Lane::H);
    Psubusb, Vpsubusb => two(V2::SatSubU, Lane::B);
    Psubusw, Vpsubusw => two(V2::SatSubU, Lane::H);
    Pmullw, Vpmullw => two(V2::Mul, Lane::H);
    Pmulld, Vpmulld => two(V2::Mul, Lane::S);
    Pmulhw, Vpmulhw => two(V2::MulHiS, Lane::H);
    Pmulhuw, Vpmulhuw => two(V2::MulHiU, Lane::H);
    Pmulhrsw, Vpmulhrsw => two(V2::MulHiRound, Lane::H);
    Pmuludq, Vpmuludq => two(V2::MulEvenU, Lane::S);
    Pmuldq, Vpmuldq => two(V2::MulEvenS, Lane::S);
    Pmaddwd, Vpmaddwd => two(V2::MulAddPairs, Lane::H);
    Pmaddubsw, Vpmaddubsw => two(V2::MulAddPairsSat, Lane::B);
    Psadbw, Vpsadbw => two(V2::SumAbsDiff, Lane::B);
    Pavgb, Vpavgb => two(V2::HalfAddRoundU, Lane::B);
    Pavgw, Vpavgw => two(V2::HalfAddRoundU, Lane::H);
    Pminub, Vpminub => two(V2::MinU, Lane::B);
    Pminuw, Vpminuw => two(V2::MinU, Lane::H);
    Pminud, Vpminud => two(V2::MinU, Lane::S);
    Pminsb, Vpminsb => two(V2::MinS, Lane::B);
    Pminsw, Vpminsw => two(V2::MinS, Lane::H);
    Pminsd, Vpminsd => two(V2::MinS, Lane::S);
    Pmaxub, Vpmaxub => two(V2::MaxU, Lane::B);
    Pmaxuw, Vpmaxuw => two(V2::MaxU, Lane::H);
    Pmaxud, Vpmaxud => two(V2::MaxU, Lane::S);
    Pmaxsb, Vpmaxsb => two(V2::MaxS, Lane::B);
    Pmaxsw, Vpmaxsw => two(V2::MaxS, Lane::H);
    Pmaxsd, Vpmaxsd => two(V2::MaxS, Lane::S);
    Pcmpeqb, Vpcmpeqb => two(V2::CmpEq, Lane::B);
    Pcmpeqw, Vpcmpeqw => two(V2::CmpEq, Lane::H);
    Pcmpeqd, Vpcmpeqd => two(V2::CmpEq, Lane::S);
    Pcmpeqq, Vpcmpeqq => two(V2::CmpEq, Lane::D);
    Pcmpgtb, Vpcmpgtb => two(V2::CmpGtS, Lane::B);
    Pcmpgtw, Vpcmpgtw => two(V2::CmpGtS, Lane::H);
    Pcmpgtd, Vpcmpgtd => two(V2::CmpGtS, Lane::S);
    Pcmpgtq, Vpcmpgtq => two(V2::CmpGtS, Lane::D);
    Pand, Vpand => two(V2::And, Lane::D);
    Andps, Vandps => two(V2::And, Lane::S);
    Andpd, Vandpd => two(V2::And, Lane::D);
    Por, Vpor => two(V2::Or, Lane::D);
    Orps, Vorps => two(V2::Or, Lane::S);
    Orpd, Vorpd => two(V2::Or, Lane::D);
    Pxor, Vpxor => two(V2::Xor, Lane::D);
    Xorps, Vxorps => two(V2::Xor, Lane::S);
    Xorpd, Vxorpd => two(V2::Xor, Lane::D);
    Pandn, Vpandn => not_and();
    Andnps, Vandnps => not_and();
    Andnpd, Vandnpd => not_and();
    Packsswb, Vpacksswb => two(V2::PackS, Lane::H);
    Packssdw, Vpackssdw => two(V2::PackS, Lane::S);
    Packuswb, Vpackuswb => two(V2::PackU, Lane::H);
    Packusdw, Vpackusdw => two(V2::PackU, Lane::S);
    Psignb, Vpsignb => two(V2::SignOf, Lane::B);
    Psignw, Vpsignw => two(V2::SignOf, Lane::H);
    Psignd, Vpsignd => two(V2::SignOf, Lane::S);
    Phaddw, Vphaddw => two(V2::PairwiseAdd, Lane::H);
    Phaddd, Vphaddd => two(V2::PairwiseAdd, Lane::S);
    Phsubw, Vphsubw => neighbours(V2::Sub, Lane::H);
    Phsubd, Vphsubd => neighbours(V2::Sub, Lane::S);
    Phaddsw, Vphaddsw => neighbours(V2::SatAddS, Lane::H);
    Phsubsw, Vphsubsw => neighbours(V2::SatSubS, Lane::H);
    Pabsb, Vpabsb => one(V1::Abs, Lane::B);
    Pabsw, Vpabsw => one(V1::Abs, Lane::H);
    Pabsd, Vpabsd => one(V1::Abs, Lane::S);
    Psllw, Vpsllw => shift(Shift::Left, Lane::H);
    Pslld, Vpslld => shift(Shift::Left, Lane::S);
    Psllq, Vpsllq => shift(Shift::Left, Lane::D);
    Psrlw, Vpsrlw => shift(Shift::Right, Lane::H);
    Psrld, Vpsrld => shift(Shift::Right, Lane::S);
    Psrlq, Vpsrlq => shift(Shift::Right, Lane::D);
    Psraw, Vpsraw => shift(Shift::Arithmetic, Lane::H);
    Psrad, Vpsrad => shift(Shift::Arithmetic, Lane::S);
    Pslldq, Vpslldq => shift_bytes(true);
    Psrldq, Vpsrldq => shift_bytes(false);
    Mpsadbw, Vmpsadbw => differences();
    Phminposuw, Vphminposuw => smallest();
    Ptest => test();
    Pblendvb => blend(Lane::B);
    Blendvps => blend(Lane::S);
    Blendvpd => blend(Lane::D);
    Pblendw, Vpblendw => blend_constant(Lane::H);
    Blendps, Vblendps => blend_constant(Lane::S);
    Blendpd, Vblendpd => blend_constant(Lane::D);
}

fn differences(cx: &mut Cx, i: &Instruction) {
    let (a, b) = (cx.first(i), cx.source(i, 16));
    let imm = cx.b.i64(u64::from(i.immediate8()) >> (3 * cx.half()));
    let v = cx.b.call(&super::helper::DIFFERENCES, Ty::V128, &[a, b, imm]);
    cx.set_vector(i, v);
}

fn smallest(cx: &mut Cx, i: &Instruction) {
    let v = cx.source(i, 16);
    let v = cx.b.call(&super::helper::SMALLEST, Ty::V128, &[v]);
    cx.set_vector(i, v);
}

/// The first is turned round.
fn not_and(cx: &mut Cx, i: &Instruction) {
    let (a, b) = (cx.first(i), cx.source(i, 16));
    let v = cx.b.v2(V2::AndNot, Lane::D, b, a);
    cx.set_vector(i, v);
}

fn one(cx: &mut Cx, i: &Instruction, op: V1, lane: Lane) {
    let v = cx.source(i, 16);
    let v = cx.b.v1(op, lane, v);
    cx.set_vector(i, v);
}

/// Even lanes with odd ones.
fn neighbours(cx: &mut Cx, i: &Instruction, op: V2, lane: Lane) {
    let (a, b) = (cx.first(i), cx.source(i, 16));
    let even = cx.b.v2(V2::UnzipEven, lane, a, b);
    let odd = cx.b.v2(V2::UnzipOdd, lane, a, b);
    let v = cx.b.v2(op, lane, even, odd);
    cx.set_vector(i, v);
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shift {
    Left,
    Right,
    Arithmetic,
}

/// By a constant, or by the low half of a vector; further than the lanes are wide it clears them, or leaves their signs.
fn shift(cx: &mut Cx, i: &Instruction, by: Shift, lane: Lane) {
    let v = if i.op_kind(i.op_count() - 1) == OpKind::Immediate8 {
        let a = cx.source(i, 16);
        shift_constant(cx, a, by, lane, i.immediate8().into())
    } else {
        let op = [V2::ShlAll, V2::ShrAllU, V2::ShrAllS][by as usize];
        let (a, b) = (cx.first(i), cx.source(i, 16));
        cx.b.v2(op, lane, a, b)
    };
    cx.set_vector(i, v);
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
    let a = cx.source(i, 16);
    let (n, zero) = (u32::from(i.immediate8()).min(16), cx.b.v128(0));
    let v = if left { cx.b.vext(zero, a, 16 - n) } else { cx.b.vext(a, zero, n) };
    cx.set_vector(i, v);
}

/// Common bits, and those of the second that the first lacks.
fn test(cx: &mut Cx, i: &Instruction) {
    let (a, b) = (cx.first(i), cx.source(i, 16));
    let flags = cx.b.flags_test(a, b);
    cx.set_flags(flags);
}

/// ZF: no bit of `common`; CF: none of `missing`.
pub(super) fn test_flags(cx: &mut Cx, common: Val, missing: Val) {
    let (low, high) = (cx.b.v2(V2::ZipLo, Lane::D, common, missing), cx.b.v2(V2::ZipHi, Lane::D, common, missing));
    // Any bits of the one in the low half, of the other in the high one.
    let (any, first) = (cx.b.v2(V2::Or, Lane::D, low, high), cx.b.v128(u64::MAX.into()));
    let flags = cx.b.flags_test(first, any);
    cx.set_flags(flags);
}

/// Lanes of the second where the implied XMM0's are negative.
fn blend(cx: &mut Cx, i: &Instruction, lane: Lane) {
    let (a, b) = (cx.first(i), cx.source(i, 16));
    let mask = cx.b.get(crate::state::xmm(0));
    let v = cx.blended(lane, mask, b, a);
    cx.set_vector(i, v);
}

impl Cx<'_> {
    /// Lanes of `a` where the mask's are negative, else of `b`.
    pub(super) fn blended(&mut self, lane: Lane, mask: Val, a: Val, b: Val) -> Val {
        let zero = self.b.v128(0);
        let negative = self.b.v2(V2::CmpGtS, lane, zero, mask);
        self.b.v3(V3::BitSelect, lane, negative, a, b)
    }
}

pub(super) fn blend_constant(cx: &mut Cx, i: &Instruction, lane: Lane) {
    let (a, b) = (cx.first(i), cx.source(i, 16));
    let bits = lane.bits();
    // Half by half, but where eight lanes are all that a constant has bits for.
    let imm = u32::from(i.immediate8()) >> if lane == Lane::H { 0 } else { cx.half() * 128 / bits };
    let chosen = (0..128 / bits).filter(|n| imm >> n & 1 == 1);
    let mask = chosen.fold(0, |all, n| all | u128::from(lane.mask()) << (n * bits));
    let mask = cx.b.v128(mask);
    let v = cx.b.v3(V3::BitSelect, lane, mask, b, a);
    cx.set_vector(i, v);
}
