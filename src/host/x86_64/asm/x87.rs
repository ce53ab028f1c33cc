//! Instructions of the x87 unit and its MMX registers.

use super::int::{Enc, op};
use super::{Asm, Mem, Reg, Size};

impl Asm {
    /// An instruction without a memory operand: its bytes, the first one in the upper half.
    pub fn x87(&mut self, code: u16) {
        let [opcode, modrm] = code.to_be_bytes();
        match opcode {
            // FWAIT; EMMS.
            0 if modrm == 0x9b => self.buf.push(modrm),
            0 => self.buf.extend_from_slice(&[0x0f, modrm]),
            _ => self.buf.extend_from_slice(&[opcode, modrm]),
        }
    }

    /// An instruction with a memory operand, which replaces all but the digit in the code's ModRM byte.
    pub fn x87_mem(&mut self, code: u16, m: Mem) {
        let [opcode, modrm] = code.to_be_bytes();
        self.legacy(Enc::new(op(0, 0, opcode), Size::D), modrm >> 3 & 7, m);
    }

    /// MOVQ from and to an MMX register.
    pub fn movq_from_mmx(&mut self, to: Reg, n: u8) {
        self.legacy(Enc::new(op(0, 1, 0x7e), Size::Q), n, to);
    }
    pub fn movq_to_mmx(&mut self, n: u8, from: Reg) {
        self.legacy(Enc::new(op(0, 1, 0x6e), Size::Q), n, from);
    }
}
