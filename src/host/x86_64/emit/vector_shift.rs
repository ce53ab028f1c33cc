//! Shifts of vector lanes. The host has none of bytes, and no arithmetic one of 64-bit lanes without AVX-512.

use super::super::XSCRATCH;
use super::super::asm::vop::VOp;
use super::super::asm::{L128, L256, Xm, Xmm, vop};
use super::Emitter;
use super::vector::splat;
use ir::{Lane, VShift, Val};

const LEFT: [VOp; 4] = [vop::VPSLLW_I, vop::VPSLLW_I, vop::VPSLLD_I, vop::VPSLLQ_I];
const RIGHT: [VOp; 4] = [vop::VPSRLW_I, vop::VPSRLW_I, vop::VPSRLD_I, vop::VPSRLQ_I];
const ARITHMETIC: [VOp; 3] = [vop::VPSRAW_I, vop::VPSRAW_I, vop::VPSRAD_I];
const ADD: [VOp; 4] = [vop::VPADDB, vop::VPADDW, vop::VPADDD, vop::VPADDQ];

/// vgf2p8affineqb's matrix for a shift of bytes: bit i of the result is the parity of the source and byte 7 - i of the matrix.
fn byte_shift(op: VShift, n: u32) -> u64 {
    (0..8_u32).fold(0, |matrix, i| {
        let from = match op {
            VShift::Shl => i.checked_sub(n),
            VShift::ShrU => Some(i + n).filter(|b| *b < 8),
            _ => Some((i + n).min(7)),
        };
        matrix | from.map_or(0, |b| 1 << b) << (8 * (7 - i))
    })
}

