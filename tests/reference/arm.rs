//! A32 and T32 for `reference.rs`: what is run of them, and how their state gets into the reference and out of it.
//!
//! Cases that the interpreter does not finish (branches, traps, faults) are not run; a row without any case is named.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{Case, RECORDS, Set, get, number, put, saturation, sticky_flags, to_register, to_slot, vector, words};
use crate::insn::{CODE, DATA, World};
use arch::Guest;
use arm::{A32, ARM, CP, NEON, T16, T32, state};
use decode::{Random, Table};
use ir::Slot;
use ir::interp::Outcome;

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

/// A record: r0 .. r15 (pc's place is empty), cpsr, fpscr, padding, d0 .. d31. r12 is the record's address.
const RECORD: usize = 384;
const CPSR_AT: usize = 64;
const FPSCR_AT: usize = 68;
const D_AT: usize = 128;
const BASE: u32 = 12;

/// CLREX; APSR and FPSCR by way of r0; d0 .. d31; sp, lr, r0 .. r11.
const LOAD_A32: [u32; 11] = [
    0xf57f_f01f,
    0xe59c_0040,
    0xe12c_f000,
    0xe59c_0044,
    0xeee1_0a10,
    0xe28c_0080,
    0xecb0_0b20,
    0xecd0_0b20,
    0xe59c_d034,
    0xe59c_e038,
    0xe89c_0fff,
];
/// The way back, write(1, r12, RECORD), add r12, r12, #RECORD.
const SAVE_A32: [u32; 16] = [
    0xe88c_0fff,
    0xe58c_d034,
    0xe58c_e038,
    0xe10f_0000,
    0xe58c_0040,
    0xeef1_0a10,
    0xe58c_0044,
    0xe28c_0080,
    0xeca0_0b20,
    0xecc0_0b20,
    0xe3a0_0001,
    0xe1a0_100c,
    0xe3a0_2d06,
    0xe3a0_7004,
    0xef00_0000,
    0xe28c_cd06,
];
/// r12 = RECORDS.
const PROLOGUE_A32: [u32; 2] = [0xe300_c000, 0xe343_c000];
/// write(1, DATA, 8192); exit(0).
const EPILOGUE_A32: [u32; 9] = [
    0xe3a0_0001,
    0xe300_1000,
    0xe342_1000,
    0xe302_2000,
    0xe3a0_7004,
    0xef00_0000,
    0xe3a0_0000,
    0xe3a0_7001,
    0xef00_0000,
];

/// The same in T32; a word without upper half is an instruction of 16 bits.
const LOAD_T32: [u32; 11] = [
    0xf3bf_8f2f,
    0xf8dc_0040,
    0xf380_8c00,
    0xf8dc_0044,
    0xeee1_0a10,
    0xf10c_0080,
    0xecb0_0b20,
    0xecd0_0b20,
    0xf8dc_d034,
    0xf8dc_e038,
    0xe89c_0fff,
];
const SAVE_T32: [u32; 16] = [
    0xe88c_0fff,
    0xf8cc_d034,
    0xf8cc_e038,
    0xf3ef_8000,
    0xf8cc_0040,
    0xeef1_0a10,
    0xf8cc_0044,
    0xf10c_0080,
    0xeca0_0b20,
    0xecc0_0b20,
    0xf04f_0001,
    0x4661,
    0xf44f_72c0,
    0xf04f_0704,
    0xdf00,
    0xf50c_7cc0,
];
const PROLOGUE_T32: [u32; 2] = [0xf240_0c00, 0xf2c3_0c00];
const EPILOGUE_T32: [u32; 9] =
    [0xf04f_0001, 0xf240_0100, 0xf2c2_0100, 0xf242_0200, 0xf04f_0704, 0xdf00, 0xf04f_0000, 0xf04f_0701, 0xdf00];

