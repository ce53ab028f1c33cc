//! The manual page, in man(7): printed from the same rows as the help. `docs/rqemu.1` is a copy.

use crate::options::Log;
use crate::tables::PRINTS;
use crate::{cli, commands};
use arch::Guest;
use std::fmt::Write;

/// Text for roff: a backslash and a leading dot would be commands, a plain hyphen becomes a dash.
fn plain(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

/// A term with its explanation.
fn term(t: &mut String, head: &str, about: &str) {
    let _ = writeln!(t, ".TP\n{head}\n{}", plain(about));
}

/// The page.
pub fn page(guests: &[&Guest]) -> String {
    let names = guests.iter().map(|g| g.name).collect::<Vec<_>>().join(", ");
    let mut t = format!(
        ".TH RQEMU 1 \"\" \"rqemu {}\" \"User Commands\"\n.SH NAME\nrqemu \\- runs Linux programs that were built for another processor\n\
         .SH SYNOPSIS\n.B rqemu\n.RI [ options ]\n.I program\n.RI [ arguments ...]\n.br\n.B rqemu\n.I command\n.SH DESCRIPTION\n\
         The program's instructions are translated to this machine's as they are reached; its system calls are made on this machine's kernel.\n\
         It sees the files, processes and network of this machine, and a processor of its own kind: {names}.\n.PP\n\
         Under a name like\n.BI rqemu\\- processor\nit takes only that processor's programs.\n.SH OPTIONS\n\
         They end at the program's name; one dash or two. Each has a variable, which programs started by this one inherit too; for\n.BI QEMU_ X\n\
         also\n.BI RQEMU_ X\ncounts, and counts more. Set\\-id programs and programs that the kernel started (binfmt_misc) have no options; set\\-id\n\
         programs have no variables either.\n",
        env!("CARGO_PKG_VERSION")
    );
    for (name, takes, variable, about) in cli::listed_options() {
        let value = takes.map_or(String::new(), |v| format!(" \" {}\"", plain(v)));
        let face = if takes.is_some() { "BI" } else { "B" };
        term(&mut t, &format!(".{face} \\-{}{value}", plain(name)), &format!("{about} ({variable})"));
    }
    for p in PRINTS {
        term(&mut t, &format!(".B \\-{}", p.name), &format!("prints {}", p.about));
    }
    t += ".SH COMMANDS\n";
    for (name, about) in commands::listed() {
        term(&mut t, &format!(".B {}", plain(&name)), about);
    }
    t += ".SH LOG ITEMS\nFor\n.BR \\-d :\n";
    for (name, _, about) in Log::ITEMS {
        term(&mut t, &format!(".B {}", plain(name)), about);
    }
    t + ".SH EXIT STATUS\nThe program's; a program killed by a signal kills rqemu by the same one. 127: there is no such file; 126: it cannot be run; 1: an\n\
         option is wrong.\n.SH FILES\n.TP\n.I /proc/sys/fs/binfmt_misc\nwhere the kernel is told of rqemu\n.TP\n.I ~/.cache/rqemu\n\
         translations, if\n.B rqemu cache init\nhas made it; else they are in\n.I /dev/shm\n.SH EXAMPLES\n.nf\n\
         rqemu \\-L /usr/aarch64\\-linux\\-gnu ./program\nsudo rqemu binfmt register\nrqemu \\-explain ./program\n.fi\n"
}
