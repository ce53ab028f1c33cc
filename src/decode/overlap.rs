//! Which of two rows wins. The sets are compared exactly, constraints included, as long as the constraints look at few
//! enough bits to try them all.

use crate::parse::Line;

/// Bits that are tried exhaustively; above it an answer would cost too much in a build script.
const MOST: u32 = 18;

/// For each row the number of rows that strictly contain it: a row with a greater depth is tried first. Holes win over
/// all rows.
///
/// Errors: two rows that overlap without one containing the other, or that are the same set.
pub(crate) fn depths(lines: &[Line]) -> Result<Vec<usize>, String> {
    let mut depths: Vec<usize> = lines.iter().map(|l| if l.is_hole() { usize::MAX } else { 0 }).collect();
    for (i, a) in lines.iter().enumerate() {
        for (j, b) in lines.iter().enumerate().skip(i + 1) {
            if a.is_hole() || b.is_hole() || !overlap(a, b)? {
                continue;
            }
            match (inside(a, b)?, inside(b, a)?) {
                (true, false) => depths[i] += 1,
                (false, true) => depths[j] += 1,
                (true, true) => return Err(format!("{} and {} match the same words", place(a), place(b))),
                (false, false) => {
                    return Err(format!("{} and {} overlap and neither is more specific", place(a), place(b)));
                }
            }
        }
    }
    Ok(depths)
}

fn place(line: &Line) -> String {
    format!("{}:{}: `{}`", line.file, line.number, line.name)
}

/// Whether some word matches both.
fn overlap(a: &Line, b: &Line) -> Result<bool, String> {
    if (a.value ^ b.value) & a.mask & b.mask != 0 {
        return Ok(false);
    }
    let free = (a.constrained() | b.constrained()) & !(a.mask | b.mask);
    any(free, a.value | b.value, a, b, |word| a.matches(word) && b.matches(word))
}

/// Whether each word that matches `a` matches `b`.
fn inside(a: &Line, b: &Line) -> Result<bool, String> {
    let loose = b.mask & !a.mask;
    if loose & !a.constrained() != 0 {
        return Ok(false);
    }
    let free = (a.constrained() | b.constrained()) & !a.mask;
    Ok(!any(free, a.value, a, b, |word| a.matches(word) && !b.matches(word))?)
}

/// Whether `test` holds for some setting of the free bits.
fn any(free: u32, base: u32, a: &Line, b: &Line, test: impl Fn(u32) -> bool) -> Result<bool, String> {
    if free.count_ones() > MOST {
        return Err(format!("{} and {} have constraints on too many bits to compare", place(a), place(b)));
    }
    let mut word = 0u32;
    loop {
        if test(base & !free | word) {
            return Ok(true);
        }
        // The next subset of `free`.
        word = word.wrapping_sub(free) & free;
        if word == 0 {
            return Ok(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::section_of;

    fn depths_of(rows: &str) -> Result<Vec<usize>, String> {
        depths(&section_of(&format!("[t width=8]\n{rows}")).unwrap().lines)
    }

    #[test]
    fn more_fixed_bits_win() {
        assert_eq!(depths_of("a 0000 nnnn \"\"\nb 0000 00nn \"\"\nc 0000 0011 \"\"").unwrap(), [0, 1, 2]);
    }

    #[test]
    fn a_crossing_overlap_names_both_rows() {
        let error = depths_of("a 0000 nn00 \"\"\nb 0000 00nn \"\"").unwrap_err();
        assert!(error.contains("test:2: `a`") && error.contains("test:3: `b`"), "{error}");
        assert!(depths_of("a 0000 nnnn \"\"\nb 0000 mmmm \"\"").unwrap_err().contains("same words"));
    }

    #[test]
    fn a_hole_wins_over_all() {
        assert_eq!(depths_of("a 0000 nn00 \"\"\nundefined 0000 00nn").unwrap(), [0, usize::MAX]);
    }

    #[test]
    fn constraints_separate_and_order() {
        assert_eq!(depths_of("a 0000 nn00 \"\" ?n!=0\nb 0000 00nn \"\"").unwrap(), [0, 0]);
        assert_eq!(depths_of("a 0000 nnnn \"\"\nb 0000 nnnn \"\" ?n=3|4").unwrap(), [0, 1]);
        assert_eq!(depths_of("a 0000 nnmm \"\" ?n=m\nb 0000 nnmm \"\" ?n!=m").unwrap(), [0, 0]);
        assert_eq!(depths_of("a 0000 11nn \"\"\nb 0000 nnnn \"\" ?n>=13").unwrap(), [0, 1]);
        assert!(depths_of("a 0000 nnmm \"\" ?n!=1\nb 0000 nnmm \"\" ?m!=1").is_err());
    }
}
