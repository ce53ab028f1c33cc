//! The command line: QEMU's options for user mode with their environment variables, as rows. Options have one dash (two are taken too) and
//! end at the program's name.

use crate::commands;
use crate::options::{Log, Options};
use crate::tables::PRINTS;
use arch::Guest;

/// What the command line asks for.
#[derive(Debug, Default)]
pub struct Invocation {
    pub options: Options,
    /// The guest that the name of rqemu insists on.
    pub guest: Option<&'static str>,
    /// The program and its arguments, the program's path first.
    pub program: Vec<Vec<u8>>,
    /// `NAME=value` of settings that programs started by this one must get.
    pub inherited: Vec<Vec<u8>>,
}

/// What else can come of it: text to print, with the exit status.
#[derive(Debug, PartialEq, Eq)]
pub struct Say {
    pub text: String,
    pub status: i32,
}

fn fail(text: impl Into<String>) -> Say {
    Say { text: text.into(), status: 1 }
}

type Setter = fn(&mut Options, &[u8]) -> Result<(), String>;

/// What an option takes.
enum Takes {
    Nothing,
    /// The word that the help shows.
    Value(&'static str),
}

/// An option.
struct Row {
    name: &'static str,
    /// Its variable is `QEMU_` or `RQEMU_` and this.
    env: &'static str,
    takes: Takes,
    about: &'static str,
    set: Setter,
    /// Programs that this one starts have it too.
    inherited: bool,
}

use Takes::{Nothing, Value};

const fn row(
    name: &'static str,
    env: &'static str,
    takes: Takes,
    about: &'static str,
    set: Setter,
    inherited: bool,
) -> Row {
    Row { name, env, takes, about, set, inherited }
}

/// The options, in the order of the help.
#[rustfmt::skip]
static ROWS: &[Row] = &[
    row("L", "LD_PREFIX", Value("path"), "look for the program's interpreter and files under `path` first", |o, v| {
        let end = v.iter().rposition(|b| *b != b'/').map_or(0, |e| e + 1);
        o.ld_prefix = v[..end].to_vec();
        Ok(())
    }, true),
    row("s", "STACK_SIZE", Value("size"), "size of the first thread's stack, in bytes or with k, M, G", |o, v| {
        o.stack_size = Some(size(v)?);
        Ok(())
    }, true),
    row("cpu", "CPU", Value("model"), "the processor (-cpu help lists them; with AVX-512: x86-64-v4)", |o, v| {
        o.cpu = Some(text(v)?);
        Ok(())
    }, true),
    row("E", "SET_ENV", Value("name=value"), "set a variable of the program (several with commas)", |o, v| {
        for item in v.split(|b| *b == b',') {
            if !item.contains(&b'=') {
                return Err("needs name=value".into());
            }
            o.set_env.push(item.to_vec());
        }
        Ok(())
    }, false),
    row("U", "UNSET_ENV", Value("name"), "remove a variable of the program (several with commas)", |o, v| {
        o.unset_env.extend(v.split(|b| *b == b',').map(<[u8]>::to_vec));
        Ok(())
    }, false),
    row("0", "ARGV0", Value("name"), "the program's argv[0]", |o, v| {
        o.argv0 = Some(v.to_vec());
        Ok(())
    }, false),
    row("r", "UNAME", Value("release"), "what uname -r says", |o, v| {
        o.uname = Some(v.to_vec());
        Ok(())
    }, true),
    row("B", "GUEST_BASE", Value("address"), "taken for qemu's sake: guest memory stands at its own addresses", |_, v| number(v).map(|_| ()), true),
    row("R", "RESERVED_VA", Value("size"), "the program's addresses end here", |o, v| {
        o.reserved_va = Some(size(v)?).filter(|v| *v != 0);
        Ok(())
    }, true),
    row("t", "RTSIG_MAP", Value("map"), "taken for qemu's sake: every signal is the host's own", |_, _| Ok(()), true),
    row("d", "LOG", Value("item,..."), "log these things (-d help lists them)", log_items, true),
    row("dfilter", "DFILTER", Value("range,..."), "log translations of these addresses only: start..end, start+size, start-size", filter, true),
    row("D", "LOG_FILENAME", Value("file"), "log there (%d: the process) and not to stderr", |o, v| {
        o.log_file = Some(v.to_vec());
        Ok(())
    }, true),
    row("p", "PAGESIZE", Value("size"), "taken for qemu's sake: nothing", |_, _| Ok(()), true),
    row("one-insn-per-tb", "ONE_INSN_PER_TB", Nothing, "translate single instructions", |o, _| {
        o.one_insn = true;
        Ok(())
    }, true),
    row("singlestep", "SINGLESTEP", Nothing, "old name of -one-insn-per-tb", |o, _| {
        o.one_insn = true;
        Ok(())
    }, true),
    row("tb-size", "TB_SIZE", Value("size"), "memory for translations, in MiB", |o, v| {
        o.code_size = Some(number(v)?.checked_mul(1 << 20).ok_or("is too large")?);
        Ok(())
    }, true),
    row("strace", "STRACE", Nothing, "log system calls", |o, _| {
        o.strace = true;
        Ok(())
    }, true),
    row("explain", "EXPLAIN", Nothing, "when a program fails, say why", |o, _| {
        o.explain = true;
        Ok(())
    }, true),
    row("seed", "RAND_SEED", Value("number"), "make random numbers repeatable", |o, v| {
        o.seed = Some(number(v)?);
        Ok(())
    }, true),
    row("interpret", "INTERPRET", Nothing, "interpret instead of translating (slow; for comparison)", |o, _| {
        o.interpret = true;
        Ok(())
    }, true),
    row("cache", "CACHE", Value("folder"), "keep translations there for other processes; off: nowhere", |o, v| {
        o.cache = Some(v.to_vec());
        Ok(())
    }, true),
    row("cache-size", "CACHE_SIZE", Value("size"), "remove translations that were not used for long beyond this", |o, v| {
        o.cache_size = Some(size(v)?);
        Ok(())
    }, true),
    row("host-features", "HOST_FEATURES", Value("list"), "of the host use only these, or all but `-name`s (without avx2 programs are interpreted)", |o, v| {
        o.features = Some(engine::Features::detect().masked(&text(v)?)?);
        Ok(())
    }, true),
    row("stats", "STATS", Value("file"), "add a line of JSON to it at the end: what -d stats tells (%d: the process)", |o, v| {
        o.stats_file = Some(v.to_vec());
        Ok(())
    }, true),
    row("hot", "HOT", Value("count"), "translate loops as a whole after so many rounds (0: at once, off: never)", |o, v| {
        o.hot = Some(if v == b"off" { None } else { Some(number(v)?.try_into().map_err(|_| "is too large")?) });
        Ok(())
    }, true),
    row("fp-traps", "FP_TRAPS", Value("count"), "after so many invalid floating-point operations, each a trap, code looks for them itself", |o, v| {
        o.fp_traps = Some(number(v)?.try_into().map_err(|_| "is too large")?);
        Ok(())
    }, true),
    row("perfmap", "PERFMAP", Nothing, "write /tmp/perf-<pid>.map, where perf finds names of translations", |o, _| {
        o.perfmap = true;
        Ok(())
    }, true),
    row("jitdump", "JITDUMP", Nothing, "write jit-<pid>.dump here: translations for perf inject --jit", |o, _| {
        o.jitdump = true;
        Ok(())
    }, true),
    row("g", "GDB", Value("endpoint"), "(not yet) wait for gdb", |_, _| Err("is not implemented yet".into()), false),
    row("plugin", "PLUGIN", Value("file"), "(not yet) load a plugin", |_, _| Err("is not implemented yet".into()), false),
    row("trace", "TRACE", Value("pattern"), "(not yet) trace events", |_, _| Err("is not implemented yet".into()), false),
];

fn text(v: &[u8]) -> Result<String, String> {
    String::from_utf8(v.to_vec()).map_err(|_| "is no text".into())
}

/// A number in C's notation: decimal, 0x, or octal after 0.
fn number(v: &[u8]) -> Result<u64, String> {
    let t = text(v)?;
    let parsed = if let Some(hex) = t.strip_prefix("0x").or_else(|| t.strip_prefix("0X")) {
        u64::from_str_radix(hex, 16)
    } else if t.len() > 1 && t.starts_with('0') {
        u64::from_str_radix(&t[1..], 8)
    } else {
        t.parse()
    };
    parsed.map_err(|_| format!("needs a number, not {t:?}"))
}

/// A number with an optional k, M or G.
fn size(v: &[u8]) -> Result<u64, String> {
    let (digits, shift) = match v.last() {
        Some(b'k' | b'K') => (&v[..v.len() - 1], 10),
        Some(b'M' | b'm') => (&v[..v.len() - 1], 20),
        Some(b'G' | b'g') => (&v[..v.len() - 1], 30),
        _ => (v, 0),
    };
    number(digits)?.checked_mul(1 << shift).ok_or_else(|| "is too large".into())
}

fn log_items(o: &mut Options, v: &[u8]) -> Result<(), String> {
    for item in text(v)?.split(',').filter(|i| !i.is_empty()) {
        let Some((_, bit, _)) = Log::ITEMS.iter().find(|(name, ..)| *name == item) else {
            return Err(format!("knows no {item:?} (-d help lists what there is)"));
        };
        o.log.0 |= bit.0;
        o.strace |= *bit == Log::STRACE;
    }
    Ok(())
}

fn filter(o: &mut Options, v: &[u8]) -> Result<(), String> {
    for item in text(v)?.split(',') {
        let (start, end) = if let Some((a, b)) = item.split_once("..") {
            (number(a.as_bytes())?, number(b.as_bytes())?.saturating_add(1))
        } else if let Some((a, n)) = item.split_once('+') {
            let a = number(a.as_bytes())?;
            (a, a.saturating_add(number(n.as_bytes())?))
        } else if let Some((a, n)) = item.split_once('-') {
            let a = number(a.as_bytes())?;
            (a.saturating_sub(number(n.as_bytes())?.saturating_sub(1)), a.saturating_add(1))
        } else {
            return Err(format!("needs ranges, not {item:?}"));
        };
        o.log_filter.push((start, end));
    }
    Ok(())
}

/// For the manual page: each option with what it takes, its variable, what it is about.
pub fn listed_options() -> impl Iterator<Item = (&'static str, Option<&'static str>, String, &'static str)> {
    ROWS.iter().map(|r| {
        let takes = match r.takes {
            Nothing => None,
            Value(what) => Some(what),
        };
        (r.name, takes, format!("QEMU_{}", r.env), r.about)
    })
}

/// The text of -h.
pub fn help(guests: &[&Guest]) -> String {
    use std::fmt::Write;
    let mut t = String::from(
        "usage: rqemu [options] PROGRAM [arguments...]\nRuns a Linux program that was built for another processor.\n\n\
         Options, and the variables that do the same (RQEMU_ may stand for QEMU_):\n",
    );
    for r in ROWS {
        let option = match r.takes {
            Nothing => format!("-{}", r.name),
            Value(v) => format!("-{} {v}", r.name),
        };
        let _ = writeln!(t, "  {option:<22} {:<22} {}", format!("QEMU_{}", r.env), r.about);
    }
    let names: Vec<_> = guests.iter().map(|g| g.name).collect();
    t += "\nOptions that print and end:\n";
    let _ = write!(
        t,
        "  {:<22} {:<22} this text\n  {:<22} {:<22} the version\n",
        "-h, -help", "", "-version", "QEMU_VERSION"
    );
    for p in PRINTS {
        let _ = writeln!(t, "  {:<22} {:<22} {}", format!("-{}", p.name), "", p.about);
    }
    t += "\nCommands:\n";
    t += &commands::help();
    let _ =
        writeln!(t, "\nProcessors: {}. The names rqemu-<processor>, qemu-<processor> insist on one.", names.join(", "));
    t
}

/// The text of -version.
pub fn version() -> String {
    format!("rqemu version {}\n", env!("CARGO_PKG_VERSION"))
}

fn log_help() -> String {
    use std::fmt::Write;
    let mut t = String::from("Log items (comma separated):\n");
    for (name, _, about) in Log::ITEMS {
        let _ = writeln!(t, "{name:<15} {about}");
    }
    t
}

fn cpu_help(guests: &[&Guest]) -> String {
    let lines = guests.iter().flat_map(|g| g.cpus.iter().map(move |c| format!("{:<12} {}\n", g.name, c.name)));
    let values = |p: &arch::Property| match p.values {
        [] => String::from("on|off"),
        values => values.iter().map(|v| v.0).collect::<Vec<_>>().join("|"),
    };
    let properties = guests
        .iter()
        .flat_map(|g| g.properties.iter().map(move |p| format!("{:<12} {}={}\n", g.name, p.name, values(p))));
    let (lines, properties) = (lines.collect::<String>(), properties.collect::<String>());
    format!("Available CPUs:\n{lines}Properties, after commas behind the name:\n{properties}")
}

/// The guest that a name of ours insists on: `rqemu-arm`, `qemu-arm-static`, `/usr/bin/qemu-arm-binfmt-P`.
pub fn guest_of_name(argv0: &[u8], guests: &[&'static Guest]) -> Option<&'static str> {
    let name = std::str::from_utf8(argv0.rsplit(|b| *b == b'/').next()?).ok()?;
    let name = name.strip_prefix("rqemu-").or_else(|| name.strip_prefix("qemu-"))?;
    let name = name.strip_suffix("-binfmt-P").unwrap_or(name);
    let name = name.strip_suffix("-static").unwrap_or(name);
    guests.iter().find(|g| g.name == name).map(|g| g.name)
}

/// The variable of a row that this is (`NAME=value`), with its value.
fn row_of_variable(variable: &[u8]) -> Option<(&'static Row, &[u8])> {
    let name = variable.strip_prefix(b"R").unwrap_or(variable).strip_prefix(b"QEMU_")?;
    let at = name.iter().position(|b| *b == b'=')?;
    ROWS.iter().find(|r| r.env.as_bytes() == &name[..at]).map(|r| (r, &name[at + 1..]))
}

/// Whether a variable is ours: the guest does not see it.
pub fn is_ours(variable: &[u8]) -> bool {
    variable.starts_with(b"RQEMU_") || variable.starts_with(b"QEMU_VERSION=") || row_of_variable(variable).is_some()
}

/// How rqemu was started, beside its arguments.
#[derive(Clone, Copy, Debug, Default)]
pub struct Start {
    /// Set-id: neither variables nor options count.
    pub secure: bool,
    /// The kernel started us for a program (binfmt_misc): there are no options.
    pub for_program: bool,
}

/// Whether words before the program may be options.
fn takes_options(start: Start) -> bool {
    !start.secure && !start.for_program
}

/// Reads environment and arguments.
pub fn parse(args: &[Vec<u8>], env: &[Vec<u8>], guests: &[&'static Guest], start: Start) -> Result<Invocation, Say> {
    let mut inv = Invocation { guest: args.first().and_then(|a| guest_of_name(a, guests)), ..Invocation::default() };
    // RQEMU_X after QEMU_X: the last counts.
    for own in [false, true] {
        for variable in env.iter().filter(|v| !start.secure && v.starts_with(b"R") == own) {
            if let Some((row, value)) = row_of_variable(variable) {
                let show = |e| fail(format!("rqemu: QEMU_{} {e}\n", row.env));
                apply(&mut inv, row, value, guests).map_err(|s| s.unwrap_or_else(show))?;
            } else if variable.starts_with(b"QEMU_VERSION=") || variable.starts_with(b"RQEMU_VERSION=") {
                return Err(Say { text: version(), status: 0 });
            }
        }
    }
    let mut rest = args.get(1..).unwrap_or_default();
    while let Some(arg) = rest.first().filter(|a| takes_options(start) && a.starts_with(b"-") && a.len() > 1) {
        rest = &rest[1..];
        let name = arg.strip_prefix(b"--").or_else(|| arg.strip_prefix(b"-")).unwrap_or(arg);
        match name {
            b"" => break,
            b"h" | b"help" => return Err(Say { text: help(guests), status: 0 }),
            b"version" => return Err(Say { text: version(), status: 0 }),
            _ => {}
        }
        if let Some(print) = PRINTS.iter().find(|p| p.name.as_bytes() == name) {
            return Err(Say { text: (print.text)(&listed(inv.guest, guests)), status: 0 });
        }
        let shown = String::from_utf8_lossy(name);
        let Some(row) = ROWS.iter().find(|r| r.name.as_bytes() == name) else {
            return Err(fail(format!("rqemu: unknown option -{shown} (see rqemu -h)\n")));
        };
        let value = match row.takes {
            Nothing => b"1".as_slice(),
            Value(what) => {
                let Some(v) = rest.first() else { return Err(fail(format!("rqemu: -{shown} needs a {what}\n"))) };
                rest = &rest[1..];
                v
            }
        };
        // -t is followed by several words in QEMU's table only as one argument; nothing else to skip.
        let show = |e| fail(format!("rqemu: -{shown} {e}\n"));
        apply(&mut inv, row, value, guests).map_err(|s| s.unwrap_or_else(show))?;
    }
    let by_thread = inv.options.log_file.as_ref().is_some_and(|f| f.windows(2).any(|w| w == b"%d"));
    if inv.options.log.has(Log::TID) && !by_thread {
        return Err(fail("rqemu: -d tid needs a -D with %d in it\n"));
    }
    if rest.is_empty() {
        return Err(fail("rqemu: no program given (see rqemu -h)\n"));
    }
    if inv.guest.is_none()
        && takes_options(start)
        && let Some(say) = commands::command(rest, &inv.options, env, guests)
    {
        return Err(say);
    }
    inv.program = rest.to_vec();
    Ok(inv)
}

/// The guests that a list shows: all, or the one that our name insists on.
fn listed(wanted: Option<&str>, guests: &[&'static Guest]) -> Vec<&'static Guest> {
    guests.iter().copied().filter(|g| wanted.is_none_or(|name| g.name == name)).collect()
}

/// What went wrong while an option was set: a text about its value, or something to say instead.
trait UnwrapSay {
    fn unwrap_or_else(self, show: impl FnOnce(String) -> Say) -> Say;
}

/// See [`UnwrapSay`].
enum Wrong {
    Value(String),
    Instead(Say),
}

impl UnwrapSay for Wrong {
    fn unwrap_or_else(self, show: impl FnOnce(String) -> Say) -> Say {
        match self {
            Wrong::Value(e) => show(e),
            Wrong::Instead(s) => s,
        }
    }
}

fn apply(inv: &mut Invocation, row: &'static Row, value: &[u8], guests: &[&'static Guest]) -> Result<(), Wrong> {
    match (row.name, value) {
        ("cpu", b"help" | b"?") => {
            return Err(Wrong::Instead(Say { text: cpu_help(&listed(inv.guest, guests)), status: 0 }));
        }
        ("d", b"help" | b"?") => return Err(Wrong::Instead(Say { text: log_help(), status: 0 })),
        _ => {}
    }
    (row.set)(&mut inv.options, value).map_err(Wrong::Value)?;
    if row.inherited {
        inv.inherited.push([b"RQEMU_", row.env.as_bytes(), b"=", value].concat());
    }
    Ok(())
}

/// The guest's environment: ours without our variables, with what -E and -U ask.
pub fn guest_environment(env: &[Vec<u8>], options: &Options) -> Vec<Vec<u8>> {
    let name = |v: &[u8]| v[..v.iter().position(|b| *b == b'=').unwrap_or(v.len())].to_vec();
    let mut out: Vec<Vec<u8>> = env.iter().filter(|v| !is_ours(v)).cloned().collect();
    for v in &options.set_env {
        match out.iter_mut().find(|o| name(o) == name(v)) {
            Some(o) => o.clone_from(v),
            None => out.push(v.clone()),
        }
    }
    out.retain(|v| !options.unset_env.contains(&name(v)));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(list: &[&str]) -> Vec<Vec<u8>> {
        list.iter().map(|s| s.as_bytes().to_vec()).collect()
    }
    fn run(args: &[&str], env: &[&str]) -> Result<Invocation, Say> {
        parse(&words(args), &words(env), &[], Start::default())
    }

    #[test]
    fn options_end_at_the_program() {
        let i = run(&["rqemu", "-L", "/root/", "-strace", "--seed", "0x10", "./x", "-L", "y"], &[]).unwrap();
        assert_eq!(i.options.ld_prefix, b"/root");
        assert_eq!((i.options.strace, i.options.seed), (true, Some(16)));
        assert_eq!(i.program, words(&["./x", "-L", "y"]));
        assert_eq!(i.inherited, words(&["RQEMU_LD_PREFIX=/root/", "RQEMU_STRACE=1", "RQEMU_RAND_SEED=0x10"]));
    }

    #[test]
    fn variables_are_options() {
        let i = run(&["rqemu", "x"], &["RQEMU_CPU=b", "QEMU_CPU=a", "QEMU_LOG=unimp,strace", "HOME=/"]).unwrap();
        assert_eq!(i.options.cpu.as_deref(), Some("b"));
        assert!(i.options.strace && i.options.log.has(Log::UNIMP));
        let i = run(&["rqemu", "-cpu", "c", "x"], &["RQEMU_CPU=b"]).unwrap();
        assert_eq!(i.options.cpu.as_deref(), Some("c"));
        let secure = Start { secure: true, for_program: true };
        let i = parse(&words(&["qemu-x", "-L"]), &words(&["QEMU_CPU=a"]), &[], secure).unwrap();
        assert_eq!((i.options.cpu, i.program), (None, words(&["-L"])));
    }

    #[test]
    fn the_guest_does_not_see_ours() {
        let o = Options { set_env: words(&["A=1", "B=2"]), unset_env: words(&["C"]), ..Options::default() };
        let env = words(&["QEMU_LD_PREFIX=/x", "RQEMU_ANY=1", "A=0", "C=3", "QEMU_MINE=1"]);
        assert_eq!(guest_environment(&env, &o), words(&["A=1", "QEMU_MINE=1", "B=2"]));
    }

    #[test]
    fn what_is_wrong_is_said_in_a_line() {
        for args in [
            &["rqemu"][..],
            &["rqemu", "-nonsense", "x"],
            &["rqemu", "-g", "1234", "x"],
            &["rqemu", "-plugin", "y", "x"],
            &["rqemu", "-s", "many", "x"],
            &["rqemu", "-d", "nothing", "x"],
            &["rqemu", "-d", "tid", "-D", "x", "y"],
            &["rqemu", "-L"],
        ] {
            let say = run(args, &[]).unwrap_err();
            assert_eq!(say.status, 1);
            assert_eq!(say.text.lines().count(), 1, "{say:?}");
        }
        assert_eq!(run(&["rqemu", "-h"], &[]).unwrap_err().status, 0);
        assert!(run(&["rqemu", "-d", "help"], &[]).unwrap_err().text.contains("unimp"));
        let say = run(&["rqemu", "--syscalls"], &[]).unwrap_err();
        assert_eq!((say.status, say.text.starts_with("# ")), (0, true));
    }

    #[test]
    fn sizes() {
        assert_eq!(size(b"8M"), Ok(8 << 20));
        assert_eq!(size(b"0x1000"), Ok(4096));
        assert_eq!(size(b"010"), Ok(8));
        assert!(size(b"99999999999999999999").is_err());
        let mut o = Options::default();
        filter(&mut o, b"0x10..0x1f,0x40+8,0x50-16").unwrap();
        assert_eq!(o.log_filter, [(16, 32), (64, 72), (0x41, 0x51)]);
    }
}
