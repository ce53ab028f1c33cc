//! A guest's Linux ABI as data: what the `linux` crate needs to know of it.

use crate::layout::Struct;
use ir::Slot;
use std::sync::atomic::AtomicU64;

/// The C data model and the calling convention of system calls.
#[derive(Debug)]
pub struct Abi {
    /// Size of `long` and of pointers, in bytes.
    pub long: usize,
    pub big_endian: bool,
    /// Largest alignment that a C struct's member has.
    pub max_align: usize,
    /// 64-bit arguments of 32-bit ABIs begin in an even register.
    pub even_pairs: bool,
    /// `off_t` has 32 bits, and files are bounded for who opens them without O_LARGEFILE (CONFIG_ARCH_32BIT_OFF_T).
    pub short_offsets: bool,
    /// Where the number and the arguments of a system call stand, and its result.
    pub syscall: SyscallRegs,
    /// Structs that this ABI lays out otherwise than `linux` declares them (which is asm-generic's way with 64 bits). The first list that has a
    /// struct counts: `&[STRUCTS, layout::ILP32]` for 32-bit ABIs.
    pub structs: &'static [&'static [Struct]],
    /// Constants whose value is not asm-generic's: (`O_DIRECT`, 0o200000).
    pub values: &'static [(&'static str, u64)],
    /// Name of its table in `syscall-tables/` (without `.tbl`).
    pub table: &'static str,
    pub stack_pointer: Slot,
    /// The register that holds the thread pointer (CLONE_SETTLS).
    pub thread_pointer: Slot,
    /// x86's segments as programs see them.
    pub segments: Option<Segments>,
    /// Keys of pointer authentication in the order of PR_PAC_RESET_KEYS's bits: random for each new program.
    pub keys: &'static [[Slot; 2]],
    /// How pages are guarded against branches to anything but branch targets, if the processor can.
    pub branch_targets: Option<BranchTargets>,
    /// How many upper bits of addresses are overlooked, if programs choose that (PR_SET_TAGGED_ADDR_CTRL).
    pub pointer_mask: Option<Slot>,
    /// What a random number instruction draws from: random for each thread.
    pub entropy: &'static [Slot],
    /// First address beyond user space; the top of the stack lies below.
    pub task_size: u64,
    pub page_size: u64,
    /// clone(2)'s last arguments are (tls, child_tid) as on most ABIs (CONFIG_CLONE_BACKWARDS), not (child_tid, tls).
    pub clone_tls_first: bool,
    pub signals: Signals,
    /// What ptrace(2) shows of registers.
    pub debug: Debug,
    /// The code that the kernel lends to every program.
    pub vdso: Vdso,
    /// Where a page seems to be whose functions the kernel does itself (x86's vsyscall).
    pub vsyscall: Option<u64>,
    /// The kernel gives calls back to who asks for it (PR_SET_SYSCALL_USER_DISPATCH): those with CONFIG_GENERIC_ENTRY.
    pub gives_back_calls: bool,
    /// A program without PT_GNU_STACK may execute all that it can read.
    pub old_programs_execute_data: bool,
    /// AT_MINSIGSTKSZ of a processor with these features, if the kernel of this ABI gives it.
    pub min_signal_stack: fn(features: u64) -> Option<u64>,
    /// Calls of another ABI ([`ir::Trap::Gate`]).
    pub gate: Option<&'static Gate>,
    /// What riscv_hwprobe(2) says of processors with these features: the value of a key.
    pub probe: fn(key: u64, features: u64) -> Option<u64>,
}

/// How programs make the calls of another ABI.
#[derive(Debug)]
pub struct Gate {
    pub abi: Abi,
    /// Its ELF machine.
    pub machine: u16,
}

/// Registers of a system call.
#[derive(Debug)]
pub struct SyscallRegs {
    pub number: Slot,
    pub args: [Slot; 6],
    pub result: Slot,
    /// Moves pc back onto the system call's instruction, when the call is to be done again.
    pub rewind: fn(state: &mut [u8]),
}

