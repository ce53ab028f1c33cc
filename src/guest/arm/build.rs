//! Turns the instruction rows into Rust.

fn main() {
    decode::generate(&["insn.decode", "simd.decode"]);
}
