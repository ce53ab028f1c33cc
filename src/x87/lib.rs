//! The x87 floating-point unit, with the MMX registers that it shares: one instruction on a unit whose state is in memory, and the host's own
//! unit to and from memory.
//!
//! A guest's unit is the host's while translated code runs: nothing else here uses x87 or MMX. Its state in memory is what FXSAVE writes of
//! it ([`IMAGE`]). Results are the host's, so they are exact in each bit. A host of another kind would need [`run`] by soft float.

mod host;

pub use host::{load, run, save};

/// Bytes of the state in memory: FXSAVE's image up to the XMM registers. Bytes 24 to 31 (MXCSR) are not looked at.
pub const IMAGE: usize = 160;
pub const CONTROL: usize = 0;
pub const STATUS: usize = 2;
/// A bit for each register that is not empty.
pub const TAGS: usize = 4;
pub const OPCODE: usize = 6;
pub const INSTRUCTION: usize = 8;
pub const DATA: usize = 16;
/// What stands between the pointers and the registers.
pub const MXCSR: usize = 24;
/// ST(0) to ST(7), or MM0 to MM7, 16 bytes each.
pub const REGISTERS: usize = 32;

/// The exceptions in control and status word.
pub const EXCEPTIONS: u16 = 0x3f;
/// Status word: an exception that is not masked waits; busy.
const WAITS: u16 = 1 << 7 | 1 << 15;
/// The control word after FNINIT, and as Linux gives it to programs.
pub const INITIAL_CONTROL: u16 = 0x37f;

pub type Image = [u8; IMAGE];

/// The state after FNINIT, with registers zero.
pub const INITIAL: Image = {
    let mut image = [0; IMAGE];
    [image[CONTROL], image[CONTROL + 1]] = INITIAL_CONTROL.to_le_bytes();
    image
};

/// Instructions, as opcode (D8 to DF) and ModRM byte. A memory operand has 0 for what tells the address.
pub mod code {
    pub const FNSTSW_AX: u16 = 0xdfe0;
    pub const FNCLEX: u16 = 0xdbe2;
    pub const FNINIT: u16 = 0xdbe3;
    /// Of no opcode of the unit: FWAIT and EMMS.
    pub const FWAIT: u16 = 0x009b;
    pub const EMMS: u16 = 0x0077;
    pub const FNSTCW: u16 = 0xd938;
    pub const FNSTSW: u16 = 0xdd38;
    pub const FLDCW: u16 = 0xd928;
    pub const FNSTENV: u16 = 0xd930;
    pub const FLDENV: u16 = 0xd920;

    /// Whether it has a memory operand.
    pub const fn is_memory(code: u16) -> bool {
        code >= 0xd800 && code & 0xff < 0xc0
    }

    /// Whether it writes its memory operand: FST, FIST, FISTTP, FBSTP, FNSTCW, FNSTSW.
    pub const fn stores(code: u16) -> bool {
        let n = code >> 3 & 7;
        match code >> 8 {
            0xd9 => matches!(n, 2 | 3 | 7),
            0xdb => matches!(n, 1 | 2 | 3 | 7),
            0xdd => matches!(n, 1 | 2 | 3 | 7),
            0xdf => matches!(n, 1 | 2 | 3 | 6 | 7),
            _ => false,
        }
    }

    /// Whether it first reports an exception that waits (all but the FN forms).
    pub const fn waits(code: u16) -> bool {
        !matches!(code, FNSTSW_AX | FNCLEX | FNINIT | FNSTCW | FNSTSW)
    }
}

/// A word of an image.
pub const fn word(image: &Image, at: usize) -> u16 {
    u16::from_le_bytes([image[at], image[at + 1]])
}

pub const fn set_word(image: &mut Image, at: usize, v: u16) {
    [image[at], image[at + 1]] = v.to_le_bytes();
}

/// The register on top of the stack.
pub const fn top(image: &Image) -> usize {
    (word(image, STATUS) >> 11 & 7) as usize
}

