//! EVEX: memory under a mask. Elements that are not chosen are not accessed, so that they cannot fault.
//!
//! Elements of 32 and 64 bits are lanes of [`ir::Op::LoadLanes`] and [`ir::Op::StoreLanes`]. Smaller ones are staged: all of them are read ahead at once, and
//! where that cannot be, or nothing is chosen, each chosen element is loaded by itself, in a loop. So are they stored, unless all are chosen.

use super::Cx;
use super::evex::{Evex, is_scalar, lane_of, pieces};
use super::vector::{demanded_alignment, last};
use crate::insn::rows;
use crate::state::{STATE64, TODO, opmask, stage, vector};
use iced_x86::{Instruction, Mnemonic, OpKind, Register};
use ir::{Align, Bin, Frame, Helper, IntCc, Lane, Mem, Slot, Term, Touches, Ty, Un, Val};

rows! {
    Vpscatterdd => scatter(Lane::S, Lane::S);
    Vpscatterqd => scatter(Lane::D, Lane::S);
    Vpscatterdq => scatter(Lane::S, Lane::D);
    Vpscatterqq => scatter(Lane::D, Lane::D);
    Vscatterdps => scatter(Lane::S, Lane::S);
    Vscatterqps => scatter(Lane::D, Lane::S);
    Vscatterdpd => scatter(Lane::S, Lane::D);
    Vscatterqpd => scatter(Lane::D, Lane::D);
    Vgatherdps => gather(Lane::S, Lane::S);
    Vgatherqps => gather(Lane::D, Lane::S);
    Vgatherdpd => gather(Lane::S, Lane::D);
    Vgatherqpd => gather(Lane::D, Lane::D);
    Vpgatherdd => gather(Lane::S, Lane::S);
    Vpgatherqd => gather(Lane::D, Lane::S);
    Vpgatherdq => gather(Lane::S, Lane::D);
    Vpgatherqq => gather(Lane::D, Lane::D);
    Vcompressps => compress(Lane::S);
    Vcompresspd => compress(Lane::D);
    Vpcompressb => compress(Lane::B);
    Vpcompressw => compress(Lane::H);
    Vpcompressd => compress(Lane::S);
    Vpcompressq => compress(Lane::D);
    Vexpandps => expand(Lane::S);
    Vexpandpd => expand(Lane::D);
    Vpexpandb => expand(Lane::B);
    Vpexpandw => expand(Lane::H);
    Vpexpandd => expand(Lane::S);
    Vpexpandq => expand(Lane::D);
}

pub(super) static STAGES: [Slot; 4] = [stage(0), stage(1), stage(2), stage(3)];

/// The element whose turn it is goes to its place among what is staged: what is still to do, the value, log2 of its size.
static PUT: Helper = staged("evex_put", |f| {
    let size = 1 << f.args[2];
    let at = place(f.args[0] as u64, size);
    let bytes = f.args[1].to_le_bytes();
    f.state[at..at + size].copy_from_slice(&bytes[..size]);
});
/// And is read from there.
static GET: Helper = staged("evex_get", |f| {
    let size = 1 << f.args[1];
    let at = place(f.args[0] as u64, size);
    let mut bytes = [0; 16];
    bytes[..size].copy_from_slice(&f.state[at..at + size]);
    f.ret = u128::from_le_bytes(bytes);
});
/// Chosen elements of what is staged next to each other, and zero behind them: bits, log2 of their size, how many there are.
static COMPRESS: Helper = staged("evex_compress", |f| {
    let (old, size) = (all_staged(f), 1usize << f.args[1]);
    let mut new = [0; 64];
    for (to, n) in (0..f.args[2] as usize).filter(|n| f.args[0] >> n & 1 != 0).enumerate() {
        new[to * size..][..size].copy_from_slice(&old[n * size..][..size]);
    }
    set_staged(f, &new);
});
/// The opposite.
static EXPAND: Helper = staged("evex_expand", |f| {
    let (old, size) = (all_staged(f), 1usize << f.args[1]);
    let mut new = [0; 64];
    for (from, n) in (0..f.args[2] as usize).filter(|n| f.args[0] >> n & 1 != 0).enumerate() {
        new[n * size..][..size].copy_from_slice(&old[from * size..][..size]);
    }
    set_staged(f, &new);
});

