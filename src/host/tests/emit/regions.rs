//! Makes regions: one operation between reads and writes of slots, or many at random.

use crate::cases::Case;
use crate::machine::{COUNTS, F64S, FLAGS, I32S, I64S, MEMORY, MORE_FLAGS, TYPES, V128S};
use crate::values::{self, Rng};
use ir::{
    Align, Bin, BlockId, Builder, Cc, Env, Ext, Fmt, Fp1, Fp2, FpControl, IntCc, Lane, Mem, Op, Order, Region, Round,
    Shape, Slot, Term, Ty, Un, V1, V2, V3, Val,
};

pub(crate) struct Maker {
    b: Builder,
    /// Values made so far, for random regions.
    pool: Vec<Val>,
}

fn slot(rng: &mut Rng, range: std::ops::Range<u16>) -> Slot {
    Slot(range.start + rng.below(range.len()) as u16)
}

impl Maker {
    pub(crate) fn new() -> Maker {
        Maker { b: Builder::new(&TYPES), pool: Vec::new() }
    }

    pub(crate) fn region(&self) -> &Region {
        &self.b.region
    }

    pub(crate) fn start(&mut self, round: Round) {
        self.b.start(0x1000, 0, FpControl { round });
        self.b.insn(0x1000, 0, 0x1004);
        self.pool.clear();
    }

    pub(crate) fn end(&mut self) {
        self.b.end(Term::Resume { pc: 0x2000 });
    }

    /// A comparison, a branch by it over a sum that may set flags, and where both ways meet the condition once more, or a comparison first. Where that is.
    pub(crate) fn branch_ahead(&mut self, rng: &mut Rng) -> (u64, BlockId) {
        let b = &mut self.b;
        b.lasting = true;
        let [x, y] = [(); 2].map(|()| b.get(slot(rng, I64S)));
        let flags = b.push(Op::FlagsSub(x, y), Ty::Flags);
        b.set(Slot(FLAGS), flags);
        let cc = rng.pick(&[Cc::Eq, Cc::Ne, Cc::Lt, Cc::Hi]);
        let holds = b.cond(cc, flags);
        b.leave_if(holds, Term::Goto { pc: 0x1008 });
        b.insn(0x1004, 0, 0x1008);
        let [x, y] = [(); 2].map(|()| b.get(slot(rng, I64S)));
        if rng.one_in(2) {
            let flags = b.push(Op::FlagsAdd(x, y), Ty::Flags);
            b.set(Slot(FLAGS), flags);
        }
        let sum = b.add(x, y);
        b.set(slot(rng, I64S), sum);
        assert!(b.meet(0x1008), "a branch leads there");
        b.insn(0x1008, 0, 0x100c);
        if rng.one_in(3) {
            let [x, y] = [(); 2].map(|()| b.get(slot(rng, I64S)));
            let flags = b.push(Op::FlagsSub(x, y), Ty::Flags);
            b.set(Slot(FLAGS), flags);
        }
        let flags = b.get(Slot(FLAGS));
        let holds = b.cond(cc, flags);
        let [x, y] = [(); 2].map(|()| b.get(slot(rng, I64S)));
        let one = b.select(holds, x, y);
        b.set(slot(rng, I64S), one);
        self.end();
        self.b.lasting = false;
        self.b.region.side_entries[0]
    }

