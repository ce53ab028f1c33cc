//! What the vector instructions share: groups of registers piece by piece (128 bits each), which elements are active, what groups are legal.
//!
//! An instruction is translated for the vtype of the mode word. Where vl is VLMAX and nothing masks, a piece is one operation; else its lanes
//! are blended with what was there. Inactive elements and tails are left as they were, which agnostic ones may be.

use super::Cx;
use crate::features::vlenb;
use crate::state::{self, VL, VSTART, Vector};
use ir::{Bin, IntCc, Lane, Term, Ty, V1, V2, V3, Val};

/// A group of registers: the first, its elements, log2 of how many registers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group {
    pub(super) reg: u32,
    pub(super) lane: Lane,
    pub(super) lmul: i32,
}

impl Group {
    fn registers(self) -> u32 {
        1 << self.lmul.max(0)
    }

    /// Whether the instruction may name it.
    pub(super) fn is_legal(self) -> bool {
        (-3..=3).contains(&self.lmul) && self.is_aligned()
    }

    /// Whether its register may begin a group of its size.
    pub(super) fn is_aligned(self) -> bool {
        self.reg.is_multiple_of(self.registers())
    }

    pub(super) fn overlaps(self, other: Group) -> bool {
        self.reg < other.reg + other.registers() && other.reg < self.reg + self.registers()
    }

    /// Whether it may be written where `source` is read (5.2: vector operands).
    pub(super) fn may_replace(self, source: Group) -> bool {
        if !self.overlaps(source) || self.lane == source.lane {
            return true;
        }
        if self.lane < source.lane {
            return self.reg == source.reg;
        }
        source.lmul >= 0 && source.reg + source.registers() == self.reg + self.registers() && self.reg < source.reg
    }

    /// Whether both may be sources of an instruction: no register is read as elements of two widths.
    pub(super) fn agrees(self, other: Group) -> bool {
        self.lane == other.lane || !self.overlaps(other)
    }

    /// The group of elements twice as wide.
    pub(super) fn wider(self) -> Group {
        Group { lane: self.lane.wider(), lmul: self.lmul + 1, ..self }
    }
}

/// v0 (its first piece) as a comparison has made it, and the lanes that this gave: so many elements.
#[derive(Debug)]
pub(crate) struct Compared {
    mask: Val,
    lane: Lane,
    elements: u32,
    lanes: Vec<Val>,
}

/// What a load has put at the bottom of a register: the whole register's value, and the same with zeros above, which waits for nothing older.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bottom {
    pub(super) whole: Val,
    pub(super) alone: Val,
    pub(super) bytes: u32,
}

/// A second operand: a group, or the same value in each lane.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source {
    Group(u32),
    Splat(Val),
}

/// An operand's forms (funct3).
pub(super) mod form {
    pub(in super::super) const IMMEDIATE: u32 = 3;
    pub(in super::super) const FLOAT: u32 = 5;
    /// A vector as operand.
    pub(in super::super) const fn is_vector(k: u32) -> bool {
        k < IMMEDIATE
    }
}

