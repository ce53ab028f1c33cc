//! Folding while building: constants, identities, address modes. Pure functions on the region built so far.

use crate::eval::int;
use crate::mem::{Ext, Mem};
use crate::op::{Bin, Op, Un, V1, V2, Val};
use crate::region::Region;
use crate::types::{Cc, IntCc, Lane, Ty};

/// What an operation folds to.
#[derive(Debug)]
pub(crate) enum Folded {
    No,
    Val(Val),
    Const(u64),
    Op(Op),
}

/// Folds a pure operation of result type `ty`.
pub(crate) fn fold(r: &Region, op: &Op, ty: Ty) -> Folded {
    match *op {
        Op::Bin(bin, a, b) => fold_bin(r, bin, a, b, ty),
        Op::Un(un, a) => match (r.const_of(a), un, r.op(a)) {
            (Some(c), ..) => Folded::Const(int::un(un, c, ty) & ty.mask()),
            (_, Un::Clz, Op::Un(Un::Bitrev, x)) => Folded::Op(Op::Un(Un::Ctz, *x)),
            (_, Un::Not, Op::Un(Un::Not, x)) | (_, Un::Bswap, Op::Un(Un::Bswap, x)) => Folded::Val(*x),
            _ => Folded::No,
        },
        Op::Zext(a) => match r.const_of(a) {
            Some(c) => Folded::Const(c),
            None => match *r.op(a) {
                Op::Zext(inner) => Folded::Op(Op::Zext(inner)),
                Op::Trunc(inner) if r.ty(inner) == ty && r.ty(a).bits() < 32 => {
                    Folded::Op(Op::Extract { v: inner, lsb: 0, width: r.ty(a).bits() as u8, signed: false })
                }
                Op::Trunc(inner) if r.ty(inner) == ty && possible(r, inner, 4) <= r.ty(a).mask() => Folded::Val(inner),
                _ => Folded::No,
            },
        },
        Op::Sext(a) => match r.const_of(a) {
            Some(c) => Folded::Const(sign_extend(c, r.ty(a).bits())),
            None if possible(r, a, 4) <= r.ty(a).mask() >> 1 => Folded::Op(Op::Zext(a)),
            None => match *r.op(a) {
                Op::Trunc(inner) if r.ty(inner) == ty && is_extended(r, inner, r.ty(a).bits(), 4) => Folded::Val(inner),
                _ => Folded::No,
            },
        },
        Op::Trunc(a) => match r.const_of(a) {
            Some(c) => Folded::Const(c),
            None => match *r.op(a) {
                Op::Zext(inner) | Op::Sext(inner) if r.ty(inner) == ty => Folded::Val(inner),
                Op::Zext(inner) | Op::Trunc(inner) if r.ty(inner).bits() > ty.bits() => Folded::Op(Op::Trunc(inner)),
                Op::Bin(Bin::Or, x, y) if possible(r, y, 4) & ty.mask() == 0 => Folded::Op(Op::Trunc(x)),
                Op::Deposit { v, lsb: 0, width, .. } if u32::from(width) >= ty.bits() => Folded::Op(Op::Trunc(v)),
                _ => Folded::No,
            },
        },
        Op::Extract { v, lsb, width, signed } => fold_extract(r, v, lsb, width, signed, ty),
        Op::Deposit { into, v, lsb, width } => fold_deposit(r, into, v, lsb, width, ty),
        Op::Funnel { lo, amount: 0, .. } => Folded::Val(lo),
        Op::Funnel { hi, lo, amount } if hi == lo => rotate(r, lo, amount),
        Op::Cmp(cc, a, b) => match (r.const_of(a), r.const_of(b)) {
            (Some(x), Some(y)) => Folded::Const(int::compare(cc, x, y, r.ty(a)).into()),
            (None, Some(0)) => match *r.op(a) {
                Op::Zext(truth) if r.ty(truth) == Ty::I1 => fold_truth(r, cc, truth),
                _ => Folded::No,
            },
            _ => Folded::No,
        },
        Op::Select(c, a, b) => match r.const_of(c) {
            Some(0) => Folded::Val(b),
            Some(_) => Folded::Val(a),
            None if a == b => Folded::Val(a),
            None => Folded::No,
        },
        Op::Bitcast(a) => match *r.op(a) {
            Op::Bitcast(inner) if r.ty(inner) == ty => Folded::Val(inner),
            Op::Const(c) => Folded::Const(c),
            _ => Folded::No,
        },
        Op::VGet(lane, a, n) => get_lane(r, lane, a, n, ty),
        Op::VSet(lane, into, v, n) => set_lane(r, lane, into, v, n),
        Op::VLow(s) => match *r.op(s) {
            Op::VGet(_, v, 0) if r.ty(v) == Ty::V128 => Folded::Val(v),
            Op::VGet(Lane::D, v, _) => Folded::Op(Op::V1(V1::MoveHi, Lane::D, v)),
            _ => Folded::No,
        },
        Op::V1(V1::ZeroHi, _, a) => match *r.op(a) {
            Op::VLow(s) if r.ty(s) == Ty::F64 => Folded::Op(Op::VFromScalar(s)),
            Op::VFromScalar(_) | Op::V1(V1::ZeroHi | V1::MoveHi, ..) => Folded::Val(a),
            _ => Folded::No,
        },
        Op::V1(V1::MoveHi, lane, a) => match *r.op(a) {
            Op::V2(V2::ConcatLo, _, _, high) => Folded::Op(Op::V1(V1::ZeroHi, lane, high)),
            _ => Folded::No,
        },
        Op::V2(V2::ConcatLo, lane, a, b) => match (low_half(r, a), low_half(r, b)) {
            (x, y) if (x, y) != (a, b) => Folded::Op(Op::V2(V2::ConcatLo, lane, x, y)),
            _ => match *r.op(b) {
                Op::V1(V1::MoveHi, _, whole) if whole == a => Folded::Val(a),
                _ => Folded::No,
            },
        },
        _ => Folded::No,
    }
}

