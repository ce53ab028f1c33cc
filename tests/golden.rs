//! What small loops become: the code of `golden/kernels.c` for each guest, translated for a host with AVX2 and nothing more, against
//! `golden/<guest>/<function>.txt`. A translation that gets longer shows in a diff, and so does one that gets shorter. Regions of the first tier
//! come first, then its loops as hot regions. Some loops are translated again for another state of the floating-point unit ([`VARIANTS`]). Code that is
//! seldom run is counted in the first line, but not shown: ways that stand apart from the rest of a region, and what is translated for mode words that
//! come up on the way.
//!
//! `RQEMU_BLESS=1` writes the files. The guest code stands in `golden/<guest>.code`; `golden/build` makes it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;

use arch::{Code, Guest, Translation};
use host::cpu::{BIAS, at};
use host::x86_64::{Compiler, Features, Map, Request};
use host::{Exit, Link, Place, StateMap, SyscallSlots, Thunks};
use iced_x86::{Decoder, DecoderOptions, FlowControl, Formatter, IntelFormatter, Register};
use ir::opt::Stitch;
use ir::{Builder, Op};

use crate::harness;

/// Where the guest's functions stand.
const CODE: u64 = 0x10000;
/// Where host code and what it refers to pretend to be.
const HOST: u64 = 0x7000_0000_0000;
const THUNKS: u64 = HOST - 0x1000;
const LINKS: u64 = HOST + 0x10_0000;
const SITES: u64 = HOST + 0x20_0000;
const EXITS: u64 = HOST + 0x30_0000;
const MAX_INSNS: u32 = 64;

const GUESTS: [&Guest; 5] = [&aarch64::AARCH64, &arm::ARM, &riscv::RISCV64, &x86::X86_64, &x86::I386];

/// How code is translated: what a file of it has after the function's name, the mode word, and whether the host traps what is invalid.
#[derive(Clone, Copy)]
struct Variant {
    suffix: &'static str,
    mode: u32,
    traps: bool,
}

const USUAL: Variant = Variant { suffix: "", mode: 0, traps: true };
/// The same after many invalid operations.
const CAREFUL: Variant = Variant { suffix: "-careful", mode: 0, traps: false };
/// Denormals are zeros, as `-ffast-math` has them.
const fn flush(mode: u32) -> Variant {
    Variant { suffix: "-flush", mode, traps: true }
}

/// The other variants of a guest's loops on floating-point numbers.
const VARIANTS: [(&str, &[Variant]); 4] = [
    ("aarch64", &[CAREFUL, flush(1 << 24)]),
    ("arm", &[CAREFUL]),
    ("riscv64", &[CAREFUL]),
    ("x86_64", &[flush(x86::state::mode::FLUSH_IN | x86::state::mode::FLUSH_OUT)]),
];
const OF_NUMBERS: [&str; 3] = ["add_scaled", "dot", "path"];

fn variants(guest: &str, function: &str) -> Vec<Variant> {
    let others = VARIANTS.iter().find(|(name, _)| *name == guest && OF_NUMBERS.contains(&function));
    [USUAL].iter().chain(others.map_or(&[][..], |(_, list)| *list)).copied().collect()
}

/// An address and a mode word.
type Key = (u64, u32);

/// A function's bytes at [`CODE`].
#[derive(Debug)]
struct Function(Vec<u8>);

impl Code for Function {
    fn fetch(&mut self, pc: u64, buf: &mut [u8]) -> usize {
        let rest = pc.checked_sub(CODE).and_then(|at| self.0.get(at as usize..)).unwrap_or(&[]);
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        n
    }
}

fn thunks() -> Thunks {
    let [exit, indirect, return_miss, site, syscall, serve] = std::array::from_fn(|i| THUNKS + 0x10 * i as u64);
    Thunks { exit, indirect, return_miss, site, syscall, serve, ..Thunks::default() }
}

/// One translated region.
struct Translated {
    guest_insns: u32,
    host_insns: usize,
    text: String,
    /// Where it goes on to.
    next: Vec<Key>,
    /// Where its jumps backwards lead.
    back: Vec<u64>,
}

