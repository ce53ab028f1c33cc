/* Condition flags as a signal handler sees them when an access faults between their making and their being overwritten. */
#include "ok.h"
#include <ucontext.h>

/* The four flags of the interrupted code; a handler that skips the access. */
static volatile unsigned seen;

#if defined __aarch64__
#define STATE pstate
#define SKIP(context) ((context)->uc_mcontext.pc += 4)
#elif defined __arm__
#define STATE arm_cpsr
#define SKIP(context) ((context)->uc_mcontext.arm_pc += 4)
#endif

#ifdef STATE
static void skip(int number, siginfo_t *info, void *context)
{
	ucontext_t *at = context;
	(void)number, (void)info;
	seen = (unsigned)at->uc_mcontext.STATE >> 28;
	SKIP(at);
}

static unsigned nz(uint64_t v, int bits) { return (unsigned)(v >> (bits - 1) & 1) << 3 | (unsigned)(v << (64 - bits) == 0) << 2; }

/* The flags of a - b. */
static unsigned difference(uint64_t a, uint64_t b, int bits)
{
	uint64_t mask = ~0ull >> (64 - bits), d = (a - b) & mask;
	a &= mask, b &= mask;
	return nz(d, bits) | (unsigned)(a >= b) << 1 | (unsigned)(((a ^ b) & (a ^ d)) >> (bits - 1) & 1);
}
#endif

static unsigned nz_of(uint32_t v) { return (v >> 31) << 3 | (unsigned)(v == 0) << 2; }

static const uint64_t values[] = {0, 1, 2, 41, 42, 43, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 0x7fffffffffffffff, 0x8000000000000000, ~0ull};
enum { N = sizeof values / sizeof *values };

#if defined __aarch64__
/* `make` sets flags from %1 and %2, a branch that is not taken or does not matter follows, then what costs the host its flags, the access, and other flags. */
#define LOOK(make, x, y) asm volatile(make "\n\tb.vs 1f\n1:\tb.mi 2f\n2:\teor x11, %1, %2\n\tlsl x11, x11, #3\n\tldr x12, [%0]\n\tcmp x11, x12" \
	:: "r"(8l), "r"(x), "r"(y) : "x9", "x11", "x12", "x26", "cc", "memory")
/* The same within a block, with a register that has no home on any host. */
#define LOOK_HIGH(make, x, y) asm volatile("mov x26, %1\n\tmov x28, %2\n\t" make "\n\teor x11, %1, %2\n\tlsl x11, x11, #3\n\tldr x12, [%0]\n\ttst x11, x12" \
	:: "r"(8l), "r"(x), "r"(y) : "x11", "x12", "x26", "x28", "cc", "memory")
/* The operands are gone when the access faults. */
#define LOOK_LATE(make, x, y) asm volatile("mov x9, %1\n\t" make "\n\tmov x9, #5\n\tb.vs 1f\n1:\tadd x9, x9, #1\n\teor x11, %1, %2\n\tldr x12, [%0]\n\tcmp x11, x12" \
	:: "r"(8l), "r"(x), "r"(y) : "x9", "x11", "x12", "cc", "memory")
