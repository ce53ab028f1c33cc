//! VFP: moves, arithmetic, comparison, conversions, FPSCR (Arm ARM F3.1.7, F4.1.9). Short vectors are not there: ARMv8 has none.
//!
//! `z` is double precision. Register fields are brought to register numbers first ([`Operands`]).

use super::Cx;
use super::simd::{double, rows, single};
use super::simd_float::DIRECTED;
use super::simd_move::modified_immediate;
use crate::insn::*;
use crate::state::{self, FPNZCV, FPSCR, FPSCR_BITS, NZCV, QC, STICKY};
use ir::{Bin, Cc, Env, Fmt, Fp1, Fp2, IntCc, Lane, Op, Round, Shape, Term, Ty, Val};

fn fmt(z: u32) -> Fmt {
    if z == 1 { Fmt::F64 } else { Fmt::F32 }
}

/// The number of a register of precision `z` from D:Vd or M:Vm.
fn register(z: u32, d: u32) -> u32 {
    if z == 1 { d } else { single(d) }
}

/// The same from Vn:N.
fn register_n(z: u32, n: u32) -> u32 {
    if z == 1 { double(n) } else { n }
}

/// Whether a VFP instruction names one of D16 to D31.
pub(super) fn uses_high_registers(row: &decode::Row<crate::insn::Translate>, bits: u32) -> bool {
    if row.section != "cp" {
        return false;
    }
    let field = |name: &str| row.fields.iter().find(|f| f.name() == name).map(|f| f.of(bits));
    let high = |name: &str| match (name, field(name)) {
        (_, None) => false,
        ("n", Some(n)) => n & 1 == 1,
        (_, Some(n)) => n >= 16,
    };
    let is_double = field("z") == Some(1);
    match row.name {
        "vldr" | "vstr" => is_double && high("d"),
        "vmov_to" | "vmov_from" => high("n"),
        "vcvt_ds" => high(if is_double { "m" } else { "d" }),
        "vcvt_to_int" | "vcvt_rm" => is_double && high("m"),
        "vcvt_from_int" => is_double && high("d"),
        "vcvt_half" => is_double && high(if field("o") == Some(0) { "d" } else { "m" }),
        "vldm" | "vstm" => is_double && field("d").zip(field("i")).is_some_and(|(d, i)| d + i / 2 > 16),
        _ => is_double && ["d", "n", "m"].into_iter().any(high),
    }
}

impl Cx<'_> {
    /// A register of precision `z`.
    fn f(&mut self, z: u32, n: u32) -> Val {
        if z == 1 { self.d_lane(Ty::F64, n, 0) } else { self.s(Ty::F32, n) }
    }

    fn set_f(&mut self, z: u32, n: u32, v: Val) {
        if z == 1 { self.set_d_lane(n, 0, v) } else { self.set_s(n, v) }
    }
}

// ---- arithmetic ----

/// Vn and Vm.
fn sources(cx: &mut Cx, z: u32, n: u32, m: u32) -> (Val, Val) {
    (cx.f(z, register_n(z, n)), cx.f(z, register(z, m)))
}

fn binary(cx: &mut Cx, [z, d, n, m]: [u32; 4], op: Fp2) {
    let (a, b) = sources(cx, z, n, m);
    let env = cx.env();
    let v = cx.b.fp2(op, Shape::scalar(fmt(z)), env, a, b);
    cx.set_f(z, register(z, d), v);
}

rows! { binary(z d n m):
    vadd Vadd(Fp2::Add);
    vsub Vsub(Fp2::Sub);
    vmul Vmul(Fp2::Mul);
    vdiv Vdiv(Fp2::Div);
}

pub(crate) fn vmaxnm(cx: &mut Cx, a: Vmaxnm) {
    binary(cx, [a.z, a.d, a.n, a.m], if a.o == 1 { Fp2::MinNum } else { Fp2::MaxNum });
}

