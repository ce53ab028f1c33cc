//! Types of operations: operands, result, lanes and immediates, as `op.rs` has them.

use super::need;
use crate::mem::{Align, Ext, Mem};
use crate::op::{Bin, Fp1, Op, V1, V2, VShift, Val};
use crate::region::Region;
use crate::types::{Fmt, Lane, Shape, Ty};

type Checked = Result<(), String>;

/// Checks one instruction; its operands exist.
pub(super) fn check(r: &Region, slot_types: &[Ty], v: Val) -> Checked {
    let inst = &r.insts[v.0 as usize];
    let c = Check { r, slot_types, op: &inst.op, ty: inst.ty };
    c.operation()
}

struct Check<'a> {
    r: &'a Region,
    slot_types: &'a [Ty],
    op: &'a Op,
    /// Of the result.
    ty: Ty,
}

/// What may stand in memory: no truth values, no flags.
fn is_data(ty: Ty) -> bool {
    !matches!(ty, Ty::Void | Ty::I1 | Ty::Flags)
}

fn is_scalar(ty: Ty) -> bool {
    is_data(ty) && ty != Ty::V128
}

fn lanes_fit(lane: Lane, lanes: u8) -> bool {
    lane.bytes() * usize::from(lanes) <= 16
}

impl Check<'_> {
    fn result(&self, ty: Ty) -> Checked {
        need(self.ty == ty, || format!("the result is {:?}, {ty:?} wanted", self.ty))
    }

    fn operand(&self, v: Val, ty: Ty) -> Checked {
        let is = self.r.ty(v);
        need(is == ty, || format!("{v:?} is {is:?}, {ty:?} wanted"))
    }

    fn operands(&self, vals: &[Val], ty: Ty) -> Checked {
        vals.iter().try_for_each(|&v| self.operand(v, ty))
    }

    /// All operands and the result have that type.
    fn all(&self, ty: Ty) -> Checked {
        let mut result = self.result(ty);
        self.op.for_each_arg(|v| {
            if result.is_ok() {
                result = self.operand(v, ty);
            }
        });
        result
    }

    fn integer(&self, ty: Ty) -> Checked {
        need(ty.is_int(), || format!("{ty:?} is not an integer"))
    }

    /// I8 to I64.
    fn number(&self, ty: Ty) -> Checked {
        need(ty.is_int() && ty != Ty::I1, || format!("{ty:?} is not an integer of a byte or more"))
    }

    fn address(&self, v: Val) -> Checked {
        let ty = self.r.ty(v);
        need(matches!(ty, Ty::I32 | Ty::I64), || format!("{v:?} is {ty:?}, an address wanted"))
    }

    fn that(&self, holds: bool, what: &str) -> Checked {
        need(holds, || what.to_owned())
    }

    fn operation(&self) -> Checked {
        let ty = self.ty;
        match *self.op {
            Op::Const(bits) => {
                self.that(ty.is_int() || ty.is_float(), "a constant is an integer or a float")?;
                self.that(bits & !ty.mask() == 0, "a constant has bits above its type")
            }
            Op::ConstV(i) => {
                self.result(Ty::V128)?;
                self.that((i as usize) < self.r.vectors.len(), "there is no such vector")
            }
            Op::Get(slot) => self.slot(slot.0, ty),
            Op::Set(slot, v) => {
                self.result(Ty::Void)?;
                self.slot(slot.0, self.r.ty(v))
            }
            Op::FpFlagsGet | Op::Concurrent => self.result(Ty::I32),
            Op::FpFlagsSet(v) => {
                self.result(Ty::Void)?;
                self.operand(v, Ty::I32)
            }
            Op::Insn { .. } | Op::Poll { .. } | Op::ClearExcl | Op::Fence(_) => self.result(Ty::Void),
            Op::Load(_)
            | Op::LoadAhead(_)
            | Op::LoadLanes(..)
            | Op::StoreLanes(..)
            | Op::StoreAhead(..)
            | Op::Store(..)
            | Op::AtomicRmw(..)
            | Op::CmpXchg { .. }
            | Op::LoadExcl(..)
            | Op::StoreExcl(..)
            | Op::Prefetch(_) => self.memory(),
            Op::X87 { image, op, v } => {
                self.result(op.result())?;
                self.unit(image.0)?;
                match op.operand() {
                    Some(ty) => self.operand(v, ty),
                    None => self.that(v.is_none(), "an operand too many"),
                }
            }
            Op::X87Mem { image, mem, .. } => {
                self.result(Ty::Void)?;
                self.unit(image.0)?;
                self.that(matches!(mem.size, 2 | 4 | 8 | 10), "no operand of the unit has that size")?;
                let integer = Mem { size: 8, ..mem };
                self.place(&integer, Ty::I64)
            }
            Op::Call(_, args) => {
                let n = args.iter().take_while(|v| !v.is_none()).count();
                self.that(args[n..].iter().all(|v| v.is_none()), "arguments have a gap")
            }
            Op::FlagsAdd(..)
            | Op::FlagsSub(..)
            | Op::FlagsAdc(..)
            | Op::FlagsSbc(..)
            | Op::FlagsLogic(_)
            | Op::FlagsNz(..)
            | Op::FlagsNzc(..)
            | Op::FlagsSetC(..)
            | Op::FlagsOppositeC(_)
            | Op::FlagsShift { .. }
            | Op::FlagsFcmp { .. }
            | Op::FlagsToBits(_)
            | Op::FlagsFromBits(_)
            | Op::FlagsStep { .. }
            | Op::FlagsShiftX86 { .. }
            | Op::FlagsShiftDouble { .. }
            | Op::FlagsProduct { .. }
            | Op::FlagsTest(..)
            | Op::FlagsToEflags(_)
            | Op::FlagsFromEflags(_)
            | Op::Cond(..) => self.flags(),
            Op::Fp1(..)
            | Op::Fp2(..)
            | Op::Fma { .. }
            | Op::FpCvt { .. }
            | Op::FpToInt { .. }
            | Op::FpFromInt { .. }
            | Op::FpToIntJs(_)
            | Op::FpCmp(..) => self.float(),
            Op::V1(..)
            | Op::V2(..)
            | Op::V3(..)
            | Op::VShift(..)
            | Op::Crypto(..)
            | Op::VExt(..)
            | Op::VFromScalar(_)
            | Op::VLow(_)
            | Op::VSplat(..)
            | Op::VSplatLane(..)
            | Op::VGet(..)
            | Op::VSigns(..)
            | Op::VSet(..) => self.vector(),
            Op::Bin(..)
            | Op::Un(..)
            | Op::Zext(_)
            | Op::Sext(_)
            | Op::Trunc(_)
            | Op::Extract { .. }
            | Op::Deposit { .. }
            | Op::Funnel { .. }
            | Op::ShiftDouble { .. }
            | Op::Cmp(..)
            | Op::Select(..)
            | Op::AddC(..)
            | Op::SubC(..)
            | Op::Crc32 { .. }
            | Op::DivWide { .. }
            | Op::Strings { .. }
            | Op::Bitcast(_) => self.scalar(),
        }
    }

    fn slot(&self, slot: u16, ty: Ty) -> Checked {
        match self.slot_types.get(usize::from(slot)) {
            Some(&is) => need(is == ty, || format!("the slot is {is:?}, the value {ty:?}")),
            None => Err("there is no such slot".to_owned()),
        }
    }

    fn scalar(&self) -> Checked {
        let ty = self.ty;
        match *self.op {
            Op::Bin(..) | Op::Un(..) => {
                self.integer(ty)?;
                self.all(ty)
            }
            Op::Zext(v) | Op::Sext(v) | Op::Trunc(v) => {
                let from = self.r.ty(v);
                self.integer(ty)?;
                self.integer(from)?;
                let narrows = matches!(self.op, Op::Trunc(_));
                let right = if narrows { from.bits() > ty.bits() } else { from.bits() < ty.bits() };
                need(right, || format!("from {from:?} to {ty:?}"))
            }
            Op::Extract { lsb, width, .. } | Op::Deposit { lsb, width, .. } => {
                self.integer(ty)?;
                self.all(ty)?;
                self.that(width > 0 && u32::from(lsb) + u32::from(width) <= ty.bits(), "no such bits")
            }
            Op::Funnel { amount, .. } => {
                self.integer(ty)?;
                self.all(ty)?;
                self.that(u32::from(amount) < ty.bits(), "the amount is below the width")
            }
            Op::ShiftDouble { .. } => {
                self.all(ty)?;
                self.that(matches!(ty, Ty::I32 | Ty::I64), "it has 32 bits or 64")
            }
            Op::Cmp(_, a, b) => {
                self.result(Ty::I1)?;
                self.integer(self.r.ty(a))?;
                self.operand(b, self.r.ty(a))
            }
            Op::Select(cond, a, b) => {
                self.that(ty != Ty::Void, "a selection has a value")?;
                self.operand(cond, Ty::I1)?;
                self.operands(&[a, b], ty)
            }
            Op::AddC(a, b, flags) | Op::SubC(a, b, flags) => {
                self.number(ty)?;
                self.operands(&[a, b], ty)?;
                self.operand(flags, Ty::Flags)
            }
            Op::DivWide { hi, lo, divisor, .. } => {
                self.that(matches!(ty, Ty::I32 | Ty::I64), "a division of 32 or 64 bits")?;
                self.operands(&[hi, lo, divisor], ty)
            }
            Op::Strings { a, b, lengths, .. } => {
                self.that(matches!(ty, Ty::I32 | Ty::V128 | Ty::Flags), "an index, a mask or flags")?;
                self.operands(&[a, b], Ty::V128)?;
                self.operand(lengths, Ty::I64)
            }
            Op::Crc32 { acc, v, bytes, .. } => {
                self.result(Ty::I32)?;
                self.operand(acc, Ty::I32)?;
                self.number(self.r.ty(v))?;
                self.that(matches!(bytes, 1 | 2 | 4 | 8), "1, 2, 4 or 8 bytes")?;
                self.that(usize::from(bytes) <= self.r.ty(v).bytes(), "the value has fewer bytes")
            }
            Op::Bitcast(v) => {
                let from = self.r.ty(v);
                let right = is_scalar(from) && is_scalar(ty) && from.bits() == ty.bits();
                need(right, || format!("from {from:?} to {ty:?}"))
            }
            _ => unreachable!("not a scalar operation"),
        }
    }

    fn flags(&self) -> Checked {
        match *self.op {
            Op::Cond(_, flags) => {
                self.operand(flags, Ty::Flags)?;
                self.result(Ty::I1)
            }
            Op::FlagsToBits(flags) | Op::FlagsToEflags(flags) => {
                self.operand(flags, Ty::Flags)?;
                self.result(Ty::I32)
            }
            _ => {
                self.result(Ty::Flags)?;
                self.flags_operands()
            }
        }
    }

    fn flags_operands(&self) -> Checked {
        match *self.op {
            Op::FlagsAdd(a, b) | Op::FlagsSub(a, b) => {
                self.number(self.r.ty(a))?;
                self.operand(b, self.r.ty(a))
            }
            Op::FlagsAdc(a, b, flags) | Op::FlagsSbc(a, b, flags) => {
                self.number(self.r.ty(a))?;
                self.operand(b, self.r.ty(a))?;
                self.operand(flags, Ty::Flags)
            }
            Op::FlagsLogic(v) => self.number(self.r.ty(v)),
            Op::FlagsNzc(v, c, flags) => {
                self.number(self.r.ty(v))?;
                self.operand(c, Ty::I1)?;
                self.operand(flags, Ty::Flags)
            }
            Op::FlagsNz(v, flags) => {
                self.number(self.r.ty(v))?;
                self.operand(flags, Ty::Flags)
            }
            Op::FlagsShift { shift, v, amount, flags } => {
                self.number(self.r.ty(v))?;
                self.that(matches!(shift, Bin::Shl | Bin::Shr | Bin::Sar), "flags of another operation than a shift")?;
                self.that((1..self.r.ty(v).bits()).contains(&amount.into()), "shifted by nothing, or out")?;
                self.operand(flags, Ty::Flags)
            }
            Op::FlagsOppositeC(flags) => self.operand(flags, Ty::Flags),
            Op::FlagsSetC(flags, c) => {
                self.operand(flags, Ty::Flags)?;
                self.operand(c, Ty::I1)
            }
            Op::FlagsFcmp { fmt, a, b, .. } => self.operands(&[a, b], fmt.ty()),
            Op::FlagsFromBits(v) | Op::FlagsFromEflags(v) => self.operand(v, Ty::I32),
            Op::FlagsStep { v, flags, .. } => {
                self.number(self.r.ty(v))?;
                self.operand(flags, Ty::Flags)
            }
            Op::FlagsShiftX86 { v, amount, flags, .. } => {
                self.operands(&[v, amount], self.r.ty(v))?;
                self.number(self.r.ty(v))?;
                if flags.is_none() { Ok(()) } else { self.operand(flags, Ty::Flags) }
            }
            Op::FlagsShiftDouble { a, b, amount, flags, .. } => {
                let ty = self.r.ty(a);
                self.operands(&[b, amount], ty)?;
                self.that(matches!(ty, Ty::I32 | Ty::I64), "it has 32 bits or 64")?;
                if flags.is_none() { Ok(()) } else { self.operand(flags, Ty::Flags) }
            }
            Op::FlagsProduct { a, b, .. } => {
                self.number(self.r.ty(a))?;
                self.operand(b, self.r.ty(a))
            }
            Op::FlagsTest(a, b) => self.operands(&[a, b], Ty::V128),
            _ => unreachable!("not an operation on flags"),
        }
    }

    fn shape(&self, shape: Shape) -> Checked {
        self.that(lanes_fit(shape.fmt.lane(), shape.lanes), "so many lanes do not fit")
    }

    fn float(&self) -> Checked {
        match *self.op {
            Op::Fp1(op, shape, ..) => {
                let small = matches!(shape.fmt, Fmt::F16 | Fmt::BF16);
                self.that(!small || !matches!(op, Fp1::RoundInt32 | Fp1::RoundInt64), "F32 and F64 only")?;
                self.shape(shape)?;
                self.all(shape.ty())
            }
            Op::Fp2(_, shape, ..) | Op::Fma { shape, .. } => {
                // Of two it is the first.
                let operands = if matches!(self.op, Op::Fma { .. }) { 3 } else { 1 };
                match shape.low_of() {
                    Some(of) => self.that(of < operands, "above stands what does in an operand")?,
                    None => self.shape(shape)?,
                }
                self.all(shape.ty())
            }
            Op::FpCmp(_, shape, ..) => {
                self.that(shape.lanes > 0, "a comparison of lanes has lanes")?;
                self.shape(shape)?;
                self.all(Ty::V128)
            }
            Op::FpCvt { from, to, lanes, v, .. } => {
                self.that(from != to, "from a format to itself")?;
                self.shape(Shape { fmt: from, lanes })?;
                self.shape(Shape { fmt: to, lanes })?;
                self.operand(v, Shape { fmt: from, lanes }.ty())?;
                self.result(Shape { fmt: to, lanes }.ty())
            }
            Op::FpToInt { shape, bits, fbits, v, .. } => {
                self.that(matches!(bits, 16 | 32 | 64), "an integer of 16, 32 or 64 bits")?;
                self.that(fbits <= bits, "more fraction bits than bits")?;
                self.integers(shape, self.ty, bits.into())?;
                self.operand(v, shape.ty())
            }
            Op::FpFromInt { shape, fbits, v, .. } => {
                self.that(fbits <= 64, "more fraction bits than bits")?;
                self.integers(shape, self.r.ty(v), shape.fmt.lane().bits())?;
                self.result(shape.ty())
            }
            Op::FpToIntJs(v) => {
                self.operand(v, Ty::F64)?;
                self.result(Ty::I32)
            }
            _ => unreachable!("not a floating-point operation"),
        }
    }

    /// The integer side of a conversion: a scalar of 32 or 64 bits, or lanes as wide as the format's.
    fn integers(&self, shape: Shape, ty: Ty, bits: u32) -> Checked {
        self.shape(shape)?;
        if shape.lanes > 0 {
            self.that(bits == shape.fmt.lane().bits(), "integers as wide as the lanes")?;
            return need(ty == Ty::V128, || format!("the integers are {ty:?}, V128 wanted"));
        }
        let to_int = matches!(self.op, Op::FpToInt { .. });
        let right = matches!(ty, Ty::I32 | Ty::I64) && (!to_int || bits <= ty.bits());
        need(right, || format!("the integer is {ty:?}"))
    }

    fn vector(&self) -> Checked {
        match *self.op {
            Op::V1(op, lane, _) => {
                need(v1_lanes(op).contains(&lane), || format!("no lanes {lane:?}"))?;
                self.all(Ty::V128)
            }
            Op::V2(op, lane, ..) => {
                need(v2_lanes(op).contains(&lane), || format!("no lanes {lane:?}"))?;
                self.all(Ty::V128)
            }
            Op::V3(op, lane, ..) => {
                use crate::op::V3::{SatDoubleMulAddHi, SatDoubleMulSubHi};
                let right = !matches!(op, SatDoubleMulAddHi | SatDoubleMulSubHi) || HALF_WORDS.contains(&lane);
                need(right, || format!("no lanes {lane:?}"))?;
                self.all(Ty::V128)
            }
            Op::Crypto(..) => self.all(Ty::V128),
            Op::VShift(op, lane, _, amount) => {
                let amount = u32::from(amount);
                let right = match op {
                    VShift::Shl | VShift::ShlSatS | VShift::ShlSatU | VShift::ShlSatSU => amount < lane.bits(),
                    VShift::ShrU | VShift::ShrS | VShift::ShrRoundU | VShift::ShrRoundS => {
                        (1..=lane.bits()).contains(&amount)
                    }
                };
                self.that(right, "no shift by that amount")?;
                self.all(Ty::V128)
            }
            Op::VExt(_, _, n) => {
                self.that(n <= 16, "from byte 0 to 16")?;
                self.all(Ty::V128)
            }
            Op::VFromScalar(v) => {
                self.that(is_scalar(self.r.ty(v)), "a vector from a scalar")?;
                self.result(Ty::V128)
            }
            Op::VLow(v) => {
                self.that(self.r.ty(v).is_float(), "a vector from a floating-point scalar")?;
                self.result(Ty::V128)
            }
            Op::VSplat(lane, v) => {
                self.lane_value(lane, self.r.ty(v))?;
                self.result(Ty::V128)
            }
            Op::VSplatLane(lane, _, n) => {
                self.lane_number(lane, n)?;
                self.all(Ty::V128)
            }
            Op::VGet(lane, v, n) => {
                self.lane_of(lane, v, n)?;
                self.lane_value(lane, self.ty)
            }
            Op::VSigns(lane, v) => {
                self.that(lane != Lane::H, "no signs of lanes H")?;
                self.operand(v, Ty::V128)?;
                self.result(Ty::I32)
            }
            Op::VSet(lane, v, scalar, n) => {
                self.lane_of(lane, v, n)?;
                self.lane_value(lane, self.r.ty(scalar))?;
                self.result(self.r.ty(v))
            }
            _ => unreachable!("not a vector operation"),
        }
    }

    fn lane_number(&self, lane: Lane, n: u8) -> Checked {
        self.that(usize::from(n) < 16 / lane.bytes(), "there is no such lane")
    }

    /// A lane of a vector or of an F64.
    fn lane_of(&self, lane: Lane, v: Val, n: u8) -> Checked {
        if self.r.ty(v) == Ty::F64 {
            return self.that((usize::from(n) + 1) * lane.bytes() <= 8, "an F64 has no such lane");
        }
        self.lane_number(lane, n)?;
        self.operand(v, Ty::V128)
    }

    fn lane_value(&self, lane: Lane, ty: Ty) -> Checked {
        need(is_scalar(ty) && ty.bytes() == lane.bytes(), || format!("{ty:?} is no lane {lane:?}"))
    }

    fn memory(&self) -> Checked {
        let ty = self.ty;
        match *self.op {
            Op::Load(mem) => {
                self.place(&mem, ty)?;
                self.that(mem.ext == Ext::Zero || ty.is_int(), "only integers have a sign extension")
            }
            Op::LoadAhead(mem) => {
                self.place(&mem, ty)?;
                self.that(ty == Ty::V128 && mem.size == 16 && mem.align == Align::Any, "what is read ahead is a vector")
            }
            Op::StoreAhead(mem, v, second) => {
                self.result(Ty::Void)?;
                self.place(&mem, self.r.ty(v))?;
                let vector = |v: Val| self.r.ty(v) == Ty::V128;
                let is_vector =
                    vector(v) && (second.is_none() || vector(second)) && mem.size == 16 && mem.align == Align::Any;
                self.that(is_vector, "what is written ahead is a vector")
            }
            Op::Store(mem, v) => {
                self.result(Ty::Void)?;
                self.place(&mem, self.r.ty(v))
            }
            Op::LoadLanes(mem, mask) => {
                self.result(Ty::V128)?;
                self.operand(mask, Ty::V128)?;
                self.lanes_there(&mem)
            }
            Op::StoreLanes(mem, v, mask) => {
                self.result(Ty::Void)?;
                self.operands(&[v, mask], Ty::V128)?;
                self.lanes_there(&mem)
            }
            Op::AtomicRmw(_, _, align, addr, v) => {
                self.address(addr)?;
                self.alignment(align)?;
                self.number(ty)?;
                self.operand(v, ty)
            }
            Op::CmpXchg { addr, expected, new, align } => {
                self.address(addr)?;
                self.exchanged(ty)?;
                self.alignment(align)?;
                self.that(ty != Ty::V128 || align == Align::To(16), "16 bytes are exchanged at a multiple of 16")?;
                self.operands(&[expected, new], ty)
            }
            Op::LoadExcl(addr, _, align) => {
                self.address(addr)?;
                self.exchanged(ty)?;
                self.in_granule(align, ty)
            }
            Op::StoreExcl(addr, v, _, align) => {
                self.address(addr)?;
                self.exchanged(self.r.ty(v))?;
                self.in_granule(align, self.r.ty(v))?;
                self.result(Ty::I32)
            }
            Op::Prefetch(addr) => {
                self.result(Ty::Void)?;
                self.address(addr)
            }
            _ => unreachable!("not an operation on memory"),
        }
    }

    /// The slots of a unit's image.
    fn unit(&self, first: u16) -> Checked {
        let slots = self.slot_types.get(usize::from(first)..usize::from(first) + x87::IMAGE / 16);
        self.that(slots.is_some_and(|s| s.iter().all(|ty| *ty == Ty::V128)), "the unit's image is not in guest state")
    }

    /// I8 to I64, or V128.
    fn exchanged(&self, ty: Ty) -> Checked {
        if ty == Ty::V128 { Ok(()) } else { self.number(ty) }
    }

    fn alignment(&self, align: Align) -> Checked {
        let known = !matches!(align, Align::To(n) if !n.is_power_of_two() || n > 64);
        self.that(known, "alignment is to a power of two")
    }

    /// An exclusive access lies within the monitor's granule.
    fn in_granule(&self, align: Align, ty: Ty) -> Checked {
        self.alignment(align)?;
        let within = match align {
            Align::Any => ty == Ty::I8,
            Align::To(n) => usize::from(n) >= ty.bytes(),
            Align::Within16 => ty != Ty::V128,
            Align::Vector => false,
        };
        self.that(within, "an exclusive access lies within 16 aligned bytes")
    }

    /// An access of lanes of a vector.
    fn lanes_there(&self, mem: &Mem) -> Checked {
        self.place(mem, Ty::V128)?;
        self.that(matches!(mem.size, 4 | 8) && mem.align == Align::Any && !mem.big, "lanes of 4 or 8 bytes")
    }

    /// An access by a value of type `ty`.
    fn place(&self, mem: &Mem, ty: Ty) -> Checked {
        self.address(mem.base)?;
        if !mem.index.is_none() {
            self.operand(mem.index, self.r.ty(mem.base))?;
        }
        self.alignment(mem.align)?;
        self.that(mem.align != Align::Vector || mem.size == 16 && !mem.big, "a vector of 16 bytes is aligned as such")?;
        if let Some(told) = mem.on_fault {
            need(self.slot_types.get(told.slot.0 as usize) == Some(&self.r.ty(mem.base)), || {
                "a slot for the address".to_owned()
            })?;
        }
        self.that(mem.scale <= 3, "the index is shifted by 3 at most")?;
        self.that(matches!(mem.size, 1 | 2 | 4 | 8 | 16), "1, 2, 4, 8 or 16 bytes")?;
        let size = usize::from(mem.size);
        let fits = is_data(ty) && if ty.is_float() { size == ty.bytes() } else { size <= ty.bytes() };
        need(fits, || format!("{size} bytes and {ty:?}"))
    }
}

