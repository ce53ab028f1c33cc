//! What is not compared, and why: encodings whose result the manual leaves to the implementation or that no test program may run, and
//! differences that are the reference's mistakes. Every row takes part.

use std::sync::OnceLock;

use iced_x86::{Code, CpuidFeature, Instruction, Mnemonic, OpCodeOperandKind as K, OpKind};

use super::isa::{Case, Isa};

/// The processor that the reference has to be for a row, if `max` does not do.
pub(crate) fn cpu(section: &str, name: &str) -> Option<&'static str> {
    match (section, name) {
        // Blocks of 64 bytes (DCZID_EL0), as ours.
        ("a64", "dc_zva") => Some("neoverse-v1"),
        // With FEAT_FPAC, which `max` has, the reference aborts while it translates them.
        ("a64", "bra" | "braz" | "blra" | "blraz" | "reta") => Some("neoverse-v1"),
        _ => None,
    }
}

/// Rows of RISC-V that are not run: the waits may take as long as they like.
pub(crate) fn left_out(name: &str) -> bool {
    name == "wrs"
}

/// Why a word of a row is not run, if so.
pub(crate) fn encoding(section: &str, name: &str, word: u32) -> Option<&'static str> {
    match (section, name) {
        // The reference answers HLT #0xf000 as a semihosting call.
        ("a64", "hlt") if word >> 5 & 0xffff == 0xf000 => Some("semihosting"),
        ("t16", "svc") if word & 0xff == 0xab => Some("semihosting"),
        // MIDR, MPIDR and REVIDR, which only the reference lets programs read.
        (_, "mrc") if word >> 16 & 0xef == 0 && word & 15 == 0 && [0, 5, 6].contains(&(word >> 5 & 7)) => {
            Some("an ID register")
        }
        // The reference takes what these load for zero from then on, and may divide by it.
        ("rv" | "rv32" | "rv64", "amocas" | "amocas_pair") if word >> 7 & 31 == 0 => Some("AMOCAS of x0"),
        // ID registers say what each has; counters and random numbers differ from call to call.
        ("a64", "mrs") if word >> 16 & 7 == 0 && word >> 12 & 15 == 0 => Some("an ID register"),
        ("a64", "mrs") if word >> 16 & 7 == 3 && [0, 2, 14].contains(&(word >> 12 & 15)) => {
            Some("a counter, an ID, a random number")
        }
        _ => None,
    }
}

/// Why a form of x86 is not run, if so.
pub(crate) fn x86(i: &Instruction) -> Option<&'static str> {
    use Mnemonic::*;
    match i.mnemonic() {
        Cpuid | Rdpid | Xgetbv => Some("the processor's identity"),
        Rdtsc | Rdtscp | Rdrand | Rdseed => Some("another number each time"),
        Fxsave | Fxsave64 | Fxrstor | Fxrstor64 | Xsave | Xsave64 | Xsaveopt | Xsaveopt64 | Xsavec | Xsavec64
        | Xrstor | Xrstor64 => Some("more than the window"),
        Wrfsbase | Wrgsbase | Lds | Les | Lfs | Lgs | Lss => Some("bases of segments are no part of a record"),
        Mov | Pop
            if matches!(i.code().op_code().op0_kind(), K::seg_reg | K::es | K::cs | K::ss | K::ds | K::fs | K::gs) =>
        {
            Some("bases of segments are no part of a record")
        }
        // Where the processor keeps them to itself the kernel puts its own there, and the fault is its own, too.
        Sgdt | Sidt | Sldt | Smsw | Str => Some("what the kernel makes of it"),
        // Processors look at where an outer stack would stand before they look at the selector.
        Retf => Some("a fault beyond what is popped"),
        // Some zero what is above the selector, others leave it (SDM, PUSH).
        Push if matches!(
            i.code(),
            Code::Pushd_CS | Code::Pushd_DS | Code::Pushd_ES | Code::Pushd_SS | Code::Pushd_FS | Code::Pushd_GS
        ) =>
        {
            Some("half a result that is open")
        }
        // The sums are made in an order of each maker's own; ours is Intel's.
        Dpps | Dppd | Vdpps | Vdppd if !is_intel() => Some("a choice of NaNs that is the maker's"),
        Rcpps | Rcpss | Rsqrtps | Rsqrtss | Vrcpps | Vrcpss | Vrsqrtps | Vrsqrtss | Vrcp14ps | Vrcp14pd | Vrcp14ss
        | Vrcp14sd | Vrsqrt14ps | Vrsqrt14pd | Vrsqrt14ss | Vrsqrt14sd => Some("an estimate of the maker's own"),
        // Intel's alone have far pointers of 64 bits in memory; AMD's overlook REX.W.
        Jmp | Call if matches!(i.code(), Code::Jmp_m1664 | Code::Call_m1664) && !is_intel() => {
            Some("a far pointer of the maker's own size")
        }
        // Hypervisors report it at itself, not behind.
        Int1 => Some("a trap that virtual machines get wrong"),
        Bswap if i.code() == Code::Bswap_r16 => Some("a result that is open"),
        _ => None,
    }
}

