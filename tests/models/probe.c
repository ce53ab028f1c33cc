/* Which instructions a processor has: runs each that is named in the file argv[1], and prints U if it is undefined, else a dot.
   A line is `a`, `t` or `h` (A32, T32 with the first halfword on top, T16) and the word in hexadecimal. Freestanding, for the least processor. */
#include <linux/mman.h>
#include <signal.h>
#include <sys/syscall.h>
#include <ucontext.h>

static char words[1 << 18], answers[1 << 15], memory[1 << 16], stack[1 << 16];
unsigned long back_sp;

static long call(long number, long a, long b, long c, long d, long e, long f) {
	register long r7 __asm__("r7") = number, r0 __asm__("r0") = a, r1 __asm__("r1") = b, r2 __asm__("r2") = c;
	register long r3 __asm__("r3") = d, r4 __asm__("r4") = e, r5 __asm__("r5") = f;
	__asm__ volatile("svc #0" : "+r"(r0) : "r"(r7), "r"(r1), "r"(r2), "r"(r3), "r"(r4), "r"(r5) : "memory");
	return r0;
}

// Calls `at` with every register but sp, lr and pc pointing into the middle of memory; what on_signal gives, or 0.
long run(void *at, char *middle);
__asm__("run: push {r4-r11, lr}\n ldr r2, =back_sp\n str sp, [r2]\n mov lr, r0\n mov r0, r1\n mov r2, r1\n mov r3, r1\n mov r4, r1\n"
        "mov r5, r1\n mov r6, r1\n mov r7, r1\n mov r8, r1\n mov r9, r1\n mov r10, r1\n mov r11, r1\n mov r12, r1\n"
        "blx lr\n mov r0, #0\n"
        "back: ldr r2, =back_sp\n ldr sp, [r2]\n pop {r4-r11, pc}\n .ltorg\n"
        "restorer: mov r7, #173\n svc #0\n");
extern char back[], restorer[];

static void on_signal(int sig, siginfo_t *info, void *context) {
	ucontext_t *u = context;
	// Neither Thumb nor inside an IT block.
	u->uc_mcontext.arm_cpsr &= ~0x0600fc20ul;
	u->uc_mcontext.arm_r0 = sig, u->uc_mcontext.arm_pc = (unsigned long)back;
}

static unsigned hex(char **at) {
	unsigned v = 0;
	for (; **at > ' '; ++*at)
		v = v << 4 | (**at <= '9' ? **at - '0' : **at - 'a' + 10);
	return v;
}

__attribute__((used)) static void begin(long *sp) {
	unsigned short *code = (void *)call(SYS_mmap2, 0, 4096, 7, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct { void *sp; int flags; unsigned size; } alternate = {stack, 0, sizeof stack};
	struct { void *handler; unsigned long flags; void *restorer; unsigned long mask[2]; } act = {
		on_signal, SA_SIGINFO | SA_ONSTACK | SA_NODEFER | 0x04000000, restorer, {0, 0}};
	call(SYS_sigaltstack, (long)&alternate, 0, 0, 0, 0, 0);
	int signals[] = {SIGILL, SIGSEGV, SIGBUS, SIGTRAP, SIGFPE}, n = 0;
	for (int i = 0; i < 5; i++)
		call(SYS_rt_sigaction, signals[i], (long)&act, 0, 8, 0, 0);
	call(SYS_read, call(SYS_open, sp[2], 0, 0, 0, 0, 0), (long)words, sizeof words - 1, 0, 0, 0);
	for (char *at = words; *at; at++) {
		char kind = *at;
		at += 2;
		unsigned word = hex(&at), length = 0;
		if (kind != 'h')
			code[length++] = kind == 'a' ? word : word >> 16;
		code[length++] = kind == 'a' ? word >> 16 : word;
		// bx lr
		code[length++] = kind == 'a' ? 0xff1e : 0x4770, code[length++] = 0xe12f;
		call(0xf0002, (long)code, (long)(code + length), 0, 0, 0, 0);
		answers[n++] = run((char *)code + (kind != 'a'), memory + sizeof memory / 2) == SIGILL ? 'U' : '.';
	}
	call(SYS_write, 1, (long)answers, n, 0, 0, 0);
	call(SYS_exit_group, 0, 0, 0, 0, 0, 0);
}

__asm__(".globl _start\n_start: mov r0, sp\n b begin\n");
