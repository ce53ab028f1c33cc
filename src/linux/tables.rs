//! What rqemu prints of itself as text for the repository and for users: its guests, their system calls, how binfmt_misc is told of them.
//! Each comes from the rows that the program works with; a test compares them with README, `docs/` and `binfmt/`.
//! Not here: the help texts of the command line (`cli.rs`).

use crate::sys::{self, Support};
use arch::{Elf, Guest};
use std::collections::BTreeMap;
use std::fmt::Write;

/// A text that an option prints.
#[derive(Debug)]
pub struct Print {
    /// The option, without its dash.
    pub name: &'static str,
    pub about: &'static str,
    pub text: fn(&[&Guest]) -> String,
}

/// The options that print and end.
pub static PRINTS: &[Print] = &[
    Print { name: "guests", about: "a table of the guests and their CPU models", text: guests },
    Print { name: "syscalls", about: "a table of the system calls", text: syscalls },
    Print { name: "binfmt", about: "what to put into /etc/binfmt.d", text: binfmt },
];

/// The state of each guest, in Markdown.
pub fn guests(guests: &[&Guest]) -> String {
    let mut t = String::from(
        "| guest | `uname -m` | executables | system calls | made by the host | with code of our own | lacking |\n\
         | --- | --- | --- | --: | --: | --: | --: |\n",
    );
    for g in guests {
        let [host, own, lacking] = counts(g);
        let _ = writeln!(
            t,
            "| {} | {} | {} | {} | {host} | {own} | {lacking} |",
            g.name,
            g.machine,
            executables(&g.elf),
            host + own + lacking
        );
    }
    t.push_str("\n| guest | `-cpu` | features, as in /proc/cpuinfo |\n| --- | --- | --- |\n");
    for g in guests {
        for cpu in g.cpus {
            let _ = writeln!(t, "| {} | {} | {} |", g.name, cpu.name, features(&(g.cpuinfo)(0, cpu.features)));
        }
    }
    t
}

fn executables(elf: &Elf) -> String {
    let order = if elf.big_endian { "big" } else { "little" };
    format!("ELF machine {}, {} bits, {order}-endian", elf.machine, elf.class)
}

/// Calls that the host makes, that have bodies, that are ENOSYS.
fn counts(guest: &Guest) -> [usize; 3] {
    let mut n = [0; 3];
    for (_, _, support) in sys::table(guest.abi.table).into_iter().flat_map(sys::support) {
        n[match support {
            Support::Host => 0,
            Support::Own => 1,
            Support::Lacking(_) => 2,
        }] += 1;
    }
    n
}

/// The line of /proc/cpuinfo that lists what the processor has.
fn features(cpuinfo: &str) -> &str {
    let fields = cpuinfo.lines().filter_map(|line| line.split_once(':'));
    fields.into_iter().find(|(name, _)| matches!(name.trim(), "Features" | "isa")).map_or("", |(_, list)| list.trim())
}

/// The calls of each guest's ABI, in Markdown: a line for each name.
pub fn syscalls(guests: &[&Guest]) -> String {
    let mut rows: BTreeMap<&str, Vec<Option<(u64, Support)>>> = BTreeMap::new();
    for (n, g) in guests.iter().enumerate() {
        for (number, name, support) in sys::table(g.abi.table).into_iter().flat_map(sys::support) {
            rows.entry(name).or_insert_with(|| vec![None; guests.len()])[n] = Some((number, support));
        }
    }
    let mut t = String::from(
        "# System calls by guest\n\n\
         What `rqemu -syscalls` prints. A number alone: arguments are converted as their types say, and the host makes the call. *own*: the call has\n\
         code of its own. *lacking*: ENOSYS, and a line under `-d unimp`; the last column says why. A number that is not here is ENOSYS too.\n\n\
         | call |",
    );
    guests.iter().for_each(|g| t += &format!(" {} |", g.name));
    t += " why it is lacking |\n| --- |";
    guests.iter().for_each(|_| t += " --: |");
    t += " --- |\n";
    for (name, cells) in rows {
        let _ = write!(t, "| {name} |");
        let mut reason = "";
        for cell in cells {
            match cell {
                None => t += " |",
                Some((number, Support::Host)) => t += &format!(" {number} |"),
                Some((number, Support::Own)) => t += &format!(" {number} own |"),
                Some((number, Support::Lacking(why))) => {
                    reason = why;
                    t += &format!(" {number} lacking |");
                }
            }
        }
        t += &if reason.is_empty() { String::from(" |\n") } else { format!(" {reason} |\n") };
    }
    t
}

