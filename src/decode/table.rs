//! What generated code is made of, and its readers: decode, disassemble, random encodings. Knows no guest: `F` is the
//! type of the guest's translate functions.

use std::sync::OnceLock;

/// A guest's way to print a field's value.
pub type Print = fn(&At<'_>, u32) -> String;

/// A part of one of a table's lists: where it begins, and how long it is.
#[derive(Clone, Copy, Debug)]
pub struct Span(pub u32, pub u16);

impl Span {
    fn of<T>(self, list: &'static [T]) -> &'static [T] {
        &list[self.0 as usize..][..usize::from(self.1)]
    }
    fn text(self, text: &'static str) -> &'static str {
        &text[self.0 as usize..][..usize::from(self.1)]
    }
}

/// A pattern as it is generated; see [`Pattern`].
#[derive(Debug)]
pub struct StoredPattern {
    pub mask: u32,
    pub value: u32,
    pub should: u32,
    pub preferred: u32,
    pub constraints: Span,
}

/// A row as it is generated; see [`Row`].
///
/// There are thousands in a program that is a static-pie, and each pointer in them would be a relocation at its start, with a page that is no longer
/// the file's. So these are numbers alone, and a row with pointers is made for each word that is decoded.
#[derive(Debug)]
pub struct StoredRow {
    pub name: Span,
    pub line: u32,
    pub needs: u64,
    pub pattern: StoredPattern,
    pub fields: Span,
    pub format: Span,
}

/// One encoding: one line of a row file.
#[derive(Clone, Copy, Debug)]
pub struct Row<F: 'static> {
    /// The row's name; several rows may share it.
    pub name: &'static str,
    /// The section (instruction set) it is in.
    pub section: &'static str,
    /// Line in the row file, for messages.
    pub line: u32,
    /// Features that a processor must have, as bits.
    pub needs: u64,
    /// What words it matches.
    pub pattern: Pattern,
    /// Its fields, in the order of the struct.
    pub fields: &'static [Field],
    /// Its disassembly, as in the row file.
    pub format: &'static str,
    /// The guest's print functions, by name.
    pub prints: fn(&str) -> Print,
    /// Extracts the fields and calls the guest's function of this name.
    pub translate: F,
    /// Its position in the section's rows; coverage counts are indexed by it.
    pub index: usize,
}

/// A set of instruction words.
#[derive(Clone, Copy, Debug)]
pub struct Pattern {
    /// Bits that are fixed.
    pub mask: u32,
    /// Their values.
    pub value: u32,
    /// Bits that are ignored but should have the value in `preferred`.
    pub should: u32,
    /// The values of the `should` bits.
    pub preferred: u32,
    /// What else must hold.
    pub constraints: &'static [Constraint],
}

/// The longest name of a field, and the most parts that one has.
pub(crate) const NAME: usize = 8;
pub(crate) const PARTS: usize = 6;

/// A field: the concatenation of its parts, high part first, or a constant of the row.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The letter or the constant's name, then zeros.
    name: [u8; NAME],
    /// (least significant bit, width) of each part, and how many there are.
    parts: [(u8, u8); PARTS],
    count: u8,
    /// The value when there are no parts.
    pub constant: u32,
}

/// A condition on the word, written over the parts of fields.
#[derive(Clone, Copy, Debug)]
pub enum Constraint {
    /// The field is one of these.
    In(Field, Set),
    /// The field is none of these.
    NotIn(Field, Set),
    /// The field is below the number.
    Below(Field, u32),
    /// The field is at least the number.
    AtLeast(Field, u32),
    /// The two fields are equal.
    Same(Field, Field),
    /// The two fields differ.
    Differ(Field, Field),
}

/// The most numbers of a set.
const SET: usize = 16;

/// Some numbers.
#[derive(Clone, Copy, Debug)]
pub struct Set {
    values: [u32; SET],
    count: usize,
}

impl Set {
    /// A set, in generated text.
    ///
    /// # Panics
    /// If there are too many; that is an error of the build.
    pub const fn new(values: &[u32]) -> Set {
        let mut s = Set { values: [0; SET], count: values.len() };
        let mut i = 0;
        while i < values.len() {
            s.values[i] = values[i];
            i += 1;
        }
        s
    }

    fn values(&self) -> &[u32] {
        &self.values[..self.count]
    }
}

/// What a guest's print function may look at besides the field's value.
#[derive(Clone, Copy, Debug)]
pub struct At<'a> {
    /// The instruction word.
    pub bits: u32,
    /// Its address.
    pub pc: u64,
    /// The row's fields.
    pub fields: &'a [Field],
}

