//! Times `kernels.c` on the host, under the reference emulator and under rqemu, in one run, and prints the ratios.
//!
//! ```text
//! cargo bench --bench compare -- [--guest aarch64,arm] [--runs 3] [KERNEL...]
//! ```
//!
//! Host, reference and rqemu take turns, and the median counts, so that a machine's mood falls on all of them. A checksum
//! that is not the host's (the reference's, for a guest whose words are narrower) is WRONG, a run that does not end well
//! is FAIL; neither counts as a time.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Guests, and the prefixes of their cross compilers.
const GUESTS: &[(&str, &str)] = &[("aarch64", "aarch64-linux-gnu"), ("arm", "arm-linux-gnueabihf")];

/// Kernels by what they need most.
const GROUPS: &[(&str, &[&str])] = &[
    ("integer", &["calls", "collatz", "queens", "hashes", "sort", "machine", "divisions"]),
    ("memory and strings", &["strings", "copies", "lists"]),
    ("floating point", &["orbits", "fractal", "functions"]),
    ("vector", &["product", "blend"]),
    ("system", &["system_calls", "times", "signals", "faults", "locks", "atomics"]),
];

/// Who runs a kernel.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    Host,
    Reference,
    Rqemu,
}

/// What a kernel's runs came to: seconds, or the word that stands in the table.
type Cell = Result<f64, &'static str>;

struct Options {
    guests: Vec<String>,
    runs: usize,
    kernels: Vec<String>,
}

fn options() -> Options {
    let mut options = Options { guests: vec!["aarch64".into(), "arm".into()], runs: 3, kernels: Vec::new() };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--bench" => {}
            "--guest" => options.guests = arguments.next().unwrap_or_default().split(',').map(str::to_owned).collect(),
            "--runs" => options.runs = arguments.next().and_then(|n| n.parse().ok()).unwrap_or(3),
            kernel => options.kernels.push(kernel.to_owned()),
        }
    }
    options
}

fn build(compiler: &str, output: &Path) -> bool {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/kernels.c");
    let flags = ["-O2", "-ftree-vectorize", "-ffp-contract=off", "-static", "-w", source, "-o"];
    let done = Command::new(compiler).args(flags).arg(output).args(["-lm", "-lpthread"]).status();
    done.is_ok_and(|status| status.success())
}

/// One run: the kernel's checksum and its seconds.
fn once(command: &mut Command) -> Option<(String, f64)> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    let (checksum, seconds) = text.trim().split_once(' ')?;
    Some((checksum.to_owned(), seconds.parse().ok()?))
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Runs a kernel in each way by turns.
fn measure(kernel: &str, runs: usize, ways: &[(Way, Vec<PathBuf>)]) -> BTreeMap<Way, Cell> {
    let mut times: BTreeMap<Way, Result<Vec<f64>, &'static str>> = BTreeMap::new();
    for _ in 0..runs {
        let mut truth = None;
        for (way, words) in ways {
            let result = once(Command::new(&words[0]).args(&words[1..]).arg(kernel));
            let cell = times.entry(*way).or_insert_with(|| Ok(Vec::new()));
            match (result, &truth) {
                (None, _) => *cell = Err("FAIL"),
                (Some((sum, _)), Some(expected)) if *way == Way::Rqemu && sum != *expected => *cell = Err("WRONG"),
                (Some((sum, seconds)), _) => {
                    truth = Some(sum);
                    if let Ok(list) = cell {
                        list.push(seconds);
                    }
                }
            }
        }
    }
    times.into_iter().map(|(way, cell)| (way, cell.map(|mut list| median(&mut list)))).collect()
}

fn ratio(cells: &BTreeMap<Way, Cell>, of: Way, to: Way) -> Cell {
    let cell = |way| cells.get(&way).copied().unwrap_or(Err("-"));
    Ok(cell(of)? / cell(to)?)
}

fn show(cell: Cell) -> String {
    match cell {
        Ok(value) => format!("{value:8.2}"),
        Err(word) => format!("{word:>8}"),
    }
}

fn geometric_mean(values: &[f64]) -> Cell {
    let sum: f64 = values.iter().map(|v| v.ln()).sum();
    if values.is_empty() { Err("-") } else { Ok((sum / values.len() as f64).exp()) }
}

/// The ratios of the table, in its order.
const COLUMNS: [(Way, Way); 3] = [(Way::Reference, Way::Host), (Way::Rqemu, Way::Host), (Way::Reference, Way::Rqemu)];

fn main() -> io::Result<()> {
    let (options, mut out) = (options(), io::stdout().lock());
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let host = folder.join("kernels-host");
    if !build("gcc", &host) {
        return writeln!(out, "left out: benches: no gcc for the host");
    }
    for guest in &options.guests {
        let Some((_, triplet)) = GUESTS.iter().find(|(name, _)| name == guest) else {
            writeln!(out, "left out: {guest}: no such guest")?;
            continue;
        };
        let program = folder.join(format!("kernels-{guest}"));
        if !build(&format!("{triplet}-gcc"), &program) {
            writeln!(out, "left out: {guest}: no {triplet}-gcc (tests/setup host)")?;
            continue;
        }
        let mut ways = vec![(Way::Host, vec![host.clone()])];
        let fetched = std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache/rqemu-tests/qemu"));
        let name = format!("qemu-{guest}");
        let reference = fetched.map(|f| f.join(&name)).filter(|f| f.exists()).unwrap_or_else(|| name.clone().into());
        if Command::new(&reference).arg("-version").output().is_ok() {
            ways.push((Way::Reference, vec![reference, program.clone()]));
        } else {
            writeln!(out, "left out: {name}: not here (tests/setup reference)")?;
        }
        ways.push((Way::Rqemu, vec![PathBuf::from(env!("CARGO_BIN_EXE_rqemu")), program]));
        writeln!(out, "{guest:22} host seconds  qemu/host  rqemu/host  qemu/rqemu")?;
        for (group, kernels) in GROUPS {
            let mut columns: [Vec<f64>; 3] = Default::default();
            for kernel in
                kernels.iter().filter(|k| options.kernels.is_empty() || options.kernels.iter().any(|o| o == *k))
            {
                let cells = measure(kernel, options.runs, &ways);
                let ratios = COLUMNS.map(|(of, to)| ratio(&cells, of, to));
                for (column, value) in columns.iter_mut().zip(ratios) {
                    column.extend(value.ok());
                }
                let seconds = cells[&Way::Host].map_or_else(str::to_owned, |s| format!("{s:.3}"));
                let [a, b, c] = ratios.map(show);
                writeln!(out, "  {kernel:20} {seconds:>12}   {a}    {b}    {c}")?;
            }
            let [a, b, c] = columns.map(|column| show(geometric_mean(&column)));
            writeln!(out, "  = {group:18} {:>12}   {a}    {b}    {c}", "")?;
        }
    }
    Ok(())
}
