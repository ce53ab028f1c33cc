//! `rqemu binfmt`: tells the kernel's binfmt_misc of rqemu, and reads what it knows. Each user namespace has registrations of its own since Linux 6.7:
//! then they are those of the caller's. Not here: what happens when the kernel starts us (`start.rs`).
//!
//! The format of a registration: Documentation/admin-guide/binfmt-misc.rst.

use crate::commands::{Call, Row, said};
use crate::elf;
use crate::host::{self, Errno};
use arch::{Elf, Guest};
use std::fmt::Write;

pub static ROWS: &[Row] = &[
    Row {
        name: "binfmt register",
        takes: "[--flags POCF] [GUEST...]",
        about: "have the kernel start guests' programs by this rqemu",
        run: |c| said(register(c)),
    },
    Row { name: "binfmt unregister", takes: "[GUEST...]", about: "no longer", run: |c| said(unregister(c)) },
    Row {
        name: "binfmt status",
        takes: "[GUEST...]",
        about: "who starts guests' programs now",
        run: |c| said(status(c)),
    },
    Row {
        name: "binfmt",
        takes: "[--install LIST | --uninstall LIST]",
        about: "the same for container images: lists with commas or all; prints the state as JSON",
        run: |c| said(installer(c)),
    },
];

/// Where the registrations look for rqemu: a link to it, or a copy, by the guest's name.
pub const INSTALLED: &str = "/usr/bin/rqemu-";
/// What a registration asks of the kernel unless the user asks otherwise. P: the program's argv[0] is handed over. F: the kernel opens rqemu
/// when it is told of it, so that it is found in any root.
pub const FLAGS: &str = "PF";
/// The same for containers, whose users expect sudo to work. O: the program is handed over open, readable or not. C: set-id programs get their
/// rights.
const CONTAINER_FLAGS: &str = "POCF";
/// A byte of e_ident that means nothing. In the copy of rqemu that is registered for programs of its own kind it is not 0, and the registration asks
/// for 0: else the kernel would need rqemu to start rqemu.
const MARK: usize = 15;
const DIR: &str = "/proc/sys/fs/binfmt_misc";

/// A registration, as the kernel's `register` file takes it.
pub fn line(guest: &Guest, interpreter: &str, flags: &str) -> String {
    let bytes = pattern(&guest.elf);
    let hex = |part: fn(&(u8, u8)) -> u8| bytes.iter().map(|b| format!("\\x{:02x}", part(b))).collect::<String>();
    format!(":rqemu-{}:M::{}:{}:{interpreter}:{flags}", guest.name, hex(|b| b.0), hex(|b| b.1))
}

/// The start of an executable of this kind: for each byte its value, and the bits of it that count. As the kernel, it looks neither at the
/// OS ABI nor at what follows it in e_ident.
fn pattern(elf: &Elf) -> Vec<(u8, u8)> {
    let mut bytes = vec![(0, 0); 52];
    let mut put = |at: usize, len: usize, value: u32, mask: u32| {
        for i in 0..len {
            let shift = 8 * if elf.big_endian { len - 1 - i } else { i };
            bytes[at + i] = ((value >> shift) as u8, (mask >> shift) as u8);
        }
    };
    for (at, byte) in b"\x7fELF".iter().enumerate() {
        put(at, 1, u32::from(*byte), 0xff);
    }
    // EI_CLASS, EI_DATA, EI_VERSION (man 5 elf).
    put(4, 1, if elf.class == 32 { 1 } else { 2 }, 0xff);
    put(5, 1, if elf.big_endian { 2 } else { 1 }, 0xff);
    put(6, 1, 1, 0xff);
    // e_type: ET_EXEC (2) or ET_DYN (3).
    put(16, 2, 2, 0xfffe);
    put(18, 2, u32::from(elf.machine), 0xffff);
    if is_own_kind(elf) {
        put(MARK, 1, 0, 0xff);
    }
    if let Some((mask, value)) = elf.flags {
        put(if elf.class == 32 { 36 } else { 48 }, 4, value, mask);
    }
    let used = bytes.iter().rposition(|b| b.1 != 0).map_or(0, |last| last + 1);
    bytes.truncate(used);
    bytes
}

/// Whether rqemu itself is a program of this kind.
fn is_own_kind(elf: &Elf) -> bool {
    elf::is_hosts(elf) && elf.class == usize::BITS as u8
}

/// A handler that the kernel knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Handler {
    pub name: String,
    pub enabled: bool,
    pub interpreter: String,
    pub flags: String,
    pub magic: Vec<u8>,
    pub mask: Vec<u8>,
}

