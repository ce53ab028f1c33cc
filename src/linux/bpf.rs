//! Classic BPF as seccomp(2) has it: the kernel's checks of a filter and an interpreter. What filters decide: `seccomp.rs`.
//!
//! Encodings: Documentation/networking/filter.rst. Semantics beyond it: division by zero ends a filter with 0; shift counts count modulo 32.

/// `struct sock_filter`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Insn {
    pub code: u16,
    pub jt: u8,
    pub jf: u8,
    pub k: u32,
}

/// sizeof(struct seccomp_data), and its 32-bit words.
pub const DATA: u32 = 64;
pub type Data = [u32; DATA as usize / 4];
/// BPF_MAXINSNS
pub const MOST: usize = 4096;
/// Words of scratch memory.
const SCRATCH: u32 = 16;

// Classes.
const LD: u16 = 0;
const LDX: u16 = 1;
const ST: u16 = 2;
const STX: u16 = 3;
const ALU: u16 = 4;
const JMP: u16 = 5;
const RET: u16 = 6;
const MISC: u16 = 7;
// Modes of LD and LDX, for words.
const IMM: u16 = 0x00;
const ABS: u16 = 0x20;
const MEM: u16 = 0x60;
const LEN: u16 = 0x80;
/// The second operand is X and not k.
const X: u16 = 8;
/// RET's value is A.
const A: u16 = 0x10;
// Operations.
const ADD: u16 = 0x00;
const SUB: u16 = 0x10;
const MUL: u16 = 0x20;
const DIV: u16 = 0x30;
const OR: u16 = 0x40;
const AND: u16 = 0x50;
const LSH: u16 = 0x60;
const RSH: u16 = 0x70;
const NEG: u16 = 0x80;
const XOR: u16 = 0xa0;
const JA: u16 = 0x00;
const JEQ: u16 = 0x10;
const JGT: u16 = 0x20;
const JGE: u16 = 0x30;
const JSET: u16 = 0x40;
const TAX: u16 = 0x00;
const TXA: u16 = 0x80;

/// Whether the kernel takes the filter (bpf_check_classic and seccomp_check_filter): only these instructions, jumps that stay inside, a return at
/// the end, scratch memory read only after it was written.
pub fn is_valid(filter: &[Insn]) -> bool {
    !filter.is_empty()
        && filter.len() <= MOST
        && filter.iter().enumerate().all(|(at, i)| is_known(i) && jumps_inside(i, filter.len() - at - 1))
        && filter.last().is_some_and(|i| i.code & 7 == RET)
        && writes_before_reading(filter)
}

fn is_known(i: &Insn) -> bool {
    let (operation, by_x) = (i.code & 0xf0, i.code & X != 0);
    match i.code & 7 {
        LD if i.code == LD | ABS => i.k < DATA && i.k.is_multiple_of(4),
        LD | LDX if i.code & 0xf8 == MEM => i.k < SCRATCH,
        LD | LDX => matches!(i.code & 0xf8, IMM | LEN),
        ST | STX => i.code & 0xf8 == 0 && i.k < SCRATCH,
        ALU => match operation {
            ADD | SUB | MUL | OR | AND | XOR => i.code & 0xff00 == 0,
            DIV => i.code & 0xff00 == 0 && (by_x || i.k != 0),
            LSH | RSH => i.code & 0xff00 == 0 && (by_x || i.k < 32),
            NEG => i.code == ALU | NEG,
            _ => false,
        },
        JMP => i.code == JMP | JA || i.code & 0xff00 == 0 && matches!(operation, JEQ | JGT | JGE | JSET),
        RET => matches!(i.code & !7, 0 | A),
        _ => matches!(i.code, 0x07 | 0x87),
    }
}

/// `rest`: instructions behind this one.
fn jumps_inside(i: &Insn, rest: usize) -> bool {
    match i.code & 7 {
        JMP if i.code == JMP | JA => (i.k as usize) < rest,
        JMP => usize::from(i.jt.max(i.jf)) < rest,
        _ => true,
    }
}

