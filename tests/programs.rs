//! `programs/cases/*.sh`: real tasks for Debian's programs, inside a foreign root, under rqemu and under the reference.
//!
//! A case is a bash script. Its first lines may say `# needs: PROGRAM...` (left out where a root lacks one),
//! `# seconds: N` (its time limit), `# handlers: registered alone` (how children are started, see `programs/enter`; the
//! default is `alone`), `# long` (not in the quick suite). What it prints and its exit status must be the reference's.
//! `RQEMU_TEST_HANDLER=registered` overrides the handler: QEMU as the emulator under test cannot look after children.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use crate::harness::{self, GUESTS, Guest, Outcome};
use crate::ways::{self, Way};

/// Every script starts so: a child is a program of the guest, and so is a grandchild.
const PRELUDE: &str = r#"
machine=$(uname -m; /bin/sh -c 'uname -m; :')
case $GUEST-${machine//$'\n'/-} in
aarch64-aarch64-aarch64 | arm-armv*-armv* | riscv64-riscv64-riscv64) ;;
x86_64-x86_64-x86_64 | i386-i686-i686)
    # On its own machine only the release tells who runs it.
    release=$(uname -r; /bin/sh -c 'uname -r; :')
    case $ROOT_HANDLER-${release//$'\n'/-} in
    host-* | alone-6.0.0-rqemu-6.0.0-rqemu) ;;
    *) echo "a child is on $release"; exit 99 ;;
    esac ;;
*) echo "a child of $GUEST is on $machine"; exit 99 ;;
esac
cd /tmp
"#;

/// Roots that have not every program (tests/packages/root).
const SAMPLES: &[&str] = &["armel", "riscv64"];

/// The architecture whose root is the host's own.
const HOST: &str = "amd64";

/// One case in one root with one handler.
pub(crate) struct Case {
    guest: &'static Guest,
    root: PathBuf,
    arch: &'static str,
    handler: String,
    name: String,
    script: String,
    limit: Duration,
}

impl Case {
    pub(crate) fn title(&self) -> String {
        format!("{}/{}/{}", self.arch, self.name, self.handler)
    }
}

fn directive<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let comments = text.lines().take_while(|line| line.starts_with('#'));
    comments.filter_map(|line| line.strip_prefix("# ")?.strip_prefix(name)).next().map(str::trim)
}

/// All cases, for every root that stands. `long` takes both handlers and the
/// cases that say so, too.
pub(crate) fn cases(long: bool) -> Vec<Case> {
    let mut scripts: Vec<_> = fs::read_dir(harness::repository().join("tests/programs/cases"))
        .expect("programs")
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "sh"))
        .collect();
    scripts.sort();
    let mut cases = Vec::new();
    for guest in GUESTS {
        for arch in guest.roots {
            let Some(root) = usable_root(guest, arch) else { continue };
            for path in &scripts {
                let text = fs::read_to_string(path).expect("a script");
                let name = path.file_stem().and_then(|s| s.to_str()).expect("a UTF-8 name").to_owned();
                if directive(&text, "long").is_some() && !long {
                    continue;
                }
                let needs = directive(&text, "needs:").unwrap_or("").split_whitespace();
                if let Some(lacking) = needs.into_iter().find(|program| !root.join("usr/bin").join(program).exists()) {
                    if root == Path::new("/") {
                        harness::leave_out(&format!("programs/{arch}/{name}"), &format!("no {lacking} here"));
                        continue;
                    }
                    assert!(SAMPLES.contains(arch), "{name}: the {arch} root has no {lacking}");
                    continue;
                }
                let seconds = directive(&text, "seconds:").map_or(60, |n| n.parse().expect("seconds"));
                let forced = std::env::var("RQEMU_TEST_HANDLER").ok();
                let handlers = match directive(&text, "handlers:") {
                    _ if forced.is_some() => forced.as_deref().unwrap_or_default(),
                    // To register the host's own programs would be the end of all others.
                    _ if guest.native => "alone",
                    Some(handlers) => handlers,
                    None if long => "alone registered",
                    None => "alone",
                };
                cases.extend(handlers.split_whitespace().map(|handler| Case {
                    guest,
                    root: root.clone(),
                    arch,
                    handler: handler.into(),
                    name: name.clone(),
                    script: format!("{PRELUDE}{text}"),
                    limit: Duration::from_secs(seconds),
                }));
            }
        }
    }
    cases
}

/// The root of a Debian architecture, where it stands, the reference is there and namespaces may be made.
fn usable_root(guest: &Guest, arch: &str) -> Option<PathBuf> {
    let what = format!("programs in the {arch} root");
    let root = if arch == HOST { PathBuf::from("/") } else { harness::cache().join(format!("{arch}-root")) };
    if !root.exists() {
        harness::leave_out(&what, &format!("no root (tests/setup root {arch})"));
        return None;
    }
    let Some((handler, reference)) = reference(guest) else {
        harness::leave_out(&what, "no reference emulator (tests/setup reference)");
        return None;
    };
    static PROBED: OnceLock<Outcome> = OnceLock::new();
    let probe = PROBED
        .get_or_init(|| harness::run(&mut enter(&root, guest, handler, &reference, "exit 7"), Duration::from_secs(30)));
    if probe.end != "exit 7" {
        let why = String::from_utf8_lossy(&probe.stderr);
        harness::leave_out(&what, &format!("no user namespace with its own binfmt_misc: {}", why.trim()));
        return None;
    }
    Some(root)
}

