//! A guest's Linux ABI as data: what the `linux` crate needs to know of it.

use crate::layout::Struct;
use ir::Slot;

/// The C data model and the calling convention of system calls.
#[derive(Debug)]
pub struct Abi {
    /// Size of `long` and of pointers, in bytes.
    pub long: usize,
    pub big_endian: bool,
    /// Largest alignment that a C struct's member has.
    pub max_align: usize,
    /// 64-bit arguments of 32-bit ABIs begin in an even register.
    pub even_pairs: bool,
    /// Where the number and the arguments of a system call stand, and its result.
    pub syscall: SyscallRegs,
    /// Structs that this ABI lays out otherwise than `linux` declares them (which is asm-generic's way with 64 bits). The first list that has a
    /// struct counts: `&[STRUCTS, layout::ILP32]` for 32-bit ABIs.
    pub structs: &'static [&'static [Struct]],
    /// Constants whose value is not asm-generic's: (`O_DIRECT`, 0o200000).
    pub values: &'static [(&'static str, u64)],
    /// Name of its table in `syscall-tables/` (without `.tbl`).
    pub table: &'static str,
    pub stack_pointer: Slot,
    /// The register that holds the thread pointer (CLONE_SETTLS).
    pub thread_pointer: Slot,
    /// First address beyond user space; the top of the stack lies below.
    pub task_size: u64,
    pub page_size: u64,
}

/// Registers of a system call.
#[derive(Debug)]
pub struct SyscallRegs {
    pub number: Slot,
    pub args: [Slot; 6],
    pub result: Slot,
}
