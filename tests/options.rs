//! What options do, with the greeting programs of the repository: nothing foreign is needed.

use std::fs;
use std::process::Command;
use std::time::Duration;

use crate::harness::{self, GUESTS, Guest, Outcome};

/// rqemu with these words before the greeting program.
fn greet(guest: &Guest, options: &[&str]) -> Outcome {
    let program = harness::repository().join("tests/programs/hello").join(guest.name);
    harness::run(Command::new(harness::rqemu(guest)).args(options).arg(program), Duration::from_secs(20))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn stats_are_told_at_the_end() {
    for guest in GUESTS {
        let log = text(&greet(guest, &["-d", "stats"]).stderr);
        for part in ["translation  regions", "nanoseconds  back_end", "exits        syscall"] {
            assert!(log.contains(part), "{part} in {log}");
        }
        let file = harness::scratch("stats").join(guest.name);
        let _ = fs::remove_file(&file);
        let name = file.to_str().unwrap();
        assert_eq!(greet(guest, &["-stats", name]).end, "exit 0");
        assert_eq!(greet(guest, &["-stats", name]).end, "exit 0");
        let lines = fs::read_to_string(&file).unwrap();
        assert_eq!(lines.lines().count(), 2, "a line for each process: {lines}");
        // write and exit.
        assert!(
            lines.lines().all(|l| l.contains("\"syscall\": 2") && l.starts_with('{') && l.ends_with('}')),
            "{lines}"
        );
    }
}

#[test]
fn perf_learns_of_every_translation() {
    for guest in GUESTS {
        let dir = harness::scratch("perf").join(guest.name);
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        let program = harness::repository().join("tests/programs/hello").join(guest.name);
        let mut command = Command::new(harness::rqemu(guest));
        let file = dir.join("stats");
        command.args(["-perfmap", "-jitdump", "-stats"]).arg(&file).arg(program).current_dir(&dir);
        assert_eq!(harness::run(&mut command, Duration::from_secs(20)).end, "exit 0");
        let stats = fs::read_to_string(&file).unwrap();
        let pid: u32 = after(&stats, "\"pid\": ");
        let regions: usize = after(&stats, "\"regions\": ");

        let map = format!("/tmp/perf-{pid}.map");
        let text = fs::read_to_string(&map).unwrap();
        fs::remove_file(map).unwrap();
        let guest_lines = text.lines().filter(|l| l.split(' ').nth(2).is_some_and(|n| n.starts_with("guest-0x")));
        assert_eq!(guest_lines.count(), regions, "{text}");

        let dump = fs::read(dir.join(format!("jit-{pid}.dump"))).unwrap();
        let word = |at: usize| u32::from_le_bytes(dump[at..at + 4].try_into().unwrap());
        assert_eq!((&dump[..4], word(4), word(8), word(20)), (&b"DTiJ"[..], 1, 40, pid));
        let (mut at, mut loads) = (40, 0);
        while at < dump.len() {
            assert_eq!(word(at), 0, "JIT_CODE_LOAD");
            let (size, code_size) = (word(at + 4) as usize, word(at + 40) as usize);
            let name = dump[at + 56..at + size - code_size].strip_suffix(&[0]).unwrap();
            loads += usize::from(name.starts_with(b"guest-0x"));
            at += size;
        }
        assert_eq!((at, loads), (dump.len(), regions));
    }
}

/// The number that follows these words.
fn after<T: std::str::FromStr>(text: &str, words: &str) -> T {
    let rest = &text[text.find(words).unwrap_or_else(|| panic!("{words} in {text}")) + words.len()..];
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse().ok().unwrap()
}

#[test]
fn entries_are_traced_with_registers() {
    for guest in GUESTS {
        let log = text(&greet(guest, &["-d", "exec,cpu,fpu,nochain"]).stderr);
        let entries = log.lines().filter(|l| l.starts_with("Trace: 0x")).count();
        let regions: usize = after(&text(&greet(guest, &["-stats", "/dev/stderr"]).stderr), "\"regions\": ");
        // No loop in it: with nochain each region is entered once, and once more after each system call.
        assert!(entries >= regions, "{entries} entries of {regions} regions: {log}");
        assert!(
            log.contains("pc=")
                && ["nzcv=", "frm="].iter().any(|last| log.contains(last))
                && log.contains("0=000000000000000000000000"),
            "{log}"
        );
        let log = text(&greet(guest, &["-d", "exec"]).stderr);
        assert!(log.contains("Trace: 0x") && !log.contains("pc="), "{log}");
    }
}

#[test]
fn a_log_file_for_each_thread() {
    let dir = harness::scratch("tid");
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    let name = dir.join("log-%d");
    assert_eq!(greet(&GUESTS[0], &["-d", "tid,strace", "-D", name.to_str().unwrap()]).end, "exit 0");
    let files: Vec<_> = fs::read_dir(&dir).unwrap().map(|f| f.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    assert!(fs::read_to_string(&files[0]).unwrap().contains("write("));
}

#[test]
fn what_is_wrong_is_one_line_and_a_status() {
    let guest = &GUESTS[0];
    for (options, part) in [
        (&["-g", "1234"][..], "-g is not implemented"),
        (&["-plugin", "x.so"], "-plugin is not implemented"),
        (&["-trace", "x"], "-trace is not implemented"),
        (&["-nonsense"], "unknown option"),
        (&["-cpu", "nothing"], "no such model"),
        (&["-d", "nothing"], "knows no"),
        (&["-s", "much"], "needs a number"),
        (&["-D", "/nonexistent/log"], "cannot open the log"),
        (&["-d", "tid"], "needs a -D"),
    ] {
        let got = greet(guest, options);
        let said = text(&got.stderr);
        assert_eq!((got.end.as_str(), said.lines().count()), ("exit 1", 1), "{options:?}: {said}");
        assert!(said.starts_with("rqemu: ") && said.contains(part), "{said}");
        assert!(got.stdout.is_empty());
    }
}
