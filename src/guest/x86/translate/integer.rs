//! Sums, differences, logic, and their locked forms.

use super::Cx;
use crate::insn::rows;
use crate::state::{RAX, RBX, RCX, RDX};
use iced_x86::{Instruction, OpKind};
use ir::{Align, Bin, Cc, IntCc, Lane, Order, Rmw, Term, Ty, Val};

rows! {
    Add => alu(Alu::Add);
    Or => alu(Alu::Or);
    Adc => alu(Alu::Adc);
    Sbb => alu(Alu::Sbb);
    And => alu(Alu::And);
    Sub => alu(Alu::Sub);
    Xor => alu(Alu::Xor);
    Cmp => alu(Alu::Cmp);
    Test => alu(Alu::Test);
    Inc => step(Alu::Add);
    Dec => step(Alu::Sub);
    Neg => neg();
    Not => not();
    Xadd => xadd();
    Cmpxchg => cmpxchg();
    Cmpxchg8b => cmpxchg_pair();
    Cmpxchg16b => cmpxchg_pair();
    Adcx => add_with_own_carry(false);
    Adox => add_with_own_carry(true);
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Alu {
    Add,
    Or,
    Adc,
    Sbb,
    And,
    Sub,
    Xor,
    Cmp,
    Test,
}

/// Whether the operation on memory is one for all other threads.
pub(super) fn is_locked(i: &Instruction) -> bool {
    i.has_lock_prefix() && i.op0_kind() == OpKind::Memory
}

impl Cx<'_> {
    fn compute(&mut self, op: Alu, a: Val, b: Val) -> Val {
        match op {
            Alu::Add => self.b.add(a, b),
            Alu::Or => self.b.or(a, b),
            Alu::And | Alu::Test => self.b.and(a, b),
            Alu::Xor => self.b.xor(a, b),
            Alu::Sub | Alu::Cmp => self.b.sub(a, b),
            Alu::Adc => {
                let flags = self.flags();
                let flags = self.opposite_c(flags);
                self.b.add_c(a, b, flags)
            }
            Alu::Sbb => {
                let flags = self.flags();
                self.b.sub_c(a, b, flags)
            }
        }
    }

    fn set_alu_flags(&mut self, op: Alu, a: Val, b: Val, r: Val) {
        match op {
            Alu::Add => self.flags_add(a, b),
            Alu::Sub | Alu::Cmp => self.flags_sub(a, b),
            Alu::Or | Alu::And | Alu::Test | Alu::Xor => {
                let flags = self.flags_of(r);
                self.set_flags(flags);
            }
            Alu::Adc => {
                let flags = self.flags();
                let flags = self.opposite_c(flags);
                let flags = self.b.flags_adc(a, b, flags);
                let flags = self.opposite_c(flags);
                self.set_flags(flags);
            }
            Alu::Sbb => {
                let flags = self.flags();
                let flags = self.b.flags_sbc(a, b, flags);
                self.set_flags(flags);
            }
        }
    }

    /// An atomic read-modify-write of the memory operand; the old value.
    pub(super) fn rmw(&mut self, i: &Instruction, op: Rmw, v: Val) -> Val {
        let addr = self.linear(i);
        self.b.rmw(op, Order::AcqRel, Align::Any, addr, v)
    }

    /// Replaces memory by `f` of it, unless another thread has changed it: whether that was not so, what it held, what it was to hold.
    fn try_update(&mut self, i: &Instruction, ty: Ty, f: impl FnOnce(&mut Self, Val) -> Val) -> (Val, Val, Val) {
        let mem = self.mem(i, ty.bytes());
        let old = self.b.load(ty, mem);
        let new = f(self, old);
        let addr = self.linear(i);
        let found = self.b.cmpxchg(Align::Any, addr, old, new);
        (self.b.cmp(IntCc::Eq, found, old), old, new)
    }

    /// Goes on if the condition holds, else does the instruction again.
    fn again_unless(&mut self, done: Val) {
        let (again, on) = (self.b.block(), self.b.block());
        self.b.branch(done, on, again);
        self.b.enter(again);
        let pc = self.pc;
        self.b.end(Term::Goto { pc });
        self.b.enter(on);
    }
}

