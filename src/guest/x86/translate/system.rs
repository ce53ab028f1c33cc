//! System calls, traps, identification, segment bases, control of SSE, fences, hints, and what user mode may not do.

use super::Cx;
use super::helper::{CPUID, CYCLES, NUMBER};
use super::x87_control::place;
use crate::insn::rows;
use crate::state::{ERROR, EXCEPTION, FS_BASE, GS_BASE, R11, RANDOM, RAX, RBX, RCX, RDX};
use iced_x86::{Instruction, OpKind};
use ir::{Bin, Fence, IntCc, Mem, Slot, Term, Trap, Ty, Val};

rows! {
    Syscall => syscall();
    Int => int();
    Int3 => int3();
    Int1 => int1();
    Into => into();
    Bound => bound();
    Ud0 => ud();
    Ud1 => ud();
    Ud2 => ud();
    Cpuid => cpuid();
    Rdtsc => rdtsc(false);
    Rdtscp => rdtsc(true);
    Rdpid => rdpid();
    Rdrand => random();
    Rdseed => random();
    Rdfsbase => read_base(FS_BASE);
    Rdgsbase => read_base(GS_BASE);
    Wrfsbase => write_base(FS_BASE);
    Wrgsbase => write_base(GS_BASE);
    Mfence => fence(Fence::Full);
    Lfence => fence(Fence::Load);
    Sfence => fence(Fence::Store);
    Nop => nop();
    Pause => nop();
    Endbr64 => nop();
    Endbr32 => nop();
    Rdsspd => nop();
    Rdsspq => nop();
    Reservednop => nop();
    Cldemote => nop();
    Prefetchit0 => nop();
    Prefetchit1 => nop();
    Prefetcht0 => prefetch();
    Prefetcht1 => prefetch();
    Prefetcht2 => prefetch();
    Prefetchnta => prefetch();
    Prefetchw => prefetch();
    Prefetchwt1 => prefetch();
    Prefetch => prefetch();
    Clflush => touch();
    Clflushopt => touch();
    Clwb => touch();
    Sldt => show(0);
    Str => show(TASK);
    Smsw => show(STATUS);
    Sgdt => show_table(DESCRIPTORS);
    Sidt => show_table(INTERRUPTS);
    Hlt => privileged();
    Cli => privileged();
    Sti => privileged();
    In => privileged();
    Out => privileged();
    Lgdt => privileged();
    Lidt => privileged();
    Lldt => privileged();
    Ltr => privileged();
    Lmsw => privileged();
    Clts => privileged();
    Invd => privileged();
    Wbinvd => privileged();
    Invlpg => privileged();
    Rdmsr => privileged();
    Wrmsr => privileged();
    Rdpmc => privileged();
    Xsetbv => privileged();
    Sysexit => privileged();
    Sysexitq => privileged();
    Sysret => privileged();
    Sysretq => privileged();
    Swapgs => privileged();
}

impl Cx<'_> {
    /// Not for user mode: a general protection fault.
    pub(super) fn privileged(&mut self) {
        self.b.trap(Trap::Privileged);
    }
}

/// What the kernel shows of its own where the processor keeps that from programs (UMIP, arch/x86/kernel/umip.c).
const TASK: u32 = 0x40;
const STATUS: u32 = 0x8005_0033;
const DESCRIPTORS: u64 = 0xffff_ffff_fffe_0000;
const INTERRUPTS: u64 = 0xffff_ffff_ffff_0000;

/// Of a word that is stored, memory takes 16 bits.
fn show(cx: &mut Cx, i: &Instruction, v: u32) {
    let v = cx.imm(v.into());
    if i.op0_kind() == OpKind::Register {
        let v = cx.b.trunc(Ty::int(i.op0_register().size()), v);
        return cx.set_reg(i.op0_register(), v);
    }
    let v = cx.b.trunc(Ty::I16, v);
    let mem = cx.mem(i, 2);
    cx.b.store(mem, v);
}

