//! Floating-point arithmetic and comparisons, scalar and packed.

use super::Cx;
use super::vector::last;
use crate::insn::rows;
use crate::state::{self, mode};
use iced_x86::{Instruction, OpKind};
use ir::{Env, Fmt, Fp1, Fp2, FpCc, Lane, Round, Shape, V1, V2, V3, Val};

pub(super) const SS: Shape = Shape::scalar(Fmt::F32);
pub(super) const SD: Shape = Shape::scalar(Fmt::F64);
pub(super) const PS: Shape = Shape::vector(Fmt::F32, 4);
pub(super) const PD: Shape = Shape::vector(Fmt::F64, 2);

rows! {
    Addss, Vaddss => arith(Fp2::Add, SS);
    Addsd, Vaddsd => arith(Fp2::Add, SD);
    Addps, Vaddps => arith(Fp2::Add, PS);
    Addpd, Vaddpd => arith(Fp2::Add, PD);
    Subss, Vsubss => arith(Fp2::Sub, SS);
    Subsd, Vsubsd => arith(Fp2::Sub, SD);
    Subps, Vsubps => arith(Fp2::Sub, PS);
    Subpd, Vsubpd => arith(Fp2::Sub, PD);
    Mulss, Vmulss => arith(Fp2::Mul, SS);
    Mulsd, Vmulsd => arith(Fp2::Mul, SD);
    Mulps, Vmulps => arith(Fp2::Mul, PS);
    Mulpd, Vmulpd => arith(Fp2::Mul, PD);
    Divss, Vdivss => arith(Fp2::Div, SS);
    Divsd, Vdivsd => arith(Fp2::Div, SD);
    Divps, Vdivps => arith(Fp2::Div, PS);
    Divpd, Vdivpd => arith(Fp2::Div, PD);
    Minss, Vminss => arith(Fp2::MinSelect, SS);
    Minsd, Vminsd => arith(Fp2::MinSelect, SD);
    Minps, Vminps => arith(Fp2::MinSelect, PS);
    Minpd, Vminpd => arith(Fp2::MinSelect, PD);
    Maxss, Vmaxss => arith(Fp2::MaxSelect, SS);
    Maxsd, Vmaxsd => arith(Fp2::MaxSelect, SD);
    Maxps, Vmaxps => arith(Fp2::MaxSelect, PS);
    Maxpd, Vmaxpd => arith(Fp2::MaxSelect, PD);
    Sqrtss, Vsqrtss => sqrt(SS);
    Sqrtsd, Vsqrtsd => sqrt(SD);
    Sqrtps, Vsqrtps => sqrt(PS);
    Sqrtpd, Vsqrtpd => sqrt(PD);
    Roundss, Vroundss => round(SS);
    Roundsd, Vroundsd => round(SD);
    Roundps, Vroundps => round(PS);
    Roundpd, Vroundpd => round(PD);
    Haddps, Vhaddps => neighbours(Fp2::Add, PS);
    Haddpd, Vhaddpd => neighbours(Fp2::Add, PD);
    Hsubps, Vhsubps => neighbours(Fp2::Sub, PS);
    Hsubpd, Vhsubpd => neighbours(Fp2::Sub, PD);
    Addsubps, Vaddsubps => alternate(PS);
    Addsubpd, Vaddsubpd => alternate(PD);
    Dpps, Vdpps => dot(PS);
    Dppd, Vdppd => dot(PD);
    Comiss, Vcomiss => compare(Fmt::F32, true);
    Comisd, Vcomisd => compare(Fmt::F64, true);
    Ucomiss, Vucomiss => compare(Fmt::F32, false);
    Ucomisd, Vucomisd => compare(Fmt::F64, false);
    Cmpss, Vcmpss => mask(SS);
    Cmpsd, Vcmpsd => mask_or_string();
    Cmpps, Vcmpps => mask(PS);
    Cmppd, Vcmppd => mask(PD);
}