    /// Scalars made of one another: products that are added at once, squares, their sums and roots, sums with what is finite.
    pub(crate) fn products(&mut self, env: Env, rng: &mut Rng) {
        let (ty, fmt) = rng.pick(&[(Ty::F64, Fmt::F64), (Ty::F32, Fmt::F32)]);
        let shape = Shape::scalar(fmt);
        let mut values: Vec<Val> = (0..3)
            .map(|_| {
                let v = self.b.get(slot(rng, V128S));
                self.b.vget(ty, v, 0)
            })
            .collect();
        let integer = self.b.get(slot(rng, I64S));
        let op = Op::FpFromInt { shape, env, signed: true, fbits: 0, v: integer };
        values.push(self.b.push(op, ty));
        let bits = if ty == Ty::F64 { values::f64(rng) } else { values::f32(rng).into() };
        values.push(self.b.constant(ty, bits));
        let few = V128S.start..V128S.start + 4;
        for _ in 0..8 {
            let [a, b, c] = [(); 3].map(|()| rng.pick(&values));
            let b = if rng.one_in(3) { a } else { b };
            let made = match rng.below(5) {
                0 | 1 => {
                    let product = self.b.push(Op::Fp2(Fp2::Mul, shape, env, a, b), ty);
                    let (a, b) = if rng.one_in(3) { (product, c) } else { (c, product) };
                    values.push(product);
                    Op::Fp2(rng.pick(&[Fp2::Add, Fp2::Sub, Fp2::AddNeg]), shape, env, a, b)
                }
                2 => Op::Fp2(rng.pick(&[Fp2::Add, Fp2::Sub, Fp2::AddNeg, Fp2::Mul, Fp2::Div]), shape, env, a, b),
                3 => {
                    let (neg_product, neg_addend) = (rng.one_in(4), rng.one_in(4));
                    Op::Fma { shape, env, neg_product, neg_addend, a, b, c }
                }
                _ => Op::Fp1(rng.pick(&[Fp1::Sqrt, Fp1::Abs, Fp1::RoundInt]), shape, env, a),
            };
            let made = self.b.push(made, ty);
            values.push(made);
            // Slots may keep some of them below something else, for a while.
            for _ in 0..rng.below(3) {
                let above = self.b.v128(rng.pick(&[0, u128::from(u64::MAX << 32), u128::MAX]));
                let low = rng.pick(&values);
                let whole = self.b.push(Op::VSet(fmt.lane(), above, low, 0), Ty::V128);
                let other = self.b.get(slot(rng, few.clone()));
                let whole = rng.pick(&[whole, whole, whole, above, other]);
                self.b.set(slot(rng, few.clone()), whole);
                if rng.one_in(4) {
                    let other = self.b.get(slot(rng, few.clone()));
                    values.push(self.b.vget(ty, other, 0));
                }
            }
        }
        // Of some nobody sees but what was made of them.
        let seen = rng.pick(&[2, V128S.len()]);
        for (n, v) in values.into_iter().rev().take(seen).enumerate() {
            let whole = self.b.push(Op::VFromScalar(v), Ty::V128);
            self.b.set(Slot(V128S.start + n as u16), whole);
        }
    }

    /// An operand of that type, from anywhere.
    fn operand(&mut self, ty: Ty, rng: &mut Rng) -> Val {
        if rng.one_in(2) {
            let fit: Vec<Val> = self.pool.iter().copied().filter(|v| self.b.ty(*v) == ty).collect();
            if !fit.is_empty() {
                return rng.pick(&fit);
            }
        }
        match ty {
            Ty::V128 => match rng.below(8) {
                0 => {
                    let bits = values::vector(rng);
                    self.b.v128(rng.pick(&[bits, 0, u128::MAX]))
                }
                1 | 2 => {
                    let v = self.b.get(slot(rng, V128S));
                    self.b.push(Op::V1(V1::Not, Lane::B, v), Ty::V128)
                }
                3 => {
                    let [low, high] = [(); 2].map(|()| {
                        let half = self.operand(Ty::F64, rng);
                        self.b.v_low(half)
                    });
                    self.b.v2(V2::ConcatLo, Lane::D, low, high)
                }
                _ => self.b.get(slot(rng, V128S)),
            },
            Ty::F16 | Ty::F32 | Ty::F64 => {
                if rng.one_in(8) {
                    let bits = match ty {
                        Ty::F16 => values::f16(rng).into(),
                        Ty::F32 => values::f32(rng).into(),
                        _ => values::f64(rng),
                    };
                    return self.b.constant(ty, bits);
                }
                if rng.one_in(3) {
                    let v = self.b.get(slot(rng, F64S));
                    return if ty == Ty::F64 { v } else { self.b.vget(ty, v, rng.below(8 / ty.bytes()) as u32) };
                }
                let v = self.operand(Ty::V128, rng);
                let n = if rng.one_in(3) { rng.below(16 / ty.bytes()) } else { 0 };
                self.b.vget(ty, v, n as u32)
            }
            Ty::I64 => match rng.below(6) {
                0 => self.b.i64(values::int(rng)),
                1 => {
                    let v = self.b.get(slot(rng, I64S));
                    self.b.push(Op::Un(Un::Not, v), ty)
                }
                _ => self.b.get(slot(rng, I64S)),
            },
            Ty::I32 => match rng.below(6) {
                0 => self.b.i32(values::int(rng) as u32),
                1 | 2 => {
                    let v = self.operand(Ty::I64, rng);
                    self.b.trunc(ty, v)
                }
                _ => self.b.get(slot(rng, I32S)),
            },
            Ty::I16 | Ty::I8 => {
                if rng.one_in(6) {
                    return self.b.constant(ty, values::int(rng));
                }
                let wide = if rng.one_in(2) { Ty::I64 } else { Ty::I32 };
                let v = self.operand(wide, rng);
                self.b.trunc(ty, v)
            }
            Ty::I1 => self.truth(rng),
            Ty::Flags => match rng.below(4) {
                0 => {
                    let (x, y) = (self.operand(Ty::I64, rng), self.operand(Ty::I64, rng));
                    self.b.flags_sub(x, y)
                }
                1 => {
                    let bits = (rng.next() as u32) << 28;
                    let bits = self.b.i32(bits);
                    self.b.flags_from_bits(bits)
                }
                _ => self.b.get(Slot(rng.pick(&[FLAGS, FLAGS, MORE_FLAGS]))),
            },
            Ty::Void => unreachable!("no operand is void"),
        }
    }