impl Handler {
    /// From the text of its file.
    fn parse(name: &str, text: &str) -> Option<Handler> {
        let mut h = Handler { name: name.into(), ..Handler::default() };
        let bytes = |hex: &str| -> Vec<u8> {
            let digits: Vec<u8> = hex.chars().filter_map(|c| c.to_digit(16)).map(|d| d as u8).collect();
            digits.chunks(2).map(|pair| pair.iter().fold(0, |b, d| b << 4 | d)).collect()
        };
        for text in text.lines() {
            match text.split_once(' ').unwrap_or((text, "")) {
                ("enabled", _) => h.enabled = true,
                ("interpreter", path) => h.interpreter = path.into(),
                ("flags:", flags) => h.flags = flags.into(),
                ("magic", hex) => h.magic = bytes(hex),
                ("mask", hex) => h.mask = bytes(hex),
                // A handler by file name's extension, or by bytes elsewhere than at the start: none for ELF files.
                ("extension", _) => return None,
                ("offset", at) if at != "0" => return None,
                _ => {}
            }
        }
        h.mask.resize(h.magic.len(), 0xff);
        Some(h)
    }

    /// Whether it takes this guest's programs.
    pub fn takes(&self, guest: &Guest) -> bool {
        let start = pattern(&guest.elf);
        let byte = |at: usize| start.get(at).map_or(0, |b| b.0);
        !self.magic.is_empty() && (0..self.magic.len()).all(|at| (byte(at) ^ self.magic[at]) & self.mask[at] == 0)
    }

    /// Whether it is rqemu, as far as names tell.
    pub fn is_ours(&self) -> bool {
        self.name.starts_with("rqemu-")
    }
}

/// Names of a folder's files.
fn names(dir: &str) -> Result<Vec<String>, Errno> {
    let fd = host::open(dir.as_bytes(), libc::O_RDONLY | libc::O_DIRECTORY)?;
    let mut names = Vec::new();
    let mut buffer = [0u8; 8192];
    loop {
        // SAFETY: the kernel writes into the buffer.
        let n = unsafe { crate::call!(libc::SYS_getdents64, fd, buffer.as_mut_ptr(), buffer.len()) };
        let n = n.unwrap_or(0) as usize;
        if n == 0 {
            break;
        }
        let mut at = 0;
        while at < n {
            // struct linux_dirent64: d_reclen at 16, d_name at 19.
            let entry = &buffer[at..];
            let name = entry[19..].split(|b| *b == 0).next().unwrap_or_default();
            names.push(String::from_utf8_lossy(name).into_owned());
            at += usize::from(u16::from_le_bytes([entry[16], entry[17]]));
        }
    }
    host::close(fd);
    names.sort();
    Ok(names)
}

fn read(path: &str) -> Option<String> {
    host::read_file(path.as_bytes()).ok().map(|b| String::from_utf8_lossy(&b).into_owned())
}

/// Whether the kernel's files are there.
pub fn is_mounted() -> bool {
    read(&format!("{DIR}/status")).is_some()
}

/// Whether binfmt_misc starts anything at all.
pub fn is_enabled() -> bool {
    read(&format!("{DIR}/status")).is_some_and(|s| s.trim() == "enabled")
}

/// The handlers of ELF files.
pub fn handlers() -> Vec<Handler> {
    let files = names(DIR).unwrap_or_default().into_iter().filter(|n| !n.starts_with('.'));
    files.filter_map(|n| Handler::parse(&n, &read(&format!("{DIR}/{n}"))?)).filter(|h| !h.magic.is_empty()).collect()
}

/// Whether we are in another user namespace than the first.
pub fn in_user_namespace() -> bool {
    let map = read("/proc/self/uid_map").unwrap_or_default();
    let numbers: Vec<_> = map.split_whitespace().collect();
    !numbers.is_empty() && numbers != ["0", "0", "4294967295"]
}

