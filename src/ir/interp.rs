//! Runs a region as it stands: the oracle of the tests, and the engine's way on hosts without a back end. What pure operations
//! compute is `eval.rs`; here are guest state, memory, helpers and the ways out.
//!
//! Not here: polls. A region that loops in itself runs until it leaves.
//!
//! Guest state is exact at every way out by construction: slots are written when `Set` is met.

mod x87;

use crate::eval::{eval, mask};
use crate::helper::{Frame, Helper};
use crate::mem::{Align, Ext, Mem};
use crate::op::{Op, Rmw, Slot, Val};
use crate::region::{Block, BlockId, Region, Term, Trap};
use crate::types::{Fence, Order, Ty};

/// An access that guest memory does not allow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MemFault {
    /// The address that could not be accessed.
    pub addr: u64,
    pub write: bool,
}

/// Guest memory. Values are little-endian numbers of `size` bytes: 1, 2, 4, 8 or 16.
pub trait Memory {
    /// Reads `size` bytes.
    ///
    /// # Errors
    /// If one of them cannot be read.
    fn load(&mut self, addr: u64, size: usize) -> Result<u128, MemFault>;

    /// Writes the low `size` bytes of `v`.
    ///
    /// # Errors
    /// If one of them cannot be written; then none has been.
    fn store(&mut self, addr: u64, size: usize, v: u128) -> Result<(), MemFault>;

    /// Writes `new` if memory holds `expected`, in one step for all threads and ordered against all other accesses; the old
    /// value.
    ///
    /// # Errors
    /// If a byte cannot be read or written, whatever the comparison says.
    fn cmpxchg(&mut self, addr: u64, size: usize, expected: u128, new: u128) -> Result<u128, MemFault>;

    /// Replaces the value by `f` of it, in one step for all threads; the old value.
    ///
    /// # Errors
    /// As [`Memory::cmpxchg`].
    fn rmw(&mut self, addr: u64, size: usize, f: &dyn Fn(u128) -> u128) -> Result<u128, MemFault> {
        let mut seen = self.load(addr, size).map_err(|fault| MemFault { write: true, ..fault })?;
        loop {
            match self.cmpxchg(addr, size, seen, f(seen))? {
                old if old == seen => return Ok(old),
                old => seen = old,
            }
        }
    }

    /// A stamp of the exclusive stores to `addr` so far, taken before an exclusive load.
    fn stamp(&mut self, _addr: u64) -> u64 {
        0
    }

    /// Whether nobody has stored there exclusively since the stamp. If so, nobody else can until `stored`.
    fn claim(&mut self, _addr: u64, _stamp: u64) -> bool {
        true
    }

    /// The exclusive store that `claim` allowed is done, or has faulted.
    fn stored(&mut self, _addr: u64) {}

    /// Orders accesses before it against accesses after it. Memory that only one thread sees needs nothing.
    fn fence(&mut self, _kind: Fence) {}
    /// Whether other threads or processes may see it.
    fn is_shared(&self) -> bool {
        true
    }
}

/// The address, size in bytes and value that the exclusive monitor watches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Monitor {
    pub addr: u64,
    pub size: usize,
    pub value: u128,
    /// [`Memory::stamp`] before the load.
    pub stamp: u64,
}

/// What a region runs on.
pub struct Machine<'a> {
    /// Guest state.
    pub state: &'a mut [u8],
    /// Offset in state and type of each slot.
    pub slots: &'a [(usize, Ty)],
    pub memory: &'a mut dyn Memory,
    /// Sticky flags, bits of [`crate::types::fpflag`].
    pub fp_flags: u32,
    /// Armed by a load-exclusive; it stays from region to region.
    pub monitor: Option<Monitor>,
}

impl std::fmt::Debug for Machine<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.debug_struct("Machine")
            .field("fp_flags", &self.fp_flags)
            .field("monitor", &self.monitor)
            .finish_non_exhaustive()
    }
}

