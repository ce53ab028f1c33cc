//! Random cases of A32 and T32.

use std::sync::OnceLock;

use arm::{A32, ARM, CP, NEON, T16, T32, state};
use decode::{Field, Random, Table};
use ir::Ty;

use super::aim::{self, Dry, Start, dry_run};
use super::isa::{Case, Isa, RowName};
use super::known;
use super::record::{CODE, Layout, Record, SCRATCH, SLOT, WINDOW, WINDOW_SIZE};
use super::values;

type Translate = fn(&mut arm::Cx<'_>, u32);
type Row = decode::Row<Translate>;

/// See [`Isa`].
#[derive(Debug)]
pub(crate) struct ArmIsa;

/// How a table's words are written as instructions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Form {
    /// A word; conditions are put in.
    A32,
    /// A halfword.
    T16,
    /// Two halfwords, the first one first.
    T32,
}

/// Sections of [`Isa::rows`], in this order.
fn sections() -> [(&'static str, Form, &'static Table<Translate>); 7] {
    [
        ("a32", Form::A32, &A32),
        ("a32-cp", Form::A32, &CP),
        ("a32-neon", Form::A32, &NEON),
        ("t16", Form::T16, &T16),
        ("t32", Form::T32, &T32),
        ("t32-cp", Form::T32, &CP),
        ("t32-neon", Form::T32, &NEON),
    ]
}

/// A row with its section.
#[derive(Clone, Copy, Debug)]
struct Entry {
    section: &'static str,
    form: Form,
    table: &'static Table<Translate>,
    row: &'static Row,
    /// Its place in [`entries`].
    index: usize,
}

fn entries() -> &'static [Entry] {
    static ENTRIES: OnceLock<Vec<Entry>> = OnceLock::new();
    ENTRIES.get_or_init(|| {
        let of = |(section, form, table): (_, _, &'static Table<Translate>)| {
            table.rows().iter().map(move |row| Entry { section, form, table, row, index: 0 })
        };
        let all = sections().into_iter().flat_map(of).enumerate();
        all.map(|(index, e)| Entry { index, ..e }).collect()
    })
}

/// Rows for sequences: of each instruction set integer, memory, SIMD and floating point; and once more what the flags
/// flow through, and plain integer loads and stores.
fn groups(thumb: bool) -> &'static [Vec<usize>; 5] {
    static GROUPS: OnceLock<[[Vec<usize>; 5]; 2]> = OnceLock::new();
    let all = GROUPS.get_or_init(|| {
        let mut groups = [const { [const { vec![] }; 5] }; 2];
        for e in entries() {
            if is_control(e.row) {
                continue;
            }
            let simd = e.section.contains('-');
            let group = if is_memory(e.row) { 1 } else { 2 * usize::from(simd) };
            groups[usize::from(e.form != Form::A32)][group].push(e.index);
            if ["ld_", "st_", "ldm", "stm", "ldrd", "strd"].iter().any(|start| e.row.name.starts_with(start)) {
                groups[usize::from(e.form != Form::A32)][4].push(e.index);
            }
            if ["dp_", "sel", "par"].iter().any(|start| e.row.name.starts_with(start)) {
                groups[usize::from(e.form != Form::A32)][3].push(e.index);
            }
        }
        groups
    });
    &all[usize::from(thumb)]
}

fn is_control(row: &Row) -> bool {
    #[rustfmt::skip]
    const NAMES: [&str; 24] = [
        "b", "bl", "blx", "bx", "blx_reg", "svc", "bkpt", "udf", "setend", "cps", "it", "cbz", "b_cond8", "b11", "b_cond20", "b24", "bl24",
        "blx24", "tbb", "msr", "msr_imm", "vmsr", "hint", "mcr",
    ];
    NAMES.contains(&row.name)
}

fn is_memory(row: &Row) -> bool {
    let starts = ["ld", "st", "swp", "push", "pop", "vld", "vst", "tbb", "pld"];
    starts.iter().any(|start| row.name.starts_with(start))
}

fn field(row: &Row, name: &str) -> Option<Field> {
    row.fields.iter().find(|f| f.name() == name && !f.parts().is_empty()).copied()
}

fn get(row: &Row, word: u32, name: &str) -> Option<u32> {
    row.fields.iter().find(|f| f.name() == name).map(|f| f.of(word))
}

