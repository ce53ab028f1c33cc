/* Loops that add up what stands in memory, or change it where it stands, forwards and backwards, at every alignment and up to memory that is not there or
   cannot be written: what they leave, and where they fault. */
#include "fault_at.h"
#include "ok.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGES = 3, OTHER = 1400, LEN = 1200 };
static unsigned char *memory, *begin, *end, *wanted;
static long page;
static volatile uint64_t sink;

#define LOOP __attribute__((noinline, optimize("no-tree-loop-distribute-patterns", "no-tree-vectorize", "no-unroll-loops")))
/* Elements in another order than that of memory. */
#define EACH(i, n) for (size_t k_ = 0, i = 0; k_ < (n); k_++, i = k_ * 1009 % (n))

/* Each sum, and the same in another order. `b` stands OTHER bytes further. */
#define SUM(name, type, result, update)                                             \
	LOOP static result name(const unsigned char *from, size_t n, result s)                  \
	{                                                                                      \
		const type *a = (const type *)from, *b = (const type *)(from + OTHER);              \
		for (size_t i = 0; i < n; i++)                                                      \
			update;                                                                         \
		(void)b;                                                                           \
		return s;                                                                          \
	}                                                                                      \
	static result name##_mixed(const unsigned char *from, size_t n, result s)              \
	{                                                                                      \
		const type *a = (const type *)from, *b = (const type *)(from + OTHER);              \
		EACH(i, n)                                                                          \
			update;                                                                         \
		(void)b;                                                                           \
		return s;                                                                          \
	}

SUM(bytes, uint8_t, uint32_t, s += a[i])
SUM(bytes_far, uint8_t, uint64_t, s += a[i])
SUM(signed_bytes, int8_t, int32_t, s += a[i])
SUM(halves, uint16_t, uint32_t, s += a[i])
SUM(words, uint32_t, uint32_t, s += a[i])
SUM(words_far, int32_t, int64_t, s += a[i])
SUM(long_words, uint64_t, uint64_t, s += a[i])
SUM(exclusive, uint8_t, uint8_t, s ^= a[i])
SUM(exclusive_words, uint32_t, uint32_t, s ^= a[i])
SUM(products_of_bytes, int8_t, int32_t, s += a[i] * b[i])
SUM(products, int16_t, int32_t, s += (uint32_t)(a[i] * b[i]))
SUM(distances, uint8_t, uint32_t, s += abs(a[i] - b[i]))
SUM(equal, uint8_t, uint32_t, s += a[i] == 0x41)
SUM(less, int32_t, int32_t, if (a[i] < b[i]) s++)
SUM(some, int32_t, uint32_t, if (a[i] > 1000) s += a[i])
SUM(least, int32_t, int32_t, if (a[i] < s) s = a[i])
SUM(greatest, uint8_t, uint32_t, s = a[i] > s ? a[i] : s)
SUM(weighed, uint8_t, uint32_t, s += 3 * a[i] - b[i])

#define TEST(name, type)                                                                     \
	static long name##_wrong(void)                                                          \
	{                                                                                       \
		long n = 0;                                                                         \
		for (unsigned round = 0; round < 300; round++) {                                    \
			unsigned char *from = memory + round * 13 % 61 / sizeof(type) * sizeof(type);   \
			size_t len = round * 7 % 613 % (LEN / sizeof(type));                            \
			for (size_t i = 0; i < LEN + OTHER + 64; i++)                                   \
				memory[i] = (i + round) * (i * round + 77) >> 3;                            \
			n += name(from, len, round * 3) != name##_mixed(from, len, round * 3);          \
		}                                                                                   \
		return n;                                                                           \
	}                                                                                       \
	static int name##_faults(size_t before)                                                 \
	{                                                                                       \
		fault_at = NULL;                                                                    \
		if (sigsetjmp(out, 1) == 0)                                                         \
			sink = name(end - OTHER - before, OTHER + 1700, 0);                             \
		return (unsigned char *)fault_at >= end && (unsigned char *)fault_at < end + sizeof(type); \
	}

#define ALL(do)                                                                                                        \
	do(bytes, uint8_t) do(bytes_far, uint8_t) do(signed_bytes, int8_t) do(halves, uint16_t) do(words, uint32_t)        \
	do(words_far, int32_t) do(long_words, uint64_t) do(exclusive, uint8_t) do(exclusive_words, uint32_t)               \
	do(products_of_bytes, int8_t) do(products, int16_t) do(distances, uint8_t) do(equal, uint8_t) do(less, int32_t)    \
	do(some, int32_t) do(least, int32_t) do(greatest, uint8_t) do(weighed, uint8_t)
ALL(TEST)

#define ENTRY(name, type) {#name, name##_wrong, name##_faults, sizeof(type)},
static const struct {
	const char *name;
	long (*wrong)(void);
	int (*faults)(size_t);
	unsigned size;
} sums[] = {ALL(ENTRY)};

/* Loops that change what stands at `p`; some read what stands at `q` as well. */
LOOP static void add(unsigned char *p_, const unsigned char *q, size_t n)
{
	int32_t *p = (int32_t *)p_;
	(void)q;
	for (size_t i = 0; i < n / 4; i++)
		p[i] += 77;
}

LOOP static void mask(unsigned char *p, const unsigned char *q, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] ^= q[i];
}

