//! Structs and constants of Linux on 32-bit Arm that are not asm-generic's: rows for `Abi::structs` and `Abi::values`.
//! uapi headers of arch/arm: asm/stat.h, asm/statfs.h, asm/fcntl.h, asm/ioctls.h.

use arch::layout::Struct;
use arch::structs;

pub(crate) static STRUCTS: &[Struct] = structs! {
    stat { st_dev: ULong, st_ino: ULongFit, st_mode: U16, st_nlink: U16, st_uid: Uid16, st_gid: Uid16, st_rdev: ULong, st_size: LongFit,
        st_blksize: ULong, st_blocks: ULong, st_atime: ULong, st_atime_nsec: ULong, st_mtime: ULong, st_mtime_nsec: ULong, st_ctime: ULong,
        st_ctime_nsec: ULong, __unused4: ULong, __unused5: ULong }
    // ARCH_PACK_STATFS64
    statfs64(4) { f_type: Long, f_bsize: Long, f_blocks: U64, f_bfree: U64, f_bavail: U64, f_files: U64, f_ffree: U64, f_fsid: [I32; 2],
        f_namelen: Long, f_frsize: Long, f_flags: Long, f_spare: [Long; 4] }
};

pub(crate) static VALUES: &[(&str, u64)] = &[
    ("O_DIRECTORY", 0o40000),
    ("O_NOFOLLOW", 0o100000),
    ("O_DIRECT", 0o200000),
    ("O_LARGEFILE", 0o400000),
    ("FIOQSIZE", 0x545e),
];
