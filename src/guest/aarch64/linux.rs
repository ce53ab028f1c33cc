//! Linux on AArch64: facts only. Numbers: the kernel's asm/hwcap.h, asm/unistd.h (generic table), arch/arm64's documentation.

use crate::state::{KEYS, PC, RNDR, SP, STATE, TPIDR_EL0, x};
use crate::{frame, layouts};
use arch::abi::{BranchTargets, Signals, SyscallRegs, Vdso, VdsoSymbol};
use arch::{Abi, Cpu};

/// LP64.
pub static ABI: Abi = Abi {
    long: 8,
    big_endian: false,
    max_align: 16,
    even_pairs: false,
    syscall: SyscallRegs { number: x(8), args: [x(0), x(1), x(2), x(3), x(4), x(5)], result: x(0), rewind },
    structs: &[layouts::STRUCTS],
    values: layouts::VALUES,
    table: "aarch64",
    stack_pointer: SP,
    thread_pointer: TPIDR_EL0,
    // GNU_PROPERTY_AARCH64_FEATURE_1_AND, its bit BTI.
    branch_targets: Some(BranchTargets { prot: 0x10, property: 0xc000_0000, mask: 1 }),
    keys: &KEYS,
    entropy: &RNDR,
    task_size: 1 << 48,
    page_size: 4096,
    clone_tls_first: true,
    signals: Signals {
        deliver: frame::deliver,
        restore: frame::restore,
        breakpoint,
        min_altstack: 5120,
        has_restorer: true,
        return_symbol: Some("__kernel_rt_sigreturn"),
    },
    vdso: VDSO,
    old_programs_execute_data: false,
    // The frame, a frame record and alignment (arch/arm64/kernel/signal.c, minsigstksz_setup).
    min_signal_stack: Some(frame::SIZE as u64 + 32),
    probes: &[],
};

/// BRK: SIGTRAP, TRAP_BRKPT.
fn breakpoint(insn: &[u8], _: u64) -> Option<(u32, i32)> {
    let word = u32::from_le_bytes(*insn.first_chunk()?);
    (word & 0xffe0_001f == 0xd420_0000).then_some((5, 1))
}

/// SVC has four bytes.
fn rewind(state: &mut [u8]) {
    let pc = STATE.get(state, PC);
    STATE.set(state, PC, pc.wrapping_sub(4));
}

const SVC: u32 = 0xd400_0001;
const RET: u32 = 0xd65f_03c0;

/// mov x8, #number
const fn number(n: u32) -> u32 {
    0xd280_0008 | n << 5
}

/// Functions of the vDSO: plain calls. Unwinders know the return code by its two instructions.
const VDSO: Vdso = Vdso {
    soname: "linux-vdso.so.1",
    version: "LINUX_2.6.39",
    symbols: &[
        VdsoSymbol { name: "__kernel_rt_sigreturn", code: &[number(139), SVC] },
        VdsoSymbol { name: "__kernel_gettimeofday", code: &[number(169), SVC, RET] },
        VdsoSymbol { name: "__kernel_clock_gettime", code: &[number(113), SVC, RET] },
        VdsoSymbol { name: "__kernel_clock_getres", code: &[number(114), SVC, RET] },
    ],
    pages: &[],
};

/// AT_HWCAP: names as in /proc/cpuinfo, and bits. sysreg.rs says the same to MRS.
const HWCAP: [(&str, u32); 29] = [
    ("fp", 0),
    ("asimd", 1),
    ("aes", 3),
    ("pmull", 4),
    ("sha1", 5),
    ("sha2", 6),
    ("crc32", 7),
    ("atomics", 8),
    ("fphp", 9),
    ("asimdhp", 10),
    ("cpuid", 11),
    ("asimdrdm", 12),
    ("jscvt", 13),
    ("fcma", 14),
    ("lrcpc", 15),
    ("dcpop", 16),
    ("sha3", 17),
    ("sm3", 18),
    ("sm4", 19),
    ("asimddp", 20),
    ("sha512", 21),
    ("asimdfhm", 23),
    ("dit", 24),
    ("ilrcpc", 26),
    ("flagm", 27),
    ("ssbs", 28),
    ("sb", 29),
    ("paca", 30),
    ("pacg", 31),
];

/// AT_HWCAP2.
const HWCAP2: [(&str, u32); 7] =
    [("dcpodp", 0), ("flagm2", 7), ("frint", 8), ("i8mm", 13), ("bf16", 14), ("rng", 16), ("bti", 17)];

const fn bits(list: &[(&str, u32)]) -> u64 {
    let (mut all, mut i) = (0, 0);
    while i < list.len() {
        all |= 1 << list[i].1;
        i += 1;
    }
    all
}

/// A feature of models: pointers are authenticated by QARMA5, the architected algorithm, which costs about a hundred times what ours does.
pub const QARMA5: u64 = 1;

/// Everything that is implemented, with either algorithm (named as QEMU names them).
pub static CPUS: [Cpu; 2] = [model("max", 0), model("max,pauth-qarma5=on", QARMA5)];

const fn model(name: &'static str, features: u64) -> Cpu {
    Cpu { name, features, hwcap: [bits(&HWCAP), bits(&HWCAP2), 0], platform: "aarch64", cpuinfo }
}

fn cpuinfo(n: usize) -> String {
    let features: Vec<&str> = HWCAP.iter().chain(&HWCAP2).map(|f| f.0).collect();
    format!(
        "processor\t: {n}\nBogoMIPS\t: 100.00\nFeatures\t: {}\nCPU implementer\t: 0x41\nCPU architecture: 8\n\
         CPU variant\t: 0x4\nCPU part\t: 0xd0c\nCPU revision\t: 1\n\n",
        features.join(" ")
    )
}