const ANY: &[Lane] = &[Lane::B, Lane::H, Lane::S, Lane::D];
const WIDENED: &[Lane] = &[Lane::B, Lane::H, Lane::S];
const NARROWED: &[Lane] = &[Lane::H, Lane::S, Lane::D];
const HALF_WORDS: &[Lane] = &[Lane::H, Lane::S];

fn v1_lanes(op: V1) -> &'static [Lane] {
    match op {
        V1::Popcnt | V1::Bitrev => &[Lane::B],
        V1::Bswap | V1::Narrow | V1::NarrowSatS | V1::NarrowSatSU | V1::NarrowSatU => NARROWED,
        V1::WidenS | V1::WidenU | V1::PairAddS | V1::PairAddU => WIDENED,
        V1::ZeroHi | V1::MoveHi => &[Lane::D],
        V1::RecipEstimateU | V1::RsqrtEstimateU => &[Lane::S],
        V1::Not | V1::Neg | V1::Abs | V1::SatAbs | V1::SatNeg | V1::Clz | V1::Cls => ANY,
    }
}

fn v2_lanes(op: V2) -> &'static [Lane] {
    match op {
        V2::SatDoubleMulHi | V2::SatDoubleMulHiRound | V2::SatDoubleMulWide => HALF_WORDS,
        V2::Tbl | V2::SumAbsDiff | V2::MulAddPairsSat => &[Lane::B],
        V2::MulHiS | V2::MulHiU | V2::MulHiRound | V2::MulAddPairs => &[Lane::H],
        V2::MulEvenS | V2::MulEvenU => &[Lane::S],
        V2::PackS | V2::PackU => HALF_WORDS,
        V2::ShlAll | V2::ShrAllU | V2::ShrAllS => &[Lane::H, Lane::S, Lane::D],
        V2::ShlEach | V2::ShrEachU => &[Lane::S, Lane::D],
        V2::ShrEachS => &[Lane::S],
        V2::SignOf => WIDENED,
        V2::MulWideS | V2::MulWideU => WIDENED,
        V2::PairwiseMinS | V2::PairwiseMinU | V2::PairwiseMaxS | V2::PairwiseMaxU => WIDENED,
        V2::PMulWide => &[Lane::B, Lane::D],
        V2::ConcatLo | V2::ConcatHi => &[Lane::D],
        _ => ANY,
    }
}