/// A truth value, as a number compared with zero.
fn fold_truth(r: &Region, cc: IntCc, truth: Val) -> Folded {
    match (cc, *r.op(truth)) {
        (IntCc::Ne | IntCc::Ugt, _) => Folded::Val(truth),
        (IntCc::Eq | IntCc::Ule, Op::Cmp(cc, a, b)) => Folded::Op(Op::Cmp(cc.invert(), a, b)),
        (IntCc::Eq | IntCc::Ule, Op::Cond(cc, flags)) => Folded::Op(Op::Cond(cc.invert(), flags)),
        _ => Folded::No,
    }
}

/// A lane that was set, or comes from a half that was, is known without the vector: guests whose scalars are parts of vectors live on this.
fn get_lane(r: &Region, lane: Lane, a: Val, n: u8, ty: Ty) -> Folded {
    let half = 8 >> lane as u32;
    match *r.op(a) {
        Op::VFromScalar(s) | Op::VLow(s) if n == 0 && r.ty(s) == ty => Folded::Val(s),
        Op::VLow(s) if r.ty(s) == Ty::F64 && n < half => match lane {
            Lane::D => Folded::Op(Op::Bitcast(s)),
            _ => Folded::Op(Op::VGet(lane, s, n)),
        },
        // Of an F64 that is a lane itself.
        Op::VGet(Lane::D, v, at) => Folded::Op(Op::VGet(lane, v, n + at * half)),
        Op::VSet(set, _, s, at) if (set, at) == (lane, n) => match (r.ty(s), lane) {
            (t, _) if t == ty => Folded::Val(s),
            (_, Lane::S | Lane::D) => Folded::Op(Op::Bitcast(s)),
            _ => Folded::No,
        },
        // Unless more is known of the vector before it is read as it is now: the old one would have to be kept beside it.
        Op::VSet(set, old, _, at) if !overlap((set, at), (lane, n)) => get_lane(r, lane, old, n, ty),
        Op::V2(V2::ConcatLo, _, low, _) if n < half => Folded::Op(Op::VGet(lane, low, n)),
        Op::V2(V2::ConcatLo, _, _, high) => Folded::Op(Op::VGet(lane, high, n - half)),
        Op::V1(V1::MoveHi, _, whole) if n < half => Folded::Op(Op::VGet(lane, whole, n + half)),
        Op::V1(V1::ZeroHi, _, whole) if n < half => Folded::Op(Op::VGet(lane, whole, n)),
        _ => Folded::No,
    }
}

