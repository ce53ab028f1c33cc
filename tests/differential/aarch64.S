// The runner's part for A64: state from a record, the case, state into the record. TPIDR_EL0 carries X30 across both ends, for no
// general register is free there.
#include "runner.h"

        .text
        .globl _start
_start: mov     x29, #0
        adrp    x0, stack_end
        add     x0, x0, :lo12:stack_end
        mov     sp, x0
        bl      runner

// void run_case(struct record *, void *slot)
        .globl run_case
run_case:
        stp     x29, x30, [sp, #-160]!
        stp     x19, x20, [sp, #16]
        stp     x21, x22, [sp, #32]
        stp     x23, x24, [sp, #48]
        stp     x25, x26, [sp, #64]
        stp     x27, x28, [sp, #80]
        stp     d8, d9, [sp, #96]
        stp     d10, d11, [sp, #112]
        stp     d12, d13, [sp, #128]
        stp     d14, d15, [sp, #144]
        adrp    x2, home
        mov     x3, sp
        str     x3, [x2, :lo12:home]
        clrex
        ldr     x2, [x0, #R_FPCR]
        msr     fpcr, x2
        ldr     x2, [x0, #R_FPSR]
        msr     fpsr, x2
        ldr     x2, [x0, #R_NZCV]
        msr     nzcv, x2
        ldr     x2, [x0, #R_X + 8 * 30]
        msr     tpidr_el0, x2
        mov     x30, x1
        add     x1, x0, #R_V
        .irp    n, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28
        ldp     q\n, q31, [x1, #16 * \n]
        .endr
        ldp     q30, q31, [x1, #16 * 30]
        .irp    n, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29
        ldr     q\n, [x1, #16 * \n]
        .endr
        ldr     x2, [x0, #R_SP]
        mov     sp, x2
        .irp    n, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 0
        ldr     x\n, [x0, #R_X + 8 * \n]
        .endr
        br      x30             // the slot begins with MRS X30, TPIDR_EL0

// A slot ends with a branch to here.
        .globl case_end
case_end:
        msr     tpidr_el0, x30
        adrp    x30, current
        ldr     x30, [x30, :lo12:current]
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29
        str     x\n, [x30, #R_X + 8 * \n]
        .endr
        mrs     x0, tpidr_el0
        str     x0, [x30, #R_X + 8 * 30]
        mov     x0, sp
        str     x0, [x30, #R_SP]
        mrs     x0, nzcv
        str     x0, [x30, #R_NZCV]
        mrs     x0, fpcr
        str     x0, [x30, #R_FPCR]
        mrs     x0, fpsr
        str     x0, [x30, #R_FPSR]
        add     x1, x30, #R_V
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
        str     q\n, [x1, #16 * \n]
        .endr

// The handler of signals lets its frame return here.
        .globl case_left
case_left:
        msr     fpcr, xzr
        adrp    x2, home
        ldr     x3, [x2, :lo12:home]
        mov     sp, x3
        ldp     x19, x20, [sp, #16]
        ldp     x21, x22, [sp, #32]
        ldp     x23, x24, [sp, #48]
        ldp     x25, x26, [sp, #64]
        ldp     x27, x28, [sp, #80]
        ldp     d8, d9, [sp, #96]
        ldp     d10, d11, [sp, #112]
        ldp     d12, d13, [sp, #128]
        ldp     d14, d15, [sp, #144]
        ldp     x29, x30, [sp], #160
        ret

        .globl return_from_handler
return_from_handler:
        mov     x8, #139        // rt_sigreturn
        svc     #0

// void copy_window(void *to, const void *from): 256 bytes in few instructions, for the interpreter's sake
        .globl copy_window
copy_window:
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7
        ldp     q0, q1, [x1, #32 * \n]
        stp     q0, q1, [x0, #32 * \n]
        .endr
        ret

// long call(long number, long, long, long, long, long, long)
        .globl call
call:   mov     x8, x0
        mov     x0, x1
        mov     x1, x2
        mov     x2, x3
        mov     x3, x4
        mov     x4, x5
        mov     x5, x6
        svc     #0
        ret

// void flush(char *start, char *end): lines of 16 bytes exist nowhere, but do no harm.
        .globl flush
flush:  mrs     x3, ctr_el0
        mov     x4, #4
        and     x5, x3, #15
        lsl     x5, x4, x5
        mov     x2, x0
1:      dc      cvau, x2
        add     x2, x2, x5
        cmp     x2, x1
        b.lo    1b
        dsb     ish
        mov     x2, x0
        ubfx    x5, x3, #16, #4
        mov     x4, #4
        lsl     x5, x4, x5
2:      ic      ivau, x2
        add     x2, x2, x5
        cmp     x2, x1
        b.lo    2b
        dsb     ish
        isb
        ret

        .bss
        .balign 16
        .globl current
home:   .skip   8
current: .skip  8
        .skip   65536
stack_end:
        .skip   16

        .section .note.GNU-stack, "", %progbits
