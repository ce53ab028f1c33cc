//! Single bits, scans and counts of bits, and the instructions of BMI.

use super::Cx;
use super::integer::is_locked;
use crate::features::{BMI1, LZCNT};
use crate::insn::rows;
use iced_x86::{Instruction, OpKind};
use ir::{Align, Bin, IntCc, Mem, Order, Rmw, Ty, Un, Val};

rows! {
    Bt => bit_test(BitOp::Test);
    Bts => bit_test(BitOp::Set);
    Btr => bit_test(BitOp::Reset);
    Btc => bit_test(BitOp::Complement);
    Bsf => scan(false);
    Bsr => scan(true);
    Tzcnt => count_zeros(false);
    Lzcnt => count_zeros(true);
    Popcnt => popcnt();
    Bswap => bswap();
    Andn => andn();
    Bextr => bextr();
    Blsi => lowest(Lowest::Isolate);
    Blsmsk => lowest(Lowest::Mask);
    Blsr => lowest(Lowest::Reset);
    Bzhi => bzhi();
    Pdep => scatter(true);
    Pext => scatter(false);
}

#[derive(Clone, Copy)]
enum BitOp {
    Test,
    Set,
    Reset,
    Complement,
}

/// CF is the bit; ZF stays, the manual leaves the rest open.
fn bit_test(cx: &mut Cx, i: &Instruction, op: BitOp) {
    let ty = super::operand::operand_type(i, 0);
    let index = match i.op1_kind() {
        OpKind::Register => cx.read(i, 1),
        _ => cx.b.constant(ty, i.immediate(1)),
    };
    let low = cx.b.and_imm(index, u64::from(ty.bits() - 1));
    let one = cx.b.constant(ty, 1);
    let mask = cx.b.bin(Bin::Shl, one, low);
    if i.op0_kind() == OpKind::Register {
        let a = cx.read(i, 0);
        set_carry_bit(cx, a, low);
        if let Some(r) = changed(cx, op, a, mask) {
            cx.write(i, 0, r);
        }
        return;
    }
    let addr = bit_address(cx, i, ty, index);
    let a = if is_locked(i) {
        let (rmw, v) = match op {
            BitOp::Set => (Rmw::Or, mask),
            BitOp::Reset => (Rmw::And, cx.b.not(mask)),
            _ => (Rmw::Xor, mask),
        };
        cx.b.rmw(rmw, Order::AcqRel, Align::Any, addr, v)
    } else {
        let mem = Mem::at(addr, ty.bytes() as u8);
        let a = cx.b.load(ty, mem);
        if let Some(r) = changed(cx, op, a, mask) {
            cx.b.store(mem, r);
        }
        a
    };
    set_carry_bit(cx, a, low);
}

fn changed(cx: &mut Cx, op: BitOp, a: Val, mask: Val) -> Option<Val> {
    Some(match op {
        BitOp::Test => return None,
        BitOp::Set => cx.b.or(a, mask),
        BitOp::Reset => cx.b.and_not(a, mask),
        BitOp::Complement => cx.b.xor(a, mask),
    })
}

fn set_carry_bit(cx: &mut Cx, a: Val, index: Val) {
    let v = cx.b.bin(Bin::Shr, a, index);
    let carry = cx.b.trunc(Ty::I1, v);
    let flags = cx.flags();
    let flags = cx.with_carry(flags, carry);
    cx.set_flags(flags);
}

/// A register's index may lead beyond the operand, both ways.
fn bit_address(cx: &mut Cx, i: &Instruction, ty: Ty, index: Val) -> Val {
    let addr = cx.linear(i);
    if i.op1_kind() != OpKind::Register {
        return addr;
    }
    let wide = cx.b.ty(addr);
    let index = if ty.bits() < wide.bits() { cx.b.sext(wide, index) } else { index };
    let units = cx.b.shift_imm(Bin::Sar, index, ty.bits().trailing_zeros());
    let offset = cx.b.shift_imm(Bin::Shl, units, ty.bytes().trailing_zeros());
    let offset = cx.b.trunc(wide, offset);
    cx.b.add(addr, offset)
}

/// BSF and BSR: of zero they leave the register (as AMD's manual has it, and Intel's does). ZF says so.
fn scan(cx: &mut Cx, i: &Instruction, reverse: bool) {
    let a = cx.read(i, 1);
    let ty = cx.b.ty(a);
    let zero = cx.b.constant(ty, 0);
    let none = cx.b.cmp(IntCc::Eq, a, zero);
    let at = if reverse {
        let n = cx.b.un(Un::Clz, a);
        let last = cx.b.constant(ty, u64::from(ty.bits() - 1));
        cx.b.sub(last, n)
    } else {
        cx.b.un(Un::Ctz, a)
    };
    let flags = cx.flags_of(a);
    cx.set_flags(flags);
    // Whole registers: nothing above is cleared where nothing is written.
    let n = i.op0_register().full_register().number() as u32;
    let old = cx.x(n);
    cx.write(i, 0, at);
    let new = cx.x(n);
    let v = cx.b.select(none, old, new);
    cx.set_x(n, v);
}

