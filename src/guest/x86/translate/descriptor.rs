//! Segments as user mode sees them: descriptors, the tables that Linux has, what loading a selector does. Manual: SDM vol. 3, 3.4, 3.5 and 5.5;
//! Linux's tables: asm/segment.h, asm/ldt.h.

use super::system::vector;
use crate::linux::{FIRST_TLS, TLS_ENTRIES, USER_CS32, USER_CS64, USER_DS};
use crate::state::{
    CHECKED, CS, DS, ERROR, ES, EXCEPTION, FS, FS_BASE, GS, GS_BASE, PC, SS, STATE32, STATE64, descriptor, selector,
    tls,
};
use arch::State;
use ir::{Slot, Trap, Ty};
use std::sync::atomic::{AtomicU64, Ordering};

/// The local descriptors, which all threads share and a fork's child copies (modify_ldt(2)).
pub(crate) static LDT: [AtomicU64; 8192] = [const { AtomicU64::new(0) }; 8192];

/// Data of the whole address space, and code of it for both widths.
const FLAT_DATA: u64 = 0x00cf_f300_0000_ffff;
const FLAT_CODE32: u64 = 0x00cf_fb00_0000_ffff;
const FLAT_CODE64: u64 = 0x00af_fb00_0000_ffff;
/// The entry whose limit says which processor it is: the first, as RDPID has it.
const PROCESSOR: u64 = 0x0040_f500_0000_0000;
const PROCESSOR_ENTRY: u32 = 15;

/// An entry of a table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Descriptor(u64);

impl Descriptor {
    /// What segment register `n` was loaded with.
    pub(crate) fn of(l: &State, state: &[u8], n: u32) -> Descriptor {
        Descriptor(l.get(state, descriptor(n)))
    }
    const fn has(self, bit: u32) -> bool {
        self.0 >> bit & 1 != 0
    }
    pub(crate) const fn base(self) -> u32 {
        (self.0 >> 16) as u32 & 0xff_ffff | (self.0 >> 56 << 24) as u32
    }
    /// The last byte that there is.
    pub(crate) const fn limit(self) -> u32 {
        let limit = self.0 as u32 & 0xffff | (self.0 >> 32) as u32 & 0xf_0000;
        if self.has(55) { limit << 12 | 0xfff } else { limit }
    }
    /// What LAR tells.
    pub(crate) const fn rights(self) -> u32 {
        (self.0 >> 32) as u32 & 0x00ff_ff00
    }
    /// Code or data for user mode, which are all that Linux has for it.
    const fn is_users(self) -> bool {
        self.has(44) && self.has(45) && self.has(46)
    }
    pub(crate) const fn is_present(self) -> bool {
        self.has(47)
    }
    const fn is_code(self) -> bool {
        self.has(43)
    }
    pub(crate) const fn is_readable(self) -> bool {
        !self.is_code() || self.has(41)
    }
    pub(crate) const fn is_writable(self) -> bool {
        !self.is_code() && self.has(41)
    }
    /// Data from behind the limit up.
    const fn expands_down(self) -> bool {
        !self.is_code() && self.has(42)
    }
    /// Whether bytes `first` to `last` are in it.
    pub(crate) const fn holds(self, first: u32, last: u32) -> bool {
        if self.expands_down() {
            let top = if self.has(54) { u32::MAX } else { 0xffff };
            first > self.limit() && first <= last && last <= top
        } else {
            first <= last && last <= self.limit()
        }
    }
    /// Every access of a 32-bit program is in it and allowed.
    const fn is_open(self) -> bool {
        self.is_writable() && !self.expands_down() && self.limit() == u32::MAX
    }
}

/// The descriptor that a selector names, if that is one for programs.
pub(crate) fn named(l: &State, state: &[u8], selector: u16) -> Option<Descriptor> {
    let entry = u32::from(selector >> 3);
    let thread = entry.wrapping_sub(FIRST_TLS);
    let d = match entry {
        _ if selector & 4 != 0 => LDT[entry as usize].load(Ordering::Relaxed),
        _ if thread < TLS_ENTRIES => l.get(state, tls(thread)),
        PROCESSOR_ENTRY => PROCESSOR,
        _ => match u64::from(selector | 3) {
            USER_CS32 => FLAT_CODE32,
            USER_CS64 => FLAT_CODE64,
            USER_DS => FLAT_DATA,
            _ => 0,
        },
    };
    Some(Descriptor(d)).filter(|d| d.is_users())
}

/// Whether a selector names flat code that can be run, of 64 bits or of 32: those have both in 64-bit programs.
pub(crate) fn is_flat_code(l: &State, state: &[u8], selector: u16) -> Result<(), Trap> {
    let d = named(l, state, selector).filter(|d| d.is_code()).ok_or(Trap::Privileged)?;
    if !d.is_present() {
        return Err(Trap::NotPresent);
    }
    let flat = d.0 == FLAT_CODE32 || is_long(l) && d.0 == FLAT_CODE64;
    if flat { Ok(()) } else { Err(Trap::Unimplemented) }
}

