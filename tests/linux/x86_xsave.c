/* x86's state beyond SSE: what CPUID says of it, XSAVE and its kin, signal frames, accesses by a mask, operands that must be aligned. */
#include "ok.h"
#include <sys/auxv.h>
#include <sys/mman.h>
#include <ucontext.h>

#if defined __x86_64__ || defined __i386__
#include <cpuid.h>
#include <setjmp.h>

#ifdef __x86_64__
#define REGISTERS 16
#else
#define REGISTERS 8
#endif

enum { FX_MXCSR = 24, FX_XMM = 160, FX_SOFTWARE = 464, BV = 512, COMP = 520, YMM = 576, AREA = 832 };
typedef unsigned char byte;
static byte area[AREA + 64] __attribute__((aligned(64)));
static byte image[32] __attribute__((aligned(32))), other[32] __attribute__((aligned(32)));
static sigjmp_buf back;
static volatile int code, trap;
static void *volatile address;

static void leave(int signo, siginfo_t *info, void *context)
{
	ucontext_t *at = context;
	code = info->si_code, address = info->si_addr, trap = at->uc_mcontext.gregs[REG_TRAPNO];
	siglongjmp(back, signo);
}

/* The signal that `work` ends by, or 0. */
#define signal_of(work) ({ int s = sigsetjmp(back, 1); if (!s) { work; } s; })

static uint64_t word(const byte *at) { uint64_t v; memcpy(&v, at, 8); return v; }

static uint64_t xgetbv(unsigned n)
{
	unsigned low, high;
	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(n));
	return low | (uint64_t)high << 32;
}

#define SAVE(insn, mask) __asm__ volatile(insn " %0" : "+m"(area) : "a"(mask), "d"(0) : "memory")
#define RESTORE(mask) __asm__ volatile("xrstor %0" : : "m"(area), "a"(mask), "d"(0) : "memory")
#define FILL() __asm__ volatile("vmovdqu %0, %%ymm3\n\tvmovdqu %0, %%ymm7" : : "m"(image) : "memory")
#define SEEN() __asm__ volatile("vmovdqu %%ymm7, %0" : "=m"(other) : : "memory")

static void identity(void)
{
	unsigned a, b, c, d, one, seven, extended;
	__cpuid_count(13, 0, a, b, c, d);
	uint64_t all = xgetbv(0);
	ok("x87, SSE and AVX are enabled", (all & 7) == 7 && (a & 7) == 7);
	ok("the area is large enough", b >= AREA && c >= b);
	__cpuid_count(13, 2, a, b, c, d);
	ok("where AVX's part stands", a == 256 && b == YMM);
	ok("registers that there are not", signal_of(xgetbv(77)) == SIGSEGV && code == SI_KERNEL && trap == 13);
	ok("nobody may set them", signal_of(__asm__ volatile("xsetbv" : : "a"(7), "d"(0), "c"(0))) == SIGSEGV);
	ok("frames are told with it", getauxval(51) == 0 || getauxval(51) > AREA + 128);
}

static void saved(void)
{
	for (int n = 0; n < 32; n++)
		image[n] = n + 1;
	memset(area, 0xaa, sizeof area);
	memset(area + BV, 0, 64);
	FILL();
	SAVE("xsave", 6);
	ok("both halves of a register", !memcmp(area + FX_XMM + 7 * 16, image, 16) && !memcmp(area + YMM + 7 * 16, image + 16, 16));
	same("what is there", word(area + BV) & 7, 6);
	same("x87's part is left alone", area[0], 0xaa);
	same("and what is for programs", area[FX_SOFTWARE], 0xaa);
	unsigned mxcsr;
	memcpy(&mxcsr, area + FX_MXCSR, 4);
	same("MXCSR", mxcsr & 0xffc0, 0x1f80);
	/* What is as processors begin is not written by those that look. */
	memset(area, 0xaa, sizeof area), memset(area + BV, 0, 64);
	__asm__ volatile("vzeroupper");
	SAVE("xsaveopt", 6);
	same("upper halves that are zero are not there", word(area + BV) & 4, 0);
	same("and are not written", area[YMM + 112], 0xaa);
	FILL();
	memset(area + BV, 0xaa, 64);
	SAVE("xsavec", 6);
	ok("the compacted form says so", word(area + COMP) == (1ull << 63 | 6) && word(area + BV) == 6);
	ok("and has them in the same place", !memcmp(area + YMM + 3 * 16, image + 16, 16));
	__asm__ volatile("vzeroall");
	memset(area + BV + 16, 0, 48);
	RESTORE(6);
	SEEN();
	ok("restored from it", !memcmp(other, image, 32));
	__asm__ volatile("vzeroupper");
	ok("in use by then", !(xgetbv(1) & 4));
	FILL();
	ok("and after a write", xgetbv(1) & 4);
}

