# Greets by two system calls: write and exit.
        .globl  _start
_start: mov     $4, %eax
        mov     $1, %ebx
        mov     $greeting, %ecx
        mov     $end - greeting, %edx
        int     $0x80
        mov     $1, %eax
        xor     %ebx, %ebx
        int     $0x80
greeting:
        .ascii  "Hello from an i386 program.\n"
end:
