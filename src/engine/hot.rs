//! Hot regions: a loop that has gone round often is translated anew as a whole, with all that belongs to it.
//!
//! The first tier's regions end at the first unconditional branch; their backward jumps count down, all of a thread's together, and where a countdown
//! ends is a sample of what runs. Where several have ended, the pieces of guest code that lie on ways from the loop's head back to it are translated
//! once more and stitched together. What has not been run so far stays outside.

use crate::cache::{Cache, Key, Made};
use crate::{CodeSource, Cpu, Engine};
use ir::opt::Stitch;
use ir::{Op, Slot, Term};
use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::Ordering;

/// Guest instructions in a hot region, about.
const MOST_INSNS: u32 = 400;
/// A piece's.
const PIECE_INSNS: u32 = 64;
/// How often a loop is met at the end of a countdown before it counts as hot.
const MET: u32 = 4;
/// So many times as often what is hot already, or could not be made so, is looked at again.
const AGAIN: u32 = 8;
/// Countdowns become so much longer where they find nothing.
const SLOWER: u32 = 16;

/// What is known of the backward jumps to one place.
#[derive(Default, Debug)]
pub(crate) struct Head {
    /// From which instructions, and how many countdowns have ended at each.
    edges: Vec<(u64, u32)>,
    /// After how many it is to be made hot.
    due: u32,
}

impl Head {
    /// A countdown has ended at a jump from `from`; whether it is time.
    fn met(&mut self, from: u64, first: u32) -> bool {
        match self.edges.iter_mut().find(|e| e.0 == from) {
            Some(edge) => edge.1 += 1,
            None => self.edges.push((from, 1)),
        }
        let times = self.times();
        let due = times >= self.due.max(first);
        if due {
            self.due = times.saturating_mul(AGAIN);
        }
        due
    }

    fn times(&self) -> u32 {
        self.edges.iter().map(|e| e.1).sum()
    }
}

/// How long countdowns are at first, and how often a loop must be met: together the rounds after which it is hot. At once if there are to be none.
fn measure(rounds: u32) -> (u32, u32) {
    (rounds / MET, if rounds == 0 { 1 } else { MET })
}

impl Engine {
    /// The countdown of backward jumps has ended at one to `pc`: by itself, which makes it a sample of what runs, or for an interrupt.
    pub(crate) fn heat(&self, cpu: &mut Cpu, pc: u64, from: u64) {
        let mut cache = self.cache.lock();
        let (length, often) = measure(cache.options.hot.unwrap_or(0));
        let new = self.generation.load(Ordering::SeqCst) == cpu.raw.generation
            && cache.back.entry(pc).or_default().met(from, often)
            && self.make_hot(cpu, &mut cache, pc);
        cpu.wind_up(length, if new { length } else { length.saturating_mul(SLOWER) });
    }

    /// Makes the loop at `pc` hot, if it can be; whether there is a new region.
    fn make_hot(&self, cpu: &Cpu, cache: &mut Cache, pc: u64) -> bool {
        let pc = (self.guest().branch_target)(pc);
        let key = (pc, cpu.mode);
        let made = cache.make_hot(key, self.source(), &|slot| cpu.get(slot));
        cache.take_over(key, self.source());
        if !made {
            return false;
        }
        for c in self.cpus.lock().iter() {
            // SAFETY: a live Cpu; the caller holds the cache's lock.
            unsafe { Cpu::forget_jumps(c.0.as_ptr(), Some(pc)) };
        }
        true
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
        let (mut own, mut all) = (0, 0);
        for &(from, times) in self.back.get(&head).into_iter().flat_map(|h| &h.edges) {
            all += times;
            own += if inside.contains(&from) { times } else { 0 };
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
