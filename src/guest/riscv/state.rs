//! Guest state of RISC-V: its slots and their layout, for both widths of the integer registers.
//!
//! fcsr is in two places: fflags are the engine's sticky flags (`ir::fpflag`), frm is the slot [`FRM`] and the mode word.
//!
//! The vector registers are one array of pieces of 128 bits: register vn of VLEN bits is VLEN / 128 pieces from `n * VLEN / 128` on, so that
//! groups of registers are pieces in a row for each VLEN.

use arch::state::{self, numbered};
use arch::{SlotInfo, State};
use ir::{FpControl, Round, Slot, Ty};

/// The program counter. Translated code does not touch it: instruction markers give it.
pub const PC: Slot = Slot(0);
/// The return address and the other register that calls may use for it.
pub const RA: u32 = 1;
pub const T0: u32 = 5;
/// The stack pointer.
pub const SP: u32 = 2;
/// The thread pointer.
pub const TP: u32 = 4;
/// Rounding mode: 0 to 4, or an invalid one.
pub const FRM: Slot = Slot(64);
/// Its bits in the mode word.
pub const FRM_MASK: u32 = 7;

/// Register xn, n from 1 on: x0 has no slot.
pub const fn x(n: u32) -> Slot {
    Slot(n as u16)
}

/// Register fn: the low 64 bits of its slot. What stands above is not looked at.
pub const fn f(n: u32) -> Slot {
    Slot(32 + n as u16)
}

/// Vector control: vstart, vxsat, vxrm, vl; vtype's low byte with [`VILL`] beside it; bytes of a vector register.
pub const VSTART: Slot = Slot(65);
pub const VXSAT: Slot = Slot(66);
pub const VXRM: Slot = Slot(67);
pub const VL: Slot = Slot(68);
pub const VTYPE: Slot = Slot(69);
pub const VLENB: Slot = Slot(70);
/// How many upper bits of an address loads and stores overlook (Supm's PMLEN): 0, 7 or 16.
pub const PMLEN: Slot = Slot(71);
/// vtype is illegal: vill, as the slot [`VTYPE`] has it.
pub const VILL: u64 = 1 << 31;

/// Pieces of the vector registers for the largest VLEN, 1024.
pub const PIECES: usize = 32 * 8;
/// Piece `n` of the vector registers.
pub const fn piece(n: u32) -> Slot {
    Slot(SCALARS as u16 + n as u16)
}

const SCALARS: usize = 72;
const COUNT: usize = SCALARS + PIECES;

