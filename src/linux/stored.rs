//! Stored translations, as far as they are Linux's affair: which folder they are in, and where in the guest's address space images go, so that code that
//! was translated for them is right in the next process too.
//!
//! Stored code holds guest addresses. So an image's address follows from its content and the folder's secret: the same in each process that uses the folder,
//! and not to be guessed by others. Where a program is linked to a fixed address, that is it. Addresses that follow are in windows of their own, by
//! which they are known.

use crate::elf;
use crate::host;
use crate::map::{Object, PAGE};
use crate::options::Options;
use crate::proc;
use crate::task::Task;
use engine::Folder;

/// How often another place is tried if something is there.
const ATTEMPTS: u64 = 4;

/// A range of addresses for images: where it begins, and how many pages there are to choose from.
#[derive(Clone, Copy, Debug)]
struct Window {
    start: u64,
    pages: u64,
}

/// For libraries and interpreters, and for programs, of guests of 64 and of 32 bits. The kernel's randomness of a program's address is 28 and 8 bits.
const LIBRARIES: [Window; 2] =
    [Window { start: 0x5000_0000_0000, pages: 1 << 28 }, Window { start: 0x5000_0000, pages: 1 << 17 }];
const PROGRAMS: [Window; 2] =
    [Window { start: 0x4000_0000_0000, pages: 1 << 28 }, Window { start: 0x40_0000, pages: 1 << 8 }];

/// Places for images in an address space.
#[derive(Clone, Copy, Debug)]
pub struct Images {
    folder: &'static Folder,
    small: bool,
}

impl Images {
    /// `top`: where the guest's addresses end.
    pub fn new(folder: &'static Folder, top: u64) -> Images {
        Images { folder, small: top <= 1 << 32 }
    }

    fn places(self, windows: [Window; 2], key: u128) -> impl Iterator<Item = u64> {
        let w = windows[usize::from(self.small)];
        (0..ATTEMPTS).map(move |n| w.start + (self.folder.place(key, n) & (w.pages - 1)) * PAGE)
    }

    /// Where a program goes.
    pub fn program(self, key: Key) -> u64 {
        self.places(PROGRAMS, key.hash).next().unwrap_or(0)
    }

    /// Where a library or an interpreter goes, best first.
    pub fn library(self, key: Key) -> impl Iterator<Item = u64> {
        self.places(LIBRARIES, key.hash)
    }

    /// Where a reservation goes that a dynamic linker makes for a library that must be aligned. It does not say which: but lengths that are not of whole
    /// pages are the library's own.
    pub fn reservation(self, len: u64) -> impl Iterator<Item = u64> {
        self.places(LIBRARIES, u128::from(len))
    }

    /// Whether nothing comes to lie at the address but what the program wants there: below all windows, if addresses that are chosen for it are above.
    pub fn leave_to_program(self, addr: u64, top: u64) -> bool {
        top > LIBRARIES[0].start + LIBRARIES[0].pages * PAGE && (1..PROGRAMS[0].start).contains(&addr)
    }

    /// Whether the address is one that follows from what is there.
    pub fn has(self, addr: u64) -> bool {
        let small = usize::from(self.small);
        [LIBRARIES[small], PROGRAMS[small]].iter().any(|w| (w.start..w.start + w.pages * PAGE).contains(&addr))
    }
}

/// What tells a file with code from others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Key {
    pub hash: u128,
    /// Whether it is an ELF image. Other files have code and data side by side, and what they show is written.
    image: bool,
}

/// A remark beside the translations that a piece of an image lacks a word.
#[derive(Debug)]
pub struct Note {
    folder: &'static Folder,
    key: u128,
}

impl Images {
    /// For code of an object from an offset on, if it is an image with a key.
    pub fn note(self, object: &Object, offset: u64, word: u32) -> Option<Note> {
        let [dev, inode] = [object.dev, object.inode].map(u128::from);
        let parts = [object.key.filter(|k| k.image)?.hash, dev, inode, offset.into(), word.into()];
        Some(Note { folder: self.folder, key: engine::hash(&parts.map(u128::to_le_bytes).concat()) })
    }
}

impl Note {
    pub fn is_there(&self) -> bool {
        self.folder.has_note(self.key)
    }
    pub fn make(&self) {
        self.folder.note(self.key);
    }
}

/// The key of an open file that is an image.
pub fn image_key(fd: i32) -> Option<Key> {
    file_key(fd).filter(|k| k.image)
}

/// The key of an open file.
pub fn file_key(fd: i32) -> Option<Key> {
    let mut head = [0; PAGE as usize];
    let n = host::pread(fd, &mut head, 0).ok()?;
    key_of(fd, &head[..n])
}

