//! Writes fresh translations to their units: what is stored and what is new become one file, which takes the old one's place.

use crate::CodeSource;
use crate::arena::THROUGH;
use crate::cache::{Cache, address};
use crate::folder::Contents;
use crate::hash::hash;
use crate::unit::{
    EXITS, Entry, FAULTS, HOMES, Header, INCOMING, LINKS, MAGIC, OUTGOING, PAGE, PARTS, REFS, REGIONS, Record, Region,
    SIDE_ENTRIES, SITES, SIZES, StoredHome, StoredSite, THUNKS, View, checksum,
};
use host::x86_64::thunks;
use host::{Exit, FaultRecord, Link, Outside, Ref};
use plan::{Laid, Plan};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// What a fresh region needs to be stored, beside what the cache keeps of every region.
#[derive(Debug)]
pub(crate) struct Recipe {
    pub(crate) unit: usize,
    /// Guest bytes that were read for it, and their checksum.
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) guest: u128,
    pub(crate) refs: Vec<Ref>,
    pub(crate) exits: Vec<Exit>,
    pub(crate) links: Vec<Link>,
    pub(crate) sites: Vec<StoredSite>,
}

/// A region to be written, stored before or fresh.
#[derive(Clone, Debug)]
struct Piece<'a> {
    pc: u64,
    mode: u32,
    /// The guest bytes it was made from.
    start: u64,
    end: u64,
    /// Those of a hot one: it takes the place of others of its key that have fewer.
    pieces: u32,
    code: &'a [u8],
    refs: &'a [Ref],
    exits: &'a [Exit],
    faults: &'a [FaultRecord],
    links: &'a [Link],
    sites: &'a [StoredSite],
    homes: Cow<'a, [StoredHome]>,
    /// From its code's start.
    side_entries: Vec<(u64, u32)>,
}

/// The pieces of a guest page, in order of (pc, mode); the checksum of its bytes from `start` to `end`.
#[derive(Debug, Default)]
struct Page<'a> {
    pieces: BTreeMap<(u64, u32), Piece<'a>>,
    start: u64,
    end: u64,
    guest: u128,
}

impl<'a> Page<'a> {
    /// All links, in the order of their cells, each with its piece.
    fn links(&self) -> impl Iterator<Item = (&Piece<'a>, &'a Link)> {
        self.pieces.values().flat_map(|p| p.links.iter().map(move |link| (p, link)))
    }
}

/// A file's size for each fresh region that makes rewriting it worth while: a translation costs a process some 10 µs and the pages of memory that it
/// takes, and so much of a file to read, sum, lay out and write some 70. For fewer regions a file is rewritten now and then, as often less: or no
/// process would ever do it for the next ones. So programs that go another way each time do not write each time.
const WORTH: u64 = 32 << 10;
/// As many others a hot region counts: it takes some 300 µs, and memory for the compiler in a process that needs none else.
const HOT: u64 = 30;
/// Bytes that are written together, at least.
const AT_ONCE: usize = 32 << 10;
/// A blob begins in a cache line of its own.
const BLOB_ALIGN: usize = 64;
/// Units do not grow beyond this: references are of 32 bits.
const MOST: usize = 1 << 30;

impl Cache {
    /// Writes what is fresh to the store.
    pub(crate) fn save(&mut self, source: &dyn CodeSource) {
        // Mostly it is the end: what has been used for translating serves for writing.
        self.builder.region = ir::Region::default();
        self.compiler.rest();
        let Some(store) = &self.store else { return };
        let mut fresh: Vec<Vec<usize>> = vec![Vec::new(); store.units.len()];
        for (n, r) in self.regions.iter().enumerate().skip(self.inherited) {
            if let Some(recipe) = r.recipe.as_ref().filter(|_| r.live) {
                fresh[recipe.unit].push(n);
            }
        }
        let mut rested = false;
        for (u, list) in fresh.iter().enumerate().filter(|(_, list)| !list.is_empty()) {
            let unit = store.newest(u);
            let weight = |n: &usize| if self.regions[*n].pieces > 0 { HOT } else { 1 };
            let worth = WORTH * list.iter().map(weight).sum::<u64>();
            if unit.len() == 0 || crate::folder::draw() % unit.len() < worth {
                let (key, base) = (unit.key, unit.image.base);
                // So do the pages of what translated: with them the writer's own would be the most that a short process ever has.
                if !std::mem::replace(&mut rested, true) {
                    crate::program::rest();
                }
                store.folder.replace(key, |old, put| self.merge(key, base, list, old, source, put));
            }
        }
        // Written or not: it is not tried again.
        for n in fresh.into_iter().flatten() {
            self.regions[n].recipe = None;
        }
    }

