//! Turns the instruction rows into Rust.

fn main() {
    decode::generate(&["integer.decode", "float.decode", "crypto.decode", "vector.decode", "compressed.decode"]);
}
