//! Moves: between registers and memory, extending, conditional, on the stack.

use super::Cx;
use super::operand::{operand_type, segment};
use crate::insn::rows;
use crate::state::{RAX, RBP, RBX, RDX, RSP, selector};
use iced_x86::{Instruction, OpKind, Register};
use ir::{Bin, Mem, Rmw, Ty, Val};

rows! {
    Mov => mov();
    Movzx => extend(false);
    Movsx => extend(true);
    Movsxd => extend(true);
    Movbe => movbe();
    Lea => lea();
    Xchg => xchg();
    Push => push();
    Pop => pop();
    Pusha => pusha(Ty::I16);
    Pushad => pusha(Ty::I32);
    Popa => popa(Ty::I16);
    Popad => popa(Ty::I32);
    Enter => enter();
    Leave => leave();
    Xlatb => xlat();
    Cbw => widen(Ty::I8, Ty::I16);
    Cwde => widen(Ty::I16, Ty::I32);
    Cdqe => widen(Ty::I32, Ty::I64);
    Cwd => spread(Ty::I16);
    Cdq => spread(Ty::I32);
    Cqo => spread(Ty::I64);
    Cmovo => cmov();
    Cmovno => cmov();
    Cmovb => cmov();
    Cmovae => cmov();
    Cmove => cmov();
    Cmovne => cmov();
    Cmovbe => cmov();
    Cmova => cmov();
    Cmovs => cmov();
    Cmovns => cmov();
    Cmovp => cmov();
    Cmovnp => cmov();
    Cmovl => cmov();
    Cmovge => cmov();
    Cmovle => cmov();
    Cmovg => cmov();
    Seto => setcc();
    Setno => setcc();
    Setb => setcc();
    Setae => setcc();
    Sete => setcc();
    Setne => setcc();
    Setbe => setcc();
    Seta => setcc();
    Sets => setcc();
    Setns => setcc();
    Setp => setcc();
    Setnp => setcc();
    Setl => setcc();
    Setge => setcc();
    Setle => setcc();
    Setg => setcc();
}

impl Cx<'_> {
    /// Stores below the stack pointer, then moves it.
    pub(super) fn push(&mut self, v: Val) {
        let bytes = self.b.ty(v).bytes();
        let sp = self.x(RSP);
        self.b.store(Mem::at(sp, bytes as u8).disp(-(bytes as i32)), v);
        let sp = self.b.add_imm(sp, -(bytes as i64));
        self.set_x(RSP, sp);
    }

    pub(super) fn pop(&mut self, ty: Ty) -> Val {
        let sp = self.x(RSP);
        let v = self.b.load(ty, Mem::at(sp, ty.bytes() as u8));
        let sp = self.b.add_imm(sp, ty.bytes() as i64);
        self.set_x(RSP, sp);
        v
    }
}

fn mov(cx: &mut Cx, i: &Instruction) {
    let [to, from] = [0, 1].map(|n| (i.op_kind(n) == OpKind::Register).then(|| i.op_register(n)));
    let privileged = |reg: Option<Register>| reg.is_some_and(|r| r.is_cr() || r.is_dr() || r.is_tr());
    if privileged(to) || privileged(from) {
        return cx.privileged();
    }
    if let Some(n) = to.and_then(segment) {
        let v = match i.op1_kind() {
            OpKind::Register => cx.low(Ty::I16, i.op1_register().full_register().number() as u32),
            _ => cx.read(i, 1),
        };
        cx.load_segment(n, v);
        return cx.resume();
    }
    if let (Some(n), Some(to)) = (from.and_then(segment), to) {
        // A register is written as wide as it is named.
        let v = cx.b.get(selector(n));
        let ty = Ty::int(to.size());
        let v = if ty == Ty::I16 { cx.b.trunc(ty, v) } else { cx.b.zext(ty, v) };
        return cx.set_reg(to, v);
    }
    let v = cx.read(i, 1);
    cx.write(i, 0, v);
}

