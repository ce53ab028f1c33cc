//! Advanced SIMD moves: modified immediates, duplication, permutes, tables (Arm ARM F4.1.11).

use super::Cx;
use super::simd::rows;
use crate::insn::*;
use ir::{Lane, V1, V2, V3, Val};

/// The 64-bit value of a modified immediate (Arm ARM AdvSIMDExpandImm), not inverted but for the byte mask of c = 14, o = 1.
pub(crate) fn modified_immediate(c: u32, o: u32, i: u32) -> u64 {
    let i = u64::from(i);
    let (bits, value) = match c {
        0..=7 => (32, i << (8 * (c / 2))),
        8..=11 => (16, i << (8 * (c / 2 - 4))),
        12 => (32, i << 8 | 0xff),
        13 => (32, i << 16 | 0xffff),
        14 if o == 0 => (8, i),
        14 => (64, (0..8).map(|n| ((i >> n & 1) * 0xff) << (8 * n)).sum()),
        // VFPExpandImm: sign, exponent of three bits, fraction of four.
        _ => (32, (i & 0x80) << 24 | if i & 0x40 != 0 { 0x3e00_0000 } else { 0x4000_0000 } | (i & 0x3f) << 19),
    };
    (0..64 / bits).map(|n| value << (bits * n)).sum()
}

fn immediate(cx: &mut Cx, c: u32, o: u32, i: u32) -> Val {
    let value = modified_immediate(c, o, i);
    cx.splat(Lane::D, value)
}

/// VMOV (`o` 0, and the byte mask), VMVN.
pub(crate) fn vmov_i(cx: &mut Cx, a: VmovI) {
    let Some(r) = cx.two(a.q, a.d, 0) else { return };
    let value = modified_immediate(a.c, a.o, a.i);
    let v = cx.splat(Lane::D, if a.o == 1 && a.c != 14 { !value } else { value });
    cx.set_v(a.q, r.d, v);
}

/// VORR, VBIC (`o` 1).
pub(crate) fn vorr_i(cx: &mut Cx, a: VorrI) {
    let Some(r) = cx.two(a.q, a.d, 0) else { return };
    let imm = immediate(cx, a.c, 0, a.i);
    let v = cx.v(a.q, r.d);
    let v = cx.b.v2(if a.o == 1 { V2::AndNot } else { V2::Or }, Lane::D, v, imm);
    cx.set_v(a.q, r.d, v);
}

pub(crate) fn vdup_s(cx: &mut Cx, a: VdupS) {
    if a.q == 1 && a.d & 1 == 1 {
        return cx.undefined();
    }
    let size = a.i.trailing_zeros();
    let v = cx.splat_d_lane(Lane::log2(size), a.m, a.i >> (size + 1));
    cx.set_v(a.q, a.d, v);
}

/// Bytes i.. of Vm:Vn.
pub(crate) fn vext(cx: &mut Cx, a: Vext) {
    let Some(r) = cx.three(a.q, a.d, a.n, a.m) else { return };
    let (mut low, mut high) = (cx.v(a.q, r.n), cx.v(a.q, r.m));
    if a.q == 0 {
        if a.i > 7 {
            return cx.undefined();
        }
        low = cx.b.v2(V2::ConcatLo, Lane::D, low, high);
        high = low;
    }
    let v = cx.b.vext(low, high, a.i);
    cx.set_v(a.q, a.d, v);
}

pub(crate) fn vswp(cx: &mut Cx, a: Vswp) {
    let Some(r) = cx.two(a.q, a.d, a.m) else { return };
    let (x, y) = (cx.v(a.q, r.d), cx.v(a.q, r.m));
    cx.set_v(a.q, r.d, y);
    cx.set_v(a.q, r.m, x);
}

/// Writes two results, the second to Vm.
fn set_two(cx: &mut Cx, q: u32, d: u32, m: u32, first: Val, second: Val) {
    // Differs: with d = m the results are unknown.
    cx.set_v(q, d, first);
    cx.set_v(q, m, second);
}

