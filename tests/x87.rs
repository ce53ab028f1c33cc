//! The x87 unit and MMX against the host's: random sequences of instructions in one program, which the host runs itself, `rqemu` runs, and `rqemu`
//! interprets. All of FXSAVE's image, flags, memory and what a handler of SIGFPE is told must be alike.
//!
//! The program is an assembly file made here, for both widths. `RQEMU_SEED` and `RQEMU_CASES` make another one.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use decode::Random;

use crate::harness::{self, Outcome};

/// What a case leaves: FXSAVE's image, then EFLAGS and EAX.
const RECORD: usize = 512 + 16;
const EFLAGS: usize = 512;
/// Memory that its instructions work on.
const MEMORY: usize = 128;
/// What the handler saw: si_code, si_addr, the beginning of the frame's image.
const SIGNAL: usize = 48;

/// A width of the guest: its name, the compiler's option, whether addresses have 64 bits.
struct Width {
    name: &'static str,
    option: &'static str,
    long: bool,
}

const WIDTHS: [Width; 2] =
    [Width { name: "x86_64", option: "-m64", long: true }, Width { name: "i386", option: "-m32", long: false }];

/// Register forms: opcode, first and last ModRM byte.
const REGISTERS: &[(u8, u8, u8)] = &[
    (0xd8, 0xc0, 0xff),
    (0xd9, 0xc0, 0xd0),
    (0xd9, 0xe0, 0xe1),
    (0xd9, 0xe4, 0xe5),
    (0xd9, 0xe8, 0xee),
    (0xd9, 0xf0, 0xff),
    (0xda, 0xc0, 0xdf),
    (0xda, 0xe9, 0xe9),
    (0xdb, 0xc0, 0xdf),
    (0xdb, 0xe2, 0xe3),
    (0xdb, 0xe8, 0xf7),
    (0xdc, 0xc0, 0xcf),
    (0xdc, 0xe0, 0xff),
    (0xdd, 0xc0, 0xc7),
    (0xdd, 0xd0, 0xdf),
    (0xdd, 0xe0, 0xef),
    (0xde, 0xc0, 0xcf),
    (0xde, 0xd9, 0xd9),
    (0xde, 0xe0, 0xff),
    (0xdf, 0xc0, 0xc7),
    (0xdf, 0xe0, 0xe0),
    (0xdf, 0xe8, 0xf7),
];

/// Memory forms: opcode, and the digits that are instructions.
const MEMORIES: &[(u8, &[u8])] = &[
    (0xd8, &[0, 1, 2, 3, 4, 5, 6, 7]),
    (0xd9, &[0, 2, 3, 4, 5, 6, 7]),
    (0xda, &[0, 1, 2, 3, 4, 5, 6, 7]),
    (0xdb, &[0, 1, 2, 3, 5, 7]),
    (0xdc, &[0, 1, 2, 3, 4, 5, 6, 7]),
    (0xdd, &[0, 1, 2, 3, 4, 6, 7]),
    (0xde, &[0, 1, 2, 3, 4, 5, 6, 7]),
    (0xdf, &[0, 1, 2, 3, 4, 5, 6, 7]),
];

/// MMX instructions of a register and a register or memory, without the 0F.
#[rustfmt::skip]
const MMX: &[u8] = &[
    0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6f, 0x74, 0x75, 0x76, 0xd1, 0xd2, 0xd3, 0xd4, 0xd5, 0xd8, 0xd9,
    0xda, 0xdb, 0xdc, 0xdd, 0xde, 0xdf, 0xe0, 0xe1, 0xe2, 0xe3, 0xe4, 0xe5, 0xe8, 0xe9, 0xea, 0xeb, 0xec, 0xed, 0xee, 0xef, 0xf1, 0xf2, 0xf3,
    0xf4, 0xf5, 0xf6, 0xf8, 0xf9, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe, 0x7f,
];
/// The same behind 0F 38.
#[rustfmt::skip]
const MMX38: &[u8] =
    &[0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x1c, 0x1d, 0x1e];

