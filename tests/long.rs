//! The long suites: ignored tests that `tests/run --long SUITE` starts, each resumable, each with its report (`progress`).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::harness::{self, GUESTS};
use crate::progress::{self, Progress};
use crate::torture::Verdict;
use crate::{differential, fuzz, hostile, linux, programs, stress, torture, ways};

/// Every one of gcc's execution tests.
#[test]
#[ignore = "tests/run --long torture"]
fn torture() {
    let mut progress = Progress::open("torture");
    let mut cases = torture::cases(1, torture::LEVELS);
    let names: Vec<_> = cases.iter().map(torture::Case::title).collect();
    cases.retain(|case| named_guests().iter().any(|g| g.name == case.guest.name));
    progress.run(&cases, torture::Case::title, |case| match case.verdict() {
        Verdict::Same(end) => ("same".into(), end),
        Verdict::NotBuilt(complaint) => ("not-built".into(), complaint),
        Verdict::Differs(expected, got) => ("differs".into(), format!("{got}; the reference: {expected}")),
    });
    let selected = |name: &str| named_guests().iter().any(|g| name.starts_with(&format!("{}-", g.name)));
    progress.keep_all_but("torture", &guests_named(), &names, selected);
    progress.report("torture");
}

/// The verdict of a check that is made once more when it fails: many programs have time limits of their own, and a busy machine breaks them.
fn twice(name: &str, check: impl Fn() -> Result<(), String>) -> (String, String) {
    match check() {
        Ok(()) => ("same".into(), String::new()),
        Err(first) => match check() {
            Ok(()) => ("same-at-second-try".into(), first),
            Err(text) => match harness::exceptions().get(name) {
                Some(reason) => ("known".into(), reason.clone()),
                None => ("differs".into(), text),
            },
        },
    }
}

/// The programs of the quick suites in each way to run them: `RQEMU_TEST_CASE=hot/linux` keeps it to those that have this in their name, and
/// leaves the report's other rows.
#[test]
#[ignore = "tests/run --long ways"]
fn ways() {
    let mut progress = Progress::open("ways");
    let name = |case: &ways::Case| format!("{}/{}", case.way.name, case.title);
    let (mut cases, selection) = (ways::cases(), selection());
    let names: Vec<_> = cases.iter().map(name).collect();
    cases.retain(|case| name(case).contains(&selection));
    // Some more, for most of it goes by waiting.
    progress.run_with(3, &cases, name, |case| twice(&case.title, || case.check()));
    progress.keep_others("ways", &selection, &names);
    progress.report("ways");
}

/// Every program task in every root, with rqemu registered and with nobody registered.
#[test]
#[ignore = "tests/run --long programs"]
fn programs() {
    let mut progress = Progress::open("programs");
    let (mut cases, selection) = (programs::cases(true), selection());
    let names: Vec<_> = cases.iter().map(programs::Case::title).collect();
    cases.retain(|case| case.title().contains(&selection));
    progress.run(&cases, programs::Case::title, |case| {
        twice(&format!("programs/{}", case.title()), || programs::check(case, &ways::USUAL))
    });
    progress.keep_others("programs", &selection, &names);
    progress.report("programs");
}

/// A suite that is a script in namespaces of its own and says a line a case: name, class, remark. `why_not` says why it cannot be run here;
/// `RQEMU_TEST_CASE` keeps the script to cases that have it in their names, if it takes that as its last argument.
fn scripted(suite: &str, namespace: &str, arguments: &[PathBuf], why_not: Option<String>, selection: &str) {
    let mut progress = Progress::open(suite);
    let folder = harness::repository().join("tests");
    let mut command = Command::new(folder.join("registered/namespace"));
    // A script may leave out what has a verdict already.
    command.env("RQEMU_TEST_DONE", &progress.file);
    command.arg(namespace).arg(folder.join(suite).join("suite")).args(arguments);
    command.args((!selection.is_empty()).then_some(selection));
    if let Some(why) = why_not {
        progress.record(suite.into(), "left-out".into(), &why);
    } else {
        let mut script =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).process_group(0).spawn().expect("a script");
        // A verdict counts from when it is said, for the script may be stopped.
        for line in BufReader::new(script.stdout.take().expect("a pipe")).lines().map_while(Result::ok) {
            if let [name, class, remark] = line.splitn(3, '\t').collect::<Vec<_>>()[..] {
                progress.record(name.into(), class.into(), remark);
            }
        }
        script.wait().expect("wait");
    }
    assert!(!progress.done.lock().unwrap().is_empty(), "the script says nothing");
    progress.keep_others(suite, selection, &[]);
    let done = progress.done.lock().unwrap().clone();
    let same = done.iter().filter(|(_, (class, _))| class == "same");
    let lines: String = same.map(|(name, (_, remark))| format!("# same\t{name}\t{remark}\n")).collect();
    progress.report_with(suite, &(test_counts(&done) + &lines));
}

