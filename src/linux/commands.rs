//! Commands: what rqemu does beside running a program, by words in the program's place (`rqemu cache status`). A program of such a name is run as
//! `./cache`. Not here: options (`cli.rs`).

use crate::cli::Say;
use crate::options::Options;
use crate::{binfmt, cache, doctor, host};
use arch::Guest;
use std::fmt::Write;

/// What a command has to work with.
#[derive(Debug)]
pub struct Call<'a> {
    pub options: &'a Options,
    pub env: &'a [Vec<u8>],
    pub guests: &'a [&'static Guest],
    /// The words behind the command's own.
    pub args: Vec<String>,
}

/// A command.
#[derive(Debug)]
pub struct Row {
    /// One word or two.
    pub name: &'static str,
    /// How the help shows the words that it takes; without any it takes none.
    pub takes: &'static str,
    pub about: &'static str,
    pub run: fn(&Call) -> Say,
}

/// The text for standard output, or one line that says what is wrong.
pub fn said(result: Result<String, String>) -> Say {
    match result {
        Ok(text) => Say { text, status: 0 },
        Err(text) => Say { text: format!("rqemu: {text}\n"), status: 1 },
    }
}

fn rows() -> impl Iterator<Item = &'static Row> {
    [cache::ROWS, binfmt::ROWS, doctor::ROWS].into_iter().flatten()
}

/// Text of `-h` for these.
pub fn help() -> String {
    rows().fold(String::new(), |mut t, r| {
        let name = format!("{} {}", r.name, r.takes);
        let _ = writeln!(t, "  {:<45} {}", name.trim_end(), r.about);
        t
    })
}

/// For the manual page: each command with what it takes, and what it does.
pub fn listed() -> impl Iterator<Item = (String, &'static str)> {
    rows().map(|r| (format!("{} {}", r.name, r.takes).trim_end().to_owned(), r.about))
}

/// What a command says, if that is what was asked for.
pub fn command(args: &[Vec<u8>], options: &Options, env: &[Vec<u8>], guests: &[&'static Guest]) -> Option<Say> {
    let words: Vec<String> = args.iter().map(|a| String::from_utf8_lossy(a).into_owned()).collect();
    // The longest name first: `binfmt status` before `binfmt`.
    let mut all: Vec<_> = rows().collect();
    all.sort_by_key(|r| std::cmp::Reverse(r.name.split(' ').count()));
    let row = all.iter().find(|r| {
        let name: Vec<_> = r.name.split(' ').collect();
        words.len() >= name.len() && words.iter().zip(&name).all(|(w, n)| w == n) && takes(r, words.len() - name.len())
    });
    let Some(row) = row else {
        let first = words.first()?;
        let meant = all.iter().any(|r| r.name.split(' ').next() == Some(first.as_str()));
        let program = || host::open(first.as_bytes(), libc::O_PATH).map(host::close).is_ok();
        return (meant && !program())
            .then(|| said(Err(format!("there is no command {:?} (see rqemu -h)", words.join(" ")))));
    };
    let args = words[row.name.split(' ').count()..].to_vec();
    Some((row.run)(&Call { options, env, guests, args }))
}

fn takes(row: &Row, words: usize) -> bool {
    words == 0 || !row.takes.is_empty()
}
