//! Rows without a body: arguments converted, the host call made, results converted back, all by the parameters' types.
//!
//! A pointer whose struct is the host's goes through as it is, so that the kernel finds bad addresses itself. One that is converted and
//! cannot be read also goes through as it is: the kernel then gives EFAULT, or an error that it finds earlier.

use crate::host::{Errno, Res};
use crate::layout::{CStruct, Layout, Resolved, number};
use crate::memory;
use crate::proc;
use crate::sys::flags;
use crate::sys::types::{Ty, Values, tagged, untag};
use crate::task::Task;
use arch::layout::Model;

/// More bytes than this are not converted at once: EINVAL.
const MOST: usize = 1 << 24;

/// A converted argument.
#[derive(Debug)]
struct Staged {
    param: usize,
    words: Vec<u64>,
    /// Elements.
    count: usize,
}

/// What is done with the guest's structs before the call.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Read {
    Convert,
    /// Only looks whether they are there, so that a bad address fails before the call has done anything.
    Probe,
    Not,
}

/// Bytes for a moment: on the stack, if they are few.
struct Buffer {
    few: [u8; 256],
    many: Vec<u8>,
    len: usize,
}

impl Buffer {
    fn new(len: usize) -> Buffer {
        Buffer { few: [0; 256], many: if len > 256 { vec![0; len] } else { Vec::new() }, len }
    }
    fn bytes(&mut self) -> &mut [u8] {
        if self.len > 256 { &mut self.many } else { &mut self.few[..self.len] }
    }
}

/// The arguments of a host call, and what they point to.
#[derive(Debug, Default)]
pub struct Prepared {
    pub args: [u64; 6],
    staged: Vec<Staged>,
}

/// Words as bytes.
pub fn bytes(words: &[u64]) -> &[u8] {
    // SAFETY: words are bytes.
    unsafe { std::slice::from_raw_parts(words.as_ptr().cast(), words.len() * 8) }
}

fn bytes_mut(words: &mut [u64]) -> &mut [u8] {
    // SAFETY: words are bytes, and any bytes are words.
    unsafe { std::slice::from_raw_parts_mut(words.as_mut_ptr().cast(), words.len() * 8) }
}

/// Makes host call `nr` with a row's arguments.
pub fn call(t: &mut Task, params: &[Ty], nr: u32, values: &Values) -> Res {
    // AT_SYMLINK_NOFOLLOW: it is about a link itself.
    let link = |(p, v): (&Ty, &u64)| matches!(*p, Ty::Flags(f) if std::ptr::eq(f, &flags::At)) && v & 0x100 != 0;
    let of_link = params.iter().zip(values).any(link);
    let mut prepared = prepare(t.abi().model(), params, values, &|dir, addr, ty| resolve(t, dir, addr, ty, of_link))?;
    let result = t.host_call(i64::from(nr), prepared.args);
    prepared.finish(t.abi().model(), params, values, result)
}

/// What the host must be asked for instead of the guest's path at `addr`, with its NUL; None for the path itself.
fn resolve(t: &Task, dir: i32, addr: u64, ty: Ty, of_link: bool) -> Option<Vec<u8>> {
    if let Ty::NewPath = ty {
        return None;
    }
    let path = memory::read_cstr(addr, 4095).ok()?;
    if t.process.options.ld_prefix.is_empty() && !proc::may_be_own(&path) {
        return None;
    }
    let mut other = match ty {
        Ty::OldPath if of_link => return None,
        Ty::OldPath => proc::own_executable(t, dir, &path)?,
        Ty::Path if !of_link => proc::resolve(t, dir, path.clone()),
        _ => proc::resolve_link(t, dir, path.clone()),
    };
    (other != path).then(|| {
        other.push(0);
        other
    })
}