/// Sets a field if the word stays one of the row's.
fn put(e: &Entry, word: &mut u32, name: &str, v: u32) {
    let Some(f) = field(e.row, name) else { return };
    let new = f.put(*word, v);
    if e.row.pattern.matches(new) && e.table.decode(new).is_some_and(|r| r.index == e.row.index) {
        *word = new;
    }
}

/// Letters of fields that are general registers.
fn registers(e: &Entry) -> &'static [&'static str] {
    match e.row.name {
        "mcr" | "mrc" | "vmov_s" | "vmov_to" | "vmov_from" | "vdup_r" | "vmrs" | "vmsr" => &["t"],
        "vmov_pair" => &["t", "x"],
        name if e.section.contains('-') => match name.as_bytes() {
            [b'v', b'l', b'd', ..] | [b'v', b's', b't', ..] => &["n", "m"],
            _ => &[],
        },
        "umaal" | "umull" | "umlal" | "smull" | "smlal" | "smlalxy" | "smlald" => &["h", "l", "m", "n"],
        "dp_rsr" => &["d", "n", "m", "s"],
        "movw" | "movt" => &["d"],
        "msr" => &["n"],
        _ => &["d", "n", "m", "a", "t", "x"],
    }
}

/// Registers that the instruction may write, in part.
fn writes(e: &Entry, word: u32) -> u32 {
    let bit = |name: &str| get(e.row, word, name).map_or(0, |n| 1u32.checked_shl(n).unwrap_or(0));
    let named = registers(e).iter().filter(|n| ["d", "t", "x", "h", "l"].contains(n)).fold(0, |all, n| all | bit(n));
    let next = if e.row.name.starts_with("ldr") && e.row.name.contains('d') { bit("t") << 1 } else { 0 };
    let list = if ["ldm", "pop"].contains(&e.row.name) { get(e.row, word, "r").unwrap_or(0) } else { 0 };
    let pop = if e.row.name == "pop" { get(e.row, word, "h").unwrap_or(0) << 15 } else { 0 };
    named | next | list | pop
}

/// The highest register that an element or structure load or store may have.
fn last_register(e: &Entry, word: u32) -> u32 {
    let of = |name: &str| get(e.row, word, name).unwrap_or(0);
    let more = match (e.row.name, of("t")) {
        ("vld_multiple" | "vst_multiple", kind) => match kind {
            7 => 0,
            8 | 10 => 1,
            4 | 6 | 9 => 2,
            0 | 2 | 3 => 3,
            5 => 4,
            _ => 6,
        },
        ("vld_all", t) => of("k").max(1) * (t + 1),
        _ => 2 * of("k"),
    };
    of("d") + more
}

/// Whether the manual says what the instruction does, and a case may have it.
fn is_predictable(e: &Entry, word: u32) -> bool {
    let of = |name: &str| get(e.row, word, name);
    // A store into the code.
    let stores = ["st", "push", "vst"].iter().any(|s| e.row.name.starts_with(s));
    if stores && of("n") == Some(15) {
        return false;
    }
    // What follows is UNPREDICTABLE: a base that is written back and loaded or stored, lists with the stack pointer or a lone register
    // in T32, a pair of one register, a bit field that ends beyond the register, a negative number of fraction bits.
    let n = of("n");
    let writes_back = of("w") == Some(1) || of("p") == Some(0);
    let list = of("r").unwrap_or(0);
    let thumb = e.form == Form::T32;
    if is_memory(e.row) && n == Some(15) && writes_back {
        return false;
    }
    match e.row.name {
        "ldrd_imm" | "ldrd_reg" | "strd_imm" | "strd_reg" if writes_back => {
            let t = of("t").unwrap_or(0);
            let second = if e.form == Form::A32 { t + 1 } else { of("x").unwrap_or(0) };
            if n == Some(t) || n == Some(second) || of("m").is_some_and(|m| Some(m) == n || m == t || m == second) {
                return false;
            }
        }
        "ld_imm" | "ld_reg" | "st_imm" | "st_reg" if writes_back && (n == of("t") || n.is_some() && n == of("m")) => {
            return false;
        }
        "ldm" | "stm" => {
            let base_in_list = of("w") == Some(1) && n.is_some_and(|n| list >> n & 1 == 1);
            let both = list >> 14 & 3 == 3
                || list >> 13 & 1 == 1
                || e.row.name == "stm" && list >> 15 & 1 == 1
                || list.count_ones() < 2;
            if base_in_list || thumb && both {
                return false;
            }
        }
        // An exception return, which user mode has not.
        "dp_imm" | "dp_reg" | "dp_rsr" if of("d") == Some(15) && of("f") == Some(1) && e.form == Form::A32 => {
            return word >> 23 & 3 == 2;
        }
        // The status is none of the other registers.
        "strex" | "strexd" => {
            let (d, t) = (of("d"), of("t").unwrap_or(0));
            let pair = if e.form == Form::A32 { Some(t + 1) } else { of("x") };
            if d == n || d == Some(t) || e.row.name == "strexd" && d == pair {
                return false;
            }
        }
        "bfi" if of("w") < of("i") => return false,
        "ssat" | "usat" if thumb && of("h") == Some(1) && of("i") == Some(0) => return false,
        "vmov_pair" if of("o") == Some(1) && of("t") == of("x") => return false,
        // S31 and the next.
        "vmov_pair" if word >> 8 & 1 == 0 && word & 0x2f == 0x2f => return false,
        "vtrn" | "vuzp" | "vzip" if of("d") == of("m") => return false,
        name if name.starts_with("vld_") || name.starts_with("vst_") => {
            return last_register(e, word) < 32 && n != Some(15);
        }
        "sbfx" | "ubfx" if of("i").unwrap_or(0) + of("w").unwrap_or(0) > 31 => return false,
        "vcvt_fixed" => {
            let bits = if of("x") == Some(1) { 32 } else { 16 };
            if ((word & 15) << 1 | word >> 5 & 1) > bits {
                return false;
            }
        }
        _ => {}
    }
    known::encoding(e.section, e.row.name, word).is_none()
}

