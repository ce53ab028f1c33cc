//! What the Advanced SIMD chapters share: arrangements, QC, the floating-point environment, and [`rows`], which makes one
//! function per row of simd.decode out of a family's function and its parameters.
//!
//! The letters of the rows: `e` is the arrangement (bits 1..0 the lane size, bit 2 `q`: 128 bits), `k` the kind of row
//! (bit 0: half precision, bit 1: scalar, which is one lane at the bottom of the register).

use super::Cx;
use crate::state;
use ir::{Env, Fmt, Lane, NanRule, Round, Shape, Ty, V1, V2, Val};

/// `family(fields): name Row(parameters); …` makes `fn name(cx, i: Row)`, which calls `family(cx, [fields], parameters)`.
macro_rules! rows {
    (@one $family:ident ($($field:ident)*) $name:ident $Row:ident ($($arg:expr),*)) => {
        pub(crate) fn $name(cx: &mut Cx, i: $Row) {
            $family(cx, [$(i.$field),*] $(, $arg)*);
        }
    };
    ($family:ident $fields:tt: $($name:ident $Row:ident $args:tt;)*) => {
        $(rows!(@one $family $fields $name $Row $args);)*
    };
}
pub(crate) use rows;

/// The row is a scalar one.
pub(super) fn is_scalar(k: u32) -> bool {
    k & 2 != 0
}

/// The integer lane of an arrangement.
pub(super) fn lane(e: u32) -> Lane {
    Lane::log2(e & 3)
}

/// The type in which a lane is moved from vector to vector: a float where the host keeps those in its vector unit.
pub(super) fn moved(lane: Lane) -> Ty {
    match lane {
        Lane::S => Ty::F32,
        Lane::D => Ty::F64,
        lane => lane.ty(),
    }
}

/// The lane in a shift's immediate: its highest one.
pub(super) fn shift_lane(i: u32) -> Lane {
    Lane::log2(i.ilog2() - 3)
}

/// The arrangement `e` of a row that has `q` and a lane.
pub(super) fn arrangement(q: u32, lane: Lane) -> u32 {
    q << 2 | lane as u32
}

/// The format of a scalar floating-point type field.
pub(super) fn scalar_fmt(t: u32) -> Fmt {
    match t {
        0 => Fmt::F32,
        1 => Fmt::F64,
        _ => Fmt::F16,
    }
}

/// `lanes` of a format that fill 64 (`q` 0) or 128 bits.
pub(super) fn fp_lanes(fmt: Fmt, q: u32) -> Shape {
    Shape::vector(fmt, (8 << q >> fmt.lane() as u32) as u8)
}

/// The lanes of a floating-point row: `e` is q and double, or q alone in a row of half precision, or double in a scalar row.
pub(super) fn fp_shape(e: u32, k: u32) -> Shape {
    let fmt = match (k & 1, e & 1) {
        (1, _) => Fmt::F16,
        (_, 0) => Fmt::F32,
        _ => Fmt::F64,
    };
    match k {
        0 => fp_lanes(fmt, e >> 1),
        1 => fp_lanes(fmt, e),
        _ => Shape::vector(fmt, 1),
    }
}

/// The same of a row by element, with `q` and `f` (double) apart.
pub(super) fn element_shape(q: u32, f: u32, k: u32) -> Shape {
    fp_shape(if k == 0 { q << 1 | f } else { q | f }, k)
}

/// The index of a lane of 2^`size` bytes in a row by element: bits H (`h`) and L, M (`i`).
pub(crate) fn element_index(size: u32, h: u32, i: u32) -> u32 {
    match size {
        1 => h << 2 | i,
        2 => h << 1 | i,
        _ => h,
    }
}

