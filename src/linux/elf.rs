//! ELF headers, of both classes and byte orders, from bytes that may be anything. What is wrong is said in words.
//! Where segments go is `loader.rs`'s business.

/// The parts of an ELF header that a loader needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// 32 or 64.
    pub class: u8,
    pub big_endian: bool,
    /// ET_EXEC or ET_DYN.
    pub kind: u16,
    pub machine: u16,
    pub entry: u64,
    pub phoff: u64,
    pub flags: u32,
    pub phentsize: u16,
    pub phnum: u16,
}

/// A program header.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Segment {
    pub kind: u32,
    pub flags: u32,
    pub offset: u64,
    pub vaddr: u64,
    pub filesz: u64,
    pub memsz: u64,
    pub align: u64,
}

pub const ET_EXEC: u16 = 2;
pub const ET_DYN: u16 = 3;
pub const PT_LOAD: u32 = 1;
pub const PT_DYNAMIC: u32 = 2;
pub const PT_INTERP: u32 = 3;
pub const PT_PHDR: u32 = 6;
pub const PT_GNU_STACK: u32 = 0x6474_e551;
pub const PT_GNU_PROPERTY: u32 = 0x6474_e553;
pub const PF_X: u32 = 1;
pub const PF_W: u32 = 2;
pub const PF_R: u32 = 4;
/// The longest header.
pub const HEADER_SIZE: usize = 64;

/// Reads fields in the file's byte order.
struct Fields<'a> {
    bytes: &'a [u8],
    big: bool,
}

impl Fields<'_> {
    fn number(&self, at: usize, len: usize) -> Option<u64> {
        let bytes = self.bytes.get(at..at.checked_add(len)?)?;
        let fold = |v: u64, b: &u8| v << 8 | u64::from(*b);
        Some(if self.big { bytes.iter().fold(0, fold) } else { bytes.iter().rev().fold(0, fold) })
    }
    fn u16(&self, at: usize) -> Option<u16> {
        self.number(at, 2).map(|v| v as u16)
    }
    fn u32(&self, at: usize) -> Option<u32> {
        self.number(at, 4).map(|v| v as u32)
    }
    /// A field that is as wide as the class.
    fn word(&self, class: u8, at: (usize, usize)) -> Option<u64> {
        if class == 32 { self.number(at.0, 4) } else { self.number(at.1, 8) }
    }
}

/// Reads the header at the start of `bytes`.
pub fn header(bytes: &[u8]) -> Result<Header, &'static str> {
    if !bytes.starts_with(b"\x7fELF") {
        return Err("not an ELF file");
    }
    let (class, size) = match bytes.get(4) {
        Some(1) => (32, 52),
        Some(2) => (64, 64),
        _ => return Err("an ELF file of unknown class"),
    };
    let big = match bytes.get(5) {
        Some(1) => false,
        Some(2) => true,
        _ => return Err("an ELF file of unknown byte order"),
    };
    if bytes.len() < size {
        return Err("a truncated ELF header");
    }
    let f = Fields { bytes, big };
    let read = || {
        Some(Header {
            class,
            big_endian: big,
            kind: f.u16(16)?,
            machine: f.u16(18)?,
            entry: f.word(class, (24, 24))?,
            phoff: f.word(class, (28, 32))?,
            flags: f.u32(if class == 32 { 36 } else { 48 })?,
            phentsize: f.u16(if class == 32 { 42 } else { 54 })?,
            phnum: f.u16(if class == 32 { 44 } else { 56 })?,
        })
    };
    read().ok_or("a truncated ELF header")
}

/// Section types with symbols, and a symbol's types that are code.
const SHT_SYMTAB: u64 = 2;
const SHT_DYNSYM: u64 = 11;
const STT_FUNC: u64 = 2;
const STT_GNU_IFUNC: u64 = 10;

/// The addresses of a whole file's functions, by its symbols; what is malformed has none.
pub fn functions(header: &Header, file: &[u8]) -> Vec<u64> {
    let (f, c) = (Fields { bytes: file, big: header.big_endian }, header.class);
    let (table, size, count) = if c == 32 { (32, 46, 48) } else { (40, 58, 60) };
    let table = f.word(c, (table, table)).unwrap_or(0) as usize;
    let (size, count) = (f.u16(size).unwrap_or(0).into(), f.u16(count).unwrap_or(0));
    let section = |n: u16| {
        let at = table.checked_add(usize::from(n).checked_mul(size)?)?;
        let kind = f.number(at.checked_add(4)?, 4)?;
        let range = || Some((f.word(c, (at + 16, at + 24))? as usize, f.word(c, (at + 20, at + 32))? as usize));
        if kind == SHT_SYMTAB || kind == SHT_DYNSYM { range() } else { None }
    };
    let (symbol, info, value, shndx) = if c == 32 { (16, 12, 4, 14) } else { (24, 4, 8, 6) };
    let function = |at: usize| {
        let kind = f.number(at + info, 1)? & 15;
        let is_one = (kind == STT_FUNC || kind == STT_GNU_IFUNC) && f.u16(at + shndx)? != 0;
        f.word(c, (at + value, at + value)).filter(|_| is_one)
    };
    let symbols = |(at, len): (usize, usize)| {
        let end = at.saturating_add(len).min(file.len());
        (at..end).step_by(symbol).filter_map(function).collect::<Vec<_>>()
    };
    (0..count).filter_map(section).flat_map(symbols).collect()
}

impl Header {
    /// Size of a program header of this class.
    pub fn segment_size(&self) -> usize {
        if self.class == 32 { 32 } else { 56 }
    }

