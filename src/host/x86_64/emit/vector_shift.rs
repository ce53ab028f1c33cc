//! Shifts of vector lanes. The host has none of bytes, and no arithmetic one of 64-bit lanes without AVX-512.

use super::super::XSCRATCH;
use super::super::asm::vop::VOp;
use super::super::asm::{L128, Xm, Xmm, vop};
use super::Emitter;
use super::vector::splat;
use ir::{Lane, VShift, Val};

const LEFT: [VOp; 4] = [vop::VPSLLW_I, vop::VPSLLW_I, vop::VPSLLD_I, vop::VPSLLQ_I];
const RIGHT: [VOp; 4] = [vop::VPSRLW_I, vop::VPSRLW_I, vop::VPSRLD_I, vop::VPSRLQ_I];
const ARITHMETIC: [VOp; 3] = [vop::VPSRAW_I, vop::VPSRAW_I, vop::VPSRAD_I];
const ADD: [VOp; 4] = [vop::VPADDB, vop::VPADDW, vop::VPADDD, vop::VPADDQ];

impl Emitter<'_> {
    pub(super) fn vshift(&mut self, v: Val, op: VShift, lane: Lane, a: Val, n: u32) -> bool {
        match op {
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
            VShift::ShlSatS | VShift::ShlSatU | VShift::ShlSatSU => return false,
        }
        true
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

    /// By the signed low byte of each lane of b: left, or right if negative. Lanes S, D.
    pub(super) fn shift_lanes(&mut self, v: Val, signed: bool, lane: Lane, a: Val, b: Val) -> bool {
        let double = lane == Lane::D;
        if signed && double {
            return false;
        }
        let left = if double { vop::VPSLLVQ } else { vop::VPSLLVD };
        let right = match (signed, double) {
            (true, _) => vop::VPSRAVD,
            (false, true) => vop::VPSRLVQ,
            (false, false) => vop::VPSRLVD,
        };
        let (ra, mb, d, w, u) = self.vregs2(v, a, b);
        // The byte as it is for left, 256 less it for right: counts of a lane's width and more give 0 or the sign, so that of the two
        // amounts the one that is not meant does so.
        let byte = self.pool(splat(lane, 0xff));
        let around = self.pool(splat(lane, 0x100));
        self.a.v2(vop::VMOVDQU, L128, XSCRATCH, byte);
        self.a.v3(vop::VPAND, L128, XSCRATCH, XSCRATCH, mb);
        self.a.v2(vop::VMOVDQU, L128, w, around);
        self.a.v3(if double { vop::VPSUBQ } else { vop::VPSUBD }, L128, w, w, XSCRATCH);
        if signed {
            self.a.vshift_i(vop::VPSLLD_I, L128, u, XSCRATCH, 24);
        }
        self.a.v3(left, L128, XSCRATCH, ra, XSCRATCH);
        self.a.v3(right, L128, w, ra, w);
        if signed {
            self.a.v4(vop::VBLENDVPS, L128, d, XSCRATCH, w, u);
        } else {
            self.a.v3(vop::VPOR, L128, d, XSCRATCH, w);
        }
        true
    }
}
