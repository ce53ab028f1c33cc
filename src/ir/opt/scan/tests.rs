//! Loops that search, run with and without a wide one beside them: state, outcome and faults are the same.

use super::scan;
use crate::builder::Builder;
use crate::interp::{Machine, MemFault, Memory, Outcome, run};
use crate::mem::Mem;
use crate::op::{Bin, Slot, V2, Val};
use crate::opt::Stitch;
use crate::region::{FpControl, Region, Term};
use crate::types::{Cc, IntCc, Lane, Round, Ty};

mod stores;
mod sums;

const P: Slot = Slot(0);
const Q: Slot = Slot(1);
const N: Slot = Slot(2);
/// What is looked for.
const E: Slot = Slot(3);
const X: Slot = Slot(4);
const Y: Slot = Slot(5);
const FLAGS: Slot = Slot(6);
const V: [Slot; 2] = [Slot(7), Slot(8)];
static TYPES: [Ty; 9] = [Ty::I64, Ty::I64, Ty::I64, Ty::I64, Ty::I64, Ty::I64, Ty::Flags, Ty::V128, Ty::V128];
const PLACES: [(usize, Ty); 9] = [
    (0, Ty::I64),
    (8, Ty::I64),
    (16, Ty::I64),
    (24, Ty::I64),
    (32, Ty::I64),
    (40, Ty::I64),
    (48, Ty::Flags),
    (64, Ty::V128),
    (80, Ty::V128),
];
type State = [u8; 96];

const BASE: u64 = 0x1_0000;
const PC: u64 = 0x1000;
/// Bytes after which memory repeats itself.
const PERIOD: u64 = 24;
const ONES: u64 = 0x0101_0101_0101_0101;

/// Two pages less what is cut off at the end.
struct Bytes {
    bytes: Vec<u8>,
    /// From here on they cannot be written.
    fixed: usize,
    /// Accesses of sixteen bytes: the wide loop's, and vectors that the loop itself loads.
    wide: u32,
    shared: bool,
}

impl Memory for Bytes {
    fn load(&mut self, addr: u64, size: usize) -> Result<u128, MemFault> {
        self.wide += u32::from(size == 16);
        let start = addr.wrapping_sub(BASE) as usize;
        let bytes = start.checked_add(size).and_then(|end| self.bytes.get(start..end));
        let bytes = bytes.ok_or(MemFault { addr, write: false })?;
        Ok(bytes.iter().rev().fold(0, |v, &b| v << 8 | u128::from(b)))
    }
    fn store(&mut self, addr: u64, size: usize, v: u128) -> Result<(), MemFault> {
        self.wide += u32::from(size == 16);
        let start = addr.wrapping_sub(BASE) as usize;
        let writable = self.fixed.min(self.bytes.len());
        let bytes = start.checked_add(size).and_then(|end| self.bytes[..writable].get_mut(start..end));
        bytes.ok_or(MemFault { addr, write: true })?.copy_from_slice(&v.to_le_bytes()[..size]);
        Ok(())
    }
    fn cmpxchg(&mut self, addr: u64, _: usize, _: u128, _: u128) -> Result<u128, MemFault> {
        Err(MemFault { addr, write: true })
    }
    fn is_shared(&self) -> bool {
        self.shared
    }
}

/// The loop that `round` makes a round of: it leaves by [`leave`].
fn stitched(round: impl Fn(&mut Builder)) -> Region {
    let mut b = Builder::new(&TYPES);
    b.start(PC, 0, FpControl { round: Round::NearestEven });
    b.insn(PC, 0, PC + 4);
    round(&mut b);
    b.end(Term::Goto { pc: PC });
    let mut stitch = Stitch::new((PC, 0), Vec::new(), 0);
    stitch.add(&b.region);
    stitch.finish().expect("it is a loop").0
}

fn leave(b: &mut Builder, cond: Val, n: u64) {
    b.leave_if(cond, Term::Goto { pc: 0x2000 + n });
    b.insn(PC + 4 * n, 0, PC + 4 * n + 4);
}

fn leave_unless_zero(b: &mut Builder, v: Val, n: u64) {
    let zero = b.constant(b.ty(v), 0);
    let cond = b.cmp(IntCc::Ne, v, zero);
    leave(b, cond, n);
}