fn compiler(guest: &Guest) -> Compiler {
    let place = |s: &arch::SlotInfo| Place { offset: s.offset, ty: s.ty };
    let call = &guest.abi.syscall;
    let state = StateMap {
        slots: guest.state.slots.iter().map(place).collect(),
        int_homes: guest.state.int_homes.to_vec(),
        vec_homes: guest.state.vec_homes.to_vec(),
        pairs: guest.state.pairs.to_vec(),
        syscall: SyscallSlots { number: call.number, args: call.args, result: call.result },
        host_flags: guest.state.host_flags,
        invalid_traps: guest.state.invalid_traps,
        direct_mode: guest.state.direct_mode,
    };
    Compiler::new(Map::new(state, Features::default()), thunks(), Features::default())
}

/// What the guest makes of the code at `pc`, up to the next leader.
fn region(guest: &Guest, function: &mut Function, (pc, mode): Key, leaders: &[Key]) -> ir::Region {
    let mut b = Builder::new(guest.state.types);
    let features = guest.cpus[0].features;
    let mut t =
        Translation { b: &mut b, code: function, max_insns: MAX_INSNS, leaders: &leaders, features, guards: false };
    (guest.translate)(&mut t, pc, mode);
    b.region
}

/// The loop at `head`, if it is one, as a hot region of the pieces that begin at `leaders`.
fn hot_region(guest: &Guest, function: &mut Function, head: Key, leaders: &[Key]) -> Option<ir::Region> {
    let mut stitch = Stitch::new(head, Vec::new(), 0);
    for &piece in leaders {
        stitch.add(&region(guest, function, piece, leaders));
    }
    let (region, _) = stitch.finish()?;
    // Neither 0 nor all ones.
    Some(ir::opt::optimize(region, guest.state.pairs, guest.state.types, &|_| 1, guest.state.weak_loads))
}

fn compile(
    guest: &Guest,
    compiler: &mut Compiler,
    function: &Function,
    region: &ir::Region,
    hot: bool,
    traps: bool,
) -> Translated {
    ir::verify::check(region, guest.state.types).expect("a region that verifies");
    let traps = guest.state.invalid_traps && traps;
    let request = Request { region, first_exit: EXITS, first_link: LINKS, first_site: SITES, count: false, hot, traps };
    let (asm, out) = compiler.compile(request);
    asm.relocate(HOST).expect("all is near");
    // Constants stand behind the code; what follows the last exit is theirs.
    let mut names = BTreeMap::new();
    for (n, Link { pc, .. }) in out.links.iter().enumerate() {
        names.insert(LINKS + 8 * n as u64, format!("to {pc:#x}"));
    }
    for (n, exit) in out.exits.iter().enumerate() {
        names.insert(EXITS + (n * size_of::<Exit>()) as u64, exit_name(exit));
    }
    for (n, site) in out.sites.iter().enumerate() {
        let name =
            if let Op::Call(h, _) = site.op { h.name.to_owned() } else { format!("{:?}", site.op).to_lowercase() };
        names.insert(SITES + 8 * n as u64, name);
    }
    let t = thunks();
    let named = [
        (t.exit, "exit"),
        (t.indirect, "indirect"),
        (t.return_miss, "return_miss"),
        (t.site, "site"),
        (t.syscall, "syscall"),
    ];
    names.extend(named.map(|(at, name)| (at, name.to_owned())));
    let next = out
        .links
        .iter()
        .map(|l| (l.pc, l.mode))
        .chain(
            out.exits.iter().filter_map(|e| if let Exit::Resume { pc } = e { Some((*pc, region.mode)) } else { None }),
        )
        .collect();
    let back = out.exits.iter().filter_map(|e| if let Exit::Poll { pc } = e { Some(*pc) } else { None }).collect();
    let mut text = String::new();
    if !hot {
        let mut insns: Vec<u64> =
            region.insts.iter().filter_map(|i| if let Op::Insn { pc, .. } = i.op { Some(pc) } else { None }).collect();
        insns.dedup();
        for pc in insns {
            let bytes = &function.0[((pc & !1) - CODE) as usize..];
            writeln!(text, "; {}", (guest.disassemble)(bytes, pc, 0).0).expect("text grows");
        }
    }
    let (code, host_insns) = disassemble(guest, &asm.buf, out.cold as usize, names);
    text.push_str(&code);
    Translated { guest_insns: region.guest_insns, host_insns, text, next, back }
}

