//! Control of SSE, and the state of the x87 unit and of SSE in memory.

use super::Cx;
use super::x87_image::{ENVIRONMENT_WORDS, FILL, FX_WIDE, TAKE};
use crate::insn::rows;
use crate::state::{MXCSR, X87_IP, stage, xmm};
use crate::xsave::{FX_MXCSR, FX_MXCSR_MASK, FX_XMM};
use iced_x86::Instruction;
use ir::{Bin, Helper, IntCc, Lane, Mem, Term, Ty, Val, X87};

rows! {
    Ldmxcsr, Vldmxcsr => ldmxcsr();
    Stmxcsr, Vstmxcsr => stmxcsr();
    Fxsave => fxsave(0);
    Fxsave64 => fxsave(1);
    Fxrstor => fxrstor(0);
    Fxrstor64 => fxrstor(1);
    Fnstenv => store_environment();
    Fnsave => save();
    Fldenv => load_environment();
    Frstor => load();
}

/// Bits of MXCSR beyond the exceptions. Reserved ones may not be set.
const MXCSR_CONTROL: u64 = 0xffc0;
const EXCEPTIONS: u64 = 0x3f;

impl Cx<'_> {
    pub(super) fn mxcsr(&mut self) -> Val {
        let (control, flags) = (self.b.get(MXCSR), self.b.fp_flags());
        self.b.or(control, flags)
    }

    /// Sets MXCSR, at an instruction's end. The mode word may change: then the region ends. Mostly exceptions alone do.
    pub(super) fn set_mxcsr(&mut self, v: Val) {
        let old = self.b.get(MXCSR);
        let control = self.b.and_imm(v, MXCSR_CONTROL);
        let flags = self.b.and_imm(v, EXCEPTIONS);
        self.b.set_fp_flags(flags);
        self.b.set(MXCSR, control);
        let changed = self.b.cmp(IntCc::Ne, control, old);
        let pc = self.next;
        self.b.leave_if(changed, Term::Resume { pc });
    }

    /// A protection fault if memory has reserved bits of MXCSR set.
    pub(super) fn check_mxcsr(&mut self, mem: Mem) {
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

    pub(super) fn on_image(&mut self, helper: &'static Helper, form: u64) {
        let (form, long) = (self.b.i64(form), self.b.i32(self.is_wide().into()));
        self.b.call(helper, Ty::Void, &[form, long]);
    }

    /// The address of the unit's last instruction.
    fn last_ip(&mut self) -> Val {
        match self.b.late() {
            Some(ip) => self.b.i64(ip),
            None => {
                let ip = self.b.get(X87_IP);
                self.b.zext(Ty::I64, ip)
            }
        }
    }

    /// The unit's image, which has been saved, to the staging slots.
    pub(super) fn fill_stages(&mut self, form: u64) {
        let ip = self.last_ip();
        let (form, long) = (self.b.i64(form), self.b.i32(self.is_wide().into()));
        self.b.call(&FILL, Ty::Void, &[form, long, ip]);
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

/// The pieces of so many bytes: where, and how many.
fn pieces(len: usize) -> impl Iterator<Item = (usize, usize)> {
    let whole = (0..len / 16).map(|n| (16 * n, 16));
    let rest = [8, 4, 2].into_iter().filter(move |size| (len % 16) & size != 0);
    whole.chain(rest.map(move |size| (len / (2 * size) * (2 * size), size)))
}

/// The memory operand's address as a base for accesses.
pub(super) fn place(cx: &mut Cx, i: &Instruction) -> Mem {
    let addr = cx.linear(i);
    Mem::at(addr, 16)
}

fn piece(mem: Mem, at: usize, size: usize) -> Mem {
    Mem { size: size as u8, ..mem }.disp(at as i32)
}

/// What is staged to memory.
fn store_staged(cx: &mut Cx, mem: Mem, len: usize) {
    store_staged_but(cx, mem, len, None);
}

/// What is staged from `from` on up to `to`.
pub(super) fn store_staged_from(cx: &mut Cx, mem: Mem, from: usize, to: usize) {
    for (at, size) in pieces(to).filter(|(at, _)| *at >= from) {
        let v = cx.b.get(stage(at as u32 / 16));
        let v = if size == 16 { v } else { cx.b.vget(Ty::int(size), v, (at % 16 / size) as u32) };
        cx.b.store(piece(mem, at, size), v);
    }
}

/// The same with another value for one of the slots.
fn store_staged_but(cx: &mut Cx, mem: Mem, len: usize, other: Option<(u32, Val)>) {
    for (at, size) in pieces(len) {
        let n = at as u32 / 16;
        let v = match other {
            Some((slot, v)) if slot == n => v,
            _ => cx.b.get(stage(n)),
        };
        let v = if size == 16 { v } else { cx.b.vget(Ty::int(size), v, (at % 16 / size) as u32) };
        cx.b.store(piece(mem, at, size), v);
    }
}

/// The opposite.
pub(super) fn load_staged(cx: &mut Cx, mem: Mem, len: usize) {
    let mut last = cx.b.v128(0);
    let mut loaded = Vec::new();
    for (at, size) in pieces(len) {
        let v = if size == 16 {
            cx.b.load(Ty::V128, piece(mem, at, 16))
        } else {
            let v = cx.b.load(Ty::int(size), piece(mem, at, size));
            last = cx.b.vset(Lane::log2(size.trailing_zeros()), last, v, (at % 16 / size) as u32);
            last
        };
        loaded.push((at as u32 / 16, v));
    }
    for (n, v) in loaded {
        cx.b.set(stage(n), v);
    }
}

// ---- FXSAVE ----

fn fx_form(cx: &Cx, i: &Instruction, wide: u64) -> (u64, u32) {
    debug_assert_eq!(i.memory_size().size(), 512);
    (FX_XMM as u64 + wide * (FX_WIDE - FX_XMM as u64), if cx.is_long() { 16 } else { 8 })
}

fn fxsave(cx: &mut Cx, i: &Instruction, wide: u64) {
    let (form, count) = fx_form(cx, i, wide);
    let mem = place(cx, i);
    cx.x87(X87::Save);
    cx.fill_stages(form);
    let v = cx.b.get(stage(1));
    let mxcsr = cx.mxcsr();
    let v = cx.b.vset(Lane::S, v, mxcsr, (FX_MXCSR as u32 - 16) / 4);
    let mask = cx.b.i32(0xffff);
    let v = cx.b.vset(Lane::S, v, mask, (FX_MXCSR_MASK as u32 - 16) / 4);
    store_staged_but(cx, mem, FX_XMM, Some((1, v)));
    for n in 0..count {
        let v = cx.b.get(xmm(n));
        cx.b.store(piece(mem, FX_XMM + 16 * n as usize, 16), v);
    }
}

fn fxrstor(cx: &mut Cx, i: &Instruction, wide: u64) {
    let (form, count) = fx_form(cx, i, wide);
    let mem = place(cx, i);
    cx.check_mxcsr(piece(mem, FX_MXCSR, 4));
    let mem = place(cx, i);
    let mxcsr = cx.b.load(Ty::I32, piece(mem, FX_MXCSR, 4));
    let vectors: Vec<Val> = (0..count).map(|n| cx.b.load(Ty::V128, piece(mem, FX_XMM + 16 * n as usize, 16))).collect();
    load_staged(cx, mem, FX_XMM);
    for (n, v) in (0..).zip(vectors) {
        cx.b.set(xmm(n), v);
    }
    cx.x87(X87::Save);
    cx.on_image(&TAKE, form);
    cx.x87(X87::Load);
    cx.set_mxcsr(mxcsr);
}

// ---- FNSTENV, FNSAVE ----

/// The words of an environment: those that are not the unit's are the last instruction's address and selectors, which are 0.
const IP_WORD: u8 = 3;
const OPCODE_WORD: u8 = 4;
const DATA_SELECTOR: u8 = 6;
const OPCODE_BITS: u64 = 0x7ff_0000;

fn store_environment(cx: &mut Cx, i: &Instruction) {
    let size = i.memory_size().size() / usize::from(ENVIRONMENT_WORDS);
    let mem = place(cx, i);
    let ip = cx.last_ip();
    cx.x87(X87::Environment);
    for n in 0..ENVIRONMENT_WORDS {
        let v = match n {
            IP_WORD => cx.b.trunc(Ty::I32, ip),
            OPCODE_WORD => {
                let v = cx.x87(X87::Word(n));
                cx.b.and_imm(v, OPCODE_BITS)
            }
            DATA_SELECTOR => cx.b.i32(0xffff_0000),
            _ => cx.x87(X87::Word(n)),
        };
        let v = cx.b.trunc(Ty::int(size), v);
        cx.b.store(piece(mem, usize::from(n) * size, size), v);
    }
    cx.x87(X87::Mask);
}

fn load_environment(cx: &mut Cx, i: &Instruction) {
    let size = i.memory_size().size() / usize::from(ENVIRONMENT_WORDS);
    let mem = place(cx, i);
    cx.x87(X87::Run(x87::code::FWAIT));
    for n in 0..ENVIRONMENT_WORDS {
        let v = cx.b.load(Ty::int(size), piece(mem, usize::from(n) * size, size));
        let v = cx.b.zext(Ty::I32, v);
        cx.b.x87(crate::state::X87, X87::SetWord(n), v);
    }
    cx.x87(X87::SetEnvironment);
    let ip = cx.x87(X87::Word(IP_WORD));
    let ip = cx.b.zext(cx.xlen, ip);
    cx.b.set(X87_IP, ip);
}

fn save(cx: &mut Cx, i: &Instruction) {
    let len = i.memory_size().size();
    let mem = place(cx, i);
    cx.x87(X87::Save);
    cx.fill_stages(len as u64);
    store_staged(cx, mem, len);
    cx.x87(X87::Run(x87::code::FNINIT));
    let zero = cx.imm(0);
    cx.b.set(X87_IP, zero);
}

fn load(cx: &mut Cx, i: &Instruction) {
    let len = i.memory_size().size();
    let mem = place(cx, i);
    cx.x87(X87::Run(x87::code::FWAIT));
    load_staged(cx, mem, len);
    cx.x87(X87::Save);
    cx.on_image(&TAKE, len as u64);
    cx.x87(X87::Load);
}
