/* Loops that call small functions: the functions become part of the loop's code, and must still be left and entered as ever. */
#include "ok.h"
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/time.h>

#define APART __attribute__((noinline, noclone))
enum { ROUNDS = 200000 };

static volatile uint32_t odd = 1;

static APART uint32_t leaf(uint32_t x)
{
	return (x ^ x >> 3) + odd;
}

static APART uint32_t middle(uint32_t x)
{
	return x & 1 ? leaf(x) * 3 : leaf(x + 7) - 1;
}

static APART uint32_t outer(uint32_t x)
{
	return middle(x) + leaf(x);
}

static uint32_t plain(uint32_t x)
{
	return (x ^ x >> 3) + 1;
}

static APART void nested(void)
{
	uint32_t sum = 1, expected = 1;
	for (uint32_t i = 0; i < ROUNDS; i++)
		sum = sum * 5 + leaf(sum) + outer(sum + i) + leaf(i);
	for (uint32_t i = 0; i < ROUNDS; i++) {
		uint32_t x = expected + i, m = x & 1 ? plain(x) * 3 : plain(x + 7) - 1;
		expected = expected * 5 + plain(expected) + m + plain(x) + plain(i);
	}
	ok("a function is called from many places", sum == expected);
}

static APART uint32_t fibonacci(uint32_t n)
{
	return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

static APART void recursion(void)
{
	uint32_t sum = 0;
	for (uint32_t i = 0; i < 3000; i++)
		sum += fibonacci(i % 12);
	ok("recursion within a loop", sum == 3000 / 12 * 232);
}

static jmp_buf there;
static APART uint32_t leaves_at(uint32_t i, uint32_t end)
{
	if (i == end)
		longjmp(there, 1);
	return i * odd;
}

static APART void jumps_out(void)
{
	volatile uint32_t jumps = 0, sum = 0;
	volatile uint32_t from = 0;
	if (setjmp(there)) {
		jumps++;
		from += 10000;
	}
	for (uint32_t i = from; i < ROUNDS; i++)
		sum += leaves_at(i, from + 10000) & 1;
	ok("longjmp out of it", jumps == ROUNDS / 10000 - 1 && sum == ROUNDS / 2);
}

static char *page;
static volatile int faults;
static void mend(int sig, siginfo_t *info, void *context)
{
	(void)sig, (void)context;
	faults++;
	mprotect((char *)((uintptr_t)info->si_addr & -4096l), 4096, PROT_READ | PROT_WRITE);
}

static APART uint32_t store(uint32_t at, uint32_t x)
{
	*(volatile uint32_t *)(page + at) += x;
	return x + 1;
}

static APART void faults_inside(void)
{
	struct sigaction action = { .sa_sigaction = mend, .sa_flags = SA_SIGINFO };
	sigaction(SIGSEGV, &action, 0);
	page = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint32_t sum = 0;
	for (uint32_t i = 0; i < ROUNDS; i++) {
		if (i % 5000 == 4999)
			mprotect(page, 4096, PROT_READ);
		sum += store(i % 16 * 4, i) - i;
	}
	uint32_t all = 0, expected = 0;
	for (int i = 0; i < 16; i++)
		all += ((uint32_t *)page)[i];
	for (uint32_t i = 0; i < ROUNDS; i++)
		expected += i;
	ok("faults in it", faults == ROUNDS / 5000 && sum == ROUNDS && all == expected);
}

static volatile sig_atomic_t ticks;
static void tick(int sig)
{
	(void)sig;
	ticks++;
}

static APART void interrupted(void)
{
	struct itimerval often = { { 0, 500 }, { 0, 500 } }, never = { { 0, 0 }, { 0, 0 } };
	signal(SIGALRM, tick);
	setitimer(ITIMER_REAL, &often, 0);
	uint32_t x = 1, rounds = 0;
	while (ticks < 50 && ++rounds)
		x = leaf(x) * 5 + 1;
	setitimer(ITIMER_REAL, &never, 0);
	uint32_t expected = 1;
	for (uint32_t i = 0; i < rounds; i++)
		expected = plain(expected) * 5 + 1;
	ok("signals in it", x == expected);
}

/* A function that most often calls nothing, and sometimes one that is far too large to become part of it. */
static APART uint32_t sometimes(uint32_t i)
{
	char text[32];
	if (i % 1000 == 999)
		return (uint32_t)snprintf(text, sizeof text, "%u", i);
	return i & 3;
}

static APART void calls_elsewhere(void)
{
	uint32_t sum = 0, expected = 0;
	for (uint32_t i = 0; i < ROUNDS; i++)
		sum += sometimes(i);
	for (uint32_t i = 0; i < ROUNDS; i++)
		expected += i % 1000 == 999 ? (i > 99999) + (i > 9999) + (i > 999) + 3 : i & 3;
	ok("calls of others in it", sum == expected);
}

int main(void)
{
	nested();
	recursion();
	jumps_out();
	faults_inside();
	interrupted();
	calls_elsewhere();
	return done();
}
