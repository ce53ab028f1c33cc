//! The long suites: ignored tests that `tests/run --long SUITE` starts, each resumable, each with its report.
//!
//! A case's verdict is kept in the scratch folder under the emulator's hash, so that a run which was stopped goes on,
//! and one with a changed emulator begins anew. The report is `docs/results/SUITE.tsv`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::harness::{self, GUESTS};
use crate::torture::Verdict;
use crate::{differential, fuzz, hostile, linux, programs, stress, torture, ways};

/// The verdicts of a suite so far: a case's name, its class (the first word of a report's count) and a remark.
struct Progress {
    file: PathBuf,
    /// What is tested, as it was at the start.
    commit: String,
    done: Mutex<BTreeMap<String, (String, String)>>,
}

impl Progress {
    fn open(suite: &str) -> Self {
        Self::of(suite, GUESTS.iter().map(harness::rqemu))
    }

    /// Of cases that tell of these programs.
    fn of(suite: &str, programs: impl Iterator<Item = PathBuf>) -> Self {
        let programs: Vec<_> = programs.map(|p| fs::read(p).expect("a program under test")).collect();
        let hash = harness::hash(&programs.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let file = harness::scratch("long").join(format!("{suite}-{hash:016x}"));
        let text = fs::read_to_string(&file).unwrap_or_default();
        let rows = text.lines().filter_map(|line| {
            let mut fields = line.splitn(3, '\t');
            Some((fields.next()?.to_owned(), (fields.next()?.to_owned(), fields.next()?.to_owned())))
        });
        let done: BTreeMap<_, _> = rows.collect();
        harness::tell(&format!("{suite}: {} cases were done before", done.len()));
        // A named emulator is of no commit that is known here.
        let commit = std::env::var("RQEMU_TEST_BIN").unwrap_or_else(|_| commit());
        Self { file, commit, done: Mutex::new(done) }
    }

    /// Judges each case that has no verdict yet, as many at a time as there are processors.
    fn run<T: Sync>(
        &self,
        cases: &[T],
        name: impl Fn(&T) -> String + Sync,
        judge: impl Fn(&T) -> (String, String) + Sync,
    ) {
        self.run_with(1, cases, name, judge);
    }

    /// The same with so many at a time for each processor.
    fn run_with<T: Sync>(
        &self,
        each: usize,
        cases: &[T],
        name: impl Fn(&T) -> String + Sync,
        judge: impl Fn(&T) -> (String, String) + Sync,
    ) {
        let next = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..each * thread::available_parallelism().map_or(1, usize::from) {
                scope.spawn(|| {
                    while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let name = name(case);
                        if self.done.lock().unwrap().contains_key(&name) {
                            continue;
                        }
                        let (class, remark) = judge(case);
                        let remark = remark.replace(['\t', '\n'], " ");
                        let mut done = self.done.lock().unwrap();
                        let mut file = OpenOptions::new().append(true).create(true).open(&self.file).expect("progress");
                        writeln!(file, "{name}\t{class}\t{remark}").expect("progress");
                        done.insert(name, (class, remark));
                        if done.len().is_multiple_of(500) {
                            harness::tell(&format!("{} cases", done.len()));
                        }
                    }
                });
            }
        });
    }

    /// Writes the report: where and what was run, the counts, and every case that is not `same`; fails if one `differs`.
    fn report(self, suite: &str) {
        self.report_with(suite, "");
    }

    /// The same with further lines.
    fn report_with(self, suite: &str, further: &str) {
        let done = self.done.into_inner().unwrap();
        let mut text = format!("# suite\t{suite}\n# commit\t{}\n# cpu\t{}\n", self.commit, cpu());
        let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for (name, (class, _)) in &done {
            *counts.entry((name.split('/').next().unwrap_or(""), class)).or_default() += 1;
        }
        for ((group, class), count) in counts {
            let _ = writeln!(text, "# count\t{group}\t{class}\t{count}");
        }
        text.push_str(further);
        text.push_str("# every case that is not the same\n");
        for (name, (class, remark)) in done.iter().filter(|(_, (class, _))| class != "same") {
            let _ = writeln!(text, "{name}\t{class}\t{remark}");
        }
        let folder = harness::repository().join("docs/results");
        fs::create_dir_all(&folder).expect("docs/results");
        fs::write(folder.join(format!("{suite}.tsv")), &text).expect("the report");
        harness::tell(&text);
        let differ = done.values().filter(|(class, _)| class == "differs").count();
        assert!(differ == 0, "{differ} of {} cases differ", done.len());
    }
}

fn commit() -> String {
    let git = |arguments: &[&str]| Command::new("git").current_dir(harness::repository()).args(arguments).output();
    let name = git(&["rev-parse", "--short=12", "HEAD"]).map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned());
    let clean = git(&["diff", "--quiet", "HEAD", "--", "src"]).is_ok_and(|o| o.status.success());
    format!("{}{}", name.unwrap_or_default(), if clean { "" } else { " with changes" })
}

