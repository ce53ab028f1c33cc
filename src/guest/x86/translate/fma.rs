//! Fused multiplication and addition (FMA3), half by half.

use super::Cx;
use super::sse_float::{PD, PS, SD, SS, even_lanes};
use crate::insn::rows;
use iced_x86::Instruction;
use ir::{Shape, V3, Val};

/// Which operands are multiplied, counted from 1, and which is added last.
#[derive(Clone, Copy)]
enum Order {
    M132,
    M213,
    M231,
}
use Order::{M132, M213, M231};

rows! {
    Vfmadd132ps => fused(M132, false, false, PS);
    Vfmadd132pd => fused(M132, false, false, PD);
    Vfmadd132ss => fused(M132, false, false, SS);
    Vfmadd132sd => fused(M132, false, false, SD);
    Vfmadd213ps => fused(M213, false, false, PS);
    Vfmadd213pd => fused(M213, false, false, PD);
    Vfmadd213ss => fused(M213, false, false, SS);
    Vfmadd213sd => fused(M213, false, false, SD);
    Vfmadd231ps => fused(M231, false, false, PS);
    Vfmadd231pd => fused(M231, false, false, PD);
    Vfmadd231ss => fused(M231, false, false, SS);
    Vfmadd231sd => fused(M231, false, false, SD);
    Vfmsub132ps => fused(M132, false, true, PS);
    Vfmsub132pd => fused(M132, false, true, PD);
    Vfmsub132ss => fused(M132, false, true, SS);
    Vfmsub132sd => fused(M132, false, true, SD);
    Vfmsub213ps => fused(M213, false, true, PS);
    Vfmsub213pd => fused(M213, false, true, PD);
    Vfmsub213ss => fused(M213, false, true, SS);
    Vfmsub213sd => fused(M213, false, true, SD);
    Vfmsub231ps => fused(M231, false, true, PS);
    Vfmsub231pd => fused(M231, false, true, PD);
    Vfmsub231ss => fused(M231, false, true, SS);
    Vfmsub231sd => fused(M231, false, true, SD);
    Vfnmadd132ps => fused(M132, true, false, PS);
    Vfnmadd132pd => fused(M132, true, false, PD);
    Vfnmadd132ss => fused(M132, true, false, SS);
    Vfnmadd132sd => fused(M132, true, false, SD);
    Vfnmadd213ps => fused(M213, true, false, PS);
    Vfnmadd213pd => fused(M213, true, false, PD);
    Vfnmadd213ss => fused(M213, true, false, SS);
    Vfnmadd213sd => fused(M213, true, false, SD);
    Vfnmadd231ps => fused(M231, true, false, PS);
    Vfnmadd231pd => fused(M231, true, false, PD);
    Vfnmadd231ss => fused(M231, true, false, SS);
    Vfnmadd231sd => fused(M231, true, false, SD);
    Vfnmsub132ps => fused(M132, true, true, PS);
    Vfnmsub132pd => fused(M132, true, true, PD);
    Vfnmsub132ss => fused(M132, true, true, SS);
    Vfnmsub132sd => fused(M132, true, true, SD);
    Vfnmsub213ps => fused(M213, true, true, PS);
    Vfnmsub213pd => fused(M213, true, true, PD);
    Vfnmsub213ss => fused(M213, true, true, SS);
    Vfnmsub213sd => fused(M213, true, true, SD);
    Vfnmsub231ps => fused(M231, true, true, PS);
    Vfnmsub231pd => fused(M231, true, true, PD);
    Vfnmsub231ss => fused(M231, true, true, SS);
    Vfnmsub231sd => fused(M231, true, true, SD);
    Vfmaddsub132ps => alternate(M132, false, PS);
    Vfmaddsub132pd => alternate(M132, false, PD);
    Vfmaddsub213ps => alternate(M213, false, PS);
    Vfmaddsub213pd => alternate(M213, false, PD);
    Vfmaddsub231ps => alternate(M231, false, PS);
    Vfmaddsub231pd => alternate(M231, false, PD);
    Vfmsubadd132ps => alternate(M132, true, PS);
    Vfmsubadd132pd => alternate(M132, true, PD);
    Vfmsubadd213ps => alternate(M213, true, PS);
    Vfmsubadd213pd => alternate(M213, true, PD);
    Vfmsubadd231ps => alternate(M231, true, PS);
    Vfmsubadd231pd => alternate(M231, true, PD);
}

/// The two factors and the addend.
fn operands(cx: &mut Cx, i: &Instruction, order: Order, shape: Shape) -> [Val; 3] {
    let third = if shape.lanes > 0 { cx.fp(i, shape) } else { cx.fp_low(i, shape.fmt) };
    let [first, second] = [i.op0_register(), i.op1_register()].map(|reg| {
        let v = cx.of_half(reg);
        // What stands above a scalar is not computed.
        cx.live(shape.fmt.lane(), u32::from(shape.lanes).max(1), v)
    });
    match order {
        M132 => [first, third, second],
        M213 => [second, first, third],
        M231 => [second, third, first],
    }
}

/// A scalar leaves what stands above it in the first operand.
fn fused(cx: &mut Cx, i: &Instruction, order: Order, neg_product: bool, neg_addend: bool, shape: Shape) {
    let [a, b, c] = operands(cx, i, order, shape);
    if shape.lanes == 0 && !cx.is_plain() {
        let [a, b, c] = [a, b, c].map(|v| cx.b.vget(shape.fmt.ty(), v, 0));
        let v = cx.b.fma(shape, cx.env(), neg_product, neg_addend, a, b, c);
        let old = cx.xmm(i.op0_register());
        let v = cx.b.vset(shape.fmt.lane(), old, v, 0);
        return cx.set_vector(i, v);
    }
    let first = match order {
        M132 => 0,
        M213 => 1,
        M231 => 2,
    };
    let shape = if shape.lanes > 0 { shape } else { Shape::low(shape.fmt, first) };
    let v = cx.b.fma(shape, cx.env(), neg_product, neg_addend, a, b, c);
    cx.set_vector(i, v);
}

/// Even lanes are subtracted and odd ones added, or the other way round.
fn alternate(cx: &mut Cx, i: &Instruction, order: Order, even_added: bool, shape: Shape) {
    let operands = operands(cx, i, order, shape);
    let lane = shape.fmt.lane();
    let even = cx.b.v128(even_lanes(lane));
    // The lanes that are not wanted are made zeros, which raise nothing.
    let [evens, odds] = [true, false].map(|is_even| {
        let op = if is_even { ir::V2::And } else { ir::V2::AndNot };
        let [a, b, c] = operands.map(|v| cx.b.v2(op, lane, v, even));
        cx.b.fma(shape, cx.env(), false, is_even != even_added, a, b, c)
    });
    let v = cx.b.v3(V3::BitSelect, lane, even, evens, odds);
    cx.set_vector(i, v);
}
