//! What the rows of `sys/{mm,process,segments,signal}.rs` call: the parts of the process that are more than a conversion.

pub mod mm;
pub mod places;
pub mod process;
pub mod segments;
pub mod signal;
