//! The record of a case: its words, the state before it; after it, the state it left. `runner.h` has the same layout.
//!
//! Not here: what is put into a record (`aarch64.rs`, `arm.rs`), and which differences count (`known.rs`).

use std::fmt::Write as _;

/// Where the slots of a batch's cases are.
pub(crate) const CODE: u64 = 0x3000_0000;
/// Cases of a batch.
pub(crate) const SLOTS: usize = 4096;
/// Bytes of a slot.
pub(crate) const SLOT: u64 = 64;
/// The page that cases may write to; the one after it faults.
pub(crate) const SCRATCH: u64 = 0x3005_0000;
/// A page's size.
pub(crate) const PAGE: u64 = 4096;
/// The end of the scratch page, which is loaded before a case and stored after it.
pub(crate) const WINDOW: u64 = SCRATCH + PAGE - WINDOW_SIZE;
/// Bytes of it.
pub(crate) const WINDOW_SIZE: u64 = 256;
/// Words that a slot has room for, and where a record says how many there are.
pub(crate) const WORDS: usize = 14;
const COUNT_AT: usize = 60;

/// A part of a record that is compared.
#[derive(Debug)]
pub(crate) struct Part {
    /// As in a debugger.
    pub(crate) name: String,
    /// Its place in the record.
    pub(crate) at: usize,
    /// Its bytes.
    pub(crate) size: usize,
}

/// A guest's record.
#[derive(Debug)]
pub(crate) struct Layout {
    /// Bytes of a record.
    pub(crate) size: usize,
    /// The parts after the words.
    pub(crate) parts: Vec<Part>,
}

impl Layout {
    /// A64's.
    pub(crate) fn aarch64() -> Layout {
        let mut parts = vec![];
        let mut part = |name: &str, at, size| parts.push(Part { name: name.into(), at, size });
        (0..31).for_each(|n| part(&format!("x{n}"), 64 + 8 * n, 8));
        let named = [("sp", 312, 8), ("nzcv", 320, 8), ("fpcr", 328, 8), ("fpsr", 336, 8), ("pc", 344, 8)];
        named.iter().for_each(|&(name, at, size)| part(name, at, size));
        [("signal", 352, 4), ("code", 356, 4), ("addr", 360, 8)]
            .iter()
            .for_each(|&(name, at, size)| part(name, at, size));
        (0..32).for_each(|n| part(&format!("v{n}"), 368 + 16 * n, 16));
        part("memory", 880, 256);
        Layout { size: 1136, parts }
    }

    /// A32's and T32's.
    pub(crate) fn arm() -> Layout {
        let mut parts = vec![];
        let mut part = |name: &str, at, size| parts.push(Part { name: name.into(), at, size });
        (0..15).for_each(|n| part(&format!("r{n}"), 64 + 4 * n, 4));
        let named = ["cpsr", "fpscr", "pc", "signal", "code", "addr"];
        named.iter().enumerate().for_each(|(i, name)| part(name, 124 + 4 * i, 4));
        (0..16).for_each(|n| part(&format!("q{n}"), 160 + 16 * n, 16));
        part("memory", 416, 256);
        Layout { size: 672, parts }
    }

    /// RISC-V's, with vector registers of so many bytes at the end: their further parts of 16 are named v0.1 and so on. RV32 has each
    /// register in the low half of its place.
    pub(crate) fn riscv(vlenb: usize) -> Layout {
        let mut parts = vec![];
        let mut part = |name: &str, at, size| parts.push(Part { name: name.into(), at, size });
        (1..32).for_each(|n| part(&format!("x{n}"), 64 + 8 * n, 8));
        let named = [("fcsr", 320, 8), ("pc", 328, 8), ("signal", 336, 4), ("code", 340, 4), ("addr", 344, 8)];
        named.iter().for_each(|&(name, at, size)| part(name, at, size));
        (0..32).for_each(|n| part(&format!("f{n}"), 352 + 8 * n, 8));
        let vector = ["vstart", "vcsr", "vl", "vtype"];
        vector.iter().enumerate().for_each(|(i, name)| part(name, 608 + 8 * i, 8));
        part("memory", 640, 256);
        for n in 0..2 * vlenb {
            let (register, piece) = (n / (vlenb / 16), n % (vlenb / 16));
            let piece = if piece == 0 { String::new() } else { format!(".{piece}") };
            part(&format!("v{register}{piece}"), 896 + 16 * n, 16);
        }
        Layout { size: 896 + 32 * vlenb, parts }
    }

