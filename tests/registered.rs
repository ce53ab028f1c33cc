//! `rqemu binfmt` and what the kernel's registrations promise: argv[0], programs in any root (F), unreadable ones (O), set-id ones (C). Each test is
//! a shell script in a user namespace with a binfmt_misc of its own; nothing of the machine's changes.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::harness::{self, GUESTS, Guest};

/// The guests whose programs are registered: not the host's own.
fn foreign() -> impl Iterator<Item = &'static Guest> {
    GUESTS.iter().filter(|g| !g.native)
}

fn namespace(kind: &str, script: &str) -> Command {
    let mut command = Command::new(harness::repository().join("tests/registered/namespace"));
    command.args([kind, "bash", "-euc", script, "script"]).env("RQEMU", env!("CARGO_BIN_EXE_rqemu"));
    command.env("HELLO", harness::repository().join("tests/programs/hello"));
    command
}

/// Whether there can be such a namespace with a binfmt_misc of its own; says so if not.
fn possible(kind: &str) -> bool {
    let probe = "mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc; chown 1 /proc/self/fd 2>/dev/null || [ $0 = script ]; exit 7";
    let mut command = namespace(kind, probe);
    let done = harness::run(&mut command, Duration::from_secs(20));
    if done.end != "exit 7" {
        let why = String::from_utf8_lossy(&done.stderr).lines().last().unwrap_or_default().to_owned();
        harness::leave_out(&format!("registrations in a namespace with {kind} user(s)"), &why);
    }
    done.end == "exit 7"
}

fn output(kind: &str, script: &str) -> String {
    let done = harness::run(&mut namespace(kind, script), Duration::from_secs(60));
    let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert_eq!(done.end, "exit 0", "{script}\n{out}{err}");
    out.into_owned()
}

/// `registered/who.c` for a guest.
fn who(guest: &Guest) -> Option<PathBuf> {
    let triplet = guest.triplets[0];
    let Some(compiler) = harness::find_program(&format!("{triplet}-gcc")) else {
        harness::leave_out(&format!("registered programs of {triplet}"), "no cross compiler (tests/setup host)");
        return None;
    };
    let program = harness::scratch("registered").join(format!("who.{triplet}"));
    let source = harness::repository().join("tests/registered/who.c");
    harness::compile(&compiler, &["-static", "-O1"], &source, &program).expect("who.c");
    Some(program)
}

#[test]
fn registering_and_its_state() {
    if !possible("one") {
        return;
    }
    let out = output(
        "one",
        "$RQEMU binfmt status; $RQEMU binfmt register; $RQEMU binfmt status; $RQEMU binfmt register --flags POCF arm64; $RQEMU binfmt status aarch64
        for g in aarch64 arm; do $HELLO/$g; done; $RQEMU binfmt unregister aarch64; $RQEMU binfmt status; $HELLO/arm
        if $HELLO/aarch64 2>/dev/null; then echo still there; fi",
    );
    let rqemu = env!("CARGO_BIN_EXE_rqemu");
    let row = |guest: &str, flags: &str| {
        format!("{guest:<12} {:<16} {flags:<5} enabled   {rqemu}\n", format!("rqemu-{guest}"))
    };
    let nothing = |guest: &str| format!("{guest:<12} not registered\n");
    let hello = |guest: &str| format!("Hello from an {guest} program.\n");
    let of_all = |line: &dyn Fn(&str) -> String| foreign().map(|g| line(g.name)).collect::<String>();
    let registered = |guest: &str| if guest == "aarch64" { nothing(guest) } else { row(guest, "PF") };
    let expected = [
        of_all(&nothing),
        of_all(&|guest| row(guest, "PF")),
        row("aarch64", "POCF"),
        hello("aarch64"),
        hello("arm"),
        of_all(&registered),
        hello("arm"),
    ];
    assert_eq!(out, expected.concat());
}

#[test]
fn the_words_of_container_images() {
    if !possible("one") {
        return;
    }
    let out = output(
        "one",
        "$RQEMU binfmt --install arm64 >/dev/null; $RQEMU binfmt --install=all --uninstall arm64; $HELLO/arm; $RQEMU binfmt --uninstall rqemu-arm,riscv64,riscv32",
    );
    let (first, second) = out.split_once("Hello from an arm program.\n").expect("a program was started");
    let lacking = ["\"linux/amd64\"", "\"linux/arm/v7\"", "\"linux/arm/v6\"", "\"rqemu-arm\"", "\"flags\": \"POCF\""];
    assert!(lacking.iter().all(|part| first.contains(part)) && !first.contains("arm64"), "{first}");
    assert_eq!(
        second,
        "{\n  \"supported\": [\n    \"linux/amd64\"\n  ],\n  \"emulators\": [],\n  \"handlers\": []\n}\n"
    );
}

