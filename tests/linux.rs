//! `linux/*.c`: one behaviour of Linux a program, the same source for the host and for every guest.
//!
//! A program prints `ok WHAT` for what holds and something else for what does not. The host's own run says which lines
//! are expected, and proves that the program is right about Linux.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::harness::{self, GUESTS, Guest, Outcome};
use crate::ways::{self, Way};

const FLAGS: &[&str] = &["-static", "-O1", "-g0", "-std=gnu11", "-D_GNU_SOURCE", "-w", "-pthread", "-fno-math-errno"];
const LIMIT: Duration = Duration::from_secs(60);

/// One program for one ABI.
pub(crate) struct Case {
    guest: &'static Guest,
    triplet: &'static str,
    compiler: PathBuf,
    source: PathBuf,
}

impl Case {
    pub(crate) fn title(&self) -> String {
        format!("{}/{}", self.triplet, stem(&self.source))
    }
}

/// A program's name.
fn stem(source: &Path) -> &str {
    source.file_stem().and_then(|s| s.to_str()).expect("a UTF-8 name")
}

/// The programs, by name. Public to the fuzzer, which takes one of them as a seed.
fn sources() -> Vec<PathBuf> {
    let folder = harness::repository().join("tests/linux");
    let entries = fs::read_dir(folder).expect("tests/linux").flatten().map(|entry| entry.path());
    let mut sources: Vec<_> = entries.filter(|path| path.extension().is_some_and(|e| e == "c")).collect();
    sources.sort();
    sources
}

/// Those that say something on a guest: what is about x86 alone does so on the host's own kind.
fn sources_for(guest: &Guest) -> Vec<PathBuf> {
    let mut sources = sources();
    sources.retain(|source| guest.native || !stem(source).starts_with("x86_"));
    sources
}

/// A folder of its own for each run, so that programs may leave files and sockets where they stand.
fn run(program: &mut Command, name: &str, limit: Duration) -> Outcome {
    let home = harness::scratch("linux-run").join(format!("{name}-{}", std::process::id()));
    fs::create_dir_all(&home).expect("folder of a run");
    let done = harness::run(program.current_dir(&home).env("TMPDIR", &home), limit);
    let _ = fs::remove_dir_all(&home);
    done
}

pub(crate) fn check(case: &Case, way: &Way) -> Result<(), String> {
    let built = harness::scratch("linux");
    let stem = stem(&case.source);
    let host = built.join(format!("{stem}.host"));
    let expected = match harness::find_program("gcc") {
        Some(gcc) => {
            harness::compile(&gcc, FLAGS, &case.source, &host)?;
            run(&mut Command::new(&host), &format!("{stem}.host.{}", case.triplet), LIMIT)
        }
        None => return Err("no gcc for the host".into()),
    };
    let odd = String::from_utf8_lossy(&expected.stdout).lines().find(|l| !l.starts_with("ok ")).map(str::to_owned);
    if let Some(line) = odd.or((expected.end != "exit 0").then(|| expected.end.clone())) {
        return Err(format!("wrong about the host itself: {line}"));
    }
    let program = built.join(format!("{stem}.{}", case.triplet));
    harness::compile(&case.compiler, FLAGS, &case.source, &program)?;
    let got = way.outcome(LIMIT, |variables, limit| {
        let mut command = Command::new(harness::rqemu(case.guest));
        if stem.starts_with("x86_avx512") && case.guest.name == "x86_64" {
            // The default processor has none.
            command.env("QEMU_CPU", "Icelake-Server");
        }
        run(ways::with(&mut command, variables).arg(&program), &format!("{stem}.{}", case.triplet), limit)
    });
    harness::compare(&expected, &got).map_err(|first| {
        let text = String::from_utf8_lossy(&got.stdout);
        let rest = text.lines().filter(|line| !line.starts_with("ok ") && !first.contains(line));
        rest.fold(first.clone(), |text, line| format!("{text}\n      also: {line}"))
    })
}

/// What the reference says to one check.
fn answer(check: &str, done: &Outcome) -> String {
    let text = String::from_utf8_lossy(&done.stdout);
    let what = check.strip_prefix("ok ").unwrap_or(check);
    let of_it = |line: &&str| line.strip_prefix("not ok ").is_some_and(|rest| rest.starts_with(what));
    if text.lines().any(|line| line == check) {
        "ok".into()
    } else if let Some(line) = text.lines().find(of_it) {
        format!("not ok{}", &line["not ok ".len() + what.len()..])
    } else {
        format!("not reached: {}", done.end)
    }
}

/// A check, and the reference's answer to it guest by guest.
type Answered = (String, Vec<String>);

