//! Translates A64 to IR: the loop over instructions, and what the instruction functions share ([`Cx`]).
//!
//! One file per group of the manual's encoding index (Arm ARM C4.1), one function per row name of the decode files. An
//! instruction writes guest state after the last of its operations that can fault.

mod atomic;
pub(crate) mod bf16;
pub(crate) mod bitmask;
mod branch;

mod crypto;
mod fp;
mod helper;
mod immediate;
mod memory;
mod pointer;
mod qarma;
mod register;
mod simd;
mod simd_element;
mod simd_float;
mod simd_integer;
mod simd_move;
mod simd_shift;
mod simd_wide;
#[cfg(test)]
mod sound;
mod structure;
pub(crate) mod sysreg;
mod system;

pub(crate) use atomic::*;
pub(crate) use branch::*;
pub(crate) use crypto::*;
pub(crate) use fp::*;
pub(crate) use immediate::*;
pub(crate) use memory::*;
pub(crate) use pointer::*;
pub(crate) use register::*;
pub(crate) use simd::*;
pub(crate) use simd_element::*;
pub(crate) use simd_float::*;
pub(crate) use simd_integer::*;
pub(crate) use simd_move::*;
pub(crate) use simd_shift::*;
pub(crate) use simd_wide::*;
pub(crate) use structure::*;
pub(crate) use system::*;

use crate::features::FP16;
use crate::insn::A64;
use crate::state;
use arch::Translation;
use ir::{Builder, Cc, Mem, Slot, Term, Trap, Ty, V1, Val};

/// What an instruction function works with.
#[derive(Debug)]
pub struct Cx<'a> {
    /// Where the IR goes.
    pub b: &'a mut Builder,
    /// The instruction's address.
    pub pc: u64,
    /// The mode word: FPCR's bits.
    pub mode: u32,
    /// [`arch::Cpu::features`] of the model.
    pub features: u64,
    /// [`Translation::guards`], and whether the instruction's page is guarded.
    pub guards: bool,
    pub guarded: bool,
}

/// Instructions that are fetched at once.
const FETCH: usize = 32;

/// Translates from `pc` to the first branch, system call or trap, or to the limit.
pub(crate) fn block(t: &mut Translation<'_>, pc: u64, mode: u32) {
    t.b.start(pc, mode, (state::STATE.fp_control)(mode));
    let mut cx = Cx { b: &mut *t.b, pc, mode, features: t.features, guards: t.guards, guarded: false };
    let mut buffer = [0; 4 * FETCH];
    let (mut at, mut filled) = (0, 0);
    for n in 0..t.max_insns.max(1) {
        if n > 0 && t.leaders.has(cx.pc, mode) {
            break;
        }
        // What may be come to by a computed jump looks at how that was done.
        if cx.b.is_target(cx.pc) && (cx.guards || !cx.b.meet(cx.pc)) {
            break;
        }
        if at + 4 > filled {
            (at, filled) = (0, if cx.pc & 3 == 0 { t.code.fetch(cx.pc, &mut buffer) } else { 0 });
            if filled < 4 {
                return cx.no_code(n == 0);
            }
        }
        let word = u32::from_le_bytes([buffer[at], buffer[at + 1], buffer[at + 2], buffer[at + 3]]);
        at += 4;
        if cx.guards && (n == 0 || cx.pc & 0xfff == 0) {
            cx.guarded = t.code.is_guarded(cx.pc);
        }
        cx.insn(word, n == 0);
        if cx.b.ended() {
            return;
        }
        cx.pc = cx.pc.wrapping_add(4);
    }
    let pc = cx.pc;
    cx.b.end(Term::Goto { pc });
}

/// Whether it is arithmetic of half precision, where that is a matter of a field: scalars' type, lanes' size, a shift amount.
fn is_half(row: &decode::Row<crate::insn::Translate>, word: u32) -> bool {
    let field = |name: &str| row.fields.iter().find(|f| f.name() == name).map(|f| f.of(word));
    match row.name {
        "fcvt" => false,
        "fcmla" | "fcadd" | "fcmla_elem" => field("e").is_some_and(|e| e & 3 == 1),
        "scvtf_vfix" | "ucvtf_vfix" | "fcvtzs_vfix" | "fcvtzu_vfix" => field("i").is_some_and(|i| i < 32),
        name => name.starts_with(['f', 's', 'u']) && word >> 24 & 0x1e == 0x1e && field("t") == Some(3),
    }
}

