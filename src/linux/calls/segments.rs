//! x86's segments: the bases of FS and GS, descriptors of a thread and of the process. Descriptors are kept as the processor has them (SDM vol. 3, 3.4.5).

use crate::host::{Errno, Res};
use crate::memory;
use crate::task::Task;
use arch::abi::Segments;
use std::sync::atomic::{AtomicUsize, Ordering};

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
    let [base, selector] = match option {
        option::SET_GS | option::GET_GS => s.gs,
        option::SET_FS | option::GET_FS => s.fs,
        // CPUID may be used.
        option::GET_CPUID => return Ok(1),
        _ => return Err(Errno::EINVAL),
    };
    if matches!(option, option::GET_FS | option::GET_GS) {
        let base = t.get(base);
        memory::write(addr, &base.to_le_bytes())?;
    } else if addr < t.abi().task_size {
        t.set(base, addr);
        t.set(selector, 0);
    } else {
        return Err(Errno::EPERM);
    }
    Ok(0)
}

/// struct user_desc (asm/ldt.h).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct UserDesc {
    entry: u32,
    base: u32,
    limit: u32,
    flags: u32,
}

/// Its bits, with contents in two of them.
mod flag {
    pub(super) const SEG_32BIT: u32 = 1;
    pub(super) const CONTENTS: u32 = 3 << 1;
    pub(super) const READ_EXEC_ONLY: u32 = 1 << 3;
    pub(super) const SEG_NOT_PRESENT: u32 = 1 << 5;
    pub(super) const USEABLE: u32 = 1 << 6;
    pub(super) const ALL: u32 = 0x7f;
}

/// Bits of a descriptor that are always so: accessed, no system segment, for user mode.
const FIXED: u64 = 1 << 40 | 1 << 44 | 3 << 45;
/// Bits of a descriptor, and of struct user_desc's flags; the second half is turned there.
const SAME: [(u32, u32); 5] = [(54, 0), (42, 1), (43, 2), (55, 4), (52, 6)];
const TURNED: [(u32, u32); 2] = [(41, 3), (47, 5)];

impl UserDesc {
    fn read(addr: u64) -> Result<UserDesc, Errno> {
        let mut bytes = [0; 16];
        memory::read(addr, &mut bytes)?;
        let word = |n: usize| u32::from_le_bytes([bytes[n], bytes[n + 1], bytes[n + 2], bytes[n + 3]]);
        Ok(UserDesc { entry: word(0), base: word(4), limit: word(8), flags: word(12) & flag::ALL })
    }

    /// LDT_empty, or with `zero` LDT_zero (asm/desc.h).
    fn is_empty(&self, zero: bool) -> bool {
        let flags = if zero { 0 } else { flag::READ_EXEC_ONLY | flag::SEG_NOT_PRESENT };
        (self.base, self.limit, self.flags) == (0, 0, flags)
    }

    fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    fn descriptor(&self) -> u64 {
        let (base, limit) = (u64::from(self.base), u64::from(self.limit));
        let place = limit & 0xffff | (base & 0xff_ffff) << 16 | (limit >> 16 & 15) << 48 | base >> 24 << 56;
        let bit = |to: u32, from: u32, flags: u32| u64::from(flags >> from & 1) << to;
        let same = SAME.iter().map(|(to, from)| bit(*to, *from, self.flags));
        let turned = TURNED.iter().map(|(to, from)| bit(*to, *from, !self.flags));
        same.chain(turned).fold(FIXED | place, |all, bit| all | bit)
    }

    fn of(entry: u32, d: u64) -> UserDesc {
        let bit = |to: u32, from: u32, d: u64| ((d >> from & 1) as u32) << to;
        let same = SAME.iter().map(|(from, to)| bit(*to, *from, d));
        let turned = TURNED.iter().map(|(from, to)| bit(*to, *from, !d));
        UserDesc {
            entry,
            base: (d >> 16) as u32 & 0xff_ffff | (d >> 56 << 24) as u32,
            limit: d as u32 & 0xffff | (d >> 32) as u32 & 0xf_0000,
            flags: same.chain(turned).fold(0, |all, bit| all | bit),
        }
    }

    fn bytes(&self) -> [u8; 16] {
        let words = [self.entry, self.base, self.limit, self.flags].map(u32::to_le_bytes);
        std::array::from_fn(|n| words[n / 4][n % 4])
    }

    /// What a thread may have: data or code of 32 bits that is there (arch/x86/kernel/tls.c, tls_desc_okay).
    fn is_for_threads(&self) -> bool {
        self.is_empty(false)
            || self.is_empty(true)
            || self.has(flag::SEG_32BIT) && self.flags & flag::CONTENTS < 2 << 1 && !self.has(flag::SEG_NOT_PRESENT)
    }
}

/// A thread's descriptors as struct user_desc (NT_386_TLS).
pub(crate) fn thread_areas(s: &Segments, get: impl Fn(ir::Slot) -> u64) -> Vec<u8> {
    (s.first_tls..).zip(s.tls).flat_map(|(entry, slot)| UserDesc::of(entry, get(*slot)).bytes()).collect()
}

/// Threads have descriptors of their own in 32-bit programs alone.
fn of_threads(t: &Task) -> Result<&'static Segments, Errno> {
    segments(t).and_then(|s| if s.thread_descriptors { Ok(s) } else { Err(Errno::ENOSYS) })
}

