//! Vector instructions: a few functions that encode any row of [`vop`](super::vop), in VEX where that exists and suffices, else in EVEX.
//!
//! The form of the call is the form of the instruction (SDM vol. 2, "instruction operand encoding"), whatever the registers' kind:
//! `v3` takes reg, vvvv, r/m; `v2` takes reg, r/m; `vst` takes r/m, reg; an `i` adds an immediate byte. Scalar instructions and those on
//! mask registers take [`L128`].

use super::int::{Enc, op};
use super::operand::Operand;
use super::vop::{NO, Tuple, VOp};
use super::{Addr, Asm, Head, K, Mem, Place, Reg, Size, Xmm, refer_rip};

/// The vector length, and AVX-512's options: a write mask, zeroing, a broadcast memory operand, a rounding mode. Any option makes the encoding EVEX.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct L {
    /// 0, 1, 2: 128, 256, 512 bits.
    ll: u8,
    /// The last byte of the EVEX prefix but for V': z LL b 0 aaa.
    p2: u8,
}

pub const L128: L = L { ll: 0, p2: 0 };
pub const L256: L = L { ll: 1, p2: 0x20 };
pub const L512: L = L { ll: 2, p2: 0x40 };

/// A rounding mode in the instruction, numbered as there (and as in MXCSR). Exceptions are then not raised.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Rounding {
    Nearest,
    Down,
    Up,
    Zero,
}

/// The options that only EVEX has: z, b, aaa.
const EVEX_ONLY: u8 = 0x97;
const BROADCAST: u8 = 0x10;

impl L {
    /// Only elements whose bit in `k` is set are written. `K(0)` is no mask.
    #[inline]
    pub const fn k(self, k: K) -> L {
        L { p2: self.p2 | k.0, ..self }
    }

    /// Elements not written become zero.
    #[inline]
    pub const fn z(self) -> L {
        L { p2: self.p2 | 0x80, ..self }
    }

    /// The memory operand is one element, used for all.
    #[inline]
    pub const fn bcast(self) -> L {
        L { p2: self.p2 | BROADCAST, ..self }
    }

    /// Rounds so, without exceptions: scalars and 512-bit vectors in registers.
    #[inline]
    pub const fn round(self, r: Rounding) -> L {
        L { p2: self.p2 & 0x9f | BROADCAST | (r as u8) << 5, ..self }
    }

    /// Without exceptions, for instructions that do not round: scalars and 512-bit vectors in registers.
    #[inline]
    pub const fn sae(self) -> L {
        L { p2: self.p2 | BROADCAST, ..self }
    }

    /// Its width in bytes.
    pub const fn bytes(self) -> u32 {
        16 << self.ll
    }
}

/// The mask register for blends that have no EVEX form.
pub(super) const STAGING_MASK: K = K(1);

/// A register of any kind.
pub trait AnyReg: Copy {
    fn number(self) -> u8;
}

impl AnyReg for Reg {
    #[inline(always)]
    fn number(self) -> u8 {
        self.0
    }
}

impl AnyReg for Xmm {
    #[inline(always)]
    fn number(self) -> u8 {
        self.0
    }
}

impl AnyReg for K {
    #[inline(always)]
    fn number(self) -> u8 {
        self.0
    }
}

impl Asm {
    /// `op dst, a, b`
    #[inline]
    pub fn v3(&mut self, op: VOp, l: L, dst: impl AnyReg, a: impl AnyReg, b: impl Operand) {
        self.vop(op, l, dst.number(), a.number(), b.place(), 0, 0);
    }

    /// `op dst, a, b, imm`
    #[inline]
    pub fn v3i(&mut self, op: VOp, l: L, dst: impl AnyReg, a: impl AnyReg, b: impl Operand, imm: u8) {
        self.vop(op, l, dst.number(), a.number(), b.place(), imm, 1);
    }

