//! The steps put together to the published test vectors of the standards.

use super::{eval, v128};
use crate::op::{Crypto, Op, V3, Val};
use crate::types::{Lane, Ty};

const VALS: [Val; 3] = [Val(0), Val(1), Val(2)];

fn step(op: Crypto, a: u128, b: u128) -> u128 {
    v128(Op::Crypto(op, VALS[0], VALS[1]), &[a, b])
}

fn step3(op: V3, a: u128, b: u128, c: u128) -> u128 {
    v128(Op::V3(op, Lane::S, VALS[0], VALS[1], VALS[2]), &[a, b, c])
}

fn words(w: [u32; 4]) -> u128 {
    w.iter().rev().fold(0, |v, &x| v << 32 | u128::from(x))
}

fn word(v: u128, i: usize) -> u32 {
    (v >> (32 * i)) as u32
}

fn add32(a: u128, b: u128) -> u128 {
    words([0, 1, 2, 3].map(|i| word(a, i).wrapping_add(word(b, i))))
}

fn pair(low: u64, high: u64) -> u128 {
    u128::from(low) | u128::from(high) << 64
}

fn add64(a: u128, b: u128) -> u128 {
    pair((a as u64).wrapping_add(b as u64), ((a >> 64) as u64).wrapping_add((b >> 64) as u64))
}

/// Bytes 8 .. 24 of b:a.
fn ext8(a: u128, b: u128) -> u128 {
    a >> 64 | b << 64
}

/// Little-endian limbs.
fn limbs_product(a: &[u32], b: &[u32]) -> Vec<u32> {
    let mut out = vec![0u32; a.len() + b.len()];
    for (i, &x) in a.iter().enumerate() {
        let mut carry = 0u64;
        for (j, &y) in b.iter().enumerate() {
            let t = u64::from(x) * u64::from(y) + u64::from(out[i + j]) + carry;
            (out[i + j], carry) = (t as u32, t >> 32);
        }
        out[i + b.len()] = carry as u32;
    }
    out
}

/// The first `32 * words` bits of the fraction of the `power`-th root of `n`: how FIPS 180-4 defines its constants.
fn root_fraction(n: u32, power: usize, words: usize) -> u64 {
    let mut limit = vec![0; words * power];
    limit.push(n);
    let mut root = 0u128;
    for bit in (0..32 * words + 5).rev() {
        let guess = root | 1 << bit;
        let limbs = [guess as u32, (guess >> 32) as u32, (guess >> 64) as u32];
        let mut product = limbs_product(&(1..power).fold(limbs.to_vec(), |p, _| limbs_product(&p, &limbs)), &[1]);
        limit.resize(product.len().max(limit.len()), 0);
        product.resize(limit.len(), 0);
        if product.iter().rev().le(limit.iter().rev()) {
            root = guess;
        }
    }
    root as u64 & (u64::MAX >> (64 - 32 * words))
}

fn primes(n: usize) -> Vec<u32> {
    (2..).filter(|p| (2..*p).all(|d| p % d != 0)).take(n).collect()
}

#[test]
fn aes_128_of_fips_197_appendix_b() {
    let bytes = |v: u128| u128::from_le_bytes(v.to_be_bytes());
    let key = bytes(0x2b7e1516_28aed2a6_abf71588_09cf4f3c);
    let plain = bytes(0x3243f6a8_885a308d_313198a2_e0370734);
    let cipher = bytes(0x3925841d_02dc09fb_dc118597_196a0b32);

    let mut keys = vec![key];
    for rcon in [1, 2, 4, 8, 16, 32, 64, 128, 0x1b, 0x36] {
        let last = keys[keys.len() - 1];
        // Equal columns: moving rows changes nothing.
        let boxed = word(step(Crypto::AesSubShift, words([word(last, 3); 4]), 0), 0).rotate_right(8) ^ rcon;
        let mut w = [0; 4];
        for i in 0..4 {
            w[i] = word(last, i) ^ if i == 0 { boxed } else { w[i - 1] };
        }
        keys.push(words(w));
    }
    let mut state = plain;
    for (round, key) in keys[..10].iter().enumerate() {
        state = step(Crypto::AesSubShift, state ^ key, 0);
        if round < 9 {
            state = step(Crypto::AesMix, state, 0);
        }
    }
    assert_eq!(state ^ keys[10], cipher);
    let mut state = cipher ^ keys[10];
    for (round, key) in keys[..10].iter().enumerate().rev() {
        if round < 9 {
            state = step(Crypto::AesInvMix, state, 0);
        }
        state = step(Crypto::AesInvSubShift, state, 0) ^ key;
    }
    assert_eq!(state, plain);
}

