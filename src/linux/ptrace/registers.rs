//! Registers of a stopped thread: sets, words of the user area, what PTRACE_GET_SYSCALL_INFO tells.

use super::{Target, at, board, peek, poke};
use crate::calls::segments;
use crate::host::{Errno, Res};
use crate::memory;
use crate::seccomp::audit_arch_of;
use crate::signal::SA_SIGINFO;
use crate::task::Task;
use arch::abi::{AltStack, Delivery, FrameKind, Original, RegisterSet, RegisterSource, UserArea};

const NT_PRSTATUS: u32 = 1;
/// Where a frame is made up: nothing is written there.
const FRAME_TOP: u64 = 0x10_0000;

/// State as a handler would find it in its frame.
fn frame(t: &Task, state: &mut [u8], fp_flags: u32) -> (u64, Vec<u8>) {
    let delivery = Delivery {
        signo: 0,
        info: &[0; 128],
        handler: 0,
        flags: SA_SIGINFO,
        restorer: 0,
        mask: 0,
        altstack: AltStack::default(),
        fault: None,
        fp_flags,
        stack: FRAME_TOP,
        return_code: 0,
        page: 0,
        guards: false,
    };
    let frame = (t.abi().signals.deliver)(state, &delivery);
    (frame.at, frame.bytes)
}

fn state_of(t: &Task, target: &Target) -> Result<Vec<u8>, Errno> {
    let elf = &t.process.guest.elf;
    if target.data.machine != u32::from(elf.machine) | u32::from(elf.class) << 16 {
        t.unimp(format_args!("ptrace: the registers of another kind of processor"));
        return Err(Errno::EIO);
    }
    let mut state = vec![0; t.process.guest.state.size];
    peek(target.pid, target.data.state, &mut state)?;
    Ok(state)
}

fn read_set(t: &Task, target: &Target, set: &RegisterSet) -> Result<Vec<u8>, Errno> {
    let mut state = state_of(t, target)?;
    let mut out = vec![0; set.size];
    match set.source {
        RegisterSource::Slot(slot) => {
            out[..8].copy_from_slice(&t.process.guest.state.get(&state, slot).to_le_bytes());
        }
        RegisterSource::Fixed(words) => {
            out.chunks_exact_mut(8).zip(words).for_each(|(to, w)| to.copy_from_slice(&w.to_le_bytes()));
        }
        RegisterSource::State { read, .. } => out = read(&state, target.data.fp_flags),
        RegisterSource::ThreadAreas => {
            let s = t.abi().segments.as_ref().ok_or(Errno::EINVAL)?;
            out = segments::thread_areas(s, |slot| t.process.guest.state.get(&state, slot));
        }
        RegisterSource::Frame(pieces) => {
            let (_, bytes) = frame(t, &mut state, target.data.fp_flags);
            for (from, to, len) in pieces {
                out[*to..to + len].copy_from_slice(&bytes[*from..from + len]);
            }
        }
    }
    let original = t.abi().debug.original.filter(|_| set.kind == NT_PRSTATUS);
    let d = &target.data;
    let mut put = |at: usize, v: i64| out[at..at + t.abi().long].copy_from_slice(&v.to_le_bytes()[..t.abi().long]);
    match original {
        Some(Original::FirstArgument(at)) => {
            put(at, if d.call == board::NO_CALL { -1 } else { d.args[0].cast_signed() });
        }
        Some(Original::Number { at, result }) => {
            put(at, if d.call == board::NO_CALL { -1 } else { d.number });
            if d.call == board::ENTRY {
                put(result, d.result);
            }
        }
        None => {}
    }
    Ok(out)
}

