# Greets by two system calls: write and exit.
        .globl  _start
_start: mov     $1, %eax
        mov     $1, %edi
        lea     greeting(%rip), %rsi
        mov     $end - greeting, %edx
        syscall
        mov     $60, %eax
        xor     %edi, %edi
        syscall
greeting:
        .ascii  "Hello from an x86_64 program.\n"
end:
