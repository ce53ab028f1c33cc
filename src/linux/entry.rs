//! Where rqemu begins, before the C runtime: its relocated pages are asked for in one call.
//!
//! A static-pie is relocated at each start, which writes to some sixty pages of its data. Each would be a page fault of its own, a tenth of
//! the time that a short process takes.

/// `madvise(2)`, Linux 5.14. An older kernel refuses it, and the pages come one by one.
const MADV_POPULATE_WRITE: u64 = 23;

/// The ELF entry (`build.rs` tells the linker). The data segment begins on the page after the code, and what is relocated ends before `.bss`.
///
/// # Safety
/// The kernel alone comes here, with nothing on the stack but what execve(2) leaves for the C runtime's `_start`.
#[unsafe(naked)]
#[unsafe(no_mangle)]
unsafe extern "C" fn rqemu_start() -> ! {
    core::arch::naked_asm!(
        // rdx is `_start`'s: what the C runtime registers with atexit(3).
        "mov r8, rdx",
        "lea rdi, [rip + etext + 4095]",
        "and rdi, -4096",
        "lea rsi, [rip + __bss_start]",
        "sub rsi, rdi",
        "mov edx, {populate}",
        "mov eax, {madvise}",
        "syscall",
        "mov rdx, r8",
        "jmp _start",
        populate = const MADV_POPULATE_WRITE,
        madvise = const libc::SYS_madvise,
    )
}
