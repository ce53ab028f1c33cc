//! Signal frames of Linux on x86, and what debuggers see of registers: layouts from the kernel's asm/sigcontext.h, asm/ucontext.h and asm/sigframe.h,
//! registers at a handler's entry from what arch/x86/kernel/signal_32.c and signal_64.c do.

use crate::linux::{ABI64, OLD_RETURN, USER_CS32, USER_CS64};
use crate::segments;
use crate::state::{
    self, CS, DS, ERROR, ES, EXCEPTION, FS, FS_BASE, GS, GS_BASE, MXCSR, OTHER, PC, R8, R9, R10, R11, RAX, RBP, RBX,
    RCX, RDI, RDX, RSI, RSP, SS, STATE32, STATE64, STEPPED, TF, XCR0, r, selector,
};
use crate::translate::x87_image::{self, FSAVE};
use crate::xsave::{self, FX_MXCSR, FXSAVE, MXCSR_INITIAL, MXCSR_MASK, XSTATE_BV, put, word};
use arch::State;
use arch::abi::{
    AltStack, Debug, Delivery, FrameKind, Original, ReadMemory, RegisterSet, RegisterSource, Restored, SI_KERNEL,
    SignalFrame, UserArea,
};
use ir::Slot;

const SA_SIGINFO: u64 = 4;
const SA_RESTORER: u64 = 0x0400_0000;
const INFO: usize = 128;
/// Within siginfo.
const SI_CODE: usize = 8;
const FPE_FLTDIV: u64 = 3;
const FPE_FLTINV: u64 = 7;

/// Below the stack pointer, leaf functions of x86-64 keep data.
const RED_ZONE: u64 = 128;

/// Vector number and error code of the exception behind a signal.
fn exception(l: &State, state: &[u8], d: &Delivery) -> (u64, u64) {
    let unformed = word(d.info, SI_CODE, 4) == SI_KERNEL as u64;
    let told = l.get(state, EXCEPTION);
    match (d.signo, d.fault.as_ref()) {
        (11 | 7, None) if unformed && told != 0 => (told & ((1 << ERROR) - 1), told >> ERROR),
        // A protection fault, which has no address.
        (11, _) if unformed => (13, 0),
        // The stack's segment's.
        (7, Some(_)) if unformed => (12, 0),
        // A page fault: present, which the kernel says of all of its own memory, write, user, fetch.
        (11 | 7, Some(f)) => {
            let error = u64::from(f.protection || f.addr >= ABI64.task_size)
                | u64::from(f.write) << 1
                | 4
                | u64::from(f.fetch) << 4;
            (14, error)
        }
        (11, None) => (13, 0),
        (7, None) if unformed => (11, 0),
        // The unit's exceptions, SSE's, a division's.
        (8, Some(_)) => (16, 0),
        (8, None) if (FPE_FLTDIV..=FPE_FLTINV).contains(&word(d.info, SI_CODE, 4)) => (19, 0),
        (5, _) if unformed => (3, 0),
        (5, _) => (1, 0),
        (4, _) => (6, 0),
        _ => (0, 0),
    }
}

/// EFLAGS in a frame. RF keeps the instruction that a fault comes back to from raising a breakpoint again; there is none in what traps report behind
/// themselves: the debugger's, INT3, INTO.
fn frame_eflags(l: &State, state: &[u8], d: &Delivery, vector: u64) -> u32 {
    let raised = word(d.info, SI_CODE, 4) as i32 > 0 && FAULTS.contains(&d.signo);
    state::eflags(l, state) | if raised && !(1..=4).contains(&vector) { RF } else { 0 }
}

const RF: u32 = 1 << 16;
/// SIGILL, SIGBUS, SIGFPE, SIGSEGV.
const FAULTS: [u32; 4] = [4, 7, 8, 11];

fn put_altstack(b: &mut [u8], at: usize, long: usize, s: &AltStack) {
    put(b, at, s.sp, long);
    put(b, at + long, s.flags.into(), 4);
    put(b, at + 2 * long, s.size, long);
}

fn altstack(b: &[u8], at: usize, long: usize) -> AltStack {
    AltStack { sp: word(b, at, long), flags: word(b, at + long, 4) as u32, size: word(b, at + 2 * long, long) }
}

/// The bits that a frame can change.
const EFLAGS_FRAME: u32 = 0x0004_0dd5;

