//! What holds for each row: it decodes and translates, and the order of its operations is exact.

use crate::state::Vector;
use crate::{RISCV32, RISCV64, RV, RV32, RV64, RVC, RVC32, RVC64, RVV};
use arch::{Code, Guest, Translation};
use decode::{Random, Table};
use ir::{Builder, Op, Region, Term};

/// Code at address 0x1000.
#[derive(Debug)]
struct Bytes(Vec<u8>);

impl Code for Bytes {
    fn fetch(&mut self, pc: u64, buf: &mut [u8]) -> usize {
        let rest = usize::try_from(pc - 0x1000).ok().and_then(|at| self.0.get(at..)).unwrap_or(&[]);
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        n
    }
}

/// The region of an instruction, or of several that stand in a word.
fn translate(guest: &Guest, bytes: &[u8], insns: u32) -> Region {
    translate_in(guest, bytes, insns, 0)
}

fn translate_in(guest: &Guest, bytes: &[u8], insns: u32, mode: u32) -> Region {
    let mut b = Builder::new(guest.state.types);
    let mut code = Bytes(bytes.into());
    let mut t = Translation {
        b: &mut b,
        code: &mut code,
        max_insns: insns,
        leaders: &(),
        features: guest.cpus[0].features,
        guards: false,
    };
    (guest.translate)(&mut t, 0x1000, mode);
    b.region
}

