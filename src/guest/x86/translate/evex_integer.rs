//! EVEX: integer operations that neither SSE nor AVX has.

use super::Cx;
use super::evex_memory::{all_staged, by_stage, set_staged, staged};
use super::sse_move::two;
use crate::insn::{Row, rows as all_rows};
use iced_x86::{Instruction, OpKind};
use ir::{Frame, Helper, Lane, Touches, Ty, V1, V2, V3, VShift, Val};

/// What looks at all pieces.
pub(crate) mod whole {
    use super::*;
    use crate::insn::rows;

    rows! {
        Vpconflictd => conflict(Lane::S);
        Vpconflictq => conflict(Lane::D);
    }
}

/// What SSE and VEX have, too.
pub(crate) mod shared {
    use super::*;
    use crate::insn::rows;

    rows! {
        Gf2p8mulb, Vgf2p8mulb => by_helper(&GF_MUL, Lane::B);
        Gf2p8affineqb, Vgf2p8affineqb => by_helper(&GF_AFFINE, Lane::D);
        Gf2p8affineinvqb, Vgf2p8affineinvqb => by_helper(&GF_AFFINE_INVERSE, Lane::D);
    }
}

all_rows! {
    Vpandd => two(V2::And, Lane::S);
    Vpandq => two(V2::And, Lane::D);
    Vpord => two(V2::Or, Lane::S);
    Vporq => two(V2::Or, Lane::D);
    Vpxord => two(V2::Xor, Lane::S);
    Vpxorq => two(V2::Xor, Lane::D);
    Vpandnd => not_and();
    Vpandnq => not_and();
    Vpternlogd => ternary();
    Vpternlogq => ternary();
    Vpabsq => one(V1::Abs, Lane::D);
    Vplzcntd => one(V1::Clz, Lane::S);
    Vplzcntq => one(V1::Clz, Lane::D);
    Vpopcntb => count_ones(0);
    Vpopcntw => count_ones(1);
    Vpopcntd => count_ones(2);
    Vpopcntq => count_ones(3);
    Vpmullq => two(V2::Mul, Lane::D);
    Vpminsq => two(V2::MinS, Lane::D);
    Vpminuq => two(V2::MinU, Lane::D);
    Vpmaxsq => two(V2::MaxS, Lane::D);
    Vpmaxuq => two(V2::MaxU, Lane::D);
    Vpsraq => shift_signed();
    Vpsllvw => by_helper(&SHIFT_LEFT, Lane::H);
    Vpsrlvw => by_helper(&SHIFT_RIGHT, Lane::H);
    Vpsravw => by_helper(&SHIFT_SIGNED, Lane::H);
    Vpsravq => by_helper(&SHIFT_SIGNED, Lane::D);
    Vprold => rotate(Lane::S, true);
    Vprolq => rotate(Lane::D, true);
    Vprord => rotate(Lane::S, false);
    Vprorq => rotate(Lane::D, false);
    Vprolvd => rotate_each(Lane::S, true);
    Vprolvq => rotate_each(Lane::D, true);
    Vprorvd => rotate_each(Lane::S, false);
    Vprorvq => rotate_each(Lane::D, false);
    Vpshldw => funnel(Lane::H, true);
    Vpshldd => funnel(Lane::S, true);
    Vpshldq => funnel(Lane::D, true);
    Vpshrdw => funnel(Lane::H, false);
    Vpshrdd => funnel(Lane::S, false);
    Vpshrdq => funnel(Lane::D, false);
    Vpshldvw => three(&FUNNEL_LEFT, Lane::H);
    Vpshldvd => three(&FUNNEL_LEFT, Lane::S);
    Vpshldvq => three(&FUNNEL_LEFT, Lane::D);
    Vpshrdvw => three(&FUNNEL_RIGHT, Lane::H);
    Vpshrdvd => three(&FUNNEL_RIGHT, Lane::S);
    Vpshrdvq => three(&FUNNEL_RIGHT, Lane::D);
    Vpmadd52luq => three(&MUL_ADD_LOW, Lane::D);
    Vpmadd52huq => three(&MUL_ADD_HIGH, Lane::D);
    Vpdpbusd => dot_bytes();
    Vpdpbusds => three(&DOT_BYTES, Lane::S);
    Vpdpwssd => dot_words();
    Vpdpwssds => three(&DOT_WORDS, Lane::S);
    Vpmultishiftqb => by_helper(&MULTI_SHIFT, Lane::D);
    Vpshufbitqmb => by_helper(&CHOOSE_BITS, Lane::D);
    Vdbpsadbw => differences();
}

