//! Big files in memory stand in huge pages, and are mapped where these can be mapped as a whole: one page fault for two megabytes where there would be
//! one for sixteen small pages, each of which has its price, and one entry in the host's translation buffers for 512.

use super::Fd;
use libc::c_int;

/// What a huge page of the host has.
const HUGE: usize = 2 << 20;
/// Files from here on take whole huge pages.
const FROM: usize = 512 << 10;
/// What a file system must have free, so that nobody is short of what the last page of a file wastes.
const FREE: u64 = 256 << 20;
/// madvise(2): Linux 6.1.
const MADV_COLLAPSE: c_int = 25;

/// What a file of so many bytes is to be aligned to, and its length rounded to, where it is mapped.
pub(super) fn alignment(len: usize) -> usize {
    if len < FROM { 4096 } else { HUGE }
}

/// Makes the pages of a file of so many bytes huge, if the kernel can do that.
pub(super) fn collapse(file: &Fd, len: usize) {
    if len < FROM || !has_room(file) {
        return;
    }
    let len = len.next_multiple_of(HUGE);
    // SAFETY: the addresses are of the kernel's choice, or within what was just reserved, which is nobody else's and given back.
    unsafe {
        let reserved =
            libc::mmap(std::ptr::null_mut(), len + HUGE, libc::PROT_NONE, PRIVATE | libc::MAP_ANONYMOUS, -1, 0);
        if reserved == libc::MAP_FAILED {
            return;
        }
        let at = (reserved as usize).next_multiple_of(HUGE) as *mut libc::c_void;
        if libc::mmap(at, len, libc::PROT_READ, PRIVATE | libc::MAP_FIXED, file.0, 0) == at {
            libc::madvise(at, len, MADV_COLLAPSE);
        }
        libc::munmap(reserved, len + HUGE);
    }
}

const PRIVATE: c_int = libc::MAP_PRIVATE | libc::MAP_NORESERVE;

fn has_room(file: &Fd) -> bool {
    let mut fs = std::mem::MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: the kernel writes the struct if it answers 0.
    let fs = unsafe { (libc::fstatfs(file.0, fs.as_mut_ptr()) == 0).then(|| fs.assume_init()) };
    fs.is_some_and(|fs| fs.f_bavail.saturating_mul(fs.f_bsize as u64) >= FREE)
}

#[cfg(test)]
mod tests {
    use super::super::Folder;
    use super::*;

    /// A folder of its own in memory, if there is such a place.
    fn folder(name: &str) -> Option<(Folder, String)> {
        let path = format!("/dev/shm/rqemu-test-{name}-{}", std::process::id());
        let folder = Folder::open(path.as_bytes(), true, 1 << 30)?;
        Some((folder, path)).filter(|(f, _)| f.in_memory)
    }

    #[test]
    fn files_are_mapped_where_huge_pages_fit() {
        // Elsewhere nothing is different.
        let Some((folder, path)) = folder("huge") else { return };
        for (key, len, align) in [(1, FROM - 1, 4096), (2, FROM, HUGE), (3, HUGE + 5, HUGE)] {
            let bytes: Vec<u8> = (0..len).map(|n| (n ^ n >> 9) as u8).collect();
            assert!(folder.replace(key, |_, put| put(&bytes.as_slice())), "{path}");
            let m = folder.map(key, |_| Some(100)).expect("just written");
            assert!((m.file as usize).is_multiple_of(align) && m.sealed, "{m:?}");
            // SAFETY: mapped, as long as the file, with a hundred bytes ahead of it that are ours.
            unsafe {
                assert!(std::slice::from_raw_parts(m.file as *const u8, m.len) == bytes);
                std::slice::from_raw_parts_mut((m.file - 100) as *mut u8, 100).fill(1);
            }
            m.unmap();
        }
        folder.clear();
        std::fs::remove_dir_all(path).expect("it is ours");
    }
}
