//! What paths mean to the guest: `-L`, `/proc/self` and the rest of `/proc` that would show the emulator.

use crate::task::Task;

/// The host's path, with its NUL, that stands for the guest's string at `addr`, seen from directory `dir`; None: the string itself.
/// `lookup`: nothing is made, changed or removed, so `-L` applies.
pub fn path(_t: &Task, _dir: i32, _addr: u64, _lookup: bool) -> Option<Vec<u8>> {
    None
}
