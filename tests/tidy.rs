//! The house rules that a program can check. Not here: what rustfmt and clippy check.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::harness;

/// The most lines that a file of source may have.
const MAX_LINES: usize = 1000;

/// Folders that hold source of ours.
const ROOMS: &[&str] = &["src", "system", "tests", "benches", "syscall-tables", "binfmt", "docs"];

/// Names that say nothing about what a file holds.
const VAGUE: &[&str] = &["util", "utils", "common", "misc", "helpers", "stuff"];

fn files() -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        let Ok(entries) = fs::read_dir(folder) else { return };
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                walk(&path, found);
            } else {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    for room in ROOMS {
        walk(&harness::repository().join(room), &mut found);
    }
    found.sort();
    found
}

fn name(path: &Path) -> String {
    path.strip_prefix(harness::repository()).unwrap_or(path).display().to_string()
}

fn extension(path: &Path) -> &str {
    path.extension().and_then(|e| e.to_str()).unwrap_or("")
}

/// Fails with every complaint that `look` has about a file of source.
fn each_source(extensions: &[&str], look: impl Fn(&str, &str) -> Option<String>) {
    let mut complaints = Vec::new();
    for path in files().iter().filter(|path| extensions.contains(&extension(path))) {
        let text = fs::read_to_string(path).expect("source is UTF-8");
        complaints.extend(look(&name(path), &text).map(|what| format!("{}: {what}", name(path))));
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn each_file_says_what_it_is_for() {
    each_source(&["rs"], |_, text| (!text.starts_with("//! ")).then(|| "does not open with //!".into()));
}

#[test]
fn no_file_is_too_long() {
    each_source(&["rs", "c", "h", "S", "sh", "decode"], |_, text| {
        let lines = text.lines().count();
        (lines > MAX_LINES).then(|| format!("{lines} lines, more than {MAX_LINES}"))
    });
}

#[test]
fn names_say_what_is_inside() {
    let vague: Vec<_> = files()
        .iter()
        .filter(|path| path.file_stem().and_then(|s| s.to_str()).is_some_and(|stem| VAGUE.contains(&stem)))
        .map(|path| name(path))
        .collect();
    assert!(vague.is_empty(), "vague names: {vague:?}");
}

#[test]
fn nothing_is_left_unfinished() {
    // split, so that this file does not find itself
    let words = [concat!("FIX", "ME"), concat!("X", "XX"), concat!("HA", "CK")];
    let macros = [concat!("todo", "!("), concat!("unimplemented", "!(")];
    each_source(&["rs", "c", "S", "sh", "decode"], |_, text| {
        let word = text.split(|c: char| !c.is_ascii_alphanumeric()).find(|word| words.contains(word));
        word.or(macros.into_iter().find(|m| text.contains(m))).map(|what| format!("holds {what}"))
    });
}

/// Guest threads run on host threads that have no thread-local storage of their own. The standard hasher's keys are in such storage, so a hash map
/// names another.
#[test]
fn run_time_code_has_no_thread_locals() {
    each_source(&["rs"], |name, text| {
        let run_time = ["src/engine/", "src/linux/", "src/guest/"].iter().any(|room| name.starts_with(room));
        let words = [concat!("thread_", "local!"), concat!("RandomState", "::")];
        let standard_hasher = |line: &str| {
            let hashed =
                ["HashMap<", "HashSet<", "HashMap::new", "HashSet::new"].iter().any(|word| line.contains(word));
            hashed && !line.contains("BuildHasher")
        };
        let run_time_part = text.split("#[cfg(test)]").next().unwrap_or_default();
        words.iter().find(|word| run_time && text.contains(**word)).map(|word| format!("holds {word}")).or(
            run_time_part
                .lines()
                .find(|line| run_time && standard_hasher(line))
                .map(|line| format!("hashes by the standard: {line}")),
        )
    });
}

/// Guests are safe code, and the compiler is told so.
#[test]
fn guests_forbid_unsafe() {
    each_source(&["rs"], |name, text| {
        let root = name.starts_with("src/guest/") && name.ends_with("/lib.rs");
        (root && !text.contains("#![forbid(unsafe_code)]")).then(|| "does not forbid unsafe code".into())
    });
}

/// A newcomer who knows one guest's folder knows them all.
#[test]
fn guests_have_the_same_files() {
    let guests = harness::repository().join("src/guest");
    let shapes: Vec<(String, BTreeSet<String>)> = fs::read_dir(guests)
        .expect("src/guest")
        .flatten()
        .map(|guest| {
            let entries = fs::read_dir(guest.path()).expect("guest folder").flatten();
            let names = entries.map(|e| e.file_name().to_string_lossy().into_owned());
            // Rows, and what prints their operands, are in as many files as the manual has parts; without such rows there is nothing to generate.
            let names = names.filter(|n| !n.ends_with(".decode") && !n.starts_with("print") && n != "build.rs");
            (guest.file_name().to_string_lossy().into_owned(), names.collect())
        })
        .collect();
    for pair in shapes.windows(2) {
        let [(a, files_a), (b, files_b)] = pair else { continue };
        let odd: Vec<_> = files_a.symmetric_difference(files_b).collect();
        assert!(odd.is_empty(), "only in one of {a} and {b}: {odd:?}");
    }
}