/// How a region was left; see [`Term`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    Goto(u64),
    /// A call, direct or through a value.
    Call {
        pc: u64,
        ret: u64,
    },
    Return(u64),
    Indirect(u64),
    Syscall {
        next: u64,
    },
    Resume {
        pc: u64,
    },
    FlushCode {
        addr: u64,
        len: u32,
        next: u64,
    },
    /// The guest instruction at `pc` trapped. `addr` is the address of the access for [`Trap::Align`], else 0.
    Trap {
        trap: Trap,
        pc: u64,
        extra: u32,
        addr: u64,
    },
    /// An access of the guest instruction at `pc` faulted.
    Fault {
        fault: MemFault,
        pc: u64,
        extra: u32,
    },
}

/// Runs a region from its entry.
///
/// # Panics
/// If the region breaks the rules of `verify.rs`, or the state is smaller than the slots say.
pub fn run(region: &Region, machine: &mut Machine) -> Outcome {
    let values = vec![0; region.insts.len()];
    let mut run = Run { region, machine, values, pc: region.pc, extra: 0, environment: [0; 7] };
    let mut at = BlockId(0);
    loop {
        let block = &region.blocks[at.0 as usize];
        let next = match run.block(block) {
            Ok(()) => run.end(block),
            Err(Stop::Ahead) => match block.term {
                Term::Branch { then, .. } => Next::Block(then, 0..0),
                _ => panic!("what reads ahead ends with a branch"),
            },
            Err(stop) => return run.left_by(stop),
        };
        match next {
            Next::Block(next, args) => {
                run.enter(&region.blocks[next.0 as usize], &block.args[args]);
                at = next;
            }
            Next::Out(outcome) => return outcome,
        }
    }
}

/// Why a guest instruction is not completed.
enum Stop {
    Trap {
        trap: Trap,
        addr: u64,
    },
    Fault(MemFault),
    /// Of [`Op::LoadAhead`] and [`Op::StoreAhead`]: it is completed without.
    Ahead,
}

impl From<MemFault> for Stop {
    fn from(fault: MemFault) -> Stop {
        Stop::Fault(fault)
    }
}

enum Next {
    /// A block, and which of the arguments are its.
    Block(BlockId, std::ops::Range<usize>),
    Out(Outcome),
}

struct Run<'r, 'm, 'a> {
    region: &'r Region,
    machine: &'m mut Machine<'a>,
    values: Vec<u128>,
    /// Of the last `Insn`.
    pc: u64,
    extra: u32,
    /// What [`crate::X87::Environment`] has taken.
    environment: [u32; 7],
}

