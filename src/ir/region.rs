//! A region: the unit of translation, a control-flow graph of blocks.
//!
//! Invariants (checked by `verify.rs`):
//! - Block 0 is the entry. Instructions of a block stand together, in order; a value is used only after its definition.
//! - A value is used only in the block that defines it, or in blocks that block dominates; between blocks guest state passes in slots,
//!   and, after `opt/` has promoted slots (tier 2), in block parameters. Front ends produce no parameters, and use a value in a later block only
//!   if blocks fall into one another from where it is defined to there ([`crate::Ways`]): it is still where it was.
//! - A side entry's block begins with a guest instruction, under the region's mode word, and uses no value of another block: it can be come to from
//!   outside as the region itself can.
//! - Exits leave the region's `mode` as it is; code that changes it leaves by [`Term::Switch`], or by [`Term::Resume`] (FPCR write, …).

use crate::op::{Inst, Op, Val};
use crate::types::{Round, Ty};

/// A block of a region.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct BlockId(pub u32);

/// Why a guest instruction leaves the translated code without having been completed by it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Trap {
    /// An instruction that the guest CPU does not have.
    Undefined,
    /// An instruction that we know and lack (`-d unimp`): undefined for the guest.
    Unimplemented,
    /// A breakpoint; the guest's `linux.rs` knows its immediate from the instruction.
    Breakpoint,
    /// What a debugger hears of: an instruction has been followed by a trap, as it wanted; another asks for one.
    Step,
    Debug,
    /// The code at pc cannot be fetched.
    Fetch,
    /// pc is not aligned as the guest demands.
    PcAlign,
    /// Privileged: undefined in user mode, the machine's business in `system/`.
    Privileged,
    /// A branch-target check failed (Arm BTI), or pointer authentication (FPAC).
    BranchTarget,
    PointerAuth,
    /// An integer trap (division, overflow) on guests that have it.
    Arithmetic,
    /// An access not aligned as the instruction demands.
    Align,
    /// An exception of the x87 unit that its program has not masked.
    X87,
    /// A segment that is not present.
    NotPresent,
    /// A system call of another ABI than the program's.
    Gate,
    /// Floating-point exceptions that the program has not masked.
    FloatInvalid,
    FloatDivide,
    FloatOverflow,
    FloatUnderflow,
    FloatInexact,
}

/// How a block ends.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Term {
    /// (While the block is being built.)
    None,
    Jump(BlockId),
    Branch {
        cond: Val,
        then: BlockId,
        other: BlockId,
    },
    /// On to the code at `pc`, linked directly. `pc` here and below carries the guest's low mode bits (Arm's T).
    Goto {
        pc: u64,
    },
    /// The same under another mode word, which guest state asks for by now.
    Switch {
        pc: u64,
        mode: u32,
    },
    /// A call of `pc` that returns to `ret`, and one through a value.
    Call {
        pc: u64,
        ret: u64,
    },
    CallIndirect {
        pc: Val,
        ret: u64,
    },
    /// A return to a value; any other jump to a value.
    Return {
        pc: Val,
    },
    Indirect {
        pc: Val,
    },
    /// System call; the guest goes on at `next`.
    Syscall {
        next: u64,
    },
    /// On at `pc` after leaving to the engine: the mode word is computed anew from guest state.
    Resume {
        pc: u64,
    },
    /// The same at a value.
    ResumeAt {
        pc: Val,
    },
    /// The guest's code in the `len` bytes at `addr` may have changed (IC IVAU), or that anywhere if `len` is 0 (FENCE.I): forget
    /// translations, go on at `next`.
    FlushCode {
        addr: Val,
        len: u32,
        next: u64,
    },
    /// The current guest instruction (the last `Insn` marker) traps.
    Trap(Trap),
}

/// A block: a run of instructions and its end.
#[derive(Clone, Debug)]
pub struct Block {
    /// Its instructions: `region.insts[start..end]`.
    pub start: u32,
    pub end: u32,
    pub term: Term,
    /// Parameters (tier 2): values defined at the block's head.
    pub params: Vec<Val>,
    /// Arguments of the terminator's targets, `then` first (tier 2).
    pub args: Vec<Val>,
}

/// The floating-point control that is in force in the host's unit while the region runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FpControl {
    pub round: Round,
}

/// A region.
#[derive(Clone, Debug)]
pub struct Region {
    /// The guest's address it begins at (with the guest's low mode bits) and its mode word.
    pub pc: u64,
    pub mode: u32,
    /// Guest bytes it was made from: [pc, end), one range.
    pub end: u64,
    pub fp: FpControl,
    pub insts: Vec<Inst>,
    pub blocks: Vec<Block>,
    pub vectors: Vec<u128>,
    /// Where ways of it meet: the guest's address, and the block there.
    pub side_entries: Vec<(u64, BlockId)>,
    /// Guest instructions in it.
    pub guest_insns: u32,
}

impl Default for Region {
    fn default() -> Region {
        Region {
            pc: 0,
            mode: 0,
            end: 0,
            fp: FpControl { round: Round::NearestEven },
            insts: Vec::new(),
            blocks: Vec::new(),
            vectors: Vec::new(),
            side_entries: Vec::new(),
            guest_insns: 0,
        }
    }
}

impl Region {
    #[inline]
    pub fn ty(&self, v: Val) -> Ty {
        self.insts[v.0 as usize].ty
    }
    #[inline]
    pub fn op(&self, v: Val) -> &Op {
        &self.insts[v.0 as usize].op
    }
    /// The bits of a scalar constant.
    #[inline]
    pub fn const_of(&self, v: Val) -> Option<u64> {
        match self.op(v) {
            Op::Const(c) => Some(*c),
            _ => None,
        }
    }
    pub fn const_v_of(&self, v: Val) -> Option<u128> {
        match self.op(v) {
            Op::ConstV(i) => Some(self.vectors[*i as usize]),
            _ => None,
        }
    }
}

impl Term {
    pub fn for_each_arg(&self, mut f: impl FnMut(Val)) {
        match *self {
            Term::Branch { cond, .. } => f(cond),
            Term::CallIndirect { pc, .. } | Term::Return { pc } | Term::Indirect { pc } | Term::ResumeAt { pc } => {
                f(pc)
            }
            Term::FlushCode { addr, .. } => f(addr),
            _ => {}
        }
    }
    /// Replaces each value operand by `f` of it.
    pub fn map_args(&mut self, f: impl Fn(Val) -> Val) {
        match self {
            Term::Branch { cond: v, .. }
            | Term::CallIndirect { pc: v, .. }
            | Term::Return { pc: v }
            | Term::Indirect { pc: v }
            | Term::ResumeAt { pc: v }
            | Term::FlushCode { addr: v, .. } => *v = f(*v),
            _ => {}
        }
    }

    /// Replaces each block it can go on to by `f` of it.
    pub fn map_successors(&mut self, f: impl Fn(BlockId) -> BlockId) {
        match self {
            Term::Jump(b) => *b = f(*b),
            Term::Branch { then, other, .. } => (*then, *other) = (f(*then), f(*other)),
            _ => {}
        }
    }

    /// The blocks it can go on to.
    pub fn successors(&self) -> impl Iterator<Item = BlockId> {
        let pair = match *self {
            Term::Jump(b) => [Some(b), None],
            Term::Branch { then, other, .. } => [Some(then), Some(other)],
            _ => [None, None],
        };
        pair.into_iter().flatten()
    }
}