/// What is overwritten need not have been written.
fn set_lane(r: &Region, lane: Lane, into: Val, v: Val, n: u8) -> Folded {
    match *r.op(into) {
        // Both halves of one vector.
        Op::VSet(Lane::D, _, other, at) if lane == Lane::D && at != n => match (*r.op(other), *r.op(v)) {
            (Op::VGet(Lane::D, x, i), Op::VGet(Lane::D, y, j)) if x == y && (i, j) == (at, n) => Folded::Val(x),
            _ => Folded::No,
        },
        Op::VSet(set, old, _, at) if set <= lane && overlap((set, at), (lane, n)) => {
            Folded::Op(Op::VSet(lane, old, v, n))
        }
        _ => Folded::No,
    }
}

/// Whether two lanes have bytes in common.
fn overlap(a: (Lane, u8), b: (Lane, u8)) -> bool {
    let bytes = |(lane, n): (Lane, u8)| (usize::from(n) * lane.bytes(), (usize::from(n) + 1) * lane.bytes());
    let ((a0, a1), (b0, b1)) = (bytes(a), bytes(b));
    a0 < b1 && b0 < a1
}

/// The plainest value with the same low half.
fn low_half(r: &Region, v: Val) -> Val {
    match *r.op(v) {
        Op::V1(V1::ZeroHi, _, x) | Op::V2(V2::ConcatLo, _, x, _) => low_half(r, x),
        _ => v,
    }
}

fn rotate(r: &Region, v: Val, amount: u8) -> Folded {
    // The amount would be a constant of its own; leave the funnel, the host knows it as a rotate.
    match r.const_of(v) {
        Some(c) if r.ty(v) == Ty::I64 => Folded::Const(c.rotate_right(amount as u32)),
        Some(c) => Folded::Const((c as u32).rotate_right(amount as u32) as u64),
        None => Folded::No,
    }
}

fn fold_bin(r: &Region, bin: Bin, a: Val, b: Val, ty: Ty) -> Folded {
    let (ca, cb) = (r.const_of(a), r.const_of(b));
    if let (Some(x), Some(y)) = (ca, cb) {
        return Folded::Const(int::bin(bin, x, y, ty) & ty.mask());
    }
    let commutes = matches!(bin, Bin::Add | Bin::Mul | Bin::And | Bin::Or | Bin::Xor);
    if ca.is_some() && commutes {
        return Folded::Op(Op::Bin(bin, b, a));
    }
    let Some(c) = cb else {
        return match bin {
            Bin::And | Bin::Or if a == b => Folded::Val(a),
            Bin::Xor | Bin::Sub | Bin::AndNot if a == b => Folded::Const(0),
            Bin::Sub if ca == Some(0) => Folded::Op(Op::Un(Un::Neg, b)),
            Bin::Or | Bin::Xor if ca == Some(0) => Folded::Val(b),
            Bin::AndNot if ca == Some(0) => Folded::Const(0),
            Bin::Or if is_and_not(r, a, b) => Folded::Op(Op::Bin(bin, uncut(r, a), b)),
            Bin::Or if is_and_not(r, b, a) => Folded::Op(Op::Bin(bin, a, uncut(r, b))),
            Bin::And | Bin::AndNot => match *r.op(b) {
                Op::Un(Un::Not, x) => Folded::Op(Op::Bin(if bin == Bin::And { Bin::AndNot } else { Bin::And }, a, x)),
                _ => Folded::No,
            },
            _ => Folded::No,
        };
    };
    let all = ty.mask();
    match (bin, c) {
        (Bin::Add | Bin::Sub | Bin::Or | Bin::Xor | Bin::AndNot, 0) => Folded::Val(a),
        (Bin::Shl | Bin::Shr | Bin::Sar | Bin::Rotr, c) if c & (ty.bits() as u64 - 1) == 0 => Folded::Val(a),
        (Bin::Shr, n) if n < u64::from(ty.bits()) => match *r.op(a) {
            Op::Bin(Bin::Or, x, y) if possible(r, x, 4) >> n == 0 => Folded::Op(Op::Bin(Bin::Shr, y, b)),
            Op::Bin(Bin::Shl, x, m) if r.const_of(m) == Some(n) && possible(r, x, 4) <= all >> n => Folded::Val(x),
            _ => Folded::No,
        },
        (Bin::And | Bin::Mul, 0) => Folded::Const(0),
        (Bin::Mul, 1) => Folded::Val(a),
        (Bin::And, c) if c == all => Folded::Val(a),
        (Bin::And, c) if possible(r, a, 8) & c == 0 => Folded::Const(0),
        (Bin::And, c) if possible(r, a, 4) & !c == 0 => Folded::Val(a),
        (Bin::And, c) => match *r.op(a) {
            Op::Bin(Bin::Or, x, y) if possible(r, y, 8) & c == 0 => Folded::Op(Op::Bin(Bin::And, x, b)),
            Op::Bin(Bin::Or, x, y) if possible(r, x, 8) & c == 0 => Folded::Op(Op::Bin(Bin::And, y, b)),
            _ => Folded::No,
        },
        (Bin::AndNot, c) if c == all => Folded::Const(0),
        (Bin::Or, c) if c == all => Folded::Const(all),
        (Bin::Xor, c) if c == all => Folded::Op(Op::Un(Un::Not, a)),
        _ => Folded::No,
    }
}

