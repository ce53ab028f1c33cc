//! The regions there are: where their code is, how they are linked, which guest bytes they come from.
//!
//! All under the engine's one lock. Running code reads link slots and runs the jumps through them, each of which changes by one aligned store.

use crate::arena::Arena;
use crate::hot::Head;
use crate::save::Recipe;
use crate::stats::{Clock, Made as Counted, Stage, Stats};
use crate::store::Store;
use crate::unit::{Found, StoredSite};
use crate::{CodeSource, Options};
use arch::{Code, Guest, Leaders, Translation};
use host::x86_64::{Compiler, Homes, Map, Request, thunks};
use host::{FaultRecord, Outside, Place, Site, StateMap, SyscallSlots};
use ir::Builder;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

/// A region's identity: guest address (with the guest's low mode bits) and mode word.
pub(crate) type Key = (u64, u32);

/// A hasher for keys: addresses are spread well enough by one multiplication.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for b in bytes {
            self.write_u64(u64::from(*b));
        }
    }
    fn write_u32(&mut self, v: u32) {
        self.write_u64(u64::from(v));
    }
    fn write_u64(&mut self, v: u64) {
        self.0 = (self.0.rotate_left(5) ^ v).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 ^= self.0 >> 32;
    }
}

/// A region to be compiled: the ranges of guest bytes that it was made from, the pieces of a hot one (else 0), and up to where code was read for
/// one that may be stored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Made<'a> {
    pub(crate) region: &'a ir::Region,
    pub(crate) ranges: &'a [(u64, u64)],
    pub(crate) pieces: u32,
    pub(crate) read_to: Option<u64>,
}

/// A translated region.
#[derive(Debug)]
pub(crate) struct RegionInfo {
    pub(crate) key: Key,
    /// Guest bytes [start, end) it was made from.
    start: u64,
    end: u64,
    /// Further ranges of guest bytes, of a hot region.
    more: Box<[(u64, u64)]>,
    /// The pieces that a hot region was made of; 0: it is none.
    pub(crate) pieces: u32,
    /// Host code [code, code_end).
    pub(crate) code: u64,
    pub(crate) code_end: u64,
    /// Where else it can be entered: guest addresses, and how far in the code that is.
    pub(crate) side_entries: Box<[(u64, u32)]>,
    pub(crate) faults: Box<[FaultRecord]>,
    pub(crate) homes: Option<Box<Homes>>,
    /// Link slots that lead here.
    incoming: Vec<u64>,
    pub(crate) live: bool,
    /// What is needed to store it, if it is to be stored and is not yet.
    pub(crate) recipe: Option<Box<Recipe>>,
}

impl RegionInfo {
    fn ranges(&self) -> impl Iterator<Item = (u64, u64)> {
        std::iter::once((self.start, self.end)).chain(self.more.iter().copied())
    }

    /// The code of `key`, which it has.
    fn code_of(&self, key: Key) -> u64 {
        let side = self.side_entries.iter().find(|e| key != self.key && e.0 == key.0);
        self.code + side.map_or(0, |e| u64::from(e.1))
    }

    /// Everything that the region is found by.
    fn keys(&self) -> impl Iterator<Item = Key> {
        std::iter::once(self.key).chain(self.side_entries.iter().map(|e| (e.0, self.key.1)))
    }

    /// The guest pages that its bytes are in, some perhaps several times.
    fn guest_pages(&self) -> impl Iterator<Item = u64> {
        self.ranges().flat_map(|(start, end)| start >> PAGE_BITS..=(end - 1) >> PAGE_BITS)
    }
}

const PAGE_BITS: u32 = 12;

/// A region that is made from guest bytes further apart is not stored: all between are looked at before it is used.
pub(crate) const MOST_SPAN: u64 = 4 << PAGE_BITS;

/// A bit of mode words that no guest uses: invalid floating-point operations do not trap, and code looks for them itself.
pub(crate) const CAREFUL: u32 = 1 << 31;

