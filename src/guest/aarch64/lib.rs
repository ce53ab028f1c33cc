//! AArch64: the A64 instruction set as Armv8 has it, with the extensions that linux.rs announces. Little-endian.
//!
//! Manual: Arm Architecture Reference Manual for A-profile (DDI 0487). A pure function from bytes and mode to IR.
#![forbid(unsafe_code)]

mod features;
mod frame;
mod insn;
mod layouts;
pub mod linux;
mod print;
mod print_simd;
pub mod state;
#[cfg(test)]
mod tests;
mod translate;

pub use insn::A64;
pub use translate::Cx;

use arch::{Cpu, Elf, Guest};

/// The guest.
pub static AARCH64: Guest = Guest {
    name: "aarch64",
    machine: "aarch64",
    machine32: "armv8l",
    // EM_AARCH64.
    elf: Elf { machine: 183, class: 64, big_endian: false, flags: None },
    state: state::STATE,
    tagged_pointers: true,
    mode_bits: 0,
    longest_insn: 4,
    translate: translate::block,
    branch_target,
    mode: state::mode,
    disassemble,
    abi: &linux::ABI,
    reset,
    cpus: &linux::CPUS,
    properties: &linux::PROPERTIES,
    hwcap: linux::hwcap,
    cpuinfo: linux::cpuinfo,
};

fn disassemble(bytes: &[u8], pc: u64, _: u32) -> (String, usize) {
    match bytes.first_chunk() {
        Some(&word) => (A64.disassemble(u32::from_le_bytes(word), pc), 4),
        None => (String::from(".byte ?"), bytes.len()),
    }
}

/// Linux sets TBI0 and not TBI1: with bit 55 clear the top byte goes, else the address is as it is (Arm ARM AArch64.BranchAddr).
fn branch_target(pc: u64) -> u64 {
    if pc >> 55 & 1 == 0 { pc << 8 >> 8 } else { pc }
}

fn reset(_: &mut [u8], _: &Cpu) {
    // Everything is zero in a new program, FPCR and SSBS included.
}
