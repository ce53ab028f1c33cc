//! /proc as the guest sees it: the files that would show rqemu are made up from the guest's own facts, or from the host's text without rqemu's part.
//! Which file is meant is asked of the kernel, so that it counts however it is reached: by /proc/self, thread-self, a number, with or without task/,
//! through an open directory, the working directory, or another mount of proc.
//!
//! What the kernel itself can be told about us, it is told at the start (`start.rs`): every process sees that. Of other processes that run by rqemu,
//! `exe` and `maps` are brought right here. What the files hold: `contents.rs`; what ioctl says of a map: `query.rs`.
//!
//! A descriptor of such a file is one of a file in memory, whose name says which file it stands for.
// Differs: what is read again is what it was when the file was opened.

mod contents;
mod query;

pub use contents::{host_end, own_maps, padded};
pub use query::query;

use crate::call;
use crate::host::{self, Errno, Res};
use crate::loader;
use crate::task::Task;

/// A file that we make up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum File {
    /// A symbolic link; all others are files.
    Exe,
    /// A symbolic link in the folder map_files: the range in its name.
    MapLink(u64, u64),
    /// That folder.
    MapFiles,
    Maps,
    Smaps,
    SmapsRollup,
    NumaMaps,
    Auxv,
    Cmdline,
    Environ,
    Stat,
    Statm,
    Status,
    Limits,
    Cpuinfo,
    /// /proc/sys/kernel/arch
    Arch,
}

/// Files that are no process's: the ends of their paths.
const OF_ALL: &[(&[&[u8]], File)] = &[(&[b"cpuinfo"], File::Cpuinfo), (&[b"sys", b"kernel", b"arch"], File::Arch)];

/// A process's files.
const NAMES: &[(&[u8], File)] = &[
    (b"exe", File::Exe),
    (b"maps", File::Maps),
    (b"smaps", File::Smaps),
    (b"smaps_rollup", File::SmapsRollup),
    (b"numa_maps", File::NumaMaps),
    (b"auxv", File::Auxv),
    (b"cmdline", File::Cmdline),
    (b"environ", File::Environ),
    (b"stat", File::Stat),
    (b"statm", File::Statm),
    (b"status", File::Status),
    (b"limits", File::Limits),
];

/// Whose a file is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Whose {
    Own,
    /// Of another process that runs by this rqemu.
    OfAnother,
}

/// A file of /proc that we make up.
#[derive(Debug)]
struct Found {
    file: File,
    whose: Whose,
    /// The process's folder, as the host can be asked for it.
    folder: Vec<u8>,
}

/// A file's name in a process's folder.
fn file_of_name(name: &[u8]) -> Option<File> {
    NAMES.iter().find(|(n, _)| *n == name).map(|(_, f)| *f)
}

/// The range that names a file in map_files.
fn range(name: &[u8]) -> Option<(u64, u64)> {
    let hex = |text: &str| u64::from_str_radix(text, 16).ok();
    let (start, end) = std::str::from_utf8(name).ok()?.split_once('-')?;
    Some((hex(start)?, hex(end)?))
}

fn last(path: &[u8]) -> &[u8] {
    path.rsplit(|b| *b == b'/').next().unwrap_or(path)
}

/// Whether a path may name one of our files: cheap, and false for nearly all.
pub fn may_be_own(path: &[u8]) -> bool {
    let name = last(path);
    OF_ALL.iter().any(|(path, _)| path.last() == Some(&name))
        || file_of_name(name).is_some()
        || range(name).is_some()
        || is_number(&name)
}

/// A process's name, or a descriptor's.
fn is_number(name: &&[u8]) -> bool {
    !name.is_empty() && name.iter().all(u8::is_ascii_digit)
}

/// The same for links, which must be known before the host is asked.
fn may_be_link(path: &[u8]) -> bool {
    let name = last(path);
    name == b"exe" || range(name).is_some()
}

fn is_proc(fd: i32) -> bool {
    // SAFETY: all zero is a statfs; the kernel writes it.
    unsafe {
        let mut fs: libc::statfs = std::mem::zeroed();
        call!(libc::SYS_fstatfs, fd, &raw mut fs).is_ok() && fs.f_type == libc::PROC_SUPER_MAGIC
    }
}

/// Device and inode, by a path that is followed.
fn identity(path: &[u8]) -> Option<(u64, u64)> {
    let stat = host::stat_at(libc::AT_FDCWD, path, 0).ok()?;
    Some((stat.st_dev, stat.st_ino))
}

