//! Where values are while a block is emitted, and the moves that this takes. One forward pass: homes hold guest registers always, a few
//! registers hold values, the rest is spilled.

use super::asm::{self, Mem, Reg, Rm, Size, Xm, Xmm, vop};
use super::emit::Emitter;
use super::plan::NO_HOME;
use super::{SCRATCH, TEMPS, XTEMPS, field};
use crate::cpu::{SPILLS, at};
use ir::{Op, Ty, Val};

/// A host condition for a truth value that is still in the host's flags.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum HostCc {
    One(asm::Cc),
    /// Equal and ordered, after a floating-point comparison.
    FpEq,
    FpNe,
}

/// Where a value is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Loc {
    /// Nowhere (not defined yet, dead, or a constant not in a register).
    None,
    Reg(Reg),
    Xmm(Xmm),
    /// In memory: a slot without a home that still holds it, or a spill. Flags in the host's flags are known to `flags.rs`.
    Slot(u16),
    Spill(u8),
    /// A truth value in the host's flags.
    Cc(HostCc),
}

/// Size of an integer type's operations.
pub(super) fn size(ty: Ty) -> Size {
    match ty {
        Ty::I1 => Size::B,
        Ty::I64 | Ty::F64 => Size::Q,
        Ty::I16 => Size::W,
        Ty::I8 => Size::B,
        _ => Size::D,
    }
}

/// Size for computing with a type: at least 32 bits.
pub(super) fn wide(ty: Ty) -> Size {
    if ty == Ty::I64 { Size::Q } else { Size::D }
}

/// The two kinds of registers, so that their bookkeeping is written once.
#[derive(Clone, Debug)]
pub(super) struct File {
    /// The value each register holds, by register number.
    pub(super) holds: [Val; 32],
    /// Registers in use by the current operation.
    pub(super) locked: u32,
}

impl File {
    pub(super) const EMPTY: File = File { holds: [Val::NONE; 32], locked: 0 };
}

