//! The ways in which rqemu may run a program, none of which may change what the program does. `tests/run --long ways` runs the foreign
//! greetings, `linux` and the quick `programs` in each of them; `differential` has its own for single instructions.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::harness::{GUESTS, Outcome};
use crate::{cache, hello, linux, programs};

/// A variable of the environment.
type Variable = (&'static str, PathBuf);

/// One way.
pub(crate) struct Way {
    pub(crate) name: &'static str,
    /// An option's variable, and its value.
    option: Option<(&'static str, &'static str)>,
    stored: Stored,
    /// How many times longer than usual a program may take.
    slower: u32,
}

/// Which stored translations a program finds.
#[derive(Clone, Copy, PartialEq)]
enum Stored {
    /// Whatever there is on this machine.
    Any,
    /// None.
    Cold,
    /// Those of its own run before.
    Warm,
    /// The same, in files that are broken.
    Broken,
}

const fn option(name: &'static str, variable: &'static str, value: &'static str) -> Way {
    Way { name, option: Some((variable, value)), stored: Stored::Any, slower: 1 }
}

const fn stored(name: &'static str, stored: Stored) -> Way {
    Way { name, option: None, stored, slower: 1 }
}

/// As users run it.
pub(crate) const USUAL: Way = stored("usual", Stored::Any);

const EVEX: &str = "evex";

pub(crate) const WAYS: &[Way] = &[
    // every loop a hot region at once, and none ever
    option("hot", "RQEMU_HOT", "0"),
    option("first-tier", "RQEMU_HOT", "off"),
    // code that looks for invalid floating-point operations itself
    option("careful", "RQEMU_FP_TRAPS", "0"),
    option("avx2", "RQEMU_HOST_FEATURES", "avx2"),
    // x86_64's programs on a processor with AVX-512, for which C libraries have routines of their own
    option(EVEX, "QEMU_CPU", "Icelake-Server"),
    option("uncached", "RQEMU_CACHE", "off"),
    stored("cold", Stored::Cold),
    stored("warm", Stored::Warm),
    stored("broken", Stored::Broken),
    Way { slower: 30, ..option("interpreter", "RQEMU_INTERPRET", "1") },
];

impl Way {
    /// What a program does this way; `run` runs it with these variables more, for so long at most.
    pub(crate) fn outcome(&self, limit: Duration, run: impl Fn(&[Variable], Duration) -> Outcome) -> Outcome {
        let mut variables: Vec<Variable> = self.option.iter().map(|(name, value)| (*name, value.into())).collect();
        if self.stored == Stored::Any {
            return run(&variables, limit * self.slower);
        }
        let folder = folder();
        variables.push(("RQEMU_CACHE", folder.clone()));
        if self.stored != Stored::Cold {
            run(&variables, limit);
        }
        if self.stored == Stored::Broken {
            cache::units(&folder).iter().enumerate().for_each(|(n, file)| spoil(n, file));
        }
        let done = run(&variables, limit);
        let _ = fs::remove_dir_all(&folder);
        done
    }
}

/// A folder for translations, where foreign roots see it too.
fn folder() -> PathBuf {
    static SERIAL: AtomicU32 = AtomicU32::new(0);
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
    PathBuf::from(format!("/dev/shm/rqemu-tests-{}-{serial}", std::process::id()))
}

/// Takes away the end of every fourth file, and changes a bit somewhere in each of the others.
fn spoil(n: usize, file: &Path) {
    let mut bytes = fs::read(file).expect("translations");
    if n % 4 == 3 {
        bytes.truncate(bytes.len() / 2);
    } else {
        let at = bytes.len() * (1 + n % 16) / 17;
        bytes[at] ^= 1 << (n % 8);
    }
    cache::damage(file, &bytes);
}

type Check = Box<dyn Fn(&Way) -> Result<(), String> + Send + Sync>;

/// A program of one of the suites: its name there, and its check.
pub(crate) struct Case {
    pub(crate) title: String,
    pub(crate) way: &'static Way,
    check: Check,
}

impl Case {
    pub(crate) fn check(&self) -> Result<(), String> {
        (self.check)(self.way)
    }
}

/// Every program in every way.
pub(crate) fn cases() -> Vec<Case> {
    WAYS.iter().flat_map(in_way).collect()
}

fn in_way(way: &'static Way) -> Vec<Case> {
    let case = |title, check| Case { title, way, check };
    let greetings = GUESTS
        .iter()
        .map(|guest| case(format!("hello/{}", guest.name), Box::new(|way: &Way| hello::check(guest, way)) as Check));
    let linux = linux::cases().into_iter().map(|of_linux| {
        case(format!("linux/{}", of_linux.title()), Box::new(move |way: &Way| linux::check(&of_linux, way)) as Check)
    });
    let programs = programs::cases(false).into_iter().map(|task| {
        case(format!("programs/{}", task.title()), Box::new(move |way: &Way| programs::check(&task, way)) as Check)
    });
    let of_guest = |title: &str| ["x86_64", "amd64"].iter().any(|name| title.contains(name));
    greetings.chain(linux).chain(programs).filter(|c| way.name != EVEX || of_guest(&c.title)).collect()
}

/// Adds variables to those of a command.
pub(crate) fn with<'a>(command: &'a mut Command, variables: &[Variable]) -> &'a mut Command {
    command.envs(variables.iter().map(|(name, value)| (name, value)))
}
