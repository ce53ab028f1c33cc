//! Random cases of A64.

use std::sync::OnceLock;

use aarch64::{A64, AARCH64, state};
use decode::{Field, Random};
use ir::{Slot, Ty};

use super::aim::{self, Dry, Start, dry_run};
use super::isa::{Case, Isa, RowName};
use super::known;
use super::record::{CODE, Layout, Record, SCRATCH, SLOT, WINDOW, WINDOW_SIZE, WORDS};
use super::{signed, values};

pub(super) type Row = decode::Row<fn(&mut aarch64::Cx<'_>, u32)>;

/// See [`Isa`].
#[derive(Debug)]
pub(crate) struct A64Isa;

/// NZCV as the register has it, and as the slot has it.
const NZCV: [(u32, u32); 4] = [(31, 15), (30, 14), (29, 8), (28, 0)];

/// System registers that are drawn (o0:op1:CRn:CRm:op2 of MRS and MSR): NZCV, FPCR, FPSR, TPIDR_EL0, DIT, SSBS.
const SYSTEM_REGISTERS: [u32; 6] = [0x5a10, 0x5a20, 0x5a21, 0x5e82, 0x5a15, 0x5a16];

/// Fields that name registers which an instruction may write.
const WRITTEN: [&str; 4] = ["d", "t", "u", "s"];

/// Groups of rows, so that a sequence is not all SIMD: integer, memory, SIMD and floating point; and once more what the flags flow
/// through, and plain integer loads and stores.
fn groups() -> &'static [Vec<usize>; 5] {
    static GROUPS: OnceLock<[Vec<usize>; 5]> = OnceLock::new();
    GROUPS.get_or_init(|| {
        let first_simd = A64.rows().iter().position(|r| r.name == "fmov_reg").unwrap_or(A64.rows().len());
        let mut groups = [const { vec![] }; 5];
        for row in A64.rows() {
            if is_control(row) || signed::is_signed(row) || known::cpu("a64", row.name).is_some() {
                continue;
            }
            let group = if is_memory(row) { 1 } else { 2 * usize::from(row.index >= first_simd) };
            groups[group].push(row.index);
            if group == 0 && FLAGS.iter().any(|start| row.name.starts_with(start)) {
                groups[3].push(row.index);
            }
            let plain = ["ldr", "ldp", "str", "stp"].iter().any(|start| row.name.starts_with(start));
            if plain && !row.name.contains("_v") {
                groups[4].push(row.index);
            }
        }
        groups
    })
}

/// How the names of rows begin that set or read the flags.
const FLAGS: [&str; 12] =
    ["add_", "sub_", "ands_", "adc", "sbc", "ccm", "csel", "csin", "csneg", "rmif", "setf", "cfinv"];

/// Whether the row leaves the straight line, or is a case of its own for another reason.
fn is_control(row: &Row) -> bool {
    #[rustfmt::skip]
    const NAMES: [&str; 19] = [
        "b", "b_cond", "bl", "br", "blr", "ret", "cbz", "cbnz", "tbz", "tbnz", "svc", "brk", "hlt",
        "udf", "wfe", "wfi", "yield_", "msr",
        // After one that only faults here the rest would not be compared.
        "dc_clean",
    ];
    NAMES.contains(&row.name)
}

fn is_memory(row: &Row) -> bool {
    ["ld", "st", "cas", "swp", "prf"].iter().any(|start| row.name.starts_with(start)) || row.name.starts_with("dc_")
}

fn is_structure(row: &Row) -> bool {
    ["_multi", "_lane", "_rep"].iter().any(|end| row.name.ends_with(end))
}

fn field(row: &Row, name: &str) -> Option<Field> {
    row.fields.iter().find(|f| f.name() == name && !f.parts().is_empty()).copied()
}

pub(super) fn get(row: &Row, word: u32, name: &str) -> Option<u32> {
    row.fields.iter().find(|f| f.name() == name).map(|f| f.of(word))
}

