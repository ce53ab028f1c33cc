//! Helpers: what IR cannot say, or rarely needs to.

use ir::{Frame, Helper, Touches};
use std::sync::OnceLock;
use std::time::Instant;

/// The counters cycle, time and instret.
pub(crate) static COUNTER: Helper =
    Helper { name: "counter", run: counter, touches: Touches::Nothing, can_exit: false, pure: false };

/// Ticks of `time` a second, as hwprobe tells.
pub(crate) const FREQUENCY: u64 = 1_000_000_000;

// Differs: the counters begin when the process first reads one, not at boot, and cycles and instructions are nanoseconds too.
fn counter(frame: &mut Frame<'_>) {
    const { assert!(FREQUENCY == 1_000_000_000, "a tick is a nanosecond") };
    static START: OnceLock<Instant> = OnceLock::new();
    frame.ret = START.get_or_init(Instant::now).elapsed().as_nanos();
}

/// A helper that is a function of its arguments.
const fn function(name: &'static str, run: fn(&mut Frame<'_>)) -> Helper {
    Helper { name, run, touches: Touches::Nothing, can_exit: false, pure: true }
}

/// XPERM4 and XPERM8: the elements of a register, their width in bits, the indices.
pub(crate) static XPERM: Helper = function("xperm", |f| {
    let [values, width, indices] = [f.args[0] as u64, f.args[1] as u64, f.args[2] as u64];
    let (mask, bits) = (u64::MAX >> (64 - width), f.args[3] as u64);
    let element = |i: u64| match (indices >> i & mask) * width {
        at if at < bits => values >> at & mask,
        _ => 0,
    };
    f.ret = (0..bits).step_by(width as usize).fold(0, |v, i| v | element(i) << i).into();
});

/// SM4ED and SM4KS: the byte, and whether it is one of the key schedule. The standard's words begin at the highest byte, the registers at the lowest.
pub(crate) static SM4: Helper = function("sm4", |f| {
    let word = u32::from(ir::SM4_BOX[f.args[0] as usize & 0xff]) << 24;
    let turns: &[u32] = if f.args[1] != 0 { &[13, 23] } else { &[2, 10, 18, 24] };
    f.ret = turns.iter().fold(word, |v, n| v ^ word.rotate_left(*n)).swap_bytes().into();
});

/// The bit of FCLASS's result (F, table 27).
pub(super) fn class(bits: u64, exponent: u32, significand: u32) -> u32 {
    let negative = bits >> (exponent + significand) & 1 == 1;
    let (e, m) = (bits >> significand & ((1 << exponent) - 1), bits & ((1 << significand) - 1));
    let most = (1 << exponent) - 1;
    let positive = match (e, m) {
        (e, 0) if e == most => 7,
        (e, m) if e == most => return if m >> (significand - 1) == 1 { 9 } else { 8 },
        (0, 0) => 4,
        (0, _) => 5,
        _ => 6,
    };
    if negative { 7 - positive } else { positive }
}

#[cfg(test)]
mod tests {
    use super::class;

    #[test]
    fn classes() {
        let all = [f64::NEG_INFINITY, -1.0, -1e-310, -0.0, 0.0, 1e-310, 1.0, f64::INFINITY].map(f64::to_bits);
        assert_eq!(all.map(|v| class(v, 11, 52)), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!((class(0x7ff0_0000_0000_0001, 11, 52), class(0xfff8_0000_0000_0000, 11, 52)), (8, 9));
    }
}
