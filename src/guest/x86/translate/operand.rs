//! Operands: registers whole and in part, immediates, memory.

use super::Cx;
use super::segment::{IN_SEGMENT, WIDE};
use crate::state::{self, CS, FS, FS_BASE, GS, GS_BASE, RSP, mode, selector};
use iced_x86::{Instruction, OpAccess, OpKind, Register, UsedMemory};
use ir::{Align, Bin, Mem, Slot, Ty, Val};

/// Where a general register's name points: its number, whether it is bits 15 to 8 of it, its size.
#[derive(Clone, Copy)]
struct Part {
    n: u32,
    high: bool,
    bytes: usize,
}

fn part(reg: Register) -> Part {
    let high = matches!(reg, Register::AH | Register::CH | Register::DH | Register::BH);
    let n = reg.full_register().number() as u32;
    Part { n, high, bytes: reg.size() }
}

/// The number of a segment register.
pub(super) fn segment(reg: Register) -> Option<u32> {
    Some(match reg {
        Register::ES => state::ES,
        Register::CS => CS,
        Register::SS => state::SS,
        Register::DS => state::DS,
        Register::FS => FS,
        Register::GS => GS,
        _ => return None,
    })
}

/// The slot that has a segment's base, if it may be other than 0.
fn segment_base(reg: Register) -> Option<Slot> {
    match reg {
        Register::FS => Some(FS_BASE),
        Register::GS => Some(GS_BASE),
        _ => None,
    }
}

/// Whether an instruction writes memory in a segment.
fn writes_in(i: &Instruction, segment: Register) -> bool {
    let mut factory = iced_x86::InstructionInfoFactory::new();
    let writes = |m: &UsedMemory| !matches!(m.access(), OpAccess::Read | OpAccess::CondRead);
    factory.info(i).used_memory().iter().any(|m| m.segment() == segment && writes(m))
}

/// Whether an instruction's first access that goes to an address which is not canonical is one of the stack's segment, and not misaligned, for that is looked
/// at before. Registers are as they are before it. 64-bit code has no other segment's prefix than those of FS and GS.
pub(crate) fn leaves_stack(i: &Instruction, state: &[u8]) -> bool {
    let value = |reg: Register| match reg {
        _ if reg.is_gpr64() => state::STATE64.get(state, state::r(reg.number() as u32)),
        _ => segment_base(reg).map_or(0, |slot| state::STATE64.get(state, slot)),
    };
    let address = |m: &UsedMemory| {
        let index = value(m.index()).wrapping_mul(m.scale().into());
        [value(m.base()), index, value(m.segment())].into_iter().fold(m.displacement(), u64::wrapping_add)
    };
    let is_canonical = |at: u64| (at as i64) << 16 >> 16 == at as i64;
    let alignment = super::vector::demanded_alignment(i) as u64;
    let is_stack = |m: &UsedMemory| {
        let by_stack = segment_base(m.segment()).is_none() && matches!(m.base(), Register::RSP | Register::RBP);
        by_stack && address(m).is_multiple_of(alignment)
    };
    let mut factory = iced_x86::InstructionInfoFactory::new();
    factory.info(i).used_memory().iter().find(|m| !is_canonical(address(m))).is_some_and(is_stack)
}

/// The type of an operand.
pub(super) fn operand_type(i: &Instruction, n: u32) -> Ty {
    match i.op_kind(n) {
        OpKind::Register if segment(i.op_register(n)).is_some() => Ty::I16,
        OpKind::Register => Ty::int(i.op_register(n).size()),
        OpKind::Memory => Ty::int(i.memory_size().size()),
        // An immediate is as wide as what it meets.
        _ => operand_type(i, 0),
    }
}

