//! Comparisons of strings (SSE4.2): PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM.

use super::Cx;
use crate::insn::rows;
use crate::state::{RAX, RCX, RDX, xmm, ymm_high};
use iced_x86::Instruction;
use ir::{Bin, Frame, Helper, IntCc, Touches, Ty, Val};

rows! {
    Pcmpestri, Vpcmpestri => compare(Some(Ty::I32), Wanted::Index);
    Pcmpestri64, Vpcmpestri64 => compare(Some(Ty::I64), Wanted::Index);
    Pcmpestrm, Vpcmpestrm => compare(Some(Ty::I32), Wanted::Mask);
    Pcmpestrm64, Vpcmpestrm64 => compare(Some(Ty::I64), Wanted::Mask);
    Pcmpistri, Vpcmpistri => compare(None, Wanted::Index);
    Pcmpistrm, Vpcmpistrm => compare(None, Wanted::Mask);
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Index,
    Mask,
}

/// Of the constant that helpers get: lengths are given, and do not end with zeros.
const EXPLICIT: u64 = 1 << 8;
// Bits of EFLAGS.
const CF: u64 = 1 << 0;
const ZF: u64 = 1 << 6;
const SF: u64 = 1 << 7;
const OF: u64 = 1 << 11;

const fn helper(name: &'static str, run: fn(&mut Frame<'_>)) -> Helper {
    Helper { name, run, touches: Touches::Nothing, can_exit: false, pure: true }
}

/// Two vectors, their lengths as halves of one value, the constant: the index, and EFLAGS above it.
static INDEX: Helper = helper("string_index", |f| {
    let c = Comparison::of(f);
    f.ret = (c.index() | c.flags() << 32).into();
});
/// The same, for the mask.
static MASK: Helper = helper("string_mask", |f| f.ret = Comparison::of(f).mask());

fn compare(cx: &mut Cx, i: &Instruction, lengths: Option<Ty>, wanted: Wanted) {
    let (a, b) = (cx.first(i), cx.source(i, 16));
    let imm = u64::from(i.immediate8()) | if lengths.is_some() { EXPLICIT } else { 0 };
    let lengths = match lengths {
        Some(ty) => {
            let (first, second) = (length(cx, ty, RAX), length(cx, ty, RDX));
            let second = cx.b.shift_imm(Bin::Shl, second, 32);
            cx.b.or(first, second)
        }
        None => cx.b.i64(0),
    };
    let imm = cx.b.i64(imm);
    let args = [a, b, lengths, imm];
    let both = cx.b.call(&INDEX, Ty::I64, &args);
    if wanted == Wanted::Index {
        let index = cx.b.trunc(Ty::I32, both);
        cx.set_low(RCX, index);
    } else {
        let mask = cx.b.call(&MASK, Ty::V128, &args);
        cx.b.set(xmm(0), mask);
        if cx.vex.is_some() {
            let zero = cx.b.v128(0);
            cx.b.set(ymm_high(0), zero);
        }
    }
    let flags = cx.b.shift_imm(Bin::Shr, both, 32);
    let flags = cx.b.trunc(Ty::I32, flags);
    let flags = cx.b.flags_from_eflags(flags);
    cx.set_flags(flags);
}

/// A length in the low half of an I64; of 64 bits one within 32 that means the same.
fn length(cx: &mut Cx, ty: Ty, register: u32) -> Val {
    if ty == Ty::I32 {
        let v = cx.low(Ty::I32, register);
        return cx.b.zext(Ty::I64, v);
    }
    let v = cx.low(Ty::I64, register);
    let (most, least) = (cx.b.i64(16), cx.b.i64(-16i64 as u64));
    let above = cx.b.cmp(IntCc::Sgt, v, most);
    let v = cx.b.select(above, most, v);
    let below = cx.b.cmp(IntCc::Slt, v, least);
    let v = cx.b.select(below, least, v);
    cx.b.and_imm(v, 0xffff_ffff)
}

/// A comparison: what of the vectors counts, and the answer for each element of the second.
struct Comparison {
    imm: u64,
    /// Elements of a vector, and how many of each count.
    count: usize,
    valid: [usize; 2],
    /// Bit n: element n of the second.
    result: u64,
}

impl Comparison {
    fn of(f: &Frame<'_>) -> Comparison {
        let imm = f.args[3] as u64;
        let (words, signed) = (imm & 1 != 0, imm & 2 != 0);
        let count = if words { 8 } else { 16 };
        let elements = [f.args[0], f.args[1]].map(|v| elements(v, words, signed));
        let valid: [usize; 2] = std::array::from_fn(|n| {
            let given = (f.args[2] >> (32 * n)) as u32 as i32;
            if imm & EXPLICIT != 0 {
                (given.unsigned_abs() as usize).min(count)
            } else {
                elements[n][..count].iter().position(|v| *v == 0).unwrap_or(count)
            }
        });
        let mut c = Comparison { imm, count, valid, result: 0 };
        c.result = c.aggregate(&elements[0], &elements[1]);
        c
    }

    /// The manual's IntRes2.
    fn aggregate(&self, a: &[i32; 16], b: &[i32; 16]) -> u64 {
        let [in_a, in_b] = self.valid;
        let holds = |j: usize| match self.imm >> 2 & 3 {
            0 => j < in_b && a[..in_a].contains(&b[j]),
            1 => j < in_b && a[..in_a].chunks_exact(2).any(|range| range[0] <= b[j] && b[j] <= range[1]),
            2 => {
                if j < in_a && j < in_b {
                    a[j] == b[j]
                } else {
                    j >= in_a && j >= in_b
                }
            }
            // What of the first lies beyond the second's end does not count.
            _ => (0..in_a.min(self.count - j)).all(|i| i + j < in_b && a[i] == b[i + j]),
        };
        let bits = |holds: &dyn Fn(usize) -> bool| (0..self.count).fold(0, |all, j| all | u64::from(holds(j)) << j);
        let result = bits(&holds);
        match self.imm >> 4 & 3 {
            1 => result ^ bits(&|_| true),
            3 => result ^ bits(&|j| j < in_b),
            _ => result,
        }
    }

    fn index(&self) -> u64 {
        let none = self.count as u64;
        match self.result {
            0 => none,
            r if self.imm & 0x40 == 0 => r.trailing_zeros().into(),
            r => r.ilog2().into(),
        }
    }

    fn mask(&self) -> u128 {
        if self.imm & 0x40 == 0 {
            return self.result.into();
        }
        let bits = 128 / self.count as u32;
        let chosen = (0..self.count as u32).filter(|n| self.result >> n & 1 == 1);
        chosen.fold(0, |all, n| all | (!0 >> (128 - bits)) << (n * bits))
    }

    fn flags(&self) -> u64 {
        let bit = |holds: bool, bit: u64| if holds { bit } else { 0 };
        bit(self.result != 0, CF)
            | bit(self.valid[1] < self.count, ZF)
            | bit(self.valid[0] < self.count, SF)
            | bit(self.result & 1 != 0, OF)
    }
}

fn elements(v: u128, words: bool, signed: bool) -> [i32; 16] {
    std::array::from_fn(|n| match (words, signed) {
        (true, _) if n >= 8 => 0,
        (true, false) => i32::from((v >> (16 * n)) as u16),
        (true, true) => i32::from((v >> (16 * n)) as i16),
        (false, false) => i32::from((v >> (8 * n)) as u8),
        (false, true) => i32::from((v >> (8 * n)) as i8),
    })
}
