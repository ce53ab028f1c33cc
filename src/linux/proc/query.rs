//! PROCMAP_QUERY (Linux 6.11): one mapping of /proc/PID/maps, by an address in it.

use super::contents;
use super::{File, found, stands_for};
use crate::call;
use crate::host::{self, Errno, Res};
use crate::layout::CStruct;
use crate::memory;
use crate::sys::structs::ProcmapQuery;
use crate::task::Task;

// linux/fs.h: what the mapping may do, in the question and the answer; in the question alone, whether the next will do, and only files.
const READABLE: u64 = 1;
const WRITABLE: u64 = 2;
const EXECUTABLE: u64 = 4;
const SHARED: u64 = 8;
const OR_NEXT: u64 = 16;
const OF_FILE: u64 = 32;

/// The ioctl `request`, as the host has its number, with its struct at `arg`.
pub fn query(t: &mut Task, fd: i32, request: u32, arg: u64) -> Res {
    let meant = stands_for(fd).and_then(|path| found(&path));
    let Some(found) = meant.filter(|f| f.file == File::Maps) else {
        // The struct is alike on all little-endian ABIs.
        return t.host_call(libc::SYS_ioctl, [fd as u64, u64::from(request), arg, 0, 0, 0]);
    };
    let (mut q, size) = question(t, arg)?;
    let maps = contents::maps(t, &found).ok_or(Errno::ESRCH)?;
    let line = matching(&maps, q.query_addr, q.query_flags).ok_or(Errno::ENOENT)?;
    let path = answer(&mut q, line);
    let id = build_id(&found.folder, request, &mut q)?;
    write_name(&mut q, path)?;
    memory::write(q.build_id_addr, &id)?;
    let bytes = q.to_bytes(t.abi().model())?;
    memory::write(arg, &bytes[..bytes.len().min(size)])?;
    Ok(0)
}

/// The struct, which may be shorter or longer than it is here, and its size there.
fn question(t: &Task, arg: u64) -> Result<(ProcmapQuery, usize), Errno> {
    let m = t.abi().model();
    let mut first = [0; 8];
    memory::read(arg, &mut first)?;
    let size = crate::layout::number(m, &first);
    if size > 4096 {
        return Err(Errno::E2BIG);
    }
    // Up to query_addr and with it.
    if size < 24 {
        return Err(Errno::EINVAL);
    }
    let mut bytes = vec![0; (size as usize).max(ProcmapQuery::size(m))];
    memory::read(arg, &mut bytes[..size as usize])?;
    let further = bytes.split_off(ProcmapQuery::size(m));
    if further.iter().any(|b| *b != 0) {
        return Err(Errno::E2BIG);
    }
    let q = ProcmapQuery::from_bytes(m, &bytes);
    let alone = |size: u32, addr: u64| (size == 0) != (addr == 0);
    let all = READABLE | WRITABLE | EXECUTABLE | SHARED | OR_NEXT | OF_FILE;
    if q.query_flags & !all != 0 || alone(q.vma_name_size, q.vma_name_addr) || alone(q.build_id_size, q.build_id_addr) {
        return Err(Errno::EINVAL);
    }
    Ok((q, size as usize))
}

/// A line's rights as bits.
fn rights(line: &str) -> u64 {
    let letters = line.split(' ').nth(1).unwrap_or_default().chars();
    letters
        .zip([('r', READABLE), ('w', WRITABLE), ('x', EXECUTABLE), ('s', SHARED)])
        .filter(|(c, (set, _))| c == set)
        .fold(0, |all, (_, (_, bit))| all | bit)
}

/// The line of the mapping that is asked for.
fn matching(maps: &str, addr: u64, flags: u64) -> Option<&str> {
    let wanted = flags & (READABLE | WRITABLE | EXECUTABLE | SHARED);
    let fits =
        |line: &&str| rights(line) & wanted == wanted && (flags & OF_FILE == 0 || contents::file(line).is_some());
    // What is not in memory has no mapping.
    let lines = maps.lines().filter(|l| !l.ends_with("[vsyscall]"));
    let mut from = lines.filter(|l| contents::range(l).is_some_and(|(_, end)| end > addr));
    if flags & OR_NEXT != 0 {
        return from.find(fits);
    }
    from.next().filter(|l| contents::range(l).is_some_and(|(start, _)| start <= addr)).filter(fits)
}

