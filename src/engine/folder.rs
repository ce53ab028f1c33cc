//! A folder of stored translations on the host: how files in it are found, mapped and replaced. What is in them is `unit.rs`'s affair.
//!
//! The folder is opened anew, by its path, each time it is written, and must be the one it was at the start: after a chroot another folder at the same
//! path is not taken for it. Files are opened by their paths, and must be of its file system, while the root was not changed. A descriptor, which the guest can see and close, is kept from a change of the root on only ([`Folder::keep`]), and handed on by execve. Files are only ever replaced as a whole, by a rename.

mod huge;

use crate::carried::Archive;
use libc::c_int;
use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicI32, Ordering};

const READ: c_int = libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NOFOLLOW;
const DIRECTORY: c_int = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC | libc::O_NOFOLLOW;
/// Bytes of the file `secret`.
const SECRET: usize = 16;

/// See the module.
#[derive(Debug)]
pub struct Folder {
    path: CString,
    dev: u64,
    inode: u64,
    owner: u32,
    secret: u128,
    /// Bytes that its files may have together.
    limit: u64,
    /// What takes the folder's place, if there is none.
    carried: Option<Archive>,
    /// Its files are in memory.
    in_memory: bool,
    /// What the seals of its files depend on, if they are worth anything.
    lasting: Option<u128>,
}

/// A file of translations, for those who look after the folder.
#[derive(Clone, Debug)]
pub struct Stored {
    name: CString,
    pub bytes: u64,
    /// When it was used last, in seconds, and within an hour.
    pub used: i64,
}

/// An open descriptor, closed at the end.
#[derive(Debug)]
struct Fd(c_int);

impl Drop for Fd {
    fn drop(&mut self) {
        // SAFETY: it is ours.
        unsafe { libc::close(self.0) };
    }
}

/// A descriptor of the folder, if one is kept; else -1. The guest may close it, or put another in its place.
static KEPT: AtomicI32 = AtomicI32::new(-1);
/// Where it is: away from those that programs count on.
const KEPT_FROM: c_int = 900;

impl Fd {
    fn open(dir: &Fd, name: &CStr, flags: c_int) -> Option<Fd> {
        // SAFETY: the kernel reads the name.
        let fd = unsafe { libc::openat(dir.0, name.as_ptr(), flags, 0o600) };
        (fd >= 0).then_some(Fd(fd))
    }

    /// A file that has no name yet.
    fn nameless(dir: &Fd) -> Option<Fd> {
        Fd::open(dir, c".", libc::O_TMPFILE | libc::O_RDWR | libc::O_CLOEXEC)
    }

    /// Gives it one that nobody has. Before Linux 6.10 the descriptor alone serves only those who may read everything; /proc serves all.
    fn link(&self, dir: &Fd, name: &CStr) -> bool {
        let path = CString::new(format!("/proc/self/fd/{}", self.0)).expect("no zero in it");
        let (to, by_path) = (name.as_ptr(), libc::AT_SYMLINK_FOLLOW);
        // SAFETY: the kernel reads the names.
        unsafe {
            libc::linkat(self.0, c"".as_ptr(), dir.0, to, libc::AT_EMPTY_PATH) == 0
                || libc::linkat(libc::AT_FDCWD, path.as_ptr(), dir.0, to, by_path) == 0
        }
    }

    fn stat(&self) -> Option<libc::stat> {
        let mut stat = MaybeUninit::uninit();
        // SAFETY: the kernel writes the struct if it answers 0.
        unsafe { (libc::fstat(self.0, stat.as_mut_ptr()) == 0).then(|| stat.assume_init()) }
    }

    /// Whether nobody but the owner can write it.
    fn belongs_to(&self, owner: u32) -> Option<libc::stat> {
        self.stat().filter(|s| s.st_uid == owner && s.st_mode & 0o022 == 0)
    }

    fn is_in_memory(&self) -> bool {
        let mut fs = MaybeUninit::<libc::statfs>::uninit();
        // SAFETY: the kernel writes the struct if it answers 0.
        unsafe { libc::fstatfs(self.0, fs.as_mut_ptr()) == 0 && fs.assume_init().f_type == libc::TMPFS_MAGIC }
    }

