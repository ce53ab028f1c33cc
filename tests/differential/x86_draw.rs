//! Draws an x86 instruction of a form: its operands from the encoder's description of the form, and registers so that its accesses reach the
//! window.

use decode::Random;
use iced_x86::{
    Code, Decoder, DecoderOptions, Encoder, EncodingKind, Instruction, Mnemonic, OpCodeOperandKind, OpKind, Register,
};

use super::record::{Record, SCRATCH, WINDOW, WINDOW_SIZE, zmm_at};
use super::values;

pub(crate) const RAX: usize = 0;
pub(crate) const RCX: usize = 1;
pub(crate) const RDX: usize = 2;
pub(crate) const RBX: usize = 3;
pub(crate) const RSP: usize = 4;
pub(crate) const RBP: usize = 5;
pub(crate) const RSI: usize = 6;
pub(crate) const RDI: usize = 7;

/// Where general register n stands in a record.
pub(crate) const fn gpr_at(n: usize) -> usize {
    64 + 8 * n
}

/// What operands are chosen by.
#[derive(Debug)]
pub(crate) struct Taste<'a> {
    /// 32 or 64.
    pub(crate) bits: u32,
    /// Numbers of general and of vector registers that are named more often than others.
    pub(crate) recent: [&'a [usize]; 2],
    /// Registers that point into the window. None: any register may, and is made to.
    pub(crate) bases: &'a [usize],
}

/// An instruction with its bytes.
#[derive(Debug)]
pub(crate) struct Drawn {
    pub(crate) i: Instruction,
    pub(crate) bytes: Vec<u8>,
    /// Where its memory operand lies.
    pub(crate) target: u64,
}

impl Taste<'_> {
    fn count(&self) -> usize {
        if self.bits == 64 { 16 } else { 8 }
    }

    /// A vector register's number in this form: EVEX has 32 of them.
    fn vector(&self, evex: bool, random: &mut Random) -> u32 {
        let more = if evex && random.below(3) == 0 { 16 } else { 0 };
        self.number(true, random) as u32 % 16 + more
    }

    /// A register's number.
    fn number(&self, vector: bool, random: &mut Random) -> usize {
        let recent = self.recent[usize::from(vector)];
        if !recent.is_empty() && random.below(2) == 0 {
            recent[random.below(recent.len())]
        } else {
            random.below(self.count())
        }
    }

    fn general(&self, size: u32, random: &mut Random) -> Register {
        let n = self.number(false, random) as u32;
        match size {
            8 => self.byte(n, random),
            16 => Register::AX + n,
            32 => Register::EAX + n,
            _ => Register::RAX + n,
        }
    }

    /// One in three is a second byte. iced has AL to BL, AH to BH, SPL and so on.
    fn byte(&self, n: u32, random: &mut Random) -> Register {
        let second = n < 4 && random.below(3) == 0;
        match n {
            _ if second => Register::AH + n,
            0..4 => Register::AL + n,
            _ if self.bits == 32 => Register::AL + n,
            _ => Register::AL + n + 4u32,
        }
    }
}

/// An address in or about the window for an access of this size.
fn place(size: usize, random: &mut Random) -> u64 {
    // What is aligned by nature stays so more often than not: some instructions fault else.
    let unit = if size >= 16 && random.below(8) != 0 { size.min(64) as u64 } else { 1 << random.below(5) };
    let room = WINDOW_SIZE - (size as u64).min(128);
    match random.below(32) {
        0 => WINDOW + WINDOW_SIZE - random.below(40) as u64,
        1 => SCRATCH - random.below(40) as u64,
        // Not canonical, or nothing there.
        2 => random.next(),
        _ => WINDOW + (random.below(room as usize) as u64 & !(unit - 1)),
    }
}

