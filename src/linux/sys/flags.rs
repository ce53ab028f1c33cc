//! Sets of bits and lists of numbers that calls take, by name. The value here is the host's; where a guest's differs, `arch::Abi::values` has it.

use crate::layout::HOST;
use arch::layout::Model;
use std::sync::atomic::{AtomicPtr, Ordering};

/// The names of a set of bits, or of a list of numbers.
#[derive(Debug)]
pub struct Flags {
    /// Wide masks before the bits that they contain.
    pub rows: &'static [(&'static str, u64)],
    /// What strace prints when no bit of this mask is set: (`O_ACCMODE`, `O_RDONLY`).
    pub zero: Option<(u64, &'static str)>,
    resolved: AtomicPtr<Resolved>,
}

/// The pairs (guest, host) that differ in an ABI.
#[derive(Debug)]
struct Resolved {
    model: Model,
    differing: Vec<(u64, u64)>,
}

impl Flags {
    pub const fn new(rows: &'static [(&'static str, u64)], zero: Option<(u64, &'static str)>) -> Flags {
        Flags { rows, zero, resolved: AtomicPtr::new(std::ptr::null_mut()) }
    }

    fn of(&self, m: Model) -> &'static Resolved {
        let known = self.resolved.load(Ordering::Acquire);
        // SAFETY: only leaked boxes are ever stored.
        if let Some(r) = unsafe { known.as_ref() }
            && r.model == m
        {
            return r;
        }
        let differing =
            self.rows.iter().map(|(name, host)| (value(m, name, *host), *host)).filter(|(g, h)| g != h).collect();
        let fresh: &'static Resolved = Box::leak(Box::new(Resolved { model: m, differing }));
        self.resolved.store(std::ptr::from_ref(fresh).cast_mut(), Ordering::Release);
        fresh
    }

    /// The host's bits for the guest's. Bits without a row stay.
    pub fn to_host(&self, m: Model, guest: u64) -> u64 {
        convert(self.of(m).differing.iter().copied(), guest)
    }

    /// The guest's bits for the host's.
    pub fn to_guest(&self, m: Model, host: u64) -> u64 {
        convert(self.of(m).differing.iter().map(|(g, h)| (*h, *g)), host)
    }

    /// The host's number for the guest's, where the rows are numbers and not bits.
    pub fn number_to_host(&self, m: Model, guest: u64) -> u64 {
        self.of(m).differing.iter().find(|(g, _)| *g == guest).map_or(guest, |(_, h)| *h)
    }
}

fn convert(pairs: impl Iterator<Item = (u64, u64)> + Clone, from: u64) -> u64 {
    let kept = pairs.clone().fold(from, |v, (f, _)| v & !f);
    pairs.filter(|(f, _)| from & f == *f).fold(kept, |v, (_, to)| v | to)
}

/// The guest's value of a constant whose host value is given.
pub fn value(m: Model, name: &str, host: u64) -> u64 {
    if m == HOST { host } else { m.value(name).unwrap_or(host) }
}

/// `flags! { Open, zero O_RDONLY of 3 { O_CREAT = 0o100, … } }`.
macro_rules! flags {
    ($($(#[$m:meta])* $name:ident $(, zero $zero:ident of $mask:literal)? { $($flag:ident = $value:expr),* $(,)? })*) => {$(
        $(#[$m])*
        #[allow(non_upper_case_globals, reason = "named as a type in the rows")]
        pub static $name: Flags = Flags::new(&[$((stringify!($flag), $value)),*], flags!(@ $($zero $mask)?));
    )*};
    (@ $zero:ident $mask:literal) => { Some(($mask, stringify!($zero))) };
    (@) => { None };
}

flags! {
    /// open(2)
    Open, zero O_RDONLY of 3 {
        __O_TMPFILE = 0o20000000, O_SYNC = 0o4010000, O_WRONLY = 1, O_RDWR = 2, O_CREAT = 0o100, O_EXCL = 0o200, O_NOCTTY = 0o400, O_TRUNC = 0o1000,
        O_APPEND = 0o2000, O_NONBLOCK = 0o4000, O_DSYNC = 0o10000, O_ASYNC = 0o20000, O_DIRECT = 0o40000, O_LARGEFILE = 0o100000,
        O_DIRECTORY = 0o200000, O_NOFOLLOW = 0o400000, O_NOATIME = 0o1000000, O_CLOEXEC = 0o2000000, O_PATH = 0o10000000,
    }
    /// The *at calls.
    At {
        AT_SYMLINK_NOFOLLOW = 0x100, AT_REMOVEDIR = 0x200, AT_SYMLINK_FOLLOW = 0x400, AT_NO_AUTOMOUNT = 0x800, AT_EMPTY_PATH = 0x1000,
        AT_STATX_FORCE_SYNC = 0x2000, AT_STATX_DONT_SYNC = 0x4000, AT_RECURSIVE = 0x8000,
    }
}
