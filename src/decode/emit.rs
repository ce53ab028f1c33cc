//! Writes the Rust text of the tables: structs, thunks, rows, index.

use crate::index::{self, Index};
use crate::overlap;
use crate::parse::{self, Condition, Line, Named, Section, Text};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

/// Reads the row files (relative to the package) and writes `$OUT_DIR/insn.rs`. For a guest's `build.rs`.
///
/// The guest's module that includes the text must have in scope: `Cx`, and the function of each row name. It gets, per
/// section, `pub static NAME: decode::Table<Translate>` in upper case, with `type Translate = fn(&mut Cx, u32)`.
/// A mistake in a row file ends the build with file, line and reason.
pub fn generate(files: &[&str]) {
    let mut sections = vec![];
    let result = files.iter().try_for_each(|file| {
        emit_line(&format!("cargo::rerun-if-changed={file}"));
        let text = std::fs::read_to_string(file).map_err(|e| format!("{file}: {e}"))?;
        parse::file(file, &text, &mut sections)
    });
    let out = std::env::var("OUT_DIR").unwrap_or_default();
    let written = result
        .and_then(|()| rust(&sections))
        .and_then(|text| std::fs::write(Path::new(&out).join("insn.rs"), text).map_err(|e| e.to_string()));
    if let Err(error) = written {
        emit_line(&format!("cargo::error={error}"));
        std::process::exit(1);
    }
}

/// To cargo, which reads a build script's standard output.
#[expect(clippy::print_stdout, reason = "cargo reads a build script's standard output")]
fn emit_line(line: &str) {
    println!("{line}");
}

/// The whole text.
pub(crate) fn rust(sections: &[Section]) -> Result<String, String> {
    let mut out = String::from("/// The type of a row's thunk.\npub(crate) type Translate = fn(&mut Cx, u32);\n\n");
    structs(&mut out, sections)?;
    for section in sections {
        table(&mut out, section)?;
    }
    Ok(out)
}

fn camel(name: &str) -> String {
    let part = |p: &str| p[..1].to_uppercase() + &p[1..];
    name.split('_').filter(|p| !p.is_empty()).map(part).collect()
}

/// The fields of a row in the order of its struct: by name, so that rows with the same fields are alike.
fn sorted(line: &Line) -> Vec<&Named> {
    let mut fields: Vec<&Named> = line.fields.iter().collect();
    fields.sort_by(|a, b| a.name.cmp(&b.name));
    fields
}

fn structs(out: &mut String, sections: &[Section]) -> Result<(), String> {
    let mut seen: BTreeMap<&str, &Line> = BTreeMap::new();
    for line in sections.iter().flat_map(|s| &s.lines).filter(|l| !l.is_hole()) {
        let names = |l: &Line| sorted(l).iter().map(|f| f.name.clone()).collect::<Vec<_>>();
        if let Some(first) = seen.get(line.name.as_str()) {
            if names(first) != names(line) {
                let (a, b) = (names(first).join(" "), names(line).join(" "));
                let place = format!("{}:{}", line.file, line.number);
                return Err(format!("{place}: `{}` has the fields {b}, but on line {} {a}", line.name, first.number));
            }
            continue;
        }
        seen.insert(&line.name, line);
        let fields: String = sorted(line).iter().map(|f| format!(" pub(crate) {}: u32,", f.name)).collect();
        let _ = writeln!(out, "#[derive(Clone, Copy, Debug)]\n#[allow(non_snake_case, dead_code)]");
        let _ = writeln!(out, "pub(crate) struct {} {{{fields} }}", camel(&line.name));
    }
    Ok(())
}

fn table(out: &mut String, section: &Section) -> Result<(), String> {
    // Holes come last: their numbers follow the rows'.
    let (holes, rows): (Vec<&Line>, Vec<&Line>) = section.lines.iter().partition(|l| l.is_hole());
    let lines: Vec<Line> = rows.iter().chain(&holes).map(|&l| l.clone()).collect();
    if lines.len() > usize::from(u16::MAX) {
        return Err(format!("section {}: too many rows", section.name));
    }
    let index = index::build(&lines, &overlap::depths(&lines)?, section.width);
    let name = section.name.to_uppercase();
    prints(out, &section.name, &rows);
    for (i, line) in rows.iter().enumerate() {
        thunk(out, &section.name, i, line);
    }
    let mut lists = Lists::default();
    let _ = writeln!(out, "static {name}_ROWS: [decode::StoredRow; {}] = [", rows.len());
    rows.iter().for_each(|line| row(out, &mut lists, line));
    let _ = writeln!(out, "];\nstatic {name}_HOLES: [decode::StoredPattern; {}] = [", holes.len());
    for line in &holes {
        let _ = writeln!(out, "    {},", pattern(&mut lists, line));
    }
    let _ = writeln!(out, "];");
    lists.write(out, &name);
    translates(out, &section.name, rows.len());
    lookup(out, section, &name, &index, &lines);
    Ok(())
}