/// Of each group whose remarks begin with such counts as "7 tests, 2 skipped", a line with their sums.
fn test_counts(done: &BTreeMap<String, (String, String)>) -> String {
    let mut sums: BTreeMap<&str, (usize, BTreeMap<&str, usize>)> = BTreeMap::new();
    for (name, (_, remark)) in done {
        let counts = remark.split(';').next().unwrap_or("").split(", ").map(|count| {
            let (number, what) = count.split_once(' ')?;
            Some((number.parse::<usize>().ok()?, what))
        });
        let Some(counts) = counts.collect::<Option<Vec<_>>>().filter(|counts| counts[0].1 == "tests") else { continue };
        let (cases, sums) = sums.entry(name.split('/').next().unwrap_or("")).or_default();
        *cases += 1;
        counts.into_iter().for_each(|(number, what)| *sums.entry(what).or_default() += number);
    }
    let line = |(group, (cases, sums)): (&str, (usize, BTreeMap<&str, usize>))| {
        let sums: Vec<_> = sums.iter().map(|(what, number)| format!("{number} {what}")).collect();
        format!("# sum\t{group}\t{} in {cases} cases\n", sums.join(", "))
    };
    sums.into_iter().map(line).collect()
}

#[test]
fn tests_are_counted_by_group() {
    let row = |name: &str, remark: &str| (name.to_owned(), ("same".to_owned(), remark.to_owned()));
    let done = [row("a/1", "7 tests, 2 skipped; without b: 3"), row("a/2", "1 tests, 0 skipped"), row("b/1", "70 ms")];
    assert_eq!(test_counts(&done.into()), "# sum\ta\t2 skipped, 8 tests in 2 cases\n");
}

/// What `RQEMU_TEST_CASE` keeps a suite to.
fn selection() -> String {
    std::env::var("RQEMU_TEST_CASE").unwrap_or_default()
}

/// Why a suite that only root can run cannot be run.
fn not_root() -> Option<String> {
    // SAFETY: it takes nothing and cannot fail.
    (unsafe { libc::geteuid() } != 0).then(|| "needs root".into())
}

/// Foreign containers by Docker's, Podman's and Buildah's engines.
#[test]
#[ignore = "tests/run --long containers"]
fn containers() {
    let found =
        |p: &str| harness::find_program(p).or_else(|| harness::find_program(&format!("/usr/sbin/{p}"))).is_some();
    let lacking = ["dockerd", "docker"].into_iter().find(|p| !found(p)).map(|p| format!("no {p} (Debian: docker.io)"));
    scripted("containers", "many", &[harness::rqemu(&GUESTS[0]), harness::cache()], lacking.or_else(not_root), "");
}

/// Languages, services, debuggers and sandboxes inside roots of `tests/setup runtimes ARCH`: `RQEMU_TEST_CASE=armhf/php` keeps it to
/// those that have this in their name, and leaves the report's other rows.
#[test]
#[ignore = "tests/run --long runtimes"]
fn runtimes() {
    scripted("runtimes", "many", &[harness::rqemu(&GUESTS[0]), harness::cache()], not_root(), &selection());
}

/// Every module of Python's own tests, each test beside what it comes to on the host, in roots of `tests/setup python ARCH`:
/// `RQEMU_TEST_CASE=arm64/test_re` keeps it to those that have this in their name, and leaves the report's other rows.
#[test]
#[ignore = "tests/run --long python"]
fn python() {
    scripted("python", "many", &[harness::rqemu(&GUESTS[0]), harness::cache()], not_root(), &selection());
}

/// debootstrap's second stage, apt and builds in what it made: `RQEMU_TEST_CASE=armhf` keeps it to this architecture, and leaves the report's
/// other rows.
#[test]
#[ignore = "tests/run --long debootstrap"]
fn debootstrap() {
    let (selection, mut words) = (selection(), vec![harness::rqemu(&GUESTS[0]), harness::cache(), "whole".into()]);
    if selection.is_empty() {
        words.extend(["arm64", "armhf", "riscv64"].map(PathBuf::from));
    }
    scripted("debootstrap", "many", &words, not_root(), &selection);
}

/// CMake, Meson, autoconf, Go and cargo, as README says.
#[test]
#[ignore = "tests/run --long toolchains"]
fn toolchains() {
    scripted("toolchains", "one", &[harness::rqemu(&GUESTS[0])], None, "");
}

