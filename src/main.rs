//! The program: hands its arguments and the list of guests to `linux`. The only file that names every guest.
//!
//! `main` is C's: Rust's start-up would change SIGPIPE and SIGSEGV, which guests inherit.
#![no_main]

use std::ffi::{c_char, c_int};

/// Every guest.
static GUESTS: &[&arch::Guest] =
    &[&aarch64::AARCH64, &arm::ARM, &riscv::RISCV64, &riscv::RISCV32, &x86::X86_64, &x86::I386];

#[global_allocator]
static ALLOCATOR: linux::alloc::Allocator = linux::alloc::Allocator;

/// # Safety
/// Called by the C runtime alone.
#[unsafe(no_mangle)]
unsafe extern "C" fn main(_argc: c_int, argv: *const *const c_char, envp: *const *const c_char) -> c_int {
    // SAFETY: the C runtime's arguments.
    unsafe { linux::start::main(GUESTS, argv, envp) }
}
