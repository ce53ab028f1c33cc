//! Processes and threads: rows only, but for what is plain. The bodies are [`crate::calls::process`].

use crate::calls::{process, segments};
use crate::ptrace::wait;
use crate::sys::prelude::*;

syscalls! { |t|
    /// clone with CONFIG_CLONE_BACKWARDS: the thread pointer comes before the child's tid.
    sys_clone_backwards(flags: ULong, stack: Addr, parent_tid: Addr, tls: Addr, child_tid: Addr) -> Pid {
        process::clone(t, flags, stack, parent_tid, tls, child_tid)
    }
    /// clone as x86-64 has it: the child's tid comes before the thread pointer.
    sys_clone(flags: ULong, stack: Addr, parent_tid: Addr, child_tid: Addr, tls: Addr) -> Pid {
        process::clone(t, flags, stack, parent_tid, tls, child_tid)
    }
    sys_clone3(args: Addr, size: Size) -> Pid { process::clone3(t, args, size) }
    sys_fork() -> Pid { process::fork(t) }
    sys_vfork() -> Pid { process::vfork(t) }
    sys_execve(path: Path, argv: Argv, envp: Addr) -> Never { process::execve(t, libc::AT_FDCWD, path, argv, envp, 0) }
    sys_execveat(dir: DirFd, path: Path, argv: Argv, envp: Addr, flags: Flags<At>) -> Never {
        process::execve(t, dir, path, argv, envp, flags)
    }
    sys_exit(status: Int) -> Never { process::exit(t, status) }
    sys_exit_group(status: Int) -> Never { process::exit_group(t, status) }
    /// The usage is not written if there was nobody to wait for.
    sys_wait4(pid: Pid, status: Out<Int32>, options: Flags<Wait>, usage: InOut<Rusage>) -> Pid { wait::wait4(t, pid, status, options, usage) }
    sys_waitpid(pid: Pid, status: Out<Int32>, options: Flags<Wait>) -> Pid { wait::wait4(t, pid, status, options, Value::from_raw(0)) }
    sys_waitid(which: Enum<WaitId>, id: Int, info: Addr, options: Flags<Wait>, usage: Out<Rusage>) -> Zero {
        wait::waitid(t, which, id, info, options, usage)
    }
    sys_set_tid_address(addr: Addr) -> Pid { process::set_tid_address(t, addr) }
    sys_set_robust_list(head: Addr, len: Size) -> Zero { process::set_robust_list(t, head, len) }
    sys_get_robust_list(pid: Pid, head: Out<ULongWord>, len: Out<ULongWord>) -> Zero { process::get_robust_list(t, pid, head, len) }
    sys_unshare(flags: Flags<Clone>) -> Zero { process::unshare(t, flags) }
    sys_setns(fd: Fd, kind: Flags<Clone>) -> Zero;
    sys_ptrace(request: Long, pid: Pid, addr: Addr, data: Addr) -> Long { crate::ptrace::ptrace(t, request as u64, pid, addr, data) }
    sys_seccomp(operation: UInt, flags: UInt, args: Addr) -> Int { crate::seccomp::seccomp(t, operation, flags, args) }
    sys_restart_syscall() -> Int { Err(Errno::EINTR) }
    sys_rseq(area: Addr, len: UInt, flags: UInt, signature: UInt) -> Zero { crate::rseq::rseq(t, area, len, flags, signature) }
    sys_personality(persona: UInt) -> Int { process::personality(t, persona) }

    sys_riscv_hwprobe(pairs: Addr, count: Size, size: Size, cpus: Addr, flags: UInt) -> Zero { process::hwprobe(t, pairs, count, [size, cpus], flags) }
    sys_riscv_flush_icache(start: Addr, end: Addr, flags: ULong) -> Zero { process::flush_icache(t, start, end, flags) }

    // x86's segments.
    sys_arch_prctl(option: Int, addr: Addr) -> Zero { segments::arch_prctl(t, option, addr) }
    sys_set_thread_area(descriptor: Addr) -> Zero { segments::set_thread_area(t, descriptor) }
    sys_get_thread_area(descriptor: Addr) -> Zero { segments::get_thread_area(t, descriptor) }
    sys_modify_ldt(func: Int, buf: Addr, size: Size) -> Int { segments::modify_ldt(t, func, buf, size) }
    /// Calls that i386 alone still has, most of which others replaced.
    sys_i386_old() -> Zero = enosys("no C library has made it since 1997");
    sys_iopl(level: Int) -> Zero = enosys("there are no ports");
    sys_ioperm(from: ULong, count: ULong, on: Int) -> Zero = enosys("there are no ports");

    // arm's private calls.
    sys_arm_breakpoint() -> Zero { process::arm_breakpoint(t) }
    sys_arm_cacheflush(start: Addr, end: Addr, flags: UInt) -> Zero { process::cacheflush(t, start, end, flags) }
    /// 26-bit mode exists on no processor that Linux still runs on.
    sys_arm_usr26() -> Zero { Ok(0) }
    sys_arm_usr32() -> Zero { Ok(0) }
    sys_arm_set_tls(value: Addr) -> Zero { process::set_tls(t, value) }
    sys_arm_get_tls() -> Addr { process::get_tls(t) }
}
