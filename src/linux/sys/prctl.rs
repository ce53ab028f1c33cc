//! prctl: a table of operations.

use crate::calls::places;
use crate::give_back;
use crate::mm;
use crate::random::Random;
use crate::sys::direct;
use crate::sys::prelude::*;
use ir::Slot;
use std::sync::atomic::{AtomicU64, Ordering};

syscalls! { |t|
    sys_prctl(operation: Enum<Prctl>, arg2: ULong, arg3: ULong, arg4: ULong, arg5: ULong) -> Int {
        prctl(t, operation, [arg2, arg3, arg4, arg5].map(untag))
    }
}

/// What is done with an operation.
enum Act {
    /// Numbers, or bytes: as it is.
    Host,
    /// The second argument points to an int that the kernel writes.
    OutInt,
    /// To a `long`.
    OutLong,
    /// How many upper bits of addresses are overlooked, and whether by calls too: set and told.
    SetTagged,
    GetTagged,
    /// Which keys of pointer authentication are in use: set and told.
    EnableKeys,
    EnabledKeys,
    /// Whether RISC-V's vectors may be used: set and told.
    SetVectors,
    GetVectors,
    /// Code of our own.
    Body(fn(&mut Task, [u64; 4]) -> Res),
    /// New keys of pointer authentication, where the guest has it.
    ResetKeys,
    /// Another processor's: EINVAL, as the guest's kernel would say.
    Foreign,
}

