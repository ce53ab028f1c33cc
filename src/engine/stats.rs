//! What the engine counts for `-d stats` and `-stats`. There is none of it unless asked for: [`Engine`](crate::Engine) and cache look at an `Option`
//! on paths that are slow anyway, and the thunk for sites is made with a counting `serve`.

use crate::lock::Lock;
use host::Site;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

/// Declares an enum whose members are counted, with the names in reports.
macro_rules! counted {
    ($(#[$about:meta])* $kind:ident { $($(#[$doc:meta])* $member:ident $name:literal,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub(crate) enum $kind { $($(#[$doc])* $member,)* }
        impl $kind {
            const NAMES: &'static [&'static str] = &[$($name),*];
        }
    };
}

counted! {
    /// What translation made.
    Made {
        Regions "regions",
        /// Hot loops, translated once more.
        HotRegions "hot_regions",
        GuestInsns "guest_instructions",
        HostBytes "host_bytes",
        Links "links",
        /// Look-ups that found stored code.
        Stored "stored_hits",
        /// Regions that changed code took away, and how often all were dropped for want of room.
        Invalidated "invalidated",
        Dropped "dropped_all",
    }
}

counted! {
    /// Where time goes, in nanoseconds summed over threads. What is left of the threads' time is Linux's.
    Stage {
        FrontEnd "front_end",
        BackEnd "back_end",
        /// Generated code, with what it calls.
        Code "code",
    }
}

counted! {
    /// Why generated code was left.
    Cause {
        Goto "goto",
        Indirect "indirect",
        Poll "poll",
        Hot "hot",
        Syscall "syscall",
        Resume "resume",
        FlushCode "flush_code",
        Trap "trap",
        HelperTrap "helper_trap",
        Fault "fault",
        /// An invalid floating-point operation, done by the handler of SIGFPE.
        Invalid "fp_trap",
    }
}

impl Cause {
    pub(crate) fn of(exit: &host::Exit) -> Cause {
        match exit {
            host::Exit::Poll { .. } => Cause::Poll,
            host::Exit::Hot { .. } => Cause::Hot,
            host::Exit::Resume { .. } | host::Exit::ResumeAt | host::Exit::OpenPair { .. } => Cause::Resume,
            host::Exit::FlushCode { .. } => Cause::FlushCode,
            host::Exit::Trap { .. } => Cause::Trap,
            host::Exit::HelperTrap { .. } => Cause::HelperTrap,
        }
    }
}

type Counters<const N: usize> = [AtomicU64; N];

/// Calls of sites: by address, and the sums by name.
#[derive(Debug, Default)]
struct Calls {
    sites: BTreeMap<u64, usize>,
    sums: Vec<(String, u64)>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Stats {
    made: Counters<{ Made::NAMES.len() }>,
    nanoseconds: Counters<{ Stage::NAMES.len() }>,
    exits: Counters<{ Cause::NAMES.len() }>,
    calls: Lock<Calls>,
}

const fn zeros<const N: usize>() -> Counters<N> {
    [const { AtomicU64::new(0) }; N]
}

impl Stats {
    pub(crate) fn new() -> Stats {
        Stats { made: zeros(), nanoseconds: zeros(), exits: zeros(), calls: Lock::nameless(Calls::default()) }
    }

    pub(crate) fn made(&self, what: Made, n: u64) {
        self.made[what as usize].fetch_add(n, Ordering::Relaxed);
    }

    pub(crate) fn left(&self, cause: Cause) {
        self.exits[cause as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// A call of a site, which stays where it is until [`Stats::forget_sites`].
    pub(crate) fn called(&self, site: &Site) {
        let calls = &mut *self.calls.lock();
        let n = *calls.sites.entry(std::ptr::from_ref(site) as u64).or_insert_with(|| {
            let name = name(site);
            calls.sums.iter().position(|(n, _)| *n == name).unwrap_or_else(|| {
                calls.sums.push((name, 0));
                calls.sums.len() - 1
            })
        });
        calls.sums[n].1 += 1;
    }

    /// The sites' memory is given back.
    pub(crate) fn forget_sites(&self) {
        self.calls.lock().sites.clear();
    }

    /// Begins anew, in a fork's child or after a report.
    pub(crate) fn reset(&self) {
        for n in self.made.iter().chain(&self.nanoseconds).chain(&self.exits) {
            n.store(0, Ordering::Relaxed);
        }
        *self.calls.lock() = Calls::default();
    }

    pub(crate) fn before_fork(&self) {
        self.calls.hold();
    }

    pub(crate) fn after_fork(&self, child: bool) {
        self.calls.release();
        if child {
            self.reset();
        }
    }

    pub(crate) fn report(&self) -> Report {
        let group = |names: &[&str], n: &[AtomicU64]| {
            names.iter().zip(n).map(|(name, n)| ((*name).to_owned(), n.load(Ordering::Relaxed))).collect()
        };
        let mut calls = self.calls.lock().sums.clone();
        calls.sort_by(|(a, m), (b, n)| n.cmp(m).then_with(|| a.cmp(b)));
        Report {
            groups: vec![
                ("translation", group(Made::NAMES, &self.made)),
                ("nanoseconds", group(Stage::NAMES, &self.nanoseconds)),
                ("exits", group(Cause::NAMES, &self.exits)),
                ("calls", calls),
            ],
        }
    }
}

/// A helper's name, or the operation's.
fn name(site: &Site) -> String {
    site.helper.map_or_else(|| ir::text::name(&site.op), |h| h.name.to_owned())
}

/// Measures stages one after the other; nothing if nothing is counted.
#[derive(Debug)]
pub(crate) struct Clock {
    stats: Option<&'static Stats>,
    since: u64,
}

impl Clock {
    pub(crate) fn start(stats: Option<&'static Stats>) -> Clock {
        Clock { stats, since: if stats.is_some() { nanoseconds() } else { 0 } }
    }

    /// The time since the start, or since the last stage's end, was this stage's.
    pub(crate) fn end(&mut self, stage: Stage) {
        if let Some(s) = self.stats {
            let now = nanoseconds();
            s.nanoseconds[stage as usize].fetch_add(now - self.since, Ordering::Relaxed);
            self.since = now;
        }
    }
}

fn nanoseconds() -> u64 {
    let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: it writes the struct; this clock is always there, so errno is not touched.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut t) };
    t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64
}

/// What was counted, in groups.
#[derive(Clone, Debug)]
pub struct Report {
    pub groups: Vec<(&'static str, Vec<(String, u64)>)>,
}

impl Report {
    /// For people: a line for each number.
    pub fn text(&self) -> String {
        let mut out = String::new();
        for (group, rows) in &self.groups {
            for (name, n) in rows {
                // Writing to a string does not fail.
                let _ = writeln!(out, "{group:<12} {name:<40} {n:>15}");
            }
        }
        out
    }

    /// The groups as members of a JSON object, without its braces. The names are ours and need no escapes.
    pub fn json_members(&self) -> String {
        let groups = self.groups.iter().map(|(group, rows)| {
            let rows: Vec<String> = rows.iter().map(|(name, n)| format!("\"{name}\": {n}")).collect();
            format!("\"{group}\": {{{}}}", rows.join(", "))
        });
        groups.collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_reported() {
        let s = Stats::new();
        s.made(Made::Regions, 2);
        s.left(Cause::Syscall);
        let site = Site { op: ir::Op::ClearExcl, ty: ir::Ty::Void, arg_types: [ir::Ty::Void; 4], helper: None };
        s.called(&site);
        s.called(&site);
        let json = s.report().json_members();
        for part in ["\"regions\": 2,", "\"syscall\": 1,", "\"calls\": {\"clear_excl\": 2}"] {
            assert!(json.contains(part), "{part} in {json}");
        }
        s.reset();
        assert!(s.report().groups.iter().all(|(_, rows)| rows.iter().all(|(_, n)| *n == 0)));
    }
}
