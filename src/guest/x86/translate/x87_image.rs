//! The state of the x87 unit as programs and the kernel see it in memory: the forms of FXSAVE, FNSAVE and FNSTENV. Manual: SDM vol. 1, 8.1.10 and
//! 10.5.1. Selectors of code and data are 0, as processors have it that no longer keep them (CPUID.7.EBX bit 13).

use crate::state::{STATE32, STATE64, X87, X87_IP, stage};
use arch::State;
use ir::{Frame, Helper, Slot, Touches};
use x87::{CONTROL, DATA, IMAGE, INSTRUCTION, Image, OPCODE, REGISTERS, STATUS, TAGS, set_word, word};

/// What FNSTENV stores: so many words of 32 or 16 bits.
pub(super) const ENVIRONMENT_WORDS: u8 = 7;
const ENVIRONMENT: usize = 4 * ENVIRONMENT_WORDS as usize;
const STACK: usize = 80;
pub(crate) const FSAVE: usize = ENVIRONMENT + STACK;
/// What programs can set in the control word, and what is always set.
const CONTROL_BITS: u16 = 0x1f3f;
const CONTROL_ONE: u16 = 0x40;

/// The image in guest state.
pub(crate) fn image(l: &State, state: &[u8]) -> Image {
    let at = l.offset(X87);
    let mut image = [0; IMAGE];
    image.copy_from_slice(&state[at..at + IMAGE]);
    image[INSTRUCTION..DATA].copy_from_slice(&l.get(state, X87_IP).to_le_bytes());
    image
}

/// The opposite. Bits that a processor does not take are not taken.
pub(crate) fn set_image(l: &State, state: &mut [u8], image: &Image) {
    let mut image = *image;
    let control = word(&image, CONTROL) & CONTROL_BITS | CONTROL_ONE;
    set_word(&mut image, CONTROL, control);
    x87::summarize(&mut image);
    let mut ip = [0; 8];
    ip.copy_from_slice(&image[INSTRUCTION..DATA]);
    l.set(state, X87_IP, u64::from_le_bytes(ip));
    let at = l.offset(X87);
    state[at..at + IMAGE].copy_from_slice(&image);
}

/// ST(n), ten bytes.
fn st(n: usize) -> std::ops::Range<usize> {
    REGISTERS + 16 * n..REGISTERS + 16 * n + 10
}

/// FNSTENV's tag of a register: valid, zero, special, empty.
fn tag(image: &Image, physical: usize) -> u16 {
    if image[TAGS] >> physical & 1 == 0 {
        return 3;
    }
    let bytes = &image[st((physical + 8 - x87::top(image)) % 8)];
    let exponent = u16::from_le_bytes([bytes[8], bytes[9]]) & 0x7fff;
    match (exponent, bytes[7] >> 7) {
        (0, _) if bytes[..8].iter().all(|b| *b == 0) => 1,
        (0 | 0x7fff, _) | (_, 0) => 2,
        _ => 0,
    }
}

/// FNSTENV's words, each of `size` bytes.
pub(crate) fn environment(image: &Image, size: usize) -> Vec<u8> {
    let tags = (0..8).fold(0, |all, n| all | tag(image, n) << (2 * n));
    let long = |at: usize| u32::from_le_bytes([image[at], image[at + 1], image[at + 2], image[at + 3]]);
    let plain = |v: u16| 0xffff_0000 | u32::from(v);
    let opcode = u32::from(word(image, OPCODE) & 0x7ff) << 16;
    let words = [
        plain(word(image, CONTROL)),
        plain(word(image, STATUS)),
        plain(tags),
        long(INSTRUCTION),
        opcode,
        long(DATA),
        0xffff_0000,
    ];
    words.iter().flat_map(|w| w.to_le_bytes()[..size].to_vec()).collect()
}

/// The opposite: the length of the words in `b` tells their size.
fn set_environment(image: &mut Image, b: &[u8]) {
    let size = b.len() / 7;
    let field = |n: usize| b[n * size..][..size].iter().rev().fold(0, |v, b| v << 8 | u32::from(*b));
    // Registers keep their places, and stand in the image by their distance from the top.
    let top = x87::top(image);
    image[REGISTERS..].rotate_right(16 * top);
    set_word(image, CONTROL, field(0) as u16);
    set_word(image, STATUS, field(1) as u16);
    let top = x87::top(image);
    image[REGISTERS..].rotate_left(16 * top);
    image[TAGS] = (0..8).fold(0, |all, n| all | u8::from(field(2) >> (2 * n) & 3 != 3) << n);
    let pointers = [(INSTRUCTION, field(3)), (DATA, field(5))];
    for (at, v) in pointers {
        image[at..at + 8].copy_from_slice(&u64::from(v).to_le_bytes());
    }
    set_word(image, OPCODE, if size == 4 { (field(4) >> 16) as u16 & 0x7ff } else { 0 });
}

