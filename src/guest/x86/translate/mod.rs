//! Translates x86 to IR: the loop over instructions, and what the instruction functions share ([`Cx`]).
//!
//! One file per group of instructions, one row per mnemonic, which names its function and its parameters. An instruction writes guest state after
//! the last of its operations that can fault.

mod avx;
mod avx_lanes;
mod avx_memory;
mod bits;
mod changing;
mod control;
mod crypto;
mod data;
mod decimal;
pub(crate) mod descriptor;
mod evex;
mod evex_float;
mod evex_integer;
mod evex_mask;
mod evex_memory;
mod evex_move;
mod evex_special;
mod exceptions;
mod far;
mod flags;
mod fma;
mod helper;
mod integer;
pub(crate) mod mmx;
mod multiply;
pub(crate) mod operand;
mod segment;
mod shift;
mod sse_convert;
mod sse_estimate;
mod sse_float;
mod sse_integer;
mod sse_move;
mod sse_string;
mod step;
mod string;
mod system;
mod thunk;
mod vector;
pub(crate) mod vsyscall;
mod x87;
mod x87_control;
pub(crate) mod x87_image;
mod xsave;
pub(crate) mod xsave_area;

use crate::insn::{self, Form, Row};
use crate::state::{self, mode};
use arch::{Code, State, Translation};
use changing::Snapshot;
use evex::Lanes;
use iced_x86::Instruction;
use ir::{Builder, Term, Trap, Ty};
use thunk::Thunk;
use vector::{Vex, by_halves};

/// The rows of all groups.
pub(crate) const GROUPS: &[&[Row]] = &[
    avx::ROWS,
    avx_memory::ROWS,
    bits::ROWS,
    control::ROWS,
    crypto::ROWS,
    data::ROWS,
    decimal::ROWS,
    evex_mask::own::ROWS,
    evex_integer::shared::ROWS,
    far::ROWS,
    flags::ROWS,
    integer::ROWS,
    multiply::ROWS,
    segment::ROWS,
    shift::ROWS,
    sse_convert::ROWS,
    sse_estimate::ROWS,
    sse_float::ROWS,
    sse_integer::ROWS,
    sse_move::ROWS,
    sse_string::ROWS,
    string::ROWS,
    system::ROWS,
    x87::ROWS,
    x87_control::ROWS,
    xsave::ROWS,
];

/// The rows of what has a VEX form alone and works within halves.
pub(crate) const BY_HALVES: &[&[Row]] = &[avx_lanes::ROWS, fma::ROWS];

/// The rows of EVEX forms that look at all pieces of their operands.
pub(crate) const EVEX: &[&[Row]] = &[
    evex_integer::whole::ROWS,
    evex_mask::whole::ROWS,
    evex_memory::ROWS,
    evex_move::whole::ROWS,
    evex_float::whole::ROWS,
];

/// The rows of EVEX forms that work within pieces and are no rows of SSE and VEX.
pub(crate) const EVEX_PIECES: &[&[Row]] =
    &[evex_float::ROWS, evex_float::scalar::ROWS, evex_integer::ROWS, evex_mask::ROWS, evex_move::ROWS];

/// What an instruction function works with.
#[derive(Debug)]
pub(crate) struct Cx<'a> {
    /// Where the IR goes.
    pub(crate) b: &'a mut Builder,
    /// The instruction's address.
    pub(crate) pc: u64,
    /// The address after it.
    pub(crate) next: u64,
    /// Its bytes, and what is behind it.
    pub(crate) bytes: [u8; LONGEST],
    /// The mode word: [`state::mode`].
    pub(crate) mode: u32,
    /// The type of a general register.
    pub(crate) xlen: Ty,
    /// [`arch::Cpu::features`] of the model.
    pub(crate) features: u64,
    /// The VEX form being translated by a row of SSE.
    pub(crate) vex: Option<Vex>,
    /// Bits of opmask registers that are known as lanes.
    pub(crate) lanes: Vec<Lanes>,
    /// An instruction is translated to see what exceptions it raises.
    pub(crate) rehearsing: bool,
    /// The stack pointer is written as late as may be.
    pub(crate) moves: bool,
    /// The function that the instruction calls, if it is known what it does.
    pub(crate) called: Option<Thunk>,
}

pub(crate) fn block32(t: &mut Translation<'_>, pc: u64, mode: u32) {
    block(t, pc, mode, &state::STATE32, Ty::I32);
}

pub(crate) fn block64(t: &mut Translation<'_>, pc: u64, mode: u32) {
    block(t, pc, mode, &state::STATE64, Ty::I64);
}

/// The type of addresses in code under this mode word, where registers have that of `xlen`.
fn pointer(xlen: Ty, mode: u32) -> Ty {
    if mode & mode::NARROW != 0 { Ty::I32 } else { xlen }
}

/// The longest instruction.
const LONGEST: usize = 15;

/// Guest code read ahead.
struct Window<'a> {
    code: &'a mut dyn Code,
    buffer: [u8; 128],
    start: u64,
    filled: usize,
    bits: u32,
}

