//! What options do, with the greeting programs of the repository: nothing foreign is needed.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::differential::CAREFUL;
use crate::harness::{self, GUESTS, Guest, Outcome};

/// rqemu with these words before the greeting program.
fn greet(guest: &Guest, options: &[&str]) -> Outcome {
    let program = harness::repository().join("tests/programs/hello").join(guest.name);
    harness::run(Command::new(harness::rqemu(guest)).args(options).arg(program), Duration::from_secs(20))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn stats_are_told_at_the_end() {
    for guest in GUESTS {
        let log = text(&greet(guest, &["-d", "stats"]).stderr);
        for part in ["translation  regions", "nanoseconds  back_end", "exits        syscall"] {
            assert!(log.contains(part), "{part} in {log}");
        }
        let file = harness::scratch("stats").join(guest.name);
        let _ = fs::remove_file(&file);
        let name = file.to_str().unwrap();
        assert_eq!(greet(guest, &["-stats", name]).end, "exit 0");
        assert_eq!(greet(guest, &["-stats", name]).end, "exit 0");
        let lines = fs::read_to_string(&file).unwrap();
        assert_eq!(lines.lines().count(), 2, "a line for each process: {lines}");
        // write and exit.
        assert!(
            lines.lines().all(|l| l.contains("\"syscall\": 2") && l.starts_with('{') && l.ends_with('}')),
            "{lines}"
        );
    }
}

/// A function that sets another rounding mode leaves generated code for that, but not once more for its return.
#[test]
fn what_sets_a_mode_returns_without_leaving() {
    let dir = harness::scratch("modes");
    fs::create_dir_all(&dir).unwrap();
    let source = dir.join("source.c");
    let program_text = "#include <fenv.h>\nint main(void) { double volatile d = 0; \
        for (int i = 0; i < 20000; i++) { fesetround(FE_UPWARD); d += 0.1; fesetround(FE_TONEAREST); d += 0.1; } return d < 4000; }";
    fs::write(&source, program_text).unwrap();
    // x86 has the mode in two units, and sets each.
    for guest in GUESTS.iter().filter(|g| ["aarch64", "arm", "riscv64"].contains(&g.name)) {
        let triplet = guest.triplets[0];
        let Some(compiler) = harness::find_program(&format!("{triplet}-gcc")) else {
            harness::leave_out(&format!("rounding modes for {triplet}"), "no cross compiler");
            continue;
        };
        let program = dir.join(guest.name);
        harness::compile(&compiler, &["-static", "-O1"], &source, &program).expect("a program");
        let mut command = Command::new(harness::rqemu(guest));
        command.args(["-cache", "off", "-stats", "/dev/stderr"]).arg(&program);
        let done = harness::run(&mut command, Duration::from_secs(60));
        assert_eq!(done.end, "exit 0");
        let log = text(&done.stderr);
        let (resumed, missed): (u64, u64) = (after(&log, "\"resume\": "), after(&log, "\"indirect\": "));
        assert!((40_000..41_000).contains(&resumed) && missed < 1_000, "{}: {resumed}, {missed}", guest.name);
    }
}

/// A loop that is hot, or not, before its conversions are out of range: traps, which take microseconds, end after `-fp-traps` of them.
#[test]
fn traps_of_invalid_operations_end() {
    let dir = harness::scratch("fp-traps");
    fs::create_dir_all(&dir).unwrap();
    let source = dir.join("source.c");
    let program_text = "int main(void) { double volatile d = 0; int t = 0; \
        for (int i = 0; i < 300000; i++) { t += (int)d; d += 1e5; } return t == 1; }";
    fs::write(&source, program_text).unwrap();
    for guest in GUESTS.iter().filter(|g| CAREFUL.contains(&g.name)) {
        let triplet = guest.triplets[0];
        let Some(compiler) = harness::find_program(&format!("{triplet}-gcc")) else {
            harness::leave_out(&format!("traps of invalid operations for {triplet}"), "no cross compiler");
            continue;
        };
        let program = dir.join(guest.name);
        harness::compile(&compiler, &["-static", "-O1"], &source, &program).expect("a program");
        for hot in ["1000", "off"] {
            let mut command = Command::new(harness::rqemu(guest));
            command.args(["-cache", "off", "-hot", hot, "-fp-traps", "20", "-stats", "/dev/stderr"]).arg(&program);
            let done = harness::run(&mut command, Duration::from_secs(60));
            assert_eq!(done.end, "exit 0");
            let log = text(&done.stderr);
            let traps: u64 = after(&log, "\"fp_trap\": ");
            assert!((20..100).contains(&traps), "{} -hot {hot}: {traps}", guest.name);
        }
    }
}

/// Regions end where others begin, and where their own branches lead: nearly all of a C library's start is translated once.
#[test]
fn instructions_are_translated_once() {
    let dir = harness::scratch("once");
    fs::create_dir_all(&dir).unwrap();
    let source = dir.join("source.c");
    fs::write(&source, "#include <stdio.h>\nint main(void) { printf(\"%d\\n\", 42); return 0; }").unwrap();
    for guest in GUESTS {
        let triplet = guest.triplets[0];
        let Some(compiler) = harness::find_program(&format!("{triplet}-gcc")) else {
            harness::leave_out(&format!("translating once for {triplet}"), "no cross compiler");
            continue;
        };
        let (program, log) = (dir.join(guest.name), dir.join(format!("{}.log", guest.name)));
        harness::compile(&compiler, &["-static", "-O1"], &source, &program).expect("a program");
        let mut command = Command::new(harness::rqemu(guest));
        command.args(["-cache", "off", "-hot", "off", "-d", "in_asm", "-D"]).arg(&log).arg(&program);
        assert_eq!(harness::run(&mut command, Duration::from_secs(60)).end, "exit 0");
        let log = fs::read_to_string(&log).unwrap();
        let made: Vec<&str> = log.lines().filter_map(|l| Some(l.strip_prefix("0x")?.split_once(':')?.0)).collect();
        let different = made.iter().collect::<std::collections::BTreeSet<_>>().len();
        assert!(different > 1000, "{}: {different} instructions", guest.name);
        assert!(made.len() * 10 < different * 12, "{}: {} for {different} instructions", guest.name, made.len());
    }
}

/// A loop's round may be longer than a region of the first tier, whose second part begins elsewhere than the loop's.
#[test]
fn long_rounds_become_hot() {
    let dir = harness::scratch("rounds");
    fs::create_dir_all(&dir).unwrap();
    let source = dir.join("source.c");
    let step = "x = (x ^ x >> 7) * 0x9e3779b1u + i;\n".repeat(40);
    let text = format!(
        "int main(void) {{ volatile unsigned y = 1; unsigned x = y;\n for (int i = 0; i < 50000; i++) {{ {step} }} return x == 0; }}"
    );
    fs::write(&source, text).unwrap();
    for guest in GUESTS {
        let Some(compiler) = harness::find_program(&format!("{}-gcc", guest.triplets[0])) else {
            harness::leave_out(&format!("long rounds of {}", guest.name), "no cross compiler");
            continue;
        };
        let (program, log) = (dir.join(guest.name), dir.join(format!("{}.log", guest.name)));
        harness::compile(&compiler, &["-static", "-O2"], &source, &program).expect("a program");
        let mut command = Command::new(harness::rqemu(guest));
        command.args(["-cache", "off", "-d", "op_opt", "-D"]).arg(&log).arg(&program);
        assert_eq!(harness::run(&mut command, Duration::from_secs(60)).end, "exit 0", "{}", guest.name);
        let log = fs::read_to_string(&log).unwrap();
        let longest = log.split("HOT_OP ").skip(1).map(|region| after(region, " mode 0x0, ")).max();
        assert!(longest > Some(80), "{}: {longest:?} instructions", guest.name);
    }
}

/// A function that a loop calls by a pointer becomes part of it, by a guess; what else the pointer leads to is called.
#[test]
fn loops_take_in_what_they_call_by_pointers() {
    let dir = harness::scratch("pointers");
    fs::create_dir_all(&dir).unwrap();
    let source = dir.join("source.c");
    let text = "#include <stdio.h>
        __attribute__((noinline)) static unsigned plus(unsigned x) { return x + 1; }
        __attribute__((noinline)) static unsigned times(unsigned x) { return x * 3; }
        __attribute__((noinline)) static unsigned by(unsigned (**f)(unsigned), unsigned x) { return (*f)(x) ^ 5; }
        static unsigned (*volatile one)(unsigned) = plus;
        int main(void) {
            unsigned (*several[])(unsigned) = { plus, plus, plus, times };
            unsigned sum = 1;
            for (int i = 0; i < 300000; i++) { if (i == 200000) one = times; sum += one(sum) + i; }
            for (int i = 0; i < 300000; i++) sum += by(&several[i & 3], sum);
            printf(\"%u %llx\\n\", sum, (unsigned long long) (__SIZE_TYPE__) plus);
        }";
    fs::write(&source, text).unwrap();
    let (plus, times) = (|x: u32| x.wrapping_add(1), |x: u32| x.wrapping_mul(3));
    let first =
        (0..300_000).fold(1u32, |s, i| s.wrapping_add(if i < 200_000 { plus(s) } else { times(s) }).wrapping_add(i));
    let by = |s: u32, i: u32| if i % 4 == 3 { times(s) ^ 5 } else { plus(s) ^ 5 };
    let sum = (0..300_000).fold(first, |s, i| s.wrapping_add(by(s, i)));
    for guest in GUESTS {
        let Some(compiler) = harness::find_program(&format!("{}-gcc", guest.triplets[0])) else {
            harness::leave_out(&format!("calls by pointers of {}", guest.name), "no cross compiler");
            continue;
        };
        let (program, log) = (dir.join(guest.name), dir.join(format!("{}.log", guest.name)));
        harness::compile(&compiler, &["-static", "-O2"], &source, &program).expect("a program");
        for hot in ["1000", "0", "off"] {
            let mut command = Command::new(harness::rqemu(guest));
            command.args(["-cache", "off", "-hot", hot, "-d", "op_opt", "-D"]).arg(&log).arg(&program);
            let outcome = harness::run(&mut command, Duration::from_secs(60));
            let said = String::from_utf8(outcome.stdout).expect("numbers");
            let (result, address) = said.trim_end().split_once(' ').unwrap_or_else(|| panic!("{}: {said}", guest.name));
            assert_eq!(result, sum.to_string(), "{}, -hot {hot}", guest.name);
            let log = fs::read_to_string(&log).unwrap();
            let inside = log.split("HOT_OP ").filter(|region| region.contains(&format!("-- 0x{address}\n"))).count();
            assert!(hot != "1000" || inside > 0, "{}: no loop has the function", guest.name);
        }
    }
}

/// Sanitizers know the layouts of machines alone: with -R addresses end where those of such a machine do.
#[test]
fn sanitizers_find_what_they_look_for() {
    let race = "#include <pthread.h>\nint x; static void *f(void *p) { x++; return p; }
        int main(void) { pthread_t t[2]; for (int i = 0; i < 2; i++) pthread_create(t + i, 0, f, 0); for (int i = 0; i < 2; i++) pthread_join(t[i], 0); return 0; }";
    let leak = "#include <stdlib.h>\nint main(void) { char *volatile p = malloc(10); p = 0; return p != 0; }";
    let beyond = "#include <stdlib.h>\nint main(int n, char **v) { char *p = malloc(10); return p[10 * n]; }";
    for (name, kind, source, size, end, said) in [
        ("aarch64", "thread", race, "4096G", "exit 66", "ThreadSanitizer: data race"),
        ("aarch64", "address", leak, "0", "exit 1", "LeakSanitizer: detected memory leaks"),
        ("arm", "address", beyond, "0", "exit 1", "AddressSanitizer: heap-buffer-overflow"),
    ] {
        let guest = GUESTS.iter().find(|g| g.name == name).expect("a guest");
        let triplet = guest.triplets[0];
        let dir = harness::scratch("sanitizers");
        let (file, program) = (dir.join(format!("{kind}.c")), dir.join(format!("{kind}.{name}")));
        fs::write(&file, source).expect("a source");
        let root = format!("/usr/{triplet}");
        let compiler = harness::find_program(&format!("{triplet}-gcc")).filter(|_| Path::new(&root).is_dir());
        let Some(compiler) = compiler else {
            harness::leave_out(&format!("sanitizers for {triplet}"), "no cross compiler (tests/setup host)");
            continue;
        };
        if harness::compile(&compiler, &["-g", &format!("-fsanitize={kind}")], &file, &program).is_err() {
            harness::leave_out(&format!("{kind} sanitizer for {triplet}"), "the compiler has none");
            continue;
        }
        let mut command = Command::new(harness::rqemu(guest));
        command.args(["-R", size, "-L", &root]).arg(&program);
        let done = harness::run(&mut command, Duration::from_secs(60));
        assert_eq!(done.end, end, "{kind} {name}: {done:?}");
        assert!(text(&done.stderr).contains(said), "{kind} {name}: {}", text(&done.stderr));
    }
}

#[test]
fn perf_learns_of_every_translation() {
    for guest in GUESTS {
        let dir = harness::scratch("perf").join(guest.name);
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        let program = harness::repository().join("tests/programs/hello").join(guest.name);
        let mut command = Command::new(harness::rqemu(guest));
        let file = dir.join("stats");
        command.args(["-perfmap", "-jitdump", "-stats"]).arg(&file).arg(program).current_dir(&dir);
        assert_eq!(harness::run(&mut command, Duration::from_secs(20)).end, "exit 0");
        let stats = fs::read_to_string(&file).unwrap();
        let pid: u32 = after(&stats, "\"pid\": ");
        let regions: usize = after(&stats, "\"regions\": ");

        let map = format!("/tmp/perf-{pid}.map");
        let text = fs::read_to_string(&map).unwrap();
        fs::remove_file(map).unwrap();
        let guest_lines = text.lines().filter(|l| l.split(' ').nth(2).is_some_and(|n| n.starts_with("guest-0x")));
        assert_eq!(guest_lines.count(), regions, "{text}");

        let dump = fs::read(dir.join(format!("jit-{pid}.dump"))).unwrap();
        let word = |at: usize| u32::from_le_bytes(dump[at..at + 4].try_into().unwrap());
        assert_eq!((&dump[..4], word(4), word(8), word(20)), (&b"DTiJ"[..], 1, 40, pid));
        let (mut at, mut loads) = (40, 0);
        while at < dump.len() {
            assert_eq!(word(at), 0, "JIT_CODE_LOAD");
            let (size, code_size) = (word(at + 4) as usize, word(at + 40) as usize);
            let name = dump[at + 56..at + size - code_size].strip_suffix(&[0]).unwrap();
            loads += usize::from(name.starts_with(b"guest-0x"));
            at += size;
        }
        assert_eq!((at, loads), (dump.len(), regions));
    }
}

/// The number that follows these words.
fn after<T: std::str::FromStr>(text: &str, words: &str) -> T {
    let rest = &text[text.find(words).unwrap_or_else(|| panic!("{words} in {text}")) + words.len()..];
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse().ok().unwrap()
}

#[test]
fn entries_are_traced_with_registers() {
    for guest in GUESTS {
        let log = text(&greet(guest, &["-d", "exec,cpu,fpu,nochain"]).stderr);
        let entries = log.lines().filter(|l| l.starts_with("Trace: 0x")).count();
        let regions: usize = after(&text(&greet(guest, &["-stats", "/dev/stderr"]).stderr), "\"regions\": ");
        // No loop in it: with nochain each region is entered once, and once more after each system call.
        assert!(entries >= regions, "{entries} entries of {regions} regions: {log}");
        assert!(
            ["pc=", "ip="].iter().any(|first| log.contains(first))
                && ["nzcv=", "frm=", "mxcsr="].iter().any(|last| log.contains(last))
                && log.contains("0=000000000000000000000000"),
            "{log}"
        );
        let log = text(&greet(guest, &["-d", "exec"]).stderr);
        assert!(log.contains("Trace: 0x") && !log.contains("pc=") && !log.contains("ip="), "{log}");
    }
}

/// A greeting that begins with UDF: the entry's place in an ELF64 file is that of its first segment, and what lies between.
#[test]
fn signals_that_kill_are_told() {
    let mut bytes = fs::read(harness::repository().join("tests/programs/hello/aarch64")).expect("the greeting");
    let number = |at: usize| u64::from_le_bytes(*bytes[at..].first_chunk().expect("eight bytes")) as usize;
    let (entry, table) = (number(24), number(32));
    let place = entry - number(table + 16) + number(table + 8);
    bytes[place..place + 4].fill(0);
    let file = harness::scratch("options").join("undefined");
    fs::write(&file, bytes).expect("a file");
    fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("mode");
    let got =
        harness::run(Command::new(harness::rqemu(&GUESTS[0])).args(["-d", "int"]).arg(&file), Duration::from_secs(20));
    assert_eq!((&*got.end, &*text(&got.stderr)), ("signal 4", "signal 4 code 1 to 0x0\n"));
}

#[test]
fn a_log_file_for_each_thread() {
    let dir = harness::scratch("tid");
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    let name = dir.join("log-%d");
    assert_eq!(greet(&GUESTS[0], &["-d", "tid,strace", "-D", name.to_str().unwrap()]).end, "exit 0");
    let files: Vec<_> = fs::read_dir(&dir).unwrap().map(|f| f.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    assert!(fs::read_to_string(&files[0]).unwrap().contains("write("));
}

#[test]
fn what_is_wrong_is_one_line_and_a_status() {
    let guest = &GUESTS[0];
    for (options, part) in [
        (&["-g", "1234"][..], "-g is not implemented"),
        (&["-plugin", "x.so"], "-plugin is not implemented"),
        (&["-trace", "x"], "-trace is not implemented"),
        (&["-nonsense"], "unknown option"),
        (&["-cpu", "nothing"], "no such model"),
        (&["-d", "nothing"], "knows no"),
        (&["-s", "much"], "needs a number"),
        (&["-D", "/nonexistent/log"], "cannot open the log"),
        (&["-d", "tid"], "needs a -D"),
        (&["cache", "nothing"], "there is no command"),
        (&["binfmt", "nothing"], "binfmt knows no"),
    ] {
        let got = greet(guest, options);
        let said = text(&got.stderr);
        assert_eq!((got.end.as_str(), said.lines().count()), ("exit 1", 1), "{options:?}: {said}");
        assert!(said.starts_with("rqemu: ") && said.contains(part), "{said}");
        assert!(got.stdout.is_empty());
    }
}

/// A processor without what generated code takes for granted is served by the interpreter.
#[test]
fn without_avx2_programs_are_interpreted() {
    for guest in GUESTS {
        for (features, translated) in [("avx2", true), ("-avx2", false)] {
            let got = greet(guest, &["-cache", "off", "-host-features", features, "-d", "out_asm"]);
            assert!(text(&got.stdout).starts_with("Hello from"), "{got:?}");
            assert_eq!(!got.stderr.is_empty(), translated, "{features}: {}", text(&got.stderr));
        }
    }
}

/// `-explain` for a program of these lines of C.
fn explained(guest: &Guest, name: &str, body: &str) -> Option<(String, String)> {
    let Some(compiler) = harness::find_program(&format!("{}-gcc", guest.triplets[0])) else {
        harness::leave_out("-explain", "no cross compiler (tests/setup host)");
        return None;
    };
    let dir = harness::scratch("explain");
    let (source, program) = (dir.join(format!("{name}.c")), dir.join(format!("{name}.{}", guest.name)));
    fs::write(
        &source,
        format!("#include <errno.h>\n#include <fcntl.h>\n#include <stdlib.h>\n#include <sys/prctl.h>\n#include <unistd.h>\nint main(void) {{ {body} }}\n"),
    )
    .unwrap();
    harness::compile(&compiler, &["-static", "-O1", "-w"], &source, &program).expect(name);
    let mut command = Command::new(harness::rqemu(guest));
    let got = harness::run(command.args(["-cache", "off", "-explain"]).arg(program), Duration::from_secs(20));
    Some((got.end, text(&got.stderr)))
}

#[test]
fn failures_are_explained() {
    for guest in GUESTS.iter().filter(|g| !g.native) {
        for (name, body, end, parts) in [
            ("good", "open(\"/nonexistent.so\", 0);", "exit 0", &[][..]),
            (
                "crash",
                "*(volatile char *)(long)getppid() = 0;",
                "signal 11",
                &["was killed by SIGSEGV", "signal:  SIGSEGV at 0x", "/crash.", "(no memory)"],
            ),
            ("lack", "syscall(5000); exit(3);", "exit 3", &["status 3", "lacking: system call 5000"]),
            (
                "library",
                "open(\"/nonexistent.so\", 0); exit(4);",
                "exit 4",
                &["-1 ENOENT", "cause:   a shared library"],
            ),
            ("own", "exit(5);", "exit 5", &["status 5", "the program's own"]),
            (
                "filtered",
                // PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP with a filter that allows everything: the host's programs could not be held to it.
                "struct { unsigned short n; void *at; } f = {1, (unsigned[]){6, 0x7fff0000}}; prctl(38, 1, 0, 0, 0); if (prctl(22, 2, &f)) exit(1);\
                 execl(\"/bin/true\", \"true\", (char *)0); exit(errno);",
                "exit 13",
                &["lacking: execve: seccomp filters", "-1 EACCES"],
            ),
            ("aborts", "abort();", "signal 6", &["was killed by SIGABRT"]),
        ] {
            let Some((got, said)) = explained(guest, name, body) else { break };
            assert_eq!((got.as_str(), said.is_empty()), (end, parts.is_empty()), "{name}: {said}");
            // The instruction, as the guest calls it.
            let store = if guest.name.starts_with("riscv") { "`sb " } else { "`strb " };
            assert!(name != "crash" || said.contains(store), "{said}");
            parts.iter().for_each(|part| assert!(said.contains(part), "{name}: {part} in {said}"));
        }
    }
}

#[test]
fn programs_that_cannot_start_are_explained() {
    let dir = harness::scratch("explain");
    let of_vax = dir.join("vax");
    let mut elf = fs::read(harness::repository().join("tests/programs/hello/aarch64")).unwrap();
    elf[18] = 75;
    fs::write(&of_vax, elf).unwrap();
    fs::write(dir.join("words"), "no program\n").unwrap();
    for (program, part) in [
        (of_vax.display().to_string(), "no guest for its processor"),
        ("/nonexistent/program".into(), "no such file"),
        (dir.join("words").display().to_string(), "neither an ELF file nor a script"),
    ] {
        let got = harness::run(
            Command::new(env!("CARGO_BIN_EXE_rqemu")).args(["-explain", &program]),
            Duration::from_secs(20),
        );
        let said = text(&got.stderr);
        assert!(said.contains("rqemu: explain: ") && said.contains(part), "{program}: {said}");
    }
}
