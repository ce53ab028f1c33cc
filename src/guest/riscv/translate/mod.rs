//! Translates RISC-V to IR: the loop over instructions, and what the instruction functions share ([`Cx`]).
//!
//! One file per group of extensions, one function per row name of the decode files; compressed instructions call those that they stand
//! for. An instruction writes guest state after the last of its operations that can fault.

mod atomic;
mod bits;
mod branch;
pub(crate) mod compressed;
mod crypto;
mod float;
mod float_convert;
pub(crate) mod helper;
mod integer;
mod memory;
pub(crate) mod system;
mod vector;
mod vector_bits;
pub(crate) mod vector_config;
mod vector_crypto;
mod vector_elements;
mod vector_file;
mod vector_float;
mod vector_integer;
mod vector_lanes;
mod vector_memory;
mod vector_move;
mod vector_reduce;

pub(crate) use atomic::*;
pub(crate) use bits::*;
pub(crate) use branch::*;
pub(crate) use compressed::*;
pub(crate) use crypto::*;
pub(crate) use float::*;
pub(crate) use float_convert::*;
pub(crate) use integer::*;
pub(crate) use memory::*;
pub(crate) use system::*;
pub(crate) use vector_bits::*;
pub(crate) use vector_config::*;
pub(crate) use vector_crypto::*;
pub(crate) use vector_float::*;
pub(crate) use vector_integer::*;
pub(crate) use vector_memory::*;
pub(crate) use vector_move::*;
pub(crate) use vector_reduce::*;

use crate::features::{ZABHA, ZFH, ZFHMIN};
use crate::insn::{RV, RV32, RV64, RVC, RVC32, RVC64, RVV, Translate};
use crate::state::{self, Vector};
use arch::{Code, State, Translation};
use decode::{Row, Table};
use ir::{Bin, Builder, Mem, Term, Trap, Ty, Val};

/// `family(fields): name Row(parameters); …` makes `fn name(cx, i: Row)`, which calls `family(cx, [fields], parameters)`.
macro_rules! rows {
    (@one $family:ident ($($field:ident)*) $name:ident $Row:ident ($($arg:expr),*)) => {
        pub(crate) fn $name(cx: &mut Cx, i: $Row) {
            $family(cx, [$(i.$field),*] $(, $arg)*);
        }
    };
    ($family:ident $fields:tt: $($name:ident $Row:ident $args:tt;)*) => {
        $(rows!(@one $family $fields $name $Row $args);)*
    };
}
use rows;

/// What an instruction function works with.
#[derive(Debug)]
pub struct Cx<'a> {
    /// Where the IR goes.
    pub b: &'a mut Builder,
    /// The instruction's address.
    pub pc: u64,
    /// The address after it.
    pub next: u64,
    /// The mode word: frm, and what of vector state the region depends on: that at this place, which a VSETVLI changes.
    pub mode: u32,
    /// The instruction.
    pub word: u32,
    /// The type of an integer register.
    pub xlen: Ty,
    /// [`arch::Cpu::features`] of the model.
    pub features: u64,
    /// What the instruction before was, and what this one is, of a comparison without flags.
    before: Quiet,
    now: Quiet,
    compared: Option<vector::Compared>,
    bottoms: Vec<vector::Bottom>,
}

/// How far a comparison without flags has come: FRFLAGS xn, FLT or FLE, FSFLAGS xn, as compilers write it where there is no Zfa.
#[derive(Clone, Copy, Debug, Default)]
enum Quiet {
    #[default]
    None,
    /// FRFLAGS xn.
    Read(u32),
    /// And the comparison, which left these flags.
    Compared(u32, Val),
}

/// An instruction word with its row, if it has one.
struct Word {
    bits: u32,
    len: u64,
    row: Option<Row<Translate>>,
}

fn find(tables: &[&'static Table<Translate>], bits: u32) -> Option<Row<Translate>> {
    tables.iter().find_map(|table| table.decode(bits))
}

/// The instruction at the start of the bytes; None if they end within it.
fn word(code: &[u8], xlen: Ty) -> Option<Word> {
    let low = u32::from(u16::from_le_bytes(*code.first_chunk()?));
    if low & 3 != 3 {
        let own = if xlen == Ty::I64 { &RVC64 } else { &RVC32 };
        return Some(Word { bits: low, len: 2, row: find(&[&RVC, own], low) });
    }
    let bits = u32::from_le_bytes(*code.first_chunk()?);
    let tables: &[_] = if xlen == Ty::I64 { &[&RV, &RV64, &RVV] } else { &[&RV, &RV32] };
    Some(Word { bits, len: 4, row: find(tables, bits) })
}

/// Text and length of the instruction at the start of the bytes.
fn disassemble(code: &[u8], pc: u64, xlen: Ty) -> (String, usize) {
    let Some(w) = word(code, xlen) else { return (String::from("?"), code.len()) };
    let text = match w.row {
        Some(row) => row.print(w.bits, pc),
        None => format!(".insn {:#0n$x}", w.bits, n = 2 + 2 * w.len as usize),
    };
    (text, w.len as usize)
}

pub(crate) fn disassemble32(code: &[u8], pc: u64, _mode: u32) -> (String, usize) {
    disassemble(code, pc, Ty::I32)
}

pub(crate) fn disassemble64(code: &[u8], pc: u64, _mode: u32) -> (String, usize) {
    disassemble(code, pc, Ty::I64)
}

/// Guest code read ahead.
struct Window<'a> {
    code: &'a mut dyn Code,
    buffer: [u8; 128],
    start: u64,
    filled: u64,
}

