//! Futexes, barriers of memory between threads. The lists of robust futexes belong to the task: see `process.rs`.

use crate::layout::Layout;
use crate::sys::prelude::*;

syscalls! { |t|
    sys_futex(addr: Addr, op: Enum<FutexOp>, value: UInt, timeout: Addr, addr2: Addr, value3: UInt) -> Int {
        futex(t, addr, op, value, Timespec::layout(), timeout, addr2, value3)
    }
    sys_futex_time32(addr: Addr, op: Enum<FutexOp>, value: UInt, timeout: Addr, addr2: Addr, value3: UInt) -> Int {
        futex(t, addr, op, value, Timespec32::layout(), timeout, addr2, value3)
    }
    // struct futex_waitv has u64s for values and addresses on every ABI.
    sys_futex_waitv(waiters: Addr, count: UInt, flags: UInt, timeout: In<Timespec>, clock: Clock) -> Int;
    sys_futex_wake(addr: Addr, mask: ULong, count: Int, flags: UInt) -> Int;
    sys_futex_wait(addr: Addr, value: ULong, mask: ULong, flags: UInt, timeout: In<Timespec>, clock: Clock) -> Int;
    sys_futex_requeue(waiters: Addr, flags: UInt, wake: Int, requeue: Int) -> Int;
    sys_membarrier(command: Int, flags: UInt, cpu: Int) -> Int;
}

const PRIVATE_AND_CLOCK: u32 = 128 | 256;

/// How an operation uses the fourth argument, and whether it compares or writes words in the guest's byte order.
struct Op {
    number: u32,
    has_timeout: bool,
    /// `value` (or `value3`) is compared with the word.
    compares: Compares,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Compares {
    Nothing,
    Value,
    Value3,
    /// The kernel itself writes words or calculates with them.
    InKernel,
}

/// man 2 futex
static OPS: &[Op] = &[
    Op { number: 0, has_timeout: true, compares: Compares::Value }, // WAIT
    Op { number: 1, has_timeout: false, compares: Compares::Nothing }, // WAKE
    Op { number: 3, has_timeout: false, compares: Compares::Nothing }, // REQUEUE
    Op { number: 4, has_timeout: false, compares: Compares::Value3 }, // CMP_REQUEUE
    Op { number: 5, has_timeout: false, compares: Compares::InKernel }, // WAKE_OP
    Op { number: 6, has_timeout: true, compares: Compares::InKernel }, // LOCK_PI
    Op { number: 7, has_timeout: false, compares: Compares::InKernel }, // UNLOCK_PI
    Op { number: 8, has_timeout: false, compares: Compares::InKernel }, // TRYLOCK_PI
    Op { number: 9, has_timeout: true, compares: Compares::Value }, // WAIT_BITSET
    Op { number: 10, has_timeout: false, compares: Compares::Nothing }, // WAKE_BITSET
    Op { number: 11, has_timeout: true, compares: Compares::Value }, // WAIT_REQUEUE_PI
    Op { number: 12, has_timeout: false, compares: Compares::InKernel }, // CMP_REQUEUE_PI
    Op { number: 13, has_timeout: true, compares: Compares::InKernel }, // LOCK_PI2
];

#[expect(clippy::too_many_arguments, reason = "the call's own, and the layout of its time")]
fn futex(
    t: &mut Task,
    addr: u64,
    op: u32,
    mut value: u32,
    time: &'static Layout,
    timeout: u64,
    addr2: u64,
    mut value3: u32,
) -> Res {
    let Some(known) = OPS.iter().find(|o| o.number == op & !PRIVATE_AND_CLOCK) else {
        t.unimp(format_args!("futex operation {op}"));
        return Err(Errno::ENOSYS);
    };
    let m = t.abi().model();
    if m.big_endian {
        match known.compares {
            Compares::Nothing => {}
            Compares::Value => value = value.swap_bytes(),
            Compares::Value3 => value3 = value3.swap_bytes(),
            Compares::InKernel => {
                t.unimp(format_args!("futex operation {op} in the other byte order"));
                return Err(Errno::ENOSYS);
            }
        }
    }
    // Without a timeout it is a second number.
    let timeout = if known.has_timeout { HostStruct::of(m, time, timeout)? } else { HostStruct::raw(time, timeout) };
    t.host_call(
        i64::from(nr::sys_futex),
        [addr, u64::from(op), u64::from(value), timeout.host, addr2, u64::from(value3)],
    )
}
