//! Segment registers: loading them, asking for what selectors name, accesses in segments that are not all of memory.

use super::Cx;
use crate::insn::rows;
use crate::segments::{Descriptor, SLOTS, load, named, refuse};
use crate::state::{self, DS, ES, FS, GS, SS, STATE32, STATE64, descriptor, tls};
use arch::State;
use iced_x86::{Instruction, OpKind};
use ir::{Frame, Helper, IntCc, Slot, Touches, Trap, Ty, Val};

rows! {
    Lds => far_pointer(DS);
    Les => far_pointer(ES);
    Lfs => far_pointer(FS);
    Lgs => far_pointer(GS);
    Lss => far_pointer(SS);
    Lar => describe(Ask::Rights);
    Lsl => describe(Ask::Limit);
    Verr => describe(Ask::Readable);
    Verw => describe(Ask::Writable);
    Arpl => arpl();
}

pub(super) const fn layout(long: bool) -> &'static State {
    if long { &STATE64 } else { &STATE32 }
}

/// Loads the segment register of a number with a selector; the last argument says whether registers have 64 bits.
static LOAD: Helper = Helper {
    name: "load_segment",
    run: |f| {
        let (n, selector, l) = (f.args[0] as u32, f.args[1] as u16, layout(f.args[2] != 0));
        f.exit = load(l, f.state, n, selector).err().map(|trap| refuse(l, f.state, n, selector, trap));
    },
    touches: Touches::Writes(&SLOTS),
    can_exit: true,
    pure: false,
};

/// The address of an access, in 32-bit code: segment (and [`WIDE`]), offset, bytes, whether it writes. What the segment does not hold is a trap.
pub(super) static IN_SEGMENT: Helper = Helper {
    name: "in_segment",
    run: in_segment,
    touches: Touches::Reads(&[descriptor(ES), descriptor(SS), descriptor(DS), descriptor(FS), descriptor(GS)]),
    can_exit: true,
    pure: false,
};

/// The program is one of 64 bits.
pub(super) const WIDE: u32 = 1 << 8;

fn in_segment(f: &mut Frame<'_>) {
    let [n, offset, size, writes] = f.args.map(|v| v as u32);
    let d = Descriptor::of(layout(n & WIDE != 0), f.state, n & !WIDE);
    let allowed = d.is_present() && if writes != 0 { d.is_writable() } else { d.is_readable() };
    if allowed && d.holds(offset, offset.wrapping_add(size.saturating_sub(1))) {
        f.ret = d.base().wrapping_add(offset).into();
    } else {
        f.exit = Some(Trap::Privileged);
    }
}

/// What is asked of a selector.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ask {
    Rights,
    Limit,
    Readable,
    Writable,
}

/// The answer to a question (LAR, LSL, VERR, VERW by number) about a selector, above it whether there is one; the last argument says whether
/// registers have 64 bits.
static DESCRIBE: Helper = Helper {
    name: "describe_segment",
    run: |f| {
        let d = named(layout(f.args[2] != 0), f.state, f.args[1] as u16);
        let answer = d.and_then(|d| match f.args[0] {
            n if n == Ask::Rights as u128 => Some(d.rights()),
            n if n == Ask::Limit as u128 => Some(d.limit()),
            n if n == Ask::Readable as u128 => d.is_readable().then_some(0),
            _ => d.is_writable().then_some(0),
        });
        f.ret = answer.map_or(0, |v| u128::from(v) | 1 << 32);
    },
    touches: Touches::Reads(&TLS),
    can_exit: false,
    pure: false,
};

static TLS: [Slot; 3] = [tls(0), tls(1), tls(2)];

impl Cx<'_> {
    /// Loads a segment register: before the instruction writes anything. The mode word may be another one then.
    pub(super) fn load_segment(&mut self, n: u32, selector: Val) {
        if n == state::CS {
            return self.undefined();
        }
        let (n, long) = (self.b.i32(n), self.b.i32(self.is_wide().into()));
        self.b.call(&LOAD, Ty::Void, &[n, selector, long]);
    }

    /// Sets ZF, and leaves the others.
    fn set_zero(&mut self, zero: Val) {
        let (flags, zero) = (self.flags(), self.b.zext(Ty::I32, zero));
        let eflags = self.b.flags_to_eflags(flags);
        let eflags = self.b.deposit(eflags, zero, 6, 1);
        let flags = self.b.flags_from_eflags(eflags);
        self.set_flags(flags);
    }
}

/// LDS and its kin: an offset and behind it a selector.
fn far_pointer(cx: &mut Cx, i: &Instruction, n: u32) {
    let ty = Ty::int(i.op0_register().size());
    let [from, behind] = [(0, ty.bytes()), (ty.bytes() as u32, 2)].map(|(at, bytes)| cx.part_of_memory(i, at, bytes));
    let (offset, selector) = (cx.b.load(ty, from), cx.b.load(Ty::I16, behind));
    cx.load_segment(n, selector);
    cx.set_reg(i.op0_register(), offset);
    cx.resume();
}

/// LAR, LSL, VERR, VERW: ZF says whether there is an answer; without one the register stays.
fn describe(cx: &mut Cx, i: &Instruction, ask: Ask) {
    let n = i.op_count() - 1;
    let selector = match i.op_kind(n) {
        OpKind::Register => cx.low(Ty::I16, i.op_register(n).full_register().number() as u32),
        _ => {
            let mem = cx.mem(i, 2);
            cx.b.load(Ty::I16, mem)
        }
    };
    let (ask, long) = (cx.b.i32(ask as u32), cx.b.i32(cx.is_wide().into()));
    let answer = cx.b.call(&DESCRIBE, Ty::I64, &[ask, selector, long]);
    let (there, zero) = (cx.b.extract(answer, 32, 1, false), cx.b.i64(0));
    let there = cx.b.cmp(IntCc::Ne, there, zero);
    if n == 1 {
        let to = i.op0_register();
        let old = cx.x(to.full_register().number() as u32);
        let v = cx.b.extract(answer, 0, 32, false);
        let v = if to.size() < 8 { cx.b.trunc(Ty::int(to.size()), v) } else { v };
        cx.set_reg(to, v);
        let new = cx.x(to.full_register().number() as u32);
        let v = cx.b.select(there, new, old);
        cx.set_x(to.full_register().number() as u32, v);
    }
    cx.set_zero(there);
}

/// A selector's privilege level becomes at least that of another.
fn arpl(cx: &mut Cx, i: &Instruction) {
    let [to, from] = [0, 1].map(|n| {
        let v = cx.read(i, n);
        cx.b.trunc(Ty::I16, v)
    });
    let [old, least] = [to, from].map(|v| cx.b.and_imm(v, 3));
    let raised = cx.b.cmp(IntCc::Ult, old, least);
    let level = cx.b.select(raised, least, old);
    let v = cx.b.deposit(to, level, 0, 2);
    match i.op0_kind() {
        OpKind::Register => cx.set_low(i.op0_register().full_register().number() as u32, v),
        _ => cx.write(i, 0, v),
    }
    cx.set_zero(raised);
}
