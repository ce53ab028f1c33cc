//! Waiting for descriptors: poll, select, epoll, with a signal mask where the call takes one; eventfd.

use crate::calls::signal::under_mask;
use crate::layout::Layout;
use crate::sys::prelude::*;

syscalls! { |t|
    sys_poll(fds: InOutArray<Pollfd, count>, count: ULong, timeout: Int) -> Int;
    sys_ppoll(fds: InOutArray<Pollfd, count>, count: ULong, timeout: InOut<Timespec>, mask: In<SigSet>, size: Size) -> Int {
        ppoll(t, fds, count, (Timespec::layout(), timeout.addr), mask, size)
    }
    sys_ppoll_time32(fds: InOutArray<Pollfd, count>, count: ULong, timeout: InOut<Timespec32>, mask: In<SigSet>, size: Size) -> Int {
        ppoll(t, fds, count, (Timespec32::layout(), timeout.addr), mask, size)
    }
    sys_select(count: Int, read: Addr, write: Addr, except: Addr, timeout: InOut<Timeval>) -> Int {
        select(t, nr::sys_select, count, [read, write, except], (Timeval::layout(), timeout.addr), None)
    }
    sys_pselect6(count: Int, read: Addr, write: Addr, except: Addr, timeout: InOut<Timespec>, mask: In<SigSetArg>) -> Int {
        pselect(t, count, [read, write, except], (Timespec::layout(), timeout.addr), mask)
    }
    sys_pselect6_time32(count: Int, read: Addr, write: Addr, except: Addr, timeout: InOut<Timespec32>, mask: In<SigSetArg>) -> Int {
        pselect(t, count, [read, write, except], (Timespec32::layout(), timeout.addr), mask)
    }

    sys_epoll_create(size: Int) -> Fd;
    sys_epoll_create1(flags: Flags<Open>) -> Fd;
    sys_epoll_ctl(epoll: Fd, op: Enum<EpollOp>, fd: Fd, event: In<EpollEvent>) -> Zero;
    sys_epoll_wait(epoll: Fd, events: OutArray<EpollEvent, max>, max: Int, timeout: Int) -> Int {
        wait_epoll(t, events, max, |t, host, max| {
            t.host_call(i64::from(nr::sys_epoll_wait), [epoll as u64, host, max, timeout as u64, 0, 0])
        })
    }
    sys_epoll_pwait(epoll: Fd, events: OutArray<EpollEvent, max>, max: Int, timeout: Int, mask: In<SigSet>, size: Size) -> Int {
        let mask = read_mask(t, mask, size)?;
        wait_epoll(t, events, max, |t, host, max| {
            under_mask(t, mask, |t, set| {
                t.host_call(i64::from(nr::sys_epoll_pwait), [epoll as u64, host, max, timeout as u64, set, 8])
            })
        })
    }
    sys_epoll_pwait2(epoll: Fd, events: OutArray<EpollEvent, max>, max: Int, timeout: In<Timespec>, mask: In<SigSet>, size: Size) -> Int {
        // The kernel looks at the time first.
        timeout.read_if(t)?;
        let timeout = HostStruct::new::<Timespec>(t.abi().model(), timeout.addr)?;
        let mask = read_mask(t, mask, size)?;
        wait_epoll(t, events, max, |t, host, max| {
            under_mask(t, mask, |t, set| {
                t.host_call(i64::from(nr::sys_epoll_pwait2), [epoll as u64, host, max, timeout.host, set, 8])
            })
        })
    }
    sys_eventfd(count: UInt) -> Fd;
    sys_eventfd2(count: UInt, flags: Flags<Open>) -> Fd;
}

/// A mask that may be missing.
fn read_mask(t: &Task, mask: Pointer<SigSet>, size: u64) -> Result<Option<u64>, Errno> {
    if mask.addr != 0 && size != 8 {
        return Err(Errno::EINVAL);
    }
    Ok(mask.read_if(t)?.map(|m| m.sig))
}

