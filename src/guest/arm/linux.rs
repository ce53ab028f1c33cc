//! Linux on 32-bit Arm (EABI): facts only. Numbers: the kernel's asm/hwcap.h, asm/unistd.h, arch/arm's documentation.

use crate::state::{SP, TPIDRURO, r};
use arch::abi::SyscallRegs;
use arch::{Abi, Cpu};

/// ILP32, pairs in even registers.
pub static ABI: Abi = Abi {
    long: 4,
    big_endian: false,
    max_align: 8,
    even_pairs: true,
    syscall: SyscallRegs { number: r(7), args: [r(0), r(1), r(2), r(3), r(4), r(5)], result: r(0) },
    table: "arm",
    stack_pointer: SP,
    thread_pointer: TPIDRURO,
    // Below the vectors page with the kernel's user helpers.
    task_size: 0xffff_0000,
    page_size: 4096,
};

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
    Cpu { name: "max", hwcap: [bits(&HWCAP, 14), bits(&HWCAP2, 5), 0], platform: "v8l", cpuinfo: max_info },
    Cpu { name: "cortex-a15", hwcap: [bits(&HWCAP, 14), 0, 0], platform: "v7l", cpuinfo: a15_info },
    Cpu { name: "arm1176", hwcap: [bits(&HWCAP, OLD) | 1 << 15, 0, 0], platform: "v6l", cpuinfo: arm1176_info },
    Cpu { name: "arm926", hwcap: [bits(&HWCAP, OLD), 0, 0], platform: "v5l", cpuinfo: arm926_info },
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