impl Emitter<'_> {
    pub(super) fn root(&self, v: Val) -> Val {
        self.plan.root[v.0 as usize]
    }

    pub(super) fn loc(&self, v: Val) -> Loc {
        self.locs[self.root(v).0 as usize]
    }

    pub(super) fn set_loc(&mut self, v: Val, loc: Loc) {
        let root = self.root(v);
        self.locs[root.0 as usize] = loc;
    }

    /// Whether the value is used after the current operation.
    pub(super) fn live_after(&self, v: Val) -> bool {
        self.plan.last_use[self.root(v).0 as usize] > self.now
    }

    fn live_now(&self, v: Val) -> bool {
        self.plan.last_use[v.0 as usize] >= self.now
    }

    pub(super) fn const_of(&self, v: Val) -> Option<u64> {
        self.r.const_of(v)
    }

    /// The constant as a sign-extended 32-bit immediate of an operation of its type's size.
    pub(super) fn imm32(&self, v: Val) -> Option<i32> {
        let c = self.const_of(v)?;
        match self.r.ty(v) {
            Ty::I64 => i32::try_from(c as i64).ok(),
            Ty::I16 => Some(i32::from(c as i16)),
            Ty::I8 => Some(i32::from(c as i8)),
            _ => Some(c as i32),
        }
    }

    pub(super) fn spill_mem(n: u8) -> Mem {
        field(at::SPILL + i32::from(n) * 16)
    }

    /// Memory that holds the value, if it is not in a register.
    pub(super) fn mem_of(&self, v: Val) -> Option<Mem> {
        match self.loc(v) {
            Loc::Slot(s) => Some(self.map.mem(s as usize)),
            Loc::Spill(n) => Some(Self::spill_mem(n)),
            _ => None,
        }
    }

    pub(super) fn take_spill(&mut self) -> u8 {
        let n = self.spills.trailing_ones();
        assert!(n < SPILLS as u32, "out of spill slots");
        self.spills |= 1 << n;
        n as u8
    }

    /// Frees the spill slots of values that nobody needs any more.
    fn release_spills(&mut self) {
        let mut left = self.spills;
        while left != 0 {
            let n = left.trailing_zeros();
            left &= left - 1;
            let v = self.spilled[n as usize];
            if self.locs[v.0 as usize] != Loc::Spill(n as u8) || self.plan.last_use[v.0 as usize] <= self.now {
                self.spills &= !(1 << n);
            }
        }
    }

    /// Value `root` is in spill slot `n` from now on.
    pub(super) fn now_spilled(&mut self, root: Val, n: u8) {
        self.spilled[n as usize] = root;
        self.locs[root.0 as usize] = Loc::Spill(n);
    }

    fn drop_loc(&mut self, root: Val) {
        if let Loc::Spill(n) = self.locs[root.0 as usize] {
            self.spills &= !(1 << n);
        }
        self.locs[root.0 as usize] = Loc::None;
    }

    /// Forgets operands that the current operation used last.
    pub(super) fn release(&mut self) {
        self.gpr.locked = 0;
        self.xmm.locked = 0;
        if self.spills != 0 {
            self.release_spills();
        }
        for r in TEMPS {
            let v = self.gpr.holds[r.0 as usize];
            if !v.is_none() && self.plan.last_use[v.0 as usize] <= self.now {
                self.gpr.holds[r.0 as usize] = Val::NONE;
                self.locs[v.0 as usize] = Loc::None;
            }
        }
        for x in XTEMPS {
            let v = self.xmm.holds[x.0 as usize];
            if !v.is_none() && self.plan.last_use[v.0 as usize] <= self.now {
                self.xmm.holds[x.0 as usize] = Val::NONE;
                self.locs[v.0 as usize] = Loc::None;
            }
        }
    }

    // ---- general registers ----

    /// A free value register, spilling another value if none is.
    pub(super) fn temp(&mut self) -> Reg {
        let free =
            TEMPS.into_iter().find(|r| self.gpr.locked & 1 << r.0 == 0 && self.gpr.holds[r.0 as usize].is_none());
        let r = free.unwrap_or_else(|| {
            let victim = TEMPS
                .into_iter()
                .filter(|r| self.gpr.locked & 1 << r.0 == 0)
                .max_by_key(|r| self.cost_to_keep(self.gpr.holds[r.0 as usize]))
                .expect("an operation uses at most three value registers");
            self.evict(victim);
            victim
        });
        self.gpr.locked |= 1 << r.0;
        r
    }

    /// Which of the values in registers is to go: one that stands elsewhere too, and then the one that is needed longest.
    fn cost_to_keep(&self, v: Val) -> (bool, u32) {
        let is_constant = matches!(self.r.op(v), Op::Const(_) | Op::ConstV(_));
        (is_constant || self.copy_of(v).is_some(), self.plan.last_use[v.0 as usize])
    }

    /// A particular value register, emptied.
    pub(super) fn temp_at(&mut self, r: Reg) -> Reg {
        self.evict(r);
        self.gpr.locked |= 1 << r.0;
        r
    }

    /// Moves the value in a value register to memory.
    fn evict(&mut self, r: Reg) {
        let v = std::mem::replace(&mut self.gpr.holds[r.0 as usize], Val::NONE);
        if v.is_none() || !self.live_now(v) {
            return;
        }
        if matches!(self.r.op(v), Op::Const(_)) {
            self.locs[v.0 as usize] = Loc::None;
            return;
        }
        if let Some(slot) = self.copy_of(v) {
            self.locs[v.0 as usize] = Loc::Slot(slot);
            return;
        }
        let n = self.take_spill();
        self.a.mov_mr(Size::Q, Self::spill_mem(n), r);
        self.now_spilled(v, n);
    }

    /// Makes a home ready to be overwritten: a value in it that is still needed moves out. Operands used last by the current operation may stay.
    pub(super) fn free_home(&mut self, r: Reg) {
        let v = std::mem::replace(&mut self.gpr.holds[r.0 as usize], Val::NONE);
        if v.is_none() || self.plan.last_use[v.0 as usize] <= self.now {
            return;
        }
        if matches!(self.r.op(v), Op::Const(_)) {
            self.locs[v.0 as usize] = Loc::None;
            return;
        }
        let t = self.temp();
        self.a.mov(Size::Q, t, r);
        self.gpr.holds[t.0 as usize] = v;
        self.locs[v.0 as usize] = Loc::Reg(t);
    }

    /// The value in a register (locked until the operation ends).
    pub(super) fn reg(&mut self, v: Val) -> Reg {
        let root = self.root(v);
        let r = match self.locs[root.0 as usize] {
            Loc::Reg(r) => r,
            Loc::Cc(cc) => {
                let t = self.temp();
                self.set_bool(cc, t);
                self.hold(root, t);
                t
            }
            Loc::Xmm(_) => panic!("{root:?} is a vector, not an integer"),
            _ => {
                let t = self.temp();
                self.load_into(root, t);
                self.drop_loc(root);
                self.hold(root, t);
                t
            }
        };
        self.gpr.locked |= 1 << r.0;
        r
    }

    /// Puts the value into a given register that is not its own (scratch, or one emptied for it). Leaves the host's flags alone.
    /// What is narrower than the value that it renames comes without that value's upper bits: a home's must be zero.
    pub(super) fn copy_to(&mut self, v: Val, to: Reg) {
        let root = self.root(v);
        match self.locs[root.0 as usize] {
            Loc::Reg(r) if r == to => {}
            Loc::Reg(r) => self.a.mov(wide(self.r.ty(v)), to, r),
            Loc::Cc(HostCc::One(cc)) => self.set_bool(HostCc::One(cc), to),
            Loc::Cc(_) => {
                // This one passes through scratch itself.
                let r = self.reg(v);
                self.a.mov(Size::D, to, r);
            }
            _ => {
                let (own, whole) = (self.r.ty(v), self.r.ty(root));
                self.load_as(root, if own.bytes() < whole.bytes() { own } else { whole }, to);
            }
        }
    }

    /// A register in which a constant stands.
    pub(super) fn register_with(&self, constant: u64) -> Option<Reg> {
        let homes = self.map.homes.gpr.iter().flatten().copied();
        homes.chain(TEMPS).find(|r| {
            let v = self.gpr.holds[r.0 as usize];
            !v.is_none() && self.const_of(v) == Some(constant) && self.loc(v) == Loc::Reg(*r)
        })
    }

    fn load_into(&mut self, root: Val, to: Reg) {
        self.load_as(root, self.r.ty(root), to);
    }

    /// Loads as much of a value that is in memory as a type has.
    fn load_as(&mut self, root: Val, ty: Ty, to: Reg) {
        if let Op::Const(c) = *self.r.op(root) {
            self.a.mov_ri(to, c);
            return;
        }
        let m = self.mem_of(root).unwrap_or_else(|| panic!("{root:?} {:?} is nowhere", self.r.op(root)));
        match ty {
            Ty::I1 | Ty::I8 => self.a.movzx(Size::B, to, m),
            Ty::I16 => self.a.movzx(Size::W, to, m),
            Ty::I64 | Ty::F64 => self.a.mov(Size::Q, to, m),
            _ => self.a.mov(Size::D, to, m),
        }
    }

    fn hold(&mut self, root: Val, r: Reg) {
        self.gpr.holds[r.0 as usize] = root;
        self.locs[root.0 as usize] = Loc::Reg(r);
    }

    /// Memory that holds all of the value, as an operand of its size. (A narrow value in memory may have other bits above it.)
    pub(super) fn whole_mem_of(&self, v: Val) -> Option<Mem> {
        let bytes = self.r.ty(v).bytes();
        self.mem_of(v).filter(|_| bytes <= self.r.ty(self.root(v)).bytes() && bytes >= 4)
    }

    /// The value as a register or as memory, whichever it is in.
    pub(super) fn rm(&mut self, v: Val) -> Rm {
        self.whole_mem_of(v).map_or_else(|| Rm::Reg(self.reg(v)), Rm::Mem)
    }

    /// The register that the result of the current operation goes to: the home it is meant for, an operand's that ends here, or a free one.
    pub(super) fn def(&mut self, v: Val, reuse: Option<Val>) -> Reg {
        let root = self.root(v);
        if let Some(r) = self.home_of(v) {
            self.free_home(r);
            self.gpr.locked |= 1 << r.0;
            self.hold(root, r);
            return r;
        }
        if let Some(op) = reuse {
            let op = self.root(op);
            if let Loc::Reg(r) = self.locs[op.0 as usize]
                && TEMPS.contains(&r)
                && self.plan.last_use[op.0 as usize] <= self.now
            {
                self.locs[op.0 as usize] = Loc::None;
                self.hold(root, r);
                return r;
            }
        }
        let r = self.temp();
        self.hold(root, r);
        r
    }

    /// The general register that is the home which the value is meant for.
    pub(super) fn home_of(&self, v: Val) -> Option<Reg> {
        match self.plan.home[self.root(v).0 as usize] {
            NO_HOME => None,
            home => self.map.homes.gpr[home as usize],
        }
    }

    fn set_bool(&mut self, cc: HostCc, to: Reg) {
        // Through scratch: `to` may not be cleared before the flags are read, and movzx leaves them alone.
        match cc {
            HostCc::One(cc) => {
                self.a.setcc(cc, SCRATCH);
                self.a.movzx(Size::B, to, SCRATCH);
            }
            HostCc::FpEq | HostCc::FpNe => {
                // Equal and not unordered, by moves that leave the flags alone; `to` may be scratch.
                let eq = cc == HostCc::FpEq;
                self.a.mov_ri(to, u64::from(eq));
                let other = self.pool(u128::from(!eq));
                self.a.cmov(asm::Cc::Ne, Size::D, to, other);
                self.a.cmov(asm::Cc::P, Size::D, to, other);
            }
        }
    }

    // ---- vector registers ----

    pub(super) fn xtemp(&mut self) -> Xmm {
        let is_free = |x: &Xmm| self.xmm.locked & 1 << x.0 == 0 && self.xmm.holds[x.0 as usize].is_none();
        let apart = |x: &Xmm| self.sha256.is_none_or(|s| s.efba != *x && s.hgdc != *x);
        let free = XTEMPS.into_iter().find(|x| is_free(x) && apart(x)).or_else(|| XTEMPS.into_iter().find(is_free));
        if let Some(x) = free
            && !apart(&x)
        {
            self.sha256 = None;
        }
        let x = free.unwrap_or_else(|| {
            let victim = XTEMPS
                .into_iter()
                .filter(|x| self.xmm.locked & 1 << x.0 == 0)
                .max_by_key(|x| self.cost_to_keep(self.xmm.holds[x.0 as usize]))
                .expect("an operation uses at most three vector registers");
            self.xevict(victim);
            victim
        });
        self.xmm.locked |= 1 << x.0;
        x
    }

    pub(super) fn xevict(&mut self, x: Xmm) {
        let v = std::mem::replace(&mut self.xmm.holds[x.0 as usize], Val::NONE);
        if v.is_none() || !self.live_now(v) {
            return;
        }
        if matches!(self.r.op(v), Op::Const(_) | Op::ConstV(_)) {
            self.locs[v.0 as usize] = Loc::None;
            return;
        }
        if let Some(slot) = self.copy_of(v) {
            self.locs[v.0 as usize] = Loc::Slot(slot);
            return;
        }
        if let Some(home) = self.low.iter().position(|low| *low == v) {
            self.xhold(v, Xmm(home as u8));
            self.shared |= 1 << home;
            return;
        }
        let n = self.take_spill();
        self.a.vst(vop::VMOVDQU_ST, asm::L128, Self::spill_mem(n), x);
        self.now_spilled(v, n);
    }

    pub(super) fn free_xhome(&mut self, x: Xmm) {
        self.low[x.0 as usize] = Val::NONE;
        let v = std::mem::replace(&mut self.xmm.holds[x.0 as usize], Val::NONE);
        if v.is_none() || self.plan.last_use[v.0 as usize] <= self.now {
            return;
        }
        let t = self.xtemp();
        self.a.v2(vop::VMOVAPS, asm::L128, t, x);
        let shared = self.shared >> x.0 & 1;
        self.xhold(v, t);
        self.shared |= shared << t.0;
    }

    pub(super) fn xhold(&mut self, root: Val, x: Xmm) {
        self.xmm.holds[x.0 as usize] = root;
        self.shared &= !(1 << x.0);
        self.low[x.0 as usize] = Val::NONE;
        self.locs[root.0 as usize] = Loc::Xmm(x);
    }

    /// The value in a vector register.
    pub(super) fn x(&mut self, v: Val) -> Xmm {
        let root = self.root(v);
        let x = match self.locs[root.0 as usize] {
            Loc::Xmm(x) => x,
            _ => {
                let t = self.xtemp();
                self.xload_into(root, t);
                self.drop_loc(root);
                self.xhold(root, t);
                t
            }
        };
        self.xmm.locked |= 1 << x.0;
        x
    }

    fn xload_into(&mut self, root: Val, to: Xmm) {
        match *self.r.op(root) {
            Op::ConstV(i) => {
                let bits = self.r.vectors[i as usize];
                self.xconst(to, bits);
            }
            Op::Const(c) => self.xconst(to, u128::from(c)),
            _ => {
                let m = self.mem_of(root).unwrap_or_else(|| panic!("{root:?} {:?} is nowhere", self.r.op(root)));
                // As much as was stored of it, so that the host forwards it.
                let load = match self.r.ty(root) {
                    Ty::F64 => vop::VMOVQ,
                    Ty::F32 => vop::VMOVSS,
                    _ => vop::VMOVDQU,
                };
                self.a.v2(load, asm::L128, to, m);
            }
        }
    }

    /// A vector constant into a register.
    pub(super) fn xconst(&mut self, to: Xmm, bits: u128) {
        if bits == 0 {
            self.a.v3(vop::VPXOR, asm::L128, to, to, to);
        } else if bits == u128::MAX && to.0 < 16 {
            self.a.v3(vop::VPCMPEQB, asm::L128, to, to, to);
        } else if bits == u128::MAX {
            self.a.v3i(vop::VPTERNLOGD, asm::L128, to, to, to, 0xff);
        } else {
            let m = self.pool(bits);
            self.a.v2(vop::VMOVDQU, asm::L128, to, m);
        }
    }

    /// A constant in memory behind the code.
    pub(super) fn pool(&mut self, bits: u128) -> Mem {
        let label = match self.constants.iter().find(|(b, _)| *b == bits) {
            Some((_, l)) => *l,
            None => {
                let l = self.a.label();
                self.constants.push((bits, l));
                l
            }
        };
        Mem::label(label)
    }

    /// The value as a vector register, or memory of at least 16 bytes that holds it.
    pub(super) fn xm(&mut self, v: Val) -> Xm {
        let root = self.root(v);
        match *self.r.op(root) {
            Op::ConstV(i) if self.locs[root.0 as usize] == Loc::None => {
                let bits = self.r.vectors[i as usize];
                return Xm::Mem(self.pool(bits));
            }
            Op::Const(c) if self.locs[root.0 as usize] == Loc::None => return Xm::Mem(self.pool(u128::from(c))),
            _ => {}
        }
        match self.mem_of(v) {
            Some(m) => Xm::Mem(m),
            None => Xm::Reg(self.x(v)),
        }
    }

    /// The register the result goes to.
    pub(super) fn xdef(&mut self, v: Val, reuse: Option<Val>) -> Xmm {
        let root = self.root(v);
        let home = self.plan.home[root.0 as usize];
        if home != NO_HOME
            && let Some(x) = self.map.homes.xmm[home as usize]
        {
            self.free_xhome(x);
            self.xmm.locked |= 1 << x.0;
            self.xhold(root, x);
            return x;
        }
        if let Some(op) = reuse {
            let op = self.root(op);
            if let Loc::Xmm(x) = self.locs[op.0 as usize]
                && XTEMPS.contains(&x)
                && self.plan.last_use[op.0 as usize] <= self.now
            {
                self.locs[op.0 as usize] = Loc::None;
                self.xhold(root, x);
                return x;
            }
        }
        let x = self.xtemp();
        self.xhold(root, x);
        x
    }
}
