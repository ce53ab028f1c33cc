//! XGETBV, XSAVE and its kin, XRSTOR: SDM vol. 1, 13.7 to 13.11. What is asked for, there and done is known when the instruction runs, so each
//! component is a block of its own.

use super::Cx;
use super::x87_control::{load_staged, place, store_staged_from};
use super::x87_image::{FX, FX_WIDE, INITIAL, TAKE};
use crate::features::{AVX512F, XSAVEC};
use crate::insn::rows;
use crate::state::{DIRTY, RAX, RCX, RDX, STATE32, STATE64, XCR0, XSTATE};
use crate::xsave::{
    self, AVX, Component, FX_MXCSR, FX_MXCSR_MASK, FX_XMM, MXCSR_INITIAL, MXCSR_MASK, SSE, X87 as UNIT, XCOMP_BV,
    XSTATE_BV, YMM,
};
use iced_x86::Instruction;
use ir::{Align, Bin, Frame, Helper, IntCc, Mem, Term, Touches, Ty, Val, X87};

rows! {
    Xgetbv => getbv();
    Xsave => save(Kind::Plain, false);
    Xsave64 => save(Kind::Plain, true);
    Xsaveopt => save(Kind::Optimised, false);
    Xsaveopt64 => save(Kind::Optimised, true);
    Xsavec => save(Kind::Compacted, false);
    Xsavec64 => save(Kind::Compacted, true);
    Xrstor => restore(false);
    Xrstor64 => restore(true);
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    /// What is as processors begin is not written.
    Optimised,
    Compacted,
}

/// XCOMP_BV's sign of the compacted form.
const COMPACTED: u64 = 1 << 63;

/// In [`XSTATE`]: what was asked for and may be; above that what is in use, and what of it is to be moved.
const IN_USE: u32 = 8;
const MOVED: u32 = 16;

/// What is not as processors begin, of the registers that there are: the argument says whether there are 16.
static USED: Helper = Helper {
    name: "xsave_in_use",
    run: |f| f.ret = in_use(f).into(),
    touches: Touches::All,
    can_exit: false,
    pure: false,
};

fn in_use(f: &Frame<'_>) -> u64 {
    if f.args[0] != 0 { xsave::in_use(&STATE64, f.state, 16) } else { xsave::in_use(&STATE32, f.state, 8) }
}

impl Cx<'_> {
    /// `work` where bits of [`XSTATE`] are set. No value of before holds afterwards.
    fn where_set(&mut self, bits: u64, work: impl FnOnce(&mut Self)) {
        let all = self.b.get(XSTATE);
        let some = self.b.and_imm(all, bits);
        let zero = self.b.i64(0);
        let set = self.b.cmp(IntCc::Ne, some, zero);
        self.only_if(set, work);
    }

    fn only_if(&mut self, cond: Val, work: impl FnOnce(&mut Self)) {
        let (there, on) = (self.b.block(), self.b.block());
        self.b.branch(cond, there, on);
        self.b.enter(there);
        work(self);
        if !self.b.ended() {
            self.b.end(Term::Jump(on));
        }
        self.b.enter(on);
    }

    /// EDX:EAX of what there is.
    fn asked(&mut self) -> Val {
        let (low, xcr0) = (self.low(Ty::I32, RAX), self.b.get(XCR0));
        let low = self.b.zext(Ty::I64, low);
        self.b.and(low, xcr0)
    }

    fn used(&mut self) -> Val {
        let long = self.b.i32(self.is_wide().into());
        self.b.call(&USED, Ty::I64, &[long])
    }
}

