//! Sockets and their messages. Options are in `sockopt.rs`.
//!
//! Addresses are in network order but for their family: [`Ty::SockAddr`] turns that on big-endian guests. Message headers and control
//! messages have `long`s and pointers: guests with the host's words pass theirs through, the others' are built anew.

use crate::layout::{number, put_number};
use crate::sys::plain::iovecs;
use crate::sys::prelude::*;
use arch::layout::Model;

syscalls! { |t|
    sys_socket(family: Enum<Family>, kind: Flags<SockType>, protocol: Int) -> Fd;
    sys_socketpair(family: Enum<Family>, kind: Flags<SockType>, protocol: Int, fds: Out<FdPair>) -> Zero;
    sys_bind(fd: Fd, addr: SockAddr<len>, len: Int) -> Zero;
    sys_connect(fd: Fd, addr: SockAddr<len>, len: Int) -> Zero;
    sys_listen(fd: Fd, backlog: Int) -> Zero;
    sys_accept(fd: Fd, addr: SockAddrOut, len: InOut<Int32>) -> Fd;
    sys_accept4(fd: Fd, addr: SockAddrOut, len: InOut<Int32>, flags: Flags<SockType>) -> Fd;
    sys_getsockname(fd: Fd, addr: SockAddrOut, len: InOut<Int32>) -> Zero;
    sys_getpeername(fd: Fd, addr: SockAddrOut, len: InOut<Int32>) -> Zero;
    sys_shutdown(fd: Fd, how: Int) -> Zero;
    sys_send(fd: Fd, buf: InBuf<len>, len: Size, flags: Flags<Msg>) -> Size {
        t.host_call(i64::from(nr::sys_sendto), [fd as u64, buf, len, u64::from(flags), 0, 0])
    }
    sys_sendto(fd: Fd, buf: InBuf<len>, len: Size, flags: Flags<Msg>, addr: SockAddr<addr_len>, addr_len: Int) -> Size;
    sys_recv(fd: Fd, buf: OutBuf<len>, len: Size, flags: Flags<Msg>) -> Size {
        t.host_call(i64::from(nr::sys_recvfrom), [fd as u64, buf, len, u64::from(flags), 0, 0])
    }
    sys_recvfrom(fd: Fd, buf: OutBuf<len>, len: Size, flags: Flags<Msg>, addr: SockAddrOut, addr_len: InOut<Int32>) -> Size;
    sys_sendmsg(fd: Fd, message: In<Msghdr>, flags: Flags<Msg>) -> Size {
        if pass(t) {
            return t.host_call(i64::from(nr::sys_sendmsg), [fd as u64, message.addr, u64::from(flags), 0, 0, 0]);
        }
        let call = |at| [fd as u64, at, u64::from(flags), 0, 0, 0];
        let headers = Headers::sending(t, message.addr, 1, Msghdr::size(t.abi().model()));
        let mut headers = or_earlier(t, headers, nr::sys_sendmsg, call)?;
        t.host_call(i64::from(nr::sys_sendmsg), call(headers.host()))
    }
    sys_recvmsg(fd: Fd, message: InOut<Msghdr>, flags: Flags<Msg>) -> Size {
        if pass(t) {
            return t.host_call(i64::from(nr::sys_recvmsg), [fd as u64, message.addr, u64::from(flags), 0, 0, 0]);
        }
        let call = |at| [fd as u64, at, u64::from(flags), 0, 0, 0];
        let headers = Headers::receiving(t, message.addr, 1, Msghdr::size(t.abi().model()));
        let mut headers = or_earlier(t, headers, nr::sys_recvmsg, call)?;
        let got = t.host_call(i64::from(nr::sys_recvmsg), call(headers.host()))?;
        headers.received(t, 1)?;
        Ok(got)
    }
    sys_sendmmsg(fd: Fd, messages: Addr, count: UInt, flags: Flags<Msg>) -> Int {
        let call = i64::from(nr::sys_sendmmsg);
        if pass(t) {
            return t.host_call(call, [fd as u64, messages, u64::from(count), u64::from(flags), 0, 0]);
        }
        // man 2 sendmmsg: more than UIO_MAXIOV are not sent at once.
        let args = |at, count| [fd as u64, at, count, u64::from(flags), 0, 0];
        let headers = Headers::sending(t, messages, count.min(1024) as usize, Mmsghdr::size(t.abi().model()));
        let mut headers = or_earlier(t, headers, nr::sys_sendmmsg, |at| args(at, u64::from(count)))?;
        let sent = t.host_call(call, args(headers.host(), headers.len() as u64))?;
        headers.write_lengths(t, sent as usize)?;
        Ok(sent)
    }
    sys_recvmmsg(fd: Fd, messages: Addr, count: UInt, flags: Flags<Msg>, timeout: InOut<Timespec>) -> Int {
        let timeout = HostStruct::new::<Timespec>(t.abi().model(), timeout.addr)?;
        recvmmsg(t, fd, messages, count, flags, &timeout)
    }
    sys_recvmmsg_time32(fd: Fd, messages: Addr, count: UInt, flags: Flags<Msg>, timeout: InOut<Timespec32>) -> Int {
        let timeout = HostStruct::new::<Timespec32>(t.abi().model(), timeout.addr)?;
        recvmmsg(t, fd, messages, count, flags, &timeout)
    }
    sys_setsockopt(fd: Fd, level: Int, option: Int, value: InBuf<len>, len: Int) -> Zero {
        super::sockopt::set(t, fd, level, option, value, len)
    }
    sys_getsockopt(fd: Fd, level: Int, option: Int, value: Addr, len: InOut<Int32>) -> Zero {
        super::sockopt::get(t, fd, level, option, value, len)
    }
}

