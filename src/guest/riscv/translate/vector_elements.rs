//! V's accesses to elements that do not stand side by side, or not all of which are accessed. Few of them are accessed one after the other without a
//! loop; else a loop counts vstart up.
//!
//! Differs: where all are accessed, or side by side under a mask, a fault leaves vstart 0 and the registers as they were, from where the instruction may
//! be repeated as well; under a mask its address is that of the first element, active or not.

use super::Cx;
use super::vector_file::{GET, NEXT, PUT};
use crate::state::{VL, VSTART, Vector};
use ir::{BlockId, IntCc, Lane, Mem, Term, Ty, V2, Val};

/// Where elements are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// Side by side, or segments of them.
    Unit,
    /// As far from each other as xm says.
    Strided(u32),
    /// From the base as far as vm says, in elements of a width.
    Indexed(u32, Lane),
}

/// An instruction: `d`, the base `n`, fields less one, elements of what width, whether v0 masks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Access {
    pub(super) d: u32,
    pub(super) n: u32,
    pub(super) f: u32,
    pub(super) lane: Lane,
    pub(super) is_masked: bool,
    pub(super) place: Place,
    pub(super) loads: bool,
    /// Registers of a field.
    pub(super) registers: u32,
}

/// The most accesses that are made without a loop: where all are made, and where each is a question.
const MOST: u32 = 32;
const MOST_ASKED: u32 = 16;

/// The accesses of vtype's elements.
pub(super) fn access(cx: &mut Cx, t: Vector, a: Access) {
    let count = t.max(cx.vlenb());
    let all = t.full && !a.is_masked;
    match a.place {
        _ if t.started => looped(cx, a),
        Place::Unit if a.f == 0 && a.is_masked && a.loads => masked_pieces(cx, t, a),
        Place::Unit if all && matches!(a.f, 1 | 3) && (count << a.lane as u32).is_multiple_of(16) => {
            interleaved(cx, t, a)
        }
        _ if all && count * (a.f + 1) <= MOST => each(cx, count, a),
        _ if count * (a.f + 1) <= MOST_ASKED => each_asked(cx, t, count, a),
        _ => looped(cx, a),
    }
}

/// A loop over the elements from vstart on: see `vector_file.rs`.
fn looped(cx: &mut Cx, a: Access) {
    let stride = if let Place::Strided(m) = a.place { m } else { 0 };
    element_wise(cx, a.n, a.f, a.lane as u32, stride, a.loads);
}

/// The same for what the instruction's word says.
pub(super) fn element_wise(cx: &mut Cx, n: u32, f: u32, width: u32, stride: u32, loads: bool) {
    let (head, body, end) = (cx.b.block(), cx.b.block(), cx.b.block());
    cx.b.end(Term::Jump(head));
    cx.b.enter(head);
    let word = cx.b.i32(cx.word);
    let stride = cx.x(stride);
    let next = cx.b.call(&NEXT, Ty::V128, &[word, stride]);
    let more = cx.b.vget(Ty::I64, next, 1);
    let zero = cx.b.i64(0);
    let more = cx.b.cmp(IntCc::Ne, more, zero);
    cx.b.branch(more, body, end);
    cx.b.enter(body);
    let word = cx.b.i32(cx.word);
    let offset = cx.b.vget(Ty::I64, next, 0);
    let at = cx.address(n, offset);
    let place = |field: u32| Mem::at(at, 1 << width).disp((field << width) as i32);
    if loads {
        let values: Vec<Val> = (0..=f).map(|field| cx.b.load(Ty::I64, place(field))).collect();
        for (field, v) in (0..).zip(values) {
            let field = cx.b.i32(field);
            cx.b.call(&PUT, Ty::Void, &[word, v, field]);
        }
    } else {
        for field in 0..=f {
            let number = cx.b.i32(field);
            let v = cx.b.call(&GET, Ty::I64, &[word, number]);
            cx.b.store(place(field), v);
        }
    }
    let i = cx.b.get(VSTART);
    let i = cx.b.add_imm(i, 1);
    cx.b.set(VSTART, i);
    cx.b.end(Term::Jump(head));
    cx.b.enter(end);
    let zero = cx.b.i32(0);
    cx.b.set(VSTART, zero);
    cx.finish();
}

// ---- without a loop ----

impl Access {
    /// The register of a field.
    fn field(self, field: u32) -> u32 {
        self.d + field * self.registers
    }

