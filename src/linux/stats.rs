//! `-d stats` and `-stats`: what the engine counted, told when a process ends, or becomes another by execve.

use crate::host::{self, Errno};
use crate::options::{Log, Options};
use crate::process::Process;
use crate::task::Task;
use crate::{call, options};

/// Whether counting was asked for.
pub fn wanted(options: &Options) -> bool {
    options.log.has(Log::STATS) || options.stats_file.is_some()
}

/// Tells what was counted until now; nothing if nothing was. A vfork child has no numbers of its own.
pub fn tell(t: &Task, end: &str) {
    let p = t.process;
    if t.vforked || !wanted(&p.options) {
        return;
    }
    let Some(report) = p.engine.report() else { return };
    if p.options.log.has(Log::STATS) {
        p.log(format_args!("stats of {} ({}), {end}\n{}", host::getpid(), shown(p), report.text().trim_end()));
    }
    if let Some(name) = &p.options.stats_file {
        let head = format!("\"pid\": {}, \"program\": {:?}, \"end\": {end:?}", host::getpid(), shown(p));
        let line = format!("{{{head}, {}}}\n", report.json_members());
        if append(name, line.as_bytes()).is_err() {
            p.log(format_args!("cannot write {}", String::from_utf8_lossy(name)));
        }
    }
}

/// The program's path, of plain characters: what JSON would have to escape otherwise becomes a question mark.
fn shown(p: &Process) -> String {
    let plain = |c: char| if c.is_control() || matches!(c, '"' | '\\') { '?' } else { c };
    String::from_utf8_lossy(&p.image.exe).chars().map(plain).collect()
}

/// One line of the file for each process: several may write to the same.
fn append(name: &[u8], line: &[u8]) -> Result<(), Errno> {
    let path = host::c_string(&options::file_name(name, host::getpid()));
    let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_APPEND | libc::O_CLOEXEC;
    // SAFETY: the kernel reads the string.
    let fd = unsafe { call!(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), flags, 0o644) }? as i32;
    host::write_all(fd, line);
    host::close(fd);
    Ok(())
}