    /// Where the program headers stand in the file (offset, length), if they can be right.
    pub fn segments_range(&self) -> Result<(u64, usize), &'static str> {
        let len = usize::from(self.phnum) * self.segment_size();
        if usize::from(self.phentsize) != self.segment_size() {
            return Err("program headers of a wrong size");
        }
        // The kernel's limit (fs/binfmt_elf.c: 64 KiB).
        if self.phnum == 0 || len > 65536 {
            return Err("no program headers, or too many");
        }
        self.phoff.checked_add(len as u64).ok_or("program headers outside the file")?;
        Ok((self.phoff, len))
    }

    /// Reads the program headers from their bytes.
    pub fn segments(&self, bytes: &[u8]) -> Vec<Segment> {
        let c = self.class;
        let read = |bytes: &[u8]| {
            let f = Fields { bytes, big: self.big_endian };
            Some(Segment {
                kind: f.u32(0)?,
                flags: f.u32(if c == 32 { 24 } else { 4 })?,
                offset: f.word(c, (4, 8))?,
                vaddr: f.word(c, (8, 16))?,
                filesz: f.word(c, (16, 32))?,
                memsz: f.word(c, (20, 40))?,
                align: f.word(c, (28, 48))?,
            })
        };
        bytes.chunks_exact(self.segment_size()).filter_map(read).collect()
    }

    /// The 4-byte property `kind` of a PT_GNU_PROPERTY segment's bytes; 0 if it is not there, or if they are malformed.
    pub fn property(&self, bytes: &[u8], kind: u32) -> u32 {
        self.find_property(bytes, kind).unwrap_or(0)
    }

    fn find_property(&self, bytes: &[u8], kind: u32) -> Option<u32> {
        const NT_GNU_PROPERTY_TYPE_0: u32 = 5;
        let f = Fields { bytes, big: self.big_endian };
        if (f.u32(0)?, f.u32(8)?, bytes.get(12..16)?) != (4, NT_GNU_PROPERTY_TYPE_0, b"GNU\0") {
            return None;
        }
        let end = 16 + f.u32(4)? as usize;
        let mut at = 16;
        while at < end {
            let (found, size) = (f.u32(at)?, f.u32(at + 4)? as usize);
            if found == kind {
                return f.u32(at + 8).filter(|_| size == 4);
            }
            at += 8 + size.next_multiple_of(usize::from(self.class / 8));
        }
        None
    }

    /// Whether this guest runs it.
    pub fn is_for(&self, elf: &arch::Elf) -> bool {
        self.machine == elf.machine
            && self.class == elf.class
            && self.big_endian == elf.big_endian
            && elf.flags.is_none_or(|(mask, value)| self.flags & mask == value)
    }
}

/// Whether the host's own processor runs these programs: they are left to it, unless somebody asks for them.
pub fn is_hosts(elf: &arch::Elf) -> bool {
    const EM_386: u16 = 3;
    const EM_X86_64: u16 = 62;
    matches!(elf.machine, EM_386 | EM_X86_64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<u8> {
        let mut b = vec![0u8; 64 + 56];
        b[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
        b[16] = 2;
        b[18] = 183;
        b[24..32].copy_from_slice(&0x40_0078u64.to_le_bytes());
        b[32] = 64;
        b[54] = 56;
        b[56] = 1;
        b[64] = 1;
        b[68] = 5;
        b[80..88].copy_from_slice(&0x40_0000u64.to_le_bytes());
        b[96] = 120;
        b[104] = 120;
        b
    }

    #[test]
    fn reads_both_classes_and_orders() {
        let b = sample();
        let h = header(&b).unwrap();
        assert_eq!((h.class, h.kind, h.machine, h.entry, h.phnum), (64, ET_EXEC, 183, 0x40_0078, 1));
        let (at, len) = h.segments_range().unwrap();
        let s = h.segments(&b[at as usize..at as usize + len]);
        assert_eq!(s, [Segment { kind: 1, flags: 5, vaddr: 0x40_0000, filesz: 120, memsz: 120, ..Segment::default() }]);
        let mut big = vec![0u8; 52];
        big[..7].copy_from_slice(b"\x7fELF\x01\x02\x01");
        big[16..20].copy_from_slice(&[0, 3, 0, 40]);
        big[24..28].copy_from_slice(&0x1234u32.to_be_bytes());
        let h = header(&big).unwrap();
        assert_eq!((h.class, h.big_endian, h.kind, h.machine, h.entry), (32, true, ET_DYN, 40, 0x1234));
    }

    #[test]
    fn finds_a_property() {
        let h = header(&sample()).unwrap();
        let mut note = b"\x04\0\0\0\x20\0\0\0\x05\0\0\0GNU\0".to_vec();
        note.extend([1, 0, 0, 0xc0, 4, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0]);
        note.extend([0, 0, 0, 0xc0, 4, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(h.property(&note, 0xc000_0000), 3);
        assert_eq!(h.property(&note, 0xc000_0002), 0);
        for n in 0..note.len() {
            let cut = h.property(&note[..n], 0xc000_0000);
            assert!(cut == 0 || n >= 44, "{n}");
        }
    }

    /// Whatever the bytes, there is an answer.
    #[test]
    fn takes_any_bytes() {
        let good = sample();
        let mut seed = 3u64;
        for n in 0..200_000u64 {
            let mut b = good.clone();
            for _ in 0..1 + n % 5 {
                seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                let at = (seed >> 33) as usize % b.len();
                b[at] = (seed >> 13) as u8;
            }
            b.truncate(if n % 7 == 0 { (seed >> 40) as usize % b.len() } else { b.len() });
            if let Ok(h) = header(&b)
                && let Ok((at, len)) = h.segments_range()
                && let Some(s) = usize::try_from(at).ok().and_then(|at| b.get(at..at.checked_add(len)?))
            {
                assert_eq!(h.segments(s).len(), usize::from(h.phnum));
            }
        }
    }
}
