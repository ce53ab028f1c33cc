//! Bits put where a mask has ones, and taken from there.

use super::super::alloc::wide;
use super::Emitter;
use ir::{Bin, Ty, Val};

impl Emitter<'_> {
    pub(super) fn by_mask(&mut self, v: Val, bin: Bin, a: Val, mask: Val, ty: Ty) -> bool {
        if !matches!(ty, Ty::I32 | Ty::I64) {
            return false;
        }
        let ra = self.reg(a);
        let mask = self.rm(mask);
        let d = self.def(v, Some(a));
        match bin {
            Bin::Pdep => self.a.pdep(wide(ty), d, ra, mask),
            _ => self.a.pext(wide(ty), d, ra, mask),
        }
        true
    }
}
