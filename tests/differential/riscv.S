# The runner's part for RISC-V: state from a record, the case, state into the record. gp holds the slot's address and takes no part, for
# no register is free otherwise. Linked without relaxation, which would use it. Of 32 bits there are no vectors.
#include "runner.h"

#if __riscv_xlen == 64
#define WORD 8
#define lx ld
#define sx sd
#define scx sc.d
#else
#define WORD 4
#define lx lw
#define sx sw
#define scx sc.w
#endif

        .option arch, +d
        .option arch, +zifencei
#if VLENB
        .option arch, +v
#endif
        .text
        .globl  _start
_start: la      sp, stack_end
        call    runner

# void run_case(struct record *, void *slot)
        .globl  run_case
run_case:
        addi    sp, sp, -128
        sx      ra, 0(sp)
        sx      gp, WORD(sp)
        sx      tp, 2 * WORD(sp)
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
        sx      s\n, WORD * (3 + \n)(sp)
        .endr
        la      t0, home
        sx      sp, 0(t0)
        # No reservation is left.
        scx     zero, zero, (t0)
        sx      sp, 0(t0)
        lx      t0, R_FCSR(a0)
        fscsr   t0
#if VLENB
        csrw    vstart, zero
        addi    t0, a0, R_V
        .irp    n, 0, 8, 16, 24
        vl8re8.v v\n, (t0)
        addi    t0, t0, 8 * VLENB
        .endr
        lx      t0, R_VCSR(a0)
        csrw    vcsr, t0
        lx      t0, R_VL(a0)
        lx      t1, R_VTYPE(a0)
        vsetvl  zero, t0, t1
        lx      t0, R_VSTART(a0)
        csrw    vstart, t0
#endif
        mv      gp, a1
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
        fld     f\n, R_F + 8 * \n(a0)
        .endr
        .irp    n, 1, 2, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 10
        lx      x\n, R_X + 8 * \n(a0)
        .endr
        jr      gp

# A slot ends with a jump to here.
        .globl  case_end
case_end:
        la      gp, current
        lx      gp, 0(gp)
        .irp    n, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
        sx      x\n, R_X + 8 * \n(gp)
        .endr
        frcsr   t0
        sx      t0, R_FCSR(gp)
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
        fsd     f\n, R_F + 8 * \n(gp)
        .endr

# The handler of signals lets its frame return here. Frames of the reference have no vectors, but no handler touches them.
        .globl  case_left
case_left:
        la      gp, current
        lx      gp, 0(gp)
#if VLENB
        csrr    t0, vstart
        sx      t0, R_VSTART(gp)
        csrr    t0, vcsr
        sx      t0, R_VCSR(gp)
        csrr    t0, vl
        sx      t0, R_VL(gp)
        csrr    t0, vtype
        sx      t0, R_VTYPE(gp)
        csrw    vstart, zero
        addi    t0, gp, R_V
        .irp    n, 0, 8, 16, 24
        vs8r.v  v\n, (t0)
        addi    t0, t0, 8 * VLENB
        .endr
#endif
        fscsr   zero
        la      t0, home
        lx      sp, 0(t0)
        lx      ra, 0(sp)
        lx      gp, WORD(sp)
        lx      tp, 2 * WORD(sp)
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
        lx      s\n, WORD * (3 + \n)(sp)
        .endr
        addi    sp, sp, 128
        ret

# void copy_window(void *to, const void *from): 256 bytes
        .globl  copy_window
copy_window:
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
        lx      t0, 8 * \n(a1)
        sx      t0, 8 * \n(a0)
#if WORD == 4
        lw      t0, 8 * \n + 4(a1)
        sw      t0, 8 * \n + 4(a0)
#endif
        .endr
        ret

# long call(long number, long, long, long, long, long, long)
        .globl  call
call:   mv      a7, a0
        mv      a0, a1
        mv      a1, a2
        mv      a2, a3
        mv      a3, a4
        mv      a4, a5
        mv      a5, a6
        ecall
        ret

# void flush(char *start, char *end)
        .globl  flush
flush:  fence.i
        ret

        .bss
        .balign 16
        .globl  current
home:   .skip   8
current: .skip  8
        .skip   65536
stack_end:
        .skip   16

        .section .note.GNU-stack, "", %progbits