/// Which of our files an absolute path in a proc file system names, whose links are resolved.
fn found(path: &[u8]) -> Option<Found> {
    let parts: Vec<&[u8]> = path.split(|b| *b == b'/').filter(|p| !p.is_empty()).collect();
    let (mut end, name) = (parts.len().checked_sub(1)?, *parts.last()?);
    let process = |at: usize| parts.get(at).is_some_and(is_number);
    let file = if end > 0 && parts[end - 1] == b"map_files" {
        end -= 1;
        let (start, end) = range(name)?;
        File::MapLink(start, end)
    } else if name == b"map_files" {
        File::MapFiles
    } else if let Some((path, file)) = OF_ALL.iter().find(|(path, _)| parts.ends_with(path)) {
        let of_process = process(parts.len().wrapping_sub(path.len() + 1));
        return (!of_process).then(|| Found { file: *file, whose: Whose::Own, folder: Vec::new() });
    } else {
        file_of_name(name)?
    };
    let mut at = end.checked_sub(1)?;
    if at >= 2 && process(at) && parts[at - 1] == b"task" {
        at -= 2;
    }
    if !process(at) {
        return None;
    }
    let mount = parts[..at].iter().flat_map(|p| [b"/", *p].concat()).collect::<Vec<u8>>();
    let folder = [&mount, b"/".as_slice(), parts[at]].concat();
    // Numbers are those of the mount's process namespace, which may be another than ours.
    let own = host::readlink(&[&mount, b"/self".as_slice()].concat()).ok()?;
    let whose = if own == parts[at] {
        Whose::Own
    } else {
        let theirs = identity(&[&folder, b"/exe".as_slice()].concat())?;
        (identity(&[&mount, b"/self/exe".as_slice()].concat()) == Some(theirs)).then_some(Whose::OfAnother)?
    };
    Some(Found { file, whose, folder })
}

fn real_path(fd: i32) -> Option<Vec<u8>> {
    host::readlink(format!("/proc/self/fd/{fd}").as_bytes()).ok()
}

/// Which of our links a path names, which is not followed at its end.
fn link(t: &Task, dirfd: i32, path: &[u8]) -> Option<Found> {
    if !may_be_link(path) {
        return None;
    }
    let real = real_link(t, dirfd, path)?;
    found(&real).filter(|f| matches!(f.file, File::Exe | File::MapLink(..)))
}

/// Where a link in a proc file system is that is not followed.
fn real_link(t: &Task, dirfd: i32, path: &[u8]) -> Option<Vec<u8>> {
    let name = last(path);
    let parent = &path[..path.len() - name.len()];
    let parent = host::c_string(if parent.is_empty() { b"." } else { parent });
    let flags = (libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC) as u64;
    let fd = t.host_call(libc::SYS_openat, [dirfd as u64, parent.as_ptr() as u64, flags, 0, 0, 0]).ok()? as i32;
    let real = is_proc(fd).then(|| real_path(fd)).flatten();
    host::close(fd);
    Some([&real?, b"/".as_slice(), name].concat())
}

/// The target of one of our links.
fn target(t: &Task, found: &Found) -> Option<Vec<u8>> {
    match (found.file, found.whose) {
        (File::Exe, Whose::Own) => contents::executable(t, found).or_else(|| Some(t.process.image.exe.clone())),
        (File::Exe, Whose::OfAnother) => contents::executable(t, found),
        _ => None,
    }
}

/// readlink(2) of a link that we make up.
pub fn readlink(t: &Task, dirfd: i32, path: &[u8]) -> Option<Vec<u8>> {
    if path.is_empty() && is_proc(dirfd) {
        // The link itself, opened by O_PATH and O_NOFOLLOW.
        return target(t, &found(&real_path(dirfd)?)?);
    }
    if is_number(&last(path)) {
        return descriptors_file(t, dirfd, path);
    }
    target(t, &link(t, dirfd, path)?)
}

/// The path of our file for which the descriptor stands whose link this is.
fn descriptors_file(t: &Task, dirfd: i32, path: &[u8]) -> Option<Vec<u8>> {
    is_number(&last(path)).then(|| meant_by(&host::readlink(&real_link(t, dirfd, path)?).ok()?)).flatten()
}

/// The path of the executable that a link of /proc stands for, the guest's own or another's. One that was removed is left to the
/// link of its mapping, which root may open.
pub fn own_executable(t: &Task, dirfd: i32, path: &[u8]) -> Option<Vec<u8>> {
    let found = link(t, dirfd, path)?;
    let target = target(t, &found)?;
    if !target.ends_with(b" (deleted)") || identity(&target).is_some() {
        return Some(target);
    }
    let (start, end) = contents::host_range(&found, contents::code_start(t, &found))?;
    Some(map_file(&found.folder, start, end))
}

