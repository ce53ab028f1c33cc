//! Translates A32 and T32 to IR: the loop over instructions, conditions and IT blocks, and what the instruction functions share ([`Cx`]).
//!
//! One file per group of the manual's encoding index (Arm ARM F3, F4), one function per row name. An instruction writes guest state
//! after the last of its operations that can fault.
//!
//! A condition becomes a branch around the run of instructions that have it, or, where the run is short and only computes, a select
//! in each write ([`Cx::set`]).

mod alu;
mod branch;
mod exclusive;
mod media;
mod memory;
mod multiply;
mod simd;
mod simd_float;
mod simd_integer;
mod simd_memory;
mod simd_move;
mod simd_shift;
mod simd_wide;
mod system;
mod vfp;

pub(crate) use alu::*;
pub(crate) use branch::*;
pub(crate) use exclusive::*;
pub(crate) use media::*;
pub(crate) use memory::*;
pub(crate) use multiply::*;
pub(crate) use simd::*;
pub(crate) use simd_float::*;
pub(crate) use simd_integer::*;
pub(crate) use simd_memory::*;
pub(crate) use simd_move::*;
pub(crate) use simd_shift::*;
pub(crate) use simd_wide::*;
pub(crate) use system::*;
pub(crate) use vfp::*;

use crate::features::{self, D32};
use crate::insn::{self, Translate};
use crate::state::{self, MODE_E, MODE_IT};
use arch::{Code, Translation};
use ir::{BlockId, Builder, Cc, Mem, Slot, Term, Trap, Ty, Val};

/// What an instruction function works with.
#[derive(Debug)]
pub struct Cx<'a> {
    /// Where the IR goes.
    pub b: &'a mut Builder,
    /// The instruction's address, without T.
    pub pc: u32,
    /// The address after it.
    pub next: u32,
    /// T32 or A32.
    pub thumb: bool,
    /// The mode word.
    pub mode: u32,
    /// ITSTATE at the instruction.
    pub it: u32,
    /// The instruction's condition, and the flags that it is one of: writes select by it.
    pred: Option<(Cc, Val)>,
    /// The last condition computed in the current block, with what it was computed of.
    last: Option<(Cc, Val, Val)>,
    /// [`arch::Cpu::features`] of the model.
    pub features: u64,
}

/// An instruction word with the table that knows it.
#[derive(Clone, Copy, Debug)]
struct Word {
    bits: u32,
    len: u32,
    table: &'static decode::Table<Translate>,
    /// The condition in the word itself; None: always, or by IT.
    cc: Option<Cc>,
}

impl Word {
    fn row(&self) -> Option<decode::Row<Translate>> {
        self.table.decode(self.bits)
    }
}

/// Brings an A32 word into its table's form.
fn a32(word: u32) -> Word {
    let condition = word >> 28;
    let bits = if condition == 15 { word } else { word & 0x0fff_ffff | 0xe000_0000 };
    let table = match bits >> 24 {
        0xf2 | 0xf3 => &insn::NEON,
        0xf4 if bits >> 20 & 1 == 0 => &insn::NEON,
        0xec..=0xee | 0xfc..=0xfe => &insn::CP,
        _ => &insn::A32,
    };
    Word { bits, len: 4, table, cc: if condition == 15 { None } else { Cc::ALL.get(condition as usize).copied() } }
}

/// The same for a 32-bit Thumb instruction: Advanced SIMD is looked up in A32's form (Arm ARM F3.1.11).
fn t32(word: u32) -> Word {
    let (bits, table) = match word >> 24 {
        0xef | 0xff => (word & 0x00ff_ffff | 0xf200_0000 | (word >> 28 & 1) << 24, &insn::NEON),
        0xf9 if word >> 20 & 1 == 0 => (word & 0x00ff_ffff | 0xf400_0000, &insn::NEON),
        0xec..=0xee | 0xfc..=0xfe => (word, &insn::CP),
        _ => (word, &insn::T32),
    };
    Word { bits, len: 4, table, cc: None }
}

/// The instruction at the start of the bytes; None if they end within it.
fn word(code: &[u8], thumb: bool) -> Option<Word> {
    let half = |at: usize| Some(u32::from(*code.get(at)?) | u32::from(*code.get(at + 1)?) << 8);
    let low = half(0)?;
    if !thumb {
        return Some(a32(low | half(2)? << 16));
    }
    if low >> 11 < 0b11101 {
        return Some(Word { bits: low, len: 2, table: &insn::T16, cc: None });
    }
    Some(t32(low << 16 | half(2)?))
}

