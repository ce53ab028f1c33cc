//! Status registers, barriers, hints, byte order, the system coprocessor (Arm ARM F3.1.10, F4.1.7; chapter G8 for CP15).

use super::{Cx, expand};
use crate::features::{V6, V6K, V7};
use crate::insn::{Cps, Dmb, Dsb, Hint, Isb, Mcr, Mrc, Mrs, Msr, MsrImm, Sb, Setend};
use crate::state::{self, LT, Q, TPIDRURO, TPIDRURW};
use ir::{Bin, Fence, Term, Val};

/// What may be changed by hints: nothing that a program could see.
pub(crate) fn hint(_: &mut Cx, _: Hint) {}

/// CPS does nothing in user mode.
pub(crate) fn cps(_: &mut Cx, _: Cps) {}

/// Changed code is told of by a system call.
pub(crate) fn isb(_: &mut Cx, _: Isb) {}

pub(crate) fn sb(_: &mut Cx, _: Sb) {}

pub(crate) fn dmb(cx: &mut Cx, a: Dmb) {
    barrier(cx, a.i);
}

pub(crate) fn dsb(cx: &mut Cx, a: Dsb) {
    barrier(cx, a.i);
}

/// Bits 1..0 of the option: 1 loads (ARMv8), 2 stores, 3 both.
fn barrier(cx: &mut Cx, option: u32) {
    cx.b.fence(match option & 3 {
        1 => Fence::Load,
        2 => Fence::Store,
        _ => Fence::Full,
    });
}

/// The byte order of data is part of the mode word.
pub(crate) fn setend(cx: &mut Cx, a: Setend) {
    let e = cx.b.i32(a.e);
    cx.b.set(state::E, e);
    resume(cx);
}

fn resume(cx: &mut Cx) {
    let pc = cx.pc_t(cx.next);
    let it = super::advance(cx.it);
    if it != 0 {
        let it = cx.b.i32(it);
        cx.b.set(state::ITSTATE, it);
    }
    cx.b.end(Term::Resume { pc });
}

/// APSR with the user's other bits of CPSR: E, and the mode.
pub(crate) fn mrs(cx: &mut Cx, a: Mrs) {
    let flags = cx.flags();
    let flags = cx.b.flags_to_bits(flags);
    let q = cx.b.get(Q);
    let q = cx.b.shift_imm(Bin::Shl, q, 27);
    // One bit of each byte, gathered into bits 31..28.
    let lt = cx.b.get(LT);
    let ge = cx.b.not(lt);
    let ge = cx.b.and_imm(ge, 0x0804_0201);
    let gather = cx.b.i32(0x0101_0101);
    let ge = cx.b.mul(ge, gather);
    let ge = cx.b.extract(ge, 24, 4, false);
    let ge = cx.b.shift_imm(Bin::Shl, ge, 16);
    let v = cx.b.or(flags, q);
    let v = cx.b.or(v, ge);
    let rest = cx.b.i32(0x10 | u32::from(cx.big()) << 9);
    let v = cx.b.or(v, rest);
    cx.set_r(a.d, v);
}

pub(crate) fn msr(cx: &mut Cx, a: Msr) {
    let v = cx.r(a.n);
    write_cpsr(cx, a.m, v);
}

pub(crate) fn msr_imm(cx: &mut Cx, a: MsrImm) {
    let v = cx.b.i32(expand(a.k, a.i).0);
    write_cpsr(cx, a.m, v);
}

/// Writes the bytes of CPSR that the mask names (3 flags, 2 GE, 1 E), as far as user mode may.
fn write_cpsr(cx: &mut Cx, mask: u32, v: Val) {
    if mask & 8 != 0 {
        let flags = cx.b.flags_from_bits(v);
        cx.set_flags(flags);
        let q = cx.b.extract(v, 27, 1, false);
        cx.set(Q, q);
    }
    if mask & 4 != 0 {
        // Each bit to the foot of its byte, then all over it.
        let bits = cx.b.extract(v, 16, 4, false);
        let spread = cx.b.i32(0x0020_4081);
        let bits = cx.b.mul(bits, spread);
        let bits = cx.b.and_imm(bits, 0x0101_0101);
        let ones = cx.b.i32(0xff);
        let ge = cx.b.mul(bits, ones);
        let lt = cx.b.not(ge);
        cx.set(LT, lt);
    }
    if mask & 2 != 0 {
        let e = cx.b.extract(v, 9, 1, false);
        cx.b.set(state::E, e);
        resume(cx);
    }
}

/// A register of CP15: (CRn, opc1, CRm, opc2).
type Register = (u32, u32, u32, u32);
const THREAD_RW: Register = (13, 0, 0, 2);
const THREAD_RO: Register = (13, 0, 0, 3);
/// PMUSERENR: zero, programs may not use the counters, but they may ask.
const COUNTERS: Register = (9, 0, 14, 0);
const BARRIER_ISB: Register = (7, 0, 5, 4);
const BARRIER_DSB: Register = (7, 0, 10, 4);
const BARRIER_DMB: Register = (7, 0, 10, 5);

/// The feature that a register came with.
fn since(r: Register) -> u64 {
    match r {
        THREAD_RW | THREAD_RO => V6K,
        COUNTERS => V7,
        _ => V6,
    }
}

pub(crate) fn mrc(cx: &mut Cx, a: Mrc) {
    let v = match (a.n, a.o, a.m, a.q) {
        r if cx.features & since(r) == 0 => return cx.undefined(),
        THREAD_RO => cx.b.get(TPIDRURO),
        THREAD_RW => cx.b.get(TPIDRURW),
        COUNTERS => cx.b.i32(0),
        _ => return cx.undefined(),
    };
    cx.set_r(a.t, v);
}

pub(crate) fn mcr(cx: &mut Cx, a: Mcr) {
    match (a.n, a.o, a.m, a.q) {
        r if cx.features & since(r) == 0 => cx.undefined(),
        THREAD_RW => {
            let v = cx.r(a.t);
            cx.set(TPIDRURW, v);
        }
        BARRIER_ISB => {}
        BARRIER_DSB | BARRIER_DMB => cx.b.fence(Fence::Full),
        _ => cx.undefined(),
    }
}