/// Thumb code: the upper half first.
fn thumb(code: &[u32]) -> Vec<u8> {
    let halves = |&w: &u32| if w >> 16 == 0 { vec![w as u16] } else { vec![(w >> 16) as u16, w as u16] };
    code.iter().flat_map(halves).flat_map(u16::to_le_bytes).collect()
}

/// The state of one of the two instruction sets.
pub(super) struct ArmSet {
    pub(super) thumb: bool,
}

impl ArmSet {
    fn code(&self, a32: &[u32], t32: &[u32]) -> Vec<u8> {
        if self.thumb { thumb(t32) } else { words(a32) }
    }
}

impl Set for ArmSet {
    fn name(&self) -> &'static str {
        if self.thumb { "arm-t32" } else { "arm-a32" }
    }

    fn guest(&self) -> &'static Guest {
        &ARM
    }

    fn thumb(&self) -> u64 {
        u64::from(self.thumb)
    }

    fn prologue(&self) -> Vec<u8> {
        const { assert!(RECORDS == 0x3000_0000) };
        self.code(&PROLOGUE_A32, &PROLOGUE_T32)
    }

    fn load(&self) -> Vec<u8> {
        self.code(&LOAD_A32, &LOAD_T32)
    }

    fn save(&self) -> Vec<u8> {
        self.code(&SAVE_A32, &SAVE_T32)
    }

    fn epilogue(&self) -> Vec<u8> {
        const { assert!(DATA == 0x2000_0000) };
        self.code(&EPILOGUE_A32, &EPILOGUE_T32)
    }

    fn record(&self, world: &World) -> Vec<u8> {
        let slot = |slot: Slot| world.get(&ARM, usize::from(slot.0));
        let mut bytes = vec![0; RECORD];
        (0..15).for_each(|n| put(&mut bytes, 4 * n as usize, slot(state::r(n)), 4));
        (0..32).for_each(|n| put(&mut bytes, D_AT + 8 * n as usize, slot(state::d(n)), 8));
        put(&mut bytes, CPSR_AT, state::cpsr(&world.state).into(), 4);
        put(&mut bytes, FPSCR_AT, slot(state::FPSCR) | to_register(slot(state::FPNZCV)), 4);
        bytes
    }

    fn world(&self, record: &[u8], ours: &World) -> World {
        let mut world = ours.clone();
        let (cpsr, fpscr) = (get(record, CPSR_AT, 4), get(record, FPSCR_AT, 4));
        // Q, N, Z, C, V and GE; MRS does not show the rest to a program.
        let kept = state::cpsr(&world.state) & !0xf80f_0000;
        state::set_cpsr(&mut world.state, cpsr as u32 & 0xf80f_0000 | kept);
        let qc = saturation(ours.get(&ARM, usize::from(state::QC.0)), fpscr);
        let mut set = |slot: Slot, v: u128| world.set(&ARM, usize::from(slot.0), v);
        (0..15).filter(|&n| n != BASE).for_each(|n| set(state::r(n), get(record, 4 * n as usize, 4)));
        (0..32).for_each(|n| set(state::d(n), get(record, D_AT + 8 * n as usize, 8)));
        set(state::FPNZCV, to_slot(fpscr));
        set(state::QC, qc);
        world.fp_flags = sticky_flags(fpscr);
        world
    }

    fn control(&self) -> Slot {
        state::FPSCR
    }

    fn cases(&self, wanted: &dyn Fn(&str) -> bool, per_row: usize, random: &mut Random) -> Vec<Case> {
        let tables: &[&'static Table<Translate>] =
            if self.thumb { &[&T16, &T32, &CP, &NEON] } else { &[&A32, &CP, &NEON] };
        let mut cases = vec![];
        for table in tables {
            for row in table.rows().iter().filter(|row| wanted(row.name) && !LEFT_OUT.contains(&row.name)) {
                let before = cases.len();
                let candidates = (0..60 * per_row).map_while(|_| table.random(row, random)).collect::<Vec<u32>>();
                let usable = candidates.into_iter().filter(|&w| is_predictable(row, w));
                cases.extend(usable.filter_map(|word| self.case(table, row, word, random)).take(per_row));
                assert!(
                    cases.len() > before || is_literal(row),
                    "no case of row {}, line {}, goes on",
                    row.name,
                    row.line
                );
            }
        }
        cases
    }
}

