//! Far jumps, calls and returns, and IRET, to flat code: SDM vol. 2, JMP, CALL, RET, IRET. 64-bit programs may go to 32-bit code and back.
//!
//! Differs: code with a base or limit of its own is known and not there.

use super::Cx;
use super::descriptor;
use super::segment::layout;
use crate::insn::rows;
use crate::linux::USER_CS32;
use crate::state::{CS, DIRECTION, EXCEPTION, OTHER, RSP, SS, mode, selector, tls};
use iced_x86::{Code, Instruction, MemorySize, OpKind};
use ir::{Frame, Helper, IntCc, Mem, Slot, Term, Touches, Trap, Ty, Val};

rows! {
    Retf => ret();
    Iret => iret();
    Iretd => iret();
    Iretq => iret();
}

/// How code is entered.
#[derive(Clone, Copy)]
enum Way {
    Call,
    /// With EFLAGS, or nothing for RET.
    Return(Val),
}

/// Whether code of a selector may be gone on with; the other arguments say whether as a return, EFLAGS, and whether registers have 64 bits.
static ENTER: Helper =
    Helper { name: "enter_code_segment", run: enter, touches: Touches::Writes(&TOLD), can_exit: true, pure: false };

fn enter(f: &mut Frame<'_>) {
    let (selector, returns, eflags, l) = (f.args[0] as u16, f.args[1] != 0, f.args[2] as u32, layout(f.args[3] != 0));
    // A return goes to no deeper level, and there is no task to return to.
    let allowed = match (eflags & NESTED != 0, returns && selector & 3 != 3) {
        (true, _) => return f.exit = Some(Trap::Privileged),
        (_, true) => Err(Trap::Privileged),
        _ => descriptor::is_flat_code(l, f.state, selector),
    };
    f.exit = allowed.err().map(|trap| descriptor::refuse(l, f.state, CS, selector, trap));
}

/// What a selector is found by, and what is told of one that is refused.
static TOLD: [Slot; 4] = [tls(0), tls(1), tls(2), EXCEPTION];

/// EFLAGS.NT.
const NESTED: u32 = 1 << 14;

impl Cx<'_> {
    fn enter_code(&mut self, selector: Val, way: Way) {
        let [call, back, long] = [0, 1, self.is_wide().into()].map(|v| self.b.i32(v));
        let (returns, eflags) = match way {
            Way::Call => (call, call),
            Way::Return(eflags) => (back, eflags),
        };
        self.b.call(&ENTER, Ty::Void, &[selector, returns, eflags, long]);
    }

    /// What stands in the nth place of the stack.
    fn on_stack(&mut self, ty: Ty, n: usize) -> Val {
        let sp = self.x(RSP);
        let bytes = ty.bytes();
        self.b.load(ty, Mem::at(sp, bytes as u8).disp((n * bytes) as i32))
    }

    /// Where a far jump or call goes: offset, selector, and the offset's type.
    fn far_target(&mut self, i: &Instruction) -> (Val, Val, Ty) {
        let (offset, selector, ty) = match i.op0_kind() {
            OpKind::FarBranch16 => (i.far_branch16().into(), i.far_branch_selector(), Ty::I16),
            OpKind::FarBranch32 => (i.far_branch32(), i.far_branch_selector(), Ty::I32),
            _ => return self.far_pointer_at(i),
        };
        (self.imm(offset.into()), self.b.i32(selector.into()), ty)
    }

    fn far_pointer_at(&mut self, i: &Instruction) -> (Val, Val, Ty) {
        let ty = match i.memory_size() {
            MemorySize::SegPtr16 => Ty::I16,
            MemorySize::SegPtr32 => Ty::I32,
            _ => Ty::I64,
        };
        let [at, behind] = [(0, ty.bytes()), (ty.bytes() as u32, 2)].map(|(n, bytes)| self.part_of_memory(i, n, bytes));
        let (offset, selector) = (self.b.load(ty, at), self.b.load(Ty::I16, behind));
        (self.b.zext(self.xlen, offset), self.b.zext(Ty::I32, selector), ty)
    }

    pub(super) fn jump_far(&mut self, i: &Instruction) {
        let (pc, selector, _) = self.far_target(i);
        self.enter_code(selector, Way::Call);
        self.go_far(pc, selector);
    }

    pub(super) fn call_far(&mut self, i: &Instruction) {
        let (pc, to, ty) = self.far_target(i);
        self.enter_code(to, Way::Call);
        let (link, own) = (self.imm(self.next), self.b.get(selector(CS)));
        let (link, own) = (self.b.trunc(ty, link), self.resized(ty, own));
        let (sp, bytes) = (self.x(RSP), ty.bytes() as i32);
        for (v, n) in [(own, 1), (link, 2)] {
            self.b.store(Mem::at(sp, bytes as u8).disp(-n * bytes), v);
        }
        let sp = self.b.add_imm(sp, (-2 * bytes).into());
        self.set_x(RSP, sp);
        self.go_far(pc, to);
    }

    /// On at an address in code of a selector. In 64-bit programs that may be of the other width, under another mode word.
    fn go_far(&mut self, pc: Val, to: Val) {
        if !self.is_wide() {
            return self.b.end(Term::Indirect { pc });
        }
        // Who runs has the least privilege.
        let (level, narrow) = (self.b.i32(3), self.b.i32(USER_CS32 as u32));
        let to = self.b.or(to, level);
        self.b.set(selector(CS), to);
        let is_narrow = self.b.cmp(IntCc::Eq, to, narrow);
        let low = self.b.and_imm(pc, u32::MAX.into());
        let pc = self.b.select(is_narrow, low, pc);
        self.b.end(Term::ResumeAt { pc });
    }

    fn resized(&mut self, ty: Ty, v: Val) -> Val {
        if ty.bytes() < self.b.ty(v).bytes() { self.b.trunc(ty, v) } else { self.b.zext(ty, v) }
    }
}

