//! Loads of what the same block has just stored need no access: they take the value. It matters most where a pair of registers is loaded from words
//! that were stored one by one, or a vector from registers: the host would wait until all are in its cache. Vectors are, also where nothing else is optimized
//! ([`stored_before`]): variadic functions of aarch64 copy what they have just stored.

use super::align::origin;
use super::rebuild::rebuild;
use crate::builder::Builder;
use crate::mem::{Align, Mem};
use crate::op::{Bin, Op, V2, Val};
use crate::region::Region;
use crate::types::{Lane, Order, Ty};

/// How many stores are remembered.
const MOST: usize = 16;

/// Where a plain access goes: to what value plus what constant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Place {
    root: Val,
    sum: u64,
    size: u8,
    /// Of addresses.
    mask: u64,
}

impl Place {
    fn of(r: &Region, m: &Mem) -> Option<Place> {
        if !m.index.is_none() || m.order != Order::Plain || m.big {
            return None;
        }
        let (root, sum) = origin(r, m.base);
        let mask = r.ty(m.base).mask();
        let sum = sum.wrapping_add_signed(m.disp.into()) & mask;
        Some(Place { root, sum, size: m.size, mask })
    }

    /// Whether the two have no byte in common. Nothing is known of other roots. One may begin before the root, the other behind it.
    fn is_apart(&self, other: &Place) -> bool {
        let behind = |a: &Place, b: &Place| b.sum.wrapping_sub(a.sum) & a.mask >= u64::from(a.size);
        self.root == other.root && behind(self, other) && behind(other, self)
    }
}

/// What a load gives.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Known {
    Value(Val),
    /// A number of 64 bits, or the half of a vector.
    Half(Half),
    /// A vector's low and high half.
    Halves(Half, Half),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Half {
    Whole(Val),
    /// A low and a high word.
    Words(Val, Val),
}

impl Known {
    /// The value in the region that `b` builds, in which values are what `now` says.
    pub(crate) fn build(self, b: &mut Builder, now: impl Fn(Val) -> Val) -> Val {
        match self {
            Known::Value(v) => now(v),
            Known::Half(half) => half.build(b, &now),
            Known::Halves(low, high) => {
                let [low, high] = [low, high].map(|half| {
                    let v = half.build(b, &now);
                    let scalar = b.bitcast(Ty::F64, v);
                    b.v_low(scalar)
                });
                b.v2(V2::ConcatLo, Lane::D, low, high)
            }
        }
    }
}

impl Half {
    fn build(self, b: &mut Builder, now: &impl Fn(Val) -> Val) -> Val {
        match self {
            Half::Whole(v) => now(v),
            Half::Words(low, high) => {
                let [low, high] = [low, high].map(|v| b.zext(Ty::I64, now(v)));
                let high = b.shift_imm(Bin::Shl, high, 32);
                b.or(low, high)
            }
        }
    }
}

/// The region without loads of what its blocks know, if there are any. `types` are all slots'.
pub fn forward(r: &Region, types: &'static [Ty]) -> Option<Region> {
    let known = known(r);
    if known.iter().all(Option::is_none) {
        return None;
    }
    Some(rebuild(r, types, |b, v, now| match known[v.0 as usize] {
        Some(known) => known.build(b, |v| now[v.0 as usize]),
        None => b.again(r, v, |v| now[v.0 as usize]),
    }))
}

/// By instruction: what a load gives.
fn known(r: &Region) -> Vec<Option<Known>> {
    let mut known = vec![None; r.insts.len()];
    for block in &r.blocks {
        let mut stored = Vec::new();
        for i in block.start..block.end {
            if let Op::Load(m) = r.op(Val(i)) {
                known[i as usize] = find(r, &stored, m, r.ty(Val(i)));
            }
            step(r, r.op(Val(i)), &mut stored);
        }
    }
    known
}

/// What a load at the end of the block that begins at `start` would give, if the last instructions tell.
pub(crate) fn stored_before(r: &Region, start: u32, m: &Mem, ty: Ty) -> Option<Known> {
    const BACK: usize = 40;
    let begin = r.insts.len().saturating_sub(BACK).max(start as usize);
    let mut stored = Vec::new();
    r.insts[begin..].iter().for_each(|i| step(r, &i.op, &mut stored));
    find(r, &stored, m, ty)
}

/// Goes past an operation; the latest store comes first.
fn step(r: &Region, op: &Op, stored: &mut Vec<(Place, Val)>) {
    match op {
        Op::Store(m, v) => {
            let place = Place::of(r, m);
            stored.retain(|(before, _)| place.is_some_and(|p| p.is_apart(before)));
            if let Some(place) = place.filter(|p| r.ty(*v).bytes() == usize::from(p.size)) {
                stored.truncate(MOST - 1);
                stored.insert(0, (place, *v));
            }
        }
        op if op.can_fault() && !matches!(op, Op::Load(_)) => stored.clear(),
        Op::Call(..) | Op::Fence(_) | Op::ClearExcl => stored.clear(),
        _ => {}
    }
}

