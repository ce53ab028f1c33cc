//! Operations of the x87 unit, on its image in guest state.

use super::{Run, Stop};
use crate::mem::Mem;
use crate::op::{Slot, X87};
use crate::region::Trap;
use x87::{IMAGE, Image, code};

/// EFLAGS as SAHF's and LAHF's byte with OF: where [`crate::Ty::Flags`] has S, Z, A, P, C and O.
fn flags(eflags: u32) -> u128 {
    let bit = |n: u32| eflags >> n & 1;
    // C is "no borrow".
    (bit(7) << 15 | bit(6) << 14 | bit(4) << 12 | bit(2) << 10 | (bit(0) ^ 1) << 8 | bit(11)).into()
}

impl Run<'_, '_, '_> {
    fn image(&self, slot: Slot) -> Image {
        let at = self.machine.slots[slot.0 as usize].0;
        let mut image = [0; IMAGE];
        image.copy_from_slice(&self.machine.state[at..at + IMAGE]);
        image
    }

    fn set_image(&mut self, slot: Slot, image: &Image) {
        let at = self.machine.slots[slot.0 as usize].0;
        self.machine.state[at..at + IMAGE].copy_from_slice(image);
    }

    pub(super) fn x87(&mut self, slot: Slot, op: X87, v: u128) -> Result<u128, Stop> {
        let mut image = self.image(slot);
        let is_checked = match op {
            X87::Run(code) => code::waits(code),
            _ => matches!(op, X87::Compare(_) | X87::Move(_) | X87::Mmx(_) | X87::SetMmx(_)),
        };
        if is_checked && x87::waiting(&image) != 0 {
            return Err(Stop::Trap { trap: Trap::X87, addr: 0 });
        }
        let mut run = |code: u16, flag: bool| match code {
            code::FWAIT => 0,
            _ => x87::run(&mut image, code, &mut [0; 128], flag),
        };
        let result = match op {
            X87::Run(code) => {
                run(code, false);
                0
            }
            X87::Compare(code) => flags(run(code, false)),
            X87::Move(code) => {
                run(code, v != 0);
                0
            }
            X87::Status => x87::word(&image, x87::STATUS).into(),
            // It is there always.
            X87::Save | X87::Load => 0,
            X87::Environment => {
                self.environment = environment(&image);
                0
            }
            X87::Word(n) => self.environment[usize::from(n)].into(),
            X87::SetWord(n) => {
                self.environment[usize::from(n)] = v as u32;
                0
            }
            X87::SetEnvironment => {
                set_environment(&mut image, &self.environment);
                0
            }
            X87::Mask => {
                let control = x87::word(&image, x87::CONTROL) | x87::EXCEPTIONS;
                x87::set_word(&mut image, x87::CONTROL, control);
                x87::summarize(&mut image);
                0
            }
            X87::Mmx(n) => {
                x87::enter_mmx(&mut image);
                x87::mmx(&image, n).into()
            }
            X87::SetMmx(n) => {
                x87::enter_mmx(&mut image);
                x87::set_mmx(&mut image, n, v as u64);
                0
            }
        };
        self.set_image(slot, &image);
        Ok(result)
    }

    /// State changes after the access.
    pub(super) fn x87_mem(&mut self, slot: Slot, code: u16, mem: &Mem) -> Result<(), Stop> {
        let mut image = self.image(slot);
        if code::waits(code) && x87::waiting(&image) != 0 {
            return Err(Stop::Trap { trap: Trap::X87, addr: 0 });
        }
        let (addr, size) = (self.address(mem), usize::from(mem.size));
        let mut operand = [0; 128];
        // Ten bytes are eight and two.
        let pieces = [(0, size.min(8)), (8, size.saturating_sub(8))];
        let pieces = pieces.into_iter().filter(|(_, n)| *n > 0);
        let mask = self.region.ty(mem.base).mask();
        let data = image[x87::DATA..x87::MXCSR].to_vec();
        let piece_at = |at: usize| addr.wrapping_add(at as u64) & mask;
        if !code::stores(code) {
            for (at, n) in pieces {
                let v = self.machine.memory.load(piece_at(at), n)?;
                operand[at..at + n].copy_from_slice(&v.to_le_bytes()[..n]);
            }
            x87::run(&mut image, code, &mut operand, false);
        } else if let Some(operand) = stored(&mut image, code) {
            for (at, n) in pieces {
                let mut v = [0; 16];
                v[..n].copy_from_slice(&operand[at..at + n]);
                self.machine.memory.store(piece_at(at), n, u128::from_le_bytes(v))?;
            }
        }
        if image[x87::DATA..x87::MXCSR] != data {
            // The unit has noted where our copy of the operand stood.
            image[x87::DATA..x87::MXCSR].copy_from_slice(&addr.to_le_bytes());
        }
        self.set_image(slot, &image);
        Ok(())
    }
}

/// FNSTENV's words. The unit's pointers are those of the image: not every processor takes them from there.
fn environment(image: &Image) -> [u32; 7] {
    let mut operand = [0; 128];
    x87::run(&mut image.clone(), code::FNSTENV, &mut operand, false);
    let data = u32::from(x87::word(image, x87::DATA)) | u32::from(x87::word(image, x87::DATA + 2)) << 16;
    let word = |n: usize| u32::from_le_bytes([0, 1, 2, 3].map(|b| operand[4 * n + b]));
    [word(0), word(1), word(2), 0, u32::from(x87::word(image, x87::OPCODE)) << 16, data, 0]
}

/// The opposite.
fn set_environment(image: &mut Image, words: &[u32; 7]) {
    let mut operand = [0; 128];
    for (n, word) in words.iter().enumerate() {
        operand[4 * n..][..4].copy_from_slice(&word.to_le_bytes());
    }
    x87::run(image, code::FLDENV, &mut operand, false);
    x87::set_word(image, x87::OPCODE, (words[4] >> 16) as u16 & 0x7ff);
    image[x87::DATA..x87::MXCSR].copy_from_slice(&u64::from(words[5]).to_le_bytes());
}

/// What an instruction writes to its operand: nothing, if an exception that is not masked keeps it from that.
fn stored(image: &mut Image, code: u16) -> Option<[u8; 128]> {
    let mut before = *image;
    let (mut first, mut second) = ([0; 128], [0xff; 128]);
    x87::run(image, code, &mut first, false);
    x87::run(&mut before, code, &mut second, false);
    // What is behind the operand stays in either.
    (first[..2] == second[..2]).then_some(first)
}
