//! The foreign programs that are kept in the repository: they greet, and their binaries are what their sources say.

use std::fs;
use std::process::Command;
use std::time::Duration;

use crate::harness::{self, GUESTS, Guest, Outcome};
use crate::ways::{self, Way};

pub(crate) fn check(guest: &Guest, way: &Way) -> Result<(), String> {
    let program = harness::repository().join("tests/programs/hello").join(guest.name);
    let got = way.outcome(Duration::from_secs(20), |variables, limit| {
        harness::run(ways::with(&mut Command::new(harness::rqemu(guest)), variables).arg(&program), limit)
    });
    let article = if guest.name.starts_with(['a', 'i', 'x']) { "an" } else { "a" };
    let greeting = format!("Hello from {article} {} program.\n", guest.name);
    let expected = Outcome { stdout: greeting.into(), stderr: Vec::new(), end: "exit 0".into() };
    harness::compare(&expected, &got)
}

#[test]
fn greets() {
    harness::judge("hello", GUESTS, |guest| guest.name.into(), |guest| check(guest, &ways::USUAL));
}

#[test]
fn is_what_its_source_says() {
    let folder = harness::repository().join("tests/programs/hello");
    // Those without a compiler of their own are built by a relative's.
    let missing = GUESTS
        .iter()
        .filter(|g| !g.roots.is_empty() && !g.native)
        .find(|g| harness::find_program(&format!("{}-gcc", g.triplets[0])).is_none());
    if let Some(guest) = missing {
        return harness::leave_out("rebuilding tests/programs/hello", &format!("no {}-gcc", guest.triplets[0]));
    }
    let out = harness::scratch("hello");
    let built = harness::run(Command::new(folder.join("build")).arg(&out), Duration::from_secs(60));
    assert_eq!(built.end, "exit 0", "{}", String::from_utf8_lossy(&built.stderr));
    for guest in GUESTS {
        let (kept, made) = (fs::read(folder.join(guest.name)).unwrap(), fs::read(out.join(guest.name)).unwrap());
        assert!(kept == made, "tests/programs/hello/{} is not what build makes of its source", guest.name);
    }
}
