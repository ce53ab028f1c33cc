//! Loops that copy, fill and compute, run with and without wide ones beside them: state, outcome, faults and memory are the same.

use super::*;

/// Where a store goes: the next element of what a slot points to.
fn put(b: &mut Builder, to: Slot, v: Val, size: u8) {
    let at = b.get(to);
    b.store(Mem::at(at, size), v);
    let at = b.add_imm(at, size.into());
    b.set(to, at);
}

/// Leaves when what a slot points to is the end.
pub(super) fn leave_at_end(b: &mut Builder, slot: Slot, n: u64) {
    let [at, end] = [slot, N].map(|s| b.get(s));
    let ends = b.cmp(IntCc::Eq, at, end);
    leave(b, ends, n);
}

fn copy_bytes(b: &mut Builder) {
    let x = next(b, P, X, 1);
    b.insn(PC + 4, 0, PC + 8);
    put(b, Q, x, 1);
    leave_at_end(b, P, 2);
}

/// Four words a round, all of which are loaded first.
fn copy_words(b: &mut Builder) {
    let p = b.get(P);
    let words = [0, 8, 16, 24].map(|disp| b.load(Ty::I64, Mem::at(p, 8).disp(disp)));
    b.set(X, words[3]);
    b.insn(PC + 4, 0, PC + 8);
    let q = b.get(Q);
    for (n, word) in words.into_iter().enumerate() {
        b.store(Mem::at(q, 8).disp(8 * n as i32), word);
    }
    b.insn(PC + 8, 0, PC + 12);
    for (slot, at) in [(P, p), (Q, q)] {
        let at = b.add_imm(at, 32);
        b.set(slot, at);
    }
    leave_at_end(b, P, 3);
}

/// A word is stored in the round after the one that has loaded it.
fn copy_later(b: &mut Builder) {
    let [p, q] = [P, Q].map(|s| b.get(s));
    let x = b.load(Ty::I64, Mem::at(p, 4));
    b.insn(PC + 4, 0, PC + 8);
    let before = b.get(X);
    b.store(Mem::at(q, 4), before);
    b.insn(PC + 8, 0, PC + 12);
    let y = b.load(Ty::I64, Mem::at(p, 4).disp(4));
    b.insn(PC + 12, 0, PC + 16);
    b.store(Mem::at(q, 4).disp(4), x);
    b.insn(PC + 16, 0, PC + 20);
    b.set(X, y);
    for (slot, at) in [(P, p), (Q, q)] {
        let at = b.add_imm(at, 8);
        b.set(slot, at);
    }
    leave_at_end(b, P, 5);
}

/// The last word of a round is stored first: where that faults, the others have not been.
fn copy_down(b: &mut Builder) {
    let [p, q] = [P, Q].map(|s| b.get(s));
    let words = [0, 8, 16, 24].map(|disp| b.load(Ty::I64, Mem::at(p, 8).disp(disp)));
    b.insn(PC + 4, 0, PC + 8);
    (0..4).rev().for_each(|n| b.store(Mem::at(q, 8).disp(8 * n as i32), words[n]));
    b.insn(PC + 8, 0, PC + 12);
    for (slot, at) in [(P, p), (Q, q)] {
        let at = b.add_imm(at, 32);
        b.set(slot, at);
    }
    leave_at_end(b, P, 3);
}

/// `strcpy`.
fn copy_until_zero(b: &mut Builder) {
    let x = next(b, P, X, 1);
    b.insn(PC + 4, 0, PC + 8);
    put(b, Q, x, 1);
    let zero = b.i64(0);
    let ends = b.cmp(IntCc::Eq, x, zero);
    leave(b, ends, 2);
}

fn fill(b: &mut Builder) {
    let v = b.get(E);
    put(b, Q, v, 2);
    leave_at_end(b, Q, 1);
}

/// Numbers of one array and of another that stands a register further, of whose sum the low half is stored.
fn compute(b: &mut Builder) {
    let x = next(b, P, X, 2);
    b.insn(PC + 4, 0, PC + 8);
    let (p, y) = (b.get(P), b.get(Y));
    let y = b.load(Ty::I64, Mem::at(p, 2).index(y, 0).disp(-2).signed());
    b.insn(PC + 8, 0, PC + 12);
    let e = b.get(E);
    let (more, not) = (b.add(x, y), b.not(e));
    let more = b.shift_imm(Bin::Shl, more, 3);
    let v = b.xor(more, not);
    put(b, Q, v, 2);
    leave_at_end(b, P, 3);
}