/// FNSAVE's image.
pub(crate) fn fsave(image: &Image, size: usize) -> Vec<u8> {
    let mut b = environment(image, size);
    (0..8).for_each(|n| b.extend_from_slice(&image[st(n)]));
    b
}

/// The opposite.
pub(crate) fn set_fsave(image: &mut Image, b: &[u8]) {
    let (environment, stack) = b.split_at(b.len() - STACK);
    set_environment(image, environment);
    for (n, bytes) in stack.chunks(10).enumerate() {
        image[st(n)].copy_from_slice(bytes);
    }
}

/// FXSAVE's image up to the XMM registers; without REX.W pointers have 32 bits.
fn fxsave(image: &Image, wide: bool) -> Image {
    let mut b = *image;
    b[TAGS + 1] = 0;
    for n in 0..8 {
        b[st(n).end..REGISTERS + 16 * (n + 1)].fill(0);
    }
    if !wide {
        [INSTRUCTION, DATA].iter().for_each(|at| b[at + 4..at + 8].fill(0));
    }
    b
}

/// An image in the staging slots: its length tells which.
pub(super) const FX: u64 = IMAGE as u64;
pub(super) const FX_WIDE: u64 = FX + 1;

/// The second argument says whether registers have 64 bits.
fn layout(f: &Frame<'_>) -> &'static State {
    if f.args[1] != 0 { &STATE64 } else { &STATE32 }
}

const fn on_state(name: &'static str, run: fn(&mut Frame<'_>)) -> Helper {
    Helper { name, run, touches: Touches::All, can_exit: false, pure: false }
}

/// The unit's image to the staging slots, in the form whose length is given. The third argument is the address of the unit's last instruction, which
/// must not be written to its slot before the image is stored.
pub(super) static FILL: Helper =
    Helper { name: "x87_fill", run: fill, touches: Touches::Writes(&IMAGE_AND_STAGES), can_exit: false, pure: false };

const IMAGE_AND_STAGES: [Slot; 2 * IMAGE / 16] = {
    let mut slots = [X87; 2 * IMAGE / 16];
    let mut n = 0;
    while n < IMAGE / 16 {
        slots[n] = Slot(X87.0 + n as u16);
        slots[IMAGE / 16 + n] = stage(n as u32);
        n += 1;
    }
    slots
};

fn fill(f: &mut Frame<'_>) {
    let l = layout(f);
    let mut image = image(l, f.state);
    image[INSTRUCTION..DATA].copy_from_slice(&(f.args[2] as u64).to_le_bytes());
    let bytes = match f.args[0] as u64 {
        FX => fxsave(&image, false).to_vec(),
        FX_WIDE => fxsave(&image, true).to_vec(),
        n if n < FSAVE as u64 => fsave(&image, 2),
        _ => fsave(&image, 4),
    };
    let at = l.offset(stage(0));
    f.state[at..at + bytes.len()].copy_from_slice(&bytes);
}

/// The opposite.
pub(super) static TAKE: Helper = on_state("x87_take", |f| {
    let l = layout(f);
    let (at, n) = (l.offset(stage(0)), f.args[0] as usize);
    let mut staged = [0; IMAGE];
    staged.copy_from_slice(&f.state[at..at + IMAGE]);
    let mut new = image(l, f.state);
    match n as u64 {
        FX => new = fxsave(&staged, false),
        FX_WIDE => new = fxsave(&staged, true),
        _ => set_fsave(&mut new, &staged[..n]),
    }
    set_image(l, f.state, &new);
});

/// The unit as processors begin.
pub(super) static INITIAL: Helper = on_state("x87_initial", |f| set_image(layout(f), f.state, &x87::INITIAL));

#[cfg(test)]
mod tests {
    use super::*;

    /// Two registers in use: 1 in register 7, 0 in register 6.
    fn sample() -> Image {
        let mut image = x87::INITIAL;
        x87::run(&mut image, 0xd9e8, &mut [0; 128], false);
        x87::run(&mut image, 0xd9ee, &mut [0; 128], false);
        image[INSTRUCTION..INSTRUCTION + 16].fill(0);
        image
    }

    #[test]
    fn forms_give_back_what_they_were_made_of() {
        let image = sample();
        assert_eq!(environment(&image, 2)[4..6], [0xff, 0x1f]);
        for size in [2, 4] {
            let mut back = x87::INITIAL;
            set_fsave(&mut back, &fsave(&image, size));
            assert_eq!(back, fxsave(&image, false));
        }
    }

    #[test]
    fn an_environment_leaves_registers_where_they_are() {
        let mut image = sample();
        let mut b = environment(&image, 4);
        // The top becomes register 7.
        b[5] = b[5] & !0x38 | 7 << 3;
        let one = image[st(1)].to_vec();
        set_environment(&mut image, &b);
        assert_eq!((x87::top(&image), &image[st(0)]), (7, &one[..]));
    }
}
