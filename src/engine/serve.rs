//! What generated code calls Rust for: helpers, and operations that the back end leaves to [`ir::eval`].

use crate::Cpu;
use host::Site;
use host::cpu::UNKNOWN;

/// What the site thunk is to call.
pub(crate) fn entry(counting: bool) -> u64 {
    if counting { serve_counted as *const () as u64 } else { serve as *const () as u64 }
}

/// [`serve`], with the call counted.
///
/// # Safety
/// As [`serve`].
unsafe extern "C" fn serve_counted(cpu: *mut Cpu, site: *const Site) {
    // SAFETY: the caller's promise.
    unsafe {
        if let Some(stats) = (*cpu).engine().stats {
            stats.called(&*site);
        }
        serve(cpu, site);
    }
}

/// Called by the site thunk.
///
/// # Safety
/// From generated code only: the Cpu is the running thread's, the site one that the engine keeps.
unsafe extern "C" fn serve(cpu: *mut Cpu, site: *const Site) {
    // SAFETY: the caller's promise.
    let (cpu, site) = unsafe { (&mut *cpu, &*site) };
    match site.op {
        ir::Op::X87 { op: ir::X87::Save, .. } => return cpu.save_unit(),
        ir::Op::X87 { op: ir::X87::Load, .. } => return cpu.load_unit(),
        _ => {}
    }
    let raw = &mut cpu.raw;
    let args = raw.args.map(|[low, high]| u128::from(low) | u128::from(high) << 64);
    let ret = match site.helper {
        None => ir::eval(&site.op, site.ty, &site.arg_types, &args, &mut raw.fp_flags),
        Some(helper) => {
            let mut frame = ir::Frame { args, ret: 0, state: &mut raw.guest, fp_flags: 0, exit: None };
            (helper.run)(&mut frame);
            let (ret, flags, exit) = (frame.ret, frame.fp_flags, frame.exit);
            raw.fp_flags |= flags;
            if let Some(trap) = exit {
                (raw.helper_trap, cpu.trap) = (1, trap);
            }
            ret
        }
    };
    if raw.known_flags != UNKNOWN {
        raw.known_flags = raw.fp_flags;
    }
    raw.ret = [ret as u64, (ret >> 64) as u64];
}
