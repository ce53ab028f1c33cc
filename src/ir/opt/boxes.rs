//! Singles in wider registers with ones above them (RISC-V's boxes). A register that is read is asked for its box, and what has none is a NaN: a mask is made of the
//! upper word, and the mask chooses. Where every way to the question comes from a box, it is not asked. A loop that only lacks the answer for what its registers
//! hold as it is entered gets a version that has it (`special.rs`).

use super::rebuild::rebuild;
use crate::helper::Touches;
use crate::op::{Op, Slot, V2, V3, Val};
use crate::region::Region;
use crate::types::{Lane, Ty};

/// What stands above a single in its register of 64 bits.
const ABOVE: u64 = 0xffff_ffff << 32;

/// What a block knows: by slot, whether it holds a box.
type Known = Vec<bool>;

/// The region without questions that it knows the answers of, if there are any. `types` are all slots'.
pub fn boxes(r: &Region, types: &'static [Ty]) -> Option<Region> {
    let chosen = chosen(r, &[], types.len())?;
    chosen.iter().any(Option::is_some).then(|| {
        rebuild(r, types, |b, v, now| match chosen[v.0 as usize] {
            Some(slot) => now[slot.0 as usize],
            None => b.again(r, v, |v| now[v.0 as usize]),
        })
    })
}

/// The slots that would have to hold boxes at the start for questions to be spared, of those that do now.
pub(super) fn wanted(r: &Region, held: &dyn Fn(Slot) -> u64, slots: usize) -> Vec<Slot> {
    let asked = |v: u32| match *r.op(questioned(r, Val(v))?) {
        Op::Get(slot) => Some(slot),
        _ => None,
    };
    let mut now: Vec<Slot> = (0..r.insts.len() as u32).filter_map(asked).collect();
    now.sort_unstable_by_key(|slot| slot.0);
    now.dedup();
    now.retain(|slot| is_box(held(*slot)));
    let chosen = chosen(r, &now, slots).unwrap_or_default();
    let spared: Vec<Slot> =
        (0..chosen.len() as u32).filter(|&v| chosen[v as usize].is_some()).filter_map(asked).collect();
    now.retain(|slot| spared.contains(slot));
    now
}

pub(super) fn is_box(bits: u64) -> bool {
    bits & ABOVE == ABOVE
}

/// By instruction: what a choice comes to, if the slots `assumed` hold boxes at the start. None if nothing is asked.
pub(super) fn chosen(r: &Region, assumed: &[Slot], slots: usize) -> Option<Vec<Option<Val>>> {
    let questions: Vec<Option<Val>> = (0..r.insts.len() as u32).map(|v| questioned(r, Val(v))).collect();
    if questions.iter().all(Option::is_none) {
        return None;
    }
    let boxed = boxed(r, assumed, slots);
    Some(questions.into_iter().map(|x| x.filter(|x| boxed[x.0 as usize])).collect())
}

/// What an operation takes if it has a box, and otherwise something else.
fn questioned(r: &Region, v: Val) -> Option<Val> {
    let (x, mask) = match *r.op(v) {
        Op::V2(V2::OrNot, _, x, mask) | Op::V3(V3::BitSelect, _, mask, x, _) => (x, mask),
        _ => return None,
    };
    let Op::VSplatLane(Lane::S, equal, 1) = *r.op(mask) else { return None };
    let Op::V2(V2::CmpEq, Lane::S, of, ones) = *r.op(equal) else { return None };
    (of == x && r.const_v_of(ones) == Some(u128::MAX)).then_some(x)
}

/// By instruction: whether it gives a box.
fn boxed(r: &Region, assumed: &[Slot], slots: usize) -> Vec<bool> {
    let mut values = vec![false; r.insts.len()];
    let mut at: Vec<Option<Known>> = vec![None; r.blocks.len()];
    at[0] = Some((0..slots).map(|s| assumed.contains(&Slot(s as u16))).collect());
    let mut changed = true;
    while std::mem::take(&mut changed) {
        for n in 0..r.blocks.len() {
            let Some(mut known) = at[n].clone() else { continue };
            let block = &r.blocks[n];
            (block.start..block.end).for_each(|i| step(r, Val(i), &mut known, &mut values));
            for next in block.term.successors().map(|b| b.0 as usize) {
                let met = match &at[next] {
                    None => known.clone(),
                    Some(before) => before.iter().zip(&known).map(|(a, b)| *a && *b).collect(),
                };
                if at[next].as_ref() != Some(&met) {
                    (at[next], changed) = (Some(met), true);
                }
            }
        }
    }
    values
}

