//! What the made-up files of /proc hold (man 5 proc). Not here: which file is meant (`mod.rs`).

use super::{File, Found, Whose};
use crate::elf;
use crate::host;
use crate::memory;
use crate::mm::Mm;
use crate::ptrace;
use crate::signal;
use crate::task::Task;
use std::fmt::Write;

/// The contents of a file in a process's folder, which the host has opened as `fd`. None: the host's are right.
pub(super) fn of(t: &Task, found: &Found, fd: i32) -> Option<Vec<u8>> {
    let p = t.process;
    let Found { file, whose, ref folder } = *found;
    Some(match (file, whose) {
        (File::Exe | File::MapLink(..) | File::MapFiles, _) => return None,
        (File::Maps, _) => maps(t, found)?.into_bytes(),
        (File::Smaps, _) => smaps(&maps(t, found)?, &text(fd)?).into_bytes(),
        (File::SmapsRollup, _) => {
            let smaps = smaps(&maps(t, found)?, &text_of(&[folder, b"/smaps".as_slice()].concat())?);
            rollup(&smaps, &text(fd)?).into_bytes()
        }
        (File::NumaMaps, _) => numa_maps(&maps(t, found)?, &text(fd)?).into_bytes(),
        (File::Status, Whose::OfAnother) => status(&text(fd)?, None),
        (File::Auxv, Whose::OfAnother) => ptrace::auxv_of(pid(folder)?)?,
        (_, Whose::OfAnother) => return None,
        // A descriptor of the kernel's file goes on to tell of this process after an execve.
        (File::Cmdline | File::Environ, _) if p.image.told => return None,
        (File::Auxv, _) => p.mm.places().auxv.to_vec(),
        (File::Cmdline, _) => guest_bytes(p.mm.places().args),
        (File::Environ, _) => guest_bytes(p.mm.places().env),
        (File::Stat, _) => stat(t, &text(fd)?),
        (File::Statm, _) => statm(p.mm.total(), &text(fd)?),
        (File::Status, _) => status(&text(fd)?, Some(t)),
        (File::Arch, _) => format!("{}\n", p.guest.machine).into_bytes(),
        (File::Limits, _) => limits(&text(fd)?)?,
        (File::Cpuinfo, _) => {
            let of_each = host::processors().into_iter().map(|n| (p.engine.guest().cpuinfo)(n, p.cpu.features));
            of_each.collect::<String>().into_bytes()
        }
    })
}

/// The process or thread whose folder it is.
fn pid(folder: &[u8]) -> Option<i32> {
    std::str::from_utf8(folder.rsplit(|b| *b == b'/').next()?).ok()?.parse().ok()
}

/// A process's maps, without rqemu's own.
pub(super) fn maps(t: &Task, found: &Found) -> Option<String> {
    match found.whose {
        Whose::Own => Some(whole_maps(t, &found.folder)),
        Whose::OfAnother => Some(maps_of_another(&found.folder, &host_maps(&found.folder)?)),
    }
}

/// The mappings that the host knows of a process.
fn host_maps(folder: &[u8]) -> Option<String> {
    text_of(&[folder, b"/maps"].concat())
}

/// What a file says.
fn text_of(path: &[u8]) -> Option<String> {
    Some(String::from_utf8_lossy(&host::read_file(path).ok()?).into_owned())
}

/// What the host's file says.
fn text(fd: i32) -> Option<String> {
    let (mut out, mut buf) = (Vec::new(), [0u8; 4096]);
    loop {
        match host::pread(fd, &mut buf, out.len() as u64) {
            Ok(0) => return Some(String::from_utf8_lossy(&out).into_owned()),
            Ok(n) => out.extend_from_slice(&buf[..n]),
            Err(_) => return None,
        }
    }
}

/// The program's own memory, where it may have changed its arguments.
fn guest_bytes((start, end): (u64, u64)) -> Vec<u8> {
    let mut bytes = vec![0; (end - start) as usize];
    let n = memory::read_some(start, &mut bytes);
    bytes.truncate(n);
    bytes
}