/// Fills the memory operand in, and the registers that it goes by; where it leads.
fn memory(i: &mut Instruction, record: &mut Record, taste: &Taste<'_>, random: &mut Random) -> u64 {
    let size = i.memory_size().size();
    let long = taste.bits == 64 && random.below(12) != 0;
    let target = place(size, random) & if long { u64::MAX } else { 0xffff_ffff };
    let wide = if long { 8 } else { 4 };
    let register = |n: usize| if long { Register::RAX + n as u32 } else { Register::EAX + n as u32 };
    // Above 32 bits of an address there is anything.
    let mut put = |n: usize, v: u64, random: &mut Random| {
        let v = if long { v } else { v & 0xffff_ffff | (random.next() << 32) };
        record.set(gpr_at(n), 8, u128::from(if taste.bits == 64 { v } else { v & 0xffff_ffff }));
    };
    let shape = random.below(if taste.bases.is_empty() { 8 } else { 10 });
    if shape == 0 && target >> 31 == 0 || shape == 1 && taste.bits == 32 {
        i.set_memory_displ_size(if taste.bits == 64 && long { 8 } else { 4 });
        i.set_memory_displacement64(target);
        return target;
    }
    if shape == 1 && long && target >> 31 == 0 {
        i.set_memory_base(Register::RIP);
        i.set_memory_displ_size(8);
        i.set_memory_displacement64(target);
        return target;
    }
    if !taste.bases.is_empty() {
        let base = taste.bases[random.below(taste.bases.len())];
        i.set_memory_base(register(base));
        let d = if size >= 16 { 16 * random.below(4) as i64 - 16 } else { random.below(64) as i64 - 24 };
        i.set_memory_displ_size(1);
        i.set_memory_displacement64(d as u64);
        return (record.get(gpr_at(base), 8) as u64).wrapping_add_signed(d);
    }
    let scale = 1 << random.below(4);
    let displacement = match random.below(4) {
        0 => 0,
        1 => i64::from(random.next() as i32),
        _ => random.below(256) as i64 - 128,
    };
    let small = displacement == i64::from(displacement as i8);
    let index = random.below(taste.count());
    if shape == 2 && index != RSP && target >> 31 == 0 {
        let v = random.below(4096) as i64 - 2048;
        put(index, v as u64, random);
        i.set_memory_index(register(index));
        i.set_memory_index_scale(scale as u32);
        let d = (target as i64).wrapping_sub(v.wrapping_mul(scale));
        i.set_memory_displ_size(wide);
        i.set_memory_displacement64(d as u64 & if long { u64::MAX } else { 0xffff_ffff });
        return target;
    }
    let base = random.below(taste.count());
    i.set_memory_base(register(base));
    let mut rest = target.wrapping_sub(displacement as u64);
    if shape < 6 && index != RSP && index != base {
        let v = values::integer(random, if long { 64 } else { 32 });
        put(index, v, random);
        i.set_memory_index(register(index));
        i.set_memory_index_scale(scale as u32);
        rest = rest.wrapping_sub(v.wrapping_mul(scale as u64));
    }
    put(base, rest, random);
    let shown = displacement as u64 & if long { u64::MAX } else { 0xffff_ffff };
    let bytes = if displacement == 0 {
        0
    } else if small {
        1
    } else {
        wide
    };
    i.set_memory_displ_size(bytes);
    i.set_memory_displacement64(shown);
    target
}

/// The memory operand of a gather: a base in the window, and indices about it.
fn indexed(
    i: &mut Instruction,
    kind: OpCodeOperandKind,
    record: &mut Record,
    taste: &Taste<'_>,
    random: &mut Random,
) -> u64 {
    use OpCodeOperandKind as K;
    let n = random.below(taste.count());
    let base = if taste.bases.is_empty() { random.below(taste.count()) } else { taste.bases[0] };
    let first = match kind {
        K::mem_vsib32x | K::mem_vsib64x => Register::XMM0,
        K::mem_vsib32y | K::mem_vsib64y => Register::YMM0,
        _ => Register::ZMM0,
    };
    let size = if matches!(kind, K::mem_vsib32x | K::mem_vsib32y | K::mem_vsib32z) { 4 } else { 8 };
    let target = WINDOW + 64 + random.below(128) as u64;
    if taste.bases.is_empty() {
        record.set(gpr_at(base), 8, target.into());
    }
    for part in 0..if taste.bits == 64 { 4 } else { 2 } {
        let half = zmm_at(n, part) - 16 * n;
        for at in (0..16).step_by(size) {
            let v = if random.below(24) == 0 { random.next() as i64 } else { random.below(96) as i64 - 40 };
            record.set(half + 16 * n + at, size, v as u128 & (u128::MAX >> (128 - 8 * size)));
        }
    }
    i.set_memory_base(if taste.bits == 64 { Register::RAX } else { Register::EAX } + base as u32);
    i.set_memory_index(first + n as u32);
    i.set_memory_index_scale(1 << random.below(3));
    i.set_memory_displ_size(1);
    i.set_memory_displacement64(random.below(16) as u64);
    target
}

