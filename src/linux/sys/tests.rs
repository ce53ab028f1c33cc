//! Arguments and structs on made-up ABIs: 32 and 64 bits, both byte orders, pairs aligned or not, alignment to 8, 4 and 2.
//! Guest memory is host memory below 4 GiB; host calls are real.

use super::plain::{iovecs, prepare};
use super::structs::*;
use super::types::{Pointer, Ty, Value, fetch};
use super::{Act, TABLES, rows};
use crate::host::{self, Errno, Res};
use crate::layout::{CStruct, HOST};
use crate::memory;
use arch::layout::{ILP32, Model};
use std::sync::Once;

#[path = "../../guest/arm/layouts.rs"]
#[allow(unreachable_pub, reason = "public in its own crate")]
mod arm;

/// Like arm.
pub(crate) const LITTLE32: Model = Model {
    long: 4,
    big_endian: false,
    max_align: 8,
    even_pairs: true,
    structs: &[arm::STRUCTS, ILP32],
    values: arm::VALUES,
};
/// Like mips o32.
pub(crate) const BIG32: Model =
    Model { long: 4, big_endian: true, max_align: 8, even_pairs: true, structs: &[ILP32], values: &[] };
/// Like sparc, whose pairs begin anywhere.
const SPARC: Model = Model { even_pairs: false, ..BIG32 };
/// Like i386, with the values of x86.
const I386: Model =
    Model { long: 4, big_endian: false, max_align: 4, even_pairs: false, structs: &[ILP32], values: &[] };
/// Like m68k.
const M68K: Model = Model { max_align: 2, ..SPARC };
/// Like s390x.
const BIG64: Model = Model { long: 8, big_endian: true, max_align: 8, even_pairs: false, structs: &[], values: &[] };
/// Like aarch64.
pub(super) const LITTLE64: Model =
    Model { long: 8, big_endian: false, max_align: 8, even_pairs: false, structs: &[], values: arm::VALUES };

const ALL_MODELS: [Model; 8] = [LITTLE32, BIG32, SPARC, I386, M68K, BIG64, LITTLE64, HOST];

fn fetched(m: Model, row: &super::Row, regs: &[u64]) -> Vec<u64> {
    fetch(m, row.params.iter().copied(), regs)[..row.params.len()].to_vec()
}

#[test]
fn pairs_by_word_order_and_alignment() {
    let want = [3, 0x10, 5, 0x1_0000_0002];
    for (m, regs) in [
        (HOST, [3, 0x10, 5, 0x1_0000_0002, 0, 0]),
        (BIG64, [3, 0x10, 5, 0x1_0000_0002, 0, 0]),
        (I386, [3, 0x10, 5, 2, 1, 0]),
        (LITTLE32, [3, 0x10, 5, 0xdead, 2, 1]), // r3 is skipped
        (BIG32, [3, 0x10, 5, 0xdead, 1, 2]),
        (SPARC, [3, 0x10, 5, 1, 2, 0]),
        (M68K, [3, 0x10, 5, 1, 2, 0]),
    ] {
        assert_eq!(fetched(m, &rows::sys_pread64, &regs), want, "{m:?}");
    }
    assert_eq!(fetched(LITTLE32, &rows::sys_ftruncate64, &[3, 0xdead, 2, 1, 0, 0]), [3, 0x1_0000_0002]);
    assert_eq!(fetched(LITTLE32, &rows::sys_fallocate, &[3, 0, 2, 1, 4, 3]), [3, 0, 0x1_0000_0002, 0x3_0000_0004]);
    // arm puts the advice second so that the pairs need no gap.
    assert_eq!(
        fetched(LITTLE32, &rows::sys_arm_fadvise64_64, &[3, 4, 2, 1, 4, 3]),
        [3, 4, 0x1_0000_0002, 0x3_0000_0004]
    );
    // preadv's halves come low first in every byte order, and need no even register.
    for m in [LITTLE32, BIG32] {
        assert_eq!(fetched(m, &rows::sys_preadv, &[3, 0x10, 1, 2, 1, 0])[3], 0x1_0000_0002);
    }
    assert_eq!(fetched(HOST, &rows::sys_preadv, &[3, 0x10, 1, 2, 1, 0])[3], 2);
}