    fn truth(&mut self, rng: &mut Rng) -> Val {
        match rng.below(3) {
            0 => {
                let f = self.operand(Ty::Flags, rng);
                self.b.cond(rng.pick(&ir::Cc::ALL), f)
            }
            1 => {
                let (x, y) = (self.operand(Ty::F64, rng), self.operand(Ty::F64, rng));
                let f = self.b.flags_fcmp(ir::Fmt::F64, Env::IEEE_ARM, false, x, y);
                self.b.cond(rng.pick(&ir::Cc::ALL), f)
            }
            _ => {
                let (x, y) = (self.operand(Ty::I32, rng), self.operand(Ty::I32, rng));
                self.b.push(Op::Cmp(rng.pick(&[IntCc::Ult, IntCc::Eq, IntCc::Sgt]), x, y), Ty::I1)
            }
        }
    }

    /// The operation with operands filled in.
    fn apply(&mut self, case: &Case, rng: &mut Rng) -> Val {
        let mut args: Vec<Val> = case.args.iter().map(|ty| self.operand(*ty, rng)).collect();
        if args.len() > 1 && rng.one_in(6) && case.args[0] == case.args[1] {
            args[1] = args[0];
        }
        let mut op = case.op;
        let mut next = args.into_iter();
        op.map_args(|_| next.next().expect("as many operands as the case says"));
        self.b.push(op, case.ty)
    }

    /// Writes a value to a slot, so that it is seen.
    fn keep(&mut self, v: Val, rng: &mut Rng) {
        let ty = self.b.ty(v);
        match ty {
            // Both halves to registers of that width, as arm writes its Q registers.
            Ty::V128 if rng.one_in(4) => {
                let first = slot(rng, F64S.start..F64S.end - 1).0;
                for half in 0..2 {
                    let x = self.b.vget(Ty::F64, v, half.into());
                    self.b.set(Slot(first + half), x);
                }
            }
            Ty::V128 => self.b.set(slot(rng, V128S), v),
            Ty::F64 if rng.one_in(2) => self.b.set(slot(rng, F64S), v),
            Ty::F16 | Ty::F32 | Ty::F64 => {
                let x = self.b.v_from_scalar(v);
                self.b.set(slot(rng, V128S), x);
            }
            Ty::I64 => self.b.set(slot(rng, I64S), v),
            Ty::I32 if rng.one_in(2) => self.b.set(slot(rng, I32S), v),
            Ty::I1 | Ty::I8 | Ty::I16 | Ty::I32 => {
                let x = self.b.zext(Ty::I64, v);
                self.b.set(slot(rng, I64S), x);
            }
            Ty::Flags => self.b.set(Slot(rng.pick(&[FLAGS, FLAGS, MORE_FLAGS])), v),
            Ty::Void => {}
        }
    }

