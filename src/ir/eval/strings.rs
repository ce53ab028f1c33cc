//! x86's comparisons of strings (SSE4.2). The manual's names: aggregation, polarity, IntRes2.

use super::flags::{C, N, V, Z, when};
use crate::types::Ty;

/// See [`crate::Op::Strings`].
pub(super) fn compare(control: u8, explicit: bool, a: u128, b: u128, lengths: u64, ty: Ty) -> u128 {
    let c = Comparison::of(control, explicit, [a, b], lengths);
    match ty {
        Ty::V128 => c.mask(),
        Ty::Flags => c.flags().into(),
        _ => c.index().into(),
    }
}

/// A comparison: what of the vectors counts, and the answer for each element of the second.
struct Comparison {
    imm: u8,
    /// Elements of a vector, and how many of each count.
    count: usize,
    valid: [usize; 2],
    /// Bit n: element n of the second.
    result: u64,
}

impl Comparison {
    fn of(imm: u8, explicit: bool, vectors: [u128; 2], lengths: u64) -> Comparison {
        let (words, signed) = (imm & 1 != 0, imm & 2 != 0);
        let count = if words { 8 } else { 16 };
        let elements = vectors.map(|v| elements(v, words, signed));
        let valid: [usize; 2] = std::array::from_fn(|n| {
            let given = (lengths >> (32 * n)) as u32 as i32;
            if explicit {
                (given.unsigned_abs() as usize).min(count)
            } else {
                elements[n][..count].iter().position(|v| *v == 0).unwrap_or(count)
            }
        });
        let mut c = Comparison { imm, count, valid, result: 0 };
        c.result = c.aggregate(&elements[0], &elements[1]);
        c
    }

    /// The manual's IntRes2.
    fn aggregate(&self, a: &[i32; 16], b: &[i32; 16]) -> u64 {
        let [in_a, in_b] = self.valid;
        let holds = |j: usize| match self.imm >> 2 & 3 {
            0 => j < in_b && a[..in_a].contains(&b[j]),
            1 => j < in_b && a[..in_a].chunks_exact(2).any(|range| range[0] <= b[j] && b[j] <= range[1]),
            2 => {
                if j < in_a && j < in_b {
                    a[j] == b[j]
                } else {
                    j >= in_a && j >= in_b
                }
            }
            // What of the first lies beyond the second's end does not count.
            _ => (0..in_a.min(self.count - j)).all(|i| i + j < in_b && a[i] == b[i + j]),
        };
        let bits = |holds: &dyn Fn(usize) -> bool| (0..self.count).fold(0, |all, j| all | u64::from(holds(j)) << j);
        let result = bits(&holds);
        match self.imm >> 4 & 3 {
            1 => result ^ bits(&|_| true),
            3 => result ^ bits(&|j| j < in_b),
            _ => result,
        }
    }

    fn index(&self) -> u64 {
        let none = self.count as u64;
        match self.result {
            0 => none,
            r if self.imm & 0x40 == 0 => r.trailing_zeros().into(),
            r => r.ilog2().into(),
        }
    }

    fn mask(&self) -> u128 {
        if self.imm & 0x40 == 0 {
            return self.result.into();
        }
        let bits = 128 / self.count as u32;
        let chosen = (0..self.count as u32).filter(|n| self.result >> n & 1 == 1);
        chosen.fold(0, |all, n| all | (!0 >> (128 - bits)) << (n * bits))
    }

    /// C is the opposite of CF.
    fn flags(&self) -> u32 {
        when(self.result == 0, C)
            | when(self.valid[1] < self.count, Z)
            | when(self.valid[0] < self.count, N)
            | when(self.result & 1 != 0, V)
    }
}

fn elements(v: u128, words: bool, signed: bool) -> [i32; 16] {
    std::array::from_fn(|n| match (words, signed) {
        (true, _) if n >= 8 => 0,
        (true, false) => i32::from((v >> (16 * n)) as u16),
        (true, true) => i32::from((v >> (16 * n)) as i16),
        (false, false) => i32::from((v >> (8 * n)) as u8),
        (false, true) => i32::from((v >> (8 * n)) as i8),
    })
}
