//! C structs as rows: the types of their members. Offsets and sizes follow from an [`Abi`](crate::Abi).
//!
//! `linux` declares every struct once, as most ABIs have it; a guest's `linux.rs` lists, in `Abi::structs`, those that its kernel headers lay out
//! differently. Not for guest state, whose slots are in [`crate::state`].

/// The type of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum C {
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    I64,
    U64,
    /// `long`.
    Long,
    /// `unsigned long`, `size_t`.
    ULong,
    /// A pointer.
    Ptr,
    /// `long` that gives EOVERFLOW where the host's value does not fit.
    LongFit,
    /// `unsigned long` likewise.
    ULongFit,
    /// `unsigned int` likewise.
    U32Fit,
    /// A 16-bit user or group id: what does not fit is 65534, and 65535 stands for -1.
    Uid16,
    /// `long long` of which 32-bit ABIs leave the high half undefined: `tv_nsec` of `struct __kernel_timespec`.
    I64Low,
    /// `sigset_t` of 64 signals: an array of `unsigned long`, low signals in the first.
    SigSet,
}

/// A member, or an array of `count`.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// As the manual page names it. Anonymous padding is written out only where C has it: `__pad1`.
    pub name: &'static str,
    pub c: C,
    pub count: u16,
}

/// A struct.
#[derive(Clone, Copy, Debug)]
pub struct Struct {
    /// The C tag.
    pub name: &'static str,
    /// Members are aligned to at most so many bytes (`packed`); 0: as the ABI says.
    pub pack: u8,
    pub fields: &'static [Field],
}

/// Writes a list of [`Struct`]s: `structs! { flock { l_type: I16, l_start: I64, __pad: [U32; 2] } }`; `name(4) {…}` is packed to 4.
#[macro_export]
macro_rules! structs {
    ($($name:ident $(($pack:literal))? { $($field:ident: $c:tt),* $(,)? })*) => {
        &[$($crate::layout::Struct {
            name: stringify!($name),
            pack: 0 $(+ $pack)?,
            fields: &[$($crate::structs!(@ $field $c)),*],
        }),*]
    };
    (@ $field:ident [$c:ident; $n:expr]) => {
        $crate::layout::Field { name: stringify!($field), c: $crate::layout::C::$c, count: $n }
    };
    (@ $field:ident $c:ident) => {
        $crate::layout::Field { name: stringify!($field), c: $crate::layout::C::$c, count: 1 }
    };
}

/// What of an [`Abi`](crate::Abi) decides about C types and arguments.
#[derive(Clone, Copy, Debug)]
pub struct Model {
    /// Size of `long` and of pointers, in bytes.
    pub long: usize,
    pub big_endian: bool,
    /// Largest alignment that a struct's member has.
    pub max_align: usize,
    /// 64-bit arguments of 32-bit ABIs begin in an even register.
    pub even_pairs: bool,
    pub structs: &'static [Struct],
    pub values: &'static [(&'static str, u64)],
}

impl PartialEq for Model {
    fn eq(&self, other: &Model) -> bool {
        let facts = |m: &Model| (m.long, m.big_endian, m.max_align, m.even_pairs, m.structs.as_ptr(), m.values.as_ptr());
        facts(self) == facts(other)
    }
}

impl crate::Abi {
    /// The C data model.
    pub fn model(&self) -> Model {
        Model {
            long: self.long,
            big_endian: self.big_endian,
            max_align: self.max_align,
            even_pairs: self.even_pairs,
            structs: self.structs,
            values: self.values,
        }
    }
}

impl Model {
    /// The value of a constant, if it is not asm-generic's.
    pub fn value(&self, name: &str) -> Option<u64> {
        self.values.iter().find(|(n, _)| *n == name).map(|(_, v)| *v)
    }

    /// Whether words and byte order are x86-64's, so that structs without oddities are.
    pub fn like_host(&self) -> bool {
        self.long == 8 && !self.big_endian
    }
}
