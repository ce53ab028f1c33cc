//! Draws cases: bytes at random that decode to instructions with a row, and state on which their accesses lie within the case's window.

use std::collections::BTreeMap;

use iced_x86::{
    Code, CpuidFeature, Decoder, DecoderOptions, FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpAccess,
    OpKind, Register, RflagsBits,
};

use super::{BATCH, CODE, CODE_SIZE, DATA_AT, MXCSR, RFLAGS, SIZE, SLOT, WINDOW, WINDOW_SIZE, XMM};

/// A generator of numbers (xorshift).
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
    fn below(&mut self, n: usize) -> usize {
        ((self.next() >> 33) as usize) % n
    }
}

/// A case: what it is, and its record.
pub(super) struct Case {
    /// The mnemonic, or "sequence".
    pub(super) kind: String,
    pub(super) text: String,
    pub(super) record: Vec<u8>,
    /// Bytes of its code.
    pub(super) length: usize,
    /// Flags that are compared.
    pub(super) flags: u64,
    /// Vector registers that it names.
    pub(super) vectors: Vec<usize>,
}

/// Bits of RFLAGS as iced and as the processor have them.
const FLAGS: [(u32, u64); 7] = [
    (RflagsBits::OF, 1 << 11),
    (RflagsBits::SF, 1 << 7),
    (RflagsBits::ZF, 1 << 6),
    (RflagsBits::AF, 1 << 4),
    (RflagsBits::CF, 1),
    (RflagsBits::PF, 1 << 2),
    (RflagsBits::DF, 1 << 10),
];

fn bits(flags: u32) -> u64 {
    FLAGS.iter().filter(|(iced, _)| flags & iced != 0).fold(0, |all, (_, bit)| all | bit)
}

/// Flags that are not compared after an instruction: what it leaves undefined, and what the manual leaves open for some amounts.
fn undefined(i: &Instruction) -> u64 {
    use Mnemonic::{Rcl, Rcr, Rol, Ror, Sal, Sar, Shl, Shld, Shr, Shrd};
    let open = match i.mnemonic() {
        // OF is defined for amounts of one.
        Rcl | Rcr | Rol | Ror | Sal | Sar | Shl | Shr | Shld | Shrd => RflagsBits::OF,
        _ => 0,
    };
    // CF is left open by amounts beyond the width, and everything by SHLD of 16 bits beyond it.
    let more = match i.mnemonic() {
        Shl | Sal | Shr | Sar if i.op_count() > 0 && size(i, 0) < 4 => RflagsBits::CF,
        _ => 0,
    };
    bits(i.rflags_undefined() | open | more)
}

fn size(i: &Instruction, n: u32) -> usize {
    match i.op_kind(n) {
        OpKind::Register => i.op_register(n).size(),
        _ => i.memory_size().size(),
    }
}

/// Mnemonics that are no case for reasons of their own: time, identity, what the runner needs, segments, x87.
fn is_left_out(i: &Instruction) -> bool {
    use Mnemonic::*;
    let named = matches!(
        i.mnemonic(),
        Rdtsc
            | Rdtscp
            | Rdpid
            | Cpuid
            | Rdfsbase
            | Rdgsbase
            | Wrfsbase
            | Wrgsbase
            | Fxsave
            | Fxsave64
            | Fxrstor
            | Fxrstor64
            | Enter
            | Xlatb
            | Maskmovdqu
            | Clflush
            | Clflushopt
            | Clwb
            | Emms
            | Wait
            | Int
            | Int1
            | Int3
            | Popf
            | Popfd
            | Popfq
            | Syscall
            | Ud0
            | Ud1
            | Ud2
            | Lddqu
            | Prefetch
            | Prefetchw
            | Prefetchwt1
    );
    let segments = (0..i.op_count()).any(|n| {
        i.op_kind(n) == OpKind::Register
            && (i.op_register(n).is_segment_register()
                || i.op_register(n).is_cr()
                || i.op_register(n).is_dr()
                || i.op_register(n).is_mm()
                || i.op_register(n).is_st())
    });
    let x87 =
        i.cpuid_features().iter().any(|f| matches!(f, CpuidFeature::FPU | CpuidFeature::FPU287 | CpuidFeature::MMX));
    named || segments || x87 || i.is_privileged() || i.flow_control() != FlowControl::Next
}