/// Sets a field if the word stays one of the row's.
fn put(row: &Row, word: &mut u32, name: &str, v: u32) {
    let Some(f) = field(row, name) else { return };
    let new = f.put(*word, v);
    if row.pattern.matches(new) && A64.decode(new).is_some_and(|r| r.index == row.index) {
        *word = new;
    }
}

/// Whether the manual says what the word does (what is CONSTRAINED UNPREDICTABLE is not compared).
fn is_predictable(row: &Row, word: u32) -> bool {
    let of = |name: &str| get(row, word, name);
    if !is_memory(row) {
        return true;
    }
    let (n, vector) = (of("n"), row.name.contains("_v") || is_structure(row));
    let writes_back = of("p").is_some_and(|p| p & 1 == 1) && !row.name.starts_with("ldra");
    let onto_base = !vector && n != Some(31) && (of("t") == n || of("u") == n);
    let same_pair = of("u").is_some() && of("t") == of("u") && row.name.starts_with("ld");
    let onto_status = row.name.starts_with("stx") && [of("t"), of("u"), n].contains(&of("s"));
    !(writes_back && onto_base || same_pair || onto_status)
}

/// An instruction of the row that may be run.
fn draw(row: &Row, random: &mut Random) -> Option<u32> {
    (0..50).find_map(|_| {
        let mut word = A64.random(row, random)?;
        if ["msr", "mrs"].contains(&row.name) && random.below(8) != 0 {
            put(row, &mut word, "r", SYSTEM_REGISTERS[random.below(6)] & 0x7fff);
        }
        if row.name == "clrex" || row.name == "dsb" || row.name == "dmb" {
            put(row, &mut word, "i", 15);
        }
        (is_predictable(row, word) && known::encoding("a64", row.name, word).is_none()).then_some(word)
    })
}

/// A record with random state.
fn random_record(random: &mut Random) -> Record {
    let mut record = Record(vec![0; A64Isa.layout().size]);
    for n in 0..31 {
        let v = match random.below(10) {
            0 => WINDOW + random.below(WINDOW_SIZE as usize) as u64,
            1 if n > 0 => record.get(64 + 8 * random.below(n), 8) as u64,
            _ => values::integer(random, 64),
        };
        record.set(64 + 8 * n, 8, v.into());
    }
    record.set(312, 8, u128::from(WINDOW + 16 * random.below(16) as u64));
    record.set(320, 8, u128::from(random.next() & 0xf000_0000));
    if random.below(4) == 0 {
        record.set(328, 8, u128::from(random.next() as u32 & state::FPCR_BITS));
    }
    if random.below(4) == 0 {
        record.set(336, 8, u128::from(random.next() & 0x0800_009f));
    }
    let mut vectors = [0; 32];
    values::vectors(random, &mut vectors);
    vectors.iter().enumerate().for_each(|(n, &v)| record.set(368 + 16 * n, 16, v));
    values::memory(random, &vectors, &mut record.0[880..1136]);
    record
}

/// Guest state as a record has it, FPSR left out.
pub(crate) fn state_of(record: &Record) -> Vec<u8> {
    let mut bytes = vec![0; AARCH64.state.size];
    let mut set = |slot: Slot, v: u128| {
        let info = &AARCH64.state.slots[usize::from(slot.0)];
        bytes[usize::from(info.offset)..][..info.ty.bytes()].copy_from_slice(&v.to_le_bytes()[..info.ty.bytes()]);
    };
    (0..32).for_each(|n| set(state::x(n), record.get(64 + 8 * n as usize, 8)));
    (0..32).for_each(|n| set(state::v(n), record.get(368 + 16 * n as usize, 16)));
    let nzcv = record.get(320, 8);
    set(state::NZCV, NZCV.iter().fold(0, |out, &(from, to)| out | (nzcv >> from & 1) << to));
    set(state::FPCR, record.get(328, 8));
    // The runner has it carry x30 (`aarch64.S`).
    set(state::TPIDR_EL0, record.get(64 + 8 * 30, 8));
    bytes
}

