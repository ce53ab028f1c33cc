//! A guest thread, as system calls see it.

use crate::host::{self, Res};
use crate::sys::Table;
use arch::Abi;

/// A guest thread.
#[derive(Debug)]
pub struct Task {
    pub abi: &'static Abi,
    /// Its ABI's system calls: [`crate::sys::table`].
    pub table: &'static Table,
    /// Set by the signal handler: a restartable call is not to be entered.
    pub pending: u32,
}

impl Task {
    /// A host call on the guest's behalf: restartable, so a signal that arrives before it is entered aborts it.
    pub fn call(&mut self, nr: u32, args: [u64; 6]) -> Res {
        // SAFETY: what the call reads and writes is guest memory or a buffer of its caller.
        unsafe { host::safe_syscall(&raw const self.pending, i64::from(nr), &args) }
    }
}
