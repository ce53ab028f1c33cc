//! Linux on 32-bit Arm (EABI): facts only. Numbers: the kernel's asm/hwcap.h, asm/unistd.h, arch/arm's documentation.

use crate::features as f;
use crate::state::{PC, SP, STATE, TPIDRURO, r};
use crate::{frame, layouts};
use arch::abi::{Debug, Original, Page, Signals, SyscallRegs, UserArea, Vdso, VdsoSymbol};
use arch::hwcap::{self, Hwcap};
use arch::layout::ILP32;
use arch::{Abi, Cpu, Property};

/// ILP32, pairs in even registers.
pub static ABI: Abi = Abi {
    long: 4,
    big_endian: false,
    max_align: 8,
    even_pairs: true,
    short_offsets: true,
    syscall: SyscallRegs { number: r(7), args: [r(0), r(1), r(2), r(3), r(4), r(5)], result: r(0), rewind },
    structs: &[layouts::STRUCTS, ILP32],
    values: layouts::VALUES,
    table: "arm",
    stack_pointer: SP,
    thread_pointer: TPIDRURO,
    segments: None,
    // Below the vectors page with the kernel's user helpers.
    task_size: 0xffff_0000,
    page_size: 4096,
    clone_tls_first: true,
    branch_targets: None,
    pointer_mask: None,
    keys: &[],
    entropy: &[],
    signals: Signals {
        deliver: frame::deliver,
        restore: frame::restore,
        trap,
        no_such_address: None,
        min_altstack: 2048,
        has_restorer: true,
        return_symbol: None,
    },
    debug: Debug {
        sets: frame::REGISTER_SETS,
        // PTRACE_GETREGS, PTRACE_GETFPREGS, PTRACE_GETVFPREGS and what sets them (uapi asm/ptrace.h).
        requests: &[(12, 13, 1), (14, 15, 2), (27, 28, 0x400)],
        number_set: None,
        set_number: Some(23),
        thread_area: Some(22),
        descriptor: None,
        original: Some(Original::FirstArgument(68)),
        user_area: Some(UserArea { size: 296, debug: (0, 0), strict: false }),
        can_step: false,
    },
    vdso: VDSO,
    // asm/elf.h: without PT_GNU_STACK.
    old_programs_execute_data: true,
    min_signal_stack: |_| None,
    gate: None,
    vsyscall: None,
    gives_back_calls: false,
    probe: |_, _| None,
};

/// BKPT, and the undefined instructions that debuggers use (arch/arm/kernel/ptrace.c): SIGTRAP, TRAP_BRKPT.
fn trap(trap: ir::Trap, insn: &[u8], pc: u64) -> Option<(u32, i32)> {
    if !matches!(trap, ir::Trap::Breakpoint | ir::Trap::Undefined) {
        return None;
    }
    let half = u16::from_le_bytes(*insn.first_chunk()?);
    let known = if pc & 1 != 0 {
        let wide = insn.first_chunk().map(|w| u32::from_le_bytes(*w));
        half == 0xde01 || half & 0xff00 == 0xbe00 || wide == Some(0xa000_f7f0)
    } else {
        let word = u32::from_le_bytes(*insn.first_chunk()?);
        word & 0x0fff_ffff == 0x07f0_01f0 || word & 0x0ff0_00f0 == 0x0120_0070
    };
    known.then_some((5, 1))
}

/// SVC has two bytes in T32.
fn rewind(state: &mut [u8]) {
    let pc = STATE.get(state, PC);
    STATE.set(state, PC, pc.wrapping_sub(if pc & 1 != 0 { 2 } else { 4 }) & 0xffff_ffff);
}

/// A function that makes system call `n`: push {r7}; movw r7, #n; svc #0; pop {r7}; bx lr.
const fn call(n: u32) -> [u32; 5] {
    [0xe52d_7004, 0xe300_7000 | (n >> 12) << 16 | n & 0xfff, SVC, 0xe49d_7004, BX_LR]
}

const SVC: u32 = 0xef00_0000;
const BX_LR: u32 = 0xe12f_ff1e;
const DMB_ISH: u32 = 0xf57f_f05b;

/// Where handlers return to, in the signal page.
pub(crate) const SIGRETURN_ARM: u32 = 0;
pub(crate) const SIGRETURN_THUMB: u32 = 8;
pub(crate) const SIGRETURN_RT_ARM: u32 = 12;
pub(crate) const SIGRETURN_RT_THUMB: u32 = 20;

/// mov r7, #119 (sigreturn) or #173 (rt_sigreturn); svc #0. In A32, and as two halfwords in T32.
const SIGPAGE: [u32; 6] = [0xe3a0_7077, SVC, 0xdf00_2777, 0xe3a0_70ad, SVC, 0xdf00_27ad];

const VDSO: Vdso = Vdso {
    soname: "linux-vdso.so.1",
    version: "LINUX_2.6",
    symbols: &[
        VdsoSymbol { name: "__vdso_gettimeofday", code: &call(78) },
        VdsoSymbol { name: "__vdso_clock_gettime", code: &call(263) },
        VdsoSymbol { name: "__vdso_clock_gettime64", code: &call(403) },
        VdsoSymbol { name: "__vdso_clock_getres", code: &call(264) },
    ],
    pages: &[
        Page { name: "[sigpage]", addr: None, code: &[(0, &SIGPAGE)] },
        Page {
            name: "[vectors]",
            addr: Some(0xffff_0000),
            code: &[
                (0xf60, &KUSER_CMPXCHG64),
                (0xfa0, &[DMB_ISH, BX_LR]),
                (0xfc0, &KUSER_CMPXCHG),
                // mrc p15, 0, r0, c13, c0, 3
                (0xfe0, &[0xee1d_0f70, BX_LR]),
                // The number of helpers: slots of 32 bytes from 0xf60 on.
                (0xffc, &[5]),
            ],
        },
    ],
};