/// The same of one whose first page is known.
pub fn key_of(fd: i32, head: &[u8]) -> Option<Key> {
    // SAFETY: all zero is a stat; the kernel writes it.
    let size = unsafe {
        let mut stat: libc::stat = std::mem::zeroed();
        crate::call!(libc::SYS_fstat, fd, &raw mut stat).ok()?;
        stat.st_size
    };
    Some(Key { hash: engine::image_key(head, size as u64), image: head.starts_with(b"\x7fELF") })
}

/// Bytes that a folder may have, unless something else is asked for: on a disk, and in memory.
const DISK_LIMIT: u64 = 1 << 30;
const MEMORY_LIMIT: u64 = 256 << 20;

/// The folder that the options choose: the one they name, one that `rqemu cache init` has made, or one in memory. Nothing else, so that a file system that
/// is being built gains no file.
pub fn folder(options: &Options, env: &[Vec<u8>]) -> Option<&'static Folder> {
    let open = |path: &[u8], make, limit| Folder::open(path, make, options.cache_size.unwrap_or(limit));
    let folder = match options.cache.as_deref() {
        Some(b"off") => None,
        Some(path) => open(path, true, DISK_LIMIT),
        // Addresses are to be those of the seed.
        None if options.seed.is_some() => None,
        None => home(env)
            .and_then(|path| open(&path, false, DISK_LIMIT))
            .or_else(|| {
                let path = in_memory()?;
                open(&path, true, MEMORY_LIMIT)
            })
            .or_else(Folder::carried),
    };
    Some(Box::leak(Box::new(folder?)))
}

/// The folder of the rqemu that has started this one, if its descriptor came along.
pub fn inherited(fd: Option<i32>, options: &Options) -> Option<&'static Folder> {
    let folder = Folder::inherited(fd?, options.cache_size.unwrap_or(MEMORY_LIMIT))?;
    Some(Box::leak(Box::new(folder)))
}

/// Where `rqemu cache init` makes a folder.
pub fn home(env: &[Vec<u8>]) -> Option<Vec<u8>> {
    let value = |name: &[u8]| env.iter().find_map(|v| v.strip_prefix(name)).filter(|v| v.starts_with(b"/"));
    match value(b"XDG_CACHE_HOME=") {
        Some(dir) => Some([dir, b"/rqemu"].concat()),
        None => value(b"HOME=").map(|dir| [dir, b"/.cache/rqemu"].concat()),
    }
}

/// The user's folder in memory, if there is a place for that.
fn in_memory() -> Option<Vec<u8>> {
    // SAFETY: all zero is a statfs; the kernel writes it, and reads the path. The vector of the process's start is only read.
    let (kind, user) = unsafe {
        let mut fs: libc::statfs = std::mem::zeroed();
        crate::call!(libc::SYS_statfs, c"/dev/shm".as_ptr(), &raw mut fs).ok()?;
        (fs.f_type, libc::getauxval(libc::AT_EUID))
    };
    (kind == libc::TMPFS_MAGIC).then(|| format!("/dev/shm/rqemu-{user}").into_bytes())
}

/// Translates all that the files hold which are mapped for execution.
fn warm(t: &Task) {
    let mm = t.process.mm;
    let maps = proc::own_maps(mm, mm.places().stack_start);
    let starts = maps.lines().filter_map(code_starts).flatten().collect();
    t.process.engine.warm((t.process.guest.mode)(t.cpu().state()), starts);
}

/// Where functions begin that lie in a mapping, which a line of /proc/self/maps tells of.
fn code_starts(line: &str) -> Option<Vec<u64>> {
    let (range, path) = (line.split(' ').next()?, &line[line.find('/')?..]);
    let mut words = line.split_whitespace();
    let flags = words.nth(1).filter(|f| f.contains('x'))?;
    let offset = u64::from_str_radix(words.next()?, 16).ok()?;
    let (start, end) = range.split_once('-')?;
    let (start, end) = (u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?);
    let file = host::read_file(path.as_bytes()).ok().filter(|_| flags.len() == 4)?;
    let header = elf::header(&file).ok()?;
    let (at, len) = header.segments_range().ok()?;
    let segments = header.segments(file.get(at as usize..at as usize + len)?);
    let own = segments.iter().find(|s| s.kind == elf::PT_LOAD && s.flags & elf::PF_X != 0)?;
    // From an address of the file's to one in memory.
    let bias = start.wrapping_sub(offset).wrapping_sub(own.vaddr.wrapping_sub(own.offset));
    let all = elf::functions(&header, &file).into_iter().chain([header.entry]);
    Some(all.map(|a| a.wrapping_add(bias)).filter(|a| (start..end).contains(a)).collect())
}

/// Before a process ends, or becomes another.
pub fn save(t: &Task) {
    if t.process.options.warm {
        warm(t);
    }
    // What a vfork child has translated is its parent's.
    if !t.vforked {
        t.process.engine.save();
    }
}
