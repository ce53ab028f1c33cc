//! execve for guests: an executable of one of our guests is run by starting rqemu again, whether binfmt_misc knows us or not; `#!` lines are followed here,
//! since the host's kernel would not find an interpreter that it can run; the host's own programs run as they are.
//!
//! The new rqemu gets what cannot be said by arguments in variables of its own ([`Passed`]), which it takes out of the environment.

use crate::call;
use crate::elf;
use crate::host::{self, Errno, Res};
use crate::loader;
use crate::memory;
use crate::mm;
use crate::proc;
use crate::ptrace::board;
use crate::seccomp;
use crate::signal;
use crate::stats;
use crate::stored;
use crate::task::Task;
use arch::Guest;
use engine::Folder;

/// What one rqemu passes on to the next.
#[derive(Debug, Default)]
pub struct Passed {
    /// The program's open file.
    pub fd: Option<i32>,
    pub argv0: Option<Vec<u8>>,
    pub execfn: Option<Vec<u8>>,
    /// Limits that rqemu keeps itself.
    pub limits: Option<Vec<u8>>,
    /// PR_SET_MDWE's bits.
    pub refusal: Option<u64>,
    /// A file with seccomp filters.
    pub filters: Option<i32>,
    /// The folder with stored translations, where its path no longer leads to it.
    pub folder: Option<i32>,
    /// What its tracer wants ([`board::pass_on`]).
    pub traced: Option<Vec<u8>>,
}

const FD: &[u8] = b"RQEMU_EXECFD=";
const ARGV0: &[u8] = b"RQEMU_EXECARGV0=";
const EXECFN: &[u8] = b"RQEMU_EXECFN=";
const LIMITS: &[u8] = b"RQEMU_EXECLIMITS=";
const REFUSAL: &[u8] = b"RQEMU_EXECMDWE=";
const FILTERS: &[u8] = b"RQEMU_EXECFILTERS=";
const FOLDER: &[u8] = b"RQEMU_EXECFOLDER=";
const TRACED: &[u8] = b"RQEMU_EXECTRACED=";

/// All variables of this kind begin so. What a guest sets of them itself is dropped.
const OWN: &[u8] = b"RQEMU_EXEC";

/// argv[0] of a rqemu that another one starts. Nobody else's: by it a rqemu that runs with rights that its user has not got (AT_SECURE) knows that its
/// variables come from a rqemu with these rights, and not from the user. The kernel starts us by an absolute path (binfmt_misc).
pub const OWN_NAME: &[u8] = b"rqemu (exec)";

impl Passed {
    pub fn from_environment(env: &[Vec<u8>]) -> Passed {
        let find = |name: &[u8]| env.iter().find_map(|v| v.strip_prefix(name)).map(<[u8]>::to_vec);
        let number = |name: &[u8]| find(name).and_then(|v| String::from_utf8(v).ok()?.parse().ok());
        let fd = number(FD);
        match fd {
            None => Passed::default(),
            Some(_) => Passed {
                fd,
                argv0: find(ARGV0),
                execfn: find(EXECFN),
                limits: find(LIMITS),
                refusal: number(REFUSAL).and_then(|bits| u64::try_from(bits).ok()),
                filters: number(FILTERS),
                folder: number(FOLDER),
                traced: find(TRACED),
            },
        }
    }

    /// As variables.
    pub fn to_environment(&self) -> Vec<Vec<u8>> {
        let mut env = Vec::new();
        env.extend(self.refusal.map(|bits| [REFUSAL, bits.to_string().as_bytes()].concat()));
        for (name, fd) in [(FD, self.fd), (FILTERS, self.filters), (FOLDER, self.folder)] {
            env.extend(fd.map(|fd| [name, fd.to_string().as_bytes()].concat()));
        }
        for (name, value) in
            [(ARGV0, &self.argv0), (EXECFN, &self.execfn), (LIMITS, &self.limits), (TRACED, &self.traced)]
        {
            env.extend(value.as_ref().map(|v| [name, v].concat()));
        }
        env
    }
}

/// The arguments of a script's interpreter: its own path, its argument, the script's path, the script's arguments.
pub fn script_arguments(args: &mut Vec<Vec<u8>>, script: &[u8], interpreter: &[u8], argument: Option<Vec<u8>>) {
    let head: Vec<Vec<u8>> =
        [Some(interpreter.to_vec()), argument, Some(script.to_vec())].into_iter().flatten().collect();
    args.splice(..args.len().min(1), head);
}

/// How deep `#!` may go (the kernel's limit in fs/exec.c).
const SCRIPT_DEPTH: usize = 5;
/// More bytes of arguments than any host takes.
const MOST_BYTES: usize = 64 << 20;