/// The range at the start of a line of maps.
pub(super) fn range(line: &str) -> Option<(u64, u64)> {
    let (start, end) = line.split(' ').next()?.split_once('-')?;
    Some((u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?))
}

/// The offset in the file that a line of maps says.
pub(super) fn offset(line: &str) -> Option<u64> {
    u64::from_str_radix(line.split(' ').nth(2)?, 16).ok()
}

/// Where the path begins in a line of maps.
pub(super) fn path(line: &str) -> Option<&str> {
    line.splitn(6, ' ').nth(5).map(str::trim_start).filter(|p| !p.is_empty())
}

/// A line of maps with its name, in the kernel's column.
pub fn padded(line: &str, name: &str) -> String {
    if name.is_empty() { line.to_owned() } else { format!("{line:<73}{name}") }
}

/// Where the host's mapping ends that begins at an address.
pub fn host_end(at: u64) -> Option<u64> {
    host_maps(OWN)?.lines().filter_map(range).find(|(start, _)| *start == at).map(|(_, end)| end)
}

/// A process's own folder.
const OWN: &[u8] = b"/proc/self";

/// The map of this process's guest. `stack` is an address in the main stack.
pub fn own_maps(mm: &Mm, stack: u64) -> String {
    with_files(&mm.maps(stack), &host_maps(OWN).unwrap_or_default())
}

/// The guest's map, and what is not in memory.
fn whole_maps(t: &Task, folder: &[u8]) -> String {
    let mm = t.process.mm;
    let maps = mm.maps(mm.places().stack_start);
    let mut text = with_files(&maps, &host_maps(folder).unwrap_or_default());
    if let Some(at) = t.abi().vsyscall {
        let line = format!("{at:08x}-{:08x} --xp 00000000 00:00 0 ", at + t.abi().page_size);
        let _ = writeln!(text, "{}", padded(&line, "[vsyscall]"));
    }
    text
}

/// Where a line of maps is of a file: device and inode.
pub(super) fn file(line: &str) -> Option<(&str, &str)> {
    let mut fields = line.split(' ').skip(3);
    Some((fields.next()?, fields.next()?)).filter(|(_, inode)| *inode != "0")
}

/// The line of a map at an address.
fn line_at(maps: &str, at: u64) -> Option<&str> {
    maps.lines().find(|l| range(l).is_some_and(|(start, end)| (start..end).contains(&at)))
}

/// The guest's map with what the host says of the files there: devices, inodes, and names as they are now.
fn with_files(maps: &str, host: &str) -> String {
    let mut host = host.lines().filter_map(|l| Some((range(l)?, l))).peekable();
    let mut out = String::new();
    for line in maps.lines() {
        let Some((start, _)) = range(line) else { continue };
        while host.next_if(|((_, end), _)| *end <= start).is_some() {}
        let there = host.peek().filter(|((from, _), _)| *from <= start && file(line).is_some());
        let line = match there.and_then(|(_, l)| Some((file(l)?, path(l).unwrap_or_default()))) {
            Some(((device, inode), name)) => {
                let own: Vec<&str> = line.splitn(4, ' ').take(3).collect();
                padded(&format!("{} {device} {inode} ", own.join(" ")), name)
            }
            None => line.to_owned(),
        };
        let _ = writeln!(out, "{line}");
    }
    out
}

/// A mapping of the host's in smaps.
struct Mapping<'a> {
    range: (u64, u64),
    /// Names and kilobytes.
    fields: Vec<(&'a str, u64)>,
    /// Of two letters each (proc(5)), without those of the guest's own protection.
    flags: Vec<&'a str>,
}

/// What the map says of a mapping's flags.
const PROTECTION: [&str; 4] = ["rd", "wr", "ex", "sh"];

