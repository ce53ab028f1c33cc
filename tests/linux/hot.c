/* Hot loops seen from outside: registers and flags in a signal's frame when an access faults in a round late enough for the loop to have been
   translated as a whole. Other processors than Arm's have nothing to show here. */
#include "ok.h"
#include <setjmp.h>
#include <sys/mman.h>
#include <ucontext.h>

static sigjmp_buf back;
static unsigned long flags, base, count, ge;
static uint64_t vector[2];

static void on_fault(int sig, siginfo_t *info, void *context) {
	(void)sig, (void)info;
	ucontext_t *u = context;
	// The floating-point record comes first: v16 here, and q8.
#if defined __aarch64__
	memcpy(vector, (char *)u->uc_mcontext.__reserved + 16 + 16 * 16, 16);
	flags = u->uc_mcontext.pstate >> 28 & 15, base = u->uc_mcontext.regs[0], count = u->uc_mcontext.regs[2];
#elif defined __arm__
	memcpy(vector, (char *)u->uc_regspace + 8 + 8 * 16, 16);
	flags = u->uc_mcontext.arm_cpsr >> 28, ge = u->uc_mcontext.arm_cpsr >> 16 & 15, base = u->uc_mcontext.arm_r0, count = u->uc_mcontext.arm_r2;
#elif defined __riscv
	base = u->uc_mcontext.__gregs[10], count = u->uc_mcontext.__gregs[12];
#else
	(void)u;
#endif
	siglongjmp(back, 1);
}

// Loads words from `at` upwards, compares the address behind each with `limit`, counts.
static void walk(char *at, char *limit) {
	if (sigsetjmp(back, 1))
		return;
#if defined __aarch64__
	register char *x0 __asm__("x0") = at;
	register char *x1 __asm__("x1") = limit;
	__asm__ volatile("mov x2, #0\n1: ldr w3, [x0], #4\n add x2, x2, #1\n cmp x0, x1\n b.ne 1b" : "+r"(x0) : "r"(x1) : "x2", "x3", "cc", "memory");
#elif defined __arm__
	register char *r0 __asm__("r0") = at;
	register char *r1 __asm__("r1") = limit;
	__asm__ volatile("mov r2, #0\n1: ldr r3, [r0], #4\n add r2, r2, #1\n cmp r0, r1\n bne 1b" : "+r"(r0) : "r"(r1) : "r2", "r3", "cc", "memory");
#elif defined __riscv
	register char *a0 __asm__("a0") = at;
	register char *a1 __asm__("a1") = limit;
	__asm__ volatile("li a2, 0\n1: lw a3, 0(a0)\n addi a0, a0, 4\n addi a2, a2, 1\n bne a0, a1, 1b" : "+r"(a0) : "r"(a1) : "a2", "a3", "memory");
#else
	(void)at, (void)limit;
#endif
}

// The same with a counter that the flags are of: from `n` down, flags of the subtraction.
static void countdown(char *at, unsigned long n) {
	if (sigsetjmp(back, 1))
		return;
#if defined __aarch64__
	register char *x0 __asm__("x0") = at;
	register unsigned long x2 __asm__("x2") = n;
	__asm__ volatile("1: ldr w3, [x0], #4\n subs x2, x2, #1\n b.ne 1b" : "+r"(x0), "+r"(x2) : : "x3", "cc", "memory");
#elif defined __arm__
	register char *r0 __asm__("r0") = at;
	register unsigned long r2 __asm__("r2") = n;
	__asm__ volatile("1: ldr r3, [r0], #4\n subs r2, r2, #1\n bne 1b" : "+r"(r0), "+r"(r2) : : "r3", "cc", "memory");
#elif defined __riscv
	register char *a0 __asm__("a0") = at;
	register unsigned long a2 __asm__("a2") = n;
	__asm__ volatile("1: lw a3, 0(a0)\n addi a0, a0, 4\n addi a2, a2, -1\n bnez a2, 1b" : "+r"(a0), "+r"(a2) : : "a3", "memory");
#else
	(void)at, (void)n;
#endif
}