pub(crate) fn restore_eflags(l: &State, state: &mut [u8], eflags: u32) {
    let old = state::eflags(l, state);
    state::set_eflags(l, state, old & !EFLAGS_FRAME | eflags & EFLAGS_FRAME);
}

// ---- 64 bits: struct rt_sigframe is the return address, struct ucontext, siginfo; the FXSAVE image stands above ----

const UC64: usize = 8;
const STACK64: usize = UC64 + 16;
const REGS64: usize = UC64 + 40;
const MASK64: usize = REGS64 + 256;
const INFO64: usize = MASK64 + 8;
const FRAME64: usize = INFO64 + INFO;
/// Within sigcontext.
const SEGMENTS64: usize = REGS64 + 18 * 8;
const ERROR64: usize = SEGMENTS64 + 8;
const FPSTATE64: usize = ERROR64 + 32;
/// UC_SIGCONTEXT_SS, UC_STRICT_RESTORE_SS.
const UC_FLAGS64: u64 = 6;
/// UC_FP_XSTATE: there is more than FXSAVE's image.
const UC_FP_XSTATE: u64 = 1;

/// What a frame takes of a stack at most (AT_MINSIGSTKSZ).
pub(crate) const fn size64(xcr0: u64) -> u64 {
    (FRAME64 + xsave::frame_size(xcr0)) as u64 + 64 + 16 + RED_ZONE
}

/// General registers in the order of struct sigcontext, then the instruction pointer.
const ORDER64: [Slot; 17] = [
    r(R8),
    r(R9),
    r(R10),
    r(R11),
    r(12),
    r(13),
    r(14),
    r(15),
    r(RDI),
    r(RSI),
    r(RBP),
    r(RBX),
    r(RDX),
    r(RAX),
    r(RCX),
    r(RSP),
    PC,
];

/// See [`arch::abi::Signals::deliver`].
pub(crate) fn deliver64(state: &mut [u8], d: &Delivery) -> SignalFrame {
    let l = &STATE64;
    let stack = if d.stack == l.get(state, r(RSP)) { d.stack.wrapping_sub(RED_ZONE) } else { d.stack };
    let image = xsave::save(l, state, d.fp_flags, 16, 0);
    let fx = stack.wrapping_sub(image.len() as u64) & !63;
    let at = (fx.wrapping_sub(FRAME64 as u64) & !15).wrapping_sub(8);
    let mut b = vec![0; (fx - at) as usize + image.len()];
    put(&mut b, 0, if d.flags & SA_RESTORER != 0 { d.restorer } else { 0 }, 8);
    put(&mut b, UC64, UC_FLAGS64 | uc_flags(l, state), 8);
    put_altstack(&mut b, STACK64, 8, &d.altstack);
    for (n, slot) in ORDER64.iter().enumerate() {
        put(&mut b, REGS64 + 8 * n, l.get(state, *slot), 8);
    }
    let (vector, error) = exception(l, state, d);
    put(&mut b, REGS64 + 17 * 8, frame_eflags(l, state, d, vector).into(), 8);
    put(&mut b, SEGMENTS64, l.get(state, selector(CS)), 2);
    put(&mut b, SEGMENTS64 + 6, l.get(state, selector(SS)), 2);
    l.set(state, selector(CS), USER_CS64);
    put(&mut b, ERROR64, error, 8);
    put(&mut b, ERROR64 + 8, vector, 8);
    put(&mut b, ERROR64 + 16, d.mask, 8);
    put(&mut b, ERROR64 + 24, d.fault.map_or(0, |f| f.addr), 8);
    put(&mut b, FPSTATE64, fx, 8);
    put(&mut b, MASK64, d.mask, 8);
    b[INFO64..FRAME64].copy_from_slice(&d.info[..INFO]);
    b[(fx - at) as usize..].copy_from_slice(&image);
    enter(l, state, d, at);
    l.set(state, r(RDI), d.signo.into());
    l.set(state, r(RSI), at + INFO64 as u64);
    l.set(state, r(RDX), at + UC64 as u64);
    l.set(state, r(RAX), 0);
    SignalFrame { at, bytes: b, record: None }
}

fn uc_flags(l: &State, state: &[u8]) -> u64 {
    if l.get(state, XCR0) != 0 { UC_FP_XSTATE } else { 0 }
}

