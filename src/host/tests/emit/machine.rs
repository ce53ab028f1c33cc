//! A toy guest to run compiled regions on: some slots with homes and some without, memory for code, and the reference that runs the same
//! region by `ir::eval`.

use host::cpu::{Cpu, GUEST_SIZE, OPEN_PAIRS, UNKNOWN};
use host::x86_64::{Compiler, Features, Map, Request, thunks};
use host::{FaultRecord, FlagsAt, Place, Site, StateMap, SyscallSlots, Thunks};
use ir::opt::Pair;
use ir::{BlockId, NanRule, Op, Region, Round, Slot, Term, Ty, Val, fpflag};
use std::sync::atomic::Ordering;

use crate::traps::{self, MASK_INVALID};

pub(crate) const I64S: std::ops::Range<u16> = 0..8;
pub(crate) const I32S: std::ops::Range<u16> = 8..12;
pub(crate) const FLAGS: u16 = 12;
pub(crate) const V128S: std::ops::Range<u16> = 13..37;
/// Rounds of loops.
pub(crate) const COUNTS: std::ops::Range<u16> = 37..39;
/// Other flags, as arm has those of floating point.
pub(crate) const MORE_FLAGS: u16 = 39;
/// Registers that are as wide as a double: as arm's D registers they stand side by side.
pub(crate) const F64S: std::ops::Range<u16> = 40..48;
const SLOTS: usize = 48;
/// Pairs of them as slots of loops: they lie where their halves do.
const WHOLES: std::ops::Range<u16> = 48..52;
pub(crate) static PAIRS: [Pair; 4] = {
    let mut pairs = [Pair { halves: [Slot(0); 2], whole: Slot(0) }; 4];
    let mut n = 0;
    while n < 4 {
        let low = F64S.start + 2 * n as u16;
        pairs[n] = Pair { halves: [Slot(low), Slot(low + 1)], whole: Slot(WHOLES.start + n as u16) };
        n += 1;
    }
    pairs
};
/// How many of them have homes, if the map has so many: with AVX-512 some are low and some high.
const VECTOR_HOMES: u16 = 18;

pub(crate) static TYPES: [Ty; WHOLES.end as usize] = {
    let mut t = [Ty::V128; WHOLES.end as usize];
    let mut i = 0;
    while i <= FLAGS as usize {
        t[i] = match i {
            0..8 => Ty::I64,
            8..12 => Ty::I32,
            _ => Ty::Flags,
        };
        i += 1;
    }
    (t[37], t[38], t[39]) = (Ty::I64, Ty::I64, Ty::Flags);
    while i < SLOTS {
        if i >= F64S.start as usize {
            t[i] = Ty::F64;
        }
        i += 1;
    }
    t
};

/// The bits of packed flags that mean something.
const FLAG_BITS: u128 = 0xc101;
/// Guest memory that loads and stores of random regions go to.
pub(crate) const MEMORY: usize = 256;

/// Guest state by slot, sticky flags, memory.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct State {
    pub(crate) slots: [u128; SLOTS],
    pub(crate) fp_flags: u32,
    pub(crate) memory: [u8; MEMORY],
}

impl Default for State {
    fn default() -> State {
        State { slots: [0; SLOTS], fp_flags: 0, memory: [0; MEMORY] }
    }
}

pub(crate) struct Machine {
    code: *mut u8,
    free: usize,
    thunks: Thunks,
    compiler: Compiler,
    cpu: Box<Cpu>,
    shadow: Vec<u64>,
    #[allow(clippy::vec_box, reason = "generated code holds their addresses")]
    sites: Vec<Box<Site>>,
    entry: u64,
    /// Where else the code is entered, from its start.
    side_entries: Vec<(u64, u32)>,
    pub(crate) memory: Box<[u8; MEMORY]>,
    mxcsr: u32,
    /// Whether invalid operations trap: in every other region.
    traps: bool,
    slow_paths: Vec<(u64, u64)>,
}

const CODE: usize = 1 << 20;
/// Where exit records, link slots and site cells are, from the start of the code. The first two are never read.
const EXITS: usize = CODE / 2;
const LINKS: usize = EXITS + (64 << 10);
const SITES: usize = LINKS + (64 << 10);