/// The headers; or, if they could not be made, the error that the kernel finds before it comes to them, if there is one.
fn or_earlier(
    t: &mut Task,
    headers: Result<Headers, Errno>,
    nr: u32,
    args: impl Fn(u64) -> [u64; 6],
) -> Result<Headers, Errno> {
    headers.map_err(|error| match t.host_call(i64::from(nr), args(memory::NOWHERE)) {
        Err(earlier) if earlier != Errno::EFAULT => earlier,
        _ => error,
    })
}

/// Whether headers go to the host as they are.
fn pass(t: &Task) -> bool {
    t.abi().model().like_host() && !tagged()
}

fn recvmmsg(t: &mut Task, fd: i32, messages: u64, count: u32, flags: u32, timeout: &HostStruct) -> Res {
    let m = t.abi().model();
    let call = i64::from(nr::sys_recvmmsg);
    let result = if pass(t) {
        t.host_call(call, [fd as u64, messages, u64::from(count), u64::from(flags), timeout.host, 0])
    } else {
        let args = |at, count| [fd as u64, at, count, u64::from(flags), timeout.host, 0];
        let headers = Headers::receiving(t, messages, count.min(1024) as usize, Mmsghdr::size(m));
        let mut headers = or_earlier(t, headers, nr::sys_recvmmsg, |at| args(at, u64::from(count)))?;
        let result = t.host_call(call, args(headers.host(), headers.len() as u64));
        if let Ok(got) = result {
            headers.received(t, got as usize)?;
            headers.write_lengths(t, got as usize)?;
        }
        result
    };
    timeout.write_back(m)?;
    result
}

/// The host's struct mmsghdr in words: msghdr is the first seven.
const HOST_WORDS: usize = 8;
const NAME: usize = 0;
const NAME_LEN: usize = 1;
const IOV: usize = 2;
const IOV_LEN: usize = 3;
const CONTROL: usize = 4;
const CONTROL_LEN: usize = 5;
const FLAGS: usize = 6;
const LEN: usize = 7;