/// Handlers begin with DF and TF clear, and with x87, SSE and AVX as new programs have them.
fn enter(l: &State, state: &mut [u8], d: &Delivery, sp: u64) {
    l.set(state, r(RSP), sp);
    l.set(state, PC, d.handler);
    l.set(state, state::DIRECTION, 0);
    let other = l.get(state, OTHER);
    l.set(state, OTHER, other & !u64::from(TF));
    [STEPPED, EXCEPTION].iter().for_each(|slot| l.set(state, *slot, 0));
    l.set(state, MXCSR, MXCSR_INITIAL);
    x87_image::set_image(l, state, &x87::INITIAL);
    xsave::clear(l, state);
}

/// See [`arch::abi::Signals::restore`]. The handler's return has taken the first word off.
pub(crate) fn restore64(state: &mut [u8], _: FrameKind, read: &ReadMemory) -> Option<Restored> {
    let l = &STATE64;
    let at = l.get(state, r(RSP)).wrapping_sub(8);
    let mut b = [0; FRAME64];
    if !read(at, &mut b) {
        return None;
    }
    for (n, slot) in ORDER64.iter().enumerate() {
        l.set(state, *slot, word(&b, REGS64 + 8 * n, 8));
    }
    restore_eflags(l, state, word(&b, REGS64 + 17 * 8, 4) as u32);
    // The program's 64-bit code or its 32-bit code.
    let code = word(&b, SEGMENTS64, 2) | 3;
    if [USER_CS32, USER_CS64].contains(&code) {
        l.set(state, selector(CS), code);
    }
    let fp_flags = restore_image(l, state, word(&b, FPSTATE64, 8), 16, read)?;
    Some(Restored { mask: word(&b, MASK64, 8), fp_flags, altstack: Some(altstack(&b, STACK64, 8)) })
}

/// A frame without an image gives the initial state.
fn restore_image(l: &State, state: &mut [u8], at: u64, count: u32, read: &ReadMemory) -> Option<u32> {
    let mut image = vec![0; xsave::size(l.get(state, XCR0))];
    if at == 0 {
        put(&mut image, FX_MXCSR, MXCSR_INITIAL, 4);
        return Some(xsave::restore(l, state, &image, count, 0));
    }
    if !read(at, &mut image[..FXSAVE]) {
        return None;
    }
    let within = |offset: usize, to: &mut [u8]| read(at.wrapping_add(offset as u64), to);
    let components = xsave::components(l, state, &image[..FXSAVE], within)?;
    let end = xsave::size(components);
    if end > xsave::YMM && !within(FXSAVE, &mut image[FXSAVE..end]) {
        return None;
    }
    Some(xsave::restore(l, state, &image, count, components))
}

// ---- 32 bits: struct sigframe or rt_sigframe; above it the image of FSAVE with that of FXSAVE behind it ----

/// The image of FSAVE with the kernel's word behind it: the status, and that an FXSAVE image follows (X86_FXSR_MAGIC is 0).
const FPSTATE: usize = FSAVE + 4;
const SIGCONTEXT32: usize = 88;
/// struct sigframe: return address, signal, sigcontext, room that is not used, the mask's second word, code.
const OLD_CONTEXT: usize = 8;
const OLD_MASK: usize = OLD_CONTEXT + SIGCONTEXT32 + FPSTATE + FXSAVE;
const OLD_CODE: usize = OLD_MASK + 4;
/// struct rt_sigframe: return address, signal, two pointers, siginfo, ucontext, code.
const RT_INFO: usize = 16;
const RT_UC: usize = RT_INFO + INFO;
const RT_STACK: usize = RT_UC + 8;
const RT_CONTEXT: usize = RT_UC + 20;
const RT_MASK: usize = RT_CONTEXT + SIGCONTEXT32;
const RT_CODE: usize = RT_MASK + 8;

/// See [`size64`].
pub(crate) const fn size32(xcr0: u64) -> u64 {
    (OLD_CODE + 8 + FPSTATE + xsave::frame_size(xcr0)) as u64 + 64 + 16
}

/// Members of struct sigcontext: segments, then general registers, in their order.
const SEGMENTS32: [u32; 4] = [GS, FS, ES, DS];
const ORDER32: [u32; 8] = [RDI, RSI, RBP, RSP, RBX, RDX, RCX, RAX];

/// What POP EAX, MOV EAX and INT 0x80 are that call sigreturn and rt_sigreturn: debuggers know the frame by them.
const CODE_OLD: u64 = 0x80cd_0000_0077_b858;
const CODE_RT: u64 = 0x0080_cd00_0000_adb8;