fn negate(cx: &mut Cx, z: u32, v: Val) -> Val {
    let env = cx.env();
    cx.b.fp1(Fp1::Neg, Shape::scalar(fmt(z)), env, v)
}

/// (±Vd) + (±(Vn * Vm)), rounded twice.
fn multiply_add(cx: &mut Cx, [z, d, n, m]: [u32; 4], negate_addend: bool, negate_product: bool) {
    let (a, b) = sources(cx, z, n, m);
    let (shape, env, d) = (Shape::scalar(fmt(z)), cx.env(), register(z, d));
    let mut product = cx.b.fp2(Fp2::Mul, shape, env, a, b);
    if negate_product {
        product = negate(cx, z, product);
    }
    let mut addend = cx.f(z, d);
    if negate_addend {
        addend = negate(cx, z, addend);
    }
    let v = cx.b.fp2(Fp2::Add, shape, env, addend, product);
    cx.set_f(z, d, v);
}

/// VMLA, VMLS (`o` 1).
pub(crate) fn vmla(cx: &mut Cx, a: Vmla) {
    multiply_add(cx, [a.z, a.d, a.n, a.m], false, a.o == 1);
}

/// VNMLS, VNMLA (`o` 1).
pub(crate) fn vnmla(cx: &mut Cx, a: Vnmla) {
    multiply_add(cx, [a.z, a.d, a.n, a.m], true, a.o == 1);
}

pub(crate) fn vnmul(cx: &mut Cx, a: Vnmul) {
    let (x, y) = sources(cx, a.z, a.n, a.m);
    let env = cx.env();
    let v = cx.b.fp2(Fp2::Mul, Shape::scalar(fmt(a.z)), env, x, y);
    let v = negate(cx, a.z, v);
    cx.set_f(a.z, register(a.z, a.d), v);
}

fn fused(cx: &mut Cx, [z, d, n, m]: [u32; 4], negate_addend: bool, negate_product: bool) {
    let (a, b) = sources(cx, z, n, m);
    let d = register(z, d);
    let (c, env) = (cx.f(z, d), cx.env());
    let v = cx.b.fma(Shape::scalar(fmt(z)), env, negate_product, negate_addend, a, b, c);
    cx.set_f(z, d, v);
}

/// VFMA, VFMS (`o` 1).
pub(crate) fn vfma(cx: &mut Cx, a: Vfma) {
    fused(cx, [a.z, a.d, a.n, a.m], false, a.o == 1);
}

/// VFNMS, VFNMA (`o` 1).
pub(crate) fn vfnma(cx: &mut Cx, a: Vfnma) {
    fused(cx, [a.z, a.d, a.n, a.m], true, a.o == 1);
}

fn unary(cx: &mut Cx, [z, d, m]: [u32; 3], op: Fp1) {
    unary_in(cx, [z, d, m], op, cx.env());
}

fn unary_in(cx: &mut Cx, [z, d, m]: [u32; 3], op: Fp1, env: Env) {
    let a = cx.f(z, register(z, m));
    let v = cx.b.fp1(op, Shape::scalar(fmt(z)), env, a);
    cx.set_f(z, register(z, d), v);
}

rows! { unary(z d m):
    vabs Vabs(Fp1::Abs);
    vneg Vneg(Fp1::Neg);
    vsqrt Vsqrt(Fp1::Sqrt);
    vrintx Vrintx(Fp1::RoundIntExact);
}

/// VRINTR, VRINTZ (`o` 1).
pub(crate) fn vrint(cx: &mut Cx, a: Vrint) {
    let env = cx.env();
    let env = if a.o == 1 { env.round(Round::Zero) } else { env };
    unary_in(cx, [a.z, a.d, a.m], Fp1::RoundInt, env);
}

pub(crate) fn vrint_rm(cx: &mut Cx, a: VrintRm) {
    let env = cx.env().round(DIRECTED[a.r as usize]);
    unary_in(cx, [a.z, a.d, a.m], Fp1::RoundInt, env);
}

