//! The integer instructions.

use super::Want::{Imm, Is};
use super::*;

const SIZES: [Size; 4] = [Size::B, Size::W, Size::D, Size::Q];
const WIDE: [Size; 3] = [Size::W, Size::D, Size::Q];
const IMMS: [i32; 13] = [0, 1, -1, 0x7f, 0x80, 0xff, -0x80, -0x81, 0x7fff, 0x8000, 0x1234_5678, i32::MIN, i32::MAX];
const SHIFTS: [Shift; 7] = [Shift::Rol, Shift::Ror, Shift::Rcl, Shift::Rcr, Shift::Shl, Shift::Shr, Shift::Sar];
const ALUS: [Alu; 8] = [Alu::Add, Alu::Or, Alu::Adc, Alu::Sbb, Alu::And, Alu::Sub, Alu::Xor, Alu::Cmp];

/// A register as an operand of this size.
fn reg(size: Size, Reg(n): Reg) -> Want {
    let n = u32::from(n);
    Is(match size {
        Size::B if n < 4 => Register::AL + n,
        Size::B => Register::SPL + (n - 4),
        Size::W => Register::AX + n,
        Size::D => Register::EAX + n,
        Size::Q => Register::RAX + n,
    })
}

/// Its name if that is the mnemonic.
fn name(x: impl std::fmt::Debug) -> String {
    format!("{x:?}").to_lowercase()
}

fn imm(size: Size, v: i32) -> Want {
    Imm(v.into(), size.bits())
}

/// `f` with every register and memory operand in r/m, and every register as the other operand. `store`: r/m comes first.
fn rm_forms(mnemonic: &str, size: [Size; 2], store: bool, f: fn(&mut Asm, Size, Reg, Rm)) {
    let order = |r, m| if store { [m, r] } else { [r, m] };
    let [rsize, msize] = size;
    for r in regs() {
        for m in regs() {
            check(mnemonic, &order(reg(rsize, r), reg(msize, m)), |a| f(a, rsize, r, Rm::Reg(m)));
        }
    }
    mem_forms(mnemonic, size, store, f);
}

/// `f` with every memory operand, and registers in turn as the other operand.
fn mem_forms(mnemonic: &str, [rsize, _]: [Size; 2], store: bool, f: fn(&mut Asm, Size, Reg, Rm)) {
    let order = |r, m| if store { [m, r] } else { [r, m] };
    for (m, r) in mems().into_iter().zip(regs().cycle()) {
        check(mnemonic, &order(reg(rsize, r), Want::Mem(m)), |a| f(a, rsize, r, Rm::Mem(m)));
    }
}

/// A memory operand or else a bug in the test.
fn mem(m: Rm) -> Mem {
    let Rm::Mem(m) = m else { unreachable!() };
    m
}

/// `f` with every register and memory operand in r/m, followed by other operands.
fn one_rm(mnemonic: &str, size: Size, rest: &[Want], f: impl Fn(&mut Asm, Rm)) {
    for r in regs() {
        check(mnemonic, &[&[reg(size, r)], rest].concat(), |a| f(a, Rm::Reg(r)));
    }
    for m in few_mems() {
        let i = check(mnemonic, &[&[Want::Mem(m)], rest].concat(), |a| f(a, Rm::Mem(m)));
        assert_eq!(i.memory_size().size(), size.bytes() as usize, "{i}");
    }
}

#[test]
fn moves() {
    for s in SIZES {
        rm_forms("mov", [s, s], false, |a, s, r, m| a.mov(s, r, m));
        mem_forms("mov", [s, s], true, |a, s, r, m| a.mov_mr(s, mem(m), r));
        rm_forms("xchg", [s, s], true, |a, s, r, m| a.xchg(s, m, r));
        for m in mems() {
            let i = check("mov", &[Want::Mem(m), imm(s, -0x0123_4567)], |a| a.mov_mi(s, m, -0x0123_4567));
            assert_eq!(i.memory_size().size(), s.bytes() as usize);
        }
    }
    for s in WIDE {
        mem_forms("movbe", [s, s], false, |a, s, r, m| a.movbe(s, r, mem(m)));
        mem_forms("movbe", [s, s], true, |a, s, r, m| a.movbe_mr(s, mem(m), r));
        for (m, r) in mems().into_iter().zip(regs().cycle()) {
            let address = Want::Mem(Mem { seg: 0, ..m });
            check("lea", &[reg(s, r), address], |a| a.lea(s, r, m));
        }
    }
    for r in regs() {
        check("bswap", &[reg(Size::D, r)], |a| a.bswap(Size::D, r));
        check("bswap", &[reg(Size::Q, r)], |a| a.bswap(Size::Q, r));
        check("xor", &[reg(Size::D, r), reg(Size::D, r)], |a| a.zero(r));
    }
}

