//! AES, carry-less products, SHA and CRC-32C.

use super::Cx;
use super::sse_move::choice;
use crate::insn::rows;
use crate::state::xmm;
use iced_x86::Instruction;
use ir::{Bin, Crypto, Lane, Ty, V1, V2, V3, VShift, Val};

rows! {
    Aesenc, Vaesenc => aes_round(Crypto::AesSubShift, Some(Crypto::AesMix));
    Aesenclast, Vaesenclast => aes_round(Crypto::AesSubShift, None);
    Aesdec, Vaesdec => aes_round(Crypto::AesInvSubShift, Some(Crypto::AesInvMix));
    Aesdeclast, Vaesdeclast => aes_round(Crypto::AesInvSubShift, None);
    Aesimc, Vaesimc => aes_mix();
    Aeskeygenassist, Vaeskeygenassist => aes_key();
    Pclmulqdq, Vpclmulqdq => product();
    Sha1rnds4 => sha1_rounds();
    Sha1nexte => sha1_next();
    Sha1msg1 => sha1_first();
    Sha1msg2 => sha1_second();
    Sha256rnds2 => sha256_rounds();
    Sha256msg1 => sha256_first();
    Sha256msg2 => sha256_second();
    Crc32 => crc32();
}

impl Cx<'_> {
    fn operands(&mut self, i: &Instruction) -> (Val, Val) {
        (self.first(i), self.source(i, 16))
    }

    /// The lanes of four, chosen.
    pub(super) fn words(&mut self, v: Val, lanes: [u32; 4]) -> Val {
        let table = self.b.v128(choice(Lane::S, lanes.into_iter().map(Some)));
        self.b.v2(V2::Tbl, Lane::B, v, table)
    }

    fn rotate_words(&mut self, v: Val, left: u32) -> Val {
        let high = self.b.vshift(VShift::Shl, Lane::S, v, left);
        let low = self.b.vshift(VShift::ShrU, Lane::S, v, 32 - left);
        self.b.v2(V2::Or, Lane::S, high, low)
    }
}

/// The key comes last, after the columns are mixed.
fn aes_round(cx: &mut Cx, i: &Instruction, op: Crypto, mix: Option<Crypto>) {
    let (state, key) = cx.operands(i);
    let mut v = cx.b.crypto(op, state, state);
    if let Some(mix) = mix {
        v = cx.b.crypto(mix, v, v);
    }
    let v = cx.b.v2(V2::Xor, Lane::D, v, key);
    cx.set_vector(i, v);
}

fn aes_mix(cx: &mut Cx, i: &Instruction) {
    let v = cx.source(i, 16);
    let v = cx.b.crypto(Crypto::AesInvMix, v, v);
    cx.set_vector(i, v);
}

/// Words 1 and 3 through the box, each followed by itself turned and with the constant.
fn aes_key(cx: &mut Cx, i: &Instruction) {
    // Bytes of the source that the result's bytes come of.
    const WANTED: [u8; 16] = [4, 5, 6, 7, 5, 6, 7, 4, 12, 13, 14, 15, 13, 14, 15, 12];
    // Placed so that the rows' shift brings them there: row r of column c comes from column c + r.
    let mut placed = [0; 16];
    for (at, from) in WANTED.into_iter().enumerate() {
        let (row, column) = (at % 4, at / 4);
        placed[row + 4 * ((column + row) % 4)] = from;
    }
    let v = cx.source(i, 16);
    let table = cx.b.v128(u128::from_le_bytes(placed));
    let v = cx.b.v2(V2::Tbl, Lane::B, v, table);
    let v = cx.b.crypto(Crypto::AesSubShift, v, v);
    let constant = u128::from(i.immediate8());
    let constant = cx.b.v128(constant << 32 | constant << 96);
    let v = cx.b.v2(V2::Xor, Lane::D, v, constant);
    cx.set_vector(i, v);
}

/// PCLMULQDQ: bits 0 and 4 choose the halves.
fn product(cx: &mut Cx, i: &Instruction) {
    let (a, b) = cx.operands(i);
    let half = |cx: &mut Cx, v: Val, bit: u8| {
        if i.immediate8() & bit == 0 { v } else { cx.b.v1(V1::MoveHi, Lane::D, v) }
    };
    let (a, b) = (half(cx, a, 1), half(cx, b, 16));
    let v = cx.b.v2(V2::PMulWide, Lane::D, a, b);
    cx.set_vector(i, v);
}

