//! Arm, 32 bits: A32 and T32 as ARMv7-A and ARMv8's AArch32 have them, VFPv4, Advanced SIMD and the cryptographic instructions
//! included, with what older code needs (SWP, SETEND). Data may be big-endian, programs are little-endian.
//!
//! Manual: Arm Architecture Reference Manual for A-profile (DDI 0487), part F. A pure function from bytes and mode to IR.
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

pub use insn::{A32, CP, NEON, T16, T32};
pub use translate::Cx;

use arch::{Cpu, Elf, Guest};

/// The guest.
pub static ARM: Guest = Guest {
    name: "arm",
    machine: "armv8l",
    machine32: "armv8l",
    // EM_ARM; e_flags: a known version of the EABI, not the big-endian BE8.
    elf: Elf { machine: 40, class: 32, big_endian: false, flags: None },
    state: state::STATE,
    tagged_pointers: false,
    mode_bits: 1,
    longest_insn: 4,
    translate: translate::block,
    branch_target: |pc| pc,
    mode: state::mode,
    disassemble: translate::disassemble,
    abi: &linux::ABI,
    reset,
    cpus: &linux::CPUS,
    properties: &linux::PROPERTIES,
    hwcap: linux::hwcap,
    cpuinfo: linux::cpuinfo,
};

fn reset(state: &mut [u8], _: &Cpu) {
    // Everything is zero in a new program, FPSCR and CPSR.GE included.
    state::STATE.set(state, state::LT, u32::MAX.into());
}
