//! Loops that add up, in all manners of lanes, and keep what is least, run with and without wide ones beside them.

use super::stores::leave_at_end;
use super::*;

/// The round's elements, of this size and with a sign or not, of the arrays at P and Q.
fn element(b: &mut Builder, from: Slot, to: Slot, size: u8, sign: bool) -> Val {
    let at = b.get(from);
    let mem = Mem::at(at, size);
    let v = b.load(Ty::I64, if sign { mem.signed() } else { mem });
    let at = b.add_imm(at, size.into());
    b.set(from, at);
    b.set(to, v);
    v
}

fn add(b: &mut Builder, v: Val) {
    let sum = b.get(Y);
    let sum = b.add(sum, v);
    b.set(Y, sum);
}

/// The same of 32 bits, which are extended.
fn add_words(b: &mut Builder, v: Val, sign: bool) {
    let sum = b.get(Y);
    let [sum, v] = [sum, v].map(|v| b.trunc(Ty::I32, v));
    let sum = b.add(sum, v);
    let sum = if sign { b.sext(Ty::I64, sum) } else { b.zext(Ty::I64, sum) };
    b.set(Y, sum);
}

fn bytes(b: &mut Builder) {
    let x = element(b, P, X, 1, false);
    add(b, x);
    leave_at_end(b, P, 1);
}

fn signed_bytes(b: &mut Builder) {
    let x = element(b, P, X, 1, true);
    add_words(b, x, true);
    leave_at_end(b, P, 1);
}

fn halves(b: &mut Builder) {
    let x = element(b, P, X, 2, false);
    add_words(b, x, false);
    leave_at_end(b, P, 1);
}

fn signed_words(b: &mut Builder) {
    let x = element(b, P, X, 4, true);
    add(b, x);
    leave_at_end(b, P, 1);
}

fn double_words(b: &mut Builder) {
    let x = element(b, P, X, 8, false);
    add(b, x);
    leave_at_end(b, P, 1);
}

fn exclusive_or(b: &mut Builder) {
    let x = element(b, P, X, 2, true);
    let sum = b.get(Y);
    let sum = b.xor(sum, x);
    b.set(Y, sum);
    leave_at_end(b, P, 1);
}

/// Three times an element less another, of which flags tell, and the sum of the former is left.
fn computed(b: &mut Builder) {
    let x = element(b, P, X, 2, false);
    b.insn(PC + 4, 0, PC + 8);
    let at = b.get(Q);
    let y = b.load(Ty::I64, Mem::at(at, 2));
    let at = b.add_imm(at, 2);
    b.set(Q, at);
    let (three, sum) = (b.i64(3), b.get(Y));
    let x = b.mul(x, three);
    let sum = b.add(sum, x);
    b.set(E, sum);
    let flags = b.flags_sub(sum, y);
    let sum = b.sub(sum, y);
    b.set(FLAGS, flags);
    b.set(Y, sum);
    leave_at_end(b, P, 2);
}

fn products(b: &mut Builder, size: u8) {
    let x = element(b, P, X, size, true);
    b.insn(PC + 4, 0, PC + 8);
    let at = b.get(Q);
    let y = b.load(Ty::I32, Mem::at(at, size).signed());
    let at = b.add_imm(at, size.into());
    b.set(Q, at);
    let x = b.trunc(Ty::I32, x);
    let product = b.mul(x, y);
    let product = b.zext(Ty::I64, product);
    add_words(b, product, true);
    leave_at_end(b, P, 2);
}

fn products_of_bytes(b: &mut Builder) {
    products(b, 1);
}

fn products_of_halves(b: &mut Builder) {
    products(b, 2);
}

/// The same by an arithmetic shift.
fn shifted_distances(b: &mut Builder) {
    let x = element(b, P, X, 1, false);
    b.insn(PC + 4, 0, PC + 8);
    let at = b.get(Q);
    let y = b.load(Ty::I64, Mem::at(at, 1));
    let at = b.add_imm(at, 1);
    b.set(Q, at);
    let difference = b.sub(x, y);
    let sign = b.shift_imm(Bin::Sar, difference, 63);
    let turned = b.xor(difference, sign);
    let distance = b.sub(turned, sign);
    add(b, distance);
    leave_at_end(b, P, 2);
}

/// How many elements are what is looked for.
fn count_equal(b: &mut Builder) {
    let x = element(b, P, X, 1, false);
    let wanted = b.get(E);
    let is = b.cmp(IntCc::Eq, x, wanted);
    let sum = b.get(Y);
    let more = b.add_imm(sum, 1);
    let sum = b.select(is, more, sum);
    b.set(Y, sum);
    leave_at_end(b, P, 1);
}

/// A sum of those that are less.
fn add_some(b: &mut Builder) {
    let x = element(b, P, X, 4, true);
    let limit = b.get(E);
    let less = b.cmp(IntCc::Slt, x, limit);
    let before = b.get(Y);
    let [sum, x] = [before, x].map(|v| b.trunc(Ty::I32, v));
    let with = b.add(sum, x);
    let with = b.sext(Ty::I64, with);
    let sum = b.select(less, with, before);
    b.set(Y, sum);
    leave_at_end(b, P, 1);
}

/// Differences without their sign.
fn distances(b: &mut Builder) {
    let x = element(b, P, X, 1, false);
    b.insn(PC + 4, 0, PC + 8);
    let at = b.get(Q);
    let y = b.load(Ty::I64, Mem::at(at, 1));
    let at = b.add_imm(at, 1);
    b.set(Q, at);
    let difference = b.sub(x, y);
    let flags = b.flags_sub(x, y);
    b.set(FLAGS, flags);
    let minus = b.cond(Cc::Mi, flags);
    let opposite = b.neg(difference);
    let distance = b.select(minus, opposite, difference);
    add(b, distance);
    leave_at_end(b, P, 2);
}

/// The least of numbers of 32 bits, which stays one of these.
fn least(b: &mut Builder) {
    let x = element(b, P, X, 4, true);
    let least = b.get(Y);
    let less = b.cmp(IntCc::Slt, x, least);
    let v = b.select(less, x, least);
    let v = b.trunc(Ty::I32, v);
    let v = b.sext(Ty::I64, v);
    b.set(Y, v);
    leave_at_end(b, P, 1);
}

fn greatest(b: &mut Builder) {
    let x = element(b, P, X, 2, false);
    let greatest = b.get(Y);
    let keeps = b.cmp(IntCc::Uge, greatest, x);
    let v = b.select(keeps, greatest, x);
    b.set(Y, v);
    leave_at_end(b, P, 1);
}

/// Up to the first that is zero.
fn until_zero(b: &mut Builder) {
    let x = element(b, P, X, 1, false);
    add(b, x);
    leave_unless_zero_ends(b, x, 1);
}

fn leave_unless_zero_ends(b: &mut Builder, v: Val, n: u64) {
    let zero = b.i64(0);
    let ends = b.cmp(IntCc::Eq, v, zero);
    leave(b, ends, n);
}

/// Runs both on memory that ends somewhere. How many wide accesses there were.
fn agree(n: usize, round: fn(&mut Builder), begins: &[u64]) -> u32 {
    let plain = stitched(round);
    let (wide, _) = scan(&plain, &TYPES, true).unwrap_or_else(|| panic!("{n} adds up"));
    assert_eq!(crate::verify::check_made(&wide, &TYPES), Ok(()));
    let mut random = Random(9);
    let mut accesses = 0;
    for turn in 0..300 {
        let len = 8192 - [random.below(300), 256 * random.below(4)][random.below(2) as usize] as usize;
        let most = [2, 256][random.below(2) as usize];
        let mut bytes: Vec<u8> = (0..len).map(|_| (random.below(most) * 255 / (most - 1)) as u8).collect();
        if turn % 2 == 1 {
            bytes.iter_mut().for_each(|v| *v |= 1);
        }
        let (p, q) = (1024 + random.below(64) * 8, 1024 + random.below(500));
        let length = [random.below(64), random.below(600), random.below(6000), 9000][random.below(4) as usize] & !7;
        let mut state: State = [0; 96];
        let begin = begins[random.below(begins.len() as u64) as usize];
        let wanted = [255, 1, random.below(1000), random.0][random.below(4) as usize];
        for (slot, v) in [(P, BASE + p), (Q, BASE + q), (N, BASE + p + length), (E, wanted), (Y, begin)] {
            state[PLACES[slot.0 as usize].0..][..8].copy_from_slice(&v.to_le_bytes());
        }
        let [mut one, mut other] = [bytes.clone(), bytes].map(|bytes| Bytes { bytes, fixed: 0, wide: 0, shared: true });
        assert_eq!(
            outcome(&wide, state, &mut one),
            outcome(&plain, state, &mut other),
            "{n}: p {p:#x} length {length}"
        );
        accesses += one.wide;
    }
    accesses
}

#[test]
fn sums_are_the_same() {
    let any = [0, 5, u64::MAX, 0x8000_0000, 0x7fff_ffff, 0xffff_ffff_8000_0000, 0x1234_5678_9abc_def0];
    for (n, round) in [
        bytes as fn(&mut Builder),
        signed_bytes,
        halves,
        signed_words,
        double_words,
        exclusive_or,
        computed,
        products_of_bytes,
        products_of_halves,
        count_equal,
        add_some,
        distances,
        shifted_distances,
        least,
        greatest,
    ]
    .into_iter()
    .enumerate()
    {
        assert!(agree(n, round, &any) > 10_000, "{n}");
    }
    assert!(agree(14, until_zero, &any) > 1000);
}

/// A sum of which each round has a part that depends on the sum.
fn hash(b: &mut Builder) {
    let x = element(b, P, X, 1, false);
    let (sum, five) = (b.get(Y), b.i64(5));
    let sum = b.mul(sum, five);
    let sum = b.add(sum, x);
    b.set(Y, sum);
    leave_at_end(b, P, 1);
}

/// The same, which chooses by it.
fn saturating(b: &mut Builder) {
    let x = element(b, P, X, 1, false);
    let (sum, most) = (b.get(Y), b.i64(1000));
    let more = b.add(sum, x);
    let below = b.cmp(IntCc::Ult, sum, most);
    let sum = b.select(below, more, sum);
    b.set(Y, sum);
    leave_at_end(b, P, 1);
}

/// The least, of which something else is left.
fn least_seen(b: &mut Builder) {
    let before = b.get(Y);
    b.set(E, before);
    least(b);
}

/// A long mixture, each step of which uses the one before twice.
fn mixed(b: &mut Builder) {
    let mut x = element(b, P, X, 1, false);
    for _ in 0..40 {
        let high = b.shift_imm(Bin::Shr, x, 7);
        x = b.xor(x, high);
    }
    add(b, x);
    leave_at_end(b, P, 1);
}

#[test]
fn other_sums_are_left_alone() {
    for round in [hash as fn(&mut Builder), saturating, least_seen, mixed] {
        assert!(scan(&stitched(round), &TYPES, true).is_none());
    }
}
