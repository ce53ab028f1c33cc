//! An encoder for x86-64 that is run for every translated instruction: registers are run-time values, each call appends the shortest
//! encoding of one instruction to a byte buffer.
//!
//! [`Asm`] holds the buffer, labels and references; `int` has the integer instructions, `vec` the vector ones as rows of [`vop`].
//! It does not choose instructions, allocate registers or know where the code will run: references to absolute addresses are listed and
//! filled in by [`Asm::relocate`].

#![forbid(unsafe_code)]

mod int;
mod operand;
mod vec;
pub mod vop;
mod x87;

pub use int::{Alu, Bit, Shift, Unary};
pub use operand::{Cc, K, Mem, Operand, Place, Reg, RegMem, Rip, Rm, Size, Xm, Xmm, XmmMem};
pub use vec::{L, L128, L256, L512, Rounding};

/// A place in the code, bound to an offset before or after it is referred to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Label(u32);

/// A 32-bit field that refers to an absolute address relative to the end of its instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ExternRef {
    /// Offset of the field in the buffer.
    pub at: u32,
    /// Bytes of the instruction behind the field.
    pub tail: u8,
    /// The address referred to.
    pub target: u64,
}

/// Why code cannot be placed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RelocateError {
    /// The label is referred to and was never bound.
    Unbound(Label),
    /// The field at this offset cannot reach its target.
    OutOfRange { at: u32 },
}

/// A reference to a label that was not bound yet.
#[derive(Clone, Copy, Debug)]
struct Fix {
    at: u32,
    label: Label,
    /// What to add to label - at: the addend, less the distance from the field to the end of the instruction.
    add: i32,
    short: bool,
}

const UNBOUND: u32 = u32::MAX;

/// The buffer being written, its labels and references.
#[derive(Default, Debug)]
pub struct Asm {
    /// The code so far. Bytes may be appended to it directly (data, jump tables).
    pub buf: Vec<u8>,
    /// References to absolute addresses, in code order.
    pub externs: Vec<ExternRef>,
    /// Two of xmm0 to xmm15 through which instructions without an EVEX form take operands in xmm16 to xmm31. Whoever uses those sets them.
    pub staging: Option<[Xmm; 2]>,
    labels: Vec<u32>,
    fixes: Vec<Fix>,
}

impl Asm {
    /// An empty buffer.
    pub fn new() -> Asm {
        Asm::default()
    }

    /// Forgets everything and keeps the allocations.
    pub fn clear(&mut self) {
        self.buf.clear();
        self.externs.clear();
        self.labels.clear();
        self.fixes.clear();
    }

    /// The offset of the next instruction.
    #[inline]
    pub fn here(&self) -> u32 {
        self.buf.len() as u32
    }

    /// A new label, not bound.
    #[inline]
    pub fn label(&mut self) -> Label {
        self.labels.push(UNBOUND);
        Label(self.labels.len() as u32 - 1)
    }

    /// A new label, bound here.
    #[inline]
    pub fn label_here(&mut self) -> Label {
        self.labels.push(self.buf.len() as u32);
        Label(self.labels.len() as u32 - 1)
    }

    /// Binds `label` here. References to it are filled in by [`Asm::link`].
    #[inline]
    pub fn bind(&mut self, label: Label) {
        debug_assert_eq!(self.labels[label.0 as usize], UNBOUND, "label bound twice");
        self.labels[label.0 as usize] = self.buf.len() as u32;
    }

    /// The offset `label` is bound to.
    #[inline]
    pub fn offset_of(&self, label: Label) -> Option<u32> {
        Some(self.labels[label.0 as usize]).filter(|&o| o != UNBOUND)
    }

    /// The 32-bit fields that refer to labels, those that [`Asm::link`] has still to fill in.
    pub fn references(&self) -> impl Iterator<Item = (u32, Label)> {
        self.fixes.iter().filter(|f| !f.short).map(|f| (f.at, f.label))
    }

    /// Fills in the references to labels. Nothing is lost if it fails: bind the label and call again.
    pub fn link(&mut self) -> Result<(), RelocateError> {
        while let Some(&fix) = self.fixes.last() {
            let target = self.offset_of(fix.label).ok_or(RelocateError::Unbound(fix.label))?;
            let rel = (target as i32 - fix.at as i32).wrapping_add(fix.add);
            let at = fix.at as usize;
            if fix.short {
                let rel = i8::try_from(rel).map_err(|_| RelocateError::OutOfRange { at: fix.at })?;
                self.buf[at] = rel as u8;
            } else {
                self.buf[at..at + 4].copy_from_slice(&rel.to_le_bytes());
            }
            self.fixes.pop();
        }
        Ok(())
    }

