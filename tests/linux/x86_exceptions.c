/* Exceptions of SSE and x87 that a program has not masked. What an instruction does with many operands and masks is one line: a sum of all that is seen, which must be the host's. */
#include "ok.h"
#include <ucontext.h>

#if defined __x86_64__ || defined __i386__
#ifdef __x86_64__
#define IP REG_RIP
#define FX(at) ((unsigned char *)(at)->uc_mcontext.fpregs)
#else
#define IP REG_EIP
#define FX(at) ((unsigned char *)(at)->uc_mcontext.fpregs + 112)
#endif

typedef union { uint64_t d[2]; uint32_t s[4]; } vector __attribute__((aligned(16)));

static vector a, b, result;
static unsigned control, flags;
static volatile int code, trap;
static volatile uintptr_t address, insn_at, next;

/* Goes on behind the instruction, with all masked. */
static void handler(int signo, siginfo_t *info, void *context)
{
	ucontext_t *at = context;
	code = info->si_code, trap = at->uc_mcontext.gregs[REG_TRAPNO], address = (uintptr_t)info->si_addr - insn_at;
	memcpy(&flags, FX(at) + 24, 4);
	memcpy(FX(at) + 24, &(unsigned){0x1f80}, 4);
	at->uc_mcontext.gregs[IP] = next;
}

static uint64_t sum;
static void add(uint64_t v) { sum = (sum ^ v) * 0x100000001b3, sum ^= sum >> 29; }

static uint64_t seed;
static uint64_t draw(void) { return seed = seed * 6364136223846793005 + 1442695040888963407, seed >> 33 ^ seed << 20; }

static const uint32_t SINGLES[] = {0, 0x80000000, 1, 0x807fffff, 0x00800000, 0x00800001, 0x3f800000, 0x40400000, 0xbf800001, 0x7f7fffff, 0xff7fffff, 0x7f800000, 0xff800000, 0x7fc00000, 0x7f800001, 0x4f000000, 0x33800000, 0x5f000000, 0x20000000, 0x01000000};
static const uint64_t DOUBLES[] = {0, 1ull << 63, 1, 0x800fffffffffffff, 0x0010000000000000, 0x0010000000000001, 0x3ff0000000000000, 0x4008000000000000, 0xbff0000000000001, 0x7fefffffffffffff, 0xffefffffffffffff, 0x7ff0000000000000, 0xfff0000000000000, 0x7ff8000000000000, 0x7ff0000000000001, 0x41e0000000000000, 0x43e0000000000000, 0x36a0000000000000, 0x3810000000000001, 0x47f0000000000000, 0x2000000000000000};

static void draw_vector(vector *v, int wide)
{
	for (int n = 0; n < 4; n++)
		v->s[n] = draw() & 7 ? SINGLES[draw() % (sizeof SINGLES / 4)] : draw();
	if (wide)
		for (int n = 0; n < 2; n++)
			v->d[n] = draw() & 7 ? DOUBLES[draw() % (sizeof DOUBLES / 8)] : draw() << 32 ^ draw();
}

/* An instruction from xmm1 to xmm0, or to a general register or EFLAGS. */
#ifdef __x86_64__
#define ADDRESSES "lea 1f(%%rip), %%rax; mov %%rax, %[at]; lea 2f(%%rip), %%rax; mov %%rax, %[next]; "
#else
#define ADDRESSES "lea 1f, %%eax; mov %%eax, %[at]; lea 2f, %%eax; mov %%eax, %[next]; "
#endif
#define RUN(insn) do { \
	unsigned eax, now; \
	__asm__ volatile(ADDRESSES "movaps %[a], %%xmm0; movaps %[b], %%xmm1; ldmxcsr %[control]; mov $77, %%eax; 1: " insn "; 2: setp %%ah; stmxcsr %[now]; movaps %%xmm0, %[result]" \
		: [result] "=m"(result), [now] "=m"(now), [at] "=m"(insn_at), [next] "=m"(next), "=&a"(eax) : [a] "m"(a), [b] "m"(b), [control] "m"(control) : "memory", "cc"); \
	if (!code) flags = now; \
	after = eax; \
	} while (0)

