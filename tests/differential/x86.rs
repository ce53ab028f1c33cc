//! Random cases of x86-64 and i386. The reference is the host itself. A row is a form of an instruction as iced's encoder knows it, if the guest
//! has a row for its mnemonic.

use std::sync::OnceLock;

use arch::Guest;
use decode::Random;
use iced_x86::{
    Code, CpuidFeature, Decoder, DecoderOptions, EncodingKind, FlowControl, Instruction, InstructionInfoFactory,
    Mnemonic, OpAccess, OpCodeOperandKind, OpKind, Register, RflagsBits,
};
use ir::{Slot, Ty};
use x86::{I386, X86_64, state};

use super::aim::{self, Dry, Start, dry_run};
use super::isa::{Case, Isa, RowName};
use super::known;
use super::record::{CODE, Layout, OPMASK_AT, Record, SLOT, SLOTS, WINDOW, WINDOW_SIZE, zmm_at};
use super::runner;
use super::values;
use super::x86_draw::{self, Drawn, RBP, RCX, RDI, RDX, RSI, RSP, Taste, draw, equalise, gpr_at};

/// See [`Isa`].
#[derive(Debug)]
pub(crate) struct X86Isa {
    bits: u32,
}

/// The model of x86-64 that has all there is.
pub(crate) const MODEL: &str = "Icelake-Server";

pub(crate) const LONG: X86Isa = X86Isa { bits: 64 };
pub(crate) const SHORT: X86Isa = X86Isa { bits: 32 };

/// Places in a record.
const FLAGS_AT: usize = 192;
const MXCSR_AT: usize = 200;
const XMM_AT: usize = 240;
const YMM_AT: usize = 496;
pub(crate) const MEMORY_AT: usize = 752;
/// Bytes that a slot has room for.
const ROOM: usize = 59;

/// A form, with its name.
#[derive(Debug)]
struct Row {
    code: Code,
    name: &'static str,
    group: Group,
}

/// What sequences are made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Group {
    /// Integer instructions without a memory operand of their own.
    Integer,
    /// Loads, stores, stack and strings.
    Memory,
    Vector,
    /// What leaves the straight line, or is a case of its own for another reason.
    Control,
}

fn group(i: &Instruction) -> Group {
    use Mnemonic::*;
    let op = i.code().op_code();
    let apart = matches!(
        i.mnemonic(),
        Popf | Popfd
            | Popfq
            | Ldmxcsr
            | Stmxcsr
            | Vldmxcsr
            | Vstmxcsr
            | Cld
            | Std
            | Ud0
            | Ud1
            | Ud2
            | Enter
            | Leave
            | Div
            | Idiv
    );
    if i.flow_control() != FlowControl::Next || apart || op.is_privileged() {
        return Group::Control;
    }
    let kinds = || op.op_kinds().iter().map(|k| format!("{k:?}"));
    if kinds().any(|k| ["xmm", "ymm", "zmm", "k_"].iter().any(|start| k.starts_with(start))) {
        Group::Vector
    } else if kinds().any(|k| k.contains("mem") || k.contains("rSI") || k.contains("rDI") || k.contains("rBX"))
        || i.is_stack_instruction()
    {
        Group::Memory
    } else {
        Group::Integer
    }
}

/// Whether a form is x87's or MMX's: `tests/x87.rs` runs those, whose state is one.
pub(crate) fn is_of_x87(code: Code) -> bool {
    let name = format!("{code:?}");
    name.starts_with('F') && !["Fxsave", "Fxrstor"].iter().any(|start| name.starts_with(start))
        || name == "Emms"
        || name.contains("_mm_")
        || name.contains("_mmm64")
        || name.ends_with("_mm")
}