/// The single block of the message "abc", as words.
fn abc_block32() -> [u128; 4] {
    [words([0x61626380, 0, 0, 0]), 0, 0, words([0, 0, 0, 24])]
}

#[test]
fn sha1_of_abc() {
    let start = words([0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476]);
    let (mut state, mut e) = (start, 0xc3d2e1f0u128);
    let mut w = abc_block32();
    for group in 0..20 {
        let (op, k) =
            [(V3::Sha1C, 0x5a827999), (V3::Sha1P, 0x6ed9eba1), (V3::Sha1M, 0x8f1bbcdc), (V3::Sha1P, 0xca62c1d6)]
                [group / 5];
        let next_e = step(Crypto::Sha1H, state, 0);
        state = step3(op, state, e, add32(w[0], words([k; 4])));
        e = next_e;
        let next = step(Crypto::Sha1Su1, step3(V3::Sha1Su0, w[0], w[1], w[2]), w[3]);
        w = [w[1], w[2], w[3], next];
    }
    assert_eq!(add32(state, start), words([0xa9993e36, 0x4706816a, 0xba3e2571, 0x7850c26c]));
    assert_eq!((e as u32).wrapping_add(0xc3d2e1f0), 0x9cd0d89d);
}

#[test]
fn sha256_of_abc() {
    let k: Vec<u32> = primes(64).iter().map(|&p| root_fraction(p, 3, 1) as u32).collect();
    let h: Vec<u32> = primes(8).iter().map(|&p| root_fraction(p, 2, 1) as u32).collect();
    let start = [words([h[0], h[1], h[2], h[3]]), words([h[4], h[5], h[6], h[7]])];
    let [mut x, mut y] = start;
    let mut w = abc_block32();
    for k in k.chunks(4) {
        let wk = add32(w[0], words([k[0], k[1], k[2], k[3]]));
        (x, y) = (step3(V3::Sha256H, x, y, wk), step3(V3::Sha256H2, y, x, wk));
        let next = step3(V3::Sha256Su1, step(Crypto::Sha256Su0, w[0], w[1]), w[2], w[3]);
        w = [w[1], w[2], w[3], next];
    }
    assert_eq!(add32(x, start[0]), words([0xba7816bf, 0x8f01cfea, 0x414140de, 0x5dae2223]));
    assert_eq!(add32(y, start[1]), words([0xb00361a3, 0x96177a9c, 0xb410ff61, 0xf20015ad]));
}

#[test]
fn sha512_of_abc() {
    let k: Vec<u64> = primes(80).iter().map(|&p| root_fraction(p, 3, 2)).collect();
    let h: Vec<u64> = primes(8).iter().map(|&p| root_fraction(p, 2, 2)).collect();
    let start = [pair(h[0], h[1]), pair(h[2], h[3]), pair(h[4], h[5]), pair(h[6], h[7])];
    let [mut ab, mut cd, mut ef, mut gh] = start;
    let mut w = [pair(0x6162638000000000, 0), 0, 0, 0, 0, 0, 0, pair(0, 24)];
    for k in k.chunks(2) {
        let wk = add64(w[0], pair(k[0], k[1]));
        let t = step3(V3::Sha512H, add64(gh, ext8(wk, wk)), ext8(ef, gh), ext8(cd, ef));
        (ab, cd, ef, gh) = (step3(V3::Sha512H2, t, cd, ab), ab, add64(cd, t), ef);
        let next = step3(V3::Sha512Su1, step(Crypto::Sha512Su0, w[0], w[1]), w[7], ext8(w[4], w[5]));
        w.rotate_left(1);
        w[7] = next;
    }
    assert_eq!(add64(ab, start[0]), pair(0xddaf35a193617aba, 0xcc417349ae204131));
    assert_eq!(add64(cd, start[1]), pair(0x12e6fa4e89a97ea2, 0x0a9eeee64b55d39a));
    assert_eq!(add64(ef, start[2]), pair(0x2192992a274fc1a8, 0x36ba3c23a3feebbd));
    assert_eq!(add64(gh, start[3]), pair(0x454d4423643ce80e, 0x2a9ac94fa54ca49f));
}

