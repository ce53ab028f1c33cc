//! stress-ng's stressors, each alone for two seconds and verified, in roots of `tests/setup stress ARCH`: by the host, by the reference and by rqemu.
//!
//! They run in namespaces of their own (`programs/enter`), as a root that has no right over the machine.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::harness::{self, GUESTS, Guest};

/// Debian architectures whose stress-ng runs by an emulator, and the host's.
const FOREIGN: &[&str] = &["arm64", "armhf"];
const HOST: &str = "amd64";

/// Who runs a stressor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Host,
    Reference,
    Rqemu,
}

/// What is not run, and why.
const SKIPPED: &[(&str, &str)] = &[
    ("cpu-online", "takes processors off line"),
    ("dev", "opens and asks every device of the machine"),
    ("forkheavy", "as many processes as there can be"),
    ("klog", "the machine's log"),
    ("memhotplug", "takes memory off line"),
    ("oom-pipe", "as much memory of the kernel's as there is"),
    ("pci", "reads the registers of the machine's devices"),
    ("rawdev", "reads the machine's disks"),
    ("reboot", "ends its namespace, so says nothing"),
    ("resources", "as much of everything as there is"),
    ("smi", "interrupts the whole machine"),
    ("softlockup", "keeps every processor from all others"),
    ("swap", "the machine's swap space"),
    ("sysfs", "asks every device of the machine"),
    ("watchdog", "the machine's watchdog"),
];

/// Further options of a stressor: without them it depends on the machine too much.
const OPTIONS: &[(&str, &[&str])] = &[
    // A round goes through the whole cache many times over, which here may be hundreds of megabytes.
    ("prefetch", &["--prefetch-l3-size", "1M"]),
];

const SCRIPT: &str =
    "mount -t tmpfs -o size=2g tmpfs /dev/shm; mount -t tmpfs -o size=2g tmpfs /tmp; cd /tmp; ulimit -c 0 -v 4000000
    exec stress-ng --temp-path /tmp --timeout 2 --verify --oomable --\"$@\"";

/// A stressor in a root.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) by: By,
    pub(crate) arch: &'static str,
    pub(crate) stressor: String,
}

/// The guest of a Debian architecture.
fn guest_of(arch: &str) -> &'static Guest {
    GUESTS.iter().find(|g| g.roots.contains(&arch)).expect("an architecture of a guest")
}

fn root(arch: &str) -> PathBuf {
    harness::cache().join(format!("{arch}-stress"))
}

/// Where there is nothing to run.
pub(crate) fn why_not() -> Option<String> {
    let lacking = FOREIGN.iter().chain([&HOST]).find(|arch| !root(arch).is_dir());
    lacking.map(|arch| format!("no root (tests/setup stress {arch})"))
}

impl Case {
    pub(crate) fn title(&self) -> String {
        match self.by {
            By::Host => format!("host/{}", self.stressor),
            By::Reference => format!("{}/reference/{}", self.arch, self.stressor),
            By::Rqemu => format!("{}/{}", self.arch, self.stressor),
        }
    }

    fn command(&self, script: &str, arguments: &[&str]) -> Option<Command> {
        let guest = guest_of(self.arch);
        let (handler, emulator) = match self.by {
            By::Host => ("host", harness::rqemu(guest)),
            By::Reference => ("registered", harness::reference(guest)?),
            By::Rqemu => ("registered", harness::rqemu(guest)),
        };
        let mut command = Command::new(harness::repository().join("tests/programs/enter"));
        command.arg(root(self.arch)).args([guest.name, handler]).arg(emulator).args([
            "/bin/bash",
            "-c",
            script,
            "bash",
        ]);
        command.args(arguments);
        Some(command)
    }

    /// What stress-ng says: a word for its status, and its first complaint.
    pub(crate) fn run(&self) -> (String, String) {
        let options = OPTIONS.iter().find(|(name, _)| *name == self.stressor).map_or(&[][..], |(_, options)| *options);
        let arguments: Vec<&str> = [&self.stressor[..], "1"].iter().chain(options).copied().collect();
        let once = || {
            let Some(mut command) = self.command(SCRIPT, &arguments) else { return ("lacking".into(), String::new()) };
            let done = match self.by {
                // It hangs in some of them, though two seconds are asked for.
                By::Reference => harness::run_for(&mut command, Duration::from_secs(40)),
                By::Host | By::Rqemu => harness::run(&mut command, Duration::from_secs(60)),
            };
            let text = [done.stdout, done.stderr].concat();
            let text = String::from_utf8_lossy(&text);
            let complaint = text.lines().find(|l| l.contains("fail:") || l.contains("rqemu:"));
            let complaint = complaint.or_else(|| text.lines().find(|l| !l.contains("info:"))).unwrap_or_default();
            (word(&done.end).to_owned(), complaint.to_owned())
        };
        match once() {
            done if matches!(done.0.as_str(), "passed" | "not-here") => done,
            done if self.by == By::Reference && done.0 == "time-limit" => done,
            // Some have limits of time of their own, which a busy machine breaks.
            _ => once(),
        }
    }
}

