//! Models of processors: what each lacks must be undefined on it, and what it has must not. The reference says what that is.

use std::fs;
use std::process::Command;
use std::time::Duration;

use decode::{Random, Row, Table};

use crate::harness::{self, GUESTS};

const LIMIT: Duration = Duration::from_secs(60);
/// Words of each row.
const PER_ROW: usize = 3;

/// Rows that leave for elsewhere, access other memory than the probe's, ask for short vectors, change the stack or the byte order, or are undefined on all: the probe could not go on, or shows nothing.
const NOT_RUN: [&str; 25] = [
    "b", "b11", "b24", "b_cond8", "b_cond20", "bl", "bl24", "blx", "blx24", "blx_reg", "bx", "bkpt", "cbz", "it",
    "pop", "push", "setend", "svc", "tbb", "udf", "vmsr", "ld_reg", "st_reg", "ldrd_reg", "strd_reg",
];
/// Where the reference is known to do something else, and why.
const DIFFERS: [(&str, &str); 2] = [
    ("vcvt_fixed", "more fraction bits than there are bits: unpredictable"),
    ("vmov_pair", "the same register twice: unpredictable"),
];

/// A word whose registers are all plain ones.
fn draw<F>(table: &Table<F>, row: &Row<F>, random: &mut Random) -> Option<u32> {
    (0..200).find_map(|_| {
        let bits = table.random(row, random)?;
        let base = row.fields.iter().find(|f| f.name() == "n").map_or(16, |f| f.of(bits));
        let plain = |f: &decode::Field| match f.name() {
            // A list of registers may end beyond the last.
            "d" if f.of(bits) > 27 => false,
            "d" | "n" | "m" | "a" | "t" | "x" | "s" | "h" | "l" => !(13..16).contains(&f.of(bits)),
            "r" => f.of(bits) >> 13 == 0 && f.of(bits) >> base & 1 == 0,
            _ => true,
        };
        row.fields.iter().all(plain).then_some(bits)
    })
}

/// Lines for the probe, with the rows they are of. Without Thumb-2, the halves of a T32 word are a branch to anywhere.
fn words(thumb2: bool) -> (String, Vec<String>) {
    let (mut lines, mut rows, mut random) = (String::new(), Vec::new(), Random(7));
    let tables =
        [(&arm::A32, 'a'), (&arm::CP, 'a'), (&arm::NEON, 'a'), (&arm::T16, 'h'), (&arm::T32, 't'), (&arm::CP, 't')];
    for (table, kind) in tables.into_iter().filter(|t| thumb2 || t.1 != 't') {
        for row in table.rows.iter().filter(|r| !NOT_RUN.contains(&r.name)) {
            for _ in 0..PER_ROW {
                let Some(bits) = draw(table, row, &mut random) else { continue };
                lines += &format!("{kind} {bits:x}\n");
                rows.push(format!("{} line {} ({kind} {bits:08x})", row.name, row.line));
            }
        }
    }
    (lines, rows)
}

fn undefined(mut command: Command, input: &std::path::Path) -> Vec<u8> {
    let done = harness::run(command.arg(input), LIMIT);
    assert_eq!(done.end, "exit 0", "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
    done.stdout
}

#[test]
fn models_lack_what_the_processor_lacks() {
    let guest = GUESTS.iter().find(|g| g.name == "arm").expect("a guest");
    let (Some(compiler), Some(reference)) = (harness::find_program("arm-linux-gnueabi-gcc"), harness::reference(guest))
    else {
        return harness::leave_out("models of arm", "no cross compiler or no reference");
    };
    let folder = harness::scratch("models");
    let (program, input) = (folder.join("probe"), folder.join("words"));
    let source = harness::repository().join("tests/models/probe.c");
    harness::compile(&compiler, &["-static", "-nostdlib", "-O1", "-marm", "-w", "-std=gnu11"], &source, &program)
        .expect("the probe");
    let mut wrong = Vec::new();
    for model in arm::ARM.cpus {
        let (lines, rows) = words(matches!(model.name, "max" | "cortex-a15"));
        fs::write(&input, lines).expect("words");
        let run = |emulator: &std::path::Path| {
            let mut command = Command::new(emulator);
            command.args(["-cpu", model.name]).arg(&program);
            undefined(command, &input)
        };
        let (ours, theirs) = (run(&harness::rqemu(guest)), run(&reference));
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
