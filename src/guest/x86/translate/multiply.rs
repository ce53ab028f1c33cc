//! Products and quotients.

use super::Cx;
use super::helper::{DIVIDE, REMAINDER};
use crate::insn::rows;
use crate::state::{RAX, RDX};
use iced_x86::{Instruction, Register};
use ir::{Bin, IntCc, Op, Term, Trap, Ty, Val};

rows! {
    Mul => wide(false);
    Imul => imul();
    Mulx => mulx();
    Div => divide(false);
    Idiv => divide(true);
}

impl Cx<'_> {
    fn extend(&mut self, signed: bool, ty: Ty, v: Val) -> Val {
        if signed { self.b.sext(ty, v) } else { self.b.zext(ty, v) }
    }

    /// CF and OF say whether the product is wider than its low half; the manual leaves the rest open.
    fn flags_product(&mut self, signed: bool, a: Val, b: Val) {
        let flags = self.b.flags_product(signed, a, b);
        self.set_flags(flags);
    }

    /// Low and high half of a product.
    fn product(&mut self, signed: bool, a: Val, b: Val) -> (Val, Val) {
        let ty = self.b.ty(a);
        let lo = self.b.mul(a, b);
        let hi = if matches!(ty, Ty::I32 | Ty::I64) {
            self.b.bin(if signed { Bin::MulHiS } else { Bin::MulHiU }, a, b)
        } else {
            let wide = Ty::int(2 * ty.bytes());
            let (a, b) = (self.extend(signed, wide, a), self.extend(signed, wide, b));
            let p = self.b.mul(a, b);
            let p = self.b.shift_imm(Bin::Shr, p, ty.bits());
            self.b.trunc(ty, p)
        };
        (lo, hi)
    }

    /// The pair of registers for products and dividends: AX, or low and high half.
    fn set_pair(&mut self, lo: Val, hi: Val) {
        if self.b.ty(lo) == Ty::I8 {
            let (lo, hi) = (self.b.zext(Ty::I16, lo), self.b.zext(Ty::I16, hi));
            let v = self.b.deposit(lo, hi, 8, 8);
            return self.set_low(RAX, v);
        }
        self.set_low(RAX, lo);
        self.set_low(RDX, hi);
    }
}

fn wide(cx: &mut Cx, i: &Instruction, signed: bool) {
    let b = cx.read(i, 0);
    let a = cx.low(cx.b.ty(b), RAX);
    let (lo, hi) = cx.product(signed, a, b);
    cx.flags_product(signed, a, b);
    cx.set_pair(lo, hi);
}

fn imul(cx: &mut Cx, i: &Instruction) {
    if i.op_count() == 1 {
        return wide(cx, i, true);
    }
    let first = if i.op_count() == 3 { 1 } else { 0 };
    let (a, b) = (cx.read(i, first), cx.read(i, first + 1));
    let r = cx.b.mul(a, b);
    cx.flags_product(true, a, b);
    cx.write(i, 0, r);
}

/// No flags; the high half is written last.
fn mulx(cx: &mut Cx, i: &Instruction) {
    let b = cx.read(i, 2);
    let a = cx.low(cx.b.ty(b), RDX);
    let (lo, hi) = cx.product(false, a, b);
    cx.write(i, 1, lo);
    cx.write(i, 0, hi);
}

/// Most often the dividend is one register extended, and the divisor neither 0 nor -1: such divisions cannot fail. The helper sees to the others.
/// Unsigned ones of registers have a simpler rule: [`is_wide`].
fn divide(cx: &mut Cx, i: &Instruction, signed: bool) {
    let divisor = cx.read(i, 0);
    let ty = cx.b.ty(divisor);
    let (lo, hi) = dividend(cx, ty);
    if is_wide(ty, signed) {
        let is_easy = cx.b.cmp(IntCc::Ult, hi, divisor);
        return divide_if(cx, i, ty, signed, is_easy);
    }
    let zero = cx.b.constant(ty, 0);
    let plain_hi = if signed { cx.b.shift_imm(Bin::Sar, lo, ty.bits() - 1) } else { zero };
    let is_some = if signed {
        // Neither -1 nor 0.
        let (one, next) = (cx.b.constant(ty, 1), cx.b.add_imm(divisor, 1));
        cx.b.cmp(IntCc::Ugt, next, one)
    } else {
        cx.b.cmp(IntCc::Ne, divisor, zero)
    };
    let is_easy = if signed && is_sign_of(cx, hi, lo) {
        is_some
    } else {
        let is_plain = cx.b.cmp(IntCc::Eq, hi, plain_hi);
        cx.b.and(is_plain, is_some)
    };
    divide_if(cx, i, ty, signed, is_easy);
}

