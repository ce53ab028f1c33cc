//! The instruction tables, generated from the row files: one struct per row name, and the statics `A32`, `T16`, `T32`, `CP`
//! (coprocessor space and VFP, always with the top nibble of A32's "always" or 1111) and `NEON` (in A32's form).
#![allow(clippy::all, reason = "generated")]

use crate::translate::*;

include!(concat!(env!("OUT_DIR"), "/insn.rs"));
