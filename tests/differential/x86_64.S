# The runner's part for x86-64: state from a record, the case, state into the record.
#include "runner.h"

        .macro  load n, r
        mov     R_R + 8 * \n(%rdi), %\r
        .endm
        .macro  keep n, r
        mov     %\r, R_R + 8 * \n(%rdi)
        .endm

        .text
        .globl  _start
_start: lea     stack_end(%rip), %rsp
        mov     $1, %eax
        cpuid
        # AVX, and a kernel that keeps its registers.
        not     %ecx
        test    $0x18000000, %ecx
        setz    has_avx(%rip)
        mov     $7, %eax
        xor     %ecx, %ecx
        cpuid
        # AVX-512 F and BW.
        not     %ebx
        test    $0x40010000, %ebx
        setz    has_avx512(%rip)
        call    runner

# void run_case(struct record *, void *slot)
        .globl  run_case
run_case:
        .irp    r, rbx, rbp, r12, r13, r14, r15
        push    %\r
        .endr
        mov     %rsp, home(%rip)
        mov     %rsi, target(%rip)
        ldmxcsr R_MXCSR(%rdi)
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
        movups  R_XMM + 16 * \n(%rdi), %xmm\n
        .endr
        cmpb    $0, has_avx(%rip)
        je      1f
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
        vinsertf128 $1, R_YMM + 16 * \n(%rdi), %ymm\n, %ymm\n
        .endr
        cmpb    $0, has_avx512(%rip)
        je      1f
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7
        kmovq   R_K + 8 * \n(%rdi), %k\n
        .endr
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
        vinserti64x4 $1, R_ZMM + 32 * \n(%rdi), %zmm\n, %zmm\n
        .endr
        .irp    n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
        vmovdqu64 R_MORE + 64 * (\n - 16)(%rdi), %zmm\n
        .endr
1:      push    R_FLAGS(%rdi)
        popf
        .irp    r, "0, rax", "1, rcx", "2, rdx", "3, rbx", "4, rsp", "5, rbp", "6, rsi", "8, r8", "9, r9", "10, r10", "11, r11", "12, r12", "13, r13", "14, r14", "15, r15", "7, rdi"
        load    \r
        .endr
        jmp     *target(%rip)

# A slot ends with a jump to here.
        .globl  case_end
case_end:
        mov     %rdi, target(%rip)
        mov     current(%rip), %rdi
        .irp    r, "0, rax", "1, rcx", "2, rdx", "3, rbx", "4, rsp", "5, rbp", "6, rsi", "8, r8", "9, r9", "10, r10", "11, r11", "12, r12", "13, r13", "14, r14", "15, r15"
        keep    \r
        .endr
        mov     target(%rip), %rax
        mov     %rax, R_R + 8 * 7(%rdi)
        mov     home(%rip), %rsp
        pushf
        pop     R_FLAGS(%rdi)
        stmxcsr R_MXCSR(%rdi)
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
        movups  %xmm\n, R_XMM + 16 * \n(%rdi)
        .endr
        cmpb    $0, has_avx(%rip)
        je      case_left
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
        vextractf128 $1, %ymm\n, R_YMM + 16 * \n(%rdi)
        .endr
        cmpb    $0, has_avx512(%rip)
        je      case_left
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7
        kmovq   %k\n, R_K + 8 * \n(%rdi)
        .endr
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
        vextracti64x4 $1, %zmm\n, R_ZMM + 32 * \n(%rdi)
        .endr
        .irp    n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
        vmovdqu64 %zmm\n, R_MORE + 64 * (\n - 16)(%rdi)
        .endr

# The handler of signals lets its frame return here.
        .globl  case_left
case_left:
        cld
        mov     home(%rip), %rsp
        ldmxcsr usual(%rip)
        .irp    r, r15, r14, r13, r12, rbp, rbx
        pop     %\r
        .endr
        ret

# void copy_window(void *to, const void *from): 256 bytes
        .globl  copy_window
copy_window:
        mov     $32, %ecx
        rep movsq
        ret

# long call(long number, long, long, long, long, long, long)
        .globl  call
call:   mov     %rdi, %rax
        mov     %rsi, %rdi
        mov     %rdx, %rsi
        mov     %rcx, %rdx
        mov     %r8, %r10
        mov     %r9, %r8
        mov     8(%rsp), %r9
        syscall
        ret

        .globl  return_from_handler
return_from_handler:
        mov     $15, %eax
        syscall

        .data
usual:  .long   0x1f80

        .bss
        .balign 16
        .globl  current
home:   .skip   8
target: .skip   8
current: .skip  8
has_avx: .skip  8
has_avx512: .skip 8
        .skip   65536
stack_end:
        .skip   16

        .section .note.GNU-stack, "", @progbits