    /// One operation. Later variants keep other values in registers across it.
    pub(crate) fn single(&mut self, case: &Case, rng: &mut Rng, variant: usize) {
        let mut held = Vec::new();
        for _ in 0..variant % 4 {
            let v = self.b.get(slot(rng, V128S));
            held.push(self.b.push(Op::V1(V1::Not, Lane::B, v), Ty::V128));
            if variant > 5 {
                let v = self.b.get(slot(rng, I64S));
                held.push(self.b.push(Op::Un(Un::Not, v), Ty::I64));
            }
        }
        // Flags that were asked for are known.
        if rng.one_in(2) {
            let f = self.b.fp_flags();
            self.keep(f, rng);
        }
        let v = self.apply(case, rng);
        self.keep(v, rng);
        if rng.one_in(2) {
            let f = self.b.fp_flags();
            self.keep(f, rng);
        }
        for v in held {
            self.keep(v, rng);
        }
    }

    /// Cryptographic instructions as a guest's functions have them: rounds of AES with keys in registers, both halves of SHA-256's rounds, carry-less
    /// products of lower and upper halves, by few registers, with an access now and then.
    pub(crate) fn rounds(&mut self, rng: &mut Rng, memory: u64) {
        use ir::Crypto::{AesInvMix, AesInvSubShift, AesMix, AesSubShift, Sha256Su0};
        let slots: [Slot; 5] = std::array::from_fn(|_| slot(rng, V128S));
        for n in 0..10 + rng.below(30) {
            self.b.insn(0x1000 + 4 * n as u64, 0, 0x1004 + 4 * n as u64);
            let [d, a, b] = [(); 3].map(|()| rng.pick(&slots));
            let [vd, vn, vm] = [d, a, b].map(|s| self.b.get(s));
            match rng.below(if n % 8 == 7 { 10 } else { 8 }) {
                0..=3 => {
                    let (sub, mix) =
                        rng.pick(&[(AesSubShift, AesMix), (AesSubShift, AesMix), (AesInvSubShift, AesInvMix)]);
                    let v = self.b.v2(V2::Xor, Lane::D, vd, vn);
                    let v = self.b.crypto(sub, v, v);
                    self.b.set(d, v);
                    if !rng.one_in(4) {
                        let v = self.b.crypto(if rng.one_in(8) { AesMix } else { mix }, v, v);
                        self.b.set(d, v);
                    }
                }
                4 => {
                    let v = self.b.v2(V2::Xor, Lane::D, vd, vn);
                    self.b.set(b, v);
                }
                5 => {
                    let halves = rng.pick(&[[V3::Sha256H, V3::Sha256H2], [V3::Sha256H2, V3::Sha256H]]);
                    let v = self.b.v3(halves[0], Lane::S, vd, vn, vm);
                    self.b.set(d, v);
                    let v = self.b.v3(halves[1], Lane::S, vn, vd, vm);
                    self.b.set(rng.pick(&slots), v);
                }
                6 => {
                    let v = self.b.crypto(Sha256Su0, vd, vn);
                    self.b.set(d, v);
                    let v = self.b.v3(V3::Sha256Su1, Lane::S, v, vn, vm);
                    self.b.set(d, v);
                }
                7 => {
                    let [x, y] = [vn, vm].map(|v| if rng.one_in(2) { self.b.v1(V1::MoveHi, Lane::D, v) } else { v });
                    let v = self.b.v2(V2::PMulWide, Lane::D, x, y);
                    self.b.set(d, v);
                }
                _ => {
                    let at = self.b.i64(memory + 16 * rng.below(8) as u64);
                    self.b.store(Mem::at(at, 16), vd);
                }
            }
        }
    }

