//! Invalid operations that trap, as the engine has them: to the slow path of the operation, or the instruction alone with them masked.

use host::cpu::{Cpu, STATE_OFFSET};
use std::cell::Cell;
use std::sync::Once;

/// MXCSR's bit that masks invalid operations, and EFLAGS.TF.
pub(crate) const MASK_INVALID: u32 = 1 << 7;
const TRAP_FLAG: i64 = 1 << 8;
/// si_code of an invalid operation.
const FPE_FLTINV: i32 = 7;

thread_local! {
    /// Where operations of the code that this thread runs stand, and their slow paths.
    static SLOW_PATHS: Cell<(*const (u64, u64), usize)> = const { Cell::new((std::ptr::null(), 0)) };
}

/// Runs generated code with these slow paths.
pub(crate) fn with<T>(slow_paths: &[(u64, u64)], run: impl FnOnce() -> T) -> T {
    static HANDLERS: Once = Once::new();
    HANDLERS.call_once(|| {
        for signo in [libc::SIGFPE, libc::SIGTRAP] {
            // SAFETY: all zeros is a value of the struct, and the handler is one for SA_SIGINFO.
            unsafe {
                let mut action: libc::sigaction = std::mem::zeroed();
                action.sa_sigaction = on_signal as *const () as usize;
                // The code's stack is a shadow stack, which has no room.
                action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
                assert_eq!(libc::sigaction(signo, &raw const action, std::ptr::null_mut()), 0);
            }
        }
    });
    SLOW_PATHS.set((slow_paths.as_ptr(), slow_paths.len()));
    run()
}

unsafe extern "C" fn on_signal(signo: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the kernel gives good pointers; the slow paths outlive the code's run.
    let (code, context, slow_paths) = unsafe {
        let (at, n) = SLOW_PATHS.get();
        ((*info).si_code, &mut *context.cast::<libc::ucontext_t>(), std::slice::from_raw_parts(at, n))
    };
    let gregs = &mut context.uc_mcontext.gregs;
    // SAFETY: every frame has it.
    let mxcsr = unsafe { &mut (*context.uc_mcontext.fpregs).mxcsr };
    let rip = gregs[libc::REG_RIP as usize] as u64;
    // SAFETY: generated code has its Cpu in r15, and waits for us.
    let cpu = unsafe { &mut *((gregs[libc::REG_R15 as usize] as u64 - STATE_OFFSET) as *mut Cpu) };
    let is_invalid = code == FPE_FLTINV;
    if signo == libc::SIGFPE && !is_invalid {
        cpu.unwatch(mxcsr);
    } else if signo == libc::SIGTRAP {
        gregs[libc::REG_EFL as usize] &= !TRAP_FLAG;
        *mxcsr &= !MASK_INVALID;
    } else if let Some((_, slow)) = slow_paths.iter().find(|p| p.0 == rip) {
        gregs[libc::REG_RIP as usize] = *slow as i64;
    } else {
        cpu.unwatch(mxcsr);
        gregs[libc::REG_EFL as usize] |= TRAP_FLAG;
        *mxcsr |= MASK_INVALID;
    }
}
