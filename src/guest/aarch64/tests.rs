//! What holds for each row: it decodes and translates, and the order of its operations is exact.

use crate::{A64, AARCH64};
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
    let mut b = Builder::new(AARCH64.state.types);
    let mut code = Words(words);
    let mut t = Translation {
        b: &mut b,
        code: &mut code,
        max_insns: words.len() as u32,
        features: AARCH64.cpus[0].features,
        guards: false,
    };
    (AARCH64.translate)(&mut t, 0x1000, mode);
    b.region
}

#[test]
fn each_row_has_random_encodings_that_translate() {
    let mut random = Random(1);
    for row in A64.rows {
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
    for row in A64.rows {
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
    let mut t =
        Translation { b: &mut b, code: &mut code, max_insns: 100, features: AARCH64.cpus[0].features, guards: false };
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