/// Strings for the host's execve, with arrays of pointers to them.
#[derive(Debug, Default)]
pub struct Buffers {
    path: Vec<u8>,
    /// What `argv` and `envp` point to.
    _strings: Vec<Vec<u8>>,
    argv: Vec<u64>,
    envp: Vec<u64>,
}

impl Buffers {
    fn new(path: &[u8], args: &[Vec<u8>], env: &[Vec<u8>]) -> Buffers {
        let strings: Vec<Vec<u8>> = args.iter().chain(env).map(|s| host::c_string(s)).collect();
        let mut argv: Vec<u64> = strings.iter().map(|s| s.as_ptr() as u64).collect();
        let mut envp = argv.split_off(args.len());
        argv.push(0);
        envp.push(0);
        Buffers { path: host::c_string(path), _strings: strings, argv, envp }
    }
}

/// A null-terminated array of strings.
fn read_strings(t: &Task, mut at: u64) -> Result<Vec<Vec<u8>>, Errno> {
    let mut list = Vec::new();
    let mut total = 0;
    if at == 0 {
        return Ok(list);
    }
    let long = t.abi().long;
    loop {
        let mut b = [0; 8];
        memory::read(at, &mut b[..long])?;
        if t.abi().big_endian {
            b[..long].reverse();
        }
        let string = u64::from_le_bytes(b);
        if string == 0 {
            return Ok(list);
        }
        // MAX_ARG_STRLEN is 32 pages.
        let s = memory::read_cstr(string, 32 * 4096)
            .map_err(|e| if e == Errno::ENAMETOOLONG { Errno::E2BIG } else { e })?;
        total += s.len() + 1 + long;
        if total > MOST_BYTES {
            return Err(Errno::E2BIG);
        }
        list.push(s);
        at = at.wrapping_add(long as u64);
    }
}

/// A file to be executed, open. Closed at the end, unless the exec took it.
struct Candidate(i32);

impl Drop for Candidate {
    fn drop(&mut self) {
        host::close(self.0);
    }
}

/// What there is to execute.
enum What {
    /// A program of one of our guests.
    Guest(Candidate),
    /// The host's affair: its own programs, files that we may not read.
    Host,
}

/// Opens a program as execve does, with the errors that execve gives. None: it cannot be read, but perhaps executed.
fn open(t: &Task, dir: i32, path: &[u8], flags: i32) -> Result<Option<Candidate>, Errno> {
    let name = host::c_string(path);
    let fd = if path.is_empty() && dir == libc::AT_FDCWD {
        return Err(Errno::EACCES);
    } else if path.is_empty() {
        descriptor_flags(dir)?;
        let own = host::c_string(format!("/proc/self/fd/{dir}").as_bytes());
        t.host_call(libc::SYS_openat, [libc::AT_FDCWD as u64, own.as_ptr() as u64, OPEN_FLAGS, 0, 0, 0])
    } else {
        let nofollow = if flags & libc::AT_SYMLINK_NOFOLLOW != 0 { libc::O_NOFOLLOW as u64 } else { 0 };
        t.host_call(libc::SYS_openat, [dir as u64, name.as_ptr() as u64, OPEN_FLAGS | nofollow, 0, 0, 0])
    };
    let file = match fd {
        Ok(fd) => Candidate(fd as i32),
        Err(Errno::EACCES | Errno::EPERM) => return Ok(None),
        Err(Errno::ENXIO | Errno::ENODEV) => return Err(Errno::EACCES),
        Err(e) => return Err(e),
    };
    // SAFETY: all zero is a stat; the kernel writes it, and reads an empty string.
    let (stat, executable) = unsafe {
        let mut stat: libc::stat = std::mem::zeroed();
        call!(libc::SYS_fstat, file.0, &raw mut stat)?;
        let how = libc::AT_EMPTY_PATH | libc::AT_EACCESS;
        let r = match call!(libc::SYS_faccessat2, file.0, c"".as_ptr(), libc::X_OK, how) {
            Err(Errno::ENOSYS | Errno::EPERM) => Ok(u64::from(stat.st_mode & 0o111 == 0)),
            r => r,
        };
        (stat, r)
    };
    if stat.st_mode & libc::S_IFMT != libc::S_IFREG || executable != Ok(0) {
        return Err(Errno::EACCES);
    }
    Ok(Some(file))
}

