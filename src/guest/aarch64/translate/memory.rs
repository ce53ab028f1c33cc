//! Loads and stores of general and of SIMD&FP registers (Arm ARM C4.1.94); structures are in structure.rs.
//!
//! Where the manual leaves a choice (writeback to a transferred register), a load's value wins over the new base, and a store
//! stores the old value.

use super::pointer::authenticated;
use super::{Cx, signed, width};
use crate::features::LSE2;
use crate::insn::*;
use ir::{Bin, Ext, Lane, Mem, Ty, Val};

/// A register in memory: what is loaded or stored, and how wide.
#[derive(Clone, Copy)]
enum Kind {
    /// 2^z bytes of a general register, zero-extended.
    Zero(u32),
    /// 2^z bytes sign-extended to 64 (f 1) or 32 bits.
    Sign(u32, u32),
    /// 2^z bytes of a SIMD&FP register.
    Vector(u32),
}

impl Kind {
    fn log2(self) -> u32 {
        match self {
            Kind::Zero(z) | Kind::Sign(z, _) | Kind::Vector(z) => z,
        }
    }

    fn load(self, cx: &mut Cx, mem: Mem) -> Val {
        let mem = Mem { size: 1 << self.log2(), ..mem };
        match self {
            Kind::Zero(3) => cx.b.load(Ty::I64, mem),
            Kind::Zero(_) => cx.b.load(Ty::I32, mem),
            Kind::Sign(_, f) => cx.b.load(width(f), Mem { ext: Ext::Sign, ..mem }),
            Kind::Vector(_) => cx.b.load(Ty::V128, mem),
        }
    }

    fn store(self, cx: &mut Cx, mem: Mem, t: u32) {
        let v = match self {
            Kind::Vector(_) => cx.v(t),
            Kind::Zero(3) => cx.x(t),
            _ => cx.w(t),
        };
        cx.b.store(Mem { size: 1 << self.log2(), ..mem }, v);
    }

    fn set(self, cx: &mut Cx, t: u32, v: Val) {
        match self {
            Kind::Vector(_) => cx.set_v(1, t, v),
            _ => cx.set_r(t, v),
        }
    }
}

// ---- one register, by address mode ----

/// [Xn, #offset] of a base that stays.
fn offset(cx: &mut Cx, n: u32, offset: u32) -> Mem {
    cx.at(n, 1).disp(offset as i32)
}

/// The address of the modes with a 9-bit offset: post-indexed ones (`p` 1) use the base as it is.
fn indexed(cx: &mut Cx, n: u32, p: u32, i: u32) -> Mem {
    let mem = cx.at(n, 1);
    if p == 1 { mem } else { mem.disp(signed(i, 9) as i32) }
}

/// Writes the base back in the post-indexed and pre-indexed modes (`p` 1 and 3).
fn write_back(cx: &mut Cx, n: u32, p: u32, amount: i64) {
    if p & 1 == 1 {
        let base = cx.xsp(n);
        let base = cx.b.add_imm(base, amount);
        cx.set_rsp(n, base);
    }
}

fn load_i9(cx: &mut Cx, kind: Kind, p: u32, n: u32, t: u32, i: u32) {
    let mem = indexed(cx, n, p, i);
    let v = kind.load(cx, mem);
    write_back(cx, n, p, signed(i, 9));
    kind.set(cx, t, v);
}

fn store_i9(cx: &mut Cx, kind: Kind, p: u32, n: u32, t: u32, i: u32) {
    let mem = indexed(cx, n, p, i);
    kind.store(cx, mem, t);
    write_back(cx, n, p, signed(i, 9));
}

/// Base and index register. The row's `e` is the option's outer bits: 0 UXTW, 1 LSL, 2 SXTW, 3 SXTX.
fn register_offset(cx: &mut Cx, n: u32, m: u32, e: u32, shift: u32) -> Mem {
    let base = cx.xsp(n);
    let index = if e & 1 == 1 {
        cx.x(m)
    } else {
        let w = cx.w(m);
        if e == 0 { cx.b.zext(Ty::I64, w) } else { cx.b.sext(Ty::I64, w) }
    };
    if shift <= 3 {
        return Mem::at(base, 1).index(index, shift as u8);
    }
    let index = cx.b.shift_imm(Bin::Shl, index, shift);
    Mem::at(base, 1).index(index, 0)
}

fn load(cx: &mut Cx, kind: Kind, mem: Mem, t: u32) {
    let v = kind.load(cx, mem);
    kind.set(cx, t, v);
}

pub(crate) fn str_i9(cx: &mut Cx, i: StrI9) {
    store_i9(cx, Kind::Zero(i.z), i.p, i.n, i.t, i.i);
}

pub(crate) fn ldr_i9(cx: &mut Cx, i: LdrI9) {
    load_i9(cx, Kind::Zero(i.z), i.p, i.n, i.t, i.i);
}

