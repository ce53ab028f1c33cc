//! `-strace`: a line per system call in the manner of strace(1), printed from the rows' types. With the pid in front, as `strace -f -o` does.
//! What the kernel reads is printed as it stood at entry, what it writes as it stands at the end.

use crate::explain;
use crate::host::{self, Errno, Res};
use crate::layout::{Layout, Place, load};
use crate::memory;
use crate::sys::Call;
use crate::sys::flags::{Flags, value};
use crate::sys::types::{Ret, Ty, Values};
use crate::task::Task;
use arch::layout::{C, Model};
use std::fmt::Write;

/// How much of a buffer is shown, and how many elements of an array.
const SHOWN: usize = 32;

/// What is known when a call begins, for [`leave`]. Under `-strace` it prints a line at once for calls that may not come back.
pub fn enter(t: &Task, call: &Call, values: &Values) -> Vec<Option<String>> {
    let texts = before(t.abi().model(), call.row.params, values);
    if call.row.result == Ret::Never && t.process.options.strace {
        let shown: Vec<_> = texts.iter().map(|s| s.as_deref().unwrap_or("?")).collect();
        t.log(format_args!("{} {}({}) = ?", host::gettid(), call.name, shown.join(", ")));
    }
    texts
}

/// The call's line; under `-strace` it is printed, under `-explain` noted.
pub fn leave(t: &Task, call: &Call, values: &Values, texts: Vec<Option<String>>, result: Res) {
    let line = match (call.row.result, result) {
        (Ret::Never, Err(Errno::JUST_RETURN)) => return,
        (Ret::Never, _) => format!("<... {} resumed>) = {}", call.name, result_text(Ret::Zero, result)),
        (ret, _) => {
            let arguments = after(t.abi().model(), call.row.params, values, texts, result);
            // strace aligns results at column 40.
            let pad = 40usize.saturating_sub(arguments.len() + call.name.len() + 2);
            format!("{}({arguments}){:pad$} = {}", call.name, "", result_text(ret, result))
        }
    };
    if t.process.options.strace {
        t.log(format_args!("{} {line}", host::gettid()));
    }
    if t.process.options.explain {
        explain::call_ended(call.name, result, line);
    }
}

/// The arguments that are known at entry.
fn before(m: Model, params: &[Ty], values: &Values) -> Vec<Option<String>> {
    params.iter().enumerate().map(|(i, p)| argument(m, p, i, values, None)).collect()
}

/// All arguments.
fn after(m: Model, params: &[Ty], values: &Values, texts: Vec<Option<String>>, result: Res) -> String {
    let late = |(i, text): (usize, Option<String>)| {
        text.or_else(|| argument(m, &params[i], i, values, Some(result))).unwrap_or_default()
    };
    texts.into_iter().enumerate().map(late).collect::<Vec<_>>().join(", ")
}

fn result_text(ret: Ret, result: Res) -> String {
    match result {
        Ok(v) => match ret {
            Ret::Addr => format!("{v:#x}"),
            Ret::Int | Ret::Fd | Ret::Pid => (v as i32).to_string(),
            _ => v.cast_signed().to_string(),
        },
        Err(Errno::JUST_RETURN) => "?".to_string(),
        Err(Errno::RESTARTSYS | Errno::RESTARTNOINTR) => "? ERESTARTSYS (To be restarted)".to_string(),
        Err(e) => {
            let text = usize::try_from(e.0 - 1).ok().and_then(|i| MESSAGES.get(i)).unwrap_or(&"");
            format!("-1 {} ({text})", e.name())
        }
    }
}