/// A helper on what is staged.
pub(super) const fn staged(name: &'static str, run: fn(&mut Frame<'_>)) -> Helper {
    Helper { name, run, touches: Touches::Writes(&STAGES), can_exit: false, pure: false }
}

fn place(todo: u64, size: usize) -> usize {
    STATE64.offset(STAGES[0]) + (todo.trailing_zeros() as usize * size).min(64 - size)
}

pub(super) fn all_staged(f: &Frame<'_>) -> [u8; 64] {
    f.state_bytes(STATE64.offset(STAGES[0]))
}

pub(super) fn set_staged(f: &mut Frame<'_>, bytes: &[u8; 64]) {
    f.state[STATE64.offset(STAGES[0])..][..64].copy_from_slice(bytes);
}

/// Whether the memory operand is loaded under the mask. Instructions that rearrange elements load all of them.
pub(super) fn is_staged(i: &Instruction) -> bool {
    use Mnemonic::*;
    if i.op_mask() == Register::None || i.op0_kind() != OpKind::Register || i.op_kind(last(i)) != OpKind::Memory {
        return false;
    }
    #[rustfmt::skip]
    let whole = matches!(
        i.mnemonic(),
        Valignd | Valignq | Vpacksswb | Vpackssdw | Vpackuswb | Vpackusdw | Vpalignr | Vpermb | Vpermw | Vpermd | Vpermq | Vpermps | Vpermpd
            | Vpermi2b | Vpermi2w | Vpermi2d | Vpermi2q | Vpermi2ps | Vpermi2pd | Vpermt2b | Vpermt2w | Vpermt2d | Vpermt2q | Vpermt2ps
            | Vpermt2pd | Vpermilps | Vpermilpd | Vpmultishiftqb | Vpshufb | Vpshufd | Vpshufhw | Vpshuflw | Vpunpckhbw | Vpunpckhdq
            | Vpunpckhqdq | Vpunpckhwd | Vpunpcklbw | Vpunpckldq | Vpunpcklqdq | Vpunpcklwd | Vshuff32x4 | Vshuff64x2 | Vshufi32x4
            | Vshufi64x2 | Vshufps | Vshufpd | Vunpckhps | Vunpckhpd | Vunpcklps | Vunpcklpd | Vdbpsadbw | Vpconflictd | Vpconflictq
            | Vmovddup | Vmovsldup | Vmovshdup | Vpmaddwd | Vpmaddubsw | Vinsertf32x4 | Vinsertf32x8 | Vinsertf64x2 | Vinsertf64x4
            | Vinserti32x4 | Vinserti32x8 | Vinserti64x2 | Vinserti64x4
            | Vgf2p8affineqb | Vgf2p8affineinvqb
    );
    // One count for all lanes.
    let counts = matches!(i.mnemonic(), Vpsllw | Vpslld | Vpsllq | Vpsrlw | Vpsrld | Vpsrlq | Vpsraw | Vpsrad | Vpsraq)
        && i.op2_kind() == OpKind::Memory;
    !whole && !counts && !i.is_vsib()
}

/// Of a memory operand that would be staged, if its elements are of 32 or 64 bits: it need not be. How many they are.
pub(super) fn by_lanes(i: &Instruction) -> Option<(Lane, u32)> {
    let lane = lane_in_memory(i);
    let apart = is_expansion(i) || !matches!(lane, Lane::S | Lane::D);
    let count = if is_scalar(i) || i.is_broadcast() { 1 } else { (i.memory_size().size() / lane.bytes()) as u32 };
    (is_staged(i) && !apart).then_some((lane, count))
}

/// Lanes of results that want the `count` elements of the memory operand, each as many times as there are more.
pub(super) fn wanted_by(i: &Instruction, count: u32) -> u32 {
    let widest = lane_of(i).bytes().max(lane_in_memory(i).bytes()) as u32;
    if is_repeated(i) || i.is_broadcast() { 16 * pieces(i) / widest } else { count }
}

/// All ones below `n`.
pub(super) fn below(n: u32) -> u64 {
    if n >= 64 { u64::MAX } else { (1 << n) - 1 }
}

