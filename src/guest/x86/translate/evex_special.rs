//! EVEX: what one number of VRANGE and the like is, bit by bit (SDM vol. 2). Helpers run under the guest's MXCSR and compute in integers, or by soft float.

use softfloat::{Env, Flags, Fmt, Ordering, Round, compare, mul, round_to_int, sub};

/// A format's fields.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    pub(super) fmt: Fmt,
    fraction: u32,
    bias: i32,
}

pub(super) const SINGLE: Layout = Layout { fmt: Fmt::F32, fraction: 23, bias: 127 };
pub(super) const DOUBLE: Layout = Layout { fmt: Fmt::F64, fraction: 52, bias: 1023 };

impl Layout {
    pub(super) const fn bits(self) -> u32 {
        match self.fmt {
            Fmt::F64 => 64,
            _ => 32,
        }
    }
    const fn sign(self) -> u64 {
        1 << (self.bits() - 1)
    }
    const fn infinity(self) -> u64 {
        self.sign() - (1 << self.fraction)
    }
    const fn quiet(self) -> u64 {
        1 << (self.fraction - 1)
    }
    const fn indefinite(self) -> u64 {
        self.sign() | self.infinity() | self.quiet()
    }
    const fn one(self) -> u64 {
        (self.bias as u64) << self.fraction
    }
    const fn fraction_mask(self) -> u64 {
        (1 << self.fraction) - 1
    }
    const fn magnitude(self, v: u64) -> u64 {
        v & !self.sign()
    }
    const fn is_nan(self, v: u64) -> bool {
        self.magnitude(v) > self.infinity()
    }
    const fn is_signalling(self, v: u64) -> bool {
        self.is_nan(v) && v & self.quiet() == 0
    }
    const fn is_infinite(self, v: u64) -> bool {
        self.magnitude(v) == self.infinity()
    }
    const fn is_denormal(self, v: u64) -> bool {
        self.magnitude(v) != 0 && self.magnitude(v) < 1 << self.fraction
    }
    /// 2^n, of a normal number.
    const fn power(self, n: i32) -> u64 {
        ((n + self.bias) as u64) << self.fraction
    }
    /// The exponent of a finite number that is not zero, and the number with exponent 0.
    fn parts(self, v: u64) -> (i32, u64) {
        let sign = v & self.sign();
        let m = self.magnitude(v);
        if m >= 1 << self.fraction {
            return ((m >> self.fraction) as i32 - self.bias, sign | self.one() | m & self.fraction_mask());
        }
        let up = self.fraction - m.ilog2();
        (1 - self.bias - up as i32, sign | self.one() | (m << up) & self.fraction_mask())
    }
    /// An integer as a number.
    fn integer(self, n: i32) -> u64 {
        let mut env = Env::X86;
        softfloat::from_int(self.fmt, i64::from(n) as u64, softfloat::Int::I64, 0, &mut env)
    }
}

fn raise(env: &mut Env, flags: Flags) {
    env.flags |= flags;
}

/// A NaN made quiet; a signalling one is invalid.
fn quieted(l: Layout, v: u64, env: &mut Env) -> u64 {
    if l.is_signalling(v) {
        raise(env, Flags::INVALID);
    }
    v | l.quiet()
}

/// A denormal operand: zero where they are flushed, else told of.
fn taken(l: Layout, v: u64, env: &mut Env) -> u64 {
    if !l.is_denormal(v) {
        return v;
    }
    if env.flush_in {
        return v & l.sign();
    }
    raise(env, Flags::INPUT_DENORMAL);
    v
}

/// One lane of an operation: its operands, the constant.
pub(super) type Of = fn(Layout, [u64; 3], u32, &mut Env) -> u64;

/// Rounding as bits 1 and 0 of a constant say, or bit 2 that MXCSR does.
fn rounding(imm: u32, env: &Env) -> Round {
    if imm & 4 != 0 { env.round } else { [Round::NearestEven, Round::Down, Round::Up, Round::Zero][imm as usize & 3] }
}

/// To a multiple of 2^-M; whether that is another number.
fn to_multiple(l: Layout, v: u64, imm: u32, env: &Env) -> (u64, bool) {
    let places = (imm >> 4) as i32 & 15;
    let mut own = Env {
        flush_in: false,
        flush_out: false,
        round: rounding(imm, env),
        flags: Flags::NONE,
        unmasked: false,
        ..*env
    };
    let scaled = mul(l.fmt, v, l.power(places), &mut own);
    if l.is_infinite(scaled) || l.magnitude(scaled) >= l.power(l.fraction as i32) {
        return (v, false);
    }
    own.flags = Flags::NONE;
    let round = own.round;
    let rounded = round_to_int(l.fmt, scaled, round, true, &mut own);
    let inexact = own.flags.contains(Flags::INEXACT);
    (mul(l.fmt, rounded, l.power(-places), &mut own), inexact)
}