static unsigned masks(int n)
{
	/* Each alone, all, and some; the older flags, rounding, flushing. */
	unsigned open = n % 3 == 0 ? 1u << n / 3 % 6 : n % 3 == 1 ? 0x3f : draw() % 0x3f + 1;
	unsigned rest = (draw() & 7 ? 0 : draw() & 0x3f) | (draw() & 3) << 13 | (draw() & 7 ? 0 : draw() & 0x8040);
	return rest | (0x3f & ~open) << 7;
}

#define CASES 3000
#define CHECK(name, wide, insn) do { \
	unsigned after; \
	sum = 1, seed = 12345; \
	for (int n = 0; n < CASES; n++) { \
		draw_vector(&a, wide), draw_vector(&b, wide); \
		control = masks(n), code = trap = 0, address = 0, flags = 0; \
		RUN(insn); \
		__asm__ volatile("ldmxcsr %0" : : "m"((unsigned){0x1f80})); \
		if (getenv("SHOW") && !strcmp(getenv("SHOW"), name)) \
			printf("%d: a %016llx%016llx b %016llx%016llx control %04x: code %d trap %d address %ld flags %04x result %016llx%016llx eax %x\n", n, (long long)a.d[1], (long long)a.d[0], (long long)b.d[1], (long long)b.d[0], control, code, trap, (long)address, flags, (long long)result.d[1], (long long)result.d[0], code ? 0 : after); \
		add(code), add(trap), add(address), add(flags), add(result.d[0]), add(result.d[1]), add(code ? 0 : after); \
	} \
	printf("ok " name ": %016llx\n", (long long)sum); \
	} while (0)

static void sse(void)
{
	CHECK("addss", 0, "addss %%xmm1, %%xmm0");
	CHECK("addps", 0, "addps %%xmm1, %%xmm0");
	CHECK("subpd", 1, "subpd %%xmm1, %%xmm0");
	CHECK("mulss", 0, "mulss %%xmm1, %%xmm0");
	CHECK("mulsd", 1, "mulsd %%xmm1, %%xmm0");
	CHECK("mulps", 0, "mulps %%xmm1, %%xmm0");
	CHECK("divsd", 1, "divsd %%xmm1, %%xmm0");
	CHECK("divps", 0, "divps %%xmm1, %%xmm0");
	CHECK("divpd", 1, "divpd %%xmm1, %%xmm0");
	CHECK("divss", 0, "divss %%xmm1, %%xmm0");
	CHECK("sqrtps", 0, "sqrtps %%xmm1, %%xmm0");
	CHECK("sqrtsd", 1, "sqrtsd %%xmm1, %%xmm0");
	CHECK("minps", 0, "minps %%xmm1, %%xmm0");
	CHECK("maxsd", 1, "maxsd %%xmm1, %%xmm0");
	CHECK("cmpltps", 0, "cmpltps %%xmm1, %%xmm0");
	CHECK("cmpeqpd", 1, "cmpeqpd %%xmm1, %%xmm0");
	CHECK("ucomiss", 0, "ucomiss %%xmm1, %%xmm0");
	CHECK("comisd", 1, "comisd %%xmm1, %%xmm0");
	CHECK("cvtss2sd", 0, "cvtss2sd %%xmm1, %%xmm0");
	CHECK("cvtsd2ss", 1, "cvtsd2ss %%xmm1, %%xmm0");
	CHECK("cvtpd2ps", 1, "cvtpd2ps %%xmm1, %%xmm0");
	CHECK("cvtps2pd", 0, "cvtps2pd %%xmm1, %%xmm0");
	CHECK("cvtdq2ps", 0, "cvtdq2ps %%xmm1, %%xmm0");
	CHECK("cvttps2dq", 0, "cvttps2dq %%xmm1, %%xmm0");
	CHECK("cvtpd2dq", 1, "cvtpd2dq %%xmm1, %%xmm0");
	CHECK("cvttsd2si", 1, "cvttsd2si %%xmm1, %%eax");
	CHECK("cvtss2si", 0, "cvtss2si %%xmm1, %%eax");
	CHECK("haddps", 0, "haddps %%xmm1, %%xmm0");
	CHECK("addsubpd", 1, "addsubpd %%xmm1, %%xmm0");
	CHECK("roundps", 0, "roundps $0, %%xmm1, %%xmm0");
	CHECK("rcpps raises nothing", 0, "rcpps %%xmm1, %%xmm1");
	CHECK("pxor", 0, "pxor %%xmm1, %%xmm0");
}