/// (A vector that is not aligned is told by its store, or was stored there by an access that need not be.)
fn find(r: &Region, stored: &[(Place, Val)], m: &Mem, ty: Ty) -> Option<Known> {
    let place = Place::of(r, m).filter(|_| matches!(m.align, Align::Any | Align::Vector))?;
    if usize::from(place.size) != ty.bytes() {
        return None;
    }
    let at = |by: u64, ty: Ty| {
        let wanted = Place { sum: place.sum.wrapping_add(by) & place.mask, size: ty.bytes() as u8, ..place };
        stored.iter().find(|(p, v)| *p == wanted && r.ty(*v) == ty).map(|s| s.1)
    };
    let words = |by: u64| Some(Half::Words(at(by, Ty::I32)?, at(by.wrapping_add(4), Ty::I32)?));
    let half = |by: u64| at(by, Ty::I64).or_else(|| at(by, Ty::F64)).map(Half::Whole).or_else(|| words(by));
    match (at(0, ty), ty) {
        (Some(v), _) => Some(Known::Value(v)),
        (None, Ty::I64) => words(0).map(Known::Half),
        (None, Ty::V128) => Some(Known::Halves(half(0)?, half(8)?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::Slot;
    use crate::region::{FpControl, Term};
    use crate::types::Round;

    static TYPES: [Ty; 4] = [Ty::I32; 4];

    /// Two words stored one after the other at slot 0, what `between` does, and both loaded at once into slots 2 and 3.
    fn region(between: impl Fn(&mut Builder)) -> Region {
        let mut b = Builder::new(&TYPES);
        b.start(0x1000, 0, FpControl { round: Round::NearestEven });
        let at = b.get(Slot(0));
        for n in 0..2 {
            let v = b.get(Slot(2 + n));
            let moved = b.add_imm(at, 8 + 4 * i64::from(n));
            b.store(Mem::at(moved, 4), v);
        }
        between(&mut b);
        let both = b.load(Ty::I64, Mem::at(at, 8).disp(8));
        let high = b.shift_imm(Bin::Shr, both, 32);
        for (n, v) in [both, high].into_iter().enumerate() {
            let v = b.trunc(Ty::I32, v);
            b.set(Slot(3 - n as u16), v);
        }
        b.end(Term::Goto { pc: 0x1000 });
        b.region.clone()
    }

    fn is_forwarded(between: impl Fn(&mut Builder)) -> bool {
        let Some(r) = forward(&region(between), &TYPES) else { return false };
        assert_eq!(crate::verify::check(&r, &TYPES), Ok(()));
        let sets: Vec<Val> =
            r.insts.iter().filter_map(|i| if let Op::Set(_, v) = i.op { Some(v) } else { None }).collect();
        assert!(sets.iter().all(|v| matches!(r.op(*v), Op::Get(_))), "words are taken whole");
        !r.insts.iter().any(|i| matches!(i.op, Op::Load(_)))
    }

    /// A vector that the front end loads where a number and two words were stored, and what `between` does.
    fn is_joined(between: impl Fn(&mut Builder)) -> bool {
        static TYPES: [Ty; 4] = [Ty::I64, Ty::I64, Ty::I32, Ty::V128];
        let mut b = Builder::new(&TYPES);
        b.start(0x1000, 0, FpControl { round: Round::NearestEven });
        let [at, v, word] = [0, 1, 2].map(|n| b.get(Slot(n)));
        b.store(Mem::at(at, 8).disp(-8), v);
        b.store(Mem::at(at, 4).disp(4), word);
        let three = b.i32(3);
        b.store(Mem::at(at, 4), three);
        between(&mut b);
        let both = b.load(Ty::V128, Mem::at(at, 16).disp(-8));
        b.set(Slot(3), both);
        b.end(Term::Goto { pc: 0x1000 });
        assert_eq!(crate::verify::check(&b.region, &TYPES), Ok(()));
        !b.region.insts.iter().any(|i| matches!(i.op, Op::Load(_)))
    }

    #[test]
    fn a_vector_is_made_of_what_its_parts_were_stored_from() {
        assert!(is_joined(|_| {}));
        let store = |slot: u16, size: u8, disp: i32| {
            move |b: &mut Builder| {
                let (at, v) = (b.get(Slot(slot)), b.get(Slot(1)));
                b.store(Mem::at(at, size).disp(disp), v);
            }
        };
        assert!(is_joined(store(0, 8, 8)) && is_joined(store(0, 8, 0)));
        assert!(!is_joined(store(0, 8, 4)) && !is_joined(store(0, 1, 0)) && !is_joined(store(1, 8, 0)));
        assert!(!is_joined(|b| b.fence(crate::types::Fence::Full)));
    }

    #[test]
    fn words_stored_are_a_pair_loaded() {
        assert!(is_forwarded(|_| {}));
    }

    #[test]
    fn a_store_beside_them_does_not_matter() {
        assert!(is_forwarded(|b| {
            let at = b.get(Slot(0));
            b.store(Mem::at(at, 4).disp(16), at);
        }));
    }

    #[test]
    fn a_store_that_begins_before_the_root_does() {
        for root in [Ty::I32, Ty::I64] {
            let apart = |a: (i64, u8), b: (i64, u8)| {
                let place = |(sum, size): (i64, u8)| Place {
                    root: Val(0),
                    sum: sum as u64 & root.mask(),
                    size,
                    mask: root.mask(),
                };
                place(a).is_apart(&place(b))
            };
            assert!(!apart((-4, 8), (0, 4)) && !apart((0, 4), (-4, 8)), "{root:?}");
            assert!(!apart((-8, 8), (-4, 4)) && !apart((-4, 4), (-8, 8)), "{root:?}");
            assert!(apart((-8, 8), (0, 4)) && apart((0, 4), (-8, 8)) && apart((-8, 4), (-4, 4)), "{root:?}");
        }
    }

    #[test]
    fn a_store_that_may_be_to_them_does() {
        assert!(!is_forwarded(|b| {
            let (at, v) = (b.get(Slot(0)), b.get(Slot(1)));
            b.store(Mem::at(at, 4).disp(10), v);
        }));
        assert!(!is_forwarded(|b| {
            let (at, v) = (b.get(Slot(1)), b.get(Slot(0)));
            b.store(Mem::at(at, 1), v);
        }));
    }

    #[test]
    fn what_orders_accesses_does() {
        assert!(!is_forwarded(|b| b.fence(crate::types::Fence::Full)));
    }
}
