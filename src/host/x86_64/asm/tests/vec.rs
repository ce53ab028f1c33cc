//! The vector instructions: every row, at every length it has.

use super::Want::{Gpr, Imm, Mask};
use super::vop::{ALL, Shape, Tuple, VOp};
use super::*;

/// Rows of which the EVEX form has another mnemonic.
const EVEX_NAMES: [(&str, &str); 18] = [
    ("VPAND", "vpandd"),
    ("VPANDN", "vpandnd"),
    ("VPOR", "vpord"),
    ("VPXOR", "vpxord"),
    ("VMOVDQA", "vmovdqa32"),
    ("VMOVDQA_ST", "vmovdqa32"),
    ("VMOVDQU", "vmovdqu32"),
    ("VMOVDQU_ST", "vmovdqu32"),
    ("VROUNDPS", "vrndscaleps"),
    ("VROUNDPD", "vrndscalepd"),
    ("VROUNDSS", "vrndscaless"),
    ("VROUNDSD", "vrndscalesd"),
    ("VBROADCASTF128", "vbroadcastf32x4"),
    ("VBROADCASTI128", "vbroadcasti32x4"),
    ("VINSERTF128", "vinsertf32x4"),
    ("VINSERTI128", "vinserti32x4"),
    ("VEXTRACTF128_ST", "vextractf32x4"),
    ("VEXTRACTI128_ST", "vextracti32x4"),
];

const ONLY_128: [&str; 17] = [
    "VPHMINPOSUW",
    "VAESIMC",
    "VAESKEYGENASSIST",
    "VPCMPESTRM",
    "VPCMPESTRI",
    "VPCMPISTRM",
    "VPCMPISTRI",
    "VDPPD",
    "VMOVHLPS",
    "VMOVLHPS",
    "VCMPSS",
    "VCMPSD",
    "VRSQRTSS",
    "VRCPSS",
    "VPEXTRW",
    "VMOVSS_RR",
    "VMOVSD_RR",
];

/// 256 bits and more.
const WIDE: [&str; 20] = [
    "VBROADCASTSD",
    "VBROADCASTF128",
    "VBROADCASTI128",
    "VINSERTF128",
    "VINSERTI128",
    "VINSERTI64X2",
    "VEXTRACTF128_ST",
    "VEXTRACTI128_ST",
    "VEXTRACTI64X2_ST",
    "VPERMD",
    "VPERMQ",
    "VPERMPS",
    "VPERMPD",
    "VPERMQ_I",
    "VPERMPD_I",
    "VSHUFF32X4",
    "VSHUFF64X2",
    "VSHUFI32X4",
    "VSHUFI64X2",
    "VPERM2F128",
];

/// Vectors whose memory operand is one element of a fixed size.
const ELEMENT: [&str; 4] = ["VBROADCAST", "VPBROADCAST", "VPCOMPRESS", "VPEXPAND"];

fn is_scalar(name: &str, op: VOp) -> bool {
    let one = [Tuple::T1, Tuple::T2, Tuple::T4, Tuple::T8, Tuple::KL0, Tuple::KL1].contains(&op.tuple);
    one && !ELEMENT.iter().any(|e| name.starts_with(e)) || ONLY_128.contains(&name)
}

fn lengths(name: &str, op: VOp) -> &'static [L] {
    match name {
        _ if is_scalar(name, op) => &[L128],
        "VINSERTI64X4" | "VEXTRACTI64X4_ST" => &[L512],
        "VPERM2F128" | "VPERM2I128" => &[L256],
        _ if WIDE.contains(&name) && op.has_evex() => &[L256, L512],
        _ if !op.has_evex() => &[L128, L256],
        _ => &[L128, L256, L512],
    }
}

/// The r/m operand: a register of any kind, or memory.
#[derive(Clone, Copy)]
enum Any {
    Num(u8),
    Mem(Mem),
}

impl Operand for Any {
    fn place(&self) -> Place<'_> {
        match self {
            Any::Num(n) => Place::Reg(*n),
            Any::Mem(m) => Place::Mem(m),
        }
    }
}

