//! Floating-point arithmetic and comparisons, scalar and packed.

use super::Cx;
use crate::insn::rows;
use crate::state::{self, mode};
use iced_x86::{Instruction, OpKind};
use ir::{Env, Fmt, Fp1, Fp2, FpCc, Round, Shape, V1, V2, V3, Val};

const SS: Shape = Shape::scalar(Fmt::F32);
const SD: Shape = Shape::scalar(Fmt::F64);
const PS: Shape = Shape::vector(Fmt::F32, 4);
const PD: Shape = Shape::vector(Fmt::F64, 2);

rows! {
    Addss => arith(Fp2::Add, SS);
    Addsd => arith(Fp2::Add, SD);
    Addps => arith(Fp2::Add, PS);
    Addpd => arith(Fp2::Add, PD);
    Subss => arith(Fp2::Sub, SS);
    Subsd => arith(Fp2::Sub, SD);
    Subps => arith(Fp2::Sub, PS);
    Subpd => arith(Fp2::Sub, PD);
    Mulss => arith(Fp2::Mul, SS);
    Mulsd => arith(Fp2::Mul, SD);
    Mulps => arith(Fp2::Mul, PS);
    Mulpd => arith(Fp2::Mul, PD);
    Divss => arith(Fp2::Div, SS);
    Divsd => arith(Fp2::Div, SD);
    Divps => arith(Fp2::Div, PS);
    Divpd => arith(Fp2::Div, PD);
    Minss => arith(Fp2::MinSelect, SS);
    Minsd => arith(Fp2::MinSelect, SD);
    Minps => arith(Fp2::MinSelect, PS);
    Minpd => arith(Fp2::MinSelect, PD);
    Maxss => arith(Fp2::MaxSelect, SS);
    Maxsd => arith(Fp2::MaxSelect, SD);
    Maxps => arith(Fp2::MaxSelect, PS);
    Maxpd => arith(Fp2::MaxSelect, PD);
    Sqrtss => sqrt(SS);
    Sqrtsd => sqrt(SD);
    Sqrtps => sqrt(PS);
    Sqrtpd => sqrt(PD);
    Roundss => round(SS);
    Roundsd => round(SD);
    Roundps => round(PS);
    Roundpd => round(PD);
    Haddps => neighbours(Fp2::Add, PS);
    Haddpd => neighbours(Fp2::Add, PD);
    Hsubps => neighbours(Fp2::Sub, PS);
    Hsubpd => neighbours(Fp2::Sub, PD);
    Addsubps => alternate(PS);
    Addsubpd => alternate(PD);
    Dpps => dot(PS);
    Dppd => dot(PD);
    Comiss => compare(Fmt::F32, true);
    Comisd => compare(Fmt::F64, true);
    Ucomiss => compare(Fmt::F32, false);
    Ucomisd => compare(Fmt::F64, false);
    Cmpss => mask(SS);
    Cmpsd => mask_or_string();
    Cmpps => mask(PS);
    Cmppd => mask(PD);
}

impl Cx<'_> {
    /// What the mode word says of MXCSR.
    pub(super) fn env(&self) -> Env {
        Env {
            round: state::rounding(self.mode >> mode::ROUND),
            flush_in: self.mode & mode::FLUSH_IN != 0,
            flush_out: self.mode & mode::FLUSH_OUT != 0,
            ..Env::X86
        }
    }

    /// An operand in the shape: a scalar's lowest lane, or all lanes.
    pub(super) fn fp(&mut self, i: &Instruction, n: u32, shape: Shape) -> Val {
        if shape.lanes > 0 {
            return self.vector(i, n, 16);
        }
        let ty = shape.fmt.ty();
        if i.op_kind(n) == OpKind::Register {
            let v = self.xmm(i.op_register(n));
            return self.b.vget(ty, v, 0);
        }
        let mem = self.mem(i, ty.bytes());
        self.b.load(ty, mem)
    }

    /// Writes a result; a scalar leaves what stands above it.
    pub(super) fn set_fp(&mut self, i: &Instruction, shape: Shape, v: Val) {
        let v = if shape.lanes > 0 {
            v
        } else {
            let old = self.xmm(i.op0_register());
            self.b.vset(shape.fmt.lane(), old, v, 0)
        };
        self.set_xmm(i.op0_register(), v);
    }
}

fn arith(cx: &mut Cx, i: &Instruction, op: Fp2, shape: Shape) {
    let (a, b) = (cx.fp(i, 0, shape), cx.fp(i, 1, shape));
    let v = cx.b.fp2(op, shape, cx.env(), a, b);
    cx.set_fp(i, shape, v);
}

fn sqrt(cx: &mut Cx, i: &Instruction, shape: Shape) {
    let a = cx.fp(i, 1, shape);
    let v = cx.b.fp1(Fp1::Sqrt, shape, cx.env(), a);
    cx.set_fp(i, shape, v);
}

/// Bit 2 of the constant: as MXCSR has it; bit 3: no inexact exception.
fn round(cx: &mut Cx, i: &Instruction, shape: Shape) {
    let imm = u32::from(i.immediate8());
    let round: Round = if imm & 4 != 0 { cx.env().round } else { state::rounding(imm) };
    let op = if imm & 8 != 0 { Fp1::RoundInt } else { Fp1::RoundIntExact };
    let a = cx.fp(i, 1, shape);
    let v = cx.b.fp1(op, shape, cx.env().round(round), a);
    cx.set_fp(i, shape, v);
}

