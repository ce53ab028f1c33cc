//! The instruction tables, generated from the decode files: one struct per row name, and the statics `RV`, `RV32`, `RV64`, `RVC`, `RVC32`, `RVC64`.
#![allow(clippy::all, reason = "generated")]

use crate::translate::*;

include!(concat!(env!("OUT_DIR"), "/insn.rs"));
