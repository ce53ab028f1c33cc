//! Helpers: what IR cannot say.

use super::sysreg::FREQUENCY;
use super::{bf16, qarma};
use crate::state::{self, STATE};
use ir::{Frame, Helper, Touches};
use std::sync::OnceLock;
use std::time::Instant;

/// CNTVCT_EL0.
pub(crate) static COUNTER: Helper =
    Helper { name: "counter", run: counter, touches: Touches::Nothing, can_exit: false, pure: false };

// Differs: the counter begins when the process first reads it, not at boot.
fn counter(frame: &mut Frame<'_>) {
    const { assert!(FREQUENCY == 1_000_000_000, "a tick is a nanosecond") };
    static START: OnceLock<Instant> = OnceLock::new();
    frame.ret = START.get_or_init(Instant::now).elapsed().as_nanos();
}

/// A helper that is a function of its arguments.
const fn function(name: &'static str, run: fn(&mut Frame<'_>)) -> Helper {
    Helper { name, run, touches: Touches::Nothing, can_exit: false, pure: true }
}

/// BFDOT and BFMMLA of the accumulator and the two sources.
pub(crate) static BFDOT: Helper = function("bfdot", |f| f.ret = bf16::dot_lanes(f.args[0], f.args[1], f.args[2]));
pub(crate) static BFMMLA: Helper = function("bfmmla", |f| f.ret = bf16::matrix(f.args[0], f.args[1], f.args[2]));

/// QARMA5 of a pointer, a modifier, and the two halves of the key.
pub(crate) static QARMA5: Helper = function("qarma5", |f| {
    let [pointer, modifier, low, high] = f.args.map(|v| v as u64);
    f.ret = qarma::encrypt(pointer, modifier, low, high).into();
});

/// RNDR: the next number of the thread's own generator, a block cipher that counts.
pub(crate) static RNDR: Helper =
    Helper { name: "rndr", run: rndr, touches: Touches::Writes(&state::RNDR), can_exit: false, pure: false };

fn rndr(frame: &mut Frame<'_>) {
    let [low, high, count] = state::RNDR.map(|slot| STATE.get(frame.state, slot));
    STATE.set(frame.state, state::RNDR[2], count.wrapping_add(1));
    frame.ret = qarma::encrypt(count, 0, low, high).into();
}
