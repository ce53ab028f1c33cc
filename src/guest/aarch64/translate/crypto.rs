//! Cryptographic instructions: AES, SHA-1, SHA-2, SHA-3, SM3, SM4 (Arm ARM C4.1.96). PMULL is in simd_wide.rs.

use super::Cx;
use super::simd::rows;
use crate::insn::*;
use ir::{Bin, Crypto, Lane, Ty, V2, V3, VShift, Val};

/// AESE, AESD: the key is added first.
fn aes_round(cx: &mut Cx, [d, n]: [u32; 2], op: Crypto) {
    let (a, b) = (cx.v(d), cx.v(n));
    let v = cx.b.v2(V2::Xor, Lane::D, a, b);
    let v = cx.b.crypto(op, v, v);
    cx.set_whole(d, v);
}

rows! { aes_round(d n):
    aese Aese(Crypto::AesSubShift);
    aesd Aesd(Crypto::AesInvSubShift);
}

/// Vd = op(Vn).
fn unary(cx: &mut Cx, [d, n]: [u32; 2], op: Crypto) {
    let a = cx.v(n);
    let v = cx.b.crypto(op, a, a);
    cx.set_whole(d, v);
}

rows! { unary(d n):
    aesmc Aesmc(Crypto::AesMix);
    aesimc Aesimc(Crypto::AesInvMix);
    sha1h Sha1h(Crypto::Sha1H);
}

/// Vd = op(Vd, Vn).
fn update(cx: &mut Cx, [d, n]: [u32; 2], op: Crypto) {
    let (a, b) = (cx.v(d), cx.v(n));
    let v = cx.b.crypto(op, a, b);
    cx.set_whole(d, v);
}

rows! { update(d n):
    sha1su1 Sha1su1(Crypto::Sha1Su1);
    sha256su0 Sha256su0(Crypto::Sha256Su0);
    sha512su0 Sha512su0(Crypto::Sha512Su0);
    sm4e Sm4e(Crypto::Sm4E);
}

pub(crate) fn sm4ekey(cx: &mut Cx, i: Sm4ekey) {
    let (a, b) = (cx.v(i.n), cx.v(i.m));
    let v = cx.b.crypto(Crypto::Sm4Ekey, a, b);
    cx.set_whole(i.d, v);
}

/// Vd = op(Vd, Vn, Vm).
fn update3(cx: &mut Cx, [d, n, m]: [u32; 3], op: V3, lane: Lane) {
    let (a, b, c) = (cx.v(d), cx.v(n), cx.v(m));
    let v = cx.b.v3(op, lane, a, b, c);
    cx.set_whole(d, v);
}

rows! { update3(d n m):
    sha1c Sha1c(V3::Sha1C, Lane::S);
    sha1p Sha1p(V3::Sha1P, Lane::S);
    sha1m Sha1m(V3::Sha1M, Lane::S);
    sha1su0 Sha1su0(V3::Sha1Su0, Lane::S);
    sha256h Sha256h(V3::Sha256H, Lane::S);
    sha256h2 Sha256h2(V3::Sha256H2, Lane::S);
    sha256su1 Sha256su1(V3::Sha256Su1, Lane::S);
    sha512h Sha512h(V3::Sha512H, Lane::D);
    sha512h2 Sha512h2(V3::Sha512H2, Lane::D);
    sha512su1 Sha512su1(V3::Sha512Su1, Lane::D);
    sm3partw1 Sm3partw1(V3::Sm3PartW1, Lane::S);
    sm3partw2 Sm3partw2(V3::Sm3PartW2, Lane::S);
}

pub(crate) fn sm3ss1(cx: &mut Cx, i: Sm3ss1) {
    let (a, b, c) = (cx.v(i.n), cx.v(i.m), cx.v(i.a));
    let v = cx.b.v3(V3::Sm3Ss1, Lane::S, a, b, c);
    cx.set_whole(i.d, v);
}

// ---- SHA-3 ----

pub(crate) fn eor3(cx: &mut Cx, i: Eor3) {
    let (a, b, c) = (cx.v(i.n), cx.v(i.m), cx.v(i.a));
    let v = cx.b.v2(V2::Xor, Lane::D, a, b);
    let v = cx.b.v2(V2::Xor, Lane::D, v, c);
    cx.set_whole(i.d, v);
}

