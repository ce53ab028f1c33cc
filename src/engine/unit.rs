//! A unit: the stored translations of one file that is mapped for execution, at one place. How its file is laid out, and how a mapped one is used.
//!
//! ```text
//! cells (private memory, not in the file): addresses of thunks; of each page link slots, then site cells
//! file, mapped to be read and run, shared by all processes:
//!     Header      what it is for; jumps through the thunks' cells
//!     Entry...    by guest page, in order: the guest bytes that its regions were made from, and their checksum; where the blob is
//!     u32...      of each cell of a page: where it leads when the page is opened, from the blob's start
//!     blob...     of a page: its regions, exits, faults, links, sites, references, homes, links from and to other pages, side entries, the code, and the stubs of links
//! ```
//!
//! Links between two pages are linked when the second of them is opened: a page knows where its links lead, and which links lead to it.
//!
//! Nothing in the file depends on where it is mapped: code refers to cells and exits relatively, cells are filled in when their page is opened. Opening
//! a page checks the blob's checksum, unless the file is in memory and was not written since, and the guest's bytes against those that the regions were
//! made from. So a file that is damaged is not used, nor one for other code. Records lie in the file as in memory: [`Header::key`] has the identity of the program that wrote it, and only that one reads it.

use crate::folder::Mapped;
use crate::hash::hash;
use crate::{CodeSource, Image};
use host::x86_64::Homes;
use host::x86_64::asm::{Reg, Xmm};
use host::x86_64::thunks::STUB;
use host::{Exit, FaultRecord, Link, Ref, Site};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};

pub(crate) const PAGE: u64 = 4096;
pub(crate) const MAGIC: [u8; 8] = *b"rqemu\0u7";
/// Thunks that code refers to: the first cells are their addresses.
pub(crate) const THUNKS: usize = 9;
/// More guest bytes than the regions of a page can be made from.
const MOST_BYTES: u64 = 16 * PAGE;

/// A record that may be written to a file as it lies in memory: it has no address in it.
pub(crate) trait Record: Copy {}
impl Record for Header {}
impl Record for Entry {}
impl Record for Region {}
impl Record for Link {}
impl Record for StoredSite {}
impl Record for Exit {}
impl Record for FaultRecord {}
impl Record for Ref {}
impl Record for StoredHome {}
impl Record for Incoming {}
impl Record for Outgoing {}
impl Record for SideEntry {}
impl Record for u32 {}
impl Record for u8 {}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    pub(crate) magic: [u8; 8],
    pub(crate) pages: u32,
    pub(crate) cells: u32,
    /// Of the program, its options, the file, its place.
    pub(crate) key: u128,
    /// Bytes of the file.
    pub(crate) len: u64,
    /// `jmp [cell]` for each thunk.
    pub(crate) thunks: [[u8; 8]; THUNKS],
    pub(crate) entries: u128,
    /// Of all before.
    pub(crate) check: u128,
}

// No byte of it is without a name: all are summed.
const _: () = assert!(size_of::<Header>() == 72 + 8 * THUNKS);

/// A guest page with translations.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// Number of the page in its file.
    pub(crate) page: u64,
    /// The guest bytes that its regions were made from, as offsets in the file.
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) blob: u64,
    pub(crate) guest: u128,
    /// Of the blob and the first values of its cells: [`checksum`].
    pub(crate) check: u128,
    pub(crate) blob_len: u32,
    pub(crate) first_cell: u32,
    pub(crate) counts: [u32; PARTS],
}

impl Entry {
    /// Its cells, those of links and those of sites.
    fn cells(&self) -> usize {
        (self.counts[LINKS] + self.counts[SITES]) as usize
    }

    /// Where the stub of a link is, from the blob's start: at its end they stand.
    pub(crate) fn stub(&self, link: u32) -> u32 {
        self.blob_len - (self.counts[LINKS] - link) * STUB as u32
    }
}