fn exit_name(exit: &Exit) -> String {
    let text = format!("{exit:?}");
    text.split([' ', '(']).next().unwrap_or_default().to_lowercase()
}

/// The name of what is so far from the state register.
fn in_state(guest: &Guest, displacement: i32) -> String {
    let slot = guest.state.slots.iter().find_map(|s| {
        let from = displacement + BIAS - i32::from(s.offset);
        (0..s.ty.bytes() as i32).contains(&from).then(|| (s.name().to_owned(), from))
    });
    let fields = [
        (at::EXIT_VALUE, 8, "exit_value"),
        (at::GOING, 4, "going"),
        (at::MXCSR, 4, "mxcsr"),
        (at::FCMP, 32, "fcmp"),
        (at::ARGS, 64, "argument"),
        (at::RET, 16, "result"),
        (at::SPILL, 1024, "spill"),
        (at::SAVE, 128, "save"),
        (at::JUMPS, 16, "jumps"),
    ];
    let field = || {
        let of = |(start, size, name): (i32, i32, &str)| {
            (start..start + size).contains(&displacement).then(|| (name.to_owned(), displacement - start))
        };
        fields.into_iter().find_map(of)
    };
    match slot.or_else(field) {
        Some((name, 0)) => name,
        Some((name, from)) => format!("{name}+{from}"),
        None => format!("state{displacement:+}"),
    }
}

/// The code up to where it is cold as text, with names for what it refers to, and the number of all instructions. Stubs that leave for good are left out.
fn disassemble(guest: &Guest, bytes: &[u8], cold: usize, mut names: BTreeMap<u64, String>) -> (String, usize) {
    let decoder = || Decoder::with_ip(64, bytes, HOST, DecoderOptions::NONE);
    let mut end = bytes.len();
    let mut targets = BTreeSet::new();
    for i in decoder() {
        if i.ip() - HOST >= end as u64 {
            break;
        }
        if i.is_ip_rel_memory_operand() && !names.contains_key(&i.ip_rel_memory_address()) {
            let at = (i.ip_rel_memory_address() - HOST) as usize;
            if let Some(constant) = bytes.get(at & !15..(at & !15) + 16) {
                let value = u128::from_le_bytes(constant.try_into().expect("sixteen bytes"));
                names.insert(HOST + at as u64, format!("{:#x}", value >> (8 * (at & 15))));
                end = end.min(at & !15);
            }
        }
        if matches!(i.flow_control(), FlowControl::ConditionalBranch | FlowControl::UnconditionalBranch) {
            targets.insert(i.near_branch_target());
        }
    }
    for (n, at) in targets.iter().filter(|t| (HOST..HOST + end as u64).contains(*t)).enumerate() {
        names.entry(*at).or_insert_with(|| format!("L{n}"));
    }
    let (mut text, mut count) = (String::new(), 0);
    let mut formatter = IntelFormatter::new();
    formatter.options_mut().set_rip_relative_addresses(false);
    formatter.options_mut().set_branch_leading_zeros(false);
    for i in decoder() {
        if i.ip() - HOST >= end as u64 {
            break;
        }
        let name = names.get(&i.ip());
        if name.is_some_and(|name| name.starts_with("unlinked")) {
            break;
        }
        count += 1;
        if i.ip() - HOST >= cold as u64 {
            continue;
        }
        if let Some(name) = name {
            writeln!(text, "{name}:").expect("text grows");
        }
        let mut line = String::new();
        formatter.format(&i, &mut line);
        let refers = if i.is_ip_rel_memory_operand() { i.ip_rel_memory_address() } else { i.near_branch_target() };
        if let Some(name) = names.get(&refers) {
            line = line.replace(&format!("{refers:X}h"), name);
        }
        if i.memory_base() == Register::R15
            && let (Some(open), Some(close)) = (line.find('['), line.find(']'))
        {
            let mut name = in_state(guest, i.memory_displacement64() as i32);
            if i.memory_index() != Register::None {
                write!(name, "+{:?}*{}", i.memory_index(), i.memory_index_scale()).expect("text grows");
            }
            line.replace_range(open + 1..close, &name.to_lowercase());
        }
        writeln!(text, "\t{line}").expect("text grows");
    }
    (text, count)
}

