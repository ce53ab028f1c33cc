//! A64 for `reference.rs`: what is run of it, and how its state gets into the reference and out of it.

use super::{Case, RECORDS, Set, get, number, put, saturation, sticky_flags, to_register, to_slot, vector, words};
use crate::insn::{DATA, DATA_SIZE, World};
use aarch64::{A64, AARCH64, state};
use arch::Guest;
use decode::Random;
use ir::Slot;

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

/// A record: x0 .. x30, sp, nzcv, fpsr, fpcr, padding, v0 .. v31. x28 is the record's address.
const RECORD: usize = 800;
const SP_AT: usize = 248;
const NZCV_AT: usize = 256;
const FPSR_AT: usize = 264;
const FPCR_AT: usize = 272;
const V_AT: usize = 288;
/// The general register that holds the record's address.
const BASE: u32 = 28;

/// MSR from X0 of what has a place in the record; MRS is the same with bit 21.
const MSR: [(u32, usize); 3] = [(0xd51b_4200, NZCV_AT), (0xd51b_4420, FPSR_AT), (0xd51b_4400, FPCR_AT)];

/// LDR or STR (`load`) of Xt or Qt at [x28, #offset].
fn transfer(load: bool, vector: bool, t: u32, offset: usize) -> u32 {
    let (op, scale) = if vector { (0x3d80_0000, 16) } else { (0xf900_0000, 8) };
    op | u32::from(load) << 22 | ((offset / scale) as u32) << 10 | BASE << 5 | t
}

/// MOVZ, MOVK of a 32-bit constant.
fn constant(register: u32, v: u64) -> [u32; 2] {
    [0xd280_0000 | (v as u32 & 0xffff) << 5 | register, 0xf2a0_0000 | (v as u32 >> 16) << 5 | register]
}

/// The state of A64.
pub(super) struct A64Set;

impl Set for A64Set {
    fn name(&self) -> &'static str {
        "aarch64"
    }

    fn guest(&self) -> &'static Guest {
        &AARCH64
    }

    fn prologue(&self) -> Vec<u8> {
        words(&constant(BASE, RECORDS))
    }

    fn load(&self) -> Vec<u8> {
        // CLREX; MSR of FPSR, FPCR from X0; MOV SP, X0.
        let mut code = vec![0xd503_3f5f];
        MSR.iter().for_each(|&(msr, at)| code.extend([transfer(true, false, 0, at), msr]));
        code.extend([transfer(true, false, 0, SP_AT), 0x9100_001f]);
        code.extend((0..32).map(|n| transfer(true, true, n, V_AT + 16 * n as usize)));
        code.extend(general().map(|n| transfer(true, false, n, 8 * n as usize)));
        words(&code)
    }

    fn save(&self) -> Vec<u8> {
        let mut code: Vec<u32> = general().map(|n| transfer(false, false, n, 8 * n as usize)).collect();
        code.extend((0..32).map(|n| transfer(false, true, n, V_AT + 16 * n as usize)));
        MSR.iter().for_each(|&(msr, at)| code.extend([msr | 1 << 21, transfer(false, false, 0, at)]));
        // MOV X0, SP.
        code.extend([0x9100_03e0, transfer(false, false, 0, SP_AT)]);
        // write(1, X28, RECORD): MOV X0, #1; MOV X1, X28; MOV X8, #64; SVC. Then ADD X28, X28, #RECORD.
        code.extend([0xd280_0020, 0xaa1c_03e1, 0xd280_0808]);
        code.extend(constant(2, RECORD as u64));
        code.extend([0xd400_0001, 0x9100_0000 | (RECORD as u32) << 10 | BASE << 5 | BASE]);
        words(&code)
    }

    fn epilogue(&self) -> Vec<u8> {
        let mut code = vec![0xd280_0020, 0xd280_0808];
        code.extend(constant(1, DATA));
        code.extend(constant(2, DATA_SIZE as u64));
        // SVC; exit(0): MOV X0, #0; MOV X8, #93; SVC.
        code.extend([0xd400_0001, 0xd280_0000, 0xd280_0ba8, 0xd400_0001]);
        words(&code)
    }

    fn record(&self, world: &World) -> Vec<u8> {
        let slot = |slot: Slot| world.get(&AARCH64, usize::from(slot.0));
        let mut bytes = vec![0; RECORD];
        (0..31).for_each(|n| put(&mut bytes, 8 * n as usize, slot(state::x(n)), 8));
        (0..32).for_each(|n| put(&mut bytes, V_AT + 16 * n as usize, slot(state::v(n)), 16));
        put(&mut bytes, SP_AT, slot(state::SP), 8);
        put(&mut bytes, NZCV_AT, to_register(slot(state::NZCV)), 8);
        put(&mut bytes, FPCR_AT, slot(state::FPCR), 8);
        bytes
    }

    fn world(&self, record: &[u8], ours: &World) -> World {
        let mut world = ours.clone();
        let fpsr = get(record, FPSR_AT, 8);
        let qc = saturation(ours.get(&AARCH64, usize::from(state::QC.0)), fpsr);
        let mut set = |slot: Slot, v: u128| world.set(&AARCH64, usize::from(slot.0), v);
        general().for_each(|n| set(state::x(n), get(record, 8 * n as usize, 8)));
        (0..32).for_each(|n| set(state::v(n), get(record, V_AT + 16 * n as usize, 16)));
        set(state::SP, get(record, SP_AT, 8));
        set(state::NZCV, to_slot(get(record, NZCV_AT, 8)));
        set(state::QC, qc);
        world.fp_flags = sticky_flags(fpsr);
        world
    }

    fn control(&self) -> Slot {
        state::FPCR
    }

    fn cases(&self, wanted: &dyn Fn(&str) -> bool, per_row: usize, random: &mut Random) -> Vec<Case> {
        let mut cases = vec![];
        for row in A64.rows().iter().filter(|row| wanted(row.name) && !LEFT_OUT.contains(&row.name)) {
            let encodings = (0..).map_while(|_| A64.random(row, random)).take(50 * per_row).collect::<Vec<u32>>();
            for word in encodings.into_iter().filter(|&w| is_predictable(row, w)).take(per_row) {
                let before = random_state(row, word, random);
                let code = instruction(row, word, random);
                let (insns, code) = (code.len() as u32, words(&code));
                let relative = ["adr", "adrp"].contains(&row.name);
                cases.push(Case {
                    row: ("a64", row.line, row.name),
                    code,
                    insns,
                    before,
                    relative,
                    conditional: false,
                });
            }
        }
        cases
    }
}

/// The registers that a test can use.
fn general() -> impl Iterator<Item = u32> {
    (0..31).filter(|&n| n != BASE)
}

fn field(row: &Row, word: u32, name: &str) -> Option<u32> {
    row.fields.iter().find(|f| f.name() == name).map(|f| f.of(word))
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
fn instruction(row: &Row, word: u32, random: &mut Random) -> Vec<u32> {
    if !row.name.starts_with("stx") || random.below(4) == 0 {
        return vec![word];
    }
    // LDXR or LDXP into XZR (and X30): L is bit 22, Rs and Rt are 31.
    let load = word | 1 << 22 | 31 << 16 | 31;
    let load = if row.name == "stxp" { load & !(31 << 10) | 30 << 10 } else { load };
    if row.name == "stxp" && field(row, word, "n") == Some(30) { vec![word] } else { vec![load, word] }
}