/// Segments, their descriptors as the processor has them.
#[derive(Debug)]
pub struct Segments {
    /// Base and selector of FS and GS.
    pub fs: [Slot; 2],
    pub gs: [Slot; 2],
    /// A thread's descriptors in the GDT (set_thread_area), and the number of the first.
    pub tls: &'static [Slot],
    pub first_tls: u32,
    /// The process's (modify_ldt).
    pub ldt: &'static [AtomicU64],
    /// Loads segment registers anew whose selectors' descriptors have changed: those of data, and if `all` FS and GS.
    pub reload: fn(state: &mut [u8], all: bool, changed: &dyn Fn(u16) -> bool),
    /// Threads have descriptors: CLONE_SETTLS gives one, not an address.
    pub thread_descriptors: bool,
}

/// Guarded pages: branches to them must meet an instruction made for it.
#[derive(Debug)]
pub struct BranchTargets {
    /// Their PROT_* bit.
    pub prot: u32,
    /// The type of the property in PT_GNU_PROPERTY, and the bit of it, that ask for it.
    pub property: u32,
    pub mask: u32,
}

/// Reads guest memory; false where there is none.
pub type ReadMemory<'a> = dyn Fn(u64, &mut [u8]) -> bool + 'a;

/// A signal's number and si_code.
pub type SignalCode = (u32, i32);

/// A signal's number, by an instruction's bytes, pc and guest state.
pub type SignalOfInstruction = fn(insn: &[u8], pc: u64, state: &[u8]) -> u32;

/// si_code of signals that the kernel sends by itself.
pub const SI_KERNEL: i32 = 0x80;

/// Signal frames.
#[derive(Debug)]
pub struct Signals {
    /// Makes the frame of a signal below `Delivery::stack`, and sets state to the handler's first instruction.
    pub deliver: fn(state: &mut [u8], delivery: &Delivery) -> SignalFrame,
    /// Restores state from the frame at the stack pointer; None if the frame is not one. `read` gives false where there is no memory.
    pub restore: fn(state: &mut [u8], kind: FrameKind, read: &ReadMemory) -> Option<Restored>,
    /// (signal, si_code) of a trap where it is not what most ABIs give, as of breakpoints. From the instruction's bytes (fewer where memory ends)
    /// and pc with its low mode bits. With [`SI_KERNEL`] there is no address.
    pub trap: fn(trap: ir::Trap, insn: &[u8], pc: u64) -> Option<SignalCode>,
    /// Where an address that no page can have is no page fault: the signal for it, by the instruction's bytes, pc and guest state. It has [`SI_KERNEL`] and no
    /// address.
    pub no_such_address: Option<SignalOfInstruction>,
    /// The smallest alternative stack (the kernel's MINSIGSTKSZ).
    pub min_altstack: u64,
    /// SA_RESTORER exists in this ABI.
    pub has_restorer: bool,
    /// The vDSO's function to which handlers return, if they do.
    pub return_symbol: Option<&'static str>,
}

/// What a debugger sees of registers. The kernel lays them out as in a signal's frame, piece by piece, so they are taken from there and put there.
#[derive(Debug)]
pub struct Debug {
    pub sets: &'static [RegisterSet],
    /// Requests of the ABI's own that are about a set as a whole: reading it, writing it, its type.
    pub requests: &'static [(u64, u64, u32)],
    /// The set that is the number of a system call, and the request that sets it (PTRACE_SET_SYSCALL).
    pub number_set: Option<u32>,
    pub set_number: Option<u64>,
    /// The request for the thread pointer (PTRACE_GET_THREAD_AREA).
    pub thread_area: Option<u64>,
    /// The request for a descriptor of the thread's by its number (x86's PTRACE_GET_THREAD_AREA).
    pub descriptor: Option<u64>,
    /// What the first set has of a system call that its result overwrites.
    pub original: Option<Original>,
    /// What PTRACE_PEEKUSR and PTRACE_POKEUSR know.
    pub user_area: Option<UserArea>,
    pub can_step: bool,
}

impl Debug {
    /// Whether a tracer changes a call's number elsewhere than in its register.
    pub fn number_is_apart(&self) -> bool {
        let in_set = matches!(self.original, Some(Original::Number { .. }));
        in_set || self.number_set.is_some() || self.set_number.is_some()
    }
}

/// See [`Debug::original`].
#[derive(Clone, Copy, Debug)]
pub enum Original {
    /// The first argument, at this place.
    FirstArgument(usize),
    /// The number, which can be changed. Until the call is made ENOSYS is where its result will be.
    Number { at: usize, result: usize },
}