    /// Branches that may leave, behind which values made before them are used, some of them only there; those of flags are read anew.
    fn leaving(&mut self, cases: &[Case], rng: &mut Rng, memory: u64) {
        self.b.lasting = true;
        for _ in 0..1 + rng.below(4) {
            self.block(cases, rng, memory, 10);
            let [x, y] = [(); 2].map(|()| self.operand(Ty::I64, rng));
            let sum = self.b.push(Op::Bin(rng.pick(&[Bin::Add, Bin::Xor, Bin::Mul]), x, y), Ty::I64);
            let less = self.b.push(Op::Cmp(rng.pick(&[IntCc::Ult, IntCc::Sge, IntCc::Eq]), x, y), Ty::I1);
            let lanes = self.operand(Ty::V128, rng);
            let lanes = self.b.push(Op::V2(V2::Add, Lane::S, lanes, lanes), Ty::V128);
            let cond = if rng.one_in(3) { less } else { self.operand(Ty::I1, rng) };
            self.b.leave_if(cond, Term::Resume { pc: 0x2000 });
            let b = &self.b;
            self.pool.retain(|v| b.ty(*v) != Ty::Flags);
            self.b.insn(0x1000, 0, 0x1004);
            self.use_late([sum, less, lanes], rng);
        }
        self.block(cases, rng, memory, 6);
        self.b.lasting = false;
    }

    /// A number, a truth value and a vector go to slots, as they are or with something done to them, or later, or never.
    fn use_late(&mut self, [sum, less, lanes]: [Val; 3], rng: &mut Rng) {
        match rng.below(4) {
            0 => self.b.set(slot(rng, I64S), sum),
            1 => {
                let other = self.operand(Ty::I64, rng);
                let v = self.b.push(Op::Bin(rng.pick(&[Bin::Sub, Bin::And]), sum, other), Ty::I64);
                self.b.set(slot(rng, I64S), v);
            }
            2 => {
                let other = self.operand(Ty::I64, rng);
                let v = self.b.push(Op::Select(less, sum, other), Ty::I64);
                self.b.set(slot(rng, I64S), v);
            }
            _ => self.pool.extend([sum, less]),
        }
        match rng.below(3) {
            0 => self.b.set(slot(rng, V128S), lanes),
            1 => {
                let v = self.b.push(Op::V2(V2::Xor, Lane::B, lanes, lanes), Ty::V128);
                let v = self.b.push(Op::V2(V2::Or, Lane::B, lanes, v), Ty::V128);
                self.b.set(slot(rng, V128S), v);
            }
            _ => self.pool.push(lanes),
        }
    }

    /// A region of one block, or of several: branches forwards, blocks with one predecessor and with more, blocks that only leave.
    pub(crate) fn random(&mut self, cases: &[Case], rng: &mut Rng, memory: u64) {
        match rng.below(4) {
            0 => return self.block(cases, rng, memory, 24),
            1 => return self.leaving(cases, rng, memory),
            _ => {}
        }
        let mut open = vec![];
        for _ in 0..1 + rng.below(5) {
            self.block(cases, rng, memory, 8);
            let mut target = |maker: &mut Maker, rng: &mut Rng| {
                if !open.is_empty() && rng.one_in(3) {
                    return rng.pick(&open);
                }
                let b = maker.b.block();
                open.push(b);
                b
            };
            if rng.one_in(5) {
                let b = target(self, rng);
                self.b.end(Term::Jump(b));
            } else {
                let cond = self.operand(Ty::I1, rng);
                let (then, other) = (target(self, rng), target(self, rng));
                self.b.branch(cond, then, other);
            }
            // The next in the order in which they were made; all others it can only go forwards to.
            let next = open.remove(0);
            self.pool.clear();
            self.b.enter(next);
            self.b.insn(0x1000, 0, 0x1004);
        }
        self.block(cases, rng, memory, 6);
        for b in open {
            self.end();
            self.pool.clear();
            self.b.enter(b);
            if rng.one_in(2) {
                self.b.insn(0x1000, 0, 0x1004);
                self.block(cases, rng, memory, 4);
            }
        }
    }

    /// A loop of a few rounds, perhaps with one inside; ways through it that meet again.
    pub(crate) fn loops(&mut self, cases: &[Case], rng: &mut Rng, memory: u64) {
        self.block(cases, rng, memory, 6);
        self.one_loop(cases, rng, memory, COUNTS.start);
        self.block(cases, rng, memory, 6);
    }

