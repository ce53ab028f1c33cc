//! What the repository says of the program is what the program says: README's tables, `docs/system-call-table.md`, `binfmt/*.conf`.
//!
//! `RQEMU_BLESS=1` rewrites them. In README a text of the program stands between `<!-- rqemu OPTION -->` and `<!-- end -->`.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::harness::{self, GUESTS};

/// What rqemu, called by that name, prints for an option.
fn printed(name: &str, option: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rqemu"));
    command.arg0(name).arg(option).env_clear();
    let got = harness::run(&mut command, Duration::from_secs(20));
    assert_eq!((got.end.as_str(), got.stderr.as_slice()), ("exit 0", b"".as_slice()), "{name} {option}");
    String::from_utf8(got.stdout).expect("text is UTF-8")
}

/// Compares a file with what it should be, or writes it.
fn current(file: &Path, wanted: &str) {
    let kept = fs::read_to_string(file).unwrap_or_default();
    if kept == wanted {
        return;
    }
    if std::env::var_os("RQEMU_BLESS").is_some() {
        return fs::write(file, wanted).expect("a file of the repository");
    }
    let differs = kept.lines().zip(wanted.lines()).position(|(a, b)| a != b);
    let line = 1 + differs.unwrap_or(kept.lines().count().min(wanted.lines().count()));
    panic!("{}:{line} is not what rqemu prints (RQEMU_BLESS=1 rewrites it)", file.display());
}

/// README's text with the program's own texts in their places.
fn filled(text: &str) -> String {
    const OPEN: &str = "<!-- rqemu ";
    const END: &str = "<!-- end -->\n";
    let (mut out, mut rest) = (String::new(), text);
    while let Some(at) = rest.find(OPEN) {
        let line = at + rest[at..].find('\n').expect("a mark is a line") + 1;
        let option = rest[at + OPEN.len()..line].trim_end().trim_end_matches("-->").trim_end();
        let end = line + rest[line..].find(END).expect("a mark has its end");
        out += &rest[..line];
        let text = printed("rqemu", option);
        // Markdown tables are put in as they are, other texts as they look.
        out += &if text.starts_with('|') { text } else { format!("```text\n{text}```\n") };
        rest = &rest[end..];
    }
    out + rest
}

#[test]
fn readme_is_current() {
    let file = harness::repository().join("README.md");
    let text = fs::read_to_string(&file).expect("README.md");
    let wanted = filled(&text);
    for option in ["-guests", "-h"] {
        assert!(text.contains(&format!("<!-- rqemu {option} -->\n")), "README.md has no place for {option}");
    }
    current(&file, &wanted);
}

#[test]
fn manual_page_is_current() {
    current(&harness::repository().join("docs/rqemu.1"), &printed("rqemu", "-man"));
}

#[test]
fn table_of_system_calls_is_current() {
    current(&harness::repository().join("docs/system-call-table.md"), &printed("rqemu", "-syscalls"));
}

#[test]
fn registrations_are_current() {
    let folder = harness::repository().join("binfmt");
    if std::env::var_os("RQEMU_BLESS").is_some() {
        fs::create_dir_all(&folder).expect("binfmt");
    }
    let mut all = String::new();
    // The host's own programs are never registered.
    for guest in GUESTS.iter().filter(|g| !g.native) {
        let text = printed(&format!("rqemu-{}", guest.name), "-binfmt");
        current(&folder.join(guest.name).with_extension("conf"), &text);
        all += &text;
    }
    assert_eq!(printed("rqemu", "-binfmt"), all, "a guest that the tests do not know");
    let files = fs::read_dir(&folder).expect("binfmt").flatten();
    let registrations = files.filter(|f| f.path().extension().is_some_and(|e| e == "conf")).count();
    assert_eq!(registrations, GUESTS.iter().filter(|g| !g.native).count(), "registrations in binfmt");
}

/// The kernel's own rules for a line (Documentation/admin-guide/binfmt-misc.rst), and programs that it must and must not match.
#[test]
fn registrations_match_their_programs() {
    for guest in GUESTS.iter().filter(|g| !g.native) {
        let line = printed(&format!("rqemu-{}", guest.name), "-binfmt").lines().last().unwrap_or_default().to_owned();
        assert!(line.len() < 1920, "longer than the kernel takes");
        let [_, _, kind, offset, magic, mask, interpreter, flags] = line.split(':').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        assert_eq!((kind, offset, flags), ("M", "", "PF"));
        assert!(interpreter.len() < 128 && interpreter.ends_with(guest.name));
        let bytes = |text: &str| -> Vec<u8> {
            text.split("\\x").skip(1).map(|hex| u8::from_str_radix(hex, 16).expect("two digits")).collect()
        };
        let (magic, mask) = (bytes(magic), bytes(mask));
        assert_eq!(magic.len(), mask.len());
        let matches =
            |head: &[u8]| head.iter().zip(&magic).zip(&mask).all(|((b, value), mask)| (b ^ value) & mask == 0);
        for other in GUESTS {
            let program = fs::read(harness::repository().join("tests/programs/hello").join(other.name)).expect("hello");
            assert_eq!(matches(&program), other.name == guest.name, "{} and a program of {}", guest.name, other.name);
        }
        let own = fs::read(env!("CARGO_BIN_EXE_rqemu")).expect("rqemu");
        assert!(!matches(&own), "{} takes the host's programs", guest.name);
    }
}