/// Whether operands of this kind are drawn.
pub(crate) fn is_drawn(kind: OpCodeOperandKind, bits: u32) -> bool {
    use OpCodeOperandKind::*;
    #[rustfmt::skip]
    let always = matches!(kind, mem | mem_offs | r8_or_mem | r16_or_mem | r32_or_mem | r64_or_mem | xmm_or_mem | ymm_or_mem | r8_reg
        | r8_opcode | r16_reg | r16_rm | r16_opcode | r32_reg | r32_rm | r32_opcode | r32_vvvv | r64_reg | r64_rm | r64_opcode | r64_vvvv
        | seg_reg | xmm_reg | xmm_rm | xmm_vvvv | xmm_is4 | ymm_reg | ymm_rm | ymm_vvvv | ymm_is4 | mem_vsib32x | mem_vsib64x | mem_vsib32y | mem_vsib64y | mem_vsib32z | mem_vsib64z
        | zmm_or_mem | zmm_reg | zmm_rm | zmm_vvvv | k_or_mem | k_reg | k_rm | k_vvvv | es | cs | ss | ds | fs | gs | al | cl | ax
        | dx | eax | rax | imm8 | imm8_const_1 | imm8sex16 | imm8sex32 | imm8sex64 | imm16 | imm32 | imm32sex64 | imm64 | seg_rSI | es_rDI
        | seg_rDI | seg_rBX_al);
    always || bits == 64 && matches!(kind, br64_1 | br64_4) || bits == 32 && matches!(kind, br32_1 | br32_4)
}