/// A table's limit, which is none, and its address.
fn show_table(cx: &mut Cx, i: &Instruction, base: u64) {
    let (limit, base) = (cx.b.constant(Ty::I16, 0), cx.b.constant(cx.pointer(), base & cx.pointer().mask()));
    for (at, v) in [(0, limit), (2, base)] {
        let mem = cx.part_of_memory(i, at, cx.b.ty(v).bytes());
        cx.b.store(mem, v);
    }
}

fn privileged(cx: &mut Cx, _: &Instruction) {
    cx.privileged();
}

/// RCX and R11 are where the processor has put the way back.
fn syscall(cx: &mut Cx, _: &Instruction) {
    if !cx.is_long() {
        return cx.undefined();
    }
    let (next, flags) = (cx.imm(cx.next), cx.eflags());
    let flags = cx.b.zext(Ty::I64, flags);
    cx.set_x(RCX, next);
    cx.set_x(R11, flags);
    let next = cx.next;
    cx.b.end(Term::Syscall { next });
}

/// INT 0x80 is i386's system call. Of the others user mode may raise none but 3 and 4.
fn int(cx: &mut Cx, i: &Instruction) {
    match i.immediate8() {
        0x80 if !cx.is_wide() => {
            let next = cx.next;
            cx.b.end(Term::Syscall { next });
        }
        // Reported behind it, as the others.
        0x80 => {
            let pc = cx.next;
            cx.b.insn(pc, 0, pc);
            cx.b.trap(Trap::Gate);
        }
        3 => breakpoint(cx),
        4 => overflow(cx),
        // The error code is the gate's place in its table.
        n => cx.exception(vector::PROTECTION, u32::from(n) << 3 | IN_GATES),
    }
}

/// An error code tells of the table of gates, not of segments.
const IN_GATES: u32 = 2;

/// Numbers of exceptions.
pub(super) mod vector {
    pub(super) const OVERFLOW: u32 = 4;
    pub(super) const BOUND: u32 = 5;
    pub(crate) const NOT_PRESENT: u32 = 11;
    pub(crate) const STACK: u32 = 12;
    pub(crate) const PROTECTION: u32 = 13;
}

impl Cx<'_> {
    /// One that the kernel reports as it does a protection fault.
    fn exception(&mut self, vector: u32, error: u32) {
        let v = self.b.i32(vector | error << ERROR);
        self.b.set(EXCEPTION, v);
        self.privileged();
    }
}

/// The overflow trap, which is reported behind the instruction.
fn overflow(cx: &mut Cx) {
    let pc = cx.next;
    cx.b.insn(pc, 0, pc);
    cx.exception(vector::OVERFLOW, 0);
}

/// A trap, too.
fn int1(cx: &mut Cx, _: &Instruction) {
    let pc = cx.next;
    cx.b.insn(pc, 0, pc);
    cx.b.trap(Trap::Debug);
}

fn int3(cx: &mut Cx, _: &Instruction) {
    breakpoint(cx);
}

/// A trap, not a fault: it is reported at the next instruction.
fn breakpoint(cx: &mut Cx) {
    let pc = cx.next;
    cx.b.insn(pc, 0, pc);
    cx.b.trap(Trap::Breakpoint);
}

fn into(cx: &mut Cx, _: &Instruction) {
    let overflows = cx.condition(iced_x86::ConditionCode::o);
    let (trap, on) = (cx.b.block(), cx.b.block());
    cx.b.branch(overflows, trap, on);
    cx.b.enter(trap);
    overflow(cx);
    cx.b.enter(on);
}

