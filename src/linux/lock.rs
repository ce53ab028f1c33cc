//! A lock without TLS: a futex word that names its owner. fork takes all of them in a listed order (`process.rs`) and releases them in
//! both processes; a lock whose owner died (a CLONE_VM child that was killed) is taken over.

use crate::call;
use crate::host;
use std::cell::UnsafeCell;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU32, Ordering};

const WAITERS: u32 = 1 << 31;
/// The owner of a lock that is taken too often to ask the kernel for the tid.
const NAMELESS: u32 = 1 << 30;

/// A value that one thread at a time may use.
#[derive(Debug, Default)]
pub struct Lock<T> {
    /// 0, or the owner's tid (or [`NAMELESS`]), with WAITERS when somebody sleeps.
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

    /// Waits for the lock. Not recursive.
    pub fn lock(&self) -> Guard<'_, T> {
        self.acquire();
        Guard { lock: self }
    }

    fn acquire(&self) {
        let me = if self.nameless { NAMELESS } else { host::gettid() as u32 };
        while let Err(seen) = self.word.compare_exchange(0, me, Ordering::Acquire, Ordering::Relaxed) {
            if self.sleep(seen) {
                // The owner is gone: what it guarded is whole as far as single stores are, and better than a hang.
                let _ = self.word.compare_exchange(seen | WAITERS, 0, Ordering::Relaxed, Ordering::Relaxed);
            }
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
        // SAFETY: the kernel reads the word and the time.
        let r = unsafe {
            call!(
                libc::SYS_futex,
                self.word.as_ptr(),
                libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG,
                marked,
                timeout.as_ptr(),
                0,
                0
            )
        };
        if r != Err(host::Errno::ETIMEDOUT) || self.nameless {
            return false;
        }
        // SAFETY: signal 0 only asks.
        let alive = unsafe { call!(libc::SYS_tkill, seen & !WAITERS, 0) };
        alive == Err(host::Errno::ESRCH)
    }

    /// Takes the lock without a guard: for fork.
    pub fn hold(&self) {
        self.acquire();
    }

    /// Gives back what [`Lock::hold`] took. In a forked child too, where the owner has another tid.
    pub fn release(&self) {
        if self.word.swap(0, Ordering::Release) & WAITERS != 0 {
            // SAFETY: the word's address is only a name here.
            let _ = unsafe {
                call!(libc::SYS_futex, self.word.as_ptr(), libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG, i32::MAX)
            };
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
        // SAFETY: the guard shows that the lock is held.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        self.lock.release();
    }
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
