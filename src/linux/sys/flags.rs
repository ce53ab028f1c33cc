//! Sets of bits and lists of numbers that calls take, by name. The value here is the host's; where a guest's differs, `arch::Abi::values` has it.

use crate::layout::HOST;
use arch::layout::Model;
use std::sync::atomic::{AtomicPtr, Ordering};

/// The names of a set of bits, or of a list of numbers.
#[derive(Debug)]
pub struct Flags {
    /// Wide masks before the bits that they contain.
    pub rows: &'static [(&'static str, u64)],
    /// What strace prints when no bit of this mask is set: (`O_ACCMODE`, `O_RDONLY`).
    pub zero: Option<(u64, &'static str)>,
    resolved: AtomicPtr<Resolved>,
}

/// The pairs (guest, host) that differ in an ABI.
#[derive(Debug)]
struct Resolved {
    model: Model,
    differing: Vec<(u64, u64)>,
}

impl Flags {
    pub const fn new(rows: &'static [(&'static str, u64)], zero: Option<(u64, &'static str)>) -> Flags {
        Flags { rows, zero, resolved: AtomicPtr::new(std::ptr::null_mut()) }
    }

    fn of(&self, m: Model) -> &'static Resolved {
        let known = self.resolved.load(Ordering::Acquire);
        // SAFETY: only leaked boxes are ever stored.
        if let Some(r) = unsafe { known.as_ref() }
            && r.model == m
        {
            return r;
        }
        let differing =
            self.rows.iter().map(|(name, host)| (value(m, name, *host), *host)).filter(|(g, h)| g != h).collect();
        let fresh: &'static Resolved = Box::leak(Box::new(Resolved { model: m, differing }));
        self.resolved.store(std::ptr::from_ref(fresh).cast_mut(), Ordering::Release);
        fresh
    }

    /// Whether the guest's values are the host's.
    pub fn same(&self, m: Model) -> bool {
        self.of(m).differing.is_empty()
    }

    /// The host's bits for the guest's. Bits without a row stay.
    pub fn to_host(&self, m: Model, guest: u64) -> u64 {
        convert(self.of(m).differing.iter().copied(), guest)
    }

    /// The guest's bits for the host's.
    pub fn to_guest(&self, m: Model, host: u64) -> u64 {
        convert(self.of(m).differing.iter().map(|(g, h)| (*h, *g)), host)
    }

    /// The host's number for the guest's, where the rows are numbers and not bits.
    pub fn number_to_host(&self, m: Model, guest: u64) -> u64 {
        self.of(m).differing.iter().find(|(g, _)| *g == guest).map_or(guest, |(_, h)| *h)
    }
}

fn convert(pairs: impl Iterator<Item = (u64, u64)> + Clone, from: u64) -> u64 {
    let kept = pairs.clone().fold(from, |v, (f, _)| v & !f);
    pairs.filter(|(f, _)| from & f == *f).fold(kept, |v, (_, to)| v | to)
}

/// The guest's value of a constant whose host value is given.
pub fn value(m: Model, name: &str, host: u64) -> u64 {
    if m == HOST { host } else { m.value(name).unwrap_or(host) }
}

