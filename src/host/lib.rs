//! The back end: IR to machine code. What is common to all hosts is here, each host in a folder of its own.

pub mod x86_64;