/// An instruction of the row that may be run.
fn draw(e: &Entry, random: &mut Random) -> Option<u32> {
    (0..50).find_map(|_| {
        let mut word = e.table.random(e.row, random)?;
        // The program counter and the stack pointer come up often enough by themselves; mostly other registers.
        for name in registers(e) {
            if get(e.row, word, name).is_some_and(|n| n >= 13) && random.below(4) != 0 {
                put(e, &mut word, name, random.below(13) as u32);
            }
        }
        // What is undefined is soon tested.
        (is_predictable(e, word) && (!is_undefined(e, word) || random.below(16) == 0)).then_some(word)
    })
}

fn is_undefined(e: &Entry, word: u32) -> bool {
    let mut record = Record(vec![0; ArmIsa.layout().size]);
    record.set(124, 4, if e.form == Form::A32 { 0x10 } else { 0x10 | THUMB });
    let mut text = Text::default();
    text.insn(e, word, 14);
    dry(&text.bytes, CODE, &record).undefined()
}

/// Code as it is written.
#[derive(Debug, Default)]
struct Text {
    bytes: Vec<u8>,
}

impl Text {
    fn half(&mut self, h: u32) {
        self.bytes.extend(&(h as u16).to_le_bytes());
    }
    fn word(&mut self, w: u32) {
        self.bytes.extend(&w.to_le_bytes());
    }
    /// An instruction in its form, with a condition if it can have one.
    fn insn(&mut self, e: &Entry, word: u32, condition: u32) {
        match e.form {
            Form::A32 if word >> 28 == 14 => self.word(word & 0x0fff_ffff | condition << 28),
            Form::A32 => self.word(word),
            Form::T16 => self.half(word),
            Form::T32 => {
                let word = match word >> 24 {
                    _ if e.section != "t32-neon" => word,
                    0xf4 => word & 0x00ff_ffff | 0xf900_0000,
                    top => word & 0x00ff_ffff | 0xef00_0000 | (top & 1) << 28,
                };
                self.half(word >> 16);
                self.half(word);
            }
        }
    }
    fn words(&self, thumb: bool) -> Vec<u32> {
        let mut bytes = self.bytes.clone();
        if !bytes.len().is_multiple_of(4) {
            bytes.extend(if thumb { NOP16 } else { 0 }.to_le_bytes());
        }
        bytes.chunks(4).map(|c| u32::from_le_bytes([c[0], c[1], c[2], c[3]])).collect()
    }
}

const NOP16: u16 = 0xbf00;
/// CPSR.T.
const THUMB: u128 = 0x20;

fn r(n: usize) -> usize {
    64 + 4 * n
}

