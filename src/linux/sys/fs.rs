//! Files by name: opening, directories, links, owners and modes, extended attributes, notification. What tells of a file is in `stat.rs`.

use crate::compat;
use crate::host;
use crate::lock::Lock;
use crate::proc;
use crate::ptrace;
use crate::sys::prelude::*;

syscalls! { |t|
    sys_open(path: Path, flags: Flags<Open>, mode: Mode) -> Fd { open_at(t, libc::AT_FDCWD, path, flags, mode) }
    sys_openat(dir: DirFd, path: Path, flags: Flags<Open>, mode: Mode) -> Fd { open_at(t, dir, path, flags, mode) }
    sys_openat2(dir: DirFd, path: Path, how: In<OpenHow>, size: Size) -> Fd { open_at2(t, dir, path, how, size) }
    sys_creat(path: NewPath, mode: Mode) -> Fd {
        open_host(t, libc::AT_FDCWD, path, libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC, mode)
    }
    sys_mknod(path: NewPath, mode: Mode, dev: UInt) -> Zero;
    sys_mknodat(dir: DirFd, path: NewPath, mode: Mode, dev: UInt) -> Zero;
    sys_mkdir(path: NewPath, mode: Mode) -> Zero;
    sys_mkdirat(dir: DirFd, path: NewPath, mode: Mode) -> Zero;
    sys_rmdir(path: NewPath) -> Zero;
    sys_unlink(path: NewPath) -> Zero;
    sys_unlinkat(dir: DirFd, path: NewPath, flags: Flags<At>) -> Zero;
    sys_link(old: NewPath, new: NewPath) -> Zero;
    sys_linkat(old_dir: DirFd, old: NewPath, new_dir: DirFd, new: NewPath, flags: Flags<At>) -> Zero;
    sys_symlink(target: Str, path: NewPath) -> Zero;
    sys_symlinkat(target: Str, dir: DirFd, path: NewPath) -> Zero;
    sys_rename(old: NewPath, new: NewPath) -> Zero;
    sys_renameat(old_dir: DirFd, old: NewPath, new_dir: DirFd, new: NewPath) -> Zero;
    sys_renameat2(old_dir: DirFd, old: NewPath, new_dir: DirFd, new: NewPath, flags: UInt) -> Zero;
    sys_readlink(path: Path, buf: OutBuf<len>, len: Size) -> Size { read_link(t, libc::AT_FDCWD, path, buf, len) }
    sys_readlinkat(dir: DirFd, path: Path, buf: OutBuf<len>, len: Size) -> Size { read_link(t, dir, path, buf, len) }
    sys_chdir(path: NewPath) -> Zero;
    sys_fchdir(fd: Fd) -> Zero;
    sys_chroot(path: NewPath) -> Zero { change_root(t, nr::sys_chroot, path.addr, 0) }
    sys_pivot_root(new_root: NewPath, put_old: NewPath) -> Zero {
        change_root(t, nr::sys_pivot_root, new_root.addr, put_old.addr)
    }
    sys_getcwd(buf: OutBuf<len>, len: Size) -> Size;
    sys_chmod(path: OldPath, mode: Mode) -> Zero;
    sys_fchmod(fd: Fd, mode: Mode) -> Zero;
    sys_fchmodat(dir: DirFd, path: OldPath, mode: Mode) -> Zero;
    sys_fchmodat2(dir: DirFd, path: OldPath, mode: Mode, flags: Flags<At>) -> Zero;
    sys_chown(path: OldPath, owner: UInt, group: UInt) -> Zero;
    sys_lchown(path: NewPath, owner: UInt, group: UInt) -> Zero;
    sys_fchown(fd: Fd, owner: UInt, group: UInt) -> Zero;
    sys_fchownat(dir: DirFd, path: OldPath, owner: UInt, group: UInt, flags: Flags<At>) -> Zero;
    sys_umask(mask: Mode) -> Int;
    sys_access(path: Path, mode: Flags<Access>) -> Zero;
    sys_faccessat(dir: DirFd, path: Path, mode: Flags<Access>) -> Zero;
    sys_faccessat2(dir: DirFd, path: Path, mode: Flags<Access>, flags: Flags<At>) -> Zero;
    sys_truncate(path: OldPath, len: Long) -> Zero;
    sys_truncate64(path: OldPath, len: I64) -> Zero = sys_truncate;

    // Directories.
    sys_getdents(fd: Fd, entries: Addr, len: UInt) -> Size { getdents(t, fd, entries, len, OLD) }
    sys_getdents64(fd: Fd, entries: Addr, len: UInt) -> Size { getdents(t, fd, entries, len, NEW) }

    // Extended attributes.
    sys_setxattr(path: OldPath, name: Str, value: InBuf<len>, len: Size, flags: UInt) -> Zero;
    sys_lsetxattr(path: NewPath, name: Str, value: InBuf<len>, len: Size, flags: UInt) -> Zero;
    sys_fsetxattr(fd: Fd, name: Str, value: InBuf<len>, len: Size, flags: UInt) -> Zero;
    sys_getxattr(path: Path, name: Str, value: OutBuf<len>, len: Size) -> Size;
    sys_lgetxattr(path: LinkPath, name: Str, value: OutBuf<len>, len: Size) -> Size;
    sys_fgetxattr(fd: Fd, name: Str, value: OutBuf<len>, len: Size) -> Size;
    sys_listxattr(path: Path, list: OutBuf<len>, len: Size) -> Size;
    sys_llistxattr(path: LinkPath, list: OutBuf<len>, len: Size) -> Size;
    sys_flistxattr(fd: Fd, list: OutBuf<len>, len: Size) -> Size;
    sys_removexattr(path: OldPath, name: Str) -> Zero;
    sys_lremovexattr(path: NewPath, name: Str) -> Zero;
    sys_fremovexattr(fd: Fd, name: Str) -> Zero;
    // struct xattr_args { u64 value; u32 size; u32 flags; } is alike everywhere but for byte order.
    sys_setxattrat(dir: DirFd, path: OldPath, flags: Flags<At>, name: Str, args: InBuf<len>, len: Size) -> Zero;
    sys_getxattrat(dir: DirFd, path: Path, flags: Flags<At>, name: Str, args: InBuf<len>, len: Size) -> Size;
    sys_listxattrat(dir: DirFd, path: Path, flags: Flags<At>, list: OutBuf<len>, len: Size) -> Size;
    sys_removexattrat(dir: DirFd, path: OldPath, flags: Flags<At>, name: Str) -> Zero;

    // Handles, notification.
    sys_name_to_handle_at(dir: DirFd, path: Path, handle: Addr, mount_id: Out<Int32>, flags: Flags<At>) -> Zero;
    sys_open_by_handle_at(mount: Fd, handle: Addr, flags: Flags<Open>) -> Fd { open_by_handle(t, mount, handle, flags) }
    sys_inotify_init() -> Fd;
    sys_inotify_init1(flags: Flags<Open>) -> Fd;
    sys_inotify_add_watch(fd: Fd, path: Path, mask: UInt) -> Int;
    sys_inotify_rm_watch(fd: Fd, watch: Int) -> Zero;
    sys_fanotify_init(flags: UInt, event_flags: Flags<Open>) -> Fd;
    sys_fanotify_mark(fd: Fd, flags: UInt, mask: I64, dir: DirFd, path: Path) -> Zero;
}

