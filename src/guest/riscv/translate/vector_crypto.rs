//! Vector cryptography: Zvkg, Zvkned, Zvknh, Zvksed, Zvksh.
//!
//! These work on groups of four or eight elements ("element groups", 128 or 256 bits: one or two pieces); vl and vstart count whole ones.

use super::vector::Group;
use super::{Cx, rows};
use crate::insn::*;
use crate::state::{VL, VSTART, Vector};
use ir::{Bin, Crypto, IntCc, Lane, Ty, V1, V2, V3, Val};

/// How an instruction's second source is named.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Keys {
    /// A group of each destination's own.
    Each,
    /// The first for all.
    First,
}

/// The destination, if the instruction is legal: elements of `sew` (log2 of bytes) in groups of `elements`, `sources` as wide as the destination.
fn element_groups(cx: &mut Cx, d: u32, sources: &[u32], sew: u32, elements: u32) -> Option<(Vector, Group)> {
    let t = cx.vector().filter(|t| t.sew == sew && t.max(cx.vlenb()) >= elements)?;
    let group = |reg| cx.group(reg, t);
    if !(group(d).is_legal() && sources.iter().all(|s| group(*s).is_legal())) {
        return None;
    }
    // Others are reserved.
    for (slot, may_be) in [(VL, !t.full), (VSTART, t.started)] {
        if may_be {
            let n = cx.b.get(slot);
            let (rest, zero) = (cx.b.and_imm(n, u64::from(elements - 1)), cx.b.i32(0));
            let is_part = cx.b.cmp(IntCc::Ne, rest, zero);
            let (illegal, legal) = (cx.b.block(), cx.b.block());
            cx.b.branch(is_part, illegal, legal);
            cx.b.enter(illegal);
            cx.undefined();
            cx.b.enter(legal);
        }
    }
    Some((t, cx.group(d, t)))
}

/// Whether two operands of the type share a register.
fn overlap(cx: &Cx, t: Option<Vector>, a: u32, b: u32) -> bool {
    t.is_some_and(|t| cx.group(a, t).overlaps(cx.group(b, t)))
}

/// An instruction on groups of four words: `f` gives what the destination's becomes of itself and of vs2's.
fn each_block(cx: &mut Cx, [d, m]: [u32; 2], keys: Keys, mut f: impl FnMut(&mut Cx, Val, Val) -> Val) {
    let sources = if keys == Keys::Each { &[m][..] } else { &[] };
    // The one group is of one register, and none of the destination's.
    let inside = |t| cx.group(d, t).overlaps(Group { lmul: 0, ..cx.group(m, t) });
    if keys == Keys::First && cx.vector().is_some_and(inside) {
        return cx.undefined();
    }
    let Some((t, gd)) = element_groups(cx, d, sources, 2, 4) else { return cx.undefined() };
    cx.each(t, false, gd, |cx, k, _| {
        let (old, other) = (cx.piece(d, k), cx.piece(m, if keys == Keys::Each { k } else { 0 }));
        f(cx, old, other)
    });
}

fn keys(s: u32) -> Keys {
    if s == 1 { Keys::First } else { Keys::Each }
}

fn xor(cx: &mut Cx, a: Val, b: Val) -> Val {
    cx.b.v2(V2::Xor, Lane::D, a, b)
}

// ---- Zvkned ----

/// A round of AES: the steps before the key is added, and those after it.
fn round(cx: &mut Cx, [d, m, s]: [u32; 3], before: &[Crypto], after: &[Crypto]) {
    let steps = |cx: &mut Cx, v: Val, steps: &[Crypto]| steps.iter().fold(v, |v, step| cx.b.crypto(*step, v, v));
    each_block(cx, [d, m], keys(s), |cx, state, key| {
        let v = steps(cx, state, before);
        let v = xor(cx, v, key);
        steps(cx, v, after)
    });
}

rows! { round(d m s):
    vaesem Vaesem(&[Crypto::AesSubShift, Crypto::AesMix], &[]);
    vaesef Vaesef(&[Crypto::AesSubShift], &[]);
    vaesdm Vaesdm(&[Crypto::AesInvSubShift], &[Crypto::AesInvMix]);
    vaesdf Vaesdf(&[Crypto::AesInvSubShift], &[]);
}