/// The guest's ranges with what the host knows of the memory in them. Where a mapping of the host's is in several ranges, its numbers are shared out by
/// length.
fn smaps(maps: &str, host: &str) -> String {
    let mut mappings: Vec<Mapping> = Vec::new();
    for line in host.lines() {
        let first = line.split(' ').next().unwrap_or_default();
        if let (false, Some(r)) = (first.ends_with(':'), range(line)) {
            mappings.push(Mapping { range: r, fields: Vec::new(), flags: Vec::new() });
        } else if let (Some(m), Some(number)) = (mappings.last_mut(), line.strip_suffix(" kB")) {
            let value = number.rsplit(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0);
            m.fields.push((first, value));
        } else if let (Some(m), Some(flags)) = (mappings.last_mut(), line.strip_prefix("VmFlags:")) {
            m.flags = flags.split_whitespace().filter(|flag| !PROTECTION.contains(flag)).collect();
        }
    }
    let names: Vec<&str> = mappings.first().map_or(Vec::new(), |m| m.fields.iter().map(|f| f.0).collect());
    let mut out = String::new();
    for line in maps.lines() {
        let Some((start, end)) = range(line) else { continue };
        let mut sums = vec![0; names.len()];
        for Mapping { range: (from, to), fields, .. } in &mappings {
            let shared = end.min(*to).saturating_sub(start.max(*from));
            for (sum, (_, value)) in sums.iter_mut().zip(fields).filter(|_| shared != 0) {
                *sum += (u128::from(*value) * u128::from(shared) / u128::from(to - from)) as u64;
            }
        }
        let _ = writeln!(out, "{line}");
        for (name, sum) in names.iter().zip(sums) {
            let value = match *name {
                "Size:" => (end - start) / 1024,
                "KernelPageSize:" | "MMUPageSize:" => 4,
                _ => sum,
            };
            let _ = writeln!(out, "{name:<16}{value:8} kB");
        }
        let protection = line.split(' ').nth(1).unwrap_or_default().chars().zip(PROTECTION);
        let of_host = mappings.iter().find(|m| (m.range.0..m.range.1).contains(&start)).map_or(&[][..], |m| &m.flags);
        let flags = protection.filter(|(set, _)| !matches!(set, '-' | 'p')).map(|(_, flag)| flag);
        let _ = write!(out, "VmFlags:");
        flags.chain(of_host.iter().copied()).for_each(|flag| {
            let _ = write!(out, " {flag}");
        });
        out.push_str(" \n");
    }
    out
}

/// The sums of smaps. `host` says which fields there are.
fn rollup(smaps: &str, host: &str) -> String {
    let value = |line: &str| line.strip_suffix(" kB")?.rsplit(' ').next()?.parse::<u64>().ok();
    let sum = |name: &str| smaps.lines().filter(|l| l.split(' ').next() == Some(name)).filter_map(value).sum::<u64>();
    let mut ranges = smaps.lines().filter_map(range);
    let first = ranges.next().unwrap_or_default();
    let last = ranges.next_back().unwrap_or(first);
    let line = format!("{:08x}-{:08x} ---p 00000000 00:00 0 ", first.0, last.1);
    let mut out = format!("{line:<73}[rollup]\n");
    for name in host.lines().skip(1).filter_map(|l| l.split(' ').next()) {
        let _ = writeln!(out, "{name:<16}{:8} kB", sum(name));
    }
    out
}

/// The host's lines of numa_maps that are about the guest's memory.
fn numa_maps(maps: &str, host: &str) -> String {
    let start = |line: &str| u64::from_str_radix(line.split(' ').next()?, 16).ok();
    let is_guests =
        |l: &&str| start(l).is_some_and(|at| maps.lines().filter_map(range).any(|r| (r.0..r.1).contains(&at)));
    host.lines().filter(is_guests).fold(String::new(), |text, line| text + line + "\n")
}