/* AVX and its kin, if there. */
static void avx(void)
{
	if (__builtin_cpu_supports("fma")) {
		CHECK("vmulps", 0, "vmulps %%ymm1, %%ymm0, %%ymm0");
		CHECK("vfmadd132sd", 1, "vfmadd132sd %%xmm1, %%xmm1, %%xmm0");
		CHECK("vfmsub231ps", 0, "vfmsub231ps %%xmm1, %%xmm1, %%xmm0");
		CHECK("vcmpnge_uqps", 0, "vcmpps $25, %%xmm1, %%xmm0, %%xmm0");
	}
}

static void frames(void)
{
	a.d[0] = 0x3ff0000000000000, b.d[0] = 0, control = 0x1f80 & ~0x200, code = 0;
	unsigned after;
	RUN("divsd %%xmm1, %%xmm0");
	same("a division by zero", code, FPE_FLTDIV);
	same("is the processor's 19th", trap, 19);
	same("at the instruction", address, 0);
	same("its flag is set", flags & 0x3f, 4);
	same("its operand stays", result.d[0], 0x3ff0000000000000);
	/* A flag that is set already raises nothing. */
	control = (0x1f80 & ~0x200) | 4, code = 0, b.d[0] = 0x3ff0000000000000;
	RUN("divsd %%xmm1, %%xmm0");
	same("an older flag is nothing", code, 0);
}

/* x87: the instruction behind hears of it. */
static void unit(void)
{
	static unsigned short word;
	static double number;
	static volatile uintptr_t here;
	struct { const char *what; unsigned short open; double x, y; int code; } cases[] = {
		{"x87: a division by zero", 4, 1, 0, FPE_FLTDIV},
		{"x87: zero by zero", 1, 0, 0, FPE_FLTINV},
		{"x87: inexact", 32, 1, 3, FPE_FLTRES},
	};
	for (int n = 0; n < 3; n++) {
		code = 0, word = 0x37f & ~cases[n].open;
		double x = cases[n].x, y = cases[n].y;
		__asm__ volatile("fninit; fldl %[y]; fldl %[x]; fldcw %[word]; "
#ifdef __x86_64__
			"lea 1f(%%rip), %%rax; mov %%rax, %[at]; lea 2f(%%rip), %%rax; mov %%rax, %[next]; "
#else
			"lea 1f, %%eax; mov %%eax, %[at]; lea 2f, %%eax; mov %%eax, %[next]; "
#endif
			"fdiv %%st(1), %%st; mov $1, %%eax; 1: fwait; 2: fninit" : [at] "=m"(insn_at), [next] "=m"(next) : [x] "m"(x), [y] "m"(y), [word] "m"(word) : "eax", "memory");
		ok(cases[n].what, code == cases[n].code && address == 0 && trap == 16);
	}
}

int main(void)
{
	struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
	sigaction(SIGFPE, &action, 0);
	frames();
	sse();
	avx();
	unit();
	return done();
}
#else
int main(void) { return 0; }
#endif
