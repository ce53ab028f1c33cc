//! What holds for each row: it decodes and translates, and the order of its operations is exact.

use crate::{A64, AARCH64, features};
use arch::{Code, Translation};
use decode::Random;
use ir::{Builder, Op, Region, Term};

/// Words at address 0x1000.
#[derive(Debug)]
struct Words<'a>(&'a [u32]);

impl Code for Words<'_> {
    fn fetch(&mut self, pc: u64, buf: &mut [u8]) -> usize {
        let bytes: Vec<u8> = self.0.iter().flat_map(|w| w.to_le_bytes()).collect();
        let rest = usize::try_from(pc - 0x1000).ok().and_then(|at| bytes.get(at..)).unwrap_or(&[]);
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        n
    }
}

/// The region of some words.
pub(crate) fn translate(words: &[u32], mode: u32) -> Region {
    region(&AARCH64.cpus[0], words, mode)
}

/// The region as a model's.
fn translate_for(cpu: &arch::Cpu, words: &[u32]) -> Region {
    region(cpu, words, 0)
}

fn region(cpu: &arch::Cpu, words: &[u32], mode: u32) -> Region {
    let mut b = Builder::new(AARCH64.state.types);
    let mut code = Words(words);
    let mut t = Translation {
        b: &mut b,
        code: &mut code,
        max_insns: words.len() as u32,
        leaders: &(),
        features: cpu.features,
        guards: false,
    };
    (AARCH64.translate)(&mut t, 0x1000, mode);
    b.region
}

#[test]
fn each_row_has_random_encodings_that_translate() {
    let mut random = Random(1);
    for row in A64.rows() {
        for _ in 0..20 {
            let word = A64.random(row, &mut random).unwrap_or_else(|| panic!("line {}: {}", row.line, row.name));
            let region = translate(&[word], 0);
            assert!(region.blocks.iter().all(|b| b.term != Term::None), "{}", row.print(word, 0x1000));
            assert!(!row.print(word, 0x1000).contains('?'), "{}", row.print(word, 0x1000));
        }
    }
}

#[test]
fn state_is_set_after_all_that_can_fault() {
    let mut random = Random(2);
    for row in A64.rows() {
        for _ in 0..20 {
            let Some(word) = A64.random(row, &mut random) else { continue };
            let region = translate(&[word], 0);
            let is_set = |op: &Op| matches!(op, Op::Set(..) | Op::FpFlagsSet(_));
            let first_set = region.insts.iter().position(|i| is_set(&i.op)).unwrap_or(usize::MAX);
            let last_fault = region.insts.iter().rposition(|i| i.op.can_fault()).unwrap_or(0);
            assert!(last_fault < first_set, "{}", row.print(word, 0x1000));
        }
    }
}

#[test]
fn unallocated_words_trap() {
    // HVC #0.
    let region = translate(&[0xd400_0002], 0);
    assert_eq!(region.blocks[0].term, Term::Trap(ir::Trap::Undefined));
}

#[test]
fn a_region_ends_where_the_code_does() {
    // NOP; NOP, then nothing.
    let mut b = Builder::new(AARCH64.state.types);
    let mut code = Words(&[0xd503_201f; 2]);
    let mut t = Translation {
        b: &mut b,
        code: &mut code,
        max_insns: 100,
        leaders: &(),
        features: AARCH64.cpus[0].features,
        guards: false,
    };
    (AARCH64.translate)(&mut t, 0x1000, 0);
    assert_eq!(b.region.blocks[0].term, Term::Goto { pc: 0x1008 });
    assert_eq!((b.region.end, b.region.guest_insns), (0x1008, 2));
}

#[test]
fn long_runs_are_fetched_in_parts() {
    let region = translate(&[0x9100_0400; 100], 0);
    assert_eq!(region.guest_insns, 100);
    assert_eq!(region.blocks[0].term, Term::Goto { pc: 0x1000 + 400 });
}

/// How the region of one word at 0x1000 ends, block by block.
fn ends(word: u32) -> Vec<Term> {
    translate(&[word], 0).blocks.iter().map(|b| b.term).collect()
}