    /// Puts down the file that has the regions of the old one and the fresh ones of `list`, unless it would be the old one again.
    fn merge(
        &self,
        key: u128,
        base: u64,
        list: &[usize],
        old: &[u8],
        source: &dyn CodeSource,
        put: &mut dyn FnMut(&dyn Contents),
    ) {
        let mut pages = old_pages(key, old);
        let mut fresh: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
        for &n in list {
            fresh.entry(address(self.regions[n].key.0).wrapping_sub(base) / PAGE).or_default().push(n);
        }
        let mut added = 0;
        for (number, list) in fresh {
            let page = pages.entry(number).or_default();
            added += self.add_fresh(page, &list, base, source);
        }
        pages.retain(|_, p| !p.pieces.is_empty());
        if added > 0
            && let Some(file) = File::new(key, &pages)
        {
            put(&file);
        }
    }

    /// Adds fresh regions to a page; how many.
    fn add_fresh<'a>(&'a self, page: &mut Page<'a>, list: &[usize], base: u64, source: &dyn CodeSource) -> usize {
        let recipes = list.iter().filter_map(|&n| Some((&self.regions[n], self.regions[n].recipe.as_deref()?)));
        let starts = recipes.clone().map(|(_, recipe)| recipe.start);
        let ends = recipes.clone().map(|(_, recipe)| recipe.end);
        let (Some(mut start), Some(mut end)) = (starts.min(), ends.max()) else { return 0 };
        if !page.pieces.is_empty() {
            (start, end) = (start.min(base.wrapping_add(page.start)), end.max(base.wrapping_add(page.end)));
        }
        // One look at the guest's bytes, which all that is written must agree with.
        let mut bytes = vec![0; (end - start) as usize];
        if source.fetch(start, &mut bytes) != bytes.len() {
            return 0;
        }
        let part = |from: u64, to: u64| &bytes[(from - start) as usize..(to - start) as usize];
        if !page.pieces.is_empty()
            && hash(part(base.wrapping_add(page.start), base.wrapping_add(page.end))) != page.guest
        {
            page.pieces.clear();
        }
        let mut added = 0;
        for (r, recipe) in recipes {
            let (pc, mode) = r.key;
            let stored = page.pieces.get(&r.key).is_some_and(|p| p.pieces >= r.pieces);
            if stored || hash(part(recipe.start, recipe.end)) != recipe.guest {
                continue;
            }
            let piece = Piece {
                pc,
                mode,
                start: recipe.start,
                end: recipe.end,
                pieces: r.pieces,
                code: self.arena.bytes(r.code, r.code_end),
                refs: &recipe.refs,
                exits: &recipe.exits,
                faults: &r.faults,
                links: &recipe.links,
                sites: &recipe.sites,
                homes: r.homes.as_deref().map(StoredHome::list).unwrap_or_default().into(),
                side_entries: r.side_entries.to_vec(),
            };
            page.pieces.insert(r.key, piece);
            added += 1;
        }
        let bounds = |f: fn(&Piece) -> u64| page.pieces.values().map(f);
        let start_of = bounds(|p| p.start).min().unwrap_or(start);
        let end_of = bounds(|p| p.end).max().unwrap_or(end);
        page.guest = hash(part(start_of, end_of));
        (page.start, page.end) = (start_of.wrapping_sub(base), end_of.wrapping_sub(base));
        added
    }
}

