//! Loads and stores of general registers (Arm ARM F3.1.3, F3.1.4, F3.1.12, F4.1.3 to F4.1.5, F4.1.8).
//!
//! Single words and halfwords may stand at any address; multiple and double ones at multiples of four.

use super::{Cx, shifted_value};
use crate::insn::{LdImm, LdReg, Ldm, LdrdImm, LdrdReg, Pld, Pop, Push, StImm, StReg, Stm, StrdImm, StrdReg};
use ir::{Ext, Mem, Ty, Val};

/// An address, and what it is made of.
#[derive(Clone, Copy, Debug)]
struct Address {
    at: Val,
    disp: i32,
    base: Val,
    offset: Offset,
    index: Index,
}

/// What is added to a base register.
#[derive(Clone, Copy, Debug)]
enum Offset {
    Imm(i64),
    Plus(Val),
    Minus(Val),
}

/// How an access is indexed: the fields of the same names.
#[derive(Clone, Copy, Debug)]
struct Index {
    n: u32,
    p: u32,
    u: u32,
    w: u32,
}

impl Index {
    /// Whether the base moves. P=0 is post-indexed; the unprivileged forms (P=0 W=1) do the same in user mode.
    fn moves(self) -> bool {
        self.p == 0 || self.w == 1
    }
}

impl Cx<'_> {
    fn address_imm(&mut self, x: Index, offset: u32) -> Address {
        let base = self.base(x.n);
        let offset = if x.u == 1 { offset.cast_signed() } else { -offset.cast_signed() };
        let disp = if x.p == 1 { offset } else { 0 };
        Address { at: base, disp, base, offset: Offset::Imm(offset.into()), index: x }
    }

    fn address_reg(&mut self, x: Index, offset: Val) -> Address {
        let base = self.base(x.n);
        let offset = if x.u == 1 { Offset::Plus(offset) } else { Offset::Minus(offset) };
        let at = if x.p == 1 { self.moved(base, offset) } else { base };
        Address { at, disp: 0, base, offset, index: x }
    }

    fn moved(&mut self, base: Val, offset: Offset) -> Val {
        match offset {
            Offset::Imm(offset) => self.b.add_imm(base, offset),
            Offset::Plus(offset) => self.b.add(base, offset),
            Offset::Minus(offset) => self.b.sub(base, offset),
        }
    }

    /// The base register's new value, computed no sooner than it is needed.
    fn write_back(&mut self, a: Address) {
        if a.index.n != 15 && a.index.moves() {
            let v = match a.offset {
                Offset::Plus(_) | Offset::Minus(_) if a.index.p == 1 => a.at,
                offset => self.moved(a.base, offset),
            };
            self.set_r(a.index.n, v);
        }
    }

    fn load_single(&mut self, a: Address, t: u32, z: u32, e: u32) {
        let mem = Mem { ext: if e == 1 { Ext::Sign } else { Ext::Zero }, ..self.mem(a.at, 1 << z).disp(a.disp) };
        let v = self.b.load(Ty::I32, mem);
        self.write_back(a);
        if t == 15 {
            // `ldr pc, [sp], #4` returns.
            return self.bx_write_pc(v, a.index.n == 13 && a.index.moves());
        }
        self.set_r(t, v);
    }

    fn store_single(&mut self, a: Address, t: u32, z: u32) {
        let (v, mem) = (self.r(t), self.mem(a.at, 1 << z).disp(a.disp));
        self.b.store(mem, v);
        self.write_back(a);
    }

    /// One access: processors with LPAE promise that for multiples of eight.
    fn load_double(&mut self, a: Address, t: u32, x: u32) {
        let mem = Mem::at(a.at, 8).disp(a.disp).aligned_to(4);
        let v = self.b.load(Ty::I64, mem);
        self.write_back(a);
        let low = self.low_half(v);
        self.set_r(t, low);
        let high = self.high_half(v);
        self.set_r(pair(t, x), high);
    }

    fn store_double(&mut self, a: Address, t: u32, x: u32) {
        let (low, high) = (self.r(t), self.r(pair(t, x)));
        let v = self.doubleword(low, high);
        self.b.store(Mem::at(a.at, 8).disp(a.disp).aligned_to(4), v);
        self.write_back(a);
    }
}

/// The second register of a pair: 16 stands for the one after the first.
pub(crate) fn pair(t: u32, x: u32) -> u32 {
    if x == 16 { t + 1 } else { x }
}

pub(crate) fn ld_imm(cx: &mut Cx, a: LdImm) {
    let address = cx.address_imm(Index { n: a.n, p: a.p, u: a.u, w: a.w }, a.i << a.k);
    cx.load_single(address, a.t, a.z, a.e);
}

pub(crate) fn ld_reg(cx: &mut Cx, a: LdReg) {
    let offset = shifted_value(cx, a.m, a.y, a.i);
    let address = cx.address_reg(Index { n: a.n, p: a.p, u: a.u, w: a.w }, offset);
    cx.load_single(address, a.t, a.z, a.e);
}

