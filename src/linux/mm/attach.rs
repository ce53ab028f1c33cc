//! Memory that comes into the map otherwise than by a mapping at an address of our choice: System V segments, rings of the kernel, a file's
//! pages turned round.

use super::*;

/// A device number for System V segments, which have none that we could know.
const SYSV_DEVICE: u64 = u64::MAX;

impl Mm {
    /// shmat(2): `len` is the segment's size.
    pub fn shmat(&self, engine: &Engine, id: i32, addr: u64, flags: i32, len: u64) -> Res {
        let len = round_up(len).ok_or(Errno::EINVAL)?;
        let mut s = self.change();
        let remap = flags & libc::SHM_REMAP != 0;
        let at = match addr {
            0 if remap => return Err(Errno::EINVAL),
            0 => self.gap(&s, len, PAGE, &self.limits.holes).ok_or(Errno::ENOMEM)?,
            a if a & (PAGE - 1) == 0 => a,
            a if flags & libc::SHM_RND != 0 => a & !(PAGE - 1),
            _ => return Err(Errno::EINVAL),
        };
        if !self.limits.allows(at, len) || !remap && !s.map.is_free(at, at + len) {
            return Err(Errno::EINVAL);
        }
        // SAFETY: the range is the guest's, and free or to be replaced. SHM_EXEC is a fact of the map alone.
        let at = unsafe { call!(libc::SYS_shmat, id, at, flags & !libc::SHM_EXEC) }?;
        let had_code = s.map.has_code(at, at + len);
        let write = if flags & libc::SHM_RDONLY == 0 { PROT_WRITE } else { 0 };
        let exec = if flags & libc::SHM_EXEC != 0 { PROT_EXEC } else { 0 };
        let object =
            Object { dev: SYSV_DEVICE, inode: id as u32 as u64, path: b"/SYSV00000000 (deleted)".to_vec(), key: None };
        let area = Area {
            end: at + len,
            prot: PROT_READ | write | exec,
            shared: true,
            backing: Backing::Object(Arc::new(object)),
            offset: 0,
        };
        s.map.insert(at, area);
        drop(s);
        engine.begin_concurrency();
        if had_code {
            engine.invalidate(at, at + len);
        }
        Ok(at)
    }

    /// shmdt(2)
    pub fn shmdt(&self, engine: &Engine, addr: u64) -> Res {
        let mut s = self.change();
        // SAFETY: it takes away segments only, and the guest attached those.
        unsafe { call!(libc::SYS_shmdt, addr) }?;
        let Some((_, first)) = s.map.at(addr) else { return Ok(0) };
        let segment = first.backing.clone();
        let gone: Vec<_> = s
            .map
            .within(addr, u64::MAX)
            .filter(|(s, a)| a.backing == segment && s - addr == a.offset)
            .map(|(s, a)| (s, a.end))
            .collect();
        for (start, end) in &gone {
            s.map.remove(*start, *end);
        }
        drop(s);
        for (start, end) in gone {
            engine.invalidate(start, end);
        }
        Ok(0)
    }

    /// Maps a file that takes no address from a program (io_uring's rings have their own rule). In the low 2 GiB, where each ABI has memory.
    pub(super) fn place_by_kernel(&self, s: &State, r: &Request, len: u64, prot: u32) -> Res {
        let flags = host_flags(r.flags) & !(libc::MAP_FIXED | libc::MAP_FIXED_NOREPLACE) | libc::MAP_32BIT;
        let at = host_mmap(0, len, host_prot(prot), flags, r.fd, r.offset)?;
        if self.limits.allows(at, len) && s.map.is_free(at, at + len) {
            return Ok(at);
        }
        host_munmap(at, len)?;
        Err(Errno::ENOMEM)
    }

    /// Enters the ring of an asynchronous I/O context, which the kernel has mapped at `at`.
    pub fn adopt_ring(&self, at: u64) {
        let mut s = self.change();
        let Some(end) = proc::host_end(at) else { return };
        let object = Object { dev: 1, inode: at, path: b"/[aio] (deleted)".to_vec(), key: None };
        let backing = Backing::Object(Arc::new(object));
        s.map.insert(at, Area { end, prot: PROT_READ | PROT_WRITE, shared: true, backing, offset: 0 });
    }

    /// Forgets it: the kernel has unmapped it.
    pub fn forget_ring(&self, at: u64) {
        let mut s = self.change();
        if let Some((start, area)) = s.map.at(at)
            && let Backing::Object(object) = &area.backing
            && (object.inode, object.path.as_slice()) == (at, b"/[aio] (deleted)")
        {
            let end = area.end;
            s.map.remove(start, end);
        }
    }

    /// Whether the address shows an object with that path.
    pub fn shows(&self, at: u64, path: &[u8]) -> bool {
        let s = self.state.lock();
        s.map.at(at).is_some_and(|(_, a)| matches!(&a.backing, Backing::Object(o) if o.path == path))
    }

    /// remap_file_pages(2): the host's, which makes a mapping like the first one of the range.
    pub fn remap_file_pages(&self, engine: &Engine, addr: u64, len: u64, prot: u64, page: u64, flags: u32) -> Res {
        let (start, len) = (addr & !(PAGE - 1), len & !(PAGE - 1));
        if len != 0 && !self.limits.allows(start, len) {
            return Err(Errno::EINVAL);
        }
        let mut s = self.change();
        // SAFETY: the range is the guest's.
        unsafe { call!(libc::SYS_remap_file_pages, addr, len, prot, page, flags) }?;
        let had_code = s.map.has_code(start, start + len);
        if let Some((_, area)) = s.map.at(start) {
            let area = Area { end: start + len, offset: page * PAGE, ..area.clone() };
            s.map.insert(start, area);
        }
        drop(s);
        if had_code {
            engine.invalidate(start, start + len);
        }
        Ok(0)
    }
}