/// The pages of a stored file that are whole.
fn old_pages(key: u128, old: &[u8]) -> BTreeMap<u64, Page<'_>> {
    let mut pages = BTreeMap::new();
    let Some(view) = View::new(old, key) else { return pages };
    for entry in view.entries() {
        let Some(blob) = view.checked_blob(entry) else { continue };
        let mut page = Page { start: entry.start, end: entry.end, guest: entry.guest, pieces: BTreeMap::new() };
        for r in blob.regions() {
            let piece = Piece {
                pc: r.pc,
                mode: r.mode,
                start: r.start,
                end: r.end,
                pieces: r.pieces,
                code: blob.code(r),
                refs: blob.refs(r),
                exits: blob.exits(r),
                faults: blob.faults(r),
                links: blob.links(r),
                sites: blob.sites(r),
                homes: blob.homes(r).into(),
                side_entries: blob.side_entries_of(r).map(|e| (e.pc, e.code - r.code)).collect(),
            };
            page.pieces.insert((r.pc, r.mode), piece);
        }
        pages.insert(entry.page, page);
    }
    pages
}

/// Appends records as they lie in memory.
fn put<T: Record>(out: &mut Vec<u8>, records: &[T]) {
    let len = size_of_val(records);
    // SAFETY: the source is so long, and room for it was made. What lies between fields is copied too, whatever it is.
    unsafe {
        out.reserve(len);
        std::ptr::copy_nonoverlapping(records.as_ptr().cast::<u8>(), out.as_mut_ptr().add(out.len()), len);
        out.set_len(out.len() + len);
    }
}

fn pad(out: &mut Vec<u8>, to: usize) {
    out.resize(out.len().next_multiple_of(to), 0);
}

/// The file with these pages.
struct File<'a> {
    pages: &'a BTreeMap<u64, Page<'a>>,
    plan: Plan,
    /// Without its sums.
    header: Header,
    /// Where the cells are, from the start of the file.
    cells_at: i64,
}

impl<'a> File<'a> {
    /// Nothing if it would be too large.
    fn new(key: u128, pages: &'a BTreeMap<u64, Page<'a>>) -> Option<File<'a>> {
        let plan = Plan::new(pages);
        let cells = plan.cells();
        let cells_at = -((cells * 8).next_multiple_of(PAGE as usize) as i64);
        let mut header = Header {
            magic: MAGIC,
            pages: pages.len() as u32,
            cells: u32::try_from(cells).ok()?,
            key,
            len: 0,
            thunks: [[0; 8]; THUNKS],
            entries: 0,
            check: 0,
        };
        for (n, jump) in header.thunks.iter_mut().enumerate() {
            // jmp [rip + rel32]
            let end = (thunk_at(n) + 6) as i64;
            jump[..2].copy_from_slice(&[0xff, 0x25]);
            jump[2..6].copy_from_slice(&((cells_at + 8 * n as i64 - end) as i32).to_le_bytes());
        }
        let mut file = File { pages, plan, header, cells_at };
        let len = file.plan.len(file.first_blob());
        file.header.len = len as u64;
        (len <= MOST).then_some(file)
    }

    /// Bytes of what stands before the blobs.
    fn first_blob(&self) -> usize {
        let cells = self.header.cells as usize - THUNKS;
        size_of::<Header>() + self.pages.len() * size_of::<Entry>() + cells * size_of::<u32>()
    }

    /// What stands before the blobs.
    fn front(&self, entries: &[Entry], initial: &[u8]) -> Vec<u8> {
        let (mut front, mut table) = (Vec::with_capacity(self.first_blob()), Vec::new());
        put(&mut table, entries);
        put(&mut front, &[Header { entries: hash(&table), ..self.header }]);
        let check = std::mem::offset_of!(Header, check);
        let sum = hash(&front[..check]);
        front[check..check + 16].copy_from_slice(&sum.to_le_bytes());
        front.extend(table);
        front.extend_from_slice(initial);
        front
    }
}

