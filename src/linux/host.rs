//! Raw system calls of the host and its error numbers. Guest threads have no TLS of the host's libc, so nothing that runs on them
//! calls libc: `errno` alone would be shared between them.
//! Not here: what a guest's call means (`sys/`), and memory of the guest (`memory.rs`).

use std::arch::{asm, global_asm};
use std::sync::atomic::AtomicU64;

/// An error number as Linux has it. Beside the public ones there are the kernel's internal ones below, which never reach a guest.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Errno(pub i32);

/// What a system call gives.
pub type Res = Result<u64, Errno>;

macro_rules! errnos {
    ($($name:ident = $value:expr),* $(,)?) => {
        impl Errno {
            $(pub const $name: Errno = Errno($value);)*
            /// The symbol (`ENOENT`), or "" for an unknown number.
            pub fn name(self) -> &'static str {
                match self { $(Errno::$name => stringify!($name),)* _ => "" }
            }
        }
    };
}

errnos! {
    EPERM = 1, ENOENT = 2, ESRCH = 3, EINTR = 4, EIO = 5, ENXIO = 6, E2BIG = 7, ENOEXEC = 8, EBADF = 9, ECHILD = 10, EAGAIN = 11, ENOMEM = 12,
    EACCES = 13, EFAULT = 14, ENOTBLK = 15, EBUSY = 16, EEXIST = 17, EXDEV = 18, ENODEV = 19, ENOTDIR = 20, EISDIR = 21, EINVAL = 22, ENFILE = 23,
    EMFILE = 24, ENOTTY = 25, ETXTBSY = 26, EFBIG = 27, ENOSPC = 28, ESPIPE = 29, EROFS = 30, EMLINK = 31, EPIPE = 32, EDOM = 33, ERANGE = 34,
    EDEADLK = 35, ENAMETOOLONG = 36, ENOLCK = 37, ENOSYS = 38, ENOTEMPTY = 39, ELOOP = 40, ENOMSG = 42, EIDRM = 43, ECHRNG = 44, EL2NSYNC = 45,
    EL3HLT = 46, EL3RST = 47, ELNRNG = 48, EUNATCH = 49, ENOCSI = 50, EL2HLT = 51, EBADE = 52, EBADR = 53, EXFULL = 54, ENOANO = 55, EBADRQC = 56,
    EBADSLT = 57, EBFONT = 59, ENOSTR = 60, ENODATA = 61, ETIME = 62, ENOSR = 63, ENONET = 64, ENOPKG = 65, EREMOTE = 66, ENOLINK = 67, EADV = 68,
    ESRMNT = 69, ECOMM = 70, EPROTO = 71, EMULTIHOP = 72, EDOTDOT = 73, EBADMSG = 74, EOVERFLOW = 75, ENOTUNIQ = 76, EBADFD = 77, EREMCHG = 78,
    ELIBACC = 79, ELIBBAD = 80, ELIBSCN = 81, ELIBMAX = 82, ELIBEXEC = 83, EILSEQ = 84, ERESTART = 85, ESTRPIPE = 86, EUSERS = 87, ENOTSOCK = 88,
    EDESTADDRREQ = 89, EMSGSIZE = 90, EPROTOTYPE = 91, ENOPROTOOPT = 92, EPROTONOSUPPORT = 93, ESOCKTNOSUPPORT = 94, EOPNOTSUPP = 95,
    EPFNOSUPPORT = 96, EAFNOSUPPORT = 97, EADDRINUSE = 98, EADDRNOTAVAIL = 99, ENETDOWN = 100, ENETUNREACH = 101, ENETRESET = 102,
    ECONNABORTED = 103, ECONNRESET = 104, ENOBUFS = 105, EISCONN = 106, ENOTCONN = 107, ESHUTDOWN = 108, ETOOMANYREFS = 109, ETIMEDOUT = 110,
    ECONNREFUSED = 111, EHOSTDOWN = 112, EHOSTUNREACH = 113, EALREADY = 114, EINPROGRESS = 115, ESTALE = 116, EUCLEAN = 117, ENOTNAM = 118,
    ENAVAIL = 119, EISNAM = 120, EREMOTEIO = 121, EDQUOT = 122, ENOMEDIUM = 123, EMEDIUMTYPE = 124, ECANCELED = 125, ENOKEY = 126,
    EKEYEXPIRED = 127, EKEYREVOKED = 128, EKEYREJECTED = 129, EOWNERDEAD = 130, ENOTRECOVERABLE = 131, ERFKILL = 132, EHWPOISON = 133,
    // The kernel's own, never seen by a program: the call is to be done again if the handler has SA_RESTART; is to be done again in any
    // case; has set the guest's registers itself.
    RESTARTSYS = 512, RESTARTNOINTR = 513, JUST_RETURN = 600,
}