/// Sets a base register so that the access goes where we want it.
fn aim(row: &Row, word: u32, pc: u64, record: &mut Record, random: &mut Random) {
    let Some(n) = get(row, word, "n").or(get(row, word, "t").filter(|_| row.name.starts_with("dc_"))) else { return };
    let at = 64 + 8 * n as usize;
    if n == 31 && row.name.starts_with("dc_") {
        return;
    }
    // An index that is not enormous now and then.
    if let Some(m) = get(row, word, "m").filter(|&m| m != 31 && m != n && random.below(2) == 0) {
        let small = (random.below(200) as i64 - 100) as u128;
        record.set(64 + 8 * m as usize, 8, small & u128::from(u64::MAX));
    }
    // The stack pointer must be aligned, or the access faults.
    let unit = if random.below(2) == 0 || n == 31 { 16 } else { 1 << random.below(5) };
    let place = (random.below(WINDOW_SIZE as usize) as u64) & !(unit - 1);
    let target = match random.below(24) {
        0 => WINDOW + WINDOW_SIZE - random.below(40) as u64,
        1 => SCRATCH - random.below(40) as u64,
        2..6 => WINDOW + WINDOW_SIZE - 64 + place % 64,
        _ => WINDOW + place % (WINDOW_SIZE - 64),
    };
    record.set(at, 8, target.into());
    let Some(&(addr, _)) = dry(&[word], pc, record).accesses.first() else { return };
    let base = target.wrapping_add(target.wrapping_sub(addr));
    if n != 31 || base % 16 == 0 || random.below(16) == 0 {
        record.set(at, 8, base.into());
    }
}

/// Runs words that begin at `pc`.
fn dry(words: &[u32], pc: u64, record: &Record) -> Dry {
    let code: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
    static SLOTS: OnceLock<Vec<(usize, Ty)>> = OnceLock::new();
    let slots = SLOTS.get_or_init(|| aim::slots(&AARCH64));
    dry_run(
        &AARCH64,
        Start {
            fp_flags: 0,
            at: pc,
            code: &code,
            pc,
            slots,
            state: state_of(record),
            features: AARCH64.cpus[0].features,
            window: &record.0[880..],
        },
    )
}

/// The case, if it may be run.
fn checked(record: Record, rows: Vec<usize>, slot: u64) -> Option<Case> {
    let ran = dry(&record.words(), slot + 4, &record);
    // What another slot holds may become an address in a sequence.
    (ran.safe && !(ran.guessed && rows.len() > 1)).then_some(Case { record, rows })
}

/// A distance in words for a branch of a single instruction at `pc`: to the end of the case, or anywhere that is not mapped.
fn set_target(row: &Row, word: &mut u32, pc: u64, random: &mut Random) {
    let Some(f) = field(row, "i") else { return };
    let bits: u32 = f.parts().iter().map(|p| u32::from(p.1)).sum();
    let distance = match random.below(4) {
        // Behind the batch's code, before or behind the scratch page.
        0 if bits >= 19 => (SCRATCH + PAGE_TOUCH + 4 * random.below(64) as u64).wrapping_sub(pc) as i64 / 4,
        _ => 1,
    };
    put(row, word, "i", distance as u32 & (u32::MAX >> (32 - bits)));
}

/// Two pages behind the scratch page: nothing is there.
const PAGE_TOUCH: u64 = 0x2000;

/// What a single instruction that is not straight needs.
fn prepare(row: &Row, word: &mut u32, pc: u64, record: &mut Record, random: &mut Random) {
    match row.name {
        "svc" => record.set(64 + 64, 8, u128::from(100_000 + random.next() % 1_000_000)),
        // Other bits are of features that the reference has more.
        "msr" => {
            let t = get(row, *word, "t").unwrap_or(31) as usize;
            if t < 31 {
                let v = record.get(64 + 8 * t, 8) & u128::from(state::FPCR_BITS | 0x0800_009f | 0xf000_0000);
                record.set(64 + 8 * t, 8, v);
            }
        }
        "br" | "blr" | "ret" => {
            let n = get(row, *word, "n").unwrap_or(31) as usize;
            if n < 31 && random.below(3) != 0 {
                record.set(64 + 8 * n, 8, u128::from(pc + 4));
            }
        }
        "b" | "bl" | "b_cond" | "cbz" | "cbnz" | "tbz" | "tbnz" => set_target(row, word, pc, random),
        name if name.ends_with("_lit") => {
            let target = if random.below(2) == 0 { WINDOW + 4 * random.below(62) as u64 } else { pc & !(SLOT - 1) };
            put(row, word, "i", (target.wrapping_sub(pc) as i64 / 4) as u32 & 0x7_ffff);
        }
        _ => {}
    }
}