/// Text and length of the instruction at the start of the bytes.
pub(crate) fn disassemble(code: &[u8], pc: u64, _mode: u32) -> (String, usize) {
    let thumb = pc & 1 == 1;
    let Some(w) = word(code, thumb) else { return (String::from("?"), code.len()) };
    let original = if thumb { w.bits } else { u32::from_le_bytes([code[0], code[1], code[2], code[3]]) };
    let text = match w.row() {
        Some(row) => row.print(original, pc),
        None => format!(".inst {original:#010x}"),
    };
    (text, w.len as usize)
}

/// Guest code read ahead.
#[derive(Debug)]
struct Window<'a> {
    code: &'a mut dyn Code,
    buffer: [u8; 128],
    start: u32,
    filled: u32,
}

impl Window<'_> {
    /// The instruction at `pc`.
    fn at(&mut self, pc: u32, thumb: bool) -> Option<Word> {
        self.peek(pc, thumb).or_else(|| {
            self.start = pc;
            self.filled = self.code.fetch(pc.into(), &mut self.buffer) as u32;
            self.peek(pc, thumb)
        })
    }

    /// The instruction at `pc`, if it has been read already.
    fn peek(&self, pc: u32, thumb: bool) -> Option<Word> {
        let at = pc.wrapping_sub(self.start);
        if at >= self.filled { None } else { word(&self.buffer[at as usize..self.filled as usize], thumb) }
    }
}

/// ITSTATE after one more instruction (Arm ARM E1.2.3 ITAdvance).
fn advance(it: u32) -> u32 {
    if it & 7 == 0 { 0 } else { it & 0xe0 | it << 1 & 0x1f }
}

/// The condition that ITSTATE gives the next instruction.
fn it_condition(it: u32) -> Option<Cc> {
    if it == 0 { None } else { Cc::ALL.get((it >> 4) as usize).copied() }
}

/// BKPT and HLT are unconditional (Arm ARM F1.3.1).
fn condition(w: Word, it: u32) -> Option<Cc> {
    if w.len == 2 && w.bits >> 8 == 0xbe { None } else { w.cc.or(it_condition(it)) }
}

/// Translates from `pc` to the first unconditional branch, system call or trap, or to the limit.
pub(crate) fn block(t: &mut Translation<'_>, pc: u64, mode: u32) {
    match mode & MODE_IT {
        0 => instructions(t, pc, mode),
        it => inside_it(t, pc, mode, it),
    }
}

/// Translates one instruction in the middle of an IT block, where a signal's return or a single step has led. ITSTATE is part of the
/// mode word there: the region is left by [`Term::Resume`].
fn inside_it(t: &mut Translation<'_>, pc: u64, mode: u32, it: u32) {
    let limit = std::mem::replace(&mut t.max_insns, 1);
    instructions(t, pc, mode);
    t.max_insns = limit;
    let computed =
        |term: &Term| matches!(term, Term::Indirect { .. } | Term::CallIndirect { .. } | Term::Return { .. });
    if t.b.region.blocks.iter().any(|block| computed(&block.term)) {
        return branch_alone(t, pc, mode, it);
    }
    for block in &mut t.b.region.blocks {
        if let Term::Goto { pc } | Term::Call { pc, .. } = block.term {
            block.term = Term::Resume { pc };
        }
    }
}

/// A branch to a value in an IT block, which is its last instruction: if its condition holds, it is done once more, without the IT block.
fn branch_alone(t: &mut Translation<'_>, pc: u64, mode: u32, it: u32) {
    let next = t.b.region.end | 1;
    t.b.start(pc, mode, (state::STATE.fp_control)(mode));
    t.b.insn(pc, it, next & !1);
    let after = t.b.i32(advance(it));
    t.b.set(state::ITSTATE, after);
    let (then, other) = (t.b.block(), t.b.block());
    let flags = t.b.get(state::NZCV);
    let holds = match it_condition(it) {
        Some(cc) => t.b.cond(cc, flags),
        None => t.b.i1(true),
    };
    t.b.branch(holds, then, other);
    t.b.enter(then);
    let zero = t.b.i32(0);
    t.b.set(state::ITSTATE, zero);
    t.b.end(Term::Resume { pc });
    t.b.enter(other);
    t.b.end(Term::Resume { pc: next });
}

