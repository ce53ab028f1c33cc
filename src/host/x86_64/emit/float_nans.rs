//! Arm's NaNs where the host's are others, without a call: of scalars, for what needs no look at two signalling operands.
//!
//! FPProcessNaNs (DDI 0487, shared/functions/float): signalling NaNs come first, then quiet ones; in a fused multiply-add the addend before the
//! factors. The host (SDM vol. 1, 4.8.3.5 and 14.5) takes the first operand that is one, of a fused multiply-add the factors before the addend, and makes negative
//! NaNs of what is invalid. So one NaN alone comes out the same on both, and has raised the same.

use super::super::SCRATCH;
use super::super::asm::{Alu, Cc as X, L128, Label, Size, Xm, Xmm, vop};
use super::Emitter;
use super::float::sign;
use super::float_check::Check;
use ir::{Fmt, Fp2, NanRule, Op, Shape, Val};

/// A result that is a NaN, or to be looked at for another reason.
#[derive(Clone, Debug)]
pub(super) struct Nans {
    pub(super) label: Label,
    /// Where it goes on when all is done.
    pub(super) back: Label,
    /// Where it goes on with everything else.
    pub(super) slow: Label,
    pub(super) fmt: Fmt,
    /// The host's result; where to, as how many lanes.
    pub(super) t: Xmm,
    pub(super) to: Xmm,
    pub(super) moved: Shape,
    /// Operands, or factors, and what is added to the product.
    pub(super) args: Vec<Xm>,
    pub(super) negate: Negate,
}

/// What has its sign turned in a fused multiply-add, the product by its first factor; and a NaN that comes of it, too.
#[derive(Clone, Copy, Debug)]
pub(super) struct Negate {
    product: bool,
    addend: bool,
}

/// A format's infinity and its first quiet NaN, without their signs, twice.
fn limits(fmt: Fmt) -> [u64; 2] {
    if fmt == Fmt::F64 { [0xffe0 << 48, 0xfff0 << 48] } else { [0xff00_0000, 0xff80_0000] }
}

impl Emitter<'_> {
    /// Whether NaNs of the operation are made here, and what it negates.
    pub(super) fn makes_nans(&self, v: Val, shape: Shape, check: Check) -> Option<Negate> {
        let op = self.r.op(v);
        let is_arm = op.env().is_some_and(|env| env.nan == NanRule::ArmPropagate && !env.flush_in);
        let is_checked = matches!(check, Check::Nan | Check::NanOrTiny | Check::NanOrTinySquare);
        if !is_arm || !is_checked || shape.lanes > 1 || !matches!(shape.fmt, Fmt::F32 | Fmt::F64) {
            return None;
        }
        match *op {
            Op::Fp2(Fp2::Add | Fp2::Sub | Fp2::Mul | Fp2::Div, ..) => Some(Negate { product: false, addend: false }),
            Op::Fma { neg_product, neg_addend, .. } => Some(Negate { product: neg_product, addend: neg_addend }),
            _ => None,
        }
    }

    pub(super) fn nans(&mut self, n: &Nans) {
        self.a.bind(n.label);
        let compare = if n.fmt == Fmt::F64 { vop::VUCOMISD } else { vop::VUCOMISS };
        self.a.v2(compare, L128, n.t, n.t);
        self.a.jcc(X::Np, n.slow);
        let [infinity, quiet] = limits(n.fmt);
        let done = self.a.label();
        if let [a, b, c] = n.args[..] {
            let (unquiet, size) = (self.a.label(), self.above_limit(n.fmt, c, quiet));
            self.a.jcc(X::B, unquiet);
            // The addend comes first, unless a factor signals. An infinite factor may make the product invalid.
            for factor in [a, b] {
                let fine = self.a.label();
                self.above_limit(n.fmt, factor, infinity);
                self.a.jcc(X::B, fine);
                self.limit(size, quiet);
                self.a.jcc(X::B, n.slow);
                self.a.bind(fine);
            }
            self.low_to(n.fmt, n.t, c);
            if n.negate.addend {
                self.turn_sign(n);
            }
            self.a.jmp(done);
            self.a.bind(unquiet);
            self.limit(size, infinity);
            self.a.jcc(X::A, n.slow);
        }
        self.nan_of_two(n, done);
        self.a.bind(done);
        self.fp_move(n.moved, n.to, n.t);
        self.a.jmp(n.back);
    }

    /// The NaN of two operands, or of two factors beside an addend that is none.
    fn nan_of_two(&mut self, n: &Nans, done: Label) {
        let [infinity, _] = limits(n.fmt);
        let [a, b] = [n.args[0], n.args[1]];
        let first = self.a.label();
        self.above_limit(n.fmt, a, infinity);
        self.a.jcc(X::A, first);
        self.above_limit(n.fmt, b, infinity);
        self.a.jcc(X::A, done);
        let default = self.pool(if n.fmt == Fmt::F64 { 0x7ff8 << 48 } else { 0x7fc0_0000 });
        self.low_to(n.fmt, n.t, Xm::Mem(default));
        self.a.jmp(done);
        self.a.bind(first);
        self.above_limit(n.fmt, b, infinity);
        self.a.jcc(X::A, n.slow);
        if n.negate.product {
            self.turn_sign(n);
        }
    }

    fn turn_sign(&mut self, n: &Nans) {
        let sign = self.pool(sign(n.fmt).into());
        self.a.v3(vop::VXORPS, L128, n.t, n.t, sign);
    }

    /// Compares twice the magnitude of a scalar with `limit`; of which size.
    fn above_limit(&mut self, fmt: Fmt, x: Xm, limit: u64) -> Size {
        let (size, take) = if fmt == Fmt::F64 { (Size::Q, vop::VMOVQ_GST) } else { (Size::D, vop::VMOVD_ST) };
        match x {
            Xm::Reg(x) => self.a.vst(take, L128, SCRATCH, x),
            Xm::Mem(m) => self.a.mov(size, SCRATCH, m),
        }
        self.a.alu(Alu::Add, size, SCRATCH, SCRATCH);
        self.limit(size, limit);
        size
    }

    fn limit(&mut self, size: Size, limit: u64) {
        let limit = self.pool(limit.into());
        self.a.alu(Alu::Cmp, size, SCRATCH, limit);
    }

    /// A scalar to where there is zero above it already, or nobody looks.
    fn low_to(&mut self, fmt: Fmt, t: Xmm, from: Xm) {
        let op = if fmt == Fmt::F64 { vop::VMOVSD } else { vop::VMOVSS };
        match from {
            Xm::Reg(x) => self.a.v3(op, L128, t, t, x),
            Xm::Mem(m) => self.a.v2(op, L128, t, m),
        }
    }
}
