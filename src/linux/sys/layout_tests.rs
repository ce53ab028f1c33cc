//! Declared structs against C: `tests/layout/*.c` compiled for each ABI, every size and offset compared.

use super::structs::ALL;
use super::tests::{LITTLE32, LITTLE64};
use crate::layout::{HOST, lay_out};
use arch::layout::Model;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// The lines of the compiler's output: a name, then numbers.
fn compiled(compiler: &str, file: &str) -> Option<BTreeMap<String, Vec<usize>>> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/layout").join(file);
    let output = Command::new(compiler).args(["-S", "-o", "-"]).arg(source).output().ok()?;
    assert!(output.status.success(), "{compiler} {file}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = |l: &str| {
        let mut words = l.strip_prefix("layout: ")?.split_whitespace();
        Some((words.next()?.to_string(), words.map(|w| w.parse().unwrap()).collect()))
    };
    Some(text.lines().filter_map(|l| line(l.trim())).collect())
}

fn compare(compiler: &str, m: Model) {
    let mut facts = BTreeMap::new();
    for file in ["kernel.c", "socket.c"] {
        match compiled(compiler, file) {
            Some(more) => facts.extend(more),
            None => return eprintln!("left out: no {compiler}"),
        }
    }
    assert!(facts.len() > 400, "{compiler}: {} facts", facts.len());
    let mut wrong = Vec::new();
    for (name, numbers) in &facts {
        let (of, member) = name.split_once('.').map_or((&name[..], None), |(s, f)| (s, Some(f)));
        let layout = ALL.iter().find(|(n, _)| *n == of).unwrap_or_else(|| panic!("{name}")).1();
        let (places, size) = lay_out(&layout.variant(m), m);
        let ours = match member {
            None => vec![size],
            Some(f) => match places.iter().find(|p| p.0 == f) {
                Some((_, p)) => vec![p.offset, p.size * p.count],
                None => vec![],
            },
        };
        if ours != *numbers {
            wrong.push(format!("{name}: C {numbers:?}, ours {ours:?}"));
        }
    }
    assert!(wrong.is_empty(), "{compiler}:\n{}", wrong.join("\n"));
}

#[test]
fn host() {
    compare("gcc", HOST);
}

#[test]
fn arm() {
    compare("arm-linux-gnueabihf-gcc", LITTLE32);
}

#[test]
fn aarch64() {
    compare("aarch64-linux-gnu-gcc", LITTLE64);
}
