//! PR_SET_MM: a program says where its code, data, heap, stack, arguments, environment and auxiliary vector are (kernel/sys.c, prctl_set_mm). The host is told of all
//! but the heap, since its own is rqemu's, and checks what it is told.

use crate::call;
use crate::host::{Errno, Res};
use crate::layout::{CStruct, HOST};
use crate::memory;
use crate::mm::Places;
use crate::sys::ids::has_capability;
use crate::sys::structs::PrctlMmMap;
use crate::task::Task;
use arch::Guest;

/// The kernel's numbers: PR_SET_MM_START_CODE to PR_SET_MM_ENV_END are members of the struct in another order.
const AUXV: u64 = 12;
const EXE_FILE: u64 = 13;
const MAP: u64 = 14;
const MAP_SIZE: u64 = 15;

/// No file.
const NONE: u32 = u32::MAX;
/// The kernel's room for an auxiliary vector (AT_VECTOR_SIZE): at least this many bytes.
const AUXV_ROOM: usize = 400;
const CAP_SYS_ADMIN: u32 = 21;
const CAP_SYS_RESOURCE: u32 = 24;
const CAP_CHECKPOINT_RESTORE: u32 = 40;

/// The member that an operation sets.
fn member(map: &mut PrctlMmMap, what: u64) -> Option<&mut u64> {
    Some(match what {
        1 => &mut map.start_code,
        2 => &mut map.end_code,
        3 => &mut map.start_data,
        4 => &mut map.end_data,
        5 => &mut map.start_stack,
        6 => &mut map.start_brk,
        7 => &mut map.brk,
        8 => &mut map.arg_start,
        9 => &mut map.arg_end,
        10 => &mut map.env_start,
        11 => &mut map.env_end,
        _ => return None,
    })
}

pub fn set(t: &mut Task, [what, addr, size, zero]: [u64; 4]) -> Res {
    if zero != 0 || size != 0 && !matches!(what, AUXV | MAP | MAP_SIZE) {
        return Err(Errno::EINVAL);
    }
    match what {
        MAP_SIZE => t.host_call(libc::SYS_prctl, [libc::PR_SET_MM as u64, MAP_SIZE, addr, 0, 0, 0]),
        MAP => set_all(t, addr, size),
        _ if !has_capability(&[CAP_SYS_RESOURCE]) => Err(Errno::EPERM),
        AUXV => {
            let auxv = read_auxv(t, addr, size)?;
            let now = PrctlMmMap { auxv: 0, auxv_size: 0, ..of(&t.process.mm.places(), t.process.mm.heap()) };
            apply(t, &now, Some(auxv))
        }
        EXE_FILE => set_executable(addr as u32),
        _ => {
            let mut map = of(&t.process.mm.places(), t.process.mm.heap());
            *member(&mut map, what).ok_or(Errno::EINVAL)? = addr;
            check(t, &map)?;
            apply(t, &map, None)
        }
    }
}

fn set_all(t: &mut Task, addr: u64, size: u64) -> Res {
    if size != PrctlMmMap::size(HOST) as u64 {
        return Err(Errno::EINVAL);
    }
    let map = PrctlMmMap::read(t, addr)?;
    check(t, &map)?;
    let auxv = match map.auxv_size {
        0 => None,
        _ if map.auxv == 0 => return Err(Errno::EINVAL),
        size => Some(read_auxv(t, map.auxv, size.into())?),
    };
    if map.exe_fd != NONE {
        if !has_capability(&[CAP_SYS_ADMIN, CAP_CHECKPOINT_RESTORE]) {
            return Err(Errno::EPERM);
        }
        set_executable(map.exe_fd)?;
    }
    apply(t, &map, auxv)
}

