//! Linux on RISC-V: facts only. Numbers: the kernel's asm/hwcap.h, asm/hwprobe.h, asm/unistd.h (generic table), arch/riscv's documentation.

use crate::state::{PC, SP, STATE64, TP, x};
use crate::translate::helper::FREQUENCY;
use crate::translate::system::BLOCK;
use crate::{frame, layouts};
use arch::abi::{Signals, SyscallRegs, Vdso, VdsoSymbol};
use arch::{Abi, Cpu};

/// LP64.
pub static ABI64: Abi = Abi {
    long: 8,
    big_endian: false,
    max_align: 16,
    even_pairs: false,
    syscall: SyscallRegs {
        number: x(17),
        args: [x(10), x(11), x(12), x(13), x(14), x(15)],
        result: x(10),
        rewind: rewind64,
    },
    structs: &[layouts::STRUCTS],
    values: layouts::VALUES,
    table: "riscv64",
    stack_pointer: x(SP),
    thread_pointer: x(TP),
    branch_targets: None,
    keys: &[],
    entropy: &[],
    // Sv48.
    task_size: 1 << 47,
    page_size: 4096,
    clone_tls_first: true,
    signals: Signals {
        deliver: frame::deliver64,
        restore: frame::restore64,
        breakpoint,
        min_altstack: 2048,
        has_restorer: false,
        return_symbol: Some("__vdso_rt_sigreturn"),
    },
    vdso: VDSO,
    old_programs_execute_data: false,
    // The frame and its alignment (arch/riscv/kernel/signal.c, init_rt_signal_env).
    min_signal_stack: Some(frame::SIZE64 as u64 + 16),
    probes: &PROBES,
};

/// EBREAK and C.EBREAK: SIGTRAP, TRAP_BRKPT.
fn breakpoint(insn: &[u8], _: u64) -> Option<(u32, i32)> {
    let half = u16::from_le_bytes(*insn.first_chunk()?);
    let word = insn.first_chunk().map(|w| u32::from_le_bytes(*w));
    (half == 0x9002 || word == Some(0x0010_0073)).then_some((5, 1))
}

/// ECALL has four bytes.
fn rewind64(state: &mut [u8]) {
    let pc = STATE64.get(state, PC);
    STATE64.set(state, PC, pc.wrapping_sub(4));
}

const ECALL: u32 = 0x0000_0073;
const RET: u32 = 0x0000_8067;

/// li a7, number
const fn number(n: u32) -> u32 {
    0x0000_0893 | n << 20
}

/// Functions of the vDSO: plain calls. Unwinders know the return code by its two instructions.
const VDSO: Vdso = Vdso {
    soname: "linux-vdso.so.1",
    version: "LINUX_4.15",
    symbols: &[
        VdsoSymbol { name: "__vdso_rt_sigreturn", code: &[number(139), ECALL] },
        VdsoSymbol { name: "__vdso_gettimeofday", code: &[number(169), ECALL, RET] },
        VdsoSymbol { name: "__vdso_clock_gettime", code: &[number(113), ECALL, RET] },
        VdsoSymbol { name: "__vdso_clock_getres", code: &[number(114), ECALL, RET] },
        VdsoSymbol { name: "__vdso_getcpu", code: &[number(168), ECALL, RET] },
        VdsoSymbol { name: "__vdso_flush_icache", code: &[number(259), ECALL, RET] },
        VdsoSymbol { name: "__vdso_riscv_hwprobe", code: &[number(258), ECALL, RET] },
    ],
    pages: &[],
};

/// What is implemented beyond single letters: the name in /proc/cpuinfo, in the order that the manual asks for, and the bit in
/// RISCV_HWPROBE_KEY_IMA_EXT_0, where it has one.
const EXTENSIONS: [(&str, Option<u32>); 32] = [
    ("zicbom", Some(55)),
    ("zicboz", Some(6)),
    ("zicntr", Some(50)),
    ("zicond", Some(35)),
    ("zicsr", None),
    ("zifencei", None),
    ("zihintntl", Some(29)),
    ("zihintpause", Some(36)),
    ("zimop", Some(42)),
    ("zmmul", None),
    ("zaamo", Some(56)),
    ("zabha", Some(58)),
    ("zacas", Some(34)),
    ("zalrsc", Some(57)),
    ("zawrs", Some(48)),
    ("zfa", Some(32)),
    ("zfh", Some(27)),
    ("zfhmin", Some(28)),
    ("zca", Some(43)),
    ("zcb", Some(44)),
    ("zcd", Some(45)),
    ("zcmop", Some(47)),
    ("zba", Some(3)),
    ("zbb", Some(4)),
    ("zbc", Some(7)),
    ("zbkb", Some(8)),
    ("zbkc", Some(9)),
    ("zbkx", Some(10)),
    ("zbs", Some(5)),
    ("zknd", Some(11)),
    ("zkne", Some(12)),
    ("zknh", Some(13)),
];

const LETTERS: &str = "imafdc";

/// AT_HWCAP: a bit for each letter.
const fn hwcap() -> u64 {
    let (mut all, mut i) = (0, 0);
    while i < LETTERS.len() {
        all |= 1 << (LETTERS.as_bytes()[i] - b'a');
        i += 1;
    }
    all
}

/// RISCV_HWPROBE_KEY_IMA_EXT_0: F and D, C, and the extensions.
const fn extensions() -> u64 {
    let (mut all, mut i) = (1 << 0 | 1 << 1, 0);
    while i < EXTENSIONS.len() {
        if let Some(bit) = EXTENSIONS[i].1 {
            all |= 1 << bit;
        }
        i += 1;
    }
    all
}

/// riscv_hwprobe(2): keys from 0 on. Vendor, architecture and implementation; IMA; extensions; misaligned accesses are fast; bytes of
/// a CBO.ZERO; the highest address; the frequency of `time`; misaligned scalar accesses again, vector ones (not supported); extensions of a vendor;
/// bytes of a CBO.CLEAN.
static PROBES: [u64; 13] = [0, 0, 0, 1, extensions(), 3, BLOCK, (1 << 47) - 1, FREQUENCY, 3, 4, 0, BLOCK];

/// Everything that is implemented.
pub static CPUS64: [Cpu; 1] =
    [Cpu { name: "max", features: 0, hwcap: [hwcap(), 0, 0], platform: "", cpuinfo: cpuinfo64 }];

fn cpuinfo64(n: usize) -> String {
    let names: Vec<&str> = EXTENSIONS.iter().map(|e| e.0).collect();
    let isa = format!("rv64{LETTERS}_{}", names.join("_"));
    format!(
        "processor\t: {n}\nhart\t\t: {n}\nisa\t\t: {isa}\nmmu\t\t: sv48\nmvendorid\t: 0x0\nmarchid\t\t: 0x0\nmimpid\t\t: 0x0\nhart isa\t: {isa}\n\n"
    )
}
