//! (placeholder until the tables are here)
use crate::host::{Errno, Res};
use crate::task::Task;
pub fn dispatch(_task: &mut Task) -> Res {
    Err(Errno::ENOSYS)
}
