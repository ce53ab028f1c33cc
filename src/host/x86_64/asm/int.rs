//! Integer instructions, branches, and the few others that are not vectors' (Intel SDM vol. 2).
//!
//! Where two encodings do the same the shorter is taken, also across operand sizes, if result and all flags are the same.

use super::{Addr, Asm, Cc, Head, Label, Mem, Place, Reg, RegMem, Size, refer_rip};

/// The two-operand arithmetic, numbered as in the instruction.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Alu {
    Add,
    Or,
    Adc,
    Sbb,
    And,
    Sub,
    Xor,
    Cmp,
}

/// Shifts and rotates, numbered as in the instruction.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Shift {
    Rol,
    Ror,
    Rcl,
    Rcr,
    Shl,
    Shr,
    Sar = 7,
}

/// One-operand arithmetic, numbered as in the instruction. The last four work on `rdx:rax`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Unary {
    Not = 2,
    Neg,
    Mul,
    Imul,
    Div,
    Idiv,
}

/// Bit test, and test and change; numbered as in the instruction.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Bit {
    Bt = 4,
    Bts,
    Btr,
    Btc,
}

/// An opcode: mandatory prefix or 0, map (0 one byte, 1 `0f`, 2 `0f38`, 3 `0f3a`), byte.
#[derive(Clone, Copy)]
pub(super) struct Op {
    pub(super) prefix: u8,
    pub(super) map: u8,
    pub(super) code: u8,
}

pub(super) const fn op(prefix: u8, map: u8, code: u8) -> Op {
    Op { prefix, map, code }
}

/// An instruction in the old encoding, but for its registers. Small enough to be passed in two registers.
#[derive(Clone, Copy)]
pub(super) struct Enc {
    /// The opcode with its escape bytes, `n` bits.
    code: u32,
    n: u8,
    /// The mandatory prefix or 0.
    prefix: u8,
    /// [`P66`], [`W`], [`BYTE_REG`], [`BYTE_RM`].
    flags: u8,
    imm_len: u8,
    imm: u32,
}

/// Prefix 0x66 for the operand size.
const P66: u8 = 1;
/// The reg field, or rm, is a byte register: 4 to 7 then need REX.
const BYTE_REG: u8 = 2;
const BYTE_RM: u8 = 4;
/// REX.W, at its place in REX.
const W: u8 = 8;

impl Enc {
    /// An operation of size W, D or Q whose opcode does not depend on it.
    #[inline(always)]
    pub(super) fn new(op: Op, size: Size) -> Enc {
        let code = u32::from(op.code);
        let (code, n) = match op.map {
            0 => (code, 8),
            1 => (code << 8 | 0x0f, 16),
            2 => (code << 16 | 0x380f, 24),
            _ => (code << 16 | 0x3a0f, 24),
        };
        let flags = match size {
            Size::W => P66,
            Size::Q => W,
            Size::B | Size::D => 0,
        };
        Enc { code, n, prefix: op.prefix, flags, imm_len: 0, imm: 0 }
    }

    /// An operation of any size; the opcode given is the one for bytes, the next is for the others.
    #[inline(always)]
    fn sized(op: Op, size: Size) -> Enc {
        let byte = size == Size::B;
        let code = op.code + u8::from(!byte);
        Enc::new(Op { code, ..op }, size).flag(if byte { BYTE_REG | BYTE_RM } else { 0 })
    }

    /// [`Enc::sized`] where the reg field is part of the opcode.
    #[inline(always)]
    fn group(op: Op, size: Size) -> Enc {
        Enc::sized(op, size).without(BYTE_REG)
    }

    #[inline(always)]
    fn flag(self, flag: u8) -> Enc {
        Enc { flags: self.flags | flag, ..self }
    }

    #[inline(always)]
    fn without(self, flag: u8) -> Enc {
        Enc { flags: self.flags & !flag, ..self }
    }

    #[inline(always)]
    pub(super) fn imm8(self, imm: u8) -> Enc {
        Enc { imm: imm.into(), imm_len: 1, ..self }
    }

    /// An immediate of the operation's size, of four bytes for Q.
    #[inline(always)]
    fn imm(self, imm: i32, size: Size) -> Enc {
        Enc { imm: imm as u32, imm_len: size.bytes().min(4) as u8, ..self }
    }