impl At<'_> {
    /// The value of the row's field of this name, 0 if it has none.
    pub fn field(&self, name: &str) -> u32 {
        self.fields.iter().find(|f| f.name() == name).map_or(0, |f| f.of(self.bits))
    }
}

impl Field {
    /// A field, in generated text.
    ///
    /// # Panics
    /// If its name or its list is too long; that is an error of the build.
    pub const fn new(name: &str, parts: &[(u8, u8)], constant: u32) -> Field {
        let mut f = Field { name: [0; NAME], parts: [(0, 0); PARTS], count: parts.len() as u8, constant };
        let mut i = 0;
        while i < name.len() {
            f.name[i] = name.as_bytes()[i];
            i += 1;
        }
        i = 0;
        while i < parts.len() {
            f.parts[i] = parts[i];
            i += 1;
        }
        f
    }

    /// The letter or the constant's name.
    pub fn name(&self) -> &str {
        let len = self.name.iter().position(|b| *b == 0).unwrap_or(NAME);
        std::str::from_utf8(&self.name[..len]).unwrap_or_default()
    }

    /// (least significant bit, width) of each part.
    pub fn parts(&self) -> &[(u8, u8)] {
        &self.parts[..usize::from(self.count)]
    }

    /// The field's value in an instruction word.
    pub fn of(&self, bits: u32) -> u32 {
        self.parts().iter().fold(self.constant, |v, &(lsb, width)| v << width | bits >> lsb & ones(width))
    }

    /// The word with the field set to `v`.
    pub fn put(&self, mut bits: u32, mut v: u32) -> u32 {
        for &(lsb, width) in self.parts().iter().rev() {
            bits = bits & !(ones(width) << lsb) | (v & ones(width)) << lsb;
            v = v.checked_shr(u32::from(width)).unwrap_or(0);
        }
        bits
    }
}

fn ones(width: u8) -> u32 {
    u32::MAX.checked_shr(32 - u32::from(width)).unwrap_or(0)
}

impl Constraint {
    /// Whether the word satisfies it.
    pub fn holds(&self, bits: u32) -> bool {
        match *self {
            Constraint::In(f, set) => set.values().contains(&f.of(bits)),
            Constraint::NotIn(f, set) => !set.values().contains(&f.of(bits)),
            Constraint::Below(f, n) => f.of(bits) < n,
            Constraint::AtLeast(f, n) => f.of(bits) >= n,
            Constraint::Same(f, g) => f.of(bits) == g.of(bits),
            Constraint::Differ(f, g) => f.of(bits) != g.of(bits),
        }
    }
}

impl Pattern {
    /// Whether the word is in the set.
    pub fn matches(&self, bits: u32) -> bool {
        bits & self.mask == self.value && self.constraints.iter().all(|c| c.holds(bits))
    }
}

/// One section: its rows and the index that finds them.
#[derive(Debug)]
pub struct Table<F: 'static> {
    /// The section's name.
    pub name: &'static str,
    /// Bits in an instruction word.
    pub width: u32,
    /// The rows, in the file's order.
    pub stored: &'static [StoredRow],
    /// Patterns that are not allocated though a row's pattern contains them.
    pub holes: &'static [StoredPattern],
    /// What the spans of rows and patterns are of: names and formats, fields, constraints.
    pub text: &'static str,
    pub fields: &'static [Field],
    pub constraints: &'static [Constraint],
    /// The guest's print functions, by name.
    pub prints: fn(&str) -> Print,
    /// The function that extracts a row's fields and calls the guest's, by the row's index.
    pub translate: fn(usize) -> F,
    /// All rows with what belongs to them, once they have been asked for: tests do.
    pub made: OnceLock<Vec<Row<F>>>,
    /// First level: gathers the root's index bits of a word.
    pub root: fn(u32) -> usize,
    /// What the root's index selects: a bucket.
    pub roots: &'static [Root],
    /// What a bucket's index selects: a list of candidates.
    pub slots: &'static [Slot],
    /// The candidate lists, more specific rows first.
    pub candidates: &'static [Candidate],
}

/// A row that a word may decode to; its mask and value stand here too, so that the search stays in one place of memory.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    /// The pattern's mask.
    pub mask: u32,
    /// The pattern's value.
    pub value: u32,
    /// The row's index; a number from `rows.len()` on is a hole's.
    pub row: u16,
    /// Whether the pattern has constraints.
    pub constrained: bool,
}

/// One bucket of the first level: which bits index its slots, and where they begin.
#[derive(Clone, Copy, Debug)]
pub struct Root {
    /// The bits of the second index: (right shift, mask after the shift) pairs, or-ed together.
    pub bits: [(u8, u16); 3],
    /// The first of its slots.
    pub first: u32,
}