/// The path that the host must be asked for: the executable for /proc/self/exe, a file under `-L` if it is there.
pub fn resolve(t: &Task, dirfd: i32, path: Vec<u8>) -> Vec<u8> {
    let other = own_executable(t, dirfd, &path).or_else(|| descriptors_file(t, dirfd, &path));
    other.unwrap_or_else(|| resolve_link(t, dirfd, path))
}

/// The same for calls that look at a symbolic link itself.
pub fn resolve_link(t: &Task, dirfd: i32, path: Vec<u8>) -> Vec<u8> {
    map_link(t, dirfd, &path).unwrap_or_else(|| loader::under_prefix(&t.process.options.ld_prefix, &path))
}

/// The host's link in map_files for the guest's: there a mapping may be longer, since it knows nothing of PROT_EXEC. One that does not exist for what is
/// no range of the guest's.
fn map_link(t: &Task, dirfd: i32, path: &[u8]) -> Option<Vec<u8>> {
    range(last(path))?;
    let found = link(t, dirfd, path)?;
    let File::MapLink(start, end) = found.file else { return None };
    let of_guest = contents::mapped_files(t, &found)?.contains(&(start, end));
    let (start, end) = of_guest.then(|| contents::host_range(&found, start)).flatten().unwrap_or_default();
    Some(map_file(&found.folder, start, end))
}

/// The host's link in a process's map_files.
fn map_file(folder: &[u8], start: u64, end: u64) -> Vec<u8> {
    [folder, format!("/map_files/{start:x}-{end:x}").as_bytes()].concat()
}

/// What getdents64(2) gives for `fd` in `len` bytes, in the host's form, if that is the folder map_files: the guest's ranges. The position is the kernel's.
pub fn listing(t: &Task, fd: i32, len: usize) -> Result<Option<Vec<u8>>, Errno> {
    let found = || is_proc(fd).then(|| real_path(fd)).flatten().and_then(|p| found(&p));
    let Some(found) = found().filter(|f| f.file == File::MapFiles) else { return Ok(None) };
    let Some(ranges) = contents::mapped_files(t, &found) else { return Ok(None) };
    let seek = |at: u64, whence: i32| t.host_call(libc::SYS_lseek, [fd as u64, at, whence as u64, 0, 0, 0]);
    let first = seek(0, libc::SEEK_CUR)? as usize;
    let dots = [(".".into(), libc::DT_DIR), ("..".into(), libc::DT_DIR)];
    let links = ranges.iter().map(|(start, end)| (format!("{start:x}-{end:x}"), libc::DT_LNK));
    let mut out = Vec::new();
    let mut next = first;
    for (name, kind) in dots.into_iter().chain(links).skip(first) {
        // d_ino, d_off, d_reclen, d_type, name.
        let size = (20 + name.len()).next_multiple_of(8);
        if out.len() + size > len {
            if out.is_empty() {
                return Err(Errno::EINVAL);
            }
            break;
        }
        next += 1;
        let end = out.len() + size;
        out.extend([1, next as u64].map(u64::to_le_bytes).as_flattened());
        out.extend((size as u16).to_le_bytes());
        out.push(kind);
        out.extend(name.as_bytes());
        out.resize(end, 0);
    }
    seek(next as u64, libc::SEEK_SET)?;
    Ok(Some(out))
}

/// openat2's restrictions, which magic links meet as the kernel says (man 2 openat2). `resolve`: how.resolve.
pub fn may_follow(t: &Task, dirfd: i32, path: &[u8], resolve: u64) -> Result<(), Errno> {
    const NO_XDEV: u64 = 1;
    const NO_LINKS: u64 = 2 | 4;
    const INSIDE: u64 = 8 | 16;
    if resolve & (NO_XDEV | NO_LINKS | INSIDE) == 0 || link(t, dirfd, path).is_none() {
        return Ok(());
    }
    Err(if resolve & NO_LINKS != 0 { Errno::ELOOP } else { Errno::EXDEV })
}

