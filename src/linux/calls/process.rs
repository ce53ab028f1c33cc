//! Calls that make, change and end processes and threads. The host side of threads: [`crate::thread`]; execve: [`crate::exec`].

use crate::calls::segments;
use crate::compat;
use crate::explain;
use crate::host::{self, CloneArgs, Errno, Res};
use crate::memory;
use crate::siginfo::HostInfo;
use crate::signal::libc_code::TRAP_BRKPT;
use crate::stats;
use crate::stored;
use crate::strace_signal;
use crate::sys::structs::ULongWord;
use crate::sys::types::{Pointer, Text};
use crate::task::Task;

const CSIGNAL: u64 = 0xff;
const CLONE_CLEAR_SIGHAND: u64 = 1 << 32;
/// sizeof(struct clone_args) in its first version, and in the one that we know.
const CLONE_ARGS_FIRST: u64 = 64;
const CLONE_ARGS: usize = size_of::<CloneArgs>();

/// What a clone sets in the child's registers.
struct Child {
    /// 0: as the parent's.
    sp: u64,
    tls: Option<u64>,
}

pub fn clone(t: &mut Task, flags: u64, stack: u64, parent_tid: u64, tls: u64, child_tid: u64) -> Res {
    // flags is an int's worth of bits in the kernel's entry.
    let flags = flags & 0xffff_ffff;
    let args = CloneArgs {
        flags: flags & !CSIGNAL,
        pidfd: parent_tid,
        child_tid,
        parent_tid,
        exit_signal: flags & CSIGNAL,
        tls,
        ..CloneArgs::default()
    };
    if flags & (libc::CLONE_PIDFD | libc::CLONE_PARENT_SETTID) as u64
        == (libc::CLONE_PIDFD | libc::CLONE_PARENT_SETTID) as u64
    {
        return Err(Errno::EINVAL);
    }
    do_clone(t, args, stack)
}

/// `args`: struct clone_args, all u64, in the guest's byte order.
pub fn clone3(t: &mut Task, addr: u64, size: u64) -> Res {
    if size > 4096 {
        return Err(Errno::E2BIG);
    }
    if size < CLONE_ARGS_FIRST {
        return Err(Errno::EINVAL);
    }
    let mut bytes = vec![0; (size as usize).max(CLONE_ARGS)];
    memory::read(addr, &mut bytes[..size as usize])?;
    if bytes[CLONE_ARGS..].iter().any(|b| *b != 0) {
        return Err(Errno::E2BIG);
    }
    let mut words = bytes.chunks_exact(8).map(|w| {
        let mut b = [0; 8];
        b.copy_from_slice(w);
        if t.abi().big_endian { u64::from_be_bytes(b) } else { u64::from_le_bytes(b) }
    });
    let mut next = || words.next().unwrap_or(0);
    let args = CloneArgs {
        flags: next(),
        pidfd: next(),
        child_tid: next(),
        parent_tid: next(),
        exit_signal: next(),
        stack: next(),
        stack_size: next(),
        tls: next(),
        set_tid: next(),
        set_tid_size: next(),
        cgroup: next(),
    };
    check_clone3(&args, size)?;
    let sp = args.stack.wrapping_add(args.stack_size);
    do_clone(t, CloneArgs { stack: 0, stack_size: 0, ..args }, sp)
}

/// What clone3 refuses and clone overlooks, or cannot say (kernel/fork.c: copy_clone_args_from_user, clone3_args_valid).
fn check_clone3(args: &CloneArgs, size: u64) -> Result<(), Errno> {
    /// MAX_PID_NS_LEVEL
    const LEVELS: u64 = 32;
    const CLONE_INTO_CGROUP: u64 = 1 << 33;
    const CLONE_DETACHED: u64 = 0x0040_0000;
    const CLONE_NEWTIME: u64 = 0x80;
    let has = |flags: i32| args.flags & flags as u64 != 0;
    let bad = args.set_tid_size > LEVELS
        || (args.set_tid == 0) != (args.set_tid_size == 0)
        || args.exit_signal > 64
        || args.flags & CLONE_INTO_CGROUP != 0 && (args.cgroup >> 31 != 0 || size < CLONE_ARGS as u64)
        || args.flags & (CLONE_DETACHED | CSIGNAL & !CLONE_NEWTIME) != 0
        || has(libc::CLONE_THREAD | libc::CLONE_PARENT) && args.exit_signal != 0
        || (args.stack == 0) != (args.stack_size == 0);
    if bad { Err(Errno::EINVAL) } else { Ok(()) }
}

