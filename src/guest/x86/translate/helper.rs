//! Helpers: what IR cannot say, or rarely needs to.

use crate::linux::cpuid;
use ir::{Frame, Helper, Touches, Trap};
use std::sync::OnceLock;
use std::time::Instant;

/// A helper that is a function of its arguments.
const fn function(name: &'static str, run: fn(&mut Frame<'_>)) -> Helper {
    Helper { name, run, touches: Touches::Nothing, can_exit: false, pure: true }
}

/// The quotient of a dividend's low and high half and a divisor; a trap if there is none. Last their width times 2, and 1 if they are signed.
pub(super) static DIVIDE: Helper =
    Helper { name: "divide", run: |f| divide(f, |q, _| q), touches: Touches::Nothing, can_exit: true, pure: false };
/// The remainder likewise.
pub(super) static REMAINDER: Helper =
    Helper { name: "remainder", run: |f| divide(f, |_, r| r), touches: Touches::Nothing, can_exit: true, pure: false };

fn divide(f: &mut Frame<'_>, which: fn(i128, i128) -> i128) {
    let (bits, signed) = (f.args[3] as u32 >> 1, f.args[3] & 1 != 0);
    match quotient(f.args[0] | f.args[1] << bits, f.args[2], bits, signed) {
        Some((q, r)) => f.ret = which(q, r) as u128 & u128::from(u64::MAX >> (64 - bits)),
        None => f.exit = Some(Trap::Arithmetic),
    }
}

/// Quotient and remainder, if the quotient has no more than `bits` bits. The dividend has twice as many.
fn quotient(dividend: u128, divisor: u128, bits: u32, signed: bool) -> Option<(i128, i128)> {
    if !signed {
        let q = dividend.checked_div(divisor)?;
        return (q >> bits == 0).then_some((q as i128, (dividend % divisor) as i128));
    }
    let extend = |v: u128, bits: u32| (v << (128 - bits)) as i128 >> (128 - bits);
    let (dividend, divisor) = (extend(dividend, 2 * bits), extend(divisor, bits));
    let q = dividend.checked_div(divisor)?;
    (q == extend(q as u128, bits)).then_some((q, dividend % divisor))
}

/// A value rotated left through the carry: the value, the amount, the carry, the value's width in bits.
pub(super) static ROTATE_CARRY: Helper = function("rotate_carry", |f| f.ret = rotate_carry(f) & u128::from(u64::MAX));
/// The carry that comes of it.
pub(super) static ROTATE_CARRY_OUT: Helper =
    function("rotate_carry_out", |f| f.ret = rotate_carry(f) >> (f.args[3] as u32) & 1);

/// The value with the carry above it.
fn rotate_carry(f: &Frame<'_>) -> u128 {
    let bits = f.args[3] as u32;
    let amount = f.args[1] as u32 % (bits + 1);
    let v = f.args[0] & ((1 << bits) - 1) | f.args[2] << bits;
    let all = v << amount | v >> (bits + 1 - amount);
    all & ((1 << (bits + 1)) - 1)
}

/// MPSADBW: for each of eight places in the first vector the differences of four bytes there to the second's, added; the constant says where from.
pub(super) static DIFFERENCES: Helper = function("differences", |f| {
    let (a, b, imm) = (f.args[0].to_le_bytes(), f.args[1].to_le_bytes(), f.args[2] as usize);
    let (from, four) = (4 * (imm >> 2 & 1), &b[4 * (imm & 3)..][..4]);
    let sum = |n: usize| -> u128 { a[from + n..].iter().zip(four).map(|(x, y)| u128::from(x.abs_diff(*y))).sum() };
    f.ret = (0..8).fold(0, |all, n| all | sum(n) << (16 * n));
});

/// PHMINPOSUW: the smallest of eight unsigned words, and above it which is the first such.
pub(super) static SMALLEST: Helper = function("smallest", |f| {
    let of = |n: u128| f.args[0] >> (16 * n) & 0xffff;
    let n = (0..8).min_by_key(|&n| of(n)).unwrap_or(0);
    f.ret = of(n) | n << 16;
});