/// What a blob consists of, in its order; the numbers of [`Entry::counts`].
pub(crate) const REGIONS: usize = 0;
pub(crate) const EXITS: usize = 1;
pub(crate) const FAULTS: usize = 2;
pub(crate) const LINKS: usize = 3;
pub(crate) const SITES: usize = 4;
pub(crate) const REFS: usize = 5;
pub(crate) const HOMES: usize = 6;
/// Of the parts above each region has a share.
pub(crate) const SHARED: usize = 7;
pub(crate) const INCOMING: usize = 7;
pub(crate) const OUTGOING: usize = 8;
pub(crate) const SIDE_ENTRIES: usize = 9;
pub(crate) const PARTS: usize = 10;
pub(crate) const SIZES: [usize; PARTS] = [
    size_of::<Region>(),
    size_of::<Exit>(),
    size_of::<FaultRecord>(),
    size_of::<Link>(),
    size_of::<StoredSite>(),
    size_of::<Ref>(),
    size_of::<StoredHome>(),
    size_of::<Incoming>(),
    size_of::<Outgoing>(),
    size_of::<SideEntry>(),
];

/// Of a page's blob, and of what its cells are at first.
pub(crate) fn checksum(blob: &[u8], initial: &[u8]) -> u128 {
    hash(blob).wrapping_add(hash(initial))
}

/// Where the parts of a blob begin, and the code after them.
pub(crate) fn offsets(counts: &[u32; PARTS]) -> [usize; PARTS + 1] {
    let mut at = [0; PARTS + 1];
    for n in 0..PARTS {
        at[n + 1] = (at[n] + SIZES[n] * counts[n] as usize).next_multiple_of(16);
    }
    at
}

/// A region: where its parts begin in those of the blob.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Region {
    pub(crate) pc: u64,
    /// The guest bytes it was made from.
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) mode: u32,
    /// Those of a hot one; else 0.
    pub(crate) pieces: u32,
    /// Code, from the blob's start.
    pub(crate) code: u32,
    pub(crate) code_len: u32,
    pub(crate) first: [u32; SHARED],
    pub(crate) counts: [u32; SHARED],
}

/// A link from another page of the unit.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Incoming {
    /// The number of its entry.
    pub(crate) from: u32,
    /// The link's cell, among all of the unit.
    pub(crate) cell: u32,
    /// The code here that it leads to, from the blob's start.
    pub(crate) code: u32,
}

/// A link to another page of the unit.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Outgoing {
    /// The link's cell, among all of the unit.
    pub(crate) cell: u32,
    /// The number of its entry.
    pub(crate) to: u32,
    /// The code there that it leads to, from the start of its blob.
    pub(crate) code: u32,
}

/// Where else than at its beginning a region can be entered. A page's are in order of (pc, mode).
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SideEntry {
    pub(crate) pc: u64,
    pub(crate) mode: u32,
    /// From the blob's start.
    pub(crate) code: u32,
}

/// A site. A helper is where it is in the program's image.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct StoredSite {
    helper: i64,
    site: Site,
}

impl StoredSite {
    pub(crate) fn new(site: &Site) -> StoredSite {
        match site.helper {
            None => StoredSite { helper: 0, site: *site },
            Some(h) => {
                let helper = (std::ptr::from_ref(h) as u64).wrapping_sub(crate::program::start()).cast_signed();
                StoredSite { helper, site: Site { op: ir::Op::ClearExcl, helper: None, ..*site } }
            }
        }
    }

    fn restore(&self) -> Site {
        if self.helper == 0 {
            return self.site;
        }
        let at = crate::program::start().wrapping_add_signed(self.helper) as *const ir::Helper;
        // SAFETY: the same program wrote it (`Header::key`), so its helper is at this place of the image.
        let helper: &'static ir::Helper = unsafe { &*at };
        Site { op: ir::Op::Call(helper, [ir::Val::NONE; 4]), helper: Some(helper), ..self.site }
    }
}

/// The home of a slot, in a region that has its own.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct StoredHome {
    slot: u16,
    vector: bool,
    register: u8,
}

impl StoredHome {
    /// All that there are.
    pub(crate) fn list(homes: &Homes) -> Vec<StoredHome> {
        let general = homes.gpr.iter().map(|r| r.map(|r| (false, r.0)));
        let vectors = homes.xmm.iter().map(|x| x.map(|x| (true, x.0)));
        let all = general.enumerate().chain(vectors.enumerate());
        all.filter_map(|(slot, home)| home.map(|(vector, register)| StoredHome { slot: slot as u16, vector, register }))
            .collect()
    }

    /// The map of so many slots that a list came from.
    fn restore(list: &[StoredHome], slots: usize) -> Homes {
        let mut homes = Homes { gpr: vec![None; slots], xmm: vec![None; slots] };
        for h in list {
            match h.vector {
                false => homes.gpr[usize::from(h.slot)] = Some(Reg(h.register)),
                true => homes.xmm[usize::from(h.slot)] = Some(Xmm(h.register)),
            }
        }
        homes
    }
}

