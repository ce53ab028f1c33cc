//! What the front end builds obeys the rules of the IR and runs in the interpreter, whatever the instruction and its
//! operands. What it computes is checked elsewhere.

use crate::state::FPCR_BITS;
use crate::tests::translate;
use crate::{A64, AARCH64};
use decode::Random;
use ir::interp::{self, Machine, MemFault, Memory};
use ir::{Region, text, verify};
use std::collections::BTreeMap;

/// Memory that can be read and written anywhere; each address holds its own hash.
struct Everywhere;

impl Memory for Everywhere {
    fn load(&mut self, addr: u64, size: usize) -> Result<u128, MemFault> {
        let hash = u128::from(addr.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        Ok((hash << 64 | hash) >> (128 - 8 * size))
    }
    fn store(&mut self, _: u64, _: usize, _: u128) -> Result<(), MemFault> {
        Ok(())
    }
    fn cmpxchg(&mut self, addr: u64, size: usize, _: u128, _: u128) -> Result<u128, MemFault> {
        self.load(addr, size)
    }
    fn rmw(&mut self, addr: u64, size: usize, f: &dyn Fn(u128) -> u128) -> Result<u128, MemFault> {
        let old = self.load(addr, size)?;
        f(old);
        Ok(old)
    }
}

/// Checks and runs a region on random state.
fn sound(region: &Region, random: &mut Random) -> Result<(), String> {
    let layout = &AARCH64.state;
    verify::check(region, layout.types).map_err(|e| {
        format!("{e}\n{}", text::region(region, &|slot| layout.slots[slot.0 as usize].name().to_owned()))
    })?;
    let slots: Vec<_> = layout.slots.iter().map(|s| (usize::from(s.offset), s.ty)).collect();
    let mut state: Vec<u8> = (0..layout.size).map(|_| random.next() as u8).collect();
    let (memory, fp_flags, monitor) = (&mut Everywhere, 0, None);
    interp::run(region, &mut Machine { state: &mut state, slots: &slots, memory, fp_flags, monitor });
    Ok(())
}

#[test]
fn each_row() {
    let mut random = Random(3);
    let mut broken = BTreeMap::new();
    for row in A64.rows() {
        for round in 0..100 {
            let Some(word) = A64.random(row, &mut random) else { continue };
            let mode = if round < 50 { 0 } else { random.next() as u32 & FPCR_BITS };
            if let Err(e) = sound(&translate(&[word], mode), &mut random) {
                broken.entry(row.name).or_insert(format!("{}: {e}", row.print(word, 0x1000)));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// Runs of instructions: values and constants are reused from one to the next.
#[test]
fn runs_of_rows() {
    let mut random = Random(4);
    for _ in 0..2000 {
        let words: Vec<u32> =
            (0..12).filter_map(|_| A64.random(&A64.rows()[random.below(A64.rows().len())], &mut random)).collect();
        let mode = random.next() as u32 & FPCR_BITS;
        if let Err(e) = sound(&translate(&words, mode), &mut random) {
            panic!("{words:x?}: {e}");
        }
    }
}
