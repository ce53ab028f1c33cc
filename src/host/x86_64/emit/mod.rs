//! Emits a region: one forward pass, an operation at a time. Each file here has the operations of one kind; `alloc.rs` says where values are.

mod bits;
mod choice;
mod cold;
mod crypto;
mod exclusive;
mod exits;
mod flags;
mod flags_by_rule;
mod flags_part;
mod flags_x86;
mod float;
mod float_check;
mod float_convert;
mod float_nans;
mod float_round;
mod int;
mod mem;
mod multiply;
mod strings;
mod vector;
mod vector_lanes;
mod vector_shift;
mod vector_shuffle;
mod x87;

use super::alloc::{File, Loc};
use super::asm::{Asm, L128, L256, Label, Mem, Reg, vop};
use super::local::Local;
use super::plan::Plan;
use super::reads::{self, Held};
use super::rules::{self, Tracker};
use super::{Features, Map, SCRATCH, STAGING, XSCRATCH};
use crate::cpu::SPILLS;
use crate::{Code, Exit, FaultRecord, FlagsAt, FlagsRule, NO_REGISTER, Outside, Ref, Thunks};
use choice::Choice;
use cold::Cold;
use crypto::Sha256;
use flags::HostFlags;
use ir::{BlockId, OnFault, Op, Region, Round, Ty, Val, Ways, is_stub};

/// What the back end keeps from region to region.
#[derive(Debug)]
pub struct Compiler {
    pub map: Map,
    pub thunks: Thunks,
    pub features: Features,
    /// Addresses lose their top byte before each access (64-bit ones: bit 55 is copied upwards).
    pub mask_tags: bool,
    asm: Asm,
    plan: Plan,
    ways: Ways,
    tracker: Tracker,
    locs: Vec<Loc>,
    blocks: Vec<AtBlock>,
    slot_holds: Vec<Val>,
    /// That of a region that has been placed, for its memory.
    spare: Code,
}

/// What is known of a block while a region is emitted.
#[derive(Debug)]
struct AtBlock {
    label: Label,
    emitted: bool,
    /// A table leads there.
    chosen: bool,
    /// Flags as a block with one predecessor finds them, and whether that has been said.
    entry: HostFlags,
    found: bool,
    /// The rule of the flags slot that holds as it begins.
    rule: Option<FlagsRule>,
    /// With one predecessor: nothing has been accessed since a locked instruction.
    fenced: bool,
    /// Guest position at the branch to a block that only leaves.
    stub_at: (u64, u32),
}

impl AtBlock {
    fn new(label: Label) -> AtBlock {
        let (emitted, chosen, found, fenced) = (false, false, false, false);
        AtBlock { label, emitted, chosen, entry: HostFlags::default(), found, rule: None, fenced, stub_at: (0, 0) }
    }
}

/// What a region's code needs from outside.
#[derive(Debug)]
pub struct Request<'a> {
    pub region: &'a Region,
    /// The address of the region's first exit.
    pub first_exit: u64,
    /// The address of its first link slot; the others follow.
    pub first_link: u64,
    /// The address of its first site cell: a word that points to a site.
    pub first_site: u64,
    /// Its backward jumps count.
    pub count: bool,
    /// The region is hot: it may have homes of its own.
    pub hot: bool,
    /// Invalid operations trap while it runs ([`FlagsAt::SlowPath`]).
    pub traps: bool,
}

impl Compiler {
    /// A compiler for a map made with the same features.
    pub fn new(map: Map, thunks: Thunks, features: Features) -> Compiler {
        let mut asm = Asm::new();
        asm.staging = features.avx512.then_some(STAGING);
        let (plan, ways, tracker) = (Plan::default(), Ways::default(), Tracker::default());
        let (locs, blocks, slot_holds) = (Vec::new(), Vec::new(), Vec::new());
        Compiler {
            map,
            thunks,
            features,
            mask_tags: false,
            asm,
            plan,
            ways,
            tracker,
            locs,
            blocks,
            slot_holds,
            spare: Code::default(),
        }
    }

    /// Gives back the memory that it keeps from region to region.
    pub fn rest(&mut self) {
        self.asm.buf = Vec::new();
        (self.plan, self.ways, self.tracker) = (Plan::default(), Ways::default(), Tracker::default());
        (self.locs, self.blocks, self.slot_holds) = (Vec::new(), Vec::new(), Vec::new());
        self.spare = Code::default();
    }

