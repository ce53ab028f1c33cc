//! RISC-V for `reference.rs`: what is run of it, and how its state gets into the reference and out of it.

use super::{Case, RECORDS, Set, float, get, number, put, words};
use crate::insn::{DATA, DATA_SIZE, World};
use arch::Guest;
use decode::{Random, Table};
use ir::{Slot, fpflag};
use riscv::{RISCV64, RV, RV64, RVC, RVC64, state};

type Row = decode::Row<fn(&mut riscv::Cx<'_>, u32)>;

/// Names of rows that are not run here. All the rest is.
#[rustfmt::skip]
const LEFT_OUT: &[&str] = &[
    // They go elsewhere, or wait.
    "beq", "bne", "blt", "bge", "bltu", "bgeu", "jal", "jalr", "c_j", "c_beqz", "c_bnez", "c_jr", "c_jalr", "ecall", "ebreak", "c_ebreak",
    "wrs", "fence_i",
    // The register would be any.
    "csrrw", "csrrs", "csrrc", "csrrwi", "csrrsi", "csrrci",
    // The block is another's, or needs a right that the reference's processor does not give.
    "cbo_zero", "cbo_clean", "cbo_inval",
];

/// A record: x0 .. x31, fcsr, padding, f0 .. f31. s11 is the record's address.
const RECORD: usize = 528;
const FCSR_AT: usize = 256;
const F_AT: usize = 272;
const BASE: u32 = 27;

/// fcsr's flags (NX, UF, OF, DZ, NV) as sticky ones.
pub(crate) const FLAGS: [u32; 5] =
    [fpflag::INEXACT, fpflag::UNDERFLOW, fpflag::OVERFLOW, fpflag::DIV_BY_ZERO, fpflag::INVALID];

/// LD or FLD (`float`) of a register from [s11, #offset], and the stores.
fn load(float: bool, t: u32, offset: usize) -> u32 {
    (offset as u32) << 20 | BASE << 15 | 3 << 12 | t << 7 | if float { 0x07 } else { 0x03 }
}

fn store(float: bool, t: u32, offset: usize) -> u32 {
    let o = offset as u32;
    (o >> 5) << 25 | t << 20 | BASE << 15 | 3 << 12 | (o & 31) << 7 | if float { 0x27 } else { 0x23 }
}

/// LUI, ADDI of a constant that the pair can say.
fn constant(register: u32, v: u64) -> [u32; 2] {
    let v = v as u32;
    let (high, low) = (v.wrapping_add(0x800) & 0xffff_f000, v & 0xfff);
    [high | register << 7 | 0x37, low << 20 | register << 15 | register << 7 | 0x13]
}

/// The call `number`: ADDI a7, zero, number; ECALL.
fn call(number: u32) -> [u32; 2] {
    [number << 20 | 17 << 7 | 0x13, 0x73]
}

/// ADDI a0, zero, value.
fn argument(v: u32) -> u32 {
    v << 20 | 10 << 7 | 0x13
}

/// The state of RISC-V.
pub(super) struct RiscvSet;

impl Set for RiscvSet {
    fn name(&self) -> &'static str {
        "riscv64"
    }

    fn guest(&self) -> &'static Guest {
        &RISCV64
    }

    fn prologue(&self) -> Vec<u8> {
        words(&constant(BASE, RECORDS))
    }

    fn load(&self) -> Vec<u8> {
        // FSCSR a0.
        let mut code = vec![load(false, 10, FCSR_AT), 0x0035_1073];
        code.extend((0..32).map(|n| load(true, n, F_AT + 8 * n as usize)));
        code.extend(general().map(|n| load(false, n, 8 * n as usize)));
        words(&code)
    }

    fn save(&self) -> Vec<u8> {
        let mut code: Vec<u32> = general().map(|n| store(false, n, 8 * n as usize)).collect();
        code.extend((0..32).map(|n| store(true, n, F_AT + 8 * n as usize)));
        // FRCSR a0; write(1, s11, RECORD); ADDI s11, s11, RECORD.
        code.extend([0x0030_2573, store(false, 10, FCSR_AT), argument(1), BASE << 15 | 11 << 7 | 0x13]);
        code.extend(constant(12, RECORD as u64));
        code.extend(call(64));
        code.push((RECORD as u32) << 20 | BASE << 15 | BASE << 7 | 0x13);
        words(&code)
    }

    fn epilogue(&self) -> Vec<u8> {
        let mut code = vec![argument(1)];
        code.extend(constant(11, DATA));
        code.extend(constant(12, DATA_SIZE as u64));
        code.extend(call(64));
        code.push(argument(0));
        code.extend(call(93));
        words(&code)
    }

    fn record(&self, world: &World) -> Vec<u8> {
        let slot = |slot: Slot| world.get(&RISCV64, usize::from(slot.0));
        let mut bytes = vec![0; RECORD];
        general().for_each(|n| put(&mut bytes, 8 * n as usize, slot(state::x(n)), 8));
        (0..32).for_each(|n| put(&mut bytes, F_AT + 8 * n as usize, slot(state::f(n)), 8));
        put(&mut bytes, FCSR_AT, slot(state::FRM) << 5, 8);
        bytes
    }

    fn world(&self, record: &[u8], ours: &World) -> World {
        let mut world = ours.clone();
        let mut set = |slot: Slot, v: u128| world.set(&RISCV64, usize::from(slot.0), v);
        general().for_each(|n| set(state::x(n), get(record, 8 * n as usize, 8)));
        (0..32).for_each(|n| {
            let above = ours.get(&RISCV64, usize::from(state::f(n).0)) >> 64 << 64;
            set(state::f(n), above | get(record, F_AT + 8 * n as usize, 8));
        });
        let fcsr = get(record, FCSR_AT, 8);
        set(state::FRM, fcsr >> 5);
        world.fp_flags = FLAGS.iter().enumerate().filter(|f| fcsr >> f.0 & 1 == 1).fold(0, |all, f| all | f.1);
        world
    }

    fn control(&self) -> Slot {
        state::FRM
    }

    fn cases(&self, wanted: &dyn Fn(&str) -> bool, per_row: usize, random: &mut Random) -> Vec<Case> {
        let tables = [("rv", &RV, 4), ("rv64", &RV64, 4), ("rvc", &RVC, 2), ("rvc64", &RVC64, 2)];
        let mut cases = vec![];
        for (name, table, size) in tables {
            for row in table.rows().iter().filter(|row| wanted(row.name) && !LEFT_OUT.contains(&row.name)) {
                cases.extend(row_cases(name, table, row, size, per_row, random));
            }
        }
        cases
    }
}