/// Where the instruction at `pc` lies: without the mode bit that a guest may keep in bit 0 (arm's Thumb).
pub(crate) fn address(pc: u64) -> u64 {
    pc & !1
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Cache {
    pub(crate) guest: &'static Guest,
    pub(crate) options: Options,
    pub(crate) arena: Arena,
    pub(crate) compiler: Compiler,
    pub(crate) builder: Builder,
    pub(crate) regions: Vec<RegionInfo>,
    /// How many of them a fork's child has from its parent, which stores them.
    pub(crate) inherited: usize,
    pub(crate) table: Table,
    /// Regions by guest page.
    pages: BTreeMap<u64, Vec<u32>>,
    /// What is known of backward jumps, by where they lead.
    pub(crate) back: HashMap<u64, Head, BuildHasherDefault<KeyHasher>>,
    /// Regions for the interpreter.
    interpreted: HashMap<Key, Arc<ir::Region>, BuildHasherDefault<KeyHasher>>,
    #[allow(clippy::vec_box, reason = "generated code holds their addresses")]
    sites: Vec<Box<Site>>,
    pub(crate) store: Option<Store>,
    pub(crate) stats: Option<&'static Stats>,
}

type Table = HashMap<Key, u32, BuildHasherDefault<KeyHasher>>;

/// Where code begins, as far as the front end is to care.
#[derive(Clone, Copy, Debug)]
struct Known<'a> {
    /// The regions that there are, with this bit in their modes.
    begun: Option<&'a Table>,
    careful: u32,
    /// In order.
    leaders: &'a [Key],
}

impl Leaders for Known<'_> {
    fn has(&self, pc: u64, mode: u32) -> bool {
        let begun = self.begun.is_some_and(|table| table.contains_key(&(pc, mode | self.careful)));
        begun || self.leaders.has(pc, mode)
    }
}

/// Guest code for the front end.
#[derive(Debug)]
struct Reader<'a> {
    source: &'a dyn CodeSource,
    /// The end of what was read.
    end: u64,
}

impl Code for Reader<'_> {
    fn fetch(&mut self, pc: u64, buf: &mut [u8]) -> usize {
        let n = self.source.fetch(pc, buf);
        self.end = self.end.max(pc + n as u64);
        n
    }
    fn peek(&mut self, pc: u64, buf: &mut [u8]) -> usize {
        self.source.fetch(pc, buf)
    }
    fn is_guarded(&mut self, pc: u64) -> bool {
        self.source.is_guarded(pc)
    }
    fn may_change(&mut self, start: u64, end: u64) -> bool {
        self.source.may_change(start, end)
    }
}

impl Cache {
    pub(crate) fn new(guest: &'static Guest, options: Options, serve: u64, code: &dyn CodeSource) -> Cache {
        // The engine lives as long as the process, or its test.
        let stats: Option<&'static Stats> = options.stats.then(|| &*Box::leak(Box::new(Stats::new())));
        let call = &guest.abi.syscall;
        let state = StateMap {
            slots: guest.state.slots.iter().map(|s| Place { offset: s.offset, ty: s.ty }).collect(),
            int_homes: guest.state.int_homes.to_vec(),
            vec_homes: guest.state.vec_homes.to_vec(),
            pairs: guest.state.pairs.to_vec(),
            syscall: SyscallSlots { number: call.number, args: call.args, result: call.result },
            host_flags: guest.state.host_flags,
            invalid_traps: guest.state.invalid_traps,
            direct_mode: guest.state.direct_mode,
        };
        assert!(guest.state.size <= host::cpu::GUEST_SIZE, "guest state fits its place");
        let map = Map::new(state, options.host);
        let mut arena = Arena::new(options.code_size);
        let thunks = write_thunks(&mut arena, &map, serve, options.profile.then_some(code));
        arena.keep(thunks.link);
        let compiler = Compiler::new(map, thunks, options.host);
        let store = options.store.filter(|_| may_store(&options)).and_then(|folder| {
            let (features, most) = (options.features, options.max_insns);
            let setting =
                format!("{} {:?} {features:x} {most} {}", guest.name, compiler.features, options.hot.is_some());
            Store::new(folder, &setting, thunks.all())
        });
        Cache {
            guest,
            options,
            arena,
            compiler,
            builder: Builder::new(guest.state.types),
            regions: Vec::new(),
            inherited: 0,
            table: HashMap::default(),
            pages: BTreeMap::new(),
            back: HashMap::default(),
            interpreted: HashMap::default(),
            sites: Vec::new(),
            store,
            stats,
        }
    }