#[test]
fn words_are_extended_by_type() {
    // What lies above an int in a 64-bit register is undefined.
    let junk = 0xabcd_ef01_0000_0000;
    for m in ALL_MODELS {
        let v = fetched(m, &rows::sys_dup3, &[junk | 0xffff_ffff, junk | 7, junk | 0x80000, 0, 0, 0]);
        assert_eq!(v, [u64::MAX, 7, 0x80000]);
    }
    assert_eq!(fetched(LITTLE32, &rows::sys_lseek, &[3, 0xffff_fff6, 1, 0, 0, 0])[1].cast_signed(), -10);
    assert_eq!(
        fetched(LITTLE32, &rows::sys_read, &[3, 0xffff_fff6, 0xffff_ffff, 0, 0, 0])[1..],
        [0xffff_fff6, 0xffff_ffff]
    );
}

#[test]
fn sizes() {
    let sizes = |m: Model| {
        let of = |l: &'static crate::layout::Layout| l.of(m).size;
        [
            of(Timespec32::layout()),
            of(Flock64::layout()),
            of(EpollEvent::layout()),
            of(Msghdr::layout()),
            of(Timex32::layout()),
        ]
    };
    assert_eq!(sizes(HOST), [16, 32, 12, 56, 208]);
    assert_eq!(sizes(LITTLE64), [16, 32, 16, 56, 208]);
    assert_eq!(sizes(I386), [8, 24, 12, 28, 128]);
    assert_eq!(sizes(LITTLE32), [8, 32, 16, 28, 128]);
    assert_eq!(sizes(M68K), [8, 24, 12, 28, 128]);
    assert_eq!(Statfs64::layout().of(LITTLE32).size, 84);
    assert_eq!((Statfs64::layout().of(I386).size, Statfs64::layout().of(BIG32).size), (84, 88));
    assert_eq!(
        (Stat::layout().of(HOST).size, Stat::layout().of(LITTLE64).size, Stat::layout().of(LITTLE32).size),
        (144, 128, 64)
    );
    assert_eq!(
        (Stat64::layout().of(LITTLE32).size, Ifreq::layout().of(LITTLE32).size, Ifreq::layout().of(HOST).size),
        (104, 32, 40)
    );
}

#[test]
fn what_passes_through() {
    // A 64-bit guest of the host's byte order: everything but what x86-64 does its own way.
    let differ: Vec<_> = ALL.iter().filter(|(_, l)| !l().of(LITTLE64).same).map(|(name, _)| *name).collect();
    assert_eq!(differ, ["Id16", "Stat", "Stat64", "EpollEvent", "Semid64", "LoopInfo"]);
    // A 32-bit one: what has neither `long`s nor pointers. tv_nsec has an undefined half there.
    for (name, same) in [
        ("Timespec", false),
        ("Timeval", false),
        ("Statx", true),
        ("Termios", true),
        ("Pollfd", true),
        ("SigSet", true),
    ] {
        let layout = ALL.iter().find(|(n, _)| *n == name).unwrap().1();
        assert_eq!(layout.of(LITTLE32).same, same, "{name}");
        assert!(!layout.of(BIG32).same, "{name}");
    }
}

