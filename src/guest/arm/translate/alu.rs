//! Data processing (Arm ARM F3.1.5, F3.1.9, F4.1.2, F4.1.3): the sixteen operations with their shifted operands, moves, addresses.

use super::Cx;
use crate::insn::{Adr, DpImm, DpImm8, DpReg, DpRsr, DpTwo, Movt, Movw, ShTwo};
use ir::{Bin, Cc, IntCc, Ty, Val};

/// A second operand, with the shifter's carry (I1) if it is not C as it was.
#[derive(Clone, Copy, Debug)]
struct Operand {
    v: Val,
    carry: Option<Val>,
    /// What was shifted by a constant to make it, where the host's flags can be those of the shift.
    shift: Option<(Bin, Val, u32)>,
}

/// Where a data-processing instruction reads and writes: `o` as in A32's rows, 16 is ORN.
#[derive(Clone, Copy, Debug)]
struct Dp {
    o: u32,
    f: u32,
    d: u32,
    n: u32,
}

pub(crate) fn dp_imm(cx: &mut Cx, a: DpImm) {
    let operand = immediate(cx, a.k, a.i);
    dp(cx, Dp { o: a.o, f: a.f, d: a.d, n: a.n }, operand);
}

pub(crate) fn dp_imm8(cx: &mut Cx, a: DpImm8) {
    let operand = immediate(cx, 2, a.i);
    dp(cx, Dp { o: a.o, f: 2, d: a.d, n: a.d }, operand);
}

pub(crate) fn dp_reg(cx: &mut Cx, a: DpReg) {
    let carry = cx.sets_flags(a.f) && is_logical(a.o);
    let operand = shifted(cx, a.m, a.t, a.i, carry);
    dp(cx, Dp { o: a.o, f: a.f, d: a.d, n: a.n }, operand);
}

pub(crate) fn dp_rsr(cx: &mut Cx, a: DpRsr) {
    let carry = cx.sets_flags(a.f) && is_logical(a.o);
    let operand = shifted_by_register(cx, a.m, a.t, a.s, carry);
    dp(cx, Dp { o: a.o, f: a.f, d: a.d, n: a.n }, operand);
}

pub(crate) fn dp_two(cx: &mut Cx, a: DpTwo) {
    let v = cx.r(a.m);
    dp(cx, Dp { o: a.o, f: a.f, d: a.d, n: a.d }, Operand { v, carry: None, shift: None });
}

pub(crate) fn sh_two(cx: &mut Cx, a: ShTwo) {
    let carry = cx.sets_flags(2);
    let operand = shifted_by_register(cx, a.d, a.t, a.m, carry);
    dp(cx, Dp { o: 13, f: 2, d: a.d, n: 0 }, operand);
}

pub(crate) fn adr(cx: &mut Cx, a: Adr) {
    let base = cx.base(15);
    let offset = i64::from(a.i << a.k);
    let v = cx.b.add_imm(base, if a.u == 1 { offset } else { -offset });
    cx.set_r(a.d, v);
}

pub(crate) fn movw(cx: &mut Cx, a: Movw) {
    let v = cx.b.i32(a.h << 12 | a.i);
    cx.set_r(a.d, v);
}

pub(crate) fn movt(cx: &mut Cx, a: Movt) {
    let old = cx.r(a.d);
    let high = cx.b.i32(a.h << 12 | a.i);
    let v = cx.b.deposit(old, high, 16, 16);
    cx.set_r(a.d, v);
}

/// Whether C comes from the shifter: all but the operations with a carry of their own.
fn is_logical(o: u32) -> bool {
    !matches!(o, 2..=7 | 10 | 11)
}

fn dp(cx: &mut Cx, a: Dp, m: Operand) {
    let is_test = matches!(a.o, 8..=11);
    let flags = cx.sets_flags(a.f);
    // Rd = pc with flags is an exception return: undefined in user mode.
    if a.d == 15 && flags && !is_test {
        return cx.undefined();
    }
    let n = if matches!(a.o, 13 | 15) { m.v } else { cx.r(a.n) };
    let result = if is_test && !matches!(a.o, 8 | 9) { n } else { compute(cx, a.o, n, m.v) };
    if flags {
        let new = flags_of(cx, a.o, n, m, result);
        cx.set_flags(new);
    }
    if is_test {
        return;
    }
    if a.d == 15 {
        return cx.alu_write_pc(result, a.o == 13 && cx.is_link(result));
    }
    cx.set_r(a.d, result);
}