/// Loads an element and goes on to the next.
fn next(b: &mut Builder, from: Slot, to: Slot, size: u8) -> Val {
    let at = b.get(from);
    let v = b.load(Ty::I64, Mem::at(at, size));
    let at = b.add_imm(at, size.into());
    b.set(from, at);
    b.set(to, v);
    v
}

/// `strcmp`, byte by byte.
fn compare_bytes(b: &mut Builder) {
    let x = next(b, P, X, 1);
    b.insn(PC + 4, 0, PC + 8);
    next(b, Q, Y, 1);
    let zero = b.i64(0);
    let ends = b.cmp(IntCc::Eq, x, zero);
    leave(b, ends, 2);
    let [x, y] = [X, Y].map(|s| b.get(s));
    let differs = b.cmp(IntCc::Ne, x, y);
    leave(b, differs, 3);
}

/// `strlen` by words, as C libraries find a byte of zero. The ones are in a register.
fn zero_in_words(b: &mut Builder) {
    let x = next(b, P, X, 8);
    let ones = b.get(E);
    let less = b.sub(x, ones);
    let sevens = b.i64(ONES * 0x7f);
    let low = b.or(x, sevens);
    let v = b.and_not(less, low);
    let flags = b.flags_logic(v);
    b.set(FLAGS, flags);
    b.set(Y, v);
    let found = b.cond(Cc::Ne, flags);
    leave(b, found, 1);
}

/// `memchr`: what is looked for may be no byte at all.
fn counted_bytes(b: &mut Builder) {
    let n = b.get(N);
    let n = b.add_imm(n, -1);
    b.set(N, n);
    let minus = b.i64(u64::MAX);
    let ends = b.cmp(IntCc::Eq, n, minus);
    leave(b, ends, 1);
    let x = next(b, P, X, 1);
    let wanted = b.get(E);
    let found = b.cmp(IntCc::Eq, x, wanted);
    leave(b, found, 2);
}

/// Words that are to be as in another array, while a count is above a limit. Flags tell both.
fn counted_words(b: &mut Builder) {
    let n = b.get(N);
    let sixteen = b.i64(16);
    let flags = b.flags_sub(n, sixteen);
    let less = b.sub(n, sixteen);
    b.set(N, less);
    let above = b.cond(Cc::Hi, flags);
    b.insn(PC + 4, 0, PC + 8);
    let x = next(b, P, X, 8);
    b.insn(PC + 8, 0, PC + 12);
    let y = next(b, Q, Y, 8);
    let differ = b.xor(x, y);
    let zero = b.i64(0);
    let equal = b.flags_sub(differ, zero);
    let nothing = b.i32(0);
    let none = b.flags_from_bits(nothing);
    let both = b.select(above, equal, none);
    b.set(FLAGS, both);
    let out = b.cond(Cc::Ne, both);
    leave(b, out, 3);
}

/// What has been loaded is compared in the next round, two elements at a time.
fn compare_later(b: &mut Builder) {
    let (x, y) = (b.get(X), b.get(Y));
    let differs = b.cmp(IntCc::Ne, x, y);
    leave(b, differs, 1);
    let [p, q] = [P, Q].map(|s| b.get(s));
    let x = b.load(Ty::I64, Mem::at(p, 4));
    let y = b.load(Ty::I64, Mem::at(q, 4));
    b.insn(PC + 8, 0, PC + 12);
    let [later_x, later_y] = [p, q].map(|at| b.load(Ty::I64, Mem::at(at, 4).disp(4)));
    for (slot, at) in [(P, p), (Q, q)] {
        let at = b.add_imm(at, 8);
        b.set(slot, at);
    }
    b.set(X, later_x);
    b.set(Y, later_y);
    let differs = b.cmp(IntCc::Ne, x, y);
    leave(b, differs, 3);
}

/// A byte of zero is looked for in the word of the round before, as Arm's byte instructions do it.
fn zero_later(b: &mut Builder) {
    let word = b.get(X);
    let word = b.trunc(Ty::I32, word);
    let lanes = b.v_from_scalar(word);
    let zeros = b.v128(0);
    let is = b.v2(V2::CmpEq, Lane::B, lanes, zeros);
    let is = b.vget(Ty::I32, is, 0);
    leave_unless_zero(b, is, 1);
    next(b, P, X, 4);
}