    fn one_loop(&mut self, cases: &[Case], rng: &mut Rng, memory: u64, count: u16) {
        let rounds = self.b.i64(1 + rng.below(4) as u64);
        self.b.set(Slot(count), rounds);
        let head = self.b.block();
        self.next_block(Term::Jump(head), head);
        self.b.push(Op::Poll { pc: 0x1000 }, Ty::Void);
        self.block(cases, rng, memory, 8);
        if count + 1 < COUNTS.end && rng.one_in(2) {
            self.one_loop(cases, rng, memory, count + 1);
        }
        for _ in 0..rng.below(3) {
            let cond = if rng.one_in(2) { self.equal(cases, rng, memory) } else { self.operand(Ty::I1, rng) };
            let (side, join) = (self.b.block(), self.b.block());
            self.b.branch(cond, side, join);
            self.pool.clear();
            self.b.enter(side);
            self.block(cases, rng, memory, 4);
            self.next_block(Term::Jump(join), join);
            self.block(cases, rng, memory, 4);
        }
        // The last operation decides, by flags as guests do, or not.
        self.b.insn(0x1004, 0, 0x1008);
        let (left, one) = (self.b.get(Slot(count)), self.b.i64(1));
        let rest = self.b.sub(left, one);
        let flags = self.b.flags_sub(left, one);
        if rng.one_in(2) {
            self.b.set(Slot(FLAGS), flags);
        }
        self.b.set(Slot(count), rest);
        if rng.one_in(3) {
            self.block(cases, rng, memory, 3);
        }
        let zero = self.b.i64(0);
        let again = if rng.one_in(3) { self.b.cmp(IntCc::Ne, rest, zero) } else { self.b.cond(ir::Cc::Ne, flags) };
        let out = self.b.block();
        self.b.branch(again, head, out);
        self.pool.clear();
        self.b.enter(out);
        self.b.insn(0x1000, 0, 0x1004);
    }

    /// Sets flags by a comparison that is often equal, and asks whether it was.
    fn equal(&mut self, cases: &[Case], rng: &mut Rng, memory: u64) -> Val {
        let ty = rng.pick(&[Ty::I32, Ty::I64]);
        let [x, y] = [(); 2].map(|()| {
            let v = self.operand(ty, rng);
            self.b.and_imm(v, 1)
        });
        let flags = match rng.below(7) {
            5 | 6 => {
                let old = self.b.get(Slot(FLAGS));
                let c = if rng.one_in(3) { self.operand(Ty::I1, rng) } else { self.b.i1(rng.one_in(2)) };
                let x = if rng.one_in(2) { x } else { self.b.and(x, y) };
                self.b.push(Op::FlagsNzc(x, c, old), Ty::Flags)
            }
            0 => self.b.flags_sub(x, y),
            1 => self.b.flags_logic(x),
            2 => {
                let compared = self.b.flags_sub(x, y);
                let c = self.operand(Ty::I1, rng);
                let bits = self.b.i32((rng.next() as u32) << 28);
                let other = self.b.flags_from_bits(bits);
                self.b.push(Op::Select(c, compared, other), Ty::Flags)
            }
            _ => {
                let old = self.b.get(Slot(FLAGS));
                self.b.push(Op::FlagsNz(x, old), Ty::Flags)
            }
        };
        self.b.set(Slot(FLAGS), flags);
        if rng.one_in(3) {
            self.block(cases, rng, memory, 3);
        }
        self.b.cond(rng.pick(&[ir::Cc::Eq, ir::Cc::Ne]), flags)
    }

    fn next_block(&mut self, term: Term, block: ir::BlockId) {
        self.b.end(term);
        self.pool.clear();
        self.b.enter(block);
        self.b.insn(0x1000, 0, 0x1004);
    }

    /// Both halves of a product go to 32-bit slots, late, when it has been moved out to memory for others; then a slot is widened where
    /// nobody knows any more what is in it. (A 32-bit home's upper half must be zero.)
    pub(crate) fn crowded(&mut self, rng: &mut Rng) {
        let (x, y) = (self.b.get(Slot(0)), self.b.get(Slot(1)));
        let product = self.b.push(Op::Bin(Bin::Mul, x, y), Ty::I64);
        let read: Vec<Val> = (2..8).map(|s| self.b.get(Slot(s))).collect();
        let held: Vec<Val> = read.into_iter().map(|v| self.b.push(Op::Un(Un::Not, v), Ty::I64)).collect();
        let mut sum = product;
        for v in &held {
            sum = self.b.push(Op::Bin(Bin::Xor, sum, *v), Ty::I64);
        }
        self.b.set(Slot(7), sum);
        for (n, v) in held.iter().enumerate() {
            self.b.set(Slot(2 + n as u16), *v);
        }
        let low = self.b.trunc(Ty::I32, product);
        self.b.set(Slot(I32S.start), low);
        let cond = self.operand(Ty::I1, rng);
        let (side, join) = (self.b.block(), self.b.block());
        self.b.branch(cond, side, join);
        self.b.enter(side);
        self.b.end(Term::Jump(join));
        self.b.enter(join);
        let narrow = self.b.get(Slot(I32S.start));
        let wide = self.b.zext(Ty::I64, narrow);
        let square = self.b.push(Op::Bin(Bin::Mul, wide, wide), Ty::I64);
        self.b.set(Slot(6), square);
    }