impl Window<'_> {
    /// The instruction at `pc`.
    fn at(&mut self, pc: u64, xlen: Ty) -> Option<Word> {
        self.peek(pc, xlen).or_else(|| {
            self.start = pc;
            self.filled = self.code.fetch(pc, &mut self.buffer) as u64;
            self.peek(pc, xlen)
        })
    }

    /// The instruction at `pc`, if it has been read already.
    fn peek(&self, pc: u64, xlen: Ty) -> Option<Word> {
        let at = pc.wrapping_sub(self.start);
        if at >= self.filled { None } else { word(&self.buffer[at as usize..self.filled as usize], xlen) }
    }
}

pub(crate) fn block32(t: &mut Translation<'_>, pc: u64, mode: u32) {
    block(t, pc, mode, &state::STATE32, Ty::I32);
}

pub(crate) fn block64(t: &mut Translation<'_>, pc: u64, mode: u32) {
    block(t, pc, mode, &state::STATE64, Ty::I64);
}

/// An instruction of more operations ends its region, lest the back end has to keep several long groups of vector registers at once.
const MOST_OPS: usize = 160;

/// Translates from `pc` to the first branch, system call or trap, or to the limit.
fn block(t: &mut Translation<'_>, pc: u64, mode: u32, state: &State, xlen: Ty) {
    t.b.start(pc, mode, (state.fp_control)(mode));
    let mut cx = Cx {
        b: &mut *t.b,
        pc,
        next: pc,
        mode,
        word: 0,
        xlen,
        features: t.features,
        before: Quiet::None,
        now: Quiet::None,
        compared: None,
        bottoms: Vec::new(),
    };
    let mut window = Window { code: &mut *t.code, buffer: [0; 128], start: pc, filled: 0 };
    for n in 0..t.max_insns.max(1) {
        if n > 0 && t.leaders.has(cx.pc, cx.mode) {
            break;
        }
        if cx.b.is_target(cx.pc) {
            // Conditional branches keep the region's mode.
            if cx.mode != mode || !cx.b.meet(cx.pc) {
                break;
            }
            (cx.now, cx.compared) = (Quiet::None, None);
            cx.bottoms.clear();
        }
        let Some(w) = window.at(cx.pc, xlen) else {
            // The trap is the first instruction of a region of its own.
            if n == 0 {
                cx.b.insn(pc, 0, pc.wrapping_add(2) & xlen.mask());
                return cx.b.trap(Trap::Fetch);
            }
            break;
        };
        // So do jumps keep the rounding mode: where they lead to is found without it.
        if cx.rounds_apart() && w.row.as_ref().is_none_or(is_jump) {
            break;
        }
        // Conditional branches keep the region's mode.
        if cx.mode != mode && w.row.as_ref().is_some_and(is_branch) {
            break;
        }
        if !Vector::is_known(cx.mode) && w.row.as_ref().is_some_and(needs_type) {
            let pc = cx.pc;
            cx.b.insn(pc, 0, pc.wrapping_add(w.len) & xlen.mask());
            return cx.b.end(Term::Resume { pc });
        }
        cx.next = cx.pc.wrapping_add(w.len) & xlen.mask();
        let ops = cx.b.region.insts.len();
        cx.insn(&w);
        if cx.b.ended() {
            return;
        }
        cx.pc = cx.next;
        if cx.b.region.insts.len() - ops > MOST_OPS {
            break;
        }
    }
    let pc = cx.pc;
    cx.go_to(pc);
}

/// Whether an instruction leaves the region on a condition.
fn is_branch(row: &Row<Translate>) -> bool {
    ["beq", "bne", "blt", "bge", "bltu", "bgeu", "c_beqz", "c_bnez"].contains(&row.name)
}