impl Cx<'_> {
    /// There is no code at pc. The trap is the first instruction of a region of its own.
    fn no_code(&mut self, first: bool) {
        let pc = self.pc;
        if !first {
            return self.b.end(Term::Goto { pc });
        }
        self.b.insn(pc, 0, pc.wrapping_add(4));
        self.b.trap(if pc & 3 == 0 { Trap::Fetch } else { Trap::PcAlign });
    }

    fn insn(&mut self, word: u32, first: bool) {
        let next = self.next();
        self.b.insn(self.pc, 0, next);
        if first && self.guards {
            branch::arrive(self, word);
        }
        match A64.decode(word) {
            Some(row) if self.has(&row, word) => (row.translate)(self, word),
            // Hints that a processor does not know do nothing.
            Some(_) if word & 0xffff_f01f == 0xd503_201f => {}
            _ => self.undefined(),
        }
    }

    /// Whether the processor has the instruction.
    fn has(&self, row: &decode::Row<crate::insn::Translate>, word: u32) -> bool {
        row.needs & !self.features == 0 && (self.features & FP16 != 0 || !is_half(row, word))
    }

    /// The address after the instruction.
    pub fn next(&self) -> u64 {
        self.pc.wrapping_add(4)
    }

    /// The instruction is not allocated: `-d unimp` tells of it when a program comes to it.
    pub fn undefined(&mut self) {
        self.b.trap(Trap::Undefined);
    }

    // ---- general registers ----

    /// Xn, or zero for 31.
    pub fn x(&mut self, n: u32) -> Val {
        if n == 31 { self.b.i64(0) } else { self.b.get(state::x(n)) }
    }

    /// Xn, or SP for 31.
    pub fn xsp(&mut self, n: u32) -> Val {
        self.b.get(x_or_sp(n))
    }

    /// Wn, or zero for 31.
    pub fn w(&mut self, n: u32) -> Val {
        let v = self.x(n);
        self.b.trunc(Ty::I32, v)
    }

    /// Xn (`f` 1) or Wn, or zero for 31.
    pub fn r(&mut self, f: u32, n: u32) -> Val {
        if f == 1 { self.x(n) } else { self.w(n) }
    }

    /// Xn (`f` 1) or Wn, or the stack pointer for 31.
    pub fn rsp(&mut self, f: u32, n: u32) -> Val {
        let v = self.xsp(n);
        self.b.trunc(width(f), v)
    }

    /// The low 2^`z` bytes of Xn, or zero for 31.
    pub fn rz(&mut self, z: u32, n: u32) -> Val {
        let v = self.x(n);
        self.b.trunc(Ty::int(1 << z), v)
    }

    /// Writes Xn, upper bits zero if the value is narrower; 31 is dropped.
    pub fn set_r(&mut self, n: u32, v: Val) {
        if n != 31 {
            let v = self.b.zext(Ty::I64, v);
            self.b.set(state::x(n), v);
        }
    }

    /// Writes Xn, or SP for 31, upper bits zero if the value is narrower.
    pub fn set_rsp(&mut self, n: u32, v: Val) {
        let v = self.b.zext(Ty::I64, v);
        self.b.set(x_or_sp(n), v);
    }

    /// A constant of 64 (`f` 1) or 32 bits.
    pub fn imm(&mut self, f: u32, value: u64) -> Val {
        self.b.constant(width(f), value)
    }

    // ---- flags ----

    /// N, Z, C, V.
    pub fn flags(&mut self) -> Val {
        self.b.get(state::NZCV)
    }

    /// Writes N, Z, C, V.
    pub fn set_flags(&mut self, flags: Val) {
        self.b.set(state::NZCV, flags);
    }

    /// Whether the condition holds (I1); 14 and 15 always do.
    pub fn cond(&mut self, c: u32) -> Val {
        match Cc::ALL.get(c as usize) {
            Some(&cc) => {
                let flags = self.flags();
                self.b.cond(cc, flags)
            }
            None => self.b.i1(true),
        }
    }

    // ---- SIMD&FP registers ----

    /// Vn.
    pub fn v(&mut self, n: u32) -> Val {
        self.b.get(state::v(n))
    }

    /// Writes Vn: all of it (`q` 1), or its low half and zeros above.
    pub fn set_v(&mut self, q: u32, n: u32, v: Val) {
        let v = if q == 1 { v } else { self.b.v1(V1::ZeroHi, ir::Lane::D, v) };
        self.b.set(state::v(n), v);
    }

    // ---- memory ----

    /// An access of `size` bytes at Xn or SP.
    pub fn at(&mut self, n: u32, size: u32) -> Mem {
        Mem::at(self.xsp(n), size as u8)
    }
}

fn x_or_sp(n: u32) -> Slot {
    if n == 31 { state::SP } else { state::x(n) }
}

/// The type of an operation: `f` 1 is 64 bits.
pub(super) fn width(f: u32) -> Ty {
    if f == 1 { Ty::I64 } else { Ty::I32 }
}

/// The low `width` bits as a signed number.
pub(super) fn signed(value: u32, width: u32) -> i64 {
    i64::from(value) << (64 - width) >> (64 - width)
}
