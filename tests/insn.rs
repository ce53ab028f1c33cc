//! What single instructions do: the cases of `insn/<guest>*.txt`, through the translator and the IR interpreter.
//!
//! A case is one line: `words | state before | state after`. Words are hexadecimal instruction words at [`CODE`]; words of four
//! digits are the halfwords of T32 code, or compressed instructions; of x86 the bytes of an instruction are one word, in their order. State is a list of
//!
//! * `x3=1f`, `v0=…`: a slot of guest state, hexadecimal. What is not named before is zero (x86's MXCSR 1f80), what is not named after is as before.
//! * `nzcv=nZCv`: the flags, capital letters set.
//! * `eflags=8d5`: x86's. After `/` a mask of those that are looked at.
//! * `fp=invalid,inexact`: the sticky floating-point flags.
//! * `[20000010]=ff00`: bytes of memory, in their order. There is memory at [`DATA`]; it is zero.
//! * `pc=…` after: where it goes on, if that is not the next instruction. `trap=…`, `syscall`, or with an address `fault=…`,
//!   `misaligned=…`, `flush=…`: how it ends else.
//!
//! What follows a `#` is a comment. `<guest>-recorded.txt` is written by `reference.rs` from what the reference emulator does,
//! `<guest>.txt` by hand.

use std::fmt::Write as _;
use std::fs;

use arch::{Code, Guest, SlotInfo, Translation};
use ir::interp::{self, Machine, MemFault, Memory, Monitor, Outcome};
use ir::{Builder, Slot, Ty, fpflag};

use crate::harness;

/// Where the instructions stand.
pub(crate) const CODE: u64 = 0x1000_0000;
/// Where memory is, and how much.
pub(crate) const DATA: u64 = 0x2000_0000;
pub(crate) const DATA_SIZE: usize = 8192;

/// A guest's words at an address.
#[derive(Debug)]
struct Words(u64, Vec<u8>);

impl Code for Words {
    fn fetch(&mut self, pc: u64, buf: &mut [u8]) -> usize {
        let rest = self.1.get(pc.wrapping_sub(self.0) as usize..).unwrap_or(&[]);
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        n
    }
}

/// Memory at [`DATA`], and which accesses (address, bytes) there were.
#[derive(Clone)]
pub(crate) struct Data(pub(crate) Vec<u8>, pub(crate) Vec<(u64, usize)>);

impl PartialEq for Data {
    fn eq(&self, other: &Data) -> bool {
        self.0 == other.0
    }
}

impl Data {
    fn at(&mut self, addr: u64, size: usize, write: bool) -> Result<&mut [u8], MemFault> {
        let start = addr.wrapping_sub(DATA) as usize;
        let end = start.checked_add(size).ok_or(MemFault { addr, write })?;
        let bytes = self.0.get_mut(start..end).ok_or(MemFault { addr, write })?;
        self.1.push((addr, size));
        Ok(bytes)
    }
}

impl Memory for Data {
    fn load(&mut self, addr: u64, size: usize) -> Result<u128, MemFault> {
        let mut bytes = [0; 16];
        bytes[..size].copy_from_slice(self.at(addr, size, false)?);
        Ok(u128::from_le_bytes(bytes))
    }
    fn store(&mut self, addr: u64, size: usize, v: u128) -> Result<(), MemFault> {
        self.at(addr, size, true)?.copy_from_slice(&v.to_le_bytes()[..size]);
        Ok(())
    }
    fn cmpxchg(&mut self, addr: u64, size: usize, expected: u128, new: u128) -> Result<u128, MemFault> {
        let old = self.load(addr, size).map_err(|fault| MemFault { write: true, ..fault })?;
        if old == expected {
            self.store(addr, size, new)?;
        }
        Ok(old)
    }
}

/// A guest's state and memory.
#[derive(Clone, PartialEq)]
pub(crate) struct World {
    pub(crate) state: Vec<u8>,
    pub(crate) data: Data,
    pub(crate) fp_flags: u32,
    /// Of x86's EFLAGS those that may be anything.
    open_flags: u32,
}

fn is_x86(guest: &Guest) -> bool {
    ["x86_64", "i386"].contains(&guest.name)
}

