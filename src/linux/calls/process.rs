//! Calls that make, change and end processes and threads.

use crate::host::{Errno, Res};
use crate::sys::structs::{Rusage, ULongWord};
use crate::sys::types::{Pointer, Text};
use crate::task::Task;

pub fn clone(_t: &mut Task, _flags: u64, _stack: u64, _parent_tid: u64, _tls: u64, _child_tid: u64) -> Res {
    Err(Errno::ENOSYS)
}
/// `args`: struct clone_args, all u64, in the guest's byte order.
pub fn clone3(_t: &mut Task, _args: u64, _size: u64) -> Res {
    Err(Errno::ENOSYS)
}
pub fn fork(_t: &mut Task) -> Res {
    Err(Errno::ENOSYS)
}
pub fn vfork(_t: &mut Task) -> Res {
    Err(Errno::ENOSYS)
}
/// execve and execveat; `JUST_RETURN` if the new program has begun.
pub fn execve(_t: &mut Task, _dir: i32, _path: Text, _argv: u64, _envp: u64, _flags: u32) -> Res {
    Err(Errno::ENOSYS)
}
pub fn exit(_t: &mut Task, _status: i32) -> Res {
    Err(Errno::ENOSYS)
}
pub fn exit_group(_t: &mut Task, _status: i32) -> Res {
    Err(Errno::ENOSYS)
}
/// `info`: the guest's siginfo_t, or 0.
pub fn waitid(_t: &mut Task, _which: u32, _id: i32, _info: u64, _options: u32, _usage: Pointer<Rusage>) -> Res {
    Err(Errno::ENOSYS)
}
pub fn set_tid_address(_t: &mut Task, _addr: u64) -> Res {
    Err(Errno::ENOSYS)
}
pub fn set_robust_list(_t: &mut Task, _head: u64, _len: u64) -> Res {
    Err(Errno::ENOSYS)
}
pub fn get_robust_list(_t: &mut Task, _pid: i32, _head: Pointer<ULongWord>, _len: Pointer<ULongWord>) -> Res {
    Err(Errno::ENOSYS)
}
pub fn unshare(_t: &mut Task, _flags: u32) -> Res {
    Err(Errno::ENOSYS)
}
pub fn personality(_t: &mut Task, _persona: u32) -> Res {
    Err(Errno::ENOSYS)
}
pub fn arm_breakpoint(_t: &mut Task) -> Res {
    Err(Errno::ENOSYS)
}
pub fn cacheflush(_t: &mut Task, _start: u64, _end: u64, _flags: u32) -> Res {
    Err(Errno::ENOSYS)
}
pub fn set_tls(_t: &mut Task, _value: u64) -> Res {
    Err(Errno::ENOSYS)
}
pub fn get_tls(_t: &mut Task) -> Res {
    Err(Errno::ENOSYS)
}
