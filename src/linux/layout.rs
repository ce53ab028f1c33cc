//! C structs between guest and host: declared once by [`layout!`](crate::layout!), laid out for a guest's [`Model`], converted member by member by name.
//!
//! Sizes, offsets, byte order and whether anything needs converting at all follow from the declaration, the guest's model and [`HOST`].
//! The declarations themselves stand with the system calls that use them (`sys/structs.rs`). Not here: argument types (`sys/types.rs`).

use crate::host::Errno;
use crate::memory;
use crate::task::Task;
use arch::layout::{C, Field, Model, Struct};
use std::sync::atomic::{AtomicPtr, Ordering};

/// The host: x86-64 Linux.
pub static HOST: Model = Model {
    long: 8,
    big_endian: false,
    max_align: 8,
    even_pairs: false,
    structs: &[arch::layout::X86_64],
    values: &[],
};

/// Size and alignment of a member's type.
fn measure(c: C, m: Model) -> (usize, usize) {
    let size = match c {
        C::I8 | C::U8 => 1,
        C::I16 | C::U16 | C::Uid16 => 2,
        C::I32 | C::U32 | C::U32Fit => 4,
        C::I64 | C::U64 | C::I64Low => 8,
        C::SigSet => return (8, m.long),
        C::Long | C::ULong | C::Ptr | C::LongFit | C::ULongFit => m.long,
    };
    (size, size.min(m.max_align))
}

fn is_signed(c: C) -> bool {
    matches!(c, C::I8 | C::I16 | C::I32 | C::I64 | C::Long | C::LongFit)
}

fn must_fit(c: C) -> bool {
    matches!(c, C::LongFit | C::ULongFit | C::U32Fit)
}

/// Where a member stands in one ABI's struct.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    pub offset: usize,
    /// Of one element.
    pub size: usize,
    pub c: C,
    pub count: usize,
}

/// Offsets of a struct's members in an ABI, in the struct's own order, and its size.
pub fn lay_out(s: &Struct, m: Model) -> (Vec<(&'static str, Place)>, usize) {
    let cap = if s.pack == 0 { usize::MAX } else { s.pack as usize };
    let (mut at, mut align) = (0usize, 1usize);
    let mut places = Vec::with_capacity(s.fields.len());
    for field in s.fields {
        let Field { c, count, .. } = field;
        let (size, natural) = measure(*c, m);
        let a = natural.min(cap);
        at = at.next_multiple_of(a);
        places.push((field.name(), Place { offset: at, size, c: *c, count: *count as usize }));
        at += size * *count as usize;
        align = align.max(a);
    }
    (places, at.next_multiple_of(align))
}

/// A struct as `linux` declares it. The order of its members is that of the Rust struct of the same declaration.
#[derive(Debug)]
pub struct Layout {
    pub declared: Struct,
    resolved: AtomicPtr<Resolved>,
}

/// A layout for one guest ABI.
#[derive(Debug)]
pub struct Resolved {
    model: Model,
    /// That of another ABI, which some of the program's calls may have.
    next: AtomicPtr<Resolved>,
    /// By the declaration's order; None: this ABI lacks the member.
    pub guest: Vec<Option<Place>>,
    pub host: Vec<Option<Place>>,
    pub size: usize,
    pub host_size: usize,
    /// The guest's bytes are the host's bytes: pointers pass through.
    pub same: bool,
    /// The host's bytes are the guest's, for what the kernel writes.
    pub same_back: bool,
    steps: Vec<Step>,
}

/// A part of a conversion.
#[derive(Debug)]
enum Step {
    /// Bytes that are alike, from one or more members.
    Copy {
        guest: usize,
        host: usize,
        len: usize,
    },
    Convert(Place, Place),
}

/// The steps that convert the members which both sides have.
fn steps(m: Model, guest: &[Option<Place>], host: &[Option<Place>]) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for (g, h) in guest.iter().zip(host).filter_map(|(g, h)| Some(((*g)?, (*h)?))) {
        let special = matches!(g.c, C::SigSet | C::Uid16) || (g.c == C::I64Low && m.long != HOST.long);
        if special || g.size != h.size || (m.big_endian && g.size > 1) {
            steps.push(Step::Convert(g, h));
            continue;
        }
        let more = g.size * g.count.min(h.count);
        match steps.last_mut() {
            Some(Step::Copy { guest, host, len }) if *guest + *len == g.offset && *host + *len == h.offset => {
                *len += more
            }
            _ => steps.push(Step::Copy { guest: g.offset, host: h.offset, len: more }),
        }
    }
    steps
}

