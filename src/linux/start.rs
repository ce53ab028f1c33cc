//! From rqemu's own start to the guest's first instruction: which program, which guest, its address space, its stack.

use crate::calls::places::tell_host;
use crate::cli::{self, Start};
use crate::elf;
use crate::host::{self, Errno};
use crate::loader::{self, Executable, LoadError, Program};
use crate::log::Sink;
use crate::map::PAGE;
use crate::memory;
use crate::mm::{Limits, Mm, Places as Placed, Request};
use crate::options::{Log, Options};
use crate::perf::Perf;
use crate::proc;
use crate::process::{Image, Process};
use crate::random::Random;
use crate::rseq;
use crate::seccomp;
use crate::signal;
use crate::stack::{self, Contents};
use crate::stats;
use crate::stored::{self, Images};
use crate::task::{FirstStop, Task};
use crate::vdso;
use crate::{call, exec, explain};
use arch::Guest;
use engine::{Engine, Folder};
use std::ffi::{CStr, c_char};

/// How deep `#!` may go (the kernel's limit in fs/exec.c).
const SCRIPT_DEPTH: usize = 5;
const DEFAULT_STACK: u64 = 8 << 20;
/// personality(2)
const ADDR_NO_RANDOMIZE: u64 = 0x004_0000;
const ADDR_COMPAT_LAYOUT: u64 = 0x020_0000;
const READ_IMPLIES_EXEC: u64 = 0x040_0000;
/// AT_FLAGS: the interpreter got the program's argv[0] too (binfmt_misc's P).
const AT_FLAGS_PRESERVE_ARGV0: u64 = 1;

/// What is to be run.
struct Plan {
    options: Options,
    guest: Option<&'static str>,
    path: Vec<u8>,
    args: Vec<Vec<u8>>,
    env: Vec<Vec<u8>>,
    /// AT_EXECFN.
    execfn: Vec<u8>,
    /// The program, already open.
    fd: Option<i32>,
    inherited: Vec<Vec<u8>>,
    /// Another rqemu has started this one.
    is_child: bool,
    /// Set-id.
    secure: bool,
    /// Limits that the rqemu before this one kept.
    limits: Option<Vec<u8>>,
    refusal: u64,
    /// Its seccomp filters, and its folder of translations.
    filters: Option<i32>,
    folder: Option<i32>,
    /// Its tracer's wishes.
    traced: Option<Vec<u8>>,
}

/// Runs rqemu. `guests`: all that there are. Returns only if there is nothing to run.
///
/// # Safety
/// `argv` and `envp` are what a C `main` gets; no other thread runs.
pub unsafe fn main(guests: &'static [&'static Guest], argv: *const *const c_char, envp: *const *const c_char) -> i32 {
    // SAFETY: the caller's promise.
    let (args, env) = unsafe { (strings(argv), strings(envp)) };
    let plan = match plan(args, env, guests) {
        Ok(p) => p,
        Err(say) => {
            host::write_all(if say.status == 0 { 1 } else { 2 }, say.text.as_bytes());
            return say.status;
        }
    };
    let explains = plan.options.explain;
    match prepare(plan, guests) {
        Ok(mut task) => task.run(),
        Err(e) => {
            if explains {
                host::write_all(2, explain::not_started(&e).as_bytes());
            }
            host::write_all(2, format!("rqemu: {e}\n").as_bytes());
            e.status
        }
    }
}

/// For `rqemu cache warm`, in a process of its own: translates what a program and its libraries hold. glibc's dynamic linker finds the libraries; it is run to
/// the point where it would list them, and no code of theirs. Ends the process.
pub fn warm(path: &[u8], mut options: Options, env: &[Vec<u8>], guests: &[&'static Guest]) -> i32 {
    options.warm = true;
    let mut env = cli::guest_environment(env, &options);
    env.push(b"LD_TRACE_LOADED_OBJECTS=1".to_vec());
    let path = path.to_vec();
    let plan = Plan {
        options,
        guest: None,
        args: vec![path.clone()],
        env,
        execfn: path.clone(),
        path,
        fd: None,
        inherited: Vec::new(),
        is_child: false,
        secure: false,
        limits: None,
        refusal: 0,
        filters: None,
        folder: None,
        traced: None,
    };
    match prepare(plan, Vec::leak(guests.to_vec())) {
        Ok(mut task) => {
            if task.process.image.lists {
                task.run();
            }
            stored::save(&task);
            0
        }
        Err(e) => {
            host::write_all(2, format!("rqemu: {e}\n").as_bytes());
            e.status
        }
    }
}

unsafe fn strings(mut list: *const *const c_char) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    // SAFETY: the list ends with a null pointer, each string with a NUL.
    unsafe {
        while !(*list).is_null() {
            out.push(CStr::from_ptr(*list).to_bytes().to_vec());
            list = list.add(1);
        }
    }
    out
}

