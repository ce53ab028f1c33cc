//! Linux on RISC-V: facts only. Numbers: the kernel's asm/hwcap.h, asm/hwprobe.h, asm/unistd.h (generic table), arch/riscv's documentation.

use crate::features as f;
use crate::state::{PC, PMLEN, SP, STATE32, STATE64, TP, x};
use crate::translate::helper::FREQUENCY;
use crate::translate::system::BLOCK;
use crate::{frame, layouts};
use arch::abi::{Debug, Signals, SyscallRegs, Vdso, VdsoSymbol};
use arch::layout::ILP32;
use arch::{Abi, Cpu, Property};

/// LP64 and ILP32.
pub const ABI64: Abi = Abi {
    long: 8,
    max_align: 16,
    syscall: SyscallRegs { rewind: rewind64, ..REGISTERS },
    structs: &[layouts::STRUCTS],
    table: "riscv64",
    task_size: TASK_SIZE64,
    signals: Signals { deliver: frame::deliver64, restore: frame::restore64, ..SIGNALS },
    debug: Debug { sets: frame::REGISTER_SETS64, ..DEBUG },
    vdso: Vdso { symbols: &VDSO64, ..VDSO },
    // The frame and its alignment (arch/riscv/kernel/signal.c, init_rt_signal_env).
    min_signal_stack: |features| Some(frame::size64(features) as u64 + 16),
    probe: |key, features| probe(key, true, features),
    pointer_mask: Some(PMLEN),
    ..ABI32
};

/// See [`ABI64`].
pub const ABI32: Abi = Abi {
    long: 4,
    big_endian: false,
    max_align: 8,
    even_pairs: false,
    short_offsets: false,
    syscall: REGISTERS,
    structs: &[layouts::STRUCTS, ILP32],
    values: layouts::VALUES,
    table: "riscv32",
    stack_pointer: x(SP),
    thread_pointer: x(TP),
    segments: None,
    branch_targets: None,
    pointer_mask: None,
    keys: &[],
    entropy: &[],
    task_size: TASK_SIZE32,
    page_size: 4096,
    clone_tls_first: true,
    signals: SIGNALS,
    debug: DEBUG,
    vdso: VDSO,
    old_programs_execute_data: false,
    min_signal_stack: |_| Some(frame::SIZE32 as u64 + 16),
    gate: None,
    vsyscall: None,
    gives_back_calls: true,
    probe: |key, features| probe(key, false, features),
};

/// CONFIG_PAGE_OFFSET, and half of Sv48.
const TASK_SIZE32: u64 = 0xc000_0000;
const TASK_SIZE64: u64 = 1 << 47;

const REGISTERS: SyscallRegs =
    SyscallRegs { number: x(17), args: [x(10), x(11), x(12), x(13), x(14), x(15)], result: x(10), rewind: rewind32 };

const DEBUG: Debug = Debug {
    sets: frame::REGISTER_SETS32,
    requests: &[],
    number_set: None,
    set_number: None,
    thread_area: None,
    descriptor: None,
    original: None,
    user_area: None,
    can_step: false,
};

const SIGNALS: Signals = Signals {
    deliver: frame::deliver32,
    restore: frame::restore32,
    trap,
    no_such_address: None,
    min_altstack: 2048,
    has_restorer: false,
    return_symbol: Some("__vdso_rt_sigreturn"),
};