/// The host's array of message headers for a guest's.
#[derive(Debug)]
struct Headers {
    model: Model,
    guest: u64,
    /// Distance of the guest's headers.
    stride: usize,
    words: Vec<u64>,
    /// What the headers point to.
    iovs: Vec<Vec<u64>>,
    controls: Vec<Vec<u64>>,
    names: Vec<Vec<u8>>,
}

impl Headers {
    fn sending(t: &Task, guest: u64, count: usize, stride: usize) -> Result<Headers, Errno> {
        Headers::empty(t, guest, stride).with(count, |headers, n| {
            let h = headers.guest_header(t, n)?;
            let control = control_to_host(headers.model, &headers.read_control(&h)?)?;
            headers.push(&h, control)
        })
    }

    fn receiving(t: &Task, guest: u64, count: usize, stride: usize) -> Result<Headers, Errno> {
        Headers::empty(t, guest, stride).with(count, |headers, n| {
            let h = headers.guest_header(t, n)?;
            // The host's headers are longer; what then does not fit the guest's buffer is cut off on the way back.
            let room = if h.msg_controllen == 0 { 0 } else { h.msg_controllen.min(1 << 16) as usize * 2 + 64 };
            headers.push(&h, vec![0; room])
        })
    }

    /// With so many headers. One that is wrong is the last, and wrong for the kernel too, if it is not the first: those before it are sent or received.
    fn with(
        mut self,
        count: usize,
        mut push: impl FnMut(&mut Headers, usize) -> Result<(), Errno>,
    ) -> Result<Headers, Errno> {
        for n in 0..count {
            match push(&mut self, n) {
                Err(error) if n == 0 => return Err(error),
                Err(_) => {
                    self.add([0, 0, memory::NOWHERE, 1, 0, 0, 0, 0], Vec::new(), Vec::new(), Vec::new());
                    break;
                }
                Ok(()) => {}
            }
        }
        Ok(self)
    }

    fn len(&self) -> usize {
        self.names.len()
    }

    fn empty(t: &Task, guest: u64, stride: usize) -> Headers {
        let model = t.abi().model();
        Headers { model, guest, stride, words: Vec::new(), iovs: Vec::new(), controls: Vec::new(), names: Vec::new() }
    }

    fn at(&self, n: usize) -> u64 {
        self.guest.wrapping_add((n * self.stride) as u64)
    }

    fn guest_header(&self, t: &Task, n: usize) -> Result<Msghdr, Errno> {
        let mut h = Msghdr::read(t, self.at(n))?;
        for address in [&mut h.msg_name, &mut h.msg_iov, &mut h.msg_control] {
            *address = untag(*address);
        }
        Ok(h)
    }

    fn read_control(&self, h: &Msghdr) -> Result<Vec<u8>, Errno> {
        // man 3 cmsg; /proc/sys/net/core/optmem_max is lower.
        if h.msg_controllen > 1 << 20 {
            return Err(Errno::ENOBUFS);
        }
        let mut control = vec![0; h.msg_controllen as usize];
        memory::read(h.msg_control, &mut control)?;
        Ok(control)
    }

    fn push(&mut self, h: &Msghdr, control: Vec<u8>) -> Result<(), Errno> {
        let count = usize::try_from(h.msg_iovlen).ok().filter(|n| *n <= 1024).ok_or(Errno::EMSGSIZE)?;
        let iov = iovecs(self.model, h.msg_iov, count)?;
        let mut room = vec![0u64; control.len().div_ceil(8)];
        for (word, bytes) in room.iter_mut().zip(control.chunks(8)) {
            let mut b = [0; 8];
            b[..bytes.len()].copy_from_slice(bytes);
            *word = u64::from_le_bytes(b);
        }
        let name = self.name(h);
        let mut words = [0; HOST_WORDS];
        words[NAME] = if name.is_empty() { h.msg_name } else { name.as_ptr() as u64 };
        words[NAME_LEN] = u64::from(h.msg_namelen.cast_unsigned());
        (words[IOV], words[IOV_LEN]) = (iov.as_ptr() as u64, h.msg_iovlen);
        (words[CONTROL], words[CONTROL_LEN]) =
            (if control.is_empty() { 0 } else { room.as_ptr() as u64 }, control.len() as u64);
        words[FLAGS] = u64::from(h.msg_flags);
        self.add(words, iov, room, name);
        Ok(())
    }