/// chroot(2), pivot_root(2).
fn change_root(t: &mut Task, number: u32, a: u64, b: u64) -> Res {
    if let Some(folder) = t.process.folder {
        folder.keep();
    }
    t.host_call(i64::from(number), [a, b, 0, 0, 0, 0])
}

/// A string for the host: with its NUL.
fn terminated(mut path: Vec<u8>) -> Vec<u8> {
    path.push(0);
    path
}

fn open_at(t: &mut Task, dir: i32, path: Text, flags: u32, mode: u32) -> Res {
    let host_flags = flags::Open.to_host(t.abi().model(), u64::from(flags)) as i32;
    open_host(t, dir, path, host_flags, mode)
}

fn open_host(t: &mut Task, dir: i32, path: Text, host_flags: i32, mode: u32) -> Res {
    let name = path.read()?;
    // What is to be made is made where the guest says, and a link that is not followed is the host's.
    let found = if host_flags & libc::O_CREAT != 0 {
        name.clone()
    } else if host_flags & libc::O_NOFOLLOW != 0 {
        proc::resolve_link(t, dir, name.clone())
    } else {
        proc::resolve(t, dir, name.clone())
    };
    // The 32-bit call takes the guest's own string.
    let bounded = found == name && is_bounded(t, dir, &name, host_flags);
    let found = terminated(found);
    let args = |path: u64| [dir as u64, path, host_flags as u64, u64::from(mode), 0, 0];
    let done = bounded.then(|| t.compat_call(compat::Call::Openat, args(path.addr)));
    let fd = match done {
        Some(done) if !compat::is_absent() => done?,
        _ => t.host_call(i64::from(nr::sys_openat), args(found.as_ptr() as u64))?,
    };
    ptrace::opened(&name, host_flags);
    proc::opened(t, &name, fd, host_flags)
}

