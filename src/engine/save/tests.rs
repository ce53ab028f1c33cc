//! What is written of a page: where code and stubs stand, and what links lead to.

use super::*;
use crate::folder::Mapped;
use crate::unit::Unit;

const KEY: u128 = 7;
const PAGE_NUMBER: u64 = 3;
/// The guest addresses of two regions of the page, and one of another.
const A: u64 = 0x3000;
const B: u64 = 0x3040;
const FAR: u64 = 0x9000;
/// Where else A is entered: at its jump.
const SIDE: u64 = A + 8;
/// A region of another page.
const C: u64 = 0x5000;

/// Offsets in a region's code: a conditional jump's field to the jump, the jump through the link and its field, a call's through it, its end.
const BRANCH: u32 = 2;
const JUMP: u32 = 7;
const JUMP_FIELD: u32 = 9;
const CALL_FIELD: u32 = 15;
const END: u32 = 19;

/// `jz jump; ret; jump: jmp [link]; call [link]`.
const CODE: [u8; END as usize] = [0x0f, 0x84, 1, 0, 0, 0, 0xc3, 0xff, 0x25, 0, 0, 0, 0, 0xff, 0x15, 0, 0, 0, 0];

const REFS: [Ref; 3] = [
    Ref { at: BRANCH, tail: 0, to: Outside::Branch { link: 0, jump: JUMP } },
    Ref { at: JUMP_FIELD, tail: 0, to: Outside::Link(0) },
    Ref { at: CALL_FIELD, tail: 0, to: Outside::Link(0) },
];

/// A region of that code at `pc`, with a link.
fn piece<'a>(pc: u64, links: &'a [Link], exits: &'a [Exit]) -> Piece<'a> {
    Piece {
        pc,
        mode: 0,
        start: pc,
        end: pc + 4,
        pieces: 0,
        code: &CODE,
        refs: &REFS,
        exits,
        faults: &[],
        links,
        sites: &[],
        homes: Cow::Borrowed(&[]),
        side_entries: if pc == A { vec![(SIDE, JUMP)] } else { Vec::new() },
    }
}

/// Its link, as it is before it is written.
fn link_to(pc: u64) -> [Link; 1] {
    [Link { pc, mode: 0, slot: 0 }]
}

/// A page of two regions that link to `targets`; `loops`: jumps back to B are counted.
fn file(targets: [u64; 2], loops: bool) -> Vec<u8> {
    let links = targets.map(link_to);
    let counted = [Exit::Hot { pc: B, from: B, mode: 0 }];
    let exits: &[Exit] = if loops { &counted } else { &[] };
    let [a, b] = [(A, 0), (B, 1)].map(|(pc, n)| ((pc, 0), piece(pc, &links[n], exits)));
    let page = Page { pieces: BTreeMap::from([a, b]), start: 0, end: 64, guest: 0 };
    write(KEY, &BTreeMap::from([(PAGE_NUMBER, page)])).expect("a small file")
}

/// The file's bytes where their records are aligned.
fn aligned(file: &[u8]) -> Vec<u128> {
    file.chunks(16)
        .map(|c| {
            let mut word = [0; 16];
            word[..c.len()].copy_from_slice(c);
            u128::from_le_bytes(word)
        })
        .collect()
}

/// A region as it was written: where its code is, what its fields lead to, counted from the blob's start.
#[derive(PartialEq, Debug)]
struct Written {
    code: i64,
    /// Its link's stub, and how far that is from the record that it hands over and from the jump through the cell of the thunk for links.
    stub: i64,
    hands: i64,
    thunk: i64,
    link: Link,
    /// Where its cell leads at first, and which it is by the link's record.
    leads: i64,
    cell: i64,
    opcodes: [[u8; 2]; 2],
    branch: i64,
    jump: i64,
    call: i64,
}

fn read(file: &[u8]) -> Vec<Written> {
    let words = aligned(file);
    // SAFETY: the words' bytes, as many as the file has.
    let bytes = unsafe { std::slice::from_raw_parts(words.as_ptr().cast::<u8>(), file.len()) };
    let view = View::new(bytes, KEY).expect("a whole file");
    let [entry] = view.entries() else { panic!("one page") };
    assert_eq!(entry.page, PAGE_NUMBER);
    let blob = view.checked_blob(entry).expect("a whole page");
    let written = |r: &Region| {
        let code = blob.code(r);
        let field = |at: u32| {
            let rel = i32::from_le_bytes(code[at as usize..][..4].try_into().expect("four"));
            i64::from(r.code + at + 4) + i64::from(rel)
        };
        let opcode = |field: u32| [code[field as usize - 2], code[field as usize - 1]];
        let stub = i64::from(entry.stub(r.first[LINKS]));
        let stub_field = |at: i64| {
            let field = &bytes[(entry.blob as i64 + stub + at) as usize..][..4];
            stub + at + 4 + i64::from(i32::from_le_bytes(field.try_into().expect("four")))
        };
        let link = blob.links(r)[0];
        let in_file = |of: *const u8| of as i64 - bytes.as_ptr() as i64;
        let record = in_file(std::ptr::from_ref(&blob.links(r)[0]).cast());
        Written {
            code: r.code.into(),
            stub,
            hands: stub_field(3) + entry.blob as i64 - record,
            thunk: stub_field(8) + entry.blob as i64 - thunk_at(LINK_THUNK) as i64,
            link,
            leads: view.initial(entry).expect("of a whole page")[r.first[LINKS] as usize].into(),
            cell: (record + i64::from(link.slot) + PAGE as i64) / 8 - THUNKS as i64,
            opcodes: [JUMP_FIELD, CALL_FIELD].map(opcode),
            branch: field(BRANCH),
            jump: field(JUMP_FIELD),
            call: field(CALL_FIELD),
        }
    };
    blob.regions().iter().map(written).collect()
}

