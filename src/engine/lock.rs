//! A lock without thread-local storage: a futex word that names its owner. It can be held over a fork, whose two sides each release it; a lock
//! whose owner died (a CLONE_VM child that was killed) is taken over. Not fair, not recursive.

use std::cell::UnsafeCell;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Somebody sleeps, or may.
const WAITERS: u32 = 1 << 31;
/// The owner of a lock that is taken too often to ask the kernel for the tid, or when nobody could wait for it.
const NAMELESS: u32 = 1 << 30;
/// There is, or was, more than one thread.
static NAMED: AtomicBool = AtomicBool::new(false);

/// From here on locks name their owners: to be called before the process's second thread is made.
pub fn name_owners() {
    NAMED.store(true, Ordering::Relaxed);
}

/// A value that one thread at a time may use.
#[derive(Debug, Default)]
pub struct Lock<T> {
    /// 0, or the owner's tid (or [`NAMELESS`]), with WAITERS.
    word: AtomicU32,
    nameless: bool,
    value: UnsafeCell<T>,
}

// SAFETY: the word admits one thread at a time.
unsafe impl<T: Send> Sync for Lock<T> {}
// SAFETY: it owns its value.
unsafe impl<T: Send> Send for Lock<T> {}

/// Shows that the lock is held; releases it.
#[derive(Debug)]
pub struct Guard<'a, T> {
    lock: &'a Lock<T>,
}

impl<T> Lock<T> {
    pub const fn new(value: T) -> Lock<T> {
        Lock { word: AtomicU32::new(0), nameless: false, value: UnsafeCell::new(value) }
    }

    /// A lock that is taken very often and for a short time: it does not name its owner.
    pub const fn nameless(value: T) -> Lock<T> {
        Lock { word: AtomicU32::new(0), nameless: true, value: UnsafeCell::new(value) }
    }

    /// Waits for the lock.
    pub fn lock(&self) -> Guard<'_, T> {
        self.hold();
        Guard { lock: self }
    }

    /// Takes the lock without a guard: for fork.
    pub fn hold(&self) {
        let named = !self.nameless && NAMED.load(Ordering::Relaxed);
        let mut me = if named { call(libc::SYS_gettid, [0; 4]) as u32 } else { NAMELESS };
        while let Err(seen) = self.word.compare_exchange(0, me, Ordering::Acquire, Ordering::Relaxed) {
            if self.sleep(seen) {
                // The owner is gone: what it guarded is whole as far as single stores are, and better than a hang.
                let _ = self.word.compare_exchange(seen | WAITERS, 0, Ordering::Relaxed, Ordering::Relaxed);
            }
            // There may be other sleepers, whom this thread wakes when it is done.
            me |= WAITERS;
        }
    }

    /// Sleeps until the word changes. True if its owner no longer lives.
    #[cold]
    fn sleep(&self, seen: u32) -> bool {
        let marked = seen | WAITERS;
        if seen & WAITERS == 0
            && self.word.compare_exchange(seen, marked, Ordering::Relaxed, Ordering::Relaxed).is_err()
        {
            return false;
        }
        let timeout = [0i64, 100_000_000];
        let slept = self.futex(libc::FUTEX_WAIT, marked, timeout.as_ptr() as u64);
        slept == -i64::from(libc::ETIMEDOUT)
            && seen & NAMELESS == 0
            // Signal 0 only asks.
            && call(libc::SYS_tkill, [u64::from(seen & !WAITERS), 0, 0, 0]) == -i64::from(libc::ESRCH)
    }

    fn futex(&self, op: i32, value: u32, timeout: u64) -> i64 {
        let op = op | libc::FUTEX_PRIVATE_FLAG;
        call(libc::SYS_futex, [self.word.as_ptr() as u64, op as u64, value.into(), timeout])
    }

    /// Gives back what [`Lock::hold`] took. In a forked child too, where the owner has another tid.
    pub fn release(&self) {
        if self.word.swap(0, Ordering::Release) & WAITERS != 0 {
            self.futex(libc::FUTEX_WAKE, 1, 0);
        }
    }
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: the guard shows that the lock is held.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard shows that the lock is held, and is borrowed mutably.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        self.lock.release();
    }
}

/// A full memory barrier in every thread of this process: threads that only keep the order of a store and a load in their program have it in
/// memory too. membarrier(2); without it time does the same, since no store stays in a processor so long.
pub(crate) fn barrier_everywhere() {
    const REGISTER_PRIVATE_EXPEDITED: u64 = 1 << 4;
    const PRIVATE_EXPEDITED: u64 = 1 << 3;
    let membarrier = |command| call(libc::SYS_membarrier, [command, 0, 0, 0]);
    if membarrier(PRIVATE_EXPEDITED) != 0
        && (membarrier(REGISTER_PRIVATE_EXPEDITED) != 0 || membarrier(PRIVATE_EXPEDITED) != 0)
    {
        let time = [0u64, 10_000_000];
        call(libc::SYS_nanosleep, [time.as_ptr() as u64, 0, 0, 0]);
    }
}

/// A system call that reads memory at most, without libc's errno, which lives in thread-local storage. Zeros follow its four arguments.
fn call(number: i64, [a, b, c, d]: [u64; 4]) -> i64 {
    let result;
    // SAFETY: the calls here write no memory; the instruction clobbers rcx and r11.
    unsafe {
        std::arch::asm!(
            "syscall",
            inlateout("rax") number => result,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") 0, in("r9") 0,
            out("rcx") _, out("r11") _,
        );
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_exactly() {
        static COUNT: Lock<u64> = Lock::new(0);
        let threads: Vec<_> = (0..4)
            .map(|_| {
                std::thread::spawn(|| {
                    for _ in 0..20_000 {
                        *COUNT.lock() += 1;
                    }
                })
            })
            .collect();
        for t in threads {
            t.join().unwrap();
        }
        assert_eq!(*COUNT.lock(), 80_000);
    }

    #[test]
    fn takes_over_from_the_dead() {
        let lock = Lock::new(5);
        lock.word.store(0x3fff_fff0, Ordering::Relaxed);
        assert_eq!(*lock.lock(), 5);
    }
}
