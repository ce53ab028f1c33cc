//! Lane-wise integer arithmetic on vectors.

use super::super::XSCRATCH;
use super::super::asm::vop::VOp;
use super::super::asm::{L128, Xm, Xmm, vop};
use super::Emitter;
use super::int::REVERSED;
use super::vector::{Lanes, splat};
use super::vector_shift::ShiftBy;
use ir::{Lane, V1, V2, Val};

pub(super) const ADD: Lanes = [vop::VPADDB, vop::VPADDW, vop::VPADDD, vop::VPADDQ];
const SUB: Lanes = [vop::VPSUBB, vop::VPSUBW, vop::VPSUBD, vop::VPSUBQ];
pub(super) const EQUAL: Lanes = [vop::VPCMPEQB, vop::VPCMPEQW, vop::VPCMPEQD, vop::VPCMPEQQ];
const GREATER: Lanes = [vop::VPCMPGTB, vop::VPCMPGTW, vop::VPCMPGTD, vop::VPCMPGTQ];
pub(super) const MIN_S: [VOp; 3] = [vop::VPMINSB, vop::VPMINSW, vop::VPMINSD];
pub(super) const MAX_S: [VOp; 3] = [vop::VPMAXSB, vop::VPMAXSW, vop::VPMAXSD];
pub(super) const MIN_U: [VOp; 3] = [vop::VPMINUB, vop::VPMINUW, vop::VPMINUD];
pub(super) const MAX_U: [VOp; 3] = [vop::VPMAXUB, vop::VPMAXUW, vop::VPMAXUD];
const ABS: [VOp; 3] = [vop::VPABSB, vop::VPABSW, vop::VPABSD];

/// The lane's most negative number.
fn sign(lane: Lane) -> u64 {
    1 << (lane.bits() - 1)
}