/// Fills in what the line says but for the name, which is returned.
fn answer<'a>(q: &mut ProcmapQuery, line: &'a str) -> &'a str {
    (q.vma_start, q.vma_end) = contents::range(line).unwrap_or_default();
    q.vma_flags = rights(line);
    q.vma_page_size = crate::map::PAGE;
    let (device, inode) = contents::file(line).unwrap_or(("0:0", "0"));
    let (major, minor) = device.split_once(':').unwrap_or_default();
    let hex = |text| u32::from_str_radix(text, 16).unwrap_or(0);
    (q.dev_major, q.dev_minor, q.inode) = (hex(major), hex(minor), inode.parse().unwrap_or(0));
    q.vma_offset = if q.inode == 0 { 0 } else { contents::offset(line).unwrap_or(0) };
    contents::path(line).unwrap_or_default()
}

/// The name, where there is one and it is asked for.
fn write_name(q: &mut ProcmapQuery, path: &str) -> Result<(), Errno> {
    let mut name = path.replace("\\012", "\n").into_bytes();
    if name.is_empty() || q.vma_name_size == 0 {
        q.vma_name_size = 0;
        return Ok(());
    }
    name.push(0);
    if name.len() > q.vma_name_size as usize {
        return Err(Errno::ENAMETOOLONG);
    }
    q.vma_name_size = name.len() as u32;
    memory::write(q.vma_name_addr, &name)
}

/// The build ID, which the host finds in the file that it has there.
fn build_id(folder: &[u8], request: u32, q: &mut ProcmapQuery) -> Result<Vec<u8>, Errno> {
    let mut id = vec![0u8; q.build_id_size as usize];
    let mut own = ProcmapQuery { query_addr: q.vma_start, ..ProcmapQuery::zeroed() };
    own.size = ProcmapQuery::size(crate::layout::HOST) as u64;
    (own.build_id_size, own.build_id_addr) = (q.build_id_size, if id.is_empty() { 0 } else { id.as_mut_ptr() as u64 });
    let mut bytes = own.to_bytes(crate::layout::HOST)?;
    let maps = host::open(&[folder, b"/maps"].concat(), libc::O_RDONLY | libc::O_CLOEXEC)?;
    // SAFETY: the kernel reads and writes the struct, and the buffer that it points to.
    let asked = unsafe { call!(libc::SYS_ioctl, maps, request, bytes.as_mut_ptr()) };
    host::close(maps);
    match asked {
        // Nothing of the host's is there.
        Err(Errno::ENOENT) => q.build_id_size = 0,
        other => {
            other?;
            q.build_id_size = ProcmapQuery::from_bytes(crate::layout::HOST, &bytes).build_id_size;
        }
    }
    id.truncate(q.build_id_size as usize);
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAPS: &str = "00400000-00401000 r-xp 00001000 fe:01 7                     /bin/x\n\
                        00500000-00501000 rw-p 00000000 00:00 0 \n\
                        00501000-00502000 r--s 00000000 00:01 3                     /dev/zero (deleted)\n\
                        ff600000-ff601000 --xp 00000000 00:00 0                     [vsyscall]\n";

    #[test]
    fn lines() {
        let start = |addr, flags| matching(MAPS, addr, flags).and_then(contents::range).map(|r| r.0);
        assert_eq!(start(0x40_0fff, 0), Some(0x40_0000));
        assert_eq!(start(0x40_0000, WRITABLE), None);
        assert_eq!(start(0x40_0000, WRITABLE | OR_NEXT), Some(0x50_0000));
        assert_eq!(start(0x45_0000, 0), None);
        assert_eq!(start(0x45_0000, OR_NEXT), Some(0x50_0000));
        assert_eq!(start(0x45_0000, OR_NEXT | OF_FILE), Some(0x50_1000));
        assert_eq!(start(0x60_0000, OR_NEXT), None);
    }

    #[test]
    fn answers() {
        assert_eq!(ProcmapQuery::size(crate::layout::HOST), 104);
        let mut q = ProcmapQuery::zeroed();
        assert_eq!(answer(&mut q, MAPS.lines().next().unwrap()), "/bin/x");
        assert_eq!(
            (q.vma_start, q.vma_end, q.vma_flags, q.vma_offset),
            (0x40_0000, 0x40_1000, READABLE | EXECUTABLE, 0x1000)
        );
        assert_eq!((q.dev_major, q.dev_minor, q.inode), (0xfe, 1, 7));
    }
}