/// Transposes, of vectors of either length.
pub(crate) fn vtrn(cx: &mut Cx, a: Vtrn) {
    let Some(r) = cx.two(a.q, a.d, a.m) else { return };
    let (x, y, lane) = (cx.v(a.q, r.d), cx.v(a.q, r.m), Lane::log2(a.z));
    let even = cx.b.v2(V2::TrnEven, lane, x, y);
    let odd = cx.b.v2(V2::TrnOdd, lane, x, y);
    set_two(cx, a.q, r.d, r.m, even, odd);
}

/// VUZP and VZIP: of Q registers each result is one operation, of D registers both are halves of one. `q` 0 with words is VTRN.
fn rearrange(cx: &mut Cx, [q, z, d, m]: [u32; 4], first: V2, second: V2) {
    let Some(r) = cx.two(q, d, m) else { return };
    if q == 0 && z == 2 {
        return cx.undefined();
    }
    let (x, y, lane) = (cx.v(q, r.d), cx.v(q, r.m), Lane::log2(z));
    if q == 1 {
        let low = cx.b.v2(first, lane, x, y);
        let high = cx.b.v2(second, lane, x, y);
        return set_two(cx, 1, r.d, r.m, low, high);
    }
    let (low, high) = if first == V2::ZipLo {
        let both = cx.b.v2(V2::ZipLo, lane, x, y);
        (both, cx.b.v1(V1::MoveHi, Lane::D, both))
    } else {
        let both = cx.b.v2(V2::ConcatLo, Lane::D, x, y);
        (cx.b.v2(first, lane, both, both), cx.b.v2(second, lane, both, both))
    };
    set_two(cx, 0, r.d, r.m, low, high);
}

rows! { rearrange(q z d m):
    vuzp Vuzp(V2::UnzipEven, V2::UnzipOdd);
    vzip Vzip(V2::ZipLo, V2::ZipHi);
}

/// VTBL, VTBX (`o` 1) from 1 to 4 D registers.
pub(crate) fn vtbl(cx: &mut Cx, a: Vtbl) {
    let first = super::simd::double(a.n);
    if first + a.l > 31 {
        return cx.undefined();
    }
    let index = cx.d_alone(a.m);
    let mut v = cx.b.v128(0);
    for pair in 0..=a.l / 2 {
        let low = cx.d_alone(first + 2 * pair);
        let table = if 2 * pair < a.l {
            let high = cx.d(first + 2 * pair + 1);
            cx.b.v2(V2::ConcatLo, Lane::D, low, high)
        } else {
            low
        };
        // Indexes out of this part are 16 or more after the subtraction, and give zero.
        let start = cx.splat(Lane::B, u64::from(16 * pair));
        let at = if pair == 0 { index } else { cx.b.v2(V2::Sub, Lane::B, index, start) };
        let part = cx.b.v2(V2::Tbl, Lane::B, table, at);
        v = if pair == 0 { part } else { cx.b.v2(V2::Or, Lane::D, v, part) };
    }
    if a.o == 1 {
        let count = cx.splat(Lane::B, u64::from(8 * (a.l + 1)));
        let is_inside = cx.b.v2(V2::CmpGtU, Lane::B, count, index);
        let old = cx.d(a.d);
        v = cx.b.v3(V3::BitSelect, Lane::D, is_inside, v, old);
    }
    cx.set_d(a.d, v);
}

#[cfg(test)]
mod tests {
    use super::modified_immediate;

    #[test]
    fn immediates() {
        assert_eq!(modified_immediate(2, 0, 0xab), 0x0000_ab00_0000_ab00);
        assert_eq!(modified_immediate(10, 0, 0xab), 0xab00_ab00_ab00_ab00);
        assert_eq!(modified_immediate(13, 0, 0xab), 0x00ab_ffff_00ab_ffff);
        assert_eq!(modified_immediate(14, 1, 0x81), 0xff00_0000_0000_00ff);
        // 1.0 and -2.0.
        assert_eq!(modified_immediate(15, 0, 0x70), 0x3f80_0000_3f80_0000);
        assert_eq!(modified_immediate(15, 0, 0x80), 0xc000_0000_c000_0000);
    }
}