    /// The IR of the region at `key`, for the interpreter.
    pub(crate) fn region(&mut self, key: Key, code: &dyn CodeSource) -> Arc<ir::Region> {
        if let Some(r) = self.interpreted.get(&key) {
            return Arc::clone(r);
        }
        let max_insns = self.options.max_insns;
        self.front_end(key, code, max_insns, &[]);
        self.log_translation(key, code);
        let region = Arc::new(self.builder.region.clone());
        self.interpreted.insert(key, Arc::clone(&region));
        region
    }

    /// The IR of one instruction.
    pub(crate) fn instruction(&mut self, key: Key, code: &dyn CodeSource) -> ir::Region {
        self.front_end(key, code, 1, &[]);
        self.builder.region.clone()
    }

    /// The code of a region that is there.
    pub(crate) fn find(&mut self, key: Key, source: &dyn CodeSource) -> Option<u64> {
        if let Some(&n) = self.table.get(&key) {
            return Some(self.regions[n as usize].code_of(key));
        }
        self.stored(key, source).map(|(found, _)| found.code)
    }

    /// A stored region, and the unit that it is in.
    pub(crate) fn stored(&mut self, key: Key, source: &dyn CodeSource) -> Option<(Found, usize)> {
        let found = self.store.as_mut()?.find(key, source)?;
        if let Some(s) = self.stats {
            s.made(Counted::Stored, 1);
        }
        Some(found)
    }

    /// Translates the region at `key`; its code's address, or nothing if there is no room for it.
    pub(crate) fn translate(&mut self, key: Key, code: &dyn CodeSource) -> Option<u64> {
        if !self.has_room() {
            return None;
        }
        let mut clock = Clock::start(self.stats);
        let max_insns = self.options.max_insns;
        let read_to = self.front_end(key, code, max_insns, &[]);
        clock.end(Stage::FrontEnd);
        self.log_translation(key, code);
        let region = std::mem::take(&mut self.builder.region);
        let made = Made { region: &region, ranges: &[(region.pc, region.end)], pieces: 0, read_to: Some(read_to) };
        let at = self.publish(key, made, code);
        self.builder.region = region;
        Some(at)
    }

    /// Whether there is more room than any region needs.
    pub(crate) fn has_room(&self) -> bool {
        self.arena.has_room(256 << 10, 1024, 1024, 4096)
    }