/// Whether `v` is something without the bits of `mask`.
fn is_and_not(r: &Region, v: Val, mask: Val) -> bool {
    matches!(*r.op(v), Op::Bin(Bin::AndNot, _, m) if m == mask)
}

/// What it is without them.
fn uncut(r: &Region, v: Val) -> Val {
    match *r.op(v) {
        Op::Bin(Bin::AndNot, x, _) => x,
        _ => v,
    }
}

/// The bits of an integer that may be set, as far as the last `depth` operations tell.
fn possible(r: &Region, v: Val, depth: u32) -> u64 {
    let all = r.ty(v).mask();
    if depth == 0 {
        return all;
    }
    let of = |v| possible(r, v, depth - 1);
    let by = |n: Val| r.const_of(n).filter(|n| *n < u64::from(r.ty(v).bits()));
    all & match *r.op(v) {
        Op::Const(c) => c,
        Op::Zext(x) | Op::Trunc(x) => of(x),
        Op::Extract { width, signed: false, .. } => int::ones(width),
        Op::FlagsToBits(_) => 0xf000_0000,
        Op::Load(m) if m.ext == Ext::Zero && m.size < 8 => int::ones(8 * m.size),
        Op::Bin(Bin::And, x, y) => of(x) & of(y),
        Op::Bin(Bin::AndNot, x, _) => of(x),
        Op::Bin(Bin::Or | Bin::Xor, x, y) => of(x) | of(y),
        Op::Bin(Bin::Shl, x, n) => by(n).map_or(all, |n| of(x) << n),
        Op::Bin(Bin::Shr, x, n) => by(n).map_or(all, |n| of(x) >> n),
        _ => all,
    }
}

/// Whether a 64-bit integer is its low `bits` bits (at most 32), sign-extended, as far as the last `depth` operations tell.
fn is_extended(r: &Region, v: Val, bits: u32, depth: u32) -> bool {
    if depth == 0 {
        return false;
    }
    let of = |v| is_extended(r, v, bits, depth - 1);
    match *r.op(v) {
        Op::Const(c) => sign_extend(c, bits) == c,
        Op::Sext(x) => r.ty(x).bits() <= bits,
        Op::Zext(x) => r.ty(x).bits() < bits,
        Op::Extract { width, signed, .. } => u32::from(width) <= bits - u32::from(!signed),
        Op::Load(m) => m.size < 8 && 8 * u32::from(m.size) <= bits - u32::from(m.ext == Ext::Zero),
        Op::Bin(Bin::And | Bin::Or | Bin::Xor, x, y) => of(x) && of(y),
        Op::Bin(Bin::Sar, x, n) => r.const_of(n).is_some_and(|n| n < 64) && of(x),
        _ => false,
    }
}

