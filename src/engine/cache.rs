//! The regions there are: where their code is, how they are linked, which guest bytes they come from.
//!
//! All under the engine's one lock. Running code reads link slots only, each of which changes by one aligned store.

use crate::arena::Arena;
use crate::save::Recipe;
use crate::stats::{Clock, Made, Stage, Stats};
use crate::store::Store;
use crate::unit::{Cell, StoredSite};
use crate::{CodeSource, Options};
use arch::{Code, Guest, Translation};
use host::x86_64::{Compiler, Map, Request, thunks};
use host::{ExitRecord, FaultRecord, Place, Site, StateMap, SyscallSlots};
use ir::Builder;
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

/// A translated region.
#[derive(Debug)]
pub(crate) struct RegionInfo {
    pub(crate) key: Key,
    /// Guest bytes [start, end) it was made from.
    start: u64,
    end: u64,
    /// Host code [code, code_end).
    pub(crate) code: u64,
    pub(crate) code_end: u64,
    pub(crate) faults: Vec<FaultRecord>,
    /// Link slots that lead here, with what they point to when they do not.
    incoming: Vec<(u64, u64)>,
    pub(crate) live: bool,
    /// What is needed to store it, if it is to be stored and is not yet.
    pub(crate) recipe: Option<Box<Recipe>>,
}

const PAGE_BITS: u32 = 12;

