//! A region as text, one operation per line: `v12: i64 = add v3, v7`. For `-d op` and for messages; it is not read back.

use crate::mem::{Align, Ext, Mem};
use crate::op::{Op, Slot, Val, X87};
use crate::region::{Block, BlockId, Region, Term};
use crate::types::{Env, Fmt, Lane, NanRule, Order, Round, Shape, Ty};
use std::fmt::{Debug, Write};

/// Names slots.
pub type Names<'a> = &'a dyn Fn(Slot) -> String;

/// The whole region.
pub fn region(r: &Region, names: Names) -> String {
    let mut out = format!("region {:#x} .. {:#x}, mode {:#x}, {} instructions\n", r.pc, r.end, r.mode, r.guest_insns);
    for (i, block) in r.blocks.iter().enumerate() {
        // Writing to a string does not fail.
        let side = r.side_entries.iter().find(|e| e.1.0 as usize == i);
        let side = side.map_or(String::new(), |e| format!(" ({:#x})", e.0));
        let _ = writeln!(out, "b{i}{}:{side}", list(&block.params));
        for v in (block.start..block.end).map(Val).filter(|v| !block.params.contains(v)) {
            let _ = writeln!(out, "  {}", inst(r, v, names));
        }
        let _ = writeln!(out, "  {}", term(r, block));
    }
    out
}

/// One instruction, with its result's number and type if it has one.
pub fn inst(r: &Region, v: Val, names: Names) -> String {
    let i = &r.insts[v.0 as usize];
    let text = op(r, &i.op, names);
    if i.ty == Ty::Void { text } else { format!("{v:?}: {} = {text}", lower(i.ty)) }
}

/// The end of a block.
pub fn term(r: &Region, block: &Block) -> String {
    let target = |b: BlockId, args: &[Val]| format!("b{}{}", b.0, list(args));
    match block.term {
        Term::None => "(no end)".to_owned(),
        Term::Jump(b) => format!("jump {}", target(b, &block.args)),
        Term::Branch { cond, then, other } => {
            let split = r.blocks.get(then.0 as usize).map_or(0, |b| b.params.len()).min(block.args.len());
            let (then_args, other_args) = block.args.split_at(split);
            format!("branch {cond:?} ? {} : {}", target(then, then_args), target(other, other_args))
        }
        Term::Goto { pc } => format!("goto {pc:#x}"),
        Term::Switch { pc, mode } => format!("goto {pc:#x}, mode {mode:#x}"),
        Term::Call { pc, ret } => format!("call {pc:#x}, back to {ret:#x}"),
        Term::CallIndirect { pc, ret } => format!("call {pc:?}, back to {ret:#x}"),
        Term::Return { pc } => format!("return {pc:?}"),
        Term::Indirect { pc } => format!("indirect {pc:?}"),
        Term::Syscall { next } => format!("syscall, on at {next:#x}"),
        Term::Resume { pc } => format!("resume {pc:#x}"),
        Term::ResumeAt { pc } => format!("resume at {pc:?}"),
        Term::FlushCode { addr, len, next } => format!("flush_code {addr:?}, {len}, on at {next:#x}"),
        Term::Trap(trap) => format!("trap {}", snake(trap)),
    }
}

/// The operation with its operands.
fn op(r: &Region, op: &Op, names: Names) -> String {
    match *op {
        Op::Const(bits) => format!("{bits:#x}"),
        Op::ConstV(i) => match r.vectors.get(i as usize) {
            Some(bits) => format!("{bits:#034x}"),
            None => format!("(vector {i})"),
        },
        Op::Insn { pc, extra: 0 } => format!("-- {pc:#x}"),
        Op::Insn { pc, extra } => format!("-- {pc:#x} extra {extra:#x}"),
        Op::Poll { pc } => format!("poll {pc:#x}"),
        Op::Get(slot) => format!("get {}", names(slot)),
        Op::Set(slot, v) => format!("set {}, {v:?}", names(slot)),
        Op::Load(mem) => format!("load{}", memory(&mem)),
        Op::LoadAhead(mem) => format!("load_ahead{}", memory(&mem)),
        Op::LoadLanes(mem, mask) => format!("load_lanes{}, {mask:?}", memory(&mem)),
        Op::StoreLanes(mem, v, mask) => format!("store_lanes{}, {v:?}, {mask:?}", memory(&mem)),
        Op::StoreAhead(mem, v, second) if second.is_none() => format!("store_ahead{}, {v:?}", memory(&mem)),
        Op::StoreAhead(mem, v, second) => format!("store_ahead{}, {v:?}, {second:?}", memory(&mem)),
        Op::Store(mem, v) => format!("store{}, {v:?}", memory(&mem)),
        Op::Call(helper, _) => format!("call {}{}", helper.name, list(&operands(op))),
        Op::X87Mem { code, mem, .. } => format!("x87 {code:04x}{}", memory(&mem)),
        _ => {
            let operands: Vec<String> = operands(op).iter().map(|v| format!("{v:?}")).collect();
            let (name, rest) = parts(op);
            let all: Vec<String> = operands.into_iter().chain(rest).collect();
            if all.is_empty() { name } else { format!("{name} {}", all.join(", ")) }
        }
    }
}