fn auxval(kind: u64) -> Option<u64> {
    // SAFETY: it reads the process's own vector; only the first thread is there.
    unsafe {
        *libc::__errno_location() = 0;
        let v = libc::getauxval(kind);
        (v != 0 || *libc::__errno_location() == 0).then_some(v)
    }
}

/// Reads arguments and environment.
fn plan(mut args: Vec<Vec<u8>>, env: Vec<Vec<u8>>, guests: &[&'static Guest]) -> Result<Plan, cli::Say> {
    let secure = auxval(libc::AT_SECURE).is_some_and(|v| v != 0);
    let by_ourselves = args.first().is_some_and(|a| a == exec::OWN_NAME);
    let exec_fd = auxval(libc::AT_EXECFD).map(|fd| fd as i32);
    let trusted = by_ourselves && exec_fd.is_none();
    let mut passed = exec::Passed::from_environment(if secure && !trusted { &[] } else { &env });
    let keeps_argv0 = auxval(libc::AT_FLAGS).is_some_and(|f| f & AT_FLAGS_PRESERVE_ARGV0 != 0)
        || args.first().is_some_and(|a| a.ends_with(b"-binfmt-P"));
    let for_program = keeps_argv0 || exec_fd.is_some() || passed.fd.is_some();
    if args.is_empty() {
        args.push(b"rqemu".to_vec());
    }
    let inv = cli::parse(&args, &env, guests, Start { secure, for_program })?;
    let mut args = inv.program;
    let path = args[0].clone();
    if keeps_argv0 && passed.fd.is_none() && args.len() > 1 {
        args.remove(0);
    }
    if let Some(argv0) = passed.argv0.take().or_else(|| inv.options.argv0.clone()) {
        args[0] = argv0;
    }
    // The kernel knows the name even of a script whose interpreter we are to run.
    let kernels = || auxval(libc::AT_EXECFN).filter(|_| keeps_argv0 || exec_fd.is_some());
    // SAFETY: the kernel's string on our own stack.
    let kernels = || kernels().map(|at| unsafe { CStr::from_ptr(at as *const c_char) }.to_bytes().to_vec());
    Ok(Plan {
        env: cli::guest_environment(&env, &inv.options),
        options: inv.options,
        guest: inv.guest,
        execfn: passed.execfn.take().or_else(kernels).unwrap_or_else(|| path.clone()),
        path,
        args,
        fd: passed.fd.or(exec_fd),
        is_child: passed.fd.is_some(),
        inherited: inv.inherited,
        secure,
        limits: passed.limits.take(),
        refusal: passed.refusal.unwrap_or(0),
        filters: passed.filters,
        folder: passed.folder,
        traced: passed.traced.take(),
    })
}

/// Opens the program, through `#!` lines.
fn open(plan: &mut Plan) -> Result<Executable, LoadError> {
    for _ in 0..SCRIPT_DEPTH {
        let fd = match plan.fd.take() {
            Some(fd) => fd,
            None => loader::open(&plan.path)?,
        };
        let head = loader::head(fd, &plan.path)?;
        match loader::script_line(&head) {
            None => return Executable::read(fd, &plan.path, head),
            Some(Err(e)) => return Err(LoadError::new(&plan.path, e)),
            Some(Ok((interpreter, argument))) => {
                host::close(fd);
                exec::script_arguments(&mut plan.args, &plan.path, &interpreter, argument);
                plan.path = loader::under_prefix(&plan.options.ld_prefix, &interpreter);
            }
        }
    }
    Err(LoadError::errno(&plan.path, "cannot execute", Errno::ELOOP))
}

/// The guest for an executable.
fn choose(exe: &Executable, wanted: Option<&str>, guests: &[&'static Guest]) -> Result<&'static Guest, LoadError> {
    let found = guests.iter().find(|g| exe.header.is_for(&g.elf));
    match (found, wanted) {
        (Some(g), Some(name)) if g.name != name => {
            Err(LoadError::new(&exe.path, format!("cannot execute: a program for {}, not for {name}", g.name)))
        }
        (Some(g), _) => Ok(g),
        (None, _) => {
            let h = &exe.header;
            let order = if h.big_endian { "big" } else { "little" };
            let what =
                format!("cannot execute: no guest for ELF machine {} ({} bits, {order}-endian)", h.machine, h.class);
            Err(LoadError::new(&exe.path, what))
        }
    }
}

/// The CPU model, by name and properties; by default the first.
fn cpu_model(guest: &'static Guest, text: Option<&str>) -> Result<&'static arch::Cpu, LoadError> {
    let text = text.unwrap_or("any");
    let error = |what| LoadError { path: format!("-cpu {text}").into_bytes(), what, status: 1 };
    // It is asked for as long as the process lives.
    Ok(Box::leak(Box::new(arch::Cpu::parse(guest, text).map_err(error)?)))
}

fn prepare(mut plan: Plan, guests: &'static [&'static Guest]) -> Result<Box<Task>, LoadError> {
    let mut exe = open(&mut plan)?;
    let guest = choose(&exe, plan.guest, guests)?;
    let cpu = cpu_model(guest, plan.options.cpu.as_deref())?;
    let mut limits = Limits::new(guest.abi.task_size);
    limits.guard = guest.abi.branch_targets.as_ref().map_or(0, |b| b.prot);
    limits.top = plan.options.reserved_va.map_or(limits.top, |r| limits.top.min(r & !(PAGE - 1)));
    let log = plan.options.log_file.as_deref().unwrap_or_default();
    let sink = Sink::open(&plan.options).map_err(|e| LoadError::option(log, "cannot open the log", e))?;
    let perf = Perf::new(&plan.options);
    perf.open().map_err(|e| LoadError::option(b"-perfmap, -jitdump", "cannot write", e))?;
    let folder = if plan.secure {
        plan.folder.into_iter().for_each(host::close);
        None
    } else {
        stored::inherited(plan.folder, &plan.options).or_else(|| stored::folder(&plan.options, &plan.env))
    };
    let images = folder.map(|f| Images::new(f, guest.abi.task_size));
    let mm: &'static Mm = Box::leak(Box::new(Mm::new(limits, images, sink, perf)));
    let mut random = Random::new(plan.options.seed);
    rseq::leave_libc();
    let actions = signal::inherit();
    // The faults of loading must come through, whatever we inherited; the rest waits for the guest.
    let mask = signal::set_host_mask(!signal::SYNCHRONOUS);
    let (mut image, entry, sp) = build_image(&plan, guest, cpu, mm, &mut exe, &mut random)?;
    if let Some(limits) = &plan.limits {
        crate::sys::sched::keep_limits(mm, &String::from_utf8_lossy(limits));
    }
    let _ = mm.refusal(|_| Ok(plan.refusal));
    host::close(exe.fd);
    set_comm(&image.comm);
    image.told = tell_host(&mm.places(), guest).is_ok();

    let process: &'static Process = Box::leak(Box::new(Process {
        guest,
        guests,
        cpu,
        mm,
        engine: Engine::new(guest, engine_options(&plan.options, cpu, folder), mm),
        folder,
        image,
        is_child: plan.is_child,
        inherited: plan.inherited,
        options: plan.options,
    }));
    if process.options.log.has(Log::PAGE) {
        process.log(format_args!("{}", proc::own_maps(mm, sp)));
    }
    signal::set_host_mask(!0);
    signal::start(&actions, process.options.strace || process.options.explain);
    let error = |e| LoadError::errno(&exe.path, "cannot start", e);
    let filter = plan.filters.and_then(seccomp::take_over);
    let mut task = Task::first(process, actions, mask & !signal::UNBLOCKABLE, filter).map_err(error)?;
    (guest.reset)(task.cpu_mut().state_mut(), cpu);
    for slot in guest.abi.keys.as_flattened().iter().chain(guest.abi.entropy) {
        task.set(*slot, random.number());
    }
    task.set(guest.state.pc, entry);
    task.set(guest.abi.stack_pointer, sp);
    if let Some(traced) = plan.traced.take() {
        task.first_stop = FirstStop::Exec(traced);
    }
    Ok(task)
}