/// Whether the host's processor is Intel's (CPUID leaf 0).
pub(crate) fn is_intel() -> bool {
    let leaf = std::arch::x86_64::__cpuid(0);
    [leaf.ebx, leaf.edx, leaf.ecx].map(u32::to_le_bytes).concat() == b"GenuineIntel"
}

/// Why an instruction of x86 is not run, if so.
pub(crate) fn x86_operands(i: &Instruction) -> Option<&'static str> {
    use Mnemonic::*;
    let narrow = if i.op0_kind() == OpKind::Register { i.op0_register().size() } else { i.memory_size().size() } == 2;
    match i.mnemonic() {
        // So is what more than 16 places do to 16 bits.
        Shld | Shrd if narrow && i.op2_kind() == OpKind::Immediate8 && i.immediate8() & 31 > 16 => {
            Some("a result that is open")
        }
        // Differs: processors look whether the new top of the stack can be written.
        Enter if i.immediate16() > 64 || i.immediate8_2nd() & 31 > 3 => Some("a frame beyond the window"),
        _ => None,
    }
}

/// Why an instruction of x86 is not run with its operand in memory at this address, if so.
pub(crate) fn x86_place(i: &Instruction, addr: u64) -> Option<&'static str> {
    let of_page = addr & (super::record::PAGE - 1);
    // The manual says that it reads two bytes; AMD's processors read four, and fault behind a page's end.
    (i.code() == Code::Movsxd_r16_rm16
        && i.op1_kind() == OpKind::Memory
        && [4093, 4094].contains(&of_page)
        && !is_intel())
    .then_some("two bytes that are read with two more")
}

/// What the instruction needs and the host's processor has not.
pub(crate) fn lacks(i: &Instruction) -> Option<&'static str> {
    #[rustfmt::skip]
    const FEATURES: [(CpuidFeature, &str); 28] = [
        (CpuidFeature::AVX, "avx"), (CpuidFeature::AVX2, "avx2"), (CpuidFeature::FMA, "fma"), (CpuidFeature::F16C, "f16c"),
        (CpuidFeature::BMI1, "bmi1"), (CpuidFeature::BMI2, "bmi2"), (CpuidFeature::ADX, "adx"), (CpuidFeature::LZCNT, "abm"),
        (CpuidFeature::MOVBE, "movbe"), (CpuidFeature::AES, "aes"), (CpuidFeature::PCLMULQDQ, "pclmulqdq"), (CpuidFeature::SHA, "sha_ni"),
        (CpuidFeature::VAES, "vaes"), (CpuidFeature::VPCLMULQDQ, "vpclmulqdq"), (CpuidFeature::FSGSBASE, "fsgsbase"),
        (CpuidFeature::SSE4_2, "sse4_2"), (CpuidFeature::AVX512F, "avx512f"), (CpuidFeature::AVX512BW, "avx512bw"),
        (CpuidFeature::AVX512CD, "avx512cd"), (CpuidFeature::AVX512DQ, "avx512dq"), (CpuidFeature::AVX512VL, "avx512vl"),
        (CpuidFeature::AVX512_IFMA, "avx512ifma"), (CpuidFeature::AVX512_VBMI, "avx512vbmi"), (CpuidFeature::AVX512_VBMI2, "avx512_vbmi2"),
        (CpuidFeature::AVX512_VNNI, "avx512_vnni"), (CpuidFeature::AVX512_BITALG, "avx512_bitalg"),
        (CpuidFeature::AVX512_VPOPCNTDQ, "avx512_vpopcntdq"), (CpuidFeature::GFNI, "gfni"),
    ];
    static FLAGS: OnceLock<Vec<&str>> = OnceLock::new();
    let absent = FLAGS.get_or_init(|| {
        let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with("flags")).unwrap_or_default();
        let absent = FEATURES.iter().map(|(_, name)| *name);
        let absent: Vec<&str> = absent.filter(|name| !line.split_whitespace().any(|flag| flag == *name)).collect();
        if !absent.is_empty() {
            let why = format!("the host's processor lacks {}", absent.join(", "));
            crate::harness::leave_out("differential/x86_64, some instructions", &why);
        }
        absent
    });
    let needed = |id: &CpuidFeature| FEATURES.iter().find(|(feature, _)| feature == id).map(|(_, name)| *name);
    i.cpuid_features().iter().filter_map(needed).find(|name| absent.contains(name))
}

