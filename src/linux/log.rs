//! Where the lines of `-d` and `-strace` go: to stderr, a file (`-D`), or a file for each thread (`-d tid`).

use crate::call;
use crate::host::{self, Errno};
use crate::options::{Log, Options, file_name};

/// Descriptors of our own are at this number or above, out of the way of the guest's.
const HIGH: i32 = 900;

/// See the module.
#[derive(Debug)]
pub struct Sink {
    fd: i32,
    /// The name with `%d` for the thread.
    by_thread: Option<Vec<u8>>,
}

impl Sink {
    pub fn open(options: &Options) -> Result<Sink, Errno> {
        let Some(name) = &options.log_file else { return Ok(Sink { fd: 2, by_thread: None }) };
        if options.log.has(Log::TID) {
            return Ok(Sink { fd: -1, by_thread: Some(name.clone()) });
        }
        Ok(Sink { fd: open_high(&file_name(name, host::getpid()), libc::O_TRUNC | libc::O_APPEND)?, by_thread: None })
    }

    pub fn write(&self, text: &str) {
        let Some(name) = &self.by_thread else { return host::write_all(self.fd, text.as_bytes()) };
        // Opened for each piece of text: threads come and go, and a log is slow anyway.
        let path = host::c_string(&file_name(name, host::gettid()));
        let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_APPEND | libc::O_CLOEXEC;
        // SAFETY: the kernel reads the string.
        if let Ok(fd) = unsafe { call!(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), flags, 0o644) } {
            host::write_all(fd as i32, text.as_bytes());
            host::close(fd as i32);
        }
    }
}

/// Opens a file to be written, out of the way of the guest's descriptors.
pub fn open_high(name: &[u8], flags: i32) -> Result<i32, Errno> {
    let path = host::c_string(name);
    let flags = libc::O_RDWR | libc::O_CREAT | libc::O_CLOEXEC | flags;
    // SAFETY: the kernel reads the string.
    let fd = unsafe { call!(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), flags, 0o644) }? as i32;
    // SAFETY: no memory is involved.
    match unsafe { call!(libc::SYS_fcntl, fd, libc::F_DUPFD_CLOEXEC, HIGH) } {
        Ok(high) => {
            host::close(fd);
            Ok(high as i32)
        }
        Err(_) => Ok(fd),
    }
}