/// The number of the call that is about to be made, and the result that it has if it is not, as the tracer has them now; the register that both stand in
/// keeps the number.
fn write_number(
    t: &Task,
    target: &Target,
    (at, result): (usize, usize),
    new: &[u8],
    state: &mut [u8],
) -> Result<(), Errno> {
    let d = &target.data;
    if d.call != board::ENTRY {
        return Ok(());
    }
    let number = new.get(at..at + 4).and_then(|b| b.first_chunk()).map_or(-1, |b| i32::from_le_bytes(*b));
    let mut word = [0; 8];
    let bytes = new.get(result..result + t.abi().long).unwrap_or_default();
    word[..bytes.len()].copy_from_slice(bytes);
    t.process.guest.state.set(state, t.abi().syscall.number, d.number as u64);
    target.write(at!(number), &i64::from(number).to_le_bytes())?;
    target.write(at!(result), &word)
}

fn write_set(t: &Task, target: &Target, set: &RegisterSet, new: &[u8]) -> Result<(), Errno> {
    let mut state = state_of(t, target)?;
    let pieces = match set.source {
        RegisterSource::Slot(slot) => {
            let value = new.first_chunk().map_or(0, |b| u64::from_le_bytes(*b));
            t.process.guest.state.set(&mut state, slot, value);
            return poke(target.pid, target.data.state, &state);
        }
        RegisterSource::State { write, .. } => {
            let flags = write(&mut state, new, target.data.fp_flags).ok_or(Errno::EINVAL)?;
            if let Some(Original::Number { at, result }) = t.abi().debug.original.filter(|_| set.kind == NT_PRSTATUS) {
                write_number(t, target, (at, result), new, &mut state)?;
            }
            target.write_u32(at!(fp_flags), flags)?;
            return poke(target.pid, target.data.state, &state);
        }
        RegisterSource::Fixed(_) | RegisterSource::ThreadAreas => return Err(Errno::EINVAL),
        RegisterSource::Frame(pieces) => pieces,
    };
    let (at, mut bytes) = frame(t, &mut state, target.data.fp_flags);
    for (to, from, len) in pieces {
        let piece = new.get(*from..(from + len).min(new.len())).unwrap_or_default();
        bytes[*to..to + piece.len()].copy_from_slice(piece);
    }
    let read = |addr: u64, buf: &mut [u8]| {
        let from = addr.wrapping_sub(at) as usize;
        let there = bytes.get(from..).unwrap_or_default();
        let n = there.len().min(buf.len());
        buf[..n].copy_from_slice(&there[..n]);
        true
    };
    let restored = (t.abi().signals.restore)(&mut state, FrameKind::Rt, &read).ok_or(Errno::EIO)?;
    target.write_u32(at!(fp_flags), restored.fp_flags)?;
    poke(target.pid, target.data.state, &state)
}

fn set_of(t: &Task, kind: u32) -> Option<&'static RegisterSet> {
    t.abi().debug.sets.iter().find(|s| s.kind == kind)
}

/// The requests about registers.
pub(super) fn request(t: &mut Task, request: u64, target: &Target, addr: u64, data: u64) -> Res {
    let debug = &t.abi().debug;
    match request {
        super::request::GETREGSET | super::request::SETREGSET => {
            return regset(t, request == super::request::SETREGSET, target, addr as u32, data);
        }
        super::request::PEEKUSR | super::request::POKEUSR => {
            let area = debug.user_area.as_ref().ok_or(Errno::EIO)?;
            return user_word(t, area, request == super::request::POKEUSR, target, (addr, data));
        }
        _ if Some(request) == debug.descriptor => return descriptor(t, target, addr as u32, data),
        _ => {}
    }
    if Some(request) == debug.set_number {
        return target.write(at!(number), &i64::from(data as i32).to_le_bytes()).map(|()| 0);
    }
    if Some(request) == debug.thread_area {
        let value = t.process.guest.state.get(&state_of(t, target)?, t.abi().thread_pointer);
        return memory::write(data, &value.to_le_bytes()[..t.abi().long]).map(|()| 0);
    }
    let whole = debug.requests.iter().find(|r| r.0 == request || r.1 == request);
    let Some((reads, _, kind)) = whole else {
        t.unimp(format_args!("ptrace: request {request:#x}"));
        return Err(Errno::EIO);
    };
    let set = set_of(t, *kind).ok_or(Errno::EIO)?;
    if request == *reads {
        return memory::write(data, &read_set(t, target, set)?).map(|()| 0);
    }
    let mut new = vec![0; set.size];
    memory::read(data, &mut new)?;
    write_set(t, target, set, &new).map(|()| 0)
}

