//! Structs and constants of Linux on RISC-V that are not asm-generic's: none, the ABI is the generic one.

use arch::layout::Struct;

pub(crate) static STRUCTS: &[Struct] = &[];

pub(crate) static VALUES: &[(&str, u64)] = &[];