/// struct user: the first set at its start.
#[derive(Clone, Copy, Debug)]
pub struct UserArea {
    pub size: usize,
    /// From where to where there are debug registers.
    pub debug: (usize, usize),
    /// What is neither may not be written.
    pub strict: bool,
}

/// A set of registers (NT_*).
#[derive(Debug)]
pub struct RegisterSet {
    pub kind: u32,
    pub size: usize,
    pub source: RegisterSource,
}

/// Where a set comes from.
#[derive(Debug)]
pub enum RegisterSource {
    /// Where pieces stand in the frame of a handler with SA_SIGINFO, where in the set, and their length.
    Frame(&'static [(usize, usize, usize)]),
    /// A slot at its start.
    Slot(Slot),
    /// From state and the sticky flags ([`ir::fpflag`]), and back: the flags then, if the set's values can be.
    State { read: fn(&[u8], u32) -> Vec<u8>, write: fn(&mut [u8], &[u8], u32) -> Option<u32> },
    /// The thread's descriptors as struct user_desc (x86).
    ThreadAreas,
    /// It is always the same: these words, then zero.
    Fixed(&'static [u64]),
}

/// Which of the two calls that end a handler.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FrameKind {
    /// sigreturn, where the ABI has it.
    Old,
    /// rt_sigreturn.
    Rt,
}

/// The alternative stack, as sigaltstack(2) has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct AltStack {
    pub sp: u64,
    pub flags: u32,
    pub size: u64,
}

/// A memory fault, for the frame.
#[derive(Clone, Copy, Debug)]
pub struct FaultFacts {
    pub addr: u64,
    pub write: bool,
    /// A fetch of code, not an access to data.
    pub fetch: bool,
    /// The page is there and forbids the access.
    pub protection: bool,
}

/// A signal on its way to a handler.
#[derive(Debug)]
pub struct Delivery<'a> {
    pub signo: u32,
    /// siginfo_t in the guest's layout, 128 bytes.
    pub info: &'a [u8],
    pub handler: u64,
    /// sa_flags.
    pub flags: u64,
    pub restorer: u64,
    /// The mask to be restored afterwards.
    pub mask: u64,
    pub altstack: AltStack,
    pub fault: Option<FaultFacts>,
    /// Sticky FP flags ([`ir::fpflag`]).
    pub fp_flags: u32,
    /// Below here the frame goes: the stack pointer, or the top of the alternative stack.
    pub stack: u64,
    /// Address of the vDSO's [`Signals::return_symbol`].
    pub return_code: u64,
    /// Address of the ABI's first further page, if it has one.
    pub page: u64,
    /// There are guarded pages ([`BranchTargets`]): a handler is entered as by a call.
    pub guards: bool,
}

/// A signal frame, to be written to guest memory.
#[derive(Debug)]
pub struct SignalFrame {
    pub at: u64,
    pub bytes: Vec<u8>,
    /// A frame record further up, with its address: what lies between is not written.
    pub record: Option<(u64, [u8; 16])>,
}

/// What a frame gives back beside registers.
#[derive(Debug)]
pub struct Restored {
    pub mask: u64,
    /// Sticky FP flags ([`ir::fpflag`]).
    pub fp_flags: u32,
    /// Only rt frames have it.
    pub altstack: Option<AltStack>,
}

/// The virtual shared object, as rows: `linux` makes the ELF image.
#[derive(Debug)]
pub struct Vdso {
    pub soname: &'static str,
    /// The version of its symbols.
    pub version: &'static str,
    /// Symbols with their code; each begins at a multiple of 16 in its section.
    pub symbols: &'static [VdsoSymbol],
    /// Further pages: the sigpage and the kuser helpers of arm.
    pub pages: &'static [Page],
}

/// A function of the vDSO.
#[derive(Debug)]
pub struct VdsoSymbol {
    pub name: &'static str,
    pub code: &'static [u32],
}

/// A page with code at an address that the ABI fixes, or wherever there is room.
#[derive(Debug)]
pub struct Page {
    /// As in /proc/self/maps.
    pub name: &'static str,
    pub addr: Option<u64>,
    /// (offset, code)
    pub code: &'static [(u32, &'static [u32])],
}
