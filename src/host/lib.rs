//! The back end: IR to machine code. What is common to all hosts is here, each host in a folder of its own.
#![forbid(unsafe_code)]

pub mod cpu;
pub mod x86_64;

pub use cpu::Cpu;

use ir::{Helper, Op, Slot, Ty};

/// Where a slot of guest state lies.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Offset in [`Cpu::guest`].
    pub offset: u16,
    pub ty: Ty,
}

/// A guest's state as the back end sees it.
#[derive(Clone, Debug)]
pub struct StateMap {
    pub slots: Vec<Place>,
    /// Slots that deserve a host register, best first.
    pub int_homes: Vec<Slot>,
    pub vec_homes: Vec<Slot>,
    /// Slots of hot regions alone that are two others.
    pub pairs: Vec<ir::opt::Pair>,
    pub syscall: SyscallSlots,
    /// The sticky flags of MXCSR that are the guest's.
    pub host_flags: u32,
    /// See `arch::State::invalid_traps`.
    pub invalid_traps: bool,
    /// See `arch::State::direct_mode`.
    pub direct_mode: u32,
}

/// Where a system call's number, arguments and result stand.
#[derive(Clone, Copy, Debug)]
pub struct SyscallSlots {
    pub number: Slot,
    pub args: [Slot; 6],
    pub result: Slot,
}

/// How generated code is left.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Exit {
    /// A poll found work; the guest goes on at pc.
    Poll {
        pc: u64,
    },
    /// The thread's countdown of backward jumps has come to its end, or somebody has ended it, at one to pc from the instruction at `from`; the
    /// guest goes on there.
    Hot {
        pc: u64,
        from: u64,
        mode: u32,
    },
    Resume {
        pc: u64,
    },
    /// The address is in `Cpu::exit_value`.
    ResumeAt,
    /// The exclusive store at pc is the first of an open pair ([`cpu::CLOSED_PAIRS`]); it is to be done anew.
    OpenPair {
        pc: u64,
        extra: u32,
    },
    /// The address is in `Cpu::exit_value`.
    FlushCode {
        len: u32,
        next: u64,
    },
    /// `Cpu::exit_value` is the address of a misaligned access.
    Trap {
        trap: ir::Trap,
        pc: u64,
        extra: u32,
    },
    /// A helper asked for it; the trap is in `Cpu::helper_trap`.
    HelperTrap {
        pc: u64,
        extra: u32,
    },
}

/// A link to other code. It is a jump through a slot, which leads to a stub until it is linked ([`x86_64::thunks::stub`]); the stub hands over this record's
/// address.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Link {
    /// The guest address that it leads to, and the mode word there.
    pub pc: u64,
    pub mode: u32,
    /// How far its slot is from the record, once that has its place.
    pub slot: i32,
}

/// Where the flags of guest state are at a faulting access, or what makes up an integer slot that was not written ([`ir::OnFault`]).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FlagsAt {
    /// In their slot.
    Slot,
    /// In the host's flags; C inverted or not.
    Host { inverted: bool },
    /// N and Z in the host's flags, and C if `carry`; the rest in their slot.
    HostPart { carry: bool },
    /// In the host's flags as a floating-point comparison leaves them, operands swapped or not.
    HostFcmp { swapped: bool },
    /// Nowhere: this makes them again.
    Rule(FlagsRule),
    /// The integer slot is a sum of the host's registers (by number, [`NO_REGISTER`] if there is none), the second shifted, and a constant.
    Sum { base: u8, index: u8, scale: u8, disp: i32 },
    /// This is no access of the guest's but an operation of floating point, or an access ahead ([`ir::Op::LoadAhead`]): if it traps, on at the offset in `pc`, its
    /// slow path.
    SlowPath,
}

/// See [`FlagsAt::Sum`].
pub const NO_REGISTER: u8 = 0xff;