/// man 2 prctl
static OPERATIONS: &[(u32, Act)] = &[
    (1, Act::Host),                                                                     // PR_SET_PDEATHSIG
    (2, Act::OutInt),                                                                   // PR_GET_PDEATHSIG
    (3, Act::Host),                                                                     // PR_GET_DUMPABLE
    (4, Act::Host),                                                                     // PR_SET_DUMPABLE
    (5, Act::Foreign),                                                                  // PR_GET_UNALIGN
    (6, Act::Foreign),                                                                  // PR_SET_UNALIGN
    (7, Act::Host),                                                                     // PR_GET_KEEPCAPS
    (8, Act::Host),                                                                     // PR_SET_KEEPCAPS
    (9, Act::Foreign),                                                                  // PR_GET_FPEMU
    (10, Act::Foreign),                                                                 // PR_SET_FPEMU
    (11, Act::Foreign),                                                                 // PR_GET_FPEXC
    (12, Act::Foreign),                                                                 // PR_SET_FPEXC
    (13, Act::Host),                                                                    // PR_GET_TIMING
    (14, Act::Host),                                                                    // PR_SET_TIMING
    (15, Act::Host),                                                                    // PR_SET_NAME
    (16, Act::Host),                                                                    // PR_GET_NAME
    (19, Act::Foreign),                                                                 // PR_GET_ENDIAN
    (20, Act::Foreign),                                                                 // PR_SET_ENDIAN
    (21, Act::Body(|t, _| Ok(t.seat.mode()))),                                          // PR_GET_SECCOMP
    (22, Act::Body(|t, [mode, filter, ..]| crate::seccomp::set_mode(t, mode, filter))), // PR_SET_SECCOMP
    (23, Act::Host),                                                                    // PR_CAPBSET_READ
    (24, Act::Host),                                                                    // PR_CAPBSET_DROP
    (25, Act::Foreign),                                                                 // PR_GET_TSC
    (26, Act::Foreign),                                                                 // PR_SET_TSC
    (27, Act::Host),                                                                    // PR_GET_SECUREBITS
    (28, Act::Host),                                                                    // PR_SET_SECUREBITS
    (29, Act::Host),                                                                    // PR_SET_TIMERSLACK
    (30, Act::Host),                                                                    // PR_GET_TIMERSLACK
    (31, Act::Host),                                                                    // PR_TASK_PERF_EVENTS_DISABLE
    (32, Act::Host),                                                                    // PR_TASK_PERF_EVENTS_ENABLE
    (33, Act::Host),                                                                    // PR_MCE_KILL
    (34, Act::Host),                                                                    // PR_MCE_KILL_GET
    (35, Act::Body(places::set)),                                                       // PR_SET_MM
    (36, Act::Host),                                                                    // PR_SET_CHILD_SUBREAPER
    (37, Act::OutInt),                                                                  // PR_GET_CHILD_SUBREAPER
    (38, Act::Host),                                                                    // PR_SET_NO_NEW_PRIVS
    (39, Act::Host),                                                                    // PR_GET_NO_NEW_PRIVS
    (40, Act::OutLong),                                                                 // PR_GET_TID_ADDRESS
    (41, Act::Host),                                                                    // PR_SET_THP_DISABLE
    (42, Act::Host),                                                                    // PR_GET_THP_DISABLE
    (43, Act::Foreign),                                                                 // PR_MPX_ENABLE_MANAGEMENT
    (44, Act::Foreign),                                                                 // PR_MPX_DISABLE_MANAGEMENT
    (45, Act::Foreign),                                                                 // PR_SET_FP_MODE
    (46, Act::Foreign),                                                                 // PR_GET_FP_MODE
    (47, Act::Host),                                                                    // PR_CAP_AMBIENT
    (50, Act::Foreign),              // PR_SVE_SET_VL: no SVE is announced
    (51, Act::Foreign),              // PR_SVE_GET_VL
    (52, Act::Host),                 // PR_GET_SPECULATION_CTRL
    (53, Act::Host),                 // PR_SET_SPECULATION_CTRL
    (54, Act::ResetKeys),            // PR_PAC_RESET_KEYS
    (55, Act::SetTagged),            // PR_SET_TAGGED_ADDR_CTRL
    (56, Act::GetTagged),            // PR_GET_TAGGED_ADDR_CTRL
    (57, Act::Host),                 // PR_SET_IO_FLUSHER
    (58, Act::Host),                 // PR_GET_IO_FLUSHER
    (59, Act::Body(give_back::set)), // PR_SET_SYSCALL_USER_DISPATCH
    (60, Act::EnableKeys),           // PR_PAC_SET_ENABLED_KEYS
    (61, Act::EnabledKeys),          // PR_PAC_GET_ENABLED_KEYS
    (62, Act::Host),                 // PR_SCHED_CORE
    (63, Act::Foreign),              // PR_SME_SET_VL
    (64, Act::Foreign),              // PR_SME_GET_VL
    (65, Act::Body(refuse_gain)),    // PR_SET_MDWE
    (66, Act::Body(|t, args| if args == [0; 4] { t.process.mm.refusal(Ok) } else { Err(Errno::EINVAL) })), // PR_GET_MDWE
    (67, Act::Host),                    // PR_SET_MEMORY_MERGE
    (68, Act::Host),                    // PR_GET_MEMORY_MERGE
    (69, Act::SetVectors),              // PR_RISCV_V_SET_CONTROL
    (70, Act::GetVectors),              // PR_RISCV_V_GET_CONTROL
    (71, Act::Body(set_fetch_context)), // PR_RISCV_SET_ICACHE_FLUSH_CTX
    (72, Act::Foreign),                 // PR_PPC_GET_DEXCR
    (73, Act::Foreign),                 // PR_PPC_SET_DEXCR
    (74, Act::Foreign),                 // PR_GET_SHADOW_STACK_STATUS: no shadow stacks are announced
    (75, Act::Foreign),                 // PR_SET_SHADOW_STACK_STATUS
    (76, Act::Foreign),                 // PR_LOCK_SHADOW_STACK_STATUS
    (77, Act::Host),                    // PR_TIMER_CREATE_RESTORE_IDS
    (78, Act::Host),                    // PR_FUTEX_HASH
    (0x4155_5856, Act::Body(auxv)),     // PR_GET_AUXV
    (0x5356_4d41, Act::Host),           // PR_SET_VMA
    (0x5961_6d61, Act::Host),           // PR_SET_PTRACER
];

/// As much of the auxiliary vector as the buffer takes. Differs: the kernel's has room for entries that are not used, which its length counts.
fn auxv(t: &mut Task, [buffer, len, rest @ ..]: [u64; 4]) -> Res {
    if rest != [0; 2] {
        return Err(Errno::EINVAL);
    }
    let places = t.process.mm.places();
    let part = places.auxv.len().min(usize::try_from(len).unwrap_or(usize::MAX));
    memory::write(buffer, &places.auxv[..part])?;
    Ok(places.auxv.len() as u64)
}

