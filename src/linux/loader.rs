//! Puts an executable and its interpreter into the address space, as the kernel's binfmt_elf does. The file may be anything: what is wrong ends
//! in a [`LoadError`]. The first stack is made in `stack.rs`.

use crate::elf::{self, Header, Segment};
use crate::host::{self, Errno};
use crate::map::PAGE;
use crate::memory;
use crate::mm::{Mm, Request};
use crate::stored::{self, Key};
use arch::Guest;

/// Why a program cannot be run: one line, and the exit status that a shell would give.
#[derive(Debug, PartialEq, Eq)]
pub struct LoadError {
    pub path: Vec<u8>,
    pub what: String,
    /// 127: not found. 126: found, but cannot be executed. 1: the options are wrong.
    pub status: i32,
}

impl LoadError {
    pub fn new(path: &[u8], what: impl Into<String>) -> LoadError {
        LoadError { path: path.to_vec(), what: what.into(), status: 126 }
    }
    pub fn errno(path: &[u8], what: &str, e: Errno) -> LoadError {
        let status = if e == Errno::ENOENT || e == Errno::ENOTDIR { 127 } else { 126 };
        LoadError { path: path.to_vec(), what: format!("{what}: {}", describe(e)), status }
    }
    /// It is the options' fault, not the program's.
    pub fn option(path: &[u8], what: &str, e: Errno) -> LoadError {
        LoadError { status: 1, ..LoadError::errno(path, what, e) }
    }
}

impl std::fmt::Display for LoadError {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{}: {}", String::from_utf8_lossy(&self.path), self.what)
    }
}

/// The words of common errors.
fn describe(e: Errno) -> String {
    match e {
        Errno::ENOENT => "no such file".into(),
        Errno::ENOTDIR => "a part of the path is no directory".into(),
        Errno::EACCES | Errno::EPERM => "permission denied".into(),
        Errno::EISDIR => "is a directory".into(),
        Errno::ENOMEM | Errno::EEXIST => "no room in the guest's address space".into(),
        Errno::EFAULT => "a segment that its file does not hold".into(),
        Errno::ELOOP => "too many symbolic links".into(),
        e => e.name().into(),
    }
}

/// An open executable with its headers.
#[derive(Debug)]
pub struct Executable {
    pub fd: i32,
    pub path: Vec<u8>,
    pub header: Header,
    pub segments: Vec<Segment>,
    /// Its first page.
    head: Vec<u8>,
    /// What identifies the file, if it is put where that says, or where it says itself.
    pub key: Option<Key>,
}

/// Where an executable was put.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// What was added to its addresses.
    pub bias: u64,
    pub entry: u64,
    /// Address of the program headers in memory.
    pub phdr: u64,
    pub phnum: u64,
    pub phentsize: u64,
    /// Lowest address and end of all segments.
    pub start: u64,
    pub end: u64,
    pub code: (u64, u64),
    pub data: (u64, u64),
}

/// Opens a file to be executed; regular files only.
pub fn open(path: &[u8]) -> Result<i32, LoadError> {
    let fd =
        host::open(path, libc::O_RDONLY | libc::O_NONBLOCK).map_err(|e| LoadError::errno(path, "cannot open", e))?;
    check_regular(fd, path)?;
    Ok(fd)
}

fn check_regular(fd: i32, path: &[u8]) -> Result<(), LoadError> {
    // SAFETY: all zero is a stat; the kernel writes it.
    let mode = unsafe {
        let mut stat: libc::stat = std::mem::zeroed();
        crate::call!(libc::SYS_fstat, fd, &raw mut stat).map(|_| stat.st_mode & libc::S_IFMT)
    };
    match mode {
        Ok(libc::S_IFREG) => Ok(()),
        Ok(libc::S_IFDIR) => Err(LoadError::errno(path, "cannot execute", Errno::EISDIR)),
        Ok(_) => Err(LoadError::new(path, "cannot execute: not a regular file")),
        Err(e) => Err(LoadError::errno(path, "cannot open", e)),
    }
}

/// The first page of a file.
pub fn head(fd: i32, path: &[u8]) -> Result<Vec<u8>, LoadError> {
    let mut buf = vec![0; PAGE as usize];
    let n = host::pread(fd, &mut buf, 0).map_err(|e| LoadError::errno(path, "cannot read", e))?;
    buf.truncate(n);
    Ok(buf)
}

