//! Loads and stores of VFP and Advanced SIMD registers (Arm ARM F3.1.7, F3.1.11, F4.1.9, F4.1.11).

use super::Cx;
use super::simd::single;
use crate::insn::*;
use ir::{Lane, Mem, Ty, V2, Val};

// ---- VFP ----

/// An access to a register of precision `z`. The `first` of an instruction is checked to be at a multiple of four.
fn access(cx: &Cx, z: u32, base: Val, disp: i32, first: bool) -> Mem {
    cx.mem(base, 4 << z).disp(disp).aligned_to(if first { 4 } else { 1 })
}

fn load_register(cx: &mut Cx, z: u32, mem: Mem) -> Val {
    cx.b.load(if z == 1 { Ty::F64 } else { Ty::F32 }, mem)
}

fn store_register(cx: &mut Cx, z: u32, d: u32, mem: Mem) {
    let v = if z == 1 { cx.d_lane(Ty::F64, d, 0) } else { cx.s(Ty::F32, d) };
    cx.b.store(mem, v);
}

fn set_register(cx: &mut Cx, z: u32, d: u32, v: Val) {
    if z == 1 { cx.set_d_lane(d, 0, v) } else { cx.set_s(d, v) }
}

/// The number of a register from D:Vd.
fn register(z: u32, d: u32) -> u32 {
    if z == 1 { d } else { single(d) }
}

fn displacement(u: u32, i: u32) -> i32 {
    let bytes = (4 * i).cast_signed();
    if u == 1 { bytes } else { -bytes }
}

pub(crate) fn vldr(cx: &mut Cx, a: Vldr) {
    let base = cx.base(a.n);
    let mem = access(cx, a.z, base, displacement(a.u, a.i), true);
    let v = load_register(cx, a.z, mem);
    set_register(cx, a.z, register(a.z, a.d), v);
}

pub(crate) fn vstr(cx: &mut Cx, a: Vstr) {
    let base = cx.base(a.n);
    let mem = access(cx, a.z, base, displacement(a.u, a.i), true);
    store_register(cx, a.z, register(a.z, a.d), mem);
}

/// A register list: the first register, how many, the lowest address relative to the base, how far the base moves.
#[derive(Clone, Copy, Debug)]
struct List {
    z: u32,
    first: u32,
    count: u32,
    low: i32,
    step: i64,
}

/// None (and the trap) if it does not fit. An odd number of words of doubles is FLDMX and FSTMX: the last word is not touched.
fn list(cx: &mut Cx, z: u32, d: u32, i: u32, p: u32) -> Option<List> {
    let (first, count) = (register(z, d), if z == 1 { i / 2 } else { i });
    if count == 0 || count > 16 && z == 1 || first + count > 32 {
        cx.undefined();
        return None;
    }
    let bytes = displacement(1, i);
    Some(List {
        z,
        first,
        count,
        low: if p == 1 { -bytes } else { 0 },
        step: i64::from(if p == 1 { -bytes } else { bytes }),
    })
}

/// The accesses of a list: register, bytes, memory. Doubles that are a Q register in the guest's order are one.
fn accesses(cx: &Cx, list: List, base: Val) -> Vec<(u32, u32, Mem)> {
    if list.z == 1 && !cx.big() {
        return pieces(list.first, list.count)
            .map(|(d, size, disp)| {
                let mem = cx.mem(base, size).disp(list.low + disp).aligned_to(if disp == 0 { 4 } else { 1 });
                (d, size, mem)
            })
            .collect();
    }
    let size = 4 << list.z;
    (0..list.count)
        .map(|i| (list.first + i, size, access(cx, list.z, base, list.low + (i * size).cast_signed(), i == 0)))
        .collect()
}

pub(crate) fn vldm(cx: &mut Cx, a: Vldm) {
    let Some(list) = list(cx, a.z, a.d, a.i, a.p) else { return };
    let base = cx.base(a.n);
    let mut values = Vec::new();
    for (d, size, mem) in accesses(cx, list, base) {
        let v = if size == 16 { cx.b.load(Ty::V128, mem) } else { load_register(cx, list.z, mem) };
        values.push((d, size, v));
    }
    for (d, size, v) in values {
        if size == 16 { cx.set_quad(d, v) } else { set_register(cx, list.z, d, v) }
    }
    write_back(cx, a.n, a.w, base, list.step);
}

