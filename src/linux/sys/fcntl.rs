//! fcntl: a table of commands, each with the type of its argument.

use crate::layout::Layout;
use crate::sys::flags::Flags;
use crate::sys::prelude::*;

syscalls! { |t|
    /// On 32-bit ABIs the locks of this one have `long` offsets.
    sys_fcntl(fd: Fd, command: Enum<FcntlCommand>, arg: ULong) -> Int { fcntl(t, fd, command, arg) }
    sys_fcntl64(fd: Fd, command: Enum<FcntlCommand>, arg: ULong) -> Int { fcntl(t, fd, command, arg) }
}

/// What the third argument is.
enum Arg {
    None,
    Int,
    Flags(&'static Flags),
    In(fn() -> &'static Layout),
    InOut(fn() -> &'static Layout),
    /// A u64 behind a pointer, in the guest's byte order.
    Hint,
}

/// A command: its number on the guest and on the host, its argument, whether it returns open flags.
struct Command {
    guest: u32,
    host: u32,
    arg: Arg,
}

const fn same(number: u32, arg: Arg) -> Command {
    Command { guest: number, host: number, arg }
}

static COMMANDS: &[Command] = &[
    same(0, Arg::Int),                  // F_DUPFD
    same(1, Arg::None),                 // F_GETFD
    same(2, Arg::Int),                  // F_SETFD
    same(F_GETFL, Arg::None),           // F_GETFL
    same(4, Arg::Flags(&flags::Open)),  // F_SETFL
    same(5, Arg::InOut(Flock::layout)), // F_GETLK
    same(6, Arg::In(Flock::layout)),    // F_SETLK
    same(7, Arg::In(Flock::layout)),    // F_SETLKW
    same(8, Arg::Int),                  // F_SETOWN
    same(9, Arg::None),                 // F_GETOWN
    same(10, Arg::Int),                 // F_SETSIG
    same(11, Arg::None),                // F_GETSIG
    // Only 32-bit ABIs have these three.
    Command { guest: F_GETLK64, host: 5, arg: Arg::InOut(Flock64::layout) },
    Command { guest: F_SETLK64, host: 6, arg: Arg::In(Flock64::layout) },
    Command { guest: F_SETLKW64, host: 7, arg: Arg::In(Flock64::layout) },
    same(15, Arg::In(FOwnerEx::layout)),    // F_SETOWN_EX
    same(16, Arg::InOut(FOwnerEx::layout)), // F_GETOWN_EX
    same(17, Arg::InOut(TwoUids::layout)),  // F_GETOWNER_UIDS
    same(36, Arg::InOut(Flock64::layout)),  // F_OFD_GETLK
    same(37, Arg::In(Flock64::layout)),     // F_OFD_SETLK
    same(38, Arg::In(Flock64::layout)),     // F_OFD_SETLKW
    same(1024, Arg::Int),                   // F_SETLEASE
    same(1025, Arg::None),                  // F_GETLEASE
    same(1026, Arg::Int),                   // F_NOTIFY
    same(1027, Arg::Int),                   // F_DUPFD_QUERY
    same(1028, Arg::None),                  // F_CREATED_QUERY
    same(1030, Arg::Int),                   // F_DUPFD_CLOEXEC
    same(1031, Arg::Int),                   // F_SETPIPE_SZ
    same(1032, Arg::None),                  // F_GETPIPE_SZ
    same(1033, Arg::Int),                   // F_ADD_SEALS
    same(1034, Arg::None),                  // F_GET_SEALS
    same(1035, Arg::Hint),                  // F_GET_RW_HINT
    same(1036, Arg::Hint),                  // F_SET_RW_HINT
    same(1037, Arg::Hint),                  // F_GET_FILE_RW_HINT
    same(1038, Arg::Hint),                  // F_SET_FILE_RW_HINT
];

const F_GETFL: u32 = 3;
const F_GETLK64: u32 = 12;
const F_SETLK64: u32 = 13;
const F_SETLKW64: u32 = 14;

fn fcntl(t: &mut Task, fd: i32, command: u32, arg: u64) -> Res {
    let m = t.abi().model();
    let wide_only = (F_GETLK64..=F_SETLKW64).contains(&command) && m.long == 8;
    let Some(known) = COMMANDS.iter().find(|c| c.guest == command).filter(|_| !wide_only) else {
        // Of no descriptor it is EBADF: F_GETFD tells.
        t.host_call(i64::from(nr::sys_fcntl), [fd as u64, 1, 0, 0, 0, 0])?;
        t.unimp(format_args!("fcntl command {command}"));
        return Err(Errno::EINVAL);
    };
    let call = |t: &mut Task, arg: u64| {
        t.host_call(i64::from(nr::sys_fcntl), [fd as u64, u64::from(known.host), arg, 0, 0, 0])
    };
    match known.arg {
        Arg::None | Arg::Int => {
            let result = call(t, arg)?;
            Ok(if command == F_GETFL { flags::Open.to_guest(m, result) } else { result })
        }
        Arg::Flags(table) => call(t, table.to_host(m, arg)),
        Arg::Hint => call_with(t, Int64::layout(), arg, true, call),
        Arg::In(layout) => call_with(t, layout(), arg, false, call),
        Arg::InOut(layout) => call_with(t, layout(), arg, true, call),
    }
}

fn call_with(
    t: &mut Task,
    layout: &'static Layout,
    addr: u64,
    back: bool,
    call: impl Fn(&mut Task, u64) -> Res,
) -> Res {
    let m = t.abi().model();
    let s = HostStruct::of(m, layout, addr)?;
    let result = call(t, s.host)?;
    if back {
        s.write_back(m)?;
    }
    Ok(result)
}