/// Whether results depend on more than the manual says.
fn is_open(i: &Instruction) -> bool {
    // Of a zero source the register is left as it was by some processors, and by others its upper half cleared.
    let scan = matches!(i.mnemonic(), Mnemonic::Bsf | Mnemonic::Bsr) && size(i, 0) == 4;
    // With REX.B this is XCHG: iced takes it for PAUSE.
    let pause = i.mnemonic() == Mnemonic::Pause && i.len() > 2;
    // Of 16 bits the result is open.
    let swap = i.code() == Code::Bswap_r16;
    let double = matches!(i.mnemonic(), Mnemonic::Shld | Mnemonic::Shrd) && size(i, 0) == 2;
    scan || swap || double || pause
}

/// An instruction from random bytes, if they are one that may be a case.
fn instruction(random: &mut Random) -> Option<(Instruction, Vec<u8>)> {
    let mut bytes = vec![];
    let choose = |random: &mut Random, from: &[u8]| from[random.below(from.len())];
    if random.below(3) == 0 {
        bytes.push(choose(random, &[0x66, 0x66, 0xf2, 0xf3, 0xf0, 0x67]));
    }
    if random.below(8) == 0 {
        bytes.push(choose(random, &[0x66, 0xf2, 0xf3]));
    }
    if random.below(2) == 0 {
        bytes.push(0x40 | random.below(16) as u8);
    }
    match random.below(8) {
        0..=2 => {}
        3..=5 => bytes.push(0x0f),
        6 => bytes.extend([0x0f, 0x38]),
        _ => bytes.extend([0x0f, 0x3a]),
    }
    bytes.extend((0..12).map(|_| random.next() as u8));
    decoded(bytes)
}

fn decoded(mut bytes: Vec<u8>) -> Option<(Instruction, Vec<u8>)> {
    let mut decoder = Decoder::with_ip(64, &bytes, 0x1000, DecoderOptions::NONE);
    let i = decoder.decode();
    if i.is_invalid() || !x86::has_row(&i) || is_left_out(&i) || is_open(&i) {
        return None;
    }
    bytes.truncate(i.len());
    Some((i, bytes))
}

/// Places of accesses: registers with the values that they must have.
struct Places {
    fixed: BTreeMap<usize, u64>,
}

/// What the registers of an instruction's accesses must hold, so that it stays in the window at `data`; None if that cannot be.
fn places(i: &Instruction, data: u64, random: &mut Random) -> Option<Places> {
    let mut fixed = BTreeMap::new();
    let mut factory = InstructionInfoFactory::new();
    let info = factory.info(i);
    for m in info.used_memory() {
        if m.access() == OpAccess::None || i.mnemonic() == Mnemonic::Lea {
            continue;
        }
        if matches!(m.segment(), Register::FS | Register::GS)
            || !m.base().is_gpr()
            || m.base().size() < 8 && m.base().size() != 4
        {
            return None;
        }
        let base = m.base().full_register().number();
        let index = m.index();
        let small = random.below(4) as u64;
        if index != Register::None {
            if !index.is_gpr() || index.full_register().number() == base {
                return None;
            }
            fixed.entry(index.full_register().number()).or_insert(small);
        }
        let offset = fixed.get(&index.full_register().number()).map_or(0, |v| v * m.scale() as u64);
        let at = data + 96 + random.below(64) as u64;
        let at = if i.mnemonic() == Mnemonic::Cmpxchg16b { at & !15 } else { at };
        // Aligned where SSE wants it.
        let at = if m.memory_size().size() >= 16 { data + 96 + 16 * random.below(4) as u64 } else { at };
        let value = at.wrapping_sub(offset).wrapping_sub(m.displacement());
        let value = if m.base().size() == 4 { value & 0xffff_ffff } else { value };
        if *fixed.entry(base).or_insert(value) != value && i.is_stack_instruction() {
            continue;
        }
    }
    if i.has_rep_prefix() || i.has_repne_prefix() {
        fixed.insert(1, random.below(6) as u64);
    }
    // A bit's number may lead anywhere.
    if matches!(i.mnemonic(), Mnemonic::Bt | Mnemonic::Bts | Mnemonic::Btr | Mnemonic::Btc)
        && i.op0_kind() == OpKind::Memory
        && i.op1_kind() == OpKind::Register
    {
        let n = i.op1_register().full_register().number();
        if fixed.contains_key(&n) {
            return None;
        }
        fixed.insert(n, random.below(256) as u64);
    }
    Some(Places { fixed })
}

