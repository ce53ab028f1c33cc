//! The host's unit, in assembler.

use crate::{IMAGE, Image, MXCSR, REGISTERS, code};
use std::arch::{asm, global_asm};

/// What FXSAVE writes.
#[repr(C, align(16))]
struct Area([u8; 512]);

// One entry of four bytes for each instruction: those with registers by opcode and the low six bits of ModRM; those whose operand is at
// [rdi] by opcode and the digit in ModRM; EMMS.
global_asm!(
    ".pushsection .text.rqemu_x87, \"ax\", @progbits",
    ".balign 16",
    ".globl rqemu_x87_registers, rqemu_x87_memory, rqemu_x87_emms",
    ".hidden rqemu_x87_registers, rqemu_x87_memory, rqemu_x87_emms",
    "rqemu_x87_registers:",
    ".set rqemu_x87_n, 0",
    ".rept 512",
    ".byte 0xd8 + rqemu_x87_n / 64, 0xc0 + rqemu_x87_n % 64, 0xc3, 0xcc",
    ".set rqemu_x87_n, rqemu_x87_n + 1",
    ".endr",
    "rqemu_x87_memory:",
    ".set rqemu_x87_n, 0",
    ".rept 64",
    ".byte 0xd8 + rqemu_x87_n / 8, rqemu_x87_n % 8 * 8 + 7, 0xc3, 0xcc",
    ".set rqemu_x87_n, rqemu_x87_n + 1",
    ".endr",
    "rqemu_x87_emms:",
    "emms",
    "ret",
    ".popsection",
);

unsafe extern "C" {
    static rqemu_x87_registers: u8;
    static rqemu_x87_memory: u8;
    static rqemu_x87_emms: u8;
}

fn stub(code: u16) -> usize {
    let opcode = usize::from(code >> 8) & 7;
    let (table, entry) = match code {
        code::EMMS => (&raw const rqemu_x87_emms, 0),
        _ if code::is_memory(code) => (&raw const rqemu_x87_memory, opcode * 8 + usize::from(code >> 3 & 7)),
        _ => (&raw const rqemu_x87_registers, opcode * 64 + usize::from(code & 0x3f)),
    };
    table as usize + 4 * entry
}

/// The unit as it is now, with XMM registers and MXCSR, which are Rust's.
fn current() -> Area {
    let mut area = Area([0; 512]);
    // SAFETY: FXSAVE writes the area and nothing else.
    unsafe { asm!("fxsave64 [{}]", in(reg) &raw mut area, options(nostack, preserves_flags)) };
    area
}

fn put(area: &mut Area, image: &Image) {
    area.0[..MXCSR].copy_from_slice(&image[..MXCSR]);
    area.0[REGISTERS..IMAGE].copy_from_slice(&image[REGISTERS..]);
}

fn take(area: &Area, image: &mut Image) {
    image[..MXCSR].copy_from_slice(&area.0[..MXCSR]);
    image[REGISTERS..].copy_from_slice(&area.0[REGISTERS..IMAGE]);
}

/// The unit of this thread to memory. It stays as it is.
pub fn save(image: &mut Image) {
    take(&current(), image);
}

/// The unit of this thread from memory.
pub fn load(image: &Image) {
    let mut area = current();
    put(&mut area, image);
    // SAFETY: XMM registers and MXCSR become what they were a moment ago, which is declared; compiled code does not use the unit.
    unsafe {
        asm!("fxrstor64 [{}]", in(reg) &raw const area,
            out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _, out("xmm4") _, out("xmm5") _, out("xmm6") _, out("xmm7") _,
            out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _, out("xmm12") _, out("xmm13") _, out("xmm14") _, out("xmm15") _,
            options(nostack, preserves_flags));
    }
}

/// Does an instruction on a unit in memory. No exception may wait, if it [`code::waits`]. A memory operand is in `operand`. The unit finds ZF and PF
/// clear and CF set if `flags` is false, the opposite if it is true: so FCMOVE moves if `flags` is. The answer is EFLAGS afterwards.
pub fn run(image: &mut Image, code: u16, operand: &mut [u8; 128], flag: bool) -> u32 {
    let mut area = current();
    put(&mut area, image);
    let flags: u64;
    // SAFETY: the entry is one instruction of the unit and a return; its operand has room for the longest (FNSAVE's 108 bytes). Afterwards the
    // unit is initial, as the ABI wants it, XMM registers and MXCSR are what they were. No exception is raised: none waits.
    unsafe {
        asm!(
            "fxrstor64 [{area}]",
            "cmp {flag:e}, 1",
            "call {stub}",
            "pushfq",
            "pop {flags}",
            "fxsave64 [{area}]",
            "fninit",
            area = in(reg) &raw mut area,
            flag = in(reg) u32::from(flag),
            stub = in(reg) stub(code),
            flags = out(reg) flags,
            in("rdi") operand.as_mut_ptr(),
            out("rax") _,
            out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _, out("xmm4") _, out("xmm5") _, out("xmm6") _, out("xmm7") _,
            out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _, out("xmm12") _, out("xmm13") _, out("xmm14") _, out("xmm15") _,
        );
    }
    take(&area, image);
    flags as u32
}
