//! Socket options: a table of those that hold more than ints and bytes.

use crate::compat;
use crate::layout::{Layout, put_number};
use crate::sys::prelude::*;

/// An option's content where `long`, pointers or alignment make a difference to 32-bit guests.
enum Content {
    /// A struct by its layout. Reading tells fewer bytes if the guest's buffer is shorter.
    Struct(fn() -> &'static Layout),
    /// struct sock_fprog: a pointer to instructions that are alike in byte order.
    Filter,
    /// A number followed by struct sockaddr_storage, which is aligned to `long`, once or twice.
    GroupReq(usize),
    /// A struct that the host's 32-bit call takes as the guest has it.
    Compat,
    /// Not for guests with another word.
    Lacking,
}

/// (level, option, content). socket(7), ip(7), ipv6(7); numbers of asm-generic/socket.h, which are x86's.
static OPTIONS: &[(i32, i32, Content)] = &[
    (libc::SOL_SOCKET, 20, Content::Struct(Timeval::layout)), // SO_RCVTIMEO_OLD
    (libc::SOL_SOCKET, 21, Content::Struct(Timeval::layout)), // SO_SNDTIMEO_OLD
    (libc::SOL_SOCKET, 26, Content::Filter),                  // SO_ATTACH_FILTER, SO_GET_FILTER
    (libc::SOL_SOCKET, 51, Content::Filter),                  // SO_ATTACH_REUSEPORT_CBPF
    (libc::AF_VSOCK, 6, Content::Struct(Timeval::layout)),    // SO_VM_SOCKETS_CONNECT_TIMEOUT_OLD
    (libc::SOL_IP, 42, Content::GroupReq(1)),                 // MCAST_JOIN_GROUP
    (libc::SOL_IP, 43, Content::GroupReq(2)),                 // MCAST_BLOCK_SOURCE
    (libc::SOL_IP, 44, Content::GroupReq(2)),                 // MCAST_UNBLOCK_SOURCE
    (libc::SOL_IP, 45, Content::GroupReq(1)),                 // MCAST_LEAVE_GROUP
    (libc::SOL_IP, 46, Content::GroupReq(2)),                 // MCAST_JOIN_SOURCE_GROUP
    (libc::SOL_IP, 47, Content::GroupReq(2)),                 // MCAST_LEAVE_SOURCE_GROUP
    (libc::SOL_IP, 48, Content::Compat),                      // MCAST_MSFILTER
    (libc::SOL_IP, 64, Content::Lacking),                     // IPT_SO_SET_REPLACE, IPT_SO_GET_INFO
    (libc::SOL_IP, 65, Content::Lacking),                     // IPT_SO_SET_ADD_COUNTERS, IPT_SO_GET_ENTRIES
    (libc::SOL_IPV6, 42, Content::GroupReq(1)),
    (libc::SOL_IPV6, 43, Content::GroupReq(2)),
    (libc::SOL_IPV6, 44, Content::GroupReq(2)),
    (libc::SOL_IPV6, 45, Content::GroupReq(1)),
    (libc::SOL_IPV6, 46, Content::GroupReq(2)),
    (libc::SOL_IPV6, 47, Content::GroupReq(2)),
    (libc::SOL_IPV6, 48, Content::Compat),
    (libc::SOL_IPV6, 64, Content::Lacking),
    (libc::SOL_IPV6, 65, Content::Lacking),
];

fn find(level: i32, option: i32) -> Option<&'static Content> {
    OPTIONS.iter().find(|o| (o.0, o.1) == (level, option)).map(|o| &o.2)
}

fn lacking(t: &Task, level: i32, option: i32) -> Errno {
    t.unimp(format_args!("socket option {option} of level {level}"));
    Errno::ENOPROTOOPT
}