const _: &[&[Row]] = &[ROWS, whole::ROWS, shared::ROWS];

fn one(cx: &mut Cx, i: &Instruction, op: V1, lane: Lane) {
    let v = cx.source(i, 16);
    let v = cx.b.v1(op, lane, v);
    cx.set_vector(i, v);
}

/// The first is turned round.
fn not_and(cx: &mut Cx, i: &Instruction) {
    let (a, b) = (cx.first(i), cx.source(i, 16));
    let v = cx.b.v2(V2::AndNot, Lane::D, b, a);
    cx.set_vector(i, v);
}

/// Bytes' ones, neighbours added so many times.
fn count_ones(cx: &mut Cx, i: &Instruction, times: u32) {
    let v = cx.source(i, 16);
    let mut v = cx.b.v1(V1::Popcnt, Lane::B, v);
    for n in 0..times {
        v = cx.b.v1(V1::PairAddU, Lane::log2(n), v);
    }
    cx.set_vector(i, v);
}

// ---- VPTERNLOG: any function of three bits, as a table of eight ----

/// A function of two vectors by its table, whose place is 2b + c.
fn of_two(cx: &mut Cx, table: u8, b: Val, c: Val) -> Val {
    let not = |cx: &mut Cx, v| cx.b.v1(V1::Not, Lane::D, v);
    let two = |cx: &mut Cx, op| cx.b.v2(op, Lane::D, b, c);
    match table & 15 {
        0 => cx.b.v128(0),
        15 => cx.b.v128(u128::MAX),
        0b1100 => b,
        0b1010 => c,
        0b0011 => not(cx, b),
        0b0101 => not(cx, c),
        0b1000 => two(cx, V2::And),
        0b1110 => two(cx, V2::Or),
        0b0110 => two(cx, V2::Xor),
        0b0100 => two(cx, V2::AndNot),
        0b0010 => cx.b.v2(V2::AndNot, Lane::D, c, b),
        0b1101 => two(cx, V2::OrNot),
        0b1011 => cx.b.v2(V2::OrNot, Lane::D, c, b),
        0b0111 => {
            let v = two(cx, V2::And);
            not(cx, v)
        }
        0b0001 => {
            let v = two(cx, V2::Or);
            not(cx, v)
        }
        _ => {
            let v = two(cx, V2::Xor);
            not(cx, v)
        }
    }
}

fn ternary(cx: &mut Cx, i: &Instruction) {
    let imm = i.immediate8();
    if imm == 0xff || imm == 0 {
        // A memory operand has to be there all the same.
        if i.op2_kind() == OpKind::Memory {
            cx.source(i, 16);
        }
        let v = cx.b.v128(if imm == 0 { 0 } else { u128::MAX });
        return cx.set_vector(i, v);
    }
    let (low, high) = (imm & 15, imm >> 4);
    let (a, b, c) = (cx.of_half(i.op0_register()), cx.first(i), cx.source(i, 16));
    let v = match (low, high) {
        _ if low == high => of_two(cx, low, b, c),
        (0, _) => {
            let v = of_two(cx, high, b, c);
            cx.b.v2(V2::And, Lane::D, v, a)
        }
        (_, 0) => {
            let v = of_two(cx, low, b, c);
            cx.b.v2(V2::AndNot, Lane::D, v, a)
        }
        (_, 15) => {
            let v = of_two(cx, low, b, c);
            cx.b.v2(V2::Or, Lane::D, v, a)
        }
        (15, _) => {
            let v = of_two(cx, high, b, c);
            cx.b.v2(V2::OrNot, Lane::D, v, a)
        }
        _ if low ^ high == 15 => {
            let v = of_two(cx, low, b, c);
            cx.b.v2(V2::Xor, Lane::D, v, a)
        }
        _ => {
            let (set, clear) = (of_two(cx, high, b, c), of_two(cx, low, b, c));
            cx.b.v3(V3::BitSelect, Lane::D, a, set, clear)
        }
    };
    cx.set_vector(i, v);
}

// ---- shifts and rotations ----

