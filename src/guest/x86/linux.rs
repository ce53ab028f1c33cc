//! Linux on x86: facts only. Numbers: the kernel's asm/unistd.h, asm/segment.h, asm/cpufeatures.h, arch/x86's documentation; the manuals' CPUID.

use crate::features as f;
use crate::state::{
    FS, FS_BASE, GS, GS_BASE, PC, RANDOM, RAX, RBP, RBX, RCX, RDI, RDX, RSI, RSP, STATE32, STATE64, r, selector, tls,
};
use crate::translate::{operand, vsyscall};
use crate::{frame, insn, layouts, segments, xsave};
use arch::abi::{Gate, SI_KERNEL, Segments, Signals, SyscallRegs, Vdso, VdsoSymbol};
use arch::layout::{ILP32, X86_64};
use arch::{Abi, Cpu, Property};
use ir::{Slot, Trap};

pub(crate) const USER_CS64: u64 = 0x33;
pub(crate) const USER_CS32: u64 = 0x23;
pub(crate) const USER_DS: u64 = 0x2b;
/// A thread's entries in the GDT (asm/segment.h, GDT_ENTRY_TLS_MIN), where a 64-bit kernel has them.
pub(crate) const FIRST_TLS: u32 = 12;
pub(crate) const TLS_ENTRIES: u32 = 3;

/// LP64.
pub const ABI64: Abi = Abi {
    long: 8,
    max_align: 16,
    syscall: SyscallRegs {
        number: r(RAX),
        args: [r(RDI), r(RSI), r(RDX), r(10), r(8), r(9)],
        result: r(RAX),
        rewind: rewind64,
    },
    short_offsets: false,
    structs: &[X86_64],
    table: "x86_64",
    thread_pointer: FS_BASE,
    segments: Some(Segments { thread_descriptors: false, reload: segments::reload64, ..SEGMENTS }),
    // One page below the canonical half.
    task_size: (1 << 47) - 4096,
    signals: SIGNALS64,
    vdso: Vdso { soname: "linux-vdso.so.1", version: "LINUX_2.6", symbols: &VDSO64, pages: &[] },
    old_programs_execute_data: false,
    min_signal_stack: |features| Some(frame::size64(xcr0(features))),
    debug: frame::DEBUG64,
    gate: Some(&GATE),
    vsyscall: Some(vsyscall::PAGE),
    gives_back_calls: true,
    ..ABI32
};

/// INT 0x80 in 64-bit code: i386's calls, of whose arguments the low halves count. Handlers are those of 64-bit programs.
static GATE: Gate = Gate {
    // EM_386.
    machine: 3,
    abi: Abi {
        syscall: SyscallRegs { rewind: rewind64, ..ABI32.syscall },
        segments: Some(Segments { reload: segments::reload64, ..SEGMENTS }),
        signals: SIGNALS64,
        ..ABI32
    },
};

/// ILP32 without the larger alignments of others.
pub const ABI32: Abi = Abi {
    long: 4,
    big_endian: false,
    max_align: 4,
    even_pairs: false,
    short_offsets: true,
    syscall: SyscallRegs {
        number: r(RAX),
        args: [r(RBX), r(RCX), r(RDX), r(RSI), r(RDI), r(RBP)],
        result: r(RAX),
        rewind: rewind32,
    },
    structs: &[layouts::STRUCTS32, ILP32],
    values: &[],
    table: "i386",
    stack_pointer: r(RSP),
    thread_pointer: GS_BASE,
    segments: Some(SEGMENTS),
    branch_targets: None,
    pointer_mask: None,
    keys: &[],
    entropy: &ENTROPY,
    // As under a 64-bit kernel.
    task_size: 0xffff_e000,
    page_size: 4096,
    clone_tls_first: true,
    signals: SIGNALS,
    vdso: Vdso { soname: "linux-gate.so.1", version: "LINUX_2.5", symbols: &VDSO32, pages: &[] },
    old_programs_execute_data: true,
    min_signal_stack: |features| Some(frame::size32(xcr0(features))),
    debug: frame::DEBUG32,
    gate: None,
    vsyscall: None,
    gives_back_calls: true,
    probe: |_, _| None,
};

static ENTROPY: [Slot; 2] = [RANDOM[0], RANDOM[1]];

const SEGMENTS: Segments = Segments {
    fs: [FS_BASE, selector(FS)],
    gs: [GS_BASE, selector(GS)],
    tls: &TLS,
    first_tls: FIRST_TLS,
    ldt: &segments::LDT,
    reload: segments::reload32,
    thread_descriptors: true,
};

