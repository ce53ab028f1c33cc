//! What the long suites keep: a case's verdict, in the scratch folder under the emulator's hash, so that a run which was stopped goes on, and one
//! with a changed emulator begins anew; and the report, `docs/results/SUITE.tsv`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::{self, GUESTS};

/// The verdicts of a suite so far: a case's name, its class (the first word of a report's count) and a remark.
pub(crate) struct Progress {
    pub(crate) file: PathBuf,
    /// What is tested, as it was at the start.
    commit: String,
    pub(crate) done: Mutex<BTreeMap<String, (String, String)>>,
    /// Lines of the report on groups of which the last one tells how many cases were the same, but not which.
    vague: String,
}

impl Progress {
    pub(crate) fn open(suite: &str) -> Self {
        Self::of(suite, GUESTS.iter().map(harness::rqemu))
    }

    /// Of cases that tell of these programs.
    pub(crate) fn of(suite: &str, programs: impl Iterator<Item = PathBuf>) -> Self {
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
        Self { file, commit, done: Mutex::new(done), vague: String::new() }
    }

    /// Judges each case that has no verdict yet, as many at a time as there are processors.
    pub(crate) fn run<T: Sync>(
        &self,
        cases: &[T],
        name: impl Fn(&T) -> String + Sync,
        judge: impl Fn(&T) -> (String, String) + Sync,
    ) {
        self.run_with(1, cases, name, judge);
    }

    /// The same with so many at a time for each processor. `RQEMU_TEST_MINUTES` says for how long cases are begun.
    pub(crate) fn run_with<T: Sync>(
        &self,
        each: usize,
        cases: &[T],
        name: impl Fn(&T) -> String + Sync,
        judge: impl Fn(&T) -> (String, String) + Sync,
    ) {
        let (next, start) = (AtomicUsize::new(0), Instant::now());
        let minutes = std::env::var("RQEMU_TEST_MINUTES").ok().and_then(|text| text.parse().ok());
        let limit = minutes.map_or(Duration::MAX, |minutes: u64| Duration::from_secs(60 * minutes));
        thread::scope(|scope| {
            for _ in 0..each * thread::available_parallelism().map_or(1, usize::from) {
                scope.spawn(|| {
                    while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if start.elapsed() > limit {
                            break;
                        }
                        let name = name(case);
                        if self.done.lock().unwrap().contains_key(&name) {
                            continue;
                        }
                        let (class, remark) = judge(case);
                        self.record(name, class, &remark);
                    }
                });
            }
        });
    }

    /// Keeps a verdict, on disk at once.
    pub(crate) fn record(&self, name: String, class: String, remark: &str) {
        let remark = remark.replace(['\t', '\n'], " ");
        let mut done = self.done.lock().unwrap();
        let mut file = OpenOptions::new().append(true).create(true).open(&self.file).expect("progress");
        writeln!(file, "{name}\t{class}\t{remark}").expect("progress");
        done.insert(name, (class, remark));
        if done.len().is_multiple_of(500) {
            harness::tell(&format!("{} cases", done.len()));
        }
    }

    /// Of a run that was kept to some cases, the last report's verdicts of all others, which stay in the next. Of those that are the
    /// same a report may tell nothing but their number; they are among `names`, if that is the number of all of their group.
    pub(crate) fn keep_others(&mut self, suite: &str, selection: &str, names: &[String]) {
        self.keep_all_but(suite, selection, names, |name| name.contains(selection));
    }

    /// The same where what is `selected` has another meaning.
    pub(crate) fn keep_all_but(
        &mut self,
        suite: &str,
        selection: &str,
        names: &[String],
        selected: impl Fn(&str) -> bool,
    ) {
        if selection.is_empty() {
            return;
        }
        let text = last_report(suite);
        let done = self.done.get_mut().unwrap();
        let others = merge(&text, done, &mut self.vague, names, selected);
        let before = text.lines().find_map(|line| line.strip_prefix("# commit\t")).unwrap_or("never run");
        self.commit = commits(&format!("{} (of those named {selection})", self.commit), before);
        harness::tell(&format!("{suite}: {others} cases are of earlier runs"));
    }

    /// Writes the report: where and what was run, the counts, and every case that is not `same`; fails if one `differs`.
    pub(crate) fn report(self, suite: &str) {
        self.report_with(suite, "");
    }

    /// The same with further lines.
    pub(crate) fn report_with(self, suite: &str, further: &str) {
        let done = self.done.into_inner().unwrap();
        let mut text = format!("# suite\t{suite}\n# commit\t{}\n# cpu\t{}\n", self.commit, cpu());
        let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for (name, (class, _)) in &done {
            *counts.entry((name.split('/').next().unwrap_or(""), class)).or_default() += 1;
        }
        for ((group, class), count) in counts {
            let _ = writeln!(text, "# count\t{group}\t{class}\t{count}");
        }
        text.push_str(&self.vague);
        text.push_str(further);
        text.push_str("# every case that is not the same\n");
        for (name, (class, remark)) in done.iter().filter(|(_, (class, _))| class != "same") {
            let _ = writeln!(text, "{name}\t{class}\t{remark}");
        }
        let file = report_of(suite);
        fs::create_dir_all(file.parent().expect("a folder")).expect("docs/results");
        fs::write(file, &text).expect("the report");
        harness::tell(&text);
        let differ = done.values().filter(|(class, _)| class == "differs").count();
        assert!(differ == 0, "{differ} of {} cases differ", done.len());
    }
}

