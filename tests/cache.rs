//! The stored cache of translations: that it is used, and that nothing that befalls its files changes what a program does.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::harness::{self, GUESTS, Guest, Outcome};

const LIMIT: Duration = Duration::from_secs(60);

/// An empty folder for translations.
fn folder(name: &str) -> PathBuf {
    let dir = harness::scratch("cache").join(name);
    let _ = fs::remove_dir_all(&dir);
    dir
}

fn hello(guest: &Guest) -> PathBuf {
    harness::repository().join("tests/programs/hello").join(guest.name)
}

/// The command that runs a program with a cache folder; what it translated goes to a file beside the folder.
fn command(guest: &Guest, cache: &Path, program: &Path) -> Command {
    // Programs leave files where they stand, and look whether there are some.
    static RUN: AtomicU32 = AtomicU32::new(0);
    let home = harness::scratch("cache-home").join(RUN.fetch_add(1, Ordering::Relaxed).to_string());
    let _ = fs::remove_dir_all(&home);
    fs::create_dir_all(&home).expect("a folder");
    let mut c = Command::new(harness::rqemu(guest));
    c.current_dir(&home).env("TMPDIR", &home).arg("-cache").arg(cache).arg(program);
    if cache.is_absolute() {
        c.env("RQEMU_STATS", stats(cache));
    }
    c
}

fn stats(cache: &Path) -> PathBuf {
    cache.with_extension("stats")
}

/// Runs a program; how many regions it had to translate.
fn run(guest: &Guest, cache: &Path, program: &Path) -> (Outcome, usize) {
    let _ = fs::remove_file(stats(cache));
    let outcome = harness::run(&mut command(guest, cache, program), LIMIT);
    (outcome, translated(cache))
}

/// The regions that the last processes translated.
fn translated(cache: &Path) -> usize {
    counted(cache, "regions")
}

/// A number of the last processes, summed up.
fn counted(cache: &Path, what: &str) -> usize {
    let text = fs::read_to_string(stats(cache)).expect("numbers");
    let after = format!("\"{what}\": ");
    let count = |line: &str| line.split(&after).nth(1)?.split([',', '}']).next()?.trim().parse::<usize>().ok();
    text.lines().map(|line| count(line).expect("a number")).sum()
}

/// The files with translations.
pub(crate) fn units(cache: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(cache).into_iter().flatten().flatten().map(|e| e.path());
    let mut list: Vec<_> = entries.filter(|p| p.file_name().is_some_and(|n| n.len() == 32)).collect();
    list.sort();
    list
}

/// The greeting, and the one file that it leaves in the folder.
fn stored_hello(guest: &Guest, cache: &Path) -> (Outcome, PathBuf) {
    let (first, made) = run(guest, cache, &hello(guest));
    assert_eq!(first.end, "exit 0");
    assert!(made > 0);
    let files = units(cache);
    assert_eq!(files.len(), 1, "{files:?}");
    (first, files[0].clone())
}

#[test]
fn the_second_process_translates_nothing() {
    for guest in GUESTS {
        let cache = folder(&format!("second-{}", guest.name));
        let (first, _) = stored_hello(guest, &cache);
        assert_eq!(counted(&cache, "stored_hits"), 0);
        assert_eq!(run(guest, &cache, &hello(guest)), (first, 0));
        assert!(counted(&cache, "stored_hits") > 0);
    }
}

/// Replaces a unit as it must not be: with other bytes in the same place.
pub(crate) fn damage(file: &Path, bytes: &[u8]) {
    fs::remove_file(file).expect("a file");
    fs::write(file, bytes).expect("a file");
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).expect("a file");
}

#[test]
fn damaged_files_are_not_used_and_made_anew() {
    for guest in GUESTS {
        let cache = folder(&format!("damaged-{}", guest.name));
        let (first, file) = stored_hello(guest, &cache);
        let good = fs::read(&file).expect("a file");
        let flips = (0..good.len()).map(|n| {
            let mut bad = good.clone();
            bad[n] ^= 1 << (n % 8);
            bad
        });
        let cuts = (0..good.len()).step_by(7).map(|n| good[..n].to_vec());
        let longer = [[&good[..], &[0]].concat(), vec![0xff; 1 << 16], vec![0; good.len()]];
        for (n, bad) in flips.chain(cuts).chain(longer).enumerate().step_by(3) {
            damage(&file, &bad);
            let (outcome, _) = run(guest, &cache, &hello(guest));
            assert_eq!(outcome, first, "damage {n}");
        }
        let (outcome, made) = run(guest, &cache, &hello(guest));
        assert_eq!(outcome, first);
        // The last damage was mended, or lay where nobody looks.
        assert_eq!(made, 0);
    }
}

