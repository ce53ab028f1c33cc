//! Guest state of 32-bit Arm: its slots and their layout, and the mode word.
//!
//! CPSR and FPSCR are in parts: condition flags, Q, GE, E and ITSTATE have slots of their own, T is bit 0 of pc; FPSCR's control
//! bits are [`FPSCR`], its condition flags [`FPNZCV`], its QC [`QC`], its cumulative exception bits the engine's sticky flags
//! (`ir::fpflag`). S registers are halves of the D registers, Q registers pairs of them: compiled code mostly names D registers.

use arch::state::{self, numbered};
use arch::{SlotInfo, State};
use ir::opt::Pair;
use ir::{FpControl, Round, Slot, Ty, fpflag};

/// r0; rn is `Slot(R0.0 + n)`, n up to 14.
pub const R0: Slot = Slot(0);
/// The stack pointer.
pub const SP: Slot = Slot(13);
/// The link register.
pub const LR: Slot = Slot(14);
/// The program counter, with T in bit 0. Translated code does not touch it: instruction markers give it.
pub const PC: Slot = Slot(15);
/// N, Z, C, V.
pub const NZCV: Slot = Slot(16);
/// CPSR.Q: 0 or 1.
pub const Q: Slot = Slot(17);
/// The complement of CPSR.GE, which is what hosts compare cheaply: each byte all ones or zero.
pub const LT: Slot = Slot(18);
/// ITSTATE: zero but in the middle of an IT block, where only faults, signals and single steps leave translated code.
pub const ITSTATE: Slot = Slot(19);
/// CPSR.E: 0 or 1.
pub const E: Slot = Slot(20);
/// FPSCR: the bits of [`FPSCR_BITS`].
pub const FPSCR: Slot = Slot(21);
/// FPSCR's condition flags.
pub const FPNZCV: Slot = Slot(22);
/// The thread pointer (what the kernel sets and user code reads).
pub const TPIDRURO: Slot = Slot(23);
/// A thread register that user code reads and writes.
pub const TPIDRURW: Slot = Slot(24);
/// FPSCR.QC: set if any bit is.
pub const QC: Slot = Slot(25);
/// d0; dn is `Slot(D0.0 + n)`.
pub const D0: Slot = Slot(26);

/// q0; qn is `Slot(Q0.0 + n)`: the same as two D registers, for hot regions.
const Q0: Slot = Slot(58);

const COUNT: usize = 74;
/// Slots that tests and logs show: all, but D registers in pairs.
const SHOWN: usize = 42;

/// The bits of FPSCR that can be written and are not in other slots: AHP, DN, FZ, RMode. Short vectors (LEN, STRIDE), FZ16 and trapped
/// exceptions are not there, as on ARMv8 processors.
pub const FPSCR_BITS: u32 = 0x07c0_0000;

/// Mode word: ITSTATE.
pub const MODE_IT: u32 = 0xff;
/// Mode word: big-endian data.
pub const MODE_E: u32 = 1 << 8;

/// Register rn, n below 15.
pub const fn r(n: u32) -> Slot {
    Slot(R0.0 + n as u16)
}

/// Register dn.
pub const fn d(n: u32) -> Slot {
    Slot(D0.0 + n as u16)
}

/// Where register qn stands: dn of twice its number and the next.
pub const fn q_offset(n: u32) -> usize {
    SLOTS[D0.0 as usize].offset as usize + 16 * n as usize
}