/// Where the instruction at `pc` lies: without the mode bit that a guest may keep in bit 0 (arm's Thumb).
pub(crate) fn address(pc: u64) -> u64 {
    pc & !1
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Cache {
    guest: &'static Guest,
    options: Options,
    pub(crate) arena: Arena,
    pub(crate) compiler: Compiler,
    builder: Builder,
    pub(crate) regions: Vec<RegionInfo>,
    table: HashMap<Key, u32, BuildHasherDefault<KeyHasher>>,
    /// Regions by guest page.
    pages: BTreeMap<u64, Vec<u32>>,
    /// Regions for the interpreter.
    interpreted: HashMap<Key, Arc<ir::Region>, BuildHasherDefault<KeyHasher>>,
    /// Link slots that are not linked: slot → (exit code it points to).
    unlinked: HashMap<u64, u64, BuildHasherDefault<KeyHasher>>,
    #[allow(clippy::vec_box, reason = "generated code holds their addresses")]
    sites: Vec<Box<Site>>,
    pub(crate) store: Option<Store>,
    pub(crate) stats: Option<&'static Stats>,
    /// See [`crate::fault::high_vectors`].
    pub(crate) high_vectors: usize,
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
    fn is_guarded(&mut self, pc: u64) -> bool {
        self.source.is_guarded(pc)
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
            syscall: SyscallSlots { number: call.number, args: call.args, result: call.result },
        };
        assert!(guest.state.size <= host::cpu::GUEST_SIZE, "guest state fits its place");
        let map = Map::new(state, options.host);
        let mut arena = Arena::new(options.code_size);
        let thunks = write_thunks(&mut arena, &map, serve, options.profile.then_some(code));
        arena.keep();
        let compiler = Compiler::new(map, thunks, options.host);
        let store = options.store.filter(|_| may_store(&options)).and_then(|folder| {
            let (features, most) = (options.features, options.max_insns);
            let setting = format!("{} {:?} {features:x} {most}", guest.name, compiler.features);
            Store::new(folder, &setting, thunks.all())
        });
        Cache {
            guest,
            options,
            arena,
            compiler,
            builder: Builder::new(guest.state.types),
            regions: Vec::new(),
            table: HashMap::default(),
            pages: BTreeMap::new(),
            interpreted: HashMap::default(),
            unlinked: HashMap::default(),
            sites: Vec::new(),
            store,
            high_vectors: if options.host.avx512 { crate::fault::high_vectors() } else { 0 },
            stats,
        }
    }

    /// The IR of the region at `key`, for the interpreter.
    pub(crate) fn region(&mut self, key: Key, code: &dyn CodeSource) -> Arc<ir::Region> {
        if let Some(r) = self.interpreted.get(&key) {
            return Arc::clone(r);
        }
        self.front_end(key, code);
        let region = Arc::new(self.builder.region.clone());
        self.interpreted.insert(key, Arc::clone(&region));
        region
    }

    /// The code of a region that is there.
    pub(crate) fn find(&mut self, key: Key, source: &dyn CodeSource) -> Option<u64> {
        if let Some(&n) = self.table.get(&key) {
            return Some(self.regions[n as usize].code);
        }
        self.store.as_mut()?.find(key, source).map(|(code, ..)| code)
    }

    /// Translates the region at `key`; its code's address, or nothing if there is no room for it.
    pub(crate) fn translate(&mut self, key: Key, code: &dyn CodeSource) -> Option<u64> {
        // More than any region needs, checked before so that nothing is lost.
        if !self.arena.has_room(256 << 10, 1024, 1024, 4096) {
            return None;
        }
        let (log, pc) = (self.options.log, key.0);
        let mut clock = Clock::start(self.stats);
        let read_to = self.front_end(key, code);
        clock.end(Stage::FrontEnd);
        let first_link = self.arena.next_link();
        let first_exit = self.arena.next_exit();
        let first_site = self.arena.next_site();
        let request = Request { region: &self.builder.region, first_exit, first_link, first_site };
        let (asm, out) = self.compiler.compile(request);
        let at = self.arena.place(asm.buf.len());
        asm.relocate(at).expect("everything is within reach in the arena");
        self.arena.write(&asm.buf);
        if log.out_asm && in_filter(log.filter, pc) {
            code.log(&format!("OUT {pc:#x}: {} bytes at {at:#x}\n{}\n", asm.buf.len(), hex(&asm.buf)));
        }
        if self.options.profile {
            code.placed(Some(pc), at, &asm.buf);
        }
        let len = asm.buf.len() as u64;
        for exit in &out.exits {
            self.arena.add_exit(*exit, first_link);
        }
        for site in &out.sites {
            self.sites.push(Box::new(*site));
            self.arena.add_site(std::ptr::from_ref(&**self.sites.last().expect("just pushed")));
        }
        for (n, (_, stub)) in out.links.iter().enumerate() {
            let target = at + u64::from(*stub);
            self.arena.add_link(target);
            self.unlinked.insert(first_link + 8 * n as u64, target);
        }
        let recipe = self.recipe(key, read_to, &out, code);
        self.add(key, at, len, out.faults, recipe);
        clock.end(Stage::BackEnd);
        self.count(len);
        Some(at)
    }

    /// Counts the region that was made.
    fn count(&self, host_bytes: u64) {
        if let Some(s) = self.stats {
            s.made(Made::Regions, 1);
            s.made(Made::GuestInsns, u64::from(self.builder.region.guest_insns));
            s.made(Made::HostBytes, host_bytes);
        }
    }

    /// What is needed to store the region, if it is of a file.
    fn recipe(&mut self, key: Key, end: u64, out: &host::Code, source: &dyn CodeSource) -> Option<Box<Recipe>> {
        let start = address(key.0);
        let unit = self.store.as_mut()?.unit_of(start, source)?;
        // That there is no more code is not a fact of the bytes.
        let ends = |e: &host::Exit| matches!(e, host::Exit::Trap { trap: ir::Trap::Fetch, .. });
        let mut bytes = vec![0; end.checked_sub(start)? as usize];
        if out.exits.iter().any(ends) || source.fetch(start, &mut bytes) != bytes.len() {
            return None;
        }
        Some(Box::new(Recipe {
            unit,
            end,
            guest: crate::hash::hash(&bytes),
            refs: out.refs.clone(),
            exits: out.exits.iter().map(|exit| ExitRecord { links: 0, exit: *exit }).collect(),
            cells: out.links.iter().map(|&(pc, stub)| Cell { pc, stub, linked: 0 }).collect(),
            sites: out.sites.iter().map(StoredSite::new).collect(),
        }))
    }

    /// Guest code to IR, in the builder; up to where code was read.
    fn front_end(&mut self, key: Key, code: &dyn CodeSource) -> u64 {
        let (pc, mode) = key;
        let mut reader = Reader { source: code, end: address(pc) };
        let max_insns = self.options.max_insns;
        let mut t = Translation {
            b: &mut self.builder,
            code: &mut reader,
            max_insns,
            features: self.options.features,
            guards: code.guards(),
        };
        (self.guest.translate)(&mut t, pc, mode);
        debug_assert_eq!(
            ir::verify::check(&self.builder.region, self.guest.state.types),
            Ok(()),
            "translation at {pc:#x}"
        );
        let read_to = reader.end;
        self.log_translation(key, code);
        read_to
    }

    fn add(&mut self, key: Key, code: u64, len: u64, faults: Vec<FaultRecord>, recipe: Option<Box<Recipe>>) {
        let n = self.regions.len() as u32;
        let start = address(key.0);
        let end = self.builder.region.end.max(start + 1);
        for page in start >> PAGE_BITS..=(end - 1) >> PAGE_BITS {
            self.pages.entry(page).or_default().push(n);
        }
        let code_end = code + len;
        let incoming = Vec::new();
        let info = RegionInfo { key, start, end, code, code_end, faults, incoming, live: true, recipe };
        self.regions.push(info);
        self.table.insert(key, n);
    }

    /// Points the link slot at the region of `key`, which must be there.
    pub(crate) fn link(&mut self, slot: u64, key: Key, source: &dyn CodeSource) {
        let stored = self.store.as_ref().and_then(|s| s.with_slot(slot));
        let stub = match stored {
            Some(unit) => unit.stub_of(slot),
            None => self.unlinked.get(&slot).copied(),
        };
        let Some(stub) = stub else { return };
        let code = if let Some(&n) = self.table.get(&key) {
            let region = &mut self.regions[n as usize];
            region.incoming.push((slot, stub));
            region.code
        } else if let Some(store) = &mut self.store
            && let Some((code, unit, page)) = store.find(key, source)
        {
            store.units[unit].linked(page, slot, stub);
            code
        } else {
            return;
        };
        if let Some(s) = self.stats {
            s.made(Made::Links, 1);
        }
        self.set_slot(slot, code);
        self.unlinked.remove(&slot);
    }

    fn set_slot(&self, slot: u64, code: u64) {
        match self.store.as_ref().and_then(|s| s.with_slot(slot)) {
            Some(unit) => unit.set_slot(slot, code),
            None => self.arena.set_link(slot, code),
        }
    }

    /// Slots lead nowhere again.
    fn unlink(&mut self, slots: Vec<(u64, u64)>) {
        for (slot, stub) in slots {
            self.set_slot(slot, stub);
            if self.store.as_ref().is_none_or(|s| s.with_slot(slot).is_none()) {
                self.unlinked.insert(slot, stub);
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
                r.live && r.start < end && start < r.end
            })
            .collect();
        for &n in &hit {
            self.drop_region(n);
        }
        if let Some(s) = self.stats {
            s.made(Made::Invalidated, hit.len() as u64);
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
        if self.table.get(&r.key) == Some(&n) {
            self.table.remove(&r.key);
        }
        let incoming = std::mem::take(&mut r.incoming);
        let (first, last) = (r.start >> PAGE_BITS, (r.end - 1) >> PAGE_BITS);
        self.unlink(incoming);
        for page in first..=last {
            if let Some(list) = self.pages.get_mut(&page) {
                list.retain(|&m| m != n);
            }
        }
    }

    /// Forgets everything but the thunks. Nobody may be running code.
    pub(crate) fn clear(&mut self) {
        self.regions.clear();
        self.table.clear();
        self.interpreted.clear();
        self.pages.clear();
        self.unlinked.clear();
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

    /// The fault record for a host address, if an access that can fault stands there.
    pub(crate) fn fault_at(&self, host: u64) -> Option<FaultRecord> {
        // Regions are placed in rising order.
        let Some(n) = self.regions.partition_point(|r| r.code <= host).checked_sub(1) else {
            return self.store.as_ref()?.fault_at(host);
        };
        let r = &self.regions[n];
        if host >= r.code_end {
            return self.store.as_ref()?.fault_at(host);
        }
        let at = (host - r.code) as u32;
        r.faults.iter().find(|f| f.at == at).copied()
    }

    fn log_translation(&self, key: Key, code: &dyn CodeSource) {
        let log = self.options.log;
        if !(log.in_asm || log.op) || !in_filter(log.filter, key.0) {
            return;
        }
        let region = &self.builder.region;
        if log.in_asm {
            let mut text = format!("IN {:#x} mode {:#x}\n", key.0, key.1);
            for inst in &region.insts {
                if let ir::Op::Insn { pc, .. } = inst.op {
                    let mut buf = [0; 16];
                    let n = code.fetch(address(pc), &mut buf);
                    let (line, _) = (self.guest.disassemble)(&buf[..n], pc, key.1);
                    text += &format!("{:#x}: {line}\n", address(pc));
                }
            }
            code.log(&text);
        }
        if log.op {
            let names = |slot: ir::Slot| self.guest.state.slots[slot.0 as usize].name.to_owned();
            code.log(&format!("OP {:#x}\n{}\n", key.0, ir::text::region(region, &names)));
        }
    }
}

/// Whether translations are as everybody's: what is asked of each translation must be done for stored ones too.
fn may_store(options: &Options) -> bool {
    let log = options.log;
    options.chain && !(options.interpret || options.profile || log.in_asm || log.op || log.out_asm)
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
