//! Each row of a guest's instruction table against binutils: random encodings of the row must have the mnemonic in objdump
//! that they have in the table, and random words must be allocated in both or in neither.
//!
//! Operands are not compared. Not here: what instructions do (`insn.rs`).

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::time::Duration;

use crate::harness;
use decode::{Random, Table};

/// Encodings of each row that are compared.
const PER_ROW: usize = 40;
/// Random words that are compared.
const WORDS: usize = 50_000;

/// Objdump's lines for little-endian words from address 0, without the bytes and the comment.
fn objdump(machine: &[&str], words: &[u32]) -> Option<Vec<String>> {
    let program = harness::find_program("aarch64-linux-gnu-objdump")?;
    let file = harness::scratch("decode").join(format!("{}-{}.bin", std::process::id(), words.len()));
    fs::write(&file, words.iter().flat_map(|w| w.to_le_bytes()).collect::<Vec<u8>>()).expect("scratch file");
    let mut command = Command::new(program);
    command.args(["-D", "-z", "-b", "binary"]).args(machine).arg(&file);
    let outcome = harness::run(&mut command, Duration::from_secs(120));
    let _ = fs::remove_file(&file);
    let text = String::from_utf8_lossy(&outcome.stdout).into_owned();
    // Address, bytes, mnemonic, operands.
    let line =
        |l: &str| l.split_once(":\t").and_then(|(_, rest)| rest.split_once('\t')).map(|(_, text)| text.to_string());
    let lines: Vec<String> = text.lines().filter_map(line).collect();
    assert_eq!(lines.len(), words.len(), "objdump's lines");
    Some(lines)
}

fn mnemonic(text: &str) -> &str {
    text.split_whitespace().next().unwrap_or("")
}

/// What A64's assembler calls an instruction in some of its forms, beside the row's own mnemonic. A row's name that ends in
/// `*` stands for all that begin so.
const A64_ALIASES: &[(&str, &[&str])] = &[
    ("add*", &["cmn", "mov"]),
    ("sub*", &["cmp", "neg", "negs"]),
    ("orr_*", &["mov", "mvn"]),
    ("ands_*", &["tst"]),
    ("movn", &["mov"]),
    ("movz", &["mov"]),
    ("sbfm", &["asr", "sbfiz", "sbfx", "sxtb", "sxth", "sxtw"]),
    ("bfm", &["bfc", "bfi", "bfxil"]),
    ("ubfm", &["lsl", "lsr", "ubfiz", "ubfx", "uxtb", "uxth"]),
    ("extr", &["ror"]),
    ("b_cond", &["b.cs", "b.cc"]),
    ("hint", &["clearbhb", "csdb", "dgh", "esb", "nop", "psb", "sev", "sevl", "tsb", "gcsb"]),
    ("bti", &["bti"]),
    ("dsb", &["ssbb", "pssbb", "dfb"]),
    ("sbc", &["ngc", "ngcs"]),
    ("csinc", &["cinc", "cset"]),
    ("csinv", &["cinv", "csetm"]),
    ("csneg", &["cneg"]),
    ("madd", &["mul"]),
    ("msub", &["mneg"]),
    ("smaddl", &["smull"]),
    ("smsubl", &["smnegl"]),
    ("umaddl", &["umull"]),
    ("umsubl", &["umnegl"]),
    ("prfm*", &["rprfm"]),
    ("dup_elem", &["mov"]),
    ("ins_*", &["mov"]),
    ("umov", &["mov"]),
    ("not_v", &["mvn"]),
    ("sshll", &["sxtl", "sxtl2"]),
    ("ushll", &["uxtl", "uxtl2"]),
];

/// LDADD to XZR is STADD, and so on; the order and the size follow the name.
fn is_store_form(ours: &str, theirs: &str) -> bool {
    ours.strip_prefix("ld").is_some_and(|o| theirs.strip_prefix("st") == Some(o))
}

fn is_alias(row: &str, ours: &str, theirs: &str) -> bool {
    let named = |name: &str| name.strip_suffix('*').map_or(name == row, |start| row.starts_with(start));
    A64_ALIASES.iter().any(|(name, list)| named(name) && list.contains(&theirs)) || is_store_form(ours, theirs)
}

/// Words that objdump calls undefined though the manual only says that their effect is not predictable, by row.
const A64_UNPREDICTABLE: &[&str] = &["ldpsw", "ldar", "ldapr"];