fn put_sigcontext32(b: &mut [u8], at: usize, state: &[u8], d: &Delivery, fx: u64) {
    let l = &STATE32;
    for (n, segment) in SEGMENTS32.into_iter().enumerate() {
        put(b, at + 4 * n, l.get(state, selector(segment)), 4);
    }
    for (n, reg) in ORDER32.into_iter().enumerate() {
        put(b, at + 16 + 4 * n, l.get(state, r(reg)), 4);
    }
    let (vector, error) = exception(l, state, d);
    let rest = [
        vector,
        error,
        l.get(state, PC),
        l.get(state, selector(CS)),
        frame_eflags(l, state, d, vector).into(),
        l.get(state, r(RSP)),
        l.get(state, selector(SS)),
        fx,
        d.mask & 0xffff_ffff,
        d.fault.map_or(0, |f| f.addr),
    ];
    for (n, v) in rest.into_iter().enumerate() {
        put(b, at + 48 + 4 * n, v, 4);
    }
}

/// Where FSAVE's image has the selectors, in which a 64-bit kernel puts those of the program.
const FSAVE_CS: usize = 16;
const FSAVE_DS: usize = 24;

pub(crate) fn i387(state: &[u8]) -> [u8; FSAVE] {
    let l = &STATE32;
    let mut b = [0; FSAVE];
    b.copy_from_slice(&x87_image::fsave(&x87_image::image(l, state), 4));
    put(&mut b, FSAVE_CS, l.get(state, selector(CS)), 4);
    put(&mut b, FSAVE_DS, l.get(state, selector(DS)), 2);
    b
}

fn fpstate(state: &[u8]) -> [u8; FPSTATE] {
    let mut b = [0; FPSTATE];
    b[..FSAVE].copy_from_slice(&i387(state));
    put(&mut b, FSAVE, x87::word(&x87_image::image(&STATE32, state), x87::STATUS).into(), 2);
    b
}

/// See [`arch::abi::Signals::deliver`].
pub(crate) fn deliver32(state: &mut [u8], d: &Delivery) -> SignalFrame {
    let l = &STATE32;
    let is_rt = d.flags & SA_SIGINFO != 0;
    let size = if is_rt { RT_CODE + 8 } else { OLD_CODE + 8 };
    // The image is aligned to 64.
    let extended = xsave::save(l, state, d.fp_flags, 8, FPSTATE);
    let fx = (d.stack.wrapping_sub(extended.len() as u64) & !63).wrapping_sub(FPSTATE as u64);
    let at = (fx.wrapping_sub(size as u64).wrapping_add(4) & !15).wrapping_sub(4);
    let mut b = vec![0; (fx - at) as usize + FPSTATE + extended.len()];
    let ret = match (d.flags & SA_RESTORER != 0, is_rt) {
        (true, _) => d.restorer,
        (false, true) => d.return_code,
        (false, false) => d.return_code + OLD_RETURN,
    };
    put(&mut b, 0, ret, 4);
    put(&mut b, 4, d.signo.into(), 4);
    if is_rt {
        put(&mut b, 8, at + RT_INFO as u64, 4);
        put(&mut b, 12, at + RT_UC as u64, 4);
        b[RT_INFO..RT_UC].copy_from_slice(&d.info[..INFO]);
        put(&mut b, RT_UC, uc_flags(l, state), 4);
        put_altstack(&mut b, RT_STACK, 4, &d.altstack);
        put_sigcontext32(&mut b, RT_CONTEXT, state, d, fx);
        put(&mut b, RT_MASK, d.mask, 8);
        put(&mut b, RT_CODE, CODE_RT, 8);
    } else {
        put_sigcontext32(&mut b, OLD_CONTEXT, state, d, fx);
        put(&mut b, OLD_MASK, d.mask >> 32, 4);
        put(&mut b, OLD_CODE, CODE_OLD, 8);
    }
    let image = (fx - at) as usize;
    b[image..image + FPSTATE].copy_from_slice(&fpstate(state));
    b[image + FPSTATE..].copy_from_slice(&extended);
    enter(l, state, d, at);
    segments::begin(l, state);
    l.set(state, r(RAX), d.signo.into());
    l.set(state, r(RDX), if is_rt { at + RT_INFO as u64 } else { 0 });
    l.set(state, r(RCX), if is_rt { at + RT_UC as u64 } else { 0 });
    SignalFrame { at, bytes: b, record: None }
}