/// Whether opening the file binds it to offsets of 31 bits: then a long one is EOVERFLOW, and nothing is written beyond (EFBIG). The kernel does that for a file
/// that was opened without O_LARGEFILE, which the host's 64-bit calls always set; its 32-bit call is made where it matters, and not where it may wait.
/// openat2(2) sets it for every ABI.
fn is_bounded(t: &Task, dir: i32, path: &[u8], flags: i32) -> bool {
    if !may_be_bounded(t, flags) {
        return false;
    }
    if flags & libc::O_TMPFILE == libc::O_TMPFILE {
        return true;
    }
    let link = if flags & libc::O_NOFOLLOW != 0 { libc::AT_SYMLINK_NOFOLLOW } else { 0 };
    match host::stat_at(dir, path, link) {
        Ok(stat) => {
            let written = flags & libc::O_ACCMODE != libc::O_RDONLY;
            stat.st_mode & libc::S_IFMT == libc::S_IFREG && (written || stat.st_size > i64::from(i32::MAX))
        }
        Err(_) => flags & libc::O_CREAT != 0,
    }
}

fn may_be_bounded(t: &Task, flags: i32) -> bool {
    const O_LARGEFILE: i32 = 0o100_000;
    // O_TMPFILE has the bit of O_DIRECTORY.
    let is_folder = flags & libc::O_TMPFILE == libc::O_DIRECTORY;
    t.abi().short_offsets && flags & (O_LARGEFILE | libc::O_PATH) == 0 && !is_folder
}

/// open_by_handle_at(2): what the handle leads to is looked at first, as in [`is_bounded`].
fn open_by_handle(t: &mut Task, mount: i32, handle: u64, flags: u32) -> Res {
    let flags = flags::Open.to_host(t.abi().model(), u64::from(flags)) as i32;
    let args = |flags: i32| [mount as u64, handle, flags as u64, 0, 0, 0];
    let nr = i64::from(nr::sys_open_by_handle_at);
    let looked = may_be_bounded(t, flags).then(|| t.host_call(nr, args(libc::O_PATH | libc::O_CLOEXEC)));
    if let Some(Ok(fd)) = looked {
        let stat = host::stat_at(fd as i32, b"", libc::AT_EMPTY_PATH);
        host::close(fd as i32);
        if stat.is_ok_and(|s| s.st_mode & libc::S_IFMT == libc::S_IFREG) {
            let done = t.compat_call(compat::Call::OpenByHandleAt, args(flags));
            if !compat::is_absent() {
                return done;
            }
        }
    }
    t.host_call(nr, args(flags))
}