// The loaded word is compared, and a store may fault before it is again.
static void copy(char *at, char *to) {
	if (sigsetjmp(back, 1))
		return;
#if defined __aarch64__
	register char *x0 __asm__("x0") = at;
	register char *x1 __asm__("x1") = to;
	__asm__ volatile("mov x2, #0\n1: ldr w3, [x0], #4\n str w3, [x1], #4\n add x2, x2, #1\n cmp w3, #7\n b.ne 1b" : "+r"(x0), "+r"(x1) : : "x2", "x3", "cc", "memory");
#elif defined __arm__
	register char *r0 __asm__("r0") = at;
	register char *r1 __asm__("r1") = to;
	__asm__ volatile("mov r2, #0\n1: ldr r3, [r0], #4\n str r3, [r1], #4\n add r2, r2, #1\n cmp r3, #7\n bne 1b" : "+r"(r0), "+r"(r1) : : "r2", "r3", "cc", "memory");
#elif defined __riscv
	register char *a0 __asm__("a0") = at;
	register char *a1 __asm__("a1") = to;
	__asm__ volatile("li a2, 0\n li a4, 7\n1: lw a3, 0(a0)\n addi a0, a0, 4\n sw a3, 0(a1)\n addi a1, a1, 4\n addi a2, a2, 1\n bne a3, a4, 1b" : "+r"(a0), "+r"(a1) : : "a2", "a3", "a4", "memory");
#else
	(void)at, (void)to;
#endif
}

// Sums of words, in a whole vector register.
static void sum(char *at, char *limit) {
	if (sigsetjmp(back, 1))
		return;
#if defined __aarch64__
	register char *x0 __asm__("x0") = at;
	register char *x1 __asm__("x1") = limit;
	__asm__ volatile("mov x2, #0\n movi v16.4s, #0\n1: ldr q17, [x0], #16\n add v16.4s, v16.4s, v17.4s\n add x2, x2, #1\n cmp x0, x1\n b.ne 1b" : "+r"(x0) : "r"(x1) : "x2", "v16", "v17", "cc", "memory");
#elif defined __arm__
	register char *r0 __asm__("r0") = at;
	register char *r1 __asm__("r1") = limit;
	__asm__ volatile(".fpu neon\n mov r2, #0\n vmov.i32 q8, #0\n1: vld1.32 {q9}, [r0]!\n vadd.i32 q8, q8, q9\n add r2, r2, #1\n cmp r0, r1\n bne 1b" : "+r"(r0) : "r"(r1) : "r2", "d16", "d17", "d18", "d19", "cc", "memory");
#else
	(void)at, (void)limit;
#endif
}

// And in one half of a register, the other being a copy of what was loaded.
static void sum_half(char *at, char *limit) {
	if (sigsetjmp(back, 1))
		return;
#if defined __aarch64__
	register char *x0 __asm__("x0") = at;
	register char *x1 __asm__("x1") = limit;
	__asm__ volatile("mov x2, #0\n movi v17.4s, #0\n1: ldr d18, [x0], #8\n add v17.2s, v17.2s, v18.2s\n mov v16.d[0], v18.d[0]\n mov v16.d[1], v17.d[0]\n add x2, x2, #1\n cmp x0, x1\n b.ne 1b" : "+r"(x0) : "r"(x1) : "x2", "v16", "v17", "v18", "cc", "memory");
#elif defined __arm__
	register char *r0 __asm__("r0") = at;
	register char *r1 __asm__("r1") = limit;
	__asm__ volatile(".fpu neon\n mov r2, #0\n vmov.i32 q8, #0\n1: vldmia r0!, {d18}\n vadd.i32 d17, d17, d18\n vmov d16, d18\n add r2, r2, #1\n cmp r0, r1\n bne 1b" : "+r"(r0) : "r"(r1) : "r2", "d16", "d17", "d18", "cc", "memory");
#else
	(void)at, (void)limit;
#endif
}

