//! Guest state of x86: its slots and their layout, for both widths of the general registers.
//!
//! EFLAGS are in several places. SF, ZF, OF, AF, PF and the opposite of CF are the slot [`FLAGS`] as N, Z, V, A, P and C ("no borrow", which is what
//! comparisons leave). DF is a slot and part of the mode word, and [`OTHER`] has the rest as they stand in EFLAGS. MXCSR's exceptions are the engine's
//! sticky flags, in the same order.

use crate::linux::USER_CS32;
use arch::state::{self, numbered};
use arch::{SlotInfo, State};
use ir::{FpControl, Round, Slot, Ty};

/// The program counter. Translated code does not touch it: instruction markers give it.
pub const PC: Slot = Slot(0);

// Numbers of general registers, as encodings have them.
pub const RAX: u32 = 0;
pub const RCX: u32 = 1;
pub const RDX: u32 = 2;
pub const RBX: u32 = 3;
pub const RSP: u32 = 4;
pub const RBP: u32 = 5;
pub const RSI: u32 = 6;
pub const RDI: u32 = 7;
pub const R8: u32 = 8;
pub const R9: u32 = 9;
pub const R10: u32 = 10;
pub const R11: u32 = 11;

/// General register n.
pub const fn r(n: u32) -> Slot {
    Slot(1 + n as u16)
}

pub const FLAGS: Slot = Slot(17);
/// 0 or 1.
pub const DIRECTION: Slot = Slot(18);
/// Bits of EFLAGS that programs can set and that are not elsewhere: [`EFLAGS_OTHER`].
pub const OTHER: Slot = Slot(19);
pub const FS_BASE: Slot = Slot(20);
pub const GS_BASE: Slot = Slot(21);
/// Rounding, masks, flushing, without the exceptions.
pub const MXCSR: Slot = Slot(22);

/// The selector of segment register n: ES, CS, SS, DS, FS, GS.
pub const fn selector(n: u32) -> Slot {
    Slot(23 + n as u16)
}
pub const ES: u32 = 0;
pub const CS: u32 = 1;
pub const SS: u32 = 2;
pub const DS: u32 = 3;
pub const FS: u32 = 4;
pub const GS: u32 = 5;

/// The thread's descriptors in the GDT (set_thread_area).
pub const fn tls(n: u32) -> Slot {
    Slot(29 + n as u16)
}

/// XMM register n.
pub const fn xmm(n: u32) -> Slot {
    Slot(32 + n as u16)
}

/// Where the image of the x87 unit begins (the crate `x87`), which has the MMX registers too. While code runs it means nothing: the unit has all of it.
pub const X87: Slot = Slot(48);
/// The address of the last instruction of the unit that is not for its control; what stands in the image is not the guest's.
pub const X87_IP: Slot = Slot(58);
/// What FXSAVE and the like write or read, between their accesses and the unit: 16 bytes each.
pub const fn stage(n: u32) -> Slot {
    Slot(59 + n as u16)
}

/// What RDRAND draws from: a key of two words, each thread's own, and a counter.
pub const RANDOM: [Slot; 3] = [Slot(69), Slot(70), Slot(71)];

/// TF, NT, AC, ID.
pub const EFLAGS_OTHER: u32 = TF | 1 << 14 | 1 << 18 | 1 << 21;
/// Each instruction is followed by a trap.
pub const TF: u32 = 1 << 8;

/// The upper half of YMM register n, whose lower half is XMM register n.
pub const fn ymm_high(n: u32) -> Slot {
    Slot(72 + n as u16)
}

/// XCR0, which says what XSAVE keeps: see [`crate::xsave`]. 0 on processors without it.
pub const XCR0: Slot = Slot(88);
/// What an instruction of the XSAVE family has to do: between its blocks only.
pub const XSTATE: Slot = Slot(89);

/// The descriptor that segment register n was loaded with.
pub const fn descriptor(n: u32) -> Slot {
    Slot(90 + n as u16)
}
/// A bit for each segment register whose accesses in 32-bit code are limited or, in segments other than FS and GS, have a base.
pub const CHECKED: Slot = Slot(96);
/// Vector and, above [`ERROR`], error code of the trap that is being raised, if they do not follow from the signal.
pub const EXCEPTION: Slot = Slot(97);
pub const ERROR: u32 = 8;
/// An instruction has been done under TF, and its trap is due.
pub const STEPPED: Slot = Slot(98);