/// The host's own kind, where a namespace asks for it: every program is rqemu's, those in other roots and what they start too, but not rqemu itself.
#[test]
fn the_hosts_own_programs() {
    if !possible("one") {
        return;
    }
    let out = output(
        "one",
        "said() { $RQEMU binfmt status x86_64; RQEMU_CPU=Nehalem sh -c 'grep -c -w avx2 /proc/cpuinfo' || :; }
        $RQEMU binfmt register --flags P x86_64 2>&1 | grep -o 'needs the flag F' || :
        $RQEMU binfmt register x86_64 arm; said; $RQEMU doctor | grep -c '^good  x86_64  .*registered' || :
        $HELLO/x86_64; $HELLO/i386; $HELLO/arm; $RQEMU binfmt --uninstall all | head -n 4; said; $RQEMU binfmt unregister; $RQEMU binfmt status x86_64",
    );
    let row = format!("{:<12} {:<16} {:<5} enabled   /proc/self/fd/3\n", "x86_64", "rqemu-x86_64", "PF");
    let json = "{\n  \"supported\": [\n    \"linux/amd64\"\n  ],\n";
    let hello = ["x86_64", "i386", "arm"].map(|guest| format!("Hello from an {guest} program.\n")).concat();
    let expected = format!("needs the flag F\n{row}0\n1\n{hello}{json}{row}0\n{:<12} not registered\n", "x86_64");
    assert_eq!(out, expected);
}

/// rqemu in rqemu: the inner one finds what of the address space is the outer one's.
#[test]
fn one_rqemu_runs_another() {
    if !possible("one") {
        return;
    }
    let out = output(
        "one",
        "$RQEMU binfmt register x86_64; for guest in aarch64 arm riscv64 i386 x86_64; do $RQEMU $HELLO/$guest; done; $RQEMU $RQEMU $HELLO/aarch64",
    );
    let hello = ["an aarch64", "an arm", "a riscv64", "an i386", "an x86_64", "an aarch64"];
    let hello = hello.map(|guest| format!("Hello from {guest} program.\n")).concat();
    assert_eq!(out, hello);
}

/// A program that no rqemu can show its tracer goes on without it, and one that never begins ends: nobody waits for ever.
#[test]
fn tracing_what_may_not_be_read() {
    if !possible("many") {
        return;
    }
    let Some(strace) = harness::find_program("strace") else {
        return harness::leave_out("tracing_what_may_not_be_read", "no strace (tests/setup host)");
    };
    let out = output(
        "many",
        &format!(
            "TMP=$(mktemp -d); trap 'rm -rf $TMP' EXIT; chmod 755 $TMP; cd $TMP; cp $HELLO/aarch64 hello; cp $RQEMU rqemu; chmod 711 hello
            for flags in POF PF; do
                ./rqemu binfmt register --flags $flags x86_64 aarch64
                timeout -k 1 30 setpriv --reuid 5 --regid 5 --clear-groups {} ./hello 2>said || echo $?; grep '^+++' said
            done",
            strace.display()
        ),
    );
    assert_eq!(out, "Hello from an aarch64 program.\n+++ exited with 0 +++\n126\n+++ exited with 126 +++\n");
}

