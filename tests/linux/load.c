/* Signals at 1 kHz over running code: integer, floating-point and vector registers and flags come through every return. */
#include "ok.h"
#include <math.h>
#include <pthread.h>
#include <sys/time.h>
#include <time.h>

static volatile sig_atomic_t ticks;
static volatile double dirt = 1.0;

/* Leaves nothing as it was: flags, integer and floating-point registers. */
static void tick(int number)
{
	(void)number;
	ticks++;
	for (int i = 0; i < 20; i++)
		dirt = sqrt(dirt + i) * 1.000001;
	int saved = errno;
	errno = 9999;
	getppid();
	errno = saved;
}

static uint64_t integers(int n)
{
	uint64_t a = 1, b = 2, c = 3, d = 4, e = 5, f = 6;
	for (int i = 0; i < n; i++) {
		a += b ^ (c << 3), b -= d * 7, c ^= a >> 5, d += e | f, e = e * 6364136223846793005u + (a > b), f -= (int64_t)a < (int64_t)c;
	}
	return a ^ b ^ c ^ d ^ e ^ f;
}

static double reals(int n)
{
	double a = 1, b = 0.5, c = 2.25, d = 1e-3;
	float s = 1, t = 0.25f;
	for (int i = 0; i < n; i++) {
		a = a * 0.999999 + b, b = b / (1 + d * d), c = sqrt(c * c + 1e-6), d = -d + (a > c ? 1e-4 : -1e-4);
		s = s * 0.99f + t, t = t + 1e-4f * (float)d;
	}
	/* What is returned has no more bits than what is kept. */
	volatile double sum = a + b + c + d + s + t;
	return sum;
}

typedef int32_t lanes __attribute__((vector_size(16)));
static int32_t vectors(int n)
{
	lanes a = {1, 2, 3, 4}, b = {5, 6, 7, 8}, c = {9, 10, 11, 12};
	for (int i = 0; i < n; i++)
		a += b * 3, b ^= c - a, c = (c << 1) + (a & b);
	a ^= b ^ c;
	return a[0] ^ a[1] ^ a[2] ^ a[3];
}

