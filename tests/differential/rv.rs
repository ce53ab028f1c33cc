//! Random cases of RISC-V. A compressed instruction shares its word with a C.NOP. gp takes no part: the runner needs it.

use std::sync::OnceLock;

use arch::Guest;
use decode::{Field, Random, Table};
use ir::{Slot, Ty, fpflag};
use riscv::{RISCV32, RISCV64, RV, RV32, RV64, RVC, RVC32, RVC64, RVV, state};

use super::aim::{self, Dry, Start, dry_run};
use super::isa::{Case, Isa, RowName};
use super::known;
use super::record::{CODE, Layout, PAGE, Record, SCRATCH, SLOT, WINDOW, WINDOW_SIZE, WORDS};
use super::values;

type Row = decode::Row<fn(&mut riscv::Cx<'_>, u32)>;
type Rows = Table<fn(&mut riscv::Cx<'_>, u32)>;

/// See [`Isa`].
#[derive(Debug)]
pub(crate) struct RvIsa {
    guest: &'static Guest,
    /// Bytes of a vector register, if there are such.
    vlenb: usize,
}

/// With vector registers of 128 bits all rows, with others those of vectors.
pub(crate) static WIDE: [RvIsa; 4] = [wide(16), wide(32), wide(64), wide(128)];
/// RV32, which has no vectors.
pub(crate) static NARROW: RvIsa = RvIsa { guest: &RISCV32, vlenb: 0 };

const fn wide(vlenb: usize) -> RvIsa {
    RvIsa { guest: &RISCV64, vlenb }
}

/// Tables of whole words, of halves.
const TABLES64: [&[&Rows]; 2] = [&[&RV, &RV64, &RVV], &[&RVC, &RVC64]];
const TABLES32: [&[&Rows]; 2] = [&[&RV, &RV32], &[&RVC, &RVC32]];

impl RvIsa {
    fn tables(&self) -> [&'static [&'static Rows]; 2] {
        if self.is_wide() { TABLES64 } else { TABLES32 }
    }

    fn is_wide(&self) -> bool {
        self.guest.elf.class == 64
    }

    /// Bits of an integer register.
    fn xlen(&self) -> u32 {
        self.guest.elf.class.into()
    }

    /// What fits an integer register.
    fn mask(&self) -> u64 {
        u64::MAX >> (64 - self.xlen())
    }

    /// Sets a record's integer register.
    fn set_x(&self, record: &mut Record, n: u32, v: u64) {
        record.set(64 + 8 * n as usize, 8, (v & self.mask()).into());
    }
}

/// Places in a record.
const FCSR_AT: usize = 320;
const F_AT: usize = 352;
const VSTART_AT: usize = 608;
const VCSR_AT: usize = 616;
const VL_AT: usize = 624;
const VTYPE_AT: usize = 632;
const MEMORY_AT: usize = 640;
const V_AT: usize = 896;

const GP: u32 = 3;
const VSTART: u32 = 0x008;
const VXRM: u32 = 0x00a;
const C_NOP: u32 = 0x0001_0000;

/// The CSRs that are drawn: fflags, frm, fcsr; V's, which the reference has at RV32, too.
const CSRS: [u32; 13] = [1, 2, 3, 1, 2, 3, 8, 9, 10, 15, 0xc20, 0xc21, 0xc22];

/// All rows, each with its table.
fn rows(isa: &RvIsa) -> &'static [(&'static Rows, &'static Row)] {
    static ROWS: [OnceLock<Vec<(&Rows, &Row)>>; 2] = [const { OnceLock::new() }; 2];
    ROWS[usize::from(isa.is_wide())].get_or_init(|| {
        let tables = isa.tables().into_iter().flatten();
        let all = tables.flat_map(|table| table.rows().iter().map(move |row| (*table, row)));
        all.filter(|(_, row)| !known::left_out(row.name)).collect()
    })
}

/// Groups of rows, so that a sequence is not all floating point: integer, memory, floating point, vectors.
fn groups(isa: &RvIsa) -> &'static [Vec<usize>; 4] {
    static GROUPS: [OnceLock<[Vec<usize>; 4]>; 2] = [const { OnceLock::new() }; 2];
    GROUPS[usize::from(isa.is_wide())].get_or_init(|| {
        let mut groups = [vec![], vec![], vec![], vec![]];
        for (i, (_, row)) in rows(isa).iter().enumerate().filter(|(_, (_, row))| !is_control(row)) {
            let group = if is_vector(row) {
                3
            } else if is_memory(row) {
                1
            } else {
                2 * usize::from(row.name.starts_with('f'))
            };
            groups[group].push(i);
        }
        groups
    })
}

