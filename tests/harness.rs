//! What every suite shares: the guests, where the programs under test are, how a case is run, judged and left out.
//!
//! Not here: anything that only one kind of case needs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// A guest as the tests see it: its name in `rqemu` and QEMU, and Debian's names for its compilers and roots.
pub(crate) struct Guest {
    /// `aarch64`: as in `rqemu-aarch64` and `qemu-aarch64`.
    pub(crate) name: &'static str,
    /// Compiler prefixes. The first is the guest's main ABI, and every suite uses it; the others are samples.
    pub(crate) triplets: &'static [&'static str],
    /// Debian architectures whose roots run its programs, in the same order.
    pub(crate) roots: &'static [&'static str],
    /// Whether the host runs its programs itself, and so is the reference.
    pub(crate) native: bool,
}

pub(crate) const GUESTS: &[Guest] = &[
    Guest { name: "aarch64", triplets: &["aarch64-linux-gnu"], roots: &["arm64"], native: false },
    Guest {
        name: "arm",
        triplets: &["arm-linux-gnueabihf", "arm-linux-gnueabi"],
        roots: &["armhf", "armel"],
        native: false,
    },
    Guest { name: "riscv64", triplets: &["riscv64-linux-gnu"], roots: &["riscv64"], native: false },
    // No C library of Debian's: what needs one is left out, if `tests/setup musl` has not brought another.
    Guest { name: "riscv32", triplets: &["riscv32-linux-musl"], roots: &[], native: false },
    Guest { name: "x86_64", triplets: &["x86_64-linux-gnu"], roots: &["amd64"], native: true },
    Guest { name: "i386", triplets: &["i686-linux-gnu"], roots: &["i386"], native: true },
];

/// The repository's root.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A folder for built and temporary files, kept between runs.
pub(crate) fn scratch(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&dir).expect("scratch folder");
    dir
}

/// Where `tests/setup` puts what it fetched.
pub(crate) fn cache() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
    let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    set("RQEMU_TESTS_CACHE")
        .unwrap_or_else(|| set("XDG_CACHE_HOME").unwrap_or_else(|| home().join(".cache")).join("rqemu-tests"))
}

/// The emulator under test. `RQEMU_TEST_BIN` names another, with `{guest}` for the guest's name: the harness itself is
/// tested with `RQEMU_TEST_BIN=qemu-{guest}`.
pub(crate) fn rqemu(guest: &Guest) -> PathBuf {
    match std::env::var("RQEMU_TEST_BIN") {
        Ok(name) => find_program(&name.replace("{guest}", guest.name)).expect("RQEMU_TEST_BIN names no program"),
        Err(_) => PathBuf::from(env!("CARGO_BIN_EXE_rqemu")),
    }
}

/// The reference emulator, where there is one.
pub(crate) fn reference(guest: &Guest) -> Option<PathBuf> {
    let name = format!("qemu-{}", guest.name);
    let fetched = cache().join("qemu").join(&name);
    if fetched.exists() { Some(fetched) } else { find_program(&name) }
}

/// The guest's program under the reference: the reference emulator, or the host itself.
pub(crate) fn by_reference(guest: &Guest, program: &Path) -> Option<Command> {
    if guest.native {
        return Some(Command::new(program));
    }
    let mut command = Command::new(reference(guest)?);
    command.arg(program);
    Some(command)
}

/// Looks a program up as a shell would, then among what `tests/setup` has brought.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    if name.contains('/') {
        return Path::new(name).exists().then(|| PathBuf::from(name));
    }
    let path = std::env::var_os("PATH")?;
    let own = cache().join("bin");
    std::env::split_paths(&path).chain([own]).map(|dir| dir.join(name)).find(|file| file.exists())
}

/// Says in one line what is not run here, and why. Not captured by the test runner, so that it is always seen.
pub(crate) fn leave_out(what: &str, why: &str) {
    static SAID: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let line = format!("left out: {what}: {why}\n");
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    if !said.contains(&line) {
        let _ = io::stderr().write_all(line.as_bytes());
        said.push(line);
    }
}