/// A record with random state.
fn random_record(thumb: bool, random: &mut Random) -> Record {
    let mut record = Record(vec![0; ArmIsa.layout().size]);
    for n in 0..15 {
        let v = match random.below(10) {
            0 => WINDOW + random.below(WINDOW_SIZE as usize) as u64,
            1 if n > 0 => record.get(r(random.below(n)), 4) as u64,
            _ => values::integer(random, 32),
        };
        record.set(r(n), 4, v.into());
    }
    record.set(r(13), 4, u128::from(WINDOW + 8 * random.below(32) as u64));
    let cpsr = u128::from(random.next() & 0xf80f_0000) | 0x10 | if thumb { THUMB } else { 0 };
    record.set(124, 4, cpsr);
    let mut fpscr = 0;
    if random.below(4) == 0 {
        fpscr |= random.next() as u32 & state::FPSCR_BITS;
    }
    if random.below(4) == 0 {
        fpscr |= random.next() as u32 & 0xf800_009f;
    }
    record.set(128, 4, fpscr.into());
    let mut vectors = [0; 16];
    values::vectors(random, &mut vectors);
    vectors.iter().enumerate().for_each(|(n, &v)| record.set(160 + 16 * n, 16, v));
    values::memory(random, &vectors, &mut record.0[416..672]);
    record
}

/// Guest state as a record has it, the sticky flags left out.
pub(crate) fn state_of(record: &Record) -> Vec<u8> {
    let mut bytes = vec![0; ARM.state.size];
    for n in 0..15 {
        ARM.state.set(&mut bytes, state::r(n), record.get(r(n as usize), 4) as u64);
    }
    state::set_cpsr(&mut bytes, record.get(124, 4) as u32);
    state::set_fpscr(&mut bytes, record.get(128, 4) as u32);
    for n in 0..16 {
        let at = state::q_offset(n);
        bytes[at..at + 16].copy_from_slice(&record.0[160 + 16 * n as usize..][..16]);
    }
    bytes
}

fn is_thumb(record: &Record) -> bool {
    record.get(124, 4) & THUMB != 0
}

/// Runs code that begins at `pc`.
fn dry(code: &[u8], pc: u64, record: &Record) -> Dry {
    let thumb = u64::from(is_thumb(record));
    static SLOTS: OnceLock<Vec<(usize, Ty)>> = OnceLock::new();
    let slots = SLOTS.get_or_init(|| aim::slots(&ARM));
    dry_run(
        &ARM,
        Start {
            fp_flags: 0,
            at: pc,
            code,
            pc: pc | thumb,
            slots,
            state: state_of(record),
            features: ARM.cpus[0].features,
            window: &record.0[416..],
        },
    )
}

/// Makes a memory instruction's address point into the window.
fn aim(e: &Entry, word: u32, pc: u64, record: &mut Record, random: &mut Random) {
    let n = if ["push", "pop"].contains(&e.row.name) { Some(13) } else { get(e.row, word, "n") };
    let Some(n) = n.filter(|&n| n < 15) else { return };
    if let Some(m) = get(e.row, word, "m").filter(|&m| m < 15 && m != n && random.below(2) == 0) {
        let small = (random.below(200) as i32 - 100) as u32;
        record.set(r(m as usize), 4, small.into());
    }
    let unit = [1, 4, 4, 8, 16][random.below(5)];
    let place = (random.below(WINDOW_SIZE as usize) as u64) & !(unit - 1);
    let target = match random.below(24) {
        0 => WINDOW + WINDOW_SIZE - random.below(40) as u64,
        1 => SCRATCH - random.below(40) as u64,
        2..6 => WINDOW + WINDOW_SIZE - 64 + place % 64,
        _ => WINDOW + place % (WINDOW_SIZE - 64),
    };
    record.set(r(n as usize), 4, target.into());
    let mut text = Text::default();
    text.insn(e, word, 14);
    let ran = dry(&text.bytes, pc, record);
    let Some(&(addr, _)) = ran.accesses.first() else { return };
    let base = target.wrapping_add(target.wrapping_sub(addr)) as u32;
    record.set(r(n as usize), 4, base.into());
}

