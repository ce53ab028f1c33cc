//! Cryptographic steps and checksums on the host's instructions for them.

use super::super::XSCRATCH;
use super::super::asm::{L128, vop};
use super::Emitter;
use ir::{Crypto, Val};

impl Emitter<'_> {
    pub(super) fn crypto(&mut self, v: Val, op: Crypto, a: Val, _b: Val) -> bool {
        match op {
            // The host's rounds end with the key, which is zero here.
            Crypto::AesSubShift | Crypto::AesInvSubShift => {
                let ra = self.x(a);
                let d = self.xdef(v, Some(a));
                self.a.vzero(XSCRATCH);
                let last = if op == Crypto::AesSubShift { vop::VAESENCLAST } else { vop::VAESDECLAST };
                self.a.v3(last, L128, d, ra, XSCRATCH);
            }
            Crypto::AesMix => {
                // The inverse last round undoes what a whole round does before its MixColumns.
                let ra = self.x(a);
                let d = self.xdef(v, Some(a));
                self.a.vzero(XSCRATCH);
                self.a.v3(vop::VAESDECLAST, L128, d, ra, XSCRATCH);
                self.a.v3(vop::VAESENC, L128, d, d, XSCRATCH);
            }
            Crypto::AesInvMix => self.vop1(v, vop::VAESIMC, a),
            _ => return false,
        }
        true
    }
}
