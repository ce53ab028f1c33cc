//! What each pure operation computes: the meaning of `op.rs`, in plain code. The interpreter runs on it, the host's back end
//! falls back on it and is tested against it. It is written to be right, not fast, and takes nothing from `fold.rs`.
//!
//! Not here: constants, guest state, memory, helpers (`interp.rs`).
//!
//! The Arm-named operations are those of the Arm ARM (DDI 0487), chapters C6 and C7 and the shared pseudocode.

mod crypto;
mod flags;
mod float;
pub(crate) mod int;
mod strings;
mod vector;

#[cfg(test)]
mod tests;

use crate::op::Op;
use crate::types::Ty;
pub use crypto::SM4_BOX;

/// The bits that a value of type `ty` has, as it stands in an `u128`.
pub const fn mask(ty: Ty) -> u128 {
    match ty {
        Ty::Void => 0,
        Ty::V128 => u128::MAX,
        Ty::Flags => flags::ALL as u128,
        t => t.mask() as u128,
    }
}

/// Computes a pure operation: all of [`Op`] but constants, guest state and its floating-point flags, memory and calls.
///
/// `args` are the operands in the order of [`Op::for_each_arg`], `arg_types` their types; bits above a type's width (for
/// [`Ty::Flags`]: all but the six) are ignored. The result of type `ty` is zero-extended. Exceptions are ORed into
/// `fp_flags` as bits of [`crate::types::fpflag`].
///
/// # Panics
/// If the operation is not a pure one, or breaks the rules of `verify.rs`.
pub fn eval(op: &Op, ty: Ty, arg_types: &[Ty; 4], args: &[u128; 4], fp_flags: &mut u32) -> u128 {
    let arg = |i: usize| args[i] & mask(arg_types[i]);
    let (a, b, c) = (arg(0), arg(1), arg(2));
    let (a64, b64) = (a as u64, b as u64);
    let from = arg_types[0];
    let bits = match *op {
        Op::Bin(bin, ..) => int::bin(bin, a64, b64, ty).into(),
        Op::Un(un, _) => int::un(un, a64, ty).into(),
        Op::Zext(_) | Op::Trunc(_) | Op::Bitcast(_) | Op::VFromScalar(_) | Op::VLow(_) => a,
        Op::Sext(_) => int::signed(a64, from.bits()) as u128,
        Op::Extract { lsb, width, signed, .. } => int::extract(a64, lsb, width, signed).into(),
        Op::Deposit { lsb, width, .. } => int::deposit(a64, b64, lsb, width).into(),
        Op::Funnel { amount, .. } => (a << ty.bits() | b) >> amount,
        Op::ShiftDouble { left, .. } => int::shift_double(left, a64, b64, c as u64, ty).into(),
        Op::Cmp(cc, ..) => int::compare(cc, a64, b64, from).into(),
        Op::Select(..) => {
            if a & 1 == 1 {
                b
            } else {
                c
            }
        }
        Op::AddC(..) => flags::add(a64, b64, flags::carry(c), ty).0.into(),
        Op::SubC(..) => flags::sub(a64, b64, flags::carry(c), ty).0.into(),
        Op::DivWide { remainder, .. } => int::divide_wide(remainder, a64, b64, c as u64, ty).into(),
        Op::Strings { control, explicit, .. } => strings::compare(control, explicit, a, b, c as u64, ty),
        Op::Crc32 { bytes, c, .. } => int::crc32(a64 as u32, b64, bytes, c).into(),

        Op::FlagsAdd(..) => flags::add(a64, b64, false, from).1.into(),
        Op::FlagsSub(..) => flags::sub(a64, b64, true, from).1.into(),
        Op::FlagsAdc(..) => flags::add(a64, b64, flags::carry(c), from).1.into(),
        Op::FlagsSbc(..) => flags::sub(a64, b64, flags::carry(c), from).1.into(),
        Op::FlagsLogic(_) => flags::nz(a64, from).into(),
        Op::FlagsNz(..) => (flags::nz(a64, from) | b as u32 & (flags::C | flags::V)).into(),
        Op::FlagsNzc(..) => (flags::nz(a64, from) | flags::when(b & 1 == 1, flags::C) | c as u32 & flags::V).into(),
        Op::FlagsOppositeC(_) => (a as u32 ^ flags::C).into(),
        Op::FlagsSetC(..) => (a as u32 & !flags::C | flags::when(b & 1 == 1, flags::C)).into(),
        Op::FlagsShift { shift, amount, .. } => {
            (flags::shift(shift, a64, amount.into(), from) | b as u32 & flags::V).into()
        }
        Op::FlagsFcmp { fmt, signalling, env, .. } => {
            float::flags_compare(fmt, signalling, env, a64, b64, fp_flags).into()
        }
        Op::FlagsStep { down, .. } => flags::step(a64, down, b as u32, from).into(),
        Op::FlagsShiftX86 { shift, .. } => flags::shift_x86(shift, a64, b64, c as u32, from).into(),
        Op::FlagsShiftDouble { left, .. } => flags::shift_double(left, a64, b64, c as u64, arg(3) as u32, from).into(),
        Op::FlagsProduct { signed, .. } => flags::product(a64, b64, signed, from).into(),
        Op::FlagsTest(..) => flags::test_vectors(a, b).into(),
        Op::FlagsToEflags(_) => flags::to_eflags(a as u32).into(),
        Op::FlagsFromEflags(_) => flags::from_eflags(a as u32).into(),
        Op::FlagsToBits(_) => (flags::to_nzcv(a as u32) << 28).into(),
        Op::FlagsFromBits(_) => flags::from_nzcv(a as u32 >> 28).into(),
        Op::Cond(cc, _) => cc.holds(flags::to_pnzcv(a as u32)).into(),

        Op::Fp1(fp, shape, env, _) => float::fp1(fp, shape, env, a, fp_flags),
        Op::Fp2(fp, shape, env, ..) => float::fp2(fp, shape, env, a, b, fp_flags),
        Op::Fma { shape, env, neg_product, neg_addend, .. } => {
            float::fma(shape, env, neg_product, neg_addend, [a, b, c], fp_flags)
        }
        Op::FpCvt { from, to, lanes, env, .. } => float::convert(from, to, lanes, env, a, fp_flags),
        Op::FpToInt { shape, env, signed, bits, fbits, .. } => {
            float::to_int(shape, env, signed, bits, fbits, a, fp_flags)
        }
        Op::FpFromInt { shape, env, signed, fbits, .. } => {
            let bits = if shape.lanes == 0 { from.bits() } else { shape.fmt.lane().bits() };
            float::from_int(shape, env, signed, bits, fbits, a, fp_flags)
        }
        Op::FpToIntJs(_) => float::to_int_js(a64, fp_flags).into(),
        Op::FpCmp(cc, shape, env, ..) => float::compare(cc, shape, env, a, b, fp_flags),

        Op::V1(v, lane, _) => vector::v1(v, lane, a),
        Op::V2(v, lane, ..) => vector::v2(v, lane, a, b),
        Op::V3(v, lane, ..) => vector::v3(v, lane, a, b, c),
        Op::VShift(shift, lane, _, amount) => vector::shift(shift, lane, a, amount),
        Op::Crypto(step, ..) => crypto::two(step, a, b),
        Op::VExt(_, _, from) => vector::extract(a, b, from),
        Op::VSplat(lane, _) => vector::splat(lane, a64),
        Op::VSplatLane(lane, _, n) => vector::splat(lane, vector::get(a, lane, n.into())),
        Op::VGet(lane, _, n) => vector::get(a, lane, n.into()).into(),
        Op::VSigns(lane, _) => vector::signs(a, lane).into(),
        Op::VSet(lane, _, _, n) => vector::set(a, lane, n.into(), b64),

        Op::Const(_)
        | Op::ConstV(_)
        | Op::Insn { .. }
        | Op::Poll { .. }
        | Op::Get(_)
        | Op::Set(..)
        | Op::FpFlagsGet
        | Op::Concurrent
        | Op::FpFlagsSet(_)
        | Op::Load(_)
        | Op::LoadAhead(_)
        | Op::LoadLanes(..)
        | Op::StoreLanes(..)
        | Op::Store(..)
        | Op::StoreAhead(..)
        | Op::AtomicRmw(..)
        | Op::CmpXchg { .. }
        | Op::LoadExcl(..)
        | Op::StoreExcl(..)
        | Op::ClearExcl
        | Op::Fence(_)
        | Op::Prefetch(_)
        | Op::X87 { .. }
        | Op::X87Mem { .. }
        | Op::Call(..) => panic!("{op:?} is not a pure operation"),
    };
    bits & mask(ty)
}
