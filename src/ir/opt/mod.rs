//! Passes over regions that are worth more time: those of hot code.

mod align;
mod boxes;
mod entries;
mod forward;
mod join;
mod known;
mod merge;
mod order;
mod peel;
mod rebuild;
mod returns;
mod scan;
mod sink;
mod special;
mod stitch;

pub use align::align;
pub(crate) use align::origin;
pub use boxes::boxes;
pub use entries::one_entry;
pub use forward::forward;
pub(crate) use forward::stored_before;
pub use join::{Pair, join};
pub use known::known;
pub use merge::merge;
pub use order::order;
pub use peel::{frequencies, peel};
pub use returns::{Expected, look_for};
pub use scan::scan;
pub use sink::sink;
pub use special::specialize;
pub use stitch::Stitch;

use crate::op::Slot;
use crate::region::Region;
use crate::types::Ty;

/// All passes, in their order, over what [`Stitch`] made of a loop. `pairs` are slots that may be joined, `types` the slots' types, `held` what integer
/// slots hold as the loop is entered, now at least; `weak`: loads may be done in any order, others or not.
pub fn optimize(
    region: Region,
    pairs: &[Pair],
    types: &'static [Ty],
    held: &dyn Fn(Slot) -> u64,
    weak: bool,
) -> Region {
    let region = join(&region, pairs, types).unwrap_or(region);
    let mut region = merge(&region, types).unwrap_or(region);
    one_entry(&mut region);
    // Slots that are two others change with them.
    let boxed = if pairs.is_empty() {
        region = boxes(&region, types).unwrap_or(region);
        boxes::wanted(&region, held, types.len())
    } else {
        Vec::new()
    };
    let mut region = specialize(&region, &boxed, held, types).unwrap_or(region);
    sink(&mut region);
    let narrow = region.blocks.len();
    let (mut region, narrow) = scan(&region, types, weak).unwrap_or((region, narrow));
    peel(&mut region, narrow);
    known(&mut region, types);
    align(&mut region, types.len());
    let mut region = forward(&region, types).unwrap_or(region);
    order(&mut region);
    region
}
