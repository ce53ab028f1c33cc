//! The random differential test: cases drawn from the decode rows of all guests are run by one small guest program, the runner, under
//! the reference emulator, under `rqemu`, and under `rqemu` interpreting; registers, flags, FPSR, memory and signals must be alike.
//!
//! A case is one instruction or a sequence with data flowing through it, with the whole register state (`differential/record.rs`). It
//! may fault: then the state is that of the signal frame. What is not compared is listed with reasons in `differential/known.rs`.

mod a32;
mod a64;
mod aim;
mod compare;
mod isa;
mod known;
mod record;
mod runner;
mod rv;
mod signed;
mod values;
mod x86;
mod x86_draw;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use decode::Random;

use crate::harness::{self, GUESTS, Guest};
use isa::{Case, Isa};
use record::SLOTS;
pub(crate) use runner::CAREFUL;
use runner::WAYS;
pub(crate) use x86::is_of_x87;

/// The instruction sets, by guest, the one with all rows first; none for one that no cases are drawn of.
fn isas_of(guest: &Guest) -> Vec<&'static dyn Isa> {
    match guest.name {
        "aarch64" => vec![&a64::A64Isa],
        "arm" => vec![&a32::ArmIsa],
        "riscv64" => rv::WIDE.iter().map(|isa| isa as &dyn Isa).collect(),
        "riscv32" => vec![&rv::NARROW],
        "x86_64" => vec![&x86::LONG],
        "i386" => vec![&x86::SHORT],
        _ => vec![],
    }
}

fn isa_of(guest: &Guest) -> Option<&'static dyn Isa> {
    isas_of(guest).first().copied()
}

/// Cases from a seed for a reference of this kind (`None`: the usual one): so many of each row that wants it, then sequences.
fn cases(isa: &dyn Isa, cpu: Option<&str>, seed: u64, per_row: usize, sequences: usize) -> Vec<Case> {
    // Seeds that are near each other give other numbers.
    let mut random = Random(seed.wrapping_mul(0x2545_f491_4f6c_dd1d));
    let mut cases: Vec<Case> = vec![];
    for (i, row) in isa.rows().iter().enumerate() {
        if known::cpu(row.section, row.name) != cpu || !isa.takes(i) {
            continue;
        }
        let goal = cases.len() + per_row;
        for _ in 0..4 * per_row {
            if cases.len() < goal {
                cases.extend(isa.case(Some(i), cases.len() % SLOTS, &mut random));
            }
        }
    }
    let goal = cases.len() + sequences;
    while cases.len() < goal {
        cases.extend(isa.case(None, cases.len() % SLOTS, &mut random));
    }
    cases
}

/// The processors that the reference has to be for a guest's rows.
fn cpus(isa: &dyn Isa) -> BTreeSet<Option<&'static str>> {
    isa.rows().iter().map(|row| known::cpu(row.section, row.name)).collect()
}

/// What a run gave.
pub(crate) struct Report {
    /// Cases that were run.
    pub(crate) cases: usize,
    /// How often each row was run, by `section:name:line`.
    pub(crate) rows: BTreeMap<String, usize>,
    /// A line of each row that differs, sequences together.
    pub(crate) differences: Vec<String>,
    /// Differences that are gone when the reference translates single instructions: its optimiser's mistakes.
    pub(crate) disowned: Vec<String>,
}

/// Runs cases under the reference and in the program's ways ([`WAYS`]); `Err` says what is missing here.
pub(crate) fn run(guest: &Guest, ways: &[&str], seed: u64, per_row: usize, sequences: usize) -> Result<Report, String> {
    let mut report = Report { cases: 0, rows: BTreeMap::new(), differences: vec![], disowned: vec![] };
    let isas = isas_of(guest);
    if isas.is_empty() {
        return Err("no cases are drawn of it".into());
    }
    for isa in isas {
        // Other lengths of vectors share what one has.
        let part = if isa.vlenb() > 16 { 4 } else { 1 };
        run_isa(guest, isa, ways, seed, (per_row / part, sequences / part), &mut report)?;
    }
    Ok(report)
}

