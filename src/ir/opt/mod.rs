//! Passes over regions that are worth more time: those of hot code.

mod align;
mod peel;
mod stitch;

pub use align::drop_checks;
pub use peel::{frequencies, peel};
pub use stitch::Stitch;
