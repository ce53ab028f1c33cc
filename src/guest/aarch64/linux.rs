//! Linux on AArch64: facts only. Numbers: the kernel's asm/hwcap.h, asm/unistd.h (generic table), arch/arm64's documentation.

use crate::features as f;
use crate::state::{KEYS, PC, RNDR, SP, STATE, TPIDR_EL0, x};
use crate::{frame, layouts};
use arch::abi::{BranchTargets, Debug, Signals, SyscallRegs, Vdso, VdsoSymbol};
use arch::hwcap::{self, Hwcap};
use arch::{Abi, Cpu, Property};

/// LP64.
pub static ABI: Abi = Abi {
    long: 8,
    big_endian: false,
    max_align: 16,
    even_pairs: false,
    short_offsets: false,
    syscall: SyscallRegs { number: x(8), args: [x(0), x(1), x(2), x(3), x(4), x(5)], result: x(0), rewind },
    structs: &[layouts::STRUCTS],
    values: layouts::VALUES,
    table: "aarch64",
    stack_pointer: SP,
    thread_pointer: TPIDR_EL0,
    segments: None,
    // GNU_PROPERTY_AARCH64_FEATURE_1_AND, its bit BTI.
    branch_targets: Some(BranchTargets { prot: 0x10, property: 0xc000_0000, mask: 1 }),
    pointer_mask: None,
    keys: &KEYS,
    entropy: &RNDR,
    task_size: 1 << 48,
    page_size: 4096,
    clone_tls_first: true,
    signals: Signals {
        deliver: frame::deliver,
        restore: frame::restore,
        trap,
        no_such_address: None,
        min_altstack: 5120,
        has_restorer: true,
        return_symbol: Some("__kernel_rt_sigreturn"),
    },
    debug: Debug {
        sets: frame::REGISTER_SETS,
        requests: &[],
        number_set: Some(0x404),
        set_number: None,
        thread_area: None,
        descriptor: None,
        original: None,
        user_area: None,
        can_step: true,
    },
    vdso: VDSO,
    old_programs_execute_data: false,
    // The frame, a frame record and alignment (arch/arm64/kernel/signal.c, minsigstksz_setup).
    min_signal_stack: |_| Some(frame::SIZE as u64 + 32),
    gate: None,
    vsyscall: None,
    gives_back_calls: false,
    probe: |_, _| None,
};

/// BRK: SIGTRAP, TRAP_BRKPT.
fn trap(trap: ir::Trap, insn: &[u8], _: u64) -> Option<(u32, i32)> {
    if !matches!(trap, ir::Trap::Breakpoint | ir::Trap::Undefined) {
        return None;
    }
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

/// AT_HWCAP.
const HWCAP: [Hwcap; 30] = [
    ("fp", 0, 0),
    ("asimd", 1, 0),
    ("aes", 3, 0),
    ("pmull", 4, 0),
    ("sha1", 5, 0),
    ("sha2", 6, 0),
    ("crc32", 7, 0),
    ("atomics", 8, f::LSE),
    ("fphp", 9, f::FP16),
    ("asimdhp", 10, f::FP16),
    ("cpuid", 11, 0),
    ("asimdrdm", 12, f::RDM),
    ("jscvt", 13, f::JSCVT),
    ("fcma", 14, f::FCMA),
    ("lrcpc", 15, f::LRCPC),
    ("dcpop", 16, f::DPB),
    ("sha3", 17, f::SHA3),
    ("sm3", 18, f::SM3),
    ("sm4", 19, f::SM4),
    ("asimddp", 20, f::DOTPROD),
    ("sha512", 21, f::SHA512),
    ("asimdfhm", 23, f::FHM),
    ("dit", 24, f::DIT),
    ("uscat", 25, f::LSE2),
    ("ilrcpc", 26, f::LRCPC2),
    ("flagm", 27, f::FLAGM),
    ("ssbs", 28, f::SSBS),
    ("sb", 29, f::SB),
    ("paca", 30, f::PAUTH),
    ("pacg", 31, f::PAUTH),
];

/// AT_HWCAP2.
const HWCAP2: [Hwcap; 7] = [
    ("dcpodp", 0, f::DPB2),
    ("flagm2", 7, f::FLAGM2),
    ("frint", 8, f::FRINTTS),
    ("i8mm", 13, f::I8MM),
    ("bf16", 14, f::BF16),
    ("rng", 16, f::RNG),
    ("bti", 17, f::BTI),
];

/// Models, named as QEMU names them.
pub static CPUS: [Cpu; 8] = [
    model("max", f::MAX),
    model("cortex-a35", f::CORTEX_A35),
    model("cortex-a53", f::CORTEX_A53),
    model("cortex-a55", f::CORTEX_A55),
    model("cortex-a57", f::CORTEX_A57),
    model("cortex-a72", f::CORTEX_A72),
    model("cortex-a76", f::CORTEX_A76),
    model("neoverse-n1", f::NEOVERSE_N1),
];

const fn model(name: &'static str, features: u64) -> Cpu {
    Cpu { name, features, platform: "aarch64" }
}

/// Properties, named as QEMU names them, and `lse2`.
pub static PROPERTIES: [Property; 7] = [
    Property { name: "pauth", features: f::PAUTH, sets: true, values: &[] },
    Property { name: "pauth-impdef", features: f::QARMA5, sets: false, values: &[] },
    Property { name: "pauth-qarma5", features: f::QARMA5, sets: true, values: &[] },
    Property { name: "lse2", features: f::LSE2, sets: true, values: &[] },
    Property { name: "sve", features: 0, sets: true, values: &[] },
    Property { name: "sme", features: 0, sets: true, values: &[] },
    Property { name: "lpa2", features: 0, sets: true, values: &[] },
];

pub fn hwcap(features: u64) -> [u64; 3] {
    [hwcap::bits(&HWCAP, features), hwcap::bits(&HWCAP2, features), 0]
}

pub fn cpuinfo(n: usize, features: u64) -> String {
    let midr = f::midr_of(features);
    format!(
        "processor\t: {n}\nBogoMIPS\t: 100.00\nFeatures\t: {}\nCPU implementer\t: {:#04x}\nCPU architecture: 8\n\
         CPU variant\t: {:#x}\nCPU part\t: {:#05x}\nCPU revision\t: {}\n\n",
        hwcap::names(&[&HWCAP, &HWCAP2], features),
        midr >> 24,
        midr >> 20 & 15,
        midr >> 4 & 0xfff,
        midr & 15
    )
}
