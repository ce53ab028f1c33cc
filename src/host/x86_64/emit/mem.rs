//! Memory: loads, stores, atomics, fences. Every access to guest memory has its fault record.

use super::super::alloc::size;
use super::super::asm::{Alu, Cc as X, K, L128, L256, Mem, Reg, Shift, Size, vop};
use super::super::plan::NO_HOME;
use super::super::{SCRATCH, XSCRATCH, field};
use super::Emitter;
use super::cold::Cold;
use crate::Exit;
use crate::cpu::at;
use ir::{Align, Ext, Fence, Op, Order, Rmw, Trap, Ty, V2, Val};

/// Which lanes of an access are made.
const LANES: K = K(2);

impl Emitter<'_> {
    /// The host's operand for a guest address.
    fn address(&mut self, m: &ir::Mem) -> Mem {
        let mem = self.plain_address(m);
        self.told = m.on_fault.map(|told| (self.now, told, mem));
        if !self.mask_tags || self.r.ty(m.base) != Ty::I64 {
            return mem;
        }
        self.clobber();
        let t = self.temp();
        self.a.lea(Size::Q, t, mem);
        self.mask_tag(t);
        // The operands have been read: only the address is needed now.
        self.gpr.locked = 1 << t.0;
        Mem::base(t, 0)
    }

    pub(super) fn mask_tag(&mut self, r: Reg) {
        self.a.shift_i(Shift::Shl, Size::Q, r, 8);
        self.a.shift_i(Shift::Sar, Size::Q, r, 8);
    }

    fn plain_address(&mut self, m: &ir::Mem) -> Mem {
        let addr32 = self.r.ty(m.base) == Ty::I32;
        let wrap = |mem: Mem| if addr32 { mem.addr32() } else { mem };
        if let Some(c) = self.const_of(m.base) {
            // A constant address within reach of a displacement.
            let sum = c.wrapping_add(m.disp as i64 as u64);
            let fits = if addr32 { true } else { i32::try_from(sum as i64).is_ok() };
            if fits && (m.index.is_none() || !addr32 || sum < 0x8000_0000) {
                if m.index.is_none() {
                    return wrap(Mem::abs32(sum as u32 as i32));
                }
                let index = self.reg(m.index);
                return wrap(Mem::index(index, m.scale, sum as u32 as i32));
            }
        }
        let base = self.reg(m.base);
        if m.index.is_none() {
            return wrap(Mem::base(base, m.disp));
        }
        let index = self.reg(m.index);
        wrap(Mem::sib(base, index, m.scale, m.disp))
    }

    /// Traps if an access of `size` bytes may not be at the address. May take scratch.
    fn check_aligned(&mut self, m: Mem, align: Align, size: u8) {
        let bytes = match align.for_size(size.into()) {
            // The host asks by itself.
            Align::Any | Align::Vector => return,
            Align::To(bytes) => bytes,
            // What is aligned to its size crosses nothing: the rule itself is for the slow path.
            Align::Within16 => size,
        };
        self.clobber();
        let low = match m.base {
            // Other bits than those of the base do not count.
            Some(base) if m.index.is_none() && m.disp & (i32::from(bytes) - 1) == 0 => base,
            _ => {
                self.a.lea(Size::Q, SCRATCH, m);
                SCRATCH
            }
        };
        self.a.test_i(Size::B, low, i32::from(bytes) - 1);
        let label = self.a.label();
        self.a.jcc(X::Ne, label);
        let exit = Exit::Trap { trap: Trap::Align, pc: self.pc, extra: self.extra };
        let unless = (align.for_size(size.into()) == Align::Within16).then(|| (size, self.a.label_here()));
        let flags = self.rule_now();
        self.cold.push(Cold::Misaligned { label, mem: m, unless, exit, flags });
    }

    pub(super) fn operand(&mut self, m: &ir::Mem) -> Mem {
        let mem = self.address(m);
        self.check_aligned(mem, m.align, m.size);
        mem
    }

    /// Where it cannot be done is told by the end of the block.
    pub(super) fn load_ahead(&mut self, v: Val, m: &ir::Mem) {
        if let Some((to, last)) = self.is_moved_with_next(v, m) {
            let from = self.address(m);
            self.ahead.push(self.a.here());
            self.a.v2(vop::VMOVDQU, L256, XSCRATCH, from);
            let to = self.address(&to);
            self.ahead.push(self.a.here());
            self.a.vst(vop::VMOVDQU_ST, L256, to, XSCRATCH);
            self.next = last + 1;
            return;
        }
        let mem = self.address(m);
        if self.goes_into_next(v) {
            self.folded = Some((v, mem));
            return;
        }
        let x = self.xdef(v, None);
        self.ahead.push(self.a.here());
        self.a.v2(vop::VMOVDQU, L128, x, mem);
    }

    /// Whether the vector that is loaded here and the one behind it, which the next operation loads, go to memory as they are and nowhere else: where to,
    /// and the last of these operations.
    fn is_moved_with_next(&self, v: Val, m: &ir::Mem) -> Option<(ir::Mem, u32)> {
        let op = |n: u32| self.r.insts.get((v.0 + n) as usize).map(|i| i.op);
        let (Some(Op::LoadAhead(next)), Some(Op::StoreAhead(to, x, y))) = (op(1), op(2)) else { return None };
        let alone = [v, Val(v.0 + 1)].into_iter().all(|v| self.plan.uses[v.0 as usize] == 1);
        let follow = next == m.disp(m.disp + 16) && (x, y) == (v, Val(v.0 + 1));
        (alone && follow).then_some((to, v.0 + 2))
    }

    /// The same of a store.
    pub(super) fn store_ahead(&mut self, m: &ir::Mem, v: Val, second: Val) {
        let mem = self.address(m);
        let x = self.x(v);
        if second.is_none() {
            self.ahead.push(self.a.here());
            self.a.vst(vop::VMOVDQU_ST, L128, mem, x);
            return;
        }
        let y = self.x(second);
        self.a.v3i(vop::VINSERTI128, L256, XSCRATCH, x, y, 1);
        self.ahead.push(self.a.here());
        self.a.vst(vop::VMOVDQU_ST, L256, mem, XSCRATCH);
    }

    /// The host's own, by a mask in a vector register or, where registers 16 and up have homes, in one of AVX-512's.
    pub(super) fn load_lanes(&mut self, v: Val, m: &ir::Mem, mask: Val) {
        let mem = self.address(m);
        let mask = self.x(mask);
        let d = self.xdef(v, None);
        let wide = usize::from(m.size == 8);
        if self.features.avx512 {
            self.a.v2([vop::VPMOVD2M, vop::VPMOVQ2M][wide], L128, LANES, mask);
            self.fault_here();
            return self.a.v2([vop::VMOVUPS, vop::VMOVUPD][wide], L128.k(LANES).z(), d, mem);
        }
        self.fault_here();
        self.a.v3([vop::VMASKMOVPS, vop::VMASKMOVPD][wide], L128, d, mask, mem);
    }

    pub(super) fn store_lanes(&mut self, m: &ir::Mem, v: Val, mask: Val) {
        let mem = self.address(m);
        let (x, mask) = (self.x(v), self.x(mask));
        let wide = usize::from(m.size == 8);
        if self.features.avx512 {
            self.a.v2([vop::VPMOVD2M, vop::VPMOVQ2M][wide], L128, LANES, mask);
            self.fault_here();
            return self.a.vst([vop::VMOVUPS_ST, vop::VMOVUPD_ST][wide], L128.k(LANES), mem, x);
        }
        self.fault_here();
        self.a.vst3([vop::VMASKMOVPS_ST, vop::VMASKMOVPD_ST][wide], L128, mem, mask, x);
    }

    /// Whether a vector that is loaded is an operand of the next operation and of no other, which can have it in memory ([`Self::vop2`]).
    fn goes_into_next(&self, v: Val) -> bool {
        let next = Val(v.0 + 1);
        let Some(Op::V2(op, lane, a, b)) = self.r.insts.get(next.0 as usize).map(|i| i.op) else { return false };
        let small = lane != ir::Lane::D;
        let commutes = matches!(op, V2::And | V2::Or | V2::Xor | V2::CmpEq) || op == V2::MinU && small;
        let alone = self.plan.uses[v.0 as usize] == 1 && self.plan.home[v.0 as usize] == NO_HOME;
        commutes && alone && (a == v) != (b == v) && self.plan.round_of(next).is_none()
    }

    pub(super) fn load(&mut self, v: Val, m: &ir::Mem) {
        let mem = self.operand(m);
        let ty = self.r.ty(v);
        if ty == Ty::V128 || ty.is_float() {
            return self.load_vector(v, m, mem);
        }
        let unused = self.plan.uses[v.0 as usize] == 0;
        let d = if unused { SCRATCH } else { self.def(v, None) };
        self.fault_here();
        match (m.size, m.big) {
            (1, _) if m.ext == Ext::Sign => self.a.movsx(size(ty), Size::B, d, mem),
            (1, _) => self.a.movzx(Size::B, d, mem),
            (2, false) if m.ext == Ext::Sign => self.a.movsx(size(ty), Size::W, d, mem),
            (2, false) => self.a.movzx(Size::W, d, mem),
            (4, false) if m.ext == Ext::Sign && ty == Ty::I64 => self.a.movsx(Size::Q, Size::D, d, mem),
            (4, false) => self.a.mov(Size::D, d, mem),
            (8, false) => self.a.mov(Size::Q, d, mem),
            (2, true) => {
                self.a.movbe(Size::W, d, mem);
                if m.ext == Ext::Sign {
                    self.a.movsx(size(ty), Size::W, d, d);
                } else {
                    self.a.movzx(Size::W, d, d);
                }
            }
            (4, true) => {
                self.a.movbe(Size::D, d, mem);
                if m.ext == Ext::Sign && ty == Ty::I64 {
                    self.a.movsx(Size::Q, Size::D, d, d);
                }
            }
            _ => self.a.movbe(Size::Q, d, mem),
        }
    }

    fn load_vector(&mut self, v: Val, m: &ir::Mem, mem: Mem) {
        if m.big && m.size < 16 {
            // Through scratch, as an integer.
            self.fault_here();
            self.a.movbe(
                if m.size == 8 {
                    Size::Q
                } else if m.size == 4 {
                    Size::D
                } else {
                    Size::W
                },
                SCRATCH,
                mem,
            );
            if m.size == 2 {
                self.a.movzx(Size::W, SCRATCH, SCRATCH);
            }
            let x = self.xdef(v, None);
            self.a.v2(vop::VMOVQ_G, L128, x, SCRATCH);
            return;
        }
        let x = self.xdef(v, None);
        self.fault_here();
        match m.size {
            16 if m.align == ir::Align::Vector => self.a.v2(vop::VMOVDQA, L128, x, mem),
            16 => self.a.v2(vop::VMOVDQU, L128, x, mem),
            8 => self.a.v2(vop::VMOVSD, L128, x, mem),
            4 => self.a.v2(vop::VMOVSS, L128, x, mem),
            n => {
                if n == 2 {
                    self.a.movzx(Size::W, SCRATCH, mem);
                } else {
                    self.a.movzx(Size::B, SCRATCH, mem);
                }
                self.a.v2(vop::VMOVD, L128, x, SCRATCH);
            }
        }
        if m.big {
            let swap = self.pool(0x0001_0203_0405_0607_0809_0a0b_0c0d_0e0f);
            self.a.v3(vop::VPSHUFB, L128, x, x, swap);
        }
    }

    pub(super) fn store(&mut self, m: &ir::Mem, v: Val) {
        let mem = self.operand(m);
        let ty = self.r.ty(v);
        let ordered = matches!(m.order, Order::Release | Order::AcqRel);
        if ty == Ty::V128 || ty.is_float() {
            self.store_vector(m, mem, v);
            if ordered {
                self.full_fence();
            }
            return;
        }
        let bytes = [Size::B, Size::W, Size::D, Size::Q][m.size.trailing_zeros() as usize];
        if ordered {
            self.clobber();
            let r = self.in_scratch(v);
            if m.big && m.size > 1 {
                self.clobber_for_swap(r, bytes);
            }
            let (alone, done) = (self.a.label(), self.a.label());
            self.unless_concurrent(alone);
            self.fault_here();
            self.a.xchg(bytes, mem, r);
            self.a.jmp(done);
            self.a.bind(alone);
            self.fault_here();
            self.a.mov_mr(bytes, mem, r);
            self.a.bind(done);
            return;
        }
        if let (Some(imm), false) = (self.imm32(v), m.big) {
            self.fault_here();
            self.a.mov_mi(bytes, mem, imm);
            return;
        }
        let r = self.reg(v);
        self.fault_here();
        if m.big && m.size > 1 {
            self.a.movbe_mr(bytes, mem, r);
        } else {
            self.a.mov_mr(bytes, mem, r);
        }
    }

    fn clobber_for_swap(&mut self, r: Reg, bytes: Size) {
        match bytes {
            Size::W => {
                self.a.bswap(Size::D, r);
                // The two bytes are at the top now; rorx leaves the flags alone.
                self.a.rorx(Size::D, r, r, 16);
            }
            s => self.a.bswap(s, r),
        }
    }

    fn store_vector(&mut self, m: &ir::Mem, mem: Mem, v: Val) {
        let x = self.x(v);
        if m.big {
            let x2 = if m.size == 16 { Some(XSCRATCH) } else { None };
            if let Some(t) = x2 {
                let swap = self.pool(0x0001_0203_0405_0607_0809_0a0b_0c0d_0e0f);
                self.a.v3(vop::VPSHUFB, L128, t, x, swap);
                self.fault_here();
                self.a.vst(vop::VMOVDQU_ST, L128, mem, t);
            } else {
                self.a.vst(vop::VMOVQ_GST, L128, SCRATCH, x);
                self.fault_here();
                self.a.movbe_mr([Size::B, Size::W, Size::D, Size::Q][m.size.trailing_zeros() as usize], mem, SCRATCH);
            }
            return;
        }
        self.fault_here();
        match m.size {
            16 if m.align == ir::Align::Vector => self.a.vst(vop::VMOVDQA_ST, L128, mem, x),
            16 => self.a.vst(vop::VMOVDQU_ST, L128, mem, x),
            8 => self.a.vst(vop::VMOVSD_ST, L128, mem, x),
            4 => self.a.vst(vop::VMOVSS_ST, L128, mem, x),
            2 => self.a.vsti(vop::VPEXTRW_ST, L128, mem, x, 0),
            _ => self.a.vsti(vop::VPEXTRB_ST, L128, mem, x, 0),
        }
    }

    pub(super) fn fence(&mut self, kind: Fence) {
        // x86 keeps loads in order, and stores; only a load may pass an earlier store.
        if kind == Fence::Full && !self.fenced {
            self.full_fence();
        }
    }

    fn full_fence(&mut self) {
        self.clobber();
        let done = self.a.label();
        self.unless_concurrent(done);
        self.locked_nothing();
        self.a.bind(done);
        self.fenced = true;
    }

    /// A locked instruction, for its order; the host's flags are lost.
    pub(super) fn locked_nothing(&mut self) {
        self.a.lock().alu_i(Alu::Or, Size::D, field(at::SCRATCH), 0);
    }

    pub(super) fn concurrent(&mut self, v: Val) {
        let d = self.def(v, None);
        self.a.mov(Size::D, d, field(at::CONCURRENT));
    }

    /// Goes to the label as long as nobody else sees guest memory. The host's flags are lost.
    pub(super) fn unless_concurrent(&mut self, label: super::Label) {
        self.a.alu_i(Alu::Cmp, Size::D, field(at::CONCURRENT), 0);
        self.a.jcc(X::E, label);
    }

    /// The next instruction, an access that can fault, has a lock prefix where one is needed: a branch goes around the prefix.
    fn lock_here(&mut self) {
        let bare = self.a.label();
        self.unless_concurrent(bare);
        self.fault_here();
        self.a.lock();
        self.a.bind(bare);
        self.fault_here();
    }

    pub(super) fn prefetch(&mut self, addr: Val) {
        let r = self.reg(addr);
        self.a.prefetcht0(Mem::base(r, 0));
    }

    /// The operand of an access by values of type `ty`, checked.
    pub(super) fn atomic_operand(&mut self, addr: Val, align: Align, ty: Ty) -> Mem {
        self.operand(&ir::Mem::at(addr, ty.bytes() as u8).align(align))
    }

    pub(super) fn atomic_rmw(&mut self, v: Val, op: Rmw, align: Align, addr: Val, x: Val) {
        self.clobber();
        let ty = self.r.ty(v);
        let bytes = size(ty);
        let mem = self.atomic_operand(addr, align, ty);
        match op {
            Rmw::Swap | Rmw::Add => {
                let r = self.in_scratch(x);
                if op == Rmw::Swap {
                    self.fault_here();
                    self.a.xchg(bytes, mem, r);
                } else {
                    self.lock_here();
                    self.a.xadd(bytes, mem, r);
                }
            }
            _ => self.rmw_loop(op, mem, x, ty),
        }
        self.fenced = true;
        if self.plan.uses[v.0 as usize] > 0 {
            self.gpr.locked = 0;
            let d = self.def(v, None);
            match ty {
                Ty::I8 => self.a.movzx(Size::B, d, SCRATCH),
                Ty::I16 => self.a.movzx(Size::W, d, SCRATCH),
                _ => self.a.mov(bytes, d, SCRATCH),
            }
        }
    }

    /// Compare-and-exchange until it succeeds; the old value is in scratch.
    fn rmw_loop(&mut self, op: Rmw, mem: Mem, x: Val, ty: Ty) {
        let bytes = size(ty);
        let x = self.reg(x);
        let t = self.temp();
        self.fault_here();
        match bytes {
            Size::B => self.a.movzx(Size::B, SCRATCH, mem),
            Size::W => self.a.movzx(Size::W, SCRATCH, mem),
            s => self.a.mov(s, SCRATCH, mem),
        }
        let again = self.a.label_here();
        self.a.mov(Size::Q, t, SCRATCH);
        match op {
            Rmw::And => self.a.alu(Alu::And, Size::Q, t, x),
            Rmw::Or => self.a.alu(Alu::Or, Size::Q, t, x),
            Rmw::Xor => self.a.alu(Alu::Xor, Size::Q, t, x),
            _ => {
                let keep = match op {
                    Rmw::MinS => X::Le,
                    Rmw::MaxS => X::Ge,
                    Rmw::MinU => X::Be,
                    _ => X::Ae,
                };
                self.a.alu(Alu::Cmp, bytes, t, x);
                self.a.cmov(keep.invert(), Size::Q, t, x);
            }
        }
        self.lock_here();
        self.a.cmpxchg(bytes, mem, t);
        self.a.jcc(X::Ne, again);
    }

    pub(super) fn cmpxchg(&mut self, v: Val, align: Align, addr: Val, expected: Val, new: Val) {
        self.clobber();
        let ty = self.r.ty(v);
        if ty == Ty::V128 {
            return self.cmpxchg16(Some(v), addr, expected, new);
        }
        let mem = self.atomic_operand(addr, align, ty);
        let new = self.reg(new);
        self.in_scratch(expected);
        self.lock_here();
        self.a.cmpxchg(size(ty), mem, new);
        let d = self.def(v, None);
        match ty {
            Ty::I8 => self.a.movzx(Size::B, d, SCRATCH),
            Ty::I16 => self.a.movzx(Size::W, d, SCRATCH),
            _ => self.a.mov(size(ty), d, SCRATCH),
        }
    }

    /// cmpxchg16b wants rdx:rax, rcx:rbx and an address outside them: rbx, a home, is put aside. ZF tells whether it stored.
    fn cmpxchg16(&mut self, v: Option<Val>, addr: Val, expected: Val, new: Val) {
        self.atomic_operand(addr, Align::To(16), Ty::V128);
        let xe = self.x(expected);
        let xn = self.x(new);
        let base = self.reg(addr);
        // The address to r14, all value registers for us; a fault leaves rbx changed, so the access is tried by a load first.
        if base != Reg::R14 {
            self.temp_at(Reg::R14);
            self.a.mov(if self.r.ty(addr) == Ty::I32 { Size::D } else { Size::Q }, Reg::R14, base);
        } else if self.live_after(addr) {
            self.temp_at(Reg::R14);
        }
        self.gpr.locked |= 1 << Reg::R14.0;
        if self.mask_tags && self.r.ty(addr) == Ty::I64 {
            self.mask_tag(Reg::R14);
        }
        self.temp_at(Reg::RCX);
        self.temp_at(Reg::RDX);
        let mem = Mem::base(Reg::R14, 0);
        // Writable, or it faults here with everything in place; the value does not change.
        self.fault_here();
        self.a.lock().alu_i(Alu::Or, Size::B, mem, 0);
        self.a.mov_mr(Size::Q, field(at::SAVE), Reg::RBX);
        self.a.vst(vop::VMOVQ_GST, L128, SCRATCH, xe);
        self.a.vsti(vop::VPEXTRQ_ST, L128, Reg::RDX, xe, 1);
        self.a.vst(vop::VMOVQ_GST, L128, Reg::RBX, xn);
        self.a.vsti(vop::VPEXTRQ_ST, L128, Reg::RCX, xn, 1);
        self.a.lock().cmpxchg16b(mem);
        self.a.mov(Size::Q, Reg::RBX, field(at::SAVE));
        if let Some(v) = v {
            self.a.v2(vop::VMOVQ_G, L128, XSCRATCH, SCRATCH);
            let d = self.xdef(v, None);
            self.a.v3i(vop::VPINSRQ, L128, d, XSCRATCH, Reg::RDX, 1);
        }
    }
}