impl Executable {
    /// Reads the headers of an open file, whose first page is known.
    pub fn read(fd: i32, path: &[u8], head: Vec<u8>) -> Result<Executable, LoadError> {
        let bad = |what: &str| LoadError::new(path, format!("cannot execute: {what}"));
        let header = elf::header(&head).map_err(bad)?;
        if header.kind != elf::ET_EXEC && header.kind != elf::ET_DYN {
            return Err(bad("an ELF file that is no program"));
        }
        let (offset, len) = header.segments_range().map_err(bad)?;
        let mut exe = Executable { fd, path: path.to_vec(), header, segments: Vec::new(), head, key: None };
        let bytes = exe.bytes(offset, len);
        if bytes.len() != len {
            return Err(bad("program headers outside the file"));
        }
        exe.segments = exe.header.segments(&bytes);
        Ok(exe)
    }

    /// A part of the file, short only at its end.
    fn bytes(&self, offset: u64, len: usize) -> Vec<u8> {
        let known = usize::try_from(offset).ok().and_then(|at| self.head.get(at..at.checked_add(len)?));
        if let Some(known) = known {
            return known.to_vec();
        }
        let mut bytes = vec![0; len];
        let n = host::pread(self.fd, &mut bytes, offset).unwrap_or(0);
        bytes.truncate(n);
        bytes
    }

    fn bad(&self, what: &str) -> LoadError {
        LoadError::new(&self.path, format!("cannot execute: {what}"))
    }

    fn loads(&self) -> impl DoubleEndedIterator<Item = &Segment> {
        self.segments.iter().filter(|s| s.kind == elf::PT_LOAD && s.memsz != 0)
    }