/// Whether a program gains rights by being started: from the kernel only, if binfmt_misc knows rqemu with the flag C.
fn gains_rights(file: &Candidate) -> bool {
    // SAFETY: all zero is a stat; the kernel writes it, and reads strings; prctl and the ids take numbers.
    unsafe {
        if call!(libc::SYS_prctl, libc::PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == Ok(1) {
            return false;
        }
        let mut stat: libc::stat = std::mem::zeroed();
        if call!(libc::SYS_fstat, file.0, &raw mut stat).is_err() {
            return false;
        }
        let user = stat.st_mode & libc::S_ISUID != 0 && call!(libc::SYS_geteuid) != Ok(stat.st_uid.into());
        let group = stat.st_mode & (libc::S_ISGID | 0o10) == libc::S_ISGID | 0o10
            && call!(libc::SYS_getegid) != Ok(stat.st_gid.into());
        let capable =
            || call!(libc::SYS_fgetxattr, file.0, c"security.capability".as_ptr(), 0, 0).is_ok_and(|length| length > 0);
        user || group || capable()
    }
}

/// FD_CLOEXEC, or EBADF.
fn descriptor_flags(fd: i32) -> Res {
    // SAFETY: plain numbers.
    unsafe { call!(libc::SYS_fcntl, fd, libc::F_GETFD) }
}

/// Only asks whether the file could be executed (Linux 6.14).
const AT_EXECVE_CHECK: i32 = 0x1_0000;

const OPEN_FLAGS: u64 = (libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NONBLOCK | libc::O_NOCTTY) as u64;

/// execve(2) and execveat(2). Returns only with an error.
pub fn execve(t: &mut Task, dir: i32, path: Vec<u8>, argv: u64, envp: u64, flags: i32) -> Res {
    let mut args = read_strings(t, argv)?;
    let mut env = read_strings(t, envp)?;
    env.retain(|v| !v.starts_with(OWN));
    if flags & !(libc::AT_EMPTY_PATH | libc::AT_SYMLINK_NOFOLLOW | AT_EXECVE_CHECK) != 0 {
        return Err(Errno::EINVAL);
    }
    if path.is_empty() && flags & libc::AT_EMPTY_PATH == 0 {
        return Err(Errno::ENOENT);
    }
    if args.is_empty() {
        args.push(Vec::new());
    }
    let name = name_of(dir, &path);
    let path = proc::own_executable(t, dir, &path).unwrap_or(path);
    let original = Buffers::new(&path, &args, &with_settings(t, env.clone()));
    if flags & AT_EXECVE_CHECK != 0 {
        let (path, argv, envp) =
            (original.path.as_ptr() as u64, original.argv.as_ptr() as u64, original.envp.as_ptr() as u64);
        return t.host_call(libc::SYS_execveat, [dir as u64, path, argv, envp, flags as u64, 0]);
    }
    let mut program = name_of(dir, &path);
    let mut what = examine(t, open(t, dir, &path, flags)?)?;
    let mut from_script = false;
    for depth in 0.. {
        let Examined::Script(interpreter, argument) = what else { break };
        if depth == SCRIPT_DEPTH {
            return Err(Errno::ELOOP);
        }
        // The interpreter would find its script by a descriptor that is closed then.
        if by_descriptor(dir, &path) && descriptor_flags(dir)? & libc::FD_CLOEXEC as u64 != 0 {
            return Err(Errno::ENOENT);
        }
        script_arguments(&mut args, &program, &interpreter, argument);
        program = interpreter;
        from_script = true;
        what = examine(t, open(t, libc::AT_FDCWD, &program, 0)?)?;
    }
    match what {
        Examined::Program(What::Guest(file)) => {
            let again =
                Again { program: &program, execfn: &name, file: &file, gains: !from_script && gains_rights(&file) };
            run_ourselves(t, &again, &args, env, original, dir, flags)
        }
        // The host follows `#!` itself, from the file that was asked for.
        Examined::Program(What::Host) => Err(run_on_host(t, dir, flags, original).0),
        Examined::Script(..) if from_script => Err(Errno::ELOOP),
        Examined::Script(..) => Err(Errno::ENOEXEC),
    }
}

/// A file's kind.
enum Examined {
    Script(Vec<u8>, Option<Vec<u8>>),
    Program(What),
}

fn examine_head(t: &Task, file: Candidate) -> Result<Examined, Errno> {
    let mut head = [0; 256];
    let n = host::pread(file.0, &mut head, 0)?;
    let head = &head[..n];
    match loader::script_line(head) {
        Some(Ok((interpreter, argument))) => return Ok(Examined::Script(interpreter, argument)),
        Some(Err(_)) => return Err(Errno::ENOEXEC),
        None => {}
    }
    // The host's programs are ours only where the program that starts them is one.
    let ours = |g: &Guest| !elf::is_hosts(&g.elf) || elf::is_hosts(&t.process.guest.elf);
    let is_guests = elf::header(head).is_ok_and(|h| t.process.guests.iter().any(|g| h.is_for(&g.elf) && ours(g)));
    Ok(Examined::Program(if is_guests { What::Guest(file) } else { What::Host }))
}

fn examine(t: &Task, file: Option<Candidate>) -> Result<Examined, Errno> {
    match file {
        None => Ok(Examined::Program(What::Host)),
        Some(file) => examine_head(t, file),
    }
}

fn by_descriptor(dir: i32, path: &[u8]) -> bool {
    dir != libc::AT_FDCWD && !path.starts_with(b"/")
}

/// The name under which a program knows its file: a path, or one through its descriptor as the kernel makes it.
fn name_of(dir: i32, path: &[u8]) -> Vec<u8> {
    if !by_descriptor(dir, path) {
        return path.to_vec();
    }
    let dir = format!("/dev/fd/{dir}").into_bytes();
    if path.is_empty() { dir } else { [&dir, b"/".as_slice(), path].concat() }
}

/// The environment with the settings that children inherit.
fn with_settings(t: &Task, mut env: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    env.extend(t.process.inherited.iter().cloned());
    env
}

/// What is to be run by another rqemu.
struct Again<'a> {
    program: &'a [u8],
    execfn: &'a [u8],
    file: &'a Candidate,
    /// It is set-id, or has capabilities.
    gains: bool,
}