/// `data`: a struct iovec, whose length becomes what was copied.
fn regset(t: &mut Task, writes: bool, target: &Target, kind: u32, data: u64) -> Res {
    let long = t.abi().long;
    let word = |at: u64| {
        let mut b = [0; 8];
        memory::read(at, &mut b[..long]).map(|()| u64::from_le_bytes(b))
    };
    let (buffer, len) = (word(data)?, word(data + long as u64)? as usize);
    if t.abi().debug.number_set == Some(kind) {
        return number_set(t, writes, target, (buffer, len), data);
    }
    let set = set_of(t, kind).ok_or(Errno::EINVAL)?;
    // Sets are of whole words (kernel/ptrace.c, ptrace_regset).
    if !len.is_multiple_of(if set.size.is_multiple_of(long) { long } else { 4 }) {
        return Err(Errno::EINVAL);
    }
    let mut all = read_set(t, target, set)?;
    let n = len.min(all.len());
    if writes {
        memory::read(buffer, &mut all[..n])?;
        write_set(t, target, set, &all)?;
    } else {
        memory::write(buffer, &all[..n])?;
    }
    memory::write(data + long as u64, &(n as u64).to_le_bytes()[..long]).map(|()| 0)
}

fn number_set(t: &Task, writes: bool, target: &Target, (buffer, len): (u64, usize), data: u64) -> Res {
    let long = t.abi().long as u64;
    let n = len.min(4);
    let mut bytes = (target.data.number as i32).to_le_bytes();
    if writes {
        memory::read(buffer, &mut bytes[..n])?;
        target.write(at!(number), &i64::from(i32::from_le_bytes(bytes)).to_le_bytes())?;
    } else {
        memory::write(buffer, &bytes[..n])?;
    }
    memory::write(data + long, &(n as u64).to_le_bytes()[..long as usize]).map(|()| 0)
}

/// PTRACE_GET_THREAD_AREA: a descriptor by its number.
fn descriptor(t: &Task, target: &Target, number: u32, to: u64) -> Res {
    let s = t.abi().segments.as_ref().ok_or(Errno::EIO)?;
    let state = state_of(t, target)?;
    let all = segments::thread_areas(s, |slot| t.process.guest.state.get(&state, slot));
    let at = number.checked_sub(s.first_tls).ok_or(Errno::EINVAL)? as usize;
    memory::write(to, all.chunks(16).nth(at).ok_or(Errno::EINVAL)?).map(|()| 0)
}

/// A word of struct user: there are no values but of registers. No breakpoint can be set.
fn user_word(t: &Task, area: &UserArea, writes: bool, target: &Target, (addr, data): (u64, u64)) -> Res {
    let long = t.abi().long;
    let set = set_of(t, NT_PRSTATUS).ok_or(Errno::EIO)?;
    let at = addr as usize;
    if !at.is_multiple_of(long) || at >= area.size {
        return Err(Errno::EIO);
    }
    if at + long > set.size {
        let is_debug = (area.debug.0..area.debug.1).contains(&at);
        return match writes {
            false => memory::write(data, &[0; 8][..long]).map(|()| 0),
            true if is_debug && data != 0 => Err(Errno::EINVAL),
            true if is_debug || !area.strict => Ok(0),
            true => Err(Errno::EIO),
        };
    }
    let mut all = read_set(t, target, set)?;
    if !writes {
        return memory::write(data, &all[at..at + long]).map(|()| 0);
    }
    all[at..at + long].copy_from_slice(&data.to_le_bytes()[..long]);
    write_set(t, target, set, &all).map(|()| 0)
}

