//! The ELF image of a guest's vDSO, made from the rows in its `linux.rs`: a shared object of one page or two with a hash table, versions and the
//! code. No section headers: nothing at run time reads them.

use arch::abi::Vdso;
use arch::{Abi, Elf};

const DT_NULL: u64 = 0;
const DT_HASH: u64 = 4;
const DT_STRTAB: u64 = 5;
const DT_SYMTAB: u64 = 6;
const DT_STRSZ: u64 = 10;
const DT_SYMENT: u64 = 11;
const DT_SONAME: u64 = 14;
const DT_VERSYM: u64 = 0x6fff_fff0;
const DT_VERDEF: u64 = 0x6fff_fffc;
const DT_VERDEFNUM: u64 = 0x6fff_fffd;

/// Bytes in the guest's order.
struct Out {
    bytes: Vec<u8>,
    wide: bool,
    big: bool,
}

impl Out {
    fn put(&mut self, v: u64, len: usize) {
        let at = self.bytes.len();
        self.bytes.extend_from_slice(&v.to_le_bytes()[..len]);
        if self.big {
            self.bytes[at..].reverse();
        }
    }
    fn u16(&mut self, v: u64) {
        self.put(v, 2);
    }
    fn u32(&mut self, v: u64) {
        self.put(v, 4);
    }
    fn word(&mut self, v: u64) {
        self.put(v, if self.wide { 8 } else { 4 });
    }
    fn align(&mut self, to: usize) {
        self.bytes.resize(self.bytes.len().next_multiple_of(to), 0);
    }
}

/// System V's hash (gABI, "Hash Table").
fn hash(name: &str) -> u32 {
    name.bytes().fold(0u32, |h, b| {
        let h = (h << 4).wrapping_add(b.into());
        let top = h & 0xf000_0000;
        (h ^ top >> 24) & !top
    })
}

/// The string table, and where the names, the soname and the version stand in it.
fn strings(vdso: &Vdso) -> (Vec<u8>, Vec<u64>, u64, u64) {
    let mut table = vec![0];
    let mut add = |s: &str| {
        let at = table.len() as u64;
        table.extend_from_slice(s.as_bytes());
        table.push(0);
        at
    };
    let soname = add(vdso.soname);
    let version = add(vdso.version);
    let names = vdso.symbols.iter().map(|s| add(s.name)).collect();
    (table, names, soname, version)
}

/// A vDSO.
#[derive(Debug)]
pub struct Image {
    /// Whole pages.
    pub bytes: Vec<u8>,
    /// Where each symbol's code begins, in the order of the rows.
    pub symbols: Vec<u64>,
}

/// Makes the image.
pub fn image(elf: &Elf, abi: &Abi) -> Image {
    let vdso = &abi.vdso;
    let wide = elf.class == 64;
    let (ehsize, phsize, symsize, dynsize) = if wide { (64, 56, 24, 16) } else { (52, 32, 16, 8) };
    let count = vdso.symbols.len();
    let (table, names, soname, version) = strings(vdso);
    // The order of the parts; each at a multiple of 8.
    let mut at: usize = ehsize + 2 * phsize;
    let mut part = |len: usize, align: usize| {
        let start = at.next_multiple_of(align);
        at = start + len;
        start as u64
    };
    let hash_at = part(4 * (2 + 1 + count + 1), 8);
    let symtab = part(symsize * (count + 1), 8);
    let strtab = part(table.len(), 8);
    let versym = part(2 * (count + 1), 8);
    let verdef = part(2 * (20 + 8), 8);
    let dynamic = part(10 * dynsize, 8);
    let code_at: Vec<u64> = vdso.symbols.iter().map(|s| part(4 * s.code.len(), 16)).collect();
    let size = at as u64;

    let mut o = Out { bytes: Vec::new(), wide, big: elf.big_endian };
    o.bytes.extend_from_slice(&[0x7f, b'E', b'L', b'F', elf.class / 32, 1 + u8::from(elf.big_endian), 1, 0]);
    o.bytes.resize(16, 0);
    o.u16(3);
    o.u16(elf.machine.into());
    o.u32(1);
    o.word(0);
    o.word(ehsize as u64);
    o.word(0);
    o.u32(elf.flags.map_or(0, |(_, value)| value).into());
    for v in [ehsize, phsize, 2, 0, 0, 0] {
        o.u16(v as u64);
    }
    for (kind, flags, start, len, align) in [(1u64, 5u64, 0u64, size, 4096u64), (2, 4, dynamic, 10 * dynsize as u64, 8)]
    {
        o.u32(kind);
        if wide {
            o.u32(flags);
        }
        for v in [start, start, start, len, len] {
            o.word(v);
        }
        if !wide {
            o.u32(flags);
        }
        o.word(align);
    }
    o.align(8);
    // One bucket: all symbols in one chain.
    o.u32(1);
    o.u32(count as u64 + 1);
    o.u32(u64::from(count != 0));
    o.u32(0);
    for n in 1..=count {
        o.u32(if n < count { n as u64 + 1 } else { 0 });
    }
    o.align(8);
    o.bytes.resize(symtab as usize + symsize, 0);
    for (n, s) in vdso.symbols.iter().enumerate() {
        let (value, len) = (code_at[n], 4 * s.code.len() as u64);
        o.u32(names[n]);
        if wide {
            // STB_GLOBAL, STT_FUNC; any section that is not SHN_UNDEF.
            o.put(0x12, 1);
            o.put(0, 1);
            o.u16(1);
            o.word(value);
            o.word(len);
        } else {
            o.word(value);
            o.word(len);
            o.put(0x12, 1);
            o.put(0, 1);
            o.u16(1);
        }
    }
    o.align(8);
    o.bytes.extend_from_slice(&table);
    o.align(8);
    o.u16(0);
    for _ in 0..count {
        o.u16(2);
    }
    o.align(8);
    for (n, (name, flags, at)) in [(vdso.soname, 1u64, soname), (vdso.version, 0, version)].into_iter().enumerate() {
        o.u16(1);
        o.u16(flags);
        o.u16(n as u64 + 1);
        o.u16(1);
        o.u32(hash(name).into());
        o.u32(20);
        o.u32(if n == 0 { 28 } else { 0 });
        o.u32(at);
        o.u32(0);
    }
    o.align(8);
    let entries = [
        (DT_HASH, hash_at),
        (DT_STRTAB, strtab),
        (DT_SYMTAB, symtab),
        (DT_STRSZ, table.len() as u64),
        (DT_SYMENT, symsize as u64),
        (DT_SONAME, soname),
        (DT_VERSYM, versym),
        (DT_VERDEF, verdef),
        (DT_VERDEFNUM, 2),
        (DT_NULL, 0),
    ];
    for (tag, v) in entries {
        o.word(tag);
        o.word(v);
    }
    for (n, s) in vdso.symbols.iter().enumerate() {
        o.bytes.resize(code_at[n] as usize, 0);
        for insn in s.code {
            o.u32((*insn).into());
        }
    }
    o.align(4096);
    Image { bytes: o.bytes, symbols: code_at }
}

#[cfg(test)]
mod tests {
    #[test]
    fn hashes_as_the_gabi_says() {
        // The known value of the kernel's version strings.
        assert_eq!(super::hash("LINUX_2.6"), 0x3ae75f6);
        assert_eq!(super::hash("LINUX_2.6.39"), 0x75fcb89);
    }
}
