//! Calls about signals. How they are delivered: [`crate::signal`].

use crate::call;
use crate::host::{self, Errno, Res};
use crate::memory;
use crate::siginfo::{self, HostInfo, SI_KERNEL, SI_TKILL};
use crate::signal::{self, Action, SIG_DFL, SIG_IGN, SYNCHRONOUS, UNBLOCKABLE, bit};
use crate::task::Task;
use arch::abi::{AltStack, FrameKind};

/// The flags that a kernel knows; it clears the others (asm-generic/signal-defs.h).
const KNOWN_FLAGS: u64 = signal::SA_NOCLDSTOP
    | signal::SA_NOCLDWAIT
    | signal::SA_SIGINFO
    | signal::SA_EXPOSE_TAGBITS
    | signal::SA_RESTORER
    | signal::SA_ONSTACK
    | signal::SA_RESTART
    | signal::SA_NODEFER
    | signal::SA_RESETHAND;

/// The first real-time signal, on every ABI here.
const REAL_TIME: i32 = 32;

/// A guest's struct as a row of words: `long`s and, where the ABI has it, `int`s.
struct Words<'a> {
    t: &'a Task,
    at: u64,
}

impl Words<'_> {
    fn number(&mut self, size: usize) -> Result<u64, Errno> {
        let mut b = [0; 8];
        self.at = self.at.next_multiple_of(size as u64);
        memory::read(self.at, &mut b[..size])?;
        self.at += size as u64;
        if self.t.abi().big_endian {
            b[..size].reverse();
        }
        Ok(u64::from_le_bytes(b))
    }
    fn put(&mut self, v: u64, size: usize) -> Result<(), Errno> {
        let mut b = v.to_le_bytes();
        if self.t.abi().big_endian {
            b[..size].reverse();
        }
        self.at = self.at.next_multiple_of(size as u64);
        memory::write(self.at, &b[..size])?;
        self.at += size as u64;
        Ok(())
    }
    fn long(&mut self) -> Result<u64, Errno> {
        self.number(self.t.abi().long)
    }
    fn put_long(&mut self, v: u64) -> Result<(), Errno> {
        self.put(v, self.t.abi().long)
    }
    /// A set of 64 signals: `long`s, the low signals first.
    fn set(&mut self) -> Result<u64, Errno> {
        let low = self.long()?;
        if self.t.abi().long == 8 { Ok(low) } else { Ok(low | self.long()? << 32) }
    }
    fn put_set(&mut self, v: u64) -> Result<(), Errno> {
        self.put_long(v)?;
        if self.t.abi().long == 8 { Ok(()) } else { self.put_long(v >> 32) }
    }
}

/// struct sigaction: handler, flags, restorer (if the ABI has it), mask.
pub fn rt_sigaction(t: &mut Task, signo: i32, new: u64, old: u64, size: u64) -> Res {
    if size != 8 {
        return Err(Errno::EINVAL);
    }
    let has_restorer = t.abi().signals.has_restorer;
    let mut action = None;
    if new != 0 {
        let mut w = Words { t, at: new };
        let (handler, flags) = (w.long()?, w.long()?);
        let restorer = if has_restorer { w.long()? } else { 0 };
        action = Some(Action { handler, flags, restorer, mask: w.set()? });
    }
    let before = change(t, signo, action)?;
    if old != 0 {
        let mut w = Words { t, at: old };
        w.put_long(before.handler)?;
        w.put_long(before.flags)?;
        if has_restorer {
            w.put_long(before.restorer)?;
        }
        w.put_set(before.mask)?;
    }
    Ok(0)
}

/// struct old_sigaction: handler, a mask of one `long`, flags, restorer.
pub fn sigaction(t: &mut Task, signo: i32, new: u64, old: u64) -> Res {
    let mut action = None;
    if new != 0 {
        let mut w = Words { t, at: new };
        let (handler, mask, flags, restorer) = (w.long()?, w.long()?, w.long()?, w.long()?);
        action = Some(Action { handler, flags, restorer, mask });
    }
    let before = change(t, signo, action)?;
    if old != 0 {
        let mut w = Words { t, at: old };
        for v in [before.handler, before.mask, before.flags, before.restorer] {
            w.put_long(v)?;
        }
    }
    Ok(0)
}

/// man 2 signal, as System V has it: a handler that is called once and may be interrupted by its own signal. Returns the one before.
pub fn once(t: &mut Task, signo: i32, handler: u64) -> Res {
    let flags = signal::SA_RESETHAND | signal::SA_NODEFER;
    let before = change(t, signo, Some(Action { handler, flags, restorer: 0, mask: 0 }))?;
    Ok(before.handler)
}