/// Of which stop at a call a thread is told to be. The kernel knows one at its beginning or end by its bit of PTRACE_O_TRACESYSGOOD
/// (ptrace_get_syscall_info).
fn told_call(d: &board::Data) -> u32 {
    let told = d.stop == board::SYSCALL && d.status & 0x80 != 0 || d.call == board::FILTERED;
    if told { d.call } else { board::NO_CALL }
}

/// The other way (Linux 6.16): number and arguments of a call, or its result. `size`: of what the tracer has at `from`.
pub(super) fn set_syscall_info(t: &Task, target: &Target, size: u64, from: u64) -> Res {
    // sizeof(struct ptrace_syscall_info)
    let mut b = [0; 88];
    if size < b.len() as u64 {
        return Err(Errno::EINVAL);
    }
    memory::read(from, &mut b)?;
    let word = |at: usize| b[at..].first_chunk().map_or(0, |w| u64::from_le_bytes(*w));
    // Registers have 32 bits in 32-bit ABIs.
    let fits = |v: u64| t.abi().long == 8 || v.cast_signed() == i64::from(v as i32) || v >> 32 == 0;
    let call = told_call(&target.data);
    if u32::from(b[0]) != call || b[1..4] != [0; 3] {
        return Err(Errno::EINVAL);
    }
    let (slots, regs) = (&t.process.guest.state, &t.abi().syscall);
    let mut state = state_of(t, target)?;
    match call {
        board::ENTRY | board::FILTERED => {
            let number = i32::try_from(word(24).cast_signed()).map_err(|_| Errno::ERANGE)?;
            let args: [u64; 6] = std::array::from_fn(|n| word(32 + 8 * n));
            if !args.iter().all(|a| t.abi().long == 8 || a >> 32 == 0) {
                return Err(Errno::ERANGE);
            }
            if call == board::FILTERED && b[84..] != [0; 4] {
                return Err(Errno::EINVAL);
            }
            target.write(at!(number), &i64::from(number).to_le_bytes())?;
            if !t.abi().debug.number_is_apart() {
                slots.set(&mut state, regs.number, number as u64);
            }
            // Arguments of a call that is not made would be its result where both have one register.
            if number != -1 {
                args.iter().zip(regs.args).for_each(|(a, slot)| slots.set(&mut state, slot, *a));
                target.write(at!(args), &args.map(u64::to_le_bytes).concat())?;
            }
        }
        board::EXIT if !fits(word(24)) => return Err(Errno::ERANGE),
        board::EXIT => slots.set(&mut state, regs.result, word(24)),
        _ => return Err(Errno::EINVAL),
    }
    poke(target.pid, target.data.state, &state).map(|()| 0)
}

/// struct ptrace_syscall_info, as far as there is room; its size.
pub(super) fn syscall_info(t: &mut Task, target: &Target, size: u64, to: u64) -> Res {
    let state = state_of(t, target)?;
    let slots = &t.process.guest.state;
    let d = &target.data;
    let call = told_call(d);
    let mut b = vec![call as u8, 0, 0, 0];
    b.extend(audit_arch_of(t).to_le_bytes());
    b.extend(t.process.guest.address(slots.get(&state, slots.pc)).to_le_bytes());
    b.extend(slots.get(&state, t.abi().stack_pointer).to_le_bytes());
    match call {
        board::ENTRY | board::FILTERED => {
            b.extend(d.number.to_le_bytes());
            d.args.iter().for_each(|a| b.extend(a.to_le_bytes()));
            if call == board::FILTERED {
                b.extend(d.message.to_le_bytes());
            }
        }
        board::EXIT => {
            let word = slots.get(&state, t.abi().syscall.result);
            let signed = if t.abi().long == 4 { i64::from(word as i32) } else { word.cast_signed() };
            // The kernel's IS_ERR_VALUE.
            let is_error = (-4095..0).contains(&signed);
            b.extend(if is_error { signed } else { word.cast_signed() }.to_le_bytes());
            b.push(is_error.into());
        }
        _ => {}
    }
    memory::write(to, &b[..b.len().min(size as usize)])?;
    Ok(b.len() as u64)
}