/// What the host cannot check: that all is in the guest's space, and what is said of the heap (validate_prctl_map_addr).
fn check(t: &Task, map: &PrctlMmMap) -> Result<(), Errno> {
    let mut map = *map;
    let mm = t.process.mm;
    let outside = (1..=11).any(|what| member(&mut map, what).is_some_and(|at| *at >= t.abi().task_size));
    if outside || !mm.may_begin(map.start_brk) || map.start_brk > map.brk {
        return Err(Errno::EINVAL);
    }
    let size = (map.brk - map.start_brk).saturating_add(map.end_data.saturating_sub(map.start_data));
    if size > mm.data_limit() { Err(Errno::EINVAL) } else { Ok(()) }
}

/// The bytes of an auxiliary vector, which ends with its first AT_NULL.
fn read_auxv(t: &Task, addr: u64, size: u64) -> Result<&'static [u8], Errno> {
    let size = usize::try_from(size).ok().filter(|size| *size <= AUXV_ROOM).ok_or(Errno::EINVAL)?;
    let pair = usize::from(t.process.guest.elf.class) / 4;
    let mut bytes = vec![0; size];
    memory::read(addr, &mut bytes)?;
    bytes.resize(size.next_multiple_of(pair).min(AUXV_ROOM - pair), 0);
    let end = bytes.chunks(pair).position(|p| p[..pair / 2].iter().all(|b| *b == 0)).unwrap_or(bytes.len() / pair);
    bytes.truncate(end * pair);
    bytes.resize((end + 1) * pair, 0);
    Ok(Vec::leak(bytes))
}

/// The file of a program that runs is not changed while it is mapped (replace_mm_exe_file), and rqemu's always is.
fn set_executable(fd: u32) -> Res {
    // SAFETY: no memory is involved.
    unsafe { call!(libc::SYS_fcntl, fd, libc::F_GETFD) }?;
    Err(Errno::EBUSY)
}

fn apply(t: &mut Task, map: &PrctlMmMap, auxv: Option<&'static [u8]>) -> Res {
    let auxv = auxv.unwrap_or(t.process.mm.places().auxv);
    let places = Places {
        code: (map.start_code, map.end_code),
        data: (map.start_data, map.end_data),
        stack_start: map.start_stack,
        args: (map.arg_start, map.arg_end),
        env: (map.env_start, map.env_end),
        auxv,
    };
    tell_host(&places, t.process.guest)?;
    t.process.mm.set_places(places, (map.start_brk, map.brk));
    t.name_board();
    Ok(0)
}

fn of(p: &Places, heap: (u64, u64)) -> PrctlMmMap {
    PrctlMmMap {
        start_code: p.code.0,
        end_code: p.code.1,
        start_data: p.data.0,
        end_data: p.data.1,
        start_brk: heap.0,
        brk: heap.1,
        start_stack: p.stack_start,
        arg_start: p.args.0,
        arg_end: p.args.1,
        env_start: p.env.0,
        env_end: p.env.1,
        auxv: 0,
        auxv_size: 0,
        exe_fd: NONE,
    }
}

/// Tells the host, so that ps and others see the guest's arguments and not ours. Needs no privilege; a kernel without CONFIG_CHECKPOINT_RESTORE refuses, and only
/// `proc/` helps then.
pub fn tell_host(places: &Places, guest: &Guest) -> Res {
    // SAFETY: brk(0) only asks.
    let brk = unsafe { call!(libc::SYS_brk, 0) }.unwrap_or(0);
    let passes = guest.elf.class == 64 && !guest.elf.big_endian;
    let auxv = if passes { places.auxv } else { &[] };
    // The heap's start would have to be looked up. What is there already is not given back, that is all.
    let map = PrctlMmMap { auxv: auxv.as_ptr() as u64, auxv_size: auxv.len() as u32, ..of(places, (brk, brk)) };
    let map = map.to_bytes(HOST)?;
    // SAFETY: the kernel reads the struct and the vector.
    unsafe { call!(libc::SYS_prctl, libc::PR_SET_MM, MAP, map.as_ptr(), map.len(), 0) }
}
