//! RISC-V, 32 and 64 bits: I, M, A, F, D, C with the extensions that linux.rs announces. Little-endian.
//!
//! Manual: The RISC-V Instruction Set Manual, volume I (unprivileged architecture). A pure function from bytes and mode to IR.
#![forbid(unsafe_code)]

mod features;
mod frame;
mod insn;
mod layouts;
pub mod linux;
mod print;
pub mod state;
#[cfg(test)]
mod tests;
mod translate;

pub use insn::{RV, RV32, RV64, RVC, RVC32, RVC64, RVV};
pub use translate::Cx;

use arch::{Cpu, Elf, Guest};

/// The guest with 64-bit registers.
pub static RISCV64: Guest = Guest {
    name: "riscv64",
    machine: "riscv64",
    machine32: "riscv32",
    // EM_RISCV.
    elf: Elf { machine: 243, class: 64, big_endian: false, flags: None },
    state: state::STATE64,
    tagged_pointers: false,
    mode_bits: 0,
    longest_insn: 4,
    translate: translate::block64,
    branch_target,
    mode: state::mode64,
    disassemble: translate::disassemble64,
    abi: &linux::ABI64,
    reset,
    cpus: &linux::CPUS64,
    properties: &linux::PROPERTIES,
    hwcap: linux::hwcap,
    cpuinfo: linux::cpuinfo64,
};

/// The guest with 32-bit registers.
pub static RISCV32: Guest = Guest {
    name: "riscv32",
    machine: "riscv32",
    machine32: "riscv32",
    elf: Elf { machine: 243, class: 32, big_endian: false, flags: None },
    state: state::STATE32,
    tagged_pointers: false,
    mode_bits: 0,
    longest_insn: 4,
    translate: translate::block32,
    branch_target,
    mode: state::mode32,
    disassemble: translate::disassemble32,
    abi: &linux::ABI32,
    reset: reset32,
    cpus: &linux::CPUS32,
    properties: linux::PROPERTIES.split_at(linux::VECTOR_PROPERTIES).1,
    hwcap: linux::hwcap,
    cpuinfo: linux::cpuinfo32,
};

/// JALR drops the lowest bit.
fn branch_target(pc: u64) -> u64 {
    pc & !1
}

/// Everything is zero in a new program, fcsr included, but that there is no vector type.
fn reset(state: &mut [u8], cpu: &Cpu) {
    state::STATE64.set(state, state::VTYPE, state::VILL);
    state::STATE64.set(state, state::VLENB, features::vlenb(cpu.features).into());
}

/// See [`reset`].
fn reset32(state: &mut [u8], _: &Cpu) {
    state::STATE32.set(state, state::VTYPE, state::VILL);
}