    /// [`Folder::in_memory`] and [`Folder::lasting`]. In memory no bit changes unless somebody writes. On a disk a crash may leave anything, but what
    /// was written since the system was started is read as it was written.
    fn lasting(&self) -> (bool, Option<u128>) {
        let in_memory = self.is_in_memory();
        (in_memory, if in_memory { Some(0) } else { boot() })
    }

    /// Sets the time of the last change to one that tells that there was none since: its nanoseconds are those of the file's seal.
    fn seal(&self, key: u128, head: &[u8], lasting: u128) -> bool {
        let keep = libc::timespec { tv_sec: 0, tv_nsec: libc::UTIME_OMIT };
        let sealed = libc::timespec { tv_nsec: seal(key, head, lasting), ..now(libc::CLOCK_REALTIME) };
        // SAFETY: a plain system call on our descriptor, which reads the times.
        unsafe { libc::futimens(self.0, [keep, sealed].as_ptr()) == 0 }
    }

    fn write(&self, mut at: u64, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            // SAFETY: the kernel reads the bytes.
            let n = unsafe { libc::pwrite(self.0, bytes.as_ptr().cast(), bytes.len(), at.cast_signed()) };
            if n <= 0 {
                return false;
            }
            (at, bytes) = (at + n as u64, &bytes[n as usize..]);
        }
        true
    }
}

/// What a file is to have.
pub(crate) trait Contents {
    /// Hands over each part with its place, in any order. False as soon as one is not taken.
    fn write(&self, to: &mut dyn FnMut(u64, &[u8]) -> bool) -> bool;
}

impl Contents for &[u8] {
    fn write(&self, to: &mut dyn FnMut(u64, &[u8]) -> bool) -> bool {
        to(0, self)
    }
}

/// A file, mapped with room before it.
#[derive(Debug)]
pub(crate) struct Mapped {
    /// Address and length of all that is mapped.
    pub(crate) at: u64,
    pub(crate) whole: usize,
    /// The file; before it is as much private memory as was asked for, or more.
    pub(crate) file: u64,
    pub(crate) len: usize,
    /// What tells it from a file that takes its place, as long as it is mapped; 0 if none can.
    pub(crate) inode: u64,
    /// Nobody has written it since it was made, so its bytes are what they were.
    pub(crate) sealed: bool,
}

impl Mapped {
    /// Takes it away: nobody uses it.
    pub(crate) fn unmap(self) {
        // SAFETY: our mapping, which the caller gives up.
        unsafe { libc::munmap(self.at as *mut _, self.whole) };
    }
}

/// The first bytes of a file, by which it is known.
const HEAD: usize = 256;

/// The nanoseconds of a file's time of change if nobody has changed it.
fn seal(key: u128, head: &[u8], lasting: u128) -> i64 {
    (crate::hash::hash(&[&key.to_le_bytes(), &lasting.to_le_bytes(), head].concat()) as u64 % 1_000_000_000)
        .cast_signed()
}

/// What tells this start of the system from others (man 4 random).
fn boot() -> Option<u128> {
    const UUID: usize = 36;
    let mut text = [0; UUID];
    // SAFETY: the kernel reads the path, and writes at most so many bytes.
    let n = unsafe {
        let fd = Fd(Some(libc::open(c"/proc/sys/kernel/random/boot_id".as_ptr(), READ)).filter(|fd| *fd >= 0)?);
        libc::read(fd.0, text.as_mut_ptr().cast(), UUID)
    };
    (n == UUID as isize).then(|| crate::hash::hash(&text))
}

/// A name in the folder.
fn name(of: u128) -> CString {
    CString::new(format!("{of:032x}")).expect("no zero in it")
}

impl Folder {
    /// A folder that belongs to the effective user and is not writable by others. `make`: it is made if it does not exist.
    pub fn open(path: &[u8], make: bool, limit: u64) -> Option<Folder> {
        let path = CString::new(path).ok()?;
        // SAFETY: a plain system call.
        let owner = unsafe { libc::geteuid() };
        let mut folder =
            Folder { path, dev: 0, inode: 0, owner, secret: 0, limit, carried: None, in_memory: false, lasting: None };
        let mut fd = folder.descriptor();
        if fd.is_none() && make {
            // SAFETY: the kernel reads the path.
            unsafe { libc::mkdir(folder.path.as_ptr(), 0o700) };
            fd = folder.descriptor();
        }
        let fd = fd?;
        let stat = fd.belongs_to(owner)?;
        (folder.dev, folder.inode) = (stat.st_dev, stat.st_ino);
        (folder.in_memory, folder.lasting) = fd.lasting();
        folder.secret = folder.read_secret(&fd)?;
        Some(folder)
    }