static TLS: [Slot; TLS_ENTRIES as usize] = [tls(0), tls(1), tls(2)];

const SIGNALS: Signals = Signals {
    deliver: frame::deliver32,
    restore: frame::restore32,
    trap,
    no_such_address: Some(|_, _, _| SIGSEGV),
    min_altstack: 2048,
    has_restorer: true,
    return_symbol: Some("__kernel_rt_sigreturn"),
};

const SIGNALS64: Signals =
    Signals { deliver: frame::deliver64, restore: frame::restore64, no_such_address: Some(no_such_address), ..SIGNALS };

const SIGTRAP: u32 = 5;
const SIGBUS: u32 = 7;
const SIGSEGV: u32 = 11;

/// INT3 and protection faults come without an address; a division's address is the kernel's own affair.
fn trap(trap: Trap, _: &[u8], _: u64) -> Option<(u32, i32)> {
    match trap {
        Trap::Breakpoint => Some((SIGTRAP, SI_KERNEL)),
        Trap::Privileged | Trap::Align => Some((SIGSEGV, SI_KERNEL)),
        Trap::NotPresent => Some((SIGBUS, SI_KERNEL)),
        // ILL_ILLOPN: the kernel's do_trap of an invalid opcode.
        Trap::Undefined | Trap::Unimplemented => Some((4, 2)),
        _ => None,
    }
}

/// An access to an address that is not canonical is a fault of the stack's segment if that is where it goes (SDM vol. 1, 3.7.4): by the stack pointer
/// or with it or RBP as its base.
fn no_such_address(insn: &[u8], pc: u64, state: &[u8]) -> u32 {
    let is_stack = insn::decode(insn, pc, 64).is_some_and(|i| operand::leaves_stack(&i, state));
    if is_stack { SIGBUS } else { SIGSEGV }
}

/// SYSCALL has two bytes.
fn rewind64(state: &mut [u8]) {
    let pc = STATE64.get(state, PC);
    STATE64.set(state, PC, pc.wrapping_sub(2));
}

/// So has INT 0x80.
fn rewind32(state: &mut [u8]) {
    let pc = STATE32.get(state, PC);
    STATE32.set(state, PC, pc.wrapping_sub(2) & 0xffff_ffff);
}

/// mov eax, number; syscall; ret
const fn call64(number: u32) -> [u32; 2] {
    [0xb8 | number << 8, 0xc305_0f00 | number >> 24]
}

static VDSO64: [VdsoSymbol; 5] = [
    VdsoSymbol { name: "__vdso_clock_gettime", code: &call64(228) },
    VdsoSymbol { name: "__vdso_gettimeofday", code: &call64(96) },
    VdsoSymbol { name: "__vdso_clock_getres", code: &call64(229) },
    VdsoSymbol { name: "__vdso_time", code: &call64(201) },
    VdsoSymbol { name: "__vdso_getcpu", code: &call64(309) },
];

/// pop eax; mov eax, 119; int 0x80; and the same without the pop for 173. Unwinders know them by their bytes.
static VDSO32: [VdsoSymbol; 3] = [
    // int 0x80; ret: C libraries make most calls by it.
    VdsoSymbol { name: "__kernel_vsyscall", code: &[0x00c3_80cd] },
    VdsoSymbol { name: "__kernel_sigreturn", code: &[0x0077_b858, 0x80cd_0000] },
    // With the other once more behind it: see `OLD_RETURN`.
    VdsoSymbol { name: "__kernel_rt_sigreturn", code: &[0x0000_adb8, 0x0080_cd00, 0x0077_b858, 0x80cd_0000] },
];

/// How far behind the code that handlers return to the code stands to which they return from the older frame.
pub(crate) const OLD_RETURN: u64 = 8;

const fn model(name: &'static str, features: u64, platform: &'static str) -> Cpu {
    Cpu { name, features, platform }
}

/// What the kernel enables of what a processor's XSAVE can keep.
pub(crate) fn xcr0(features: u64) -> u64 {
    let avx = if features & f::AVX != 0 { xsave::AVX } else { 0 };
    let avx512 = if features & f::AVX512F != 0 { xsave::AVX512 } else { 0 };
    if features & f::XSAVE != 0 { xsave::X87 | xsave::SSE | avx | avx512 } else { 0 }
}

