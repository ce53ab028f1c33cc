//! System calls with hostile arguments (`hostile/calls.c`), at random but for a seed: rqemu must not crash and must not hang.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::harness::{self, GUESTS, Guest};

/// Calls that are never made: they are about the whole machine.
const SKIPPED: &[&str] = &[
    "adjtimex",
    "clock_adjtime",
    "clock_adjtime64",
    "clock_settime",
    "clock_settime64",
    "delete_module",
    "finit_module",
    "init_module",
    "kexec_file_load",
    "kexec_load",
    "reboot",
    "settimeofday",
    "stime",
    "swapoff",
    "swapon",
    "sync",
    "vhangup",
];

/// Calls during which the alarm that ends a call may not get through, as these set masks, take signals, or leave a process that waits for another.
const MAY_WAIT: &[&str] = &[
    "clone",
    "clone3",
    "epoll_pwait",
    "epoll_pwait2",
    "execve",
    "execveat",
    "exit",
    "fork",
    "io_pgetevents",
    "io_pgetevents_time64",
    "io_uring_enter",
    "kill",
    "pidfd_send_signal",
    "ppoll",
    "ppoll_time64",
    "pselect6",
    "pselect6_time64",
    "ptrace",
    "rt_sigqueueinfo",
    "rt_sigreturn",
    "rt_sigsuspend",
    "rt_sigtimedwait",
    "rt_sigtimedwait_time64",
    "rt_tgsigqueueinfo",
    "sigreturn",
    "sigsuspend",
    "tgkill",
    "tkill",
    "vfork",
];

/// What the program says of a round that does not end, before the round's number.
const STUCK: &str = "stuck in round ";

/// A guest's program with the numbers of its table.
pub(crate) struct Subject {
    pub(crate) guest: &'static Guest,
    program: PathBuf,
    numbers: PathBuf,
}

/// Every guest with a compiler.
pub(crate) fn subjects() -> Vec<Subject> {
    let folder = harness::scratch("hostile");
    let mut subjects = Vec::new();
    for guest in GUESTS {
        let triplet = guest.triplets[0];
        let Some(compiler) = harness::find_program(&format!("{triplet}-gcc")) else {
            harness::leave_out(&format!("hostile calls of {triplet}"), "no cross compiler (tests/setup host)");
            continue;
        };
        let program = folder.join(guest.name);
        let source = harness::repository().join("tests/hostile/calls.c");
        let built = harness::compile(&compiler, &["-static", "-O1", "-w", "-D_GNU_SOURCE"], &source, &program);
        if let Err(why) = built {
            harness::leave_out(&format!("hostile calls of {triplet}"), why.lines().next().unwrap_or_default());
            continue;
        }
        let table = harness::repository().join("syscall-tables").join(format!("{}.tbl", guest.name));
        let table = fs::read_to_string(table).expect("the guest's table");
        let rows = table.lines().filter(|line| !line.starts_with('#'));
        let rows = rows.filter_map(|line| line.split_whitespace().next().zip(line.split_whitespace().nth(1)));
        let rows = rows.filter(|(_, name)| !SKIPPED.contains(name));
        let mark = |name: &str| if MAY_WAIT.contains(&name) { "+" } else { "" };
        let text: String = rows.map(|(number, name)| format!("{number} {}{name}\n", mark(name))).collect();
        let numbers = folder.join(format!("{}.numbers", guest.name));
        fs::write(&numbers, text).expect("numbers");
        subjects.push(Subject { guest, program, numbers });
    }
    subjects
}

/// Runs so many rounds of a seed. `Ok` says how many calls there were to choose from.
pub(crate) fn rounds(subject: &Subject, seed: u64, count: u64) -> Result<String, String> {
    let mut command = Command::new(harness::repository().join("tests/hostile/suite"));
    command.arg(harness::rqemu(subject.guest)).arg(&subject.program).arg(&subject.numbers);
    command.args([seed.to_string(), "0".into(), count.to_string()]);
    let state = harness::scratch("hostile").join(format!("stuck-{}-{seed}", subject.guest.name));
    let _ = fs::remove_file(&state);
    command.env("HOSTILE_STATE", &state);
    let done = harness::run(&mut command, Duration::from_secs(60 + count));
    let text = [done.stdout, done.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    // The calls may have written anything before and after the last line, the program's own strings too.
    let stuck = |line: &str| {
        line.match_indices(STUCK).any(|(at, _)| line[at + STUCK.len()..].starts_with(|c: char| c.is_ascii_digit()))
    };
    let is_bad = |line: &&str| line.contains("internal fault") || line.contains("panicked") || stuck(line);
    let bad: Vec<&str> = text.lines().filter(is_bad).collect();
    let last = text.rfind(&format!("done: {count} rounds, ")).map(|at| text[at..].trim_end());
    match last {
        Some(line) if bad.is_empty() && done.end == "exit 0" => Ok(line.lines().next().unwrap_or_default().to_owned()),
        _ => {
            let said = if bad.is_empty() { text.to_string() } else { bad.join(" ## ") };
            let state = if state.exists() { format!(" ({})", state.display()) } else { String::new() };
            Err(format!("seed {seed}: {}: {said}{state}", done.end))
        }
    }
}

#[test]
fn hostile_calls() {
    let possible = Command::new("unshare").args(["--user", "--map-root-user", "--net", "true"]).status();
    if !possible.is_ok_and(|status| status.success()) {
        return harness::leave_out("hostile calls", "no user namespaces");
    }
    let _alone = harness::alone();
    let cases: Vec<(Subject, u64)> = subjects().into_iter().map(|subject| (subject, 1)).collect();
    harness::judge(
        "hostile",
        &cases,
        |(s, seed)| format!("{}/{seed}", s.guest.name),
        |(s, seed)| rounds(s, *seed, 100).map(drop),
    );
}