/// A case of one instruction.
fn single(row: &Row, slot: u64, random: &mut Random) -> Option<Case> {
    let mut word = draw(row, random)?;
    let mut record = random_record(random);
    if signed::is_signed(row) {
        let words = signed::words(row, word, slot, &mut record, random)?;
        record.set_words(&words);
        return checked(record, vec![row.index], slot);
    }
    let mut words = vec![];
    // A store-exclusive mostly follows its load-exclusive: LDXR or LDXP of XZR, of the same size and address.
    if row.name.starts_with("stx") && random.below(4) != 0 {
        let load = word | 1 << 22 | 31 << 16 | 31;
        let pair = row.name == "stxp" && get(row, word, "n") != Some(30);
        words.push(if pair { load & !(31 << 10) | 30 << 10 } else { load });
        if row.name == "stxp" && !pair {
            words.clear();
        }
    }
    let pc = slot + 4 + 4 * words.len() as u64;
    prepare(row, &mut word, pc, &mut record, random);
    if is_memory(row) && !row.name.ends_with("_lit") {
        aim(row, word, pc, &mut record, random);
    }
    words.push(word);
    record.set_words(&words);
    checked(record, vec![row.index], slot)
}

/// A sequence's memory: registers that hold addresses and small numbers, and are not written; and if it is a dense one, the few others
/// that all its integer instructions use.
struct Reserved {
    bases: [u32; 3],
    indices: [u32; 2],
    few: Option<[u32; 4]>,
}

impl Reserved {
    fn has(&self, n: u32) -> bool {
        self.bases.contains(&n) || self.indices.contains(&n)
    }
}

/// Makes the instruction use the sequence's registers.
fn connect(row: &Row, word: &mut u32, reserved: &Reserved, recent: &[u32], random: &mut Random) -> bool {
    if is_memory(row) {
        let base = if random.below(12) == 0 { 31 } else { reserved.bases[random.below(3)] };
        put(row, word, if row.name.starts_with("dc_") { "t" } else { "n" }, base);
        put(row, word, "m", reserved.indices[random.below(2)]);
        if let Some(f) = field(row, "i").filter(|_| random.below(12) != 0 && !row.name.ends_with("_lit")) {
            let bits: u32 = f.parts().iter().map(|p| u32::from(p.1)).sum();
            if bits >= 7 {
                let signed = bits != 12 && random.below(3) == 0;
                let small = random.below(16) as u32;
                put(row, word, "i", if signed { small.wrapping_neg() } else { small } & ((1 << bits) - 1));
            }
        }
    } else {
        for name in ["n", "m", "a"] {
            if !recent.is_empty() && random.below(2) == 0 {
                put(row, word, name, recent[random.below(recent.len())]);
            }
        }
        if !recent.is_empty() && random.below(4) == 0 {
            put(row, word, "d", recent[random.below(recent.len())]);
        }
    }
    for name in ["d", "n", "m", "a", "t", "u"] {
        if let Some(few) = reserved.few.filter(|_| !(is_memory(row) && ["n", "m"].contains(&name))) {
            put(row, word, name, few[random.below(4)]);
        }
    }
    let written = |name: &&&str| get(row, *word, name).is_some_and(|r| reserved.has(r)) && !row.name.starts_with("dc_");
    !WRITTEN.iter().any(|name| written(&name)) && is_predictable(row, *word)
}

