//! `rqemu cache`: for those who look after stored translations (`stored.rs`).

use crate::call;
use crate::commands::{Call, Row, said};
use crate::host::{self, Errno};
use crate::options::Options;
use crate::{start, stored};
use engine::Folder;

pub static ROWS: &[Row] = &[
    Row {
        name: "cache status",
        takes: "",
        about: "where translations are kept, and how many",
        run: |c| said(status(c)),
    },
    Row { name: "cache clear", takes: "", about: "remove them all", run: |c| said(clear(c)) },
    Row {
        name: "cache init",
        takes: "",
        about: "keep them in a folder of the user's from now on, and not in memory",
        run: |c| said(init(c)),
    },
    Row {
        name: "cache warm",
        takes: "PROGRAM...",
        about: "translate programs and their libraries without running them",
        run: |c| said(warm(c)),
    },
    Row {
        name: "cache carry",
        takes: "FILE",
        about: "write a rqemu that has the translations in itself, for containers that reach none",
        run: |c| said(carry(c)),
    },
];

/// Translates programs ahead, each in a process of its own.
fn warm(c: &Call) -> Result<String, String> {
    chosen(c.options, c.env)?;
    if c.args.is_empty() {
        return Err("cache warm needs programs".into());
    }
    for program in &c.args {
        // SAFETY: no other thread runs; the child goes on as a process of its own.
        match unsafe { libc::fork() } {
            0 => {
                // What the dynamic linker lists is for nobody.
                let _ = host::open(b"/dev/null", libc::O_WRONLY)
                    // SAFETY: descriptors of this process, which is to run nothing else.
                    .map(|null| unsafe { call!(libc::SYS_dup2, null, 1) });
                host::exit_group(start::warm(program.as_bytes(), c.options.clone(), c.env, c.guests))
            }
            -1 => return Err("no process for it".into()),
            child => {
                let mut status = 0;
                // SAFETY: the kernel writes the status.
                let ended = unsafe { libc::waitpid(child, &raw mut status, 0) };
                if ended != child || status != 0 {
                    return Err(format!("{program} could not be translated"));
                }
            }
        }
    }
    status(c)
}

/// Writes this program with the folder's translations in it.
fn carry(c: &Call) -> Result<String, String> {
    let folder = chosen(c.options, c.env)?;
    let [file] = &c.args[..] else { return Err("cache carry needs the name of a file".into()) };
    let own = host::read_file(b"/proc/self/exe").map_err(|e| format!("/proc/self/exe: {}", e.name()))?;
    let whole = engine::carry(&own, folder).ok_or("this rqemu was linked so that it cannot carry anything")?;
    let written = write_program(file, &whole);
    written.map_err(|e| format!("{file}: {}", e.name()))?;
    Ok(format!("{file}: {} bytes\n", whole.len()))
}

/// Writes an executable file under another name first: what is there may be running.
fn write_program(path: &str, bytes: &[u8]) -> Result<(), Errno> {
    let (path, new) = (host::c_string(path.as_bytes()), host::c_string(format!("{path}.new").as_bytes()));
    let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC | libc::O_CLOEXEC;
    // SAFETY: the kernel reads the names and the bytes.
    unsafe {
        let fd = call!(libc::SYS_open, new.as_ptr(), flags, 0o755)? as i32;
        let mut left = bytes;
        while !left.is_empty() {
            let n = call!(libc::SYS_write, fd, left.as_ptr(), left.len())?;
            left = &left[n as usize..];
        }
        host::close(fd);
        call!(libc::SYS_rename, new.as_ptr(), path.as_ptr()).map(drop)
    }
}

fn chosen(options: &Options, env: &[Vec<u8>]) -> Result<&'static Folder, String> {
    stored::folder(options, env).ok_or_else(|| "there is no folder for translations".into())
}

fn status(c: &Call) -> Result<String, String> {
    let folder = chosen(c.options, c.env)?;
    let files = folder.files();
    let bytes: u64 = files.iter().map(|f| f.bytes).sum();
    let path = match folder.path() {
        [] => "none, but this program's own file carries translations".into(),
        path => String::from_utf8_lossy(path),
    };
    Ok(format!("folder {path}\nfiles  {}\nbytes  {bytes} of {} at most\n", files.len(), folder.limit()))
}

fn clear(c: &Call) -> Result<String, String> {
    chosen(c.options, c.env)?.clear();
    Ok(String::new())
}

fn init(c: &Call) -> Result<String, String> {
    let path = c.options.cache.clone().or_else(|| stored::home(c.env)).ok_or("there is no home folder")?;
    let parent = &path[..path.iter().rposition(|b| *b == b'/').unwrap_or(0)];
    let name = crate::host::c_string(parent);
    // SAFETY: the kernel reads the path. What is there already stays.
    let _ = unsafe { call!(libc::SYS_mkdir, name.as_ptr(), 0o700) };
    let shown = String::from_utf8_lossy(&path).into_owned();
    let folder = Folder::open(&path, true, u64::MAX);
    folder.map(|_| format!("{shown}\n")).ok_or_else(|| format!("{shown} cannot be a folder for translations"))
}