/// In memory a file that nobody has written since it was made is taken as it is, so what matters there is that a write is noticed.
#[test]
fn files_in_memory_are_checked_once_they_were_written() {
    let guest = &GUESTS[0];
    let cache = Path::new("/dev/shm").join(format!("rqemu-test-{}", std::process::id()));
    let _ = fs::remove_dir_all(&cache);
    let (first, file) = stored_hello(guest, &cache);
    let good = fs::read(&file).expect("a file");
    assert_eq!(run(guest, &cache, &hello(guest)), (first.clone(), 0));
    for n in (0..good.len()).step_by(61) {
        let mut bad = good.clone();
        bad[n] ^= 1 << (n % 8);
        // In its place: the same file as before.
        fs::write(&file, &bad).expect("a file");
        assert_eq!(run(guest, &cache, &hello(guest)).0, first, "damage {n}");
    }
    // Whole again, but written.
    fs::write(&file, &good).expect("a file");
    assert_eq!(run(guest, &cache, &hello(guest)), (first, 0));
    fs::remove_dir_all(&cache).expect("a folder");
    let _ = fs::remove_file(stats(&cache));
}

#[test]
fn files_of_others_are_not_used() {
    let [a, b] = [&GUESTS[0], &GUESTS[1]];
    let cache = folder("others");
    let (first, of_a) = stored_hello(a, &cache);
    let (second, _) = run(b, &cache, &hello(b));
    let of_b = units(&cache).into_iter().find(|f| *f != of_a).expect("another file");
    // Another guest's translations under this program's name.
    damage(&of_a, &fs::read(&of_b).expect("a file"));
    assert_eq!(run(a, &cache, &hello(a)).0, first);
    // Translations of another version of rqemu: the version is a part of the key, which stands in the header after 16 bytes.
    let mut old = fs::read(&of_b).expect("a file");
    old[16] ^= 1;
    damage(&of_b, &old);
    assert_eq!(run(b, &cache, &hello(b)).0, second);
    // Files and folders that others could have written.
    fs::set_permissions(&of_a, fs::Permissions::from_mode(0o622)).expect("a file");
    let (outcome, made) = run(a, &cache, &hello(a));
    assert!(outcome == first && made > 0, "a file that others can write");
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o777)).expect("a folder");
    let (outcome, made) = run(a, &cache, &hello(a));
    assert!(outcome == first && made > 0, "a folder that others can write");
}

