//! String instructions. A repeated one is a loop of its single steps: each goes back to the instruction's own address, so that state is exact at
//! every access, and a signal can come between.

use super::Cx;
use crate::insn::rows;
use crate::state::{RAX, RCX, RDI, RSI, mode};
use iced_x86::{ConditionCode, Instruction, OpKind, Register};
use ir::{BlockId, IntCc, Lane, Mem, Term, Ty, Val};

rows! {
    Movsb => string(Kind::Move);
    Movsw => string(Kind::Move);
    Movsq => string(Kind::Move);
    Stosb => string(Kind::Store);
    Stosw => string(Kind::Store);
    Stosd => string(Kind::Store);
    Stosq => string(Kind::Store);
    Lodsb => string(Kind::Load);
    Lodsw => string(Kind::Load);
    Lodsd => string(Kind::Load);
    Lodsq => string(Kind::Load);
    Scasb => string(Kind::Scan);
    Scasw => string(Kind::Scan);
    Scasd => string(Kind::Scan);
    Scasq => string(Kind::Scan);
    Cmpsb => string(Kind::Compare);
    Cmpsw => string(Kind::Compare);
    Cmpsq => string(Kind::Compare);
    Insb => privileged();
    Insw => privileged();
    Insd => privileged();
    Outsb => privileged();
    Outsw => privileged();
    Outsd => privileged();
}

/// MOVSD and CMPSD are names of SSE instructions, too: their rows ask this.
pub(super) fn move_or_compare(cx: &mut Cx, i: &Instruction, compare: bool) {
    string(cx, i, if compare { Kind::Compare } else { Kind::Move });
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Move,
    Store,
    Load,
    Scan,
    Compare,
}

fn privileged(cx: &mut Cx, _: &Instruction) {
    cx.privileged();
}

/// The width of addresses.
fn address_type(i: &Instruction) -> Ty {
    let kinds = [i.op0_kind(), i.op1_kind()];
    let any = |wanted: &[OpKind]| kinds.iter().any(|k| wanted.contains(k));
    if any(&[OpKind::MemorySegRSI, OpKind::MemoryESRDI]) {
        Ty::I64
    } else if any(&[OpKind::MemorySegESI, OpKind::MemoryESEDI]) {
        Ty::I32
    } else {
        Ty::I16
    }
}

fn string(cx: &mut Cx, i: &Instruction, kind: Kind) {
    let s = Step { kind, at: address_type(i), ty: Ty::int(i.memory_size().size()), segment: i.memory_segment(), i };
    if !i.has_repe_prefix() && !i.has_repne_prefix() {
        return s.once(cx);
    }
    // The way on comes after all others, for the position of a fault is that of the instruction before in their order.
    let body = cx.b.block();
    let is_plain = cx.mode & mode::DIRECTION == 0 && cx.mode >> mode::CHECKED == 0 && s.at == cx.xlen;
    let moves = matches!(kind, Kind::Move | Kind::Store) && is_plain;
    let chunks = moves.then(|| [CHUNK, SMALL_CHUNK].map(|bytes| (bytes, std::array::from_fn(|_| cx.b.block()))));
    let ends = matches!(kind, Kind::Scan | Kind::Compare).then(|| (cx.b.block(), cx.b.block()));
    let done = cx.b.block();
    let count = cx.low(s.at, RCX);
    let zero = cx.b.constant(s.at, 0);
    let none = cx.b.cmp(IntCc::Eq, count, zero);
    cx.b.branch(none, done, body);
    cx.b.enter(body);
    for (bytes, blocks) in chunks.into_iter().flatten() {
        s.many(cx, bytes, blocks);
    }
    s.once(cx);
    s.count(cx, 1);
    let pc = cx.pc;
    if let Some((again, stop)) = ends {
        let cc = if i.has_repne_prefix() { ConditionCode::ne } else { ConditionCode::e };
        let goes_on = cx.condition(cc);
        cx.b.branch(goes_on, again, stop);
        cx.b.enter(again);
        cx.b.end(Term::Goto { pc });
        cx.b.enter(stop);
        cx.b.end(Term::Jump(done));
    } else {
        cx.b.end(Term::Goto { pc });
    }
    cx.b.enter(done);
}

/// A single step.
#[derive(Clone, Copy)]
struct Step<'a> {
    kind: Kind,
    /// The type of addresses.
    at: Ty,
    /// The type of elements.
    ty: Ty,
    /// Of the source.
    segment: Register,
    i: &'a Instruction,
}

/// Bytes that repeated moves and stores take at once, and near their end.
const CHUNK: u32 = 128;
const SMALL_CHUNK: u32 = 32;
/// Bytes that are read before they are written.
const PAIR: u32 = 32;

