//! What is known of vector registers of the guest where they are read, as every block of a hot region has it that leads there. Of zero above a scalar:
//! an operation on it then takes its upper half from it and needs no instruction that clears that. Of NaNs: where the guest has but one, an
//! operation on nothing else needs no check for others.

use super::Map;
use ir::{Fp1, NanRule, Op, Region, Touches, Ty, V1, Val};

/// What a slot may hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Held {
    /// A vector's bytes: those that may be other than zero.
    pub(super) bytes: u8,
    /// A scalar may be another NaN than the canonical one.
    pub(super) any_nan: bool,
}

impl Held {
    const ANYTHING: Held = Held { bytes: 16, any_nan: true };
    /// What no way has been found to.
    const NOTHING: Held = Held { bytes: 0, any_nan: false };

    fn or(self, other: Held) -> Held {
        Held { bytes: self.bytes.max(other.bytes), any_nan: self.any_nan || other.any_nan }
    }
}

/// By instruction, for reads of slots.
pub(super) fn of(r: &Region, map: &Map) -> Vec<Held> {
    let mut reads = vec![Held::ANYTHING; r.insts.len()];
    // Slots that are two others change with them.
    if !map.state.pairs.is_empty() {
        return reads;
    }
    let slots = map.state.slots.len();
    let mut at = vec![vec![Held::NOTHING; slots]; r.blocks.len()];
    at[0].fill(Held::ANYTHING);
    let mut changed = true;
    while changed {
        changed = false;
        for (n, block) in r.blocks.iter().enumerate() {
            let mut held = at[n].clone();
            for i in block.start..block.end {
                step(r, Val(i), &mut held, &mut reads);
            }
            for next in block.term.successors().map(|b| b.0 as usize) {
                for (before, now) in at[next].iter_mut().zip(&held) {
                    let both = before.or(*now);
                    changed |= both != *before;
                    *before = both;
                }
            }
        }
    }
    reads
}

/// Goes past an instruction.
fn step(r: &Region, v: Val, held: &mut [Held], reads: &mut [Held]) {
    match *r.op(v) {
        Op::Get(slot) => reads[v.0 as usize] = held[slot.0 as usize],
        Op::Set(slot, x) => held[slot.0 as usize] = Held { bytes: bytes(r, x, reads), any_nan: any_nan(r, x, reads) },
        Op::Call(helper, _) => match helper.touches {
            Touches::Nothing | Touches::Reads(_) => {}
            Touches::Writes(slots) => slots.iter().for_each(|s| held[s.0 as usize] = Held::ANYTHING),
            Touches::All => held.fill(Held::ANYTHING),
        },
        _ => {}
    }
}

/// Above how many bytes of a value there is zero.
fn bytes(r: &Region, v: Val, reads: &[Held]) -> u8 {
    if r.ty(v) != Ty::V128 {
        return Held::ANYTHING.bytes;
    }
    match *r.op(v) {
        Op::Get(_) => reads[v.0 as usize].bytes,
        Op::VFromScalar(x) => r.ty(x).bytes() as u8,
        Op::V1(V1::ZeroHi, _, _) => 8,
        Op::Load(m) => m.size,
        Op::ConstV(n) => (128 - r.vectors[n as usize].leading_zeros()).div_ceil(8) as u8,
        Op::Fp1(_, shape, ..) | Op::Fp2(_, shape, ..) | Op::Fma { shape, .. } | Op::FpFromInt { shape, .. }
            if shape.lanes > 0 && shape.low_of().is_none() =>
        {
            shape.lanes * shape.fmt.lane().bytes() as u8
        }
        _ => Held::ANYTHING.bytes,
    }
}

/// Whether a value may be another NaN than RISC-V's. `reads` may be of no region, then what is read may be anything.
pub(super) fn any_nan(r: &Region, v: Val, reads: &[Held]) -> bool {
    let env = match *r.op(v) {
        Op::Get(_) => return reads.get(v.0 as usize).is_none_or(|held| held.any_nan),
        Op::Const(bits) if r.ty(v) == Ty::F64 => return f64::from_bits(bits).is_nan(),
        Op::Fp1(Fp1::Neg | Fp1::Abs, ..) => return true,
        Op::Fp1(_, shape, env, _) | Op::Fp2(_, shape, env, ..) | Op::Fma { shape, env, .. } if shape.lanes == 0 => env,
        Op::FpCvt { lanes: 0, env, .. } | Op::FpFromInt { env, .. } => env,
        _ => return true,
    };
    env.nan != NanRule::RiscV
}