/// Gives EFLAGS, which may stand in slots in more than one way, one way; what is open is as `got` has it.
fn settle_flags(guest: &Guest, expected: &mut World, got: &mut World) {
    let l = &guest.state;
    let (want, have) = (x86::state::eflags(l, &expected.state), x86::state::eflags(l, &got.state));
    let open = std::mem::take(&mut expected.open_flags);
    x86::state::set_eflags(l, &mut expected.state, want & !open | have & open);
    x86::state::set_eflags(l, &mut got.state, have);
    // What an instruction's blocks hand to one another means nothing behind it.
    for slot in (0..10).map(x86::state::stage).chain([x86::state::TODO, x86::state::XSTATE]) {
        let slot = &l.slots[usize::from(slot.0)];
        got.set_at(slot, expected.get_at(slot));
    }
}

/// Of flags that are not x86's only N, Z, C and V mean something.
fn drop_others(guest: &Guest, got: &mut World) {
    for slot in guest.state.slots.iter().filter(|s| s.ty == Ty::Flags) {
        let bits = FLAG_BITS.iter().fold(0, |all, (_, bit)| all | 1 << bit);
        let v = got.get_at(slot) & bits;
        got.set_at(slot, v);
    }
}

/// What running a case gave.
pub(crate) struct Ran {
    pub(crate) outcome: Outcome,
    /// Slots that were read, and those that were written.
    pub(crate) read: Vec<Slot>,
    pub(crate) written: Vec<Slot>,
}

impl World {
    pub(crate) fn new(guest: &Guest) -> World {
        let mut state = vec![0; guest.state.size];
        if is_x86(guest) {
            // EFLAGS are in slots that are not zero when they are.
            x86::state::set_eflags(&guest.state, &mut state, 0);
            // As programs begin: SSE's exceptions are masked.
            guest.state.set(&mut state, x86::state::MXCSR, x86::state::MXCSR_MASKS.into());
        }
        if guest.name == "arm" {
            arm::state::STATE.set(&mut state, arm::state::LT, u32::MAX.into());
        }
        World { state, data: Data(vec![0; DATA_SIZE], vec![]), fp_flags: 0, open_flags: 0 }
    }

    /// A slot as a number.
    pub(crate) fn get(&self, guest: &Guest, slot: usize) -> u128 {
        self.get_at(&guest.state.slots[slot])
    }

    fn get_at(&self, s: &SlotInfo) -> u128 {
        let mut bytes = [0; 16];
        bytes[..s.ty.bytes()].copy_from_slice(&self.state[usize::from(s.offset)..][..s.ty.bytes()]);
        u128::from_le_bytes(bytes)
    }

    pub(crate) fn set(&mut self, guest: &Guest, slot: usize, v: u128) {
        self.set_at(&guest.state.slots[slot], v);
    }

    fn set_at(&mut self, s: &SlotInfo, v: u128) {
        self.state[usize::from(s.offset)..][..s.ty.bytes()].copy_from_slice(&v.to_le_bytes()[..s.ty.bytes()]);
    }

    /// Translates at most `max_insns` instructions of the code and interprets the region. `pc` has the guest's low mode bits.
    pub(crate) fn run_code(
        &mut self,
        guest: &Guest,
        code: Vec<u8>,
        max_insns: u32,
        pc: u64,
        monitor: Option<Monitor>,
    ) -> Ran {
        let (mut b, mut code) = (Builder::new(guest.state.types), Words(pc & !1, code));
        let mode = (guest.mode)(&self.state);
        let mut t = Translation {
            b: &mut b,
            code: &mut code,
            max_insns,
            leaders: &(),
            // The forms that no model but some has are tested, too.
            features: if guest.name == "x86_64" { x86::ALL_FEATURES } else { guest.cpus[0].features },
            guards: false,
        };
        (guest.translate)(&mut t, pc, mode);
        ir::verify::check(&b.region, guest.state.types).expect("a region that verifies");
        let slots: Vec<(usize, Ty)> = guest.state.slots.iter().map(|s| (usize::from(s.offset), s.ty)).collect();
        let (mut read, mut written) = (vec![], vec![]);
        for inst in &b.region.insts {
            match inst.op {
                ir::Op::Get(slot) => read.push(slot),
                ir::Op::Set(slot, _) => written.push(slot),
                _ => {}
            }
        }
        let mut machine =
            Machine { state: &mut self.state, slots: &slots, memory: &mut self.data, fp_flags: self.fp_flags, monitor };
        let outcome = interp::run(&b.region, &mut machine);
        self.fp_flags = machine.fp_flags;
        if !is_x86(guest) {
            drop_others(guest, self);
        }
        Ran { outcome, read, written }
    }
}