impl Layout {
    pub const fn new(declared: Struct) -> Layout {
        Layout { declared, resolved: AtomicPtr::new(std::ptr::null_mut()) }
    }

    /// The layout in `m`, computed at its first use.
    pub fn of(&self, m: Model) -> &'static Resolved {
        let mut at = &self.resolved;
        // SAFETY: only leaked boxes are ever stored.
        while let Some(r) = unsafe { at.load(Ordering::Acquire).as_ref() } {
            if r.model == m {
                return r;
            }
            at = &r.next;
        }
        let fresh: &'static Resolved = Box::leak(Box::new(self.resolve(m)));
        at.store(std::ptr::from_ref(fresh).cast_mut(), Ordering::Release);
        fresh
    }

    /// What [`Layout::of`] gave first.
    pub fn resolved(&self) -> Option<&'static Resolved> {
        // SAFETY: only leaked boxes are ever stored.
        unsafe { self.resolved.load(Ordering::Acquire).as_ref() }
    }

    /// The rows that `m` has for this struct.
    pub fn variant(&self, m: Model) -> Struct {
        m.own(self.declared.name).unwrap_or(self.declared)
    }

    fn resolve(&self, m: Model) -> Resolved {
        let by_declaration = |m: Model| {
            let (places, size) = lay_out(&self.variant(m), m);
            let place = |f: &Field| places.iter().find(|p| p.0 == f.name()).map(|p| p.1);
            (self.declared.fields.iter().map(place).collect::<Vec<_>>(), size)
        };
        let (guest, size) = by_declaration(m);
        let (host, host_size) = by_declaration(HOST);
        let form = |p: &Option<Place>| p.map(|p| (p.offset, p.size, p.count));
        let same_back = size == host_size && !m.big_endian && guest.iter().zip(&host).all(|(g, h)| form(g) == form(h));
        let same = same_back && (m.long == HOST.long || guest.iter().flatten().all(|g| g.c != C::I64Low));
        let steps = steps(m, &guest, &host);
        Resolved { model: m, next: AtomicPtr::default(), guest, host, size, host_size, same, same_back, steps }
    }
}

impl Resolved {
    /// Converts the guest's bytes to the host's.
    pub fn to_host(&self, from: &[u8], to: &mut [u8]) {
        for step in &self.steps {
            match step {
                Step::Copy { guest, host, len } => to[*host..][..*len].copy_from_slice(&from[*guest..][..*len]),
                Step::Convert(g, h) => {
                    for i in 0..g.count.min(h.count) {
                        // A guest's value always fits the host's wider member.
                        let _ = store(HOST, to, h, i, load(self.model, from, g, i));
                    }
                }
            }
        }
    }