// ---- SHA: the first word stands in the highest lane; the engine's steps are Arm's, which have it in the lowest ----

/// Four rounds; the constants are added here, E is part of the first word.
fn sha1_rounds(cx: &mut Cx, i: &Instruction) {
    let (state, words) = cx.operands(i);
    let (op, constant) = match i.immediate8() & 3 {
        0 => (V3::Sha1C, 0x5a82_7999u32),
        1 => (V3::Sha1P, 0x6ed9_eba1),
        2 => (V3::Sha1M, 0x8f1b_bcdc),
        _ => (V3::Sha1P, 0xca62_c1d6),
    };
    let state = cx.words(state, [3, 2, 1, 0]);
    let words = cx.words(words, [3, 2, 1, 0]);
    let constant = cx.b.v128(u128::from(constant) * 0x1_0000_0001_0000_0001_0000_0001);
    let words = cx.b.v2(V2::Add, Lane::S, words, constant);
    let e = cx.b.v128(0);
    let v = cx.b.v3(op, Lane::S, state, e, words);
    let v = cx.words(v, [3, 2, 1, 0]);
    cx.set_vector(i, v);
}

/// The next E, which was A, added to the first word.
fn sha1_next(cx: &mut Cx, i: &Instruction) {
    let (state, words) = cx.operands(i);
    let a = cx.b.vget(Ty::I32, state, 3);
    let e = cx.b.shift_imm(Bin::Rotr, a, 2);
    let first = cx.b.vget(Ty::I32, words, 3);
    let sum = cx.b.add(first, e);
    let v = cx.b.vset(Lane::S, words, sum, 3);
    cx.set_vector(i, v);
}

fn sha1_first(cx: &mut Cx, i: &Instruction) {
    let (a, b) = cx.operands(i);
    let later = cx.b.vext(b, a, 8);
    let v = cx.b.v2(V2::Xor, Lane::D, a, later);
    cx.set_vector(i, v);
}

/// The last word has the first one in it.
fn sha1_second(cx: &mut Cx, i: &Instruction) {
    let (a, b) = cx.operands(i);
    let zero = cx.b.v128(0);
    let later = cx.b.vext(zero, b, 12);
    let v = cx.b.v2(V2::Xor, Lane::D, a, later);
    let v = cx.rotate_words(v, 1);
    let first = cx.b.vext(v, zero, 12);
    let first = cx.rotate_words(first, 1);
    let v = cx.b.v2(V2::Xor, Lane::D, v, first);
    cx.set_vector(i, v);
}

/// Two rounds, their words in XMM0.
fn sha256_rounds(cx: &mut Cx, i: &Instruction) {
    let (cdgh, abef) = cx.operands(i);
    let words = cx.b.get(xmm(0));
    let v = cx.b.v3(V3::Sha256Rounds2, Lane::S, cdgh, abef, words);
    cx.set_vector(i, v);
}

fn sha256_first(cx: &mut Cx, i: &Instruction) {
    let (a, b) = cx.operands(i);
    let v = cx.b.crypto(Crypto::Sha256Su0, a, b);
    cx.set_vector(i, v);
}

/// Arm's step adds three words that the first operand has in it already, and the last one's lowest.
fn sha256_second(cx: &mut Cx, i: &Instruction) {
    let (a, b) = cx.operands(i);
    let (zero, upper) = (cx.b.v128(0), cx.b.v128(!0 << 32));
    let b = cx.b.v2(V2::And, Lane::S, b, upper);
    let v = cx.b.v3(V3::Sha256Su1, Lane::S, a, zero, b);
    cx.set_vector(i, v);
}

fn crc32(cx: &mut Cx, i: &Instruction) {
    let v = cx.read(i, 1);
    let bytes = cx.b.ty(v).bytes();
    let v = if bytes < 4 { cx.b.zext(Ty::I32, v) } else { v };
    let n = i.op0_register().full_register().number() as u32;
    let acc = cx.low(Ty::I32, n);
    let crc = cx.b.crc32(acc, v, bytes as u32, true);
    cx.set_low(n, crc);
}