/// The compression is plain here; the schedule and SS1 come from the steps.
#[test]
fn sm3_of_abc() {
    let start = [0x7380166fu32, 0x4914b2b9, 0x172442d7, 0xda8a0600, 0xa96f30bc, 0x163138aa, 0xe38dee4d, 0xb0fb0e4e];
    let ext12 = |a: u128, b: u128| a >> 96 | b << 32;
    let mut w = abc_block32().to_vec();
    while w.len() < 17 {
        let s = &w[w.len() - 4..];
        let first = step3(V3::Sm3PartW1, ext12(s[1], s[2]), s[0], s[3]);
        w.push(step3(V3::Sm3PartW2, first, ext8(s[2], s[3]), ext12(s[0], s[1])));
    }
    let w: Vec<u32> = w.iter().flat_map(|&v| [0, 1, 2, 3].map(|i| word(v, i))).collect();
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = start;
    for j in 0..64 {
        let t = if j < 16 { 0x79cc4519u32 } else { 0x7a879d8a };
        let top = |x: u32| u128::from(x) << 96;
        let ss1 = word(step3(V3::Sm3Ss1, top(a), top(e), top(t.rotate_left(j as u32))), 3);
        let (ff, gg) = match j {
            0..16 => (a ^ b ^ c, e ^ f ^ g),
            _ => (a & b | a & c | b & c, e & f | !e & g),
        };
        let tt1 = ff.wrapping_add(d).wrapping_add(ss1 ^ a.rotate_left(12)).wrapping_add(w[j] ^ w[j + 4]);
        let tt2 = gg.wrapping_add(h).wrapping_add(ss1).wrapping_add(w[j]);
        (d, c, b, a) = (c, b.rotate_left(9), a, tt1);
        (h, g, f, e) = (g, f.rotate_left(19), e, tt2 ^ tt2.rotate_left(9) ^ tt2.rotate_left(17));
    }
    let digest: Vec<u32> = [a, b, c, d, e, f, g, h].iter().zip(start).map(|(x, s)| x ^ s).collect();
    assert_eq!(
        digest,
        [0x66c7f0f4, 0x62eeedd9, 0xd1f2d46b, 0xdc10e4e2, 0x4167c487, 0x5cf2f7a2, 0x297da02b, 0x8f4ba8e0]
    );
}

#[test]
fn sm4_of_the_standards_example() {
    let key = words([0x01234567, 0x89abcdef, 0xfedcba98, 0x76543210]);
    let mut schedule = key ^ words([0xa3b1bac6, 0x56aa3350, 0x677d9197, 0xb27022dc]);
    let mut state = key;
    for group in 0..8u32 {
        let constant = |i: u32| u32::from_be_bytes([0, 1, 2, 3].map(|j| ((16 * group + 4 * i + j) * 7) as u8));
        schedule = step(Crypto::Sm4Ekey, schedule, words([0, 1, 2, 3].map(constant)));
        state = step(Crypto::Sm4E, state, schedule);
    }
    // The cipher text has the words in reverse order.
    assert_eq!(state, words([0x536e4246, 0x86b3e94f, 0xd206965e, 0x681edf34]));
}

#[test]
fn carry_less_product_of_64_bits() {
    // (x^63 + 1) * (x^63 + x) = x^126 + x^64 + x^63 + x
    let op = Op::V2(crate::op::V2::PMulWide, Lane::D, VALS[0], VALS[1]);
    let got = eval(&op, Ty::V128, &[Ty::V128; 4], &[1 << 63 | 1, 1 << 63 | 2, 0, 0], &mut 0);
    assert_eq!(got, 1 << 126 | 1 << 64 | 1 << 63 | 2);
}
