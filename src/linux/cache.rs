//! `rqemu cache`: for those who look after stored translations (`stored.rs`).

use crate::commands::{Call, Row, said};
use crate::options::Options;
use crate::stored;
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
];

fn chosen(options: &Options, env: &[Vec<u8>]) -> Result<&'static Folder, String> {
    stored::folder(options, env).ok_or_else(|| "there is no folder for translations".into())
}

fn status(c: &Call) -> Result<String, String> {
    let folder = chosen(c.options, c.env)?;
    let files = folder.files();
    let bytes: u64 = files.iter().map(|f| f.bytes).sum();
    let path = String::from_utf8_lossy(folder.path()).into_owned();
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
    let _ = unsafe { crate::call!(libc::SYS_mkdir, name.as_ptr(), 0o700) };
    let shown = String::from_utf8_lossy(&path).into_owned();
    let folder = Folder::open(&path, true, u64::MAX);
    folder.map(|_| format!("{shown}\n")).ok_or_else(|| format!("{shown} cannot be a folder for translations"))
}