#[test]
fn constants() {
    for r in regs() {
        let rex = usize::from(r.0 >= 8);
        for (v, len) in [
            (0, 5 + rex),
            (1, 5 + rex),
            (0xffff_ffff, 5 + rex),
            (0x8000_0000, 5 + rex),
            (-1i64 as u64, 7),
            (i64::from(i32::MIN) as u64, 7),
            (0x1_0000_0000, 10),
            (u64::MAX >> 1, 10),
        ] {
            assert_eq!(code(|a| a.mov_ri(r, v)).len(), len);
            let size = if len < 7 { Size::D } else { Size::Q };
            check("mov", &[reg(size, r), Imm(v as i64, size.bits())], |a| a.mov_ri(r, v));
        }
        let long = code(|a| a.mov_ri64(r, 0x55));
        assert_eq!(long[2..], 0x55u64.to_le_bytes());
        check("mov", &[reg(Size::Q, r), Imm(0x55, 64)], |a| a.mov_ri64(r, 0x55));
    }
}

#[test]
fn extensions() {
    rm_forms("movzx", [Size::D, Size::B], false, |a, _, r, m| a.movzx(Size::B, r, m));
    rm_forms("movzx", [Size::D, Size::W], false, |a, _, r, m| a.movzx(Size::W, r, m));
    rm_forms("mov", [Size::D, Size::D], false, |a, _, r, m| a.movzx(Size::D, r, m));
    for s in WIDE {
        rm_forms("movsx", [s, Size::B], false, |a, s, r, m| a.movsx(s, Size::B, r, m));
    }
    for s in [Size::D, Size::Q] {
        rm_forms("movsx", [s, Size::W], false, |a, s, r, m| a.movsx(s, Size::W, r, m));
        rm_forms("mov", [s, s], false, |a, s, r, m| a.movsx(s, s, r, m));
    }
    rm_forms("movsxd", [Size::Q, Size::D], false, |a, s, r, m| a.movsx(s, Size::D, r, m));
    for (mnemonic, size) in [("cwd", Size::W), ("cdq", Size::D), ("cqo", Size::Q)] {
        check(mnemonic, &[], |a| a.cdq(size));
    }
}

#[test]
fn arithmetic() {
    for alu in ALUS {
        let n = &name(alu);
        for s in SIZES {
            for r in regs() {
                for m in regs() {
                    check(n, &[reg(s, r), reg(s, m)], |a| a.alu(alu, s, r, m));
                }
            }
            for (m, r) in mems().into_iter().zip(regs().cycle()) {
                check(n, &[reg(s, r), Want::Mem(m)], |a| a.alu(alu, s, r, m));
                check(n, &[Want::Mem(m), reg(s, r)], |a| a.alu_mr(alu, s, m, r));
            }
            for v in IMMS {
                for r in regs() {
                    let s2 = if alu == Alu::And && s == Size::Q && v >= 0 { Size::D } else { s };
                    check(n, &[reg(s2, r), imm(s2, v)], |a| a.alu_i(alu, s, r, v));
                }
                for m in few_mems() {
                    let i = check(n, &[Want::Mem(m), imm(s, v)], |a| a.alu_i(alu, s, m, v));
                    assert_eq!(i.memory_size().size(), s.bytes() as usize);
                }
            }
        }
    }
    // The shortest of the forms.
    for (r, s, v, len) in [
        (Reg::RCX, Size::D, 127, 3),
        (Reg::RCX, Size::D, 128, 6),
        (Reg::RAX, Size::D, 128, 5),
        (Reg::RAX, Size::B, 5, 2),
        (Reg::RAX, Size::W, -1, 4),
        (Reg::RAX, Size::W, 0xffff, 4),
        (Reg::RAX, Size::Q, 0x1000, 6),
        (Reg::R8, Size::Q, 1, 4),
    ] {
        assert_eq!(code(|a| a.alu_i(Alu::Add, s, r, v)).len(), len, "{r:?} {s:?} {v}");
    }
    assert_eq!(code(|a| a.alu_i(Alu::And, Size::Q, Reg::RAX, 0x1000)).len(), 5);
}