/// What was tested of the cases that are run now, and before that of the others.
fn commits(now: &str, before: &str) -> String {
    if before.starts_with(now) { before.into() } else { format!("{now}; {before}") }
}

fn report_of(suite: &str) -> PathBuf {
    harness::repository().join(format!("docs/results/{suite}.tsv"))
}

/// What the last run left, or nothing.
pub(crate) fn last_report(suite: &str) -> String {
    fs::read_to_string(report_of(suite)).unwrap_or_default()
}

/// Adds to `done` the verdicts of a report whose cases are not `selected`; says how many.
fn merge(
    report: &str,
    done: &mut BTreeMap<String, (String, String)>,
    vague: &mut String,
    names: &[String],
    selected: impl Fn(&str) -> bool,
) -> usize {
    let group = |name: &str| name.split('/').next().unwrap_or("").to_owned();
    let rows = report.lines().filter_map(|line| {
        let fields: Vec<&str> = line.splitn(4, '\t').collect();
        match fields[..] {
            ["# same" | "# took", name, remark] => Some((name, "same", remark)),
            [name, class, remark] if !name.starts_with('#') => Some((name, class, remark)),
            _ => None,
        }
    });
    // By group: the cases that were run, and those of the suite.
    let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for line in report.lines() {
        match line.split('\t').collect::<Vec<_>>()[..] {
            ["# count", group, _, count] => counts.entry(group.into()).or_default().0 += count.parse().unwrap_or(0),
            ["# part", group, ..] if !selected(&format!("{group}/")) => _ = writeln!(vague, "{line}"),
            _ => {}
        }
    }
    for name in names {
        counts.entry(group(name)).or_default().1 += 1;
    }
    let before = done.len();
    for (name, class, remark) in rows.filter(|(name, _, _)| !selected(name)) {
        done.entry(name.into()).or_insert_with(|| (class.into(), remark.into()));
    }
    // The rest of a group that was run whole.
    for name in names.iter().filter(|name| !selected(name) && counts[&group(name)].0 >= counts[&group(name)].1) {
        done.entry(name.clone()).or_insert_with(|| ("same".into(), String::new()));
    }
    for (group, (run, all)) in counts.iter().filter(|(_, (run, all))| (1..*all).contains(run)) {
        let _ = writeln!(vague, "# part\t{group}\t{run} of {all} had been run before; which is not known");
    }
    done.len() - before
}

#[test]
fn a_part_of_a_suite_leaves_the_reports_other_rows() {
    let report = "# suite\tx\n# commit\tc\n# count\ta\tsame\t2\n# count\ta\tdiffers\t2\n# took\tb/1\t7 ms\n# every case\na/1\tdiffers\told\na/2\tdiffers\told\n";
    let case = |class: &str, remark: &str| (class.to_owned(), remark.to_owned());
    let mut done = BTreeMap::from([("a/1".to_owned(), case("same", ""))]);
    let names = ["a/1", "a/2", "a/3", "b/1", "c/1"].map(String::from);
    let mut vague = String::new();
    assert_eq!(merge(report, &mut done, &mut vague, &names, |name| name == "a/1"), 3);
    assert_eq!(vague, "");
    let expected = [
        ("a/1", case("same", "")),
        ("a/2", case("differs", "old")),
        ("a/3", case("same", "")),
        ("b/1", case("same", "7 ms")),
    ];
    assert!(
        done.iter().map(|(name, case)| (name.as_str(), case)).eq(expected.iter().map(|(name, case)| (*name, case)))
    );
}

#[test]
fn a_group_that_was_run_in_part_is_not_taken_for_whole() {
    let report = "# count\ta\tsame\t2\n# count\ta\tdiffers\t1\na/1\tdiffers\told\n";
    let names = ["a/1", "a/2", "a/3", "a/4", "b/1"].map(String::from);
    let (mut done, mut vague) = (BTreeMap::new(), String::new());
    assert_eq!(merge(report, &mut done, &mut vague, &names, |name| name == "b/1"), 1);
    assert!(
        done.keys().eq(["a/1"]) && vague == "# part\ta\t3 of 4 had been run before; which is not known\n",
        "{vague}"
    );
}

#[test]
fn a_part_that_is_run_again_leaves_the_other_commits() {
    let twice = commits("2 (of those named a)", &commits("2 (of those named a)", "1"));
    assert_eq!(twice, "2 (of those named a); 1");
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