#[test]
fn every_member_goes_there_and_back() {
    for m in ALL_MODELS {
        for (name, layout) in ALL {
            let r = layout().of(m);
            // Small numbers, so that they fit the narrowest member.
            let mut host: Vec<u8> = vec![0; r.host_size];
            for (n, p) in r.host.iter().enumerate() {
                for i in p.iter().flat_map(|p| (0..p.count).map(move |i| (p, i))) {
                    crate::layout::store(HOST, &mut host, i.0, i.1, (n % 100 + 1) as u64).unwrap();
                }
            }
            let (mut guest, mut back) = (vec![0; r.size], vec![0; r.host_size]);
            r.to_guest(&host, &mut guest).unwrap();
            r.to_host(&guest, &mut back);
            for (n, (g, h)) in r.guest.iter().zip(&r.host).enumerate() {
                if let (Some(g), Some(h)) = (g, h)
                    && g.count > 0
                {
                    assert_eq!(crate::layout::load(HOST, &back, h, 0), (n % 100 + 1) as u64, "{name} {m:?}");
                    assert!(g.offset + g.size * g.count <= r.size, "{name}");
                }
            }
        }
    }
}

#[test]
fn variants_only_have_declared_members() {
    for m in ALL_MODELS {
        for (name, layout) in ALL {
            for f in layout().variant(m).fields {
                let known = layout().declared.fields.iter().any(|d| d.name() == f.name());
                assert!(known || f.name().starts_with('_') || f.name().ends_with("_high"), "{name} {}", f.name());
            }
        }
    }
}

#[test]
fn narrow_members_overflow() {
    let r = Stat::layout().of(LITTLE32);
    let size = Stat::layout().declared.fields.iter().position(|f| f.name() == "st_size").unwrap();
    let mut host = vec![0; r.host_size];
    let mut guest = vec![0; r.size];
    let place = r.host[size].unwrap();
    crate::layout::store(HOST, &mut host, &place, 0, 0x7fff_ffff).unwrap();
    assert_eq!(r.to_guest(&host, &mut guest), Ok(()));
    crate::layout::store(HOST, &mut host, &place, 0, 0x8000_0000).unwrap();
    assert_eq!(r.to_guest(&host, &mut guest), Err(Errno::EOVERFLOW));
}

#[test]
fn sets_of_signals_have_the_low_word_first() {
    let bytes = [0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88];
    assert_eq!(SigSet::from_bytes(BIG32, &bytes).sig, 0x5566_7788_1122_3344);
    assert_eq!(SigSet::from_bytes(BIG64, &bytes).sig, 0x1122_3344_5566_7788);
    assert_eq!(SigSet::from_bytes(LITTLE32, &bytes).sig, 0x8877_6655_4433_2211);
    assert_eq!(SigSet { sig: 0x5566_7788_1122_3344 }.to_bytes(BIG32).unwrap(), bytes);
}

#[test]
fn high_half_of_nanoseconds_is_ignored() {
    let bytes = [1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0xff, 0xff, 0xff, 0xff];
    assert_eq!(Timespec::from_bytes(LITTLE32, &bytes).tv_nsec, 9);
    assert_eq!(Timespec::from_bytes(LITTLE64, &bytes).tv_nsec, 9 - (1 << 32));
}

/// Guest memory: pages below 4 GiB, with nothing behind them.
pub(crate) struct Memory {
    pub(crate) base: u64,
}

const MEMORY: u64 = 0x4000;

impl Memory {
    pub(crate) fn new() -> Memory {
        catch_faults();
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_32BIT;
        let prot = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping; of its end one page is taken away again.
        let base = unsafe {
            let base =
                host::syscall(libc::SYS_mmap, [0, MEMORY + 0x1000, prot as u64, flags as u64, u64::MAX, 0]).unwrap();
            host::syscall(libc::SYS_mprotect, [base + MEMORY, 0x1000, 0, 0, 0, 0]).unwrap();
            base
        };
        Memory { base }
    }
    fn bytes(&self, at: u64, len: usize) -> Vec<u8> {
        let mut b = vec![0; len];
        memory::read(self.base + at, &mut b).unwrap();
        b
    }
    pub(crate) fn put(&self, at: u64, bytes: &[u8]) -> u64 {
        memory::write(self.base + at, bytes).unwrap();
        self.base + at
    }
}

