//! Linux for guests: (being written)

pub mod host;
pub mod layout;
pub mod lock;
pub mod log;
pub mod memory;
pub mod proc;
pub mod strace;
pub mod sys;
pub mod task;
