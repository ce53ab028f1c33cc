//! Compressed instructions (C, Zcb, Zcmop): each does what a longer one does.

use super::*;
use crate::insn::*;
use crate::state::{RA, SP};

// ---- where the bits of immediates belong, the word's high ones first ----

pub(crate) const ADDI4SPN: &[u32] = &[5, 4, 9, 8, 7, 6, 2, 3];
pub(crate) const ADDI16SP: &[u32] = &[9, 4, 6, 8, 7, 5];
pub(crate) const WORD: &[u32] = &[5, 4, 3, 2, 6];
pub(crate) const DOUBLE: &[u32] = &[5, 4, 3, 7, 6];
pub(crate) const WORD_SP: &[u32] = &[5, 4, 3, 2, 7, 6];
pub(crate) const DOUBLE_SP: &[u32] = &[5, 4, 3, 8, 7, 6];
pub(crate) const STORE_WORD_SP: &[u32] = &[5, 4, 3, 2, 7, 6];
pub(crate) const STORE_DOUBLE_SP: &[u32] = &[5, 4, 3, 8, 7, 6];
pub(crate) const BYTE: &[u32] = &[0, 1];
pub(crate) const HALF: &[u32] = &[1];
pub(crate) const JUMP: &[u32] = &[11, 4, 9, 8, 10, 6, 7, 3, 2, 1, 5];
pub(crate) const BRANCH: &[u32] = &[8, 4, 3, 7, 6, 2, 1, 5];

/// The immediate whose bits stand so.
pub(crate) fn scatter(i: u32, places: &[u32]) -> u32 {
    places.iter().rev().enumerate().fold(0, |v, (at, place)| v | (i >> at & 1) << place)
}

/// One of the registers x8 to x15, or f8 to f15.
fn reg(r: u32) -> u32 {
    8 + r
}

/// A signed immediate of `width` bits in the 12 of a long instruction.
fn wide(i: u32, width: u32) -> u32 {
    signed(i, width) as u32 & 0xfff
}

// ---- immediates ----

pub(crate) fn c_addi4spn(cx: &mut Cx, i: CAddi4spn) {
    addi(cx, Addi { d: reg(i.d), n: SP, i: scatter(i.i, ADDI4SPN) });
}

pub(crate) fn c_addi16sp(cx: &mut Cx, i: CAddi16sp) {
    addi(cx, Addi { d: SP, n: SP, i: wide(scatter(i.i, ADDI16SP), 10) });
}

/// With no register or nothing to add it is a hint, and does nothing too.
pub(crate) fn c_addi(cx: &mut Cx, i: CAddi) {
    addi(cx, Addi { d: i.d, n: i.d, i: wide(i.i, 6) });
}

pub(crate) fn c_addiw(cx: &mut Cx, i: CAddiw) {
    addiw(cx, Addiw { d: i.d, n: i.d, i: wide(i.i, 6) });
}

pub(crate) fn c_li(cx: &mut Cx, i: CLi) {
    addi(cx, Addi { d: i.d, n: 0, i: wide(i.i, 6) });
}

pub(crate) fn c_lui(cx: &mut Cx, i: CLui) {
    lui(cx, Lui { d: i.d, i: signed(i.i, 6) as u32 & 0xf_ffff });
}

pub(crate) fn c_andi(cx: &mut Cx, i: CAndi) {
    andi(cx, Andi { d: reg(i.d), n: reg(i.d), i: wide(i.i, 6) });
}

pub(crate) fn c_slli(cx: &mut Cx, i: CSlli) {
    slli(cx, Slli { d: i.d, n: i.d, i: i.i });
}

pub(crate) fn c_srli(cx: &mut Cx, i: CSrli) {
    srli(cx, Srli { d: reg(i.d), n: reg(i.d), i: i.i });
}

pub(crate) fn c_srai(cx: &mut Cx, i: CSrai) {
    srai(cx, Srai { d: reg(i.d), n: reg(i.d), i: i.i });
}

// ---- registers ----

/// `short Short long Long`: the long one with the short one's two registers.
macro_rules! two {
    ($($name:ident $Row:ident $long:ident $Long:ident;)*) => {
        $(pub(crate) fn $name(cx: &mut Cx, i: $Row) {
            $long(cx, $Long { d: reg(i.d), n: reg(i.d), m: reg(i.m) });
        })*
    };
}

two! {
    c_sub CSub sub Sub;
    c_xor CXor xor Xor;
    c_or COr or Or;
    c_and CAnd and And;
    c_subw CSubw subw Subw;
    c_addw CAddw addw Addw;
    c_mul CMul mul Mul;
}

pub(crate) fn c_mv(cx: &mut Cx, i: CMv) {
    add(cx, Add { d: i.d, n: 0, m: i.m });
}

pub(crate) fn c_add(cx: &mut Cx, i: CAdd) {
    add(cx, Add { d: i.d, n: i.d, m: i.m });
}

pub(crate) fn c_not(cx: &mut Cx, i: CNot) {
    xori(cx, Xori { d: reg(i.d), n: reg(i.d), i: 0xfff });
}

pub(crate) fn c_zext_b(cx: &mut Cx, i: CZextB) {
    andi(cx, Andi { d: reg(i.d), n: reg(i.d), i: 0xff });
}

pub(crate) fn c_sext_b(cx: &mut Cx, i: CSextB) {
    sext_b(cx, SextB { d: reg(i.d), n: reg(i.d) });
}

