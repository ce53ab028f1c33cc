//! A hot region's own map of homes: registers of the guest that it uses often take the homes of those that it does not use. The others' values are
//! stored as the region is entered and loaded again as it is left.

use super::asm::Asm;
use super::{Home, Map};
use ir::{Op, Region, Slot};

/// See the module.
#[derive(Debug)]
pub(super) struct Local {
    pub(super) map: Map,
    /// Slots that have lost their homes.
    lost: Vec<(usize, Home)>,
    /// Slots with homes that they do not have between regions, and whether the region writes them.
    gained: Vec<(usize, Home, bool)>,
    /// Vector registers of slots that have lost them to nobody.
    spare: Vec<Home>,
}

/// How much more a slot must be used than the one whose home it takes: entering and leaving cost four moves.
const WORTH: u32 = 6;

impl Local {
    /// The map for a region; None if it is no better than the one between regions.
    pub(super) fn choose(border: &Map, r: &Region) -> Option<Local> {
        let n = border.homed.len();
        let (mut used, mut written) = (vec![0u32; n], vec![false; n]);
        for (block, times) in r.blocks.iter().zip(ir::opt::frequencies(r)) {
            for inst in &r.insts[block.start as usize..block.end as usize] {
                match inst.op {
                    Op::Get(s) => used[s.0 as usize] += times,
                    Op::Set(s, v) => {
                        // (A vector that is cleared, as upper halves are behind most of x86's functions, is so in memory as well.)
                        used[s.0 as usize] += if matches!(r.op(v), Op::ConstV(_)) { 0 } else { times };
                        written[s.0 as usize] = true;
                    }
                    _ => {}
                }
            }
        }
        let mut local = Local { map: border.clone(), lost: Vec::new(), gained: Vec::new(), spare: Vec::new() };
        local.join(&used, &written);
        local.exchange(&border.state.int_homes, &[], &used, &written);
        let wholes: Vec<Slot> = border.state.pairs.iter().map(|p| p.whole).collect();
        local.exchange(&border.state.vec_homes, &wholes, &used, &written);
        (!local.gained.is_empty() || !local.lost.is_empty()).then_some(local)
    }

    /// A slot that is two others takes the home of one, and both stand in memory.
    fn join(&mut self, used: &[u32], written: &[bool]) {
        for pair in self.map.state.pairs.clone() {
            let whole = usize::from(pair.whole.0);
            if used[whole] == 0 {
                continue;
            }
            for half in pair.halves.map(|s| usize::from(s.0)) {
                let Some(home) = self.map.home(half) else { continue };
                self.lost.push((half, home));
                (self.map.homed[half], self.map.homes.xmm[half]) = (false, None);
                if let (Home::Xmm(x), None) = (home, self.map.homes.xmm[whole]) {
                    (self.map.homed[whole], self.map.homes.xmm[whole]) = (true, Some(x));
                    self.gained.push((whole, home, written[whole]));
                } else {
                    self.spare.push(home);
                }
            }
        }
    }

    /// Among slots of one kind: the most used without a home gets a spare one, or that of the least used with one, as long as it is worth it.
    /// `more` are slots that have none between regions.
    fn exchange(&mut self, slots: &[Slot], more: &[Slot], used: &[u32], written: &[bool]) {
        let all = slots.iter().chain(more).map(|s| s.0 as usize);
        let slots = || slots.iter().map(|s| s.0 as usize);
        let mut without: Vec<usize> = all.filter(|&s| !self.map.homed[s] && used[s] > 0).collect();
        let mut with: Vec<usize> = slots().filter(|&s| self.map.homed[s]).collect();
        without.sort_by_key(|&s| std::cmp::Reverse(used[s]));
        with.sort_by_key(|&s| used[s]);
        let mut with = with.into_iter();
        for winner in without {
            let spare = if more.is_empty() { None } else { self.spare.pop() };
            let map = &mut self.map;
            let home = if let Some(home) = spare {
                home
            } else {
                let Some(loser) = with.next().filter(|&loser| used[winner] >= used[loser] + WORTH) else { break };
                let home = map.home(loser).expect("it has one");
                (map.homes.gpr[loser], map.homes.xmm[loser], map.homed[loser]) = (None, None, false);
                self.lost.push((loser, home));
                home
            };
            map.homed[winner] = true;
            match home {
                Home::Gpr(r) => map.homes.gpr[winner] = Some(r),
                Home::Xmm(x) => map.homes.xmm[winner] = Some(x),
            }
            self.gained.push((winner, home, written[winner]));
        }
    }

    /// From the homes between regions to those within. The host's flags and scratch stay.
    pub(super) fn enter(&self, a: &mut Asm) {
        for &(slot, home) in &self.lost {
            self.map.store(a, slot, home);
        }
        for &(slot, home, _) in &self.gained {
            self.map.load(a, slot, home);
        }
    }

    /// And back.
    pub(super) fn leave(&self, a: &mut Asm) {
        for &(slot, home, written) in &self.gained {
            if written {
                self.map.store(a, slot, home);
            }
        }
        for &(slot, home) in &self.lost {
            self.map.load(a, slot, home);
        }
    }
}
