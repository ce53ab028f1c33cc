//! VSETVLI and its like, and the control and status registers of V (chapters 3 and 6).
//!
//! The region goes on with the type that a VSETVLI names, as far as it knows whether vl is VLMAX: where it does not, it takes what was so
//! before, and goes to code for the other case if that is wrong.

use super::Cx;
use crate::insn::*;
use crate::state::{STATE64, VILL, VL, VLENB, VSTART, VTYPE, VXRM, VXSAT, Vector};
use ir::{Bin, Frame, Helper, IntCc, Term, Touches, Ty, Val};

/// A number of elements that was asked for.
enum Wanted {
    /// VLMAX, or what there is now.
    Most,
    Kept,
    Known(u32),
    /// What xn says.
    Register(u32),
}

fn set(cx: &mut Cx, d: u32, wanted: Wanted, bits: u32) {
    let Some(v) = Vector::of_register(bits.into(), cx.vlenb()) else { return set_illegal(cx, d) };
    let (max, before) = (v.max(cx.vlenb()), cx.vector());
    let most_before = before.map_or(0, |v| v.max(cx.vlenb()));
    set_type(cx, bits);
    match wanted {
        Wanted::Most => known(cx, d, max, v),
        Wanted::Known(n) => known(cx, d, n.min(max), v),
        Wanted::Kept if before.is_some_and(|v| v.full) => known(cx, d, most_before.min(max), v),
        // Not VLMAX before, and VLMAX is what it was.
        Wanted::Kept if most_before == max => cx.mode = v.in_mode(cx.mode),
        Wanted::Kept => {
            let vl = |cx: &mut Cx| {
                let vl = cx.b.get(VL);
                cx.b.zext(Ty::I64, vl)
            };
            unknown(cx, d, vl, v, before);
        }
        Wanted::Register(n) => {
            let asked = cx.x(n);
            match cx.b.const_of(asked) {
                Some(n) => known(cx, d, n.min(max.into()) as u32, v),
                None => unknown(cx, d, |cx| cx.x(n), v, before),
            }
        }
    }
}

/// Sets vtype; vstart becomes 0.
fn set_type(cx: &mut Cx, bits: u32) {
    let bits = cx.b.i32(bits);
    cx.b.set(VTYPE, bits);
    if Vector::of_mode(cx.mode).started || !Vector::is_known(cx.mode) {
        let zero = cx.b.i32(0);
        cx.b.set(VSTART, zero);
    }
}

fn set_illegal(cx: &mut Cx, d: u32) {
    set_type(cx, VILL as u32);
    set_length(cx, d, 0);
    cx.mode = Vector { ill: true, ..Vector::of_type(0) }.in_mode(cx.mode);
}

/// Sets vl and xd.
fn set_length(cx: &mut Cx, d: u32, n: u32) {
    let vl = cx.b.i32(n);
    cx.b.set(VL, vl);
    let wide = cx.b.zext(cx.xlen, vl);
    cx.set_x(d, wide);
}

/// The region goes on with a vl that is known.
fn known(cx: &mut Cx, d: u32, vl: u32, v: Vector) {
    set_length(cx, d, vl);
    cx.mode = Vector { full: vl == v.max(cx.vlenb()), ..v }.in_mode(cx.mode);
}

/// As many elements as `wanted` reads (I64), or VLMAX: the region goes on if that is or is not so, as it was before.
fn unknown(cx: &mut Cx, d: u32, wanted: impl Fn(&mut Cx) -> Val, v: Vector, before: Option<Vector>) {
    let (max, pc) = (v.max(cx.vlenb()), cx.next);
    let most = cx.b.i64(max.into());
    let asked = wanted(cx);
    let is_full = cx.b.cmp(IntCc::Uge, asked, most);
    let full = before.is_none_or(|v| v.full);
    let (all, some) = (cx.b.block(), cx.b.block());
    cx.b.branch(is_full, all, some);
    let of = |cx: &mut Cx, all: bool| match all {
        true => set_length(cx, d, max),
        false => {
            let vl = wanted(cx);
            let vl = cx.b.trunc(Ty::I32, vl);
            cx.b.set(VL, vl);
            let wide = cx.b.zext(cx.xlen, vl);
            cx.set_x(d, wide);
        }
    };
    let (go_on, leave) = if full { (all, some) } else { (some, all) };
    cx.b.enter(leave);
    of(cx, !full);
    let mode = Vector { full: !full, ..v }.in_mode(cx.mode);
    cx.go_on(pc, mode);
    cx.b.enter(go_on);
    of(cx, full);
    cx.mode = Vector { full, ..v }.in_mode(cx.mode);
}

pub(crate) fn vsetvli(cx: &mut Cx, i: Vsetvli) {
    let wanted = match (i.n, i.d) {
        (0, 0) => Wanted::Kept,
        (0, _) => Wanted::Most,
        (n, _) => Wanted::Register(n),
    };
    set(cx, i.d, wanted, i.i);
}