/// Bytes of a unit's file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a>(&'a [u8]);

/// A page's blob.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Blob<'a> {
    pub(crate) entry: &'a Entry,
    bytes: &'a [u8],
    at: [usize; PARTS + 1],
}

/// `n` records at an offset, if they are there.
fn records<T: Record>(bytes: &[u8], at: usize, n: usize) -> Option<&[T]> {
    let part = bytes.get(at..at.checked_add(n.checked_mul(size_of::<T>())?)?)?;
    if !(part.as_ptr() as usize).is_multiple_of(align_of::<T>()) {
        return None;
    }
    // SAFETY: the bytes are there and aligned; their checksum says that this program wrote such records.
    Some(unsafe { std::slice::from_raw_parts(part.as_ptr().cast(), n) })
}

impl<'a> View<'a> {
    /// If it is a whole file of the key. Blobs are not looked at.
    pub(crate) fn new(bytes: &'a [u8], key: u128) -> Option<View<'a>> {
        let header = records::<Header>(bytes, 0, 1)?.first()?;
        let checked = &bytes[..std::mem::offset_of!(Header, check)];
        let good = header.magic == MAGIC
            && header.key == key
            && header.check == hash(checked)
            && header.len == bytes.len() as u64;
        let view = View(bytes);
        let entries = bytes.get(size_of::<Header>()..)?.get(..header.pages as usize * size_of::<Entry>())?;
        (good && header.entries == hash(entries)).then_some(view)
    }

    pub(crate) fn header(&self) -> &'a Header {
        &records(self.0, 0, 1).expect("checked by new")[0]
    }

    pub(crate) fn entries(&self) -> &'a [Entry] {
        records(self.0, size_of::<Header>(), self.header().pages as usize).expect("checked by new")
    }

    /// A page's blob, not checked.
    fn blob(&self, entry: &'a Entry) -> Option<Blob<'a>> {
        let start = usize::try_from(entry.blob).ok()?;
        let bytes = self.0.get(start..start.checked_add(entry.blob_len as usize)?)?;
        let at = offsets(&entry.counts);
        (at[PARTS] <= bytes.len()).then_some(Blob { entry, bytes, at })
    }

    /// A page's blob, if it is whole.
    pub(crate) fn checked_blob(&self, entry: &'a Entry) -> Option<Blob<'a>> {
        let blob = self.blob(entry)?;
        let initial = records::<u8>(self.0, self.initial_at(entry), entry.cells() * size_of::<u32>())?;
        (checksum(blob.bytes, initial) == entry.check).then_some(blob)
    }

    fn initial_at(&self, entry: &Entry) -> usize {
        let before = (entry.first_cell as usize).wrapping_sub(THUNKS);
        let table = size_of::<Header>() + self.header().pages as usize * size_of::<Entry>();
        table.wrapping_add(before.wrapping_mul(size_of::<u32>()))
    }

    /// Where a page's cells lead when it is opened, from its blob's start; nothing for those of sites.
    pub(crate) fn initial(&self, entry: &Entry) -> Option<&'a [u32]> {
        records(self.0, self.initial_at(entry), entry.cells())
    }
}

impl<'a> Blob<'a> {
    fn part<T: Record>(&self, part: usize) -> &'a [T] {
        records(self.bytes, self.at[part], self.entry.counts[part] as usize).expect("within the blob, aligned")
    }
    fn of<T: Record>(&self, part: usize, r: &Region) -> &'a [T] {
        let first = r.first[part] as usize;
        &self.part(part)[first..first + r.counts[part] as usize]
    }
    pub(crate) fn regions(&self) -> &'a [Region] {
        self.part(REGIONS)
    }
    pub(crate) fn exits(&self, r: &Region) -> &'a [Exit] {
        self.of(EXITS, r)
    }
    pub(crate) fn faults(&self, r: &Region) -> &'a [FaultRecord] {
        self.of(FAULTS, r)
    }
    pub(crate) fn links(&self, r: &Region) -> &'a [Link] {
        self.of(LINKS, r)
    }
    pub(crate) fn sites(&self, r: &Region) -> &'a [StoredSite] {
        self.of(SITES, r)
    }
    pub(crate) fn refs(&self, r: &Region) -> &'a [Ref] {
        self.of(REFS, r)
    }
    pub(crate) fn homes(&self, r: &Region) -> &'a [StoredHome] {
        self.of(HOMES, r)
    }
    pub(crate) fn incoming(&self) -> &'a [Incoming] {
        self.part(INCOMING)
    }
    fn side_entries(&self) -> &'a [SideEntry] {
        self.part(SIDE_ENTRIES)
    }
    pub(crate) fn side_entries_of(&self, r: &Region) -> impl Iterator<Item = &'a SideEntry> {
        let code = r.code..r.code + r.code_len;
        self.side_entries().iter().filter(move |e| code.contains(&e.code))
    }
    fn outgoing(&self) -> &'a [Outgoing] {
        self.part(OUTGOING)
    }
    pub(crate) fn code(&self, r: &Region) -> &'a [u8] {
        &self.bytes[r.code as usize..][..r.code_len as usize]
    }
}