    /// What the program's own file carries, if it does: to be read only.
    pub fn carried() -> Option<Folder> {
        let archive = Archive::own()?;
        let (path, secret) = (CString::default(), archive.secret);
        Some(Folder {
            path,
            dev: 0,
            inode: 0,
            owner: 0,
            secret,
            limit: 0,
            carried: Some(archive),
            in_memory: false,
            lasting: None,
        })
    }

    /// The folder of the rqemu before this one, by the descriptor that it has handed on.
    pub fn inherited(fd: c_int, limit: u64) -> Option<Folder> {
        let fd = Fd(fd);
        // SAFETY: a plain system call.
        let owner = unsafe { libc::geteuid() };
        let stat = fd.belongs_to(owner)?;
        let (path, dev, inode) = (CString::default(), stat.st_dev, stat.st_ino);
        let (in_memory, lasting) = fd.lasting();
        let mut folder = Folder { path, dev, inode, owner, secret: 0, limit, carried: None, in_memory, lasting };
        folder.secret = folder.read_secret(&fd)?;
        keep(&fd);
        Some(folder)
    }

    /// To be called before the root changes: what has led to the folder may lead elsewhere then.
    pub fn keep(&self) {
        if self.kept().is_none()
            && let Some(fd) = self.same()
        {
            keep(&fd);
        }
    }

    /// A descriptor for the rqemu that this process becomes, if it would not find the folder itself.
    pub fn hand_on(&self) -> Option<c_int> {
        let fd = self.kept()?;
        // SAFETY: a plain system call on our descriptor.
        let copy = unsafe { libc::fcntl(fd.0, libc::F_DUPFD, 3) };
        (copy >= 0).then_some(copy)
    }

    fn kept(&self) -> Option<Fd> {
        let kept = KEPT.load(Ordering::Relaxed);
        // SAFETY: the kernel reads the path.
        let fd = if kept < 0 { -1 } else { unsafe { libc::openat(kept, c".".as_ptr(), DIRECTORY) } };
        self.if_same(Some(fd).filter(|fd| *fd >= 0).map(Fd))
    }

    fn if_same(&self, fd: Option<Fd>) -> Option<Fd> {
        let stat = fd.as_ref()?.belongs_to(self.owner)?;
        fd.filter(|_| (stat.st_dev, stat.st_ino) == (self.dev, self.inode))
    }

    fn descriptor(&self) -> Option<Fd> {
        // SAFETY: the kernel reads the path.
        let fd = unsafe { libc::open(self.path.as_ptr(), DIRECTORY) };
        (fd >= 0).then_some(Fd(fd))
    }

    /// The folder, if it still is the one it was.
    fn same(&self) -> Option<Fd> {
        self.if_same(self.descriptor()).or_else(|| self.kept())
    }