/// Names and types of the slots, in order.
#[rustfmt::skip]
const SLOT_LIST: [(&str, Ty); COUNT] = {
    use Ty::{F64, Flags, I32, V128};
    [
        ("r0", I32), ("r1", I32), ("r2", I32), ("r3", I32), ("r4", I32), ("r5", I32), ("r6", I32), ("r7", I32),
        ("r8", I32), ("r9", I32), ("r10", I32), ("r11", I32), ("r12", I32), ("sp", I32), ("lr", I32), ("pc", I32),
        ("nzcv", Flags), ("q", I32), ("lt", I32), ("itstate", I32), ("e", I32),
        ("fpscr", I32), ("fpnzcv", Flags), ("tpidruro", I32), ("tpidrurw", I32), ("qc", V128),
        ("d0", F64), ("d1", F64), ("d2", F64), ("d3", F64), ("d4", F64), ("d5", F64), ("d6", F64), ("d7", F64),
        ("d8", F64), ("d9", F64), ("d10", F64), ("d11", F64), ("d12", F64), ("d13", F64), ("d14", F64), ("d15", F64),
        ("d16", F64), ("d17", F64), ("d18", F64), ("d19", F64), ("d20", F64), ("d21", F64), ("d22", F64), ("d23", F64),
        ("d24", F64), ("d25", F64), ("d26", F64), ("d27", F64), ("d28", F64), ("d29", F64), ("d30", F64), ("d31", F64),
        ("q0", V128), ("q1", V128), ("q2", V128), ("q3", V128), ("q4", V128), ("q5", V128), ("q6", V128), ("q7", V128),
        ("q8", V128), ("q9", V128), ("q10", V128), ("q11", V128), ("q12", V128), ("q13", V128), ("q14", V128), ("q15", V128),
    ]
};

const SLOTS: [SlotInfo; COUNT] = {
    let mut slots = state::layout(&SLOT_LIST);
    let mut n = 0;
    while n < 16 {
        slots[Q0.0 as usize + n].offset = slots[D0.0 as usize + 2 * n].offset;
        n += 1;
    }
    slots
};
static SLOT_TABLE: [SlotInfo; COUNT] = SLOTS;
static SHOWN_SLOTS: [SlotInfo; SHOWN] = {
    let mut shown = [SLOTS[0]; SHOWN];
    let mut i = 0;
    while i < SHOWN {
        shown[i] = match i.checked_sub(D0.0 as usize) {
            Some(n) => SLOTS[Q0.0 as usize + n],
            None => SLOTS[i],
        };
        i += 1;
    }
    shown
};
static TYPES: [Ty; COUNT] = state::types(&SLOT_LIST);

/// By how often compiled code names them.
static INT_HOMES: [Slot; 15] = numbered(R0, [0, 1, 2, 3, 13, 12, 4, 5, 6, 7, 14, 8, 9, 10, 11]);

/// Arguments and scratch first, then those that a callee saves; the second half is Advanced SIMD's alone.
static VEC_HOMES: [Slot; 32] = numbered(
    D0,
    [
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29,
        30, 31,
    ],
);

static PAIRS: [Pair; 16] = {
    let mut pairs = [Pair { halves: [D0; 2], whole: Q0 }; 16];
    let mut n = 0;
    while n < 16 {
        pairs[n] = Pair { halves: [d(2 * n as u32), d(2 * n as u32 + 1)], whole: Slot(Q0.0 + n as u16) };
        n += 1;
    }
    pairs
};

/// The layout.
pub const STATE: State = State {
    size: state::size(&SHOWN_SLOTS),
    slots: &SLOT_TABLE,
    shown: &SHOWN_SLOTS,
    pairs: &PAIRS,
    types: &TYPES,
    pc: PC,
    extra: Some(ITSTATE),
    int_homes: &INT_HOMES,
    vec_homes: &VEC_HOMES,
    x87: None,
    invalid_traps: true,
    weak_loads: true,
    host_flags: ir::fpflag::IEEE,
    direct_mode: 0,
    settle: None,
    fp_control,
};

/// FPSCR.RMode of a mode word.
pub fn rounding(mode: u32) -> Round {
    match mode >> 22 & 3 {
        0 => Round::NearestEven,
        1 => Round::Up,
        2 => Round::Down,
        _ => Round::Zero,
    }
}

fn fp_control(mode: u32) -> FpControl {
    FpControl { round: rounding(mode) }
}

/// The mode word: FPSCR's control bits in their places, E, ITSTATE.
pub fn mode(state: &[u8]) -> u32 {
    let get = |slot| STATE.get(state, slot) as u32;
    get(FPSCR) & FPSCR_BITS | (get(E) * MODE_E) | get(ITSTATE) & MODE_IT
}

/// Conditions of a [`Ty::Flags`] slot as bits 31..28.
const fn nzcv(flags: u32) -> u32 {
    (flags >> 15 & 1) << 31 | (flags >> 14 & 1) << 30 | (flags >> 8 & 1) << 29 | (flags & 1) << 28
}

