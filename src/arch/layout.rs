//! C structs as rows: the types of their members. Offsets and sizes follow from an [`Abi`](crate::Abi).
//!
//! `linux` declares every struct once, as most ABIs have it; a guest's `linux.rs` lists, in `Abi::structs`, those that its kernel headers lay out
//! differently. Not for guest state, whose slots are in [`crate::state`].

use crate::Name;

/// The type of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum C {
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    I64,
    U64,
    /// `long`.
    Long,
    /// `unsigned long`, `size_t`.
    ULong,
    /// A pointer.
    Ptr,
    /// `long` that gives EOVERFLOW where the host's value does not fit.
    LongFit,
    /// `unsigned long` likewise.
    ULongFit,
    /// `unsigned int` likewise.
    U32Fit,
    /// A 16-bit user or group id: what does not fit is 65534, and 65535 stands for -1.
    Uid16,
    /// `long long` of which 32-bit ABIs leave the high half undefined: `tv_nsec` of `struct __kernel_timespec`.
    I64Low,
    /// `sigset_t` of 64 signals: an array of `unsigned long`, low signals in the first.
    SigSet,
}

/// A member, or an array of `count`.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    name: Name<FIELD_NAME>,
    pub c: C,
    pub count: u16,
}

/// The longest name of a member.
const FIELD_NAME: usize = 28;

impl Field {
    /// `name`: as the manual page has it. Anonymous padding is written out only where C has it: `__pad1`.
    pub const fn new(name: &str, c: C, count: u16) -> Field {
        Field { name: Name::new(name), c, count }
    }

    pub fn name(&self) -> &str {
        self.name.as_str()
    }
}

/// A struct.
#[derive(Clone, Copy, Debug)]
pub struct Struct {
    /// The C tag.
    pub name: &'static str,
    /// Members are aligned to at most so many bytes (`packed`); 0: as the ABI says.
    pub pack: u8,
    pub fields: &'static [Field],
}

/// Writes a list of [`Struct`]s: `structs! { flock { l_type: I16, l_start: I64, __pad: [U32; 2] } }`; `name(4) {…}` is packed to 4.
#[macro_export]
macro_rules! structs {
    ($($name:ident $(($pack:literal))? { $($field:ident: $c:tt),* $(,)? })*) => {
        &[$($crate::layout::Struct {
            name: stringify!($name),
            pack: 0 $(+ $pack)?,
            fields: &[$($crate::structs!(@ $field $c)),*],
        }),*]
    };
    (@ $field:ident [$c:ident; $n:expr]) => {
        $crate::layout::Field::new(stringify!($field), $crate::layout::C::$c, $n)
    };
    (@ $field:ident $c:ident) => {
        $crate::layout::Field::new(stringify!($field), $crate::layout::C::$c, 1)
    };
}

/// What of an [`Abi`](crate::Abi) decides about C types and arguments.
#[derive(Clone, Copy, Debug)]
pub struct Model {
    /// Size of `long` and of pointers, in bytes.
    pub long: usize,
    pub big_endian: bool,
    /// Largest alignment that a struct's member has.
    pub max_align: usize,
    /// 64-bit arguments of 32-bit ABIs begin in an even register.
    pub even_pairs: bool,
    pub structs: &'static [&'static [Struct]],
    pub values: &'static [(&'static str, u64)],
}

impl PartialEq for Model {
    #[inline]
    fn eq(&self, other: &Model) -> bool {
        let facts =
            |m: &Model| (m.long, m.big_endian, m.max_align, m.even_pairs, m.structs.as_ptr(), m.values.as_ptr());
        facts(self) == facts(other)
    }
}

impl crate::Abi {
    /// The C data model.
    #[inline]
    pub fn model(&self) -> Model {
        Model {
            long: self.long,
            big_endian: self.big_endian,
            max_align: self.max_align,
            even_pairs: self.even_pairs,
            structs: self.structs,
            values: self.values,
        }
    }
}