// ---- the text of state ----

/// Flags as they stand in a slot: N, Z, C, V (`ir::Ty::Flags`).
const FLAG_BITS: [(char, u32); 4] = [('N', 15), ('Z', 14), ('C', 8), ('V', 0)];

const FP_FLAGS: [(&str, u32); 6] = [
    ("invalid", fpflag::INVALID),
    ("denormal", fpflag::INPUT_DENORMAL),
    ("divzero", fpflag::DIV_BY_ZERO),
    ("overflow", fpflag::OVERFLOW),
    ("underflow", fpflag::UNDERFLOW),
    ("inexact", fpflag::INEXACT),
];

fn slot_text(ty: Ty, v: u128) -> String {
    if ty != Ty::Flags {
        return format!("{v:x}");
    }
    FLAG_BITS.iter().map(|&(c, bit)| if v >> bit & 1 == 1 { c } else { c.to_ascii_lowercase() }).collect()
}

fn slot_value(ty: Ty, text: &str) -> Result<u128, String> {
    if ty != Ty::Flags {
        return u128::from_str_radix(text, 16).map_err(|e| format!("`{text}`: {e}"));
    }
    Ok(FLAG_BITS.iter().filter(|(c, _)| text.contains(*c)).fold(0, |v, (_, bit)| v | 1 << bit))
}

fn fp_text(flags: u32) -> String {
    let names: Vec<&str> = FP_FLAGS.iter().filter(|f| flags & f.1 != 0).map(|f| f.0).collect();
    if names.is_empty() { "none".into() } else { names.join(",") }
}

fn fp_value(text: &str) -> u32 {
    FP_FLAGS.iter().filter(|f| text.split(',').any(|name| name == f.0)).fold(0, |all, f| all | f.1)
}

/// Sets what a list names; returns what it says of the outcome.
fn apply(guest: &Guest, world: &mut World, list: &str) -> Result<Option<String>, String> {
    let mut end = None;
    for item in list.split_whitespace() {
        let (name, value) = item.split_once('=').unwrap_or((item, ""));
        if let Some(addr) = name.strip_prefix('[').and_then(|n| n.strip_suffix(']')) {
            let addr = u64::from_str_radix(addr, 16).map_err(|e| e.to_string())?;
            for i in 0..value.len() / 2 {
                let byte = u128::from_str_radix(&value[2 * i..2 * i + 2], 16).map_err(|e| e.to_string())?;
                world.data.store(addr + i as u64, 1, byte).map_err(|_| format!("no memory at {addr:#x}"))?;
            }
        } else if ["pc", "trap", "syscall", "fault", "misaligned", "flush"].contains(&name) {
            end = Some(item.to_string());
        } else if name == "eflags" {
            let (v, mask) = value.split_once('/').unwrap_or((value, "ffffffff"));
            let number = |text| u32::from_str_radix(text, 16).map_err(|e| format!("`{text}`: {e}"));
            x86::state::set_eflags(&guest.state, &mut world.state, number(v)?);
            world.open_flags = !number(mask)?;
        } else if name == "fp" {
            world.fp_flags = fp_value(value);
        } else {
            let slot = guest.state.shown.iter().find(|s| s.name() == name).ok_or(format!("no slot `{name}`"))?;
            world.set_at(slot, slot_value(slot.ty, value)?);
        }
    }
    Ok(end)
}

/// What differs between two worlds, as the second has it.
pub(crate) fn difference(guest: &Guest, a: &World, b: &World) -> String {
    let mut out = String::new();
    for s in guest.state.shown {
        if a.get_at(s) != b.get_at(s) {
            let _ = write!(out, " {}={}", s.name(), slot_text(s.ty, b.get_at(s)));
        }
    }
    if a.fp_flags != b.fp_flags {
        let _ = write!(out, " fp={}", fp_text(b.fp_flags));
    }
    let changed = |i: &usize| a.data.0[*i] != b.data.0[*i];
    let mut at = 0;
    while let Some(start) = (at..DATA_SIZE).find(changed) {
        let end = (start..DATA_SIZE).find(|i| !changed(i)).unwrap_or(DATA_SIZE);
        let bytes: String = b.data.0[start..end].iter().map(|byte| format!("{byte:02x}")).collect();
        let _ = write!(out, " [{:x}]={bytes}", DATA + start as u64);
        at = end;
    }
    out.trim_start().into()
}

