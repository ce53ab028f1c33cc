//! EVEX: what its forms have beside those of VEX, of which they are rows (`vector.rs`). Results are computed a piece of 128 bits after the other; then lanes that
//! the opmask does not choose are left or cleared, and what is above is cleared. Operands of floating point are zero in such lanes, so that these raise
//! nothing. A broadcast element is loaded once. Memory operands under a mask are another file's affair (`evex_memory.rs`).

use super::Cx;
use super::evex_memory;
use super::vector::{Vex, last};
use crate::insn::Translate;
use crate::state::{self, CLEARED, DIRTY, mode, opmask, stage};
use iced_x86::{Instruction, MemorySize, Mnemonic, OpKind, Register, RoundingControl};
use ir::{Align, Bin, IntCc, Lane, Round, Term, Ty, V1, V2, V3, Val};

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Evex {
    /// Of the results.
    pub(super) lane: Lane,
    /// How many lanes of a piece of results mean something: all, but where results are narrow or scalar.
    pub(super) lanes: u32,
    /// The bits of the opmask register; none where all lanes are chosen.
    pub(super) mask: Option<Val>,
    /// The same as lanes of each piece of results.
    pub(super) masks: [Val; 4],
    /// Embedded rounding.
    pub(super) round: Option<Round>,
}

/// Bits, of which those from `first` on, `count` of them, are known as lanes; in the lanes behind them all ones. Values of another block are never asked for: its
/// bits are others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lanes {
    bits: Val,
    lane: Lane,
    first: u32,
    count: u32,
    lanes: Val,
    /// From here on all bits are zero.
    width: u32,
}

/// How many are remembered.
const REMEMBERED: usize = 16;

/// The lanes of results, which the opmask's bits stand for: as memory has them, but for what says otherwise.
pub(super) fn lane_of(i: &Instruction) -> Lane {
    use Mnemonic::*;
    match i.mnemonic() {
        Vpmovsxbw | Vpmovzxbw | Vcvtps2ph | Vpmaddubsw | Vdbpsadbw => Lane::H,
        Vpmovsxbd | Vpmovzxbd | Vpmovsxwd | Vpmovzxwd | Vpmaddwd | Vpdpbusd | Vpdpbusds | Vpdpwssd | Vpdpwssds
        | Vcvtpd2ps | Vcvtpd2dq | Vcvttpd2dq | Vcvtpd2udq | Vcvttpd2udq | Vcvtqq2ps | Vcvtuqq2ps | Vcvtph2ps
        | Vmovss | Vcvtsd2ss => Lane::S,
        Vpmovsxbq | Vpmovzxbq | Vpmovsxwq | Vpmovzxwq | Vpmovsxdq | Vpmovzxdq | Vpmuldq | Vpmuludq | Vcvtps2pd
        | Vmovsd | Vcvtdq2pd | Vcvtudq2pd | Vcvtps2qq | Vcvtps2uqq | Vcvttps2qq | Vcvttps2uqq | Vcvtss2sd => Lane::D,
        Vpacksswb | Vpackuswb | Vgf2p8affineqb | Vgf2p8affineinvqb | Vpmultishiftqb => Lane::B,
        Vpackssdw | Vpackusdw => Lane::H,
        _ => Lane::log2(i.memory_size().element_size().max(1).trailing_zeros().min(3)),
    }
}

fn is_move(i: &Instruction) -> bool {
    use Mnemonic::*;
    matches!(
        i.mnemonic(),
        Vmovups | Vmovupd | Vmovaps | Vmovapd | Vmovdqu32 | Vmovdqu64 | Vmovdqa32 | Vmovdqa64 | Vmovss | Vmovsd
    )
}

/// Whether only the lowest lane is computed.
pub(super) fn is_scalar(i: &Instruction) -> bool {
    use Mnemonic::*;
    let size = i.memory_size();
    match i.mnemonic() {
        Vmovss | Vmovsd => true,
        Vbroadcastss | Vbroadcastsd | Vpbroadcastb | Vpbroadcastw | Vpbroadcastd | Vpbroadcastq | Vmovddup => false,
        _ => size == size.element_type() && (1..=8).contains(&size.size()) && !i.is_broadcast(),
    }
}

/// Bytes that a vector has which one element is broadcast to.
fn broadcast_to(size: MemorySize) -> usize {
    use MemorySize::*;
    match size {
        Broadcast256_Float32 | Broadcast256_Float64 | Broadcast256_Int64 | Broadcast256_UInt64 => 32,
        Broadcast512_Float32 | Broadcast512_Float64 | Broadcast512_Int64 | Broadcast512_UInt64 => 64,
        // The others have a vector register as wide.
        _ => 16,
    }
}

