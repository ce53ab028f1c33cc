//! Where a computed call or jump is going to lead, guessed by what slots and memory hold now. Whoever goes there compares first.

use crate::Cpu;
use crate::memory::Direct;
use ir::interp::Memory;
use ir::{Ext, Mem, Op, Region, Ty, Val};

/// Operations behind one another that are followed.
const DEEPEST: u32 = 16;

/// The value `v` of a region if that were run now, as far as its instructions before are those that have run. It reads memory, which the region would too.
pub(crate) fn value(r: &Region, v: Val, cpu: &Cpu) -> Option<u64> {
    Guess { r, cpu }.value(v, DEEPEST)
}

struct Guess<'a> {
    r: &'a Region,
    cpu: &'a Cpu,
}

impl Guess<'_> {
    fn value(&self, v: Val, deep: u32) -> Option<u64> {
        let deep = deep.checked_sub(1)?;
        let (op, ty) = (self.r.op(v), self.r.ty(v));
        match *op {
            Op::Const(c) => Some(c),
            Op::Get(slot) if matches!(ty, Ty::I32 | Ty::I64) => {
                let before = self.r.insts[..v.0 as usize].iter().rev();
                let set = before.map(|i| i.op).find_map(|op| match op {
                    Op::Set(s, v) if s == slot => Some(v),
                    _ => None,
                });
                set.map_or_else(|| Some(self.cpu.get(slot)), |v| self.value(v, deep))
            }
            Op::Load(mem) if ty.is_int() => self.load(&mem, ty, deep),
            Op::Bin(..) | Op::Zext(_) | Op::Sext(_) | Op::Trunc(_) => self.computed(op, ty, deep),
            _ => None,
        }
    }

    fn computed(&self, op: &Op, ty: Ty, deep: u32) -> Option<u64> {
        let (mut args, mut types, mut n) = ([0; 4], [Ty::Void; 4], 0);
        let mut all = Some(());
        op.for_each_arg(|a| {
            let value = self.value(a, deep);
            all = all.and(value.map(|_| ()));
            (args[n], types[n]) = (value.unwrap_or(0).into(), self.r.ty(a));
            n += 1;
        });
        all.map(|()| ir::eval(op, ty, &types, &args, &mut 0) as u64)
    }

    fn load(&self, mem: &Mem, ty: Ty, deep: u32) -> Option<u64> {
        if mem.big || mem.space != 0 || mem.size > 8 {
            return None;
        }
        let index = if mem.index.is_none() { 0 } else { self.value(mem.index, deep)? << mem.scale };
        let address = self.value(mem.base, deep)?.wrapping_add(index).wrapping_add_signed(mem.disp.into());
        let mut stamp = 0;
        let mut memory = Direct { stamp: &mut stamp, tagged: true };
        let address = address & self.r.ty(mem.base).mask();
        let raw = memory.load(address, mem.size.into()).ok()? as u64;
        let spare = 64 - 8 * u32::from(mem.size);
        let wide = if mem.ext == Ext::Sign { ((raw << spare).cast_signed() >> spare).cast_unsigned() } else { raw };
        Some(wide & ty.mask())
    }
}
