//! Control of x87 and SSE: their control and status words, and the state that FXSAVE keeps.

use super::Cx;
use crate::insn::rows;
use crate::state::{FCW, FSW, FTW, MXCSR, RAX, physical, xmm};
use iced_x86::{Instruction, OpKind};
use ir::{Bin, IntCc, Lane, Mem, Term, Ty, V2, Val};

rows! {
    Ldmxcsr => ldmxcsr();
    Stmxcsr => stmxcsr();
    Fxsave => fxsave();
    Fxsave64 => fxsave();
    Fxrstor => fxrstor();
    Fxrstor64 => fxrstor();
    Fnstcw => store_control();
    Fldcw => load_control();
    Fnstsw => store_status();
    Fninit => init();
    Fnclex => clear_exceptions();
    Emms => emms();
    Wait => wait();
}

/// Bits of MXCSR beyond the exceptions. Reserved ones may not be set.
const MXCSR_CONTROL: u64 = 0xffc0;
const EXCEPTIONS: u64 = 0x3f;

impl Cx<'_> {
    fn mxcsr(&mut self) -> Val {
        let (control, flags) = (self.b.get(MXCSR), self.b.fp_flags());
        self.b.or(control, flags)
    }

    /// Sets MXCSR. The mode word may change: the region ends.
    fn set_mxcsr(&mut self, v: Val) {
        let control = self.b.and_imm(v, MXCSR_CONTROL);
        let flags = self.b.and_imm(v, EXCEPTIONS);
        self.b.set_fp_flags(flags);
        self.b.set(MXCSR, control);
        let pc = self.next;
        self.b.end(Term::Resume { pc });
    }

    /// A protection fault if memory has reserved bits of MXCSR set.
    fn check_mxcsr(&mut self, mem: Mem) {
        let v = self.b.load(Ty::I32, mem);
        let high = self.b.shift_imm(Bin::Shr, v, 16);
        let zero = self.b.i32(0);
        let bad = self.b.cmp(IntCc::Ne, high, zero);
        let (trap, on) = (self.b.block(), self.b.block());
        self.b.branch(bad, trap, on);
        self.b.enter(trap);
        self.privileged();
        self.b.enter(on);
    }
}

fn ldmxcsr(cx: &mut Cx, i: &Instruction) {
    let mem = cx.mem(i, 4);
    cx.check_mxcsr(mem);
    let mem = cx.mem(i, 4);
    let v = cx.b.load(Ty::I32, mem);
    cx.set_mxcsr(v);
}

fn stmxcsr(cx: &mut Cx, i: &Instruction) {
    let v = cx.mxcsr();
    let mem = cx.mem(i, 4);
    cx.b.store(mem, v);
}

// ---- the image of FXSAVE ----

const FX_STATUS: i32 = 2;
const FX_TAGS: i32 = 4;
const FX_MXCSR: i32 = 24;
const FX_MXCSR_MASK: i32 = 28;
const FX_ST: i32 = 32;
const FX_XMM: i32 = 160;

/// The memory operand's address as a base for accesses.
fn image(cx: &mut Cx, i: &Instruction) -> Mem {
    let addr = cx.linear(i);
    Mem::at(addr, 16)
}

/// The registers stand from ST(0) on, which the mode does not know: a helper turns them.
fn fxsave(cx: &mut Cx, i: &Instruction) {
    let count = if cx.is_long() { 16 } else { 8 };
    let mem = image(cx, i);
    let sized = |size: u8, at: i32| Mem { size, ..mem }.disp(at);
    let (control, status, tags) = (cx.b.get(FCW), cx.b.get(FSW), cx.b.get(FTW));
    let control = cx.b.trunc(Ty::I16, control);
    cx.b.store(sized(2, 0), control);
    let status = cx.b.trunc(Ty::I16, status);
    cx.b.store(sized(2, FX_STATUS), status);
    let zero = cx.b.i64(0);
    cx.b.store(sized(8, FX_TAGS), zero);
    cx.b.store(sized(8, 12), zero);
    let tags = cx.b.trunc(Ty::I8, tags);
    cx.b.store(sized(1, FX_TAGS), tags);
    let v = cx.mxcsr();
    cx.b.store(sized(4, FX_MXCSR), v);
    let mask = cx.b.i32(0xffff);
    cx.b.store(sized(4, FX_MXCSR_MASK), mask);
    for n in 0..8 {
        let v = stack_register(cx, n);
        cx.b.store(mem.disp(FX_ST + 16 * n as i32), v);
    }
    for n in 0..count {
        let v = cx.b.get(xmm(n));
        cx.b.store(mem.disp(FX_XMM + 16 * n as i32), v);
    }
}