impl std::fmt::Debug for Errno {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{}({})", self.name(), self.0)
    }
}

/// A kernel's return value as a result.
pub fn result(value: i64) -> Res {
    if (-4095..0).contains(&value) { Err(Errno(-value as i32)) } else { Ok(value as u64) }
}

/// A plain host system call. For calls that do not block: a signal that comes just before is noticed only after.
///
/// # Safety
/// As the call itself: it must not touch memory that Rust owns in ways that Rust does not expect.
pub unsafe fn syscall(nr: i64, args: [u64; 6]) -> Res {
    let value: i64;
    // SAFETY: the kernel preserves all registers but rax, rcx and r11; the rest is the caller's promise.
    unsafe {
        asm!("syscall", inlateout("rax") nr => value,
            in("rdi") args[0], in("rsi") args[1], in("rdx") args[2], in("r10") args[3], in("r8") args[4], in("r9") args[5],
            lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    result(value)
}

/// `call!(SYS_close, fd)`: a plain host system call with up to six arguments, each cast to u64.
#[macro_export]
macro_rules! call {
    ($nr:expr $(, $arg:expr)* $(,)?) => {{
        let mut args = [0u64; 6];
        let list = [0u64 $(, $arg as u64)*];
        args[..list.len() - 1].copy_from_slice(&list[1..]);
        $crate::host::syscall($nr, args)
    }};
}

// The restartable call: int64 rqemu_safe_syscall(const u32 *pending, nr, args[6]).
// If *pending is not 0 when the call is about to be made, it is not made: -513, to be made after the signal's delivery. A signal handler
// that finds its interrupted rip in [rqemu_safe_begin, rqemu_safe_end] sets it to rqemu_safe_interrupted; so there is no window
// between the look at *pending and the kernel's entry. At the end stands the syscall instruction, which rip also points to when the kernel wants
// to restart a call that was interrupted; then rcx is the address behind it (the instruction itself has set it), and rip goes to
// rqemu_safe_restart: -512.
global_asm!(
    ".pushsection .text.rqemu_safe, \"ax\"",
    ".globl rqemu_safe_syscall, rqemu_safe_begin, rqemu_safe_end, rqemu_safe_interrupted, rqemu_safe_restart",
    "rqemu_safe_syscall:",
    "push rbx",
    "mov rbx, rdi",
    "mov rax, rsi",
    "mov r11, rdx",
    "mov rdi, [r11]",
    "mov rsi, [r11+8]",
    "mov rdx, [r11+16]",
    "mov r10, [r11+24]",
    "mov r8, [r11+32]",
    "mov r9, [r11+40]",
    "xor ecx, ecx",
    "rqemu_safe_begin:",
    "cmp dword ptr [rbx], 0",
    "jne rqemu_safe_interrupted",
    "rqemu_safe_end:",
    "syscall",
    "pop rbx",
    "ret",
    "rqemu_safe_interrupted:",
    "mov rax, -513",
    "pop rbx",
    "ret",
    "rqemu_safe_restart:",
    "mov rax, -512",
    "pop rbx",
    "ret",
    ".popsection",
);

unsafe extern "C" {
    fn rqemu_safe_syscall(pending: *const u32, nr: i64, args: *const u64) -> i64;
    static rqemu_safe_begin: u8;
    static rqemu_safe_end: u8;
    static rqemu_safe_interrupted: u8;
    static rqemu_safe_restart: u8;
}

/// A host call that is not entered when `*pending` is or becomes non-zero (`RESTARTNOINTR`), or is given up because the kernel would restart it
/// after the handler if that has SA_RESTART (`RESTARTSYS`).
///
/// # Safety
/// As [`syscall`]; `pending` is the word that the task's signal handler sets.
pub unsafe fn safe_syscall(pending: *const u32, nr: i64, args: &[u64; 6]) -> Res {
    // SAFETY: the assembler routine keeps the C convention; the rest is the caller's promise.
    let value = unsafe { rqemu_safe_syscall(pending, nr, args.as_ptr()) };
    result(value)
}

/// Where a signal handler must send an interrupted rip that stands in front of a restartable call, if it does.
pub fn safe_syscall_fixup(rip: u64, rcx: u64) -> Option<u64> {
    let (begin, end) = (&raw const rqemu_safe_begin as u64, &raw const rqemu_safe_end as u64);
    let to = if rip == end && rcx != 0 { &raw const rqemu_safe_restart } else { &raw const rqemu_safe_interrupted };
    (begin..=end).contains(&rip).then_some(to as u64)
}

// Clones whose child starts on a stack of its own, which holds (from its top down, as popped): entry, arg. The child calls entry(arg).
// rqemu_clone(flags, stack, parent_tid, child_tid, tls); rqemu_clone3(args, size).
// rqemu_unmap_and_exit(addr, len, status) and rqemu_leave_and_exit(place, addr, status) never use the stack that they give away.
global_asm!(
    ".pushsection .text.rqemu_clone, \"ax\"",
    ".globl rqemu_clone, rqemu_clone3, rqemu_unmap_and_exit, rqemu_leave_and_exit",
    "rqemu_clone:",
    "mov r10, rcx",
    "mov eax, 56",
    "jmp 1f",
    "rqemu_clone3:",
    "mov eax, 435",
    "1:",
    "syscall",
    "test rax, rax",
    "jnz 2f",
    "xor ebp, ebp",
    "pop rax",
    "pop rdi",
    "call rax",
    "ud2",
    "2:",
    "ret",
    "rqemu_leave_and_exit:",
    "mov [rdi], rsi",
    "mov rdi, rdx",
    "mov eax, 60",
    "syscall",
    "ud2",
    "rqemu_unmap_and_exit:",
    "mov r12, rdx",
    "mov eax, 11",
    "syscall",
    "mov rdi, r12",
    "mov eax, 60",
    "syscall",
    "ud2",
    ".popsection",
);

unsafe extern "C" {
    fn rqemu_clone(flags: u64, stack: u64, parent_tid: u64, child_tid: u64, tls: u64) -> i64;
    fn rqemu_clone3(args: *const CloneArgs, size: usize) -> i64;
    fn rqemu_unmap_and_exit(addr: u64, len: u64, status: i32) -> !;
    fn rqemu_leave_and_exit(place: *const AtomicU64, addr: u64, status: i32) -> !;
}

/// clone3's argument (uapi `struct clone_args`).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct CloneArgs {
    pub flags: u64,
    pub pidfd: u64,
    pub child_tid: u64,
    pub parent_tid: u64,
    pub exit_signal: u64,
    pub stack: u64,
    pub stack_size: u64,
    pub tls: u64,
    pub set_tid: u64,
    pub set_tid_size: u64,
    pub cgroup: u64,
}

impl CloneArgs {
    /// Whether clone(2) cannot say it: it has no set_tid, no cgroup, no flags beyond 32 bits, and one word for pidfd and parent_tid.
    fn needs_clone3(&self) -> bool {
        let both = (libc::CLONE_PIDFD | libc::CLONE_PARENT_SETTID) as u64;
        // CLONE_NEWTIME (0x80) and the exit signal share bits in clone(2).
        self.set_tid != 0 || self.flags >> 32 != 0 || self.flags & 0xff != 0 || self.flags & both == both
    }
}

/// A clone whose child runs `entry(arg)` on the stack in `args`; `entry` must not return. clone(2) where that can say it, since older
/// sandboxes refuse clone3.
///
/// # Safety
/// The stack is the child's alone; `entry` and `arg` are good in the child.
pub unsafe fn clone_with_stack(args: &CloneArgs, entry: extern "C" fn(u64) -> !, arg: u64) -> Res {
    let top = (args.stack + args.stack_size) & !15;
    // SAFETY: two words on the child's own stack; the routines keep the C convention in the parent, the child never returns here.
    let value = unsafe {
        (top as *mut [u64; 2]).sub(1).write([entry as usize as u64, arg]);
        if args.needs_clone3() {
            let child = CloneArgs { stack_size: args.stack_size - 16, ..*args };
            rqemu_clone3(&child, size_of::<CloneArgs>())
        } else {
            let parent_tid = if args.flags & libc::CLONE_PIDFD as u64 != 0 { args.pidfd } else { args.parent_tid };
            rqemu_clone(args.flags | args.exit_signal, top - 16, parent_tid, args.child_tid, args.tls)
        }
    };
    result(value)
}

/// A clone without CLONE_VM: the child returns 0 here, on its copy of the stack.
///
/// # Safety
/// Every lock that the child needs is held by the caller, and shared mappings are fit for two owners.
pub unsafe fn fork_with(args: &CloneArgs) -> Res {
    // SAFETY: the caller's promise; with no new stack the child has a copy of everything.
    unsafe {
        if args.needs_clone3() {
            syscall(libc::SYS_clone3, [std::ptr::from_ref(args) as u64, size_of::<CloneArgs>() as u64, 0, 0, 0, 0])
        } else {
            let parent_tid = if args.flags & libc::CLONE_PIDFD as u64 != 0 { args.pidfd } else { args.parent_tid };
            syscall(libc::SYS_clone, [args.flags | args.exit_signal, 0, parent_tid, args.child_tid, args.tls, 0])
        }
    }
}

/// Frees the memory that holds the caller's own stack, then ends the calling thread.
///
/// # Safety
/// Nothing else may use the range any more, signal handlers on it included.
pub unsafe fn unmap_and_exit(addr: u64, len: u64, status: i32) -> ! {
    // SAFETY: the caller's promise.
    unsafe { rqemu_unmap_and_exit(addr, len, status) }
}

/// Ends the calling thread, which stands on a stack that belongs to whoever reads `addr` in `place` from then on.
///
/// # Safety
/// As [`unmap_and_exit`]; all signals are blocked.
pub unsafe fn leave_and_exit(place: &AtomicU64, addr: u64, status: i32) -> ! {
    // SAFETY: the caller's promise; the store is the last that the thread does, after all others on this host.
    unsafe { rqemu_leave_and_exit(place, addr, status) }
}

/// set_robust_list of the host's 32-bit table.
pub const COMPAT_SET_ROBUST_LIST: u32 = 311;

/// Ends the process at once.
pub fn exit_group(status: i32) -> ! {
    loop {
        // SAFETY: no memory is involved.
        let _ = unsafe { call!(libc::SYS_exit_group, status) };
    }
}

pub fn getpid() -> i32 {
    // SAFETY: no memory is involved.
    unsafe { call!(libc::SYS_getpid) }.unwrap_or(0) as i32
}

pub fn gettid() -> i32 {
    // SAFETY: no memory is involved.
    unsafe { call!(libc::SYS_gettid) }.unwrap_or(0) as i32
}

pub fn getuid() -> u32 {
    // SAFETY: no memory is involved.
    unsafe { call!(libc::SYS_getuid) }.unwrap_or(0) as u32
}

/// CLOCK_MONOTONIC in nanoseconds.
pub fn monotonic() -> u64 {
    let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes the struct.
    let _ = unsafe { call!(libc::SYS_clock_gettime, libc::CLOCK_MONOTONIC, &raw mut t) };
    t.tv_sec.cast_unsigned() * 1_000_000_000 + t.tv_nsec.cast_unsigned()
}

/// Writes all of `bytes` to a descriptor; errors are dropped (it is for messages).
pub fn write_all(fd: i32, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        // SAFETY: the kernel reads the slice.
        match unsafe { call!(libc::SYS_write, fd, bytes.as_ptr(), bytes.len()) } {
            Ok(n) if n > 0 => bytes = &bytes[n as usize..],
            Err(Errno::EINTR) => {}
            _ => return,
        }
    }
}

