//! The engine: runs guest code. It has regions translated on demand, keeps them, links them, and brings faults back to exact guest state.
//! It knows no guest by name and nothing of Linux guests; what needs the system leaves [`Engine::run`] as an [`Exit`].

mod arena;
mod cache;
mod carried;
mod cpu;
pub mod fault;
mod folder;
mod guess;
mod hash;
mod hot;
mod interpret;
mod jumps;
pub mod lock;
mod memory;
mod program;
mod run;
mod save;
mod serve;
mod stats;
mod store;
mod trace;
mod unit;
mod warm;

pub use carried::carry;
pub use cpu::Cpu;
pub use folder::{Folder, Stored};
pub use hash::hash;
pub use host::x86_64::Features;
pub use run::Engine;
pub use stats::Report;

use std::fmt::Debug;
use std::sync::atomic::AtomicU64;

/// Why guest code stopped. Guest state is exact, with pc as said.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Exit {
    /// A system call; pc is the instruction after it.
    Syscall,
    /// A system call that the kernel gave up for a signal, and would make again for a handler with SA_RESTART; pc is the instruction after it.
    SyscallRestart,
    /// Somebody called [`Cpu::interrupt`]; pc is the next instruction.
    Interrupted,
    /// The instruction at pc traps.
    Trap(ir::Trap),
    /// The access of the instruction at pc faulted.
    Fault(Fault),
    /// Code in the range may have been changed by stores: the caller finds its aliases and invalidates them. pc is the next instruction.
    FlushCode { addr: u64, len: u64 },
}

/// A fault of the host while it did the guest's access.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Fault {
    /// Host signal number, si_code, si_addr.
    pub signo: i32,
    pub code: i32,
    pub addr: u64,
    /// Whether it was a write.
    pub write: bool,
}

/// A file that is mapped for execution and does not change: what identifies it, and the guest address of its first byte. Translations of it may be
/// stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Image {
    pub key: u128,
    pub base: u64,
}

/// What a range of guest addresses shows.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    pub start: u64,
    pub end: u64,
    pub image: Option<Image>,
}

/// The key of a file, from its first bytes (with ELF header, program headers, and mostly the build note) and its length.
pub fn image_key(head: &[u8], len: u64) -> u128 {
    hash(&[head, &len.to_le_bytes()].concat())
}

/// Where guest code is read from.
pub trait CodeSource: Sync + Debug {
    /// Copies code at `pc` into `buf`, if it may be executed; how many bytes there were.
    fn fetch(&self, pc: u64, buf: &mut [u8]) -> usize;
    /// What is around a guest address. It is asked again after [`Engine::invalidate`] of a part of the range.
    fn origin(&self, pc: u64) -> Origin {
        Origin { start: pc, end: pc.saturating_add(1), image: None }
    }
    /// Whether there are guarded pages ([`arch::abi::BranchTargets`]), and whether `pc` lies in one. With the first one, [`Engine::reset`].
    fn guards(&self) -> bool {
        false
    }
    fn is_guarded(&self, _pc: u64) -> bool {
        false
    }
    /// See [`arch::Code::may_change`]. When it becomes so, [`Engine::invalidate`].
    fn may_change(&self, _start: u64, _end: u64) -> bool {
        false
    }
    /// Takes text for the log (`-d`).
    fn log(&self, text: &str);
    /// Learns of code that was placed at `at`, for the region at `pc` or for the engine itself (if [`Options::profile`]).
    fn placed(&self, _pc: Option<u64>, _at: u64, _code: &[u8]) {}
}

/// What the engine writes to the log (`-d`).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Log {
    pub in_asm: bool,
    pub op: bool,
    /// Hot regions as they go to the back end.
    pub op_opt: bool,
    pub out_asm: bool,
    pub unimp: bool,
    /// Each entry of generated code, with integer, floating-point or vector registers.
    pub exec: bool,
    pub cpu: bool,
    pub fpu: bool,
    pub vpu: bool,
    /// Undefined instructions, as the guest's mistake.
    pub guest_errors: bool,
    /// Only guest addresses in these ranges; empty: all.
    pub filter: &'static [(u64, u64)],
}

/// How generated code makes the guest's system calls, by the guest's numbers; see [`host::cpu::CALL_LEAVES`]. Its owner fills it in as he
/// likes, also while code runs.
pub type Calls = [AtomicU64; host::cpu::CALLS];
pub use host::cpu::{CALL_HOST, CALL_LEAVES, CALL_QUIET, NOT_SERVED, Served};

/// A table of calls that all leave for the engine.
static NO_CALLS: Calls = [const { AtomicU64::new(host::cpu::CALL_LEAVES) }; host::cpu::CALLS];

/// How the engine is to work.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Guest instructions to a region at most.
    pub max_insns: u32,
    /// Bytes of generated code before all is dropped.
    pub code_size: usize,
    /// [`arch::Cpu::features`] of the model.
    pub features: u64,
    pub log: Log,
    /// After how many backward jumps a loop is translated anew, as a whole; None: never.
    pub hot: Option<u32>,
    /// After how many invalid floating-point operations, which trap, code looks for them itself.
    pub fp_traps: u32,
    /// Run by the interpreter instead of generated code.
    pub interpret: bool,
    /// Where translations are stored.
    pub store: Option<&'static Folder>,
    /// What of the host may be used.
    pub host: Features,
    /// Count, for [`Engine::report`].
    pub stats: bool,
    pub calls: &'static Calls,
    /// Tell [`CodeSource::placed`].
    pub profile: bool,
    /// Link regions to each other; else each one is entered from the run loop.
    pub chain: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            features: u64::MAX,
            max_insns: 64,
            code_size: 64 << 20,
            log: Log::default(),
            hot: Some(1000),
            fp_traps: 500,
            interpret: false,
            store: None,
            stats: false,
            calls: &NO_CALLS,
            profile: false,
            chain: true,
            host: Features::detect(),
        }
    }
}