/// Memory that a branch reads its target from gets the address after the instruction.
fn set_loaded_target(e: &Entry, word: u32, pc: u64, record: &mut Record) {
    let list = get(e.row, word, "r").unwrap_or(0);
    let (table, pop) = (e.row.name == "tbb", e.row.name == "pop" && get(e.row, word, "h") == Some(1));
    let loads = e.row.name.starts_with("ld")
        && (get(e.row, word, "t") == Some(15) || e.row.name == "ldm" && list >> 15 & 1 == 1);
    if !(table || pop || loads) {
        return;
    }
    let mut text = Text::default();
    text.insn(e, word, 14);
    let Some(&(addr, size)) = dry(&text.bytes, pc, record).accesses.last() else { return };
    let target = if table { 0 } else { (pc as u32 + text.bytes.len() as u32) | u32::from(is_thumb(record)) };
    if (WINDOW..WINDOW + WINDOW_SIZE - 4).contains(&addr) {
        record.set(416 + (addr - WINDOW) as usize, size, target.into());
    }
}

/// A condition: mostly always.
fn condition(random: &mut Random) -> u32 {
    if random.below(4) == 0 { random.below(14) as u32 } else { 14 }
}

/// What a branch needs, so that it comes to the end of the case. Returns code to stand after it.
fn set_target(e: &Entry, word: &mut u32, pc: u64, record: &mut Record, random: &mut Random) -> Vec<u8> {
    let all = |word: &mut u32, list: &[(&str, u32)]| list.iter().for_each(|&(name, v)| put(e, word, name, v));
    let nop = NOP16.to_le_bytes().to_vec();
    match (e.form, e.row.name) {
        (Form::A32, "b" | "bl") => all(word, &[("i", 0xff_ffff)]),
        // To T32 and back: BX PC, NOP.
        (Form::A32, "blx") => {
            all(word, &[("i", 0xff_ffff), ("h", 0)]);
            return vec![0x78, 0x47, 0xc0, 0x46];
        }
        (_, "b_cond8" | "b11" | "cbz") => {
            all(word, &[("i", 0)]);
            return nop;
        }
        (_, "b_cond20") => all(word, &[("s", 0), ("i", 0), ("j", 0), ("k", 0), ("l", 0)]),
        (_, "b24" | "bl24") => all(word, &[("s", 0), ("i", 0), ("j", 1), ("k", 1), ("l", 0)]),
        // To A32 and back: BLX to the next word.
        (_, "blx24") => {
            all(word, &[("s", 0), ("i", 0), ("j", 1), ("k", 1), ("l", 0)]);
            return vec![0xff, 0xff, 0xff, 0xfa];
        }
        (_, "bx" | "blx_reg") => {
            let m = get(e.row, *word, "m").unwrap_or(15) as usize;
            let next = pc as u32 + if e.form == Form::T16 { 2 } else { 4 };
            if m < 15 && random.below(3) != 0 {
                record.set(r(m), 4, (next | u32::from(is_thumb(record))).into());
            }
        }
        (form, "svc") => {
            // The reference takes A32's immediate as an old system call number.
            if form == Form::A32 {
                all(word, &[("i", 0)]);
            }
            record.set(r(7), 4, u128::from(5000 + random.next() % 1000));
        }
        (_, "vmsr") => {
            let t = get(e.row, *word, "t").unwrap_or(15) as usize;
            if t < 15 {
                let v = record.get(r(t), 4) & u128::from(state::FPSCR_BITS | 0xf800_009f);
                record.set(r(t), 4, v);
            }
        }
        _ => {}
    }
    vec![]
}

/// The load-exclusive for a store-exclusive, into registers that it does not use.
fn load_exclusive(e: &Entry, word: u32) -> u32 {
    let used = |n: u32| registers(e).iter().any(|name| get(e.row, word, name).is_some_and(|v| v & !1 == n));
    let to = [0, 2, 4, 6, 8, 10].into_iter().find(|&n| !used(n)).unwrap_or(0);
    match (e.form, e.row.name) {
        (Form::A32, _) => word & !0xf00f | 1 << 20 | to << 12 | 15,
        // STREX with an offset has its status elsewhere.
        (_, _) if word >> 20 == 0xe84 => word & !0xff00 | 1 << 20 | to << 12 | 0xf00,
        (_, "strexd") => word & !0xff0f | 1 << 20 | to << 12 | (to + 1) << 8 | 15,
        _ => word & !0xf00f | 1 << 20 | to << 12 | 15,
    }
}

/// The registers of a load-exclusive made by [`load_exclusive`].
fn writes_by_number(e: &Entry, load: u32) -> u32 {
    3 << (load >> 12 & 15) | if e.form == Form::A32 { 0 } else { (1 << (load >> 8 & 15)) & 0x7fff }
}