/// A branch over some of the next words; its row, and over how many.
fn skip(left: usize, random: &mut Random) -> (u32, usize, usize) {
    let names = ["b_cond", "cbz", "cbnz", "tbz", "tbnz", "b_cond", "b_cond", "b"];
    let name = names[random.below(names.len())];
    let row = A64.rows().iter().find(|r| r.name == name).expect("a branch");
    let mut word = A64.random(row, random).expect("a branch");
    let skipped = random.below(left + 1);
    put(row, &mut word, "i", 1 + skipped as u32);
    (word, row.index, skipped)
}

/// A case of several instructions with data flowing between them.
fn sequence(slot: u64, random: &mut Random) -> Option<Case> {
    let mut record = random_record(random);
    let mut pick: Vec<u32> = (0..31).collect();
    for i in 0..9 {
        pick.swap(i, i + random.below(31 - i));
    }
    let few = (random.below(3) == 0).then_some([pick[5], pick[6], pick[7], pick[8]]);
    let reserved = Reserved { bases: [pick[0], pick[1], pick[2]], indices: [pick[3], pick[4]], few };
    // What the instructions are of (see `groups`).
    let mix = if few.is_some() { [3, 3, 3, 3, 3, 3, 4, 4, 4, 0] } else { [0, 0, 0, 1, 1, 1, 2, 2, 3, 3] };
    for n in reserved.bases {
        let target = WINDOW + if random.below(6) == 0 { 240 } else { 16 * random.below(12) as u64 };
        record.set(64 + 8 * n as usize, 8, target.into());
    }
    for n in reserved.indices {
        record.set(64 + 8 * n as usize, 8, u128::from(random.below(16) as u32));
    }
    let length = 3 + random.below(6);
    let (mut words, mut rows, mut recent, mut targets) = (vec![], vec![], vec![], vec![]);
    while words.len() < length {
        let left = length - words.len() - 1;
        if left > 0 && random.below(8) == 0 {
            let (word, row, skipped) = skip(left, random);
            words.push(word);
            targets.push(words.len() + skipped);
            rows.push(row);
            continue;
        }
        let group = &groups()[mix[random.below(10)]];
        let row = &A64.rows()[group[random.below(group.len())]];
        let Some(mut word) = draw(row, random) else { continue };
        prepare(row, &mut word, slot + 4 + 4 * words.len() as u64, &mut record, random);
        if !connect(row, &mut word, &reserved, &recent, random) || known::encoding("a64", row.name, word).is_some() {
            continue;
        }
        recent.extend(get(row, word, "d"));
        // A store-exclusive of another size than the monitor's is UNPREDICTABLE: it follows its load, by every way.
        if row.name.starts_with("stx") {
            if targets.contains(&(words.len() + 1)) {
                return None;
            }
            let load = word | 1 << 22 | 31 << 16 | 31;
            match row.name {
                "stxr" => words.push(load),
                _ => words.push(load & !(31 << 10) | if reserved.has(30) { 29 } else { 30 } << 10),
            }
            if reserved.has(29) && reserved.has(30) {
                return None;
            }
        }
        words.push(word);
        rows.push(row.index);
    }
    if words.len() + 2 <= WORDS && random.below(2) == 0 {
        go_round(&mut words, &mut record, random);
    }
    record.set_words(&words);
    checked(record, rows, slot)
}

/// Lets the words be run some times over, by a counter that sets the flags or not. They may read it; if they write it, the dry run does not end.
/// What the loop ends with may be a function that it calls.
fn go_round(words: &mut Vec<u32>, record: &mut Record, random: &mut Random) {
    let (n, keep) = (random.below(31) as u32, random.below(2) == 0);
    record.set(64 + 8 * n as usize, 8, 2 + random.below(3) as u128);
    let calls = words.len() > 1 && words.len() + 5 <= WORDS && random.below(3) == 0;
    let function = if calls { words.split_off(1 + random.below(words.len() - 1)) } else { vec![] };
    if calls {
        // BL
        words.push(0x9400_0004);
    }
    // SUB or SUBS, CBNZ or B.NE.
    words.push(if keep { 0xd100_0400 } else { 0xf100_0400 } | n << 5 | n);
    let back = (words.len() as u32).wrapping_neg() & 0x7_ffff;
    words.push(if keep { 0xb500_0000 | n } else { 0x5400_0001 } | back << 5);
    if calls {
        // B behind the function, RET.
        words.push(0x1400_0000 | (function.len() as u32 + 2));
        words.extend(function);
        words.push(0xd65f_03c0);
    }
}