fn rows(bits: u32) -> &'static [Row] {
    static ROWS: [OnceLock<Vec<Row>>; 2] = [const { OnceLock::new() }; 2];
    ROWS[usize::from(bits == 64)].get_or_init(|| {
        let of = |code: Code| {
            let op = code.op_code();
            let mut i = Instruction::default();
            i.set_code(code);
            // As the translator decodes: AMD's processors have some forms of branches that Intel's have not.
            let decodes = if bits == 64 { op.intel_decoder64() } else { op.intel_decoder32() };
            // No model of i386 has these.
            let wide_alone = op.encoding() == EncodingKind::EVEX
                || op.op_kinds().iter().any(|k| matches!(k, OpCodeOperandKind::k_reg | OpCodeOperandKind::k_rm))
                || code.cpuid_features().contains(&CpuidFeature::GFNI);
            let there = (bits == 64 || !wide_alone)
                && op.is_instruction()
                && op.is_available_in_mode(bits)
                && decodes
                && x86::has_row(&i);
            let drawn = op.op_kinds().iter().all(|&kind| x86_draw::is_drawn(kind, bits));
            // Forms of the first many-core processors alone; what is undefined in this mode.
            let elsewhere = format!("{code:?}").starts_with("VEX_KNC")
                || bits == 32 && matches!(code, Code::Syscall | Code::Sysretd);
            let taken = there
                && drawn
                && !elsewhere
                && op.address_size() == 0
                && known::x86(&i).is_none()
                && !is_of_x87(code)
                && known::lacks(&i).is_none();
            taken.then(|| Row { code, name: String::leak(format!("{code:?}")), group: group(&i) })
        };
        Code::values().filter_map(of).collect()
    })
}

/// Rows of each group; those that flags flow through last.
fn groups(bits: u32) -> &'static [Vec<usize>; 4] {
    static GROUPS: [OnceLock<[Vec<usize>; 4]>; 2] = [const { OnceLock::new() }; 2];
    GROUPS[usize::from(bits == 64)].get_or_init(|| {
        let mut groups = [const { vec![] }; 4];
        for (n, row) in rows(bits).iter().enumerate().filter(|(_, row)| row.group != Group::Control) {
            groups[row.group as usize].push(n);
            let starts = [
                "Add_", "Sub_", "Adc_", "Sbb_", "Cmp_", "Inc_", "Dec_", "Neg_", "Set", "Cmov", "And_", "Test_", "Cmc",
                "Stc",
            ];
            if row.group == Group::Integer && starts.iter().any(|s| row.name.starts_with(s)) {
                groups[3].push(n);
            }
        }
        groups
    })
}

/// Bits of EFLAGS and iced's names of them.
const FLAGS: [(u32, u64); 7] = [
    (RflagsBits::CF, 1),
    (RflagsBits::PF, 1 << 2),
    (RflagsBits::AF, 1 << 4),
    (RflagsBits::ZF, 1 << 6),
    (RflagsBits::SF, 1 << 7),
    (RflagsBits::DF, 1 << 10),
    (RflagsBits::OF, 1 << 11),
];

fn bits_of(flags: u32) -> u64 {
    FLAGS.iter().filter(|(iced, _)| flags & iced != 0).fold(0, |all, (_, bit)| all | bit)
}

/// The count of a shift or rotation, if that is what it is: `Some(None)` if it is not known.
fn count(i: &Instruction, cl: Option<u8>) -> Option<Option<u32>> {
    use Mnemonic::*;
    if !matches!(i.mnemonic(), Shl | Sal | Shr | Sar | Rol | Ror | Rcl | Rcr | Shld | Shrd) {
        return None;
    }
    let last = i.op_count() - 1;
    let mask = if size(i) == 8 { 0x3f } else { 0x1f };
    Some(if i.op_kind(last) == OpKind::Register {
        cl.map(|n| u32::from(n) & mask)
    } else {
        Some(i.immediate(last) as u32 & mask)
    })
}

/// The size of the first operand.
fn size(i: &Instruction) -> usize {
    if i.op0_kind() == OpKind::Register { i.op0_register().size() } else { i.memory_size().size() }
}

/// Flags that the manual leaves undefined after the instruction.
fn undefined(i: &Instruction, cl: Option<u8>) -> u64 {
    use Mnemonic::*;
    let mut open = bits_of(i.rflags_undefined());
    let Some(count) = count(i, cl) else { return open };
    if count == Some(0) {
        return 0;
    }
    if count != Some(1) {
        open |= 1 << 11;
    }
    if matches!(i.mnemonic(), Shl | Sal | Shr) && size(i) < 4 && count.is_none_or(|n| n as usize >= 8 * size(i)) {
        open |= 1;
    }
    if count == Some(1) { open & !(1 << 11) } else { open }
}