/// Whether the whole dividend is divided by one operation, which is right whenever the divisor is above its upper half.
fn is_wide(ty: Ty, signed: bool) -> bool {
    !signed && matches!(ty, Ty::I32 | Ty::I64)
}

/// Whether `hi` is known to be copies of the sign of `lo`: CDQ has made it.
fn is_sign_of(cx: &Cx, hi: Val, lo: Val) -> bool {
    let source = |v: Val| match *cx.b.region.op(v) {
        Op::Trunc(x) => x,
        _ => v,
    };
    let bits = cx.b.ty(lo).bits();
    matches!(*cx.b.region.op(hi), Op::Bin(Bin::Sar, x, n)
        if source(x) == source(lo) && cx.b.const_of(n) == Some(u64::from(bits - 1)))
}

/// Divides where it is known how to, else by the helper, which traps where there is no quotient.
fn divide_if(cx: &mut Cx, i: &Instruction, ty: Ty, signed: bool, is_easy: Val) {
    let (easy, hard, on) = (cx.b.block(), cx.b.block(), cx.b.block());
    cx.b.branch(is_easy, easy, hard);
    cx.b.enter(easy);
    divide_easy(cx, i, ty, signed);
    cx.b.end(Term::Jump(on));
    cx.b.enter(hard);
    if is_wide(ty, signed) {
        // There is no quotient of so many bits.
        cx.b.trap(Trap::Arithmetic);
    } else {
        divide_hard(cx, i, ty, signed);
        cx.b.end(Term::Jump(on));
    }
    cx.b.enter(on);
}

/// Low and high half: AX, or RAX and RDX.
fn dividend(cx: &mut Cx, ty: Ty) -> (Val, Val) {
    let lo = cx.low(ty, RAX);
    let hi = if ty == Ty::I8 { cx.reg(Register::AH) } else { cx.low(ty, RDX) };
    (lo, hi)
}

fn divide_easy(cx: &mut Cx, i: &Instruction, ty: Ty, signed: bool) {
    if is_wide(ty, signed) {
        let ((lo, hi), divisor) = (dividend(cx, ty), cx.read(i, 0));
        let [q, r] = [false, true].map(|remainder| cx.b.div_wide(remainder, hi, lo, divisor));
        return cx.set_pair(q, r);
    }
    let (lo, divisor) = (cx.low(ty, RAX), cx.read(i, 0));
    // Narrow divisions are 32 bits wide on the host, too.
    let at = if ty == Ty::I64 { Ty::I64 } else { Ty::I32 };
    let (lo, divisor) = (cx.extend(signed, at, lo), cx.extend(signed, at, divisor));
    let (div, rem) = if signed { (Bin::DivS, Bin::RemS) } else { (Bin::DivU, Bin::RemU) };
    let (q, r) = (cx.b.bin(div, lo, divisor), cx.b.bin(rem, lo, divisor));
    let (q, r) = (cx.b.trunc(ty, q), cx.b.trunc(ty, r));
    cx.set_pair(q, r);
}

fn divide_hard(cx: &mut Cx, i: &Instruction, ty: Ty, signed: bool) {
    let ((lo, hi), divisor) = (dividend(cx, ty), cx.read(i, 0));
    let [lo, hi, divisor] = [lo, hi, divisor].map(|v| cx.b.zext(Ty::I64, v));
    let kind = cx.b.i32(ty.bits() << 1 | u32::from(signed));
    let q = cx.b.call(&DIVIDE, Ty::I64, &[lo, hi, divisor, kind]);
    let r = cx.b.call(&REMAINDER, Ty::I64, &[lo, hi, divisor, kind]);
    let (q, r) = (cx.b.trunc(ty, q), cx.b.trunc(ty, r));
    cx.set_pair(q, r);
}
