//! Structs and constants of Linux on x86 that are not asm-generic's: asm/stat.h, asm/statfs.h, asm/sembuf.h, asm/posix_types_32.h.

use arch::layout::Struct;
use arch::structs;

pub(crate) static STRUCTS32: &[Struct] = structs! {
    stat { st_dev: ULong, st_ino: ULongFit, st_mode: U16, st_nlink: U16, st_uid: Uid16, st_gid: Uid16, st_rdev: ULong, st_size: LongFit,
        st_blksize: ULong, st_blocks: ULong, st_atime: ULong, st_atime_nsec: ULong, st_mtime: ULong, st_mtime_nsec: ULong, st_ctime: ULong,
        st_ctime_nsec: ULong, __unused4: ULong, __unused5: ULong }
    loop_info { lo_number: I32, lo_device: U16, lo_inode: ULong, lo_rdevice: U16, lo_offset: I32, lo_encrypt_type: I32,
        lo_encrypt_key_size: I32, lo_flags: I32, lo_name: [U8; 64], lo_encrypt_key: [U8; 32], lo_init: [ULong; 2], reserved: [U8; 4] }
    semid64_ds { key: I32, uid: U32, gid: U32, cuid: U32, cgid: U32, mode: U16, __pad1: U16, seq: U16, __pad2: U16, __perm1: ULong, __perm2: ULong,
        sem_otime: ULong, sem_otime_high: ULong, sem_ctime: ULong, sem_ctime_high: ULong, sem_nsems: ULong, __unused3: ULong, __unused4: ULong }
    shmid64_ds { key: I32, uid: U32, gid: U32, cuid: U32, cgid: U32, mode: U16, __pad1: U16, seq: U16, __pad2: U16, __perm1: ULong, __perm2: ULong,
        shm_segsz: ULong, shm_atime: ULong, shm_atime_high: ULong, shm_dtime: ULong, shm_dtime_high: ULong, shm_ctime: ULong, shm_ctime_high: ULong,
        shm_cpid: I32, shm_lpid: I32, shm_nattch: ULong, __unused4: ULong, __unused5: ULong }
    msqid64_ds { key: I32, uid: U32, gid: U32, cuid: U32, cgid: U32, mode: U16, __pad1: U16, seq: U16, __pad2: U16, __perm1: ULong, __perm2: ULong,
        msg_stime: ULong, msg_stime_high: ULong, msg_rtime: ULong, msg_rtime_high: ULong, msg_ctime: ULong, msg_ctime_high: ULong,
        msg_cbytes: ULong, msg_qnum: ULong, msg_qbytes: ULong, msg_lspid: I32, msg_lrpid: I32, __unused4: ULong, __unused5: ULong }
};
