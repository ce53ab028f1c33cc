//! Labels, references to them and to absolute addresses, padding.

use super::*;

/// The targets of the near branches and rip-relative operands in `bytes`, as offsets.
fn targets(bytes: &[u8]) -> Vec<u64> {
    let mut targets = Vec::new();
    for i in &mut Decoder::with_ip(64, bytes, BASE, DecoderOptions::NONE) {
        assert!(!i.is_invalid(), "{bytes:02x?}");
        if i.is_ip_rel_memory_operand() {
            targets.push(i.ip_rel_memory_address().wrapping_sub(BASE));
        } else if i.near_branch_target() != 0 {
            targets.push(i.near_branch_target().wrapping_sub(BASE));
        }
    }
    targets
}

#[test]
fn backward_branches_are_short_when_they_can_be() {
    let mut asm = Asm::new();
    let top = asm.label_here();
    asm.nop(126);
    asm.jmp(top);
    assert_eq!(asm.here(), 128);
    asm.jcc(Cc::E, top);
    asm.call(top);
    asm.jmp(top);
    assert_eq!(asm.here(), 128 + 6 + 5 + 5);
    asm.link().unwrap();
    assert_eq!(targets(&asm.buf), [0, 0, 0, 0]);
    assert_eq!(asm.offset_of(top), Some(0));
}

#[test]
fn forward_references_are_filled_in() {
    let mut asm = Asm::new();
    let (a, b) = (asm.label(), asm.label());
    asm.jmp(b);
    asm.jcc(Cc::G, a);
    asm.jcc_short(Cc::No, a);
    asm.jmp_short(a);
    asm.call(b);
    asm.lea(Size::Q, Reg::R9, Mem::label(b));
    asm.alu_i(Alu::Cmp, Size::D, Mem { disp: 4, ..Mem::label(b) }, 0x1234);
    asm.alu_i(Alu::Cmp, Size::B, Mem::label(b), 1);
    asm.v2i(vop::VPSHUFD, L128, Xmm(9), Mem::label(b), 0x1b);
    asm.bind(a);
    asm.nop(300);
    asm.bind(b);
    asm.v2(vop::VMOVDQU, L256, Xmm(30), Mem::label(a));
    asm.jcc(Cc::P, a);
    let (a, b) = (asm.offset_of(a).unwrap().into(), asm.offset_of(b).unwrap().into());
    asm.link().unwrap();
    assert_eq!(targets(&asm.buf), [b, a, a, a, b, b, b + 4, b, b, a, a]);
}

#[test]
fn absolute_targets_move_with_the_code() {
    let mut asm = Asm::new();
    asm.jmp_extern(TARGET);
    asm.call_extern(TARGET + 1);
    asm.jcc_extern(Cc::Ae, TARGET + 2);
    asm.jmp_mem(Mem::external(TARGET + 3));
    asm.call_mem(Mem::external(TARGET + 4));
    asm.mov_mi(Size::W, Mem::external(TARGET + 5), 7);
    assert_eq!(asm.externs.len(), 6);
    for base in [BASE + 0x4000_0000, BASE] {
        asm.relocate(base).unwrap();
        let moved: Vec<u64> = targets(&asm.buf).iter().map(|t| t.wrapping_add(base)).collect();
        assert_eq!(moved, [0, 1, 2, 3, 4, 5].map(|n| TARGET + n));
    }
    assert_eq!(asm.relocate(TARGET + 0x9000_0000), Err(RelocateError::OutOfRange { at: 1 }));
}

#[test]
fn what_cannot_be_reached_is_an_error() {
    let mut asm = Asm::new();
    let far = asm.label();
    asm.jmp_short(far);
    assert_eq!(asm.link(), Err(RelocateError::Unbound(far)));
    asm.nop(128);
    asm.bind(far);
    assert_eq!(asm.link(), Err(RelocateError::OutOfRange { at: 1 }));
    asm.clear();
    assert_eq!((asm.here(), asm.relocate(BASE)), (0, Ok(())));
}

#[test]
fn padding_is_nops() {
    for n in 0..40 {
        let bytes = code(|a| a.nop(n));
        assert_eq!(bytes.len(), n);
        let mut decoder = Decoder::with_ip(64, &bytes, BASE, DecoderOptions::NONE);
        assert!(decoder.iter().all(|i| i.mnemonic() == iced_x86::Mnemonic::Nop));
        let mut asm = Asm::new();
        asm.nop(n);
        asm.align(16);
        assert_eq!(asm.buf.len(), n.next_multiple_of(16));
    }
}