    /// Whether REX is needed: `rex`, or else a byte register among these.
    #[inline(always)]
    fn needs(self, rex: u8, reg: u8, rm: u8) -> bool {
        let byte_reg = (self.flags & BYTE_REG != 0) & (reg >= 4);
        let byte_rm = (self.flags & BYTE_RM != 0) & (rm >= 4);
        (rex != 0x40) | byte_reg | byte_rm
    }
}

/// `imm` as the operation of this size sees it.
#[inline(always)]
fn cut(imm: i32, size: Size) -> i32 {
    match size {
        Size::B => i32::from(imm as i8),
        Size::W => i32::from(imm as i16),
        Size::D | Size::Q => imm,
    }
}

#[inline(always)]
fn fits8(imm: i32) -> bool {
    imm == i32::from(imm as i8)
}

/// One method for each row: `name(size, dst, src)`, dst in the reg field; W, D and Q.
macro_rules! reg_rm {
    ($($(#[$doc:meta])* $name:ident = $op:expr;)*) => {$(
        $(#[$doc])*
        #[inline]
        pub fn $name(&mut self, size: Size, dst: Reg, src: impl RegMem) {
            self.legacy(Enc::new($op, size), dst.0, src);
        }
    )*};
}

/// One method for each row without operands.
macro_rules! plain {
    ($($(#[$doc:meta])* $name:ident = $bytes:expr;)*) => {$(
        $(#[$doc])*
        #[inline]
        pub fn $name(&mut self) {
            self.buf.extend_from_slice(&$bytes);
        }
    )*};
}

/// One method for each row: BMI instructions `name(size, dst, a, b)` with b in rm; D and Q.
macro_rules! bmi_vex_rm {
    ($($(#[$doc:meta])* $name:ident = $pp:expr, $map:expr, $code:expr;)*) => {$(
        $(#[$doc])*
        #[inline]
        pub fn $name(&mut self, size: Size, dst: Reg, a: Reg, b: impl RegMem) {
            self.vex_gpr([$pp, $map, $code], size, dst.0, a.0, b);
        }
    )*};
}

/// One method for each row: BMI instructions `name(size, dst, src, control)` with src in rm; D and Q.
macro_rules! bmi_rm_vex {
    ($($(#[$doc:meta])* $name:ident = $pp:expr, $map:expr, $code:expr;)*) => {$(
        $(#[$doc])*
        #[inline]
        pub fn $name(&mut self, size: Size, dst: Reg, src: impl RegMem, control: Reg) {
            self.vex_gpr([$pp, $map, $code], size, dst.0, control.0, src);
        }
    )*};
}

/// One method for each row: BMI1's `name(size, dst, src)`, the reg field part of the opcode; D and Q.
macro_rules! bmi_group {
    ($($(#[$doc:meta])* $name:ident = $ext:expr;)*) => {$(
        $(#[$doc])*
        #[inline]
        pub fn $name(&mut self, size: Size, dst: Reg, src: impl RegMem) {
            self.vex_gpr([0, 2, 0xf3], size, $ext, dst.0, src);
        }
    )*};
}

impl Asm {
    #[inline(always)]
    pub(super) fn legacy(&mut self, e: Enc, reg: u8, rm: impl RegMem) {
        self.legacy_place(e, reg, rm.place());
    }

    #[inline(always)]
    pub(super) fn legacy_place(&mut self, e: Enc, reg: u8, rm: Place) {
        match rm {
            Place::Reg(rm) => self.legacy_reg(e, reg, rm),
            Place::Mem(m) => self.legacy_mem(e, reg, m),
        }
    }

    fn legacy_reg(&mut self, e: Enc, reg: u8, rm: u8) {
        if e.prefix | e.flags & P66 != 0 {
            self.legacy_prefixes(e, 0);
        }
        let rex = 0x40 | e.flags & W | reg >> 3 << 2 | rm >> 3;
        let modrm = 0xc0 | (reg & 7) << 3 | rm & 7;
        let head =
            Head::EMPTY.byte_if(e.needs(rex, reg, rm), rex).bits(e.code | u32::from(modrm) << e.n, u32::from(e.n) + 8);
        self.put(head, e.imm.into(), e.imm_len.into());
    }

    fn legacy_mem(&mut self, e: Enc, reg: u8, m: &Mem) {
        if e.prefix | e.flags & P66 | m.seg != 0 {
            self.legacy_prefixes(e, m.seg);
        }
        let a = Addr::new(m, 0);
        let rex = 0x40 | e.flags & W | reg >> 3 << 2 | a.x << 1 | a.b;
        let head = Head::EMPTY
            .byte_if(m.addr32, 0x67)
            .byte_if(e.needs(rex, reg, 0), rex)
            .bits(e.code, e.n.into())
            .bits(a.with_reg(reg), a.n * 8);
        let (tail, n) = a.tail(e.imm, e.imm_len.into());
        self.put(head, tail, n);
        if m.rip.is_some() {
            refer_rip(self, m, e.imm_len.into());
        }
    }

    /// The prefixes that few instructions have. They go ahead so that the rest fits into [`Head`].
    #[cold]
    #[inline(never)]
    fn legacy_prefixes(&mut self, e: Enc, seg: u8) {
        if seg != 0 {
            self.buf.push(seg);
        }
        if e.flags & P66 != 0 {
            self.buf.push(0x66);
        }
        if e.prefix != 0 {
            self.buf.push(e.prefix);
        }
    }

    /// Opcode with the register in its low bits.
    #[inline(always)]
    fn short_reg(&mut self, w: bool, escape: bool, code: u8, r: Reg, imm: u64, imm_len: u32) {
        let rex = 0x40 | u8::from(w) << 3 | r.0 >> 3;
        let head = Head::EMPTY.byte_if(rex != 0x40, rex).byte_if(escape, 0x0f).byte(code | r.0 & 7);
        self.put(head, imm, imm_len);
    }

    #[inline(always)]
    fn vex_gpr(&mut self, [pp, map, code]: [u8; 3], size: Size, reg: u8, vvvv: u8, rm: impl RegMem) {
        debug_assert!(size >= Size::D);
        self.vex(pp, map, size == Size::Q, false, code, reg, vvvv, rm.place(), 0, 0);
    }

    // Moves.

    /// Copies `size` bits; B and W leave the rest of a register as it was.
    #[inline]
    pub fn mov(&mut self, size: Size, dst: Reg, src: impl RegMem) {
        self.legacy(Enc::sized(op(0, 0, 0x8a), size), dst.0, src);
    }

    /// Stores `size` bits.
    #[inline]
    pub fn mov_mr(&mut self, size: Size, dst: Mem, src: Reg) {
        self.legacy(Enc::sized(op(0, 0, 0x88), size), src.0, dst);
    }

    /// Sets all 64 bits of a register; leaves the flags alone.
    pub fn mov_ri(&mut self, dst: Reg, imm: u64) {
        if imm <= u32::MAX.into() {
            self.short_reg(false, false, 0xb8, dst, imm, 4);
        } else if imm as i64 == i64::from(imm as i32) {
            self.legacy(Enc::new(op(0, 0, 0xc7), Size::Q).imm(imm as i32, Size::D), 0, dst);
        } else {
            self.short_reg(true, false, 0xb8, dst, imm, 8);
        }
    }

    /// Sets all 64 bits of a register in ten bytes, the last eight of which are the value.
    pub fn mov_ri64(&mut self, dst: Reg, imm: u64) {
        self.short_reg(true, false, 0xb8, dst, imm, 8);
    }

    /// Stores a constant, sign-extended for Q.
    #[inline]
    pub fn mov_mi(&mut self, size: Size, dst: Mem, imm: i32) {
        self.legacy(Enc::group(op(0, 0, 0xc6), size).imm(imm, size), 0, dst);
    }

    /// Zeroes a register in two bytes; changes the flags.
    #[inline]
    pub fn zero(&mut self, dst: Reg) {
        self.alu(Alu::Xor, Size::D, dst, dst);
    }

    /// Zero-extends `from` bits to 64.
    #[inline]
    pub fn movzx(&mut self, from: Size, dst: Reg, src: impl RegMem) {
        match from {
            Size::B => self.legacy(Enc::new(op(0, 1, 0xb6), Size::D).flag(BYTE_RM), dst.0, src),
            Size::W => self.legacy(Enc::new(op(0, 1, 0xb7), Size::D), dst.0, src),
            Size::D | Size::Q => self.mov(from, dst, src),
        }
    }

    /// Sign-extends `from` bits to `to` bits (D clears the upper half; W leaves the rest).
    #[inline]
    pub fn movsx(&mut self, to: Size, from: Size, dst: Reg, src: impl RegMem) {
        debug_assert!(from <= to && to >= Size::W);
        match from {
            Size::B => self.legacy(Enc::new(op(0, 1, 0xbe), to).flag(BYTE_RM), dst.0, src),
            Size::W if to > from => self.legacy(Enc::new(op(0, 1, 0xbf), to), dst.0, src),
            Size::D if to > from => self.legacy(Enc::new(op(0, 0, 0x63), to), dst.0, src),
            _ => self.mov(from, dst, src),
        }
    }

    /// Loads with the bytes reversed; W, D, Q.
    #[inline]
    pub fn movbe(&mut self, size: Size, dst: Reg, src: Mem) {
        self.legacy(Enc::new(op(0, 2, 0xf0), size), dst.0, src);
    }

    /// Stores with the bytes reversed; W, D, Q.
    #[inline]
    pub fn movbe_mr(&mut self, size: Size, dst: Mem, src: Reg) {
        self.legacy(Enc::new(op(0, 2, 0xf1), size), src.0, dst);
    }

    /// Reverses the bytes; D, Q.
    #[inline]
    pub fn bswap(&mut self, size: Size, dst: Reg) {
        debug_assert!(size >= Size::D);
        self.short_reg(size == Size::Q, true, 0xc8, dst, 0, 0);
    }

    /// The address of `src`, without its segment; it may be rip-relative. D clears the upper half.
    #[inline]
    pub fn lea(&mut self, size: Size, dst: Reg, src: Mem) {
        self.legacy(Enc::new(op(0, 0, 0x8d), size), dst.0, Mem { seg: 0, ..src });
    }

    /// Exchanges; with memory it is locked in any case.
    #[inline]
    pub fn xchg(&mut self, size: Size, dst: impl RegMem, src: Reg) {
        self.legacy(Enc::sized(op(0, 0, 0x86), size), src.0, dst);
    }

    /// Pushes 64 bits.
    #[inline]
    pub fn push(&mut self, r: Reg) {
        self.short_reg(false, false, 0x50, r, 0, 0);
    }

    /// Pushes 64 bits.
    #[inline]
    pub fn push_m(&mut self, m: Mem) {
        self.legacy(Enc::new(op(0, 0, 0xff), Size::D), 6, m);
    }

    /// Pushes `imm`, sign-extended to 64 bits.
    #[inline]
    pub fn push_i(&mut self, imm: i32) {
        let (code, n) = if fits8(imm) { (0x6a, 1) } else { (0x68, 4) };
        self.put(Head::EMPTY.byte(code), (imm as u32).into(), n);
    }

    /// Pops 64 bits.
    #[inline]
    pub fn pop(&mut self, r: Reg) {
        self.short_reg(false, false, 0x58, r, 0, 0);
    }

    /// Pops 64 bits.
    #[inline]
    pub fn pop_m(&mut self, m: Mem) {
        self.legacy(Enc::new(op(0, 0, 0x8f), Size::D), 0, m);
    }

    // Arithmetic.

    /// dst = dst op src
    #[inline]
    pub fn alu(&mut self, alu: Alu, size: Size, dst: Reg, src: impl RegMem) {
        self.legacy(Enc::sized(op(0, 0, (alu as u8) << 3 | 2), size), dst.0, src);
    }

    /// [dst] = [dst] op src
    #[inline]
    pub fn alu_mr(&mut self, alu: Alu, size: Size, dst: Mem, src: Reg) {
        self.legacy(Enc::sized(op(0, 0, (alu as u8) << 3), size), src.0, dst);
    }

    /// dst = dst op imm, sign-extended for Q.
    pub fn alu_i(&mut self, alu: Alu, size: Size, dst: impl RegMem, imm: i32) {
        let imm = cut(imm, size);
        let size = match dst.place() {
            // Bits 31 to 63 of the result are zero either way.
            Place::Reg(_) if alu == Alu::And && size == Size::Q && imm >= 0 => Size::D,
            _ => size,
        };
        if matches!(dst.place(), Place::Reg(0)) && (size == Size::B || !fits8(imm)) {
            return self.accumulator((alu as u8) << 3 | 4, size, imm);
        }
        let e = if size != Size::B && fits8(imm) {
            Enc::new(op(0, 0, 0x83), size).imm8(imm as u8)
        } else {
            Enc::group(op(0, 0, 0x80), size).imm(imm, size)
        };
        self.legacy(e, alu as u8, dst);
    }

    /// An operation on `rax` and an immediate; the opcode for bytes is given.
    fn accumulator(&mut self, code: u8, size: Size, imm: i32) {
        let code = code + u8::from(size != Size::B);
        let head = Head::EMPTY.byte_if(size == Size::W, 0x66).byte_if(size == Size::Q, 0x48).byte(code);
        self.put(head, (imm as u32).into(), size.bytes().min(4));
    }

    /// Flags of a & b.
    #[inline]
    pub fn test(&mut self, size: Size, a: impl RegMem, b: Reg) {
        self.legacy(Enc::sized(op(0, 0, 0x84), size), b.0, a);
    }

    /// Flags of a & imm, sign-extended for Q.
    pub fn test_i(&mut self, size: Size, a: impl RegMem, imm: i32) {
        let imm = cut(imm, size);
        let size = match a.place() {
            // The sign bit of the result is zero at either width.
            Place::Reg(_) if (0..0x80).contains(&imm) => Size::B,
            Place::Reg(_) if imm >= 0 && size == Size::Q => Size::D,
            _ => size,
        };
        if let Place::Reg(0) = a.place() {
            return self.accumulator(0xa8, size, imm);
        }
        self.legacy(Enc::group(op(0, 0, 0xf6), size).imm(imm, size), 0, a);
    }

    /// `not`, `neg`, and the multiplications and divisions of `rdx:rax`.
    #[inline]
    pub fn unary(&mut self, unary: Unary, size: Size, rm: impl RegMem) {
        self.legacy(Enc::group(op(0, 0, 0xf6), size), unary as u8, rm);
    }

    /// Adds 1; CF stays.
    #[inline]
    pub fn inc(&mut self, size: Size, rm: impl RegMem) {
        self.legacy(Enc::group(op(0, 0, 0xfe), size), 0, rm);
    }

    /// Subtracts 1; CF stays.
    #[inline]
    pub fn dec(&mut self, size: Size, rm: impl RegMem) {
        self.legacy(Enc::group(op(0, 0, 0xfe), size), 1, rm);
    }

    /// dst = src * imm; W, D, Q.
    pub fn imul_i(&mut self, size: Size, dst: Reg, src: impl RegMem, imm: i32) {
        let imm = cut(imm, size);
        let e = if fits8(imm) {
            Enc::new(op(0, 0, 0x6b), size).imm8(imm as u8)
        } else {
            Enc::new(op(0, 0, 0x69), size).imm(imm, size)
        };
        self.legacy(e, dst.0, src);
    }

    /// Shifts or rotates by a constant, taken modulo the register's width as the processor does.
    pub fn shift_i(&mut self, shift: Shift, size: Size, rm: impl RegMem, by: u8) {
        let e = match by {
            1 => Enc::group(op(0, 0, 0xd0), size),
            _ => Enc::group(op(0, 0, 0xc0), size).imm8(by),
        };
        self.legacy(e, shift as u8, rm);
    }

    /// Shifts or rotates by `cl`.
    #[inline]
    pub fn shift_cl(&mut self, shift: Shift, size: Size, rm: impl RegMem) {
        self.legacy(Enc::group(op(0, 0, 0xd2), size), shift as u8, rm);
    }

    /// Shifts dst left by a constant, bits of `src` coming in; W, D, Q.
    #[inline]
    pub fn shld_i(&mut self, size: Size, dst: impl RegMem, src: Reg, by: u8) {
        self.legacy(Enc::new(op(0, 1, 0xa4), size).imm8(by), src.0, dst);
    }

    /// Shifts dst right by a constant, bits of `src` coming in; W, D, Q.
    #[inline]
    pub fn shrd_i(&mut self, size: Size, dst: impl RegMem, src: Reg, by: u8) {
        self.legacy(Enc::new(op(0, 1, 0xac), size).imm8(by), src.0, dst);
    }

    /// [`Asm::shld_i`] by `cl`.
    #[inline]
    pub fn shld_cl(&mut self, size: Size, dst: impl RegMem, src: Reg) {
        self.legacy(Enc::new(op(0, 1, 0xa5), size), src.0, dst);
    }

    /// [`Asm::shrd_i`] by `cl`.
    #[inline]
    pub fn shrd_cl(&mut self, size: Size, dst: impl RegMem, src: Reg) {
        self.legacy(Enc::new(op(0, 1, 0xad), size), src.0, dst);
    }

    /// Tests (and changes) a bit by number; in memory the number reaches beyond the operand. W, D, Q.
    #[inline]
    pub fn bit(&mut self, bit: Bit, size: Size, rm: impl RegMem, number: Reg) {
        self.legacy(Enc::new(op(0, 1, 0x83 | (bit as u8) << 3), size), number.0, rm);
    }

    /// Tests (and changes) the bit `number`, modulo the operand's width; W, D, Q.
    #[inline]
    pub fn bit_i(&mut self, bit: Bit, size: Size, rm: impl RegMem, number: u8) {
        self.legacy(Enc::new(op(0, 1, 0xba), size).imm8(number), bit as u8, rm);
    }

    reg_rm! {
        /// dst = dst * src
        imul = op(0, 1, 0xaf);
        /// The number of the lowest set bit; dst undefined for 0.
        bsf = op(0, 1, 0xbc);
        /// The number of the highest set bit; dst undefined for 0.
        bsr = op(0, 1, 0xbd);
        /// Trailing zeros; CF for 0.
        tzcnt = op(0xf3, 1, 0xbc);
        /// Leading zeros; CF for 0.
        lzcnt = op(0xf3, 1, 0xbd);
        /// Set bits.
        popcnt = op(0xf3, 1, 0xb8);
        /// dst + src + CF, only CF changes; D, Q.
        adcx = op(0x66, 2, 0xf6);
        /// dst + src + OF, only OF changes; D, Q.
        adox = op(0xf3, 2, 0xf6);
    }

    bmi_vex_rm! {
        /// dst = !a & b
        andn = 0, 2, 0xf2;
        /// dst = the bits of `a` put where the mask `b` is set.
        pdep = 3, 2, 0xf5;
        /// dst = the bits of `a` where the mask `b` is set, gathered.
        pext = 2, 2, 0xf5;
        /// dst:a = rdx * b (high:low); no flags.
        mulx = 3, 2, 0xf6;
    }

    bmi_rm_vex! {
        /// dst = src << control, no flags.
        shlx = 1, 2, 0xf7;
        /// dst = src >> control, signed, no flags.
        sarx = 2, 2, 0xf7;
        /// dst = src >> control, no flags.
        shrx = 3, 2, 0xf7;
        /// The field of src whose start and length are bits 0-7 and 8-15 of control.
        bextr = 0, 2, 0xf7;
        /// dst = the lowest control[7:0] bits of src.
        bzhi = 0, 2, 0xf5;
    }

    bmi_group! {
        /// dst = src & (src - 1)
        blsr = 1;
        /// dst = src ^ (src - 1)
        blsmsk = 2;
        /// dst = src & -src
        blsi = 3;
    }

    /// dst = src rotated right, no flags; D, Q.
    #[inline]
    pub fn rorx(&mut self, size: Size, dst: Reg, src: impl RegMem, by: u8) {
        debug_assert!(size >= Size::D);
        self.vex(3, 3, size == Size::Q, false, 0xf0, dst.0, 0, src.place(), by.into(), 1);
    }

    /// Adds `size` bits of `src` to a CRC-32C.
    pub fn crc32(&mut self, size: Size, dst: Reg, src: impl RegMem) {
        self.legacy(Enc::sized(op(0xf2, 2, 0xf0), size).without(BYTE_REG), dst.0, src);
    }

    // Conditions.

    /// dst = 1 if `cc`, else 0; eight bits.
    #[inline]
    pub fn setcc(&mut self, cc: Cc, dst: impl RegMem) {
        self.legacy(Enc::new(op(0, 1, 0x90 | cc as u8), Size::D).flag(BYTE_RM), 0, dst);
    }

    /// dst = src if `cc`; D clears the upper half in any case. W, D, Q.
    #[inline]
    pub fn cmov(&mut self, cc: Cc, size: Size, dst: Reg, src: impl RegMem) {
        self.legacy(Enc::new(op(0, 1, 0x40 | cc as u8), size), dst.0, src);
    }

    // Atomics. All but xchg want a lock() before them.

    /// Locks the instruction that follows; the processor takes it only before a change of memory.
    #[inline]
    pub fn lock(&mut self) -> &mut Asm {
        self.buf.push(0xf0);
        self
    }

    /// If [dst] = rax then [dst] = src, ZF; else rax = [dst].
    #[inline]
    pub fn cmpxchg(&mut self, size: Size, dst: Mem, src: Reg) {
        self.legacy(Enc::sized(op(0, 1, 0xb0), size), src.0, dst);
    }

    /// cmpxchg of edx:eax with ecx:ebx, 8 bytes.
    #[inline]
    pub fn cmpxchg8b(&mut self, dst: Mem) {
        self.legacy(Enc::new(op(0, 1, 0xc7), Size::D), 1, dst);
    }

    /// cmpxchg of rdx:rax with rcx:rbx, 16 aligned bytes.
    #[inline]
    pub fn cmpxchg16b(&mut self, dst: Mem) {
        self.legacy(Enc::new(op(0, 1, 0xc7), Size::Q), 1, dst);
    }

    /// [dst] += src, src = the old [dst].
    #[inline]
    pub fn xadd(&mut self, size: Size, dst: Mem, src: Reg) {
        self.legacy(Enc::sized(op(0, 1, 0xc0), size), src.0, dst);
    }

    // Branches.

    /// To a label; short if it is bound and near.
    pub fn jmp(&mut self, to: Label) {
        match self.near(to) {
            Some(rel) => self.buf.extend_from_slice(&[0xeb, rel]),
            None => self.branch32(Head::EMPTY.byte(0xe9), to),
        }
    }

    /// To a label if `cc`; short if it is bound and near.
    pub fn jcc(&mut self, cc: Cc, to: Label) {
        match self.near(to) {
            Some(rel) => self.buf.extend_from_slice(&[0x70 | cc as u8, rel]),
            None => self.branch32(Head::EMPTY.byte(0x0f).byte(0x80 | cc as u8), to),
        }
    }

    /// To a label that will be within 127 bytes; [`Asm::link`] fails if it is not.
    pub fn jmp_short(&mut self, to: Label) {
        self.buf.extend_from_slice(&[0xeb, 0]);
        self.refer_short(to);
    }

    /// To a label that will be within 127 bytes if `cc`; [`Asm::link`] fails if it is not.
    pub fn jcc_short(&mut self, cc: Cc, to: Label) {
        self.buf.extend_from_slice(&[0x70 | cc as u8, 0]);
        self.refer_short(to);
    }

    /// Calls a label.
    pub fn call(&mut self, to: Label) {
        self.branch32(Head::EMPTY.byte(0xe8), to);
    }

    /// To an absolute address within 2 GiB of the code, in five bytes.
    pub fn jmp_extern(&mut self, target: u64) {
        self.put(Head::EMPTY.byte(0xe9), 0, 4);
        self.refer_extern(target, 0);
    }

    /// To an absolute address within 2 GiB of the code if `cc`, in six bytes.
    pub fn jcc_extern(&mut self, cc: Cc, target: u64) {
        self.put(Head::EMPTY.byte(0x0f).byte(0x80 | cc as u8), 0, 4);
        self.refer_extern(target, 0);
    }

    /// Calls an absolute address within 2 GiB of the code, in five bytes.
    pub fn call_extern(&mut self, target: u64) {
        self.put(Head::EMPTY.byte(0xe8), 0, 4);
        self.refer_extern(target, 0);
    }

    /// The distance to a bound label if two bytes can say it.
    fn near(&self, to: Label) -> Option<u8> {
        let rel = self.offset_of(to)? as i32 - (self.here() as i32 + 2);
        i8::try_from(rel).ok().map(|rel| rel as u8)
    }

    fn branch32(&mut self, head: Head, to: Label) {
        self.put(head, 0, 4);
        self.refer(to, 0, 0);
    }

    /// To the address in a register.
    #[inline]
    pub fn jmp_reg(&mut self, r: Reg) {
        self.legacy(Enc::new(op(0, 0, 0xff), Size::D), 4, r);
    }

    /// To the address in memory.
    #[inline]
    pub fn jmp_mem(&mut self, m: Mem) {
        self.legacy(Enc::new(op(0, 0, 0xff), Size::D), 4, m);
    }

    /// Calls the address in a register.
    #[inline]
    pub fn call_reg(&mut self, r: Reg) {
        self.legacy(Enc::new(op(0, 0, 0xff), Size::D), 2, r);
    }

    /// Calls the address in memory.
    #[inline]
    pub fn call_mem(&mut self, m: Mem) {
        self.legacy(Enc::new(op(0, 0, 0xff), Size::D), 2, m);
    }

    // The rest.

    /// eax, ax or rax sign-extended into edx:eax (`cdq`), dx:ax (`cwd`) or rdx:rax (`cqo`).
    #[inline]
    pub fn cdq(&mut self, size: Size) {
        self.put(Head::EMPTY.byte_if(size == Size::W, 0x66).byte_if(size == Size::Q, 0x48).byte(0x99), 0, 0);
    }

    plain! {
        ret = [0xc3];
        /// ah = SF ZF 0 AF 0 PF 1 CF
        lahf = [0x9f];
        /// SF ZF AF PF CF = ah
        sahf = [0x9e];
        /// eax = ah (`movzx eax, ah`), which no instruction with a REX prefix can name
        movzx_ah = [0x0f, 0xb6, 0xc4];
        /// CF = !CF
        cmc = [0xf5];
        stc = [0xf9];
        clc = [0xf8];
        cld = [0xfc];
        pushfq = [0x9c];
        popfq = [0x9d];
        ud2 = [0x0f, 0x0b];
        int3 = [0xcc];
        pause = [0xf3, 0x90];
        mfence = [0x0f, 0xae, 0xf0];
        lfence = [0x0f, 0xae, 0xe8];
        sfence = [0x0f, 0xae, 0xf8];
        rdtsc = [0x0f, 0x31];
        rdtscp = [0x0f, 0x01, 0xf9];
        cpuid = [0x0f, 0xa2];
        xgetbv = [0x0f, 0x01, 0xd0];
        syscall = [0x0f, 0x05];
        endbr64 = [0xf3, 0x0f, 0x1e, 0xfa];
        /// Zeroes the upper parts of ymm0 to ymm15.
        vzeroupper = [0xc5, 0xf8, 0x77];
    }

    /// A random number, CF if there was one; W, D, Q.
    #[inline]
    pub fn rdrand(&mut self, size: Size, dst: Reg) {
        self.legacy(Enc::new(op(0, 1, 0xc7), size), 6, dst);
    }

    /// A seed, CF if there was one; W, D, Q.
    #[inline]
    pub fn rdseed(&mut self, size: Size, dst: Reg) {
        self.legacy(Enc::new(op(0, 1, 0xc7), size), 7, dst);
    }

    #[inline]
    pub fn ldmxcsr(&mut self, src: Mem) {
        self.legacy(Enc::new(op(0, 1, 0xae), Size::D), 2, src);
    }

    #[inline]
    pub fn stmxcsr(&mut self, dst: Mem) {
        self.legacy(Enc::new(op(0, 1, 0xae), Size::D), 3, dst);
    }

    /// Prefetches into all levels of the cache.
    #[inline]
    pub fn prefetcht0(&mut self, m: Mem) {
        self.legacy(Enc::new(op(0, 1, 0x18), Size::D), 1, m);
    }

    /// Prefetches for a write.
    #[inline]
    pub fn prefetchw(&mut self, m: Mem) {
        self.legacy(Enc::new(op(0, 1, 0x0d), Size::D), 1, m);
    }

    /// Appends `n` bytes of nops, as few instructions as possible.
    pub fn nop(&mut self, mut n: usize) {
        while n > 0 {
            let k = n.min(NOPS.len());
            self.buf.extend_from_slice(&NOPS[k - 1][..k]);
            n -= k;
        }
    }

    /// Appends nops up to a multiple of `to`, a power of two.
    pub fn align(&mut self, to: usize) {
        self.nop(self.buf.len().wrapping_neg() & (to - 1));
    }

    /// Appends nops until what follows, of `len` bytes, lies within one naturally aligned quadword.
    pub fn keep_within_quadword(&mut self, len: usize) {
        if self.buf.len() % 8 + len > 8 {
            self.align(8);
        }
    }
}

/// The recommended nops of 1 to 9 bytes (SDM vol. 2, NOP).
const NOPS: [[u8; 9]; 9] = [
    [0x90, 0, 0, 0, 0, 0, 0, 0, 0],
    [0x66, 0x90, 0, 0, 0, 0, 0, 0, 0],
    [0x0f, 0x1f, 0x00, 0, 0, 0, 0, 0, 0],
    [0x0f, 0x1f, 0x40, 0, 0, 0, 0, 0, 0],
    [0x0f, 0x1f, 0x44, 0, 0, 0, 0, 0, 0],
    [0x66, 0x0f, 0x1f, 0x44, 0, 0, 0, 0, 0],
    [0x0f, 0x1f, 0x80, 0, 0, 0, 0, 0, 0],
    [0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0, 0],
    [0x66, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0],
];