fn engine_options(options: &Options, cpu: &arch::Cpu, store: Option<&'static Folder>) -> engine::Options {
    let default = engine::Options::default();
    let host = options.features.unwrap_or(default.host);
    engine::Options {
        features: cpu.features,
        max_insns: if options.one_insn { 1 } else { default.max_insns },
        code_size: options.code_size.map_or(default.code_size, |s| (s as usize).clamp(1 << 20, 1 << 30)),
        interpret: options.interpret || !host.avx2,
        hot: options.hot.unwrap_or(default.hot).filter(|_| !options.one_insn && !options.log.has(Log::NOCHAIN)),
        fp_traps: options.fp_traps.unwrap_or(default.fp_traps),
        store,
        host,
        stats: stats::wanted(options),
        calls: &crate::sys::direct::CALLS,
        profile: options.perfmap || options.jitdump,
        chain: !options.log.has(Log::NOCHAIN),
        log: engine::Log {
            in_asm: options.log.has(Log::IN_ASM),
            op: options.log.has(Log::OP),
            op_opt: options.log.has(Log::OP_OPT),
            out_asm: options.log.has(Log::OUT_ASM),
            unimp: options.log.has(Log::UNIMP),
            exec: options.log.has(Log::EXEC),
            cpu: options.log.has(Log::CPU),
            fpu: options.log.has(Log::FPU),
            vpu: options.log.has(Log::VPU),
            guest_errors: options.log.has(Log::GUEST_ERRORS),
            filter: Vec::leak(options.log_filter.clone()),
        },
    }
}

