//! Who a process is: pids, users, groups, sessions, capabilities. The `16` entries are old arm's with 16-bit ids.

use crate::sys::prelude::*;

syscalls! { |t|
    sys_getpid() -> Pid;
    sys_getppid() -> Pid;
    sys_gettid() -> Pid;
    sys_getpgid(pid: Pid) -> Pid;
    sys_setpgid(pid: Pid, group: Pid) -> Zero;
    sys_getpgrp() -> Pid;
    sys_getsid(pid: Pid) -> Pid;
    sys_setsid() -> Pid;
    sys_getuid() -> Int;
    sys_geteuid() -> Int;
    sys_getgid() -> Int;
    sys_getegid() -> Int;
    sys_setuid(uid: UInt) -> Zero;
    sys_setgid(gid: UInt) -> Zero;
    sys_setreuid(real: UInt, effective: UInt) -> Zero;
    sys_setregid(real: UInt, effective: UInt) -> Zero;
    sys_setresuid(real: UInt, effective: UInt, saved: UInt) -> Zero;
    sys_setresgid(real: UInt, effective: UInt, saved: UInt) -> Zero;
    sys_getresuid(real: Out<UInt32>, effective: Out<UInt32>, saved: Out<UInt32>) -> Zero;
    sys_getresgid(real: Out<UInt32>, effective: Out<UInt32>, saved: Out<UInt32>) -> Zero;
    sys_setfsuid(uid: UInt) -> Int;
    sys_setfsgid(gid: UInt) -> Int;
    sys_getgroups(count: Int, groups: OutArray<UInt32, count>) -> Int;
    sys_setgroups(count: Int, groups: InArray<UInt32, count>) -> Zero;
    sys_capget(header: InOut<CapHeader>, data: Addr) -> Zero;
    sys_capset(header: InOut<CapHeader>, data: Addr) -> Zero;

    sys_getuid16() -> Int { low(t, nr::sys_getuid) }
    sys_geteuid16() -> Int { low(t, nr::sys_geteuid) }
    sys_getgid16() -> Int { low(t, nr::sys_getgid) }
    sys_getegid16() -> Int { low(t, nr::sys_getegid) }
    sys_setuid16(uid: UInt) -> Zero { set(t, nr::sys_setuid, [uid, 0, 0]) }
    sys_setgid16(gid: UInt) -> Zero { set(t, nr::sys_setgid, [gid, 0, 0]) }
    sys_setreuid16(real: UInt, effective: UInt) -> Zero { set(t, nr::sys_setreuid, [real, effective, 0]) }
    sys_setregid16(real: UInt, effective: UInt) -> Zero { set(t, nr::sys_setregid, [real, effective, 0]) }
    sys_setresuid16(real: UInt, effective: UInt, saved: UInt) -> Zero { set(t, nr::sys_setresuid, [real, effective, saved]) }
    sys_setresgid16(real: UInt, effective: UInt, saved: UInt) -> Zero { set(t, nr::sys_setresgid, [real, effective, saved]) }
    sys_setfsuid16(uid: UInt) -> Int { set(t, nr::sys_setfsuid, [uid, 0, 0]).map(shown) }
    sys_setfsgid16(gid: UInt) -> Int { set(t, nr::sys_setfsgid, [gid, 0, 0]).map(shown) }
    sys_getresuid16(real: Out<Id16>, effective: Out<Id16>, saved: Out<Id16>) -> Zero = sys_getresuid;
    sys_getresgid16(real: Out<Id16>, effective: Out<Id16>, saved: Out<Id16>) -> Zero = sys_getresgid;
    sys_getgroups16(count: Int, groups: OutArray<Id16, count>) -> Int = sys_getgroups;
    sys_setgroups16(count: Int, groups: InArray<Id16, count>) -> Zero = sys_setgroups;
    sys_chown16(path: NewPath, owner: UInt, group: UInt) -> Zero { chown(t, path, owner, group, 0) }
    sys_lchown16(path: NewPath, owner: UInt, group: UInt) -> Zero { chown(t, path, owner, group, libc::AT_SYMLINK_NOFOLLOW) }
    sys_fchown16(fd: Fd, owner: UInt, group: UInt) -> Zero {
        t.host_call(i64::from(nr::sys_fchown), [fd as u64, wide(owner), wide(group), 0, 0, 0])
    }
}

/// 65535 is -1: no change.
fn wide(id: u32) -> u64 {
    match id & 0xffff {
        0xffff => 0xffff_ffff,
        id => u64::from(id),
    }
}

/// What does not fit is the overflow id (/proc/sys/kernel/overflowuid).
fn shown(id: u64) -> u64 {
    if id > 0xffff { 65534 } else { id }
}

fn low(t: &mut Task, nr: u32) -> Res {
    t.host_call(i64::from(nr), [0; 6]).map(shown)
}

fn set(t: &mut Task, nr: u32, ids: [u32; 3]) -> Res {
    let [a, b, c] = ids.map(wide);
    t.host_call(i64::from(nr), [a, b, c, 0, 0, 0])
}

fn chown(t: &mut Task, path: Text, owner: u32, group: u32, flags: i32) -> Res {
    t.host_call(
        i64::from(nr::sys_fchownat),
        [libc::AT_FDCWD as u64, path.addr, wide(owner), wide(group), flags as u64, 0],
    )
}

/// Whether the thread has one of these capabilities, by number (man 2 capget).
pub fn has_capability(wanted: &[u32]) -> bool {
    const VERSION_3: u32 = 0x2008_0522;
    let (header, mut sets) = ([VERSION_3, 0], [0u32; 6]);
    // SAFETY: the kernel reads the header and writes two sets of three words.
    let result = unsafe { crate::call!(libc::SYS_capget, header.as_ptr(), sets.as_mut_ptr()) };
    let effective = u64::from(sets[3]) << 32 | u64::from(sets[0]);
    result.is_ok() && wanted.iter().any(|n| effective >> n & 1 != 0)
}
