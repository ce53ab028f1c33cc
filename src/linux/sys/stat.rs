//! What tells of files and file systems: stat in all its forms, statfs, times of files.

use crate::layout::Layout;
use crate::proc;
use crate::sys::prelude::*;

syscalls! { |t|
    sys_newstat(path: Path, stat: Out<Stat>) -> Zero;
    sys_newlstat(path: LinkPath, stat: Out<Stat>) -> Zero;
    sys_newfstat(fd: Fd, stat: Out<Stat>) -> Zero {
        plain::call(t, &[Ty::Fd, Ty::Out(Stat::layout)], nr::sys_newfstat, &[fd as u64, stat.addr, 0, 0, 0, 0, 0, 0])?;
        of_file_behind(t, fd, stat)
    }
    sys_newfstatat(dir: DirFd, path: Path, stat: Out<Stat>, flags: Flags<At>) -> Zero {
        newfstatat(t, dir, path.addr, stat, flags)?;
        if is_about_descriptor(dir, path, flags) { of_file_behind(t, dir, stat) } else { Ok(0) }
    }
    sys_stat64(path: Path, stat: Out<Stat64>) -> Zero { stat64(t, libc::AT_FDCWD, Some(path), stat, 0) }
    sys_lstat64(path: Path, stat: Out<Stat64>) -> Zero {
        stat64(t, libc::AT_FDCWD, Some(path), stat, libc::AT_SYMLINK_NOFOLLOW as u32)
    }
    sys_fstat64(fd: Fd, stat: Out<Stat64>) -> Zero { stat64(t, fd, None, stat, 0) }
    sys_fstatat64(dir: DirFd, path: Path, stat: Out<Stat64>, flags: Flags<At>) -> Zero { stat64(t, dir, Some(path), stat, flags) }
    sys_statx(dir: DirFd, path: Path, flags: Flags<At>, mask: UInt, stat: Out<Statx>) -> Zero {
        const TYPES: &[Ty] = &[Ty::DirFd, Ty::Path, Ty::Flags(&flags::At), Ty::UInt, Ty::Out(Statx::layout)];
        let call = |t: &mut Task, dir: i32, path, flags: u32| {
            plain::call(t, TYPES, nr::sys_statx, &[dir as u64, path, flags.into(), mask.into(), stat.addr, 0, 0, 0])
        };
        call(t, dir, path.addr, flags)?;
        let told = is_about_descriptor(dir, path, flags).then(|| stat.read(t).ok()).flatten();
        match told.and_then(|told| behind(dir, told.stx_mode.into(), told.stx_nlink)) {
            Some(path) => call(t, libc::AT_FDCWD, path.as_ptr() as u64, flags & !EMPTY_PATH),
            None => Ok(0),
        }
    }
    sys_statfs(path: Path, buf: Out<Statfs>) -> Zero;
    sys_fstatfs(fd: Fd, buf: Out<Statfs>) -> Zero {
        let host = HostStruct::of(t.abi().model(), Statfs::layout(), buf.addr)?;
        fstatfs(t, fd, host.host)?;
        host.write_back(t.abi().model())?;
        Ok(0)
    }
    sys_statfs64(path: Path, size: Size, buf: Out<Statfs64>) -> Zero {
        check_statfs64(t, size)?;
        let name = proc::resolve(t, libc::AT_FDCWD, path.read()?);
        let name = crate::host::c_string(&name);
        statfs64(t, buf, |t, to| t.host_call(i64::from(nr::sys_statfs), [name.as_ptr() as u64, to, 0, 0, 0, 0]))
    }
    sys_fstatfs64(fd: Fd, size: Size, buf: Out<Statfs64>) -> Zero {
        check_statfs64(t, size)?;
        statfs64(t, buf, |t, to| fstatfs(t, fd, to))
    }
    sys_ustat(dev: UInt, buf: Out<Ustat>) -> Zero;
    sys_sysfs(option: Int, arg1: ULong, arg2: ULong) -> Int;

    sys_utimensat(dir: DirFd, path: OldPath, times: In<TwoTimespecs>, flags: Flags<At>) -> Zero;
    sys_utimensat_time32(dir: DirFd, path: OldPath, times: In<TwoTimespecs32>, flags: Flags<At>) -> Zero = sys_utimensat;
    sys_utime(path: OldPath, times: In<Utimbuf>) -> Zero;
    sys_utimes(path: OldPath, times: In<TwoTimevals>) -> Zero;
    sys_futimesat(dir: DirFd, path: OldPath, times: In<TwoTimevals>) -> Zero;
    sys_utimes_time32(path: OldPath, times: In<TwoTimevals>) -> Zero = sys_utimes;
    sys_futimesat_time32(dir: DirFd, path: OldPath, times: In<TwoTimevals>) -> Zero = sys_futimesat;

    sys_file_getattr(dir: DirFd, path: Path, attr: OutBuf<size>, size: Size, flags: Flags<At>) -> Zero;
    sys_file_setattr(dir: DirFd, path: OldPath, attr: InBuf<size>, size: Size, flags: Flags<At>) -> Zero;
}

/// About the descriptor itself, if the path is empty.
const EMPTY_PATH: u32 = libc::AT_EMPTY_PATH as u32;