    /// The folder's secret, which images' addresses depend on. Made by the first who comes.
    fn read_secret(&self, dir: &Fd) -> Option<u128> {
        let mut bytes = [0; SECRET];
        for _ in 0..2 {
            if let Some(fd) = Fd::open(dir, c"secret", READ) {
                fd.belongs_to(self.owner)?;
                // SAFETY: the kernel writes at most so many bytes.
                let n = unsafe { libc::read(fd.0, bytes.as_mut_ptr().cast(), SECRET) };
                return (n == SECRET as isize).then(|| u128::from_le_bytes(bytes));
            }
            // SAFETY: as above.
            if limited() || unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), SECRET, 0) } != SECRET as isize {
                return None;
            }
            // A link does not replace another's secret.
            let nameless = Fd::nameless(dir).is_some_and(|fd| fd.write(0, &bytes) && fd.link(dir, c"secret"));
            if !nameless {
                let temporary = temporary();
                let fd = Fd::open(dir, &temporary, libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL | libc::O_CLOEXEC)?;
                let written = fd.write(0, &bytes);
                // SAFETY: the kernel reads the names.
                unsafe {
                    if written {
                        libc::linkat(dir.0, temporary.as_ptr(), dir.0, c"secret".as_ptr(), 0);
                    }
                    libc::unlinkat(dir.0, temporary.as_ptr(), 0);
                }
            }
        }
        None
    }

    /// A number that follows from the file's key, and that nobody else can guess.
    pub fn place(&self, key: u128, attempt: u64) -> u64 {
        let bytes = [self.secret.to_le_bytes(), key.to_le_bytes(), u128::from(attempt).to_le_bytes()].concat();
        crate::hash::hash(&bytes) as u64
    }

    /// Whether a note is there: a file whose name says all.
    pub fn has_note(&self, key: u128) -> bool {
        self.stat_of(key).is_some_and(|s| s.st_size == size_of_val(&key) as i64)
    }

    /// When a file came into the folder last: seconds and nanoseconds.
    pub(crate) fn changed(&self) -> Option<(i64, i64)> {
        let stat = if self.is_at_its_path() { stat(&self.path) } else { self.kept()?.stat() };
        stat.filter(|s| (s.st_dev, s.st_ino) == (self.dev, self.inode)).map(|s| (s.st_mtime, s.st_mtime_nsec))
    }

    /// The inode of a key's file.
    pub(crate) fn inode_of(&self, key: u128) -> Option<u64> {
        if self.carried.is_some() { None } else { self.stat_of(key).map(|s| s.st_ino) }
    }

    fn stat_of(&self, key: u128) -> Option<libc::stat> {
        let stat = match self.path_of(key) {
            Some(path) => stat(&path),
            None => self.same().and_then(|dir| Fd::open(&dir, &name(key), READ)?.stat()),
        };
        stat.filter(|s| self.owns(s))
    }

    /// Whether its path leads where it did at the start.
    fn is_at_its_path(&self) -> bool {
        !self.path.is_empty() && KEPT.load(Ordering::Relaxed) < 0
    }

    /// The path of a key's file, if the folder is at its own.
    fn path_of(&self, key: u128) -> Option<CString> {
        let path = || [self.path.to_bytes(), b"/", name(key).to_bytes()].concat();
        self.is_at_its_path().then(|| CString::new(path()).expect("no zero in it"))
    }

    /// Whether a file is one of the folder's: of its file system and its owner, whom nobody else can write for.
    fn owns(&self, file: &libc::stat) -> bool {
        file.st_dev == self.dev && file.st_uid == self.owner && file.st_mode & (libc::S_IFMT | 0o022) == libc::S_IFREG
    }

    /// The file of a key.
    fn file(&self, key: u128) -> Option<(Fd, libc::stat)> {
        let fd = match self.path_of(key) {
            // SAFETY: the kernel reads the path.
            Some(path) => Some(unsafe { libc::open(path.as_ptr(), READ) }).filter(|fd| *fd >= 0).map(Fd)?,
            None => Fd::open(&self.same()?, &name(key), READ)?,
        };
        let stat = fd.stat().filter(|s| self.owns(s))?;
        Some((fd, stat))
    }

    /// Makes a note.
    pub fn note(&self, key: u128) {
        self.replace(key, |_, put| put(&&key.to_le_bytes()[..]));
    }

    /// Maps a file to be read and run, with `before(its first bytes)` bytes of private memory ahead of it.
    pub(crate) fn map(&self, key: u128, before: impl Fn(&[u8]) -> Option<usize>) -> Option<Mapped> {
        if let Some(archive) = &self.carried {
            return archive.map(key);
        }
        let (fd, stat) = self.file(key)?;
        let len = usize::try_from(stat.st_size).ok()?;
        let mut head = [0u8; HEAD];
        // SAFETY: the kernel writes at most so many bytes.
        let n = unsafe { libc::pread(fd.0, head.as_mut_ptr().cast(), head.len(), 0) };
        let head = head.get(..usize::try_from(n).ok()?)?;
        let before = before(head)?.next_multiple_of(4096);
        let sealed = self.lasting.is_some_and(|lasting| stat.st_mtime_nsec == seal(key, head, lasting));
        // Where huge pages can be mapped as a whole, if they are what it has.
        let align = if self.in_memory { huge::alignment(len) } else { 4096 };
        let mapped_len = len.next_multiple_of(align);
        let whole = before + mapped_len + align - 4096;
        let map = |at: u64, len, prot, flags, fd| {
            // SAFETY: addresses are of the kernel's choice, or within what was just reserved.
            let p = unsafe { libc::mmap(at as *mut _, len, prot, flags, fd, 0) };
            (p != libc::MAP_FAILED).then_some(p as u64)
        };
        let private = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        let at = map(0, whole, libc::PROT_READ | libc::PROT_WRITE, private, -1)?;
        let file = (at + before as u64).next_multiple_of(align as u64);
        let run = libc::PROT_READ | libc::PROT_EXEC;
        let mapped = map(file, mapped_len, run, libc::MAP_PRIVATE | libc::MAP_FIXED, fd.0)
            // A file system may be mounted without execution: then a copy.
            .or_else(|| map(file, mapped_len, run, libc::MAP_PRIVATE | libc::MAP_FIXED, copy(&fd, len)?.0));
        if mapped.is_none() {
            // SAFETY: the range that was just reserved.
            unsafe { libc::munmap(at as *mut _, whole) };
        }
        self.touch(&fd, &stat);
        Some(Mapped { at, whole, file: mapped?, len, inode: stat.st_ino, sealed })
    }

    /// Notes the use, for those who remove what is not used. Not each time: that would be a write for every reader.
    fn touch(&self, fd: &Fd, stat: &libc::stat) {
        let now = libc::timespec { tv_sec: 0, tv_nsec: libc::UTIME_NOW };
        let keep = libc::timespec { tv_sec: 0, tv_nsec: libc::UTIME_OMIT };
        // SAFETY: plain system calls on our descriptor.
        unsafe {
            if libc::time(std::ptr::null_mut()) - stat.st_atime > TOUCH_AFTER {
                libc::futimens(fd.0, [now, keep].as_ptr());
            }
        }
    }

    /// Replaces the file of a key by what `make` puts down, given the bytes of the file that is there; one writer at a time. False if nothing was written.
    pub(crate) fn replace(&self, key: u128, make: impl FnOnce(&[u8], &mut dyn FnMut(&dyn Contents))) -> bool {
        if self.carried.is_some() || limited() {
            return false;
        }
        let Some(dir) = self.same() else { return false };
        let Some(lock) = Fd::open(&dir, c"lock", libc::O_RDWR | libc::O_CREAT | libc::O_CLOEXEC | libc::O_NOFOLLOW)
        else {
            return false;
        };
        if !lock_soon(&lock) {
            return false;
        }
        let name = name(key);
        let old = Fd::open(&dir, &name, READ).and_then(|fd| read(&fd, self.owner)).unwrap_or_default();
        let mut written = None;
        make(old.as_slice(), &mut |contents| {
            written = self.put(&dir, key, contents, true).or_else(|| self.put(&dir, key, contents, false));
        });
        if written.is_some_and(|len| self.is_time_to_prune(len)) {
            self.prune_to(&dir, self.limit);
        }
        written.is_some()
    }

    /// Puts a file in its place as a whole; how long it is. `nameless`: it has no name until it is written, so that nothing is left of a writer that is
    /// killed; not every file system has such files.
    fn put(&self, dir: &Fd, key: u128, contents: &dyn Contents, nameless: bool) -> Option<u64> {
        let temporary = temporary();
        let flags = libc::O_RDWR | libc::O_CREAT | libc::O_EXCL | libc::O_CLOEXEC;
        let fd = if nameless { Fd::nameless(dir) } else { Fd::open(dir, &temporary, flags) };
        let fd = fd?;
        let (mut head, mut len) = ([0; HEAD], 0);
        let mut written = contents.write(&mut |at, bytes| {
            len = len.max(at + bytes.len() as u64);
            if let Some(head) = head.get_mut(at as usize..) {
                let n = head.len().min(bytes.len());
                head[..n].copy_from_slice(&bytes[..n]);
            }
            fd.write(at, bytes)
        });
        if written && self.in_memory {
            huge::collapse(&fd, len as usize);
        }
        if let Some(lasting) = self.lasting {
            written = written && fd.seal(key, &head[..HEAD.min(len as usize)], lasting);
        }
        written = written && (!nameless || fd.link(dir, &temporary));
        // SAFETY: the kernel reads the names.
        unsafe {
            let done = written && libc::renameat(dir.0, temporary.as_ptr(), dir.0, name(key).as_ptr()) == 0;
            if !done {
                libc::unlinkat(dir.0, temporary.as_ptr(), 0);
            }
            done.then_some(len)
        }
    }

    /// Files are counted when a big one was written, and else now and then.
    fn is_time_to_prune(&self, written: u64) -> bool {
        written > self.limit / 64 || draw() & 15 == 0
    }

    /// Removes what was used least recently, down to three quarters of what is allowed, and what a writer has left that died.
    fn prune_to(&self, dir: &Fd, limit: u64) {
        let mut files = list(dir);
        let second = now(libc::CLOCK_REALTIME).tv_sec;
        let mut total: u64 = files.iter().map(|f| f.bytes).sum();
        let wanted = if total > limit { limit / 4 * 3 } else { limit };
        files.sort_by_key(|f| f.used);
        for f in files {
            let abandoned = f.name.to_bytes().starts_with(TEMPORARY) && second - f.used > TOUCH_AFTER;
            if total > wanted || abandoned {
                total -= f.bytes;
                // SAFETY: the kernel reads the name. Who has it mapped keeps it.
                unsafe { libc::unlinkat(dir.0, f.name.as_ptr(), 0) };
            }
        }
    }

    /// Its path.
    pub fn path(&self) -> &[u8] {
        self.path.to_bytes()
    }

    /// The bytes that its files may have together.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// The files with translations.
    pub fn files(&self) -> Vec<Stored> {
        self.same().map(|dir| list(&dir)).unwrap_or_default()
    }

    /// All translations, by their keys.
    pub(crate) fn contents(&self) -> Vec<(u128, Bytes)> {
        let Some(dir) = self.same() else { return Vec::new() };
        let content = |f: Stored| {
            let key = u128::from_str_radix(f.name.to_str().ok()?, 16).ok()?;
            Some((key, read(&Fd::open(&dir, &f.name, READ)?, self.owner)?))
        };
        list(&dir).into_iter().filter_map(content).collect()
    }

    pub(crate) fn secret(&self) -> u128 {
        self.secret
    }

    /// Removes all translations.
    pub fn clear(&self) {
        if let Some(dir) = self.same() {
            for f in list(&dir) {
                // SAFETY: the kernel reads the name.
                unsafe { libc::unlinkat(dir.0, f.name.as_ptr(), 0) };
            }
        }
    }
}