/// How far a page of a unit has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Not looked at.
    Closed,
    /// Checked: its regions may run.
    Open,
    /// Not for the guest's bytes as they are.
    Other,
    Damaged,
}

/// A stored region: its code, the page of the unit that it is in, and its pieces.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) code: u64,
    pub(crate) page: usize,
    pub(crate) pieces: u32,
}

/// A unit in use, with its file if there is one yet.
#[derive(Debug)]
pub(crate) struct Unit {
    pub(crate) image: Image,
    pub(crate) key: u128,
    /// Addresses of cells and of the mapped file.
    cells: u64,
    file: u64,
    view: Option<View<'static>>,
    inode: u64,
    /// The number of the unit of the same image with what others have written since.
    pub(crate) newer: Option<usize>,
    /// Its bytes are those that were written: blobs need no look at their checksums.
    sealed: bool,
    states: Vec<State>,
    /// By page: link slots elsewhere that lead there, but for those that the file knows of.
    incoming: BTreeMap<usize, Vec<u64>>,
    /// Code that fresh code stands for: nothing is linked to it by itself.
    replaced: BTreeSet<u64>,
    #[allow(clippy::vec_box, reason = "cells hold their addresses")]
    sites: Vec<Box<Site>>,
}

impl Unit {
    pub(crate) fn new(image: Image, key: u128) -> Unit {
        let (incoming, replaced, sites) = (BTreeMap::new(), BTreeSet::new(), Vec::new());
        let (view, states) = (None, Vec::new());
        Unit {
            image,
            key,
            cells: 0,
            file: 0,
            view,
            inode: 0,
            newer: None,
            sealed: false,
            states,
            incoming,
            replaced,
            sites,
        }
    }

    /// Uses a file that is mapped, with room for its cells at `cells`.
    ///
    /// # Safety
    /// The mappings stay, nobody else writes the cells.
    pub(crate) unsafe fn attach(&mut self, view: View<'static>, cells: u64, m: &Mapped, thunks: [u64; THUNKS]) {
        (self.cells, self.file, self.inode, self.sealed) = (cells, m.file, m.inode, m.sealed);
        self.states = vec![State::Closed; view.entries().len()];
        for (n, thunk) in thunks.into_iter().enumerate() {
            self.write_cell(cells + 8 * n as u64, thunk);
        }
        self.view = Some(view);
    }

    /// Whether the file with this inode is another than the unit's.
    pub(crate) fn is_older_than(&self, inode: u64) -> bool {
        self.inode != inode
    }

    /// Bytes of its file.
    pub(crate) fn len(&self) -> u64 {
        self.view.map_or(0, |v| v.header().len)
    }

    fn write_cell(&self, at: u64, value: u64) {
        // SAFETY: a cell of this unit, aligned; running code reads it as a whole.
        unsafe { (*(at as *const AtomicU64)).store(value, Ordering::Release) };
    }

    fn read_cell(&self, at: u64) -> u64 {
        // SAFETY: a cell as above, or a link slot elsewhere.
        unsafe { (*(at as *const AtomicU64)).load(Ordering::Acquire) }
    }

    /// The number of the entry for a guest address.
    fn entry_of(&self, pc: u64) -> Option<(View<'static>, usize)> {
        let view = self.view?;
        let page = pc.wrapping_sub(self.image.base) / PAGE;
        let n = view.entries().binary_search_by_key(&page, |e| e.page).ok()?;
        Some((view, n))
    }

