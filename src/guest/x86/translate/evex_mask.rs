//! EVEX: the opmask registers. Their own instructions, comparisons into them, and what goes between them and vectors.

use super::Cx;
use super::evex::pieces;
use crate::insn::{Row, rows as all_rows};
use crate::state::opmask;
use iced_x86::{Instruction, OpKind, Register};
use ir::{Bin, Lane, Ty, V1, V2, VShift, Val};

/// Instructions of opmask registers, which VEX encodes.
pub(crate) mod own {
    use super::*;
    use crate::insn::rows;

    rows! {
        Kmovb => moved(Ty::I8);
        Kmovw => moved(Ty::I16);
        Kmovd => moved(Ty::I32);
        Kmovq => moved(Ty::I64);
        Kandb => logic(Logic::And, 8);
        Kandw => logic(Logic::And, 16);
        Kandd => logic(Logic::And, 32);
        Kandq => logic(Logic::And, 64);
        Kandnb => logic(Logic::NotAnd, 8);
        Kandnw => logic(Logic::NotAnd, 16);
        Kandnd => logic(Logic::NotAnd, 32);
        Kandnq => logic(Logic::NotAnd, 64);
        Korb => logic(Logic::Or, 8);
        Korw => logic(Logic::Or, 16);
        Kord => logic(Logic::Or, 32);
        Korq => logic(Logic::Or, 64);
        Kxorb => logic(Logic::Xor, 8);
        Kxorw => logic(Logic::Xor, 16);
        Kxord => logic(Logic::Xor, 32);
        Kxorq => logic(Logic::Xor, 64);
        Kxnorb => logic(Logic::NotXor, 8);
        Kxnorw => logic(Logic::NotXor, 16);
        Kxnord => logic(Logic::NotXor, 32);
        Kxnorq => logic(Logic::NotXor, 64);
        Kaddb => logic(Logic::Add, 8);
        Kaddw => logic(Logic::Add, 16);
        Kaddd => logic(Logic::Add, 32);
        Kaddq => logic(Logic::Add, 64);
        Knotb => not(8);
        Knotw => not(16);
        Knotd => not(32);
        Knotq => not(64);
        Kshiftlb => shift(Bin::Shl, 8);
        Kshiftlw => shift(Bin::Shl, 16);
        Kshiftld => shift(Bin::Shl, 32);
        Kshiftlq => shift(Bin::Shl, 64);
        Kshiftrb => shift(Bin::Shr, 8);
        Kshiftrw => shift(Bin::Shr, 16);
        Kshiftrd => shift(Bin::Shr, 32);
        Kshiftrq => shift(Bin::Shr, 64);
        Kunpckbw => unpack(8);
        Kunpckwd => unpack(16);
        Kunpckdq => unpack(32);
        Kortestb => or_test(8);
        Kortestw => or_test(16);
        Kortestd => or_test(32);
        Kortestq => or_test(64);
        Ktestb => test(8);
        Ktestw => test(16);
        Ktestd => test(32);
        Ktestq => test(64);
    }
}

/// What looks at all pieces.
pub(crate) mod whole {
    use super::*;
    use crate::insn::rows;

    rows! {
        Vpmovb2m => signs(Lane::B);
        Vpmovw2m => signs(Lane::H);
        Vpmovd2m => signs(Lane::S);
        Vpmovq2m => signs(Lane::D);
        Vpmovm2b => lanes(Lane::B);
        Vpmovm2w => lanes(Lane::H);
        Vpmovm2d => lanes(Lane::S);
        Vpmovm2q => lanes(Lane::D);
        Vpbroadcastmb2q => broadcast(Lane::D, 8);
        Vpbroadcastmw2d => broadcast(Lane::S, 16);
    }
}