/// What the kernel says of the file at a path, be it a link.
fn stat(path: &CStr) -> Option<libc::stat> {
    let mut stat = MaybeUninit::uninit();
    // SAFETY: the kernel reads the path, and writes the struct if it answers 0.
    unsafe { (libc::lstat(path.as_ptr(), stat.as_mut_ptr()) == 0).then(|| stat.assume_init()) }
}

/// A number that is another each time, for what is to be done now and then.
pub(crate) fn draw() -> u64 {
    let tick = now(libc::CLOCK_MONOTONIC).tv_nsec as u64;
    (tick ^ tick >> 7).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20
}

fn keep(fd: &Fd) {
    // SAFETY: a plain system call on our descriptor.
    KEPT.store(unsafe { libc::fcntl(fd.0, libc::F_DUPFD_CLOEXEC, KEPT_FROM) }, Ordering::Relaxed);
}

fn now(clock: libc::clockid_t) -> libc::timespec {
    // SAFETY: all zero is a timespec; the kernel writes it.
    unsafe {
        let mut now: libc::timespec = std::mem::zeroed();
        libc::clock_gettime(clock, &raw mut now);
        now
    }
}

/// The files of a folder but for those that are not translations.
fn list(dir: &Fd) -> Vec<Stored> {
    let mut files = Vec::new();
    let mut buffer = [0u64; 1024];
    // SAFETY: a plain system call. The folder is read from its start.
    unsafe { libc::lseek(dir.0, 0, libc::SEEK_SET) };
    loop {
        // SAFETY: the kernel writes at most so many bytes.
        let n = unsafe { libc::syscall(libc::SYS_getdents64, dir.0, buffer.as_mut_ptr(), size_of_val(&buffer)) };
        let Some(n) = usize::try_from(n).ok().filter(|n| *n > 0) else { return files };
        let mut at = 0;
        while at < n {
            // SAFETY: the kernel has put entries there, aligned to 8 bytes, each with its length and a name that ends.
            let (name, len) = unsafe {
                let entry = buffer.as_ptr().cast::<u8>().add(at).cast::<libc::dirent64>();
                (CStr::from_ptr((&raw const (*entry).d_name).cast()).to_owned(), (*entry).d_reclen)
            };
            at += usize::from(len);
            let bytes = name.to_bytes();
            if (bytes.len() == 32 || bytes.starts_with(TEMPORARY))
                && let Some(stat) = Fd::open(dir, &name, libc::O_PATH | libc::O_NOFOLLOW).and_then(|fd| fd.stat())
            {
                // Huge pages take more than the file's length.
                let bytes = stat.st_size.max(512 * stat.st_blocks) as u64;
                files.push(Stored { name, bytes, used: stat.st_atime.max(stat.st_mtime) });
            }
        }
    }
}

