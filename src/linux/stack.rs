//! The first stack of a program: strings, auxiliary vector, environment, arguments, as the kernel lays them (fs/exec.c, fs/binfmt_elf.c).

use crate::host::Errno;
use crate::memory;
use arch::Abi;

pub const AT_NULL: u64 = 0;
pub const AT_PHDR: u64 = 3;
pub const AT_PHENT: u64 = 4;
pub const AT_PHNUM: u64 = 5;
pub const AT_PAGESZ: u64 = 6;
pub const AT_BASE: u64 = 7;
pub const AT_FLAGS: u64 = 8;
pub const AT_ENTRY: u64 = 9;
pub const AT_UID: u64 = 11;
pub const AT_EUID: u64 = 12;
pub const AT_GID: u64 = 13;
pub const AT_EGID: u64 = 14;
pub const AT_PLATFORM: u64 = 15;
pub const AT_HWCAP: u64 = 16;
pub const AT_CLKTCK: u64 = 17;
pub const AT_SECURE: u64 = 23;
pub const AT_RANDOM: u64 = 25;
pub const AT_HWCAP2: u64 = 26;
pub const AT_HWCAP3: u64 = 29;
pub const AT_RSEQ_FEATURE_SIZE: u64 = 27;
pub const AT_RSEQ_ALIGN: u64 = 28;
pub const AT_EXECFN: u64 = 31;
pub const AT_SYSINFO: u64 = 32;
pub const AT_SYSINFO_EHDR: u64 = 33;
pub const AT_MINSIGSTKSZ: u64 = 51;

/// What goes onto the stack.
#[derive(Debug)]
pub struct Contents<'a> {
    pub args: &'a [Vec<u8>],
    pub env: &'a [Vec<u8>],
    pub execfn: &'a [u8],
    pub platform: &'a str,
    pub random: [u8; 16],
    /// Entries whose value is known; those that point into the stack are put in by [`build`].
    pub auxv: &'a [(u64, u64)],
}

/// Where things are on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stack {
    pub sp: u64,
    pub args: (u64, u64),
    pub env: (u64, u64),
    /// The auxiliary vector's bytes.
    pub auxv: Vec<u8>,
}

/// Writes bytes at an address.
type Write<'a> = dyn FnMut(u64, &[u8]) -> Result<(), Errno> + 'a;

/// A stack that is written from its top down.
struct Writer<'a> {
    sp: u64,
    bottom: u64,
    write: &'a mut Write<'a>,
}

impl Writer<'_> {
    fn push(&mut self, bytes: &[u8]) -> Result<u64, Errno> {
        let sp = self.sp.checked_sub(bytes.len() as u64).filter(|sp| *sp >= self.bottom).ok_or(Errno::E2BIG)?;
        (self.write)(sp, bytes)?;
        self.sp = sp;
        Ok(sp)
    }
    /// The last string first, so that they stand in order; returns the address of each.
    fn push_strings(&mut self, list: &[Vec<u8>]) -> Result<Vec<u64>, Errno> {
        let mut at = Vec::with_capacity(list.len());
        for s in list.iter().rev() {
            self.push(&[0])?;
            at.push(self.push(s)?);
        }
        at.reverse();
        Ok(at)
    }
}

/// Writes the stack into guest memory between `bottom` and `top`.
pub fn build(abi: &Abi, top: u64, bottom: u64, c: &Contents) -> Result<Stack, Errno> {
    let shape = Shape { long: abi.long, big_endian: abi.big_endian };
    build_with(shape, top, bottom, c, &mut |addr, bytes| memory::write(addr, bytes))
}

/// What of the ABI the stack depends on.
#[derive(Clone, Copy)]
struct Shape {
    long: usize,
    big_endian: bool,
}