impl Step<'_> {
    fn mem(self, cx: &mut Cx, n: u32, bytes: usize) -> Mem {
        let addr = cx.low(self.at, n);
        let mem = Mem::at(addr, bytes as u8);
        cx.in_segment(self.i, if n == RSI { self.segment } else { Register::ES }, mem)
    }

    /// Moves an index register by so many bytes, in the direction that DF has.
    fn advance(self, cx: &mut Cx, n: u32, bytes: u32) {
        let v = cx.low(self.at, n);
        let by = if cx.mode & mode::DIRECTION == 0 { i64::from(bytes) } else { -i64::from(bytes) };
        let v = cx.b.add_imm(v, by);
        cx.set_low(n, v);
    }

    fn count(self, cx: &mut Cx, by: u32) {
        let v = cx.low(self.at, RCX);
        let v = cx.b.add_imm(v, -i64::from(by));
        cx.set_low(RCX, v);
    }

    fn once(self, cx: &mut Cx) {
        let bytes = self.ty.bytes();
        match self.kind {
            Kind::Move => {
                let (from, to) = (self.mem(cx, RSI, bytes), self.mem(cx, RDI, bytes));
                let v = cx.b.load(self.ty, from);
                cx.b.store(to, v);
            }
            Kind::Store => {
                let to = self.mem(cx, RDI, bytes);
                let v = cx.low(self.ty, RAX);
                cx.b.store(to, v);
            }
            Kind::Load => {
                let from = self.mem(cx, RSI, bytes);
                let v = cx.b.load(self.ty, from);
                cx.set_low(RAX, v);
            }
            Kind::Scan => {
                let from = self.mem(cx, RDI, bytes);
                let (a, b) = (cx.low(self.ty, RAX), cx.b.load(self.ty, from));
                self.compare(cx, a, b);
            }
            Kind::Compare => {
                let (from, with) = (self.mem(cx, RSI, bytes), self.mem(cx, RDI, bytes));
                let (a, b) = (cx.b.load(self.ty, from), cx.b.load(self.ty, with));
                self.compare(cx, a, b);
            }
        }
        if matches!(self.kind, Kind::Move | Kind::Load | Kind::Compare) {
            self.advance(cx, RSI, bytes as u32);
        }
        if self.kind != Kind::Load {
            self.advance(cx, RDI, bytes as u32);
        }
    }

    // Differs: a fault of a later step leaves the flags of the one before; processors give back those from before the first.
    fn compare(self, cx: &mut Cx, a: Val, b: Val) {
        cx.flags_sub(a, b);
    }

    /// Ahead of a single step of a repeated move or store: so many bytes at once, if there are as many, and the target does not begin within what is read, nor
    /// the source in what is written before the last is read. The blocks: for a second look, for these bytes, for what comes instead.
    // Differs: a fault within finds none of them done, where hardware has done those that it could.
    fn many(self, cx: &mut Cx, bytes: u32, [look, chunk, instead]: [BlockId; 3]) {
        let elements = bytes / self.ty.bytes() as u32;
        let (count, least) = (cx.low(self.at, RCX), cx.b.constant(self.at, elements.into()));
        let enough = cx.b.cmp(IntCc::Uge, count, least);
        cx.b.branch(enough, look, instead);
        cx.b.enter(look);
        if self.kind == Kind::Move {
            let (from, to) = (self.mem(cx, RSI, 16), self.mem(cx, RDI, 16));
            let distance = cx.b.sub(to.base, from.base);
            let beyond = cx.b.add_imm(distance, -i64::from(bytes));
            let behind = if bytes > PAIR { 2 * bytes } else { bytes + 1 };
            let most = cx.b.constant(self.at, (behind as u64).wrapping_neg());
            let apart = cx.b.cmp(IntCc::Ule, beyond, most);
            cx.b.branch(apart, chunk, instead);
        } else {
            cx.b.end(Term::Jump(chunk));
        }
        cx.b.enter(chunk);
        let to = self.mem(cx, RDI, 16);
        for at in (0..bytes as i32).step_by(PAIR as usize) {
            let values: [Val; 2] = if self.kind == Kind::Move {
                let from = self.mem(cx, RSI, 16);
                [at, at + 16].map(|at| cx.b.load(Ty::V128, from.disp(at)))
            } else {
                let v = cx.low(self.ty, RAX);
                let lane = Lane::log2(self.ty.bytes().trailing_zeros());
                [cx.b.vsplat(lane, v); 2]
            };
            for (at, v) in [at, at + 16].into_iter().zip(values) {
                cx.b.store(to.disp(at), v);
            }
        }
        if self.kind == Kind::Move {
            self.advance(cx, RSI, bytes);
        }
        self.advance(cx, RDI, bytes);
        self.count(cx, elements);
        let pc = cx.pc;
        cx.b.end(Term::Goto { pc });
        cx.b.enter(instead);
    }
}