fn cpu() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|l| l.strip_prefix("model name")).and_then(|l| l.split(':').nth(1));
    model.unwrap_or("unknown").trim().to_owned()
}

/// Every one of gcc's execution tests.
#[test]
#[ignore = "tests/run --long torture"]
fn torture() {
    let progress = Progress::open("torture");
    let mut cases = torture::cases(1, torture::LEVELS);
    cases.retain(|case| named_guests().iter().any(|g| g.name == case.guest.name));
    progress.run(&cases, torture::Case::title, |case| match case.verdict() {
        Verdict::Same(end) => ("same".into(), end),
        Verdict::NotBuilt(complaint) => ("not-built".into(), complaint),
        Verdict::Differs(expected, got) => ("differs".into(), format!("{got}; the reference: {expected}")),
    });
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

fn run_programs(suite: &str, folder: &str) {
    let progress = Progress::open(suite);
    progress.run(&programs::cases(folder, true), programs::Case::title, |case| {
        twice(&format!("programs/{}", case.title()), || programs::check(case, &ways::USUAL))
    });
    progress.report(suite);
}

/// The programs of the quick suites in each way to run them: `RQEMU_TEST_CASE=hot/linux` keeps it to those that have this in their name.
#[test]
#[ignore = "tests/run --long ways"]
fn ways() {
    let progress = Progress::open("ways");
    let name = |case: &ways::Case| format!("{}/{}", case.way.name, case.title);
    let filter = std::env::var("RQEMU_TEST_CASE").unwrap_or_default();
    let mut cases = ways::cases();
    cases.retain(|case| name(case).contains(&filter));
    // Some more, for most of it goes by waiting.
    progress.run_with(3, &cases, name, |case| twice(&case.title, || case.check()));
    progress.report("ways");
}

/// Every program task in every root, with rqemu registered and with nobody registered.
#[test]
#[ignore = "tests/run --long programs"]
fn programs() {
    run_programs("programs", "cases");
}

/// Modules of Python's own test suite.
#[test]
#[ignore = "tests/run --long python"]
fn python() {
    run_programs("python", "python");
}

/// A suite that is a script in namespaces of its own and says a line a case: name, class, remark. `why_not` says why it cannot be run here.
fn scripted(suite: &str, namespace: &str, arguments: &[PathBuf], why_not: Option<String>) {
    let progress = Progress::open(suite);
    let folder = harness::repository().join("tests");
    let mut command = Command::new(folder.join("registered/namespace"));
    // A script may leave out what has a verdict already.
    command.env("RQEMU_TEST_DONE", &progress.file);
    command.arg(namespace).arg(folder.join(suite).join("suite")).args(arguments);
    let text = match why_not {
        Some(why) => format!("{suite}\tleft-out\t{why}\n"),
        None => String::from_utf8_lossy(&harness::run(&mut command, Duration::from_secs(7200)).stdout).into(),
    };
    let mut cases: Vec<Vec<&str>> = text.lines().map(|line| line.splitn(3, '\t').collect()).collect();
    cases.retain(|fields| fields.len() == 3);
    progress.run(&cases, |fields| fields[0].into(), |fields| (fields[1].into(), fields[2].into()));
    let done = progress.done.lock().unwrap().clone();
    assert!(!done.is_empty(), "the script says nothing");
    let took = done.iter().filter(|(_, (class, remark))| class == "same" && !remark.is_empty());
    let times: String = took.map(|(name, (_, remark))| format!("# took\t{name}\t{remark}\n")).collect();
    progress.report_with(suite, &times);
}

/// Foreign containers by a Docker engine.
#[test]
#[ignore = "tests/run --long containers"]
fn containers() {
    let found =
        |p: &str| harness::find_program(p).or_else(|| harness::find_program(&format!("/usr/sbin/{p}"))).is_some();
    let lacking = ["dockerd", "docker"].into_iter().find(|p| !found(p)).map(|p| format!("no {p} (Debian: docker.io)"));
    // SAFETY: it takes nothing and cannot fail.
    let root = unsafe { libc::geteuid() } == 0;
    let why_not = lacking.or_else(|| (!root).then(|| "needs root".into()));
    scripted("containers", "many", &[harness::rqemu(&GUESTS[0]), harness::cache()], why_not);
}

/// Languages, services, debuggers and sandboxes inside roots of `tests/setup runtimes ARCH`: `RQEMU_TEST_CASE=armhf/php` keeps it to
/// those that have this in their name, beside those that were done before.
#[test]
#[ignore = "tests/run --long runtimes"]
fn runtimes() {
    // SAFETY: it takes nothing and cannot fail.
    let root = unsafe { libc::geteuid() } == 0;
    let why_not = (!root).then(|| "needs root".into());
    let filter = PathBuf::from(std::env::var_os("RQEMU_TEST_CASE").unwrap_or_default());
    scripted("runtimes", "many", &[harness::rqemu(&GUESTS[0]), harness::cache(), filter], why_not);
}

/// debootstrap's second stage, apt and builds in what it made.
#[test]
#[ignore = "tests/run --long debootstrap"]
fn debootstrap() {
    // SAFETY: it takes nothing and cannot fail.
    let root = unsafe { libc::geteuid() } == 0;
    let why_not = (!root).then(|| "needs root".into());
    let words = ["whole", "arm64", "armhf", "riscv64"].map(PathBuf::from);
    let arguments = [&[harness::rqemu(&GUESTS[0]), harness::cache()], &words[..]].concat();
    scripted("debootstrap", "many", &arguments, why_not);
}

/// CMake, Meson, autoconf, Go and cargo, as README says.
#[test]
#[ignore = "tests/run --long toolchains"]
fn toolchains() {
    scripted("toolchains", "one", &[harness::rqemu(&GUESTS[0])], None);
}

/// stress-ng's stressors, beside the host's results and the reference's.
#[test]
#[ignore = "tests/run --long stress"]
fn stress() {
    if let Some(why) = stress::why_not() {
        return harness::leave_out("stress", &why);
    }
    let (ours, others): (Vec<_>, Vec<_>) = stress::cases().into_iter().partition(|case| case.by == stress::By::Rqemu);
    let mut progress = Progress::open("stress");
    progress.run(&ours, stress::Case::title, stress::Case::run);
    let known = Progress::of("stress-others", GUESTS.iter().filter_map(harness::reference));
    known.run(&others, stress::Case::title, stress::Case::run);
    let known = known.done.into_inner().unwrap();
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
    let named = std::env::var("RQEMU_TEST_CASE").unwrap_or_default();
    let asked = |program: &str| named.is_empty() || named.split(',').any(|name| name == program);
    let page = fs::read_to_string(&file).unwrap_or_default();
    fs::write(file, linux::answers_of_reference(&page, asked)).expect("the page");
}

/// Hostile arguments of system calls: a million calls or so of each guest.
#[test]
#[ignore = "tests/run --long syscalls"]
fn syscalls() {
    let progress = Progress::open("syscalls");
    let subjects = hostile::subjects();
    let parts: Vec<(&hostile::Subject, u64)> =
        (0..100).flat_map(|seed| subjects.iter().map(move |s| (s, 1000 + seed))).collect();
    progress.run(
        &parts,
        |(subject, seed)| format!("{}/{seed}", subject.guest.name),
        |(subject, seed)| match hostile::rounds(subject, *seed, 400) {
            Ok(said) => ("same".into(), said),
            Err(why) => ("differs".into(), why),
        },
    );
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

/// The guests that `RQEMU_TEST_GUESTS` names, with commas between; else all.
fn named_guests() -> Vec<&'static harness::Guest> {
    let names = std::env::var("RQEMU_TEST_GUESTS").unwrap_or_default();
    GUESTS.iter().filter(|g| names.is_empty() || names.split(',').any(|name| name == g.name)).collect()
}

/// 10⁷ random cases of each guest, every row at least 1,000 times.
#[test]
#[ignore = "tests/run --long differential"]
fn differential() {
    const PARTS: u64 = 10_000_000 / differential::PART as u64;
    let progress = Progress::open("differential");
    let guests = named_guests();
    let parts: Vec<(&harness::Guest, u64)> =
        (0..PARTS).flat_map(|seed| guests.iter().map(move |g| (*g, 1000 + seed))).collect();
    let named =
        |rows: &BTreeMap<String, usize>| rows.iter().map(|(r, n)| format!("{r}={n}")).collect::<Vec<_>>().join(" ");
    // Two, for one waits now and then while records are written and read.
    progress.run_with(
        2,
        &parts,
        |(guest, seed)| format!("{}/{seed}", guest.name),
        |(guest, seed)| match differential::run_part(guest, *seed) {
            Err(why) => ("left-out".into(), why),
            Ok(report) if report.differences.is_empty() => {
                let disowned: String = report.disowned.iter().map(|line| format!(" ## {line}")).collect();
                ("same".into(), format!("cases={} {}{disowned}", report.cases, named(&report.rows)))
            }
            Ok(report) => ("differs".into(), report.differences.join(" ## ")),
        },
    );
    let counts = differential_counts(&progress);
    let lines: String = counts.iter().map(|((guest, row), n)| format!("# row\t{guest}\t{row}\t{n}\n")).collect();
    let disowned = progress.disowned();
    progress.report_with("differential", &(lines + &disowned));
    for guest in guests {
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