/// ECX 0: XCR0; 1: what of it is in use.
fn getbv(cx: &mut Cx, _: &Instruction) {
    let which = cx.low(Ty::I32, RCX);
    let most = cx.b.i32(u32::from(cx.features & XSAVEC != 0));
    let bad = cx.b.cmp(IntCc::Ugt, which, most);
    cx.only_if(bad, Cx::privileged);
    if cx.features & XSAVEC != 0 {
        cx.x87(X87::Save);
        let (used, which, all) = (cx.used(), cx.low(Ty::I32, RCX), cx.b.get(XCR0));
        let zero = cx.b.i32(0);
        let whole = cx.b.cmp(IntCc::Eq, which, zero);
        let v = cx.b.select(whole, all, used);
        cx.b.set(XSTATE, v);
        cx.x87(X87::Load);
    } else {
        let all = cx.b.get(XCR0);
        cx.b.set(XSTATE, all);
    }
    let v = cx.b.get(XSTATE);
    let (low, high) = (cx.b.trunc(Ty::I32, v), cx.b.i32(0));
    cx.set_low(RAX, low);
    cx.set_low(RDX, high);
}

fn part(mem: Mem, at: usize, size: usize) -> Mem {
    Mem { size: size as u8, ..mem }.disp(mem.disp + at as i32)
}

/// The area, which is aligned: [`check_aligned`].
fn area(cx: &mut Cx, i: &Instruction) -> Mem {
    Mem { align: Align::Any, ..place(cx, i) }
}

/// A protection fault if the area is not aligned; the first access.
fn check_aligned(cx: &mut Cx, i: &Instruction) {
    let addr = cx.linear(i);
    let (low, zero) = (cx.b.and_imm(addr, 63), cx.b.constant(cx.b.ty(addr), 0));
    let bad = cx.b.cmp(IntCc::Ne, low, zero);
    cx.only_if(bad, Cx::privileged);
    let mem = area(cx, i);
    cx.b.load(Ty::I64, part(mem, XSTATE_BV, 8));
}

fn save(cx: &mut Cx, i: &Instruction, kind: Kind, wide: bool) {
    check_aligned(cx, i);
    let asked = cx.asked();
    cx.b.set(XSTATE, asked);
    // The unit's state has to be in guest state to be looked at.
    cx.where_set(UNIT, |cx| {
        cx.x87(X87::Save);
        cx.fill_stages(if wide { FX_WIDE } else { FX });
    });
    let (used, asked) = (cx.used(), cx.b.get(XSTATE));
    let used = cx.b.and(used, asked);
    let moved = if kind == Kind::Plain { asked } else { used };
    let used = cx.b.shift_imm(Bin::Shl, used, IN_USE);
    let moved = cx.b.shift_imm(Bin::Shl, moved, MOVED);
    let v = cx.b.or(asked, used);
    let v = cx.b.or(v, moved);
    cx.b.set(XSTATE, v);
    cx.where_set(UNIT << MOVED, |cx| {
        let mem = area(cx, i);
        // MXCSR stands in the middle.
        store_staged_from(cx, mem, 0, 24);
        store_staged_from(cx, mem, 32, FX_XMM);
    });
    let with_mxcsr = if kind == Kind::Compacted { SSE << MOVED } else { SSE | AVX };
    cx.where_set(with_mxcsr, |cx| {
        let (v, mask) = (cx.mxcsr(), cx.b.i32(MXCSR_MASK as u32));
        let mem = area(cx, i);
        cx.b.store(part(mem, FX_MXCSR, 4), v);
        cx.b.store(part(mem, FX_MXCSR_MASK, 4), mask);
    });
    for c in components(cx) {
        cx.where_set(c.bit << MOVED, |cx| {
            let named = if kind == Kind::Compacted { Some(cx.b.get(XSTATE)) } else { None };
            let mem = component(cx, i, c, named);
            for (slot, at) in xsave::registers(c.bit, registers(cx)) {
                let v = cx.b.get(slot);
                cx.b.store(part(mem, at, cx.b.ty(v).bytes()), v);
            }
        });
    }
    let mem = area(cx, i);
    let all = cx.b.get(XSTATE);
    let (asked, used) = (cx.b.extract(all, 0, 8, false), cx.b.extract(all, IN_USE, 8, false));
    if kind == Kind::Compacted {
        let form = cx.b.i64(COMPACTED);
        let form = cx.b.or(form, asked);
        cx.b.store(part(mem, XSTATE_BV, 8), used);
        return cx.b.store(part(mem, XCOMP_BV, 8), form);
    }
    let old = cx.b.load(Ty::I64, part(mem, XSTATE_BV, 8));
    let kept = cx.b.and_not(old, asked);
    let v = cx.b.or(kept, used);
    cx.b.store(part(mem, XSTATE_BV, 8), v);
}