#[test]
fn tests_and_single_operands() {
    for s in SIZES {
        rm_forms("test", [s, s], true, |a, s, r, m| a.test(s, m, r));
        for v in IMMS {
            let seen = if s == Size::B {
                i32::from(v as i8)
            } else if s == Size::W {
                i32::from(v as i16)
            } else {
                v
            };
            for r in regs() {
                let s2 = match s {
                    _ if (0..128).contains(&seen) => Size::B,
                    Size::Q if v >= 0 => Size::D,
                    _ => s,
                };
                check("test", &[reg(s2, r), imm(s2, v)], |a| a.test_i(s, r, v));
            }
            for m in few_mems() {
                let i = check("test", &[Want::Mem(m), imm(s, v)], |a| a.test_i(s, m, v));
                assert_eq!(i.memory_size().size(), s.bytes() as usize);
            }
        }
        for u in [Unary::Not, Unary::Neg, Unary::Mul, Unary::Imul, Unary::Div, Unary::Idiv] {
            one_rm(&name(u), s, &[], |a, m| a.unary(u, s, m));
        }
        one_rm("inc", s, &[], |a, m| a.inc(s, m));
        one_rm("dec", s, &[], |a, m| a.dec(s, m));
    }
}

#[test]
fn shifts() {
    for s in SIZES {
        for shift in SHIFTS {
            for by in [0, 1, 2, 7, 31, 63] {
                one_rm(&name(shift), s, &[Imm(by.into(), 8)], |a, m| a.shift_i(shift, s, m, by));
            }
            one_rm(&name(shift), s, &[Is(Register::CL)], |a, m| a.shift_cl(shift, s, m));
        }
    }
    for s in WIDE {
        for r in regs() {
            one_rm("shld", s, &[reg(s, r), Imm(9, 8)], |a, m| a.shld_i(s, m, r, 9));
            one_rm("shrd", s, &[reg(s, r), Imm(9, 8)], |a, m| a.shrd_i(s, m, r, 9));
            one_rm("shld", s, &[reg(s, r), Is(Register::CL)], |a, m| a.shld_cl(s, m, r));
            one_rm("shrd", s, &[reg(s, r), Is(Register::CL)], |a, m| a.shrd_cl(s, m, r));
        }
        for bit in [Bit::Bt, Bit::Bts, Bit::Btr, Bit::Btc] {
            for r in regs() {
                one_rm(&name(bit), s, &[reg(s, r)], |a, m| a.bit(bit, s, m, r));
            }
            one_rm(&name(bit), s, &[Imm(13, 8)], |a, m| a.bit_i(bit, s, m, 13));
        }
    }
}

#[test]
fn multiplications_and_counts() {
    for s in WIDE {
        rm_forms("imul", [s, s], false, |a, s, r, m| a.imul(s, r, m));
        rm_forms("bsf", [s, s], false, |a, s, r, m| a.bsf(s, r, m));
        rm_forms("bsr", [s, s], false, |a, s, r, m| a.bsr(s, r, m));
        rm_forms("tzcnt", [s, s], false, |a, s, r, m| a.tzcnt(s, r, m));
        rm_forms("lzcnt", [s, s], false, |a, s, r, m| a.lzcnt(s, r, m));
        rm_forms("popcnt", [s, s], false, |a, s, r, m| a.popcnt(s, r, m));
        for (r, v) in regs().zip(IMMS) {
            for m in few_mems() {
                check("imul", &[reg(s, r), Want::Mem(m), imm(s, v)], |a| a.imul_i(s, r, m, v));
            }
            for m in regs() {
                check("imul", &[reg(s, r), reg(s, m), imm(s, v)], |a| a.imul_i(s, r, m, v));
            }
        }
    }
    for s in [Size::D, Size::Q] {
        rm_forms("adcx", [s, s], false, |a, s, r, m| a.adcx(s, r, m));
        rm_forms("adox", [s, s], false, |a, s, r, m| a.adox(s, r, m));
    }
    for s in SIZES {
        rm_forms(
            "crc32",
            [Size::D, s],
            false,
            match s {
                Size::B => |a, _, r, m| a.crc32(Size::B, r, m),
                Size::W => |a, _, r, m| a.crc32(Size::W, r, m),
                Size::D => |a, _, r, m| a.crc32(Size::D, r, m),
                Size::Q => continue,
            },
        );
    }
    rm_forms("crc32", [Size::Q, Size::Q], false, |a, s, r, m| a.crc32(s, r, m));
}

