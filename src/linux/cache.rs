//! `rqemu cache`: for those who look after stored translations (`stored.rs`).

use crate::cli::Say;
use crate::options::Options;
use crate::stored;
use engine::Folder;
use std::fmt::Write;

/// A subcommand.
struct Row {
    name: &'static str,
    about: &'static str,
    run: fn(&Options, &[Vec<u8>]) -> Result<String, String>,
}

static ROWS: &[Row] = &[
    Row { name: "status", about: "where translations are kept, and how many", run: status },
    Row { name: "clear", about: "remove them all", run: clear },
    Row { name: "init", about: "keep them in a folder of the user's from now on, and not in memory", run: init },
];

/// Text of `-h` for this.
pub fn help() -> String {
    ROWS.iter().fold(String::new(), |mut t, r| {
        let _ = writeln!(t, "  cache {:<16} {:<22} {}", r.name, "", r.about);
        t
    })
}

/// What `rqemu cache ...` says, if that is what was asked for. A program of this name is run as `./cache`.
pub fn command(args: &[Vec<u8>], options: &Options, env: &[Vec<u8>]) -> Option<Say> {
    let [first, name] = args else { return None };
    let row = ROWS.iter().find(|r| r.name.as_bytes() == name && first == b"cache")?;
    Some(match (row.run)(options, env) {
        Ok(text) => Say { text, status: 0 },
        Err(text) => Say { text: format!("rqemu: {text}\n"), status: 1 },
    })
}

fn chosen(options: &Options, env: &[Vec<u8>]) -> Result<&'static Folder, String> {
    stored::folder(options, env).ok_or_else(|| "there is no folder for translations".into())
}

fn status(options: &Options, env: &[Vec<u8>]) -> Result<String, String> {
    let folder = chosen(options, env)?;
    let files = folder.files();
    let bytes: u64 = files.iter().map(|f| f.bytes).sum();
    let path = String::from_utf8_lossy(folder.path()).into_owned();
    Ok(format!("folder {path}\nfiles  {}\nbytes  {bytes} of {} at most\n", files.len(), folder.limit()))
}

fn clear(options: &Options, env: &[Vec<u8>]) -> Result<String, String> {
    chosen(options, env)?.clear();
    Ok(String::new())
}

fn init(options: &Options, env: &[Vec<u8>]) -> Result<String, String> {
    let path = options.cache.clone().or_else(|| stored::home(env)).ok_or("there is no home folder")?;
    let parent = &path[..path.iter().rposition(|b| *b == b'/').unwrap_or(0)];
    let name = crate::host::c_string(parent);
    // SAFETY: the kernel reads the path. What is there already stays.
    let _ = unsafe { crate::call!(libc::SYS_mkdir, name.as_ptr(), 0o700) };
    let shown = String::from_utf8_lossy(&path).into_owned();
    let folder = Folder::open(&path, true, u64::MAX);
    folder.map(|_| format!("{shown}\n")).ok_or_else(|| format!("{shown} cannot be a folder for translations"))
}