/// How names of files begin that are not finished.
const TEMPORARY: &[u8] = b"tmp.";

/// Seconds after which a use is noted again.
const TOUCH_AFTER: i64 = 3600;

/// A name for a file that is not finished.
fn temporary() -> CString {
    // SAFETY: a plain system call.
    let pid = unsafe { libc::getpid() };
    CString::new(format!("tmp.{pid}.{}", now(libc::CLOCK_MONOTONIC).tv_nsec)).expect("no zero in it")
}

/// Whether the guest has a limit on the size of files: a write beyond it would kill us.
fn limited() -> bool {
    // SAFETY: the kernel writes the struct.
    unsafe {
        let mut limit: libc::rlimit = std::mem::zeroed();
        libc::getrlimit(libc::RLIMIT_FSIZE, &raw mut limit) != 0 || limit.rlim_cur != libc::RLIM_INFINITY
    }
}

/// Takes the writers' lock, unless somebody has it for long.
fn lock_soon(lock: &Fd) -> bool {
    for _ in 0..20 {
        // SAFETY: plain system calls.
        unsafe {
            if libc::flock(lock.0, libc::LOCK_EX | libc::LOCK_NB) == 0 {
                return true;
            }
            libc::nanosleep(&libc::timespec { tv_sec: 0, tv_nsec: 1_000_000 }, std::ptr::null_mut());
        }
    }
    false
}