fn below(random: &mut Random, n: usize) -> usize {
    (random.next() % n as u64) as usize
}

fn pick<T: Copy>(random: &mut Random, list: &[T]) -> T {
    list[below(random, list.len())]
}

/// `[ebx + disp32]` with a digit or register.
fn at(digit: u8, disp: usize) -> Vec<u8> {
    let mut bytes = vec![0x83 | digit << 3];
    bytes.extend_from_slice(&(disp as u32).to_le_bytes());
    bytes
}

fn x87(random: &mut Random) -> Vec<u8> {
    if below(random, 2) == 0 {
        let (opcode, first, last) = pick(random, REGISTERS);
        return vec![opcode, first + below(random, usize::from(last - first) + 1) as u8];
    }
    let (opcode, digits) = pick(random, MEMORIES);
    let digit = pick(random, digits);
    let of_state = matches!((opcode, digit), (0xd9, 4 | 6) | (0xdd, 4 | 6));
    // The state's forms are long; they are drawn less often.
    if of_state && below(random, 4) > 0 {
        return x87(random);
    }
    let disp = if of_state { 0 } else { 16 * below(random, 7) + below(random, 2) };
    let narrow = of_state && below(random, 3) == 0;
    let mut bytes = if narrow { vec![0x66, opcode] } else { vec![opcode] };
    bytes.extend(at(digit, disp));
    bytes
}

fn mmx(random: &mut Random) -> Vec<u8> {
    let reg = below(random, 8) as u8;
    let place = if below(random, 2) == 0 {
        vec![0xc0 | reg << 3 | below(random, 8) as u8]
    } else {
        at(reg, 8 * below(random, 12))
    };
    let imm = random.next() as u8;
    let general = 0xc0 | reg << 3;
    match below(random, 24) {
        0 => vec![0x0f, 0x77],
        1 => vec![0x0f, pick(random, &[0x71, 0x72, 0x73]), pick(random, &[0xd0, 0xf0]) | reg, imm % 70],
        2 => vec![0x0f, pick(random, &[0x71, 0x72]), 0xe0 | reg, imm % 40],
        3 => vec![0x0f, 0x6e, general],
        4 => vec![0x0f, 0x7e, general],
        5 => vec![0x0f, 0xd7, 0xc0 | reg],
        6 => vec![0x0f, 0xc5, 0xc0 | reg, imm],
        7 => vec![0x0f, 0xc4, general, imm],
        8 => [&[0x0f, 0x70], &place[..], &[imm]].concat(),
        9 => [&[0x0f, 0x3a, 0x0f], &place[..], &[imm % 20]].concat(),
        10 => vec![0xf2, 0x0f, 0xd6, 0xc0 | reg << 3],
        11 => vec![0xf3, 0x0f, 0xd6, 0xc0 | reg],
        12 => vec![0x0f, 0xf7, 0xc0 | reg << 3 | below(random, 8) as u8],
        13 => [&[0x0f, 0xe7], &at(reg, 8 * below(random, 12))[..]].concat(),
        14 => [&[0x0f, 0x2a], &place_of_source(&place, 0)[..]].concat(),
        15 => [&[0x66, 0x0f, 0x2a], &place_of_source(&place, 0)[..]].concat(),
        16 => vec![0x0f, pick(random, &[0x2c, 0x2d]), 0xc0 | reg << 3],
        17 => vec![0x66, 0x0f, pick(random, &[0x2c, 0x2d]), 0xc0 | reg << 3],
        18 => [&[0x0f, 0x38, pick(random, MMX38)], &place[..]].concat(),
        _ => [&[0x0f, pick(random, MMX)], &place[..]].concat(),
    }
}

/// The same place with another register beside it.
fn place_of_source(place: &[u8], reg: u8) -> Vec<u8> {
    let mut place = place.to_vec();
    place[0] = place[0] & !0x38 | reg << 3;
    place
}

