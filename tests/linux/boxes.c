/* RISC-V's singles in registers of 64 bits, which are NaNs unless there are ones above them, in loops long enough to be translated as a whole; and its one NaN, whatever
   other there was on the way. */
#include "ok.h"

static void report(long scaled, long summed, long mixed, long taken, long chained)
{
	same("a factor that has no box is a NaN", scaled, 0);
	same("so is what a sum begins with", summed, 0);
	same("a single is a NaN as a double", mixed, 0);
	same("what one way does not box", taken, 0);
	same("a chain of operations gives the NaN that there is", chained, 0);
}

#if defined __riscv && __riscv_flen == 64
#define NOINLINE __attribute__((noinline))
#define N 512

static const uint64_t box = 0xffffffffull << 32;
static const uint32_t nan = 0x7fc00000, two = 0x40000000, one = 0x3f800000;
static uint32_t from[N], to[N];
static uint64_t wide[N];

/* Counts what is not `expected`. */
static long others(uint32_t expected)
{
	long n = 0;
	for (int i = 0; i < N; i++)
		n += to[i] != expected;
	return n;
}

static NOINLINE void scale(uint64_t factor)
{
	uint32_t *in = from, *out = to, *end = from + N;
	__asm__ volatile("fld fa0, (%3)\n1: flw ft0, (%0)\n fmul.s ft0, ft0, fa0\n fsw ft0, (%1)\n addi %0, %0, 4\n addi %1, %1, 4\n bne %0, %2, 1b"
		: "+&r"(in), "+&r"(out) : "r"(end), "r"(&factor) : "fa0", "ft0", "memory");
}

static NOINLINE uint64_t sum(uint64_t begin)
{
	uint32_t *in = from, *end = from + N;
	__asm__ volatile("fld fa0, (%2)\n1: flw ft0, (%0)\n fadd.s fa0, fa0, ft0\n addi %0, %0, 4\n bne %0, %1, 1b\n fsd fa0, (%2)"
		: "+&r"(in) : "r"(end), "r"(&begin) : "fa0", "ft0", "memory");
	return begin;
}

/* Singles, of which none is a NaN, are taken for doubles. */
static NOINLINE void mix(void)
{
	uint32_t *in = from, *end = from + N;
	uint64_t *out = wide;
	__asm__ volatile("1: fcvt.d.w fa0, zero\n flw ft0, (%0)\n fcvt.s.w ft1, zero\n fmul.s ft1, ft1, ft1\n fadd.d ft2, ft1, fa0\n fsd ft2, (%1)\n addi %0, %0, 4\n addi %1, %1, 8\n bne %0, %2, 1b"
		: "+&r"(in), "+&r"(out) : "r"(end) : "fa0", "ft0", "ft1", "ft2", "memory");
}

/* Every `each`th round takes a double for a single. */
static NOINLINE void take(long each)
{
	uint32_t *in = from, *out = to, *end = from + N;
	static const double other = 1.5;
	long left = each;
	__asm__ volatile("1: flw ft0, (%0)\n addi %2, %2, -1\n bnez %2, 2f\n mv %2, %4\n fld ft0, (%5)\n2: fadd.s ft0, ft0, ft0\n fsw ft0, (%1)\n addi %0, %0, 4\n addi %1, %1, 4\n bne %0, %3, 1b"
		: "+&r"(in), "+&r"(out), "+&r"(left) : "r"(end), "r"(each), "r"(&other) : "ft0", "memory");
}

/* Twice, and one more; what there is between is seen as bits, too. Gives how many of these are not `expected`. */
static NOINLINE long chain(uint32_t expected)
{
	uint32_t *in = from, *out = to, *end = from + N;
	long n = 0, bits, wanted = (int32_t)expected;
	__asm__ volatile("fmv.w.x fa0, %5\n1: flw ft0, (%0)\n fadd.s ft1, ft0, ft0\n fadd.s ft1, ft1, fa0\n fsub.s ft2, ft1, fa0\n fmv.x.w %3, ft2\n fmul.s ft2, ft2, fa0\n fadd.s ft2, ft2, fa0\n fsw ft2, (%1)\n"
		" addi %0, %0, 4\n addi %1, %1, 4\n beq %3, %6, 2f\n addi %2, %2, 1\n2: bne %0, %4, 1b"
		: "+&r"(in), "+&r"(out), "+&r"(n), "=&r"(bits) : "r"(end), "r"(one), "r"(wanted) : "fa0", "ft0", "ft1", "ft2", "memory");
	return n;
}

static void fill(uint32_t v)
{
	for (int i = 0; i < N; i++)
		from[i] = v;
}

int main(void)
{
	long scaled = 0, summed = 0, mixed = 0, taken = 0, chained = 0;
	for (int round = 0; round < 60; round++) {
		int odd = round > 30 && round & 1;
		fill(two);
		scale(odd ? two : box | one);
		scaled += others(odd ? nan : two);
		summed += sum(odd ? one : box | 0) != (odd ? box | nan : box | 0x44800000);
		mix();
		for (int i = 0; i < N; i++)
			mixed += wide[i] != 0x7ff8ull << 48;
		take(odd ? 2 : 100000);
		for (int i = 0; i < N; i++)
			taken += to[i] != (odd && i & 1 ? nan : 0x40800000);
		chained += chain(0x40800000) + others(0x40a00000);
		fill(odd ? 0xffc12345 : 0x7fc54321);
		chained += chain(nan) + others(nan);
		fill(0xff800000);
		chained += chain(0xff800000) + others(0xff800000);
		summed += sum(box | 0x7f800000) != (box | nan);
	}
	report(scaled, summed, mixed, taken, chained);
	return done();
}
#else
int main(void)
{
	report(0, 0, 0, 0, 0);
	return done();
}
#endif