fn thunk(out: &mut String, section: &str, i: usize, line: &Line) {
    let extract = |f: &&Named| format!("{}: {}", f.name, extraction(f));
    let fields: Vec<String> = sorted(line).iter().map(extract).collect();
    let word = if line.fields.iter().any(|f| !f.parts.is_empty()) { "w" } else { "_" };
    let (name, fields) = (&line.name, fields.join(", "));
    let _ =
        writeln!(out, "fn {section}_{i}(cx: &mut Cx, {word}: u32) {{ {name}(cx, {} {{ {fields} }}) }}", camel(name));
}

/// The expression of a field's value in the word `w`.
fn extraction(field: &Named) -> String {
    let mut terms = vec![];
    let mut above = 0u32;
    for &(lsb, width) in field.parts.iter().rev() {
        let mask = (1u64 << width) - 1;
        terms.push(format!("(w >> {lsb} & {mask:#x}) << {above}").replace(" << 0", ""));
        above += u32::from(width);
    }
    let text = match &terms[..] {
        [] => field.constant.to_string(),
        [one] => one[1..one.len() - 1].into(),
        _ => terms.join(" | "),
    };
    text.replace("w >> 0 &", "w &")
}

fn field(f: &Named) -> String {
    format!("decode::Field::new({:?}, &{:?}, {})", f.name, f.parts, f.constant)
}

/// What rows and patterns have spans of. Equal parts are stored once.
#[derive(Default)]
struct Lists {
    text: String,
    fields: List,
    constraints: List,
}

#[derive(Default)]
struct List {
    items: Vec<String>,
    stored: BTreeMap<Vec<String>, usize>,
}

impl List {
    fn span(&mut self, part: Vec<String>) -> String {
        let (next, len) = (self.items.len(), part.len());
        let at = *self.stored.entry(part).or_insert_with_key(|part| {
            self.items.extend_from_slice(part);
            next
        });
        format!("decode::Span({at}, {len})")
    }

    fn write(&self, out: &mut String, name: &str, ty: &str) {
        let _ = writeln!(out, "static {name}: [decode::{ty}; {}] = [", self.items.len());
        for item in &self.items {
            let _ = writeln!(out, "    {item},");
        }
        let _ = writeln!(out, "];");
    }
}

impl Lists {
    fn text(&mut self, part: &str) -> String {
        let at = self.text.find(part).unwrap_or_else(|| {
            self.text += part;
            self.text.len() - part.len()
        });
        format!("decode::Span({at}, {})", part.len())
    }

    fn write(&self, out: &mut String, name: &str) {
        let _ = writeln!(out, "static {name}_TEXT: &str = {:?};", self.text);
        self.fields.write(out, &format!("{name}_FIELDS"), "Field");
        self.constraints.write(out, &format!("{name}_CONSTRAINTS"), "Constraint");
    }
}

/// The function from a row's index to its thunk.
fn translates(out: &mut String, section: &str, rows: usize) {
    let _ = writeln!(out, "fn {section}_translate(row: usize) -> Translate {{ match row {{");
    for i in 0..rows {
        let _ = writeln!(out, "    {i} => {section}_{i},");
    }
    let _ = writeln!(out, "    _ => unreachable!(\"there are no more rows\"),\n}} }}");
}

fn row(out: &mut String, lists: &mut Lists, line: &Line) {
    let fields = lists.fields.span(sorted(line).into_iter().map(field).collect());
    let (name, format) = (lists.text(&line.name), lists.text(&line.text));
    let needs: Vec<String> = line.needs.iter().map(|f| format!("crate::features::{}", f.to_uppercase())).collect();
    let needs = if needs.is_empty() { "0".to_owned() } else { needs.join(" | ") };
    let _ = writeln!(
        out,
        "    decode::StoredRow {{ name: {name}, line: {}, needs: {needs}, pattern: {}, fields: {fields}, format: {format} }},",
        line.number,
        pattern(lists, line),
    );
}

fn pattern(lists: &mut Lists, line: &Line) -> String {
    let constraints = lists.constraints.span(line.constraints.iter().map(|c| constraint(c, &line.fields)).collect());
    let Line { mask, value, should, preferred, .. } = line;
    format!(
        "decode::StoredPattern {{ mask: {mask:#x}, value: {value:#x}, should: {should:#x}, preferred: {preferred:#x}, \
         constraints: {constraints} }}"
    )
}

fn constraint(c: &Condition, fields: &[Named]) -> String {
    let f = |i: &usize| field(&fields[*i]);
    let text = match c {
        Condition::In(a, set) => format!("In({}, decode::Set::new(&{set:?}))", f(a)),
        Condition::NotIn(a, set) => format!("NotIn({}, decode::Set::new(&{set:?}))", f(a)),
        Condition::Below(a, n) => format!("Below({}, {n})", f(a)),
        Condition::AtLeast(a, n) => format!("AtLeast({}, {n})", f(a)),
        Condition::Same(a, b) => format!("Same({}, {})", f(a), f(b)),
        Condition::Differ(a, b) => format!("Differ({}, {})", f(a), f(b)),
    };
    format!("decode::Constraint::{text}")
}