/// Bounds are signed. Outside of them Linux reports what it does for a protection fault.
fn bound(cx: &mut Cx, i: &Instruction) {
    let size = i.memory_size().size() / 2;
    let index = cx.read(i, 0);
    let mem = Mem { size: size as u8, ..place(cx, i) };
    let low = cx.b.load(Ty::int(size), mem);
    let high = cx.b.load(Ty::int(size), mem.disp(size as i32));
    let (below, above) = (cx.b.cmp(IntCc::Slt, index, low), cx.b.cmp(IntCc::Sgt, index, high));
    let outside = cx.b.or(below, above);
    let (trap, on) = (cx.b.block(), cx.b.block());
    cx.b.branch(outside, trap, on);
    cx.b.enter(trap);
    cx.exception(vector::BOUND, 0);
    cx.b.enter(on);
}

fn ud(cx: &mut Cx, _: &Instruction) {
    cx.undefined();
}

fn nop(_: &mut Cx, _: &Instruction) {}

fn cpuid(cx: &mut Cx, _: &Instruction) {
    let (leaf, sub) = (cx.low(Ty::I32, RAX), cx.low(Ty::I32, RCX));
    let features = cx.b.i64(cx.features << 1 | u64::from(cx.is_wide()));
    let halves = [0, 1].map(|n| {
        let n = cx.b.i32(n);
        cx.b.call(&CPUID, Ty::I64, &[leaf, sub, features, n])
    });
    for (v, [low, high]) in halves.into_iter().zip([[RAX, RBX], [RCX, RDX]]) {
        set_halves(cx, v, low, high);
    }
}

/// The halves of an I64 to two registers.
fn set_halves(cx: &mut Cx, v: Val, low: u32, high: u32) {
    let lo = cx.b.trunc(Ty::I32, v);
    let hi = cx.b.shift_imm(Bin::Shr, v, 32);
    let hi = cx.b.trunc(Ty::I32, hi);
    cx.set_low(low, lo);
    cx.set_low(high, hi);
}

fn rdtsc(cx: &mut Cx, _: &Instruction, processor: bool) {
    let v = cx.b.call(&CYCLES, Ty::I64, &[]);
    set_halves(cx, v, RAX, RDX);
    if processor {
        let zero = cx.b.i32(0);
        cx.set_low(RCX, zero);
    }
}

// Differs: the processor is always the first.
fn rdpid(cx: &mut Cx, i: &Instruction) {
    let zero = cx.imm(0);
    cx.set_reg(i.op0_register(), zero);
}

/// RDRAND, RDSEED: CF says that there is a number, as there always is.
fn random(cx: &mut Cx, i: &Instruction) {
    let [key0, key1, count] = RANDOM.map(|slot| cx.b.get(slot));
    let v = cx.b.call(&NUMBER, Ty::I64, &[key0, key1, count]);
    let next = cx.b.add_imm(count, 1);
    cx.b.set(RANDOM[2], next);
    let v = cx.b.trunc(Ty::int(i.op0_register().size()), v);
    cx.set_reg(i.op0_register(), v);
    let [no, yes] = [false, true].map(|v| cx.b.i1(v));
    cx.set_zero_carry(no, yes);
}

fn read_base(cx: &mut Cx, i: &Instruction, slot: Slot) {
    let v = cx.b.get(slot);
    let v = cx.b.trunc(Ty::int(i.op0_register().size()), v);
    cx.set_reg(i.op0_register(), v);
}

fn write_base(cx: &mut Cx, i: &Instruction, slot: Slot) {
    let v = cx.read(i, 0);
    let v = cx.b.zext(cx.xlen, v);
    cx.b.set(slot, v);
}

/// Loads and stores are in order as they are.
fn fence(cx: &mut Cx, _: &Instruction, kind: Fence) {
    cx.b.fence(kind);
}

fn prefetch(cx: &mut Cx, i: &Instruction) {
    if i.op0_kind() == OpKind::Memory {
        let addr = cx.linear(i);
        cx.b.prefetch(addr);
    }
}

/// Caches are the host's business; an address without memory faults.
fn touch(cx: &mut Cx, i: &Instruction) {
    let mem = cx.mem(i, 1);
    cx.b.load(Ty::I32, mem);
}
