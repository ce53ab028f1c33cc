//! What holds for each row: it decodes and translates, and the order of its operations is exact.

use crate::translate::disassemble;
use crate::{A32, ARM, CP, NEON, T16, T32};
use arch::{Code, Translation};
use decode::{Random, Row, Table};
use ir::{Builder, Op, Region, Term};

/// Bytes at address 0x1000.
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

/// The region of code in A32 or, with `pc` 0x1001, T32.
fn translate(pc: u64, code: &[u8], mode: u32, max_insns: u32) -> Region {
    let mut b = Builder::new(ARM.state.types);
    let mut bytes = Bytes(code.to_vec());
    let mut t = Translation {
        b: &mut b,
        code: &mut bytes,
        max_insns,
        leaders: &(),
        features: ARM.cpus[0].features,
        guards: false,
    };
    (ARM.translate)(&mut t, pc, mode);
    b.region
}

fn a32(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|w| w.to_le_bytes()).collect()
}

fn t16(halves: &[u16]) -> Vec<u8> {
    halves.iter().flat_map(|w| w.to_le_bytes()).collect()
}

/// A word of a table as code, and the pc to run it at. NEON goes through both instruction sets.
fn code_of(table: &str, word: u32, thumb: bool) -> (u64, Vec<u8>) {
    let both = |w: u32| (0x1001, t16(&[(w >> 16) as u16, w as u16]));
    match table {
        "t16" => (0x1001, t16(&[word as u16])),
        "t32" => both(word),
        "neon" if thumb && word >> 24 == 0xf4 => both(word & 0x00ff_ffff | 0xf900_0000),
        "neon" if thumb => both(word & 0x00ff_ffff | 0xef00_0000 | (word >> 24 & 1) << 28),
        "cp" if thumb => both(word),
        _ => (0x1000, a32(&[word])),
    }
}

/// Calls `f` with the code of random words of each row.
fn for_each_row(seed: u64, mut f: impl FnMut(u64, &[u8], &str)) {
    let mut random = Random(seed);
    for table in [&A32, &T16, &T32, &CP, &NEON] {
        for row in table.rows() {
            for i in 0..20 {
                let word = random_word(table, row, &mut random);
                let (pc, code) = code_of(table.name, word, i % 2 == 1);
                f(pc, &code, row.name);
            }
        }
    }
}

fn random_word<F: Copy>(table: &Table<F>, row: &Row<F>, random: &mut Random) -> u32 {
    table.random(row, random).unwrap_or_else(|| panic!("line {}: {}", row.line, row.name))
}

#[test]
fn each_row_has_random_encodings_that_translate() {
    for_each_row(1, |pc, code, name| {
        let region = translate(pc, code, 0, 1);
        let text = disassemble(code, pc, 0).0;
        assert!(region.blocks.iter().all(|b| b.term != Term::None), "{text}");
        assert!(!text.contains('?') && !text.starts_with(".inst"), "{name}: {text} {code:x?}");
    });
}

/// But for loads of several registers, which may be done again: the base is set last.
#[test]
fn state_is_set_after_all_that_can_fault() {
    for_each_row(2, |pc, code, name| {
        let region = translate(pc, code, 0, 1);
        let mut set = Vec::new();
        for inst in &region.insts {
            match inst.op {
                Op::Set(slot, _) => set.push(Some(slot)),
                Op::FpFlagsSet(_) => set.push(None),
                op if op.can_fault() && !set.is_empty() => {
                    let base = if let Op::Load(m) = op { region.op(m.base) } else { &op };
                    let stands = matches!(*base, Op::Get(slot) if !set.contains(&Some(slot)));
                    assert!(stands, "{name}: {}", disassemble(code, pc, 0).0);
                }
                _ => {}
            }
        }
    });
}

#[test]
fn values_stay_in_their_blocks() {
    for_each_row(3, |pc, code, name| {
        // Conditional, for blocks to come of it.
        let code =
            if pc == 0x1000 && code[3] >> 4 == 14 { [&code[..3], &[code[3] & 15]].concat() } else { code.to_vec() };
        let region = translate(pc, &code, 0, 1);
        for b in &region.blocks {
            for i in &region.insts[b.start as usize..b.end as usize] {
                i.op.for_each_arg(|v| assert!(v.0 >= b.start, "{name}: {}", disassemble(&code, pc, 0).0));
            }
            b.term.for_each_arg(|v| assert!(v.0 >= b.start, "{name}"));
        }
    });
}

#[test]
fn runs_of_a_condition_share_a_branch() {
    // ldrne r0, [r1]; addne r0, r0, #1; strne r0, [r1]; mov r2, r0
    let code = a32(&[0x1591_0000, 0x1280_0001, 0x1581_0000, 0xe1a0_2000]);
    let region = translate(0x1000, &code, 0, 4);
    assert_eq!((region.blocks.len(), region.guest_insns), (3, 4));
}

#[test]
fn short_computations_select() {
    // cmp r0, #0; movne r1, #1; moveq r1, #0
    let region = translate(0x1000, &a32(&[0xe350_0000, 0x13a0_1001, 0x03a0_1000]), 0, 3);
    assert_eq!(region.blocks.len(), 1);
    assert!(region.insts.iter().any(|i| matches!(i.op, Op::Select(..))));
}

#[test]
fn an_it_block_stays_together() {
    // itte ne; ldrne r0, [r1]; strne r0, [r2]; ldreq r0, [r3]; bx lr
    let code = t16(&[0xbf1a, 0x6808, 0x6010, 0x6818, 0x4770]);
    let region = translate(0x1001, &code, 0, 2);
    assert_eq!(region.guest_insns, 4);
    let states: Vec<u32> = region
        .insts
        .iter()
        .filter_map(|i| match i.op {
            Op::Insn { extra, .. } => Some(extra),
            _ => None,
        })
        .collect();
    assert_eq!(states, [0, 0x1a, 0x14, 0x08]);
}

#[test]
fn a_single_step_stops_inside_an_it_block() {
    let code = t16(&[0xbf18, 0x6808]);
    let region = translate(0x1001, &code, 0, 1);
    assert_eq!(region.blocks[0].term, Term::Resume { pc: 0x1003 });
    // ITSTATE is part of the mode: it is computed anew.
    let region = translate(0x1003, &code, 0x18, 1);
    assert_eq!(region.blocks.last().map(|b| b.term), Some(Term::Resume { pc: 0x1005 }));
}

#[test]
fn a_return_inside_an_it_block_is_done_without_it() {
    // (it eq) bx lr
    let region = translate(0x1001, &t16(&[0x4770]), 0x08, 10);
    let terms: Vec<Term> = region.blocks[1..].iter().map(|b| b.term).collect();
    assert_eq!(terms, [Term::Resume { pc: 0x1001 }, Term::Resume { pc: 0x1003 }]);
}

#[test]
fn misaligned_pcs_and_missing_code_trap() {
    let trap = |pc, code: &[u8]| translate(pc, code, 0, 1).blocks[0].term;
    assert_eq!(trap(0x1002, &a32(&[0xe1a0_0000; 2])), Term::Trap(ir::Trap::PcAlign));
    assert_eq!(trap(0x1000, &[]), Term::Trap(ir::Trap::Fetch));
    // The first half of a long instruction.
    assert_eq!(trap(0x1001, &t16(&[0xf000])), Term::Trap(ir::Trap::Fetch));
}