/// `flags! { Open, zero O_RDONLY of 3 { O_CREAT = 0o100, … } }`.
macro_rules! flags {
    ($($(#[$m:meta])* $name:ident $(, zero $zero:ident of $mask:literal)? { $($flag:ident = $value:expr),* $(,)? })*) => {$(
        $(#[$m])*
        #[allow(non_upper_case_globals, reason = "named as a type in the rows")]
        pub static $name: Flags = Flags::new(&[$((stringify!($flag), $value)),*], flags!(@ $($zero $mask)?));
    )*};
    (@ $zero:ident $mask:literal) => { Some(($mask, stringify!($zero))) };
    (@) => { None };
}

flags! {
    /// open(2)
    Open, zero O_RDONLY of 3 {
        __O_TMPFILE = 0o20000000, O_SYNC = 0o4010000, O_WRONLY = 1, O_RDWR = 2, O_CREAT = 0o100, O_EXCL = 0o200, O_NOCTTY = 0o400,
        O_TRUNC = 0o1000, O_APPEND = 0o2000, O_NONBLOCK = 0o4000, O_DSYNC = 0o10000, O_ASYNC = 0o20000, O_DIRECT = 0o40000,
        O_LARGEFILE = 0o100000, O_DIRECTORY = 0o200000, O_NOFOLLOW = 0o400000, O_NOATIME = 0o1000000, O_CLOEXEC = 0o2000000,
        O_PATH = 0o10000000,
    }
    /// The *at calls.
    At {
        AT_SYMLINK_NOFOLLOW = 0x100, AT_REMOVEDIR = 0x200, AT_SYMLINK_FOLLOW = 0x400, AT_NO_AUTOMOUNT = 0x800, AT_EMPTY_PATH = 0x1000,
        AT_STATX_FORCE_SYNC = 0x2000, AT_STATX_DONT_SYNC = 0x4000, AT_RECURSIVE = 0x8000, AT_EXECVE_CHECK = 0x10000,
    }
    /// open_tree(2): flags of the *at calls and one of open's.
    OpenTree { OPEN_TREE_CLONE = 1, AT_EMPTY_PATH = 0x1000, AT_RECURSIVE = 0x8000, AT_SYMLINK_NOFOLLOW = 0x100, O_CLOEXEC = 0o2000000 }
    /// access(2)
    Access, zero F_OK of 7 { X_OK = 1, W_OK = 2, R_OK = 4 }
    /// preadv2(2)
    Rwf { RWF_HIPRI = 1, RWF_DSYNC = 2, RWF_SYNC = 4, RWF_NOWAIT = 8, RWF_APPEND = 16, RWF_NOAPPEND = 32, RWF_ATOMIC = 64, RWF_DONTCACHE = 128 }
    /// lseek(2)
    Whence { SEEK_SET = 0, SEEK_CUR = 1, SEEK_END = 2, SEEK_DATA = 3, SEEK_HOLE = 4 }
    /// posix_fadvise(2)
    Fadvise {
        POSIX_FADV_NORMAL = 0, POSIX_FADV_RANDOM = 1, POSIX_FADV_SEQUENTIAL = 2, POSIX_FADV_WILLNEED = 3, POSIX_FADV_DONTNEED = 4,
        POSIX_FADV_NOREUSE = 5,
    }
    /// fallocate(2)
    Falloc {
        FALLOC_FL_KEEP_SIZE = 1, FALLOC_FL_PUNCH_HOLE = 2, FALLOC_FL_COLLAPSE_RANGE = 8, FALLOC_FL_ZERO_RANGE = 16, FALLOC_FL_INSERT_RANGE = 32,
        FALLOC_FL_UNSHARE_RANGE = 64,
    }
    /// memfd_create(2)
    Memfd { MFD_CLOEXEC = 1, MFD_ALLOW_SEALING = 2, MFD_HUGETLB = 4, MFD_NOEXEC_SEAL = 8, MFD_EXEC = 16 }
    /// mmap(2)
    Prot, zero PROT_NONE of 0x0fff_ffff { PROT_READ = 1, PROT_WRITE = 2, PROT_EXEC = 4, PROT_SEM = 8, PROT_BTI = 16, PROT_MTE = 32,
        PROT_GROWSDOWN = 0x100_0000, PROT_GROWSUP = 0x200_0000 }
    /// mmap(2)
    Map {
        MAP_SHARED_VALIDATE = 3, MAP_SHARED = 1, MAP_PRIVATE = 2, MAP_FIXED = 0x10, MAP_ANONYMOUS = 0x20, MAP_GROWSDOWN = 0x100,
        MAP_DENYWRITE = 0x800, MAP_EXECUTABLE = 0x1000, MAP_LOCKED = 0x2000, MAP_NORESERVE = 0x4000, MAP_POPULATE = 0x8000,
        MAP_NONBLOCK = 0x10000, MAP_STACK = 0x20000, MAP_HUGETLB = 0x40000, MAP_SYNC = 0x80000, MAP_FIXED_NOREPLACE = 0x10_0000,
    }
    /// mremap(2)
    Mremap { MREMAP_MAYMOVE = 1, MREMAP_FIXED = 2, MREMAP_DONTUNMAP = 4 }
    /// madvise(2)
    Madvise {
        MADV_NORMAL = 0, MADV_RANDOM = 1, MADV_SEQUENTIAL = 2, MADV_WILLNEED = 3, MADV_DONTNEED = 4, MADV_FREE = 8, MADV_REMOVE = 9,
        MADV_DONTFORK = 10, MADV_DOFORK = 11, MADV_MERGEABLE = 12, MADV_UNMERGEABLE = 13, MADV_HUGEPAGE = 14, MADV_NOHUGEPAGE = 15,
        MADV_DONTDUMP = 16, MADV_DODUMP = 17, MADV_WIPEONFORK = 18, MADV_KEEPONFORK = 19, MADV_COLD = 20, MADV_PAGEOUT = 21,
        MADV_POPULATE_READ = 22, MADV_POPULATE_WRITE = 23, MADV_DONTNEED_LOCKED = 24, MADV_COLLAPSE = 25, MADV_HWPOISON = 100,
    }
    /// wait(2)
    Wait {
        WNOHANG = 1, WUNTRACED = 2, WEXITED = 4, WCONTINUED = 8, WNOWAIT = 0x100_0000, __WNOTHREAD = 0x2000_0000, __WALL = 0x4000_0000,
        __WCLONE = 0x8000_0000,
    }
    /// waitid(2)
    WaitId { P_ALL = 0, P_PID = 1, P_PGID = 2, P_PIDFD = 3 }
    /// clone(2)
    Clone {
        CLONE_NEWTIME = 0x80, CLONE_VM = 0x100, CLONE_FS = 0x200, CLONE_FILES = 0x400, CLONE_SIGHAND = 0x800, CLONE_PIDFD = 0x1000,
        CLONE_PTRACE = 0x2000, CLONE_VFORK = 0x4000, CLONE_PARENT = 0x8000, CLONE_THREAD = 0x10000, CLONE_NEWNS = 0x20000,
        CLONE_SYSVSEM = 0x40000, CLONE_SETTLS = 0x80000, CLONE_PARENT_SETTID = 0x10_0000, CLONE_CHILD_CLEARTID = 0x20_0000,
        CLONE_DETACHED = 0x40_0000, CLONE_UNTRACED = 0x80_0000, CLONE_CHILD_SETTID = 0x100_0000, CLONE_NEWCGROUP = 0x200_0000,
        CLONE_NEWUTS = 0x400_0000, CLONE_NEWIPC = 0x800_0000, CLONE_NEWUSER = 0x1000_0000, CLONE_NEWPID = 0x2000_0000,
        CLONE_NEWNET = 0x4000_0000, CLONE_IO = 0x8000_0000,
    }
    /// sigprocmask(2)
    SigHow { SIG_BLOCK = 0, SIG_UNBLOCK = 1, SIG_SETMASK = 2 }
    /// timer_settime(2), clock_nanosleep(2)
    TimerFlags { TIMER_ABSTIME = 1, TFD_TIMER_CANCEL_ON_SET = 2 }
    /// setitimer(2)
    Itimer { ITIMER_REAL = 0, ITIMER_VIRTUAL = 1, ITIMER_PROF = 2 }
    /// epoll_ctl(2)
    EpollOp { EPOLL_CTL_ADD = 1, EPOLL_CTL_DEL = 2, EPOLL_CTL_MOD = 3 }
    /// futex(2)
    FutexOp {
        FUTEX_WAIT = 0, FUTEX_WAKE = 1, FUTEX_REQUEUE = 3, FUTEX_CMP_REQUEUE = 4, FUTEX_WAKE_OP = 5, FUTEX_LOCK_PI = 6, FUTEX_UNLOCK_PI = 7,
        FUTEX_TRYLOCK_PI = 8, FUTEX_WAIT_BITSET = 9, FUTEX_WAKE_BITSET = 10, FUTEX_WAIT_REQUEUE_PI = 11, FUTEX_CMP_REQUEUE_PI = 12,
        FUTEX_LOCK_PI2 = 13, FUTEX_WAIT_PRIVATE = 128, FUTEX_WAKE_PRIVATE = 129, FUTEX_REQUEUE_PRIVATE = 131, FUTEX_CMP_REQUEUE_PRIVATE = 132,
        FUTEX_WAKE_OP_PRIVATE = 133, FUTEX_LOCK_PI_PRIVATE = 134, FUTEX_UNLOCK_PI_PRIVATE = 135, FUTEX_TRYLOCK_PI_PRIVATE = 136,
        FUTEX_WAIT_BITSET_PRIVATE = 137, FUTEX_WAKE_BITSET_PRIVATE = 138, FUTEX_WAIT_BITSET_PRIVATE_CLOCK_REALTIME = 393,
    }
    /// fcntl(2)
    FcntlCommand {
        F_DUPFD = 0, F_GETFD = 1, F_SETFD = 2, F_GETFL = 3, F_SETFL = 4, F_GETLK = 5, F_SETLK = 6, F_SETLKW = 7, F_SETOWN = 8, F_GETOWN = 9,
        F_SETSIG = 10, F_GETSIG = 11, F_GETLK64 = 12, F_SETLK64 = 13, F_SETLKW64 = 14, F_SETOWN_EX = 15, F_GETOWN_EX = 16, F_OFD_GETLK = 36,
        F_OFD_SETLK = 37, F_OFD_SETLKW = 38, F_SETLEASE = 1024, F_GETLEASE = 1025, F_NOTIFY = 1026, F_DUPFD_CLOEXEC = 1030,
        F_SETPIPE_SZ = 1031, F_GETPIPE_SZ = 1032, F_ADD_SEALS = 1033, F_GET_SEALS = 1034,
    }
    /// prctl(2)
    Prctl {
        PR_SET_PDEATHSIG = 1, PR_GET_PDEATHSIG = 2, PR_GET_DUMPABLE = 3, PR_SET_DUMPABLE = 4, PR_GET_KEEPCAPS = 7, PR_SET_KEEPCAPS = 8,
        PR_SET_NAME = 15, PR_GET_NAME = 16, PR_GET_SECCOMP = 21, PR_SET_SECCOMP = 22, PR_CAPBSET_READ = 23, PR_CAPBSET_DROP = 24,
        PR_SET_TIMERSLACK = 29, PR_GET_TIMERSLACK = 30, PR_SET_MM = 35, PR_SET_CHILD_SUBREAPER = 36, PR_GET_CHILD_SUBREAPER = 37,
        PR_SET_NO_NEW_PRIVS = 38, PR_GET_NO_NEW_PRIVS = 39, PR_SET_THP_DISABLE = 41, PR_CAP_AMBIENT = 47, PR_SVE_SET_VL = 50, PR_SVE_GET_VL = 51,
        PR_PAC_RESET_KEYS = 54, PR_SET_TAGGED_ADDR_CTRL = 55, PR_GET_TAGGED_ADDR_CTRL = 56, PR_SET_VMA = 0x5356_4d41,
        PR_SET_PTRACER = 0x5961_6d61,
    }
    /// getrlimit(2)
    Resource {
        RLIMIT_CPU = 0, RLIMIT_FSIZE = 1, RLIMIT_DATA = 2, RLIMIT_STACK = 3, RLIMIT_CORE = 4, RLIMIT_RSS = 5, RLIMIT_NPROC = 6,
        RLIMIT_NOFILE = 7, RLIMIT_MEMLOCK = 8, RLIMIT_AS = 9, RLIMIT_LOCKS = 10, RLIMIT_SIGPENDING = 11, RLIMIT_MSGQUEUE = 12,
        RLIMIT_NICE = 13, RLIMIT_RTPRIO = 14, RLIMIT_RTTIME = 15,
    }
    /// socket(2)
    Family {
        AF_UNSPEC = 0, AF_UNIX = 1, AF_INET = 2, AF_INET6 = 10, AF_NETLINK = 16, AF_PACKET = 17, AF_BLUETOOTH = 31, AF_ALG = 38, AF_VSOCK = 40,
    }
    /// socket(2). The types are numbers in the low bits, but no two that are in use together look like a third.
    SockType { SOCK_SEQPACKET = 5, SOCK_RAW = 3, SOCK_STREAM = 1, SOCK_DGRAM = 2, SOCK_NONBLOCK = 0o4000, SOCK_CLOEXEC = 0o2000000 }
    /// send(2), recv(2)
    Msg {
        MSG_OOB = 1, MSG_PEEK = 2, MSG_DONTROUTE = 4, MSG_CTRUNC = 8, MSG_TRUNC = 0x20, MSG_DONTWAIT = 0x40, MSG_EOR = 0x80, MSG_WAITALL = 0x100,
        MSG_CONFIRM = 0x800, MSG_ERRQUEUE = 0x2000, MSG_NOSIGNAL = 0x4000, MSG_MORE = 0x8000, MSG_WAITFORONE = 0x10000,
        MSG_ZEROCOPY = 0x400_0000, MSG_FASTOPEN = 0x2000_0000, MSG_CMSG_CLOEXEC = 0x4000_0000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::tests::LITTLE32;

    const O_DIRECTORY: u64 = libc::O_DIRECTORY as u64;
    const O_NOFOLLOW: u64 = libc::O_NOFOLLOW as u64;
    const O_DIRECT: u64 = libc::O_DIRECT as u64;

    #[test]
    fn arm_has_its_own_open_flags() {
        // 0o40000 is O_DIRECTORY on arm, O_DIRECT on the host.
        assert_eq!(Open.to_host(LITTLE32, 0o40000 | 0o100), O_DIRECTORY | 0o100);
        assert_eq!(Open.to_host(LITTLE32, 0o100000 | 0o200000), O_NOFOLLOW | O_DIRECT);
        assert_eq!(Open.to_guest(LITTLE32, O_DIRECTORY | O_NOFOLLOW), 0o140000);
        assert_eq!(Open.to_host(LITTLE32, 0o20040000), libc::O_TMPFILE as u64);
        assert_eq!(Open.to_host(HOST, 0o7777777777), 0o7777777777);
    }

    #[test]
    fn there_and_back() {
        for bits in (0..0o40000000u64).step_by(0o1777) {
            assert_eq!(Open.to_guest(LITTLE32, Open.to_host(LITTLE32, bits)), bits);
        }
    }
}