#[test]
fn bmi() {
    type Three = fn(&mut Asm, Size, Reg, Reg, Rm);
    let rows: [(&str, bool, Three); 9] = [
        ("andn", true, |a, s, d, v, m| a.andn(s, d, v, m)),
        ("pdep", true, |a, s, d, v, m| a.pdep(s, d, v, m)),
        ("pext", true, |a, s, d, v, m| a.pext(s, d, v, m)),
        ("mulx", true, |a, s, d, v, m| a.mulx(s, d, v, m)),
        ("shlx", false, |a, s, d, v, m| a.shlx(s, d, m, v)),
        ("sarx", false, |a, s, d, v, m| a.sarx(s, d, m, v)),
        ("shrx", false, |a, s, d, v, m| a.shrx(s, d, m, v)),
        ("bextr", false, |a, s, d, v, m| a.bextr(s, d, m, v)),
        ("bzhi", false, |a, s, d, v, m| a.bzhi(s, d, m, v)),
    ];
    for s in [Size::D, Size::Q] {
        for (n, rm_last, f) in rows {
            let order = |v, m| if rm_last { [v, m] } else { [m, v] };
            for (d, v) in regs().flat_map(|d| regs().map(move |v| (d, v))) {
                for m in [Reg::RAX, Reg::RDI, Reg::R8, Reg::R15] {
                    let [x, y] = order(reg(s, v), reg(s, m));
                    check(n, &[reg(s, d), x, y], |a| f(a, s, d, v, Rm::Reg(m)));
                }
            }
            for m in mems() {
                let [x, y] = order(reg(s, Reg::R11), Want::Mem(m));
                check(n, &[reg(s, Reg::RBX), x, y], |a| f(a, s, Reg::RBX, Reg::R11, Rm::Mem(m)));
            }
        }
        rm_forms("blsr", [s, s], false, |a, s, r, m| a.blsr(s, r, m));
        rm_forms("blsi", [s, s], false, |a, s, r, m| a.blsi(s, r, m));
        rm_forms("blsmsk", [s, s], false, |a, s, r, m| a.blsmsk(s, r, m));
        for r in regs() {
            for m in regs() {
                check("rorx", &[reg(s, r), reg(s, m), Imm(17, 8)], |a| a.rorx(s, r, m, 17));
            }
            check("rorx", &[reg(s, r), Want::Mem(Mem::external(TARGET)), Imm(17, 8)], |a| {
                a.rorx(s, r, Mem::external(TARGET), 17);
            });
        }
    }
}

#[test]
fn conditions() {
    let names = "o no b ae e ne be a s ns p np l ge le g".split(' ').collect::<Vec<_>>();
    for (cc, n) in Cc::ALL.into_iter().zip(names) {
        assert_eq!(cc.invert() as u8, cc as u8 ^ 1);
        one_rm(&format!("set{n}"), Size::B, &[], |a, m| a.setcc(cc, m));
        for s in WIDE {
            for (r, m) in regs().flat_map(|r| regs().map(move |m| (r, m))) {
                check(&format!("cmov{n}"), &[reg(s, r), reg(s, m)], |a| a.cmov(cc, s, r, m));
            }
            for m in few_mems() {
                check(&format!("cmov{n}"), &[reg(s, Reg::R9), Want::Mem(m)], |a| a.cmov(cc, s, Reg::R9, m));
            }
        }
        check(&format!("j{n}"), &[], |a| {
            let here = a.label_here();
            a.jcc(cc, here);
        });
        check(&format!("j{n}"), &[], |a| a.jcc_extern(cc, TARGET));
    }
}