/// The name of an operation, for counting: without operands and slots.
pub fn name(op: &Op) -> String {
    match *op {
        Op::Call(helper, _) => helper.name.to_owned(),
        _ => parts(op).0,
    }
}

fn operands(op: &Op) -> Vec<Val> {
    let mut list = Vec::new();
    op.for_each_arg(|v| list.push(v));
    list
}

/// The name of an operation, and what it has beside values.
fn parts(op: &Op) -> (String, Vec<String>) {
    let plain = |name: String| (name, Vec::new());
    let with = |name: String, rest: &[u8]| (name, rest.iter().map(u8::to_string).collect());
    let sign = |signed: bool| if signed { "s" } else { "u" };
    match *op {
        Op::Bin(o, ..) => plain(snake(o)),
        Op::Un(o, _) => plain(snake(o)),
        Op::Extract { lsb, width, signed, .. } => with(format!("extract_{}", sign(signed)), &[lsb, width]),
        Op::Deposit { lsb, width, .. } => with("deposit".to_owned(), &[lsb, width]),
        Op::Funnel { amount, .. } => with("funnel".to_owned(), &[amount]),
        Op::Cmp(cc, ..) => plain(format!("cmp_{}", lower(cc))),
        Op::DivWide { remainder, .. } => plain(if remainder { "rem_wide" } else { "div_wide" }.to_owned()),
        Op::Strings { control, explicit, .. } => {
            with(if explicit { "strings_explicit" } else { "strings" }.to_owned(), &[control])
        }
        Op::Crc32 { bytes, c, .. } => with(if c { "crc32c" } else { "crc32" }.to_owned(), &[bytes]),
        Op::Cond(cc, _) => plain(format!("cond_{}", lower(cc))),
        Op::FlagsStep { down, .. } => plain(if down { "flags_dec" } else { "flags_inc" }.to_owned()),
        Op::FlagsShiftX86 { shift, .. } => plain(format!("flags_{}_x86", lower(shift))),
        Op::ShiftDouble { left, .. } => plain(if left { "shld" } else { "shrd" }.to_owned()),
        Op::FlagsShiftDouble { left, .. } => plain(if left { "flags_shld" } else { "flags_shrd" }.to_owned()),
        Op::FlagsProduct { signed, .. } => plain(format!("flags_product_{}", sign(signed))),
        Op::FlagsFcmp { fmt, signalling, env, .. } => {
            let name = if signalling { "flags_fcmp_signalling" } else { "flags_fcmp" };
            plain(float(name, Shape::scalar(fmt), env))
        }
        Op::Fp1(o, shape, env, _) => plain(float(&format!("f{}", snake(o)), shape, env)),
        Op::Fp2(o, shape, env, ..) => plain(float(&format!("f{}", snake(o)), shape, env)),
        Op::FpCmp(cc, shape, env, ..) => plain(float(&format!("fcmp_{}", snake(cc)), shape, env)),
        Op::Fma { shape, env, neg_product, neg_addend, .. } => {
            let name = match (neg_product, neg_addend) {
                (false, false) => "fma",
                (true, false) => "fma_neg_product",
                (false, true) => "fma_neg_addend",
                (true, true) => "fma_neg_both",
            };
            plain(float(name, shape, env))
        }
        Op::FpCvt { from, to, lanes, env, .. } => {
            plain(float(&format!("fcvt.{}", lower(to)), Shape { fmt: from, lanes }, env))
        }
        Op::FpToInt { shape, env, signed, bits, fbits, .. } => {
            with(float(&format!("fto_int.{}{bits}", sign(signed)), shape, env), &[fbits])
        }
        Op::FpFromInt { shape, env, signed, fbits, .. } => {
            with(float(&format!("ffrom_int.{}", sign(signed)), shape, env), &[fbits])
        }
        Op::V1(o, lane, _) => plain(vector(o, lane)),
        Op::V2(o, lane, ..) => plain(vector(o, lane)),
        Op::V3(o, lane, ..) => plain(vector(o, lane)),
        Op::VShift(o, lane, _, amount) => with(vector(o, lane), &[amount]),
        Op::Crypto(o, ..) => plain(snake(o)),
        Op::VExt(_, _, n) => with("vext".to_owned(), &[n]),
        Op::VSplat(lane, _) => plain(format!("vsplat.{}", lower(lane))),
        Op::VSplatLane(lane, _, n) => with(format!("vsplat_lane.{}", lower(lane)), &[n]),
        Op::VSigns(lane, _) => plain(format!("vsigns.{}", lower(lane))),
        Op::VGet(lane, _, n) => with(format!("vget.{}", lower(lane)), &[n]),
        Op::VSet(lane, _, _, n) => with(format!("vset.{}", lower(lane)), &[n]),
        Op::AtomicRmw(o, order, align, ..) => plain(format!("atomic_{}{}{}", snake(o), aligned(align), ordered(order))),
        Op::CmpXchg { align, .. } => plain(format!("cmp_xchg{}", aligned(align))),
        Op::LoadExcl(_, order, align) => plain(format!("load_excl{}{}", aligned(align), ordered(order))),
        Op::StoreExcl(_, _, order, align) => plain(format!("store_excl{}{}", aligned(align), ordered(order))),
        Op::Fence(kind) => plain(format!("fence_{}", lower(kind))),
        Op::X87 { op, .. } => match op {
            X87::Run(code) => plain(format!("x87 {code:04x}")),
            X87::Compare(code) => plain(format!("x87_compare {code:04x}")),
            X87::Move(code) => plain(format!("x87_move {code:04x}")),
            X87::Status => plain("x87_status".to_owned()),
            X87::Save => plain("x87_save".to_owned()),
            X87::Load => plain("x87_load".to_owned()),
            X87::Environment => plain("x87_environment".to_owned()),
            X87::Word(n) => with("x87_word".to_owned(), &[n]),
            X87::SetWord(n) => with("x87_set_word".to_owned(), &[n]),
            X87::SetEnvironment => plain("x87_set_environment".to_owned()),
            X87::Mask => plain("x87_mask".to_owned()),
            X87::Mmx(n) => with("mmx".to_owned(), &[n]),
            X87::SetMmx(n) => with("set_mmx".to_owned(), &[n]),
        },
        Op::X87Mem { .. } => plain("x87_memory".to_owned()),
        // What is left has nothing but values: its name is the first word.
        _ => {
            let text = format!("{op:?}");
            let name = text.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
            plain(snake(format_args!("{name}")))
        }
    }
}