/// The kernel loads what is another one than before, for user mode.
fn restore_segment(l: &State, state: &mut [u8], n: u32, new: u16) {
    let new = if new <= 3 { new } else { new | 3 };
    if l.get(state, selector(n)) != u64::from(new) {
        segments::restore(l, state, n, new);
    }
}

/// See [`arch::abi::Signals::restore`]. The handler's return, and the old code's POP, have taken words off.
pub(crate) fn restore32(state: &mut [u8], kind: FrameKind, read: &ReadMemory) -> Option<Restored> {
    let l = &STATE32;
    let sp = l.get(state, r(RSP));
    let (taken, context, size) = match kind {
        FrameKind::Old => (8, OLD_CONTEXT, OLD_CODE),
        FrameKind::Rt => (4, RT_CONTEXT, RT_CODE),
    };
    let mut b = vec![0; size];
    if !read(sp.wrapping_sub(taken) & 0xffff_ffff, &mut b) {
        return None;
    }
    for (n, reg) in ORDER32.into_iter().enumerate() {
        l.set(state, r(reg), word(&b, context + 16 + 4 * n, 4));
    }
    for (n, segment) in SEGMENTS32.into_iter().enumerate() {
        restore_segment(l, state, segment, word(&b, context + 4 * n, 2) as u16);
    }
    l.set(state, PC, word(&b, context + 56, 4));
    restore_eflags(l, state, word(&b, context + 64, 4) as u32);
    let fpstate = word(&b, context + 76, 4);
    let fx = if fpstate == 0 { 0 } else { fpstate + FPSTATE as u64 };
    let fp_flags = restore_image(l, state, fx, 8, read)?;
    if fpstate != 0 {
        // The unit is as the older of the two images has it.
        let mut fsave = [0; FSAVE];
        if !read(fpstate, &mut fsave) {
            return None;
        }
        let mut image = x87_image::image(l, state);
        x87_image::set_fsave(&mut image, &fsave);
        x87_image::set_image(l, state, &image);
    }
    let (mask, altstack) = match kind {
        FrameKind::Old => (word(&b, context + 80, 4) | word(&b, OLD_MASK, 4) << 32, None),
        FrameKind::Rt => (word(&b, RT_MASK, 8), Some(altstack(&b, RT_STACK, 4))),
    };
    Some(Restored { mask, fp_flags, altstack })
}

// ---- what debuggers see: asm/user_64.h, asm/user_32.h, arch/x86/kernel/ptrace.c and fpu/regset.c ----

const NT_PRSTATUS: u32 = 1;
const NT_PRFPREG: u32 = 2;
const NT_PRXFPREG: u32 = 0x46e6_2b7f;
const NT_386_TLS: u32 = 0x200;
const NT_X86_XSTATE: u32 = 0x202;

const fn set(kind: u32, size: usize, read: Read, write: Write) -> RegisterSet {
    RegisterSet { kind, size, source: RegisterSource::State { read, write } }
}
type Read = fn(&[u8], u32) -> Vec<u8>;
type Write = fn(&mut [u8], &[u8], u32) -> Option<u32>;

/// 64-bit programs.
pub(crate) const DEBUG64: Debug = Debug {
    sets: &[
        set(NT_PRSTATUS, DEBUG_REGS64, read64, write64),
        set(NT_PRFPREG, FXSAVE, |s, f| read_fx(&STATE64, s, f), |s, b, f| write_fx(&STATE64, s, b, f)),
        set(NT_X86_XSTATE, XSTATE, |s, f| read_xstate(&STATE64, s, f), |s, b, _| write_xstate(&STATE64, s, b)),
    ],
    // PTRACE_GETREGS, PTRACE_GETFPREGS and what sets them (asm/ptrace-abi.h).
    requests: &[(12, 13, NT_PRSTATUS), (14, 15, NT_PRFPREG)],
    original: Some(Original::Number { at: 120, result: 80 }),
    user_area: Some(UserArea { size: 928, debug: (848, 912), strict: true }),
    descriptor: None,
    ..DEBUG32
};