/// Prints one argument. Without a result: None for what is only known at the end.
fn argument(m: Model, p: &Ty, i: usize, values: &Values, result: Option<Res>) -> Option<String> {
    let v = values[i];
    let count = |n: u8| usize::try_from(values[n as usize]).unwrap_or(usize::MAX);
    let written = |text: &dyn Fn(usize) -> String| match result {
        None => None,
        Some(Ok(n)) => Some(text(usize::try_from(n).unwrap_or(usize::MAX))),
        Some(Err(_)) => Some(address(v)),
    };
    match *p {
        Ty::Int | Ty::Fd | Ty::Pid | Ty::Long | Ty::I64 | Ty::LowHigh => Some(v.cast_signed().to_string()),
        Ty::UInt | Ty::Size => Some(v.to_string()),
        Ty::ULong => Some(if v < 4096 { v.to_string() } else { format!("{v:#x}") }),
        Ty::Addr | Ty::SockAddrOut => Some(address(v)),
        Ty::DirFd if v as i32 == libc::AT_FDCWD => Some("AT_FDCWD".to_string()),
        Ty::DirFd => Some(v.cast_signed().to_string()),
        Ty::Request => Some(crate::sys::ioctl::name(m, v as u32)),
        Ty::Mode => Some(format!("{v:#05o}").replace("0o", "0")),
        Ty::Sig => Some(signal(v)),
        Ty::Clock => Some(CLOCKS.get(v as usize).map_or_else(|| v.cast_signed().to_string(), |s| (*s).to_string())),
        Ty::Flags(f) => Some(flags(m, f, v)),
        Ty::Enum(f) => Some(number(m, f, v)),
        Ty::In(l) | Ty::InOut(l) => Some(structs(m, l(), v, None)),
        Ty::Out(l) => written(&|_| structs(m, l(), v, None)),
        Ty::Rest(l) => match result {
            None => None,
            Some(Err(Errno::EINTR)) => Some(structs(m, l(), v, None)),
            Some(_) => Some(address(v)),
        },
        Ty::InArray(l, n) | Ty::InOutArray(l, n) => Some(structs(m, l(), v, Some(count(n)))),
        Ty::OutArray(l, n) => written(&|r| structs(m, l(), v, Some(count(n).min(r)))),
        Ty::SockAddr(n) => Some(crate::sys::net::describe(m, v, count(n))),
        Ty::InBuf(n) => Some(buffer(v, count(n))),
        Ty::OutBuf(n) => written(&|r| buffer(v, count(n).min(r))),
        Ty::InIov(n) => Some(iov(m, v, count(n), usize::MAX)),
        Ty::OutIov(n) => written(&|r| iov(m, v, count(n), r)),
        Ty::Path | Ty::LinkPath | Ty::OldPath | Ty::NewPath | Ty::Str => Some(string(v)),
        Ty::Argv => Some(strings(m, v)),
    }
}

pub fn address(v: u64) -> String {
    if v == 0 { "NULL".to_string() } else { format!("{v:#x}") }
}

/// Bits by name; the rest in hexadecimal.
fn flags(m: Model, f: &Flags, v: u64) -> String {
    let (mut rest, mut names) = (v, Vec::new());
    if let Some((mask, zero)) = f.zero
        && v & mask == 0
    {
        names.push(zero.to_string());
    }
    for (name, host) in f.rows {
        let bits = value(m, name, *host);
        if bits != 0 && rest & bits == bits {
            names.push((*name).to_string());
            rest &= !bits;
        }
    }
    if rest != 0 || names.is_empty() {
        names.push(if rest == 0 { "0".to_string() } else { format!("{rest:#x}") });
    }
    names.join("|")
}

fn number(m: Model, f: &Flags, v: u64) -> String {
    let row = f.rows.iter().find(|(name, host)| value(m, name, *host) == v);
    row.map_or_else(|| format!("{v:#x}"), |(name, _)| (*name).to_string())
}

pub fn signal(v: u64) -> String {
    match usize::try_from(v).ok().and_then(|n| SIGNALS.get(n)) {
        Some(name) => (*name).to_string(),
        None if (32..=64).contains(&v) => format!("SIGRT_{}", v - 32),
        None => v.cast_signed().to_string(),
    }
}

/// Bytes of guest memory, quoted as in C.
fn quoted(bytes: &[u8], more: bool) -> String {
    let mut s = String::from("\"");
    for (i, b) in bytes.iter().enumerate() {
        match b {
            b'\n' => s.push_str("\\n"),
            b'\t' => s.push_str("\\t"),
            b'\r' => s.push_str("\\r"),
            b'"' => s.push_str("\\\""),
            b'\\' => s.push_str("\\\\"),
            0x20..=0x7e => s.push(*b as char),
            // A digit that follows would be taken for a part of a short octal escape.
            _ if bytes.get(i + 1).is_some_and(u8::is_ascii_digit) => {
                let _ = write!(s, "\\{b:03o}");
            }
            _ => {
                let _ = write!(s, "\\{b:o}");
            }
        }
    }
    s.push_str(if more { "\"..." } else { "\"" });
    s
}