fn prctl(t: &mut Task, operation: u32, args: [u64; 4]) -> Res {
    let Some((_, act)) = OPERATIONS.iter().find(|(number, _)| *number == operation) else {
        t.unimp(format_args!("prctl operation {operation:#x}"));
        return Err(Errno::EINVAL);
    };
    let [a, b, c, d] = args;
    let m = t.abi().model();
    match act {
        Act::Host => t.host_call(i64::from(nr::sys_prctl), [u64::from(operation), a, b, c, d, 0]),
        Act::OutInt => {
            let value = HostStruct::new::<Int32>(m, a)?;
            let result = t.host_call(i64::from(nr::sys_prctl), [u64::from(operation), value.host, b, c, d, 0])?;
            value.write_back(m)?;
            Ok(result)
        }
        Act::OutLong => {
            let value = HostStruct::new::<ULongWord>(m, a)?;
            let result = t.host_call(i64::from(nr::sys_prctl), [u64::from(operation), value.host, b, c, d, 0])?;
            value.write_back(m)?;
            Ok(result)
        }
        Act::SetTagged if [b, c, d] == [0; 3] => set_tags(t, a),
        Act::GetTagged if args == [0; 4] => tags(t),
        Act::SetTagged | Act::GetTagged => Err(Errno::EINVAL),
        Act::EnableKeys => enable_keys(t, a, b, [c, d]),
        Act::EnabledKeys if args == [0; 4] && enablable(t) != 0 => Ok(enablable(t)),
        Act::EnabledKeys => Err(Errno::EINVAL),
        Act::SetVectors => set_vectors(t, a),
        Act::GetVectors if has_vectors(t) => Ok(VECTORS_ON | NEXT_VECTORS.load(Ordering::Relaxed)),
        Act::GetVectors => Err(Errno::EINVAL),
        Act::Body(body) => body(t, args),
        Act::ResetKeys => reset_keys(t, a, [b, c, d]),
        Act::Foreign => Err(Errno::EINVAL),
    }
}

/// PR_SET_MDWE (kernel/sys.c, prctl_set_mdwe): bits that cannot be taken back.
fn refuse_gain(t: &mut Task, [bits, zeros @ ..]: [u64; 4]) -> Res {
    if zeros != [0; 3] || !matches!(bits, 0 | mm::REFUSE_EXEC_GAIN) && bits != mm::REFUSE_EXEC_GAIN | mm::NO_INHERIT {
        return Err(Errno::EINVAL);
    }
    t.process.mm.refusal(|now| if now == 0 || now == bits { Ok(bits) } else { Err(Errno::EPERM) })?;
    Ok(0)
}

/// Whose instruction fetches are to be in step with stores: they always are. Of a process or a thread, on or off.
fn set_fetch_context(t: &mut Task, [context, scope, ..]: [u64; 4]) -> Res {
    let known = t.process.guest.elf.machine == EM_RISCV && context <= 1 && scope <= 1;
    if known { Ok(0) } else { Err(Errno::EINVAL) }
}

const EM_RISCV: u16 = 243;

/// PR_TAGGED_ADDR_ENABLE, PR_PMLEN_SHIFT and PR_PMLEN_MASK.
const TAGS_ON: u64 = 1;
const PMLEN_AT: u32 = 24;
const PMLEN: u64 = 0x7f << PMLEN_AT;

/// Aarch64's processors overlook the top byte always.
const TOP_BYTE: u32 = 8;

/// Where the guest's state has how many bits the program wants overlooked: RISC-V's with RISCV_HWPROBE_EXT_SUPM.
fn mask_slot(t: &Task) -> Option<Slot> {
    let has = (t.abi().probe)(4, t.process.cpu.features).is_some_and(|bits| bits >> 49 & 1 != 0);
    t.abi().pointer_mask.filter(|_| has)
}

fn set_tags(t: &mut Task, control: u64) -> Res {
    let on = control & TAGS_ON != 0;
    if t.process.guest.tagged_pointers {
        // There are no memory tags, which the other bits are about.
        if control & !TAGS_ON != 0 {
            return Err(Errno::EINVAL);
        }
        set_tag_bits(if on { TOP_BYTE } else { 0 });
    } else {
        set_mask(t, control, on)?;
    }
    direct::stop();
    Ok(0)
}

