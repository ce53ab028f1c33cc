/* AVX-512: compiled loops beside the same ones without it, accesses under a mask at a page's end, rounding of an instruction's own, what XSAVE, frames and other
 * processes see of the registers. Run as a processor that has it; where the host's has not, nothing is asked. */
#include "ok.h"
#include <sys/mman.h>
#include <ucontext.h>

#if defined __x86_64__
#include <cpuid.h>
#include <setjmp.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#define HAVE (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") \
	&& __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512cd"))
#define WIDE __attribute__((noinline, optimize("O3", "fp-contract=off"), target("avx512f,avx512bw,avx512dq,avx512vl,avx512cd,prefer-vector-width=512")))
#define PLAIN __attribute__((noinline, optimize("O1")))

enum { N = 1003 };
static int a[N], b[N], c[N];
static unsigned char text[N];
static short half[N];
static float f[N], g[N];
static double d[N], e[N];
static long l[N];

static void fill(void)
{
	unsigned x = 12345;
	for (int i = 0; i < N; i++) {
		x = x * 1664525 + 1013904223;
		a[i] = x >> 8, b[i] = (int)(x * 7) >> 3, c[i] = 0;
		text[i] = x >> 13, half[i] = x >> 5, l[i] = (long)x * x - (1l << 40);
		f[i] = (int)x / 65536.0f, g[i] = i - 500, d[i] = (int)x / 3.0, e[i] = i + 0.5;
	}
}

/* Each is made twice of the same text. */
#define LOOPS(kind, name) \
static kind long name##_where(void) { long n = 0; for (int i = 0; i < N; i++) if (a[i] > b[i]) c[i] = a[i] * 3 - b[i], n++; else c[i] ^= i; \
	for (int i = 0; i < N; i++) n = n * 31 + c[i]; return n; } \
static kind long name##_bytes(void) { long n = 0; for (int i = 0; i < N; i++) n += (text[i] > 77) + 2 * (text[i] == 33) + (text[i] & 15); \
	for (int i = 0; i < N; i++) if (text[i] & 1) text[i] = text[i] * 5 + 1; for (int i = 0; i < N; i++) n = n * 7 + text[i]; return n; } \
static kind long name##_halves(void) { long n = 0; for (int i = 0; i < N; i++) half[i] = half[i] < 0 ? -half[i] >> 2 : half[i] * 3; \
	for (int i = 0; i < N; i++) n += half[i] * (long)i; for (int i = 0; i < N; i++) n += (short)(a[i] >> (i & 15)); return n; } \
static kind long name##_longs(void) { long n = 0; for (int i = 0; i < N; i++) l[i] = l[i] * (l[i] ^ i) + (l[i] >> 7); \
	for (int i = 0; i < N; i++) n ^= l[i] > 0 ? l[i] : ~l[i]; for (int i = 0; i < N; i++) n += (long)d[i] + (long)__builtin_popcountl(l[i]); return n; } \
static kind double name##_singles(void) { float r = 0; for (int i = 0; i < N; i++) if (f[i] < g[i]) f[i] = f[i] * 0.5f + g[i]; else g[i] = __builtin_sqrtf(__builtin_fabsf(f[i])); \
	for (int i = 0; i < N; i++) r += f[i] - g[i]; return r; } \
static kind double name##_doubles(void) { double r = 0; for (int i = 0; i < N; i++) d[i] = d[i] > 0 ? e[i] / d[i] : __builtin_floor(d[i]) + (unsigned)a[i]; \
	for (int i = 0; i < N; i++) e[i] = (float)d[i] + l[i] % 1000; for (int i = 0; i < N; i++) r += d[i] * e[i]; return r; } \
static kind long name##_indexed(void) { long n = 0; for (int i = 0; i < N; i++) c[i] = a[(unsigned)b[i] % N]; for (int i = 0; i < N; i++) n = n * 3 + c[i]; \
	for (int i = 0; i < N; i++) if (c[i] & 4) b[i] = a[(unsigned)c[i] % N]; for (int i = 0; i < N; i++) n += b[i]; return n; }
LOOPS(WIDE, wide)
LOOPS(PLAIN, plain)

#define ASM(target_text) __asm__ volatile(target_text)
static sigjmp_buf back;
static void leave(int signo) { siglongjmp(back, signo); }
#define signal_of(work) ({ int s = sigsetjmp(back, 1); if (!s) { work; } s; })

static char *page(void)
{
	char *m = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mprotect(m + 4096, 4096, PROT_NONE);
	for (int i = 0; i < 4096; i++)
		m[i] = i * 7;
	return m + 4096;
}