    /// Elements of a piece.
    fn per_piece(self) -> u32 {
        16 / self.lane.bytes() as u32
    }

    /// Where a field of element `i` is.
    fn mem(self, cx: &mut Cx, i: u32, field: u32) -> Mem {
        let size = self.lane.bytes() as u8;
        let within = (field * u32::from(size)) as i32;
        let offset = match self.place {
            Place::Unit => return cx.access(self.n, (i * (self.f + 1) * u32::from(size)) as i32 + within, size),
            Place::Strided(_) if i == 0 => return cx.access(self.n, within, size),
            Place::Strided(m) => {
                let (stride, times) = (cx.x(m), cx.b.i64(i.into()));
                cx.b.mul(stride, times)
            }
            Place::Indexed(m, lane) => {
                let each = 16 / lane.bytes() as u32;
                let index = cx.piece(m, i / each);
                let index = cx.b.vget(lane.ty(), index, i % each);
                cx.b.zext(Ty::I64, index)
            }
        };
        let base = cx.x(self.n);
        let at = cx.b.add(base, offset);
        let at = cx.b.add_imm(at, within.into());
        Mem::at(cx.masked(at), size)
    }

    fn store(self, cx: &mut Cx, i: u32, field: u32) {
        let mem = self.mem(cx, i, field);
        let v = cx.piece(self.field(field), i / self.per_piece());
        let v = cx.b.vget(self.lane.ty(), v, i % self.per_piece());
        cx.b.store(mem, v);
    }
}

/// All elements.
fn each(cx: &mut Cx, count: u32, a: Access) {
    if !a.loads {
        (0..count).for_each(|i| (0..=a.f).for_each(|field| a.store(cx, i, field)));
        return;
    }
    let mut pieces = Vec::new();
    for field in 0..=a.f {
        for k in 0..count.div_ceil(a.per_piece()) {
            let first = k * a.per_piece();
            let mut v = cx.piece(a.field(field), k);
            for i in first..count.min(first + a.per_piece()) {
                let mem = a.mem(cx, i, field);
                let new = cx.b.load(a.lane.ty(), mem);
                v = cx.b.vset(a.lane, v, new, i - first);
            }
            pieces.push((a.field(field), k, v));
        }
    }
    pieces.into_iter().for_each(|(reg, k, v)| cx.set_piece(reg, k, v));
}

/// Those below vl that v0 does not mask off, each a question. What a fault leaves is as the manual has it.
fn each_asked(cx: &mut Cx, t: Vector, count: u32, a: Access) {
    let end = cx.b.block();
    for i in 0..count {
        let number = cx.b.i32(i);
        cx.b.set(VSTART, number);
        if !t.full {
            let vl = cx.b.get(VL);
            let is_below = cx.b.cmp(IntCc::Ugt, vl, number);
            otherwise(cx, is_below, end);
        }
        let next = cx.b.block();
        if a.is_masked {
            let v0 = cx.piece(0, 0);
            let bits = cx.b.vget(Ty::I64, v0, 0);
            let (bit, zero) = (cx.b.and_imm(bits, 1 << i), cx.b.i64(0));
            let is_active = cx.b.cmp(IntCc::Ne, bit, zero);
            otherwise(cx, is_active, next);
        }
        one(cx, i, a);
        cx.b.end(Term::Jump(next));
        cx.b.enter(next);
    }
    cx.b.end(Term::Jump(end));
    cx.b.enter(end);
    let zero = cx.b.i32(0);
    cx.b.set(VSTART, zero);
}

/// Goes to `other` unless something holds.
fn otherwise(cx: &mut Cx, holds: Val, other: BlockId) {
    let then = cx.b.block();
    cx.b.branch(holds, then, other);
    cx.b.enter(then);
}

/// All fields of an element.
fn one(cx: &mut Cx, i: u32, a: Access) {
    if !a.loads {
        return (0..=a.f).for_each(|field| a.store(cx, i, field));
    }
    let values: Vec<Val> = (0..=a.f)
        .map(|field| {
            let mem = a.mem(cx, i, field);
            cx.b.load(a.lane.ty(), mem)
        })
        .collect();
    for (field, new) in (0..).zip(values) {
        let (reg, k) = (a.field(field), i / a.per_piece());
        let old = cx.piece(reg, k);
        let v = cx.b.vset(a.lane, old, new, i % a.per_piece());
        cx.set_piece(reg, k, v);
    }
}

