//! (placeholder with the engine's interface, until the engine is here)
use std::ptr::NonNull;
#[derive(Debug)]
pub struct Engine;
#[derive(Debug, Default)]
pub struct Options;
pub trait CodeSource: Sync + std::fmt::Debug {
    fn fetch(&self, pc: u64, buf: &mut [u8]) -> usize;
}
#[derive(Debug)]
pub struct Cpu {
    guest: &'static arch::Guest,
    state: Vec<u8>,
}
#[derive(Debug)]
pub enum Exit {
    Syscall,
    Interrupted,
    Trap(ir::Trap),
    Fault(Fault),
    FlushCode { addr: u64, len: u64 },
}
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    pub signo: i32,
    pub code: i32,
    pub addr: u64,
    pub write: bool,
    pub trapno: u64,
    pub err: u64,
}
impl Engine {
    pub fn new(_guest: &'static arch::Guest, _options: Options, _code: &'static dyn CodeSource) -> Engine {
        Engine
    }
    pub fn run(&self, _cpu: &mut Cpu) -> Exit {
        Exit::Trap(ir::Trap::Unimplemented)
    }
    pub fn invalidate(&self, _start: u64, _end: u64) {}
    pub fn before_fork(&self) {}
    pub fn after_fork(&self, _child: bool) {}
}
impl Cpu {
    pub fn new(_engine: &Engine, guest: &'static arch::Guest) -> NonNull<Cpu> {
        NonNull::from(Box::leak(Box::new(Cpu { guest, state: vec![0; guest.state.size] })))
    }
    /// # Safety
    /// (placeholder)
    pub unsafe fn free(cpu: NonNull<Cpu>, _engine: &Engine) {
        // SAFETY: made by `new`.
        drop(unsafe { Box::from_raw(cpu.as_ptr()) });
    }
    pub fn state(&self) -> &[u8] {
        &self.state
    }
    pub fn state_mut(&mut self) -> &mut [u8] {
        &mut self.state
    }
    pub fn get(&self, slot: ir::Slot) -> u64 {
        self.guest.state.get(&self.state, slot)
    }
    pub fn set(&mut self, slot: ir::Slot, v: u64) {
        self.guest.state.set(&mut self.state, slot, v)
    }
    pub fn fp_flags(&self) -> u32 {
        0
    }
    pub fn set_fp_flags(&mut self, _v: u32) {}
    pub fn interrupt(&self) {}
    pub fn clear_interrupt(&self) -> bool {
        false
    }
    pub fn fork_state_from(&mut self, other: &Cpu) {
        self.state.clone_from(&other.state);
    }
}
pub mod fault {
    /// # Safety
    /// (placeholder)
    pub unsafe fn on_signal(
        _sig: i32,
        _info: *const libc::siginfo_t,
        _context: *mut libc::ucontext_t,
        _cpu: *mut crate::Cpu,
    ) -> bool {
        false
    }
}