/// Follows which words of scratch memory are written on every way to each instruction.
fn writes_before_reading(filter: &[Insn]) -> bool {
    let mut written_at = vec![u16::MAX; filter.len()];
    let mut written = 0u16;
    for (at, i) in filter.iter().enumerate() {
        written &= written_at[at];
        match i.code & 7 {
            ST | STX => written |= 1 << i.k,
            LD | LDX if i.code & 0xf8 == MEM && written >> i.k & 1 == 0 => return false,
            JMP => {
                let (yes, no) = if i.code == JMP | JA { (i.k, i.k) } else { (i.jt.into(), i.jf.into()) };
                for offset in [yes, no] {
                    written_at[at + 1 + offset as usize] &= written;
                }
                written = u16::MAX;
            }
            _ => {}
        }
    }
    true
}

/// What a filter decides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Verdict {
    pub value: u32,
    /// It has looked at the number and the architecture alone, so that it decides the same whatever the arguments are.
    pub by_number: bool,
}

/// Runs a valid filter.
pub fn run(filter: &[Insn], data: &Data) -> Verdict {
    let (mut a, mut x, mut scratch, mut at) = (0u32, 0u32, [0u32; SCRATCH as usize], 0usize);
    let mut by_number = true;
    while let Some(i) = filter.get(at) {
        at += 1;
        let operand = if i.code & X != 0 { x } else { i.k };
        match i.code & 7 {
            LD | LDX => {
                let value = match i.code & 0xf8 {
                    ABS => {
                        by_number &= i.k < 8;
                        data[i.k as usize / 4]
                    }
                    MEM => scratch[i.k as usize],
                    LEN => DATA,
                    _ => i.k,
                };
                *(if i.code & 7 == LD { &mut a } else { &mut x }) = value;
            }
            ST => scratch[i.k as usize] = a,
            STX => scratch[i.k as usize] = x,
            ALU => match compute(i.code & 0xf0, a, operand) {
                Some(value) => a = value,
                None => return Verdict { value: 0, by_number },
            },
            JMP if i.code & 0xf0 == JA => at += i.k as usize,
            JMP => {
                let holds = match i.code & 0xf0 {
                    JEQ => a == operand,
                    JGT => a > operand,
                    JGE => a >= operand,
                    _ => a & operand != 0,
                };
                at += usize::from(if holds { i.jt } else { i.jf });
            }
            RET => return Verdict { value: if i.code & A != 0 { a } else { i.k }, by_number },
            MISC if i.code & 0xf8 == TAX => x = a,
            MISC if i.code & 0xf8 == TXA => a = x,
            _ => break,
        }
    }
    Verdict { value: 0, by_number }
}