fn ret(cx: &mut Cx, i: &Instruction) {
    let drop = if i.op_count() > 0 { i.immediate16() } else { 0 };
    let ty = Ty::int((i.stack_pointer_increment() - i32::from(drop)) as usize / 2);
    let [pc, selector] = [0, 1].map(|n| cx.on_stack(ty, n));
    let selector = cx.resized(Ty::I32, selector);
    let none = cx.b.i32(0);
    cx.enter_code(selector, Way::Return(none));
    let sp = cx.x(RSP);
    let sp = cx.b.add_imm(sp, i.stack_pointer_increment().into());
    cx.set_x(RSP, sp);
    let pc = cx.b.zext(cx.xlen, pc);
    cx.go_far(pc, selector);
}

/// Where the parts of what IRET pops stand; in 64-bit mode the stack comes back, too.
mod place {
    pub(super) const PC: usize = 0;
    pub(super) const CODE: usize = 1;
    pub(super) const FLAGS: usize = 2;
    pub(super) const POINTER: usize = 3;
    pub(super) const STACK: usize = 4;
}

fn iret(cx: &mut Cx, i: &Instruction) {
    let ty = match i.code() {
        Code::Iretw => Ty::I16,
        Code::Iretd => Ty::I32,
        _ => Ty::I64,
    };
    let places = if cx.is_long() { 5 } else { 3 };
    let mut popped = [Val::NONE; 5];
    for (n, v) in popped.iter_mut().enumerate().take(places) {
        *v = cx.on_stack(ty, n);
    }
    let code = cx.resized(Ty::I32, popped[place::CODE]);
    let eflags = cx.b.get(OTHER);
    cx.enter_code(code, Way::Return(eflags));
    if cx.is_long() {
        let stack = cx.resized(Ty::I32, popped[place::STACK]);
        cx.load_segment(SS, stack);
    }
    let flags = cx.resized(Ty::I32, popped[place::FLAGS]);
    cx.with_direction(flags);
    // Another block, which knows nothing of the one before.
    let [pc, code, flags] = [place::PC, place::CODE, place::FLAGS].map(|n| cx.on_stack(ty, n));
    let code = cx.resized(Ty::I32, code);
    let sp = if cx.is_long() {
        let sp = cx.on_stack(ty, place::POINTER);
        cx.b.zext(Ty::I64, sp)
    } else {
        let sp = cx.x(RSP);
        cx.b.add_imm(sp, (places * ty.bytes()) as i64)
    };
    let flags = cx.resized(Ty::I32, flags);
    cx.set_eflags(flags, ty);
    cx.set_x(RSP, sp);
    let pc = cx.b.zext(cx.xlen, pc);
    cx.go_far(pc, code);
}

impl Cx<'_> {
    /// DF is part of the mode word, which no jump to a value changes: if it is to be another, that is done first, and the instruction again.
    fn with_direction(&mut self, eflags: Val) {
        let (again, on) = (self.b.block(), self.b.block());
        let now = self.mode & mode::DIRECTION;
        let (down, is) = (self.b.extract(eflags, 10, 1, false), self.b.i32(now));
        let cond = self.b.cmp(IntCc::Ne, down, is);
        self.b.branch(cond, again, on);
        self.b.enter(again);
        let down = self.b.i32(now ^ mode::DIRECTION);
        self.b.set(DIRECTION, down);
        let pc = self.pc;
        self.b.end(Term::Resume { pc });
        self.b.enter(on);
    }
}
