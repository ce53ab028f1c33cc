//! This program's own image: where it is, and which build it is.

use crate::hash::hash;
use crate::unit::PAGE;

/// Type of a note that names the build (elf.h: NT_GNU_BUILD_ID).
const BUILD_ID: u32 = 3;

unsafe extern "C" {
    /// The ELF header in memory; the linker's.
    #[link_name = "__ehdr_start"]
    static EHDR: libc::Elf64_Ehdr;
}

/// The address of the image.
pub(crate) fn start() -> u64 {
    &raw const EHDR as u64
}

/// A segment of the image, where it is in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment {
    pub(crate) kind: u32,
    pub(crate) flags: u32,
    pub(crate) start: u64,
    pub(crate) len: u64,
}

pub(crate) fn segments() -> impl Iterator<Item = Segment> {
    // SAFETY: the linker places header and program headers at the start of the image.
    let headers = unsafe {
        let first = (start() + EHDR.e_phoff) as *const libc::Elf64_Phdr;
        std::slice::from_raw_parts(first, EHDR.e_phnum.into())
    };
    let segment =
        |p: &libc::Elf64_Phdr| Segment { kind: p.p_type, flags: p.p_flags, start: start() + p.p_vaddr, len: p.p_memsz };
    headers.iter().map(segment)
}

/// Takes the image's unwritable pages out of this process's memory; those that are needed come back from the file, a few dozen at a time. (Breakpoints that
/// a debugger has written there do not.)
pub(crate) fn rest() {
    let unwritable = |s: &Segment| s.kind == libc::PT_LOAD && s.flags & libc::PF_W == 0;
    for s in segments().filter(unwritable) {
        let (start, end) = (s.start.next_multiple_of(PAGE), (s.start + s.len) & !(PAGE - 1));
        // SAFETY: pages of a file mapped privately that nobody can have written.
        unsafe { libc::madvise(start as *mut _, end.saturating_sub(start) as usize, libc::MADV_DONTNEED) };
    }
}

/// What identifies the build: no other program has the same code at the same places. Nothing if the linker has not made such a note.
pub(crate) fn identity() -> Option<u128> {
    let notes = segments().filter(|s| s.kind == libc::PT_NOTE);
    // SAFETY: a segment of the image.
    let bytes = |s: Segment| unsafe { std::slice::from_raw_parts(s.start as *const u8, s.len as usize) };
    notes.filter_map(|s| build_id(bytes(s))).map(hash).next()
}

/// The description of the first build note among some notes.
fn build_id(mut notes: &[u8]) -> Option<&[u8]> {
    loop {
        let (head, rest) = notes.split_first_chunk::<12>()?;
        let word = |n: usize| u32::from_le_bytes([head[n], head[n + 1], head[n + 2], head[n + 3]]);
        let (name, desc) = (word(0) as usize, word(4) as usize);
        let at = name.next_multiple_of(4);
        if word(8) == BUILD_ID && rest.get(..name) == Some(b"GNU\0") {
            return rest.get(at..at + desc);
        }
        notes = rest.get(at + desc.next_multiple_of(4)..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Kilobytes of this program's file that are in this process's memory and executable.
    fn resident() -> u64 {
        let code = resident as fn() -> u64 as usize as u64;
        let maps = std::fs::read_to_string("/proc/self/smaps").expect("smaps");
        let mut lines = maps.lines();
        lines.find(|l| {
            let range = l.split(' ').next().and_then(|r| r.split_once('-'));
            let number = |n| u64::from_str_radix(n, 16);
            range.is_some_and(|(a, b)| matches!((number(a), number(b)), (Ok(a), Ok(b)) if (a..b).contains(&code)))
        });
        let rss = lines.find_map(|l| l.strip_prefix("Rss:")).expect("a mapping with its size");
        rss.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    #[test]
    fn what_rests_leaves_memory_and_comes_back() {
        let all = segments().find(|s| s.flags & libc::PF_X != 0).expect("code");
        // SAFETY: the image's code, which can be read.
        let bytes = unsafe { std::slice::from_raw_parts(all.start as *const u8, all.len as usize) };
        let before = hash(bytes);
        let touched = resident();
        rest();
        let left = resident();
        assert!(left < touched / 2, "{left} KB of {touched}");
        assert_eq!(hash(bytes), before);
    }
}
