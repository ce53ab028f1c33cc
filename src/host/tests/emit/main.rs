//! Runs what the back end emits, on this machine, against `ir::eval`: every operation by itself, then random runs of them, with operands in
//! homes, in memory, in registers of their own and constant. Results, the rest of guest state and the sticky flags must be the same.
#![cfg(target_arch = "x86_64")]

mod cases;
mod machine;
mod regions;
mod traps;
mod values;

use cases::Case;
use host::x86_64::Features;
use ir::Env;
use machine::{Machine, State};
use regions::Maker;
use std::collections::BTreeMap;
use values::Rng;

fn random_state(r: &mut Rng) -> State {
    let mut s = State::default();
    for slot in 0..s.slots.len() as u16 {
        s.slots[slot as usize] = if machine::V128S.contains(&slot) {
            values::vector(r)
        } else if slot == machine::FLAGS || slot == machine::MORE_FLAGS {
            u128::from(r.next() & 0xc101)
        } else {
            let bits = if r.one_in(6) { values::f64(r) } else { values::int(r) };
            u128::from(if machine::I32S.contains(&slot) { bits & 0xffff_ffff } else { bits })
        };
    }
    s.memory = std::array::from_fn(|_| r.next() as u8);
    s.fp_flags = if r.one_in(2) { 0 } else { r.next() as u32 & 0x3f };
    s
}

/// Ordinary numbers, on which no slow path is to be taken.
fn tame_state() -> State {
    let mut s = State::default();
    for slot in 0..s.slots.len() {
        s.slots[slot] = match slot as u16 {
            machine::FLAGS | machine::MORE_FLAGS => 0x100,
            slot if machine::V128S.contains(&slot) => 0x3ff8_3c00_3f80_0001_3ff0_3c00_3fc0_3c00,
            _ => 0x3c00 + slot as u128,
        };
    }
    s
}

fn compare(machine: &mut Machine, maker: &Maker, state: &State, what: &dyn std::fmt::Debug) -> u64 {
    let memory = machine.memory.as_ptr() as u64;
    let want = machine::interpret(maker.region(), state, memory);
    let (got, calls) = machine.run(state);
    if want != got {
        for s in 0..want.slots.len() {
            if want.slots[s] != got.slots[s] {
                eprintln!("slot {s} {:?}: want {:x} got {:x}", machine::TYPES[s], want.slots[s], got.slots[s]);
            }
        }
        for (s, bits) in state.slots.iter().enumerate() {
            eprintln!("in slot {s}: {bits:x}");
        }
        for (i, inst) in maker.region().insts.iter().enumerate() {
            eprintln!("v{i} = {:?} {:?}", inst.ty, inst.op);
        }
        eprintln!("vectors {:x?}", maker.region().vectors);
        std::fs::write(std::env::temp_dir().join("rqemu-emit.bin"), machine.code_bytes()).ok();
        panic!(
            "{what:?}: flags want {:x} got {:x} (before {:x}), memory same {}",
            want.fp_flags,
            got.fp_flags,
            state.fp_flags,
            want.memory == got.memory
        );
    }
    calls
}

/// Runs each case with operands of all sorts; how often the operations go by a call of `ir::eval`, by a name for them.
fn each(features: Features, cases: &[Case], variants: usize, runs: usize, seed: u64) -> BTreeMap<String, (u32, u32)> {
    let mut rng = Rng(seed);
    let mut machine = Machine::new(features);
    let mut maker = Maker::new();
    let mut called: BTreeMap<String, (u32, u32)> = BTreeMap::new();
    for case in cases {
        for variant in 0..variants {
            let rounding = case_rounding(case, &mut rng);
            maker.start(rounding);
            maker.single(case, &mut rng, variant);
            maker.end();
            machine.load(maker.region(), false);
            let calls = compare(&mut machine, &maker, &tame_state(), case);
            // In another rounding than is in force nothing that rounds is inline.
            if own_rounding(case).is_none_or(|own| own == rounding) {
                let count = called.entry(name(case)).or_default();
                count.0 += u32::from(calls > 0);
                count.1 += 1;
            }
            for _ in 0..runs {
                let state = random_state(&mut rng);
                compare(&mut machine, &maker, &state, case);
            }
        }
    }
    called
}

