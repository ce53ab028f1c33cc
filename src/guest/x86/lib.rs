//! x86, 32 and 64 bits.
//!
//! Manual: Intel 64 and IA-32 Architectures Software Developer's Manual; AMD64 Architecture Programmer's Manual. Decoding is iced-x86's. A pure
//! function from bytes and mode to IR.
#![forbid(unsafe_code)]

mod features;
mod frame;
mod insn;
mod layouts;
pub mod linux;
pub mod state;
#[cfg(test)]
mod tests;
mod translate;
use translate::{descriptor as segments, xsave_area as xsave};

pub use features::ALL as ALL_FEATURES;
pub use insn::has_row;

use arch::{Cpu, Elf, Guest, State};
use state::{MXCSR, XCR0};

/// The guest with 64-bit registers.
pub static X86_64: Guest = Guest {
    name: "x86_64",
    machine: "x86_64",
    machine32: "i686",
    // EM_X86_64.
    elf: Elf { machine: 62, class: 64, big_endian: false, flags: None },
    state: state::STATE64,
    tagged_pointers: false,
    mode_bits: 0,
    longest_insn: 15,
    translate: translate::block64,
    branch_target: |pc| pc,
    mode: state::mode64,
    disassemble: insn::disassemble64,
    abi: &linux::ABI64,
    reset: reset64,
    cpus: &linux::CPUS64,
    properties: &linux::PROPERTIES64,
    hwcap: linux::hwcap,
    cpuinfo: linux::cpuinfo,
};

/// The guest with 32-bit registers.
pub static I386: Guest = Guest {
    name: "i386",
    machine: "i686",
    machine32: "i686",
    // EM_386.
    elf: Elf { machine: 3, class: 32, big_endian: false, flags: None },
    state: state::STATE32,
    tagged_pointers: false,
    mode_bits: 0,
    longest_insn: 15,
    translate: translate::block32,
    branch_target: |pc| pc,
    mode: state::mode32,
    disassemble: insn::disassemble32,
    abi: &linux::ABI32,
    reset: reset32,
    cpus: &linux::CPUS32,
    properties: &linux::PROPERTIES,
    hwcap: linux::hwcap,
    cpuinfo: linux::cpuinfo,
};

/// All exceptions masked, EFLAGS clear, Linux's selectors (asm/segment.h).
fn reset(l: &State, state: &mut [u8], cpu: &Cpu) {
    l.set(state, XCR0, linux::xcr0(cpu.features));
    l.set(state, MXCSR, 0x1f80);
    translate::x87_image::set_image(l, state, &x87::INITIAL);
    state::set_eflags(l, state, 0);
    segments::begin(l, state);
}

fn reset64(state: &mut [u8], cpu: &Cpu) {
    reset(&state::STATE64, state, cpu);
}

fn reset32(state: &mut [u8], cpu: &Cpu) {
    reset(&state::STATE32, state, cpu);
}