fn extend(cx: &mut Cx, i: &Instruction, signed: bool) {
    let ty = operand_type(i, 0);
    if i.op1_kind() == OpKind::Memory {
        let mem = cx.mem(i, i.memory_size().size());
        let v = cx.b.load(ty, if signed { mem.signed() } else { mem });
        return cx.write(i, 0, v);
    }
    let v = cx.read(i, 1);
    let v = if signed { cx.b.sext(ty, v) } else { cx.b.zext(ty, v) };
    cx.write(i, 0, v);
}

fn movbe(cx: &mut Cx, i: &Instruction) {
    let bytes = i.memory_size().size();
    let mem = cx.mem(i, bytes);
    let mem = Mem { big: true, ..mem };
    if i.op0_kind() == OpKind::Memory {
        let v = cx.read(i, 1);
        cx.b.store(mem, v);
    } else {
        let v = cx.b.load(Ty::int(bytes), mem);
        cx.write(i, 0, v);
    }
}

fn lea(cx: &mut Cx, i: &Instruction) {
    let ty = operand_type(i, 0);
    let v = cx.address(i, ty);
    let v = if ty.bits() <= cx.b.ty(v).bits() { cx.b.trunc(ty, v) } else { cx.b.zext(ty, v) };
    cx.write(i, 0, v);
}

/// With memory it is always atomic.
fn xchg(cx: &mut Cx, i: &Instruction) {
    if i.op0_kind() == OpKind::Memory {
        let v = cx.read(i, 1);
        let old = cx.rmw(i, Rmw::Swap, v);
        return cx.write(i, 1, old);
    }
    let (a, b) = (cx.read(i, 0), cx.read(i, 1));
    cx.write(i, 0, b);
    cx.write(i, 1, a);
}

/// The type of a stack element.
fn stack_type(i: &Instruction) -> Ty {
    Ty::int(i.stack_pointer_increment().unsigned_abs() as usize)
}

fn push(cx: &mut Cx, i: &Instruction) {
    let ty = stack_type(i);
    let v = match i.op0_kind() {
        OpKind::Register | OpKind::Memory => {
            let v = cx.read(i, 0);
            cx.b.zext(ty, v)
        }
        _ => cx.b.constant(ty, i.immediate(0)),
    };
    cx.push(v);
}

/// An address that is made of the stack pointer is made of what it becomes. A fault leaves all as it was.
fn pop(cx: &mut Cx, i: &Instruction) {
    let ty = stack_type(i);
    if i.op0_kind() == OpKind::Memory {
        let sp = cx.x(RSP);
        let v = cx.b.load(ty, Mem::at(sp, ty.bytes() as u8));
        let mut mem = cx.mem(i, ty.bytes());
        if i.memory_base().full_register() == Register::RSP {
            mem.disp += ty.bytes() as i32;
        }
        cx.b.store(mem, v);
        let sp = cx.b.add_imm(sp, ty.bytes() as i64);
        return cx.set_x(RSP, sp);
    }
    if let Some(n) = segment(i.op0_register()) {
        let sp = cx.x(RSP);
        let v = cx.b.load(ty, Mem::at(sp, ty.bytes() as u8));
        let v = cx.b.trunc(Ty::I16, v);
        cx.load_segment(n, v);
        let (sp, by) = (cx.x(RSP), ty.bytes() as i64);
        let sp = cx.b.add_imm(sp, by);
        cx.set_x(RSP, sp);
        return cx.resume();
    }
    let v = cx.pop(ty);
    cx.set_reg(i.op0_register(), v);
}

fn pusha(cx: &mut Cx, _: &Instruction, ty: Ty) {
    let sp = cx.x(RSP);
    for n in 0..8 {
        let v = cx.low(ty, n);
        let below = (n as i32 + 1) * ty.bytes() as i32;
        cx.b.store(Mem::at(sp, ty.bytes() as u8).disp(-below), v);
    }
    let sp = cx.b.add_imm(sp, -8 * ty.bytes() as i64);
    cx.set_x(RSP, sp);
}