/// Stages the memory operand, if it is one that is. The instruction's registers are as they were.
pub(super) fn prepare(cx: &mut Cx, i: &Instruction) {
    if !is_staged(i) {
        return;
    }
    let (lane, size) = (lane_in_memory(i), i.memory_size().size());
    let Some(mask) = cx.mask(i) else { return };
    if let Some((_, count)) = by_lanes(i) {
        if demanded_alignment(i) > 1 {
            let mask = cx.b.and_imm(mask, below(count));
            cx.b.set(TODO, mask);
            check_alignment(cx, i);
        }
        return;
    }
    if is_repeated(i) {
        let count = (i.op0_register().size() / lane_of(i).bytes()) as u32;
        let chosen = cx.b.and_imm(mask, below(count));
        return stage_whole(cx, i, chosen);
    }
    let count = (size / lane.bytes()) as u32;
    let mask = cx.b.and_imm(mask, below(count));
    let mask = if is_expansion(i) { compacted_mask(cx, mask) } else { mask };
    cx.b.set(TODO, mask);
    check_alignment(cx, i);
    stage_lanes(cx, i, lane, size as u32);
}

/// Instructions that load as many elements as are chosen, one behind the other.
fn is_expansion(i: &Instruction) -> bool {
    use Mnemonic::*;
    matches!(i.mnemonic(), Vexpandps | Vexpandpd | Vpexpandb | Vpexpandw | Vpexpandd | Vpexpandq)
}

/// Instructions whose memory operand is wanted by many lanes: it is accessed if there is one.
fn is_repeated(i: &Instruction) -> bool {
    use Mnemonic::*;
    #[rustfmt::skip]
    let there = matches!(
        i.mnemonic(),
        Vbroadcastf32x2 | Vbroadcastf32x4 | Vbroadcastf32x8 | Vbroadcastf64x2 | Vbroadcastf64x4 | Vbroadcasti32x2 | Vbroadcasti32x4
            | Vbroadcasti32x8 | Vbroadcasti64x2 | Vbroadcasti64x4 | Vbroadcastss | Vbroadcastsd | Vpbroadcastb | Vpbroadcastw | Vpbroadcastd
            | Vpbroadcastq
    );
    there
}

/// The elements of the memory operand that the mask's bits stand for.
fn lane_in_memory(i: &Instruction) -> Lane {
    use Mnemonic::*;
    match i.mnemonic() {
        Vpmuldq | Vpmuludq | Vpdpbusd | Vpdpbusds | Vpdpwssd | Vpdpwssds => lane_of(i),
        _ => Lane::log2(i.memory_size().element_size().max(1).trailing_zeros().min(3)),
    }
}

/// As many bits as `mask` has.
fn compacted_mask(cx: &mut Cx, mask: Val) -> Val {
    let count = cx.b.un(Un::Popcnt, mask);
    let (one, all) = (cx.b.i64(1), cx.b.i64(64));
    // A shift by 64 is none.
    let up = cx.b.bin(Bin::Shl, one, count);
    let v = cx.b.add_imm(up, -1);
    let whole = cx.b.cmp(IntCc::Eq, count, all);
    let ones = cx.b.i64(u64::MAX);
    cx.b.select(whole, ones, v)
}

/// A protection fault for what has to be aligned and is not, if there is anything to do.
fn check_alignment(cx: &mut Cx, i: &Instruction) {
    let bytes = demanded_alignment(i);
    if bytes == 1 {
        return;
    }
    let (addr, todo) = (cx.linear(i), cx.b.get(TODO));
    let low = cx.b.and_imm(addr, bytes as u64 - 1);
    let low = cx.b.zext(Ty::I64, low);
    let zero = cx.b.i64(0);
    let bad = cx.b.cmp(IntCc::Ne, low, zero);
    let any = cx.b.cmp(IntCc::Ne, todo, zero);
    let bad = cx.b.and(bad, any);
    let (trap, on) = (cx.b.block(), cx.b.block());
    cx.b.branch(bad, trap, on);
    cx.b.enter(trap);
    cx.privileged();
    cx.b.enter(on);
}

/// All of the operand, if any of it is wanted.
fn stage_whole(cx: &mut Cx, i: &Instruction, chosen: Val) {
    let zero = cx.b.i64(0);
    let wanted = cx.b.cmp(IntCc::Ne, chosen, zero);
    let none = cx.b.v128(0);
    STAGES.iter().for_each(|slot| cx.b.set(*slot, none));
    let (there, on) = (cx.b.block(), cx.b.block());
    cx.b.branch(wanted, there, on);
    cx.b.enter(there);
    let all = cx.load_whole(i);
    STAGES.iter().zip(all).filter(|(_, v)| !v.is_none()).for_each(|(slot, v)| cx.b.set(*slot, v));
    cx.b.end(Term::Jump(on));
    cx.b.enter(on);
}