impl Emitter<'_> {
    pub(super) fn v2(&mut self, v: Val, op: V2, lane: Lane, a: Val, b: Val) -> bool {
        let at = lane as usize;
        // No host without AVX-512 has these on 64-bit lanes; no guest instruction asks for most of them.
        let small = lane != Lane::D;
        let one = match op {
            V2::Add => ADD[at],
            V2::Sub => SUB[at],
            V2::Mul if lane == Lane::H => vop::VPMULLW,
            V2::Mul if lane == Lane::S => vop::VPMULLD,
            V2::And => vop::VPAND,
            V2::Or => vop::VPOR,
            V2::Xor => vop::VPXOR,
            V2::MinS if small => MIN_S[at],
            V2::MaxS if small => MAX_S[at],
            V2::MinU if small => MIN_U[at],
            V2::MaxU if small => MAX_U[at],
            V2::CmpEq => EQUAL[at],
            V2::CmpGtS => GREATER[at],
            V2::SatAddS if at < 2 => [vop::VPADDSB, vop::VPADDSW][at],
            V2::SatAddU if at < 2 => [vop::VPADDUSB, vop::VPADDUSW][at],
            V2::SatSubS if at < 2 => [vop::VPSUBSB, vop::VPSUBSW][at],
            V2::SatSubU if at < 2 => [vop::VPSUBUSB, vop::VPSUBUSW][at],
            V2::HalfAddRoundU if at < 2 => [vop::VPAVGB, vop::VPAVGW][at],
            V2::MulHiS => vop::VPMULHW,
            V2::MulHiU => vop::VPMULHUW,
            V2::MulHiRound => vop::VPMULHRSW,
            V2::MulAddPairs => vop::VPMADDWD,
            V2::MulAddPairsSat => vop::VPMADDUBSW,
            V2::SumAbsDiff => vop::VPSADBW,
            V2::MulEvenS => vop::VPMULDQ,
            V2::MulEvenU => vop::VPMULUDQ,
            V2::PackS => [vop::VPACKSSWB, vop::VPACKSSDW][at - 1],
            V2::PackU => [vop::VPACKUSWB, vop::VPACKUSDW][at - 1],
            V2::SignOf if small => [vop::VPSIGNB, vop::VPSIGNW, vop::VPSIGND][at],
            V2::ShlAll if at > 0 => [vop::VPSLLW, vop::VPSLLD, vop::VPSLLQ][at - 1],
            V2::ShrAllU if at > 0 => [vop::VPSRLW, vop::VPSRLD, vop::VPSRLQ][at - 1],
            V2::ShrAllS if matches!(lane, Lane::H | Lane::S) => [vop::VPSRAW, vop::VPSRAD][at - 1],
            V2::ShlEach if at > 1 => [vop::VPSLLVD, vop::VPSLLVQ][at - 2],
            V2::ShrEachU if at > 1 => [vop::VPSRLVD, vop::VPSRLVQ][at - 2],
            V2::ShrEachS => vop::VPSRAVD,
            _ => return self.v2_several(v, op, lane, a, b),
        };
        self.vop2(v, one, a, b);
        true
    }

    fn v2_several(&mut self, v: Val, op: V2, lane: Lane, a: Val, b: Val) -> bool {
        let at = lane as usize;
        let small = lane != Lane::D;
        match op {
            V2::AndNot => {
                let rb = self.x(b);
                let ma = self.xm(a);
                let d = self.xdef(v, Some(b));
                self.a.v3(vop::VPANDN, L128, d, rb, ma);
            }
            V2::OrNot => {
                let rb = self.x(b);
                let ma = self.xm(a);
                let d = self.xdef(v, Some(b));
                self.not(XSCRATCH, rb);
                self.a.v3(vop::VPOR, L128, d, XSCRATCH, ma);
            }
            V2::Mul if lane == Lane::B => self.mul_bytes(v, a, b),
            V2::AbdS if small => self.difference(v, a, b, MAX_S[at], MIN_S[at], SUB[at]),
            V2::AbdU if small => self.difference(v, a, b, MAX_U[at], MIN_U[at], SUB[at]),
            V2::CmpGeS => {
                // Not less.
                let rb = self.x(b);
                let ma = self.xm(a);
                let d = self.xdef(v, Some(b));
                self.a.v3(GREATER[at], L128, XSCRATCH, rb, ma);
                self.not(d, XSCRATCH);
            }
            V2::CmpGeU if small => {
                let ra = self.x(a);
                let mb = self.xm(b);
                let d = self.xdef(v, Some(a));
                self.a.v3(MAX_U[at], L128, XSCRATCH, ra, mb);
                self.a.v3(EQUAL[at], L128, d, XSCRATCH, ra);
            }
            V2::CmpGtU if small => {
                let ra = self.x(a);
                let mb = self.xm(b);
                let d = self.xdef(v, Some(a));
                self.a.v3(MIN_U[at], L128, XSCRATCH, ra, mb);
                self.a.v3(EQUAL[at], L128, XSCRATCH, XSCRATCH, ra);
                self.not(d, XSCRATCH);
            }
            V2::CmpGtU | V2::CmpGeU => {
                let (a, b, turned) = if op == V2::CmpGtU { (a, b, false) } else { (b, a, true) };
                let (ra, mb, d, w) = self.vregs(v, a, b);
                let flip = self.pool(splat(lane, sign(lane)));
                self.a.v3(vop::VPXOR, L128, XSCRATCH, ra, flip);
                self.load_operand(w, mb);
                self.a.v3(vop::VPXOR, L128, w, w, flip);
                self.a.v3(vop::VPCMPGTQ, L128, if turned { XSCRATCH } else { d }, XSCRATCH, w);
                if turned {
                    self.not(d, XSCRATCH);
                }
            }
            V2::CmpTst => {
                let (ra, mb, d, w) = self.vregs(v, a, b);
                self.a.v3(vop::VPAND, L128, XSCRATCH, ra, mb);
                self.a.v3(vop::VPXOR, L128, w, w, w);
                self.a.v3(EQUAL[at], L128, XSCRATCH, XSCRATCH, w);
                self.not(d, XSCRATCH);
            }
            V2::SatAddU if small => {
                // min(a, !b) + b
                let rb = self.x(b);
                let ma = self.xm(a);
                let d = self.xdef(v, Some(b));
                self.not(XSCRATCH, rb);
                self.a.v3(MIN_U[at], L128, XSCRATCH, XSCRATCH, ma);
                self.a.v3(ADD[at], L128, d, XSCRATCH, rb);
            }
            V2::SatSubU if small => {
                let ra = self.x(a);
                let mb = self.xm(b);
                let d = self.xdef(v, Some(a));
                self.a.v3(MAX_U[at], L128, XSCRATCH, ra, mb);
                // The operand may have been the result's register: it is read before that is written.
                self.a.v3(SUB[at], L128, d, XSCRATCH, mb);
            }
            V2::SatAddS | V2::SatSubS if lane == Lane::S => self.saturate_words(v, a, b, op == V2::SatSubS),
            V2::HalfAddU if at < 2 => {
                // The rounding average, less one where the sum was odd.
                let (ra, mb, d, w) = self.vregs(v, a, b);
                self.a.v3([vop::VPAVGB, vop::VPAVGW][at], L128, XSCRATCH, ra, mb);
                self.a.v3(vop::VPXOR, L128, w, ra, mb);
                let ones = self.pool(splat(lane, 1));
                self.a.v3(vop::VPAND, L128, w, w, ones);
                self.a.v3(SUB[at], L128, d, XSCRATCH, w);
            }
            V2::HalfAddS | V2::HalfAddRoundS if at < 2 => self.half_add_signed(v, lane, a, b, op == V2::HalfAddRoundS),
            V2::HalfAddU | V2::HalfAddS | V2::HalfAddRoundU | V2::HalfAddRoundS if lane == Lane::S => {
                let shift = if matches!(op, V2::HalfAddU | V2::HalfAddRoundU) { vop::VPSRLD_I } else { vop::VPSRAD_I };
                let round = matches!(op, V2::HalfAddRoundU | V2::HalfAddRoundS);
                // Rounding: (a | b) - ((a ^ b) >> 1); not: (a & b) + ((a ^ b) >> 1).
                let (ra, mb, d, w) = self.vregs(v, a, b);
                self.a.v3(vop::VPXOR, L128, XSCRATCH, ra, mb);
                self.a.v3(if round { vop::VPOR } else { vop::VPAND }, L128, w, ra, mb);
                self.a.vshift_i(shift, L128, XSCRATCH, XSCRATCH, 1);
                self.a.v3(if round { vop::VPSUBD } else { vop::VPADDD }, L128, d, w, XSCRATCH);
            }
            V2::HalfSubU | V2::HalfSubS if at < 2 => {
                // Signed numbers are moved up by 2^(n-1) both, which their difference does not show. (a - b) >> 1 modulo the lane: the rounding average of a and !b, with the borrow's bit: avg(a, !b) - 2^(n-1).
                let (ra, mb, d, w) = self.vregs(v, a, b);
                let bias = self.pool(splat(lane, sign(lane)));
                self.load_operand(w, mb);
                self.not(w, w);
                let mut from = ra;
                if op == V2::HalfSubS {
                    self.a.v3(vop::VPXOR, L128, w, w, bias);
                    self.a.v3(vop::VPXOR, L128, XSCRATCH, ra, bias);
                    from = XSCRATCH;
                }
                self.a.v3([vop::VPAVGB, vop::VPAVGW][at], L128, XSCRATCH, from, w);
                self.a.v3(SUB[at], L128, d, XSCRATCH, bias);
            }
            V2::SatDoubleMulHi | V2::SatDoubleMulHiRound if lane == Lane::H => {
                self.double_mul_hi_half(v, a, b, op == V2::SatDoubleMulHiRound);
            }
            V2::SatDoubleMulHi | V2::SatDoubleMulHiRound if lane == Lane::S => {
                self.double_mul_hi_word(v, a, b, op == V2::SatDoubleMulHiRound);
            }
            V2::ShiftS | V2::ShiftU | V2::ShiftRoundS | V2::ShiftRoundU => {
                let by = ShiftBy {
                    signed: matches!(op, V2::ShiftS | V2::ShiftRoundS),
                    round: matches!(op, V2::ShiftRoundS | V2::ShiftRoundU),
                };
                return self.shift_lanes(v, by, lane, a, b);
            }
            _ => return self.v2_shuffle(v, op, lane, a, b),
        }
        true
    }

    /// to = !from
    pub(super) fn not(&mut self, to: Xmm, from: Xmm) {
        let ones = self.pool(u128::MAX);
        self.a.v3(vop::VPXOR, L128, to, from, ones);
    }

    /// The operand in a register: its own, or `w` if it is in memory.
    pub(super) fn operand_in(&mut self, m: Xm, w: Xmm) -> Xmm {
        match m {
            Xm::Reg(x) => x,
            Xm::Mem(_) => {
                self.load_operand(w, m);
                w
            }
        }
    }

    pub(super) fn load_operand(&mut self, to: Xmm, from: Xm) {
        match from {
            Xm::Reg(x) => self.a.vmov(L128, to, x),
            Xm::Mem(m) => self.a.v2(vop::VMOVDQU, L128, to, m),
        }
    }

    fn difference(&mut self, v: Val, a: Val, b: Val, max: VOp, min: VOp, sub: VOp) {
        let (ra, mb, d, w) = self.vregs(v, a, b);
        self.a.v3(max, L128, XSCRATCH, ra, mb);
        self.a.v3(min, L128, w, ra, mb);
        self.a.v3(sub, L128, d, XSCRATCH, w);
    }

    fn mul_bytes(&mut self, v: Val, a: Val, b: Val) {
        let (ra, mb, d, w) = self.vregs(v, a, b);
        // Odd bytes: a's moved down times b's in place is the product in place.
        let odd = self.pool(splat(Lane::H, 0xff00));
        self.a.v2(vop::VMOVDQU, L128, XSCRATCH, odd);
        self.a.v3(vop::VPAND, L128, XSCRATCH, XSCRATCH, mb);
        self.a.vshift_i(vop::VPSRLW_I, L128, w, ra, 8);
        self.a.v3(vop::VPMULLW, L128, w, w, XSCRATCH);
        // w may be the result's register and is not an operand's: these are still whole.
        self.a.v3(vop::VPMULLW, L128, XSCRATCH, ra, mb);
        let even = self.pool(splat(Lane::H, 0x00ff));
        self.a.v3(vop::VPAND, L128, XSCRATCH, XSCRATCH, even);
        self.a.v3(vop::VPOR, L128, d, XSCRATCH, w);
    }

    fn saturate_words(&mut self, v: Val, a: Val, b: Val, subtract: bool) {
        let (ra, mb, d, w, u) = self.vregs2(v, a, b);
        // Overflow: the sum's sign differs from a's, and (adding) b's is a's, (subtracting) b's is not.
        self.a.v3(if subtract { vop::VPSUBD } else { vop::VPADDD }, L128, XSCRATCH, ra, mb);
        self.a.v3(vop::VPXOR, L128, w, ra, mb);
        self.a.v3(vop::VPXOR, L128, u, ra, XSCRATCH);
        self.a.v3(if subtract { vop::VPAND } else { vop::VPANDN }, L128, w, w, u);
        self.a.vshift_i(vop::VPSRAD_I, L128, u, ra, 31);
        let most = self.pool(splat(Lane::S, 0x7fff_ffff));
        self.a.v3(vop::VPXOR, L128, u, u, most);
        self.a.v4(vop::VBLENDVPS, L128, d, XSCRATCH, u, w);
    }

    fn half_add_signed(&mut self, v: Val, lane: Lane, a: Val, b: Val, round: bool) {
        let at = lane as usize;
        let (ra, mb, d, w) = self.vregs(v, a, b);
        let flip = self.pool(splat(lane, sign(lane)));
        self.a.v3(vop::VPXOR, L128, XSCRATCH, ra, flip);
        self.load_operand(w, mb);
        self.a.v3(vop::VPXOR, L128, w, w, flip);
        let average = [vop::VPAVGB, vop::VPAVGW][at];
        if round {
            self.a.v3(average, L128, XSCRATCH, XSCRATCH, w);
        } else {
            // Complements average downwards.
            self.not(XSCRATCH, XSCRATCH);
            self.not(w, w);
            self.a.v3(average, L128, XSCRATCH, XSCRATCH, w);
            self.not(XSCRATCH, XSCRATCH);
        }
        self.a.v3(vop::VPXOR, L128, d, XSCRATCH, flip);
    }

    /// Only the most negative number squared overflows, to the most negative number itself: that turns round.
    fn turn_overflow(&mut self, lane: Lane, d: Xmm, t: Xmm, w: Xmm) {
        let least = self.pool(splat(lane, sign(lane)));
        self.a.v3(EQUAL[lane as usize], L128, w, t, least);
        self.a.v3(vop::VPXOR, L128, d, t, w);
    }

    fn double_mul_hi_half(&mut self, v: Val, a: Val, b: Val, round: bool) {
        let (ra, mb, d, w) = self.vregs(v, a, b);
        if round {
            self.a.v3(vop::VPMULHRSW, L128, XSCRATCH, ra, mb);
        } else {
            self.a.v3(vop::VPMULHW, L128, XSCRATCH, ra, mb);
            self.a.v3(vop::VPMULLW, L128, w, ra, mb);
            self.a.v3(vop::VPADDW, L128, XSCRATCH, XSCRATCH, XSCRATCH);
            self.a.vshift_i(vop::VPSRLW_I, L128, w, w, 15);
            self.a.v3(vop::VPOR, L128, XSCRATCH, XSCRATCH, w);
        }
        self.turn_overflow(Lane::H, d, XSCRATCH, w);
    }

    fn double_mul_hi_word(&mut self, v: Val, a: Val, b: Val, round: bool) {
        let (ra, mb, d, w, u) = self.vregs2(v, a, b);
        self.a.v3(vop::VPMULDQ, L128, XSCRATCH, ra, mb);
        self.a.vshift_i(vop::VPSRLQ_I, L128, w, ra, 32);
        self.load_operand(u, mb);
        self.a.vshift_i(vop::VPSRLQ_I, L128, u, u, 32);
        self.a.v3(vop::VPMULDQ, L128, w, w, u);
        let half = self.pool(splat(Lane::D, 1 << 31));
        for t in [XSCRATCH, w] {
            self.a.v3(vop::VPADDQ, L128, t, t, t);
            if round {
                self.a.v3(vop::VPADDQ, L128, t, t, half);
            }
        }
        self.a.vshift_i(vop::VPSRLQ_I, L128, XSCRATCH, XSCRATCH, 32);
        self.a.v3i(vop::VPBLENDD, L128, XSCRATCH, XSCRATCH, w, 0b1010);
        self.turn_overflow(Lane::S, d, XSCRATCH, w);
    }

    pub(super) fn v1(&mut self, v: Val, op: V1, lane: Lane, a: Val) -> bool {
        let at = lane as usize;
        let small = lane != Lane::D;
        match op {
            V1::Not => self.vop2_const(v, vop::VPXOR, a, u128::MAX),
            V1::Neg => self.negate(v, SUB[at], a),
            V1::Abs if small => self.vop1(v, ABS[at], a),
            V1::Abs => {
                let ra = self.x(a);
                let d = self.xdest(v);
                let w = self.xwork(d, &[Xm::Reg(ra)]);
                self.a.vzero(XSCRATCH);
                self.a.v3(vop::VPCMPGTQ, L128, XSCRATCH, XSCRATCH, ra);
                self.a.v3(vop::VPXOR, L128, w, ra, XSCRATCH);
                self.a.v3(vop::VPSUBQ, L128, d, w, XSCRATCH);
            }
            V1::SatAbs if small => {
                let ma = self.xm(a);
                let d = self.xdef(v, Some(a));
                self.a.v2(ABS[at], L128, XSCRATCH, ma);
                let most = self.pool(splat(lane, sign(lane) - 1));
                self.a.v3(MIN_U[at], L128, d, XSCRATCH, most);
            }
            V1::SatNeg if at < 2 => self.negate(v, [vop::VPSUBSB, vop::VPSUBSW][at], a),
            V1::SatNeg => {
                let ma = self.xm(a);
                let d = self.xdest(v);
                let w = self.xwork(d, &[ma]);
                self.a.vzero(XSCRATCH);
                self.a.v3(SUB[at], L128, XSCRATCH, XSCRATCH, ma);
                self.turn_overflow(lane, d, XSCRATCH, w);
            }
            V1::Popcnt => {
                // Ones of each nibble value.
                let counts = 0x0403_0302_0302_0201_0302_0201_0201_0100;
                self.by_nibbles(v, a, counts, counts, vop::VPADDB);
            }
            V1::Bitrev if self.features.gfni => self.affine(v, a, REVERSED),
            V1::Bitrev => {
                let high = 0x0f07_0b03_0d05_0901_0e06_0a02_0c04_0800;
                self.by_nibbles(v, a, high << 4, high, vop::VPOR);
            }
            _ => return self.v1_shuffle(v, op, lane, a),
        }
        true
    }

    /// Each byte multiplied by a matrix of bits.
    pub(super) fn affine(&mut self, v: Val, a: Val, matrix: u64) {
        let ra = self.x(a);
        let d = self.xdef(v, Some(a));
        let matrix = self.pool(splat(Lane::D, matrix));
        self.a.v3i(vop::VGF2P8AFFINEQB, L128, d, ra, matrix, 0);
    }

    fn negate(&mut self, v: Val, sub: VOp, a: Val) {
        let ma = self.xm(a);
        let d = self.xdef(v, Some(a));
        self.a.vzero(XSCRATCH);
        self.a.v3(sub, L128, d, XSCRATCH, ma);
    }

    /// Each byte by two tables, for its low and its high nibble, joined.
    fn by_nibbles(&mut self, v: Val, a: Val, low: u128, high: u128, join: VOp) {
        let (ra, _, d, w, u) = self.vregs2(v, a, a);
        let mask = self.pool(splat(Lane::B, 0x0f));
        self.a.v3(vop::VPAND, L128, XSCRATCH, ra, mask);
        self.a.vshift_i(vop::VPSRLW_I, L128, w, ra, 4);
        self.a.v3(vop::VPAND, L128, w, w, mask);
        let table = self.pool(low);
        self.a.v2(vop::VMOVDQU, L128, u, table);
        self.a.v3(vop::VPSHUFB, L128, XSCRATCH, u, XSCRATCH);
        if high != low {
            let table = self.pool(high);
            self.a.v2(vop::VMOVDQU, L128, u, table);
        }
        self.a.v3(vop::VPSHUFB, L128, w, u, w);
        self.a.v3(join, L128, d, XSCRATCH, w);
    }
}
