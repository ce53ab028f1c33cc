//! wait4 and waitid for tracers: stops of the host's that are not the guest's are settled, and the wait goes on.

use super::board::{self, ASKED, EVENT_EXIT, EVENT_STOP, PASSED_ON};
use super::{Target, at, host_ptrace, request};
use crate::host::Res;
use crate::memory;
use crate::siginfo::HostInfo;
use crate::sys::plain::HostStruct;
use crate::sys::structs::{Int32, Rusage};
use crate::sys::types::Pointer;
use crate::task::Task;

/// __WNOTHREAD and the like are the host's; a wait that leaves what it finds shows the host's stops.
const WNOWAIT: u32 = libc::WNOWAIT as u32;

/// What a wait has found.
enum Found {
    /// It is to be told, with this status above its low byte.
    Stop(u32),
    /// It goes on, and the wait with it.
    Nothing,
}

/// Of a program whose file may not be read the kernel shows nothing to a tracer without rights, and so not its board: it goes on alone.
fn let_go(pid: i32, signal: i32) -> Found {
    let _ = host_ptrace(request::DETACH, pid, 0, signal as u64);
    Found::Nothing
}

fn go_on(pid: i32, signal: i32) -> Found {
    let _ = host_ptrace(request::CONT, pid, 0, signal as u64);
    Found::Nothing
}

/// A stop that the host reports, by what of the status stands above the low byte.
fn judge(pid: i32, status: u32) -> Found {
    let (signo, event) = ((status & 0xff) as i32, status >> 8);
    let mut info = HostInfo::ZERO;
    if host_ptrace(request::GETSIGINFO, pid, 0, &raw mut info as u64).is_err() {
        // Job control, or a group stop.
        return Found::Stop(status);
    }
    let target = Target::find(pid);
    if target.is_none() && super::is_hidden(pid) {
        return let_go(pid, if event != 0 || matches!(signo, libc::SIGTRAP | libc::SIGSTOP) { 0 } else { signo });
    }
    match event {
        0 => signal(pid, signo, &info, target),
        board::EVENT_EXEC => go_on(pid, 0),
        // A child's first one, which it does itself when it is ready; or a group stop, or its end.
        EVENT_STOP if signo == libc::SIGTRAP && target.is_none() => go_on(pid, 0),
        // Its rqemu ends before the program has begun. A tracer could not answer.
        EVENT_EXIT if target.is_none() => go_on(pid, 0),
        _ => Found::Stop(status),
    }
}

fn signal(pid: i32, signo: i32, info: &HostInfo, target: Option<Target>) -> Found {
    let Some(target) = target else {
        // Its rqemu has just begun: SIGTRAP and SIGSTOP are the host's of an execve and a birth, and it makes its own.
        return go_on(pid, if matches!(signo, libc::SIGTRAP | libc::SIGSTOP) { 0 } else { signo });
    };
    let d = &target.data;
    if d.stop != board::RUNNING && board::is_trap(info) {
        return Found::Stop(d.status);
    }
    if d.passing == signo as u32 {
        let _ = target.write_u32(at!(passing), 0);
        return go_on(pid, signo);
    }
    if board::is_synchronous(signo) && info.code() > 0 || matches!(info.code(), ASKED | PASSED_ON) {
        return go_on(pid, signo);
    }
    let stand_in = HostInfo::fault(libc::SIGTRAP, PASSED_ON, 0);
    if target.write(at!(incoming), &info.0).is_err()
        || host_ptrace(request::SETSIGINFO, pid, 0, &raw const stand_in as u64).is_err()
    {
        return go_on(pid, signo);
    }
    go_on(pid, libc::SIGTRAP)
}

/// wait4(2): the usage is not written if there was nobody to wait for.
pub(crate) fn wait4(t: &mut Task, pid: i32, status: Pointer<Int32>, options: u32, usage: Pointer<Rusage>) -> Res {
    let m = t.abi().model();
    let rusage = if usage.addr != 0 { Some(HostStruct::new::<Rusage>(m, usage.addr)?) } else { None };
    let (mut word, mut found);
    loop {
        word = 0u32;
        let host_usage = rusage.as_ref().map_or(0, |r| r.host);
        found = t.host_call(libc::SYS_wait4, [pid as u64, &raw mut word as u64, options.into(), host_usage, 0, 0])?;
        if found == 0 || word & 0xff != 0x7f || word == 0xffff {
            break;
        }
        match judge(found as i32, word >> 8) {
            Found::Nothing => {}
            Found::Stop(s) => {
                word = s << 8 | 0x7f;
                break;
            }
        }
    }
    if found != 0 {
        if let Some(r) = rusage {
            r.write_back(m)?;
        }
        if status.addr != 0 {
            status.write(t, Int32 { value: word.cast_signed() })?;
        }
    }
    Ok(found)
}

/// waitid(2). `info`: the guest's siginfo_t, or 0.
pub(crate) fn waitid(t: &mut Task, which: u32, id: i32, info: u64, options: u32, usage: Pointer<Rusage>) -> Res {
    let m = t.abi().model();
    let rusage = if usage.addr != 0 { Some(HostStruct::new::<Rusage>(m, usage.addr)?) } else { None };
    let host_usage = rusage.as_ref().map_or(0, |r| r.host);
    let (mut host_info, mut result);
    loop {
        host_info = HostInfo::ZERO;
        let args = [which.into(), id as u64, &raw mut host_info as u64, options.into(), host_usage, 0];
        result = t.host_call(libc::SYS_waitid, args)?;
        let stopped = matches!(host_info.code(), libc::CLD_TRAPPED | libc::CLD_STOPPED);
        if !stopped || options & WNOWAIT != 0 {
            break;
        }
        // si_pid and si_status: the status without its low byte.
        match judge(host_info.i32_at(16), host_info.i32_at(24) as u32) {
            Found::Nothing => {}
            Found::Stop(s) => {
                host_info.0[24..28].copy_from_slice(&s.to_le_bytes());
                break;
            }
        }
    }
    if let Some(r) = rusage {
        r.write_back(m)?;
    }
    if info != 0 {
        // The kernel writes the fields of a child and leaves the rest of the guest's memory alone.
        let bytes = host_info.to_guest(t.abi());
        memory::write(info, &bytes[..if t.abi().long == 8 { 28 } else { 24 }])?;
    }
    Ok(result)
}