    /// Fills in all references for code that will run at address `base`. May be called again for another base.
    pub fn relocate(&mut self, base: u64) -> Result<(), RelocateError> {
        self.link()?;
        for e in &self.externs {
            let end = base.wrapping_add(u64::from(e.at) + 4 + u64::from(e.tail));
            let rel = e.target.wrapping_sub(end) as i64;
            let rel = i32::try_from(rel).map_err(|_| RelocateError::OutOfRange { at: e.at })?;
            let at = e.at as usize;
            self.buf[at..at + 4].copy_from_slice(&rel.to_le_bytes());
        }
        Ok(())
    }

    /// Appends a word: how far `label` is from `table`, which is bound.
    pub fn distance(&mut self, label: Label, table: Label) {
        self.buf.extend_from_slice(&[0; 4]);
        let from = self.offset_of(table).expect("the table begins before its words");
        self.refer(label, 0, (self.here() - from) as i32);
    }

    /// Makes the 32-bit field just written, with `tail` bytes behind it, refer to `label` + `add`.
    fn refer(&mut self, label: Label, tail: u32, add: i32) {
        let at = self.buf.len() as u32 - tail - 4;
        let add = add.wrapping_sub(tail as i32 + 4);
        match self.offset_of(label) {
            None => self.fixes.push(Fix { at, label, add, short: false }),
            Some(o) => {
                let rel = (o as i32 - at as i32).wrapping_add(add);
                self.buf[at as usize..at as usize + 4].copy_from_slice(&rel.to_le_bytes());
            }
        }
    }

    /// Makes the 32-bit field just written, with `tail` bytes behind it, refer to `target`.
    fn refer_extern(&mut self, target: u64, tail: u32) {
        let at = self.buf.len() as u32 - tail - 4;
        self.externs.push(ExternRef { at, tail: tail as u8, target });
    }

    /// Makes the 8-bit field just written refer to `label`.
    fn refer_short(&mut self, label: Label) {
        let at = self.buf.len() as u32 - 1;
        self.fixes.push(Fix { at, label, add: -1, short: true });
    }

    /// Appends an instruction: prefixes to SIB, then `n` bytes of displacement and immediate.
    #[inline(always)]
    fn put(&mut self, head: Head, tail: u64, n: u32) {
        // One 16-byte store and a shorter length: cheaper than a capacity check for each byte.
        let low = head.bits | tail << head.n;
        let high = tail >> 8 >> (56 - head.n);
        let end = self.buf.len() + ((head.n >> 3) + n) as usize;
        let [low, high] = [low, high].map(u64::to_le_bytes);
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&low);
        bytes[8..].copy_from_slice(&high);
        self.buf.extend_from_slice(&bytes);
        self.buf.truncate(end);
    }

    #[inline(always)]
    fn segment(&mut self, m: &Mem) {
        if m.seg != 0 {
            self.buf.push(m.seg);
        }
    }
}

/// The bytes of an instruction up to its SIB byte: one to seven. Prefixes that would make more are appended ahead of it.
#[derive(Clone, Copy)]
struct Head {
    bits: u64,
    /// How many.
    n: u32,
}

impl Head {
    const EMPTY: Head = Head { bits: 0, n: 0 };

    #[inline(always)]
    fn byte(self, b: u8) -> Head {
        self.bits(b.into(), 8)
    }

    #[inline(always)]
    fn byte_if(self, wanted: bool, b: u8) -> Head {
        let (b, n) = if wanted { (b, 8) } else { (0, 0) };
        self.bits(b.into(), n)
    }

    /// Appends `n` bits.
    #[inline(always)]
    fn bits(self, b: u32, n: u32) -> Head {
        Head { bits: self.bits | u64::from(b) << self.n, n: self.n + n }
    }
}

/// A memory operand encoded: ModRM (its reg field zero), SIB, displacement.
#[derive(Clone, Copy)]
struct Addr {
    /// ModRM, then SIB.
    bytes: u16,
    /// 1, or 2 with SIB.
    n: u32,
    /// The high bits of index and base.
    x: u8,
    b: u8,
    disp: u32,
    disp_len: u32,
}