#[test]
fn direct_branches() {
    let (next, there) = (Term::Goto { pc: 0x1004 }, Term::Goto { pc: 0x1008 });
    // B .+8; B.AL .+8.
    assert_eq!(ends(0x1400_0002), [there]);
    assert_eq!(ends(0x5400_004e), [there]);
    // BL .-4.
    assert_eq!(ends(0x97ff_ffff), [Term::Call { pc: 0xffc, ret: 0x1004 }]);
    // B.EQ, CBZ X0, CBNZ W1, TBZ W2 #3, TBNZ X3 #35, all to .+8.
    for word in [0x5400_0040, 0xb400_0040, 0x3500_0041, 0x3618_0042, 0xb718_0043] {
        let ends = ends(word);
        assert!(matches!(ends[0], Term::Branch { then: ir::BlockId(1), other: ir::BlockId(2), .. }), "{word:#x}");
        assert_eq!(ends[1..], [there, next], "{word:#x}");
    }
    // CBZ XZR is always taken.
    assert!(matches!(ends(0xb400_005f)[0], Term::Jump(ir::BlockId(1))));
}

#[test]
fn a_call_through_the_link_register_reads_it_first() {
    // BLR X30.
    let region = translate(&[0xd63f_03c0], 0);
    let Term::CallIndirect { pc, ret } = region.blocks[0].term else { panic!("{:?}", region.blocks[0].term) };
    assert_eq!(*region.op(pc), Op::Get(crate::state::X30));
    assert_eq!(ret, 0x1004);
    assert!(matches!(ends(0xd65f_03c0)[..], [Term::Return { .. }]));
    assert!(matches!(ends(0xd61f_0200)[..], [Term::Indirect { .. }]));
}

#[test]
fn system_instructions_leave_as_they_should() {
    // SVC #0; BRK #1; UDF #0; MSR FPCR, X0; IC IVAU, X0.
    assert_eq!(ends(0xd400_0001), [Term::Syscall { next: 0x1004 }]);
    assert_eq!(ends(0xd420_0020), [Term::Trap(ir::Trap::Breakpoint)]);
    assert_eq!(ends(0), [Term::Trap(ir::Trap::Undefined)]);
    assert_eq!(ends(0xd51b_4400), [Term::Resume { pc: 0x1004 }]);
    assert!(matches!(ends(0xd50b_7520)[..], [Term::FlushCode { len: 64, next: 0x1004, .. }]));
}