/// What makes flags: an operation on what is in slots. They are those of `a - b`, of `a + b`, or N and Z of `a & b`; with it C and V are clear, or
/// those in the flags slot's memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FlagsRule {
    pub op: FlagsOp,
    /// The operands are of 64 bits, else of 32.
    pub wide: bool,
    pub a: RuleOperand,
    pub b: RuleOperand,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FlagsOp {
    Sub,
    Add,
    /// A sum, and C is the opposite of its carry.
    AddBorrow,
    And,
    /// The same, and C is set: of a difference with zero.
    AndSub,
    /// C and V stay as they are in memory.
    AndPart,
}

impl FlagsOp {
    pub(crate) const fn is_and(self) -> bool {
        matches!(self, FlagsOp::And | FlagsOp::AndSub | FlagsOp::AndPart)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RuleOperand {
    /// What a slot holds, and a constant added to it.
    Slot {
        slot: u16,
        add: i32,
    },
    Const(i32),
}

impl FlagsRule {
    /// The rule where the result of the operation is known to be zero.
    pub(crate) const fn of_zero(op: FlagsOp) -> FlagsRule {
        FlagsRule { op, wide: false, a: RuleOperand::Const(0), b: RuleOperand::Const(0) }
    }

    /// The flags, if they depend on nothing.
    pub(crate) fn constant(&self) -> Option<u32> {
        let is_const = |o| matches!(o, RuleOperand::Const(_));
        let whole = self.op != FlagsOp::AndPart;
        (whole && is_const(self.a) && is_const(self.b)).then(|| self.evaluate(|_| 0, 0))
    }

    /// Itself, if no more than one operand has to be computed first.
    pub(crate) fn checked(self) -> Option<FlagsRule> {
        let plain = |o: RuleOperand| matches!(o, RuleOperand::Slot { add: 0, .. });
        let right_is_small = matches!(self.b, RuleOperand::Const(_));
        let same = self.op.is_and() && self.a == self.b;
        (plain(self.a) || plain(self.b) || right_is_small || same).then_some(self)
    }

    pub(crate) const fn ty(&self) -> Ty {
        if self.wide { Ty::I64 } else { Ty::I32 }
    }

    pub fn uses(&self, slot: u16) -> bool {
        [self.a, self.b].iter().any(|o| matches!(o, RuleOperand::Slot { slot: s, .. } if *s == slot))
    }

    /// The flags, as [`ir::Ty::Flags`] has them in memory, by what `get` finds in a slot and what is in that of the flags.
    pub fn evaluate(&self, get: impl Fn(u16) -> u64, memory: u32) -> u32 {
        let ty = self.ty();
        let value = |o: RuleOperand| match o {
            RuleOperand::Slot { slot, add } => get(slot).wrapping_add_signed(i64::from(add)) & ty.mask(),
            RuleOperand::Const(c) => i64::from(c) as u64 & ty.mask(),
        };
        let (a, b) = (value(self.a), value(self.b));
        let v = ir::Val(0);
        let (op, args) = match self.op {
            FlagsOp::Sub => (Op::FlagsSub(v, v), [a, b, 0, 0]),
            FlagsOp::Add | FlagsOp::AddBorrow => (Op::FlagsAdd(v, v), [a, b, 0, 0]),
            FlagsOp::And | FlagsOp::AndPart => (Op::FlagsLogic(v), [a & b, 0, 0, 0]),
            FlagsOp::AndSub => (Op::FlagsSub(v, v), [a & b, 0, 0, 0]),
        };
        let flags = ir::eval(&op, Ty::Flags, &[ty; 4], &args.map(u128::from), &mut 0) as u32;
        match self.op {
            FlagsOp::AndPart => flags & 0xc000 | memory & 0x0101,
            FlagsOp::AddBorrow => flags ^ 0x0100,
            _ => flags,
        }
    }
}

/// What an access that can fault needs, for guest state to be exact when it does. Several that follow each other may be of one access: for two slots of flags, and an integer.
#[derive(Clone, Copy, Debug)]
pub struct FaultRecord {
    /// Offset of the host instruction in the region's code.
    pub at: u32,
    pub pc: u64,
    pub extra: u32,
    pub flags: FlagsAt,
    /// The slot that is of, if it is not in it.
    pub flags_slot: u16,
}

/// Work for a helper, called from generated code through a pointer to it: a guest's helper, or an operation that the back end leaves to
/// [`ir::eval`].
#[derive(Clone, Copy, Debug)]
pub struct Site {
    pub op: Op,
    pub ty: Ty,
    pub arg_types: [Ty; 4],
    pub helper: Option<&'static Helper>,
}

/// Addresses that generated code refers to; all within 2 GiB of it.
#[derive(Clone, Copy, Default, Debug)]
pub struct Thunks {
    /// Called from Rust: `extern "C" fn(cpu, code)`.
    pub enter: u64,
    /// Leaves with the address of an [`Exit`] in rax.
    pub exit: u64,
    /// The same with that of a [`Link`].
    pub link: u64,
    /// Goes to the guest address in rax.
    pub indirect: u64,
    /// A return whose address (rax) does not match the top of the shadow stack.
    pub return_miss: u64,
    /// Calls the site in rax.
    pub site: u64,
    /// Goes to the address that marks the empty shadow stack, if a guest should want that.
    pub sentinel: u64,
    /// Called for all sticky flags, which are not known; they come in rax.
    pub get_flags: u64,
    /// Called to set the sticky flags to those in rax.
    pub set_flags: u64,
    /// Goes to what site thunks call: `extern "C" fn(cpu, site)`.
    pub serve: u64,
    /// Leaves after a fault: guest state is saved already.
    pub fault: u64,
    /// Called to make the system call that returns to the guest address in rax; returns if all is done.
    pub syscall: u64,
    /// In [begin, end] of it a signal must come out before the kernel is entered: it goes on at `unmade`. With rcx not 0 at the end the kernel
    /// wants to make a call again that it has given up: on at `restart`.
    pub syscall_begin: u64,
    pub syscall_end: u64,
    pub syscall_unmade: u64,
    pub syscall_restart: u64,
}

impl Thunks {
    /// Those that regions and stubs refer to.
    pub fn all(&self) -> [u64; 9] {
        let [get, set] = [self.get_flags, self.set_flags];
        [self.exit, self.indirect, self.return_miss, self.site, self.syscall, self.serve, get, set, self.link]
    }
}

/// Something outside a region's code that it refers to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outside {
    /// A thunk, by its place in [`Thunks::all`].
    Thunk(u32),
    /// The region's exit records, link slots and site cells, by number.
    Exit(u32),
    Link(u32),
    Site(u32),
    /// It is a conditional jump's field, which leads to a jump through the link at that offset of the code: it may lead where that does.
    Branch {
        link: u32,
        jump: u32,
    },
}

/// A 32-bit field that says how far something is from the end of its instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ref {
    /// Offset of the field in the code.
    pub at: u32,
    /// Bytes of the instruction behind it.
    pub tail: u8,
    pub to: Outside,
}

/// A region's code, to be placed.
#[derive(Debug, Default)]
pub struct Code {
    pub exits: Vec<Exit>,
    /// By link slot.
    pub links: Vec<Link>,
    pub faults: Vec<FaultRecord>,
    pub sites: Vec<Site>,
    /// The homes of slots, if they are the region's own.
    pub homes: Option<x86_64::Homes>,
    /// Fields of the code that refer to something outside it.
    pub refs: Vec<Ref>,
    /// Where in the code the ways begin that are seldom taken.
    pub cold: u32,
    /// Guest addresses of [`ir::Region::side_entries`], and where they are in the code.
    pub side_entries: Vec<(u64, u32)>,
}