#define CASES \
	CASE("cmp of 64 bits", LOOK("cmp %1, %2", x, y), difference(x, y, 64)) \
	CASE("cmp of 32 bits", LOOK("cmp %w1, %w2", x, y), difference(x, y, 32)) \
	CASE("cmp with a constant", LOOK("cmp %1, #42", x, y), difference(x, 42, 64)) \
	CASE("cmp of 32 bits with a constant", LOOK("cmp %w1, #42", x, y), difference(x, 42, 32)) \
	CASE("cmp with a large constant", LOOK("cmp %1, #0x7ff000", x, y), difference(x, 0x7ff000, 64)) \
	CASE("subs", LOOK("subs x26, %1, %2", x, y), difference(x, y, 64)) \
	CASE("subs over its operand", LOOK("mov x9, %1\n\tsubs x9, x9, %2", x, y), difference(x, y, 64)) \
	CASE("ands", LOOK("ands x9, %1, %2", x, y), nz(x & y, 64)) \
	CASE("ands of 32 bits", LOOK("ands w9, %w1, %w2", x, y), nz(x & y, 32)) \
	CASE("tst", LOOK("tst %1, %2", x, y), nz(x & y, 64)) \
	CASE("cmp in a block", LOOK_HIGH("cmp x26, x28", x, y), difference(x, y, 64)) \
	CASE("cmp of 32 bits in a block", LOOK_HIGH("cmp w28, w26", x, y), difference(y, x, 32)) \
	CASE("ands in a block", LOOK_HIGH("ands x28, x26, x28", x, y), nz(x & y, 64)) \
	CASE("cmp of what is gone", LOOK_LATE("cmp x9, %2", x, y), difference(x, y, 64)) \
	CASE("cmn of what is gone", LOOK_LATE("cmn x9, %2", x, 0ul), nz(x, 64))
#elif defined __arm__
#define LOOK(make, x, y) asm volatile(make "\n\tbvs 1f\n1:\tbmi 2f\n2:\teor r3, %1, %2\n\tlsl r3, r3, #3\n\tldr r12, [%0]\n\tcmp r3, r12" \
	:: "r"(8), "r"((uint32_t)(x)), "r"((uint32_t)(y)) : "r3", "r12", "lr", "cc", "memory")
#define LOOK_LATE(make, x, y) asm volatile("mov r3, %1\n\t" make "\n\tmov r3, #5\n\tbvs 1f\n1:\tadd r3, r3, #1\n\teor lr, %1, %2\n\tldr r12, [%0]\n\tcmp lr, r12" \
	:: "r"(8), "r"((uint32_t)(x)), "r"((uint32_t)(y)) : "r3", "r12", "lr", "cc", "memory")
#define CASES \
	CASE("cmp of 64 bits", , seen) \
	CASE("cmp of 32 bits", LOOK("cmp %1, %2", x, y), difference(x, y, 32)) \
	CASE("cmp with a constant", , seen) \
	CASE("cmp of 32 bits with a constant", LOOK("cmp %1, #42", x, y), difference(x, 42, 32)) \
	CASE("cmp with a large constant", LOOK("cmp %1, #0x7f0000", x, y), difference(x, 0x7f0000, 32)) \
	CASE("subs", LOOK("subs lr, %1, %2", x, y), difference(x, y, 32)) \
	CASE("subs over its operand", LOOK("mov lr, %1\n\tsubs lr, lr, %2", x, y), difference(x, y, 32)) \
	CASE("ands", , seen) \
	CASE("ands of 32 bits", , seen) \
	CASE("tst", , seen) \
	CASE("cmp in a block", , seen) \
	CASE("cmp of 32 bits in a block", , seen) \
	CASE("ands in a block", , seen) \
	CASE("cmp of what is gone", LOOK_LATE("cmp r3, %2", x, y), difference(x, y, 32)) \
	CASE("cmn of what is gone", LOOK_LATE("cmn r3, %2", x, 0), nz((uint32_t)(x), 32))
#else
#define CASES \
	CASE("cmp of 64 bits", , 0) CASE("cmp of 32 bits", , 0) CASE("cmp with a constant", , 0) CASE("cmp of 32 bits with a constant", , 0) \
	CASE("cmp with a large constant", , 0) CASE("subs", , 0) CASE("subs over its operand", , 0) CASE("ands", , 0) CASE("ands of 32 bits", , 0) \
	CASE("tst", , 0) CASE("cmp in a block", , 0) CASE("cmp of 32 bits in a block", , 0) CASE("ands in a block", , 0) \
	CASE("cmp of what is gone", , 0) CASE("cmn of what is gone", , 0)
#endif

