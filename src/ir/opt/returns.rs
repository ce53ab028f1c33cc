//! Computed jumps that may lead to code of the same region. Where a function has become part of a loop that calls it, the host's predictor of
//! returns knows nothing of the call, so a comparison takes its place. Other jumps are compared with each place that they are known to lead to; the back
//! end makes a table of that.

use super::rebuild::rebuild_ends;
use crate::builder::Builder;
use crate::op::{Slot, Val};
use crate::region::{Region, Term};
use crate::types::{IntCc, Ty};

/// Where computed jumps of a piece may lead within its region.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    pub returns: &'a [u64],
    /// Other jumps.
    pub jumps: &'a [u64],
    /// A call of a value.
    pub call: Option<u64>,
    /// The mode word behind them.
    pub mode: u32,
}

/// The piece, which goes on where it is expected to if it leads there; `types` are all slots', `pc` the slot of the program counter, in which the
/// address waits from one comparison to the next.
pub fn look_for(piece: &Region, expected: &Expected, types: &'static [Ty], pc: Slot) -> Region {
    let again = |b: &mut Builder, v: Val, now: &[Val]| b.again(piece, v, |v| now[v.0 as usize]);
    rebuild_ends(piece, types, again, |b, term| match term {
        Term::Return { pc: to } => {
            let pc = end(b, to, expected.returns, expected.mode, pc);
            b.end(Term::Return { pc });
        }
        Term::Indirect { pc: to } => {
            let pc = end(b, to, expected.jumps, expected.mode, pc);
            b.end(Term::Indirect { pc });
        }
        Term::CallIndirect { pc: to, ret } => {
            let pc = end_with(b, to, expected.call.as_slice(), pc, |pc| Term::Call { pc, ret });
            b.end(Term::CallIndirect { pc, ret });
        }
        term => b.end(term),
    })
}

/// Where a block goes to `to`: the address where it is none of those.
fn end(b: &mut Builder, to: Val, expected: &[u64], mode: u32, pc: Slot) -> Val {
    end_with(b, to, expected, pc, |pc| Term::Switch { pc, mode })
}

/// The same, where an expected address ends the block by `known`.
fn end_with(b: &mut Builder, to: Val, expected: &[u64], pc: Slot, known: impl Fn(u64) -> Term) -> Val {
    if expected.is_empty() {
        return to;
    }
    let ty = b.region.ty(to);
    let mut to = to;
    b.set(pc, to);
    for &ret in expected {
        let here = b.constant(ty, ret);
        let cond = b.cmp(IntCc::Eq, to, here);
        let (then, other) = (b.block(), b.block());
        b.end(Term::Branch { cond, then, other });
        b.enter(then);
        b.end(known(ret));
        b.enter(other);
        to = b.get(pc);
    }
    to
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::opt::Stitch;
    use crate::region::FpControl;
    use crate::types::{Cc, Round};

    /// The program counter, a link register, a counter, flags.
    static TYPES: [Ty; 4] = [Ty::I64, Ty::I64, Ty::I32, Ty::Flags];
    const PC: Slot = Slot(0);
    const LINK: Slot = Slot(1);
    const COUNT: Slot = Slot(2);

    fn piece(pc: u64, content: impl FnOnce(&mut Builder)) -> Region {
        let mut b = Builder::new(&TYPES);
        b.start(pc, 0, FpControl { round: Round::NearestEven });
        b.insn(pc, 0, pc + 4);
        content(&mut b);
        b.region
    }

    /// A loop that calls a function at 0x2000 and goes on behind the call, at 0x1004.
    fn with_call(returns: &[u64]) -> Option<Region> {
        let call = piece(0x1000, |b| {
            let link = b.i64(0x1004);
            b.set(LINK, link);
            b.end(Term::Call { pc: 0x2000, ret: 0x1004 });
        });
        let behind = piece(0x1004, |b| {
            let (count, one) = (b.get(COUNT), b.i32(1));
            let less = b.sub(count, one);
            let flags = b.flags_sub(count, one);
            b.set(COUNT, less);
            let (more, again, out) = (b.cond(Cc::Ne, flags), b.block(), b.block());
            b.branch(more, again, out);
            b.enter(again);
            b.end(Term::Goto { pc: 0x1000 });
            b.enter(out);
            b.end(Term::Goto { pc: 0x1008 });
        });
        let function = piece(0x2000, |b| {
            let pc = b.get(LINK);
            b.end(Term::Return { pc });
        });
        let mut stitch = Stitch::new((0x1000, 0), returns.to_vec(), 0);
        [call, behind].iter().for_each(|p| stitch.add(p));
        stitch.add(&look_for(&function, &Expected { returns, jumps: &[], call: None, mode: 0 }, &TYPES, PC));
        stitch.finish().map(|(region, _)| region)
    }

    #[test]
    fn a_call_and_its_return_become_jumps() {
        for returns in [&[0x1004][..], &[0x3000, 0x1004]] {
            let r = with_call(returns).expect("a loop");
            assert_eq!(crate::verify::check(&r, &TYPES), Ok(()));
            let ends = || r.blocks.iter().map(|b| b.term);
            assert!(!ends().any(|t| matches!(t, Term::Call { .. })));
            // Who returns elsewhere does so with the address that waited.
            let out = r.blocks.iter().find_map(|b| if let Term::Return { pc } = b.term { Some(pc) } else { None });
            assert!(matches!(*r.op(out.expect("a way out")), crate::op::Op::Get(PC)));
        }
    }

    #[test]
    fn a_computed_jump_becomes_comparisons() {
        let head = piece(0x1000, |b| {
            let pc = b.get(LINK);
            b.end(Term::Indirect { pc });
        });
        let stitched = |jumps: &[u64]| {
            let mut stitch = Stitch::new((0x1000, 0), Vec::new(), 0);
            stitch.add(&look_for(&head, &Expected { returns: &[], jumps, call: None, mode: 0 }, &TYPES, PC));
            for pc in [0x2000, 0x3000] {
                stitch.add(&piece(pc, |b| b.end(Term::Goto { pc: 0x1000 })));
            }
            stitch.finish().map(|(region, _)| region)
        };
        let r = stitched(&[0x2000, 0x3000]).expect("a loop");
        assert_eq!(crate::verify::check(&r, &TYPES), Ok(()));
        assert_eq!(r.blocks.iter().filter(|b| matches!(b.term, Term::Branch { .. })).count(), 2);
        assert!(r.blocks.iter().any(|b| matches!(b.term, Term::Indirect { .. })));
        assert!(stitched(&[]).is_none());
    }

    #[test]
    fn a_computed_call_is_one_of_what_it_is_expected_to_be() {
        let piece = piece(0x1000, |b| {
            let pc = b.get(LINK);
            b.end(Term::CallIndirect { pc, ret: 0x1004 });
        });
        let call = |call| {
            let r = look_for(&piece, &Expected { returns: &[], jumps: &[], call, mode: 0 }, &TYPES, PC);
            assert_eq!(crate::verify::check(&r, &TYPES), Ok(()));
            let ends: Vec<Term> = r.blocks.iter().map(|b| b.term).collect();
            ends
        };
        let [Term::Branch { .. }, Term::Call { pc: 0x2000, ret: 0x1004 }, Term::CallIndirect { ret: 0x1004, .. }] =
            call(Some(0x2000))[..]
        else {
            panic!("{:?}", call(Some(0x2000)))
        };
        assert!(matches!(call(None)[..], [Term::CallIndirect { .. }]));
    }

    #[test]
    fn without_them_there_is_no_loop() {
        assert!(with_call(&[]).is_none());
    }
}