/// MXCSR.DE.
const DENORMAL: u32 = 2;

/// As [`ir::eval`], but x86's denormal flag is nobody's.
fn evaluate(op: &Op, ty: Ty, types: &[Ty; 4], args: &[u128; 4], fp_flags: &mut u32) -> u128 {
    let before = *fp_flags;
    let bits = ir::eval(op, ty, types, args, fp_flags);
    if op.env().is_some_and(|e| e.nan == NanRule::X86) {
        *fp_flags = *fp_flags & !DENORMAL | before & DENORMAL;
    }
    bits
}

extern "C" fn serve(cpu: *mut Cpu, site: *const Site) {
    // SAFETY: the thunk passes the machine's own Cpu and a site that `sites` keeps; nobody else uses them while generated code runs.
    let (cpu, site) = unsafe { (&mut *cpu, &*site) };
    let args = cpu.args.map(|[low, high]| u128::from(low) | u128::from(high) << 64);
    let bits = evaluate(&site.op, site.ty, &site.arg_types, &args, &mut cpu.fp_flags);
    if cpu.known_flags != UNKNOWN {
        cpu.known_flags = cpu.fp_flags;
    }
    cpu.ret = [bits as u64, (bits >> 64) as u64];
    cpu.owner += 1;
}

fn place(slot: usize) -> usize {
    if slot >= WHOLES.start.into() {
        return place(PAIRS[slot - usize::from(WHOLES.start)].halves[0].0.into());
    }
    let wide = slot.min(F64S.start.into());
    wide * 16 + (slot - wide) * 8
}

impl Machine {
    pub(crate) fn new(features: Features) -> Machine {
        let slots = (0..TYPES.len()).map(|s| Place { offset: place(s) as u16, ty: TYPES[s] }).collect();
        let int_homes = [0, 1, 2, 3, 4, 8, 9, 5, 6, 7, 10, 11, 37, 38].map(Slot).to_vec();
        // Some of both kinds have homes.
        let vec_homes = (F64S.start..F64S.end - 4).chain(V128S).chain(F64S.end - 4..F64S.end).map(Slot).collect();
        let syscall = SyscallSlots { number: Slot(7), args: [0, 1, 2, 3, 4, 5].map(Slot), result: Slot(0) };
        let state = StateMap {
            slots,
            int_homes,
            vec_homes,
            pairs: PAIRS.to_vec(),
            syscall,
            host_flags: fpflag::IEEE,
            invalid_traps: true,
            direct_mode: 0,
        };
        let map = Map::with(state, features, 7, VECTOR_HOMES.into());
        // SAFETY: a fresh anonymous mapping, checked below.
        let code = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                CODE,
                libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        assert_ne!(code, libc::MAP_FAILED);
        let code = code.cast::<u8>();
        let (mut asm, offsets) = thunks::write(&map, serve as *const () as u64);
        asm.relocate(code as u64).expect("the thunks refer to themselves only");
        copy(&asm.buf, code, 0);
        let thunks = offsets.at(code as u64);
        // SAFETY: integers, arrays of integers and an atomic: all zeros is a value of each.
        let mut cpu = unsafe { Box::<Cpu>::new_zeroed().assume_init() };
        *cpu.going.get_mut() = (host::cpu::JUMP_CACHE as u32 - 1) << 2;
        Machine {
            code,
            free: asm.buf.len().next_multiple_of(64),
            thunks,
            compiler: Compiler::new(map, thunks, features),
            cpu,
            shadow: vec![0; 4096],
            sites: Vec::new(),
            entry: 0,
            side_entries: Vec::new(),
            memory: Box::new([0; MEMORY]),
            mxcsr: 0,
            traps: false,
            slow_paths: Vec::new(),
        }
    }