fn is_branch(row: &Row) -> bool {
    ["beq", "bne", "blt", "bge", "bltu", "bgeu", "c_beqz", "c_bnez"].contains(&row.name)
}

/// Whether the row leaves the straight line, or is a case of its own for another reason.
fn is_control(row: &Row) -> bool {
    const NAMES: [&str; 13] = [
        "jal",
        "jalr",
        "c_j",
        "c_jal",
        "c_jr",
        "c_jalr",
        "ecall",
        "ebreak",
        "c_ebreak",
        "fence_i",
        "cbo_clean",
        "cbo_inval",
        "cbo_zero",
    ];
    is_branch(row) || NAMES.contains(&row.name)
}

fn is_vector(row: &Row) -> bool {
    row.section == "rvv"
}

/// Vector accesses by unit stride, and those by a stride or by indices.
const UNIT: [&str; 7] = ["vle", "vle_ff", "vlm", "vlr", "vse", "vsm", "vsr"];
const SPREAD: [&str; 4] = ["vlse", "vlxei", "vsse", "vsxei"];

/// Whether a field names an integer register.
fn is_integer(row: &Row, word: u32, name: &str) -> bool {
    if !is_vector(row) {
        return true;
    }
    let form = get(row, word, "k");
    match name {
        "d" => ["vsetvli", "vsetivli", "vsetvl", "vmv_x_s", "vcpop", "vfirst"].contains(&row.name),
        "m" => ["vlse", "vsse", "vsetvl"].contains(&row.name),
        "n" => is_memory(row) || matches!(form, Some(4 | 6)) || ["vsetvli", "vsetvl", "vmv_s_x"].contains(&row.name),
        _ => false,
    }
}

fn is_atomic(row: &Row) -> bool {
    row.name.starts_with("amo") || row.name == "lr" || row.name == "sc"
}

fn is_memory(row: &Row) -> bool {
    base_field(row).is_some()
}

/// How an access's base is named: by a field, by a field of x8 to x15, or it is sp.
enum Base {
    Field,
    Short,
    Sp,
}

fn base_field(row: &Row) -> Option<Base> {
    let name = row.name.strip_prefix("c_").unwrap_or(row.name);
    let plain = name.strip_prefix('f').unwrap_or(name);
    let is_plain = ["lb", "lh", "lw", "ld", "sb", "sh", "sw", "sd"]
        .iter()
        .any(|p| plain.strip_prefix(p).is_some_and(|rest| matches!(rest, "" | "u" | "sp")));
    if is_plain && plain.ends_with("sp") {
        return Some(Base::Sp);
    }
    let vector = UNIT.contains(&row.name) || SPREAD.contains(&row.name);
    let other = is_atomic(row) || vector || row.name.starts_with("cbo_");
    (is_plain || other).then_some(if row.name.starts_with("c_") { Base::Short } else { Base::Field })
}

/// The register that an access goes by.
fn base(row: &Row, word: u32) -> Option<u32> {
    match base_field(row)? {
        Base::Sp => Some(state::SP),
        Base::Short => get(row, word, "n").map(|n| n + 8),
        Base::Field => get(row, word, "n"),
    }
}

fn field(row: &Row, name: &str) -> Option<Field> {
    row.fields.iter().find(|f| f.name() == name && !f.parts().is_empty()).copied()
}

fn get(row: &Row, word: u32, name: &str) -> Option<u32> {
    row.fields.iter().find(|f| f.name() == name).map(|f| f.of(word))
}

/// Sets a field if the word stays one of the row's.
fn put(table: &Rows, row: &Row, word: &mut u32, name: &str, v: u32) {
    let Some(f) = field(row, name) else { return };
    let new = f.put(*word, v);
    if row.pattern.matches(new) && table.decode(new).is_some_and(|r| r.index == row.index) {
        *word = new;
    }
}

fn bits(f: Field) -> u32 {
    f.parts().iter().map(|p| u32::from(p.1)).sum()
}