impl Cx<'_> {
    /// What the mode word says of MXCSR.
    pub(super) fn env(&self) -> Env {
        Env {
            round: self.embedded_rounding().unwrap_or_else(|| state::rounding(self.mode >> mode::ROUND)),
            flush_in: self.mode & mode::FLUSH_IN != 0,
            flush_out: self.mode & mode::FLUSH_OUT != 0,
            unmasked: self.rehearsing,
            ..Env::X86
        }
    }

    /// Whether no number is flushed: then the host's scalar operations are ours, with what stands above them.
    pub(super) fn is_plain(&self) -> bool {
        let env = self.env();
        !env.flush_in && !env.flush_out
    }

    /// The source in the shape: a scalar's lowest lane, or all lanes.
    pub(super) fn fp(&mut self, i: &Instruction, shape: Shape) -> Val {
        let lane = shape.fmt.lane();
        if shape.lanes > 0 {
            let v = self.source(i, 16);
            return self.live(lane, shape.lanes.into(), v);
        }
        let (n, ty) = (last(i), shape.fmt.ty());
        let staged = self.vex.and_then(|vex| vex.loaded);
        if i.op_kind(n) == OpKind::Register || staged.is_some() {
            let v = staged.filter(|_| i.op_kind(n) != OpKind::Register).map(|all| all[0]);
            let v = v.unwrap_or_else(|| self.xmm(i.op_register(n)));
            let v = self.live(lane, 1, v);
            return self.b.vget(ty, v, 0);
        }
        let mem = self.mem(i, ty.bytes());
        self.b.load(ty, mem)
    }

    /// A scalar source in the lowest lane of a vector, whatever stands above it.
    pub(super) fn fp_low(&mut self, i: &Instruction, fmt: Fmt) -> Val {
        if i.op_kind(last(i)) == OpKind::Register {
            let v = self.xmm(i.op_register(last(i)));
            return self.live(fmt.lane(), 1, v);
        }
        let v = self.fp(i, Shape::scalar(fmt));
        self.b.v_from_scalar(v)
    }

    /// The first of two sources likewise.
    pub(super) fn fp_first(&mut self, i: &Instruction, shape: Shape) -> Val {
        let v = self.first(i);
        let v = self.live(shape.fmt.lane(), u32::from(shape.lanes).max(1), v);
        if shape.lanes > 0 { v } else { self.b.vget(shape.fmt.ty(), v, 0) }
    }

    /// Writes a result; above a scalar stands what does in the first source.
    pub(super) fn set_fp(&mut self, i: &Instruction, shape: Shape, v: Val) {
        let v = if shape.lanes > 0 {
            v
        } else {
            let old = self.first(i);
            self.b.vset(shape.fmt.lane(), old, v, 0)
        };
        self.set_vector(i, v);
    }
}

fn arith(cx: &mut Cx, i: &Instruction, op: Fp2, shape: Shape) {
    if shape.lanes == 0 && cx.is_plain() {
        let (a, b) = (cx.first(i), cx.fp_low(i, shape.fmt));
        let a = cx.live(shape.fmt.lane(), 1, a);
        let b = if op == Fp2::Div { cx.divisor(shape.fmt, 1, b) } else { b };
        let v = cx.b.fp2(op, Shape::low(shape.fmt, 0), cx.env(), a, b);
        return cx.set_vector(i, v);
    }
    if op == Fp2::Div && shape.lanes == 0 && cx.vex.is_some_and(|vex| vex.evex.is_some()) {
        let (a, b) = (cx.fp_first(i, shape), cx.fp_low(i, shape.fmt));
        let b = cx.divisor(shape.fmt, 1, b);
        let b = cx.b.vget(shape.fmt.ty(), b, 0);
        let v = cx.b.fp2(op, shape, cx.env(), a, b);
        return cx.set_fp(i, shape, v);
    }
    let (a, b) = (cx.fp_first(i, shape), cx.fp(i, shape));
    let b = if op == Fp2::Div && shape.lanes > 0 { cx.divisor(shape.fmt, shape.lanes.into(), b) } else { b };
    let v = cx.b.fp2(op, shape, cx.env(), a, b);
    cx.set_fp(i, shape, v);
}

fn sqrt(cx: &mut Cx, i: &Instruction, shape: Shape) {
    let a = cx.fp(i, shape);
    let v = cx.b.fp1(Fp1::Sqrt, shape, cx.env(), a);
    cx.set_fp(i, shape, v);
}

/// Bit 2 of the constant: as MXCSR has it; bit 3: no inexact exception.
fn round(cx: &mut Cx, i: &Instruction, shape: Shape) {
    let imm = u32::from(i.immediate8());
    let round: Round = if imm & 4 != 0 { cx.env().round } else { state::rounding(imm) };
    let op = if imm & 8 != 0 { Fp1::RoundInt } else { Fp1::RoundIntExact };
    let a = cx.fp(i, shape);
    let v = cx.b.fp1(op, shape, cx.env().round(round), a);
    cx.set_fp(i, shape, v);
}

fn neighbours(cx: &mut Cx, i: &Instruction, op: Fp2, shape: Shape) {
    let (a, b) = (cx.fp_first(i, shape), cx.fp(i, shape));
    let lane = shape.fmt.lane();
    let even = cx.b.v2(V2::UnzipEven, lane, a, b);
    let odd = cx.b.v2(V2::UnzipOdd, lane, a, b);
    let v = cx.b.fp2(op, shape, cx.env(), even, odd);
    cx.set_fp(i, shape, v);
}

/// Ones in even lanes.
pub(super) fn even_lanes(lane: Lane) -> u128 {
    (0..128 / lane.bits()).step_by(2).fold(0, |all, n| all | u128::from(lane.mask()) << (n * lane.bits()))
}