/// The host's line with the guest's addresses (fields 26, 27, 28 code and stack, 45 to 51 data, heap, arguments, environment).
fn stat(t: &Task, text: &str) -> Vec<u8> {
    let p = t.process.mm.places();
    // The name may hold blanks: fields are counted from its end.
    let Some((head, rest)) = text.rsplit_once(')') else { return text.into() };
    let mut fields: Vec<String> = rest.split_whitespace().map(str::to_string).collect();
    let heap = t.process.mm.heap();
    let known = [
        (23, t.process.mm.total()),
        (26, p.code.0),
        (27, p.code.1),
        (28, p.stack_start),
        (45, p.data.0),
        (46, p.data.1),
        (47, heap.0),
        (48, p.args.0),
        (49, p.args.1),
        (50, p.env.0),
        (51, p.env.1),
    ];
    for (number, value) in known {
        if let Some(f) = fields.get_mut(number - 3) {
            *f = value.to_string();
        }
    }
    format!("{head}) {}\n", fields.join(" ")).into_bytes()
}

/// Pages: all, resident, shared, text, 0, data, 0. What is resident the host knows.
fn statm(total: u64, text: &str) -> Vec<u8> {
    let rest = text.split_once(' ').map_or("", |(_, rest)| rest);
    format!("{} {rest}", total / 4096).into_bytes()
}

/// The host's lines without those of its processor, and for the own process with the guest's signals and sizes.
fn status(text: &str, own: Option<&Task>) -> Vec<u8> {
    let set = |v: u64| format!("{v:016x}");
    let size = |t: &Task| format!("{:8} kB", t.process.mm.total() / 1024);
    let mut out = String::new();
    for line in text.lines().filter(|l| !l.starts_with("x86_")) {
        let (name, value) = line.split_once(":\t").unwrap_or((line, ""));
        let other = match (name, own) {
            ("SigBlk", Some(t)) if is_own_thread(text, t) => Some(set(t.mask)),
            ("SigIgn", Some(t)) => Some(set(actions(t, |handler| handler == signal::SIG_IGN))),
            ("SigCgt", Some(t)) => Some(set(actions(t, |handler| handler > signal::SIG_IGN))),
            ("VmPeak" | "VmSize", Some(t)) => Some(size(t)),
            _ => None,
        };
        let _ = match other {
            Some(v) => writeln!(out, "{name}:\t{v}"),
            None if value.is_empty() => writeln!(out, "{line}"),
            None => writeln!(out, "{name}:\t{value}"),
        };
    }
    out.into_bytes()
}

/// Whether a status is that of the thread that asks.
fn is_own_thread(status: &str, t: &Task) -> bool {
    status.lines().find_map(|l| l.strip_prefix("Pid:\t")) == Some(&t.tid.to_string())
}

/// The signals whose handler is of that kind.
fn actions(t: &Task, is: impl Fn(u64) -> bool) -> u64 {
    (1..=64).filter(|s| is(t.actions.get(*s).handler)).fold(0, |set, s| set | signal::bit(s))
}

/// With the limits that rqemu keeps itself. None if there are none.
fn limits(text: &str) -> Option<Vec<u8>> {
    let kept = crate::sys::sched::kept_limits()?;
    let mut kept = kept.split(',').map(|item| {
        let (soft, hard) = item.split_once(':')?;
        let shown = |v: &str| if v == u64::MAX.to_string() { "unlimited".to_owned() } else { v.to_owned() };
        Some(format!("{:<20} {:<20} bytes     ", shown(soft), shown(hard)))
    });
    let [space, data] = [kept.next().flatten(), kept.next().flatten()];
    let mut out = String::new();
    for line in text.lines() {
        let other = match line.get(..25).map(str::trim_end) {
            Some("Max address space") => &space,
            Some("Max data size") => &data,
            _ => &None,
        };
        let _ = match other {
            Some(columns) => writeln!(out, "{}{columns}", &line[..26]),
            None => writeln!(out, "{line}"),
        };
    }
    Some(out.into_bytes())
}

/// The guest's ranges that show a file, or anything else with a name of its own: what map_files lists.
pub(super) fn mapped_files(t: &Task, found: &Found) -> Option<Vec<(u64, u64)>> {
    let maps = maps(t, found)?;
    Some(maps.lines().filter(|l| path(l).is_some_and(|p| !p.starts_with('['))).filter_map(range).collect())
}

