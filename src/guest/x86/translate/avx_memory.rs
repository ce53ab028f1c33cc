//! Loads and stores of the lanes that a mask chooses, and of lanes from all over memory. Lanes that are not chosen are not accessed.

use super::Cx;
use crate::insn::rows;
use crate::state::{stage, xmm, ymm_high};
use iced_x86::{Instruction, OpKind, Register};
use ir::{Bin, Lane, Mem, Slot, Term, Ty, Val};

rows! {
    Vmaskmovps => masked(Lane::S);
    Vmaskmovpd => masked(Lane::D);
    Vpmaskmovd => masked(Lane::S);
    Vpmaskmovq => masked(Lane::D);
    Vgatherdps => gather(Lane::S, Lane::S);
    Vgatherqps => gather(Lane::D, Lane::S);
    Vgatherdpd => gather(Lane::S, Lane::D);
    Vgatherqpd => gather(Lane::D, Lane::D);
    Vpgatherdd => gather(Lane::S, Lane::S);
    Vpgatherqd => gather(Lane::D, Lane::S);
    Vpgatherdq => gather(Lane::S, Lane::D);
    Vpgatherqq => gather(Lane::D, Lane::D);
}

/// The slots of a register's halves.
fn slots(reg: Register) -> [Slot; 2] {
    let n = reg.number() as u32;
    [xmm(n), ymm_high(n)]
}

/// The half that has lane `n`, and its number there.
fn place(lane: Lane, n: u32) -> (usize, u32) {
    let count = 16 / lane.bytes() as u32;
    ((n / count) as usize, n % count)
}

/// Does `work` if lane `n` of the mask is negative. No value of before holds afterwards.
fn if_chosen(cx: &mut Cx, mask: [Slot; 2], lane: Lane, n: u32, work: impl FnOnce(&mut Cx)) {
    let (half, at) = place(lane, n);
    let v = cx.b.get(mask[half]);
    let signs = cx.b.vsigns(lane, v);
    let sign = cx.b.shift_imm(Bin::Shr, signs, at);
    let sign = cx.b.trunc(Ty::I1, sign);
    let (there, on) = (cx.b.block(), cx.b.block());
    cx.b.branch(sign, there, on);
    cx.b.enter(there);
    work(cx);
    cx.b.end(Term::Jump(on));
    cx.b.enter(on);
}

/// VMASKMOVPS and its kin. What is loaded gathers in staging slots, since the register is written when all is there.
fn masked(cx: &mut Cx, i: &Instruction, lane: Lane) {
    let mask = slots(i.op1_register());
    let wide = i.op1_register().is_ymm();
    let count = if wide { 32 } else { 16 } / lane.bytes() as u32;
    // Differs: where a lane's store faults, those before it are done.
    if i.op0_kind() == OpKind::Memory {
        let from = slots(i.op2_register());
        for n in 0..count {
            let (half, at) = place(lane, n);
            if_chosen(cx, mask, lane, n, |cx| {
                let v = cx.b.get(from[half]);
                let v = cx.b.vget(lane.ty(), v, at);
                let mem = cx.part_of_memory(i, n * lane.bytes() as u32, lane.bytes());
                cx.b.store(mem, v);
            });
        }
        return;
    }
    let to = [stage(0), stage(1)];
    let zero = cx.b.v128(0);
    to.iter().for_each(|slot| cx.b.set(*slot, zero));
    for n in 0..count {
        let (half, at) = place(lane, n);
        if_chosen(cx, mask, lane, n, |cx| {
            let mem = cx.part_of_memory(i, n * lane.bytes() as u32, lane.bytes());
            let v = cx.b.load(lane.ty(), mem);
            let old = cx.b.get(to[half]);
            let v = cx.b.vset(lane, old, v, at);
            cx.b.set(to[half], v);
        });
    }
    let halves = to.map(|slot| cx.b.get(slot));
    cx.set_whole(i.op0_register(), halves);
}

/// Lanes from memory, one after the other: what is done, or was not asked for, is no longer in the mask, so that a fault leaves what is still to do.
fn gather(cx: &mut Cx, i: &Instruction, index: Lane, lane: Lane) {
    let (to, mask, indices) = (slots(i.op0_register()), slots(i.op2_register()), slots(i.memory_index()));
    let wide = i.op0_register().is_ymm() || i.memory_index().is_ymm();
    let count = if wide { 32 } else { 16 } / lane.bytes().max(index.bytes()) as u32;
    for n in 0..count {
        let (half, at) = place(lane, n);
        if_chosen(cx, mask, lane, n, |cx| {
            let (of, which) = place(index, n);
            let v = cx.b.get(indices[of]);
            let v = cx.b.vget(index.ty(), v, which);
            let mem = element(cx, i, v, lane);
            let v = cx.b.load(lane.ty(), mem);
            let old = cx.b.get(to[half]);
            let v = cx.b.vset(lane, old, v, at);
            cx.b.set(to[half], v);
        });
        let (chosen, none) = (cx.b.get(mask[half]), cx.b.constant(lane.ty(), 0));
        let chosen = cx.b.vset(lane, chosen, none, at);
        cx.b.set(mask[half], chosen);
    }
    let zero = cx.b.v128(0);
    cx.set_whole(i.op2_register(), [zero, zero]);
    // Above what was gathered there is nothing.
    let bytes = count as usize * lane.bytes();
    if bytes == 8 {
        let v = cx.b.get(to[0]);
        let v = cx.b.v1(ir::V1::ZeroHi, Lane::D, v);
        cx.b.set(to[0], v);
    }
    let halves = [cx.b.get(to[0]), if bytes <= 16 { zero } else { cx.b.get(to[1]) }];
    cx.set_whole(i.op0_register(), halves);
}

/// Where the lane with this index is.
pub(super) fn element(cx: &mut Cx, i: &Instruction, index: Val, lane: Lane) -> Mem {
    let base = cx.address(i, Ty::I64);
    let ty = cx.b.ty(base);
    let index = if ty.bits() > cx.b.ty(index).bits() { cx.b.sext(ty, index) } else { cx.b.trunc(ty, index) };
    let index = cx.b.shift_imm(Bin::Shl, index, i.memory_index_scale().trailing_zeros());
    let sum = cx.b.add(base, index);
    cx.in_segment(i, i.memory_segment(), Mem::at(sum, lane.bytes() as u8))
}
