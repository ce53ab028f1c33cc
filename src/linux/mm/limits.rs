//! Where in its address space a guest may have memory: within its user space, and not where rqemu lives.

use super::{host_mmap_new, host_munmap};
use crate::call;
use crate::host::{self, Errno};
use crate::map::PAGE;

/// Room that rqemu's own later mappings have around its first ones.
pub(crate) const MARGIN: u64 = 1 << 40;

/// The limits of an address space.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The first that may not.
    pub top: u64,
    /// Where rqemu lives.
    pub holes: Vec<(u64, u64)>,
    /// The PROT_* bit of guarded pages, where the processor has them.
    pub guard: u32,
}

impl Limits {
    /// Of a guest whose user space ends at `task_size`, in this process as it is now.
    pub fn new(task_size: u64) -> Limits {
        let mut top = task_size.min((1 << 47) - PAGE);
        let mut holes = joined(own_places().into_iter().filter(|at| *at != 0).map(|at| (at & !(PAGE - 1), MARGIN)));
        // A kernel has put our stack under the top.
        if top > 1 << 32 && !holes.iter().any(|h| h.1 >= top) && !host_lets(top - PAGE) {
            let others = (1 << 32..top).step_by(MARGIN as usize / 2).filter(|at| !host_lets(*at));
            holes = joined(
                holes.iter().map(|h| (h.0 + (h.1 - h.0) / 2, (h.1 - h.0) / 2)).chain(others.map(|at| (at, MARGIN / 2))),
            );
        }
        if let Some(last) = holes.last().filter(|h| h.1 >= top && h.0 < top) {
            top = last.0;
        }
        Limits { top, holes, guard: 0 }
    }

    /// Whether the host may let programs map what begins here.
    pub(super) fn is_high_enough(&self, start: u64) -> bool {
        start >= LOWEST || start >= lowest()
    }

    pub(super) fn allows(&self, start: u64, len: u64) -> bool {
        let Some(end) = start.checked_add(len) else { return false };
        end <= self.top && !self.holes.iter().any(|h| h.0 < end && h.1 > start)
    }
}

/// Where this process has mappings at its start: rqemu itself, its heaps, its stack, the host's vDSO. Each is small beside [`MARGIN`].
fn own_places() -> [u64; 5] {
    let (stack, heap) = (0u8, Box::new(0u8));
    // SAFETY: brk(0) only asks; the vector of the process's start is only read.
    let (brk, vdso) = unsafe { (call!(libc::SYS_brk, 0).unwrap_or(0), libc::getauxval(libc::AT_SYSINFO_EHDR)) };
    [&raw const stack as u64, &raw const *heap as u64, own_places as *const () as u64, brk, vdso]
}

/// Ranges of so much around these addresses, above 32 bits, in order, those that touch each other in one.
fn joined(places: impl Iterator<Item = (u64, u64)>) -> Vec<(u64, u64)> {
    let mut ranges: Vec<_> = places
        .map(|(at, around)| (at.saturating_sub(around).max(1 << 32), at.saturating_add(around).min(1 << 47)))
        .collect();
    ranges.sort_unstable();
    ranges.dedup_by(|next, range| {
        let touch = next.0 <= range.1;
        if touch {
            range.1 = range.1.max(next.1);
        }
        touch
    });
    ranges
}

/// Whether a page may be mapped here: not where the host is an emulator that lives there itself, another rqemu say.
fn host_lets(at: u64) -> bool {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    match host_mmap_new(at, PAGE, 0, flags, -1, 0) {
        Ok(_) => host_munmap(at, PAGE).is_ok(),
        Err(why) => why == Errno::EEXIST,
    }
}

/// From here on every host lets programs map memory.
pub(super) const LOWEST: u64 = 1 << 20;

/// From here on this one does.
pub(super) fn lowest() -> u64 {
    let setting = host::read_file(b"/proc/sys/vm/mmap_min_addr").ok();
    setting.and_then(|t| String::from_utf8(t).ok()?.trim().parse().ok()).unwrap_or(65536).max(PAGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_lets_us_have_the_top() {
        let limits = Limits::new(1 << 47);
        // Our stack is near it, and nothing else was looked for.
        assert!(limits.top < 1 << 47 && limits.top >= (1 << 47) - 3 * MARGIN, "{limits:x?}");
        assert!(limits.holes.len() <= 5, "{limits:x?}");
        assert!(host_lets(limits.top - PAGE) && limits.allows(limits.top - PAGE, PAGE));
        assert!(!host_lets(1 << 47));
    }

    #[test]
    fn places_that_touch_are_one() {
        let places = [(9 << 40, 1 << 40), (7 << 40, 1 << 40), (3 << 40, 1 << 40), (0, 1 << 33)];
        assert_eq!(joined(places.into_iter()), [(1 << 32, 1 << 33), (2 << 40, 4 << 40), (6 << 40, 10 << 40)]);
    }
}