    /// A region. `bytes`: room for guest code.
    pub(crate) fn find(&mut self, pc: u64, mode: u32, source: &dyn CodeSource, bytes: &mut Vec<u8>) -> Option<Found> {
        let (view, n) = self.entry_of(crate::cache::address(pc))?;
        let entry = &view.entries()[n];
        if self.states[n] == State::Closed {
            self.states[n] = self.open(view, n, source, bytes);
        }
        if self.states[n] != State::Open {
            return None;
        }
        let blob = view.blob(entry)?;
        let (code, pieces) = match blob.regions().binary_search_by_key(&(pc, mode), |r| (r.pc, r.mode)) {
            Ok(at) => (blob.regions()[at].code, blob.regions()[at].pieces),
            Err(_) => {
                let at = blob.side_entries().binary_search_by_key(&(pc, mode), |e| (e.pc, e.mode)).ok()?;
                (blob.side_entries()[at].code, 0)
            }
        };
        Some(Found { code: self.file + entry.blob + u64::from(code), page: n, pieces })
    }

    /// Checks a page and fills in its cells.
    fn open(&mut self, view: View<'static>, n: usize, source: &dyn CodeSource, bytes: &mut Vec<u8>) -> State {
        let entry = &view.entries()[n];
        let blob = if self.sealed { view.blob(entry) } else { view.checked_blob(entry) };
        let Some(blob) = blob else { return State::Damaged };
        let len = entry.end.wrapping_sub(entry.start);
        if len > MOST_BYTES {
            return State::Damaged;
        }
        bytes.resize(len as usize, 0);
        let base = self.image.base;
        if source.fetch(base.wrapping_add(entry.start), bytes) != bytes.len() || hash(bytes) != entry.guest {
            return State::Other;
        }
        let Some(initial) = view.initial(entry) else { return State::Damaged };
        self.fill_cells(&blob, initial);
        self.link(view, &blob);
        State::Open
    }

    /// Fills in the cells of a page: links lead to the page itself, or to where they are linked.
    fn fill_cells(&mut self, blob: &Blob<'static>, initial: &[u32]) {
        let (at, first) = (self.file + blob.entry.blob, blob.entry.first_cell);
        for (n, leads) in (first..).zip(initial) {
            self.write_cell(self.cell(n), at + u64::from(*leads));
        }
        let links = blob.entry.counts[LINKS];
        if !self.replaced.is_empty() {
            let is_replaced = |slot: &u64| self.replaced.contains(&self.read_cell(*slot));
            (first..first + links).map(|n| self.cell(n)).filter(is_replaced).for_each(|slot| self.unlink(slot));
        }
        for (n, s) in (first + links..).zip(blob.part::<StoredSite>(SITES)) {
            self.sites.push(Box::new(s.restore()));
            let site = std::ptr::from_ref(&**self.sites.last().expect("just pushed"));
            self.write_cell(self.cell(n), site as u64);
        }
    }

    /// Links a page that is being opened with those that are open.
    fn link(&self, view: View<'static>, blob: &Blob<'static>) {
        let at = self.file + blob.entry.blob;
        for o in blob.outgoing() {
            let code = self.file + view.entries()[o.to as usize].blob + u64::from(o.code);
            if self.states[o.to as usize] == State::Open && !self.replaced.contains(&code) {
                self.write_cell(self.cell(o.cell), code);
            }
        }
        for i in blob.incoming().iter().filter(|i| self.states[i.from as usize] == State::Open) {
            let (slot, code) = (self.cell(i.cell), at + u64::from(i.code));
            // It may lead to fresh code by now.
            if !self.is_linked(slot) && !self.replaced.contains(&code) {
                self.write_cell(slot, code);
            }
        }
    }

    /// Whether a link slot is one of this unit's.
    pub(crate) fn has_slot(&self, slot: u64) -> bool {
        self.view.is_some_and(|v| (self.cells..self.cells + 8 * u64::from(v.header().cells)).contains(&slot))
    }

    /// Where a slot of this unit leads until it is linked.
    fn stub_of(&self, slot: u64) -> Option<u64> {
        let entries = self.view?.entries();
        let number = ((slot - self.cells) / 8) as u32;
        // Several pages may begin at the cell, if some have none: the last of them is meant.
        let entry = &entries[entries.partition_point(|e| e.first_cell <= number).checked_sub(1)?];
        Some(self.file + entry.blob + u64::from(entry.stub(number - entry.first_cell)))
    }

    pub(crate) fn is_linked(&self, slot: u64) -> bool {
        self.stub_of(slot) != Some(self.read_cell(slot))
    }

