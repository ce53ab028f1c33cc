//! System calls: one typed row per kernel entry, one file per family.
//!
//! A row `sys_read(fd: Fd, buf: OutBuf<len>, len: Size) -> Size;` without a body means: fetch the arguments as the types say, convert what
//! differs, make the host call of that name, convert back. `= sys_other` makes another host call; `{ … }` is a body in Rust that sees fetched
//! values; `= enosys("why")` is not implemented. The same rows feed dispatch, `-strace`, the table of calls ([`support`]) and the tests.
//! Numbers are in `syscall-tables/*.tbl`, from which the build script makes [`TABLES`].

pub mod direct;
pub mod flags;
pub mod plain;
pub mod structs;
#[macro_use]
pub mod types;

pub mod admin;
pub mod fcntl;
pub mod fd;
pub mod fs;
pub mod futex;
pub mod ids;
pub mod ioctl;
mod ioctl_table;
pub mod ipc;
pub mod mm;
pub mod net;
pub mod old;
pub mod poll;
pub mod prctl;
pub mod process;
pub mod rings;
pub mod sched;
pub mod signal;
pub mod sockopt;
pub mod stat;
pub mod time;

/// What the files of a family need for their rows and bodies.
mod prelude {
    pub(super) use super::plain::HostStruct;
    pub(super) use super::structs::*;
    pub(super) use super::types::*;
    pub(super) use super::{flags, nr, plain};
    pub(super) use crate::host::{Errno, Res};
    pub(super) use crate::layout::CStruct;
    pub(super) use crate::memory;
    pub(super) use crate::syscalls;
    pub(super) use crate::task::Task;
}

use crate::host::{Errno, Res};
use crate::seccomp::{self, Judgement};
use crate::strace;
use crate::task::Task;
use arch::Abi;
use std::sync::atomic::{AtomicPtr, Ordering};
use types::{Ret, Ty, Values};

/// What a row does.
#[derive(Debug)]
pub enum Act {
    /// The host call with that number, with converted arguments.
    Host(u32),
    Body(fn(&mut Task, &Values) -> Res),
    /// ENOSYS, and why.
    Lacking(&'static str),
}

/// A kernel entry.
#[derive(Debug)]
pub struct Row {
    pub name: &'static str,
    /// Their types.
    pub params: &'static [Ty],
    pub result: Ret,
    pub act: Act,
}

/// A number's name in one ABI, and its row.
#[derive(Debug)]
pub struct Call {
    pub name: &'static str,
    pub row: &'static Row,
}

/// An ABI's calls by number: ranges of a first number and its successors. What stands there is a place in [`CALLS`], from 1 on: numbers need no relocation
/// at each start of the program.
#[derive(Debug)]
pub struct Table {
    pub name: &'static str,
    pub ranges: &'static [(u64, &'static [u16])],
}

impl Table {
    pub fn get(&self, number: u64) -> Option<&'static Call> {
        self.ranges
            .iter()
            .find_map(|(base, calls)| call_at(*calls.get(usize::try_from(number.checked_sub(*base)?).ok()?)?))
    }

    /// All numbers in order.
    pub fn calls(&self) -> impl Iterator<Item = (u64, &'static Call)> {
        self.ranges
            .iter()
            .flat_map(|(base, calls)| (*base..).zip(*calls).filter_map(|(n, at)| Some((n, call_at(*at)?))))
    }
}

/// What a table's entry stands for.
fn call_at(at: u16) -> Option<&'static Call> {
    CALLS.get(usize::from(at.checked_sub(1)?))
}

