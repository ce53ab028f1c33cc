//! Shifts and rotates.

use super::Cx;
use super::helper::{ROTATE_CARRY, ROTATE_CARRY_OUT};
use crate::insn::rows;
use crate::state::RCX;
use iced_x86::{Instruction, OpKind};
use ir::{Bin, IntCc, Shift, Ty, Val};

rows! {
    Shl => shift(Shift::Shl);
    Sal => shift(Shift::Shl);
    Shr => shift(Shift::Shr);
    Sar => shift(Shift::Sar);
    Rol => shift(Shift::Rol);
    Ror => shift(Shift::Ror);
    Rcl => rotate_carry(true);
    Rcr => rotate_carry(false);
    Shld => double(true);
    Shrd => double(false);
    Shlx => shift_quietly(Bin::Shl);
    Shrx => shift_quietly(Bin::Shr);
    Sarx => shift_quietly(Bin::Sar);
    Rorx => shift_quietly(Bin::Rotr);
}

/// How far: known, or 0 to 31 (63 for 64-bit operands) at run time, as an I32.
#[derive(Clone, Copy)]
enum Amount {
    Known(u32),
    Val(Val),
}

fn amount(cx: &mut Cx, i: &Instruction, n: u32, ty: Ty) -> Amount {
    let mask = if ty == Ty::I64 { 63 } else { 31 };
    match i.op_kind(n) {
        OpKind::Register => {
            let v = cx.low(Ty::I32, RCX);
            Amount::Val(cx.b.and_imm(v, mask))
        }
        _ => Amount::Known(i.immediate(n) as u32 & mask as u32),
    }
}

impl Cx<'_> {
    fn amount_value(&mut self, ty: Ty, amount: Amount) -> Val {
        match amount {
            Amount::Known(n) => self.b.constant(ty, n.into()),
            Amount::Val(v) if ty == Ty::I64 => self.b.zext(ty, v),
            Amount::Val(v) => self.b.trunc(ty, v),
        }
    }

    /// Bit `n` as an I1.
    fn bit(&mut self, v: Val, n: u32) -> Val {
        let v = self.b.extract(v, n, 1, false);
        self.b.trunc(Ty::I1, v)
    }

    /// The sign as an I1.
    fn sign(&mut self, v: Val) -> Val {
        let bits = self.b.ty(v).bits();
        self.bit(v, bits - 1)
    }

    /// Writes the result and its flags, unless the amount is zero: then flags stay.
    fn finish(&mut self, i: &Instruction, amount: Amount, r: Val, flags: Val) {
        if i.op0_kind() == OpKind::Memory {
            self.write(i, 0, r);
        }
        let flags = match amount {
            Amount::Known(_) => flags,
            Amount::Val(n) => {
                let zero = self.b.i32(0);
                let none = self.b.cmp(IntCc::Eq, n, zero);
                let old = self.flags();
                self.b.select(none, old, flags)
            }
        };
        self.set_flags(flags);
        if i.op0_kind() == OpKind::Register {
            self.write(i, 0, r);
        }
    }
}

/// Nothing is shifted: no flag changes. A 32-bit register loses its upper half all the same.
fn nothing(cx: &mut Cx, i: &Instruction, a: Val) {
    if i.op0_kind() == OpKind::Register {
        cx.write(i, 0, a);
    }
}

fn shift(cx: &mut Cx, i: &Instruction, shift: Shift) {
    let a = cx.read(i, 0);
    let ty = cx.b.ty(a);
    let n = amount(cx, i, 1, ty);
    if let Amount::Known(0) = n {
        return nothing(cx, i, a);
    }
    let (r, by) = (shifted(cx, shift, a, n), cx.amount_value(ty, n));
    if i.op0_kind() == OpKind::Memory {
        cx.write(i, 0, r);
    }
    let old = cx.flags();
    let flags = cx.b.flags_shift_x86(shift, a, by, old);
    cx.set_flags(flags);
    if i.op0_kind() == OpKind::Register {
        cx.write(i, 0, r);
    }
}

fn shifted(cx: &mut Cx, shift: Shift, a: Val, n: Amount) -> Val {
    let ty = cx.b.ty(a);
    let op = match shift {
        Shift::Shl => Bin::Shl,
        Shift::Shr => Bin::Shr,
        Shift::Sar => Bin::Sar,
        Shift::Ror => Bin::Rotr,
        Shift::Rol => {
            let by = cx.amount_value(ty, n);
            let by = cx.b.neg(by);
            return cx.b.bin(Bin::Rotr, a, by);
        }
    };
    if ty.bits() < 32 && op != Bin::Rotr {
        // Amounts may be beyond the width: in 32 bits they are not.
        let wide = if op == Bin::Sar { cx.b.sext(Ty::I32, a) } else { cx.b.zext(Ty::I32, a) };
        let by = cx.amount_value(Ty::I32, n);
        let r = cx.b.bin(op, wide, by);
        return cx.b.trunc(ty, r);
    }
    let by = cx.amount_value(ty, n);
    cx.b.bin(op, a, by)
}

/// The bit that the last of `amount` steps to the right puts out.
fn bit_before(cx: &mut Cx, a: Val, amount: Val) -> Val {
    let before = cx.b.add_imm(amount, -1);
    let v = cx.b.bin(Bin::Shr, a, before);
    cx.b.trunc(Ty::I1, v)
}