#[test]
fn atomics() {
    for s in SIZES {
        mem_forms("cmpxchg", [s, s], true, |a, s, r, m| a.lock().cmpxchg(s, mem(m), r));
        mem_forms("xadd", [s, s], true, |a, s, r, m| a.lock().xadd(s, mem(m), r));
        mem_forms("or", [s, s], true, |a, s, r, m| a.lock().alu_mr(Alu::Or, s, mem(m), r));
        for m in few_mems() {
            let i = check("and", &[Want::Mem(m), imm(s, -300)], |a| a.lock().alu_i(Alu::And, s, m, -300));
            assert!(i.has_lock_prefix());
            check("neg", &[Want::Mem(m)], |a| a.lock().unary(Unary::Neg, s, m));
        }
    }
    for m in mems() {
        assert!(check("cmpxchg16b", &[Want::Mem(m)], |a| a.lock().cmpxchg16b(m)).has_lock_prefix());
        check("cmpxchg8b", &[Want::Mem(m)], |a| a.lock().cmpxchg8b(m));
    }
}

#[test]
fn stack_and_indirect_branches() {
    for r in regs() {
        check("push", &[reg(Size::Q, r)], |a| a.push(r));
        check("pop", &[reg(Size::Q, r)], |a| a.pop(r));
        check("jmp", &[reg(Size::Q, r)], |a| a.jmp_reg(r));
        check("call", &[reg(Size::Q, r)], |a| a.call_reg(r));
        for s in WIDE {
            check("rdrand", &[reg(s, r)], |a| a.rdrand(s, r));
            check("rdseed", &[reg(s, r)], |a| a.rdseed(s, r));
        }
    }
    for v in IMMS {
        check("push", &[Imm(v.into(), 64)], |a| a.push_i(v));
    }
    type One = fn(&mut Asm, Mem);
    let rows: [(&str, One); 8] = [
        ("push", |a, m| a.push_m(m)),
        ("pop", |a, m| a.pop_m(m)),
        ("jmp", |a, m| a.jmp_mem(m)),
        ("call", |a, m| a.call_mem(m)),
        ("ldmxcsr", |a, m| a.ldmxcsr(m)),
        ("stmxcsr", |a, m| a.stmxcsr(m)),
        ("prefetcht0", |a, m| a.prefetcht0(m)),
        ("prefetchw", |a, m| a.prefetchw(m)),
    ];
    for (n, f) in rows {
        for m in mems() {
            // pop calculates its address after rsp has changed.
            if n != "pop" || m.base != Some(Reg::RSP) && m.index.is_none_or(|(r, _)| r != Reg::RSP) {
                check(n, &[Want::Mem(m)], |a| f(a, m));
            }
        }
    }
}

#[test]
fn without_operands() {
    type Plain = fn(&mut Asm);
    let rows: [(&str, Plain); 23] = [
        ("vzeroupper", Asm::vzeroupper),
        ("ret", Asm::ret),
        ("lahf", Asm::lahf),
        ("sahf", Asm::sahf),
        ("cmc", Asm::cmc),
        ("stc", Asm::stc),
        ("clc", Asm::clc),
        ("cld", Asm::cld),
        ("pushfq", Asm::pushfq),
        ("popfq", Asm::popfq),
        ("ud2", Asm::ud2),
        ("int3", Asm::int3),
        ("pause", Asm::pause),
        ("mfence", Asm::mfence),
        ("lfence", Asm::lfence),
        ("sfence", Asm::sfence),
        ("rdtsc", Asm::rdtsc),
        ("rdtscp", Asm::rdtscp),
        ("cpuid", Asm::cpuid),
        ("xgetbv", Asm::xgetbv),
        ("syscall", Asm::syscall),
        ("endbr64", Asm::endbr64),
        ("nop", |a| a.nop(1)),
    ];
    for (n, f) in rows {
        check(n, &[], f);
    }
    let i = check("movzx", &[reg(Size::D, Reg::RAX)], Asm::movzx_ah);
    assert_eq!(i.op1_register(), iced_x86::Register::AH);
}