    /// The interpreter's path.
    pub fn interpreter(&self) -> Result<Option<Vec<u8>>, LoadError> {
        let Some(s) = self.segments.iter().find(|s| s.kind == elf::PT_INTERP) else { return Ok(None) };
        if !(2..=4096).contains(&s.filesz) {
            return Err(self.bad("the interpreter's path has a wrong length"));
        }
        let mut bytes = self.bytes(s.offset, s.filesz as usize);
        if bytes.len() as u64 != s.filesz {
            return Err(self.bad("the interpreter's path lies outside the file"));
        }
        if bytes.pop() != Some(0) {
            return Err(self.bad("the interpreter's path has no end"));
        }
        bytes.truncate(bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len()));
        Ok(Some(bytes))
    }

    /// PT_GNU_STACK's flags, if it has one.
    pub fn stack_flags(&self) -> Option<u32> {
        self.segments.iter().find(|s| s.kind == elf::PT_GNU_STACK).map(|s| s.flags)
    }

    /// The PROT_* bit that its code asks for by a property.
    fn guard(&self, guest: &Guest) -> u32 {
        let Some(b) = &guest.abi.branch_targets else { return 0 };
        let Some(s) = self.segments.iter().find(|s| s.kind == elf::PT_GNU_PROPERTY) else { return 0 };
        let bytes = self.bytes(s.offset, s.filesz.min(1024) as usize);
        if self.header.property(&bytes, b.property) & b.mask != 0 { b.prot } else { 0 }
    }

    /// The range of addresses that all segments take, in whole pages, and their greatest alignment.
    fn extent(&self) -> Result<(u64, u64, u64), LoadError> {
        let mut range: Option<(u64, u64)> = None;
        let mut align = PAGE;
        for s in self.loads() {
            let start = s.vaddr & !(PAGE - 1);
            let end = s.vaddr.checked_add(s.memsz).and_then(|e| e.checked_next_multiple_of(PAGE));
            let end = end.filter(|_| s.filesz <= s.memsz).ok_or_else(|| self.bad("a segment with impossible sizes"))?;
            range = Some(range.map_or((start, end), |r| (r.0.min(start), r.1.max(end))));
            if s.align.is_power_of_two() {
                align = align.max(s.align);
            }
        }
        let (start, end) = range.ok_or_else(|| self.bad("no segment to load"))?;
        Ok((start, end, align))
    }

    /// Maps all segments. `hint`: where a position-independent one should begin; without it, where mmap would put it.
    /// `guard`: a further PROT_* bit of its code.
    pub fn load(&mut self, mm: &Mm, hint: Option<u64>, guard: u32) -> Result<Loaded, LoadError> {
        let (start, end, align) = self.extent()?;
        let no_room = || LoadError::errno(&self.path, "cannot load", Errno::ENOMEM);
        let bias = if self.header.kind == elf::ET_EXEC {
            if !mm.is_free(start, end - start) {
                return Err(no_room());
            }
            0
        } else {
            let at = hint.map(|h| h & !(align - 1)).filter(|h| mm.is_free(*h, end - start));
            if at.is_none() {
                self.key = None;
            }
            let at = at.or_else(|| mm.find_gap(end - start, align)).ok_or_else(no_room)?;
            at.wrapping_sub(start)
        };
        let place = |addr: u64| addr.wrapping_add(bias);
        let mut loaded = Loaded {
            bias,
            entry: place(self.header.entry),
            phnum: self.header.phnum.into(),
            phentsize: self.header.phentsize.into(),
            start: place(start),
            end: place(end),
            ..Loaded::default()
        };
        for s in self.loads() {
            self.map_segment(mm, s, bias, guard).map_err(|e| LoadError::errno(&self.path, "cannot load", e))?;
            let range = (place(s.vaddr), place(s.vaddr + s.filesz));
            if s.flags & elf::PF_X != 0 {
                loaded.code = range;
            } else {
                loaded.data = range;
            }
            if (s.offset..s.offset.saturating_add(s.filesz)).contains(&self.header.phoff) {
                loaded.phdr = place(s.vaddr + (self.header.phoff - s.offset));
            }
        }
        if let Some(s) = self.segments.iter().find(|s| s.kind == elf::PT_PHDR) {
            loaded.phdr = place(s.vaddr);
        }
        Ok(loaded)
    }

    /// One segment: its part of the file, then zeros.
    fn map_segment(&self, mm: &Mm, s: &Segment, bias: u64, guard: u32) -> Result<(), Errno> {
        let addr = s.vaddr.wrapping_add(bias);
        let (page, skip) = (addr & !(PAGE - 1), addr & (PAGE - 1));
        let mut prot = 0;
        for (flag, bit) in [(elf::PF_R, libc::PROT_READ), (elf::PF_W, libc::PROT_WRITE), (elf::PF_X, libc::PROT_EXEC)] {
            prot |= if s.flags & flag != 0 { bit as u32 } else { 0 };
        }
        prot |= if s.flags & elf::PF_X != 0 { guard } else { 0 };
        let fixed = libc::MAP_PRIVATE | libc::MAP_FIXED;
        let (file_end, end) = (addr + s.filesz, addr + s.memsz);
        let mut zero_from = page;
        if s.filesz != 0 {
            let len = s.filesz + skip;
            if s.offset & (PAGE - 1) == skip {
                let (offset, key) = (s.offset - skip, self.key.filter(|_| prot & libc::PROT_EXEC as u32 != 0));
                let r = Request { addr: page, len, prot, flags: fixed, fd: self.fd, offset, name: "", key };
                mm.mmap(None, &r)?;
            } else {
                self.copy_segment(mm, s, page, skip, prot)?;
            }
            // The rest of the last page is zero if the segment has more. A segment that is not writable keeps what its file has there; a
            // writable one whose page lies beyond the file's end is an error (the kernel's padzero).
            let tail = file_end.next_multiple_of(PAGE) - file_end;
            if s.memsz > s.filesz && s.flags & elf::PF_W != 0 {
                memory::write(file_end, &[0; PAGE as usize][..tail as usize])?;
            }
            zero_from = file_end.next_multiple_of(PAGE);
        }
        let zero_end = end.next_multiple_of(PAGE);
        if s.memsz > s.filesz && zero_end > zero_from {
            let prot = prot & libc::PROT_EXEC as u32 | (libc::PROT_READ | libc::PROT_WRITE) as u32;
            let flags = fixed | libc::MAP_ANONYMOUS;
            mm.mmap(
                None,
                &Request {
                    addr: zero_from,
                    len: zero_end - zero_from,
                    prot,
                    flags,
                    fd: -1,
                    offset: 0,
                    name: "",
                    key: None,
                },
            )?;
        }
        Ok(())
    }

    /// A segment whose place in the file cannot be mapped to its address.
    fn copy_segment(&self, mm: &Mm, s: &Segment, page: u64, skip: u64, prot: u32) -> Result<(), Errno> {
        let flags = libc::MAP_PRIVATE | libc::MAP_FIXED | libc::MAP_ANONYMOUS;
        let write = (libc::PROT_READ | libc::PROT_WRITE) as u32;
        let mut r =
            Request { addr: page, len: s.filesz + skip, prot: write, flags, fd: -1, offset: 0, name: "", key: None };
        mm.mmap(None, &r)?;
        let mut buf = vec![0; 64 << 10];
        let mut done = 0;
        while done < s.filesz {
            let want = buf.len().min((s.filesz - done) as usize);
            let n = host::pread(self.fd, &mut buf[..want], s.offset.checked_add(done).ok_or(Errno::EINVAL)?)?;
            if n == 0 {
                break;
            }
            memory::write(page + skip + done, &buf[..n])?;
            done += n as u64;
        }
        if prot != write {
            r.prot = prot;
            mm.protect_new(r.addr, r.len, prot)?;
        }
        Ok(())
    }
}

/// What a program is, with its interpreter.
#[derive(Debug)]
pub struct Program {
    pub main: Loaded,
    pub interpreter: Option<Loaded>,
    pub stack_flags: Option<u32>,
}