/// Whether the word leaves gp alone.
fn spares_gp(row: &Row, word: u32) -> bool {
    let names = |n: &str| {
        let v = get(row, word, n);
        // A pair of registers begins at twice the field.
        if row.name == "amocas_pair" && n != "n" {
            v == Some(GP / 2)
        } else {
            v == Some(GP) && is_integer(row, word, n) && field(row, n).is_some_and(|f| bits(f) == 5)
        }
    };
    !["d", "n", "m"].iter().any(|n| names(n))
}

/// An instruction of the row that may be run.
fn draw(isa: &RvIsa, (table, row): (&Rows, &Row), random: &mut Random) -> Option<u32> {
    (0..50).find_map(|_| {
        let mut word = table.random(row, random)?;
        if field(row, "c").is_some() {
            let csrs = if isa.vlenb > 0 { &CSRS[..] } else { &CSRS[..6] };
            put(table, row, &mut word, "c", csrs[random.below(csrs.len())]);
        }
        // Mostly the mode in force, as compilers have it.
        if random.below(2) == 0 {
            put(table, row, &mut word, "r", 7);
        }
        (spares_gp(row, word) && known::encoding(row.section, row.name, word).is_none()).then_some(word)
    })
}

/// The instruction as a whole word.
fn padded(word: u32) -> u32 {
    if word & 3 == 3 { word } else { word | C_NOP }
}

/// A register's value: a double, a narrower one in its box, or one whose box is broken.
fn boxed(random: &mut Random) -> u64 {
    match random.below(10) {
        0..4 => values::float(random, 11, 52),
        4..7 => values::float(random, 8, 23) | 0xffff_ffff << 32,
        7..9 => values::float(random, 5, 10) | u64::MAX << 16,
        _ => values::integer(random, 64),
    }
}

/// Bytes of a vector register.
fn vlenb(record: &Record) -> usize {
    (record.0.len() - V_AT) / 32
}

/// A record with random state.
fn random_record(isa: &RvIsa, random: &mut Random) -> Record {
    let mut record = Record(vec![0; isa.layout().size]);
    for n in (1..32).filter(|&n| n != GP as usize) {
        let v = match random.below(10) {
            0 => WINDOW + random.below(WINDOW_SIZE as usize) as u64,
            1 if n > 1 => record.get(64 + 8 * (1 + random.below(n - 1)), 8) as u64,
            _ => values::integer(random, isa.xlen()),
        };
        record.set(64 + 8 * n, 8, v.into());
    }
    let frm = if random.below(3) == 0 { random.below(5) as u128 } else { 0 };
    let flags = if random.below(4) == 0 { u128::from(random.next() & 31) } else { 0 };
    record.set(FCSR_AT, 8, frm << 5 | flags);
    // One format in most registers, so that operands are of it.
    let format = random.below(3);
    for n in 0..32 {
        let v = match (random.below(3), format) {
            (0, _) => boxed(random),
            (1, _) if n > 0 => record.get(F_AT + 8 * random.below(n), 8) as u64,
            (_, 0) => values::float(random, 8, 23) | 0xffff_ffff << 32,
            (_, 1) => values::float(random, 11, 52),
            _ => values::float(random, 5, 10) | u64::MAX << 16,
        };
        record.set(F_AT + 8 * n, 8, v.into());
    }
    for at in (MEMORY_AT..MEMORY_AT + WINDOW_SIZE as usize).step_by(8) {
        let v = if random.below(2) == 0 { boxed(random) } else { values::integer(random, 64) };
        record.set(at, 8, v.into());
    }
    if isa.vlenb > 0 {
        random_vectors(&mut record, random);
    }
    record
}

/// Vector state.
fn random_vectors(record: &mut Record, random: &mut Random) {
    let vlenb = vlenb(record);
    let vtype = loop {
        let vtype = (random.next() & 0x1f | (random.next() & 3) << 6) as u32;
        if state::Vector::of_register(vtype.into(), vlenb as u32).is_some() || random.below(64) == 0 {
            break vtype;
        }
    };
    let v = state::Vector::of_type(vtype);
    let max = v.max(vlenb as u32);
    let vl = if random.below(2) == 0 { max } else { random.below(max as usize + 1) as u32 };
    // At most VLMAX - 1 (3.7).
    let start = if random.below(12) == 0 && max > 1 { random.below(max as usize) } else { 0 };
    let vcsr = random.next() & 7;
    record.set(VTYPE_AT, 8, vtype.into());
    record.set(VL_AT, 8, vl.into());
    record.set(VSTART_AT, 8, start as u128);
    record.set(VCSR_AT, 8, vcsr.into());
    let size = 1 << v.sew.max(u32::from(random.below(4) == 0));
    let is_float = random.below(2) == 0;
    for at in (V_AT..record.0.len()).step_by(size) {
        let v = match (size, is_float) {
            (2, true) => values::float(random, 5, 10),
            (4, true) => values::float(random, 8, 23),
            (8, true) => values::float(random, 11, 52),
            _ => values::integer(random, 8 * size as u32),
        };
        record.set(at, size, v.into());
    }
    // Masks of all kinds.
    if random.below(2) == 0 {
        for at in (V_AT..V_AT + vlenb).step_by(16) {
            let mask = u128::from(random.next()) << 64 | u128::from(random.next());
            record.set(at, 16, mask);
        }
    }
}