    /// Compiles a region in place of the one before. It leaves by exits only.
    pub(crate) fn load(&mut self, region: &Region, hot: bool) {
        self.sites.clear();
        let at = |offset: usize| (self.code as usize + offset) as u64;
        self.traps = !self.traps;
        let request = Request {
            region,
            first_exit: at(EXITS),
            first_link: at(LINKS),
            first_site: at(SITES),
            count: false,
            hot,
            traps: self.traps,
        };
        let (asm, out) = self.compiler.compile(request);
        self.sites.extend(out.sites.into_iter().map(Box::new));
        self.side_entries = out.side_entries;
        self.entry = self.code as u64 + self.free as u64;
        asm.relocate(self.entry).expect("all is near");
        let slow_path = |f: &FaultRecord| (self.entry + u64::from(f.at), self.entry + f.pc);
        self.slow_paths = out.faults.iter().filter(|f| f.flags == FlagsAt::SlowPath).map(slow_path).collect();
        copy(&asm.buf, self.code, self.free);
        for (n, site) in self.sites.iter().enumerate() {
            copy(&(&raw const **site as u64).to_le_bytes(), self.code, SITES + 8 * n);
        }
        let rounding = match region.fp.round {
            Round::NearestEven => 0,
            Round::Down => 1,
            Round::Up => 2,
            Round::Zero => 3,
            other => panic!("the host cannot round {other:?}"),
        };
        let masks = if self.traps { 0x1f80 & !MASK_INVALID } else { 0x1f80 };
        self.mxcsr = masks | rounding << 13;
    }

    /// Runs the loaded region from `state`: the state afterwards, and how many operations were done by a call.
    pub(crate) fn run(&mut self, state: &State) -> (State, u64) {
        self.run_from(state, self.entry)
    }

    /// The same from the side entry at a guest address.
    pub(crate) fn run_aside(&mut self, state: &State, pc: u64) -> State {
        let side = self.side_entries.iter().find(|e| e.0 == pc).expect("a side entry");
        self.run_from(state, self.entry + u64::from(side.1)).0
    }

    fn run_from(&mut self, state: &State, code: u64) -> (State, u64) {
        let cpu = &mut *self.cpu;
        cpu.guest = [0; GUEST_SIZE];
        for (s, bits) in state.slots.iter().enumerate() {
            cpu.guest[place(s)..place(s) + 16].copy_from_slice(&bits.to_le_bytes());
        }
        cpu.shadow = self.shadow.as_ptr() as u64 + 8 * 2048;
        cpu.shadow_top = cpu.shadow;
        (cpu.mxcsr, cpu.fp_flags, cpu.owner) = (self.mxcsr, state.fp_flags, 0);
        (cpu.known_flags, cpu.watches) = (UNKNOWN, u32::MAX);
        cpu.excl_addr = u64::MAX;
        // Atomics with and without locks.
        let concurrent = cpu.concurrent.load(Ordering::Relaxed);
        cpu.concurrent.store(OPEN_PAIRS - concurrent, Ordering::Relaxed);
        cpu.fcmp = host::cpu::FCMP;
        *self.memory = state.memory;
        // SAFETY: the thunk was written for exactly this; code, Cpu and shadow stack outlive the call.
        traps::with(&self.slow_paths, || unsafe {
            let enter: extern "C" fn(*mut Cpu, u64) = std::mem::transmute(self.thunks.enter as *const ());
            enter(cpu, code);
        });
        let mut after =
            State { fp_flags: cpu.fp_flags | cpu.mxcsr & fpflag::IEEE, memory: *self.memory, ..State::default() };
        #[allow(clippy::needless_range_loop, reason = "slots are numbers in all that follows")]
        for s in 0..SLOTS {
            let mut bytes = [0; 16];
            bytes.copy_from_slice(&cpu.guest[place(s)..place(s) + 16]);
            after.slots[s] = u128::from_le_bytes(bytes) & mask(TYPES[s]);
        }
        (after, cpu.owner)
    }

    pub(crate) fn code_bytes(&self) -> &[u8] {
        // SAFETY: within the mapping; nothing writes it while the slice lives.
        unsafe { std::slice::from_raw_parts(self.entry as *const u8, 4096) }
    }
}

fn copy(bytes: &[u8], code: *mut u8, at: usize) {
    assert!(at + bytes.len() <= CODE, "code is too long");
    // SAFETY: within the mapping, as just checked.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), code.add(at), bytes.len()) };
}

fn mask(ty: Ty) -> u128 {
    match ty {
        Ty::Flags => FLAG_BITS,
        ty => ir::eval::mask(ty),
    }
}