/// Writes the rows of a family. `|t|` names the task in the bodies.
#[macro_export]
macro_rules! syscalls {
    (|$t:ident| $(
        $(#[$m:meta])*
        $name:ident($($arg:ident: $ty:ident $(<$($g:ident),+>)?),* $(,)?) -> $ret:ident $(= $other:ident $(($why:literal))?)? $($body:block)? $(;)?
    )*) => {$(
        $(#[$m])*
        #[allow(non_upper_case_globals, missing_docs, reason = "named as the kernel's entry; the manual page says what it does")]
        pub static $name: $crate::sys::Row = $crate::sys::Row {
            name: stringify!($name),
            params: {
                #[allow(non_camel_case_types, dead_code, reason = "the parameters' names as indices")]
                enum P { $($arg),* }
                &[$($crate::ty!(P $ty $($($g)+)?)),*]
            },
            result: $crate::sys::types::Ret::$ret,
            act: $crate::act!($t $name ($($arg: [$ty $($($g)+)?]),*) $(= $other $(($why))?)? $($body)?),
        };
    )*};
}

/// What a row of [`syscalls!`](crate::syscalls) does.
#[macro_export]
macro_rules! act {
    ($t:ident $name:ident $args:tt) => { $crate::sys::Act::Host($crate::sys::nr::$name) };
    ($t:ident $name:ident $args:tt = enosys($why:literal)) => { $crate::sys::Act::Lacking($why) };
    ($t:ident $name:ident $args:tt = $other:ident) => { $crate::sys::Act::Host($crate::sys::nr::$other) };
    ($t:ident $name:ident ($($arg:ident: [$($ty:ident)+]),*) $body:block) => {{
        #[allow(unused_variables, reason = "a body may not need every argument")]
        fn body($t: &mut Task, $($arg: $crate::rust_type!($($ty)+)),*) -> $crate::host::Res $body
        #[allow(unused_variables, unused_mut, reason = "calls without arguments")]
        fn entry(t: &mut Task, values: &$crate::sys::types::Values) -> $crate::host::Res {
            let mut next = values.iter();
            body(t, $({
                let $arg = *next.next().unwrap_or(&0);
                $crate::sys::types::Value::from_raw($arg)
            }),*)
        }
        $crate::sys::Act::Body(entry)
    }};
}

/// Every entry, for the tables.
pub(crate) mod rows {
    pub(crate) use super::{
        admin::*, fd::*, fs::*, futex::*, ids::*, ipc::*, mm::*, net::*, old::*, poll::*, prctl::*, process::*,
        rings::*, sched::*, signal::*, stat::*, time::*,
    };
    pub(crate) use super::{fcntl::*, ioctl::*};
}

include!(concat!(env!("OUT_DIR"), "/tables.rs"));

/// The table with that name (`Abi::table`).
pub fn table(name: &str) -> Option<&'static Table> {
    TABLES.iter().find(|t| t.name == name).copied()
}

/// The table of an ABI, looked up by name once.
fn table_of(abi: &'static Abi) -> Option<&'static Table> {
    static KNOWN: AtomicPtr<Table> = AtomicPtr::new(std::ptr::null_mut());
    // SAFETY: only tables, which are statics, are ever stored.
    match unsafe { KNOWN.load(Ordering::Relaxed).as_ref() } {
        Some(table) if table.name == abi.table => Some(table),
        _ => {
            let found = table(abi.table)?;
            KNOWN.store(std::ptr::from_ref(found).cast_mut(), Ordering::Relaxed);
            Some(found)
        }
    }
}

/// Carries out the call that the guest's registers ask for. The caller writes the result to the guest's registers as its ABI has it, except
/// after `Errno::JUST_RETURN`, and makes the call again after `RESTARTSYS` and `RESTARTNOINTR`.
pub fn dispatch(t: &mut Task) -> Res {
    dispatch_judged(t, false)
}

fn dispatch_judged(t: &mut Task, asked: bool) -> Res {
    let regs = &t.abi().syscall;
    let word = if t.abi().long == 4 { u64::from(u32::MAX) } else { u64::MAX };
    let words = regs.args.map(|slot| t.get(slot) & word);
    // The number is an int: aarch64 reads w8, arm r7.
    let number = t.get(regs.number) & 0xffff_ffff;
    if t.seat.is_filtered() {
        match seccomp::judge(t, number, &words, asked) {
            Judgement::Made => {}
            Judgement::Instead(result) => return result,
            Judgement::Anew => return dispatch_judged(t, true),
        }
    }
    call(t, number, &words)
}

/// Whether the call that is to be made is the vDSO's: elsewhere it would not be a call.
pub(crate) fn is_vdsos(t: &Task) -> bool {
    let row = table_of(t.abi()).and_then(|table| table.get(t.get(t.abi().syscall.number) & 0xffff_ffff)).map(|c| c.row);
    let (pc, vdso, entry) = (t.get(t.process.guest.state.pc), t.process.image.vdso, t.process.image.entry);
    let anybodys = entry != 0 && (entry..entry + 16).contains(&pc);
    // RISC-V's answers hwprobe as well (arch/riscv/kernel/vdso/hwprobe.c).
    let served = |row| direct::is_served(row) || std::ptr::eq(row, &rows::sys_riscv_hwprobe);
    row.is_some_and(served) && vdso != 0 && (vdso..vdso + 8192).contains(&pc) && !anybodys
}

/// Calls whose addresses say where memory is to be: they have no tags (Documentation/arch/arm64/tagged-address-abi.rst).
static PLACES: [&Row; 3] = [&rows::sys_mmap, &rows::sys_brk, &rows::sys_shmat];

/// Carries out the call with that number, whose arguments' words are in `words` as the guest's registers hold them.
pub fn call(t: &mut Task, number: u64, words: &[u64]) -> Res {
    let Some(call) = table_of(t.abi()).and_then(|table| table.get(number)) else {
        t.unimp(format_args!("system call {number}: no such number"));
        return Err(Errno::ENOSYS);
    };
    let row = call.row;
    let values = values(t, row, words);
    let watched = t.process.options.strace || t.process.options.explain;
    let texts = watched.then(|| strace::enter(t, call, &values));
    // Generated code makes the program's own ABI's.
    if texts.is_none() && t.gate.is_none() {
        direct::judge(t.abi().model(), number, call);
    }
    let result = perform(t, row, call.name, &values);
    if let Some(texts) = texts {
        strace::leave(t, call, &values, texts, result);
    }
    result
}

/// The arguments in `words`, as the row's types say.
fn values(t: &Task, row: &'static Row, words: &[u64]) -> Values {
    let types = row.params.iter().copied();
    let mut values = types::fetch(t.abi().model(), types.clone(), words);
    if types::tagged() && !PLACES.iter().any(|places| std::ptr::eq(*places, row)) {
        types::untag_values(types, &mut values);
    }
    values
}

fn perform(t: &mut Task, row: &'static Row, name: &str, values: &Values) -> Res {
    match row.act {
        Act::Host(nr) => plain::call(t, row.params, nr, values),
        Act::Body(body) => body(t, values),
        Act::Lacking(why) => {
            t.unimp(format_args!("{name}: {why}"));
            Err(Errno::ENOSYS)
        }
    }
}

/// Carries out another call than the one that was made.
fn redo(t: &mut Task, row: &'static Row, words: &[u64]) -> Res {
    let values = values(t, row, words);
    perform(t, row, row.name, &values)
}

/// Takes the locks of this folder, for fork.
pub(crate) fn hold() {
    fs::HASHED.hold();
    direct::hold();
    sched::KEPT.hold();
    rings::RINGS.hold();
}

/// Gives them back.
pub(crate) fn release() {
    rings::RINGS.release();
    sched::KEPT.release();
    direct::release();
    fs::HASHED.release();
}

/// How a call is supported, for the table that `-syscalls` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// Converted by its types and made on the host.
    Host,
    /// Has a body of its own.
    Own,
    /// ENOSYS.
    Lacking(&'static str),
}

/// The calls of an ABI: number, name, support.
pub fn support(table: &Table) -> impl Iterator<Item = (u64, &'static str, Support)> {
    table.calls().map(|(number, call)| {
        let support = match call.row.act {
            Act::Host(_) => Support::Host,
            Act::Body(_) => Support::Own,
            Act::Lacking(why) => Support::Lacking(why),
        };
        (number, call.name, support)
    })
}

#[cfg(test)]
mod layout_tests;
#[cfg(test)]
pub(crate) mod tests;
