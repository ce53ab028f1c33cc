//! Helper calls: rare work done in plain safe Rust, outside generated code.

use crate::op::Slot;

/// What a helper may touch of guest state, beside its arguments.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Touches {
    /// Nothing: a function of its arguments (and the sticky FP flags).
    Nothing,
    /// It reads these slots.
    Reads(&'static [Slot]),
    /// It reads and writes these slots.
    Writes(&'static [Slot]),
    /// It may read and write all of guest state.
    All,
}

impl Touches {
    /// Whether it may read or write the slot.
    pub fn includes(self, slot: Slot) -> bool {
        match self {
            Touches::Nothing => false,
            Touches::Reads(slots) | Touches::Writes(slots) => slots.contains(&slot),
            Touches::All => true,
        }
    }
}

/// A helper. Compared by name: names are unique in a guest.
#[derive(Debug)]
pub struct Helper {
    pub name: &'static str,
    pub run: fn(&mut Frame),
    pub touches: Touches,
    /// It can ask to leave the code (`Frame::exit`): its fault record must then be exact.
    pub can_exit: bool,
    /// It only computes its result: it may be dropped if nobody reads that.
    pub pure: bool,
}

impl PartialEq for Helper {
    fn eq(&self, other: &Helper) -> bool {
        self.name == other.name
    }
}

/// What a running helper sees.
#[derive(Debug)]
pub struct Frame<'a> {
    /// Arguments as bits, zero-extended.
    pub args: [u128; 4],
    /// The result's bits.
    pub ret: u128,
    /// Guest state, laid out by the guest's slot table.
    pub state: &'a mut [u8],
    /// Sticky flags of [`crate::types::fpflag`] to add.
    pub fp_flags: u32,
    /// Set by a helper that `can_exit`: the guest instruction is not completed, the engine leaves with this trap.
    pub exit: Option<crate::region::Trap>,
}

impl Frame<'_> {
    /// Reads `N` bytes of state.
    pub fn state_bytes<const N: usize>(&self, offset: usize) -> [u8; N] {
        let mut out = [0; N];
        out.copy_from_slice(&self.state[offset..offset + N]);
        out
    }
}