/// 32-bit programs.
pub(crate) const DEBUG32: Debug = Debug {
    sets: &[
        set(NT_PRSTATUS, DEBUG_REGS32, read32, write32),
        set(NT_PRFPREG, FSAVE, |s, _| i387(s).to_vec(), write_i387),
        set(NT_PRXFPREG, FXSAVE, |s, f| read_fx(&STATE32, s, f), |s, b, f| write_fx(&STATE32, s, b, f)),
        set(NT_X86_XSTATE, XSTATE, |s, f| read_xstate(&STATE32, s, f), |s, b, _| write_xstate(&STATE32, s, b)),
        RegisterSet { kind: NT_386_TLS, size: 48, source: RegisterSource::ThreadAreas },
    ],
    // The same, and PTRACE_GETFPXREGS.
    requests: &[(12, 13, NT_PRSTATUS), (14, 15, NT_PRFPREG), (18, 19, NT_PRXFPREG)],
    number_set: None,
    set_number: None,
    thread_area: None,
    // PTRACE_GET_THREAD_AREA
    descriptor: Some(25),
    original: Some(Original::Number { at: 44, result: 24 }),
    user_area: Some(UserArea { size: 284, debug: (252, 284), strict: false }),
    can_step: true,
};

const DEBUG_REGS64: usize = 27 * 8;
/// struct user_regs_struct up to the original RAX.
const DEBUG_ORDER64: [Slot; 15] =
    [r(15), r(14), r(13), r(12), r(RBP), r(RBX), r(R11), r(R10), r(R9), r(R8), r(RAX), r(RCX), r(RDX), r(RSI), r(RDI)];
/// Behind it.
const REST64: usize = 16 * 8;

/// What the processor saves of an interrupted program.
fn interrupted(l: &State, state: &[u8]) -> [u64; 5] {
    let (pc, rsp) = (l.get(state, PC), l.get(state, r(RSP)));
    [pc, l.get(state, selector(CS)), state::eflags(l, state).into(), rsp, l.get(state, selector(SS))]
}

fn read64(state: &[u8], _: u32) -> Vec<u8> {
    let l = &STATE64;
    let (interrupted, bases) = (interrupted(l, state), [FS_BASE, GS_BASE].map(|slot| l.get(state, slot)));
    let segments = [DS, ES, FS, GS].map(|n| l.get(state, selector(n)));
    let general = DEBUG_ORDER64.map(|slot| l.get(state, slot));
    let words = general.iter().chain(&[0]).chain(&interrupted).chain(&bases).chain(&segments);
    words.flat_map(|v| v.to_le_bytes()).collect()
}

fn write64(state: &mut [u8], b: &[u8], flags: u32) -> Option<u32> {
    let l = &STATE64;
    let rest = |n: usize| word(b, REST64 + 8 * n, 8);
    for (n, slot) in DEBUG_ORDER64.iter().enumerate() {
        l.set(state, *slot, word(b, 8 * n, 8));
    }
    l.set(state, PC, rest(0));
    restore_eflags(l, state, rest(2) as u32);
    l.set(state, r(RSP), rest(3));
    set_segments(l, state, [DS, ES, FS, GS], |n| rest(7 + n) as u16);
    l.set(state, FS_BASE, rest(5));
    l.set(state, GS_BASE, rest(6));
    Some(flags)
}

fn set_segments(l: &State, state: &mut [u8], order: [u32; 4], new: impl Fn(usize) -> u16) {
    for (n, segment) in order.into_iter().enumerate() {
        if l.get(state, selector(segment)) != u64::from(new(n)) {
            segments::restore(l, state, segment, new(n));
        }
    }
}

const DEBUG_REGS32: usize = 17 * 4;
/// struct user_regs_struct32 up to its segments, and these.
const DEBUG_ORDER32: [u32; 7] = [RBX, RCX, RDX, RSI, RDI, RBP, RAX];
const DEBUG_SEGMENTS32: [u32; 4] = [DS, ES, FS, GS];
/// Behind them and the original EAX.
const REST32: usize = 12 * 4;

fn read32(state: &[u8], _: u32) -> Vec<u8> {
    let l = &STATE32;
    let interrupted = interrupted(l, state);
    let general = DEBUG_ORDER32.map(|n| l.get(state, r(n)));
    let segments = DEBUG_SEGMENTS32.map(|n| l.get(state, selector(n)));
    let words = general.iter().chain(&segments).chain(&[0]).chain(&interrupted);
    words.flat_map(|v| (*v as u32).to_le_bytes()).collect()
}