/// Converts a row's arguments for the host. `path(dir, addr, type)` gives what stands for a path, if not the path itself.
pub fn prepare(
    m: Model,
    params: &[Ty],
    values: &Values,
    path: &dyn Fn(i32, u64, Ty) -> Option<Vec<u8>>,
) -> Result<Prepared, Errno> {
    let mut prepared = Prepared::default();
    let (mut next, mut dir) = (0, libc::AT_FDCWD);
    for (i, p) in params.iter().enumerate() {
        let v = values[i];
        let length = |n: u8| usize::try_from(values[n as usize]).unwrap_or(usize::MAX);
        let passed = match *p {
            Ty::Flags(f) => f.to_host(m, v),
            Ty::Enum(f) => f.number_to_host(m, v),
            Ty::In(l) | Ty::InOut(l) | Ty::Rest(l) => prepared.structs(l().of(m), i, v, 1, Read::Convert)?,
            Ty::Out(l) => prepared.structs(l().of(m), i, v, 1, Read::Probe)?,
            Ty::InArray(l, n) | Ty::InOutArray(l, n) => prepared.structs(l().of(m), i, v, length(n), Read::Convert)?,
            // The guest's array may be shorter than it says, as long as no more is written.
            Ty::OutArray(l, n) => prepared.structs(l().of(m), i, v, length(n), Read::Not)?,
            Ty::SockAddr(n) if m.big_endian => prepared.sockaddr(i, v, length(n)),
            Ty::InIov(n) | Ty::OutIov(n) => prepared.iov(m, i, v, length(n)),
            Ty::Path | Ty::LinkPath | Ty::OldPath | Ty::NewPath => match path(dir, v, *p) {
                Some(other) => prepared.keep(i, words(&other), 1),
                None => v,
            },
            _ => v,
        };
        if let Ty::DirFd = *p {
            dir = v as i32;
        }
        if next < prepared.args.len() {
            prepared.args[next] = passed;
        }
        // The high half of a LowHigh is a second argument, which a 64-bit kernel ignores.
        next += if let Ty::LowHigh = *p { 2 } else { 1 };
    }
    Ok(prepared)
}

/// Bytes as words, filled up with zeros.
fn words(from: &[u8]) -> Vec<u64> {
    let mut words = vec![0; from.len() / 8 + 1];
    bytes_mut(&mut words)[..from.len()].copy_from_slice(from);
    words
}

impl Prepared {
    fn keep(&mut self, param: usize, words: Vec<u64>, count: usize) -> u64 {
        let addr = words.as_ptr() as u64;
        self.staged.push(Staged { param, words, count });
        addr
    }

    /// Makes room for `count` structs at `addr`, and converts them if the kernel reads them.
    fn structs(&mut self, r: &Resolved, param: usize, addr: u64, count: usize, read: Read) -> Result<u64, Errno> {
        if addr == 0 || r.same || read != Read::Convert && r.same_back {
            return Ok(addr);
        }
        let size = count.checked_mul(r.host_size.max(r.size)).filter(|s| *s <= MOST).ok_or(Errno::EINVAL)?;
        let mut host = vec![0u64; size / 8 + 1];
        if read != Read::Not {
            let mut guest = Buffer::new(count * r.size);
            if memory::read(addr, guest.bytes()).is_err() {
                return Ok(addr);
            }
            if read == Read::Convert {
                let (guest, to) = (guest.bytes(), bytes_mut(&mut host));
                for n in 0..count {
                    r.to_host(&guest[n * r.size..][..r.size], &mut to[n * r.host_size..][..r.host_size]);
                }
            }
        }
        Ok(self.keep(param, host, count))
    }

    fn iov(&mut self, m: Model, param: usize, addr: u64, count: usize) -> u64 {
        if m.like_host() && !tagged() {
            return addr;
        }
        match iovecs(m, addr, count) {
            Ok(words) => self.keep(param, words, count),
            Err(_) => addr,
        }
    }

    /// A socket address whose family is in the other byte order.
    fn sockaddr(&mut self, param: usize, addr: u64, len: usize) -> u64 {
        let mut address = vec![0; len.min(256)];
        if address.len() < 2 || len > 256 || memory::read(addr, &mut address).is_err() {
            return addr;
        }
        address.swap(0, 1);
        self.keep(param, words(&address), 1)
    }