pub(super) fn round_scale(l: Layout, [v, ..]: [u64; 3], imm: u32, env: &mut Env) -> u64 {
    if l.is_nan(v) {
        return quieted(l, v, env);
    }
    let v = if env.flush_in && l.is_denormal(v) { v & l.sign() } else { v };
    if l.is_infinite(v) || l.magnitude(v) == 0 {
        return v;
    }
    let (rounded, inexact) = to_multiple(l, v, imm, env);
    if inexact && imm & 8 == 0 {
        raise(env, Flags::INEXACT);
    }
    rounded
}

pub(super) fn reduce(l: Layout, [v, ..]: [u64; 3], imm: u32, env: &mut Env) -> u64 {
    if l.is_nan(v) {
        return quieted(l, v, env);
    }
    if l.is_infinite(v) {
        return 0;
    }
    let v = if env.flush_in && l.is_denormal(v) { v & l.sign() } else { v };
    let (rounded, _) = to_multiple(l, v, imm, env);
    let mut own = Env { flush_in: false, round: rounding(imm, env), flags: Flags::NONE, unmasked: false, ..*env };
    let rest = sub(l.fmt, v, rounded, &mut own);
    if own.flags.contains(Flags::INEXACT) && imm & 8 == 0 {
        raise(env, Flags::INEXACT);
    }
    rest
}

pub(super) fn exponent(l: Layout, [v, ..]: [u64; 3], _: u32, env: &mut Env) -> u64 {
    if l.is_nan(v) {
        return quieted(l, v, env);
    }
    let v = taken(l, v, env);
    match l.magnitude(v) {
        0 => l.sign() | l.infinity(),
        m if m == l.infinity() => m,
        m => l.integer(l.parts(m).0),
    }
}

/// Bits 1 and 0 of the constant: which interval; bits 3 and 2: the sign.
pub(super) fn mantissa(l: Layout, [v, ..]: [u64; 3], imm: u32, env: &mut Env) -> u64 {
    if l.is_nan(v) {
        return quieted(l, v, env);
    }
    let v = if env.flush_in && l.is_denormal(v) { v & l.sign() } else { v };
    let negative = v & l.sign() != 0;
    let sign = if imm & 4 != 0 { 0 } else { v & l.sign() };
    if l.magnitude(v) == 0 {
        return sign | l.one();
    }
    if negative && imm & 8 != 0 {
        raise(env, Flags::INVALID);
        return l.indefinite();
    }
    if l.is_infinite(v) {
        return sign | l.one();
    }
    taken(l, v, env);
    let (exponent, m) = l.parts(v);
    let fraction = m & l.fraction_mask();
    let down = match imm & 3 {
        0 => false,
        1 => exponent & 1 != 0,
        2 => true,
        _ => fraction & l.quiet() != 0,
    };
    let scaled = if down { l.power(-1) } else { l.one() };
    sign | scaled | fraction
}

/// The first times 2 to the second, rounded down.
pub(super) fn scale(l: Layout, [a, b, _]: [u64; 3], _: u32, env: &mut Env) -> u64 {
    if l.is_signalling(a) || l.is_signalling(b) {
        raise(env, Flags::INVALID);
    }
    let is_up = b == l.infinity();
    let is_down = b == l.infinity() | l.sign();
    if l.is_nan(a) {
        return match () {
            () if l.is_signalling(a) || l.is_nan(b) => a | l.quiet(),
            () if is_up => l.infinity(),
            () if is_down => 0,
            () => a,
        };
    }
    if l.is_nan(b) {
        return b | l.quiet();
    }
    let a = taken(l, a, env);
    let b = if env.flush_in && l.is_denormal(b) { b & l.sign() } else { b };
    if is_up && l.magnitude(a) == 0 || is_down && l.is_infinite(a) {
        raise(env, Flags::INVALID);
        return l.indefinite();
    }
    let sign = a & l.sign();
    match () {
        () if l.is_infinite(a) || l.magnitude(a) == 0 => return a,
        () if is_up => return sign | l.infinity(),
        () if is_down => return sign,
        () => {}
    }
    let mut own = Env { flush_in: false, flags: Flags::NONE, ..*env };
    let places = round_to_int(l.fmt, b, Round::Down, false, &mut own);
    let most = 4 * l.bias;
    let places = softfloat::to_int(l.fmt, places, softfloat::Int::I64, 0, Round::Zero, &mut own) as i64;
    let huge = l.magnitude(b) > l.power(40);
    let places = if huge {
        if b & l.sign() != 0 { -most } else { most }
    } else {
        places.clamp(-i64::from(most), most.into()) as i32
    };
    let (exponent, m) = l.parts(a);
    let limit = l.bias + 2 + l.fraction as i32 + 4;
    let all = (exponent + places).clamp(-limit, limit);
    // Two factors whose product is rounded once.
    let half = all / 2;
    let (m, factor) = (mul_exact(l, m, half), l.power(all - half));
    own.flags = Flags::NONE;
    let v = mul(l.fmt, m, factor, &mut own);
    raise(env, own.flags);
    v
}

