//! `-explain`: why a program failed. Meanwhile what it lacked and which of its calls failed is noted; when a process ends badly, that is told with its
//! cause, where the cause is known. Processes that end well, and children that end with a status of their own choice, say nothing.

use crate::call;
use crate::elf;
use crate::host::{self, Errno, Res};
use crate::loader::LoadError;
use crate::lock::Lock;
use crate::memory;
use crate::proc;
use crate::process::Process;
use crate::siginfo::{self, HostInfo};
use crate::strace;
use crate::task::Task;
use std::fmt::Write;

/// How many failed calls are remembered, and how many different lacks.
const CALLS: usize = 8;
const LACKS: usize = 16;

/// Calls that every program's C library tries, and does as well without.
const TRIED: &[&str] = &["rseq"];

/// A call that failed.
#[derive(Debug)]
struct Failed {
    name: &'static str,
    errno: Errno,
    /// As strace has it.
    line: String,
}

#[derive(Debug)]
struct Notes {
    lacks: Vec<String>,
    failed: Vec<Failed>,
    fatal: Option<String>,
}

static NOTES: Lock<Notes> = Lock::new(Notes { lacks: Vec::new(), failed: Vec::new(), fatal: None });

/// For fork.
pub(crate) fn hold() {
    NOTES.hold();
}
pub(crate) fn release() {
    NOTES.release();
}

/// Something that rqemu or the host has not got.
pub fn lacks(text: String) {
    if TRIED.contains(&text.split(':').next().unwrap_or_default()) {
        return;
    }
    let mut notes = NOTES.lock();
    if notes.lacks.len() < LACKS && !notes.lacks.contains(&text) {
        notes.lacks.push(text);
    }
}

/// The end of a call, with its line.
pub fn call_ended(name: &'static str, result: Res, line: String) {
    // What a program waits for, or asks again, tells nothing.
    let silent =
        [Errno::EAGAIN, Errno::EINTR, Errno::ECHILD, Errno::RESTARTSYS, Errno::RESTARTNOINTR, Errno::JUST_RETURN];
    let Err(errno) = result else { return };
    if silent.contains(&errno) || TRIED.contains(&name) {
        return;
    }
    let mut notes = NOTES.lock();
    notes.failed.retain(|f| f.line != line);
    if notes.failed.len() == CALLS {
        notes.failed.remove(0);
    }
    notes.failed.push(Failed { name, errno, line });
}

/// A signal that nobody handles is about to end the process.
pub fn fatal(t: &Task, info: &HostInfo) {
    if t.process.options.explain {
        let text = describe(t, info);
        NOTES.lock().fatal = Some(text);
    }
}

/// How a process ends.
#[derive(Clone, Copy, Debug)]
pub enum End {
    Status(i32),
    Signal(i32),
}

/// Tells why, if that is wanted and it is a failure.
pub fn ended(t: &Task, end: End) {
    let p = t.process;
    let end_text = match end {
        End::Status(0) => return,
        End::Status(n) => format!("ended with status {}", n & 0xff),
        End::Signal(n) => format!("was killed by {}", strace::signal(n as u64)),
    };
    if !p.options.explain || t.vforked {
        return;
    }
    let notes = NOTES.lock();
    let by_signal = matches!(end, End::Signal(_));
    let causes = causes(&notes);
    if !by_signal && p.is_child && notes.lacks.is_empty() && causes.is_empty() {
        return;
    }
    let mut text =
        format!("rqemu: explain: {} ({}) {end_text}\n", String::from_utf8_lossy(&p.image.exe), host::getpid());
    let mut row = |head: &str, line: &str| _ = writeln!(text, "  {head:<8} {line}");
    notes.fatal.iter().for_each(|l| row("signal:", l));
    notes.lacks.iter().for_each(|l| row("lacking:", l));
    notes.failed.iter().for_each(|f| row("failed:", &f.line));
    causes.iter().for_each(|c| row("cause:", c));
    if notes.lacks.is_empty() && causes.is_empty() && notes.fatal.is_none() {
        row("cause:", "none that rqemu knows: nothing was lacking, so it is most likely the program's own");
    }
    drop(notes);
    p.log(format_args!("{}", text.trim_end()));
}