static int masked(char *end)
{
	char got[64], want[64] = { 0 };
	uint64_t chosen = 0x1fffffff;
	memcpy(want, end - 29, 29);
	__asm__ volatile("kmovq %2, %%k1\n\tvmovdqu8 (%1), %%zmm1 %{%%k1%}%{z%}\n\tvmovdqu8 %%zmm1, %0" : "=m"(got) : "r"(end - 29), "r"(chosen) : "memory");
	int good = !memcmp(got, want, 64);
	__asm__ volatile("kmovq %2, %%k1\n\tvmovdqu8 %0, %%zmm1\n\tvmovdqu8 %%zmm1, (%1) %{%%k1%}" : : "m"(want), "r"(end - 29), "r"(chosen & ~2ull) : "memory");
	__asm__ volatile("kmovq %2, %%k1\n\tvpaddb %%zmm1, %%zmm1, %%zmm1\n\tvmovdqu8 %%zmm1, (%1) %{%%k1%}" : : "m"(want), "r"(end - 29), "r"(2ull) : "memory");
	want[1] *= 2;
	good &= !memcmp(end - 29, want, 29);
	/* Nothing is chosen where nothing is. */
	__asm__ volatile("kxorq %%k1, %%k1, %%k1\n\tvmovdqu32 (%0), %%zmm1 %{%%k1%}\n\tvmovdqu64 %%zmm1, (%0) %{%%k1%}\n\tvaddps (%0)%{1to16%}, %%zmm1, %%zmm1 %{%%k1%}" : : "r"(end + 64) : "memory");
	good &= signal_of(__asm__ volatile("kmovq %1, %%k1\n\tvmovdqu8 (%0), %%zmm1 %{%%k1%}" : : "r"(end - 29), "r"(1ull << 29) : "memory")) == SIGSEGV;
	good &= signal_of(__asm__ volatile("kmovq %1, %%k1\n\tvmovdqu16 %%zmm1, (%0) %{%%k1%}" : : "r"(end - 29), "r"(1ull << 20) : "memory")) == SIGSEGV;
	return good;
}

static unsigned csr(void) { return __builtin_ia32_stmxcsr(); }

static int rounding(void)
{
	double third[8], one = 1, three = 3;
	uint64_t bits[4];
	__builtin_ia32_ldmxcsr(0x1f80);
	__asm__ volatile("vbroadcastsd %4, %%zmm1\n\tvbroadcastsd %5, %%zmm2\n\tvdivpd %{rd-sae%}, %%zmm2, %%zmm1, %%zmm3\n\tvdivpd %{ru-sae%}, %%zmm2, %%zmm1, %%zmm4\n\t"
		"vdivsd %{rz-sae%}, %%xmm2, %%xmm1, %%xmm5\n\tvmovsd %%xmm3, %0\n\tvmovsd %%xmm4, %1\n\tvmovsd %%xmm5, %2\n\tvmovupd %%zmm4, %3"
		: "=m"(bits[0]), "=m"(bits[1]), "=m"(bits[2]), "=m"(third) : "m"(one), "m"(three));
	int good = bits[1] == bits[0] + 1 && bits[2] == bits[0] && third[7] == third[0] && csr() == 0x1f80;
	/* A lane that is not chosen raises nothing, one that is does. */
	double zero = 0, some[8];
	__asm__ volatile("kmovw %3, %%k1\n\tvbroadcastsd %1, %%zmm1\n\tvbroadcastsd %2, %%zmm2\n\tvmovapd %%zmm1, %%zmm1 %{%%k1%}%{z%}\n\tvmovapd %%zmm2, %%zmm3\n\tvdivpd %%zmm1, %%zmm2, %%zmm3 %{%%k1%}\n\tvmovupd %%zmm3, %0"
		: "=m"(some) : "m"(one), "m"(three), "r"(0x55));
	good &= csr() == 0x1f80 && some[0] == 3 && some[1] == 3;
	__asm__ volatile("kmovw %3, %%k1\n\tvbroadcastsd %1, %%zmm1\n\tvbroadcastsd %2, %%zmm2\n\tvdivpd %%zmm1, %%zmm2, %%zmm3 %{%%k1%}" : "=m"(some) : "m"(zero), "m"(three), "r"(0x10));
	good &= csr() == 0x1f84;
	__builtin_ia32_ldmxcsr(0x1f80);
	return good;
}

/* Exceptions that are not masked come of lanes that are chosen, and of no instruction that suppresses them. */
#define TRY(csr_value, k, insns) signal_of(({ __builtin_ia32_ldmxcsr(csr_value); \
	__asm__ volatile("kmovw %2, %%k1\n\tvmovupd %0, %%zmm1\n\tvmovupd %1, %%zmm2\n\t" insns : : "m"(number), "m"(divisor), "r"(k) : "memory"); }))