/// A number of exponent 0 times 2^n, where that is normal.
fn mul_exact(l: Layout, m: u64, n: i32) -> u64 {
    m.wrapping_add((i64::from(n) << l.fraction) as u64)
}

pub(super) fn range(l: Layout, [a, b, _]: [u64; 3], imm: u32, env: &mut Env) -> u64 {
    for v in [a, b] {
        if l.is_signalling(v) {
            return quieted(l, v, env);
        }
    }
    let (nan_a, nan_b) = (l.is_nan(a), l.is_nan(b));
    let taken =
        |v: u64, other_is_nan: bool, env: &mut Env| if other_is_nan && !env.flush_in { v } else { taken(l, v, env) };
    let (a, b) = (taken(a, nan_b, env), taken(b, nan_a, env));
    let chosen = if nan_b {
        a
    } else if nan_a {
        b
    } else {
        let of = |v: u64| if imm & 2 != 0 { l.magnitude(v) } else { v };
        let mut own = Env { flags: Flags::NONE, ..*env };
        let order = compare(l.fmt, of(a), of(b), false, &mut own);
        let first = match order {
            Ordering::Less => true,
            Ordering::Equal if (a ^ b) & l.sign() != 0 => a & l.sign() != 0,
            Ordering::Equal => true,
            _ => false,
        };
        if first == (imm & 1 == 0) { a } else { b }
    };
    let m = l.magnitude(chosen);
    match imm >> 2 & 3 {
        0 => a & l.sign() | m,
        1 => chosen,
        2 => m,
        _ => l.sign() | m,
    }
}

/// The third operand's field for what kind of number the second is says what comes out; the constant says which kinds raise something.
pub(super) fn fixup(l: Layout, [old, v, table]: [u64; 3], imm: u32, env: &mut Env) -> u64 {
    let v = if env.flush_in && l.is_denormal(v) { v & l.sign() } else { v };
    let negative = v & l.sign() != 0;
    // The kind, which bit of the constant raises "divided by zero", and which "invalid".
    let (kind, zero_bit, invalid_bit) = match l.magnitude(v) {
        _ if l.is_signalling(v) => (1, 0, 1 << 4),
        _ if l.is_nan(v) => (0, 0, 0),
        0 => (2, 1, 1 << 1),
        _ if v == l.one() => (3, 1 << 2, 1 << 3),
        m if m == l.infinity() && negative => (4, 0, 1 << 5),
        m if m == l.infinity() => (5, 0, 1 << 7),
        _ if negative => (6, 0, 1 << 6),
        _ => (7, 0, 0),
    };
    if imm & zero_bit != 0 {
        raise(env, Flags::DIV_BY_ZERO);
    }
    if imm & invalid_bit != 0 {
        raise(env, Flags::INVALID);
    }
    let largest = l.infinity() - 1;
    match table >> (4 * kind) & 15 {
        0 => old,
        1 => v,
        2 => v | l.infinity() | l.quiet(),
        3 => l.indefinite(),
        4 => l.sign() | l.infinity(),
        5 => l.infinity(),
        6 => v & l.sign() | l.infinity(),
        7 => l.sign(),
        8 => 0,
        9 => l.sign() | l.one(),
        10 => l.one(),
        11 => l.power(-1),
        12 => l.integer(90),
        13 if l.bits() == 32 => std::f32::consts::FRAC_PI_2.to_bits().into(),
        13 => std::f64::consts::FRAC_PI_2.to_bits(),
        14 => largest,
        _ => l.sign() | largest,
    }
}

/// All ones if the number is of a class that the constant names.
pub(super) fn class(l: Layout, [v, ..]: [u64; 3], imm: u32, env: &mut Env) -> u64 {
    let v = if env.flush_in && l.is_denormal(v) { v & l.sign() } else { v };
    let negative = v & l.sign() != 0;
    let m = l.magnitude(v);
    let is = [
        l.is_nan(v) && !l.is_signalling(v),
        m == 0 && !negative,
        m == 0 && negative,
        m == l.infinity() && !negative,
        m == l.infinity() && negative,
        l.is_denormal(v),
        negative && m != 0 && m < l.infinity(),
        l.is_signalling(v),
    ];
    if (0..8).any(|n| imm >> n & 1 != 0 && is[n]) { u64::MAX } else { 0 }
}

