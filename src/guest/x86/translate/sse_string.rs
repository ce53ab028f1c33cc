//! Comparisons of strings (SSE4.2): PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM.

use super::Cx;
use crate::insn::rows;
use crate::state::{RAX, RCX, RDX, xmm};
use iced_x86::{Instruction, Register};
use ir::{Bin, IntCc, Ty, Val};

rows! {
    Pcmpestri, Vpcmpestri => compare(Some(Ty::I32), Wanted::Index);
    Pcmpestri64, Vpcmpestri64 => compare(Some(Ty::I64), Wanted::Index);
    Pcmpestrm, Vpcmpestrm => compare(Some(Ty::I32), Wanted::Mask);
    Pcmpestrm64, Vpcmpestrm64 => compare(Some(Ty::I64), Wanted::Mask);
    Pcmpistri, Vpcmpistri => compare(None, Wanted::Index);
    Pcmpistrm, Vpcmpistrm => compare(None, Wanted::Mask);
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Index,
    Mask,
}

fn compare(cx: &mut Cx, i: &Instruction, lengths: Option<Ty>, wanted: Wanted) {
    let (a, b) = (cx.first(i), cx.source(i, 16));
    let (control, explicit) = (i.immediate8(), lengths.is_some());
    let lengths = match lengths {
        Some(ty) => {
            let (first, second) = (length(cx, ty, RAX), length(cx, ty, RDX));
            let second = cx.b.shift_imm(Bin::Shl, second, 32);
            cx.b.or(first, second)
        }
        None => cx.b.i64(0),
    };
    let ty = if wanted == Wanted::Index { Ty::I32 } else { Ty::V128 };
    let v = cx.b.strings(ty, control, explicit, [a, b, lengths]);
    let flags = cx.b.strings(Ty::Flags, control, explicit, [a, b, lengths]);
    cx.set_flags(flags);
    if wanted == Wanted::Index {
        cx.set_low(RCX, v);
    } else {
        if cx.vex.is_some() {
            cx.set_whole(Register::XMM0, [v, Val::NONE]);
        } else {
            cx.b.set(xmm(0), v);
        }
    }
}

/// A length in the low half of an I64; of 64 bits one within 32 that means the same.
fn length(cx: &mut Cx, ty: Ty, register: u32) -> Val {
    if ty == Ty::I32 {
        let v = cx.low(Ty::I32, register);
        return cx.b.zext(Ty::I64, v);
    }
    let v = cx.low(Ty::I64, register);
    let (most, least) = (cx.b.i64(16), cx.b.i64(-16i64 as u64));
    let above = cx.b.cmp(IntCc::Sgt, v, most);
    let v = cx.b.select(above, most, v);
    let below = cx.b.cmp(IntCc::Slt, v, least);
    let v = cx.b.select(below, least, v);
    cx.b.and_imm(v, 0xffff_ffff)
}
