//! A guest thread, as system calls see it.

use crate::host::{self, Res};
use crate::process::Process;
use arch::Abi;
use ir::Slot;
use std::fmt;

/// A guest thread.
#[derive(Debug)]
pub struct Task {
    pub process: &'static Process,
    pub tid: i32,
    pub(crate) mask: u64,
    pub(crate) suspended: Option<u64>,
}

impl Task {
    pub fn abi(&self) -> &'static Abi {
        self.process.guest.abi
    }
    pub fn get(&self, _slot: Slot) -> u64 {
        0
    }
    pub fn set(&mut self, _slot: Slot, _v: u64) {}
    /// A guest's signal mask as it may be given to the host: without the signals that rqemu itself lives by.
    pub fn host_sigset(&self, guest: u64) -> u64 {
        guest
    }
    /// A line under `-d unimp`.
    pub fn unimp(&self, text: fmt::Arguments) {
        self.log(text);
    }
    /// A line of the log.
    pub fn log(&self, text: fmt::Arguments) {
        host::write_all(2, format!("{text}\n").as_bytes());
    }
    /// A host call on the guest's behalf that may block.
    pub fn host_call(&self, nr: i64, args: [u64; 6]) -> Res {
        // SAFETY: the call's pointers are the guest's own addresses or were made by the body from live buffers.
        unsafe { host::syscall(nr, args) }
    }
}