/// Makes groups of registers legal, mostly; strides and indices small.
fn prepare_vector((table, row): (&Rows, &Row), word: &mut u32, record: &mut Record, random: &mut Random) {
    let v = state::Vector::of_type(record.get(VTYPE_AT, 1) as u32);
    if random.below(8) != 0 {
        let unit = 1 << (v.lmul.max(0) as u32 + u32::from(random.below(2) == 0)).min(3);
        for name in ["d", "m", "n"] {
            if !is_integer(row, *word, name)
                && field(row, name).is_some_and(|f| bits(f) == 5)
                && (name != "n" || get(row, *word, "k").is_none_or(|k| k < 3))
            {
                put(table, row, word, name, unit * random.below(32 / unit as usize) as u32);
            }
        }
    }
    if ["vlse", "vsse"].contains(&row.name)
        && let Some(m) = get(row, *word, "m").filter(|m| *m != 0 && Some(*m) != get(row, *word, "n"))
    {
        let stride = [0, 1, 2, 8, 12, -8i64][random.below(6)];
        record.set(64 + 8 * m as usize, 8, u128::from(stride as u64));
    }
    if ["vlxei", "vsxei"].contains(&row.name)
        && let (Some(m), Some(e)) = (get(row, *word, "m"), get(row, *word, "e"))
    {
        let size = 1 << (e & 3);
        for at in (V_AT + vlenb(record) * m as usize..record.0.len()).step_by(size) {
            record.set(at, size, random.below(128) as u128);
        }
    }
}

/// Guest state as a record has it, fflags left out.
fn state_of(isa: &RvIsa, record: &Record, slot: u64) -> Vec<u8> {
    let mut bytes = vec![0; isa.guest.state.size];
    let mut set = |slot: Slot, v: u64| isa.guest.state.set(&mut bytes, slot, v);
    (1..32).for_each(|n| set(state::x(n), record.get(64 + 8 * n as usize, 8) as u64));
    set(state::x(GP), slot);
    (0..32).for_each(|n| set(state::f(n), record.get(F_AT + 8 * n as usize, 8) as u64));
    set(state::FRM, record.get(FCSR_AT, 8) as u64 >> 5);
    let get = |at| record.get(at, 8) as u64;
    if isa.vlenb == 0 {
        set(state::VTYPE, state::VILL);
        return bytes;
    }
    // VSETVL's part, which has no type for some.
    let legal = state::Vector::of_register(get(VTYPE_AT), vlenb(record) as u32).is_some();
    let (vl, vtype) = if legal { (get(VL_AT), get(VTYPE_AT)) } else { (0, state::VILL) };
    let vector =
        [(state::VSTART, get(VSTART_AT)), (state::VL, vl), (state::VTYPE, vtype), (state::VLENB, vlenb(record) as u64)];
    vector.into_iter().for_each(|(slot, v)| set(slot, v));
    set(state::VXRM, get(VCSR_AT) >> 1);
    set(state::VXSAT, get(VCSR_AT) & 1);
    bytes[state::VECTORS..][..32 * vlenb(record)].copy_from_slice(&record.0[V_AT..]);
    bytes
}

/// Sets a base register so that the access goes where we want it.
fn aim(isa: &RvIsa, row: &Row, word: u32, pc: u64, record: &mut Record, random: &mut Random) {
    let Some(n) = base(row, word).filter(|&n| n != 0) else { return };
    // Atomics at other addresses fault.
    let unit = if is_atomic(row) && random.below(8) != 0 { 16 } else { 1 << random.below(5) };
    let place = (random.below(WINDOW_SIZE as usize) as u64) & !(unit - 1);
    let target = match random.below(24) {
        0 => WINDOW + WINDOW_SIZE - random.below(40) as u64,
        1 => SCRATCH - random.below(40) as u64,
        2..6 => WINDOW + WINDOW_SIZE - 64 + place % 64,
        _ => WINDOW + place % (WINDOW_SIZE - 64),
    };
    isa.set_x(record, n, target);
    let Some(&(addr, _)) = dry(isa, &[padded(word)], pc, record).accesses.first() else { return };
    isa.set_x(record, n, target.wrapping_add(target.wrapping_sub(addr)));
}