/// Sets an action; returns the one before.
fn change(t: &mut Task, signo: i32, new: Option<Action>) -> Result<Action, Errno> {
    if !(1..=64).contains(&signo) || new.is_some() && UNBLOCKABLE & bit(signo) != 0 {
        return Err(Errno::EINVAL);
    }
    let before = t.actions.get(signo);
    if let Some(mut action) = new {
        action.flags &= KNOWN_FLAGS;
        action.mask &= !UNBLOCKABLE;
        // The table first: a signal in between finds the new handler.
        t.actions.set(signo, action);
        signal::install(signo, &action);
        if matches!(action.handler, SIG_DFL | SIG_IGN) && SYNCHRONOUS & bit(signo) != 0 && action.handler == SIG_IGN {
            let _ = t.inbox.take_sent(bit(signo));
        }
    }
    Ok(before)
}

/// The guest's mask.
pub fn mask(t: &Task) -> u64 {
    t.mask
}

/// Changes the mask. RESTARTNOINTR if a signal came before: it is delivered under the old mask.
pub fn set_mask(t: &mut Task, mask: u64) -> Result<(), Errno> {
    let mask = mask & !UNBLOCKABLE;
    match t.change_host_mask(mask) {
        Err(_) => Err(Errno::RESTARTNOINTR),
        Ok(_) => {
            t.mask = mask;
            t.inbox.set_mask(mask);
            Ok(())
        }
    }
}

/// Signals that are blocked and wait.
pub fn pending(t: &mut Task) -> Result<u64, Errno> {
    let mut set = 0u64;
    // SAFETY: the kernel writes one word.
    unsafe { call!(libc::SYS_rt_sigpending, &raw mut set, 8) }?;
    Ok((set | t.inbox.sent_set()) & t.mask)
}

pub fn suspend(t: &mut Task, mask: u64) -> Res {
    let mask = mask & !UNBLOCKABLE;
    let host = t.host_sigset(mask);
    t.inbox.set_mask(mask);
    t.suspended = Some(mask);
    if t.inbox.is_pending() {
        // One of the synchronous signals was sent before, and is let in now.
        return Err(Errno::EINTR);
    }
    match t.host_call(libc::SYS_rt_sigsuspend, [&raw const host as u64, 8, 0, 0, 0, 0]) {
        // Not begun: a signal that the old mask lets in comes first.
        Err(Errno::RESTARTNOINTR) => {
            t.suspended = None;
            t.inbox.set_mask(t.mask);
            Err(Errno::RESTARTNOINTR)
        }
        other => other,
    }
}

pub fn pause(t: &mut Task) -> Res {
    t.host_call(libc::SYS_pause, [0; 6])
}

/// `info`: the guest's siginfo_t, or 0.
pub fn timed_wait(t: &mut Task, set: u64, info: u64, timeout: Option<[i64; 2]>) -> Res {
    let mut host_info = HostInfo::ZERO;
    let signo = if let Some(sent) = t.inbox.take_sent(set) {
        host_info = sent;
        host_info.signo() as u64
    } else {
        let host = t.host_sigset(set);
        let timeout = timeout.as_ref().map_or(0, |v| v.as_ptr() as u64);
        let args = [&raw const host as u64, &raw mut host_info as u64, timeout, 8, 0, 0];
        t.host_call(libc::SYS_rt_sigtimedwait, args)?
    };
    if info != 0 {
        memory::write(info, &host_info.to_guest(t.abi()))?;
    }
    Ok(signo)
}

pub fn rt_sigreturn(t: &mut Task) -> Res {
    leave_handler(t, FrameKind::Rt)
}

pub fn sigreturn(t: &mut Task) -> Res {
    leave_handler(t, FrameKind::Old)
}

fn leave_handler(t: &mut Task, kind: FrameKind) -> Res {
    let read = |at: u64, out: &mut [u8]| memory::read(at, out).is_ok();
    let restore = t.abi().signals.restore;
    match restore(t.cpu_mut().state_mut(), kind, &read) {
        None => {
            let sp = t.get(t.abi().stack_pointer);
            t.process.guest_error(format_args!("sigreturn: no valid signal frame at {sp:#x}"));
            t.force(&HostInfo::fault(libc::SIGSEGV, SI_KERNEL, 0), None);
        }
        Some(r) => {
            t.cpu_mut().set_fp_flags(r.fp_flags);
            if let Some(stack) = r.altstack {
                // What cannot be set is left (the kernel's restore_altstack).
                let _ = set_altstack(t, stack);
            }
            t.set_mask_later(r.mask & !UNBLOCKABLE);
        }
    }
    Err(Errno::JUST_RETURN)
}

