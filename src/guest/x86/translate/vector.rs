//! Operands of vector instructions, of SSE and of AVX alike, and how a row of SSE serves for the VEX form of its instruction.
//!
//! The last operand that is no constant is the source; where an instruction has two, the first stands before it; the result goes to operand 0. That
//! holds for `paddd xmm0, xmm1` as for `vpaddd xmm0, xmm2, xmm1`, so a row's function need not know which of them it is at. A form of 256 bits works
//! within halves of 128, but for few instructions (`avx.rs`): the function is called for each half, whose operands it then gets. So do EVEX's forms, of up to
//! four such pieces (`evex.rs`).

use super::Cx;
use super::evex::Evex;
use crate::insn::Translate;
use crate::state::vector;
use iced_x86::{EncodingKind, Instruction, Mnemonic, OpKind, Register};
use ir::{Align, Lane, Mem, Ty, V2, Val};

/// The VEX or EVEX form being translated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vex {
    /// How many pieces of 128 bits it has, and which of them this is.
    pub(super) pieces: u32,
    pub(super) piece: u32,
    /// The memory operand's pieces: all of it is read before anything is computed.
    pub(super) loaded: Option<[Val; 4]>,
    /// They are as they stand in memory, not what each piece takes of it.
    pub(super) raw: bool,
    /// What the function gave.
    pub(super) result: Option<Val>,
    /// What EVEX has besides.
    pub(super) evex: Option<Evex>,
}

impl Vex {
    pub(super) const fn new(pieces: u32) -> Vex {
        Vex { pieces, piece: 0, loaded: None, raw: false, result: None, evex: None }
    }
}

/// Operand `n` of these is a register of 256 bits, or the memory operand has as many.
fn is_wide(i: &Instruction) -> bool {
    let register = |n| i.op_kind(n) == OpKind::Register && i.op_register(n).is_ymm();
    (0..i.op_count()).any(register) || i.memory_size().size() == 32
}

/// The number of the source.
pub(super) fn last(i: &Instruction) -> u32 {
    let n = i.op_count() - 1;
    if i.op_kind(n) == OpKind::Immediate8 { n - 1 } else { n }
}

/// A VEX form by the row of SSE: the function for each half, then the results. They are zero above.
pub(crate) fn by_halves(cx: &mut Cx, i: &Instruction, row: Translate) {
    if i.encoding() == EncodingKind::EVEX {
        return cx.by_pieces(i, row);
    }
    cx.vex = Some(Vex::new(if is_wide(i) { 2 } else { 1 }));
    let results = cx.each_piece(i, row);
    cx.vex = None;
    if results[0].is_none() {
        return;
    }
    let results = cx.joined(results, i.op0_register().size());
    cx.set_whole(i.op0_register(), [results[0], results[1]]);
}

/// Instructions of SSE whose operand of 16 bytes need not be aligned. Those of AVX need not, but for plain moves of what is.
fn may_be_misaligned(i: &Instruction) -> bool {
    use Mnemonic::*;
    #[rustfmt::skip]
    let there = matches!(i.mnemonic(), Movups | Movupd | Movdqu | Lddqu | Pcmpestri | Pcmpestri64 | Pcmpestrm | Pcmpestrm64 | Pcmpistri | Pcmpistrm);
    there
}

/// What an operand of 16, 32 or 64 bytes must be aligned to; 1: nothing.
pub(super) fn demanded_alignment(i: &Instruction) -> usize {
    use Mnemonic::*;
    let size = i.memory_size().size();
    let aligned = match i.encoding() {
        EncodingKind::Legacy => size == 16 && !may_be_misaligned(i),
        _ => matches!(
            i.mnemonic(),
            Vmovaps | Vmovapd | Vmovdqa | Vmovdqa32 | Vmovdqa64 | Vmovntps | Vmovntpd | Vmovntdq | Vmovntdqa
        ),
    };
    if aligned && matches!(size, 16 | 32 | 64) { size } else { 1 }
}

