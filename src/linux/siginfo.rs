//! siginfo_t between the host's layout and a guest's. Which member of its union is in use follows from the signal and the code, as in the
//! kernel (asm-generic/siginfo.h); a 64-bit ABI of the host's byte order has the host's layout.

use arch::Abi;

/// A siginfo_t in the host's layout.
#[repr(C, align(8))]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HostInfo(pub [u8; 128]);

/// Size of siginfo_t on every ABI.
pub const SIZE: usize = 128;

pub const SI_USER: i32 = 0;
pub const SI_KERNEL: i32 = 0x80;
pub const SI_QUEUE: i32 = -1;
pub const SI_TIMER: i32 = -2;
pub const SI_SIGIO: i32 = -5;
pub const SI_TKILL: i32 = -6;
/// The last of SIGPOLL's codes.
const POLL_HUP: i32 = 6;

/// A member of the union: where it stands behind the union's start with 4-byte and with 8-byte longs, and its size there.
type Member = ((usize, usize), (usize, usize));

const PID: Member = ((0, 4), (0, 4));
const UID: Member = ((4, 4), (4, 4));
const VALUE: Member = ((8, 4), (8, 8));
const STATUS: Member = ((8, 4), (8, 4));
const UTIME: Member = ((12, 4), (16, 8));
const STIME: Member = ((16, 4), (24, 8));
const ADDR: Member = ((0, 4), (0, 8));
const ADDR_LSB: Member = ((4, 2), (8, 2));
const BAND: Member = ((0, 4), (0, 8));
const FD: Member = ((4, 4), (8, 4));
const SYSCALL: Member = ((4, 4), (8, 4));
const ARCH: Member = ((8, 4), (12, 4));

/// The members in use.
fn members(signo: i32, code: i32) -> &'static [Member] {
    match (code, signo) {
        (SI_TIMER | SI_QUEUE, _) => &[PID, UID, VALUE],
        (SI_USER | SI_TKILL | SI_KERNEL, _) if !is_fault(signo) => &[PID, UID],
        (SI_USER | SI_TKILL, _) => &[PID, UID],
        (1.., libc::SIGCHLD) => &[PID, UID, STATUS, UTIME, STIME],
        (1.., libc::SIGSYS) => &[ADDR, SYSCALL, ARCH],
        (1.., _) if is_fault(signo) => &[ADDR, ADDR_LSB],
        // man 2 fcntl, F_SETSIG: any signal may tell of a descriptor.
        (1..=POLL_HUP | SI_SIGIO, _) => &[BAND, FD],
        _ => &[PID, UID, VALUE],
    }
}

pub fn is_fault(signo: i32) -> bool {
    matches!(signo, libc::SIGSEGV | libc::SIGBUS | libc::SIGILL | libc::SIGFPE | libc::SIGTRAP)
}

impl HostInfo {
    pub const ZERO: HostInfo = HostInfo([0; 128]);

    pub fn i32_at(&self, at: usize) -> i32 {
        i32::from_le_bytes([self.0[at], self.0[at + 1], self.0[at + 2], self.0[at + 3]])
    }
    pub fn u64_at(&self, at: usize) -> u64 {
        (self.i32_at(at + 4) as u64) << 32 | u64::from(self.i32_at(at) as u32)
    }
    pub fn signo(&self) -> i32 {
        self.i32_at(0)
    }
    pub fn code(&self) -> i32 {
        self.i32_at(8)
    }

    /// What kill(2) and its like tell of the sender.
    pub fn sent(signo: i32, code: i32, pid: i32, uid: u32) -> HostInfo {
        let mut info = HostInfo::fault(signo, code, 0);
        info.0[16..20].copy_from_slice(&pid.to_le_bytes());
        info.0[20..24].copy_from_slice(&uid.to_le_bytes());
        info
    }

    /// The information of a fault.
    pub fn fault(signo: i32, code: i32, addr: u64) -> HostInfo {
        let mut info = HostInfo::ZERO;
        info.0[..4].copy_from_slice(&signo.to_le_bytes());
        info.0[8..12].copy_from_slice(&code.to_le_bytes());
        info.0[16..24].copy_from_slice(&addr.to_le_bytes());
        info
    }

    /// In the guest's layout.
    pub fn to_guest(&self, abi: &Abi) -> [u8; SIZE] {
        if abi.long == 8 && !abi.big_endian {
            return self.0;
        }
        let mut out = [0; SIZE];
        for at in [0, 4, 8] {
            put(&mut out[at..at + 4], &self.0[at..at + 4], abi.big_endian);
        }
        let base = 12usize.next_multiple_of(abi.long);
        for (narrow, wide) in members(self.signo(), self.code()) {
            let (at, size) = if abi.long == 4 { narrow } else { wide };
            // Little-endian on the host: the low bytes come first.
            put(&mut out[base + at..][..*size], &self.0[16 + wide.0..][..*size], abi.big_endian);
        }
        out
    }

    /// From the guest's layout (what a program gives to rt_sigqueueinfo).
    pub fn from_guest(bytes: &[u8; SIZE], abi: &Abi) -> HostInfo {
        if abi.long == 8 && !abi.big_endian {
            return HostInfo(*bytes);
        }
        let mut info = HostInfo::ZERO;
        for at in [0, 4, 8] {
            put(&mut info.0[at..at + 4], &bytes[at..at + 4], abi.big_endian);
        }
        let base = 12usize.next_multiple_of(abi.long);
        for (narrow, wide) in members(info.signo(), info.code()) {
            let (at, size) = if abi.long == 4 { narrow } else { wide };
            put(&mut info.0[16 + wide.0..][..*size], &bytes[base + at..][..*size], abi.big_endian);
        }
        info
    }
}

fn put(to: &mut [u8], from: &[u8], swap: bool) {
    to.copy_from_slice(from);
    if swap {
        to.reverse();
    }
}