fn result(r: &Region, mut state: State, memory: &mut Bytes) -> (Outcome, State, Vec<u8>) {
    let outcome = run(r, &mut Machine { state: &mut state, slots: &PLACES, memory, fp_flags: 0, monitor: None });
    (outcome, state, std::mem::take(&mut memory.bytes))
}

/// Runs both with arrays that are apart, overlap, or end where memory does or cannot be written, which may be the end of a page alone. How many wide
/// accesses there were.
fn agree(round: fn(&mut Builder), apart: &[i64], page: bool) -> u32 {
    let plain = stitched(round);
    let (wide, _) = scan(&plain, &TYPES, true).expect("it goes over memory");
    assert_eq!(crate::verify::check_made(&wide, &TYPES), Ok(()));
    let mut random = Random(7);
    let mut accesses = 0;
    for _ in 0..600 {
        let mut bytes: Vec<u8> = (0..8192 - if page { 0 } else { random.below(2) * random.below(300) })
            .map(|n| (n % 251 + 1) as u8)
            .collect();
        let fixed = match random.below(2) {
            0 => bytes.len(),
            _ if page => 4096,
            _ => bytes.len() - random.below(3000) as usize,
        };
        let p = 1024 + random.below(64) * 8 + random.below(3) / 2 * random.below(8);
        let near = [0, 8, 24, 100, 127, 128, 129, 260, 600];
        let near = |random: &mut Random| near[random.below(near.len() as u64) as usize];
        let q = match random.below(4) {
            0 => p + near(&mut random),
            1 => p - near(&mut random),
            _ => (p as i64 + apart[random.below(apart.len() as u64) as usize]) as u64,
        };
        let length = [random.below(64), random.below(600), random.below(2500), 9000][random.below(4) as usize] & !31;
        if random.below(2) == 1 && ((p + length) as usize) < bytes.len() {
            bytes[(p + length) as usize] = 0;
        }
        let mut state: State = [0; 96];
        let end = [p, q][random.below(2) as usize] + length;
        for (slot, v) in [(P, p), (Q, q), (N, end)] {
            state[PLACES[slot.0 as usize].0..][..8].copy_from_slice(&(BASE + v).to_le_bytes());
        }
        for (slot, v) in [(E, 0x1234_5678_9abc_def0 ^ random.0), (X, random.0), (Y, 2 * random.below(40) + 200)] {
            state[PLACES[slot.0 as usize].0..][..8].copy_from_slice(&v.to_le_bytes());
        }
        let [mut one, mut other] = [bytes.clone(), bytes].map(|bytes| Bytes { bytes, fixed, wide: 0, shared: true });
        let same = result(&wide, state, &mut one) == result(&plain, state, &mut other);
        assert!(same, "p {p:#x} q {q:#x} length {length} memory ends at {fixed:#x}");
        accesses += one.wide;
    }
    accesses
}

#[test]
fn what_they_leave_is_the_same() {
    for (round, apart, page) in [
        (copy_bytes as fn(&mut Builder), &[3000, -1000, 2999][..], false),
        (copy_words, &[3000, -1000, 2996], false),
        (copy_later, &[3000, -1000, 2996], false),
        (copy_down, &[3000, -1000, 2996, 2500], true),
        (copy_until_zero, &[3000, -1000], false),
        (fill, &[0, 1], false),
        (compute, &[3000, -1000], false),
    ] {
        assert!(agree(round, apart, page) > 10_000);
    }
}

#[test]
fn what_overlaps_is_stored_one_by_one() {
    for round in [copy_bytes as fn(&mut Builder), copy_words, copy_until_zero, compute] {
        let (plain, p) = (stitched(round), BASE + 1024);
        let (wide, _) = scan(&plain, &TYPES, true).expect("it goes over memory");
        for far in [0, 8, 15, 1 << 60] {
            let mut state: State = [0; 96];
            for (slot, v) in [(P, p), (Q, p + far), (N, p + 1024)] {
                state[PLACES[slot.0 as usize].0..][..8].copy_from_slice(&v.to_le_bytes());
            }
            let mut memory = Bytes { bytes: vec![1; 8192], fixed: 8192, wide: 0, shared: true };
            outcome(&wide, state, &mut memory);
            assert_eq!(memory.wide, 0, "{far:#x} further");
        }
    }
}

