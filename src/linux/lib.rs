//! Linux for a guest: loader, address space, threads, signals, /proc, system calls. Compiled once for all guests: what differs is data in
//! [`arch::Guest`].
//!
//! Nothing here uses TLS or libc's `errno` once a guest runs: its threads are raw clones (`task.rs`).

pub use engine::lock;

pub mod alloc;
pub mod binfmt;
pub mod bpf;
pub mod cache;
pub mod calls;
pub mod cli;
pub mod commands;
pub mod compat;
pub mod doctor;
pub mod elf;
pub mod entry;
pub mod exec;
pub mod explain;
pub mod give_back;
pub mod host;
pub mod host_vdso;
pub mod layout;
pub mod loader;
pub mod log;
pub mod manual;
pub mod map;
pub mod memory;
pub mod mm;
pub mod options;
pub mod perf;
pub mod proc;
pub mod process;
pub mod ptrace;
pub mod quiet;
pub mod random;
pub mod rseq;
pub mod seccomp;
pub mod siginfo;
pub mod signal;
pub mod stack;
pub mod start;
pub mod stats;
pub mod stored;

pub mod strace;
pub mod strace_signal;

pub mod sys;
pub mod tables;
pub mod task;
pub mod thread;
pub mod vdso;