pub(crate) fn vsetivli(cx: &mut Cx, i: Vsetivli) {
    set(cx, i.d, Wanted::Known(i.n), i.i);
}

/// vl for a type and a number of elements, in registers: sets vtype and vl.
static SETVL: Helper = Helper {
    name: "vsetvl",
    run: set_by_register,
    touches: Touches::Writes(&[VL, VTYPE, VLENB]),
    can_exit: false,
    pure: false,
};

fn set_by_register(f: &mut Frame<'_>) {
    let (wanted, bits) = (f.args[0] as u64, f.args[1] as u64);
    let vlenb = STATE64.get(f.state, VLENB) as u32;
    let (vtype, vl) = match Vector::of_register(bits, vlenb) {
        Some(v) => (bits, wanted.min(v.max(vlenb).into())),
        None => (VILL, 0),
    };
    STATE64.set(f.state, VTYPE, vtype);
    STATE64.set(f.state, VL, vl);
    f.ret = vl.into();
}

pub(crate) fn vsetvl(cx: &mut Cx, i: Vsetvl) {
    let wanted = match (i.n, i.d) {
        (0, 0) => {
            let vl = cx.b.get(VL);
            cx.b.zext(Ty::I64, vl)
        }
        (0, _) => cx.b.i64(u64::MAX),
        (n, _) => cx.x(n),
    };
    let (bits, zero, pc) = (cx.x(i.m), cx.b.i32(0), cx.next);
    let vl = cx.b.call(&SETVL, Ty::I64, &[wanted, bits]);
    cx.b.set(VSTART, zero);
    cx.set_x(i.d, vl);
    cx.b.end(Term::Resume { pc });
}

// ---- control and status registers ----

const CSR_VSTART: u32 = 0x008;
const CSR_VXSAT: u32 = 0x009;
const CSR_VXRM: u32 = 0x00a;
const CSR_VCSR: u32 = 0x00f;
const CSR_VL: u32 = 0xc20;
const CSR_VTYPE: u32 = 0xc21;
const CSR_VLENB: u32 = 0xc22;

/// Their names, for reading.
pub(crate) const NAMES: [(u32, &str); 7] = [
    (CSR_VSTART, "vstart"),
    (CSR_VXSAT, "vxsat"),
    (CSR_VXRM, "vxrm"),
    (CSR_VCSR, "vcsr"),
    (CSR_VL, "vl"),
    (CSR_VTYPE, "vtype"),
    (CSR_VLENB, "vlenb"),
];

/// Whether a register of V may be written.
pub(super) fn is_writable(csr: u32) -> bool {
    matches!(csr, CSR_VSTART | CSR_VXSAT | CSR_VXRM | CSR_VCSR)
}

/// The value of a register of V: I32, or as wide as a register; None if it is none.
pub(super) fn read(cx: &mut Cx, csr: u32) -> Option<Val> {
    Some(match csr {
        CSR_VSTART => cx.b.get(VSTART),
        CSR_VXSAT => cx.b.get(VXSAT),
        CSR_VXRM => cx.b.get(VXRM),
        CSR_VCSR => {
            let (rounding, saturated) = (cx.b.get(VXRM), cx.b.get(VXSAT));
            let rounding = cx.b.shift_imm(Bin::Shl, rounding, 1);
            cx.b.or(rounding, saturated)
        }
        CSR_VL => cx.b.get(VL),
        CSR_VLENB => cx.b.i32(cx.vlenb()),
        CSR_VTYPE => {
            let v = cx.b.get(VTYPE);
            let low = cx.b.and_imm(v, 0xff);
            let ill = cx.b.shift_imm(Bin::Shr, v, 31);
            let (low, ill) = (cx.b.zext(cx.xlen, low), cx.b.zext(cx.xlen, ill));
            let top = cx.b.shift_imm(Bin::Shl, ill, cx.xlen.bits() - 1);
            cx.b.or(low, top)
        }
        _ => return None,
    })
}

/// Writes one; vstart is in the mode word.
pub(super) fn write(cx: &mut Cx, csr: u32, v: Val) {
    match csr {
        CSR_VSTART => {
            // As many bits as the largest group of bytes needs.
            let v = cx.b.and_imm(v, u64::from(8 * cx.vlenb() - 1));
            cx.b.set(VSTART, v);
        }
        CSR_VXRM => {
            let v = cx.b.and_imm(v, 3);
            cx.b.set(VXRM, v);
        }
        CSR_VXSAT => {
            let v = cx.b.and_imm(v, 1);
            cx.b.set(VXSAT, v);
        }
        _ => {
            let rounding = cx.b.extract(v, 1, 2, false);
            cx.b.set(VXRM, rounding);
            let v = cx.b.and_imm(v, 1);
            cx.b.set(VXSAT, v);
        }
    }
}