    /// The code of a region is not needed any more.
    pub fn take_back(&mut self, mut code: Code) {
        code.exits.clear();
        code.links.clear();
        code.faults.clear();
        code.sites.clear();
        code.refs.clear();
        code.side_entries.clear();
        code.homes = None;
        self.spare = code;
    }

    /// Compiles a region. The code is in the returned assembler, to be relocated and placed before the next call.
    pub fn compile(&mut self, request: Request) -> (&mut Asm, Code) {
        self.asm.clear();
        let local = if request.hot { Local::choose(&self.map, request.region) } else { None };
        let map = local.as_ref().map_or(&self.map, |l| &l.map);
        self.plan.run(request.region, map);
        self.ways.find(request.region);
        let reads = if request.hot { reads::of(request.region, map) } else { Vec::new() };
        let rules = rules::at_entries(request.region, &self.plan, &self.ways, map, &mut self.tracker);
        self.locs.clear();
        self.locs.resize(request.region.insts.len(), Loc::None);
        self.blocks.clear();
        self.blocks.extend(request.region.blocks.iter().map(|_| AtBlock::new(self.asm.label())));
        for (block, rule) in self.blocks.iter_mut().zip(rules) {
            block.rule = rule;
        }
        self.slot_holds.resize(map.homed.len(), Val::NONE);
        let mut e = Emitter {
            r: request.region,
            map,
            local: local.as_ref(),
            thunks: &self.thunks,
            features: self.features,
            mask_tags: self.mask_tags,
            a: &mut self.asm,
            plan: &self.plan,
            ways: &self.ways,
            reads,
            unchecked: Vec::new(),
            low: [Val::NONE; 32],
            shared: 0,
            way_out: None,
            own_site: None,
            tracker: &mut self.tracker,
            locs: &mut self.locs,
            blocks: &mut self.blocks,
            first_exit: request.first_exit,
            first_link: request.first_link,
            first_site: request.first_site,
            count: request.count,
            hot: request.hot,
            traps: request.traps,
            out: std::mem::take(&mut self.spare),
            gpr: File::EMPTY,
            xmm: File::EMPTY,
            sha256: None,
            spills: 0,
            spilled: [Val::NONE; SPILLS],
            now: 0,
            end: 0,
            done: u32::MAX,
            pc: request.region.pc,
            extra: 0,
            host: HostFlags::default(),
            zero_tells: None,
            slot_holds: &mut self.slot_holds,
            fenced: false,
            cold: Vec::new(),
            jump_at: u32::MAX,
            bare: Vec::new(),
            suspected: None,
            trapping: Vec::new(),
            next: 0,
            ahead: Vec::new(),
            folded: None,
            told: None,
            rounding: request.region.fp.round,
            constants: Vec::new(),
            choice: None,
            tables: Vec::new(),
        };
        e.region();
        let (first_exit, first_link, first_site) = (e.first_exit, e.first_link, e.first_site);
        let (mut code, bare) = (e.out, e.bare);
        code.homes = local.map(|l| l.map.homes);
        let thunks = self.thunks.all();
        let outside = |target: u64| {
            let number = |first: u64, count: usize, size: usize| {
                let n = target.wrapping_sub(first) / size as u64;
                (n < count as u64).then_some(n as u32)
            };
            if let Some(n) = thunks.iter().position(|t| *t == target) {
                Outside::Thunk(n as u32)
            } else if let Some(n) = number(first_exit, code.exits.len(), size_of::<Exit>()) {
                Outside::Exit(n)
            } else if let Some(n) = number(first_link, code.links.len(), 8) {
                Outside::Link(n)
            } else {
                Outside::Site(number(first_site, code.sites.len(), 8).expect("regions refer to nothing else"))
            }
        };
        code.refs.extend(self.asm.externs.iter().map(|e| Ref { at: e.at, tail: e.tail, to: outside(e.target) }));
        code.refs.extend(branches(&self.asm, &bare));
        (&mut self.asm, code)
    }
}

