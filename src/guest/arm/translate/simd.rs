//! What VFP and Advanced SIMD share: registers as parts and pairs of the D registers, QC, the floating-point environments, and [`rows`], which
//! makes one function per row of simd.decode out of a family's function and its parameters.

use super::Cx;
use crate::state;
use ir::{Env, Lane, NanRule, Round, Shape, Ty, V1, V2, Val};

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

/// The number of a single-precision register from D:Vd.
pub(crate) fn single(d: u32) -> u32 {
    (d & 15) << 1 | d >> 4
}

/// The number of a double-precision register from Vn:N.
pub(crate) fn double(n: u32) -> u32 {
    n >> 1 | (n & 1) << 4
}

/// Operands of a three-register instruction; a Q register is named by its lower D register.
#[derive(Clone, Copy, Debug)]
pub(super) struct Three {
    pub d: u32,
    pub n: u32,
    pub m: u32,
}

/// Single precision in 64 (`q` 0) or 128 bits.
pub(super) fn singles(q: u32) -> Shape {
    Shape::vector(ir::Fmt::F32, if q == 1 { 4 } else { 2 })
}

impl Cx<'_> {
    // ---- floating-point environment ----

    /// What FPSCR (in the mode word) asks of VFP.
    pub(super) fn env(&self) -> Env {
        let bit = |n: u32| self.mode >> n & 1 == 1;
        let nan = if bit(25) { NanRule::Default } else { NanRule::ArmPropagate };
        Env {
            round: state::rounding(self.mode),
            nan,
            flush_in: bit(24),
            flush_out: bit(24),
            alt_half: bit(26),
            unmasked: false,
        }
    }

    /// Advanced SIMD's: flushing, default NaN, nearest (Arm ARM E1.3.3, "StandardFPSCRValue").
    pub(super) fn standard(&self) -> Env {
        let alt_half = self.mode >> 26 & 1 == 1;
        Env {
            round: Round::NearestEven,
            nan: NanRule::Default,
            flush_in: true,
            flush_out: true,
            alt_half,
            unmasked: false,
        }
    }

    // ---- registers ----

    /// The operands, or None (and the trap) if a Q register has an odd number. `n` is Vn:N.
    pub(super) fn three(&mut self, q: u32, d: u32, n: u32, m: u32) -> Option<Three> {
        let n = double(n);
        if q == 1 && (d | n | m) & 1 == 1 {
            self.undefined();
            return None;
        }
        Some(Three { d, n, m })
    }

    /// The same for two registers.
    pub(super) fn two(&mut self, q: u32, d: u32, m: u32) -> Option<Three> {
        self.three(q, d, 0, m)
    }

    /// Qn, by the number of its lower half.
    pub(super) fn quad(&mut self, n: u32) -> Val {
        let (low, high) = (self.d(n & !1), self.d(n | 1));
        self.b.v2(V2::ConcatLo, Lane::D, low, high)
    }

    /// Dn at the bottom; what is above it is of no meaning.
    pub(super) fn d(&mut self, n: u32) -> Val {
        let v = self.b.get(state::d(n));
        self.b.v_low(v)
    }

    /// Dn with zeros above.
    pub(super) fn d_alone(&mut self, n: u32) -> Val {
        let v = self.d(n);
        self.b.v1(V1::ZeroHi, Lane::D, v)
    }

    /// Qn (`q` 1), or Dn with anything above.
    pub(super) fn v(&mut self, q: u32, n: u32) -> Val {
        if q == 1 { self.quad(n) } else { self.d(n) }
    }

    pub(super) fn set_quad(&mut self, n: u32, v: Val) {
        for half in 0..2 {
            let d = self.b.vget(Ty::F64, v, half);
            self.set(state::d(n & !1 | half), d);
        }
    }

    /// Writes Dn: the low half of `v`.
    pub(super) fn set_d(&mut self, n: u32, v: Val) {
        let v = self.b.vget(Ty::F64, v, 0);
        self.set(state::d(n), v);
    }

    /// Writes Qn (`q` 1) or Dn.
    pub(super) fn set_v(&mut self, q: u32, n: u32, v: Val) {
        if q == 1 { self.set_quad(n, v) } else { self.set_d(n, v) }
    }

    /// A lane of Dn as a scalar.
    pub(super) fn d_lane(&mut self, ty: Ty, n: u32, index: u32) -> Val {
        let v = self.b.get(state::d(n));
        if ty == Ty::F64 { v } else { self.b.vget(ty, v, index) }
    }

    pub(super) fn set_d_lane(&mut self, n: u32, index: u32, scalar: Val) {
        let v = match self.b.ty(scalar) {
            Ty::F64 => scalar,
            Ty::I64 => self.b.bitcast(Ty::F64, scalar),
            part => {
                let old = self.b.get(state::d(n));
                self.b.vset(Lane::log2(part.bytes().trailing_zeros()), old, scalar, index)
            }
        };
        self.set(state::d(n), v);
    }

    /// A lane of Dn in every lane.
    pub(super) fn splat_d_lane(&mut self, lane: Lane, n: u32, index: u32) -> Val {
        let v = self.d(n);
        self.b.vsplat_lane(lane, v, index)
    }

    /// Sn as F32 or I32.
    pub(super) fn s(&mut self, ty: Ty, n: u32) -> Val {
        self.d_lane(ty, n / 2, n & 1)
    }

    pub(super) fn set_s(&mut self, n: u32, v: Val) {
        self.set_d_lane(n / 2, n & 1, v);
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

    /// QC becomes set if any bit of the low 64 (`q` 0) or of all bits of `v` is: the slot collects bits.
    pub(super) fn saturated(&mut self, q: u32, v: Val) {
        let v = if q == 1 { v } else { self.b.v1(V1::ZeroHi, Lane::D, v) };
        let qc = self.b.get(state::QC);
        let qc = self.b.v2(V2::Or, Lane::D, qc, v);
        self.set(state::QC, qc);
    }

    /// QC becomes set if the saturated result differs from the plain one.
    pub(super) fn saturated_if_differ(&mut self, q: u32, result: Val, plain: Val) {
        let differ = self.b.v2(V2::Xor, Lane::D, result, plain);
        self.saturated(q, differ);
    }
}
