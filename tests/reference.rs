//! Random instructions against the reference emulator: each row of A64's table is run there and in the IR interpreter on
//! random state, and registers, flags, FPSR and memory must come out alike.
//!
//! `RQEMU_BLESS=1` writes cases of `insn/aarch64-recorded.txt` from what the reference gave (see `insn.rs`). Left out are the rows that
//! do not go on to the next instruction, and those whose result the manual leaves to the implementation ([`LEFT_OUT`]).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::time::Duration;

use aarch64::{A64, AARCH64, state};
use decode::Random;
use ir::interp::Outcome;
use ir::{Slot, fpflag};

use crate::harness;
use crate::insn::{CODE, DATA, DATA_SIZE, World, difference, line};

/// Tests of each row.
const PER_ROW: usize = 12;
/// Cases of each row that are recorded.
const RECORDED: usize = 2;

type Row = decode::Row<fn(&mut aarch64::Cx<'_>, u32)>;

/// Names of rows that are not run here. All the rest is.
#[rustfmt::skip]
const LEFT_OUT: &[&str] = &[
    // They go elsewhere, or wait.
    "b", "b_cond", "bl", "br", "blr", "ret", "bra", "braz", "blra", "blraz", "reta", "cbz", "cbnz", "tbz", "tbnz",
    "svc", "brk", "hlt", "udf", "wfe", "wfi", "ic_ivau",
    // The address is any register's value, or the literal is the test's own code; DC ZVA's block has another size.
    "dc_zva", "dc_clean", "ldr_lit", "ldrsw_lit", "ldr_v_lit",
    // The code's algorithm is the implementation's.
    "paci", "pacd", "auti", "autd", "pacga", "ldra", "pac1716", "aut1716", "paciz", "pacisp", "autiz", "autisp",
    // The register would be any.
    "msr", "mrs",
    // Estimates differ under FEAT_RPRES only; listed when met.
];

// ---- the program that the reference runs ----

/// A record: x0 .. x30, sp, nzcv, fpsr, fpcr, padding, v0 .. v31. x28 is the record's address.
const RECORD: usize = 800;
const NZCV_AT: usize = 256;
const FPSR_AT: usize = 264;
const FPCR_AT: usize = 272;
const V_AT: usize = 288;
const RECORDS: u64 = 0x3000_0000;
/// The general register that holds the record's address.
const BASE: u32 = 28;

/// LDR or STR (`load`) of Xt or Qt at [x28, #offset].
fn transfer(load: bool, vector: bool, t: u32, offset: usize) -> u32 {
    let (op, scale) = if vector { (0x3d80_0000, 16) } else { (0xf900_0000, 8) };
    op | u32::from(load) << 22 | ((offset / scale) as u32) << 10 | BASE << 5 | t
}

/// The code of one test: state from its record, the words, state into the record. Returns it with the words' place.
fn test_code(words: &[u32]) -> (Vec<u32>, usize) {
    const MSR: [(u32, usize); 3] = [(0xd51b_4200, NZCV_AT), (0xd51b_4420, FPSR_AT), (0xd51b_4400, FPCR_AT)];
    let general = || (0..31).filter(|&n| n != BASE);
    // CLREX; MSR of NZCV, FPSR, FPCR from X0; MOV SP, X0.
    let mut code = vec![0xd503_3f5f];
    MSR.iter().for_each(|&(msr, at)| code.extend([transfer(true, false, 0, at), msr]));
    code.extend([transfer(true, false, 0, 248), 0x9100_001f]);
    code.extend((0..32).map(|n| transfer(true, true, n, V_AT + 16 * n as usize)));
    code.extend(general().map(|n| transfer(true, false, n, 8 * n as usize)));
    let place = code.len();
    code.extend(words);
    code.extend(general().map(|n| transfer(false, false, n, 8 * n as usize)));
    code.extend((0..32).map(|n| transfer(false, true, n, V_AT + 16 * n as usize)));
    // MRS is MSR with bit 21; MOV X0, SP; ADD X28, X28, #RECORD.
    MSR.iter().for_each(|&(msr, at)| code.extend([msr | 1 << 21, transfer(false, false, 0, at)]));
    code.extend([0x9100_03e0, transfer(false, false, 0, 248), 0x9100_0000 | (RECORD as u32) << 10 | BASE << 5 | BASE]);
    (code, place)
}

/// MOVZ, MOVK of a 32-bit constant.
fn constant(register: u32, v: u64) -> [u32; 2] {
    [0xd280_0000 | (v as u32 & 0xffff) << 5 | register, 0xf2a0_0000 | (v as u32 >> 16) << 5 | register]
}

/// write(1, address, size) until all is written, as code.
fn write_code(address: u64, size: u64) -> Vec<u32> {
    let mut code = vec![];
    code.extend(constant(1, address));
    code.extend(constant(2, size));
    // 1: MOV X0, #1; MOV X8, #64; SVC; ADD X1, X1, X0; SUBS X2, X2, X0; B.NE 1b.
    code.extend([0xd280_0020, 0xd280_0808, 0xd400_0001, 0x8b00_0021, 0xeb00_0042, 0x54ff_ff61]);
    code
}

/// An executable of three segments: code, records, data.
fn executable(code: &[u32], records: &[u8], data: &[u8]) -> Vec<u8> {
    let code: Vec<u8> = code.iter().flat_map(|w| w.to_le_bytes()).collect();
    let segments = [(CODE, &code[..], 5u32), (RECORDS, records, 6), (DATA, data, 6)];
    let mut file = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let header16 = |file: &mut Vec<u8>, v: &[u16]| v.iter().for_each(|v| file.extend(v.to_le_bytes()));
    header16(&mut file, &[2, 183, 1, 0]);
    [CODE, 64, 0].iter().for_each(|v| file.extend(v.to_le_bytes()));
    header16(&mut file, &[0, 0, 64, 56, segments.len() as u16, 0, 0, 0]);
    let mut offset = 4096u64;
    for (address, bytes, flags) in &segments {
        [1, *flags].iter().for_each(|v: &u32| file.extend(v.to_le_bytes()));
        let size = bytes.len() as u64;
        [offset, *address, *address, size, size, 4096].iter().for_each(|v| file.extend(v.to_le_bytes()));
        offset = (offset + size).next_multiple_of(4096);
    }
    for (_, bytes, _) in &segments {
        file.resize(file.len().next_multiple_of(4096), 0);
        file.extend(*bytes);
    }
    file
}

/// Runs the tests in the reference: the records and the data after it.
fn run_reference(code: &[u32], records: &[u8], data: &[u8]) -> Option<Vec<u8>> {
    let reference = harness::reference(harness::GUESTS.iter().find(|g| g.name == "aarch64")?)?;
    let mut program = constant(BASE, RECORDS).to_vec();
    program.extend(code);
    program.extend(write_code(RECORDS, records.len() as u64));
    program.extend(write_code(DATA, data.len() as u64));
    // exit(0)
    program.extend([0xd280_0000, 0xd280_0ba8, 0xd400_0001]);
    let file = harness::scratch("reference").join(format!("rows-{}", std::process::id()));
    fs::write(&file, executable(&program, records, data)).expect("scratch file");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("scratch file");
    let outcome = harness::run(Command::new(reference).args(["-cpu", "max"]).arg(&file), Duration::from_secs(120));
    let _ = fs::remove_file(&file);
    assert_eq!((outcome.end.as_str(), outcome.stdout.len()), ("exit 0", records.len() + data.len()), "the reference");
    Some(outcome.stdout)
}

// ---- random tests ----

/// An instruction with the state it starts from.
struct Case {
    row: &'static Row,
    words: Vec<u32>,
    before: World,
    /// Place of its words in the code.
    place: usize,
}

fn field(row: &Row, word: u32, name: &str) -> Option<u32> {
    row.fields.iter().find(|f| f.name == name).map(|f| f.of(word))
}

fn is_memory(row: &Row) -> bool {
    ["ld", "st", "cas", "swp"].iter().any(|start| row.name.starts_with(start))
}

fn is_structure(row: &Row) -> bool {
    ["_multi", "_lane", "_rep"].iter().any(|end| row.name.ends_with(end))
}

/// Whether the manual says what the word does, and it leaves x28 alone.
fn is_predictable(row: &Row, word: u32) -> bool {
    let get = |name: &str| field(row, word, name);
    if ["d", "n", "m", "t", "u", "s", "a"].iter().any(|name| get(name) == Some(BASE)) {
        return false;
    }
    if !is_memory(row) {
        return true;
    }
    let (n, vector) = (get("n"), row.name.contains("_v") || is_structure(row));
    let writes_back = get("p").is_some_and(|p| p & 1 == 1);
    let onto_base = !vector && n != Some(31) && (get("t") == n || get("u") == n);
    let same_pair = get("u").is_some() && get("t") == get("u") && row.name.starts_with("ld");
    let exclusive = row.name.starts_with("stx");
    let onto_status = exclusive && [get("t"), get("u"), n].contains(&get("s"));
    let casp = row.name == "casp" && [get("s"), get("t")].contains(&Some(BASE / 2));
    let index_is_base = get("m").is_some() && get("m") == n;
    !(writes_back && onto_base || same_pair || onto_status || casp || index_is_base)
}

/// Numbers at which something changes, and any.
pub(crate) fn number(random: &mut Random) -> u64 {
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
pub(crate) fn vector(random: &mut Random) -> u128 {
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

/// Random state for a word; a memory access gets an address that it can use.
fn random_state(row: &Row, word: u32, random: &mut Random) -> World {
    let mut world = World::new(&AARCH64);
    let set = |world: &mut World, slot: Slot, v: u128| world.set(&AARCH64, usize::from(slot.0), v);
    for n in 0..31 {
        set(&mut world, state::x(n), number(random).into());
        let v = if random.below(2) == 0 {
            vector(random)
        } else {
            u128::from(number(random)) << 64 | u128::from(number(random))
        };
        set(&mut world, state::v(n), v);
    }
    set(&mut world, state::v(31), vector(random));
    set(&mut world, state::SP, u128::from(DATA) + 4096);
    let nzcv = random.next() as u32;
    set(&mut world, state::NZCV, u128::from(nzcv & 0xc101));
    // One in four runs in another mode: rounding, flush to zero, default NaN, alternative half precision.
    if random.below(4) == 0 {
        set(&mut world, state::FPCR, u128::from(random.next() as u32 & state::FPCR_BITS));
    }
    if is_memory(row) {
        aim(row, word, &mut world, random);
    }
    world
}

/// Makes the address of a memory access point into the data.
fn aim(row: &Row, word: u32, world: &mut World, random: &mut Random) {
    let get = |name: &str| field(row, word, name).unwrap_or(0);
    let (n, m, z) = (get("n"), get("m"), get("z"));
    let plain = ["ldr", "ldp", "str", "stp"].iter().any(|start| row.name.starts_with(start)) || is_structure(row);
    let mut base = DATA + 1600 + 16 * random.below(80) as u64;
    if plain && n != 31 {
        base += random.below(16) as u64;
    }
    let offset = match row.name {
        name if name.ends_with("_i12") => u64::from(get("i") << z),
        // The sum is aligned.
        name if name.starts_with("ldapur") || name.starts_with("stlur") => u64::from(get("i") & ((1 << z) - 1)),
        _ => 0,
    };
    let slot = if n == 31 { state::SP } else { state::x(n) };
    world.set(&AARCH64, usize::from(slot.0), base.wrapping_sub(offset).into());
    if row.name.ends_with("_reg") && m != 31 {
        let small = random.below(40) as u64;
        let index = match (get("e"), random.below(2)) {
            (_, 0) => small,
            (0, _) => random.next() << 32 | small,
            (2, _) => random.next() << 32 | u64::from(small.wrapping_neg() as u32),
            _ => small.wrapping_neg(),
        };
        world.set(&AARCH64, usize::from(state::x(m).0), index.into());
    }
}

/// The words of a test: a store-exclusive mostly follows its load-exclusive, of the same size and address.
fn words(row: &Row, word: u32, random: &mut Random) -> Vec<u32> {
    if !row.name.starts_with("stx") || random.below(4) == 0 {
        return vec![word];
    }
    // LDXR or LDXP into XZR (and X30): L is bit 22, Rs and Rt are 31.
    let load = word | 1 << 22 | 31 << 16 | 31;
    let load = if row.name == "stxp" { load & !(31 << 10) | 30 << 10 } else { load };
    if row.name == "stxp" && field(row, word, "n") == Some(30) { vec![word] } else { vec![load, word] }
}

fn cases(random: &mut Random) -> (Vec<Case>, Vec<u32>) {
    let (mut cases, mut code) = (vec![], vec![]);
    for row in A64.rows.iter().filter(|row| !LEFT_OUT.contains(&row.name)) {
        let encodings = (0..).map_while(|_| A64.random(row, random)).take(50 * PER_ROW).collect::<Vec<u32>>();
        for word in encodings.into_iter().filter(|&w| is_predictable(row, w)).take(PER_ROW) {
            let before = random_state(row, word, random);
            let words = words(row, word, random);
            let (text, place) = test_code(&words);
            cases.push(Case { row, words, before, place: code.len() + place });
            code.extend(text);
        }
    }
    (cases, code)
}

// ---- records and FPSR ----

/// FPSR's bits and the sticky flags.
pub(crate) const FPSR: [(u32, u32); 6] = [
    (0, fpflag::INVALID),
    (1, fpflag::DIV_BY_ZERO),
    (2, fpflag::OVERFLOW),
    (3, fpflag::UNDERFLOW),
    (4, fpflag::INEXACT),
    (7, fpflag::INPUT_DENORMAL),
];

/// NZCV as the register has it, and as a slot has it.
pub(crate) const NZCV: [(u32, u32); 4] = [(31, 15), (30, 14), (29, 8), (28, 0)];

pub(crate) fn moved(v: u128, pairs: impl Iterator<Item = (u32, u32)>) -> u128 {
    pairs.fold(0, |out, (from, to)| out | (v >> from & 1) << to)
}

fn record(world: &World) -> Vec<u8> {
    let get = |slot: Slot| world.get(&AARCH64, usize::from(slot.0));
    let mut bytes = vec![0; RECORD];
    let mut put = |at: usize, v: u128, n: usize| bytes[at..at + n].copy_from_slice(&v.to_le_bytes()[..n]);
    (0..31).for_each(|n| put(8 * n as usize, get(state::x(n)), 8));
    (0..32).for_each(|n| put(V_AT + 16 * n as usize, get(state::v(n)), 16));
    put(248, get(state::SP), 8);
    put(NZCV_AT, moved(get(state::NZCV), NZCV.iter().map(|&(a, b)| (b, a))), 8);
    put(FPCR_AT, get(state::FPCR), 8);
    bytes
}

/// The world that a record describes; what is in no record is as in `ours`.
fn world(record: &[u8], ours: &World) -> World {
    let mut world = ours.clone();
    let get = |at: usize, n: usize| (0..n).rev().fold(0, |v: u128, i| v << 8 | u128::from(record[at + i]));
    let fpsr = get(FPSR_AT, 8);
    // QC is set if anything in its slot is.
    let (qc, saturated) = (ours.get(&AARCH64, usize::from(state::QC.0)), fpsr >> 27 & 1 == 1);
    let mut set = |slot: Slot, v: u128| world.set(&AARCH64, usize::from(slot.0), v);
    set(state::QC, if saturated == (qc != 0) { qc } else { saturated.into() });
    (0..31).filter(|&n| n != BASE).for_each(|n| set(state::x(n), get(8 * n as usize, 8)));
    (0..32).for_each(|n| set(state::v(n), get(V_AT + 16 * n as usize, 16)));
    set(state::SP, get(248, 8));
    set(state::NZCV, moved(get(NZCV_AT, 8), NZCV.into_iter()));
    world.fp_flags = FPSR.iter().filter(|f| fpsr >> f.0 & 1 == 1).fold(0, |all, f| all | f.1);
    world
}

#[test]
fn a64_rows_do_as_in_the_reference() {
    let mut random = Random(std::env::var("RQEMU_SEED").map_or(1, |s| s.parse().expect("a number in RQEMU_SEED")));
    let (cases, code) = cases(&mut random);
    let records: Vec<u8> = cases.iter().flat_map(|c| record(&c.before)).collect();
    let data: Vec<u8> = (0..DATA_SIZE).map(|_| random.next() as u8).collect();
    let Some(after) = run_reference(&code, &records, &data) else {
        return harness::leave_out("instructions against the reference", "no qemu-aarch64");
    };
    let (mut memory, mut wrong, mut recorded) = (data, BTreeMap::new(), BTreeMap::new());
    for (case, record) in cases.iter().zip(after.chunks(RECORD)) {
        // Two words come before the first test.
        let pc = CODE + 4 * (case.place as u64 + 2);
        let mut before = case.before.clone();
        before.data.0.clone_from(&memory);
        let mut ours = before.clone();
        let ran = catch_unwind(AssertUnwindSafe(|| ours.run(&AARCH64, &case.words, pc, None)));
        let next = pc + 4 * case.words.len() as u64;
        let text: Vec<String> = case.words.iter().map(|&w| A64.disassemble(w, pc)).collect();
        let theirs = world(record, &ours);
        memory.clone_from(&ours.data.0);
        let wrong = wrong.entry((case.row.line, case.row.name));
        let Ok(mut ran) = ran else {
            wrong.or_insert(vec![]).push(text.join("; ") + " panics");
            continue;
        };
        // The mode word is read too.
        ran.read.push(state::FPCR);
        if ran.outcome != Outcome::Goto(next) || ours != theirs {
            let (case, expected) =
                (line(&AARCH64, &case.words, &before, &ran, &ours), difference(&AARCH64, &ours, &theirs));
            let outcome = ran.outcome;
            wrong
                .or_insert(vec![])
                .push(format!("{}: {case}\n        {outcome:?}, expected {expected}", text.join("; ")));
        } else if ["adr", "adrp"].iter().all(|name| *name != case.row.name) {
            let line = line(&AARCH64, &case.words, &before, &ran, &theirs);
            recorded.entry((case.row.index, text.join("; "))).or_insert(line);
        }
    }
    let report: Vec<String> = wrong
        .iter()
        .map(|((line, name), list)| format!("{name}, line {line}, {} tests:\n    {}", list.len(), list[0]))
        .collect();
    assert!(report.is_empty(), "{} rows\n{}", report.len(), report.join("\n"));
    assert!(memory == after[records.len()..], "memory after all tests");
    if std::env::var_os("RQEMU_BLESS").is_some() {
        bless(&recorded);
    }
}

/// Writes the recorded cases, a few of each row.
fn bless(recorded: &BTreeMap<(usize, String), String>) {
    let mut text = String::from(
        "# A64, one instruction a line: words | state before | state after. The form is described in tests/insn.rs.\n\
         # Recorded from the reference emulator: RQEMU_BLESS=1 cargo test --test tests reference\n\n",
    );
    let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
    for ((row, name), line) in recorded {
        let count = counts.entry(*row).or_default();
        *count += 1;
        if *count <= RECORDED {
            let _ = write!(text, "# {name}\n{line}\n");
        }
    }
    fs::write(harness::repository().join("tests/insn/aarch64-recorded.txt"), text).expect("the guest's cases");
}
