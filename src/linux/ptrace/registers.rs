//! Registers of a stopped thread: sets, words of the user area, what PTRACE_GET_SYSCALL_INFO tells.

use super::{Target, at, board, peek, poke};
use crate::host::{Errno, Res};
use crate::memory;
use crate::seccomp::audit_arch;
use crate::signal::SA_SIGINFO;
use crate::task::Task;
use arch::abi::{AltStack, Delivery, FrameKind, RegisterSet, RegisterSource};

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
        RegisterSource::Frame(pieces) => {
            let (_, bytes) = frame(t, &mut state, target.data.fp_flags);
            for (from, to, len) in pieces {
                out[*to..to + len].copy_from_slice(&bytes[*from..from + len]);
            }
        }
    }
    if let Some(at) = t.abi().debug.first_argument.filter(|_| set.kind == NT_PRSTATUS) {
        let first = if target.data.call == board::NO_CALL { u64::MAX } else { target.data.args[0] };
        out[at..at + 4].copy_from_slice(&first.to_le_bytes()[..4]);
    }
    Ok(out)
}

fn write_set(t: &Task, target: &Target, set: &RegisterSet, new: &[u8]) -> Result<(), Errno> {
    let mut state = state_of(t, target)?;
    let pieces = match set.source {
        RegisterSource::Slot(slot) => {
            let value = new.first_chunk().map_or(0, |b| u64::from_le_bytes(*b));
            t.process.guest.state.set(&mut state, slot, value);
            return poke(target.pid, target.data.state, &state);
        }
        RegisterSource::Fixed(_) => return Err(Errno::EINVAL),
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
        super::request::PEEKUSR | super::request::POKEUSR if debug.has_user_area => {
            return user_word(t, request == super::request::POKEUSR, target, addr, data);
        }
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
    let n = len.min(set.size);
    if writes {
        let mut new = read_set(t, target, set)?;
        memory::read(buffer, &mut new[..n])?;
        write_set(t, target, set, &new)?;
    } else {
        memory::write(buffer, &read_set(t, target, set)?[..n])?;
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

/// A word of struct user: registers alone.
fn user_word(t: &Task, writes: bool, target: &Target, addr: u64, data: u64) -> Res {
    let long = t.abi().long;
    let set = set_of(t, NT_PRSTATUS).ok_or(Errno::EIO)?;
    let at = addr as usize;
    if !at.is_multiple_of(long) || at + long > set.size {
        return Err(Errno::EIO);
    }
    let mut all = read_set(t, target, set)?;
    if !writes {
        return memory::write(data, &all[at..at + long]).map(|()| 0);
    }
    all[at..at + long].copy_from_slice(&data.to_le_bytes()[..long]);
    write_set(t, target, set, &all).map(|()| 0)
}

/// struct ptrace_syscall_info, as far as there is room; its size.
pub(super) fn syscall_info(t: &mut Task, target: &Target, size: u64, to: u64) -> Res {
    let state = state_of(t, target)?;
    let slots = &t.process.guest.state;
    let d = &target.data;
    let call = if d.stop == board::SYSCALL { d.call } else { board::NO_CALL };
    let mut b = vec![call as u8, 0, 0, 0];
    b.extend(audit_arch(t.process.guest).to_le_bytes());
    b.extend((slots.get(&state, slots.pc) & !1).to_le_bytes());
    b.extend(slots.get(&state, t.abi().stack_pointer).to_le_bytes());
    match call {
        board::ENTRY => {
            b.extend(d.number.to_le_bytes());
            d.args.iter().for_each(|a| b.extend(a.to_le_bytes()));
        }
        board::EXIT => {
            b.extend(d.result.to_le_bytes());
            b.push(d.is_error as u8);
        }
        _ => {}
    }
    memory::write(to, &b[..b.len().min(size as usize)])?;
    Ok(b.len() as u64)
}