/// A candidate list: where it begins in `candidates`, and its length.
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    /// Position of the first candidate.
    pub first: u32,
    /// How many there are.
    pub len: u16,
}

impl<F: Copy> Table<F> {
    /// The rows, in the file's order.
    pub fn rows(&self) -> &[Row<F>] {
        loop {
            if let Some(rows) = self.made.get() {
                return rows;
            }
            // Made before the cell is touched: who dies over it leaves the cell as it was.
            let rows = self.stored.iter().enumerate().map(|(index, r)| self.row(r, index)).collect();
            let _ = self.made.set(rows);
        }
    }

    fn row(&self, r: &StoredRow, index: usize) -> Row<F> {
        let StoredPattern { mask, value, should, preferred, constraints } = r.pattern;
        Row {
            name: r.name.text(self.text),
            section: self.name,
            line: r.line,
            needs: r.needs,
            pattern: Pattern { mask, value, should, preferred, constraints: constraints.of(self.constraints) },
            fields: r.fields.of(self.fields),
            format: r.format.text(self.text),
            prints: self.prints,
            translate: (self.translate)(index),
            index,
        }
    }

    /// The row that a word decodes to, `None` if it is not allocated. Bits above the section's width must be zero.
    pub fn decode(&self, bits: u32) -> Option<Row<F>> {
        let root = &self.roots[(self.root)(bits)];
        let gather = |(shift, mask): (u8, u16)| (bits >> shift) as usize & usize::from(mask);
        let index = gather(root.bits[0]) | gather(root.bits[1]) | gather(root.bits[2]);
        let slot = self.slots[root.first as usize + index];
        let list = &self.candidates[slot.first as usize..][..usize::from(slot.len)];
        let matches = |c: &&Candidate| bits & c.mask == c.value && (!c.constrained || self.holds(c, bits));
        let index = usize::from(list.iter().find(matches)?.row);
        self.stored.get(index).map(|r| self.row(r, index))
    }

    /// Whether the word satisfies the candidate's constraints.
    fn holds(&self, c: &Candidate, bits: u32) -> bool {
        let i = usize::from(c.row);
        let pattern = self.stored.get(i).map_or_else(|| &self.holes[i - self.stored.len()], |row| &row.pattern);
        pattern.constraints.of(self.constraints).iter().all(|c| c.holds(bits))
    }

    /// The instruction as text; a word that is not allocated as data.
    pub fn disassemble(&self, bits: u32, pc: u64) -> String {
        match self.decode(bits) {
            Some(row) => row.print(bits, pc),
            None => format!(".inst {bits:#0w$x}", w = self.width as usize / 4 + 2),
        }
    }

    /// A random word that decodes to this row. `None` if none was found, which means that other rows cover it.
    pub fn random(&self, row: &Row<F>, random: &mut Random) -> Option<u32> {
        let width = u32::MAX >> (32 - self.width);
        (0..10_000)
            .map(|_| row.pattern.draw(random) & width)
            .find(|&bits| row.pattern.matches(bits) && self.decode(bits).is_some_and(|found| found.index == row.index))
    }
}

impl Pattern {
    /// A random word with the fixed bits and listed values in place; other constraints may fail.
    fn draw(&self, random: &mut Random) -> u32 {
        let mut bits = random.next() as u32;
        bits = bits & !self.should | self.preferred;
        for c in self.constraints {
            match *c {
                Constraint::In(f, set) => bits = f.put(bits, set.values()[random.below(set.count)]),
                Constraint::Below(f, n) => bits = f.put(bits, random.below(n as usize) as u32),
                Constraint::Same(f, g) => bits = f.put(bits, g.of(bits)),
                _ => {}
            }
        }
        bits & !self.mask | self.value
    }
}

impl<F: Copy> Row<F> {
    /// The instruction as text.
    pub fn print(&self, bits: u32, pc: u64) -> String {
        let at = At { bits, pc, fields: self.fields };
        let mut out = String::new();
        let mut rest = self.format;
        while let Some(at_brace) = rest.find(['{', '}']) {
            out += &rest[..at_brace];
            rest = &rest[at_brace..];
            if rest.starts_with("{{") || rest.starts_with("}}") {
                out += &rest[..1];
                rest = &rest[2..];
                continue;
            }
            let end = rest.find('}').unwrap_or(rest.len() - 1);
            out += &self.piece(&rest[1..end], &at);
            rest = &rest[end + 1..];
        }
        out + rest
    }