    /// Compiles a region and puts it where it can be found; its code's address.
    pub(crate) fn publish(&mut self, key: Key, made: Made, code: &dyn CodeSource) -> u64 {
        let (log, pc) = (self.options.log, key.0);
        let mut clock = Clock::start(self.stats);
        let first_link = self.arena.next_link();
        let first_exit = self.arena.next_exit();
        let first_site = self.arena.next_site();
        let (count, hot) = (self.options.hot.is_some(), made.pieces > 0);
        let traps = self.guest.state.invalid_traps && key.1 & CAREFUL == 0;
        let request = Request { region: made.region, first_exit, first_link, first_site, count, hot, traps };
        let (asm, out) = self.compiler.compile(request);
        let at = self.arena.place(asm.buf.len());
        asm.relocate(at).expect("everything is within reach in the arena");
        self.arena.write(&asm.buf);
        if log.out_asm && in_filter(log.filter, pc) {
            let tier = if hot { "HOT" } else { "OUT" };
            code.log(&format!("{tier} {pc:#x}: {} bytes at {at:#x}\n{}\n", asm.buf.len(), hex(&asm.buf)));
        }
        if self.options.profile {
            code.placed(Some(pc), at, &asm.buf);
        }
        let len = asm.buf.len() as u64;
        out.exits.iter().for_each(|exit| self.arena.add_exit(*exit));
        for site in &out.sites {
            self.sites.push(Box::new(*site));
            self.arena.add_site(std::ptr::from_ref(&**self.sites.last().expect("just pushed")));
        }
        let mut jumps = vec![None; out.links.len()];
        for r in &out.refs {
            if let Outside::Link(n) = r.to {
                jumps[n as usize] = Some(at + u64::from(r.at) - 2);
            }
        }
        out.links.iter().zip(jumps).for_each(|(link, jump)| self.arena.add_link(link.pc, link.mode, jump));
        let recipe = made.read_to.and_then(|end| self.recipe(&made, end, &out, code));
        self.add(key, &made, (at, at + len), &out, recipe);
        if self.options.chain {
            self.link_known(key, first_link, &out);
        }
        self.compiler.take_back(out);
        clock.end(Stage::BackEnd);
        self.count(&made, len);
        at
    }

    /// Links the links of a region that lead to fresh code that is there.
    fn link_known(&mut self, key: Key, first_link: u64, out: &host::Code) {
        for (link, slot) in out.links.iter().zip((first_link..).step_by(8)) {
            self.link_fresh(slot, (link.pc, link.mode | key.1 & CAREFUL));
        }
    }

    /// Points a link slot, which is not linked, at the fresh code of `key`; false if there is none.
    fn link_fresh(&mut self, slot: u64, key: Key) -> bool {
        let Some(&n) = self.table.get(&key) else { return false };
        let region = &mut self.regions[n as usize];
        region.incoming.push(slot);
        let code = region.code_of(key);
        self.link_to(slot, code);
        true
    }

    fn link_to(&self, slot: u64, code: u64) {
        if let Some(s) = self.stats {
            s.made(Counted::Links, 1);
        }
        self.set_slot(slot, code);
    }

    /// Counts the region that was made.
    fn count(&self, made: &Made, host_bytes: u64) {
        if let Some(s) = self.stats {
            s.made(Counted::Regions, u64::from(made.pieces == 0));
            s.made(Counted::HotRegions, u64::from(made.pieces > 0));
            s.made(Counted::GuestInsns, u64::from(made.region.guest_insns));
            s.made(Counted::HostBytes, host_bytes);
        }
    }

    /// What is needed to store the region, if it is of a file.
    fn recipe(&mut self, made: &Made, end: u64, out: &host::Code, source: &dyn CodeSource) -> Option<Box<Recipe>> {
        let start = made.ranges.iter().map(|r| address(r.0)).min()?;
        let store = self.store.as_mut()?;
        let unit = store.unit_of(start, source)?;
        // What is made of pieces may be of several files, or far apart.
        if end.checked_sub(start)? > MOST_SPAN || store.unit_of(end - 1, source) != Some(unit) {
            return None;
        }
        // That there is no more code is not a fact of the bytes.
        let ends = |e: &host::Exit| matches!(e, host::Exit::Trap { trap: ir::Trap::Fetch, .. });
        let mut bytes = vec![0; (end - start) as usize];
        if out.exits.iter().any(ends) || source.fetch(start, &mut bytes) != bytes.len() {
            return None;
        }
        Some(Box::new(Recipe {
            unit,
            start,
            end,
            guest: crate::hash::hash(&bytes),
            refs: out.refs.clone(),
            exits: out.exits.clone(),
            links: out.links.clone(),
            sites: out.sites.iter().map(StoredSite::new).collect(),
        }))
    }

