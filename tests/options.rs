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