/// What a failed call means, where that is known.
type Cause = (fn(&Failed) -> bool, &'static str);
static CAUSES: &[Cause] = &[
    (
        |f| f.errno == Errno::ENOENT && f.line.contains(".so") && f.name.starts_with("open"),
        "a shared library is not in this root: run the program in its own root, or point -L at one (Debian: libc6-<arch>-cross, then -L /usr/<triplet>)",
    ),
    (
        |f| f.name.starts_with("execve") && f.errno == Errno::ENOEXEC,
        "a program that this machine cannot run: neither the host's nor of a guest (rqemu -guests lists them)",
    ),
    (
        |f| f.name.starts_with("execve") && f.errno == Errno::EACCES,
        "a program that may not be executed: its mode, a mount with noexec, or a seccomp filter and a program of the host",
    ),
    (
        |f| {
            let calls = [
                "mount",
                "umount2",
                "unshare",
                "setns",
                "clone",
                "clone3",
                "pivot_root",
                "chroot",
                "mknodat",
                "move_mount",
                "fsopen",
            ];
            matches!(f.errno, Errno::EPERM | Errno::EACCES) && calls.contains(&f.name)
        },
        "the host does not allow this here: a container without the privilege (--privileged, --cap-add, its seccomp profile), or no root",
    ),
    (
        |f| f.errno == Errno::ENOMEM && ["mmap", "mmap2", "brk", "mremap", "clone", "clone3"].contains(&f.name),
        "no memory: a limit of the program (ulimit), of its container, or the end of the guest's address space",
    ),
    (|f| f.errno == Errno::EMFILE, "too many open files: ulimit -n"),
    (|f| f.errno == Errno::ENOSPC, "no space left, perhaps of inotify watches or in /dev/shm"),
    (|f| f.errno == Errno::EROFS, "a file system that is mounted read-only"),
];

fn causes(notes: &Notes) -> Vec<&'static str> {
    CAUSES.iter().filter(|(is, _)| notes.failed.iter().any(is)).map(|(_, text)| *text).collect()
}

/// The file and offset that an address belongs to.
fn place(p: &Process, addr: u64) -> String {
    for line in proc::own_maps(p.mm, p.mm.places().stack_start).lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let hex = |t: &str| u64::from_str_radix(t, 16).unwrap_or(0);
        let Some((start, end)) = fields.first().and_then(|r| r.split_once('-')).map(|(s, e)| (hex(s), hex(e))) else {
            continue;
        };
        if (start..end).contains(&addr) {
            let offset = fields.get(2).map_or(0, |o| hex(o)) + (addr - start);
            return fields.get(5).map_or("anonymous memory".into(), |name| format!("{name}+{offset:#x}"));
        }
    }
    "no memory".into()
}

fn describe(t: &Task, info: &HostInfo) -> String {
    let (p, signo) = (t.process, info.signo());
    let mut text = strace::signal(signo as u64);
    if !siginfo::is_fault(signo) || info.code() <= 0 {
        return text;
    }
    let pc = t.get(p.guest.state.pc);
    let mut bytes = [0; 16];
    let n = memory::read_some(pc & !1, &mut bytes);
    let (insn, length) = (p.guest.disassemble)(&bytes[..n], pc, (p.guest.mode)(t.cpu().state()));
    let words: String = bytes[..length.min(n)].iter().map(|b| format!("{b:02x}")).collect();
    let _ = write!(text, " at {pc:#x} ({}): `{}` (bytes {words})", place(p, pc & !1), insn.trim());
    if matches!(signo, libc::SIGSEGV | libc::SIGBUS) {
        let addr = info.u64_at(16);
        let _ = write!(text, " with address {addr:#x} ({})", place(p, addr));
    } else if signo == libc::SIGILL {
        text += ": an instruction that the processor model has not got, or no instruction (-cpu help, -d unimp)";
    }
    text
}

/// A program that could not be started at all: what is known of that.
pub fn not_started(e: &LoadError) -> String {
    let mut head = [0; 64];
    let fd = host::open(&e.path, libc::O_RDONLY | libc::O_NONBLOCK);
    let n = fd.map_or(0, |fd| host::pread(fd, &mut head, 0).unwrap_or(0));
    fd.iter().for_each(|fd| host::close(*fd));
    // EM_X86_64, EM_386, EM_AARCH64: what this host runs itself.
    let own: &[u16] = if cfg!(target_arch = "x86_64") { &[62, 3] } else { &[183] };
    let machine = elf::header(&head[..n]).map(|h| h.machine);
    let path = String::from_utf8_lossy(&e.path);
    let cause = if machine.is_ok_and(|m| own.contains(&m)) {
        "it is a program of this machine: it runs without rqemu"
    } else if machine.is_ok() && e.what.contains("no guest") {
        "rqemu has no guest for its processor (rqemu -guests lists them)"
    } else if e.status == 127 && (path.contains("/ld-") || path.contains("/ld.so")) {
        "the program's dynamic linker is not in this root: run it in its own root, or point -L at one (Debian: libc6-<arch>-cross, then -L /usr/<triplet>)"
    } else if e.status == 127 {
        "there is no such file; rqemu does not search PATH"
    } else if n == 0 || machine.is_err() && !head.starts_with(b"\x7fELF") && !e.what.contains("permission") {
        "it is neither an ELF file nor a script with a #! line"
    } else {
        let name = host::c_string(&e.path);
        // SAFETY: the kernel reads the string.
        let access = unsafe { call!(libc::SYS_faccessat, libc::AT_FDCWD, name.as_ptr(), libc::X_OK) };
        if access == Err(Errno::EACCES) {
            "its mode, or a mount with noexec, forbids it"
        } else {
            "the file is damaged, or asks for addresses that are taken"
        }
    };
    format!("rqemu: explain: {path}: {cause}\n")
}
