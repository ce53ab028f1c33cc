//! What holds for each row: its instructions translate, and the order of their operations is exact.

use crate::insn::{decode, has_row};
use crate::state::{CS, mode, selector};
use crate::{I386, X86_64};
use arch::{Code, Guest, Translation};
use iced_x86::Instruction;
use ir::{Builder, Op, Region, Term};
use std::collections::BTreeSet;

/// Code at address 0x1000.
#[derive(Debug)]
struct Bytes(Vec<u8>);

impl Code for Bytes {
    fn fetch(&mut self, pc: u64, buf: &mut [u8]) -> usize {
        let rest = usize::try_from(pc.wrapping_sub(0x1000)).ok().and_then(|at| self.0.get(at..)).unwrap_or(&[]);
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        n
    }
}

/// The region of so many instructions.
fn translate(guest: &Guest, bytes: &[u8], insns: u32, mode: u32) -> Region {
    let mut b = Builder::new(guest.state.types);
    let mut code = Bytes(bytes.into());
    let features = crate::ALL_FEATURES;
    let mut t = Translation { b: &mut b, code: &mut code, max_insns: insns, leaders: &(), features, guards: false };
    (guest.translate)(&mut t, 0x1000, mode);
    b.region
}

/// Calls `f` for random instructions that have a row, with their bytes and text; how many mnemonics there were.
fn each_insn(guest: &Guest, bits: u32, mode: u32, mut seed: u64, f: impl Fn(&[u8], &str, &Region)) -> usize {
    let mut mnemonics = BTreeSet::new();
    for n in 0..200_000u32 {
        let mut bytes: Vec<u8> = Vec::new();
        let mut random = || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            (seed >> 24) as u8
        };
        if n % 3 == 1 && bits == 64 {
            // EVEX, of one of the three maps.
            let [maps, kind] = [random(), random()];
            bytes.extend([0x62, (0xf0 & maps) | (1 + (n / 3 % 3) as u8), kind | 4]);
        } else if n % 3 == 0 {
            // VEX, of two and of three bytes: one of the three maps.
            bytes.extend([&[0xc5][..], &[0xc4, 0xe1 + (n / 6 % 3) as u8]][n as usize / 3 % 2]);
        } else {
            bytes.extend([&[][..], &[0x66], &[0xf2], &[0xf3], &[0xf0]][n as usize % 5]);
            if bits == 64 && n & 32 != 0 {
                bytes.push(0x48);
            }
            bytes.extend([&[][..], &[0x0f], &[0x0f, 0x38], &[0x0f, 0x3a]][n as usize / 5 % 4]);
        }
        bytes.extend((0..14).map(|_| random()));
        bytes.truncate(15);
        let Some(i) = decode(&bytes, 0x1000, bits).filter(|i: &Instruction| !i.is_invalid() && has_row(i)) else {
            continue;
        };
        mnemonics.insert(i.mnemonic() as usize);
        let (text, _) = (guest.disassemble)(&bytes, 0x1000, 0);
        f(&bytes, &text, &translate(guest, &bytes, 1, mode));
    }
    mnemonics.len()
}

const BOTH: [(&Guest, u32); 2] = [(&X86_64, 64), (&I386, 32)];

#[test]
fn instructions_translate() {
    let checked = mode::UNMASKED | 0x3f << mode::CHECKED;
    for (guest, bits, mode) in [(&X86_64, 64, 0), (&I386, 32, 0), (&X86_64, 64, mode::UNMASKED), (&I386, 32, checked)] {
        let count = each_insn(guest, bits, mode, 1, |_, text, region| {
            assert!(region.blocks.iter().all(|b| b.term != Term::None), "{text}");
            let slots = guest.state.types;
            assert_eq!(ir::verify::check_made(region, slots), Ok(()), "{text}");
        });
        assert!(count > 600, "{count} mnemonics");
    }
}

/// FLD1, whose address is kept until somebody may see it.
const FLD1: [u8; 2] = [0xd9, 0xe8];
/// And a push, whose stack pointer is.
const PUSH: [u8; 1] = [0x50];