    fn add(&mut self, words: [u64; HOST_WORDS], iov: Vec<u64>, control: Vec<u64>, name: Vec<u8>) {
        self.words.extend_from_slice(&words);
        self.iovs.push(iov);
        self.controls.push(control);
        self.names.push(name);
    }

    /// The address with its family turned round, where that must be.
    fn name(&self, h: &Msghdr) -> Vec<u8> {
        let mut name = vec![0; if self.model.big_endian { h.msg_namelen.clamp(0, 128) as usize } else { 0 }];
        if h.msg_name == 0 || name.len() < 2 || memory::read(h.msg_name, &mut name).is_err() {
            return Vec::new();
        }
        name.swap(0, 1);
        name
    }

    fn host(&mut self) -> u64 {
        self.words.as_mut_ptr() as u64
    }

    /// Writes back the first `count` headers and their control messages.
    fn received(&mut self, t: &Task, count: usize) -> Result<(), Errno> {
        for n in 0..count {
            let mut h = self.guest_header(t, n)?;
            let words = &self.words[n * HOST_WORDS..][..HOST_WORDS];
            h.msg_namelen = words[NAME_LEN] as i32;
            h.msg_flags = words[FLAGS] as u32;
            let len = (words[CONTROL_LEN] as usize).min(self.controls[n].len() * 8);
            let (control, cut) =
                control_to_guest(self.model, &plain::bytes(&self.controls[n])[..len], h.msg_controllen as usize);
            if cut {
                h.msg_flags |= libc::MSG_CTRUNC as u32;
            }
            memory::write(h.msg_control, &control)?;
            h.msg_controllen = control.len() as u64;
            if !self.names[n].is_empty() {
                let mut name = std::mem::take(&mut self.names[n]);
                name.swap(0, 1);
                name.truncate(h.msg_namelen.max(0) as usize);
                memory::write(h.msg_name, &name)?;
            }
            h.write(t, self.at(n))?;
        }
        Ok(())
    }

    /// Writes msg_len of the first `count` of struct mmsghdr.
    fn write_lengths(&self, t: &Task, count: usize) -> Result<(), Errno> {
        let offset = Msghdr::size(t.abi().model()) as u64;
        for n in 0..count {
            UInt32 { value: self.words[n * HOST_WORDS + LEN] as u32 }.write(t, self.at(n).wrapping_add(offset))?;
        }
        Ok(())
    }
}

/// What a control message holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Content {
    /// Bytes, or structs that are alike in both (ints, where the byte order is).
    Bytes,
    Longs,
    /// Descriptors: ints that must not be lost.
    Descriptors,
}

/// (level, type, content) where it is not bytes. SOL_SOCKET is 1; the times are the old ones, with `long`s.
static CONTENTS: &[(i32, i32, Content)] = &[
    (libc::SOL_SOCKET, libc::SCM_RIGHTS, Content::Descriptors),
    (libc::SOL_SOCKET, 29, Content::Longs), // SO_TIMESTAMP_OLD
    (libc::SOL_SOCKET, 35, Content::Longs), // SO_TIMESTAMPNS_OLD
    (libc::SOL_SOCKET, 37, Content::Longs), // SO_TIMESTAMPING_OLD
];

fn content(level: i32, kind: i32) -> Content {
    CONTENTS.iter().find(|(l, k, _)| (*l, *k) == (level, kind)).map_or(Content::Bytes, |c| c.2)
}

/// struct cmsghdr: a `long` and two ints; data follow; the next one is aligned to `long`.
const fn header_size(long: usize) -> usize {
    long + 8
}

