//! Passes over regions that are worth more time: those of hot code.

mod peel;
mod stitch;

pub use peel::{frequencies, peel};
pub use stitch::Stitch;
