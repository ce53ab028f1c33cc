//! Where lines for the person at the terminal go: `-strace`, `-d unimp`. To stderr or the file of `-D`, by raw writes of whole lines.

use crate::host;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

/// The descriptor that lines are written to.
pub static FD: AtomicI32 = AtomicI32::new(2);
/// `-strace`.
pub static STRACE: AtomicBool = AtomicBool::new(false);
/// `-d unimp`.
pub static UNIMP: AtomicBool = AtomicBool::new(false);

/// Writes one line.
pub fn line(text: &str) {
    let mut bytes = Vec::with_capacity(text.len() + 1);
    bytes.extend_from_slice(text.as_bytes());
    bytes.push(b'\n');
    host::write_all(FD.load(Ordering::Relaxed), &bytes);
}

/// A line under `-d unimp`.
pub fn unimplemented(text: std::fmt::Arguments) {
    if UNIMP.load(Ordering::Relaxed) {
        line(&std::fmt::format(text));
    }
}