impl Emitter<'_> {
    pub(super) fn vshift(&mut self, v: Val, op: VShift, lane: Lane, a: Val, n: u32) -> bool {
        match op {
            VShift::Shl | VShift::ShrU | VShift::ShrS if lane == Lane::B && n > 0 && self.features.gfni => {
                self.affine(v, a, byte_shift(op, n));
            }
            VShift::Shl if n == 0 => self.vop1(v, vop::VMOVUPS, a),
            VShift::Shl | VShift::ShrU => {
                let ra = self.x(a);
                let d = self.xdef(v, Some(a));
                if op == VShift::Shl {
                    self.shift_left(lane, d, ra, n);
                } else {
                    self.shift_right(lane, d, ra, n);
                }
            }
            VShift::ShrS => {
                let ra = self.x(a);
                let d = self.xdest(v);
                let w = self.xwork(d, &[Xm::Reg(ra)]);
                self.shift_arithmetic(lane, w, ra, n);
                if w != d {
                    self.a.vmov(L128, d, w);
                }
            }
            VShift::ShrRoundU | VShift::ShrRoundS => {
                // The bit shifted out last is added.
                let ra = self.x(a);
                let d = self.xdest(v);
                let w = self.xwork(d, &[Xm::Reg(ra)]);
                if op == VShift::ShrRoundS {
                    self.shift_arithmetic(lane, w, ra, n);
                } else {
                    self.shift_right(lane, w, ra, n);
                }
                let from = if n > 1 {
                    self.a.vshift_i(RIGHT[lane as usize], L128, XSCRATCH, ra, n as u8 - 1);
                    XSCRATCH
                } else {
                    ra
                };
                let ones = self.pool(splat(lane, 1));
                self.a.v3(vop::VPAND, L128, XSCRATCH, from, ones);
                self.a.v3(ADD[lane as usize], L128, d, XSCRATCH, w);
            }
            VShift::ShlSatS | VShift::ShlSatU | VShift::ShlSatSU => {
                if !matches!(lane, Lane::H | Lane::S) {
                    return false;
                }
                self.shift_saturating(v, op, lane, a, n);
            }
        }
        true
    }

    /// Left; a lane that does not come back when shifted right again has overflowed. Lanes H, S.
    fn shift_saturating(&mut self, v: Val, op: VShift, lane: Lane, a: Val, n: u32) {
        let at = lane as usize;
        let (ra, _, d, w, u) = self.vregs2(v, a, a);
        let from = if op == VShift::ShlSatSU {
            // Negative numbers become zero.
            let zero = self.pool(0);
            self.a.v3(if lane == Lane::H { vop::VPMAXSW } else { vop::VPMAXSD }, L128, w, ra, zero);
            w
        } else {
            ra
        };
        let signed = op == VShift::ShlSatS;
        let back = if signed { ARITHMETIC[at] } else { RIGHT[at] };
        self.a.vshift_i(LEFT[at], L128, XSCRATCH, from, n as u8);
        self.a.vshift_i(back, L128, u, XSCRATCH, n as u8);
        self.a.v3(if lane == Lane::H { vop::VPCMPEQW } else { vop::VPCMPEQD }, L128, u, u, from);
        if signed {
            let most = self.pool(splat(lane, lane.mask() >> 1));
            self.a.vshift_i(ARITHMETIC[at], L128, w, ra, lane.bits() as u8 - 1);
            self.a.v3(vop::VPXOR, L128, w, w, most);
            self.a.v4(vop::VPBLENDVB, L128, d, w, XSCRATCH, u);
        } else {
            self.not(u, u);
            self.a.v3(vop::VPOR, L128, d, XSCRATCH, u);
        }
    }

    fn shift_left(&mut self, lane: Lane, d: Xmm, a: Xmm, n: u32) {
        self.a.vshift_i(LEFT[lane as usize], L128, d, a, n as u8);
        if lane == Lane::B {
            let mask = self.pool(splat(lane, 0xff << n));
            self.a.v3(vop::VPAND, L128, d, d, mask);
        }
    }

    fn shift_right(&mut self, lane: Lane, d: Xmm, a: Xmm, n: u32) {
        self.a.vshift_i(RIGHT[lane as usize], L128, d, a, n as u8);
        if lane == Lane::B {
            let mask = self.pool(splat(lane, 0xff >> n));
            self.a.v3(vop::VPAND, L128, d, d, mask);
        }
    }

    /// `t` is not `a`, nor scratch, which is overwritten.
    fn shift_arithmetic(&mut self, lane: Lane, t: Xmm, a: Xmm, n: u32) {
        let n = n.min(lane.bits() - 1);
        match lane {
            Lane::H | Lane::S => self.a.vshift_i(ARITHMETIC[lane as usize], L128, t, a, n as u8),
            Lane::B => {
                // The sign's new place flipped and subtracted spreads it.
                self.shift_right(lane, t, a, n);
                let sign = self.pool(splat(lane, 0x80 >> n));
                self.a.v3(vop::VPXOR, L128, t, t, sign);
                self.a.v3(vop::VPSUBB, L128, t, t, sign);
            }
            Lane::D => {
                self.a.vzero(XSCRATCH);
                self.a.v3(vop::VPCMPGTQ, L128, XSCRATCH, XSCRATCH, a);
                self.a.v3(vop::VPXOR, L128, t, a, XSCRATCH);
                self.a.vshift_i(vop::VPSRLQ_I, L128, t, t, n as u8);
                self.a.v3(vop::VPXOR, L128, t, t, XSCRATCH);
            }
        }
    }

    /// By the signed low byte of each lane of b: left, or right if negative, perhaps rounding. False for lanes that are not done here.
    pub(super) fn shift_lanes(&mut self, v: Val, by: ShiftBy, lane: Lane, a: Val, b: Val) -> bool {
        match lane {
            Lane::H => self.shift_halves(v, by, a, b),
            Lane::S => self.shift_whole(v, by, lane, a, b),
            Lane::D if !by.signed => self.shift_whole(v, by, lane, a, b),
            _ => return false,
        }
        true
    }

    /// Lanes that the host shifts by amounts of their own. The byte as it is for left, 256 less it for right: amounts of a lane's width and
    /// more give 0 or the sign, so that of the two the one that is not meant does so.
    fn shift_whole(&mut self, v: Val, by: ShiftBy, lane: Lane, a: Val, b: Val) {
        let double = lane == Lane::D;
        let left = if double { vop::VPSLLVQ } else { vop::VPSLLVD };
        let right = match (by.signed, double) {
            (true, _) => vop::VPSRAVD,
            (false, true) => vop::VPSRLVQ,
            (false, false) => vop::VPSRLVD,
        };
        let (ra, mb, d, w, u) = self.vregs2(v, a, b);
        self.amounts(lane, mb, w);
        if by.round {
            let minus_one = self.pool(u128::MAX);
            self.a.v3(ADD[lane as usize], L128, u, w, minus_one);
        }
        self.a.v3(left, L128, XSCRATCH, ra, XSCRATCH);
        self.a.v3(right, L128, w, ra, w);
        if by.round {
            // The bit shifted out last is added.
            self.a.v3(right, L128, u, ra, u);
            let ones = self.pool(splat(lane, 1));
            self.a.v3(vop::VPAND, L128, u, u, ones);
            self.a.v3(ADD[lane as usize], L128, w, w, u);
        }
        if by.signed {
            self.load_operand(u, mb);
            self.a.vshift_i(vop::VPSLLD_I, L128, u, u, 24);
            self.a.v4(vop::VBLENDVPS, L128, d, XSCRATCH, w, u);
        } else {
            self.a.v3(vop::VPOR, L128, d, XSCRATCH, w);
        }
    }

    /// The amounts to the left in scratch, to the right in `w`.
    fn amounts(&mut self, lane: Lane, b: Xm, w: Xmm) {
        let byte = self.pool(splat(lane, 0xff));
        let around = self.pool(splat(lane, 0x100));
        self.a.v2(vop::VMOVDQU, L128, XSCRATCH, byte);
        self.a.v3(vop::VPAND, L128, XSCRATCH, XSCRATCH, b);
        self.a.v2(vop::VMOVDQU, L128, w, around);
        let subtract = [vop::VPSUBB, vop::VPSUBW, vop::VPSUBD, vop::VPSUBQ][lane as usize];
        self.a.v3(subtract, L128, w, w, XSCRATCH);
    }

    /// 16-bit lanes: as 32-bit ones in a vector twice as wide.
    fn shift_halves(&mut self, v: Val, by: ShiftBy, a: Val, b: Val) {
        self.xlimit(&[a, b], 0);
        let (ma, mb) = (self.xm(a), self.xm(b));
        let d = self.xdest(v);
        let wide = self.xwork(d, &[ma, mb]);
        let (w, u) = (self.xtemp(), self.xtemp());
        let right = if by.signed { vop::VPSRAVD } else { vop::VPSRLVD };
        self.amounts(Lane::H, mb, w);
        self.a.v2(if by.signed { vop::VPMOVSXWD } else { vop::VPMOVZXWD }, L256, wide, ma);
        if by.round {
            let minus_one = self.pool(u128::MAX);
            self.a.v3(vop::VPADDW, L128, u, w, minus_one);
            self.a.v2(vop::VPMOVZXWD, L256, u, u);
            self.a.v3(right, L256, u, wide, u);
            self.a.vshift_i(vop::VPSLLD_I, L256, u, u, 31);
            self.a.vshift_i(vop::VPSRLD_I, L256, u, u, 31);
        }
        self.a.v2(vop::VPMOVZXWD, L256, XSCRATCH, XSCRATCH);
        self.a.v3(vop::VPSLLVD, L256, XSCRATCH, wide, XSCRATCH);
        self.a.v2(vop::VPMOVZXWD, L256, w, w);
        self.a.v3(right, L256, w, wide, w);
        if by.round {
            self.a.v3(vop::VPADDD, L256, w, w, u);
        }
        for x in [XSCRATCH, w] {
            self.a.vshift_i(vop::VPSLLD_I, L256, x, x, 16);
            self.a.vshift_i(vop::VPSRLD_I, L256, x, x, 16);
            self.a.vsti(vop::VEXTRACTI128_ST, L256, wide, x, 1);
            self.a.v3(vop::VPACKUSDW, L128, x, x, wide);
        }
        if by.signed {
            self.load_operand(u, mb);
            self.a.vshift_i(vop::VPSLLW_I, L128, u, u, 8);
            self.a.vshift_i(vop::VPSRAW_I, L128, u, u, 15);
            self.a.v4(vop::VPBLENDVB, L128, d, XSCRATCH, w, u);
        } else {
            self.a.v3(vop::VPOR, L128, d, XSCRATCH, w);
        }
        // Code without VEX encodings is slow while upper halves are in use.
        self.a.vzeroupper();
    }
}

/// How lanes are shifted by amounts of their own.
#[derive(Clone, Copy, Debug)]
pub(super) struct ShiftBy {
    pub(super) signed: bool,
    pub(super) round: bool,
}
