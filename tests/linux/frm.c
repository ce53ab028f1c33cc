/* RISC-V's rounding mode, written and put back in the middle of code: between the two, instructions that take it from frm, jumps, faults and system calls. */
#define _GNU_SOURCE
#include "ok.h"
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>

static void report(const int wrong[10])
{
	static const char *const what[10] = {
		"a quotient between two writes", "a branch between them", "a call", "a fault", "a reserved mode", "modes in registers", "bits set and cleared",
		"the whole register", "a system call", "elements of vectors",
	};
	for (int i = 0; i < 10; i++)
		same(what[i], wrong[i], 0);
}

#if defined __riscv && __riscv_flen == 64
#define ROUNDS 3000
static volatile double one = 1, three = 3;
static const double nearest = 0x1.5555555555555p-2, above = 0x1.5555555555556p-2;
static long seen;
static char *none;

/* Goes on behind the instruction. */
static void skip(int sig, siginfo_t *info, void *context)
{
	(void)sig, (void)info;
	ucontext_t *u = context;
	seen = u->uc_mcontext.__fpregs.__d.__fcsr >> 5;
	u->uc_mcontext.__gregs[0] += 4;
}

static long frm(void)
{
	long v;
	__asm__ volatile("frrm %0" : "=r"(v));
	return v;
}

static int in_line(void)
{
	double a, b, c;
	long within;
	__asm__ volatile("fsrmi t0, 3\n fdiv.d %0, %4, %5\n frrm %3\n fsrmi 2\n fdiv.d %1, %4, %5\n fsrm t0\n fdiv.d %2, %4, %5"
		: "=&f"(a), "=&f"(b), "=&f"(c), "=&r"(within) : "f"(one), "f"(three) : "t0");
	return a != above || b != nearest || c != nearest || within != 3 || frm();
}

static int branch(long taken)
{
	double a;
	__asm__ volatile("fsrmi t0, 3\n bnez %3, 1f\n fdiv.d %0, %1, %2\n j 2f\n1: fdiv.d %0, %1, %2\n2: fsrm t0" : "=&f"(a) : "f"(one), "f"(three), "r"(taken) : "t0");
	return a != above || frm();
}

static int call(void)
{
	double a, b;
	__asm__ volatile("la t1, 2f\n fsrmi t0, 3\n jalr t2, t1\n fmv.d %1, %0\n fsrm t0\n jalr t2, t1\n j 3f\n2: fdiv.d %0, %2, %3\n jr t2\n3:"
		: "=&f"(a), "=&f"(b) : "f"(one), "f"(three) : "t0", "t1", "t2");
	return a != nearest || b != above || frm();
}

static int fault(void)
{
	double a;
	seen = 0;
	__asm__ volatile(".option push\n.option norvc\nfsrmi t0, 3\n lw t1, 0(%3)\n fdiv.d %0, %1, %2\n fsrm t0\n.option pop" : "=&f"(a) : "f"(one), "f"(three), "r"(none) : "t0", "t1", "memory");
	return a != above || seen != 3 || frm();
}

static int reserved(void)
{
	double a = 7;
	seen = 0;
	__asm__ volatile("fsrmi t0, 5\n fdiv.d %0, %1, %2, dyn\n fsrm t0" : "+&f"(a) : "f"(one), "f"(three) : "t0", "memory");
	return a != 7 || seen != 5 || frm();
}

static int registers(long mode)
{
	double a, b;
	__asm__ volatile("fsrm t0, %4\n fdiv.d %0, %2, %3\n fsrm zero\n fdiv.d %1, %2, %3\n fsrm t0" : "=&f"(a), "=&f"(b) : "f"(one), "f"(three), "r"(mode) : "t0");
	return a != (mode == 3 ? above : nearest) || b != nearest || frm();
}

static int bits(void)
{
	double a, b;
	long was, then;
	__asm__ volatile("csrrsi %2, frm, 3\n fdiv.d %0, %4, %5\n csrrci %3, frm, 2\n fdiv.d %1, %4, %5\n csrci frm, 1"
		: "=&f"(a), "=&f"(b), "=&r"(was), "=&r"(then) : "f"(one), "f"(three));
	return a != above || b != nearest || was != 0 || then != 3 || frm();
}

static int whole(void)
{
	double a;
	long then;
	__asm__ volatile("frcsr t0\n li t1, 0x60\n fscsr t1\n fdiv.d %0, %2, %3\n frcsr %1\n fscsr t0" : "=&f"(a), "=&r"(then) : "f"(one), "f"(three) : "t0", "t1");
	return a != above || then != 0x61 || frm();
}

static int system_call(void)
{
	double a;
	__asm__ volatile("li a7, %3\n fsrmi t0, 3\n ecall\n fdiv.d %0, %1, %2\n fsrm t0" : "=&f"(a) : "f"(one), "f"(three), "i"(SYS_getpid) : "a0", "a7", "t0", "memory");
	return a != above || frm();
}

#if __riscv_xlen == 64
/* Rounds down by way of integers, as compilers have it: as many as there are, by registers of which the last is not full. */
static int vectors(long n)
{
	double from[20], to[20] = {0};
	for (int i = 0; i < 20; i++)
		from[i] = (i - 10) * 0.75;
	double *p = from, *q = to;
	long left = n;
	__asm__ volatile(".option push\n.option arch, +v\n1: fsrmi t0, 2\n vsetvli t1, %2, e64, m1, ta, ma\n vle64.v v1, (%0)\n vfcvt.x.f.v v2, v1\n fsrm t0\n vfcvt.f.x.v v2, v2\n"
		" vse64.v v2, (%1)\n sub %2, %2, t1\n slli t1, t1, 3\n add %0, %0, t1\n add %1, %1, t1\n bnez %2, 1b\n.option pop" : "+&r"(p), "+&r"(q), "+&r"(left) : : "t0", "t1", "memory");
	int wrong = frm() != 0;
	for (int i = 0; i < 20; i++) {
		int whole = (int)from[i] - (from[i] < (int)from[i]);
		wrong += to[i] != (i < n ? whole : 0);
	}
	return wrong;
}
#else
static int vectors(long n) { return n == 0; }
#endif

int main(void)
{
	struct sigaction action = {.sa_sigaction = skip, .sa_flags = SA_SIGINFO};
	sigaction(SIGSEGV, &action, 0), sigaction(SIGILL, &action, 0);
	none = mmap(0, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int wrong[10] = {0};
	for (int i = 0; i < ROUNDS; i++) {
		wrong[0] += in_line(), wrong[1] += branch(i & 1), wrong[2] += call();
		if (i % 16 == 0)
			wrong[3] += fault(), wrong[4] += reserved();
		wrong[5] += registers(i & 3), wrong[6] += bits(), wrong[7] += whole(), wrong[8] += system_call(), wrong[9] += vectors(i % 20 + 1);
	}
	report(wrong);
	return done();
}
#else
int main(void)
{
	static const int none[10];
	report(none);
	return done();
}
#endif