/// Encodes a row with these operands and says what must come out, in the manual's order.
fn emit(a: &mut Asm, op: VOp, shape: Shape, l: L, r: u8, v: u8, m: Any) {
    use Shape::*;
    let (x, y) = (Xmm(r), Xmm(v));
    match shape {
        RVM | RVM_M | RVX | RVE | KVM | KVK => a.v3(op, l, x, y, m),
        RVMI | RVEI | KVMI => a.v3i(op, l, x, y, m, 0x12),
        RVMR => a.v4(op, l, x, y, m, Xmm(11)),
        RM | RM_M | RE | RG | GM | GX | RK | KX | KK | KKR | KG | GK => a.v2(op, l, x, m),
        RMI | KMI | GXI | KKI => a.v2i(op, l, x, m, 0x12),
        MR | MR_M | ER | MK => a.vst(op, l, m, x),
        MVR => {
            let Any::Mem(m) = m else { unreachable!() };
            a.vst3(op, l, m, y, x);
        }
        MRI | ERI => a.vsti(op, l, m, x, 0x12),
        VMI0 | VMI1 | VMI2 | VMI3 | VMI4 | VMI6 | VMI7 => a.vshift_i(op, l, y, m, 0x12),
    }
}

fn expected(shape: Shape, r: u8, v: u8, m: Any) -> Vec<Want> {
    use Shape::*;
    let rm = |kind: fn(u8) -> Want| match m {
        Any::Num(n) => kind(n),
        Any::Mem(m) => Want::Mem(m),
    };
    let (reg, vec, imm) = (Want::Vec(r), Want::Vec(v), Imm(0x12, 8));
    match shape {
        RVM | RVM_M | RVX => vec![reg, vec, rm(Want::Vec)],
        RVE => vec![reg, vec, rm(Gpr)],
        RVMI => vec![reg, vec, rm(Want::Vec), imm],
        RVEI => vec![reg, vec, rm(Gpr), imm],
        RVMR => vec![reg, vec, rm(Want::Vec), Want::Vec(11)],
        KVM => vec![Mask(r), vec, rm(Want::Vec)],
        KVMI => vec![Mask(r), vec, rm(Want::Vec), imm],
        KVK => vec![Mask(r), Mask(v), rm(Mask)],
        RM | RM_M => vec![reg, rm(Want::Vec)],
        RE | RG => vec![reg, rm(Gpr)],
        GM | GX => vec![Gpr(r), rm(Want::Vec)],
        RK => vec![reg, rm(Mask)],
        KX => vec![Mask(r), rm(Want::Vec)],
        KK | KKR => vec![Mask(r), rm(Mask)],
        KG => vec![Mask(r), rm(Gpr)],
        GK => vec![Gpr(r), rm(Mask)],
        RMI => vec![reg, rm(Want::Vec), imm],
        KMI => vec![Mask(r), rm(Want::Vec), imm],
        GXI => vec![Gpr(r), rm(Want::Vec), imm],
        KKI => vec![Mask(r), rm(Mask), imm],
        MR | MR_M => vec![rm(Want::Vec), reg],
        ER => vec![rm(Gpr), reg],
        MK => vec![rm(Mask), Mask(r)],
        MVR => vec![rm(Want::Vec), vec, reg],
        MRI => vec![rm(Want::Vec), reg, imm],
        ERI => vec![rm(Gpr), reg, imm],
        VMI0 | VMI1 | VMI2 | VMI3 | VMI4 | VMI6 | VMI7 => vec![vec, rm(Want::Vec), imm],
    }
}

/// The highest register number + 1 of reg, vvvv and r/m as register; whether r/m can be a register, memory.
fn limits(shape: Shape, evex: bool) -> ([u8; 3], bool, bool) {
    use Shape::*;
    let x = if evex { 32 } else { 16 };
    match shape {
        RVM | RVMI | RVMR | RM | RMI | MR | MRI => ([x, x, x], true, true),
        RVM_M | RM_M | MR_M | MVR => ([x, x, 0], false, true),
        RVX => ([x, x, x], true, false),
        RVE | RVEI | RE | ER | ERI => ([x, x, 16], true, true),
        RG => ([x, x, 16], true, false),
        GM => ([16, x, x], true, true),
        GX | GXI => ([16, x, x], true, false),
        KVM | KVMI | KMI => ([8, x, x], true, true),
        KVK => ([8, 8, 8], true, false),
        KX => ([8, x, x], true, false),
        RK => ([x, x, 8], true, false),
        KK => ([8, x, 8], true, true),
        MK => ([8, x, 0], false, true),
        KKR | KKI => ([8, x, 8], true, false),
        KG => ([8, x, 16], true, false),
        GK => ([16, x, 8], true, false),
        VMI0 | VMI1 | VMI2 | VMI3 | VMI4 | VMI6 | VMI7 => ([x, x, x], true, evex),
    }
}

