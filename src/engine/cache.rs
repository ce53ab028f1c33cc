//! The regions there are: where their code is, how they are linked, which guest bytes they come from.
//!
//! All under the engine's one lock. Running code reads link slots only, each of which changes by one aligned store.

use crate::arena::Arena;
use crate::stats::{Clock, Made, Stage, Stats};
use crate::{CodeSource, Options};
use arch::{Code, Guest, Translation};
use host::x86_64::{Compiler, Homes, Map, Request, thunks};
use host::{FaultRecord, FlagsRule, Place, Site, StateMap, SyscallSlots};
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
    /// Further ranges of guest bytes, of a hot region.
    more: Vec<(u64, u64)>,
    /// The pieces that a hot region was made of; 0: it is none.
    pub(crate) pieces: u32,
    /// Host code [code, code_end).
    code: u64,
    code_end: u64,
    faults: Vec<FaultRecord>,
    rules: Vec<FlagsRule>,
    homes: Option<Homes>,
    /// Link slots that lead here, with what they point to when they do not.
    incoming: Vec<(u64, u64)>,
    live: bool,
}

impl RegionInfo {
    fn ranges(&self) -> impl Iterator<Item = (u64, u64)> {
        std::iter::once((self.start, self.end)).chain(self.more.iter().copied())
    }

    /// The guest pages that its bytes are in, some perhaps several times.
    fn guest_pages(&self) -> impl Iterator<Item = u64> {
        self.ranges().flat_map(|(start, end)| start >> PAGE_BITS..=(end - 1) >> PAGE_BITS)
    }
}

/// A backward jump that is counted: from which instruction, and where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BackEdge {
    pub(crate) from: u64,
    pub(crate) counter: u64,
}

const PAGE_BITS: u32 = 12;

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
    pub(crate) table: HashMap<Key, u32, BuildHasherDefault<KeyHasher>>,
    /// Regions by guest page.
    pages: BTreeMap<u64, Vec<u32>>,
    /// Backward jumps by where they lead.
    pub(crate) back: HashMap<u64, Vec<BackEdge>, BuildHasherDefault<KeyHasher>>,
    /// Regions for the interpreter.
    interpreted: HashMap<Key, Arc<ir::Region>, BuildHasherDefault<KeyHasher>>,
    /// Link slots that are not linked: slot → (exit code it points to).
    unlinked: HashMap<u64, u64, BuildHasherDefault<KeyHasher>>,
    #[allow(clippy::vec_box, reason = "generated code holds their addresses")]
    sites: Vec<Box<Site>>,
    stats: Option<&'static Stats>,
}

/// Guest code for the front end.
#[derive(Debug)]
struct Reader<'a>(&'a dyn CodeSource);

impl Code for Reader<'_> {
    fn fetch(&mut self, pc: u64, buf: &mut [u8]) -> usize {
        self.0.fetch(pc, buf)
    }
}

