/* Repeated moves and stores: of all sizes, over one another in every way, and where a page must be asked for on the way. */
#include "ok.h"
#include <sys/mman.h>

#if defined __x86_64__ || defined __i386__
enum { SPACE = 4096, MOST = 330 };
static unsigned char wanted[SPACE], got[SPACE];

#define MOVE(suffix, to, from, n) do { void *t = (to); const void *f = (from); unsigned long c = (n); \
	__asm__ volatile("rep movs" suffix : "+D"(t), "+S"(f), "+c"(c) : : "memory"); \
	left = c, moved = (char *)t - (char *)(to), taken = (char *)f - (char *)(from); } while (0)
#define STORE(suffix, to, value, n) do { void *t = (to); unsigned long c = (n); \
	__asm__ volatile("rep stos" suffix : "+D"(t), "+c"(c) : "a"(value) : "memory"); \
	left = c, moved = (char *)t - (char *)(to); } while (0)

static unsigned long left;
static long moved, taken;

static void move(int size, void *to, const void *from, unsigned long n)
{
	if (size == 1) MOVE("b", to, from, n);
	if (size == 2) MOVE("w", to, from, n);
	if (size == 4) MOVE("l", to, from, n);
#ifdef __x86_64__
	if (size == 8) MOVE("q", to, from, n);
#endif
}

static void store(int size, void *to, unsigned long value, unsigned long n)
{
	if (size == 1) STORE("b", to, value, n);
	if (size == 2) STORE("w", to, value, n);
	if (size == 4) STORE("l", to, value, n);
#ifdef __x86_64__
	if (size == 8) STORE("q", to, value, n);
#endif
}

static void fill(unsigned char *p)
{
	for (int i = 0; i < SPACE; i++)
		p[i] = i * 7 + i / 256;
}

/* An element after the other, as the processor does. */
static void one_by_one(int size, unsigned char *to, const unsigned char *from, unsigned long n)
{
	for (; n; n--, to += size, from += size) {
		unsigned char element[8];
		for (int i = 0; i < size; i++)
			element[i] = from[i];
		for (int i = 0; i < size; i++)
			to[i] = element[i];
	}
}

static long wrong_moves(int size)
{
	long wrong = 0;
	for (int distance = -MOST; distance <= MOST; distance += distance > -40 && distance < 40 ? 1 : 13)
		for (unsigned bytes = 0; bytes <= MOST * 2; bytes = bytes < 80 ? bytes + size : bytes + size * 5) {
			unsigned long n = bytes / size;
			fill(wanted), fill(got);
			one_by_one(size, wanted + 700 + distance, wanted + 700, n);
			move(size, got + 700 + distance, got + 700, n);
			wrong += memcmp(wanted, got, SPACE) != 0 || left != 0 || moved != (long)n * size || taken != (long)n * size;
		}
	return wrong;
}

static long wrong_stores(int size)
{
	long wrong = 0;
	unsigned long value = (unsigned long)0x8877665544332211ull;
	for (unsigned n = 0; n <= MOST; n++) {
		fill(wanted), fill(got);
		for (unsigned i = 0; i < n * size; i++)
			wanted[100 + n % 17 + i] = value >> i % size * 8;
		store(size, got + 100 + n % 17, value, n);
		wrong += memcmp(wanted, got, SPACE) != 0 || left != 0 || moved != (long)n * size;
	}
	return wrong;
}

static char *page;
static volatile int faults;
static void give(int signo, siginfo_t *info, void *context)
{
	(void)signo, (void)context;
	faults++;
	if (faults > 1 || (uintptr_t)info->si_addr - (uintptr_t)page >= 4096)
		_exit(3);
	mprotect(page, 4096, PROT_READ | PROT_WRITE);
}

/* Moves whose source or target goes over into a page that is only there once it has been asked for. */
static long wrong_over_pages(int size)
{
	struct sigaction on = {.sa_sigaction = give, .sa_flags = SA_SIGINFO};
	sigaction(SIGSEGV, &on, 0);
	char *pages = mmap(0, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long wrong = 0;
	page = pages + 4096;
	for (int before = 0; before < 300; before += size * 3)
		for (int distance = -290; distance <= 290; distance += 29) {
			for (int i = 0; i < SPACE; i++)
				pages[4096 - SPACE / 2 + i] = wanted[i] = i * 5 + i / 256;
			unsigned long n = 304 / size;
			unsigned char *from = (unsigned char *)page - before;
			unsigned char *at = wanted + SPACE / 2 - before;
			one_by_one(size, at + distance, at, n);
			faults = 0;
			mprotect(page, 4096, PROT_READ);
			move(size, from + distance, from, n);
			mprotect(page, 4096, PROT_READ | PROT_WRITE);
			wrong += memcmp(wanted, pages + 4096 - SPACE / 2, SPACE) != 0 || moved != (long)n * size;
		}
	return wrong;
}

int main(void)
{
	long moves = 0, stores = 0, over_pages = 0;
	for (unsigned size = 1; size <= sizeof(long); size *= 2)
		moves += wrong_moves(size), stores += wrong_stores(size), over_pages += wrong_over_pages(size);
	same("moves", moves, 0);
	same("stores", stores, 0);
	same("moves into a page that is asked for", over_pages, 0);
	return done();
}
#else
int main(void) { return 0; }
#endif
