//! Values that find mistakes: numbers at which something changes, floating-point numbers of every kind in lanes of every size.

use decode::Random;

/// A number of `bits` bits.
pub(crate) fn integer(random: &mut Random, bits: u32) -> u64 {
    let all = u64::MAX >> (64 - bits);
    let v = match random.below(12) {
        0 => 0,
        1 => 1,
        2 => u64::MAX,
        3 => 1 << random.below(bits as usize),
        4 => (1 << random.below(bits as usize)) - 1,
        5 => 1 << (bits - 1),
        6 => all >> 1,
        7 => random.below(256) as u64,
        8 => (random.below(256) as u64).wrapping_neg(),
        9 => u64::from(random.next() as u32),
        _ => random.next(),
    };
    v & all
}

/// A floating-point number with this many bits of exponent and fraction, most of them special.
pub(crate) fn float(random: &mut Random, exponent: u32, fraction: u32) -> u64 {
    let sign = (random.next() & 1) << (exponent + fraction);
    let (bias, top, quiet) = ((1u64 << (exponent - 1)) - 1, (1u64 << exponent) - 1, 1u64 << (fraction - 1));
    let number = |e: u64, f: u64| (e & top) << fraction | f & ((1 << fraction) - 1);
    // Fractions of few ones at either end, as in Berkeley's TestFloat.
    let few = |random: &mut Random| match random.below(5) {
        0 => 0,
        1 => 1 << random.below(fraction as usize),
        2 => (1u64 << random.below(fraction as usize)).wrapping_neg(),
        3 => (1 << random.below(fraction as usize)) - 1,
        _ => random.next(),
    };
    let magnitude = match random.below(16) {
        0 => 0,
        1 => number(top, 0),
        2 => number(top, quiet | random.next()),
        3 => number(top, 1 | random.next() & (quiet - 1)),
        4 => number(0, few(random)),
        5 => number(0, 1),
        6 => number(top - 1, few(random)),
        7 => number(1, few(random)),
        8 => number(bias, 0),
        9 => number(bias + random.below(20) as u64, 0),
        // About the largest integers of every size.
        10 => number(bias + [6, 7, 8, 14, 15, 16, 30, 31, 32, 62, 63, 64][random.below(12)].min(bias), few(random)),
        // About where narrower formats end.
        11 => number(bias.wrapping_sub([14, 24, 25, 126, 149, 150][random.below(6)].min(bias)), few(random)),
        12 => number(bias + random.below(70).min(bias as usize) as u64, random.next()),
        13 => number(bias, random.next()),
        14 => number(bias - 1, few(random)),
        _ => random.next() & ((1 << (exponent + fraction)) - 1),
    };
    sign | magnitude
}

/// A vector register's value: floating-point or integer lanes, or anything.
pub(crate) fn vector(random: &mut Random) -> u128 {
    let kind = random.below(10);
    let lanes = |width: u32, lane: &mut dyn FnMut() -> u64| {
        (0..128 / width).fold(0, |v: u128, _| v << width | u128::from(lane()))
    };
    match kind {
        0 | 1 => lanes(32, &mut || float(random, 8, 23)),
        2 | 3 => lanes(64, &mut || float(random, 11, 52)),
        4 => lanes(16, &mut || float(random, 5, 10)),
        5 => lanes(16, &mut || float(random, 8, 7)),
        6 | 7 => {
            let width = 8 << random.below(4);
            lanes(width, &mut || integer(random, width))
        }
        8 => {
            // Shift amounts and table indices.
            let width = 8 << random.below(4);
            lanes(width, &mut || (random.below(140) as u64).wrapping_sub(70) & (u64::MAX >> (64 - width)))
        }
        _ => u128::from(random.next()) << 64 | u128::from(random.next()),
    }
}

/// Fills vector registers; some are copies, so that comparisons find equal numbers.
pub(crate) fn vectors(random: &mut Random, out: &mut [u128]) {
    for n in 0..out.len() {
        out[n] = if n > 0 && random.below(3) == 0 { out[random.below(n)] } else { vector(random) };
        // What a scalar leaves: zeros above.
        if random.below(12) == 0 {
            out[n] &= u128::MAX >> [64, 96, 112][random.below(3)];
        }
    }
}

/// The bytes of the window: mostly values of the vector registers, which cost less to draw.
pub(crate) fn memory(random: &mut Random, vectors: &[u128], out: &mut [u8]) {
    for chunk in out.chunks_mut(16) {
        let v = if random.below(4) == 0 { vector(random) } else { vectors[random.below(vectors.len())] };
        chunk.copy_from_slice(&v.to_le_bytes());
    }
}