/// The rounding in force: mostly that of the operation, as front ends have it.
fn case_rounding(case: &Case, rng: &mut Rng) -> ir::Round {
    match own_rounding(case) {
        Some(round) if !rng.one_in(4) => round,
        _ => rng.pick(&cases::ROUNDS),
    }
}

fn own_rounding(case: &Case) -> Option<ir::Round> {
    case.op.env().map(|e| e.round).filter(|r| cases::ROUNDS.contains(r))
}

fn name(case: &Case) -> String {
    let text = format!("{:?}", case.op);
    let (kind, rest) = text.split_once(['(', ' ']).unwrap_or((&text, ""));
    let detail: String = rest.split(", ").take(2).collect::<Vec<_>>().join(" ");
    let env = case.op.env().map_or("", |e| if e.flush_in { " flush" } else { "" });
    let shape = match case.op {
        ir::Op::VShift(op, lane, ..) => return format!("VShift {op:?} {lane:?}"),
        ir::Op::V1(op, lane, ..) => return format!("V1 {op:?} {lane:?}"),
        ir::Op::V2(op, lane, ..) => return format!("V2 {op:?} {lane:?}"),
        ir::Op::Fp1(op, s, e, _) => format!("{op:?} {:?}x{} {:?}", s.fmt, s.lanes, e.round),
        ir::Op::Fp2(op, s, ..) => format!("{op:?} {:?}x{}", s.fmt, s.lanes),
        ir::Op::Fma { shape: s, .. } => format!("{:?}x{}", s.fmt, s.lanes),
        ir::Op::FpCmp(op, s, ..) => format!("{op:?} {:?}x{}", s.fmt, s.lanes),
        ir::Op::FpCvt { from, to, lanes, env, .. } => format!("{from:?} {to:?} x{lanes} {:?}", env.round),
        ir::Op::FpToInt { shape: s, env, signed, bits, fbits, .. } => {
            format!("{:?}x{} {:?} signed {signed} bits {bits} fbits {fbits}", s.fmt, s.lanes, env.round)
        }
        ir::Op::FpFromInt { shape: s, signed, fbits, .. } => {
            format!("{:?}x{} signed {signed} from {:?} fbits {fbits}", s.fmt, s.lanes, case.args[0])
        }
        _ => detail,
    };
    format!("{kind} {shape}{env}")
}

/// A number from the environment: how long to try, and from where.
fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).ok().and_then(|n| n.parse().ok()).unwrap_or(otherwise)
}

/// With `RQEMU_COVERAGE` set, lists what the back end leaves to `ir::eval`.
fn report(called: BTreeMap<String, (u32, u32)>) {
    let mut out = String::new();
    for (name, (calls, all)) in called {
        if calls > 0 {
            out += &format!("{name}: {calls} of {all}\n");
        }
    }
    if std::env::var_os("RQEMU_COVERAGE").is_some() {
        eprintln!("by ir::eval:\n{out}");
    }
}

/// The least that a host has, and all that this one has.
fn features() -> Vec<Features> {
    let mut all = vec![Features { avx2: true, ..Features::default() }, Features::detect()];
    all.dedup();
    all
}

#[test]
fn vector_operations() {
    for f in features() {
        report(each(f, &cases::vector(), 12, 12, 0x1234_5678_9abc_def1));
    }
}

#[test]
fn integer_operations() {
    for f in features() {
        report(each(f, &cases::integer(), 24, 12, 0x1f34_5678_9abc_def1));
    }
}

#[test]
fn float_operations() {
    for env in cases::environments() {
        for round in cases::ROUNDS {
            let flush = env.flush_in || env.nan != Env::IEEE_ARM.nan;
            for f in features() {
                report(each(f, &cases::float(env.round(round)), if flush { 3 } else { 6 }, 60, 0x77 + round as u64));
            }
        }
    }
}

