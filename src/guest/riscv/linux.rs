//! Linux on RISC-V: facts only. Numbers: the kernel's asm/hwcap.h, asm/hwprobe.h, asm/unistd.h (generic table), arch/riscv's documentation.

use crate::state::{PC, SP, STATE32, STATE64, TP, x};
use crate::translate::helper::FREQUENCY;
use crate::translate::system::BLOCK;
use crate::{frame, layouts};
use arch::abi::{Signals, SyscallRegs, Vdso, VdsoSymbol};
use arch::layout::ILP32;
use arch::{Abi, Cpu};

/// LP64 and ILP32.
pub const ABI64: Abi = Abi {
    long: 8,
    max_align: 16,
    syscall: SyscallRegs { rewind: rewind64, ..REGISTERS },
    structs: &[layouts::STRUCTS],
    table: "riscv64",
    task_size: TASK_SIZE64,
    signals: Signals { deliver: frame::deliver64, restore: frame::restore64, ..SIGNALS },
    vdso: Vdso { symbols: &VDSO64, ..VDSO },
    // The frame and its alignment (arch/riscv/kernel/signal.c, init_rt_signal_env).
    min_signal_stack: Some(frame::SIZE64 as u64 + 16),
    probes: &PROBES64,
    ..ABI32
};

/// See [`ABI64`].
pub const ABI32: Abi = Abi {
    long: 4,
    big_endian: false,
    max_align: 8,
    even_pairs: false,
    syscall: REGISTERS,
    structs: &[layouts::STRUCTS, ILP32],
    values: layouts::VALUES,
    table: "riscv32",
    stack_pointer: x(SP),
    thread_pointer: x(TP),
    branch_targets: None,
    keys: &[],
    entropy: &[],
    task_size: TASK_SIZE32,
    page_size: 4096,
    clone_tls_first: true,
    signals: SIGNALS,
    vdso: VDSO,
    old_programs_execute_data: false,
    min_signal_stack: Some(frame::SIZE32 as u64 + 16),
    probes: &PROBES32,
};

/// CONFIG_PAGE_OFFSET, and half of Sv48.
const TASK_SIZE32: u64 = 0xc000_0000;
const TASK_SIZE64: u64 = 1 << 47;

const REGISTERS: SyscallRegs =
    SyscallRegs { number: x(17), args: [x(10), x(11), x(12), x(13), x(14), x(15)], result: x(10), rewind: rewind32 };