/// A number of 80 bits: of any class, and often one that goes well with others.
fn extended(random: &mut Random) -> [u8; 10] {
    let sign = (random.next() as u16) << 15;
    let exponent = match below(random, 10) {
        0 => 0,
        1 => 0x7fff,
        2 => 1,
        3 => random.next() as u16 & 0x7fff,
        4 => 0x3fff + 64,
        5 => 0x3c00 + (random.next() as u16 & 7),
        _ => 0x3ff0 + (random.next() as u16 & 0x1f),
    };
    let mantissa = match below(random, 8) {
        0 => 1 << 63,
        1 => 0,
        2 => random.next(),
        3 => 1 << 63 | random.next() << 40,
        4 => 1 << 63 | random.next() & 0xff,
        5 => u64::MAX << (random.next() & 31),
        _ => 1 << 63 | random.next(),
    };
    let mut bytes = [0; 10];
    bytes[..8].copy_from_slice(&mantissa.to_le_bytes());
    bytes[8..].copy_from_slice(&(sign | exponent).to_le_bytes());
    bytes
}

/// 16 bytes of memory: a number of some size.
fn operand(random: &mut Random) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[10..].copy_from_slice(&random.next().to_le_bytes()[..6]);
    let small = (random.next() as i64) >> (random.next() & 63);
    match below(random, 6) {
        0 => bytes[..8].copy_from_slice(&small.to_le_bytes()),
        1 => bytes[..8].copy_from_slice(&(small as f64 / 16.0).to_le_bytes()),
        2 => {
            let pair = [small as f32, f32::from_bits(random.next() as u32)].map(f32::to_le_bytes);
            bytes[..8].copy_from_slice(pair.as_flattened());
        }
        // Digits.
        3 => (0..10).for_each(|n| bytes[n] = (below(random, 10) << 4 | below(random, 10)) as u8),
        4 => bytes[..8].copy_from_slice(&random.next().to_le_bytes()),
        _ => bytes[..10].copy_from_slice(&extended(random)),
    }
    bytes
}

/// FXSAVE's image to begin with.
fn image(random: &mut Random) -> [u8; 512] {
    let mut b = [0; 512];
    let control =
        (random.next() as u16 & 0xf00) | 0x40 | if below(random, 4) == 0 { random.next() as u16 & 0x3f } else { 0x3f };
    // Exceptions that are not masked do not wait at the start.
    let status = random.next() as u16 & 0x7f00 | random.next() as u16 & control & 0x3f;
    b[..2].copy_from_slice(&control.to_le_bytes());
    b[2..4].copy_from_slice(&status.to_le_bytes());
    b[4] = if below(random, 3) == 0 { random.next() as u8 } else { 0xff << below(random, 9).min(7) };
    b[24..28].copy_from_slice(&0x1f80u32.to_le_bytes());
    for n in 0..8 {
        b[32 + 16 * n..][..10].copy_from_slice(&extended(random));
    }
    let vector = [random.next() as i32 as f32, 2.5].map(f32::to_le_bytes);
    b[160..168].copy_from_slice(vector.as_flattened());
    b
}

/// A case: its instructions, what it begins with.
struct Case {
    code: Vec<Vec<u8>>,
    image: [u8; 512],
    memory: Vec<u8>,
    eflags: u32,
}

fn case(random: &mut Random) -> Case {
    let kind = below(random, 10);
    let length = 1 + below(random, 6);
    let one = |random: &mut Random| match kind {
        0..7 => x87(random),
        7 | 8 => mmx(random),
        _ if below(random, 2) == 0 => mmx(random),
        _ => x87(random),
    };
    let mut code: Vec<_> = (0..length).map(|_| one(random)).collect();
    if below(random, 3) == 0 {
        code.push(vec![0x9b]);
    }
    let memory = (0..MEMORY / 16).flat_map(|_| operand(random)).collect();
    // Carry, parity, zero.
    Case { code, image: image(random), memory, eflags: random.next() as u32 & 0x45 | 0x202 }
}