#[test]
fn what_is_set_late_stands_before_an_instruction_that_shows_it() {
    for (guest, bits) in BOTH {
        each_insn(guest, bits, 0, 3, |bytes, text, _| {
            for before in [&FLD1[..], &PUSH] {
                let region = translate(guest, &[before, bytes].concat(), 2, 0);
                assert_eq!(ir::verify::check_made(&region, guest.state.types), Ok(()), "{text}");
            }
        });
    }
}

#[test]
fn the_stack_pointer_is_written_once() {
    // push eax; push ecx; pop edx; push ebx; mov eax, [esp + 4]
    let code = [0x50, 0x51, 0x5a, 0x53, 0x8b, 0x44, 0x24, 4];
    for (guest, bits) in BOTH {
        let region = translate(guest, &code, 5, 0);
        assert_eq!(ir::verify::check_made(&region, guest.state.types), Ok(()));
        let sp = crate::state::r(crate::state::RSP);
        let sets = region.insts.iter().filter(|i| matches!(i.op, Op::Set(slot, _) if slot == sp)).count();
        assert_eq!(sets, 1, "{bits} bits");
        let word = bits as i16 / 8;
        let moved: Vec<i16> = region
            .insts
            .iter()
            .filter_map(|i| if let Op::Insn { extra, .. } = i.op { Some(ir::moved_by(extra).0 / word) } else { None })
            .collect();
        assert!(moved.starts_with(&[0, -1, -2, -1, -2]), "{moved:?}");
        let bases = region.insts.iter().filter_map(|i| match i.op {
            Op::Load(m) | Op::Store(m, _) => Some(m.base),
            _ => None,
        });
        assert!(bases.into_iter().all(|v| matches!(region.op(v), Op::Get(slot) if *slot == sp)));
    }
}

#[test]
fn state_is_set_after_all_that_can_raise() {
    for (guest, bits) in BOTH {
        each_insn(guest, bits, 0, 2, |_, text, region| {
            let is_set = |op: &Op| matches!(op, Op::Set(..) | Op::FpFlagsSet(_));
            for block in &region.blocks {
                let insts = &region.insts[block.start as usize..block.end as usize];
                let first_set = insts.iter().position(|i| is_set(&i.op)).unwrap_or(usize::MAX);
                let last_fault = insts.iter().rposition(|i| i.op.can_raise()).unwrap_or(0);
                assert!(last_fault <= first_set, "{text}");
            }
        });
    }
}

/// The same, of code that may change.
#[derive(Debug)]
struct Changing(Bytes);

impl Code for Changing {
    fn fetch(&mut self, pc: u64, buf: &mut [u8]) -> usize {
        self.0.fetch(pc, buf)
    }
    fn may_change(&mut self, _: u64, _: u64) -> bool {
        true
    }
}

#[test]
fn code_that_may_change_is_checked_and_ends_with_a_store() {
    // add eax, ecx; mov [rdx], eax; nop
    let mut code = Changing(Bytes(vec![1, 0xc8, 0x89, 2, 0x90]));
    let mut b = Builder::new(X86_64.state.types);
    let features = X86_64.cpus[0].features;
    let mut t = Translation { b: &mut b, code: &mut code, max_insns: 9, leaders: &(), features, guards: false };
    (X86_64.translate)(&mut t, 0x1000, 0);
    assert_eq!(b.region.end, 0x1004);
    let ends: Vec<Term> = b.region.blocks.iter().map(|b| b.term).collect();
    assert!(ends.iter().any(|t| matches!(t, Term::FlushCode { len: 4, next: 0x1000, .. })), "{ends:?}");
    assert!(ends.contains(&Term::Goto { pc: 0x1004 }), "{ends:?}");
    assert!(matches!(ends[0], Term::Branch { .. }), "{ends:?}");
    assert_eq!(ir::verify::check_made(&b.region, X86_64.state.types), Ok(()));
}

