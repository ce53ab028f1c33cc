//! QARMA5, the architected algorithm of pointer authentication (FEAT_PACQARMA5, Arm ARM ComputePACQARMA): the block cipher
//! QARMA-64 with the S-box sigma 2 and five rounds (Avanzi, "The QARMA Block Cipher Family", 2017). Cell 0 is the top nibble.

const ROUNDS: usize = 5;
const ALPHA: u64 = 0xc0ac_29b7_c97c_50dd;
const ROUND_CONSTANTS: [u64; ROUNDS] =
    [0, 0x1319_8a2e_0370_7344, 0xa409_3822_299f_31d0, 0x082e_fa98_ec4e_6c89, 0x4528_21e6_38d0_1377];
const SIGMA2: [u8; 16] = [11, 6, 8, 15, 12, 0, 9, 14, 3, 7, 4, 5, 13, 2, 1, 10];
const TAU: [u8; 16] = [0, 11, 6, 13, 10, 1, 12, 7, 5, 14, 3, 8, 15, 4, 9, 2];
/// The shuffle of the tweak, and the cells that its LFSR steps.
const H: [u8; 16] = [6, 5, 14, 15, 0, 1, 2, 3, 7, 12, 13, 4, 8, 9, 10, 11];
const STEPPED: [usize; 7] = [0, 1, 3, 4, 8, 11, 13];

const fn inverse(of: [u8; 16]) -> [u8; 16] {
    let mut out = [0; 16];
    let mut i = 0;
    while i < 16 {
        out[of[i] as usize] = i as u8;
        i += 1;
    }
    out
}

const SIGMA2_INVERSE: [u8; 16] = inverse(SIGMA2);
const TAU_INVERSE: [u8; 16] = inverse(TAU);
const H_INVERSE: [u8; 16] = inverse(H);

fn cell(v: u64, n: usize) -> u64 {
    v >> (60 - 4 * n) & 15
}

fn from_cells(f: impl Fn(usize) -> u64) -> u64 {
    (0..16).fold(0, |v, n| v << 4 | f(n))
}

fn shuffle(v: u64, by: &[u8; 16]) -> u64 {
    from_cells(|n| cell(v, by[n].into()))
}

fn substitute(v: u64, by: &[u8; 16]) -> u64 {
    from_cells(|n| by[cell(v, n) as usize].into())
}

/// Multiplication of each column by the circulant matrix (0, rho, rho^2, rho), rho being a rotation of the cell.
fn mix(v: u64) -> u64 {
    let rotated = |c: u64, by: u32| (c << by | c >> (4 - by)) & 15;
    from_cells(|n| {
        let below = |by: usize| cell(v, (n + 4 * by) % 16);
        rotated(below(1), 1) ^ rotated(below(2), 2) ^ rotated(below(3), 1)
    })
}

fn next_tweak(t: u64) -> u64 {
    let t = shuffle(t, &H);
    // b3 b2 b1 b0 becomes b0+b1 b3 b2 b1.
    from_cells(|n| match cell(t, n) {
        c if STEPPED.contains(&n) => ((c ^ c >> 1) & 1) << 3 | c >> 1,
        c => c,
    })
}

fn tweak_before(t: u64) -> u64 {
    let t = from_cells(|n| match cell(t, n) {
        c if STEPPED.contains(&n) => c << 1 & 15 | (c >> 3 ^ c) & 1,
        c => c,
    });
    shuffle(t, &H_INVERSE)
}

/// Encrypts `block` under a tweak. A pointer's key has the whitening key in its high half, the core key in its low one.
pub(crate) fn encrypt(block: u64, tweak: u64, core: u64, whitening: u64) -> u64 {
    let whitening_after = whitening.rotate_right(1) ^ whitening >> 63;
    let (mut v, mut t) = (block ^ whitening, tweak);
    for (round, constant) in ROUND_CONSTANTS.into_iter().enumerate() {
        v ^= core ^ t ^ constant;
        if round > 0 {
            v = mix(shuffle(v, &TAU));
        }
        v = substitute(v, &SIGMA2);
        t = next_tweak(t);
    }
    v = substitute(mix(shuffle(v ^ whitening_after ^ t, &TAU)), &SIGMA2);
    // The reflector in the middle.
    v = shuffle(mix(shuffle(v, &TAU)) ^ core, &TAU_INVERSE);
    v = shuffle(mix(substitute(v, &SIGMA2_INVERSE)), &TAU_INVERSE) ^ whitening ^ t;
    for (round, constant) in ROUND_CONSTANTS.into_iter().enumerate().rev() {
        v = substitute(v, &SIGMA2_INVERSE);
        if round > 0 {
            v = shuffle(mix(v), &TAU_INVERSE);
        }
        t = tweak_before(t);
        v ^= core ^ t ^ constant ^ ALPHA;
    }
    v ^ whitening_after
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_vector() {
        // Avanzi, appendix: QARMA-64 with sigma 2 and r = 5.
        let (whitening, core, tweak) = (0x84be_85ce_9804_e94b, 0xec28_02d4_e0a4_88e9, 0x477d_469d_ec0b_8762);
        assert_eq!(encrypt(0xfb62_3599_da6e_8127, tweak, core, whitening), 0xc003_b939_99b3_3765);
    }

    #[test]
    fn steps_have_inverses() {
        for v in [0x0123_4567_89ab_cdef, 0xfedc_0000_1111_9999] {
            assert_eq!(tweak_before(next_tweak(v)), v);
            assert_eq!(shuffle(shuffle(v, &TAU), &TAU_INVERSE), v);
            assert_eq!(substitute(substitute(v, &SIGMA2), &SIGMA2_INVERSE), v);
            assert_eq!(mix(mix(v)), v);
        }
    }
}
