//! Models of processors: what each lacks must be undefined on it, and what it has must not. The reference says what that is.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use decode::{Random, Row, Table};

use crate::harness::{self, GUESTS};

const LIMIT: Duration = Duration::from_secs(60);
/// Words of each row.
const PER_ROW: usize = 3;

/// Rows that leave for elsewhere, access other memory than the probe's, ask for short vectors, change the stack or the byte order, or are undefined on
/// all: the probe could not go on, or shows nothing.
const NOT_RUN: [&str; 43] = [
    "b",
    "b11",
    "b24",
    "b_cond",
    "b_cond8",
    "b_cond20",
    "bl",
    "bl24",
    "blr",
    "blra",
    "blraz",
    "blx",
    "blx24",
    "blx_reg",
    "br",
    "bra",
    "braz",
    "brk",
    "bx",
    "bkpt",
    "cbnz",
    "cbz",
    "hlt",
    "it",
    "ld_reg",
    "ldr_reg",
    "ldrd_reg",
    "ldrs_reg",
    "ldr_v_reg",
    "pop",
    "push",
    "ret",
    "reta",
    "setend",
    "st_reg",
    "str_reg",
    "str_v_reg",
    "strd_reg",
    "svc",
    "tbb",
    "tbnz",
    "tbz",
    "vmsr",
];
/// Where the reference does something else, and why.
const DIFFERS: [(&str, &str); 10] = [
    ("auti", "the reference traps where a code is wrong (FEAT_FPAC), which is not announced here"),
    ("autd", "as above"),
    ("aut1716", "as above"),
    ("autiz", "as above"),
    ("autisp", "as above"),
    ("ldra", "as above"),
    ("vfma_v", "VFPv4, which Cortex-A8 and A9 lack and the reference gives them"),
    ("vfms_v", "as above"),
    ("vcvt_fixed", "more fraction bits than there are bits: unpredictable"),
    ("vmov_pair", "the same register twice: unpredictable"),
];

/// A word whose registers are all plain ones, below `special`.
fn draw<F: Copy>(table: &Table<F>, row: &Row<F>, special: u32, random: &mut Random) -> Option<u32> {
    (0..200).find_map(|_| {
        let bits = table.random(row, random)?;
        let base = row.fields.iter().find(|f| f.name() == "n").map_or(31, |f| f.of(bits));
        let plain = |f: &decode::Field| match f.name() {
            // A list of registers may end beyond the last.
            "d" if f.of(bits) > 27 => false,
            "d" | "n" | "m" | "a" | "t" | "u" | "x" | "s" | "h" | "l" => !(special..special + 3).contains(&f.of(bits)),
            "r" if special == 13 => f.of(bits) >> 13 == 0 && f.of(bits) >> base & 1 == 0,
            _ => true,
        };
        row.fields.iter().all(plain).then_some(bits)
    })
}

/// Lines for the probe, and the rows they are of.
#[derive(Default)]
struct Words {
    lines: String,
    rows: Vec<String>,
}

impl Words {
    fn add<F: Copy>(&mut self, table: &Table<F>, kind: char, special: u32, random: &mut Random) {
        for row in table.rows().iter().filter(|r| !NOT_RUN.contains(&r.name)) {
            for _ in 0..PER_ROW {
                let Some(bits) = draw(table, row, special, random) else { continue };
                self.lines += &format!("{kind} {bits:x}\n");
                self.rows.push(format!("{} line {} ({kind} {bits:08x})", row.name, row.line));
            }
        }
    }
}

/// For a model of arm. Without Thumb-2, the halves of a T32 word are a branch to anywhere.
fn arm_words(model: &str) -> Words {
    let (mut words, mut random) = (Words::default(), Random(7));
    let thumb2 = model == "max" || model.starts_with("cortex");
    let tables =
        [(&arm::A32, 'a'), (&arm::CP, 'a'), (&arm::NEON, 'a'), (&arm::T16, 'h'), (&arm::T32, 't'), (&arm::CP, 't')];
    for (table, kind) in tables.into_iter().filter(|t| thumb2 || t.1 != 't') {
        words.add(table, kind, 13, &mut random);
    }
    words
}

fn a64_words(_: &str) -> Words {
    let mut words = Words::default();
    words.add(&aarch64::A64, 'a', 29, &mut Random(7));
    words
}

fn answers(emulator: &Path, model: &str, program: &Path, input: &Path) -> Vec<u8> {
    let mut command = Command::new(emulator);
    let done = harness::run(command.args(["-cpu", model]).arg(program).arg(input), LIMIT);
    assert_eq!(done.end, "exit 0", "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
    done.stdout
}

fn check(name: &str, compiler: &str, cpus: &[arch::Cpu], words: fn(&str) -> Words) {
    let guest = GUESTS.iter().find(|g| g.name == name).expect("a guest");
    let (Some(gcc), Some(reference)) = (harness::find_program(compiler), harness::reference(guest)) else {
        return harness::leave_out(&format!("models of {name}"), "no cross compiler or no reference");
    };
    let folder = harness::scratch(&format!("models-{name}"));
    let (program, input) = (folder.join("probe"), folder.join("words"));
    let source = harness::repository().join("tests/models/probe.c");
    harness::compile(&gcc, &["-static", "-nostdlib", "-O1", "-w", "-std=gnu11"], &source, &program).expect("the probe");
    let mut wrong = Vec::new();
    for model in cpus {
        let Words { lines, rows } = words(model.name);
        fs::write(&input, lines).expect("words");
        let ours = answers(&harness::rqemu(guest), model.name, &program, &input);
        let theirs = answers(&reference, model.name, &program, &input);
        assert_eq!((ours.len(), theirs.len()), (rows.len(), rows.len()), "{}: an answer for each", model.name);
        for ((row, a), b) in rows.iter().zip(&ours).zip(&theirs) {
            let known = DIFFERS.iter().any(|(name, _)| row.starts_with(&format!("{name} ")));
            if a != b && !known {
                wrong.push(format!("{}: {row}: {} and not {}", model.name, *a as char, *b as char));
            }
        }
    }
    assert!(wrong.is_empty(), "{} differ from the reference:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn arm_models_lack_what_the_processor_lacks() {
    check("arm", "arm-linux-gnueabi-gcc", arm::ARM.cpus, arm_words);
}

#[test]
fn aarch64_models_lack_what_the_processor_lacks() {
    check("aarch64", "aarch64-linux-gnu-gcc", aarch64::AARCH64.cpus, a64_words);
}
