//! The loader under mutated ELF files: each runs, or is refused in one line with status 126 or 127. rqemu never crashes.
//!
//! Headers are mutated, files cut and stretched; a guest's code is left alone, for a mutant that runs can do anything that its
//! user may.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::harness::{self, GUESTS, Guest, Outcome};

/// SplitMix64: a generator whose whole state is its seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

/// A whole program to start from.
struct Seed {
    guest: &'static Guest,
    bytes: Vec<u8>,
}

/// The kept hello programs, and dynamic and static programs of the cross compilers where there are any.
fn seeds() -> Vec<Seed> {
    let mut seeds = Vec::new();
    let source = harness::scratch("fuzz").join("seed.c");
    let text = "_Thread_local int t = 3; int b[9999]; int main(void) { return t - 3 + b[7]; }\n";
    if fs::read_to_string(&source).ok().as_deref() != Some(text) {
        fs::write(&source, text).expect("seed source");
    }
    for guest in GUESTS {
        let kept = harness::repository().join("tests/programs/hello").join(guest.name);
        seeds.push(Seed { guest, bytes: fs::read(kept).expect("a hello program") });
        let Some(compiler) = harness::find_program(&format!("{}-gcc", guest.triplets[0])) else { continue };
        for (kind, flag) in [("static", "-static"), ("static-pie", "-static-pie"), ("dynamic", "-pie")] {
            let output = source.with_extension(format!("{}-{kind}", guest.name));
            if harness::compile(&compiler, &[flag, "-fPIE", "-O1", "-s"], &source, &output).is_ok() {
                seeds.push(Seed { guest, bytes: fs::read(output).expect("a seed") });
            }
        }
    }
    seeds
}

/// Values at which length and address arithmetic breaks.
const EDGES: &[u64] = &[
    0,
    1,
    2,
    0xfff,
    0x1000,
    0x1001,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_f000,
    0xffff_ffff,
    1 << 47,
    1 << 63,
    u64::MAX,
];

fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    let wide = bytes[4] == 2;
    let (header, entry) = if wide { (64, 56) } else { (52, 32) };
    let table =
        header + entry * usize::from(u16::from_le_bytes(bytes[if wide { 56 } else { 44 }..][..2].try_into().unwrap()));
    for _ in 0..=random.below(4) {
        let at = random.below(table.min(bytes.len()));
        match random.below(8) {
            0 | 1 => bytes[at] ^= 1 << random.below(8),
            2 => bytes[at] = random.next() as u8,
            3..=5 => {
                // a whole field: aligned, of its own width
                let width = [2, 4, if wide { 8 } else { 4 }][random.below(3)];
                let at = at / width * width;
                let edge = EDGES[random.below(EDGES.len())].wrapping_add(random.below(3) as u64).wrapping_sub(1);
                let end = (at + width).min(bytes.len());
                bytes[at..end].copy_from_slice(&edge.to_le_bytes()[..end - at]);
            }
            6 => {
                let length = if random.below(2) == 0 { random.below(table + 16) } else { random.below(bytes.len()) };
                bytes.truncate(length.max(5));
                if bytes.len() < header {
                    return;
                }
            }
            _ => bytes.resize(bytes.len() + random.below(5000), 0),
        }
        if bytes.len() <= table {
            return;
        }
    }
}

/// Whether the outcome is one that a mutant may have; `again` runs it once more with a record of its signals.
fn verdict(outcome: &Outcome, again: impl Fn() -> Outcome) -> Result<(), String> {
    let stderr = String::from_utf8_lossy(&outcome.stderr);
    if stderr.contains("panicked") {
        return Err(format!("panicked: {stderr}"));
    }
    match outcome.end.as_str() {
        // A mutant may spin, its own code being misplaced.
        "time limit" => Ok(()),
        "exit 126" | "exit 127" => match stderr.lines().count() {
            1 => Ok(()),
            n => Err(format!("{} with {n} lines: {stderr}", outcome.end)),
        },
        end if end.starts_with("exit") => Ok(()),
        // The guest's own fault, if the record says so; the kernel's, if an execve could not be completed.
        end @ ("signal 4" | "signal 5" | "signal 6" | "signal 7" | "signal 8" | "signal 11") => {
            // A mutant may run its stack, whose place and contents are drawn anew each time.
            let mut text = String::new();
            let told = (0..5).any(|_| {
                text = String::from_utf8_lossy(&again().stderr).into_owned();
                text.contains("--- SIG")
            });
            if told { Ok(()) } else { Err(format!("{end}, and no guest signal before it: {text}")) }
        }
        end => Err(format!("{end}: {stderr}")),
    }
}

