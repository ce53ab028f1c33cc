//! x86's segments: the bases of FS and GS, and a thread's descriptors.

use crate::host::{Errno, Res};
use crate::memory;
use crate::task::Task;
use arch::abi::Segments;

/// Options of arch_prctl(2) (asm/prctl.h).
mod option {
    pub(super) const SET_GS: i32 = 0x1001;
    pub(super) const SET_FS: i32 = 0x1002;
    pub(super) const GET_FS: i32 = 0x1003;
    pub(super) const GET_GS: i32 = 0x1004;
    pub(super) const GET_CPUID: i32 = 0x1011;
}

fn segments(t: &Task) -> Result<&'static Segments, Errno> {
    t.abi().segments.as_ref().ok_or(Errno::ENOSYS)
}

/// man 2 arch_prctl
pub fn arch_prctl(t: &mut Task, option: i32, addr: u64) -> Res {
    let s = segments(t)?;
    let slot = match option {
        option::SET_GS | option::GET_GS => s.gs,
        option::SET_FS | option::GET_FS => s.fs,
        // CPUID may be used.
        option::GET_CPUID => return Ok(1),
        _ => return Err(Errno::EINVAL),
    };
    if matches!(option, option::GET_FS | option::GET_GS) {
        let base = t.get(slot);
        memory::write(addr, &base.to_le_bytes())?;
    } else if addr < t.abi().task_size {
        t.set(slot, addr);
    } else {
        return Err(Errno::EPERM);
    }
    Ok(0)
}

/// struct user_desc (asm/ldt.h).
struct Descriptor {
    entry: u32,
    base: u32,
}

fn read_descriptor(addr: u64) -> Result<Descriptor, Errno> {
    Ok(Descriptor { entry: memory::read_u32(addr)?, base: memory::read_u32(addr.wrapping_add(4))? })
}

/// man 2 set_thread_area. Limits and rights are not looked at: what programs set is the whole address space.
pub fn set_thread_area(t: &mut Task, addr: u64) -> Res {
    let s = segments(t)?;
    let d = read_descriptor(addr)?;
    let entry = if d.entry == u32::MAX {
        let free = s.tls.iter().position(|slot| t.get(*slot) == 0).ok_or(Errno::ESRCH)?;
        memory::write_u32(addr, s.first_tls + free as u32)?;
        free
    } else {
        index(s, d.entry)?
    };
    t.set(s.tls[entry], d.base.into());
    Ok(0)
}

/// man 2 get_thread_area
pub fn get_thread_area(t: &mut Task, addr: u64) -> Res {
    let s = segments(t)?;
    let entry = index(s, memory::read_u32(addr)?)?;
    let base = t.get(s.tls[entry]) as u32;
    // A 32-bit data segment of all pages that can be used; or an empty one.
    let (limit, flags) = if base == 0 { (0, 0x28) } else { (0xf_ffff, 0x51) };
    for (at, word) in (4..).step_by(4).zip([base, limit, flags]) {
        memory::write_u32(addr.wrapping_add(at), word)?;
    }
    Ok(0)
}

fn index(s: &Segments, entry: u32) -> Result<usize, Errno> {
    let at = entry.checked_sub(s.first_tls).map(|n| n as usize);
    at.filter(|n| *n < s.tls.len()).ok_or(Errno::EINVAL)
}

/// CLONE_SETTLS in a new thread.
pub fn set_child_tls(t: &mut Task, tls: u64) {
    match segments(t) {
        // A bad descriptor was refused before.
        Ok(s) if s.clone_sets_descriptor => {
            let Ok(d) = read_descriptor(tls) else { return };
            let Ok(entry) = index(s, d.entry) else { return };
            t.set(s.tls[entry], d.base.into());
            // The child's GS names the descriptor already.
            t.set(s.gs, d.base.into());
        }
        _ => t.set(t.abi().thread_pointer, tls),
    }
}
