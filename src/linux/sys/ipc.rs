//! System V IPC and POSIX message queues. Attaching shared memory is the memory map's: `mm.rs`.

use crate::layout::Layout;
use crate::sys::prelude::*;

syscalls! { |t|
    sys_semget(key: Int, count: Int, flags: Int) -> Int;
    sys_semop(id: Int, ops: InArray<Sembuf, count>, count: UInt) -> Zero;
    sys_semtimedop(id: Int, ops: InArray<Sembuf, count>, count: UInt, timeout: In<Timespec>) -> Zero;
    sys_semtimedop_time32(id: Int, ops: InArray<Sembuf, count>, count: UInt, timeout: In<Timespec32>) -> Zero = sys_semtimedop;
    sys_semctl(id: Int, number: Int, command: Int, arg: ULong) -> Int { semctl(t, id, number, command, arg) }
    /// Commands with IPC_64. Differs: without it the structs would be older ones, which no C library has asked for since 2.2.
    sys_old_semctl(id: Int, number: Int, command: Int, arg: ULong) -> Int { semctl(t, id, number, command & !IPC_64, arg) }
    sys_shmget(key: Int, size: Size, flags: Int) -> Int;
    sys_shmctl(id: Int, command: Int, buf: Addr) -> Int { control(t, nr::sys_shmctl, SHMCTL, id, command, buf) }
    sys_old_shmctl(id: Int, command: Int, buf: Addr) -> Int { control(t, nr::sys_shmctl, SHMCTL, id, command & !IPC_64, buf) }
    sys_msgget(key: Int, flags: Int) -> Int;
    sys_msgsnd(id: Int, message: Addr, size: Size, flags: Int) -> Zero { msgsnd(t, id, message, size, flags) }
    sys_msgrcv(id: Int, message: Addr, size: Size, kind: Long, flags: Int) -> Size { msgrcv(t, id, message, size, kind, flags) }
    sys_msgctl(id: Int, command: Int, buf: Addr) -> Int { control(t, nr::sys_msgctl, MSGCTL, id, command, buf) }
    sys_old_msgctl(id: Int, command: Int, buf: Addr) -> Int { control(t, nr::sys_msgctl, MSGCTL, id, command & !IPC_64, buf) }

    sys_mq_open(name: Str, flags: Flags<Open>, mode: Mode, attr: In<MqAttr>) -> Fd;
    sys_mq_unlink(name: Str) -> Zero;
    sys_mq_timedsend(queue: Fd, message: InBuf<len>, len: Size, priority: UInt, timeout: In<Timespec>) -> Zero;
    sys_mq_timedsend_time32(queue: Fd, message: InBuf<len>, len: Size, priority: UInt, timeout: In<Timespec32>) -> Zero = sys_mq_timedsend;
    sys_mq_timedreceive(queue: Fd, message: OutBuf<len>, len: Size, priority: Out<UInt32>, timeout: In<Timespec>) -> Size;
    sys_mq_timedreceive_time32(queue: Fd, message: OutBuf<len>, len: Size, priority: Out<UInt32>, timeout: In<Timespec32>) -> Size = sys_mq_timedreceive;
    sys_mq_notify(queue: Fd, event: In<Sigevent>) -> Zero;
    sys_mq_getsetattr(queue: Fd, new: In<MqAttr>, old: Out<MqAttr>) -> Zero;
}

/// Marks the newer structs in a command of the ABIs that once had older ones.
const IPC_64: i32 = 0x100;

/// A command and the struct that its buffer holds; None: the buffer is not looked at.
type Command = (i32, Option<fn() -> &'static Layout>);

const IPC_RMID: i32 = 0;
const IPC_SET: i32 = 1;
const IPC_STAT: i32 = 2;
const IPC_INFO: i32 = 3;

static SHMCTL: &[Command] = &[
    (IPC_RMID, None),
    (IPC_SET, Some(Shmid64::layout)),
    (IPC_STAT, Some(Shmid64::layout)),
    (IPC_INFO, Some(Shminfo64::layout)),
    (11, None),                  // SHM_LOCK
    (12, None),                  // SHM_UNLOCK
    (13, Some(Shmid64::layout)), // SHM_STAT
    (14, Some(ShmInfo::layout)), // SHM_INFO
    (15, Some(Shmid64::layout)), // SHM_STAT_ANY
];

static MSGCTL: &[Command] = &[
    (IPC_RMID, None),
    (IPC_SET, Some(Msqid64::layout)),
    (IPC_STAT, Some(Msqid64::layout)),
    (IPC_INFO, Some(Msginfo::layout)),
    (11, Some(Msqid64::layout)), // MSG_STAT
    (12, Some(Msginfo::layout)), // MSG_INFO
    (13, Some(Msqid64::layout)), // MSG_STAT_ANY
];

static SEMCTL: &[Command] = &[
    (IPC_RMID, None),
    (IPC_SET, Some(Semid64::layout)),
    (IPC_STAT, Some(Semid64::layout)),
    (IPC_INFO, Some(Seminfo::layout)),
    (11, None), // GETPID
    (12, None), // GETVAL
    (14, None), // GETNCNT
    (15, None), // GETZCNT
    (SETVAL, None),
    (18, Some(Semid64::layout)), // SEM_STAT
    (19, Some(Seminfo::layout)), // SEM_INFO
    (20, Some(Semid64::layout)), // SEM_STAT_ANY
];

const GETALL: i32 = 13;
const SETVAL: i32 = 16;
const SETALL: i32 = 17;

/// Finds the struct of a command: EINVAL for none such.
fn find(table: &[Command], command: i32) -> Result<Option<&'static Layout>, Errno> {
    table.iter().find(|(c, _)| *c == command).map(|(_, l)| l.map(|l| l())).ok_or(Errno::EINVAL)
}