impl Program {
    /// Where the guest starts.
    pub fn start(&self) -> u64 {
        self.interpreter.as_ref().map_or(self.main.entry, |i| i.entry)
    }
}

/// A path under `-L` if there is something, or the path as it is.
pub fn under_prefix(prefix: &[u8], path: &[u8]) -> Vec<u8> {
    if !prefix.is_empty() && path.starts_with(b"/") {
        let inside = [prefix, path].concat();
        if host::exists(&inside) {
            return inside;
        }
    }
    path.to_vec()
}

/// Loads an executable and its interpreter.
pub fn load(mm: &Mm, guest: &Guest, exe: &mut Executable, prefix: &[u8], base: u64) -> Result<Program, LoadError> {
    if !exe.header.is_for(&guest.elf) {
        return Err(exe.bad(&format!("not a program for {}", guest.name)));
    }
    let interpreter = match exe.interpreter()? {
        None => None,
        Some(path) => {
            let at = under_prefix(prefix, &path);
            let fd = host::open(&at, libc::O_RDONLY | libc::O_NONBLOCK).map_err(|e| {
                LoadError::errno(&exe.path, &format!("its interpreter {}", String::from_utf8_lossy(&path)), e)
            })?;
            check_regular(fd, &at)?;
            let head = head(fd, &at)?;
            let i = Executable::read(fd, &at, head)?;
            if !i.header.is_for(&guest.elf) {
                return Err(i.bad(&format!("not an interpreter for {}", guest.name)));
            }
            Some(i)
        }
    };
    // Of a program with an interpreter the kernel guards the interpreter alone, which looks after the rest.
    let guard = interpreter.as_ref().map_or_else(|| exe.guard(guest), |_| 0);
    let base = match mm.images() {
        Some(images) => {
            exe.key = stored::key_of(exe.fd, &exe.head);
            exe.key.map_or(base, |key| images.program(key))
        }
        None => base,
    };
    let main = exe.load(mm, Some(base), guard)?;
    let interpreter = match interpreter {
        None => None,
        Some(mut i) => {
            i.key = mm.images().and_then(|_| stored::key_of(i.fd, &i.head));
            let hint = mm.images().zip(i.key).and_then(|(images, key)| images.library(key).next());
            let loaded = i.load(mm, hint, i.guard(guest))?;
            host::close(i.fd);
            Some(loaded)
        }
    };
    Ok(Program { main, interpreter, stack_flags: exe.stack_flags() })
}

/// A script's interpreter and its optional argument.
pub type ScriptLine = (Vec<u8>, Option<Vec<u8>>);

/// The interpreter and its optional argument, if the file's head is a `#!` line (fs/binfmt_script.c).
pub fn script_line(head: &[u8]) -> Option<Result<ScriptLine, &'static str>> {
    // BINPRM_BUF_SIZE: more the kernel does not look at.
    let head = &head[..head.len().min(256)];
    let line = head.strip_prefix(b"#!")?;
    let end = line.iter().position(|b| *b == b'\n');
    let blank = |b: &u8| *b == b' ' || *b == b'\t';
    let line = &line[..end.unwrap_or(line.len())];
    let start = line.iter().position(|b| !blank(b))?;
    let line = &line[start..];
    let stop = line.iter().position(|b| blank(b) || *b == 0);
    if end.is_none() && stop.is_none() && head.len() >= 256 {
        return Some(Err("the interpreter's path is too long"));
    }
    let stop = stop.unwrap_or(line.len());
    if stop == 0 {
        return None;
    }
    let rest = &line[stop..];
    let rest = &rest[..rest.iter().position(|b| *b == 0).unwrap_or(rest.len())];
    let argument = rest.iter().position(|b| !blank(b)).map(|a| {
        let end = rest.iter().rposition(|b| !blank(b)).map_or(rest.len(), |e| e + 1);
        rest[a..end].to_vec()
    });
    Some(Ok((line[..stop].to_vec(), argument)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn script_lines() {
        let line = |s: &[u8]| script_line(s);
        assert_eq!(line(b"#!/bin/sh\necho"), Some(Ok((b"/bin/sh".to_vec(), None))));
        assert_eq!(
            line(b"#! /usr/bin/env  -S perl -w \nx"),
            Some(Ok((b"/usr/bin/env".to_vec(), Some(b"-S perl -w".to_vec()))))
        );
        assert_eq!(line(b"#!/bin/sh"), Some(Ok((b"/bin/sh".to_vec(), None))));
        assert_eq!(line(b"#!  \n"), None);
        assert_eq!(line(b"echo"), None);
        let long = [b"#!/".as_slice(), &[b'a'; 253]].concat();
        assert!(matches!(line(&long), Some(Err(_))));
    }
}