/// A copy of a file in memory.
fn copy(fd: &Fd, len: usize) -> Option<Fd> {
    // SAFETY: plain system calls on descriptors of ours.
    unsafe {
        let memory = libc::memfd_create(c"code".as_ptr(), libc::MFD_CLOEXEC);
        let memory = (memory >= 0).then_some(Fd(memory))?;
        let (mut offset, mut left) = (0, len);
        while left > 0 {
            let n = libc::sendfile(memory.0, fd.0, &raw mut offset, left);
            left -= usize::try_from(n).ok().filter(|n| *n > 0)?;
        }
        Some(memory)
    }
}

/// The bytes of a file, aligned for any record.
#[derive(Debug, Default)]
pub(crate) struct Bytes {
    words: Vec<u128>,
    len: usize,
}

impl Bytes {
    pub(crate) fn as_slice(&self) -> &[u8] {
        // SAFETY: so many bytes of the words were filled.
        unsafe { std::slice::from_raw_parts(self.words.as_ptr().cast(), self.len) }
    }
}

/// The content of a file of the owner's.
fn read(fd: &Fd, owner: u32) -> Option<Bytes> {
    let len = usize::try_from(fd.belongs_to(owner)?.st_size).ok()?;
    let mut words = vec![0u128; len.div_ceil(16)];
    let mut done = 0;
    while done < len {
        // SAFETY: the rest of the buffer.
        let n = unsafe { libc::pread(fd.0, words.as_mut_ptr().cast::<u8>().add(done).cast(), len - done, done as i64) };
        done += usize::try_from(n).ok().filter(|n| *n > 0)?;
    }
    Some(Bytes { words, len })
}