fn set_comm(comm: &[u8]) {
    let name = host::c_string(&comm[..comm.len().min(15)]);
    // SAFETY: the kernel reads at most 16 bytes of a string that ends before.
    let _ = unsafe { call!(libc::SYS_prctl, libc::PR_SET_NAME, name.as_ptr(), 0, 0, 0) };
}

/// The absolute path of an open file.
fn real_path(fd: i32, path: &[u8]) -> Vec<u8> {
    if let Ok(p) = host::readlink(format!("/proc/self/fd/{fd}").as_bytes()) {
        return p;
    }
    if path.starts_with(b"/") {
        return path.to_vec();
    }
    let mut cwd = vec![0u8; 4096];
    // SAFETY: the kernel writes into the buffer.
    let n = unsafe { call!(libc::SYS_getcwd, cwd.as_mut_ptr(), cwd.len()) }.unwrap_or(1) as usize;
    [&cwd[..n - 1], b"/", path].concat()
}

/// The name that the kernel gives a process: the end of the name that it was started by (a script's, not its interpreter's), or of its file if that was
/// a descriptor.
fn comm(execfn: &[u8], exe: &[u8]) -> Vec<u8> {
    let by_descriptor = execfn.strip_prefix(b"/dev/fd/").is_some_and(|n| n.iter().all(u8::is_ascii_digit));
    // Its link says of a file that is gone that it is.
    let name = if by_descriptor { exe.strip_suffix(b" (deleted)").unwrap_or(exe) } else { execfn };
    let name = name.rsplit(|b| *b == b'/').next().unwrap_or_default();
    name[..name.len().min(15)].to_vec()
}

/// Where the pieces of the address space go.
struct Places {
    stack_top: u64,
    stack_size: u64,
    /// Where a position-independent program begins.
    base: u64,
    brk_gap: u64,
    personality: u64,
}