fn shift_signed(cx: &mut Cx, i: &Instruction) {
    let v = if i.op_kind(i.op_count() - 1) == OpKind::Immediate8 {
        let (a, n) = (cx.source(i, 16), u32::from(i.immediate8()).min(64));
        if n == 0 { a } else { cx.b.vshift(VShift::ShrS, Lane::D, a, n) }
    } else {
        let (a, b) = (cx.first(i), cx.source(i, 16));
        cx.b.v2(V2::ShrAllS, Lane::D, a, b)
    };
    cx.set_vector(i, v);
}

fn rotate(cx: &mut Cx, i: &Instruction, lane: Lane, left: bool) {
    let v = cx.source(i, 16);
    let n = u32::from(i.immediate8()) % lane.bits();
    let n = if left || n == 0 { n } else { lane.bits() - n };
    let v = shifted_pair(cx, v, v, lane, n);
    cx.set_vector(i, v);
}

/// The upper half of two lanes side by side, moved left by `n`.
fn shifted_pair(cx: &mut Cx, high: Val, low: Val, lane: Lane, n: u32) -> Val {
    if n == 0 {
        return high;
    }
    let high = cx.b.vshift(VShift::Shl, lane, high, n);
    let low = cx.b.vshift(VShift::ShrU, lane, low, lane.bits() - n);
    cx.b.v2(V2::Or, lane, high, low)
}

fn rotate_each(cx: &mut Cx, i: &Instruction, lane: Lane, left: bool) {
    let (v, by) = (cx.first(i), cx.source(i, 16));
    let each = |n: u32| (0..128 / lane.bits()).fold(0u128, |all, at| all | u128::from(n) << (at * lane.bits()));
    let (mask, width) = (cx.b.v128(each(lane.bits() - 1)), cx.b.v128(each(lane.bits())));
    let by = cx.b.v2(V2::And, lane, by, mask);
    // By all of the width nothing is left, which is as it should be.
    let other = cx.b.v2(V2::Sub, lane, width, by);
    let (up, down) = if left { (by, other) } else { (other, by) };
    let up = cx.b.v2(V2::ShlEach, lane, v, up);
    let down = cx.b.v2(V2::ShrEachU, lane, v, down);
    let v = cx.b.v2(V2::Or, lane, up, down);
    cx.set_vector(i, v);
}

fn funnel(cx: &mut Cx, i: &Instruction, lane: Lane, left: bool) {
    let (a, b) = (cx.first(i), cx.source(i, 16));
    let n = u32::from(i.immediate8()) % lane.bits();
    let v = if left {
        shifted_pair(cx, a, b, lane, n)
    } else if n == 0 {
        a
    } else {
        shifted_pair(cx, b, a, lane, lane.bits() - n)
    };
    cx.set_vector(i, v);
}

// ---- products ----

fn dot_bytes(cx: &mut Cx, i: &Instruction) {
    let (acc, a, b) = (cx.of_half(i.op0_register()), cx.first(i), cx.source(i, 16));
    let v = cx.b.v3(V3::DotUS, Lane::S, acc, a, b);
    cx.set_vector(i, v);
}

fn dot_words(cx: &mut Cx, i: &Instruction) {
    let (acc, a, b) = (cx.of_half(i.op0_register()), cx.first(i), cx.source(i, 16));
    let v = cx.b.v2(V2::MulAddPairs, Lane::H, a, b);
    let v = cx.b.v2(V2::Add, Lane::S, acc, v);
    cx.set_vector(i, v);
}

// ---- by helpers ----

const fn function(name: &'static str, run: fn(&mut Frame<'_>)) -> Helper {
    Helper { name, run, touches: Touches::Nothing, can_exit: false, pure: true }
}

/// Two sources; last come log2 of a lane's size, and the constant above it.
fn by_helper(cx: &mut Cx, i: &Instruction, helper: &'static Helper, lane: Lane) {
    let (a, b) = (cx.first(i), cx.source(i, 16));
    let has_constant = i.op_kind(i.op_count() - 1) == OpKind::Immediate8;
    let imm = if has_constant { u32::from(i.immediate8()) } else { 0 };
    let (how, zero) = (cx.b.i32(lane as u32 | imm << 8), cx.b.v128(0));
    let v = cx.b.call(helper, Ty::V128, &[a, b, zero, how]);
    cx.set_vector(i, v);
}