impl ArmSet {
    /// A case that does not trap in ours: what traps is left to the comparison with objdump.
    fn case(&self, table: &Table<Translate>, row: &'static Row, word: u32, random: &mut Random) -> Option<Case> {
        let before = random_state(row, word, random);
        let (code, insns) = self.encode(row, word, random);
        let pc = CODE | self.thumb();
        let mut trial = before.clone();
        let ran = catch_unwind(AssertUnwindSafe(|| trial.run_code(&ARM, code.clone(), insns, pc, None)));
        if ran.is_ok_and(|ran| matches!(ran.outcome, Outcome::Trap { .. })) {
            return None;
        }
        let relative = row.name == "adr" || registers(row).iter().any(|r| field(row, word, r) == Some(15));
        let conditional = insns == 2 || !self.thumb && code[3] >> 4 < 14;
        Some(Case { row: (table.name, row.line, row.name), code, insns, before, relative, conditional })
    }

    /// The bytes of a row's word, with a condition or in an IT block now and then, and how many instructions they are.
    fn encode(&self, row: &Row, word: u32, random: &mut Random) -> (Vec<u8>, u32) {
        if !self.thumb {
            let conditional = word >> 28 == 14 && random.below(3) == 0;
            let word = if conditional { word & 0x0fff_ffff | (random.below(14) as u32) << 28 } else { word };
            return (words(&[word]), 1);
        }
        // Advanced SIMD in T32's form: 1111001U is 111U1111, 11110100 is 11111001.
        let word = match (row.section, word >> 24) {
            ("neon", 0xf2 | 0xf3) => word & 0x00ff_ffff | 0xef00_0000 | (word >> 24 & 1) << 28,
            ("neon", 0xf4) => word & 0x00ff_ffff | 0xf900_0000,
            _ => word,
        };
        if ["t16", "t32"].contains(&row.section) && random.below(4) == 0 {
            return (thumb(&[0xbf08 | (random.below(14) as u32) << 4, word]), 2);
        }
        (thumb(&[word]), 1)
    }
}

/// A load relative to pc: the data is elsewhere. (Cases by hand are in `insn/arm.txt`.)
fn is_literal(row: &Row) -> bool {
    row.fields.iter().any(|f| f.name() == "n" && f.parts().is_empty() && f.constant == 15)
}

fn field(row: &Row, word: u32, name: &str) -> Option<u32> {
    row.fields.iter().find(|f| f.name() == name).map(|f| f.of(word))
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
            !(second == Some(BASE) || second == Some(15) || onto_status || index || back || loads && t == second)
        }
        name if is_memory(row) && row.section != "neon" && !name.starts_with('v') => {
            let reg = name.ends_with("reg");
            let odd = row.section == "t32" && t == Some(13);
            !(n == Some(15) || odd || writes_back && n == t || reg && m == n)
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
        set(&mut world, state::d(2 * n), v & u128::from(u64::MAX));
        set(&mut world, state::d(2 * n + 1), v >> 64);
    }
    set(&mut world, state::SP, u128::from(DATA) + 4096);
    set(&mut world, state::NZCV, u128::from(random.next() as u32 & 0xc101));
    set(&mut world, state::Q, random.below(2) as u128);
    let lt = (0..4).fold(0, |lt, i| lt | if random.below(2) == 0 { 0 } else { 0xffu128 << (8 * i) });
    set(&mut world, state::LT, lt);
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
    let indexed = row.fields.iter().all(|f| f.name() != "p") || get("p") == 1;
    let up = row.fields.iter().all(|f| f.name() != "u") || get("u") == 1;
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