fn vector(op: impl Debug, lane: Lane) -> String {
    format!("v{}.{}", snake(op), lower(lane))
}

/// Name, shape, and what the environment has that is not IEEE's default on Arm.
fn float(name: &str, shape: Shape, env: Env) -> String {
    let fmt: Fmt = shape.fmt;
    let lanes = match shape.low_of() {
        Some(of) => format!("low{of}"),
        None if shape.lanes == 0 => String::new(),
        None => format!("x{}", shape.lanes),
    };
    let words = [
        (env.round != Round::NearestEven, snake(env.round)),
        (env.nan != NanRule::ArmPropagate, format!("nan_{}", lower(env.nan))),
        (env.flush_in, "flush_in".to_owned()),
        (env.flush_out, "flush_out".to_owned()),
        (env.alt_half, "alt_half".to_owned()),
        (env.unmasked, "unmasked".to_owned()),
    ];
    let words: Vec<String> = words.into_iter().filter(|(there, _)| *there).map(|(_, word)| word).collect();
    let env = if words.is_empty() { String::new() } else { format!("{{{}}}", words.join(" ")) };
    format!("{name}.{}{lanes}{env}", lower(fmt))
}

fn ordered(order: Order) -> String {
    if order == Order::Plain { String::new() } else { format!("_{}", snake(order)) }
}

fn aligned(align: Align) -> String {
    match align {
        Align::Any => String::new(),
        Align::To(bytes) => format!("_aligned{bytes}"),
        Align::Within16 => "_within16".to_owned(),
        Align::Vector => "_vector".to_owned(),
    }
}

/// Size and manner, then the address.
fn memory(m: &Mem) -> String {
    let mut out = format!(".{}", m.size);
    for (there, word) in [
        (m.ext == Ext::Sign, "_signed"),
        (m.big, "_big"),
        (m.align != Align::Any, &aligned(m.align)),
        (m.order != Order::Plain, &ordered(m.order)),
    ] {
        if there {
            out += word;
        }
    }
    let _ = write!(out, " [{:?}", m.base);
    if !m.index.is_none() {
        let _ = write!(out, " + {:?}<<{}", m.index, m.scale);
    }
    match m.disp {
        0 => {}
        disp if disp < 0 => _ = write!(out, " - {:#x}", disp.unsigned_abs()),
        disp => _ = write!(out, " + {disp:#x}"),
    }
    out.push(']');
    if let Some(told) = m.on_fault {
        let _ = write!(out, " or slot {} {:#x} before", told.slot.0, told.back);
    }
    if m.space != 0 {
        let _ = write!(out, " space {}", m.space);
    }
    out
}

/// `(v1, v2)`, or nothing.
fn list(vals: &[Val]) -> String {
    if vals.is_empty() {
        return String::new();
    }
    let vals: Vec<String> = vals.iter().map(|v| format!("{v:?}")).collect();
    format!("({})", vals.join(", "))
}

fn lower(name: impl Debug) -> String {
    format!("{name:?}").to_lowercase()
}

/// `SatAddS` as `sat_add_s`.
fn snake(name: impl Debug) -> String {
    let mut out = String::new();
    for c in format!("{name:?}").chars() {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

#[cfg(test)]
mod tests;