#[test]
fn what_is_wrong_with_a_registration_is_said() {
    for (words, part) in [
        (&["binfmt", "register", "vax"][..], "no guest \"vax\""),
        (&["binfmt", "register", "amd64"], "left to its kernel"),
        (&["binfmt", "register", "--flags", "PX"], "'X'"),
        (&["binfmt", "--install"], "needs a list"),
        (&["binfmt", "--nonsense", "x"], "knows no \"--nonsense\""),
    ] {
        let done = harness::run(Command::new(env!("CARGO_BIN_EXE_rqemu")).args(words), Duration::from_secs(20));
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!((done.end.as_str(), said.lines().count()), ("exit 1", 1), "{words:?}: {said}");
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn programs_are_started_in_any_root_with_their_names() {
    if !possible("one") {
        return;
    }
    for guest in GUESTS {
        let Some(program) = who(guest) else { continue };
        // Options of the environment count; the program does not see them.
        let script = format!(
            "$RQEMU binfmt register {}; mkdir $TMP/root; cp {} $TMP/root/who; cd $TMP/root
            (exec -a 'a name' ./who again) | sed s,$TMP/root,.,; printf '#!./who\n' >script; chmod +x script; ./script
            RQEMU_LOG=unimp chroot $TMP/root /who; RQEMU_LOG=strace ./who 2>&1 >/dev/null | grep -c '^.*write[v(]'",
            guest.name,
            program.display()
        );
        let out = output("one", &format!("TMP=$(mktemp -d); trap 'rm -rf $TMP' EXIT; {script}"));
        let row = |name: &str, file: &str, word: &str, comm: &str| {
            format!("{name}|{file}|{word}|{comm}|uid 0 euid 0 secure 0 options 0\n")
        };
        let expected = [
            row("a name", "./who", "again", "who"),
            row("-strace", "/proc/self/exe", "second", "exe"),
            row("./who", "./script", "./script", "script"),
            row("/who", "/who", "", "who"),
            "1\n".into(),
        ];
        assert_eq!(out, expected.concat(), "{}", guest.name);
    }
}

#[test]
fn unreadable_programs_run_with_the_flag_o() {
    if !possible("one") {
        return;
    }
    // Where the host's own kind is registered, setpriv's rqemu opens the program while it may still read it.
    for guest in GUESTS.iter().filter(|g| g.name != "x86_64") {
        let Some(program) = who(guest) else { continue };
        let out = output(
            "one",
            &format!(
                "TMP=$(mktemp -d); trap 'rm -rf $TMP' EXIT; cp {1} $TMP/who; chmod 111 $TMP/who; cd $TMP
                weak() {{ setpriv --bounding-set=-all --inh-caps=-all \"$@\"; }}
                $RQEMU binfmt register --flags POF {0}; weak sh -c 'cat who >/dev/null 2>&1 || echo unreadable; ./who; ./who again'
                $RQEMU binfmt register --flags PF {0}; weak ./who 2>/dev/null || echo refused",
                guest.name,
                program.display()
            ),
        );
        let row = |name: &str, word: &str| format!("{name}|./who|{word}|who|uid 0 euid 0 secure 0 options 0\n");
        let lines: Vec<&str> = out.lines().collect();
        assert_eq!(
            lines[..3].join("\n") + "\n",
            format!("unreadable\n{}{}", row("./who", ""), row("./who", "again")),
            "{out}"
        );
        assert_eq!(lines.last(), Some(&"refused"), "{out}");
    }
}

/// With C a set-id program has its rights, and what its user says counts for nothing.
#[test]
fn set_id_programs_are_hardened() {
    if !possible("many") {
        return;
    }
    // Where the host's own kind is registered, what starts the program would log, too.
    for guest in GUESTS.iter().filter(|g| g.name != "x86_64") {
        let Some(program) = who(guest) else { continue };
        let run = "setpriv --reuid 5 --regid 5 --clear-groups env RQEMU_LOG=strace RQEMU_CACHE=$TMP/cache RQEMU_STATS=$TMP/stats";
        let out = output(
            "many",
            &format!(
                "TMP=$(mktemp -d); trap 'rm -rf $TMP' EXIT; chmod 777 $TMP; cp {2} $TMP/who; chown 7:7 $TMP/who; chmod 6755 $TMP/who; cd $TMP
                $RQEMU binfmt register --flags POCF {0}; {run} RQEMU_EXECFD=0 RQEMU_EXECARGV0=forged RQEMU_EXECFN=forged ./who again 2>&1; ls $TMP
                $RQEMU binfmt register --flags PF {0}; {run} ./who </dev/null >out 2>err; tail -n 1 out; ls $TMP | grep -v '^who$'
                $RQEMU binfmt unregister; setpriv --reuid 5 --regid 5 --clear-groups $RQEMU -cache off {1} alone",
                guest.name,
                harness::repository().join("tests/programs/hello").join(guest.name).display(),
                program.display(),
            ),
        );
        let mut lines = out.lines();
        assert_eq!(lines.next(), Some("./who|./who|again|who|uid 5 euid 7 secure 1 options 0"), "{out}");
        assert_eq!(lines.next(), Some("-strace|/proc/self/exe|second|exe|uid 5 euid 7 secure 1 options 0"), "{out}");
        assert_eq!(lines.next(), Some("who"), "files that it left: {out}");
        // Without C it is a program like any other, and its user's options count.
        assert_eq!(lines.next(), Some("./who|./who||who|uid 5 euid 5 secure 0 options 0"), "{out}");
        let left: Vec<&str> = lines.take_while(|l| !l.starts_with("Hello")).collect();
        assert_eq!(left, ["cache", "err", "out", "stats"], "{out}");
    }
}

/// debootstrap's second stage: dpkg, the packages' scripts, perl and the shell, all foreign, in a root that has nothing of rqemu.
#[test]
fn a_debian_root_sets_itself_up() {
    if !harness::cache().join("arm64-debootstrap").is_dir() {
        return harness::leave_out("debootstrap's second stage", "no first stage (tests/setup, as root)");
    }
    if !possible("many") {
        return;
    }
    let tests = harness::repository().join("tests");
    let mut command = Command::new(tests.join("registered/namespace"));
    command.arg("many").arg(tests.join("debootstrap/suite")).arg(env!("CARGO_BIN_EXE_rqemu")).arg(harness::cache());
    let done = harness::run(command.args(["short", "arm64"]), Duration::from_secs(300));
    let text = String::from_utf8_lossy(&done.stdout);
    let verdicts: Vec<_> = text.lines().map(|line| line.split('\t').take(2).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(
        verdicts,
        ["arm64/second-stage same", "arm64/audit same", "arm64/user-namespace same"],
        "{text}{}",
        String::from_utf8_lossy(&done.stderr)
    );
}

#[test]
fn the_doctor_tells_what_to_mend() {
    let doctor = |command: &mut Command| {
        let done = harness::run(command, Duration::from_secs(30));
        (
            done.end.clone(),
            format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr)),
        )
    };
    let (end, text) = doctor(Command::new(env!("CARGO_BIN_EXE_rqemu")).arg("doctor"));
    assert!(end == "exit 0" || end == "exit 1", "{end}: {text}");
    for part in ["processor", "kernel", "/proc", "binfmt_misc", "aarch64", "arm", "translations"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    if possible("one") {
        let (end, text) = doctor(&mut namespace("one", "$RQEMU binfmt register --flags F arm; $RQEMU doctor"));
        assert_eq!(end, "exit 1", "{text}");
        assert!(text.contains("BAD   arm                registered as rqemu-arm with flags F"), "{text}");
        assert!(
            text.contains("fair  aarch64            not registered")
                && text.contains("to mend: rqemu binfmt register aarch64"),
            "{text}"
        );
    }
}

/// The steps of `binfmt/action.yml`, run as they stand.
#[test]
fn the_action_registers() {
    if !possible("one") {
        return;
    }
    let text = std::fs::read_to_string(harness::repository().join("binfmt/action.yml")).expect("the action");
    let steps: Vec<String> = text
        .split("      run: |\n")
        .skip(1)
        .map(|s| s.lines().take_while(|l| l.starts_with("        ")).map(|l| format!("{}\n", l.trim_start())).collect())
        .collect();
    assert_eq!(steps.len(), 2, "{text}");
    built_by(&steps[0]);
    let script = format!(
        "sudo() {{ \"$@\"; }}; out=$(mktemp); export PROGRAM=$RQEMU FOLDER=/nonexistent GITHUB_OUTPUT=$out\n{}\nsed -n 's/^program=//p' $out; \
         rm $out; GUESTS=arm64\n{}\n$HELLO/aarch64",
        steps[0], steps[1]
    );
    let out = output("one", &script);
    let first = out.lines().next().unwrap_or_default();
    assert_eq!(first, std::fs::canonicalize(env!("CARGO_BIN_EXE_rqemu")).expect("rqemu").display().to_string());
    assert!(out.contains("\"linux/arm64\"") && out.ends_with("Hello from an aarch64 program.\n"), "{out}");
}

/// Whatever a workflow has cargo do with its own programs, the step that builds rqemu builds it as it is.
fn built_by(step: &str) {
    let dir = harness::scratch("action");
    let cargo = dir.join("cargo");
    std::fs::create_dir_all(dir.join("binfmt")).expect("a folder");
    std::fs::write(&cargo, "#!/bin/sh\necho \"$@\" >said; env | grep -e FLAGS -e '^CARGO_BUILD' >>said || :\n")
        .expect("a script");
    std::fs::set_permissions(&cargo, PermissionsExt::from_mode(0o755)).expect("a program");
    let mut build = Command::new("bash");
    build.args(["-c", step]).env("PROGRAM", "").env("FOLDER", dir.join("binfmt")).env("GITHUB_OUTPUT", dir.join("out"));
    build.env("PATH", format!("{}:/usr/bin:/bin", dir.display())).env("RUSTFLAGS", "-D warnings");
    build.env("CARGO_BUILD_TARGET", "aarch64-unknown-linux-gnu").env("CARGO_TARGET_DIR", "/nonexistent");
    let done = harness::run(&mut build, Duration::from_secs(30));
    let said = std::fs::read_to_string(dir.join("said")).unwrap_or_else(|e| panic!("{e}: {done:?}"));
    assert_eq!(said, "build --release --locked --target-dir target\n");
}

/// As README says: what is put there needs no library, and runs a program. It is built already, unless with other settings than the tests.
#[test]
fn cargo_installs_it() {
    let dir = harness::scratch("cargo-install");
    let mut install = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    install.args(["install", "--locked", "--offline", "--path", ".", "--root"]).arg(&dir);
    let done = harness::run(install.current_dir(harness::repository()), Duration::from_secs(1800));
    assert_eq!(done.end, "exit 0", "{done:?}");
    let program = dir.join("bin/rqemu");
    let bytes = std::fs::read(&program).expect("the program");
    let field = |at: usize, len: usize| bytes[at..at + len].iter().rev().fold(0, |n, b| n << 8 | usize::from(*b));
    let (headers, size, count) = (field(0x20, 8), field(0x36, 2), field(0x38, 2));
    let wants_loader = (0..count).any(|n| field(headers + n * size, 4) == 3);
    assert!(!wants_loader, "a program header of type PT_INTERP");
    let greeting = Command::new(&program).arg(harness::repository().join("tests/programs/hello/arm")).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&greeting.stdout), "Hello from an arm program.\n");
}

#[test]
fn the_debian_package() {
    if harness::find_program("dpkg-deb").is_none() {
        return harness::leave_out("the Debian package", "no dpkg-deb");
    }
    let dir = harness::scratch("deb");
    let mut build = Command::new(harness::repository().join("binfmt/deb"));
    build.arg(&dir).env("RQEMU", env!("CARGO_BIN_EXE_rqemu"));
    let done = harness::run(&mut build, Duration::from_secs(120));
    assert_eq!(done.end, "exit 0", "{done:?}");
    let package = dir.join(format!("rqemu_{}_amd64.deb", env!("CARGO_PKG_VERSION")));
    let told = harness::run(Command::new("dpkg-deb").arg("-c").arg(&package), Duration::from_secs(60));
    let list = String::from_utf8_lossy(&told.stdout).into_owned();
    let mut files = vec![
        "./usr/bin/rqemu\n".to_owned(),
        "./usr/share/man/man1/rqemu.1.gz\n".into(),
        "doc/rqemu/copyright\n".into(),
    ];
    for guest in foreign() {
        files.push(format!("./usr/bin/rqemu-{0} -> rqemu\n", guest.name));
        files.push(format!("./usr/lib/binfmt.d/rqemu-{}.conf\n", guest.name));
    }
    for file in files {
        assert!(list.contains(&file), "{file} in {list}");
    }
    if !possible("one") {
        return;
    }
    let script = format!(
        "T=$(mktemp -d); trap 'rm -rf $T' EXIT; dpkg-deb -R {} $T; PATH=$T/usr/bin:$PATH; export PATH
        sh $T/DEBIAN/postinst configure; $HELLO/arm; grep -h '^:' $T/usr/lib/binfmt.d/*.conf | cut -d : -f 2
        sh $T/DEBIAN/prerm remove; rqemu binfmt status; man -l $T/usr/share/man/man1/rqemu.1.gz 2>/dev/null | grep -c binfmt.register || :",
        package.display()
    );
    let out = output("one", &script);
    let mut names: Vec<String> = foreign().map(|g| format!("rqemu-{}\n", g.name)).collect();
    names.sort();
    let names = names.concat();
    let none: String = foreign().map(|g| format!("{:<12} not registered\n", g.name)).collect();
    assert!(out.starts_with(&format!("Hello from an arm program.\n{names}{none}")), "{out}");
}