/// Two places of which one is a register further than another, and one twice as far: they are of no one array.
fn scaled(b: &mut Builder) {
    let (p, n) = (b.get(P), b.get(N));
    let x = b.load(Ty::I64, Mem::at(p, 8).index(n, 0));
    b.insn(PC + 4, 0, PC + 8);
    b.load(Ty::I64, Mem::at(p, 8).index(n, 1).disp(8));
    let at = b.add_imm(p, 16);
    b.set(P, at);
    let wanted = b.get(E);
    let found = b.cmp(IntCc::Eq, x, wanted);
    leave(b, found, 2);
}

/// A byte is looked for until a number, which goes round the end of numbers, meets another.
fn counted_round(b: &mut Builder) {
    let n = b.get(N);
    let n = b.add_imm(n, (u64::MAX / 127 + 1) as i64);
    b.set(N, n);
    let limit = b.get(Q);
    let ends = b.cmp(IntCc::Eq, n, limit);
    leave(b, ends, 1);
    let x = next(b, P, X, 1);
    let zero = b.i64(0);
    let found = b.cmp(IntCc::Eq, x, zero);
    leave(b, found, 2);
}

/// A shift of what is loaded, of a signed element, is no search for a byte.
fn bits_of_halves(b: &mut Builder) {
    let at = b.get(P);
    let x = b.load(Ty::I32, Mem::at(at, 4));
    let at = b.add_imm(at, 4);
    b.set(P, at);
    let high = b.shift_imm(Bin::Shr, x, 24);
    let wanted = b.get(E);
    let wanted = b.trunc(Ty::I32, wanted);
    let rest = b.xor(high, wanted);
    let wide = b.zext(Ty::I64, rest);
    b.set(Y, wide);
    let zero = b.i32(0);
    let out = b.cmp(IntCc::Ne, rest, zero);
    leave(b, out, 1);
}

/// `strlen` by vectors, two a round, which are reduced by pairwise minima.
fn zero_in_vectors(b: &mut Builder) {
    let at = b.get(P);
    let pair = [0, 16].map(|disp| b.load(Ty::V128, Mem::at(at, 16).disp(disp)));
    let at = b.add_imm(at, 32);
    b.set(P, at);
    b.set(V[0], pair[0]);
    let least = b.v2(V2::PairwiseMinU, Lane::B, pair[0], pair[1]);
    let least = b.v2(V2::PairwiseMinU, Lane::B, least, least);
    let zero = b.v128(0);
    let is = b.v2(V2::CmpEq, Lane::B, least, zero);
    b.set(V[1], is);
    let word = b.vget(Ty::I64, is, 0);
    b.set(X, word);
    leave_unless_zero(b, word, 1);
}

/// `memchr` by vectors.
fn byte_in_vectors(b: &mut Builder) {
    let at = b.get(P);
    let v = b.load(Ty::V128, Mem::at(at, 16));
    let at = b.add_imm(at, 16);
    b.set(P, at);
    let wanted = b.get(E);
    let wanted = b.trunc(Ty::I8, wanted);
    let wanted = b.vsplat(Lane::B, wanted);
    let is = b.v2(V2::CmpEq, Lane::B, v, wanted);
    b.set(V[0], is);
    let any = b.v2(V2::PairwiseMaxU, Lane::B, is, is);
    let word = b.vget(Ty::I64, any, 0);
    b.set(X, word);
    leave_unless_zero(b, word, 1);
}

struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) % n
    }
}

fn outcome(r: &Region, mut state: State, memory: &mut Bytes) -> (Outcome, State) {
    let outcome = run(r, &mut Machine { state: &mut state, slots: &PLACES, memory, fp_flags: 0, monitor: None });
    (outcome, state)
}