fn bytes(text: &mut String, bytes: &[u8]) {
    let list: Vec<String> = bytes.iter().map(u8::to_string).collect();
    let _ = writeln!(text, ".byte {}", list.join(","));
}

/// The assembly file.
fn program(width: &Width, cases: &[Case]) -> String {
    let mut text = String::from(if width.long { HEAD64 } else { HEAD32 });
    let address = if width.long { ".quad" } else { ".long" };
    for (n, case) in cases.iter().enumerate() {
        let [a, b, c, sp] =
            if width.long { ["%rax", "%rbx", "%rcx", "%rdi"] } else { ["%eax", "%ebx", "%ecx", "%edi"] };
        let _ = write!(
            text,
            "\tmov $resume{n},{a}\n\tmov {a},resume\n\tmov $signals+{},{a}\n\tmov {a},signal\n\tfxrstor image{n}\n\tmov $memory{n},{b}\n\
             \tlea 64({b}),{sp}\n\tmov $0x12345678,%eax\n\tpush ${}\n\tpopf\n",
            n * SIGNAL,
            case.eflags
        );
        case.code.iter().for_each(|i| bytes(&mut text, i));
        let record = n * RECORD;
        let _ = write!(
            text,
            "resume{n}:\n\tfxsave records+{record}\n\tpushf\n\tpop {c}\n\tmov %ecx,records+{}\n\tmov %eax,records+{}\n\tcld\n",
            record + EFLAGS,
            record + EFLAGS + 4
        );
    }
    let lengths =
        [("records", cases.len() * RECORD), ("memory0", cases.len() * MEMORY), ("signals", cases.len() * SIGNAL)];
    for (name, length) in lengths {
        let _ = if width.long {
            writeln!(text, "\tmov ${name},%rsi\n\tmov ${length},%rdx\n\tcall write")
        } else {
            writeln!(text, "\tmov ${name},%ecx\n\tmov ${length},%edx\n\tcall write")
        };
    }
    text.push_str("\tjmp done\n.data\n");
    let _ = writeln!(text, "resume: {address} 0\nsignal: {address} 0\n.balign 64");
    for (n, case) in cases.iter().enumerate() {
        let _ = writeln!(text, "image{n}:");
        bytes(&mut text, &case.image);
    }
    for (n, case) in cases.iter().enumerate() {
        let _ = writeln!(text, "memory{n}:");
        bytes(&mut text, &case.memory);
    }
    let _ = writeln!(
        text,
        ".bss\n.balign 64\nrecords: .skip {}\nsignals: .skip {}",
        cases.len() * RECORD,
        cases.len() * SIGNAL
    );
    text
}

/// Sets a handler of SIGFPE that notes code, address and the frame's image, and goes on behind the case.
const HEAD64: &str = "\
.text
write: mov $1,%edi
\tmov $1,%eax
\tsyscall
\tsub %rax,%rdx
\tadd %rax,%rsi
\ttest %rdx,%rdx
\tjg write
\tret
restorer: mov $15,%eax
\tsyscall
handler: mov signal,%rdi
\tmov 8(%rsi),%eax
\tmov %eax,(%rdi)
\tmov 16(%rsi),%rax
\tmov %rax,8(%rdi)
\tmov 224(%rdx),%rsi
\tmov resume,%rax
\tmov %rax,168(%rdx)
\tadd $16,%rdi
\tmov $32,%ecx
\trep movsb
\tret
done: xor %edi,%edi
\tmov $231,%eax
\tsyscall
.data
action: .quad handler,0x04000004,restorer,0
.text
.globl _start
_start: mov $13,%eax
\tmov $8,%edi
\tmov $action,%rsi
\txor %edx,%edx
\tmov $8,%r10d
\tsyscall
";

