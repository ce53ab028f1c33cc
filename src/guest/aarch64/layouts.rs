//! Structs and constants of Linux on AArch64 that are not asm-generic's: rows for `Abi::structs` and `Abi::values`. uapi asm/fcntl.h.

use arch::layout::Struct;

pub(crate) static STRUCTS: &[Struct] = &[];

pub(crate) static VALUES: &[(&str, u64)] =
    &[("O_DIRECTORY", 0o40000), ("O_NOFOLLOW", 0o100000), ("O_DIRECT", 0o200000), ("O_LARGEFILE", 0o400000)];