/// The manual's exit statuses (man 1 stress-ng).
fn word(end: &str) -> &str {
    match end {
        "exit 0" => "passed",
        "exit 2" => "failed",
        "exit 3" => "not-here",
        "exit 4" => "no-resources",
        "time limit" => "time-limit",
        other => other,
    }
}

/// What rqemu's result is beside the host's and the reference's.
pub(crate) fn class(host: &str, reference: &str, rqemu: &str) -> &'static str {
    match (host, reference, rqemu) {
        _ if host == rqemu => "same",
        (_, _, "passed") => "better",
        // A stressor of the host's processor alone says so itself.
        ("passed", "not-here", "not-here") => "not-of-this-processor",
        _ if host != "passed" && host != "not-here" => "not-by-the-host",
        _ => "differs",
    }
}

/// Every stressor that is not skipped, by each.
pub(crate) fn cases() -> Vec<Case> {
    let ask = Case { by: By::Host, arch: HOST, stressor: String::new() };
    let mut command = ask.command("stress-ng --stressors", &[]).expect("the host's root");
    let names = harness::run(&mut command, Duration::from_secs(60)).stdout;
    let names = String::from_utf8(names).expect("names");
    let skipped = |name: &str| SKIPPED.iter().any(|(skipped, _)| *skipped == name);
    let names: Vec<&str> = names.split_whitespace().filter(|name| !skipped(name)).collect();
    assert!(names.len() > 200, "stress-ng names its stressors: {names:?}");
    let by = |by, arch| names.iter().map(move |name| Case { by, arch, stressor: (*name).to_owned() });
    let foreign = |who| FOREIGN.iter().flat_map(move |arch| by(who, *arch));
    foreign(By::Rqemu).chain(by(By::Host, HOST)).chain(foreign(By::Reference)).collect()
}

type Verdicts = BTreeMap<String, (String, String)>;

/// Adds what a report tells of cases that have no verdict here: rqemu's, and the host's and the reference's.
pub(crate) fn keep(report: &str, ours: &mut Verdicts, others: &mut Verdicts) {
    let remark = |name: &str| {
        let row = report.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('\t')?.split_once(": "));
        row.and_then(|(_, said)| said.rsplit_once("; the host: ")).map_or("", |(said, _)| said).to_owned()
    };
    for line in report.lines() {
        let ["# result", name, host, reference, rqemu] = line.split('\t').collect::<Vec<_>>()[..] else { continue };
        let Some((arch, stressor)) = name.split_once('/') else { continue };
        ours.entry(name.into()).or_insert_with(|| (rqemu.into(), remark(name)));
        for (title, word) in [(format!("host/{stressor}"), host), (format!("{arch}/reference/{stressor}"), reference)] {
            if word != "lacking" {
                others.entry(title).or_insert_with(|| (word.into(), String::new()));
            }
        }
    }
}

#[test]
fn a_run_of_some_stressors_keeps_the_others() {
    let report = "# result\ta/x\tpassed\tlacking\tfailed\n# result\ta/y\tpassed\tfailed\tpassed\na/x\tdiffers\tfailed: it: said; the host: passed; the reference: lacking\n";
    let verdict = |word: &str, said: &str| (word.to_owned(), said.to_owned());
    let mut ours = Verdicts::from([("a/y".into(), verdict("failed", "now"))]);
    let mut others = Verdicts::from([("host/x".into(), verdict("not-here", "now"))]);
    keep(report, &mut ours, &mut others);
    let expected = [("a/x".into(), verdict("failed", "it: said")), ("a/y".into(), verdict("failed", "now"))];
    assert_eq!(ours, Verdicts::from(expected));
    let expected = [("a/reference/y", "failed", ""), ("host/x", "not-here", "now"), ("host/y", "passed", "")];
    assert_eq!(others, expected.map(|(title, word, said)| (title.into(), verdict(word, said))).into());
}

/// The lines of the report on what is skipped.
pub(crate) fn skipped() -> String {
    SKIPPED.iter().map(|(name, why)| format!("# skipped\t{name}\t{why}\n")).collect()
}