/// Goes past an instruction.
fn step(r: &Region, v: Val, known: &mut Known, values: &mut [bool]) {
    values[v.0 as usize] = match *r.op(v) {
        Op::Get(slot) => known[slot.0 as usize],
        Op::ConstV(n) => is_box(r.vectors[n as usize] as u64),
        Op::VSet(_, above, x, 0) => r.ty(x).bytes() <= 4 && values[above.0 as usize],
        Op::Set(slot, x) => {
            known[slot.0 as usize] = values[x.0 as usize];
            false
        }
        Op::Call(h, _) if !matches!(h.touches, Touches::Reads(_)) => {
            let touched = known.iter_mut().enumerate().filter(|(s, _)| h.touches.includes(Slot(*s as u16)));
            touched.for_each(|(_, boxed)| *boxed = false);
            false
        }
        _ => false,
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::Builder;
    use crate::opt::specialize;
    use crate::region::{BlockId, FpControl, Term};
    use crate::types::{IntCc, Round};

    static SLOTS: [Ty; 3] = [Ty::V128, Ty::V128, Ty::I32];
    const SINGLE: Slot = Slot(0);
    const FACTOR: Slot = Slot(1);
    const LEFT: Slot = Slot(2);

    /// The single in a slot.
    fn single(b: &mut Builder, slot: Slot) -> Val {
        let (v, ones) = (b.get(slot), b.v128(u128::MAX));
        let equal = b.v2(V2::CmpEq, Lane::S, v, ones);
        let mask = b.vsplat_lane(Lane::S, equal, 1);
        let v = b.v2(V2::OrNot, Lane::D, v, mask);
        b.vget(Ty::I32, v, 0)
    }

    /// An entry, and a loop that multiplies a single, which `enter` has set perhaps, and counts down.
    fn region(enter: impl Fn(&mut Builder), above: u64) -> Region {
        let mut b = Builder::new(&SLOTS);
        b.start(0x1000, 0, FpControl { round: Round::NearestEven });
        let (round, out) = (b.block(), b.block());
        enter(&mut b);
        b.end(Term::Jump(round));
        b.enter(round);
        b.insn(0x1000, 0, 0x1008);
        let (x, y) = (single(&mut b, SINGLE), single(&mut b, FACTOR));
        let (product, above) = (b.mul(x, y), b.v128(above.into()));
        let v = b.vset(Lane::S, above, product, 0);
        b.set(SINGLE, v);
        let left = b.get(LEFT);
        let left = b.add_imm(left, -1);
        b.set(LEFT, left);
        let zero = b.i32(0);
        let more = b.cmp(IntCc::Ne, left, zero);
        b.branch(more, round, out);
        b.enter(out);
        b.end(Term::Goto { pc: 0x1008 });
        b.region
    }

    fn boxed_before(b: &mut Builder) {
        let (above, x) = (b.v128(ABOVE.into()), b.i32(3));
        let v = b.vset(Lane::S, above, x, 0);
        b.set(SINGLE, v);
    }

    /// How many questions are asked from a block on, those before another.
    fn questions(r: &Region, from: u32, to: u32) -> usize {
        let blocks = r.blocks.iter().take(to as usize).skip(from as usize);
        blocks.flat_map(|b| b.start..b.end).filter(|&i| questioned(r, Val(i)).is_some()).count()
    }

    #[test]
    fn what_every_way_boxes_is_not_asked() {
        let spared = boxes(&region(boxed_before, ABOVE), &SLOTS).expect("one less");
        assert_eq!(crate::verify::check(&spared, &SLOTS), Ok(()));
        assert_eq!(questions(&spared, 0, 3), 1);
        // One way comes with something else.
        assert!(boxes(&region(boxed_before, ABOVE << 1), &SLOTS).is_none());
        assert!(boxes(&region(|_| {}, ABOVE), &SLOTS).is_none());
    }

    #[test]
    fn what_the_beginning_holds_is_asked_there() {
        let r = region(|_| {}, ABOVE);
        let held = |slot: Slot| if slot == LEFT { 7 } else { ABOVE | 5 };
        let boxed = wanted(&r, &held, SLOTS.len());
        assert_eq!(boxed, [SINGLE, FACTOR]);
        let r = specialize(&r, &boxed, &held, &SLOTS).expect("it is shorter");
        assert_eq!(crate::verify::check(&r, &SLOTS), Ok(()));
        let Term::Branch { then: BlockId(then), other: BlockId(other), .. } = r.blocks[0].term else { panic!("{r:?}") };
        assert_eq!((questions(&r, other, other + 1), questions(&r, then, then + 1)), (2, 0));
    }

    #[test]
    fn what_is_no_box_now_or_not_for_long_gets_no_version() {
        let held = |slot: Slot| if slot == SINGLE { ABOVE << 1 } else { ABOVE };
        assert_eq!(wanted(&region(|_| {}, ABOVE), &held, SLOTS.len()), [FACTOR]);
        let held = |_: Slot| ABOVE;
        assert_eq!(wanted(&region(|_| {}, 0), &held, SLOTS.len()), [FACTOR]);
    }
}