/// Names and types of the slots, in order, for integer registers of type `x`.
#[rustfmt::skip]
const fn slots(x: Ty) -> [(&'static str, Ty); COUNT] {
    use Ty::{I32, V128};
    let scalars: [(&'static str, Ty); SCALARS] = [
        ("pc", x), ("x1", x), ("x2", x), ("x3", x), ("x4", x), ("x5", x), ("x6", x), ("x7", x),
        ("x8", x), ("x9", x), ("x10", x), ("x11", x), ("x12", x), ("x13", x), ("x14", x), ("x15", x),
        ("x16", x), ("x17", x), ("x18", x), ("x19", x), ("x20", x), ("x21", x), ("x22", x), ("x23", x),
        ("x24", x), ("x25", x), ("x26", x), ("x27", x), ("x28", x), ("x29", x), ("x30", x), ("x31", x),
        ("f0", V128), ("f1", V128), ("f2", V128), ("f3", V128), ("f4", V128), ("f5", V128), ("f6", V128), ("f7", V128),
        ("f8", V128), ("f9", V128), ("f10", V128), ("f11", V128), ("f12", V128), ("f13", V128), ("f14", V128), ("f15", V128),
        ("f16", V128), ("f17", V128), ("f18", V128), ("f19", V128), ("f20", V128), ("f21", V128), ("f22", V128), ("f23", V128),
        ("f24", V128), ("f25", V128), ("f26", V128), ("f27", V128), ("f28", V128), ("f29", V128), ("f30", V128), ("f31", V128),
        ("frm", I32), ("vstart", I32), ("vxsat", I32), ("vxrm", I32), ("vl", I32), ("vtype", I32), ("vlenb", I32),
        ("pmlen", I32),
    ];
    let mut out = [("v", V128); COUNT];
    let mut i = 0;
    while i < SCALARS {
        out[i] = scalars[i];
        i += 1;
    }
    // As the registers are called where VLEN is 128; further pieces have no name of their own.
    let mut n = 0;
    while n < NAMES.len() {
        out[SCALARS + n].0 = NAMES[n];
        n += 1;
    }
    out
}

#[rustfmt::skip]
const NAMES: [&str; 32] = [
    "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15",
    "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31",
];

static SLOTS32: [SlotInfo; COUNT] = state::layout(&slots(Ty::I32));
static SLOTS64: [SlotInfo; COUNT] = state::layout(&slots(Ty::I64));
static TYPES32: [Ty; COUNT] = state::types(&slots(Ty::I32));
static TYPES64: [Ty; COUNT] = state::types(&slots(Ty::I64));

/// By how often compiled code names them: arguments and results, the stack pointer, the first callee-saved registers, then scratch.
static INT_HOMES: [Slot; 31] = numbered(
    Slot(0),
    [15, 14, 10, 2, 8, 13, 11, 12, 9, 1, 18, 16, 17, 19, 20, 6, 28, 5, 21, 7, 29, 22, 30, 31, 23, 24, 25, 26, 27, 3, 4],
);

/// Arguments and scratch registers first, since compilers take fa5, fa4 … for what does not live across calls, then the callee-saved ones. Vector
/// registers come last: they have homes in hot regions that use them.
static VEC_HOMES: [Slot; 32 + PIECES] = {
    const FLOATS: [Slot; 32] = numbered(
        f(0),
        [
            15, 14, 10, 13, 12, 11, 8, 9, 0, 1, 2, 3, 18, 19, 20, 21, 16, 17, 4, 5, 6, 7, 22, 23, 28, 29, 24, 25, 30,
            31, 26, 27,
        ],
    );
    let mut out = [Slot(0); 32 + PIECES];
    let mut i = 0;
    while i < out.len() {
        out[i] = if i < 32 { FLOATS[i] } else { piece(i as u32 - 32) };
        i += 1;
    }
    out
};

/// Where the vector registers are in state.
pub const VECTORS: usize = SLOTS64[SCALARS].offset as usize;

/// The layouts of RV32 and RV64.
pub const STATE32: State = layout(&SLOTS32, &TYPES32);
pub const STATE64: State = layout(&SLOTS64, &TYPES64);

const fn layout(slots: &'static [SlotInfo], types: &'static [Ty]) -> State {
    State {
        size: state::size(slots),
        slots,
        shown: slots,
        pairs: &[],
        types,
        pc: PC,
        extra: None,
        int_homes: &INT_HOMES,
        vec_homes: &VEC_HOMES,
        x87: None,
        invalid_traps: true,
        weak_loads: true,
        host_flags: ir::fpflag::IEEE,
        direct_mode: Vector::MODE,
        settle: None,
        fp_control,
    }
}

/// The rounding that a mode names, of frm or of an instruction; None if it is reserved (or says "as frm").
pub fn rounding(rm: u32) -> Option<Round> {
    [Round::NearestEven, Round::Zero, Round::Down, Round::Up, Round::NearestAway].get(rm as usize).copied()
}

/// The host has no rounding away: such operations are done apart.
fn fp_control(mode: u32) -> FpControl {
    let round = rounding(mode & 7).filter(|r| *r != Round::NearestAway);
    FpControl { round: round.unwrap_or(Round::NearestEven) }
}

/// What of vector state is in the mode word, above frm.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Vector {
    /// log2 of an element's bytes, of the registers in a group (-3 to 3).
    pub sew: u32,
    pub lmul: i32,
    pub ill: bool,
    /// vl is VLMAX.
    pub full: bool,
    /// vstart is not 0.
    pub started: bool,
}

/// Where the mode word has which of [`PMLENS`] it is, and whether it says anything of vectors.
const MASK: u32 = 11;
const KNOWN: u32 = 1 << 13;

impl Vector {
    /// Its bits of the mode word.
    pub const MODE: u32 = KNOWN | 0xff << 3;

    /// What the low byte of vtype says.
    pub fn of_type(vtype: u32) -> Vector {
        let lmul = (vtype & 7) as i32;
        let lmul = if lmul > 3 { lmul - 8 } else { lmul };
        Vector { sew: vtype >> 3 & 7, lmul, ill: false, full: false, started: false }
    }

    /// The type that the register vtype names, if there is such: registers of `vlenb` bytes have room for an element, of 64 bits at most.
    pub fn of_register(vtype: u64, vlenb: u32) -> Option<Vector> {
        let v = Vector::of_type(vtype as u32 & 0xff);
        let reserved = vtype >> 8 != 0 || v.lmul == -4 || v.sew > 3;
        (!reserved && v.max(vlenb) > 0).then_some(v)
    }

    /// Whether a mode word has one.
    pub fn is_known(mode: u32) -> bool {
        mode & KNOWN != 0
    }

    /// The same in the mode word.
    pub fn of_mode(mode: u32) -> Vector {
        let v = Vector::of_type((mode >> 3 & 7) | (mode >> 6 & 3) << 3);
        Vector { ill: mode >> 8 & 1 != 0, full: mode >> 9 & 1 != 0, started: mode >> 10 & 1 != 0, ..v }
    }

    /// A mode word's bits for it.
    pub fn mode(self) -> u32 {
        let lmul = self.lmul as u32 & 7;
        KNOWN
            | lmul << 3
            | self.sew << 6
            | u32::from(self.ill) << 8
            | u32::from(self.full) << 9
            | u32::from(self.started) << 10
    }

    /// A mode word with these bits.
    pub fn in_mode(self, mode: u32) -> u32 {
        mode & !Vector::MODE | self.mode()
    }

    /// Elements of a group of registers of `vlenb` bytes.
    pub fn max(self, vlenb: u32) -> u32 {
        shifted(vlenb, self.lmul) >> self.sew
    }
}

/// `v` times a power of two.
pub const fn shifted(v: u32, log2: i32) -> u32 {
    if log2 < 0 { v >> -log2 } else { v << log2 }
}

const PMLENS: [u32; 4] = [0, 7, 16, 0];

/// How many bits of addresses are overlooked in a mode.
pub fn overlooked(mode: u32) -> u32 {
    PMLENS[mode as usize >> MASK & 3]
}

/// The mode word: frm, [`Vector`], which of [`PMLENS`] there is. Behind a call or a return nothing is known of vectors, nor is it where code begins that
/// the engine has no link to: compiled code names a type before it uses it.
#[inline(always)]
fn mode(state: &[u8], layout: &State) -> u32 {
    let get = |slot| layout.get(state, slot);
    let (frm, vl, vtype, vlenb) = (get(FRM), get(VL), get(VTYPE), get(VLENB));
    let started = get(VSTART) != 0;
    let mask = match get(PMLEN) {
        0 => 0,
        pmlen => PMLENS.iter().position(|n| u64::from(*n) == pmlen).unwrap_or(0) as u32,
    };
    let v = if vtype & VILL != 0 {
        Vector { ill: true, ..Vector::of_type(0) }
    } else {
        let v = Vector::of_type(vtype as u32);
        Vector { full: v.max(vlenb as u32) == vl as u32, ..v }
    };
    frm as u32 | Vector { started, ..v }.mode() | mask << MASK
}

/// See [`mode`].
pub fn mode32(state: &[u8]) -> u32 {
    mode(state, &STATE32)
}

/// See [`mode`].
pub fn mode64(state: &[u8]) -> u32 {
    mode(state, &STATE64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_where_their_names_say() {
        for slots in [&SLOTS32, &SLOTS64] {
            let name = |s: Slot| slots[s.0 as usize].name();
            assert_eq!((name(PC), name(x(1)), name(x(31)), name(FRM)), ("pc", "x1", "x31", "frm"));
            assert_eq!((name(f(0)), name(f(31))), ("f0", "f31"));
            assert_eq!((name(VSTART), name(VLENB), name(piece(31))), ("vstart", "vlenb", "v31"));
        }
        assert_eq!((STATE32.size % 16, STATE64.size % 16), (0, 0));
    }

    #[test]
    fn the_mode_word_says_what_vtype_does() {
        for vtype in (0..32).filter(|v| v & 7 != 4) {
            let v = Vector { full: vtype & 1 != 0, started: vtype & 2 != 0, ..Vector::of_type(vtype) };
            assert_eq!(Vector::of_mode(v.mode() | 5), v);
        }
        assert_eq!(
            (Vector::of_type(0x10).max(16), Vector::of_type(0x1b).max(16), Vector::of_type(7).max(16)),
            (4, 16, 8)
        );
    }

    #[test]
    fn each_register_deserves_a_home_once() {
        let distinct = |list: &[Slot]| list.iter().collect::<std::collections::BTreeSet<_>>().len();
        assert_eq!((distinct(&INT_HOMES), distinct(&VEC_HOMES)), (31, 32 + PIECES));
    }
}