/* A comparison's carry is used behind an access that overwrites what was compared: how often the borrow of b - a - !(x >= y) is wrong. */
static int carry_over_a_load(uint32_t x, uint32_t y, uint32_t a, uint32_t b)
{
	int borrows = (uint64_t)b < (uint64_t)a + (x < y);
#if defined __arm__
	uint32_t pair[2] __attribute__((aligned(8))) = {a, b};
	int found;
	__asm__ volatile(".syntax unified\n mov r10, %1\n ldr r3, [%2]\n cmp r10, r3\n ldrd r2, r3, [%3]\n sbcs r3, r3, r2\n mov %0, #0\n it cc\n movcc %0, #1"
			 : "=&r"(found) : "r"(x), "r"(&y), "r"(pair) : "r2", "r3", "r10", "cc", "memory");
	return found != borrows;
#else
	return borrows < 0;
#endif
}

/* A loop overwrites the result of a logical operation before anybody sees it, and what costs the host its flags stands before they are read: N, Z. */
static unsigned result_that_nobody_sees(uint32_t x, uint32_t y)
{
	unsigned flags = nz_of(x & (y >> 23 | y << 9));
#if defined __aarch64__
	uint64_t found;
	__asm__ volatile("mov x10, #20000\n1:\tands w17, %w1, %w2, ror #23\n\tsbfm x9, x10, #53, #55\n\tmov x17, #-5\n\tsub x10, x10, #1\n\tcbnz x10, 1b\n\tmrs %0, nzcv"
			 : "=r"(found) : "r"(x), "r"(y) : "x9", "x10", "x17", "cc");
	return (unsigned)(found >> 28) != flags;
#elif defined __arm__
	uint32_t found, count = 20000;
	__asm__ volatile(".syntax unified\n1:\tands lr, %2, %3, ror #23\n\tmov lr, #5\n\tsub %1, %1, #1\n\tmrs %0, apsr\n\tcmp %1, #0\n\tbne 1b"
			 : "=&r"(found), "+r"(count) : "r"(x), "r"(y) : "lr", "cc");
	return found >> 30 != flags >> 2;
#else
	return flags > 12;
#endif
}

/* A comparison's flags are for a conditional instruction whose own flags nobody sees. */
static int condition_of_dead_flags(uint32_t x, uint32_t y)
{
	uint32_t sum = x + (y << 4), expected = sum >= x || sum == 0 ? 5 * x * x * x : 5;
#if defined __arm__ && !defined __thumb__
	uint32_t found = 5, count = 3;
	__asm__ volatile(".syntax unified\n1:\tcmn %2, %3, lsl %4\n\tmulsls %0, %2, %0\n\tsubs %1, %1, #1\n\tbne 1b"
			 : "+&r"(found), "+&r"(count) : "r"(x), "r"(y), "r"(4) : "cc");
	return found != expected;
#else
	return expected != 5 && expected != 5 * x * x * x;
#endif
}

int main(void)
{
#ifdef STATE
	struct sigaction action = {.sa_flags = SA_SIGINFO};
	action.sa_sigaction = skip;
	sigaction(SIGSEGV, &action, NULL);
#endif
#define CASE(what, look, expected) { \
	int wrong = 0; \
	for (int i = 0; i < N * N; i++) { \
		uint64_t x = values[i / N], y = values[i % N]; \
		(void)x, (void)y; \
		look; \
		wrong += seen != (expected); \
	} \
	same(what, wrong, 0); \
}
	CASES
	int wrong = 0;
	for (int i = 0; i < N * N * N; i++)
		wrong += carry_over_a_load(values[i % N], values[i / N % N], values[i / N / N], values[i % 7 % N]);
	same("a carry over a load", wrong, 0);
	wrong = 0;
	for (int i = 0; i < 7; i++)
		wrong += result_that_nobody_sees(~values[i], 0x180 + values[i]);
	same("a result that nobody sees", wrong, 0);
	wrong = 0;
	for (int i = 0; i < N * N; i++)
		wrong += condition_of_dead_flags(values[i / N], values[i % N]);
	same("a condition of dead flags", wrong, 0);
	return done();
}
