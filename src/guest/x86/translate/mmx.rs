//! MMX: its own instructions, and those of SSE and later on its registers. They are worked on as the low half of a vector, with zero above.

use super::Cx;
use crate::insn::rows;
use crate::state::{RDI, X87};
use iced_x86::{Instruction, OpKind, Register};
use ir::{Bin, Fmt, Lane, Mem, Round, Shape, Ty, V1, V2, VShift, Val};

rows! {
    Movd => between(Ty::I32);
    Movq => between(Ty::I64);
    Movntq => between(Ty::I64);
    Movq2dq => to_vector();
    Movdq2q => from_vector();
    Maskmovq => masked();
    Pmovmskb => signs();
    Pextrw => extract();
    Pinsrw => insert();
    Pshufw => shuffle();
    Pshufb => shuffle_bytes();
    Palignr => align();
    Paddb => lanes(V2::Add, Lane::B);
    Paddw => lanes(V2::Add, Lane::H);
    Paddd => lanes(V2::Add, Lane::S);
    Paddq => lanes(V2::Add, Lane::D);
    Psubb => lanes(V2::Sub, Lane::B);
    Psubw => lanes(V2::Sub, Lane::H);
    Psubd => lanes(V2::Sub, Lane::S);
    Psubq => lanes(V2::Sub, Lane::D);
    Paddsb => lanes(V2::SatAddS, Lane::B);
    Paddsw => lanes(V2::SatAddS, Lane::H);
    Paddusb => lanes(V2::SatAddU, Lane::B);
    Paddusw => lanes(V2::SatAddU, Lane::H);
    Psubsb => lanes(V2::SatSubS, Lane::B);
    Psubsw => lanes(V2::SatSubS, Lane::H);
    Psubusb => lanes(V2::SatSubU, Lane::B);
    Psubusw => lanes(V2::SatSubU, Lane::H);
    Pmullw => lanes(V2::Mul, Lane::H);
    Pmulhw => lanes(V2::MulHiS, Lane::H);
    Pmulhuw => lanes(V2::MulHiU, Lane::H);
    Pmulhrsw => lanes(V2::MulHiRound, Lane::H);
    Pmuludq => lanes(V2::MulEvenU, Lane::S);
    Pmaddwd => lanes(V2::MulAddPairs, Lane::H);
    Pmaddubsw => lanes(V2::MulAddPairsSat, Lane::B);
    Psadbw => lanes(V2::SumAbsDiff, Lane::B);
    Pavgb => lanes(V2::HalfAddRoundU, Lane::B);
    Pavgw => lanes(V2::HalfAddRoundU, Lane::H);
    Pminub => lanes(V2::MinU, Lane::B);
    Pminsw => lanes(V2::MinS, Lane::H);
    Pmaxub => lanes(V2::MaxU, Lane::B);
    Pmaxsw => lanes(V2::MaxS, Lane::H);
    Pcmpeqb => lanes(V2::CmpEq, Lane::B);
    Pcmpeqw => lanes(V2::CmpEq, Lane::H);
    Pcmpeqd => lanes(V2::CmpEq, Lane::S);
    Pcmpgtb => lanes(V2::CmpGtS, Lane::B);
    Pcmpgtw => lanes(V2::CmpGtS, Lane::H);
    Pcmpgtd => lanes(V2::CmpGtS, Lane::S);
    Pand => lanes(V2::And, Lane::D);
    Por => lanes(V2::Or, Lane::D);
    Pxor => lanes(V2::Xor, Lane::D);
    Pandn => not_and();
    Psignb => lanes(V2::SignOf, Lane::B);
    Psignw => lanes(V2::SignOf, Lane::H);
    Psignd => lanes(V2::SignOf, Lane::S);
    Pabsb => one(V1::Abs, Lane::B);
    Pabsw => one(V1::Abs, Lane::H);
    Pabsd => one(V1::Abs, Lane::S);
    Punpcklbw => lanes(V2::ZipLo, Lane::B);
    Punpcklwd => lanes(V2::ZipLo, Lane::H);
    Punpckldq => lanes(V2::ZipLo, Lane::S);
    Punpckhbw => upper(Lane::B);
    Punpckhwd => upper(Lane::H);
    Punpckhdq => upper(Lane::S);
    Packsswb => joined(V2::PackS, Lane::H);
    Packssdw => joined(V2::PackS, Lane::S);
    Packuswb => joined(V2::PackU, Lane::H);
    Phaddw => joined(V2::PairwiseAdd, Lane::H);
    Phaddd => joined(V2::PairwiseAdd, Lane::S);
    Phsubw => neighbours(V2::Sub, Lane::H);
    Phsubd => neighbours(V2::Sub, Lane::S);
    Phaddsw => neighbours(V2::SatAddS, Lane::H);
    Phsubsw => neighbours(V2::SatSubS, Lane::H);
    Psllw => shift(V2::ShlAll, VShift::Shl, Lane::H);
    Pslld => shift(V2::ShlAll, VShift::Shl, Lane::S);
    Psllq => shift(V2::ShlAll, VShift::Shl, Lane::D);
    Psrlw => shift(V2::ShrAllU, VShift::ShrU, Lane::H);
    Psrld => shift(V2::ShrAllU, VShift::ShrU, Lane::S);
    Psrlq => shift(V2::ShrAllU, VShift::ShrU, Lane::D);
    Psraw => shift(V2::ShrAllS, VShift::ShrS, Lane::H);
    Psrad => shift(V2::ShrAllS, VShift::ShrS, Lane::S);
    Cvtpi2ps => singles_from_lanes();
    Cvtpi2pd => doubles_from_lanes();
    Cvtps2pi => lanes_from_singles(false);
    Cvttps2pi => lanes_from_singles(true);
    Cvtpd2pi => lanes_from_doubles(false);
    Cvttpd2pi => lanes_from_doubles(true);
}