const NUMBERS: [u8; 9] = [0, 1, 7, 8, 15, 16, 23, 24, 31];

/// Memory operands with displacements around the limits of what one byte can say at any scale.
fn operands() -> Vec<Mem> {
    let disps = [0, 1, 2, 4, 8, 16, 32, 64, 127, 128, -128, -129, 254, 1016, 2032, 4064, 8128, 8192, -8192, -8256];
    let mut all = few_mems();
    all.extend(disps.map(|d| Mem::base(Reg::RSI, d)));
    all.extend(disps.map(|d| Mem::sib(Reg::R13, Reg::RCX, 2, d)));
    all
}

fn is_shift(shape: Shape) -> bool {
    use Shape::*;
    matches!(shape, VMI0 | VMI1 | VMI2 | VMI3 | VMI4 | VMI6 | VMI7)
}

fn has_vvvv(shape: Shape) -> bool {
    use Shape::*;
    is_shift(shape) || matches!(shape, RVM | RVM_M | RVX | RVE | RVMI | RVEI | RVMR | KVM | KVMI | KVK | MVR)
}

/// A row at one length in one encoding.
struct Case {
    name: &'static str,
    op: VOp,
    shape: Shape,
    l: L,
    evex: bool,
}

impl Case {
    /// Its name without the suffix.
    fn row(&self) -> &str {
        self.name.split('_').next().unwrap()
    }

    fn mnemonic(&self) -> String {
        let alias = EVEX_NAMES.iter().find(|(n, _)| self.evex && *n == self.name);
        alias.map_or_else(|| self.row().to_lowercase(), |(_, n)| (*n).to_string())
    }

    /// Encodes with these operands and compares.
    fn check(&self, r: u8, v: u8, m: Any) -> Instruction {
        let want = expected(self.shape, r, v, m);
        let i = check(&self.mnemonic(), &want, |a| emit(a, self.op, self.shape, self.l, r, v, m));
        assert_eq!(i.op_count() as usize, want.len(), "{i}");
        for general in (0..i.op_count()).map(|n| i.op_register(n)).filter(|r| r.is_gpr()) {
            let wide = self.name.ends_with("_Q")
                || ["VMOVQ", "KMOVQ", "VPINSRQ", "VPEXTRQ", "VPBROADCASTQ"].contains(&self.row());
            assert_eq!(general.is_gpr64(), wide, "{}: {i}", self.name);
        }
        if !is_scalar(self.name, self.op) && !i.is_broadcast() {
            let registers = (0..i.op_count()).map(|n| i.op_register(n)).filter(|r| r.is_vector_register());
            let widest = registers.map(|r| r.size()).max().unwrap_or(0).max(i.memory_size().size());
            assert_eq!(widest, self.l.bytes() as usize, "{}: {i}", self.name);
        }
        i
    }

    /// All combinations of a few registers and memory operands.
    fn run(&self) {
        let mut checked = 0;
        let ([nr, nv, nm], reg, mem) = limits(self.shape, self.evex);
        let low = |&n: &u8| n < nr;
        for r in NUMBERS.into_iter().filter(low) {
            for v in NUMBERS.into_iter().filter(|&n| n < nv && n == self.unused(n)) {
                for m in NUMBERS.into_iter().filter(|&n| reg && n < nm) {
                    if self.is_mine(r, v, Some(m)) {
                        self.check(r, self.unused(v), Any::Num(m));
                        checked += 1;
                    }
                }
                for (n, m) in operands().into_iter().enumerate() {
                    // Every operand with some registers, some operands with every register.
                    if mem && self.is_mine(r, v, None) && (n % 7 == 0 || r == v || r == 0 || v == 0) {
                        let i = self.check(r, self.unused(v), Any::Mem(m));
                        self.check_size(&i);
                        checked += 1;
                    }
                }
            }
        }
        assert!(checked >= 9, "{}: {checked}", self.name);
    }

    /// vvvv is 0 where the row has no such operand.
    fn unused(&self, v: u8) -> u8 {
        if has_vvvv(self.shape) { v } else { 0 }
    }

    /// Whether these registers make the encoding the one under test.
    fn is_mine(&self, r: u8, v: u8, m: Option<u8>) -> bool {
        let (r, v) = (if is_shift(self.shape) { 0 } else { r }, self.unused(v));
        let from_memory = is_shift(self.shape) && m.is_none();
        let high = r > 15 || v > 15 || m.is_some_and(|m| m > 15);
        (high || from_memory || self.op.is_evex_only() || self.l == L512) == self.evex
    }

