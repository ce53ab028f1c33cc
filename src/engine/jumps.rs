//! A Cpu's jump cache: where the code for guest addresses is that branches through registers go to. Generated code reads it without a lock
//! (`host::x86_64::thunks`); its owner fills it under the translation cache's lock, and under that lock anyone may empty it.
//! It grows with use, since each page that a short program touches costs it as much as a hundred jumps.

use crate::Cpu;
use host::cpu::{JUMP_CACHE, JumpEntry, NOWHERE};
use std::sync::atomic::Ordering;

/// Entries of a new Cpu's: a page.
pub(crate) const FIRST: u32 = 256;
/// How many times as large it grows, when half of it has been filled.
const GROWTH: u32 = 4;

/// The bits of an address that choose one of so many entries: [`host::Cpu::going`].
const fn mask(entries: u32) -> u32 {
    (entries - 1) << 2
}

/// How many entries are remembered to have been filled.
pub(crate) const REMEMBERED: usize = 64;

const _: () = assert!(JUMP_CACHE <= 1 << 16);
const _: () = assert!((JUMP_CACHE as u32).is_multiple_of(FIRST) && FIRST.is_power_of_two());

impl Cpu {
    /// An empty jump cache. All zero is empty too, but for the entry that address 0 and [`NOWHERE`] have.
    pub(crate) fn new_jumps(&mut self) {
        self.jump_mask.store(mask(FIRST), Ordering::Relaxed);
        self.raw.going.store(mask(FIRST), Ordering::Relaxed);
        self.raw.jumps[0] = JumpEntry { pc: NOWHERE, code: self.engine().thunks().indirect };
    }

    /// Whether it is as small as it was made.
    pub(crate) fn has_few_jumps(&self) -> bool {
        self.jump_mask.load(Ordering::Relaxed) == mask(FIRST)
    }

    fn jump_entry(&self, pc: u64) -> usize {
        (pc as usize & self.jump_mask.load(Ordering::Relaxed) as usize) >> 2
    }

    /// The code that the jump cache has for an address.
    pub(crate) fn jump(&self, pc: u64) -> Option<u64> {
        let entry = &self.raw.jumps[self.jump_entry(pc)];
        (entry.pc == pc && pc != NOWHERE).then_some(entry.code)
    }

    /// The addresses that it has, some perhaps twice.
    pub(crate) fn jumped(&self) -> impl Iterator<Item = u64> {
        let used = self.jump_entry(u64::MAX) + 1;
        self.raw.jumps[..used].iter().map(|j| j.pc).filter(|&pc| pc != NOWHERE && pc != 0)
    }

    /// Enters an address, but for those of the first entry, which stays empty. With the translation cache's lock.
    pub(crate) fn enter_jump(&mut self, pc: u64, code: u64) {
        let entries = (self.jump_mask.load(Ordering::Relaxed) >> 2) + 1;
        let n = self.jumps_entered as usize;
        self.jumps_entered += 1;
        if self.jumps_entered > entries / 2 && (entries as usize) < JUMP_CACHE {
            // What stands at its old place is not found any more, or is right.
            let larger = mask((entries * GROWTH).min(JUMP_CACHE as u32));
            self.jump_mask.store(larger, Ordering::Relaxed);
            // An interrupt stays one.
            let _ = self.raw.going.compare_exchange(mask(entries), larger, Ordering::SeqCst, Ordering::SeqCst);
        }
        let at = self.jump_entry(pc);
        if let Some(filled) = self.jumps_filled.get_mut(n) {
            *filled = at as u16;
        }
        if at != 0 {
            self.raw.jumps[at] = JumpEntry { pc, code };
        }
    }

    /// Forgets where guest addresses have their code. What a few entries were filled with since the last time is forgotten fast: guests whose mode
    /// changes often (RISC-V's vectors) do it often.
    pub(crate) fn clear_jumps(&mut self) {
        let nowhere = JumpEntry { pc: NOWHERE, code: self.engine().thunks().indirect };
        let entered = std::mem::take(&mut self.jumps_entered) as usize;
        if let Some(filled) = self.jumps_filled.get(..entered) {
            filled.iter().for_each(|&n| self.raw.jumps[usize::from(n)] = nowhere);
        } else {
            let used = self.jump_entry(u64::MAX) + 1;
            self.raw.jumps[..used].fill(nowhere);
        }
    }

    /// Forgets the code of one address, or of all, while the Cpu may run.
    ///
    /// # Safety
    /// The Cpu lives; the caller has the translation cache's lock, under which entries are filled. Running code that reads one meanwhile sees the old
    /// or the new address, and old code stays in place. The code's address is left: it may be read after the old pc was.
    pub(crate) unsafe fn forget_jumps(cpu: *mut Cpu, pc: Option<u64>) {
        // SAFETY: the caller's promise.
        unsafe {
            let entries = match pc {
                Some(pc) => {
                    let n = (*cpu).jump_entry(pc);
                    n..=n
                }
                None => 0..=(*cpu).jump_entry(u64::MAX),
            };
            for n in entries {
                let at = &raw mut (*cpu).raw.jumps[n].pc;
                if pc.is_none_or(|pc| *at == pc) {
                    at.write_volatile(NOWHERE);
                }
            }
        }
    }
}