const SIGNALS: Signals = Signals {
    deliver: frame::deliver32,
    restore: frame::restore32,
    breakpoint,
    min_altstack: 2048,
    has_restorer: false,
    return_symbol: Some("__vdso_rt_sigreturn"),
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

/// See [`rewind64`].
fn rewind32(state: &mut [u8]) {
    let pc = STATE32.get(state, PC);
    STATE32.set(state, PC, pc.wrapping_sub(4) & 0xffff_ffff);
}

const ECALL: u32 = 0x0000_0073;
const RET: u32 = 0x0000_8067;

/// li a7, number
const fn number(n: u32) -> u32 {
    0x0000_0893 | n << 20
}

/// Functions of the vDSO: plain calls. Unwinders know the return code by its two instructions.
const VDSO: Vdso = Vdso { soname: "linux-vdso.so.1", version: "LINUX_4.15", symbols: &VDSO32, pages: &[] };

const VDSO32: [VdsoSymbol; 4] = [
    VdsoSymbol { name: "__vdso_rt_sigreturn", code: &[number(139), ECALL] },
    VdsoSymbol { name: "__vdso_getcpu", code: &[number(168), ECALL, RET] },
    VdsoSymbol { name: "__vdso_flush_icache", code: &[number(259), ECALL, RET] },
    VdsoSymbol { name: "__vdso_riscv_hwprobe", code: &[number(258), ECALL, RET] },
];

/// RV64 has the clock, too.
const VDSO64: [VdsoSymbol; 7] = {
    let [rt_sigreturn, getcpu, flush_icache, hwprobe] = VDSO32;
    [
        rt_sigreturn,
        getcpu,
        flush_icache,
        hwprobe,
        VdsoSymbol { name: "__vdso_gettimeofday", code: &[number(169), ECALL, RET] },
        VdsoSymbol { name: "__vdso_clock_gettime", code: &[number(113), ECALL, RET] },
        VdsoSymbol { name: "__vdso_clock_getres", code: &[number(114), ECALL, RET] },
    ]
};

/// Whether RV32 and RV64 have an extension.
const BOTH: [bool; 2] = [true, true];
const WIDE: [bool; 2] = [false, true];
const NARROW: [bool; 2] = [true, false];

/// What is implemented beyond single letters: the name in /proc/cpuinfo, in the order that the manual asks for, the bit in
/// RISCV_HWPROBE_KEY_IMA_EXT_0, where it has one, and for which width.
const EXTENSIONS: [(&str, Option<u32>, [bool; 2]); 33] = [
    ("zicbom", Some(55), BOTH),
    ("zicboz", Some(6), BOTH),
    ("zicntr", Some(50), BOTH),
    ("zicond", Some(35), BOTH),
    ("zicsr", None, BOTH),
    ("zifencei", None, BOTH),
    ("zihintntl", Some(29), BOTH),
    ("zihintpause", Some(36), BOTH),
    ("zimop", Some(42), BOTH),
    ("zmmul", None, BOTH),
    ("zaamo", Some(56), BOTH),
    ("zabha", Some(58), BOTH),
    ("zacas", Some(34), BOTH),
    ("zalrsc", Some(57), BOTH),
    ("zawrs", Some(48), BOTH),
    ("zfa", Some(32), BOTH),
    ("zfh", Some(27), BOTH),
    ("zfhmin", Some(28), BOTH),
    ("zca", Some(43), BOTH),
    ("zcb", Some(44), BOTH),
    ("zcd", Some(45), BOTH),
    ("zcf", Some(46), NARROW),
    ("zcmop", Some(47), BOTH),
    ("zba", Some(3), BOTH),
    ("zbb", Some(4), BOTH),
    ("zbc", Some(7), BOTH),
    ("zbkb", Some(8), WIDE),
    ("zbkc", Some(9), BOTH),
    ("zbkx", Some(10), BOTH),
    ("zbs", Some(5), BOTH),
    ("zknd", Some(11), WIDE),
    ("zkne", Some(12), WIDE),
    ("zknh", Some(13), WIDE),
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
const fn extensions(wide: bool) -> u64 {
    let (mut all, mut i) = (1 << 0 | 1 << 1, 0);
    while i < EXTENSIONS.len() {
        if let (_, Some(bit), has) = EXTENSIONS[i]
            && has[wide as usize]
        {
            all |= 1 << bit;
        }
        i += 1;
    }
    all
}

static PROBES32: [u64; 13] = probes(false);
static PROBES64: [u64; 13] = probes(true);

/// riscv_hwprobe(2): keys from 0 on. Vendor, architecture and implementation; IMA; extensions; misaligned accesses are fast; bytes of
/// a CBO.ZERO; the highest address; the frequency of `time`; misaligned scalar accesses again, vector ones (not supported); extensions
/// of a vendor; bytes of a CBO.CLEAN.
const fn probes(wide: bool) -> [u64; 13] {
    let last = if wide { TASK_SIZE64 } else { TASK_SIZE32 } - 1;
    [0, 0, 0, 1, extensions(wide), 3, BLOCK, last, FREQUENCY, 3, 4, 0, BLOCK]
}

/// Everything that is implemented.
pub static CPUS32: [Cpu; 1] =
    [Cpu { name: "max", features: 0, hwcap: [hwcap(), 0, 0], platform: "", cpuinfo: cpuinfo32 }];

/// See [`CPUS32`].
pub static CPUS64: [Cpu; 1] =
    [Cpu { name: "max", features: 0, hwcap: [hwcap(), 0, 0], platform: "", cpuinfo: cpuinfo64 }];

fn cpuinfo(n: usize, wide: bool) -> String {
    let names: Vec<&str> = EXTENSIONS.iter().filter(|e| e.2[usize::from(wide)]).map(|e| e.0).collect();
    let (base, mmu) = if wide { ("rv64", "sv48") } else { ("rv32", "sv32") };
    let isa = format!("{base}{LETTERS}_{}", names.join("_"));
    format!(
        "processor\t: {n}\nhart\t\t: {n}\nisa\t\t: {isa}\nmmu\t\t: {mmu}\nmvendorid\t: 0x0\nmarchid\t\t: 0x0\nmimpid\t\t: 0x0\nhart isa\t: {isa}\n\n"
    )
}

fn cpuinfo32(n: usize) -> String {
    cpuinfo(n, false)
}

fn cpuinfo64(n: usize) -> String {
    cpuinfo(n, true)
}