const INTEGERS: [u64; 12] =
    [0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0x7fff_ffff, 0x8000_0000, 0x7fff_ffff_ffff_ffff, 0x8000_0000_0000_0000];

fn integer(random: &mut Random) -> u64 {
    match random.below(6) {
        0 => INTEGERS[random.below(INTEGERS.len())],
        1 => INTEGERS[random.below(INTEGERS.len())].wrapping_neg(),
        2 => random.next() & 0xff,
        3 => random.next() & 0xffff_ffff,
        _ => random.next(),
    }
}

const SINGLES: [u32; 14] = [
    0,
    0x8000_0000,
    0x3f80_0000,
    0xbf80_0000,
    0x7f80_0000,
    0xff80_0000,
    0x7fc0_0001,
    0xffc0_0000,
    0x7f80_0001,
    0xff81_0000,
    0x0000_0001,
    0x807f_ffff,
    0x7f7f_ffff,
    0x4f00_0000,
];

const DOUBLES: [u64; 13] = [
    0,
    1 << 63,
    0x3ff0_0000_0000_0000,
    0xbff0_0000_0000_0000,
    0x7ff0_0000_0000_0000,
    0xfff0_0000_0000_0000,
    0x7ff8_0000_0000_0001,
    0xfff8_0000_0000_0000,
    0x7ff0_0000_0000_0001,
    0x0000_0000_0000_0001,
    0x800f_ffff_ffff_ffff,
    0x41e0_0000_0000_0000,
    0x43e0_0000_0000_0000,
];

/// Half a vector.
fn half(random: &mut Random) -> u64 {
    match random.below(8) {
        0 => DOUBLES[random.below(DOUBLES.len())],
        1 => u64::from(SINGLES[random.below(SINGLES.len())]) | u64::from(SINGLES[random.below(SINGLES.len())]) << 32,
        // Numbers of moderate size.
        2 => (random.next() as f64 / 1e15 - 9000.0).to_bits(),
        3 => {
            u64::from((random.next() as f32 / 1e15 - 9000.0).to_bits())
                | u64::from((random.below(1000) as f32 / 7.0).to_bits()) << 32
        }
        4 => (random.below(100) as f64).to_bits(),
        5 => integer(random),
        _ => random.next(),
    }
}

fn state(random: &mut Random) -> Vec<u8> {
    let mut record = vec![0; SIZE];
    let mut put = |at: usize, v: u64, size: usize| record[at..at + size].copy_from_slice(&v.to_le_bytes()[..size]);
    for n in 0..16 {
        put(8 * n, integer(random), 8);
    }
    let flags = random.next() & (1 << 11 | 1 << 7 | 1 << 6 | 1 << 4 | 1 | 1 << 2);
    let down = if random.below(4) == 0 { 1 << 10 } else { 0 };
    put(RFLAGS, flags | down | 0x202, 8);
    for n in 0..32 {
        put(XMM + 8 * n, half(random), 8);
    }
    let rounding = if random.below(2) == 0 { 0 } else { random.below(4) as u64 };
    let flush = if random.below(8) == 0 { (random.next() & 1) << 15 | (random.next() & 1) << 6 } else { 0 };
    put(MXCSR, 0x1f80 | rounding << 13 | flush, 4);
    for n in 0..WINDOW_SIZE / 8 {
        put(WINDOW + 8 * n, half(random), 8);
    }
    record
}

fn vectors(i: &Instruction) -> Vec<usize> {
    let registers = (0..i.op_count()).filter(|n| i.op_kind(*n) == OpKind::Register).map(|n| i.op_register(n));
    registers.filter(|r| r.is_xmm()).map(|r| r.number()).collect()
}

