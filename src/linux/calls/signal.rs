//! Calls about signals.

use crate::host::{Errno, Res};
use crate::task::Task;

/// `new`, `old`: the guest's struct sigaction, or 0.
pub fn rt_sigaction(_t: &mut Task, _signal: i32, _new: u64, _old: u64, _size: u64) -> Res {
    Err(Errno::ENOSYS)
}
/// With the guest's struct old_sigaction.
pub fn sigaction(_t: &mut Task, _signal: i32, _new: u64, _old: u64) -> Res {
    Err(Errno::ENOSYS)
}
/// The guest's mask.
pub fn mask(t: &Task) -> u64 {
    t.mask
}
pub fn set_mask(t: &mut Task, mask: u64) {
    t.mask = mask;
}
/// Signals that are blocked and wait.
pub fn pending(_t: &mut Task) -> Result<u64, Errno> {
    Err(Errno::ENOSYS)
}
pub fn suspend(_t: &mut Task, _mask: u64) -> Res {
    Err(Errno::ENOSYS)
}
pub fn pause(_t: &mut Task) -> Res {
    Err(Errno::ENOSYS)
}
/// `info`: the guest's siginfo_t, or 0.
pub fn timed_wait(_t: &mut Task, _set: u64, _info: u64, _timeout: Option<[i64; 2]>) -> Res {
    Err(Errno::ENOSYS)
}
pub fn rt_sigreturn(_t: &mut Task) -> Res {
    Err(Errno::ENOSYS)
}
pub fn sigreturn(_t: &mut Task) -> Res {
    Err(Errno::ENOSYS)
}
pub fn sigaltstack(_t: &mut Task, _new: u64, _old: u64) -> Res {
    Err(Errno::ENOSYS)
}
/// rt_sigqueueinfo, or rt_tgsigqueueinfo with a thread.
pub fn queue(_t: &mut Task, _pid: i32, _tid: Option<i32>, _signal: i32, _info: u64) -> Res {
    Err(Errno::ENOSYS)
}
pub fn pidfd_send(_t: &mut Task, _pidfd: i32, _signal: i32, _info: u64, _flags: u32) -> Res {
    Err(Errno::ENOSYS)
}
/// A host call that waits under another mask (ppoll, pselect6, epoll_pwait): `mask` is the guest's, None if it gave none. `call` makes the
/// call with the address of the host's mask, or 0. A signal that comes is delivered with `mask` blocked and the task's own one restored after.
pub fn under_mask(t: &mut Task, mask: Option<u64>, call: impl FnOnce(&mut Task, u64) -> Res) -> Res {
    let host = mask.map(|m| t.host_sigset(m));
    let result = call(t, host.as_ref().map_or(0, |m| std::ptr::from_ref(m) as u64));
    if let (Some(mask), Err(Errno::EINTR)) = (mask, result) {
        t.suspended = Some(mask);
    }
    result
}
