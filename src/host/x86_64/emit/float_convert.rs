//! Conversions between floating-point formats, and to and from integers.

use super::Emitter;
use ir::Val;

impl Emitter<'_> {
    pub(super) fn float_convert(&mut self, _v: Val) -> bool {
        false
    }
}