impl Cx<'_> {
    // ---- floating-point environment ----

    /// What FPCR (the mode word) asks of an operation whose operands and result have this format.
    /// Conversions between formats flush by FZ on the sides that are not half precision: they take the one of F32.
    pub fn env(&self, fmt: Fmt) -> Env {
        let bit = |n: u32| self.mode >> n & 1 == 1;
        let flush = bit(if fmt == Fmt::F16 { 19 } else { 24 });
        let round = match self.mode >> 22 & 3 {
            0 => Round::NearestEven,
            1 => Round::Up,
            2 => Round::Down,
            _ => Round::Zero,
        };
        let nan = if bit(25) { NanRule::Default } else { NanRule::ArmPropagate };
        Env { round, nan, flush_in: flush, flush_out: flush, alt_half: bit(26), unmasked: false }
    }

    // ---- arrangements ----

    /// The vector with zeros in place of what the row does not work on.
    pub(super) fn keep(&mut self, e: u32, k: u32, v: Val) -> Val {
        match (is_scalar(k), lane(e)) {
            (false, _) if e >> 2 == 1 => v,
            (false, _) | (true, Lane::D) => self.b.v1(V1::ZeroHi, Lane::D, v),
            (true, lane) => {
                let low = self.b.vget(moved(lane), v, 0);
                self.b.v_from_scalar(low)
            }
        }
    }

    /// Writes Vd in the row's arrangement.
    pub(super) fn set_lanes(&mut self, e: u32, k: u32, d: u32, v: Val) {
        let v = self.keep(e, k, v);
        self.b.set(state::v(d), v);
    }

    /// Writes Vd as it is.
    pub(super) fn set_whole(&mut self, d: u32, v: Val) {
        self.b.set(state::v(d), v);
    }

    /// The half of Vn that an instruction on wide lanes works on, at the bottom: the low one, or with `q` the high one.
    pub(super) fn half(&mut self, q: u32, n: u32) -> Val {
        let v = self.v(n);
        if q == 1 { self.b.v1(V1::MoveHi, Lane::D, v) } else { v }
    }

    /// Writes a narrowed result, which has zeros above: the whole of Vd, or with `q` the high half alone.
    pub(super) fn set_half(&mut self, q: u32, d: u32, v: Val) {
        let v = if q == 1 {
            let low = self.v(d);
            self.b.v2(V2::ConcatLo, Lane::D, low, v)
        } else {
            v
        };
        self.set_whole(d, v);
    }

    /// The constant in every lane.
    pub(super) fn splat(&mut self, lane: Lane, value: u64) -> Val {
        let mut bits = u128::from(value & lane.mask());
        let mut width = lane.bits();
        while width < 128 {
            bits |= bits << width;
            width *= 2;
        }
        self.b.v128(bits)
    }

    // ---- saturation ----

    /// QC becomes set if any bit of `v` is: the slot collects bits, and reading FPSR looks whether there is one.
    pub(super) fn saturated(&mut self, v: Val) {
        let qc = self.b.get(state::QC);
        let qc = self.b.v2(V2::Or, Lane::D, qc, v);
        self.b.set(state::QC, qc);
    }

    /// QC becomes set if the saturated result differs from the plain one, in the lanes that the row works on.
    pub(super) fn saturated_if_differ(&mut self, e: u32, k: u32, result: Val, plain: Val) {
        let differ = self.b.v2(V2::Xor, Lane::D, result, plain);
        let differ = self.keep(e, k, differ);
        self.saturated(differ);
    }

    // ---- floating-point registers ----

    /// The low lane of Vn as a scalar of the format.
    pub(super) fn fp(&mut self, fmt: Fmt, n: u32) -> Val {
        let v = self.v(n);
        self.b.vget(fmt.ty(), v, 0)
    }

    /// Writes a scalar to Vd, zeros above.
    pub(super) fn set_fp(&mut self, d: u32, scalar: Val) {
        let v = self.b.v_from_scalar(scalar);
        self.b.set(state::v(d), v);
    }

    /// A scalar floating-point constant of zero.
    pub(super) fn fp_zero(&mut self, ty: Ty) -> Val {
        self.b.constant(ty, 0)
    }
}