fn do_clone(t: &mut Task, args: CloneArgs, sp: u64) -> Res {
    let settls = args.flags & libc::CLONE_SETTLS as u64 != 0;
    let clear = args.flags & CLONE_CLEAR_SIGHAND != 0;
    if clear && args.flags & libc::CLONE_SIGHAND as u64 != 0 {
        return Err(Errno::EINVAL);
    }
    let child = Child { sp, tls: settls.then_some(args.tls) };
    // The host's thread pointer is rqemu's; its handlers stay, the guest's are cleared by us.
    let host_args =
        CloneArgs { flags: args.flags & !(libc::CLONE_SETTLS as u64 | CLONE_CLEAR_SIGHAND), tls: 0, ..args };
    let prepare = |c: &mut Task| {
        let abi = c.abi();
        c.set(abi.syscall.result, 0);
        if child.sp != 0 {
            c.set(abi.stack_pointer, child.sp);
        }
        if let Some(tls) = child.tls {
            segments::set_child_tls(c, tls);
        }
        c.clear_handlers = clear;
        c.robust_list = (0, 0);
    };
    if args.flags & libc::CLONE_VM as u64 != 0 {
        if args.flags & libc::CLONE_VFORK as u64 == 0 {
            t.process.engine.begin_concurrency();
        }
        return t.spawn(&host_args, &prepare);
    }
    match t.fork(&host_args, &prepare) {
        // In the child: its registers are set.
        Ok(0) => {
            t.begin_clear();
            t.birth_stop();
            Err(Errno::JUST_RETURN)
        }
        other => other,
    }
}

pub fn fork(t: &mut Task) -> Res {
    do_clone(t, CloneArgs { exit_signal: libc::SIGCHLD as u64, ..CloneArgs::default() }, 0)
}

pub fn vfork(t: &mut Task) -> Res {
    let flags = (libc::CLONE_VM | libc::CLONE_VFORK) as u64;
    do_clone(t, CloneArgs { flags, exit_signal: libc::SIGCHLD as u64, ..CloneArgs::default() }, 0)
}

/// execve and execveat; it returns only with an error.
pub fn execve(t: &mut Task, dir: i32, path: Text, argv: u64, envp: u64, flags: u32) -> Res {
    crate::exec::execve(t, dir, path.read()?, argv, envp, flags.cast_signed())
}

pub fn exit(t: &mut Task, status: i32) -> Res {
    strace_signal::exited(t, status);
    if t.process.engine.threads() == 1 {
        explain::ended(t, explain::End::Status(status));
        stats::tell(t, "exit");
        stored::save(t);
    }
    t.exit(status)
}

pub fn exit_group(t: &mut Task, status: i32) -> Res {
    strace_signal::exited(t, status);
    explain::ended(t, explain::End::Status(status));
    stats::tell(t, "exit");
    stored::save(t);
    host::exit_group(status)
}

/// The kernel itself clears and wakes the guest's word.
pub fn set_tid_address(t: &mut Task, addr: u64) -> Res {
    t.host_call(libc::SYS_set_tid_address, [addr, 0, 0, 0, 0, 0])
}

/// A list of the host's layout is the kernel's to walk; one of 32-bit words too, if the host has its 32-bit entry.
pub fn set_robust_list(t: &mut Task, head: u64, len: u64) -> Res {
    if len != 3 * t.abi().long as u64 {
        return Err(Errno::EINVAL);
    }
    if t.abi().big_endian {
        t.unimp(format_args!("set_robust_list in the other byte order"));
        return Err(Errno::ENOSYS);
    }
    let args = [head, len, 0, 0, 0, 0];
    let done = if t.abi().long == 8 {
        t.host_call(libc::SYS_set_robust_list, args)
    } else {
        t.compat_call(compat::Call::SetRobustList, args)
    };
    match done {
        Err(Errno::ENOSYS) => {
            t.unimp(format_args!(
                "set_robust_list: the host has no 32-bit calls; a dying thread's mutexes stay locked"
            ));
        }
        other => _ = other?,
    }
    t.robust_list = (head, len);
    Ok(0)
}

pub fn get_robust_list(t: &mut Task, pid: i32, head: Pointer<ULongWord>, len: Pointer<ULongWord>) -> Res {
    let list = if pid == 0 || pid == t.tid {
        t.robust_list
    } else {
        let mut list = [0u64; 2];
        let at = list.as_mut_ptr() as u64;
        t.host_call(libc::SYS_get_robust_list, [pid as u64, at, at + 8, 0, 0, 0])?;
        // The host is not told of lists with words of 32 bits.
        if t.abi().long != 8 {
            return Err(Errno::EPERM);
        }
        (list[0], list[1])
    };
    len.write(t, ULongWord { value: if list.1 == 0 { 3 * t.abi().long as u64 } else { list.1 } })?;
    head.write(t, ULongWord { value: list.0 })?;
    Ok(0)
}

