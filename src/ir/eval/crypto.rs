//! Steps of AES (FIPS 197), SHA-1, SHA-256, SHA-512 (FIPS 180-4), SM3 (GB/T 32905) and SM4 (GB/T 32907), in the pieces that
//! Arm's instructions have (DDI 0487, C7.2). The boxes are computed from the standards' formulas.
//!
//! Operands stand in the order of the assembly language, the destination first where it is read; SM3SS1's are Vn, Vm, Va.

use super::vector::{build, get};
use crate::op::{Crypto, V3};
use crate::types::Lane;

/// The product in GF(2^8) modulo `polynomial` (with its bit 8).
const fn gf_mul(a: u8, b: u8, polynomial: u16) -> u8 {
    let (mut product, mut factor, mut i) = (0u16, a as u16, 0);
    while i < 8 {
        if b >> i & 1 == 1 {
            product ^= factor;
        }
        factor <<= 1;
        if factor & 0x100 != 0 {
            factor ^= polynomial;
        }
        i += 1;
    }
    product as u8
}

/// The inverse in GF(2^8), 0 for 0: the 254th power.
const fn gf_inverse(a: u8, polynomial: u16) -> u8 {
    let (mut power, mut i) = (1, 0);
    while i < 254 {
        power = gf_mul(power, a, polynomial);
        i += 1;
    }
    power
}

/// x^8 + x^4 + x^3 + x + 1
const AES_POLYNOMIAL: u16 = 0x11B;
/// x^8 + x^7 + x^6 + x^5 + x^4 + x^2 + 1
const SM4_POLYNOMIAL: u16 = 0x1F5;

static AES_BOX: [u8; 256] = aes_box();
static AES_INVERSE_BOX: [u8; 256] = inverse_box(&AES_BOX);
/// SM4's box (GB/T 32907-2016, 6.2).
pub static SM4_BOX: [u8; 256] = sm4_box();

/// FIPS 197, 5.1.1: the inverse, then the affine map.
const fn aes_box() -> [u8; 256] {
    let (mut table, mut i) = ([0; 256], 0);
    while i < 256 {
        let x = gf_inverse(i as u8, AES_POLYNOMIAL);
        table[i] = x ^ x.rotate_left(1) ^ x.rotate_left(2) ^ x.rotate_left(3) ^ x.rotate_left(4) ^ 0x63;
        i += 1;
    }
    table
}

const fn inverse_box(table: &[u8; 256]) -> [u8; 256] {
    let (mut inverse, mut i) = ([0; 256], 0);
    while i < 256 {
        inverse[table[i] as usize] = i as u8;
        i += 1;
    }
    inverse
}

/// The affine map, the inverse, the affine map again.
const fn sm4_box() -> [u8; 256] {
    let (mut table, mut i) = ([0; 256], 0);
    while i < 256 {
        table[i] = sm4_affine(gf_inverse(sm4_affine(i as u8), SM4_POLYNOMIAL));
        i += 1;
    }
    table
}

/// Bit i of the result is the parity of the matrix's row, which turns with i, then the constant.
const fn sm4_affine(x: u8) -> u8 {
    let (mut out, mut i) = (0, 0);
    while i < 8 {
        let row = 0xA7u8.rotate_left(i);
        out |= ((row & x).count_ones() as u8 & 1) << i;
        i += 1;
    }
    out ^ 0xD3
}

fn word(v: u128, i: usize) -> u32 {
    get(v, Lane::S, i) as u32
}

fn words(f: impl Fn(usize) -> u32) -> u128 {
    build(Lane::S, 4, |i| f(i).into())
}

fn halves(v: u128) -> (u64, u64) {
    (v as u64, (v >> 64) as u64)
}

fn joined(low: u64, high: u64) -> u128 {
    u128::from(low) | u128::from(high) << 64
}

pub(super) fn two(op: Crypto, a: u128, b: u128) -> u128 {
    match op {
        Crypto::AesSubShift => shift_rows(a, &AES_BOX, 5),
        Crypto::AesInvSubShift => shift_rows(a, &AES_INVERSE_BOX, 13),
        Crypto::AesMix => mix_columns(a, [2, 3, 1, 1]),
        Crypto::AesInvMix => mix_columns(a, [14, 11, 13, 9]),
        Crypto::Sha1H => word(a, 0).rotate_left(30).into(),
        Crypto::Sha1Su1 => sha1_su1(a, b),
        Crypto::Sha256Su0 => {
            words(|i| word(a, i).wrapping_add(sigma256(word(if i < 3 { a } else { b }, (i + 1) % 4), 7, 18, 3)))
        }
        Crypto::Sha512Su0 => {
            let ((w0, w1), (x0, _)) = (halves(a), halves(b));
            joined(w0.wrapping_add(sigma512(w1, 1, 8, 7)), w1.wrapping_add(sigma512(x0, 1, 8, 7)))
        }
        Crypto::Sm4E => (0..4).fold(a, |state, i| sm4_round(state, word(b, i), |x| turned(x, &[2, 10, 18, 24]))),
        Crypto::Sm4Ekey => (0..4).fold(a, |state, i| sm4_round(state, word(b, i), |x| turned(x, &[13, 23]))),
    }
}

