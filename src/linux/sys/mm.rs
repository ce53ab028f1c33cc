//! Memory: rows only. The bodies are the memory map's ([`crate::calls::mm`]).

use crate::calls::mm;
use crate::compat;
use crate::sys::prelude::*;

syscalls! { |t|
    sys_mmap(addr: Addr, len: Size, prot: Flags<Prot>, flags: Flags<Map>, fd: Fd, offset: ULong) -> Addr {
        mm::mmap(t, addr, len, prot, flags::Map.to_host(t.abi().model(), u64::from(flags)) as u32, fd, offset)
    }
    /// The offset counts units of 4096 bytes.
    sys_mmap2(addr: Addr, len: Size, prot: Flags<Prot>, flags: Flags<Map>, fd: Fd, pages: ULong) -> Addr {
        mm::mmap(t, addr, len, prot, flags::Map.to_host(t.abi().model(), u64::from(flags)) as u32, fd, pages << 12)
    }
    sys_munmap(addr: Addr, len: Size) -> Zero { mm::munmap(t, addr, len) }
    sys_mremap(addr: Addr, old_len: Size, new_len: Size, flags: Flags<Mremap>, new_addr: Addr) -> Addr {
        mm::mremap(t, addr, old_len, new_len, flags, new_addr)
    }
    sys_mprotect(addr: Addr, len: Size, prot: Flags<Prot>) -> Zero {
        check_prot(t, prot)?;
        mm::mprotect(t, addr, len, prot)
    }
    sys_pkey_mprotect(addr: Addr, len: Size, prot: Flags<Prot>, pkey: Int) -> Zero {
        check_prot(t, prot)?;
        // Key 0 is everybody's.
        if pkey == -1 || pkey == 0 { mm::mprotect(t, addr, len, prot) } else { Err(Errno::EINVAL) }
    }
    sys_pkey_alloc(flags: UInt, rights: UInt) -> Int {
        // As on a processor without protection keys, which knows the rights that there could be.
        if flags != 0 || rights & !15 != 0 { Err(Errno::EINVAL) } else { Err(Errno::ENOSPC) }
    }
    sys_pkey_free(pkey: Int) -> Zero { if pkey == 0 { Ok(0) } else { Err(Errno::EINVAL) } }
    sys_brk(addr: Addr) -> Addr { mm::brk(t, addr) }
    sys_madvise(addr: Addr, len: Size, advice: Enum<Madvise>) -> Zero { mm::madvise(t, addr, len, advice as i32) }
    sys_process_madvise(pidfd: Fd, iov: InIov<count>, count: ULong, advice: Enum<Madvise>, flags: UInt) -> Size;
    sys_process_mrelease(pidfd: Fd, flags: UInt) -> Zero;
    sys_msync(addr: Addr, len: Size, flags: UInt) -> Zero;
    sys_mincore(addr: Addr, len: Size, vec: Addr) -> Zero;
    sys_mlock(addr: Addr, len: Size) -> Zero { lock(t, nr::sys_mlock, addr, len, 0) }
    sys_mlock2(addr: Addr, len: Size, flags: UInt) -> Zero { lock(t, nr::sys_mlock2, addr, len, flags) }
    sys_munlock(addr: Addr, len: Size) -> Zero { lock(t, nr::sys_munlock, addr, len, 0) }
    /// The whole process would be rqemu with it: code caches and all. Differs: only later lock calls and their limits are not felt.
    sys_mlockall(flags: UInt) -> Zero { if flags == 0 || flags & !7 != 0 || flags == 4 { Err(Errno::EINVAL) } else { Ok(0) } }
    sys_munlockall() -> Zero { Ok(0) }
    sys_remap_file_pages(addr: Addr, len: Size, prot: ULong, page: ULong, flags: UInt) -> Zero {
        t.process.mm.remap_file_pages(&t.process.engine, addr, len, prot, page, flags)
    }
    sys_mseal(addr: Addr, len: Size, flags: ULong) -> Zero { mm::mseal(t, addr, len, flags) }
    sys_shmat(id: Int, addr: Addr, flags: Int) -> Addr { mm::shmat(t, id, addr, flags) }
    sys_shmdt(addr: Addr) -> Zero { mm::shmdt(t, addr) }
    sys_mbind(addr: Addr, len: ULong, mode: ULong, nodes: Addr, max_node: ULong, flags: UInt) -> Zero { numa(t, nr::sys_mbind, compat::Call::Mbind, [addr, len, mode, nodes, max_node, u64::from(flags)]) }
    sys_set_mempolicy(mode: Int, nodes: Addr, max_node: ULong) -> Zero { numa(t, nr::sys_set_mempolicy, compat::Call::SetMempolicy, [mode as u64, nodes, max_node, 0, 0, 0]) }
    sys_get_mempolicy(mode: Out<Int32>, nodes: Addr, max_node: ULong, addr: Addr, flags: ULong) -> Zero {
        numa(t, nr::sys_get_mempolicy, compat::Call::GetMempolicy, [mode.addr, nodes, max_node, addr, flags, 0])
    }
    sys_set_mempolicy_home_node(start: Addr, len: ULong, node: ULong, flags: ULong) -> Zero;
    sys_migrate_pages(pid: Pid, max_node: ULong, old: Addr, new: Addr) -> Int { numa(t, nr::sys_migrate_pages, compat::Call::MigratePages, [pid as u64, max_node, old, new, 0, 0]) }
    sys_move_pages(pid: Pid, count: ULong, pages: Addr, nodes: Addr, status: Addr, flags: Int) -> Int {
        numa(t, nr::sys_move_pages, compat::Call::MovePages, [pid as u64, count, pages, nodes, status, flags as u64])
    }
    sys_process_vm_readv(pid: Pid, local: OutIov<count>, count: ULong, remote: InIov<remote_count>, remote_count: ULong, flags: ULong) -> Size;
    sys_process_vm_writev(pid: Pid, local: InIov<count>, count: ULong, remote: InIov<remote_count>, remote_count: ULong, flags: ULong) -> Size;
    /// The kernel tells of faults wherever they are: in translated code, in rqemu's copying and in its own.
    sys_userfaultfd(flags: Flags<Open>) -> Fd;
}