// ---- estimates: to 14 bits, as the manual demands. How they come about is each maker's own affair ----

/// The significand's `bits` + 1 bits times 2^`exponent`, of the number 1.f * 2^`exponent`.
fn built(l: Layout, sign: u64, m: u64, exponent: i32, env: &Env) -> u64 {
    // `m` has 15 bits, the highest set.
    let wide = m << (l.fraction - 14);
    if exponent >= 1 - l.bias {
        return sign | ((exponent + l.bias) as u64) << l.fraction | wide & l.fraction_mask();
    }
    if env.flush_out {
        return sign;
    }
    sign | wide >> (1 - l.bias - exponent)
}

pub(super) fn reciprocal(l: Layout, [v, ..]: [u64; 3], _: u32, env: &mut Env) -> u64 {
    let sign = v & l.sign();
    let v = if env.flush_in && l.is_denormal(v) { sign } else { v };
    match l.magnitude(v) {
        _ if l.is_nan(v) => return v | l.quiet(),
        0 => return sign | l.infinity(),
        m if m == l.infinity() => return sign,
        _ => {}
    }
    let (exponent, m) = l.parts(v);
    let m = m & l.fraction_mask() | 1 << l.fraction;
    if m == 1 << l.fraction {
        return if -exponent > l.bias { sign | l.infinity() } else { built(l, sign, 1 << 14, -exponent, env) };
    }
    // Between 1/2 and 1.
    let q = ((1u128 << (l.fraction + 16)) / u128::from(m)) as u64;
    let m = (q + 1) >> 1;
    let (m, exponent) = if m == 1 << 15 { (1 << 14, -exponent) } else { (m, -exponent - 1) };
    if exponent > l.bias { sign | l.infinity() } else { built(l, sign, m, exponent, env) }
}

pub(super) fn reciprocal_root(l: Layout, [v, ..]: [u64; 3], _: u32, env: &mut Env) -> u64 {
    let sign = v & l.sign();
    let v = if env.flush_in && l.is_denormal(v) { sign } else { v };
    match l.magnitude(v) {
        _ if l.is_nan(v) => return v | l.quiet(),
        0 => return sign | l.infinity(),
        _ if sign != 0 => return l.indefinite(),
        m if m == l.infinity() => return 0,
        _ => {}
    }
    let (exponent, m) = l.parts(v);
    let m = u128::from(m & l.fraction_mask() | 1 << l.fraction);
    let odd = exponent & 1;
    // sqrt(2^(2 * 15 + 2) / x) for x from 1 to 4.
    let q = ((1u128 << (l.fraction + 32)) / (m << odd)).isqrt() as u64;
    let m = (q + 1) >> 1;
    let half = (exponent - odd) / 2;
    let (m, exponent) = if m >= 1 << 15 { (1 << 14, -half) } else { (m, -half - 1) };
    built(l, 0, m, exponent, env)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: u32 = 0;

    #[test]
    fn estimates_are_as_near_as_the_manual_demands() {
        let mut v = 0x0080_0000u32;
        while v < 0x7f00_0000 {
            let x = f64::from(f32::from_bits(v));
            let [r, root] = [reciprocal, reciprocal_root].map(|of: Of| {
                let mut env = Env::X86;
                f64::from(f32::from_bits(of(SINGLE, [v.into(), 0, 0], NONE, &mut env) as u32))
            });
            // Denormal results have fewer bits.
            let enough = v < 0x7e80_0000;
            assert!(!enough || (r * x - 1.0).abs() < 1.0 / 16384.0, "{v:x}");
            assert!((root * x.sqrt() - 1.0).abs() < 1.0 / 16384.0, "{v:x}");
            v += 0x0001_2345;
        }
    }

    #[test]
    fn numbers_that_are_not_normal() {
        let of = |of: Of, v: f64| {
            let mut env = Env::X86;
            f64::from_bits(of(DOUBLE, [v.to_bits(), 0, 0], NONE, &mut env))
        };
        assert_eq!(
            [of(reciprocal, 0.0), of(reciprocal, -0.0), of(reciprocal, f64::INFINITY)],
            [f64::INFINITY, f64::NEG_INFINITY, 0.0]
        );
        assert_eq!([of(reciprocal, 1.0), of(reciprocal, -4.0), of(reciprocal_root, 16.0)], [1.0, -0.25, 0.25]);
        assert_eq!(
            [of(reciprocal, 2f64.powi(1023)), of(reciprocal, f64::from_bits(1))],
            [2f64.powi(-1023), f64::INFINITY]
        );
        assert_eq!([of(reciprocal_root, f64::INFINITY), of(reciprocal_root, -0.0)], [0.0, f64::NEG_INFINITY]);
        assert!(of(reciprocal_root, -1.0).is_nan());
    }
}