static int unmasked(void)
{
	double number[8] = { 1, 2, 3, 4, 5, 6, 7, 8 }, divisor[8] = { 1, 1, 0, 1, 1, 1, 1, 1 };
	uint64_t signalling = 0x7ff0000000000001;
	int good = TRY(0x1d80, 0x04, "vdivpd %%zmm2, %%zmm1, %%zmm3%{%%k1%}") == SIGFPE && TRY(0x1d80, 0xfb, "vdivpd %%zmm2, %%zmm1, %%zmm3%{%%k1%}") == 0
		&& TRY(0x1d80, 0xff, "vdivpd %%zmm2, %%zmm1, %%zmm3") == SIGFPE && TRY(0x1d80, 0xff, "vdivpd %%zmm1, %%zmm2, %%zmm3") == 0
		&& TRY(0x1d80, 0x04, "vdivpd %1, %%zmm1, %%zmm3%{%%k1%}%{z%}") == SIGFPE && TRY(0x1d80, 0xff, "vdivpd %{rn-sae%}, %%zmm2, %%zmm1, %%zmm3") == 0
		&& TRY(0x1f80, 0xff, "vdivpd %%zmm2, %%zmm1, %%zmm3") == 0;
	memcpy(&number[5], &signalling, 8);
	good &= TRY(0x1f00, 0x20, "vgetexppd %%zmm1, %%zmm3%{%%k1%}") == SIGFPE && TRY(0x1f00, 0xdf, "vgetexppd %%zmm1, %%zmm3%{%%k1%}") == 0
		&& TRY(0x1f00, 0xff, "vgetexppd %{sae%}, %%zmm1, %%zmm3") == 0 && TRY(0x1f00, 0xff, "vcmppd $0, %%zmm2, %%zmm1, %%k2") == SIGFPE
		&& TRY(0x1f00, 0xff, "vcmppd $0, %{sae%}, %%zmm2, %%zmm1, %%k2") == 0;
	__builtin_ia32_ldmxcsr(0x1f80);
	return good;
}

enum { BV = 512, COMP = 520, AREA = 2752 };
static unsigned char area[AREA] __attribute__((aligned(64)));
static unsigned at(unsigned component) { unsigned w, x, y, z; __cpuid_count(13, component, w, x, y, z); return x; }
static uint64_t word(const unsigned char *p) { uint64_t v; memcpy(&v, p, 8); return v; }
#define SET() __asm__ volatile("kmovq %0, %%k5\n\tvpbroadcastq %1, %%zmm3\n\tvpbroadcastq %1, %%zmm21" : : "r"(0x123456789abcull), "r"(0x1122334455667788ull) : "memory")

static int kept(void)
{
	uint64_t k, low[8], high[8];
	memset(area, 0, sizeof area);
	SET();
	__asm__ volatile("xsave %0" : "+m"(area) : "a"(0xe6), "d"(0) : "memory");
	int good = word(area + at(5) + 40) == 0x123456789abc && word(area + at(6) + 3 * 32) == 0x1122334455667788 && word(area + at(7) + 5 * 64 + 56) == 0x1122334455667788;
	good &= (word(area + BV) & 0xe0) == 0xe0;
	for (int compacted = 0; compacted < 2; compacted++) {
		if (compacted) {
			SET();
			memset(area, 0, sizeof area);
			__asm__ volatile("xsavec %0" : "+m"(area) : "a"(0xe2), "d"(0) : "memory");
			/* Without AVX's part the others stand lower. */
			good &= word(area + COMP) == (1ull << 63 | 0xe2) && word(area + 576 + 40) == 0x123456789abc && word(area + 576 + 64 + 512 + 5 * 64) == 0x1122334455667788;
		}
		__asm__ volatile("kxorq %%k5, %%k5, %%k5\n\tvpxorq %%zmm21, %%zmm21, %%zmm21\n\tvpxorq %%zmm3, %%zmm3, %%zmm3\n\txrstor %3\n\tkmovq %%k5, %0\n\tvmovdqu64 %%zmm3, %1\n\tvmovdqu64 %%zmm21, %2"
			: "=r"(k), "=m"(low), "=m"(high) : "m"(area), "a"(0xe2), "d"(0) : "memory");
		good &= k == 0x123456789abc && low[0] == 0x1122334455667788 && low[7] == low[0] && high[0] == low[0] && high[7] == low[0];
	}
	unsigned used, top;
	__asm__ volatile("xgetbv" : "=a"(used), "=d"(top) : "c"(1));
	good &= (used & 0xe0) == 0xe0;
	memset(area + BV, 0, 64);
	__asm__ volatile("xrstor %1\n\tkmovq %%k5, %0" : "=r"(k) : "m"(area), "a"(0xe0), "d"(0) : "memory");
	__asm__ volatile("xgetbv" : "=a"(used), "=d"(top) : "c"(1));
	return good & (k == 0) & !(used & 0xe0);
}

