// enter(code): loads `current` and jumps there. leave: where cases end; saves what became of it and returns from enter.

    .intel_syntax noprefix
    .text
    .globl enter, leave, leave_saved

    .macro each_xmm what
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    \what \n
    .endr
    .endm

    .macro load_xmm n
    movups xmm\n, [current + 144 + 16 * \n]
    .endm
    .macro save_xmm n
    movups [current + 144 + 16 * \n], xmm\n
    .endm

enter:
    push rbx
    push rbp
    push r12
    push r13
    push r14
    push r15
    sub rsp, 8
    stmxcsr [rsp]
    mov [host_stack], rsp
    mov [target], rdi
    each_xmm load_xmm
    ldmxcsr [current + 400]
    push qword ptr [current + 136]
    popfq
    mov rax, [current]
    mov rcx, [current + 8]
    mov rdx, [current + 16]
    mov rbx, [current + 24]
    mov rbp, [current + 40]
    mov rsi, [current + 48]
    mov rdi, [current + 56]
    mov r8, [current + 64]
    mov r9, [current + 72]
    mov r10, [current + 80]
    mov r11, [current + 88]
    mov r12, [current + 96]
    mov r13, [current + 104]
    mov r14, [current + 112]
    mov r15, [current + 120]
    mov rsp, [current + 32]
    jmp [target]

leave:
    mov [current], rax
    mov [current + 8], rcx
    mov [current + 16], rdx
    mov [current + 24], rbx
    mov [current + 32], rsp
    mov [current + 40], rbp
    mov [current + 48], rsi
    mov [current + 56], rdi
    mov [current + 64], r8
    mov [current + 72], r9
    mov [current + 80], r10
    mov [current + 88], r11
    mov [current + 96], r12
    mov [current + 104], r13
    mov [current + 112], r14
    mov [current + 120], r15
    mov rsp, [host_stack]
    pushfq
    pop qword ptr [current + 136]
    stmxcsr [current + 400]
    each_xmm save_xmm
leave_saved:
    cld
    mov rsp, [host_stack]
    ldmxcsr [rsp]
    add rsp, 8
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbp
    pop rbx
    ret

    .bss
target:
    .quad 0

    .section .note.GNU-stack, "", @progbits