/// Whether the instruction sets its flags whatever it is given.
fn always_sets(i: &Instruction) -> bool {
    count(i, None) != Some(None) && !i.has_rep_prefix() && !i.has_repne_prefix()
}

/// The instructions of a case.
fn instructions(record: &Record, bits: u32, ip: u64) -> Vec<Instruction> {
    let code = code_of(record);
    Decoder::with_ip(bits, code, ip, DecoderOptions::NONE).into_iter().collect()
}

fn code_of(record: &Record) -> &[u8] {
    &record.0[..record.get(60, 4) as usize]
}

fn set_code(record: &mut Record, code: &[u8]) {
    record.0[..64].fill(0);
    record.0[..code.len()].copy_from_slice(code);
    record.set(60, 4, code.len() as u128);
}

/// Flags that are open when the code has come to `stop` (or to its end); None if an instruction reads one that is.
fn open_flags(code: &[Instruction], stop: Option<u64>, cl: Option<u8>) -> Option<u64> {
    let loops = code.iter().any(|i| is_branch(i) && i.near_branch_target() <= i.ip());
    // Up to here some may not have been done.
    let mut skipped = 0;
    let mut open = if loops { code.iter().fold(0, |all, i| all | undefined(i, None)) } else { 0 };
    for (n, i) in code.iter().enumerate() {
        if stop == Some(i.ip()) {
            break;
        }
        if bits_of(i.rflags_read()) & open != 0 {
            return None;
        }
        if is_branch(i) {
            skipped = skipped.max(i.near_branch_target());
        }
        if !loops && i.ip() >= skipped && always_sets(i) {
            open &= !bits_of(i.rflags_modified());
        }
        open |= undefined(i, cl.filter(|_| n == 0));
    }
    Some(open)
}

fn is_branch(i: &Instruction) -> bool {
    matches!(i.op0_kind(), OpKind::NearBranch32 | OpKind::NearBranch64)
}

impl X86Isa {
    /// Names of the registers that an instruction uses.
    fn names(i: &Instruction) -> Vec<String> {
        let name = |r: Register| format!("{:?}", r.full_register()).to_lowercase();
        let vector = |name: &str| {
            let n: usize = name.strip_prefix("zmm")?.parse().ok()?;
            let parts = |from: usize| (from..4).map(move |p| format!("zmm{n}_{p}"));
            Some(if n < 16 {
                [format!("xmm{n}"), format!("ymm{n}")].into_iter().chain(parts(2)).collect()
            } else {
                parts(0).collect::<Vec<_>>()
            })
        };
        let mut factory = InstructionInfoFactory::new();
        let used = factory.info(i).used_registers().iter().map(|used| name(used.register()));
        used.flat_map(|name| vector(&name).unwrap_or_else(|| vec![name.clone()])).collect()
    }