/// What the processor has that all rows are for.
fn features(isa: &RvIsa) -> u64 {
    let model = if isa.vlenb > 0 { format!("max,vlen={}", 8 * isa.vlenb) } else { "max".into() };
    arch::Cpu::parse(isa.guest, &model).expect("a model").features
}

/// The record's fflags as the engine has them.
fn sticky_flags(record: &Record) -> u32 {
    use fpflag::{DIV_BY_ZERO, INEXACT, INVALID, OVERFLOW, UNDERFLOW};
    let flags = [INEXACT, UNDERFLOW, OVERFLOW, DIV_BY_ZERO, INVALID];
    let fcsr = record.get(FCSR_AT, 8);
    flags.iter().enumerate().filter(|(bit, _)| fcsr >> bit & 1 != 0).map(|(_, flag)| flag).sum()
}

/// Runs words that begin at `pc`.
fn dry(isa: &RvIsa, words: &[u32], pc: u64, record: &Record) -> Dry {
    let code: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
    static SLOTS: [OnceLock<Vec<(usize, Ty)>>; 2] = [const { OnceLock::new() }; 2];
    let slots = SLOTS[usize::from(isa.is_wide())].get_or_init(|| aim::slots(isa.guest));
    let state = state_of(isa, record, pc & !(SLOT - 1));
    let (features, fp_flags) = (features(isa), sticky_flags(record));
    dry_run(
        isa.guest,
        Start { features, fp_flags, at: pc, code: &code, pc, slots, state, window: &record.0[MEMORY_AT..V_AT] },
    )
}

/// Whether it is a fault-only-first load that would reach beyond the page, at either end: the reference faults in the middle of a segment, too, and we
/// stop before the page's end whatever the mask says. The reference looks at as many elements as there may be.
fn reaches_beyond(row: &Row, record: &Record) -> bool {
    let Some(&word) = record.words().last().filter(|_| row.name == "vle_ff") else { return false };
    let of = |name| u64::from(get(row, word, name).unwrap_or(0));
    let base = record.get(64 + 8 * of("n") as usize, 8) as u64;
    let most = state::Vector::of_type(record.get(VTYPE_AT, 1) as u32).max(vlenb(record) as u32);
    // From the element that vstart names on.
    let started = record.get(VSTART_AT, 8) as u64;
    let size = ((of("f") + 1) * (u64::from(most) + started)) << (of("e") & 3);
    base < SCRATCH || base.saturating_add(size) >= SCRATCH + PAGE
}

/// The case, if it may be run.
fn checked(isa: &RvIsa, record: Record, rows: Vec<usize>, slot: u64) -> Option<Case> {
    let ran = dry(isa, &record.words(), slot + 4, &record);
    // The reference aborts where a vector access reaches beyond a page (probe_access_flags), and where a whole register's begins at vstart.
    let all: Vec<&Row> = rows.iter().map(|r| self::rows(isa)[*r].1).collect();
    let is_beyond = |&(at, size): &(u64, usize)| at < SCRATCH || at + size as u64 > SCRATCH + PAGE;
    let writes_vstart = |&w: &u32| w & 0x7f == 0x73 && w >> 20 == VSTART;
    let is_started = record.get(VSTART_AT, 8) != 0 || record.words().iter().any(writes_vstart);
    let whole = all.iter().any(|r| ["vlr", "vsr"].contains(&r.name)) && is_started;
    // It looks at all of what a fault-only-first load of segments might read, before it looks at vl; a single one is aimed well before the end.
    let first_only = rows.len() > 1 && all.iter().any(|r| r.name == "vle_ff");
    // Where LMUL is less than 1 the reference has no SHA-2, though a group of elements may fit (the manual asks for no more).
    let is_sha2 = all.iter().any(|r| r.name.starts_with("vsha2")) && vlenb(&record) > 16;
    let may_be_less = record.get(VTYPE_AT, 1) & 4 != 0 || all.iter().any(|r| r.name.starts_with("vset"));
    if whole
        || is_sha2 && may_be_less
        || first_only
        || reaches_beyond(all[0], &record)
        || all.iter().any(|r| is_vector(r) && is_memory(r)) && ran.accesses.iter().any(is_beyond)
    {
        return None;
    }
    (ran.safe && !(ran.guessed && rows.len() > 1)).then_some(Case { record, rows })
}