    /// Converts the host's bytes to the guest's. EOVERFLOW as the kernel's compat code gives it.
    pub fn to_guest(&self, from: &[u8], to: &mut [u8]) -> Result<(), Errno> {
        for step in &self.steps {
            match step {
                Step::Copy { guest, host, len } => to[*guest..][..*len].copy_from_slice(&from[*host..][..*len]),
                Step::Convert(g, h) => {
                    for i in 0..g.count.min(h.count) {
                        store(self.model, to, g, i, load(HOST, from, h, i))?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Reads element `i` of a member, extended to 64 bits.
pub fn load(m: Model, bytes: &[u8], p: &Place, i: usize) -> u64 {
    let from = &bytes[p.offset + i * p.size..][..p.size];
    let v = number(m, from);
    match p.c {
        // The words of a set have the low signals first, whatever the byte order.
        C::SigSet if m.big_endian && m.long == 4 => v.rotate_left(32),
        C::I64Low if m.long == 4 => v & 0xffff_ffff,
        C::Uid16 if v == 0xffff => 0xffff_ffff,
        c if is_signed(c) => {
            let shift = 64 - p.size * 8;
            ((v << shift).cast_signed() >> shift).cast_unsigned()
        }
        _ => v,
    }
}

/// Writes the low bytes of `v` as element `i` of a member.
pub fn store(m: Model, bytes: &mut [u8], p: &Place, i: usize, v: u64) -> Result<(), Errno> {
    if must_fit(p.c) && p.size < 8 {
        let (bits, value) = (p.size * 8, v.cast_signed());
        let fits = if is_signed(p.c) { value >> (bits - 1) == 0 || value >> (bits - 1) == -1 } else { v >> bits == 0 };
        if !fits {
            return Err(Errno::EOVERFLOW);
        }
    }
    let v = match p.c {
        C::SigSet if m.big_endian && m.long == 4 => v.rotate_left(32),
        C::Uid16 if v & 0xffff_ffff > 0xffff => 65534,
        _ => v,
    };
    put_number(m, &mut bytes[p.offset + i * p.size..][..p.size], v);
    Ok(())
}

/// An unsigned number of up to 8 bytes in the ABI's byte order.
pub fn number(m: Model, bytes: &[u8]) -> u64 {
    let v = match *bytes {
        [a] => u64::from(a),
        [a, b] => u64::from(u16::from_le_bytes([a, b])),
        [a, b, c, d] => u64::from(u32::from_le_bytes([a, b, c, d])),
        [a, b, c, d, e, f, g, h] => u64::from_le_bytes([a, b, c, d, e, f, g, h]),
        _ => bytes.iter().take(8).rev().fold(0, |v, b| v << 8 | u64::from(*b)),
    };
    if m.big_endian && !bytes.is_empty() { v.swap_bytes() >> (64 - 8 * bytes.len().min(8)) } else { v }
}

/// Writes the low bytes of a number in the ABI's byte order.
pub fn put_number(m: Model, bytes: &mut [u8], v: u64) {
    let n = bytes.len();
    bytes.copy_from_slice(&v.to_le_bytes()[..n]);
    if m.big_endian {
        bytes.reverse();
    }
}

/// A Rust value for a member: a number, or an array of them.
pub trait Member: Copy {
    fn element(&self, i: usize) -> u64;
    fn set_element(&mut self, i: usize, v: u64);
}

macro_rules! members {
    ($($t:ty)*) => {$(
        impl Member for $t {
            fn element(&self, _: usize) -> u64 { *self as u64 }
            fn set_element(&mut self, _: usize, v: u64) { *self = v as $t; }
        }
    )*};
}
members! { i8 u8 i16 u16 i32 u32 i64 u64 }

impl<T: Member, const N: usize> Member for [T; N] {
    fn element(&self, i: usize) -> u64 {
        self[i].element(0)
    }
    fn set_element(&mut self, i: usize, v: u64) {
        self[i].set_element(0, v);
    }
}

/// A struct of C as a Rust struct with the same members, for bodies that look into it.
pub trait CStruct: Sized + Copy {
    fn layout() -> &'static Layout;
    fn zeroed() -> Self;
    /// Calls `f` with each member, in the declaration's order.
    fn visit(&mut self, f: &mut dyn FnMut(usize, &mut dyn DynMember));

    /// Reads the guest's struct from its bytes.
    fn from_bytes(m: Model, bytes: &[u8]) -> Self {
        let r = Self::layout().of(m);
        let mut value = Self::zeroed();
        value.visit(&mut |n, member| {
            if let Some(p) = &r.guest[n] {
                (0..p.count).for_each(|i| member.set(i, load(m, bytes, p, i)));
            }
        });
        value
    }

    /// The guest's struct as bytes.
    fn to_bytes(mut self, m: Model) -> Result<Vec<u8>, Errno> {
        let r = Self::layout().of(m);
        let mut bytes = vec![0; r.size];
        let mut result = Ok(());
        self.visit(&mut |n, member| {
            if let Some(p) = &r.guest[n] {
                for i in 0..p.count {
                    let stored = store(m, &mut bytes, p, i, member.get(i));
                    result = result.and(stored);
                }
            }
        });
        result.map(|()| bytes)
    }

    /// Reads the guest's struct at `addr`.
    fn read(t: &Task, addr: u64) -> Result<Self, Errno> {
        let mut bytes = vec![0; Self::layout().of(t.abi().model()).size];
        memory::read(addr, &mut bytes)?;
        Ok(Self::from_bytes(t.abi().model(), &bytes))
    }

    /// Writes the guest's struct at `addr`.
    fn write(self, t: &Task, addr: u64) -> Result<(), Errno> {
        memory::write(addr, &self.to_bytes(t.abi().model())?)
    }

    /// Its size in the guest.
    fn size(m: Model) -> usize {
        Self::layout().of(m).size
    }
}

/// [`Member`] behind a pointer.
pub trait DynMember {
    fn get(&self, i: usize) -> u64;
    fn set(&mut self, i: usize, v: u64);
}

impl<T: Member> DynMember for T {
    fn get(&self, i: usize) -> u64 {
        self.element(i)
    }
    fn set(&mut self, i: usize, v: u64) {
        self.set_element(i, v);
    }
}

/// Declares structs: `Timespec32 = "timespec" { tv_sec: Long, tv_nsec: Long }`. The name in quotes is the C tag (and the key of an ABI's own
/// variant). Gives a Rust struct, its [`CStruct`], and a line in `ALL`, which the layout test goes through.
#[macro_export]
macro_rules! layout {
    ($($(#[$m:meta])* $name:ident = $tag:literal $(($pack:literal))? { $($field:ident: $c:tt),* $(,)? })*) => {
        $(
            $(#[$m])*
            #[derive(Clone, Copy, Debug)]
            #[allow(missing_docs, dead_code, non_snake_case, reason = "members are named and explained by the manual pages")]
            pub struct $name { $(pub $field: $crate::layout!(@rust $c)),* }

            impl $crate::layout::CStruct for $name {
                fn layout() -> &'static $crate::layout::Layout {
                    static LAYOUT: $crate::layout::Layout = $crate::layout::Layout::new(arch::layout::Struct {
                        name: $tag,
                        pack: 0 $(+ $pack)?,
                        fields: &[$(arch::structs!(@ $field $c)),*],
                    });
                    &LAYOUT
                }
                fn zeroed() -> Self {
                    $name { $($field: $crate::layout!(@zero $c)),* }
                }
                #[allow(unused_assignments, reason = "the last count is not read")]
                fn visit(&mut self, f: &mut dyn FnMut(usize, &mut dyn $crate::layout::DynMember)) {
                    let mut n = 0;
                    $(f(n, &mut self.$field); n += 1;)*
                }
            }
        )*
        /// Every struct declared here: its Rust name and its layout.
        pub static ALL: &[(&str, fn() -> &'static $crate::layout::Layout)] =
            &[$((stringify!($name), <$name as $crate::layout::CStruct>::layout)),*];
    };
    (@rust [$c:ident; $n:expr]) => { [$crate::layout!(@rust $c); $n] };
    (@rust I8) => { i8 };
    (@rust U8) => { u8 };
    (@rust I16) => { i16 };
    (@rust U16) => { u16 };
    (@rust I32) => { i32 };
    (@rust U32) => { u32 };
    (@rust U32Fit) => { u32 };
    (@rust I64) => { i64 };
    (@rust I64Low) => { i64 };
    (@rust Long) => { i64 };
    (@rust LongFit) => { i64 };
    (@rust $other:ident) => { u64 };
    (@zero [$c:ident; $n:expr]) => { [0; $n] };
    (@zero $c:ident) => { 0 };
}
