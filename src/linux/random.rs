//! Random numbers for the guest's start: the host's, or from `-seed` always the same ones.

use crate::call;

/// A source of random numbers.
#[derive(Debug)]
pub struct Random {
    /// State of SplitMix64 under `-seed`.
    seeded: Option<u64>,
    /// The host's numbers that were not used yet: it is asked for many at once.
    drawn: [u64; DRAWN],
    left: usize,
}

const DRAWN: usize = 32;

impl Random {
    pub fn new(seed: Option<u64>) -> Random {
        Random { seeded: seed, drawn: [0; DRAWN], left: 0 }
    }

    pub fn number(&mut self) -> u64 {
        let Some(state) = &mut self.seeded else {
            if self.left == 0 {
                let (to, len) = (self.drawn.as_mut_ptr(), size_of_val(&self.drawn));
                // SAFETY: the kernel writes so many bytes.
                let _ = unsafe { call!(libc::SYS_getrandom, to, len, libc::GRND_INSECURE) };
                self.left = DRAWN;
            }
            self.left -= 1;
            return self.drawn[self.left];
        };
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (*state ^ *state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }
}