const fn flags_of(bits: u32) -> u32 {
    (bits >> 31 & 1) << 15 | (bits >> 30 & 1) << 14 | (bits >> 29 & 1) << 8 | bits >> 28 & 1
}

/// CPSR as the kernel shows it in a signal frame (user mode).
pub fn cpsr(state: &[u8]) -> u32 {
    let get = |slot| STATE.get(state, slot) as u32;
    let (it, ge) = (get(ITSTATE), !get(LT));
    let ge = (0..4).fold(0, |bits, i| bits | (ge >> (8 * i) & 1) << i);
    nzcv(get(NZCV))
        | get(Q) << 27
        | (it & 3) << 25
        | ge << 16
        | (it >> 2) << 10
        | get(E) << 9
        | (get(PC) & 1) << 5
        | 0x10
}

/// Takes over the user's bits of CPSR, T into pc's bit 0: the pc must be there before.
pub fn set_cpsr(state: &mut [u8], cpsr: u32) {
    let lt = (0..4).fold(0, |mask, i| mask | ((!cpsr >> (16 + i) & 1) * 0xff) << (8 * i));
    let thumb = cpsr >> 5 & 1;
    let pc = STATE.get(state, PC) as u32 & !1 | thumb;
    let it = if thumb == 1 { cpsr >> 25 & 3 | (cpsr >> 10 & 0x3f) << 2 } else { 0 };
    let parts = [(NZCV, flags_of(cpsr)), (Q, cpsr >> 27 & 1), (LT, lt), (ITSTATE, it), (E, cpsr >> 9 & 1), (PC, pc)];
    for (slot, v) in parts {
        STATE.set(state, slot, v.into());
    }
}

/// Pairs of a sticky flag and its bit in FPSCR.
pub const STICKY: [(u32, u32); 6] = [
    (fpflag::INVALID, 0),
    (fpflag::DIV_BY_ZERO, 1),
    (fpflag::OVERFLOW, 2),
    (fpflag::UNDERFLOW, 3),
    (fpflag::INEXACT, 4),
    (fpflag::INPUT_DENORMAL, 7),
];

/// FPSCR, with the engine's sticky flags.
pub fn fpscr(state: &[u8], sticky: u32) -> u32 {
    let get = |slot| STATE.get(state, slot) as u32;
    let qc = state[STATE.offset(QC)..][..16].iter().any(|b| *b != 0);
    let flags = STICKY.iter().fold(0, |bits, &(flag, at)| bits | u32::from(sticky & flag != 0) << at);
    nzcv(get(FPNZCV)) | u32::from(qc) << 27 | get(FPSCR) & FPSCR_BITS | flags
}

/// Takes over FPSCR; gives the sticky flags for the engine.
pub fn set_fpscr(state: &mut [u8], fpscr: u32) -> u32 {
    STATE.set(state, FPNZCV, flags_of(fpscr).into());
    STATE.set(state, FPSCR, (fpscr & FPSCR_BITS).into());
    let at = STATE.offset(QC);
    state[at..at + 16].fill(0);
    state[at] = (fpscr >> 27 & 1) as u8;
    STICKY.iter().fold(0, |sticky, &(flag, at)| sticky | if fpscr >> at & 1 == 1 { flag } else { 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_where_their_names_say() {
        let name = |s: Slot| SLOTS[s.0 as usize].name();
        let named = [(SP, "sp"), (LR, "lr"), (PC, "pc"), (NZCV, "nzcv"), (LT, "lt"), (FPNZCV, "fpnzcv"), (QC, "qc")];
        for (slot, n) in named {
            assert_eq!(name(slot), n);
        }
        assert_eq!((name(r(7)), name(d(31))), ("r7", "d31"));
        assert_eq!(q_offset(15), STATE.offset(d(30)));
        assert_eq!(q_offset(0) % 16, 0);
        assert_eq!(STATE.size % 16, 0);
    }

    #[test]
    fn cpsr_comes_back() {
        let mut state = vec![0; STATE.size];
        for cpsr_in in [0x6000_0010, 0xf80f_0230, 0x0600_fc30, 0x9000_0010] {
            set_cpsr(&mut state, cpsr_in);
            assert_eq!(cpsr(&state), cpsr_in);
        }
    }
}