/// The mapping of the host's at an address.
pub(super) fn host_range(found: &Found, at: u64) -> Option<(u64, u64)> {
    host_maps(&found.folder)?.lines().filter_map(range).find(|r| (r.0..r.1).contains(&at))
}

/// Addresses that the kernel was told of another process (`start.rs`): where its code and its stack begin; and an address in or at the end of rqemu's own
/// heap. 0 if we may not know.
fn told(folder: &[u8]) -> (u64, u64, u64) {
    let line = text_of(&[folder, b"/stat"].concat()).unwrap_or_default();
    let fields = line.rsplit(')').next().unwrap_or_default().split_whitespace();
    let fields: Vec<u64> = fields.map(|f| f.parse().unwrap_or(0)).collect();
    let field = |number: usize| fields.get(number - 3).copied().unwrap_or(0);
    (field(26), field(28), field(47))
}

/// Where a process's code begins.
pub(super) fn code_start(t: &Task, found: &Found) -> u64 {
    if found.whose == Whose::Own { t.process.image.code } else { told(&found.folder).0 }
}

/// A process's executable as it is called now: what is mapped where its code begins.
pub(super) fn executable(t: &Task, found: &Found) -> Option<Vec<u8>> {
    mapped_at(&found.folder, code_start(t, found))
}

/// The file that the host has mapped at an address of a process, as readlink(2) tells it.
fn mapped_at(folder: &[u8], at: u64) -> Option<Vec<u8>> {
    let maps = host_maps(folder)?;
    path(line_at(&maps, at)?).filter(|p| p.starts_with('/')).map(|p| p.replace("\\012", "\n").into_bytes())
}

/// The maps of another process that runs by rqemu, without rqemu's own: these are around its file, stack and vDSO, above all of the guest's, but for its heap.
/// Differs: executable is what the files' program headers say; what else the process made executable only it knows.
fn maps_of_another(folder: &[u8], maps: &str) -> String {
    let own = host::readlink(&[folder, b"/exe"].concat()).unwrap_or_default();
    let own = String::from_utf8_lossy(&own).into_owned();
    let is_rqemus = |l: &&str| path(l).is_some_and(|p| p == own || p.starts_with("[v"));
    let first = maps.lines().filter(is_rqemus).filter_map(range).map(|r| r.0).min().unwrap_or(u64::MAX);
    let end = first.saturating_sub(crate::mm::MARGIN).max(1 << 32);
    let (_, stack, own_heap) = told(folder);
    let names = pid(folder).and_then(ptrace::names_of).unwrap_or_default();
    let edges: Vec<u64> = names.iter().flat_map(|(r, _)| [r.0, r.1]).collect();
    let vdso: Vec<_> = names.iter().filter(|(_, name)| *name == "[vdso]").map(|(r, _)| *r).collect();
    let mut out = String::new();
    let (mut name, mut segments, mut code) = (String::new(), Vec::new(), Vec::new());
    for line in maps.lines().filter(|l| range(l).is_some_and(|r| r.0 < end)) {
        let (start, until) = range(line).unwrap_or_default();
        if (start..=until).contains(&own_heap) {
            continue;
        }
        if (start..until).contains(&stack) {
            let name = if path(line).is_none() { "[stack]" } else { "" };
            let _ = writeln!(out, "{}", padded(line, name));
            continue;
        }
        if path(line).is_none() {
            for piece in with_code(line, &vdso, &edges) {
                let at = range(&piece).map_or(0, |(at, _)| at);
                let own = names.iter().find(|((from, to), _)| (*from..*to).contains(&at));
                let _ = writeln!(out, "{}", own.map_or(piece.clone(), |(_, name)| padded(&piece, name)));
            }
            continue;
        }
        let file = path(line).filter(|p| p.starts_with('/')).unwrap_or_default();
        if file != name {
            let from_there = [folder, b"/root", file.as_bytes()].concat();
            (name, segments) = (file.to_owned(), loaded_segments(&from_there).unwrap_or_default());
            code.clear();
        }
        if let Some(first) = segments.first().filter(|s| Some(s.offset & !4095) == offset(line)) {
            code = code_at(start.wrapping_sub(first.vaddr & !4095), &segments);
        }
        for piece in with_code(line, &code, &[]) {
            let _ = writeln!(out, "{piece}");
        }
    }
    out
}

