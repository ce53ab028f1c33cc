//! What generated code finds through its state register: guest state, and the engine's fields beside it.

use ir::fpflag;
use std::mem::offset_of;
use std::sync::atomic::AtomicU32;

/// Bytes of guest state that there is room for.
pub const GUEST_SIZE: usize = 5120;
/// Most entries of the jump cache, a power of two. The first one stays empty.
pub const JUMP_CACHE: usize = 16384;

/// Places for values that generated code has no register for. A group of RISC-V's longest vectors is 64 values, and there may be a mask of each.
pub const SPILLS: usize = 128;

/// What marks empty entries of the jump cache and of the shadow stack: no address that code can be at, but one a guest may jump to.
pub const NOWHERE: u64 = 0x8000_dead_0000_0001;

/// System calls that generated code may make itself, by the guest's number: see [`Cpu::calls`].
pub const CALLS: usize = 512;
/// What an entry of the table of calls is: nothing is known, or that the call leaves for the engine; from [`CALL_HOST`] on the host's
/// number; from [`CALL_SERVED`] on the address of a function that serves it ([`Served`]).
pub const CALL_LEAVES: u64 = 1;
pub const CALL_HOST: u64 = 2;
pub const CALL_SERVED: u64 = 1 << 16;
/// Set in such an address: the function leaves vector registers alone.
pub const CALL_QUIET: u64 = 1 << 63;
/// Serves a system call without the kernel, from its first three arguments: the result, or [`NOT_SERVED`].
pub type Served = extern "C" fn(u64, u64, u64) -> i64;
/// The call is to be made as if nobody had tried to serve it.
pub const NOT_SERVED: i64 = i64::MIN;

/// An entry of the jump cache: guest address (with mode bits) and its code; an empty one has `NOWHERE` and the indirect thunk.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct JumpEntry {
    pub pc: u64,
    pub code: u64,
}

/// One guest thread's state. The state register points `BIAS` bytes into `guest`.
#[repr(C, align(64))]
#[derive(Debug)]
pub struct Cpu {
    /// The host's stack pointer while generated code runs.
    pub host_rsp: u64,
    /// The shadow stack pointer while it does not; where the stack begins when empty.
    pub shadow: u64,
    pub shadow_top: u64,
    /// How generated code was left: an [`ExitKind`], and what it says.
    pub exit_kind: u32,
    pub exit_value: u64,
    /// The address of the [`Exit`](crate::Exit) or [`Link`](crate::Link).
    pub exit_record: u64,
    /// Who else may see guest memory meanwhile: [`ALONE`], [`CLOSED_PAIRS`] or [`OPEN_PAIRS`].
    pub concurrent: AtomicU32,
    /// The host's floating-point control and status: the guest's while generated code does not run, and the host's own.
    pub mxcsr: u32,
    pub host_mxcsr: u32,
    /// Sticky floating-point flags, beside those in MXCSR.
    pub fp_flags: u32,
    /// All sticky flags, while the host traps at what would raise another; else [`UNKNOWN`].
    pub known_flags: u32,
    /// How many such traps this thread may still have. Then its flags are asked for each time.
    pub watches: u32,
    /// Set by a helper that wants to leave: 1 + trap.
    pub helper_trap: u32,
    pub scratch: u32,
    /// MXCSR of an operation with a rounding of its own.
    pub rounded: u32,
    /// The exclusive monitor: address (u64::MAX: none) and the value that was loaded.
    pub excl_addr: u64,
    pub excl_value: [u64; 2],
    /// The stamp that its granule had then.
    pub excl_seen: u64,
    /// The stamp of this thread's last exclusive store. No two threads have the same.
    pub excl_stamp: u64,
    /// The granule whose lock is held, or 0.
    pub excl_lock: u64,
    /// The table of exclusive stores: `GRANULES` entries of two words, the stamp of the last store to the granule, and its lock.
    pub granules: u64,
    /// 1 while generated code runs, or an exit of it is being read; 0 in a system call that it makes.
    pub in_code: AtomicU32,
    /// The generation of code that runs, and where the newest one stands.
    pub generation: u32,
    pub newest: u64,
    /// The table of [`CALLS`] words that say how each system call is made.
    pub calls: u64,
    /// For the engine: whom this belongs to.
    pub owner: u64,
    /// What `lahf`'s bits ZF, PF, CF (0x45) after a floating-point comparison are as guest flags; the second for swapped operands.
    pub fcmp: [[u16; 8]; 2],
    pub args: [[u64; 2]; 4],
    pub ret: [u64; 2],
    /// Values that generated code spills.
    pub spill: [[u64; 2]; SPILLS],
    /// Registers that the site thunk saves beside the homes.
    pub save: [[u64; 2]; 8],
    /// FNSTENV's words of the x87 unit, on their way between it and guest memory.
    pub environment: [u32; 8],
    pad: [u64; 7],
    /// The bits of an address that choose an entry of the jump cache; 0: leave at the next poll. Jumps find their entry by it, so that they need no poll.
    pub going: AtomicU32,
    /// How many backward jumps are not to leave before one does.
    pub countdown: AtomicU32,
    pub guest: [u8; GUEST_SIZE],
    pub jumps: [JumpEntry; JUMP_CACHE],
}

