//! `-strace`'s lines that are no system calls, in the manner of strace(1): signals as they are delivered, and a task's end.
//!
//! Signals that the guest ignores, or that stop it, are the host's affair and not told of.

use crate::host;
use crate::siginfo::{self, HostInfo, SI_KERNEL, SI_QUEUE, SI_TIMER, SI_TKILL, SI_USER};
use crate::signal::kills_by_default;
use crate::strace::{address, signal};
use crate::task::Task;

/// Prints a signal that is delivered, to a handler or to its default.
pub fn delivered(t: &Task, info: &HostInfo) {
    if t.process.options.strace {
        let name = signal(info.signo() as u64);
        t.log(format_args!("{} --- {name} {} ---", host::gettid(), text(info)));
    }
}

/// Prints what the default action of a signal does.
pub fn acted(t: &Task, signo: i32) {
    if t.process.options.strace {
        let name = signal(signo as u64);
        if kills_by_default(signo) {
            t.log(format_args!("{} +++ killed by {name} +++", host::gettid()));
        } else {
            t.log(format_args!("{} --- stopped by {name} ---", host::gettid()));
        }
    }
}

/// Prints the end of a task.
pub fn exited(t: &Task, status: i32) {
    if t.process.options.strace {
        t.log(format_args!("{} +++ exited with {} +++", host::gettid(), status & 0xff));
    }
}

/// The members in use, which follow from the signal and the code (man 2 sigaction). Offsets are those of the host's siginfo_t.
fn text(info: &HostInfo) -> String {
    let (signo, code) = (info.signo(), info.code());
    let sender = || format!(", si_pid={}, si_uid={}", info.i32_at(16), info.i32_at(20));
    let value = || format!(", si_int={}, si_ptr={}", info.i32_at(24), address(info.u64_at(24)));
    let rest = match code {
        SI_USER | SI_TKILL => sender(),
        SI_TIMER => format!(", si_timerid={}, si_overrun={}{}", info.i32_at(16), info.i32_at(20), value()),
        ..0 => sender() + &value(),
        _ if siginfo::is_fault(signo) => format!(", si_addr={}", address(info.u64_at(16))),
        SI_KERNEL => String::new(),
        _ if signo == libc::SIGCHLD => {
            let status = info.i32_at(24);
            let status = if code == libc::CLD_EXITED { status.to_string() } else { signal(status as u64) };
            format!("{}, si_status={status}, si_utime={}, si_stime={}", sender(), info.u64_at(32), info.u64_at(40))
        }
        _ if signo == libc::SIGIO => format!(", si_band={}, si_fd={}", info.u64_at(16), info.i32_at(24)),
        _ => String::new(),
    };
    format!("{{si_signo={}, si_code={}{rest}}}", signal(signo as u64), code_name(signo, code))
}

/// A code by its name: those from 1 on are the signal's own.
fn code_name(signo: i32, code: i32) -> String {
    let own = OWN_CODES.iter().find(|(s, _)| *s == signo).map_or(&[][..], |(_, names)| names);
    let name = match code {
        SI_USER => "SI_USER",
        SI_KERNEL => "SI_KERNEL",
        SI_QUEUE => "SI_QUEUE",
        SI_TIMER => "SI_TIMER",
        -3 => "SI_MESGQ",
        -4 => "SI_ASYNCIO",
        -5 => "SI_SIGIO",
        SI_TKILL => "SI_TKILL",
        n => usize::try_from(n - 1).ok().and_then(|n| own.get(n)).copied().unwrap_or(""),
    };
    if name.is_empty() { format!("{code:#x}") } else { name.to_string() }
}

/// si_code from 1 on, by signal (asm-generic/siginfo.h).
static OWN_CODES: &[(i32, &[&str])] = &[
    (
        libc::SIGILL,
        &[
            "ILL_ILLOPC",
            "ILL_ILLOPN",
            "ILL_ILLADR",
            "ILL_ILLTRP",
            "ILL_PRVOPC",
            "ILL_PRVREG",
            "ILL_COPROC",
            "ILL_BADSTK",
        ],
    ),
    (
        libc::SIGFPE,
        &[
            "FPE_INTDIV",
            "FPE_INTOVF",
            "FPE_FLTDIV",
            "FPE_FLTOVF",
            "FPE_FLTUND",
            "FPE_FLTRES",
            "FPE_FLTINV",
            "FPE_FLTSUB",
        ],
    ),
    (
        libc::SIGSEGV,
        &[
            "SEGV_MAPERR",
            "SEGV_ACCERR",
            "SEGV_BNDERR",
            "SEGV_PKUERR",
            "SEGV_ACCADI",
            "SEGV_ADIDERR",
            "SEGV_ADIPERR",
            "SEGV_MTEAERR",
            "SEGV_MTESERR",
        ],
    ),
    (libc::SIGBUS, &["BUS_ADRALN", "BUS_ADRERR", "BUS_OBJERR", "BUS_MCEERR_AR", "BUS_MCEERR_AO"]),
    (libc::SIGTRAP, &["TRAP_BRKPT", "TRAP_TRACE", "TRAP_BRANCH", "TRAP_HWBKPT"]),
    (libc::SIGCHLD, &["CLD_EXITED", "CLD_KILLED", "CLD_DUMPED", "CLD_TRAPPED", "CLD_STOPPED", "CLD_CONTINUED"]),
    (libc::SIGIO, &["POLL_IN", "POLL_OUT", "POLL_MSG", "POLL_ERR", "POLL_PRI", "POLL_HUP"]),
    (libc::SIGSYS, &["SYS_SECCOMP"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn info(signo: i32, code: i32, words: &[(usize, i32)]) -> HostInfo {
        let mut info = HostInfo::ZERO;
        for (at, v) in [(0, signo), (8, code)].iter().chain(words) {
            info.0[*at..*at + 4].copy_from_slice(&v.to_le_bytes());
        }
        info
    }

    #[test]
    fn as_strace_prints_them() {
        let cases = [
            (HostInfo::fault(libc::SIGSEGV, 1, 0x1000), "{si_signo=SIGSEGV, si_code=SEGV_MAPERR, si_addr=0x1000}"),
            (HostInfo::fault(libc::SIGBUS, 2, 0), "{si_signo=SIGBUS, si_code=BUS_ADRERR, si_addr=NULL}"),
            (
                info(libc::SIGSEGV, SI_TKILL, &[(16, 7), (20, 1000)]),
                "{si_signo=SIGSEGV, si_code=SI_TKILL, si_pid=7, si_uid=1000}",
            ),
            (info(libc::SIGALRM, SI_KERNEL, &[]), "{si_signo=SIGALRM, si_code=SI_KERNEL}"),
            (
                info(34, SI_QUEUE, &[(16, 7), (24, 5)]),
                "{si_signo=SIGRT_2, si_code=SI_QUEUE, si_pid=7, si_uid=0, si_int=5, si_ptr=0x5}",
            ),
            (
                info(libc::SIGCHLD, libc::CLD_EXITED, &[(16, 7), (24, 3), (32, 1)]),
                "{si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=7, si_uid=0, si_status=3, si_utime=1, si_stime=0}",
            ),
            (
                info(libc::SIGCHLD, libc::CLD_KILLED, &[(16, 7), (24, 9)]),
                "{si_signo=SIGCHLD, si_code=CLD_KILLED, si_pid=7, si_uid=0, si_status=SIGKILL, si_utime=0, si_stime=0}",
            ),
        ];
        for (info, want) in cases {
            assert_eq!(text(&info), want);
        }
    }
}