fn run_isa(
    guest: &Guest,
    isa: &dyn Isa,
    ways: &[&str],
    seed: u64,
    (per_row, sequences): (usize, usize),
    report: &mut Report,
) -> Result<(), String> {
    let runner = runner::built(guest, isa.vlenb())?;
    let names = isa.rows();
    for cpu in cpus(isa) {
        let emulators =
            runner::emulators(guest, cpu.unwrap_or("max"), isa.vlenb(), ways).ok_or("no reference emulator")?;
        let cases = cases(isa, cpu, seed, per_row, if cpu.is_none() { sequences } else { 0 });
        let name = format!("cases-{seed}");
        let mut records = vec![];
        for emulator in &emulators {
            match runner::run(isa, emulator, &runner, &cases, &name) {
                Ok(got) => records.push((emulator.name, got)),
                Err(text) => report.differences.push(text),
            }
        }
        let mut lines = differing(isa, &cases, &records);
        if !lines.is_empty() && records.len() == emulators.len() && !guest.native {
            records[0].1 = runner::run(isa, &emulators[0].one_by_one(), &runner, &cases, &name)?;
            let left = differing(isa, &cases, &records);
            report.disowned.extend(lines.into_iter().filter(|line| !left.contains(line)));
            lines = left;
        }
        report.differences.extend(lines);
        report.cases += cases.len();
        for row in cases.iter().flat_map(|c| &c.rows) {
            let row = names[*row];
            *report.rows.entry(format!("{}:{}:{}", row.section, row.name, row.line)).or_default() += 1;
        }
    }
    Ok(())
}

/// A part of the long suite for a guest: [`PART`] cases, two in three of single rows, every row alike.
pub(crate) fn run_part(guest: &Guest, seed: u64) -> Result<Report, String> {
    let rows = rows(guest);
    let per_row = PART * 2 / 3 / rows.max(1);
    let ways = if seed.is_multiple_of(INTERPRETED) { &WAYS[..] } else { &WAYS[..2] };
    run(guest, ways, seed, per_row, PART - per_row * rows)
}

/// One part in so many is interpreted, too: that takes longer than all the rest together.
const INTERPRETED: u64 = 4;

/// Cases of a part.
pub(crate) const PART: usize = 25_000;

/// How many rows a guest has.
pub(crate) fn rows(guest: &Guest) -> usize {
    isa_of(guest).map_or(0, |isa| isa.rows().len())
}

/// Lines of what differs from the first records.
fn differing(isa: &dyn Isa, cases: &[Case], records: &[(&str, runner::Records)]) -> Vec<String> {
    let Some(((_, reference), others)) = records.split_first() else { return vec![] };
    let names = isa.rows();
    let mut groups: BTreeMap<String, (usize, String)> = BTreeMap::new();
    for (i, case) in cases.iter().enumerate() {
        let want = reference.get(i).unwrap_or_default();
        let mut parts = vec![];
        for (_, other) in others {
            for part in compare::differing(isa, case, want, other.get(i).unwrap_or_default()) {
                if !parts.iter().any(|p: &&record::Part| p.at == part.at) {
                    parts.push(part);
                }
            }
        }
        if parts.is_empty() {
            continue;
        }
        let row = names[case.rows[0]];
        let group = if case.rows.len() > 1 {
            String::from("sequence")
        } else {
            format!("{}:{}:{}", row.section, row.name, row.line)
        };
        let got: Vec<(&str, &[u8])> = others.iter().filter_map(|(name, r)| Some((*name, r.get(i)?))).collect();
        let entry = groups.entry(group).or_default();
        entry.0 += 1;
        if entry.1.is_empty() {
            entry.1 = compare::line(isa, case, i % SLOTS, &parts, want, &got);
        }
    }
    let mut lines: Vec<String> =
        groups.iter().map(|(name, (count, line))| format!("{name} ({count}): {line}")).collect();
    for (name, other) in others {
        for batch in 0..cases.len().div_ceil(SLOTS) {
            let (want, have) = (reference.page(batch).unwrap_or_default(), other.page(batch).unwrap_or_default());
            if let Some(at) = (0..want.len()).find(|&i| want[i] != have[i]) {
                lines.push(format!(
                    "{name}: the scratch page differs at {:#x} + {at:#x} after batch {batch}",
                    record::SCRATCH + 64
                ));
            }
        }
    }
    lines
}