impl Cx<'_> {
    /// The type in force; None if it is illegal, or not known (before VSETVLI and its like alone).
    pub(super) fn vector(&self) -> Option<Vector> {
        Some(Vector::of_mode(self.mode)).filter(|v| !v.ill && Vector::is_known(self.mode))
    }

    pub(super) fn vlenb(&self) -> u32 {
        vlenb(self.features)
    }

    /// A group of elements as vtype has them.
    pub(super) fn group(&self, reg: u32, v: Vector) -> Group {
        Group { reg, lane: Lane::log2(v.sew), lmul: v.lmul }
    }

    /// Pieces of a group.
    pub(super) fn pieces(&self, lmul: i32) -> u32 {
        (state::shifted(self.vlenb(), lmul) / 16).max(1)
    }

    pub(super) fn piece(&mut self, reg: u32, k: u32) -> Val {
        self.b.get(state::piece(reg * self.vlenb() / 16 + k))
    }

    /// Piece `k` of a source, of which no more than the group is read.
    pub(super) fn source_of(&mut self, g: Group, k: u32) -> Val {
        let (whole, bytes) = (self.piece(g.reg, k), state::shifted(self.vlenb(), g.lmul));
        let alone = self.bottoms.iter().rev().find(|b| b.whole == whole && bytes <= b.bytes);
        alone.map_or(whole, |b| b.alone)
    }

    pub(super) fn set_piece(&mut self, reg: u32, k: u32, v: Val) {
        self.b.set(state::piece(reg * self.vlenb() / 16 + k), v);
    }

    /// The end of an instruction: vstart is 0.
    pub(super) fn finish(&mut self) {
        if Vector::of_mode(self.mode).started {
            let (zero, pc) = (self.b.i32(0), self.next);
            self.b.set(VSTART, zero);
            self.b.end(Term::Resume { pc });
        }
    }

    /// The same bits in each lane.
    pub(super) fn splat(&mut self, lane: Lane, bits: u64) -> Val {
        let one = u128::from(bits & lane.mask());
        self.b.v128((0..128).step_by(lane.bits() as usize).fold(0, |v, at| v | one << at))
    }

    /// The number of each lane.
    fn iota(&mut self, lane: Lane) -> Val {
        self.b.v128((0..16 / lane.bytes()).fold(0, |v, i| v | (i as u128) << (i as u32 * lane.bits())))
    }

    /// Ones in the lanes of piece `k` whose elements are below `n` (I32).
    fn below(&mut self, n: Val, lane: Lane, k: u32) -> Val {
        let first = k * (16 / lane.bytes() as u32);
        let mut left = self.b.add_imm(n, -i64::from(first));
        if lane == Lane::B {
            let (zero, most) = (self.b.i32(0), self.b.i32(16));
            let negative = self.b.cmp(IntCc::Slt, left, zero);
            left = self.b.select(negative, zero, left);
            let over = self.b.cmp(IntCc::Sgt, left, most);
            left = self.b.select(over, most, left);
        }
        let left = if lane < Lane::S { self.b.trunc(lane.ty(), left) } else { self.b.sext(lane.ty(), left) };
        let (count, iota) = (self.b.vsplat(lane, left), self.iota(lane));
        self.b.v2(V2::CmpGtS, lane, count, iota)
    }

    /// The same for a number that is known.
    fn below_known(&mut self, n: u32, lane: Lane, k: u32) -> Option<Val> {
        let each = 16 / lane.bytes() as u32;
        let left = n.saturating_sub(k * each).min(each);
        (left < each).then(|| self.b.v128((1 << (left * lane.bits())) - 1))
    }

    /// v0's bits for the elements of piece `k`, as lanes.
    pub(super) fn mask_lanes(&mut self, lane: Lane, k: u32) -> Val {
        let each = 16 / lane.bytes() as u32;
        let (first, bits) = (k * each, lane.bits());
        let v0 = self.piece(0, first / 128);
        if let Some(lanes) = self.compared(v0, lane, k) {
            return lanes;
        }
        let byte = first % 128 / 8;
        let spread = if lane == Lane::B {
            let index = self.b.v128((0..16).fold(0, |v, i| v | u128::from(byte + i / 8) << (8 * i)));
            self.b.v2(V2::Tbl, Lane::B, v0, index)
        } else {
            self.b.vsplat_lane(Lane::B, v0, byte)
        };
        let bit = |i: u32| 1u128 << ((first + i) % 8);
        let select = self.b.v128((0..each).fold(0, |v, i| v | bit(i) << (i * bits)));
        let bits = self.b.v2(V2::And, Lane::D, spread, select);
        self.b.v2(V2::CmpEq, lane, bits, select)
    }

    /// The same from the comparison itself, if the same block has made v0 of one: of elements as wide or narrower.
    fn compared(&mut self, v0: Val, lane: Lane, k: u32) -> Option<Val> {
        let Compared { mask, lane: narrow, elements, .. } = *self.compared.as_ref()?;
        let steps = (lane as u32).checked_sub(narrow as u32)?;
        if mask != v0 || Vector::of_mode(self.mode).max(self.vlenb()) > elements {
            return None;
        }
        let mut v = *self.compared.as_ref()?.lanes.get((k >> steps) as usize)?;
        let mut lane = narrow;
        for step in (0..steps).rev() {
            if k >> step & 1 == 1 {
                v = self.b.v1(V1::MoveHi, Lane::D, v);
            }
            v = self.b.v1(V1::WidenS, lane, v);
            lane = lane.wider();
        }
        Some(v)
    }

    /// Writes a mask of a comparison's lanes; what is masked by it in the same block takes them as they are.
    pub(super) fn set_mask_of(&mut self, v: Vector, is_masked: bool, d: u32, lane: Lane, lanes: Vec<Val>) {
        let bits = self.bits_of(lane, &lanes);
        self.set_mask(v, is_masked, d, bits);
        if d == 0 && v.full && !v.started && !is_masked {
            let (mask, elements) = (self.piece(0, 0), v.max(self.vlenb()));
            self.compared = (elements <= 128).then_some(Compared { mask, lane, elements, lanes });
        }
    }

    fn both(&mut self, a: Option<Val>, b: Val) -> Val {
        match a {
            Some(a) => self.b.v2(V2::And, Lane::D, a, b),
            None => b,
        }
    }

    /// The active elements of piece `k` as lanes; None if all are.
    pub(super) fn active(&mut self, v: Vector, is_masked: bool, lane: Lane, k: u32) -> Option<Val> {
        let mut all = if v.full {
            self.below_known(v.max(self.vlenb()), lane, k)
        } else {
            let vl = self.b.get(VL);
            Some(self.below(vl, lane, k))
        };
        if v.started {
            let start = self.b.get(VSTART);
            let before = self.below(start, lane, k);
            let from = self.b.v1(V1::Not, Lane::D, before);
            all = Some(self.both(all, from));
        }
        if is_masked {
            let mask = self.mask_lanes(lane, k);
            all = Some(self.both(all, mask));
        }
        all
    }

    /// `v` where active, `old` elsewhere.
    pub(super) fn blend(&mut self, active: Option<Val>, v: Val, old: Val) -> Val {
        match active {
            Some(mask) => self.b.v3(V3::BitSelect, Lane::B, mask, v, old),
            None => v,
        }
    }

    /// Writes each piece of a group: `f` gives what its active lanes become.
    pub(super) fn each(
        &mut self,
        v: Vector,
        is_masked: bool,
        d: Group,
        mut f: impl FnMut(&mut Self, u32, Option<Val>) -> Val,
    ) {
        let pieces: Vec<Val> = (0..self.pieces(d.lmul))
            .map(|k| {
                let active = self.active(v, is_masked, d.lane, k);
                let new = f(self, k, active);
                if active.is_none() {
                    return new;
                }
                let old = self.piece(d.reg, k);
                self.blend(active, new, old)
            })
            .collect();
        for (k, new) in pieces.into_iter().enumerate() {
            self.set_piece(d.reg, k as u32, new);
        }
        self.finish();
    }

    /// The second operand: `n` as the form says; immediates are signed or not.
    pub(super) fn source(&mut self, k: u32, n: u32, lane: Lane, is_signed: bool) -> Source {
        match k {
            form::IMMEDIATE => {
                let imm = if is_signed { super::signed(n, 5) } else { n.into() };
                Source::Splat(self.splat(lane, imm as u64))
            }
            form::FLOAT => {
                let v = self.f_exact(super::vector_float::format(lane), n);
                Source::Splat(self.b.vsplat(lane, v))
            }
            _ if form::is_vector(k) => Source::Group(n),
            _ => {
                let x = self.x(n);
                let x = self.b.trunc(lane.ty(), x);
                Source::Splat(self.b.vsplat(lane, x))
            }
        }
    }

    pub(super) fn source_piece(&mut self, s: Source, k: u32) -> Val {
        match s {
            Source::Group(n) => self.piece(n, k),
            Source::Splat(v) => v,
        }
    }

    /// The half of a piece that widened is piece `k`, in its low half.
    pub(super) fn half(&mut self, s: Source, k: u32) -> Val {
        let whole = self.source_piece(s, k / 2);
        match s {
            Source::Group(_) if k % 2 == 1 => self.b.v1(V1::MoveHi, Lane::D, whole),
            _ => whole,
        }
    }

    // ---- masks ----

    /// The bits below `n` (I32) of piece `j` of a mask.
    fn bits_below(&mut self, n: Val, j: u32) -> Val {
        let mut out = self.b.v128(0);
        for half in 0..2 {
            let left = self.b.add_imm(n, -i64::from(128 * j + 64 * half));
            let (zero, most) = (self.b.i32(0), self.b.i32(64));
            let none = self.b.cmp(IntCc::Sle, left, zero);
            let all = self.b.cmp(IntCc::Sge, left, most);
            let left = self.b.zext(Ty::I64, left);
            let (one, ones, nothing) = (self.b.i64(1), self.b.i64(u64::MAX), self.b.i64(0));
            let power = self.b.bin(Bin::Shl, one, left);
            let some = self.b.add_imm(power, -1);
            let some = self.b.select(all, ones, some);
            let bits = self.b.select(none, nothing, some);
            out = self.b.vset(Lane::D, out, bits, half);
        }
        out
    }

    /// The active bits of piece `j` of a mask; None if all are.
    pub(super) fn active_bits(&mut self, v: Vector, is_masked: bool, j: u32) -> Option<Val> {
        let mut all = if v.full {
            let left = v.max(self.vlenb()).saturating_sub(128 * j);
            (left < 128).then(|| self.b.v128((1 << left) - 1))
        } else {
            let vl = self.b.get(VL);
            Some(self.bits_below(vl, j))
        };
        if v.started {
            let start = self.b.get(VSTART);
            let before = self.bits_below(start, j);
            let from = self.b.v1(V1::Not, Lane::D, before);
            all = Some(self.both(all, from));
        }
        if is_masked {
            let mask = self.piece(0, j);
            all = Some(self.both(all, mask));
        }
        all
    }

    /// Writes a mask's bits: `new` are its pieces, or fewer: the rest is left.
    pub(super) fn set_mask(&mut self, v: Vector, is_masked: bool, d: u32, new: Vec<Val>) {
        let pieces: Vec<Val> = (0u32..)
            .zip(new)
            .map(|(j, new)| {
                let active = self.active_bits(v, is_masked, j);
                let old = self.piece(d, j);
                self.blend(active, new, old)
            })
            .collect();
        (0u32..).zip(pieces).for_each(|(j, new)| self.set_piece(d, j, new));
        self.finish();
    }

    /// Lanes of ones and zeros as the bits of a mask.
    fn bits_of(&mut self, lane: Lane, lanes: &[Val]) -> Vec<Val> {
        let (per_piece, narrow) = (16 / lane.bytes() as u32, lane == Lane::H);
        let halves: Vec<Val> = lanes
            .chunks((64 / per_piece) as usize)
            .map(|chunk| {
                let mut all = self.b.i64(0);
                for (at, &v) in (0u32..).zip(chunk) {
                    let v = if narrow { self.b.v1(V1::NarrowSatS, Lane::H, v) } else { v };
                    let signs = self.b.vsigns(if narrow { Lane::B } else { lane }, v);
                    let signs = self.b.zext(Ty::I64, signs);
                    let signs = self.b.shift_imm(Bin::Shl, signs, at * per_piece);
                    all = self.b.or(all, signs);
                }
                all
            })
            .collect();
        halves
            .chunks(2)
            .map(|pair| {
                let low = self.b.v_from_scalar(pair[0]);
                pair.get(1).map_or(low, |high| self.b.vset(Lane::D, low, *high, 1))
            })
            .collect()
    }
}