    fn check_size(&self, i: &Instruction) {
        let element = self.name.starts_with("VPCOMPRESS") || self.name.starts_with("VPEXPAND");
        if self.op.has_evex() && !element {
            let unit = self.op.tuple.unit(u8::from(self.l.bytes() >= 32) + u8::from(self.l.bytes() == 64));
            assert_eq!(i.memory_size().size(), 1 << unit, "{}: {i}", self.name);
        }
    }
}

/// Calls `f` with each row at each length, in VEX and in EVEX.
fn cases(f: impl Fn(&Case)) {
    for &(name, op, shape) in ALL {
        for &l in lengths(name, op) {
            for evex in [false, true] {
                if if evex { op.has_evex() } else { !op.is_evex_only() && l != L512 } {
                    f(&Case { name, op, shape, l, evex });
                }
            }
        }
    }
}

#[test]
fn rows() {
    cases(Case::run);
}

#[test]
fn names_in_the_lists_exist() {
    let lists = EVEX_NAMES.iter().map(|(n, _)| n).chain(&ONLY_128).chain(&WIDE);
    for name in lists {
        assert!(ALL.iter().any(|(n, _, _)| n == name), "{name}");
    }
}

#[test]
fn masks_and_broadcasts() {
    cases(|c| {
        if !c.evex || !c.op.tuple.bcast() {
            return;
        }
        let to_mask = matches!(c.shape, Shape::KVM | Shape::KVMI | Shape::KMI);
        let masked = if to_mask { c.l.k(K(5)) } else { c.l.k(K(5)).z() };
        let r = if to_mask { 3 } else { 9 };
        let i = Case { l: masked, ..*c }.check(r, c.unused(19), Any::Num(2));
        assert_eq!((i.op_mask(), i.zeroing_masking()), (Register::K5, !to_mask), "{i}");
        for m in operands() {
            let i = Case { l: c.l.k(K(1)).bcast(), ..*c }.check(r, c.unused(2), Any::Mem(m));
            assert!(i.is_broadcast() && i.op_mask() == Register::K1, "{i}");
        }
    });
    let i = check("vmovdqu8", &[Want::Mem(Mem::base(Reg::RAX, 32)), Want::Vec(3)], |a| {
        a.vst(vop::VMOVDQU8_ST, L256.k(K(7)), Mem::base(Reg::RAX, 32), Xmm(3));
    });
    assert_eq!((i.op_mask(), i.zeroing_masking()), (Register::K7, false));
}

#[test]
fn rounding() {
    use iced_x86::RoundingControl as Rc;
    let modes = [
        (Rounding::Nearest, Rc::RoundToNearest),
        (Rounding::Down, Rc::RoundDown),
        (Rounding::Up, Rc::RoundUp),
        (Rounding::Zero, Rc::RoundTowardZero),
    ];
    for (mode, want) in modes {
        for (n, op, l) in [("vaddpd", vop::VADDPD, L512), ("vfmadd231ss", vop::VFMADD231SS, L128)] {
            let i = check(n, &[Want::Vec(1), Want::Vec(12), Want::Vec(31)], |a| {
                a.v3(op, l.round(mode), Xmm(1), Xmm(12), Xmm(31));
            });
            assert_eq!(i.rounding_control(), want);
        }
        let i = check("vcvtsd2si", &[Want::Is(Register::R9), Want::Vec(3)], |a| {
            a.v2(vop::VCVTSD2SI_Q, L128.round(mode), Reg::R9, Xmm(3));
        });
        assert_eq!(i.rounding_control(), want);
    }
    let i = check("vmaxps", &[Want::Vec(1), Want::Vec(2), Want::Vec(3)], |a| {
        a.v3(vop::VMAXPS, L512.sae(), Xmm(1), Xmm(2), Xmm(3));
    });
    assert!(i.suppress_all_exceptions());
}

#[test]
fn copies_and_zeroes() {
    for (d, s) in [(0, 1), (7, 8), (8, 7), (8, 9), (16, 3)] {
        check("vmovaps", &[Want::Vec(d), Want::Vec(s)], |a| a.vmov(L256, Xmm(d), Xmm(s)));
        let n = if d < 16 { "vpxor" } else { "vpxord" };
        check(n, &[Want::Vec(d), Want::Vec(d & 7), Want::Vec(d & 7)], |a| a.vzero(Xmm(d)));
    }
    assert_eq!(code(|a| a.vmov(L128, Xmm(7), Xmm(8))).len(), 4);
    assert_eq!(code(|a| a.vzero(Xmm(15))).len(), 4);
}