/// EBREAK and C.EBREAK: SIGTRAP, TRAP_BRKPT.
fn trap(trap: ir::Trap, insn: &[u8], _: u64) -> Option<(u32, i32)> {
    if !matches!(trap, ir::Trap::Breakpoint | ir::Trap::Undefined) {
        return None;
    }
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
/// RISCV_HWPROBE_KEY_IMA_EXT_0, where it has one, for which width, and the features it needs.
const EXTENSIONS: [(&str, Option<u32>, [bool; 2], u64); 52] = [
    ("zicbom", Some(55), BOTH, f::ZICBOM),
    ("zicboz", Some(6), BOTH, f::ZICBOZ),
    ("zicntr", Some(50), BOTH, 0),
    ("zicond", Some(35), BOTH, f::ZICOND),
    ("zicsr", None, BOTH, 0),
    ("zifencei", None, BOTH, 0),
    ("zihintntl", Some(29), BOTH, 0),
    ("zihintpause", Some(36), BOTH, 0),
    ("zimop", Some(42), BOTH, f::ZIMOP),
    ("zmmul", None, BOTH, 0),
    ("zaamo", Some(56), BOTH, 0),
    ("zabha", Some(58), BOTH, f::ZABHA),
    ("zacas", Some(34), BOTH, f::ZACAS),
    ("zalrsc", Some(57), BOTH, 0),
    ("zawrs", Some(48), BOTH, f::ZAWRS),
    ("zfa", Some(32), BOTH, f::ZFA),
    ("zfh", Some(27), BOTH, f::ZFH),
    ("zfhmin", Some(28), BOTH, f::ZFHMIN),
    ("zca", Some(43), BOTH, 0),
    ("zcb", Some(44), BOTH, f::ZCB),
    ("zcd", Some(45), BOTH, 0),
    ("zcf", Some(46), NARROW, 0),
    ("zcmop", Some(47), BOTH, f::ZCMOP),
    ("zba", Some(3), BOTH, f::ZBA),
    ("zbb", Some(4), BOTH, f::ZBB),
    ("zbc", Some(7), BOTH, f::ZBC),
    ("zbkb", Some(8), BOTH, f::ZBK | f::ZBB),
    ("zbkc", Some(9), BOTH, f::ZBC),
    ("zbkx", Some(10), BOTH, f::ZBK),
    ("zbs", Some(5), BOTH, f::ZBS),
    ("zknd", Some(11), BOTH, f::ZKN),
    ("zkne", Some(12), BOTH, f::ZKN),
    ("zknh", Some(13), BOTH, f::ZKN),
    ("zksed", Some(14), BOTH, f::ZKS),
    ("zksh", Some(15), BOTH, f::ZKS),
    ("zvbb", Some(17), WIDE, f::V | f::ZVBB),
    ("zvbc", Some(18), WIDE, f::V | f::ZVBC),
    ("zve32f", Some(38), WIDE, f::V),
    ("zve32x", Some(37), WIDE, f::V),
    ("zve64d", Some(41), WIDE, f::V),
    ("zve64f", Some(40), WIDE, f::V),
    ("zve64x", Some(39), WIDE, f::V),
    ("zvfh", Some(30), WIDE, f::V | f::ZVFH),
    ("zvfhmin", Some(31), WIDE, f::V | f::ZVFH),
    ("zvkb", Some(19), WIDE, f::V | f::ZVBB),
    ("zvkg", Some(20), WIDE, f::V | f::ZVKG),
    ("zvkned", Some(21), WIDE, f::V | f::ZVKNED),
    ("zvknha", Some(22), WIDE, f::V | f::ZVKNH),
    ("zvknhb", Some(23), WIDE, f::V | f::ZVKNH),
    ("zvksed", Some(24), WIDE, f::V | f::ZVKSED),
    ("zvksh", Some(25), WIDE, f::V | f::ZVKSH),
    // Linux names what of the privileged architecture gives it.
    ("ssnpm", Some(49), WIDE, f::SUPM),
];

/// The single letters of a processor with these features.
fn letters(features: u64) -> &'static str {
    if features & f::V != 0 { "imafdcv" } else { "imafdc" }
}

/// AT_HWCAP: a bit for each letter.
pub fn hwcap(features: u64) -> [u64; 3] {
    [letters(features).bytes().fold(0, |all, letter| all | 1 << (letter - b'a')), 0, 0]
}

/// The extensions of a processor with these features.
fn extensions(wide: bool, features: u64) -> impl Iterator<Item = (&'static str, Option<u32>)> {
    EXTENSIONS.iter().filter(move |e| e.2[usize::from(wide)] && e.3 & !features == 0).map(|e| (e.0, e.1))
}