/// stress-ng's stressors, beside the host's results and the reference's: `RQEMU_TEST_CASE=arm64/reference/` keeps it to those that have this in
/// their names (the host's are `host/NAME`, rqemu's `arm64/NAME`), and leaves the report's other results.
#[test]
#[ignore = "tests/run --long stress"]
fn stress() {
    if let Some(why) = stress::why_not() {
        return harness::leave_out("stress", &why);
    }
    let (selection, mut cases) = (selection(), stress::cases());
    cases.retain(|case| case.title().contains(&selection));
    let (ours, others): (Vec<_>, Vec<_>) = cases.into_iter().partition(|case| case.by == stress::By::Rqemu);
    let mut progress = Progress::open("stress");
    progress.run(&ours, stress::Case::title, stress::Case::run);
    let known = Progress::of("stress-others", GUESTS.iter().filter_map(harness::reference));
    known.run(&others, stress::Case::title, stress::Case::run);
    let mut known = known.done.into_inner().unwrap();
    // Of rqemu every verdict is kept below, so none are left to be taken from the last report.
    progress.keep_all_but("stress", &selection, &[], |_| true);
    if !selection.is_empty() {
        stress::keep(&progress::last_report("stress"), progress.done.get_mut().unwrap(), &mut known);
    }
    let mut lines = String::from("# columns\tstressor\thost\treference\trqemu\n");
    for (name, done) in progress.done.get_mut().unwrap() {
        let (arch, stressor) = name.split_once('/').expect("an architecture");
        let of = |title: String| known.get(&title).map_or("lacking", |(word, _)| word);
        let (host, reference) = (of(format!("host/{stressor}")), of(format!("{arch}/reference/{stressor}")));
        let _ = writeln!(lines, "# result\t{name}\t{host}\t{reference}\t{}", done.0);
        let class = stress::class(host, reference, &done.0);
        *done = (class.into(), format!("{}: {}; the host: {host}; the reference: {reference}", done.0, done.1));
    }
    progress.report_with("stress", &(stress::skipped() + &lines));
}

/// What the reference answers to the checks of `linux`: `RQEMU_TEST_CASE=maps,tags` asks it those of these programs, and keeps its other answers.
#[test]
#[ignore = "tests/run --long answers"]
fn answers() {
    let file = harness::repository().join("docs/answers.md");
    let named = selection();
    let asked = |program: &str| named.is_empty() || named.split(',').any(|name| name == program);
    let page = fs::read_to_string(&file).unwrap_or_default();
    fs::write(file, linux::answers_of_reference(&page, asked)).expect("the page");
}

/// Hostile arguments of system calls: a million calls or so of each guest. `RQEMU_TEST_CASE=/105` keeps it to parts that have this in their
/// names, which are a guest and a seed, and leaves the report's other rows.
#[test]
#[ignore = "tests/run --long syscalls"]
fn syscalls() {
    let (mut progress, selection) = (Progress::open("syscalls"), selection());
    let subjects = hostile::subjects();
    let mut parts: Vec<(&hostile::Subject, u64)> =
        (0..100).flat_map(|seed| subjects.iter().map(move |s| (s, 1000 + seed))).collect();
    let name = |(subject, seed): &(&hostile::Subject, u64)| format!("{}/{seed}", subject.guest.name);
    let names: Vec<_> = parts.iter().map(name).collect();
    parts.retain(|part| name(part).contains(&selection));
    progress.run(&parts, name, |(subject, seed)| match hostile::rounds(subject, *seed, 400) {
        Ok(said) => ("same".into(), said),
        Err(why) => ("differs".into(), why),
    });
    progress.keep_others("syscalls", &selection, &names);
    progress.report("syscalls");
}

/// 10⁵ mutated ELF files.
#[test]
#[ignore = "tests/run --long fuzz"]
fn fuzz() {
    let progress = Progress::open("fuzz");
    let seeds: Vec<u64> = (0..100).collect();
    progress.run(
        &seeds,
        |seed| format!("loader/{seed:03}"),
        |&seed| match fuzz::mutants(seed, 1000) {
            Ok(()) => ("same".into(), String::new()),
            Err(text) => ("differs".into(), text),
        },
    );
    progress.report("fuzz");
}

/// The guests that a suite is kept to, with commas between, or nothing for all.
fn guests_named() -> String {
    std::env::var("RQEMU_TEST_GUESTS").unwrap_or_default()
}

/// The same as guests.
fn named_guests() -> Vec<&'static harness::Guest> {
    let names = guests_named();
    GUESTS.iter().filter(|g| names.is_empty() || names.split(',').any(|name| name == g.name)).collect()
}

/// The seeds of the random cases' parts; `RQEMU_TEST_SEEDS=1009,1400-1420` names others.
fn seeds(usual: std::ops::Range<u64>) -> Vec<u64> {
    let Ok(text) = std::env::var("RQEMU_TEST_SEEDS") else { return usual.collect() };
    let number = |text: &str| text.parse::<u64>().expect("RQEMU_TEST_SEEDS: a number");
    let range = |part: &str| match part.split_once('-') {
        Some((first, last)) => number(first)..=number(last),
        None => number(part)..=number(part),
    };
    text.split(',').flat_map(range).collect()
}

