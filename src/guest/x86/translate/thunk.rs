//! Calls of `__x86.get_pc_thunk.bx` and its like, by which position-independent code of 32 bits learns where it stands: they load their return address into
//! a register. So their callers go on by themselves, and what is addressed from there is a constant.

use super::Cx;
use crate::state::RSP;
use arch::Code;
use iced_x86::Instruction;
use ir::{IntCc, Mem, Term, Ty};

/// `mov register, [esp]; ret`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Thunk {
    register: u32,
    bytes: u32,
}

impl Thunk {
    /// The one that the instruction calls, if it does.
    pub(super) fn called(code: &mut dyn Code, i: &Instruction) -> Option<Thunk> {
        let mut bytes = [0; 4];
        if i.code() != iced_x86::Code::Call_rel32_32 || code.peek(i.near_branch_target(), &mut bytes) < bytes.len() {
            return None;
        }
        let [0x8b, modrm, 0x24, 0xc3] = bytes else { return None };
        let register = u32::from(modrm >> 3);
        // A register, and memory by SIB; what loads ESP goes on with another stack.
        (modrm & 7 == 4 && register < 8 && register != RSP)
            .then_some(Thunk { register, bytes: u32::from_le_bytes(bytes) })
    }
}

impl Cx<'_> {
    /// A call of the thunk, at `pc`. It stands elsewhere, perhaps on a page that this region is not stored with, so its bytes are compared.
    pub(super) fn call_thunk(&mut self, thunk: Thunk, pc: u64) {
        let ret = self.next;
        let at = self.imm(pc);
        let now = self.b.load(Ty::I32, Mem::at(at, 4));
        let link = self.imm(ret);
        self.push(link);
        let was = self.b.i32(thunk.bytes);
        let differs = self.b.cmp(IntCc::Ne, now, was);
        self.b.leave_if(differs, Term::Call { pc, ret });
        let sp = self.x(RSP);
        let sp = self.b.add_imm(sp, 4);
        self.set_x(RSP, sp);
        let here = self.imm(ret);
        self.set_x(thunk.register, here);
    }
}
