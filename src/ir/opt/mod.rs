//! Passes over regions that are worth more time: those of hot code.

mod peel;
mod stitch;

pub use peel::peel;
pub use stitch::Stitch;
