//! Passes over regions that are worth more time: those of hot code.

mod align;
mod join;
mod peel;
mod stitch;

pub use align::align;
pub(crate) use align::origin;
pub use join::{Pair, join};
pub use peel::{frequencies, peel};
pub use stitch::Stitch;
