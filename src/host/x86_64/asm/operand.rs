//! What an x86-64 instruction works on: registers, sizes, memory operands, condition codes. Not how any of it is encoded.

use super::Label;

/// A general register by its number, 0..=15. As a byte operand it is the low byte (`spl`, not `ah`, for 4).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Reg(pub u8);

/// A vector register by its number, 0..=31; its width is the instruction's. 16 and up need AVX-512.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Xmm(pub u8);

/// An AVX-512 mask register, 0..=7. As a write mask `K(0)` means none.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct K(pub u8);

#[rustfmt::skip]
impl Reg {
    pub const RAX: Reg = Reg(0);
    pub const RCX: Reg = Reg(1);
    pub const RDX: Reg = Reg(2);
    pub const RBX: Reg = Reg(3);
    pub const RSP: Reg = Reg(4);
    pub const RBP: Reg = Reg(5);
    pub const RSI: Reg = Reg(6);
    pub const RDI: Reg = Reg(7);
    pub const R8:  Reg = Reg(8);
    pub const R9:  Reg = Reg(9);
    pub const R10: Reg = Reg(10);
    pub const R11: Reg = Reg(11);
    pub const R12: Reg = Reg(12);
    pub const R13: Reg = Reg(13);
    pub const R14: Reg = Reg(14);
    pub const R15: Reg = Reg(15);
}

/// The width of an integer operation: 8, 16, 32 or 64 bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Size {
    B,
    W,
    D,
    Q,
}

impl Size {
    /// Its width in bits.
    pub const fn bits(self) -> u32 {
        8 << self as u32
    }

    /// Its width in bytes.
    pub const fn bytes(self) -> u32 {
        1 << self as u32
    }
}

/// A condition, numbered as in the instruction.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Cc {
    O,
    No,
    /// Below (unsigned), carry set.
    B,
    /// Above or equal (unsigned), carry clear.
    Ae,
    E,
    Ne,
    Be,
    A,
    S,
    Ns,
    P,
    Np,
    L,
    Ge,
    Le,
    G,
}

impl Cc {
    /// All sixteen, by number.
    #[rustfmt::skip]
    pub const ALL: [Cc; 16] = [
        Cc::O, Cc::No, Cc::B, Cc::Ae, Cc::E, Cc::Ne, Cc::Be, Cc::A,
        Cc::S, Cc::Ns, Cc::P, Cc::Np, Cc::L, Cc::Ge, Cc::Le, Cc::G,
    ];

    /// The condition that holds when this one does not.
    pub const fn invert(self) -> Cc {
        Cc::ALL[self as usize ^ 1]
    }
}

/// What a rip-relative operand refers to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rip {
    /// A place in this code.
    Label(Label),
    /// An absolute address, within 2 GiB of where the code will be.
    Extern(u64),
}

/// A memory operand.
///
/// `rbp` or `rsp` as the base makes a non-canonical address raise #SS instead of #GP, as the manual says (Intel SDM vol. 1, 3.7.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mem {
    pub base: Option<Reg>,
    /// The index register and the binary logarithm of its scale, 0..=3. `rsp` cannot be scaled.
    pub index: Option<(Reg, u8)>,
    /// Sign-extended; added to the target of a rip-relative operand.
    pub disp: i32,
    /// The address is calculated modulo 2^32 (prefix 0x67).
    pub addr32: bool,
    /// 0, or the segment prefix: 0x64 for `fs`, 0x65 for `gs`.
    pub seg: u8,
    /// If set, `base` and `index` are not looked at.
    pub rip: Option<Rip>,
}

impl Mem {
    const ZERO: Mem = Mem { base: None, index: None, disp: 0, addr32: false, seg: 0, rip: None };

    /// `[base + disp]`
    #[inline]
    pub const fn base(base: Reg, disp: i32) -> Mem {
        Mem { base: Some(base), disp, ..Mem::ZERO }
    }