/// Sees to it that the caller's own registrations are what is mounted. In a further user namespace what is mounted may be its parent's: mounted once
/// more it is the namespace's own.
fn mount() -> Result<(), String> {
    if is_mounted() && !in_user_namespace() {
        return Ok(());
    }
    let (kind, dir) = (c"binfmt_misc".as_ptr(), host::c_string(DIR.as_bytes()));
    // SAFETY: the kernel reads the strings.
    match unsafe { crate::call!(libc::SYS_mount, kind, dir.as_ptr(), kind, 0, 0) } {
        // Busy: what is mounted there is this namespace's.
        Ok(_) | Err(Errno::EBUSY) => Ok(()),
        Err(Errno::EPERM | Errno::EACCES) if in_user_namespace() => Err(format!(
            "{DIR} cannot be mounted: this needs Linux 6.7 and the rights of root in this user namespace and in its mounts"
        )),
        Err(Errno::EPERM | Errno::EACCES) => {
            Err(format!("{DIR} cannot be mounted: this needs root (in a container: --privileged)"))
        }
        Err(Errno::ENODEV) => Err("this kernel has no binfmt_misc (modprobe binfmt_misc)".into()),
        Err(e) => Err(format!("{DIR} cannot be mounted: {}", e.name())),
    }
}
/// Writes to one of the kernel's files by one call.
fn tell(file: &str, text: &str) -> Result<(), Errno> {
    let fd = host::open(format!("{DIR}/{file}").as_bytes(), libc::O_WRONLY)?;
    // SAFETY: the kernel reads the text.
    let result = unsafe { crate::call!(libc::SYS_write, fd, text.as_ptr(), text.len()) };
    host::close(fd);
    result.map(|_| ())
}

fn register_one(guest: &Guest, interpreter: &str, flags: &str) -> Result<(), String> {
    let name = format!("rqemu-{}", guest.name);
    let _ = tell(&name, "-1");
    let registration = line(guest, interpreter, flags);
    tell("register", &registration).map_err(|e| match e {
        Errno::EACCES | Errno::EPERM => format!("{name}: not allowed (this needs root)"),
        Errno::EROFS => format!("{name}: {DIR} is mounted read-only (in a container: --privileged)"),
        Errno::EINVAL => format!("{name}: the kernel does not take this registration: {registration}"),
        e => format!("{name}: {interpreter}: {}", e.name()),
    })
}

/// Names of OCI platforms (GOARCH, with variants) by ELF machine, class, big-endian.
type Platform = (u16, u8, bool, &'static [&'static str]);
static PLATFORMS: &[Platform] = &[
    (183, 64, false, &["arm64"]),
    (40, 32, false, &["arm/v7", "arm/v6"]),
    (62, 64, false, &["amd64"]),
    (3, 32, false, &["386"]),
    (243, 64, false, &["riscv64"]),
    (21, 64, false, &["ppc64le"]),
    (21, 64, true, &["ppc64"]),
    (22, 64, true, &["s390x"]),
    (8, 64, false, &["mips64le"]),
    (8, 64, true, &["mips64"]),
    (8, 32, false, &["mipsle"]),
    (8, 32, true, &["mips"]),
    (258, 64, false, &["loong64"]),
];

fn platforms(guest: &Guest) -> &'static [&'static str] {
    let e = &guest.elf;
    PLATFORMS.iter().find(|p| (p.0, p.1, p.2) == (e.machine, e.class, e.big_endian)).map_or(&[], |p| p.3)
}

/// The guests that are registered unless the user names others: not the host's own.
pub fn foreign<'a>(guests: &[&'a Guest]) -> Vec<&'a Guest> {
    guests.iter().copied().filter(|g| !elf::is_hosts(&g.elf)).collect()
}

/// The same, and those of the host's that somebody has registered.
pub fn foreign_or_taken<'a>(guests: &[&'a Guest], handlers: &[Handler]) -> Vec<&'a Guest> {
    let is = |g: &&Guest| !elf::is_hosts(&g.elf) || handlers.iter().any(|h| h.takes(g));
    guests.iter().copied().filter(is).collect()
}

/// The guests that these words name: our names, OCI's, a handler's name; all.
fn chosen<'a>(words: &[&str], guests: &[&'a Guest]) -> Result<Vec<&'a Guest>, String> {
    let mut list = Vec::new();
    for word in words {
        let name = word.strip_prefix("rqemu-").or_else(|| word.strip_prefix("qemu-")).unwrap_or(word);
        let name = name.strip_prefix("linux/").unwrap_or(name);
        let is = |g: &&&Guest| {
            g.name == name || platforms(g).iter().any(|p| *p == name || p.split('/').next() == Some(name))
        };
        match (name, guests.iter().find(is)) {
            ("all" | "*", _) => list.extend(foreign(guests)),
            (_, Some(guest)) => list.push(*guest),
            _ => return Err(format!("there is no guest {word:?} (rqemu -guests lists them)")),
        }
    }
    Ok(list)
}

/// Our own file.
fn own_path() -> Result<String, String> {
    let path = host::readlink(b"/proc/self/exe").map_err(|_| "/proc is not mounted")?;
    let path = String::from_utf8_lossy(&path).into_owned();
    // The kernel's limit for an interpreter, and the end of a field.
    if path.len() > 126 || path.contains(':') || path.contains(' ') {
        return Err(format!("{path}: binfmt_misc takes no such path"));
    }
    Ok(path)
}

