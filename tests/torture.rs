//! gcc's execution tests (`gcc.c-torture/execute`), built for each guest at three levels, compared by name with QEMU.
//!
//! Built programs and the reference's results are kept in the cache folder; the quick suite takes every tenth test at two of the levels.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use crate::harness::{self, GUESTS, Guest};

pub(crate) const LEVELS: &[&str] = &["-O0", "-O2", "-O3"];
const QUICK_LEVELS: &[&str] = &["-O0", "-O2"];
/// What clang takes for errors, and gcc does not: most of the tests are old.
const OLD_C: [&str; 5] = [
    "-Wno-implicit-int",
    "-Wno-implicit-function-declaration",
    "-Wno-int-conversion",
    "-Wno-return-mismatch",
    "-Wno-incompatible-pointer-types",
];
const LIMIT: Duration = Duration::from_secs(60);

/// One test at one level for one guest.
pub(crate) struct Case {
    pub(crate) guest: &'static Guest,
    pub(crate) level: &'static str,
    source: PathBuf,
    /// The test's name: its path below `execute`, without `.c`.
    pub(crate) name: String,
}

/// How one test went.
pub(crate) enum Verdict {
    /// Both ended the same way: this one.
    Same(String),
    /// The reference's end and rqemu's.
    Differs(String, String),
    /// The compiler refuses it for this guest, saying this.
    NotBuilt(String),
}

impl Case {
    pub(crate) fn title(&self) -> String {
        format!("{}{}/{}", self.guest.name, self.level, self.name)
    }

    /// Builds and runs the test under both.
    pub(crate) fn verdict(&self) -> Verdict {
        let folder = harness::cache().join("torture").join(format!("{}{}", self.guest.triplets[0], self.level));
        let program = folder.join(self.name.replace('/', "-"));
        let refused = program.with_extension("refused");
        if let Ok(complaint) = fs::read_to_string(&refused) {
            return not_built(&complaint);
        }
        if !program.exists() {
            fs::create_dir_all(&folder).expect("torture folder");
            if let Err(complaint) = self.build(&program) {
                fs::write(refused, &complaint).expect("torture folder");
                return not_built(&complaint);
            }
        }
        let end = |mut command: Command| harness::run(&mut command, LIMIT).end;
        let kept = program.with_extension("reference");
        let expected = fs::read_to_string(&kept).unwrap_or_else(|_| {
            let found = end(harness::by_reference(self.guest, &program).expect("a reference"));
            fs::write(&kept, &found).expect("torture folder");
            found
        });
        let mut rqemu = Command::new(harness::rqemu(self.guest));
        rqemu.arg(&program);
        let got = end(rqemu);
        if expected == got { Verdict::Same(got) } else { Verdict::Differs(expected, got) }
    }

    fn build(&self, program: &Path) -> Result<(), String> {
        let name = format!("{}-gcc", self.guest.triplets[0]);
        let compiler = harness::find_program(&name).ok_or(format!("error: no {name}"))?;
        let text = String::from_utf8_lossy(&fs::read(&self.source).unwrap_or_default()).into_owned();
        let mut flags = vec!["-static", "-w", "-pipe", self.level];
        flags.extend(OLD_C);
        flags.extend(options(&text));
        harness::compile(&compiler, &flags, &self.source, program)
    }
}

/// The compiler's error, or the linker's.
fn not_built(complaint: &str) -> Verdict {
    let of =
        |line: &str| ["error: ", "undefined "].iter().find_map(|start| line.find(start).map(|at| line[at..].into()));
    Verdict::NotBuilt(complaint.lines().find_map(of).unwrap_or_default())
}

/// The options that a test asks for in its `dg-options` comments; those for certain targets only are not for us.
fn options(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().filter(|l| l.contains("dg-options") || l.contains("dg-additional-options"));
    let general = lines.filter(|line| !line.contains("target"));
    general.filter_map(|line| line.split('"').nth(1)).flat_map(str::split_whitespace)
}

/// Unpacks the tests from gcc's source package, once.
fn sources() -> Option<PathBuf> {
    let folder = harness::cache().join("torture/execute");
    if folder.exists() {
        return Some(folder);
    }
    let packed = fs::read_dir("/usr/src/gcc-12").ok()?.flatten().map(|entry| entry.path());
    let archive = packed
        .into_iter()
        .find(|p| p.to_string_lossy().contains("/gcc-12.") && p.extension().is_some_and(|e| e == "xz"))?;
    let partial = harness::cache().join("torture/partial");
    fs::create_dir_all(&partial).expect("torture folder");
    let tar = Command::new("tar")
        .arg("-xJf")
        .arg(archive)
        .arg("-C")
        .arg(&partial)
        .args(["--wildcards", "--strip-components=4", "*/gcc.c-torture/execute/*"])
        .status();
    assert!(tar.is_ok_and(|status| status.success()), "gcc's tests could not be unpacked");
    fs::rename(partial.join("execute"), &folder).expect("torture folder");
    Some(folder)
}

/// All tests of every guest that can be built here, at these levels; each `step`th of them.
pub(crate) fn cases(step: usize, levels: &'static [&'static str]) -> Vec<Case> {
    let Some(folder) = sources() else {
        harness::leave_out("gcc's execution tests", "no gcc-12-source (tests/setup host)");
        return Vec::new();
    };
    let mut names = Vec::new();
    for sub in ["", "ieee/"] {
        let entries = fs::read_dir(folder.join(sub)).expect("gcc's tests").flatten();
        names.extend(entries.filter_map(|e| Some(format!("{sub}{}", e.file_name().to_str()?.strip_suffix(".c")?))));
    }
    names.sort();
    let mut cases = Vec::new();
    for guest in GUESTS {
        if harness::find_program(&format!("{}-gcc", guest.triplets[0])).is_none()
            || harness::by_reference(guest, Path::new("")).is_none()
        {
            harness::leave_out(
                &format!("gcc's execution tests for {}", guest.name),
                "no cross compiler or no reference",
            );
            continue;
        }
        for level in levels {
            cases.extend(names.iter().step_by(step).map(|name| Case {
                guest,
                level,
                source: folder.join(format!("{name}.c")),
                name: name.clone(),
            }));
        }
    }
    cases
}

#[test]
fn every_tenth() {
    let _alone = harness::alone();
    // How many tests were built, and how many refused, by guest.
    let counts = Mutex::new(BTreeMap::<_, [usize; 2]>::new());
    harness::judge("torture", &cases(10, QUICK_LEVELS), Case::title, |case| {
        let verdict = case.verdict();
        let refused = matches!(verdict, Verdict::NotBuilt(_));
        counts.lock().unwrap().entry(case.guest.name).or_default()[usize::from(refused)] += 1;
        match verdict {
            Verdict::Same(_) | Verdict::NotBuilt(_) => Ok(()),
            Verdict::Differs(expected, got) => Err(format!("ended with {got}, under the reference with {expected}")),
        }
    });
    // A compiler that refuses most tests is a broken one.
    for (guest, [built, refused]) in counts.into_inner().unwrap() {
        assert!(refused < 20 || built > refused, "{refused} tests could not be built for {guest}, {built} could");
    }
}