/// The conditional jumps to blocks that are nothing but a jump through a link.
fn branches(asm: &Asm, bare: &[(Label, u32)]) -> impl Iterator<Item = Ref> {
    asm.references().filter_map(|(at, label)| {
        let &(_, link) = bare.iter().find(|b| b.0 == label)?;
        let is_jcc = asm.buf[at as usize - 2] == 0x0f && asm.buf[at as usize - 1] & 0xf0 == 0x80;
        let jump = asm.offset_of(label).filter(|_| is_jcc)?;
        Some(Ref { at, tail: 0, to: Outside::Branch { link, jump } })
    })
}

/// Emission of one region.
pub(super) struct Emitter<'a> {
    pub(super) r: &'a Region,
    pub(super) map: &'a Map,
    /// The map's other side, if it is the region's own.
    local: Option<&'a Local>,
    /// Where to leave from with the homes within the region, and its own site thunk, if they are wanted.
    way_out: Option<Label>,
    own_site: Option<Label>,
    pub(super) thunks: &'a Thunks,
    mask_tags: bool,
    pub(super) features: Features,
    pub(super) a: &'a mut Asm,
    pub(super) plan: &'a Plan,
    ways: &'a Ways,
    /// By instruction: what is known of a slot that is read, if that was asked for.
    pub(super) reads: Vec<Held>,
    /// Scalars that may be another NaN than the guest's, for their readers check theirs. In order.
    pub(super) unchecked: Vec<Val>,
    /// What scalar stands at the bottom of the vector in a home, and the registers that hold one of these and something above it.
    pub(super) low: [Val; 32],
    pub(super) shared: u32,
    tracker: &'a mut Tracker,
    pub(super) locs: &'a mut Vec<Loc>,
    blocks: &'a mut Vec<AtBlock>,
    first_exit: u64,
    first_link: u64,
    first_site: u64,
    count: bool,
    hot: bool,
    traps: bool,
    out: Code,
    pub(super) gpr: File,
    pub(super) xmm: File,
    /// What value registers that are free still have of SHA-256.
    pub(super) sha256: Option<Sha256>,
    /// Spill slots in use.
    pub(super) spills: u128,
    /// The value in each.
    pub(super) spilled: [Val; SPILLS],
    /// The instruction being emitted; a block's end counts as one.
    pub(super) now: u32,
    /// The end of the block being emitted.
    end: u32,
    /// An instruction further on that has been emitted together with an earlier one.
    done: u32,
    /// The guest instruction being emitted.
    pc: u64,
    extra: u32,
    pub(super) host: HostFlags,
    /// The host's Z says whether this value is zero, if no code has been written since here.
    zero_tells: Option<(Val, u32)>,
    /// By slot without a home: the value that is there, perhaps in a register too.
    slot_holds: &'a mut Vec<Val>,
    /// Nothing has been accessed since a locked instruction: a fence would do nothing. And at the start of blocks with one predecessor.
    fenced: bool,
    cold: Vec<Cold>,
    /// Where the last jump through a link begins.
    jump_at: u32,
    /// Blocks that are a jump through a link and nothing else: their labels and links.
    bare: Vec<(Label, u32)>,
    /// Where a product that is looked at closer in cold code has just been made, and the number of that piece; behind it is its slow path.
    suspected: Option<(u32, usize)>,
    /// Operations that may trap, and their slow paths.
    trapping: Vec<(u32, Label)>,
    /// The rounding in force: the region's, but around an operation with one of its own.
    rounding: Round,
    /// Instructions before this one are emitted, together with the current one.
    next: u32,
    /// Loads ahead of the block at hand.
    ahead: Vec<u32>,
    /// One that the operation at hand does itself, and where it reads.
    folded: Option<(Val, Mem)>,
    /// The operation whose access tells of a slot if it faults, what, and its address.
    told: Option<(u32, OnFault, Mem)>,
    /// Constants behind the code.
    pub(super) constants: Vec<(u128, Label)>,
    /// What the block at hand ends with, if it is the first of many comparisons of one value.
    choice: Option<Choice>,
    /// Tables behind the code, of places in it.
    tables: Vec<(Label, Vec<Label>)>,
}