    /// A way out by a call that returns to `ret`, which a register holds in the block that goes on, not on this way.
    pub(crate) fn call_aside(&mut self, ret: u64) {
        let v = self.b.get(Slot(0));
        let cond = self.b.trunc(Ty::I1, v);
        self.b.leave_if(cond, Term::Call { pc: 0x2000, ret });
        let v = self.b.i64(ret);
        self.b.set(Slot(0), v);
    }

    /// Flags of a narrow shift, whose rest is that of flags which only their rule knows.
    pub(crate) fn narrow_shift(&mut self, rng: &mut Rng) {
        let (x, y) = (self.b.get(Slot(0)), self.b.get(Slot(1)));
        let both = self.b.and(x, y);
        self.b.set(Slot(2), both);
        let old = self.b.get(Slot(FLAGS));
        let flags = self.b.push(Op::FlagsNz(both, old), Ty::Flags);
        self.b.set(Slot(FLAGS), flags);
        // It takes the host's flags.
        let product = self.b.mul(x, y);
        self.b.set(Slot(3), product);
        let next = self.b.block();
        self.next_block(Term::Jump(next), next);
        let flags = self.b.get(Slot(FLAGS));
        let narrow = self.b.get(Slot(1));
        let narrow = self.b.trunc(rng.pick(&[Ty::I8, Ty::I16]), narrow);
        let shift = rng.pick(&[Bin::Shl, Bin::Shr, Bin::Sar]);
        let flags = self.b.push(Op::FlagsShift { shift, v: narrow, amount: 3, flags }, Ty::Flags);
        self.b.set(Slot(FLAGS), flags);
    }

    /// What is finite as a number of one format is something else as one of another.
    pub(crate) fn other_format(&mut self, env: Env, rng: &mut Rng) {
        let [a, b] = [(); 2].map(|()| self.b.get(slot(rng, V128S)));
        let two = Shape { fmt: Fmt::F64, lanes: 2 };
        let finite = self.b.push(Op::FpFromInt { shape: two, env, signed: false, fbits: 0, v: b }, Ty::V128);
        let one = Shape { fmt: Fmt::F32, lanes: 1 };
        let v = self.b.push(Op::Fp2(Fp2::AddNeg, one, env, a, finite), Ty::V128);
        self.b.set(slot(rng, V128S), v);
        let square = self.b.push(Op::Fp2(Fp2::Mul, two, env, a, a), Ty::V128);
        let root = self.b.push(Op::Fp1(Fp1::Sqrt, one, env, square), Ty::V128);
        self.b.set(slot(rng, V128S), root);
    }

    fn block(&mut self, cases: &[Case], rng: &mut Rng, memory: u64, most: usize) {
        for _ in 0..rng.below(most) {
            match rng.below(12) {
                0 => self.load(rng, memory),
                1 => self.store(rng, memory),
                4 if rng.one_in(4) => self.lanes(rng, memory),
                2 if rng.one_in(4) => {
                    let bits = self.operand(Ty::I32, rng);
                    let bits = self.b.and_imm(bits, 0x3f);
                    self.b.set_fp_flags(bits);
                }
                3 if rng.one_in(6) => self.aes_round(rng),
                2 if rng.one_in(3) => {
                    let f = self.b.fp_flags();
                    self.pool.push(f);
                }
                _ => {
                    let case = &cases[rng.below(cases.len())];
                    let v = self.apply(case, rng);
                    if rng.one_in(3) {
                        self.keep(v, rng);
                    }
                    self.pool.push(v);
                }
            }
        }
        let pool = std::mem::take(&mut self.pool);
        for v in pool {
            if rng.one_in(2) {
                self.keep(v, rng);
            }
        }
    }