all_rows! {
    Vpcmpb => compare(Lane::B, true);
    Vpcmpw => compare(Lane::H, true);
    Vpcmpd => compare(Lane::S, true);
    Vpcmpq => compare(Lane::D, true);
    Vpcmpub => compare(Lane::B, false);
    Vpcmpuw => compare(Lane::H, false);
    Vpcmpud => compare(Lane::S, false);
    Vpcmpuq => compare(Lane::D, false);
    Vptestmb => test_lanes(Lane::B, false);
    Vptestmw => test_lanes(Lane::H, false);
    Vptestmd => test_lanes(Lane::S, false);
    Vptestmq => test_lanes(Lane::D, false);
    Vptestnmb => test_lanes(Lane::B, true);
    Vptestnmw => test_lanes(Lane::H, true);
    Vptestnmd => test_lanes(Lane::S, true);
    Vptestnmq => test_lanes(Lane::D, true);
}

/// Rows of this file, for which none is unused.
const _: &[&[Row]] = &[ROWS, own::ROWS, whole::ROWS];

fn get(cx: &mut Cx, reg: Register, bits: u32) -> Val {
    let v = cx.b.get(opmask(reg.number() as u32));
    if bits == 64 || cx.is_narrow(v, bits) { v } else { cx.b.and_imm(v, (1 << bits) - 1) }
}

fn set(cx: &mut Cx, i: &Instruction, v: Val, bits: u32) {
    let v = if bits == 64 { v } else { cx.b.and_imm(v, (1 << bits) - 1) };
    cx.b.set(opmask(i.op0_register().number() as u32), v);
}

fn moved(cx: &mut Cx, i: &Instruction, ty: Ty) {
    let v = match i.op1_kind() {
        OpKind::Register if i.op1_register().is_k() => get(cx, i.op1_register(), ty.bits()),
        OpKind::Register => {
            let v = cx.reg(i.op1_register());
            let v = cx.b.trunc(ty, v);
            cx.b.zext(Ty::I64, v)
        }
        _ => {
            let mem = cx.mem(i, ty.bytes());
            cx.b.load(Ty::I64, mem)
        }
    };
    match i.op0_kind() {
        OpKind::Register if i.op0_register().is_k() => set(cx, i, v, ty.bits()),
        OpKind::Register => {
            let v = cx.b.trunc(Ty::int(i.op0_register().size()), v);
            cx.set_reg(i.op0_register(), v);
        }
        _ => {
            let mem = cx.mem(i, ty.bytes());
            let v = cx.b.trunc(ty, v);
            cx.b.store(mem, v);
        }
    }
}

#[derive(Clone, Copy)]
enum Logic {
    And,
    NotAnd,
    Or,
    Xor,
    NotXor,
    Add,
}

fn logic(cx: &mut Cx, i: &Instruction, op: Logic, bits: u32) {
    let [a, b] = [i.op1_register(), i.op2_register()].map(|reg| cx.b.get(opmask(reg.number() as u32)));
    let v = match op {
        Logic::And => cx.b.and(a, b),
        Logic::NotAnd => cx.b.and_not(b, a),
        Logic::Or => cx.b.or(a, b),
        Logic::Xor => cx.b.xor(a, b),
        Logic::NotXor if a == b => cx.b.i64(u64::MAX),
        Logic::NotXor => {
            let v = cx.b.xor(a, b);
            cx.b.not(v)
        }
        Logic::Add => cx.b.add(a, b),
    };
    set(cx, i, v, bits);
}

fn not(cx: &mut Cx, i: &Instruction, bits: u32) {
    let v = cx.b.get(opmask(i.op1_register().number() as u32));
    let v = cx.b.not(v);
    set(cx, i, v, bits);
}

/// Further than there are bits nothing is left.
fn shift(cx: &mut Cx, i: &Instruction, op: Bin, bits: u32) {
    let n = u32::from(i.immediate8());
    let v = get(cx, i.op1_register(), bits);
    let v = if n >= bits { cx.b.i64(0) } else { cx.b.shift_imm(op, v, n) };
    set(cx, i, v, bits);
}

/// The first operand's bits above the second's.
fn unpack(cx: &mut Cx, i: &Instruction, bits: u32) {
    let (high, low) = (get(cx, i.op1_register(), bits), get(cx, i.op2_register(), bits));
    let high = cx.b.shift_imm(Bin::Shl, high, bits);
    let v = cx.b.or(high, low);
    set(cx, i, v, 2 * bits);
}