/// The host's control messages for a guest's.
fn control_to_host(m: Model, guest: &[u8]) -> Result<Vec<u8>, Errno> {
    let (mut host, mut at, head) = (Vec::new(), 0, header_size(m.long));
    while at + head <= guest.len() {
        let len = number(m, &guest[at..at + m.long]) as usize;
        // man 3 cmsg: the kernel gives EINVAL for lengths that are not there.
        if len < head || len > guest.len() - at {
            return Err(Errno::EINVAL);
        }
        let int = |offset: usize| number(m, &guest[at + offset..][..4]) as i32;
        let (level, kind) = (int(m.long), int(m.long + 4));
        let data = data_to_host(m, content(level, kind), &guest[at + head..at + len]);
        host.extend_from_slice(&((16 + data.len()) as u64).to_le_bytes());
        host.extend_from_slice(&level.to_le_bytes());
        host.extend_from_slice(&kind.to_le_bytes());
        host.extend_from_slice(&data);
        host.resize(host.len().next_multiple_of(8), 0);
        at += len.next_multiple_of(m.long);
    }
    Ok(host)
}

fn data_to_host(m: Model, content: Content, data: &[u8]) -> Vec<u8> {
    match content {
        Content::Bytes => data.to_vec(),
        Content::Longs => {
            data.chunks_exact(m.long).flat_map(|w| sign_extend(m.long, number(m, w)).to_le_bytes()).collect()
        }
        Content::Descriptors => data.chunks_exact(4).flat_map(|w| (number(m, w) as u32).to_le_bytes()).collect(),
    }
}

fn sign_extend(long: usize, v: u64) -> u64 {
    if long == 4 { i64::from(v as u32 as i32).cast_unsigned() } else { v }
}

/// A guest's control messages for the host's, in `room` bytes; true if something did not fit. Descriptors that do not fit are closed.
fn control_to_guest(m: Model, host: &[u8], room: usize) -> (Vec<u8>, bool) {
    let (mut guest, mut at, mut cut) = (Vec::new(), 0, false);
    let head = header_size(m.long);
    while at + 16 <= host.len() {
        let word = |offset: usize, n: usize| {
            let mut b = [0; 8];
            b[..n].copy_from_slice(&host[at + offset..][..n]);
            u64::from_le_bytes(b)
        };
        let len = (word(0, 8) as usize).clamp(16, host.len() - at);
        let (level, kind) = (word(8, 4) as i32, word(12, 4) as i32);
        let content = content(level, kind);
        let mut data = data_to_guest(m, content, &host[at + 16..at + len]);
        let start = guest.len();
        let fits = room.saturating_sub(start + head);
        if start + head > room || data.len() > fits {
            cut = true;
            let keep = if content == Content::Descriptors { fits / 4 * 4 } else { fits };
            if content == Content::Descriptors {
                close_all(m, &data[keep.min(data.len())..]);
            }
            data.truncate(keep);
        }
        if start + head <= room {
            guest.resize(start + head, 0);
            put_number(m, &mut guest[start..start + m.long], (head + data.len()) as u64);
            put_number(m, &mut guest[start + m.long..][..4], level as u64);
            put_number(m, &mut guest[start + m.long + 4..][..4], kind as u64);
            guest.extend_from_slice(&data);
            // The last one may stand without its padding.
            let padded = guest.len().next_multiple_of(m.long);
            guest.resize(padded.min(room), 0);
        }
        at += len.next_multiple_of(8);
    }
    (guest, cut)
}

fn data_to_guest(m: Model, content: Content, data: &[u8]) -> Vec<u8> {
    let size = match content {
        Content::Bytes => return data.to_vec(),
        Content::Longs => (8, m.long),
        Content::Descriptors => (4, 4),
    };
    let mut out = Vec::new();
    for host in data.chunks_exact(size.0) {
        let mut b = [0; 8];
        b[..host.len()].copy_from_slice(host);
        let start = out.len();
        out.resize(start + size.1, 0);
        put_number(m, &mut out[start..], u64::from_le_bytes(b));
    }
    out
}