fn write32(state: &mut [u8], b: &[u8], flags: u32) -> Option<u32> {
    let l = &STATE32;
    let rest = |n: usize| word(b, REST32 + 4 * n, 4);
    for (n, reg) in DEBUG_ORDER32.into_iter().enumerate() {
        l.set(state, r(reg), word(b, 4 * n, 4));
    }
    set_segments(l, state, DEBUG_SEGMENTS32, |n| word(b, 28 + 4 * n, 2) as u16);
    l.set(state, PC, rest(0));
    restore_eflags(l, state, rest(2) as u32);
    l.set(state, r(RSP), rest(3));
    Some(flags)
}

/// The area of all that there may be.
const XSTATE: usize = xsave::size(xsave::AVX | xsave::AVX512);
/// In what programs may use of FXSAVE's image the kernel says what is enabled.
const XSTATE_MASK: usize = 464;

fn count(l: &State) -> u32 {
    if l.types[1] == ir::Ty::I64 { 16 } else { 8 }
}

/// The area with what is there, without what is signal frames' alone.
fn area(l: &State, state: &[u8], flags: u32) -> Vec<u8> {
    let mut b = xsave::save(l, state, flags, count(l), 0);
    b.truncate(xsave::size(l.get(state, XCR0)));
    b[XSTATE_MASK..FXSAVE].fill(0);
    b
}

fn read_fx(l: &State, state: &[u8], flags: u32) -> Vec<u8> {
    area(l, state, flags)[..FXSAVE].to_vec()
}

fn write_fx(l: &State, state: &mut [u8], b: &[u8], flags: u32) -> Option<u32> {
    let mut all = area(l, state, flags);
    all[..FXSAVE].copy_from_slice(b);
    restore(l, state, &all, xsave::X87 | xsave::SSE | xsave::AVX | xsave::AVX512)
}

/// Reserved bits of MXCSR are refused.
fn restore(l: &State, state: &mut [u8], b: &[u8], components: u64) -> Option<u32> {
    let mut all = [0; XSTATE];
    all[..b.len()].copy_from_slice(b);
    (word(b, FX_MXCSR, 4) & !MXCSR_MASK == 0).then(|| xsave::restore(l, state, &all, count(l), components))
}

fn read_xstate(l: &State, state: &[u8], flags: u32) -> Vec<u8> {
    let mut b = area(l, state, flags);
    put(&mut b, XSTATE_MASK, l.get(state, XCR0), 8);
    b
}

fn write_xstate(l: &State, state: &mut [u8], b: &[u8]) -> Option<u32> {
    let xcr0 = l.get(state, XCR0);
    let there = if xcr0 == 0 { xsave::X87 | xsave::SSE } else { word(b, XSTATE_BV, 8) };
    if xcr0 != 0 && there & !xcr0 != 0 {
        return None;
    }
    restore(l, state, b, there)
}

