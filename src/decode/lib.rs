//! Instruction tables: rows of fixed bits and fields, one line per encoding, with several readers.
//!
//! At build time a guest's `build.rs` calls [`generate`], which reads the guest's `*.decode` files and writes Rust: one
//! struct per row name, one thunk per row, and one [`Table`] per section. At run time the table is the decoder
//! ([`Table::decode`]), the disassembler ([`Table::disassemble`]), the source of random encodings ([`Table::random`]) and
//! the list that coverage is counted against ([`Table::rows`]).
//!
//! It is not for encodings that are not bit patterns (x86's prefixes and ModRM have a row form of their own).
//!
//! # The row file
//!
//! ```text
//! [a64 width=32]
//! # a comment, usually the manual's section
//! add_imm   f 0 s 100010 h iiiiiiiiiiii nnnnn ddddd   "add{s?s} {d:rsp}, {n:rsp}, #{i}"   ?h=0 k=1
//! ```
//!
//! * `[name width=N]` opens a section (or goes on with one of the same name), N up to 32 bits.
//! * A row's name is that of the guest's function `fn(&mut Cx, AddImm)`. Rows may share a name when they have the same
//!   fields: they share the struct and the function. The name `undefined` makes a hole: what it matches is not allocated.
//! * The pattern has exactly N positions, most significant first, spaces free: `0` `1` fixed; a letter is a field (a letter
//!   that occurs in separate runs is their concatenation, high part first); `.` is ignored; `-` and `+` are ignored too but
//!   should be zero or one (random encodings have them so).
//! * The format is for reading. `{d}` prints a field in decimal, `{d:#}` in hexadecimal, `{d:rsp}` through the guest's
//!   `crate::print::rsp: fn(&At, u32) -> String`, `{:mem}` likewise without a field; `{s?text}` prints the text when the
//!   field is not zero, `{z?b|h|w|x}` the alternative that the field selects. `{{` and `}}` are braces.
//! * Constraints: `?f=3` `?f!=1|31` `?f<12` `?f>=4` `?f=g` `?f!=g`; all must hold.
//! * `k=1` gives the struct a field that is constant in this row.
//! * `@f @g` names features that a processor must have: the guest's constants `crate::features::F` and `G`, bits of
//!   [`Row::needs`]. `[name width=N @f]` is for all rows of the section that name none; `@none` stands for none.
//!
//! Where rows overlap, the one that matches a strict subset of the other wins, and a hole wins over all; any other overlap is
//! a build error.

mod emit;
mod index;
mod overlap;
mod parse;
mod table;

pub use emit::generate;
pub use table::{
    At, Candidate, Constraint, Field, Pattern, Print, Random, Root, Row, Set, Slot, Span, StoredPattern, StoredRow,
    Table,
};
