//! Every dependency's licence is one that lets rqemu be MIT OR Apache-2.0.

use std::process::Command;
use std::time::Duration;

use crate::harness;

/// SPDX identifiers that ask for no more than a notice.
const PERMISSIVE: &[&str] = &[
    "MIT",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
    "0BSD",
];

/// Whether an SPDX expression can be met by permissive licences alone: one of an OR, each of an AND.
fn permissive(expression: &str) -> bool {
    let plain = expression.replace(['(', ')'], "").replace('/', " OR ");
    // Parentheses only ever group an OR inside an AND in practice; "(A OR B) AND C" is read from the AND outwards.
    let all =
        |text: &str| text.split(" AND ").all(|part| part.split(" OR ").any(|name| PERMISSIVE.contains(&name.trim())));
    if expression.contains('(') {
        all(&plain)
    } else {
        plain.split(" OR ").any(|way| way.split(" AND ").all(|name| PERMISSIVE.contains(&name.trim())))
    }
}

#[test]
fn every_dependency_is_permissive() {
    let tree = ["tree", "--workspace", "--offline", "--locked", "--edges", "all", "--target", "all"];
    let done = harness::run(
        Command::new(env!("CARGO")).current_dir(harness::repository()).args(tree).args([
            "--prefix",
            "none",
            "--no-dedupe",
            "--format",
            "{p}\t{l}",
        ]),
        Duration::from_secs(120),
    );
    let stderr = String::from_utf8_lossy(&done.stderr);
    if done.end != "exit 0" && stderr.contains("offline") {
        return harness::leave_out("licences", "a dependency for another host was never downloaded (cargo fetch)");
    }
    assert_eq!(done.end, "exit 0", "{stderr}");
    let text = String::from_utf8_lossy(&done.stdout);
    let mut rows: Vec<_> = text.lines().filter_map(|line| line.trim_end_matches(" (*)").split_once('\t')).collect();
    rows.sort_unstable();
    rows.dedup();
    assert!(rows.len() > 5, "cargo tree printed too little:\n{text}");
    let bad: Vec<_> = rows.iter().filter(|(_, licence)| !permissive(licence)).collect();
    assert!(bad.is_empty(), "not permissive, or not named here: {bad:?}");
}

#[test]
fn expressions() {
    for (expression, expected) in [
        ("MIT OR Apache-2.0", true),
        ("MIT/Apache-2.0", true),
        ("GPL-3.0-only", false),
        ("MIT OR GPL-2.0-only", true),
        ("MIT AND GPL-2.0-only", false),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
        ("(MIT OR Apache-2.0) AND LGPL-2.1-only", false),
        ("", false),
    ] {
        assert_eq!(permissive(expression), expected, "{expression}");
    }
}