/// Whether a call is about the descriptor itself: its path is empty, or there is none.
fn is_about_descriptor(dir: i32, path: Text, flags: u32) -> bool {
    flags & EMPTY_PATH != 0 && dir >= 0 && (path.addr == 0 || path.read().is_ok_and(|path| path.is_empty()))
}

/// The path of the file of /proc that a descriptor stands for, with its NUL. `mode` and `links`: what the kernel tells of the descriptor, by which most are
/// known to stand for none.
fn behind(fd: i32, mode: u32, links: u32) -> Option<Vec<u8>> {
    let path = proc::is_like_made_up(mode, links.into()).then(|| proc::stands_for(fd)).flatten()?;
    Some(crate::host::c_string(&path))
}

/// What is told of a descriptor is put right if it stands for a file of /proc.
fn of_file_behind(t: &mut Task, fd: i32, stat: Pointer<Stat>) -> Res {
    let told = stat.read(t).ok();
    match told.and_then(|told| behind(fd, told.st_mode, told.st_nlink)) {
        Some(path) => newfstatat(t, libc::AT_FDCWD, path.as_ptr() as u64, stat, 0),
        None => Ok(0),
    }
}

fn newfstatat(t: &mut Task, dir: i32, path: u64, stat: Pointer<Stat>, flags: u32) -> Res {
    const TYPES: &[Ty] = &[Ty::DirFd, Ty::Path, Ty::Out(Stat::layout), Ty::Flags(&flags::At)];
    plain::call(t, TYPES, nr::sys_newfstatat, &[dir as u64, path, stat.addr, flags.into(), 0, 0, 0, 0])
}

fn stat64(t: &mut Task, dir: i32, path: Option<Text>, stat: Pointer<Stat64>, flags: u32) -> Res {
    let mut value = match path {
        Some(path) => {
            let name = path.read()?;
            let links = flags & libc::AT_SYMLINK_NOFOLLOW as u32 != 0;
            let name = if links { proc::resolve_link(t, dir, name) } else { proc::resolve(t, dir, name) };
            stat64_at(t, dir, &crate::host::c_string(&name), flags)?
        }
        None => stat64_by(t, |t, to| t.host_call(i64::from(nr::sys_newfstat), [dir as u64, to, 0, 0, 0, 0]))?,
    };
    if path.is_none_or(|path| is_about_descriptor(dir, path, flags))
        && let Some(path) = behind(dir, value.st_mode, value.st_nlink)
    {
        value = stat64_at(t, libc::AT_FDCWD, &path, 0)?;
    }
    // Both members have it, the old one its low half.
    value.__st_ino = value.st_ino;
    stat.write(t, value)?;
    Ok(0)
}

fn stat64_at(t: &mut Task, dir: i32, path: &[u8], flags: u32) -> Result<Stat64, Errno> {
    stat64_by(t, |t, to| {
        t.host_call(i64::from(nr::sys_newfstatat), [dir as u64, path.as_ptr() as u64, to, u64::from(flags), 0, 0])
    })
}

fn stat64_by(t: &mut Task, ask: impl Fn(&mut Task, u64) -> Res) -> Result<Stat64, Errno> {
    let guest = asked(t, Stat64::layout(), ask)?;
    Ok(Stat64::from_bytes(t.abi().model(), &guest))
}

/// The struct that the host writes when it is asked, in the guest's form.
fn asked(t: &mut Task, layout: &'static Layout, ask: impl Fn(&mut Task, u64) -> Res) -> Result<Vec<u8>, Errno> {
    let r = layout.of(t.abi().model());
    let mut host = vec![0u64; r.host_size.div_ceil(8)];
    ask(t, host.as_mut_ptr() as u64)?;
    let mut guest = vec![0; r.size];
    r.to_guest(plain::bytes(&host), &mut guest)?;
    Ok(guest)
}

fn check_statfs64(t: &Task, size: u64) -> Result<(), Errno> {
    let known = Statfs64::size(t.abi().model()) as u64;
    // arm's kernel takes 88, the size without packing, for 84 (sys_statfs64_wrapper).
    if size == known || size == known.next_multiple_of(8) { Ok(()) } else { Err(Errno::EINVAL) }
}

/// The host's struct at `to`: for what stands for a file of /proc that one's.
fn fstatfs(t: &mut Task, fd: i32, to: u64) -> Res {
    t.host_call(i64::from(nr::sys_fstatfs), [fd as u64, to, 0, 0, 0, 0])?;
    let kind = memory::read_u64(to).ok();
    let path = kind.filter(|kind| *kind == libc::TMPFS_MAGIC as u64).and_then(|_| proc::stands_for(fd));
    match path.map(|path| crate::host::c_string(&path)) {
        Some(path) => t.host_call(i64::from(nr::sys_statfs), [path.as_ptr() as u64, to, 0, 0, 0, 0]),
        None => Ok(0),
    }
}

fn statfs64(t: &mut Task, buf: Pointer<Statfs64>, ask: impl Fn(&mut Task, u64) -> Res) -> Res {
    memory::write(buf.addr, &asked(t, Statfs64::layout(), ask)?)?;
    Ok(0)
}
