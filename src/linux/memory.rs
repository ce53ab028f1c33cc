//! Access to guest memory from Rust: copies that give EFAULT where the guest has no memory, instead of a signal.
//! Guest addresses are host addresses (base 0). No lock is held: another thread may unmap the range at any time, therefore every access
//! goes through two assembler loops whose faults the signal handler sends to their end.

use crate::host::Errno;
use std::arch::global_asm;

// rqemu_copy(dst, src, len) -> bytes not copied; rqemu_scan(src, max) -> bytes before the first 0 (max if none), or -1 at a fault.
// A fault with rip in [rqemu_copy_begin, rqemu_copy_end) goes on at rqemu_copy_end, one in the scan at rqemu_scan_fault. 16 bytes are copied at
// once; a fault there, in [rqemu_copy16_begin, rqemu_copy_begin), goes on at rqemu_copy_begin, which finds where it is.
global_asm!(
    ".pushsection .text.rqemu_copy, \"ax\"",
    ".globl rqemu_copy, rqemu_copy16_begin, rqemu_copy_begin, rqemu_copy_end, rqemu_scan, rqemu_scan_begin, rqemu_scan_end, rqemu_scan_fault",
    "rqemu_copy:",
    "mov rcx, rdx",
    "cmp rdx, 16",
    "jne rqemu_copy_begin",
    "rqemu_copy16_begin:",
    "movups xmm0, [rsi]",
    "movups [rdi], xmm0",
    "xor eax, eax",
    "ret",
    "rqemu_copy_begin:",
    "rep movsb",
    "rqemu_copy_end:",
    "mov rax, rcx",
    "ret",
    "rqemu_scan:",
    "xor eax, eax",
    "2:",
    "cmp rax, rsi",
    "jae 3f",
    "rqemu_scan_begin:",
    "cmp byte ptr [rdi+rax], 0",
    "rqemu_scan_end:",
    "je 3f",
    "inc rax",
    "jmp 2b",
    "3:",
    "ret",
    "rqemu_scan_fault:",
    "mov rax, -1",
    "ret",
    ".popsection",
);

unsafe extern "C" {
    fn rqemu_copy(dst: u64, src: u64, len: usize) -> usize;
    fn rqemu_scan(src: u64, max: usize) -> isize;
    static rqemu_copy16_begin: u8;
    static rqemu_copy_begin: u8;
    static rqemu_copy_end: u8;
    static rqemu_scan_begin: u8;
    static rqemu_scan_end: u8;
    static rqemu_scan_fault: u8;
}

/// Where a SIGSEGV or SIGBUS handler must send the interrupted rip, if the fault was in one of the routines here.
pub fn fault_fixup(rip: u64) -> Option<u64> {
    if (&raw const rqemu_copy16_begin as u64..&raw const rqemu_copy_begin as u64).contains(&rip) {
        return Some(&raw const rqemu_copy_begin as u64);
    }
    if (&raw const rqemu_copy_begin as u64..&raw const rqemu_copy_end as u64).contains(&rip) {
        return Some(&raw const rqemu_copy_end as u64);
    }
    (&raw const rqemu_scan_begin as u64..&raw const rqemu_scan_end as u64)
        .contains(&rip)
        .then_some(&raw const rqemu_scan_fault as u64)
}

/// An address where there is never memory: the kernel answers EFAULT when it comes to it, after the errors that it finds before.
pub const NOWHERE: u64 = !0xfff;

/// Copies from guest memory. On EFAULT a part of `buf` may have been written.
pub fn read(addr: u64, buf: &mut [u8]) -> Result<(), Errno> {
    if read_some(addr, buf) == buf.len() { Ok(()) } else { Err(Errno::EFAULT) }
}

/// Copies from guest memory as far as there is any; returns how many bytes.
pub fn read_some(addr: u64, buf: &mut [u8]) -> usize {
    // SAFETY: the destination is a slice; a fault at the source ends the copy.
    buf.len() - unsafe { rqemu_copy(buf.as_mut_ptr() as u64, addr, buf.len()) }
}

/// Copies to guest memory. On EFAULT a part may have been written.
pub fn write(addr: u64, bytes: &[u8]) -> Result<(), Errno> {
    // SAFETY: guest memory is not memory of Rust objects; a fault at the destination ends the copy.
    let left = unsafe { rqemu_copy(addr, bytes.as_ptr() as u64, bytes.len()) };
    if left == 0 { Ok(()) } else { Err(Errno::EFAULT) }
}

/// Whether a word stands at some multiple of two in [start, end), as far as there is memory.
pub fn has_word(start: u64, end: u64, word: u32) -> bool {
    const PIECE: usize = 16 << 10;
    let mut buf = vec![0; PIECE + 2];
    let mut at = start;
    while at < end {
        let len = buf.len().min((end - at) as usize);
        let n = read_some(at, &mut buf[..len]);
        let words = |from: usize| buf[from.min(n)..n].as_chunks::<4>().0;
        // No early end, so that it is done in vectors.
        let found = |from| words(from).iter().fold(false, |any, w| any | (u32::from_le_bytes(*w) == word));
        if found(0) || found(2) {
            return true;
        }
        if n < len {
            return false;
        }
        at += PIECE as u64;
    }
    false
}

pub fn read_u8(addr: u64) -> Result<u8, Errno> {
    let mut b = [0];
    read(addr, &mut b)?;
    Ok(b[0])
}

pub fn read_u32(addr: u64) -> Result<u32, Errno> {
    let mut b = [0; 4];
    read(addr, &mut b)?;
    Ok(u32::from_le_bytes(b))
}

pub fn read_u64(addr: u64) -> Result<u64, Errno> {
    let mut b = [0; 8];
    read(addr, &mut b)?;
    Ok(u64::from_le_bytes(b))
}

pub fn write_u32(addr: u64, v: u32) -> Result<(), Errno> {
    write(addr, &v.to_le_bytes())
}

pub fn write_u64(addr: u64, v: u64) -> Result<(), Errno> {
    write(addr, &v.to_le_bytes())
}

/// A string of at most `max` bytes without its NUL; ENAMETOOLONG if it has more.
pub fn read_cstr(addr: u64, max: usize) -> Result<Vec<u8>, Errno> {
    // SAFETY: it only reads, and a fault ends it.
    let len = unsafe { rqemu_scan(addr, max + 1) };
    let len = usize::try_from(len).map_err(|_| Errno::EFAULT)?;
    if len > max {
        return Err(Errno::ENAMETOOLONG);
    }
    let mut v = vec![0; len];
    read(addr, &mut v)?;
    Ok(v)
}