    /// What stands in braces; `generate` has checked it.
    fn piece(&self, text: &str, at: &At) -> String {
        if let Some((name, texts)) = text.split_once('?') {
            return choose(texts, at.field(name)).into();
        }
        match text.split_once(':') {
            None => at.field(text).to_string(),
            Some((name, "#")) => format!("{:#x}", at.field(name)),
            Some((name, kind)) => (self.prints)(kind)(at, at.field(name)),
        }
    }
}

/// One text: if the value is not zero. Several: the one of the value's number.
fn choose(texts: &str, value: u32) -> &str {
    match texts.contains('|') {
        false => value.checked_sub(1).map_or("", |_| texts),
        true => texts.split('|').nth(value as usize).unwrap_or("?"),
    }
}

/// A small generator of random numbers (splitmix64): the same seed gives the same words on every machine.
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    /// The next 64 bits.
    #[expect(clippy::should_implement_trait, reason = "an endless sequence needs no Option")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// A number below `n`, which is not zero.
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // [t width=8]
    // narrow     01 nn nn-+   "narrow {n:x}"
    // wide       0s nnnnnn    "wide{s?s} {n}"   ?n!=5|6
    // undefined  00 111111
    const S: Field = Field::new("s", &[(6, 1)], 0);
    const N: Field = Field::new("n", &[(0, 6)], 0);
    const M: Field = Field::new("n", &[(2, 4)], 0);
    static ROWS: [StoredRow; 2] = [
        StoredRow {
            name: Span(0, 6),
            line: 2,
            needs: 0,
            pattern: StoredPattern { mask: 0xc0, value: 0x40, should: 3, preferred: 1, constraints: Span(0, 0) },
            fields: Span(0, 1),
            format: Span(0, 12),
        },
        StoredRow {
            name: Span(12, 4),
            line: 3,
            needs: 0,
            pattern: StoredPattern { mask: 0x80, value: 0, should: 0, preferred: 0, constraints: Span(0, 1) },
            fields: Span(1, 2),
            format: Span(12, 13),
        },
    ];
    const NARROW: Candidate = Candidate { mask: 0xc0, value: 0x40, row: 0, constrained: false };
    const WIDE: Candidate = Candidate { mask: 0x80, value: 0, row: 1, constrained: true };
    const HOLE: Candidate = Candidate { mask: 0xff, value: 0x3f, row: 2, constrained: false };
    static TABLE: Table<()> = Table {
        name: "t",
        width: 8,
        stored: &ROWS,
        holes: &[StoredPattern { mask: 0xff, value: 0x3f, should: 0, preferred: 0, constraints: Span(0, 0) }],
        text: "narrow {n:#}wide{s?s} {n}",
        fields: &[M, N, S],
        constraints: &[Constraint::NotIn(N, Set::new(&[5, 6]))],
        prints: |_| unreachable!("no print functions"),
        translate: |_| (),
        made: OnceLock::new(),
        root: |w| w as usize >> 6 & 1,
        roots: &[Root { bits: [(0, 0); 3], first: 0 }, Root { bits: [(0, 0); 3], first: 1 }],
        slots: &[Slot { first: 0, len: 2 }, Slot { first: 2, len: 2 }],
        candidates: &[HOLE, WIDE, NARROW, WIDE],
    };

    #[test]
    fn random_words_decode_to_their_row() {
        let mut random = Random(1);
        for row in TABLE.rows() {
            for _ in 0..100 {
                let bits = TABLE.random(row, &mut random).unwrap();
                assert_eq!(TABLE.decode(bits).unwrap().index, row.index);
                assert_eq!(bits & row.pattern.should, row.pattern.preferred);
            }
        }
    }

    #[test]
    fn holes_and_constraints_leave_words_unallocated() {
        let decoded = |bits| TABLE.decode(bits).map(|r| r.name);
        assert_eq!(decoded(0x3f), None);
        assert_eq!(decoded(5), None);
        assert_eq!(decoded(7), Some("wide"));
        assert_eq!(decoded(0x45), Some("narrow"));
    }

    #[test]
    fn print() {
        assert_eq!(TABLE.disassemble(0x07, 0), "wide 7");
        assert_eq!(TABLE.disassemble(0x7d, 0), "narrow 0xf");
        assert_eq!(TABLE.disassemble(0x3f, 0), ".inst 0x3f");
    }

    #[test]
    fn split_fields_are_put_where_they_were_taken() {
        let f = Field::new("i", &[(6, 2), (0, 3)], 0);
        for v in 0..32 {
            assert_eq!(f.of(f.put(0xff, v)), v);
        }
    }
}