/// The components that are vectors, and what the processor has behind them.
fn components(cx: &Cx) -> Vec<Component> {
    let there = |c: &Component| c.bit == AVX || cx.features & AVX512F != 0;
    [xsave::XMM].into_iter().chain(xsave::EXTENDED.into_iter().filter(there)).collect()
}

/// Where a component stands; in the compacted form if bits are given, the components that it has.
fn component(cx: &mut Cx, i: &Instruction, c: Component, named: Option<Val>) -> Mem {
    let mem = area(cx, i);
    let Some(named) = named.filter(|_| c.at > YMM) else { return mem.disp(mem.disp + c.at as i32) };
    let mut at = cx.linear(i);
    for before in xsave::EXTENDED.iter().take_while(|before| before.bit != c.bit) {
        let there = cx.b.extract(named, before.bit.trailing_zeros(), 1, false);
        let size = cx.b.shift_imm(Bin::Shl, there, before.size.trailing_zeros());
        let size = cx.b.trunc(cx.b.ty(at), size);
        at = cx.b.add(at, size);
    }
    Mem { base: at, index: Val::NONE, disp: YMM as i32, ..mem }
}

fn registers(cx: &Cx) -> u32 {
    if cx.is_long() { 16 } else { 8 }
}

/// What makes XRSTOR a protection fault: components that are not there, bits that are reserved, of the header and of MXCSR.
fn refuse(cx: &mut Cx, i: &Instruction) {
    check_aligned(cx, i);
    let mem = area(cx, i);
    let there = cx.b.load(Ty::I64, part(mem, XSTATE_BV, 8));
    let form = cx.b.load(Ty::I64, part(mem, XCOMP_BV, 8));
    let reserved = cx.b.load(Ty::I64, part(mem, XCOMP_BV + 8, 8));
    let xcr0 = cx.b.get(XCR0);
    let unknown = cx.b.and_not(there, xcr0);
    let (zero, sign) = (cx.b.i64(0), cx.b.i64(COMPACTED));
    let compacted = cx.b.cmp(IntCc::Slt, form, zero);
    let named = cx.b.and_not(form, sign);
    let beyond = cx.b.and_not(named, xcr0);
    let unnamed = cx.b.and_not(there, named);
    let bad = cx.b.or(beyond, unnamed);
    let none = if cx.features & XSAVEC != 0 { bad } else { sign };
    let bad = cx.b.select(compacted, none, form);
    let bad = cx.b.or(bad, unknown);
    let bad = cx.b.or(bad, reserved);
    let bad = cx.b.cmp(IntCc::Ne, bad, zero);
    cx.only_if(bad, Cx::privileged);
}

/// The size of the component that is no vectors.
const OPMASKS: usize = 64;

/// Where a component stands in the form that the area has.
fn loaded_component(cx: &mut Cx, i: &Instruction, c: Component) -> Mem {
    if c.at <= YMM {
        return component(cx, i, c, None);
    }
    let mem = area(cx, i);
    let form = cx.b.load(Ty::I64, part(mem, XCOMP_BV, 8));
    let zero = cx.b.i64(0);
    let compacted = cx.b.cmp(IntCc::Slt, form, zero);
    let there = component(cx, i, c, Some(form));
    let standard = cx.linear(i);
    let standard = cx.b.add_imm(standard, (c.at - YMM) as i64);
    let base = cx.b.select(compacted, there.base, standard);
    Mem { base, ..there }
}

