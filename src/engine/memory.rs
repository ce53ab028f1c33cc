//! Guest memory for Rust code: single accesses that report a fault instead of dying of it. The handler of the fault finds its address in the
//! routines' range and goes on at their end ([`crate::fault::on_signal`]).

use crate::cpu::granule;
use ir::interp::{MemFault, Memory};
use std::arch::global_asm;
use std::sync::atomic::Ordering;

// rdi: address, rsi: value in and out. Returns 0, or 1 after a fault. The two parts differ in what a fault has to restore.
global_asm!(
    ".globl rqemu_access_start, rqemu_access_end, rqemu_access_fault, rqemu_pair_start, rqemu_pair_end, rqemu_pair_fault",
    ".globl rqemu_load1, rqemu_load2, rqemu_load4, rqemu_load8, rqemu_load16",
    ".globl rqemu_store1, rqemu_store2, rqemu_store4, rqemu_store8, rqemu_store16",
    ".globl rqemu_cas1, rqemu_cas2, rqemu_cas4, rqemu_cas8, rqemu_cas16",
    "rqemu_access_start:",
    "rqemu_load1: movzx eax, byte ptr [rdi]; mov [rsi], rax; xor eax, eax; ret",
    "rqemu_load2: movzx eax, word ptr [rdi]; mov [rsi], rax; xor eax, eax; ret",
    "rqemu_load4: mov eax, [rdi]; mov [rsi], rax; xor eax, eax; ret",
    "rqemu_load8: mov rax, [rdi]; mov [rsi], rax; xor eax, eax; ret",
    "rqemu_load16: movdqu xmm0, [rdi]; movdqu [rsi], xmm0; xor eax, eax; ret",
    "rqemu_store1: mov rax, [rsi]; mov [rdi], al; xor eax, eax; ret",
    "rqemu_store2: mov rax, [rsi]; mov [rdi], ax; xor eax, eax; ret",
    "rqemu_store4: mov rax, [rsi]; mov [rdi], eax; xor eax, eax; ret",
    "rqemu_store8: mov rax, [rsi]; mov [rdi], rax; xor eax, eax; ret",
    "rqemu_store16: movdqu xmm0, [rsi]; movdqu [rdi], xmm0; xor eax, eax; ret",
    "rqemu_cas1: mov rax, [rsi]; mov rdx, [rsi + 16]; lock cmpxchg [rdi], dl; movzx eax, al; mov [rsi], rax; xor eax, eax; ret",
    "rqemu_cas2: mov rax, [rsi]; mov rdx, [rsi + 16]; lock cmpxchg [rdi], dx; movzx eax, ax; mov [rsi], rax; xor eax, eax; ret",
    "rqemu_cas4: mov rax, [rsi]; mov rdx, [rsi + 16]; lock cmpxchg [rdi], edx; mov eax, eax; mov [rsi], rax; xor eax, eax; ret",
    "rqemu_cas8: mov rax, [rsi]; mov rdx, [rsi + 16]; lock cmpxchg [rdi], rdx; mov [rsi], rax; xor eax, eax; ret",
    "rqemu_access_end:",
    "rqemu_access_fault: mov eax, 1; ret",
    "rqemu_pair_start:",
    "rqemu_cas16: mov r8, rbx; mov rax, [rsi]; mov rdx, [rsi + 8]; mov rbx, [rsi + 16]; mov rcx, [rsi + 24]",
    "lock cmpxchg16b [rdi]; mov [rsi], rax; mov [rsi + 8], rdx; mov rbx, r8; xor eax, eax; ret",
    "rqemu_pair_end:",
    "rqemu_pair_fault: mov rbx, r8; mov eax, 1; ret",
);

type Access = unsafe extern "C" fn(u64, *mut [u128; 2]) -> u32;

