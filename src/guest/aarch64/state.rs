//! Guest state of AArch64: its slots and their layout.
//!
//! FPSR is in two places: the cumulative exception bits are the engine's sticky flags (`ir::fpflag`), QC is the slot [`QC`].

use arch::state::{self, numbered};
use arch::{SlotInfo, State};
use ir::{FpControl, Round, Slot, Ty};

/// X0; Xn is `Slot(X0.0 + n)`, n up to 30.
pub const X0: Slot = Slot(0);
/// The link register.
pub const X30: Slot = Slot(30);
/// The stack pointer.
pub const SP: Slot = Slot(31);
/// The program counter. Translated code does not touch it: instruction markers give it.
pub const PC: Slot = Slot(32);
/// The thread pointer.
pub const TPIDR_EL0: Slot = Slot(33);
/// FPCR: the bits of [`FPCR_BITS`]. They are the mode word too.
pub const FPCR: Slot = Slot(34);
/// FPSR.QC: set if any bit of the vector is. Saturating instructions OR into it where their result differs from the plain one.
pub const QC: Slot = Slot(35);
/// PSTATE.DIT in its place in the DIT register (bit 24).
pub const DIT: Slot = Slot(36);
/// PSTATE.SSBS in its place in the SSBS register (bit 12).
pub const SSBS: Slot = Slot(37);
/// The pointer authentication keys IA, IB, DA, DB, GA: the low 64 bits and the high ones. The kernel draws them at exec.
pub const KEYS: [[Slot; 2]; 5] =
    [[Slot(38), Slot(76)], [Slot(39), Slot(77)], [Slot(40), Slot(78)], [Slot(41), Slot(79)], [Slot(42), Slot(80)]];
/// N, Z, C, V.
pub const NZCV: Slot = Slot(43);
/// V0; Vn is `Slot(V0.0 + n)`.
pub const V0: Slot = Slot(44);

/// PSTATE.BTYPE: set by indirect branches and looked at where they lead, if there are guarded pages.
pub const BTYPE: Slot = Slot(81);
/// What RNDR draws from: a key of two words, each thread's own, and a counter.
pub const RNDR: [Slot; 3] = [Slot(82), Slot(83), Slot(84)];

const COUNT: usize = 85;

/// The bits of FPCR that can be written: AHP, DN, FZ, RMode, FZ16. Trapped exceptions and AArch32's vector length are not there.
pub const FPCR_BITS: u32 = 0x07c8_0000;

/// Register Xn.
pub const fn x(n: u32) -> Slot {
    Slot(X0.0 + n as u16)
}

/// Register Vn.
pub const fn v(n: u32) -> Slot {
    Slot(V0.0 + n as u16)
}

/// Names and types of the slots, in order.
#[rustfmt::skip]
const SLOT_LIST: [(&str, Ty); COUNT] = {
    use Ty::{Flags, I32, I64, V128};
    [
        ("x0", I64), ("x1", I64), ("x2", I64), ("x3", I64), ("x4", I64), ("x5", I64), ("x6", I64), ("x7", I64),
        ("x8", I64), ("x9", I64), ("x10", I64), ("x11", I64), ("x12", I64), ("x13", I64), ("x14", I64), ("x15", I64),
        ("x16", I64), ("x17", I64), ("x18", I64), ("x19", I64), ("x20", I64), ("x21", I64), ("x22", I64), ("x23", I64),
        ("x24", I64), ("x25", I64), ("x26", I64), ("x27", I64), ("x28", I64), ("x29", I64), ("x30", I64), ("sp", I64),
        ("pc", I64), ("tpidr_el0", I64), ("fpcr", I32), ("qc", V128), ("dit", I32), ("ssbs", I32),
        ("apia", I64), ("apib", I64), ("apda", I64), ("apdb", I64), ("apga", I64), ("nzcv", Flags),
        ("v0", V128), ("v1", V128), ("v2", V128), ("v3", V128), ("v4", V128), ("v5", V128), ("v6", V128), ("v7", V128),
        ("v8", V128), ("v9", V128), ("v10", V128), ("v11", V128), ("v12", V128), ("v13", V128), ("v14", V128), ("v15", V128),
        ("v16", V128), ("v17", V128), ("v18", V128), ("v19", V128), ("v20", V128), ("v21", V128), ("v22", V128), ("v23", V128),
        ("v24", V128), ("v25", V128), ("v26", V128), ("v27", V128), ("v28", V128), ("v29", V128), ("v30", V128), ("v31", V128),
        ("apia_hi", I64), ("apib_hi", I64), ("apda_hi", I64), ("apdb_hi", I64), ("apga_hi", I64),
        ("btype", I64), ("rndr_key0", I64), ("rndr_key1", I64), ("rndr_count", I64),
    ]
};

static SLOTS: [SlotInfo; COUNT] = state::layout(&SLOT_LIST);
static TYPES: [Ty; COUNT] = state::types(&SLOT_LIST);

/// By how often compiled code names them: arguments and results, the stack pointer (31), the first callee-saved registers, then scratch.
static INT_HOMES: [Slot; 32] = numbered(
    X0,
    [
        0, 1, 31, 2, 19, 3, 30, 4, 20, 29, 5, 8, 21, 22, 9, 10, 23, 6, 11, 24, 7, 12, 16, 17, 25, 13, 26, 14, 27, 28,
        15, 18,
    ],
);

/// Arguments first, then the caller-saved ones that compilers take next, then those whose low halves are callee-saved, then the rest.
static VEC_HOMES: [Slot; 32] = numbered(
    V0,
    [
        0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29,
        30, 31,
    ],
);

/// The layout.
pub const STATE: State = State {
    size: state::size(&SLOTS),
    slots: &SLOTS,
    shown: &SLOTS,
    pairs: &[],
    types: &TYPES,
    pc: PC,
    extra: None,
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

/// FPCR.RMode of a mode word.
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

/// The mode word: FPCR.
pub fn mode(state: &[u8]) -> u32 {
    STATE.get(state, FPCR) as u32 & FPCR_BITS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_where_their_names_say() {
        let name = |s: Slot| SLOTS[s.0 as usize].name();
        let named = [(X30, "x30"), (SP, "sp"), (PC, "pc"), (TPIDR_EL0, "tpidr_el0"), (FPCR, "fpcr"), (QC, "qc")];
        for (slot, n) in named.into_iter().chain([
            (DIT, "dit"),
            (SSBS, "ssbs"),
            (KEYS[4][0], "apga"),
            (NZCV, "nzcv"),
            (KEYS[4][1], "apga_hi"),
            (BTYPE, "btype"),
            (RNDR[2], "rndr_count"),
        ]) {
            assert_eq!(name(slot), n);
        }
        assert_eq!((name(x(7)), name(v(31))), ("x7", "v31"));
        assert_eq!(STATE.size % 16, 0);
    }
}