    /// `op dst, a, b, c`: the blends by a register. With registers 16 and up they are two instructions, and overwrite [`STAGING_MASK`].
    #[inline]
    pub fn v4(&mut self, op: VOp, l: L, dst: Xmm, a: Xmm, b: impl Operand, c: Xmm) {
        let high = matches!(b.place(), Place::Reg(16..)) || (dst.0 | a.0 | c.0) >= 16;
        if high {
            let (mask, blend) = match op {
                super::vop::VPBLENDVB => (super::vop::VPMOVB2M, super::vop::VPBLENDMB),
                super::vop::VBLENDVPS => (super::vop::VPMOVD2M, super::vop::VBLENDMPS),
                _ => (super::vop::VPMOVQ2M, super::vop::VBLENDMPD),
            };
            self.v2(mask, l, STAGING_MASK, c);
            return self.v3(blend, l.k(STAGING_MASK), dst, a, b);
        }
        self.vop(op, l, dst.0, a.0, b.place(), c.0 << 4, 1);
    }

    /// `op dst, src`
    #[inline]
    pub fn v2(&mut self, op: VOp, l: L, dst: impl AnyReg, src: impl Operand) {
        self.vop(op, l, dst.number(), 0, src.place(), 0, 0);
    }

    /// `op dst, src, imm`
    #[inline]
    pub fn v2i(&mut self, op: VOp, l: L, dst: impl AnyReg, src: impl Operand, imm: u8) {
        self.vop(op, l, dst.number(), 0, src.place(), imm, 1);
    }

    /// `op dst, src`, dst in r/m: stores, and moves to a general register.
    #[inline]
    pub fn vst(&mut self, op: VOp, l: L, dst: impl Operand, src: impl AnyReg) {
        self.vop(op, l, src.number(), 0, dst.place(), 0, 0);
    }

    /// `op dst, src, imm`, dst in r/m: extracts.
    #[inline]
    pub fn vsti(&mut self, op: VOp, l: L, dst: impl Operand, src: impl AnyReg, imm: u8) {
        self.vop(op, l, src.number(), 0, dst.place(), imm, 1);
    }

    /// `op [dst], mask, src`: stores under a mask in a vector register.
    #[inline]
    pub fn vst3(&mut self, op: VOp, l: L, dst: Mem, mask: Xmm, src: Xmm) {
        self.vop(op, l, src.0, mask.0, Place::Mem(&dst), 0, 0);
    }

    /// Copies a vector register, in as few bytes as it takes; the rest of dst becomes zero.
    #[inline]
    pub fn vmov(&mut self, l: L, dst: Xmm, src: Xmm) {
        // The 2-byte VEX prefix can extend reg, not r/m.
        if src.0 >= 8 && dst.0 < 8 {
            self.vst(super::vop::VMOVAPS_ST, l, dst, src);
        } else {
            self.v2(super::vop::VMOVAPS, l, dst, src);
        }
    }

    /// Zeroes a whole vector register.
    #[inline]
    pub fn vzero(&mut self, dst: Xmm) {
        let any = Xmm(dst.0 & 7); // the same twice: known to be zero whatever it holds
        self.v3(super::vop::VPXOR, L128, dst, any, any);
    }

