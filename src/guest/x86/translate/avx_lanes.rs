//! Instructions of AVX, AVX2 and F16C that SSE has no counterpart of and that work within halves: each function is called for one half after the other.

use super::Cx;
use super::sse_integer::blend_constant;
use super::sse_move::choice;
use crate::insn::rows;
use crate::state;
use iced_x86::{Instruction, OpKind};
use ir::{Align, Env, Fmt, Lane, Ty, V2, Val};

rows! {
    Vpermilps => permute(Lane::S);
    Vpermilpd => permute(Lane::D);
    Vpblendd => blend_constant(Lane::S);
    Vpblendvb => blend(Lane::B);
    Vblendvps => blend(Lane::S);
    Vblendvpd => blend(Lane::D);
    Vpsllvd => shift(V2::ShlEach, Lane::S);
    Vpsllvq => shift(V2::ShlEach, Lane::D);
    Vpsrlvd => shift(V2::ShrEachU, Lane::S);
    Vpsrlvq => shift(V2::ShrEachU, Lane::D);
    Vpsravd => shift(V2::ShrEachS, Lane::S);
    Vcvtph2ps => from_half_precision();
    Vcvtps2ph => to_half_precision();
}

/// Lanes of a half by a constant, or by the low bits of another vector's lanes.
fn permute(cx: &mut Cx, i: &Instruction, lane: Lane) {
    let count = 16 / lane.bytes() as u32;
    if i.op_kind(i.op_count() - 1) == OpKind::Immediate8 {
        let v = cx.source(i, 16);
        // Of doubles each half has bits of its own.
        let imm = u32::from(i.immediate8()) >> if lane == Lane::D { 2 * cx.half() } else { 0 };
        let bits = count.trailing_zeros();
        let chosen = (0..count).map(|n| Some(imm >> (n * bits) & (count - 1)));
        let table = cx.b.v128(choice(lane, chosen));
        let v = cx.b.v2(V2::Tbl, Lane::B, v, table);
        return cx.set_vector(i, v);
    }
    let (v, which) = (cx.first(i), cx.source(i, 16));
    let v = permuted(cx, v, which, lane);
    cx.set_vector(i, v);
}

fn permuted(cx: &mut Cx, v: Val, which: Val, lane: Lane) -> Val {
    // A double is chosen by bit 1, a single by bits 1 and 0.
    let (bits, left, spread, bytes) = match lane {
        Lane::D => {
            (2u128 << 64 | 2, 2, 0x0808_0808_0808_0808_0000_0000_0000_0000, 0x0706_0504_0302_0100_0706_0504_0302_0100)
        }
        _ => (
            0x0000_0003_0000_0003_0000_0003_0000_0003,
            2,
            0x0c0c_0c0c_0808_0808_0404_0404_0000_0000,
            0x0302_0100_0302_0100_0302_0100_0302_0100u128,
        ),
    };
    let [bits, spread, bytes] = [bits, spread, bytes].map(|v| cx.b.v128(v));
    let which = cx.b.v2(V2::And, lane, which, bits);
    let which = cx.b.vshift(ir::VShift::Shl, lane, which, left);
    let which = cx.b.v2(V2::Tbl, Lane::B, which, spread);
    let which = cx.b.v2(V2::Or, Lane::B, which, bytes);
    cx.b.v2(V2::Tbl, Lane::B, v, which)
}

/// Lanes of the second source where the fourth operand's are negative.
fn blend(cx: &mut Cx, i: &Instruction, lane: Lane) {
    let (b, a) = (cx.source_at(i, 2, 16), cx.of_half(i.op1_register()));
    let mask = cx.of_half(i.op_register(3));
    let v = cx.blended(lane, mask, b, a);
    cx.set_vector(i, v);
}

/// Each lane by an amount of its own.
fn shift(cx: &mut Cx, i: &Instruction, op: V2, lane: Lane) {
    let (a, b) = (cx.first(i), cx.source(i, 16));
    let v = cx.b.v2(op, lane, a, b);
    cx.set_vector(i, v);
}

/// Subnormal numbers are numbers whatever MXCSR says.
fn from_half_precision(cx: &mut Cx, i: &Instruction) {
    let v = cx.narrow(i, 8);
    let v = cx.live(Lane::H, 4, v);
    let env = Env { flush_in: false, flush_out: false, ..cx.env() };
    let v = cx.b.fp_cvt_lanes(Fmt::F16, Fmt::F32, 4, env, v);
    cx.set_vector(i, v);
}

/// Bit 2 of the constant: rounded as MXCSR has it.
fn to_half_precision(cx: &mut Cx, i: &Instruction) {
    let v = cx.of_half(i.op1_register());
    let imm = u32::from(i.immediate8());
    let round = if imm & 4 != 0 { cx.env().round } else { state::rounding(imm) };
    let env = Env { flush_out: false, ..cx.env().round(round) };
    if i.op0_kind() == OpKind::Register {
        let v = cx.b.fp_cvt_lanes(Fmt::F32, Fmt::F16, 4, env, v);
        return cx.set_vector(i, v);
    }
    let whole = i.op1_register().is_ymm();
    if whole && cx.half() == 0 {
        // One store has both halves, when it is the second's turn.
        return;
    }
    // A store that faults has raised nothing.
    let before = cx.b.fp_flags();
    let mut v = cx.b.fp_cvt_lanes(Fmt::F32, Fmt::F16, 4, env, v);
    if whole {
        let low = cx.xmm(i.op1_register());
        let low = cx.b.fp_cvt_lanes(Fmt::F32, Fmt::F16, 4, env, low);
        v = cx.b.v2(V2::ZipLo, Lane::D, low, v);
    } else {
        v = cx.b.vget(Ty::I64, v, 0);
    }
    let after = cx.b.fp_flags();
    cx.b.set_fp_flags(before);
    let mem = cx.mem(i, if whole { 16 } else { 8 }).align(Align::Any);
    cx.b.store(mem, v);
    cx.b.set_fp_flags(after);
}