fn register(c: &Call) -> Result<String, String> {
    let mut words: Vec<&str> = c.args.iter().map(String::as_str).collect();
    let mut flags = FLAGS;
    if let Some(at) = words.iter().position(|w| w.trim_start_matches('-') == "flags" && w.starts_with('-')) {
        flags = *words.get(at + 1).ok_or("--flags needs some of P, O, C, F")?;
        words.drain(at..at + 2);
    }
    if let Some(odd) = flags.chars().find(|f| !"POCF".contains(*f)) {
        return Err(format!("--flags: {odd:?} is none of P, O, C, F"));
    }
    let all = if words.is_empty() { foreign(c.guests) } else { chosen(&words, c.guests)? };
    register_all(&all, flags)?;
    Ok(String::new())
}

/// The whole machine would run by rqemu, and none of its programs start if that fails: only a user namespace may have this.
fn may_be_registered(guest: &Guest, flags: &str) -> Result<(), String> {
    let name = guest.name;
    if !is_own_kind(&guest.elf) {
        Ok(())
    } else if !in_user_namespace() {
        Err(format!("{name}: the machine's own programs are left to its kernel but in a user namespace (unshare -Urm)"))
    } else if !flags.contains('F') {
        Err(format!("{name}: needs the flag F, for rqemu is a program of this kind itself"))
    } else {
        Ok(())
    }
}

/// A copy of our file that a registration for its own kind does not take. It is in memory: the registration (F) keeps it.
fn marked_copy() -> Result<i32, Errno> {
    let mut bytes = host::read_file(b"/proc/self/exe")?;
    bytes[MARK] = 1;
    // MFD_EXEC (Linux 6.3): a system may ask for it.
    let make = |flags: u32| {
        // SAFETY: the kernel reads the name.
        unsafe { crate::call!(libc::SYS_memfd_create, c"rqemu".as_ptr(), flags) }
    };
    let fd = make(libc::MFD_EXEC).or_else(|_| make(0))? as i32;
    host::write_all(fd, &bytes);
    let whole = host::stat_at(fd, b"", libc::AT_EMPTY_PATH).is_ok_and(|s| s.st_size == bytes.len() as i64);
    if whole { Ok(fd) } else { Err(Errno::ENOSPC) }
}

fn register_all(guests: &[&Guest], flags: &str) -> Result<(), String> {
    let mut path = own_path()?;
    guests.iter().try_for_each(|g| may_be_registered(g, flags))?;
    mount()?;
    // Where programs of our own kind are rqemu's, so would a rqemu be that has no mark.
    let of_own_kind = guests.iter().find(|g| is_own_kind(&g.elf));
    let copy = of_own_kind.map(|g| marked_copy().map_err(|e| format!("{}: no copy of rqemu: {}", g.name, e.name())));
    let copy = copy.transpose()?;
    if let Some(fd) = copy {
        path = format!("/proc/self/fd/{fd}");
    }
    let done = guests.iter().try_for_each(|g| register_one(g, &path, flags));
    if let Some(fd) = copy {
        host::close(fd);
    }
    done
}

fn unregister(c: &Call) -> Result<String, String> {
    let words: Vec<&str> = c.args.iter().map(String::as_str).collect();
    unregister_all(&if words.is_empty() { c.guests.to_vec() } else { chosen(&words, c.guests)? })?;
    Ok(String::new())
}

fn unregister_all(guests: &[&Guest]) -> Result<(), String> {
    // What a container does not see mounted is there all the same.
    mount()?;
    for guest in guests {
        match tell(&format!("rqemu-{}", guest.name), "-1") {
            Ok(()) | Err(Errno::ENOENT) => {}
            Err(Errno::EACCES | Errno::EPERM) => {
                return Err(format!("rqemu-{}: not allowed (this needs root)", guest.name));
            }
            Err(e) => return Err(format!("rqemu-{}: {}", guest.name, e.name())),
        }
    }
    Ok(())
}

fn status(c: &Call) -> Result<String, String> {
    let words: Vec<&str> = c.args.iter().map(String::as_str).collect();
    let handlers = handlers();
    let guests = if words.is_empty() { foreign_or_taken(c.guests, &handlers) } else { chosen(&words, c.guests)? };
    let mut text = String::new();
    for guest in guests {
        let mut found = handlers.iter().filter(|h| h.takes(guest)).peekable();
        if found.peek().is_none() {
            let _ = writeln!(text, "{:<12} not registered", guest.name);
        }
        for h in found {
            let state = if h.enabled && is_enabled() { "enabled" } else { "disabled" };
            let _ = writeln!(text, "{:<12} {:<16} {:<5} {state:<9} {}", guest.name, h.name, h.flags, h.interpreter);
        }
    }
    Ok(text)
}

