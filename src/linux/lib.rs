//! Linux for guests: (being written)

pub mod calls;
pub mod host;
pub mod layout;
pub mod lock;
pub mod memory;
pub mod options;
pub mod proc;
pub mod process;
pub mod strace;
pub mod sys;
pub mod task;