/// A timeout: its layout and address. The kernel writes what is left of it.
type Timeout = (&'static Layout, u64);

fn ppoll(t: &mut Task, fds: Pointer<Pollfd>, count: u64, timeout: Timeout, mask: Pointer<SigSet>, size: u64) -> Res {
    let m = t.abi().model();
    let mask = read_mask(t, mask, size)?;
    let timeout = HostStruct::of(m, timeout.0, timeout.1)?;
    let fds = HostStruct::array(m, Pollfd::layout(), fds.addr, count)?;
    let result =
        under_mask(t, mask, |t, set| t.host_call(i64::from(nr::sys_ppoll), [fds.host, count, timeout.host, set, 8, 0]));
    if result.is_ok() {
        fds.write_back(m)?;
    }
    // man 2 poll: the raw call changes its timeout; where that cannot be written it is not an error.
    let _ = timeout.write_back(m);
    result
}

fn pselect(t: &mut Task, count: i32, sets: [u64; 3], timeout: Timeout, mask: Pointer<SigSetArg>) -> Res {
    let mask = match mask.read_if(t)? {
        Some(arg) => read_mask(t, Pointer::from_raw(arg.sigset), arg.size)?,
        None => None,
    };
    under_mask(t, mask, |t, set| {
        let arg = [set, 8];
        select(t, nr::sys_pselect6, count, sets, timeout, Some(arg))
    })
}

/// select and pselect6. Sets are arrays of `long`: copied where those are not the host's, since the host reads and writes whole ones.
fn select(t: &mut Task, nr: u32, count: i32, sets: [u64; 3], timeout: Timeout, mask: Option<[u64; 2]>) -> Res {
    let m = t.abi().model();
    let timeout = HostStruct::of(m, timeout.0, timeout.1)?;
    let mask = mask.as_ref().map_or(0, |arg| arg.as_ptr() as u64);
    if m.like_host() || count <= 0 {
        let result = t.host_call(i64::from(nr), [count as u64, sets[0], sets[1], sets[2], timeout.host, mask]);
        let _ = timeout.write_back(m);
        return result;
    }
    // man 2 select: more than a process may have open is cut down to that by the kernel.
    let count = count.min(1 << 20) as usize;
    let mut host = [const { Vec::new() }; 3];
    for (words, addr) in host.iter_mut().zip(sets).filter(|(_, addr)| *addr != 0) {
        *words = read_set(m, addr, count)?;
    }
    let pointers: Vec<u64> = host.iter().map(|w| if w.is_empty() { 0 } else { w.as_ptr() as u64 }).collect();
    let result = t.host_call(i64::from(nr), [count as u64, pointers[0], pointers[1], pointers[2], timeout.host, mask]);
    let _ = timeout.write_back(m);
    if result.is_ok() {
        for (words, addr) in host.iter().zip(sets).filter(|(_, addr)| *addr != 0) {
            write_set(m, addr, count, words)?;
        }
    }
    result
}

/// A set of `count` bits, as the host's longs.
pub fn read_set(m: arch::layout::Model, addr: u64, count: usize) -> Result<Vec<u64>, Errno> {
    let mut guest = vec![0; count.div_ceil(m.long * 8) * m.long];
    memory::read(addr, &mut guest)?;
    let mut host = vec![0; count.div_ceil(64)];
    for (i, word) in guest.chunks(m.long).enumerate() {
        let at = i * m.long * 8;
        host[at / 64] |= crate::layout::number(m, word) << (at % 64);
    }
    Ok(host)
}

/// The reverse.
pub fn write_set(m: arch::layout::Model, addr: u64, count: usize, host: &[u64]) -> Result<(), Errno> {
    let mut guest = vec![0; count.div_ceil(m.long * 8) * m.long];
    for (i, word) in guest.chunks_mut(m.long).enumerate() {
        let at = i * m.long * 8;
        crate::layout::put_number(m, word, host[at / 64] >> (at % 64));
    }
    memory::write(addr, &guest)
}

/// As many events as there may be descriptors (fs.nr_open).
const MOST_EVENTS: i32 = 1 << 20;

/// epoll_wait with events of the guest's layout: `call(t, host's array, its length)`.
fn wait_epoll(
    t: &mut Task,
    events: Pointer<EpollEvent>,
    max: i32,
    call: impl FnOnce(&mut Task, u64, u64) -> Res,
) -> Res {
    let r = EpollEvent::layout().of(t.abi().model());
    if r.same || max <= 0 {
        return call(t, events.addr, max as u64);
    }
    if max > i32::MAX / r.size as i32 {
        return Err(Errno::EINVAL);
    }
    if events.addr.checked_add((max as usize * r.size) as u64).is_none_or(|end| end > t.process.mm.top()) {
        return Err(Errno::EFAULT);
    }
    let max = max.min(MOST_EVENTS) as usize;
    // Not cleared: programs ask for many and get few.
    let mut host: Vec<u8> = Vec::with_capacity(max * r.host_size);
    let n = call(t, host.as_mut_ptr() as u64, max as u64)?;
    // SAFETY: the kernel has written so many events.
    unsafe { host.set_len(n as usize * r.host_size) };
    plain::write_structs(r, events.addr, &host, n as usize)?;
    Ok(n)
}