/* Every register that can be named holds a pattern while the timer fires; none may change. */
#if defined(__aarch64__)
static int registers(long spins)
{
	uint64_t wrong;
	__asm__ volatile(
		"mov x1, #0x1111\n movk x1, #0x2222, lsl #48\n"
		"add x2, x1, #1\n add x3, x1, #2\n add x4, x1, #3\n add x5, x1, #4\n add x6, x1, #5\n add x7, x1, #6\n add x9, x1, #7\n"
		"add x10, x1, #8\n add x11, x1, #9\n add x12, x1, #10\n add x13, x1, #11\n add x14, x1, #12\n add x15, x1, #13\n"
		"dup v0.2d, x1\n dup v1.2d, x2\n dup v2.2d, x3\n dup v16.2d, x4\n dup v31.2d, x5\n mov v31.d[1], x6\n"
		"1: cmp x1, x2\n b.hs 9f\n"
		"subs %[n], %[n], #1\n b.ne 1b\n"
		"mov %[w], #0\n"
		"sub x16, x2, x1\n cmp x16, #1\n cinc %[w], %[w], ne\n"
		"sub x16, x15, x1\n cmp x16, #13\n cinc %[w], %[w], ne\n sub x16, x14, x1\n cmp x16, #12\n cinc %[w], %[w], ne\n"
		"sub x16, x13, x3\n cmp x16, #9\n cinc %[w], %[w], ne\n sub x16, x12, x4\n cmp x16, #7\n cinc %[w], %[w], ne\n"
		"sub x16, x11, x5\n cmp x16, #5\n cinc %[w], %[w], ne\n sub x16, x10, x6\n cmp x16, #3\n cinc %[w], %[w], ne\n"
		"sub x16, x9, x7\n cmp x16, #1\n cinc %[w], %[w], ne\n"
		"umov x16, v0.d[1]\n cmp x16, x1\n cinc %[w], %[w], ne\n umov x16, v1.d[0]\n cmp x16, x2\n cinc %[w], %[w], ne\n"
		"umov x16, v2.d[1]\n cmp x16, x3\n cinc %[w], %[w], ne\n umov x16, v16.d[1]\n cmp x16, x4\n cinc %[w], %[w], ne\n"
		"umov x16, v31.d[0]\n cmp x16, x5\n cinc %[w], %[w], ne\n umov x16, v31.d[1]\n cmp x16, x6\n cinc %[w], %[w], ne\n"
		"b 8f\n 9: mov %[w], #99\n 8:\n"
		: [w] "=&r"(wrong), [n] "+r"(spins) :
		: "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "v0", "v1", "v2", "v16", "v31", "cc");
	return (int)wrong;
}
#elif defined(__arm__) && __ARM_ARCH >= 7
static int registers(long spins)
{
	int wrong;
	__asm__ volatile(
		"mov r1, #0x11\n orr r1, r1, #0x22000000\n add r2, r1, #1\n add r3, r1, #2\n add r4, r1, #3\n add r5, r1, #4\n add r6, r1, #5\n"
		"add r8, r1, #7\n vmov d0, r1, r2\n vmov d7, r3, r4\n vmov d31, r5, r6\n vmov d16, r6, r1\n"
		"1: cmp r1, r2\n bhs 9f\n subs %[n], %[n], #1\n bne 1b\n"
		"mov %[w], #0\n"
		"sub r12, r8, r1\n cmp r12, #7\n it ne\n addne %[w], %[w], #1\n sub r12, r6, r2\n cmp r12, #4\n it ne\n addne %[w], %[w], #1\n"
		"sub r12, r5, r3\n cmp r12, #2\n it ne\n addne %[w], %[w], #1\n"
		"vmov r12, r8, d0\n cmp r12, r1\n it ne\n addne %[w], %[w], #1\n cmp r8, r2\n it ne\n addne %[w], %[w], #1\n"
		"vmov r12, r8, d7\n cmp r12, r3\n it ne\n addne %[w], %[w], #1\n cmp r8, r4\n it ne\n addne %[w], %[w], #1\n"
		"vmov r12, r8, d31\n cmp r12, r5\n it ne\n addne %[w], %[w], #1\n cmp r8, r6\n it ne\n addne %[w], %[w], #1\n"
		"vmov r12, r8, d16\n cmp r12, r6\n it ne\n addne %[w], %[w], #1\n cmp r8, r1\n it ne\n addne %[w], %[w], #1\n"
		"b 8f\n 9: mov %[w], #99\n 8:\n"
		: [w] "=&r"(wrong), [n] "+r"(spins) :
		: "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r12", "d0", "d7", "d16", "d31", "cc");
	return wrong;
}
#else
static int registers(long spins)
{
	for (volatile long i = 0; i < spins; i++)
		;
	return 0;
}
#endif

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static volatile int stop;
static uint64_t integer_truth;
static double real_truth;
static int32_t vector_truth;
static volatile int wrong[4];

static void *work(void *unused)
{
	while (!stop) {
		wrong[0] += integers(20000) != integer_truth;
		wrong[1] += reals(20000) != real_truth;
		wrong[2] += vectors(20000) != vector_truth;
		wrong[3] += registers(50000);
	}
	return unused;
}

int main(void)
{
	integer_truth = integers(20000), real_truth = reals(20000), vector_truth = vectors(20000);
	struct sigaction action = {.sa_handler = tick, .sa_flags = SA_RESTART};
	sigaction(SIGALRM, &action, NULL);
	sigaction(SIGUSR1, &action, NULL);
	struct itimerval often = {{0, 1000}, {0, 1000}};
	pthread_t thread[2];
	for (int i = 0; i < 2; i++)
		pthread_create(&thread[i], NULL, work, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	/* Two seconds, more where a loaded machine gives little of them. */
	for (double end = now() + 2; now() < end || ticks <= 300 && now() < end + 30;) {
		wrong[0] += integers(20000) != integer_truth;
		wrong[3] += registers(50000);
		pthread_kill(thread[0], SIGUSR1);
		pthread_kill(thread[1], SIGUSR1);
	}
	often = (struct itimerval){{0, 0}, {0, 0}};
	setitimer(ITIMER_REAL, &often, NULL);
	stop = 1;
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	ok("the timer fired", ticks > 300);
	same("integers", wrong[0], 0);
	same("reals", wrong[1], 0);
	same("vectors", wrong[2], 0);
	same("registers", wrong[3], 0);
	return done();
}
