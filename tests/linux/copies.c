/* Loops that copy, fill and compute, at every alignment and distance and up to memory that is not there or cannot be written: what they leave, and where
   they fault. */
#include "fault_at.h"
#include "ok.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGES = 3 };
static unsigned char *memory, *end, *wanted;
static long page;

/* (A compiler that knows these for the C library's would call it.) */
#define LOOP __attribute__((noinline, optimize("no-tree-loop-distribute-patterns", "no-tree-vectorize", "no-unroll-loops")))

LOOP static void copy(unsigned char *to, const unsigned char *from, size_t n)
{
	for (; n; n--)
		*to++ = *from++;
}

LOOP static void copy_words(unsigned char *to_, const unsigned char *from_, size_t n)
{
	unsigned long *to = (unsigned long *)to_;
	const unsigned long *from = (const unsigned long *)from_, *stop = from + n / sizeof *from;
	for (; from != stop; from++)
		*to++ = *from;
}

/* (What is volatile is accessed in the order written here.) */
LOOP static void copy_four(unsigned char *to_, const unsigned char *from_, size_t n)
{
	volatile unsigned long *to = (unsigned long *)to_;
	const volatile unsigned long *from = (const unsigned long *)from_, *stop = from + n / sizeof *from / 4 * 4;
	for (; from != stop; from += 4, to += 4) {
		unsigned long a = from[0], b = from[1], c = from[2], d = from[3];
		to[0] = a, to[1] = b, to[2] = c, to[3] = d;
	}
}

/* Each round stores what the one before has loaded. */
LOOP static void copy_late(unsigned char *to_, const unsigned char *from_, size_t n)
{
	volatile unsigned long *to = (unsigned long *)to_;
	const volatile unsigned long *from = (const unsigned long *)from_, *stop = from + n / sizeof *from / 2 * 2;
	if (from == stop)
		return;
	unsigned long a = *from++, b;
	for (stop--; from != stop; from += 2, to += 2) {
		b = from[0], to[0] = a;
		a = from[1], to[1] = b;
	}
	b = from[0], to[0] = a, to[1] = b;
}

LOOP static void copy_text(unsigned char *to, const unsigned char *from, size_t n)
{
	(void)n;
	while ((*to++ = *from++))
		;
}

LOOP static void fill(unsigned char *to, const unsigned char *from, size_t n)
{
	unsigned c = from[0];
	for (unsigned char *stop = to + n; to != stop; to++)
		*to = c;
}

LOOP static void turn(unsigned char *to_, const unsigned char *from_, size_t n)
{
	uint16_t *to = (uint16_t *)to_;
	const uint16_t *from = (const uint16_t *)from_;
	for (size_t i = 0; i < n / 2; i++)
		to[i] = ~((from[i] << 3) + 0x1234);
}

static const struct {
	const char *name;
	void (*run)(unsigned char *, const unsigned char *, size_t);
	unsigned size;
} loops[] = {
	{"bytes", copy, 1},
	{"words", copy_words, sizeof(long)},
	{"four words a round", copy_four, 4 * sizeof(long)},
	{"words a round later", copy_late, 2 * sizeof(long)},
	{"text", copy_text, 1},
	{"a byte again and again", fill, 1},
	{"computed halves", turn, 2},
};
enum { LOOPS = sizeof loops / sizeof *loops };

static unsigned char byte(size_t n)
{
	return n % 251 + 1;
}

/* What the loop does to bytes, one element after the other; `limit` is where it stops early. */
static void slowly(int what, unsigned char *bytes, size_t to, size_t from, size_t n, size_t limit)
{
	unsigned size = what == 6 ? 2 : what >= 1 && what <= 3 ? sizeof(long) : 1;
	unsigned char first = bytes[from];
	for (size_t i = 0; i < n && to + i < limit; i += size) {
		unsigned char element[sizeof(long)];
		memcpy(element, bytes + from + i, size);
		if (what == 5)
			element[0] = first;
		if (what == 6) {
			uint16_t v;
			memcpy(&v, element, 2);
			v = ~((v << 3) + 0x1234);
			memcpy(element, &v, 2);
		}
		memcpy(bytes + to + i, element, size);
	}
}

/* How many copies of all lengths to all places leave something else than they should. */
static long wrong(int what)
{
	long n = 0;
	unsigned size = loops[what].size;
	size_t all = end - memory;
	for (unsigned round = 0; round < 900; round++) {
		size_t len = round * 7 % 613 / size * size, from = 1024 + round * 13 % 61 / (size & -size) * size;
		/* Words of one round are loaded before any is stored: less than a round's distance is another loop. */
		static const int far[] = {2000, 600, 256, 255 - 7, 128, 64, 32, -32, -64, -256, -900};
		size_t to = from + far[round % 11];
		if (what < 2 && round % 5 == 0)
			to = from + ((long)(round % 7) - 3) * size;
		if (what == 4 && (to < from ? from - to : to - from) <= len)
			to = from + 2000;
		for (size_t i = 0; i < all; i++)
			memory[i] = wanted[i] = byte(i + round);
		if (what == 4)
			memory[from + len] = wanted[from + len] = 0;
		loops[what].run(memory + to, memory + from, len);
		slowly(what, wanted, to, from, len + (what == 4), all);
		n += memcmp(memory, wanted, all) != 0;
	}
	return n;
}

/* Copies over the end, from or to so far before it: whether it faults there and nowhere else, and has done all before that. */
static int faults(int what, size_t before, int writing)
{
	size_t all = end - memory, to = writing ? all - before : 16, from = writing ? 16 : all - before;
	unsigned size = loops[what].size;
	for (size_t i = 0; i < all; i++)
		memory[i] = wanted[i] = byte(i);
	fault_at = NULL;
	if (sigsetjmp(out, 1) == 0)
		loops[what].run(memory + to, memory + from, before + 8 * size);
	size_t done = writing ? before : before / size * size;
	if (what == 3 && !writing && done)
		done -= sizeof(long);
	slowly(what, wanted, to, from, done, all);
	return fault_at == end && memcmp(memory, wanted, all) == 0;
}

int main(void)
{
	page = sysconf(_SC_PAGESIZE);
	memory = mmap(NULL, (PAGES + 1) * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	wanted = malloc(PAGES * page);
	end = memory + PAGES * page;
	ok("memory that ends", mprotect(end, page, PROT_NONE) == 0);
	note_faults();
	for (int what = 0; what < LOOPS; what++) {
		same(loops[what].name, wrong(what), 0);
		same(loops[what].name, wrong(what), 0);
		for (int writing = 0; writing < 2; writing++) {
			mprotect(end, page, writing ? PROT_READ : PROT_NONE);
			long n = 0;
			for (size_t before = 0; before < 3000; before += before < 320 ? loops[what].size : 16 * loops[what].size)
				n += (what != 5 || writing) && !faults(what, before, writing);
			same(writing ? "to what is only read" : "from what is not there", n, 0);
		}
		mprotect(end, page, PROT_NONE);
	}
	return done();
}
