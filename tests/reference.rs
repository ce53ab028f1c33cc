//! Random instructions against the reference emulator: each row of a guest's tables is run there and in the IR interpreter on
//! random state, and registers, flags, FPSR or FPSCR, and memory must come out alike.
//!
//! `RQEMU_BLESS=1` writes `insn/<set>-recorded.txt` from what the reference gave (see `insn.rs`), `RQEMU_SEED=…` takes other
//! random numbers, `RQEMU_CASES=…` so many of each row, `RQEMU_ROW=…` the rows of one name. What is left out is listed in each
//! set's file.

mod a64;
mod arm;
mod riscv64;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::time::Duration;

use arch::Guest;
use decode::Random;
use ir::interp::Outcome;
use ir::{Slot, fpflag};

use crate::harness;
use crate::insn::{CODE, DATA, DATA_SIZE, World, difference, line_of, text};

/// Tests of each row, if RQEMU_CASES does not say otherwise.
const PER_ROW: u64 = 8;
/// Cases of each row that are recorded.
const RECORDED: usize = 2;
/// Where the records are in the program that the reference runs.
const RECORDS: u64 = 0x3000_0000;

/// An instruction set, and how the reference is made to run one instruction on given state.
trait Set {
    /// `aarch64`, `arm-a32`: the recorded file's name.
    fn name(&self) -> &'static str;
    fn guest(&self) -> &'static Guest;
    /// Bit 0 of pc.
    fn thumb(&self) -> u64 {
        0
    }
    /// Random instructions with state before, so many of each row that `wanted` takes.
    fn cases(&self, wanted: &dyn Fn(&str) -> bool, per_row: usize, random: &mut Random) -> Vec<Case>;
    /// The program's beginning: the base register holds [`RECORDS`].
    fn prologue(&self) -> Vec<u8>;
    /// Code that takes state from the record at the base register, up to the instruction.
    fn load(&self) -> Vec<u8>;
    /// Code that puts state into the record, writes it out and goes on to the next.
    fn save(&self) -> Vec<u8>;
    /// The program's end: writes [`DATA`] out and exits.
    fn epilogue(&self) -> Vec<u8>;
    /// A record of this state.
    fn record(&self, world: &World) -> Vec<u8>;
    /// The state in a record; what is in no record is as in `ours`.
    fn world(&self, record: &[u8], ours: &World) -> World;
    /// The slot that the mode word is made of.
    fn control(&self) -> Slot;
}

/// An instruction with the state it starts from.
struct Case {
    /// The row's table, line and name.
    row: (&'static str, u32, &'static str),
    code: Vec<u8>,
    /// How many instructions that is.
    insns: u32,
    before: World,
    /// Its result depends on its address: it cannot be recorded.
    relative: bool,
    /// It may leave what it would write: that is recorded as state before.
    conditional: bool,
}