/// A case of one or more instructions with the registers that they fix.
fn case(code: &[(Instruction, Vec<u8>)], fixed: &BTreeMap<usize, u64>, random: &mut Random) -> Case {
    let mut record = state(random);
    for (n, v) in fixed {
        record[8 * n..8 * n + 8].copy_from_slice(&v.to_le_bytes());
    }
    let mut at = 0;
    for (_, bytes) in code {
        record[CODE + at..CODE + at + bytes.len()].copy_from_slice(bytes);
        at += bytes.len();
    }
    // The rest is NOPs up to the jump out.
    record[CODE + at..CODE + CODE_SIZE].fill(0x90);
    let all = FLAGS.iter().fold(0, |all, (_, bit)| all | bit);
    let open = code.iter().fold(0, |all, (i, _)| all | undefined(i));
    let text: Vec<String> = code.iter().map(|(i, _)| i.to_string()).collect();
    let kind = if code.len() == 1 { format!("{:?}", code[0].0.mnemonic()) } else { String::from("sequence") };
    let vectors = code.iter().flat_map(|(i, _)| vectors(i)).collect();
    Case { kind, text: text.join("; "), record, length: at, flags: all & !open, vectors }
}

fn data(slot: usize) -> u64 {
    DATA_AT + SLOT * (slot % BATCH) as u64
}

/// So many cases of each mnemonic that can be drawn.
pub(super) fn singles(random: &mut Random, each: usize) -> Vec<Case> {
    let mut cases: Vec<Case> = vec![];
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..each * 60_000 {
        let Some((i, bytes)) = instruction(random) else { continue };
        let count = counts.entry(format!("{:?}", i.mnemonic())).or_default();
        if *count >= each {
            continue;
        }
        let slot = cases.len();
        let Some(p) = places(&i, data(slot), random) else { continue };
        *count += 1;
        cases.push(case(&[(i, bytes)], &p.fixed, random));
    }
    cases
}

/// Whether the instruction reads or leaves something that cannot be compared in the middle of a sequence.
fn fits_in_sequence(i: &Instruction) -> bool {
    use Mnemonic::{Lahf, Pushf, Pushfq, Sahf};
    undefined(i) & !(1 << 4) == 0
        && !matches!(i.mnemonic(), Lahf | Sahf | Pushf | Pushfq)
        // A random MXCSR may unmask exceptions.
        && !matches!(i.mnemonic(), Mnemonic::Div | Mnemonic::Idiv | Mnemonic::Ldmxcsr)
}

/// Sequences with data flowing through them; what they access goes by registers that none of them has written before.
pub(super) fn sequences(random: &mut Random, count: usize, cases: &mut Vec<Case>) {
    let goal = cases.len() + count;
    while cases.len() < goal {
        let slot = cases.len();
        let mut code: Vec<(Instruction, Vec<u8>)> = vec![];
        let mut fixed: BTreeMap<usize, u64> = BTreeMap::new();
        let mut written = [false; 16];
        let length = 2 + random.below(7);
        while code.len() < length {
            let Some((i, bytes)) = instruction(random).filter(|(i, _)| fits_in_sequence(i)) else { continue };
            let Some(p) = places(&i, data(slot), random) else { continue };
            let clash = p.fixed.iter().any(|(n, v)| written[*n] || fixed.get(n).is_some_and(|other| other != v));
            if clash {
                continue;
            }
            fixed.extend(p.fixed);
            let mut factory = InstructionInfoFactory::new();
            for used in factory.info(&i).used_registers() {
                let writes = !matches!(
                    used.access(),
                    OpAccess::Read | OpAccess::CondRead | OpAccess::NoMemAccess | OpAccess::None
                );
                if used.register().is_gpr() && writes {
                    written[used.register().full_register().number()] = true;
                }
            }
            code.push((i, bytes));
        }
        if code.iter().map(|(_, b)| b.len()).sum::<usize>() <= CODE_SIZE {
            cases.push(case(&code, &fixed, random));
        }
    }
}