fn places(plan: &Plan, guest: &Guest, mm: &Mm, random: &mut Random) -> Places {
    // SAFETY: no memory is involved.
    let personality = unsafe { call!(libc::SYS_personality, 0xffff_ffffu32) }.unwrap_or(0);
    let small = guest.abi.task_size <= 1 << 32;
    // The kernel's amounts of randomness (arch_mmap_rnd, arch_randomize_brk), in pages.
    let mut pages = |bits: (u32, u32)| {
        let bits = if small { bits.0 } else { bits.1 };
        let pages = random.number() & ((1 << bits) - 1);
        if personality & ADDR_NO_RANDOMIZE != 0 { 0 } else { pages * PAGE }
    };
    let stack_top = mm.top() - pages((11, 22));
    let base = if small { 0x40_0000 } else { (mm.top() / 2) & !0xffff_ffff };
    let base = base + pages((8, 28));
    let brk_gap = pages((13, 18));
    let mmap_gap = pages((8, 28));
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel writes the struct.
    let _ = unsafe { call!(libc::SYS_prlimit64, 0, libc::RLIMIT_STACK, 0, &raw mut limit) };
    if personality & ADDR_COMPAT_LAYOUT != 0 || limit.rlim_cur == libc::RLIM_INFINITY {
        // As the kernel (mmap_is_legacy), from TASK_UNMAPPED_BASE.
        let part = mm.top() / if small { 3 } else { 4 };
        mm.set_mmap_base((part & !(PAGE - 1)) + mmap_gap);
    }
    // An unlimited stack still needs a size here.
    let most = if small { 64 << 20 } else { 1 << 30 };
    let size = plan.options.stack_size.unwrap_or(if limit.rlim_cur == 0 { DEFAULT_STACK } else { limit.rlim_cur });
    let stack_size = size.clamp(32 * PAGE, most) & !(PAGE - 1);
    Places { stack_top, stack_size, base, brk_gap, personality }
}

/// A mapping of our own making with these bytes at its start.
fn map_bytes(mm: &Mm, bytes: &[u8], name: &'static str) -> Result<u64, Errno> {
    let rw = (libc::PROT_READ | libc::PROT_WRITE) as u32;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    let len = (bytes.len() as u64).next_multiple_of(PAGE);
    let at = mm.mmap(None, &Request { addr: 0, len, prot: rw, flags, fd: -1, offset: 0, name, key: None })?;
    memory::write(at, bytes)?;
    mm.protect_new(at, len, (libc::PROT_READ | libc::PROT_EXEC) as u32)?;
    Ok(at)
}

/// The vDSO and the ABI's further pages; fills in their addresses.
fn map_kernel_code(mm: &Mm, guest: &Guest, image: &mut Image) -> Result<(), Errno> {
    let abi = guest.abi;
    for (n, page) in abi.vdso.pages.iter().enumerate() {
        let mut bytes = vec![0; PAGE as usize];
        for (at, code) in page.code {
            for (i, insn) in code.iter().enumerate() {
                let insn = if abi.big_endian { insn.to_be_bytes() } else { insn.to_le_bytes() };
                bytes[*at as usize + 4 * i..][..4].copy_from_slice(&insn);
            }
        }
        let at = match page.addr {
            Some(at) => mm.map_fixed_page(at, &bytes, page.name).map(|()| at)?,
            None => map_bytes(mm, &bytes, page.name)?,
        };
        if n == 0 {
            image.page = at;
        }
    }
    if abi.vdso.symbols.is_empty() {
        return Ok(());
    }
    let built = vdso::image(&guest.elf, abi);
    image.vdso = map_bytes(mm, &built.bytes, "[vdso]")?;
    let place = |name: Option<&str>| {
        let n = abi.vdso.symbols.iter().position(|s| Some(s.name) == name);
        n.map_or(0, |n| image.vdso + built.symbols[n])
    };
    (image.return_code, image.entry) = (place(abi.signals.return_symbol), place(Some("__kernel_vsyscall")));
    Ok(())
}

