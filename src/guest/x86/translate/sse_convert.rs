//! Conversions between formats, and between floating point and integers.

use super::Cx;
use super::vector::last;
use crate::insn::rows;
use iced_x86::Instruction;
use ir::{Fmt, Lane, Round, Shape, Ty, V1, V2, Val};

rows! {
    Cvtss2sd, Vcvtss2sd => scalars(Fmt::F32, Fmt::F64);
    Cvtsd2ss, Vcvtsd2ss => scalars(Fmt::F64, Fmt::F32);
    Cvtps2pd, Vcvtps2pd => lanes(Fmt::F32, Fmt::F64);
    Cvtpd2ps, Vcvtpd2ps => lanes(Fmt::F64, Fmt::F32);
    Cvtsi2ss, Vcvtsi2ss => from_general(Fmt::F32);
    Cvtsi2sd, Vcvtsi2sd => from_general(Fmt::F64);
    Cvtss2si, Vcvtss2si => to_general(Fmt::F32, false);
    Cvtsd2si, Vcvtsd2si => to_general(Fmt::F64, false);
    Cvttss2si, Vcvttss2si => to_general(Fmt::F32, true);
    Cvttsd2si, Vcvttsd2si => to_general(Fmt::F64, true);
    Cvtdq2ps, Vcvtdq2ps => singles_from_lanes();
    Cvtdq2pd, Vcvtdq2pd => doubles_from_lanes();
    Cvtps2dq, Vcvtps2dq => lanes_from_singles(false);
    Cvttps2dq, Vcvttps2dq => lanes_from_singles(true);
    Cvtpd2dq, Vcvtpd2dq => lanes_from_doubles(false);
    Cvttpd2dq, Vcvttpd2dq => lanes_from_doubles(true);
}

impl Cx<'_> {
    fn rounding_of(&self, truncate: bool) -> Round {
        if truncate { Round::Zero } else { self.env().round }
    }
}

fn scalars(cx: &mut Cx, i: &Instruction, from: Fmt, to: Fmt) {
    let v = cx.fp(i, Shape::scalar(from));
    let v = cx.b.fp_cvt(from, to, cx.env(), v);
    cx.set_fp(i, Shape::scalar(to), v);
}

/// Two lanes, zero above.
fn lanes(cx: &mut Cx, i: &Instruction, from: Fmt, to: Fmt) {
    let v = if from == Fmt::F32 { cx.narrow(i, 8) } else { cx.source(i, 16) };
    let v = cx.live(from.lane(), 2, v);
    let v = cx.b.fp_cvt_lanes(from, to, 2, cx.env(), v);
    cx.set_vector(i, v);
}

fn from_general(cx: &mut Cx, i: &Instruction, fmt: Fmt) {
    let v = cx.read(i, last(i));
    let v = cx.b.fp_from_int(Shape::scalar(fmt), cx.env(), true, 0, v);
    cx.set_fp(i, Shape::scalar(fmt), v);
}

fn to_general(cx: &mut Cx, i: &Instruction, fmt: Fmt, truncate: bool) {
    let v = cx.fp(i, Shape::scalar(fmt));
    let env = cx.env().round(cx.rounding_of(truncate));
    let v = cx.b.fp_to_int(fmt, env, true, Ty::int(i.op0_register().size()), 0, v);
    cx.set_reg(i.op0_register(), v);
}

fn singles_from_lanes(cx: &mut Cx, i: &Instruction) {
    let v = cx.source(i, 16);
    let v = cx.live(Lane::S, 4, v);
    let v = cx.b.fp_from_int(Shape::vector(Fmt::F32, 4), cx.env(), true, 0, v);
    cx.set_vector(i, v);
}

fn doubles_from_lanes(cx: &mut Cx, i: &Instruction) {
    let v = cx.narrow(i, 8);
    let v = cx.b.v1(V1::WidenS, Lane::S, v);
    let v = cx.b.fp_from_int(Shape::vector(Fmt::F64, 2), cx.env(), true, 0, v);
    cx.set_vector(i, v);
}

fn lanes_from_singles(cx: &mut Cx, i: &Instruction, truncate: bool) {
    let v = cx.source(i, 16);
    let v = cx.live(Lane::S, 4, v);
    let env = cx.env().round(cx.rounding_of(truncate));
    let v = cx.b.fp_to_int_lanes(Shape::vector(Fmt::F32, 4), env, true, 0, v);
    cx.set_vector(i, v);
}

/// The results are narrower than the lanes: one after the other.
fn lanes_from_doubles(cx: &mut Cx, i: &Instruction, truncate: bool) {
    let v = cx.source(i, 16);
    let v = cx.live(Lane::D, 2, v);
    let env = cx.env().round(cx.rounding_of(truncate));
    let parts: [Val; 2] = [0, 1].map(|n| {
        let lane = cx.b.vget(Ty::F64, v, n);
        let int = cx.b.fp_to_int(Fmt::F64, env, true, Ty::I32, 0, lane);
        cx.b.v_from_scalar(int)
    });
    let v = cx.b.v2(V2::ZipLo, Lane::S, parts[0], parts[1]);
    cx.set_vector(i, v);
}
