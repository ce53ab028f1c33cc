//! Cryptographic steps and checksums on the host's instructions for them.

use super::super::alloc::size;
use super::super::asm::vop::VOp;
use super::super::asm::{Alu, L128, Shift, Size, Xm, Xmm, vop};
use super::super::plan::{NO_HOME, Round};
use super::super::{SCRATCH, XSCRATCH, XTEMPS, field};
use super::Emitter;
use super::float::KEEP_LANE_0;
use super::vector::splat;
use crate::cpu::at;
use ir::{Crypto, Lane, Op, Ty, V3, Val};

/// CRC-32's polynomial with its lowest term first, the leading one included.
const CRC32: u64 = 0x1_db71_0641;
/// Its inverse as a power series, to 64 terms.
const CRC32_INVERSE: u64 = inverse(CRC32);

/// The carry-less inverse modulo 2^64 of a polynomial with constant term 1.
const fn inverse(p: u64) -> u64 {
    let (mut rest, mut inverse, mut i) = (1u64, 0u64, 0);
    while i < 64 {
        if rest >> i & 1 == 1 {
            inverse |= 1 << i;
            rest ^= p << i;
        }
        i += 1;
    }
    inverse
}

/// The lanes of a vector of words in the opposite order.
const REVERSED: u8 = 0x1b;
/// The upper lanes, at the bottom.
const UPPER: u8 = 0x0e;
/// Shuffles between SHA-256's state as the guest has it, (a b c d) and (e f g h), and as the host has it. They are the way back too.
const EFBA: u8 = 0x11;
const HGDC: u8 = 0xbb;

/// SHA-256's state as the host has it, in two value registers that hold nothing, and the values that it is as the guest has it. The next rounds
/// begin with it: shuffles back and forth would take longer than half of the rounds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Sha256 {
    abcd: Val,
    efgh: Val,
    pub(crate) efba: Xmm,
    pub(crate) hgdc: Xmm,
}

/// The instruction for a round of AES, with its MixColumns or without.
fn aes_round(op: Crypto, is_mixed: bool) -> VOp {
    match (op == Crypto::AesSubShift, is_mixed) {
        (true, true) => vop::VAESENC,
        (true, false) => vop::VAESENCLAST,
        (false, true) => vop::VAESDEC,
        (false, false) => vop::VAESDECLAST,
    }
}