/// ZF: no bit of either; CF: all bits of the two together.
fn or_test(cx: &mut Cx, i: &Instruction, bits: u32) {
    let [a, b] = [i.op0_register(), i.op1_register()].map(|reg| get(cx, reg, bits));
    let v = if a == b { a } else { cx.b.or(a, b) };
    let all = cx.b.v128((u64::MAX >> (64 - bits)).into());
    let v = cx.b.v_from_scalar(v);
    let flags = cx.b.flags_test(v, all);
    cx.set_flags(flags);
}

/// ZF: no common bit; CF: no bit of the second that the first lacks.
fn test(cx: &mut Cx, i: &Instruction, bits: u32) {
    let [a, b] = [i.op0_register(), i.op1_register()].map(|reg| get(cx, reg, bits));
    let [a, b] = [a, b].map(|v| cx.b.v_from_scalar(v));
    let flags = cx.b.flags_test(a, b);
    cx.set_flags(flags);
}

// ---- comparisons ----

fn compare(cx: &mut Cx, i: &Instruction, lane: Lane, signed: bool) {
    let (a, b) = (cx.first(i), cx.source(i, 16));
    let (greater, greater_equal) = if signed { (V2::CmpGtS, V2::CmpGeS) } else { (V2::CmpGtU, V2::CmpGeU) };
    let v = match i.immediate8() & 7 {
        0 => cx.b.v2(V2::CmpEq, lane, a, b),
        1 => cx.b.v2(greater, lane, b, a),
        2 => cx.b.v2(greater_equal, lane, b, a),
        3 => cx.b.v128(0),
        4 => {
            let v = cx.b.v2(V2::CmpEq, lane, a, b);
            cx.b.v1(V1::Not, lane, v)
        }
        5 => cx.b.v2(greater_equal, lane, a, b),
        6 => cx.b.v2(greater, lane, a, b),
        _ => cx.b.v128(u128::MAX),
    };
    cx.set_vector(i, v);
}

fn test_lanes(cx: &mut Cx, i: &Instruction, lane: Lane, none: bool) {
    let (a, b) = (cx.first(i), cx.source(i, 16));
    let v = if none || a != b {
        let common = if a == b { a } else { cx.b.v2(V2::And, lane, a, b) };
        let zero = cx.b.v128(0);
        let v = cx.b.v2(V2::CmpEq, lane, common, zero);
        if none { v } else { cx.b.v1(V1::Not, lane, v) }
    } else {
        cx.b.v2(V2::CmpTst, lane, a, b)
    };
    cx.set_vector(i, v);
}

// ---- between vectors and opmasks ----

fn signs(cx: &mut Cx, i: &Instruction, lane: Lane) {
    let from = cx.whole_source(i, 1);
    let from = from.map(|v| match lane {
        // Lanes of 16 bits are packed as they are: only the sign matters.
        Lane::H if !v.is_none() => cx.b.vshift(VShift::ShrS, Lane::H, v, 15),
        _ => v,
    });
    let v = cx.bits_of(from, lane, 16);
    set(cx, i, v, 64);
}

fn lanes(cx: &mut Cx, i: &Instruction, lane: Lane) {
    let bits = cx.b.get(opmask(i.op1_register().number() as u32));
    let mut parts = [Val::NONE; 4];
    let each = 16 / lane.bytes() as u32;
    for (n, part) in parts.iter_mut().enumerate().take(pieces(i) as usize) {
        *part = cx.lanes_of(bits, lane, n as u32 * each, each);
    }
    cx.set_parts(i.op0_register(), parts);
}

fn broadcast(cx: &mut Cx, i: &Instruction, lane: Lane, bits: u32) {
    let v = get(cx, i.op1_register(), bits);
    let v = cx.b.trunc(lane.ty(), v);
    let v = cx.b.vsplat(lane, v);
    let mut parts = [Val::NONE; 4];
    parts[..pieces(i) as usize].fill(v);
    cx.set_parts(i.op0_register(), parts);
}
