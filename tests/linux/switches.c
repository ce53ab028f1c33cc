/* Loops that go on by computed jumps: an interpreter's. What it does where it has been translated as a whole, where a place is come to that never was before,
   where the jump leads out of it, and with flags that are made before the jump and read behind it. */
#include "ok.h"

enum { CODE = 512, ROUNDS = 200000 };
static unsigned char code[CODE];
static volatile uint32_t opaque = 1;

static uint32_t next(uint32_t *seed)
{
	*seed ^= *seed << 13, *seed ^= *seed >> 17, *seed ^= *seed << 5;
	return *seed;
}

/* One step, told apart by comparisons. */
static void step(unsigned op, uint32_t *a, uint32_t *b)
{
	if (op == 0) *a += 3;
	if (op == 1) *a ^= *b;
	if (op == 2) *b -= 7;
	if (op == 3) *a <<= 1;
	if (op == 4) *b = *a >> 3;
	if (op == 5) *a = ~*a;
	if (op == 6) *b *= 5;
	if (op == 7 && *a & 4) *b += *a;
	if (op == 8) *a -= *b;
	if (op == 9) *b ^= 0x55;
	if (op == 10) *a |= *b & 0x10101;
	if (op == 11) *b = -*b;
	if (op > 11) *a += op;
}

static uint32_t __attribute__((noinline)) by_switch(long rounds, unsigned *pc, uint32_t a, uint32_t b)
{
	unsigned at = *pc;
	for (long i = 0; i < rounds; i++) {
		unsigned op = code[at];
		at = (at + 1) % CODE;
		switch (op) {
		case 0: a += 3; break;
		case 1: a ^= b; break;
		case 2: b -= 7; break;
		case 3: a <<= 1; break;
		case 4: b = a >> 3; break;
		case 5: a = ~a; break;
		case 6: b *= 5; break;
		case 7: if (a & 4) b += a; break;
		case 8: a -= b; break;
		case 9: b ^= 0x55; break;
		case 10: a |= b & 0x10101; break;
		case 11: b = -b; break;
		default: a += op; break;
		}
		if (a == opaque - 1)
			b++;
	}
	*pc = at;
	return a ^ b * 31;
}

static uint32_t __attribute__((noinline)) by_comparisons(long rounds, unsigned *pc, uint32_t a, uint32_t b)
{
	for (long i = 0; i < rounds; i++) {
		step(code[*pc], &a, &b);
		*pc = (*pc + 1) % CODE;
		if (a == opaque - 1)
			b++;
	}
	return a ^ b * 31;
}

static void interpreters(void)
{
	uint32_t seed = 12345;
	int same_with_few = 1, same_with_new = 1;
	unsigned p = 0, q = 0;
	for (int i = 0; i < CODE; i++)
		code[i] = next(&seed) % 9;
	for (int i = 0; i < 8; i++)
		same_with_few &= by_switch(ROUNDS, &p, i, 1) == by_comparisons(ROUNDS, &q, i, 1);
	ok("a loop with a switch", same_with_few && p == q);
	for (int n = 9; n < 16; n++) {
		for (int i = 0; i < CODE; i++)
			code[i] = next(&seed) % (n + 1);
		same_with_new &= by_switch(ROUNDS, &p, n, 2) == by_comparisons(ROUNDS, &q, n, 2);
	}
	ok("and places that it has not led to before", same_with_new && p == q);
}

/* The same by labels' addresses, a jump for all: also one to outside of the loop now and then. */
static uint32_t __attribute__((noinline)) by_labels(long rounds, unsigned *outside)
{
	static void *const places[] = { &&add, &&xor, &&shift, &&turn, &&out };
	uint32_t a = 1;
	long i = 0;
again:
	if (i == rounds)
		return a;
	unsigned op = code[i % CODE];
	i++;
	goto *places[op % 64 == 63 ? 4 : op % 4];
add: a += 0x1234567; goto again;
xor: a ^= a >> 5; goto again;
shift: a = a << 3 | a >> 29; goto again;
turn: a = ~a; goto again;
out:
	++*outside;
	a += getppid() > 0;
	goto again;
}

static void labels(void)
{
	uint32_t a = 1;
	unsigned outside = 0, expected = 0;
	for (int i = 0; i < CODE; i++)
		code[i] = i * 7 % 256;
	for (long i = 0; i < ROUNDS; i++) {
		unsigned op = code[i % CODE];
		if (op % 64 == 63)
			expected++, a += 1;
		else if (op % 4 == 0)
			a += 0x1234567;
		else if (op % 4 == 1)
			a ^= a >> 5;
		else if (op % 4 == 2)
			a = a << 3 | a >> 29;
		else
			a = ~a;
	}
	ok("a loop with places", by_labels(ROUNDS, &outside) == a && outside == expected);
}