const MOD_DISP8: u8 = 0x40;
const MOD_DISP32: u8 = 0x80;
/// rm: a SIB byte follows. Index: none.
const SIB: u8 = 4;
/// rm with mod 0: rip-relative. Base with mod 0: none, a 32-bit displacement follows.
const NONE: u8 = 5;

impl Addr {
    /// Encodes `m`; an 8-bit displacement counts units of `1 << unit` bytes (EVEX), 0 elsewhere.
    #[inline(always)]
    fn new(m: &Mem, unit: u32) -> Addr {
        if m.rip.is_some() {
            return Addr { bytes: NONE.into(), n: 1, x: 0, b: 0, disp: 0, disp_len: 4 };
        }
        match (m.base, m.index) {
            (Some(Reg(base)), None) => Addr::base(base, m.disp, unit),
            (Some(base), Some((index, scale))) => Addr::sib(base, index, scale, m.disp, unit),
            // Without a base the displacement has four bytes: make the index the base where that is possible.
            (None, Some((Reg(index), 0))) => Addr::base(index, m.disp, unit),
            (None, Some((index, 1))) => Addr::sib(index, index, 0, m.disp, unit),
            (None, Some((Reg(index), scale))) => {
                debug_assert!(index != 4, "rsp as scaled index");
                Addr::no_base(scale << 6 | (index & 7) << 3 | NONE, index >> 3, m.disp)
            }
            (None, None) => Addr::no_base(SIB << 3 | NONE, 0, m.disp),
        }
    }

    fn no_base(sib: u8, x: u8, disp: i32) -> Addr {
        Addr { bytes: u16::from_le_bytes([SIB, sib]), n: 2, x, b: 0, disp: disp as u32, disp_len: 4 }
    }

    #[inline(always)]
    fn base(base: u8, disp: i32, unit: u32) -> Addr {
        let (mode, disp, disp_len) = Addr::disp(base, disp, unit);
        let b = base >> 3;
        if base & 7 == SIB {
            let sib = SIB << 3 | SIB;
            return Addr { bytes: u16::from_le_bytes([mode | SIB, sib]), n: 2, x: 0, b, disp, disp_len };
        }
        Addr { bytes: u16::from(mode | base & 7), n: 1, x: 0, b, disp, disp_len }
    }

    #[inline(always)]
    fn sib(Reg(base): Reg, Reg(index): Reg, scale: u8, disp: i32, unit: u32) -> Addr {
        // rsp cannot be an index, rbp and r13 as a base need a displacement.
        let swap = scale == 0 && (index == 4 || disp == 0 && base & 7 == NONE && index & 7 != NONE);
        let (base, index) = if swap { (index, base) } else { (base, index) };
        debug_assert!(index != 4 && scale < 4, "rsp as scaled index");
        let (mode, disp, disp_len) = Addr::disp(base, disp, unit);
        let sib = scale << 6 | (index & 7) << 3 | base & 7;
        Addr { bytes: u16::from_le_bytes([mode | SIB, sib]), n: 2, x: index >> 3, b: base >> 3, disp, disp_len }
    }

    /// The mod field, the displacement as encoded, its length.
    #[inline(always)]
    fn disp(base: u8, disp: i32, unit: u32) -> (u8, u32, u32) {
        let units = disp >> unit;
        if disp == 0 && base & 7 != NONE {
            (0, 0, 0)
        } else if units << unit == disp && units == i32::from(units as i8) {
            (MOD_DISP8, u32::from(units as u8), 1)
        } else {
            (MOD_DISP32, disp as u32, 4)
        }
    }

    /// The displacement followed by `imm_len` bytes of `imm`.
    #[inline(always)]
    fn tail(&self, imm: u32, imm_len: u32) -> (u64, u32) {
        (u64::from(self.disp) | u64::from(imm) << (8 * self.disp_len), self.disp_len + imm_len)
    }

    /// ModRM with `reg` in its reg field, then SIB.
    #[inline(always)]
    fn with_reg(&self, reg: u8) -> u32 {
        u32::from(self.bytes) | u32::from(reg & 7) << 3
    }
}

/// Lists the reference of a rip-relative operand just written.
fn refer_rip(asm: &mut Asm, m: &Mem, imm_len: u32) {
    match m.rip {
        Some(Rip::Label(label)) => asm.refer(label, imm_len, m.disp),
        Some(Rip::Extern(target)) => asm.refer_extern(target.wrapping_add_signed(m.disp.into()), imm_len),
        None => {}
    }
}

#[cfg(test)]
mod tests;