#[test]
fn two_byte_prefix_where_it_suffices() {
    assert_eq!(code(|a| a.v3(vop::VPADDB, L256, Xmm(15), Xmm(15), Xmm(7))).len(), 4);
    assert_eq!(code(|a| a.v3(vop::VPADDB, L256, Xmm(1), Xmm(2), Xmm(8))).len(), 5);
    assert_eq!(code(|a| a.v2(vop::VMOVDQU, L128, Xmm(9), Mem::base(Reg::RBX, 16))).len(), 5);
}

#[test]
fn sha() {
    type Two = fn(&mut Asm, Xmm, Xm);
    let rows: [(&str, Two); 7] = [
        ("sha1nexte", |a, d, s| a.sha1nexte(d, s)),
        ("sha1msg1", |a, d, s| a.sha1msg1(d, s)),
        ("sha1msg2", |a, d, s| a.sha1msg2(d, s)),
        ("sha256rnds2", |a, d, s| a.sha256rnds2(d, s)),
        ("sha256msg1", |a, d, s| a.sha256msg1(d, s)),
        ("sha256msg2", |a, d, s| a.sha256msg2(d, s)),
        ("sha1rnds4", |a, d, s| a.sha1rnds4(d, s, 2)),
    ];
    for (n, f) in rows {
        for d in (0..16).map(Xmm) {
            for s in 0..16 {
                check(n, &[Want::Vec(d.0), Want::Vec(s)], |a| f(a, d, Xm::Reg(Xmm(s))));
            }
            for m in few_mems() {
                check(n, &[Want::Vec(d.0), Want::Mem(m)], |a| f(a, d, Xm::Mem(m)));
            }
        }
    }
}

/// The instructions of what `f` appends, as text.
fn text(f: impl FnOnce(&mut Asm)) -> Vec<String> {
    let bytes = code(|a| {
        a.staging = Some([Xmm(10), Xmm(11)]);
        f(a);
    });
    Decoder::with_ip(64, &bytes, BASE, DecoderOptions::NONE).iter().map(|i| i.to_string()).collect()
}

#[test]
fn registers_that_the_encoding_lacks_are_staged() {
    let compare = |d, a, b| text(|asm| asm.v3(vop::VPCMPEQD, L128, Xmm(d), Xmm(a), Xm::Reg(Xmm(b))));
    assert_eq!(compare(1, 2, 3), ["vpcmpeqd xmm1,xmm2,xmm3"]);
    assert_eq!(compare(16, 2, 3), ["vpcmpeqd xmm10,xmm2,xmm3", "vmovaps xmm16,xmm10"]);
    assert_eq!(compare(1, 17, 17), ["vmovaps xmm10,xmm17", "vpcmpeqd xmm1,xmm10,xmm10"]);
    let all = ["vmovaps xmm10,xmm17", "vmovaps xmm11,xmm18", "vpcmpeqd xmm10,xmm10,xmm11", "vmovaps xmm16,xmm10"];
    assert_eq!(compare(16, 17, 18), all);
    let memory = text(|a| a.v3i(vop::VCMPPS, L128, Xmm(20), Xmm(21), Mem::base(Reg::RBX, 16), 3));
    assert_eq!(memory, ["vmovaps xmm10,xmm21", "vcmpunordps xmm10,xmm10,[rbx+10h]", "vmovaps xmm20,xmm10"]);
    let general = text(|a| a.v2(vop::VMOVMSKPS, L128, Reg::RAX, Xmm(31)));
    assert_eq!(general, ["vmovaps xmm11,xmm31", "vmovmskps eax,xmm11"]);
    let blend = text(|a| a.v4(vop::VPBLENDVB, L128, Xmm(16), Xmm(2), Xmm(3), Xmm(17)));
    assert_eq!(blend, ["vpmovb2m k1,xmm17", "vpblendmb xmm16{k1},xmm2,xmm3"]);
    let sha = text(|a| a.sha256msg2(Xmm(20), Xmm(21)));
    assert_eq!(sha, ["vmovaps xmm11,xmm21", "vmovaps xmm10,xmm20", "sha256msg2 xmm10,xmm11", "vmovaps xmm20,xmm10"]);
}