pub(super) fn three(op: V3, a: u128, b: u128, c: u128) -> u128 {
    match op {
        V3::Sha1C => sha1(a, b, c, choose),
        V3::Sha1P => sha1(a, b, c, |x, y, z| x ^ y ^ z),
        V3::Sha1M => sha1(a, b, c, majority),
        V3::Sha1Su0 => (a >> 64 | b << 64) ^ a ^ c,
        V3::Sha256H => sha256(a, b, c).0,
        V3::Sha256H2 => sha256(b, a, c).1,
        V3::Sha256Su1 => sha256_su1(a, b, c),
        V3::Sha256Rounds2 => sha256_rounds2(a, b, c),
        V3::Sha512H => sha512_h(a, b, c),
        V3::Sha512H2 => sha512_h2(a, b, c),
        V3::Sha512Su1 => {
            let ((w0, w1), (x0, x1), (y0, y1)) = (halves(a), halves(b), halves(c));
            let sum = |w: u64, x, y| w.wrapping_add(sigma512(x, 19, 61, 6)).wrapping_add(y);
            joined(sum(w0, x0, y0), sum(w1, x1, y1))
        }
        V3::Sm3PartW1 => sm3_part_w1(a, b, c),
        V3::Sm3PartW2 => sm3_part_w2(a, b, c),
        V3::Sm3Ss1 => {
            let sum = word(a, 3).rotate_left(12).wrapping_add(word(b, 3)).wrapping_add(word(c, 3));
            u128::from(sum.rotate_left(7)) << 96
        }
        _ => unreachable!("{op:?} is not a cryptographic step"),
    }
}

// ---- AES ----

/// Byte i of the result comes through the box from byte i * step: 5 moves row r left by r columns, 13 right.
fn shift_rows(state: u128, table: &[u8; 256], step: usize) -> u128 {
    build(Lane::B, 16, |i| {
        let from = (i % 4 * step + i / 4 * 4) % 16;
        table[get(state, Lane::B, from) as usize].into()
    })
}

/// Each column times the circulant matrix with this first row.
fn mix_columns(state: u128, row: [u8; 4]) -> u128 {
    build(Lane::B, 16, |i| {
        let column = i / 4 * 4;
        let product = |k: usize| {
            let byte = get(state, Lane::B, column + (i + k) % 4) as u8;
            gf_mul(byte, row[k], AES_POLYNOMIAL)
        };
        (product(0) ^ product(1) ^ product(2) ^ product(3)).into()
    })
}

// ---- SHA ----

fn choose(x: u32, y: u32, z: u32) -> u32 {
    (y ^ z) & x ^ z
}

fn majority(x: u32, y: u32, z: u32) -> u32 {
    x & y | (x | y) & z
}

/// Two rotations and a shift to the right.
fn sigma256(x: u32, r1: u32, r2: u32, shift: u32) -> u32 {
    x.rotate_right(r1) ^ x.rotate_right(r2) ^ x >> shift
}

fn sigma512(x: u64, r1: u32, r2: u32, shift: u32) -> u64 {
    x.rotate_right(r1) ^ x.rotate_right(r2) ^ x >> shift
}

fn sum256(x: u32, turns: [u32; 3]) -> u32 {
    turns.iter().fold(0, |sum, &n| sum ^ x.rotate_right(n))
}

fn sum512(x: u64, turns: [u32; 3]) -> u64 {
    turns.iter().fold(0, |sum, &n| sum ^ x.rotate_right(n))
}

/// Four rounds of SHA-1 (SHA1C, SHA1P, SHA1M): x is (d c b a), y is e, w holds the schedule plus the constant.
fn sha1(mut x: u128, y: u128, w: u128, f: fn(u32, u32, u32) -> u32) -> u128 {
    let mut e = word(y, 0);
    for i in 0..4 {
        let [a, b, c, d] = [0, 1, 2, 3].map(|i| word(x, i));
        let next = e.wrapping_add(a.rotate_left(5)).wrapping_add(f(b, c, d)).wrapping_add(word(w, i));
        e = d;
        x = [next, a, b.rotate_left(30), c].iter().rev().fold(0, |v, &word| v << 32 | u128::from(word));
    }
    x
}

fn sha1_su1(a: u128, b: u128) -> u128 {
    let t = a ^ b >> 32;
    let low = words(|i| word(t, i).rotate_left(1));
    low ^ u128::from(word(t, 0).rotate_left(2)) << 96
}