/// Loads everything. Returns where the guest starts and its stack pointer too.
fn build_image(
    plan: &Plan,
    guest: &'static Guest,
    cpu: &arch::Cpu,
    mm: &Mm,
    exe: &mut Executable,
    random: &mut Random,
) -> Result<(Image, u64, u64), LoadError> {
    let path = exe.path.clone();
    let error = |e| LoadError::errno(&path, "cannot load", e);
    let places = places(plan, guest, mm, random);
    let mut image = Image { exe: real_path(exe.fd, &plan.path), ..Image::default() };
    image.comm = comm(&plan.execfn, &image.exe);
    let interpreter = exe.interpreter()?;
    image.lists =
        interpreter.is_some_and(|path| path.rsplit(|b| *b == b'/').next().is_some_and(|n| n.starts_with(b"ld-linux")));

    let stack_flags = exe.stack_flags();
    if places.personality & READ_IMPLIES_EXEC != 0 || stack_flags.is_none() && guest.abi.old_programs_execute_data {
        mm.read_implies_exec(Some(true));
    }
    let exec = if stack_flags.is_some_and(|f| f & elf::PF_X != 0) { libc::PROT_EXEC } else { 0 };
    let bottom = places.stack_top - places.stack_size;
    let prot = (libc::PROT_READ | libc::PROT_WRITE | exec) as u32;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_FIXED_NOREPLACE;
    let r =
        Request { addr: bottom, len: places.stack_size, prot, flags, fd: -1, offset: 0, name: "[stack]", key: None };
    let mut fixed = Image::default();
    mm.set_mmap_top(bottom - (1 << 20));
    mm.mmap(None, &r).map_err(error)?;
    let program = loader::load(mm, guest, exe, &plan.options.ld_prefix, places.base)?;
    map_kernel_code(mm, guest, &mut fixed).map_err(error)?;
    (image.vdso, image.page) = (fixed.vdso, fixed.page);
    (image.return_code, image.entry) = (fixed.return_code, fixed.entry);
    let heap = program.main.end + places.brk_gap;

    let auxv = auxiliary(guest, cpu, &program, &image);
    let contents = Contents {
        args: &plan.args,
        env: &plan.env,
        execfn: &plan.execfn,
        platform: cpu.platform,
        random: (u128::from(random.number()) << 64 | u128::from(random.number())).to_le_bytes(),
        auxv: &auxv,
    };
    let stack = stack::build(guest.abi, places.stack_top, bottom, &contents)
        .map_err(|e| LoadError::errno(&exe.path, "cannot start: arguments and environment", e))?;
    let (code, data) = (program.main.code, program.main.data);
    let places = Placed {
        code,
        data: (data.0.max(code.0), data.1.max(code.1)),
        stack_start: stack.sp,
        args: stack.args,
        env: stack.env,
        auxv: Vec::leak(stack.auxv),
    };
    mm.set_places(places, (heap, heap));
    image.code = code.0;
    image.start = program.start();
    Ok((image, program.start(), stack.sp))
}

/// The entries that do not depend on the stack, in the kernel's order.
fn auxiliary(guest: &Guest, cpu: &arch::Cpu, program: &Program, image: &Image) -> Vec<(u64, u64)> {
    let id = |kind| auxval(kind).unwrap_or(0);
    let mut auxv = Vec::new();
    if image.entry != 0 {
        auxv.push((stack::AT_SYSINFO, image.entry));
    }
    if image.vdso != 0 {
        auxv.push((stack::AT_SYSINFO_EHDR, image.vdso));
    }
    if let Some(size) = (guest.abi.min_signal_stack)(cpu.features) {
        auxv.push((stack::AT_MINSIGSTKSZ, size));
    }
    let main = &program.main;
    let hwcap = (guest.hwcap)(cpu.features);
    auxv.extend([
        (stack::AT_HWCAP, hwcap[0]),
        (stack::AT_PAGESZ, guest.abi.page_size),
        (stack::AT_CLKTCK, 100),
        (stack::AT_PHDR, main.phdr),
        (stack::AT_PHENT, main.phentsize),
        (stack::AT_PHNUM, main.phnum),
        (stack::AT_BASE, program.interpreter.as_ref().map_or(0, |i| i.bias)),
        (stack::AT_FLAGS, 0),
        (stack::AT_ENTRY, main.entry),
        (stack::AT_UID, id(libc::AT_UID)),
        (stack::AT_EUID, id(libc::AT_EUID)),
        (stack::AT_GID, id(libc::AT_GID)),
        (stack::AT_EGID, id(libc::AT_EGID)),
        (stack::AT_SECURE, id(libc::AT_SECURE)),
        (stack::AT_HWCAP2, hwcap[1]),
    ]);
    if hwcap[2] != 0 {
        auxv.push((stack::AT_HWCAP3, hwcap[2]));
    }
    // The host's kernel writes the guest's area.
    let rseq = [stack::AT_RSEQ_FEATURE_SIZE, stack::AT_RSEQ_ALIGN];
    auxv.extend(rseq.into_iter().filter_map(|kind| Some((kind, auxval(kind)?))));
    auxv
}
