//! Where ways of a region meet, and what loads tell of their addresses.

use super::*;
use crate::{Round, Ways};

static TYPES: [Ty; 2] = [Ty::I64, Ty::I1];
const X: Slot = Slot(0);
const START: u64 = 0x1000;
const MET: u64 = 0x1010;

/// A region that branches to `to` on `cond`, has a write, and goes on at `to` if it may.
fn branch_over(to: u64, cond: impl Fn(&mut Builder) -> Val) -> (Builder, bool) {
    let mut b = Builder::new(&TYPES);
    b.lasting = true;
    b.start(START, 0, FpControl { round: Round::NearestEven });
    b.insn(START, 0, START + 4);
    let x = b.get(X);
    let cond = cond(&mut b);
    b.leave_if(cond, Term::Goto { pc: to });
    b.insn(START + 4, 0, START + 8);
    let one = b.i64(1);
    let sum = b.add(x, one);
    b.set(X, sum);
    assert!(b.is_target(to) && !b.is_target(START + 8));
    let met = b.meet(to);
    if met {
        b.insn(to, 0, to + 4);
        let x = b.get(X);
        assert!(x.0 > sum.0, "nothing is known of slots where ways meet");
        b.set(X, x);
    }
    b.end(Term::Resume { pc: to + 4 });
    (b, met)
}

/// The blocks that lead to the one at [`MET`].
fn lead_there(b: &Builder) -> Vec<usize> {
    let [(MET, join)] = b.region.side_entries[..] else { panic!("{:?}", b.region.side_entries) };
    let leads = |n: &usize| b.region.blocks[*n].term.successors().any(|to| to == join);
    (0..b.region.blocks.len()).filter(leads).collect()
}

#[test]
fn a_branch_ahead_stays_within_the_region() {
    let (b, met) = branch_over(MET, |b| b.get(Slot(1)));
    assert!(met && lead_there(&b).len() == 2);
    assert!(!b.region.blocks.iter().any(|block| matches!(block.term, Term::Goto { .. })) || lead_there(&b)[0] == 0);
}

#[test]
fn a_branch_that_is_never_taken_leads_nowhere() {
    let (b, _) = branch_over(MET, |b| b.i1(false));
    assert_eq!(lead_there(&b).len(), 1, "what stands before it alone goes on there");
    let (b, _) = branch_over(MET, |b| b.i1(true));
    assert!(lead_there(&b).contains(&0), "it always goes there");
}

#[test]
fn where_ways_meet_is_come_to_from_outside_too() {
    let (b, _) = branch_over(MET, |b| b.i1(false));
    let join = b.region.side_entries[0].1.0 as usize;
    let mut ways = Ways::default();
    ways.find(&b.region);
    assert_eq!((ways.count[join], ways.falls[join]), (2, None));
    assert_eq!(ways.begins_at[join], (MET, 0));
}

#[test]
fn a_region_is_entered_on_its_own_page_alone() {
    let (b, met) = branch_over(START + 0x1000, |b| b.get(Slot(1)));
    assert!(!met && b.region.side_entries.is_empty());
}

/// A load from X + 8, by the address in X or in another value; between it and where X is written again, `between`. What the load tells should it fault.
fn load_between(by_slot: bool, before: impl Fn(&mut Builder), between: impl Fn(&mut Builder, Val)) -> Option<OnFault> {
    let mut b = Builder::new(&TYPES);
    b.lasting = true;
    b.start(START, 0, FpControl { round: Round::NearestEven });
    b.insn(START, 0, START + 4);
    let x = b.get(X);
    let sum = b.add_imm(x, 8);
    if by_slot {
        b.set(X, sum);
    }
    before(&mut b);
    let loaded = b.load(Ty::I64, Mem::at(sum, 8).disp(4));
    if !by_slot {
        b.set(X, sum);
    }
    between(&mut b, sum);
    b.set(X, loaded);
    let op = b.region.insts.iter().find_map(|i| match i.op {
        Op::Load(mem) if mem.size == 8 => Some(mem.on_fault),
        _ => None,
    });
    op.expect("there is a load")
}

#[test]
fn a_load_tells_of_its_address_if_nothing_else_does() {
    let nothing = |_: &mut Builder| {};
    assert_eq!(load_between(true, nothing, |_, _| {}), Some(OnFault { slot: X, back: 4 }));
    // The slot has got the address behind the load only.
    assert_eq!(load_between(false, nothing, |_, _| {}), None);
    // Somebody leaves and sees it.
    let leaves = |b: &mut Builder, _| {
        let cond = b.get(Slot(1));
        b.leave_if(cond, Term::Goto { pc: MET });
    };
    assert_eq!(load_between(true, nothing, leaves), None);
    // Another access faults and shows it.
    let reads = |b: &mut Builder| {
        let at = b.i64(START);
        b.load(Ty::I64, Mem::at(at, 4));
    };
    assert_eq!(load_between(true, nothing, |b, _| reads(b)), None);
    // It is computed for somebody else anyway.
    let wants = |b: &mut Builder, sum| {
        let twice = b.add(sum, sum);
        let cond = b.trunc(Ty::I1, twice);
        b.set(Slot(1), cond);
    };
    assert_eq!(load_between(true, nothing, wants), None);
}