fn buffer(addr: u64, len: usize) -> String {
    let mut bytes = vec![0; len.min(SHOWN)];
    match memory::read(addr, &mut bytes) {
        Ok(()) if addr != 0 => quoted(&bytes, len > SHOWN),
        _ => address(addr),
    }
}

fn string(addr: u64) -> String {
    match memory::read_cstr(addr, 4095) {
        Ok(bytes) if addr != 0 => quoted(&bytes, false),
        _ => address(addr),
    }
}

fn strings(m: Model, addr: u64) -> String {
    let mut shown = Vec::new();
    let mut word = vec![0; m.long];
    for n in 0..=SHOWN as u64 {
        let at = addr.wrapping_add(n * m.long as u64);
        if addr == 0 || memory::read(at, &mut word).is_err() {
            return address(addr);
        }
        match crate::layout::number(m, &word) {
            0 => break,
            _ if n == SHOWN as u64 => shown.push("...".to_string()),
            s => shown.push(string(s)),
        }
    }
    format!("[{}]", shown.join(", "))
}

fn iov(m: Model, addr: u64, count: usize, mut bytes: usize) -> String {
    let Ok(words) = crate::sys::plain::iovecs(m, addr, count) else { return address(addr) };
    let mut shown = Vec::new();
    for pair in words[..count * 2].chunks(2).take(SHOWN) {
        let len = usize::try_from(pair[1]).unwrap_or(usize::MAX);
        shown.push(format!("{{iov_base={}, iov_len={len}}}", buffer(pair[0], len.min(bytes))));
        bytes = bytes.saturating_sub(len);
    }
    format!("[{}]", shown.join(", "))
}

/// A struct `{tv_sec=1, tv_nsec=0}`, a lone member `[5]`, or an array of structs.
fn structs(m: Model, layout: &Layout, addr: u64, count: Option<usize>) -> String {
    let size = layout.of(m).size;
    let shown = count.unwrap_or(1).min(SHOWN);
    let mut bytes = vec![0; size * shown];
    if addr == 0 || memory::read(addr, &mut bytes).is_err() {
        return address(addr);
    }
    let mut texts: Vec<_> = (0..shown).map(|n| one_struct(m, layout, &bytes[n * size..][..size])).collect();
    match count {
        None if matches!(layout.declared.fields, [only] if only.count == 1) => format!("[{}]", texts.concat()),
        None => texts.concat(),
        Some(n) => {
            if n > shown {
                texts.push("...".to_string());
            }
            format!("[{}]", texts.join(", "))
        }
    }
}

fn one_struct(m: Model, layout: &Layout, bytes: &[u8]) -> String {
    let members = layout.declared.fields.iter().zip(&layout.of(m).guest);
    let shown: Vec<_> = members
        .filter(|(f, _)| !f.name().starts_with("__"))
        .filter_map(|(f, place)| Some((f.name(), member(m, place.as_ref()?, bytes))))
        .collect();
    if let [(_, only)] = &shown[..]
        && layout.declared.fields.len() == 1
    {
        return only.clone();
    }
    let texts: Vec<_> = shown.iter().map(|(name, text)| format!("{name}={text}")).collect();
    format!("{{{}}}", texts.join(", "))
}

fn member(m: Model, p: &Place, bytes: &[u8]) -> String {
    if matches!(p.c, C::U8 | C::I8) && p.count > 1 {
        let all = &bytes[p.offset..][..p.count];
        let len = all.iter().position(|b| *b == 0).unwrap_or(p.count);
        return quoted(&all[..len.min(SHOWN)], len > SHOWN);
    }
    let one = |i| {
        let v = load(m, bytes, p, i);
        match p.c {
            C::Ptr => address(v),
            C::SigSet => {
                format!("[{}]", (1..=64).filter(|n| v >> (n - 1) & 1 != 0).map(signal).collect::<Vec<_>>().join(" "))
            }
            C::I8 | C::I16 | C::I32 | C::I64 | C::Long | C::LongFit | C::I64Low => v.cast_signed().to_string(),
            _ if v >= 1 << 20 => format!("{v:#x}"),
            _ => v.to_string(),
        }
    };
    if p.count == 1 { one(0) } else { format!("[{}]", (0..p.count.min(SHOWN)).map(one).collect::<Vec<_>>().join(", ")) }
}