/// Elements from memory that the mask chooses; what is between them may be as memory has it.
fn stage_lanes(cx: &mut Cx, i: &Instruction, lane: Lane, size: u32) {
    let ahead = (size >= 16).then(|| [cx.b.block(), cx.b.block()]);
    let (slow, body, on) = (cx.b.block(), cx.b.block(), cx.b.block());
    if let Some([ahead, fast]) = ahead {
        cx.b.end(Term::Jump(ahead));
        cx.b.enter(ahead);
        let (todo, zero) = (cx.b.get(TODO), cx.b.i64(0));
        let none = cx.b.cmp(IntCc::Eq, todo, zero);
        let all: Vec<Val> = (0..size / 16)
            .map(|n| {
                let mem = cx.part_of_memory(i, 16 * n, 16).align(Align::Any);
                cx.b.load_ahead(mem)
            })
            .collect();
        cx.b.branch(none, slow, fast);
        cx.b.enter(fast);
        STAGES.iter().zip(all).for_each(|(slot, v)| cx.b.set(*slot, v));
        cx.b.end(Term::Jump(on));
    } else {
        cx.b.end(Term::Jump(slow));
    }
    cx.b.enter(slow);
    let none = cx.b.v128(0);
    STAGES.iter().for_each(|slot| cx.b.set(*slot, none));
    let (todo, zero) = (cx.b.get(TODO), cx.b.i64(0));
    let done = cx.b.cmp(IntCc::Eq, todo, zero);
    cx.b.branch(done, on, body);
    cx.b.enter(body);
    let (mem, todo) = element_to_do(cx, i, lane);
    let v = cx.b.load(lane.ty(), mem);
    let log2 = cx.b.i32(lane as u32);
    let v = cx.b.zext(Ty::I64, v);
    cx.b.call(&PUT, Ty::Void, &[todo, v, log2]);
    next_element(cx, todo, body, on);
    cx.b.enter(on);
}

/// Where the element is whose turn it is, and what is still to do.
fn element_to_do(cx: &mut Cx, i: &Instruction, lane: Lane) -> (Mem, Val) {
    let todo = cx.b.get(TODO);
    let at = cx.b.un(Un::Ctz, todo);
    let at = cx.b.shift_imm(Bin::Shl, at, lane as u32);
    let base = cx.linear(i);
    let at = cx.b.trunc(cx.b.ty(base), at);
    let at = cx.b.add(base, at);
    (Mem::at(at, lane.bytes() as u8).align(Align::Any), todo)
}

fn next_element(cx: &mut Cx, todo: Val, body: ir::BlockId, on: ir::BlockId) {
    let less = cx.b.add_imm(todo, -1);
    let todo = cx.b.and(todo, less);
    cx.b.set(TODO, todo);
    let zero = cx.b.i64(0);
    let done = cx.b.cmp(IntCc::Eq, todo, zero);
    cx.b.branch(done, on, body);
}

