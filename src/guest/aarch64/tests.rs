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

/// The region of some words, and what was not implemented.
fn translate(words: &[u32], mode: u32) -> (Region, Vec<(u64, String)>) {
    let mut b = Builder::new(AARCH64.state.types);
    let mut code = Words(words);
    let mut t = Translation { b: &mut b, code: &mut code, max_insns: words.len() as u32, unimplemented: vec![] };
    (AARCH64.translate)(&mut t, 0x1000, mode);
    let unimplemented = t.unimplemented;
    (b.region, unimplemented)
}

#[test]
fn each_row_has_random_encodings_that_translate() {
    let mut random = Random(1);
    for row in A64.rows {
        for _ in 0..20 {
            let word = A64.random(row, &mut random).unwrap_or_else(|| panic!("line {}: {}", row.line, row.name));
            let (region, _) = translate(&[word], 0);
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
            let (region, _) = translate(&[word], 0);
            let is_set = |op: &Op| matches!(op, Op::Set(..) | Op::FpFlagsSet(_));
            let first_set = region.insts.iter().position(|i| is_set(&i.op)).unwrap_or(usize::MAX);
            let last_fault = region.insts.iter().rposition(|i| i.op.can_fault()).unwrap_or(0);
            assert!(last_fault < first_set, "{}", row.print(word, 0x1000));
        }
    }
}

#[test]
fn unallocated_words_trap_and_are_told_of() {
    // HVC #0.
    let (region, unimplemented) = translate(&[0xd400_0002], 0);
    assert_eq!(region.blocks[0].term, Term::Trap(ir::Trap::Undefined));
    assert_eq!(unimplemented.len(), 1);
}

#[test]
fn a_region_ends_where_the_code_does() {
    // NOP; NOP, then nothing.
    let mut b = Builder::new(AARCH64.state.types);
    let mut code = Words(&[0xd503_201f; 2]);
    let mut t = Translation { b: &mut b, code: &mut code, max_insns: 100, unimplemented: vec![] };
    (AARCH64.translate)(&mut t, 0x1000, 0);
    assert_eq!(b.region.blocks[0].term, Term::Goto { pc: 0x1008 });
    assert_eq!((b.region.end, b.region.guest_insns), (0x1008, 2));
}

#[test]
fn long_runs_are_fetched_in_parts() {
    let (region, _) = translate(&[0x9100_0400; 100], 0);
    assert_eq!(region.guest_insns, 100);
    assert_eq!(region.blocks[0].term, Term::Goto { pc: 0x1000 + 400 });
}
