//! ioctl: a table of requests, each with the type of its argument. The rows are in `ioctl_table.rs`.
//!
//! A request's number holds its struct's size, so that it is derived for each ABI like the struct. A guest with the host's words and byte
//! order has all its structs and numbers too (asm-generic's): what has no row passes through, but for [`FOREIGN`]. For one of 32 bits the
//! kernel's 32-bit entry converts it as i386's. Only alignment of 64-bit members is less there: a struct that has one in such a place is
//! shorter, so its number is another, which the kernel does not know. For other guests what has no row is ENOTTY and a line.

use crate::compat;
use crate::layout::Layout;
use crate::sys::prelude::*;
use arch::layout::Model;
use std::sync::atomic::{AtomicPtr, Ordering};

syscalls! { |t|
    sys_ioctl(fd: Fd, request: Request, arg: ULong) -> Int { ioctl(t, fd, request as u32, untag(arg)) }
}

/// What the third argument is.
#[derive(Debug)]
pub(super) enum Arg {
    /// Nothing, or a number.
    Number,
    In(fn() -> &'static Layout),
    Out(fn() -> &'static Layout),
    InOut(fn() -> &'static Layout),
    /// A pointer to what is alike on all little-endian ABIs that align 8 bytes to 8.
    Alike,
    /// A string.
    Text,
    Body(fn(&mut Task, i32, u32, u64) -> Res),
    /// As what has no row.
    Lacking,
}

/// The size in a request's number.
#[derive(Debug)]
pub(super) enum Size {
    Bytes(u16),
    Long,
    Of(fn() -> &'static Layout),
}

/// A request's number.
#[derive(Debug)]
pub(super) enum Number {
    /// The same on every ABI, unless `Abi::values` says otherwise.
    Plain(u32),
    /// asm-generic/ioctl.h: direction (1 write, 2 read), type, number.
    Coded(u32, u8, u8, Size),
}

/// A request.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) number: Number,
    pub(super) arg: Arg,
}

impl Row {
    fn number(&self, m: Model) -> u32 {
        match &self.number {
            Number::Plain(n) => m.value(self.name).map_or(*n, |v| v as u32),
            Number::Coded(direction, kind, n, size) => {
                let size = match size {
                    Size::Bytes(n) => u32::from(*n),
                    Size::Long => m.long as u32,
                    Size::Of(layout) => crate::layout::lay_out(&layout().variant(m), m).1 as u32,
                };
                direction << 30 | size << 16 | u32::from(*kind) << 8 | u32::from(*n)
            }
        }
    }
}

/// Requests of an ABI: (guest's number, host's number, row), in order of the first.
#[derive(Debug)]
struct Resolved {
    model: Model,
    rows: Vec<(u32, u32, &'static Row)>,
}

fn resolved(m: Model) -> &'static Resolved {
    // The program's, and another that some of its calls may have.
    static KNOWN: [AtomicPtr<Resolved>; 2] = [const { AtomicPtr::new(std::ptr::null_mut()) }; 2];
    // SAFETY: only leaked boxes are ever stored.
    let of = |known: &AtomicPtr<Resolved>| unsafe { known.load(Ordering::Acquire).as_ref() };
    if let Some(r) = KNOWN.iter().filter_map(of).find(|r| r.model == m) {
        return r;
    }
    let mut rows: Vec<_> =
        super::ioctl_table::ROWS.iter().map(|r| (r.number(m), r.number(crate::layout::HOST), r)).collect();
    rows.sort_by_key(|r| r.0);
    let fresh: &'static Resolved = Box::leak(Box::new(Resolved { model: m, rows }));
    let free = KNOWN.iter().find(|known| of(known).is_none()).unwrap_or(&KNOWN[1]);
    free.store(std::ptr::from_ref(fresh).cast_mut(), Ordering::Release);
    fresh
}

fn find(m: Model, request: u32) -> Option<&'static (u32, u32, &'static Row)> {
    let rows = &resolved(m).rows;
    rows.binary_search_by_key(&request, |r| r.0).ok().map(|at| &rows[at])
}

/// A request's name, for strace.
pub fn name(m: Model, request: u32) -> String {
    find(m, request).map_or_else(|| format!("{request:#x}"), |r| r.2.name.to_string())
}

/// Types of requests (bits 8 to 15) that mean the host's processor, not its kernel's interfaces: KVM, and vfio beside it.
const FOREIGN: &[u32] = &[0xae];

/// Types whose structs hold neither `long`s nor pointers nor anything aligned to more than its size: (type, what).
const FIXED: &[(u32, &str)] = &[
    (b'E' as u32, "evdev"),
    (b'f' as u32, "file systems"),
    (b'T' as u32, "terminals, tunnels and timers"),
    (0x12, "block devices"),
    (0x15, "file systems in general"),
    (0x94, "btrfs"),
    (0xaa, "userfaultfd"),
    (0xfd, "device mapper"),
    (0xab, "nbd"),
    (0xb7, "namespaces"),
    (0xff, "pidfd"),
];

fn ioctl(t: &mut Task, fd: i32, request: u32, arg: u64) -> Res {
    let m = t.abi().model();
    let call = |t: &mut Task, request: u32, arg: u64| {
        t.host_call(i64::from(nr::sys_ioctl), [fd as u64, u64::from(request), arg, 0, 0, 0])
    };
    let alike = m.like_host() || (!m.big_endian && m.max_align == 8);
    let Some((_, host, row)) = find(m, request) else {
        let kind = request >> 8 & 0xff;
        let fixed = alike && FIXED.iter().any(|f| f.0 == kind && request >> 16 & 0x3fff != 0);
        return if fixed { call(t, request, arg) } else { without_row(t, fd, request, arg) };
    };
    match row.arg {
        Arg::Number | Arg::Text => call(t, *host, arg),
        Arg::Alike if alike => call(t, *host, arg),
        Arg::Lacking => without_row(t, fd, request, arg),
        // For i386 the kernel's 32-bit entry knows.
        Arg::Alike => without_row(t, fd, request, arg),
        Arg::Body(body) => body(t, fd, *host, arg),
        Arg::In(layout) => {
            let s = HostStruct::of(m, layout(), arg)?;
            call(t, *host, s.host)
        }
        Arg::Out(layout) | Arg::InOut(layout) => {
            let s = HostStruct::of(m, layout(), arg)?;
            let result = call(t, *host, s.host)?;
            s.write_back(m)?;
            Ok(result)
        }
    }
}

/// A request that this table does not know.
fn without_row(t: &mut Task, fd: i32, request: u32, arg: u64) -> Res {
    let m = t.abi().model();
    let args = [fd as u64, u64::from(request), arg, 0, 0, 0];
    if FOREIGN.contains(&(request >> 8 & 0xff)) {
        return Err(lacking(t, request));
    }
    if m.like_host() {
        return t.host_call(i64::from(nr::sys_ioctl), args);
    }
    if !compat::is_like(m) {
        return Err(lacking(t, request));
    }
    match t.compat_call(compat::Call::Ioctl, args) {
        Err(Errno::ENOTTY) => Err(lacking(t, request)),
        Err(Errno::ENOSYS) if compat::is_absent() => Err(lacking(t, request)),
        other => other,
    }
}

fn lacking(t: &Task, request: u32) -> Errno {
    t.unimp(format_args!("ioctl {} ({request:#x})", name(t.abi().model(), request)));
    Errno::ENOTTY
}

/// SIOCGIFCONF: an array of struct ifreq, as many as there is room for, or only their length if there is no buffer.
pub(super) fn interface_list(t: &mut Task, fd: i32, request: u32, arg: u64) -> Res {
    let m = t.abi().model();
    let mut conf = Ifconf::read(t, arg)?;
    let r = Ifreq::layout().of(m);
    let room = if conf.ifc_buf == 0 { 0 } else { conf.ifc_len.clamp(0, 1 << 20) as usize / r.size };
    let mut list = vec![0u64; (room * r.host_size).div_ceil(8)];
    let pointer = if conf.ifc_buf == 0 { 0 } else { list.as_mut_ptr() as u64 };
    let mut host = [(room * r.host_size) as u64, pointer];
    let result =
        t.host_call(i64::from(nr::sys_ioctl), [fd as u64, u64::from(request), host.as_mut_ptr() as u64, 0, 0, 0])?;
    let count = host[0] as u32 as usize / r.host_size;
    if conf.ifc_buf != 0 {
        plain::write_structs(r, conf.ifc_buf, plain::bytes(&list), count)?;
    }
    conf.ifc_len = (count * r.size) as i32;
    conf.write(t, arg)?;
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::HOST;
    use crate::sys::tests::LITTLE32;

    #[test]
    fn numbers_follow_sizes() {
        let number = |name: &str, m| {
            super::super::ioctl_table::ROWS.iter().find(|r| r.name == name).map(|r| r.number(m)).unwrap()
        };
        assert_eq!(number("FS_IOC_GETFLAGS", HOST), 0x8008_6601);
        assert_eq!(number("FS_IOC_GETFLAGS", LITTLE32), 0x8004_6601);
        assert_eq!(number("TCGETS2", HOST), 0x802c_542a);
        assert_eq!(number("TIOCGPTN", LITTLE32), 0x8004_5430);
        assert_eq!(number("FICLONERANGE", LITTLE32), 0x4020_940d);
        assert_eq!(number("FITRIM", HOST), 0xc018_5879);
        assert_eq!(number("RTC_RD_TIME", HOST), 0x8024_7009);
        assert_eq!(number("RTC_WKALM_SET", HOST), 0x4028_700f);
        assert_eq!(number("MTIOCGET", HOST), 0x8030_6d02);
        assert_eq!(number("FS_IOC_FSGETXATTR", HOST), 0x801c_581f);
    }

    #[test]
    fn each_number_once() {
        for m in [HOST, LITTLE32] {
            let rows = &resolved(m).rows;
            for pair in rows.windows(2) {
                assert_ne!(pair[0].0, pair[1].0, "{} and {}", pair[0].2.name, pair[1].2.name);
            }
        }
    }
}
