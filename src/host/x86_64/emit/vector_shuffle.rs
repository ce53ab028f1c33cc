//! Vector operations across lanes or between widths: interleaving, tables, widening, narrowing, products of other widths.

use super::super::XSCRATCH;
use super::super::asm::vop::VOp;
use super::super::asm::{L128, Xm, Xmm, vop};
use super::super::plan::half;
use super::Emitter;
use super::vector::{Lanes, shifted, splat};
use super::vector_lanes::{ADD, EQUAL, MAX_S, MAX_U, MIN_S, MIN_U};
use ir::{Lane, V1, V2, V3, Val};

const ZIP_LO: Lanes = [vop::VPUNPCKLBW, vop::VPUNPCKLWD, vop::VPUNPCKLDQ, vop::VPUNPCKLQDQ];
const ZIP_HI: Lanes = [vop::VPUNPCKHBW, vop::VPUNPCKHWD, vop::VPUNPCKHDQ, vop::VPUNPCKHQDQ];
/// By the narrow lane.
const WIDEN_S: [VOp; 3] = [vop::VPMOVSXBW, vop::VPMOVSXWD, vop::VPMOVSXDQ];
const WIDEN_U: [VOp; 3] = [vop::VPMOVZXBW, vop::VPMOVZXWD, vop::VPMOVZXDQ];
/// Each lane shifted by half of its width; by the narrow lane.
const HALF_RIGHT: [VOp; 3] = [vop::VPSRLW_I, vop::VPSRLD_I, vop::VPSRLQ_I];
const HALF_LEFT: [VOp; 3] = [vop::VPSLLW_I, vop::VPSLLD_I, vop::VPSLLQ_I];

/// vpshufb's pattern whose byte i is `f(i)`; 0x80 gives zero.
fn pattern(f: impl Fn(u32) -> u8) -> u128 {
    (0..16).fold(0, |v, i| v | u128::from(f(i)) << (8 * i))
}

