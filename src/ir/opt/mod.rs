//! Passes over regions that are worth more time: those of hot code.

mod stitch;

pub use stitch::Stitch;