/// Whether an instruction leaves the region.
fn is_jump(row: &Row<Translate>) -> bool {
    let names = ["jal", "jalr", "c_j", "c_jal", "c_jr", "c_jalr", "ecall", "ebreak", "c_ebreak", "fence_i"];
    names.contains(&row.name) || is_branch(row)
}

/// Whether what an instruction does depends on vtype or on vstart: all of V but what sets them.
fn needs_type(row: &Row<Translate>) -> bool {
    row.name.starts_with('v') && !row.name.starts_with("vset")
}

impl Cx<'_> {
    /// Ends the region: on at `pc` under the mode word that holds by now.
    pub(super) fn go_to(&mut self, pc: u64) {
        self.go_on(pc, self.mode);
    }

    /// The same under another mode word.
    pub(super) fn go_on(&mut self, pc: u64, mode: u32) {
        let term = match self.b.region.mode {
            _ if self.rounds_apart() => Term::Resume { pc },
            own if own == mode => Term::Goto { pc },
            _ => Term::Switch { pc, mode },
        };
        self.b.end(term);
    }

    /// Whether the rounding mode is another than the region began with.
    fn rounds_apart(&self) -> bool {
        (self.mode ^ self.b.region.mode) & state::FRM_MASK != 0
    }

    fn insn(&mut self, w: &Word) {
        self.b.insn(self.pc, 0, self.next);
        self.word = w.bits;
        self.before = std::mem::take(&mut self.now);
        match w.row {
            Some(row) if self.has(&row, w.bits) => (row.translate)(self, w.bits),
            _ => self.undefined(),
        }
    }

    /// Whether the processor has the instruction: what the row needs, and what a field of it does.
    fn has(&self, row: &Row<Translate>, bits: u32) -> bool {
        let field = |name: &str| row.fields.iter().find(|f| f.name() == name).map(|f| f.of(bits));
        let is_half = field("f") == Some(2) || field("g") == Some(2);
        let moves = matches!(row.name, "fcvt_fmt" | "fmv_to_x" | "fmv_from_x");
        let is_narrow = row.name.starts_with("amo") && field("z").is_some_and(|z| z < 2);
        let needs = match (is_half, is_narrow) {
            (true, _) => {
                if moves {
                    ZFHMIN
                } else {
                    ZFH
                }
            }
            (_, true) => ZABHA,
            _ => 0,
        };
        (row.needs | needs) & !self.features == 0
    }

    /// The instruction is not allocated: `-d unimp` tells of it when a program comes to it.
    pub fn undefined(&mut self) {
        self.b.trap(Trap::Undefined);
    }

    /// xn.
    pub fn x(&mut self, n: u32) -> Val {
        if n == 0 { self.imm(0) } else { self.b.get(state::x(n)) }
    }

    /// The address in xn, plus an offset.
    pub fn address(&mut self, n: u32, offset: Val) -> Val {
        let base = self.x(n);
        let addr = self.b.add(base, offset);
        self.masked(addr)
    }

    /// The address that an access goes to: with Supm some upper bits are as the highest one below them.
    pub fn masked(&mut self, addr: Val) -> Val {
        let bits = state::overlooked(self.mode);
        if bits == 0 {
            return addr;
        }
        let addr = self.b.shift_imm(Bin::Shl, addr, bits);
        self.b.shift_imm(Bin::Sar, addr, bits)
    }

    /// The access of `size` bytes at xn plus an offset.
    pub fn access(&mut self, n: u32, offset: i32, size: u8) -> Mem {
        let base = self.x(n);
        if state::overlooked(self.mode) == 0 {
            return Mem::at(base, size).disp(offset);
        }
        let addr = self.b.add_imm(base, offset.into());
        Mem::at(self.masked(addr), size)
    }

    /// The low 32 bits of xn.
    pub fn w(&mut self, n: u32) -> Val {
        let v = self.x(n);
        self.b.trunc(Ty::I32, v)
    }

    /// Writes xn; what is narrower is extended by its sign.
    pub fn set_x(&mut self, n: u32, v: Val) {
        if n != 0 {
            let v = self.b.sext(self.xlen, v);
            self.b.set(state::x(n), v);
        }
    }

    /// Writes xn: 1 or 0.
    pub fn set_bool(&mut self, n: u32, v: Val) {
        if n != 0 {
            let v = self.b.zext(self.xlen, v);
            self.b.set(state::x(n), v);
        }
    }

    /// A constant of a register's width.
    pub fn imm(&mut self, v: i64) -> Val {
        self.b.constant(self.xlen, v as u64)
    }
}

/// The low `width` bits as a signed number.
pub(crate) fn signed(value: u32, width: u32) -> i64 {
    i64::from(value) << (64 - width) >> (64 - width)
}