/// The reference, and the handler that it is. The host needs no emulator; it is given one that it does not use.
fn reference(guest: &Guest) -> Option<(&'static str, PathBuf)> {
    if guest.native { Some(("host", harness::rqemu(guest))) } else { Some(("registered", harness::reference(guest)?)) }
}

fn enter(root: &Path, guest: &Guest, handler: &str, emulator: &Path, script: &str) -> Command {
    let mut command = Command::new(harness::repository().join("tests/programs/enter"));
    command.arg(root).args([guest.name, handler]).arg(emulator).args(["/bin/bash", "-c", script, "case"]);
    command
}

/// What the reference does, kept from run to run: it changes only with the root and the script. `anew` forgets it first.
fn expected(case: &Case, anew: bool) -> Outcome {
    let stamp = fs::read(format!("{}.stamp", case.root.display())).unwrap_or_default();
    let key = harness::hash(&[case.arch.as_bytes(), case.script.as_bytes(), &stamp]);
    let folder = harness::cache().join("reference");
    fs::create_dir_all(&folder).expect("reference folder");
    let (out, end) = (folder.join(format!("{key:016x}.out")), folder.join(format!("{key:016x}.end")));
    if let (false, Ok(stdout), Ok(end)) = (anew || case.guest.native, fs::read(&out), fs::read_to_string(&end)) {
        return Outcome { stdout, stderr: Vec::new(), end };
    }
    let (handler, reference) = reference(case.guest).expect("a reference");
    let done = harness::run(&mut enter(&case.root, case.guest, handler, &reference, &case.script), case.limit * 4);
    if done.end.starts_with("exit") {
        fs::write(&out, &done.stdout).and_then(|()| fs::write(&end, &done.end)).expect("reference result");
    }
    done
}

/// Runs one case under rqemu and compares. The reference now and then fails by itself on a busy machine, so what it did
/// is asked for once more before a difference counts.
pub(crate) fn check(case: &Case, way: &Way) -> Result<(), String> {
    let got = way.outcome(case.limit, |variables, limit| {
        let mut command = enter(&case.root, case.guest, &case.handler, &harness::rqemu(case.guest), &case.script);
        harness::run(ways::with(&mut command, variables), limit)
    });
    let mut verdict = Err(String::new());
    for anew in [false, true] {
        let expected = expected(case, anew);
        verdict = if expected.end == "exit 99" || !expected.end.starts_with("exit") {
            Err(format!("the reference itself fails: {expected:?}"))
        } else {
            harness::compare(&expected, &got)
        };
        if verdict.is_ok() {
            break;
        }
    }
    verdict
}

#[test]
fn tasks() {
    let _alone = harness::alone();
    harness::judge("programs", &cases(false), Case::title, |case| check(case, &ways::USUAL));
}

/// What ps and pgrep say of other processes: what they would on a machine of the guest's kind. The reference shows itself.
/// (A command of a pipeline may just be starting while another looks: pgrep counts by itself.)
#[test]
fn processes_see_each_other() {
    let script = r#"
        cd /tmp; printf '#!/bin/sh\nread x\n' >script; chmod +x script; mkfifo hold; exec 3<>hold
        sleep 77 & first=$!; bash -c 'exec -a renamed sleep 78' & ./script <hold & sleep 1
        ps -e -o comm=,args= | grep -E '^(sleep|script|renamed)' | sort
        pgrep -x sleep | wc -l; pgrep -f '^renamed 78' | wc -l; pgrep -x script | wc -l; pgrep -fc '^[^ ]*rqemu'
        for p in $(pgrep -x sleep); do readlink /proc/$p/exe; stat -Lc %n%s /proc/$p/exe | sed 's,/proc/[0-9]*,,'; done | sort -u
        ls -l /proc/$(pgrep -x script)/exe | sed 's/.* -> //'; grep -c rqemu /proc/$(pgrep -x script)/maps; stat -Lc /exe%s /usr/bin/sleep
        pkill -f '^sleep 77$'; wait $first; echo $?; pkill sleep; pkill script
    "#;
    let _alone = harness::alone();
    for guest in GUESTS.iter().filter(|g| !g.native) {
        let Some(arch) = guest.roots.first() else { continue };
        let Some(root) = usable_root(guest, arch) else { continue };
        for handler in ["alone", "registered"] {
            let script = format!("{PRELUDE}{script}");
            let got = harness::run(
                &mut enter(&root, guest, handler, &harness::rqemu(guest), &script),
                Duration::from_secs(60),
            );
            let out = String::from_utf8_lossy(&got.stdout).into_owned();
            let size = out.lines().rev().nth(1).unwrap_or_default();
            let shell = fs::read_link(root.join("bin/sh")).expect("a shell");
            let expected = format!(
                "script          /bin/sh ./script\nsleep           renamed 78\nsleep           sleep 77\n2\n1\n1\n0\n{size}\n/usr/bin/sleep\n/usr/bin/{}\n0\n{size}\n143\n",
                shell.display()
            );
            assert_eq!(out, expected, "{arch}, {handler}: {}", String::from_utf8_lossy(&got.stderr));
        }
    }
}