// The next two go on as long as words are zero, where flags are known; `0` in x4 and r4 are compared with.
static void zeros(char *at) {
	if (sigsetjmp(back, 1))
		return;
#if defined __aarch64__
	register char *x0 __asm__("x0") = at;
	__asm__ volatile("mov x2, #0\n mov x4, #0\n1: ldr w3, [x0], #4\n add x2, x2, #1\n cmp w3, #9\n ccmp w3, w4, #8, ne\n b.eq 1b"
		: "+r"(x0) : : "x2", "x3", "x4", "cc", "memory");
#elif defined __arm__
	register char *r0 __asm__("r0") = at;
	__asm__ volatile("mov r2, #0\n mov r4, #0\n1: ldr r3, [r0], #4\n add r2, r2, #1\n cmp r3, r4\n beq 1b"
		: "+r"(r0) : : "r2", "r3", "r4", "cc", "memory");
#else
	(void)at;
#endif
}

// C and V are of a subtraction, on arm: overflow, no borrow. AArch64's logical operations clear them.
static void no_bits(char *at) {
	if (sigsetjmp(back, 1))
		return;
#if defined __aarch64__
	register char *x0 __asm__("x0") = at;
	__asm__ volatile("mov x2, #0\n cmp x2, #0\n1: ldr w3, [x0], #4\n add x2, x2, #1\n tst w3, #0xff\n b.eq 1b"
		: "+r"(x0) : : "x2", "x3", "cc", "memory");
#elif defined __arm__
	register char *r0 __asm__("r0") = at;
	__asm__ volatile("mov r2, #0\n mov r3, #0x80000000\n cmp r3, #1\n1: ldr r3, [r0], #4\n add r2, r2, #1\n orrs r3, r3, r3\n beq 1b"
		: "+r"(r0) : : "r2", "r3", "cc", "memory");
#else
	(void)at;
#endif
}

#if defined __aarch64__
#define FLAGS_OF_NO_BITS 4
#else
#define FLAGS_OF_NO_BITS 7
#endif

#if defined __aarch64__ || defined __arm__
#define ARE(low, high) (vector[0] == (low) && vector[1] == (high))
#define IS(f, b, c) (flags == (f) && base == (unsigned long)(b) && count == (c))
#elif defined __riscv
/* There are no flags, and a post-incremented address is an instruction of its own. */
#define IS(f, b, c) ((void)(f), base == (unsigned long)(b) && count == (c))
#define ARE(low, high) ((void)(low), (void)(high), 1)
#else
#define ARE(low, high) ((void)(low), (void)(high), 1)
#define IS(f, b, c) ((void)(f), (void)(b), (void)(c), 1)
#endif

#ifdef __arm__
#define CARRIES(bits, f, b, c) (ge == (bits) && IS(f, b, c))
#else
#define CARRIES(bits, f, b, c) ((void)(bits), (void)(f), (void)(b), (void)(c), 1)
#endif

/* Loops that there are for Arm's processors alone. */
#if defined __aarch64__ || defined __arm__
#define ARMS IS
#else
#define ARMS(f, b, c) ((void)(f), (void)(b), (void)(c), 1)
#endif

// Words under a mask that the loop does not change, by operations that a mask of zeros or ones makes shorter.
__attribute__((noinline)) static uint32_t masked(const uint32_t *at, unsigned long n, uint32_t mask) {
	uint32_t sum = 0;
	for (unsigned long i = 0; i < n; i++) {
		uint32_t v = at[i];
		sum = (sum << 1 | sum >> 31) + ((v & mask) ^ (v | mask)) + (v & ~mask);
	}
	return sum;
}

// What it gives, round by round: too short to be hot.
static uint32_t masked_slowly(const uint32_t *at, unsigned long n, volatile uint32_t mask) {
	volatile uint32_t sum = 0;
	for (unsigned long i = 0; i < n; i++) {
		volatile uint32_t both = at[i] & mask, any = at[i] | mask, rest = at[i] & ~mask, turned = sum << 1 | sum >> 31;
		sum = turned + (both ^ any) + rest;
	}
	return sum;
}