fn compute(cx: &mut Cx, o: u32, n: Val, m: Val) -> Val {
    match o {
        0 | 8 => cx.b.and(n, m),
        1 | 9 => cx.b.xor(n, m),
        2 => cx.b.sub(n, m),
        3 => cx.b.sub(m, n),
        4 => cx.b.add(n, m),
        5 => {
            let c = cx.flags();
            cx.b.add_c(n, m, c)
        }
        6 => {
            let c = cx.flags();
            cx.b.sub_c(n, m, c)
        }
        7 => {
            let c = cx.flags();
            cx.b.sub_c(m, n, c)
        }
        12 => cx.b.or(n, m),
        13 => m,
        14 => cx.b.and_not(n, m),
        15 => cx.b.not(m),
        _ => {
            let m = cx.b.not(m);
            cx.b.or(n, m)
        }
    }
}

fn flags_of(cx: &mut Cx, o: u32, n: Val, m: Operand, result: Val) -> Val {
    match o {
        2 | 10 => cx.b.flags_sub(n, m.v),
        3 => cx.b.flags_sub(m.v, n),
        4 | 11 => cx.b.flags_add(n, m.v),
        5 => {
            let c = cx.flags();
            cx.b.flags_adc(n, m.v, c)
        }
        6 => {
            let c = cx.flags();
            cx.b.flags_sbc(n, m.v, c)
        }
        7 => {
            let c = cx.flags();
            cx.b.flags_sbc(m.v, n, c)
        }
        _ => {
            let old = cx.flags();
            if let (13, Some((shift, v, amount))) = (o, m.shift) {
                return cx.b.flags_shift(shift, v, amount, old);
            }
            match m.carry {
                Some(c) => cx.b.flags_nzc(result, c, old),
                None => cx.b.flags_nz(result, old),
            }
        }
    }
}

/// An immediate: `k` 0 A32's (8 bits rotated by an even amount), 1 T32's modified, 2 plain, 3 times four.
fn immediate(cx: &mut Cx, k: u32, i: u32) -> Operand {
    let (value, carry) = expand(k, i);
    let carry = carry.map(|c| cx.b.i1(c));
    Operand { v: cx.b.i32(value), carry, shift: None }
}

/// The value of an immediate operand, with the carry if it was rotated (Arm ARM F1.7.7, F2.3 ThumbExpandImm_C).
pub(crate) fn expand(k: u32, i: u32) -> (u32, Option<bool>) {
    let rotated = |v: u32, by: u32| {
        let v = v.rotate_right(by);
        (v, Some(v >> 31 == 1))
    };
    match k {
        0 if i >> 8 == 0 => (i, None),
        0 => rotated(i & 0xff, i >> 8 << 1),
        1 if i >> 10 != 0 => rotated(i & 0x7f | 0x80, i >> 7),
        1 => ((i & 0xff) * [1, 0x0001_0001, 0x0100_0100, 0x0101_0101][(i >> 8) as usize], None),
        2 => (i, None),
        _ => (i << 2, None),
    }
}

/// rm shifted by an immediate: `t` and `i` as encoded (0 stands for 32 in LSR and ASR, for RRX in ROR).
pub(crate) fn shifted_value(cx: &mut Cx, m: u32, t: u32, i: u32) -> Val {
    shifted(cx, m, t, i, false).v
}

fn shifted(cx: &mut Cx, m: u32, t: u32, i: u32, carry: bool) -> Operand {
    let v = cx.r(m);
    let source = v;
    // The bit that is shifted out last.
    let mut bit = |n: u32| {
        let masked = cx.b.and_imm(v, 1 << n);
        let zero = cx.b.i32(0);
        cx.b.cmp(IntCc::Ne, masked, zero)
    };
    let out = match (t, i) {
        (0, 0) => None,
        (0, i) => Some(32 - i),
        (3, 0) => Some(0),
        (_, 0) => Some(31),
        (_, i) => Some(i - 1),
    };
    let carry = if carry { out.map(&mut bit) } else { None };
    let v = match (t, i) {
        (0, i) => cx.b.shift_imm(Bin::Shl, v, i),
        (1, 0) => cx.b.i32(0),
        (1, i) => cx.b.shift_imm(Bin::Shr, v, i),
        (2, i) => cx.b.shift_imm(Bin::Sar, v, if i == 0 { 31 } else { i }),
        (_, 0) => rrx(cx, v),
        (_, i) => cx.b.shift_imm(Bin::Rotr, v, i),
    };
    let shift = [Bin::Shl, Bin::Shr, Bin::Sar].get(t as usize).filter(|_| i > 0).map(|&shift| (shift, source, i));
    Operand { v, carry, shift }
}