fn alu(cx: &mut Cx, i: &Instruction, op: Alu) {
    if is_locked(i) {
        return locked(cx, i, op);
    }
    let a = cx.read(i, 0);
    // A register less itself, or exclusive or with itself, depends on nothing.
    let b =
        if i.op1_kind() == OpKind::Register && i.op0_kind() == OpKind::Register && i.op0_register() == i.op1_register()
        {
            a
        } else {
            cx.read(i, 1)
        };
    let r = cx.compute(op, a, b);
    if !matches!(op, Alu::Cmp | Alu::Test) {
        // Flags first: they may be made of what the register held.
        if i.op0_kind() == OpKind::Memory {
            cx.write(i, 0, r);
            cx.set_alu_flags(op, a, b, r);
        } else {
            cx.set_alu_flags(op, a, b, r);
            cx.write(i, 0, r);
        }
    } else {
        cx.set_alu_flags(op, a, b, r);
    }
}

fn locked(cx: &mut Cx, i: &Instruction, op: Alu) {
    let b = cx.read(i, 1);
    let (rmw, v) = match op {
        Alu::Add => (Rmw::Add, b),
        Alu::Sub => (Rmw::Add, cx.b.neg(b)),
        Alu::Or => (Rmw::Or, b),
        Alu::And => (Rmw::And, b),
        Alu::Xor => (Rmw::Xor, b),
        _ => return locked_with_carry(cx, i, op, b),
    };
    let a = cx.rmw(i, rmw, v);
    let r = cx.compute(op, a, b);
    cx.set_alu_flags(op, a, b, r);
}

/// ADC and SBB read flags that they change: these change only if memory did.
fn locked_with_carry(cx: &mut Cx, i: &Instruction, op: Alu, b: Val) {
    let before = cx.flags();
    let (done, a, r) = cx.try_update(i, cx.b.ty(b), |cx, a| cx.compute(op, a, b));
    cx.set_alu_flags(op, a, b, r);
    let after = cx.flags();
    let flags = cx.b.select(done, after, before);
    cx.set_flags(flags);
    cx.again_unless(done);
}

/// INC and DEC leave CF.
fn step(cx: &mut Cx, i: &Instruction, op: Alu) {
    let locked = is_locked(i);
    let (a, one) = if locked {
        let one = cx.b.constant(Ty::int(i.memory_size().size()), 1);
        let v = if op == Alu::Add { one } else { cx.b.neg(one) };
        (cx.rmw(i, Rmw::Add, v), one)
    } else {
        let a = cx.read(i, 0);
        (a, cx.b.constant(cx.b.ty(a), 1))
    };
    let r = cx.compute(op, a, one);
    if !locked && i.op0_kind() == OpKind::Memory {
        cx.write(i, 0, r);
    }
    let old = cx.flags();
    let flags = cx.b.flags_step(op == Alu::Sub, a, old);
    cx.set_flags(flags);
    if !locked && i.op0_kind() == OpKind::Register {
        cx.write(i, 0, r);
    }
}

fn neg(cx: &mut Cx, i: &Instruction) {
    if is_locked(i) {
        let ty = Ty::int(i.memory_size().size());
        let (done, a, _) = cx.try_update(i, ty, |cx, a| cx.b.neg(a));
        let zero = cx.b.constant(ty, 0);
        cx.flags_sub(zero, a);
        return cx.again_unless(done);
    }
    let a = cx.read(i, 0);
    let zero = cx.b.constant(cx.b.ty(a), 0);
    let r = cx.b.neg(a);
    cx.write(i, 0, r);
    cx.flags_sub(zero, a);
}

fn not(cx: &mut Cx, i: &Instruction) {
    if is_locked(i) {
        let ones = cx.b.constant(Ty::int(i.memory_size().size()), u64::MAX);
        cx.rmw(i, Rmw::Xor, ones);
        return;
    }
    let v = cx.read(i, 0);
    let v = cx.b.not(v);
    cx.write(i, 0, v);
}

/// The first operand is written last: both may be one register.
fn xadd(cx: &mut Cx, i: &Instruction) {
    let b = cx.read(i, 1);
    let a = if is_locked(i) { cx.rmw(i, Rmw::Add, b) } else { cx.read(i, 0) };
    let r = cx.b.add(a, b);
    if i.op0_kind() == OpKind::Memory {
        if !is_locked(i) {
            cx.write(i, 0, r);
        }
        cx.write(i, 1, a);
    } else {
        cx.write(i, 1, a);
        cx.write(i, 0, r);
    }
    cx.flags_add(a, b);
}