/// Whether a condition on the flags of a constant holds.
pub(crate) fn condition(r: &Region, cc: Cc, flags: Val) -> Option<bool> {
    let result = match *r.op(flags) {
        Op::FlagsNz(x, _) | Op::FlagsNzc(x, ..) | Op::FlagsLogic(x) => x,
        Op::FlagsSetC(f, _) if matches!(cc, Cc::Eq | Cc::Ne | Cc::Mi | Cc::Pl) => return condition(r, cc, f),
        _ => return None,
    };
    let c = r.const_of(result)?;
    let negative = c >> (r.ty(result).bits() - 1) & 1 == 1;
    match cc {
        Cc::Eq => Some(c == 0),
        Cc::Ne => Some(c != 0),
        Cc::Mi => Some(negative),
        Cc::Pl => Some(!negative),
        _ => None,
    }
}

fn fold_extract(r: &Region, v: Val, lsb: u8, width: u8, signed: bool, ty: Ty) -> Folded {
    if lsb == 0 && width as u32 == ty.bits() {
        return Folded::Val(v);
    }
    match r.const_of(v) {
        Some(c) => Folded::Const(int::extract(c, lsb, width, signed) & ty.mask()),
        // Nothing above, and no sign.
        None if lsb == 0 && possible(r, v, 4) <= int::ones(width) >> u32::from(signed) => Folded::Val(v),
        None => Folded::No,
    }
}

fn fold_deposit(r: &Region, into: Val, v: Val, lsb: u8, width: u8, ty: Ty) -> Folded {
    if lsb == 0 && width as u32 == ty.bits() {
        return Folded::Val(v);
    }
    match (r.const_of(into), r.const_of(v)) {
        (Some(i), Some(c)) => Folded::Const(int::deposit(i, c, lsb, width)),
        _ => Folded::No,
    }
}

/// The low `bits` bits of `v`, sign-extended to 64.
pub fn sign_extend(v: u64, bits: u32) -> u64 {
    ((v << (64 - bits)) as i64 >> (64 - bits)) as u64
}

/// Folds additions and shifts of the base into the address mode. `known` are the values of the slots: a sum that a slot has while none has its
/// summand any more is the better base, since the summand would have to be kept for this access alone.
pub(crate) fn address(r: &Region, known: &[Val], mut m: Mem) -> Mem {
    let ty = r.ty(m.base);
    loop {
        if let Op::Bin(Bin::Add | Bin::Sub, a, _) = *r.op(m.base)
            && known.contains(&m.base)
            && !known.contains(&a)
        {
            return m;
        }
        match *r.op(m.base) {
            Op::Bin(Bin::Add, a, b) => match r.const_of(b) {
                Some(c) => match m.disp.checked_add(sign_extend(c, ty.bits()) as i32) {
                    Some(d) if sign_extend(c, ty.bits()) as i64 == i64::from(sign_extend(c, ty.bits()) as i32) => {
                        (m.base, m.disp) = (a, d);
                    }
                    _ => return m,
                },
                None if m.index.is_none() => {
                    let scaled = |v: Val| match *r.op(v) {
                        Op::Bin(Bin::Shl, x, n) => r.const_of(n).filter(|n| *n <= 3).map(|n| (x, n as u8)),
                        _ => None,
                    };
                    (m.base, m.index, m.scale) = match (scaled(b), scaled(a)) {
                        (Some((x, n)), _) => (a, x, n),
                        (None, Some((x, n))) if !known.contains(&a) => (b, x, n),
                        _ => (a, b, 0),
                    };
                }
                None => return m,
            },
            Op::Bin(Bin::Sub, a, b) => match r.const_of(b) {
                Some(c) if c <= 0x4000_0000 => match m.disp.checked_sub(c as i32) {
                    Some(d) => (m.base, m.disp) = (a, d),
                    None => return m,
                },
                _ => return m,
            },
            _ => return m,
        }
    }
}
