//! Guest state: a block of bytes, described by a table of slots.

use crate::Name;
use ir::opt::Pair;
use ir::{Slot, Ty};
use std::ops::Range;

/// A slot: a part of guest state that translated code reads and writes as a whole.
#[derive(Clone, Copy, Debug)]
pub struct SlotInfo {
    name: Name<SLOT_NAME>,
    pub ty: Ty,
    /// Byte offset in state, aligned to the type's size. Host byte order.
    pub offset: u16,
}

/// The longest name of a slot.
const SLOT_NAME: usize = 13;

impl SlotInfo {
    /// As the manual names it: `x0`, `v31`, `nzcv`.
    pub fn name(&self) -> &str {
        self.name.as_str()
    }
}

/// The layout of guest state.
#[derive(Debug)]
pub struct State {
    /// Size in bytes, a multiple of 16.
    pub size: usize,
    pub slots: &'static [SlotInfo],
    /// The same as tests and logs show them: registers as the manual names them, where slots are parts of them.
    pub shown: &'static [SlotInfo],
    /// The slots' types, in their order (what [`ir::Builder::new`] takes).
    pub types: &'static [Ty],
    /// The program counter, with the guest's low mode bits where it has such (Arm's T).
    pub pc: Slot,
    /// The second word of position ([`ir::Op::Insn`]'s `extra`), if the guest has one.
    pub extra: Option<Slot>,
    /// What that word says of other slots, if it does: told state, pc and the word after a fault or a trap.
    pub settle: Option<fn(&mut [u8], u64, u32)>,
    /// Integer registers in the order in which they deserve a host register, at every block boundary; the host takes as many as it has.
    pub int_homes: &'static [Slot],
    /// Vector registers likewise.
    pub vec_homes: &'static [Slot],
    /// Vector registers that are halves of others; the whole ones, slots behind all others, are used in hot regions alone.
    pub pairs: &'static [Pair],
    /// Where the image of the x87 unit begins, if the guest has one (the crate `x87`): ten slots. The unit itself has the state while code runs.
    pub x87: Option<Slot>,
    /// The NaNs of the guest's operations are the host's but for what is invalid: so that may trap, and needs no check (`NanRule::ArmPropagate`, and
    /// `NanRule::RiscV` where no other NaN than its own goes in).
    pub invalid_traps: bool,
    /// Plain loads of a thread may be done in any order (if nothing they do depends on one another); x86's may not, where others write what they read.
    pub weak_loads: bool,
    /// Those sticky flags ([`ir::fpflag`]) that the host's instructions raise as the guest's do.
    pub host_flags: u32,
    /// Bits of the mode word that direct jumps alone carry on. Behind calls, returns, computed jumps and system calls they are clear: that says nothing,
    /// so that such code fits any state.
    pub direct_mode: u32,
    /// Rounding and other FP control for a mode word: what the host's unit must be set to while code of that mode runs.
    pub fp_control: fn(mode: u32) -> ir::FpControl,
}

impl State {
    #[inline]
    pub fn offset(&self, slot: Slot) -> usize {
        self.slots[slot.0 as usize].offset as usize
    }
    /// Where the slots from `first` to `last` stand, one after the other without a gap.
    ///
    /// # Panics
    /// If they do not.
    pub fn row(&self, first: Slot, last: Slot) -> Range<usize> {
        let list = &self.slots[first.0 as usize..=last.0 as usize];
        let end = self.offset(last) + list[list.len() - 1].ty.bytes();
        let sum: usize = list.iter().map(|s| s.ty.bytes()).sum();
        assert_eq!(sum, end - self.offset(first), "slots {first:?} to {last:?} are a row");
        self.offset(first)..end
    }
    /// Reads a slot of up to 8 bytes, zero-extended.
    #[inline]
    pub fn get(&self, state: &[u8], slot: Slot) -> u64 {
        let s = &self.slots[slot.0 as usize];
        let from = &state[s.offset as usize..];
        // The usual sizes without a call of memcpy.
        match (s.ty.bytes(), from) {
            (8.., [a, b, c, d, e, f, g, h, ..]) => u64::from_le_bytes([*a, *b, *c, *d, *e, *f, *g, *h]),
            (4, [a, b, c, d, ..]) => u64::from(u32::from_le_bytes([*a, *b, *c, *d])),
            (n, _) => from[..n].iter().rev().fold(0, |v, b| v << 8 | u64::from(*b)),
        }
    }
    /// Writes the low bytes of `v` to a slot of up to 8 bytes.
    #[inline]
    pub fn set(&self, state: &mut [u8], slot: Slot, v: u64) {
        let s = &self.slots[slot.0 as usize];
        let to = &mut state[s.offset as usize..];
        match (s.ty.bytes(), to) {
            (8.., [a, b, c, d, e, f, g, h, ..]) => [*a, *b, *c, *d, *e, *f, *g, *h] = v.to_le_bytes(),
            (4, [a, b, c, d, ..]) => [*a, *b, *c, *d] = (v as u32).to_le_bytes(),
            (n, to) => to[..n].copy_from_slice(&v.to_le_bytes()[..n]),
        }
    }
}

/// Slots from names and types: one after the other, each aligned to its size. Flags come first: nothing is written more often, and what is near takes
/// shorter instructions.
pub const fn layout<const N: usize>(list: &[(&'static str, Ty); N]) -> [SlotInfo; N] {
    let mut out = [SlotInfo { name: Name::new(""), ty: Ty::Void, offset: 0 }; N];
    let (mut flags, mut at) = (true, 0usize);
    loop {
        let mut i = 0;
        while i < N {
            let (name, ty) = list[i];
            if matches!(ty, Ty::Flags) == flags {
                at = at.next_multiple_of(ty.bytes());
                out[i] = SlotInfo { name: Name::new(name), ty, offset: at as u16 };
                at += ty.bytes();
            }
            i += 1;
        }
        if !flags {
            return out;
        }
        (flags, at) = (false, at.next_multiple_of(16));
    }
}

/// The slots' types.
pub const fn types<const N: usize>(list: &[(&'static str, Ty); N]) -> [Ty; N] {
    let mut out = [Ty::Void; N];
    let mut i = 0;
    while i < N {
        out[i] = list[i].1;
        i += 1;
    }
    out
}

/// The size of a state with these slots ([`State::size`]).
pub const fn size(slots: &[SlotInfo]) -> usize {
    let last = slots[slots.len() - 1];
    (last.offset as usize + last.ty.bytes()).next_multiple_of(16)
}

/// Slots from a list of register numbers counted from `first`.
pub const fn numbered<const N: usize>(first: Slot, numbers: [u16; N]) -> [Slot; N] {
    let mut out = [first; N];
    let mut i = 0;
    while i < N {
        out[i] = Slot(first.0 + numbers[i]);
        i += 1;
    }
    out
}
