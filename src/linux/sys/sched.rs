//! Scheduling, limits and use of resources.

use crate::lock::Lock;
use crate::sys::prelude::*;

syscalls! { |t|
    sys_sched_yield() -> Zero;
    sys_sched_setparam(pid: Pid, param: In<SchedParam>) -> Zero;
    sys_sched_getparam(pid: Pid, param: Out<SchedParam>) -> Zero;
    sys_sched_setscheduler(pid: Pid, policy: Int, param: In<SchedParam>) -> Int;
    sys_sched_getscheduler(pid: Pid) -> Int;
    sys_sched_get_priority_max(policy: Int) -> Int;
    sys_sched_get_priority_min(policy: Int) -> Int;
    sys_sched_rr_get_interval(pid: Pid, interval: Out<Timespec>) -> Zero;
    sys_sched_rr_get_interval_time32(pid: Pid, interval: Out<Timespec32>) -> Zero = sys_sched_rr_get_interval;
    sys_sched_setaffinity(pid: Pid, len: UInt, mask: Addr) -> Zero { set_affinity(t, pid, len, mask) }
    sys_sched_getaffinity(pid: Pid, len: UInt, mask: Addr) -> Int { affinity(t, pid, len, mask) }
    // struct sched_attr has fixed sizes.
    sys_sched_setattr(pid: Pid, attr: Addr, flags: UInt) -> Zero;
    sys_sched_getattr(pid: Pid, attr: OutBuf<size>, size: UInt, flags: UInt) -> Zero;
    sys_getcpu(cpu: Out<UInt32>, node: Out<UInt32>, unused: Addr) -> Zero;
    sys_getpriority(which: Int, who: Int) -> Int;
    sys_setpriority(which: Int, who: Int, priority: Int) -> Zero;
    sys_nice(increment: Int) -> Zero { nice(t, increment) }
    sys_ioprio_get(which: Int, who: Int) -> Int;
    sys_ioprio_set(which: Int, who: Int, priority: Int) -> Zero;
    sys_getrusage(who: Int, usage: Out<Rusage>) -> Zero;
    sys_getrlimit(resource: Enum<Resource>, limit: Out<Rlimit>) -> Zero {
        let now = limit_of(t, 0, resource, None)?;
        let shown = |v| shown_limit(t.abi().long, v);
        limit.write(t, Rlimit { rlim_cur: shown(now[0]), rlim_max: shown(now[1]) })?;
        Ok(0)
    }
    sys_setrlimit(resource: Enum<Resource>, limit: In<Rlimit>) -> Zero {
        let new = limit.read(t)?;
        let long = t.abi().long;
        limit_of(t, 0, resource, Some([meant_limit(long, new.rlim_cur), meant_limit(long, new.rlim_max)]))?;
        Ok(0)
    }
    sys_prlimit64(pid: Pid, resource: Enum<Resource>, new: In<Rlimit64>, old: Out<Rlimit64>) -> Zero {
        let new = new.read_if(t)?.map(|l| [l.rlim_cur, l.rlim_max]);
        let before = limit_of(t, pid, resource, new)?;
        old.write_if(t, Rlimit64 { rlim_cur: before[0], rlim_max: before[1] })?;
        Ok(0)
    }
}

fn set_affinity(t: &mut Task, pid: i32, len: u32, mask: u64) -> Res {
    let m = t.abi().model();
    let call = i64::from(nr::sys_sched_setaffinity);
    if m.like_host() {
        return t.host_call(call, [pid as u64, u64::from(len), mask, 0, 0, 0]);
    }
    let bits = len.min(1024) as usize / m.long * m.long * 8;
    let words = super::poll::read_set(m, mask, bits)?;
    t.host_call(call, [pid as u64, words.len() as u64 * 8, words.as_ptr() as u64, 0, 0, 0])
}

fn affinity(t: &mut Task, pid: i32, len: u32, mask: u64) -> Res {
    let m = t.abi().model();
    let call = i64::from(nr::sys_sched_getaffinity);
    if m.like_host() {
        return t.host_call(call, [pid as u64, u64::from(len), mask, 0, 0, 0]);
    }
    if !(len as usize).is_multiple_of(m.long) {
        return Err(Errno::EINVAL);
    }
    // The host wants whole words of its own, and has as many as its kernel has CPUs for.
    let mut words = vec![0u64; (len.min(8192) as usize).div_ceil(8)];
    let got = t.host_call(call, [pid as u64, words.len() as u64 * 8, words.as_mut_ptr() as u64, 0, 0, 0])?;
    let size = got.min(u64::from(len));
    super::poll::write_set(m, mask, size as usize * 8, &words)?;
    Ok(size)
}