impl Emitter<'_> {
    pub(super) fn crypto(&mut self, v: Val, op: Crypto, a: Val, b: Val) -> bool {
        match op {
            // The host's rounds end with the key, which is zero here.
            Crypto::AesSubShift | Crypto::AesInvSubShift => self.aes_sub_shift(v, op, a),
            Crypto::AesMix => {
                // The inverse last round undoes what a whole round does before its MixColumns.
                let ra = self.x(a);
                let d = self.xdef(v, Some(a));
                self.a.vzero(XSCRATCH);
                self.a.v3(vop::VAESDECLAST, L128, d, ra, XSCRATCH);
                self.a.v3(vop::VAESENC, L128, d, d, XSCRATCH);
            }
            Crypto::AesInvMix => self.vop1(v, vop::VAESIMC, a),
            Crypto::Sha1H => {
                let ra = self.x(a);
                let d = self.xdest(v);
                let w = self.xwork(d, &[Xm::Reg(ra)]);
                self.rotate_left(w, ra, 30);
                self.a.v3i(vop::VINSERTPS, L128, d, w, w, KEEP_LANE_0);
            }
            Crypto::Sha1Su1 => {
                let (ra, mb, d, w, u) = self.vregs2(v, a, b);
                self.load_operand(w, mb);
                self.a.vshift_i(vop::VPSRLDQ_I, L128, w, w, 4);
                self.a.v3(vop::VPXOR, L128, w, w, ra);
                self.rotate_left(w, w, 1);
                // The last word has the first one in it, turned once more.
                self.a.vshift_i(vop::VPSLLDQ_I, L128, u, w, 12);
                self.rotate_left(u, u, 1);
                self.a.v3(vop::VPXOR, L128, d, u, w);
            }
            Crypto::Sha256Su0 if self.features.sha => {
                let ra = self.x(a);
                let mb = self.xm(b);
                let d = self.xdest(v);
                let from = match mb {
                    Xm::Reg(x) if x != d || d == ra => x,
                    // The old encoding wants its memory aligned.
                    _ => {
                        self.load_operand(XSCRATCH, mb);
                        XSCRATCH
                    }
                };
                if d != ra {
                    self.a.vmov(L128, d, ra);
                }
                self.a.sha256msg1(d, from);
            }
            _ => return false,
        }
        true
    }

    /// Each word of `from` turned left; `to` may be `from`. Scratch is overwritten.
    fn rotate_left(&mut self, to: Xmm, from: Xmm, n: u8) {
        self.a.vshift_i(vop::VPSRLD_I, L128, XSCRATCH, from, 32 - n);
        self.a.vshift_i(vop::VPSLLD_I, L128, to, from, n);
        self.a.v3(vop::VPOR, L128, to, to, XSCRATCH);
    }

    // ---- AES ----

    /// Together with the MixColumns that follows it is one instruction.
    fn aes_sub_shift(&mut self, v: Val, op: Crypto, a: Val) {
        let mix = if op == Crypto::AesSubShift { Crypto::AesMix } else { Crypto::AesInvMix };
        let both = self.mixed_next(v, mix);
        let ra = self.x(a);
        let d = self.xdef(both.unwrap_or(v), Some(a));
        self.a.vzero(XSCRATCH);
        self.a.v3(aes_round(op, both.is_some()), L128, d, ra, XSCRATCH);
        if let Some(both) = both {
            self.done = both.0;
        }
    }

    /// The round that ends with its key, by the exclusive or `v`.
    pub(super) fn keyed_round(&mut self, v: Val, round: Round) {
        self.vop2(v, aes_round(round.op, round.is_mixed), round.state, round.key);
    }

    /// The operation that is the only one to use `v`, if it follows at once and is that one.
    fn mixed_next(&self, v: Val, mix: Crypto) -> Option<Val> {
        if self.plan.uses[v.0 as usize] != 1 {
            return None;
        }
        for i in v.0 + 1..(v.0 + 6).min(self.r.insts.len() as u32) {
            match self.r.insts[i as usize].op {
                Op::Crypto(op, x, _) if op == mix && x == v && !self.plan.skip[i as usize] => return Some(Val(i)),
                Op::Insn { .. } | Op::Const(_) | Op::ConstV(_) => {}
                _ if self.plan.skip[i as usize] => {}
                _ => return None,
            }
        }
        None
    }

    // ---- SHA ----

    pub(super) fn sha(&mut self, v: Val, op: V3, [a, b, c]: [Val; 3]) -> bool {
        match op {
            V3::Sha1Su0 => {
                self.xlimit(&[b, a, c], 2);
                let rb = self.x(b);
                self.xlimit(&[b, a, c], 2);
                let (ma, mc) = (self.xm(a), self.xm(c));
                let d = self.xdef(v, Some(b));
                self.a.v3i(vop::VPALIGNR, L128, XSCRATCH, rb, ma, 8);
                self.a.v3(vop::VPXOR, L128, XSCRATCH, XSCRATCH, ma);
                self.a.v3(vop::VPXOR, L128, d, XSCRATCH, mc);
            }
            V3::Sha256Su1 if self.features.sha => {
                self.xlimit(&[c, a, b], 1);
                let rc = self.x(c);
                self.xlimit(&[c, a, b], 1);
                let (ma, mb) = (self.xm(a), self.xm(b));
                let d = self.xdef(v, Some(c));
                self.a.v3i(vop::VPALIGNR, L128, XSCRATCH, rc, mb, 4);
                if d == rc {
                    self.a.v3(vop::VPADDD, L128, XSCRATCH, XSCRATCH, ma);
                    self.a.sha256msg2(XSCRATCH, rc);
                    self.a.vmov(L128, d, XSCRATCH);
                } else {
                    self.a.v3(vop::VPADDD, L128, d, XSCRATCH, ma);
                    self.a.sha256msg2(d, rc);
                }
            }
            V3::Sha256H | V3::Sha256H2 if self.features.sha => {
                self.sha256_rounds(v, op, [a, b, c]);
            }
            V3::Sha256Rounds2 if self.features.sha => self.sha256_two_rounds(v, a, b, c),
            V3::Sha1C | V3::Sha1P | V3::Sha1M if self.features.sha => self.sha1_rounds(v, op, a, b, c),
            _ => return false,
        }
        true
    }

    /// Four rounds. The host has the state as (f e b a), (h g d c), and does two rounds at a time, their words in xmm0, which is a home.
    fn sha256_rounds(&mut self, v: Val, op: V3, [a, b, words]: [Val; 3]) {
        // H2 has its operands the other way round.
        let (abcd, efgh) = if op == V3::Sha256H { (a, b) } else { (b, a) };
        let other = self.other_half(v, op, [b, a, words]);
        let now = self.now;
        // Both halves are made here: operands that the second is the last to use end here.
        self.now = other.map_or(now, |v| v.0);
        let roots = [abcd, efgh].map(|v| self.root(v));
        let kept = self.sha256.filter(|s| [s.abcd, s.efgh] == roots);
        self.xlimit(&[abcd, efgh, words], 0);
        let (efba, first) = (XSCRATCH, Xmm(0));
        let hgdc = match kept {
            Some(s) => {
                self.a.vmov(L128, efba, s.efba);
                s.hgdc
            }
            None => {
                let efgh = self.x(efgh);
                let m_abcd = self.xm(abcd);
                let hgdc = self.xtemp();
                self.a.v3i(vop::VSHUFPS, L128, efba, efgh, m_abcd, EFBA);
                self.a.v3i(vop::VSHUFPS, L128, hgdc, efgh, m_abcd, HGDC);
                hgdc
            }
        };
        self.sha256 = None;
        // They may be the operand that was loaded just now.
        self.xlimit(&[words], 0);
        let m_words = self.xm(words);
        self.xmm.locked = 1 << hgdc.0;
        if let Xm::Reg(x) = m_words {
            self.xmm.locked |= 1 << x.0;
        }
        let mut halves = vec![(self.xdest(v), op)];
        if let Some(v) = other {
            let op = if op == V3::Sha256H { V3::Sha256H2 } else { V3::Sha256H };
            halves.push((self.xdest(v), op));
        }
        let all_homes = halves.iter().all(|(d, _)| !XTEMPS.contains(d));
        let is_free = halves.iter().any(|(d, _)| *d == first);
        if !is_free {
            self.a.vst(vop::VMOVUPS_ST, L128, field(at::SAVE), first);
        }
        self.load_operand(first, m_words);
        self.a.sha256rnds2(hgdc, efba);
        self.a.v2i(vop::VPSHUFD, L128, first, first, UPPER);
        self.a.sha256rnds2(efba, hgdc);
        if !is_free {
            self.a.v2(vop::VMOVUPS, L128, first, field(at::SAVE));
        }
        for (d, op) in halves {
            let half = if op == V3::Sha256H { HGDC } else { EFBA };
            self.a.v3i(vop::VSHUFPS, L128, d, efba, hgdc, half);
        }
        if let Some(other) = other {
            self.done = other.0;
            if all_homes {
                let kept = self.xtemp();
                self.a.vmov(L128, kept, efba);
                let (abcd, efgh) = if op == V3::Sha256H { (v, other) } else { (other, v) };
                self.sha256 = Some(Sha256 { abcd, efgh, efba: kept, hgdc });
            }
        }
        self.now = now;
    }

    /// The other half of the same four rounds, if nothing but writing this half's slot is done before it.
    fn other_half(&self, v: Val, op: V3, operands: [Val; 3]) -> Option<Val> {
        let mut written = NO_HOME;
        for i in v.0 + 1..(v.0 + 6).min(self.end) {
            match self.r.insts[i as usize].op {
                _ if self.plan.skip[i as usize] => {}
                Op::V3(other @ (V3::Sha256H | V3::Sha256H2), _, a, b, c) if other != op => {
                    let is_it = [a, b, c].map(|v| self.root(v)) == operands.map(|v| self.root(v));
                    let home = self.plan.home[i as usize];
                    return (is_it && (home == NO_HOME || home != written)).then_some(Val(i));
                }
                Op::Set(slot, x) if x == v && written == NO_HOME => written = slot.0,
                Op::Insn { .. } | Op::Const(_) => {}
                _ => return None,
            }
        }
        None
    }

    /// The host's own two rounds; their words in xmm0, which is a home.
    fn sha256_two_rounds(&mut self, v: Val, cdgh: Val, abef: Val, words: Val) {
        self.xlimit(&[cdgh, abef, words], 0);
        let (m_cdgh, m_abef, m_words) = (self.xm(cdgh), self.xm(abef), self.xm(words));
        let d = self.xdest(v);
        let first = Xmm(0);
        let w = if d == first { self.xtemp() } else { self.xwork(d, &[m_cdgh, m_abef, m_words]) };
        self.load_operand(XSCRATCH, m_cdgh);
        self.load_operand(w, m_abef);
        let kept = d != first && m_words != Xm::Reg(first);
        if kept {
            self.a.vst(vop::VMOVUPS_ST, L128, field(at::SAVE), first);
        }
        self.load_operand(first, m_words);
        self.a.sha256rnds2(XSCRATCH, w);
        if kept {
            self.a.v2(vop::VMOVUPS, L128, first, field(at::SAVE));
        }
        self.a.vmov(L128, d, XSCRATCH);
    }

    /// Four rounds. The host has the words in the opposite order, adds the constants, which the guest has added already, and takes e
    /// added to the first word.
    fn sha1_rounds(&mut self, v: Val, op: V3, abcd: Val, e: Val, words: Val) {
        let (function, constant) = match op {
            V3::Sha1C => (0, 0x5a82_7999u32),
            V3::Sha1P => (1, 0x6ed9_eba1),
            _ => (2, 0x8f1b_bcdc),
        };
        self.xlimit(&[abcd, e, words], 0);
        let (ma, me, mw) = (self.xm(abcd), self.xm(e), self.xm(words));
        let d = self.xdest(v);
        let w = self.xwork(d, &[ma, me, mw]);
        let u = self.xtemp();
        self.a.v2i(vop::VPSHUFD, L128, w, mw, REVERSED);
        let less = self.pool(splat(Lane::S, constant.wrapping_neg().into()));
        self.a.v3(vop::VPADDD, L128, w, w, less);
        self.load_operand(u, me);
        self.a.vshift_i(vop::VPSLLDQ_I, L128, u, u, 12);
        self.a.v3(vop::VPADDD, L128, w, w, u);
        self.a.v2i(vop::VPSHUFD, L128, XSCRATCH, ma, REVERSED);
        self.a.sha1rnds4(XSCRATCH, w, function);
        self.a.v2i(vop::VPSHUFD, L128, d, XSCRATCH, REVERSED);
    }

    // ---- CRC-32 ----

    /// The message's bits, the first the lowest, are divided as a power series; the quotient times the polynomial then has the remainder above
    /// them. They stand at the top of 64 bits, so that the remainder begins at bit 64.
    pub(super) fn crc32(&mut self, v: Val, acc: Val, x: Val, bytes: u8) {
        self.clobber();
        let rx = self.reg(x);
        let ra = self.reg(acc);
        self.a.mov(Size::D, SCRATCH, ra);
        let wide = size(if bytes == 8 { Ty::I64 } else { Ty::I32 });
        self.a.alu(Alu::Xor, wide, SCRATCH, rx);
        if bytes < 8 {
            self.a.shift_i(Shift::Shl, Size::Q, SCRATCH, 64 - 8 * bytes);
        }
        let both = self.pool(u128::from(CRC32) << 64 | u128::from(CRC32_INVERSE));
        self.a.v2(vop::VMOVQ_G, L128, XSCRATCH, SCRATCH);
        self.a.v3i(vop::VPCLMULQDQ, L128, XSCRATCH, XSCRATCH, both, 0x00);
        self.a.v3i(vop::VPCLMULQDQ, L128, XSCRATCH, XSCRATCH, both, 0x10);
        if bytes < 4 {
            // What of the old value has not met the message yet.
            self.a.vsti(vop::VPEXTRD_ST, L128, SCRATCH, XSCRATCH, 2);
            let t = self.temp();
            self.a.mov(Size::D, t, ra);
            self.a.shift_i(Shift::Shr, Size::D, t, 8 * bytes);
            self.a.alu(Alu::Xor, Size::D, SCRATCH, t);
            self.gpr.locked = 0;
            let d = self.def(v, None);
            self.a.mov(Size::D, d, SCRATCH);
        } else {
            self.gpr.locked = 0;
            let d = self.def(v, None);
            self.a.vsti(vop::VPEXTRD_ST, L128, d, XSCRATCH, 2);
        }
    }
}
