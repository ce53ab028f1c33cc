//! Builds the runner and feeds cases to it, under the reference and under the program in both of its ways.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::isa::{Case, Isa};
use super::record::{PAGE, SLOTS};
use crate::harness::{self, Guest};

const FLAGS: [&str; 10] = [
    "-nostdlib",
    "-static",
    "-ffreestanding",
    "-fno-builtin",
    "-fno-tree-loop-distribute-patterns",
    "-fno-stack-protector",
    "-fno-pic",
    "-no-pie",
    "-O1",
    "-Wl,--build-id=none",
];

/// A guest's assembler part, and flags: nothing but what the runner means to do touches vector registers; where it is linked to (runner.h
/// has the places around it, and a slot's end must reach it).
fn parts(guest: &Guest) -> (&'static str, &'static [&'static str]) {
    match guest.name {
        "arm" => ("arm.S", &["-marm", "-Wl,-Ttext-segment=0x30200000"]),
        "riscv64" => (
            "riscv.S",
            &["-march=rv64imac", "-mabi=lp64", "-mcmodel=medany", "-Wl,--no-relax", "-Wl,-Ttext-segment=0x300c0000"],
        ),
        "riscv32" => (
            "riscv.S",
            &["-march=rv32imac", "-mabi=ilp32", "-mcmodel=medany", "-Wl,--no-relax", "-Wl,-Ttext-segment=0x300c0000"],
        ),
        "x86_64" => ("x86_64.S", &["-mgeneral-regs-only", "-Wl,-Ttext-segment=0x30200000"]),
        "i386" => ("i386.S", &["-m32", "-mgeneral-regs-only", "-Wl,-Ttext-segment=0x30200000"]),
        _ => ("aarch64.S", &["-mgeneral-regs-only", "-Wl,-Ttext-segment=0x30200000"]),
    }
}

/// The guest's runner, built once; `Err` says what is missing.
pub(crate) fn built(guest: &Guest, vlenb: usize) -> Result<PathBuf, String> {
    type Built = BTreeMap<(&'static str, usize), Result<PathBuf, String>>;
    static BUILT: Mutex<Built> = Mutex::new(BTreeMap::new());
    let mut all = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    all.entry((guest.name, vlenb)).or_insert_with(|| build(guest, vlenb)).clone()
}

fn build(guest: &Guest, vlenb: usize) -> Result<PathBuf, String> {
    // The host's compiler makes code of 32 bits, too, if it needs no library, and so does that of riscv64.
    let name = match guest.name {
        "riscv32" => "riscv64-linux-gnu-gcc".into(),
        _ if guest.native => "gcc".into(),
        _ => format!("{}-gcc", guest.triplets[0]),
    };
    let compiler = harness::find_program(&name).ok_or(format!("no {name}"))?;
    let (folder, out) = (harness::repository().join("tests/differential"), harness::scratch("differential"));
    let (code, flags) = parts(guest);
    let (runner, partial) = (
        out.join(format!("runner-{}-{vlenb}", guest.name)),
        out.join(format!("runner-{}-{vlenb}.partial", guest.name)),
    );
    let mut command = Command::new(compiler);
    command
        .args(FLAGS)
        .args(flags)
        .arg(format!("-DVLENB={vlenb}"))
        .arg(folder.join("runner.c"))
        .arg(folder.join(code))
        .arg("-o")
        .arg(&partial);
    let done = harness::run(&mut command, Duration::from_secs(60));
    if done.end != "exit 0" {
        return Err(format!("the runner does not compile: {}", String::from_utf8_lossy(&done.stderr)));
    }
    fs::rename(&partial, &runner).map_err(|e| e.to_string())?;
    Ok(runner)
}

/// An emulator under which the runner is run.
#[derive(Debug)]
pub(crate) struct Emulator {
    pub(crate) name: &'static str,
    /// None: the host itself.
    program: Option<PathBuf>,
    arguments: Vec<String>,
    variables: &'static [(&'static str, &'static str)],
}

impl Emulator {
    /// The reference, optimising nothing across instructions.
    pub(crate) fn one_by_one(&self) -> Emulator {
        let mut arguments = self.arguments.clone();
        arguments.push("-one-insn-per-tb".into());
        Emulator { arguments, program: self.program.clone(), ..*self }
    }
}

impl Emulator {
    /// How many regions the program translates to run another.
    pub(crate) fn translations(&self, program: &Path) -> u64 {
        let stats = harness::scratch("differential").join(format!("stats-{}", std::process::id()));
        let _ = fs::remove_file(&stats);
        let mut command = Command::new(self.program.as_ref().expect("an emulator"));
        command.args(&self.arguments).arg(program).envs(self.variables.iter().copied());
        command.env("RQEMU_STATS", &stats).env("RQEMU_CACHE", "off");
        assert_eq!(harness::run(&mut command, Duration::from_secs(20)).end, "exit 0");
        let text = fs::read_to_string(&stats).expect("stats");
        let _ = fs::remove_file(&stats);
        let (_, rest) = text.split_once("\"regions\": ").expect("regions");
        rest.split(',').next().and_then(|n| n.parse().ok()).expect("a number")
    }
}

/// The ways in which the program runs cases: its code, its code with every loop a hot region at once, its interpreter, and its code where invalid
/// floating-point operations do not trap.
pub(crate) const WAYS: [&str; 4] = ["jit", "hot", "interpreter", "careful"];
/// The guests for which the last is another than the first: their invalid operations trap.
pub(crate) const CAREFUL: [&str; 4] = ["aarch64", "arm", "riscv64", "riscv32"];
/// All that are invalid trap.
const TRAPS: (&str, &str) = ("RQEMU_FP_TRAPS", "4000000000");

/// The reference as this processor first, then the program in these ways; `None` without a reference.
pub(crate) fn emulators(guest: &Guest, cpu: &'static str, vlenb: usize, ways: &[&str]) -> Option<Vec<Emulator>> {
    let vlen = (vlenb > 16).then(|| format!("max,vlen={}", 8 * vlenb));
    let (cpu, ours) = match vlen {
        Some(model) => (model.clone(), vec!["-cpu".into(), model]),
        // The model that has all there is.
        None if guest.name == "x86_64" => (cpu.into(), vec!["-cpu".into(), super::x86::MODEL.into()]),
        None => (cpu.into(), vec![]),
    };
    let rqemu = harness::rqemu(guest);
    let emulator =
        |name, program: PathBuf, arguments, variables| Emulator { name, program: Some(program), arguments, variables };
    let reference = if guest.native {
        Emulator { name: "reference", program: None, arguments: vec![], variables: &[] }
    } else {
        emulator("reference", harness::reference(guest)?, vec!["-cpu".into(), cpu], &[])
    };
    let all = [
        reference,
        emulator(WAYS[0], rqemu.clone(), ours.clone(), &[("RQEMU_HOT", "off"), TRAPS]),
        emulator(WAYS[1], rqemu.clone(), ours.clone(), &[("RQEMU_HOT", "0"), TRAPS]),
        emulator(WAYS[2], rqemu.clone(), ours.clone(), &[("RQEMU_INTERPRET", "1")]),
        emulator(WAYS[3], rqemu, ours, &[("RQEMU_HOT", "off"), ("RQEMU_FP_TRAPS", "0")]),
    ];
    let wanted = |e: &Emulator| ways.contains(&e.name) && (e.name != WAYS[3] || CAREFUL.contains(&guest.name));
    Some(all.into_iter().filter(|e| e.name == "reference" || wanted(e)).collect())
}

/// Where rqemu says that x86's programs run (LSL of the processor's own segment).
fn on_first_processor(command: &mut Command) {
    let stay = || {
        // SAFETY: sched_setaffinity is one system call and reads a set that is here; a set of zeros is an empty one.
        unsafe {
            let mut first: libc::cpu_set_t = std::mem::zeroed();
            libc::CPU_SET(0, &mut first);
            libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &first);
        }
        Ok(())
    };
    // SAFETY: what is called between fork and exec is async-signal-safe.
    unsafe { command.pre_exec(stay) };
}

/// Runs the file's records; the output, and how it ended.
fn feed(emulator: &Emulator, runner: &Path, input: &Path, output: &Path, limit: Duration) -> (Vec<u8>, String) {
    let mut command = match &emulator.program {
        Some(program) => Command::new(program),
        None => Command::new(runner),
    };
    // Any value of the variable asks for the interpreter.
    command.env_remove("RQEMU_INTERPRET").env_remove("QEMU_INTERPRET");
    if emulator.program.is_some() {
        command.args(&emulator.arguments).arg(runner).envs(emulator.variables.iter().copied());
    }
    if emulator.program.is_none() {
        on_first_processor(&mut command);
    }
    command.stdin(File::open(input).expect("records")).stdout(File::create(output).expect("records"));
    let mut child = match command.stderr(Stdio::null()).spawn() {
        Ok(child) => child,
        Err(error) => return (vec![], format!("not started: {error}")),
    };
    let start = Instant::now();
    let end = loop {
        match child.try_wait().expect("wait") {
            Some(status) => break status.to_string(),
            None if start.elapsed() > limit => {
                let _ = child.kill();
                let _ = child.wait();
                break "time limit".into();
            }
            None => thread::sleep(Duration::from_millis(5)),
        }
    };
    let bytes = fs::read(output).unwrap_or_default();
    let _ = fs::remove_file(output);
    (bytes, end)
}

/// The records of an output, one for each case that was run, and the scratch pages.
pub(crate) struct Records {
    bytes: Vec<u8>,
    size: usize,
    count: usize,
}

impl Records {
    fn place(&self, case: usize) -> usize {
        case * self.size + case / SLOTS * PAGE as usize
    }
    /// A case's record.
    pub(crate) fn get(&self, case: usize) -> Option<&[u8]> {
        self.bytes.get(self.place(case)..self.place(case) + self.size)
    }
    /// The scratch page after a batch, without the window, that was compared with each case, and without the start, where stores that
    /// begin in the page before may have written their second part.
    pub(crate) fn page(&self, batch: usize) -> Option<&[u8]> {
        let at = self.count.min((batch + 1) * SLOTS) * self.size + batch * PAGE as usize;
        self.bytes.get(at + 64..at + PAGE as usize - 256)
    }
}

/// Runs cases under an emulator. `Err` says how it ended and with which case, if that was not well.
pub(crate) fn run(
    isa: &dyn Isa,
    emulator: &Emulator,
    runner: &Path,
    cases: &[Case],
    name: &str,
) -> Result<Records, String> {
    let folder = harness::scratch("differential");
    let base = folder.join(format!("{name}-{}-{}-{}-{}", isa.name(), isa.vlenb(), emulator.name, std::process::id()));
    let (input, output) = (base.with_extension("in"), base.with_extension("out"));
    let size = isa.layout().size;
    let bytes: Vec<u8> = cases.iter().flat_map(|c| c.record.0.iter().copied()).collect();
    fs::write(&input, &bytes).expect("records");
    // A case takes a fraction of a millisecond on any machine.
    let limit = Duration::from_secs(60 + cases.len() as u64 / 500);
    let (got, end) = feed(emulator, runner, &input, &output, limit);
    let whole = cases.len() * size + cases.len().div_ceil(SLOTS) * PAGE as usize;
    let result = if end == "exit status: 0" && got.len() == whole {
        Ok(Records { bytes: got, size, count: cases.len() })
    } else {
        let batch = got.len() / (SLOTS * size + PAGE as usize);
        let part = &bytes[batch * SLOTS * size..bytes.len().min((batch + 1) * SLOTS * size)];
        let fails = |from: usize, to: usize| {
            let mut some = part.to_vec();
            // A case without words ends at once.
            for (i, record) in some.chunks_mut(size).enumerate() {
                if !(from..to).contains(&i) {
                    record[60..64].fill(0);
                }
            }
            fs::write(&input, &some).expect("records");
            feed(emulator, runner, &input, &output, Duration::from_secs(20)).1 != "exit status: 0"
        };
        Err(format!(
            "{} ended with {end}: {}",
            emulator.name,
            culprit(isa, cases, batch * SLOTS, part.len() / size, fails)
        ))
    };
    let _ = fs::remove_file(&input);
    result
}

/// Looks for one case of the batch that fails alone.
fn culprit(isa: &dyn Isa, cases: &[Case], first: usize, count: usize, fails: impl Fn(usize, usize) -> bool) -> String {
    let (mut from, mut to) = (0, count);
    while to - from > 1 {
        let middle = from + (to - from) / 2;
        if fails(from, middle) {
            to = middle;
        } else if fails(middle, to) {
            from = middle;
        } else {
            return format!("cases {} to {} together", first + from, first + to);
        }
    }
    match cases.get(first + from) {
        Some(case) => {
            let read = isa.read(&case.record);
            let parts = isa.layout().parts.iter().filter(|p| p.size <= 8 && read.contains(&p.name));
            let state: Vec<_> = parts.map(|p| format!("{}={:x}", p.name, case.record.value(p))).collect();
            let text = isa.text(&case.record, (first + from) % SLOTS);
            format!("case {}: {text} | {}", first + from, state.join(" "))
        }
        None => "no case".into(),
    }
}