    fn guest(&self) -> &'static Guest {
        if self.bits == 64 { &X86_64 } else { &I386 }
    }

    fn model(&self) -> arch::Cpu {
        let name = if self.bits == 64 { MODEL } else { "max" };
        *self.guest().cpus.iter().find(|cpu| cpu.name == name).expect("the model")
    }

    fn registers(&self) -> usize {
        if self.bits == 64 { 16 } else { 8 }
    }

    /// The case's instruction at `pc`.
    fn at(&self, record: &Record, pc: u64) -> Option<Instruction> {
        instructions(record, self.bits, pc & !(SLOT - 1)).into_iter().find(|i| i.ip() == pc)
    }

    /// A record with random state.
    fn random_record(&self, random: &mut Random) -> Record {
        let mut record = Record(vec![0; self.layout().size]);
        for n in 0..self.registers() {
            let v = match random.below(10) {
                0 => WINDOW + random.below(WINDOW_SIZE as usize) as u64,
                1 if n > 0 => record.get(gpr_at(random.below(n)), 8) as u64,
                _ => values::integer(random, self.bits),
            };
            record.set(gpr_at(n), 8, v.into());
        }
        record.set(
            gpr_at(RSP),
            8,
            u128::from(WINDOW + 64 + 8 * random.below(17) as u64 + u64::from(random.below(16) == 0)),
        );
        let down = if random.below(4) == 0 { 1 << 10 } else { 0 };
        record.set(FLAGS_AT, 8, u128::from(random.next() & 0x8d5 | down | 0x202));
        let rounding = if random.below(3) == 0 { random.below(4) as u64 } else { 0 };
        let flush = if random.below(6) == 0 { random.next() & 0x8040 } else { 0 };
        let flags = if random.below(4) == 0 { random.next() & 0x3f } else { 0 };
        record.set(MXCSR_AT, 8, u128::from(0x1f80 | rounding << 13 | flush | flags));
        let mut vectors = [0u128; 16];
        values::vectors(random, &mut vectors);
        (0..self.registers()).for_each(|n| record.set(XMM_AT + 16 * n, 16, vectors[n]));
        // The upper halves, which mostly are other values of the same kind.
        if random.below(4) != 0 {
            (0..self.registers()).for_each(|n| record.set(YMM_AT + 16 * n, 16, vectors[(n + 5) % 16].rotate_left(8)));
        }
        if self.bits == 64 {
            for n in 0..32 {
                for part in if n < 16 { 2 } else { 0 }..4 {
                    let v = vectors[(3 * n + 7 * part + 1) % 16].rotate_left(8 * (n as u32 % 3));
                    record.set(zmm_at(n, part), 16, v);
                }
            }
            for n in 0..8 {
                let v = match random.below(6) {
                    0 => 0,
                    1 => u64::MAX,
                    2 => random.next() & random.next() & random.next(),
                    _ => random.next(),
                };
                record.set(OPMASK_AT + 8 * n, 8, v.into());
            }
        }
        values::memory(random, &vectors, &mut record.0[MEMORY_AT..MEMORY_AT + WINDOW_SIZE as usize]);
        record
    }

    /// Guest state as a record has it.
    fn state_of(&self, record: &Record) -> Vec<u8> {
        let state = &self.guest().state;
        let mut bytes = vec![0; state.size];
        (self.guest().reset)(&mut bytes, &self.model());
        if self.bits == 64 {
            state.set(&mut bytes, state::DIRTY, 1);
            for n in 0..8 {
                state.set(&mut bytes, state::opmask(n), record.get(OPMASK_AT + 8 * n as usize, 8) as u64);
            }
            for (n, part) in (0..32).flat_map(|n| (0..4).map(move |part| (n, part))) {
                let at = state.offset(state::vector(n, part));
                bytes[at..at + 16].copy_from_slice(&record.0[zmm_at(n as usize, part as usize)..][..16]);
            }
        }
        for n in 0..self.registers() {
            state.set(&mut bytes, state::r(n as u32), record.get(gpr_at(n), 8) as u64);
            let Slot(slot) = state::xmm(n as u32);
            let at = usize::from(state.slots[usize::from(slot)].offset);
            bytes[at..at + 16].copy_from_slice(&record.0[XMM_AT + 16 * n..][..16]);
            let at = state.offset(state::ymm_high(n as u32));
            bytes[at..at + 16].copy_from_slice(&record.0[YMM_AT + 16 * n..][..16]);
        }
        state::set_eflags(state, &mut bytes, record.get(FLAGS_AT, 4) as u32);
        state.set(&mut bytes, state::MXCSR, record.get(MXCSR_AT, 4) as u64 & !0x3f);
        bytes
    }

    fn dry(&self, record: &Record, slot: u64) -> Dry {
        static SLOTS: [OnceLock<Vec<(usize, Ty)>>; 2] = [const { OnceLock::new() }; 2];
        let slots = SLOTS[usize::from(self.bits == 64)].get_or_init(|| aim::slots(self.guest()));
        let window = &record.0[MEMORY_AT..MEMORY_AT + WINDOW_SIZE as usize];
        dry_run(
            self.guest(),
            Start {
                fp_flags: 0,
                at: slot,
                code: code_of(record),
                pc: slot,
                slots,
                state: self.state_of(record),
                features: self.model().features,
                window,
            },
        )
    }

    /// The case, if it may be run.
    fn checked(&self, record: Record, rows: Vec<usize>, slot: u64) -> Option<Case> {
        let code = instructions(&record, self.bits, slot);
        open_flags(&code, None, None).or((code.len() == 1).then_some(0))?;
        if code.iter().any(|i| known::x86_operands(i).is_some()) {
            return None;
        }
        let ran = self.dry(&record, slot);
        // AMD's processors do not ask whether SHA's operands are aligned, and would go on; Intel's do, and so do we.
        let is_sha = |i: &Instruction| i.cpuid_features().contains(&iced_x86::CpuidFeature::SHA);
        if ran.trap == Some(ir::Trap::Privileged) && !known::is_intel() && code.iter().any(is_sha) {
            return None;
        }
        let undefined = ran.undefined()
            && !code.iter().any(|i| matches!(i.mnemonic(), Mnemonic::Ud0 | Mnemonic::Ud1 | Mnemonic::Ud2));
        (ran.safe && !undefined && !(ran.guessed && rows.len() > 1)).then_some(Case { record, rows })
    }

    /// A case of one instruction.
    fn single(&self, index: usize, slot: u64, random: &mut Random) -> Option<Case> {
        let mut record = self.random_record(random);
        let taste = Taste { bits: self.bits, recent: [&[], &[]], bases: &[] };
        // Branches go over a NOT of a register, which changes no flags.
        let not = [0xf7, 0xd0 | random.below(4) as u8];
        let code = rows(self.bits)[index].code;
        let mut d = draw(code, (slot, 8), &mut record, &taste, random)?;
        let after = slot + d.bytes.len() as u64;
        if is_branch(&d.i) {
            d = draw(code, (slot, after - slot + not.len() as u64), &mut record, &taste, random)?;
        }
        if known::x86_place(&d.i, d.target).is_some() {
            return None;
        }
        x86_draw::prepare(&d, &mut record, random);
        self.lead(&d, after, &mut record, random)?;
        let mut bytes = d.bytes;
        if d.i.flow_control() != FlowControl::Next {
            bytes.extend(not);
        }
        set_code(&mut record, &bytes);
        self.checked(record, vec![index], slot)
    }

    /// Lets a computed branch go to `after`, or to what follows that.
    fn lead(&self, d: &Drawn, after: u64, record: &mut Record, random: &mut Random) -> Option<()> {
        let to = if random.below(16) == 0 { random.next() >> 17 } else { after + 2 * (random.next() & 1) };
        let word = self.bits as usize / 8;
        let poke = |record: &mut Record, addr: u64, v: u64| {
            let at = addr.wrapping_sub(WINDOW) as usize;
            (at <= WINDOW_SIZE as usize - word).then(|| record.set(MEMORY_AT + at, word, v.into()))
        };
        let stack = record.get(gpr_at(RSP), 8) as u64;
        match (d.i.flow_control(), d.i.mnemonic()) {
            (FlowControl::Return, _) => poke(record, stack, to)?,
            (FlowControl::IndirectBranch | FlowControl::IndirectCall, _) if d.i.op0_kind() == OpKind::Register => {
                record.set(gpr_at(d.i.op0_register().full_register().number()), 8, to.into());
            }
            (FlowControl::IndirectBranch | FlowControl::IndirectCall, _) => poke(record, d.target, to)?,
            // Neither the trap flag nor the check of alignment.
            (_, Mnemonic::Popf | Mnemonic::Popfd | Mnemonic::Popfq) => poke(record, stack, random.next() & 0x20_0cd5)?,
            (_, Mnemonic::Ldmxcsr | Mnemonic::Vldmxcsr) => {
                poke(record, d.target, random.next() << 32 | random.next() & 0xe07f | 0x1f80)?
            }
            _ => {}
        }
        Some(())
    }

    /// A case of several instructions with data flowing between them.
    fn sequence(&self, slot: u64, random: &mut Random) -> Option<Case> {
        let mut record = self.random_record(random);
        let bases = [RSP, RSI, RDI, 3 + random.below(1)];
        for n in [RSI, RDI, 3] {
            record.set(gpr_at(n), 8, u128::from(WINDOW + 16 * (2 + random.below(11)) as u64));
        }
        if random.below(2) == 0 {
            record.set(gpr_at(RCX), 8, random.below(8) as u128);
        }
        let dense = random.below(4) == 0;
        let length = 2 + random.below(8);
        let (mut code, mut indices) = (vec![], vec![]);
        let mut recent = [vec![random.below(self.registers())], vec![random.below(self.registers())]];
        // Branches whose distance is not known yet, with the instruction that they go to.
        let mut branches: Vec<(usize, usize)> = vec![];
        let (mut starts, mut written) = (vec![], vec![RCX, RSP]);
        let mut counters = vec![RCX, RDX, RBP];
        while starts.len() < length && code.len() < ROOM - 20 {
            starts.push(code.len());
            if random.below(8) == 0 {
                branches.push((code.len(), starts.len() + random.below(4)));
                code.extend([0x70 | random.below(16) as u8, 0]);
                continue;
            }
            let list = &groups(self.bits)
                [if dense { [3, 3, 3, 0, 1][random.below(5)] } else { [0, 0, 0, 1, 1, 2, 2, 2][random.below(8)] }];
            let index = list[random.below(list.len())];
            let taste = Taste { bits: self.bits, recent: [&recent[0], &recent[1]], bases: &bases };
            let d = draw(rows(self.bits)[index].code, (slot + code.len() as u64, 8), &mut record, &taste, random)?;
            // Of 16 bits, they leave nothing defined if they go further than that: a sequence does not know how far.
            if matches!(d.i.mnemonic(), Mnemonic::Shld | Mnemonic::Shrd) && size(&d.i) == 2 {
                return None;
            }
            // As long as nothing has written the register.
            let first = d.i.op0_register().full_register();
            if random.below(3) == 0
                && d.i.op0_register().is_gpr()
                && !written.contains(&first.number())
                && !bases.contains(&first.number())
            {
                equalise(&d.i, &mut record);
            }
            let mut factory = InstructionInfoFactory::new();
            for used in factory.info(&d.i).used_registers() {
                let writes = !matches!(
                    used.access(),
                    OpAccess::Read | OpAccess::CondRead | OpAccess::NoMemAccess | OpAccess::None
                );
                let n = used.register().full_register().number();
                if !writes {
                    continue;
                }
                if used.register().is_gpr() {
                    let its_own = d.i.is_string_instruction() || d.i.is_stack_instruction() && n == RSP;
                    if bases.contains(&n) && !its_own {
                        return None;
                    }
                    written.push(n);
                    counters.retain(|c| *c != n);
                    recent[0] = vec![n, recent[0][0]];
                } else if used.register().is_vector_register() {
                    recent[1] = vec![n, recent[1][0]];
                }
            }
            code.extend(&d.bytes);
            indices.push(index);
        }
        starts.push(code.len());
        for (at, to) in branches {
            code[at + 1] = (starts[to.min(starts.len() - 1)] - at - 2) as u8;
        }
        if random.below(2) == 0 && !counters.is_empty() {
            self.go_round(&mut code, &mut record, counters[random.below(counters.len())], random);
        }
        if code.len() > ROOM || indices.is_empty() {
            return None;
        }
        set_code(&mut record, &code);
        self.checked(record, indices, slot)
    }

    /// Lets the code be run some times over. It may read the counter but not write it, or it might never end.
    fn go_round(&self, code: &mut Vec<u8>, record: &mut Record, counter: usize, random: &mut Random) {
        record.set(gpr_at(counter), 8, 2 + random.below(3) as u128);
        let op = match counter {
            // LOOP.
            RCX => 0xe2,
            // SUB EBP, 1 sets all flags, and JNZ.
            RBP => {
                code.extend([0x83, 0xed, 1]);
                0x75
            }
            // DEC EDX leaves the carry, JNE.
            _ => {
                code.extend([0xff, 0xca]);
                0x75
            }
        };
        let distance = (code.len() as u8 + 2).wrapping_neg();
        code.extend([op, distance]);
    }
}