/// riscv_hwprobe(2): the value of a key.
fn probe(key: u64, wide: bool, features: u64) -> Option<u64> {
    Some(match key {
        // Vendor, architecture, implementation; extensions of a vendor.
        0..=2 | 11 => 0,
        // IMA.
        3 => 1,
        // RISCV_HWPROBE_KEY_IMA_EXT_0: F and D, C, V, and the extensions.
        4 => {
            let v = if features & f::V != 0 { 4 } else { 0 };
            extensions(wide, features).filter_map(|e| e.1).fold(3 | v, |all, bit| all | 1 << bit)
        }
        // Misaligned accesses are fast.
        5 | 9 => 3,
        // Bytes of a CBO.ZERO, of a CBO.CLEAN.
        6 | 12 => BLOCK,
        // The highest address.
        7 => {
            if wide {
                TASK_SIZE64 - 1
            } else {
                TASK_SIZE32 - 1
            }
        }
        // The frequency of `time`.
        8 => FREQUENCY,
        // Misaligned vector accesses: fast, or not supported.
        10 => {
            if features & f::V != 0 {
                3
            } else {
                4
            }
        }
        _ => return None,
    })
}

const fn model(name: &'static str, features: u64) -> Cpu {
    Cpu { name, features, platform: "" }
}

/// Models, named as QEMU names them.
pub static CPUS32: [Cpu; 2] = [model("max", f::MAX32), model("sifive-u34", 0)];

/// See [`CPUS32`].
pub static CPUS64: [Cpu; 4] =
    [model("max", f::MAX), model("rva23u64", f::RVA23U64), model("rva22u64", f::RVA22U64), model("sifive-u54", 0)];

const fn property(name: &'static str, features: u64) -> Property {
    Property { name, features, sets: true, values: &[] }
}

/// How many of the properties, the first ones, are about vectors, which RV32 has not got.
pub const VECTOR_PROPERTIES: usize = 8;

/// Properties, named as QEMU names them.
pub static PROPERTIES: [Property; 26] = [
    property("v", f::V),
    property("zvfh", f::ZVFH),
    Property { name: "vlen", features: f::VLEN, sets: true, values: f::VLENS },
    property("zvbb", f::ZVBB),
    property("zvbc", f::ZVBC),
    property("zvkg", f::ZVKG),
    property("zvkn", f::ZVKN),
    property("zvks", f::ZVKS),
    property("zba", f::ZBA),
    property("zbb", f::ZBB),
    property("zbs", f::ZBS),
    property("zbc", f::ZBC),
    property("zkn", f::ZKN),
    property("zks", f::ZKS),
    property("zicond", f::ZICOND),
    property("zimop", f::ZIMOP),
    property("zcmop", f::ZCMOP),
    property("zcb", f::ZCB),
    property("zfa", f::ZFA),
    property("zfh", f::ZFH),
    property("zacas", f::ZACAS),
    property("zabha", f::ZABHA),
    property("zawrs", f::ZAWRS),
    property("zicbom", f::ZICBOM),
    property("zicboz", f::ZICBOZ),
    property("supm", f::SUPM),
];

fn cpuinfo(n: usize, wide: bool, features: u64) -> String {
    let names: Vec<&str> = extensions(wide, features).map(|e| e.0).collect();
    let (base, mmu) = if wide { ("rv64", "sv48") } else { ("rv32", "sv32") };
    let isa = format!("{base}{}_{}", letters(features), names.join("_"));
    format!(
        "processor\t: {n}\nhart\t\t: {n}\nisa\t\t: {isa}\nmmu\t\t: {mmu}\nmvendorid\t: 0x0\nmarchid\t\t: 0x0\nmimpid\t\t: 0x0\nhart isa\t: {isa}\n\n"
    )
}

pub fn cpuinfo32(n: usize, features: u64) -> String {
    cpuinfo(n, false, features)
}

pub fn cpuinfo64(n: usize, features: u64) -> String {
    cpuinfo(n, true, features)
}
