//! /proc as the guest sees it: the files that would show rqemu are made up from the guest's own facts. A file counts however it is reached: by
//! /proc/self, /proc/thread-self, the own number, with or without task/, from the root or from an open directory.
//! What the kernel itself can be told about us, it is told at the start (`start.rs`); other processes see that.

use crate::call;
use crate::host::{self, Errno, Res};
use crate::loader;
use crate::memory;
use crate::task::Task;

/// A file that we make up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum File {
    Exe,
    Maps,
    Smaps,
    Auxv,
    Cmdline,
    Environ,
    Stat,
    Cpuinfo,
}

/// The names of the own process's files.
const OWN: &[(&[u8], File)] = &[
    (b"exe", File::Exe),
    (b"maps", File::Maps),
    (b"smaps", File::Smaps),
    (b"auxv", File::Auxv),
    (b"cmdline", File::Cmdline),
    (b"environ", File::Environ),
    (b"stat", File::Stat),
];

/// Whether a path may name one of our files: cheap, and false for nearly all.
pub fn may_be_own(path: &[u8]) -> bool {
    if path.starts_with(b"/") {
        return path.starts_with(b"/proc/");
    }
    let last = path.rsplit(|b| *b == b'/').next().unwrap_or(path);
    last == b"cpuinfo" || OWN.iter().any(|(name, _)| *name == last)
}

/// The absolute path, if it may be one of ours: cheap for all other paths.
fn absolute(dirfd: i32, path: &[u8]) -> Option<Vec<u8>> {
    if !may_be_own(path) {
        return None;
    }
    if path.starts_with(b"/") {
        return Some(path.to_vec());
    }
    let dir = if dirfd == libc::AT_FDCWD {
        b"/proc/self/cwd".to_vec()
    } else {
        format!("/proc/self/fd/{dirfd}").into_bytes()
    };
    let dir = host::readlink(&dir).ok()?;
    dir.starts_with(b"/proc").then(|| [&dir, b"/".as_slice(), path].concat())
}

/// Which of our files a path names.
fn file(dirfd: i32, path: &[u8]) -> Option<File> {
    let path = absolute(dirfd, path)?;
    let mut parts = path.split(|b| *b == b'/').filter(|p| !p.is_empty() && *p != b".");
    parts.next().filter(|p| *p == b"proc")?;
    let first = parts.next()?;
    if first == b"cpuinfo" {
        return parts.next().is_none().then_some(File::Cpuinfo);
    }
    let is = |part: &[u8], id: i32| part == id.to_string().as_bytes();
    if first != b"self" && first != b"thread-self" && !is(first, host::getpid()) && !is(first, host::gettid()) {
        return None;
    }
    let mut name = parts.next()?;
    if name == b"task" {
        parts.next()?;
        name = parts.next()?;
    }
    if parts.next().is_some() {
        return None;
    }
    OWN.iter().find(|(n, _)| *n == name).map(|(_, f)| *f)
}

/// open(2) of a file that we make up; None if the host's file is right.
pub fn open(t: &Task, dirfd: i32, path: &[u8], flags: i32) -> Option<Res> {
    let file = file(dirfd, path)?;
    if flags & (libc::O_PATH | libc::O_DIRECTORY) != 0 && file != File::Exe {
        return None;
    }
    if file == File::Exe {
        if flags & libc::O_NOFOLLOW != 0 {
            return None;
        }
        let exe = host::c_string(&t.process.image.exe);
        return Some(
            t.host_call(libc::SYS_openat, [libc::AT_FDCWD as u64, exe.as_ptr() as u64, flags as u64, 0, 0, 0]),
        );
    }
    if flags & libc::O_ACCMODE != libc::O_RDONLY {
        return Some(Err(Errno::EACCES));
    }
    let contents = contents(t, file).ok()?;
    Some(in_memory(&contents, flags))
}

/// A file in memory with these bytes, open at its beginning.
fn in_memory(contents: &[u8], flags: i32) -> Res {
    let cloexec = if flags & libc::O_CLOEXEC != 0 { libc::MFD_CLOEXEC } else { 0 };
    // SAFETY: the kernel reads the string.
    let fd = unsafe { call!(libc::SYS_memfd_create, c"proc".as_ptr(), cloexec) }?;
    host::write_all(fd as i32, contents);
    // SAFETY: no memory is involved.
    unsafe { call!(libc::SYS_lseek, fd, 0, libc::SEEK_SET) }?;
    Ok(fd)
}

