//! Where and how loads and stores go.

use crate::op::{Slot, Val};
use crate::types::Order;

/// How a loaded value of `size` bytes becomes the result's type.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Ext {
    /// As it is, or zero-extended (a V128 result: zero above).
    Zero,
    Sign,
}

/// Which addresses an access may have. At others it traps as a bus error ([`crate::region::Trap::Align`]), before anything is accessed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Align {
    Any,
    /// Multiples of this power of two.
    To(u8),
    /// The access lies within 16 aligned bytes (Arm FEAT_LSE2).
    Within16,
    /// An access of 16 bytes at a multiple of 16. At others it is a protection fault without an address, as of x86's MOVAPS: an x86 host finds out by itself.
    Vector,
}

impl Align {
    /// Whether an access of `size` bytes may be at `addr`.
    pub const fn allows(self, addr: u64, size: usize) -> bool {
        match self {
            Align::Any => true,
            Align::To(n) => addr & (n as u64 - 1) == 0,
            Align::Within16 => (addr & 15) + size as u64 <= 16,
            Align::Vector => addr & 15 == 0,
        }
    }

    /// The same rule for accesses of `size` bytes, as a simpler one where there is such.
    pub const fn for_size(self, size: usize) -> Align {
        match (self, size) {
            (Align::To(1), _) | (Align::Within16, 1) => Align::Any,
            (Align::Within16, 16) => Align::To(16),
            _ => self,
        }
    }
}

/// Where and how a load or store goes: address = base + (index << scale) + disp, computed at the width of `base`'s type
/// (I32 wraps at 4 GiB). Both address values have the same type.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Mem {
    pub base: Val,
    /// [`Val::NONE`] if there is no index.
    pub index: Val,
    pub disp: i32,
    pub scale: u8,
    /// Bytes: 1, 2, 4, 8, 16.
    pub size: u8,
    pub ext: Ext,
    pub order: Order,
    /// Big-endian data.
    pub big: bool,
    /// Address space (0 is the only one in user mode).
    pub space: u8,
    pub align: Align,
    /// Of a load: a slot that nobody sees before it is written again, unless this faults.
    pub on_fault: Option<OnFault>,
}

/// The slot gets the address of the access, less `back`, if that faults.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct OnFault {
    pub slot: Slot,
    pub back: i32,
}

impl Mem {
    /// Plain little-endian access of `size` bytes at `base`.
    pub const fn at(base: Val, size: u8) -> Mem {
        Mem {
            base,
            index: Val::NONE,
            disp: 0,
            scale: 0,
            size,
            ext: Ext::Zero,
            order: Order::Plain,
            big: false,
            space: 0,
            align: Align::Any,
            on_fault: None,
        }
    }
    pub const fn disp(self, disp: i32) -> Mem {
        Mem { disp, ..self }
    }
    pub const fn index(self, index: Val, scale: u8) -> Mem {
        Mem { index, scale, ..self }
    }
    pub const fn order(self, order: Order) -> Mem {
        Mem { order, ..self }
    }
    pub const fn signed(self) -> Mem {
        Mem { ext: Ext::Sign, ..self }
    }
    pub const fn aligned(self) -> Mem {
        self.aligned_to(self.size)
    }
    /// The address must be a multiple of a power of two; 1 allows all.
    pub const fn aligned_to(self, bytes: u8) -> Mem {
        self.align(Align::To(bytes))
    }
    pub const fn align(self, align: Align) -> Mem {
        Mem { align: align.for_size(self.size as usize), ..self }
    }
}
