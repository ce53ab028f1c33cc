//! What differs between the reference's record and another's, as text.

use std::fmt::Write as _;

use super::isa::{Case, Isa};
use super::known;
use super::record::{Part, text};

/// Parts that differ where that counts.
pub(crate) fn differing<'a>(isa: &'a dyn Isa, case: &Case, reference: &[u8], got: &[u8]) -> Vec<&'a Part> {
    if reference == got {
        return vec![];
    }
    let layout = isa.layout();
    let (mut want, mut have) = (reference.to_vec(), got.to_vec());
    known::level(isa, case, &mut want, &mut have);
    layout.parts.iter().filter(|p| want[p.at..p.at + p.size] != have[p.at..p.at + p.size]).collect()
}

/// One line: the words, what they read, what the reference left, what the others left.
pub(crate) fn line(
    isa: &dyn Isa,
    case: &Case,
    index: usize,
    parts: &[&Part],
    reference: &[u8],
    got: &[(&str, &[u8])],
) -> String {
    let mut out = isa.text(&case.record, index);
    out += " |";
    let layout = isa.layout();
    let read = isa.read(&case.record);
    for part in layout
        .parts
        .iter()
        .filter(|p| read.contains(&p.name) || ["nzcv", "cpsr", "fpcr", "fpsr", "fpscr", "fcsr"].contains(&&*p.name))
    {
        if case.record.value(part) != 0 {
            let _ = write!(out, " {}", text(part, &case.record.0, &case.record.0));
        }
    }
    out += " | expected";
    for p in parts {
        let _ = write!(out, " {}", text(p, reference, &case.record.0));
    }
    for (who, bytes) in got {
        let _ = write!(out, " | {who}");
        for p in parts {
            let _ = write!(out, " {}", text(p, bytes, &case.record.0));
        }
    }
    out
}