/// clock_gettime(2), by number.
static CLOCKS: &[&str] = &[
    "CLOCK_REALTIME",
    "CLOCK_MONOTONIC",
    "CLOCK_PROCESS_CPUTIME_ID",
    "CLOCK_THREAD_CPUTIME_ID",
    "CLOCK_MONOTONIC_RAW",
    "CLOCK_REALTIME_COARSE",
    "CLOCK_MONOTONIC_COARSE",
    "CLOCK_BOOTTIME",
    "CLOCK_REALTIME_ALARM",
    "CLOCK_BOOTTIME_ALARM",
    "CLOCK_SGI_CYCLE",
    "CLOCK_TAI",
];

/// signal(7), by number.
#[rustfmt::skip]
pub static SIGNALS: &[&str] = &[
    "0", "SIGHUP", "SIGINT", "SIGQUIT", "SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE", "SIGKILL", "SIGUSR1", "SIGSEGV", "SIGUSR2",
    "SIGPIPE", "SIGALRM", "SIGTERM", "SIGSTKFLT", "SIGCHLD", "SIGCONT", "SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGURG", "SIGXCPU",
    "SIGXFSZ", "SIGVTALRM", "SIGPROF", "SIGWINCH", "SIGIO", "SIGPWR", "SIGSYS",
];

