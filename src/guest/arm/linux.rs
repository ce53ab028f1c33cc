//! Linux on 32-bit Arm (EABI): facts only. Numbers: the kernel's asm/hwcap.h, asm/unistd.h, arch/arm's documentation.

use crate::state::{PC, SP, STATE, TPIDRURO, r};
use crate::{frame, layouts};
use arch::abi::{Page, Signals, SyscallRegs, Vdso, VdsoSymbol};
use arch::layout::ILP32;
use arch::{Abi, Cpu};

/// ILP32, pairs in even registers.
pub static ABI: Abi = Abi {
    long: 4,
    big_endian: false,
    max_align: 8,
    even_pairs: true,
    syscall: SyscallRegs { number: r(7), args: [r(0), r(1), r(2), r(3), r(4), r(5)], result: r(0), rewind },
    structs: &[layouts::STRUCTS, ILP32],
    values: layouts::VALUES,
    table: "arm",
    stack_pointer: SP,
    thread_pointer: TPIDRURO,
    // Below the vectors page with the kernel's user helpers.
    task_size: 0xffff_0000,
    page_size: 4096,
    clone_tls_first: true,
    branch_targets: None,
    keys: &[],
    entropy: &[],
    signals: Signals {
        deliver: frame::deliver,
        restore: frame::restore,
        breakpoint,
        min_altstack: 2048,
        has_restorer: true,
        return_symbol: None,
    },
    vdso: VDSO,
    // asm/elf.h: without PT_GNU_STACK.
    old_programs_execute_data: true,
    min_signal_stack: None,
    probes: &[],
};

/// BKPT, and the undefined instructions that debuggers use (arch/arm/kernel/ptrace.c): SIGTRAP, TRAP_BRKPT.
fn breakpoint(insn: &[u8], pc: u64) -> Option<(u32, i32)> {
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

/// AT_HWCAP: names as in /proc/cpuinfo, and bits.
const HWCAP: [(&str, u32); 14] = [
    ("swp", 0),
    ("half", 1),
    ("thumb", 2),
    ("fastmult", 4),
    ("vfp", 6),
    ("edsp", 7),
    ("neon", 12),
    ("vfpv3", 13),
    ("tls", 15),
    ("vfpv4", 16),
    ("idiva", 17),
    ("idivt", 18),
    ("vfpd32", 19),
    ("lpae", 20),
];

/// AT_HWCAP2.
const HWCAP2: [(&str, u32); 5] = [("aes", 0), ("pmull", 1), ("sha1", 2), ("sha2", 3), ("crc32", 4)];

/// The first `count` features of a list.
const fn bits(list: &[(&str, u32)], count: usize) -> u64 {
    let (mut all, mut i) = (0, 0);
    while i < count {
        all |= 1 << list[i].1;
        i += 1;
    }
    all
}

/// ARMv5TE and ARMv6 processors: up to EDSP; VFPv2 is there, Advanced SIMD is not.
const OLD: usize = 6;

/// The models differ in what they announce; all run every instruction.
pub static CPUS: [Cpu; 4] = [
    Cpu {
        name: "max",
        features: u64::MAX,
        hwcap: [bits(&HWCAP, 14), bits(&HWCAP2, 5), 0],
        platform: "v8l",
        cpuinfo: max_info,
    },
    Cpu { name: "cortex-a15", features: u64::MAX, hwcap: [bits(&HWCAP, 14), 0, 0], platform: "v7l", cpuinfo: a15_info },
    Cpu {
        name: "arm1176",
        features: u64::MAX,
        hwcap: [bits(&HWCAP, OLD) | 1 << 15, 0, 0],
        platform: "v6l",
        cpuinfo: arm1176_info,
    },
    Cpu { name: "arm926", features: u64::MAX, hwcap: [bits(&HWCAP, OLD), 0, 0], platform: "v5l", cpuinfo: arm926_info },
];

/// /proc/cpuinfo of one processor: implementer, architecture, variant, part, revision as the kernel prints MIDR.
fn cpuinfo(n: usize, model: &str, features: &str, id: [&str; 5]) -> String {
    let [implementer, architecture, variant, part, revision] = id;
    format!(
        "processor\t: {n}\nmodel name\t: {model}\nBogoMIPS\t: 100.00\nFeatures\t: {features}\nCPU implementer\t: {implementer}\n\
         CPU architecture: {architecture}\nCPU variant\t: {variant}\nCPU part\t: {part}\nCPU revision\t: {revision}\n\n"
    )
}

fn names(list: &[(&str, u32)], more: &[(&str, u32)]) -> String {
    list.iter().chain(more).map(|f| f.0).collect::<Vec<_>>().join(" ")
}

fn max_info(n: usize) -> String {
    let features = names(&HWCAP, &HWCAP2);
    cpuinfo(n, "ARMv8 Processor rev 0 (v8l)", &features, ["0x00", "8", "0x0", "0x051", "0"])
}

fn a15_info(n: usize) -> String {
    cpuinfo(n, "ARMv7 Processor rev 1 (v7l)", &names(&HWCAP, &[]), ["0x41", "7", "0x2", "0xc0f", "1"])
}

fn arm1176_info(n: usize) -> String {
    let features = names(&HWCAP[..OLD], &[("tls", 15)]);
    cpuinfo(n, "ARMv6-compatible processor rev 6 (v6l)", &features, ["0x41", "7", "0x0", "0xb76", "6"])
}

fn arm926_info(n: usize) -> String {
    cpuinfo(n, "ARM926EJ-S rev 5 (v5l)", &names(&HWCAP[..OLD], &[]), ["0x41", "5TEJ", "0x0", "0x926", "5"])
}