pub(crate) fn vmov_reg(cx: &mut Cx, a: VmovReg) {
    let v = cx.f(a.z, register(a.z, a.m));
    cx.set_f(a.z, register(a.z, a.d), v);
}

/// The immediate's sign, exponent and fraction (Arm ARM VFPExpandImm).
pub(crate) fn vmov_imm(cx: &mut Cx, a: VmovImm) {
    let (single, fraction) = (modified_immediate(15, 0, a.i), u64::from(a.i & 0x3f));
    let v = if a.z == 1 {
        let exponent = if a.i & 0x40 != 0 { 0x3fc0 } else { 0x4000 };
        cx.b.constant(Ty::F64, u64::from(a.i & 0x80) << 56 | exponent << 48 | fraction << 48)
    } else {
        cx.b.constant(Ty::F32, single)
    };
    cx.set_f(a.z, register(a.z, a.d), v);
}

/// VSEL: conditions EQ, VS, GE, GT.
pub(crate) fn vsel(cx: &mut Cx, a: Vsel) {
    let (x, y) = sources(cx, a.z, a.n, a.m);
    let holds = cx.cond([Cc::Eq, Cc::Vs, Cc::Ge, Cc::Gt][a.c as usize]);
    let v = cx.b.select(holds, x, y);
    cx.set_f(a.z, register(a.z, a.d), v);
}

fn compare(cx: &mut Cx, z: u32, e: u32, a: Val, b: Val) {
    let env = cx.env();
    let flags = cx.b.flags_fcmp(fmt(z), env, e == 1, a, b);
    cx.b.set(FPNZCV, flags);
}

pub(crate) fn vcmp(cx: &mut Cx, a: Vcmp) {
    let (x, y) = (cx.f(a.z, register(a.z, a.d)), cx.f(a.z, register(a.z, a.m)));
    compare(cx, a.z, a.e, x, y);
}

pub(crate) fn vcmp_zero(cx: &mut Cx, a: VcmpZero) {
    let x = cx.f(a.z, register(a.z, a.d));
    let zero = cx.b.constant(fmt(a.z).ty(), 0);
    compare(cx, a.z, a.e, x, zero);
}

// ---- conversions ----

/// Between single and double; `z` is the source's precision.
pub(crate) fn vcvt_ds(cx: &mut Cx, a: VcvtDs) {
    let (v, env) = (cx.f(a.z, register(a.z, a.m)), cx.env());
    let to = a.z ^ 1;
    let v = cx.b.fp_cvt(fmt(a.z), fmt(to), env, v);
    cx.set_f(to, register(to, a.d), v);
}

/// VCVTB, VCVTT: half precision in the lower or upper (`t` 1) half of a single register; `o` 1 is to half.
pub(crate) fn vcvt_half(cx: &mut Cx, a: VcvtHalf) {
    let env = cx.env();
    if a.o == 1 {
        let v = cx.f(a.z, register(a.z, a.m));
        let v = cx.b.fp_cvt(fmt(a.z), Fmt::F16, env, v);
        let d = single(a.d);
        cx.set_d_lane(d / 2, (d & 1) << 1 | a.t, v);
        return;
    }
    let m = single(a.m);
    let v = cx.d_lane(Ty::F16, m / 2, (m & 1) << 1 | a.t);
    let v = cx.b.fp_cvt(Fmt::F16, fmt(a.z), env, v);
    cx.set_f(a.z, register(a.z, a.d), v);
}

fn to_int(cx: &mut Cx, [z, d, m]: [u32; 3], signed: bool, round: Round) {
    let (v, env) = (cx.f(z, register(z, m)), cx.env().round(round));
    let v = cx.b.fp_to_int(fmt(z), env, signed, Ty::I32, 0, v);
    cx.set_s(single(d), v);
}

/// VCVT (to zero, `o` 1), VCVTR.
pub(crate) fn vcvt_to_int(cx: &mut Cx, a: VcvtToInt) {
    let round = if a.o == 1 { Round::Zero } else { cx.env().round };
    to_int(cx, [a.z, a.d, a.m], a.s == 1, round);
}