    /// Two guest instructions that are one on the host; now and then somebody sees the first one's result.
    fn aes_round(&mut self, rng: &mut Rng) {
        use ir::Crypto::*;
        let (first, second) = rng.pick(&[(AesSubShift, AesMix), (AesInvSubShift, AesInvMix), (AesSubShift, AesInvMix)]);
        let (text, to) = (self.operand(Ty::V128, rng), slot(rng, V128S));
        let v = self.b.crypto(first, text, text);
        self.b.set(to, v);
        self.b.insn(0x1004, 0, 0x1008);
        if rng.one_in(4) {
            self.keep(v, rng);
        }
        let v = self.b.crypto(second, v, v);
        self.b.set(if rng.one_in(3) { slot(rng, V128S) } else { to }, v);
        if rng.one_in(2) {
            self.pool.push(v);
        }
    }

    fn address(&mut self, rng: &mut Rng, memory: u64, size: usize) -> Mem {
        let at = rng.below(MEMORY - size + 1) as u64;
        let big = rng.one_in(4) && size > 1;
        let mem = if rng.one_in(2) {
            let base = self.b.i64(memory + at);
            let rule = Align::Within16;
            let may = rule.allows(memory + at, size) && rng.one_in(2);
            Mem::at(base, size as u8).align(if may { rule } else { Align::Any })
        } else {
            // A base and an index below 64.
            let index = self.operand(Ty::I64, rng);
            let index = self.b.and_imm(index, 0x3f);
            let base = self.b.i64(memory);
            Mem::at(base, size as u8).index(index, rng.below(2) as u8).disp(rng.below(64) as i32)
        };
        Mem { big, order: if rng.one_in(4) { Order::AcqRel } else { Order::Plain }, ..mem }
    }

    fn load(&mut self, rng: &mut Rng, memory: u64) {
        let (ty, size) = rng.pick(&[
            (Ty::I64, 8),
            (Ty::I64, 4),
            (Ty::I64, 2),
            (Ty::I32, 4),
            (Ty::I32, 1),
            (Ty::I32, 2),
            (Ty::V128, 16),
            (Ty::V128, 8),
            (Ty::V128, 4),
            (Ty::V128, 2),
            (Ty::V128, 1),
            (Ty::F64, 8),
            (Ty::F32, 4),
        ]);
        let mut mem = self.address(rng, memory, size);
        if ty.is_int() && size < ty.bytes() && rng.one_in(2) {
            mem.ext = Ext::Sign;
        }
        let v = self.b.load(ty, mem);
        self.pool.push(v);
    }

    /// Some lanes loaded or stored.
    fn lanes(&mut self, rng: &mut Rng, memory: u64) {
        let lane = rng.pick(&[ir::Lane::S, ir::Lane::D]);
        let mem = self.address(rng, memory, 16);
        let mem = Mem { size: lane.bytes() as u8, big: false, order: Order::Plain, align: Align::Any, ..mem };
        let (v, zero) = (self.operand(Ty::V128, rng), self.b.v128(0));
        let mask = self.b.v2(ir::V2::CmpGtS, lane, zero, v);
        if rng.one_in(2) {
            let v = self.b.load_lanes(mem, mask);
            self.pool.push(v);
        } else {
            let v = self.operand(Ty::V128, rng);
            self.b.store_lanes(mem, v, mask);
        }
    }

    fn store(&mut self, rng: &mut Rng, memory: u64) {
        let (ty, size) = rng.pick(&[
            (Ty::I64, 8),
            (Ty::I64, 4),
            (Ty::I32, 4),
            (Ty::I32, 2),
            (Ty::I32, 1),
            (Ty::I16, 2),
            (Ty::V128, 16),
            (Ty::V128, 8),
            (Ty::V128, 4),
            (Ty::F64, 8),
            (Ty::F32, 4),
        ]);
        let mem = self.address(rng, memory, size);
        let v = self.operand(ty, rng);
        self.b.store(mem, v);
    }
}