#[test]
fn callers_of_thunks_go_on() {
    let ends = |thunk: [u8; 4]| {
        // call 0x1007; ret; nop; the thunk
        let region = translate(&I386, &[&[0xe8, 2, 0, 0, 0, 0xc3, 0x90], &thunk[..]].concat(), 9, 0);
        assert_eq!(ir::verify::check_made(&region, I386.state.types), Ok(()));
        region.blocks.iter().map(|b| b.term).collect::<Vec<_>>()
    };
    // mov ebx, [esp]; ret
    let gone_on = ends([0x8b, 0x1c, 0x24, 0xc3]);
    assert!(gone_on.iter().any(|t| matches!(t, Term::Return { .. })), "{gone_on:?}");
    assert!(gone_on.contains(&Term::Call { pc: 0x1007, ret: 0x1005 }), "the bytes are asked for: {gone_on:?}");
    // The same of ESP; pop ebx; jmp ebx.
    for other in [[0x8b, 0x24, 0x24, 0xc3], [0x5b, 0xff, 0xe3, 0x90]] {
        assert_eq!(ends(other), [Term::Call { pc: 0x1007, ret: 0x1005 }]);
    }
}

#[test]
fn the_vsyscall_page_has_three_calls() {
    let first = |pc: u64| {
        let mut b = Builder::new(X86_64.state.types);
        let mut code = Bytes(Vec::new());
        let mut t = Translation { b: &mut b, code: &mut code, max_insns: 9, leaders: &(), features: 0, guards: false };
        (X86_64.translate)(&mut t, pc, 0);
        b.region.blocks[0].term
    };
    let page = 0xffff_ffff_ff60_0000;
    for n in 0..3 {
        assert_eq!(first(page + 1024 * n), Term::Syscall { next: page + 1024 * n + 7 });
        assert!(matches!(first(page + 1024 * n + 7), Term::Return { .. }));
    }
    assert_eq!([8, 3072].map(|at| first(page + at)), [Term::Trap(ir::Trap::Fetch); 2]);
}

/// Whether a model has the instruction.
fn has(guest: &Guest, model: &str, bytes: &[u8]) -> bool {
    let features = arch::Cpu::parse(guest, model).expect("a model").features;
    let mut b = Builder::new(guest.state.types);
    let mut code = Bytes(bytes.into());
    let mut t = Translation { b: &mut b, code: &mut code, max_insns: 1, leaders: &(), features, guards: false };
    (guest.translate)(&mut t, 0x1000, 0);
    b.region.blocks[0].term != Term::Trap(ir::Trap::Undefined)
}

#[test]
fn models_lack_what_they_do_not_announce() {
    // An instruction, the last model without it, the first with it.
    let long: [(&[u8], &str, &str); 7] = [
        (&[0x66, 0x0f, 0x38, 0x00, 0xc1], "qemu64", "core2duo"), // pshufb xmm0, xmm1
        (&[0x66, 0x0f, 0x38, 0x40, 0xc1], "core2duo", "Penryn"), // pmulld xmm0, xmm1
        (&[0xf2, 0x0f, 0x38, 0xf1, 0xc1], "Penryn", "Nehalem"),  // crc32 eax, ecx
        (&[0x66, 0x0f, 0x3a, 0x63, 0xc1, 0], "Penryn", "Nehalem"), // pcmpistri xmm0, xmm1, 0
        (&[0x66, 0x0f, 0x38, 0xdc, 0xc1], "Nehalem", "Westmere"), // aesenc xmm0, xmm1
        (&[0x66, 0x0f, 0x3a, 0x44, 0xc1, 0], "Nehalem", "Westmere"), // pclmulqdq xmm0, xmm1, 0
        (&[0x0f, 0xc7, 0xf0], "Westmere", "max"),                // rdrand eax
    ];
    let short: [(&[u8], &str, &str); 4] = [
        (&[0x0f, 0x31], "486", "pentium"),                 // rdtsc
        (&[0x0f, 0x44, 0xc1], "pentium", "pentium2"),      // cmove eax, ecx
        (&[0x0f, 0x58, 0xc1], "pentium2", "pentium3"),     // addps xmm0, xmm1
        (&[0x66, 0x0f, 0x58, 0xc1], "pentium3", "qemu32"), // addpd xmm0, xmm1
    ];
    for (guest, list) in [(&X86_64, &long[..]), (&I386, &short[..])] {
        for (bytes, without, with) in list {
            assert_eq!([without, with].map(|model| has(guest, model, bytes)), [false, true], "{bytes:x?}");
        }
    }
}