/// Four rounds of SHA-256 (SHA256hash): x is (d c b a), y is (h g f e).
fn sha256(mut x: u128, mut y: u128, w: u128) -> (u128, u128) {
    for i in 0..4 {
        let [a, b, c, d] = [0, 1, 2, 3].map(|i| word(x, i));
        let [e, f, g, h] = [0, 1, 2, 3].map(|i| word(y, i));
        let t = h.wrapping_add(sum256(e, [6, 11, 25])).wrapping_add(choose(e, f, g)).wrapping_add(word(w, i));
        let new_a = t.wrapping_add(sum256(a, [2, 13, 22])).wrapping_add(majority(a, b, c));
        x = x << 32 | u128::from(new_a);
        y = y << 32 | u128::from(t.wrapping_add(d));
    }
    (x, y)
}

/// Two rounds (x86's SHA256RNDS2).
fn sha256_rounds2(cdgh: u128, abef: u128, w: u128) -> u128 {
    let [mut a, mut b, mut e, mut f] = [3, 2, 1, 0].map(|i| word(abef, i));
    let [mut c, mut d, mut g, mut h] = [3, 2, 1, 0].map(|i| word(cdgh, i));
    for i in 0..2 {
        let t = h.wrapping_add(sum256(e, [6, 11, 25])).wrapping_add(choose(e, f, g)).wrapping_add(word(w, i));
        let next = t.wrapping_add(sum256(a, [2, 13, 22])).wrapping_add(majority(a, b, c));
        (h, g, f, e) = (g, f, e, d.wrapping_add(t));
        (d, c, b, a) = (c, b, a, next);
    }
    words(|i| [f, e, b, a][i])
}

fn sha256_su1(a: u128, b: u128, c: u128) -> u128 {
    let between = b >> 32 | c << 96;
    let next = |i: usize, last: u32| word(a, i).wrapping_add(word(between, i)).wrapping_add(sigma256(last, 17, 19, 10));
    let (w0, w1) = (next(0, word(c, 2)), next(1, word(c, 3)));
    let (w2, w3) = (next(2, w0), next(3, w1));
    words(|i| [w0, w1, w2, w3][i])
}

/// The first half of two rounds of SHA-512 (SHA512H).
fn sha512_h(w: u128, x: u128, y: u128) -> u128 {
    let ((w0, w1), (x0, x1), (y0, y1)) = (halves(w), halves(x), halves(y));
    let round = |e: u64, f: u64, g: u64, w: u64| (e & f ^ !e & g).wrapping_add(sum512(e, [14, 18, 41])).wrapping_add(w);
    let high = round(y1, x0, x1, w1);
    let low = round(high.wrapping_add(y0), y1, x0, w0);
    joined(low, high)
}

/// The second half (SHA512H2).
fn sha512_h2(w: u128, x: u128, y: u128) -> u128 {
    let ((w0, w1), (x0, _), (y0, y1)) = (halves(w), halves(x), halves(y));
    let round =
        |a: u64, b: u64, c: u64, w: u64| (a & b ^ a & c ^ b & c).wrapping_add(sum512(a, [28, 34, 39])).wrapping_add(w);
    let high = round(y0, y1, x0, w1);
    let low = round(high, y0, y1, w0);
    joined(low, high)
}

// ---- SM3 ----

/// P1 of the standard.
fn sm3_p1(x: u32) -> u32 {
    turned(x, &[15, 23])
}

fn sm3_part_w1(d: u128, n: u128, m: u128) -> u128 {
    let sum = d ^ n;
    let part = |i: usize| sm3_p1(word(sum, i) ^ word(m, i + 1).rotate_left(15));
    let (w0, w1, w2) = (part(0), part(1), part(2));
    let w3 = sm3_p1(word(sum, 3) ^ w0.rotate_left(15));
    words(|i| [w0, w1, w2, w3][i])
}

fn sm3_part_w2(d: u128, n: u128, m: u128) -> u128 {
    let t = n ^ words(|i| word(m, i).rotate_left(7));
    d ^ t ^ u128::from(sm3_p1(word(t, 0).rotate_left(15))) << 96
}

// ---- SM4 ----

/// x and its rotations to the left, summed without carry.
fn turned(x: u32, turns: &[u32]) -> u32 {
    turns.iter().fold(x, |sum, &n| sum ^ x.rotate_left(n))
}

/// One round; the new word comes in at the top.
fn sm4_round(state: u128, key: u32, linear: impl Fn(u32) -> u32) -> u128 {
    let mixed = word(state, 1) ^ word(state, 2) ^ word(state, 3) ^ key;
    let boxed = u32::from_le_bytes(mixed.to_le_bytes().map(|byte| SM4_BOX[byte as usize]));
    state >> 32 | u128::from(linear(boxed) ^ word(state, 0)) << 96
}
