//! The borders of generated code: entering it, leaving it, calling Rust from it. Written once for a guest, since they move its homes.

mod flags;
mod syscall;

use super::asm::{Alu, Asm, Cc, L128, Label, Mem, Reg, Size, vop};
use super::{Map, SCRATCH, STATE, TEMPS, XSCRATCH, XTEMPS, field};
use crate::Thunks;
use crate::cpu::{ExitKind, STATE_OFFSET, at};

/// How many entries of the shadow stack a return that misses looks at.
const LOOK_BACK: i32 = 6;

/// Registers that a C function keeps.
const CALLEE_SAVED: [Reg; 6] = [Reg::RBX, Reg::RBP, Reg::R12, Reg::R13, Reg::R14, Reg::R15];

/// Writes the thunks for a register map. `serve` is the address of `extern "C" fn(cpu: *mut Cpu, site: *const Site)`.
pub fn write(map: &Map, serve: u64) -> (Asm, ThunkOffsets) {
    let mut a = Asm::new();
    let mut w = Writer { a: &mut a, map };
    let mut at = ThunkOffsets { enter: w.start(), ..ThunkOffsets::default() };
    w.enter();
    at.exit = w.start();
    w.exit();
    at.link = w.start();
    w.link();
    at.indirect = w.start();
    w.indirect();
    at.return_miss = w.start();
    w.return_miss();
    at.sentinel = w.start();
    w.sentinel();
    at.serve = w.start();
    w.call_rust(serve);
    at.site = w.start();
    w.site(|a| {
        a.mov_ri64(SCRATCH, serve);
        a.call_reg(SCRATCH);
    });
    at.fault = w.start();
    w.fault();
    at.get_flags = w.start();
    w.get_flags();
    at.set_flags = w.start();
    w.set_flags();
    at.syscall = w.start();
    w.syscall(&mut at);
    (a, at)
}

/// Offsets of the thunks in their code.
#[derive(Clone, Copy, Default, Debug)]
pub struct ThunkOffsets {
    pub enter: u32,
    pub exit: u32,
    pub link: u32,
    pub indirect: u32,
    pub return_miss: u32,
    pub site: u32,
    pub serve: u32,
    pub sentinel: u32,
    pub fault: u32,
    pub get_flags: u32,
    pub set_flags: u32,
    pub syscall: u32,
    pub syscall_begin: u32,
    pub syscall_end: u32,
    pub syscall_unmade: u32,
    pub syscall_restart: u32,
}

impl ThunkOffsets {
    /// The thunks' addresses for code placed at `base`.
    pub fn at(&self, base: u64) -> Thunks {
        let a = |o: u32| base + u64::from(o);
        Thunks {
            enter: a(self.enter),
            exit: a(self.exit),
            link: a(self.link),
            indirect: a(self.indirect),
            return_miss: a(self.return_miss),
            site: a(self.site),
            sentinel: a(self.sentinel),
            serve: a(self.serve),
            fault: a(self.fault),
            get_flags: a(self.get_flags),
            set_flags: a(self.set_flags),
            syscall: a(self.syscall),
            syscall_begin: a(self.syscall_begin),
            syscall_end: a(self.syscall_end),
            syscall_unmade: a(self.syscall_unmade),
            syscall_restart: a(self.syscall_restart),
        }
    }
}

/// Bytes of a stub.
pub const STUB: usize = 12;

/// What a link slot leads to until it is linked: hands the link's record to `thunk`, of [`Thunks::link`]. By distances from the stub's start.
pub fn stub(record: i32, thunk: i32) -> [u8; STUB] {
    // lea rax, [rip + rel32]; jmp rel32
    let mut code = [0x48, 0x8d, 0x05, 0, 0, 0, 0, 0xe9, 0, 0, 0, 0];
    code[3..7].copy_from_slice(&(record - 7).to_le_bytes());
    code[8..].copy_from_slice(&(thunk - STUB as i32).to_le_bytes());
    code
}

/// The site thunk for a region's own map, written into its code. That may be stored, so it refers to Rust by the thunk `serve`.
pub(super) fn write_site(a: &mut Asm, map: &Map, serve: u64) {
    Writer { a, map }.site(|a| a.call_extern(serve));
}

/// Goes to the guest address in scratch if the jump cache knows it, else to `slow`. Who is to leave finds its first entry, which is no address'.
pub(super) fn jump_cached(a: &mut Asm, slow: Label) {
    // Entries are 16 bytes: the address' bits 2.. choose one, times four is its offset.
    let entry = |disp: i32| Mem::sib(STATE, Reg::RCX, 2, at::JUMPS + disp);
    a.mov(Size::D, Reg::RCX, SCRATCH);
    a.alu(Alu::And, Size::D, Reg::RCX, field(at::GOING));
    a.alu(Alu::Cmp, Size::Q, SCRATCH, entry(0));
    a.jcc(Cc::Ne, slow);
    a.jmp_mem(entry(8));
}

struct Writer<'a> {
    a: &'a mut Asm,
    map: &'a Map,
}