fn build_with(abi: Shape, top: u64, bottom: u64, c: &Contents, write: &mut Write) -> Result<Stack, Errno> {
    let mut w = Writer { sp: top, bottom, write };
    w.push(&[0; 8])?;
    w.push(&[0])?;
    let execfn = w.push(c.execfn)?;
    let env_end = w.sp;
    let env = w.push_strings(c.env)?;
    let env_start = w.sp;
    let args = w.push_strings(c.args)?;
    let args_start = w.sp;
    w.sp &= !15;
    w.push(&[0])?;
    let platform = w.push(c.platform.as_bytes())?;
    let random = w.push(&c.random)?;
    w.sp &= !15;

    let mut auxv: Vec<(u64, u64)> = c.auxv.to_vec();
    auxv.push((AT_RANDOM, random));
    auxv.push((AT_EXECFN, execfn));
    if !c.platform.is_empty() {
        auxv.push((AT_PLATFORM, platform));
    }
    auxv.push((AT_NULL, 0));

    let long = abi.long;
    let mut words: Vec<u8> = Vec::new();
    let mut word = |v: u64| {
        let at = words.len();
        words.extend_from_slice(&v.to_le_bytes()[..long]);
        if abi.big_endian {
            words[at..].reverse();
        }
    };
    word(args.len() as u64);
    for list in [&args, &env] {
        list.iter().for_each(|a| word(*a));
        word(0);
    }
    for (kind, value) in &auxv {
        word(*kind);
        word(*value);
    }
    let auxv_len = auxv.len() * 2 * long;
    // argc stands at a multiple of 16.
    w.sp = w.sp.checked_sub(words.len() as u64).ok_or(Errno::E2BIG)? & !15;
    w.sp += words.len() as u64;
    let sp = w.push(&words)?;
    let auxv = words.split_off(words.len() - auxv_len);
    Ok(Stack { sp, args: (args_start, env_start), env: (env_start, env_end), auxv })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words that the ABI's first instruction finds, for both widths and byte orders.
    #[test]
    fn stacks_are_as_the_kernel_lays_them() {
        for (long, big_endian) in [(8, false), (4, false), (4, true)] {
            let mut memory = vec![0xaau8; 4096];
            let top = 0x10000;
            let contents = Contents {
                args: &[b"prog".to_vec(), b"".to_vec()],
                env: &[b"A=1".to_vec()],
                execfn: b"./prog",
                platform: "v8l",
                random: [9; 16],
                auxv: &[(AT_PAGESZ, 4096)],
            };
            let shape = Shape { long, big_endian };
            let s = build_with(shape, top, top - 4096, &contents, &mut |at, bytes| {
                let at = (at - (top - 4096)) as usize;
                memory[at..at + bytes.len()].copy_from_slice(bytes);
                Ok(())
            })
            .unwrap();
            let at = |addr: u64| &memory[(addr - (top - 4096)) as usize..];
            let word = |n: usize| {
                let b = &at(s.sp)[n * long..][..long];
                let fold = |v: u64, b: &u8| v << 8 | u64::from(*b);
                if big_endian { b.iter().fold(0, fold) } else { b.iter().rev().fold(0, fold) }
            };
            assert_eq!((s.sp % 16, word(0)), (0, 2));
            assert!(at(word(1)).starts_with(b"prog\0\0A=1\0./prog\0"));
            assert_eq!((word(2), word(3), word(4), word(5)), (word(1) + 5, 0, word(1) + 6, 0));
            assert_eq!((word(6), word(7), word(8)), (AT_PAGESZ, 4096, AT_RANDOM));
            assert_eq!((word(8 + 2), word(8 + 4), word(8 + 6)), (AT_EXECFN, AT_PLATFORM, AT_NULL));
            assert!(
                at(word(9)).starts_with(&[9; 16])
                    && at(word(11)).starts_with(b"./prog\0")
                    && at(word(13)).starts_with(b"v8l\0")
            );
            assert_eq!((s.args, s.env), ((word(1), word(4)), (word(4), word(11))));
            assert_eq!(s.auxv.len(), 5 * 2 * long);
            let none = build_with(shape, top, top - 64, &contents, &mut |_, _| Ok(()));
            assert_eq!(none, Err(Errno::E2BIG));
        }
    }
}