pub(crate) fn ldrs_i9(cx: &mut Cx, i: LdrsI9) {
    load_i9(cx, Kind::Sign(i.z, i.f), i.p, i.n, i.t, i.i);
}

pub(crate) fn str_v_i9(cx: &mut Cx, i: StrVI9) {
    store_i9(cx, Kind::Vector(i.z), i.p, i.n, i.t, i.i);
}

pub(crate) fn ldr_v_i9(cx: &mut Cx, i: LdrVI9) {
    load_i9(cx, Kind::Vector(i.z), i.p, i.n, i.t, i.i);
}

pub(crate) fn str_i12(cx: &mut Cx, i: StrI12) {
    let mem = offset(cx, i.n, i.i << i.z);
    Kind::Zero(i.z).store(cx, mem, i.t);
}

pub(crate) fn ldr_i12(cx: &mut Cx, i: LdrI12) {
    let mem = offset(cx, i.n, i.i << i.z);
    load(cx, Kind::Zero(i.z), mem, i.t);
}

pub(crate) fn ldrs_i12(cx: &mut Cx, i: LdrsI12) {
    let mem = offset(cx, i.n, i.i << i.z);
    load(cx, Kind::Sign(i.z, i.f), mem, i.t);
}

pub(crate) fn str_v_i12(cx: &mut Cx, i: StrVI12) {
    let mem = offset(cx, i.n, i.i << i.z);
    Kind::Vector(i.z).store(cx, mem, i.t);
}

pub(crate) fn ldr_v_i12(cx: &mut Cx, i: LdrVI12) {
    let mem = offset(cx, i.n, i.i << i.z);
    load(cx, Kind::Vector(i.z), mem, i.t);
}

pub(crate) fn str_reg(cx: &mut Cx, i: StrReg) {
    let mem = register_offset(cx, i.n, i.m, i.e, i.s * i.z);
    Kind::Zero(i.z).store(cx, mem, i.t);
}

pub(crate) fn ldr_reg(cx: &mut Cx, i: LdrReg) {
    let mem = register_offset(cx, i.n, i.m, i.e, i.s * i.z);
    load(cx, Kind::Zero(i.z), mem, i.t);
}

pub(crate) fn ldrs_reg(cx: &mut Cx, i: LdrsReg) {
    let mem = register_offset(cx, i.n, i.m, i.e, i.s * i.z);
    load(cx, Kind::Sign(i.z, i.f), mem, i.t);
}

pub(crate) fn str_v_reg(cx: &mut Cx, i: StrVReg) {
    let mem = register_offset(cx, i.n, i.m, i.e, i.s * i.z);
    Kind::Vector(i.z).store(cx, mem, i.t);
}

pub(crate) fn ldr_v_reg(cx: &mut Cx, i: LdrVReg) {
    let mem = register_offset(cx, i.n, i.m, i.e, i.s * i.z);
    load(cx, Kind::Vector(i.z), mem, i.t);
}

// ---- literals ----

fn literal(cx: &mut Cx, i: u32) -> Mem {
    let address = cx.pc.wrapping_add_signed(signed(i, 19) * 4);
    Mem::at(cx.b.i64(address), 1)
}

pub(crate) fn ldr_lit(cx: &mut Cx, i: LdrLit) {
    let mem = literal(cx, i.i);
    load(cx, Kind::Zero(2 + i.z), mem, i.t);
}

pub(crate) fn ldrsw_lit(cx: &mut Cx, i: LdrswLit) {
    let mem = literal(cx, i.i);
    load(cx, Kind::Sign(2, 1), mem, i.t);
}

pub(crate) fn ldr_v_lit(cx: &mut Cx, i: LdrVLit) {
    let mem = literal(cx, i.i);
    load(cx, Kind::Vector(2 + i.z), mem, i.t);
}

// ---- LDRAA, LDRAB ----

pub(crate) fn ldra(cx: &mut Cx, i: Ldra) {
    let (base, modifier) = (cx.xsp(i.n), cx.b.i64(0));
    let base = authenticated(cx, base, modifier, 2, i.k);
    let amount = signed(i.i, 10) * 8;
    let v = cx.b.load(Ty::I64, Mem::at(base, 8).disp(amount as i32));
    if i.p == 1 {
        let base = cx.b.add_imm(base, amount);
        cx.set_rsp(i.n, base);
    }
    cx.set_r(i.t, v);
}

// ---- pairs ----

/// The first access of a pair, and the offset in bytes.
fn pair(cx: &mut Cx, kind: Kind, p: u32, n: u32, i: u32) -> (Mem, i64) {
    let amount = signed(i, 7) << kind.log2();
    let mem = cx.at(n, 1);
    (if p == 1 { mem } else { mem.disp(amount as i32) }, amount)
}

/// The access after `mem`.
fn second(mem: Mem, kind: Kind) -> Mem {
    mem.disp(mem.disp + (1 << kind.log2()))
}

