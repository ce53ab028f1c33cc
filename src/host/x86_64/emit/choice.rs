//! Many comparisons of one value, one after the other, each with a constant that leads to a block: a computed jump of the guest's within a hot region.
//! They become one jump by a table, which the host predicts as it would the guest's own.

use super::super::SCRATCH;
use super::super::asm::{Alu, Cc as X, Mem, Shift, Size};
use super::Emitter;
use ir::{BlockId, IntCc, Op, Region, Slot, Term, Val, Ways};

/// Fewer comparisons stay what they are.
const FEWEST: usize = 4;
/// Places of a table, at most: those between the least constant and the greatest.
const MOST_PLACES: u64 = 4096;

/// One of the comparisons: the truth value, what it compares with, where equality leads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Way {
    cond: Val,
    constant: u64,
    to: BlockId,
}

/// See the module.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Choice {
    value: Val,
    ways: Vec<Way>,
    /// The blocks that are nothing but comparisons.
    inner: Vec<BlockId>,
    /// Where it leads if nothing is equal.
    other: BlockId,
}

/// A block's end, if that is a comparison with a constant: the value, the way, and where else.
fn comparison(r: &Region, b: BlockId) -> Option<(Val, Way, BlockId)> {
    let Term::Branch { cond, then, other } = r.blocks[b.0 as usize].term else { return None };
    let Op::Cmp(IntCc::Eq, value, with) = *r.op(cond) else { return None };
    let constant = r.const_of(with)?;
    Some((value, Way { cond, constant, to: then }, other))
}

/// The slot that holds a value as a block ends.
fn slot_of(r: &Region, b: BlockId, v: Val) -> Option<Slot> {
    let block = &r.blocks[b.0 as usize];
    let last = (block.start..block.end).rev().find_map(|i| match *r.op(Val(i)) {
        Op::Set(slot, x) => Some((slot, x)),
        _ => None,
    });
    match (last, *r.op(v)) {
        (Some((slot, x)), _) if x == v => Some(slot),
        (None, Op::Get(slot)) => Some(slot),
        _ => None,
    }
}

impl Choice {
    /// What a block ends with.
    pub(super) fn at(r: &Region, ways: &Ways, b: BlockId) -> Option<Choice> {
        let (value, first, mut other) = comparison(r, b)?;
        let slot = slot_of(r, b, value);
        let mut choice = Choice { value, ways: vec![first], inner: Vec::new(), other };
        while let Some((v, way, next)) = comparison(r, other).filter(|_| ways.count[other.0 as usize] == 1) {
            let block = &r.blocks[other.0 as usize];
            let only_compares = (block.start..block.end).all(|i| match *r.op(Val(i)) {
                Op::Const(_) => true,
                Op::Get(s) => Some(s) == slot,
                Op::Cmp(..) => Val(i) == way.cond,
                _ => false,
            });
            let same = v == value || matches!(*r.op(v), Op::Get(s) if Some(s) == slot);
            let is_new = choice.ways.iter().all(|w| w.constant != way.constant);
            if !only_compares || !same || !is_new {
                break;
            }
            choice.ways.push(way);
            choice.inner.push(other);
            other = next;
        }
        choice.other = other;
        (choice.ways.len() >= FEWEST && choice.places() <= MOST_PLACES).then_some(choice)
    }

    pub(super) fn is_condition(&self, inst: u32) -> bool {
        self.ways[0].cond == Val(inst)
    }

    fn base(&self) -> u64 {
        self.ways.iter().map(|w| w.constant).min().unwrap_or_default()
    }

    /// How far the constants are from the least one.
    fn distances(&self) -> impl Iterator<Item = u64> {
        let base = self.base();
        self.ways.iter().map(move |w| w.constant - base)
    }

    /// How many low bits they have in common.
    fn shift(&self) -> u32 {
        self.distances().fold(0, |bits, d| bits | d).trailing_zeros()
    }

    fn places(&self) -> u64 {
        self.distances().max().map_or(0, |d| (d >> self.shift()) + 1)
    }
}

impl Emitter<'_> {
    /// Ends a block by a choice.
    pub(super) fn choose(&mut self, choice: &Choice) {
        let ends: Vec<BlockId> = choice.ways.iter().map(|w| w.to).chain([choice.other]).collect();
        self.drop_flags(|plan, slot| ends.iter().all(|&b| plan.is_dead_in(b, slot)));
        self.clobber();
        for &b in &choice.inner {
            self.blocks[b.0 as usize].emitted = true;
        }
        self.copy_to(choice.value, SCRATCH);
        let [n, table] = [self.temp(), self.temp()];
        let (base, shift) = (choice.base(), choice.shift());
        let at = self.a.label();
        self.a.lea(Size::Q, table, Mem::label(at));
        self.a.mov_ri(n, base.wrapping_neg());
        self.a.alu(Alu::Add, Size::Q, n, SCRATCH);
        // What has other low bits than all of them becomes larger than any place.
        self.a.shift_i(Shift::Ror, Size::Q, n, shift as u8);
        self.a.alu_i(Alu::Cmp, Size::Q, n, choice.places() as i32);
        let rule = self.tracker.on_edge(self.r, choice.ways[0].cond, false);
        let other = self.edge(choice.other, rule);
        self.a.jcc(X::Ae, other);
        self.a.movsx(Size::Q, Size::D, SCRATCH, Mem::sib(table, n, 2, 0));
        self.a.alu(Alu::Add, Size::Q, SCRATCH, table);
        self.a.jmp_reg(SCRATCH);
        let mut entries = vec![other; choice.places() as usize];
        for way in &choice.ways {
            let rule = self.tracker.on_edge(self.r, way.cond, true);
            entries[((way.constant - base) >> shift) as usize] = self.edge(way.to, rule);
            self.blocks[way.to.0 as usize].chosen = true;
        }
        self.tables.push((at, entries));
    }

    pub(super) fn place_tables(&mut self) {
        for (at, entries) in std::mem::take(&mut self.tables) {
            self.a.align(8);
            self.a.bind(at);
            for to in entries {
                self.a.distance(to, at);
            }
        }
    }
}