impl Emitter<'_> {
    fn region(&mut self) {
        debug_assert!(self.r.blocks.iter().all(|b| b.params.is_empty()), "no block has parameters");
        if let Some(local) = self.local {
            local.enter(self.a);
        }
        for i in 0..self.r.blocks.len() {
            let id = BlockId(i as u32);
            if !self.blocks[i].emitted && !is_stub(self.r, id) && (i == 0 || self.ways.count[i] > 0) {
                self.block(id);
            }
        }
        self.out.cold = self.a.here();
        self.cold_paths();
        self.slow_paths_of_traps();
        self.own_thunks();
        self.place_constants();
        self.place_tables();
        for &(pc, block) in &self.r.side_entries {
            let at = self.a.offset_of(self.blocks[block.0 as usize].label).expect("side entries are come to");
            self.out.side_entries.push((pc, at));
        }
    }

    fn block(&mut self, id: BlockId) {
        let block = &self.r.blocks[id.0 as usize];
        self.blocks[id.0 as usize].emitted = true;
        if self.blocks[id.0 as usize].chosen {
            self.a.align(16);
        }
        self.a.bind(self.blocks[id.0 as usize].label);
        if self.ways.falls[id.0 as usize].is_none() {
            (self.gpr, self.xmm, self.spills) = (File::EMPTY, File::EMPTY, 0);
            (self.low, self.shared) = ([Val::NONE; 32], 0);
            self.slot_holds.fill(Val::NONE);
        }
        self.sha256 = None;
        (self.zero_tells, self.suspected) = (None, None);
        self.flags_at_block(id);
        (self.pc, self.extra) = self.ways.begins_at[id.0 as usize];
        self.end = block.end;
        self.fenced = self.blocks[id.0 as usize].fenced;
        self.next = block.start;
        self.choice = if self.hot { Choice::at(self.r, self.ways, id) } else { None };
        for i in block.start..block.end {
            if self.plan.skip[i as usize] || self.choice.as_ref().is_some_and(|c| c.is_condition(i)) {
                continue;
            }
            if i != self.done && i >= self.next {
                self.now = i;
                let dies = self.before_rule_is_lost(i);
                self.inst(Val(i));
                self.release();
                self.after_rule(dies);
            }
            self.tracker.step(self.r, self.plan, self.map, i);
        }
        self.now = block.end;
        self.term(id, &block.term);
    }

    fn inst(&mut self, v: Val) {
        let inst = &self.r.insts[v.0 as usize];
        if self.root(v) != v {
            return;
        }
        match inst.op {
            Op::Const(_) | Op::ConstV(_) => {}
            Op::Insn { pc, extra } => (self.pc, self.extra) = (pc, extra),
            Op::Poll { pc } => {
                self.clobber();
                self.poll(pc);
            }
            Op::Get(slot) => self.get(v, slot.0),
            Op::Set(slot, val) => self.set(slot.0, val),
            Op::FpFlagsGet => self.fp_flags_get(v),
            Op::Concurrent => self.concurrent(v),
            Op::FpFlagsSet(x) => self.fp_flags_set(x),
            Op::Load(m) => self.load(v, &m),
            Op::LoadAhead(m) => self.load_ahead(v, &m),
            Op::StoreAhead(m, x, y) => self.store_ahead(&m, x, y),
            Op::LoadLanes(m, mask) => self.load_lanes(v, &m, mask),
            Op::StoreLanes(m, x, mask) => self.store_lanes(&m, x, mask),
            Op::Store(m, x) => self.store(&m, x),
            Op::AtomicRmw(op, _, align, addr, x) => self.atomic_rmw(v, op, align, addr, x),
            Op::CmpXchg { addr, expected, new, align } => self.cmpxchg(v, align, addr, expected, new),
            Op::LoadExcl(addr, _, align) => self.load_excl(v, align, addr),
            Op::StoreExcl(addr, x, _, align) => self.store_excl(v, align, addr, x),
            Op::ClearExcl => self.clear_excl(),
            Op::Fence(kind) => self.fence(kind),
            Op::Prefetch(addr) => self.prefetch(addr),
            Op::Call(h, args) => self.call_helper(v, h, &args),
            Op::X87 { op, v: x, .. } => self.x87(v, op, x),
            Op::X87Mem { code, mem, .. } => self.x87_mem(code, &mem),
            Op::Strings { .. } => self.strings(v),
            _ if inst.op.env().is_some_and(|env| env.unmasked) => self.eval(v),
            _ if inst.ty == Ty::Flags => self.flags_op(v),
            _ => {
                if !self.int_op(v) && !self.float_op(v) && !self.vector_op(v) {
                    self.eval(v);
                }
            }
        }
    }

    fn get(&mut self, v: Val, slot: u16) {
        let s = slot as usize;
        if let Some(r) = self.map.homes.gpr[s] {
            self.gpr.holds[r.0 as usize] = v;
            self.set_loc(v, Loc::Reg(r));
        } else if let Some(x) = self.map.homes.xmm[s] {
            if self.shared >> x.0 & 1 != 0 {
                self.free_xhome(x);
            }
            self.xhold(v, x);
        } else if self.r.ty(v) == Ty::Flags {
            self.get_flags(slot, v);
        } else {
            self.slot_holds[s] = v;
            self.set_loc(v, Loc::Slot(slot));
        }
    }

    fn set(&mut self, slot: u16, v: Val) {
        let s = slot as usize;
        if self.r.ty(v) == Ty::Flags {
            self.set_flags(slot, v);
        } else if let Some(r) = self.map.homes.gpr[s] {
            self.set_gpr(r, v);
        } else if let Some(x) = self.map.homes.xmm[s] {
            self.set_xmm(x, v);
            self.share_home(x, v);
        } else {
            self.set_memory(slot, v);
        }
    }

    fn set_gpr(&mut self, home: Reg, v: Val) {
        if self.loc(v) == Loc::Reg(home) {
            return;
        }
        self.free_home(home);
        let ty = self.r.ty(v);
        match self.loc(v) {
            Loc::Reg(r) => self.a.mov(super::alloc::wide(ty), home, r),
            _ => self.copy_to(v, home),
        }
        // The value lives on in the home, and its own register is free.
        let root = self.root(v);
        if let Loc::Reg(r) = self.loc(v) {
            if super::HOMES.contains(&r) || self.r.ty(root) != ty {
                return;
            }
            self.gpr.holds[r.0 as usize] = Val::NONE;
        } else if let Loc::Spill(n) = self.loc(v)
            && self.r.ty(root) == ty
        {
            self.spills &= !(1 << n);
        } else if self.r.ty(root) != ty || self.const_of(root).is_none_or(|c| i32::try_from(c).is_ok()) {
            // What is an immediate is better one.
            return;
        }
        self.gpr.holds[home.0 as usize] = root;
        self.set_loc(v, Loc::Reg(home));
    }

    fn set_xmm(&mut self, home: super::Xmm, v: Val) {
        if self.loc(v) == Loc::Xmm(home) {
            return;
        }
        self.free_xhome(home);
        if let Some(bits) = self.r.const_v_of(v).or(self.r.const_of(v).map(u128::from)) {
            self.xconst(home, bits);
            return;
        }
        let x = self.x(v);
        self.a.v2(vop::VMOVAPS, L128, home, x);
        let root = self.root(v);
        // What is wider than the slot would lose its upper part whenever homes are saved.
        if super::XTEMPS.contains(&x) && self.r.ty(root) == self.r.ty(v) {
            self.xmm.holds[x.0 as usize] = Val::NONE;
            self.xhold(root, home);
        }
    }

    /// A scalar has just been put into a vector that nobody needs but the slot: it stands in that one's home, too.
    fn share_home(&mut self, home: super::Xmm, v: Val) {
        let Op::VSet(_, _, scalar, 0) = *self.r.op(v) else { return };
        let root = self.root(scalar);
        let alone = self.xmm.holds[home.0 as usize] == v && !self.live_after(v);
        if alone && self.r.ty(root) == self.r.ty(scalar) && !self.plan.wide[root.0 as usize] {
            self.low[home.0 as usize] = root;
        }
    }

    /// Writes a slot that has no home; whoever still needs its old content has it loaded first.
    fn set_memory(&mut self, slot: u16, v: Val) {
        self.rescue(slot, v);
        let m = self.map.mem(slot as usize);
        let ty = self.r.ty(v);
        if ty.is_int() {
            match self.imm32(v) {
                Some(imm) => self.a.mov_mi(super::alloc::size(ty), m, imm),
                None => {
                    let r = self.reg(v);
                    self.a.mov_mr(super::alloc::size(ty), m, r);
                    self.note_copy(slot, v);
                }
            }
        } else if !self.zero_two(slot, v) {
            let x = self.x(v);
            self.note_copy(slot, v);
            match ty.bytes() {
                16 => self.a.vst(vop::VMOVUPS_ST, L128, m, x),
                8 => self.a.vst(vop::VMOVSD_ST, L128, m, x),
                4 => self.a.vst(vop::VMOVSS_ST, L128, m, x),
                _ => self.a.vsti(vop::VPEXTRW_ST, L128, m, x, 0),
            }
        }
    }

    /// A slot without a home holds this value too, if all of it: what is narrower has zeros above it.
    fn note_copy(&mut self, slot: u16, v: Val) {
        let root = self.root(v);
        let (own, whole) = (self.r.ty(v), self.r.ty(root));
        if own == whole && own == Ty::V128 || own.is_int() && whole.is_int() && whole.bytes() <= own.bytes() {
            self.slot_holds[slot as usize] = root;
        }
    }

    /// A slot without a home that holds all of a (root) value.
    pub(super) fn copy_of(&self, root: Val) -> Option<u16> {
        self.slot_holds.iter().position(|v| *v == root).map(|slot| slot as u16)
    }

    /// Zero goes to this slot and to the next one, by one store: upper halves of vectors are cleared in rows.
    fn zero_two(&mut self, slot: u16, v: Val) -> bool {
        let (next, second) = (self.now + 1, slot as usize + 1);
        let is_zero = |v: Val| self.r.ty(v) == Ty::V128 && self.r.const_v_of(v) == Some(0);
        let follows = self
            .r
            .insts
            .get(next as usize)
            .is_some_and(|i| matches!(i.op, Op::Set(s, w) if usize::from(s.0) == second && is_zero(w)));
        let place = |slot: usize| self.map.state.slots[slot].offset;
        if !is_zero(v)
            || !follows
            || self.plan.skip[next as usize]
            || self.map.homes.xmm[second].is_some()
            || self.r.blocks.iter().any(|block| block.start == next)
            || place(second) != place(slot as usize) + 16
        {
            return false;
        }
        self.rescue(slot + 1, v);
        self.a.v3(vop::VPXOR, L128, XSCRATCH, XSCRATCH, XSCRATCH);
        self.a.vst(vop::VMOVUPS_ST, L256, self.map.mem(slot as usize), XSCRATCH);
        self.done = next;
        true
    }

    /// A value whose place is memory slot `slot` moves to a register, if it is still needed: the slot is about to be overwritten by `new`.
    fn rescue(&mut self, slot: u16, new: Val) {
        let v = std::mem::replace(&mut self.slot_holds[slot as usize], Val::NONE);
        if v.is_none() || self.locs[v.0 as usize] != Loc::Slot(slot) {
            return;
        }
        if !self.live_after(v) && (new.is_none() || self.root(new) != v) {
            return;
        }
        if self.r.ty(v).is_int() {
            self.reg(v);
        } else {
            self.x(v);
        }
    }

    /// The offset of the next instruction is that of an access that can fault.
    pub(super) fn fault_here(&mut self) {
        self.fenced = false;
        let flags = self.flags_at();
        let at = self.a.here();
        let mut record = |(flags, flags_slot)| {
            self.out.faults.push(FaultRecord { at, pc: self.pc, extra: self.extra, flags, flags_slot });
        };
        match flags {
            [None, None] => record((FlagsAt::Slot, 0)),
            some => some.into_iter().flatten().for_each(&mut record),
        }
        if let Some((_, told, mem)) = self.told.filter(|told| told.0 == self.now) {
            let (index, scale) = mem.index.map_or((NO_REGISTER, 0), |(r, scale)| (r.0, scale));
            let base = mem.base.map_or(NO_REGISTER, |r| r.0);
            let disp = mem.disp.wrapping_sub(told.back);
            record((FlagsAt::Sum { base, index, scale, disp }, told.slot.0));
        }
    }

    /// The next instruction is an operation that traps if it is invalid, and is then done at the label.
    pub(super) fn trap_here(&mut self, slow: Label) {
        self.trapping.push((self.a.here(), slow));
    }

    fn slow_paths_of_traps(&mut self) {
        for (at, slow) in std::mem::take(&mut self.trapping) {
            let slow = self.a.offset_of(slow).expect("slow paths are written");
            let record = FaultRecord { at, pc: u64::from(slow), extra: 0, flags: FlagsAt::SlowPath, flags_slot: 0 };
            self.out.faults.push(record);
        }
    }

    /// The value's bits in the scratch register.
    pub(super) fn in_scratch(&mut self, v: Val) -> Reg {
        self.copy_to(v, SCRATCH);
        SCRATCH
    }
}
