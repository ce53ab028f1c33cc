//! Types of arguments: what a row's parameter list is made of. Each says how the value is fetched from the guest's registers ([`fetch`]),
//! how it goes to the host and comes back (`plain.rs`), how `-strace` prints it, and what a body receives.

use crate::host::{Errno, Res};
use crate::layout::{CStruct, Layout};
use crate::memory;
use crate::sys::flags::Flags as FlagTable;
use crate::task::Task;
use arch::layout::Model;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU32, Ordering};

/// The type of a parameter.
#[derive(Clone, Copy, Debug)]
pub enum Ty {
    /// `int`: 32 bits, sign-extended whatever the register held.
    Int,
    /// `unsigned int`.
    UInt,
    Long,
    ULong,
    /// `size_t`; `unsigned long`.
    Size,
    /// A guest address that nothing is read from here.
    Addr,
    /// `loff_t`, `u64`: a pair of registers on 32-bit ABIs.
    I64,
    /// Two `unsigned long`s, low half first in every byte order (preadv). The host's call takes two as well.
    LowHigh,
    Fd,
    DirFd,
    Pid,
    Sig,
    Clock,
    Mode,
    /// A set of bits.
    Flags(&'static FlagTable),
    /// One of several numbers.
    Enum(&'static FlagTable),
    /// A struct that the kernel reads; null passes as null.
    In(fn() -> &'static Layout),
    /// One that it writes.
    Out(fn() -> &'static Layout),
    InOut(fn() -> &'static Layout),
    /// One that it writes when a signal interrupts the call, and then alone (nanosleep's rest).
    Rest(fn() -> &'static Layout),
    /// Arrays; the parameter with that index has the number of elements. Of an output array the call's result tells how many were written.
    InArray(fn() -> &'static Layout, u8),
    OutArray(fn() -> &'static Layout, u8),
    InOutArray(fn() -> &'static Layout, u8),
    /// A socket address that the kernel reads, as long as the parameter with that index says.
    SockAddr(u8),
    /// One that it writes.
    SockAddrOut,
    /// An ioctl's number.
    Request,
    /// Bytes, as many as the parameter with that index says.
    InBuf(u8),
    OutBuf(u8),
    /// Arrays of `struct iovec`.
    InIov(u8),
    OutIov(u8),
    /// A path that is only looked up: subject to `-L`, `/proc/self` and so on.
    Path,
    /// The same where a symbolic link is not followed.
    LinkPath,
    /// A path of a file to change: `-L` does not apply.
    OldPath,
    /// A path of something to make or remove: nothing applies.
    NewPath,
    /// Another string.
    Str,
    /// A null-terminated array of strings.
    Argv,
}

/// What a call returns, for strace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ret {
    Zero,
    Int,
    Fd,
    Pid,
    Size,
    Long,
    Addr,
    /// It does not return where it was called.
    Never,
}

/// Arguments in canonical form: extended to 64 bits by their types, pairs put together.
pub type Values = [u64; 8];

impl Ty {
    /// Whether the argument is an address of memory that the kernel looks at.
    fn is_pointer(self) -> bool {
        use Ty::*;
        !matches!(
            self,
            Int | UInt
                | Long
                | ULong
                | Size
                | I64
                | LowHigh
                | Fd
                | DirFd
                | Pid
                | Sig
                | Clock
                | Mode
                | Flags(_)
                | Enum(_)
                | Request
        )
    }
}

/// How many upper bits of addresses the guest has asked the kernel, too, to overlook (PR_SET_TAGGED_ADDR_CTRL). Differs: for all threads, which on
/// aarch64 choose each for itself.
static TAG_BITS: AtomicU32 = AtomicU32::new(0);

pub fn tag_bits() -> u32 {
    TAG_BITS.load(Ordering::Relaxed)
}

pub fn tagged() -> bool {
    tag_bits() != 0
}

pub fn set_tag_bits(bits: u32) {
    TAG_BITS.store(bits, Ordering::Relaxed);
}

/// An address as the kernel takes it: without its tag, if that is to be overlooked.
pub fn untag(addr: u64) -> u64 {
    let bits = tag_bits();
    if bits != 0 && addr >> (63 - bits) & 1 == 0 { addr & (u64::MAX >> bits) } else { addr }
}

/// Takes the tags off a call's arguments.
pub fn untag_values(types: impl Iterator<Item = Ty>, values: &mut Values) {
    types.zip(values).filter(|(ty, _)| ty.is_pointer()).for_each(|(_, v)| *v = untag(*v));
}

/// Walks the words of one call.
struct Words<'a> {
    model: Model,
    regs: &'a [u64],
    next: usize,
}

impl Words<'_> {
    fn word(&mut self) -> u64 {
        let v = self.regs.get(self.next).copied().unwrap_or(0);
        self.next += 1;
        if self.model.long == 4 { v & 0xffff_ffff } else { v }
    }

    fn pair(&mut self) -> u64 {
        if self.model.long == 8 {
            return self.word();
        }
        if self.model.even_pairs {
            self.next += self.next & 1;
        }
        let (a, b) = (self.word(), self.word());
        if self.model.big_endian { a << 32 | b } else { b << 32 | a }
    }

    fn low_high(&mut self) -> u64 {
        let (low, high) = (self.word(), self.word());
        // A 64-bit kernel shifts the high half out (pos_from_hilo).
        if self.model.long == 8 { low } else { high << 32 | low }
    }
}

/// Fetches the arguments of a call from the words that the guest's registers hold.
pub fn fetch(model: Model, types: impl Iterator<Item = Ty>, regs: &[u64]) -> Values {
    let mut words = Words { model, regs, next: 0 };
    let mut values = [0; 8];
    for (ty, value) in types.zip(&mut values) {
        *value = match ty {
            Ty::Int | Ty::Fd | Ty::DirFd | Ty::Pid | Ty::Sig | Ty::Clock => sign_extend(words.word(), 4),
            Ty::UInt | Ty::Request | Ty::Mode | Ty::Flags(_) | Ty::Enum(_) => words.word() & 0xffff_ffff,
            Ty::Long => sign_extend(words.word(), model.long),
            Ty::I64 => words.pair(),
            Ty::LowHigh => words.low_high(),
            _ => words.word(),
        };
    }
    values
}

fn sign_extend(v: u64, bytes: usize) -> u64 {
    let shift = 64 - bytes * 8;
    ((v << shift).cast_signed() >> shift).cast_unsigned()
}

/// What a body receives for a parameter.
pub trait Value {
    fn from_raw(raw: u64) -> Self;
}

macro_rules! numbers {
    ($($t:ty)*) => {$(impl Value for $t { fn from_raw(raw: u64) -> Self { raw as $t } })*};
}
numbers! { i32 u32 i64 u64 }

/// A pointer to a guest's `T`, or null. `In`, `Out` and `InOut` are one to a body.
#[derive(Debug)]
pub struct Pointer<T> {
    pub addr: u64,
    of: PhantomData<T>,
}

impl<T> Clone for Pointer<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Pointer<T> {}

impl<T> Value for Pointer<T> {
    fn from_raw(addr: u64) -> Self {
        Pointer { addr, of: PhantomData }
    }
}

impl<T: CStruct> Pointer<T> {
    /// Reads it; EFAULT for null as for any other bad address.
    pub fn read(self, t: &Task) -> Result<T, Errno> {
        T::read(t, self.addr)
    }

    /// Reads it unless it is null.
    pub fn read_if(self, t: &Task) -> Result<Option<T>, Errno> {
        if self.addr == 0 { Ok(None) } else { self.read(t).map(Some) }
    }

    pub fn write(self, t: &Task, value: T) -> Result<(), Errno> {
        value.write(t, self.addr)
    }

    /// Writes it unless it is null.
    pub fn write_if(self, t: &Task, value: T) -> Result<(), Errno> {
        if self.addr == 0 { Ok(()) } else { self.write(t, value) }
    }

    /// The element at `index` of an array.
    pub fn at(self, t: &Task, index: u64) -> Self {
        Self::from_raw(self.addr.wrapping_add(index.wrapping_mul(T::size(t.abi().model()) as u64)))
    }
}

/// A guest's string.
#[derive(Clone, Copy, Debug)]
pub struct Text {
    pub addr: u64,
}

impl Value for Text {
    fn from_raw(addr: u64) -> Self {
        Text { addr }
    }
}

impl Text {
    /// Its bytes without the NUL. EFAULT; ENAMETOOLONG beyond PATH_MAX.
    pub fn read(self) -> Result<Vec<u8>, Errno> {
        memory::read_cstr(self.addr, 4095)
    }
}

/// Makes a signed host result of a body that computes one.
pub fn done(value: impl Into<i64>) -> Res {
    Ok(value.into().cast_unsigned())
}

/// The parameter type of a row, as data.
#[macro_export]
macro_rules! ty {
    ($p:ident In $t:ident) => {
        Ty::In(<$t as CStruct>::layout)
    };
    ($p:ident Out $t:ident) => {
        Ty::Out(<$t as CStruct>::layout)
    };
    ($p:ident InOut $t:ident) => {
        Ty::InOut(<$t as CStruct>::layout)
    };
    ($p:ident Rest $t:ident) => {
        Ty::Rest(<$t as CStruct>::layout)
    };
    ($p:ident InArray $t:ident $n:ident) => {
        Ty::InArray(<$t as CStruct>::layout, $p::$n as u8)
    };
    ($p:ident OutArray $t:ident $n:ident) => {
        Ty::OutArray(<$t as CStruct>::layout, $p::$n as u8)
    };
    ($p:ident InOutArray $t:ident $n:ident) => {
        Ty::InOutArray(<$t as CStruct>::layout, $p::$n as u8)
    };
    ($p:ident SockAddr $n:ident) => {
        Ty::SockAddr($p::$n as u8)
    };
    ($p:ident InBuf $n:ident) => {
        Ty::InBuf($p::$n as u8)
    };
    ($p:ident OutBuf $n:ident) => {
        Ty::OutBuf($p::$n as u8)
    };
    ($p:ident InIov $n:ident) => {
        Ty::InIov($p::$n as u8)
    };
    ($p:ident OutIov $n:ident) => {
        Ty::OutIov($p::$n as u8)
    };
    ($p:ident Flags $t:ident) => {
        Ty::Flags(&flags::$t)
    };
    ($p:ident Enum $t:ident) => {
        Ty::Enum(&flags::$t)
    };
    ($p:ident $plain:ident) => {
        Ty::$plain
    };
}

/// The type that a body receives.
#[macro_export]
macro_rules! rust_type {
    (Int) => { i32 };
    (UInt) => { u32 };
    (Long) => { i64 };
    (I64) => { i64 };
    (LowHigh) => { i64 };
    (Fd) => { i32 };
    (DirFd) => { i32 };
    (Pid) => { i32 };
    (Sig) => { i32 };
    (Clock) => { i32 };
    (Mode) => { u32 };
    (Path) => { Text };
    (LinkPath) => { Text };
    (OldPath) => { Text };
    (NewPath) => { Text };
    (Str) => { Text };
    (Flags $t:ident) => { u32 };
    (Enum $t:ident) => { u32 };
    (In $t:ident) => { Pointer<$t> };
    (Out $t:ident) => { Pointer<$t> };
    (InOut $t:ident) => { Pointer<$t> };
    (Rest $t:ident) => { Pointer<$t> };
    (InArray $t:ident $n:ident) => { Pointer<$t> };
    (OutArray $t:ident $n:ident) => { Pointer<$t> };
    (InOutArray $t:ident $n:ident) => { Pointer<$t> };
    ($($other:ident)+) => { u64 };
}