/// Models, named as QEMU names them, and x86-64's levels. What a model has of transactions is left out.
pub static CPUS64: [Cpu; 17] = [
    model("max", f::MAX, "x86_64"),
    model("qemu64", f::QEMU64, "x86_64"),
    model("core2duo", f::CORE2, "x86_64"),
    model("Penryn", f::PENRYN, "x86_64"),
    model("Nehalem", f::NEHALEM, "x86_64"),
    model("Westmere", f::WESTMERE, "x86_64"),
    model("SandyBridge", f::SANDY_BRIDGE, "x86_64"),
    model("IvyBridge", f::IVY_BRIDGE, "x86_64"),
    model("Haswell", f::HASWELL, "x86_64"),
    model("Broadwell", f::BROADWELL, "x86_64"),
    model("Skylake-Client", f::SKYLAKE, "x86_64"),
    model("Skylake-Server", f::SKYLAKE_SERVER, "x86_64"),
    model("Icelake-Server", f::ICELAKE_SERVER, "x86_64"),
    model("x86-64-v1", f::QEMU64, "x86_64"),
    model("x86-64-v2", f::NEHALEM, "x86_64"),
    model("x86-64-v3", f::HASWELL, "x86_64"),
    model("x86-64-v4", f::V4, "x86_64"),
];

/// See [`CPUS64`].
pub static CPUS32: [Cpu; 12] = [
    model("max", f::MAX, "i686"),
    model("486", 0, "i486"),
    model("pentium", f::PENTIUM, "i586"),
    model("pentium2", f::PENTIUM2, "i686"),
    model("pentium3", f::PENTIUM3, "i686"),
    model("qemu32", f::QEMU32, "i686"),
    model("core2duo", f::CORE2, "i686"),
    model("Nehalem", f::NEHALEM, "i686"),
    model("Westmere", f::WESTMERE, "i686"),
    model("SandyBridge", f::SANDY_BRIDGE, "i686"),
    model("Haswell", f::HASWELL, "i686"),
    model("Skylake-Client", f::SKYLAKE, "i686"),
];

/// Properties, named as QEMU names them.
pub static PROPERTIES: [Property; 1] = [property("cx16", f::CX16)];

/// The same for 64 bits, where AVX-512 is.
pub static PROPERTIES64: [Property; 13] = [
    property("cx16", f::CX16),
    property("avx512f", f::AVX512F),
    property("avx512bw", f::AVX512BW),
    property("avx512cd", f::AVX512CD),
    property("avx512dq", f::AVX512DQ),
    property("avx512vl", f::AVX512VL),
    property("avx512ifma", f::AVX512_IFMA),
    property("avx512vbmi", f::AVX512_VBMI),
    property("avx512vbmi2", f::AVX512_VBMI2),
    property("avx512vnni", f::AVX512_VNNI),
    property("avx512bitalg", f::AVX512_BITALG),
    property("avx512-vpopcntdq", f::AVX512_VPOPCNTDQ),
    property("gfni", f::GFNI),
];

const fn property(name: &'static str, features: u64) -> Property {
    Property { name, features, sets: true, values: &[] }
}

/// A feature in CPUID: leaf, register (EAX to EDX), bit; its name in /proc/cpuinfo; what of the model it needs; whether it is for 64-bit mode alone.
struct Flag {
    leaf: u32,
    register: usize,
    bit: u32,
    name: &'static str,
    needs: u64,
    long: bool,
}

const fn flag(leaf: u32, register: usize, bit: u32, name: &'static str, needs: u64) -> Flag {
    Flag { leaf, register, bit, name, needs, long: false }
}

const fn long_flag(leaf: u32, register: usize, bit: u32, name: &'static str, needs: u64) -> Flag {
    Flag { long: true, ..flag(leaf, register, bit, name, needs) }
}