fn close_all(m: Model, descriptors: &[u8]) {
    for fd in descriptors.chunks_exact(4) {
        crate::host::close(number(m, fd) as i32);
    }
}

/// A socket address for strace.
pub fn describe(m: Model, addr: u64, len: usize) -> String {
    let mut bytes = vec![0; len.min(128)];
    if bytes.len() < 2 || memory::read(addr, &mut bytes).is_err() {
        return format!("{addr:#x}");
    }
    let port = || if bytes.len() >= 4 { u16::from_be_bytes([bytes[2], bytes[3]]) } else { 0 };
    match number(m, &bytes[..2]) as i32 {
        libc::AF_UNIX => {
            let path: String = bytes[2..].iter().map(|b| if *b == 0 { '@' } else { char::from(*b) }).collect();
            let abstract_name = bytes.get(2) == Some(&0);
            format!(
                "{{sa_family=AF_UNIX, sun_path=\"{}\"}}",
                if abstract_name { &path[..] } else { path.trim_end_matches('@') }
            )
        }
        libc::AF_INET if bytes.len() >= 8 => {
            format!(
                "{{sa_family=AF_INET, sin_port=htons({}), sin_addr=inet_addr(\"{}.{}.{}.{}\")}}",
                port(),
                bytes[4],
                bytes[5],
                bytes[6],
                bytes[7]
            )
        }
        libc::AF_INET6 if bytes.len() >= 24 => {
            let words: Vec<String> =
                bytes[8..24].chunks(2).map(|w| format!("{:x}", u16::from_be_bytes([w[0], w[1]]))).collect();
            format!("{{sa_family=AF_INET6, sin6_port=htons({}), sin6_addr=\"{}\"}}", port(), words.join(":"))
        }
        libc::AF_NETLINK => "{sa_family=AF_NETLINK}".to_string(),
        family => format!("{{sa_family={family}}}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::tests::{BIG32, LITTLE32};

    fn words(list: &[u32], big: bool) -> Vec<u8> {
        list.iter().flat_map(|w| if big { w.to_be_bytes() } else { w.to_le_bytes() }).collect()
    }

    #[test]
    fn control_messages_change_their_headers() {
        for (m, big) in [(LITTLE32, false), (BIG32, true)] {
            let guest = words(&[16, 1, 1, 7, 16, 1, 1, 8], big);
            let host = control_to_host(m, &guest).unwrap();
            assert_eq!(host, words(&[20, 0, 1, 1, 7, 0, 20, 0, 1, 1, 8, 0], false));
            assert_eq!(control_to_guest(m, &host, 64), (guest, false));
        }
    }

    #[test]
    fn old_timestamps_are_longs() {
        let host = [words(&[32, 0, 1, 29], false), words(&[5, 0, 6, 0], false)].concat();
        let (guest, cut) = control_to_guest(BIG32, &host, 20);
        assert_eq!((guest, cut), (words(&[20, 1, 29, 5, 6], true), false));
    }

    #[test]
    fn lengths_that_are_not_there() {
        assert_eq!(control_to_host(LITTLE32, &words(&[40, 1, 1, 7], false)), Err(Errno::EINVAL));
        assert_eq!(control_to_host(LITTLE32, &words(&[4, 1, 1, 7], false)), Err(Errno::EINVAL));
    }

    #[test]
    fn what_does_not_fit_is_cut() {
        // Descriptor -1 twice: closing it does nothing.
        let host = words(&[24, 0, 1, 1, u32::MAX, u32::MAX], false);
        let (guest, cut) = control_to_guest(LITTLE32, &host, 16);
        assert_eq!((guest, cut), (words(&[16, 1, 1, u32::MAX], false), true));
    }
}
