//! The system as a whole: its name and state, mounts, modules, swap, quotas, keys, security modules.

use crate::compat;
use crate::sys::prelude::*;

syscalls! { |t|
    /// An entry that Linux has removed, or that this processor never had.
    sys_ni_syscall() -> Zero = enosys("not in Linux");

    sys_newuname(name: Out<Utsname>) -> Zero {
        let name_of_guest = uname(t)?;
        name.write(t, name_of_guest)?;
        Ok(0)
    }
    sys_sysinfo(info: Out<Sysinfo>) -> Zero { sysinfo(t, info) }
    sys_sethostname(name: InBuf<len>, len: UInt) -> Zero;
    sys_setdomainname(name: InBuf<len>, len: UInt) -> Zero;
    sys_syslog(kind: Int, buf: Addr, len: Int) -> Int;
    sys_vhangup() -> Zero;
    sys_reboot(magic: UInt, magic2: UInt, command: UInt, arg: Addr) -> Zero;
    sys_acct(path: NewPath) -> Zero;
    sys_swapon(path: NewPath, flags: UInt) -> Zero;
    sys_swapoff(path: NewPath) -> Zero;
    sys_getrandom(buf: OutBuf<len>, len: Size, flags: UInt) -> Size;

    // Modules and kernels are the host's, whatever the guest: the kernel itself refuses what is not for it.
    sys_init_module(image: InBuf<len>, len: ULong, args: Str) -> Zero;
    sys_finit_module(fd: Fd, args: Str, flags: UInt) -> Zero;
    sys_delete_module(name: Str, flags: UInt) -> Zero;
    sys_kexec_load(entry: Addr, count: ULong, segments: Addr, flags: ULong) -> Zero = enosys("a guest's kernel cannot follow the host's");
    sys_kexec_file_load(kernel: Fd, initrd: Fd, len: ULong, command_line: Str, flags: ULong) -> Zero = enosys("a guest's kernel cannot follow the host's");

    // Mounts.
    sys_mount(source: OldPath, target: OldPath, kind: Str, flags: ULong, data: Addr) -> Zero;
    sys_umount(target: NewPath, flags: UInt) -> Zero;
    sys_open_tree(dir: DirFd, path: Path, flags: Flags<OpenTree>) -> Fd;
    sys_open_tree_attr(dir: DirFd, path: Path, flags: Flags<OpenTree>, attr: Addr, size: Size) -> Fd;
    sys_move_mount(from_dir: DirFd, from: NewPath, to_dir: DirFd, to: NewPath, flags: UInt) -> Zero;
    sys_fsopen(name: Str, flags: UInt) -> Fd;
    sys_fsconfig(fd: Fd, command: UInt, key: Str, value: Addr, aux: Int) -> Zero;
    sys_fsmount(fd: Fd, flags: UInt, attributes: UInt) -> Fd;
    sys_fspick(dir: DirFd, path: Path, flags: UInt) -> Fd;
    // struct mount_attr is four u64s.
    sys_mount_setattr(dir: DirFd, path: OldPath, flags: Flags<At>, attr: Addr, size: Size) -> Zero;
    sys_statmount(request: Addr, buf: Addr, size: Size, flags: UInt) -> Zero;
    sys_listmount(request: Addr, ids: Addr, count: Size, flags: UInt) -> Size;
    sys_quotactl(command: UInt, device: Str, id: Int, addr: Addr) -> Zero;
    sys_quotactl_fd(fd: UInt, command: UInt, id: Int, addr: Addr) -> Zero;

    // Keys.
    sys_add_key(kind: Str, description: Str, payload: InBuf<len>, len: Size, ring: Int) -> Int;
    sys_request_key(kind: Str, description: Str, info: Str, ring: Int) -> Int;
    sys_keyctl(operation: Int, arg2: ULong, arg3: ULong, arg4: ULong, arg5: ULong) -> Long { keyctl(t, operation, [arg2, arg3, arg4, arg5]) }

    // Security.
    sys_landlock_create_ruleset(attr: Addr, size: Size, flags: UInt) -> Fd;
    sys_landlock_add_rule(fd: Fd, kind: UInt, attr: Addr, flags: UInt) -> Zero;
    sys_landlock_restrict_self(fd: Fd, flags: UInt) -> Zero;
    sys_lsm_get_self_attr(attr: UInt, ctx: Addr, size: Addr, flags: UInt) -> Int;
    sys_lsm_set_self_attr(attr: UInt, ctx: Addr, size: UInt, flags: UInt) -> Int;
    sys_lsm_list_modules(ids: Addr, size: Addr, flags: UInt) -> Int;
    /// union bpf_attr is alike on all ABIs of one byte order. Differs: programs that look at the kernel see the host's calls and layouts.
    sys_bpf(command: Int, attr: Addr, size: UInt) -> Int;
    /// struct perf_event_attr as well. Differs: the processor's events are the host's, rqemu's work counts, and samples show where that was.
    sys_perf_event_open(attr: Addr, pid: Pid, cpu: Int, group: Fd, flags: ULong) -> Fd;
}

