//! XSAVE's area, of which that of FXSAVE is the beginning: SDM vol. 1, 13.4; what Linux adds to it in signal frames: asm/sigcontext.h.

use crate::state::{DIRTY, MXCSR, XCR0, opmask, vector, xmm, ymm_high};
use crate::translate::x87_image;
use arch::State;
use ir::Slot;
use std::ops::Range;

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
/// The opmask registers, the upper halves of the first 16 ZMM registers, the others.
const OPMASKS: u64 = 1 << 5;
pub(crate) const ZMM_HIGH: u64 = 1 << 6;
const ZMM_MORE: u64 = 1 << 7;
pub(crate) const AVX512: u64 = OPMASKS | ZMM_HIGH | ZMM_MORE;

/// A component that stands behind the header, in the form that is not compacted where Intel's processors have it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Component {
    pub(crate) bit: u64,
    pub(crate) at: usize,
    /// A power of two.
    pub(crate) size: usize,
}

/// In the order that the compacted form has them in, one behind the other.
pub(crate) const EXTENDED: [Component; 4] = [
    Component { bit: AVX, at: YMM, size: 256 },
    Component { bit: OPMASKS, at: 0x440, size: 64 },
    Component { bit: ZMM_HIGH, at: 0x480, size: 512 },
    Component { bit: ZMM_MORE, at: 0x680, size: 1024 },
];

/// SSE's registers are a part of FXSAVE's image.
pub(crate) const XMM: Component = Component { bit: SSE, at: FX_XMM, size: 256 };

/// The registers of a component where there are `count` of the first: their slots, and where they stand in it.
pub(crate) fn registers(component: u64, count: u32) -> Vec<(Slot, usize)> {
    let at = |n: u32, size: usize| n as usize * size;
    match component {
        SSE => (0..count).map(|n| (xmm(n), at(n, 16))).collect(),
        AVX => (0..count).map(|n| (ymm_high(n), at(n, 16))).collect(),
        OPMASKS => (0..8).map(|n| (opmask(n), at(n, 8))).collect(),
        ZMM_HIGH => (0..2 * count).map(|n| (vector(n / 2, 2 + n % 2), at(n, 16))).collect(),
        // None in 32-bit code.
        _ => (0..if count == 16 { 64 } else { 0 }).map(|n| (vector(16 + n / 4, n % 4), at(n, 16))).collect(),
    }
}

/// The size of the area for what XCR0 has enabled.
pub(crate) const fn size(xcr0: u64) -> usize {
    let (mut end, mut n) = (if xcr0 != 0 { YMM } else { FXSAVE }, 0);
    while n < EXTENDED.len() {
        if xcr0 & EXTENDED[n].bit != 0 {
            end = EXTENDED[n].at + EXTENDED[n].size;
        }
        n += 1;
    }
    end
}

/// The same of the compacted form.
pub(crate) fn compacted_size(xcr0: u64) -> usize {
    YMM + EXTENDED.iter().filter(|c| xcr0 & c.bit != 0).map(|c| c.size).sum::<usize>()
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
    let xcr0 = l.get(state, XCR0);
    let is_used = |c: Component| held(l, state, c.bit, count).iter().any(|b| *b != 0);
    let x87 = if x87_image::image(l, state) != x87::INITIAL { X87 } else { 0 };
    let there = components_of(xcr0).filter(|c| is_used(*c));
    (there.fold(0, |all, c| all | c.bit) | x87) & xcr0
}

/// SSE's and those that are enabled behind it.
fn components_of(xcr0: u64) -> impl Iterator<Item = Component> {
    [XMM].into_iter().chain(EXTENDED.into_iter().filter(move |c| xcr0 & c.bit != 0))
}

/// Where a component's registers stand in guest state, in the order of the area ([`registers`]).
fn place(l: &State, component: u64, count: u32) -> Range<usize> {
    let (first, bytes) = match component {
        SSE => (xmm(0), 16 * count),
        AVX => (ymm_high(0), 16 * count),
        OPMASKS => (opmask(0), 64),
        ZMM_HIGH => (vector(0, 2), 32 * count),
        _ => (vector(16, 0), if count == 16 { 1024 } else { 0 }),
    };
    l.offset(first)..l.offset(first) + bytes as usize
}

fn held<'a>(l: &State, state: &'a [u8], component: u64, count: u32) -> &'a [u8] {
    &state[place(l, component, count)]
}

/// All of the state for a signal frame, as the kernel has XSAVE write it. The image begins `before` bytes into what the frame has of it.
pub(crate) fn save(l: &State, state: &[u8], fp_flags: u32, count: u32, before: usize) -> Vec<u8> {
    let xcr0 = l.get(state, XCR0);
    let mut b = vec![0; frame_size(xcr0)];
    b[..x87::IMAGE].copy_from_slice(&x87_image::image(l, state));
    put(&mut b, FX_MXCSR, l.get(state, MXCSR) | u64::from(fp_flags & 0x3f), 4);
    put(&mut b, FX_MXCSR_MASK, MXCSR_MASK, 4);
    for c in components_of(xcr0) {
        let from = held(l, state, c.bit, count);
        b[c.at..][..from.len()].copy_from_slice(from);
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

/// What is behind SSE's is as processors begin.
pub(crate) fn clear(l: &State, state: &mut [u8]) {
    components_of(l.get(state, XCR0)).skip(1).for_each(|c| state[place(l, c.bit, 16)].fill(0));
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
    let enabled = l.get(state, XCR0);
    if components & enabled & ZMM_HIGH != 0 {
        l.set(state, DIRTY, 1);
    }
    // What is not enabled is not in use.
    for c in components_of(l.get(state, XCR0)) {
        let to = &mut state[place(l, c.bit, count)];
        if components & c.bit != 0 {
            to.copy_from_slice(&b[c.at..][..to.len()]);
        } else {
            to.fill(0);
        }
    }
    mxcsr as u32 & 0x3f
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{STATE32, STATE64};

    #[test]
    fn registers_stand_in_guest_state_as_in_the_area() {
        for (l, count) in [(&STATE64, 16), (&STATE32, 8)] {
            for c in components_of(AVX | AVX512) {
                let all = registers(c.bit, count);
                let place = place(l, c.bit, count);
                assert!(all.iter().all(|(slot, at)| l.offset(*slot) == place.start + at), "{c:?}");
                let bytes: usize = all.iter().map(|(slot, _)| l.types[usize::from(slot.0)].bytes()).sum();
                assert_eq!(bytes, place.len(), "{c:?}");
            }
        }
        assert_eq!((size(7), size(0xe7), compacted_size(0xe7)), (832, 2688, 2432));
    }
}