/// Runs both on memory in which what ends the loop stands somewhere, or nowhere. How many wide accesses there were.
fn agree(round: fn(&mut Builder), fill: &[u8], ends: &[u8], wanted: u64) -> u32 {
    let plain = stitched(round);
    let (wide, _) = scan(&plain, &TYPES, true).expect("it searches");
    assert_eq!(crate::verify::check_made(&wide, &TYPES), Ok(()));
    let mut random = Random(wanted ^ 7);
    let mut accesses = 0;
    for _ in 0..600 {
        // Memory may end where a chunk does: then a fault shows what the wide loop has left.
        let len = 8192 - [random.below(300), 256 * random.below(4)][random.below(2) as usize] as usize;
        // Three words again and again: elements differ, and two arrays that begin at the same of them are the same.
        let words: Vec<u8> = (0..PERIOD).map(|_| fill[random.below(fill.len() as u64) as usize]).collect();
        let mut bytes: Vec<u8> = words.into_iter().cycle().take(len).collect();
        let first = random.below(64) * 8;
        let (p, q) = (
            first + random.below(3) / 2 * random.below(8),
            first + 171 * PERIOD - random.below(2) * PERIOD * random.below(21),
        );
        let length = [random.below(64), random.below(600), random.below(3000), 9000][random.below(4) as usize];
        for (start, n) in [(p, 0), (q, random.below(2))] {
            let at = (start + length) as usize;
            if n == 0 && at < len {
                bytes[at] = ends[random.below(ends.len() as u64) as usize];
            }
        }
        let mut state: State = [0; 96];
        let n = [length, random.below(4000), u64::MAX][random.below(3) as usize];
        for (slot, v) in [(P, BASE + p), (Q, BASE + q), (N, n), (E, wanted)] {
            state[PLACES[slot.0 as usize].0..][..8].copy_from_slice(&v.to_le_bytes());
        }
        let [mut one, mut other] = [bytes.clone(), bytes].map(|bytes| Bytes { bytes, fixed: 0, wide: 0, shared: true });
        assert_eq!(
            outcome(&wide, state, &mut one),
            outcome(&plain, state, &mut other),
            "p {p:#x} q {q:#x} length {length}"
        );
        accesses += one.wide.abs_diff(other.wide);
    }
    accesses
}

#[test]
fn searches_are_the_same() {
    for (round, fill, ends, wanted) in [
        (compare_bytes as fn(&mut Builder), &[7, 9, 200][..], &[0, 8][..], 0),
        (zero_in_words, &[0x80, 0x55, 0xff], &[0, 1, 0x81][..], ONES),
        // Of other numbers it is another search, which the loop does by itself.
        (counted_bytes, &[3, 7, 255], &[5, 4][..], 5),
        (counted_words, &[9, 8, 200], &[1][..], 0),
        (compare_later, &[9, 8, 200], &[1][..], 0),
        (bits_of_halves, &[9], &[8, 200][..], 9),
    ] {
        assert!(agree(round, fill, ends, wanted) > 10_000);
    }
    // Here what is read twice tells of the wide loop: the chunk that holds the end.
    for (round, ends, wanted) in
        [(zero_in_vectors as fn(&mut Builder), &[0, 1][..], 0), (byte_in_vectors, &[8, 200][..], 200)]
    {
        assert!(agree(round, &[9, 7, 255], ends, wanted) > 1000);
    }
}

#[test]
fn what_is_no_byte_or_no_mask_is_looked_for_alone() {
    assert_eq!(agree(counted_bytes, &[3], &[5][..], 0x105), 0);
    assert_eq!(agree(zero_in_words, &[0x80], &[0][..], ONES - 1), 0);
}

#[test]
fn order_is_kept_where_others_see_it() {
    let plain = stitched(compare_bytes);
    let (wide, _) = scan(&plain, &TYPES, false).expect("it searches");
    assert_eq!(crate::verify::check_made(&wide, &TYPES), Ok(()));
    for shared in [false, true] {
        let mut state: State = [0; 96];
        for (slot, v) in [(P, BASE), (Q, BASE + 2048)] {
            state[PLACES[slot.0 as usize].0..][..8].copy_from_slice(&v.to_le_bytes());
        }
        let [mut one, mut other] = [0; 2].map(|_| Bytes { bytes: vec![7; 4096], fixed: 0, wide: 0, shared });
        assert_eq!(outcome(&wide, state, &mut one), outcome(&plain, state, &mut other));
        assert_eq!(one.wide == 0, shared);
    }
}

#[test]
fn other_loops_are_left_alone() {
    for round in [zero_later as fn(&mut Builder), scaled, counted_round] {
        assert!(scan(&stitched(round), &TYPES, true).is_none());
    }
}