/// [`Cpu::concurrent`]: no other thread or process sees guest memory, so nothing needs a lock or a fence.
pub const ALONE: u32 = 0;
/// Others do, but no thread has stored exclusively after another access than the load: such pairs are compare-and-exchange by value, and need
/// no stamps.
pub const CLOSED_PAIRS: u32 = 1;
/// All exclusive stores give their granules stamps.
pub const OPEN_PAIRS: u32 = 2;

/// Entries of the table of exclusive stores; a power of two.
pub const GRANULES: usize = 4096;

/// The state register points so far into `guest`, to reach the two words before it and the first slots with short displacements.
pub const BIAS: i32 = 120;

/// [`Cpu::known_flags`] that have to be asked for.
pub const UNKNOWN: u32 = u32::MAX;
/// Flags that trap where all are known, unless they are raised already. Invalid operations trap anyhow or have been met; inexact ones have.
pub const WATCHED: u32 = fpflag::DIV_BY_ZERO | fpflag::OVERFLOW | fpflag::UNDERFLOW;
/// From a flag in MXCSR to the bit that masks its exception.
pub const MASKS: u32 = 7;

impl Cpu {
    /// Any flag may be raised from now on, and nobody hears of it. `mxcsr` is the one in force; an operation that has trapped is to be done again.
    pub fn unwatch(&mut self, mxcsr: &mut u32) {
        if self.known_flags != UNKNOWN {
            // The trap has raised its flag, though a tiny result that is exact raises none.
            let watched = !(*mxcsr >> MASKS) & WATCHED;
            *mxcsr = *mxcsr & !watched | WATCHED << MASKS;
            self.known_flags = UNKNOWN;
        }
    }
}

const _: () = assert!(offset_of!(Cpu, guest) % 64 == 0, "slots are as aligned as their offsets");

/// How generated code was left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum ExitKind {
    /// By the exit at `exit_record`.
    Static,
    /// By the link at `exit_record`, which is not linked.
    Link,
    /// To the guest address in `exit_value`, which the jump cache did not know.
    Indirect,
    /// A fault; state is saved.
    Fault,
    /// A system call is to be made; it returns to `exit_value`, as the next two do.
    Syscall,
    /// One was made, and something waits.
    SyscallDone,
    /// One was given up for a signal whose handler decides whether it is made again.
    SyscallRestart,
}

macro_rules! displacement {
    ($($(#[$doc:meta])* $name:ident = $($field:tt).+;)*) => {
        /// Displacements of fields from the state register.
        pub mod at {
            use super::*;
            $($(#[$doc])* pub const $name: i32 = offset_of!(Cpu, $($field).+) as i32 - (offset_of!(Cpu, guest) as i32 + BIAS);)*
        }
    };
}

displacement! {
    HOST_RSP = host_rsp;
    SHADOW = shadow;
    SHADOW_TOP = shadow_top;
    EXIT_KIND = exit_kind;
    EXIT_RECORD = exit_record;
    EXIT_VALUE = exit_value;
    GOING = going;
    COUNTDOWN = countdown;
    CONCURRENT = concurrent;
    MXCSR = mxcsr;
    HOST_MXCSR = host_mxcsr;
    FP_FLAGS = fp_flags;
    KNOWN_FLAGS = known_flags;
    WATCHES = watches;
    HELPER_TRAP = helper_trap;
    SCRATCH = scratch;
    ROUNDED = rounded;
    EXCL_ADDR = excl_addr;
    EXCL_VALUE = excl_value;
    EXCL_SEEN = excl_seen;
    EXCL_STAMP = excl_stamp;
    EXCL_LOCK = excl_lock;
    GRANULES_PTR = granules;
    IN_CODE = in_code;
    GENERATION = generation;
    NEWEST = newest;
    CALLS_PTR = calls;
    FCMP = fcmp;
    ARGS = args;
    RET = ret;
    SPILL = spill;
    SAVE = save;
    ENVIRONMENT = environment;
    GUEST = guest;
    JUMPS = jumps;
}

/// What the state register holds, from the address of a [`Cpu`].
pub const STATE_OFFSET: u64 = offset_of!(Cpu, guest) as u64 + BIAS as u64;

/// Values of [`Cpu::fcmp`].
pub const FCMP: [[u16; 8]; 2] = {
    let mut t = [[0; 8]; 2];
    let (less, equal, greater, unordered) = (0x8000, 0x4100, 0x0100, 0x0101);
    (t[0][0], t[1][0]) = (greater, less);
    (t[0][1], t[1][1]) = (less, greater);
    (t[0][4], t[1][4]) = (equal, equal);
    (t[0][7], t[1][7]) = (unordered, unordered);
    t
};
