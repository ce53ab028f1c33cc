//! Loads and stores of integer and floating-point registers. Misaligned accesses are done (Zicclsm).

use super::{Cx, rows, signed};
use crate::insn::*;
use ir::{Fmt, Mem, Ty};

/// The access of `size` bytes at xn plus a 12-bit offset.
fn at(cx: &mut Cx, n: u32, i: u32, size: u8) -> Mem {
    cx.access(n, signed(i, 12) as i32, size)
}

fn load(cx: &mut Cx, [d, n, i]: [u32; 3], size: u8) {
    let mem = at(cx, n, i, size);
    let v = cx.b.load(cx.xlen, mem);
    cx.set_x(d, v);
}

fn load_signed(cx: &mut Cx, [d, n, i]: [u32; 3], size: u8) {
    let mem = at(cx, n, i, size).signed();
    let v = cx.b.load(cx.xlen, mem);
    cx.set_x(d, v);
}

rows! { load_signed(d n i):
    lb Lb(1);
    lh Lh(2);
    lw Lw(4);
}

rows! { load(d n i):
    lbu Lbu(1);
    lhu Lhu(2);
    lwu Lwu(4);
    ld Ld(8);
}

fn store(cx: &mut Cx, [m, n, i]: [u32; 3], size: u8) {
    let (mem, v) = (at(cx, n, i, size), cx.x(m));
    cx.b.store(mem, v);
}

rows! { store(m n i):
    sb Sb(1);
    sh Sh(2);
    sw Sw(4);
    sd Sd(8);
}

fn load_float(cx: &mut Cx, [d, n, i]: [u32; 3], fmt: Fmt) {
    let mem = at(cx, n, i, fmt.ty().bytes() as u8);
    let v = cx.b.load(fmt.ty(), mem);
    cx.set_f(d, v);
}

rows! { load_float(d n i):
    flh Flh(Fmt::F16);
    flw Flw(Fmt::F32);
    fld Fld(Fmt::F64);
}

/// The low bits, whatever stands above them.
fn store_float(cx: &mut Cx, [m, n, i]: [u32; 3], ty: Ty) {
    let (mem, v) = (at(cx, n, i, ty.bytes() as u8), cx.low(ty, m));
    cx.b.store(mem, v);
}

rows! { store_float(m n i):
    fsh Fsh(Ty::F16);
    fsw Fsw(Ty::F32);
    fsd Fsd(Ty::F64);
}