impl Isa for X86Isa {
    fn name(&self) -> &'static str {
        if self.bits == 64 { "x86_64" } else { "i386" }
    }
    fn layout(&self) -> &'static Layout {
        static LAYOUTS: [OnceLock<Layout>; 2] = [const { OnceLock::new() }; 2];
        LAYOUTS[usize::from(self.bits == 64)].get_or_init(|| Layout::x86(self.registers()))
    }
    fn rows(&self) -> Vec<RowName> {
        rows(self.bits).iter().map(|row| RowName { section: self.name(), name: row.name, line: 0 }).collect()
    }
    fn case(&self, row: Option<usize>, index: usize, random: &mut Random) -> Option<Case> {
        let slot = CODE + SLOT * index as u64;
        match row {
            Some(row) => self.single(row, slot, random),
            None => self.sequence(slot, random),
        }
    }
    fn text(&self, record: &Record, index: usize) -> String {
        let slot = CODE + SLOT * index as u64;
        let code = code_of(record);
        let line = |i: Instruction| {
            let at = (i.ip() - slot) as usize;
            let bytes: String = code[at..at + i.len()].iter().map(|b| format!("{b:02x}")).collect();
            format!("{bytes} {}", (self.guest().disassemble)(&code[at..], i.ip(), 0).0)
        };
        instructions(record, self.bits, slot).into_iter().map(line).collect::<Vec<_>>().join("; ")
    }
    fn read(&self, record: &Record) -> Vec<String> {
        instructions(record, self.bits, 0).iter().flat_map(X86Isa::names).collect()
    }
    /// A string instruction, repeated or of two operands; or one that stores some bytes only, of which any may be the first.
    fn accesses_twice(&self, record: &Record, pc: u64) -> bool {
        self.at(record, pc).is_some_and(|i| {
            i.is_string_instruction() || matches!(i.mnemonic(), Mnemonic::Maskmovdqu | Mnemonic::Vmaskmovdqu)
        })
    }
    /// Whether the instruction's access is several of ours: one of 32 bytes or more, or one by a mask.
    fn stores_exclusively(&self, record: &Record, pc: u64) -> bool {
        use Mnemonic::*;
        let by_mask = |i: &Instruction| matches!(i.mnemonic(), Vmaskmovps | Vmaskmovpd | Vpmaskmovd | Vpmaskmovq);
        let evex = |i: &Instruction| i.op_mask() != Register::None || i.is_vsib();
        self.at(record, pc).is_some_and(|i| i.memory_size().size() >= 32 || by_mask(&i) || evex(&i))
    }
    fn maintains_cache(&self, _: &Record, _: u64) -> bool {
        false
    }
    /// Of a gather what it loads to and its mask.
    fn loaded(&self, record: &Record, pc: u64) -> Vec<String> {
        let Some(i) = self.at(record, pc).filter(|i| i.is_vsib()) else { return vec![] };
        let half = |name: &str, r: Register| format!("{name}{}", r.number());
        [i.op0_register(), i.op2_register()].iter().flat_map(|r| ["xmm", "ymm"].map(|name| half(name, *r))).collect()
    }
    fn is_masked(&self, record: &Record, pc: u64) -> bool {
        self.at(record, pc).is_some_and(|i| i.op_mask() != Register::None)
    }
    fn above(&self, record: &Record, pc: u64) -> Vec<String> {
        let Some(i) = self.at(record, pc).filter(|i| i.is_vsib() && i.op0_kind() == OpKind::Register) else {
            return vec![];
        };
        let (n, parts) = (i.op0_register().number(), i.op0_register().size() / 16);
        let name = |part: usize| if n < 16 && part == 1 { format!("ymm{n}") } else { format!("zmm{n}_{part}") };
        (parts..4).map(name).collect()
    }
    fn open_flags(&self, record: &Record, stop: u64) -> u64 {
        // The slot is not known here: it matters for where a fault stopped, and that has it.
        let slot = if stop == 0 { CODE } else { stop & !(SLOT - 1) };
        let code = instructions(record, self.bits, slot);
        let cl = record.get(gpr_at(RCX), 1) as u8;
        open_flags(&code, (stop != 0).then_some(stop), Some(cl)).unwrap_or(u64::MAX)
    }
}

