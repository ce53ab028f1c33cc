//! The program: reads its arguments, picks the guest, runs it. The only file that names every guest.
fn main() {}