#[test]
fn float_operations_of_the_lowest_lane() {
    for round in cases::ROUNDS {
        for f in features() {
            report(each(f, &cases::lowest(round), 6, 60, 0x79 + round as u64));
        }
    }
}

/// What is known of operands spares checks: of products at the lower end, of NaNs and infinities in them.
#[test]
fn products_and_their_sums() {
    let mut rng = Rng(0x0bad_cafe_1234_5673 + number("RQEMU_SEED", 0));
    let mut machines: Vec<Machine> = features().into_iter().map(Machine::new).collect();
    let mut maker = Maker::new();
    let environments = cases::environments();
    let riscv = Env { nan: ir::NanRule::RiscV, ..Env::IEEE_ARM };
    for i in 0..number("RQEMU_REGIONS", 3000) / 2 {
        let machine = rng.pick_mut(&mut machines);
        let round = if rng.one_in(3) { rng.pick(&cases::ROUNDS) } else { ir::Round::NearestEven };
        let env = match rng.below(4) {
            0 => rng.pick(&environments),
            1 => riscv,
            _ => Env::IEEE_ARM,
        };
        maker.start(round);
        maker.products(env.round(round), &mut rng);
        maker.end();
        machine.load(maker.region(), rng.one_in(2));
        for _ in 0..12 {
            let mut state = random_state(&mut rng);
            if rng.one_in(2) {
                // A product that is below the smallest normal number by less than half of what a number there can differ.
                let (near, small) = (0x3fef_ffff_ffff_fffe, 0x0010_0000_0000_0001);
                for slot in machine::V128S {
                    state.slots[slot as usize] = if rng.one_in(2) { near } else { small };
                }
            }
            compare(machine, &maker, &state, &i);
        }
    }
}

/// What the block that goes on knows of registers is not taken for what they hold on the way out.
#[test]
fn a_call_aside_makes_its_own_return_address() {
    const RET: u64 = 0x1234_5678_9abc_def0;
    let (mut machine, mut maker) = (Machine::new(Features::detect()), Maker::new());
    maker.start(ir::Round::NearestEven);
    maker.call_aside(RET);
    maker.end();
    machine.load(maker.region(), false);
    let made = machine.code_bytes().windows(8).filter(|bytes| *bytes == RET.to_le_bytes()).count();
    assert_eq!(made, 2, "once for the register, once for the call");
}

#[test]
fn narrowed_after_a_spill() {
    let mut rng = Rng(0x0bad_cafe_1234_5671);
    let (mut machine, mut maker) = (Machine::new(Features::detect()), Maker::new());
    for i in 0..20 {
        maker.start(ir::Round::NearestEven);
        maker.crowded(&mut rng);
        maker.end();
        machine.load(maker.region(), false);
        compare(&mut machine, &maker, &random_state(&mut rng), &i);
    }
}

fn all_cases() -> Vec<Case> {
    let mut cases = cases::vector();
    cases.extend(cases::integer());
    cases.extend(cases::integer());
    for round in cases::ROUNDS {
        cases.extend(cases::float(Env::IEEE_ARM.round(round)));
        cases.extend(cases::float(cases::environments()[3].round(round)));
        cases.extend(cases::float(Env { nan: ir::NanRule::RiscV, ..Env::IEEE_ARM.round(round) }));
        cases.extend(cases::lowest(round));
    }
    cases
}

/// What random regions have found, each by itself.
#[test]
fn found_before() {
    let mut rng = Rng(0x0bad_cafe_1234_567d + number("RQEMU_SEED", 0));
    let mut machines: Vec<Machine> = features().into_iter().map(Machine::new).collect();
    let mut maker = Maker::new();
    for i in 0..600 {
        let machine = rng.pick_mut(&mut machines);
        maker.start(ir::Round::NearestEven);
        if i % 2 == 0 {
            maker.narrow_shift(&mut rng)
        } else {
            maker.other_format(Env::IEEE_ARM, &mut rng)
        }
        maker.end();
        machine.load(maker.region(), false);
        for _ in 0..4 {
            let state = random_state(&mut rng);
            compare(machine, &maker, &state, &i);
        }
    }
}

