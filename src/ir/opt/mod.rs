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

use crate::region::Region;
use crate::types::Ty;

/// All passes, in their order, over what [`Stitch`] made of a loop. `pairs` are slots that may be joined, `types` the slots' types.
pub fn optimize(region: Region, pairs: &[Pair], types: &'static [Ty]) -> Region {
    let mut region = join(&region, pairs, types).unwrap_or(region);
    peel(&mut region);
    align(&mut region, types.len());
    region
}