pub(crate) fn vstm(cx: &mut Cx, a: Vstm) {
    let Some(list) = list(cx, a.z, a.d, a.i, a.p) else { return };
    let base = cx.base(a.n);
    for (d, size, mem) in accesses(cx, list, base) {
        if size == 16 {
            let v = cx.quad(d);
            cx.b.store(mem, v);
        } else {
            store_register(cx, list.z, d, mem);
        }
    }
    write_back(cx, a.n, a.w, base, list.step);
}

fn write_back(cx: &mut Cx, n: u32, w: u32, base: Val, step: i64) {
    if w == 1 && n != 15 {
        let moved = cx.b.add_imm(base, step);
        cx.set_r(n, moved);
    }
}

// ---- elements and structures ----

/// The base moves by `bytes` (m 13), by rm, or not at all (m 15).
fn move_base(cx: &mut Cx, n: u32, m: u32, bytes: u32) {
    let base = cx.r(n);
    let v = match m {
        15 => return,
        13 => cx.b.add_imm(base, bytes.into()),
        _ => {
            let offset = cx.r(m);
            cx.b.add(base, offset)
        }
    };
    cx.set_r(n, v);
}

/// What a type of multiple structures means: D registers in all, elements of a structure, distance of their registers.
/// (Arm ARM F6.1: VLD1 to VLD4, "multiple structures".)
#[derive(Clone, Copy, Debug)]
struct Multiple {
    registers: u32,
    elements: u32,
    spacing: u32,
}

const MULTIPLE: [Multiple; 11] = [
    Multiple { registers: 4, elements: 4, spacing: 1 },
    Multiple { registers: 4, elements: 4, spacing: 2 },
    Multiple { registers: 4, elements: 1, spacing: 1 },
    Multiple { registers: 4, elements: 2, spacing: 2 },
    Multiple { registers: 3, elements: 3, spacing: 1 },
    Multiple { registers: 3, elements: 3, spacing: 2 },
    Multiple { registers: 3, elements: 1, spacing: 1 },
    Multiple { registers: 1, elements: 1, spacing: 1 },
    Multiple { registers: 2, elements: 2, spacing: 1 },
    Multiple { registers: 2, elements: 2, spacing: 2 },
    Multiple { registers: 2, elements: 1, spacing: 1 },
];

/// The multiple structures of an instruction, or None (and the trap) where it is not allocated.
fn multiple(cx: &mut Cx, [t, z, a, d]: [u32; 4]) -> Option<Multiple> {
    let x = MULTIPLE[t as usize];
    let last = match (x.elements, x.registers) {
        (1, n) => n - 1,
        (2, 4) => 3,
        (n, _) => (n - 1) * x.spacing,
    };
    let bad_alignment = match (x.elements, x.registers) {
        (1, 1 | 3) | (3, _) => a & 2 != 0,
        (1 | 2, 2) => a == 3,
        _ => false,
    };
    if bad_alignment || x.elements != 1 && z == 3 || d + last > 31 {
        cx.undefined();
        return None;
    }
    Some(x)
}

/// The alignment that multiple structures ask for.
fn multiple_alignment(a: u32) -> u8 {
    if a == 0 { 1 } else { 4 << a }
}

/// The alignment of the access at `disp` from the base: the first is checked for all.
fn first_only(align: u8, disp: i32) -> u8 {
    if disp == 0 { align } else { 1 }
}

/// The D registers of a structure's elements: `row` counts the groups of VLD1's registers and of VLD2's second pair.
fn group(x: Multiple, d: u32, row: u32) -> [u32; 4] {
    let at = |element: u32| d + row + element * if x.registers == 4 && x.elements == 2 { 2 } else { x.spacing };
    [at(0), at(1), at(2), at(3)]
}

pub(crate) fn vld_multiple(cx: &mut Cx, a: VldMultiple) {
    let Some(x) = multiple(cx, [a.t, a.z, a.a, a.d]) else { return };
    let base = cx.r(a.n);
    let align = multiple_alignment(a.a);
    let mut writes = Vec::new();
    if x.elements == 1 {
        for (d, size, disp) in pieces(a.d, x.registers) {
            writes.push((d, size, load_elements(cx, a.z, base, size, disp, align)));
        }
    } else if is_two_quads(x, a.d) {
        let (low, high) = (load_elements(cx, a.z, base, 16, 0, align), load_elements(cx, a.z, base, 16, 16, align));
        for (n, op) in [(0, V2::UnzipEven), (2, V2::UnzipOdd)] {
            writes.push((a.d + n, 16, cx.b.v2(op, Lane::log2(a.z), low, high)));
        }
    } else {
        for row in 0..x.registers / x.elements {
            let regs = group(x, a.d, row);
            let disp = (row * 8 * x.elements).cast_signed();
            let values = load_group(cx, x.elements, a.z, base, disp, align);
            writes.extend(regs.into_iter().zip(values).take(x.elements as usize).map(|(d, v)| (d, 8, v)));
        }
    }
    for (d, size, v) in writes {
        cx.set_v(size / 16, d, v);
    }
    move_base(cx, a.n, a.m, 8 * x.registers);
}