impl Cx<'_> {
    /// Stores results, or those that the mask chooses.
    // Differs: where an element's store faults, those before it are done.
    pub(super) fn store_pieces(&mut self, i: &Instruction, results: [Val; 4], evex: Evex) {
        let size = i.memory_size().size() as u32;
        let Some(mask) = evex.mask else {
            for n in 0..size.div_ceil(16) {
                let mem = if n == 0 { self.half_of_memory(i) } else { self.part_of_memory(i, 16 * n, 16) };
                store_part(self, mem, size, results[n as usize]);
            }
            return;
        };
        // The bits behind count where elements are stored one by one.
        let by_lanes = matches!(evex.lane, Lane::S | Lane::D) && demanded_alignment(i) == 1;
        let count = if evex.lanes == 1 { 1 } else { size / evex.lane.bytes() as u32 };
        let mask = if by_lanes { mask } else { self.b.and_imm(mask, below(count)) };
        self.store_chosen(i, results, evex.lane, size, mask);
    }

    fn store_chosen(&mut self, i: &Instruction, results: [Val; 4], lane: Lane, size: u32, mask: Val) {
        if matches!(lane, Lane::S | Lane::D) && demanded_alignment(i) == 1 {
            let each = 16 / lane.bytes() as u32;
            let count = if is_scalar(i) { 1 } else { size / lane.bytes() as u32 };
            for (n, v) in (0..count.div_ceil(each)).zip(results) {
                let lanes = self.lanes_alone(mask, lane, n * each, count.min(each));
                let mem = self.part_of_memory(i, 16 * n, lane.bytes()).align(Align::Any);
                self.b.store_lanes(mem, v, lanes);
            }
            return;
        }
        for (slot, v) in STAGES.iter().zip(results) {
            if !v.is_none() {
                self.b.set(*slot, v);
            }
        }
        self.b.set(TODO, mask);
        check_alignment(self, i);
        let (mask, all) = (self.b.get(TODO), self.b.i64(below(size / lane.bytes() as u32)));
        let whole = self.b.cmp(IntCc::Eq, mask, all);
        let (fast, slow, body, on) = (self.b.block(), self.b.block(), self.b.block(), self.b.block());
        self.b.branch(whole, fast, slow);
        self.b.enter(fast);
        for n in 0..size.div_ceil(16) {
            let v = self.b.get(STAGES[n as usize]);
            let mem = self.part_of_memory(i, 16 * n, 16).align(Align::Any);
            store_part(self, mem, size, v);
        }
        self.b.end(Term::Jump(on));
        self.b.enter(slow);
        let (todo, zero) = (self.b.get(TODO), self.b.i64(0));
        let done = self.b.cmp(IntCc::Eq, todo, zero);
        self.b.branch(done, on, body);
        self.b.enter(body);
        let (mem, todo) = element_to_do(self, i, lane);
        let log2 = self.b.i32(lane as u32);
        let v = self.b.call(&GET, Ty::I64, &[todo, log2]);
        let v = self.b.trunc(lane.ty(), v);
        self.b.store(mem, v);
        next_element(self, todo, body, on);
        self.b.enter(on);
    }
}

/// Sixteen bytes, or what there is of them.
fn store_part(cx: &mut Cx, mem: Mem, size: u32, v: Val) {
    if size >= 16 {
        return cx.b.store(mem, v);
    }
    let v = cx.b.vget(Ty::int(size as usize), v, 0);
    cx.b.store(Mem { size: size as u8, align: Align::Any, ..mem }, v);
}

// ---- one behind the other ----

fn compress(cx: &mut Cx, i: &Instruction, lane: Lane) {
    let from = cx.whole_source(i, 1);
    if i.op_mask() == Register::None {
        return cx.deliver_whole(i, from);
    }
    let count = i.op1_register().size() as u32 / lane.bytes() as u32;
    let Some(mask) = cx.mask(i) else { return };
    let mask = cx.b.and_imm(mask, below(count));
    let results = by_stage(cx, &COMPRESS, from, mask, lane, count);
    let chosen = compacted_mask(cx, mask);
    if i.op0_kind() != OpKind::Register {
        return cx.store_chosen(i, results, lane, i.memory_size().size() as u32, chosen);
    }
    place_chosen(cx, i, results, lane, chosen);
}

fn expand(cx: &mut Cx, i: &Instruction, lane: Lane) {
    let from = cx.whole_source(i, 1);
    if i.op_mask() == Register::None {
        return cx.deliver_whole(i, from);
    }
    let count = i.op0_register().size() as u32 / lane.bytes() as u32;
    let Some(mask) = cx.mask(i) else { return };
    let mask = cx.b.and_imm(mask, below(count));
    let results = by_stage(cx, &EXPAND, from, mask, lane, count);
    place_chosen(cx, i, results, lane, mask);
}

/// Results to a register: what is not chosen is left or cleared.
fn place_chosen(cx: &mut Cx, i: &Instruction, results: [Val; 4], lane: Lane, chosen: Val) {
    let to = i.op0_register();
    let each = 16 / lane.bytes() as u32;
    let mut parts = [Val::NONE; 4];
    for (n, part) in parts.iter_mut().enumerate().take(to.size() / 16) {
        *part = if i.zeroing_masking() {
            results[n]
        } else {
            let mask = cx.lanes_of(chosen, lane, n as u32 * each, each);
            let old = cx.part(to, n as u32);
            cx.b.v3(ir::V3::BitSelect, lane, mask, results[n], old)
        };
    }
    cx.set_parts(to, parts);
}