/// The PT_LOAD segments of a file; none if it is no ELF file.
fn loaded_segments(path: &[u8]) -> Option<Vec<elf::Segment>> {
    if path.ends_with(b"/") {
        return None;
    }
    let fd = host::open(path, libc::O_RDONLY | libc::O_NONBLOCK | libc::O_CLOEXEC).ok()?;
    let read = |at: u64, bytes: &mut [u8]| host::pread(fd, bytes, at).ok().filter(|n| *n == bytes.len());
    let segments = || {
        let mut head = [0; elf::HEADER_SIZE];
        read(0, &mut head)?;
        let header = elf::header(&head).ok()?;
        let (at, length) = header.segments_range().ok()?;
        let mut bytes = vec![0; length];
        read(at, &mut bytes)?;
        Some(header.segments(&bytes).into_iter().filter(|s| s.kind == elf::PT_LOAD).collect())
    };
    let found = segments();
    host::close(fd);
    found
}

/// The pages of executable segments, where the image is moved by `bias`.
fn code_at(bias: u64, segments: &[elf::Segment]) -> Vec<(u64, u64)> {
    let code = segments.iter().filter(|s| s.flags & elf::PF_X != 0);
    code.map(|s| (bias.wrapping_add(s.vaddr), s.filesz))
        .map(|(at, length)| (at & !4095, at.wrapping_add(length).wrapping_add(4095) & !4095))
        .collect()
}