/// Runs of D registers as what one access each can move: register, bytes, displacement. Whole Q registers are one access.
fn pieces(first: u32, count: u32) -> impl Iterator<Item = (u32, u32, i32)> {
    let mut n = 0;
    std::iter::from_fn(move || {
        let (d, disp) = (first + n, (8 * n).cast_signed());
        let size = match count - n {
            0 => return None,
            1 => 8,
            _ => 16 >> (d & 1),
        };
        n += size / 8;
        Some((d, size, disp))
    })
}

/// VLD2 and VST2 of two Q registers.
fn is_two_quads(x: Multiple, d: u32) -> bool {
    (x.elements, x.registers) == (2, 4) && d & 1 == 0
}

/// `size` (8 or 16) bytes of elements of 2^z bytes, in the guest's byte order.
fn load_elements(cx: &mut Cx, z: u32, base: Val, size: u32, disp: i32, align: u8) -> Val {
    let mem = Mem::at(base, size as u8).disp(disp).aligned_to(first_only(align, disp));
    let v = if size == 16 {
        cx.b.load(Ty::V128, mem)
    } else {
        let v = cx.b.load(Ty::F64, mem);
        cx.b.v_from_scalar(v)
    };
    swap_elements(cx, z, v)
}

fn store_elements(cx: &mut Cx, z: u32, base: Val, size: u32, disp: i32, align: u8, v: Val) {
    let mem = Mem::at(base, size as u8).disp(disp).aligned_to(first_only(align, disp));
    let v = swap_elements(cx, z, v);
    let v = if size == 16 { v } else { cx.b.vget(Ty::F64, v, 0) };
    cx.b.store(mem, v);
}

fn swap_elements(cx: &mut Cx, z: u32, v: Val) -> Val {
    if cx.big() && z != 0 { cx.b.v1(ir::V1::Bswap, Lane::log2(z), v) } else { v }
}

/// `elements` D registers from 8 bytes times as many, taken apart by elements of 2^z bytes.
fn load_group(cx: &mut Cx, elements: u32, z: u32, base: Val, disp: i32, align: u8) -> [Val; 4] {
    let lane = Lane::log2(z);
    let both = load_elements(cx, z, base, 16, disp, align);
    match elements {
        2 => {
            let even = cx.b.v2(V2::UnzipEven, lane, both, both);
            let odd = cx.b.v2(V2::UnzipOdd, lane, both, both);
            [even, odd, Val::NONE, Val::NONE]
        }
        3 => {
            let last = load_elements(cx, z, base, 8, disp + 16, align);
            permute_three(cx, z, both, last, false)
        }
        _ => {
            let (low, high) = (both, load_elements(cx, z, base, 16, disp + 16, align));
            // Elements 0 and 2 of each structure, then 1 and 3; each taken apart once more.
            let even = cx.b.v2(V2::UnzipEven, lane, low, high);
            let odd = cx.b.v2(V2::UnzipOdd, lane, low, high);
            let zero = cx.b.v2(V2::UnzipEven, lane, even, even);
            let two = cx.b.v2(V2::UnzipOdd, lane, even, even);
            let one = cx.b.v2(V2::UnzipEven, lane, odd, odd);
            let three = cx.b.v2(V2::UnzipOdd, lane, odd, odd);
            [zero, one, two, three]
        }
    }
}

