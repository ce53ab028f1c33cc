//! x86-64 hosts with AVX2, BMI and FMA (x86-64-v3).
//!
//! Registers in generated code: r15 points into the [`Cpu`](crate::Cpu), rsp is the shadow stack, rax and xmm15 are scratch for one
//! operation, rcx, rdx, r14 and xmm12–xmm14 hold values, the rest are the homes of guest registers. With AVX-512 xmm16–xmm31 are homes too,
//! and xmm10 and xmm11 are where the assembler stages those for instructions that cannot name them.

mod alloc;
pub mod asm;
mod emit;
mod local;
mod plan;
mod reads;
mod rules;
pub mod thunks;

mod features;

pub use emit::{Compiler, Request};
pub use features::Features;

use crate::StateMap;
use asm::{Asm, L128, Mem, Reg, Size, Xmm, vop};

/// The state register.
pub(crate) const STATE: Reg = Reg::R15;
/// Scratch within one operation; flags pass through it.
pub(crate) const SCRATCH: Reg = Reg::RAX;
pub(crate) const XSCRATCH: Xmm = Xmm(15);
/// Registers for values.
pub(crate) const TEMPS: [Reg; 3] = [Reg::RCX, Reg::RDX, Reg::R14];
pub(crate) const XTEMPS: [Xmm; 3] = [Xmm(12), Xmm(13), Xmm(14)];
/// Registers for guest registers.
pub(crate) const HOMES: [Reg; 10] =
    [Reg::RBX, Reg::RBP, Reg::RSI, Reg::RDI, Reg::R8, Reg::R9, Reg::R10, Reg::R11, Reg::R12, Reg::R13];
pub(crate) const STAGING: [Xmm; 2] = [Xmm(10), Xmm(11)];

/// Vector registers for guest registers, the shortest to encode first.
fn xhomes(features: Features) -> impl Iterator<Item = Xmm> {
    let (low, high) = if features.avx512 { (STAGING[0].0, 32) } else { (XTEMPS[0].0, 16) };
    (0..low).chain(16..high).map(Xmm)
}

/// A register of the host for a slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Home {
    Gpr(Reg),
    Xmm(Xmm),
}

/// The registers of slots that have one, by slot.
#[derive(Clone, Debug)]
pub struct Homes {
    pub gpr: Vec<Option<Reg>>,
    pub xmm: Vec<Option<Xmm>>,
}

/// Where the slots of a guest are while its code runs.
#[derive(Clone, Debug)]
pub struct Map {
    pub state: StateMap,
    pub homes: Homes,
    /// By slot: whether it has a home of either kind.
    pub(crate) homed: Vec<bool>,
    /// The (first) slot of guest flags.
    pub(crate) flags: Option<u16>,
}

impl Map {
    /// Gives the guest's registers their homes.
    pub fn new(state: StateMap, features: Features) -> Map {
        Map::with(state, features, HOMES.len(), 32)
    }

    /// The same with so many homes of each kind at most.
    pub fn with(state: StateMap, features: Features, ints: usize, vectors: usize) -> Map {
        let n = state.slots.len();
        let (mut gpr, mut xmm) = (vec![None; n], vec![None; n]);
        for (slot, reg) in state.int_homes.iter().zip(HOMES).take(ints) {
            gpr[slot.0 as usize] = Some(reg);
        }
        for (slot, reg) in state.vec_homes.iter().zip(xhomes(features)).take(vectors) {
            xmm[slot.0 as usize] = Some(reg);
        }
        let homed = (0..n).map(|i| gpr[i].is_some() || xmm[i].is_some()).collect();
        let flags = state.slots.iter().position(|s| s.ty == ir::Ty::Flags).map(|s| s as u16);
        Map { state, homes: Homes { gpr, xmm }, homed, flags }
    }

    pub(crate) fn home(&self, slot: usize) -> Option<Home> {
        match (self.homes.gpr[slot], self.homes.xmm[slot]) {
            (Some(r), _) => Some(Home::Gpr(r)),
            (_, Some(x)) => Some(Home::Xmm(x)),
            _ => None,
        }
    }

    /// The width of an integer slot.
    fn size(&self, slot: usize) -> Size {
        if self.state.slots[slot].ty == ir::Ty::I64 { Size::Q } else { Size::D }
    }

    /// From a register to the slot's place in memory. The host's flags stay, as with `load`.
    pub(crate) fn store(&self, a: &mut Asm, slot: usize, home: Home) {
        let (m, ty) = (self.mem(slot), self.state.slots[slot].ty);
        match home {
            Home::Gpr(r) => a.mov_mr(self.size(slot), m, r),
            Home::Xmm(x) if ty == ir::Ty::F64 => a.vst(vop::VMOVSD_ST, L128, m, x),
            Home::Xmm(x) => a.vst(vop::VMOVUPS_ST, L128, m, x),
        }
    }

    /// And back.
    pub(crate) fn load(&self, a: &mut Asm, slot: usize, home: Home) {
        let (m, ty) = (self.mem(slot), self.state.slots[slot].ty);
        match home {
            Home::Gpr(r) => a.mov(self.size(slot), r, m),
            Home::Xmm(x) if ty == ir::Ty::F64 => a.v2(vop::VMOVSD, L128, x, m),
            Home::Xmm(x) => a.v2(vop::VMOVUPS, L128, x, m),
        }
    }

    /// The slot's place in memory.
    pub(crate) fn mem(&self, slot: usize) -> Mem {
        self.mem_at(slot, 0)
    }

    /// A place within a slot.
    pub(crate) fn mem_at(&self, slot: usize, byte: i32) -> Mem {
        Mem::base(STATE, i32::from(self.state.slots[slot].offset) - crate::cpu::BIAS + byte)
    }
}

/// A field of [`Cpu`](crate::Cpu) by its displacement in [`crate::cpu::at`].
pub(crate) const fn field(displacement: i32) -> Mem {
    Mem::base(STATE, displacement)
}
