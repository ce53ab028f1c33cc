//! Arithmetic on decimal digits, of which 64-bit code has none, and SALC, which no manual of Intel's has: SDM vol. 2, AAA, AAD, AAM, AAS, DAA, DAS.

use super::Cx;
use crate::insn::rows;
use crate::state::RAX;
use iced_x86::Instruction;
use ir::{Frame, Helper, Touches, Trap, Ty};

rows! {
    Daa => adjust(Adjust::AfterSum);
    Das => adjust(Adjust::AfterDifference);
    Aaa => adjust(Adjust::DigitAfterSum);
    Aas => adjust(Adjust::DigitAfterDifference);
    Aam => adjust(Adjust::AfterProduct);
    Aad => adjust(Adjust::BeforeQuotient);
    Salc => salc();
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Adjust {
    /// Two digits in AL.
    AfterSum,
    AfterDifference,
    /// One, with what it carries going to AH.
    DigitAfterSum,
    DigitAfterDifference,
    /// To and from digits in AH and AL, in any base.
    AfterProduct,
    BeforeQuotient,
}

const ALL: [Adjust; 6] = [
    Adjust::AfterSum,
    Adjust::AfterDifference,
    Adjust::DigitAfterSum,
    Adjust::DigitAfterDifference,
    Adjust::AfterProduct,
    Adjust::BeforeQuotient,
];

/// AX, EFLAGS, which of [`ALL`] and the base: AX, with EFLAGS above.
static ADJUST: Helper = Helper {
    name: "adjust_decimal",
    run: |f: &mut Frame<'_>| {
        let (ax, eflags, base) = (f.args[0] as u16, f.args[1] as u32, f.args[3] as u8);
        let (ax, eflags) = adjusted(ALL[f.args[2] as usize], ax, eflags, base);
        f.ret = u128::from(ax) | u128::from(eflags) << 16;
    },
    touches: Touches::Nothing,
    can_exit: false,
    pure: true,
};

const CF: u32 = 1;
const PF: u32 = 1 << 2;
const AF: u32 = 1 << 4;
const ZF: u32 = 1 << 6;
const SF: u32 = 1 << 7;

/// AX and the flags after it; those that the manual leaves open are as AL is, or clear.
fn adjusted(how: Adjust, ax: u16, eflags: u32, base: u8) -> (u16, u32) {
    let [al, ah] = ax.to_le_bytes();
    let low = al & 15 > 9 || eflags & AF != 0;
    let high = al > 0x99 || eflags & CF != 0;
    let (ax, carries) = match how {
        Adjust::AfterSum | Adjust::AfterDifference => {
            let by = if low { 6 } else { 0 } + if high { 0x60 } else { 0 };
            let sum = how == Adjust::AfterSum;
            let v = if sum { al.wrapping_add(by) } else { al.wrapping_sub(by) };
            let borrowed = !sum && low && al < 6;
            (u16::from_le_bytes([v, ah]), [high || borrowed, low])
        }
        Adjust::DigitAfterSum | Adjust::DigitAfterDifference if !low => (ax & 0xff0f, [false, false]),
        Adjust::DigitAfterSum => (ax.wrapping_add(0x106) & 0xff0f, [true, true]),
        Adjust::DigitAfterDifference => (ax.wrapping_sub(0x106) & 0xff0f, [true, true]),
        Adjust::AfterProduct => (u16::from_le_bytes([al % base, al / base]), [false, false]),
        Adjust::BeforeQuotient => (al.wrapping_add(ah.wrapping_mul(base)).into(), [false, false]),
    };
    let al = ax as u8;
    let flags =
        [(CF, carries[0]), (AF, carries[1]), (PF, al.count_ones().is_multiple_of(2)), (ZF, al == 0), (SF, al >= 0x80)];
    (ax, flags.into_iter().map(|(flag, set)| if set { flag } else { 0 }).sum())
}

fn adjust(cx: &mut Cx, i: &Instruction, how: Adjust) {
    let base = if i.op_count() > 0 { i.immediate8() } else { 10 };
    if how == Adjust::AfterProduct && base == 0 {
        return cx.b.trap(Trap::Arithmetic);
    }
    let ax = cx.low(Ty::I16, RAX);
    let ax = cx.b.zext(Ty::I32, ax);
    let flags = cx.flags();
    let eflags = cx.b.flags_to_eflags(flags);
    let [which, base] = [how as u32, base.into()].map(|v| cx.b.i32(v));
    let v = cx.b.call(&ADJUST, Ty::I32, &[ax, eflags, which, base]);
    let eflags = cx.b.extract(v, 16, 16, false);
    let flags = cx.b.flags_from_eflags(eflags);
    cx.set_flags(flags);
    let ax = cx.b.trunc(Ty::I16, v);
    cx.set_low(RAX, ax);
}

/// AL becomes CF in each bit.
fn salc(cx: &mut Cx, _: &Instruction) {
    let carry = cx.carry();
    let v = cx.b.sext(Ty::I8, carry);
    cx.set_low(RAX, v);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_of_the_manual() {
        // ADD AL, BL of 79 and 35; SUB of the same (SDM, DAA and DAS).
        assert_eq!(adjusted(Adjust::AfterSum, 0xae, SF | PF, 10), (0x14, CF | AF | PF));
        assert_eq!(adjusted(Adjust::AfterSum, 0x2e, 0, 10), (0x34, AF));
        assert_eq!(adjusted(Adjust::AfterDifference, 0xee, CF | AF, 10), (0x88, CF | AF | PF | SF));
        assert_eq!(adjusted(Adjust::AfterProduct, 63, 0, 10), (0x603, PF));
        assert_eq!(adjusted(Adjust::BeforeQuotient, 0x603, 0, 10), (63, PF));
        assert_eq!(adjusted(Adjust::DigitAfterSum, 0x000f, 0, 10), (0x105, CF | AF | PF));
        assert_eq!(adjusted(Adjust::DigitAfterDifference, 0x02ff, AF, 10), (0x109, CF | AF | PF));
    }
}
