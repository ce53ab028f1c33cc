//! How rqemu is linked: it begins at `linux::entry::rqemu_start` rather than at the C runtime's `_start`, its file is written at once, and its relocations are
//! packed.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-link-arg-bins=-Wl,--entry=rqemu_start");
    for option in [written_at_once(), PACKED] {
        if program_with(option) {
            println!("cargo::rustc-link-arg-bins={option}");
        }
    }
}

/// A bit for a relocation rather than 24 bytes, of all of which each start would read 300 KB. A C library before 2.36 knows nothing of them, and its programs crash.
const PACKED: &str = "-Wl,-z,pack-relative-relocs";

/// Has lld write its file by one write(2) instead of through a mapping. Pages that came through a mapping are single ones in the page cache for as long as they
/// stay there; those of a large write lie together, and each start of the program maps and unmaps them together (docs/decisions.md).
fn written_at_once() -> &'static str {
    let said = Command::new(rustc()).arg("-vV").output().map(|o| o.stdout).unwrap_or_default();
    // LLVM 22 has the two options the wrong way round.
    match String::from_utf8_lossy(&said).contains("LLVM version: 22.") {
        true => "-Wl,--mmap-output-file",
        false => "-Wl,--no-mmap-output-file",
    }
}

fn rustc() -> OsString {
    env::var_os("RUSTC").expect("set by Cargo")
}

/// Whether an empty program links with the option, which not all linkers have, and runs.
fn program_with(option: &str) -> bool {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("set by Cargo"));
    let source = out.join("empty.rs");
    fs::write(&source, "fn main() {}\n").expect("the build's folder can be written");
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let mut rustc = Command::new(rustc());
    rustc.args(flags.split('\u{1f}').filter(|f| !f.is_empty()));
    rustc.arg("--target").arg(env::var_os("TARGET").expect("set by Cargo"));
    if let Some(linker) = env::var_os("RUSTC_LINKER") {
        let mut given = OsString::from("linker=");
        given.push(linker);
        rustc.arg("-C").arg(given);
    }
    rustc.arg("-C").arg(format!("link-arg={option}")).arg("--out-dir").arg(&out).arg(&source);
    let linked = rustc.stderr(Stdio::null()).status().is_ok_and(|s| s.success());
    linked
        && (env::var_os("HOST") != env::var_os("TARGET")
            || Command::new(out.join("empty")).status().is_ok_and(|s| s.success()))
}
