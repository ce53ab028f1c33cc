//! What perf(1) reads to name translated code: `/tmp/perf-PID.map` (`-perfmap`; linux/tools/perf/Documentation/jit-interface.txt) and
//! `jit-PID.dump` in the current folder (`-jitdump`; jitdump-specification.txt beside it). Symbols are `guest-0xADDRESS`, as qemu's are.
//!
//! A fork's child has files of its own: its code is made anew, so that they tell of all of it.

use crate::call;
use crate::host::{self, Errno};
use crate::log::open_high;
use crate::options::Options;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

/// The header of a jitdump: "JiTD" as a number in the writer's byte order, version, its size, the host's ELF machine.
const MAGIC: u32 = 0x4a69_5444;
const VERSION: u32 = 1;
const HEADER: u32 = 40;
const EM_X86_64: u32 = 62;
const JIT_CODE_LOAD: u32 = 0;
/// id, size and time of a record; then pid, tid, vma, address, size, index.
const LOAD_HEADER: usize = 16 + 40;

/// See the module. -1: no such file.
#[derive(Debug)]
pub struct Perf {
    map: AtomicI32,
    dump: AtomicI32,
    index: AtomicU64,
    wanted: (bool, bool),
}

impl Perf {
    pub fn new(options: &Options) -> Perf {
        let none = || AtomicI32::new(-1);
        Perf { map: none(), dump: none(), index: AtomicU64::new(0), wanted: (options.perfmap, options.jitdump) }
    }

    /// Whether somebody must be told of code.
    pub fn is_wanted(&self) -> bool {
        self.wanted.0 || self.wanted.1
    }

    /// Opens the files of this process; closes those of the one that it was forked from.
    pub fn open(&self) -> Result<(), Errno> {
        if self.wanted.0 {
            replace(&self.map, &format!("/tmp/perf-{}.map", host::getpid()))?;
        }
        if self.wanted.1 {
            replace(&self.dump, &format!("jit-{}.dump", host::getpid()))?;
            self.begin_dump();
        }
        Ok(())
    }

    fn begin_dump(&self) {
        let fd = self.dump.load(Ordering::Relaxed);
        let words = [MAGIC, VERSION, HEADER, EM_X86_64, 0, host::getpid().cast_unsigned()];
        let mut header: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
        header.extend(host::monotonic().to_le_bytes());
        header.extend(0u64.to_le_bytes());
        host::write_all(fd, &header);
        // `perf inject` finds the file by an executable mapping of it among the process's events.
        let prot = libc::PROT_READ | libc::PROT_EXEC;
        // SAFETY: a new mapping where the kernel likes, which nobody uses.
        let _ = unsafe { call!(libc::SYS_mmap, 0, 4096, prot, libc::MAP_PRIVATE, i64::from(fd), 0) };
    }

    /// Code was placed at `at`: a translation of what is at `pc`, or the engine's own.
    pub fn placed(&self, pc: Option<u64>, at: u64, code: &[u8]) {
        let name = pc.map_or_else(|| "rqemu-thunks".to_owned(), |pc| format!("guest-{pc:#x}"));
        let map = self.map.load(Ordering::Relaxed);
        if map >= 0 {
            host::write_all(map, format!("{at:x} {:x} {name}\n", code.len()).as_bytes());
        }
        let dump = self.dump.load(Ordering::Relaxed);
        if dump >= 0 {
            host::write_all(dump, &self.load_record(&name, at, code));
        }
    }

    fn load_record(&self, name: &str, at: u64, code: &[u8]) -> Vec<u8> {
        let size = LOAD_HEADER + name.len() + 1 + code.len();
        let mut r = Vec::with_capacity(size);
        r.extend(JIT_CODE_LOAD.to_le_bytes());
        r.extend((size as u32).to_le_bytes());
        r.extend(host::monotonic().to_le_bytes());
        r.extend(host::getpid().to_le_bytes());
        r.extend(host::gettid().to_le_bytes());
        for v in [at, at, code.len() as u64, self.index.fetch_add(1, Ordering::Relaxed)] {
            r.extend(v.to_le_bytes());
        }
        r.extend(name.bytes());
        r.push(0);
        r.extend(code);
        r
    }
}

/// Never through a symbolic link, which anybody can put into /tmp.
fn replace(fd: &AtomicI32, name: &str) -> Result<(), Errno> {
    let new = open_high(name.as_bytes(), libc::O_TRUNC | libc::O_APPEND | libc::O_NOFOLLOW)?;
    let old = fd.swap(new, Ordering::Relaxed);
    if old >= 0 {
        host::close(old);
    }
    Ok(())
}