impl Run<'_, '_, '_> {
    fn value(&self, v: Val) -> u128 {
        self.values[v.0 as usize]
    }

    fn left_by(&self, stop: Stop) -> Outcome {
        let (pc, extra) = (self.pc, self.extra);
        match stop {
            Stop::Trap { trap, addr } => Outcome::Trap { trap, pc, extra, addr },
            Stop::Fault(fault) => Outcome::Fault { fault, pc, extra },
            Stop::Ahead => unreachable!("the block's end tells where to"),
        }
    }

    fn block(&mut self, block: &Block) -> Result<(), Stop> {
        for i in block.start..block.end {
            if block.params.contains(&Val(i)) {
                continue;
            }
            let inst = &self.region.insts[i as usize];
            self.values[i as usize] = self.op(&inst.op, inst.ty)? & mask(inst.ty);
        }
        Ok(())
    }

    /// Passes the arguments, all at once.
    fn enter(&mut self, block: &Block, args: &[Val]) {
        let passed: Vec<u128> = args.iter().map(|&v| self.value(v)).collect();
        for (param, value) in block.params.iter().zip(passed) {
            self.values[param.0 as usize] = value;
        }
    }

    fn end(&self, block: &Block) -> Next {
        let address = |v: Val| self.value(v) as u64;
        let args_of = |b: BlockId| self.region.blocks[b.0 as usize].params.len();
        Next::Out(match block.term {
            Term::None => panic!("a block without an end"),
            Term::Jump(next) => return Next::Block(next, 0..block.args.len()),
            Term::Branch { cond, then, other } => {
                let split = args_of(then);
                return match self.value(cond) {
                    0 => Next::Block(other, split..block.args.len()),
                    _ => Next::Block(then, 0..split),
                };
            }
            Term::Goto { pc } => Outcome::Goto(pc),
            Term::Switch { pc, .. } => Outcome::Resume { pc },
            Term::Call { pc, ret } => Outcome::Call { pc, ret },
            Term::CallIndirect { pc, ret } => Outcome::Call { pc: address(pc), ret },
            Term::Return { pc } => Outcome::Return(address(pc)),
            Term::Indirect { pc } => Outcome::Indirect(address(pc)),
            Term::Syscall { next } => Outcome::Syscall { next },
            Term::Resume { pc } => Outcome::Resume { pc },
            Term::ResumeAt { pc } => Outcome::Resume { pc: address(pc) },
            Term::FlushCode { addr, len, next } => Outcome::FlushCode { addr: address(addr), len, next },
            Term::Trap(trap) => self.left_by(Stop::Trap { trap, addr: 0 }),
        })
    }

    /// One operation; 0 if it has no result.
    fn op(&mut self, op: &Op, ty: Ty) -> Result<u128, Stop> {
        match *op {
            Op::Const(bits) => return Ok(bits.into()),
            Op::ConstV(i) => return Ok(self.region.vectors[i as usize]),
            Op::Insn { pc, extra } => (self.pc, self.extra) = (pc, extra),
            Op::Get(slot) => return Ok(self.get(slot)),
            Op::Set(slot, v) => self.set(slot, self.value(v)),
            Op::FpFlagsGet => return Ok(self.machine.fp_flags.into()),
            Op::Concurrent => return Ok(self.machine.memory.is_shared().into()),
            Op::FpFlagsSet(v) => self.machine.fp_flags = self.value(v) as u32,
            Op::Load(mem) => return self.load(mem, ty),
            Op::LoadAhead(mem) => return self.load(mem, ty).map_err(|_| Stop::Ahead),
            Op::Store(mem, v) => self.store(mem, self.value(v))?,
            Op::LoadLanes(mem, mask) => return self.load_lanes(mem, self.value(mask)),
            Op::StoreLanes(mem, v, mask) => self.store_lanes(mem, self.value(v), self.value(mask))?,
            Op::StoreAhead(mem, v, second) => {
                // (All or nothing: where the second can be stored and the first cannot is no multiple of 32.)
                if !second.is_none() {
                    self.store(mem.disp(mem.disp + 16), self.value(second)).map_err(|_| Stop::Ahead)?;
                }
                self.store(mem, self.value(v)).map_err(|_| Stop::Ahead)?;
            }
            Op::AtomicRmw(rmw, _, align, addr, v) => {
                let addr = self.value(addr) as u64;
                check_aligned(align, addr, ty.bytes())?;
                return self.rmw(rmw, addr, ty, self.value(v));
            }
            Op::CmpXchg { addr, expected, new, align } => {
                let addr = self.value(addr) as u64;
                check_aligned(align, addr, ty.bytes())?;
                let (expected, new) = (self.value(expected), self.value(new));
                return Ok(self.machine.memory.cmpxchg(addr, ty.bytes(), expected, new)?);
            }
            Op::LoadExcl(addr, order, align) => {
                let addr = self.value(addr) as u64;
                check_aligned(align, addr, ty.bytes())?;
                return self.load_exclusive(addr, ty, order);
            }
            Op::StoreExcl(addr, v, _, align) => {
                let (addr, size) = (self.value(addr) as u64, self.region.ty(v).bytes());
                check_aligned(align, addr, size)?;
                return self.store_exclusive(addr, size, self.value(v));
            }
            Op::ClearExcl => self.machine.monitor = None,
            Op::Fence(kind) => self.machine.memory.fence(kind),
            Op::Prefetch(_) | Op::Poll { .. } => {}
            Op::Call(helper, args) => return self.call(helper, args),
            Op::X87 { image, op, v } => return self.x87(image, op, if v.is_none() { 0 } else { self.value(v) }),
            Op::X87Mem { image, code, mem } => self.x87_mem(image, code, &mem)?,
            _ => return Ok(self.pure(op, ty)),
        }
        Ok(0)
    }

    fn pure(&mut self, op: &Op, ty: Ty) -> u128 {
        let (mut types, mut args, mut n) = ([Ty::Void; 4], [0; 4], 0);
        op.for_each_arg(|v| {
            (types[n], args[n]) = (self.region.ty(v), self.value(v));
            n += 1;
        });
        eval(op, ty, &types, &args, &mut self.machine.fp_flags)
    }

    // ---- state ----

    fn get(&self, slot: Slot) -> u128 {
        let (offset, ty) = self.machine.slots[slot.0 as usize];
        let mut bytes = [0; 16];
        bytes[..ty.bytes()].copy_from_slice(&self.machine.state[offset..offset + ty.bytes()]);
        u128::from_ne_bytes(bytes)
    }

    fn set(&mut self, slot: Slot, v: u128) {
        let (offset, ty) = self.machine.slots[slot.0 as usize];
        self.machine.state[offset..offset + ty.bytes()].copy_from_slice(&v.to_ne_bytes()[..ty.bytes()]);
    }

    fn call(&mut self, helper: &'static Helper, args: [Val; 4]) -> Result<u128, Stop> {
        let args = args.map(|v| if v.is_none() { 0 } else { self.value(v) });
        let mut frame = Frame { args, ret: 0, state: &mut *self.machine.state, fp_flags: 0, exit: None };
        (helper.run)(&mut frame);
        let Frame { ret, fp_flags, exit, .. } = frame;
        self.machine.fp_flags |= fp_flags;
        match exit {
            Some(trap) => Err(Stop::Trap { trap, addr: 0 }),
            None => Ok(ret),
        }
    }

    // ---- memory ----

    /// base + (index << scale) + disp at the width of base.
    fn address(&self, mem: &Mem) -> u64 {
        let index = if mem.index.is_none() { 0 } else { self.value(mem.index) as u64 };
        let base = self.value(mem.base) as u64;
        let sum = base.wrapping_add(index << mem.scale).wrapping_add(i64::from(mem.disp) as u64);
        sum & self.region.ty(mem.base).mask()
    }

    fn load(&mut self, mem: Mem, ty: Ty) -> Result<u128, Stop> {
        let addr = self.address(&mem);
        check_aligned(mem.align, addr, mem.size.into())?;
        let loaded = self.machine.memory.load(addr, mem.size.into());
        if let (Err(_), Some(told)) = (&loaded, mem.on_fault) {
            self.set(told.slot, addr.wrapping_sub(i64::from(told.back) as u64).into());
        }
        let loaded = loaded?;
        self.order_after(mem.order);
        let value = if mem.big { swapped(loaded, mem.size.into()) } else { loaded };
        Ok(match mem.ext {
            Ext::Zero => value,
            Ext::Sign => sign_extended(value, mem.size.into()) & mask(ty),
        })
    }

    /// Places, in bytes, of the lanes that a mask chooses, and their accesses.
    fn chosen(mem: Mem, mask: u128) -> impl Iterator<Item = (u32, Mem)> {
        let size = u32::from(mem.size);
        let sign = move |at: u32| mask >> (8 * (at + size) - 1) & 1 != 0;
        (0..16)
            .step_by(size as usize)
            .filter(move |at| sign(*at))
            .map(move |at| (at, Mem { disp: mem.disp.wrapping_add(at as i32), ..mem }))
    }

    fn load_lanes(&mut self, mem: Mem, mask: u128) -> Result<u128, Stop> {
        let mut all = 0;
        for (at, mem) in Self::chosen(mem, mask) {
            all |= self.load(mem, Ty::V128)? << (8 * at);
        }
        Ok(all)
    }

    fn store_lanes(&mut self, mem: Mem, v: u128, mask: u128) -> Result<(), Stop> {
        for (at, mem) in Self::chosen(mem, mask) {
            self.store(mem, v >> (8 * at))?;
        }
        Ok(())
    }

    fn store(&mut self, mem: Mem, v: u128) -> Result<(), Stop> {
        let addr = self.address(&mem);
        check_aligned(mem.align, addr, mem.size.into())?;
        self.order_before(mem.order);
        let v = if mem.big { swapped(v, mem.size.into()) } else { v & low_bytes(mem.size.into()) };
        self.machine.memory.store(addr, mem.size.into(), v)?;
        // A later acquire may not pass a release.
        self.order_before(mem.order);
        Ok(())
    }

    fn order_after(&mut self, order: Order) {
        if matches!(order, Order::Acquire | Order::AcqRel) {
            self.machine.memory.fence(Fence::Full);
        }
    }

    fn order_before(&mut self, order: Order) {
        if matches!(order, Order::Release | Order::AcqRel) {
            self.machine.memory.fence(Fence::Full);
        }
    }

    fn rmw(&mut self, rmw: Rmw, addr: u64, ty: Ty, v: u128) -> Result<u128, Stop> {
        let size = ty.bytes();
        let signed = |x| sign_extended(x, size) as i128;
        let f = |old: u128| match rmw {
            Rmw::Swap => v,
            Rmw::Add => old.wrapping_add(v) & low_bytes(size),
            Rmw::And => old & v,
            Rmw::Or => old | v,
            Rmw::Xor => old ^ v,
            Rmw::MinS => std::cmp::min_by_key(old, v, |&x| signed(x)),
            Rmw::MaxS => std::cmp::max_by_key(old, v, |&x| signed(x)),
            Rmw::MinU => old.min(v),
            Rmw::MaxU => old.max(v),
        };
        Ok(self.machine.memory.rmw(addr, size, &f)?)
    }

    fn load_exclusive(&mut self, addr: u64, ty: Ty, order: Order) -> Result<u128, Stop> {
        let size = ty.bytes();
        let stamp = self.machine.memory.stamp(addr);
        let value = self.machine.memory.load(addr, size)?;
        self.order_after(order);
        self.machine.monitor = Some(Monitor { addr, size, value, stamp });
        Ok(value)
    }

    /// The store happens if memory still holds what the monitor saw; `Memory::cmpxchg` orders it.
    fn store_exclusive(&mut self, addr: u64, size: usize, v: u128) -> Result<u128, Stop> {
        match self.machine.monitor {
            Some(m) if (m.addr, m.size) == (addr, size) && self.machine.memory.claim(addr, m.stamp) => {
                let old = self.machine.memory.cmpxchg(addr, size, m.value, v);
                self.machine.memory.stored(addr);
                let old = old?;
                self.machine.monitor = None;
                Ok((old != m.value).into())
            }
            _ => {
                self.machine.monitor = None;
                Ok(1)
            }
        }
    }
}

fn check_aligned(align: Align, addr: u64, size: usize) -> Result<(), Stop> {
    match align {
        _ if align.allows(addr, size) => Ok(()),
        Align::Vector => Err(Stop::Trap { trap: Trap::Privileged, addr: 0 }),
        _ => Err(Stop::Trap { trap: Trap::Align, addr }),
    }
}

fn low_bytes(size: usize) -> u128 {
    u128::MAX >> (128 - 8 * size)
}

fn swapped(v: u128, size: usize) -> u128 {
    v.swap_bytes() >> (128 - 8 * size)
}

fn sign_extended(v: u128, size: usize) -> u128 {
    let spare = 128 - 8 * size;
    ((v << spare) as i128 >> spare) as u128
}

#[cfg(test)]
mod tests;