/// Documentation/arch/riscv/uabi.rst, "Pointer masking": at least as many bits as are asked for.
fn set_mask(t: &mut Task, control: u64, on: bool) -> Result<(), Errno> {
    let slot = mask_slot(t).ok_or(Errno::EINVAL)?;
    let pmlen = match (control & PMLEN) >> PMLEN_AT {
        0 => 0,
        1..=7 => 7,
        8..=16 => 16,
        _ => return Err(Errno::EINVAL),
    };
    if control & !(TAGS_ON | PMLEN) != 0 || on && pmlen == 0 {
        return Err(Errno::EINVAL);
    }
    let bits = if on { pmlen } else { 0 };
    // What the kernel overlooks is the address space's. Differs: it is settled for good once there was a thread.
    if bits != tag_bits() && t.process.engine.threads() > 1 {
        return Err(Errno::EBUSY);
    }
    t.cpu_mut().set(slot, pmlen.into());
    set_tag_bits(bits);
    Ok(())
}

fn tags(t: &Task) -> Res {
    let mask = mask_slot(t).map(|slot| t.cpu().get(slot) << PMLEN_AT);
    if mask.is_none() && !t.process.guest.tagged_pointers {
        return Err(Errno::EINVAL);
    }
    Ok(mask.unwrap_or(0) | u64::from(tagged()))
}

/// PR_RISCV_V_VSTATE_CTRL_OFF and _ON for this program (the low two bits) and for those that it executes (the next two, then whether
/// theirs inherit that).
const VECTORS_OFF: u64 = 1;
const VECTORS_ON: u64 = 2;

/// What was asked for programs to be executed.
static NEXT_VECTORS: AtomicU64 = AtomicU64::new(0);

/// RISCV_HWPROBE_IMA_V
fn has_vectors(t: &Task) -> bool {
    (t.abi().probe)(4, t.process.cpu.features).is_some_and(|bits| bits & 4 != 0)
}

/// Vectors are on, and stay so (arch/riscv/kernel/vector.c, riscv_v_vstate_ctrl_set_current).
// Differs: the wish for other programs is one of the process, not of the thread, and they have vectors whatever it is.
fn set_vectors(t: &Task, control: u64) -> Res {
    let (now, next) = (control & 3, control >> 2 & 3);
    if !has_vectors(t) || control >> 5 != 0 {
        return Err(Errno::EINVAL);
    }
    if now == VECTORS_OFF {
        return Err(Errno::EPERM);
    }
    if now > VECTORS_ON || next > VECTORS_ON {
        return Err(Errno::EINVAL);
    }
    if next == VECTORS_OFF {
        t.unimp(format_args!("PR_RISCV_V_SET_CONTROL: programs that this one executes have vectors all the same"));
    }
    NEXT_VECTORS.store(control & !3, Ordering::Relaxed);
    Ok(0)
}

/// The keys that can be enabled and not: all but the generic one, each a bit. 0 without pointer authentication.
fn enablable(t: &Task) -> u64 {
    (1 << t.abi().keys.len().saturating_sub(1)) - 1
}

/// The keys in `which` are enabled as `on` says: all of them, as they are from the start.
fn enable_keys(t: &Task, which: u64, on: u64, zeros: [u64; 2]) -> Res {
    let keys = enablable(t);
    if keys == 0 || zeros != [0; 2] || which & !keys != 0 || on & !which != 0 {
        return Err(Errno::EINVAL);
    }
    if on != which {
        t.unimp(format_args!("PR_PAC_SET_ENABLED_KEYS: code with all keys enabled is made"));
        return Err(Errno::EINVAL);
    }
    Ok(0)
}

/// A bit for each key; none: all.
fn reset_keys(t: &mut Task, which: u64, zeros: [u64; 3]) -> Res {
    let keys = t.abi().keys;
    if keys.is_empty() || zeros != [0; 3] || which >> keys.len() != 0 {
        return Err(Errno::EINVAL);
    }
    let mut random = Random::new(t.process.options.seed.map(|seed| seed ^ t.get(keys[0][0])));
    for (_, key) in keys.iter().enumerate().filter(|(n, _)| which == 0 || which >> n & 1 != 0) {
        key.iter().for_each(|slot| t.set(*slot, random.number()));
    }
    Ok(0)
}