impl Isa for A64Isa {
    fn name(&self) -> &'static str {
        "aarch64"
    }
    fn layout(&self) -> &'static Layout {
        static LAYOUT: OnceLock<Layout> = OnceLock::new();
        LAYOUT.get_or_init(Layout::aarch64)
    }
    fn rows(&self) -> Vec<RowName> {
        A64.rows().iter().map(|r| RowName { section: r.section, name: r.name, line: r.line }).collect()
    }
    fn case(&self, row: Option<usize>, index: usize, random: &mut Random) -> Option<Case> {
        let slot = CODE + SLOT * index as u64;
        match row {
            Some(row) => single(&A64.rows()[row], slot, random),
            None => sequence(slot, random),
        }
    }
    fn text(&self, record: &Record, index: usize) -> String {
        let pc = CODE + SLOT * index as u64 + 4;
        let line = |(i, w): (usize, &u32)| format!("{w:08x} {}", A64.disassemble(*w, pc + 4 * i as u64));
        record.words().iter().enumerate().map(line).collect::<Vec<_>>().join("; ")
    }
    fn read(&self, record: &Record) -> Vec<String> {
        let mut names = vec![];
        for word in record.words() {
            let Some(row) = A64.decode(word) else { continue };
            for f in row.fields.iter().filter(|f| ["d", "n", "m", "a", "t", "u", "s"].contains(&f.name())) {
                let n = f.of(word);
                let general = if n == 31 { String::from("sp") } else { format!("x{n}") };
                names.extend(
                    [general, format!("v{n}")].into_iter().filter(|name| !names.contains(name)).collect::<Vec<_>>(),
                );
            }
        }
        names
    }
    fn accesses_twice(&self, record: &Record, pc: u64) -> bool {
        let name = |row: &Row| row.name.starts_with("stp") || row.name.starts_with("ldp") || row.name == "dc_zva";
        row_at(record, pc).is_some_and(|(row, _)| is_structure(row) || name(row))
    }
    fn stores_exclusively(&self, record: &Record, pc: u64) -> bool {
        row_at(record, pc).is_some_and(|(row, _)| row.name.starts_with("stx"))
    }
    fn maintains_cache(&self, record: &Record, pc: u64) -> bool {
        row_at(record, pc).is_some_and(|(row, _)| row.name == "dc_clean")
    }
    fn loaded(&self, record: &Record, pc: u64) -> Vec<String> {
        // Vector registers up to four from t on, or the two of a pair.
        match row_at(record, pc) {
            Some((row, word)) if is_structure(row) && row.name.starts_with("ld") => {
                let t = get(row, word, "t").unwrap_or(0);
                (0..4).map(|i| format!("v{}", (t + i) % 32)).collect()
            }
            Some((row, word)) if row.name.starts_with("ldp") => {
                let both = ["t", "u"].map(|name| get(row, word, name).unwrap_or(0));
                both.iter()
                    .flat_map(
                        |n| if *n == 31 { vec![String::from("v31")] } else { vec![format!("x{n}"), format!("v{n}")] },
                    )
                    .collect()
            }
            _ => vec![],
        }
    }
}

/// The row and word of a case's instruction at `pc`.
fn row_at(record: &Record, pc: u64) -> Option<(&'static Row, u32)> {
    let n = (pc % SLOT / 4).checked_sub(1)?;
    let word = *record.words().get(n as usize)?;
    Some((&A64.rows()[A64.decode(word)?.index], word))
}