impl Contents for File<'_> {
    /// Blob by blob, each in the memory of the one before, and to the file some whole pages at a time: parts of pages cost the kernel more than these.
    fn write(&self, to: &mut dyn FnMut(u64, &[u8]) -> bool) -> bool {
        let (mut out, mut initial) = (Vec::new(), Vec::new());
        let (mut ready, mut written) = (Vec::with_capacity(2 * AT_ONCE), self.first_blob());
        let mut entries = Vec::with_capacity(self.pages.len());
        let mut end = self.first_blob();
        for ((number, page), laid) in self.pages.iter().zip(&self.plan.pages) {
            let blob = end.next_multiple_of(BLOB_ALIGN);
            let cells_at = self.cells_at + 8 * laid.first_cell as i64;
            let writer = BlobWriter { blob, page, laid, plan: &self.plan, cells_at };
            out.clear();
            writer.write(&mut out);
            end = blob + out.len();
            let first = initial.len();
            writer.initial(&mut initial);
            entries.push(Entry {
                page: *number,
                start: page.start,
                end: page.end,
                blob: blob as u64,
                guest: page.guest,
                check: checksum(&out, &initial[first..]),
                blob_len: out.len() as u32,
                first_cell: laid.first_cell as u32,
                counts: laid.counts,
            });
            ready.resize(blob - written, 0);
            ready.extend_from_slice(&out);
            if ready.len() >= AT_ONCE {
                let whole = (end & !(PAGE as usize - 1)) - written;
                if !to(written as u64, &ready[..whole]) {
                    return false;
                }
                ready.drain(..whole);
                written += whole;
            }
        }
        if !to(written as u64, &ready) {
            return false;
        }
        debug_assert_eq!(end as u64, self.header.len, "as it was planned");
        to(0, &self.front(&entries, &initial))
    }
}

/// The last thunk is that of links ([`host::Thunks::all`]).
const LINK_THUNK: usize = THUNKS - 1;

/// Where the jump through a thunk's cell is in the file.
fn thunk_at(n: usize) -> usize {
    std::mem::offset_of!(Header, thunks) + 8 * n
}

/// Writes a page's blob, which begins at `blob` in the file, to memory that begins with it.
struct BlobWriter<'a> {
    blob: usize,
    page: &'a Page<'a>,
    laid: &'a Laid,
    plan: &'a Plan,
    /// Where its first cell is, from the start of the file.
    cells_at: i64,
}

