//! Flags that only a fault could see: overwritten in the same block, before which nothing reads them but accesses that may fault. Compilers compare
//! and branch all the time, so these are most. They are not saved: the fault record says of which slots they can be made again.

use super::Emitter;
use crate::FlagsAt;
use ir::{Align, Op, Slot, Ty, Val};

/// Whether the flags are made of what is in the slot.
pub(super) fn is_made_of(flags: FlagsAt, slot: u16) -> bool {
    match flags {
        FlagsAt::Slot | FlagsAt::Host { .. } | FlagsAt::HostPart { .. } | FlagsAt::HostFcmp { .. } => false,
        FlagsAt::OfSub { a, b, .. } => a == slot || b == slot,
        FlagsAt::OfSubImm { a, .. } | FlagsAt::OfLogic { a, .. } => a == slot,
    }
}

impl Emitter<'_> {
    /// If `slot`'s flags `v` (NONE: from before this block), about to be lost, are seen by nothing but faults: how those make them again.
    pub(super) fn seen_by_faults_alone(&self, v: Val, slot: u16) -> Option<FlagsAt> {
        let mut from = self.pending_from_of(v);
        // Flags that no fault sees either can be anything.
        let mut answer = FlagsAt::Slot;
        for i in self.now..self.block.1 {
            match self.r.insts[i as usize].op {
                Op::Set(Slot(s), _) if s == slot => return Some(answer),
                Op::Set(Slot(s), _) => from = from.filter(|from| !is_made_of(*from, s)),
                Op::Get(Slot(s)) if s == slot => return None,
                Op::Load(m) | Op::Store(m, _) if m.align == Align::Any => answer = from?,
                // These see all of guest state, or may leave.
                Op::Load(_)
                | Op::Store(..)
                | Op::Call(..)
                | Op::AtomicRmw(..)
                | Op::CmpXchg { .. }
                | Op::LoadExcl(..)
                | Op::StoreExcl(..) => return None,
                _ => {}
            }
        }
        None
    }

    /// How the flags that the host's hold for their slot can be made again after this block.
    pub(super) fn pending_from(&self) -> Option<FlagsAt> {
        let (v, _) = self.host.cur?;
        self.pending_from_of(v)
    }

    fn pending_from_of(&self, v: Val) -> Option<FlagsAt> {
        if v.is_none() || matches!(self.r.op(v), Op::Get(_)) { self.host.from } else { self.made_of_slots(v) }
    }

    /// Of which slots, as they stand now, the flags can be made again.
    fn made_of_slots(&self, v: Val) -> Option<FlagsAt> {
        let wide = |x| match self.r.ty(x) {
            Ty::I64 => Some(true),
            Ty::I32 => Some(false),
            _ => None,
        };
        match *self.r.op(v) {
            Op::FlagsSub(x, y) => {
                let (a, wide) = (self.slot_with(x)?, wide(x)?);
                Some(match self.imm32(y).map(i16::try_from) {
                    Some(Ok(imm)) => FlagsAt::OfSubImm { a, imm, wide },
                    _ => FlagsAt::OfSub { a, b: self.slot_with(y)?, wide },
                })
            }
            Op::FlagsLogic(x) => Some(FlagsAt::OfLogic { a: self.slot_with(x)?, wide: wide(x)? }),
            _ => None,
        }
    }

    /// A slot whose value, at the instruction being emitted, begins with `v`.
    fn slot_with(&self, v: Val) -> Option<u16> {
        let root = self.root(v);
        let fits = |x: Val| self.root(x) == root && self.r.ty(v).bytes() <= self.r.ty(x).bytes();
        let mut overwritten = Vec::new();
        for i in (self.block.0..self.now).rev() {
            match self.r.insts[i as usize].op {
                Op::Set(Slot(s), x) if !overwritten.contains(&s) => {
                    if fits(x) {
                        return Some(s);
                    }
                    overwritten.push(s);
                }
                Op::Get(Slot(s)) if fits(Val(i)) && !overwritten.contains(&s) => return Some(s),
                Op::Call(..) => return None,
                _ => {}
            }
        }
        None
    }
}
