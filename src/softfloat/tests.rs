//! Tests: against the host's SSE, FMA and F16C units (`x86.rs`), f16 and bf16 by way of f64 (`narrow.rs`), and Arm's
//! rules by hand-made rows (`arm.rs`). This file holds the operands they share.

mod arm;
mod narrow;
#[cfg(target_arch = "x86_64")]
mod x86;

use crate::{Env, Fmt, Round};

/// The rounding directions that a host has too, in the order of MXCSR.RC.
const HOST_ROUNDS: [Round; 4] = [Round::NearestEven, Round::Down, Round::Up, Round::Zero];

/// (bits of the exponent field, bits of the fraction field)
fn fields(fmt: Fmt) -> (u32, u32) {
    match fmt {
        Fmt::F16 => (5, 10),
        Fmt::Bf16 => (8, 7),
        Fmt::F32 => (8, 23),
        Fmt::F64 => (11, 52),
    }
}

/// Zero, denormals, normals about each edge, infinity, NaNs; both signs.
fn corners(fmt: Fmt) -> Vec<u64> {
    let (exp, frac) = fields(fmt);
    let bias = (1u64 << (exp - 1)) - 1;
    let top = (1u64 << exp) - 1;
    let ones = (1u64 << frac) - 1;
    let quiet = 1u64 << (frac - 1);
    let number = |field: u64, fraction: u64| field << frac | fraction;
    let precision = frac as u64;
    let mut list = vec![
        number(0, 0),
        number(0, 1),
        number(0, 2),
        number(0, quiet - 1),
        number(0, quiet),
        number(0, quiet | 1),
        number(0, ones),
        number(1, 0),
        number(1, 1),
        number(1, ones),
        number(2, 0),
        number(bias - 1, 0),
        number(bias - 1, ones),
        number(bias, 0),
        number(bias, 1),
        number(bias, quiet),
        number(bias, ones),
        number(bias + 1, 0),
        number(bias + 1, quiet),
        number(top - 1, 0),
        number(top - 1, ones - 1),
        number(top - 1, ones),
        number(top, 0),
        number(top, 1),
        number(top, quiet - 1),
        number(top, quiet),
        number(top, quiet | 1),
        number(top, ones),
    ];
    for distance in [precision, precision + 1, precision + 2] {
        if distance < bias {
            list.push(number(bias - distance, 0));
            list.push(number(bias - distance, 1));
            list.push(number(bias + distance, ones));
        }
    }
    // Halves of the range and, for f64, the edges of the integer types.
    list.push(number(bias / 2, ones));
    list.push(number(bias + bias / 2, 1));
    list.extend([31u64, 32, 63, 64].iter().filter(|&&e| e < bias).map(|&e| number(bias + e, 0)));
    list.extend([30u64, 31, 62, 63].iter().filter(|&&e| e < bias).map(|&e| number(bias + e, ones)));
    let negative: Vec<u64> = list.iter().map(|bits| bits | 1 << (exp + frac)).collect();
    list.extend(negative);
    list
}

/// xorshift64*, seeded: the same operands in each run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Bits of a format: any, or with an exponent near one, or with a sparse fraction.
    fn float(&mut self, fmt: Fmt) -> u64 {
        let (exp, frac) = fields(fmt);
        let bits = self.next() >> (63 - exp - frac);
        let fraction = bits & ((1 << frac) - 1);
        let sign = bits >> (exp + frac) << (exp + frac);
        let bias = (1 << (exp - 1)) - 1;
        match self.next() % 4 {
            0 => bits,
            1 => sign | (bias - 8 + self.next() % 16) << frac | fraction,
            2 => sign | (bias - 2 + self.next() % 4) << frac | fraction & self.next() & self.next() & self.next(),
            _ => bits & !(((1 << frac) - 1) >> (self.next() % (frac as u64 + 1))),
        }
    }
}

/// Fails with everything needed to repeat the case.
#[track_caller]
fn expect(what: &str, operands: &[u64], env: &Env, got: (u64, u8), wanted: (u64, u8)) {
    assert!(
        got == wanted,
        "{what} {operands:x?} under {env:?}: got {:#x} {:?}, wanted {:#x} {:?}",
        got.0,
        crate::Flags(got.1),
        wanted.0,
        crate::Flags(wanted.1)
    );
}

/// Callers hand over whole registers.
#[test]
fn upper_bits_do_not_count() {
    let junk = 0xdead_beef_cafe << 16;
    let env = &mut { Env::ARM };
    let (one, nan) = (0x3c00 | junk, 0x7c01 | junk);
    assert_eq!(crate::add(Fmt::F16, one, one, env), 0x4000);
    assert_eq!(crate::max(Fmt::F16, one, one, env), 0x3c00);
    assert_eq!(crate::recip_step(Fmt::F16, one, nan, env), 0x7e01);
    assert_eq!(crate::mul_add(Fmt::F16, nan, one, one, crate::Negate::PRODUCT, env), 0xfe01);
    assert_eq!(crate::compare(Fmt::F16, one, 0x3c00, false, env), crate::Ordering::Equal);
    assert_eq!(crate::convert(Fmt::F16, Fmt::F32, nan, env), 0x7fc0_2000);
    assert_eq!(crate::from_int(Fmt::F32, 0xffff | junk, crate::Int::I16, 0, env), 0xbf80_0000);
    assert_eq!(crate::recip_exponent(Fmt::F16, one, env), 0x4000);
    assert_eq!(crate::round_to_int(Fmt::F16, nan, Round::Zero, false, env), 0x7e01);
}
