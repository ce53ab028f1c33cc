@ The runner's part for A32 and T32: state from a record, the case, state into the record. The user read-write thread register carries
@ LR across both ends, for no general register is free there.
#include "runner.h"

        .syntax unified
        .arch   armv7-a
        .fpu    neon
        .arm
        .text
        .globl _start
_start: ldr     sp, =stack_end
        mov     fp, #0
        bl      runner

@ void run_case(struct record *, void *slot): bit 0 of the slot's address for T32
        .globl run_case
run_case:
        push    {r4-r11, lr}
        vpush   {d8-d15}
        ldr     r2, =home
        str     sp, [r2]
        clrex
        ldr     r2, [r0, #R_FPSCR]
        vmsr    fpscr, r2
        ldr     r2, [r0, #R_CPSR]
        msr     apsr_nzcvqg, r2
        ldr     r2, [r0, #R_R + 4 * 14]
        mcr     p15, 0, r2, c13, c0, 2
        mov     lr, r1
        add     r1, r0, #R_Q
        vldmia  r1!, {d0-d15}
        vldmia  r1!, {d16-d31}
        ldr     sp, [r0, #R_R + 4 * 13]
        .irp    n, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0
        ldr     r\n, [r0, #R_R + 4 * \n]
        .endr
        bx      lr              @ the slot begins with MRC p15, 0, lr, c13, c0, 2

@ A slot ends with a branch to one of these.
        .thumb
        .globl case_end_thumb
        .thumb_func
case_end_thumb:
        bx      pc
        nop
        .arm
        .globl case_end
case_end:
        mcr     p15, 0, lr, c13, c0, 2
        ldr     lr, =current
        ldr     lr, [lr]
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12
        str     r\n, [lr, #R_R + 4 * \n]
        .endr
        str     sp, [lr, #R_R + 4 * 13]
        mrs     r0, apsr
        str     r0, [lr, #R_CPSR]
        mrc     p15, 0, r0, c13, c0, 2
        str     r0, [lr, #R_R + 4 * 14]
        vmrs    r0, fpscr
        str     r0, [lr, #R_FPSCR]
        add     r1, lr, #R_Q
        vstmia  r1!, {d0-d15}
        vstmia  r1!, {d16-d31}

@ The handler of signals lets its frame return here.
        .globl case_left
case_left:
        mov     r0, #0
        vmsr    fpscr, r0
        ldr     r2, =home
        ldr     sp, [r2]
        vpop    {d8-d15}
        pop     {r4-r11, pc}

        .globl return_from_handler
return_from_handler:
        mov     r7, #173        @ rt_sigreturn
        svc     #0

@ void copy_window(void *to, const void *from): 256 bytes in few instructions, for the interpreter's sake
        .globl copy_window
copy_window:
        .rept   2
        vldmia  r1!, {d16-d31}
        vstmia  r0!, {d16-d31}
        .endr
        bx      lr

@ long call(long number, long, long, long, long, long, long)
        .globl call
call:   push    {r4-r7}
        mov     r7, r0
        mov     r0, r1
        mov     r1, r2
        mov     r2, r3
        ldr     r3, [sp, #16]
        ldr     r4, [sp, #20]
        ldr     r5, [sp, #24]
        svc     #0
        pop     {r4-r7}
        bx      lr

@ void flush(char *start, char *end)
        .globl flush
flush:  push    {r7}
        mov     r2, #0
        ldr     r7, =0xf0002    @ cacheflush
        svc     #0
        pop     {r7}
        bx      lr
        .ltorg

        .bss
        .balign 16
        .globl current
home:   .skip   4
current: .skip  4
        .skip   65536
        .balign 16
stack_end:
        .skip   16

        .section .note.GNU-stack, "", %progbits