pub(crate) fn vaesz(cx: &mut Cx, i: Vaesz) {
    each_block(cx, [i.d, i.m], Keys::First, xor);
}

/// SubBytes of the highest word, in each word: four columns that are alike are not changed by their rows' shifts.
fn substituted(cx: &mut Cx, v: Val, rotate: bool) -> Val {
    let word = cx.b.vget(Ty::I32, v, 3);
    let word = if rotate { cx.b.shift_imm(Bin::Rotr, word, 8) } else { word };
    let columns = cx.b.vsplat(Lane::S, word);
    cx.b.crypto(Crypto::AesSubShift, columns, columns)
}

/// `first` in all words, with the words of `keys` up to each one.
fn summed(cx: &mut Cx, first: Val, keys: Val) -> Val {
    let zero = cx.b.v128(0);
    (0..4).fold(first, |all, word| {
        let shifted = if word == 0 { keys } else { cx.b.vext(zero, keys, 16 - 4 * word) };
        xor(cx, all, shifted)
    })
}

/// AES's round constants, in powers of x modulo its polynomial.
fn round_constant(n: u32) -> u64 {
    (0..n).fold(1, |v, _| v << 1 ^ if v & 0x80 != 0 { 0x11b } else { 0 })
}

/// The round of an immediate: others than `from..=to` have bit 3 inverted.
fn round_number(i: u32, from: u32, to: u32) -> u32 {
    let n = i & 15;
    if (from..=to).contains(&n) { n } else { n ^ 8 }
}

pub(crate) fn vaeskf1(cx: &mut Cx, i: Vaeskf1) {
    let n = round_number(i.i, 1, 10);
    each_block(cx, [i.d, i.m], Keys::Each, |cx, _, key| {
        let first = substituted(cx, key, true);
        let constant = cx.splat(Lane::S, round_constant(n - 1));
        let first = xor(cx, first, constant);
        summed(cx, first, key)
    });
}

pub(crate) fn vaeskf2(cx: &mut Cx, i: Vaeskf2) {
    let n = round_number(i.i, 2, 14);
    each_block(cx, [i.d, i.m], Keys::Each, |cx, before, key| {
        let is_even = n.is_multiple_of(2);
        let mut first = substituted(cx, key, is_even);
        if is_even {
            let constant = cx.splat(Lane::S, round_constant(n / 2 - 1));
            first = xor(cx, first, constant);
        }
        summed(cx, first, before)
    });
}

// ---- Zvkg ----

/// The product in GF(2^128) modulo x^128 + x^7 + x^2 + x + 1.
fn field_product(cx: &mut Cx, a: Val, b: Val) -> Val {
    let product = |cx: &mut Cx, a, b| cx.b.v2(V2::PMulWide, Lane::D, a, b);
    let high = |cx: &mut Cx, v| cx.b.v1(V1::MoveHi, Lane::D, v);
    let (ha, hb, zero) = (high(cx, a), high(cx, b), cx.b.v128(0));
    let (low, top) = (product(cx, a, b), product(cx, ha, hb));
    let (one, other) = (product(cx, a, hb), product(cx, ha, b));
    let middle = xor(cx, one, other);
    let (up, down) = (cx.b.v2(V2::ConcatLo, Lane::D, zero, middle), high(cx, middle));
    let (low, top) = (xor(cx, low, up), xor(cx, top, down));
    // What is above comes back times the polynomial's rest; of its upper half once more.
    let rest = cx.splat(Lane::D, 0x87);
    let (first, upper) = (product(cx, top, rest), high(cx, top));
    let second = product(cx, upper, rest);
    let over = high(cx, second);
    let (second, third) = (cx.b.v2(V2::ConcatLo, Lane::D, zero, second), product(cx, over, rest));
    [first, second, third].into_iter().fold(low, |v, part| xor(cx, v, part))
}

/// GHASH has the bits of each byte the other way round.
fn ghash(cx: &mut Cx, sum: Val, key: Val) -> Val {
    let [a, b] = [sum, key].map(|v| cx.b.v1(V1::Bitrev, Lane::B, v));
    let v = field_product(cx, a, b);
    cx.b.v1(V1::Bitrev, Lane::B, v)
}