/// An instruction of the form at `ip`. Branches go to `ip` + `skip`.
pub(crate) fn draw(
    code: Code,
    (ip, skip): (u64, u64),
    record: &mut Record,
    taste: &Taste<'_>,
    random: &mut Random,
) -> Option<Drawn> {
    use OpCodeOperandKind as K;
    let op = code.op_code();
    let mut i = Instruction::default();
    i.set_code(code);
    let evex = op.encoding() == EncodingKind::EVEX;
    if op.can_use_op_mask_register() && (op.require_op_mask_register() || random.below(4) != 0) {
        i.set_op_mask(Register::K1 + random.below(7) as u32);
        i.set_zeroing_masking(op.can_use_zeroing_masking() && random.below(2) == 0);
    }
    i.set_is_broadcast(op.can_broadcast() && random.below(3) == 0);
    let mut target = 0;
    let mut immediates = 0;
    for n in 0..op.op_count() {
        let kind = op.op_kind(n);
        let is_register = random.below(2) == 0;
        let named = |v: Register| (OpKind::Register, v);
        let (to, register) = match kind {
            K::r8_or_mem if is_register => named(taste.general(8, random)),
            K::r16_or_mem if is_register => named(taste.general(16, random)),
            K::r32_or_mem if is_register => named(taste.general(32, random)),
            K::r64_or_mem if is_register => named(taste.general(64, random)),
            K::xmm_or_mem if is_register => named(Register::XMM0 + taste.vector(evex, random)),
            K::ymm_or_mem if is_register => named(Register::YMM0 + taste.vector(evex, random)),
            K::zmm_or_mem if is_register => named(Register::ZMM0 + taste.vector(evex, random)),
            K::k_or_mem if is_register => named(Register::K0 + random.below(8) as u32),
            K::k_reg | K::k_rm | K::k_vvvv => named(Register::K0 + random.below(8) as u32),
            K::zmm_reg | K::zmm_rm | K::zmm_vvvv => named(Register::ZMM0 + taste.vector(evex, random)),
            K::r8_reg | K::r8_opcode => named(taste.general(8, random)),
            K::r16_reg | K::r16_rm | K::r16_opcode => named(taste.general(16, random)),
            K::r32_reg | K::r32_rm | K::r32_opcode | K::r32_vvvv => named(taste.general(32, random)),
            K::r64_reg | K::r64_rm | K::r64_opcode | K::r64_vvvv => named(taste.general(64, random)),
            K::xmm_reg | K::xmm_rm | K::xmm_vvvv | K::xmm_is4 => named(Register::XMM0 + taste.vector(evex, random)),
            K::ymm_reg | K::ymm_rm | K::ymm_vvvv | K::ymm_is4 => named(Register::YMM0 + taste.vector(evex, random)),
            K::seg_reg => named(Register::ES + random.below(6) as u32),
            K::es | K::cs | K::ss | K::ds | K::fs | K::gs => named(Register::ES + (kind as u32 - K::es as u32)),
            K::al => named(Register::AL),
            K::cl => named(Register::CL),
            K::ax => named(Register::AX),
            K::dx => named(Register::DX),
            K::eax => named(Register::EAX),
            K::rax => named(Register::RAX),
            K::imm8 | K::imm8_const_1 if immediates == 1 => (OpKind::Immediate8_2nd, Register::None),
            K::imm8 | K::imm8_const_1 => (OpKind::Immediate8, Register::None),
            K::imm8sex16 => (OpKind::Immediate8to16, Register::None),
            K::imm8sex32 => (OpKind::Immediate8to32, Register::None),
            K::imm8sex64 => (OpKind::Immediate8to64, Register::None),
            K::imm16 => (OpKind::Immediate16, Register::None),
            K::imm32 => (OpKind::Immediate32, Register::None),
            K::imm32sex64 => (OpKind::Immediate32to64, Register::None),
            K::imm64 => (OpKind::Immediate64, Register::None),
            K::seg_rSI => (if taste.bits == 64 { OpKind::MemorySegRSI } else { OpKind::MemorySegESI }, Register::None),
            K::es_rDI => (if taste.bits == 64 { OpKind::MemoryESRDI } else { OpKind::MemoryESEDI }, Register::None),
            K::seg_rDI => (if taste.bits == 64 { OpKind::MemorySegRDI } else { OpKind::MemorySegEDI }, Register::None),
            K::br64_1 | K::br64_4 => (OpKind::NearBranch64, Register::None),
            K::br32_1 | K::br32_4 => (OpKind::NearBranch32, Register::None),
            _ => (OpKind::Memory, Register::None),
        };
        i.set_op_kind(n, to);
        match to {
            OpKind::Register => i.set_op_register(n, register),
            OpKind::Memory if kind == K::mem_offs => {
                target = place(i.memory_size().size(), random) & if taste.bits == 64 { u64::MAX } else { 0xffff_ffff };
                i.set_memory_displ_size(taste.bits / 8);
                i.set_memory_displacement64(target);
            }
            OpKind::Memory
                if matches!(
                    kind,
                    K::mem_vsib32x | K::mem_vsib64x | K::mem_vsib32y | K::mem_vsib64y | K::mem_vsib32z | K::mem_vsib64z
                ) =>
            {
                target = indexed(&mut i, kind, record, taste, random);
            }
            OpKind::Memory if kind == K::seg_rBX_al => {
                let wide = taste.bits == 64;
                i.set_memory_base(if wide { Register::RBX } else { Register::EBX });
                i.set_memory_index(Register::AL);
            }
            OpKind::Memory => target = memory(&mut i, record, taste, random),
            OpKind::NearBranch64 => i.set_near_branch64(ip + skip),
            OpKind::NearBranch32 => i.set_near_branch32((ip + skip) as u32),
            kind if is_immediate(kind) => {
                let v = if op.op_kind(n) == K::imm8_const_1 { 1 } else { immediate(kind, random) };
                i.set_immediate_i64(n, v);
                immediates += 1;
            }
            _ => {}
        }
    }
    let has_memory = (0..op.op_count()).any(|n| i.op_kind(n) == OpKind::Memory);
    i.set_is_broadcast(i.is_broadcast() && has_memory);
    if !has_memory && op.can_use_rounding_control() && random.below(3) == 0 {
        use iced_x86::RoundingControl as R;
        i.set_rounding_control([R::RoundToNearest, R::RoundDown, R::RoundUp, R::RoundTowardZero][random.below(4)]);
    }
    i.set_suppress_all_exceptions(!has_memory && op.can_suppress_all_exceptions() && random.below(3) == 0);
    if op.can_use_lock_prefix() && i.op0_kind() == OpKind::Memory {
        i.set_has_lock_prefix(random.below(3) == 0);
    }
    if i.is_string_instruction() {
        i.set_has_rep_prefix(op.can_use_rep_prefix() && random.below(2) == 0);
        i.set_has_repne_prefix(op.can_use_repne_prefix() && !i.has_rep_prefix() && random.below(2) == 0);
    }
    let mut encoder = Encoder::new(taste.bits);
    encoder.encode(&i, ip).ok()?;
    let bytes = encoder.take_buffer();
    let i = Decoder::with_ip(taste.bits, &bytes, ip, DecoderOptions::NONE).decode();
    (i.code() == code && i.len() == bytes.len()).then_some(Drawn { i, bytes, target })
}

pub(crate) fn is_immediate(kind: OpKind) -> bool {
    (OpKind::Immediate8..=OpKind::Immediate32to64).contains(&kind)
}