#[test]
fn a64_rows_have_the_mnemonics_of_objdump() {
    let table: &Table<_> = &aarch64::A64;
    let mut random = Random(1);
    let rows = table.rows().iter().flat_map(|row| std::iter::repeat_n(row, PER_ROW));
    let cases: Vec<_> =
        rows.map(|row| (row, table.random(row, &mut random).expect("an encoding of each row"))).collect();
    let words: Vec<u32> = cases.iter().map(|c| c.1).collect();
    let Some(lines) = objdump(&["-m", "aarch64"], &words) else {
        return harness::leave_out("decode of A64", "no aarch64-linux-gnu-objdump");
    };
    let mut wrong = BTreeMap::new();
    for (i, ((row, word), line)) in cases.iter().zip(&lines).enumerate() {
        let ours = row.print(*word, 4 * i as u64);
        let (o, t) = (mnemonic(&ours), mnemonic(line));
        let unpredictable = t == ".inst" && A64_UNPREDICTABLE.contains(&row.name);
        if o != t && !unpredictable && !is_alias(row.name, o, t) {
            wrong.entry((row.line, o.to_string(), t.to_string())).or_insert((word, ours, line));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#x?}");
}

/// Instructions that objdump knows and the table leaves out on purpose, by the start of their mnemonics.
#[rustfmt::skip]
const A64_ABSENT: &[&str] = &[
    // Not for EL0.
    "hvc", "smc", "dcps", "eret", "drps", "at", "tlbi", "ic", "msr", "mrs", "sys", "dc", "cfp", "dvp", "cpp", "cosp", "brb",
    // MTE, MOPS, CSSC, hinted branches, 64-byte accesses, transactions, waits with timeout, guarded control stacks.
    "addg", "subg", "subp", "gmi", "irg", "ldg", "stg", "st2g", "stz", "cpy", "set", "smax", "smin", "umax", "umin", "abs",
    "cnt", "ctz", "bc.", "ld64b", "st64b", "tstart", "ttest", "tcommit", "tcancel", "wfet", "wfit", "gcs", "trcit", "chkfeat",
];

/// Fails for words that are allocated in the table or in objdump alone, but for those that are known.
fn same_allocation(words: &[u32], absent: &[&str]) {
    let Some(lines) = objdump(&["-m", "aarch64"], words) else {
        return harness::leave_out("decode of A64", "no aarch64-linux-gnu-objdump");
    };
    let mut wrong = BTreeMap::new();
    for (&word, line) in words.iter().zip(&lines) {
        let theirs = mnemonic(line);
        let complaint = match (aarch64::A64.decode(word), theirs == ".inst") {
            (None, true) => continue,
            (None, false) if absent.iter().any(|start| theirs.starts_with(start)) => continue,
            (Some(row), true) if A64_UNPREDICTABLE.contains(&row.name) => continue,
            (Some(_), false) => continue,
            (None, false) => format!("not in the table: {theirs}"),
            (Some(row), true) => format!("not allocated: row {}, line {}", row.name, row.line),
        };
        wrong.entry(complaint).or_insert((word, line));
    }
    assert!(wrong.is_empty(), "{wrong:#x?}");
}

#[test]
fn a64_words_are_allocated_as_in_objdump() {
    let mut random = Random(2);
    // All of the base instructions' space: op0 (bits 28 .. 25) 100x, 101x, x1x0, x101.
    let in_space = |w: u32| w >> 27 & 3 == 2 || w >> 25 & 5 == 4 || w >> 25 & 7 == 5;
    let words: Vec<u32> =
        std::iter::repeat_with(|| random.next() as u32).filter(|&w| in_space(w)).take(WORDS).collect();
    same_allocation(&words, A64_ABSENT);
}

#[test]
fn a64_simd_words_are_allocated_as_in_objdump() {
    // op0 x111 is mostly unallocated: words that differ from an encoding in one or two bits say more than random ones.
    let mut random = Random(3);
    let mut words = vec![];
    for row in aarch64::A64.rows().iter().filter(|row| row.pattern.value >> 25 & 7 == 7) {
        for _ in 0..PER_ROW {
            let word = aarch64::A64.random(row, &mut random).expect("an encoding of each row");
            let flip = 1 << (10 + random.next() % 15) | 1 << [10, 29, 30, 31, 28][random.next() as usize % 5];
            words.push(word ^ flip);
        }
    }
    // Objdump does not look at bit 22 of FMLAL.
    same_allocation(&words, &["fmlal", "fmlsl"]);
}