impl Written {
    /// It goes to code of its page at once.
    fn is_direct(&self, to: &Written) -> bool {
        let leads = [self.branch, self.jump, self.call].iter().all(|t| *t == to.code);
        leads && self.opcodes == [THROUGH[0].1, THROUGH[1].1] && self.leads == to.code
    }

    /// It goes through its cell, ahead of the file; the conditional jump goes to the jump that does.
    fn is_through_cell(&self) -> bool {
        let by_cell = self.jump < 0 && self.jump == self.call && self.branch == self.code + i64::from(JUMP);
        by_cell && self.opcodes == [THROUGH[0].0, THROUGH[1].0]
    }
}

#[test]
fn links_within_a_page_are_direct_jumps() {
    let regions = read(&file([B, A], false));
    let [a, b] = &regions[..] else { panic!("two regions") };
    assert!(a.is_direct(b) && b.is_direct(a), "{regions:?}");
}

#[test]
fn links_to_other_pages_and_to_heads_of_loops_are_not() {
    for (targets, loops, linked) in [([FAR, FAR], false, false), ([B, B], true, true)] {
        let regions = read(&file(targets, loops));
        let b = regions[1].code;
        for r in &regions {
            assert!(r.is_through_cell(), "{regions:?}");
            // The cell leads there from the start all the same.
            assert_eq!(r.leads, if linked { b } else { r.stub });
        }
    }
}

#[test]
fn side_entries_are_led_to_and_found() {
    let regions = read(&file([B, SIDE], false));
    let side = Written { code: regions[0].code + i64::from(JUMP), ..regions[0] };
    assert!(regions[1].is_direct(&side), "{regions:?}");
    let source = Zeros { changed: u64::MAX.into() };
    let (mut unit, _) = linked_pages();
    let mut find = |pc| unit.find(pc, 0, &source, &mut Vec::new()).map(|f| f.code);
    let a = find(A).expect("stored");
    assert_eq!([find(SIDE), find(SIDE + 1)], [Some(a + u64::from(JUMP)), None]);
}

#[test]
fn a_region_of_its_own_comes_before_a_side_entry() {
    let links = [A, B, SIDE].map(|_| link_to(SIDE));
    let pieces = [A, B, SIDE].into_iter().zip(&links).map(|(pc, links)| ((pc, 0), piece(pc, links, &[]))).collect();
    let page = Page { pieces, start: 0, end: 64, guest: 0 };
    let regions = read(&write(KEY, &BTreeMap::from([(PAGE_NUMBER, page)])).expect("a small file"));
    let own = &regions[1];
    assert!(regions.iter().all(|r| r.is_direct(own)), "{regions:?}");
}

#[test]
fn stubs_stand_behind_all_code() {
    let regions = read(&file([B, FAR], false));
    let end = regions.iter().map(|r| r.code + i64::from(END)).max().expect("two");
    for (n, r) in regions.iter().enumerate() {
        assert!(r.stub >= end && r.hands == 0 && r.thunk == 0, "{regions:?}");
        assert_eq!(r.cell, n as i64, "the record knows where its cell is");
    }
}

#[test]
fn what_is_written_again_is_the_same_and_follows_its_page() {
    let first = file([B, A], false);
    let words = aligned(&first);
    // SAFETY: as in `read`.
    let bytes = unsafe { std::slice::from_raw_parts(words.as_ptr().cast::<u8>(), first.len()) };
    let mut pages = old_pages(KEY, bytes);
    assert_eq!(read(&write(KEY, &pages).expect("a small file")), read(&first));
    // Without B nothing may lead there.
    pages.get_mut(&PAGE_NUMBER).expect("the page").pieces.remove(&(B, 0));
    let regions = read(&write(KEY, &pages).expect("a small file"));
    assert!(regions.len() == 1 && regions[0].is_through_cell() && regions[0].leads == regions[0].stub, "{regions:?}");
}

/// The bytes of the file with these pages.
fn write(key: u128, pages: &BTreeMap<u64, Page>) -> Option<Vec<u8>> {
    let (file, mut bytes) = (File::new(key, pages)?, Vec::new());
    let whole = file.write(&mut |at, part| {
        let end = at as usize + part.len();
        bytes.resize(end.max(bytes.len()), 0);
        bytes[at as usize..end].copy_from_slice(part);
        true
    });
    whole.then_some(bytes)
}