/// Makes alike what may differ between two records of a case of x86. The processor is the same, so that little does.
fn level_x86(isa: &dyn Isa, case: &Case, want: &mut [u8], have: &mut [u8]) {
    let layout = isa.layout();
    let number = |bytes: &[u8], name: &str| {
        let part = layout.part(name);
        super::record::number(&bytes[part.at..part.at + part.size]) as u64
    };
    let (signal, code, pc) = (number(want, "signal"), number(want, "code"), number(want, "pc"));
    // Differs: an access that goes round the end of 32 bits is #GP, which has no address.
    if isa.name() == "i386" && code == 0x80 && number(have, "addr") > 0xffff_fff0 {
        for name in ["code", "addr"] {
            let part = layout.part(name);
            have[part.at..part.at + part.size].copy_from_slice(&want[part.at..part.at + part.size]);
        }
    }
    // RF and IF are the kernel's.
    let mask = 0x20_0cd5 & !isa.open_flags(&case.record, if signal == 0 { 0 } else { pc });
    let at = layout.part("rflags").at;
    for bytes in [&mut *want, &mut *have] {
        mask.to_le_bytes().iter().enumerate().for_each(|(i, bit)| bytes[at + i] &= bit);
    }
    // A stack fault (by RSP or RBP) where the address cannot be: ours goes by other registers, and is a general protection fault.
    if signal == SIGBUS && code == SI_KERNEL {
        let at = layout.part("signal").at;
        want[at..at + 4].copy_from_slice(&(SIGSEGV as u32).to_le_bytes());
    }
    let same_place = signal == SIGSEGV && number(have, "signal") == SIGSEGV && pc == number(have, "pc");
    let stopped = signal != 0 && pc == number(have, "pc");
    let mut copy = |want: &[u8], names: &[&str]| {
        for name in names {
            let part = layout.part(name);
            have[part.at..part.at + part.size].copy_from_slice(&want[part.at..part.at + part.size]);
        }
    };
    // Differs: of a store of 32 bytes, or by a mask, over the end of a page the first part may be there.
    if same_place && code != SI_KERNEL && isa.stores_exclusively(&case.record, pc) {
        copy(want, &["memory"]);
    }
    // Which elements behind the one that faults a gather has loaded, and what is in the lanes of its mask but for their signs, is open (SDM,
    // VGATHERDPS): AMD's processors stop there and leave them, and so do we.
    if same_place && is_intel() {
        let loaded = isa.loaded(&case.record, pc);
        copy(want, &loaded.iter().map(String::as_str).collect::<Vec<_>>());
    }
    // Which byte of an operand under a mask is told of as the one that is not there is each maker's own affair; so is what a gather has made of what is
    // above its elements.
    if same_place && code != SI_KERNEL && isa.is_masked(&case.record, pc) {
        copy(want, &["addr", "code"]);
    }
    if stopped {
        let above = isa.above(&case.record, pc);
        copy(want, &above.iter().map(String::as_str).collect::<Vec<_>>());
    }
    // Differs: of a repeated move or store many steps are one: at a fault none of them is done.
    // Those of two operands may take either first; the flags are those before it with Intel's, those of the last step with AMD's. Which of its
    // bytes MASKMOVDQU looks at first is open.
    if same_place && isa.accesses_twice(&case.record, pc) {
        copy(want, &["rcx", "rsi", "rdi", "rflags", "memory", "code", "addr"]);
    }
}