/// What recorded lines are made of: of each form that has no memory operand two cases that do not fault, and what the host leaves. The form of the
/// lines is that of `insn.rs`.
pub(crate) fn lines(cases: &[Case], host: &runner::Records) -> Vec<String> {
    let mut counts = std::collections::BTreeMap::new();
    let mut lines = vec![];
    for (n, case) in cases.iter().enumerate() {
        let row = &rows(64)[case.rows[0]];
        let slot = CODE + SLOT * (n % SLOTS) as u64;
        let [i] = instructions(&case.record, 64, slot)[..] else { continue };
        let plain = |n| i.op_kind(n) == OpKind::Register || x86_draw::is_immediate(i.op_kind(n));
        let memory = !(0..i.op_count()).all(plain);
        let after = Record(host.get(n).expect("a record").into());
        // EVEX's forms are many and long: one of each mnemonic.
        let evex = is_avx512(&i);
        let name = if evex { String::leak(format!("{:?}", i.mnemonic())) } else { row.name };
        let count: &mut usize = counts.entry(name).or_default();
        // Selectors and x87's control word are no part of a record.
        let other = matches!(i.mnemonic(), Mnemonic::Fninit)
            || (0..i.op_count()).any(|n| i.op_register(n).is_segment_register());
        let apart = other
            || memory
            || i.is_stack_instruction()
            || i.is_string_instruction()
            || row.group == Group::Control && i.is_privileged();
        if apart || *count == if evex { 1 } else { 2 } || after.get(216, 4) != 0 || is_branch(&i) {
            continue;
        }
        *count += 1;
        lines.push(line(&i, &case.record, &after));
    }
    lines
}