pub(crate) fn vcvt_rm(cx: &mut Cx, a: VcvtRm) {
    to_int(cx, [a.z, a.d, a.m], a.o == 1, DIRECTED[a.r as usize]);
}

pub(crate) fn vcvt_from_int(cx: &mut Cx, a: VcvtFromInt) {
    let (v, env) = (cx.s(Ty::I32, single(a.m)), cx.env());
    let v = cx.b.fp_from_int(Shape::scalar(fmt(a.z)), env, a.s == 1, 0, v);
    cx.set_f(a.z, register(a.z, a.d), v);
}

/// Fixed point of 16 or 32 (`x` 1) bits in Vd itself: to it (`o` 1, rounded to zero) or from it (rounded to nearest).
pub(crate) fn vcvt_fixed(cx: &mut Cx, a: VcvtFixed) {
    let bits: u32 = 16 << a.x;
    let Some(fbits) = bits.checked_sub(single(a.i)) else { return cx.undefined() };
    let (d, env, signed) = (register(a.z, a.d), cx.env(), a.u == 0);
    if a.o == 0 {
        let field = if a.z == 1 { cx.d_lane(Ty::I32, d, 0) } else { cx.s(Ty::I32, d) };
        let v = cx.b.extract(field, 0, bits, signed);
        let v = cx.b.fp_from_int(Shape::scalar(fmt(a.z)), env.round(Round::NearestEven), signed, fbits, v);
        return cx.set_f(a.z, d, v);
    }
    let v = cx.f(a.z, d);
    let (shape, env) = (Shape::scalar(fmt(a.z)), env.round(Round::Zero));
    let v = cx.b.push(Op::FpToInt { shape, env, signed, bits: bits as u8, fbits: fbits as u8, v }, Ty::I32);
    let v = cx.b.extract(v, 0, bits, signed);
    if a.z == 1 {
        let v = if signed { cx.b.sext(Ty::I64, v) } else { cx.b.zext(Ty::I64, v) };
        cx.set_d_lane(d, 0, v);
    } else {
        cx.set_s(d, v);
    }
}

// ---- moves from and to general registers ----

/// VMOV of one single-precision register; `o` 1 is to rt.
pub(crate) fn vmov_s(cx: &mut Cx, a: VmovS) {
    if a.o == 1 {
        let v = cx.s(Ty::I32, a.n);
        cx.set_r(a.t, v);
    } else {
        let v = cx.r(a.t);
        cx.set_s(a.n, v);
    }
}

/// VMOV of a double-precision register or of two single ones (from `m` on), and rt, rt2.
pub(crate) fn vmov_pair(cx: &mut Cx, a: VmovPair) {
    let first = if a.z == 1 { 2 * a.m } else { single(a.m) };
    if first > 62 || a.z == 0 && first == 31 {
        return cx.undefined();
    }
    // The words of all D registers, counted from d0's lower one.
    let lane = |n: u32| (n / 2, n & 1);
    let ((d0, i0), (d1, i1)) = (lane(first), lane(first + 1));
    if a.o == 1 {
        if a.t == a.x {
            return cx.undefined();
        }
        let (low, high) = (cx.d_lane(Ty::I32, d0, i0), cx.d_lane(Ty::I32, d1, i1));
        cx.set_r(a.t, low);
        cx.set_r(a.x, high);
    } else {
        let (low, high) = (cx.r(a.t), cx.r(a.x));
        cx.set_d_lane(d0, i0, low);
        cx.set_d_lane(d1, i1, high);
    }
}

/// The size (log2) and the index in opc1:opc2.
fn lane(o: u32) -> (u32, u32) {
    match o {
        o if o & 8 != 0 => (0, o & 7),
        o if o & 1 != 0 => (1, o >> 1 & 3),
        _ => (2, o >> 2 & 1),
    }
}

