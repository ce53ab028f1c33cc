//! Running a case in the interpreter while it is made: where its accesses go, so that its base registers can be set to reach the window,
//! and whether it stays away from what is not its own.

use arch::{Code, Guest, Translation};
use ir::interp::{self, Machine, MemFault, Memory, Outcome};
use ir::{Builder, Ty};

use super::record::{CODE, PAGE, SCRATCH, SLOT, SLOTS, WINDOW, number};

/// The code of one slot.
#[derive(Debug)]
struct Bytes<'a>(u64, &'a [u8]);

impl Code for Bytes<'_> {
    fn fetch(&mut self, pc: u64, buf: &mut [u8]) -> usize {
        let rest = self.1.get(pc.wrapping_sub(self.0) as usize..).unwrap_or(&[]);
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        n
    }
}

/// Addresses that a case may neither access nor go to: the other slots, the runner, and where emulators put stacks and the kernel's pages.
fn foreign(addr: u64) -> bool {
    const RANGES: [(u64, u64); 6] = [
        // The reference's stack for RV32, and ours.
        (0x2a00_0000, 0x2c00_0000),
        (0xb000_0000, 0xc000_1000),
        (CODE, CODE + SLOT * SLOTS as u64),
        (0x300a_0000, 0x3100_0000),
        (0x3f00_0000, 0x5000_0000),
        (0xe000_0000, 0xffff_1000),
    ];
    RANGES.iter().any(|&(start, end)| (start.saturating_sub(64)..end).contains(&addr))
}

/// The scratch page and the case's code, and what is accessed.
struct Scratch<'a> {
    page: Vec<u8>,
    /// Where the code is, and a copy to read from.
    at: u64,
    code: &'a [u8],
    /// Whether something was read of what the dry run does not know: other cases' slots.
    guessed: bool,
    read: [u8; 64],
    accesses: Vec<(u64, usize)>,
    foreign: bool,
}

impl Scratch<'_> {
    /// The batch's code: the case's own is known, anything else a guess.
    fn code_at(&mut self, addr: u64, size: usize) -> &mut [u8] {
        let start = addr.wrapping_sub(self.at) as usize;
        match start.checked_add(size).and_then(|end| self.code.get(start..end)) {
            Some(bytes) => self.read[..size].copy_from_slice(bytes),
            None => {
                self.guessed = true;
                self.read[..size].fill(0);
            }
        }
        &mut self.read[..size]
    }

    fn at(&mut self, addr: u64, size: usize, write: bool) -> Result<&mut [u8], MemFault> {
        self.accesses.push((addr, size));
        let start = addr.wrapping_sub(SCRATCH) as usize;
        let end = start.checked_add(size).ok_or(MemFault { addr, write })?;
        // The rest of the page is not compared case by case: it stays zero, but for its start, which straddling stores may reach.
        let window = (WINDOW - SCRATCH) as usize;
        self.foreign |= write && (64..window).contains(&start);
        if !write && (CODE..CODE + SLOT * SLOTS as u64).contains(&addr) {
            return Ok(self.code_at(addr, size));
        }
        self.page.get_mut(start..end).ok_or_else(|| {
            self.foreign |= foreign(addr);
            MemFault { addr, write }
        })
    }
}

impl Memory for Scratch<'_> {
    fn load(&mut self, addr: u64, size: usize) -> Result<u128, MemFault> {
        self.at(addr, size, false).map(|bytes| number(bytes))
    }
    fn store(&mut self, addr: u64, size: usize, v: u128) -> Result<(), MemFault> {
        self.at(addr, size, true)?.copy_from_slice(&v.to_le_bytes()[..size]);
        Ok(())
    }
    fn cmpxchg(&mut self, addr: u64, size: usize, expected: u128, new: u128) -> Result<u128, MemFault> {
        let bytes = self.at(addr, size, true)?;
        let old = number(bytes);
        if old == expected {
            bytes.copy_from_slice(&new.to_le_bytes()[..size]);
        }
        Ok(old)
    }
}

