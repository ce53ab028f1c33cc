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

/// PDEP: the low bits of a value put where a mask has ones.
pub(super) static PDEP: Helper = function("pdep", |f| {
    let (value, mask) = (f.args[0] as u64, f.args[1] as u64);
    let ones = (0..64).filter(|n| mask >> n & 1 == 1).enumerate();
    f.ret = ones.fold(0u64, |all, (from, to)| all | (value >> from & 1) << to).into();
});

/// PEXT: the bits of a value where a mask has ones, put together.
pub(super) static PEXT: Helper = function("pext", |f| {
    let (value, mask) = (f.args[0] as u64, f.args[1] as u64);
    let ones = (0..64).filter(|n| mask >> n & 1 == 1).enumerate();
    f.ret = ones.fold(0u64, |all, (to, from)| all | (value >> from & 1) << to).into();
});

/// CPUID: leaf, subleaf, the model's features times 2 and 1 in 64-bit mode, which half: EAX and EBX, or ECX and EDX.
pub(super) static CPUID: Helper = function("cpuid", |f| {
    let r = cpuid(f.args[0] as u32, f.args[1] as u32, f.args[2] as u64 >> 1, f.args[2] & 1 != 0);
    let at = 2 * (f.args[3] as usize & 1);
    f.ret = u128::from(r[at]) | u128::from(r[at + 1]) << 32;
});

/// The time stamp counter.
pub(super) static CYCLES: Helper = Helper { pure: false, ..function("cycles", cycles) };

// Differs: nanoseconds since the process first asked, not cycles since boot.
fn cycles(f: &mut Frame<'_>) {
    static START: OnceLock<Instant> = OnceLock::new();
    f.ret = START.get_or_init(Instant::now).elapsed().as_nanos();
}

#[cfg(test)]
mod tests {
    use super::quotient;

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
