//! Guest state of RISC-V: its slots and their layout, for both widths of the integer registers.
//!
//! fcsr is in two places: fflags are the engine's sticky flags (`ir::fpflag`), frm is the slot [`FRM`] and the mode word.

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

/// Register xn, n from 1 on: x0 has no slot.
pub const fn x(n: u32) -> Slot {
    Slot(n as u16)
}

/// Register fn: the low 64 bits of its slot. What stands above is not looked at.
pub const fn f(n: u32) -> Slot {
    Slot(32 + n as u16)
}

const COUNT: usize = 65;

/// Names and types of the slots, in order, for integer registers of type `x`.
#[rustfmt::skip]
const fn slots(x: Ty) -> [(&'static str, Ty); COUNT] {
    use Ty::{I32, V128};
    [
        ("pc", x), ("x1", x), ("x2", x), ("x3", x), ("x4", x), ("x5", x), ("x6", x), ("x7", x),
        ("x8", x), ("x9", x), ("x10", x), ("x11", x), ("x12", x), ("x13", x), ("x14", x), ("x15", x),
        ("x16", x), ("x17", x), ("x18", x), ("x19", x), ("x20", x), ("x21", x), ("x22", x), ("x23", x),
        ("x24", x), ("x25", x), ("x26", x), ("x27", x), ("x28", x), ("x29", x), ("x30", x), ("x31", x),
        ("f0", V128), ("f1", V128), ("f2", V128), ("f3", V128), ("f4", V128), ("f5", V128), ("f6", V128), ("f7", V128),
        ("f8", V128), ("f9", V128), ("f10", V128), ("f11", V128), ("f12", V128), ("f13", V128), ("f14", V128), ("f15", V128),
        ("f16", V128), ("f17", V128), ("f18", V128), ("f19", V128), ("f20", V128), ("f21", V128), ("f22", V128), ("f23", V128),
        ("f24", V128), ("f25", V128), ("f26", V128), ("f27", V128), ("f28", V128), ("f29", V128), ("f30", V128), ("f31", V128),
        ("frm", I32),
    ]
}

static SLOTS32: [SlotInfo; COUNT] = state::layout(&slots(Ty::I32));
static SLOTS64: [SlotInfo; COUNT] = state::layout(&slots(Ty::I64));
static TYPES32: [Ty; COUNT] = state::types(&slots(Ty::I32));
static TYPES64: [Ty; COUNT] = state::types(&slots(Ty::I64));

/// By how often compiled code names them: arguments and results, the stack pointer, the first callee-saved registers, then scratch.
static INT_HOMES: [Slot; 31] = numbered(
    Slot(0),
    [15, 14, 10, 2, 8, 13, 11, 12, 9, 1, 18, 16, 17, 19, 20, 6, 28, 5, 21, 7, 29, 22, 30, 31, 23, 24, 25, 26, 27, 3, 4],
);

/// Arguments and scratch registers first, since compilers take fa5, fa4 … for what does not live across calls, then the callee-saved ones.
static VEC_HOMES: [Slot; 32] = numbered(
    f(0),
    [
        15, 14, 10, 13, 12, 11, 8, 9, 0, 1, 2, 3, 18, 19, 20, 21, 16, 17, 4, 5, 6, 7, 22, 23, 28, 29, 24, 25, 30, 31,
        26, 27,
    ],
);

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
    let round = rounding(mode).filter(|r| *r != Round::NearestAway);
    FpControl { round: round.unwrap_or(Round::NearestEven) }
}

/// The mode word: frm.
pub fn mode32(state: &[u8]) -> u32 {
    STATE32.get(state, FRM) as u32
}

/// See [`mode32`].
pub fn mode64(state: &[u8]) -> u32 {
    STATE64.get(state, FRM) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_where_their_names_say() {
        for slots in [&SLOTS32, &SLOTS64] {
            let name = |s: Slot| slots[s.0 as usize].name;
            assert_eq!((name(PC), name(x(1)), name(x(31)), name(FRM)), ("pc", "x1", "x31", "frm"));
            assert_eq!((name(f(0)), name(f(31))), ("f0", "f31"));
        }
        assert_eq!((STATE32.size % 16, STATE64.size % 16), (0, 0));
    }

    #[test]
    fn each_register_deserves_a_home_once() {
        let distinct = |list: &[Slot]| list.iter().collect::<std::collections::BTreeSet<_>>().len();
        assert_eq!((distinct(&INT_HOMES), distinct(&VEC_HOMES)), (31, 32));
    }
}