/// How a case ends, empty if by going on after it.
fn end_text(guest: &Guest, outcome: Outcome, next: u64) -> String {
    match outcome {
        Outcome::Goto(pc) | Outcome::Resume { pc } if pc == next => String::new(),
        Outcome::Goto(pc) | Outcome::Return(pc) | Outcome::Indirect(pc) | Outcome::Resume { pc } => {
            format!("pc={:x}", (guest.branch_target)(pc))
        }
        Outcome::Call { pc, .. } => format!("pc={:x}", (guest.branch_target)(pc)),
        Outcome::FlushCode { addr, .. } => format!("flush={addr:x}"),
        Outcome::Syscall { .. } => "syscall".into(),
        Outcome::Trap { trap: ir::Trap::Align, addr, .. } => format!("misaligned={addr:x}"),
        Outcome::Trap { trap, .. } => format!("trap={trap:?}"),
        Outcome::Fault { fault, .. } => format!("fault={:x}", fault.addr),
    }
}

/// The line of a case: `before` it as far as it is `read`, and the world after it, with its log of accesses.
pub(crate) fn line_of(guest: &Guest, words: &str, before: &World, ran: &Ran, after: &World) -> String {
    let mut given = World::new(guest);
    for slot in &ran.read {
        given.set(guest, usize::from(slot.0), before.get(guest, usize::from(slot.0)));
    }
    let mut expected = given.clone();
    for slot in &ran.written {
        expected.set(guest, usize::from(slot.0), after.get(guest, usize::from(slot.0)));
    }
    expected.fp_flags = after.fp_flags;
    for &(addr, size) in &after.data.1 {
        let range = (addr - DATA) as usize..(addr - DATA) as usize + size;
        given.data.0[range.clone()].copy_from_slice(&before.data.0[range.clone()]);
        expected.data.0[range.clone()].copy_from_slice(&after.data.0[range]);
    }
    let zero = World::new(guest);
    format!("{words} | {} | {}", difference(guest, &zero, &given), difference(guest, &given, &expected))
}

/// Code as text: bytes, instructions, and the low bit of its pc.
fn code(guest: &Guest, words: &str) -> Result<(Vec<u8>, u32, u64), String> {
    let (mut bytes, mut insns, mut thumb, mut inside) = (vec![], 0, 0, false);
    for word in words.split_whitespace() {
        if is_x86(guest) {
            let byte = |at| u8::from_str_radix(word.get(at..at + 2).unwrap_or(""), 16).map_err(|e| e.to_string());
            for at in (0..word.len()).step_by(2) {
                bytes.push(byte(at)?);
            }
            insns += 1;
            continue;
        }
        let v = u32::from_str_radix(word, 16).map_err(|e| e.to_string())?;
        if word.len() == 4 {
            bytes.extend((v as u16).to_le_bytes());
            // The first half of a long T32 instruction begins with 11101 or 1111.
            let t32 = guest.name == "arm";
            inside = t32 && !inside && v >> 11 >= 0b11101;
            (insns, thumb) = (insns + u32::from(!inside), t32.into());
        } else {
            bytes.extend(v.to_le_bytes());
            insns += 1;
        }
    }
    Ok((bytes, insns, thumb))
}

/// Runs one line.
fn check(guest: &Guest, line: &str) -> Result<(), String> {
    let parts: Vec<&str> = line.split('|').map(str::trim).collect();
    let &[words, before, after] = &parts[..] else { return Err("a case is: words | before | after".into()) };
    let (bytes, insns, thumb) = code(guest, words)?;
    let mut world = World::new(guest);
    apply(guest, &mut world, before)?;
    let mut expected = world.clone();
    let end = apply(guest, &mut expected, after)?.unwrap_or_default();
    let ran = world.run_code(guest, bytes.clone(), insns, CODE | thumb, None);
    if is_x86(guest) {
        settle_flags(guest, &mut expected, &mut world);
    }
    let got = end_text(guest, ran.outcome, (CODE | thumb) + bytes.len() as u64);
    if world == expected && got == end {
        return Ok(());
    }
    let wrong = difference(guest, &expected, &world);
    Err(format!("{line}\n    {}: got {wrong} {got}", text(guest, &bytes, CODE | thumb)))
}