/// RAX keeps its upper half where it is written with what it has.
fn cmpxchg(cx: &mut Cx, i: &Instruction) {
    let new = cx.read(i, 1);
    let ty = cx.b.ty(new);
    let expected = cx.low(ty, RAX);
    let found = if i.op0_kind() == OpKind::Memory {
        if i.has_lock_prefix() {
            let addr = cx.linear(i);
            cx.b.cmpxchg(Align::Any, addr, expected, new)
        } else {
            let found = cx.read(i, 0);
            let equal = cx.b.cmp(IntCc::Eq, found, expected);
            // Memory is written in any case.
            let v = cx.b.select(equal, new, found);
            cx.write(i, 0, v);
            found
        }
    } else {
        cx.read(i, 0)
    };
    let equal = cx.b.cmp(IntCc::Eq, found, expected);
    cx.flags_sub(expected, found);
    if i.op0_kind() == OpKind::Register {
        // As AMD's processors have it, a register is written only if it was equal: its upper half stays.
        let n = i.op0_register().full_register().number() as u32;
        let old = cx.x(n);
        cx.write(i, 0, new);
        let written = cx.x(n);
        let v = cx.b.select(equal, written, old);
        cx.set_x(n, v);
    }
    // A 32-bit form clears the upper half of the one register that it writes.
    let old = cx.x(RAX);
    let kept = {
        let wide = cx.b.zext(cx.xlen, found);
        if ty.bytes() >= 4 { wide } else { cx.b.deposit(old, wide, 0, ty.bits()) }
    };
    let v = cx.b.select(equal, old, kept);
    cx.set_x(RAX, v);
}

/// CMPXCHG8B and CMPXCHG16B. ZF alone changes.
fn cmpxchg_pair(cx: &mut Cx, i: &Instruction) {
    let wide = i.memory_size().size() == 16;
    let half = if wide { Ty::I64 } else { Ty::I32 };
    let [a, b, c, d] = [RAX, RBX, RCX, RDX].map(|n| cx.low(half, n));
    let (expected, new) = (cx.pair(a, d), cx.pair(b, c));
    let addr = cx.linear(i);
    let found = cx.b.cmpxchg(if wide { Align::To(16) } else { Align::Any }, addr, expected, new);
    let (lo, hi) = if wide {
        (cx.b.vget(Ty::I64, found, 0), cx.b.vget(Ty::I64, found, 1))
    } else {
        let hi = cx.b.shift_imm(Bin::Shr, found, 32);
        (cx.b.trunc(Ty::I32, found), cx.b.trunc(Ty::I32, hi))
    };
    let (low, high) = (cx.b.xor(lo, a), cx.b.xor(hi, d));
    let difference = cx.b.or(low, high);
    let zero = cx.b.constant(half, 0);
    let equal = cx.b.cmp(IntCc::Eq, difference, zero);
    for (n, v) in [(RAX, lo), (RDX, hi)] {
        let (old, v) = (cx.x(n), cx.b.zext(cx.xlen, v));
        let v = cx.b.select(equal, old, v);
        cx.set_x(n, v);
    }
    let flags = cx.flags();
    let eflags = cx.b.flags_to_eflags(flags);
    let z = cx.b.zext(Ty::I32, equal);
    let eflags = cx.b.deposit(eflags, z, 6, 1);
    let flags = cx.b.flags_from_eflags(eflags);
    cx.set_flags(flags);
}

impl Cx<'_> {
    /// Two halves as one value: I64, or V128 of two I64.
    fn pair(&mut self, lo: Val, hi: Val) -> Val {
        if self.b.ty(lo) == Ty::I32 {
            let (lo, hi) = (self.b.zext(Ty::I64, lo), self.b.zext(Ty::I64, hi));
            return self.b.deposit(lo, hi, 32, 32);
        }
        let lo = self.b.v_from_scalar(lo);
        self.b.vset(Lane::D, lo, hi, 1)
    }
}

/// ADCX has CF for its carry, ADOX OF; neither changes other flags.
fn add_with_own_carry(cx: &mut Cx, i: &Instruction, overflow: bool) {
    let (a, b) = (cx.read(i, 0), cx.read(i, 1));
    let flags = cx.flags();
    let into = if overflow {
        let v = cx.b.cond(Cc::Vs, flags);
        cx.b.flags_set_c(flags, v)
    } else {
        cx.opposite_c(flags)
    };
    let r = cx.b.add_c(a, b, into);
    let out = cx.b.flags_adc(a, b, into);
    let out = cx.b.cond(Cc::Cs, out);
    let flags = if overflow {
        let eflags = cx.b.flags_to_eflags(flags);
        let v = cx.b.zext(Ty::I32, out);
        let eflags = cx.b.deposit(eflags, v, 11, 1);
        cx.b.flags_from_eflags(eflags)
    } else {
        cx.with_carry(flags, out)
    };
    cx.set_flags(flags);
    cx.write(i, 0, r);
}