/// A case of one instruction.
fn single(e: &Entry, slot: u64, random: &mut Random) -> Option<Case> {
    if e.row.name == "it" {
        return sequence(slot, true, Some(e.index), random);
    }
    let thumb = e.form != Form::A32;
    let mut word = draw(e, random)?;
    let mut record = random_record(thumb, random);
    let mut text = Text::default();
    let control = is_control(e.row) || writes(e, word) >> 15 & 1 == 1;
    let condition = if control && random.below(2) == 0 { 14 } else { condition(random) };
    if thumb && !control && random.below(4) == 0 {
        // IT of one instruction.
        text.half(0xbf08 | (random.below(14) as u32) << 4);
    }
    if e.row.name.starts_with("strex") && random.below(4) != 0 {
        text.insn(e, load_exclusive(e, word), 14);
    }
    // T32's branches to A32 must come to a word.
    if thumb
        && !(text.bytes.len() + e.table.width as usize / 8).is_multiple_of(4)
        && ["blx24", "bx"].contains(&e.row.name)
    {
        text.half(NOP16.into());
    }
    let pc = slot + 4 + text.bytes.len() as u64;
    let after = set_target(e, &mut word, pc, &mut record, random);
    if is_memory(e.row) {
        aim(e, word, pc, &mut record, random);
        if random.below(2) == 0 {
            set_loaded_target(e, word, pc, &mut record);
        }
    }
    text.insn(e, word, condition);
    text.bytes.extend(after);
    // The way back needs little-endian data.
    if ["setend", "msr", "msr_imm"].contains(&e.row.name) {
        if thumb { text.half(0xb650) } else { text.word(0xf101_0000) }
    }
    record.set_words(&text.words(thumb));
    checked(record, vec![e.index], slot)
}

/// The case, if it may be run.
fn checked(record: Record, rows: Vec<usize>, slot: u64) -> Option<Case> {
    let code: Vec<u8> = record.words().iter().flat_map(|w| w.to_le_bytes()).collect();
    let ran = dry(&code, slot + 4, &record);
    // What another slot holds may become an address in a sequence, and is one to TBB.
    let matters = rows.len() > 1 || entries()[rows[0]].row.name == "tbb";
    (ran.safe && !(ran.guessed && matters)).then_some(Case { record, rows })
}

/// A sequence's memory: registers that hold addresses and small numbers, and are not written; and if it is a dense one, the few others
/// that all its integer instructions use.
struct Reserved {
    bases: [u32; 3],
    index: u32,
    few: Option<[u32; 4]>,
}

impl Reserved {
    fn mask(&self) -> u32 {
        self.bases.iter().fold(1 << self.index | 1 << 15, |all, b| all | 1 << b)
    }
}

/// Makes the instruction use the sequence's registers; whether it may stand there.
fn connect(e: &Entry, word: &mut u32, reserved: &Reserved, recent: &[u32], random: &mut Random) -> bool {
    if is_memory(e.row) {
        put(e, word, "n", reserved.bases[random.below(3)]);
        put(e, word, "m", reserved.index);
        if let Some(f) = field(e.row, "i").filter(|_| random.below(12) != 0) {
            let bits: u32 = f.parts().iter().map(|p| u32::from(p.1)).sum();
            if bits >= 5 {
                put(e, word, "i", random.below(16) as u32);
            }
        }
        if ["ldm", "stm"].contains(&e.row.name) && random.below(4) != 0 {
            let list = get(e.row, *word, "r").unwrap_or(0);
            let fewer = list & random.next() as u32 & !(1 << 15 | 1 << 13) & !reserved.mask();
            put(e, word, "r", if fewer == 0 { 1 } else { fewer });
        }
    } else {
        for name in registers(e).iter().filter(|n| ["n", "m", "a", "s"].contains(n)) {
            if !recent.is_empty() && random.below(2) == 0 {
                put(e, word, name, recent[random.below(recent.len())]);
            }
        }
    }
    for name in registers(e).iter().filter(|n| !(is_memory(e.row) && ["n", "m"].contains(n))) {
        if let Some(few) = reserved.few {
            put(e, word, name, few[random.below(4)]);
        }
    }
    writes(e, *word) & reserved.mask() == 0 && is_predictable(e, *word)
}