pub(crate) fn st_imm(cx: &mut Cx, a: StImm) {
    let address = cx.address_imm(Index { n: a.n, p: a.p, u: a.u, w: a.w }, a.i << a.k);
    cx.store_single(address, a.t, a.z);
}

pub(crate) fn st_reg(cx: &mut Cx, a: StReg) {
    let offset = shifted_value(cx, a.m, a.y, a.i);
    let address = cx.address_reg(Index { n: a.n, p: a.p, u: a.u, w: a.w }, offset);
    cx.store_single(address, a.t, a.z);
}

pub(crate) fn ldrd_imm(cx: &mut Cx, a: LdrdImm) {
    let address = cx.address_imm(Index { n: a.n, p: a.p, u: a.u, w: a.w }, a.i << a.k);
    cx.load_double(address, a.t, a.x);
}

pub(crate) fn strd_imm(cx: &mut Cx, a: StrdImm) {
    let address = cx.address_imm(Index { n: a.n, p: a.p, u: a.u, w: a.w }, a.i << a.k);
    cx.store_double(address, a.t, a.x);
}

pub(crate) fn ldrd_reg(cx: &mut Cx, a: LdrdReg) {
    let offset = cx.r(a.m);
    let address = cx.address_reg(Index { n: a.n, p: a.p, u: a.u, w: a.w }, offset);
    cx.load_double(address, a.t, 16);
}

pub(crate) fn strd_reg(cx: &mut Cx, a: StrdReg) {
    let offset = cx.r(a.m);
    let address = cx.address_reg(Index { n: a.n, p: a.p, u: a.u, w: a.w }, offset);
    cx.store_double(address, a.t, 16);
}

/// Preloads touch nothing that a program could see.
pub(crate) fn pld(_: &mut Cx, _: Pld) {}

/// The lowest address of a block transfer, relative to its base, and how far the base moves.
fn extent(p: u32, u: u32, list: u32) -> (i64, i64) {
    let size = i64::from(list.count_ones()) * 4;
    match (p, u) {
        (0, 1) => (0, size),
        (1, 1) => (4, size),
        (0, _) => (4 - size, -size),
        _ => (-size, -size),
    }
}

/// The registers of a list, each with its place in memory.
fn places(list: u32, low: i64) -> impl Iterator<Item = (u32, i32)> {
    (0..16).filter(move |r| list >> r & 1 == 1).enumerate().map(move |(i, r)| (r, low as i32 + 4 * i as i32))
}

/// Loads registers from ascending words. Where one faults those before it are loaded, but for the base, from which it is done again (Arm ARM G1.16, effects of
/// data-aborted instructions: the others are unknown): held until all are there, they were spilled. A base in the list is loaded, not moved.
fn load_list(cx: &mut Cx, n: u32, list: u32, (low, step): (i64, i64), back: bool) {
    let base = cx.r(n);
    let (mut loaded_base, mut pc) = (None, None);
    for (r, disp) in places(list, low) {
        let mem = cx.mem(base, 4).disp(disp).aligned_to(if disp == low as i32 { 4 } else { 1 });
        let v = cx.b.load(Ty::I32, mem);
        match r {
            15 => pc = Some(v),
            _ if r == n => loaded_base = Some(v),
            _ => cx.set_r(r, v),
        }
    }
    if let Some(v) = loaded_base {
        cx.set_r(n, v);
    } else if back {
        let moved = cx.b.add_imm(base, step);
        cx.set_r(n, moved);
    }
    if let Some(pc) = pc {
        cx.bx_write_pc(pc, n == 13);
    }
}

fn store_list(cx: &mut Cx, n: u32, list: u32, (low, step): (i64, i64), back: bool) {
    let base = cx.r(n);
    for (r, disp) in places(list, low) {
        let mem = cx.mem(base, 4).disp(disp).aligned_to(if disp == low as i32 { 4 } else { 1 });
        let v = cx.r(r);
        cx.b.store(mem, v);
    }
    if back {
        let moved = cx.b.add_imm(base, step);
        cx.set_r(n, moved);
    }
}

pub(crate) fn ldm(cx: &mut Cx, a: Ldm) {
    let back = a.w == 1 || a.w == 2 && a.r >> a.n & 1 == 0;
    load_list(cx, a.n, a.r, extent(a.p, a.u, a.r), back);
}

pub(crate) fn stm(cx: &mut Cx, a: Stm) {
    store_list(cx, a.n, a.r, extent(a.p, a.u, a.r), a.w == 1);
}

pub(crate) fn push(cx: &mut Cx, a: Push) {
    let list = a.r | a.h << 14;
    if list == 0 {
        return cx.undefined();
    }
    store_list(cx, 13, list, extent(1, 0, list), true);
}

pub(crate) fn pop(cx: &mut Cx, a: Pop) {
    let list = a.r | a.h << 15;
    if list == 0 {
        return cx.undefined();
    }
    load_list(cx, 13, list, extent(0, 1, list), true);
}
