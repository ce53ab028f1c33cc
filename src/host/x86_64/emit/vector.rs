//! Vector operations on integers, and moves between vectors and scalars.

use super::Emitter;
use ir::Val;

impl Emitter<'_> {
    /// Emits `v` if it is a vector operation done here.
    pub(super) fn vector_op(&mut self, _v: Val) -> bool {
        false
    }
}