/// What a sequence is made of so far.
struct Sequence {
    text: Text,
    rows: Vec<usize>,
    recent: Vec<u32>,
    /// A32: the condition of a run of instructions, and how many it still has.
    run: (u32, usize),
    /// Whether the next instruction belongs to an IT block.
    in_it: bool,
}

/// One more straight instruction.
fn extend(s: &mut Sequence, thumb: bool, reserved: &Reserved, random: &mut Random) {
    for _ in 0..200 {
        let groups = groups(thumb);
        let mix = if reserved.few.is_some() { [3, 3, 3, 3, 3, 3, 4, 4, 4, 0] } else { [0, 0, 0, 1, 1, 1, 2, 2, 3, 3] };
        let group = &groups[mix[random.below(10)]];
        let e = &entries()[group[random.below(group.len())]];
        let Some(mut word) = draw(e, random) else { continue };
        if !connect(e, &mut word, reserved, &s.recent, random) {
            continue;
        }
        if s.run.1 == 0 {
            s.run = (condition(random), 1 + random.below(4));
        }
        s.run.1 -= 1;
        // A store-exclusive of another size than the monitor's is UNPREDICTABLE: it follows its load.
        if e.row.name.starts_with("strex") {
            if s.in_it {
                continue;
            }
            let load = load_exclusive(e, word);
            if writes_by_number(e, load) & reserved.mask() != 0 {
                continue;
            }
            s.text.insn(e, load, s.run.0);
        }
        s.text.insn(e, word, s.run.0);
        s.rows.push(e.index);
        s.recent.extend(get(e.row, word, "d").filter(|&d| d < 13 && !e.section.contains('-')));
        return;
    }
}

/// A case of several instructions with data flowing between them; `it` is the row of an IT instruction that must be there.
fn sequence(slot: u64, thumb: bool, it: Option<usize>, random: &mut Random) -> Option<Case> {
    let mut record = random_record(thumb, random);
    // A dense sequence uses low registers, which all of T16 can name.
    let dense = random.below(3) == 0;
    let first = if dense { 4 } else { 0 };
    let mut pick: Vec<u32> = (first..13).collect();
    for i in 0..4 {
        let left = pick.len() - i;
        pick.swap(i, i + random.below(left));
    }
    let few = dense.then_some([0, 1, 2, 3]);
    let reserved = Reserved { bases: [pick[0], pick[1], pick[2]], index: pick[3], few };
    for n in reserved.bases {
        let target = WINDOW + if random.below(6) == 0 { 240 } else { 8 * random.below(24) as u64 };
        record.set(r(n as usize), 4, target.into());
    }
    record.set(r(reserved.index as usize), 4, u128::from(4 * random.below(4) as u32));
    let length = 3 + random.below(6);
    let mut s = Sequence { text: Text::default(), rows: vec![], recent: vec![], run: (14, 0), in_it: false };
    let it_row = entries().iter().find(|e| e.row.name == "it").expect("IT");
    while s.rows.len() < length {
        if thumb && (s.rows.is_empty() && it.is_some() || random.below(4) == 0) {
            // AL has no else.
            let word = (0..)
                .find_map(|_| it_row.table.random(it_row.row, random).filter(|w| w >> 4 & 15 != 14 || w & 7 == 0))?;
            s.text.half(word);
            s.rows.push(it_row.index);
            let count = 4 - (word & 15).trailing_zeros();
            s.in_it = true;
            (0..count).for_each(|_| extend(&mut s, true, &reserved, random));
            s.in_it = false;
        } else {
            extend(&mut s, thumb, &reserved, random);
        }
    }
    if it.is_none() && random.below(2) == 0 {
        go_round(&mut s.text, thumb, &mut record, random);
    }
    let words = s.text.words(thumb);
    if words.len() > super::record::WORDS {
        return None;
    }
    record.set_words(&words);
    checked(record, s.rows, slot)
}