/// The words of container images that install emulators.
fn installer(c: &Call) -> Result<String, String> {
    let mut words = c.args.iter();
    while let Some(word) = words.next() {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        let list = if value.is_empty() { words.next().map_or("", String::as_str) } else { value };
        let list: Vec<&str> = list.split(',').filter(|w| !w.is_empty()).collect();
        match name.trim_start_matches('-') {
            "install" | "uninstall" if list.is_empty() => {
                return Err(format!("{name} needs a list of guests, or all"));
            }
            "install" => register_all(&chosen(&list, c.guests)?, CONTAINER_FLAGS)?,
            "uninstall" => unregister_all(&chosen(&list, c.guests)?)?,
            _ => return Err(format!("binfmt knows no {word:?} (see rqemu -h)")),
        }
    }
    // Where it may not be mounted nothing is known.
    let _ = mount();
    Ok(json(c.guests, &handlers()))
}

/// A JSON string.
pub fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c < ' ' => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// What can be run now, in the form that such images print.
fn json(guests: &[&Guest], handlers: &[Handler]) -> String {
    let runs = |g: &&&Guest| is_enabled() && handlers.iter().any(|h| h.enabled && h.takes(g));
    let own = format!("linux/{}", if cfg!(target_arch = "x86_64") { "amd64" } else { std::env::consts::ARCH });
    let guests = guests.iter().filter(runs).flat_map(|g| platforms(g)).map(|p| format!("linux/{p}"));
    let guests = guests.filter(|p| *p != own).collect::<Vec<_>>();
    let lines = |list: Vec<String>| {
        if list.is_empty() { String::from("[]") } else { format!("[\n{}\n  ]", list.join(",\n")) }
    };
    let supported = std::iter::once(own).chain(guests).map(|p| format!("    {}", quoted(&p))).collect();
    let emulators = handlers.iter().map(|h| format!("    {}", quoted(&h.name))).collect();
    let details = handlers.iter().map(|h| {
        format!(
            "    {{\"name\": {}, \"enabled\": {}, \"flags\": {}, \"interpreter\": {}}}",
            quoted(&h.name),
            h.enabled && is_enabled(),
            quoted(&h.flags),
            quoted(&h.interpreter)
        )
    });
    format!(
        "{{\n  \"supported\": {},\n  \"emulators\": {},\n  \"handlers\": {}\n}}\n",
        lines(supported),
        lines(emulators),
        lines(details.collect())
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let p = pattern(&Elf { machine: 183, class: 64, big_endian: false, flags: None });
        assert_eq!(p.len(), 20);
        let start: Vec<u8> = p.iter().map(|b| b.0).collect();
        assert_eq!(start, b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\xb7\0");
        assert_eq!((p[7], p[15], p[16], p[17], p[19]), ((0, 0), (0, 0), (2, 0xfe), (0, 0xff), (0, 0xff)));
    }

    /// Where e_flags count too, and the bytes stand the other way round.
    #[test]
    fn patterns_of_a_big_endian_guest() {
        let p = pattern(&Elf { machine: 8, class: 32, big_endian: true, flags: Some((0xf000, 0x5000)) });
        assert_eq!(p.len(), 39);
        assert_eq!(&p[16..20], [(0, 0xff), (2, 0xfe), (0, 0xff), (8, 0xff)]);
        assert_eq!(&p[36..39], [(0, 0), (0, 0), (0x50, 0xf0)]);
    }

    #[test]
    fn handlers_are_read() {
        let h = Handler::parse("x", "enabled\ninterpreter /usr/bin/q\nflags: POF\noffset 0\nmagic 7f45\nmask ff0f\n")
            .unwrap();
        assert_eq!((h.enabled, h.interpreter.as_str(), h.flags.as_str()), (true, "/usr/bin/q", "POF"));
        assert_eq!((h.magic, h.mask), (vec![0x7f, 0x45], vec![0xff, 0x0f]));
        let h = Handler::parse("x", "disabled\ninterpreter /q\nflags: \noffset 0\nmagic 4d5a\n").unwrap();
        assert_eq!((h.enabled, h.flags.as_str(), h.mask), (false, "", vec![0xff, 0xff]));
        assert_eq!(Handler::parse("x", "enabled\ninterpreter /q\nflags: \nextension .exe\n"), None);
    }

    #[test]
    fn json_strings() {
        assert_eq!(quoted("a\"b\\c\n"), "\"a\\\"b\\\\c\\u000a\"");
    }
}