const HEAD32: &str = "\
.text
write: mov $1,%ebx
\tmov $4,%eax
\tint $0x80
\tsub %eax,%edx
\tadd %eax,%ecx
\ttest %edx,%edx
\tjg write
\tret
restorer: mov $173,%eax
\tint $0x80
handler: mov 8(%esp),%esi
\tmov 12(%esp),%edx
\tmov signal,%edi
\tmov 8(%esi),%eax
\tmov %eax,(%edi)
\tmov 12(%esi),%eax
\tmov %eax,8(%edi)
\tmov 96(%edx),%esi
\tmov resume,%eax
\tmov %eax,76(%edx)
\tadd $16,%edi
\tmov $28,%ecx
\trep movsb
\tret
done: xor %ebx,%ebx
\tmov $252,%eax
\tint $0x80
.data
action: .long handler,0x04000004,restorer,0,0
.text
.globl _start
_start: mov $174,%eax
\tmov $8,%ebx
\tmov $action,%ecx
\txor %edx,%edx
\tmov $8,%esi
\tint $0x80
";

fn assembled(width: &Width, text: &str) -> Result<PathBuf, String> {
    let gcc = harness::find_program("gcc").ok_or("no gcc")?;
    let name = format!("{}-{:016x}", width.name, harness::hash(&[text.as_bytes()]));
    let source = harness::scratch("x87").join(format!("{name}.S"));
    let program = source.with_extension("program");
    if !program.exists() {
        fs::write(&source, text).map_err(|e| e.to_string())?;
        let flags = [width.option, "-nostdlib", "-static", "-no-pie", "-Wl,--build-id=none"];
        let built =
            harness::run(Command::new(gcc).args(flags).arg(&source).arg("-o").arg(&program), Duration::from_secs(120));
        if built.end != "exit 0" {
            return Err(format!("gcc {}: {}", width.option, String::from_utf8_lossy(&built.stderr)));
        }
    }
    Ok(program)
}

fn run(command: &mut Command) -> Outcome {
    harness::run(command, Duration::from_secs(120))
}

/// How a part of the output came to be.
#[derive(Clone, Copy)]
struct Origin<'a> {
    width: &'a Width,
    case: &'a Case,
    /// The interpreter takes the unit out of memory for each instruction: what AMD's do not write there while no exception waits is lost.
    interpreted: bool,
}

/// Clears what hosts say differently of the last instruction, in the beginning of FXSAVE's image. Selectors: some processors still keep them, ours
/// does not. The pointers: AMD's write them only while an exception waits. The opcode: known to differ in the bits of an address, and for FCMOVcc.
/// MXCSR's mask: its bits are the processor's.
fn without_pointers(of: Origin, image: &mut [u8]) {
    for part in [12..16, 20..24, 28..32] {
        image[part].fill(0);
    }
    image[6] &= 0x38;
    let moves = |i: &Vec<u8>| matches!(i[..], [0xda | 0xdb, 0xc0..=0xdf]);
    // FNSTENV and its kin take the unit through memory, too.
    let of_state = |i: &Vec<u8>| matches!(i[..], [0xd9 | 0xdd, 0xa3 | 0xb3, ..] | [0x66, 0xd9 | 0xdd, 0xa3 | 0xb3, ..]);
    let through_memory = of.interpreted || of.case.code.iter().any(of_state);
    if through_memory || of.case.code.iter().any(moves) {
        image[6..8].fill(0);
    }
    if through_memory {
        image[16..24].fill(0);
    }
    let waits = image[2] & 0x80 != 0;
    if !waits {
        image[6..24].fill(0);
    }
}

/// The same in what FNSTENV and FNSAVE write; the instruction's address stays.
fn without_selectors(case: &Case, memory: &mut [u8]) {
    for i in &case.code {
        match i[..] {
            [0xd9 | 0xdd, 0xb3, ..] => memory[16..28].fill(0),
            [0x66, 0xd9 | 0xdd, 0xb3, ..] => memory[8..14].fill(0),
            _ => {}
        }
    }
}

