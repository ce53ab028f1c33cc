//! Where everything of a unit's file will stand, before any of it is written: code refers to other code, links to other pages.

use super::{BLOB_ALIGN, Page, Piece};
use crate::cache::{CAREFUL, Key, KeyHasher};
use crate::unit::{
    INCOMING, Incoming, LINKS, OUTGOING, Outgoing, PARTS, REGIONS, Region, SHARED, SIDE_ENTRIES, SITES, SideEntry,
    THUNKS, offsets,
};
use host::Link;
use host::x86_64::thunks::STUB;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::BuildHasherDefault;

/// Where a link leads that leads out of the unit.
const NOWHERE: u32 = u32::MAX;

/// A page's blob: numbers of records, where its parts begin in it, its regions.
#[derive(Debug)]
pub(super) struct Laid {
    /// That of its entry.
    pub(super) number: u32,
    pub(super) counts: [u32; PARTS],
    pub(super) at: [usize; PARTS + 1],
    pub(super) regions: Vec<Region>,
    /// Where the stubs of its links begin, away from the code that runs: most are never used again.
    stubs: usize,
    pub(super) incoming: Vec<Incoming>,
    pub(super) outgoing: Vec<Outgoing>,
    pub(super) side_entries: Vec<SideEntry>,
    /// Of all cells of the unit.
    pub(super) first_cell: usize,
}

impl Laid {
    /// Where a link's stub is.
    pub(super) fn stub(&self, link: usize) -> usize {
        self.stubs + link * STUB
    }

    /// Bytes of the blob.
    pub(super) fn len(&self) -> usize {
        self.stub(self.counts[LINKS] as usize)
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) pages: Vec<Laid>,
    /// By page, of its links in their order: the page that each leads to, or [`NOWHERE`], and the code there, from its blob's start.
    leads: Vec<Vec<(u32, u32)>>,
    /// By what regions are found by: the page, which region it is there, and how far in its code.
    index: HashMap<Key, (u32, u32, u32), BuildHasherDefault<KeyHasher>>,
}

impl Plan {
    pub(super) fn new(pages: &BTreeMap<u64, Page>) -> Plan {
        let mut index = HashMap::default();
        for (page, n) in pages.values().zip(0..) {
            for (p, r) in page.pieces.values().zip(0..) {
                index.extend(p.side_entries.iter().map(|(pc, at)| ((*pc, p.mode), (n, r, *at))));
            }
            // What begins at an entry of another comes first: it may be hot.
            index.extend((0..).zip(page.pieces.keys()).map(|(r, key)| (*key, (n, r, 0))));
        }
        let mut plan = Plan { pages: Vec::with_capacity(pages.len()), leads: Vec::with_capacity(pages.len()), index };
        // Links from other pages, and to other pages.
        let mut crossing = vec![(0, 0); pages.len()];
        let mut regions = Vec::new();
        for (page, n) in pages.values().zip(0..) {
            let mut leads = Vec::with_capacity(page.pieces.values().map(|p| p.links.len()).sum());
            for (p, link) in page.links() {
                let Some((to, region, at)) = plan.number(p, link) else {
                    leads.push((NOWHERE, 0));
                    continue;
                };
                crossing[to as usize].0 += u32::from(to != n);
                crossing[n as usize].1 += u32::from(to != n);
                leads.push((to, at));
                regions.push(region);
            }
            plan.leads.push(leads);
        }
        let mut first_cell = THUNKS;
        for ((page, number), crossing) in pages.values().zip(0..).zip(crossing) {
            let laid = plan.lay_out(page, number, crossing, first_cell);
            first_cell += (laid.counts[LINKS] + laid.counts[SITES]) as usize;
            plan.pages.push(laid);
        }
        let known = plan.leads.iter_mut().flatten().filter(|lead| lead.0 != NOWHERE);
        for ((page, code), region) in known.zip(regions) {
            *code += plan.pages[*page as usize].regions[region as usize].code;
        }
        (0..pages.len() as u32).for_each(|from| plan.enter_links(from));
        plan
    }