fn popa(cx: &mut Cx, _: &Instruction, ty: Ty) {
    let sp = cx.x(RSP);
    let load = |cx: &mut Cx, n: u32| {
        let above = (7 - n as i32) * ty.bytes() as i32;
        cx.b.load(ty, Mem::at(sp, ty.bytes() as u8).disp(above))
    };
    let values: [Val; 8] = std::array::from_fn(|n| load(cx, n as u32));
    for (n, v) in (0u32..).zip(values).filter(|(n, _)| *n != RSP) {
        cx.set_low(n, v);
    }
    let sp = cx.b.add_imm(sp, 8 * ty.bytes() as i64);
    cx.set_x(RSP, sp);
}

/// Nested frames copy the pointers of those around them.
fn enter(cx: &mut Cx, i: &Instruction) {
    let bytes = stack_bytes(cx, i);
    let ty = Ty::int(bytes);
    let (size, level) = (i64::from(i.immediate16()), i32::from(i.immediate8_2nd() & 31));
    let (sp, bp) = (cx.x(RSP), cx.x(RBP));
    let bytes = bytes as i32;
    let put = |cx: &mut Cx, n: i32, v: Val| {
        let v = cx.b.trunc(ty, v);
        cx.b.store(Mem::at(sp, bytes as u8).disp(-n * bytes), v);
    };
    put(cx, 1, bp);
    let frame = cx.b.add_imm(sp, i64::from(-bytes));
    for n in 1..level {
        let v = cx.b.load(ty, Mem::at(bp, bytes as u8).disp(-n * bytes));
        let v = cx.b.zext(cx.xlen, v);
        put(cx, n + 1, v);
    }
    if level > 0 {
        put(cx, level + 1, frame);
    }
    let pushed = i64::from(bytes * (level + 1));
    let sp = cx.b.add_imm(sp, -pushed - size);
    let frame = cx.b.trunc(ty, frame);
    cx.set_low(RBP, frame);
    cx.set_x(RSP, sp);
}

fn leave(cx: &mut Cx, i: &Instruction) {
    let bytes = stack_bytes(cx, i);
    let bp = cx.x(RBP);
    let v = cx.b.load(Ty::int(bytes), Mem::at(bp, bytes as u8));
    let sp = cx.b.add_imm(bp, bytes as i64);
    cx.set_x(RSP, sp);
    cx.set_low(RBP, v);
}

/// Bytes that ENTER and LEAVE push at once.
fn stack_bytes(cx: &Cx, i: &Instruction) -> usize {
    use iced_x86::Code;
    if matches!(i.code(), Code::Enterw_imm16_imm8 | Code::Leavew) { 2 } else { cx.pointer().bytes() }
}

fn xlat(cx: &mut Cx, i: &Instruction) {
    let base = i.memory_base();
    let ty = Ty::int(base.size());
    let (table, index) = (cx.low(ty, RBX), cx.low(Ty::I8, RAX));
    let index = cx.b.zext(ty, index);
    let addr = cx.b.add(table, index);
    let mem = cx.in_segment(i, i.memory_segment(), Mem::at(addr, 1));
    let v = cx.b.load(Ty::I8, mem);
    cx.set_low(RAX, v);
}

fn widen(cx: &mut Cx, _: &Instruction, from: Ty, to: Ty) {
    let v = cx.low(from, RAX);
    let v = cx.b.sext(to, v);
    cx.set_low(RAX, v);
}

fn spread(cx: &mut Cx, _: &Instruction, ty: Ty) {
    let v = cx.low(ty, RAX);
    let v = cx.b.shift_imm(Bin::Sar, v, ty.bits() - 1);
    cx.set_low(RDX, v);
}

/// Memory is read in any case, and the upper half of a register cleared.
fn cmov(cx: &mut Cx, i: &Instruction) {
    let (new, old) = (cx.read(i, 1), cx.read(i, 0));
    let cond = cx.condition(i.condition_code());
    let v = cx.b.select(cond, new, old);
    cx.write(i, 0, v);
}

fn setcc(cx: &mut Cx, i: &Instruction) {
    let v = cx.condition(i.condition_code());
    let v = cx.b.zext(Ty::I8, v);
    cx.write(i, 0, v);
}
