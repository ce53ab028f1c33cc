//! Peels innermost loops: their first round gets code of its own. So all ways to the head of the loop that goes round come from the loop itself,
//! and what holds at its end holds at its head. Short ones go two rounds at a time, of which the second does not poll.

use super::rebuild::copy_of_block;
use crate::op::Op;
use crate::region::{Block, BlockId, Region, Term};

/// Guest instructions of a loop that is worth it.
const MOST_INSNS: usize = 64;
/// And of one that is worth writing twice.
const SHORT: usize = 24;

/// Sets of blocks as words of bits.
type Set = Vec<u64>;

fn has(set: &[u64], n: usize) -> bool {
    set[n / 64] >> (n % 64) & 1 != 0
}

/// Peels the region's small innermost loops whose heads are among the first `narrow` blocks: [`scan`](super::scan) has made the others.
pub fn peel(r: &mut Region, narrow: usize) {
    let loops = loops_among(r, narrow);
    for (n, (head, body)) in loops.iter().enumerate().filter(|(_, l)| l.0 < narrow) {
        let inner = loops
            .iter()
            .enumerate()
            .any(|(m, (other, inside))| m != n && inside.len() < body.len() && body.contains(other));
        let insns: usize = body.iter().map(|&b| insns(r, b)).sum();
        if insns > MOST_INSNS {
            // An outer loop comes behind an inner one with the same head, whose ends it has too.
            let whole = loops[n..].iter().take_while(|l| l.0 == *head).last().map_or(body, |l| &l.1);
            poll_behind(r, *head, whole);
        } else if !inner {
            let first = copy_loop(r, *head, body, Back::ToCopy);
            if insns <= SHORT {
                let copy: Vec<usize> = (first..r.blocks.len()).collect();
                let head = first + body.binary_search(head).expect("a loop has its head");
                copy_loop(r, head, &copy, Back::ToLoop);
            }
        }
    }
}

/// Lets the ends of a loop alone lead to the poll at its head, in a block of its own: what they bring is not what who enters it brings, flags in their slot
/// mostly, and behind the poll mostly nobody asks for either.
fn poll_behind(r: &mut Region, head: usize, body: &[usize]) {
    let Block { start, end, .. } = r.blocks[head];
    if start == end || !matches!(r.insts[start as usize].op, Op::Poll { .. }) {
        return;
    }
    let poll = BlockId(r.blocks.len() as u32);
    r.blocks[head].start = start + 1;
    for &b in body {
        r.blocks[b].term.map_successors(|s| if s.0 as usize == head { poll } else { s });
    }
    let term = Term::Jump(BlockId(head as u32));
    r.blocks.push(Block { start, end: start + 1, term, params: Vec::new(), args: Vec::new() });
}

fn insns(r: &Region, block: usize) -> usize {
    let Block { start, end, .. } = r.blocks[block];
    r.insts[start as usize..end as usize].iter().filter(|i| matches!(i.op, Op::Insn { .. })).count()
}

/// Natural loops: their heads and their blocks, in order. A region that begins in the middle of an outer loop, at the head of an inner one, has both
/// with one head. The outer one's code begins before that head, or has a copy of what the inner one has (`entries.rs`), which tells them apart.
pub(super) fn loops(r: &Region) -> Vec<(usize, Vec<usize>)> {
    loops_among(r, r.blocks.len())
}

