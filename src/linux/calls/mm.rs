//! Memory calls. Flags are the host's already.

use crate::host::{Errno, Res};
use crate::task::Task;

pub fn mmap(_t: &mut Task, _addr: u64, _len: u64, _prot: u32, _flags: u32, _fd: i32, _offset: u64) -> Res {
    Err(Errno::ENOSYS)
}
pub fn munmap(_t: &mut Task, _addr: u64, _len: u64) -> Res {
    Err(Errno::ENOSYS)
}
pub fn mremap(_t: &mut Task, _addr: u64, _old_len: u64, _new_len: u64, _flags: u32, _new_addr: u64) -> Res {
    Err(Errno::ENOSYS)
}
pub fn mprotect(_t: &mut Task, _addr: u64, _len: u64, _prot: u32) -> Res {
    Err(Errno::ENOSYS)
}
pub fn brk(_t: &mut Task, _addr: u64) -> Res {
    Err(Errno::ENOSYS)
}
pub fn madvise(_t: &mut Task, _addr: u64, _len: u64, _advice: i32) -> Res {
    Err(Errno::ENOSYS)
}
pub fn mseal(_t: &mut Task, _addr: u64, _len: u64, _flags: u64) -> Res {
    Err(Errno::ENOSYS)
}
pub fn shmat(_t: &mut Task, _id: i32, _addr: u64, _flags: i32) -> Res {
    Err(Errno::ENOSYS)
}
pub fn shmdt(_t: &mut Task, _addr: u64) -> Res {
    Err(Errno::ENOSYS)
}