/// A part of the output, without what is not compared.
fn comparable(of: Origin, name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    match name {
        "state" => without_pointers(of, &mut bytes),
        "memory" => without_selectors(of.case, &mut bytes),
        _ if of.width.long => without_pointers(of, &mut bytes[16..]),
        // The word of FSAVE's image that has the operand's address.
        _ if of.interpreted => bytes[36..40].fill(0),
        _ => {}
    }
    bytes
}

/// What of a case differs: its name, and where.
fn difference(of: Origin, n: usize, count: usize, want: &[u8], have: &[u8]) -> Option<String> {
    let case = of.case;
    let areas =
        [("state", 0, RECORD), ("memory", count * RECORD, MEMORY), ("signal", count * (RECORD + MEMORY), SIGNAL)];
    let mut text = String::new();
    for (name, start, size) in areas {
        let part = start + n * size..start + (n + 1) * size;
        let [want, have] = [want, have].map(|all| all.get(part.clone()));
        let (want, have) = (comparable(of, name, want?), comparable(of, name, have?));
        if let Some(at) = (0..size).find(|at| want[*at] != have[*at]) {
            let from = at & !15;
            let to = (from + 16).min(size);
            let _ = write!(text, " {name}+{from}: {:02x?}, not {:02x?};", &have[from..to], &want[from..to]);
        }
    }
    let code: Vec<String> = case.code.iter().map(|i| i.iter().map(|b| format!("{b:02x}")).collect()).collect();
    let control = u16::from_le_bytes([case.image[0], case.image[1]]);
    let status = u16::from_le_bytes([case.image[2], case.image[3]]);
    let state = format!("control {control:04x} status {status:04x} tags {:02x}", case.image[4]);
    (!text.is_empty()).then(|| format!("case {n} ({}; {state}):{text}", code.join(" ")))
}

fn differences(width: &Width, cases: &[Case], program: &Path) -> Vec<String> {
    let native = run(&mut Command::new(program));
    if native.end != "exit 0" {
        harness::leave_out(&format!("x87/{}", width.name), &format!("this host does not run it: {}", native.end));
        return vec![];
    }
    let mut lines = vec![];
    for ways in [&[][..], &["-interpret"]] {
        let got = run(Command::new(env!("CARGO_BIN_EXE_rqemu")).args(ways).arg(program));
        if got.end != native.end || got.stdout.len() != native.stdout.len() {
            lines.push(format!("{} {ways:?}: {}: {}", width.name, got.end, String::from_utf8_lossy(&got.stderr)));
            continue;
        }
        let of_case = |n: usize| {
            let of = Origin { width, case: &cases[n], interpreted: !ways.is_empty() };
            difference(of, n, cases.len(), &native.stdout, &got.stdout)
        };
        let differing: Vec<String> = (0..cases.len()).filter_map(of_case).collect();
        if !differing.is_empty() {
            let shown = differing.iter().take(12).map(String::as_str).collect::<Vec<_>>().join("\n    ");
            lines.push(format!("{} {ways:?}: {} of {}:\n    {shown}", width.name, differing.len(), cases.len()));
        }
    }
    lines
}

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(usual)
}

/// Random sequences; a second or two.
#[test]
fn sequences() {
    let mut random = Random(number("RQEMU_SEED", 1).wrapping_mul(0x2545_f491_4f6c_dd1d));
    let cases: Vec<Case> = (0..number("RQEMU_CASES", 3000)).map(|_| case(&mut random)).collect();
    let mut lines = vec![];
    for width in &WIDTHS {
        match assembled(width, &program(width, &cases)) {
            Err(why) => harness::leave_out(&format!("x87/{}", width.name), &why),
            Ok(program) => lines.extend(differences(width, &cases, &program)),
        }
    }
    assert!(lines.is_empty(), "differences from the host:\n  {}", lines.join("\n  "));
}