/// Lets the code be run some times over, by a counter that sets the flags or leaves some or all of them. The code may read it; if it
/// writes it, the dry run does not end.
fn go_round(text: &mut Text, thumb: bool, record: &mut Record, random: &mut Random) {
    let (n, keep) = (random.below(if thumb { 8 } else { 13 }) as u32, random.below(2) == 0);
    record.set(r(n as usize), 4, 2 + random.below(3) as u128);
    // In units, from what the program counter reads as.
    let back = |text: &Text, unit: usize| (text.bytes.len() / unit + 2).wrapping_neg() as u32;
    match (thumb, keep) {
        // SUB.W, CBZ over B; SUBS, BNE.
        (true, true) => {
            text.half(0xf1a0 | n);
            text.half(n << 8 | 1);
            text.half(0xb100 | n);
            text.half(0xe000 | back(text, 2) & 0x7ff);
        }
        (true, false) => {
            text.half(0x3801 | n << 8);
            text.half(0xd100 | back(text, 2) & 0xff);
        }
        // SUB, TEQ, BNE; SUBS, BNE.
        (false, _) => {
            text.word(if keep { 0xe240_0001 } else { 0xe250_0001 } | n << 16 | n << 12);
            if keep {
                text.word(0xe330_0000 | n << 16);
            }
            text.word(0x1a00_0000 | back(text, 4) & 0xff_ffff);
        }
    }
}

impl Isa for ArmIsa {
    fn name(&self) -> &'static str {
        "arm"
    }
    fn layout(&self) -> &'static Layout {
        static LAYOUT: OnceLock<Layout> = OnceLock::new();
        LAYOUT.get_or_init(Layout::arm)
    }
    fn rows(&self) -> Vec<RowName> {
        entries().iter().map(|e| RowName { section: e.section, name: e.row.name, line: e.row.line }).collect()
    }
    fn case(&self, row: Option<usize>, index: usize, random: &mut Random) -> Option<Case> {
        let slot = CODE + SLOT * index as u64;
        match row {
            Some(row) => single(&entries()[row], slot, random),
            None => sequence(slot, random.below(2) == 0, None, random),
        }
    }
    fn text(&self, record: &Record, index: usize) -> String {
        let thumb = u64::from(is_thumb(record));
        let code: Vec<u8> = record.words().iter().flat_map(|w| w.to_le_bytes()).collect();
        let (mut at, mut out) = (0, vec![]);
        while at < code.len() {
            let pc = CODE + SLOT * index as u64 + 4 + at as u64;
            let (text, size) = (ARM.disassemble)(&code[at..], pc | thumb, 0);
            let hex: String =
                code[at..at + size].chunks(2).rev().map(|h| format!("{:02x}{:02x}", h[1], h[0])).collect();
            out.push(format!("{hex} {text}"));
            at += size.max(2);
        }
        format!("{} {}", if thumb == 1 { "T" } else { "A" }, out.join("; "))
    }
    fn read(&self, record: &Record) -> Vec<String> {
        let text = self.text(record, 0);
        let words = text.split(|c: char| !c.is_ascii_alphanumeric()).map(|word| match word {
            "sp" => String::from("r13"),
            "lr" => String::from("r14"),
            _ => match (word.chars().next(), word.get(1..).and_then(|n| n.parse::<u32>().ok())) {
                (Some('d'), Some(n)) => format!("q{}", n / 2),
                (Some('s'), Some(n)) => format!("q{}", n / 4),
                _ => word.into(),
            },
        });
        words.filter(|w| w.starts_with(['r', 'q'])).collect()
    }
    fn accesses_twice(&self, record: &Record, pc: u64) -> bool {
        let text = self.at(record, pc);
        ["ldm", "stm", "push", "pop", "ldrd", "strd", "vld", "vst"].iter().any(|start| text.starts_with(start))
    }
    fn stores_exclusively(&self, record: &Record, pc: u64) -> bool {
        let text = self.at(record, pc);
        text.starts_with("strex") || text.starts_with("stlex")
    }
    fn maintains_cache(&self, _: &Record, _: u64) -> bool {
        false
    }
    fn loaded(&self, record: &Record, pc: u64) -> Vec<String> {
        let text = self.at(record, pc);
        let (general, vector) = (text.starts_with("ldm") || text.starts_with("pop"), text.starts_with("vld"));
        let names = (0..15).map(|n| format!("r{n}")).filter(|_| general);
        names.chain((0..16).map(|n| format!("q{n}")).filter(|_| vector)).collect()
    }
}

impl ArmIsa {
    /// The instruction at `pc` as text.
    fn at(&self, record: &Record, pc: u64) -> String {
        let code: Vec<u8> = record.words().iter().flat_map(|w| w.to_le_bytes()).collect();
        let Some(rest) = (pc % SLOT).checked_sub(4).and_then(|at| code.get(at as usize..)) else {
            return String::new();
        };
        (ARM.disassemble)(rest, pc | u64::from(is_thumb(record)), 0).0
    }
}
