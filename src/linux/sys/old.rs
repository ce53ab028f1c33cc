//! Calls that the first kernels had: several in one, arguments in memory, structs and sets of signals that were too small. Most go on as the call that
//! stands for them now.

use super::rows;
use crate::calls::signal;
use crate::sys::prelude::*;

syscalls! { |t|
    sys_socketcall(call: Int, args: Addr) -> Long {
        let (row, count) = usize::try_from(call).ok().and_then(|n| SOCKETS.get(n.checked_sub(1)?)).ok_or(Errno::EINVAL)?;
        let args = words(t, args, *count)?;
        super::redo(t, row, &args)
    }
    sys_ipc(call: UInt, first: Int, second: ULong, third: ULong, pointer: Addr, fifth: Long) -> Long {
        ipc(t, call, first as u64, [second, third, fifth as u64], pointer)
    }
    /// The offset counts bytes.
    sys_old_mmap(args: Addr) -> Addr {
        let args = words(t, args, 6)?;
        super::redo(t, &rows::sys_mmap, &args)
    }
    sys_old_select(args: Addr) -> Int {
        let args = words(t, args, 5)?;
        super::redo(t, &rows::sys_select, &args)
    }
    sys_oldumount(target: Addr) -> Zero { super::redo(t, &rows::sys_umount, &[target, 0]) }
    sys_stime32(time: In<LongWord>) -> Zero {
        let time = [time.read(t)?.value, 0];
        t.host_call(i64::from(nr::sys_clock_settime), [libc::CLOCK_REALTIME as u64, time.as_ptr() as u64, 0, 0, 0, 0])
    }
    sys_uname(name: Addr) -> Zero { old_uname(t, name, 65) }
    sys_olduname(name: Addr) -> Zero { old_uname(t, name, 9) }
    sys_sgetmask() -> Long { Ok(signal::mask(t) & 0xffff_ffff) }
    sys_ssetmask(mask: UInt) -> Long {
        let before = signal::mask(t) & 0xffff_ffff;
        signal::set_mask(t, mask.into())?;
        Ok(before)
    }
    sys_signal(signal: Sig, handler: Addr) -> Long { signal::once(t, signal, handler) }
}

/// socketcall's calls from 1 on, and how many arguments each has.
static SOCKETS: [(&super::Row, usize); 20] = [
    (&rows::sys_socket, 3),
    (&rows::sys_bind, 3),
    (&rows::sys_connect, 3),
    (&rows::sys_listen, 2),
    (&rows::sys_accept, 3),
    (&rows::sys_getsockname, 3),
    (&rows::sys_getpeername, 3),
    (&rows::sys_socketpair, 4),
    (&rows::sys_send, 4),
    (&rows::sys_recv, 4),
    (&rows::sys_sendto, 6),
    (&rows::sys_recvfrom, 6),
    (&rows::sys_shutdown, 2),
    (&rows::sys_setsockopt, 5),
    (&rows::sys_getsockopt, 5),
    (&rows::sys_sendmsg, 3),
    (&rows::sys_recvmsg, 3),
    (&rows::sys_accept4, 4),
    (&rows::sys_recvmmsg_time32, 5),
    (&rows::sys_sendmmsg, 4),
];

/// So many of the guest's words at an address.
fn words(t: &Task, addr: u64, count: usize) -> Result<Vec<u64>, Errno> {
    let m = t.abi().model();
    let mut bytes = vec![0; m.long * count];
    memory::read(addr, &mut bytes)?;
    Ok(bytes.chunks_exact(m.long).map(|word| crate::layout::number(m, word)).collect())
}

/// ipc(2). The upper half of the call's number is a version: 1 says that what two arguments of others say is in registers.
fn ipc(t: &mut Task, call: u32, first: u64, [second, third, fifth]: [u64; 3], pointer: u64) -> Res {
    let (version, call) = (call >> 16, call & 0xffff);
    let (row, args): (&'static super::Row, Vec<u64>) = match call {
        1 => (&rows::sys_semop, vec![first, pointer, second]),
        2 => (&rows::sys_semget, vec![first, second, third]),
        3 if pointer == 0 => return Err(Errno::EINVAL),
        3 => (&rows::sys_old_semctl, vec![first, second, third, words(t, pointer, 1)?[0]]),
        4 => (&rows::sys_semtimedop_time32, vec![first, pointer, second, fifth]),
        11 => (&rows::sys_msgsnd, vec![first, pointer, second, third]),
        12 if version != 0 => (&rows::sys_msgrcv, vec![first, pointer, second, fifth, third]),
        12 if pointer == 0 => return Err(Errno::EINVAL),
        12 => {
            // struct ipc_kludge: where the message goes, and its type.
            let both = words(t, pointer, 2)?;
            (&rows::sys_msgrcv, vec![first, both[0], second, both[1], third])
        }
        13 => (&rows::sys_msgget, vec![first, second]),
        14 => (&rows::sys_old_msgctl, vec![first, second, pointer]),
        21 if version == 1 => return Err(Errno::EINVAL),
        21 => {
            let at = super::redo(t, &rows::sys_shmat, &[first, pointer, second])?;
            let word = ULongWord { value: at }.to_bytes(t.abi().model())?;
            memory::write(third, &word)?;
            return Ok(0);
        }
        22 => (&rows::sys_shmdt, vec![pointer]),
        23 => (&rows::sys_shmget, vec![first, second, third]),
        24 => (&rows::sys_old_shmctl, vec![first, second, pointer]),
        _ => return Err(Errno::ENOSYS),
    };
    super::redo(t, row, &args)
}

/// The five names that there were at first, in fields of this size.
fn old_uname(t: &mut Task, addr: u64, size: usize) -> Res {
    let u = super::admin::uname(t)?;
    let mut bytes = vec![0; 5 * size];
    for (to, name) in bytes.chunks_exact_mut(size).zip([u.sysname, u.nodename, u.release, u.version, u.machine]) {
        to[..size - 1].copy_from_slice(&name[..size - 1]);
    }
    memory::write(addr, &bytes)?;
    Ok(0)
}