/// The same where copies are only looked for among the first `narrow` blocks.
fn loops_among(r: &Region, narrow: usize) -> Vec<(usize, Vec<usize>)> {
    let dominators = dominators(r);
    let mut before = vec![Vec::new(); r.blocks.len()];
    for (n, b) in r.blocks.iter().enumerate() {
        b.term.successors().for_each(|s| before[s.0 as usize].push(n));
    }
    let mut found = Vec::new();
    for head in 0..r.blocks.len() {
        let back: Vec<usize> = before[head].iter().copied().filter(|&b| has(&dominators[b], head)).collect();
        if back.is_empty() {
            continue;
        }
        let whole = natural_loop(&before, head, &back);
        let is_outer = |body: &[usize]| {
            let mut pcs: Vec<u64> = body.iter().filter(|&&b| b < narrow).filter_map(|&b| pc(r, b)).collect();
            pcs.sort_unstable();
            pcs.first().copied() < pc(r, head) || pcs.windows(2).any(|w| w[0] == w[1])
        };
        if is_outer(&whole) {
            let inner: Vec<usize> =
                back.iter().copied().filter(|&b| !is_outer(&natural_loop(&before, head, &[b]))).collect();
            if !inner.is_empty() {
                found.push((head, natural_loop(&before, head, &inner)));
            }
        }
        found.push((head, whole));
    }
    found
}

/// The blocks from which the head can be reached by the ends `back` without passing it, in order.
fn natural_loop(before: &[Vec<usize>], head: usize, back: &[usize]) -> Vec<usize> {
    let mut open = back.to_vec();
    let mut inside = vec![false; before.len()];
    inside[head] = true;
    while let Some(b) = open.pop() {
        if !std::mem::replace(&mut inside[b], true) {
            open.extend(&before[b]);
        }
    }
    (0..inside.len()).filter(|&b| inside[b]).collect()
}

/// The block's first guest instruction.
pub(super) fn pc(r: &Region, block: usize) -> Option<u64> {
    let Block { start, end, .. } = r.blocks[block];
    r.insts[start as usize..end as usize].iter().find_map(|i| match i.op {
        Op::Insn { pc, .. } | Op::Poll { pc } => Some(pc),
        _ => None,
    })
}

/// How often each block runs, as far as loops tell: eight rounds each.
pub fn frequencies(r: &Region) -> Vec<u32> {
    let mut times = vec![1; r.blocks.len()];
    for (_, body) in loops(r) {
        for b in body {
            times[b] = (times[b] * 8).min(1 << 15);
        }
    }
    times
}

/// For each block, which blocks every way to it passes, itself among them. Blocks that cannot be reached: all.
fn dominators(r: &Region) -> Vec<Set> {
    let words = r.blocks.len().div_ceil(64);
    let mut sets = vec![vec![u64::MAX; words]; r.blocks.len()];
    sets[0] = vec![0; words];
    sets[0][0] = 1;
    let mut changed = true;
    while changed {
        changed = false;
        for n in 0..r.blocks.len() {
            let from = sets[n].clone();
            for s in r.blocks[n].term.successors().map(|s| s.0 as usize) {
                for (w, have) in sets[s].iter_mut().enumerate() {
                    let own = if w == s / 64 { 1 << (s % 64) } else { 0 };
                    let met = *have & (from[w] | own);
                    changed |= met != *have;
                    *have = met;
                }
            }
        }
    }
    sets
}

/// Where the end of a copy of a loop leads.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Back {
    /// To the copy: what was the loop is done once.
    ToCopy,
    /// To what was the loop: they take turns.
    ToLoop,
}

/// Lets a loop go on in a copy of itself, after its first round or each other one. Where the copy begins.
fn copy_loop(r: &mut Region, head: usize, body: &[usize], back: Back) -> usize {
    let first = r.blocks.len();
    let home = |b: BlockId| b.0 as usize == head;
    let copy_of = |b: BlockId| match body.binary_search(&(b.0 as usize)) {
        Ok(n) => BlockId((first + n) as u32),
        Err(_) => b,
    };
    for &b in body {
        let mut copy = copy_of_block(r, b);
        let at = copy.start;
        copy.term.map_successors(|b| if home(b) && back == Back::ToLoop { b } else { copy_of(b) });
        r.blocks.push(copy);
        r.blocks[b].term.map_successors(|b| if home(b) { copy_of(b) } else { b });
        if b == head
            && back == Back::ToLoop
            && let Some(inst) = r.insts.get_mut(at as usize)
            && let Op::Poll { pc } = inst.op
        {
            inst.op = Op::Insn { pc, extra: 0 };
        }
    }
    first
}
