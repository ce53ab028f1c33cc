//! Hot regions: a loop that has gone round often is translated anew as a whole, with all that belongs to it.
//!
//! The first tier's regions end at the first unconditional branch, or where other code begins; their backward jumps count down, all of a thread's together, and where a countdown
//! ends is a sample of what runs. Where several have ended, the pieces of guest code that lie on ways from the loop's head back to it are translated
//! once more and stitched together. What has not been run so far stays outside.

use crate::cache::{CAREFUL, Cache, Key, MOST_SPAN, Made, address};
use crate::{CodeSource, Cpu, Engine, guess};
use ir::opt::{Expected, Stitch, look_for};
use ir::{Op, Slot, Term};
use std::collections::{BTreeSet, VecDeque};
use std::ops::Range;
use std::sync::atomic::Ordering;

/// Guest instructions in a hot region, about.
const MOST_INSNS: u32 = 400;
/// A piece's.
const PIECE_INSNS: u32 = 64;
/// Those that are looked at for one.
const MOST_LOOKED_AT: u32 = 1000;
/// Those of a function that becomes part of the loop that calls it, with what it calls itself.
const FUNCTION_INSNS: u32 = 200;
/// How deep functions become part of one another.
const DEEPEST: usize = 3;
/// Calls that do.
const MOST_CALLS: usize = 8;
/// How far computed jumps lead within a loop, to how many places, and the pieces behind each that are looked at for a way on into the loop.
const JUMP_REACH: u64 = 1 << 16;
const MOST_JUMPS: usize = 64;
const MOST_BEHIND: usize = 8;
/// How far from its head the pieces of a loop begin that is to be stored.
const STORED_REACH: u64 = MOST_SPAN / 2 - 256;
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
    pub(crate) fn heat(&self, cpu: &mut Cpu, (pc, mode): Key, from: u64) {
        let mut cache = self.cache.lock();
        let (length, often) = measure(cache.options.hot.unwrap_or(0));
        let new = self.generation.load(Ordering::SeqCst) == cpu.raw.generation
            && cache.back.entry(pc).or_default().met(from, often)
            && self.make_hot(cpu, &mut cache, (pc, mode));
        cpu.wind_up(length, if new { length } else { length.saturating_mul(SLOWER) });
    }

    /// Makes the loop at `pc` hot, if it can be; whether there is a new region.
    fn make_hot(&self, cpu: &Cpu, cache: &mut Cache, (pc, mode): Key) -> bool {
        let pc = (self.guest().branch_target)(pc);
        let key = (pc, mode);
        let made = cache.make_hot(key, self.source(), cpu);
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
    /// Makes the loop at `key` a hot region, if it is one, by what slots hold now and where computed jumps have led; whether there is a new region.
    fn make_hot(&mut self, key: Key, code: &dyn CodeSource, cpu: &Cpu) -> bool {
        if !self.has_room() {
            return false;
        }
        let pieces = self.leaders(key, code, self.around(key.0), cpu);
        let leaders = &pieces.starts;
        let before = match self.table.get(&key) {
            Some(&n) => self.regions[n as usize].pieces,
            None => self.stored(key, code).map_or(0, |(found, _)| found.pieces),
        };
        if leaders.len() as u32 <= before {
            return false;
        }
        let state = &self.guest.state;
        let called = key.1 & !state.direct_mode & !CAREFUL;
        let mut stitch = Stitch::new((key.0, key.1 & !CAREFUL), pieces.returns.iter().map(|r| r.1).collect(), called);
        let mut read_to = 0;
        for &piece in leaders {
            read_to = read_to.max(self.front_end(with_careful(piece, key), code, PIECE_INSNS, leaders));
            let (returns, jumps, call) = (pieces.returns_of(piece), pieces.jumps_of(piece), pieces.guess_of(piece));
            if returns.is_empty() && jumps.is_empty() && call.is_none() {
                stitch.add(&self.builder.region);
            } else {
                let expected = Expected { returns: &returns, jumps, call, mode: called };
                stitch.add(&look_for(&self.builder.region, &expected, state.types, state.pc));
            }
        }
        let Some((region, ranges)) = stitch.finish() else { return false };
        if !self.goes_round(key.0, &region) {
            return false;
        }
        let held = |slot: Slot| cpu.get(slot);
        let region = ir::opt::optimize(region, state.pairs, state.types, &held, state.weak_loads);
        debug_assert_eq!(ir::verify::check(&region, state.types), Ok(()), "hot region at {:#x}", key.0);
        self.log_hot(key, &region, code);
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

    /// Where the pieces of a loop may lie: near its head, so that it can be stored, until it has been met so often that it is worth its making in each
    /// process.
    fn around(&self, head: u64) -> Range<u64> {
        let rounds = self.options.hot.unwrap_or(0);
        let often = self.back.get(&head).is_some_and(|h| h.times() >= measure(rounds).1 * AGAIN);
        if often || rounds == 0 || self.store.is_none() {
            return 0..u64::MAX;
        }
        head.saturating_sub(STORED_REACH)..head.saturating_add(STORED_REACH)
    }

    /// The pieces of the loop at `key`: its head, what direct jumps have led to, and computed ones that go on into it, and small functions that it calls.
    fn leaders(&mut self, key: Key, code: &dyn CodeSource, around: Range<u64>, cpu: &Cpu) -> Pieces {
        let head = (key.0, key.1 & !CAREFUL);
        let called = head.1 & !self.guest.state.direct_mode;
        let mut all = Pieces::new(head, around);
        let mut open = VecDeque::from([head]);
        let mut left = MOST_LOOKED_AT;
        while let Some(piece) = open.pop_front() {
            if all.insns >= MOST_INSNS {
                break;
            }
            let ends = self.ends(with_careful(piece, key), code, &mut all, &mut left, cpu);
            for term in ends.terms {
                let next = match term {
                    Term::Goto { pc } => (pc, piece.1),
                    Term::Switch { pc, mode } => (pc, mode),
                    Term::Call { pc, ret } if all.returns.len() < MOST_CALLS && left > 0 => {
                        let (around, to) = (all.around.clone(), (pc, called | key.1 & CAREFUL));
                        let Some(function) = self.function(to, code, around, &[key.0], &mut left, cpu) else {
                            continue;
                        };
                        all.call(function, ret);
                        (ret, called)
                    }
                    Term::Indirect { .. } => {
                        open.extend(self.jumps(piece, (key, called), code, &mut all, cpu));
                        continue;
                    }
                    _ => continue,
                };
                let runs = ends.goes_on == Some(address(next.0)) || self.has_run(with_careful(next, key), code);
                if runs && all.add(next) {
                    open.push_back(next);
                }
            }
        }
        all
    }

    /// Where the computed jump that ends a piece has led to, if a way from there leads to a piece of `all`: the handlers of an interpreter's loop. New
    /// pieces are added and given.
    fn jumps(
        &mut self,
        piece: Key,
        (key, mode): (Key, u32),
        code: &dyn CodeSource,
        all: &mut Pieces,
        cpu: &Cpu,
    ) -> Vec<Key> {
        let mut left = MOST_LOOKED_AT;
        // What stands before the loop is how it was come to, its head where it was entered.
        let reach = key.0 + 1..piece.0.saturating_add(JUMP_REACH);
        let mut near: Vec<u64> = cpu.jumped().filter(|pc| reach.contains(pc)).collect();
        near.sort_unstable();
        near.dedup();
        let leads: Vec<bool> =
            near.iter().map(|&pc| self.leads_into((pc, mode | key.1 & CAREFUL), code, all, &mut left, cpu)).collect();
        let mut found: Vec<u64> = near.iter().zip(&leads).filter(|(_, leads)| **leads).map(|(pc, _)| *pc).collect();
        // Those among them that do not (most have calls) leave the region, and registers would change homes each time.
        let [Some(first), Some(last)] = [leads.iter().position(|l| *l), leads.iter().rposition(|l| *l)] else {
            return Vec::new();
        };
        if found.len() * 4 < (last - first + 1) * 3 {
            return Vec::new();
        }
        found.truncate(MOST_JUMPS);
        let new = found.iter().map(|&pc| (pc, mode)).filter(|&next| all.add(next)).collect();
        all.jump(piece, found);
        new
    }

    /// Whether direct jumps lead from `key` to a piece of `all`.
    fn leads_into(&mut self, key: Key, code: &dyn CodeSource, all: &mut Pieces, left: &mut u32, cpu: &Cpu) -> bool {
        let mut seen = vec![(key.0, key.1 & !CAREFUL)];
        let insns = all.insns;
        let mut at = 0;
        let mut leads = all.starts.contains(&seen[0]);
        while !leads && at < seen.len() && at < MOST_BEHIND && *left > 0 && all.around.contains(&seen[at].0) {
            let piece = seen[at];
            at += 1;
            if !self.has_run(with_careful(piece, key), code) {
                continue;
            }
            for term in self.ends(with_careful(piece, key), code, all, left, cpu).terms {
                let next = match term {
                    Term::Goto { pc } => (pc, piece.1),
                    Term::Switch { pc, mode } => (pc, mode),
                    _ => continue,
                };
                leads |= all.starts.contains(&next);
                if !seen.contains(&next) {
                    seen.push(next);
                }
            }
        }
        all.insns = insns;
        leads
    }

    /// How the blocks end of the piece at `key`, which goes to the next of `all` at most: a computed call as a call of what it is guessed to lead to, and
    /// where a computed jump is, `all` knows.
    /// `left`: instructions that may still be looked at.
    fn ends(&mut self, key: Key, code: &dyn CodeSource, all: &mut Pieces, left: &mut u32, cpu: &Cpu) -> Ends {
        self.front_end(key, code, PIECE_INSNS, &all.starts);
        let region = &self.builder.region;
        let goes_on = (region.guest_insns >= PIECE_INSNS).then_some(address(region.end));
        all.insns += region.guest_insns;
        *left = left.saturating_sub(region.guest_insns);
        let mut known = |term: &Term| match *term {
            Term::CallIndirect { pc, ret } => {
                let pc = guess::value(region, pc, cpu)?;
                all.expect((key.0, key.1 & !CAREFUL), pc);
                Some(Term::Call { pc, ret })
            }
            Term::Indirect { pc } => {
                let pc = guess::value(region, pc, cpu)?;
                all.expect((key.0, key.1 & !CAREFUL), pc);
                None
            }
            _ => None,
        };
        Ends { terms: region.blocks.iter().map(|b| known(&b.term).unwrap_or(b.term)).collect(), goes_on }
    }

    /// The function at `key`, if it has been run, is small, and a way to its end has no calls but of such functions. `callers`: those that it is to
    /// become part of. None of them: the host's predictor knows better where recursion returns to.
    fn function(
        &mut self,
        key: Key,
        code: &dyn CodeSource,
        around: Range<u64>,
        callers: &[u64],
        left: &mut u32,
        cpu: &Cpu,
    ) -> Option<Pieces> {
        let too_deep = callers.len() > DEEPEST || callers.contains(&key.0);
        if too_deep || !around.contains(&key.0) || !self.has_run(key, code) {
            return None;
        }
        let start = (key.0, key.1 & !CAREFUL);
        let mut all = Pieces::new(start, around);
        let mut open = vec![start];
        let mut returns = false;
        while let Some(piece) = open.pop() {
            all.own.push(piece);
            let ends = self.ends(with_careful(piece, key), code, &mut all, left, cpu);
            for term in ends.terms {
                let next = match term {
                    Term::Goto { pc } => (pc, piece.1),
                    Term::Switch { pc, mode } => (pc, mode),
                    Term::Call { pc, ret } => {
                        let callers = [callers, &[key.0]].concat();
                        let around = all.around.clone();
                        let Some(function) = self.function((pc, key.1), code, around, &callers, left, cpu) else {
                            continue;
                        };
                        all.call(function, ret);
                        (ret, start.1)
                    }
                    // A function that goes on in another: how programs come to those of libraries.
                    Term::Indirect { .. } => {
                        let Some(to) = all.guess_of(piece) else { continue };
                        all.jump(piece, vec![to]);
                        (to, start.1)
                    }
                    Term::Return { .. } => {
                        returns = true;
                        continue;
                    }
                    // Next to the kernel a call costs nothing.
                    Term::Syscall { .. } => return None,
                    _ => continue,
                };
                // What has not been run stays outside.
                let runs = ends.goes_on == Some(address(next.0)) || self.has_run(with_careful(next, key), code);
                if runs && all.add(next) {
                    open.push(next);
                }
            }
            if all.insns > FUNCTION_INSNS || all.returns.len() > MOST_CALLS || *left == 0 {
                return None;
            }
        }
        returns.then_some(all)
    }
}

/// How a piece's blocks end.
struct Ends {
    terms: Vec<Term>,
    /// Where it goes on if it ends for nothing but its length: it has been run if the piece has, though regions begin elsewhere.
    goes_on: Option<u64>,
}

/// Pieces of guest code that belong together.
struct Pieces {
    /// Where they may begin.
    around: Range<u64>,
    /// Where they begin, and under which mode words (as guests have them), in order of address.
    starts: Vec<Key>,
    insns: u32,
    /// Those of a function itself, not of others that it calls.
    own: Vec<Key>,
    /// Called functions' own pieces, and where the call returns to.
    returns: Vec<(Vec<Key>, u64)>,
    /// Pieces that end by a computed jump, and where it leads.
    jumps: Vec<(Key, Vec<u64>)>,
    /// Pieces that end by a computed call or jump, and where that is guessed to lead.
    guesses: Vec<(Key, u64)>,
}

/// A guest's key as the engine's, by another of the same loop.
fn with_careful((pc, mode): Key, key: Key) -> Key {
    (pc, mode | key.1 & CAREFUL)
}

impl Pieces {
    fn new(start: Key, around: Range<u64>) -> Pieces {
        Pieces {
            around,
            starts: vec![start],
            insns: 0,
            own: Vec::new(),
            returns: Vec::new(),
            jumps: Vec::new(),
            guesses: Vec::new(),
        }
    }

    /// Adds a piece; false if it was there, or is too far away.
    fn add(&mut self, piece: Key) -> bool {
        let place = self.starts.binary_search(&piece);
        self.around.contains(&piece.0)
            && place.is_err_and(|at| {
                self.starts.insert(at, piece);
                true
            })
    }

    /// Adds a function that is called, with those that it calls.
    fn call(&mut self, function: Pieces, ret: u64) {
        function.starts.into_iter().for_each(|piece| _ = self.add(piece));
        self.insns += function.insns;
        function.guesses.into_iter().for_each(|(piece, pc)| self.expect(piece, pc));
        function.jumps.into_iter().for_each(|(piece, to)| self.jump(piece, to));
        // A call may have been met before: pieces overlap until all leaders are known, and functions are called from several places.
        for (own, ret) in function.returns.into_iter().chain([(function.own, ret)]) {
            self.returns.retain(|r| r.1 != ret);
            self.returns.push((own, ret));
        }
    }

    /// A piece's computed call or jump is guessed to lead to `pc`.
    fn expect(&mut self, piece: Key, pc: u64) {
        self.guesses.retain(|g| g.0 != piece);
        self.guesses.push((piece, pc));
    }

    fn guess_of(&self, piece: Key) -> Option<u64> {
        self.guesses.iter().find(|g| g.0 == piece).map(|g| g.1)
    }

    /// A piece's computed jump may lead to these.
    fn jump(&mut self, piece: Key, to: Vec<u64>) {
        self.jumps.retain(|j| j.0 != piece);
        self.jumps.push((piece, to));
    }

    /// Where the computed jump at a piece's end may lead.
    fn jumps_of(&self, piece: Key) -> &[u64] {
        self.jumps.iter().find(|j| j.0 == piece).map_or(&[], |j| &j.1)
    }

    /// Where a piece may return to.
    fn returns_of(&self, piece: Key) -> Vec<u64> {
        self.returns.iter().filter(|r| r.0.contains(&piece)).map(|r| r.1).collect()
    }
}