/// All regions of the function, from its beginning on.
fn golden(guest: &Guest, Variant { mode, traps, .. }: Variant, name: &str, bytes: &[u8]) -> String {
    let mut function = Function(bytes.to_vec());
    let mut compiler = compiler(guest);
    // arm's functions here are Thumb code.
    let thumb = u64::from(guest.name == "arm");
    let (mut left, mut regions) = (vec![(CODE | thumb, mode)], BTreeMap::new());
    while let Some(key) = left.pop() {
        if (CODE..CODE + bytes.len() as u64).contains(&key.0) && !regions.contains_key(&key) {
            let region = region(guest, &mut function, key, &[]);
            let translated = compile(guest, &mut compiler, &function, &region, false, traps);
            left.extend(&translated.next);
            regions.insert(key, translated);
        }
    }
    let place = |(pc, at): &Key| if *at == mode { format!("{pc:#x}") } else { format!("{pc:#x} mode {at:#x}") };
    let leaders: Vec<Key> = regions.keys().copied().collect();
    // Under other mode words, what a jump leads back to.
    let back: BTreeSet<u64> = regions.values().flat_map(|r| r.back.iter().copied()).collect();
    let hot: Vec<_> = leaders
        .iter()
        .filter(|key| key.1 == mode || back.contains(&key.0))
        .filter_map(|&head| {
            let region = hot_region(guest, &mut function, head, &leaders)?;
            Some((head, compile(guest, &mut compiler, &function, &region, true, traps)))
        })
        .collect();
    let mut text = format!("{name}:");
    for (key, r) in &regions {
        write!(text, " {} {} to {},", place(key), r.guest_insns, r.host_insns).expect("text grows");
    }
    for (key, r) in &hot {
        write!(text, " hot {} to {},", place(key), r.host_insns).expect("text grows");
    }
    text.pop();
    text.push('\n');
    for (key, r) in regions.iter().filter(|(key, _)| key.1 == mode) {
        write!(text, "\n{}\n", place(key)).expect("text grows");
        text.push_str(&r.text);
    }
    // Of a loop under several mode words the last is the usual one: RISC-V's with as many elements as there can be.
    let usual = |n: usize| hot.get(n + 1).is_none_or(|(next, _)| next.0 != hot[n].0.0);
    for (_, (key, r)) in hot.iter().enumerate().filter(|(n, _)| usual(*n)) {
        write!(text, "\nhot {}\n", place(key)).expect("text grows");
        text.push_str(&r.text);
    }
    text
}

/// The function's code in the guest's file of it.
fn bytes(hex: &str) -> Vec<u8> {
    let digit = |i: usize| u8::from_str_radix(&hex[i..i + 2], 16).expect("hexadecimal digits");
    (0..hex.len()).step_by(2).map(digit).collect()
}

#[test]
fn code_of_small_loops() {
    let bless = std::env::var_os("RQEMU_BLESS").is_some();
    let folder = harness::repository().join("tests/golden");
    let mut differences = String::new();
    for guest in GUESTS {
        let of_guest = folder.join(guest.name);
        fs::create_dir_all(&of_guest).expect("a folder for the files");
        let code = fs::read_to_string(of_guest.with_extension("code")).expect("the guest's code");
        for (function, hex) in code.lines().filter_map(|line| line.split_once(' ')).filter(|(f, _)| *f != "#") {
            for variant in variants(guest.name, function) {
                let got = golden(guest, variant, function, &bytes(hex));
                let file = of_guest.join(format!("{function}{}.txt", variant.suffix));
                let want = fs::read_to_string(&file).unwrap_or_default();
                if got == want {
                    continue;
                }
                if bless {
                    fs::write(&file, got).expect("the file can be written");
                    continue;
                }
                let line = |text: &str| text.lines().next().unwrap_or("nothing").to_owned();
                let (name, suffix) = (guest.name, variant.suffix);
                writeln!(differences, "{name}{suffix}\n  was {}\n  is  {}", line(&want), line(&got))
                    .expect("text grows");
            }
        }
    }
    assert!(differences.is_empty(), "code has changed (RQEMU_BLESS=1 accepts it):\n{differences}");
}