    /// Guest code to IR, in the builder: at most so many instructions. Up to where code was read. A piece of a hot region stops before the others, whose
    /// `leaders` these are; a region of its own before those that there are and loops within it: what is in two is made, kept and stored twice.
    pub(crate) fn front_end(&mut self, key: Key, code: &dyn CodeSource, max_insns: u32, leaders: &[Key]) -> u64 {
        let alone = leaders.is_empty();
        let known = Known { begun: alone.then_some(&self.table), careful: key.1 & CAREFUL, leaders };
        // The passes over hot regions take values of one block at a time.
        self.builder.lasting = alone;
        let mut front_end = |leaders: &dyn Leaders| {
            let mut reader = Reader { source: code, end: address(key.0) };
            let mut t = Translation {
                b: &mut self.builder,
                code: &mut reader,
                max_insns,
                leaders,
                features: self.options.features,
                guards: code.guards(),
            };
            (self.guest.translate)(&mut t, key.0, key.1 & !CAREFUL);
            (reader.end, self.builder.loop_within())
        };
        let (mut end, within) = front_end(&known);
        if let Some(head) = within {
            let leaders = &[(head, key.1 & !CAREFUL)];
            end = front_end(&Known { leaders, ..known }).0;
        }
        debug_assert_eq!(
            ir::verify::check_made(&self.builder.region, self.guest.state.types),
            Ok(()),
            "translation at {:#x}",
            key.0
        );
        end
    }

    /// Enters a region. If there is another of its key, what leads there leads here from now on.
    fn add(
        &mut self,
        key: Key,
        made: &Made,
        (code, code_end): (u64, u64),
        out: &host::Code,
        recipe: Option<Box<Recipe>>,
    ) {
        let n = self.regions.len() as u32;
        let mut bytes = made.ranges.iter().map(|&(start, end)| (address(start), end.max(address(start) + 1)));
        let (start, end) = bytes.next().expect("a region is made of something");
        let mut info = RegionInfo {
            key,
            start,
            end,
            more: bytes.collect(),
            pieces: made.pieces,
            code,
            code_end,
            faults: out.faults.as_slice().into(),
            homes: out.homes.clone().map(Box::new),
            side_entries: out.side_entries.as_slice().into(),
            incoming: Vec::new(),
            live: true,
            recipe,
        };
        for page in info.guest_pages() {
            self.pages.entry(page).or_default().push(n);
        }
        if let Some(before) = self.table.insert(key, n) {
            let before = before as usize;
            let led = self.regions[before].code_of(key);
            let incoming = std::mem::take(&mut self.regions[before].incoming);
            let (led_there, others) = incoming.into_iter().partition(|slot| self.leads_to(*slot) == led);
            (info.incoming, self.regions[before].incoming) = (led_there, others);
            info.incoming.iter().for_each(|slot| self.set_slot(*slot, code));
        }
        for key in info.keys().skip(1) {
            self.table.entry(key).or_insert(n);
        }
        self.regions.push(info);
    }

    /// Points the link slot at the region of `key`, which must be there.
    pub(crate) fn link(&mut self, slot: u64, key: Key, source: &dyn CodeSource) {
        if self.is_linked(slot) || self.link_fresh(slot, key) {
            return;
        }
        let Some((Found { code, page, .. }, unit)) = self.stored(key, source) else { return };
        if let Some(store) = &mut self.store {
            store.units[unit].linked(page, slot);
        }
        self.link_to(slot, code);
    }

    /// What leads to stored code of `key` leads to the fresh code from now on, if there is some.
    pub(crate) fn take_over(&mut self, key: Key, source: &dyn CodeSource) {
        let Some(&n) = self.table.get(&key) else { return };
        let Some(store) = &mut self.store else { return };
        let Some((stored, unit)) = store.find(key, source) else { return };
        let slots = store.units[unit].replace(stored);
        let code = self.regions[n as usize].code_of(key);
        slots.iter().for_each(|slot| self.set_slot(*slot, code));
        self.regions[n as usize].incoming.extend(slots);
    }