/// In the order of /proc/cpuinfo.
const FLAGS: &[Flag] = &[
    flag(1, 3, 0, "fpu", 0),
    flag(1, 3, 4, "tsc", f::TSC),
    flag(1, 3, 8, "cx8", f::CX8),
    flag(1, 3, 15, "cmov", f::CMOV),
    flag(1, 3, 19, "clflush", f::SSE2),
    flag(1, 3, 23, "mmx", f::MMX),
    flag(1, 3, 24, "fxsr", f::FXSR),
    flag(1, 3, 25, "sse", f::SSE),
    flag(1, 3, 26, "sse2", f::SSE2),
    long_flag(EXTENDED | 1, 3, 11, "syscall", f::LONG),
    flag(EXTENDED | 1, 3, 20, "nx", f::SSE2),
    flag(EXTENDED | 1, 3, 27, "rdtscp", f::RDTSCP),
    long_flag(EXTENDED | 1, 3, 29, "lm", f::LONG),
    flag(1, 2, 0, "pni", f::SSE3),
    flag(1, 2, 1, "pclmulqdq", f::PCLMUL),
    flag(1, 2, 9, "ssse3", f::SSSE3),
    flag(1, 2, 12, "fma", f::FMA),
    long_flag(1, 2, 13, "cx16", f::CX16),
    flag(1, 2, 19, "sse4_1", f::SSE41),
    flag(1, 2, 20, "sse4_2", f::SSE42),
    flag(1, 2, 22, "movbe", f::MOVBE),
    flag(1, 2, 23, "popcnt", f::POPCNT),
    flag(1, 2, 25, "aes", f::AES),
    flag(1, 2, 26, "xsave", f::XSAVE),
    // OSXSAVE, which is not shown.
    flag(1, 2, 27, "", f::XSAVE),
    flag(1, 2, 28, "avx", f::AVX),
    flag(1, 2, 29, "f16c", f::F16C),
    flag(1, 2, 30, "rdrand", f::RDRAND),
    flag(EXTENDED | 1, 2, 0, "lahf_lm", f::LAHF),
    flag(EXTENDED | 1, 2, 5, "abm", f::LZCNT),
    long_flag(7, 1, 0, "fsgsbase", f::FSGSBASE),
    flag(7, 1, 3, "bmi1", f::BMI1),
    flag(7, 1, 5, "avx2", f::AVX2),
    flag(7, 1, 8, "bmi2", f::BMI2),
    long_flag(7, 1, 16, "avx512f", f::AVX512F),
    long_flag(7, 1, 17, "avx512dq", f::AVX512DQ | f::AVX512F),
    flag(7, 1, 18, "rdseed", f::RDSEED),
    flag(7, 1, 19, "adx", f::ADX),
    long_flag(7, 1, 21, "avx512ifma", f::AVX512_IFMA | f::AVX512F),
    flag(7, 1, 23, "clflushopt", f::CLFLUSHOPT),
    flag(7, 1, 24, "clwb", f::CLWB),
    long_flag(7, 1, 28, "avx512cd", f::AVX512CD | f::AVX512F),
    flag(7, 1, 29, "sha_ni", f::SHA),
    long_flag(7, 1, 30, "avx512bw", f::AVX512BW | f::AVX512F),
    long_flag(7, 1, 31, "avx512vl", f::AVX512VL | f::AVX512F),
    flag(XSAVE_LEAF, 0, 0, "xsaveopt", f::XSAVEOPT),
    flag(XSAVE_LEAF, 0, 1, "xsavec", f::XSAVEC),
    flag(XSAVE_LEAF, 0, 2, "xgetbv1", f::XSAVEC),
    long_flag(7, 2, 1, "avx512vbmi", f::AVX512_VBMI | f::AVX512F),
    long_flag(7, 2, 6, "avx512_vbmi2", f::AVX512_VBMI2 | f::AVX512F),
    flag(7, 2, 8, "gfni", f::GFNI),
    flag(7, 2, 9, "vaes", f::VAES),
    flag(7, 2, 10, "vpclmulqdq", f::VAES),
    long_flag(7, 2, 11, "avx512_vnni", f::AVX512_VNNI | f::AVX512F),
    long_flag(7, 2, 12, "avx512_bitalg", f::AVX512_BITALG | f::AVX512F),
    long_flag(7, 2, 14, "avx512_vpopcntdq", f::AVX512_VPOPCNTDQ | f::AVX512F),
    flag(7, 2, 22, "rdpid", f::RDPID),
];

/// x87 keeps no selectors, and the address of an operand only when an exception comes of it.
const NO_FCS: u32 = 1 << 13;
const NO_FDP: u32 = 1 << 6;
const EXTENDED: u32 = 0x8000_0000;
/// What XSAVE keeps and where; its second part has features.
const XSAVE_LEAF: u32 = 13;
const VENDOR: &str = "GenuineIntel";
const BRAND: &str = "rqemu virtual processor";
/// Family 6, a model without quirks.
const SIGNATURE: u32 = 0x0006_06a1;

fn has(flag: &Flag, features: u64, long: bool) -> bool {
    flag.needs & !features == 0 && (long || !flag.long)
}

