//! Operands: random ones, and those at the corners of the formats.

/// xorshift64*: the same numbers in every run.
pub(crate) struct Rng(pub u64);

impl Rng {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() >> 33) as usize % n
    }
    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
    pub(crate) fn pick_mut<'a, T>(&mut self, from: &'a mut [T]) -> &'a mut T {
        let n = self.below(from.len());
        &mut from[n]
    }
    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

const F16: [u16; 16] = [
    0x0000, 0x0001, 0x03ff, 0x0400, 0x0401, 0x3c00, 0x3c01, 0x3bff, 0x7bff, 0x7c00, 0x7c01, 0x7e00, 0x7e01, 0x7fff,
    0x5000, 0x3800,
];

const F32: [u32; 32] = [
    0x0000_0000,
    0x0000_0001,
    0x0000_0002,
    0x007f_ffff,
    0x0080_0000,
    0x0080_0001,
    0x00ff_ffff,
    0x0100_0000,
    0x3f80_0000,
    0x3f80_0001,
    0x3f7f_ffff,
    0x3f00_0000,
    0x4000_0000,
    0x4040_0000,
    0x7f7f_ffff,
    0x7f00_0000,
    0x7f80_0000,
    0x7f80_0001,
    0x7fa0_0000,
    0x7fc0_0000,
    0x7fc0_0001,
    0x7fff_ffff,
    0x4f00_0000,
    0x4eff_ffff,
    0x4f80_0000,
    0x4f7f_ffff,
    0x5f00_0000,
    0x5f80_0000,
    0x3fc0_0000,
    0x4b00_0001,
    0x4affffff,
    0x3380_0000,
];

const F64: [u64; 40] = [
    0x0000_0000_0000_0000,
    0x0000_0000_0000_0001,
    0x000f_ffff_ffff_ffff,
    0x0010_0000_0000_0000,
    0x0010_0000_0000_0001,
    0x001f_ffff_ffff_ffff,
    0x0020_0000_0000_0000,
    0x3ff0_0000_0000_0000,
    0x3ff0_0000_0000_0001,
    0x3fef_ffff_ffff_ffff,
    0x3fe0_0000_0000_0000,
    0x4000_0000_0000_0000,
    0x4008_0000_0000_0000,
    0x7fef_ffff_ffff_ffff,
    0x7fe0_0000_0000_0000,
    0x7ff0_0000_0000_0000,
    0x7ff0_0000_0000_0001,
    0x7ff4_0000_0000_0000,
    0x7ff8_0000_0000_0000,
    0x7ff8_0000_0000_0001,
    0x7fff_ffff_ffff_ffff,
    0x41e0_0000_0000_0000,
    0x41df_ffff_ffc0_0000,
    0x41df_ffff_ffe0_0000,
    0x41f0_0000_0000_0000,
    0x41ef_ffff_ffe0_0000,
    0x41ef_ffff_fff0_0000,
    0x43e0_0000_0000_0000,
    0x43df_ffff_ffff_ffff,
    0x43f0_0000_0000_0000,
    0x43ef_ffff_ffff_ffff,
    0x4330_0000_0000_0001,
    0x432f_ffff_ffff_ffff,
    0x3ff8_0000_0000_0000,
    0x3fdf_ffff_ffff_ffff,
    0x3810_0000_0000_0000,
    0x380f_ffff_ffff_ffff,
    0x47ef_ffff_e000_0000,
    0x36a0_0000_0000_0000,
    0x41e0_0000_0010_0000,
];

pub(crate) fn f16(r: &mut Rng) -> u16 {
    let bits = if r.one_in(3) { r.next() as u16 } else { r.pick(&F16) };
    bits ^ (r.below(2) as u16) << 15
}

pub(crate) fn f32(r: &mut Rng) -> u32 {
    let bits = match r.below(8) {
        0 => r.next() as u32,
        // Exponents whose products and quotients are near the smallest normal number, and usual ones.
        1 => (r.below(4) as u32 + 62) << 23 | r.next() as u32 & 0x7f_ffff,
        2 | 3 => (r.below(60) as u32 + 110) << 23 | r.next() as u32 & 0x7f_ffff,
        4 => (r.below(100) as f32 / 2.0).to_bits(),
        _ => r.pick(&F32),
    };
    bits ^ (r.below(2) as u32) << 31
}

pub(crate) fn f64(r: &mut Rng) -> u64 {
    let bits = match r.below(8) {
        0 => r.next(),
        1 => (r.below(4) as u64 + 510) << 52 | r.next() & 0xf_ffff_ffff_ffff,
        2 | 3 => (r.below(80) as u64 + 1000) << 52 | r.next() & 0xf_ffff_ffff_ffff,
        4 => (r.below(100) as f64 / 2.0).to_bits(),
        // Near what a single can hold.
        5 => u64::from(f32(r)).wrapping_shl(29).wrapping_add(0x3800_0000_0000_0000),
        _ => r.pick(&F64),
    };
    bits ^ (r.below(2) as u64) << 63
}

const INTS: [u64; 16] = [
    0,
    1,
    2,
    3,
    7,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0x8000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    i64::MAX as u64,
    i64::MIN as u64,
    u64::MAX,
];

pub(crate) fn int(r: &mut Rng) -> u64 {
    match r.below(4) {
        0 => r.next(),
        1 => r.next() >> r.below(64),
        2 => r.pick(&INTS).wrapping_add(r.next() & 1),
        _ => r.pick(&INTS),
    }
}

/// A vector of floats, of integers at the corners of some width, or of anything.
pub(crate) fn vector(r: &mut Rng) -> u128 {
    let lanes = |n: u32, f: &mut dyn FnMut() -> u64| {
        (0..128 / n).fold(0u128, |v, i| v | u128::from(f() & u64::MAX >> (64 - n)) << (i * n))
    };
    match r.below(10) {
        0 => u128::from(r.next()) << 64 | u128::from(r.next()),
        1 | 2 => lanes(64, &mut || f64(r)),
        3 | 4 => lanes(32, &mut || f32(r).into()),
        5 => lanes(16, &mut || f16(r).into()),
        6 => lanes(64, &mut || int(r)),
        7 => lanes(32, &mut || {
            let n = r.pick(&[0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0x8000_0001, 31, 32, 0xe0, 0xe1, 0xff]);
            if r.one_in(3) { r.next() } else { n }
        }),
        8 => lanes(16, &mut || {
            let n = r.pick(&[0, 1, 0x7fff, 0x8000, 0xffff, 0x8001, 15, 16, 0xf0, 0xff]);
            if r.one_in(3) { r.next() } else { n }
        }),
        _ => lanes(8, &mut || {
            let n = r.pick(&[0, 1, 0x7f, 0x80, 0xff, 0x81, 15, 16, 7, 8, 0xf8, 0xfe]);
            if r.one_in(3) { r.next() } else { n }
        }),
    }
}
