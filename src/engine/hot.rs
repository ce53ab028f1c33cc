//! Hot regions: a loop that has gone round often is translated anew as a whole, with all that belongs to it.
//!
//! The first tier's regions end at the first unconditional branch; their backward jumps count. When a count ends, the pieces of guest code that
//! lie on ways from the loop's head back to it are translated once more and stitched together. What has not been run so far stays outside.

use crate::arena::Arena;
use crate::cache::{Cache, Key, Made};
use crate::{CodeSource, Cpu, Engine};
use host::cpu::{JUMP_CACHE, NOWHERE};
use ir::opt::Stitch;
use ir::{Op, Slot, Term};
use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::Ordering;

/// Guest instructions in a hot region, about.
const MOST_INSNS: u32 = 400;
/// A piece's.
const PIECE_INSNS: u32 = 64;
/// How many backward jumps later what is hot already, or could not be made so, is looked at again.
const AGAIN: u32 = 1 << 18;

/// A backward jump that is counted: from which instruction, and where.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct BackEdge {
    pub(crate) from: u64,
    pub(crate) counter: u64,
}

impl Engine {
    /// A counter of backward jumps to `pc` has come to its end.
    pub(crate) fn heat(&self, cpu: &mut Cpu, pc: u64, edge: BackEdge) {
        let mut cache = self.cache.lock();
        if self.generation.load(Ordering::SeqCst) != cpu.raw.generation {
            return;
        }
        cache.set_slot(edge.counter, AGAIN.into());
        let edges = cache.back.entry(pc).or_default();
        if !edges.contains(&edge) {
            edges.push(edge);
        }
        let pc = (self.guest().branch_target)(pc);
        let key = (pc, cpu.mode);
        let made = cache.make_hot(key, self.source(), &|slot| cpu.get(slot));
        cache.take_over(key, self.source());
        if !made {
            return;
        }
        for c in self.cpus.lock().iter() {
            // SAFETY: as in `invalidate`: entries change under the cache's lock, and a running thread that reads one meanwhile goes to the old code.
            unsafe {
                let entry = &raw mut (*c.0.as_ptr()).raw.jumps[(pc as usize >> 2) & (JUMP_CACHE - 1)];
                if (*entry).pc == pc {
                    (&raw mut (*entry).pc).write_volatile(NOWHERE);
                }
            }
        }
    }
}

impl Cache {
    /// Makes the loop at `key` a hot region, if it is one, by what slots hold now; whether there is a new region.
    fn make_hot(&mut self, key: Key, code: &dyn CodeSource, held: &dyn Fn(Slot) -> u64) -> bool {
        if !self.has_room() {
            return false;
        }
        let leaders = self.leaders(key, code);
        let before = match self.table.get(&key) {
            Some(&n) => self.regions[n as usize].pieces,
            None => self.stored(key, code).map_or(0, |(found, _)| found.pieces),
        };
        if leaders.len() as u32 <= before {
            return false;
        }
        let mut stitch = Stitch::new(key.0, key.1);
        let mut read_to = 0;
        for &pc in &leaders {
            read_to = read_to.max(self.front_end((pc, key.1), code, PIECE_INSNS, &leaders));
            stitch.add(&self.builder.region);
        }
        let Some((region, ranges)) = stitch.finish() else { return false };
        if !self.goes_round(key.0, &region) {
            return false;
        }
        let state = &self.guest.state;
        let region = ir::opt::optimize(region, state.pairs, state.types, held);
        debug_assert_eq!(ir::verify::check(&region, state.types), Ok(()), "hot region at {:#x}", key.0);
        let made = Made { region: &region, ranges: &ranges, pieces: leaders.len() as u32, read_to: Some(read_to) };
        self.publish(key, made, code);
        true
    }

    /// Whether most of the backward jumps to the head are the region's own: an interpreter's loop mostly goes round by ways that nobody knows here.
    fn goes_round(&self, head: u64, region: &ir::Region) -> bool {
        let inside: BTreeSet<u64> = region
            .blocks
            .iter()
            .flat_map(|b| &region.insts[b.start as usize..b.end as usize])
            .filter_map(|i| if let Op::Insn { pc, .. } = i.op { Some(pc) } else { None })
            .collect();
        // Those that count further down have ended once.
        let threshold = u64::from(self.options.hot.unwrap_or(0));
        let times = |e: &BackEdge| threshold + 1 + u64::from(AGAIN.saturating_sub(Arena::counter(e.counter)));
        let (mut own, mut all) = (0, 0);
        for edge in self.back.get(&head).into_iter().flatten() {
            all += times(edge);
            own += if inside.contains(&edge.from) { times(edge) } else { 0 };
        }
        own * 2 >= all
    }

    /// Whether there is code for `key`, as a sign that it has been run.
    fn has_run(&mut self, key: Key, code: &dyn CodeSource) -> bool {
        self.find(key, code).is_some()
    }

    /// Where the pieces of the loop at `key` begin, in order of address: its head and what direct jumps have led to.
    fn leaders(&mut self, key: Key, code: &dyn CodeSource) -> Vec<u64> {
        let mut leaders = vec![key.0];
        let mut open = VecDeque::from([key.0]);
        let mut insns = 0;
        while let Some(pc) = open.pop_front() {
            if insns >= MOST_INSNS {
                break;
            }
            self.front_end((pc, key.1), code, PIECE_INSNS, &leaders);
            insns += self.builder.region.guest_insns;
            let ends = self.builder.region.blocks.iter().map(|b| b.term);
            for pc in ends.filter_map(|t| if let Term::Goto { pc } = t { Some(pc) } else { None }).collect::<Vec<_>>() {
                if let (true, Err(at)) = (self.has_run((pc, key.1), code), leaders.binary_search(&pc)) {
                    leaders.insert(at, pc);
                    open.push_back(pc);
                }
            }
        }
        leaders
    }
}
