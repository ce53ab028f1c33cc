//! One region with an operation of each kind.

use super::region;
use crate::builder::Builder;
use crate::mem::Mem;
use crate::op::{Bin, Fp2, Slot, V2};
use crate::region::{FpControl, Term, Trap};
use crate::types::{Cc, Env, Fmt, Lane, NanRule, Order, Round, Shape, Ty};

#[test]
fn lines() {
    let mut b = Builder::new(&[Ty::I64, Ty::V128]);
    b.start(0x1000, 3, FpControl { round: Round::NearestEven });
    let (taken, out) = (b.block(), b.block());
    b.insn(0x1000, 0, 0x1004);
    let x = b.get(Slot(0));
    let y = b.load(Ty::I64, Mem::at(x, 4).index(x, 2).disp(-16).signed().order(Order::Acquire));
    let z = b.bin(Bin::AndNot, x, y);
    b.set(Slot(0), z);
    b.insn(0x1004, 5, 0x1008);
    let v = b.get(Slot(1));
    let v = b.v2(V2::SatAddS, Lane::H, v, v);
    let env = Env { nan: NanRule::Default, ..Env::IEEE_ARM.round(Round::NearestAway) };
    let v = b.fp2(Fp2::MinNum, Shape::vector(Fmt::F32, 4), env, v, v);
    b.set(Slot(1), v);
    let flags = b.flags_sub(z, x);
    let cond = b.cond(Cc::Ge, flags);
    b.branch(cond, taken, out);
    b.enter(taken);
    b.end(Term::Goto { pc: 0x2000 });
    b.enter(out);
    let low = b.i32(7);
    b.store(Mem::at(x, 2), low);
    b.trap(Trap::BranchTarget);
    let text = region(&b.region, &|slot| format!("x{}", slot.0));
    let expect = "\
region 0x1000 .. 0x1008, mode 0x3, 2 instructions
b0:
  -- 0x1000
  v1: i64 = get x0
  v2: i64 = load.4_signed_acquire [v1 + v1<<2 - 0x10]
  v3: i64 = and_not v1, v2
  set x0, v3
  -- 0x1004 extra 0x5
  v6: v128 = get x1
  v7: v128 = vsat_add_s.h v6, v6
  v8: v128 = fmin_num.f32x4{nearest_away nan_default} v7, v7
  set x1, v8
  v10: flags = flags_sub v3, v1
  v11: i1 = cond_ge v10
  branch v11 ? b1 : b2
b1:
  goto 0x2000
b2:
  v12: i32 = 0x7
  store.2 [v1], v12
  trap branch_target
";
    assert_eq!(text, expect);
}
