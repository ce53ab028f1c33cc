//! x86's comparisons of strings, by the host's.

use super::super::asm::{L128, Reg, Shift, Size, Xmm, vop};
use super::super::{SCRATCH, XSCRATCH};
use super::Emitter;
use super::flags::Kind;
use ir::{Op, Ty, Val};

/// Where the host's instructions for a mask leave it.
const MASK: Xmm = Xmm(0);

impl Emitter<'_> {
    /// Index, mask or flags; the flags with either, if they follow.
    pub(super) fn strings(&mut self, v: Val) {
        let Op::Strings { control, explicit, a, b, lengths } = *self.r.op(v) else { return };
        let ty = self.r.ty(v);
        self.clobber();
        let flags = match ty {
            Ty::Flags => Some(v),
            _ => self.flags_after(v, |op| *op == *self.r.op(v)).filter(|f| self.r.ty(*f) == Ty::Flags),
        };
        if let Some(f) = flags {
            self.together_with(f);
        }
        if explicit {
            let both = self.reg(lengths);
            self.a.mov(Size::Q, SCRATCH, both);
            self.temp_at(Reg::RDX);
            self.a.mov(Size::Q, Reg::RDX, SCRATCH);
            self.a.shift_i(Shift::Shr, Size::Q, Reg::RDX, 32);
        }
        let op = match (ty, explicit) {
            (Ty::V128, true) => vop::VPCMPESTRM,
            (Ty::V128, false) => vop::VPCMPISTRM,
            (_, true) => vop::VPCMPESTRI,
            (_, false) => vop::VPCMPISTRI,
        };
        if ty == Ty::V128 {
            let result = self.xtemp();
            self.xmm.locked |= 1 << result.0;
            let (y, x) = (self.xm(b), self.x(a));
            // Scratch keeps what stands where the mask goes, unless it is needed for the first operand.
            self.a.v2(vop::VMOVAPS, L128, result, MASK);
            let x = self.low(x);
            self.a.v2i(op, L128, x, y, control);
            self.a.v2(vop::VMOVAPS, L128, XSCRATCH, MASK);
            self.a.v2(vop::VMOVAPS, L128, MASK, result);
            self.a.v2(vop::VMOVAPS, L128, result, XSCRATCH);
            self.xhold(v, result);
        } else {
            self.temp_at(Reg::RCX);
            let (y, x) = (self.xm(b), self.low_x(a));
            self.a.v2i(op, L128, x, y, control);
            if ty == Ty::I32 {
                // What must leave the result's home may go to any register.
                self.a.mov(Size::D, SCRATCH, Reg::RCX);
                self.gpr.locked &= !(1 << Reg::RCX.0);
                let d = self.def(v, None);
                self.a.mov(Size::D, d, SCRATCH);
            }
        }
        if let Some(f) = flags {
            self.now_hold(f, Kind::Int { inverted: true });
        }
    }

    /// The value in a register that instructions without an EVEX form can name where they write none.
    pub(super) fn low_x(&mut self, v: Val) -> Xmm {
        let x = self.x(v);
        self.low(x)
    }

    fn low(&mut self, x: Xmm) -> Xmm {
        if x.0 < 16 {
            return x;
        }
        self.a.v2(vop::VMOVAPS, L128, XSCRATCH, x);
        XSCRATCH
    }
}