    /// A slot leads nowhere again.
    pub(crate) fn unlink(&self, slot: u64) {
        if let Some(stub) = self.stub_of(slot) {
            self.write_cell(slot, stub);
        }
    }

    /// The slots that lead to a region of this unit. From now on none is linked to it by itself.
    pub(crate) fn replace(&mut self, found: Found) -> Vec<u64> {
        self.replaced.insert(found.code);
        let mut slots = self.incoming.get(&found.page).cloned().unwrap_or_default();
        if let Some(view) = self.view
            && let Some(blob) = view.blob(&view.entries()[found.page])
        {
            let first = blob.entry.first_cell;
            slots.extend((first..first + blob.entry.counts[LINKS]).map(|n| self.cell(n)));
            slots.extend(self.static_slots(&blob));
        }
        slots.retain(|slot| self.read_cell(*slot) == found.code);
        slots
    }

    fn cell(&self, number: u32) -> u64 {
        self.cells + 8 * u64::from(number)
    }

    /// The slots of other pages that lead to a page by what the file knows.
    fn static_slots(&self, blob: &Blob<'static>) -> Vec<u64> {
        let at = self.file + blob.entry.blob;
        let leads = |i: &&Incoming| self.read_cell(self.cell(i.cell)) == at + u64::from(i.code);
        blob.incoming().iter().filter(leads).map(|i| self.cell(i.cell)).collect()
    }

    pub(crate) fn leads_to(&self, slot: u64) -> u64 {
        self.read_cell(slot)
    }

    pub(crate) fn set_slot(&self, slot: u64, target: u64) {
        debug_assert!(self.has_slot(slot), "a link slot");
        self.write_cell(slot, target);
    }

    /// Notes that a slot elsewhere leads to a page of this unit.
    pub(crate) fn linked(&mut self, page: usize, slot: u64) {
        self.incoming.entry(page).or_default().push(slot);
    }

    /// Closes the pages whose regions were made from guest bytes in the range; the slots that lead there, or nothing if there are none such.
    pub(crate) fn close(&mut self, start: u64, end: u64) -> Option<Vec<u64>> {
        let view = self.view?;
        let base = self.image.base;
        let mut slots = None;
        for (n, entry) in view.entries().iter().enumerate() {
            let (from, to) = (base.wrapping_add(entry.start), base.wrapping_add(entry.end));
            if from >= end || start >= to || matches!(self.states[n], State::Closed | State::Damaged) {
                continue;
            }
            self.states[n] = State::Closed;
            let slots = slots.get_or_insert_with(Vec::new);
            slots.extend(self.incoming.remove(&n).unwrap_or_default());
            slots.extend(view.blob(entry).map(|blob| self.static_slots(&blob)).unwrap_or_default());
        }
        slots
    }

    /// Closes all pages; nothing is left that led there.
    pub(crate) fn close_all(&mut self) {
        self.close(0, u64::MAX);
        self.replaced.clear();
    }

    /// Whether code of this unit is at the host address.
    pub(crate) fn has_code(&self, at: u64) -> bool {
        (self.file..self.file + self.len()).contains(&at)
    }

    /// The links of a region.
    pub(crate) fn links_of(&self, found: Found) -> Option<&[Link]> {
        let (blob, r, _) = self.region_at(found.code)?;
        Some(blob.links(r))
    }

    /// The region whose code is at the host address, the blob it is in, and how far in the code that is.
    fn region_at(&self, host: u64) -> Option<(Blob<'static>, &'static Region, u32)> {
        let at = host - self.file;
        let entries = self.view?.entries();
        let entry = &entries[entries.partition_point(|e| e.blob <= at).checked_sub(1)?];
        let blob = self.view?.blob(entry)?;
        let at = at - entry.blob;
        let regions = blob.regions();
        let r = &regions[regions.partition_point(|r| u64::from(r.code) <= at).checked_sub(1)?];
        Some((blob, r, (at - u64::from(r.code)) as u32))
    }

    pub(crate) fn faults_at(&self, host: u64) -> Option<&[FaultRecord]> {
        let (blob, r, at) = self.region_at(host)?;
        Some(crate::cache::faults_at(blob.faults(r), at))
    }

    /// The homes of the region at the host address, if they are its own.
    pub(crate) fn homes_at(&self, host: u64, slots: usize) -> Option<Homes> {
        let (blob, r, _) = self.region_at(host)?;
        let list = blob.homes(r);
        (!list.is_empty()).then(|| StoredHome::restore(list, slots))
    }
}
