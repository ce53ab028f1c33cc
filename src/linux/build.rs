//! Turns `syscall-tables/*.tbl` into Rust: the guests' tables from number to row, and the host's numbers by entry.
//! An entry that no row declares does not compile: `cannot find value sys_…`.

use std::fmt::Write;
use std::{env, fs, path::Path};

/// A line of a table: number, name, entry.
type Line = (usize, String, String);

/// Private calls (arm's) begin here; numbers below it stand in a first array.
const PRIVATE: usize = 0xf_0000;

fn main() {
    let tables = Path::new("../../syscall-tables");
    println!("cargo::rerun-if-changed={}", tables.display());
    let mut out = String::new();
    let mut list = String::new();
    let mut calls = Vec::new();
    let mut files: Vec<_> = fs::read_dir(tables).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    for file in files.iter().filter(|f| f.extension().is_some_and(|e| e == "tbl")) {
        let name = file.file_stem().unwrap().to_str().unwrap();
        let lines = parse(file);
        if name == "x86_64" {
            host_numbers(&lines, &mut out);
        }
        table(name, &lines, &mut calls, &mut out);
        write!(list, "&{}, ", name.to_uppercase()).unwrap();
    }
    writeln!(out, "/// What the tables' numbers stand for.\nstatic CALLS: &[Call] = &[\n{}];", calls.join(",\n"))
        .unwrap();
    writeln!(out, "/// Every guest's table.\npub static TABLES: &[&Table] = &[{list}];").unwrap();
    fs::write(Path::new(&env::var("OUT_DIR").unwrap()).join("tables.rs"), out).unwrap();
}

fn parse(file: &Path) -> Vec<Line> {
    let text = fs::read_to_string(file).unwrap();
    let mut lines: Vec<Line> = Vec::new();
    for (at, line) in text.lines().enumerate().filter(|(_, l)| !l.starts_with('#') && !l.is_empty()) {
        let mut words = line.split_whitespace();
        let bad = |what: &str| -> ! { panic!("{}:{}: {what}: {line}", file.display(), at + 1) };
        let Some(number) = words.next().and_then(|n| n.parse().ok()) else { bad("no number") };
        let Some(name) = words.next() else { bad("no name") };
        let entry = words.next().map_or_else(|| format!("sys_{name}"), str::to_string);
        if words.next().is_some() {
            bad("more than three words");
        }
        if lines.last().is_some_and(|(last, ..)| *last >= number) {
            bad("numbers are not in order");
        }
        lines.push((number, name.to_string(), entry));
    }
    lines
}

/// `calls`: what stands in `CALLS` so far. Most calls are those of other guests.
fn table(name: &str, lines: &[Line], calls: &mut Vec<String>, out: &mut String) {
    let upper = name.to_uppercase();
    let mut ranges = String::new();
    for base in [0, PRIVATE] {
        let part: Vec<_> = lines.iter().filter(|l| (l.0 >= PRIVATE) == (base == PRIVATE)).collect();
        let Some(last) = part.last() else { continue };
        let mut places = vec![0; last.0 - base + 1];
        for (number, call, entry) in part {
            let call = format!("Call {{ name: \"{call}\", row: &rows::{entry} }}");
            let at = calls.iter().position(|c| *c == call).unwrap_or_else(|| {
                calls.push(call);
                calls.len() - 1
            });
            places[number - base] = at + 1;
        }
        write!(ranges, "({base}, &{places:?}), ").unwrap();
    }
    writeln!(out, "static {upper}: Table = Table {{ name: \"{name}\", ranges: &[{ranges}] }};").unwrap();
}

fn host_numbers(lines: &[Line], out: &mut String) {
    out.push_str("/// Numbers of the host's system calls, by entry.\n#[allow(non_upper_case_globals, missing_docs, dead_code, reason = \"the kernel's names\")]\npub mod nr {\n");
    for (number, _, entry) in lines.iter().filter(|l| l.2 != "sys_ni_syscall") {
        writeln!(out, "pub const {entry}: u32 = {number};").unwrap();
    }
    out.push_str("}\n");
}