/// What strerror(3) says, from error 1.
#[rustfmt::skip]
static MESSAGES: &[&str] = &[
    "Operation not permitted", "No such file or directory", "No such process", "Interrupted system call", "Input/output error",
    "No such device or address", "Argument list too long", "Exec format error", "Bad file descriptor", "No child processes",
    "Resource temporarily unavailable", "Cannot allocate memory", "Permission denied", "Bad address", "Block device required",
    "Device or resource busy", "File exists", "Invalid cross-device link", "No such device", "Not a directory", "Is a directory",
    "Invalid argument", "Too many open files in system", "Too many open files", "Inappropriate ioctl for device", "Text file busy",
    "File too large", "No space left on device", "Illegal seek", "Read-only file system", "Too many links", "Broken pipe",
    "Numerical argument out of domain", "Numerical result out of range", "Resource deadlock avoided", "File name too long", "No locks available",
    "Function not implemented", "Directory not empty", "Too many levels of symbolic links", "", "No message of desired type", "Identifier removed",
    "Channel number out of range", "Level 2 not synchronized", "Level 3 halted", "Level 3 reset", "Link number out of range",
    "Protocol driver not attached", "No CSI structure available", "Level 2 halted", "Invalid exchange", "Invalid request descriptor",
    "Exchange full", "No anode", "Invalid request code", "Invalid slot", "", "Bad font file format", "Device not a stream", "No data available",
    "Timer expired", "Out of streams resources", "Machine is not on the network", "Package not installed", "Object is remote",
    "Link has been severed", "Advertise error", "Srmount error", "Communication error on send", "Protocol error", "Multihop attempted",
    "RFS specific error", "Bad message", "Value too large for defined data type", "Name not unique on network", "File descriptor in bad state",
    "Remote address changed", "Can not access a needed shared library", "Accessing a corrupted shared library", ".lib section in a.out corrupted",
    "Attempting to link in too many shared libraries", "Cannot exec a shared library directly",
    "Invalid or incomplete multibyte or wide character", "Interrupted system call should be restarted", "Streams pipe error", "Too many users",
    "Socket operation on non-socket", "Destination address required", "Message too long", "Protocol wrong type for socket",
    "Protocol not available", "Protocol not supported", "Socket type not supported", "Operation not supported", "Protocol family not supported",
    "Address family not supported by protocol", "Address already in use", "Cannot assign requested address", "Network is down",
    "Network is unreachable", "Network dropped connection on reset", "Software caused connection abort", "Connection reset by peer",
    "No buffer space available", "Transport endpoint is already connected", "Transport endpoint is not connected",
    "Cannot send after transport endpoint shutdown", "Too many references: cannot splice", "Connection timed out", "Connection refused",
    "Host is down", "No route to host", "Operation already in progress", "Operation now in progress", "Stale file handle",
    "Structure needs cleaning", "Not a XENIX named type file", "No XENIX semaphores available", "Is a named type file", "Remote I/O error",
    "Disk quota exceeded", "No medium found", "Wrong medium type", "Operation canceled", "Required key not available", "Key has expired",
    "Key has been revoked", "Key was rejected by service", "Owner died", "State not recoverable", "Operation not possible due to RF-kill", "",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::tests::{BIG32, LITTLE32, Memory};
    use crate::sys::{Row, rows, types};

    fn shown(m: Model, row: &Row, regs: &[u64], result: Res) -> String {
        let values = types::fetch(m, row.params.iter().copied(), regs);
        let texts = before(m, row.params, &values);
        format!("{} = {}", after(m, row.params, &values, texts, result), result_text(row.result, result))
    }

    #[test]
    fn lines_are_straces() {
        let memory = Memory::new();
        let path = memory.put(0, b"/etc/passwd\0");
        let at_fdcwd = 0xffff_ff9c;
        assert_eq!(
            shown(LITTLE32, &rows::sys_openat, &[at_fdcwd, path, 0o2040000, 0], Err(Errno::ENOTDIR)),
            "AT_FDCWD, \"/etc/passwd\", O_RDONLY|O_DIRECTORY|O_CLOEXEC, 0000 = -1 ENOTDIR (Not a directory)"
        );
        assert_eq!(shown(LITTLE32, &rows::sys_write, &[1, path, 4], Ok(4)), "1, \"/etc\", 4 = 4");
        let long = memory.put(0x100, &[b'a'; 40]);
        let quoted = format!("\"{}\"...", "a".repeat(32));
        assert_eq!(shown(LITTLE32, &rows::sys_read, &[3, long, 40], Ok(33)), format!("3, {quoted}, 40 = 33"));
        assert_eq!(
            shown(LITTLE32, &rows::sys_read, &[3, long, 40], Err(Errno::EIO)),
            format!("3, {long:#x}, 40 = -1 EIO (Input/output error)")
        );
        assert_eq!(shown(LITTLE32, &rows::sys_brk, &[0], Ok(0x1_0000)), "NULL = 0x10000");
        assert_eq!(shown(LITTLE32, &rows::sys_kill, &[5, 15], Ok(0)), "5, SIGTERM = 0");
        assert_eq!(
            shown(LITTLE32, &rows::sys_pause, &[], Err(Errno::RESTARTSYS)),
            " = ? ERESTARTSYS (To be restarted)"
        );
    }

    #[test]
    fn structs_have_the_guests_order() {
        let memory = Memory::new();
        let time = memory.put(0, &[0, 0, 0, 1, 0, 0, 0, 2]);
        assert_eq!(shown(BIG32, &rows::sys_nanosleep_time32, &[time, 0], Ok(0)), "{tv_sec=1, tv_nsec=2}, NULL = 0");
        let fds = memory.put(0x40, &[0, 0, 0, 3, 0, 0, 0, 4]);
        assert_eq!(shown(BIG32, &rows::sys_pipe, &[fds], Ok(0)), "[3, 4] = 0");
        let iov = memory.put(0x80, &[[0u8, 0, 0, 0].as_slice(), &[0, 0, 0, 2]].concat());
        memory.put(0x80, &(time as u32).to_be_bytes());
        assert_eq!(
            shown(BIG32, &rows::sys_writev, &[1, iov, 1], Ok(2)),
            "1, [{iov_base=\"\\0\\0\", iov_len=2}], 1 = 2"
        );
        let size = memory.put(0xc0, &[0, 24, 0, 80, 0, 0, 0, 0]);
        let texts = structs(BIG32, <crate::sys::structs::Winsize as crate::layout::CStruct>::layout(), size, None);
        assert_eq!(texts, "{ws_row=24, ws_col=80, ws_xpixel=0, ws_ypixel=0}");
        assert_eq!(shown(LITTLE32, &rows::sys_ioctl, &[0, 0x5413, 0x1000], Ok(0)), "0, TIOCGWINSZ, 0x1000 = 0");
    }
}