fn ends(bytes: &[u8]) -> Vec<Term> {
    translate(&X86_64, bytes, 1, 0).blocks.iter().map(|b| b.term).collect()
}

#[test]
fn calls_and_returns() {
    // call .+8; call the next instruction; jmp; ret; jmp rax; call rax
    assert_eq!(ends(&[0xe8, 3, 0, 0, 0]), [Term::Call { pc: 0x1008, ret: 0x1005 }]);
    assert_eq!(ends(&[0xe8, 0, 0, 0, 0]), [Term::Goto { pc: 0x1005 }]);
    assert_eq!(ends(&[0xeb, 6]), [Term::Goto { pc: 0x1008 }]);
    assert!(matches!(ends(&[0xc3])[..], [Term::Return { .. }]));
    assert!(matches!(ends(&[0xff, 0xe0])[..], [Term::Indirect { .. }]));
    assert!(matches!(ends(&[0xff, 0xd0])[..], [Term::CallIndirect { ret: 0x1002, .. }]));
}

#[test]
fn an_instruction_may_miss_its_end() {
    // nop, then the first bytes of mov eax, imm32.
    assert_eq!(translate(&X86_64, &[0x90, 0xb8, 0], 9, 0).blocks[0].term, Term::Goto { pc: 0x1001 });
    assert_eq!(translate(&X86_64, &[0xb8, 0], 9, 0).blocks[0].term, Term::Trap(ir::Trap::Fetch));
}

#[test]
fn undefined_instructions_trap() {
    // ud2, and a byte that 64-bit mode has not.
    for bytes in [[0x0f, 0x0b], [0x06, 0x90]] {
        assert_eq!(ends(&bytes), [Term::Trap(ir::Trap::Undefined)], "{bytes:x?}");
    }
}

/// SYSCALL is for 64-bit code, and no model announces SYSENTER (SEP): such processors have neither in 32-bit code.
#[test]
fn code_of_32_bits_calls_by_interrupt() {
    let traps = |guest, bytes: &[u8], mode| {
        let region = translate(guest, bytes, 1, mode);
        matches!(region.blocks[0].term, Term::Trap(ir::Trap::Undefined | ir::Trap::Unimplemented))
    };
    for (guest, mode) in [(&I386, 0), (&X86_64, mode::NARROW)] {
        assert_eq!(
            [&[0x0f, 0x05], &[0x0f, 0x34], &[0xcd, 0x80]].map(|bytes| traps(guest, bytes, mode)),
            [true, true, false]
        );
    }
    assert_eq!([&[0x0f, 0x05], &[0x0f, 0x34]].map(|bytes| traps(&X86_64, bytes, 0)), [false, true]);
}

#[test]
fn a_new_program_has_linux_selectors() {
    let mut state = vec![0; X86_64.state.size];
    (X86_64.reset)(&mut state, &X86_64.cpus[0]);
    assert_eq!(X86_64.state.get(&state, selector(CS)), 0x33);
}

/// 0F 18 to 0F 1F are hints, whatever their prefix and operands: for what a processor does not have they are no operations (SDM, vol. 2, opcode map).
#[test]
fn hints_of_other_processors_do_nothing() {
    let mut unknown = std::collections::BTreeSet::new();
    for (prefix, opcode, modrm) in [0x3e, 0x66, 0xf2, 0xf3]
        .into_iter()
        .flat_map(|prefix| (0x18..=0x1f).flat_map(move |opcode| (0..=255).map(move |modrm| (prefix, opcode, modrm))))
    {
        for guest in [&X86_64, &I386] {
            let bytes = [prefix, 0x0f, opcode, modrm, 0, 0, 0, 0, 0];
            let region = translate(guest, &bytes, 1, 0);
            if region.blocks.iter().any(|b| matches!(b.term, Term::Trap(_))) {
                unknown.insert(format!("{} {}", guest.name, (guest.disassemble)(&bytes, 0, 0).0));
            }
        }
    }
    assert!(
        unknown.is_empty(),
        "{} forms, such as {:?}",
        unknown.len(),
        unknown.iter().step_by(1 + unknown.len() / 20).collect::<Vec<_>>()
    );
}