fn is_avx512(i: &Instruction) -> bool {
    i.code().op_code().encoding() == EncodingKind::EVEX || (0..i.op_count()).any(|n| i.op_register(n).is_k())
}

fn line(i: &Instruction, before: &Record, after: &Record) -> String {
    const EXCEPTIONS: [&str; 6] = ["invalid", "denormal", "divzero", "overflow", "underflow", "inexact"];
    let exceptions = |mxcsr: u128| {
        let names: Vec<&str> = (0..6).filter(|n| mxcsr >> n & 1 == 1).map(|n| EXCEPTIONS[n]).collect();
        names.join(",")
    };
    let names = X86Isa::names(i);
    let layout = LONG.layout();
    let (mut given, mut left) = (vec![], vec![]);
    // Of VEX's forms what is above their registers is zero before and after.
    let shown = |name: &str| is_avx512(i) || !name.starts_with("zmm");
    if is_avx512(i) {
        given.push("dirty=1".into());
    }
    for part in layout.parts.iter().filter(|p| names.contains(&p.name) && shown(&p.name)) {
        let (v, w) = (before.value(part), after.value(part));
        let slot = if part.name.starts_with("ymm") { format!("{}_high", part.name) } else { part.name.clone() };
        if v != 0 {
            given.push(format!("{slot}={v:x}"));
        }
        if v != w {
            left.push(format!("{slot}={w:x}"));
        }
    }
    let open = undefined(i, Some(before.get(gpr_at(RCX), 1) as u8)) as u128;
    let (v, w) = (before.get(FLAGS_AT, 4) & 0xcd5, after.get(FLAGS_AT, 4) & 0xcd5 & !open);
    given.push(format!("eflags={v:x}"));
    if open != 0 {
        left.push(format!("eflags={w:x}/{:x}", 0xcd5 & !open));
    } else if v != w {
        left.push(format!("eflags={w:x}"));
    }
    if names.iter().any(|n| n.starts_with("xmm") || n.starts_with("zmm")) {
        let (v, w) = (before.get(MXCSR_AT, 4), after.get(MXCSR_AT, 4));
        given.push(format!("mxcsr={:x}", v & !0x3f));
        given.extend((v & 0x3f != 0).then(|| format!("fp={}", exceptions(v))));
        left.extend((v != w).then(|| format!("fp={}", exceptions(w))));
    }
    let bytes: String = code_of(before).iter().map(|b| format!("{b:02x}")).collect();
    format!("{bytes} | {} | {}", given.join(" "), left.join(" "))
}
