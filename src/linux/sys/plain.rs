//! Rows without a body: arguments converted, the host call made, results converted back, all by the parameters' types.
//!
//! A pointer whose struct is the host's goes through as it is, so that the kernel finds bad addresses itself. One that is converted and
//! cannot be read also goes through as it is: the kernel then gives EFAULT, or an error that it finds earlier.

use crate::host::{Errno, Res};
use crate::layout::{Layout, Resolved};
use crate::memory;
use crate::proc;
use crate::sys::Param;
use crate::sys::types::{Ty, Values};
use crate::task::Task;

/// More than this is not converted at once: ENOMEM.
const MOST: usize = 1 << 24;

/// A converted argument.
struct Staged {
    param: usize,
    bytes: Vec<u64>,
    /// Elements.
    count: usize,
}

impl Staged {
    fn bytes(&self) -> &[u8] {
        // SAFETY: the words are bytes.
        unsafe { std::slice::from_raw_parts(self.bytes.as_ptr().cast(), self.bytes.len() * 8) }
    }
}

fn bytes_mut(words: &mut [u64]) -> &mut [u8] {
    // SAFETY: the words are bytes.
    unsafe { std::slice::from_raw_parts_mut(words.as_mut_ptr().cast(), words.len() * 8) }
}

/// Makes host call `nr` with a row's arguments.
pub fn call(t: &mut Task, params: &[Param], nr: u32, values: &Values) -> Res {
    let mut staged = Vec::new();
    let mut args = [0u64; 6];
    let mut next = args.iter_mut();
    let mut dir = libc::AT_FDCWD;
    for (i, p) in params.iter().enumerate() {
        if let Ty::DirFd = p.ty {
            dir = values[i] as i32;
        }
        let passed = pass(t, p.ty, i, values, dir, &mut staged)?;
        if let Some(a) = next.next() {
            *a = passed;
        }
        if let Ty::LowHigh = p.ty {
            // The high half, which a 64-bit kernel ignores.
            next.next();
        }
    }
    let result = t.call(nr, args);
    for s in &staged {
        give_back(t, params[s.param].ty, values[s.param], s, result)?;
    }
    result
}

/// What the host gets for a parameter.
fn pass(t: &Task, ty: Ty, i: usize, values: &Values, dir: i32, staged: &mut Vec<Staged>) -> Result<u64, Errno> {
    let v = values[i];
    let length = |n: u8| usize::try_from(values[n as usize]).unwrap_or(usize::MAX);
    Ok(match ty {
        Ty::Flags(f) => f.to_host(t.abi, v),
        Ty::Enum(f) => f.number_to_host(t.abi, v),
        Ty::In(l) | Ty::Out(l) | Ty::InOut(l) | Ty::Rest(l) => stage(t, l(), i, v, 1, staged)?,
        Ty::InArray(l, n) | Ty::OutArray(l, n) => stage(t, l(), i, v, length(n), staged)?,
        Ty::InIov(n) | Ty::OutIov(n) if !same_words(t) => stage_iov(t, i, v, length(n), staged),
        Ty::Path | Ty::NewPath => match proc::path(t, dir, v, matches!(ty, Ty::Path)) {
            Some(path) => {
                let mut words = vec![0u64; path.len() / 8 + 1];
                bytes_mut(&mut words)[..path.len()].copy_from_slice(&path);
                keep(staged, i, words, 1)
            }
            None => v,
        },
        _ => v,
    })
}

fn same_words(t: &Task) -> bool {
    t.abi.long == 8 && !t.abi.big_endian
}

fn keep(staged: &mut Vec<Staged>, param: usize, bytes: Vec<u64>, count: usize) -> u64 {
    let addr = bytes.as_ptr() as u64;
    staged.push(Staged { param, bytes, count });
    addr
}

/// Converts `count` structs at `addr`, whatever the direction: so what the kernel leaves alone stays as it was.
fn stage(t: &Task, layout: &Layout, i: usize, addr: u64, count: usize, staged: &mut Vec<Staged>) -> Result<u64, Errno> {
    let r = layout.of(t.abi);
    if addr == 0 || r.same {
        return Ok(addr);
    }
    let size = count.checked_mul(r.host_size.max(r.size)).filter(|s| *s <= MOST).ok_or(Errno::ENOMEM)?;
    let mut guest = vec![0; count * r.size];
    if memory::read(addr, &mut guest).is_err() {
        return Ok(addr);
    }
    let mut host = vec![0u64; size.div_ceil(8).max(1)];
    let to = bytes_mut(&mut host);
    for n in 0..count {
        r.to_host(&guest[n * r.size..][..r.size], &mut to[n * r.host_size..][..r.host_size]);
    }
    Ok(keep(staged, i, host, count))
}

/// Converts an array of `struct iovec`.
fn stage_iov(t: &Task, i: usize, addr: u64, count: usize, staged: &mut Vec<Staged>) -> u64 {
    match iovecs(t, addr, count) {
        Ok(words) => keep(staged, i, words, count),
        Err(_) => addr,
    }
}

/// The host's form of `count` iovecs at `addr`: pairs of address and length. EINVAL beyond UIO_MAXIOV.
pub fn iovecs(t: &Task, addr: u64, count: usize) -> Result<Vec<u64>, Errno> {
    if count > 1024 {
        return Err(Errno::EINVAL);
    }
    let long = t.abi.long;
    let mut guest = vec![0; count * 2 * long];
    memory::read(addr, &mut guest)?;
    let mut words: Vec<u64> = guest.chunks(long).map(|w| crate::layout::number(t.abi, w)).collect();
    words.push(0);
    Ok(words)
}

/// Converts back what the host wrote.
fn give_back(t: &Task, ty: Ty, addr: u64, s: &Staged, result: Res) -> Result<(), Errno> {
    let (layout, count) = match (ty, result) {
        (Ty::Out(l) | Ty::InOut(l), Ok(_)) => (l(), 1),
        (Ty::Rest(l), Err(Errno::EINTR)) => (l(), 1),
        (Ty::OutArray(l, _), Ok(n)) => (l(), s.count.min(usize::try_from(n).unwrap_or(usize::MAX))),
        _ => return Ok(()),
    };
    write_structs(layout.of(t.abi), addr, s.bytes(), count)
}

/// Writes `count` of the host's structs in `host` to the guest's array at `addr`.
pub fn write_structs(r: &Resolved, addr: u64, host: &[u8], count: usize) -> Result<(), Errno> {
    let mut guest = vec![0; count * r.size];
    for n in 0..count {
        r.to_guest(&host[n * r.host_size..][..r.host_size], &mut guest[n * r.size..][..r.size])?;
    }
    memory::write(addr, &guest)
}

/// Makes host call `nr` with one struct of C at position `at` of `args`, written back after success: for bodies. Null passes as null.
pub fn call_with_struct(t: &mut Task, nr: u32, mut args: [u64; 6], at: usize, layout: &Layout) -> Res {
    let mut staged = Vec::new();
    let addr = args[at];
    args[at] = stage(t, layout, at, addr, 1, &mut staged)?;
    let result = t.call(nr, args);
    if let (Ok(_), Some(s)) = (result, staged.first()) {
        write_structs(layout.of(t.abi), addr, s.bytes(), 1)?;
    }
    result
}