/// A line of maps in pieces, of which those are executable that are readable and in a range of `code`. It is cut at `edges` too.
fn with_code(line: &str, code: &[(u64, u64)], edges: &[u64]) -> Vec<String> {
    let mut fields = line.splitn(4, ' ');
    let (Some((start, end)), Some(offset), Some(permissions), Some(rest)) =
        (range(line), offset(line), fields.nth(1), fields.nth(1))
    else {
        return vec![line.to_owned()];
    };
    let mut cuts: Vec<u64> = code.iter().flat_map(|c| [c.0, c.1]).chain(edges.iter().copied()).collect();
    cuts.retain(|at| (start..end).contains(at));
    cuts.extend([start, end]);
    cuts.sort_unstable();
    cuts.dedup();
    let piece = |from: u64, to: u64| {
        let is_code = permissions.starts_with('r') && code.iter().any(|c| (c.0..c.1).contains(&from));
        let (rights, shared) = permissions.split_at(2);
        let rights = if is_code { format!("{rights}x{}", &shared[1..]) } else { permissions.to_owned() };
        format!("{from:08x}-{to:08x} {rights} {:08x} {rest}", offset + (from - start))
    };
    cuts.windows(2).map(|w| piece(w[0], w[1])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "00400000-00403000 r--p 00000000 fe:00 7                     /bin/x\nSize:                 12 kB\nRss:                   6 kB\n\
                        VmFlags: rd mr mw me dd\n7ff000000000-7ff000001000 rw-p 00000000 00:00 0 \nSize:                  4 kB\nRss:                   4 kB\n";

    #[test]
    fn sizes_are_shared_out() {
        let maps = "00400000-00401000 r-xp 00000000 fe:00 7                     /bin/x\n00401000-00403000 r--p 00001000 fe:00 7                     /bin/x\n";
        let text = smaps(maps, HOST);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 8, "{text}");
        assert_eq!((lines[1], lines[2]), ("Size:                  4 kB", "Rss:                   2 kB"));
        assert_eq!((lines[5], lines[6]), ("Size:                  8 kB", "Rss:                   4 kB"));
        assert_eq!((lines[3], lines[7]), ("VmFlags: rd ex mr mw me dd ", "VmFlags: rd mr mw me dd "));
    }

    #[test]
    fn files_of_the_moment() {
        let maps = "00400000-00401000 r-xp 00000000 fe:00 7 \n00401000-00402000 r--p 00001000 fe:00 7 \n\
                    00500000-00501000 rw-p 00000000 00:00 0 \n00600000-00601000 r--p 00000000 fe:00 8 \n00700000-00701000 rw-p 00000000 00:00 0 \n";
        let name = format!("{:33}/bin/z (deleted)\n", "");
        let host = "00400000-00402000 r--p 00000000 00:2a 9                                     /bin/z (deleted)\n\
                    00500000-00501000 rw-p 00000000 00:00 0                                  [heap]\n00700000-00701000 rw-p 00000000 00:2a 9 /x\n";
        let wanted = [
            "00400000-00401000 r-xp 00000000 00:2a 9 ",
            &name,
            "00401000-00402000 r--p 00001000 00:2a 9 ",
            &name,
            // No file, and one that is gone from there.
            "00500000-00501000 rw-p 00000000 00:00 0 \n00600000-00601000 r--p 00000000 fe:00 8 \n00700000-00701000 rw-p 00000000 00:00 0 \n",
        ];
        assert_eq!(with_files(maps, host), wanted.concat());
    }

    #[test]
    fn sums_and_nodes() {
        let maps = "00400000-00403000 r-xp 00000000 fe:00 7                     /bin/x\n";
        let sums = "00400000-7ff000001000 ---p 00000000 00:00 0                              [rollup]\nRss:                  10 kB\n";
        let text = rollup(&smaps(maps, HOST), sums);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("00400000-00403000 ---p ") && lines[0].ends_with("  [rollup]"), "{text}");
        assert_eq!(lines[1..], ["Rss:                   6 kB"]);
        assert_eq!(
            numa_maps(maps, "00400000 default file=/bin/x\n7ff000000000 default\n"),
            "00400000 default file=/bin/x\n"
        );
    }

    #[test]
    fn lines_of_maps() {
        let line = "00400000-00403000 r--p 00000000 fe:00 7                     /bin/a b";
        assert_eq!((range(line), path(line)), (Some((0x40_0000, 0x40_3000)), Some("/bin/a b")));
        assert_eq!(path("00400000-00403000 rw-p 00000000 00:00 0 "), None);
    }

    #[test]
    fn code_of_another_process() {
        let line = "00400000-00408000 r--p 00001000 fe:00 7                     /bin/a b";
        let segment =
            |flags, offset, vaddr, filesz| elf::Segment { flags, offset, vaddr, filesz, ..elf::Segment::default() };
        let segments = [segment(elf::PF_R, 0x1000, 0x1000, 0x1800), segment(elf::PF_X, 0x2800, 0x3800, 0x1900)];
        let code = code_at(0x40_0000 - 0x1000, &segments);
        assert_eq!(code, [(0x40_2000, 0x40_5000)]);
        let pieces = with_code(line, &code, &[]);
        let first: Vec<String> = pieces.iter().map(|p| p.split(' ').take(3).collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(
            first,
            ["00400000-00402000 r--p 00001000", "00402000-00405000 r-xp 00003000", "00405000-00408000 r--p 00006000"]
        );
        assert_eq!(with_code(line, &[], &[]), [line]);
        assert_eq!(path(&pieces[1]), Some("/bin/a b"));
        let guarded = line.replace("r--p", "---p");
        assert_eq!(with_code(&guarded, &[(0, 0x20000)], &[]), [guarded]);
    }

    #[test]
    fn the_hosts_processor_is_not_told_of() {
        let text = "Name:\tx\nx86_Thread_features:\tshstk\nGroups:\t \nSigCgt:\t0000000000000001\n";
        assert_eq!(status(text, None), b"Name:\tx\nGroups:\t \nSigCgt:\t0000000000000001\n");
    }
}
