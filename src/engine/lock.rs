//! A lock that needs no thread-local storage and can be held over a fork. Not fair, not re-entrant.

use std::cell::UnsafeCell;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU32, Ordering};

const FREE: u32 = 0;
const HELD: u32 = 1;
const WAITED_FOR: u32 = 2;

/// A value behind a lock.
pub struct Lock<T> {
    state: AtomicU32,
    value: UnsafeCell<T>,
}

// SAFETY: the lock gives one thread at a time access to the value.
unsafe impl<T: Send> Sync for Lock<T> {}

impl<T> fmt::Debug for Lock<T> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("Lock")
    }
}

/// Access to a locked value.
#[derive(Debug)]
pub struct Guard<'a, T>(&'a Lock<T>);

impl<T> Lock<T> {
    pub const fn new(value: T) -> Lock<T> {
        Lock { state: AtomicU32::new(FREE), value: UnsafeCell::new(value) }
    }

    pub fn lock(&self) -> Guard<'_, T> {
        self.acquire();
        Guard(self)
    }

    /// Takes the lock without a guard: for a fork, whose two sides each release it.
    pub fn acquire(&self) {
        if self.state.compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed).is_ok() {
            return;
        }
        while self.state.swap(WAITED_FOR, Ordering::Acquire) != FREE {
            futex(&self.state, libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG, WAITED_FOR);
        }
    }

    /// Releases what [`Lock::acquire`] took.
    ///
    /// # Safety
    /// The caller holds the lock and no guard of it.
    pub unsafe fn release(&self) {
        if self.state.swap(FREE, Ordering::Release) == WAITED_FOR {
            futex(&self.state, libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG, 1);
        }
    }
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: the guard exists only while the lock is held.
        unsafe { &*self.0.value.get() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard exists only while the lock is held, and is borrowed mutably.
        unsafe { &mut *self.0.value.get() }
    }
}

impl<T> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        // SAFETY: the guard held the lock.
        unsafe { self.0.release() }
    }
}

/// A full memory barrier in every thread of this process: threads that only keep the order of a store and a load in their program have it in
/// memory too. membarrier(2); without it time does the same, since no store stays in a processor so long.
pub(crate) fn barrier_everywhere() {
    const REGISTER_PRIVATE_EXPEDITED: u64 = 1 << 4;
    const PRIVATE_EXPEDITED: u64 = 1 << 3;
    let membarrier = |command| call(libc::SYS_membarrier, [command, 0, 0]);
    if membarrier(PRIVATE_EXPEDITED) != 0
        && (membarrier(REGISTER_PRIVATE_EXPEDITED) != 0 || membarrier(PRIVATE_EXPEDITED) != 0)
    {
        let time = [0u64, 10_000_000];
        call(libc::SYS_nanosleep, [time.as_ptr() as u64, 0, 0]);
    }
}

fn futex(word: &AtomicU32, op: i32, value: u32) {
    call(libc::SYS_futex, [word.as_ptr() as u64, op as u64, value.into()]);
}

/// A system call that reads memory at most, without libc's errno, which lives in thread-local storage. Three arguments, zeros after them.
fn call(number: i64, [a, b, c]: [u64; 3]) -> i64 {
    let result;
    // SAFETY: the calls here write no memory; the instruction clobbers rcx and r11.
    unsafe {
        std::arch::asm!(
            "syscall",
            inlateout("rax") number => result,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") 0, in("r8") 0, in("r9") 0,
            out("rcx") _, out("r11") _,
        );
    }
    result
}