    /// `[base + (index << scale) + disp]`
    #[inline]
    pub const fn sib(base: Reg, index: Reg, scale: u8, disp: i32) -> Mem {
        Mem { base: Some(base), index: Some((index, scale)), disp, ..Mem::ZERO }
    }

    /// `[(index << scale) + disp]`
    #[inline]
    pub const fn index(index: Reg, scale: u8, disp: i32) -> Mem {
        Mem { index: Some((index, scale)), disp, ..Mem::ZERO }
    }

    /// `[disp]`, sign-extended; zero-extended with [`Mem::addr32`].
    #[inline]
    pub const fn abs32(disp: i32) -> Mem {
        Mem { disp, ..Mem::ZERO }
    }

    /// `[rip + label]`
    #[inline]
    pub const fn label(label: Label) -> Mem {
        Mem { rip: Some(Rip::Label(label)), ..Mem::ZERO }
    }

    /// `[rip + ...]` reaching the absolute address `target`.
    #[inline]
    pub const fn external(target: u64) -> Mem {
        Mem { rip: Some(Rip::Extern(target)), ..Mem::ZERO }
    }

    /// The same operand with the address taken modulo 2^32.
    #[inline]
    pub const fn addr32(self) -> Mem {
        Mem { addr32: true, ..self }
    }

    /// The same operand relative to the base of `fs`.
    #[inline]
    pub const fn fs(self) -> Mem {
        Mem { seg: 0x64, ..self }
    }

    /// The same operand relative to the base of `gs`.
    #[inline]
    pub const fn gs(self) -> Mem {
        Mem { seg: 0x65, ..self }
    }

    /// The same operand `by` bytes further; `None` if the displacement does not fit.
    #[inline]
    pub const fn offset(self, by: i32) -> Option<Mem> {
        match self.disp.checked_add(by) {
            Some(disp) => Some(Mem { disp, ..self }),
            None => None,
        }
    }
}

/// A general register or memory, decided at run time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rm {
    Reg(Reg),
    Mem(Mem),
}

/// A vector register or memory, decided at run time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Xm {
    Reg(Xmm),
    Mem(Mem),
}

/// The r/m operand as the encoder sees it.
#[derive(Clone, Copy, Debug)]
pub enum Place<'a> {
    Reg(u8),
    Mem(&'a Mem),
}

/// What can stand in the r/m field.
pub trait Operand: Copy {
    fn place(&self) -> Place<'_>;
}

/// A general register or memory: [`Reg`], [`Mem`] or [`Rm`].
pub trait RegMem: Operand {}

/// A vector register or memory: [`Xmm`], [`Mem`] or [`Xm`].
pub trait XmmMem: Operand {}

impl RegMem for Reg {}
impl RegMem for Mem {}
impl RegMem for Rm {}
impl XmmMem for Xmm {}
impl XmmMem for Mem {}
impl XmmMem for Xm {}

impl Operand for Reg {
    #[inline(always)]
    fn place(&self) -> Place<'_> {
        Place::Reg(self.0)
    }
}

impl Operand for Xmm {
    #[inline(always)]
    fn place(&self) -> Place<'_> {
        Place::Reg(self.0)
    }
}

impl Operand for K {
    #[inline(always)]
    fn place(&self) -> Place<'_> {
        Place::Reg(self.0)
    }
}

impl Operand for Mem {
    #[inline(always)]
    fn place(&self) -> Place<'_> {
        Place::Mem(self)
    }
}

impl Operand for Rm {
    #[inline(always)]
    fn place(&self) -> Place<'_> {
        match self {
            Rm::Reg(r) => Place::Reg(r.0),
            Rm::Mem(m) => Place::Mem(m),
        }
    }
}

impl Operand for Xm {
    #[inline(always)]
    fn place(&self) -> Place<'_> {
        match self {
            Xm::Reg(x) => Place::Reg(x.0),
            Xm::Mem(m) => Place::Mem(m),
        }
    }
}
