/* Control that leaves the order of calls and returns: longjmp, coroutines, deep recursion, a stack of one's own. */
#include "ok.h"
#include <pthread.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <ucontext.h>

static jmp_buf there;
static int __attribute__((noinline)) dive(int n, int value)
{
	if (n <= 0)
		longjmp(there, value);
	return n > 1000 ? 0 : dive(n - 1, value) + 1;
}

static void long_jumps(void)
{
	volatile int rounds = 0;
	volatile double kept = 1.5;
	int value = setjmp(there);
	if (value < 1000) {
		rounds++;
		kept += 1;
		dive(value % 60, value + 1);
	}
	ok("longjmp out of many calls", rounds == 1000 && value == 1000 && kept == 1001.5);
	if (setjmp(there) == 0)
		longjmp(there, 0);
	else
		ok("longjmp makes 0 a 1", 1);
}

enum { COROUTINES = 5, TURNS = 2000 };
static ucontext_t scheduler, context[COROUTINES];
static char stacks[COROUTINES][65536];
static long sums[COROUTINES];
static int alive;

static int __attribute__((noinline)) yield_deep(int me, int n)
{
	if (n > 0)
		return yield_deep(me, n - 1) + 1;
	swapcontext(&context[me], &scheduler);
	return 0;
}

static void coroutine(int me, int step)
{
	for (int i = 0; i < TURNS; i++)
		sums[me] += step + yield_deep(me, i % 20) - i % 20;
	alive--;
}

static void coroutines(void)
{
	for (int i = 0; i < COROUTINES; i++) {
		getcontext(&context[i]);
		context[i].uc_stack.ss_sp = stacks[i];
		context[i].uc_stack.ss_size = sizeof stacks[i];
		context[i].uc_link = &scheduler;
		makecontext(&context[i], (void (*)(void))coroutine, 2, i, i + 1);
		alive++;
	}
	while (alive)
		for (int i = 0; i < COROUTINES; i++)
			swapcontext(&scheduler, &context[i]);
	int right = 1;
	for (int i = 0; i < COROUTINES; i++)
		right &= sums[i] == (long)TURNS * (i + 1);
	ok("coroutines", right);
}

static volatile long sink;
static long __attribute__((noinline)) deep(long n) { return n == 0 ? sink : deep(n - 1) + (n & 1) + sink; }
static long __attribute__((noinline)) odd_and_even(long n, int odd);
static long (*volatile indirect)(long, int) = odd_and_even;
static long __attribute__((noinline)) odd_and_even(long n, int odd) { return n == 0 ? odd + sink : indirect(n - 1, !odd) + sink; }

static void *on_big_stack(void *unused)
{
	int right = 1;
	for (int i = 0; i < 3; i++)
		right &= deep(1000000) == 500000;
	ok("recursion, a million deep", right);
	same("indirect recursion", odd_and_even(300001, 0), 1);
	return unused;
}

/* a generator: two sides that longjmp to each other on two stacks */
static jmp_buf left, right;
static ucontext_t main_context, side_context;
static volatile int produced;
static void side(void)
{
	if (setjmp(right) == 0)
		swapcontext(&side_context, &main_context);
	for (;;) {
		produced++;
		if (setjmp(right) == 0)
			longjmp(left, 1);
	}
}

int main(void)
{
	long_jumps();
	coroutines();
	pthread_attr_t attributes;
	pthread_t thread;
	size_t size = 256u << 20;
	pthread_attr_init(&attributes);
	pthread_attr_setstack(&attributes, mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0), size);
	pthread_create(&thread, &attributes, on_big_stack, NULL);
	pthread_join(thread, NULL);
	getcontext(&side_context);
	side_context.uc_stack.ss_sp = stacks[0];
	side_context.uc_stack.ss_size = sizeof stacks[0];
	makecontext(&side_context, side, 0);
	swapcontext(&main_context, &side_context);
	volatile int asked = 0;
	while (asked < 5000) {
		asked++;
		if (setjmp(left) == 0)
			longjmp(right, 1);
	}
	same("jumps between stacks", produced, 5000);
	return done();
}
