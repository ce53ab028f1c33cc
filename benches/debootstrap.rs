//! Times debootstrap's second stage in a chroot, by rqemu and by the reference emulator in turns.
//!
//! ```text
//! cargo bench --bench debootstrap -- [--roots DIR] [--arch arm64] [--runs 1] [--rqemu PROGRAM] [--reference PROGRAM]
//! ```
//!
//! It needs root, and what `tests/setup debootstrap ARCH` has left in DIR. *wall* is the second stage alone; *processor* is user's and system's time of all of
//! `tests/debootstrap/suite … short`, which makes the root and looks at it afterwards, a tenth of the whole. `-` for `--reference` leaves that out.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

struct Options {
    roots: PathBuf,
    arch: String,
    runs: usize,
    rqemu: PathBuf,
    reference: Option<PathBuf>,
}

fn options() -> Option<Options> {
    let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
    let roots = home.join(".cache/rqemu-tests");
    let mut o =
        Options { roots, arch: "arm64".into(), runs: 1, rqemu: env!("CARGO_BIN_EXE_rqemu").into(), reference: None };
    let mut reference = None;
    let mut words = std::env::args().skip(1).filter(|w| w != "--bench");
    while let Some(word) = words.next() {
        let value = words.next()?;
        match word.as_str() {
            "--roots" => o.roots = value.into(),
            "--arch" => o.arch = value,
            "--runs" => o.runs = value.parse().ok()?,
            "--rqemu" => o.rqemu = value.into(),
            "--reference" => reference = Some(PathBuf::from(value)),
            _ => return None,
        }
    }
    let name = match o.arch.as_str() {
        "arm64" => "qemu-aarch64",
        "armhf" | "armel" => "qemu-arm",
        _ => "qemu-riscv64",
    };
    o.reference = Some(reference.unwrap_or_else(|| o.roots.join("qemu").join(name))).filter(|file| file.exists());
    Some(o)
}

/// Processor time of children that were waited for, in seconds (man 5 proc: cutime, cstime).
fn of_children() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = text.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(13).take(2).filter_map(|n| n.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// Wall time of the second stage and processor time of the whole, in seconds.
fn measure(o: &Options, emulator: &Path) -> Result<(f64, f64), String> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut command = Command::new(tests.join("registered/namespace"));
    command.arg("many").arg(tests.join("debootstrap/suite")).arg(emulator).arg(&o.roots).args(["short", &o.arch]);
    let before = of_children();
    let done = command.env("RQEMU", &o.rqemu).output().map_err(|e| e.to_string())?;
    let processor = of_children() - before;
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    let line = text.lines().find(|line| line.contains("/second-stage\tsame\t"));
    let wall = line.and_then(|line| line.split('\t').nth(2)?.strip_suffix(" ms")?.parse::<f64>().ok());
    let wall = wall.ok_or_else(|| text + &String::from_utf8_lossy(&done.stderr))?;
    Ok((wall / 1000.0, processor))
}

fn main() {
    let mut out = std::io::stdout();
    let Some(o) = options() else {
        let _ = writeln!(out, "usage: cargo bench --bench debootstrap -- [--roots DIR] [--arch ARCH] [--runs N]");
        std::process::exit(1);
    };
    if o.reference.is_none() {
        let _ = writeln!(out, "no reference emulator: it is left out");
    }
    let ways = [Some(("rqemu", &o.rqemu)), o.reference.as_ref().map(|file| ("reference", file))];
    for _ in 0..o.runs {
        for (name, emulator) in ways.iter().flatten() {
            let _ = match measure(&o, emulator) {
                Ok((wall, processor)) => {
                    writeln!(out, "{} {name:<10} wall {wall:6.1}s  processor {processor:6.1}s", o.arch)
                }
                Err(why) => writeln!(out, "{} {name:<10} failed: {}", o.arch, why.trim()),
            };
        }
    }
}