/// RCL and RCR.
fn rotate_carry(cx: &mut Cx, i: &Instruction, left: bool) {
    let a = cx.read(i, 0);
    let ty = cx.b.ty(a);
    let n = amount(cx, i, 1, ty);
    if let Amount::Known(0) = n {
        return nothing(cx, i, a);
    }
    let carry = cx.carry();
    let (r, out) = match n {
        Amount::Known(1) => rotated_once(cx, a, carry, left),
        _ => rotated_carry(cx, a, carry, n, left),
    };
    let sign = cx.sign(r);
    let overflow = if left {
        cx.b.xor(sign, out)
    } else {
        let next = cx.bit(r, ty.bits() - 2);
        cx.b.xor(sign, next)
    };
    let flags = kept_flags(cx, out, overflow);
    cx.finish(i, n, r, flags);
}

/// SF, ZF and PF as they are.
fn kept_flags(cx: &mut Cx, carry: Val, overflow: Val) -> Val {
    let old = cx.flags();
    cx.with_carry_overflow(old, carry, overflow)
}

fn rotated_once(cx: &mut Cx, a: Val, carry: Val, left: bool) -> (Val, Val) {
    let ty = cx.b.ty(a);
    let into = cx.b.zext(ty, carry);
    if left {
        let r = cx.b.shift_imm(Bin::Shl, a, 1);
        (cx.b.or(r, into), cx.sign(a))
    } else {
        let r = cx.b.shift_imm(Bin::Shr, a, 1);
        (cx.b.deposit(r, into, ty.bits() - 1, 1), cx.b.trunc(Ty::I1, a))
    }
}

fn rotated_carry(cx: &mut Cx, a: Val, carry: Val, n: Amount, left: bool) -> (Val, Val) {
    let ty = cx.b.ty(a);
    let width = cx.b.i32(ty.bits());
    let by = cx.amount_value(Ty::I32, n);
    // To the right by n is to the left by the rest, of which narrow operands may need two rounds.
    let by = if left {
        by
    } else {
        let round = cx.b.i32(4 * (ty.bits() + 1));
        cx.b.sub(round, by)
    };
    let (v, carry) = (cx.b.zext(Ty::I64, a), cx.b.zext(Ty::I32, carry));
    let r = cx.b.call(&ROTATE_CARRY, Ty::I64, &[v, by, carry, width]);
    let out = cx.b.call(&ROTATE_CARRY_OUT, Ty::I32, &[v, by, carry, width]);
    (cx.b.trunc(ty, r), cx.b.trunc(Ty::I1, out))
}

/// SHLD and SHRD: the first operand shifted, the second's bits come in.
fn double(cx: &mut Cx, i: &Instruction, left: bool) {
    let (a, b) = (cx.read(i, 0), cx.read(i, 1));
    let ty = cx.b.ty(a);
    let n = amount(cx, i, 2, ty);
    if let Amount::Known(0) = n {
        return nothing(cx, i, a);
    }
    if ty == Ty::I16 {
        let (r, carry) = double16(cx, a, b, n, left);
        let (sign_a, sign_r) = (cx.sign(a), cx.sign(r));
        let overflow = cx.b.xor(sign_a, sign_r);
        let flags = cx.flags_of(r);
        let flags = cx.with_carry_overflow(flags, carry, overflow);
        return cx.finish(i, n, r, flags);
    }
    let by = cx.amount_value(ty, n);
    let old = cx.flags();
    let r = cx.b.shift_double(left, a, b, by);
    if i.op0_kind() == OpKind::Memory {
        cx.write(i, 0, r);
    }
    let flags = cx.b.flags_shift_double(left, a, b, by, old);
    cx.set_flags(flags);
    if i.op0_kind() == OpKind::Register {
        cx.write(i, 0, r);
    }
}

/// Amounts above 16 are left open by the manual; hosts go on with the first operand's bits.
fn double16(cx: &mut Cx, a: Val, b: Val, n: Amount, left: bool) -> (Val, Val) {
    let amount = cx.amount_value(Ty::I64, n);
    let (a, b) = (cx.b.zext(Ty::I64, a), cx.b.zext(Ty::I64, b));
    let (op, parts) = if left { (Bin::Shl, [a, b, a]) } else { (Bin::Shr, [a, b, a]) };
    // Three times 16 bits: for the left form the first stands highest, for the right form lowest.
    let [x, y, z] = parts;
    let all = if left {
        let v = cx.b.deposit(z, y, 16, 16);
        cx.b.deposit(v, x, 32, 16)
    } else {
        let v = cx.b.deposit(x, y, 16, 16);
        cx.b.deposit(v, z, 32, 16)
    };
    let r = cx.b.bin(op, all, amount);
    let carry = if left { cx.bit(r, 48) } else { bit_before(cx, all, amount) };
    let r = if left { cx.b.shift_imm(Bin::Shr, r, 32) } else { r };
    (cx.b.trunc(Ty::I16, r), carry)
}

/// SHLX, SHRX, SARX, RORX: no flags.
fn shift_quietly(cx: &mut Cx, i: &Instruction, op: Bin) {
    let a = cx.read(i, 1);
    let ty = cx.b.ty(a);
    let by = match i.op2_kind() {
        OpKind::Register => cx.read(i, 2),
        _ => cx.b.constant(ty, i.immediate(2) & u64::from(ty.bits() - 1)),
    };
    let r = cx.b.bin(op, a, by);
    cx.write(i, 0, r);
}
