//! What the threads of a guest process share: the guest, its address space, the engine, the program that was loaded.

use crate::explain;
use crate::mm::{self, Mm};
use crate::options::{Log, Options};
use crate::ptrace;
use crate::seccomp;
use arch::Guest;
use engine::{CodeSource, Cpu, Engine, Folder};
use std::fmt;
use std::ptr::NonNull;

/// A guest process. There is one in each host process; it lives as long as that.
#[derive(Debug)]
pub struct Process {
    pub guest: &'static Guest,
    /// Every guest of this program: execve runs their executables too.
    pub guests: &'static [&'static Guest],
    pub cpu: &'static arch::Cpu,
    pub options: Options,
    pub mm: &'static Mm,
    pub engine: Engine,
    /// Where translations are stored.
    pub folder: Option<&'static Folder>,
    pub image: Image,
    /// Another rqemu has started this one.
    pub is_child: bool,
    /// Values of QEMU_* and RQEMU_* variables that children must get again.
    pub inherited: Vec<Vec<u8>>,
}

/// What /proc tells of the program.
#[derive(Clone, Debug, Default)]
pub struct Image {
    /// The executable's absolute path.
    pub exe: Vec<u8>,
    /// Its name, as `comm` has it.
    pub comm: Vec<u8>,
    /// The kernel knows where arguments and environment are, so that its own cmdline and environ hold them.
    pub told: bool,
    /// Where its file's code was put.
    pub code: u64,
    /// First instruction, where the program's and the interpreter's images were put.
    pub start: u64,
    /// Addresses of the vDSO and of the ABI's first further page (arm's sigpage).
    pub vdso: u64,
    pub page: u64,
    /// Where handlers return to.
    pub return_code: u64,
    /// Where the vDSO's `__kernel_vsyscall` is, by which programs make any call; 0 if the ABI has none.
    pub entry: u64,
    /// Its interpreter is glibc's, which lists libraries if it is asked to, and then runs nothing.
    pub lists: bool,
}

impl Process {
    /// Writes a line to the log.
    pub fn log(&self, text: fmt::Arguments) {
        self.mm.log(&format!("{text}\n"));
    }

    /// A line under `-d guest_errors`.
    pub fn guest_error(&self, text: fmt::Arguments) {
        if self.options.log.has(Log::GUEST_ERRORS) {
            self.log(text);
        }
    }

    /// A line under `-d unimp`.
    pub fn unimp(&self, text: fmt::Arguments) {
        if self.options.explain {
            explain::lacks(text.to_string());
        }
        if self.options.log.has(Log::UNIMP) {
            self.log(text);
        }
    }

    /// Takes every lock, in this order, so that a forked child finds nothing half done.
    pub fn before_fork(&self) {
        self.engine.before_fork();
        crate::sys::hold();
        seccomp::hold();
        ptrace::hold();
        explain::hold();
        self.mm.hold();
        crate::alloc::hold();
    }

    /// Gives them back, in the parent and in the child, whose only task has the Cpu `keep`.
    pub fn after_fork(&self, child: bool, keep: NonNull<Cpu>) {
        crate::alloc::release();
        explain::release();
        ptrace::release();
        seccomp::release();
        self.mm.release();
        crate::sys::release();
        if child {
            let _ = self.mm.refusal(|bits| Ok(mm::inherited(bits)));
        }
        self.engine.after_fork(child, Some(keep));
        if child && self.mm.perf.is_wanted() {
            // What cannot be written is not there: the program goes on.
            let _ = self.mm.perf.open();
            self.engine.reset();
        }
    }
}