/// Runs a region by `ir::eval`, to the end of a block that leaves. Memory is at address `memory` for the region.
pub(crate) fn interpret(r: &Region, state: &State, memory: u64) -> State {
    interpret_from(r, BlockId(0), state, memory)
}

pub(crate) fn interpret_from(r: &Region, block: BlockId, state: &State, memory: u64) -> State {
    let mut s = state.clone();
    for (slot, bits) in s.slots.iter_mut().enumerate() {
        *bits &= mask(TYPES[slot]);
    }
    let mut values = vec![0u128; r.insts.len()];
    let mut at = block.0 as usize;
    loop {
        let block = &r.blocks[at];
        run_block(r, block.start..block.end, &mut values, &mut s, memory);
        at = match block.term {
            Term::Jump(b) => b.0 as usize,
            Term::Branch { cond, then, other } => {
                let b = if values[cond.0 as usize] & 1 == 1 { then } else { other };
                b.0 as usize
            }
            _ => return s,
        };
    }
}

fn run_block(r: &Region, insts: std::ops::Range<u32>, values: &mut [u128], s: &mut State, memory: u64) {
    for i in insts {
        let inst = &r.insts[i as usize];
        let value = |v: Val| values[v.0 as usize];
        values[i as usize] = match inst.op {
            Op::Const(c) => c.into(),
            Op::ConstV(n) => r.vectors[n as usize],
            Op::Insn { .. } | Op::Poll { .. } => 0,
            Op::Get(slot) => s.slots[slot.0 as usize],
            Op::Set(slot, v) => {
                s.slots[slot.0 as usize] = value(v) & mask(TYPES[slot.0 as usize]);
                0
            }
            Op::FpFlagsGet => s.fp_flags.into(),
            Op::Concurrent => 0,
            Op::FpFlagsSet(v) => {
                s.fp_flags = value(v) as u32;
                0
            }
            Op::Load(m) => {
                let at = address(&m, &value, memory);
                let mut bytes = [0; 16];
                bytes[..m.size.into()].copy_from_slice(&s.memory[at..at + usize::from(m.size)]);
                let raw = if m.big {
                    bytes[..m.size.into()].reverse();
                    u128::from_le_bytes(bytes)
                } else {
                    u128::from_le_bytes(bytes)
                };
                let spare = 128 - 8 * u32::from(m.size);
                let wide = if m.ext == ir::Ext::Sign { (((raw << spare) as i128) >> spare) as u128 } else { raw };
                wide & mask(inst.ty)
            }
            Op::LoadLanes(m, mask) => {
                let (at, bytes) = (address(&m, &value, memory), chosen(value(mask), m.size));
                bytes.fold(0, |all, n| all | u128::from(s.memory[at + n]) << (8 * n))
            }
            Op::StoreLanes(m, v, mask) => {
                let (at, bytes) = (address(&m, &value, memory), chosen(value(mask), m.size));
                bytes.for_each(|n| s.memory[at + n] = value(v).to_le_bytes()[n]);
                0
            }
            Op::Store(m, v) => {
                let at = address(&m, &value, memory);
                let mut bytes = value(v).to_le_bytes();
                if m.big {
                    bytes[..m.size.into()].reverse();
                }
                s.memory[at..at + usize::from(m.size)].copy_from_slice(&bytes[..m.size.into()]);
                0
            }
            op => {
                let (mut args, mut types, mut n) = ([0; 4], [Ty::Void; 4], 0);
                op.for_each_arg(|a| {
                    (args[n], types[n]) = (value(a), r.ty(a));
                    n += 1;
                });
                evaluate(&op, inst.ty, &types, &args, &mut s.fp_flags)
            }
        };
    }
}

/// Bytes of lanes of `size` that a mask chooses.
fn chosen(mask: u128, size: u8) -> impl Iterator<Item = usize> {
    let size = usize::from(size);
    (0..16).filter(move |n| mask >> (8 * (n / size * size + size) - 1) & 1 != 0)
}

fn address(m: &ir::Mem, value: &impl Fn(Val) -> u128, memory: u64) -> usize {
    let index = if m.index.is_none() { 0 } else { (value(m.index) as u64) << m.scale };
    let at = (value(m.base) as u64).wrapping_add(index).wrapping_add_signed(m.disp.into());
    (at - memory) as usize
}