/// An executable of three segments: code, records, data.
fn executable(guest: &Guest, entry: u64, code: &[u8], records: &[u8], data: &[u8]) -> Vec<u8> {
    let wide = guest.elf.class == 64;
    let segments = [(CODE, code, 5u32), (RECORDS, records, 6), (DATA, data, 6)];
    // The words of a 64-bit file are 8 bytes where a 32-bit file's are 4.
    let word = |file: &mut Vec<u8>, v: u64| file.extend(&v.to_le_bytes()[..if wide { 8 } else { 4 }]);
    let halves = |file: &mut Vec<u8>, v: &[u16]| v.iter().for_each(|v| file.extend(v.to_le_bytes()));
    let mut file = vec![0x7f, b'E', b'L', b'F', if wide { 2 } else { 1 }, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    halves(&mut file, &[2, guest.elf.machine, 1, 0]);
    let (header, entry_size) = if wide { (64, 56) } else { (52, 32) };
    [entry, header, 0].iter().for_each(|&v| word(&mut file, v));
    // EF_ARM_EABI_VER5; EF_RISCV_RVC and the ABI of doubles; no flags otherwise.
    let flags: u32 = match guest.elf.machine {
        40 => 0x0500_0000,
        243 => 5,
        _ => 0,
    };
    file.extend(flags.to_le_bytes());
    halves(&mut file, &[header as u16, entry_size, segments.len() as u16, 0, 0, 0]);
    let mut offset = 4096u64;
    for (address, bytes, flags) in segments {
        let size = bytes.len() as u64;
        file.extend(1u32.to_le_bytes());
        if wide {
            file.extend(flags.to_le_bytes());
        }
        [offset, address, address, size, size].iter().for_each(|&v| word(&mut file, v));
        if !wide {
            file.extend(flags.to_le_bytes());
        }
        word(&mut file, 4096);
        offset = (offset + size).next_multiple_of(4096);
    }
    for (_, bytes, _) in segments {
        file.resize(file.len().next_multiple_of(4096), 0);
        file.extend(bytes);
    }
    file
}

/// Runs tests in the reference: the records of those that it came to the end of, and the data after them.
fn run_reference(set: &dyn Set, code: &[u8], records: &[u8], data: &[u8]) -> Option<Vec<u8>> {
    let guest = harness::GUESTS.iter().find(|g| g.name == set.guest().name)?;
    let reference = harness::reference(guest)?;
    let program = executable(set.guest(), CODE | set.thumb(), code, records, data);
    let file = harness::scratch("reference").join(format!("{}-{}", set.name(), std::process::id()));
    fs::write(&file, program).expect("scratch file");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("scratch file");
    let outcome = harness::run(Command::new(reference).args(["-cpu", "max"]).arg(&file), Duration::from_secs(120));
    let _ = fs::remove_file(&file);
    Some(outcome.stdout)
}

/// What became of the rows.
#[derive(Default)]
struct Report {
    /// By row: what was wrong with its tests.
    wrong: BTreeMap<(&'static str, u32, &'static str), Vec<String>>,
    /// By row: its text and line to record.
    recorded: BTreeMap<(&'static str, u32, &'static str), BTreeMap<String, String>>,
}

fn check(set: &dyn Set) {
    let number = |name: &str, default| std::env::var(name).map_or(default, |s| s.parse().expect("a number"));
    let (mut random, per_row) = (Random(number("RQEMU_SEED", 1)), number("RQEMU_CASES", PER_ROW) as usize);
    let only = std::env::var("RQEMU_ROW").ok();
    let mut cases = set.cases(&|name| only.as_ref().is_none_or(|row| row == name), per_row, &mut random);
    let mut data: Vec<u8> = (0..DATA_SIZE).map(|_| random.next() as u8).collect();
    let mut report = Report::default();
    // A test that the reference does not survive ends the run; the rest are run anew.
    while !cases.is_empty() {
        let done = match run(set, &cases, &mut data, &mut report) {
            Some(done) => done,
            None => return harness::leave_out(set.name(), "no reference emulator"),
        };
        cases.drain(..done);
    }
    let text = |((table, line, name), list): (&(&str, u32, &str), &Vec<String>)| {
        format!("{name}, {table} line {line}, {} tests:\n    {}", list.len(), list[0])
    };
    let wrong: Vec<String> = report.wrong.iter().map(text).collect();
    assert!(wrong.is_empty(), "{} rows\n{}", wrong.len(), wrong.join("\n"));
    if std::env::var_os("RQEMU_BLESS").is_some() {
        bless(set, &report);
    }
}

/// Runs the cases in both, up to one that the reference does not survive. Returns how many are done with.
fn run(set: &dyn Set, cases: &[Case], data: &mut Vec<u8>, report: &mut Report) -> Option<usize> {
    let guest = set.guest();
    let (load, save) = (set.load(), set.save());
    let mut program = set.prologue();
    let mut places = vec![];
    for case in cases {
        program.extend(&load);
        places.push(program.len() as u64);
        program.extend(&case.code);
        program.extend(&save);
    }
    program.extend(set.epilogue());
    let records: Vec<Vec<u8>> = cases.iter().map(|c| set.record(&c.before)).collect();
    let size = records.first().map_or(1, Vec::len);
    let output = run_reference(set, &program, &records.concat(), data)?;
    for (i, case) in cases.iter().enumerate() {
        let pc = (CODE + places[i]) | set.thumb();
        let mut before = case.before.clone();
        before.data.0.clone_from(data);
        let mut ours = before.clone();
        let ran = catch_unwind(AssertUnwindSafe(|| ours.run_code(guest, case.code.clone(), case.insns, pc, None)));
        let text = text(guest, &case.code, pc);
        let mut complain = |what: String| report.wrong.entry(case.row).or_default().push(format!("{text}: {what}"));
        let Ok(mut ran) = ran else {
            complain("panics".into());
            return Some(i + 1);
        };
        ran.read.push(set.control());
        if case.conditional {
            ran.read.extend_from_slice(&ran.written);
        }
        let words = words_text(&case.code, set.thumb());
        let shown = line_of(guest, &words, &before, &ran, &ours);
        let Some(record) = output.get(i * size..(i + 1) * size) else {
            // The reference ended here, by a signal: so must we, by a trap.
            if !matches!(ran.outcome, Outcome::Trap { .. } | Outcome::Fault { .. }) {
                complain(format!("{shown}\n        the reference does not survive it"));
            }
            return Some(i + 1);
        };
        data.clone_from(&ours.data.0);
        let theirs = set.world(record, &ours);
        let next = pc + case.code.len() as u64;
        let goes_on = matches!(ran.outcome, Outcome::Goto(pc) | Outcome::Resume { pc } if pc == next);
        if !goes_on || ours != theirs {
            let (outcome, expected) = (ran.outcome, difference(guest, &ours, &theirs));
            complain(format!("{shown}\n        {outcome:x?}, expected {expected}"));
        } else if !case.relative {
            record_case(report, case, text, line_of(guest, &words, &before, &ran, &theirs));
        }
    }
    let after = &output[records.len() * size..];
    assert!(after == &data[..], "memory after all tests: {} bytes", after.len());
    Some(cases.len())
}

fn record_case(report: &mut Report, case: &Case, text: String, line: String) {
    report.recorded.entry(case.row).or_default().entry(text).or_insert(line);
}

/// The code as a case has it.
fn words_text(code: &[u8], thumb: u64) -> String {
    let number = |b: &[u8]| b.iter().rev().fold(String::new(), |s, b| s + &format!("{b:02x}"));
    code.chunks(if thumb == 1 || code.len() == 2 { 2 } else { 4 }).map(number).collect::<Vec<_>>().join(" ")
}

/// Writes the recorded cases, a few of each row.
fn bless(set: &dyn Set, report: &Report) {
    let name = set.name();
    let mut text = format!(
        "# {name}, one instruction a line: words | state before | state after. The form is described in tests/insn.rs.\n\
         # Recorded from the reference emulator: RQEMU_BLESS=1 cargo test --test tests reference\n\n"
    );
    for (name, line) in report.recorded.values().flat_map(|cases| cases.iter().take(RECORDED)) {
        let _ = write!(text, "# {name}\n{line}\n");
    }
    fs::write(harness::repository().join(format!("tests/insn/{name}-recorded.txt")), text).expect("recorded cases");
}

// ---- random numbers ----

/// Numbers at which something changes, and any.
fn number(random: &mut Random) -> u64 {
    match random.below(8) {
        0 => 0,
        1 => u64::MAX,
        2 => 1 << random.below(64),
        3 => random.below(100) as u64,
        4 => u64::from(random.next() as u32),
        5 => 0x8000_0000_8000_0000,
        _ => random.next(),
    }
}

/// A vector of floating-point numbers of one width, most of them special.
fn vector(random: &mut Random) -> u128 {
    let (width, exponent) = [(16, 5), (32, 8), (64, 11)][random.below(3)];
    let fraction = width - 1 - exponent;
    (0..128 / width).fold(0, |v, _| v << width | u128::from(float(random, width, exponent, fraction)))
}

fn float(random: &mut Random, width: u32, exponent: u32, fraction: u32) -> u64 {
    let all = u64::MAX >> (64 - width);
    let sign = (random.next() & 1) << (width - 1);
    let bias = (1 << (exponent - 1)) - 1;
    let number = |e: u64, f: u64| e << fraction | f & ((1 << fraction) - 1);
    let (top, quiet) = ((1 << exponent) - 1, 1 << (fraction - 1));
    let magnitude = match random.below(12) {
        0 => 0,
        1 => number(top, 0),
        2 => number(top, quiet | random.next()),
        3 => number(top, 1 | random.next() & (quiet - 1)),
        4 => number(0, random.next()),
        5 => number(0, 1),
        6 => number(top - 1, u64::MAX),
        7 => number(1, random.next()),
        8 => number(bias + random.below(20) as u64, 0),
        9 => number(bias + random.below(70).min(bias as usize) as u64, random.next()),
        10 => number(bias, random.next()),
        _ => random.next() & (all >> 1),
    };
    sign | magnitude
}

// ---- bits that have two places ----

/// FPSR's or FPSCR's bits and the sticky flags.
const FPSR: [(u32, u32); 6] = [
    (0, fpflag::INVALID),
    (1, fpflag::DIV_BY_ZERO),
    (2, fpflag::OVERFLOW),
    (3, fpflag::UNDERFLOW),
    (4, fpflag::INEXACT),
    (7, fpflag::INPUT_DENORMAL),
];

fn sticky_flags(fpsr: u128) -> u32 {
    FPSR.iter().filter(|f| fpsr >> f.0 & 1 == 1).fold(0, |all, f| all | f.1)
}

/// N, Z, C, V as the register has them, and as a slot has them.
const NZCV: [(u32, u32); 4] = [(31, 15), (30, 14), (29, 8), (28, 0)];

fn to_slot(nzcv: u128) -> u128 {
    NZCV.iter().fold(0, |out, &(from, to)| out | (nzcv >> from & 1) << to)
}

fn to_register(flags: u128) -> u128 {
    NZCV.iter().fold(0, |out, &(to, from)| out | (flags >> from & 1) << to)
}

/// QC is set if anything in its slot is: the slot as it is if the register agrees.
fn saturation(ours: u128, fpsr: u128) -> u128 {
    let saturated = fpsr >> 27 & 1 == 1;
    if saturated == (ours != 0) { ours } else { saturated.into() }
}

fn words(code: &[u32]) -> Vec<u8> {
    code.iter().flat_map(|w| w.to_le_bytes()).collect()
}

fn put(bytes: &mut [u8], at: usize, v: u128, n: usize) {
    bytes[at..at + n].copy_from_slice(&v.to_le_bytes()[..n]);
}

fn get(bytes: &[u8], at: usize, n: usize) -> u128 {
    bytes[at..at + n].iter().rev().fold(0, |v, &b| v << 8 | u128::from(b))
}

#[test]
fn a64() {
    check(&a64::A64Set);
}

#[test]
fn arm_a32() {
    check(&arm::ArmSet { thumb: false });
}

#[test]
fn arm_t32() {
    check(&arm::ArmSet { thumb: true });
}

#[test]
fn riscv64() {
    check(&riscv64::RiscvSet);
}