/// The code's disassembly.
pub(crate) fn text(guest: &Guest, mut bytes: &[u8], pc: u64) -> String {
    let mut lines = vec![];
    while !bytes.is_empty() {
        let (line, size) = (guest.disassemble)(bytes, pc, 0);
        lines.push(line);
        bytes = &bytes[size..];
    }
    lines.join("; ")
}

/// Runs the files whose names begin with the guest's.
fn check_files(guest: &Guest) {
    let folder = harness::repository().join("tests/insn");
    let files = fs::read_dir(folder).expect("the guest's cases").flatten().map(|e| e.path());
    let of_guest = |name: &str| name == guest.name || name.strip_prefix(guest.name).is_some_and(|n| n.starts_with('-'));
    let mut count = 0;
    let mut wrong = vec![];
    for file in files.filter(|f| f.file_stem().and_then(|n| n.to_str()).is_some_and(of_guest)) {
        let text = fs::read_to_string(&file).expect("the guest's cases");
        let lines = text.lines().map(|l| l.split('#').next().unwrap_or("").trim()).filter(|l| !l.is_empty());
        for line in lines {
            count += 1;
            wrong.extend(check(guest, line).err());
        }
    }
    assert!(count > 0, "no cases of {}", guest.name);
    assert!(wrong.is_empty(), "{} of {count} cases:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn aarch64() {
    check_files(&aarch64::AARCH64);
}

#[test]
fn arm() {
    check_files(&arm::ARM);
}

#[test]
fn riscv64() {
    check_files(&riscv::RISCV64);
}

#[test]
fn riscv32() {
    check_files(&riscv::RISCV32);
}

#[test]
fn x86_64() {
    check_files(&x86::X86_64);
}

#[test]
fn i386() {
    check_files(&x86::I386);
}

/// Rows without a line: what they give is the processor's, or too long for one (`linux/x86_xsave.c` has the XSAVE family, unit tests the estimates).
#[rustfmt::skip]
const WITHOUT_LINE: [&str; 35] = [
    "Cpuid", "Fxrstor", "Fxrstor64", "Fxsave", "Fxsave64", "Rdpid", "Rdrand", "Rdseed", "Rdtsc", "Rdtscp", "Xrstor", "Xrstor64", "Xsave",
    "Xsave64", "Xsavec", "Xsavec64", "Xsaveopt", "Xsaveopt64", "Xsetbv", "Rcpps", "Rcpss", "Rsqrtps", "Rsqrtss", "Vrcpps", "Vrcpss", "Vrsqrtps",
    "Vrsqrtss", "Vrcp14ps", "Vrcp14pd", "Vrcp14ss", "Vrcp14sd", "Vrsqrt14ps", "Vrsqrt14pd", "Vrsqrt14ss", "Vrsqrt14sd",
];

/// Each mnemonic that has a row has a line, but for those of x87 and MMX: see `tests/x87.rs`.
#[test]
fn x86_rows_are_tested() {
    use iced_x86::{Code, Decoder, DecoderOptions, Instruction, OpCodeOperandKind};
    let mut lines = std::collections::BTreeSet::new();
    for file in ["x86_64", "x86_64-recorded"] {
        let text = fs::read_to_string(harness::repository().join(format!("tests/insn/{file}.txt"))).expect("cases");
        for line in text.lines().filter(|l| l.contains('|')) {
            let (bytes, ..) = code(&x86::X86_64, line.split('|').next().unwrap_or("")).expect("bytes");
            lines.extend(
                Decoder::with_ip(64, &bytes, CODE, DecoderOptions::NONE).iter().map(|i| format!("{:?}", i.mnemonic())),
            );
        }
    }
    let mut missing = std::collections::BTreeSet::new();
    for code in Code::values().filter(|c| c.op_code().is_instruction() && c.op_code().mode64()) {
        let mut i = Instruction::default();
        i.set_code(code);
        let far = code
            .op_code()
            .op_kinds()
            .iter()
            .any(|k| matches!(k, OpCodeOperandKind::farbr2_2 | OpCodeOperandKind::farbr4_2));
        let name = format!("{:?}", code.mnemonic());
        if x86::has_row(&i)
            && !crate::differential::is_of_x87(code)
            && !far
            && !lines.contains(&name)
            && !WITHOUT_LINE.contains(&&*name)
        {
            missing.insert(name);
        }
    }
    assert!(missing.is_empty(), "no line in tests/insn/x86_64*.txt: {missing:?}");
}
