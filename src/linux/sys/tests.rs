//! Arguments and structs on made-up ABIs: 32 and 64 bits, both byte orders, pairs aligned or not, alignment to 8, 4 and 2.

use crate::layout::HOST;
use arch::layout::{ILP32, Model};

#[path = "../../guest/arm/layouts.rs"]
mod arm;

/// Like arm.
pub(super) const LITTLE32: Model =
    Model { long: 4, big_endian: false, max_align: 8, even_pairs: true, structs: &[arm::STRUCTS, ILP32], values: arm::VALUES };
/// Like mips o32.
pub(super) const BIG32: Model =
    Model { long: 4, big_endian: true, max_align: 8, even_pairs: true, structs: &[ILP32], values: &[] };