/// ZEXT.H has another encoding on RV32 than on RV64; PACKH's relatives agree on what it does.
pub(crate) fn c_zext_h(cx: &mut Cx, i: CZextH) {
    let a = cx.x(reg(i.d));
    let v = cx.b.extract(a, 0, 16, false);
    cx.set_x(reg(i.d), v);
}

pub(crate) fn c_sext_h(cx: &mut Cx, i: CSextH) {
    sext_h(cx, SextH { d: reg(i.d), n: reg(i.d) });
}

pub(crate) fn c_zext_w(cx: &mut Cx, i: CZextW) {
    add_uw(cx, AddUw { d: reg(i.d), n: reg(i.d), m: 0 });
}

pub(crate) fn c_mop(_: &mut Cx, _: CMop) {}

// ---- branches ----

pub(crate) fn c_j(cx: &mut Cx, i: CJ) {
    branch::jump(cx, 0, signed(scatter(i.i, JUMP), 12));
}

pub(crate) fn c_jal(cx: &mut Cx, i: CJal) {
    branch::jump(cx, RA, signed(scatter(i.i, JUMP), 12));
}

pub(crate) fn c_jr(cx: &mut Cx, i: CJr) {
    jalr(cx, Jalr { d: 0, n: i.n, i: 0 });
}

pub(crate) fn c_jalr(cx: &mut Cx, i: CJalr) {
    jalr(cx, Jalr { d: RA, n: i.n, i: 0 });
}

fn against_zero(cx: &mut Cx, [n, i]: [u32; 2], cc: ir::IntCc) {
    let (a, zero) = (cx.x(reg(n)), cx.imm(0));
    let cond = cx.b.cmp(cc, a, zero);
    branch::branch_if(cx, cond, signed(scatter(i, BRANCH), 9));
}

rows! { against_zero(n i):
    c_beqz CBeqz(ir::IntCc::Eq);
    c_bnez CBnez(ir::IntCc::Ne);
}

pub(crate) fn c_ebreak(cx: &mut Cx, _: CEbreak) {
    ebreak(cx, Ebreak {});
}

// ---- memory ----

macro_rules! loads {
    ($($name:ident $Row:ident $long:ident $Long:ident $places:ident;)*) => {
        $(pub(crate) fn $name(cx: &mut Cx, i: $Row) {
            $long(cx, $Long { d: reg(i.d), n: reg(i.n), i: scatter(i.i, $places) });
        })*
    };
}

loads! {
    c_lw CLw lw Lw WORD;
    c_ld CLd ld Ld DOUBLE;
    c_flw CFlw flw Flw WORD;
    c_fld CFld fld Fld DOUBLE;
    c_lbu CLbu lbu Lbu BYTE;
    c_lhu CLhu lhu Lhu HALF;
    c_lh CLh lh Lh HALF;
}

macro_rules! stores {
    ($($name:ident $Row:ident $long:ident $Long:ident $places:ident;)*) => {
        $(pub(crate) fn $name(cx: &mut Cx, i: $Row) {
            $long(cx, $Long { m: reg(i.m), n: reg(i.n), i: scatter(i.i, $places) });
        })*
    };
}

stores! {
    c_sw CSw sw Sw WORD;
    c_sd CSd sd Sd DOUBLE;
    c_fsw CFsw fsw Fsw WORD;
    c_fsd CFsd fsd Fsd DOUBLE;
    c_sb CSb sb Sb BYTE;
    c_sh CSh sh Sh HALF;
}

macro_rules! stack_loads {
    ($($name:ident $Row:ident $long:ident $Long:ident $places:ident;)*) => {
        $(pub(crate) fn $name(cx: &mut Cx, i: $Row) {
            $long(cx, $Long { d: i.d, n: SP, i: scatter(i.i, $places) });
        })*
    };
}

stack_loads! {
    c_lwsp CLwsp lw Lw WORD_SP;
    c_ldsp CLdsp ld Ld DOUBLE_SP;
    c_flwsp CFlwsp flw Flw WORD_SP;
    c_fldsp CFldsp fld Fld DOUBLE_SP;
}

macro_rules! stack_stores {
    ($($name:ident $Row:ident $long:ident $Long:ident $places:ident;)*) => {
        $(pub(crate) fn $name(cx: &mut Cx, i: $Row) {
            $long(cx, $Long { m: i.m, n: SP, i: scatter(i.i, $places) });
        })*
    };
}

stack_stores! {
    c_swsp CSwsp sw Sw STORE_WORD_SP;
    c_sdsp CSdsp sd Sd STORE_DOUBLE_SP;
    c_fswsp CFswsp fsw Fsw STORE_WORD_SP;
    c_fsdsp CFsdsp fsd Fsd STORE_DOUBLE_SP;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn immediates() {
        // Fields' bits alone, without those that are zero: c.addi4spn a0, sp, 4: 0x0048; c.j .-2: 0xbffd; c.lwsp a0, 64(sp): 0x4506.
        assert_eq!(scatter(0x0048 >> 5 & 0xff, ADDI4SPN), 4);
        assert_eq!(signed(scatter(0xbffd >> 2 & 0x7ff, JUMP), 12), -2);
        assert_eq!(scatter(0x4506 >> 2 & 0x1f, WORD_SP), 64);
    }
}