/// What a helper makes of staged pieces: bits, lanes, how many.
pub(super) fn by_stage(
    cx: &mut Cx,
    helper: &'static Helper,
    from: [Val; 4],
    bits: Val,
    lane: Lane,
    count: u32,
) -> [Val; 4] {
    for (slot, v) in STAGES.iter().zip(from).filter(|(_, v)| !v.is_none()) {
        cx.b.set(*slot, v);
    }
    let (lane, count) = (cx.b.i32(lane as u32), cx.b.i32(count));
    cx.b.call(helper, Ty::Void, &[bits, lane, count]);
    STAGES.map(|slot| cx.b.get(slot))
}

// ---- from all over memory ----

/// Does `work` if bit `n` of the opmask is set, and clears it. No value of before holds afterwards.
fn if_chosen(cx: &mut Cx, mask: Slot, n: u32, work: impl FnOnce(&mut Cx)) {
    let bits = cx.b.get(mask);
    let bit = cx.b.shift_imm(Bin::Shr, bits, n);
    let bit = cx.b.trunc(Ty::I1, bit);
    let (there, on) = (cx.b.block(), cx.b.block());
    cx.b.branch(bit, there, on);
    cx.b.enter(there);
    work(cx);
    let bits = cx.b.get(mask);
    let bits = cx.b.and_imm(bits, !(1 << n));
    cx.b.set(mask, bits);
    cx.b.end(Term::Jump(on));
    cx.b.enter(on);
}

/// Element `n` of a register: the slot it is in, and its number there.
fn slot_of(reg: Register, lane: Lane, n: u32) -> (Slot, u32) {
    let each = 16 / lane.bytes() as u32;
    (vector(reg.number() as u32, n / each), n % each)
}

fn element(cx: &mut Cx, reg: Register, lane: Lane, n: u32) -> Val {
    let (slot, at) = slot_of(reg, lane, n);
    let v = cx.b.get(slot);
    cx.b.vget(lane.ty(), v, at)
}

/// How many elements there are.
fn elements(i: &Instruction, reg: Register, index: Lane, lane: Lane) -> u32 {
    (reg.size() / lane.bytes()).min(i.memory_index().size() / index.bytes()) as u32
}

/// Elements one after the other: those that are done are no longer in the mask, so that a fault leaves what is still to do.
fn gather(cx: &mut Cx, i: &Instruction, index: Lane, lane: Lane) {
    let (to, mask) = (i.op0_register(), opmask(i.op_mask().number() as u32));
    // No register twice, and a mask there must be.
    if to.number() == i.memory_index().number() || i.op_mask() == Register::None {
        return cx.undefined();
    }
    let count = elements(i, to, index, lane);
    for n in 0..count {
        if_chosen(cx, mask, n, |cx| {
            let v = element(cx, i.memory_index(), index, n);
            let mem = super::avx_memory::element(cx, i, v, lane);
            let v = cx.b.load(lane.ty(), mem);
            let (slot, at) = slot_of(to, lane, n);
            let old = cx.b.get(slot);
            let v = cx.b.vset(lane, old, v, at);
            cx.b.set(slot, v);
        });
    }
    let none = cx.b.i64(0);
    cx.b.set(mask, none);
    // Above what was gathered there is nothing.
    let bytes = count as usize * lane.bytes();
    let mut parts = [Val::NONE; 4];
    for (n, part) in parts.iter_mut().enumerate().take(bytes.div_ceil(16)) {
        *part = cx.part(to, n as u32);
    }
    if bytes == 8 {
        parts[0] = cx.low_half(parts[0]);
    }
    cx.set_parts(to, parts);
}

fn scatter(cx: &mut Cx, i: &Instruction, index: Lane, lane: Lane) {
    let from = i.op1_register();
    if i.op_mask() == Register::None {
        return cx.undefined();
    }
    let mask = opmask(i.op_mask().number() as u32);
    for n in 0..elements(i, from, index, lane) {
        if_chosen(cx, mask, n, |cx| {
            let v = element(cx, i.memory_index(), index, n);
            let mem = super::avx_memory::element(cx, i, v, lane);
            let v = element(cx, from, lane, n);
            cx.b.store(mem, v);
        });
    }
    let none = cx.b.i64(0);
    cx.b.set(mask, none);
}
