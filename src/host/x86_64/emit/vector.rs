//! Vectors: moves between vectors and scalars, and lane-wise operations that are one host instruction. What takes several is in the
//! `vector_*` files.

use super::super::alloc::{HostCc, Loc};
use super::super::asm::vop::VOp;
use super::super::asm::{Cc as X, L128, Mem, Reg, Rm, Size, Xm, Xmm, vop};
use super::super::{SCRATCH, XSCRATCH};
use super::Emitter;
use super::float::KEEP_LANE_0;
use ir::{Lane, Op, Ty, V1, V2, V3, Val};

/// An instruction for lanes of one, two, four and eight bytes.
pub(super) type Lanes = [VOp; 4];

/// The low bits of `bits` in every lane.
pub(super) fn splat(lane: Lane, bits: u64) -> u128 {
    let n = lane.bits();
    (0..128 / n).fold(0, |v, i| v | u128::from(bits & lane.mask()) << (i * n))
}

impl Emitter<'_> {
    /// Emits `v` if it is a vector operation done here.
    pub(super) fn vector_op(&mut self, v: Val) -> bool {
        let ty = self.r.ty(v);
        match *self.r.op(v) {
            Op::Bitcast(a) => self.bitcast(v, a, ty),
            Op::VFromScalar(a) => self.scalar_low(v, a),
            Op::VGet(lane, a, n) => self.get_lane(v, lane, a, n, ty),
            Op::VSigns(lane, a) => self.signs(v, lane, a),
            Op::VSet(lane, a, s, n) => self.set_lane(v, lane, a, s, n),
            Op::VSplat(lane, a) => self.splat_scalar(v, lane, a),
            Op::VSplatLane(lane, a, n) => self.splat_lane(v, lane, a, n),
            Op::VExt(a, b, from) => self.extract_bytes(v, a, b, from),
            Op::Select(c, a, b) if !ty.is_int() => self.select_vector(v, c, a, b),
            Op::V1(op, lane, a) => return self.v1(v, op, lane, a),
            Op::V2(op, lane, a, b) => match self.plan.round_of(v) {
                Some(round) => self.keyed_round(v, round),
                None => return self.v2(v, op, lane, a, b),
            },
            Op::V3(V3::BitSelect, _, a, b, c) => self.bit_select(v, a, b, c),
            Op::V3(op, lane, a, b, c) => return self.v3(v, op, lane, a, b, c),
            Op::VShift(op, lane, a, n) => return self.vshift(v, op, lane, a, u32::from(n)),
            Op::Crypto(op, a, b) => return self.crypto(v, op, a, b),
            Op::Crc32 { acc, v: x, bytes, c: false } => self.crc32(v, acc, x, bytes),
            _ => return false,
        }
        true
    }

    // ---- the usual forms ----

    /// One instruction on two operands.
    pub(super) fn vop2(&mut self, v: Val, op: VOp, a: Val, b: Val) {
        if let Some((loaded, mem)) = self.folded.take() {
            let other = if a == loaded { b } else { a };
            let x = self.x(other);
            let d = self.xdef(v, Some(other));
            self.ahead.push(self.a.here());
            return self.a.v3(op, L128, d, x, mem);
        }
        let ra = self.x(a);
        let mb = self.xm(b);
        let d = self.xdef(v, Some(a));
        self.a.v3(op, L128, d, ra, mb);
    }

    /// The same with a constant as the second.
    pub(super) fn vop2_const(&mut self, v: Val, op: VOp, a: Val, bits: u128) {
        let ra = self.x(a);
        let d = self.xdef(v, Some(a));
        let m = self.pool(bits);
        self.a.v3(op, L128, d, ra, m);
    }

    /// One instruction on one operand.
    pub(super) fn vop1(&mut self, v: Val, op: VOp, a: Val) {
        let ma = self.xm(a);
        let d = self.xdef(v, Some(a));
        self.a.v2(op, L128, d, ma);
    }

    /// Operands and a work register beside scratch; the result's register is to be written last, unless it is the work register.
    pub(super) fn vregs(&mut self, v: Val, a: Val, b: Val) -> (Xmm, Xm, Xmm, Xmm) {
        let ra = self.x(a);
        let mb = self.xm(b);
        let d = self.xdest(v);
        let w = self.xwork(d, &[Xm::Reg(ra), mb]);
        (ra, mb, d, w)
    }

    /// The same with two work registers.
    pub(super) fn vregs2(&mut self, v: Val, a: Val, b: Val) -> (Xmm, Xm, Xmm, Xmm, Xmm) {
        let ra = self.x(a);
        self.xlimit(&[a, b], 1);
        let mb = self.xm(b);
        let d = self.xdest(v);
        let w = self.xwork(d, &[Xm::Reg(ra), mb]);
        let u = self.xtemp();
        (ra, mb, d, w, u)
    }

    // ---- moves ----

    fn bitcast(&mut self, v: Val, a: Val, ty: Ty) {
        let from = self.r.ty(a);
        if from.is_int() {
            return self.scalar_to_vector(v, a);
        }
        if ty.is_float() {
            // Between formats of one size: nothing to do but a copy.
            let ra = self.x(a);
            let d = self.xdef(v, Some(a));
            if d != ra {
                self.a.vmov(L128, d, ra);
            }
            return;
        }
        if let Some(m) = self.mem_of(a) {
            let d = self.def(v, None);
            match ty {
                Ty::I16 => self.a.movzx(Size::W, d, m),
                Ty::I64 => self.a.mov(Size::Q, d, m),
                _ => self.a.mov(Size::D, d, m),
            }
            return;
        }
        let x = self.x(a);
        let d = self.def(v, None);
        self.a.vst(if ty == Ty::I64 { vop::VMOVQ_GST } else { vop::VMOVD_ST }, L128, d, x);
    }

    fn signs(&mut self, v: Val, lane: Lane, a: Val) {
        let op = match lane {
            Lane::S => vop::VMOVMSKPS,
            Lane::D => vop::VMOVMSKPD,
            _ => vop::VPMOVMSKB,
        };
        let x = self.x(a);
        let d = self.def(v, None);
        self.a.v2(op, L128, d, x);
    }

    /// An integer scalar into lane 0, zero above.
    fn scalar_to_vector(&mut self, v: Val, a: Val) {
        let ty = self.r.ty(a);
        if let Some(c) = self.const_of(a) {
            let d = self.xdef(v, None);
            return self.xconst(d, u128::from(c));
        }
        let x = self.scalar_operand(a);
        let d = self.xdef(v, None);
        match (ty, x) {
            (Ty::I64, Rm::Reg(r)) => self.a.v2(vop::VMOVQ_G, L128, d, r),
            (Ty::I64, Rm::Mem(m)) => self.a.v2(vop::VMOVQ, L128, d, m),
            (_, Rm::Reg(r)) => self.a.v2(vop::VMOVD, L128, d, r),
            (_, Rm::Mem(m)) => self.a.v2(vop::VMOVSS, L128, d, m),
        }
    }

    /// An integer scalar, zero-extended to at least 32 bits.
    fn scalar_operand(&mut self, a: Val) -> Rm {
        let ty = self.r.ty(a);
        let narrow = match ty {
            Ty::I1 | Ty::I8 => Size::B,
            Ty::I16 => Size::W,
            _ => return self.rm(a),
        };
        if ty == Ty::I1 {
            return Rm::Reg(self.reg(a));
        }
        let r = self.reg(a);
        self.a.movzx(narrow, SCRATCH, r);
        Rm::Reg(SCRATCH)
    }

    fn scalar_low(&mut self, v: Val, a: Val) {
        let ty = self.r.ty(a);
        if !ty.is_float() {
            return self.scalar_to_vector(v, a);
        }
        if let Some(c) = self.const_of(a) {
            let d = self.xdef(v, None);
            return self.xconst(d, u128::from(c));
        }
        match (ty, self.xm(a)) {
            (_, Xm::Reg(x)) if self.is_zero_above(a) => {
                let d = self.xdef(v, Some(a));
                if d != x {
                    self.a.vmov(L128, d, x);
                }
            }
            (Ty::F64, m) => {
                let d = self.xdef(v, Some(a));
                self.a.v2(vop::VMOVQ, L128, d, m);
            }
            (Ty::F32, Xm::Mem(m)) => {
                let d = self.xdef(v, None);
                self.a.v2(vop::VMOVSS, L128, d, m);
            }
            (Ty::F32, Xm::Reg(x)) => {
                let d = self.xdef(v, Some(a));
                self.a.v3i(vop::VINSERTPS, L128, d, x, x, KEEP_LANE_0);
            }
            _ => {
                let x = self.x(a);
                let d = self.xdef(v, Some(a));
                let low = self.pool(0xffff);
                self.a.v3(vop::VPAND, L128, d, x, low);
            }
        }
    }

    fn get_lane(&mut self, v: Val, lane: Lane, a: Val, n: u8, ty: Ty) {
        let offset = i32::from(n) * lane.bytes() as i32;
        let place = self.xm(a);
        if ty.is_float() {
            let d = self.xdef(v, Some(a));
            match (lane, place) {
                // Shuffles of floats: an integer's takes a cycle more on the way to arithmetic.
                (Lane::S, Xm::Reg(_)) => self.a.v2i(vop::VPERMILPS_I, L128, d, place, n),
                (Lane::D, Xm::Reg(_)) => self.a.v2i(vop::VPERMILPS_I, L128, d, place, if n == 0 { 0x44 } else { 0xee }),
                (Lane::S, Xm::Mem(m)) => self.a.v2(vop::VMOVSS, L128, d, shifted(m, offset)),
                (Lane::D, Xm::Mem(m)) => self.a.v2(vop::VMOVQ, L128, d, shifted(m, offset)),
                (_, Xm::Reg(x)) => self.a.vshift_i(vop::VPSRLDQ_I, L128, d, x, offset as u8),
                (_, Xm::Mem(m)) => self.a.v3i(vop::VPINSRW, L128, d, d, shifted(m, offset), 0),
            }
            return;
        }
        let d = self.def(v, None);
        match place {
            Xm::Mem(m) => {
                let m = shifted(m, offset);
                match lane {
                    Lane::B => self.a.movzx(Size::B, d, m),
                    Lane::H => self.a.movzx(Size::W, d, m),
                    Lane::S => self.a.mov(Size::D, d, m),
                    Lane::D => self.a.mov(Size::Q, d, m),
                }
            }
            Xm::Reg(x) => match (lane, n) {
                (Lane::S, 0) => self.a.vst(vop::VMOVD_ST, L128, d, x),
                (Lane::D, 0) => self.a.vst(vop::VMOVQ_GST, L128, d, x),
                (Lane::B, _) => self.a.vsti(vop::VPEXTRB_ST, L128, d, x, n),
                (Lane::H, _) => self.a.vsti(vop::VPEXTRW_ST, L128, d, x, n),
                (Lane::S, _) => self.a.vsti(vop::VPEXTRD_ST, L128, d, x, n),
                (Lane::D, _) => self.a.vsti(vop::VPEXTRQ_ST, L128, d, x, n),
            },
        }
    }

    fn set_lane(&mut self, v: Val, lane: Lane, a: Val, s: Val, n: u8) {
        if (lane, n) == (Lane::S, 0) && matches!(self.r.op(a), Op::ConstV(_)) && !self.r.ty(s).is_int() {
            let (x, rest) = (self.x(s), self.xm(a));
            let d = self.xdef(v, None);
            // The shorter instruction has no form for the registers of AVX-512.
            return if d.0 < 16 && x.0 < 16 && !matches!(rest, Xm::Reg(r) if r.0 >= 16) {
                self.a.v3i(vop::VBLENDPS, L128, d, x, rest, 0b1110);
            } else {
                let rest = self.x(a);
                self.a.v3i(vop::VINSERTPS, L128, d, rest, x, 0);
            };
        }
        let ra = self.x(a);
        if self.r.ty(s).is_int() {
            let r = self.insertable(s);
            let d = self.xdef(v, Some(a));
            let op = [vop::VPINSRB, vop::VPINSRW, vop::VPINSRD, vop::VPINSRQ][lane as usize];
            self.a.v3i(op, L128, d, ra, r, n);
            return;
        }
        let x = self.x(s);
        match (lane, n) {
            (Lane::S, _) => {
                let d = self.xdef(v, Some(a));
                self.a.v3i(vop::VINSERTPS, L128, d, ra, x, n << 4);
            }
            (Lane::D, 0) => {
                let d = self.xdef(v, Some(a));
                self.a.v3(vop::VMOVSD_RR, L128, d, ra, x);
            }
            (Lane::D, _) => {
                let d = self.xdef(v, Some(a));
                self.a.v3(vop::VPUNPCKLQDQ, L128, d, ra, x);
            }
            _ => {
                self.a.vst(vop::VMOVD_ST, L128, SCRATCH, x);
                let d = self.xdef(v, Some(a));
                self.a.v3i(vop::VPINSRW, L128, d, ra, SCRATCH, n);
            }
        }
    }

    /// A scalar as vpinsr takes it: memory, or a register whose upper bits do not matter.
    fn insertable(&mut self, s: Val) -> Rm {
        match self.mem_of(s) {
            Some(m) if self.r.ty(s).bytes() <= self.r.ty(self.root(s)).bytes() => Rm::Mem(m),
            _ => Rm::Reg(self.reg(s)),
        }
    }

    fn splat_scalar(&mut self, v: Val, lane: Lane, a: Val) {
        let op = [vop::VPBROADCASTB, vop::VPBROADCASTW, vop::VPBROADCASTD, vop::VPBROADCASTQ][lane as usize];
        if let Some(c) = self.const_of(a) {
            let d = self.xdef(v, None);
            return self.xconst(d, splat(lane, c));
        }
        if !self.r.ty(a).is_int() {
            return self.vop1(v, op, a);
        }
        match self.insertable(a) {
            Rm::Mem(m) => {
                let d = self.xdef(v, None);
                self.a.v2(op, L128, d, m);
            }
            Rm::Reg(r) => {
                let d = self.xdef(v, None);
                self.a.v2(if lane == Lane::D { vop::VMOVQ_G } else { vop::VMOVD }, L128, d, r);
                self.a.v2(op, L128, d, d);
            }
        }
    }

    fn splat_lane(&mut self, v: Val, lane: Lane, a: Val, n: u8) {
        let op = [vop::VPBROADCASTB, vop::VPBROADCASTW, vop::VPBROADCASTD, vop::VPBROADCASTQ][lane as usize];
        match self.xm(a) {
            Xm::Mem(m) => {
                let d = self.xdef(v, None);
                self.a.v2(op, L128, d, shifted(m, i32::from(n) * lane.bytes() as i32));
            }
            Xm::Reg(x) => {
                let d = self.xdef(v, Some(a));
                match (lane, n) {
                    (_, 0) => self.a.v2(op, L128, d, x),
                    (Lane::S, n) => self.a.v2i(vop::VPSHUFD, L128, d, x, n * 0x55),
                    (Lane::D, _) => self.a.v2i(vop::VPSHUFD, L128, d, x, 0xee),
                    (Lane::B, n) => {
                        let m = self.pool(splat(Lane::B, n.into()));
                        self.a.v3(vop::VPSHUFB, L128, d, x, m);
                    }
                    (Lane::H, n) => {
                        let n = u64::from(n) * 2;
                        let m = self.pool(splat(Lane::H, (n + 1) << 8 | n));
                        self.a.v3(vop::VPSHUFB, L128, d, x, m);
                    }
                }
            }
        }
    }

    fn extract_bytes(&mut self, v: Val, a: Val, b: Val, from: u8) {
        if from == 0 || from == 16 {
            return self.vop1(v, vop::VMOVUPS, if from == 0 { a } else { b });
        }
        let rb = self.x(b);
        let ma = self.xm(a);
        let d = self.xdef(v, Some(b));
        self.a.v3i(vop::VPALIGNR, L128, d, rb, ma, from);
    }

    /// By a mask, not a branch: compilers select what they cannot predict.
    fn select_vector(&mut self, v: Val, c: Val, a: Val, b: Val) {
        if !matches!(self.loc(c), Loc::Cc(_) | Loc::Reg(_)) {
            self.reg(c);
        }
        let rb = self.x(b);
        let ma = self.xm(a);
        let wide = self.r.ty(v) == Ty::V128;
        match self.loc(c) {
            Loc::Cc(cc) => {
                if let HostCc::One(cc) = cc {
                    self.a.setcc(cc, SCRATCH);
                } else {
                    let (first, both) = if cc == HostCc::FpEq { (X::E, true) } else { (X::Ne, false) };
                    let t = self.temp();
                    self.a.setcc(first, SCRATCH);
                    self.a.setcc(if both { X::Np } else { X::P }, t);
                    // The and (or) of the two without the host's flags: by the vector unit.
                    self.a.v2(vop::VMOVD, L128, XSCRATCH, SCRATCH);
                    let w = self.xtemp();
                    self.a.v2(vop::VMOVD, L128, w, t);
                    self.a.v3(if both { vop::VPAND } else { vop::VPOR }, L128, XSCRATCH, XSCRATCH, w);
                    self.xmm.locked &= !(1 << w.0);
                    return self.blend(v, wide, rb, ma);
                }
                self.a.v2(vop::VMOVD, L128, XSCRATCH, SCRATCH);
            }
            _ => {
                let r: Reg = self.reg(c);
                self.a.v2(vop::VMOVD, L128, XSCRATCH, r);
            }
        }
        self.blend(v, wide, rb, ma);
    }

    /// v = bit 0 of scratch ? a : b.
    fn blend(&mut self, v: Val, wide: bool, rb: Xmm, ma: Xm) {
        self.a.vshift_i(vop::VPSLLQ_I, L128, XSCRATCH, XSCRATCH, 63);
        if wide {
            self.a.v3(vop::VPUNPCKLQDQ, L128, XSCRATCH, XSCRATCH, XSCRATCH);
        }
        let d = self.xdef(v, None);
        self.a.v4(vop::VBLENDVPD, L128, d, rb, ma, XSCRATCH);
    }

    /// Whether a value's bytes are all ones or all zeros, as far as is seen.
    fn is_bytewise(&self, v: Val, depth: u32) -> bool {
        let also = |v| depth > 0 && self.is_bytewise(v, depth - 1);
        match *self.r.op(v) {
            Op::ConstV(i) => self.r.vectors[i as usize].to_le_bytes().iter().all(|b| matches!(b, 0 | 0xff)),
            Op::V2(V2::CmpEq | V2::CmpGtS | V2::CmpGeS | V2::CmpGtU | V2::CmpGeU | V2::CmpTst, ..) => true,
            Op::V2(V2::And | V2::Or | V2::Xor, _, a, b) => also(a) && also(b),
            Op::V1(V1::Not | V1::WidenS | V1::MoveHi, _, a) => also(a),
            Op::FpCmp(_, shape, ..) => shape.ty() == Ty::V128 && shape.low_of().is_none(),
            _ => false,
        }
    }

    fn bit_select(&mut self, v: Val, a: Val, b: Val, c: Val) {
        // c ^ ((b ^ c) & a)
        self.xlimit(&[c, b, a], 2);
        let rc = self.x(c);
        self.xlimit(&[c, b, a], 2);
        let (mb, ma) = (self.xm(b), self.xm(a));
        let d = self.xdef(v, Some(c));
        if self.is_bytewise(a, 4) {
            let mask = match ma {
                Xm::Reg(x) => x,
                Xm::Mem(m) => {
                    self.a.v2(vop::VMOVDQU, L128, XSCRATCH, m);
                    XSCRATCH
                }
            };
            return self.a.v4(vop::VPBLENDVB, L128, d, rc, mb, mask);
        }
        self.a.v3(vop::VPXOR, L128, XSCRATCH, rc, mb);
        self.a.v3(vop::VPAND, L128, XSCRATCH, XSCRATCH, ma);
        self.a.v3(vop::VPXOR, L128, d, XSCRATCH, rc);
    }
}

/// The operand `by` bytes further.
pub(super) fn shifted(m: Mem, by: i32) -> Mem {
    m.offset(by).expect("small displacements")
}