type Rows = Table<fn(&mut crate::Cx<'_>, u32)>;

/// Each table of the guest with the bytes that its words have.
const TABLES: [(&Guest, &Rows, usize); 9] = [
    (&RISCV64, &RVV, 4),
    (&RISCV64, &RV, 4),
    (&RISCV64, &RV64, 4),
    (&RISCV64, &RVC, 2),
    (&RISCV64, &RVC64, 2),
    (&RISCV32, &RV, 4),
    (&RISCV32, &RV32, 4),
    (&RISCV32, &RVC, 2),
    (&RISCV32, &RVC32, 2),
];

/// Calls `f` with the text and the region of random encodings of each row.
fn each_row(seed: u64, f: impl Fn(&str, &Region)) {
    let mut random = Random(seed);
    for (guest, table, size) in TABLES {
        for row in table.rows() {
            for _ in 0..20 {
                let word = table.random(row, &mut random).unwrap_or_else(|| panic!("line {}: {}", row.line, row.name));
                f(&row.print(word, 0x1000), &translate(guest, &word.to_le_bytes()[..size], 1));
            }
        }
    }
}

#[test]
fn each_row_has_random_encodings_that_translate() {
    each_row(1, |text, region| {
        assert!(region.blocks.iter().all(|b| b.term != Term::None), "{text}");
        assert!(!text.contains('?'), "{text}");
    });
}

#[test]
fn state_is_set_after_all_that_can_fault() {
    each_row(2, |text, region| {
        // Vector accesses that are done bit by bit count vstart up, or may be repeated.
        if text.starts_with("vl") || text.starts_with("vs") {
            return;
        }
        let is_set = |op: &Op| matches!(op, Op::Set(..) | Op::FpFlagsSet(_));
        let first_set = region.insts.iter().position(|i| is_set(&i.op)).unwrap_or(usize::MAX);
        let last_fault = region.insts.iter().rposition(|i| i.op.can_fault()).unwrap_or(0);
        assert!(last_fault < first_set, "{text}");
    });
}

/// Vectors of every kind: each row verifies for each type, whole and in part, for the shortest and the longest registers.
#[test]
fn vectors_verify_in_every_mode() {
    let mut random = Random(3);
    for row in RVV.rows() {
        for vtype in 0..32 {
            let Some(v) = Vector::of_register(vtype, 16) else { continue };
            for (full, started) in [(true, false), (false, false), (false, true)] {
                let mode = Vector { full, started, ..v }.mode();
                let word = RVV.random(row, &mut random).expect("a word");
                let region = translate_in(&RISCV64, &word.to_le_bytes(), 1, mode);
                let text = row.print(word, 0x1000);
                assert!(region.blocks.iter().all(|b| b.term != Term::None), "{text}");
                ir::verify::check(&region, RISCV64.state.types).unwrap_or_else(|e| panic!("{text} {v:?}: {e}"));
            }
        }
    }
}

/// How the region of a word ends, block by block.
fn ends(word: u32) -> Vec<Term> {
    translate(&RISCV64, &word.to_le_bytes(), 1).blocks.iter().map(|b| b.term).collect()
}

#[test]
fn unallocated_words_trap() {
    // All zeros, all ones, MRET.
    for word in [0, u32::MAX, 0x3020_0073] {
        assert_eq!(ends(word), [Term::Trap(ir::Trap::Undefined)], "{word:#x}");
    }
}

#[test]
fn calls_and_returns() {
    // jal ra, .+8; jal zero, .+8; jalr ra, 0(a0); jalr ra, 0(ra); ret; jr a0; jr t0
    assert_eq!(ends(0x0080_00ef), [Term::Call { pc: 0x1008, ret: 0x1004 }]);
    assert_eq!(ends(0x0080_006f), [Term::Goto { pc: 0x1008 }]);
    assert!(matches!(ends(0x0005_00e7)[..], [Term::CallIndirect { ret: 0x1004, .. }]));
    assert!(matches!(ends(0x0000_80e7)[..], [Term::CallIndirect { ret: 0x1004, .. }]));
    assert!(matches!(ends(0x0000_8067)[..], [Term::Return { .. }]));
    assert!(matches!(ends(0x0005_0067)[..], [Term::Indirect { .. }]));
    assert!(matches!(ends(0x0002_8067)[..], [Term::Return { .. }]));
    // c.jr ra; c.jalr a0
    assert!(matches!(ends(0x8082)[..], [Term::Return { .. }]));
    assert!(matches!(ends(0x9502)[..], [Term::CallIndirect { ret: 0x1002, .. }]));
}

#[test]
fn a_call_in_two_instructions_is_direct() {
    // auipc ra, 0; jalr ra, 32(ra)
    let bytes = [0x97, 0, 0, 0, 0xe7, 0x80, 0, 2];
    let region = translate(&RISCV64, &bytes, 2);
    assert_eq!(region.blocks[0].term, Term::Call { pc: 0x1020, ret: 0x1008 });
}

#[test]
fn an_instruction_may_miss_its_second_half() {
    // c.nop, then the first half of an ADDI.
    let region = translate(&RISCV64, &[1, 0, 0x13, 0], 9);
    assert_eq!(region.blocks[0].term, Term::Goto { pc: 0x1002 });
    let region = translate(&RISCV64, &[0x13, 0], 9);
    assert_eq!(region.blocks[0].term, Term::Trap(ir::Trap::Fetch));
}

/// An extension, and an instruction of it.
const FEATURES: [(&str, u32); 28] = [
    ("zicbom", 0x0015_200f),
    ("zicboz", 0x0045_200f),
    ("zicntr", 0xc010_2573),
    ("zicond", 0x0ea5_5533),
    ("zicsr", 0x0030_2573),
    ("zifencei", 0x0000_100f),
    ("zihintpause", 0x0100_000f),
    ("zimop", 0x81c5_4573),
    ("zmmul", 0x02a5_0533),
    ("zaamo", 0x00a5_252f),
    ("zabha", 0x00a5_052f),
    ("zacas", 0x28a5_252f),
    ("zalrsc", 0x1005_252f),
    ("zawrs", 0x00d0_0073),
    ("zfa", 0xf010_0053),
    ("zfh", 0x0400_0053),
    ("zfhmin", 0x0005_1007),
    ("zcb", 0x8100),
    ("zcmop", 0x6081),
    ("zba", 0x20a5_2533),
    ("zbb", 0x6005_1513),
    ("zbc", 0x0aa5_2533),
    ("zbkb", 0x08a5_4533),
    ("zbkc", 0x0aa5_1533),
    ("zbkx", 0x28a5_2533),
    ("zbs", 0x48a5_1533),
    ("zkne", 0x32a5_0533),
    ("zknh", 0x1005_1513),
];

#[test]
fn what_is_announced_is_implemented() {
    let info = (RISCV64.cpuinfo)(0, RISCV64.cpus[0].features);
    let isa = info.lines().find_map(|l| l.strip_prefix("isa\t\t: ")).unwrap();
    for name in isa.split('_').skip(1) {
        let Some((_, word)) = FEATURES.iter().find(|f| f.0 == name) else { continue };
        assert!(!ends(*word).iter().any(|t| matches!(t, Term::Trap(_))), "{name}: {word:#x}");
    }
    assert!(FEATURES.iter().all(|(name, _)| isa.split('_').any(|n| n == *name)), "{isa}");
}

#[test]
fn flags_are_of_one_block() {
    // flt.s a4, fa0, fa1; bnez a4, .+8; beqz a4, .+8: what the second asks is what the first did.
    let words: [u32; 3] = [0xa0b5_1753, 0x0007_1463, 0x0007_0463];
    let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
    let mut b = Builder::new(RISCV64.state.types);
    b.lasting = true;
    let (code, features) = (&mut Bytes(bytes), RISCV64.cpus[0].features);
    let mut t = Translation { b: &mut b, code, max_insns: 3, leaders: &(), features, guards: false };
    (RISCV64.translate)(&mut t, 0x1000, 0);
    assert_eq!(ir::verify::check_made(&b.region, RISCV64.state.types), Ok(()));
    assert_eq!(b.region.blocks.iter().filter(|b| matches!(b.term, ir::Term::Branch { .. })).count(), 2);
}