/// Faults of `memory`'s routines give EFAULT, as in the program.
fn catch_faults() {
    extern "C" fn handler(_: i32, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
        // SAFETY: the kernel gives a ucontext_t.
        let gregs = unsafe { &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
        let rip = &mut gregs[libc::REG_RIP as usize];
        match memory::fault_fixup(*rip as u64) {
            Some(to) => *rip = to as i64,
            None => std::process::abort(),
        }
    }
    static ONCE: Once = Once::new();
    // SAFETY: a handler that only moves rip where `memory` says.
    ONCE.call_once(|| unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_NODEFER;
        libc::sigaction(libc::SIGSEGV, &raw const action, std::ptr::null_mut());
        libc::sigaction(libc::SIGBUS, &raw const action, std::ptr::null_mut());
    });
}

/// A row without a body, on the host.
fn call(m: Model, row: &super::Row, regs: &[u64]) -> Res {
    let Act::Host(nr) = row.act else { panic!("{} has a body", row.name) };
    let values = fetch(m, row.params.iter().copied(), regs);
    let mut prepared = prepare(m, row.params, &values, &|_, _, _| None)?;
    // SAFETY: the tests give addresses of their own memory, or bad ones.
    let result = unsafe { host::syscall(i64::from(nr), prepared.args) };
    prepared.finish(m, row.params, &values, result)
}

#[test]
fn calls_convert_on_every_abi() {
    for m in [LITTLE32, BIG32, M68K, LITTLE64, BIG64] {
        let memory = Memory::new();
        // A pipe; writev into it; readv out of it; poll.
        call(m, &rows::sys_pipe2, &[memory.base, u64::from(libc::O_CLOEXEC as u32)]).unwrap();
        let number = |at: u64, size: usize| crate::layout::number(m, &memory.bytes(at, size));
        let (input, output) = (number(0, 4), number(4, 4));
        memory.put(0x100, b"hello, world");
        let iov = |at: u64, parts: &[(u64, u64)]| {
            let mut bytes = vec![0; parts.len() * 2 * m.long];
            for (n, (addr, len)) in parts.iter().enumerate() {
                crate::layout::put_number(m, &mut bytes[n * 2 * m.long..][..m.long], memory.base + addr);
                crate::layout::put_number(m, &mut bytes[(n * 2 + 1) * m.long..][..m.long], *len);
            }
            memory.put(at, &bytes)
        };
        let list = iov(0x200, &[(0x100, 7), (0x107, 5)]);
        assert_eq!(call(m, &rows::sys_writev, &[output, list, 2]), Ok(12));

        let mut poll = [0; 8];
        crate::layout::put_number(m, &mut poll[..4], input);
        crate::layout::put_number(m, &mut poll[4..6], u64::from(libc::POLLIN.cast_unsigned()));
        let fds = memory.put(0x300, &poll);
        assert_eq!(call(m, &rows::sys_poll, &[fds, 1, 0]), Ok(1));
        assert_eq!(number(0x306, 2), u64::from(libc::POLLIN.cast_unsigned()));

        let list = iov(0x200, &[(0x400, 4), (0x500, 100)]);
        assert_eq!(call(m, &rows::sys_readv, &[input, list, 2]), Ok(12));
        assert_eq!((memory.bytes(0x400, 4), memory.bytes(0x500, 8)), (b"hell".to_vec(), b"o, world".to_vec()));
        for fd in [input, output] {
            assert_eq!(call(m, &rows::sys_close, &[fd]), Ok(0));
        }
        assert_eq!(call(m, &rows::sys_close, &[0xffff_ffff]), Err(Errno::EBADF));
    }
}