/// ST(n), zero above its 80 bits.
fn stack_register(cx: &mut Cx, n: u32) -> Val {
    let n = cx.b.i32(n);
    let halves = [0, 1].map(|half| {
        let half = cx.b.i32(half);
        cx.b.call(&super::helper::ST, Ty::I64, &[n, half])
    });
    let low = cx.b.v_from_scalar(halves[0]);
    cx.b.vset(Lane::D, low, halves[1], 1)
}

fn fxrstor(cx: &mut Cx, i: &Instruction) {
    let count = if cx.is_long() { 16 } else { 8 };
    let mem = image(cx, i);
    cx.check_mxcsr(Mem { size: 4, ..mem }.disp(FX_MXCSR));
    let mem = image(cx, i);
    let sized = |size: u8, at: i32| Mem { size, ..mem }.disp(at);
    let mxcsr = cx.b.load(Ty::I32, sized(4, FX_MXCSR));
    let control = cx.b.load(Ty::I32, sized(2, 0));
    let status = cx.b.load(Ty::I32, sized(2, FX_STATUS));
    let tags = cx.b.load(Ty::I32, sized(1, FX_TAGS));
    let st: [Val; 8] = std::array::from_fn(|n| cx.b.load(Ty::V128, mem.disp(FX_ST + 16 * n as i32)));
    let vectors: Vec<Val> = (0..count).map(|n| cx.b.load(Ty::V128, mem.disp(FX_XMM + 16 * n))).collect();
    cx.b.set(FCW, control);
    cx.b.set(FSW, status);
    cx.b.set(FTW, tags);
    for (n, v) in (0u32..).zip(vectors) {
        cx.b.set(xmm(n), v);
    }
    // They are written as if the top were 0, then turned.
    let low = cx.b.v128(u128::MAX >> 48);
    for (n, v) in (0..).zip(st) {
        let v = cx.b.v2(V2::And, Lane::D, v, low);
        cx.b.set(physical(n), v);
    }
    cx.b.call(&super::helper::TURN, Ty::Void, &[]);
    cx.set_mxcsr(mxcsr);
}

// ---- words ----

fn store_control(cx: &mut Cx, i: &Instruction) {
    let v = cx.b.get(FCW);
    let v = cx.b.trunc(Ty::I16, v);
    cx.write(i, 0, v);
}

/// Bit 6 is always set.
fn load_control(cx: &mut Cx, i: &Instruction) {
    let v = cx.read(i, 0);
    let v = cx.b.zext(Ty::I32, v);
    let v = cx.b.and_imm(v, 0x1f3f);
    let bit = cx.b.i32(0x40);
    let v = cx.b.or(v, bit);
    cx.b.set(FCW, v);
}

fn store_status(cx: &mut Cx, i: &Instruction) {
    let v = cx.b.get(FSW);
    let v = cx.b.trunc(Ty::I16, v);
    match i.op0_kind() {
        OpKind::Memory => cx.write(i, 0, v),
        _ => cx.set_low(RAX, v),
    }
}

fn init(cx: &mut Cx, _: &Instruction) {
    let (control, zero) = (cx.b.i32(0x37f), cx.b.i32(0));
    cx.b.set(FCW, control);
    cx.b.set(FSW, zero);
    cx.b.set(FTW, zero);
}

/// Exceptions, their summary, stack fault, busy.
fn clear_exceptions(cx: &mut Cx, _: &Instruction) {
    let v = cx.b.get(FSW);
    let v = cx.b.and_imm(v, 0x7f00);
    cx.b.set(FSW, v);
}

fn emms(cx: &mut Cx, _: &Instruction) {
    let zero = cx.b.i32(0);
    cx.b.set(FTW, zero);
}

// Differs: exceptions are taken as masked, so that none waits.
fn wait(_: &mut Cx, _: &Instruction) {}
