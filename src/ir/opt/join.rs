//! Slots that are halves of a register become one slot in a region that mostly uses them as a whole. Outside they stay what they are: the whole
//! slot lies where its halves do.

use super::frequencies;
use super::rebuild::rebuild;
use crate::op::{Op, Slot, V2, Val};
use crate::region::Region;
use crate::types::{Lane, Ty};

/// Two F64 slots and the V128 slot that is both.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pair {
    pub halves: [Slot; 2],
    pub whole: Slot,
}

/// The half that the value is read from.
fn half(r: &Region, pair: &Pair, v: Val) -> Option<usize> {
    match *r.op(v) {
        Op::Get(s) => pair.halves.iter().position(|h| *h == s),
        Op::VLow(v) => half(r, pair, v),
        _ => None,
    }
}

/// Whether the region would rather have the pair as one slot: what joining and parting costs it as two, less what it would as one.
fn is_better_whole(r: &Region, times: &[u32], pair: &Pair) -> bool {
    let mut gain = 0i64;
    for (block, times) in r.blocks.iter().zip(times) {
        let mut own = 0;
        for inst in &r.insts[block.start as usize..block.end as usize] {
            own += match inst.op {
                Op::V2(V2::ConcatLo, _, a, b) => i64::from(half(r, pair, a) == Some(0) && half(r, pair, b) == Some(1)),
                Op::Set(s, v) if pair.halves.contains(&s) => match *r.op(v) {
                    Op::VGet(Lane::D, w, _) if r.ty(w) == Ty::V128 => 1,
                    _ => -1,
                },
                // Scalars of the upper half would have to be moved down.
                Op::VLow(_) | Op::Get(_) => 0,
                op => {
                    let mut uses = 0;
                    op.for_each_arg(|v| uses += i64::from(half(r, pair, v) == Some(1)));
                    -uses
                }
            };
        }
        gain += own * i64::from(*times);
    }
    gain > 0
}

/// The region with those pairs joined that are better so, if there are any. `types` are all slots'.
pub fn join(r: &Region, pairs: &[Pair], types: &'static [Ty]) -> Option<Region> {
    if pairs.is_empty() {
        return None;
    }
    let times = frequencies(r);
    let joined: Vec<&Pair> = pairs.iter().filter(|p| is_better_whole(r, &times, p)).collect();
    if joined.is_empty() {
        return None;
    }
    let part_of = |slot: Slot| joined.iter().find_map(|p| Some((p.whole, p.halves.iter().position(|h| *h == slot)?)));
    Some(rebuild(r, types, |b, v, now| {
        let op = *r.op(v);
        let part = match op {
            Op::Get(slot) | Op::Set(slot, _) => part_of(slot),
            _ => None,
        };
        match (part, op) {
            (Some((whole, half)), Op::Set(_, v)) => {
                let old = b.get(whole);
                let v = b.vset(Lane::D, old, now[v.0 as usize], half as u32);
                b.set(whole, v);
                Val::NONE
            }
            (Some((whole, half)), _) => {
                let v = b.get(whole);
                b.vget(Ty::F64, v, half as u32)
            }
            (None, _) => b.again(r, v, |v| now[v.0 as usize]),
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::Builder;
    use crate::mem::Mem;
    use crate::op::V1;
    use crate::region::{FpControl, Term};
    use crate::types::Round;

    static TYPES: [Ty; 4] = [Ty::I32, Ty::F64, Ty::F64, Ty::V128];
    const PAIR: Pair = Pair { halves: [Slot(1), Slot(2)], whole: Slot(3) };

    fn region(make: impl Fn(&mut Builder)) -> Region {
        let mut b = Builder::new(&TYPES);
        b.start(0x1000, 0, FpControl { round: Round::NearestEven });
        make(&mut b);
        b.end(Term::Goto { pc: 0x1000 });
        b.region
    }

    #[test]
    fn a_register_used_as_a_whole_is_one_slot() {
        let r = region(|b| {
            let [low, high] = PAIR.halves.map(|h| {
                let v = b.get(h);
                b.v_low(v)
            });
            let whole = b.v2(V2::ConcatLo, Lane::D, low, high);
            let whole = b.v1(V1::Not, Lane::B, whole);
            for (half, n) in PAIR.halves.into_iter().zip(0..) {
                let v = b.vget(Ty::F64, whole, n);
                b.set(half, v);
            }
        });
        let r = join(&r, &[PAIR], &TYPES).expect("it is better");
        let sets: Vec<Val> =
            r.insts.iter().filter_map(|i| if let Op::Set(Slot(3), v) = i.op { Some(v) } else { None }).collect();
        assert!(
            matches!(*r.op(*sets.last().expect("it is written")), Op::V1(V1::Not, _, v) if *r.op(v) == Op::Get(Slot(3)))
        );
        assert!(!r.insts.iter().any(|i| matches!(i.op, Op::Get(Slot(1 | 2)) | Op::Set(Slot(1 | 2), _))));
    }

    #[test]
    fn scalars_stay_apart() {
        let r = region(|b| {
            let at = b.get(Slot(0));
            for h in PAIR.halves {
                let v = b.load(Ty::F64, Mem::at(at, 8));
                b.set(h, v);
            }
        });
        assert!(join(&r, &[PAIR], &TYPES).is_none());
    }
}