    /// Converts back what the host wrote.
    pub fn finish(&mut self, m: Model, params: &[Ty], values: &Values, result: Res) -> Res {
        for s in &self.staged {
            let (layout, count) = match (params[s.param], result) {
                (Ty::Out(l) | Ty::InOut(l), Ok(_)) => (l(), 1),
                (Ty::InOutArray(l, _), Ok(_)) => (l(), s.count),
                (Ty::Rest(l), Err(Errno::EINTR)) => (l(), 1),
                (Ty::OutArray(l, _), Ok(n)) => (l(), s.count.min(usize::try_from(n).unwrap_or(usize::MAX))),
                _ => continue,
            };
            write_structs(layout.of(m), values[s.param], bytes(&s.words), count)?;
        }
        for (p, addr) in params.iter().zip(values).filter(|_| m.big_endian && result.is_ok()) {
            if let Ty::SockAddrOut = *p
                && *addr != 0
            {
                let mut family = [0; 2];
                memory::read(*addr, &mut family)?;
                memory::write(*addr, &[family[1], family[0]])?;
            }
        }
        result
    }
}

/// The host's form of `count` iovecs at `addr`: pairs of address and length, and a word more. EINVAL beyond UIO_MAXIOV.
pub fn iovecs(m: Model, addr: u64, count: usize) -> Result<Vec<u64>, Errno> {
    if count > 1024 {
        return Err(Errno::EINVAL);
    }
    let mut guest = vec![0; count * 2 * m.long];
    memory::read(addr, &mut guest)?;
    let mut words: Vec<u64> = guest.chunks(m.long).map(|w| number(m, w)).collect();
    words.iter_mut().step_by(2).for_each(|base| *base = untag(*base));
    if m.long == 4 {
        // The kernel takes lengths as ssize_t: EINVAL for what is negative.
        words.iter_mut().skip(1).step_by(2).for_each(|len| *len = i64::from(*len as i32) as u64);
    }
    words.push(0);
    Ok(words)
}

/// Writes `count` of the host's structs in `host` to the guest's array at `addr`.
pub fn write_structs(r: &Resolved, addr: u64, host: &[u8], count: usize) -> Result<(), Errno> {
    let mut guest = Buffer::new(count * r.size);
    let to = guest.bytes();
    for n in 0..count {
        r.to_guest(&host[n * r.host_size..][..r.host_size], &mut to[n * r.size..][..r.size])?;
    }
    memory::write(addr, to)
}

/// A struct for a host call that a body makes: the address to pass, and how to bring the struct back.
#[derive(Debug)]
pub struct HostStruct {
    prepared: Prepared,
    layout: &'static Layout,
    addr: u64,
    /// What the host gets: the guest's own pointer where nothing needs converting.
    pub host: u64,
}

impl HostStruct {
    /// The host's form of the `T` at `addr`.
    pub fn new<T: CStruct>(m: Model, addr: u64) -> Result<HostStruct, Errno> {
        HostStruct::of(m, T::layout(), addr)
    }

    /// The same for a layout that is known as data only.
    pub fn of(m: Model, layout: &'static Layout, addr: u64) -> Result<HostStruct, Errno> {
        HostStruct::array(m, layout, addr, 1)
    }

    /// An argument that turns out to be no pointer.
    pub fn raw(layout: &'static Layout, value: u64) -> HostStruct {
        HostStruct { prepared: Prepared::default(), layout, addr: value, host: value }
    }

    /// An array.
    pub fn array(m: Model, layout: &'static Layout, addr: u64, count: u64) -> Result<HostStruct, Errno> {
        let mut prepared = Prepared::default();
        let count = usize::try_from(count).map_err(|_| Errno::EINVAL)?;
        let host = prepared.structs(layout.of(m), 0, addr, count, Read::Convert)?;
        Ok(HostStruct { prepared, layout, addr, host })
    }

    /// Writes back what the host made of it.
    pub fn write_back(&self, m: Model) -> Result<(), Errno> {
        match self.prepared.staged.first() {
            Some(s) => write_structs(self.layout.of(m), self.addr, bytes(&s.words), s.count),
            None => Ok(()),
        }
    }
}