/// Whether the instruction is of MMX registers. The conversions from memory are not: those touch the unit with a register alone, and so do not name one.
pub(crate) fn is_mmx(i: &Instruction) -> bool {
    let register = |n| i.op_kind(n) == OpKind::Register && i.op_register(n).is_mm();
    (0..i.op_count()).any(register)
        || matches!(i.mnemonic(), iced_x86::Mnemonic::Cvtpi2ps | iced_x86::Mnemonic::Cvtpi2pd)
}

impl Cx<'_> {
    fn mm(&mut self, reg: Register) -> Val {
        let v = self.x87(ir::X87::Mmx(reg.number() as u8));
        self.b.v_from_scalar(v)
    }

    /// The low half of a vector.
    fn set_mm(&mut self, reg: Register, v: Val) {
        let v = self.b.vget(Ty::I64, v, 0);
        self.b.x87(X87, ir::X87::SetMmx(reg.number() as u8), v);
    }

    /// An MMX register or memory, with zero above. The access comes before the unit is touched.
    fn mm_or_memory(&mut self, i: &Instruction, n: u32) -> Val {
        if i.op_kind(n) == OpKind::Register {
            return if i.op_register(n).is_mm() { self.mm(i.op_register(n)) } else { self.xmm(i.op_register(n)) };
        }
        let mem = self.mem(i, i.memory_size().size().min(8));
        self.b.load(Ty::V128, mem)
    }

    /// Both operands.
    fn mm_pair(&mut self, i: &Instruction) -> (Val, Val) {
        let b = self.mm_or_memory(i, 1);
        (self.mm(i.op0_register()), b)
    }
}

/// Operations that do the same for each lane, or lane by lane from the lowest.
fn lanes(cx: &mut Cx, i: &Instruction, op: V2, lane: Lane) {
    let (a, b) = cx.mm_pair(i);
    let v = cx.b.v2(op, lane, a, b);
    cx.set_mm(i.op0_register(), v);
}

fn one(cx: &mut Cx, i: &Instruction, op: V1, lane: Lane) {
    let v = cx.mm_or_memory(i, 1);
    let v = cx.b.v1(op, lane, v);
    cx.set_mm(i.op0_register(), v);
}

fn not_and(cx: &mut Cx, i: &Instruction) {
    let (a, b) = cx.mm_pair(i);
    let v = cx.b.v2(V2::AndNot, Lane::D, b, a);
    cx.set_mm(i.op0_register(), v);
}

/// Interleaved from the middle: the upper half of what the whole gives.
fn upper(cx: &mut Cx, i: &Instruction, lane: Lane) {
    let (a, b) = cx.mm_pair(i);
    let v = cx.b.v2(V2::ZipLo, lane, a, b);
    let v = cx.b.v1(V1::MoveHi, Lane::D, v);
    cx.set_mm(i.op0_register(), v);
}

