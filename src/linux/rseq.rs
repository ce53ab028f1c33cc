//! rseq(2). The host's kernel writes the guest's own area (processor, node, concurrency id), so what stands there is always true and costs nothing.
//!
//! What it cannot do is abort a sequence: it would look for the host's instruction pointer among the guest's addresses. So no guest may have one.
//! Every abort handler follows the signature that its thread has registered (that is the kernel's rule), so files' code is searched for it, and where
//! it stands the area is withdrawn before any of that code runs: it then holds "not registered", which sequences look at, and take their other way.
//!
//! Differs: code that a program writes itself is not searched.

use crate::call;
use crate::host::{self, Errno, Res};
use crate::ptrace::{peek, poke};
use crate::task::Task;
use std::arch::asm;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

const UNREGISTER: u32 = 1;
/// The sizes that there were of the area.
const SIZES: [u32; 3] = [32, 64, 128];
/// The signature of the host's own libc (x86-64).
const HOST_SIGNATURE: u32 = 0x5305_3053;

/// What a thread has registered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Area {
    addr: u64,
    len: u32,
    signature: u32,
    /// The host's kernel does not know it any more.
    withdrawn: bool,
}

/// The signatures that this address space's threads have registered, each with bits beyond it. Programs have one, and a test or two.
static SIGNATURES: [AtomicU64; 4] = [const { AtomicU64::new(0) }; 4];
const KNOWN: u64 = 1 << 32;
/// It stands in code.
const FOUND: u64 = 1 << 33;
/// Some signature was found.
static SEQUENCES: AtomicBool = AtomicBool::new(false);

std::arch::global_asm!(".weak __rseq_offset", ".weak __rseq_size");

/// Takes the host's libc's own area back, which it registers for the first thread: a thread has one.
pub(crate) fn leave_libc() {
    let (offset, size, thread): (*const i64, *const u32, i64);
    // SAFETY: addresses of two symbols, null where the libc has none, and the thread pointer, which stands at its own address.
    unsafe {
        asm!("mov {}, [rip + __rseq_offset@GOTPCREL]", out(reg) offset, options(nostack, pure, readonly));
        asm!("mov {}, [rip + __rseq_size@GOTPCREL]", out(reg) size, options(nostack, pure, readonly));
        asm!("mov {}, fs:[0]", out(reg) thread, options(nostack, pure, readonly));
        if offset.is_null() || size.is_null() || *size == 0 {
            return;
        }
        let area = thread + *offset;
        let _ = SIZES.into_iter().find(|len| call!(libc::SYS_rseq, area, *len, UNREGISTER, HOST_SIGNATURE).is_ok());
    }
}

pub(crate) fn rseq(t: &mut Task, addr: u64, len: u32, flags: u32, signature: u32) -> Res {
    if flags == UNREGISTER {
        return unregister(t, addr, len, signature);
    }
    host(t, addr, len, flags, signature)?;
    if has_sequences(t, signature) {
        host(t, addr, len, UNREGISTER, signature)?;
        return Err(lacking(t));
    }
    t.rseq = Some(Area { addr, len, signature, withdrawn: false });
    t.inbox.rseq.store(addr, Ordering::Relaxed);
    Ok(0)
}

/// Whether code has this signature. One that there is no room for counts as found.
fn has_sequences(t: &Task, signature: u32) -> bool {
    let word = KNOWN | u64::from(signature);
    for place in &SIGNATURES {
        match place.compare_exchange(0, word, Ordering::SeqCst, Ordering::SeqCst) {
            Ok(_) => return find(t, place, (0, !0)),
            Err(old) if old & !FOUND == word => return old & FOUND != 0,
            Err(_) => {}
        }
    }
    true
}

/// Looks for a signature in files' code.
fn find(t: &Task, place: &AtomicU64, (start, end): (u64, u64)) -> bool {
    let word = place.load(Ordering::SeqCst);
    let found = word & (KNOWN | FOUND) == KNOWN && t.process.mm.code_has(start, end, word as u32);
    if found {
        place.fetch_or(FOUND, Ordering::SeqCst);
        SEQUENCES.store(true, Ordering::SeqCst);
    }
    found
}

fn host(t: &Task, addr: u64, len: u32, flags: u32, signature: u32) -> Res {
    t.host_call(libc::SYS_rseq, [addr, len.into(), flags.into(), signature.into(), 0, 0])
}

fn unregister(t: &mut Task, addr: u64, len: u32, signature: u32) -> Res {
    match t.rseq {
        Some(a) if a.withdrawn && (a.addr, a.len) == (addr, len) => {
            if a.signature != signature {
                return Err(Errno::EPERM);
            }
        }
        _ => _ = host(t, addr, len, UNREGISTER, signature)?,
    }
    t.rseq = None;
    t.inbox.rseq.store(0, Ordering::Relaxed);
    Ok(0)
}

/// In a handler: whether the host's kernel kills for what it finds in the area at this address, or does not find. No guest has a sequence.
pub(crate) fn is_lost(area: u64) -> bool {
    let (sequence, mut bytes) = (area + 8, [0; 8]);
    area != 0
        && (peek(host::getpid(), sequence, &mut bytes).is_err()
            || bytes != [0; 8]
            || poke(host::getpid(), sequence, &bytes).is_err())
}

fn lacking(t: &Task) -> Errno {
    t.unimp(format_args!("rseq: this program has sequences, which could not be aborted"));
    Errno::ENOSYS
}

/// There is new code in [start, end).
pub(crate) fn mapped(t: &Task, start: u64, end: u64) {
    // Each is looked for.
    if SIGNATURES.iter().filter(|place| find(t, place, (start, end))).count() > 0 {
        lacking(t);
        // Everybody withdraws what he has before he runs code again.
        t.process.engine.interrupt_all();
        t.process.engine.reset();
    }
}

impl Task {
    /// Before guest code runs: withdraws the area if there are sequences.
    pub(crate) fn mind_sequences(&mut self) {
        if SEQUENCES.load(Ordering::Relaxed)
            && let Some(a) = self.rseq.as_mut().filter(|a| !a.withdrawn)
            && SIGNATURES.iter().any(|s| s.load(Ordering::SeqCst) == FOUND | KNOWN | u64::from(a.signature))
        {
            a.withdrawn = true;
            self.inbox.rseq.store(0, Ordering::Relaxed);
            // SAFETY: the kernel writes the guest's area, if it is still there.
            let _ = unsafe { call!(libc::SYS_rseq, a.addr, a.len, UNREGISTER, a.signature) };
        }
    }
}