/// Both halves in one access (LSE2), of general registers.
fn load_both(cx: &mut Cx, kind: Kind, mem: Mem) -> (Val, Val) {
    if kind.log2() == 3 {
        let v = cx.b.load(Ty::V128, Mem { size: 16, ..mem });
        return (cx.b.vget(Ty::I64, v, 0), cx.b.vget(Ty::I64, v, 1));
    }
    let v = cx.b.load(Ty::I64, Mem { size: 8, ..mem });
    let part = |cx: &mut Cx, at| match kind {
        Kind::Sign(..) => cx.b.extract(v, at, 32, true),
        _ => {
            let w = cx.b.extract(v, at, 32, false);
            cx.b.trunc(Ty::I32, w)
        }
    };
    (part(cx, 0), part(cx, 32))
}

fn store_both(cx: &mut Cx, kind: Kind, mem: Mem, t: u32, u: u32) {
    let (low, high) = (cx.x(t), cx.x(u));
    if kind.log2() == 3 {
        let v = cx.b.v_from_scalar(low);
        let v = cx.b.vset(Lane::D, v, high, 1);
        cx.b.store(Mem { size: 16, ..mem }, v);
    } else {
        let v = cx.b.deposit(low, high, 32, 32);
        cx.b.store(Mem { size: 8, ..mem }, v);
    }
}

fn is_one_access(cx: &Cx, kind: Kind) -> bool {
    cx.features & LSE2 != 0 && !matches!(kind, Kind::Vector(_))
}

fn load_pair(cx: &mut Cx, kind: Kind, p: u32, n: u32, t: u32, u: u32, i: u32) {
    let (mem, amount) = pair(cx, kind, p, n, i);
    let (first, other) = if is_one_access(cx, kind) {
        load_both(cx, kind, mem)
    } else {
        (kind.load(cx, mem), kind.load(cx, second(mem, kind)))
    };
    write_back(cx, n, p, amount);
    kind.set(cx, t, first);
    kind.set(cx, u, other);
}

fn store_pair(cx: &mut Cx, kind: Kind, p: u32, n: u32, t: u32, u: u32, i: u32) {
    let (mem, amount) = pair(cx, kind, p, n, i);
    if is_one_access(cx, kind) {
        store_both(cx, kind, mem, t, u);
    } else {
        kind.store(cx, mem, t);
        kind.store(cx, second(mem, kind), u);
    }
    write_back(cx, n, p, amount);
}

pub(crate) fn stp(cx: &mut Cx, i: Stp) {
    store_pair(cx, Kind::Zero(2 + i.z), i.p, i.n, i.t, i.u, i.i);
}

pub(crate) fn ldp(cx: &mut Cx, i: Ldp) {
    load_pair(cx, Kind::Zero(2 + i.z), i.p, i.n, i.t, i.u, i.i);
}

pub(crate) fn ldpsw(cx: &mut Cx, i: Ldpsw) {
    load_pair(cx, Kind::Sign(2, 1), i.p, i.n, i.t, i.u, i.i);
}

pub(crate) fn stp_v(cx: &mut Cx, i: StpV) {
    store_pair(cx, Kind::Vector(2 + i.z), i.p, i.n, i.t, i.u, i.i);
}

pub(crate) fn ldp_v(cx: &mut Cx, i: LdpV) {
    load_pair(cx, Kind::Vector(2 + i.z), i.p, i.n, i.t, i.u, i.i);
}

// ---- prefetch ----

/// Prefetches data; `t` 8 .. 15 is for instructions, 24 .. 31 is not allocated: nothing.
fn prefetch(cx: &mut Cx, t: u32, addr: impl FnOnce(&mut Cx) -> Val) {
    if t & 8 == 0 {
        let addr = addr(cx);
        cx.b.prefetch(addr);
    }
}

pub(crate) fn prfm_i12(cx: &mut Cx, i: PrfmI12) {
    prefetch(cx, i.t, |cx| {
        let base = cx.xsp(i.n);
        cx.b.add_imm(base, i64::from(i.i) << 3)
    });
}

pub(crate) fn prfum(cx: &mut Cx, i: Prfum) {
    prefetch(cx, i.t, |cx| {
        let base = cx.xsp(i.n);
        cx.b.add_imm(base, signed(i.i, 9))
    });
}

pub(crate) fn prfm_reg(cx: &mut Cx, i: PrfmReg) {
    prefetch(cx, i.t, |cx| {
        let mem = register_offset(cx, i.n, i.m, i.e, 3 * i.s);
        let index = cx.b.shift_imm(Bin::Shl, mem.index, u32::from(mem.scale));
        cx.b.add(mem.base, index)
    });
}

pub(crate) fn prfm_lit(cx: &mut Cx, i: PrfmLit) {
    prefetch(cx, i.t, |cx| literal(cx, i.i).base);
}