impl BlobWriter<'_> {
    fn regions(&self) -> impl Iterator<Item = (&Piece<'_>, &Region)> {
        self.page.pieces.values().zip(&self.laid.regions)
    }

    /// Where a region's share of a part begins, from the start of the file.
    fn start_of(&self, part: usize, r: &Region) -> usize {
        self.blob + self.laid.at[part] + r.first[part] as usize * SIZES[part]
    }

    /// Where the cells of a link and of a site are.
    fn link(&self, r: &Region, n: u32) -> i64 {
        self.cells_at + 8 * i64::from(r.first[LINKS] + n)
    }
    fn site(&self, r: &Region, n: u32) -> i64 {
        self.cells_at + 8 * i64::from(self.laid.counts[LINKS] + r.first[SITES] + n)
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.reserve(self.laid.len());
        for part in 0..PARTS {
            out.resize(self.laid.at[part], 0);
            self.write_part(part, out);
        }
        out.resize(self.laid.at[PARTS], 0);
        for (p, r) in self.regions() {
            debug_assert_eq!(out.len(), r.code as usize, "code in its place");
            out.extend_from_slice(p.code);
            pad(out, 16);
        }
        debug_assert_eq!(out.len(), self.laid.stub(0), "stubs in their place");
        for n in 0..self.laid.counts[LINKS] as usize {
            let at = (self.blob + out.len()) as i64;
            let record = (self.blob + self.laid.at[LINKS] + n * SIZES[LINKS]) as i64;
            out.extend_from_slice(&thunks::stub((record - at) as i32, (thunk_at(LINK_THUNK) as i64 - at) as i32));
        }
        self.refer(out);
    }

    /// Where the cells lead when the page is opened: to its own code, or to where they are linked.
    fn initial(&self, to: &mut Vec<u8>) {
        for n in 0..self.laid.counts[LINKS] as usize {
            let own = self.plan.leads(self.laid.number, n).filter(|(page, _)| *page == self.laid.number);
            put(to, &[own.map_or(self.laid.stub(n) as u32, |(_, code)| code)]);
        }
        (0..self.laid.counts[SITES]).for_each(|_| put(to, &[0u32]));
    }

    fn write_part(&self, part: usize, out: &mut Vec<u8>) {
        match part {
            REGIONS => put(out, &self.laid.regions),
            INCOMING => put(out, &self.laid.incoming),
            OUTGOING => put(out, &self.laid.outgoing),
            SIDE_ENTRIES => put(out, &self.laid.side_entries),
            _ => self.regions().for_each(|(p, r)| self.write_share(part, p, r, out)),
        }
    }

    /// A region's share of a part.
    fn write_share(&self, part: usize, p: &Piece, r: &Region, out: &mut Vec<u8>) {
        match part {
            EXITS => put(out, p.exits),
            FAULTS => put(out, p.faults),
            LINKS => {
                for (link, n) in p.links.iter().zip(0..) {
                    let record = self.start_of(LINKS, r) + n as usize * size_of::<Link>();
                    put(out, &[Link { slot: (self.link(r, n) - record as i64) as i32, ..*link }]);
                }
            }
            SITES => put(out, p.sites),
            REFS => put(out, p.refs),
            HOMES => put(out, &p.homes),
            _ => unreachable!("regions have no share of part {part}"),
        }
    }

    /// Lets the code refer to what stands where it was written.
    fn refer(&self, out: &mut [u8]) {
        // What leads to the head of a loop is to lead to a hot region when there is one.
        let heads: BTreeSet<u64> = (self.page.pieces.values())
            .flat_map(|p| p.exits)
            .filter_map(|e| if let Exit::Hot { pc, .. } = e { Some(*pc) } else { None })
            .collect();
        // Code that a link leads to for good: of this page, which is valid as a whole.
        let direct = |p: &Piece, r: &Region, n: u32| {
            let (page, code) = self.plan.leads(self.laid.number, (r.first[LINKS] + n) as usize)?;
            let is_own = page == self.laid.number && !heads.contains(&p.links[n as usize].pc);
            is_own.then(|| (self.blob + code as usize) as i64)
        };
        for (p, r) in self.regions() {
            for reference in p.refs {
                let field = (r.code + reference.at) as usize;
                let opcode = [out[field - 2], out[field - 1]];
                let way = THROUGH.iter().find(|(cell, code)| opcode == *cell || opcode == *code);
                let target = match reference.to {
                    Outside::Link(n)
                        if reference.tail == 0
                            && let Some((cell, code)) = way =>
                    {
                        let direct = direct(p, r, n);
                        out[field - 2..field].copy_from_slice(if direct.is_some() { code } else { cell });
                        direct.unwrap_or(self.link(r, n))
                    }
                    Outside::Branch { link, jump } => {
                        direct(p, r, link).unwrap_or((self.blob + (r.code + jump) as usize) as i64)
                    }
                    Outside::Thunk(n) => thunk_at(n as usize) as i64,
                    Outside::Exit(n) => (self.start_of(EXITS, r) + n as usize * size_of::<Exit>()) as i64,
                    Outside::Link(n) => self.link(r, n),
                    Outside::Site(n) => self.site(r, n),
                };
                let end = (self.blob + field + 4 + usize::from(reference.tail)) as i64;
                out[field..field + 4].copy_from_slice(&((target - end) as i32).to_le_bytes());
            }
        }
    }
}

mod plan;
#[cfg(test)]
mod tests;