/// Static programs of `tests/linux` that do much in one process and several, with what they print without a cache.
fn programs() -> &'static [(&'static Guest, PathBuf, Outcome)] {
    static LIST: OnceLock<Vec<(&'static Guest, PathBuf, Outcome)>> = OnceLock::new();
    LIST.get_or_init(make_programs)
}

fn make_programs() -> Vec<(&'static Guest, PathBuf, Outcome)> {
    let mut list = Vec::new();
    for guest in GUESTS {
        let triplet = guest.triplets[0];
        let Some(compiler) = harness::find_program(&format!("{triplet}-gcc")) else {
            harness::leave_out(&format!("the cache with programs for {triplet}"), "no cross compiler");
            continue;
        };
        for stem in ["faults", "jit", "jumps", "memory", "process", "threads"] {
            let source = harness::repository().join("tests/linux").join(format!("{stem}.c"));
            let program = harness::scratch("cache-programs").join(format!("{stem}.{}", guest.name));
            let flags = ["-static", "-O1", "-g0", "-std=gnu11", "-D_GNU_SOURCE", "-w", "-pthread"];
            // What the suite `linux` knows to fail is no measure.
            if harness::exceptions().contains_key(&format!("linux/{triplet}/{stem}")) {
                harness::leave_out(&format!("the cache with {stem} for {triplet}"), "see tests/exceptions");
                continue;
            }
            harness::compile(&compiler, &flags, &source, &program).expect("a program");
            let plain = harness::run(&mut command(guest, Path::new("off"), &program), LIMIT);
            list.push((guest, program, plain));
        }
    }
    list
}

#[test]
fn programs_do_the_same_cold_warm_and_with_damage() {
    let _alone = harness::alone();
    for (guest, program, plain) in programs() {
        let name = program.file_name().and_then(|n| n.to_str()).expect("a name");
        let cache = folder(&format!("programs-{name}"));
        let (cold, made) = run(guest, &cache, program);
        harness::compare(plain, &cold).unwrap_or_else(|e| panic!("{name}, cold: {e}"));
        let (warm, again) = run(guest, &cache, program);
        harness::compare(plain, &warm).unwrap_or_else(|e| panic!("{name}, warm: {e}"));
        // All of it in hot regions, made and then stored: faults and signals find their own homes.
        for temperature in ["cold", "warm"] {
            let hot = harness::run(command(guest, &cache, program).env("RQEMU_HOT", "0"), LIMIT);
            harness::compare(plain, &hot).unwrap_or_else(|e| panic!("{name}, {temperature}, hot at once: {e}"));
        }
        // What a program makes itself is not stored.
        assert!(again * 5 < made || name.starts_with("jit"), "{name}: {again} of {made} regions translated again");
        let mut seed = 1u64;
        for round in 0..4 {
            for file in units(&cache) {
                let mut bytes = fs::read(&file).expect("a file");
                for _ in 0..1 << round {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    let at = (seed >> 33) as usize % bytes.len();
                    bytes[at] ^= 1 << (seed >> 30 & 7);
                }
                damage(&file, &bytes);
            }
            let (bad, _) = run(guest, &cache, program);
            harness::compare(plain, &bad).unwrap_or_else(|e| panic!("{name}, damaged: {e}"));
        }
    }
}

/// Processes that are killed at any point leave no half-written file, and what they leave does the next one no harm.
#[test]
fn those_that_are_killed_leave_nothing_half_done() {
    const POINTS: u32 = 25;
    for (guest, program, plain) in programs().iter().filter(|p| p.1.to_string_lossy().contains("jumps")) {
        let cache = folder(&format!("killed-{}", guest.name));
        let start = std::time::Instant::now();
        run(guest, &cache, program);
        let whole = start.elapsed();
        for point in 0..POINTS {
            // Every other one finds what those before have left.
            if point % 2 == 0 {
                let _ = fs::remove_dir_all(&cache);
            }
            let mut command = command(guest, &cache, program);
            let mut child = command.stdout(std::process::Stdio::null()).spawn().expect("rqemu");
            std::thread::sleep(whole * point / (POINTS - 5));
            let _ = child.kill();
            child.wait().expect("its end");
            let is_whole = |name: &str| name.len() == 32 || ["lock", "secret"].contains(&name);
            let names = fs::read_dir(&cache).into_iter().flatten().flatten();
            let names: Vec<_> = names.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
            assert!(names.iter().all(|n| is_whole(n)), "{}, point {point}: {names:?}", guest.name);
        }
        let (outcome, _) = run(guest, &cache, program);
        harness::compare(plain, &outcome).unwrap_or_else(|e| panic!("{}: {e}", guest.name));
        assert_eq!(run(guest, &cache, program).0, outcome, "{}: once more", guest.name);
    }
}

#[test]
fn ten_processes_write_at_once() {
    for (guest, program, plain) in programs().iter().filter(|p| p.1.to_string_lossy().contains("jumps")) {
        let cache = folder(&format!("ten-{}", guest.name));
        let _ = fs::remove_file(stats(&cache));
        std::thread::scope(|s| {
            let run = || {
                let outcome = harness::run(&mut command(guest, &cache, program), LIMIT);
                harness::compare(plain, &outcome).expect("the same with nine others");
            };
            for _ in 0..10 {
                s.spawn(run);
            }
        });
        let (outcome, made) = run(guest, &cache, program);
        harness::compare(plain, &outcome).expect("the same afterwards");
        // i386's entry to the kernel is in no file: its two regions are made by each process.
        let unstored = if guest.name == "i386" { 2 } else { 0 };
        assert_eq!(made, unstored, "{}: what they wrote is whole", guest.name);
        let left = fs::read_dir(&cache)
            .expect("a folder")
            .flatten()
            .filter(|e| e.file_name().to_string_lossy().starts_with("tmp."));
        assert_eq!(left.count(), 0, "no half-written files");
    }
}

/// A short loop that is entered often: stored links that lead to it must come to lead to the hot region made of it.
#[test]
fn stored_loops_become_hot() {
    for guest in GUESTS {
        let triplet = guest.triplets[0];
        let Some(compiler) = harness::find_program(&format!("{triplet}-gcc")) else {
            harness::leave_out(&format!("hot loops of stored code for {triplet}"), "no cross compiler");
            continue;
        };
        let cache = folder(&format!("hot-{}", guest.name));
        let (source, program) = (cache.with_extension("c"), cache.with_extension("program"));
        let text = "static int volatile n = 100; int list[100]; \
            __attribute__((noinline)) static int sum(int k) { int s = k; for (int i = n; i--;) s += list[i] ^ k; return s; } \
            int main(int c, char **v) { int s = 0; for (int k = 0; k < (c > 1 ? 200000 : 3); k++) s += sum(k); return s == 1; }";
        fs::write(&source, text).expect("a source");
        harness::compile(&compiler, &["-static", "-O1", "-w"], &source, &program).expect("a program");
        run(guest, &cache, &program);
        let long = || {
            let _ = fs::remove_file(stats(&cache));
            assert_eq!(harness::run(command(guest, &cache, &program).arg("long"), LIMIT).end, "exit 0");
            counted(&cache, "hot_regions")
        };
        assert!(long() > 0, "{}", guest.name);
        // Twenty million rounds: slots that still lead to the stored loop would end a countdown every four thousand. The loop around it, which calls and
        // so is no hot region, ends some.
        assert!((1..200).contains(&counted(&cache, "hot")), "{}: {} times", guest.name, counted(&cache, "hot"));
        assert_eq!(long(), 0, "hot regions are stored too");
    }
}

/// Code among the data of a file that is no ELF image, mapped to be written at an address that the program asks for, as Lisps have it: stored, and compared
/// when it is changed, in memory or in the file.
#[test]
fn code_in_files_of_a_programs_own_is_stored() {
    const FUNCTIONS: usize = 200;
    // Those of 32 bits have no addresses that nothing else is put at.
    for guest in GUESTS.iter().filter(|g| !["arm", "i386", "riscv32"].contains(&g.name)) {
        let triplet = guest.triplets[0];
        let Some(compiler) = harness::find_program(&format!("{triplet}-gcc")) else {
            harness::leave_out(&format!("code in files of programs' own for {triplet}"), "no cross compiler");
            continue;
        };
        let cache = folder(&format!("own-{}", guest.name));
        let [source, program, core] = ["c", "program", "core"].map(|e| cache.with_extension(e));
        let text = "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <fcntl.h>\n#include <unistd.h>\n#include <sys/mman.h>
            #define ALONE __attribute__((noinline, aligned(64)))
            ALONE static int plus(int x) { return x + 3; }
            ALONE static int times(int x) { return x * 5; }
            int main(int c, char **v) {
                static char image[5 << 12];
                int (*f)(int) = v[2][0] == '+' ? plus : times, sum = 1;
                for (int i = 0; i < 200; i++) memcpy(image + 4096 + i * 64, (char *) f, 64);
                int fd = open(v[1], O_RDWR | O_CREAT, 0666);
                if (c > 3 && write(fd, image, sizeof image) != sizeof image) return 2;
                char *at = (char *) 0x2000000000;
                if (mmap(at, sizeof image, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd, 0) != at) return 3;
                for (int i = 0; i < 200; i++) sum = ((int (*)(int)) (at + 4096 + i * 64))(sum) % 1000;
                printf(\"%d\", sum);
                memcpy(at + 4096, (char *) (f == plus ? times : plus), 64);
                __builtin___clear_cache(at + 4096, at + 4160);
                printf(\" %d\", ((int (*)(int)) (at + 4096))(7));
                return 0;
            }";
        fs::write(&source, text).expect("a source");
        harness::compile(&compiler, &["-static", "-O2", "-w"], &source, &program).expect("a program");
        let run = |kind: &str, write: bool| {
            let _ = fs::remove_file(stats(&cache));
            let mut c = command(guest, &cache, &program);
            c.arg(&core).arg(kind).args(write.then_some("write"));
            let outcome = harness::run(&mut c, LIMIT);
            let calls = (0..FUNCTIONS).fold(1, |sum, _| if kind == "+" { sum + 3 } else { sum * 5 } % 1000);
            let changed = if kind == "+" { 7 * 5 } else { 7 + 3 };
            assert_eq!(String::from_utf8_lossy(&outcome.stdout), format!("{calls} {changed}"), "{}", guest.name);
            counted(&cache, "regions")
        };
        let _ = fs::remove_file(&core);
        run("+", true);
        run("+", false);
        let warm = run("+", false);
        // The page where one has changed may be made anew.
        assert!(warm < FUNCTIONS / 2, "{}: {warm}", guest.name);
        run("*", true);
        run("*", false);
        run("+", true);
    }
}

/// What a child has stored its parent has for the next ones, or each would make it again.
#[test]
fn children_find_what_their_brothers_stored() {
    for guest in GUESTS {
        let triplet = guest.triplets[0];
        let Some(compiler) = harness::find_program(&format!("{triplet}-gcc")) else {
            harness::leave_out(&format!("children and stored code for {triplet}"), "no cross compiler");
            continue;
        };
        let cache = folder(&format!("brothers-{}", guest.name));
        let (source, program) = (cache.with_extension("c"), cache.with_extension("program"));
        let text = "#include <stdio.h>\n#include <unistd.h>\n#include <sys/wait.h>\n\
            int main(int c, char **v) { char b[99]; int bad = 0, status; for (int k = 1; k < c; k++) { \
            if (fork() == 0) { snprintf(b, 99, \"%d %g %s\", k, k * 0.3, v[k]); _exit(b[0] != '0' + k); } \
            wait(&status); bad |= status; } return bad != 0; }";
        fs::write(&source, text).expect("a source");
        harness::compile(&compiler, &["-static", "-O1", "-w"], &source, &program).expect("a program");
        let children = |n: usize| {
            let _ = fs::remove_file(stats(&cache));
            let _ = fs::remove_dir_all(&cache);
            let outcome = harness::run(command(guest, &cache, &program).args(vec!["child"; n]), LIMIT);
            assert_eq!(outcome.end, "exit 0", "{}", guest.name);
            translated(&cache)
        };
        let (one, eight) = (children(1), children(8));
        assert!(eight < one + one / 4, "{}: {one} regions with one child, {eight} with eight", guest.name);
    }
}

/// A program that differs from another only behind its first page, so that both have the same key.
#[test]
fn guest_code_is_compared() {
    let guest = &GUESTS[0];
    let Some((_, program, plain)) =
        programs().iter().find(|p| p.0.name == guest.name && p.1.ends_with("jumps.aarch64"))
    else {
        return;
    };
    let cache = folder("compared");
    let copy = cache.with_extension("program");
    fs::copy(program, &copy).expect("a copy");
    assert!(run(guest, &cache, &copy).1 > 0);
    assert_eq!(run(guest, &cache, &copy).1, 0);
    // Every `svc 0` becomes `brk 0`: nothing works any more, and it must not.
    let mut bytes = fs::read(&copy).expect("a program");
    for word in bytes[4096..].chunks_exact_mut(4).filter(|w| **w == [0x01, 0, 0, 0xd4]) {
        word.copy_from_slice(&[0, 0, 0x20, 0xd4]);
    }
    damage(&copy, &bytes);
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o700)).expect("a program");
    assert_eq!(run_plain(guest, &cache, &copy), "signal 5");
    fs::copy(program, &copy).expect("a copy");
    harness::compare(plain, &run(guest, &cache, &copy).0).expect("the first again");
}

/// How a program ends that may die too early to tell numbers.
fn run_plain(guest: &Guest, cache: &Path, program: &Path) -> String {
    harness::run(&mut command(guest, cache, program), LIMIT).end
}

/// A shell command in a user and mount namespace of its own, if the host lets us.
fn in_namespace(script: &str) -> Option<Outcome> {
    let done = harness::run(Command::new("unshare").args(["-Urm", "sh", "-ec", script]), LIMIT);
    if done.end == "exit 99" || String::from_utf8_lossy(&done.stderr).contains("unshare") {
        harness::leave_out("the cache on a full or read-only file system", "no namespaces here");
        return None;
    }
    Some(done)
}

#[test]
fn full_and_read_only_file_systems_do_no_harm() {
    let guest = &GUESTS[0];
    let cache = folder("full");
    fs::create_dir_all(&cache).expect("a folder");
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o700)).expect("a folder");
    let (rqemu, program) = (harness::rqemu(guest), hello(guest));
    let (rqemu, program, dir) = (rqemu.display(), program.display(), cache.display());
    let full = format!(
        "mount -t tmpfs -o size=16k,mode=0700 none {dir} || exit 99
         head -c 12k /dev/zero > {dir}/ballast; {rqemu} -cache {dir} {program}; head -c 64k /dev/zero > {dir}/more || :
         {rqemu} -cache {dir} {program}"
    );
    if let Some(done) = in_namespace(&full) {
        let twice = "Hello from an aarch64 program.\n".repeat(2);
        assert_eq!((String::from_utf8_lossy(&done.stdout).as_ref(), done.end.as_str()), (twice.as_str(), "exit 0"));
    }
    stored_hello(guest, &cache);
    let read_only = format!(
        "mount --bind {dir} {dir} && mount -o remount,bind,ro {dir} || exit 99
         {rqemu} -cache {dir} -d stats {program}"
    );
    if let Some(done) = in_namespace(&read_only) {
        assert_eq!(done.stdout, b"Hello from an aarch64 program.\n");
        let log = String::from_utf8_lossy(&done.stderr).into_owned();
        let regions = log.lines().find(|l| l.contains(" regions ")).expect("numbers");
        assert!(regions.ends_with(" 0"), "a folder that can only be read is used: {regions}");
    }
}

