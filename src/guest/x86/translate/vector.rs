//! Operands of vector instructions, of SSE and of AVX alike, and how a row of SSE serves for the VEX form of its instruction.
//!
//! The last operand that is no constant is the source; where an instruction has two, the first stands before it; the result goes to operand 0. That
//! holds for `paddd xmm0, xmm1` as for `vpaddd xmm0, xmm2, xmm1`, so a row's function need not know which of them it is at. A form of 256 bits works
//! within halves of 128, but for few instructions (`avx.rs`): the function is called for each half, whose operands it then gets.

use super::Cx;
use crate::insn::Translate;
use crate::state::{xmm, ymm_high};
use iced_x86::{EncodingKind, Instruction, Mnemonic, OpKind, Register};
use ir::{Align, Lane, Mem, Ty, V2, Val};

/// The VEX form being translated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vex {
    /// Of 256 bits, of which this is half 0 or 1.
    wide: bool,
    half: u32,
    /// Both halves of the memory operand: all of it is read before anything is computed.
    loaded: Option<[Val; 2]>,
    /// What the function gave.
    result: Option<Val>,
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
    let wide = is_wide(i);
    let mut results = [None; 2];
    cx.vex = Some(Vex { wide, half: 0, loaded: None, result: None });
    for (half, result) in results.iter_mut().enumerate().take(1 + usize::from(wide)) {
        if let Some(vex) = &mut cx.vex {
            vex.half = half as u32;
        }
        row(cx, i);
        *result = cx.vex.as_mut().and_then(|vex| vex.result.take());
    }
    cx.vex = None;
    match results {
        [Some(low), None] => cx.set_whole(i.op0_register(), [low, Val::NONE]),
        // Results narrower than the operands: each gave half of what it was given.
        [Some(low), Some(high)] if i.op0_register().is_xmm() => {
            let v = cx.b.v2(V2::ConcatLo, Lane::D, low, high);
            cx.set_whole(i.op0_register(), [v, Val::NONE]);
        }
        [Some(low), Some(high)] => cx.set_whole(i.op0_register(), [low, high]),
        _ => {}
    }
}

/// Instructions of SSE whose operand of 16 bytes need not be aligned. Those of AVX need not, but for plain moves of what is.
fn may_be_misaligned(i: &Instruction) -> bool {
    use Mnemonic::*;
    #[rustfmt::skip]
    let there = matches!(i.mnemonic(), Movups | Movupd | Movdqu | Lddqu | Pcmpestri | Pcmpestri64 | Pcmpestrm | Pcmpestrm64 | Pcmpistri | Pcmpistrm);
    there
}

/// What an operand of 16 or 32 bytes must be aligned to; 1: nothing.
pub(super) fn demanded_alignment(i: &Instruction) -> usize {
    use Mnemonic::*;
    let size = i.memory_size().size();
    let aligned = match i.encoding() {
        EncodingKind::Legacy => size == 16 && !may_be_misaligned(i),
        _ => matches!(i.mnemonic(), Vmovaps | Vmovapd | Vmovdqa | Vmovntps | Vmovntpd | Vmovntdq | Vmovntdqa),
    };
    if aligned && matches!(size, 16 | 32) { size } else { 1 }
}

impl Cx<'_> {
    /// An XMM register.
    pub(super) fn xmm(&mut self, reg: Register) -> Val {
        self.b.get(xmm(reg.number() as u32))
    }

    /// The upper half of a YMM register.
    pub(super) fn high(&mut self, reg: Register) -> Val {
        self.b.get(ymm_high(reg.number() as u32))
    }

    /// Writes an XMM register and leaves what is above.
    pub(super) fn set_xmm(&mut self, reg: Register, v: Val) {
        self.b.set(xmm(reg.number() as u32), v);
    }

    /// Writes both halves of a YMM register; the upper one may be [`Val::NONE`], which is zero.
    pub(super) fn set_whole(&mut self, reg: Register, [low, high]: [Val; 2]) {
        let high = if high.is_none() { self.b.v128(0) } else { high };
        self.set_xmm(reg, low);
        self.b.set(ymm_high(reg.number() as u32), high);
    }

    /// The half at work: 0 but in VEX forms of 256 bits.
    pub(super) fn half(&self) -> u32 {
        self.vex.map_or(0, |vex| vex.half)
    }

    /// The half at work of a register; an XMM register has one.
    pub(super) fn of_half(&mut self, reg: Register) -> Val {
        if self.half() == 1 && reg.is_ymm() { self.high(reg) } else { self.xmm(reg) }
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
            32 => Align::To(32),
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
        let Some(Vex { wide: true, half, loaded, .. }) = self.vex else {
            let mem = self.mem(i, bytes);
            let align = if bytes == 16 { self.alignment(i) } else { Align::Any };
            return self.b.load(Ty::V128, mem.align(align));
        };
        let loaded = loaded.unwrap_or_else(|| self.load_halves(i, bytes));
        if let Some(vex) = &mut self.vex {
            vex.loaded = Some(loaded);
        }
        loaded[half as usize]
    }

    /// Both halves of a memory operand; of one that is not so large each half gets the same.
    fn load_halves(&mut self, i: &Instruction, bytes: usize) -> [Val; 2] {
        let align = self.alignment(i);
        if i.memory_size().size() < 32 {
            let mem = self.mem(i, bytes);
            return [self.b.load(Ty::V128, mem); 2];
        }
        let low = self.mem(i, 16).align(align);
        let low = self.b.load(Ty::V128, low);
        let high = self.part_of_memory(i, 16, 16);
        [low, self.b.load(Ty::V128, high)]
    }

    /// The source of what becomes wider: so many bytes for each half.
    pub(super) fn narrow(&mut self, i: &Instruction, bytes: usize) -> Val {
        let (n, at) = (last(i), self.half() * bytes as u32);
        if i.op_kind(n) == OpKind::Register {
            let (v, zero) = (self.xmm(i.op_register(n)), self.b.v128(0));
            return if at == 0 { v } else { self.b.vext(v, zero, at) };
        }
        let Some(Vex { wide: true, half, loaded, .. }) = self.vex else {
            let mem = self.mem(i, bytes);
            return self.b.load(Ty::V128, mem);
        };
        let loaded = loaded.unwrap_or_else(|| {
            [0, bytes as u32].map(|at| {
                let mem = self.part_of_memory(i, at, bytes);
                self.b.load(Ty::V128, mem)
            })
        });
        if let Some(vex) = &mut self.vex {
            vex.loaded = Some(loaded);
        }
        loaded[half as usize]
    }

    /// Writes the result, or its half.
    pub(super) fn set_vector(&mut self, i: &Instruction, v: Val) {
        match &mut self.vex {
            Some(vex) => vex.result = Some(v),
            None => self.set_xmm(i.op0_register(), v),
        }
    }
}
