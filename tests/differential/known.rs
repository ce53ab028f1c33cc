//! What is not compared, and why: rows whose result the manual leaves to the implementation or that no test program may run, and
//! differences that are the reference's mistakes.

use super::isa::{Case, Isa};

/// Whether a row takes part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Left {
    /// It does.
    In,
    /// It does not, for the reason.
    Out(&'static str),
}

const CODE: &str = "pointer authentication: the algorithm is implementation defined (FEAT_PACIMP), keys are drawn at exec";

/// (section, row, reason) of rows that are left out.
#[rustfmt::skip]
const ROWS: &[(&str, &str, &str)] = &[
    ("a64", "pac1716", CODE), ("a64", "aut1716", CODE), ("a64", "paciz", CODE), ("a64", "pacisp", CODE), ("a64", "autiz", CODE),
    ("a64", "autisp", CODE), ("a64", "paci", CODE), ("a64", "pacd", CODE), ("a64", "auti", CODE), ("a64", "autd", CODE),
    ("a64", "pacga", CODE), ("a64", "ldra", CODE), ("a64", "bra", CODE), ("a64", "braz", CODE), ("a64", "blra", CODE),
    ("a64", "blraz", CODE), ("a64", "reta", CODE),
    ("a64", "dc_zva", "DCZID_EL0's block size is an implementation's choice; tests/insn has its cases"),
];

/// Whether a row takes part.
pub fn left_out(section: &str, name: &str) -> Left {
    ROWS.iter().find(|r| r.0 == section && r.1 == name).map_or(Left::In, |r| Left::Out(r.2))
}

/// Why a word of a row is not run, if so.
pub fn encoding(section: &str, name: &str, word: u32) -> Option<&'static str> {
    match (section, name) {
        // The reference answers HLT #0xf000 as a semihosting call.
        ("a64", "hlt") if word >> 5 & 0xffff == 0xf000 => Some("semihosting"),
        // ID registers say what each has; counters and random numbers differ from call to call.
        ("a64", "mrs") if word >> 16 & 7 == 0 && word >> 12 & 15 == 0 => Some("an ID register"),
        ("a64", "mrs") if word >> 16 & 7 == 3 && [0, 2, 14].contains(&(word >> 12 & 15)) => Some("a counter, an ID, a random number"),
        _ => None,
    }
}

/// Makes alike what may differ between two records of a case: `want` is the reference's.
pub fn level(isa: &dyn Isa, _case: &Case, want: &mut [u8], have: &mut [u8]) {
    let layout = isa.layout();
    let signal = super::record::number(&want[layout.signal..layout.signal + 4]);
    let mut mask = |name: &str, bits: u64| {
        let part = layout.part(name);
        for (i, bit) in bits.to_le_bytes().iter().enumerate().take(part.size) {
            want[part.at + i] &= bit;
            have[part.at + i] &= bit;
        }
    };
    match isa.name() {
        // CPSR as APSR without a signal: N, Z, C, V, Q, GE.
        "arm" if signal == 0 => mask("cpsr", 0xf80f_0000),
        // With one: E, IT, T and the mode too; A, I, F and J are the kernel's.
        "arm" => mask("cpsr", 0xfe0f_fe3f),
        _ => {}
    }
}
