//! x86 against the host's own processor: random instructions and short sequences of them on random state, run natively and under `rqemu` in both
//! of its ways by one program (`native/runner.c`); registers, flags, MXCSR, memory and signals must be alike. Flags that the manual leaves undefined
//! are not compared.

mod draw;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::harness;
use draw::{Case, Random};

/// Places in a record (`struct record` of the runner).
const RIP: usize = 128;
const RFLAGS: usize = 136;
const XMM: usize = 144;
const MXCSR: usize = 400;
const SIGNAL: usize = 404;
const CODE: usize = 416;
const CODE_SIZE: usize = 96;
const WINDOW: usize = CODE + CODE_SIZE;
const WINDOW_SIZE: usize = 256;
const SIZE: usize = WINDOW + WINDOW_SIZE;
/// Cases of a batch, where the data of its first is, and how far apart they stand.
const BATCH: usize = 4096;
const DATA_AT: u64 = 0x3000_0000;
const SLOT: u64 = 256;

/// x87's denormal flag is the host's own and not yet a guest's.
const MXCSR_COMPARED: u64 = !2;

fn word(bytes: &[u8], at: usize, size: usize) -> u64 {
    bytes[at..at + size].iter().rev().fold(0, |v, b| v << 8 | u64::from(*b))
}

fn built() -> Result<PathBuf, String> {
    let compiler = harness::find_program("gcc").ok_or("no gcc")?;
    let (folder, out) = (harness::repository().join("tests/native"), harness::scratch("native").join("runner"));
    let mut command = Command::new(compiler);
    command.args(["-O1", "-static", "-no-pie"]).arg(folder.join("runner.c")).arg(folder.join("runner.S"));
    let done = harness::run(command.arg("-o").arg(&out), Duration::from_secs(60));
    if done.end == "exit 0" { Ok(out) } else { Err(String::from_utf8_lossy(&done.stderr).into_owned()) }
}

/// Runs records by a command; what it wrote, and how it ended.
fn feed(mut command: Command, records: &[u8], name: &str) -> (Vec<u8>, String) {
    let folder = harness::scratch("native");
    let (input, output) = (folder.join(format!("{name}.in")), folder.join(format!("{name}.out")));
    std::fs::write(&input, records).expect("records");
    command.stdin(File::open(&input).expect("records")).stdout(File::create(&output).expect("records"));
    let status = command.stderr(Stdio::inherit()).status().expect("the runner starts");
    (std::fs::read(&output).expect("records"), status.to_string())
}

/// The ways to run, the host first.
fn ways(runner: &Path) -> Vec<(&'static str, Command)> {
    let rqemu = |options: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rqemu"));
        command.args(options).arg(runner).env("RQEMU_CACHE", "off");
        command
    };
    vec![("host", Command::new(runner)), ("jit", rqemu(&[])), ("interpreter", rqemu(&["-interpret"]))]
}

/// What differs of two outcomes of a case.
fn differing(case: &Case, want: &[u8], got: &[u8]) -> Vec<String> {
    let mut parts = vec![];
    let mut look = |name: String, at: usize, size: usize, mask: u64| {
        let (a, b) = (word(want, at, size) & mask, word(got, at, size) & mask);
        if a != b {
            parts.push(format!("{name} {b:#x}, host {a:#x}"));
        }
    };
    look("signal".into(), SIGNAL, 4, u64::MAX);
    for n in 0..16 {
        look(format!("r{n}"), 8 * n, 8, u64::MAX);
    }
    if word(want, SIGNAL, 4) != 0 {
        look("rip".into(), RIP, 8, u64::MAX);
    }
    look("rflags".into(), RFLAGS, 8, case.flags);
    look("mxcsr".into(), MXCSR, 4, MXCSR_COMPARED);
    for n in 0..32 {
        look(format!("xmm{}[{}]", n / 2, n % 2), XMM + 8 * n, 8, u64::MAX);
    }
    for n in 0..WINDOW_SIZE / 8 {
        look(format!("window+{}", 8 * n), WINDOW + 8 * n, 8, u64::MAX);
    }
    parts
}

/// A case as text: its instructions, and the state that they read.
fn text(case: &Case) -> String {
    let state: Vec<String> = (0..16).map(|n| format!("r{n}={:x}", word(&case.record, 8 * n, 8))).collect();
    let vectors: Vec<String> = case
        .vectors
        .iter()
        .map(|n| {
            format!("xmm{n}={:x}{:016x}", word(&case.record, XMM + 16 * n + 8, 8), word(&case.record, XMM + 16 * n, 8))
        })
        .collect();
    let code: String = case.record[CODE..CODE + case.length].iter().map(|b| format!("{b:02x}")).collect();
    format!(
        "`{}` ({code}) rflags={:x} mxcsr={:x} {} {}",
        case.text,
        word(&case.record, RFLAGS, 8),
        word(&case.record, MXCSR, 4),
        state.join(" "),
        vectors.join(" ")
    )
}

/// Lines of what differs, one for each kind of case and way.
fn compare(cases: &[Case], results: &[(&str, Vec<u8>)]) -> Vec<String> {
    let mut groups: BTreeMap<(String, &str), (usize, String)> = BTreeMap::new();
    let (_, host) = &results[0];
    for (n, case) in cases.iter().enumerate() {
        let want = &host[n * SIZE..(n + 1) * SIZE];
        for (way, all) in &results[1..] {
            let parts = differing(case, want, &all[n * SIZE..(n + 1) * SIZE]);
            if parts.is_empty() {
                continue;
            }
            let group = groups.entry((case.kind.clone(), way)).or_default();
            group.0 += 1;
            // The shortest of them.
            let line = format!("{}: {}", parts.join(", "), text(case));
            if group.1.is_empty() {
                group.1 = line;
            }
        }
    }
    groups.into_iter().map(|((kind, way), (count, line))| format!("{way}: {kind} ({count}): {line}")).collect()
}

/// Runs so many cases of each mnemonic, and sequences.
fn run(seed: u64, each: usize, sequences: usize) -> Result<(usize, usize, Vec<String>), String> {
    let runner = built()?;
    let mut random = Random(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) | 1);
    let mut cases = draw::singles(&mut random, each);
    let kinds = cases.iter().map(|c| &c.kind).collect::<std::collections::BTreeSet<_>>().len();
    draw::sequences(&mut random, sequences, &mut cases);
    let records: Vec<u8> = cases.iter().flat_map(|c| c.record.iter().copied()).collect();
    let mut results = vec![];
    for (name, command) in ways(&runner) {
        let (out, end) = feed(command, &records, &format!("{name}-{seed}"));
        if end != "exit status: 0" || out.len() != records.len() {
            return Ok((
                cases.len(),
                kinds,
                vec![format!("{name} ended with {end} after {} records", out.len() / SIZE)],
            ));
        }
        results.push((name, out));
    }
    Ok((cases.len(), kinds, compare(&cases, &results)))
}

#[test]
fn host() {
    let number = |name: &str, usual: usize| std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(usual);
    match run(number("RQEMU_SEED", 1) as u64, number("RQEMU_CASES", 48), number("RQEMU_SEQUENCES", 8192)) {
        Err(why) => harness::leave_out("native", &why),
        Ok((cases, kinds, lines)) => {
            harness::tell(&format!("native: {cases} cases over {kinds} mnemonics"));
            assert!(lines.is_empty(), "differences from the host:\n  {}", lines.join("\n  "));
        }
    }
}