/// A C string for a call.
pub fn c_string(bytes: &[u8]) -> Vec<u8> {
    let mut v = Vec::with_capacity(bytes.len() + 1);
    v.extend_from_slice(bytes);
    v.push(0);
    v
}

/// openat(2) on AT_FDCWD with O_CLOEXEC.
pub fn open(path: &[u8], flags: i32) -> Result<i32, Errno> {
    let path = c_string(path);
    // SAFETY: the kernel reads the string.
    unsafe { call!(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), flags | libc::O_CLOEXEC, 0) }.map(|fd| fd as i32)
}

/// Whether a path, whose links are followed, leads to something.
pub fn exists(path: &[u8]) -> bool {
    stat_at(libc::AT_FDCWD, path, 0).is_ok()
}

/// fstatat(2).
pub fn stat_at(dir: i32, path: &[u8], flags: i32) -> Result<libc::stat, Errno> {
    let path = c_string(path);
    // SAFETY: all zero is a stat; the kernel writes it, and reads the string.
    unsafe {
        let mut stat: libc::stat = std::mem::zeroed();
        call!(libc::SYS_newfstatat, dir, path.as_ptr(), &raw mut stat, flags).map(|_| stat)
    }
}

pub fn close(fd: i32) {
    // SAFETY: no memory is involved.
    let _ = unsafe { call!(libc::SYS_close, fd) };
}

