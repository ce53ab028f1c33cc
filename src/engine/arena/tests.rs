//! Jumps through link slots: when they are direct ones.

use super::*;

const CELL: [u8; 2] = [0xff, 0x25];
const CODE: [u8; 2] = [0x67, 0xe9];

/// An arena with a jump through a link slot of `pc` that stands `aside` bytes behind a quadword's start; the slot, and where the jump is.
fn with_jump(aside: usize) -> (Arena, u64, u64) {
    let mut arena = Arena::new(4 * SEGMENT);
    let thunk = arena.place(1);
    arena.write(&[0xc3]);
    arena.keep(thunk);
    let (slot, jump) = add_jump(&mut arena, aside);
    (arena, slot, jump)
}

fn add_jump(arena: &mut Arena, aside: usize) -> (u64, u64) {
    let at = arena.place(16);
    let (slot, jump) = (arena.next_link(), at + aside as u64);
    let mut code = [0x90; 16];
    code[aside..aside + 2].copy_from_slice(&CELL);
    code[aside + 2..][..4].copy_from_slice(&(slot.wrapping_sub(jump + 6) as i32).to_le_bytes());
    arena.write(&code);
    arena.add_link(0x1000, 0, Some(jump));
    (slot, jump)
}

/// The opcode of a jump, and where its field leads.
fn read(arena: &Arena, jump: u64) -> ([u8; 2], u64) {
    let bytes = arena.bytes(jump, jump + 6);
    let field = i32::from_le_bytes(bytes[2..].try_into().expect("four"));
    ([bytes[0], bytes[1]], (jump + 6).wrapping_add_signed(field.into()))
}

#[test]
fn a_linked_jump_is_direct_until_it_is_unlinked() {
    for aside in 0..3 {
        let (arena, slot, jump) = with_jump(aside);
        assert_eq!(read(&arena, jump), (CELL, slot));
        for target in [jump - 16, jump + 100] {
            arena.set_link(slot, target);
            assert_eq!((read(&arena, jump), arena.leads_to(slot)), ((CODE, target), target));
        }
        let around = arena.bytes(jump - aside as u64, jump - aside as u64 + 16);
        assert!(around[..aside].iter().chain(&around[aside + 6..]).all(|b| *b == 0x90), "{around:x?}");
        arena.set_link(slot, arena.stub_of(slot));
        assert_eq!(read(&arena, jump), (CELL, slot));
    }
}

#[test]
fn what_is_too_far_is_come_to_through_the_slot() {
    let (arena, slot, jump) = with_jump(0);
    arena.set_link(slot, jump + 100);
    arena.set_link(slot, jump ^ 1 << 40);
    assert_eq!((read(&arena, jump), arena.leads_to(slot)), ((CELL, slot), jump ^ 1 << 40));
}

#[test]
fn code_that_a_fork_shares_only_ever_loses_direct_jumps() {
    let (mut arena, linked, first) = with_jump(0);
    let (slot, second) = add_jump(&mut arena, 1);
    arena.set_link(linked, first + 100);
    arena.share();
    let (own, third) = add_jump(&mut arena, 2);
    for (slot, jump, opcode) in [(linked, first, CELL), (slot, second, CELL), (own, third, CODE)] {
        arena.set_link(slot, jump + 200);
        assert_eq!((read(&arena, jump).0, arena.leads_to(slot)), (opcode, jump + 200));
    }
    arena.seal();
    arena.set_link(own, third + 100);
    assert_eq!(read(&arena, third), (CELL, own), "the child's code is in other segments");
    let (fresh, fourth) = add_jump(&mut arena, 0);
    arena.set_link(fresh, fourth + 100);
    assert_eq!(read(&arena, fourth).0, CODE);
}