pub fn unshare(t: &mut Task, flags: u32) -> Res {
    t.host_call(libc::SYS_unshare, [flags.into(), 0, 0, 0, 0, 0])
}

/// The host's, so that it is inherited over execve; but READ_IMPLIES_EXEC, which is about the guest's map alone and ends there.
pub fn personality(t: &mut Task, persona: u32) -> Res {
    const ASK: u32 = 0xffff_ffff;
    const READ_IMPLIES_EXEC: u32 = 0x0040_0000;
    let passed = if persona == ASK { ASK } else { persona & !READ_IMPLIES_EXEC };
    let before = t.host_call(libc::SYS_personality, [passed.into(), 0, 0, 0, 0, 0])?;
    let wanted = (persona != ASK).then_some(persona & READ_IMPLIES_EXEC != 0);
    let implied = t.process.mm.read_implies_exec(wanted);
    Ok(if implied { before | u64::from(READ_IMPLIES_EXEC) } else { before })
}

/// arm's breakpoint call: the trap of the instruction before.
pub fn arm_breakpoint(t: &mut Task) -> Res {
    let pc = t.get(t.process.guest.state.pc) & !1;
    t.force(&HostInfo::fault(libc::SIGTRAP, TRAP_BRKPT, pc), None);
    Err(Errno::JUST_RETURN)
}

pub fn cacheflush(t: &mut Task, start: u64, end: u64, flags: u32) -> Res {
    if end < start || flags != 0 {
        return Err(Errno::EINVAL);
    }
    t.process.mm.flush_code(&t.process.engine, start, end - start);
    Ok(0)
}

/// Linux flushes all there is, so an empty range means that too. All processors see it, though one alone may be asked for (flag 1).
pub fn flush_icache(t: &mut Task, start: u64, end: u64, flags: u64) -> Res {
    if flags & !1 != 0 {
        return Err(Errno::EINVAL);
    }
    let (mm, engine) = (&t.process.mm, &t.process.engine);
    if start < end {
        mm.flush_code(engine, start, end - start)
    } else {
        mm.flush_all_code(engine)
    }
    Ok(0)
}

/// riscv_hwprobe(2), where all processors are alike. Fills in the values of keys, -1 for a key that is not known; with flag 1 it leaves in a set those
/// processors that have given values.
pub fn hwprobe(t: &mut Task, pairs: u64, count: u64, [size, cpus]: [u64; 2], flags: u32) -> Res {
    const WHICH_CPUS: u32 = 1;
    let which = flags == WHICH_CPUS;
    if flags & !WHICH_CPUS != 0 || which && (size == 0 || cpus == 0) {
        return Err(Errno::EINVAL);
    }
    let online = cpu_set(&host::processors());
    let mut set = vec![0; online.len().min(size as usize)];
    memory::read(cpus, &mut set)?;
    if which && set.iter().all(|b| *b == 0) {
        set.fill(0xff);
    }
    set.iter_mut().zip(&online).for_each(|(b, on)| *b &= on);
    if !which && (size, cpus) != (0, 0) && set.iter().all(|b| *b == 0) {
        return Err(Errno::EINVAL);
    }
    let (probe, features) = (t.abi().probe, t.process.cpu.features);
    let mut all = true;
    for pair in (0..count).map(|n| pairs.wrapping_add(16 * n)) {
        let (key, at) = (memory::read_u64(pair)?, pair.wrapping_add(8));
        match probe(key, features) {
            None => {
                memory::write_u64(pair, u64::MAX)?;
                memory::write_u64(at, 0)?;
                all = false;
            }
            Some(value) if which => all &= hwprobe_matches(key, value, memory::read_u64(at)?),
            Some(value) => memory::write_u64(at, value)?,
        }
    }
    if which {
        set.iter_mut().for_each(|b| *b *= u8::from(all));
        memory::write(cpus, &set)?;
    }
    Ok(0)
}

/// Whether a processor with this value has the wanted one. Keys 3 to 5 are sets (riscv_hwprobe_key_is_bitmask).
fn hwprobe_matches(key: u64, value: u64, wanted: u64) -> bool {
    if matches!(key, 3..=5) { value & wanted == wanted } else { value == wanted }
}

/// A cpu_set_t of whole words.
fn cpu_set(numbers: &[usize]) -> Vec<u8> {
    let most = numbers.iter().max().copied().unwrap_or(0);
    let mut set = vec![0; (most + 1).next_multiple_of(64) / 8];
    numbers.iter().for_each(|n| set[n / 8] |= 1 << (n % 8));
    set
}

pub fn set_tls(t: &mut Task, value: u64) -> Res {
    t.set(t.abi().thread_pointer, value);
    Ok(0)
}

pub fn get_tls(t: &mut Task) -> Res {
    Ok(t.get(t.abi().thread_pointer))
}
