//! Each row of A32's and T32's tables against binutils, as in `decode.rs`: random encodings of the row must have the mnemonic in
//! objdump that they have in the table. Operands are not compared, nor which words are allocated: much is unpredictable, and objdump
//! knows coprocessors that are not here.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::time::Duration;

use crate::harness;
use arm::{A32, ARM, CP, NEON, T16, T32};
use decode::Random;

/// Encodings of each row that are compared.
const PER_ROW: usize = 40;

/// An instruction as bytes, filled up to four with a T32 NOP.
fn padded(thumb: bool, word: u32, long: bool) -> [u8; 4] {
    let w = match (thumb, long) {
        (true, true) => word.rotate_left(16),
        (true, false) => word & 0xffff | 0xbf00 << 16,
        (false, _) => word,
    };
    w.to_le_bytes()
}

/// Objdump's line for each piece of four bytes, without addresses and comments.
fn objdump(thumb: bool, pieces: &[[u8; 4]]) -> Option<Vec<String>> {
    let program = harness::find_program("arm-linux-gnueabihf-objdump")?;
    let file = harness::scratch("decode").join(format!("{}-{thumb}-{}.bin", std::process::id(), pieces.len()));
    fs::write(&file, pieces.concat()).expect("scratch file");
    let mut command = Command::new(program);
    command.args(["-D", "-z", "-b", "binary", "-m", "armv8-a"]);
    if thumb {
        command.args(["-M", "force-thumb"]);
    }
    let outcome = harness::run(command.arg(&file), Duration::from_secs(120));
    let _ = fs::remove_file(&file);
    let text = String::from_utf8_lossy(&outcome.stdout).into_owned();
    let line = |l: &str| {
        let (address, rest) = l.split_once(":\t")?;
        let (_, text) = rest.split_once('\t')?;
        Some((usize::from_str_radix(address.trim(), 16).ok()?, text.split('@').next()?.trim().to_string()))
    };
    let lines: BTreeMap<usize, String> = text.lines().filter_map(line).collect();
    Some((0..pieces.len()).map(|i| lines.get(&(4 * i)).cloned().unwrap_or_default()).collect())
}

/// The mnemonic without what says the same as the operands or the encoding's width.
fn mnemonic(text: &str) -> String {
    let word = text.split_whitespace().next().unwrap_or("");
    word.trim_end_matches(".w").trim_end_matches(".n").to_string()
}

/// What objdump calls a row's instruction in some of its forms: (start of the row's mnemonic, start of objdump's).
#[rustfmt::skip]
const ALIASES: &[(&str, &str)] = &[
    ("mov", "lsl"), ("mov", "lsr"), ("mov", "asr"), ("mov", "ror"), ("mov", "rrx"), ("lsls", "movs"), ("rsbs", "negs"),
    ("stm", "push"), ("ldm", "pop"), ("ldm", "ldm"), ("stm", "stm"), ("vldm", "vpop"), ("vstm", "vpush"), ("vldm", "fldm"), ("vstm", "fstm"),
    // Unprivileged.
    ("ldr", "ldr"), ("str", "str"),
    ("nop", "csdb"), ("nop", "dbg"), ("nop", "nop"), ("nop", "pldw"), ("cps", "cps"), ("pld", "pl"), ("dsb", "ssbb"), ("dsb", "pssbb"), ("dsb", "dfb"),
    ("vshl.i", "vshl.s"), ("vshll", "vmovl"),
    // Where the number of a Q register is odd, or the size reserved, ours is undefined when translated.
    ("vext", "vm"), ("vext", "vqdm"), ("vext", ""), ("vld", "vld"), ("vst", "vst"), ("usat", "usat16"), ("ssat", "ssat16"),
    // Unallocated hints.
    ("nop", ""), ("pld", "ldrsh"), ("cps", "undefined"),
];

fn is_alias(ours: &str, theirs: &str) -> bool {
    ours == theirs || ALIASES.iter().any(|(o, t)| ours.starts_with(o) && theirs.starts_with(t))
}

/// Compares the mnemonics of the rows of one instruction set.
fn compare(thumb: bool) {
    let mut random = Random(1);
    let (mut cases, mut pieces) = (vec![], vec![]);
    for table in if thumb { vec![&T16, &T32, &CP, &NEON] } else { vec![&A32, &CP, &NEON] } {
        for row in table.rows() {
            for _ in 0..PER_ROW {
                let word = table.random(row, &mut random).expect("an encoding of each row");
                let word = match table.name {
                    "neon" if thumb && word >> 24 == 0xf4 => word & 0x00ff_ffff | 0xf900_0000,
                    "neon" if thumb => word & 0x00ff_ffff | 0xef00_0000 | (word >> 24 & 1) << 28,
                    _ => word,
                };
                pieces.push(padded(thumb, word, table.name != "t16"));
                cases.push(row);
            }
        }
    }
    let Some(lines) = objdump(thumb, &pieces) else {
        return harness::leave_out("decode of A32 and T32", "no arm-linux-gnueabihf-objdump");
    };
    let mut wrong = BTreeMap::new();
    for (i, ((row, piece), line)) in cases.iter().zip(&pieces).zip(&lines).enumerate() {
        let (ours, _) = (ARM.disassemble)(piece, (4 * i as u64) | u64::from(thumb), 0);
        let (o, t) = (mnemonic(&ours), mnemonic(line));
        if !is_alias(&o, &t) {
            wrong.entry((row.section, row.line, o, t)).or_insert((format!("{piece:02x?}"), ours, line));
        }
    }
    assert!(wrong.is_empty(), "{} {wrong:#?}", wrong.len());
}

#[test]
fn a32_rows_have_the_mnemonics_of_objdump() {
    compare(false);
}

#[test]
fn t32_rows_have_the_mnemonics_of_objdump() {
    compare(true);
}