/// A line of progress, not captured either.
pub(crate) fn tell(line: &str) {
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// What a program did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    /// `exit 0`, `signal 11`, `time limit`.
    pub(crate) end: String,
}

fn end_of(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("exit {code}"),
        None => format!("signal {}", status.signal().unwrap_or(0)),
    }
}

/// Gives a program the signals of a terminal as a shell would: who runs the tests in the background or under nohup ignores some.
fn as_from_a_shell(command: &mut Command) {
    let reset = || {
        for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM, libc::SIGCHLD] {
            // SAFETY: signal is async-signal-safe and takes plain numbers.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
        Ok(())
    };
    // SAFETY: between fork and exec nothing is called but signal.
    unsafe { command.pre_exec(reset) };
}

/// How much longer than on an idle machine things may take here and now.
fn patience() -> u32 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: f64 = text.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0.0);
    let processors = thread::available_parallelism().map_or(1, usize::from);
    (load / processors as f64).clamp(1.0, 50.0).ceil() as u32
}

/// Runs a command to its end, or until `limit` has passed, more on a busy machine; then its whole process group is killed.
pub(crate) fn run(command: &mut Command, limit: Duration) -> Outcome {
    run_until(command, |elapsed| elapsed > limit && elapsed > limit * patience())
}

/// Runs a command for so long at most, however busy the machine is.
pub(crate) fn run_for(command: &mut Command, limit: Duration) -> Outcome {
    run_until(command, |elapsed| elapsed > limit)
}

fn run_until(command: &mut Command, too_long: impl Fn(Duration) -> bool) -> Outcome {
    static SERIAL: AtomicU32 = AtomicU32::new(0);
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
    // Files, not pipes: a grandchild that keeps a pipe open must not hold the test up.
    let base = scratch("outcome").join(format!("{}-{serial}", std::process::id()));
    let (out, err) = (base.with_extension("out"), base.with_extension("err"));
    command.stdin(Stdio::null()).process_group(0);
    as_from_a_shell(command);
    command.stdout(File::create(&out).expect("output file")).stderr(File::create(&err).expect("output file"));
    let end = match command.spawn() {
        Err(error) => format!("not started: {error}"),
        Ok(mut child) => {
            let (start, mut pause) = (Instant::now(), Duration::from_micros(500));
            loop {
                match child.try_wait().expect("wait") {
                    Some(status) => break end_of(status),
                    None if too_long(start.elapsed()) => {
                        // SAFETY: kill takes plain numbers; the group is that of the child started above, not yet reaped.
                        unsafe { libc::kill(-(child.id() as i32), libc::SIGKILL) };
                        let _ = child.wait();
                        break "time limit".into();
                    }
                    None => thread::sleep(pause),
                }
                pause = (pause * 5 / 4).min(Duration::from_millis(20));
            }
        }
    };
    let read = |path: &Path| {
        let bytes = fs::read(path).unwrap_or_default();
        let _ = fs::remove_file(path);
        bytes
    };
    Outcome { stdout: read(&out), stderr: read(&err), end }
}

/// Compares what counts, standard output and the end; `Err` says what differs first.
pub(crate) fn compare(expected: &Outcome, got: &Outcome) -> Result<(), String> {
    if expected.stdout == got.stdout && expected.end == got.end {
        return Ok(());
    }
    let mut text = String::new();
    if expected.end != got.end {
        let _ = write!(text, "ended with {}, not {}", got.end, expected.end);
    }
    let (want, have) = (String::from_utf8_lossy(&expected.stdout), String::from_utf8_lossy(&got.stdout));
    let (mut a, mut b) = (want.lines(), have.lines());
    for number in 1.. {
        match (a.next(), b.next()) {
            (None, None) => break,
            (x, y) if x == y => {}
            (x, y) => {
                let none = "(nothing)";
                let (x, y) = (x.unwrap_or(none), y.unwrap_or(none));
                let _ = write!(text, "\n      line {number}: {y}\n      expected: {x}");
                break;
            }
        }
    }
    let stderr = String::from_utf8_lossy(&got.stderr);
    for line in stderr.lines().rev().take(4).collect::<Vec<_>>().into_iter().rev() {
        let _ = write!(text, "\n      stderr: {line}");
    }
    Err(text)
}