/// The byte table that gathers, for each of three results (or words, `together`), its bytes from 24.
fn three_table(z: u32, i: u32, together: bool) -> [u64; 2] {
    let size = 1 << z;
    let mut tables = [0u64; 2];
    for byte in 0..8u32 {
        let from = if together {
            // Byte `8i + byte` of memory: which element of which structure.
            let (element, inside) = ((8 * i + byte) / size, (8 * i + byte) % size);
            element % 3 * 8 + element / 3 * size + inside
        } else {
            let (element, inside) = (byte / size, byte % size);
            (element * 3 + i) * size + inside
        };
        // Indexes beyond a table give zero; the first is of 16 bytes, the second begins there.
        tables[0] |= u64::from(if from < 16 { from } else { 0xff }) << (8 * byte);
        tables[1] |= u64::from(if from < 16 { 0xff } else { from - 16 }) << (8 * byte);
    }
    tables
}

/// Each result is bytes of three words, two in `low`.
fn permute_three(cx: &mut Cx, z: u32, low: Val, high: Val, together: bool) -> [Val; 4] {
    let mut out = [Val::NONE; 4];
    for (i, o) in (0..3).zip(&mut out) {
        let [first, second] = three_table(z, i, together);
        let (first, second) = (cx.b.v128(first.into()), cx.b.v128(second.into()));
        let x = cx.b.v2(V2::Tbl, Lane::B, low, first);
        let y = cx.b.v2(V2::Tbl, Lane::B, high, second);
        *o = cx.b.v2(V2::Or, Lane::D, x, y);
    }
    out
}

pub(crate) fn vst_multiple(cx: &mut Cx, a: VstMultiple) {
    let Some(x) = multiple(cx, [a.t, a.z, a.a, a.d]) else { return };
    let base = cx.r(a.n);
    let align = multiple_alignment(a.a);
    let lane = Lane::log2(a.z);
    if x.elements == 1 {
        for (d, size, disp) in pieces(a.d, x.registers) {
            let v = cx.v(size / 16, d);
            store_elements(cx, a.z, base, size, disp, align, v);
        }
    } else if is_two_quads(x, a.d) {
        let (even, odd) = (cx.quad(a.d), cx.quad(a.d + 2));
        for (disp, op) in [(0, V2::ZipLo), (16, V2::ZipHi)] {
            let v = cx.b.v2(op, lane, even, odd);
            store_elements(cx, a.z, base, 16, disp, align, v);
        }
    } else {
        for row in 0..x.registers / x.elements {
            let values = group(x, a.d, row).map(|d| if d < 32 { cx.d(d) } else { Val::NONE });
            store_group(cx, x.elements, a.z, base, (8 * row * x.elements).cast_signed(), align, values);
        }
    }
    move_base(cx, a.n, a.m, 8 * x.registers);
}

/// Stores `elements` D registers, their elements in turn.
fn store_group(cx: &mut Cx, elements: u32, z: u32, base: Val, disp: i32, align: u8, v: [Val; 4]) {
    let lane = Lane::log2(z);
    match elements {
        2 => {
            let both = cx.b.v2(V2::ZipLo, lane, v[0], v[1]);
            store_elements(cx, z, base, 16, disp, align, both);
        }
        3 => {
            let low = cx.b.v2(V2::ConcatLo, Lane::D, v[0], v[1]);
            let words = permute_three(cx, z, low, v[2], true);
            for (i, w) in (0..3).zip(words) {
                store_elements(cx, z, base, 8, disp + 8 * i, align, w);
            }
        }
        _ => {
            let even = cx.b.v2(V2::ZipLo, lane, v[0], v[2]);
            let odd = cx.b.v2(V2::ZipLo, lane, v[1], v[3]);
            for (at, op) in [(0, V2::ZipLo), (16, V2::ZipHi)] {
                let v = cx.b.v2(op, lane, even, odd);
                store_elements(cx, z, base, 16, disp + at, align, v);
            }
        }
    }
}

/// A structure of single elements: index, distance of registers, alignment in bytes.
#[derive(Clone, Copy, Debug)]
struct Single {
    index: u32,
    spacing: u32,
    align: u32,
}