fn write_i387(state: &mut [u8], b: &[u8], flags: u32) -> Option<u32> {
    let mut image = x87_image::image(&STATE32, state);
    x87_image::set_fsave(&mut image, b);
    x87_image::set_image(&STATE32, state, &image);
    Some(flags)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::xmm;
    use arch::abi::FaultFacts;
    use ir::fpflag;

    fn sample(l: &State) -> Vec<u8> {
        let mut s = vec![0; l.size];
        let general = if l.types[1] == ir::Ty::I64 { 16 } else { 8 };
        for n in 0..general {
            l.set(&mut s, r(n), 0x1000 + u64::from(n));
        }
        for n in 0..general {
            s[l.offset(xmm(n))] = n as u8 + 1;
        }
        l.set(&mut s, r(RSP), 0x7008);
        l.set(&mut s, PC, 0x40_0000);
        l.set(&mut s, MXCSR, 0x1f80);
        state::set_eflags(l, &mut s, 0x8d5 | 1 << 10);
        x87_image::set_image(l, &mut s, &x87::INITIAL);
        segments::begin(l, &mut s);
        s
    }

    fn delivery(info: &[u8], flags: u64) -> Delivery<'_> {
        Delivery {
            signo: 11,
            info,
            handler: 0x50_0000,
            flags,
            restorer: 0x9000,
            mask: 0x42 | 1 << 40,
            altstack: AltStack { sp: 1, flags: 2, size: 3 },
            fault: Some(FaultFacts { addr: 0x1234, write: true, fetch: false, protection: false }),
            fp_flags: fpflag::INEXACT | fpflag::INVALID,
            stack: 0x7008,
            return_code: 0x8000,
            page: 0,
            guards: false,
        }
    }

    /// A frame, and what restoring it gives after the handler has returned.
    fn round_trip(wide: bool, flags: u64, kind: FrameKind) -> SignalFrame {
        let l = if wide { &STATE64 } else { &STATE32 };
        let before = sample(l);
        let mut s = before.clone();
        let info = [7; 128];
        let d = delivery(&info, flags);
        let frame = if wide { deliver64(&mut s, &d) } else { deliver32(&mut s, &d) };
        let read = |at: u64, out: &mut [u8]| {
            out.copy_from_slice(&frame.bytes[(at - frame.at) as usize..][..out.len()]);
            true
        };
        let taken = if wide || kind == FrameKind::Old { 8 } else { 4 };
        l.set(&mut s, r(RSP), frame.at + taken);
        let r = if wide { restore64(&mut s, kind, &read) } else { restore32(&mut s, kind, &read) }.unwrap();
        assert_eq!((r.mask, r.fp_flags), (0x42 | 1 << 40, fpflag::INEXACT | fpflag::INVALID));
        assert_eq!(r.altstack.is_some(), kind == FrameKind::Rt);
        for slot in 0..l.slots.len() as u16 {
            assert_eq!(l.get(&s, Slot(slot)), l.get(&before, Slot(slot)), "{}", l.slots[slot as usize].name());
        }
        frame
    }

    #[test]
    fn frames_are_as_large_as_what_the_processor_has() {
        let info = [0; 128];
        for (xcr0, size) in [(0, 512), (3, 580), (7, 836), (0xe7, 2692)] {
            let l = &STATE64;
            let mut s = sample(l);
            l.set(&mut s, XCR0, xcr0);
            let (k, wide) = (state::opmask(5), l.offset(state::vector(3, 2)));
            if xcr0 & xsave::AVX512 != 0 {
                l.set(&mut s, k, 77);
                s[wide] = 88;
            }
            let before = s.clone();
            let frame = deliver64(&mut s, &delivery(&info, SA_RESTORER | SA_SIGINFO));
            assert_eq!(xsave::frame_size(xcr0), size);
            assert!(frame.bytes.len() as u64 <= size64(xcr0) && frame.bytes.len() >= FRAME64 + size);
            // The handler's are clear, and its own do not come back.
            assert_eq!((l.get(&s, k), s[wide]), (0, 0));
            if xcr0 & xsave::AVX512 != 0 {
                l.set(&mut s, k, 1);
            }
            let read = |at: u64, out: &mut [u8]| {
                out.copy_from_slice(&frame.bytes[(at - frame.at) as usize..][..out.len()]);
                true
            };
            l.set(&mut s, r(RSP), frame.at + 8);
            assert!(restore64(&mut s, FrameKind::Rt, &read).is_some());
            assert_eq!((l.get(&s, k), s[wide]), (l.get(&before, k), before[wide]));
            assert_eq!(l.get(&s, state::DIRTY), u64::from(xcr0 & xsave::AVX512 != 0));
        }
    }

    #[test]
    fn a_frame_gives_back_what_it_was_made_of() {
        let frame = round_trip(true, SA_RESTORER | SA_SIGINFO, FrameKind::Rt);
        assert_eq!((frame.at % 16, word(&frame.bytes, 0, 8)), (8, 0x9000));
        // gregs[REG_RIP], REG_EFL, REG_ERR, REG_TRAPNO, REG_CR2 as C programs find them in uc_mcontext.
        let greg = |n: usize| word(&frame.bytes, 8 + 40 + 8 * n, 8);
        assert_eq!([greg(15), greg(16), greg(19), greg(20), greg(22)], [0x7008, 0x40_0000, 6, 14, 0x1234]);
        round_trip(false, SA_RESTORER | SA_SIGINFO, FrameKind::Rt);
        round_trip(false, SA_RESTORER, FrameKind::Old);
        // C libraries of i386 give no restorer.
        let ret = |frame: &SignalFrame| word(&frame.bytes, 0, 4);
        assert_eq!(ret(&round_trip(false, SA_SIGINFO, FrameKind::Rt)), 0x8000);
        assert_eq!(ret(&round_trip(false, 0, FrameKind::Old)), 0x8000 + OLD_RETURN);
    }
}