/// Makes alike what may differ between two records of a case: `want` is the reference's.
pub(crate) fn level(isa: &dyn Isa, case: &Case, want: &mut [u8], have: &mut [u8]) {
    let layout = isa.layout();
    let get = |bytes: &[u8], name: &str| {
        let part = layout.part(name);
        super::record::number(&bytes[part.at..part.at + part.size]) as u64
    };
    let (signal, pc) = (get(want, "signal"), get(want, "pc"));
    let same_end = signal == get(have, "signal") && pc == get(have, "pc");
    let mut copied: Vec<&str> = vec![];
    if ["x86_64", "i386"].contains(&isa.name()) {
        level_x86(isa, case, want, have);
        return;
    }
    if isa.name() == "arm" {
        // CPSR as APSR without a signal: N, Z, C, V, Q, GE. With one E, IT, T and the mode too; A, I, F and J are the kernel's.
        let bits = if signal == 0 { 0xf80f_0000u32 } else { 0xfe0f_fe3f };
        let at = layout.part("cpsr").at;
        for bytes in [&mut *want, &mut *have] {
            bits.to_le_bytes().iter().enumerate().for_each(|(i, bit)| bytes[at + i] &= bit);
        }
    }
    if isa.name() == "aarch64" {
        // FPSR's bits 31 to 28 are AArch32's condition flags, if there is AArch32; further bits of FPCR are FEAT_AFP's and FEAT_EBF16's.
        let fpcr = layout.part("fpcr").at;
        for bytes in [&mut *want, &mut *have] {
            bytes[layout.part("fpsr").at + 3] &= 0x0f;
            aarch64::state::FPCR_BITS.to_le_bytes().iter().enumerate().for_each(|(i, bit)| bytes[fpcr + i] &= bit);
        }
        // Linux takes the tag off the address; the reference does not where the access is exclusive.
        let addr = layout.part("addr").at;
        for bytes in [&mut *want, &mut *have] {
            let v = super::record::number(&bytes[addr..addr + 8]) as i64;
            bytes[addr..addr + 8].copy_from_slice(&(v << 8 >> 8).to_le_bytes());
        }
        // The host does not tell the address of an access that is not canonical.
        if same_end && signal == SIGSEGV && (get(want, "addr") == 0 || get(have, "addr") == 0) {
            copied.push("addr");
        }
    }
    // VXRM and VXSAT are three bits; the reference keeps what is written to the rest.
    if isa.name() == "riscv64" {
        let at = layout.part("vcsr").at;
        for bytes in [&mut *want, &mut *have] {
            bytes[at] &= 7;
            bytes[at + 1..at + 8].fill(0);
        }
    }
    // The kernel reports undefined instructions with ILL_ILLOPC, the reference with ILL_ILLOPN.
    if same_end && signal == SIGILL {
        copied.push("code");
    }
    // A misaligned target is SIGBUS before it is fetched; the reference fetches first.
    if pc & 3 != 0 && signal == SIGSEGV && get(have, "signal") == SIGBUS && pc == get(have, "pc") {
        copied.extend(["signal", "code", "addr"]);
    }
    // Whether a store-exclusive without a monitor looks at its address is an implementation's choice (ExclusiveMonitorsPass).
    if get(have, "signal") == SIGBUS && isa.stores_exclusively(&case.record, get(have, "pc"))
        || signal == SIGBUS && isa.stores_exclusively(&case.record, pc)
    {
        want.copy_from_slice(have);
        return;
    }
    // Cache maintenance by address needs a mapping; most of the reference's does nothing.
    if get(have, "signal") == SIGSEGV && isa.maintains_cache(&case.record, get(have, "pc")) {
        want.copy_from_slice(have);
        return;
    }
    // An instruction of several accesses may have done some of them when one faults, and may do them in any order.
    let several = signal == SIGSEGV && same_end && isa.accesses_twice(&case.record, pc);
    if several {
        copied.extend(["memory", "addr"]);
    }
    // A store that reaches into the next page may have written its part of the first.
    if signal == SIGSEGV && same_end {
        let end = layout.part("memory").at + 256;
        have[end - 64..end].copy_from_slice(&want[end - 64..end]);
    }
    let loaded = if several { isa.loaded(&case.record, pc) } else { vec![] };
    for name in copied.into_iter().map(String::from).chain(loaded) {
        let part = layout.part(&name);
        have[part.at..part.at + part.size].copy_from_slice(&want[part.at..part.at + part.size]);
    }
}

const SIGILL: u64 = 4;
const SIGBUS: u64 = 7;
const SIGSEGV: u64 = 11;
const SI_KERNEL: u64 = 0x80;
