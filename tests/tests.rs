//! The one test program: every suite that looks at `rqemu` from the outside.
//!
//! Cases are data in this folder (`linux/*.c`, `programs/cases/*.sh`, gcc's own tests); each module here runs one kind
//! of them. What a machine lacks is left out with a line that says so. Unit tests stand with the code they test.
//!
//! Long suites are ignored tests under `long::`; `tests/run --long SUITE` runs one.

mod cache;
mod decode;
mod decode_arm;
mod differential;
mod fuzz;
mod golden;
mod harness;
mod hello;
mod hostile;
mod insn;
mod licences;
mod linux;
mod long;
mod models;
mod options;
mod programs;
mod progress;
mod reference;
mod registered;
mod stress;
mod tables;
mod tidy;
mod torture;
mod ways;
mod x87;