impl Writer<'_> {
    fn start(&mut self) -> u32 {
        self.a.align(16);
        self.a.here()
    }

    fn load_homes(&mut self) {
        for s in 0..self.map.homed.len() {
            if let Some(home) = self.map.home(s) {
                self.map.load(self.a, s, home);
            }
        }
    }

    fn store_homes(&mut self) {
        for s in 0..self.map.homed.len() {
            if let Some(home) = self.map.home(s) {
                self.map.store(self.a, s, home);
            }
        }
    }

    /// fn(cpu: rdi, code: rsi)
    fn enter(&mut self) {
        for r in CALLEE_SAVED {
            self.a.push(r);
        }
        // Eight more, so that calls from thunks find the stack aligned as the ABI wants.
        self.a.lea(Size::Q, Reg::RSP, Mem::base(Reg::RSP, -8));
        self.a.lea(Size::Q, STATE, Mem::base(Reg::RDI, STATE_OFFSET as i32));
        self.a.mov_mr(Size::Q, field(at::HOST_RSP), Reg::RSP);
        self.a.stmxcsr(field(at::HOST_MXCSR));
        self.a.ldmxcsr(field(at::MXCSR));
        self.a.mov(Size::Q, Reg::RSP, field(at::SHADOW));
        self.a.mov(Size::Q, SCRATCH, Reg::RSI);
        self.load_homes();
        self.a.jmp_reg(SCRATCH);
    }

    /// State is in memory: back to Rust.
    fn leave(&mut self) {
        self.a.mov_mr(Size::Q, field(at::SHADOW), Reg::RSP);
        self.a.stmxcsr(field(at::MXCSR));
        self.return_to_rust();
    }

    fn return_to_rust(&mut self) {
        self.a.ldmxcsr(field(at::HOST_MXCSR));
        self.a.mov(Size::Q, Reg::RSP, field(at::HOST_RSP));
        self.a.lea(Size::Q, Reg::RSP, Mem::base(Reg::RSP, 8));
        for r in CALLEE_SAVED.into_iter().rev() {
            self.a.pop(r);
        }
        self.a.ret();
    }

    fn exit(&mut self) {
        self.exit_by_record(ExitKind::Static);
    }

    fn link(&mut self) {
        self.exit_by_record(ExitKind::Link);
    }

    fn exit_by_record(&mut self, kind: ExitKind) {
        self.a.mov_mr(Size::Q, field(at::EXIT_RECORD), SCRATCH);
        self.a.mov_mi(Size::D, field(at::EXIT_KIND), kind as i32);
        self.store_homes();
        self.leave();
    }

    fn indirect(&mut self) {
        self.a.mov_mr(Size::Q, field(at::EXIT_VALUE), SCRATCH);
        self.a.mov_mi(Size::D, field(at::EXIT_KIND), ExitKind::Indirect as i32);
        self.store_homes();
        self.leave();
    }

    /// Looks a few calls further down (a longjmp), else starts anew with an empty shadow stack.
    fn return_miss(&mut self) {
        for n in 1..=LOOK_BACK {
            let next = self.a.label();
            self.a.alu(Alu::Cmp, Size::Q, SCRATCH, Mem::base(Reg::RSP, 16 * n + 8));
            self.a.jcc(Cc::Ne, next);
            self.a.lea(Size::Q, Reg::RSP, Mem::base(Reg::RSP, 16 * n));
            self.a.ret();
            self.a.bind(next);
        }
        self.a.mov(Size::Q, Reg::RSP, field(at::SHADOW_TOP));
        // The jump cache may know it.
        let slow = self.a.label();
        jump_cached(self.a, slow);
        self.a.bind(slow);
        self.indirect();
    }

    /// Returned to from the empty shadow stack: the pair's other half is on top of it still.
    fn sentinel(&mut self) {
        self.a.lea(Size::Q, Reg::RSP, Mem::base(Reg::RSP, -8));
        self.a.mov_ri(SCRATCH, crate::cpu::NOWHERE);
        self.indirect();
    }

    /// Goes on to Rust's function.
    fn call_rust(&mut self, serve: u64) {
        self.a.mov_ri64(SCRATCH, serve);
        self.a.jmp_reg(SCRATCH);
    }

    /// Calls Rust for the site in scratch; all registers survive.
    fn site(&mut self, call: impl FnOnce(&mut Asm)) {
        self.store_homes();
        for (i, r) in TEMPS.into_iter().enumerate() {
            self.a.mov_mr(Size::Q, field(at::SAVE + 8 * i as i32), r);
        }
        for (i, x) in XTEMPS.into_iter().chain([XSCRATCH]).enumerate() {
            self.a.vst(vop::VMOVUPS_ST, L128, field(at::SAVE + 32 + 16 * i as i32), x);
        }
        self.a.mov_mr(Size::Q, field(at::SHADOW), Reg::RSP);
        self.a.mov(Size::Q, Reg::RSP, field(at::HOST_RSP));
        self.a.lea(Size::Q, Reg::RDI, Mem::base(STATE, -(STATE_OFFSET as i32)));
        self.a.mov(Size::Q, Reg::RSI, SCRATCH);
        call(self.a);
        self.a.mov(Size::Q, Reg::RSP, field(at::SHADOW));
        self.load_homes();
        for (i, r) in TEMPS.into_iter().enumerate() {
            self.a.mov(Size::Q, r, field(at::SAVE + 8 * i as i32));
        }
        for (i, x) in XTEMPS.into_iter().chain([XSCRATCH]).enumerate() {
            self.a.v2(vop::VMOVUPS, L128, x, field(at::SAVE + 32 + 16 * i as i32));
        }
        self.a.ret();
    }

    /// State is saved; r15 still is the state register.
    fn fault(&mut self) {
        self.a.mov_mi(Size::D, field(at::EXIT_KIND), ExitKind::Fault as i32);
        self.return_to_rust();
    }
}