/// What a dry run gave.
#[derive(Debug)]
pub(crate) struct Dry {
    /// Address and size of each access, the one that faulted included.
    pub(crate) accesses: Vec<(u64, usize)>,
    /// Whether the case keeps to itself and ends.
    pub(crate) safe: bool,
    /// Whether it read what the dry run does not know.
    pub(crate) guessed: bool,
    /// The trap that it ends with, if it is one.
    pub(crate) trap: Option<ir::Trap>,
}

impl Dry {
    /// Whether it ends at an instruction that is not defined.
    pub(crate) fn undefined(&self) -> bool {
        matches!(self.trap, Some(ir::Trap::Undefined | ir::Trap::Unimplemented))
    }
}

/// A case as the dry run sees it.
#[derive(Debug)]
pub(crate) struct Start<'a> {
    /// Where the code's bytes are.
    pub(crate) at: u64,
    /// Code, up to the way back.
    pub(crate) code: &'a [u8],
    /// The address to begin at, with the guest's mode bits.
    pub(crate) pc: u64,
    /// Place and type of each slot of guest state.
    pub(crate) slots: &'a [(usize, Ty)],
    /// Guest state.
    pub(crate) state: Vec<u8>,
    /// Sticky flags of floating point.
    pub(crate) fp_flags: u32,
    /// What the processor has.
    pub(crate) features: u64,
    /// The window.
    pub(crate) window: &'a [u8],
}

/// [`Start::slots`] of a guest.
pub(crate) fn slots(guest: &Guest) -> Vec<(usize, Ty)> {
    guest.state.slots.iter().map(|s| (usize::from(s.offset), s.ty)).collect()
}

/// Runs a case.
pub(crate) fn dry_run(guest: &Guest, start: Start<'_>) -> Dry {
    let mut page = vec![0; PAGE as usize];
    page[(WINDOW - SCRATCH) as usize..].copy_from_slice(start.window);
    let (at, code) = (start.at, start.code);
    let mut memory = Scratch { page, at, code, guessed: false, read: [0; 64], accesses: vec![], foreign: false };
    let (mut state, mut pc, mut fp_flags, mut monitor) = (start.state, start.pc, start.fp_flags, None);
    let end = start.at + start.code.len() as u64;
    let (mut ends, mut trapped) = (false, None);
    // As many regions as a loop of a few rounds has.
    for _ in 0..48 {
        let mut b = Builder::new(guest.state.types);
        let mut code = Bytes(start.at, start.code);
        let mut t = Translation {
            b: &mut b,
            code: &mut code,
            max_insns: 16,
            leaders: &(),
            features: start.features,
            guards: false,
        };
        (guest.translate)(&mut t, pc, (guest.mode)(&state));
        let mut machine = Machine { state: &mut state, slots: start.slots, memory: &mut memory, fp_flags, monitor };
        let outcome = interp::run(&b.region, &mut machine);
        (fp_flags, monitor) = (machine.fp_flags, machine.monitor);
        pc = match outcome {
            Outcome::Goto(pc) | Outcome::Return(pc) | Outcome::Indirect(pc) | Outcome::Resume { pc } => pc,
            Outcome::Call { pc, .. } => pc,
            Outcome::Syscall { next } | Outcome::FlushCode { next, .. } => next,
            Outcome::Trap { trap, addr, .. } => {
                if trap == ir::Trap::Align {
                    memory.accesses.push((addr, 1));
                }
                (ends, trapped) = (true, Some(trap));
                break;
            }
            Outcome::Fault { .. } => {
                ends = true;
                break;
            }
        };
        // RISC-V's jumps clear bit 0, for one.
        pc = (guest.branch_target)(pc);
        let target = guest.address(pc);
        if target == end || !(start.at..end).contains(&target) {
            ends = target == end || !foreign(target);
            break;
        }
    }
    let (known, guessed) = (!memory.guessed || guest.address(pc) == end, memory.guessed);
    Dry { safe: ends && known && !memory.foreign, guessed, accesses: memory.accesses, trap: trapped }
}