fn open_at2(t: &mut Task, dir: i32, path: Text, how: Pointer<OpenHow>, size: u64) -> Res {
    let known = OpenHow::size(t.abi().model()) as u64;
    if size < known {
        return Err(Errno::EINVAL);
    }
    if size > 4096 {
        return Err(Errno::E2BIG);
    }
    // man 2 openat2: what a longer struct has beyond ours must be zero.
    let mut rest = vec![0; (size - known) as usize];
    memory::read(how.addr.wrapping_add(known), &mut rest)?;
    if rest.iter().any(|b| *b != 0) {
        return Err(Errno::E2BIG);
    }
    let how = how.read(t)?;
    let name = path.read()?;
    let flags = flags::Open.to_host(t.abi().model(), how.flags);
    let follow = flags as i32 & (libc::O_CREAT | libc::O_NOFOLLOW) == 0;
    if follow {
        proc::may_follow(t, dir, &name, how.resolve)?;
    }
    let path = if follow && how.resolve == 0 { proc::resolve(t, dir, name.clone()) } else { name.clone() };
    let (path, host) = (terminated(path), [flags, how.mode, how.resolve]);
    let args = [dir as u64, path.as_ptr() as u64, host.as_ptr() as u64, 24, 0, 0];
    let fd = t.host_call(i64::from(nr::sys_openat2), args)?;
    proc::opened(t, &name, fd, flags as i32)
}

fn read_link(t: &mut Task, dir: i32, path: Text, buf: u64, len: u64) -> Res {
    if (len as i32) <= 0 {
        return Err(Errno::EINVAL);
    }
    let name = path.read()?;
    if let Some(target) = proc::readlink(t, dir, &name) {
        let shown = &target[..target.len().min(len as usize)];
        memory::write(buf, shown)?;
        return Ok(shown.len() as u64);
    }
    let name = terminated(proc::resolve(t, dir, name));
    t.host_call(i64::from(nr::sys_readlinkat), [dir as u64, name.as_ptr() as u64, buf, len, 0, 0])
}

/// The form of directory entries.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Dirent {
    /// Size of d_ino and of d_off: a `long`, or 8 bytes.
    wide: bool,
}
/// struct linux_dirent: d_type is the last byte.
const OLD: Dirent = Dirent { wide: false };
/// struct linux_dirent64: d_type stands before the name.
const NEW: Dirent = Dirent { wide: true };

/// An entry as the host's getdents64 gives it: d_ino, d_off (8 bytes each), d_reclen (2), d_type (1), name.
const HOST_NAME: usize = 19;

fn getdents(t: &mut Task, fd: i32, entries: u64, len: u32, form: Dirent) -> Res {
    let m = t.abi().model();
    let call = i64::from(nr::sys_getdents64);
    let made_up = proc::listing(t, fd, len as usize)?;
    if made_up.is_none() && m.like_host() && form == NEW {
        return t.host_call(call, [fd as u64, entries, u64::from(len), 0, 0, 0]);
    }
    // The old form is never longer than the new one, so that all entries fit.
    let bytes = match made_up {
        Some(bytes) => bytes,
        None => {
            let len = len.min(1 << 20);
            let mut host = vec![0u64; (len as usize).div_ceil(8)];
            let got = t.host_call(call, [fd as u64, host.as_mut_ptr() as u64, u64::from(len), 0, 0, 0])?;
            host.iter().flat_map(|w| w.to_le_bytes()).take(got as usize).collect()
        }
    };
    let (mut out, mut at, mut hashed) = (Vec::with_capacity(bytes.len()), 0, false);
    while at < bytes.len() {
        let reclen = usize::from(u16::from_le_bytes([bytes[at + 16], bytes[at + 17]]));
        hashed |= put_entry(m, form, &bytes[at..at + reclen], &mut out);
        at += reclen;
    }
    if hashed {
        remember_hashed(fd);
    }
    memory::write(entries, &out)?;
    Ok(out.len() as u64)
}

/// Appends one entry in the guest's form. True if its position was shortened.
fn put_entry(m: arch::layout::Model, form: Dirent, host: &[u8], out: &mut Vec<u8>) -> bool {
    use crate::layout::put_number;
    let word = |at: usize| u64::from_le_bytes(host[at..at + 8].try_into().unwrap_or_default());
    let (ino, off, kind) = (word(0), word(8), host[18]);
    let name = &host[HOST_NAME..];
    let name = &name[..name.iter().position(|b| *b == 0).unwrap_or(name.len())];
    let short = short_position(m.long, off);
    let size = if form.wide { 8 } else { m.long };
    let before_name = size * 2 + 2 + usize::from(form.wide);
    // The name, its NUL, and in the old form d_type at the very end.
    let reclen = (before_name + name.len() + 1 + usize::from(!form.wide)).next_multiple_of(size);
    let start = out.len();
    out.resize(start + reclen, 0);
    let entry = &mut out[start..];
    // An inode number that does not fit is folded rather than EOVERFLOW: names matter more to readers of directories.
    let ino = if size == 4 && ino >> 32 != 0 { (ino ^ ino >> 32) & 0xffff_ffff } else { ino };
    put_number(m, &mut entry[..size], ino);
    put_number(m, &mut entry[size..2 * size], short);
    put_number(m, &mut entry[2 * size..2 * size + 2], reclen as u64);
    entry[if form.wide { before_name - 1 } else { reclen - 1 }] = kind;
    entry[before_name..before_name + name.len()].copy_from_slice(name);
    short != off
}

