/* Which instructions a processor has: runs each that is named in the file argv[1], and prints U if it is undefined, else a dot.
   A line is `a`, `t` or `h` (A32 or A64, T32 with the first halfword on top, T16) and the word in hexadecimal. Freestanding, for the least
   processor. */
#include <linux/mman.h>
#include <signal.h>
#include <sys/syscall.h>
#include <ucontext.h>

static char words[1 << 18], answers[1 << 15], memory[1 << 16], stack[1 << 16];
unsigned long back_sp;

// Calls `at` with every register but sp, lr and pc pointing into the middle of memory; what on_signal gives, or 0.
long run(void *at, char *middle);
extern char back[], restorer[];

#if defined __aarch64__

static long call(long number, long a, long b, long c, long d, long e, long f) {
	register long x8 __asm__("x8") = number, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d, x4 __asm__("x4") = e, x5 __asm__("x5") = f;
	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
	return x0;
}

#define TO(n) " mov x" #n ", x1\n"
__asm__(".globl back, restorer\n run: stp x19, x20, [sp, #-160]!\n stp x21, x22, [sp, #16]\n stp x23, x24, [sp, #32]\n stp x25, x26, [sp, #48]\n stp x27, x28, [sp, #64]\n"
        "stp x29, x30, [sp, #80]\n stp d8, d9, [sp, #96]\n stp d10, d11, [sp, #112]\n stp d12, d13, [sp, #128]\n stp d14, d15, [sp, #144]\n"
        "adrp x2, back_sp\n add x2, x2, :lo12:back_sp\n mov x3, sp\n str x3, [x2]\n mov x30, x0\n" TO(0) TO(2) TO(3) TO(4) TO(5) TO(6) TO(7) TO(8)
        TO(9) TO(10) TO(11) TO(12) TO(13) TO(14) TO(15) TO(16) TO(17) TO(18) TO(19) TO(20) TO(21) TO(22) TO(23) TO(24) TO(25) TO(26) TO(27) TO(28)
        TO(29) "blr x30\n mov x0, #0\n"
        "back: adrp x2, back_sp\n add x2, x2, :lo12:back_sp\n ldr x3, [x2]\n mov sp, x3\n"
        "ldp x21, x22, [sp, #16]\n ldp x23, x24, [sp, #32]\n ldp x25, x26, [sp, #48]\n ldp x27, x28, [sp, #64]\n"
        "ldp x29, x30, [sp, #80]\n ldp d8, d9, [sp, #96]\n ldp d10, d11, [sp, #112]\n ldp d12, d13, [sp, #128]\n ldp d14, d15, [sp, #144]\n"
        "ldp x19, x20, [sp], #160\n ret\n"
        "restorer: mov x8, #139\n svc #0\n");

static void on_signal(int sig, siginfo_t *info, void *context) {
	ucontext_t *u = context;
	u->uc_mcontext.regs[0] = sig, u->uc_mcontext.pc = (unsigned long)back;
}

static void flush(char *from, char *to) {
	__asm__ volatile("dc cvau, %0\n dsb ish\n ic ivau, %0\n dsb ish\n isb" : : "r"(from) : "memory");
}

#define MMAP SYS_mmap
#define RETURN_LOW 0x03c0
#define RETURN_HIGH 0xd65f
__asm__(".globl _start\n_start: mov x0, sp\n b begin\n");

#else

static long call(long number, long a, long b, long c, long d, long e, long f) {
	register long r7 __asm__("r7") = number, r0 __asm__("r0") = a, r1 __asm__("r1") = b, r2 __asm__("r2") = c;
	register long r3 __asm__("r3") = d, r4 __asm__("r4") = e, r5 __asm__("r5") = f;
	__asm__ volatile("svc #0" : "+r"(r0) : "r"(r7), "r"(r1), "r"(r2), "r"(r3), "r"(r4), "r"(r5) : "memory");
	return r0;
}

// bx and not blx: the least processor has no blx.
__asm__(".globl back, restorer\n run: push {r4-r11, lr}\n ldr r2, =back_sp\n str sp, [r2]\n mov r2, r0\n adr lr, 1f\n ldr r12, =target\n str r2, [r12]\n mov r0, r1\n"
        "mov r2, r1\n mov r3, r1\n mov r4, r1\n mov r5, r1\n mov r6, r1\n mov r7, r1\n mov r8, r1\n mov r9, r1\n mov r10, r1\n mov r11, r1\n"
        "ldr r12, =target\n ldr r12, [r12]\n bx r12\n"
        "1: mov r0, #0\n"
        "back: ldr r2, =back_sp\n ldr sp, [r2]\n pop {r4-r11, lr}\n bx lr\n .ltorg\n"
        "restorer: mov r7, #173\n svc #0\n");
unsigned long target;

static void on_signal(int sig, siginfo_t *info, void *context) {
	ucontext_t *u = context;
	// Neither Thumb nor inside an IT block.
	u->uc_mcontext.arm_cpsr &= ~0x0600fc20ul;
	u->uc_mcontext.arm_r0 = sig, u->uc_mcontext.arm_pc = (unsigned long)back;
}

static void flush(char *from, char *to) {
	call(0xf0002, (long)from, (long)to, 0, 0, 0, 0);
}

#define MMAP SYS_mmap2
// bx lr, or its upper half in T16.
#define RETURN_LOW (kind == 'a' ? 0xff1e : 0x4770)
#define RETURN_HIGH 0xe12f
__asm__(".globl _start\n_start: mov r0, sp\n b begin\n");

#endif

static unsigned hex(char **at) {
	unsigned v = 0;
	for (; **at > ' '; ++*at)
		v = v << 4 | (**at <= '9' ? **at - '0' : **at - 'a' + 10);
	return v;
}

__attribute__((used)) static void begin(long *sp) {
	unsigned short *code = (void *)call(MMAP, 0, 4096, 7, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct { void *sp; int flags; unsigned long size; } alternate = {stack, 0, sizeof stack};
	struct { void *handler; unsigned long flags; void *restorer; unsigned long mask[2]; } act = {
		on_signal, SA_SIGINFO | SA_ONSTACK | SA_NODEFER | 0x04000000, restorer, {0, 0}};
	call(SYS_sigaltstack, (long)&alternate, 0, 0, 0, 0, 0);
	int signals[] = {SIGILL, SIGSEGV, SIGBUS, SIGTRAP, SIGFPE}, n = 0;
	for (int i = 0; i < 5; i++)
		call(SYS_rt_sigaction, signals[i], (long)&act, 0, 8, 0, 0);
	call(SYS_read, call(SYS_openat, -100, sp[2], 0, 0, 0, 0), (long)words, sizeof words - 1, 0, 0, 0);
	for (char *at = words; *at; at++) {
		char kind = *at;
		at += 2;
		unsigned word = hex(&at), length = 0;
		if (kind != 'h')
			code[length++] = kind == 'a' ? word : word >> 16;
		code[length++] = kind == 'a' ? word >> 16 : word;
		code[length++] = RETURN_LOW, code[length++] = RETURN_HIGH;
		flush((char *)code, (char *)(code + length));
		answers[n++] = run((char *)code + (kind != 'a'), memory + sizeof memory / 2) == SIGILL ? 'U' : '.';
	}
	call(SYS_write, 1, (long)answers, n, 0, 0, 0);
	call(SYS_exit_group, 0, 0, 0, 0, 0, 0);
}