/// Both operands as one vector.
fn both(cx: &mut Cx, i: &Instruction) -> Val {
    let (a, b) = cx.mm_pair(i);
    cx.b.v2(V2::ConcatLo, Lane::D, a, b)
}

fn joined(cx: &mut Cx, i: &Instruction, op: V2, lane: Lane) {
    let v = both(cx, i);
    let v = cx.b.v2(op, lane, v, v);
    cx.set_mm(i.op0_register(), v);
}

fn neighbours(cx: &mut Cx, i: &Instruction, op: V2, lane: Lane) {
    let v = both(cx, i);
    let even = cx.b.v2(V2::UnzipEven, lane, v, v);
    let odd = cx.b.v2(V2::UnzipOdd, lane, v, v);
    let v = cx.b.v2(op, lane, even, odd);
    cx.set_mm(i.op0_register(), v);
}

/// By a constant, or by a register; further than lanes are wide it clears them, or leaves their signs.
fn shift(cx: &mut Cx, i: &Instruction, op: V2, constant: VShift, lane: Lane) {
    if i.op1_kind() != OpKind::Immediate8 {
        return lanes(cx, i, op, lane);
    }
    let a = cx.mm(i.op0_register());
    let n = u32::from(i.immediate8());
    let v = match constant {
        _ if n == 0 => a,
        VShift::ShrS => cx.b.vshift(constant, lane, a, n.min(lane.bits())),
        _ if n >= lane.bits() => cx.b.v128(0),
        _ => cx.b.vshift(constant, lane, a, n),
    };
    cx.set_mm(i.op0_register(), v);
}

// ---- moves ----

/// MOVD, MOVQ, MOVNTQ: between MMX registers, general registers and memory.
fn between(cx: &mut Cx, i: &Instruction, ty: Ty) {
    if i.op0_kind() == OpKind::Register && i.op0_register().is_mm() {
        let v = if i.op1_kind() == OpKind::Register && !i.op1_register().is_mm() {
            let v = cx.reg(i.op1_register());
            cx.b.v_from_scalar(v)
        } else {
            cx.mm_or_memory(i, 1)
        };
        return cx.set_mm(i.op0_register(), v);
    }
    let mem = (i.op0_kind() == OpKind::Memory).then(|| cx.mem(i, ty.bytes()));
    let v = cx.x87(ir::X87::Mmx(i.op1_register().number() as u8));
    let v = cx.b.trunc(ty, v);
    match mem {
        Some(mem) => cx.b.store(mem, v),
        None => cx.set_reg(i.op0_register(), v),
    }
}

fn to_vector(cx: &mut Cx, i: &Instruction) {
    let v = cx.mm(i.op1_register());
    cx.set_xmm(i.op0_register(), v);
}

fn from_vector(cx: &mut Cx, i: &Instruction) {
    let v = cx.xmm(i.op1_register());
    cx.set_mm(i.op0_register(), v);
}

/// Bytes whose mask byte is negative go to memory.
// Differs: bytes that are not written are read and written back.
fn masked(cx: &mut Cx, i: &Instruction) {
    let (v, mask) = (cx.mm(i.op1_register()), cx.mm(i.op2_register()));
    let addr = cx.x(RDI);
    let mem = cx.in_segment(i, i.memory_segment(), Mem::at(addr, 8));
    let old = cx.b.load(Ty::V128, mem);
    let zero = cx.b.v128(0);
    let negative = cx.b.v2(V2::CmpGtS, Lane::B, zero, mask);
    let v = cx.b.v3(ir::V3::BitSelect, Lane::B, negative, v, old);
    let v = cx.b.vget(Ty::I64, v, 0);
    cx.b.store(mem, v);
}

fn signs(cx: &mut Cx, i: &Instruction) {
    let v = cx.mm(i.op1_register());
    let v = cx.b.vsigns(Lane::B, v);
    let v = cx.b.zext(Ty::int(i.op0_register().size()), v);
    cx.set_reg(i.op0_register(), v);
}

fn extract(cx: &mut Cx, i: &Instruction) {
    let v = cx.mm(i.op1_register());
    let v = cx.b.vget(Ty::I16, v, u32::from(i.immediate8()) & 3);
    let v = cx.b.zext(Ty::int(i.op0_register().size()), v);
    cx.set_reg(i.op0_register(), v);
}

fn insert(cx: &mut Cx, i: &Instruction) {
    let new = if i.op1_kind() == OpKind::Memory {
        let mem = cx.mem(i, 2);
        cx.b.load(Ty::I16, mem)
    } else {
        let v = cx.reg(i.op1_register());
        cx.b.trunc(Ty::I16, v)
    };
    let old = cx.mm(i.op0_register());
    let v = cx.b.vset(Lane::H, old, new, u32::from(i.immediate8()) & 3);
    cx.set_mm(i.op0_register(), v);
}

fn shuffle(cx: &mut Cx, i: &Instruction) {
    let v = cx.mm_or_memory(i, 1);
    let imm = u32::from(i.immediate8());
    let bytes = (0..8).map(|at| 2 * (imm >> (at / 2 * 2) & 3) + at % 2);
    let table = bytes.enumerate().fold(0, |all, (at, byte)| all | u128::from(byte) << (8 * at));
    let table = cx.b.v128(table);
    let v = cx.b.v2(V2::Tbl, Lane::B, v, table);
    cx.set_mm(i.op0_register(), v);
}

/// An index's upper bit gives zero; of the others three bits count.
fn shuffle_bytes(cx: &mut Cx, i: &Instruction) {
    let (a, b) = cx.mm_pair(i);
    let mask = cx.b.v128(u128::from_le_bytes([0x87; 16]));
    let b = cx.b.v2(V2::And, Lane::B, b, mask);
    let v = cx.b.v2(V2::Tbl, Lane::B, a, b);
    cx.set_mm(i.op0_register(), v);
}

/// The first operand stands above the second.
fn align(cx: &mut Cx, i: &Instruction) {
    let (a, b) = cx.mm_pair(i);
    let v = cx.b.v2(V2::ConcatLo, Lane::D, b, a);
    let (n, zero) = (u32::from(i.immediate8()).min(16), cx.b.v128(0));
    let v = if n == 16 { zero } else { cx.b.vext(v, zero, n) };
    cx.set_mm(i.op0_register(), v);
}

// ---- conversions ----

/// The unit's exception comes before one of the conversion.
fn wait(cx: &mut Cx) {
    cx.x87(ir::X87::Run(x87::code::FWAIT));
}

fn singles_from_lanes(cx: &mut Cx, i: &Instruction) {
    let v = cx.mm_or_memory(i, 1);
    let v = cx.b.fp_from_int(Shape::vector(Fmt::F32, 2), cx.env(), true, 0, v);
    let old = cx.xmm(i.op0_register());
    let high = cx.b.v1(V1::MoveHi, Lane::D, old);
    let v = cx.b.v2(V2::ConcatLo, Lane::D, v, high);
    cx.set_xmm(i.op0_register(), v);
}

fn doubles_from_lanes(cx: &mut Cx, i: &Instruction) {
    let v = cx.mm_or_memory(i, 1);
    let v = cx.b.v1(V1::WidenS, Lane::S, v);
    let v = cx.b.fp_from_int(Shape::vector(Fmt::F64, 2), cx.env(), true, 0, v);
    cx.set_xmm(i.op0_register(), v);
}

fn round(cx: &Cx, truncate: bool) -> Round {
    if truncate { Round::Zero } else { cx.env().round }
}

fn lanes_from_singles(cx: &mut Cx, i: &Instruction, truncate: bool) {
    wait(cx);
    let v = cx.mm_or_memory(i, 1);
    let env = cx.env().round(round(cx, truncate));
    let v = cx.b.fp_to_int_lanes(Shape::vector(Fmt::F32, 2), env, true, 0, v);
    cx.set_mm(i.op0_register(), v);
}

/// The results are narrower than the lanes: one after the other.
fn lanes_from_doubles(cx: &mut Cx, i: &Instruction, truncate: bool) {
    wait(cx);
    let v = cx.source(i, 16);
    let env = cx.env().round(round(cx, truncate));
    let parts: [Val; 2] = [0, 1].map(|n| {
        let lane = cx.b.vget(Ty::F64, v, n);
        let int = cx.b.fp_to_int(Fmt::F64, env, true, Ty::I32, 0, lane);
        cx.b.zext(Ty::I64, int)
    });
    let high = cx.b.shift_imm(Bin::Shl, parts[1], 32);
    let v = cx.b.or(parts[0], high);
    cx.b.x87(X87, ir::X87::SetMmx(i.op0_register().number() as u8), v);
}
