//! File descriptors and what is read and written through them.

use crate::sys::structs::*;
use crate::sys::flags;
use crate::layout::CStruct;
use crate::sys::types::*;
use crate::syscalls;
use crate::task::Task;

syscalls! { |t|
    sys_read(fd: Fd, buf: OutBuf<len>, len: Size) -> Size;
    sys_pread64(fd: Fd, buf: OutBuf<len>, len: Size, pos: I64) -> Size;
    sys_openat(dir: DirFd, path: Path, flags: Flags<Open>, mode: Mode) -> Fd;
    sys_preadv(fd: Fd, iov: OutIov<count>, count: ULong, pos: LowHigh) -> Size;
    sys_clock_gettime32(clock: Clock, ts: Out<Timespec32>) -> Zero = sys_clock_gettime;
    sys_nanosleep_time32(clock: Clock, ts: Out<Timespec32>) -> Zero { let _ = ts.read(t)?; done(clock) }
    sys_ptrace() -> Zero = enosys("debuggers come later");
}
