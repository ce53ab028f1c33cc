/* RISC-V's vector type and length along the ways of a program: loops whose last round is shorter, loads that stop at a page's end, functions that change the type of their caller. */
#include "ok.h"
#include <sys/mman.h>

static void report(long bad, long wrong, long lost, long other)
{
	same("copies of all lengths", bad, 0);
	same("three types a round", wrong, 0);
	same("a type that a function leaves", lost, 0);
	same("lengths up to a page's end", other, 0);
}

#if defined __riscv && __riscv_xlen == 64
#define V ".option push\n.option arch, +v\n"
#define END "\n.option pop"
#define NOINLINE __attribute__((noinline))

static NOINLINE void copy(char *to, const char *from, size_t n)
{
	__asm__ volatile(V "1: vsetvli t0, %2, e8, m2, ta, ma\n vle8.v v8, (%1)\n add %1, %1, t0\n sub %2, %2, t0\n vse8.v v8, (%0)\n add %0, %0, t0\n bnez %2, 1b" END
		: "+r"(to), "+r"(from), "+r"(n) : : "t0", "memory");
}

/* Bytes to words and back, by three types a round. */
static NOINLINE void twice(unsigned char *to, const unsigned char *from, size_t n)
{
	__asm__ volatile(V "1: vsetvli t0, %2, e16, m2, ta, ma\n vle8.v v8, (%1)\n add %1, %1, t0\n sub %2, %2, t0\n vzext.vf2 v12, v8\n vadd.vv v12, v12, v12\n"
		"vsetvli zero, zero, e8, m1, ta, ma\n vncvt.x.x.w v8, v12\n vse8.v v8, (%0)\n add %0, %0, t0\n bnez %2, 1b" END
		: "+r"(to), "+r"(from), "+r"(n) : : "t0", "memory");
}

static NOINLINE size_t length(const char *s)
{
	size_t n;
	__asm__ volatile(V "mv t1, %1\n 1: vsetvli t0, zero, e8, m4, ta, ma\n vle8ff.v v8, (t1)\n csrr t0, vl\n vmseq.vi v0, v8, 0\n vfirst.m t2, v0\n add t1, t1, t0\n bltz t2, 1b\n"
		"sub t1, t1, t0\n add t1, t1, t2\n sub %0, t1, %1" END : "=&r"(n) : "r"(s) : "t0", "t1", "t2", "memory");
	return n;
}

/* Leaves two lanes of 64 bits in force. */
static NOINLINE void change(void)
{
	__asm__ volatile(V "vsetivli zero, 2, e64, m1, ta, ma" END);
}

/* What a caller finds in force behind a call, and what a vector instruction there does with it. */
static NOINLINE long found(long *sum)
{
	long vl, vtype;
	__asm__ volatile(V "vsetivli zero, 4, e32, m1, ta, ma\n vmv.v.i v8, 3" END);
	change();
	__asm__ volatile(V "vadd.vi v8, v8, 1\n csrr %0, vl\n csrr %1, vtype\n vmv.x.s %2, v8" END : "=r"(vl), "=r"(vtype), "=r"(*sum));
	return vl << 16 | vtype;
}

static long lengths(void)
{
	char *page = mmap(0, 12288, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(page + 8192, 4096);
	long other = 0;
	for (int n = 0; n < 5000; n++) {
		char *s = page + 8192 - 1 - n;
		memset(s, 'x', n);
		s[n] = 0;
		other += length(s) != (size_t)n;
	}
	return other;
}

int main(void)
{
	enum { MOST = 700 };
	static unsigned char a[MOST + 1], b[MOST + 1];
	for (int i = 0; i < MOST; i++)
		a[i] = i * 7 + 1;
	long bad = 0, wrong = 0, lost = 0;
	for (int round = 0; round < 20; round++)
		for (int n = 1; n < MOST; n++) {
			memset(b, 0x5a, sizeof b);
			copy((char *)b, (char *)a, n);
			bad += memcmp(a, b, n) || b[n] != 0x5a;
			twice(b, a, n);
			for (int i = 0; i < n; i++)
				wrong += b[i] != (unsigned char)(2 * a[i]);
			wrong += b[n] != 0x5a;
			long sum, type = found(&sum);
			lost += type != (2 << 16 | 0xd8) || sum != 0x0000000300000004;
		}
	report(bad, wrong, lost, lengths());
	return done();
}
#else
/* Others have the same lines to say. */
int main(void)
{
	report(0, 0, 0, 0);
	return done();
}
#endif