impl Cx<'_> {
    /// The function for each piece: what it gave.
    pub(super) fn each_piece(&mut self, i: &Instruction, row: Translate) -> [Val; 4] {
        let mut results = [Val::NONE; 4];
        for n in 0..self.vex.map_or(0, |vex| vex.pieces) {
            if let Some(vex) = &mut self.vex {
                vex.piece = n;
            }
            row(self, i);
            results[n as usize] = self.vex.as_mut().and_then(|vex| vex.result.take()).unwrap_or(Val::NONE);
        }
        results
    }

    /// Results narrower than the operands: each piece gave half of what it was given.
    pub(super) fn joined(&mut self, mut results: [Val; 4], bytes: usize) -> [Val; 4] {
        let given = results.iter().filter(|v| !v.is_none()).count();
        if given <= bytes.div_ceil(16) {
            return results;
        }
        for n in 0..2 {
            let [low, high] = [results[2 * n], results[2 * n + 1]];
            results[n] = if high.is_none() { low } else { self.b.v2(V2::ConcatLo, Lane::D, low, high) };
        }
        [results[0], results[1], Val::NONE, Val::NONE]
    }

    /// Sixteen bytes of a vector register.
    pub(super) fn part(&mut self, reg: Register, n: u32) -> Val {
        if n >= 2 && reg.number() < 16 && !self.is_dirty() {
            return self.b.v128(0);
        }
        self.b.get(vector(reg.number() as u32, n))
    }

    /// An XMM register.
    pub(super) fn xmm(&mut self, reg: Register) -> Val {
        self.part(reg, 0)
    }

    /// The upper half of a YMM register.
    pub(super) fn high(&mut self, reg: Register) -> Val {
        self.part(reg, 1)
    }

    /// Writes an XMM register and leaves what is above.
    pub(super) fn set_xmm(&mut self, reg: Register, v: Val) {
        self.b.set(vector(reg.number() as u32, 0), v);
    }

    /// Writes both halves of a YMM register; the upper one may be [`Val::NONE`], which is zero.
    pub(super) fn set_whole(&mut self, reg: Register, [low, high]: [Val; 2]) {
        self.set_parts(reg, [low, high, Val::NONE, Val::NONE]);
    }

    /// Writes all of a vector register; what is [`Val::NONE`] is zero.
    pub(super) fn set_parts(&mut self, reg: Register, parts: [Val; 4]) {
        // What the processor lacks stays zero, and so does what is known to be.
        let there = if self.is_dirty() || reg.number() >= 16 { 4 } else { 2 };
        for (n, v) in (0..there).zip(parts) {
            let v = if v.is_none() { self.b.v128(0) } else { v };
            self.b.set(vector(reg.number() as u32, n), v);
        }
    }

    /// The piece at work: 0 but in VEX and EVEX forms of more than 128 bits.
    pub(super) fn half(&self) -> u32 {
        self.vex.map_or(0, |vex| vex.piece)
    }

    /// The piece at work of a register; an XMM register has one.
    pub(super) fn of_half(&mut self, reg: Register) -> Val {
        let n = if self.half() * 16 < reg.size() as u32 { self.half() } else { 0 };
        self.part(reg, n)
    }

    /// So many bytes of the memory operand, from `at` on.
    pub(super) fn part_of_memory(&mut self, i: &Instruction, at: u32, bytes: usize) -> Mem {
        let mem = self.mem(i, bytes);
        match mem.disp.checked_add_unsigned(at) {
            Some(disp) => Mem { disp, ..mem },
            None => Mem { base: self.b.add_imm(mem.base, at.into()), ..mem },
        }
    }

    /// The half at work of the memory operand of an instruction that moves all of it.
    pub(super) fn half_of_memory(&mut self, i: &Instruction) -> Mem {
        let half = self.half();
        // The lower half's address says it for both.
        let align = if half == 0 { self.alignment(i) } else { Align::Any };
        self.part_of_memory(i, 16 * half, 16).align(align)
    }

    /// What an operand of 16 or 32 bytes must be aligned to.
    fn alignment(&self, i: &Instruction) -> Align {
        match demanded_alignment(i) {
            n @ (32 | 64) => Align::To(n as u8),
            16 => Align::Vector,
            _ => Align::Any,
        }
    }

    /// The first of two sources.
    pub(super) fn first(&mut self, i: &Instruction) -> Val {
        self.of_half(i.op_register(last(i) - 1))
    }

    /// The source, or the only one: a register, or so many bytes of memory with zero above. Of 256 bits the half at work.
    pub(super) fn source(&mut self, i: &Instruction, bytes: usize) -> Val {
        self.source_at(i, last(i), bytes)
    }

    /// The same of operand `n`.
    pub(super) fn source_at(&mut self, i: &Instruction, n: u32, bytes: usize) -> Val {
        if i.op_kind(n) == OpKind::Register {
            return self.of_half(i.op_register(n));
        }
        let Some(Vex { piece, loaded, .. }) = self.vex.filter(|vex| vex.pieces > 1 || vex.loaded.is_some()) else {
            let mem = self.mem(i, bytes);
            let align = if bytes == 16 { self.alignment(i) } else { Align::Any };
            return self.b.load(Ty::V128, mem.align(align));
        };
        let loaded = loaded.unwrap_or_else(|| self.load_pieces(i, bytes));
        if let Some(vex) = &mut self.vex {
            vex.loaded = Some(loaded);
        }
        loaded[piece as usize]
    }

    /// The pieces of a memory operand; of one that is not so large each piece gets the same.
    pub(super) fn load_pieces(&mut self, i: &Instruction, bytes: usize) -> [Val; 4] {
        let size = i.memory_size().size();
        let mut all = [Val::NONE; 4];
        if size < 32 {
            let mem = self.mem(i, bytes);
            return [self.b.load(Ty::V128, mem); 4];
        }
        for (n, v) in (0..size as u32 / 16).zip(&mut all) {
            // The first one's address says it for all.
            let align = if n == 0 { self.alignment(i) } else { Align::Any };
            let mem = self.part_of_memory(i, 16 * n, 16).align(align);
            *v = self.b.load(Ty::V128, mem);
        }
        all
    }

    /// The source of what becomes wider: so many bytes for each piece.
    pub(super) fn narrow(&mut self, i: &Instruction, bytes: usize) -> Val {
        let (n, at) = (last(i), self.half() * bytes as u32);
        let within = |cx: &mut Self, v: Val| {
            let zero = cx.b.v128(0);
            if at % 16 == 0 { v } else { cx.b.vext(v, zero, at % 16) }
        };
        if i.op_kind(n) == OpKind::Register {
            let v = self.part(i.op_register(n), at / 16);
            return within(self, v);
        }
        let Some(Vex { piece, pieces, loaded, raw, .. }) = self.vex.filter(|vex| vex.pieces > 1 || vex.raw) else {
            let mem = self.mem(i, bytes);
            return self.b.load(Ty::V128, mem);
        };
        if let Some(loaded) = loaded.filter(|_| raw) {
            return within(self, loaded[at as usize / 16]);
        }
        let loaded = loaded.unwrap_or_else(|| {
            let mut all = [Val::NONE; 4];
            for (n, v) in (0..pieces).zip(&mut all) {
                let mem = self.part_of_memory(i, n * bytes as u32, bytes);
                *v = self.b.load(Ty::V128, mem);
            }
            all
        });
        if let Some(vex) = &mut self.vex {
            vex.loaded = Some(loaded);
        }
        loaded[piece as usize]
    }

    /// Writes the result, or its piece.
    pub(super) fn set_vector(&mut self, i: &Instruction, v: Val) {
        match &mut self.vex {
            Some(vex) => vex.result = Some(v),
            None => self.set_xmm(i.op0_register(), v),
        }
    }
}
