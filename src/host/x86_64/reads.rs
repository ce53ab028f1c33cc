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
    /// The bytes of the scalar at the bottom, if that is no other NaN than the guest's only one; [`NO_WAY`] where nothing leads to.
    own: u8,
}

const NO_WAY: u8 = u8::MAX;

impl Held {
    const ANYTHING: Held = Held { bytes: 16, own: 0 };
    /// What no way has been found to.
    const NOTHING: Held = Held { bytes: 0, own: NO_WAY };

    fn or(self, other: Held) -> Held {
        let own = match (self.own, other.own) {
            (NO_WAY, own) | (own, NO_WAY) => own,
            (a, b) if a == b => a,
            _ => 0,
        };
        Held { bytes: self.bytes.max(other.bytes), own }
    }
}

/// By instruction, for reads of slots.
pub(super) fn of(r: &Region, map: &Map) -> Vec<Held> {
    // Slots that are two others change with them.
    if map.state.pairs.is_empty() { of_slots(r, map.state.slots.len()) } else { vec![Held::ANYTHING; r.insts.len()] }
}

fn of_slots(r: &Region, slots: usize) -> Vec<Held> {
    let mut reads = vec![Held::ANYTHING; r.insts.len()];
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
        Op::Set(slot, x) => held[slot.0 as usize] = Held { bytes: bytes(r, x, reads), own: own(r, x, reads) },
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

/// Whether a value is, as a scalar of this type at its bottom, no other NaN than RISC-V's. `reads` may be of no region, then what is read may be anything.
pub(super) fn is_own(r: &Region, v: Val, ty: Ty, reads: &[Held]) -> bool {
    usize::from(own(r, v, reads)) == ty.bytes()
}

/// As [`Held::own`].
fn own(r: &Region, v: Val, reads: &[Held]) -> u8 {
    let env = match *r.op(v) {
        Op::Get(_) => return reads.get(v.0 as usize).map_or(0, |held| held.own),
        Op::Const(bits) if r.ty(v) == Ty::F64 && !f64::from_bits(bits).is_nan() => return 8,
        Op::Const(bits) if r.ty(v) == Ty::F32 && !f32::from_bits(bits as u32).is_nan() => return 4,
        Op::VFromScalar(x) | Op::VSet(_, _, x, 0) => return own(r, x, reads),
        Op::Fp1(Fp1::Neg | Fp1::Abs, ..) => return 0,
        Op::Fp1(_, shape, env, _) | Op::Fp2(_, shape, env, ..) | Op::Fma { shape, env, .. } if shape.lanes == 0 => env,
        Op::FpCvt { lanes: 0, env, .. } | Op::FpFromInt { env, .. } => env,
        _ => return 0,
    };
    if env.nan == NanRule::RiscV { r.ty(v).bytes() as u8 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ir::{Builder, Env, Fmt, Fp2, FpControl, Lane, Round, Shape, Slot, Term};

    static TYPES: [Ty; 2] = [Ty::V128, Ty::I1];
    const ENV: Env = Env { nan: NanRule::RiscV, ..Env::IEEE_ARM };

    /// A sum of what is in the slot, there.
    fn sum(b: &mut Builder, fmt: Fmt) {
        let v = b.get(Slot(0));
        let x = b.vget(fmt.ty(), v, 0);
        let x = b.fp2(Fp2::Add, Shape::scalar(fmt), ENV, x, x);
        let v = match fmt {
            Fmt::F64 => b.v_from_scalar(x),
            _ => {
                let ones = b.v128(u128::from(u64::MAX << 32));
                b.vset(Lane::S, ones, x, 0)
            }
        };
        b.set(Slot(0), v);
    }

    /// What a block reads behind two others: whether it is a sum as either type.
    fn behind(first: impl Fn(&mut Builder), second: impl Fn(&mut Builder)) -> [bool; 2] {
        let mut b = Builder::new(&TYPES);
        b.start(0x1000, 0, FpControl { round: Round::NearestEven });
        let [one, other, join] = std::array::from_fn(|_| b.block());
        let way = b.get(Slot(1));
        b.branch(way, one, other);
        b.enter(one);
        first(&mut b);
        b.end(Term::Jump(join));
        b.enter(other);
        second(&mut b);
        b.end(Term::Jump(join));
        b.enter(join);
        let read = b.get(Slot(0));
        b.set(Slot(0), read);
        b.end(Term::Goto { pc: 0x1000 });
        let reads = of_slots(&b.region, TYPES.len());
        [Ty::F32, Ty::F64].map(|ty| is_own(&b.region, read, ty, &reads))
    }

    #[test]
    fn what_all_ways_have_computed_is_the_guests_own_nan_as_that_type() {
        assert_eq!(behind(|b| sum(b, Fmt::F64), |b| sum(b, Fmt::F64)), [false, true]);
        assert_eq!(behind(|b| sum(b, Fmt::F32), |b| sum(b, Fmt::F32)), [true, false]);
        assert_eq!(behind(|b| sum(b, Fmt::F32), |b| sum(b, Fmt::F64)), [false, false]);
        assert_eq!(behind(|b| sum(b, Fmt::F64), |_| {}), [false, false]);
    }
}