fn immediate(kind: OpKind, random: &mut Random) -> i64 {
    match kind {
        OpKind::Immediate8 | OpKind::Immediate8_2nd => values::integer(random, 8) as i64,
        OpKind::Immediate8to16 | OpKind::Immediate8to32 | OpKind::Immediate8to64 => {
            i64::from(values::integer(random, 8) as i8)
        }
        OpKind::Immediate16 => values::integer(random, 16) as i64,
        OpKind::Immediate32 => i64::from(values::integer(random, 32) as u32),
        OpKind::Immediate32to64 => i64::from(values::integer(random, 32) as i32),
        _ => values::integer(random, 64) as i64,
    }
}

/// Makes the two operands equal, if the first is a register: comparisons seldom find that by chance.
pub(crate) fn equalise(i: &Instruction, record: &mut Record) {
    if i.op_count() < 2 || i.op0_kind() != OpKind::Register || !i.op0_register().is_gpr() {
        return;
    }
    let part = |r: Register| {
        let high = matches!(r, Register::AH | Register::CH | Register::DH | Register::BH);
        gpr_at(r.full_register().number()) + usize::from(high)
    };
    let (to, size) = (i.op0_register(), i.op0_register().size());
    let v = match i.op_kind(1) {
        OpKind::Register if i.op1_register().is_gpr() => record.get(part(i.op1_register()), size),
        kind if is_immediate(kind) => u128::from(i.immediate(1)),
        _ => return,
    };
    record.set(part(to), size, v);
}

/// Sets what the instruction reads beside its operands, so that most cases are of interest.
pub(crate) fn prepare(d: &Drawn, record: &mut Record, random: &mut Random) {
    use Mnemonic::*;
    let i = &d.i;
    let size = if i.op0_kind() == OpKind::Register { i.op0_register().size() } else { i.memory_size().size() };
    let get = |record: &Record, n: usize| record.get(gpr_at(n), 8) as u64;
    let put = |record: &mut Record, n: usize, v: u64| record.set(gpr_at(n), 8, v.into());
    if i.is_string_instruction() {
        if random.below(8) != 0 {
            put(record, RCX, random.below(12) as u64);
        }
        for n in [RSI, RDI] {
            if random.below(8) != 0 {
                put(record, n, place(64, random));
            }
        }
    }
    if random.below(4) == 0 && d.target == 0 {
        equalise(i, record);
    }
    match i.mnemonic() {
        // Quotients that fit, now and then.
        Div | Idiv if random.below(4) != 0 => {
            let rax = get(record, RAX);
            let high = [0, 0, 1, u64::MAX, u64::MAX << 1][random.below(5)];
            let low = if size == 1 { rax & !0xff00 | (high & 0xff) << 8 } else { rax };
            put(record, RAX, low);
            put(record, RDX, high);
        }
        // Equal now and then.
        Cmpxchg if i.op0_kind() == OpKind::Register && random.below(2) == 0 => {
            let n = i.op0_register().full_register().number();
            let v = get(record, n);
            put(record, RAX, v);
        }
        Cmpxchg | Cmpxchg8b | Cmpxchg16b if random.below(2) == 0 => {
            let at = d.target.wrapping_sub(WINDOW) as usize;
            if at + 16 <= WINDOW_SIZE as usize {
                let at = super::x86::MEMORY_AT + at;
                let half = if i.mnemonic() == Cmpxchg8b { 4 } else { 8 };
                let (low, high) = (record.get(at, half), record.get(at + half, half));
                record.set(gpr_at(RAX), half, low);
                record.set(gpr_at(RDX), half, high);
            }
        }
        Bt | Bts | Btr | Btc if i.op0_kind() == OpKind::Memory && i.op1_kind() == OpKind::Register => {
            let v = random.below(256) as i64 - 128;
            put(record, i.op1_register().full_register().number(), v as u64);
        }
        // Lengths about those of vectors.
        Pcmpestri | Pcmpestri64 | Pcmpestrm | Pcmpestrm64 | Vpcmpestri | Vpcmpestri64 | Vpcmpestrm | Vpcmpestrm64
            if random.below(8) != 0 =>
        {
            for n in [RAX, RDX] {
                put(record, n, (random.below(40) as u64).wrapping_sub(20));
            }
        }
        Xlatb => {
            let v = place(1, random).wrapping_sub(get(record, RAX) & 0xff);
            put(record, RBX, v);
        }
        Maskmovdqu | Vmaskmovdqu => put(record, RDI, place(16, random)),
        Leave | Enter => put(record, RBP, place(64, random)),
        // More than 16 is left open.
        Shld | Shrd if size == 2 => {
            let v = get(record, RCX) & !0x1f | random.below(17) as u64;
            put(record, RCX, v);
        }
        // A number that no system call has.
        Syscall | Int => put(record, RAX, 100_000 + random.next() % 1_000_000),
        _ => {}
    }
}