/// The bits of a branch's or jump's immediate as they stand in the word, for a distance.
fn distance(name: &str, d: i64) -> u32 {
    let bit = |from: u32, to: u32| ((d >> from & 1) as u32) << to;
    // Destination of each bit, high ones of the field first.
    let places: &[u32] = match name {
        "jal" => &[20, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 11, 19, 18, 17, 16, 15, 14, 13, 12],
        "c_j" | "c_jal" => &[11, 4, 9, 8, 10, 6, 7, 3, 2, 1, 5],
        "c_beqz" | "c_bnez" => &[8, 4, 3, 7, 6, 2, 1, 5],
        _ => &[12, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 11],
    };
    places.iter().rev().enumerate().fold(0, |v, (at, &place)| v | bit(place, at as u32))
}

/// What a single instruction that is not straight needs.
fn prepare((table, row): (&Rows, &Row), word: &mut u32, pc: u64, record: &mut Record, random: &mut Random) {
    match row.name {
        "ecall" => record.set(64 + 8 * 17, 8, u128::from(100_000 + random.next() % 1_000_000)),
        "jalr" | "c_jr" | "c_jalr" => {
            put(table, row, word, "i", random.below(2) as u32);
            let n = get(row, *word, "n").unwrap_or(0) as usize;
            if n > 0 && random.below(3) != 0 {
                record.set(64 + 8 * n, 8, u128::from(pc + 4));
            }
        }
        "jal" | "c_j" | "c_jal" => {
            // Behind the scratch page there is nothing.
            let away = (SCRATCH + 2 * PAGE + 2 * random.below(64) as u64).wrapping_sub(pc) as i64;
            let d = if row.name == "jal" && random.below(3) == 0 { away } else { 4 };
            put(table, row, word, "i", distance(row.name, d));
        }
        _ if is_branch(row) => put(table, row, word, "i", distance(row.name, 4)),
        _ => {}
    }
}

/// A case of one instruction.
fn single(isa: &RvIsa, index: usize, slot: u64, random: &mut Random) -> Option<Case> {
    let (table, row) = rows(isa)[index];
    let mut word = draw(isa, (table, row), random)?;
    let mut record = random_record(isa, random);
    let mut words = vec![];
    // A store-conditional mostly follows its load-reserved, into x0.
    if row.name == "sc" && random.below(4) != 0 {
        words.push(word & !(0x1f << 27 | 0x1f << 20 | 0x1f << 7) | 2 << 27);
    }
    let pc = slot + 4 + 4 * words.len() as u64;
    if is_vector(row) {
        prepare_vector((table, row), &mut word, &mut record, random);
        if !spares_gp(row, word) {
            return None;
        }
    }
    prepare((table, row), &mut word, pc, &mut record, random);
    aim(isa, row, word, pc, &mut record, random);
    words.push(padded(word));
    record.set_words(&words);
    checked(isa, record, vec![index], slot)
}

/// Makes the instruction use the sequence's registers: bases are not written, sources are what was written last.
fn connect(
    (table, row): (&Rows, &Row),
    word: &mut u32,
    bases: &[u32; 3],
    recent: &[u32; 2],
    random: &mut Random,
) -> bool {
    if is_memory(row) {
        let n = bases[random.below(3)];
        match base_field(row) {
            Some(Base::Field) => put(table, row, word, "n", n),
            // Two of the bases are among x8 to x15.
            Some(Base::Short) => put(table, row, word, "n", bases[1 + random.below(2)] - 8),
            _ => {}
        }
        if let Some(f) = field(row, "i").filter(|f| bits(*f) == 12) {
            let small = random.below(24) as u32;
            let v = if random.below(3) == 0 { small.wrapping_neg() } else { small };
            put(table, row, word, "i", v & ((1 << bits(f)) - 1));
        }
    } else {
        let last = recent[usize::from(row.name.starts_with('f'))];
        for name in ["n", "m", "a"] {
            if !is_vector(row) && random.below(2) == 0 && field(row, name).is_some_and(|f| bits(f) == 5) {
                put(table, row, word, name, last);
            }
        }
    }
    let d = get(row, *word, "d").map(|d| if field(row, "d").is_some_and(|f| bits(f) == 3) { d + 8 } else { d });
    let pair = row.name == "amocas_pair";
    let written = is_integer(row, *word, "d")
        && d.is_some_and(|d| bases.contains(&d) || pair && bases.iter().any(|b| b / 2 == d));
    spares_gp(row, *word) && !written && !(bases.contains(&state::SP) && row.name == "c_addi16sp")
}