#[test]
fn structs_come_back_in_the_guests_form() {
    let memory = Memory::new();
    for m in ALL_MODELS {
        let before = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        assert_eq!(call(m, &rows::sys_clock_gettime, &[0, memory.base]), Ok(0));
        let now = Timespec::from_bytes(m, &memory.bytes(0, Timespec::size(m)));
        assert!(now.tv_sec as u64 - before < 5 && (0..1_000_000_000).contains(&now.tv_nsec), "{m:?} {now:?}");

        memory.put(0, b".\0");
        assert_eq!(call(m, &rows::sys_newstat, &[memory.base, memory.base + 0x100]), Ok(0), "{m:?}");
        let stat = Stat::from_bytes(m, &memory.bytes(0x100, Stat::size(m)));
        assert_eq!(stat.st_mode & libc::S_IFMT, libc::S_IFDIR);
        assert!(stat.st_atime as u64 > 1_000_000_000, "{m:?} {stat:?}");
    }
}

#[test]
fn rests_of_sleeps_are_written_only_when_interrupted() {
    let memory = Memory::new();
    let (request, rest) = (Timespec32 { tv_sec: 0, tv_nsec: 1000 }, Timespec32 { tv_sec: 7, tv_nsec: 7 });
    let at = memory.put(0, &request.to_bytes(BIG32).unwrap());
    let left = memory.put(0x40, &rest.to_bytes(BIG32).unwrap());
    assert_eq!(call(BIG32, &rows::sys_nanosleep_time32, &[at, left]), Ok(0));
    assert_eq!(Timespec32::from_bytes(BIG32, &memory.bytes(0x40, 8)).tv_sec, 7);
}

#[test]
fn bad_addresses_are_efault_or_what_the_kernel_finds_first() {
    let memory = Memory::new();
    let end = memory.base + MEMORY;
    for m in [LITTLE32, BIG32, LITTLE64] {
        for bad in [end, end - 1, 8] {
            assert_eq!(call(m, &rows::sys_clock_gettime, &[0, bad]), Err(Errno::EFAULT), "{m:?} {bad:#x}");
            assert_eq!(call(m, &rows::sys_pipe2, &[bad, 0]), Err(Errno::EFAULT));
            assert_eq!(call(m, &rows::sys_nanosleep, &[bad, 0]), Err(Errno::EFAULT));
            // The clock is looked at before the time.
            assert_eq!(call(m, &rows::sys_clock_settime, &[99, bad]), Err(Errno::EINVAL));
            assert_eq!(call(m, &rows::sys_writev, &[0xffff_ffff, bad, 1]), Err(Errno::EBADF));
        }
    }
    assert_eq!(iovecs(LITTLE32, end - 8, 2), Err(Errno::EFAULT));
    assert_eq!(iovecs(LITTLE32, memory.base, 1025), Err(Errno::EINVAL));
}

#[test]
fn flags_and_families_go_over() {
    let memory = Memory::new();
    let path = memory.put(0, b"/proc/self/exe\0");
    // O_NOFOLLOW of arm: a link is not opened (ELOOP). The same bits would be O_LARGEFILE on the host.
    let values = fetch(LITTLE32, rows::sys_openat.params.iter().copied(), &[0xffff_ff9c, path, 0o100000, 0]);
    let prepared = prepare(LITTLE32, rows::sys_openat.params, &values, &|_, _, _| None).unwrap();
    assert_eq!(prepared.args[2], libc::O_NOFOLLOW as u64);
    assert_eq!(prepared.args[0] as i32, libc::AT_FDCWD);
    // A big-endian AF_UNIX.
    let address = memory.put(0x100, &[0, 1, b'/', b'x', 0]);
    let values = fetch(BIG32, rows::sys_connect.params.iter().copied(), &[3, address, 5]);
    let prepared = prepare(BIG32, rows::sys_connect.params, &values, &|_, _, _| None).unwrap();
    let mut family = [0; 4];
    memory::read(prepared.args[1], &mut family).unwrap();
    assert_eq!(family, [1, 0, b'/', b'x']);
}

