//! What the command line and the environment set, for the whole process. Parsed by the program (`main.rs` through [`crate::cli`]).

/// Items of `-d`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Log(pub u32);

macro_rules! log_items {
    ($($name:ident $text:literal $bit:literal $about:literal;)*) => {
        impl Log {
            $(pub const $name: Log = Log(1 << $bit);)*
            /// (name, item, what it writes)
            pub const ITEMS: &'static [(&'static str, Log, &'static str)] = &[$(($text, Log(1 << $bit), $about)),*];
            pub fn has(self, item: Log) -> bool {
                self.0 & item.0 != 0
            }
        }
    };
}

log_items! {
    OUT_ASM "out_asm" 0 "host code of each translation";
    IN_ASM "in_asm" 1 "guest code of each translation";
    OP "op" 2 "intermediate code as the front end made it";
    OP_OPT "op_opt" 3 "intermediate code of hot regions after optimisation";
    OP_IND "op_ind" 4 "accepted for qemu's sake: nothing to show";
    INT "int" 5 "signals and faults";
    EXEC "exec" 6 "each translation that is entered from the engine (with nochain: each)";
    CPU "cpu" 7 "registers before each such entry";
    FPU "fpu" 8 "with cpu: floating-point and vector registers too";
    VPU "vpu" 9 "with cpu: the same";
    MMU "mmu" 10 "accepted for qemu's sake: machines only";
    PCALL "pcall" 11 "accepted for qemu's sake: x86 machines only";
    CPU_RESET "cpu_reset" 12 "accepted for qemu's sake: machines only";
    UNIMP "unimp" 13 "instructions and system calls that are not implemented";
    GUEST_ERRORS "guest_errors" 14 "undefined instructions, and signal frames that are not valid";
    PAGE "page" 15 "the address space after loading";
    NOCHAIN "nochain" 16 "no links between translations, so that exec and cpu tell of each";
    STRACE "strace" 17 "each system call, like -strace";
    TID "tid" 18 "a log file for each thread: -D needs a name with %d";
    INVALID_MEM "invalid_mem" 19 "accepted for qemu's sake: machines only";
    STATS "stats" 20 "at the end: translations, time, exits, calls of helpers";
}

/// The name of a file to be written, with a number for `%d`.
pub fn file_name(name: &[u8], id: i32) -> Vec<u8> {
    let id = id.to_string();
    let mut out = Vec::with_capacity(name.len() + id.len());
    let mut rest = name;
    while let Some(at) = rest.windows(2).position(|w| w == b"%d") {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(id.as_bytes());
        rest = &rest[at + 2..];
    }
    out.extend_from_slice(rest);
    out
}

/// The options.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The program is not run: what its files hold is translated, to be stored (`rqemu cache warm`).
    pub warm: bool,
    /// `-L`: where the guest's files are looked for first. Without a slash at its end; empty if unset.
    pub ld_prefix: Vec<u8>,
    /// `-s`, in bytes.
    pub stack_size: Option<u64>,
    /// `-cpu`.
    pub cpu: Option<String>,
    /// `-E`: `NAME=value` each.
    pub set_env: Vec<Vec<u8>>,
    /// `-U`
    pub unset_env: Vec<Vec<u8>>,
    /// `-0`
    pub argv0: Option<Vec<u8>>,
    /// `-r`: what uname says as release.
    pub uname: Option<Vec<u8>>,
    /// `-R`: the guest's addresses end here.
    pub reserved_va: Option<u64>,
    /// `-strace`, `-d strace`
    pub strace: bool,
    /// `-d`
    pub log: Log,
    /// `-D`
    pub log_file: Option<Vec<u8>>,
    /// `-dfilter`: ranges, ends exclusive.
    pub log_filter: Vec<(u64, u64)>,
    /// `-one-insn-per-tb`
    pub one_insn: bool,
    /// `-tb-size`, in bytes.
    pub code_size: Option<u64>,
    /// `-explain`
    pub explain: bool,
    /// `-seed`
    pub seed: Option<u64>,
    /// `-hot`; Some(None): never.
    pub hot: Option<Option<u32>>,
    /// `-fp-traps`
    pub fp_traps: Option<u32>,
    /// `-interpret`: run the interpreter, not generated code.
    pub interpret: bool,
    /// `-cache`: the folder of stored translations, or `off`.
    pub cache: Option<Vec<u8>>,
    /// `-cache-size`, in bytes.
    pub cache_size: Option<u64>,
    /// `-perfmap`, `-jitdump`
    pub perfmap: bool,
    pub jitdump: bool,
    /// `-host-features`
    pub features: Option<engine::Features>,
    /// `-stats`: a line of JSON for each process is added to it.
    pub stats_file: Option<Vec<u8>>,
}