    pub(crate) fn set_slot(&self, slot: u64, code: u64) {
        match self.store.as_ref().and_then(|s| s.with_slot(slot)) {
            Some(unit) => unit.set_slot(slot, code),
            None => self.arena.set_link(slot, code),
        }
    }

    fn is_linked(&self, slot: u64) -> bool {
        match self.store.as_ref().and_then(|s| s.with_slot(slot)) {
            Some(unit) => unit.is_linked(slot),
            None => self.arena.leads_to(slot) != self.arena.stub_of(slot),
        }
    }

    fn leads_to(&self, slot: u64) -> u64 {
        match self.store.as_ref().and_then(|s| s.with_slot(slot)) {
            Some(unit) => unit.leads_to(slot),
            None => self.arena.leads_to(slot),
        }
    }

    /// Slots lead nowhere again.
    fn unlink(&self, slots: Vec<u64>) {
        for slot in slots {
            match self.store.as_ref().and_then(|s| s.with_slot(slot)) {
                Some(unit) => unit.unlink(slot),
                None => self.arena.set_link(slot, self.arena.stub_of(slot)),
            }
        }
    }

    /// Forgets regions made from guest bytes in [start, end); whether there were any.
    pub(crate) fn invalidate(&mut self, start: u64, end: u64) -> bool {
        if start >= end {
            return false;
        }
        self.interpreted.retain(|_, r| r.end <= start || end <= address(r.pc));
        let hit: Vec<u32> = self
            .pages
            .range(start >> PAGE_BITS..=(end - 1) >> PAGE_BITS)
            .flat_map(|(_, list)| list.iter().copied())
            .filter(|&n| {
                let r = &self.regions[n as usize];
                r.live && r.ranges().any(|r| r.0 < end && start < r.1)
            })
            .collect();
        for &n in &hit {
            self.drop_region(n);
        }
        if let Some(s) = self.stats {
            s.made(Counted::Invalidated, hit.len() as u64);
        }
        let stored = self.store.as_mut().and_then(|s| s.invalidate(start, end));
        let any_stored = stored.is_some();
        self.unlink(stored.unwrap_or_default());
        any_stored || !hit.is_empty()
    }

    fn drop_region(&mut self, n: u32) {
        let r = &mut self.regions[n as usize];
        if !std::mem::replace(&mut r.live, false) {
            return;
        }
        let incoming = std::mem::take(&mut r.incoming);
        for key in r.keys() {
            if self.table.get(&key) == Some(&n) {
                self.table.remove(&key);
            }
        }
        let pages: Vec<u64> = r.guest_pages().collect();
        self.unlink(incoming);
        for page in pages {
            if let Some(list) = self.pages.get_mut(&page) {
                list.retain(|&m| m != n);
            }
        }
    }

    /// Forgets everything but the thunks. Nobody may be running code.
    pub(crate) fn clear(&mut self) {
        self.regions.clear();
        self.inherited = 0;
        self.table.clear();
        self.interpreted.clear();
        self.back.clear();
        self.pages.clear();
        self.sites.clear();
        // Code of today's addresses is stored without tags taken off.
        self.store = self.store.take().filter(|_| !self.compiler.mask_tags);
        if let Some(s) = &mut self.store {
            s.close();
        }
        if let Some(s) = self.stats {
            s.forget_sites();
        }
        self.arena.clear();
    }

    pub(crate) fn before_fork(&mut self) {
        self.arena.share();
        if let Some(store) = &mut self.store {
            store.renew();
        }
    }

    /// In a fork's child.
    pub(crate) fn after_fork(&mut self) {
        self.arena.seal();
        self.inherited = self.regions.len();
    }

    /// The region whose code is at a host address, if it is a fresh one.
    fn region_at(&self, host: u64) -> Option<&RegionInfo> {
        // Regions are placed in rising order.
        let n = self.regions.partition_point(|r| r.code <= host).checked_sub(1)?;
        Some(&self.regions[n]).filter(|r| host < r.code_end)
    }