/// Loads segment register `n`, as MOV does. All that Linux gives to programs has their privilege level.
pub(crate) fn load(l: &State, state: &mut [u8], n: u32, selector: u16) -> Result<(), Trap> {
    let is_stack = n == SS;
    if selector & !3 == 0 && !is_stack {
        put(l, state, n, selector, Descriptor(0));
        return Ok(());
    }
    let d = named(l, state, selector).ok_or(Trap::Privileged)?;
    let allowed = if is_stack { selector & 3 == 3 && d.is_writable() } else { d.is_readable() };
    if !allowed {
        return Err(Trap::Privileged);
    }
    if !d.is_present() {
        return Err(Trap::NotPresent);
    }
    // Differs: a stack is all of memory.
    if is_stack && !is_long(l) && (d.base() != 0 || !d.is_open() || !d.has(54)) {
        return Err(Trap::Unimplemented);
    }
    put(l, state, n, selector, d);
    Ok(())
}

/// The trap of a selector that is refused: the frame names it in its error code.
pub(crate) fn refuse(l: &State, state: &mut [u8], n: u32, selector: u16, trap: Trap) -> Trap {
    let vector = match trap {
        Trap::Privileged => vector::PROTECTION,
        Trap::NotPresent if n == SS => vector::STACK,
        Trap::NotPresent => vector::NOT_PRESENT,
        _ => return trap,
    };
    l.set(state, EXCEPTION, u64::from(vector | u32::from(selector & !3) << ERROR));
    trap
}

fn is_long(l: &State) -> bool {
    l.types[PC.0 as usize] == Ty::I64
}

fn put(l: &State, state: &mut [u8], n: u32, sel: u16, d: Descriptor) {
    l.set(state, selector(n), sel.into());
    l.set(state, descriptor(n), d.0);
    match n {
        FS => l.set(state, FS_BASE, d.base().into()),
        GS => l.set(state, GS_BASE, d.base().into()),
        _ => {}
    }
    // Programs that use no FS and GS have null in them. 64-bit code does not ask.
    let is_plain = d.is_open() && (n >= FS || d.base() == 0) || n >= FS && d.0 == 0;
    let checked = l.get(state, CHECKED) & !(1 << n);
    l.set(state, CHECKED, checked | u64::from(!is_plain) << n);
}

/// What new programs and handlers have.
pub(crate) fn begin(l: &State, state: &mut [u8]) {
    l.set(state, selector(CS), if is_long(l) { USER_CS64 } else { USER_CS32 });
    let flat = |state: &mut [u8], n| put(l, state, n, USER_DS as u16, Descriptor(FLAT_DATA));
    flat(state, SS);
    for n in [ES, DS] {
        if is_long(l) { put(l, state, n, 0, Descriptor(0)) } else { flat(state, n) }
    }
}

/// See [`arch::abi::Segments::reload`].
fn reload(l: &State, state: &mut [u8], all: bool, changed: &dyn Fn(u16) -> bool) {
    for n in [ES, DS, FS, GS].into_iter().take(if all { 4 } else { 2 }) {
        let sel = l.get(state, selector(n)) as u16;
        if changed(sel) {
            restore(l, state, n, sel);
        }
    }
}

/// Loads a segment register for the kernel, which takes null if it may not.
pub(crate) fn restore(l: &State, state: &mut [u8], n: u32, selector: u16) {
    if load(l, state, n, selector).is_err() {
        put(l, state, n, 0, Descriptor(0));
    }
}

pub(crate) fn reload32(state: &mut [u8], all: bool, changed: &dyn Fn(u16) -> bool) {
    reload(&STATE32, state, all, changed);
}

pub(crate) fn reload64(state: &mut [u8], all: bool, changed: &dyn Fn(u16) -> bool) {
    reload(&STATE64, state, all, changed);
}

/// What [`load`] and [`refuse`] read and write.
#[rustfmt::skip]
pub(crate) static SLOTS: [Slot; 19] = [
    selector(ES), selector(CS), selector(SS), selector(DS), selector(FS), selector(GS),
    descriptor(ES), descriptor(CS), descriptor(SS), descriptor(DS), descriptor(FS), descriptor(GS),
    FS_BASE, GS_BASE, CHECKED, EXCEPTION, tls(0), tls(1), tls(2),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_of_both_directions() {
        // Data of 16 bytes at 0x12345678; the same, downwards.
        let up = Descriptor(0x1240_f334_5678_000f);
        let down = Descriptor(0x1240_f734_5678_000f);
        assert_eq!((up.base(), up.limit(), up.rights()), (0x1234_5678, 15, 0x40_f300));
        assert_eq!(
            [up.holds(0, 15), up.holds(12, 16), down.holds(15, 15), down.holds(16, u32::MAX)],
            [true, false, false, true]
        );
        assert!(!up.holds(u32::MAX, 0) && !down.holds(u32::MAX, 0));
    }

    #[test]
    fn what_may_be_loaded() {
        let mut s = vec![0; STATE32.size];
        begin(&STATE32, &mut s);
        assert_eq!(STATE32.get(&s, CHECKED), 0);
        STATE32.set(&mut s, tls(0), 0x0000_f300_1000_000f);
        let mut try_load = |n, sel| (load(&STATE32, &mut s, n, sel), STATE32.get(&s, CHECKED));
        assert_eq!(try_load(GS, 0x63), (Ok(()), 1 << GS));
        assert_eq!(try_load(GS, 0), (Ok(()), 0));
        assert_eq!(try_load(SS, 0), (Err(Trap::Privileged), 0));
        assert_eq!(try_load(3, 0x18), (Err(Trap::Privileged), 0));
        assert_eq!(try_load(3, 0x23), (Ok(()), 1 << 3));
        assert_eq!(try_load(3, 0x2b), (Ok(()), 0));
        assert_eq!(try_load(SS, 0x63), (Err(Trap::Unimplemented), 0));
    }
}
