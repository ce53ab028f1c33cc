//! Every instruction is encoded over registers and memory operands, decoded by iced-x86 and compared; iced's own encoding must not be shorter.

mod int;
mod label;
mod vec;

use super::*;
use iced_x86::{Decoder, DecoderOptions, Encoder, Instruction, OpKind, Register};

/// Where the tested code pretends to be.
const BASE: u64 = 0x7f12_3456_0000;

/// An absolute address that rip-relative operands reach.
const TARGET: u64 = BASE + 0x1234_5678;

/// What an operand must be.
#[derive(Clone, Copy, Debug)]
enum Want {
    /// This register.
    Is(Register),
    /// A vector register, mask register or general register of this number.
    Vec(u8),
    Mask(u8),
    Gpr(u8),
    Mem(Mem),
    /// An immediate; this many low bits count.
    Imm(i64, u32),
}

/// The bytes of what `f` appends, placed at [`BASE`].
fn code(f: impl FnOnce(&mut Asm)) -> Vec<u8> {
    let mut asm = Asm::new();
    f(&mut asm);
    asm.relocate(BASE).unwrap();
    asm.buf
}

/// The one instruction that `bytes` are.
fn decode(bytes: &[u8], what: impl Fn() -> String) -> Instruction {
    let mut decoder = Decoder::with_ip(64, bytes, BASE, DecoderOptions::NONE);
    let i = decoder.decode();
    assert!(!i.is_invalid(), "{}: {bytes:02x?} is invalid", what());
    assert_eq!(i.len(), bytes.len(), "{}: {bytes:02x?} is {i} and more", what());
    i
}

/// Compares one instruction with what it must be.
fn check(mnemonic: &str, want: &[Want], f: impl FnOnce(&mut Asm)) -> Instruction {
    let bytes = code(f);
    let what = || format!("{mnemonic} {want:x?}");
    let i = decode(&bytes, what);
    assert_eq!(format!("{:?}", i.mnemonic()).to_lowercase(), mnemonic, "{}: {bytes:02x?} is {i}", what());
    for (n, want) in want.iter().enumerate() {
        assert!(is(&i, n as u32, *want), "{}: operand {n} of {bytes:02x?} is in {i}", what());
    }
    let shortest = Encoder::new(64).encode(&i, BASE).unwrap();
    assert!(bytes.len() <= shortest, "{}: {bytes:02x?}, {i} has {shortest} bytes", what());
    i
}

fn is(i: &Instruction, n: u32, want: Want) -> bool {
    let r = i.op_register(n);
    match want {
        Want::Is(w) => i.op_kind(n) == OpKind::Register && r == w,
        Want::Vec(w) => r.is_vector_register() && r.number() == w.into(),
        Want::Mask(w) => r.is_k() && r.number() == w.into(),
        Want::Gpr(w) => (r.is_gpr32() || r.is_gpr64()) && r.number() == w.into(),
        Want::Mem(m) => i.op_kind(n) == OpKind::Memory && i.virtual_address(n, 0, value) == Some(address(&m)),
        Want::Imm(w, bits) => {
            let mask = u64::MAX >> (64 - bits);
            i.op_kind(n) != OpKind::Register
                && i.op_kind(n) != OpKind::Memory
                && (i.immediate(n) ^ w as u64) & mask == 0
        }
    }
}

/// What a register holds when addresses are compared.
fn value(r: Register, _: usize, _: usize) -> Option<u64> {
    let full = r.full_register();
    Some(match r {
        Register::FS => 0x11_1111_0000,
        Register::GS => 0x22_2222_0000,
        _ if r.is_segment_register() => 0,
        _ if r.is_gpr32() => held(full.number() as u8) & 0xffff_ffff,
        _ => held(full.number() as u8),
    })
}

fn held(r: u8) -> u64 {
    (u64::from(r) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The address a memory operand means.
fn address(m: &Mem) -> u64 {
    let segment = match m.seg {
        0x64 => 0x11_1111_0000,
        0x65 => 0x22_2222_0000,
        _ => 0,
    };
    let offset = match m.rip {
        Some(Rip::Extern(target)) => target,
        Some(Rip::Label(_)) => unreachable!("has its own test"),
        None => {
            let base = m.base.map_or(0, |r| held(r.0));
            base.wrapping_add(m.index.map_or(0, |(r, scale)| held(r.0) << scale))
        }
    };
    let offset = offset.wrapping_add_signed(m.disp.into());
    segment + if m.addr32 { offset & 0xffff_ffff } else { offset }
}

/// All registers, by number.
fn regs() -> impl Iterator<Item = Reg> + Clone {
    (0..16).map(Reg)
}

/// Memory operands of every form.
fn mems() -> Vec<Mem> {
    let mut all = Vec::new();
    for base in regs() {
        for disp in [0, 1, 8, -8, 127, 128, -128, -129, 0x1234_5678, i32::MIN] {
            all.push(Mem::base(base, disp));
        }
        all.push(Mem::base(base, 4).gs());
    }
    for index in regs().filter(|&r| r != Reg::RSP) {
        for scale in 0..4 {
            for base in regs() {
                all.push(Mem::sib(base, index, scale, 0));
            }
            for base in [Reg::RSP, Reg::RBP, Reg::R12, Reg::R13, Reg::RAX] {
                all.extend([-4, 0x400].map(|disp| Mem::sib(base, index, scale, disp)));
            }
            all.extend([0, 16, -1000].map(|disp| Mem::index(index, scale, disp)));
        }
    }
    all.extend([
        Mem::sib(Reg::RBX, Reg::RSP, 0, 8),
        Mem::abs32(0),
        Mem::abs32(0x7fff_fff0),
        Mem::abs32(-4096),
        Mem::abs32(64).fs(),
    ]);
    let narrow: Vec<Mem> = all.iter().step_by(3).map(|m| m.addr32()).collect();
    all.extend(narrow);
    all.extend([Mem::external(TARGET), Mem { disp: -8, ..Mem::external(TARGET) }]);
    all
}

/// A few of [`mems`], for what is tested on many instructions.
fn few_mems() -> Vec<Mem> {
    let mut few: Vec<Mem> = mems().into_iter().step_by(61).collect();
    few.extend([Mem::base(Reg::RBP, 0), Mem::base(Reg::R12, 64), Mem::sib(Reg::R13, Reg::R9, 3, 0x100).addr32()]);
    few.extend([Mem::external(TARGET), Mem::abs32(0x1000), Mem::base(Reg::R15, 4).gs().addr32()]);
    few
}
