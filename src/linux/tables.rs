//! What rqemu prints of itself as text for the repository and for users: its guests, their system calls, how binfmt_misc is told of them.
//! Each comes from the rows that the program works with; a test compares them with README, `docs/` and `binfmt/`.
//! Not here: the help texts of the command line (`cli.rs`).

use crate::binfmt as registration;
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
    Print { name: "man", about: "the manual page", text: crate::manual::page },
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
    fields
        .into_iter()
        .find(|(name, _)| matches!(name.trim(), "Features" | "isa" | "flags"))
        .map_or("", |(_, list)| list.trim())
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

/// Lines in the format of man 5 binfmt.d.
pub fn binfmt(guests: &[&Guest]) -> String {
    let text = |g: &&Guest| {
        let line = registration::line(g, &format!("{}{}", registration::INSTALLED, g.name), registration::FLAGS);
        format!("# {0} programs, by rqemu. Printed by rqemu-{0} -binfmt.\n{line}\n", g.name)
    };
    registration::foreign(guests).iter().map(text).collect()
}
