//! Helpers of V that go over the elements of whole registers: reductions, masks, permutations, and elements for memory accesses.

use super::vector_float::{RISCV, format};
use super::vector_lanes::scalar;
use crate::state::{FRM, STATE64, VECTORS, VL, VLENB, VSTART, VTYPE, Vector, rounding, shifted};
use ir::{Fp2, Frame, Helper, Lane, Op, Round, Shape, Touches, Val};

/// The registers, and the instruction that works on them.
pub(super) struct File<'a, 'f> {
    frame: &'a mut Frame<'f>,
    vlenb: usize,
    word: u32,
    v: Vector,
    vl: u32,
    start: u32,
}

impl<'a, 'f> File<'a, 'f> {
    /// The first argument is the instruction's word.
    fn of(frame: &'a mut Frame<'f>) -> File<'a, 'f> {
        let get = |slot| STATE64.get(frame.state, slot) as u32;
        let [vlenb, vtype, vl, start] = [VLENB, VTYPE, VL, VSTART].map(get);
        let (vlenb, v, word) = (vlenb as usize, Vector::of_type(vtype & 0xff), frame.args[0] as u32);
        File { vlenb, v, vl, start, word, frame }
    }

    fn d(&self) -> u32 {
        self.word >> 7 & 31
    }
    fn n(&self) -> u32 {
        self.word >> 15 & 31
    }
    fn m(&self) -> u32 {
        self.word >> 20 & 31
    }

    /// Elements that vtype has room for.
    fn max(&self) -> u32 {
        self.v.max(self.vlenb as u32)
    }

    fn at(&self, reg: u32, i: u32, log2: u32) -> usize {
        VECTORS + reg as usize * self.vlenb + ((i as usize) << log2)
    }

    /// Element `i` of 2^`log2` bytes of the group that begins with a register.
    fn get(&self, reg: u32, i: u32, log2: u32) -> u64 {
        let at = self.at(reg, i, log2);
        self.frame.state[at..at + (1 << log2)].iter().rev().fold(0, |v, b| v << 8 | u64::from(*b))
    }

    fn set(&mut self, reg: u32, i: u32, log2: u32, v: u64) {
        let at = self.at(reg, i, log2);
        self.frame.state[at..at + (1 << log2)].copy_from_slice(&v.to_le_bytes()[..1 << log2]);
    }

    fn bit(&self, reg: u32, i: u32) -> bool {
        self.get(reg, i / 8, 0) >> (i % 8) & 1 == 1
    }

    fn set_bit(&mut self, reg: u32, i: u32, v: bool) {
        let byte = self.get(reg, i / 8, 0) & !(1 << (i % 8));
        self.set(reg, i / 8, 0, byte | u64::from(v) << (i % 8));
    }

    /// Whether an element is not masked off.
    fn is_active(&self, i: u32) -> bool {
        self.word >> 25 & 1 == 1 || self.bit(0, i)
    }

    fn active(&self) -> Vec<u32> {
        (self.start..self.vl).filter(|i| self.is_active(*i)).collect()
    }

    /// The elements of a source, before the destination that it may be is written.
    fn elements(&self, reg: u32, log2: u32, count: u32) -> Vec<u64> {
        (0..count).map(|i| self.get(reg, i, log2)).collect()
    }
}

const fn helper(name: &'static str, run: fn(&mut Frame<'_>)) -> Helper {
    Helper { name, run, touches: Touches::All, can_exit: false, pure: false }
}

// ---- reductions ----

/// vd[0] = vs1[0] and the active elements of vs2, floats, in order.
fn reduce_float(frame: &mut Frame<'_>, widens: bool, op: Fp2) {
    let round = rounding(STATE64.get(frame.state, FRM) as u32).unwrap_or(Round::NearestEven);
    let mut file = File::of(frame);
    let (from, to) = (file.v.sew, file.v.sew + u32::from(widens));
    let (fmt, env, mut flags) = (format(Lane::log2(to)), RISCV.round(round), 0);
    let convert = Op::FpCvt { from: format(Lane::log2(from)), to: fmt, lanes: 0, env, v: Val(0) };
    let op = Op::Fp2(op, Shape::scalar(fmt), env, Val(0), Val(1));
    let (mut sum, m) = (file.get(file.n(), 0, to), file.m());
    for i in file.active() {
        let mut v = file.get(m, i, from);
        if widens {
            v = scalar(convert, fmt.ty(), format(Lane::log2(from)).ty(), [v, 0, 0], &mut flags);
        }
        sum = scalar(op, fmt.ty(), fmt.ty(), [sum, v, 0], &mut flags);
    }
    if file.vl > 0 {
        file.set(file.d(), 0, to, sum);
    }
    frame.fp_flags = flags;
}