fn instructions(t: &mut Translation<'_>, pc: u64, mode: u32) {
    t.b.start(pc, mode, (state::STATE.fp_control)(mode));
    let thumb = pc & 1 == 1;
    let pc = pc as u32 & !1;
    let mut code = Window { code: &mut *t.code, buffer: [0; 128], start: pc, filled: 0 };
    let (it, last) = (mode & MODE_IT, None);
    // The kernel's helpers are the same for every processor.
    let features = if u64::from(pc) >= crate::linux::ABI.task_size { features::MAX } else { t.features };
    let mut cx = Cx { b: &mut *t.b, pc, next: pc, thumb, mode, it, pred: None, last, features };
    if it != 0 {
        // What leaves inside the IT block says so; a fault's record does.
        let zero = cx.b.i32(0);
        cx.b.set(state::ITSTATE, zero);
    }
    let mut run = None;
    let mut n = 0;
    // An IT block stays together, but for single steps.
    while n < t.max_insns || n == 0 || cx.it != 0 && t.max_insns > 1 {
        let at = cx.pc_t(cx.pc);
        if n > 0 && cx.it == 0 && t.leaders.has(at, mode) {
            break;
        }
        if cx.it == 0 && cx.b.is_target(at) {
            cx.close(&mut run);
            if !cx.b.meet(at) {
                break;
            }
            cx.last = None;
        }
        let w = if thumb || cx.pc & 3 == 0 { code.at(cx.pc, thumb) } else { None };
        let Some(w) = w else {
            cx.close(&mut run);
            return if n == 0 { cx.no_code() } else { cx.go_on() };
        };
        cx.next = cx.pc.wrapping_add(w.len);
        cx.condition(&mut run, w, &code);
        cx.insn(w);
        cx.pred = None;
        if cx.b.ended() {
            // If it was conditional, the other way goes on.
            let Some(r) = run.take() else { return };
            cx.enter(r.skip);
        }
        cx.pc = cx.next;
        n += 1;
    }
    cx.close(&mut run);
    cx.go_on();
}

/// A run of instructions with one condition: it, where to go if it fails, and the flags that it was taken from.
#[derive(Clone, Copy, Debug)]
struct Run {
    cc: Cc,
    skip: BlockId,
    flags_written: bool,
}

/// Instructions that select instead of branching: at most so many together.
const SELECTS: u32 = 3;

/// Rows that only compute from registers to registers and flags, and cannot trap.
const COMPUTE: [&str; 26] = [
    "dp_imm", "dp_reg", "dp_rsr", "dp_imm8", "dp_two", "sh_two", "adr", "movw", "movt", "mul", "mul_two", "mla", "mls",
    "xt", "sbfx", "ubfx", "bfi", "rev", "rev16", "revsh", "rbit", "clz", "pkh", "vmov_reg", "vabs", "vneg",
];