/// The program's own memory, where it may have changed its arguments.
fn guest_bytes((start, end): (u64, u64)) -> Vec<u8> {
    let mut bytes = vec![0; (end - start) as usize];
    let n = memory::read_some(start, &mut bytes);
    bytes.truncate(n);
    bytes
}

fn contents(t: &Task, file: File) -> Result<Vec<u8>, Errno> {
    let p = t.process;
    Ok(match file {
        File::Exe => return Err(Errno::ENOENT),
        File::Maps => p.mm.maps(p.image.stack_start).into_bytes(),
        File::Smaps => smaps(t),
        File::Auxv => p.image.auxv.clone(),
        File::Cmdline => guest_bytes(p.image.args),
        File::Environ => guest_bytes(p.image.env),
        File::Stat => stat(t, &host::read_file(b"/proc/self/stat")?),
        File::Cpuinfo => {
            (0..processors()).flat_map(|n| (p.engine.guest().cpuinfo)(n, p.cpu.features).into_bytes()).collect()
        }
    })
}

/// maps with sizes; what is resident is not known per range.
fn smaps(t: &Task) -> Vec<u8> {
    let mut out = String::new();
    for line in t.process.mm.maps(t.process.image.stack_start).lines() {
        let mut ends = line.split([' ', '-']).map(|h| u64::from_str_radix(h, 16).unwrap_or(0));
        let size = ends.next().map_or(0, |start| ends.next().unwrap_or(start) - start) / 1024;
        out.push_str(line);
        out.push_str(&format!("\nSize:           {size:8} kB\nKernelPageSize:        4 kB\nMMUPageSize:           4 kB\nRss:                   0 kB\n"));
    }
    out.into_bytes()
}

/// The host's line with the guest's addresses (man 5 proc: fields 26, 27, 28 code and stack, 45 to 51 data, heap, arguments, environment).
fn stat(t: &Task, line: &[u8]) -> Vec<u8> {
    let i = &t.process.image;
    let text = String::from_utf8_lossy(line);
    // The name may hold blanks: fields are counted from its end.
    let Some((head, rest)) = text.rsplit_once(')') else { return line.to_vec() };
    let mut fields: Vec<String> = rest.split_whitespace().map(str::to_string).collect();
    let heap = t.process.mm.heap();
    let known = [
        (26, i.code.0),
        (27, i.code.1),
        (28, i.stack_start),
        (45, i.data.0),
        (46, i.data.1),
        (47, heap.0),
        (48, i.args.0),
        (49, i.args.1),
        (50, i.env.0),
        (51, i.env.1),
    ];
    for (number, value) in known {
        if let Some(f) = fields.get_mut(number - 3) {
            *f = value.to_string();
        }
    }
    format!("{head}) {}\n", fields.join(" ")).into_bytes()
}

/// Processors that are on line.
fn processors() -> usize {
    let Ok(list) = host::read_file(b"/sys/devices/system/cpu/online") else { return 1 };
    let text = String::from_utf8_lossy(&list).into_owned();
    let count = text.trim().split(',').map(|range| {
        let mut ends = range.split('-').map(|n| n.parse::<usize>().unwrap_or(0));
        let first = ends.next().unwrap_or(0);
        ends.next().unwrap_or(first) - first + 1
    });
    count.sum::<usize>().max(1)
}

/// readlink(2) of a link that we make up.
pub fn readlink(t: &Task, dirfd: i32, path: &[u8]) -> Option<Vec<u8>> {
    (file(dirfd, path)? == File::Exe).then(|| t.process.image.exe.clone())
}

/// The path of the guest's executable, if that is meant.
pub fn own_executable(t: &Task, dirfd: i32, path: &[u8]) -> Option<Vec<u8>> {
    readlink(t, dirfd, path)
}

/// The path that the host must be asked for: the executable for /proc/self/exe, a file under `-L` if it is there.
pub fn resolve(t: &Task, dirfd: i32, path: Vec<u8>) -> Vec<u8> {
    own_executable(t, dirfd, &path).unwrap_or_else(|| resolve_link(t, path))
}

/// The same for calls that look at a symbolic link itself.
pub fn resolve_link(t: &Task, path: Vec<u8>) -> Vec<u8> {
    loader::under_prefix(&t.process.options.ld_prefix, &path)
}
