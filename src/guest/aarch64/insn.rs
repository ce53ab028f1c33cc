//! The instruction table, generated from insn.decode: one struct per row name, and the static `A64`.
#![allow(clippy::all, reason = "generated")]

use crate::translate::*;

include!(concat!(env!("OUT_DIR"), "/insn.rs"));