/// The result's old value and two sources.
fn three(cx: &mut Cx, i: &Instruction, helper: &'static Helper, lane: Lane) {
    let (acc, a, b) = (cx.of_half(i.op0_register()), cx.first(i), cx.source(i, 16));
    let how = cx.b.i32(lane as u32);
    let v = cx.b.call(helper, Ty::V128, &[acc, a, b, how]);
    cx.set_vector(i, v);
}

fn differences(cx: &mut Cx, i: &Instruction) {
    let (a, b) = (cx.first(i), cx.source(i, 16));
    let imm = i.immediate8();
    // The second source's words of four bytes, chosen.
    let b = cx.words(b, [0, 2, 4, 6].map(|at| u32::from(imm >> at & 3)));
    let (how, zero) = (cx.b.i32(1), cx.b.v128(0));
    let v = cx.b.call(&DIFFERENCES, Ty::V128, &[a, b, zero, how]);
    cx.set_vector(i, v);
}

/// Each lane by a function of the lanes, their width and the constant.
fn each(f: &mut Frame<'_>, of: fn([u64; 3], u32, u32) -> u64) {
    let (log2, imm) = (f.args[3] as u32 & 7, f.args[3] as u32 >> 8);
    let bits = 8 << log2;
    let mask = u64::MAX >> (64 - bits);
    f.ret = (0..128 / bits).fold(0, |all, n| {
        let lane = |v: u128| (v >> (n * bits)) as u64 & mask;
        let v = of([lane(f.args[0]), lane(f.args[1]), lane(f.args[2])], bits, imm) & mask;
        all | u128::from(v) << (n * bits)
    });
}

fn signed(v: u64, bits: u32) -> i64 {
    (v << (64 - bits)) as i64 >> (64 - bits)
}

static SHIFT_LEFT: Helper =
    function("evex_shift_left", |f| each(f, |[a, b, _], bits, _| if b < bits.into() { a << b } else { 0 }));
static SHIFT_RIGHT: Helper =
    function("evex_shift_right", |f| each(f, |[a, b, _], bits, _| if b < bits.into() { a >> b } else { 0 }));
static SHIFT_SIGNED: Helper =
    function("evex_shift_signed", |f| each(f, |[a, b, _], bits, _| (signed(a, bits) >> b.min(63)) as u64));
static FUNNEL_LEFT: Helper = function("evex_funnel_left", |f| {
    each(f, |[a, b, by], bits, _| {
        let by = by as u32 % bits;
        if by == 0 { a } else { a << by | b >> (bits - by) }
    });
});
static FUNNEL_RIGHT: Helper = function("evex_funnel_right", |f| {
    each(f, |[a, b, by], bits, _| {
        let by = by as u32 % bits;
        if by == 0 { a } else { a >> by | b << (bits - by) }
    });
});

/// The product of the low 52 bits.
fn product52(a: u64, b: u64) -> u128 {
    let low = |v: u64| u128::from(v & ((1 << 52) - 1));
    low(a) * low(b)
}

static MUL_ADD_LOW: Helper = function("evex_mul_add_low", |f| {
    each(f, |[acc, a, b], _, _| acc.wrapping_add(product52(a, b) as u64 & ((1 << 52) - 1)));
});
static MUL_ADD_HIGH: Helper =
    function("evex_mul_add_high", |f| each(f, |[acc, a, b], _, _| acc.wrapping_add((product52(a, b) >> 52) as u64)));
static DOT_BYTES: Helper = function("evex_dot_bytes", |f| {
    each(f, |[acc, a, b], _, _| {
        let product = |n: u32| i64::from((a >> (8 * n)) as u8) * i64::from((b >> (8 * n)) as i8);
        saturated(signed(acc, 32) + (0..4).map(product).sum::<i64>())
    });
});
static DOT_WORDS: Helper = function("evex_dot_words", |f| {
    each(f, |[acc, a, b], _, _| {
        let product = |n: u32| i64::from((a >> (16 * n)) as i16) * i64::from((b >> (16 * n)) as i16);
        saturated(signed(acc, 32) + product(0) + product(1))
    });
});

fn saturated(v: i64) -> u64 {
    v.clamp(i32::MIN.into(), i32::MAX.into()) as u64
}

