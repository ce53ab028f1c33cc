//! XSAVE's area, of which that of FXSAVE is the beginning: SDM vol. 1, 13.4; what Linux adds to it in signal frames: asm/sigcontext.h.

use crate::state::{MXCSR, XCR0, xmm, ymm_high};
use crate::translate::x87_image;
use arch::State;

/// The FXSAVE image, and where things stand in it.
pub(crate) const FXSAVE: usize = 512;
pub(crate) const FX_MXCSR: usize = 24;
pub(crate) const FX_MXCSR_MASK: usize = 28;
pub(crate) const FX_XMM: usize = 160;
/// Bits of MXCSR that can be set.
pub(crate) const MXCSR_MASK: u64 = 0xffff;
pub(crate) const MXCSR_INITIAL: u64 = 0x1f80;

/// Behind it the header: XSTATE_BV, XCOMP_BV, and words that are zero.
pub(crate) const XSTATE_BV: usize = FXSAVE;
pub(crate) const XCOMP_BV: usize = FXSAVE + 8;
const HEADER: usize = 64;
/// Behind that the upper halves of the YMM registers, in the compacted form too.
pub(crate) const YMM: usize = FXSAVE + HEADER;

/// Components, by their bits in XCR0.
pub(crate) const X87: u64 = 1;
pub(crate) const SSE: u64 = 2;
pub(crate) const AVX: u64 = 4;

/// The size of the area for what XCR0 has enabled.
pub(crate) const fn size(xcr0: u64) -> usize {
    if xcr0 & AVX != 0 {
        YMM + 256
    } else if xcr0 != 0 {
        YMM
    } else {
        FXSAVE
    }
}

/// Where Linux says that there is more than FXSAVE's image, what it begins that with, and what stands behind all.
const SOFTWARE: usize = 464;
const MAGIC1: u64 = 0x4650_5853;
const MAGIC2: u64 = 0x4650_5845;

/// What an image in a signal frame takes.
pub(crate) const fn frame_size(xcr0: u64) -> usize {
    if xcr0 == 0 { FXSAVE } else { size(xcr0) + 4 }
}

pub(crate) fn put(bytes: &mut [u8], at: usize, v: u64, len: usize) {
    bytes[at..at + len].copy_from_slice(&v.to_le_bytes()[..len]);
}

pub(crate) fn word(bytes: &[u8], at: usize, len: usize) -> u64 {
    bytes[at..at + len].iter().rev().fold(0, |v, b| v << 8 | u64::from(*b))
}

/// The components of the state that are not as processors begin. The x87 unit's is in guest state; `count` registers.
pub(crate) fn in_use(l: &State, state: &[u8], count: u32) -> u64 {
    let any = |slot: fn(u32) -> ir::Slot| (0..count).any(|n| state[l.offset(slot(n))..][..16].iter().any(|b| *b != 0));
    let x87 = x87_image::image(l, state) != x87::INITIAL;
    let bit = |holds: bool, bit: u64| if holds { bit } else { 0 };
    (bit(x87, X87) | bit(any(xmm), SSE) | bit(any(ymm_high), AVX)) & l.get(state, XCR0)
}

/// All of the state for a signal frame, as the kernel has XSAVE write it. The image begins `before` bytes into what the frame has of it.
pub(crate) fn save(l: &State, state: &[u8], fp_flags: u32, count: u32, before: usize) -> Vec<u8> {
    let xcr0 = l.get(state, XCR0);
    let mut b = vec![0; frame_size(xcr0)];
    b[..x87::IMAGE].copy_from_slice(&x87_image::image(l, state));
    put(&mut b, FX_MXCSR, l.get(state, MXCSR) | u64::from(fp_flags & 0x3f), 4);
    put(&mut b, FX_MXCSR_MASK, MXCSR_MASK, 4);
    let mut vectors = |at: usize, slot: fn(u32) -> ir::Slot| {
        for n in 0..count {
            b[at + 16 * n as usize..][..16].copy_from_slice(&state[l.offset(slot(n))..][..16]);
        }
    };
    vectors(FX_XMM, xmm);
    if xcr0 & AVX != 0 {
        vectors(YMM, ymm_high);
    }
    if xcr0 != 0 {
        let size = size(xcr0);
        put(&mut b, SOFTWARE, MAGIC1, 4);
        put(&mut b, SOFTWARE + 4, (before + size + 4) as u64, 4);
        put(&mut b, SOFTWARE + 8, xcr0, 8);
        put(&mut b, SOFTWARE + 16, size as u64, 4);
        // Both of the older ones always, for those who look at FXSAVE's image alone.
        put(&mut b, XSTATE_BV, X87 | SSE | in_use(l, state, count), 8);
        put(&mut b, size, MAGIC2, 4);
    }
    b
}

/// Which components an image in a frame has, as its first 512 bytes and what follows say; the others are as processors begin.
pub(crate) fn components(l: &State, state: &[u8], fx: &[u8], read: impl Fn(usize, &mut [u8]) -> bool) -> Option<u64> {
    let xcr0 = l.get(state, XCR0);
    let (extended, components, size) =
        (word(fx, SOFTWARE + 4, 4), word(fx, SOFTWARE + 8, 8), word(fx, SOFTWARE + 16, 4) as usize);
    let sound = xcr0 != 0
        && word(fx, SOFTWARE, 4) == MAGIC1
        && (YMM..=self::size(xcr0)).contains(&size)
        && extended >= size as u64;
    let mut magic = [0; 4];
    if !sound {
        return Some(X87 | SSE);
    }
    if !read(size, &mut magic) {
        return None;
    }
    if word(&magic, 0, 4) != MAGIC2 {
        return Some(X87 | SSE);
    }
    let mut there = [0; 8];
    read(XSTATE_BV, &mut there).then(|| components & xcr0 & word(&there, 0, 8))
}

/// The opposite of [`save`]: the sticky flags. `b` has the area's bytes; reserved bits of MXCSR are dropped.
pub(crate) fn restore(l: &State, state: &mut [u8], b: &[u8], count: u32, components: u64) -> u32 {
    let mxcsr = word(b, FX_MXCSR, 4) & MXCSR_MASK;
    l.set(state, MXCSR, mxcsr & !0x3f);
    let mut image = x87::INITIAL;
    if components & X87 != 0 {
        image.copy_from_slice(&b[..x87::IMAGE]);
    }
    x87_image::set_image(l, state, &image);
    for n in 0..count {
        for (slot, at, bit) in [(xmm(n), FX_XMM, SSE), (ymm_high(n), YMM, AVX)] {
            let to = &mut state[l.offset(slot)..][..16];
            if components & bit != 0 {
                to.copy_from_slice(&b[at + 16 * n as usize..][..16]);
            } else {
                to.fill(0);
            }
        }
    }
    mxcsr as u32 & 0x3f
}