/// A hwcap, the field of an identification register that the kernel takes it from (CRm, op2, lowest bit, smallest value), and an
/// instruction of the feature.
type Feature = (&'static str, (u32, u32, u32, u64), u32);

#[rustfmt::skip]
const FEATURES: [Feature; 36] = [
    ("fp", (4, 0, 16, 0), 0x1e62_2820), ("asimd", (4, 0, 20, 0), 0x4ea2_8420), ("fphp", (4, 0, 16, 1), 0x1ee2_2820),
    ("asimdhp", (4, 0, 20, 1), 0x4e42_1420), ("dit", (4, 0, 48, 1), 0xd503_415f), ("bti", (4, 1, 0, 1), 0xd503_245f),
    ("ssbs", (4, 1, 4, 2), 0xd503_413f), ("aes", (6, 0, 4, 1), 0x4e28_4820), ("pmull", (6, 0, 4, 2), 0x0ee2_e020),
    ("sha1", (6, 0, 8, 1), 0x5e28_0820), ("sha2", (6, 0, 12, 1), 0x5e28_2820), ("sha512", (6, 0, 12, 2), 0xcec0_8020),
    ("crc32", (6, 0, 16, 1), 0x1ac2_4020), ("atomics", (6, 0, 20, 2), 0xf820_0041), ("asimdrdm", (6, 0, 28, 1), 0x6e82_8420),
    ("sha3", (6, 0, 32, 1), 0xce02_0c20), ("sm3", (6, 0, 36, 1), 0xce42_0c20), ("sm4", (6, 0, 40, 1), 0xcec0_8420),
    ("asimddp", (6, 0, 44, 1), 0x6e82_9420), ("asimdfhm", (6, 0, 48, 1), 0x4e22_ec20), ("flagm", (6, 0, 52, 1), 0xd500_401f),
    ("flagm2", (6, 0, 52, 2), 0xd500_405f), ("rng", (6, 0, 60, 1), 0xd53b_2400), ("dcpop", (6, 1, 0, 1), 0xd50b_7c20),
    ("dcpodp", (6, 1, 0, 2), 0xd50b_7d20), ("jscvt", (6, 1, 12, 1), 0x1e7e_0020), ("fcma", (6, 1, 16, 1), 0x6e82_e420),
    ("lrcpc", (6, 1, 20, 1), 0xf8bf_c020), ("ilrcpc", (6, 1, 20, 2), 0xd940_0020), ("frint", (6, 1, 32, 1), 0x1e68_c020),
    ("sb", (6, 1, 36, 1), 0xd503_30ff), ("bf16", (6, 1, 44, 1), 0x6e42_fc20), ("i8mm", (6, 1, 52, 1), 0x4e82_a420),
    ("uscat", (7, 2, 32, 1), 0xd503_201f), ("paca", (6, 1, 4, 1), 0xdac1_0020), ("pacg", (6, 1, 24, 1), 0x9ac2_3020),
];

/// What the hwcaps announce, /proc/cpuinfo and the identification registers say too, and it is there.
#[test]
fn what_is_announced_is_implemented() {
    let lse2 = arch::Cpu::parse(&AARCH64, "max,lse2=on").unwrap();
    for cpu in AARCH64.cpus.iter().chain([&lse2]) {
        let info = (AARCH64.cpuinfo)(0, cpu.features);
        let line = info.lines().find_map(|l| l.strip_prefix("Features\t: ")).unwrap();
        let names: Vec<&str> = line.split(' ').collect();
        let register = |m: u32, op2: u32| {
            // MRS X0, ID register: the value that the region sets.
            let region = translate_for(cpu, &[0xd538_0000 | m << 8 | op2 << 5]);
            let set = |i: &ir::Inst| matches!(i.op, ir::Op::Set(slot, _) if slot == crate::state::x(0));
            let ir::Op::Set(_, v) = region.insts.iter().find(|i| set(i)).unwrap().op else { unreachable!() };
            match region.insts[v.0 as usize].op {
                ir::Op::Const(value) => value,
                ref other => panic!("{other:?} is no constant"),
            }
        };
        let mut said = std::collections::BTreeMap::<(u32, u32), u64>::new();
        for (name, (m, op2, lsb, least), word) in FEATURES {
            let value = register(m, op2);
            // The codes' algorithm is one of two: the architected one's field stands below the other's.
            let either = if name.starts_with("pac") { 15 << lsb | 15 << (lsb + 4) } else { 15 << lsb };
            let there = if name.starts_with("pac") { value & either != 0 } else { value >> lsb & 15 >= least };
            assert_eq!(there, names.contains(&name), "{name} of {}", cpu.name);
            *said.entry((m, op2)).or_default() |= either;
            let traps = translate_for(cpu, &[word]).blocks.iter().any(|b| matches!(b.term, Term::Trap(_)));
            assert!(!there || !traps, "{name} is announced: {word:#x}");
        }
        for ((m, op2), fields) in said {
            // AArch64 at EL0 and EL1; TGran and the like; and no feature without a name in the list.
            let known = if (m, op2) == (4, 0) { 0xff } else { 0 };
            assert_eq!(register(m, op2) & !fields & !known, 0, "fields of ID register {m}, {op2}");
        }
        let listed = FEATURES.map(|f| f.0);
        assert!(names.iter().all(|n| listed.contains(n) || *n == "cpuid"), "{line}");
        let count = (AARCH64.hwcap)(cpu.features).iter().map(|c| c.count_ones()).sum::<u32>();
        assert_eq!(count as usize, names.len());
    }
}

#[test]
fn the_algorithm_is_the_models() {
    let calls = |cpu: &arch::Cpu| {
        let region = translate_for(cpu, &[0xdac1_0020]);
        region.insts.iter().any(|i| matches!(i.op, ir::Op::Call(h, _) if h.name == "qarma5"))
    };
    let models = ["max", "max,pauth-qarma5=on", "max,pauth-qarma5=on,pauth-impdef=on"];
    let cpus = models.map(|m| arch::Cpu::parse(&AARCH64, m).unwrap());
    assert_eq!(cpus.each_ref().map(calls), [false, true, false]);
    for bad in ["m", "max,sve=on", "max,x=on", "max,pauth=2"] {
        assert!(arch::Cpu::parse(&AARCH64, bad).is_err(), "{bad}");
    }
}

/// With LSE2 a pair of general registers is one access.
#[test]
fn pairs_are_one_access_with_lse2() {
    let accesses = |features: u64, word: u32| {
        let cpu = arch::Cpu { features, ..AARCH64.cpus[0] };
        let is_access = |i: &&ir::Inst| matches!(i.op, Op::Load(..) | Op::Store(..));
        translate_for(&cpu, &[word]).insts.iter().filter(is_access).count()
    };
    // ldp x0, x1, [x2]; ldp w0, w1, [x2]; ldpsw x0, x1, [x2]; stp x0, x1, [x2]; stp w0, w1, [x2]
    for word in [0xa940_0440, 0x2940_0440, 0x6940_0440, 0xa900_0440, 0x2900_0440] {
        assert_eq!(
            (accesses(features::MAX, word), accesses(features::MAX | features::LSE2, word)),
            (2, 1),
            "{word:#x}"
        );
    }
}