/// PROT_READ to PROT_SEM, the guard's, and the two that grow: others are EINVAL for mprotect, while mmap overlooks them (arch_validate_prot).
fn check_prot(t: &Task, prot: u32) -> Result<(), Errno> {
    let guard = t.abi().branch_targets.as_ref().map_or(0, |b| b.prot);
    if prot & !(0x0300_000f | guard) == 0 { Ok(()) } else { Err(Errno::EINVAL) }
}

/// The range is counted in the guest's words: one that goes round their end is EINVAL.
fn lock(t: &mut Task, nr: u32, addr: u64, len: u64, flags: u32) -> Res {
    const IN_PAGE: u32 = 4095;
    let (mut addr, mut len) = (addr, len);
    if t.abi().long == 4 {
        let start = addr as u32 & !IN_PAGE;
        let bytes = (len as u32).wrapping_add(addr as u32 & IN_PAGE).wrapping_add(IN_PAGE) & !IN_PAGE;
        if start.checked_add(bytes).is_none() {
            return Err(Errno::EINVAL);
        }
        (addr, len) = (start.into(), bytes.into());
    }
    t.host_call(i64::from(nr), [addr, len, u64::from(flags), 0, 0, 0])
}

/// Calls with arrays of `long` and of pointers.
fn numa(t: &mut Task, nr: u32, compat: compat::Call, args: [u64; 6]) -> Res {
    if compat::is_like(t.abi().model()) { t.compat_call(compat, args) } else { t.host_call(i64::from(nr), args) }
}
