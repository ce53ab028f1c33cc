//! What stands above scalars in vector registers of the guest: which reads of slots find zero there, as every block of a hot region has it that leads
//! to them. A scalar operation then takes its upper half from its operand and needs no instruction that clears it.

use super::Map;
use ir::{Op, Region, Touches, Ty, V1, Val};

/// A vector's bytes: those that may be other than zero, if nothing is known.
const ALL: u8 = 16;

/// By instruction, for reads of slots: above how many bytes of the vector there is zero.
pub(super) fn of_reads(r: &Region, map: &Map) -> Vec<u8> {
    let mut reads = vec![ALL; r.insts.len()];
    // Slots that are two others change with them.
    if !map.state.pairs.is_empty() {
        return reads;
    }
    let slots = map.state.slots.len();
    // A block that no way has been found to yet is as narrow as can be.
    let mut at = vec![vec![0; slots]; r.blocks.len()];
    at[0].fill(ALL);
    let mut changed = true;
    while changed {
        changed = false;
        for (n, block) in r.blocks.iter().enumerate() {
            let mut used = at[n].clone();
            for i in block.start..block.end {
                step(r, Val(i), &mut used, &mut reads);
            }
            for next in block.term.successors().map(|b| b.0 as usize) {
                for (before, now) in at[next].iter_mut().zip(&used) {
                    changed |= *now > *before;
                    *before = (*before).max(*now);
                }
            }
        }
    }
    reads
}

/// Goes past an instruction: `used` are the bytes of each slot.
fn step(r: &Region, v: Val, used: &mut [u8], reads: &mut [u8]) {
    match *r.op(v) {
        Op::Get(slot) => reads[v.0 as usize] = used[slot.0 as usize],
        Op::Set(slot, x) => used[slot.0 as usize] = bytes(r, x, reads),
        Op::Call(helper, _) => match helper.touches {
            Touches::Nothing | Touches::Reads(_) => {}
            Touches::Writes(slots) => slots.iter().for_each(|s| used[s.0 as usize] = ALL),
            Touches::All => used.fill(ALL),
        },
        _ => {}
    }
}

/// Above how many bytes of a value there is zero.
fn bytes(r: &Region, v: Val, reads: &[u8]) -> u8 {
    if r.ty(v) != Ty::V128 {
        return ALL;
    }
    match *r.op(v) {
        Op::Get(_) => reads[v.0 as usize],
        Op::VFromScalar(x) => r.ty(x).bytes() as u8,
        Op::V1(V1::ZeroHi, _, _) => 8,
        Op::Load(m) => m.size,
        Op::ConstV(n) => (128 - r.vectors[n as usize].leading_zeros()).div_ceil(8) as u8,
        Op::Fp1(_, shape, ..) | Op::Fp2(_, shape, ..) | Op::Fma { shape, .. } | Op::FpFromInt { shape, .. }
            if shape.lanes > 0 && shape.low_of().is_none() =>
        {
            shape.lanes * shape.fmt.lane().bytes() as u8
        }
        _ => ALL,
    }
}