pub(crate) fn bcax(cx: &mut Cx, i: Bcax) {
    let (a, b, c) = (cx.v(i.n), cx.v(i.m), cx.v(i.a));
    let v = cx.b.v2(V2::AndNot, Lane::D, b, c);
    let v = cx.b.v2(V2::Xor, Lane::D, a, v);
    cx.set_whole(i.d, v);
}

/// Doublewords rotated right by 1 to 63.
fn rotate(cx: &mut Cx, v: Val, amount: u32) -> Val {
    let low = cx.b.vshift(VShift::ShrU, Lane::D, v, amount);
    let high = cx.b.vshift(VShift::Shl, Lane::D, v, 64 - amount);
    cx.b.v2(V2::Or, Lane::D, low, high)
}

pub(crate) fn rax1(cx: &mut Cx, i: Rax1) {
    let (a, b) = (cx.v(i.n), cx.v(i.m));
    let b = rotate(cx, b, 63);
    let v = cx.b.v2(V2::Xor, Lane::D, a, b);
    cx.set_whole(i.d, v);
}

pub(crate) fn xar(cx: &mut Cx, i: Xar) {
    let (a, b) = (cx.v(i.n), cx.v(i.m));
    let mut v = cx.b.v2(V2::Xor, Lane::D, a, b);
    if i.i != 0 {
        v = rotate(cx, v, i.i);
    }
    cx.set_whole(i.d, v);
}

// ---- SM3 ----

/// The functions of SM3's compression: exclusive or (rounds 0 to 15), majority, choice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mix {
    Parity,
    Majority,
    Choose,
}

impl Mix {
    fn of(self, cx: &mut Cx, x: Val, y: Val, z: Val) -> Val {
        match self {
            Mix::Parity => {
                let v = cx.b.xor(x, y);
                cx.b.xor(v, z)
            }
            Mix::Majority => {
                // x&y | (x|y)&z
                let (both, any) = (cx.b.and(x, y), cx.b.or(x, y));
                let v = cx.b.and(any, z);
                cx.b.or(both, v)
            }
            Mix::Choose => {
                let (a, b) = (cx.b.and(x, y), cx.b.and_not(z, x));
                cx.b.or(a, b)
            }
        }
    }
}

fn rotate_left(cx: &mut Cx, v: Val, amount: u32) -> Val {
    cx.b.shift_imm(Bin::Rotr, v, 32 - amount)
}

/// SM3TT1A …: a half round. `second`: the half with TT2, whose new word is TT2 ^ TT2 <<< 9 ^ TT2 <<< 17.
fn sm3_half_round(cx: &mut Cx, [d, n, m, i]: [u32; 4], mix: Mix, second: bool) {
    let (state, ss, w) = (cx.v(d), cx.v(n), cx.v(m));
    let word = |cx: &mut Cx, i: u32| cx.b.vget(Ty::I32, state, i);
    let [s0, s1, s2, s3] = [0, 1, 2, 3].map(|i| word(cx, i));
    let (ss, w) = (cx.b.vget(Ty::I32, ss, 3), cx.b.vget(Ty::I32, w, i));
    let mixed = mix.of(cx, s3, s2, s1);
    // TT1 takes SS2 = Vn[3] ^ rol(A, 12), TT2 takes SS1 = Vn[3].
    let ss = if second {
        ss
    } else {
        let turned = rotate_left(cx, s3, 12);
        cx.b.xor(ss, turned)
    };
    let mut t = cx.b.add(mixed, s0);
    t = cx.b.add(t, ss);
    t = cx.b.add(t, w);
    if second {
        let (a, b) = (rotate_left(cx, t, 9), rotate_left(cx, t, 17));
        t = cx.b.xor(t, a);
        t = cx.b.xor(t, b);
    }
    let middle = rotate_left(cx, s2, if second { 19 } else { 9 });
    let mut v = cx.b.v_from_scalar(s1);
    for (n, word) in [(1, middle), (2, s3), (3, t)] {
        v = cx.b.vset(Lane::S, v, word, n);
    }
    cx.set_whole(d, v);
}

rows! { sm3_half_round(d n m i):
    sm3tt1a Sm3tt1a(Mix::Parity, false);
    sm3tt1b Sm3tt1b(Mix::Majority, false);
    sm3tt2a Sm3tt2a(Mix::Parity, true);
    sm3tt2b Sm3tt2b(Mix::Choose, true);
}
