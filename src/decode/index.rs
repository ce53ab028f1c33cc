//! The two-level index of a section: which bits select a bucket, which bits of a bucket select a short list of rows.
//! Bits are chosen greedily, by how short they make the lists.

use crate::parse::Line;

/// First-level bits.
const ROOT_BITS: usize = 10;
/// Second-level bits at most.
const BUCKET_BITS: usize = 6;
/// A list this short is not split.
const SHORT: usize = 2;
/// Runs of bits that a bucket's index may gather.
const RUNS: usize = 3;

/// The index; a bit list is in ascending order.
#[derive(Debug)]
pub(crate) struct Index {
    pub(crate) bits: Vec<u8>,
    pub(crate) buckets: Vec<Bucket>,
}

/// One bucket: 2^bits lists of positions in the section's rows, most specific first.
#[derive(Debug)]
pub(crate) struct Bucket {
    pub(crate) bits: Vec<u8>,
    pub(crate) lists: Vec<Vec<usize>>,
}

/// Builds the index of rows with these depths.
pub(crate) fn build(lines: &[Line], depths: &[usize], width: u32) -> Index {
    let mut order: Vec<usize> = (0..lines.len()).collect();
    order.sort_by_key(|&i| std::cmp::Reverse(depths[i]));
    let bits = choose(lines, &order, width, ROOT_BITS.min(width as usize), usize::MAX);
    let buckets = split(lines, &order, &bits).into_iter().map(|list| bucket(lines, list, width)).collect();
    Index { bits, buckets }
}

fn bucket(lines: &[Line], list: Vec<usize>, width: u32) -> Bucket {
    let bits = choose(lines, &list, width, BUCKET_BITS, RUNS);
    Bucket { lists: split(lines, &list, &bits), bits }
}

/// The bits that leave the shortest lists, at most `most` in at most `runs` runs, in ascending order.
fn choose(lines: &[Line], list: &[usize], width: u32, most: usize, runs: usize) -> Vec<u8> {
    let mut bits: Vec<u8> = vec![];
    let mut lists = vec![list.to_vec()];
    while bits.len() < most && lists.iter().any(|l| l.len() > SHORT) {
        let fits = |&b: &u8| !bits.contains(&b) && runs_with(&bits, b) <= runs;
        let best = (0..width as u8).filter(fits).min_by_key(|&b| cost(lines, &lists, b));
        let Some(bit) =
            best.filter(|&b| cost(lines, &lists, b) < 2 * lists.iter().map(|l| l.len() * l.len()).sum::<usize>())
        else {
            break;
        };
        bits.push(bit);
        lists = lists.iter().flat_map(|l| split(lines, l, &[bit])).collect();
    }
    bits.sort_unstable();
    bits
}

fn runs_with(bits: &[u8], bit: u8) -> usize {
    let mut all: Vec<u8> = bits.iter().copied().chain([bit]).collect();
    all.sort_unstable();
    runs(&all).len()
}

/// Runs of adjacent bits, as (least significant bit, width), of a list in ascending order.
pub(crate) fn runs(bits: &[u8]) -> Vec<(u8, u8)> {
    let mut out: Vec<(u8, u8)> = vec![];
    for &b in bits {
        match out.last_mut() {
            Some(last) if last.0 + last.1 == b => last.1 += 1,
            _ => out.push((b, 1)),
        }
    }
    out
}

/// The sum of squared list lengths after splitting by one more bit.
fn cost(lines: &[Line], lists: &[Vec<usize>], bit: u8) -> usize {
    let square = |list: &Vec<usize>, v: u32| {
        let n = list.iter().filter(|&&i| lines[i].may(bit, v)).count();
        n * n
    };
    lists.iter().map(|l| square(l, 0) + square(l, 1)).sum()
}

/// The list of each setting of the bits, the first bit being the lowest of the setting's number.
fn split(lines: &[Line], list: &[usize], bits: &[u8]) -> Vec<Vec<usize>> {
    let mut lists = vec![list.to_vec()];
    for &bit in bits.iter().rev() {
        let half = |l: &Vec<usize>, v| l.iter().copied().filter(|&i| lines[i].may(bit, v)).collect();
        lists = lists.iter().flat_map(|l| [half(l, 0), half(l, 1)]).collect();
    }
    lists
}

impl Line {
    /// Whether the bit may have this value.
    fn may(&self, bit: u8, value: u32) -> bool {
        self.mask >> bit & 1 == 0 || self.value >> bit & 1 == value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{overlap, parse};

    #[test]
    fn every_word_finds_the_most_specific_row() {
        let text = "[t width=8]\na 0nnn nnnn \"\"\nb 01nn n1nn \"\"\nc 0111 1111 \"\"\nd 1nnn 00nn \"\" ?n!=3\ne 1nnn 01nn \"\"";
        let section = parse::section_of(text).unwrap();
        let depths = overlap::depths(&section.lines).unwrap();
        let index = build(&section.lines, &depths, 8);
        let place =
            |bits: &[u8], word: u32| bits.iter().enumerate().fold(0, |p, (i, b)| p | ((word >> b & 1) as usize) << i);
        for word in 0..256u32 {
            let bucket = &index.buckets[place(&index.bits, word)];
            let list = &bucket.lists[place(&bucket.bits, word)];
            let found = list.iter().copied().find(|&i| section.lines[i].matches(word));
            let all = (0..5).filter(|&i| section.lines[i].matches(word));
            assert_eq!(found, all.max_by_key(|&i| depths[i]), "{word:08b}");
        }
    }
}