/// How many pieces the widest operand has.
pub(super) fn pieces(i: &Instruction) -> u32 {
    let size = |n| match i.op_kind(n) {
        OpKind::Register if i.op_register(n).is_vector_register() => i.op_register(n).size(),
        OpKind::Memory if i.is_broadcast() => broadcast_to(i.memory_size()),
        OpKind::Memory => i.memory_size().size(),
        _ => 0,
    };
    (0..i.op_count()).map(size).fold(16, usize::max) as u32 / 16
}

/// Whether exceptions of floating point are suppressed; so they are with a rounding of the instruction's own.
pub(super) fn suppresses_exceptions(i: &Instruction) -> bool {
    i.suppress_all_exceptions() || i.rounding_control() != RoundingControl::None
}

/// The opmask register, if there is one.
fn mask_of(i: &Instruction) -> Option<u32> {
    Some(i.op_mask()).filter(|reg| *reg != Register::None).map(|reg| reg.number() as u32)
}

/// How often a thread's upper halves are known to be zero again. Each time its jump caches are emptied, so that programs that go to and fro stay as they are.
const CLEARINGS: u32 = 256;

impl Cx<'_> {
    /// Whether the upper halves of ZMM0 to ZMM15 may be other than zero. Code for where they are not neither reads nor clears them.
    pub(super) fn is_dirty(&self) -> bool {
        self.mode & mode::DIRTY != 0
    }

    /// An instruction that writes such an upper half goes on under the mode word that says so. Whether it does.
    pub(super) fn soils(&mut self, i: &Instruction) -> bool {
        if !self.would_soil(i) {
            return false;
        }
        let (one, pc) = (self.b.i32(1), self.pc);
        self.b.set(DIRTY, one);
        self.b.end(Term::Resume { pc });
        true
    }

    pub(super) fn would_soil(&self, i: &Instruction) -> bool {
        let to = i.op0_register();
        !self.is_dirty() && i.op0_kind() == OpKind::Register && to.is_zmm() && to.number() < 16
    }

    /// They have been cleared, and from now on are known to be zero, if that has not been so too often.
    pub(super) fn clean(&mut self) {
        let (times, most) = (self.b.get(CLEARED), self.b.i32(CLEARINGS));
        let may = self.b.cmp(IntCc::Ult, times, most);
        let more = self.b.zext(Ty::I32, may);
        let sum = self.b.add(times, more);
        self.b.set(CLEARED, sum);
        let one = self.b.i32(1);
        let dirty = self.b.sub(one, more);
        self.b.set(DIRTY, dirty);
        let pc = self.next;
        self.b.leave_if(may, Term::Resume { pc });
    }

    /// The bits of the instruction's opmask.
    pub(super) fn mask(&mut self, i: &Instruction) -> Option<Val> {
        mask_of(i).map(|n| self.b.get(opmask(n)))
    }

    /// Bits from `first` on as lanes, all ones where they are set; and in all lanes from `count` on.
    pub(super) fn lanes_of(&mut self, bits: Val, lane: Lane, first: u32, count: u32) -> Val {
        let count = count.min(16 / lane.bytes() as u32);
        let same = |l: &&Lanes| (l.bits, l.lane, l.first, l.count) == (bits, lane, first, count);
        if let Some(known) = self.lanes.iter().find(same) {
            return known.lanes;
        }
        let lanes = self.spread(bits, lane, first, count);
        self.remember(Lanes { bits, lane, first, count, lanes, width: u64::BITS });
        lanes
    }

    /// The low 32 bits in each of four lanes.
    fn everywhere(&mut self, bits: Val) -> Val {
        let (lane, first, count) = (Lane::S, u32::MAX, 0);
        if let Some(known) = self.lanes.iter().find(|l| (l.bits, l.first) == (bits, first)) {
            return known.lanes;
        }
        let low = self.b.trunc(Ty::I32, bits);
        let lanes = self.b.vsplat(Lane::S, low);
        self.remember(Lanes { bits, lane, first, count, lanes, width: u64::BITS });
        lanes
    }

    fn remember(&mut self, lanes: Lanes) {
        if self.lanes.len() == REMEMBERED {
            self.lanes.remove(0);
        }
        self.lanes.push(lanes);
    }

    /// Whether bits are known to be zero from `width` on.
    pub(super) fn is_narrow(&self, bits: Val, width: u32) -> bool {
        self.lanes.iter().any(|l| l.bits == bits && l.width <= width)
    }

    /// The same without those behind them.
    pub(super) fn lanes_alone(&mut self, bits: Val, lane: Lane, first: u32, count: u32) -> Val {
        let lanes = self.lanes_of(bits, lane, first, count);
        if count * lane.bytes() as u32 >= 16 {
            return lanes;
        }
        let there = self.b.v128((1 << (count * lane.bits())) - 1);
        self.b.v2(V2::And, lane, lanes, there)
    }

    fn spread(&mut self, bits: Val, lane: Lane, first: u32, count: u32) -> Val {
        let each = 16 / lane.bytes() as u32;
        let whole = |lane: Lane, first: u32| {
            (0..each.min(count)).fold(0u128, |all, n| {
                let bit = 1u128 << ((first + n) % if lane == Lane::B { 8 } else { 64 });
                all | bit << (n * lane.bits())
            })
        };
        let (spread, chosen) = match lane {
            Lane::B => {
                let part = self.b.extract(bits, first, 16, false);
                let part = self.b.trunc(Ty::I16, part);
                let v = self.b.vsplat(Lane::H, part);
                let table = self.b.v128(0x0101_0101_0101_0101 << 64);
                (self.b.v2(V2::Tbl, Lane::B, v, table), whole(lane, first))
            }
            Lane::H => {
                let part = self.b.shift_imm(Bin::Shr, bits, first);
                let part = self.b.trunc(Ty::I16, part);
                (self.b.vsplat(Lane::H, part), whole(lane, 0))
            }
            _ => (self.everywhere(bits), whole(lane, first)),
        };
        let chosen = self.b.v128(chosen);
        let v = self.b.v2(V2::And, lane, spread, chosen);
        self.b.v2(V2::CmpEq, lane, v, chosen)
    }

    /// The signs of lanes as bits, `lanes` of each piece.
    pub(super) fn bits_of(&mut self, results: [Val; 4], lane: Lane, lanes: u32) -> Val {
        let mut all = self.b.i64(0);
        let zero = self.b.v128(0);
        let mut n = 0;
        while n < 4 && !results[n].is_none() {
            let (bits, step) = if lane == Lane::H {
                let high = results.get(n + 1).copied().filter(|v| !v.is_none()).unwrap_or(zero);
                let both = self.b.v2(V2::PackS, Lane::H, results[n], high);
                (self.b.vsigns(Lane::B, both), 2)
            } else {
                (self.b.vsigns(lane, results[n]), 1)
            };
            let bits = self.b.zext(Ty::I64, bits);
            let each = 16 / lane.bytes() as u32;
            let bits = if lanes < each { self.b.and_imm(bits, (1 << lanes) - 1) } else { bits };
            let bits = self.b.shift_imm(Bin::Shl, bits, n as u32 * each);
            all = self.b.or(all, bits);
            n += step;
        }
        all
    }

    /// A source of floating point: zero in lanes that are not chosen. `lanes` of a piece stand for bits of the mask.
    pub(super) fn live(&mut self, lane: Lane, lanes: u32, v: Val) -> Val {
        match self.live_lanes(lane, lanes) {
            Some(mask) => self.b.v2(V2::And, lane, v, mask),
            None => v,
        }
    }

    /// The same with another value in them.
    pub(super) fn live_or(&mut self, lane: Lane, lanes: u32, v: Val, other: u128) -> Val {
        let Some(mask) = self.live_lanes(lane, lanes) else { return v };
        let other = self.b.v128(other);
        self.b.v3(V3::BitSelect, lane, mask, v, other)
    }

    /// A divisor: one in lanes that are not chosen, whose dividends are zero.
    pub(super) fn divisor(&mut self, fmt: ir::Fmt, lanes: u32, v: Val) -> Val {
        let ones = if fmt == ir::Fmt::F32 {
            u128::from(1f32.to_bits()) * 0x1_0000_0001_0000_0001_0000_0001
        } else {
            u128::from(1f64.to_bits()) * (1 << 64 | 1)
        };
        self.live_or(fmt.lane(), lanes, v, ones)
    }

    /// The rounding that the instruction itself has.
    pub(super) fn embedded_rounding(&self) -> Option<Round> {
        self.vex?.evex?.round
    }

    fn live_lanes(&mut self, lane: Lane, lanes: u32) -> Option<Val> {
        let Vex { evex: Some(evex), piece, .. } = self.vex? else { return None };
        let bits = evex.mask?;
        if (lane, lanes) == (evex.lane, evex.lanes) {
            return Some(evex.masks[piece as usize]);
        }
        Some(self.lanes_of(bits, lane, piece * lanes, lanes))
    }

    /// What the instruction has of EVEX. Lanes of results, and how many of a piece.
    pub(super) fn evex(&mut self, i: &Instruction, lane: Lane, lanes: u32) -> Evex {
        let mask = self.mask(i);
        let mut masks = [Val::NONE; 4];
        if let Some(bits) = mask {
            let to = i.op0_register();
            let count = if i.op0_kind() == OpKind::Register && to.is_vector_register() {
                to.size() / 16
            } else {
                pieces(i) as usize
            };
            for (n, v) in masks.iter_mut().enumerate().take(count.max(1)) {
                *v = self.lanes_of(bits, lane, n as u32 * (16 / lane.bytes() as u32), lanes);
            }
        }
        let round = match i.rounding_control() {
            RoundingControl::None => None,
            control => Some(state::rounding(control as u32 - RoundingControl::RoundToNearest as u32)),
        };
        Evex { lane, lanes, mask, masks, round }
    }

    /// How many lanes of a piece of results mean something.
    fn meaningful(i: &Instruction, lane: Lane) -> u32 {
        let all = 16 / lane.bytes() as u32;
        if is_scalar(i) {
            return 1;
        }
        // Narrow results of 128 bits fill half a register.
        let narrows = matches!(i.memory_size().element_size(), 8) && lane == Lane::S && i.op0_register().is_xmm();
        if narrows && pieces(i) == 1 { 2 } else { all }
    }

    /// An EVEX form by a row for pieces.
    pub(super) fn by_pieces(&mut self, i: &Instruction, row: Translate) {
        let lane = lane_of(i);
        let mut evex = self.evex(i, lane, Self::meaningful(i, lane));
        let (loaded, raw) = self.loaded_ahead(i);
        if i.zeroing_masking() && is_move(i) && evex_memory::by_lanes(i).is_some() {
            // What was not loaded is zero.
            evex.mask = None;
        }
        self.vex = Some(Vex { evex: Some(evex), loaded, raw, ..Vex::new(pieces(i)) });
        let before = suppresses_exceptions(i).then(|| self.b.fp_flags());
        let results = self.each_piece(i, row);
        self.vex = None;
        if results[0].is_none() {
            if let Some(before) = before {
                self.b.set_fp_flags(before);
            }
            return;
        }
        let to = i.op0_register();
        let bytes = if i.op0_kind() == OpKind::Register && to.is_vector_register() { to.size() } else { 64 };
        let results = self.joined(results, bytes);
        self.deliver(i, results, evex);
        if let Some(before) = before {
            self.b.set_fp_flags(before);
        }
    }

    /// The memory operand, if it is to be loaded before all else: it was staged under the mask, or is one element for all lanes.
    pub(super) fn loaded_ahead(&mut self, i: &Instruction) -> (Option<[Val; 4]>, bool) {
        if let Some((lane, count)) = evex_memory::by_lanes(i) {
            return (Some(self.load_chosen(i, lane, count)), true);
        }
        if evex_memory::is_staged(i) {
            return (Some([0, 1, 2, 3].map(|n| self.b.get(stage(n)))), true);
        }
        if !i.is_broadcast() {
            return (None, false);
        }
        let v = self.load_element(i);
        (Some([v; 4]), true)
    }

    /// Elements of a memory operand under the mask, zero elsewhere: `count` of them.
    fn load_chosen(&mut self, i: &Instruction, lane: Lane, count: u32) -> [Val; 4] {
        let mut all = [Val::NONE; 4];
        let Some(mut mask) = self.mask(i) else { return all };
        let each = 16 / lane.bytes() as u32;
        // Elements that several lanes want.
        let mut lanes = evex_memory::wanted_by(i, count);
        if lanes > count {
            mask = self.b.and_imm(mask, evex_memory::below(lanes));
        }
        while lanes > count {
            lanes /= 2;
            let upper = self.b.shift_imm(Bin::Shr, mask, lanes);
            mask = self.b.or(mask, upper);
        }
        for (n, v) in (0..count.div_ceil(each)).zip(&mut all) {
            let lanes = self.lanes_alone(mask, lane, n * each, count.min(each));
            let mem = self.part_of_memory(i, 16 * n, lane.bytes()).align(Align::Any);
            *v = self.b.load_lanes(mem, lanes);
        }
        if i.is_broadcast() {
            return [self.b.vsplat_lane(lane, all[0], 0); 4];
        }
        all
    }

    /// The element that is broadcast, in all lanes.
    pub(super) fn load_element(&mut self, i: &Instruction) -> Val {
        let bytes = i.memory_size().size();
        let mem = self.mem(i, bytes).align(Align::Any);
        let v = self.b.load(Ty::V128, mem);
        self.b.vsplat_lane(Lane::log2(bytes.trailing_zeros()), v, 0)
    }

    /// Writes results to where they go, under the mask.
    pub(super) fn deliver(&mut self, i: &Instruction, results: [Val; 4], evex: Evex) {
        if i.op0_kind() != OpKind::Register {
            return self.store_pieces(i, results, evex);
        }
        let to = i.op0_register();
        if to.is_k() {
            let bits = self.bits_of(results, evex.lane, evex.lanes);
            return self.set_bits(to.number() as u32, bits, results, evex);
        }
        let mut parts = [Val::NONE; 4];
        for (n, part) in parts.iter_mut().enumerate().take(to.size() / 16) {
            *part = self.merged(i, results[n], n, evex);
        }
        self.set_parts(to, parts);
    }

    /// Writes an opmask register, whose bits may be asked for as lanes again.
    fn set_bits(&mut self, n: u32, bits: Val, results: [Val; 4], evex: Evex) {
        let set = match evex.mask {
            Some(mask) => self.b.and(bits, mask),
            None => bits,
        };
        let (lane, count) = (evex.lane, 16 / evex.lane.bytes() as u32);
        let width = count * results.iter().filter(|v| !v.is_none()).count() as u32;
        for (piece, v) in (0..).zip(results).filter(|(_, v)| !v.is_none() && evex.lanes == count) {
            let lanes = match evex.mask {
                Some(_) => self.b.v2(V2::And, lane, v, evex.masks[piece as usize]),
                None => v,
            };
            self.remember(Lanes { bits: set, lane, first: piece * count, count, lanes, width });
        }
        self.b.set(opmask(n), set);
    }

    fn merged(&mut self, i: &Instruction, v: Val, n: usize, evex: Evex) -> Val {
        if evex.mask.is_none() || v.is_none() {
            return v;
        }
        let mask = evex.masks[n];
        if i.zeroing_masking() {
            return self.b.v2(V2::And, evex.lane, v, mask);
        }
        let old = self.part(i.op0_register(), n as u32);
        self.b.v3(V3::BitSelect, evex.lane, mask, v, old)
    }

    /// All pieces of a source of a form that looks across pieces: operand `n`.
    pub(super) fn whole_source(&mut self, i: &Instruction, n: u32) -> [Val; 4] {
        let mut all = [Val::NONE; 4];
        if i.op_kind(n) == OpKind::Register {
            let reg = i.op_register(n);
            for (n, v) in all.iter_mut().enumerate().take(reg.size() / 16) {
                *v = self.part(reg, n as u32);
            }
            return all;
        }
        if let (Some(loaded), _) = self.loaded_ahead(i) {
            return loaded;
        }
        self.load_whole(i)
    }

    /// All of the memory operand, with zero behind it.
    pub(super) fn load_whole(&mut self, i: &Instruction) -> [Val; 4] {
        let mut all = [Val::NONE; 4];
        let size = i.memory_size().size();
        if size < 16 {
            let mem = self.mem(i, size);
            all[0] = self.b.load(Ty::V128, mem);
            return all;
        }
        for (n, v) in all.iter_mut().enumerate().take(size / 16) {
            let mem = self.part_of_memory(i, 16 * n as u32, 16);
            *v = self.b.load(Ty::V128, mem);
        }
        all
    }

    /// The last operand that is no constant likewise.
    pub(super) fn whole_last(&mut self, i: &Instruction) -> [Val; 4] {
        self.whole_source(i, last(i))
    }

    /// Writes results of an instruction that looks across pieces.
    pub(super) fn deliver_whole(&mut self, i: &Instruction, results: [Val; 4]) {
        let lane = lane_of(i);
        let evex = self.evex(i, lane, 16 / lane.bytes() as u32);
        self.deliver(i, results, evex);
    }

    /// The low half of a piece, zero above.
    pub(super) fn low_half(&mut self, v: Val) -> Val {
        self.b.v1(V1::ZeroHi, Lane::D, v)
    }
}