LOOP static void capitals(unsigned char *p, const unsigned char *q, size_t n)
{
	(void)q;
	for (size_t i = 0; i < n; i++)
		p[i] = p[i] >= 'a' && p[i] <= 'z' ? p[i] - 32 : p[i];
}

LOOP static void take(unsigned char *p_, const unsigned char *q_, size_t n)
{
	uint64_t *p = (uint64_t *)p_;
	const uint64_t *q = (const uint64_t *)q_;
	for (size_t i = 0; i < n / 8; i++)
		p[i] -= q[i];
}

LOOP static void average(unsigned char *p, const unsigned char *q, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (p[i] + q[i] + 1) >> 1;
}

LOOP static void back(unsigned char *p, const unsigned char *q, size_t n)
{
	while (n--)
		p[n] = q[n];
}

LOOP static void words_back(unsigned char *p_, const unsigned char *q_, size_t n)
{
	uint32_t *p = (uint32_t *)p_ + n / 4;
	const uint32_t *q = (const uint32_t *)q_ + n / 4;
	for (n /= 4; n--;)
		*--p = *--q;
}

LOOP static void turn_back(unsigned char *p_, const unsigned char *q, size_t n)
{
	uint16_t *p = (uint16_t *)p_;
	(void)q;
	for (n /= 2; n--;)
		p[n] = ~p[n] << 1;
}

static const struct {
	const char *name;
	void (*run)(unsigned char *, const unsigned char *, size_t);
	unsigned size;
	int back;
} changes[] = {
	{"a number is added", add, 4, 0},      {"a mask", mask, 1, 0},         {"capital letters", capitals, 1, 0},
	{"differences", take, 8, 0},           {"averages", average, 1, 0},    {"bytes backwards", back, 1, 1},
	{"words backwards", words_back, 4, 1}, {"turned backwards", turn_back, 2, 1},
};
enum { CHANGES = sizeof changes / sizeof *changes };

/* One element. */
static void change(int what, unsigned char *p, const unsigned char *q)
{
	changes[what].run(p, q, changes[what].size);
}

static unsigned char byte(size_t n)
{
	return n * 37 % 251 + 1;
}

/* How many changes of all lengths at all places leave something else than they should. */
static long wrong(int what)
{
	long n = 0;
	unsigned size = changes[what].size;
	size_t all = end - memory;
	for (unsigned round = 0; round < 500; round++) {
		static const int far[] = {2000, 600, 256, 255 - 7, 128, 64, 32, 8, -8, -32, -64, -256, -900};
		size_t len = round * 7 % 613 / size * size, p = 1024 + round * 13 % 61 / size * size;
		size_t q = p + far[round % 13] / (int)size * (int)size;
		for (size_t i = 0; i < all; i++)
			memory[i] = wanted[i] = byte(i + round);
		changes[what].run(memory + p, memory + q, len);
		for (size_t i = 0; i < len; i += size) {
			size_t at = changes[what].back ? len - size - i : i;
			change(what, wanted + p + at, wanted + q + at);
		}
		n += memcmp(memory, wanted, all) != 0;
	}
	return n;
}

/* Changes over the end, or the beginning: whether it faults there and nowhere else, and has done all before that. */
static int faults(int what, size_t before)
{
	size_t all = end - memory;
	unsigned size = changes[what].size;
	int is_back = changes[what].back;
	unsigned char *p = is_back ? memory - 2048 : end - before, *q = is_back ? memory + 4096 : memory;
	for (size_t i = 0; i < all; i++)
		memory[i] = wanted[i] = byte(i);
	fault_at = NULL;
	if (sigsetjmp(out, 1) == 0)
		changes[what].run(p, q, is_back ? 2048 + before : before + 2048);
	for (size_t i = 0; i < before; i += size) {
		size_t at = is_back ? before - size - i : i;
		change(what, (is_back ? wanted : wanted + all - before) + at, (is_back ? wanted + 4096 + 2048 : wanted) + at);
	}
	void *first = is_back ? memory - size : end;
	return fault_at == first && memcmp(memory, wanted, all) == 0;
}

int main(void)
{
	page = sysconf(_SC_PAGESIZE);
	begin = mmap(NULL, (PAGES + 2) * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memory = begin + page;
	wanted = malloc(PAGES * page);
	end = memory + PAGES * page;
	ok("memory that ends", mprotect(end, page, PROT_NONE) == 0 && mprotect(begin, page, PROT_NONE) == 0);
	note_faults();
	for (unsigned n = 0; n < sizeof sums / sizeof *sums; n++) {
		same(sums[n].name, sums[n].wrong(), 0);
		same(sums[n].name, sums[n].wrong(), 0);
		long missed = 0;
		for (size_t before = 0; before < 1500; before += before < 320 ? sums[n].size : 16 * sums[n].size)
			missed += !sums[n].faults(before);
		same("from what is not there", missed, 0);
	}
	for (int what = 0; what < CHANGES; what++) {
		same(changes[what].name, wrong(what), 0);
		same(changes[what].name, wrong(what), 0);
		for (int writing = 0; writing < 2; writing++) {
			mprotect(changes[what].back ? begin : end, page, writing ? PROT_READ : PROT_NONE);
			long n = 0;
			for (size_t before = 0; before < 2500; before += before < 320 ? changes[what].size : 16 * changes[what].size)
				n += !faults(what, before);
			same(writing ? "what is only read" : "what is not there", n, 0);
		}
		mprotect(begin, page, PROT_NONE);
		mprotect(end, page, PROT_NONE);
	}
	return done();
}