impl Window<'_> {
    /// The instruction at `pc`; None if code ends within it.
    fn at(&mut self, pc: u64) -> Option<Instruction> {
        let at = usize::try_from(pc.wrapping_sub(self.start)).unwrap_or(usize::MAX);
        if at.checked_add(LONGEST).is_none_or(|end| end > self.filled) {
            self.start = pc;
            let vsyscall = if self.bits == 64 { vsyscall::fetch(pc, &mut self.buffer) } else { None };
            self.filled = vsyscall.unwrap_or_else(|| self.code.fetch(pc, &mut self.buffer));
        }
        let at = (pc - self.start) as usize;
        insn::decode(&self.buffer[at..self.filled], pc, self.bits)
    }

    /// The bytes from `pc` on, where an instruction has just been found.
    fn bytes(&self, pc: u64) -> [u8; LONGEST] {
        let mut bytes = [0; LONGEST];
        let there = &self.buffer[(pc - self.start) as usize..self.filled];
        let n = there.len().min(LONGEST);
        bytes[..n].copy_from_slice(&there[..n]);
        bytes
    }
}

/// Translates from `pc` on; what may change is translated twice, since the check of it must know how much that is.
fn block(t: &mut Translation<'_>, pc: u64, mode: u32, state: &State, xlen: Ty) {
    t.b.start(pc, mode, (state.fp_control)(mode));
    let most = LONGEST * t.max_insns.max(1) as usize;
    if !t.code.may_change(pc, pc.saturating_add(most as u64)) {
        return run(t, pc, mode, xlen, false);
    }
    let mut code = Snapshot::new(t.code, pc, most);
    run(&mut Translation { code: &mut code, b: &mut *t.b, ..*t }, pc, mode, xlen, true);
    let end = t.b.region.end;
    t.b.start(pc, mode, (state.fp_control)(mode));
    code.check(t.b, xlen, end);
    run(&mut Translation { code: &mut code, b: &mut *t.b, ..*t }, pc, mode, xlen, true);
}

/// Translates from `pc` to the first branch, system call or trap, or to the limit, and if code changes to the first store.
fn run(t: &mut Translation<'_>, pc: u64, mode: u32, xlen: Ty, changing: bool) {
    let (next, bytes, features) = (pc, [0; LONGEST], t.features);
    let moves = mode & (mode::UNMASKED | mode::STEP | mode::NARROW) == 0 && !changing;
    let pointer = pointer(xlen, mode);
    let (vex, called, rehearsing, lanes) = (None, None, false, Vec::new());
    let mut cx = Cx { b: &mut *t.b, pc, next, bytes, mode, xlen, features, vex, lanes, rehearsing, moves, called };
    let mut window = Window { code: &mut *t.code, buffer: [0; 128], start: pc, filled: 0, bits: pointer.bits() };
    let insns = if cx.steps() { 1 } else { t.max_insns.max(1) };
    for n in 0..insns {
        if n > 0 && t.leaders.has(cx.pc, mode) {
            break;
        }
        // Code that changes is looked at where its region begins.
        if cx.b.is_target(cx.pc) && (changing || !cx.b.meet(cx.pc)) {
            break;
        }
        let Some(i) = window.at(cx.pc) else {
            // The trap is the first instruction of a region of its own.
            if n == 0 {
                cx.b.insn(pc, 0, pc.wrapping_add(1) & pointer.mask());
                return cx.b.trap(Trap::Fetch);
            }
            break;
        };
        cx.next = cx.pc.wrapping_add(i.len().max(1) as u64) & pointer.mask();
        cx.bytes = window.bytes(cx.pc);
        cx.called = if changing || mode & mode::NARROW != 0 { None } else { Thunk::called(window.code, &i) };
        // What only changes the mode word is no step.
        if cx.steps() && !cx.would_soil(&i) {
            cx.step(&i);
        }
        let first = cx.b.region.insts.len();
        cx.insn(&i);
        if cx.b.ended() {
            return;
        }
        cx.pc = cx.next;
        if changing && changing::stores(cx.b, first) {
            break;
        }
    }
    let pc = cx.pc;
    cx.b.end(Term::Goto { pc });
}

impl Cx<'_> {
    fn insn(&mut self, i: &Instruction) {
        // See `state::settle`.
        let back = self.b.late().map_or(0, |last| self.pc.wrapping_sub(last) as u32);
        self.b.insn(self.pc, back, self.next);
        let row = insn::row(i).filter(|_| insn::needs(i) & !self.features == 0);
        if row.is_some() {
            if self.soils(i) {
                return;
            }
            evex_memory::prepare(self, i);
        }
        match row {
            Some(form) if self.mode & mode::UNMASKED != 0 => self.with_exceptions(i, form),
            Some(form) => self.translate(i, form),
            None => self.undefined(),
        }
    }

    fn translate(&mut self, i: &Instruction, form: Form) {
        match form {
            Form::Own(translate) => translate(self, i),
            Form::Vex(translate) => by_halves(self, i, translate),
        }
    }

    /// The instruction is not there: `-d unimp` tells of it when a program comes to it.
    pub(crate) fn undefined(&mut self) {
        self.b.trap(Trap::Undefined);
    }

    /// Goes on with the next instruction under what may be another mode word.
    pub(crate) fn resume(&mut self) {
        let pc = self.next;
        self.b.end(Term::Resume { pc });
    }

    /// Whether the program is one of 64 bits, though its code may have 32.
    pub(crate) fn is_wide(&self) -> bool {
        self.xlen == Ty::I64
    }

    /// The type of the code's addresses, and of what it pushes.
    pub(crate) fn pointer(&self) -> Ty {
        pointer(self.xlen, self.mode)
    }

    /// Whether the code has registers of 64 bits.
    pub(crate) fn is_long(&self) -> bool {
        self.pointer() == Ty::I64
    }
}
