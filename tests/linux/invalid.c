/* Invalid operations of floating point: they give NaNs and set a flag, however many there are, and no signal comes of them. */
#include "ok.h"
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile double infinite = INFINITY, zero = 0, one = 1, minus = -1;
static volatile sig_atomic_t signals;
static void on_signal(int s) { (void)s, signals++; }

static uint64_t bits(double x)
{
	uint64_t b;
	memcpy(&b, &x, sizeof b);
	return b;
}

/* The NaN that an invalid operation gives. */
static uint64_t made(void)
{
#if defined __x86_64__ || defined __i386__
	return 0xfff8000000000000;
#else
	return 0x7ff8000000000000;
#endif
}

/* How many of so many rounds of five operations do not give what they should. */
static long wrong(int rounds)
{
	long n = 0;
	for (int i = 0; i < rounds; i++) {
		double of[] = {infinite - infinite, infinite * zero, zero / zero, infinite / infinite, sqrt(minus)};
		for (unsigned k = 0; k < 5; k++)
#ifdef __SOFTFP__
			n += !isnan(of[k]);
#else
			n += bits(of[k]) != made();
#endif
		n += !(one + i > i) + (bits(one * 3) != bits(3.0));
	}
	return n;
}

/* Whether the processor's flag of invalid operations is set; it is cleared. */
static int flag(void)
{
	unsigned long was;
#if defined __aarch64__
	__asm__ volatile("mrs %0, fpsr; msr fpsr, xzr" : "=r"(was));
	return was & 1;
#elif defined __SOFTFP__
	return 0;
#elif defined __arm__
	__asm__ volatile("vmrs %0, fpscr" : "=r"(was));
	__asm__ volatile("vmsr fpscr, %0" : : "r"(was & ~1ul));
	return was & 1;
#elif defined __riscv
	__asm__ volatile("csrrwi %0, fflags, 0" : "=r"(was));
	return was >> 4 & 1;
#elif defined __x86_64__
	unsigned control, clear;
	__asm__ volatile("stmxcsr %0" : "=m"(control));
	clear = control & ~0x3f;
	__asm__ volatile("ldmxcsr %0" : : "m"(clear));
	return control & 1;
#else
	unsigned short status;
	__asm__ volatile("fnstsw %0; fnclex" : "=a"(status));
	return status & 1;
#endif
}

/* Whether a sum sets the flag. Where the program computes by itself, which has none, it is what is invalid that counts. */
static int flagged(double a, double b)
{
#ifdef __SOFTFP__
	return isinf(a) && isinf(b) && isnan(a + b);
#endif
	flag();
	volatile double sum = a + b;
	(void)sum;
	return flag();
}

static void *thread(void *rounds) { return (void *)wrong((int)(intptr_t)rounds); }

int main(void)
{
	signal(SIGFPE, on_signal);
	ok("a difference of infinities is invalid", flagged(infinite, -infinite));
	ok("a sum with infinity is not", !flagged(one, infinite));
	ok("a sum with a NaN is not", !flagged(NAN, one));
	ok("results are the NaN that there is for it", wrong(3) == 0);

	/* With the signal blocked. */
	sigset_t set;
	sigemptyset(&set), sigaddset(&set, SIGFPE), sigaddset(&set, SIGTRAP);
	sigprocmask(SIG_BLOCK, &set, 0);
	ok("with the signal blocked, too", wrong(3) == 0);
	sigprocmask(SIG_UNBLOCK, &set, 0);

	/* A NaN that comes through is the one that went in. */
	double in;
	uint64_t payload = 0x7ff8123456789abc;
	memcpy(&in, &payload, sizeof in);
	volatile double through = in;
	through = through * 2 + one;
#ifdef __riscv
	payload = made();
#endif
	ok("a NaN comes through", bits(through) == payload);

	/* In threads and in a child, so often that nobody would take a trap for each. */
	pthread_t t[2];
	for (int i = 0; i < 2; i++)
		pthread_create(&t[i], 0, thread, (void *)(intptr_t)100000);
	long lost = wrong(100000);
	for (int i = 0; i < 2; i++) {
		void *result;
		pthread_join(t[i], &result);
		lost += (long)result;
	}
	ok("in threads, very often", lost == 0);
	ok("the flag is still set", flagged(infinite, -infinite));
	ok("and not without reason", !flagged(one, infinite));
	pid_t child = fork();
	if (child == 0)
		_exit(wrong(1000) != 0 || !flagged(infinite, -infinite) || flagged(one, one));
	int status;
	ok("in a child", waitpid(child, &status, 0) == child && status == 0);
	ok("no signal comes of it", signals == 0);
	return done();
}
