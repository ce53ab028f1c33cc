//! Whether a function of the host's leaves vector registers alone, as those of its vDSO do: the kernel compiles it without them. Found by following
//! its code, so that nothing is taken on trust. What is not known here counts as loud; that costs no more than saving the registers.
//!
//! Opcodes: Intel SDM vol. 2, appendix A.

/// More instructions than such a function has.
const MOST: usize = 4096;

/// What follows an instruction.
enum Next {
    Falls,
    Ends,
    /// A jump that may fall through, or a call; and one that does not.
    Branch(i64),
    Jump(i64),
}

/// Whether the function at `start` and all that it calls uses integer registers alone.
///
/// # Safety
/// Code is at `start`, and wherever that leads.
pub unsafe fn is_quiet(start: u64) -> bool {
    let (mut open, mut seen) = (vec![start], Vec::new());
    while let Some(mut at) = open.pop() {
        while !seen.contains(&at) {
            if seen.len() == MOST {
                return false;
            }
            seen.push(at);
            // SAFETY: an instruction has 15 bytes at most; the vDSO's code does not end with its page.
            let bytes: [u8; 16] = unsafe { (at as *const [u8; 16]).read_unaligned() };
            let Some((len, next)) = instruction(&bytes) else { return false };
            let target = |offset: i64| at.wrapping_add(len as u64).wrapping_add_signed(offset);
            match next {
                Next::Falls => {}
                Next::Ends => break,
                Next::Branch(offset) => open.push(target(offset)),
                Next::Jump(offset) => {
                    open.push(target(offset));
                    break;
                }
            }
            at += len as u64;
        }
    }
    true
}

/// The bytes of a ModRM operand, from that byte on.
fn operand(bytes: &[u8]) -> usize {
    let (modrm, sib) = (bytes[0], bytes[1]);
    let (mode, has_sib) = (modrm >> 6, modrm & 7 == 4);
    let displacement = match mode {
        0 if modrm & 7 == 5 || has_sib && sib & 7 == 5 => 4,
        0 | 3 => 0,
        1 => 1,
        _ => 4,
    };
    1 + usize::from(mode != 3 && has_sib) + displacement
}

/// The length of an instruction on integer registers and memory, and what follows. None for any other.
fn instruction(bytes: &[u8; 16]) -> Option<(usize, Next)> {
    let is_prefix = |b: &u8| matches!(b, 0x26 | 0x2e | 0x36 | 0x3e | 0x64 | 0x65 | 0x66 | 0xf0 | 0xf2 | 0xf3);
    let mut n = bytes.iter().take(8).position(|b| !is_prefix(b))?;
    let narrow = bytes[..n].contains(&0x66);
    let rex = bytes[n] & 0xf0 == 0x40;
    let wide = rex && bytes[n] & 8 != 0;
    n += usize::from(rex);
    let op = bytes[n];
    let rest = &bytes[n + 1..];
    if rest.len() < 8 {
        return None;
    }
    let (word, modrm) = (if narrow { 2 } else { 4 }, operand(rest));
    let byte = || i64::from(rest[0].cast_signed());
    let long = |at: usize| i64::from(i32::from_le_bytes(rest[at..at + 4].try_into().expect("four bytes")));
    let (len, next) = match op {
        0x0f => return two_bytes(rest).map(|(len, next)| (n + 1 + len, next)),
        0x00..=0x3f if op & 7 < 4 => (modrm, Next::Falls),
        0x00..=0x3f if op & 7 == 4 => (1, Next::Falls),
        0x00..=0x3f if op & 7 == 5 => (word, Next::Falls),
        0x50..=0x5f | 0x90..=0x99 | 0xa4..=0xa7 | 0xaa..=0xad | 0xc9 => (0, Next::Falls),
        0x63 | 0x84..=0x8b | 0x8d | 0xd0..=0xd3 => (modrm, Next::Falls),
        0x68 | 0xa9 => (word, Next::Falls),
        0x6a | 0xa8 | 0xb0..=0xb7 => (1, Next::Falls),
        0x69 | 0x81 | 0xc7 => (modrm + word, Next::Falls),
        0x6b | 0x80 | 0x83 | 0xc0 | 0xc1 | 0xc6 => (modrm + 1, Next::Falls),
        0xb8..=0xbf => (if wide { 8 } else { word }, Next::Falls),
        0x70..=0x7f => (1, Next::Branch(byte())),
        0xeb => (1, Next::Jump(byte())),
        0xe8 if !narrow => (4, Next::Branch(long(0))),
        0xe9 if !narrow => (4, Next::Jump(long(0))),
        0xc3 => (0, Next::Ends),
        0xf6 => (modrm + usize::from(rest[0] >> 3 & 7 < 2), Next::Falls),
        0xf7 => (modrm + if rest[0] >> 3 & 7 < 2 { word } else { 0 }, Next::Falls),
        // Not calls and jumps to an address in a register or memory.
        0xfe | 0xff if !matches!(rest[0] >> 3 & 7, 2..=5) => (modrm, Next::Falls),
        _ => return None,
    };
    Some((n + 1 + len, next))
}