static volatile int in_handler;
static void look(int signo, siginfo_t *info, void *context)
{
	(void)signo, (void)info;
	ucontext_t *u = context;
	unsigned char *fx = (unsigned char *)u->uc_mcontext.fpregs;
	in_handler = (word(fx + BV) & 0xe0) == 0xe0 && word(fx + at(5) + 40) == 0x123456789abc && word(fx + at(7) + 5 * 64 + 56) == 0x1122334455667788
		&& word(fx + at(6) + 3 * 32 + 24) == 0x1122334455667788;
	uint64_t new = 99;
	memcpy(fx + at(7) + 5 * 64 + 56, &new, 8), memcpy(fx + at(5) + 40, &new, 8);
	/* The handler's own do not come back. */
	__asm__ volatile("kxorq %%k5, %%k5, %%k5\n\tvpxorq %%zmm21, %%zmm21, %%zmm21" : : : "memory");
	u->uc_mcontext.gregs[REG_RIP] += 2;
}

static int framed(void)
{
	struct sigaction act = { .sa_sigaction = look, .sa_flags = SA_SIGINFO };
	sigaction(SIGILL, &act, 0);
	uint64_t k, v[8];
	__asm__ volatile("kmovq %2, %%k5\n\tvpbroadcastq %3, %%zmm3\n\tvpbroadcastq %3, %%zmm21\n\tud2\n\tkmovq %%k5, %0\n\tvmovdqu64 %%zmm21, %1"
		: "=r"(k), "=m"(v) : "r"(0x123456789abcull), "r"(0x1122334455667788ull) : "memory");
	return in_handler && k == 99 && v[7] == 99 && v[0] == 0x1122334455667788;
}

static int traced(void)
{
	pid_t pid = fork();
	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		uint64_t k;
		__asm__ volatile("kmovq %1, %%k5\n\tvpbroadcastq %2, %%zmm21\n\tint3\n\tkmovq %%k5, %0" : "=r"(k) : "r"(0x123456789abcull), "r"(0x1122334455667788ull) : "memory");
		_exit(k == 77 ? 0 : 1);
	}
	int status, good;
	waitpid(pid, &status, 0);
	struct iovec v = { area, sizeof area };
	memset(area, 0, sizeof area);
	good = ptrace(PTRACE_GETREGSET, pid, 0x202, &v) == 0 && v.iov_len >= at(7) + 1024 && word(area + at(5) + 40) == 0x123456789abc && word(area + at(7) + 5 * 64) == 0x1122334455667788;
	uint64_t new = 77;
	memcpy(area + at(5) + 40, &new, 8);
	good &= ptrace(PTRACE_SETREGSET, pid, 0x202, &v) == 0;
	ptrace(PTRACE_CONT, pid, 0, 0);
	waitpid(pid, &status, 0);
	return good && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

#define BOTH(name) (fill(), x = wide_##name(), fill(), x == plain_##name())
int main(void)
{
	int have = HAVE;
	double x;
	struct sigaction act = { .sa_handler = leave };
	sigaction(SIGSEGV, &act, 0), sigaction(SIGFPE, &act, 0);
	ok("choices of 32 bits", !have || BOTH(where));
	ok("bytes", !have || BOTH(bytes));
	ok("16 bits", !have || BOTH(halves));
	ok("64 bits", !have || BOTH(longs));
	ok("singles", !have || BOTH(singles));
	ok("doubles", !have || BOTH(doubles));
	ok("from all over", !have || BOTH(indexed));
	ok("under a mask at a page's end", !have || masked(page()));
	ok("rounding of its own, and lanes that raise nothing", !have || rounding());
	ok("exceptions that are not masked", !have || unmasked());
	ok("XSAVE and its kin", !have || kept());
	ok("frames", !have || framed());
	ok("seen by a tracer", !have || traced());
	return done();
}
#else
int main(void)
{
	static const char *const checks[] = { "choices of 32 bits", "bytes", "16 bits", "64 bits", "singles", "doubles", "from all over", "under a mask at a page's end",
		"rounding of its own, and lanes that raise nothing", "exceptions that are not masked", "XSAVE and its kin", "frames", "seen by a tracer" };
	for (unsigned n = 0; n < sizeof checks / sizeof *checks; n++)
		ok(checks[n], 1);
	return done();
}
#endif