/// 10⁷ random cases of each guest, every row at least 1,000 times; fewer where `RQEMU_TEST_MINUTES` ends it before.
#[test]
#[ignore = "tests/run --long differential"]
fn differential() {
    const PARTS: u64 = 10_000_000 / differential::PART as u64;
    let mut progress = Progress::open("differential");
    let guests = named_guests();
    let usual = 1000..1000 + PARTS;
    let parts = |guests: &[&'static harness::Guest], seeds: Vec<u64>| -> Vec<(&harness::Guest, u64)> {
        seeds.into_iter().flat_map(|seed| guests.iter().map(move |g| (*g, seed))).collect()
    };
    let name = |(guest, seed): &(&harness::Guest, u64)| format!("{}/{seed}", guest.name);
    let names: Vec<_> = parts(&GUESTS.iter().collect::<Vec<_>>(), usual.clone().collect()).iter().map(name).collect();
    let parts = parts(&guests, seeds(usual));
    let named =
        |rows: &BTreeMap<String, usize>| rows.iter().map(|(r, n)| format!("{r}={n}")).collect::<Vec<_>>().join(" ");
    // Two, for one waits now and then while records are written and read.
    progress.run_with(2, &parts, name, |(guest, seed)| match differential::run_part(guest, *seed) {
        Err(why) => ("left-out".into(), why),
        Ok(report) if report.differences.is_empty() => {
            let disowned: String = report.disowned.iter().map(|line| format!(" ## {line}")).collect();
            ("same".into(), format!("cases={} {}{disowned}", report.cases, named(&report.rows)))
        }
        Ok(report) => ("differs".into(), report.differences.join(" ## ")),
    });
    let counts = differential_counts(&progress);
    let lines: String = counts.iter().map(|((guest, row), n)| format!("# row\t{guest}\t{row}\t{n}\n")).collect();
    let disowned = progress.disowned();
    let of_named = |name: &str| guests.iter().any(|g| name.split('/').next() == Some(g.name));
    // What the last report says of other guests.
    let last = progress::last_report("differential");
    let others = last.lines().filter(|line| {
        let mut fields = line.split('\t');
        matches!(fields.next(), Some("# row" | "# reference contradicts itself"))
            && !fields.next().is_some_and(of_named)
    });
    let others: String = others.map(|line| format!("{line}\n")).collect();
    let run_of = |guest: &harness::Guest, done: &BTreeMap<String, _>| {
        done.keys().filter(|name| name.split('/').next() == Some(guest.name)).count()
    };
    let (whole, part): (Vec<_>, Vec<_>) =
        guests.iter().partition(|guest| run_of(guest, &progress.done.lock().unwrap()) as u64 == PARTS);
    let say = |guest: &&harness::Guest| {
        let run = run_of(guest, &progress.done.lock().unwrap());
        format!("# part\t{}\t{run} of {PARTS} parts of {} cases\n", guest.name, differential::PART)
    };
    let parts: String = part.iter().map(say).collect();
    progress.keep_all_but("differential", &guests_named(), &names, of_named);
    progress.report_with("differential", &(parts + &lines + &others + &disowned));
    for guest in whole {
        let of_guest = counts.iter().filter(|((name, row), _)| name == guest.name && row != "cases");
        let seldom: Vec<_> = of_guest.clone().filter(|(_, n)| **n < 1000).collect();
        assert!(seldom.is_empty(), "run less than 1,000 times: {seldom:?}");
        assert_eq!(of_guest.count(), differential::rows(guest), "{}: rows that were run, and all", guest.name);
    }
}

impl Progress {
    /// What the reference contradicts itself in, as lines of the report.
    fn disowned(&self) -> String {
        let done = self.done.lock().unwrap();
        let of_part = |(name, (_, remark)): (&String, &(String, String))| {
            let lines = remark.split(" ## ").skip(1);
            lines.map(|line| format!("# reference contradicts itself\t{name}\t{line}\n")).collect::<String>()
        };
        done.iter().filter(|(_, (class, _))| class == "same").map(of_part).collect()
    }
}

/// Cases and rows in the parts that are the same, by guest.
fn differential_counts(progress: &Progress) -> BTreeMap<(String, String), usize> {
    let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
    let done = progress.done.lock().unwrap();
    for (name, (_, remark)) in done.iter().filter(|(_, (class, _))| class == "same") {
        let guest = name.split('/').next().unwrap_or("");
        for (row, count) in remark.split(" ## ").next().unwrap_or("").split(' ').filter_map(|item| item.split_once('='))
        {
            *counts.entry((guest.into(), row.into())).or_default() += count.parse::<usize>().unwrap_or(0);
        }
    }
    counts
}
