//! Memory calls. Flags are the host's already.

use crate::call;
use crate::host::{Errno, Res};
use crate::mm::Request;
use crate::rseq;
use crate::sys::rings;
use crate::task::Task;

pub fn mmap(t: &mut Task, addr: u64, len: u64, prot: u32, flags: u32, fd: i32, offset: u64) -> Res {
    // What MAP_32BIT asks for is x86's. Other programs' addresses would not fit what their ABI has for them.
    const LOW: u32 = libc::MAP_32BIT as u32;
    let flags = if t.abi().segments.is_some() { flags } else { flags & !LOW };
    let flags = if t.gate.is_some() { flags | LOW } else { flags };
    let request = Request { addr, len, prot, flags: flags.cast_signed(), fd, offset, name: "", key: None };
    let at = t.process.mm.mmap(Some(&t.process.engine), &request)?;
    if request.fd >= 0 && request.flags & libc::MAP_ANONYMOUS == 0 {
        rings::mapped(request.fd, offset, at);
        if prot & libc::PROT_EXEC as u32 != 0 {
            rseq::mapped(t, at, at.saturating_add(len));
        }
    }
    Ok(at)
}

pub fn munmap(t: &mut Task, addr: u64, len: u64) -> Res {
    t.process.mm.munmap(&t.process.engine, addr, len)
}

pub fn mremap(t: &mut Task, addr: u64, old_len: u64, new_len: u64, flags: u32, new_addr: u64) -> Res {
    t.process.mm.mremap(&t.process.engine, addr, old_len, new_len, flags.cast_signed(), new_addr)
}

pub fn mprotect(t: &mut Task, addr: u64, len: u64, prot: u32) -> Res {
    let done = t.process.mm.mprotect(&t.process.engine, addr, len, prot);
    if prot & libc::PROT_EXEC as u32 != 0 {
        rseq::mapped(t, addr, addr.saturating_add(len));
    }
    done
}

pub fn brk(t: &mut Task, addr: u64) -> Res {
    Ok(t.process.mm.brk(&t.process.engine, addr))
}

pub fn madvise(t: &mut Task, addr: u64, len: u64, advice: i32) -> Res {
    t.process.mm.madvise(&t.process.engine, addr, len, advice)
}

/// The host seals the pages; what it then refuses, we refuse.
pub fn mseal(t: &mut Task, addr: u64, len: u64, flags: u64) -> Res {
    t.host_call(462, [addr, len, flags, 0, 0, 0])
}

pub fn shmat(t: &mut Task, id: i32, addr: u64, flags: i32) -> Res {
    // SAFETY: all zero is a shmid_ds; the kernel writes it.
    let len = unsafe {
        let mut ds: libc::shmid_ds = std::mem::zeroed();
        // IPC_STAT wants read permission, shmat more or less: the kernel answers in the end.
        match call!(libc::SYS_shmctl, id, libc::IPC_STAT, &raw mut ds) {
            Ok(_) => ds.shm_segsz as u64,
            Err(e @ Errno::EACCES) => return Err(e),
            Err(_) => return Err(Errno::EINVAL),
        }
    };
    t.process.mm.shmat(&t.process.engine, id, addr, flags, len)
}

pub fn shmdt(t: &mut Task, addr: u64) -> Res {
    t.process.mm.shmdt(&t.process.engine, addr)
}