impl Emitter<'_> {
    pub(super) fn v2_shuffle(&mut self, v: Val, op: V2, lane: Lane, a: Val, b: Val) -> bool {
        let at = lane as usize;
        match op {
            V2::ZipLo => self.vop2(v, ZIP_LO[at], a, b),
            V2::ZipHi => self.vop2(v, ZIP_HI[at], a, b),
            V2::ConcatLo => self.vop2(v, vop::VPUNPCKLQDQ, a, b),
            V2::ConcatHi => self.vop2(v, vop::VPUNPCKHQDQ, a, b),
            V2::UnzipEven | V2::UnzipOdd => self.unzip(v, lane, a, b, op == V2::UnzipOdd),
            V2::PairwiseAdd => self.pairwise(v, ADD[at], lane, a, b),
            V2::PairwiseMinS if at < 3 => self.pairwise(v, MIN_S[at], lane, a, b),
            V2::PairwiseMinU if at < 3 => self.pairwise(v, MIN_U[at], lane, a, b),
            V2::PairwiseMaxS if at < 3 => self.pairwise(v, MAX_S[at], lane, a, b),
            V2::PairwiseMaxU if at < 3 => self.pairwise(v, MAX_U[at], lane, a, b),
            V2::TrnEven => self.trn_even(v, lane, a, b),
            V2::TrnOdd => self.trn_odd(v, lane, a, b),
            V2::Tbl => self.table(v, a, b),
            V2::MulWideS | V2::MulWideU if lane != Lane::D => {
                let signed = op == V2::MulWideS;
                let (ra, mb, d, w) = self.vregs(v, a, b);
                self.mul_wide(lane, signed, d, w, ra, mb);
            }
            V2::SatDoubleMulWide => {
                let (ra, mb, d, w) = self.vregs(v, a, b);
                self.mul_wide(lane, true, XSCRATCH, w, ra, mb);
                let wide = lane.wider();
                let (add, least) = if lane == Lane::H { (vop::VPADDD, 1 << 31) } else { (vop::VPADDQ, 1 << 63) };
                self.a.v3(add, L128, XSCRATCH, XSCRATCH, XSCRATCH);
                // Only the most negative number squared overflows, to the most negative one: that turns round.
                let least = self.pool(splat(wide, least));
                self.a.v3(EQUAL[wide as usize], L128, w, XSCRATCH, least);
                self.a.v3(vop::VPXOR, L128, d, XSCRATCH, w);
            }
            V2::PMulWide if lane == Lane::D => {
                let [(a, high_a), (b, high_b)] = [a, b].map(|v| half(self.r, v));
                let ra = self.x(a);
                let mb = self.xm(b);
                let d = self.xdef(v, Some(a));
                self.a.v3i(vop::VPCLMULQDQ, L128, d, ra, mb, high_b << 4 | high_a);
            }
            _ => return false,
        }
        true
    }

    /// v = op on the even and the odd lanes of a, then of b.
    fn pairwise(&mut self, v: Val, op: VOp, lane: Lane, a: Val, b: Val) {
        let n = lane.bytes() as u32;
        // Lanes 0, 2, 4 … (`odd` 0) or 1, 3, 5 …, as bytes.
        let every_second = |i: u32, odd: u32| ((i / n * 2 + odd) * n + i % n) as u8;
        match lane {
            Lane::D | Lane::S => {
                let (ra, mb, d, w) = self.vregs(v, a, b);
                if lane == Lane::D {
                    self.a.v3(vop::VPUNPCKLQDQ, L128, XSCRATCH, ra, mb);
                    self.a.v3(vop::VPUNPCKHQDQ, L128, w, ra, mb);
                } else {
                    self.a.v3i(vop::VSHUFPS, L128, XSCRATCH, ra, mb, 0x88);
                    self.a.v3i(vop::VSHUFPS, L128, w, ra, mb, 0xdd);
                }
                self.a.v3(op, L128, d, XSCRATCH, w);
            }
            _ if a == b => {
                let [even, odd] = [0, 1].map(|odd| self.pool(pattern(|i| every_second(i % 8, odd))));
                let (ra, _, d, w) = self.vregs(v, a, a);
                self.a.v3(vop::VPSHUFB, L128, XSCRATCH, ra, even);
                self.a.v3(vop::VPSHUFB, L128, w, ra, odd);
                self.a.v3(op, L128, d, XSCRATCH, w);
            }
            _ => {
                let apart = self.pool(pattern(|i| every_second(i % 8, i / 8)));
                let (ra, mb, d, w, u) = self.vregs2(v, a, b);
                self.a.v3(vop::VPSHUFB, L128, XSCRATCH, ra, apart);
                let from = self.operand_in(mb, w);
                self.a.v3(vop::VPSHUFB, L128, w, from, apart);
                self.a.v3(vop::VPUNPCKLQDQ, L128, u, XSCRATCH, w);
                self.a.v3(vop::VPUNPCKHQDQ, L128, w, XSCRATCH, w);
                self.a.v3(op, L128, d, u, w);
            }
        }
    }

    fn unzip(&mut self, v: Val, lane: Lane, a: Val, b: Val, odd: bool) {
        match lane {
            Lane::D => self.vop2(v, if odd { vop::VPUNPCKHQDQ } else { vop::VPUNPCKLQDQ }, a, b),
            Lane::S => {
                let ra = self.x(a);
                let mb = self.xm(b);
                let d = self.xdef(v, Some(a));
                self.a.v3i(vop::VSHUFPS, L128, d, ra, mb, if odd { 0xdd } else { 0x88 });
            }
            Lane::B | Lane::H if !odd && a == b => {
                let low = self.pool(splat(lane.wider(), lane.mask()));
                let ra = self.x(a);
                let d = self.xdef(v, Some(a));
                self.a.v3(vop::VPAND, L128, d, ra, low);
                let pack = if lane == Lane::B { vop::VPACKUSWB } else { vop::VPACKUSDW };
                self.a.v3(pack, L128, d, d, d);
            }
            Lane::B | Lane::H => {
                let (ra, mb, d, w) = self.vregs(v, a, b);
                let at = lane as usize;
                if odd {
                    let half = lane.bits() as u8;
                    self.a.vshift_i(HALF_RIGHT[at], L128, XSCRATCH, ra, half);
                    let from = self.operand_in(mb, w);
                    self.a.vshift_i(HALF_RIGHT[at], L128, w, from, half);
                } else {
                    let low = self.pool(splat(lane.wider(), lane.mask()));
                    self.a.v3(vop::VPAND, L128, XSCRATCH, ra, low);
                    let from = self.operand_in(mb, w);
                    self.a.v3(vop::VPAND, L128, w, from, low);
                }
                let pack = if lane == Lane::B { vop::VPACKUSWB } else { vop::VPACKUSDW };
                self.a.v3(pack, L128, d, XSCRATCH, w);
            }
        }
    }

    fn trn_even(&mut self, v: Val, lane: Lane, a: Val, b: Val) {
        if lane == Lane::D {
            return self.vop2(v, vop::VPUNPCKLQDQ, a, b);
        }
        let rb = self.x(b);
        let ma = self.xm(a);
        let d = self.xdest(v);
        self.a.vshift_i(HALF_LEFT[lane as usize], L128, XSCRATCH, rb, lane.bits() as u8);
        match lane {
            Lane::B => {
                let w = self.xwork(d, &[Xm::Reg(rb), ma]);
                let low = self.pool(splat(Lane::H, 0xff));
                self.a.v2(vop::VMOVDQU, L128, w, low);
                self.a.v3(vop::VPAND, L128, w, w, ma);
                self.a.v3(vop::VPOR, L128, d, w, XSCRATCH);
            }
            // The even lanes of a, the odd ones of what was shifted there.
            Lane::H => self.a.v3i(vop::VPBLENDW, L128, d, XSCRATCH, ma, 0x55),
            _ => self.a.v3i(vop::VPBLENDD, L128, d, XSCRATCH, ma, 0b0101),
        }
    }

    fn trn_odd(&mut self, v: Val, lane: Lane, a: Val, b: Val) {
        if lane == Lane::D {
            return self.vop2(v, vop::VPUNPCKHQDQ, a, b);
        }
        let ra = self.x(a);
        let mb = self.xm(b);
        let d = self.xdest(v);
        self.a.vshift_i(HALF_RIGHT[lane as usize], L128, XSCRATCH, ra, lane.bits() as u8);
        match lane {
            Lane::B => {
                let w = self.xwork(d, &[Xm::Reg(ra), mb]);
                let high = self.pool(splat(Lane::H, 0xff00));
                self.a.v2(vop::VMOVDQU, L128, w, high);
                self.a.v3(vop::VPAND, L128, w, w, mb);
                self.a.v3(vop::VPOR, L128, d, w, XSCRATCH);
            }
            Lane::H => self.a.v3i(vop::VPBLENDW, L128, d, XSCRATCH, mb, 0xaa),
            _ => self.a.v3i(vop::VPBLENDD, L128, d, XSCRATCH, mb, 0b1010),
        }
    }

    fn table(&mut self, v: Val, a: Val, b: Val) {
        let ra = self.x(a);
        if let Some(index) = self.r.const_v_of(b) {
            let index = self.pool(pattern(|i| match (index >> (8 * i)) as u8 {
                n @ 0..16 => n,
                _ => 0x80,
            }));
            let d = self.xdef(v, Some(a));
            self.a.v3(vop::VPSHUFB, L128, d, ra, index);
            return;
        }
        let mb = self.xm(b);
        let d = self.xdef(v, Some(a));
        // 16 and more get bit 7, which gives zero.
        let up = self.pool(splat(Lane::B, 0x70));
        self.a.v2(vop::VMOVDQU, L128, XSCRATCH, up);
        self.a.v3(vop::VPADDUSB, L128, XSCRATCH, XSCRATCH, mb);
        self.a.v3(vop::VPSHUFB, L128, d, ra, XSCRATCH);
    }

    /// d = the products of the low halves; `w` and scratch are overwritten, `w` is no operand's register.
    fn mul_wide(&mut self, lane: Lane, signed: bool, d: Xmm, w: Xmm, a: Xmm, b: Xm) {
        match lane {
            Lane::H => {
                self.a.v3(vop::VPMULLW, L128, XSCRATCH, a, b);
                self.a.v3(if signed { vop::VPMULHW } else { vop::VPMULHUW }, L128, w, a, b);
                self.a.v3(vop::VPUNPCKLWD, L128, d, XSCRATCH, w);
            }
            _ => {
                let widen = if signed { WIDEN_S } else { WIDEN_U }[lane as usize];
                self.a.v2(widen, L128, XSCRATCH, a);
                self.a.v2(widen, L128, w, b);
                let multiply = match (lane, signed) {
                    (Lane::B, _) => vop::VPMULLW,
                    (_, true) => vop::VPMULDQ,
                    (_, false) => vop::VPMULUDQ,
                };
                self.a.v3(multiply, L128, d, XSCRATCH, w);
            }
        }
    }

    pub(super) fn v1_shuffle(&mut self, v: Val, op: V1, lane: Lane, a: Val) -> bool {
        let at = lane as usize;
        match op {
            V1::Bswap => {
                let n = lane.bytes() as u32;
                self.vop2_const(v, vop::VPSHUFB, a, pattern(|i| (i / n * n + n - 1 - i % n) as u8));
            }
            V1::WidenS => self.vop1(v, WIDEN_S[at], a),
            V1::WidenU => self.vop1(v, WIDEN_U[at], a),
            V1::Narrow => self.vop2_const(v, vop::VPSHUFB, a, narrowing(lane)),
            V1::NarrowSatS if lane == Lane::H => self.pack_low(v, vop::VPACKSSWB, a),
            V1::NarrowSatS if lane == Lane::S => self.pack_low(v, vop::VPACKSSDW, a),
            V1::NarrowSatSU if lane == Lane::H => self.pack_low(v, vop::VPACKUSWB, a),
            V1::NarrowSatSU if lane == Lane::S => self.pack_low(v, vop::VPACKUSDW, a),
            V1::NarrowSatU if lane != Lane::D => {
                let ra = self.x(a);
                let d = self.xdef(v, Some(a));
                let most = self.pool(splat(lane, lane.mask() >> (lane.bits() / 2)));
                let min = if lane == Lane::H { vop::VPMINUW } else { vop::VPMINUD };
                self.a.v3(min, L128, XSCRATCH, ra, most);
                let low = self.pool(narrowing(lane));
                self.a.v3(vop::VPSHUFB, L128, d, XSCRATCH, low);
            }
            V1::PairAddS | V1::PairAddU => self.pair_add(v, lane, op == V1::PairAddS, a),
            V1::ZeroHi => self.vop1(v, vop::VMOVQ, a),
            V1::MoveHi => match self.xm(a) {
                Xm::Mem(m) => {
                    let d = self.xdef(v, None);
                    self.a.v2(vop::VMOVQ, L128, d, shifted(m, 8));
                }
                Xm::Reg(x) => {
                    let d = self.xdef(v, Some(a));
                    self.a.vshift_i(vop::VPSRLDQ_I, L128, d, x, 8);
                }
            },
            _ => return false,
        }
        true
    }

    /// A saturating pack into the low half.
    fn pack_low(&mut self, v: Val, op: VOp, a: Val) {
        let ra = self.x(a);
        let d = self.xdef(v, Some(a));
        self.a.vzero(XSCRATCH);
        self.a.v3(op, L128, d, ra, XSCRATCH);
    }

    fn pair_add(&mut self, v: Val, lane: Lane, signed: bool, a: Val) {
        let ra = self.x(a);
        match (lane, signed) {
            (Lane::B, false) => return self.vop2_const(v, vop::VPMADDUBSW, a, splat(Lane::B, 1)),
            (Lane::H, true) => return self.vop2_const(v, vop::VPMADDWD, a, splat(Lane::H, 1)),
            (Lane::B, true) => {
                // The instruction takes the unsigned bytes first.
                let d = self.xdef(v, Some(a));
                let ones = self.pool(splat(Lane::B, 1));
                self.a.v2(vop::VMOVDQU, L128, XSCRATCH, ones);
                self.a.v3(vop::VPMADDUBSW, L128, d, XSCRATCH, ra);
                return;
            }
            _ => {}
        }
        let d = self.xdest(v);
        let w = self.xwork(d, &[Xm::Reg(ra)]);
        let from = if signed {
            // From 32 bits signed: with 2^31 added to each, the sum is 2^32 too much.
            let flip = self.pool(splat(Lane::S, 1 << 31));
            self.a.v3(vop::VPXOR, L128, w, ra, flip);
            w
        } else {
            ra
        };
        self.a.vshift_i(HALF_RIGHT[lane as usize], L128, XSCRATCH, from, lane.bits() as u8);
        let low = self.pool(splat(lane.wider(), lane.mask()));
        self.a.v3(vop::VPAND, L128, w, from, low);
        if lane == Lane::H {
            self.a.v3(vop::VPADDD, L128, d, w, XSCRATCH);
        } else if signed {
            self.a.v3(vop::VPADDQ, L128, XSCRATCH, XSCRATCH, w);
            let bias = self.pool(splat(Lane::D, 1 << 32));
            self.a.v3(vop::VPSUBQ, L128, d, XSCRATCH, bias);
        } else {
            self.a.v3(vop::VPADDQ, L128, d, w, XSCRATCH);
        }
    }

    pub(super) fn v3(&mut self, v: Val, op: V3, _lane: Lane, a: Val, b: Val, c: Val) -> bool {
        let signs = match op {
            V3::DotS => (true, true),
            V3::DotU => (false, false),
            V3::DotUS => (false, true),
            _ => return self.sha(v, op, [a, b, c]),
        };
        self.dot(v, signs, a, b, c);
        true
    }

    /// The even and the odd bytes as 16-bit numbers, multiplied and added in pairs.
    fn dot(&mut self, v: Val, signs: (bool, bool), a: Val, b: Val, c: Val) {
        self.xlimit(&[a, b, c], 0);
        let (ma, mb, mc) = (self.xm(a), self.xm(b), self.xm(c));
        self.xlimit(&[a, b, c], 0);
        let d = self.xdest(v);
        let w = self.xwork(d, &[ma, mb, mc]);
        let u = self.xtemp();
        self.bytes_to_halves(XSCRATCH, mb, signs.0, false);
        self.bytes_to_halves(w, mc, signs.1, false);
        self.a.v3(vop::VPMADDWD, L128, w, w, XSCRATCH);
        self.bytes_to_halves(XSCRATCH, mb, signs.0, true);
        self.bytes_to_halves(u, mc, signs.1, true);
        self.a.v3(vop::VPMADDWD, L128, u, u, XSCRATCH);
        self.a.v3(vop::VPADDD, L128, w, w, u);
        self.a.v3(vop::VPADDD, L128, d, w, ma);
    }

    fn bytes_to_halves(&mut self, to: Xmm, from: Xm, signed: bool, odd: bool) {
        self.load_operand(to, from);
        if !odd {
            self.a.vshift_i(vop::VPSLLW_I, L128, to, to, 8);
        }
        self.a.vshift_i(if signed { vop::VPSRAW_I } else { vop::VPSRLW_I }, L128, to, to, 8);
    }
}

/// The low half of each lane (the wide one) to the low half of the vector, zero above.
fn narrowing(lane: Lane) -> u128 {
    let n = lane.bytes() as u32 / 2;
    pattern(|i| if i < 8 { (i / n * 2 * n + i % n) as u8 } else { 0x80 })
}