pub(super) static FREDSUM: Helper = helper("vfredsum", |f| reduce_float(f, false, Fp2::Add));
pub(super) static FREDMIN: Helper = helper("vfredmin", |f| reduce_float(f, false, Fp2::MinNum));
pub(super) static FREDMAX: Helper = helper("vfredmax", |f| reduce_float(f, false, Fp2::MaxNum));
pub(super) static FWREDSUM: Helper = helper("vfwredsum", |f| reduce_float(f, true, Fp2::Add));

// ---- masks ----

pub(super) static CPOP: Helper = helper("vcpop", |f| {
    let file = File::of(f);
    let n = file.active().iter().filter(|i| file.bit(file.m(), **i)).count();
    f.ret = n as u128;
});

pub(super) static FIRST: Helper = helper("vfirst", |f| {
    let file = File::of(f);
    let first = file.active().into_iter().find(|i| file.bit(file.m(), *i));
    f.ret = first.map_or(u128::from(u64::MAX), u128::from);
});

/// Bits before the first one, that one, and those after it.
fn set_first(frame: &mut Frame<'_>, [before, first, after]: [bool; 3]) {
    let mut file = File::of(frame);
    let (d, m, mut found) = (file.d(), file.m(), false);
    for i in file.active() {
        let bit = file.bit(m, i);
        let v = match (found, bit) {
            (true, _) => after,
            (false, true) => first,
            (false, false) => before,
        };
        found |= bit;
        file.set_bit(d, i, v);
    }
}

pub(super) static SBF: Helper = helper("vmsbf", |f| set_first(f, [true, false, false]));
pub(super) static SIF: Helper = helper("vmsif", |f| set_first(f, [true, true, false]));
pub(super) static SOF: Helper = helper("vmsof", |f| set_first(f, [false, true, false]));

pub(super) static IOTA: Helper = helper("viota", |f| {
    let mut file = File::of(f);
    let (d, m, sew, mut n) = (file.d(), file.m(), file.v.sew, 0);
    for i in file.active() {
        file.set(d, i, sew, n);
        n += u64::from(file.bit(m, i));
    }
});

// ---- permutations; the second argument is the scalar ----

pub(super) static SLIDEUP: Helper = helper("vslideup", |f| {
    let offset = f.args[1] as u64;
    let mut file = File::of(f);
    let (d, m, sew) = (file.d(), file.m(), file.v.sew);
    for i in file.active().into_iter().filter(|i| u64::from(*i) >= offset) {
        let v = file.get(m, i - offset as u32, sew);
        file.set(d, i, sew, v);
    }
});

pub(super) static SLIDEDOWN: Helper = helper("vslidedown", |f| {
    let offset = f.args[1] as u64;
    let mut file = File::of(f);
    let (d, sew, max) = (file.d(), file.v.sew, file.max());
    let source = file.elements(file.m(), sew, max);
    for i in file.active() {
        let from = u64::from(i).saturating_add(offset);
        let v = source.get(from as usize).copied().unwrap_or(0);
        file.set(d, i, sew, v);
    }
});

/// Down by one with the scalar at the end, or up by one with it at the start.
fn slide1(frame: &mut Frame<'_>, up: bool) {
    let scalar = frame.args[1] as u64;
    let mut file = File::of(frame);
    let (d, sew, max, last) = (file.d(), file.v.sew, file.max(), file.vl.wrapping_sub(1));
    let source = file.elements(file.m(), sew, max);
    for i in file.active() {
        let v = match up {
            true if i == 0 => scalar,
            true => source[i as usize - 1],
            false if i == last => scalar,
            false => source[i as usize + 1],
        };
        file.set(d, i, sew, v);
    }
}

pub(super) static SLIDE1UP: Helper = helper("vslide1up", |f| slide1(f, true));
pub(super) static SLIDE1DOWN: Helper = helper("vslide1down", |f| slide1(f, false));

/// Elements of vs2 by index: `index` gives element i's.
fn gather(frame: &mut Frame<'_>, index: impl Fn(&File<'_, '_>, u32) -> u64) {
    let mut file = File::of(frame);
    let (d, m, sew, max) = (file.d(), file.m(), file.v.sew, file.max());
    for i in file.active() {
        let at = index(&file, i);
        let v = if at < max.into() { file.get(m, at as u32, sew) } else { 0 };
        file.set(d, i, sew, v);
    }
}