/// The same behind 0F, counted from the byte after it.
fn two_bytes(bytes: &[u8]) -> Option<(usize, Next)> {
    let (op, rest) = (bytes[0], &bytes[1..]);
    let (modrm, is_register) = (operand(rest), rest[0] >= 0xc0);
    let (len, next) = match op {
        // syscall, rdtsc, cpuid, bswap
        0x05 | 0x31 | 0xa2 | 0xc8..=0xcf => (0, Next::Falls),
        // rdtscp; rdpid and rdrand; fences
        0x01 if rest[0] == 0xf9 => (1, Next::Falls),
        0xc7 if is_register => (1, Next::Falls),
        0xae if matches!(rest[0], 0xe8 | 0xf0 | 0xf8) => (1, Next::Falls),
        // lsl, prefetches, hints, cmov, setcc
        0x03 | 0x0d | 0x18 | 0x1e | 0x1f | 0x40..=0x4f | 0x90..=0x9f => (modrm, Next::Falls),
        // bt and the like, shld, shrd, imul, cmpxchg, movzx, bsf, bsr, movsx, xadd
        0xa3 | 0xa5 | 0xab | 0xad | 0xaf..=0xb1 | 0xb3 | 0xb6..=0xb8 | 0xbb..=0xc1 => (modrm, Next::Falls),
        0xa4 | 0xac | 0xba => (modrm + 1, Next::Falls),
        0x80..=0x8f => (4, Next::Branch(i64::from(i32::from_le_bytes(rest[..4].try_into().expect("four bytes"))))),
        _ => return None,
    };
    Some((1 + len, next))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quiet(code: &[u8]) -> bool {
        let mut padded = code.to_vec();
        padded.resize(code.len() + 32, 0xcc);
        // SAFETY: jumps of the code here stay within it, and each instruction has bytes behind it.
        unsafe { is_quiet(padded.as_ptr() as u64) }
    }

    #[test]
    fn what_touches_vectors_is_loud() {
        let ret = 0xc3;
        // mov eax, [rsp + 8]; je +1; nop; ret
        assert!(quiet(&[0x8b, 0x44, 0x24, 8, 0x74, 1, 0x90, ret]));
        // rdtscp; shl rdx, 32; mov rax, imm64
        assert!(quiet(&[0x0f, 1, 0xf9, 0x48, 0xc1, 0xe2, 32, 0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8, ret]));
        for loud in [
            // movups xmm0, [rsi]; movaps behind a jump; vzeroupper; pxor; an EVEX move; jmp rax; fld
            &[0x0f, 0x10, 0x06, ret][..],
            &[0x74, 1, ret, 0x0f, 0x28, 0xc1, ret],
            &[0xc5, 0xf8, 0x77, ret],
            &[0x66, 0x0f, 0xef, 0xc0, ret],
            &[0x62, 0xf1, 0x7c, 0x48, 0x10, 0x06, ret],
            &[0xff, 0xe0],
            &[0xd9, 0x06, ret],
        ] {
            assert!(!quiet(loud), "{loud:02x?}");
        }
    }

    #[test]
    fn the_clock_of_the_host_can_be_followed() {
        let clock = crate::host_vdso::function("__vdso_clock_gettime").expect("every x86-64 kernel has it");
        // SAFETY: the kernel's code.
        assert!(unsafe { is_quiet(clock) });
    }
}
