//! LD1 to LD4, ST1 to ST4, LD1R to LD4R (Arm ARM C4.1.94, "Advanced SIMD load/store").
//!
//! Structures of two and four are taken apart and put together by the interleaving operations, structures of three by table
//! look-ups. All loads come before the first register is written.

use super::Cx;
use crate::insn::*;
use crate::state;
use ir::{Lane, Mem, Ty, V1, V2, Val};

/// Writes the base back: by Xm, or by the bytes transferred for 31.
fn post_index(cx: &mut Cx, p: u32, n: u32, m: u32, bytes: u32) {
    if p == 0 {
        return;
    }
    let base = cx.xsp(n);
    let step = if m == 31 { cx.b.i64(u64::from(bytes)) } else { cx.x(m) };
    let base = cx.b.add(base, step);
    cx.set_rsp(n, base);
}

/// Loads `bytes` bytes from Xn as vectors of 16, the last of 8 if it must.
fn load_run(cx: &mut Cx, n: u32, bytes: u32) -> Vec<Val> {
    let mem = cx.at(n, 16);
    let starts = (0..bytes).step_by(16);
    starts.map(|at| cx.b.load(Ty::V128, Mem { size: (bytes - at).min(16) as u8, disp: at as i32, ..mem })).collect()
}

fn store_run(cx: &mut Cx, n: u32, bytes: u32, values: &[Val]) {
    let mem = cx.at(n, 16);
    for (&v, at) in values.iter().zip((0..bytes).step_by(16)) {
        cx.b.store(Mem { size: (bytes - at).min(16) as u8, disp: at as i32, ..mem }, v);
    }
}

pub(crate) fn ld_multi(cx: &mut Cx, i: LdMulti) {
    let (count, size) = (i.e * i.c, 8 << i.q);
    let values = if i.e == 1 {
        let mem = cx.at(i.n, size);
        (0..count).map(|k| cx.b.load(Ty::V128, mem.disp((k * size) as i32))).collect()
    } else {
        let run = load_run(cx, i.n, count * size);
        take_apart(cx, &run, i.e, Lane::log2(i.z), i.q)
    };
    post_index(cx, i.p, i.n, i.m, count * size);
    for (k, v) in values.into_iter().enumerate() {
        cx.set_v(i.q, (i.t + k as u32) % 32, v);
    }
}

pub(crate) fn st_multi(cx: &mut Cx, i: StMulti) {
    let (count, size) = (i.e * i.c, 8 << i.q);
    let values: Vec<Val> = (0..count).map(|k| cx.v((i.t + k) % 32)).collect();
    if i.e == 1 {
        let mem = cx.at(i.n, size);
        for (k, &v) in values.iter().enumerate() {
            cx.b.store(mem.disp(k as i32 * size as i32), v);
        }
    } else {
        let run = put_together(cx, &values, Lane::log2(i.z), i.q);
        store_run(cx, i.n, count * size, &run);
    }
    post_index(cx, i.p, i.n, i.m, count * size);
}

/// The registers of structures of `e` elements out of their run in memory. With `q` 0 the upper halves are of no use.
fn take_apart(cx: &mut Cx, run: &[Val], e: u32, lane: Lane, q: u32) -> Vec<Val> {
    let mut halves = |a: Val, b: Val| (cx.b.v2(V2::UnzipEven, lane, a, b), cx.b.v2(V2::UnzipOdd, lane, a, b));
    match (e, run) {
        (2, &[a]) => <[Val; 2]>::from(halves(a, a)).into(),
        (2, &[a, b]) => <[Val; 2]>::from(halves(a, b)).into(),
        (4, &[a, b]) => {
            let (even, odd) = halves(a, b);
            let ((r0, r2), (r1, r3)) = (halves(even, even), halves(odd, odd));
            vec![r0, r1, r2, r3]
        }
        (4, &[a, b, c, d]) => {
            let ((even, odd), (even2, odd2)) = (halves(a, b), halves(c, d));
            let ((r0, r2), (r1, r3)) = (halves(even, even2), halves(odd, odd2));
            vec![r0, r1, r2, r3]
        }
        _ => {
            let bytes = lane.bytes() as u32;
            let place = |k: u32| move |byte: u32| ((byte / bytes) * 3 + k) * bytes + byte % bytes;
            (0..3).map(|k| pick(cx, run, 8 << q, place(k))).collect()
        }
    }
}