impl Cache {
    pub(crate) fn new(guest: &'static Guest, options: Options, serve: u64, stats: Option<&'static Stats>) -> Cache {
        let call = &guest.abi.syscall;
        let state = StateMap {
            slots: guest.state.slots.iter().map(|s| Place { offset: s.offset, ty: s.ty }).collect(),
            int_homes: guest.state.int_homes.to_vec(),
            vec_homes: guest.state.vec_homes.to_vec(),
            syscall: SyscallSlots { number: call.number, args: call.args, result: call.result },
        };
        assert!(guest.state.size <= host::cpu::GUEST_SIZE, "guest state fits its place");
        let map = Map::new(state);
        let mut arena = Arena::new(options.code_size);
        let thunks = write_thunks(&mut arena, &map, serve);
        arena.keep();
        Cache {
            guest,
            options,
            arena,
            compiler: Compiler::new(map, thunks),
            builder: Builder::new(guest.state.types),
            regions: Vec::new(),
            table: HashMap::default(),
            pages: BTreeMap::new(),
            back: HashMap::default(),
            interpreted: HashMap::default(),
            unlinked: HashMap::default(),
            sites: Vec::new(),
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

    /// The code of a region that is there.
    pub(crate) fn find(&self, key: Key) -> Option<u64> {
        self.table.get(&key).map(|&i| self.regions[i as usize].code)
    }

    /// Translates the region at `key`; its code's address, or nothing if there is no room for it.
    pub(crate) fn translate(&mut self, key: Key, code: &dyn CodeSource) -> Option<u64> {
        if !self.has_room() {
            return None;
        }
        let mut clock = Clock::start(self.stats);
        let max_insns = self.options.max_insns;
        self.front_end(key, code, max_insns, &[]);
        clock.end(Stage::FrontEnd);
        self.log_translation(key, code);
        let region = std::mem::take(&mut self.builder.region);
        let ranges = [(region.pc, region.end)];
        let at = self.publish(key, &region, &ranges, 0, code);
        self.builder.region = region;
        Some(at)
    }

    /// Whether there is more room than any region needs.
    pub(crate) fn has_room(&self) -> bool {
        self.arena.has_room(256 << 10, 1024, 4096)
    }

    /// Compiles a region made from these ranges of guest bytes and puts it where it can be found; its code's address.
    pub(crate) fn publish(
        &mut self,
        key: Key,
        region: &ir::Region,
        ranges: &[(u64, u64)],
        pieces: u32,
        code: &dyn CodeSource,
    ) -> u64 {
        let (log, pc) = (self.options.log, key.0);
        let mut clock = Clock::start(self.stats);
        let first_link = self.arena.next_link();
        let first_exit = self.arena.next_exit();
        let sites = &mut self.sites;
        let mut keep = |site: Site| {
            sites.push(Box::new(site));
            std::ptr::from_ref(&**sites.last().expect("just pushed")) as u64
        };
        let first_counter = self.options.hot.map(|_| self.arena.next_counter());
        let request = Request { region, first_exit, first_link, first_counter, hot: pieces > 0, keep: &mut keep };
        let (asm, out) = self.compiler.compile(request);
        let at = self.arena.place(asm.buf.len());
        asm.relocate(at).expect("everything is within reach in the arena");
        self.arena.write(&asm.buf);
        if log.out_asm && in_filter(log.filter, pc) {
            let tier = if pieces > 0 { "HOT" } else { "OUT" };
            code.log(&format!("{tier} {pc:#x}: {} bytes at {at:#x}\n{}\n", asm.buf.len(), hex(&asm.buf)));
        }
        let len = asm.buf.len() as u64;
        for exit in &out.exits {
            self.arena.add_exit(*exit);
            if let host::Exit::Hot { pc, from, counter } = *exit {
                self.back.entry(pc).or_default().push(BackEdge { from, counter });
            }
        }
        for (n, (_, stub)) in out.links.iter().enumerate() {
            let target = at + u64::from(*stub);
            self.arena.add_link(target);
            self.unlinked.insert(first_link + 8 * n as u64, target);
        }
        for _ in 0..out.counters {
            self.arena.add_counter(self.options.hot.unwrap_or(0));
        }
        self.add(key, ranges, pieces, (at, at + len), out);
        clock.end(Stage::BackEnd);
        self.count(region, pieces, len);
        at
    }

    /// Counts the region that was made.
    fn count(&self, region: &ir::Region, pieces: u32, host_bytes: u64) {
        if let Some(s) = self.stats {
            s.made(Made::Regions, 1);
            s.made(Made::HotRegions, u64::from(pieces > 0));
            s.made(Made::GuestInsns, u64::from(region.guest_insns));
            s.made(Made::HostBytes, host_bytes);
        }
    }

    /// Guest code to IR, in the builder: at most so many instructions, and stopping before the leaders.
    pub(crate) fn front_end(&mut self, key: Key, code: &dyn CodeSource, max_insns: u32, leaders: &[u64]) {
        let (pc, mode) = key;
        let mut reader = Reader(code);
        let mut t =
            Translation { b: &mut self.builder, code: &mut reader, max_insns, leaders, unimplemented: Vec::new() };
        (self.guest.translate)(&mut t, pc, mode);
        debug_assert_eq!(
            ir::verify::check(&self.builder.region, self.guest.state.types),
            Ok(()),
            "translation at {pc:#x}"
        );
    }

    /// Enters a region. If there is another of its key, what leads there leads here from now on.
    fn add(&mut self, key: Key, ranges: &[(u64, u64)], pieces: u32, (code, code_end): (u64, u64), out: host::Code) {
        let n = self.regions.len() as u32;
        let mut bytes = ranges.iter().map(|&(start, end)| (address(start), end.max(address(start) + 1)));
        let (start, end) = bytes.next().expect("a region is made of something");
        let more: Vec<(u64, u64)> = bytes.collect();
        let mut info = RegionInfo {
            key,
            start,
            end,
            more,
            pieces,
            code,
            code_end,
            faults: out.faults,
            rules: out.rules,
            homes: out.homes,
            incoming: Vec::new(),
            live: true,
        };
        for page in info.guest_pages() {
            self.pages.entry(page).or_default().push(n);
        }
        if let Some(before) = self.table.insert(key, n) {
            info.incoming = std::mem::take(&mut self.regions[before as usize].incoming);
            for (slot, _) in &info.incoming {
                self.arena.set_link(*slot, code);
            }
        }
        self.regions.push(info);
    }

    /// Points the link slot at the region of `key`, which must be there.
    pub(crate) fn link(&mut self, slot: u64, key: Key) {
        let Some(&n) = self.table.get(&key) else { return };
        let Some(stub) = self.unlinked.remove(&slot) else { return };
        let region = &mut self.regions[n as usize];
        region.incoming.push((slot, stub));
        if let Some(s) = self.stats {
            s.made(Made::Links, 1);
        }
        self.arena.set_link(slot, region.code);
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
            s.made(Made::Invalidated, hit.len() as u64);
        }
        !hit.is_empty()
    }

    fn drop_region(&mut self, n: u32) {
        let r = &mut self.regions[n as usize];
        if !std::mem::replace(&mut r.live, false) {
            return;
        }
        if self.table.get(&r.key) == Some(&n) {
            self.table.remove(&r.key);
        }
        for (slot, stub) in std::mem::take(&mut r.incoming) {
            self.arena.set_link(slot, stub);
            self.unlinked.insert(slot, stub);
        }
        for page in r.guest_pages() {
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
        self.back.clear();
        self.pages.clear();
        self.unlinked.clear();
        self.sites.clear();
        if let Some(s) = self.stats {
            s.forget_sites();
        }
        self.arena.clear();
    }

    /// The region whose code is at a host address.
    fn region_at(&self, host: u64) -> Option<&RegionInfo> {
        // Regions are placed in rising order.
        let n = self.regions.partition_point(|r| r.code <= host).checked_sub(1)?;
        Some(&self.regions[n]).filter(|r| host < r.code_end)
    }

    /// The registers of slots in the code at a host address.
    pub(crate) fn homes_at(&self, host: u64) -> &Homes {
        self.region_at(host).and_then(|r| r.homes.as_ref()).unwrap_or(&self.compiler.map.homes)
    }

    /// A rule that the fault record for a host address names.
    pub(crate) fn rule_at(&self, host: u64, n: u16) -> FlagsRule {
        self.region_at(host).expect("a record was found there").rules[n as usize]
    }

    /// The fault record for a host address, if an access that can fault stands there.
    pub(crate) fn fault_at(&self, host: u64) -> Option<FaultRecord> {
        let r = self.region_at(host)?;
        let at = (host - r.code) as u32;
        r.faults.iter().find(|f| f.at == at).copied()
    }

    pub(crate) fn log_translation(&self, key: Key, code: &dyn CodeSource) {
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

fn write_thunks(arena: &mut Arena, map: &Map, serve: u64) -> host::Thunks {
    let (mut asm, offsets) = thunks::write(map, serve);
    let at = arena.place(asm.buf.len());
    asm.relocate(at).expect("thunks refer to nothing outside");
    arena.write(&asm.buf);
    offsets.at(at, serve)
}

fn in_filter(filter: &[(u64, u64)], pc: u64) -> bool {
    filter.is_empty() || filter.iter().any(|(a, b)| (*a..*b).contains(&pc))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