/// The seeded part of every run: all rows and some sequences, about two minutes for all guests.
#[test]
fn quick() {
    let mut text = String::new();
    let filter = std::env::var("RQEMU_TEST_CASE").ok();
    for guest in GUESTS {
        if filter.as_ref().is_some_and(|f| !format!("differential/{}", guest.name).contains(f.as_str())) {
            continue;
        }
        match run(guest, &WAYS, 1, 24, 16_384) {
            Err(why) => harness::leave_out(&format!("differential/{}", guest.name), &why),
            Ok(report) => {
                let rows = report.rows.len();
                harness::tell(&format!("differential/{}: {} cases over {rows} rows", guest.name, report.cases));
                for line in &report.disowned {
                    harness::tell(&format!("differential/{}: the reference contradicts itself: {line}", guest.name));
                }
                for line in &report.differences {
                    let _ = write!(text, "\n  {}: {line}", guest.name);
                }
            }
        }
    }
    assert!(text.is_empty(), "differences from the reference:{text}");
}

/// Every row that takes part can be drawn.
#[test]
fn every_row_is_drawn() {
    for guest in GUESTS {
        let Some(isa) = isa_of(guest) else { continue };
        let mut random = Random(7);
        for (i, row) in isa.rows().iter().enumerate() {
            let drawn = || (0..400).find_map(|_| isa.case(Some(i), 0, &mut random));
            assert!({ drawn }().is_some(), "{}: {row:?}", guest.name);
        }
    }
}

/// The program's ways are what their names say.
#[test]
fn ways_differ() {
    for guest in GUESTS {
        let program = harness::repository().join("tests/programs/hello").join(guest.name);
        let Some(all) = runner::emulators(guest, "max", 16, &WAYS) else { continue };
        for way in all.iter().filter(|e| WAYS.contains(&e.name)) {
            let translations = way.translations(&program);
            assert_eq!(
                translations > 0,
                way.name != "interpreter",
                "{}: {translations} regions by {}",
                guest.name,
                way.name
            );
        }
    }
}

/// `RQEMU_BLESS=1` writes what the host makes of x86's forms into the recorded lines; else all there are must be of forms that are drawn.
#[test]
fn x86_lines() {
    let path = harness::repository().join("tests/insn/x86_64-recorded.txt");
    if std::env::var_os("RQEMU_BLESS").is_some() {
        std::fs::write(&path, x86_recorded()).expect("recorded lines");
    }
    let text = std::fs::read_to_string(&path).expect("recorded lines");
    assert!(text.lines().count() > 800, "few lines");
}

pub(crate) fn x86_recorded() -> String {
    let guest = GUESTS.iter().find(|g| g.name == "x86_64").expect("x86_64");
    let cases = cases(&x86::LONG, None, 3, 16, 0);
    let runner = runner::built(guest, 16).expect("a runner");
    let host = &runner::emulators(guest, "max", 16, &[]).expect("the host")[0];
    let records = runner::run(&x86::LONG, host, &runner, &cases, "lines").expect("records");
    let head = "# What the host's processor does; written by tests/differential.rs (RQEMU_BLESS=1). The form is described in tests/insn.rs.\n";
    format!("{head}{}\n", x86::lines(&cases, &records).join("\n"))
}