/* Flags are made, then comes the jump, then they are read: how often they were wrong. */
static long wrong_flags(void)
{
	long wrong = 0;
#if defined __x86_64__ || defined __i386__
	for (unsigned long n = 1; n < 100000; n++) {
		unsigned long got, left = 64, x = n * 0x9e3779b1;
		unsigned long sum = 0, expected = 0;
		for (unsigned long i = 64; i; i--) {
			uint32_t a = (uint32_t)x, b = (uint32_t)(i * 0x01234567);
			switch (i & 7) {
			case 0: expected += a < b; break;
			case 1: expected += a == b; break;
			case 2: expected += (a - b) >> 31; break;
			case 3: expected += (int32_t)a < (int32_t)b; break;
			case 4: expected += a <= b; break;
			case 5: expected += (int32_t)a > (int32_t)b; break;
			case 6: expected += ((a ^ b) & (a ^ (a - b))) >> 31; break;
			default: expected += __builtin_parity((a - b) & 255) == 0; break;
			}
		}
		__asm__ volatile(
#if defined __x86_64__
			"lea 10f(%%rip), %%r8\n"
			"1: mov %%ecx, %%eax\n and $7, %%eax\n mov %%rax, %%r9\n shl $4, %%r9\n add %%r8, %%r9\n imul $0x01234567, %%ecx, %%edx\n xor %%eax, %%eax\n cmp %%edx, %%esi\n jmp *%%r9\n"
			"2: add %%rax, %%rdi\n sub $1, %%rcx\n jnz 1b\n jmp 3f\n"
#else
			"push %%ebp\n call 4f\n 4: pop %%ebx\n add $10f-4b, %%ebx\n mov %%ebx, %%ebp\n"
			"1: mov %%ecx, %%ebx\n and $7, %%ebx\n shl $4, %%ebx\n add %%ebp, %%ebx\n imul $0x01234567, %%ecx, %%edx\n xor %%eax, %%eax\n cmp %%edx, %%esi\n jmp *%%ebx\n"
			"2: add %%eax, %%edi\n sub $1, %%ecx\n jnz 1b\n jmp 3f\n"
#endif
			".balign 16\n10: setb %%al\n jmp 2b\n .balign 16\n sete %%al\n jmp 2b\n .balign 16\n sets %%al\n jmp 2b\n .balign 16\n setl %%al\n jmp 2b\n"
			".balign 16\n setbe %%al\n jmp 2b\n .balign 16\n setg %%al\n jmp 2b\n .balign 16\n seto %%al\n jmp 2b\n .balign 16\n setp %%al\n jmp 2b\n"
			"3:\n"
#if defined __i386__
			"pop %%ebp\n"
#endif
			: "+c"(left), "+D"(sum), "+S"(x)
			:
			: "eax", "edx", "memory", "cc"
#if defined __x86_64__
			, "r8", "r9"
#else
			, "ebx"
#endif
		);
		got = sum;
		wrong += got != expected;
	}
#elif defined __aarch64__
	for (unsigned long n = 1; n < 100000; n++) {
		unsigned long left = 64, sum = 0, expected = 0;
		uint32_t x = n * 0x9e3779b1;
		for (unsigned long i = 64; i; i--) {
			uint32_t a = x, b = (uint32_t)(i * 0x01234567);
			switch (i & 3) {
			case 0: expected += a < b; break;
			case 1: expected += (a - b) >> 31; break;
			case 2: expected += (int32_t)a < (int32_t)b; break;
			default: expected += a > b; break;
			}
		}
		__asm__ volatile(
			"adr x8, 10f\n movz w10, #0x4567\n movk w10, #0x0123, lsl #16\n"
			"1: and w0, %w[left], #3\n add x9, x8, x0, lsl #3\n mul w11, w10, %w[left]\n cmp %w[x], w11\n br x9\n"
			"10: cset x0, lo\n b 2f\n cset x0, mi\n b 2f\n cset x0, lt\n b 2f\n cset x0, hi\n b 2f\n"
			"2: add %[sum], %[sum], x0\n subs %[left], %[left], #1\n b.ne 1b\n"
			: [left] "+r"(left), [sum] "+r"(sum)
			: [x] "r"(x)
			: "x0", "x8", "x9", "x10", "x11", "memory", "cc");
		wrong += sum != expected;
	}
#endif
	return wrong;
}

int main(void)
{
	interpreters();
	labels();
	same("flags on the other side of a computed jump", wrong_flags(), 0);
	return failures != 0;
}