/// The part of a personality that says which kind it is, and that of 32-bit programs (linux/personality.h).
const PER_MASK: u64 = 0xff;
const PER_LINUX32: u64 = 8;

/// The guest's struct new_utsname: the host's names with the guest's machine, and its release if `-r` gives one.
pub(super) fn uname(t: &mut Task) -> Result<Utsname, Errno> {
    let mut host = [0u8; 65 * 6];
    t.host_call(i64::from(nr::sys_newuname), [host.as_mut_ptr() as u64, 0, 0, 0, 0, 0])?;
    let field = |n: usize| -> [u8; 65] { host[n * 65..][..65].try_into().unwrap_or([0; 65]) };
    let text = |s: &[u8]| {
        let mut out = [0; 65];
        let len = s.len().min(64);
        out[..len].copy_from_slice(&s[..len]);
        out
    };
    let persona = t.host_call(libc::SYS_personality, [0xffff_ffff, 0, 0, 0, 0, 0])?;
    let guest = t.process.guest;
    let machine = if persona & PER_MASK == PER_LINUX32 { guest.machine32 } else { guest.machine };
    Ok(Utsname {
        sysname: field(0),
        nodename: field(1),
        release: t.process.options.uname.as_deref().map_or_else(|| field(2), text),
        version: field(3),
        machine: text(machine.as_bytes()),
        domainname: field(5),
    })
}

fn sysinfo(t: &mut Task, info: Pointer<Sysinfo>) -> Res {
    let m = t.abi().model();
    let mut host = [0u64; 14];
    t.host_call(i64::from(nr::sys_sysinfo), [host.as_mut_ptr() as u64, 0, 0, 0, 0, 0])?;
    let mut value = Sysinfo::from_bytes(crate::layout::HOST, plain::bytes(&host));
    if m.long == 4 {
        scale(&mut value);
    }
    info.write(t, value)?;
    Ok(0)
}

/// As the kernel does it for 32-bit programs: bigger units, until all sums fit.
fn scale(v: &mut Sysinfo) {
    let sizes = |v: &mut Sysinfo| {
        [v.totalram, v.freeram, v.sharedram, v.bufferram, v.totalswap, v.freeswap, v.totalhigh, v.freehigh]
    };
    if sizes(v).iter().all(|s| *s >> 32 == 0) {
        return;
    }
    let mut shift = 0;
    while v.mem_unit < 4096 {
        v.mem_unit *= 2;
        shift += 1;
    }
    let members = [
        &mut v.totalram,
        &mut v.freeram,
        &mut v.sharedram,
        &mut v.bufferram,
        &mut v.totalswap,
        &mut v.freeswap,
        &mut v.totalhigh,
        &mut v.freehigh,
    ];
    for member in members {
        *member >>= shift;
    }
}

fn keyctl(t: &mut Task, operation: i32, args: [u64; 4]) -> Res {
    let [a, b, c, d] = args;
    let args = [operation as u64, a, b, c, d, 0];
    // Some operations take structs with pointers: DH_COMPUTE, INSTANTIATE_IOV.
    if compat::is_like(t.abi().model()) {
        return t.compat_call(compat::Call::Keyctl, args);
    }
    t.host_call(i64::from(nr::sys_keyctl), args)
}