/// Sixteen bytes of vector register n, of 64, which has more than 16 of 32 on processors with AVX-512 alone.
pub const fn vector(n: u32, part: u32) -> Slot {
    match (n, part) {
        (0..16, 0) => xmm(n),
        (0..16, 1) => ymm_high(n),
        (0..16, _) => Slot(99 + (2 * n + part - 2) as u16),
        _ => Slot(131 + (4 * (n - 16) + part) as u16),
    }
}

/// Opmask register n.
pub const fn opmask(n: u32) -> Slot {
    Slot(195 + n as u16)
}
/// Elements that an instruction has still to load or store: between its blocks only.
pub const TODO: Slot = Slot(203);
/// Whether the upper halves of ZMM0 to ZMM15 may be other than zero; and how often they have been cleared by VZEROUPPER.
pub const DIRTY: Slot = Slot(204);
pub const CLEARED: Slot = Slot(205);

const COUNT: usize = 206;

/// Names and types of the slots, in order, for general registers of type `x`.
#[rustfmt::skip]
const fn slots(x: Ty) -> [(&'static str, Ty); COUNT] {
    use Ty::{Flags, I32, I64, V128};
    let [pc, a, c, d, b, sp, bp, si, di, fs, gs] = if matches!(x, Ty::I64) {
        ["rip", "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "fs_base", "gs_base"]
    } else {
        ["eip", "eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "fs_base", "gs_base"]
    };
    [
        (pc, x), (a, x), (c, x), (d, x), (b, x), (sp, x), (bp, x), (si, x), (di, x),
        ("r8", x), ("r9", x), ("r10", x), ("r11", x), ("r12", x), ("r13", x), ("r14", x), ("r15", x),
        ("flags", Flags), ("direction", I32), ("other", I32), (fs, x), (gs, x), ("mxcsr", I32),
        ("es", I32), ("cs", I32), ("ss", I32), ("ds", I32), ("fs", I32), ("gs", I32), ("tls0", I64), ("tls1", I64), ("tls2", I64),
        ("xmm0", V128), ("xmm1", V128), ("xmm2", V128), ("xmm3", V128), ("xmm4", V128), ("xmm5", V128), ("xmm6", V128), ("xmm7", V128),
        ("xmm8", V128), ("xmm9", V128), ("xmm10", V128), ("xmm11", V128), ("xmm12", V128), ("xmm13", V128), ("xmm14", V128), ("xmm15", V128),
        ("x87_0", V128), ("x87_1", V128), ("x87_2", V128), ("x87_3", V128), ("x87_4", V128), ("x87_5", V128), ("x87_6", V128), ("x87_7", V128),
        ("x87_8", V128), ("x87_9", V128), ("x87_ip", x),
        ("stage0", V128), ("stage1", V128), ("stage2", V128), ("stage3", V128), ("stage4", V128), ("stage5", V128), ("stage6", V128),
        ("stage7", V128), ("stage8", V128), ("stage9", V128),
        ("random_key0", I64), ("random_key1", I64), ("random_count", I64),
        ("ymm0_high", V128), ("ymm1_high", V128), ("ymm2_high", V128), ("ymm3_high", V128), ("ymm4_high", V128), ("ymm5_high", V128),
        ("ymm6_high", V128), ("ymm7_high", V128), ("ymm8_high", V128), ("ymm9_high", V128), ("ymm10_high", V128), ("ymm11_high", V128),
        ("ymm12_high", V128), ("ymm13_high", V128), ("ymm14_high", V128), ("ymm15_high", V128), ("xcr0", I64), ("xstate", I64),
        ("es_cache", I64), ("cs_cache", I64), ("ss_cache", I64), ("ds_cache", I64), ("fs_cache", I64), ("gs_cache", I64), ("checked", I32),
        ("exception", I32), ("stepped", I32),
        ("zmm0_2", V128), ("zmm0_3", V128), ("zmm1_2", V128), ("zmm1_3", V128), ("zmm2_2", V128), ("zmm2_3", V128), ("zmm3_2", V128), ("zmm3_3", V128),
        ("zmm4_2", V128), ("zmm4_3", V128), ("zmm5_2", V128), ("zmm5_3", V128), ("zmm6_2", V128), ("zmm6_3", V128), ("zmm7_2", V128), ("zmm7_3", V128),
        ("zmm8_2", V128), ("zmm8_3", V128), ("zmm9_2", V128), ("zmm9_3", V128), ("zmm10_2", V128), ("zmm10_3", V128), ("zmm11_2", V128), ("zmm11_3", V128),
        ("zmm12_2", V128), ("zmm12_3", V128), ("zmm13_2", V128), ("zmm13_3", V128), ("zmm14_2", V128), ("zmm14_3", V128), ("zmm15_2", V128), ("zmm15_3", V128),
        ("zmm16_0", V128), ("zmm16_1", V128), ("zmm16_2", V128), ("zmm16_3", V128), ("zmm17_0", V128), ("zmm17_1", V128), ("zmm17_2", V128), ("zmm17_3", V128),
        ("zmm18_0", V128), ("zmm18_1", V128), ("zmm18_2", V128), ("zmm18_3", V128), ("zmm19_0", V128), ("zmm19_1", V128), ("zmm19_2", V128), ("zmm19_3", V128),
        ("zmm20_0", V128), ("zmm20_1", V128), ("zmm20_2", V128), ("zmm20_3", V128), ("zmm21_0", V128), ("zmm21_1", V128), ("zmm21_2", V128), ("zmm21_3", V128),
        ("zmm22_0", V128), ("zmm22_1", V128), ("zmm22_2", V128), ("zmm22_3", V128), ("zmm23_0", V128), ("zmm23_1", V128), ("zmm23_2", V128), ("zmm23_3", V128),
        ("zmm24_0", V128), ("zmm24_1", V128), ("zmm24_2", V128), ("zmm24_3", V128), ("zmm25_0", V128), ("zmm25_1", V128), ("zmm25_2", V128), ("zmm25_3", V128),
        ("zmm26_0", V128), ("zmm26_1", V128), ("zmm26_2", V128), ("zmm26_3", V128), ("zmm27_0", V128), ("zmm27_1", V128), ("zmm27_2", V128), ("zmm27_3", V128),
        ("zmm28_0", V128), ("zmm28_1", V128), ("zmm28_2", V128), ("zmm28_3", V128), ("zmm29_0", V128), ("zmm29_1", V128), ("zmm29_2", V128), ("zmm29_3", V128),
        ("zmm30_0", V128), ("zmm30_1", V128), ("zmm30_2", V128), ("zmm30_3", V128), ("zmm31_0", V128), ("zmm31_1", V128), ("zmm31_2", V128), ("zmm31_3", V128),
        ("k0", I64), ("k1", I64), ("k2", I64), ("k3", I64), ("k4", I64), ("k5", I64), ("k6", I64), ("k7", I64), ("todo", I64),
        ("dirty", I32), ("cleared", I32),
    ]
}

static SLOTS32: [SlotInfo; COUNT] = state::layout(&slots(Ty::I32));
static SLOTS64: [SlotInfo; COUNT] = state::layout(&slots(Ty::I64));
static TYPES32: [Ty; COUNT] = state::types(&slots(Ty::I32));
static TYPES64: [Ty; COUNT] = state::types(&slots(Ty::I64));

/// By how often compiled code names them.
/// The opmask registers follow: from 194 on, counted from RAX.
#[rustfmt::skip]
static INT_HOMES64: [Slot; 24] = numbered(r(0), [
    0, 4, 7, 2, 1, 6, 3, 5, 8, 12, 9, 13, 14, 15, 10, 11,
    195, 196, 197, 194, 198, 199, 200, 201,
]);
static INT_HOMES32: [Slot; 8] = numbered(r(0), [0, 4, 2, 1, 3, 6, 7, 5]);
/// The upper halves follow: from 40 on, counted from XMM0; then what AVX-512 has besides, from 67 on.
#[rustfmt::skip]
static VEC_HOMES64: [Slot; 128] = numbered(xmm(0), [
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
    40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55,
    99, 103, 107, 111, 115, 119, 123, 127, 131, 135, 139, 143, 147, 151, 155, 159,
    100, 104, 108, 112, 116, 120, 124, 128, 132, 136, 140, 144, 148, 152, 156, 160,
    67, 69, 71, 73, 75, 77, 79, 81, 83, 85, 87, 89, 91, 93, 95, 97,
    68, 70, 72, 74, 76, 78, 80, 82, 84, 86, 88, 90, 92, 94, 96, 98,
    101, 105, 109, 113, 117, 121, 125, 129, 133, 137, 141, 145, 149, 153, 157, 161,
    102, 106, 110, 114, 118, 122, 126, 130, 134, 138, 142, 146, 150, 154, 158, 162,
]);
static VEC_HOMES32: [Slot; 16] = numbered(xmm(0), [0, 1, 2, 3, 4, 5, 6, 7, 40, 41, 42, 43, 44, 45, 46, 47]);

/// The layouts of i386 and x86-64.
pub const STATE32: State = layout(&SLOTS32, &TYPES32, &INT_HOMES32, &VEC_HOMES32, settle32);
pub const STATE64: State = layout(&SLOTS64, &TYPES64, &INT_HOMES64, &VEC_HOMES64, settle64);

fn settle32(state: &mut [u8], pc: u64, extra: u32) {
    settle(&STATE32, state, pc, extra);
}

fn settle64(state: &mut [u8], pc: u64, extra: u32) {
    settle(&STATE64, state, pc, extra);
}

/// The word beside pc: how far the stack pointer is from what it holds yet, and how far back the x87 unit's last instruction stands, if that is not 0, which
/// [`X87_IP`] has not been told yet.
fn settle(l: &State, state: &mut [u8], pc: u64, extra: u32) {
    let (by, back) = ir::moved_by(extra);
    if by != 0 {
        let sp = l.get(state, r(RSP));
        l.set(state, r(RSP), sp.wrapping_add_signed(by.into()));
    }
    if back != 0 {
        l.set(state, X87_IP, pc.wrapping_sub(back.into()));
    }
}

const fn layout(
    slots: &'static [SlotInfo],
    types: &'static [Ty],
    int_homes: &'static [Slot],
    vec_homes: &'static [Slot],
    settle: fn(&mut [u8], u64, u32),
) -> State {
    State {
        size: state::size(slots),
        slots,
        shown: slots,
        pairs: &[],
        types,
        pc: PC,
        extra: None,
        int_homes,
        vec_homes,
        x87: Some(X87),
        invalid_traps: false,
        weak_loads: false,
        host_flags: ir::fpflag::IEEE | ir::fpflag::INPUT_DENORMAL,
        direct_mode: 0,
        settle: Some(settle),
        fp_control,
    }
}

/// The mode word: DF, then MXCSR's rounding, flush-to-zero and denormals-are-zero, whether it has exceptions that are not masked, [`CHECKED`],
/// whether instructions are followed by traps, whether a 64-bit program runs 32-bit code, and [`DIRTY`].
pub mod mode {
    pub const DIRECTION: u32 = 1;
    pub const ROUND: u32 = 1;
    pub const FLUSH_OUT: u32 = 1 << 3;
    pub const FLUSH_IN: u32 = 1 << 4;
    pub const UNMASKED: u32 = 1 << 5;
    pub const CHECKED: u32 = 6;
    pub const STEP: u32 = 1 << 12;
    pub const NARROW: u32 = 1 << 13;
    pub const DIRTY: u32 = 1 << 14;
}

const MXCSR_DAZ: u32 = 1 << 6;
/// Masks of exceptions.
pub const MXCSR_MASKS: u32 = 0x3f << 7;
const MXCSR_FTZ: u32 = 1 << 15;

fn mode(l: &State, state: &[u8]) -> u32 {
    let [direction, mxcsr, checked, other, stepped, dirty] =
        [DIRECTION, MXCSR, CHECKED, OTHER, STEPPED, DIRTY].map(|slot| l.get(state, slot) as u32);
    let bit = |holds: bool, bit: u32| if holds { bit } else { 0 };
    let is_wide = l.types[PC.0 as usize] == Ty::I64;
    let narrow = is_wide && l.get(state, selector(CS)) == USER_CS32;
    direction & mode::DIRECTION
        | (mxcsr >> 13 & 3) << mode::ROUND
        | bit(mxcsr & MXCSR_FTZ != 0, mode::FLUSH_OUT)
        | bit(mxcsr & MXCSR_DAZ != 0, mode::FLUSH_IN)
        | bit(mxcsr & MXCSR_MASKS != MXCSR_MASKS, mode::UNMASKED)
        | bit(narrow, mode::NARROW)
        | if narrow || !is_wide { checked << mode::CHECKED } else { 0 }
        | bit(other & TF != 0 || stepped != 0, mode::STEP)
        | bit(dirty != 0, mode::DIRTY)
}

/// See [`mode`].
pub fn mode32(state: &[u8]) -> u32 {
    mode(&STATE32, state)
}

/// See [`mode`].
pub fn mode64(state: &[u8]) -> u32 {
    mode(&STATE64, state)
}

/// The rounding that two bits of a control register ask for.
pub fn rounding(bits: u32) -> Round {
    [Round::NearestEven, Round::Down, Round::Up, Round::Zero][bits as usize & 3]
}

fn fp_control(mode: u32) -> FpControl {
    FpControl { round: rounding(mode >> mode::ROUND) }
}

/// Bits of EFLAGS, and where the slot [`FLAGS`] has them ([`Ty::Flags`]).
const CONDITIONS: [(u32, u32); 6] = [(7, 15), (6, 14), (4, 12), (2, 10), (0, 8), (11, 0)];
/// The one that is turned: CF.
const CF: u32 = 1 << 8;

/// EFLAGS of a stopped program. Bit 1 is always set, so is IF.
pub fn eflags(l: &State, state: &[u8]) -> u32 {
    let flags = l.get(state, FLAGS) as u32 ^ CF;
    let conditions = CONDITIONS.iter().fold(0, |all, (to, from)| all | (flags >> from & 1) << to);
    let direction = (l.get(state, DIRECTION) as u32 & 1) << 10;
    conditions | direction | l.get(state, OTHER) as u32 & EFLAGS_OTHER | 0x202
}

/// The opposite.
pub fn set_eflags(l: &State, state: &mut [u8], eflags: u32) {
    let flags = CONDITIONS.iter().fold(0, |all, (from, to)| all | (eflags >> from & 1) << to);
    l.set(state, FLAGS, u64::from(flags ^ CF));
    l.set(state, DIRECTION, (eflags >> 10 & 1).into());
    l.set(state, OTHER, (eflags & EFLAGS_OTHER).into());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_stand_where_their_numbers_say() {
        let name = |slot: Slot| SLOTS64[slot.0 as usize].name();
        assert_eq!([name(PC), name(r(RSP)), name(r(15)), name(FLAGS)], ["rip", "rsp", "r15", "flags"]);
        assert_eq!([name(MXCSR), name(selector(GS)), name(tls(2)), name(xmm(15))], ["mxcsr", "gs", "tls2", "xmm15"]);
        assert_eq!([name(X87), name(X87_IP), name(stage(9))], ["x87_0", "x87_ip", "stage9"]);
        assert_eq!([name(RANDOM[2]), name(ymm_high(15)), name(XCR0)], ["random_count", "ymm15_high", "xcr0"]);
        assert_eq!([name(descriptor(GS)), name(CHECKED)], ["gs_cache", "checked"]);
        assert_eq!([name(vector(0, 2)), name(vector(15, 3)), name(vector(16, 0))], ["zmm0_2", "zmm15_3", "zmm16_0"]);
        assert_eq!([name(vector(31, 3)), name(opmask(7)), name(TODO)], ["zmm31_3", "k7", "todo"]);
        assert_eq!((STATE32.size % 16, STATE64.size % 16), (0, 0));
    }

    #[test]
    fn each_register_deserves_a_home_once() {
        let distinct = |list: &[Slot]| list.iter().collect::<std::collections::BTreeSet<_>>().len();
        assert_eq!((distinct(&INT_HOMES64), distinct(&VEC_HOMES64)), (24, 128));
        assert_eq!((distinct(&INT_HOMES32), distinct(&VEC_HOMES32)), (8, 16));
        assert_eq!((VEC_HOMES64[16], VEC_HOMES32[8]), (ymm_high(0), ymm_high(0)));
    }

    #[test]
    fn eflags_come_back() {
        let mut s = vec![0; STATE64.size];
        let settable = 0xcd5 | EFLAGS_OTHER;
        for bit in 0..32 {
            let value = (1u32 << bit) & settable | 0x202;
            set_eflags(&STATE64, &mut s, value);
            assert_eq!(eflags(&STATE64, &s), value);
        }
    }
}
