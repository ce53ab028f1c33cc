//! The page at a fixed address with which x86-64's kernels began: three calls, which old static programs make by its addresses. There is no memory; the
//! kernel does what functions there would (arch/x86's documentation, vsyscall=xonly).

/// Where it is (asm/vsyscall.h: VSYSCALL_ADDR), and how far its functions are apart.
pub(crate) const PAGE: u64 = 0xffff_ffff_ff60_0000;
const STEP: u64 = 1024;
/// gettimeofday, time, getcpu.
const NUMBERS: [u16; 3] = [96, 201, 309];

/// Code of a function there from `pc` on, its beginning or what is behind the call; None elsewhere.
pub(super) fn fetch(pc: u64, buf: &mut [u8]) -> Option<usize> {
    let at = pc.checked_sub(PAGE)?;
    let number = *NUMBERS.get(usize::try_from(at / STEP).ok()?)?;
    let [low, high] = number.to_le_bytes();
    // mov eax, number; syscall; ret; int3 as far as an instruction is looked for.
    let mut code = [0xcc; 32];
    code[..8].copy_from_slice(&[0xb8, low, high, 0, 0, 0x0f, 0x05, 0xc3]);
    let rest = match at % STEP {
        0 => &code[..],
        7 => &code[7..],
        _ => return None,
    };
    let n = rest.len().min(buf.len());
    buf[..n].copy_from_slice(&rest[..n]);
    Some(n)
}