/// What 32-bit ABIs have in common beyond the size of `long`: for `Abi::structs`, behind the ABI's own.
pub static ILP32: &[Struct] = structs! {
    ifreq { ifr_name: [U8; 16], family: U16, data: [U8; 14] }
    ifreq_name { ifr_name: [U8; 16], ifr_newname: [U8; 16] }
    ifreq_short { ifr_name: [U8; 16], ifr_flags: I16, __pad: [U8; 14] }
    ifreq_int { ifr_name: [U8; 16], ifr_ivalue: I32, __pad: [U8; 12] }
    ifreq_data { ifr_name: [U8; 16], ifr_data: Ptr, __pad: [U8; 12] }
    sigevent { sigev_value: Ptr, sigev_signo: I32, sigev_notify: I32, sigev_notify_thread_id: I32, __pad: [I32; 12] }
    sysinfo { uptime: Long, loads: [ULong; 3], totalram: ULong, freeram: ULong, sharedram: ULong, bufferram: ULong, totalswap: ULong,
        freeswap: ULong, procs: U16, __pad: U16, totalhigh: ULong, freehigh: ULong, mem_unit: U32, _f: [U8; 8] }
    // The high halves of times are words of their own, zero until 2106.
    semid64_ds { key: I32, uid: U32, gid: U32, cuid: U32, cgid: U32, mode: U32, seq: U16, __pad2: U16, __perm1: ULong, __perm2: ULong,
        sem_otime: ULong, sem_otime_high: ULong, sem_ctime: ULong, sem_ctime_high: ULong, sem_nsems: ULong, __unused3: ULong, __unused4: ULong }
    shmid64_ds { key: I32, uid: U32, gid: U32, cuid: U32, cgid: U32, mode: U32, seq: U16, __pad2: U16, __perm1: ULong, __perm2: ULong,
        shm_segsz: ULong, shm_atime: ULong, shm_atime_high: ULong, shm_dtime: ULong, shm_dtime_high: ULong, shm_ctime: ULong, shm_ctime_high: ULong,
        shm_cpid: I32, shm_lpid: I32, shm_nattch: ULong, __unused4: ULong, __unused5: ULong }
    msqid64_ds { key: I32, uid: U32, gid: U32, cuid: U32, cgid: U32, mode: U32, seq: U16, __pad2: U16, __perm1: ULong, __perm2: ULong,
        msg_stime: ULong, msg_stime_high: ULong, msg_rtime: ULong, msg_rtime_high: ULong, msg_ctime: ULong, msg_ctime_high: ULong,
        msg_cbytes: ULong, msg_qnum: ULong, msg_qbytes: ULong, msg_lspid: I32, msg_lrpid: I32, __unused4: ULong, __unused5: ULong }
};

/// Where x86-64 is not as asm-generic has it.
pub static X86_64: &[Struct] = structs! {
    // uapi/linux/eventpoll.h: packed on x86-64 alone.
    epoll_event(1) { events: U32, data: U64 }
    // asm/stat.h. It has no stat64: its stat is what that is for.
    stat { st_dev: ULong, st_ino: ULongFit, st_nlink: ULong, st_mode: U32, st_uid: U32, st_gid: U32, __pad0: U32, st_rdev: ULong, st_size: LongFit,
        st_blksize: Long, st_blocks: Long, st_atime: ULong, st_atime_nsec: ULong, st_mtime: ULong, st_mtime_nsec: ULong, st_ctime: ULong,
        st_ctime_nsec: ULong, __unused: [Long; 3] }
    stat64 { st_dev: ULong, st_ino: ULongFit, st_nlink: ULong, st_mode: U32, st_uid: U32, st_gid: U32, __pad0: U32, st_rdev: ULong, st_size: LongFit,
        st_blksize: Long, st_blocks: Long, st_atime: ULong, st_atime_nsec: ULong, st_mtime: ULong, st_mtime_nsec: ULong, st_ctime: ULong,
        st_ctime_nsec: ULong, __unused: [Long; 3] }
    // Calls with 16-bit ids are made with the host's 32-bit ones.
    uid16 { id: U32 }
    // asm/posix_types_64.h: __kernel_old_dev_t is a long.
    loop_info { lo_number: I32, lo_device: ULong, lo_inode: ULong, lo_rdevice: ULong, lo_offset: I32, lo_encrypt_type: I32,
        lo_encrypt_key_size: I32, lo_flags: I32, lo_name: [U8; 64], lo_encrypt_key: [U8; 32], lo_init: [ULong; 2], reserved: [U8; 4] }
    // asm/sembuf.h
    semid64_ds { key: I32, uid: U32, gid: U32, cuid: U32, cgid: U32, mode: U32, seq: U16, __pad2: U16, __perm1: ULong, __perm2: ULong,
        sem_otime: Long, __unused1: ULong, sem_ctime: Long, __unused2: ULong, sem_nsems: ULong, __unused3: ULong, __unused4: ULong }
};

impl Model {
    /// This ABI's own rows for a struct, if it has any.
    pub fn own(&self, name: &str) -> Option<Struct> {
        self.structs.iter().flat_map(|list| list.iter()).find(|s| s.name == name).copied()
    }

    /// The value of a constant, if it is not asm-generic's.
    pub fn value(&self, name: &str) -> Option<u64> {
        self.values.iter().find(|(n, _)| *n == name).map(|(_, v)| *v)
    }

    /// Whether words and byte order are x86-64's, so that structs without oddities are.
    pub fn like_host(&self) -> bool {
        self.long == 8 && !self.big_endian
    }
}