/// A case of several instructions with data flowing between them.
fn sequence(isa: &RvIsa, slot: u64, random: &mut Random) -> Option<Case> {
    let mut record = random_record(isa, random);
    let bases = [state::SP, 8 + random.below(4) as u32, 12 + random.below(4) as u32];
    for n in bases {
        let target = WINDOW + if random.below(6) == 0 { 240 } else { 16 * (1 + random.below(11)) as u64 };
        record.set(64 + 8 * n as usize, 8, target.into());
    }
    let length = 3 + random.below(6);
    let (mut words, mut indices, mut recent, mut targets) = (vec![], vec![], [10, 10], vec![]);
    let vectors = isa.vlenb > 16 || random.below(3) == 0 && isa.vlenb > 0;
    let mix = if vectors { [0, 1, 3, 3, 3, 3, 3, 3] } else { [0, 0, 0, 1, 1, 2, 2, 2] };
    while words.len() < length {
        let left = length - words.len() - 1;
        let index = if left > 0 && random.below(8) == 0 {
            rows(isa)
                .iter()
                .position(|(_, r)| r.name == ["beq", "bne", "blt", "bgeu", "c_beqz", "c_bnez"][random.below(6)])?
        } else {
            let group = &groups(isa)[mix[random.below(8)]];
            group[random.below(group.len())]
        };
        let (table, row) = rows(isa)[index];
        let Some(mut word) = draw(isa, (table, row), random) else { continue };
        // What the reference keeps in VXRM beyond its two bits would go on from there.
        if field(row, "c").is_some() && word >> 20 == VXRM {
            continue;
        }
        if is_vector(row) {
            prepare_vector((table, row), &mut word, &mut record, random);
        }
        if is_branch(row) {
            let skipped = random.below(left + 1);
            targets.push(words.len() + 1 + skipped);
            put(table, row, &mut word, "i", distance(row.name, 4 + 4 * skipped as i64));
        }
        if !connect((table, row), &mut word, &bases, &recent, random) {
            continue;
        }
        if let Some(d) = field(row, "d").filter(|f| bits(*f) == 5 && !is_vector(row)).map(|f| f.of(word)) {
            recent[usize::from(row.name.starts_with('f'))] = d;
        }
        // A store-conditional of another size than the reservation's may fail or not: it follows its load, by every way.
        if row.name == "sc" {
            if targets.contains(&(words.len() + 1)) {
                return None;
            }
            words.push(word & !(0x1f << 27 | 0x1f << 20 | 0x1f << 7) | 2 << 27);
        }
        words.push(padded(word));
        indices.push(index);
    }
    if words.len() + 2 <= WORDS && random.below(2) == 0 {
        go_round(&mut words, &mut record, random);
    }
    record.set_words(&words);
    checked(isa, record, indices, slot)
}

/// Lets the words be run some times over. They may read the counter; if they write it, the dry run does not end. What the loop ends with may be a
/// function that it calls.
fn go_round(words: &mut Vec<u32>, record: &mut Record, random: &mut Random) {
    let n = 4 + random.below(28) as u32;
    record.set(64 + 8 * n as usize, 8, 2 + random.below(3) as u128);
    let calls = words.len() > 1 && words.len() + 5 <= WORDS && random.below(3) == 0;
    let function = if calls { words.split_off(1 + random.below(words.len() - 1)) } else { vec![] };
    if calls {
        words.push(jal(1, 16));
    }
    // ADDI n, n, -1; BNE n, x0.
    words.push(0xfff0_0013 | n << 15 | n << 7);
    let back = distance("bne", -4 * words.len() as i64);
    let row = RV.rows().iter().find(|r| r.name == "bne").expect("BNE");
    let mut word = 0x1063 | n << 15;
    put(&RV, row, &mut word, "i", back);
    words.push(word);
    if calls {
        // Behind the function; RET.
        words.push(jal(0, 4 * (function.len() as u32 + 2)));
        words.extend(function);
        words.push(0x0000_8067);
    }
}

