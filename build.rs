//! The program begins at `linux::entry::rqemu_start` rather than at the C runtime's `_start`.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-link-arg-bins=-Wl,--entry=rqemu_start");
}