pub(super) static GATHER: Helper = helper("vrgather", |f| gather(f, |file, i| file.get(file.n(), i, file.v.sew)));
pub(super) static GATHER16: Helper = helper("vrgatherei16", |f| gather(f, |file, i| file.get(file.n(), i, 1)));
pub(super) static GATHER_SCALAR: Helper = helper("vrgather_scalar", |f| {
    let index = f.args[1] as u64;
    gather(f, |_, _| index);
});

pub(super) static COMPRESS: Helper = helper("vcompress", |f| {
    let mut file = File::of(f);
    let (d, m, n, sew) = (file.d(), file.m(), file.n(), file.v.sew);
    let kept: Vec<u32> = (0..file.vl).filter(|i| file.bit(n, *i)).collect();
    for (to, from) in kept.into_iter().enumerate() {
        let v = file.get(m, from, sew);
        file.set(d, to as u32, sew, v);
    }
});

/// VMVnR from vstart on.
pub(super) static MOVE: Helper = helper("vmvr", |f| {
    let mut file = File::of(f);
    let (d, m, bytes) = (file.d(), file.m(), (file.n() + 1) * file.vlenb as u32);
    for i in (file.start << file.v.sew)..bytes {
        let v = file.get(m, i, 0);
        file.set(d, i, 0, v);
    }
});

// ---- memory: one element after the other ----

/// The kinds of accesses, by mop and lumop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Access {
    Unit,
    Whole,
    Mask,
    Strided,
    Indexed,
}

impl File<'_, '_> {
    fn access(&self) -> Access {
        match (self.word >> 26 & 3, self.word >> 20 & 31) {
            (0, 8) => Access::Whole,
            (0, 11) => Access::Mask,
            (0, _) => Access::Unit,
            (2, _) => Access::Strided,
            _ => Access::Indexed,
        }
    }

    /// The width that the instruction names.
    fn width(&self) -> u32 {
        self.word >> 12 & 3
    }

    /// That of an element in memory.
    fn element(&self) -> u32 {
        if self.access() == Access::Indexed { self.v.sew } else { self.width() }
    }

    fn fields(&self) -> u32 {
        self.word >> 29 & 7
    }

    /// How many elements there are in all.
    fn count(&self) -> u32 {
        match self.access() {
            Access::Whole => ((self.fields() + 1) * self.vlenb as u32) >> self.element(),
            Access::Mask => self.vl.div_ceil(8),
            _ => self.vl,
        }
    }

    /// Where element `i` is from the base; the second argument of the helper is the stride.
    fn offset(&self, i: u32) -> u64 {
        let segment = match self.access() {
            Access::Whole | Access::Mask => 1,
            _ => u64::from(self.fields()) + 1,
        };
        match self.access() {
            Access::Strided => (self.frame.args[1] as u64).wrapping_mul(i.into()),
            Access::Indexed => self.get(self.m(), i, self.width()),
            _ => (segment << self.element()).wrapping_mul(i.into()),
        }
    }

    /// The first register of a field's group.
    fn field(&self, field: u32) -> u32 {
        let lmul = match self.access() {
            Access::Indexed => self.v.lmul,
            Access::Unit | Access::Strided => self.v.lmul + self.width() as i32 - self.v.sew as i32,
            Access::Whole | Access::Mask => 0,
        };
        self.d() + field * shifted(1, lmul.max(0))
    }
}

/// The next element from vstart on: its distance from the base (the low half), 1 in the high half if there is one. vstart becomes its number.
pub(super) static NEXT: Helper = helper("vnext", |f| {
    let file = File::of(f);
    let next = (file.start..file.count()).find(|i| file.is_active(*i));
    let offset = next.map(|i| file.offset(i));
    if let (Some(i), Some(offset)) = (next, offset) {
        STATE64.set(f.state, VSTART, i.into());
        f.ret = u128::from(offset) | 1 << 64;
    }
});

/// Puts the second argument into the element at vstart of the third's field.
pub(super) static PUT: Helper = helper("vput", |f| {
    let (v, field) = (f.args[1] as u64, f.args[2] as u32);
    let mut file = File::of(f);
    let (reg, i, log2) = (file.field(field), file.start, file.element());
    file.set(reg, i, log2, v);
});

/// The element at vstart of the second argument's field.
pub(super) static GET: Helper = helper("vget", |f| {
    let field = f.args[1] as u32;
    let file = File::of(f);
    f.ret = file.get(file.field(field), file.start, file.element()).into();
});