impl Cx<'_> {
    /// Marks the instruction and sees to its condition.
    fn condition(&mut self, run: &mut Option<Run>, w: Word, code: &Window<'_>) {
        let cc = condition(w, self.it);
        if let Some(r) = run
            && (Some(r.cc) != cc || r.flags_written)
        {
            self.close(run);
        }
        self.b.insn(self.pc_t(self.pc), self.it, self.next.into());
        let Some(cc) = cc else { return };
        if run.is_some() {
            if writes_flags(w) {
                *run = run.map(|r| Run { flags_written: true, ..r });
            }
            return;
        }
        if self.selects(cc, w, code) {
            self.pred = Some((cc, self.flags()));
            return;
        }
        let holds = self.cond(cc);
        let (then, skip) = (self.b.block(), self.b.block());
        self.b.branch(holds, then, skip);
        self.enter(then);
        *run = Some(Run { cc, skip, flags_written: writes_flags(w) });
    }

    fn computes(&self, w: Word) -> bool {
        let Some(row) = w.row().filter(|row| self.has(row, w.bits)) else { return false };
        let d = row.fields.iter().find(|f| f.name() == "d").map_or(0, |f| f.of(w.bits));
        d != 15 && COMPUTE.contains(&row.name)
    }

    /// Whether the instructions with the condition `cc` from here on are few and all compute.
    fn selects(&self, cc: Cc, first: Word, code: &Window<'_>) -> bool {
        let (mut w, mut pc, mut it) = (first, self.pc, self.it);
        for _ in 0..SELECTS {
            if !self.computes(w) {
                return false;
            }
            pc = pc.wrapping_add(w.len);
            it = advance(it);
            match code.peek(pc, self.thumb) {
                Some(next) if condition(next, it) == Some(cc) => w = next,
                _ => return true,
            }
        }
        false
    }

    fn enter(&mut self, block: BlockId) {
        self.b.enter(block);
        self.last = None;
    }

    /// Ends a run of conditional instructions, which falls through.
    fn close(&mut self, run: &mut Option<Run>) {
        if let Some(r) = run.take() {
            self.b.end(Term::Jump(r.skip));
            self.enter(r.skip);
        }
    }

    /// Leaves to the code at pc.
    fn go_on(&mut self) {
        let pc = self.pc_t(self.pc);
        if self.it == 0 {
            return self.b.end(Term::Goto { pc });
        }
        let it = self.b.i32(self.it);
        self.b.set(state::ITSTATE, it);
        self.b.end(Term::Resume { pc });
    }

    /// There is no code at pc, and it is the region's first instruction.
    fn no_code(&mut self) {
        let pc = self.pc_t(self.pc);
        self.b.insn(pc, self.it, (pc & !1).wrapping_add(2));
        self.b.trap(if self.thumb || pc & 3 == 0 { Trap::Fetch } else { Trap::PcAlign });
    }

    fn insn(&mut self, w: Word) {
        let it = advance(self.it);
        match w.row() {
            Some(row) if self.has(&row, w.bits) => (row.translate)(self, w.bits),
            _ => self.undefined(),
        }
        // The IT instruction has set ITSTATE itself.
        if w.len != 2 || w.bits >> 8 != 0xbf || w.bits & 15 == 0 {
            self.it = it;
        }
    }

    /// Whether the processor has the instruction.
    fn has(&self, row: &decode::Row<Translate>, bits: u32) -> bool {
        row.needs & !self.features == 0 && (self.features & D32 != 0 || !vfp::uses_high_registers(row, bits))
    }

    /// An address with T in bit 0, as the IR has it.
    pub fn pc_t(&self, pc: u32) -> u64 {
        u64::from(pc | u32::from(self.thumb))
    }

    /// The instruction is not allocated: `-d unimp` tells of it when a program comes to it.
    pub fn undefined(&mut self) {
        self.b.trap(Trap::Undefined);
    }

    // ---- registers ----

    /// Writes a slot if the instruction's condition holds.
    pub fn set(&mut self, slot: Slot, v: Val) {
        let v = match self.pred {
            // The condition right before it is used: what the instruction computes takes the host's flags.
            Some((cc, flags)) => {
                let old = self.b.get(slot);
                let holds = self.b.cond(cc, flags);
                self.b.select(holds, v, old)
            }
            None => v,
        };
        self.b.set(slot, v);
    }

    /// rn; r15 reads as the instruction's address plus 8 (A32) or 4 (T32).
    pub fn r(&mut self, n: u32) -> Val {
        match n {
            15 => self.b.i32(self.pc.wrapping_add(if self.thumb { 4 } else { 8 })),
            _ => self.b.get(state::r(n)),
        }
    }

    /// The base of a PC-relative address for 15, else rn.
    pub fn base(&mut self, n: u32) -> Val {
        match n {
            15 => self.b.i32(self.pc.wrapping_add(if self.thumb { 4 } else { 8 }) & !3),
            _ => self.b.get(state::r(n)),
        }
    }

    /// Writes rn, not 15.
    pub fn set_r(&mut self, n: u32, v: Val) {
        self.set(state::r(n), v);
    }

    /// N, Z, C, V.
    pub fn flags(&mut self) -> Val {
        self.b.get(state::NZCV)
    }

    /// Writes N, Z, C, V.
    pub fn set_flags(&mut self, flags: Val) {
        self.set(state::NZCV, flags);
    }

    /// Sets CPSR.Q if `when` (I1) holds.
    pub fn set_q(&mut self, when: Val) {
        let old = self.b.get(state::Q);
        let when = self.b.zext(Ty::I32, when);
        let v = self.b.or(old, when);
        self.set(state::Q, v);
    }

    /// Whether the condition holds (I1).
    fn cond(&mut self, cc: Cc) -> Val {
        let flags = self.flags();
        match self.last {
            Some((c, f, holds)) if (c, f) == (cc, flags) => holds,
            _ => {
                let holds = self.b.cond(cc, flags);
                self.last = Some((cc, flags, holds));
                holds
            }
        }
    }

    /// Whether an instruction with this `f` field sets flags.
    pub fn sets_flags(&self, f: u32) -> bool {
        f == 1 || f == 2 && self.it == 0
    }

    // ---- memory ----

    /// Big-endian data.
    pub fn big(&self) -> bool {
        self.mode & MODE_E != 0
    }

    /// An access of `size` bytes at an address.
    pub fn mem(&self, base: Val, size: u32) -> Mem {
        Mem { big: self.big(), ..Mem::at(base, size as u8) }
    }
}

/// Whether the instruction may change the flags that conditions read.
fn writes_flags(w: Word) -> bool {
    match w.row() {
        Some(row) => {
            row.fields.iter().any(|f| f.name() == "f" && f.of(w.bits) == 1)
                || matches!(row.name, "msr" | "msr_imm" | "vmrs")
        }
        None => false,
    }
}