fn index(s: &Segments, entry: u32) -> Result<usize, Errno> {
    let at = entry.checked_sub(s.first_tls).map(|n| n as usize);
    at.filter(|n| *n < s.tls.len()).ok_or(Errno::EINVAL)
}

/// A thread's entry becomes what `d` says; segment registers that name it follow.
fn set(t: &mut Task, s: &Segments, entry: usize, d: &UserDesc) {
    let empty = d.is_empty(false) || d.is_empty(true);
    t.set(s.tls[entry], if empty { 0 } else { d.descriptor() });
    let selector = (s.first_tls as u16 + entry as u16) << 3 | 3;
    (s.reload)(t.cpu_mut().state_mut(), true, &|loaded| loaded == selector);
}

/// man 2 set_thread_area
pub fn set_thread_area(t: &mut Task, addr: u64) -> Res {
    let s = of_threads(t)?;
    let d = UserDesc::read(addr)?;
    if !d.is_for_threads() {
        return Err(Errno::EINVAL);
    }
    let entry = if d.entry == u32::MAX {
        let free = s.tls.iter().position(|slot| t.get(*slot) == 0).ok_or(Errno::ESRCH)?;
        memory::write_u32(addr, s.first_tls + free as u32)?;
        free
    } else {
        index(s, d.entry)?
    };
    set(t, s, entry, &d);
    Ok(0)
}

/// man 2 get_thread_area
pub fn get_thread_area(t: &mut Task, addr: u64) -> Res {
    let s = of_threads(t)?;
    let entry = memory::read_u32(addr)?;
    let d = t.get(s.tls[index(s, entry)?]);
    memory::write(addr, &UserDesc::of(entry, d).bytes())?;
    Ok(0)
}

/// CLONE_SETTLS in a new thread.
pub fn set_child_tls(t: &mut Task, tls: u64) {
    match segments(t) {
        // A bad descriptor was refused before.
        Ok(s) if s.thread_descriptors => {
            let Ok(d) = UserDesc::read(tls) else { return };
            let Ok(entry) = index(s, d.entry) else { return };
            set(t, s, entry, &d);
        }
        _ => t.set(t.abi().thread_pointer, tls),
    }
}

/// How many local descriptors there are, with those between that are empty.
static ENTRIES: AtomicUsize = AtomicUsize::new(0);

/// man 2 modify_ldt
pub fn modify_ldt(t: &mut Task, func: i32, addr: u64, size: u64) -> Res {
    let s = segments(t)?;
    let result = match func {
        0 => read_ldt(s, addr, size),
        1 => write_ldt(t, s, addr, size, true),
        // The default table, which is empty (arch/x86/kernel/ldt.c).
        2 => memory::write(addr, &[0; 128][..size.min(128) as usize]).map(|()| size.min(128)),
        0x11 => write_ldt(t, s, addr, size, false),
        _ => Err(Errno::ENOSYS),
    };
    // Its errors have 32 bits in 64-bit programs, too.
    result.or_else(|e| Ok(u64::from(-e.0 as u32)))
}

fn read_ldt(s: &Segments, addr: u64, size: u64) -> Res {
    let entries = ENTRIES.load(Ordering::Relaxed);
    if entries == 0 {
        return Ok(0);
    }
    let size = (size as usize).min(8 * s.ldt.len());
    let mut bytes = vec![0; size];
    for (to, d) in bytes.chunks_mut(8).zip(&s.ldt[..entries]) {
        let d = d.load(Ordering::Relaxed).to_le_bytes();
        to.copy_from_slice(&d[..to.len()]);
    }
    memory::write(addr, &bytes)?;
    Ok(size as u64)
}

/// FS and GS keep what they have loaded (refresh_ldt_segments).
// Differs: DS and ES of other threads do, too.
fn write_ldt(t: &mut Task, s: &Segments, addr: u64, size: u64, old: bool) -> Res {
    if size != 16 {
        return Err(Errno::EINVAL);
    }
    let d = UserDesc::read(addr)?;
    let entry = d.entry as usize;
    let conforming = d.flags & flag::CONTENTS == flag::CONTENTS && (old || !d.has(flag::SEG_NOT_PRESENT));
    if entry >= s.ldt.len() || conforming {
        return Err(Errno::EINVAL);
    }
    let empty = old && d.base == 0 && d.limit == 0 || d.is_empty(false);
    let known = UserDesc { flags: if old { d.flags & !flag::USEABLE } else { d.flags }, ..d };
    s.ldt[entry].store(if empty { 0 } else { known.descriptor() }, Ordering::Relaxed);
    ENTRIES.fetch_max(entry + 1, Ordering::Relaxed);
    (s.reload)(t.cpu_mut().state_mut(), false, &|loaded| loaded & 4 != 0);
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_come_back() {
        let plain = UserDesc { entry: 12, base: 0x1234_5678, limit: 0xf_ffff, flags: 0x51 };
        assert_eq!(plain.descriptor(), 0x12df_f334_5678_ffff);
        for flags in 0..=flag::ALL {
            let d = UserDesc { flags, ..plain };
            assert_eq!(UserDesc::of(12, d.descriptor()), d);
        }
        assert_eq!(UserDesc::of(12, 0).flags, 0x28);
        assert!(UserDesc::of(12, 0).is_empty(false));
    }
}