/// Exceptions that wait: those not masked.
pub const fn waiting(image: &Image) -> u16 {
    word(image, STATUS) & !word(image, CONTROL) & EXCEPTIONS
}

/// The status word's summary of exceptions, anew, for words that came from memory.
pub const fn summarize(image: &mut Image) {
    let status = word(image, STATUS) & !WAITS;
    set_word(image, STATUS, if waiting(image) != 0 { status | WAITS } else { status });
}

/// What Linux says of an exception that waits: si_code of SIGFPE (asm-generic/siginfo.h), the gravest first.
pub const fn signal_code(image: &Image) -> i32 {
    const INVALID: i32 = 7;
    match waiting(image) {
        w if w & 1 != 0 => INVALID,
        // Division, overflow, underflow or a denormal operand, precision.
        w if w & 4 != 0 => 3,
        w if w & 8 != 0 => 4,
        w if w & 0x12 != 0 => 5,
        w if w & 0x20 != 0 => 6,
        _ => INVALID,
    }
}

/// What any MMX instruction but EMMS does before its own work: the stack's top is register 0, none is empty.
pub fn enter_mmx(image: &mut Image) {
    // Registers stand by their distance from the top.
    let top = top(image);
    image[REGISTERS..].rotate_right(16 * top);
    let status = word(image, STATUS);
    set_word(image, STATUS, status & !(7 << 11));
    set_word(image, TAGS, 0xff);
}

/// MMX register n.
pub fn mmx(image: &Image, n: u8) -> u64 {
    let at = REGISTERS + 16 * usize::from(n & 7);
    u64::from_le_bytes(image[at..at + 8].try_into().unwrap_or_default())
}

/// Writes an MMX register: what is above it becomes ones.
pub fn set_mmx(image: &mut Image, n: u8, v: u64) {
    let at = REGISTERS + 16 * usize::from(n & 7);
    image[at..at + 8].copy_from_slice(&v.to_le_bytes());
    image[at + 8..at + 10].fill(0xff);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_third_is_rounded_to_64_bits() {
        let mut image = INITIAL;
        let mut operand = [0; 128];
        operand[..4].copy_from_slice(&1f32.to_le_bytes());
        run(&mut image, 0xd900, &mut operand, false);
        operand[..4].copy_from_slice(&3f32.to_le_bytes());
        run(&mut image, 0xd830, &mut operand, false);
        assert_eq!(image[REGISTERS..REGISTERS + 10], [0xab, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xfd, 0x3f]);
        assert_eq!((top(&image), image[TAGS], word(&image, STATUS) & EXCEPTIONS), (7, 0x80, 0x20));
    }

    #[test]
    fn an_exception_waits_in_the_image() {
        let mut image = INITIAL;
        set_word(&mut image, CONTROL, INITIAL_CONTROL & !1);
        // FSQRT of an empty stack.
        run(&mut image, 0xd9fa, &mut [0; 128], false);
        assert_eq!((waiting(&image), signal_code(&image)), (1, 7));
        assert_eq!(word(&image, STATUS) & WAITS, WAITS);
        run(&mut image, code::FNCLEX, &mut [0; 128], false);
        assert_eq!(waiting(&image), 0);
    }

    #[test]
    fn the_host_s_unit_comes_back() {
        let mut image = INITIAL;
        run(&mut image, 0xd9eb, &mut [0; 128], false);
        let mut seen = [0; IMAGE];
        load(&image);
        save(&mut seen);
        load(&INITIAL);
        assert_eq!((&seen[..INSTRUCTION], &seen[REGISTERS..]), (&image[..INSTRUCTION], &image[REGISTERS..]));
    }

    #[test]
    fn mmx_registers_are_numbered_from_register_0() {
        let mut image = INITIAL;
        // FLD1 goes to register 7.
        run(&mut image, 0xd9e8, &mut [0; 128], false);
        enter_mmx(&mut image);
        assert_eq!((mmx(&image, 7), top(&image), image[TAGS]), (1 << 63, 0, 0xff));
        set_mmx(&mut image, 7, 5);
        assert_eq!(image[REGISTERS + 112..][..10], [5, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]);
    }
}
