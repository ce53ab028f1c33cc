# The runner's part for i386: state from a record, the case, state into the record.
#include "runner.h"

        .macro  load n, r
        mov     R_R + 8 * \n(%edi), %\r
        .endm
        .macro  keep n, r
        mov     %\r, R_R + 8 * \n(%edi)
        .endm

        .text
        .globl  _start
_start: mov     $stack_end, %esp
        call    runner

# void run_case(struct record *, void *slot)
        .globl  run_case
run_case:
        .irp    r, ebx, ebp, esi, edi
        push    %\r
        .endr
        mov     %esp, home
        mov     20(%esp), %edi
        mov     24(%esp), %eax
        mov     %eax, target
        ldmxcsr R_MXCSR(%edi)
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7
        movups  R_XMM + 16 * \n(%edi), %xmm\n
        .endr
        pushl   R_FLAGS(%edi)
        popf
        .irp    r, "0, eax", "1, ecx", "2, edx", "3, ebx", "4, esp", "5, ebp", "6, esi", "7, edi"
        load    \r
        .endr
        jmp     *target

# A slot ends with a jump to here.
        .globl  case_end
case_end:
        mov     %edi, target
        mov     current, %edi
        .irp    r, "0, eax", "1, ecx", "2, edx", "3, ebx", "4, esp", "5, ebp", "6, esi"
        keep    \r
        .endr
        mov     target, %eax
        mov     %eax, R_R + 8 * 7(%edi)
        mov     home, %esp
        pushf
        popl    R_FLAGS(%edi)
        stmxcsr R_MXCSR(%edi)
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7
        movups  %xmm\n, R_XMM + 16 * \n(%edi)
        .endr

# The handler of signals lets its frame return here.
        .globl  case_left
case_left:
        cld
        mov     home, %esp
        ldmxcsr usual
        .irp    r, edi, esi, ebp, ebx
        pop     %\r
        .endr
        ret

# void copy_window(void *to, const void *from): 256 bytes
        .globl  copy_window
copy_window:
        push    %esi
        push    %edi
        mov     12(%esp), %edi
        mov     16(%esp), %esi
        mov     $64, %ecx
        rep movsl
        pop     %edi
        pop     %esi
        ret

# long call(long number, long, long, long, long, long, long)
        .globl  call
call:   push    %ebx
        push    %esi
        push    %edi
        push    %ebp
        mov     20(%esp), %eax
        mov     24(%esp), %ebx
        mov     28(%esp), %ecx
        mov     32(%esp), %edx
        mov     36(%esp), %esi
        mov     40(%esp), %edi
        mov     44(%esp), %ebp
        int     $0x80
        pop     %ebp
        pop     %edi
        pop     %esi
        pop     %ebx
        ret

        .globl  return_from_handler
return_from_handler:
        mov     $173, %eax
        int     $0x80

        .data
usual:  .long   0x1f80

        .bss
        .balign 16
        .globl  current
home:   .skip   4
target: .skip   4
current: .skip  8
        .skip   65536
stack_end:
        .skip   16

        .section .note.GNU-stack, "", @progbits