/// A directory position that a 32-bit guest can keep in a `long`. ext4 gives 63-bit hashes to 64-bit callers and their upper half to
/// 32-bit ones; we do the latter ourselves. Its end marker, the largest position, becomes the largest short one.
fn short_position(long: usize, off: u64) -> u64 {
    if long == 8 || off <= 0x7fff_ffff { off } else { off >> 32 }
}

/// Directories (device, inode) whose positions were shortened, newest last.
pub(super) static HASHED: Lock<Vec<(u64, u64)>> = Lock::new(Vec::new());
const MOST_HASHED: usize = 64;

fn identity(fd: i32) -> Option<(u64, u64)> {
    let mut stat = [0u64; 18];
    // SAFETY: the kernel writes a struct stat of 144 bytes.
    unsafe { crate::host::syscall(libc::SYS_fstat, [fd as u64, stat.as_mut_ptr() as u64, 0, 0, 0, 0]) }.ok()?;
    Some((stat[0], stat[1]))
}

fn remember_hashed(fd: i32) {
    let Some(id) = identity(fd) else { return };
    let mut known = HASHED.lock();
    if !known.contains(&id) {
        if known.len() == MOST_HASHED {
            known.remove(0);
        }
        known.push(id);
    }
}

fn is_hashed(t: &Task, fd: i32) -> bool {
    t.abi().long == 4 && !HASHED.lock().is_empty() && identity(fd).is_some_and(|id| HASHED.lock().contains(&id))
}

/// The host's position for one that a 32-bit guest had from getdents.
pub fn directory_position(t: &Task, fd: i32, offset: i64, whence: u32) -> i64 {
    if whence == libc::SEEK_SET as u32 && (1..=0x7fff_ffff).contains(&offset) && is_hashed(t, fd) {
        offset << 32
    } else {
        offset
    }
}

/// What a 32-bit guest is told of a position.
pub fn shown_position(t: &Task, fd: i32, at: u64) -> u64 {
    if at > 0x7fff_ffff && is_hashed(t, fd) { short_position(4, at) } else { at }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::tests::{BIG32, LITTLE32};

    fn host_entry(ino: u64, off: u64, name: &str) -> Vec<u8> {
        let mut e = [ino.to_le_bytes(), off.to_le_bytes()].concat();
        let reclen = (HOST_NAME + name.len() + 1).next_multiple_of(8);
        e.extend_from_slice(&(reclen as u16).to_le_bytes());
        e.push(4);
        e.extend_from_slice(name.as_bytes());
        e.resize(reclen, 0);
        e
    }

    #[test]
    fn old_entries_fit_32_bits() {
        let mut out = Vec::new();
        assert!(put_entry(LITTLE32, OLD, &host_entry(0x1_0000_0007, 0x1234_5678_9abc_def0, "ab"), &mut out));
        assert_eq!(out, [6, 0, 0, 0, 0x78, 0x56, 0x34, 0x12, 16, 0, b'a', b'b', 0, 0, 0, 4]);
    }

    #[test]
    fn new_entries_have_the_guests_order() {
        let mut out = Vec::new();
        assert!(!put_entry(BIG32, NEW, &host_entry(7, 9, "abc"), &mut out));
        assert_eq!(out[..16], [0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 9]);
        assert_eq!(out[16..], [0, 24, 4, b'a', b'b', b'c', 0, 0]);
    }
}
