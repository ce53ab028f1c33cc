//! Random instructions against the reference emulator, as in `reference.rs`, for A32 and T32: each row is run there and in the IR
//! interpreter on random state, and registers, flags, FPSCR and memory must come out alike.
//!
//! A32 words get any condition, T32 instructions stand in an IT block now and then. `RQEMU_BLESS=1` writes
//! `insn/arm-recorded.txt`. Left out are the rows that go elsewhere ([`LEFT_OUT`]) and what the manual calls unpredictable.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::time::Duration;

use arm::{A32, ARM, CP, NEON, T16, T32, state};
use decode::{Random, Table};
use ir::Slot;
use ir::interp::{Monitor, Outcome};

use crate::harness;
use crate::insn::{CODE, DATA, DATA_SIZE, Ran, World, difference, line_of, text};
use crate::reference::{FPSR, NZCV, moved, number, vector};

/// Tests of each row, if RQEMU_CASES does not say otherwise.
const PER_ROW: usize = 16;
/// Cases of each row that are recorded.
const RECORDED: usize = 2;

type Translate = fn(&mut arm::Cx<'_>, u32);
type Row = decode::Row<Translate>;

/// Names of rows that are not run here. All the rest is.
#[rustfmt::skip]
const LEFT_OUT: &[&str] = &[
    // They go elsewhere, or change how the program around them runs.
    "b", "bl", "blx", "bx", "blx_reg", "b_cond8", "b_cond20", "b11", "b24", "bl24", "blx24", "cbz", "tbb", "svc", "bkpt", "udf",
    "setend", "it",
    // The register would be any; the reference's processor has no SWP; waiting, in hints.
    "mcr", "mrc", "swp", "hint", "msr", "msr_imm",
];

// ---- the program that the reference runs ----

/// A record: r0 .. r14 (r11 is its address), padding, CPSR, FPSCR, padding, q0 .. q15.
const RECORD: usize = 336;
const CPSR_AT: usize = 64;
const FPSCR_AT: usize = 68;
const V_AT: usize = 80;
const RECORDS: u64 = 0x3000_0000;
/// The general register that holds the record's address.
const BASE: u32 = 11;

/// LDR or STR (`load`) of Rt at [r11, #offset].
fn transfer(load: bool, t: u32, offset: usize) -> u32 {
    0xe58b_0000 | u32::from(load) << 20 | t << 12 | offset as u32
}

/// A tested piece of code: bytes, a multiple of four, of which `size` are the `insns` instructions.
#[derive(Clone)]
struct Code {
    thumb: bool,
    bytes: Vec<u8>,
    size: u32,
    insns: u32,
}

impl Code {
    /// In an IT block, or an A32 word with a condition.
    fn is_conditional(&self) -> bool {
        self.insns == 2 || !self.thumb && self.bytes[3] >> 4 < 14
    }
}

/// The code of one test, to stand at `at`: state from its record, the instructions, state into the record. Returns the place of the
/// instructions too.
fn test_code(code: &Code, at: u64) -> (Vec<u8>, u64) {
    let general = || (0..15).filter(|&n| n != BASE);
    // CLREX; VMSR; r0 to the vectors; VLDM d0-d15, d16-d31; MSR CPSR_fs.
    let mut words = vec![0xf57f_f01f, transfer(true, 0, FPSCR_AT), 0xeee1_0a10, 0xe28b_0000 | V_AT as u32];
    words.extend([0xecb0_0b20, 0xecd0_0b20, transfer(true, 0, CPSR_AT), 0xe12c_f000]);
    words.extend(general().map(|n| transfer(true, n, 4 * n as usize)));
    let place = at + 4 * words.len() as u64 + if code.thumb { 8 } else { 0 };
    if code.thumb {
        // LDR pc, [pc, #-4].
        words.extend([0xe51f_f004, place as u32 | 1]);
    }
    let mut bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
    bytes.extend(&code.bytes);
    if code.thumb {
        // LDR.W pc, [pc, #0].
        let back = place as u32 + code.bytes.len() as u32 + 8;
        bytes.extend([0xdf, 0xf8, 0x00, 0xf0].into_iter().chain(back.to_le_bytes()));
    }
    let mut words: Vec<u32> = general().map(|n| transfer(false, n, 4 * n as usize)).collect();
    // MRS; VMRS; VSTM; ADD r11, r11, #RECORD.
    words.extend([0xe10f_0000, transfer(false, 0, CPSR_AT), 0xeef1_0a10, transfer(false, 0, FPSCR_AT)]);
    words.extend([0xe28b_0000 | V_AT as u32, 0xeca0_0b20, 0xecc0_0b20, 0xe28b_be15]);
    bytes.extend(words.iter().flat_map(|w| w.to_le_bytes()));
    (bytes, place)
}

/// MOVW, MOVT of a 32-bit constant.
fn constant(register: u32, v: u64) -> [u32; 2] {
    let part = |v: u64| (v as u32 & 0xf000) << 4 | v as u32 & 0xfff | register << 12;
    [0xe300_0000 | part(v), 0xe340_0000 | part(v >> 16)]
}

/// write(1, address, size) until all is written, as code.
fn write_code(address: u64, size: u64) -> Vec<u32> {
    let mut code = vec![];
    code.extend(constant(1, address));
    code.extend(constant(2, size));
    // 1: MOV r0, #1; MOV r7, #4; SVC; ADD r1, r1, r0; SUBS r2, r2, r0; BNE 1b.
    code.extend([0xe3a0_0001, 0xe3a0_7004, 0xef00_0000, 0xe081_1000, 0xe052_2000, 0x1aff_fff9]);
    code
}

/// An executable of three segments: code, records, data.
fn executable(code: &[u8], records: &[u8], data: &[u8]) -> Vec<u8> {
    let segments = [(CODE, code, 5u32), (RECORDS, records, 6), (DATA, data, 6)];
    let mut file = vec![0x7f, b'E', b'L', b'F', 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let half = |file: &mut Vec<u8>, v: &[u16]| v.iter().for_each(|v| file.extend(v.to_le_bytes()));
    let word = |file: &mut Vec<u8>, v: &[u32]| v.iter().for_each(|v| file.extend(v.to_le_bytes()));
    half(&mut file, &[2, 40]);
    // Version, entry, program headers, section headers, flags (EABI 5, hard float).
    word(&mut file, &[1, CODE as u32, 52, 0, 0x0500_0400]);
    half(&mut file, &[52, 32, segments.len() as u16, 0, 0, 0]);
    let mut offset = 4096u32;
    for (address, bytes, flags) in &segments {
        let (size, address) = (bytes.len() as u32, *address as u32);
        word(&mut file, &[1, offset, address, address, size, size, *flags, 4096]);
        offset = (offset + size).next_multiple_of(4096);
    }
    for (_, bytes, _) in &segments {
        file.resize(file.len().next_multiple_of(4096), 0);
        file.extend(*bytes);
    }
    file
}

/// Runs the tests in the reference: the records and the data after it, or how it ended.
fn run_reference(code: &[u8], records: &[u8], data: &[u8]) -> Result<Vec<u8>, String> {
    let guest = harness::GUESTS.iter().find(|g| g.name == "arm").ok_or("no such guest")?;
    let reference = harness::reference(guest).ok_or("no qemu-arm")?;
    let start: Vec<u8> = constant(BASE, RECORDS).iter().flat_map(|w| w.to_le_bytes()).collect();
    let mut end = write_code(RECORDS, records.len() as u64);
    end.extend(write_code(DATA, data.len() as u64));
    // exit(0)
    end.extend([0xe3a0_0000, 0xe3a0_7001, 0xef00_0000]);
    let program = [&start[..], code, &end.iter().flat_map(|w| w.to_le_bytes()).collect::<Vec<u8>>()].concat();
    let file = harness::scratch("reference").join(format!("arm-rows-{}", std::process::id()));
    fs::write(&file, executable(&program, records, data)).expect("scratch file");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("scratch file");
    let outcome = harness::run(Command::new(reference).args(["-cpu", "max"]).arg(&file), Duration::from_secs(120));
    let _ = fs::remove_file(&file);
    let all = outcome.end == "exit 0" && outcome.stdout.len() == records.len() + data.len();
    if all { Ok(outcome.stdout) } else { Err(outcome.end) }
}

// ---- random tests ----

/// An instruction with the state it starts from, and what we make of it.
struct Case {
    code: Code,
    before: World,
    place: u64,
}

fn field(row: &Row, word: u32, name: &str) -> Option<u32> {
    row.fields.iter().find(|f| f.name == name).map(|f| f.of(word))
}

/// Names of the fields that are general registers.
fn registers(row: &Row) -> &'static [&'static str] {
    match (row.section, row.name) {
        (_, "vldr" | "vstr" | "vldm" | "vstm") => &["n"],
        ("cp", _) => &["t", "x"],
        ("neon", name) if name.starts_with("vld") || name.starts_with("vst") => &["n", "m"],
        ("neon", _) => &[],
        (_, "dp_reg" | "pkh") => &["d", "n", "m"],
        (_, "movw" | "movt" | "ssat" | "usat") => &["d", "n"],
        (_, "umull" | "umlal" | "smull" | "smlal" | "umaal" | "smlalxy" | "smlald") => &["h", "l", "n", "m"],
        (_, "strexd") => &["d", "n", "t", "x"],
        (_, "qadd" | "par" | "crc32") => &["d", "n", "m"],
        (_, "ldm" | "stm") => &["n"],
        _ => &["d", "n", "m", "a", "t", "x", "s"],
    }
}

/// Whether 15 in the field has a meaning of its own, or is pc as any register.
fn may_be_15(row: &Row, name: &str) -> bool {
    match row.name {
        "dp_imm" | "dp_reg" | "dp_two" => name != "d",
        "smmla" | "usada8" => name == "a",
        "xt" | "bfi" => name == "n",
        "vld_multiple" | "vst_multiple" | "vld_single" | "vst_single" | "vld_all" => name == "m",
        "vmrs" => name == "t",
        _ => false,
    }
}

fn is_memory(row: &Row) -> bool {
    let starts = ["ld", "st", "vld", "vst", "push", "pop"];
    starts.iter().any(|start| row.name.starts_with(start))
}

/// Whether the manual says what the word does, and it leaves r11 and pc alone.
fn is_predictable(row: &Row, word: u32) -> bool {
    let get = |name: &str| field(row, word, name);
    for name in registers(row) {
        match get(name) {
            Some(BASE) => return false,
            Some(15) if !may_be_15(row, name) => return false,
            _ => {}
        }
    }
    let (n, m, t) = (get("n"), get("m"), get("t"));
    let second = match get("x") {
        Some(16) => t.map(|t| t + 1),
        x => x,
    };
    let second = if matches!(row.name, "ldrd_reg" | "strd_reg") { t.map(|t| t + 1) } else { second };
    let writes_back = get("p") == Some(0) || get("w") == Some(1);
    let list = get("r").unwrap_or(0);
    match row.name {
        "bfi" => get("w") >= get("i"),
        "sbfx" | "ubfx" => get("i").unwrap_or(0) + get("w").unwrap_or(0) < 32,
        "ldm" | "stm" => {
            let wide = row.section == "t32";
            let odd = wide && (list.count_ones() < 2 || list >> 13 & 1 == 1 || list >> 14 == 3);
            let back = get("w") == Some(1) && list >> n.unwrap_or(0) & 1 == 1;
            list >> BASE & 1 == 0 && list >> 15 == 0 && !odd && !back
        }
        "push" | "pop" => list != 0 && (row.name == "push" || get("h") == Some(0)),
        "ldrd_imm" | "strd_imm" | "ldrd_reg" | "strd_reg" | "ldrexd" | "strexd" | "vmov_pair" => {
            let loads = row.name.starts_with("ldr");
            let index = row.name.ends_with("reg") && (m == t || m == second || m == n);
            let back = writes_back && (n == t || n == second);
            let onto_status = get("d").is_some() && get("d") == second;
            second != Some(BASE) && second != Some(15) && !onto_status && !(loads && t == second) && !index && !back
        }
        name if is_memory(row) && row.section != "neon" && !name.starts_with('v') => {
            let reg = name.ends_with("reg");
            let odd = row.section == "t32" && t == Some(13);
            n != Some(15) && !(writes_back && n == t) && !(reg && m == n) && !odd
        }
        "vldr" | "vstr" | "vldm" | "vstm" => n != Some(15),
        "vtrn" | "vuzp" | "vzip" => get("d") != m,
        name if is_memory(row) && name.ends_with("single") || name.ends_with("multiple") || name == "vld_all" => {
            m == Some(13) || m != n
        }
        _ => true,
    }
}

/// Random state; a memory access gets an address that it can use.
fn random_state(row: &Row, word: u32, random: &mut Random) -> World {
    let mut world = World::new(&ARM);
    let set = |world: &mut World, slot: Slot, v: u128| world.set(&ARM, usize::from(slot.0), v);
    for n in 0..15 {
        set(&mut world, state::r(n), (number(random) as u32).into());
    }
    for n in 0..16 {
        let v = if random.below(2) == 0 {
            vector(random)
        } else {
            u128::from(number(random)) << 64 | u128::from(number(random))
        };
        set(&mut world, state::q(n), v);
    }
    set(&mut world, state::SP, u128::from(DATA) + 4096);
    set(&mut world, state::NZCV, u128::from(random.next() as u32 & 0xc101));
    set(&mut world, state::Q, random.below(2) as u128);
    let ge = (0..4).fold(0, |ge, i| ge | if random.below(2) == 0 { 0 } else { 0xffu128 << (8 * i) });
    set(&mut world, state::GE, ge);
    set(&mut world, state::FPNZCV, u128::from(random.next() as u32 & 0xc101));
    // One in four runs in another mode: rounding, flush to zero, default NaN, alternative half precision.
    if row.section == "cp" && random.below(4) == 0 {
        set(&mut world, state::FPSCR, u128::from(random.next() as u32 & state::FPSCR_BITS));
    }
    if row.name == "vmsr" {
        let t = field(row, word, "t").unwrap_or(0);
        set(&mut world, state::r(t), u128::from(random.next() as u32));
    }
    if is_memory(row) {
        aim(row, word, &mut world, random);
    }
    world
}

/// Makes the address of a memory access point into the data.
fn aim(row: &Row, word: u32, world: &mut World, random: &mut Random) {
    let get = |name: &str| field(row, word, name).unwrap_or(0);
    let (n, m, k) = (get("n"), get("m"), get("k"));
    let single = ["ld_imm", "ld_reg", "st_imm", "st_reg"].contains(&row.name);
    let mut target = (DATA as u32) + 2048 + 32 * random.below(60) as u32;
    if single || row.section == "neon" && get("a") == 0 && get("i") == 0 {
        target += random.below(16) as u32;
    } else if row.section != "neon" && !row.name.contains("ex") && !matches!(row.name, "lda" | "stl") {
        target += 4 * random.below(4) as u32;
    }
    let mut offset = match row.name {
        name if name.ends_with("_imm") => get("i") << k,
        "vldr" | "vstr" | "ldrex" | "strex" => get("i") << 2,
        _ => 0,
    };
    if row.name.ends_with("_reg") {
        let index = random.below(24) as u32;
        let slot = usize::from(state::r(m).0);
        world.set(&ARM, slot, index.into());
        offset = match (get("y"), get("i")) {
            (0, i) => index << i,
            (3, 0) => (world.get(&ARM, usize::from(state::NZCV.0)) as u32 >> 8 & 1) << 31 | index >> 1,
            (3, i) => index.rotate_right(i),
            (_, 0) => 0,
            (_, i) => index >> i,
        };
    }
    let indexed = row.fields.iter().all(|f| f.name != "p") || get("p") == 1;
    let up = row.fields.iter().all(|f| f.name != "u") || get("u") == 1;
    let base = match (indexed, up) {
        (false, _) => target,
        (_, true) => target.wrapping_sub(offset),
        (_, false) => target.wrapping_add(offset),
    };
    let n = if matches!(row.name, "push" | "pop") { 13 } else { n };
    world.set(&ARM, usize::from(state::r(n).0), base.into());
    if row.section == "neon" && m != 13 && m != 15 {
        world.set(&ARM, usize::from(state::r(m).0), u128::from(random.next() as u32));
    }
}

/// The code of a word of a table: with a condition or in an IT block now and then.
fn code_of(row: &Row, word: u32, random: &mut Random) -> Code {
    let word = match row.section {
        "a32" | "cp" if word >> 28 == 14 && random.below(3) == 0 => {
            word & 0x0fff_ffff | (random.below(14) as u32) << 28
        }
        _ => word,
    };
    let a32 = |word: u32| Code { thumb: false, bytes: word.to_le_bytes().to_vec(), size: 4, insns: 1 };
    let thumb = random.below(2) == 0;
    let long = |word: u32| vec![(word >> 16) as u16, word as u16];
    let mut halves = match row.section {
        "t16" => vec![word as u16],
        "t32" => long(word),
        "cp" if thumb && word >> 28 >= 14 => long(word),
        "neon" if thumb && word >> 24 == 0xf4 => long(word & 0x00ff_ffff | 0xf900_0000),
        "neon" if thumb => long(word & 0x00ff_ffff | 0xef00_0000 | (word >> 24 & 1) << 28),
        _ => return a32(word),
    };
    let mut insns = 1;
    if (row.section == "t16" || row.section == "t32") && random.below(4) == 0 {
        halves.insert(0, 0xbf08 | (random.below(14) as u16) << 4);
        insns = 2;
    }
    let size = 2 * halves.len() as u32;
    if halves.len() % 2 == 1 {
        halves.push(0xbf00);
    }
    Code { thumb: true, bytes: halves.iter().flat_map(|h| h.to_le_bytes()).collect(), size, insns }
}

/// Runs a case in the interpreter.
fn run(case: &Case, memory: &[u8]) -> Option<(World, Ran, World)> {
    let mut before = case.before.clone();
    before.data.0.copy_from_slice(memory);
    let mut ours = before.clone();
    let pc = case.place | u64::from(case.code.thumb);
    let code = &case.code;
    let ran =
        catch_unwind(AssertUnwindSafe(|| ours.run_code(&ARM, code.bytes.clone(), code.insns, pc, None::<Monitor>)));
    ran.ok().map(|ran| (before, ran, ours))
}

// ---- records ----

fn record(world: &World) -> Vec<u8> {
    let get = |slot: Slot| world.get(&ARM, usize::from(slot.0));
    let mut bytes = vec![0; RECORD];
    let mut put = |at: usize, v: u128, n: usize| bytes[at..at + n].copy_from_slice(&v.to_le_bytes()[..n]);
    (0..15).for_each(|n| put(4 * n as usize, get(state::r(n)), 4));
    (0..16).for_each(|n| put(V_AT + 16 * n as usize, get(state::q(n)), 16));
    put(CPSR_AT, state::cpsr(&world.state).into(), 4);
    put(FPSCR_AT, state::fpscr(&world.state, 0).into(), 4);
    bytes
}

/// The world that a record describes; what is in no record is as in `ours`.
fn world(record: &[u8], ours: &World) -> World {
    let mut world = ours.clone();
    let get = |at: usize, n: usize| (0..n).rev().fold(0, |v: u128, i| v << 8 | u128::from(record[at + i]));
    let (cpsr, fpscr) = (get(CPSR_AT, 4), get(FPSCR_AT, 4));
    // QC is set if anything in its slot is.
    let (qc, saturated) = (ours.get(&ARM, usize::from(state::QC.0)), fpscr >> 27 & 1 == 1);
    let mut set = |slot: Slot, v: u128| world.set(&ARM, usize::from(slot.0), v);
    set(state::QC, if saturated == (qc != 0) { qc } else { saturated.into() });
    (0..15).filter(|&n| n != BASE).for_each(|n| set(state::r(n), get(4 * n as usize, 4)));
    (0..16).for_each(|n| set(state::q(n), get(V_AT + 16 * n as usize, 16)));
    set(state::NZCV, moved(cpsr, NZCV.into_iter()));
    set(state::Q, cpsr >> 27 & 1);
    set(state::GE, (0..4).fold(0, |ge, i| ge | (cpsr >> (16 + i) & 1) * 0xff << (8 * i)));
    set(state::FPNZCV, moved(fpscr, NZCV.into_iter()));
    set(state::FPSCR, fpscr & u128::from(state::FPSCR_BITS));
    world.fp_flags = FPSR.iter().filter(|f| fpscr >> f.0 & 1 == 1).fold(0, |all, f| all | f.1);
    world
}

// ---- the test ----

/// What became of a row's cases.
#[derive(Default)]
struct Report {
    wrong: BTreeMap<String, Vec<String>>,
    recorded: Vec<(String, Vec<String>)>,
    rows: usize,
}

/// The cases of a row that go on to the next instruction (in ours; what traps is left to the comparison with objdump).
fn cases(table: &Table<Translate>, row: &'static Row, per_row: usize, random: &mut Random) -> (Vec<Case>, Vec<u8>) {
    let (mut cases, mut code) = (vec![], vec![]);
    let words: Vec<u32> = (0..).map_while(|_| table.random(row, random)).take(60 * per_row).collect();
    for word in words.into_iter().filter(|&w| is_predictable(row, w)) {
        if cases.len() == per_row {
            break;
        }
        let before = random_state(row, word, random);
        let piece = code_of(row, word, random);
        // Two words come before the first test.
        let (bytes, place) = test_code(&piece, CODE + 8 + code.len() as u64);
        let case = Case { code: piece, before, place };
        let traps = |ran: &Ran| matches!(ran.outcome, Outcome::Trap { .. });
        if run(&case, &vec![0; DATA_SIZE]).is_some_and(|(_, ran, _)| traps(&ran)) {
            continue;
        }
        cases.push(case);
        code.extend(bytes);
    }
    (cases, code)
}

/// A load relative to pc: the data is elsewhere. (Cases by hand are in `insn/arm.txt`.)
fn is_literal(row: &Row) -> bool {
    row.fields.iter().any(|f| f.name == "n" && f.parts.is_empty() && f.constant == 15)
}

fn check_row(
    table: &Table<Translate>,
    row: &'static Row,
    per_row: usize,
    random: &mut Random,
    report: &mut Report,
) -> Result<(), String> {
    let name = format!("{} {}, line {}", row.section, row.name, row.line);
    let (cases, code) = cases(table, row, per_row, random);
    if cases.is_empty() && is_literal(row) {
        return Ok(());
    }
    if cases.is_empty() {
        report.wrong.insert(name, vec!["no case goes on".into()]);
        return Ok(());
    }
    let records: Vec<u8> = cases.iter().flat_map(|c| record(&c.before)).collect();
    let data: Vec<u8> = (0..DATA_SIZE).map(|_| random.next() as u8).collect();
    let after = match run_reference(&code, &records, &data) {
        Ok(after) => after,
        Err(end) if end.starts_with("no ") => return Err(end),
        Err(end) => {
            let list: Vec<String> =
                cases.iter().map(|c| text(&ARM, &c.code.bytes, c.place | u64::from(c.code.thumb))).collect();
            report.wrong.insert(name, vec![format!("the reference ends by {end}: {}", list.join(" / "))]);
            return Ok(());
        }
    };
    let mut memory = data;
    let mut lines = vec![];
    for (case, record) in cases.iter().zip(after.chunks(RECORD)) {
        let thumb = u64::from(case.code.thumb);
        let text = text(&ARM, &case.code.bytes[..case.code.size as usize], case.place | thumb);
        let Some((before, mut ran, ours)) = run(case, &memory) else {
            report.wrong.entry(name.clone()).or_default().push(format!("{text} panics"));
            continue;
        };
        memory.clone_from(&ours.data.0);
        let theirs = world(record, &ours);
        ran.read.push(state::FPSCR);
        if case.code.is_conditional() {
            // What is written may also stay.
            ran.read.extend_from_slice(&ran.written);
        }
        let next = (case.place + u64::from(case.code.size)) | thumb;
        let goes_on = matches!(ran.outcome, Outcome::Goto(pc) | Outcome::Resume { pc } if pc == next);
        let line = line_of(&ARM, &words_text(&case.code), &before, &ran, &theirs);
        if !goes_on || ours != theirs {
            let expected = difference(&ARM, &ours, &theirs);
            let line = format!("{text}: {line}\n        {:?}, expected {expected}", ran.outcome);
            report.wrong.entry(name.clone()).or_default().push(line);
        } else if !reads_pc(row, &case.code) {
            lines.push(format!("# {text}\n{line}"));
        }
    }
    if memory != after[records.len()..] {
        report.wrong.entry(name.clone()).or_default().push("memory after all tests".into());
    }
    report.recorded.push((name, lines));
    Ok(())
}

/// The code as a case has it.
fn words_text(code: &Code) -> String {
    let step = if code.thumb { 2 } else { 4 };
    let number = |b: &[u8]| b.iter().rev().fold(String::new(), |s, b| s + &format!("{b:02x}"));
    code.bytes[..code.size as usize].chunks(step).map(number).collect::<Vec<_>>().join(" ")
}

/// The result depends on where the code stands.
fn reads_pc(row: &Row, code: &Code) -> bool {
    let part = |at: usize| code.bytes.get(at..at + 2).map_or(0, |b| u32::from(b[1]) << 8 | u32::from(b[0]));
    let at = if code.insns == 2 { 2 } else { 0 };
    let word = match (code.thumb, row.section) {
        (false, _) => part(2) << 16 | part(0),
        (true, "t16") => part(at),
        _ => part(at) << 16 | part(at + 2),
    };
    row.name == "adr" || registers(row).iter().any(|r| field(row, word, r) == Some(15))
}

#[test]
fn arm_rows_do_as_in_the_reference() {
    let number = |name: &str, default| std::env::var(name).map_or(default, |s| s.parse().expect("a number"));
    let (mut random, per_row) = (Random(number("RQEMU_SEED", 1)), number("RQEMU_CASES", PER_ROW as u64) as usize);
    let only = std::env::var("RQEMU_ROW").ok();
    let mut report = Report::default();
    for table in [&A32, &T16, &T32, &CP, &NEON] {
        for row in table.rows.iter().filter(|row| !LEFT_OUT.contains(&row.name)) {
            if only.as_ref().is_some_and(|name| name != row.name) || row.name.starts_with("cps") {
                continue;
            }
            report.rows += 1;
            if check_row(table, row, per_row, &mut random, &mut report).is_err() {
                return harness::leave_out("arm instructions against the reference", "no qemu-arm");
            }
        }
    }
    let list: Vec<String> =
        report.wrong.iter().map(|(name, list)| format!("{name}, {} tests:\n    {}", list.len(), list[0])).collect();
    assert!(list.is_empty(), "{} of {} rows\n{}", list.len(), report.rows, list.join("\n"));
    if std::env::var_os("RQEMU_BLESS").is_some() {
        bless(&report);
    }
}

/// Writes the recorded cases, a few of each row.
fn bless(report: &Report) {
    let mut text = String::from(
        "# A32 and T32, one instruction (or IT and one) a line: words | state before | state after. The form is described in tests/insn.rs.\n\
         # Recorded from the reference emulator: RQEMU_BLESS=1 cargo test --test tests reference_arm\n\n",
    );
    for (_, lines) in &report.recorded {
        lines.iter().take(RECORDED).for_each(|line| {
            let _ = writeln!(text, "{line}");
        });
    }
    fs::write(harness::repository().join("tests/insn/arm-recorded.txt"), text).expect("the guest's cases");
}
