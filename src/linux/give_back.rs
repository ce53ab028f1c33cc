//! Calls that the kernel gives back to the program as SIGSYS, for programs that run foreign code
//! (Documentation/admin-guide/syscall-user-dispatch.rst).

use crate::host::{Errno, Res};
use crate::memory;
use crate::seccomp;
use crate::sys::direct;
use crate::task::Task;

/// What a thread has asked for: calls from elsewhere than `start..start + len`, which may go round, are given back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GiveBack {
    start: u64,
    len: u64,
    /// The address of a byte that says whether they are; 0: always.
    selector: u64,
}

// linux/prctl.h: PR_SYS_DISPATCH_OFF, _EXCLUSIVE_ON, _INCLUSIVE_ON.
const OFF: u64 = 0;
const ALL_BUT: u64 = 1;
const ALL_OF: u64 = 2;

// The selector's byte: SYSCALL_DISPATCH_FILTER_ALLOW, _BLOCK.
const ALLOW: u8 = 0;
const BLOCK: u8 = 1;

/// si_code SYS_USER_DISPATCH.
const USER_DISPATCH: i32 = 2;

/// The guest's `unsigned long`, in which it counts.
fn word(t: &Task) -> u64 {
    if t.abi().long == 4 { u64::from(u32::MAX) } else { u64::MAX }
}

/// PR_SET_SYSCALL_USER_DISPATCH (kernel/entry/syscall_user_dispatch.c: task_set_syscall_user_dispatch).
pub(crate) fn set(t: &mut Task, [mode, start, len, selector]: [u64; 4]) -> Res {
    let end = start.wrapping_add(len) & word(t);
    let ends_before = end <= start;
    let range = match mode {
        _ if !t.abi().gives_back_calls => return Err(Errno::EINVAL),
        OFF if [start, len, selector] == [0; 3] => None,
        ALL_BUT if start == 0 || !ends_before => Some((start, len)),
        // The range's complement.
        ALL_OF if len != 0 && !ends_before => Some((end, len.wrapping_neg() & word(t))),
        _ => return Err(Errno::EINVAL),
    };
    if range.is_some() && selector >= t.process.mm.top() {
        return Err(Errno::EFAULT);
    }
    t.give_back = range.map(|(start, len)| GiveBack { start, len, selector });
    if range.is_some() {
        direct::leave_always();
    }
    Ok(0)
}

/// Gives the call back that is to be made, if it is one of those.
pub(crate) fn given(t: &mut Task) -> bool {
    let Some(GiveBack { start, len, selector }) = t.give_back else { return false };
    let pc = t.process.guest.address(t.get(t.process.guest.state.pc));
    // i386's own return from a signal handler goes through.
    let code = t.process.image.return_code;
    let returns = t.abi().segments.is_some() && t.abi().long == 4 && (code..code + 16).contains(&pc);
    if pc.wrapping_sub(start) & word(t) < len || returns {
        return false;
    }
    match if selector == 0 { Ok(BLOCK) } else { memory::read_u8(selector) } {
        Ok(ALLOW) => return false,
        Ok(BLOCK) => {}
        Ok(_) => t.die(libc::SIGSYS),
        Err(_) => t.die(libc::SIGSEGV),
    }
    let number = t.get(t.abi().syscall.number);
    let info = seccomp::call_info(t, USER_DISPATCH, number, pc, 0);
    t.force(&info, None);
    true
}