    /// Bytes of the file, if what stands before the first blob takes so many.
    pub(super) fn len(&self, before: usize) -> usize {
        self.pages.iter().fold(before, |at, laid| at.next_multiple_of(BLOB_ALIGN) + laid.len())
    }

    /// Cells of the unit.
    pub(super) fn cells(&self) -> usize {
        self.pages.last().map_or(THUNKS, |l| l.first_cell + (l.counts[LINKS] + l.counts[SITES]) as usize)
    }

    /// The page of the region that a link leads to, which it is there, and how far in its code.
    fn number(&self, p: &Piece, link: &Link) -> Option<(u32, u32, u32)> {
        self.index.get(&(link.pc, link.mode | p.mode & CAREFUL)).copied()
    }

    /// The page that a page's link leads to, and the code there, from its blob's start.
    pub(super) fn leads(&self, page: u32, link: usize) -> Option<(u32, u32)> {
        Some(self.leads[page as usize][link]).filter(|lead| lead.0 != NOWHERE)
    }

    /// Enters the links of a page to others there.
    fn enter_links(&mut self, from: u32) {
        let first = self.pages[from as usize].first_cell as u32;
        for (&(to, code), cell) in self.leads[from as usize].iter().zip(first..) {
            if to != from && to != NOWHERE {
                self.pages[to as usize].incoming.push(Incoming { from, cell, code });
                self.pages[from as usize].outgoing.push(Outgoing { cell, to, code });
            }
        }
    }

    /// A page's blob, its links from and to elsewhere counted and not yet entered.
    fn lay_out(&self, page: &Page, number: u32, (incoming, outgoing): (u32, u32), first_cell: usize) -> Laid {
        let mut counts = [0u32; SHARED];
        let mut regions = Vec::with_capacity(page.pieces.len());
        for p in page.pieces.values() {
            let share = [1, p.exits.len(), p.faults.len(), p.links.len(), p.sites.len(), p.refs.len(), p.homes.len()];
            let share = share.map(|n| n as u32);
            regions.push(Region {
                pc: p.pc,
                start: p.start,
                end: p.end,
                mode: p.mode,
                pieces: p.pieces,
                code: 0,
                code_len: p.code.len() as u32,
                first: counts,
                counts: share,
            });
            for (all, n) in counts.iter_mut().zip(share) {
                *all += n;
            }
        }
        let side_entries = self.side_entries(page, number);
        let mut all = [0; PARTS];
        all[..SHARED].copy_from_slice(&counts);
        (all[INCOMING], all[OUTGOING], all[SIDE_ENTRIES]) = (incoming, outgoing, side_entries.len() as u32);
        debug_assert_eq!(all[REGIONS] as usize, regions.len());
        let at = offsets(&all);
        let mut code_at = at[PARTS];
        for r in &mut regions {
            r.code = code_at as u32;
            code_at = (code_at + r.code_len as usize).next_multiple_of(16);
        }
        let side_entries = side_entries
            .into_iter()
            .map(|((pc, mode), r, at)| SideEntry { pc, mode, code: regions[r as usize].code + at })
            .collect();
        let (incoming, outgoing) = (Vec::with_capacity(incoming as usize), Vec::with_capacity(outgoing as usize));
        Laid { number, counts: all, at, regions, stubs: code_at, incoming, outgoing, side_entries, first_cell }
    }

    /// The side entries that a page is found by, in order: the region that each is of, and how far in its code it is.
    fn side_entries(&self, page: &Page, number: u32) -> Vec<(Key, u32, u32)> {
        let all = page.pieces.values().flat_map(|p| p.side_entries.iter().map(|e| (e.0, p.mode)));
        let keys: BTreeSet<Key> = all.filter(|key| !page.pieces.contains_key(key)).collect();
        let place = |key: Key| self.index.get(&key).filter(|place| place.0 == number).map(|(_, r, at)| (key, *r, *at));
        keys.into_iter().filter_map(place).collect()
    }
}