/// struct sigaltstack: sp, flags, size.
pub fn sigaltstack(t: &mut Task, new: u64, old: u64) -> Res {
    let sp = t.get(t.abi().stack_pointer);
    let mut wanted = None;
    if new != 0 {
        let mut w = Words { t, at: new };
        wanted = Some(AltStack { sp: w.long()?, flags: w.number(4)? as u32, size: w.long()? });
    }
    let before = AltStack { flags: t.altstack_flags(sp), ..t.altstack };
    if let Some(stack) = wanted {
        set_altstack(t, stack)?;
    }
    if old != 0 {
        let mut w = Words { t, at: old };
        w.put_long(before.sp)?;
        w.put(before.flags.into(), 4)?;
        w.put_long(before.size)?;
    }
    Ok(0)
}

/// man 2 sigaltstack
fn set_altstack(t: &mut Task, stack: AltStack) -> Result<(), Errno> {
    if t.on_altstack(t.get(t.abi().stack_pointer)) {
        return Err(Errno::EPERM);
    }
    match stack.flags & !signal::SS_AUTODISARM {
        signal::SS_DISABLE => {
            t.altstack = AltStack { sp: 0, size: 0, flags: stack.flags };
            return Ok(());
        }
        0 | signal::SS_ONSTACK => {}
        _ => return Err(Errno::EINVAL),
    }
    if stack.size < t.abi().signals.min_altstack {
        return Err(Errno::ENOMEM);
    }
    t.altstack = AltStack { flags: stack.flags & signal::SS_AUTODISARM, ..stack };
    Ok(())
}

/// Reads a guest's siginfo_t.
fn read_info(t: &Task, addr: u64) -> Result<HostInfo, Errno> {
    let mut bytes = [0; siginfo::SIZE];
    memory::read(addr, &mut bytes)?;
    Ok(HostInfo::from_guest(&bytes, t.abi()))
}

/// rt_sigqueueinfo, or rt_tgsigqueueinfo with a thread.
pub fn queue(t: &mut Task, pid: i32, tid: Option<i32>, signo: i32, info: u64) -> Res {
    let mut host = read_info(t, info)?;
    host.0[..4].copy_from_slice(&signo.to_le_bytes());
    let (pid, signo, host) = (pid as u64, signo as u64, &raw const host as u64);
    match tid {
        None => t.host_call(libc::SYS_rt_sigqueueinfo, [pid, signo, host, 0, 0, 0]),
        Some(tid) => t.host_call(libc::SYS_rt_tgsigqueueinfo, [pid, tid as u64, signo, host, 0, 0]),
    }
}

pub fn tkill(t: &mut Task, tid: i32, signo: i32) -> Res {
    let pid = host::getpid();
    if sent_to_self(t, pid, tid, signo) {
        Ok(0)
    } else {
        t.host_call(libc::SYS_tkill, [tid as u64, signo as u64, 0, 0, 0, 0])
    }
}

pub fn tgkill(t: &mut Task, pid: i32, tid: i32, signo: i32) -> Res {
    if pid == host::getpid() && sent_to_self(t, pid, tid, signo) {
        return Ok(0);
    }
    t.host_call(libc::SYS_tgkill, [pid as u64, tid as u64, signo as u64, 0, 0, 0])
}

/// A signal that a thread sends to itself, lets in and has a handler for is delivered before the call returns (man 2 kill), so the host need not
/// carry it. A real-time signal may find its queue full, which the host knows.
fn sent_to_self(t: &mut Task, pid: i32, tid: i32, signo: i32) -> bool {
    let to_self = tid == t.tid && (1..REAL_TIME).contains(&signo) && t.mask & bit(signo) == 0;
    if !to_self || t.board().is_traced() || matches!(t.actions.get(signo).handler, SIG_DFL | SIG_IGN) {
        return false;
    }
    t.sent_to_self = Some(HostInfo::sent(signo, SI_TKILL, pid, host::getuid()));
    true
}

/// Here the kernel looks whether the signal is the one in `info`.
pub fn pidfd_send(t: &mut Task, pidfd: i32, signo: i32, info: u64, flags: u32) -> Res {
    let host = read_info(t, info);
    let at = match &host {
        _ if info == 0 => 0,
        Ok(host) => std::ptr::from_ref(host) as u64,
        Err(_) => memory::NOWHERE,
    };
    t.host_call(libc::SYS_pidfd_send_signal, [pidfd as u64, signo as u64, at, flags.into(), 0, 0])
}

/// A host call that waits under another mask (ppoll, pselect6, epoll_pwait): `mask` is the guest's, None if it gave none. `call` makes the
/// call with the address of the host's mask, or 0. A signal that comes is delivered with `mask` blocked and the task's own one restored after.
pub fn under_mask(t: &mut Task, mask: Option<u64>, call: impl FnOnce(&mut Task, u64) -> Res) -> Res {
    let host = mask.map(|m| t.host_sigset(m));
    let result = call(t, host.as_ref().map_or(0, |m| std::ptr::from_ref(m) as u64));
    if let (Some(mask), Err(Errno::EINTR)) = (mask, result) {
        t.suspended = Some(mask & !UNBLOCKABLE);
    }
    result
}