pub(crate) fn vgmul(cx: &mut Cx, i: Vgmul) {
    each_block(cx, [i.d, i.m], Keys::Each, ghash);
}

pub(crate) fn vghsh(cx: &mut Cx, i: Vghsh) {
    let Some((t, d)) = element_groups(cx, i.d, &[i.m, i.n], 2, 4) else { return cx.undefined() };
    cx.each(t, false, d, |cx, k, _| {
        let (old, key, text) = (cx.piece(i.d, k), cx.piece(i.m, k), cx.piece(i.n, k));
        let sum = xor(cx, old, text);
        ghash(cx, sum, key)
    });
}

// ---- Zvknh ----

/// Two pieces, the lower one first.
type Pair = [Val; 2];

/// SHA-256 by words, SHA-512 by doublewords: the groups of the three operands.
fn sha2(cx: &mut Cx, [d, m, n]: [u32; 3], short: fn(&mut Cx, [Val; 3]) -> Val, long: fn(&mut Cx, [Pair; 3]) -> Pair) {
    let t = cx.vector();
    let sew = t.map_or(0, |t| t.sew);
    if ![2, 3].contains(&sew) || overlap(cx, t, d, m) || overlap(cx, t, d, n) {
        return cx.undefined();
    }
    let Some((t, gd)) = element_groups(cx, d, &[m, n], sew, 4) else { return cx.undefined() };
    if sew == 3 {
        return each_pair(cx, t, gd, |cx, k| {
            let all = [d, m, n].map(|reg| pair(cx, reg, k));
            long(cx, all)
        });
    }
    cx.each(t, false, gd, |cx, k, _| {
        let all = [d, m, n].map(|reg| cx.piece(reg, k));
        short(cx, all)
    });
}

fn pair(cx: &mut Cx, reg: u32, k: u32) -> Pair {
    [k, k + 1].map(|k| cx.piece(reg, k))
}

/// Writes a group, two pieces at a time: `f` gives those that begin with a number.
fn each_pair(cx: &mut Cx, t: Vector, d: Group, mut f: impl FnMut(&mut Cx, u32) -> Pair) {
    let mut second = None;
    cx.each(t, false, d, |cx, k, _| {
        second.take().unwrap_or_else(|| {
            let [low, high] = f(cx, k);
            second = Some(high);
            low
        })
    });
}

/// Four words of the message schedule: vd has words 0 to 3, vs2 4 and 9 to 11, vs1 12 to 15.
fn schedule256(cx: &mut Cx, [d, m, n]: [Val; 3]) -> Val {
    let sum = cx.b.crypto(Crypto::Sha256Su0, d, m);
    cx.b.v3(V3::Sha256Su1, Lane::S, sum, m, n)
}

fn schedule512(cx: &mut Cx, [d, m, n]: [Pair; 3]) -> Pair {
    let words = [0, 1].map(|half| {
        let after = if half == 0 { d[1] } else { m[0] };
        cx.b.crypto(Crypto::Sha512Su0, d[half], after)
    });
    let nine = cx.b.vext(m[0], m[1], 8);
    let eleven = cx.b.vext(m[1], n[0], 8);
    let first = cx.b.v3(V3::Sha512Su1, Lane::D, words[0], n[1], nine);
    [first, cx.b.v3(V3::Sha512Su1, Lane::D, words[1], first, eleven)]
}

/// Two rounds on (c d g h) of vd and (a b e f) of vs2, the first in the highest lane, with two words.
fn rounds256(cx: &mut Cx, d: Val, m: Val, words: Val) -> Val {
    cx.b.v3(V3::Sha256Rounds2, Lane::S, d, m, words)
}

