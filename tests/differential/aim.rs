//! Where a memory instruction would access, found with the translator, so that its base register can be set to reach the window.

use arch::{Code, Guest, Translation};
use ir::interp::{self, Machine, MemFault, Memory};
use ir::{Builder, Ty};

/// One instruction at an address.
#[derive(Debug)]
struct One<'a>(u64, &'a [u8]);

impl Code for One<'_> {
    fn fetch(&mut self, pc: u64, buf: &mut [u8]) -> usize {
        let rest = self.1.get(pc.wrapping_sub(self.0) as usize..).unwrap_or(&[]);
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        n
    }
}

/// Memory that cannot be accessed; it keeps the first address.
struct Nothing(Option<(u64, usize)>);

impl Nothing {
    fn fault(&mut self, addr: u64, size: usize, write: bool) -> MemFault {
        self.0.get_or_insert((addr, size));
        MemFault { addr, write }
    }
}

impl Memory for Nothing {
    fn load(&mut self, addr: u64, size: usize) -> Result<u128, MemFault> {
        Err(self.fault(addr, size, false))
    }
    fn store(&mut self, addr: u64, size: usize, _: u128) -> Result<(), MemFault> {
        Err(self.fault(addr, size, true))
    }
    fn cmpxchg(&mut self, addr: u64, size: usize, _: u128, _: u128) -> Result<u128, MemFault> {
        Err(self.fault(addr, size, true))
    }
}

/// Address and size of an instruction's first access; `None` if it has none.
pub fn first_access(guest: &Guest, bytes: &[u8], pc: u64, state: &[u8]) -> Option<(u64, usize)> {
    let mut b = Builder::new(guest.state.types);
    let mut code = One(pc & !1, bytes);
    let mut t = Translation { b: &mut b, code: &mut code, max_insns: 1, unimplemented: vec![] };
    (guest.translate)(&mut t, pc, (guest.mode)(state));
    let slots: Vec<(usize, Ty)> = guest.state.slots.iter().map(|s| (usize::from(s.offset), s.ty)).collect();
    let mut state = state.to_vec();
    let mut memory = Nothing(None);
    let mut machine = Machine { state: &mut state, slots: &slots, memory: &mut memory, fp_flags: 0, monitor: None };
    let outcome = interp::run(&b.region, &mut machine);
    match outcome {
        // Of a misaligned access only the address is known.
        interp::Outcome::Trap { trap: ir::Trap::Align, addr, .. } => Some((addr, 1)),
        _ => memory.0,
    }
}