/// shmctl and msgctl.
fn control(t: &mut Task, nr: u32, table: &[Command], id: i32, command: i32, buf: u64) -> Res {
    let m = t.abi().model();
    let Some(layout) = find(table, command)? else {
        return t.host_call(i64::from(nr), [id as u64, command as u64, buf, 0, 0, 0]);
    };
    let s = HostStruct::of(m, layout, buf)?;
    let result = t.host_call(i64::from(nr), [id as u64, command as u64, s.host, 0, 0, 0])?;
    if command != IPC_SET {
        s.write_back(m)?;
    }
    Ok(result)
}

fn semctl(t: &mut Task, id: i32, number: i32, command: i32, arg: u64) -> Res {
    let m = t.abi().model();
    let call = |t: &mut Task, arg: u64| {
        t.host_call(i64::from(nr::sys_semctl), [id as u64, number as u64, command as u64, arg, 0, 0])
    };
    if matches!(command, GETALL | SETALL) && m.big_endian {
        t.unimp(format_args!("semctl: arrays of semaphores in the other byte order"));
        return Err(Errno::ENOSYS);
    }
    if matches!(command, GETALL | SETALL) {
        return call(t, arg);
    }
    let Some(layout) = find(SEMCTL, command)? else {
        // union semun by value: its int is the low half on little-endian 64-bit ABIs, the high half on big-endian ones.
        let value = if command == SETVAL && m.big_endian && m.long == 8 { arg >> 32 } else { arg };
        return call(t, value);
    };
    let s = HostStruct::of(m, layout, arg)?;
    let result = call(t, s.host)?;
    if command != IPC_SET {
        s.write_back(m)?;
    }
    Ok(result)
}

/// The largest message that is copied; the system's own limit (msgmax) is lower by default.
const MOST: u64 = 1 << 24;

/// struct msgbuf: a `long` and the text.
fn msgsnd(t: &mut Task, id: i32, message: u64, size: u64, flags: i32) -> Res {
    let m = t.abi().model();
    let call = i64::from(nr::sys_msgsnd);
    if m.like_host() {
        return t.host_call(call, [id as u64, message, size, flags as u64, 0, 0]);
    }
    let kind = LongWord::read(t, message)?.value;
    if size > MOST {
        return Err(Errno::EINVAL);
    }
    let mut host = vec![0; 8 + size as usize];
    host[..8].copy_from_slice(&kind.to_le_bytes());
    memory::read(message.wrapping_add(m.long as u64), &mut host[8..])?;
    t.host_call(call, [id as u64, host.as_ptr() as u64, size, flags as u64, 0, 0])
}

fn msgrcv(t: &mut Task, id: i32, message: u64, size: u64, kind: i64, flags: i32) -> Res {
    let m = t.abi().model();
    let call = i64::from(nr::sys_msgrcv);
    if m.like_host() {
        return t.host_call(call, [id as u64, message, size, kind as u64, flags as u64, 0]);
    }
    if size > 0x7fff_ffff {
        return Err(Errno::EINVAL);
    }
    let mut host = vec![0; 8 + size.min(MOST) as usize];
    let got = t.host_call(call, [id as u64, host.as_mut_ptr() as u64, size.min(MOST), kind as u64, flags as u64, 0])?;
    let value = i64::from_le_bytes(host[..8].try_into().unwrap_or_default());
    LongWord { value }.write(t, message)?;
    memory::write(message.wrapping_add(m.long as u64), &host[8..8 + got as usize])?;
    Ok(got)
}