/// What open(2) has opened by `path`, or what we put into its place: the same descriptor with made-up contents.
pub fn opened(t: &Task, path: &[u8], fd: u64, flags: i32) -> Res {
    let fd = fd as i32;
    if !may_be_own(path) || flags & (libc::O_PATH | libc::O_DIRECTORY) != 0 || flags & libc::O_ACCMODE == libc::O_WRONLY
    {
        return Ok(fd as u64);
    }
    // A descriptor's link may lead to what stands for a file: the file is opened again.
    let meant = is_number(&last(path)).then(|| stands_for(fd)).flatten();
    let again = meant.map(|path| host::open(&path, libc::O_RDONLY)).transpose()?;
    let made_up = made_up(t, again.unwrap_or(fd));
    if let Some(again) = again {
        host::close(again);
    }
    let Some(file) = made_up.transpose()? else { return Ok(fd as u64) };
    let cloexec = flags & libc::O_CLOEXEC;
    // SAFETY: no memory is involved.
    let put = unsafe { call!(libc::SYS_dup3, file, fd, cloexec) };
    host::close(file);
    put
}

/// What stands for the host's file `fd`, if that is one of ours.
fn made_up(t: &Task, fd: i32) -> Option<Result<i32, Errno>> {
    let path = is_proc(fd).then(|| real_path(fd)).flatten()?;
    let bytes = contents::of(t, &found(&path)?, fd)?;
    Some(in_memory(&path, &bytes))
}

/// How the name of a file in memory begins that stands for one of ours; that one's path follows.
const MARK: &[u8] = b"rqemu:";

/// A file in memory with these bytes, open for reading at its beginning, which stands for the one at `path`.
fn in_memory(path: &[u8], bytes: &[u8]) -> Result<i32, Errno> {
    let name = host::c_string(&[MARK, path].concat());
    // SAFETY: the kernel reads the string.
    let fd = unsafe { call!(libc::SYS_memfd_create, name.as_ptr(), libc::MFD_CLOEXEC) }? as i32;
    host::write_all(fd, bytes);
    // SAFETY: no memory is involved.
    let _ = unsafe { call!(libc::SYS_fchmod, fd, 0o444) };
    let for_reading = host::open(format!("/proc/self/fd/{fd}").as_bytes(), libc::O_RDONLY);
    host::close(fd);
    for_reading
}

/// The path of our file that a link to a file in memory means.
pub fn meant_by(link: &[u8]) -> Option<Vec<u8>> {
    let name = link.strip_prefix(b"/memfd:")?.strip_prefix(MARK)?;
    name.strip_suffix(b" (deleted)").map(<[u8]>::to_vec)
}

/// The path of our file for which a descriptor stands.
pub fn stands_for(fd: i32) -> Option<Vec<u8>> {
    meant_by(&real_path(fd)?)
}

/// Whether a file that fstat(2) tells this of may be one that stands for ours: true of few others.
pub fn is_like_made_up(mode: u32, links: u64) -> bool {
    links == 0 && mode == libc::S_IFREG | 0o444
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for path in [
            "/proc/self/exe",
            "exe",
            "/x/maps",
            "status",
            "/proc/cpuinfo",
            "/proc/sys/kernel/arch",
            "/proc/1/map_files/400000-401000",
        ] {
            assert!(may_be_own(path.as_bytes()), "{path}");
        }
        for path in ["/proc/self/fd", "/bin/ls", "", "/exe/", "libc-2.31", "map_files"] {
            assert!(!may_be_own(path.as_bytes()), "{path}");
        }
    }

    #[test]
    fn own_files_are_found() {
        let me = host::readlink(b"/proc/self").unwrap();
        let me = String::from_utf8(me).unwrap();
        let file = |path: String| found(path.as_bytes()).map(|f| (f.file, f.whose));
        assert_eq!(file(format!("/proc/{me}/exe")), Some((File::Exe, Whose::Own)));
        assert_eq!(file(format!("/proc/{me}/task/{me}/stat")), Some((File::Stat, Whose::Own)));
        assert_eq!(file(format!("/proc/{me}/map_files/1000-2000")), Some((File::MapLink(0x1000, 0x2000), Whose::Own)));
        assert_eq!(file(format!("/proc/{me}/map_files")), Some((File::MapFiles, Whose::Own)));
        assert_eq!(file("/proc/cpuinfo".into()), Some((File::Cpuinfo, Whose::Own)));
        assert_eq!(file("/proc/sys/kernel/arch".into()), Some((File::Arch, Whose::Own)));
        for other in ["/proc/stat", "/proc/kernel/arch", "/proc/1/fd/maps", "/proc/bus/maps", "/maps"] {
            assert_eq!(file(other.into()), None, "{other}");
        }
        assert_eq!(file(format!("/proc/{me}/net/stat")), None);
        assert_eq!(file(format!("/proc/{me}/task/stat")), None);
    }
}