/// The function from the names of print functions, as formats have them, to the guest's.
fn prints(out: &mut String, section: &str, rows: &[&Line]) {
    let kind = |t: &Text| match t {
        Text::Kind(_, kind) => Some(kind.clone()),
        _ => None,
    };
    let kinds: BTreeSet<String> = rows.iter().flat_map(|r| r.format.iter().filter_map(kind)).collect();
    let _ = writeln!(out, "fn {section}_prints(name: &str) -> decode::Print {{ match name {{");
    for k in kinds {
        let _ = writeln!(out, "    {k:?} => crate::print::{k},");
    }
    let _ = writeln!(out, "    _ => unreachable!(\"formats are checked at build time\"),\n}} }}");
}

/// The index's statics and the table itself.
fn lookup(out: &mut String, section: &Section, name: &str, index: &Index, lines: &[Line]) {
    let (mut roots, mut slots, mut candidates) = (String::new(), String::new(), vec![]);
    let mut slot_count = 0;
    // Equal lists are stored once.
    let mut stored: BTreeMap<&[usize], usize> = BTreeMap::new();
    for bucket in &index.buckets {
        let _ = writeln!(roots, "    decode::Root {{ bits: {:?}, first: {slot_count} }},", gathers(&bucket.bits));
        for list in &bucket.lists {
            let first = *stored.entry(list).or_insert_with(|| {
                candidates.extend_from_slice(list);
                candidates.len() - list.len()
            });
            let _ = writeln!(slots, "    decode::Slot {{ first: {first}, len: {} }},", list.len());
            slot_count += 1;
        }
    }
    let terms: Vec<String> = shifts(&index.bits).iter().map(|(s, m)| format!("(w >> {s}) as usize & {m:#x}")).collect();
    let root = if terms.is_empty() { "0".into() } else { terms.join(" | ") };
    let word = if terms.is_empty() { "_" } else { "w" };
    let (n, m) = (index.buckets.len(), candidates.len());
    let _ = writeln!(out, "fn {}_root({word}: u32) -> usize {{ {root} }}", section.name);
    let _ = writeln!(out, "static {name}_ROOTS: [decode::Root; {n}] = [\n{roots}];");
    let _ = writeln!(out, "static {name}_SLOTS: [decode::Slot; {slot_count}] = [\n{slots}];");
    let _ = writeln!(out, "static {name}_CANDIDATES: [decode::Candidate; {m}] = [");
    for &row in &candidates {
        let Line { mask, value, constraints, .. } = &lines[row];
        let constrained = !constraints.is_empty();
        let _ = writeln!(
            out,
            "    decode::Candidate {{ mask: {mask:#x}, value: {value:#x}, row: {row}, constrained: {constrained} }},"
        );
    }
    let _ = writeln!(out, "];");
    let _ = writeln!(out, "/// The section `{}`.", section.name);
    let _ = writeln!(
        out,
        "pub static {name}: decode::Table<Translate> = decode::Table {{ name: {0:?}, width: {1}, stored: &{name}_ROWS, \
         holes: &{name}_HOLES, text: {name}_TEXT, fields: &{name}_FIELDS, constraints: &{name}_CONSTRAINTS, \
         prints: {0}_prints, translate: {0}_translate, made: std::sync::OnceLock::new(), root: {0}_root, \
         roots: &{name}_ROOTS, slots: &{name}_SLOTS, candidates: &{name}_CANDIDATES }};\n",
        section.name, section.width
    );
}

/// (right shift, mask after it) that bring each run of bits to its place in the index.
fn shifts(bits: &[u8]) -> Vec<(u8, u16)> {
    let mut place = 0;
    let mut out = vec![];
    for (lsb, width) in index::runs(bits) {
        // A run's place is never above its bits: only bits below it come before it in the index.
        out.push((lsb - place, ((1u16 << width) - 1) << place));
        place += width;
    }
    out
}

fn gathers(bits: &[u8]) -> [(u8, u16); 3] {
    let mut out = [(0, 0); 3];
    for (to, from) in out.iter_mut().zip(shifts(bits)) {
        *to = from;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_one_name_need_the_same_fields() {
        let section = parse::section_of("[t width=4]\na 00nn \"\"\na 01nm \"\"").unwrap();
        assert!(rust(&[section]).unwrap_err().contains("test:3: `a` has the fields m n, but on line 2 n"));
    }

    #[test]
    fn extraction_of_a_split_field() {
        let f = Named { name: "i".into(), parts: vec![(6, 2), (0, 3)], constant: 0 };
        assert_eq!(extraction(&f), "(w & 0x7) | (w >> 6 & 0x3) << 3");
    }
}