/// The checks of a program, which the host's own run names, with the reference's answers.
fn answers(source: &Path) -> Vec<Answered> {
    // What the reference does not finish it waits for for ever.
    const LIMIT: Duration = Duration::from_secs(8);
    let stem = stem(source);
    let built = harness::scratch("linux");
    let host = built.join(format!("{stem}.host"));
    let gcc = harness::find_program("gcc").expect("gcc for the host");
    harness::compile(&gcc, FLAGS, source, &host).expect("a program of the host's");
    let expected = run(&mut Command::new(&host), &format!("{stem}.host.reference"), LIMIT);
    let of_guest = |guest: &Guest| {
        let program = built.join(format!("{stem}.{}", guest.triplets[0]));
        let compiler = harness::find_program(&format!("{}-gcc", guest.triplets[0]))?;
        harness::compile(&compiler, FLAGS, source, &program).ok()?;
        let mut command = Command::new(harness::reference(guest)?);
        Some(run(command.arg(&program), &format!("{stem}.{}.reference", guest.name), LIMIT))
    };
    let by_guest: Vec<Option<Outcome>> = foreign().map(of_guest).collect();
    let text = String::from_utf8_lossy(&expected.stdout);
    let told = |check: &str, done: &Option<Outcome>| done.as_ref().map_or("lacking".into(), |d| answer(check, d));
    let answered = |check: &str| {
        (check.trim_start_matches("ok ").to_owned(), by_guest.iter().map(|done| told(check, done)).collect())
    };
    text.lines().map(answered).collect()
}

/// The guests whose programs the reference runs.
fn foreign() -> impl Iterator<Item = &'static Guest> {
    GUESTS.iter().filter(|guest| !guest.native && !guest.roots.is_empty())
}

/// A table's row.
fn row(cells: &[String]) -> String {
    format!("| {} |\n", cells.iter().map(|c| c.replace('|', "\\|")).collect::<Vec<_>>().join(" | "))
}

/// A program's part of the page: how many checks the reference answers as Linux does, and the others.
fn section(name: &str, checks: &[Answered]) -> String {
    let good = |column: usize| checks.iter().filter(|(_, told)| told[column] == "ok").count();
    let counts: Vec<_> = foreign().enumerate().map(|(n, guest)| format!("{} {}", guest.name, good(n))).collect();
    let mut text =
        format!("\n## {name}.c\n\n{} checks; answered as Linux does: {}.\n", checks.len(), counts.join(", "));
    let other: Vec<_> = checks.iter().filter(|(_, told)| told.iter().any(|answer| answer != "ok")).collect();
    if !other.is_empty() {
        let names: Vec<String> = ["check"].into_iter().chain(foreign().map(|g| g.name)).map(str::to_owned).collect();
        text += &format!("\n{}{}", row(&names), row(&vec!["---".to_owned(); names.len()]));
        for (check, told) in other {
            text += &row(&[std::slice::from_ref(check), told].concat());
        }
    }
    text
}

/// How many checks a program's part of the page counts, and how many of them each guest's reference answers as Linux does.
fn counts(section: &str) -> Vec<usize> {
    let line = section.lines().find(|line| line.contains(" checks; answered as Linux does: ")).unwrap_or_default();
    line.split([' ', ',', '.']).filter_map(|word| word.parse().ok()).collect()
}

/// The reference's answers to all checks, as a page. Of programs that `asked` does not take the page's own part stays.
pub(crate) fn answers_of_reference(page: &str, asked: impl Fn(&str) -> bool) -> String {
    let sources = foreign().next().map(sources_for).unwrap_or_default();
    let old = |source: &Path| {
        let title = format!("\n## {}.c\n", stem(source));
        let rest = &page[page.find(&title)?..];
        let end = rest[1..].find("\n## ").map_or(rest.len(), |end| end + 1);
        (!asked(stem(source))).then(|| rest[..end].to_owned())
    };
    let mut of_each: Vec<Option<String>> = sources.iter().map(|source| old(source)).collect();
    // Some at a time, for most of it goes by waiting.
    for (sources, of_each) in sources.chunks(8).zip(of_each.chunks_mut(8)) {
        thread::scope(|scope| {
            for (source, text) in sources.iter().zip(of_each).filter(|(source, _)| asked(stem(source))) {
                scope.spawn(move || *text = Some(section(stem(source), &answers(source))));
            }
        });
    }
    let of_each: Vec<String> = of_each.into_iter().flatten().collect();
    let mut text = String::from(
        "# What QEMU answers\n\nThe checks of `tests/linux/*.c` hold on the host and under rqemu for each of its guests (but for `tests/exceptions`). This is what the user mode of QEMU 10 says to each \
         that it\nanswers otherwise, run as `qemu-GUEST PROGRAM`; after a check that it does not get past, the rest of the program is not reached. Printed by\n\
         `tests/run --long answers`.\n\n",
    );
    let sum = |n: usize| of_each.iter().filter_map(|section| counts(section).get(n).copied()).sum::<usize>();
    for (column, guest) in foreign().enumerate() {
        text += &format!("- {}: {} of {} checks as Linux answers them\n", guest.name, sum(column + 1), sum(0));
    }
    text + &of_each.concat()
}

/// Every program for every ABI that it can be built for here.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for guest in GUESTS {
        for triplet in guest.triplets {
            match harness::find_program(&format!("{triplet}-gcc")) {
                None => {
                    harness::leave_out(&format!("tests/linux for {triplet}"), "no cross compiler (tests/setup host)")
                }
                Some(compiler) => cases.extend(sources_for(guest).into_iter().map(|source| Case {
                    guest,
                    triplet,
                    compiler: compiler.clone(),
                    source,
                })),
            }
        }
    }
    cases
}

#[test]
fn behaviours() {
    let _alone = harness::alone();
    harness::judge("linux", &cases(), Case::title, |case| check(case, &ways::USUAL));
}