#[test]
fn a_folder_that_vanishes_does_no_harm() {
    for (guest, program, plain) in programs().iter().filter(|p| p.1.to_string_lossy().contains("process")) {
        let cache = folder(&format!("vanishes-{}", guest.name));
        run(guest, &cache, program);
        let done = std::thread::scope(|s| {
            let running = s.spawn(|| harness::run(&mut command(guest, &cache, program), LIMIT));
            std::thread::sleep(Duration::from_millis(30));
            let _ = fs::remove_dir_all(&cache);
            running.join().expect("a run")
        });
        harness::compare(plain, &done).expect("the same");
    }
}

#[test]
fn limits_of_the_guest_do_not_hit_the_writer() {
    let guest = &GUESTS[0];
    let cache = folder("limits");
    let (rqemu, program) = (harness::rqemu(guest), hello(guest));
    let script = format!("ulimit -f 0; exec {} -cache {} {}", rqemu.display(), cache.display(), program.display());
    // Its output is a file, too, and may not grow: a pipe may.
    let done = harness::run(Command::new("sh").args(["-c", &format!("({script}) | cat")]), LIMIT);
    assert_eq!(done.stdout, b"Hello from an aarch64 program.\n");
    assert!(units(&cache).is_empty());
}

/// `cache warm` translates without running; what it has missed is found by the run.
#[test]
fn warmed_programs_translate_next_to_nothing() {
    for guest in GUESTS {
        let cache = folder(&format!("warmed-{}", guest.name));
        let program = hello(guest);
        let mut c = Command::new(harness::rqemu(guest));
        let done = harness::run(c.arg("-cache").arg(&cache).args(["cache", "warm"]).arg(&program), LIMIT);
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        assert!(done.end == "exit 0" && !said.contains("Hello"), "{said}");
        assert_eq!(units(&cache).len(), 1, "{said}");
        let plain = harness::run(Command::new(harness::rqemu(guest)).args(["-cache", "off"]).arg(&program), LIMIT);
        assert_eq!(run(guest, &cache, &program), (plain, 0));
    }
}