/// ADDSUBPS, ADDSUBPD: even lanes are subtracted, odd ones added.
fn alternate(cx: &mut Cx, i: &Instruction, shape: Shape) {
    let (a, b) = (cx.fp_first(i, shape), cx.fp(i, shape));
    let lane = shape.fmt.lane();
    // The lanes that are not wanted are made zeros, which raise nothing.
    let even = cx.b.v128(even_lanes(lane));
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
    let (a, b) = (cx.fp_first(i, shape), cx.fp(i, shape));
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
    let (a, b) = (cx.fp_first(i, shape), cx.fp(i, shape));
    let flags = cx.b.flags_fcmp(fmt, cx.env(), signalling, a, b);
    cx.set_flags(flags);
}

/// A comparison: of lanes, all ones where it holds.
#[derive(Clone, Copy)]
enum Holds {
    Equal,
    Less,
    LessOrEqual,
    Unordered,
    /// Neither less nor greater nor unordered with itself: equal or unordered.
    EqualOrUnordered,
    LessOrUnordered,
    LessEqualOrUnordered,
    Never,
}

/// Of AVX's 32 predicates: what holds, whether it is asked the other way round, and whether quiet NaNs are invalid. SSE has the first eight.
const fn predicate(n: u8) -> (Holds, bool, bool) {
    use Holds::*;
    let holds = match n & 15 {
        0 | 4 => Equal,
        1 | 5 => Less,
        2 | 6 => LessOrEqual,
        3 | 7 => Unordered,
        8 | 12 => EqualOrUnordered,
        9 | 13 => LessOrUnordered,
        10 | 14 => LessEqualOrUnordered,
        _ => Never,
    };
    let signalling = matches!(n & 15, 1 | 2 | 5 | 6 | 9 | 10 | 13 | 14) != (n & 16 != 0);
    (holds, n & 4 != 0, signalling)
}

/// CMPSS and its kin: all ones where the predicate holds.
fn mask(cx: &mut Cx, i: &Instruction, shape: Shape) {
    // A scalar comparison is one lane.
    let lanes = if shape.lanes == 0 { Shape::vector(shape.fmt, 1) } else { shape };
    let lane = shape.fmt.lane();
    let a = cx.first(i);
    let b = cx.source(i, if shape.lanes == 0 { lane.bytes() } else { 16 });
    let [a, b] = [a, b].map(|v| cx.live(lane, lanes.lanes.into(), v));
    let (holds, opposite, signalling) = predicate(i.immediate8() & if cx.vex.is_some() { 31 } else { 7 });
    let v = compared(cx, lanes, holds, signalling, a, b);
    let v = if opposite { cx.b.v1(V1::Not, lane, v) } else { v };
    let v = if shape.lanes > 0 { v } else { cx.b.vget(lane.ty(), v, 0) };
    cx.set_fp(i, shape, v);
}

fn compared(cx: &mut Cx, shape: Shape, holds: Holds, signalling: bool, a: Val, b: Val) -> Val {
    let (env, lane) = (cx.env(), shape.fmt.lane());
    let unordered = |cx: &mut Cx| cx.b.fp_cmp(FpCc::Unordered, shape, env, a, b);
    let (op, [x, y]) = match holds {
        Holds::Equal | Holds::EqualOrUnordered => (FpCc::Eq, [a, b]),
        Holds::Less | Holds::LessOrUnordered => (FpCc::Gt, [b, a]),
        Holds::LessOrEqual | Holds::LessEqualOrUnordered => (FpCc::Ge, [b, a]),
        Holds::Unordered | Holds::Never => (FpCc::Unordered, [a, b]),
    };
    let by_order = matches!(op, FpCc::Gt | FpCc::Ge);
    if signalling && !by_order {
        // For its exceptions.
        cx.b.fp_cmp(FpCc::Ge, shape, env, a, b);
    }
    let v = if by_order && !signalling {
        // Lanes with a NaN are made zeros, which are equal: of those the answer is no.
        let without = unordered(cx);
        let [x, y] = [x, y].map(|v| cx.b.v2(V2::AndNot, lane, v, without));
        let v = cx.b.fp_cmp(op, shape, env, x, y);
        cx.b.v2(V2::AndNot, lane, v, without)
    } else {
        cx.b.fp_cmp(op, shape, env, x, y)
    };
    match holds {
        Holds::EqualOrUnordered | Holds::LessOrUnordered | Holds::LessEqualOrUnordered => {
            let also = unordered(cx);
            cx.b.v2(V2::Or, lane, v, also)
        }
        Holds::Never => cx.b.v128(0),
        _ => v,
    }
}

fn mask_or_string(cx: &mut Cx, i: &Instruction) {
    if i.is_string_instruction() {
        super::string::move_or_compare(cx, i, true);
    } else {
        mask(cx, i, SD);
    }
}
