//! The immediates of the logical instructions, and the masks of the bitfield moves. Arm ARM, shared pseudocode
//! aarch64/instrs/integer/bitmasks: a run of ones, rotated within an element, and the element replicated.

/// The immediate of AND, ORR, EOR, ANDS: field N, rotation, and the field that gives the element's size and its run. The
/// encodings that are not allocated give some value; a decode row's constraints keep them out.
pub(crate) fn immediate(n: u32, r: u32, s: u32) -> u64 {
    let size = 32u32.checked_shr((n << 6 | !s & 0x3f).leading_zeros().wrapping_sub(26)).unwrap_or(0).max(1);
    let size = if n == 1 { 64 } else { size };
    let levels = size - 1;
    let ones = (s & levels) + 1;
    let element = u64::MAX >> (64 - ones.min(64));
    let rotated = rotate_right(element, r & levels, size);
    replicate(rotated, size)
}

/// Rotates the low `size` bits.
fn rotate_right(element: u64, by: u32, size: u32) -> u64 {
    let mask = u64::MAX >> (64 - size);
    if by == 0 { element } else { (element >> by | element << (size - by)) & mask }
}

fn replicate(element: u64, size: u32) -> u64 {
    let mut value = element;
    let mut width = size;
    while width < 64 {
        value |= value << width;
        width *= 2;
    }
    value
}

#[cfg(test)]
mod tests {
    use super::immediate;

    #[test]
    fn known_immediates() {
        assert_eq!(immediate(1, 0, 7), 0xff);
        assert_eq!(immediate(1, 1, 0), 1 << 63);
        assert_eq!(immediate(0, 0, 0x3c), 0x5555_5555_5555_5555);
        assert_eq!(immediate(0, 1, 0x3c), 0xaaaa_aaaa_aaaa_aaaa);
        assert_eq!(immediate(0, 0, 15), 0x0000_ffff_0000_ffff);
        assert_eq!(immediate(0, 4, 0x33), 0xf0f0_f0f0_f0f0_f0f0);
        assert_eq!(immediate(0, 31, 0), 0x0000_0002_0000_0002);
    }
}