// ---- pieces ----

/// Elements side by side under a mask: where they lie in one page and any is active, that page is there for all of them.
fn masked_pieces(cx: &mut Cx, t: Vector, a: Access) {
    let count = (t.max(cx.vlenb()) << a.lane as u32).div_ceil(16);
    let (fast, slow, end) = (cx.b.block(), cx.b.block(), cx.b.block());
    let zero = cx.b.i64(0);
    let at = cx.address(a.n, zero);
    let in_page = cx.b.and_imm(at, 4095);
    let last = cx.b.i64(u64::from(4096 - 16 * count));
    let is_within = cx.b.cmp(IntCc::Ule, in_page, last);
    otherwise(cx, is_within, slow);
    let masks: Vec<Val> = (0..count).filter_map(|k| cx.active(t, true, a.lane, k)).collect();
    let any = masks.into_iter().reduce(|x, y| cx.b.v2(V2::Or, Lane::D, x, y)).expect("a piece");
    let (any, none) = (cx.b.vsigns(Lane::B, any), cx.b.i32(0));
    let any = cx.b.cmp(IntCc::Ne, any, none);
    cx.b.branch(any, fast, end);
    cx.b.enter(fast);
    let values: Vec<Val> = (0..count)
        .map(|k| {
            let mem = cx.access(a.n, 16 * k as i32, 16);
            cx.b.load(Ty::V128, mem)
        })
        .collect();
    for (k, new) in (0..).zip(values) {
        let active = cx.active(t, true, a.lane, k);
        let old = cx.piece(a.d, k);
        let v = cx.blend(active, new, old);
        cx.set_piece(a.d, k, v);
    }
    cx.b.end(Term::Jump(end));
    cx.b.enter(slow);
    looped(cx, a);
    cx.b.end(Term::Jump(end));
    cx.b.enter(end);
}

/// Segments of two or four fields, all of them: pieces from memory in order, whose lanes are taken apart or put together by twos.
fn interleaved(cx: &mut Cx, t: Vector, a: Access) {
    let pieces = (t.max(cx.vlenb()) << a.lane as u32) / 16;
    let fields = a.f + 1;
    let mem = |cx: &mut Cx, k: u32, part: u32| cx.access(a.n, (16 * (k * fields + part)) as i32, 16);
    let mut loaded = Vec::new();
    for k in 0..pieces {
        if a.loads {
            let parts = (0..fields).map(|part| {
                let mem = mem(cx, k, part);
                cx.b.load(Ty::V128, mem)
            });
            let parts = parts.collect();
            loaded.push(apart(cx, a.lane, parts));
        } else {
            let parts = (0..fields).map(|field| cx.piece(a.field(field), k)).collect();
            for (part, v) in (0..).zip(together(cx, a.lane, parts)) {
                let mem = mem(cx, k, part);
                cx.b.store(mem, v);
            }
        }
    }
    for (k, values) in (0..).zip(loaded) {
        (0..).zip(values).for_each(|(field, v)| cx.set_piece(a.field(field), k, v));
    }
}

/// The lanes of each field from those of segments.
fn apart(cx: &mut Cx, lane: Lane, parts: Vec<Val>) -> Vec<Val> {
    if parts.len() == 1 {
        return parts;
    }
    let mut by = |op| parts.chunks(2).map(|two| cx.b.v2(op, lane, two[0], two[1])).collect::<Vec<_>>();
    let (even, odd) = (by(V2::UnzipEven), by(V2::UnzipOdd));
    let (even, odd) = (apart(cx, lane, even), apart(cx, lane, odd));
    even.into_iter().zip(odd).flat_map(|(a, b)| [a, b]).collect()
}

/// And back.
fn together(cx: &mut Cx, lane: Lane, fields: Vec<Val>) -> Vec<Val> {
    if fields.len() == 1 {
        return fields;
    }
    let every_other = |at| fields.iter().copied().skip(at).step_by(2).collect();
    let (even, odd) = (together(cx, lane, every_other(0)), together(cx, lane, every_other(1)));
    let mut zip = |op, a, b| cx.b.v2(op, lane, a, b);
    even.into_iter().zip(odd).flat_map(|(a, b)| [zip(V2::ZipLo, a, b), zip(V2::ZipHi, a, b)]).collect()
}