fn neighbours(cx: &mut Cx, i: &Instruction, op: Fp2, shape: Shape) {
    let (a, b) = (cx.fp(i, 0, shape), cx.fp(i, 1, shape));
    let lane = shape.fmt.lane();
    let even = cx.b.v2(V2::UnzipEven, lane, a, b);
    let odd = cx.b.v2(V2::UnzipOdd, lane, a, b);
    let v = cx.b.fp2(op, shape, cx.env(), even, odd);
    cx.set_fp(i, shape, v);
}

/// ADDSUBPS, ADDSUBPD: even lanes are subtracted, odd ones added.
fn alternate(cx: &mut Cx, i: &Instruction, shape: Shape) {
    let (a, b) = (cx.fp(i, 0, shape), cx.fp(i, 1, shape));
    let lane = shape.fmt.lane();
    let bits = lane.bits();
    let even = (0..128 / bits).step_by(2).fold(0, |all, n| all | u128::from(lane.mask()) << (n * bits));
    // The lanes that are not wanted are made zeros, which raise nothing.
    let even = cx.b.v128(even);
    let [a_even, b_even] = [a, b].map(|v| cx.b.v2(V2::And, lane, v, even));
    let [a_odd, b_odd] = [a, b].map(|v| cx.b.v2(V2::AndNot, lane, v, even));
    let difference = cx.b.fp2(Fp2::Sub, shape, cx.env(), a_even, b_even);
    let sum = cx.b.fp2(Fp2::Add, shape, cx.env(), a_odd, b_odd);
    let v = cx.b.v3(V3::BitSelect, lane, even, difference, sum);
    cx.set_fp(i, shape, v);
}

/// Products of the lanes that the constant's upper half names, neighbours added first, the sum in the lanes that its lower half names. Which of two NaNs
/// comes first is not in the manual: so does Intel's hardware.
fn dot(cx: &mut Cx, i: &Instruction, shape: Shape) {
    let (a, b) = (cx.fp(i, 0, shape), cx.fp(i, 1, shape));
    let (lane, lanes) = (shape.fmt.lane(), u32::from(shape.lanes));
    let named = |cx: &mut Cx, bits: u32| {
        let chosen = (0..lanes).filter(|n| bits >> n & 1 == 1);
        let mask = chosen.fold(0, |all, n| all | u128::from(lane.mask()) << (n * lane.bits()));
        cx.b.v128(mask)
    };
    let imm = u32::from(i.immediate8());
    let (from, to) = (named(cx, imm >> 4), named(cx, imm));
    // Zeros raise nothing.
    let [a, b] = [a, b].map(|v| cx.b.v2(V2::And, lane, v, from));
    let mut v = cx.b.fp2(Fp2::Mul, shape, cx.env(), a, b);
    if lanes == 4 {
        let turned = cx.words(v, [1, 0, 3, 2]);
        v = cx.b.fp2(Fp2::Add, shape, cx.env(), turned, v);
    }
    let turned = cx.b.vext(v, v, 8);
    let sum = cx.b.fp2(Fp2::Add, shape, cx.env(), v, turned);
    let v = cx.b.v2(V2::And, lane, sum, to);
    cx.set_fp(i, shape, v);
}

/// ZF, PF and CF tell; OF, SF and AF are clear.
fn compare(cx: &mut Cx, i: &Instruction, fmt: Fmt, signalling: bool) {
    let shape = Shape::scalar(fmt);
    let (a, b) = (cx.fp(i, 0, shape), cx.fp(i, 1, shape));
    let flags = cx.b.flags_fcmp(fmt, cx.env(), signalling, a, b);
    cx.set_flags(flags);
}

/// CMPSS and its kin: all ones where the predicate holds. SSE has eight.
fn mask(cx: &mut Cx, i: &Instruction, shape: Shape) {
    // A scalar comparison is one lane.
    let lanes = if shape.lanes == 0 { Shape::vector(shape.fmt, 1) } else { shape };
    let lane = shape.fmt.lane();
    let a = cx.vector(i, 0, 16);
    let b = cx.vector(i, 1, if shape.lanes == 0 { lane.bytes() } else { 16 });
    let predicate = i.immediate8() & 7;
    let env = cx.env();
    let v = match predicate & 3 {
        0 => cx.b.fp_cmp(FpCc::Eq, lanes, env, a, b),
        1 => cx.b.fp_cmp(FpCc::Gt, lanes, env, b, a),
        2 => cx.b.fp_cmp(FpCc::Ge, lanes, env, b, a),
        _ => cx.b.fp_cmp(FpCc::Unordered, lanes, env, a, b),
    };
    let v = if predicate & 4 != 0 { cx.b.v1(V1::Not, lane, v) } else { v };
    let v = if shape.lanes > 0 { v } else { cx.b.vget(lane.ty(), v, 0) };
    cx.set_fp(i, shape, v);
}

fn mask_or_string(cx: &mut Cx, i: &Instruction) {
    if i.is_string_instruction() {
        super::string::move_or_compare(cx, i, true);
    } else {
        mask(cx, i, SD);
    }
}
