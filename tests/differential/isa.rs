//! What the random tests know of an instruction set: its rows, how to draw a case, how to show one.

use std::fmt::Debug;

use decode::Random;

use super::record::{Layout, Record};

/// A case: its record, and the rows that it runs.
#[derive(Debug)]
pub(crate) struct Case {
    /// Words and state.
    pub(crate) record: Record,
    /// Indices of the rows in [`Isa::rows`].
    pub(crate) rows: Vec<usize>,
}

/// A row's name, for counts and messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowName {
    /// The section of the row file.
    pub(crate) section: &'static str,
    /// The row's name.
    pub(crate) name: &'static str,
    /// Its line.
    pub(crate) line: u32,
}

/// A guest's instruction sets.
pub(crate) trait Isa: Sync + Debug {
    /// The guest's name.
    fn name(&self) -> &'static str;
    /// Bytes of RISC-V's vector registers, of which the processor is to have so many.
    fn vlenb(&self) -> usize {
        16
    }
    /// Whether cases of a row alone are drawn.
    fn takes(&self, _row: usize) -> bool {
        true
    }
    /// Its record.
    fn layout(&self) -> &'static Layout;
    /// All rows.
    fn rows(&self) -> Vec<RowName>;
    /// A case for the slot of this index: of one row, or a sequence.
    fn case(&self, row: Option<usize>, index: usize, random: &mut Random) -> Option<Case>;
    /// Its disassembly.
    fn text(&self, record: &Record, index: usize) -> String;
    /// Names of the parts that it may read, registers first.
    fn read(&self, record: &Record) -> Vec<String>;
    /// Whether the instruction at `pc` makes more than one access.
    fn accesses_twice(&self, record: &Record, pc: u64) -> bool;
    /// Whether it is a store-exclusive.
    fn stores_exclusively(&self, record: &Record, pc: u64) -> bool;
    /// Whether it is cache maintenance.
    fn maintains_cache(&self, record: &Record, pc: u64) -> bool;
    /// Names of the parts that it loads.
    fn loaded(&self, record: &Record, pc: u64) -> Vec<String>;
    /// Whether its access is one of elements that a mask chooses, and which parts stand above what a gather loads.
    fn is_masked(&self, _record: &Record, _pc: u64) -> bool {
        false
    }
    fn above(&self, _record: &Record, _pc: u64) -> Vec<String> {
        vec![]
    }
    /// Condition flags that the manual leaves open at the case's end, which is at `pc`, or 0 where nothing stopped it.
    fn open_flags(&self, _record: &Record, _pc: u64) -> u64 {
        0
    }
}