/// A number is added to each element of an array.
fn add_in_place(b: &mut Builder) {
    let at = b.get(P);
    let x = b.load(Ty::I64, Mem::at(at, 4));
    b.insn(PC + 4, 0, PC + 8);
    let e = b.get(E);
    let sum = b.add(x, e);
    b.store(Mem::at(at, 4), sum);
    let at = b.add_imm(at, 4);
    b.set(P, at);
    leave_at_end(b, P, 2);
}

/// Bytes of one array are put into another by exclusive or; the address is written before they are stored.
fn mask_in_place(b: &mut Builder) {
    let x = next(b, P, X, 1);
    b.insn(PC + 4, 0, PC + 8);
    let y = next(b, Q, Y, 1);
    b.insn(PC + 8, 0, PC + 12);
    let (at, v) = (b.get(Q), b.xor(x, y));
    b.store(Mem::at(at, 1).disp(-1), v);
    leave_at_end(b, P, 3);
}

/// Letters become others up to the end of a text, whose next byte is loaded before.
fn letters(b: &mut Builder) {
    let (at, x) = (b.get(P), b.get(X));
    let rest = b.add_imm(x, -50);
    let rest = b.and_imm(rest, 0xff);
    let twenty = b.i64(20);
    let among = b.cmp(IntCc::Ult, rest, twenty);
    let other = b.add_imm(x, 100);
    let v = b.select(among, other, x);
    b.store(Mem::at(at, 1), v);
    b.insn(PC + 4, 0, PC + 8);
    let x = b.load(Ty::I64, Mem::at(at, 1).disp(1));
    let at = b.add_imm(at, 1);
    b.set(P, at);
    b.set(X, x);
    let zero = b.i64(0);
    let ends = b.cmp(IntCc::Eq, x, zero);
    leave(b, ends, 2);
}

/// All of an array moves forward by three elements.
fn move_near(b: &mut Builder) {
    let at = b.get(P);
    let x = b.load(Ty::I64, Mem::at(at, 2).disp(6));
    b.insn(PC + 4, 0, PC + 8);
    b.store(Mem::at(at, 2), x);
    let at = b.add_imm(at, 2);
    b.set(P, at);
    leave_at_end(b, P, 2);
}

/// Halves of sums, which need a bit more than an element.
fn halves_of_sums(b: &mut Builder) {
    let x = next(b, P, X, 1);
    b.insn(PC + 4, 0, PC + 8);
    let q = b.get(Q);
    let y = b.load(Ty::I64, Mem::at(q, 1));
    b.insn(PC + 8, 0, PC + 12);
    let sum = b.add(x, y);
    let sum = b.add_imm(sum, 1);
    let half = b.shift_imm(Bin::Shr, sum, 1);
    put(b, Q, half, 1);
    leave_at_end(b, P, 3);
}

/// From the last byte to the first.
fn backwards(b: &mut Builder) {
    let p = b.get(P);
    let p = b.add_imm(p, -1);
    let x = b.load(Ty::I64, Mem::at(p, 1));
    b.set(P, p);
    b.set(X, x);
    b.insn(PC + 4, 0, PC + 8);
    let q = b.get(Q);
    let q = b.add_imm(q, -1);
    b.store(Mem::at(q, 1), x);
    b.set(Q, q);
    leave_at_end(b, P, 2);
}

/// Two words a round, the upper one first.
fn words_backwards(b: &mut Builder) {
    let [p, q] = [P, Q].map(|s| b.get(s));
    let words = [-8, -16].map(|disp| b.load(Ty::I64, Mem::at(p, 8).disp(disp)));
    b.set(X, words[1]);
    b.insn(PC + 4, 0, PC + 8);
    (0..2).for_each(|n| b.store(Mem::at(q, 8).disp(-8 - 8 * n as i32), words[n]));
    b.insn(PC + 8, 0, PC + 12);
    for (slot, at) in [(P, p), (Q, q)] {
        let at = b.add_imm(at, -16);
        b.set(slot, at);
    }
    leave_at_end(b, P, 3);
}

fn backwards_in_place(b: &mut Builder) {
    let at = b.get(P);
    let x = b.load(Ty::I64, Mem::at(at, 2).disp(-2));
    b.insn(PC + 4, 0, PC + 8);
    let e = b.get(E);
    let v = b.xor(x, e);
    b.store(Mem::at(at, 2).disp(-2), v);
    let at = b.add_imm(at, -2);
    b.set(P, at);
    leave_at_end(b, P, 2);
}

#[test]
fn what_they_leave_in_place_is_the_same() {
    for round in [add_in_place as fn(&mut Builder), mask_in_place, letters, move_near, halves_of_sums] {
        assert!(agree(round, &[3000, -1000, 2999], true) > 5000);
    }
}