fn try_one(guest: &Guest, file: &Path) -> Result<(), String> {
    let limit = Duration::from_secs(2);
    let rqemu = harness::rqemu(guest);
    let plain = harness::run_for(Command::new(&rqemu).arg(file), limit);
    verdict(&plain, || harness::run_for(Command::new(&rqemu).arg("-strace").arg(file), limit))
}

fn mutant(seeds: &[Seed], random: &mut Random, file: &Path) -> &'static Guest {
    let seed = &seeds[random.below(seeds.len())];
    let mut bytes = seed.bytes.clone();
    mutate(&mut bytes, random);
    // a new file each time: the old one may still be mapped
    let _ = fs::remove_file(file);
    fs::write(file, &bytes).expect("a mutant");
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).expect("a mutant's mode");
    seed.guest
}

fn place(seed: u64) -> PathBuf {
    harness::scratch("fuzz").join(format!("mutant-{}-{seed}", std::process::id()))
}

/// Runs `count` mutants that follow from `seed`; keeps the file of the first that fails.
pub(crate) fn mutants(seed: u64, count: usize) -> Result<(), String> {
    let (seeds, mut random, file) = (seeds(), Random(seed), place(seed));
    for number in 0..count {
        let guest = mutant(&seeds, &mut random, &file);
        if let Err(text) = try_one(guest, &file) {
            return Err(keep(&file, seed, number, &text));
        }
    }
    let _ = fs::remove_file(file);
    Ok(())
}

fn keep(file: &Path, seed: u64, number: usize, text: &str) -> String {
    let kept = file.with_file_name(format!("failed-{seed}-{number}"));
    let _ = fs::rename(file, &kept);
    format!("{}: {text}", kept.display())
}

/// Half a minute; all mutants come from one seed, so that a failure can be had again.
#[test]
fn loader() {
    let _alone = harness::alone();
    let (end, workers) =
        (Instant::now() + Duration::from_secs(30), std::thread::available_parallelism().map_or(1, usize::from));
    let results: Vec<_> = std::thread::scope(|scope| {
        let start = |worker: usize| {
            scope.spawn(move || {
                let mut done = 0;
                let mut failures = Vec::new();
                let mut seed = worker as u64;
                while Instant::now() < end && failures.len() < 3 {
                    failures.extend(mutants(seed << 32, 50).err());
                    (done, seed) = (done + 50, seed + workers as u64);
                }
                (done, failures)
            })
        };
        let threads: Vec<_> = (0..workers).map(start).collect();
        threads.into_iter().map(|thread| thread.join().expect("a fuzz worker")).collect()
    });
    let done: usize = results.iter().map(|(done, _)| done).sum();
    harness::tell(&format!("fuzz: {done} mutated files"));
    let failures: Vec<_> = results.into_iter().flat_map(|(_, failures)| failures).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(done >= 100, "only {done} mutants in half a minute");
}

#[test]
fn files_that_are_no_programs() {
    let cases: &[(&str, &[u8], &str)] = &[
        ("empty", b"", "exit 126"),
        ("text", b"hello\n", "exit 126"),
        ("magic-only", b"\x7fELF", "exit 126"),
        ("cut-header", b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\xb7\0", "exit 126"),
    ];
    let folder = harness::scratch("fuzz-plain");
    let missing = folder.join("missing");
    harness::judge(
        "loader",
        cases,
        |case| case.0.into(),
        |(name, bytes, end)| {
            let file = folder.join(name);
            fs::write(&file, bytes).expect("a file");
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("mode");
            refused(&file, end)
        },
    );
    harness::judge("loader", &["missing"], |name| (*name).into(), |_| refused(&missing, "exit 127"));
}

fn refused(file: &Path, end: &str) -> Result<(), String> {
    let got = harness::run(Command::new(harness::rqemu(&GUESTS[0])).arg(file), Duration::from_secs(10));
    let stderr = String::from_utf8_lossy(&got.stderr);
    let named = stderr.contains(file.file_name().and_then(|n| n.to_str()).unwrap_or(""));
    if got.end == end && stderr.lines().count() == 1 && named {
        return Ok(());
    }
    Err(format!("{}, not {end} with one line that names the file: {stderr}", got.end))
}