/// Suites that start many programs hold this, so that they do not disturb each other's time limits.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `check` on every case, several at a time, and fails with the list of those that fail.
///
/// A case's name is `suite/guest/name`. A name in `tests/exceptions` must fail: one that passes has to leave that file.
pub(crate) fn judge<T: Sync>(
    suite: &str,
    cases: &[T],
    name: impl Fn(&T) -> String + Sync,
    check: impl Fn(&T) -> Result<(), String> + Sync,
) {
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    let filter = std::env::var("RQEMU_TEST_CASE").ok();
    let exceptions = exceptions();
    let (excepted, ran) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let name = format!("{suite}/{}", name(case));
                    if filter.as_ref().is_some_and(|f| !name.contains(f.as_str())) {
                        continue;
                    }
                    ran.fetch_add(1, Ordering::Relaxed);
                    let verdict = match (check(case), exceptions.get(&name)) {
                        (Err(_), Some(_)) => {
                            excepted.fetch_add(1, Ordering::Relaxed);
                            continue;
                        }
                        (Ok(()), Some(_)) => Err("passes: take it out of tests/exceptions".into()),
                        (verdict, None) => verdict,
                    };
                    if let Err(text) = verdict {
                        // at once, too: a suite that is stopped has said something
                        tell(&format!("failed: {name}: {}", text.lines().next().unwrap_or("")));
                        failures.lock().unwrap_or_else(PoisonError::into_inner).insert(name, text);
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap_or_else(PoisonError::into_inner);
    let (ran, excepted) = (ran.into_inner(), excepted.into_inner());
    tell(&format!("{suite}: {ran} cases, {} failed, {excepted} known to fail", failures.len()));
    let mut text = String::new();
    for (name, why) in &failures {
        let _ = write!(text, "\n  {name}: {why}");
    }
    assert!(failures.is_empty(), "{} of {ran} cases failed:{text}", failures.len());
}

/// The cases that are known to fail: name and reason, one a line.
pub(crate) fn exceptions() -> &'static BTreeMap<String, String> {
    static LIST: OnceLock<BTreeMap<String, String>> = OnceLock::new();
    LIST.get_or_init(|| {
        let text = fs::read_to_string(repository().join("tests/exceptions")).unwrap_or_default();
        let rows = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
        rows.map(|line| {
            let (name, reason) = line.split_once(char::is_whitespace).expect("tests/exceptions: a name and a reason");
            (name.to_owned(), reason.trim().to_owned())
        })
        .collect()
    })
}

/// Compiles `source` to `output` unless that is newer already. `Err` is the compiler's complaint.
pub(crate) fn compile(compiler: &Path, flags: &[&str], source: &Path, output: &Path) -> Result<(), String> {
    let age = |path: &Path| fs::metadata(path).and_then(|m| m.modified()).ok();
    if age(output).is_some_and(|built| age(source).is_some_and(|written| built > written)) {
        return Ok(());
    }
    let partial = output.with_extension(format!("{:?}.partial", thread::current().id()));
    // the 8-byte atomics of an ARMv5 are a library's
    let libraries = ["-lm", "-lpthread", "-lrt", "-Wl,--as-needed", "-latomic"];
    let done = run(
        Command::new(compiler).arg(source).args(flags).arg("-o").arg(&partial).args(libraries),
        Duration::from_secs(120),
    );
    if done.end != "exit 0" {
        return Err(format!("does not compile: {}", String::from_utf8_lossy(&done.stderr)));
    }
    fs::rename(&partial, output).map_err(|error| error.to_string())
}

/// A stable 64-bit hash (FNV-1a), for the names of cached files.
pub(crate) fn hash(parts: &[&[u8]]) -> u64 {
    let step = |h: u64, &b: &u8| (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3);
    parts.iter().flat_map(|part| part.iter().chain(&[0u8])).fold(0xcbf2_9ce4_8422_2325, step)
}
