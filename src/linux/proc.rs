//! /proc as the guest sees it: the files that would show rqemu are made up from the guest's own facts.

use crate::host::Res;
use crate::task::Task;

/// open(2) of a file that we make up; None if the host's file is right.
pub fn open(_task: &Task, _dirfd: i32, _path: &[u8], _flags: i32) -> Option<Res> {
    None
}

/// readlink(2) of a link that we make up.
pub fn readlink(_task: &Task, _dirfd: i32, _path: &[u8]) -> Option<Vec<u8>> {
    None
}

/// The path that the host must be asked for: the executable for /proc/self/exe, a file under `-L` if it is there.
pub fn resolve(_task: &Task, _dirfd: i32, path: Vec<u8>) -> Vec<u8> {
    path
}