    /// That of x86 with 8 or 16 registers of each kind.
    pub(crate) fn x86(registers: usize) -> Layout {
        let mut parts = vec![];
        let mut part = |name: &str, at, size| parts.push(Part { name: name.into(), at, size });
        let names = [
            "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
            "r15",
        ];
        (0..registers).for_each(|n| part(names[n], 64 + 8 * n, 8));
        [("rflags", 192, 8), ("mxcsr", 200, 8), ("pc", 208, 8), ("signal", 216, 4), ("code", 220, 4), ("addr", 224, 8)]
            .iter()
            .for_each(|&(name, at, size)| part(name, at, size));
        (0..registers).for_each(|n| part(&format!("xmm{n}"), 240 + 16 * n, 16));
        (0..registers).for_each(|n| part(&format!("ymm{n}"), 496 + 16 * n, 16));
        part("memory", 752, 256);
        if registers == 8 {
            return Layout { size: 1008, parts };
        }
        (0..8).for_each(|n| part(&format!("k{n}"), OPMASK_AT + 8 * n, 8));
        for n in 0..32 {
            let first = if n < 16 { 2 } else { 0 };
            (first..4).for_each(|p| part(&format!("zmm{n}_{p}"), zmm_at(n, p), 16));
        }
        Layout { size: 2608, parts }
    }

    /// The part of this name.
    ///
    /// # Panics
    /// If there is none.
    pub(crate) fn part(&self, name: &str) -> &Part {
        self.parts.iter().find(|p| p.name == name).unwrap_or_else(|| panic!("no part {name}"))
    }
}

/// Where x86-64's opmask registers stand, and sixteen bytes of a ZMM register: the upper half of the first 16, all of the others.
pub(crate) const OPMASK_AT: usize = 1008;
pub(crate) const fn zmm_at(n: usize, part: usize) -> usize {
    match (n, part) {
        (0..16, 0) => 240 + 16 * n,
        (0..16, 1) => 496 + 16 * n,
        (0..16, _) => 1072 + 32 * n + 16 * (part - 2),
        _ => 1584 + 64 * (n - 16) + 16 * part,
    }
}

/// A record's bytes.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Record(pub Vec<u8>);

impl Record {
    /// Up to 16 bytes as a number.
    pub(crate) fn get(&self, at: usize, size: usize) -> u128 {
        number(&self.0[at..at + size])
    }

    /// Sets up to 16 bytes.
    pub(crate) fn set(&mut self, at: usize, size: usize, v: u128) {
        self.0[at..at + size].copy_from_slice(&v.to_le_bytes()[..size]);
    }

    /// A part of up to 16 bytes.
    pub(crate) fn value(&self, part: &Part) -> u128 {
        self.get(part.at, part.size)
    }

    /// Puts the case's words in.
    pub(crate) fn set_words(&mut self, words: &[u32]) {
        assert!(words.len() <= WORDS, "too many words");
        self.set(COUNT_AT, 4, words.len() as u128);
        words.iter().enumerate().for_each(|(i, &w)| self.set(4 * i, 4, w.into()));
    }

    /// The case's words.
    pub(crate) fn words(&self) -> Vec<u32> {
        (0..self.get(COUNT_AT, 4) as usize).map(|i| self.get(4 * i, 4) as u32).collect()
    }
}

/// Bytes as a little-endian number.
pub(crate) fn number(bytes: &[u8]) -> u128 {
    bytes.iter().rev().fold(0, |v, &b| v << 8 | u128::from(b))
}

/// A part's value as text; memory as where it differs from `from`, by bytes.
pub(crate) fn text(part: &Part, record: &[u8], from: &[u8]) -> String {
    let bytes = &record[part.at..part.at + part.size];
    if part.size <= 16 {
        return format!("{}={:x}", part.name, number(bytes));
    }
    let old = &from[part.at..part.at + part.size];
    let mut out = String::new();
    let mut at = 0;
    while let Some(start) = (at..bytes.len()).find(|&i| bytes[i] != old[i]) {
        let end = (start..bytes.len()).find(|&i| bytes[i] == old[i]).unwrap_or(bytes.len());
        let hex: String = bytes[start..end].iter().map(|b| format!("{b:02x}")).collect();
        let _ = write!(out, "{}[{:x}]={hex}", if out.is_empty() { "" } else { " " }, WINDOW + start as u64);
        at = end;
    }
    if out.is_empty() { "[]".into() } else { out }
}