/// Reads index_align; None (and the trap) where it is not allocated. `k` is the number of elements less one.
fn single_structure(cx: &mut Cx, [z, k, i, d]: [u32; 4]) -> Option<Single> {
    let index = i >> (z + 1);
    let spacing = if z > 0 && k > 0 && i >> z & 1 == 1 { 2 } else { 1 };
    let low = i & ((1 << z.max(1)) - 1);
    let size = 1 << z;
    // (The bits' legal values, the alignment they mean), per number of elements and size.
    let align = match (k, z, low) {
        (_, 0, low) => single_byte_alignment(k, low),
        (0, 1, low) if i >> 1 & 1 == 0 => Some(if low & 1 == 1 { 2 } else { 1 }),
        (0, 2, _) if i >> 2 & 1 == 0 && matches!(i & 3, 0 | 3) => Some(if i & 3 == 3 { 4 } else { 1 }),
        (1, 1, _) => Some(if i & 1 == 1 { 4 } else { 1 }),
        (1, 2, _) if i >> 1 & 1 == 0 => Some(if i & 1 == 1 { 8 } else { 1 }),
        (2, 1, _) if i & 1 == 0 => Some(1),
        (2, 2, _) if i & 3 == 0 => Some(1),
        (3, 1, _) => Some(if i & 1 == 1 { 8 } else { 1 }),
        (3, 2, _) if i & 3 != 3 => Some(if i & 3 == 0 { 1 } else { 4 << (i & 3) }),
        _ => None,
    };
    let fits = d + k * spacing <= 31 && size <= 4;
    match align {
        Some(align) if fits => Some(Single { index, spacing, align }),
        _ => {
            cx.undefined();
            None
        }
    }
}

fn single_byte_alignment(k: u32, low: u32) -> Option<u32> {
    match (k, low & 1) {
        (_, 0) => Some(1),
        (1, _) => Some(2),
        (3, _) => Some(4),
        _ => None,
    }
}

pub(crate) fn vld_single(cx: &mut Cx, a: VldSingle) {
    let Some(x) = single_structure(cx, [a.z, a.k, a.i, a.d]) else { return };
    let (base, size) = (cx.r(a.n), 1 << a.z);
    let mut values = [Val::NONE; 4];
    for (i, v) in (0..=a.k).zip(&mut values) {
        let disp = (i * size).cast_signed();
        let mem = cx.mem(base, size).disp(disp).aligned_to(first_only(x.align as u8, disp));
        *v = cx.b.load(Ty::int(size as usize), mem);
    }
    for (i, v) in (0..=a.k).zip(values) {
        cx.set_d_lane(a.d + i * x.spacing, x.index, v);
    }
    move_base(cx, a.n, a.m, (a.k + 1) * size);
}

pub(crate) fn vst_single(cx: &mut Cx, a: VstSingle) {
    let Some(x) = single_structure(cx, [a.z, a.k, a.i, a.d]) else { return };
    let (base, size) = (cx.r(a.n), 1 << a.z);
    for i in 0..=a.k {
        let v = cx.d_lane(Ty::int(size as usize), a.d + i * x.spacing, x.index);
        let disp = (i * size).cast_signed();
        let mem = cx.mem(base, size).disp(disp).aligned_to(first_only(x.align as u8, disp));
        cx.b.store(mem, v);
    }
    move_base(cx, a.n, a.m, (a.k + 1) * size);
}

/// One structure to all lanes. Of VLD1 `t` is the number of registers, else their distance; size 3 is VLD4's words at multiples of 16.
pub(crate) fn vld_all(cx: &mut Cx, a: VldAll) {
    let z = a.z.min(2);
    let (count, spacing) = if a.k == 0 { (a.t + 1, 1) } else { (a.k + 1, a.t + 1) };
    let bad = match a.k {
        0 => a.z == 3 || a.z == 0 && a.a == 1,
        1 => a.z == 3,
        2 => a.z == 3 || a.a == 1,
        _ => a.z == 3 && a.a == 0,
    };
    if bad || a.d + (count - 1) * spacing > 31 {
        return cx.undefined();
    }
    let size = 1 << z;
    let align = match (a.a, a.k, a.z) {
        (0, ..) => 1,
        (_, 0, _) => size,
        (_, 1, _) => 2 * size,
        (_, _, 3) => 16,
        (_, _, 2) => 8,
        _ => 4 * size,
    };
    let base = cx.r(a.n);
    let mut values = [Val::NONE; 4];
    for (i, v) in (0..=a.k).zip(&mut values) {
        let disp = (i * size).cast_signed();
        let mem = cx.mem(base, size).disp(disp).aligned_to(first_only(align as u8, disp));
        let element = cx.b.load(Ty::int(size as usize), mem);
        *v = cx.b.vsplat(Lane::log2(z), element);
    }
    for i in 0..count {
        cx.set_d(a.d + i * spacing, values[if a.k == 0 { 0 } else { i as usize }]);
    }
    move_base(cx, a.n, a.m, (a.k + 1) * size);
}