/// JAL over so many bytes, fewer than 2 KiB.
fn jal(link: u32, bytes: u32) -> u32 {
    (bytes >> 1) << 21 | link << 7 | 0x6f
}

/// The row and word of a case's instruction at `pc`.
fn row_at(isa: &RvIsa, record: &Record, pc: u64) -> Option<(&'static Row, u32)> {
    let n = (pc % SLOT / 4).checked_sub(1)?;
    let word = *record.words().get(n as usize)?;
    let tables = isa.tables()[usize::from(word & 3 != 3)];
    let word = if word & 3 == 3 { word } else { word & 0xffff };
    Some((tables.iter().find_map(|t| t.rows().get(t.decode(word)?.index))?, word))
}

impl Isa for RvIsa {
    fn name(&self) -> &'static str {
        self.guest.name
    }
    fn vlenb(&self) -> usize {
        self.vlenb
    }
    fn takes(&self, row: usize) -> bool {
        self.vlenb <= 16 || is_vector(rows(self)[row].1)
    }
    fn layout(&self) -> &'static Layout {
        static LAYOUTS: [OnceLock<Layout>; 5] = [const { OnceLock::new() }; 5];
        LAYOUTS[(self.vlenb / 16).checked_ilog2().map_or(4, |n| n as usize)].get_or_init(|| Layout::riscv(self.vlenb))
    }
    fn rows(&self) -> Vec<RowName> {
        rows(self).iter().map(|(_, r)| RowName { section: r.section, name: r.name, line: r.line }).collect()
    }
    fn case(&self, row: Option<usize>, index: usize, random: &mut Random) -> Option<Case> {
        let slot = CODE + SLOT * index as u64;
        match row {
            Some(row) => single(self, row, slot, random),
            None => sequence(self, slot, random),
        }
    }
    fn text(&self, record: &Record, index: usize) -> String {
        let pc = CODE + SLOT * index as u64 + 4;
        let text = |w: &u32, pc| (self.guest.disassemble)(&w.to_le_bytes(), pc, 0).0;
        let line = |(i, w): (usize, &u32)| format!("{w:08x} {}", text(w, pc + 4 * i as u64));
        record.words().iter().enumerate().map(line).collect::<Vec<_>>().join("; ")
    }
    fn read(&self, record: &Record) -> Vec<String> {
        let mut names = vec![];
        for (i, _) in record.words().iter().enumerate() {
            let Some((row, word)) = row_at(self, record, 4 * (i as u64 + 1)) else { continue };
            for f in row.fields.iter().filter(|f| ["d", "n", "m", "a"].contains(&f.name())) {
                let n = f.of(word) + if bits(*f) == 3 { 8 } else { 0 };
                if row.name == "amocas_pair" && f.name() != "n" {
                    names.extend([format!("x{}", 2 * n), format!("x{}", 2 * n + 1)]);
                }
                if is_vector(row) {
                    names.extend(["v0", "vtype", "vl", "vstart", "vcsr"].map(String::from));
                    names.extend((n..n + 2).map(|n| format!("v{n}")));
                }
                names.extend([format!("x{n}"), format!("f{n}")]);
            }
        }
        names.sort();
        names.dedup();
        names
    }
    fn accesses_twice(&self, record: &Record, pc: u64) -> bool {
        row_at(self, record, pc).is_some_and(|(row, _)| row.name == "cbo_zero" || is_vector(row))
    }
    fn stores_exclusively(&self, record: &Record, pc: u64) -> bool {
        // All atomics: the reference does misaligned ones, which are SIGBUS on Linux.
        row_at(self, record, pc).is_some_and(|(row, _)| is_atomic(row))
    }
    fn maintains_cache(&self, record: &Record, pc: u64) -> bool {
        row_at(self, record, pc).is_some_and(|(row, _)| row.name.starts_with("cbo_"))
    }
    fn loaded(&self, record: &Record, pc: u64) -> Vec<String> {
        // How far a vector access came, and vstart with it.
        let is_vector = row_at(self, record, pc).is_some_and(|(row, _)| is_vector(row));
        let names = self.layout().parts.iter().map(|p| p.name.clone()).filter(|name| name.starts_with('v'));
        if is_vector { names.filter(|name| !["vcsr", "vtype"].contains(&&**name)).collect() } else { vec![] }
    }
}