fn run_ourselves(
    t: &mut Task,
    again: &Again,
    args: &[Vec<u8>],
    env: Vec<Vec<u8>>,
    original: Buffers,
    dir: i32,
    flags: i32,
) -> Res {
    let original = if again.gains {
        match run_on_host(t, dir, flags, original) {
            (Errno::ENOEXEC, original) => {
                t.unimp(format_args!("execve: set-id without a registration with the flag C: it gains no rights"));
                original
            }
            (e, _) => return Err(e),
        }
    } else {
        original
    };
    // A descriptor that survives; the new rqemu closes it.
    let fd = t.host_call(libc::SYS_fcntl, [again.file.0 as u64, libc::F_DUPFD as u64, 3, 0, 0, 0])? as i32;
    let kept = Candidate(fd);
    let filters = seccomp::pass_on(t)?.map(Candidate);
    let folder = t.process.folder.and_then(Folder::hand_on).map(Candidate);
    let passed = Passed {
        fd: Some(fd),
        argv0: args.first().cloned(),
        execfn: Some(again.execfn.to_vec()),
        limits: crate::sys::sched::kept_limits().map(String::into_bytes),
        refusal: t.process.mm.refusal(Ok).ok().map(mm::inherited).filter(|bits| *bits != 0),
        filters: filters.as_ref().map(|f| f.0),
        folder: folder.as_ref().map(|f| f.0),
        traced: board::pass_on(t),
    };
    let mut own_args = vec![OWN_NAME.to_vec(), again.program.to_vec()];
    own_args.extend(args.iter().skip(1).cloned());
    let mut own_env = with_settings(t, env);
    own_env.extend(passed.to_environment());
    let buffers = Buffers::new(b"/proc/self/exe", &own_args, &own_env);
    stats::tell(t, "execve");
    stored::save(t);
    let result = replace(t, libc::AT_FDCWD, 0, buffers);
    drop((kept, filters, folder));
    match result {
        // No /proc here (debootstrap leaves a link to itself in its place), or not our file: the host may know us by binfmt_misc.
        (Errno::ENOENT | Errno::EACCES | Errno::ELOOP | Errno::ENOTDIR, _) => {
            Err(run_on_host(t, dir, flags, original).0)
        }
        (e, _) => Err(e),
    }
}

fn run_on_host(t: &mut Task, dir: i32, flags: i32, buffers: Buffers) -> (Errno, Buffers) {
    if t.seat.is_filtered() {
        t.unimp(format_args!("execve: seccomp filters cannot hold a program that rqemu does not run"));
        return (Errno::EACCES, buffers);
    }
    // Most of what a search through PATH tries is not there: no line for that.
    // SAFETY: the kernel reads the string.
    if unsafe { call!(libc::SYS_faccessat, dir, buffers.path.as_ptr(), libc::X_OK) }.is_ok() {
        stats::tell(t, "execve");
        stored::save(t);
    }
    replace(t, dir, flags, buffers)
}

/// The host's execve, with the guest's mask and ignored signals as the new program is to find them. It comes back with an error only.
fn replace(t: &mut Task, dir: i32, flags: i32, buffers: Buffers) -> (Errno, Buffers) {
    let b = t.exec.insert(buffers);
    let args = [dir as u64, b.path.as_ptr() as u64, b.argv.as_ptr() as u64, b.envp.as_ptr() as u64, flags as u64, 0];
    signal::before_exec(&t.actions, t.mask);
    let result = if flags == 0 && dir == libc::AT_FDCWD {
        t.host_call(libc::SYS_execve, [args[1], args[2], args[3], 0, 0, 0])
    } else {
        t.host_call(libc::SYS_execveat, args)
    };
    signal::after_exec(&t.actions);
    t.inbox.forget_host_mask();
    (result.err().unwrap_or(Errno::EIO), t.exec.take().unwrap_or_default())
}