/// Reads up to `buf.len()` bytes at `offset`; short only at the end of the file.
pub fn pread(fd: i32, buf: &mut [u8], offset: u64) -> Result<usize, Errno> {
    let mut done = 0;
    while done < buf.len() {
        let rest = &mut buf[done..];
        // SAFETY: the kernel writes into the slice.
        match unsafe { call!(libc::SYS_pread64, fd, rest.as_mut_ptr(), rest.len(), offset + done as u64) } {
            Ok(0) => break,
            Ok(n) => done += n as usize,
            Err(Errno::EINTR) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(done)
}

/// The numbers of the processors that are on line.
pub fn processors() -> Vec<usize> {
    let list = read_file(b"/sys/devices/system/cpu/online").unwrap_or_default();
    let text = String::from_utf8_lossy(&list).into_owned();
    let range = |item: &str| {
        let (first, last) = item.split_once('-').unwrap_or((item, item));
        Some(first.parse().ok()?..=last.parse().ok()?)
    };
    let all: Vec<usize> = text.trim().split(',').filter_map(range).flatten().collect();
    if all.is_empty() { vec![0] } else { all }
}

/// Reads a whole file, for the small ones of /proc.
pub fn read_file(path: &[u8]) -> Result<Vec<u8>, Errno> {
    let fd = open(path, libc::O_RDONLY)?;
    let mut out = Vec::new();
    let mut buf = [0u8; 4096];
    let end = loop {
        // SAFETY: the kernel writes into the buffer.
        match unsafe { call!(libc::SYS_read, fd, buf.as_mut_ptr(), buf.len()) } {
            Ok(0) => break Ok(()),
            Ok(n) => out.extend_from_slice(&buf[..n as usize]),
            Err(Errno::EINTR) => {}
            Err(e) => break Err(e),
        }
    };
    close(fd);
    end.map(|()| out)
}

/// readlink(2).
pub fn readlink(path: &[u8]) -> Result<Vec<u8>, Errno> {
    let path = c_string(path);
    let mut buf = [0u8; 4096];
    // SAFETY: the kernel reads the string and writes into the buffer.
    let n = unsafe { call!(libc::SYS_readlinkat, libc::AT_FDCWD, path.as_ptr(), buf.as_mut_ptr(), buf.len()) }?;
    Ok(buf[..n as usize].to_vec())
}