/// setsockopt(2)
pub(super) fn set(t: &mut Task, fd: i32, level: i32, option: i32, value: u64, len: i32) -> Res {
    let m = t.abi().model();
    let call = |t: &mut Task, value: u64, len: u64| {
        t.host_call(i64::from(nr::sys_setsockopt), [fd as u64, level as u64, option as u64, value, len, 0])
    };
    if m.like_host() {
        return call(t, value, len as u64);
    }
    match find(level, option) {
        Some(Content::Struct(layout)) => {
            let r = layout().of(m);
            if (len as usize) < r.size {
                return Err(Errno::EINVAL);
            }
            let s = HostStruct::of(m, layout(), value)?;
            call(t, s.host, r.host_size as u64)
        }
        Some(Content::Filter) => {
            UInt32::read(t, value)?;
            if len as usize != SockFprog::size(m) {
                return Err(Errno::EINVAL);
            }
            let s = HostStruct::new::<SockFprog>(m, value)?;
            call(t, s.host, 16)
        }
        Some(Content::GroupReq(addresses)) => {
            // sockaddr_storage is 128 bytes; a guest with 4-byte longs has it behind 4 bytes, the host behind 8.
            let mut guest = vec![0; m.long + addresses * 128];
            if (len as usize) < guest.len() {
                return Err(Errno::EINVAL);
            }
            memory::read(value, &mut guest)?;
            let mut host = crate::layout::number(m, &guest[..4]).to_le_bytes().to_vec();
            host.extend_from_slice(&guest[m.long..]);
            if m.big_endian {
                (0..*addresses).for_each(|n| host.swap(8 + n * 128, 9 + n * 128));
            }
            call(t, host.as_ptr() as u64, host.len() as u64)
        }
        Some(Content::Compat) if !m.big_endian => {
            let args = [fd as u64, level as u64, option as u64, value, len as u64, 0];
            t.compat_call(compat::Call::Setsockopt, args)
        }
        Some(Content::Compat | Content::Lacking) => Err(lacking(t, level, option)),
        None if m.big_endian && len == 4 => {
            let int = (UInt32::read(t, value)?.value).to_le_bytes();
            call(t, int.as_ptr() as u64, 4)
        }
        None => call(t, value, len as u64),
    }
}

/// getsockopt(2)
pub(super) fn get(t: &mut Task, fd: i32, level: i32, option: i32, value: u64, len: Pointer<Int32>) -> Res {
    let m = t.abi().model();
    let call = |t: &mut Task, value: u64, len: u64| {
        t.host_call(i64::from(nr::sys_getsockopt), [fd as u64, level as u64, option as u64, value, len, 0])
    };
    if m.like_host() {
        return call(t, value, len.addr);
    }
    let Ok(room) = len.read(t).map(|len| len.value) else {
        return call(t, value, memory::NOWHERE);
    };
    match find(level, option) {
        Some(Content::Struct(layout)) => {
            let r = layout().of(m);
            let mut host = vec![0u64; r.host_size.div_ceil(8)];
            let mut host_len = r.host_size as u32;
            call(t, host.as_mut_ptr() as u64, &raw mut host_len as u64)?;
            let mut guest = vec![0; r.size];
            r.to_guest(plain::bytes(&host), &mut guest)?;
            guest.truncate(usize::try_from(room).map_err(|_| Errno::EINVAL)?);
            memory::write(value, &guest)?;
            len.write(t, Int32 { value: guest.len() as i32 })?;
            Ok(0)
        }
        Some(Content::Compat) if !m.big_endian => {
            let args = [fd as u64, level as u64, option as u64, value, len.addr, 0];
            t.compat_call(compat::Call::Getsockopt, args)
        }
        // SO_GET_FILTER counts instructions, not bytes, and has no struct.
        Some(Content::Filter) | None if !m.big_endian => call(t, value, len.addr),
        None => {
            let mut host_len = room.cast_unsigned();
            call(t, value, &raw mut host_len as u64)?;
            // What has the size of an int is one.
            if host_len == 4 {
                let mut bytes = [0; 4];
                memory::read(value, &mut bytes)?;
                let int = u32::from_le_bytes(bytes);
                put_number(m, &mut bytes, u64::from(int));
                memory::write(value, &bytes)?;
            }
            len.write(t, Int32 { value: host_len.cast_signed() })?;
            Ok(0)
        }
        Some(_) => Err(lacking(t, level, option)),
    }
}
