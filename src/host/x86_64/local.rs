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
                    Op::Set(s, _) => {
                        used[s.0 as usize] += times;
                        written[s.0 as usize] = true;
                    }
                    _ => {}
                }
            }
        }
        let mut local = Local { map: border.clone(), lost: Vec::new(), gained: Vec::new() };
        local.exchange(&border.state.int_homes, &used, &written);
        local.exchange(&border.state.vec_homes, &used, &written);
        (!local.gained.is_empty()).then_some(local)
    }

    /// Among slots of one kind: the most used without a home gets that of the least used with one, as long as it is worth it.
    fn exchange(&mut self, slots: &[Slot], used: &[u32], written: &[bool]) {
        let slots = || slots.iter().map(|s| s.0 as usize);
        let mut without: Vec<usize> = slots().filter(|&s| !self.map.homed[s] && used[s] > 0).collect();
        let mut with: Vec<usize> = slots().filter(|&s| self.map.homed[s]).collect();
        without.sort_by_key(|&s| std::cmp::Reverse(used[s]));
        with.sort_by_key(|&s| used[s]);
        for (winner, loser) in without.into_iter().zip(with) {
            if used[winner] < used[loser] + WORTH {
                break;
            }
            let map = &mut self.map;
            let home = map.home(loser).expect("it has one");
            (map.homes.gpr[loser], map.homes.xmm[loser]) = (None, None);
            (map.homed[loser], map.homed[winner]) = (false, true);
            match home {
                Home::Gpr(r) => map.homes.gpr[winner] = Some(r),
                Home::Xmm(x) => map.homes.xmm[winner] = Some(x),
            }
            self.lost.push((loser, home));
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