    /// `op dst, src, imm`, dst in vvvv: shifts by a constant. From memory it is EVEX.
    #[inline]
    pub fn vshift_i(&mut self, op: VOp, l: L, dst: Xmm, src: impl Operand, imm: u8) {
        match src.place() {
            place @ Place::Reg(_) => self.vop(op, l, op.ext, dst.0, place, imm, 1),
            place @ Place::Mem(_) => self.evex(op, l, op.ext, dst.0, place, imm, 1),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of the encoding")]
    fn vop(&mut self, op: VOp, l: L, reg: u8, vvvv: u8, rm: Place, imm: u8, imm_len: u32) {
        let mut high = reg | vvvv;
        if let Place::Reg(r) = rm {
            high |= r;
        }
        if op.vex_w != NO && high < 16 && l.p2 & EVEX_ONLY == 0 && l.ll < 2 {
            let l = l.ll == 1 || op.tuple.l1();
            self.vex(op.pp, op.map, op.vex_w == 1, l, op.code, reg, vvvv, rm, imm.into(), imm_len);
        } else if op.evex_w == NO {
            self.staged(op, l, reg, vvvv, rm, imm, imm_len);
        } else {
            self.evex(op, l, reg, vvvv, rm, imm, imm_len);
        }
    }

    /// Without an EVEX form: operands in registers 16 and up pass through the staging registers. `reg` is the destination, which may be
    /// a general register.
    #[cold]
    #[expect(clippy::too_many_arguments, reason = "the fields of the encoding")]
    fn staged(&mut self, op: VOp, l: L, reg: u8, vvvv: u8, rm: Place, imm: u8, imm_len: u32) {
        debug_assert!(l.p2 & EVEX_ONLY == 0 && l.ll < 2, "no EVEX form");
        let [s, t] = self.staging.expect("staging registers for an instruction without an EVEX form");
        let (dst, a, mut b) = (if reg < 16 { reg } else { s.0 }, if vvvv < 16 { vvvv } else { s.0 }, rm);
        if vvvv >= 16 {
            self.vmov(l, s, Xmm(vvvv));
        }
        match rm {
            Place::Reg(r) if r >= 16 && r == vvvv => b = Place::Reg(s.0),
            Place::Reg(r) if r >= 16 => {
                self.vmov(l, t, Xmm(r));
                b = Place::Reg(t.0);
            }
            _ => {}
        }
        self.vop(op, l, dst, a, b, imm, imm_len);
        if reg >= 16 {
            self.vmov(l, Xmm(reg), s);
        }
    }

    #[inline]
    #[expect(clippy::too_many_arguments, reason = "the fields of the encoding")]
    pub(super) fn vex(
        &mut self,
        pp: u8,
        map: u8,
        w: bool,
        l: bool,
        code: u8,
        reg: u8,
        vvvv: u8,
        rm: Place,
        imm: u32,
        imm_len: u32,
    ) {
        let low = (!vvvv & 15) << 3 | u8::from(l) << 2 | pp;
        let prefix = |start: Head, x: u8, b: u8| {
            let r = !reg >> 3 & 1;
            if x | b == 0 && map == 1 && !w {
                start.bits(u32::from_le_bytes([0xc5, r << 7 | low, code, 0]), 24)
            } else {
                let p0 = r << 7 | (x ^ 1) << 6 | (b ^ 1) << 5 | map;
                start.bits(u32::from_le_bytes([0xc4, p0, u8::from(w) << 7 | low, code]), 32)
            }
        };
        match rm {
            Place::Reg(rm) => {
                let head = prefix(Head::EMPTY, 0, rm >> 3).byte(0xc0 | (reg & 7) << 3 | rm & 7);
                self.put(head, imm.into(), imm_len);
            }
            Place::Mem(m) => {
                self.segment(m);
                let a = Addr::new(m, 0);
                let head = prefix(Head::EMPTY.byte_if(m.addr32, 0x67), a.x, a.b).bits(a.with_reg(reg), a.n * 8);
                self.put_mem(head, m, a, imm, imm_len);
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of the encoding")]
    fn evex(&mut self, op: VOp, l: L, reg: u8, vvvv: u8, rm: Place, imm: u8, imm_len: u32) {
        debug_assert!(op.evex_w != NO, "no EVEX form");
        // All register bits of the prefix are stored inverted.
        let prefix = |x: u8, b: u8| {
            let (r, v) = (!reg, !vvvv);
            let p0 = (r >> 3 & 1) << 7 | (x ^ 1) << 6 | (b ^ 1) << 5 | (r >> 4 & 1) << 4 | op.map;
            let p1 = op.evex_w << 7 | (v & 15) << 3 | 4 | op.pp;
            let p2 = l.p2 | (v >> 4 & 1) << 3;
            Head::EMPTY.bits(u32::from_le_bytes([0x62, p0, p1, p2]), 32).byte(op.code)
        };
        match rm {
            Place::Reg(rm) => {
                let head = prefix(rm >> 4, rm >> 3 & 1).byte(0xc0 | (reg & 7) << 3 | rm & 7);
                self.put(head, imm.into(), imm_len);
            }
            Place::Mem(m) => {
                self.segment(m);
                if m.addr32 {
                    self.buf.push(0x67);
                }
                let bcast = l.p2 & BROADCAST != 0;
                debug_assert!(!bcast || op.tuple.bcast(), "no broadcast");
                let unit = if bcast { 2 + u32::from(op.evex_w) } else { op.tuple.unit(l.ll) };
                let a = Addr::new(m, unit);
                self.put_mem(prefix(a.x, a.b).bits(a.with_reg(reg), a.n * 8), m, a, imm.into(), imm_len);
            }
        }
    }

    #[inline(always)]
    fn put_mem(&mut self, head: Head, m: &Mem, a: Addr, imm: u32, imm_len: u32) {
        let (tail, n) = a.tail(imm, imm_len);
        self.put(head, tail, n);
        if m.rip.is_some() {
            refer_rip(self, m, imm_len);
        }
    }
}

impl Tuple {
    /// The binary logarithm of what an 8-bit displacement counts: the size of the memory operand.
    #[inline(always)]
    pub(super) fn unit(self, ll: u8) -> u32 {
        let fixed = u32::from(self.0 & 7);
        if self.0 & Tuple::SCALED != 0 {
            fixed + u32::from(ll)
        } else if self == Tuple::DUP && ll > 0 {
            4 + u32::from(ll)
        } else {
            fixed
        }
    }

    #[inline(always)]
    fn l1(self) -> bool {
        self == Tuple::KL1
    }

    pub(super) fn bcast(self) -> bool {
        self.0 & Tuple::BCAST != 0
    }
}

/// One method for each row: SHA extensions `name(dst, src)`, old encoding.
macro_rules! sha {
    ($($(#[$doc:meta])* $name:ident = $code:expr;)*) => {$(
        $(#[$doc])*
        pub fn $name(&mut self, dst: Xmm, src: impl super::XmmMem) {
            self.sha(Enc::new(op(0, 2, $code), Size::D), dst, src.place());
        }
    )*};
}

impl Asm {
    sha! {
        sha1nexte = 0xc8;
        sha1msg1 = 0xc9;
        sha1msg2 = 0xca;
        /// Two rounds; the third operand is xmm0.
        sha256rnds2 = 0xcb;
        sha256msg1 = 0xcc;
        sha256msg2 = 0xcd;
    }

    /// Four rounds of the function `imm`.
    pub fn sha1rnds4(&mut self, dst: Xmm, src: impl super::XmmMem, imm: u8) {
        self.sha(Enc::new(op(0, 3, 0xcc), Size::D).imm8(imm), dst, src.place());
    }

    /// The old encoding has registers 0 to 15 only: others pass through the staging registers.
    fn sha(&mut self, enc: Enc, dst: Xmm, src: Place) {
        let [s, t] = match (dst, src) {
            (Xmm(0..16), Place::Reg(0..16) | Place::Mem(_)) => return self.legacy_place(enc, dst.0, src),
            _ => self.staging.expect("staging registers for an old encoding"),
        };
        let mut from = src;
        if let Place::Reg(r @ 16..) = src {
            self.vmov(L128, t, Xmm(r));
            from = Place::Reg(t.0);
        }
        if dst.0 < 16 {
            return self.legacy_place(enc, dst.0, from);
        }
        self.vmov(L128, s, dst);
        self.legacy_place(enc, s.0, from);
        self.vmov(L128, dst, s);
    }
}