pub(crate) fn vmov_to(cx: &mut Cx, a: VmovTo) {
    let (z, index) = lane(a.o);
    let v = cx.r(a.t);
    let v = cx.b.trunc(Ty::int(1 << z), v);
    cx.set_d_lane(double(a.n), index, v);
}

pub(crate) fn vmov_from(cx: &mut Cx, a: VmovFrom) {
    let (z, index) = lane(a.o);
    if z == 2 && a.u == 1 {
        return cx.undefined();
    }
    let v = cx.d_lane(Ty::int(1 << z), double(a.n), index);
    let v = if a.u == 1 { cx.b.zext(Ty::I32, v) } else { cx.b.sext(Ty::I32, v) };
    cx.set_r(a.t, v);
}

/// VDUP: `b`:`e` is the size, words, halves, bytes.
pub(crate) fn vdup_r(cx: &mut Cx, a: VdupR) {
    let d = double(a.n);
    let lane = match a.b << 1 | a.e {
        0 => Lane::S,
        1 => Lane::H,
        _ => Lane::B,
    };
    if a.q == 1 && d & 1 == 1 {
        return cx.undefined();
    }
    let v = cx.r(a.t);
    let v = cx.b.trunc(lane.ty(), v);
    let v = cx.b.vsplat(lane, v);
    cx.set_v(a.q, d, v);
}

// ---- FPSCR ----

/// FPSCR, or its condition flags to CPSR's (rt is 15).
pub(crate) fn vmrs(cx: &mut Cx, a: Vmrs) {
    let flags = cx.b.get(FPNZCV);
    if a.t == 15 {
        return cx.set(NZCV, flags);
    }
    let mut v = cx.b.flags_to_bits(flags);
    let control = cx.b.get(FPSCR);
    v = cx.b.or(v, control);
    let sticky = cx.b.fp_flags();
    for (flag, at) in STICKY {
        let bit = cx.b.extract(sticky, flag.trailing_zeros(), 1, false);
        let bit = cx.b.shift_imm(Bin::Shl, bit, at);
        v = cx.b.or(v, bit);
    }
    let qc = saturation(cx);
    v = cx.b.or(v, qc);
    cx.set_r(a.t, v);
}

/// FPSCR.QC in its place: whether the slot has a bit set.
fn saturation(cx: &mut Cx) -> Val {
    let v = cx.b.get(QC);
    let (low, high) = (cx.b.vget(Ty::I64, v, 0), cx.b.vget(Ty::I64, v, 1));
    let any = cx.b.or(low, high);
    let zero = cx.b.i64(0);
    let bit = cx.b.cmp(IntCc::Ne, any, zero);
    let bit = cx.b.zext(Ty::I32, bit);
    cx.b.shift_imm(Bin::Shl, bit, 27)
}

/// The control bits are part of the mode word.
pub(crate) fn vmsr(cx: &mut Cx, a: Vmsr) {
    let v = cx.r(a.t);
    let flags = cx.b.flags_from_bits(v);
    cx.b.set(FPNZCV, flags);
    let control = cx.b.and_imm(v, FPSCR_BITS.into());
    cx.b.set(FPSCR, control);
    let qc = cx.b.extract(v, 27, 1, false);
    let qc = cx.b.v_from_scalar(qc);
    cx.b.set(QC, qc);
    let mut sticky = cx.b.i32(0);
    for (flag, at) in STICKY {
        let bit = cx.b.extract(v, at, 1, false);
        let bit = cx.b.shift_imm(Bin::Shl, bit, flag.trailing_zeros());
        sticky = cx.b.or(sticky, bit);
    }
    cx.b.set_fp_flags(sticky);
    let pc = cx.pc_t(cx.next);
    let it = super::advance(cx.it);
    if it != 0 {
        let it = cx.b.i32(it);
        cx.b.set(state::ITSTATE, it);
    }
    cx.b.end(Term::Resume { pc });
}
