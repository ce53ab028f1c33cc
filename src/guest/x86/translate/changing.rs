//! Code that may change without anybody being told: writable, or shown by another mapping too. The processor notices (manual, volume 3, "self-modifying
//! code"), even in the next instruction. So a region of such code begins by comparing the code with what it was made from, and ends behind each
//! instruction that stores. System calls, other threads and other mappings are noticed as any store is, and data beside code costs nothing.

use arch::Code;
use ir::{Builder, IntCc, Lane, Mem, Op, Term, Ty, V2, Val};

/// Code as it was at one time.
#[derive(Debug)]
pub(super) struct Snapshot {
    start: u64,
    bytes: Vec<u8>,
}

impl Snapshot {
    /// What there is of `len` bytes from `start` on.
    pub(super) fn new(code: &mut dyn Code, start: u64, len: usize) -> Snapshot {
        let mut bytes = vec![0; len];
        let there = code.fetch(start, &mut bytes);
        bytes.truncate(there);
        Snapshot { start, bytes }
    }

    /// A block that goes on to a new one, which is then entered, if code up to `end` is still the same; else its translations are forgotten.
    pub(super) fn check(&self, b: &mut Builder, xlen: Ty, end: u64) {
        let len = (end.wrapping_sub(self.start) as usize).min(self.bytes.len());
        let pc = self.start;
        b.insn(pc, 0, pc);
        let (on, changed) = (b.block(), b.block());
        if let Some(difference) = self.difference(b, xlen, len) {
            let zero = b.i64(0);
            let differs = b.cmp(IntCc::Ne, difference, zero);
            b.branch(differs, changed, on);
        } else {
            b.end(Term::Jump(on));
        }
        b.enter(changed);
        let addr = b.constant(xlen, pc);
        b.end(Term::FlushCode { addr, len: len.max(1) as u32, next: pc });
        b.enter(on);
    }

    /// What is other than 0 if the first `len` bytes are no longer the same.
    fn difference(&self, b: &mut Builder, xlen: Ty, len: usize) -> Option<Val> {
        let base = b.constant(xlen, self.start);
        if len >= 16 {
            let whole = (0..len / 16).map(|n| 16 * n);
            let last = (!len.is_multiple_of(16)).then(|| len - 16);
            let all = whole.chain(last).map(|at| {
                let was = self.bytes[at..at + 16].iter().rev().fold(0, |v, byte| v << 8 | u128::from(*byte));
                let (now, was) = (b.load(Ty::V128, Mem::at(base, 16).disp(at as i32)), b.v128(was));
                b.v2(V2::Xor, Lane::D, now, was)
            });
            let all: Vec<Val> = all.collect();
            let any = all.into_iter().reduce(|x, y| b.v2(V2::Or, Lane::D, x, y))?;
            let (low, high) = (b.vget(Ty::I64, any, 0), b.vget(Ty::I64, any, 1));
            return Some(b.or(low, high));
        }
        let mut at = 0;
        let mut any = None;
        for size in [8, 4, 2, 1] {
            if len & size == 0 {
                continue;
            }
            let was = self.bytes[at..at + size].iter().rev().fold(0, |v, byte| v << 8 | u64::from(*byte));
            let now = b.load(Ty::I64, Mem::at(base, size as u8).disp(at as i32));
            let was = b.i64(was);
            let difference = b.xor(now, was);
            any = Some(any.map_or(difference, |any| b.or(any, difference)));
            at += size;
        }
        any
    }
}

impl Code for Snapshot {
    fn fetch(&mut self, pc: u64, buf: &mut [u8]) -> usize {
        let at = usize::try_from(pc.wrapping_sub(self.start)).unwrap_or(usize::MAX).min(self.bytes.len());
        let n = buf.len().min(self.bytes.len() - at);
        buf[..n].copy_from_slice(&self.bytes[at..at + n]);
        n
    }
}

/// Whether one of the operations from the given one on stores.
pub(super) fn stores(b: &Builder, from: usize) -> bool {
    b.region.insts[from..].iter().any(|i| {
        matches!(i.op, Op::Store(..) | Op::AtomicRmw(..) | Op::CmpXchg { .. } | Op::StoreExcl(..) | Op::X87Mem { .. })
    })
}