fn restore(cx: &mut Cx, i: &Instruction, wide: bool) {
    refuse(cx, i);
    // All of it is there before anything is written.
    let mem = area(cx, i);
    cx.b.load(Ty::I64, part(mem, 0, 8));
    let (asked, there) = (cx.asked(), cx.b.load(Ty::I64, part(mem, XSTATE_BV, 8)));
    let moved = cx.b.and(asked, there);
    let form = cx.b.load(Ty::I64, part(mem, XCOMP_BV, 8));
    // In the compacted form MXCSR is a part of SSE's component, else it is loaded for either.
    let zero = cx.b.i64(0);
    let compacted = cx.b.cmp(IntCc::Slt, form, zero);
    let mxcsr = cx.b.and_imm(moved, SSE);
    let either = cx.b.and_imm(asked, SSE | AVX);
    let mxcsr = cx.b.select(compacted, mxcsr, either);
    let v = cx.b.shift_imm(Bin::Shl, moved, MOVED);
    let v = cx.b.or(v, asked);
    let mxcsr = cx.b.shift_imm(Bin::Shl, mxcsr, IN_USE);
    let v = cx.b.or(v, mxcsr);
    cx.b.set(XSTATE, v);
    cx.where_set((SSE | AVX) << IN_USE, |cx| {
        let mem = area(cx, i);
        cx.check_mxcsr(part(mem, FX_MXCSR, 4));
    });
    for c in components(cx).into_iter().skip(1) {
        cx.where_set(c.bit << MOVED, |cx| {
            let mem = loaded_component(cx, i, c);
            cx.b.load(Ty::I64, part(mem, c.size - 8, 8));
        });
    }
    for c in components(cx) {
        let slots = xsave::registers(c.bit, registers(cx));
        cx.where_set(c.bit, |cx| {
            for (slot, _) in &slots {
                let zero = if c.size == OPMASKS { cx.b.i64(0) } else { cx.b.v128(0) };
                cx.b.set(*slot, zero);
            }
        });
        cx.where_set(c.bit << MOVED, |cx| {
            let mem = loaded_component(cx, i, c);
            let ty = if c.size == OPMASKS { Ty::I64 } else { Ty::V128 };
            let all: Vec<Val> = slots.iter().map(|(_, at)| cx.b.load(ty, part(mem, *at, ty.bytes()))).collect();
            slots.iter().zip(all).for_each(|((slot, _), v)| cx.b.set(*slot, v));
        });
    }
    cx.where_set(UNIT, |cx| {
        cx.x87(X87::Save);
        cx.on_image(&INITIAL, 0);
        cx.x87(X87::Load);
    });
    cx.where_set(UNIT << MOVED, |cx| {
        let mem = area(cx, i);
        load_staged(cx, mem, FX_XMM);
        cx.x87(X87::Save);
        cx.on_image(&TAKE, if wide { FX_WIDE } else { FX });
        cx.x87(X87::Load);
    });
    cx.where_set(xsave::ZMM_HIGH << MOVED, |cx| {
        let one = cx.b.i32(1);
        cx.b.set(DIRTY, one);
    });
    // MXCSR: from memory, or as processors begin, or as it is.
    let mem = area(cx, i);
    let (loaded, initial, old) =
        (cx.b.load(Ty::I32, part(mem, FX_MXCSR, 4)), cx.b.i32(MXCSR_INITIAL as u32), cx.mxcsr());
    let all = cx.b.get(XSTATE);
    let bits = |cx: &mut Cx, bits: u64| {
        let (v, zero) = (cx.b.and_imm(all, bits), cx.b.i64(0));
        cx.b.cmp(IntCc::Ne, v, zero)
    };
    let (from_memory, asked) = (bits(cx, (SSE | AVX) << IN_USE), bits(cx, SSE));
    let v = cx.b.select(asked, initial, old);
    let v = cx.b.select(from_memory, loaded, v);
    cx.set_mxcsr(v);
    if cx.features & AVX512F != 0 && !cx.is_dirty() {
        let (dirty, zero, pc) = (cx.b.get(DIRTY), cx.b.i32(0), cx.next);
        let changed = cx.b.cmp(IntCc::Ne, dirty, zero);
        cx.b.leave_if(changed, Term::Resume { pc });
    }
}