/// Where the registrations look for rqemu: a link to it, or a copy, by the guest's name.
const INSTALLED: &str = "/usr/bin/rqemu-";

/// Lines in the format of man 5 binfmt.d. F: the kernel opens rqemu when it is told of it, so that it is found in any root. P: the program's
/// argv[0] is handed over.
pub fn binfmt(guests: &[&Guest]) -> String {
    let line = |g: &&Guest| {
        let bytes = pattern(&g.elf);
        let hex = |part: fn(&(u8, u8)) -> u8| bytes.iter().map(|b| format!("\\x{:02x}", part(b))).collect::<String>();
        let (magic, mask) = (hex(|b| b.0), hex(|b| b.1));
        format!(
            "# {0} programs, by rqemu. Printed by rqemu-{0} -binfmt.\n:rqemu-{0}:M::{magic}:{mask}:{INSTALLED}{0}:PF\n",
            g.name
        )
    };
    guests.iter().map(line).collect()
}

/// The start of an executable of this kind: for each byte its value, and the bits of it that count. As the kernel, it looks neither at the
/// OS ABI nor at what follows it in e_ident.
fn pattern(elf: &Elf) -> Vec<(u8, u8)> {
    let mut bytes = vec![(0, 0); 52];
    let mut put = |at: usize, len: usize, value: u32, mask: u32| {
        for i in 0..len {
            let shift = 8 * if elf.big_endian { len - 1 - i } else { i };
            bytes[at + i] = ((value >> shift) as u8, (mask >> shift) as u8);
        }
    };
    for (at, byte) in b"\x7fELF".iter().enumerate() {
        put(at, 1, u32::from(*byte), 0xff);
    }
    // EI_CLASS, EI_DATA, EI_VERSION (man 5 elf).
    put(4, 1, if elf.class == 32 { 1 } else { 2 }, 0xff);
    put(5, 1, if elf.big_endian { 2 } else { 1 }, 0xff);
    put(6, 1, 1, 0xff);
    // e_type: ET_EXEC (2) or ET_DYN (3).
    put(16, 2, 2, 0xfffe);
    put(18, 2, u32::from(elf.machine), 0xffff);
    if let Some((mask, value)) = elf.flags {
        put(if elf.class == 32 { 36 } else { 48 }, 4, value, mask);
    }
    let used = bytes.iter().rposition(|b| b.1 != 0).map_or(0, |last| last + 1);
    bytes.truncate(used);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let p = pattern(&Elf { machine: 183, class: 64, big_endian: false, flags: None });
        assert_eq!(p.len(), 20);
        let start: Vec<u8> = p.iter().map(|b| b.0).collect();
        assert_eq!(start, b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\xb7\0");
        assert_eq!((p[7], p[15], p[16], p[17], p[19]), ((0, 0), (0, 0), (2, 0xfe), (0, 0xff), (0, 0xff)));
    }

    /// Where e_flags count too, and the bytes stand the other way round.
    #[test]
    fn patterns_of_a_big_endian_guest() {
        let p = pattern(&Elf { machine: 8, class: 32, big_endian: true, flags: Some((0xf000, 0x5000)) });
        assert_eq!(p.len(), 39);
        assert_eq!(&p[16..20], [(0, 0xff), (2, 0xfe), (0, 0xff), (8, 0xff)]);
        assert_eq!(&p[36..39], [(0, 0), (0, 0), (0x50, 0xf0)]);
    }
}
