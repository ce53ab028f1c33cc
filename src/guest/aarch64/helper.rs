//! Helpers: what IR cannot say.

use crate::sysreg::FREQUENCY;
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
