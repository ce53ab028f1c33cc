//! This program's own image: where it is, and which build it is.

use crate::hash::hash;

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

/// What identifies the build: no other program has the same code at the same places. Nothing if the linker has not made such a note.
pub(crate) fn identity() -> Option<u128> {
    // SAFETY: the linker places header and program headers at the start of the image, notes where these say.
    unsafe {
        let phdrs = (start() + EHDR.e_phoff) as *const libc::Elf64_Phdr;
        for n in 0..usize::from(EHDR.e_phnum) {
            let p = &*phdrs.add(n);
            if p.p_type != libc::PT_NOTE {
                continue;
            }
            let bytes = std::slice::from_raw_parts((start() + p.p_vaddr) as *const u8, p.p_memsz as usize);
            if let Some(id) = build_id(bytes) {
                return Some(hash(id));
            }
        }
    }
    None
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
