//! A checksum for what is stored, and for the guest code it was made from: fast, 128 bits, against accidents. It is no cryptographic hash: whoever
//! can write a cache folder can run code as its owner anyway.

const KEYS: [u64; 8] = [
    0x9e37_79b9_7f4a_7c15,
    0xbf58_476d_1ce4_e5b9,
    0x94d0_49bb_1331_11eb,
    0xd6e8_feb8_6659_fd93,
    0xa076_1d64_78bd_642f,
    0xe703_7ed1_a0b4_28db,
    0x8ebc_6af0_9c88_c6e3,
    0x5899_65cc_7537_4cc3,
];

/// The product's halves, one on the other.
fn mix(a: u64, b: u64) -> u64 {
    let p = u128::from(a) * u128::from(b);
    p as u64 ^ (p >> 64) as u64
}

fn word(bytes: &[u8], n: usize) -> u64 {
    u64::from_le_bytes(bytes[8 * n..8 * n + 8].try_into().expect("eight bytes"))
}

fn block(lanes: &mut [u64; 4], bytes: &[u8; 64]) {
    for (i, lane) in lanes.iter_mut().enumerate() {
        // The words enter the sum too, since a factor of zero would hide the other.
        let (a, b) = (word(bytes, 2 * i), word(bytes, 2 * i + 1));
        *lane = mix(*lane ^ a, b ^ KEYS[i + 4]).wrapping_add(a.rotate_left(23)).wrapping_add(b);
    }
}

/// The checksum of some bytes.
pub fn hash(bytes: &[u8]) -> u128 {
    let mut lanes = [KEYS[0], KEYS[1], KEYS[2], KEYS[3]];
    let (blocks, rest) = bytes.as_chunks::<64>();
    for b in blocks {
        block(&mut lanes, b);
    }
    let mut last = [0; 64];
    last[..rest.len()].copy_from_slice(rest);
    block(&mut lanes, &last);
    let [a, b, c, d] = lanes;
    let n = bytes.len() as u64;
    let low = mix(mix(a ^ n, b ^ KEYS[6]), mix(c ^ KEYS[5], d ^ KEYS[7]));
    let high = mix(mix(a ^ KEYS[2], d ^ n), mix(b ^ KEYS[3], c ^ KEYS[4]));
    u128::from(low) | u128::from(high) << 64
}

#[cfg(test)]
mod tests {
    use super::hash;
    use std::collections::HashSet;

    #[test]
    fn each_bit_counts() {
        for len in [0, 1, 15, 16, 63, 64, 65, 200] {
            let mut bytes: Vec<u8> = (0..len).map(|i| (i * 37) as u8).collect();
            let mut seen = HashSet::from([hash(&bytes)]);
            for bit in 0..8 * len {
                bytes[bit / 8] ^= 1 << (bit % 8);
                let h = hash(&bytes);
                assert!(seen.insert(h), "bit {bit} of {len} bytes");
                assert!(h as u64 != 0 && h >> 64 != 0);
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
            bytes.push(0);
            assert!(seen.insert(hash(&bytes)), "a zero more than {len}");
        }
    }
}
