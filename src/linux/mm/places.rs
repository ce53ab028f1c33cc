//! Where a program's parts are in its memory, as /proc tells: said at the start, and changed by PR_SET_MM. The kernel too has them in its `mm_struct`.

use super::Mm;

/// Ranges of addresses, and what was there at the start.
#[derive(Clone, Copy, Debug, Default)]
pub struct Places {
    pub code: (u64, u64),
    pub data: (u64, u64),
    /// The stack pointer at the start.
    pub stack_start: u64,
    /// Where the strings of the arguments and of the environment stand.
    pub args: (u64, u64),
    pub env: (u64, u64),
    /// The auxiliary vector's bytes, in the guest's layout.
    pub auxv: &'static [u8],
}

impl Mm {
    pub fn places(&self) -> Places {
        self.state.lock().places
    }

    /// Sets them and the heap, whose start and end are `heap`.
    pub fn set_places(&self, places: Places, heap: (u64, u64)) {
        let mut s = self.change();
        s.places = places;
        s.heap = heap.into();
    }
}