    /// The registers of slots in the code at a host address.
    pub(crate) fn homes_at(&self, host: u64) -> Cow<'_, Homes> {
        let border = &self.compiler.map.homes;
        match (self.region_at(host), &self.store) {
            (Some(r), _) => Cow::Borrowed(r.homes.as_deref().unwrap_or(border)),
            (None, Some(s)) => s.homes_at(host, border.gpr.len()).map_or(Cow::Borrowed(border), Cow::Owned),
            (None, None) => Cow::Borrowed(border),
        }
    }

    /// The fault records for a host address, if an access that can fault stands there.
    pub(crate) fn faults_at(&self, host: u64) -> &[FaultRecord] {
        match self.region_at(host) {
            Some(r) => faults_at(&r.faults, (host - r.code) as u32),
            None => self.store.as_ref().map_or(&[], |s| s.faults_at(host)),
        }
    }

    fn log_translation(&self, key: Key, code: &dyn CodeSource) {
        let log = self.options.log;
        if !(log.in_asm || log.op) || !in_filter(log.filter, key.0) {
            return;
        }
        let region = &self.builder.region;
        if log.in_asm {
            let mut text = format!("IN {:#x} mode {:#x}\n", key.0, key.1);
            let mut last = None;
            for inst in &region.insts {
                // One that goes on behind a change of what the word beside pc says is marked again.
                if let ir::Op::Insn { pc, .. } = inst.op
                    && last.replace(pc) != Some(pc)
                {
                    let mut buf = [0; 16];
                    let at = self.guest.address(pc);
                    let n = code.fetch(at, &mut buf);
                    let (line, _) = (self.guest.disassemble)(&buf[..n], pc, key.1);
                    text += &format!("{at:#x}: {line}\n");
                }
            }
            code.log(&text);
        }
        if log.op {
            self.log_region("OP", key, region, code);
        }
    }

    /// A hot region, after optimisation (`-d op_opt`).
    pub(crate) fn log_hot(&self, key: Key, region: &ir::Region, code: &dyn CodeSource) {
        if self.options.log.op_opt && in_filter(self.options.log.filter, key.0) {
            self.log_region("HOT_OP", key, region, code);
        }
    }

    fn log_region(&self, what: &str, key: Key, region: &ir::Region, code: &dyn CodeSource) {
        let names = |slot: ir::Slot| self.guest.state.slots[slot.0 as usize].name().to_owned();
        code.log(&format!("{what} {:#x}\n{}\n", key.0, ir::text::region(region, &names)));
    }
}

/// Those of a region's fault records that are of the access at an offset.
pub(crate) fn faults_at(faults: &[FaultRecord], at: u32) -> &[FaultRecord] {
    let first = faults.iter().position(|f| f.at == at).unwrap_or(faults.len());
    let n = faults[first..].iter().take_while(|f| f.at == at).count();
    &faults[first..first + n]
}

/// Whether translations are as everybody's: what is asked of each translation must be done for stored ones too.
fn may_store(options: &Options) -> bool {
    let log = options.log;
    options.chain && !(options.interpret || options.profile || log.in_asm || log.op || log.op_opt || log.out_asm)
}

fn write_thunks(arena: &mut Arena, map: &Map, serve: u64, profile: Option<&dyn CodeSource>) -> host::Thunks {
    let (mut asm, offsets) = thunks::write(map, serve);
    let at = arena.place(asm.buf.len());
    asm.relocate(at).expect("thunks refer to nothing outside");
    if let Some(p) = profile {
        p.placed(None, at, &asm.buf);
    }
    arena.write(&asm.buf);
    offsets.at(at)
}

pub(crate) fn in_filter(filter: &[(u64, u64)], pc: u64) -> bool {
    filter.is_empty() || filter.iter().any(|(a, b)| (*a..*b).contains(&pc))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
