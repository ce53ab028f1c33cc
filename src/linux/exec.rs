//! execve for guests: an executable of one of our guests is run by starting rqemu again, whether binfmt_misc knows us or not; `#!` lines are followed here,
//! since the host's kernel would not find an interpreter that it can run; the host's own programs run as they are.
//!
//! The new rqemu gets what cannot be said by arguments in variables of its own ([`Passed`]), which it takes out of the environment.

/// What one rqemu passes on to the next.
#[derive(Debug, Default)]
pub struct Passed {
    /// The program's open file.
    pub fd: Option<i32>,
    pub argv0: Option<Vec<u8>>,
    pub execfn: Option<Vec<u8>>,
}

const FD: &[u8] = b"RQEMU_EXECFD=";
const ARGV0: &[u8] = b"RQEMU_EXECARGV0=";
const EXECFN: &[u8] = b"RQEMU_EXECFN=";

impl Passed {
    pub fn from_environment(env: &[Vec<u8>]) -> Passed {
        let find = |name: &[u8]| env.iter().find_map(|v| v.strip_prefix(name)).map(<[u8]>::to_vec);
        let fd = find(FD).and_then(|v| String::from_utf8(v).ok()?.parse().ok());
        match fd {
            None => Passed::default(),
            Some(_) => Passed { fd, argv0: find(ARGV0), execfn: find(EXECFN) },
        }
    }

    /// As variables.
    pub fn to_environment(&self) -> Vec<Vec<u8>> {
        let mut env = Vec::new();
        if let Some(fd) = self.fd {
            env.push([FD, fd.to_string().as_bytes()].concat());
        }
        for (name, value) in [(ARGV0, &self.argv0), (EXECFN, &self.execfn)] {
            env.extend(value.as_ref().map(|v| [name, v].concat()));
        }
        env
    }
}

/// The arguments of a script's interpreter: its own path, its argument, the script's path, the script's arguments.
pub fn script_arguments(args: &mut Vec<Vec<u8>>, script: &[u8], interpreter: &[u8], argument: Option<Vec<u8>>) {
    let head: Vec<Vec<u8>> = [Some(interpreter.to_vec()), argument, Some(script.to_vec())].into_iter().flatten().collect();
    args.splice(..args.len().min(1), head);
}
