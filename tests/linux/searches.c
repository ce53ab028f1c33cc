/* Loops that search memory, at every alignment and up to the last byte before a page that is not there: what they find, and where they fault. */
#include "fault_at.h"
#include "ok.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGES = 3 };
static unsigned char *memory, *end;
static long page;

/* (A compiler that knows these for the C library's would call it.) */
#define SEARCH __attribute__((noinline, optimize("no-tree-loop-distribute-patterns", "no-tree-vectorize", "no-unroll-loops")))

SEARCH static size_t length(const unsigned char *p)
{
	const unsigned char *at = p;
	while (*at)
		at++;
	return at - p;
}

SEARCH static size_t length_by_words(const unsigned char *p)
{
	const unsigned long ones = -1UL / 255;
	const unsigned long *at = (const unsigned long *)p;
	while (!((*at - ones) & ~*at & ones << 7))
		at++;
	return (const unsigned char *)at - p;
}

SEARCH static const unsigned char *find(const unsigned char *p, unsigned char c, size_t n)
{
	for (; n; n--, p++)
		if (*p == c)
			return p;
	return NULL;
}

SEARCH static const uint16_t *find_half(const uint16_t *p, const uint16_t *stop, unsigned c)
{
	while (p < stop && *p != c)
		p++;
	return p;
}

SEARCH static long compare(const unsigned char *p, const unsigned char *q)
{
	long n = 0;
	while (*p && *p == *q)
		p++, q++, n++;
	return n * 512 + *p - *q;
}

SEARCH static size_t same_words(const uint32_t *p, const uint32_t *q, size_t n)
{
	size_t i = 0;
	for (; i < n && p[i] == q[i]; i++)
		;
	return i;
}

/* How many searches of everything in all places give something else than they should. */
static long wrong(void)
{
	long n = 0;
	for (unsigned len = 0; len < 700; len = len < 300 ? len + 1 : len + 37)
		for (unsigned back = 0; back < 2; back++) {
			/* The end stands at the end of memory, or somewhere before it. */
			unsigned char *start = end - 1 - len - back * (page - 77);
			memset(memory, 'x', end - memory);
			start[len] = 0;
			n += length(start) != len;
			n += find(start, 0, len + 1) != start + len;
			n += find(start, 0, len) != NULL;
			n += find(start, 'y', len) != NULL;
			unsigned char *aligned = (unsigned char *)(((uintptr_t)start + 7) & -8L);
			if (aligned <= start + len)
				n += length_by_words(aligned) != ((size_t)(start + len - aligned) & -sizeof(long));
			uint16_t *half = (uint16_t *)(((uintptr_t)start + 1) & -2L), *last = (uint16_t *)((uintptr_t)(start + len) & -2L);
			n += find_half(half, (uint16_t *)((uintptr_t)end & -2L), 'x' * 256 + 'x' + 0x10000) != (uint16_t *)((uintptr_t)end & -2L);
			if (half <= last)
				n += find_half(half, last + 1, *last) != (*last == 'x' * 257 ? half : last);
			/* The other stands at the start of memory, unaligned against it. */
			unsigned char *other = memory + len % 29;
			if (other + len + 1 < start) {
				memcpy(other, start, len + 1);
				n += compare(other, start) != (long)len * 512;
				other[len / 2] ^= len > 1 ? 1 : 0;
				n += compare(other, start) != (len > 1 ? (long)(len / 2) * 512 + 'y' - 'x' : (long)len * 512);
				uint32_t *p = (uint32_t *)((uintptr_t)(start + 3) & -4L), *q = (uint32_t *)memory;
				size_t words = len / 4 ? len / 4 - 1 : 0;
				memcpy(q, p, words * 4);
				n += same_words(p, q, words) != words;
				if (words) {
					q[words / 3] ^= 1u << len % 32;
					n += same_words(p, q, words) != words / 3;
				}
			}
		}
	return n;
}

/* Runs over the end from so far before it: whether it faults there and nowhere else. */
static int faults(int what, size_t before)
{
	fault_at = NULL;
	memset(memory, 'x', end - memory);
	if (sigsetjmp(out, 1) == 0) {
		volatile size_t is = what == 0 ? length(end - before)
			: what == 1		? length_by_words(end - before)
			: what == 2		? (size_t)find(end - before, 'y', -1UL)
						: (size_t)compare(memory + 3, end - before);
		(void)is;
	}
	return fault_at == end;
}

int main(void)
{
	page = sysconf(_SC_PAGESIZE);
	memory = mmap(NULL, (PAGES + 1) * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	end = memory + PAGES * page;
	ok("memory that ends", mprotect(end, page, PROT_NONE) == 0);
	same("searches", wrong(), 0);
	same("once more", wrong(), 0);
	note_faults();
	for (int what = 0; what < 4; what++) {
		long n = 0;
		for (size_t before = 8; before < 5000; before += before < 300 ? 8 : 272)
			n += !faults(what, before);
		static const char *const names[] = {"bytes behind the end", "words behind it", "a byte that is not there", "two arrays"};
		same(names[what], n, 0);
	}
	return done();
}