/// Guest code that is zeros, or, from `changed` on, something else.
#[derive(Debug)]
struct Zeros {
    changed: std::sync::atomic::AtomicU64,
}

impl CodeSource for Zeros {
    fn fetch(&self, pc: u64, buf: &mut [u8]) -> usize {
        let changed = self.changed.load(std::sync::atomic::Ordering::Relaxed);
        (pc..).zip(&mut *buf).for_each(|(at, b)| *b = u8::from(at >= changed));
        buf.len()
    }
    fn log(&self, _text: &str) {}
}

/// A unit of the regions A and C, each of which links to the other, in use; the slots of those links.
fn linked_pages() -> (Unit, [u64; 2]) {
    let links = [C, A].map(link_to);
    let page = |pc: u64, links: &'static [Link]| {
        let start = pc / PAGE * PAGE;
        let pieces = BTreeMap::from([((pc, 0), piece(pc, links, &[]))]);
        Page { pieces, start, end: start + 64, guest: hash(&[0; 64]) }
    };
    let [from_a, from_c] = links.map(|l| &*Box::leak(Box::new(l)));
    let pages = BTreeMap::from([(A / PAGE, page(A, from_a)), (C / PAGE, page(C, from_c))]);
    let file = write(KEY, &pages).expect("a small file");
    // Cells, and the file right behind them.
    let words = vec![0u128; PAGE as usize / 16].into_iter().chain(aligned(&file)).collect::<Vec<_>>().leak();
    let before = words.as_ptr() as u64;
    let (whole, file_at) = (16 * words.len(), before + PAGE);
    let mapped = Mapped { at: before, whole, file: file_at, len: file.len(), inode: 0, sealed: false };
    // SAFETY: the file's bytes among the words, which stay.
    let view = View::new(unsafe { std::slice::from_raw_parts(mapped.file as *const u8, file.len()) }, KEY);
    let mut unit = Unit::new(crate::Image { key: KEY, base: 0 }, KEY);
    // SAFETY: the words are nobody else's.
    unsafe { unit.attach(view.expect("a whole file"), before, &mapped, [0; THUNKS]) };
    (unit, [0, 1].map(|n| before + 8 * (THUNKS as u64 + n)))
}

#[test]
fn links_between_pages_are_linked_when_both_are_open() {
    let source = Zeros { changed: u64::MAX.into() };
    for order in [[A, C], [C, A]] {
        let (mut unit, [from_a, from_c]) = linked_pages();
        let find = |unit: &mut Unit, pc| unit.find(pc, 0, &source, &mut Vec::new()).expect("stored").code;
        let first = find(&mut unit, order[0]);
        let slot = if order[0] == A { from_a } else { from_c };
        assert!(!unit.is_linked(slot), "the other page is not open");
        let second = find(&mut unit, order[1]);
        let (a, c) = if order[0] == A { (first, second) } else { (second, first) };
        assert_eq!([from_a, from_c].map(|slot| unit.leads_to(slot)), [c, a]);
    }
}

#[test]
fn links_from_other_pages_end_with_their_page() {
    let source = Zeros { changed: u64::MAX.into() };
    let (mut unit, [from_a, _]) = linked_pages();
    let mut find = |pc, source: &Zeros| unit.find(pc, 0, source, &mut Vec::new()).map(|f| f.code);
    let (_, c) = (find(A, &source), find(C, &source).expect("stored"));
    let slots = unit.close(C, C + 4).expect("it was open");
    assert_eq!(slots, [from_a], "one slot leads there");
    unit.unlink(from_a);
    assert!(!unit.is_linked(from_a));
    // Other guest bytes: the page stays closed, nothing leads there.
    source.changed.store(C, std::sync::atomic::Ordering::Relaxed);
    assert!(unit.find(C, 0, &source, &mut Vec::new()).is_none() && !unit.is_linked(from_a));
    // The old ones again: a link that leads to fresh code by now is left.
    source.changed.store(u64::MAX, std::sync::atomic::Ordering::Relaxed);
    unit.close(C, C + 4);
    unit.set_slot(from_a, 1);
    assert_eq!(unit.find(C, 0, &source, &mut Vec::new()).map(|f| f.code), Some(c));
    assert_eq!(unit.leads_to(from_a), 1);
}

#[test]
fn nothing_is_linked_to_what_was_replaced() {
    let source = Zeros { changed: u64::MAX.into() };
    let (mut unit, [from_a, _]) = linked_pages();
    let c = unit.find(C, 0, &source, &mut Vec::new()).expect("stored");
    assert_eq!(unit.replace(c), []);
    unit.find(A, 0, &source, &mut Vec::new()).expect("stored");
    assert!(!unit.is_linked(from_a));
    let (mut unit, [from_a, _]) = linked_pages();
    let [_, c] = [A, C].map(|pc| unit.find(pc, 0, &source, &mut Vec::new()).expect("stored"));
    let slots = unit.replace(c);
    assert_eq!(slots, [from_a]);
}