/// CPUID: leaf, subleaf, the model's features times 2 and 1 in 64-bit mode, which half: EAX and EBX, or ECX and EDX.
pub(super) static CPUID: Helper = function("cpuid", |f| {
    let r = cpuid(f.args[0] as u32, f.args[1] as u32, f.args[2] as u64 >> 1, f.args[2] & 1 != 0);
    let at = 2 * (f.args[3] as usize & 1);
    f.ret = u128::from(r[at]) | u128::from(r[at + 1]) << 32;
});

/// A number that nobody foresees who lacks the key: two words of key, the number's number.
pub(super) static NUMBER: Helper =
    function("number", |f| f.ret = siphash([f.args[0] as u64, f.args[1] as u64], f.args[2] as u64).into());

/// SipHash-2-4 (Aumasson, Bernstein: "SipHash: a fast short-input PRF") of one word.
fn siphash(key: [u64; 2], word: u64) -> u64 {
    let mut v = [0x736f_6d65_7073_6575, 0x646f_7261_6e64_6f6d, 0x6c79_6765_6e65_7261, 0x7465_6462_7974_6573];
    (v[0], v[1], v[2], v[3]) = (v[0] ^ key[0], v[1] ^ key[1], v[2] ^ key[0], v[3] ^ key[1]);
    // The last word has the length in its highest byte.
    for m in [word, 8 << 56] {
        v[3] ^= m;
        sip_rounds(&mut v, 2);
        v[0] ^= m;
    }
    v[2] ^= 0xff;
    sip_rounds(&mut v, 4);
    v[0] ^ v[1] ^ v[2] ^ v[3]
}

fn sip_rounds(v: &mut [u64; 4], n: u32) {
    for _ in 0..n {
        for (a, b, turn) in [(0, 1, 13), (2, 3, 16)] {
            v[a] = v[a].wrapping_add(v[b]);
            v[b] = v[b].rotate_left(turn) ^ v[a];
        }
        v[0] = v[0].rotate_left(32);
        for (a, b, turn) in [(2, 1, 17), (0, 3, 21)] {
            v[a] = v[a].wrapping_add(v[b]);
            v[b] = v[b].rotate_left(turn) ^ v[a];
        }
        v[2] = v[2].rotate_left(32);
    }
}

/// The time stamp counter.
pub(super) static CYCLES: Helper = Helper { pure: false, ..function("cycles", cycles) };

// Differs: nanoseconds since the process first asked, not cycles since boot.
fn cycles(f: &mut Frame<'_>) {
    static START: OnceLock<Instant> = OnceLock::new();
    f.ret = START.get_or_init(Instant::now).elapsed().as_nanos();
}

#[cfg(test)]
mod tests {
    use super::{quotient, siphash};

    #[test]
    fn the_published_vector() {
        // The paper's appendix has 15 bytes; its authors' list has that of 8, 00 to 07 under the key 00 to 0f.
        let key = [0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908];
        assert_eq!(siphash(key, 0x0706_0504_0302_0100), 0x93f5_f579_9a93_2462);
    }

    #[test]
    fn quotients() {
        assert_eq!(quotient(1 << 64 | 5, 3, 64, false), Some((0x5555_5555_5555_5557, 0)));
        assert_eq!(quotient(3 << 64, 3, 64, false), None);
        assert_eq!(quotient(7, 0, 64, false), None);
        assert_eq!(quotient(-7i128 as u128, 2, 64, true), Some((-3, -1)));
        assert_eq!(quotient(i64::MIN as i128 as u128, u64::MAX.into(), 64, true), None);
        assert_eq!(quotient(0xff80, 0xff, 8, true), None);
        assert_eq!(quotient(0x0080, 0xff, 8, true), Some((-128, 0)));
    }
}