#[test]
fn what_cannot_be_warmed_is_said() {
    let guest = &GUESTS[0];
    let cache = folder("not-warmed");
    let nothing = cache.with_extension("nothing");
    for program in [&nothing, &harness::repository().join("README.md")] {
        let mut c = Command::new(harness::rqemu(guest));
        let done = harness::run(c.arg("-cache").arg(&cache).args(["cache", "warm"]).arg(program), LIMIT);
        assert_eq!(done.end, "exit 1");
        assert!(String::from_utf8_lossy(&done.stderr).contains("could not be translated"));
    }
}

/// Where nothing of the host can be reached, the program's own file has the translations.
#[test]
fn a_file_that_carries_translations_needs_no_folder() {
    let guest = &GUESTS[0];
    let cache = folder("carried");
    let (first, _) = stored_hello(guest, &cache);
    let (carrier, again) = (cache.with_extension("carrier"), cache.with_extension("again"));
    let write = |by: &Path, cache: &Path, file: &Path| {
        let done = harness::run(Command::new(by).arg("-cache").arg(cache).args(["cache", "carry"]).arg(file), LIMIT);
        assert_eq!(done.end, "exit 0", "{}", String::from_utf8_lossy(&done.stderr));
    };
    // What a folder holds beside translations: notes of files.
    fs::write(cache.join("0123456789abcdef0123456789abcdef"), [0xff; 16]).expect("a note");
    write(&harness::rqemu(guest), &cache, &carrier);
    // One that carries some already loses them.
    write(&carrier, &folder("carried-none"), &again);
    let program = hello(guest);
    let script = |rqemu: &Path| {
        format!(
            "mount -t ramfs none /dev/shm || exit 99; unset HOME XDG_CACHE_HOME
             {rqemu} -d stats {program}; {rqemu} -cache off -d stats {program}",
            rqemu = rqemu.display(),
            program = program.display()
        )
    };
    for (rqemu, is_warm) in [(&carrier, true), (&again, false)] {
        let Some(done) = in_namespace(&script(rqemu)) else { return };
        assert_eq!(done.stdout, [&first.stdout[..], &first.stdout[..]].concat());
        let log = String::from_utf8_lossy(&done.stderr).into_owned();
        let made: Vec<bool> = log.lines().filter(|l| l.contains(" regions ")).map(|l| !l.ends_with(" 0")).collect();
        assert_eq!(made, [!is_warm, true], "{log}");
    }
    // Damaged, it is as if it were not there.
    let mut bytes = fs::read(&carrier).expect("a file");
    let at = bytes.len() - 4096 - 100;
    bytes[at] ^= 1;
    fs::write(&again, &bytes).expect("a file");
    let Some(done) = in_namespace(&script(&again)) else { return };
    assert_eq!(done.stdout, [&first.stdout[..], &first.stdout[..]].concat());
}

