//! Calls of the host's 32-bit table (`int 0x80`), for guests of 32 bits in the host's byte order: where i386's structs are the guest's, the
//! kernel itself converts them. A host may have no such table (CONFIG_IA32_EMULATION, `ia32_emulation=`); then all of them are ENOSYS.

use crate::host::{Res, result};
use crate::task::Task;
use arch::layout::Model;
use std::arch::global_asm;
use std::sync::atomic::{AtomicBool, Ordering};

/// A call of the table, by i386's number (asm/unistd_32.h).
#[derive(Clone, Copy, Debug)]
pub enum Call {
    Ioctl = 54,
    IoSetup = 245,
    IoSubmit = 248,
    Mbind = 274,
    GetMempolicy = 275,
    SetMempolicy = 276,
    Keyctl = 288,
    MigratePages = 294,
    Openat = 295,
    SetRobustList = 311,
    MovePages = 317,
    OpenByHandleAt = 342,
    Getsockopt = 365,
    Setsockopt = 366,
    IoUringSetup = 425,
}

/// Whether a guest's words are those of the host's 32-bit programs.
pub fn is_like(m: Model) -> bool {
    m.long == 4 && !m.big_endian
}

// rqemu_compat_call(const u32 *pending, nr, args[6]): as `rqemu_safe_syscall` (`host.rs`), but a call that the kernel wants to restart is
// one that was not made: nothing tells them apart here, and none of the calls above gives ERESTARTSYS but ioctls that wait for a device and openings that
// wait for a lease.
// A host without the table faults at rqemu_compat_end, and goes on at rqemu_compat_fault. Older kernels clear r8 to r11.
global_asm!(
    ".pushsection .text.rqemu_compat, \"ax\"",
    ".globl rqemu_compat_call, rqemu_compat_begin, rqemu_compat_end, rqemu_compat_fault, rqemu_compat_interrupted",
    "rqemu_compat_call:",
    "push rbx",
    "push rbp",
    "push r12",
    "mov r12, rdi",
    "mov eax, esi",
    "mov ebx, [rdx]",
    "mov ecx, [rdx+8]",
    "mov esi, [rdx+24]",
    "mov edi, [rdx+32]",
    "mov ebp, [rdx+40]",
    "mov edx, [rdx+16]",
    "rqemu_compat_begin:",
    "cmp dword ptr [r12], 0",
    "jne rqemu_compat_interrupted",
    "rqemu_compat_end:",
    "int 0x80",
    "movsxd rax, eax",
    "1:",
    "pop r12",
    "pop rbp",
    "pop rbx",
    "ret",
    "rqemu_compat_fault:",
    "mov rax, -38",
    "jmp 1b",
    "rqemu_compat_interrupted:",
    "mov rax, -513",
    "jmp 1b",
    ".popsection",
);

unsafe extern "C" {
    fn rqemu_compat_call(pending: *const u32, nr: u64, args: *const u64) -> i64;
    static rqemu_compat_begin: u8;
    static rqemu_compat_end: u8;
    static rqemu_compat_fault: u8;
    static rqemu_compat_interrupted: u8;
}

impl Task {
    /// A call of the host's 32-bit table, of whose arguments the low halves count. ENOSYS if it has none.
    pub fn compat_call(&self, call: Call, args: [u64; 6]) -> Res {
        // SAFETY: the routine keeps the C convention; the pointers are the guest's own, below 4 GiB.
        result(unsafe { rqemu_compat_call(self.inbox.pending_word(), call as u64, args.as_ptr()) })
    }
}

/// Where a handler of SIGSEGV must send the interrupted rip, if the host has no 32-bit calls.
pub fn fault_fixup(rip: u64) -> Option<u64> {
    (rip == &raw const rqemu_compat_end as u64).then(|| {
        ABSENT.store(true, Ordering::Relaxed);
        &raw const rqemu_compat_fault as u64
    })
}

static ABSENT: AtomicBool = AtomicBool::new(false);

/// Whether a call has shown that the host has no such table. Else ENOSYS is the call's own.
pub fn is_absent() -> bool {
    ABSENT.load(Ordering::Relaxed)
}

/// Where the handler of any other signal must, if a call was not made yet.
pub fn call_fixup(rip: u64) -> Option<u64> {
    let (begin, end) = (&raw const rqemu_compat_begin as u64, &raw const rqemu_compat_end as u64);
    (begin..=end).contains(&rip).then_some(&raw const rqemu_compat_interrupted as u64)
}