/// The kernel's user helpers (Documentation/arch/arm/kernel_user_helpers.rst): r0 old, r1 new, r2 the word; r0 is 0 and C set if it was changed.
#[rustfmt::skip]
const KUSER_CMPXCHG: [u32; 8] = [
    DMB_ISH,
    0xe192_3f9f, // 1: ldrex r3, [r2]
    0xe053_3000, // subs r3, r3, r0
    0x0182_3f91, // strexeq r3, r1, [r2]
    0x0333_0001, // teqeq r3, #1
    0x0aff_fffa, // beq 1b
    0xe273_0000, // rsbs r0, r3, #0
    0xeaff_ffef, // b to the barrier at 0xfa0
];

/// The same for 64 bits, r0 and r1 pointing to the values.
#[rustfmt::skip]
const KUSER_CMPXCHG64: [u32; 15] = [
    0xe92d_00f0, // push {r4-r7}
    0xe1c0_40d0, // ldrd r4, r5, [r0]
    0xe1c1_60d0, // ldrd r6, r7, [r1]
    DMB_ISH,
    0xe1b2_0f9f, // 1: ldrexd r0, r1, [r2]
    0xe020_0004, // eor r0, r0, r4
    0xe021_1005, // eor r1, r1, r5
    0xe190_3001, // orrs r3, r0, r1
    0x01a2_3f96, // strexdeq r3, r6, r7, [r2]
    0x0333_0001, // teqeq r3, #1
    0x0aff_fff8, // beq 1b
    DMB_ISH,
    0xe273_0000, // rsbs r0, r3, #0
    0xe8bd_00f0, // pop {r4-r7}
    BX_LR,
];

/// AT_HWCAP.
const HWCAP: [Hwcap; 14] = [
    ("swp", 0, 0),
    ("half", 1, 0),
    ("thumb", 2, 0),
    ("fastmult", 4, 0),
    ("vfp", 6, f::VFP),
    ("edsp", 7, f::V5TE),
    ("neon", 12, f::NEON),
    ("vfpv3", 13, f::VFPV3),
    ("tls", 15, f::V6K),
    ("vfpv4", 16, f::VFPV4),
    ("idiva", 17, f::IDIV),
    ("idivt", 18, f::IDIV),
    ("vfpd32", 19, f::D32),
    ("lpae", 20, f::LPAE),
];

/// AT_HWCAP2.
const HWCAP2: [Hwcap; 5] =
    [("aes", 0, f::AES), ("pmull", 1, f::PMULL), ("sha1", 2, f::SHA1), ("sha2", 3, f::SHA2), ("crc32", 4, f::CRC)];

/// Models, named as QEMU names them.
pub static CPUS: [Cpu; 11] = [
    Cpu { name: "max", features: f::MAX, platform: "v8l" },
    Cpu { name: "cortex-a15", features: f::CORTEX_A15, platform: "v7l" },
    Cpu { name: "cortex-a9", features: f::CORTEX_A9, platform: "v7l" },
    Cpu { name: "cortex-a8", features: f::CORTEX_A8, platform: "v7l" },
    Cpu { name: "cortex-a7", features: f::CORTEX_A7, platform: "v7l" },
    Cpu { name: "arm1176", features: f::ARM1176, platform: "v6l" },
    Cpu { name: "arm1136", features: f::ARM1136, platform: "v6l" },
    Cpu { name: "arm1026", features: f::ARM1026, platform: "v5l" },
    Cpu { name: "arm926", features: f::ARM926, platform: "v5l" },
    Cpu { name: "arm946", features: f::ARM946, platform: "v5l" },
    Cpu { name: "ti925t", features: f::TI925T, platform: "v4l" },
];

/// Properties, named as QEMU names them.
pub static PROPERTIES: [Property; 2] = [
    Property { name: "neon", features: f::NEON, sets: true, values: &[] },
    Property { name: "vfp-d32", features: f::D32, sets: true, values: &[] },
];

pub fn hwcap(features: u64) -> [u64; 3] {
    [hwcap::bits(&HWCAP, features), hwcap::bits(&HWCAP2, features), 0]
}

/// As the kernel prints it: name and architecture by level, the rest of MIDR.
pub fn cpuinfo(n: usize, features: u64) -> String {
    let midr = f::midr_of(features);
    let has = |feature| features & feature != 0;
    let (name, level, architecture) = match () {
        () if has(f::V8) => ("ARMv8", "v8l", "8"),
        () if has(f::V7) => ("ARMv7", "v7l", "7"),
        () if has(f::V6) => ("ARMv6-compatible", "v6l", "7"),
        () if has(f::V5TE) => ("ARMv5TE", "v5l", "5TE"),
        () => ("ARMv4T", "v4l", "4T"),
    };
    format!(
        "processor\t: {n}\nmodel name\t: {name} Processor rev {} ({level})\nBogoMIPS\t: 100.00\nFeatures\t: {}\n\
         CPU implementer\t: {:#04x}\nCPU architecture: {architecture}\nCPU variant\t: {:#x}\nCPU part\t: {:#05x}\nCPU revision\t: {}\n\n",
        midr & 15,
        hwcap::names(&[&HWCAP, &HWCAP2], features),
        midr >> 24,
        midr >> 20 & 15,
        midr >> 4 & 0xfff,
        midr & 15
    )
}