/// EAX to EDX of a leaf.
pub(crate) fn cpuid(leaf: u32, sub: u32, features: u64, long: bool) -> [u32; 4] {
    let [a, b, c] = words(VENDOR);
    let mut r = match leaf {
        0 => [if features & f::XSAVE != 0 { XSAVE_LEAF } else { 7 }, a, c, b],
        // One processor, cache lines of 64 bytes.
        1 => [SIGNATURE, 0x0001_0800, 0, 0],
        // What leaf 4 says counts.
        2 => [0x00fe_ff01, 0xf0, 0, 0],
        4 => cache(sub),
        7 if sub == 0 => [0, NO_FCS | NO_FDP, 0, 0],
        XSAVE_LEAF => xsave_leaf(sub, features),
        EXTENDED => [EXTENDED | 8, 0, 0, 0],
        0x8000_0002..=0x8000_0004 => brand(leaf & 7),
        // Widths of addresses.
        0x8000_0008 => [0x3030, 0, 0, 0],
        _ => [0; 4],
    };
    let has_flags = match leaf {
        7 => sub == 0,
        XSAVE_LEAF => sub == 1,
        _ => true,
    };
    if has_flags {
        for flag in FLAGS.iter().filter(|flag| flag.leaf == leaf && has(flag, features, long)) {
            r[flag.register] |= 1 << flag.bit;
        }
    }
    r
}

/// The caches, of a common size: C libraries stream what is larger than these, past them. Type, level, bytes of a way's sets, ways.
fn cache(n: u32) -> [u32; 4] {
    const LINE: u32 = 64;
    const CACHES: [[u32; 4]; 4] = [[1, 1, 4096, 8], [2, 1, 4096, 8], [3, 2, 1 << 16, 16], [3, 3, 1 << 20, 16]];
    let Some([kind, level, way, ways]) = CACHES.get(n as usize) else { return [0; 4] };
    [kind | level << 5 | 1 << 8, (LINE - 1) | (ways - 1) << 22, way / LINE - 1, 0]
}

/// The components and their sizes; with the first the largest area, with the second the compacted one.
fn xsave_leaf(sub: u32, features: u64) -> [u32; 4] {
    let xcr0 = xcr0(features);
    let size = if xcr0 == 0 { 0 } else { xsave::size(xcr0) as u32 };
    let there = xsave::EXTENDED.iter().filter(|c| xcr0 & c.bit != 0);
    match sub {
        0 => [xcr0 as u32, size, size, 0],
        1 if features & f::XSAVEC != 0 => [0, xsave::compacted_size(xcr0) as u32, 0, 0],
        _ => there
            .filter(|c| Some(c.bit) == 1u64.checked_shl(sub))
            .fold([0; 4], |_, c| [c.size as u32, c.at as u32, 0, 0]),
    }
}

fn words(text: &str) -> [u32; 3] {
    std::array::from_fn(|n| text.as_bytes()[4 * n..].first_chunk().map_or(0, |w| u32::from_le_bytes(*w)))
}

/// 16 bytes of the brand.
fn brand(leaf: u32) -> [u32; 4] {
    let mut text = [0; 48];
    text[..BRAND.len()].copy_from_slice(BRAND.as_bytes());
    let part = &text[16 * (leaf as usize - 2)..];
    std::array::from_fn(|n| u32::from_le_bytes([part[4 * n], part[4 * n + 1], part[4 * n + 2], part[4 * n + 3]]))
}

/// AT_HWCAP is EDX of leaf 1, AT_HWCAP2 says whether programs may write FS's and GS's bases.
pub fn hwcap(features: u64) -> [u64; 3] {
    let bases = if features & f::FSGSBASE != 0 { 2 } else { 0 };
    [cpuid(1, 0, features, true)[3].into(), bases, 0]
}

pub fn cpuinfo(n: usize, features: u64) -> String {
    let flags: Vec<&str> =
        FLAGS.iter().filter(|flag| has(flag, features, true) && !flag.name.is_empty()).map(|flag| flag.name).collect();
    format!(
        "processor\t: {n}\nvendor_id\t: {VENDOR}\ncpu family\t: 6\nmodel\t\t: 106\nmodel name\t: {BRAND}\nstepping\t: 1\n\
         fpu\t\t: yes\nfpu_exception\t: yes\ncpuid level\t: {}\nwp\t\t: yes\nflags\t\t: {}\nclflush size\t: 64\ncache_alignment\t: 64\n\
         address sizes\t: 48 bits physical, 48 bits virtual\n\n",
        cpuid(0, 0, features, true)[0],
        flags.join(" ")
    )
}