fn rounds512(cx: &mut Cx, d: Pair, m: Pair, words: Val) -> Pair {
    let get = |cx: &mut Cx, v: Pair, n: u32| cx.b.vget(Ty::I64, v[n as usize / 2], n % 2);
    let [h, g, dd, c] = [0, 1, 2, 3].map(|n| get(cx, d, n));
    let [f, e, b, a] = [0, 1, 2, 3].map(|n| get(cx, m, n));
    let mut s = [a, b, c, dd, e, f, g, h];
    for n in 0..2 {
        let word = cx.b.vget(Ty::I64, words, n);
        s = round512(cx, s, word);
    }
    let [a, b, _, _, e, f, ..] = s;
    [[f, e], [b, a]].map(|[low, high]| {
        let low = cx.b.v_from_scalar(low);
        cx.b.vset(Lane::D, low, high, 1)
    })
}

/// FIPS 180-4, 6.4.2.
fn round512(cx: &mut Cx, [a, b, c, d, e, f, g, h]: [Val; 8], word: Val) -> [Val; 8] {
    let (sum0, sum1) = (rotations(cx, a, [28, 34, 39]), rotations(cx, e, [14, 18, 41]));
    let (ch, maj) = (choice(cx, e, f, g), majority(cx, a, b, c));
    let t1 = sum(cx, &[h, sum1, ch, word]);
    [sum(cx, &[t1, sum0, maj]), a, b, c, sum(cx, &[d, t1]), e, f, g]
}

/// The exclusive or of three rotates to the right; of none by 0.
fn rotations(cx: &mut Cx, v: Val, by: [u32; 3]) -> Val {
    let [x, y, z] = by.map(|n| if n == 0 { v } else { cx.b.shift_imm(Bin::Rotr, v, n) });
    let both = cx.b.xor(x, y);
    cx.b.xor(both, z)
}

fn sum(cx: &mut Cx, parts: &[Val]) -> Val {
    parts[1..].iter().fold(parts[0], |sum, v| cx.b.add(sum, *v))
}

/// Bits of y where x has ones, of z elsewhere.
fn choice(cx: &mut Cx, x: Val, y: Val, z: Val) -> Val {
    let (one, other) = (cx.b.and(x, y), cx.b.and_not(z, x));
    cx.b.or(one, other)
}

fn majority(cx: &mut Cx, x: Val, y: Val, z: Val) -> Val {
    let (both, either) = (cx.b.and(x, y), cx.b.or(x, y));
    let with = cx.b.and(either, z);
    cx.b.or(both, with)
}

rows! { sha2(d m n):
    vsha2ms Vsha2ms(schedule256, schedule512);
    vsha2cl Vsha2cl(|cx, [d, m, n]| rounds256(cx, d, m, n), |cx, [d, m, n]| rounds512(cx, d, m, n[0]));
    vsha2ch Vsha2ch(
        |cx, [d, m, n]| {
            let words = cx.b.v1(V1::MoveHi, Lane::D, n);
            rounds256(cx, d, m, words)
        },
        |cx, [d, m, n]| rounds512(cx, d, m, n[1])
    );
}

// ---- Zvksed ----

pub(crate) fn vsm4r(cx: &mut Cx, i: Vsm4r) {
    each_block(cx, [i.d, i.m], keys(i.s), |cx, state, keys| cx.b.crypto(Crypto::Sm4E, state, keys));
}

/// The constants CK of four rounds: bytes that are multiples of 7, the first one highest.
pub(crate) fn vsm4k(cx: &mut Cx, i: Vsm4k) {
    let first = 4 * (i.i & 7);
    let word = |n: u32| (0..4).fold(0, |v, j| (v << 8) | ((4 * n + j) * 7 % 256));
    let constants = (0..4).fold(0, |v, n| v | u128::from(word(first + n)) << (32 * n));
    each_block(cx, [i.d, i.m], Keys::Each, |cx, _, keys| {
        let constants = cx.b.v128(constants);
        cx.b.crypto(Crypto::Sm4Ekey, keys, constants)
    });
}

// ---- Zvksh ----

/// Eight words, their bytes as SM3 has them.
fn words(cx: &mut Cx, reg: u32, k: u32) -> [Val; 8] {
    let both = pair(cx, reg, k).map(|v| cx.b.v1(V1::Bswap, Lane::S, v));
    [0, 1, 2, 3, 4, 5, 6, 7].map(|n: u32| cx.b.vget(Ty::I32, both[n as usize / 4], n % 4))
}

