//! IEEE 754 arithmetic for guests: exact results and exact flags, computed with integers only.
//!
//! Every function takes raw bits in the low bits of a `u64` (higher bits of operands are ignored, those of results are
//! zero), the format as a [`Fmt`], and an [`Env`]: rounding, flushing and NaN rule go in, flags are ORed in on the way out.
//! The interpreter uses it as the oracle; generated code calls it where no host instruction can be made exact.
//!
//! It keeps no global state and never touches the host's floating-point unit, so it may run under any MXCSR.
//! It is not for trapped exceptions: all exceptions are masked, as on Linux by default.
//!
//! Inside, an operand is unpacked into sign, exponent and a 128-bit significand with its leading one at bit 127
//! (`pack.rs`); an operation yields such a triple with everything it could not hold jammed into bit 0, and `round_pack`
//! makes the result. A format of more than 62 significant bits (x87's f80, f128) fits the same frame, but needs wider
//! products, quotients and roots in `mul.rs`, `div.rs` and `sqrt.rs`.
//!
//! Arm's rules: Arm ARM (DDI 0487), "Shared pseudocode functions", floating point. x86's: Intel SDM vol. 1, chapters 4,
//! 10 to 14.
#![cfg_attr(not(test), forbid(unsafe_code))]

mod add;
mod compare;
mod convert;
mod div;
mod env;
mod estimate;
mod fma;
mod format;
mod integer;
mod minmax;
mod mul;
mod nan;
mod pack;
mod sqrt;
#[cfg(test)]
mod tests;

pub use add::{add, sub};
pub use compare::{Ordering, compare};
pub use convert::convert;
pub use div::div;
pub use env::{Env, Flags, NanRule, Round, Tininess};
pub use estimate::{recip_estimate, recip_exponent, rsqrt_estimate, unsigned_recip_estimate, unsigned_rsqrt_estimate};
pub use fma::{Negate, mul_add, recip_step, recip_step_chained, rsqrt_step, rsqrt_step_chained};
pub use format::Fmt;
pub use integer::{Int, from_int, round_int_32, round_int_64, round_to_int, to_int, to_int_js};
pub use minmax::{max, max_num, min, min_num};
pub use mul::{mul, mulx};
pub use sqrt::sqrt;