/// The run in memory of structures whose elements are in `values`, in vectors of 16 bytes.
fn put_together(cx: &mut Cx, values: &[Val], lane: Lane, q: u32) -> Vec<Val> {
    let mut zip = |a: Val, b: Val| (cx.b.v2(V2::ZipLo, lane, a, b), cx.b.v2(V2::ZipHi, lane, a, b));
    let mut run = match *values {
        [a, b] => <[Val; 2]>::from(zip(a, b)).to_vec(),
        [a, b, c, d] => {
            let ((ac, ac2), (bd, bd2)) = (zip(a, c), zip(b, d));
            let ((r0, r1), (r2, r3)) = (zip(ac, bd), zip(ac2, bd2));
            vec![r0, r1, r2, r3]
        }
        _ => {
            let bytes = lane.bytes() as u32;
            // Byte `at` of the run is in element at / bytes, which is of register element % 3.
            let place = move |first: u32| {
                move |byte: u32| {
                    let (element, rest) = ((first + byte) / bytes, (first + byte) % bytes);
                    (element % 3) * 16 + (element / 3) * bytes + rest
                }
            };
            (0..2 + q).map(|k| pick(cx, values, 16, place(16 * k))).collect()
        }
    };
    if q == 0 {
        run.truncate(values.len().div_ceil(2));
    }
    run
}

/// A vector whose low `count` bytes are bytes of `from` (16 in each value), at the places that `place` gives.
fn pick(cx: &mut Cx, from: &[Val], count: u32, place: impl Fn(u32) -> u32) -> Val {
    let mut all = None;
    for (k, &v) in from.iter().enumerate() {
        // Bytes that are elsewhere get an index that the look-up answers with zero.
        let index = |byte: u32| match place(byte).checked_sub(16 * k as u32) {
            Some(i) if i < 16 && byte < count => u128::from(i),
            _ => 0xff,
        };
        let indices = (0..16).fold(0, |all, byte| all | index(byte) << (8 * byte));
        let indices = cx.b.v128(indices);
        let bytes = cx.b.v2(V2::Tbl, Lane::B, v, indices);
        all = Some(all.map_or(bytes, |all| cx.b.v2(V2::Or, Lane::D, all, bytes)));
    }
    all.unwrap_or_else(|| cx.b.v128(0))
}

// ---- one structure ----

pub(crate) fn ld_lane(cx: &mut Cx, i: LdLane) {
    let (count, lane) = (2 * i.o + i.r + 1, Lane::log2(i.z));
    let size = lane.bytes() as u32;
    let mem = cx.at(i.n, size);
    let values: Vec<Val> = (0..count).map(|k| cx.b.load(lane.ty(), mem.disp((k * size) as i32))).collect();
    post_index(cx, i.p, i.n, i.m, count * size);
    for (k, v) in values.into_iter().enumerate() {
        let t = (i.t + k as u32) % 32;
        let old = cx.v(t);
        let v = cx.b.vset(lane, old, v, i.i);
        cx.set_v(1, t, v);
    }
}

pub(crate) fn st_lane(cx: &mut Cx, i: StLane) {
    let (count, lane) = (2 * i.o + i.r + 1, Lane::log2(i.z));
    let size = lane.bytes() as u32;
    let mem = cx.at(i.n, size);
    for k in 0..count {
        let v = cx.v((i.t + k) % 32);
        let v = cx.b.vget(lane.ty(), v, i.i);
        cx.b.store(mem.disp((k * size) as i32), v);
    }
    post_index(cx, i.p, i.n, i.m, count * size);
}

pub(crate) fn ld_rep(cx: &mut Cx, i: LdRep) {
    let (count, lane) = (2 * i.o + i.r + 1, Lane::log2(i.z));
    let size = lane.bytes() as u32;
    let mem = cx.at(i.n, size);
    let values: Vec<Val> = (0..count).map(|k| cx.b.load(lane.ty(), mem.disp((k * size) as i32))).collect();
    post_index(cx, i.p, i.n, i.m, count * size);
    for (k, v) in values.into_iter().enumerate() {
        let all = cx.b.vsplat(lane, v);
        let all = if i.q == 1 { all } else { cx.b.v1(V1::ZeroHi, Lane::D, all) };
        cx.b.set(state::v((i.t + k as u32) % 32), all);
    }
}