// A quotient bit by bit: a way that subtracts and one that does not, neither of which the numbers prefer.
__attribute__((noinline)) static uint32_t quotient(uint64_t a, uint64_t b) {
	uint32_t q = 0;
	b <<= 31;
	for (int i = 0; i < 32; i++) {
		if (a >= b) {
			a -= b;
			a += a;
			q += q + 1;
		} else {
			a += a;
			q += q;
		}
	}
	return q;
}

static int quotients(void) {
	uint32_t x = 1;
	for (int i = 0; i < 20000; i++) {
		x = x * 1664525 + 1013904223;
		uint32_t b = x >> (i & 15) | 1, a = x ^ x << 7;
		if (quotient(a, b) != a / b)
			return 0;
	}
	return 1;
}

// Adds all ones to each byte, with a register that holds them, and selects by the carries.
static void carries(char *at) {
	if (sigsetjmp(back, 1))
		return;
#if defined __arm__
	register char *r0 __asm__("r0") = at;
	__asm__ volatile(".arch armv7-a\n mov r2, #0\n mvn r4, #0\n mov r5, #0\n1: ldr r3, [r0], #4\n uadd8 r6, r3, r4\n sel r6, r5, r4\n"
		" add r2, r2, #1\n eor r6, r6, r3\n sel r6, r6, r4\n cmp r6, #7\n bne 1b" : "+r"(r0) : : "r2", "r3", "r4", "r5", "r6", "cc", "memory");
#else
	(void)at;
#endif
}

int main(void) {
	unsigned long size = 64 << 10, words = size / 4;
	char *m = mmap(0, size * 2, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *to = mmap(0, size * 2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mprotect(m, size, PROT_READ | PROT_WRITE);
	struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
	sigaction(SIGSEGV, &action, 0);
	// N for less; C for not below.
	walk(m, m + size * 2);
	ok("a limit above", IS(8, m + size, words));
	walk(m, m - 64);
	ok("a limit below", IS(2, m + size, words));
	walk(m + size - 4, m + size * 2);
	ok("one round", IS(8, m + size, 1));
	countdown(m, words * 2);
	ok("a count", IS(2, m + size, words));
	countdown(m, 0);
	ok("a count from nothing", IS(10, m + size, -words));
	for (unsigned long i = 0; i < words; i++)
		((uint32_t *)m)[i] = i & 1 ? 3 : 9;
	copy(m, to);
	ok("the source ends", IS(8, m + size, words));
	uint64_t both = (uint64_t)3 << 32 | 9;
	sum(m, m + size * 2);
	ok("sums in a register", ARMS(8, m + size, size / 16) && ARE(both * (size / 16), both * (size / 16)));
	sum_half(m, m + size * 2);
	ok("sums in half a register", ARMS(8, m + size, size / 8) && ARE(both, both * (size / 8)));
	mprotect(to + size / 2, size, PROT_NONE);
	copy(m, to);
	ok("the target ends", IS(8, m + size / 2 + 4, words / 2));
	((uint32_t *)m)[words / 2 - 1] = 9;
	copy(m, to);
	ok("the target ends after a larger word", IS(2, m + size / 2 + 4, words / 2));
	mprotect(to + size / 2, size / 2, PROT_READ | PROT_WRITE);
	memset(to, 0, size);
	mprotect(to + size, size, PROT_NONE);
	zeros(to);
	ok("equal words end", ARMS(6, to + size, words));
	no_bits(to);
	ok("words without bits end", ARMS(FLAGS_OF_NO_BITS, to + size, words));
	uint32_t *words_at = (uint32_t *)m;
	for (unsigned long i = 0; i < words; i++)
		words_at[i] = i * 2654435761u;
	static const uint32_t masks[] = {0, 0, ~0u, 0, 0xff00ff, ~0u, 0};
	for (unsigned i = 0; i < sizeof masks / sizeof *masks; i++)
		ok("words under a mask", masked(words_at, words, masks[i]) == masked_slowly(words_at, words, masks[i]));
	ok("quotients", quotients());
	for (unsigned long i = 0; i < words; i++)
		words_at[i] = i & 1 ? 0x01000101 : 0x00ff7f80;
	carries(m);
	ok("carries of bytes", CARRIES(0xb, 2, m + size, words));
	return done();
}