#[test]
fn what_they_leave_backwards_is_the_same() {
    let mut accesses = [0; 3];
    let rounds = [backwards as fn(&mut Builder), words_backwards, backwards_in_place];
    for (round, accesses) in rounds.into_iter().zip(&mut accesses) {
        let plain = stitched(round);
        let (wide, _) = scan(&plain, &TYPES, true).expect("it goes over memory");
        assert_eq!(crate::verify::check_made(&wide, &TYPES), Ok(()));
        let mut random = Random(11);
        for _ in 0..600 {
            let bytes: Vec<u8> = (0..8192).map(|n| (n % 251 + 1) as u8).collect();
            let (page, odd) = (random.below(2) == 1, random.below(3) / 2 * random.below(8));
            // Memory begins where it does, and can be written up to a page's end.
            let p = 2048 + random.below(600) * 8 + odd;
            let near = [0, 1, 8, 24, 100, 127, 128, 129, 260, 600][random.below(10) as usize];
            let q = [p + near, p - near, p + 1000, p - 1900][random.below(4) as usize];
            let length = [random.below(64), random.below(600), random.below(2000), 9000][random.below(4) as usize];
            let mut state: State = [0; 96];
            for (slot, v) in [(P, p), (Q, q), (N, p.wrapping_sub(length & !15))] {
                state[PLACES[slot.0 as usize].0..][..8].copy_from_slice(&BASE.wrapping_add(v).to_le_bytes());
            }
            for (slot, v) in [(E, random.0), (X, random.0)] {
                state[PLACES[slot.0 as usize].0..][..8].copy_from_slice(&v.to_le_bytes());
            }
            let fixed = if page { 4096 } else { bytes.len() };
            let [mut one, mut other] =
                [bytes.clone(), bytes].map(|bytes| Bytes { bytes, fixed, wide: 0, shared: true });
            let same = result(&wide, state, &mut one) == result(&plain, state, &mut other);
            assert!(same, "p {p:#x} q {q:#x} length {length} {page}");
            *accesses += one.wide;
        }
    }
    assert!(accesses.iter().all(|&n| n > 5000), "{accesses:?}");
}

/// An element is computed of the one that the round before has stored.
fn recurrence(b: &mut Builder) {
    let at = b.get(P);
    let x = b.load(Ty::I64, Mem::at(at, 4).disp(-4));
    b.insn(PC + 4, 0, PC + 8);
    b.store(Mem::at(at, 4), x);
    let at = b.add_imm(at, 4);
    b.set(P, at);
    leave_at_end(b, P, 2);
}

/// What is stored is loaded.
fn stored_before(b: &mut Builder) {
    let (at, e) = (b.get(P), b.get(E));
    b.store(Mem::at(at, 4), e);
    b.insn(PC + 4, 0, PC + 8);
    let x = b.load(Ty::I64, Mem::at(at, 4));
    b.set(X, x);
    let at = b.add_imm(at, 4);
    b.set(P, at);
    leave_at_end(b, P, 2);
}

/// The same to two places.
fn copy_twice(b: &mut Builder) {
    let x = next(b, P, X, 1);
    put(b, Q, x, 1);
    b.insn(PC + 4, 0, PC + 8);
    put(b, E, x, 1);
    leave_at_end(b, P, 2);
}

/// Every other byte.
fn copy_apart(b: &mut Builder) {
    let x = next(b, P, X, 1);
    b.insn(PC + 4, 0, PC + 8);
    let q = b.get(Q);
    b.store(Mem::at(q, 1), x);
    let q = b.add_imm(q, 2);
    b.set(Q, q);
    leave_at_end(b, P, 2);
}

/// Numbers in a row.
fn count(b: &mut Builder) {
    let v = b.get(Q);
    put(b, Q, v, 8);
    leave_at_end(b, Q, 1);
}

/// The high half of a sum is not the sum of high halves.
fn high_half(b: &mut Builder) {
    let x = next(b, P, X, 1);
    b.insn(PC + 4, 0, PC + 8);
    let e = b.get(E);
    let sum = b.add(x, e);
    let high = b.shift_imm(Bin::Shr, sum, 8);
    put(b, Q, high, 1);
    leave_at_end(b, P, 2);
}

#[test]
fn other_stores_are_left_alone() {
    for round in [copy_twice as fn(&mut Builder), copy_apart, count, high_half, recurrence, stored_before] {
        assert!(scan(&stitched(round), &TYPES, true).is_none());
    }
}