/// None: a division by zero.
fn compute(operation: u16, a: u32, b: u32) -> Option<u32> {
    Some(match operation {
        ADD => a.wrapping_add(b),
        SUB => a.wrapping_sub(b),
        MUL => a.wrapping_mul(b),
        DIV => a.checked_div(b)?,
        OR => a | b,
        AND => a & b,
        LSH => a.wrapping_shl(b),
        RSH => a.wrapping_shr(b),
        XOR => a ^ b,
        _ => a.wrapping_neg(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insn(code: u16, jt: u8, jf: u8, k: u32) -> Insn {
        Insn { code, jt, jf, k }
    }
    fn op(code: u16, k: u32) -> Insn {
        insn(code, 0, 0, k)
    }
    const RETURN: Insn = Insn { code: RET, jt: 0, jf: 0, k: 7 };

    #[test]
    fn filters_that_the_kernel_refuses() {
        for bad in [
            &[][..],
            &[op(LD | ABS, 0)],
            &[op(LD | ABS, 2), RETURN],
            &[op(LD | ABS, 64), RETURN],
            &[op(0x28, 0), RETURN],
            &[op(0x30, 0), RETURN],
            &[op(0x40, 0), RETURN],
            &[op(0xb1, 0), RETURN],
            &[op(LD | MEM, 16), RETURN],
            &[op(LD | MEM, 3), RETURN],
            &[op(ST, 16), RETURN],
            &[op(ALU | DIV, 0), RETURN],
            &[op(ALU | LSH, 32), RETURN],
            &[op(ALU | 0x90, 3), RETURN],
            &[op(ALU | NEG | X, 0), RETURN],
            &[op(JMP | JA, 1), RETURN],
            &[op(JMP | JA, u32::MAX), RETURN],
            &[insn(JMP | JEQ, 0, 1, 0), RETURN],
            &[op(JMP | 0x50, 0), RETURN],
            &[op(RET | X, 0)],
            &[op(0x107, 0), RETURN],
            &[op(0x17, 0), RETURN],
            // Written on one of two ways only.
            &[insn(JMP | JEQ, 1, 0, 0), op(ST, 2), op(LD | MEM, 2), RETURN],
        ] {
            assert!(!is_valid(bad), "{bad:?}");
        }
        assert!(is_valid(&[RETURN]) && is_valid(&[op(ST, 2), op(LD | MEM, 2), op(RET | A, 0)]));
        assert!(is_valid(&[
            op(LD | LEN, 0),
            op(LDX | IMM, 0),
            op(ALU | DIV | X, 0),
            insn(JMP | JSET | X, 0, 0, 0),
            RETURN
        ]));
        assert!(is_valid(&vec![RETURN; MOST]) && !is_valid(&vec![RETURN; MOST + 1]));
    }

    fn value(filter: &[Insn]) -> u32 {
        let mut data = [0; 16];
        data.iter_mut().zip(100..).for_each(|(d, n)| *d = n);
        assert!(is_valid(filter), "{filter:?}");
        run(filter, &data).value
    }

    #[test]
    fn what_instructions_do() {
        let a = |list: &[Insn]| value(&[list, &[op(RET | A, 0)]].concat());
        assert_eq!((value(&[RETURN]), a(&[op(LD | ABS, 60)]), a(&[op(LD | LEN, 0)])), (7, 115, 64));
        let with = |code: u16, k| a(&[op(LD | IMM, 12), op(ALU | code, k)]);
        assert_eq!([with(ADD, 5), with(SUB, 13), with(MUL, 3), with(DIV, 5)], [17, u32::MAX, 36, 2]);
        assert_eq!([with(OR, 3), with(AND, 10), with(XOR, 5), with(LSH, 31), with(RSH, 2)], [15, 8, 9, 0, 3]);
        let by = |code: u16, x| a(&[op(LD | IMM, 12), op(LDX | IMM, x), op(ALU | code | X, 0)]);
        assert_eq!([by(ADD, 1), by(LSH, 33), by(DIV, 0), with(NEG, 0)], [13, 24, 0, 12u32.wrapping_neg()]);
        assert_eq!(
            a(&[
                op(LD | IMM, 3),
                op(0x07, 0),
                op(LD | IMM, 9),
                op(STX, 4),
                op(ST, 5),
                op(LDX | MEM, 5),
                op(LD | MEM, 4),
                op(ALU | SUB | X, 0)
            ]),
            3u32.wrapping_sub(9)
        );
        assert_eq!(a(&[op(LDX | IMM, 8), op(0x87, 0)]), 8);
    }

    #[test]
    fn jumps() {
        let taken = |code, k| value(&[op(LD | IMM, 5), insn(JMP | code, 0, 1, k), RETURN, op(RET, 8)]) == 7;
        assert!(taken(JEQ, 5) && !taken(JEQ, 6) && taken(JGT, 4) && !taken(JGT, 5) && taken(JGE, 5) && !taken(JGE, 6));
        assert!(taken(JSET, 4) && !taken(JSET, 2));
        assert_eq!(value(&[op(JMP | JA, 1), RETURN, op(RET, 8)]), 8);
    }

    #[test]
    fn what_arguments_decide_is_known() {
        let by_number = |filter: &[Insn]| run(filter, &[0; 16]).by_number;
        assert!(by_number(&[op(LD | ABS, 4), op(LD | ABS, 0), RETURN]) && !by_number(&[op(LD | ABS, 8), RETURN]));
        assert!(by_number(&[insn(JMP | JEQ, 1, 0, 0), op(LD | ABS, 16), RETURN]), "that way was not taken");
    }
}