/// Loops in loops, as hot regions have them: peeled, with homes of their own.
#[test]
fn random_loops() {
    let cases = all_cases();
    let mut rng = Rng(0x0bad_cafe_1234_5679 + number("RQEMU_SEED", 0));
    let mut machines: Vec<Machine> = features().into_iter().map(Machine::new).collect();
    let mut maker = Maker::new();
    for i in 0..number("RQEMU_REGIONS", 3000) / 2 {
        let machine = rng.pick_mut(&mut machines);
        maker.start(rng.pick(&cases::ROUNDS));
        maker.loops(&cases, &mut rng, machine.memory.as_ptr() as u64);
        maker.end();
        let mut region = maker.region().clone();
        // Joined slots are for regions with homes of their own.
        let joined = ir::opt::join(&region, &machine::PAIRS, &machine::TYPES).filter(|_| rng.one_in(2));
        let hot = joined.is_some() || !rng.one_in(4);
        region = joined.unwrap_or(region);
        if rng.one_in(2) {
            ir::opt::peel(&mut region, usize::MAX);
            ir::opt::align(&mut region, machine::TYPES.len());
        }
        machine.load(&region, hot);
        for _ in 0..4 {
            let state = random_state(&mut rng);
            compare(machine, &maker, &state, &i);
        }
    }
}

/// What leads to where ways meet hands over flags in its own way; from outside it finds them in their slot.
#[test]
fn side_entries() {
    let mut rng = Rng(0x0bad_cafe_1234_567d + number("RQEMU_SEED", 0));
    let mut machines: Vec<Machine> = features().into_iter().map(Machine::new).collect();
    let mut maker = Maker::new();
    for i in 0..number("RQEMU_REGIONS", 3000) / 10 {
        let machine = rng.pick_mut(&mut machines);
        maker.start(ir::Round::NearestEven);
        let (pc, block) = maker.branch_ahead(&mut rng);
        machine.load(maker.region(), false);
        for _ in 0..4 {
            let state = random_state(&mut rng);
            compare(machine, &maker, &state, &i);
            let want = machine::interpret_from(maker.region(), block, &state, machine.memory.as_ptr() as u64);
            assert_eq!(
                machine.run_aside(&state, pc),
                want,
                "{}",
                ir::text::region(maker.region(), &|s| format!("{s:?}"))
            );
        }
    }
}

#[test]
fn rounds_of_ciphers() {
    let mut rng = Rng(0x0bad_cafe_1234_567b + number("RQEMU_SEED", 0));
    let mut machines: Vec<Machine> = features().into_iter().map(Machine::new).collect();
    let mut maker = Maker::new();
    for i in 0..number("RQEMU_REGIONS", 3000) / 4 {
        let machine = rng.pick_mut(&mut machines);
        maker.start(ir::Round::NearestEven);
        maker.rounds(&mut rng, machine.memory.as_ptr() as u64);
        maker.end();
        machine.load(maker.region(), false);
        for _ in 0..3 {
            let state = random_state(&mut rng);
            compare(machine, &maker, &state, &i);
        }
    }
}

#[test]
fn random_regions() {
    let cases = all_cases();
    let mut rng = Rng(0x0bad_cafe_1234_5677 + number("RQEMU_SEED", 0));
    let mut machines: Vec<Machine> = features().into_iter().map(Machine::new).collect();
    let mut maker = Maker::new();
    let n = number("RQEMU_REGIONS", 3000);
    for i in 0..n {
        let machine = rng.pick_mut(&mut machines);
        maker.start(rng.pick(&cases::ROUNDS));
        maker.random(&cases, &mut rng, machine.memory.as_ptr() as u64);
        maker.end();
        machine.load(maker.region(), false);
        for _ in 0..4 {
            let state = random_state(&mut rng);
            compare(machine, &maker, &state, &i);
        }
    }
}