/// C above bits 31..1.
fn rrx(cx: &mut Cx, v: Val) -> Val {
    let flags = cx.flags();
    let c = cx.b.cond(Cc::Cs, flags);
    let c = cx.b.zext(Ty::I32, c);
    cx.b.funnel(c, v, 1)
}

/// rm shifted by the low byte of rs.
fn shifted_by_register(cx: &mut Cx, m: u32, t: u32, s: u32, carry: bool) -> Operand {
    let (v, s) = (cx.r(m), cx.r(s));
    let amount = cx.b.and_imm(s, 0xff);
    if t == 3 {
        return rotated_by_register(cx, v, amount, carry);
    }
    if !carry {
        return Operand { v: shift_by(cx, v, t, s), carry: None, shift: None };
    }
    // In 64 bits with one bit to spare, the bit shifted out last stays. Amounts beyond 63 do what 63 does.
    let most = cx.b.i32(63);
    let is_small = cx.b.cmp(IntCc::Ult, amount, most);
    let by = cx.b.select(is_small, amount, most);
    let by = cx.b.zext(Ty::I64, by);
    let wide = if t == 2 { cx.b.sext(Ty::I64, v) } else { cx.b.zext(Ty::I64, v) };
    let out = if t == 0 {
        let wide = cx.b.bin(Bin::Shl, wide, by);
        cx.b.shift_imm(Bin::Shr, wide, 32)
    } else {
        let wide = cx.b.shift_imm(Bin::Shl, wide, 1);
        cx.b.bin(if t == 2 { Bin::Sar } else { Bin::Shr }, wide, by)
    };
    let out = cx.b.and_imm(out, 1);
    let out = cx.b.trunc(Ty::I32, out);
    let carry = Some(carry_unless_zero(cx, amount, out));
    Operand { v: shift_by(cx, v, t, s), carry, shift: None }
}

/// The carry: bit 0 of `out`, or C if the amount is zero.
fn carry_unless_zero(cx: &mut Cx, amount: Val, out: Val) -> Val {
    let zero = cx.b.i32(0);
    let unmoved = cx.b.cmp(IntCc::Eq, amount, zero);
    let out = cx.b.cmp(IntCc::Ne, out, zero);
    let flags = cx.flags();
    let c = cx.b.cond(Cc::Cs, flags);
    cx.b.select(unmoved, c, out)
}

/// By the low byte of `amount`; the operations themselves look at its low five bits.
fn shift_by(cx: &mut Cx, v: Val, t: u32, amount: Val) -> Val {
    let zero = cx.b.i32(0);
    let shifted = if t == 2 { v } else { cx.b.bin(if t == 0 { Bin::Shl } else { Bin::Shr }, v, amount) };
    let beyond = cx.b.and_imm(amount, 0xe0);
    let is_large = cx.b.cmp(IntCc::Ne, beyond, zero);
    if t == 2 {
        let most = cx.b.i32(31);
        let by = cx.b.select(is_large, most, amount);
        return cx.b.bin(Bin::Sar, v, by);
    }
    cx.b.select(is_large, zero, shifted)
}

fn rotated_by_register(cx: &mut Cx, v: Val, amount: Val, carry: bool) -> Operand {
    let v = cx.b.bin(Bin::Rotr, v, amount);
    if !carry {
        return Operand { v, carry: None, shift: None };
    }
    let top = cx.b.shift_imm(Bin::Shr, v, 31);
    Operand { v, carry: Some(carry_unless_zero(cx, amount, top)), shift: None }
}

#[cfg(test)]
mod tests {
    use super::expand;

    #[test]
    fn immediates() {
        assert_eq!(expand(0, 0x0ff), (0xff, None));
        assert_eq!(expand(0, 0x4ff), (0xff00_0000, Some(true)));
        assert_eq!(expand(0, 0x102), (0x8000_0000, Some(true)));
        assert_eq!(expand(1, 0x1ab), (0x00ab_00ab, None));
        assert_eq!(expand(1, 0x2ab), (0xab00_ab00, None));
        assert_eq!(expand(1, 0x3ab), (0xabab_abab, None));
        assert_eq!(expand(1, 0x47f), (0xff00_0000, Some(true)));
        assert_eq!(expand(1, 0xfff), (0x0000_01fe, Some(false)));
        assert_eq!(expand(3, 0xff), (0x3fc, None));
    }
}