/// A guest's chroot: what leads to the folder leads nowhere any more, but the next process gets a descriptor of it.
#[test]
fn a_folder_out_of_reach_is_handed_on() {
    let guest = &GUESTS[0];
    let root = harness::cache().join("arm64-root");
    if !root.exists() {
        return harness::leave_out("a folder that is handed on", "no root (tests/setup root arm64)");
    }
    let (rqemu, cache) = (harness::rqemu(guest), folder("handed-on"));
    let script = format!(
        "space=$(mktemp -d); mount -t tmpfs none $space || exit 99; cd $space; mkdir upper work root
         mount -t overlay -o lowerdir={root},upperdir=$PWD/upper,workdir=$PWD/work none root
         mount --rbind /proc root/proc; cd root
         for n in $(seq 300); do
             {rqemu} -cache {cache} -L $PWD -d stats usr/sbin/chroot . /bin/true 2>../stats || exit
             cat ../stats >&2; [ $n = 1 ] || grep -q 'regions *[1-9]' ../stats || break
         done",
        root = root.display(),
        rqemu = rqemu.display(),
        cache = cache.display(),
    );
    let Some(done) = in_namespace(&script) else { return };
    let log = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.end, "exit 0", "{log}");
    let made: Vec<&str> =
        log.lines().filter(|l| l.contains(" regions ")).filter_map(|l| l.split_whitespace().last()).collect();
    // chroot(1) and true, until both translate nothing: a large file is written anew for a few regions only now and then.
    let (first, last) = (&made[..2], &made[made.len() - 2..]);
    assert!(first.iter().all(|n| *n != "0") && last == ["0", "0"], "{log}");
}