static void restored(void)
{
	memset(area, 0, sizeof area);
	FILL();
	SAVE("xsave", 7);
	memset(area + FX_XMM + 7 * 16, 0x55, 16);
	area[BV] &= ~4;
	RESTORE(7);
	SEEN();
	ok("a part from memory, one as at the beginning", other[0] == 0x55 && other[15] == 0x55 && !other[16] && !other[31]);
	FILL();
	RESTORE(4);
	SEEN();
	ok("what is not asked for stays", !memcmp(other, image, 16) && !other[16]);
	uint16_t control = 0x27f, now;
	__asm__ volatile("fldcw %0" : : "m"(control));
	area[BV] &= ~1;
	RESTORE(1);
	__asm__ volatile("fnstcw %0" : "=m"(now));
	same("x87 as at the beginning", now, 0x37f);
	unsigned mxcsr = 0x1f80;
	area[BV] = 0, memcpy(area + FX_MXCSR, (unsigned[]){0x3f80}, 4);
	RESTORE(2);
	__asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
	same("MXCSR comes from memory even so", mxcsr, 0x3f80);
	__asm__ volatile("ldmxcsr %0" : : "m"((unsigned){0x1f80}));
	memcpy(area + FX_MXCSR, (unsigned[]){0x1f80}, 4);
	area[BV + 7] = 0x20;
	ok("parts that nobody has", signal_of(RESTORE(7)) == SIGSEGV && code == SI_KERNEL);
	area[BV + 7] = 0, area[COMP] = 7;
	ok("neither form", signal_of(RESTORE(7)) == SIGSEGV && code == SI_KERNEL);
	area[COMP] = 0, area[FX_MXCSR + 2] = 1;
	ok("bits of MXCSR that are reserved", signal_of(RESTORE(6)) == SIGSEGV && code == SI_KERNEL);
	area[FX_MXCSR + 2] = 0;
	byte *crooked = area + 16;
	ok("an area that is not aligned", signal_of(__asm__ volatile("xsave (%0)" : : "r"(crooked), "a"(6), "d"(0) : "memory")) == SIGSEGV && code == SI_KERNEL);
	byte *nothing = mmap(0, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ok("an area that is not there", signal_of(__asm__ volatile("xrstor (%0)" : : "r"(nothing), "a"(6), "d"(0) : "memory")) == SIGSEGV && code == SEGV_ACCERR);
}

static volatile int began, magic, upper, said;
static void handler(int signo, siginfo_t *info, void *context)
{
	ucontext_t *at = context;
	SEEN();
	began = other[16] | other[31];
	byte *fx = (byte *)at->uc_mcontext.fpregs;
#ifdef __i386__
	fx += 112;
#endif
	unsigned first, last, size;
	memcpy(&first, fx + FX_SOFTWARE, 4), memcpy(&size, fx + FX_SOFTWARE + 16, 4), memcpy(&last, fx + size, 4);
	magic = first == 0x46505853 && last == 0x46505845 && size >= AREA;
	said = at->uc_flags & 1;
	upper = !memcmp(fx + YMM + 7 * 16, image + 16, 16) && (word(fx + BV) & 7) == 7 && (word(fx + FX_SOFTWARE + 8) & 7) == 7;
	memset(fx + YMM + 7 * 16, 0x77, 16);
	FILL();
	__asm__ volatile("vzeroupper");
	if (signo == SIGUSR2)
		fx[FX_SOFTWARE] ^= 1;
}

static void frames(void)
{
	struct sigaction a = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
	sigaction(SIGUSR1, &a, 0), sigaction(SIGUSR2, &a, 0);
	pid_t self = getpid();
	FILL();
	kill(self, SIGUSR1);
	SEEN();
	same("a handler begins with upper halves of zero", began, 0);
	ok("its frame has more than FXSAVE's image", magic);
	same("and says so", said, 1);
	ok("the upper halves are in it", upper);
	ok("and come back as the handler leaves them", !memcmp(other, image, 16) && other[16] == 0x77 && other[31] == 0x77);
	FILL();
	kill(self, SIGUSR2);
	SEEN();
	ok("a frame that does not say so has none", !memcmp(other, image, 16) && !other[16] && !other[31]);
}

static void masks(void)
{
	byte *page = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(page + 4096, 4096);
	memset(page, 0x11, 4096);
	static int mask[8] __attribute__((aligned(32))) = {-1, -1, -1, 0, 0, 0, 0, 0};
	int *end = (int *)(page + 4096) - 3;
	__asm__ volatile("vmovdqu %1, %%ymm1\n\tvpmaskmovd (%2), %%ymm1, %%ymm0\n\tvmovdqu %%ymm0, %0" : "=m"(other) : "m"(mask), "r"(end));
	ok("lanes that are not chosen are not read", word(other) == 0x1111111111111111 && word(other + 8) == 0x11111111 && !word(other + 16));
	__asm__ volatile("vmovdqu %0, %%ymm1\n\tvmovdqu %1, %%ymm0\n\tvpmaskmovd %%ymm0, %%ymm1, (%2)" : : "m"(mask), "m"(image), "r"(end) : "memory");
	ok("nor written", !memcmp(end, image, 12) && page[4083] == 0x11);
	mask[3] = -1;
	ok("those that are chosen fault", signal_of(__asm__ volatile("vmovdqu %0, %%ymm1\n\tvpmaskmovd (%1), %%ymm1, %%ymm0" : : "m"(mask), "r"(end))) == SIGSEGV && address == page + 4096);
	/* A gather that faults leaves what it has, and a mask of what is still to do. */
	static int index[8] __attribute__((aligned(32))) = {0, 1, 2, 1024, 3, 4, 5, 6}, left[8];
	static int *volatile base;
	base = (int *)page;
	for (int n = 0; n < 8; n++)
		base[n] = 100 + n, mask[n] = n == 1 ? 0 : -1;
	int got = signal_of(__asm__ volatile("vpcmpeqd %%ymm0, %%ymm0, %%ymm0\n\tvmovdqu %0, %%ymm1\n\tvmovdqu %1, %%ymm2\n\tvpgatherdd %%ymm1, (%2,%%ymm2,4), %%ymm0" : : "m"(mask), "m"(index), "r"(base)));
	ok("a gather faults", got == SIGSEGV && address == page + 4096);
	index[3] = 7;
	__asm__ volatile("vpcmpeqd %%ymm0, %%ymm0, %%ymm0\n\tvmovdqu %2, %%ymm1\n\tvmovdqu %3, %%ymm2\n\tvpgatherdd %%ymm1, (%4,%%ymm2,4), %%ymm0\n\tvmovdqu %%ymm0, %0\n\tvmovdqu %%ymm1, %1" : "=m"(other), "=m"(left) : "m"(mask), "m"(index), "r"(base));
	int *lanes = (int *)other;
	ok("or is done", lanes[0] == 100 && lanes[1] == -1 && lanes[2] == 102 && lanes[3] == 107 && lanes[7] == 106);
	ok("with nothing left to do", !left[0] && !left[1] && !left[7]);
}

static void alignment(void)
{
	byte *at = area + 8;
	ok("MOVAPS of what is not aligned", signal_of(__asm__ volatile("movaps (%0), %%xmm0" : : "r"(at))) == SIGSEGV);
	ok("has no address", code == SI_KERNEL && address == 0 && trap == 13);
	ok("its store", signal_of(__asm__ volatile("movaps %%xmm0, (%0)" : : "r"(at) : "memory")) == SIGSEGV && code == SI_KERNEL);
	ok("an operand of PADDD", signal_of(__asm__ volatile("paddd (%0), %%xmm0" : : "r"(at))) == SIGSEGV && code == SI_KERNEL);
	ok("not of VPADDD", signal_of(__asm__ volatile("vpaddd (%0), %%xmm0, %%xmm0" : : "r"(at))) == 0);
	ok("but of VMOVDQA", signal_of(__asm__ volatile("vmovdqa (%0), %%xmm0" : : "r"(at))) == SIGSEGV && code == SI_KERNEL);
	ok("and of 32 bytes", signal_of(__asm__ volatile("vmovdqa (%0), %%ymm0" : : "r"(at))) == SIGSEGV && code == SI_KERNEL);
	ok("MOVUPS may be anywhere", signal_of(__asm__ volatile("movups (%0), %%xmm0" : : "r"(at))) == 0);
}

int main(void)
{
	unsigned a, b, c, d;
	__cpuid(1, a, b, c, d);
	if (c >> 27 & c >> 28 & 1) {
		struct sigaction action = {.sa_sigaction = leave, .sa_flags = SA_SIGINFO};
		sigaction(SIGSEGV, &action, 0);
		identity();
		saved();
		restored();
		frames();
		masks();
		alignment();
	}
	return done();
}
#else
int main(void) { return 0; }
#endif