/// A small generator: xorshift64*.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
    /// Registers as hostile programs have them: small numbers, pages' ends, all ones, junk.
    fn word(&mut self, memory: &Memory) -> u64 {
        let r = self.next();
        match r % 8 {
            0 => r >> 60,
            1 => u64::MAX,
            2 => memory.base + MEMORY - (r >> 8) % 64,
            3 => memory.base + (r >> 8) % MEMORY,
            4 => 0x8000_0000 + (r >> 60),
            5 => 0,
            6 => (r >> 8) % 0x3000,
            _ => r,
        }
    }
}

/// Arguments of every row, fetched and converted for every ABI from random registers: nothing panics, everything is extended by its type.
#[test]
fn fetching_survives_anything() {
    let memory = Memory::new();
    let mut random = Random(0x1234_5678_9abc_def1);
    for (_, call) in TABLES.iter().flat_map(|t| t.calls()) {
        for m in ALL_MODELS {
            for _ in 0..20 {
                let regs: Vec<u64> = (0..6).map(|_| random.word(&memory)).collect();
                let values = fetch(m, call.row.params.iter().copied(), &regs);
                for (p, v) in call.row.params.iter().zip(values) {
                    check_extended(m, p, v);
                }
                let _ = prepare(m, call.row.params, &values, &|_, addr, _| memory::read_cstr(addr, 4095).ok());
            }
        }
    }
}

fn check_extended(m: Model, p: &Ty, v: u64) {
    let signed = v.cast_signed();
    match *p {
        Ty::Int | Ty::Fd | Ty::DirFd | Ty::Pid | Ty::Sig | Ty::Clock => assert_eq!(signed, i64::from(signed as i32)),
        Ty::UInt | Ty::Mode | Ty::Flags(_) | Ty::Enum(_) | Ty::Request => assert!(v >> 32 == 0),
        Ty::I64 | Ty::LowHigh => {}
        Ty::Long => assert!(m.long == 8 || signed == i64::from(signed as i32)),
        _ => assert!(m.long == 8 || v >> 32 == 0),
    }
}

#[test]
fn tables_are_whole() {
    for table in TABLES {
        for (number, call) in table.calls() {
            assert!(std::ptr::eq(table.get(number).unwrap(), call));
            // Words never exceed the six registers, even with pairs aligned.
            let mut words = 0;
            for p in call.row.params {
                let pair = matches!(*p, Ty::I64 | Ty::LowHigh) && table.name == "arm";
                words += if pair && matches!(*p, Ty::I64) {
                    words % 2 + 2
                } else {
                    1 + usize::from(matches!(*p, Ty::LowHigh))
                };
            }
            assert!(
                words <= 6 || call.row.name == "sys_preadv2" || call.row.name == "sys_pwritev2",
                "{} {words}",
                call.row.name
            );
        }
    }
    let arm = super::table("arm").unwrap();
    assert_eq!(arm.get(0xf0005).unwrap().name, "set_tls");
    assert_eq!(arm.get(192).unwrap().row.name, "sys_mmap2");
    assert!(arm.get(7).is_none() && arm.get(0xf0000).is_none() && arm.get(u64::MAX).is_none());
    assert_eq!(super::table("aarch64").unwrap().get(469).unwrap().name, "file_setattr");
}

/// What qemu-user 10 has must be here.
#[test]
fn lacking_calls_are_few() {
    let allowed = "ptrace rseq kexec_load kexec_file_load ioperm iopl";
    for table in TABLES {
        for (_, name, support) in super::support(table) {
            if let super::Support::Lacking(why) = support {
                assert!(
                    ["not in Linux", "no C library has made it since 1997"].contains(&why)
                        || allowed.split(' ').any(|a| a == name),
                    "{}: {name}: {why}",
                    table.name
                );
            }
        }
    }
}

#[test]
fn pointers_index_arrays() {
    let p = Pointer::<Timespec32>::from_raw(0x1000);
    assert_eq!((p.addr, Timespec32::size(LITTLE32), Timespec32::size(BIG64)), (0x1000, 8, 16));
}