/// nice(2) by what x86-64 has too.
fn nice(t: &mut Task, increment: i32) -> Res {
    // getpriority gives 20 - nice.
    let now = 20 - t.host_call(i64::from(nr::sys_getpriority), [0; 6])? as i64;
    let new = (now + i64::from(increment.clamp(-40, 40))).clamp(-20, 19);
    // man 2 nice: EPERM, where setpriority has EACCES.
    t.host_call(i64::from(nr::sys_setpriority), [0, 0, new as u64, 0, 0, 0])
        .map_err(|e| if e == Errno::EACCES { Errno::EPERM } else { e })
}

/// RLIMIT_AS and RLIMIT_DATA, soft and hard: rqemu's own memory would count too, so they are kept here and not given to the host. `mm.rs` holds
/// the guest to them. The next program of this process gets them ([`kept_limits`]); one of the host's does not.
pub(super) static KEPT: Lock<[Option<[u64; 2]>; 2]> = Lock::new([None; 2]);

/// The limits that are kept here, as one rqemu passes them to the next: `soft:hard` or nothing, twice.
pub fn kept_limits() -> Option<String> {
    let limits = *KEPT.lock();
    let text = |l: Option<[u64; 2]>| l.map_or_else(String::new, |[soft, hard]| format!("{soft}:{hard}"));
    limits.iter().any(Option::is_some).then(|| limits.map(text).join(","))
}

/// Takes over what [`kept_limits`] said.
pub fn keep_limits(mm: &crate::mm::Mm, text: &str) {
    let pair = |item: &str| {
        let (soft, hard) = item.split_once(':')?;
        Some([soft.parse().ok()?, hard.parse().ok()?])
    };
    let mut limits = KEPT.lock();
    for (limit, item) in limits.iter_mut().zip(text.split(',')) {
        *limit = pair(item);
    }
    mm.set_rlimits(limits[0].map(|l| l[0]), limits[1].map(|l| l[0]));
}

/// CAP_SYS_RESOURCE (man 2 getrlimit).
fn may_raise_limits() -> bool {
    super::ids::has_capability(&[24])
}

/// Gives a limit's old value and sets a new one.
fn limit_of(t: &mut Task, pid: i32, resource: u32, new: Option<[u64; 2]>) -> Result<[u64; 2], Errno> {
    let kept = match resource {
        libc::RLIMIT_AS => Some(0),
        libc::RLIMIT_DATA => Some(1),
        _ => None,
    };
    let mut old = [0u64; 2];
    let own = pid == 0 || pid == crate::host::getpid();
    let passed = if kept.is_some() && own { 0 } else { new.as_ref().map_or(0, |l| l.as_ptr() as u64) };
    t.host_call(
        i64::from(nr::sys_prlimit64),
        [pid as u64, u64::from(resource), passed, old.as_mut_ptr() as u64, 0, 0],
    )?;
    if let Some(which) = kept.filter(|_| own) {
        let mut limits = KEPT.lock();
        let before = limits[which].unwrap_or(old);
        if let Some(new) = new {
            if new[0] > new[1] {
                return Err(Errno::EINVAL);
            }
            if new[1] > before[1] && !may_raise_limits() {
                return Err(Errno::EPERM);
            }
            limits[which] = Some(new);
            let set = |n: usize| (which == n).then_some(new[0]);
            t.process.mm.set_rlimits(set(0), set(1));
        }
        return Ok(before);
    }
    Ok(old)
}

/// RLIM_INFINITY of a 32-bit ABI stands for everything that does not fit.
fn shown_limit(long: usize, v: u64) -> u64 {
    if long == 4 { v.min(0xffff_ffff) } else { v }
}

fn meant_limit(long: usize, v: u64) -> u64 {
    if long == 4 && v == 0xffff_ffff { u64::MAX } else { v }
}