unsafe extern "C" {
    static rqemu_access_start: u8;
    static rqemu_access_end: u8;
    static rqemu_access_fault: u8;
    static rqemu_pair_start: u8;
    static rqemu_pair_end: u8;
    static rqemu_pair_fault: u8;
    fn rqemu_load1(addr: u64, v: *mut [u128; 2]) -> u32;
    fn rqemu_load2(addr: u64, v: *mut [u128; 2]) -> u32;
    fn rqemu_load4(addr: u64, v: *mut [u128; 2]) -> u32;
    fn rqemu_load8(addr: u64, v: *mut [u128; 2]) -> u32;
    fn rqemu_load16(addr: u64, v: *mut [u128; 2]) -> u32;
    fn rqemu_store1(addr: u64, v: *mut [u128; 2]) -> u32;
    fn rqemu_store2(addr: u64, v: *mut [u128; 2]) -> u32;
    fn rqemu_store4(addr: u64, v: *mut [u128; 2]) -> u32;
    fn rqemu_store8(addr: u64, v: *mut [u128; 2]) -> u32;
    fn rqemu_store16(addr: u64, v: *mut [u128; 2]) -> u32;
    fn rqemu_cas1(addr: u64, v: *mut [u128; 2]) -> u32;
    fn rqemu_cas2(addr: u64, v: *mut [u128; 2]) -> u32;
    fn rqemu_cas4(addr: u64, v: *mut [u128; 2]) -> u32;
    fn rqemu_cas8(addr: u64, v: *mut [u128; 2]) -> u32;
    fn rqemu_cas16(addr: u64, v: *mut [u128; 2]) -> u32;
}

const LOADS: [Access; 5] = [rqemu_load1, rqemu_load2, rqemu_load4, rqemu_load8, rqemu_load16];
const STORES: [Access; 5] = [rqemu_store1, rqemu_store2, rqemu_store4, rqemu_store8, rqemu_store16];
const EXCHANGES: [Access; 5] = [rqemu_cas1, rqemu_cas2, rqemu_cas4, rqemu_cas8, rqemu_cas16];

/// Where an access that faulted at host address `rip` goes on, if it is one of these routines'.
pub(crate) fn recovery(rip: u64) -> Option<u64> {
    let parts = [
        (&raw const rqemu_access_start, &raw const rqemu_access_end, &raw const rqemu_access_fault),
        (&raw const rqemu_pair_start, &raw const rqemu_pair_end, &raw const rqemu_pair_fault),
    ];
    parts.into_iter().find(|(start, end, _)| (*start as u64..*end as u64).contains(&rip)).map(|(_, _, to)| to as u64)
}

/// The guest's memory, at its own addresses.
#[derive(Debug)]
pub(crate) struct Direct<'a> {
    /// The stamp of this thread's last exclusive store.
    pub(crate) stamp: &'a mut u64,
    /// Addresses may have tags.
    pub(crate) tagged: bool,
}

impl Direct<'_> {
    fn untag(&self, addr: u64) -> u64 {
        if self.tagged { without_tag(addr) } else { addr }
    }
}

/// An address with copies of bit 55 for its top byte.
pub(crate) fn without_tag(addr: u64) -> u64 {
    ((addr << 8).cast_signed() >> 8).cast_unsigned()
}

fn access(list: &[Access; 5], addr: u64, size: usize, v: &mut [u128; 2], write: bool) -> Result<(), MemFault> {
    // SAFETY: the routine touches guest memory only, whose faults it survives, and `v`.
    match unsafe { list[size.trailing_zeros() as usize](addr, v) } {
        0 => Ok(()),
        _ => Err(MemFault { addr, write }),
    }
}

fn cut(v: u128, size: usize) -> u128 {
    v & u128::MAX >> (128 - 8 * size)
}

impl Memory for Direct<'_> {
    fn load(&mut self, addr: u64, size: usize) -> Result<u128, MemFault> {
        let mut v = [0; 2];
        access(&LOADS, self.untag(addr), size, &mut v, false)?;
        Ok(cut(v[0], size))
    }

    fn store(&mut self, addr: u64, size: usize, v: u128) -> Result<(), MemFault> {
        access(&STORES, self.untag(addr), size, &mut [v, 0], true)
    }

    fn cmpxchg(&mut self, addr: u64, size: usize, expected: u128, new: u128) -> Result<u128, MemFault> {
        let mut v = [expected, new];
        access(&EXCHANGES, self.untag(addr), size, &mut v, true)?;
        Ok(cut(v[0], size))
    }

    fn stamp(&mut self, addr: u64) -> u64 {
        granule(addr).stamp.load(Ordering::SeqCst)
    }

    fn claim(&mut self, addr: u64, stamp: u64) -> bool {
        let g = granule(addr);
        if g.lock.swap(1, Ordering::SeqCst) != 0 {
            return false;
        }
        let unchanged = g.stamp.load(Ordering::SeqCst) == stamp;
        if unchanged {
            *self.stamp += 1;
            g.stamp.store(*self.stamp, Ordering::SeqCst);
        } else {
            self.stored(addr);
        }
        unchanged
    }

    fn stored(&mut self, addr: u64) {
        granule(addr).lock.store(0, Ordering::SeqCst);
    }

    fn fence(&mut self, _: ir::Fence) {
        std::sync::atomic::fence(Ordering::SeqCst);
    }
}