/// TZCNT and LZCNT: BSF and BSR on processors without them.
fn count_zeros(cx: &mut Cx, i: &Instruction, leading: bool) {
    if cx.features & if leading { LZCNT } else { BMI1 } == 0 {
        return scan(cx, i, leading);
    }
    let a = cx.read(i, 1);
    let n = cx.b.un(if leading { Un::Clz } else { Un::Ctz }, a);
    let zero = cx.b.constant(cx.b.ty(a), 0);
    let none = cx.b.cmp(IntCc::Eq, a, zero);
    let flags = cx.flags_of_with_carry(n, none);
    cx.set_flags(flags);
    cx.write(i, 0, n);
}

/// All flags but ZF are clear.
fn popcnt(cx: &mut Cx, i: &Instruction) {
    let a = cx.read(i, 1);
    let n = cx.b.un(Un::Popcnt, a);
    let zero = cx.b.constant(cx.b.ty(a), 0);
    let none = cx.b.cmp(IntCc::Eq, a, zero);
    let no = cx.b.i1(false);
    cx.set_zero_carry(none, no);
    cx.write(i, 0, n);
}

/// Of 16 bits the result is open: hosts give zero.
fn bswap(cx: &mut Cx, i: &Instruction) {
    let a = cx.read(i, 0);
    let r = if cx.b.ty(a) == Ty::I16 { cx.b.constant(Ty::I16, 0) } else { cx.b.un(Un::Bswap, a) };
    cx.write(i, 0, r);
}

fn andn(cx: &mut Cx, i: &Instruction) {
    let (a, b) = (cx.read(i, 1), cx.read(i, 2));
    let r = cx.b.and_not(b, a);
    let flags = cx.flags_of(r);
    cx.set_flags(flags);
    cx.write(i, 0, r);
}

/// `v` with its bits from `n` on cleared; n is an unsigned number of v's type.
fn low_bits(cx: &mut Cx, v: Val, n: Val) -> Val {
    let ty = cx.b.ty(v);
    let ones = cx.b.constant(ty, u64::MAX);
    let above = cx.b.bin(Bin::Shl, ones, n);
    let kept = cx.b.and_not(v, above);
    let width = cx.b.constant(ty, ty.bits().into());
    let all = cx.b.cmp(IntCc::Uge, n, width);
    cx.b.select(all, v, kept)
}

fn bextr(cx: &mut Cx, i: &Instruction) {
    let (a, control) = (cx.read(i, 1), cx.read(i, 2));
    let ty = cx.b.ty(a);
    let start = cx.b.extract(control, 0, 8, false);
    let length = cx.b.extract(control, 8, 8, false);
    let moved = cx.b.bin(Bin::Shr, a, start);
    let (width, zero) = (cx.b.constant(ty, ty.bits().into()), cx.b.constant(ty, 0));
    let beyond = cx.b.cmp(IntCc::Uge, start, width);
    let moved = cx.b.select(beyond, zero, moved);
    let r = low_bits(cx, moved, length);
    let flags = cx.flags_of(r);
    cx.set_flags(flags);
    cx.write(i, 0, r);
}

fn bzhi(cx: &mut Cx, i: &Instruction) {
    let (a, index) = (cx.read(i, 1), cx.read(i, 2));
    let n = cx.b.and_imm(index, 0xff);
    let r = low_bits(cx, a, n);
    let width = cx.b.constant(cx.b.ty(a), cx.b.ty(a).bits().into());
    let beyond = cx.b.cmp(IntCc::Uge, n, width);
    let flags = cx.flags_of_with_carry(r, beyond);
    cx.set_flags(flags);
    cx.write(i, 0, r);
}

/// What is done with the lowest one.
#[derive(Clone, Copy)]
enum Lowest {
    Isolate,
    Mask,
    Reset,
}

/// CF says whether there was none; for BLSI whether there was one.
fn lowest(cx: &mut Cx, i: &Instruction, what: Lowest) {
    let a = cx.read(i, 1);
    let less = cx.b.add_imm(a, -1);
    let zero = cx.b.constant(cx.b.ty(a), 0);
    let (r, cc) = match what {
        Lowest::Isolate => {
            let n = cx.b.neg(a);
            (cx.b.and(a, n), IntCc::Ne)
        }
        Lowest::Mask => (cx.b.xor(a, less), IntCc::Eq),
        Lowest::Reset => (cx.b.and(a, less), IntCc::Eq),
    };
    let carry = cx.b.cmp(cc, a, zero);
    let flags = cx.flags_of_with_carry(r, carry);
    cx.set_flags(flags);
    cx.write(i, 0, r);
}

/// PDEP and PEXT.
fn scatter(cx: &mut Cx, i: &Instruction, deposit: bool) {
    let (a, mask) = (cx.read(i, 1), cx.read(i, 2));
    let r = cx.b.bin(if deposit { Bin::Pdep } else { Bin::Pext }, a, mask);
    cx.write(i, 0, r);
}