/// Each byte is eight bits of the second source's lane, from where the first one's byte says on.
static MULTI_SHIFT: Helper = function("evex_multi_shift", |f| {
    each(f, |[control, v, _], _, _| {
        let byte = |n: u32| v.rotate_right((control >> (8 * n)) as u32 & 63) & 0xff;
        (0..8).fold(0, |all, n| all | byte(n) << (8 * n))
    });
});
/// Bits of the first source's lane, chosen by the second one's bytes, as bytes' signs.
static CHOOSE_BITS: Helper = function("evex_choose_bits", |f| {
    each(f, |[v, which, _], _, _| {
        let bit = |n: u32| v >> (which >> (8 * n) & 63) & 1;
        (0..8).fold(0, |all, n| all | bit(n) << (8 * n + 7))
    });
});
/// For each word differences of four bytes: the first source's from its half on, two of them for each four of the second's.
static DIFFERENCES: Helper = function("evex_differences", |f| {
    let (a, b) = (f.args[0].to_le_bytes(), f.args[1].to_le_bytes());
    let sum = |n: usize| -> u128 {
        // Words 0 and 1 have the first source's low four bytes, 2 and 3 the next, against the second's from n on within its half.
        let from = n / 2 * 4;
        let at = n / 4 * 8 + [0, 1, 2, 3][n % 4];
        (0..4).map(|k| u128::from(a[from + k].abs_diff(b[at + k]))).sum()
    };
    f.ret = (0..8).fold(0, |all, n| all | sum(n) << (16 * n));
});

// ---- GF(2^8) with x^8 + x^4 + x^3 + x + 1 ----

fn gf_mul(a: u8, b: u8) -> u8 {
    let wide = (0..8).filter(|n| b >> n & 1 != 0).fold(0u16, |all, n| all ^ u16::from(a) << n);
    (8..15).rev().fold(wide, |v, n| if v >> n & 1 != 0 { v ^ 0x11b << (n - 8) } else { v }) as u8
}

/// x^254.
fn gf_inverse(a: u8) -> u8 {
    let mut v = 1;
    let mut power = a;
    for _ in 1..8 {
        power = gf_mul(power, power);
        v = gf_mul(v, power);
    }
    v
}

/// Rows of the matrix stand from the highest byte on.
fn affine(v: u8, matrix: u64, constant: u8) -> u8 {
    let bit = |n: u32| ((matrix >> (8 * (7 - n))) as u8 & v).count_ones() as u8 & 1;
    (0..8).fold(constant, |all, n| all ^ bit(n) << n)
}

fn each_byte(v: u64, of: impl Fn(u8, u32) -> u8) -> u64 {
    (0..8).fold(0, |all, n| all | u64::from(of((v >> (8 * n)) as u8, n)) << (8 * n))
}

static GF_MUL: Helper = function("gf_mul", |f| each(f, |[a, b, _], _, _| gf_mul(a as u8, b as u8).into()));
static GF_AFFINE: Helper =
    function("gf_affine", |f| each(f, |[a, matrix, _], _, imm| each_byte(a, |v, _| affine(v, matrix, imm as u8))));
static GF_AFFINE_INVERSE: Helper = function("gf_affine_inverse", |f| {
    each(f, |[a, matrix, _], _, imm| each_byte(a, |v, _| affine(gf_inverse(v), matrix, imm as u8)));
});

// ---- across pieces ----

/// For each lane bits of those before it that are equal.
static CONFLICT: Helper = staged("evex_conflict", |f| {
    let (old, size, count) = (all_staged(f), 1usize << f.args[1], f.args[2] as usize);
    let mut new = [0; 64];
    let lane = |n: usize| &old[n * size..][..size];
    for n in 0..count {
        let equal = (0..n).filter(|m| lane(*m) == lane(n)).fold(0u64, |all, m| all | 1 << m);
        new[n * size..][..size].copy_from_slice(&equal.to_le_bytes()[..size]);
    }
    set_staged(f, &new);
});

fn conflict(cx: &mut Cx, i: &Instruction, lane: Lane) {
    let from = cx.whole_source(i, 1);
    let bytes = i.op0_register().size();
    let bits = cx.b.i64(0);
    let mut results = by_stage(cx, &CONFLICT, from, bits, lane, (bytes / lane.bytes()) as u32);
    results[bytes / 16..].fill(Val::NONE);
    cx.deliver_whole(i, results);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inverses_in_the_field() {
        assert_eq!(gf_inverse(0), 0);
        assert!((1..=255).all(|v| gf_mul(v, gf_inverse(v)) == 1));
    }
}
