//! Translations that the program's file carries itself: for containers in which nothing else of the host can be reached. An archive behind the ELF
//! image is one more segment of it, so the kernel maps it with the program, and nobody opens a file.
//!
//! ```text
//! Head, Item...
//! of each unit, from a page on: zeros where its cells go, from the next page on its file
//! ```

use crate::folder::{Folder, Mapped};
use crate::hash::hash;
use std::mem::{offset_of, size_of};

const MAGIC: [u8; 16] = *b"rqemu\0carried\0\x001";
const PAGE: usize = 4096;
const PT_LOAD: u32 = 1;
/// The program header that becomes the archive's: it is for backtraces, and all others are needed.
const PT_GNU_EH_FRAME: u32 = 0x6474_e550;
const PF_R_X: u32 = 5;

#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct Head {
    magic: [u8; 16],
    /// As a folder's.
    secret: u128,
    items: u64,
    len: u64,
    /// Of the items.
    table: u128,
    /// Of all before.
    check: u128,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct Item {
    key: u128,
    /// Where the cells go, and the file's bytes, from the start of the archive.
    cells: u64,
    file: u64,
    len: u64,
    _pad: u64,
}

/// An archive in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Archive {
    start: u64,
    items: &'static [Item],
    pub(crate) secret: u128,
}

impl Archive {
    /// The running program's.
    pub(crate) fn own() -> Option<Archive> {
        crate::program::segments()
            .filter(|s| s.kind == PT_LOAD && s.flags == PF_R_X)
            .find_map(|s| Archive::at(s.start, s.len))
    }

    fn at(start: u64, len: u64) -> Option<Archive> {
        if !start.is_multiple_of(PAGE as u64) || len < size_of::<Head>() as u64 {
            return None;
        }
        // SAFETY: a segment of this program, which stays mapped; nobody writes there but `map`, where no item's bytes are.
        let bytes: &'static [u8] = unsafe { std::slice::from_raw_parts(start as *const u8, len as usize) };
        if !bytes.starts_with(&MAGIC) {
            return None;
        }
        // SAFETY: so many bytes are there, aligned.
        let head = unsafe { *(start as *const Head) };
        let table = bytes.get(size_of::<Head>()..)?.get(..(head.items as usize).checked_mul(size_of::<Item>())?)?;
        let good =
            head.check == hash(&bytes[..offset_of!(Head, check)]) && head.table == hash(table) && head.len == len;
        // SAFETY: the checksum says that these are items, and a head's size keeps them aligned.
        let items = unsafe { std::slice::from_raw_parts(table.as_ptr().cast::<Item>(), head.items as usize) };
        good.then_some(Archive { start, items, secret: head.secret })
    }

    /// The file of a key, with memory of our own where its cells go. Each key is asked for once in a process.
    pub(crate) fn map(&self, key: u128) -> Option<Mapped> {
        let item = self.items.iter().find(|i| i.key == key)?;
        let (before, file) = (self.start + item.cells, self.start + item.file);
        let (prot, flags) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_FIXED | libc::MAP_ANONYMOUS);
        // SAFETY: zeros of the archive, which nobody has asked for before.
        let p = unsafe { libc::mmap(before as *mut _, (file - before) as usize, prot, flags, -1, 0) };
        let len = item.len as usize;
        let whole = (file - before) as usize + len;
        (p != libc::MAP_FAILED).then_some(Mapped { at: before, whole, file, len, inode: 0, sealed: false })
    }
}

fn pad(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(PAGE), 0);
}

/// A record as it lies in memory; it has no bytes between its fields.
fn bytes_of<T: Copy>(record: &T) -> &[u8] {
    // SAFETY: the record is so long, and all of it is fields.
    unsafe { std::slice::from_raw_parts(std::ptr::from_ref(record).cast(), size_of::<T>()) }
}

/// The archive of all that is in a folder.
fn archive(folder: &Folder) -> Vec<u8> {
    let units = folder.contents();
    let mut out = vec![0; size_of::<Head>() + units.len() * size_of::<Item>()];
    let mut items = Vec::new();
    for (key, bytes) in &units {
        let bytes = bytes.as_slice();
        let Some(room) = crate::store::room_for_cells(bytes) else { continue };
        pad(&mut out);
        let cells = out.len();
        out.resize(cells + room.next_multiple_of(PAGE), 0);
        let file = out.len() as u64;
        out.extend_from_slice(bytes);
        items.push(Item { key: *key, cells: cells as u64, file, len: bytes.len() as u64, _pad: 0 });
    }
    pad(&mut out);
    let table: Vec<u8> = items.iter().flat_map(|i| bytes_of(i).to_vec()).collect();
    let (secret, len) = (folder.secret(), out.len() as u64);
    let mut head = Head { magic: MAGIC, secret, items: items.len() as u64, len, table: hash(&table), check: 0 };
    head.check = hash(&bytes_of(&head)[..offset_of!(Head, check)]);
    out[..size_of::<Head>()].copy_from_slice(bytes_of(&head));
    out[size_of::<Head>()..][..table.len()].copy_from_slice(&table);
    out
}

/// This program's file (`own`, as it is read) with all that is in the folder. Nothing if it is not a file that can carry it.
pub fn carry(own: &[u8], folder: &Folder) -> Option<Vec<u8>> {
    let word = |at: usize, n: usize| Some(own.get(at..at + n)?.iter().rev().fold(0u64, |v, b| v << 8 | u64::from(*b)));
    let (at, size, count) = (word(32, 8)? as usize, word(54, 2)? as usize, word(56, 2)? as usize);
    let headers = || (0..count).map(|n| at + n * size);
    let kind = |h: usize| word(h, 4).map(|k| k as u32);
    let offset = |h: usize| word(h + 8, 8).map(|o| o as usize);
    // One that carries some already loses them.
    let old = headers().find(|&h| offset(h).and_then(|o| own.get(o..)).is_some_and(|b| b.starts_with(&MAGIC)));
    let header = match old {
        Some(h) => h,
        None => headers().find(|&h| kind(h) == Some(PT_GNU_EH_FRAME))?,
    };
    let end = |h: usize| Some(word(h + 16, 8)? + word(h + 40, 8)?);
    let loads = headers().filter(|&h| h != header && kind(h) == Some(PT_LOAD));
    let address = loads.filter_map(end).max()?.next_multiple_of(PAGE as u64);
    let mut file = own[..old.and_then(offset).unwrap_or(own.len())].to_vec();
    pad(&mut file);
    let (start, archive) = (file.len() as u64, archive(folder));
    let len = archive.len() as u64;
    file[header..header + 4].copy_from_slice(&PT_LOAD.to_le_bytes());
    file[header + 4..header + 8].copy_from_slice(&PF_R_X.to_le_bytes());
    for (n, field) in [start, address, address, len, len, PAGE as u64].into_iter().enumerate() {
        file[header + 8 + 8 * n..][..8].copy_from_slice(&field.to_le_bytes());
    }
    file.extend_from_slice(&archive);
    Some(file)
}
