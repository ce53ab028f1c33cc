//! Signals: rows only, but for what is plain. The bodies are [`crate::calls::signal`]. Sets of signals are read by their types.

use crate::calls::signal;
use crate::sys::prelude::*;

syscalls! { |t|
    sys_rt_sigaction(signal: Sig, new: Addr, old: Addr, size: Size) -> Zero { signal::rt_sigaction(t, signal, new, old, size) }
    sys_sigaction(signal: Sig, new: Addr, old: Addr) -> Zero { signal::sigaction(t, signal, new, old) }
    sys_rt_sigprocmask(how: Enum<SigHow>, new: In<SigSet>, old: Out<SigSet>, size: Size) -> Zero {
        check_size(size)?;
        let before = signal::mask(t);
        if let Some(set) = new.read_if(t)? {
            signal::set_mask(t, changed(how, before, set.sig)?)?;
        }
        old.write_if(t, SigSet { sig: before })?;
        Ok(0)
    }
    /// The old call sees the first `long` of the set only.
    sys_sigprocmask(how: Enum<SigHow>, new: In<ULongWord>, old: Out<ULongWord>) -> Zero {
        let before = signal::mask(t);
        let word = word_mask(t);
        if let Some(set) = new.read_if(t)? {
            let after = changed(how, before & word, set.value)?;
            signal::set_mask(t, before & !word | after & word)?;
        }
        old.write_if(t, ULongWord { value: before & word })?;
        Ok(0)
    }
    sys_rt_sigpending(set: Out<SigSet>, size: Size) -> Zero {
        // Unlike the others this call takes less than a whole set.
        if size > 8 {
            return Err(Errno::EINVAL);
        }
        let bytes = SigSet { sig: signal::pending(t)? }.to_bytes(t.abi().model())?;
        memory::write(set.addr, &bytes[..size as usize])?;
        Ok(0)
    }
    sys_sigpending(set: Out<ULongWord>) -> Zero {
        let value = signal::pending(t)? & word_mask(t);
        set.write(t, ULongWord { value })?;
        Ok(0)
    }
    sys_rt_sigsuspend(set: In<SigSet>, size: Size) -> Int {
        check_size(size)?;
        let set = set.read(t)?.sig;
        signal::suspend(t, set)
    }
    /// Two arguments come before the mask for history's sake.
    sys_sigsuspend(unused1: Int, unused2: Int, mask: ULong) -> Int { signal::suspend(t, mask) }
    sys_pause() -> Int { signal::pause(t) }
    sys_rt_sigtimedwait(set: In<SigSet>, info: Addr, timeout: In<Timespec>, size: Size) -> Int {
        check_size(size)?;
        let timeout = timeout.read_if(t)?.map(|ts| [ts.tv_sec, ts.tv_nsec]);
        let set = set.read(t)?.sig;
        signal::timed_wait(t, set, info, timeout)
    }
    sys_rt_sigtimedwait_time32(set: In<SigSet>, info: Addr, timeout: In<Timespec32>, size: Size) -> Int {
        check_size(size)?;
        let timeout = timeout.read_if(t)?.map(|ts| [ts.tv_sec, ts.tv_nsec]);
        let set = set.read(t)?.sig;
        signal::timed_wait(t, set, info, timeout)
    }
    sys_rt_sigreturn() -> Never { signal::rt_sigreturn(t) }
    sys_sigreturn() -> Never { signal::sigreturn(t) }
    sys_sigaltstack(new: Addr, old: Addr) -> Zero { signal::sigaltstack(t, new, old) }
    sys_kill(pid: Pid, signal: Sig) -> Zero;
    sys_tkill(tid: Pid, signal: Sig) -> Zero { signal::tkill(t, tid, signal) }
    sys_tgkill(pid: Pid, tid: Pid, signal: Sig) -> Zero { signal::tgkill(t, pid, tid, signal) }
    sys_rt_sigqueueinfo(pid: Pid, signal: Sig, info: Addr) -> Zero { signal::queue(t, pid, None, signal, info) }
    sys_rt_tgsigqueueinfo(pid: Pid, tid: Pid, signal: Sig, info: Addr) -> Zero { signal::queue(t, pid, Some(tid), signal, info) }
    sys_pidfd_send_signal(pidfd: Fd, signal: Sig, info: Addr, flags: UInt) -> Zero { signal::pidfd_send(t, pidfd, signal, info, flags) }
    sys_signalfd(fd: Fd, set: In<SigSet>, size: Size) -> Fd { signalfd(t, fd, set, size, 0) }
    sys_signalfd4(fd: Fd, set: In<SigSet>, size: Size, flags: Flags<Open>) -> Fd { signalfd(t, fd, set, size, flags) }
}

/// Every ABI here has 64 signals.
fn check_size(size: u64) -> Result<(), Errno> {
    if size == 8 { Ok(()) } else { Err(Errno::EINVAL) }
}

fn word_mask(t: &Task) -> u64 {
    if t.abi().long == 8 { u64::MAX } else { 0xffff_ffff }
}

fn changed(how: u32, before: u64, set: u64) -> Result<u64, Errno> {
    match how as i32 {
        libc::SIG_BLOCK => Ok(before | set),
        libc::SIG_UNBLOCK => Ok(before & !set),
        libc::SIG_SETMASK => Ok(set),
        _ => Err(Errno::EINVAL),
    }
}

fn signalfd(t: &mut Task, fd: i32, set: Pointer<SigSet>, size: u64, flags: u32) -> Res {
    check_size(size)?;
    let set = set.read(t)?.sig;
    let flags = flags::Open.to_host(t.abi().model(), u64::from(flags));
    t.host_call(i64::from(nr::sys_signalfd4), [fd as u64, &raw const set as u64, 8, flags, 0, 0])
}
