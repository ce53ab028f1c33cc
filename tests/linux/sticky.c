/* Sticky flags of floating point: after each operation those that it raises are there, and no other; saved, cleared, restored in between. */
#include "ok.h"
#include <fenv.h>
#include <pthread.h>

static volatile double zero = 0, one = 1, three = 3, huge = 0x1.8p1023, least = 0x1p-1022, odd = 0x1.0000000000001p-1022;
static volatile float huge_f = 0x1.8p127f, least_f = 0x1p-126f, odd_f = 0x1.000002p-126f;
static volatile double sink;
static volatile float sink_f;
static volatile long sink_l;

/* An operation by number: what it raises. Each in a place of its own, so that most are met both where the flag is news and where it is not. */
__attribute__((noinline)) static int raise_one(unsigned n)
{
	switch (n % 12) {
	case 0: sink = one / zero; return FE_DIVBYZERO;
	case 1: sink = huge + huge; return FE_OVERFLOW | FE_INEXACT;
	case 2: sink = odd * (one / 4); return FE_UNDERFLOW | FE_INEXACT;
	case 3: sink = least * (one / 4); return 0;
	case 4: sink = zero / zero; return FE_INVALID;
	case 5: sink = one / three; return FE_INEXACT;
	case 6: sink_f = huge_f * huge_f; return FE_OVERFLOW | FE_INEXACT;
	case 7: sink_f = odd_f * 0.25f; return FE_UNDERFLOW | FE_INEXACT;
	case 8: sink_f = least_f * 0.25f; return 0;
	case 9: sink_f = (float)huge; return FE_OVERFLOW | FE_INEXACT;
	case 10: sink_l = (long)(one + 0.5); return FE_INEXACT;
	default: sink = one + three; return 0;
	}
}

static unsigned next(unsigned *seed) { return *seed = *seed * 1103515245 + 12345, *seed >> 16; }

/* How many of so many operations leave other flags than they should; `few`: mostly such as raise nothing new. */
static long wrong(unsigned seed, int rounds, int few)
{
	long n = 0;
	int all = 0, saved = 0;
	fexcept_t old;
	feclearexcept(FE_ALL_EXCEPT);
	fegetexceptflag(&old, FE_ALL_EXCEPT);
	for (int i = 0; i < rounds; i++) {
		unsigned kind = next(&seed);
		all |= raise_one(few && kind % 256 ? 5 : next(&seed));
		n += fetestexcept(FE_ALL_EXCEPT) != all;
		if (few && kind % 512 > 4)
			continue;
		switch (kind % 5) {
		case 0: feclearexcept(FE_ALL_EXCEPT), all = 0; break;
		case 1: feclearexcept(FE_UNDERFLOW), all &= ~FE_UNDERFLOW; break;
		case 2: fegetexceptflag(&old, FE_ALL_EXCEPT), saved = all; break;
		case 3: fesetexceptflag(&old, FE_ALL_EXCEPT), all = saved; break;
		}
		n += fetestexcept(FE_ALL_EXCEPT) != all;
	}
	return n;
}

static void *thread(void *seed) { return (void *)wrong((unsigned long)seed, 20000, 1); }

static volatile sig_atomic_t inside;
static void on_signal(int s)
{
	(void)s;
	raise_one(0);
	inside = fetestexcept(FE_ALL_EXCEPT);
}

int main(void)
{
	same("many flags: wrong ones", wrong(1, 20000, 0), 0);
	for (unsigned seed = 2; seed < 12; seed++)
		same("few flags: wrong ones", wrong(seed, 3000, 1), 0);
	pthread_t t[2];
	void *n[2];
	for (long i = 0; i < 2; i++)
		pthread_create(&t[i], 0, thread, (void *)(20 + i));
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], &n[i]);
	same("in threads: wrong ones", (long)n[0] + (long)n[1], 0);
	feclearexcept(FE_ALL_EXCEPT);
	raise_one(5), fetestexcept(FE_ALL_EXCEPT), raise_one(5);
	pid_t child = fork();
	if (child == 0)
		raise_one(0), _exit(fetestexcept(FE_ALL_EXCEPT) != (FE_INEXACT | FE_DIVBYZERO));
	same("a child's", ended(child), 0);
	same("and not its parent's", fetestexcept(FE_ALL_EXCEPT), FE_INEXACT);
	signal(SIGUSR1, on_signal);
	raise(SIGUSR1);
	same("a handler's", inside & FE_DIVBYZERO, FE_DIVBYZERO);
	same("are given up when it returns", fetestexcept(FE_ALL_EXCEPT), FE_INEXACT);
	return done();
}