fn row_cases(
    name: &'static str,
    table: &Table<fn(&mut riscv::Cx<'_>, u32)>,
    row: &'static Row,
    size: usize,
    per_row: usize,
    random: &mut Random,
) -> Vec<Case> {
    let encodings = (0..).map_while(|_| table.random(row, random)).take(50 * per_row).collect::<Vec<u32>>();
    let mut cases = vec![];
    for word in encodings.into_iter().filter(|&w| spares_base(row, w)).take(per_row) {
        let before = random_state(row, word, random);
        let mut code = vec![];
        // A store-conditional mostly follows its load-reserved, into x0.
        if row.name == "sc" && random.below(4) != 0 {
            code.extend((word & !(0x1f << 27 | 0x1f << 20 | 0x1f << 7) | 2 << 27).to_le_bytes());
        }
        code.extend(&word.to_le_bytes()[..size]);
        let insns = if code.len() > 4 { 2 } else { 1 };
        let relative = row.name == "auipc";
        cases.push(Case { row: (name, row.line, row.name), code, insns, before, relative, conditional: false });
    }
    cases
}

/// The registers that a test can use.
fn general() -> impl Iterator<Item = u32> {
    (1..32).filter(|&n| n != BASE)
}

fn field(row: &Row, word: u32, name: &str) -> Option<u32> {
    row.fields.iter().find(|f| f.name() == name).map(|f| f.of(word))
}

/// Whether the word leaves s11 alone.
fn spares_base(row: &Row, word: u32) -> bool {
    let get = |name: &str| field(row, word, name);
    let pair = row.name == "amocas_pair" && [get("d"), get("m")].contains(&Some(BASE / 2));
    !["d", "n", "m"].iter().any(|name| get(name) == Some(BASE)) && !pair
}

/// Accesses have a base, which for those on the stack is sp.
fn base(row: &Row, word: u32) -> Option<u32> {
    let compressed = row.name.starts_with("c_");
    let name = row.name.trim_start_matches("c_").trim_start_matches('f');
    let plain = ["lb", "lh", "lw", "ld", "sb", "sh", "sw", "sd"];
    let is_plain = plain.iter().any(|p| name.strip_prefix(p).is_some_and(|rest| matches!(rest, "" | "u" | "sp")));
    if is_plain && name.ends_with("sp") {
        return Some(state::SP);
    }
    let atomic = name.starts_with("amo") || name == "lr" || name == "sc";
    let n = field(row, word, "n").filter(|_| is_plain || atomic)?;
    Some(if compressed { n + 8 } else { n })
}

/// A value of a floating-point register: a double, a narrower one in its box, or one whose box is broken.
pub(crate) fn boxed(random: &mut Random) -> u64 {
    match random.below(8) {
        0..3 => float(random, 64, 11, 52),
        3..6 => float(random, 32, 8, 23) | 0xffff_ffff << 32,
        6 => float(random, 16, 5, 10) | u64::MAX << 16,
        _ => number(random),
    }
}

/// Random state for a word; a memory access gets an address that it can use.
fn random_state(row: &Row, word: u32, random: &mut Random) -> World {
    let mut world = World::new(&RISCV64);
    let set = |world: &mut World, slot: Slot, v: u128| world.set(&RISCV64, usize::from(slot.0), v);
    for n in general() {
        set(&mut world, state::x(n), number(random).into());
    }
    // Values of the row's own format half of the time.
    let own = field(row, word, "g").or(field(row, word, "f"));
    for n in 0..32 {
        let v = match (own, random.below(2)) {
            (Some(1), 0) => float(random, 64, 11, 52),
            (Some(0), 0) => float(random, 32, 8, 23) | 0xffff_ffff << 32,
            (Some(2), 0) => float(random, 16, 5, 10) | u64::MAX << 16,
            _ => boxed(random),
        };
        set(&mut world, state::f(n), v.into());
    }
    if random.below(4) == 0 {
        set(&mut world, state::FRM, (1 + random.below(4) as u128) % 5);
    }
    if let Some(n) = base(row, word).filter(|&n| n != 0) {
        let aligned = row.name.starts_with("amo") || row.name == "lr" || row.name == "sc";
        let at = DATA + 2100 + if aligned { 12 } else { 0 } + 16 * random.below(80) as u64;
        let at = if aligned { at } else { at + random.below(16) as u64 };
        set(&mut world, state::x(n), at.into());
    }
    world
}
