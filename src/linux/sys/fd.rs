//! File descriptors: reading, writing, positions, copies of descriptors, pipes, splicing.

use crate::sys::prelude::*;

syscalls! { |t|
    sys_read(fd: Fd, buf: OutBuf<len>, len: Size) -> Size;
    sys_write(fd: Fd, buf: InBuf<len>, len: Size) -> Size;
    sys_pread64(fd: Fd, buf: OutBuf<len>, len: Size, pos: I64) -> Size;
    sys_pwrite64(fd: Fd, buf: InBuf<len>, len: Size, pos: I64) -> Size;
    sys_readv(fd: Fd, iov: OutIov<count>, count: ULong) -> Size;
    sys_writev(fd: Fd, iov: InIov<count>, count: ULong) -> Size;
    sys_preadv(fd: Fd, iov: OutIov<count>, count: ULong, pos: LowHigh) -> Size;
    sys_pwritev(fd: Fd, iov: InIov<count>, count: ULong, pos: LowHigh) -> Size;
    sys_preadv2(fd: Fd, iov: OutIov<count>, count: ULong, pos: LowHigh, flags: Flags<Rwf>) -> Size;
    sys_pwritev2(fd: Fd, iov: InIov<count>, count: ULong, pos: LowHigh, flags: Flags<Rwf>) -> Size;
    sys_lseek(fd: Fd, offset: Long, whence: Enum<Whence>) -> Size {
        let at = seek(t, fd, offset, whence)?;
        // man 2 lseek: EOVERFLOW if the position does not fit off_t.
        if t.abi().long == 4 && at > 0x7fff_ffff { Err(Errno::EOVERFLOW) } else { Ok(at) }
    }
    sys_llseek(fd: Fd, high: ULong, low: ULong, result: Out<Int64>, whence: Enum<Whence>) -> Zero {
        let offset = (high << 32 | low & 0xffff_ffff).cast_signed();
        let at = seek(t, fd, offset, whence)?;
        result.write(t, Int64 { value: at.cast_signed() })?;
        Ok(0)
    }
    sys_close(fd: Fd) -> Zero;
    sys_close_range(first: UInt, last: UInt, flags: UInt) -> Zero;
    sys_dup(fd: Fd) -> Fd;
    sys_dup2(old: Fd, new: Fd) -> Fd;
    sys_dup3(old: Fd, new: Fd, flags: Flags<Open>) -> Fd;
    sys_pipe(fds: Out<FdPair>) -> Zero;
    sys_pipe2(fds: Out<FdPair>, flags: Flags<Open>) -> Zero;
    sys_flock(fd: Fd, operation: Int) -> Zero;
    sys_fsync(fd: Fd) -> Zero;
    sys_fdatasync(fd: Fd) -> Zero;
    sys_syncfs(fd: Fd) -> Zero;
    sys_sync() -> Zero;
    sys_sync_file_range(fd: Fd, offset: I64, len: I64, flags: UInt) -> Zero;
    /// The order of arguments that keeps pairs in even registers.
    sys_sync_file_range2(fd: Fd, flags: UInt, offset: I64, len: I64) -> Zero {
        t.host_call(i64::from(nr::sys_sync_file_range), [fd as u64, offset as u64, len as u64, u64::from(flags), 0, 0])
    }
    sys_readahead(fd: Fd, offset: I64, len: Size) -> Zero;
    sys_fadvise64(fd: Fd, offset: I64, len: Size, advice: Enum<Fadvise>) -> Zero;
    sys_fadvise64_64(fd: Fd, offset: I64, len: I64, advice: Enum<Fadvise>) -> Zero = sys_fadvise64;
    sys_arm_fadvise64_64(fd: Fd, advice: Enum<Fadvise>, offset: I64, len: I64) -> Zero {
        t.host_call(i64::from(nr::sys_fadvise64), [fd as u64, offset as u64, len as u64, u64::from(advice), 0, 0])
    }
    sys_fallocate(fd: Fd, mode: Flags<Falloc>, offset: I64, len: I64) -> Zero;
    sys_ftruncate(fd: Fd, len: Long) -> Zero;
    sys_ftruncate64(fd: Fd, len: I64) -> Zero = sys_ftruncate;
    sys_sendfile(out: Fd, input: Fd, offset: InOut<LongWord>, len: Size) -> Size = sys_sendfile64;
    sys_sendfile64(out: Fd, input: Fd, offset: InOut<Int64>, len: Size) -> Size;
    sys_copy_file_range(input: Fd, in_offset: InOut<Int64>, out: Fd, out_offset: InOut<Int64>, len: Size, flags: UInt) -> Size;
    sys_splice(input: Fd, in_offset: InOut<Int64>, out: Fd, out_offset: InOut<Int64>, len: Size, flags: UInt) -> Size;
    sys_tee(input: Fd, out: Fd, len: Size, flags: UInt) -> Size;
    sys_vmsplice(fd: Fd, iov: InIov<count>, count: ULong, flags: UInt) -> Size;
    sys_memfd_create(name: Str, flags: Flags<Memfd>) -> Fd;
    /// Hidden from other processes and from the kernel's copies, not from this one.
    sys_memfd_secret(flags: UInt) -> Fd;
    sys_cachestat(fd: Fd, range: Addr, stat: Addr, flags: UInt) -> Zero;
    sys_kcmp(pid1: Pid, pid2: Pid, kind: Int, idx1: ULong, idx2: ULong) -> Int;
    sys_pidfd_open(pid: Pid, flags: Flags<Open>) -> Fd;
    sys_pidfd_getfd(pidfd: Fd, fd: Fd, flags: UInt) -> Fd;
}

/// lseek on the host, with the positions of directories that `getdents` gave to 32-bit guests.
fn seek(t: &mut Task, fd: i32, offset: i64, whence: u32) -> Res {
    let offset = crate::sys::fs::directory_position(t, fd, offset, whence);
    let at = t.host_call(i64::from(nr::sys_lseek), [fd as u64, offset as u64, u64::from(whence), 0, 0, 0])?;
    Ok(crate::sys::fs::shown_position(t, fd, at))
}
