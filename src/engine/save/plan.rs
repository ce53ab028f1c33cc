//! Where everything of a unit's file will stand, before any of it is written: code refers to other code, links to other pages.

use super::{Page, Piece};
use crate::cache::{CAREFUL, Key, KeyHasher};
use crate::unit::{
    CELLS, Cell, INCOMING, Incoming, OUTGOING, Outgoing, PARTS, REGIONS, Region, SHARED, SITES, THUNKS, offsets,
};
use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasherDefault;

/// A page's blob: numbers of records, where its parts begin in it, its regions.
#[derive(Debug)]
pub(super) struct Laid {
    /// That of its entry.
    pub(super) number: u32,
    pub(super) counts: [u32; PARTS],
    pub(super) at: [usize; PARTS + 1],
    pub(super) regions: Vec<Region>,
    pub(super) incoming: Vec<Incoming>,
    pub(super) outgoing: Vec<Outgoing>,
    /// Of all cells of the unit.
    pub(super) first_cell: usize,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) pages: Vec<Laid>,
    /// The page of a region, and which it is there.
    index: HashMap<Key, (u32, u32), BuildHasherDefault<KeyHasher>>,
}

impl Plan {
    pub(super) fn new(pages: &BTreeMap<u64, Page>) -> Plan {
        let mut index = HashMap::default();
        for (page, n) in pages.values().zip(0..) {
            index.extend((0..).zip(page.pieces.keys()).map(|(r, key)| (*key, (n, r))));
        }
        let mut plan = Plan { pages: Vec::with_capacity(pages.len()), index };
        // Links from other pages, and to other pages.
        let mut crossing = vec![(0, 0); pages.len()];
        for (page, n) in pages.values().zip(0..) {
            for (to, _) in page.pieces.values().flat_map(|p| p.cells.iter().filter_map(|c| plan.number(p, c))) {
                crossing[to as usize].0 += u32::from(to != n);
                crossing[n as usize].1 += u32::from(to != n);
            }
        }
        let mut first_cell = THUNKS;
        for ((page, number), crossing) in pages.values().zip(0..).zip(crossing) {
            let laid = lay_out(page, number, crossing, first_cell);
            first_cell += (laid.counts[CELLS] + laid.counts[SITES]) as usize;
            plan.pages.push(laid);
        }
        for (page, from) in pages.values().zip(0..) {
            plan.enter_links(page, from);
        }
        plan
    }

    /// Cells of the unit.
    pub(super) fn cells(&self) -> usize {
        self.pages.last().map_or(THUNKS, |l| l.first_cell + (l.counts[CELLS] + l.counts[SITES]) as usize)
    }

    /// The page of the region that a link leads to, and which it is there.
    fn number(&self, p: &Piece, c: &Cell) -> Option<(u32, u32)> {
        self.index.get(&(c.pc, c.mode | p.mode & CAREFUL)).copied()
    }

    /// The region that a link leads to, and its page.
    pub(super) fn leads(&self, p: &Piece, c: &Cell) -> Option<(u32, &Region)> {
        let (page, n) = self.number(p, c)?;
        Some((page, &self.pages[page as usize].regions[n as usize]))
    }

    /// Enters the links of a page to others there.
    fn enter_links(&mut self, page: &Page, from: u32) {
        for (n, p) in page.pieces.values().enumerate() {
            for (c, link) in p.cells.iter().zip(0..) {
                let Some((to, code)) = self.leads(p, c).filter(|(to, _)| *to != from).map(|(to, r)| (to, r.code))
                else {
                    continue;
                };
                let laid = &self.pages[from as usize];
                let r = &laid.regions[n];
                let cell = laid.first_cell as u32 + r.first[CELLS] + r.first[SITES] + link;
                let stub = r.code + moved(p, r, c.stub);
                self.pages[to as usize].incoming.push(Incoming { from, cell, stub, code });
                self.pages[from as usize].outgoing.push(Outgoing { cell, to, code });
            }
        }
    }
}

/// A page's blob, its links from and to elsewhere counted and not yet entered.
fn lay_out(page: &Page, number: u32, (incoming, outgoing): (u32, u32), first_cell: usize) -> Laid {
    let mut counts = [0u32; SHARED];
    let mut regions = Vec::with_capacity(page.pieces.len());
    for p in page.pieces.values() {
        let share = [1, p.exits.len(), p.faults.len(), p.cells.len(), p.sites.len(), p.refs.len(), p.homes.len()];
        let share = share.map(|n| n as u32);
        regions.push(Region {
            pc: p.pc,
            start: p.start,
            end: p.end,
            mode: p.mode,
            pieces: p.pieces,
            code: 0,
            code_len: p.code.len() as u32,
            stubs: 0,
            stubs_len: p.stubs.len() as u32,
            first: counts,
            counts: share,
        });
        for (all, n) in counts.iter_mut().zip(share) {
            *all += n;
        }
    }
    let mut all = [0; PARTS];
    all[..SHARED].copy_from_slice(&counts);
    (all[INCOMING], all[OUTGOING]) = (incoming, outgoing);
    debug_assert_eq!(all[REGIONS] as usize, regions.len());
    let at = offsets(&all);
    let mut code_at = at[PARTS];
    for r in &mut regions {
        r.code = code_at as u32;
        code_at = (code_at + r.code_len as usize).next_multiple_of(16);
    }
    // Away from the code that runs: most are never used again.
    for r in &mut regions {
        r.stubs = code_at as u32;
        code_at += r.stubs_len as usize;
    }
    let (incoming, outgoing) = (Vec::with_capacity(incoming as usize), Vec::with_capacity(outgoing as usize));
    Laid { number, counts: all, at, regions, incoming, outgoing, first_cell }
}

/// Where an offset in a piece's stubs comes to lie, from its region's code.
pub(super) fn moved(p: &Piece, r: &Region, at: u32) -> u32 {
    at - p.stubs_at + r.stubs - r.code
}

/// The same for one in its code or its stubs.
pub(super) fn place(p: &Piece, r: &Region, at: u32) -> u32 {
    if at < p.stubs_at { at } else { moved(p, r, at) }
}