/// The same back.
fn from_words(cx: &mut Cx, words: [Val; 8]) -> Pair {
    [0, 4].map(|at| {
        let first = cx.b.v_from_scalar(words[at]);
        let v = (1..4).fold(first, |v, n| cx.b.vset(Lane::S, v, words[at + n as usize], n));
        cx.b.v1(V1::Bswap, Lane::S, v)
    })
}

/// GB/T 32905-2016, 5.3.2: words 16 to 23 of the message of words 0 to 7 (vs1) and 8 to 15 (vs2).
pub(crate) fn vsm3me(cx: &mut Cx, i: Vsm3me) {
    let t = cx.vector();
    if overlap(cx, t, i.d, i.m) {
        return cx.undefined();
    }
    let Some((t, d)) = element_groups(cx, i.d, &[i.m, i.n], 2, 8) else { return cx.undefined() };
    each_pair(cx, t, d, |cx, k| {
        let mut w = words(cx, i.n, k).to_vec();
        w.extend(words(cx, i.m, k));
        for j in 16..24 {
            let late = cx.b.shift_imm(Bin::Rotr, w[j - 3], 32 - 15);
            let v = cx.b.xor(w[j - 16], w[j - 9]);
            let v = cx.b.xor(v, late);
            // P1
            let v = rotations(cx, v, [0, 32 - 15, 32 - 23]);
            let early = cx.b.shift_imm(Bin::Rotr, w[j - 13], 32 - 7);
            let v = cx.b.xor(v, early);
            w.push(cx.b.xor(v, w[j - 6]));
        }
        from_words(cx, w[16..24].try_into().expect("eight words"))
    });
}

/// Two rounds, 2i and 2i + 1: the state is vd's, words 0, 1, 4 and 5 of those that follow are vs2's.
pub(crate) fn vsm3c(cx: &mut Cx, i: Vsm3c) {
    let t = cx.vector();
    if overlap(cx, t, i.d, i.m) {
        return cx.undefined();
    }
    let Some((t, d)) = element_groups(cx, i.d, &[i.m], 2, 8) else { return cx.undefined() };
    each_pair(cx, t, d, |cx, k| {
        let (before, w) = (words(cx, i.d, k), words(cx, i.m, k));
        let first = sm3_round(cx, before, [w[0], w[4]], 2 * i.i);
        let [a1, _, c1, _, e1, _, g1, _] = first;
        let [a2, _, c2, _, e2, _, g2, _] = sm3_round(cx, first, [w[1], w[5]], 2 * i.i + 1);
        from_words(cx, [a2, a1, c2, c1, e2, e1, g2, g1])
    });
}

/// GB/T 32905-2016, 5.3.3: a round with word j and word j + 4.
fn sm3_round(cx: &mut Cx, [a, b, c, d, e, f, g, h]: [Val; 8], [word, later]: [Val; 2], j: u32) -> [Val; 8] {
    let left = |cx: &mut Cx, v, n: u32| cx.b.shift_imm(Bin::Rotr, v, 32 - n);
    let constant = if j < 16 { 0x79cc_4519u32 } else { 0x7a87_9d8a };
    let (turned, constant) = (left(cx, a, 12), cx.b.i32(constant.rotate_left(j % 32)));
    let first = sum(cx, &[turned, e, constant]);
    let ss1 = left(cx, first, 7);
    let ss2 = cx.b.xor(ss1, turned);
    let parity = |cx: &mut Cx, [x, y, z]: [Val; 3]| {
        let v = cx.b.xor(x, y);
        cx.b.xor(v, z)
    };
    let (ff, gg) = if j < 16 {
        (parity(cx, [a, b, c]), parity(cx, [e, f, g]))
    } else {
        (majority(cx, a, b, c), choice(cx, e, f, g))
    };
    let expanded = cx.b.xor(word, later);
    let (tt1, tt2) = (sum(cx, &[ff, d, ss2, expanded]), sum(cx, &[gg, h, ss1, word]));
    let permuted = rotations(cx, tt2, [0, 32 - 9, 32 - 17]);
    [tt1, a, left(cx, b, 9), c, permuted, e, left(cx, f, 19), g]
}
