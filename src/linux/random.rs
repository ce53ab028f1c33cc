//! Random numbers for the guest's start: the host's, or from `-seed` always the same ones.

use crate::call;

/// A source of random numbers.
#[derive(Debug)]
pub struct Random {
    /// State of SplitMix64 under `-seed`.
    seeded: Option<u64>,
}

impl Random {
    pub fn new(seed: Option<u64>) -> Random {
        Random { seeded: seed }
    }

    pub fn number(&mut self) -> u64 {
        let Some(state) = &mut self.seeded else {
            let mut v = [0u8; 8];
            // SAFETY: the kernel writes eight bytes.
            let _ = unsafe { call!(libc::SYS_getrandom, v.as_mut_ptr(), 8, libc::GRND_INSECURE) };
            return u64::from_le_bytes(v);
        };
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (*state ^ *state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }
}
