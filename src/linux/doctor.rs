//! `rqemu doctor`: looks at what rqemu needs of this machine, one line each, and says how to mend what is not as it should be.
//! Its status is 1 if something keeps programs from running, or from running well.

use crate::binfmt::{self, Handler};
use crate::cli::Say;
use crate::commands::{Call, Row};
use crate::host;
use crate::stored;
use std::fmt::Write;

pub static ROWS: &[Row] = &[Row {
    name: "doctor",
    takes: "",
    about: "what of this machine keeps rqemu from its best, and how to mend it",
    run: doctor,
}];

/// What is found about one thing.
#[derive(Debug, PartialEq, Eq)]
enum Finding {
    Good(String),
    /// It works, but less well than it might.
    Advice(String, String),
    Bad(String, String),
}
use Finding::{Advice, Bad, Good};

/// Linux versions that brought what we use.
const TELLS_ARGV0: (u32, u32) = (5, 12);
const BINFMT_BY_NAMESPACE: (u32, u32) = (6, 7);

fn read(path: &str) -> Option<String> {
    host::read_file(path.as_bytes()).ok().map(|b| String::from_utf8_lossy(&b).trim().to_owned())
}

fn version(release: &str) -> (u32, u32) {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|n| n.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

fn doctor(c: &Call) -> Say {
    let mut findings: Vec<(String, Finding)> = vec![
        ("processor".into(), processor()),
        ("kernel".into(), kernel(&read("/proc/sys/kernel/osrelease").unwrap_or_default())),
        ("/proc".into(), proc()),
        ("memory".into(), memory()),
    ];
    findings.push(("binfmt_misc".into(), mounted()));
    let handlers = binfmt::handlers();
    for guest in binfmt::foreign_or_taken(c.guests, &handlers) {
        let takers: Vec<&Handler> = handlers.iter().filter(|h| h.takes(guest)).collect();
        findings.push((guest.name.into(), registration(guest.name, &takers)));
        findings.push((format!("{} libraries", guest.name), libraries(guest.name, c)));
    }
    findings.push(("translations".into(), translations(c)));
    told(&findings)
}

fn told(findings: &[(String, Finding)]) -> Say {
    let mut text = String::new();
    let mut bad = 0;
    for (what, finding) in findings {
        let (word, state, mend) = match finding {
            Good(state) => ("good", state, None),
            Advice(state, mend) => ("fair", state, Some(mend)),
            Bad(state, mend) => ("BAD", state, Some(mend)),
        };
        bad += usize::from(word == "BAD");
        let _ = writeln!(text, "{word:<5} {what:<18} {state}");
        if let Some(mend) = mend {
            let _ = writeln!(text, "      {:<18} to mend: {mend}", "");
        }
    }
    Say { text, status: i32::from(bad != 0) }
}

fn processor() -> Finding {
    let features = engine::Features::detect();
    let named = |wanted| features.listed().filter(|f| f.1 == wanted).map(|f| f.0).collect::<Vec<_>>().join(" ");
    if !features.avx2 {
        return Bad(
            "without AVX2, FMA, BMI, AES or PCLMULQDQ: programs are interpreted, some fifty times slower".into(),
            "another machine; on a virtual one, the host's own CPU model".into(),
        );
    }
    let lacking = named(false);
    let lacking = if lacking.is_empty() { lacking } else { format!(" (not: {lacking})") };
    Good(format!("x86-64-v3 with {}{lacking}", named(true)))
}

fn kernel(release: &str) -> Finding {
    let mend = || "a newer kernel".to_owned();
    match version(release) {
        v if v < TELLS_ARGV0 => Advice(format!("{release}: does not tell rqemu that argv[0] was kept"), mend()),
        v if v < BINFMT_BY_NAMESPACE => {
            Advice(format!("{release}: registrations are the machine's, not a user namespace's own"), mend())
        }
        _ => Good(release.into()),
    }
}

fn proc() -> Finding {
    match host::readlink(b"/proc/self/exe") {
        Ok(path) => Good(format!("mounted; rqemu is {}", String::from_utf8_lossy(&path))),
        Err(_) => Bad(
            "not mounted: programs start no others unless registered".into(),
            "mount -t proc proc /proc in this root".into(),
        ),
    }
}

fn memory() -> Finding {
    let number = |file: &str| read(file).and_then(|t| t.parse::<u64>().ok());
    if number("/proc/sys/vm/overcommit_memory") == Some(2) {
        return Advice(
            "the kernel promises no memory that it has not got: programs that reserve much fail sooner".into(),
            "sysctl vm.overcommit_memory=0".into(),
        );
    }
    match number("/proc/sys/vm/mmap_min_addr") {
        Some(least) if least > 0x1_0000 => Advice(
            format!("addresses below {least:#x} are closed: 32-bit programs that are linked low do not load"),
            "sysctl vm.mmap_min_addr=65536".into(),
        ),
        _ => Good("as Linux gives it".into()),
    }
}

fn mounted() -> Finding {
    if !binfmt::is_mounted() {
        Advice(
            "not mounted: only rqemu itself starts foreign programs".into(),
            "rqemu binfmt register as root (in a container: --privileged)".into(),
        )
    } else if !binfmt::is_enabled() {
        Bad("switched off".into(), "echo 1 > /proc/sys/fs/binfmt_misc/status".into())
    } else if binfmt::in_user_namespace() {
        Good("mounted, in a user namespace".into())
    } else {
        Good("mounted".into())
    }
}

fn registration(guest: &str, takers: &[&Handler]) -> Finding {
    let again = format!("rqemu binfmt register {guest}");
    let (ours, others): (Vec<&&Handler>, Vec<&&Handler>) = takers.iter().partition(|h| h.is_ours());
    let rivals = others.iter().filter(|h| h.enabled).map(|h| h.name.as_str()).collect::<Vec<_>>().join(", ");
    let Some(own) = ours.first() else {
        let state =
            if rivals.is_empty() { "not registered".into() } else { format!("started by {rivals}, not by rqemu") };
        return Advice(state, again);
    };
    let state = format!("registered as {} with flags {} to {}", own.name, own.flags, own.interpreter);
    if !own.enabled {
        Advice(format!("{state}, but disabled"), format!("echo 1 > /proc/sys/fs/binfmt_misc/{}", own.name))
    } else if !own.flags.contains('F') {
        Advice(format!("{state}: without F not found in other roots"), again)
    } else if !own.flags.contains('P') {
        Bad(format!("{state}: without P programs do not get their argv[0]"), again)
    } else if !rivals.is_empty() {
        Advice(format!("{state}; {rivals} too, and the last one registered counts"), format!("remove it, or {again}"))
    } else {
        Good(state)
    }
}

/// Where programs with shared libraries find theirs, outside of a root of their own.
fn libraries(guest: &str, c: &Call) -> Finding {
    let candidates = ["", "eabihf", "eabi"].map(|abi| format!("/usr/{guest}-linux-gnu{abi}"));
    let prefix = String::from_utf8_lossy(&c.options.ld_prefix).into_owned();
    if !prefix.is_empty() {
        return Good(format!("under {prefix}"));
    }
    match candidates.iter().find(|dir| host::open(dir.as_bytes(), libc::O_PATH).map(host::close).is_ok()) {
        Some(dir) => Good(format!("rqemu -L {dir} PROGRAM finds those of the cross compiler")),
        None => Good("none of a cross compiler: run programs in a root of their own, or with -L".into()),
    }
}

fn translations(c: &Call) -> Finding {
    if c.options.cache.as_deref() == Some(b"off") {
        return Advice("not kept, as asked".into(), "unset RQEMU_CACHE".into());
    }
    let Some(folder) = stored::folder(c.options, c.env) else {
        return Advice(
            "not kept: neither /dev/shm nor a folder of the user's can be used".into(),
            "rqemu cache init, or RQEMU_CACHE=folder".into(),
        );
    };
    let path = String::from_utf8_lossy(folder.path()).into_owned();
    if path.starts_with("/dev/shm/") {
        Advice(format!("kept in {path}, until the machine stops"), "rqemu cache init".into())
    } else {
        Good(format!("kept in {path}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handler(name: &str, enabled: bool, flags: &str) -> Handler {
        Handler { name: name.into(), enabled, flags: flags.into(), ..Handler::default() }
    }

    #[test]
    fn registrations_are_judged() {
        let (good, off, plain, deaf) = (
            handler("rqemu-x", true, "POCF"),
            handler("rqemu-x", false, "PF"),
            handler("rqemu-x", true, "P"),
            handler("rqemu-x", true, "F"),
        );
        let other = handler("qemu-x", true, "F");
        let judged = |list: &[&Handler]| registration("x", list);
        assert!(matches!(judged(&[&good]), Good(_)));
        assert!(matches!(judged(&[]), Advice(..)) && matches!(judged(&[&other]), Advice(..)));
        assert!(matches!(judged(&[&good, &other]), Advice(..)) && matches!(judged(&[&off]), Advice(..)));
        assert!(matches!(judged(&[&plain]), Advice(..)) && matches!(judged(&[&deaf]), Bad(..)));
    }

    #[test]
    fn kernels_are_judged() {
        assert!(matches!(kernel("6.18.44-fc"), Good(_)));
        assert!(matches!(kernel("6.1.0"), Advice(..)) && matches!(kernel("5.10.0-9-amd64"), Advice(..)));
    }

    #[test]
    fn what_is_bad_makes_the_status() {
        let say = told(&[("a".into(), Good("b".into())), ("c".into(), Bad("d".into(), "e".into()))]);
        assert_eq!((say.status, say.text.lines().count()), (1, 3));
        assert!(say.text.contains("to mend: e"));
    }
}