impl Cx<'_> {
    /// A whole general register.
    pub(super) fn x(&mut self, n: u32) -> Val {
        let v = self.b.get(state::r(n));
        self.narrowed(n, v)
    }

    /// Where code is narrower than registers, what it computes with the stack pointer stays within 32 bits.
    fn narrowed(&mut self, n: u32, v: Val) -> Val {
        if n != RSP || self.mode & mode::NARROW == 0 {
            return v;
        }
        let low = self.b.trunc(Ty::I32, v);
        self.b.zext(self.xlen, low)
    }

    pub(super) fn set_x(&mut self, n: u32, v: Val) {
        let v = self.narrowed(n, v);
        if n == RSP && self.moves {
            self.b.set_moving(state::r(n), v);
        } else {
            self.b.set(state::r(n), v);
        }
    }

    /// The low part of a general register.
    pub(super) fn low(&mut self, ty: Ty, n: u32) -> Val {
        let v = self.x(n);
        self.b.trunc(ty, v)
    }

    /// Writes the low part of a general register: 32 bits clear what is above, fewer leave it.
    pub(super) fn set_low(&mut self, n: u32, v: Val) {
        self.set_part(Part { n, high: false, bytes: self.b.ty(v).bytes() }, v);
    }

    fn set_part(&mut self, p: Part, v: Val) {
        let wide = self.b.zext(self.xlen, v);
        let v = if p.bytes >= 4 {
            wide
        } else {
            let old = self.x(p.n);
            self.b.deposit(old, wide, if p.high { 8 } else { 0 }, 8 * p.bytes as u32)
        };
        self.set_x(p.n, v);
    }

    /// A general register, or part of one, as it is named.
    pub(super) fn reg(&mut self, reg: Register) -> Val {
        let p = part(reg);
        let v = self.x(p.n);
        let v = if p.high { self.b.extract(v, 8, 8, false) } else { v };
        self.b.trunc(Ty::int(p.bytes), v)
    }

    pub(super) fn set_reg(&mut self, reg: Register, v: Val) {
        self.set_part(part(reg), v);
    }

    /// A constant of a general register's width.
    pub(super) fn imm(&mut self, v: u64) -> Val {
        self.b.constant(self.xlen, v)
    }

    /// An operand's value: a general or segment register, memory, an immediate.
    pub(super) fn read(&mut self, i: &Instruction, n: u32) -> Val {
        let ty = operand_type(i, n);
        match i.op_kind(n) {
            OpKind::Register => match segment(i.op_register(n)) {
                Some(s) => {
                    let v = self.b.get(selector(s));
                    self.b.trunc(Ty::I16, v)
                }
                None => self.reg(i.op_register(n)),
            },
            OpKind::Memory => {
                let mem = self.mem(i, ty.bytes());
                self.b.load(ty, mem)
            }
            _ => self.b.constant(ty, i.immediate(n)),
        }
    }

    /// Writes a general register or memory.
    pub(super) fn write(&mut self, i: &Instruction, n: u32, v: Val) {
        match i.op_kind(n) {
            OpKind::Register => self.set_reg(i.op_register(n), v),
            _ => {
                let mem = self.mem(i, self.b.ty(v).bytes());
                self.b.store(mem, v);
            }
        }
    }

    /// The memory operand as an access of `bytes` bytes.
    pub(super) fn mem(&mut self, i: &Instruction, bytes: usize) -> Mem {
        let offset = self.offset(i);
        self.in_segment(i, i.memory_segment(), Mem { size: bytes as u8, ..offset })
    }

    /// An access of the instruction in a segment.
    pub(super) fn in_segment(&mut self, i: &Instruction, segment: Register, mem: Mem) -> Mem {
        if let Some(n) = self::segment(segment).filter(|n| self.mode >> mode::CHECKED >> n & 1 != 0) {
            return self.checked(n, mem, writes_in(i, segment));
        }
        let Some(slot) = segment_base(segment) else { return self.widened(mem) };
        let base = self.b.get(slot);
        let offset = self.sum(mem);
        // In 32-bit code the sum goes round its end.
        let ty = self.pointer();
        let (base, offset) = (self.b.trunc(ty, base), self.b.zext(ty, offset));
        let base = self.b.add(base, offset);
        Mem { base, index: Val::NONE, disp: 0, ..mem }
    }

    /// An access in a segment that is not all of memory: its offset is looked at, and a base added.
    fn checked(&mut self, segment: u32, mem: Mem, writes: bool) -> Mem {
        let offset = self.sum(mem);
        let offset = self.b.zext(Ty::I32, offset);
        let segment = if self.is_wide() { segment | WIDE } else { segment };
        let [n, size, writes] = [segment, mem.size.into(), writes.into()].map(|v| self.b.i32(v));
        let base = self.b.call(&IN_SEGMENT, Ty::I32, &[n, offset, size, writes]);
        Mem { base, index: Val::NONE, disp: 0, ..mem }
    }

    /// The address of narrow parts has its own width: the access takes it as it is.
    fn widened(&mut self, mem: Mem) -> Mem {
        if self.b.ty(mem.base) == self.xlen || self.b.ty(mem.base) == Ty::I32 {
            return mem;
        }
        let base = self.sum(mem);
        let base = self.b.zext(self.xlen, base);
        Mem { base, index: Val::NONE, disp: 0, ..mem }
    }

    /// The memory operand's offset in its segment, as one value of the address's width; of 32 bits if no more are `wanted`.
    pub(super) fn address(&mut self, i: &Instruction, wanted: Ty) -> Val {
        let mut mem = self.offset(i);
        if wanted == Ty::I32 && self.b.ty(mem.base) == Ty::I64 {
            mem.base = self.b.trunc(wanted, mem.base);
            if !mem.index.is_none() {
                mem.index = self.b.trunc(wanted, mem.index);
            }
        }
        self.sum(mem)
    }

    /// The address of the memory operand of an instruction as one value.
    pub(super) fn linear(&mut self, i: &Instruction) -> Val {
        let mem = self.mem(i, 1);
        self.sum(mem)
    }

    fn sum(&mut self, mem: Mem) -> Val {
        let mut v = mem.base;
        if !mem.index.is_none() {
            let index = self.b.shift_imm(Bin::Shl, mem.index, mem.scale.into());
            v = self.b.add(v, index);
        }
        if mem.disp == 0 { v } else { self.b.add_imm(v, mem.disp.into()) }
    }

    /// The memory operand without its segment.
    fn offset(&mut self, i: &Instruction) -> Mem {
        // A vector of indices is its instruction's own affair.
        let index = Some(i.memory_index()).filter(|reg| !reg.is_vector_register()).unwrap_or(Register::None);
        let base = i.memory_base();
        let disp = i.memory_displacement64();
        let bytes = match (base, index) {
            (Register::None, Register::None) if i.memory_displ_size() == 2 => 2,
            (Register::None, Register::None) => self.xlen.bytes().min(i.memory_displ_size().max(4) as usize),
            (Register::RIP, _) | (Register::None, Register::RIP) => 8,
            (Register::EIP, _) => 4,
            (Register::None, reg) | (reg, _) => reg.size(),
        };
        let ty = Ty::int(bytes);
        let scale = i.memory_index_scale().trailing_zeros();
        let get = |cx: &mut Self, reg: Register| cx.low(ty, reg.full_register().number() as u32);
        let is_general = |reg: Register| reg.is_gpr();
        let mut mem = Mem { align: Align::Any, ..Mem::at(Val::NONE, 1) };
        match (is_general(base), is_general(index)) {
            (false, false) => mem.base = self.b.constant(ty, disp),
            (true, false) => mem.base = get(self, base),
            (true, true) => {
                mem.base = get(self, base);
                mem.index = get(self, index);
                mem.scale = scale as u8;
            }
            (false, true) => {
                let index = get(self, index);
                mem.base = self.b.shift_imm(Bin::Shl, index, scale);
            }
        }
        if is_general(base) || is_general(index) {
            match i32::try_from(if bytes == 8 { disp as i64 } else { i64::from(disp as u32 as i32) }) {
                Ok(disp) => mem.disp = disp,
                Err(_) => mem.base = self.b.add_imm(mem.base, disp as i64),
            }
        }
        mem
    }
}
