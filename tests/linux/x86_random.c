/* RDRAND and RDSEED: numbers of each size, other ones each time, in each thread and in each process, and the flags that say so. */
#include "ok.h"

#if defined __x86_64__ || defined __i386__
#include <cpuid.h>
#include <pthread.h>
#include <sys/mman.h>

typedef unsigned long word;
enum { CONDITIONS = 0x8d5, CARRY = 1, MANY = 64, PATIENCE = 1000000 };

/* A number in a register that had all ones, all condition flags but CF set: what came, and the flags. AL's INC overflows by 0x7f; SAHF sets the others. */
#define DRAW(insn, operand, r, flags) do { word v_ = -1ul, f_; \
	__asm__ volatile("mov $0x7f, %%al; inc %%al; mov $0xd4, %%ah; sahf; " insn " " operand "; pushf; pop %1" \
		: "+&c"(v_), "=&d"(f_) : : "eax", "cc"); \
	r = v_, flags = f_; } while (0)
#define DRAW_OF(insn, size, r, flags) do { \
	if (size == 2) DRAW(insn, "%%cx", r, flags); \
	else if (size == 4) DRAW(insn, "%%ecx", r, flags); \
	else DRAW(insn, "%0", r, flags); } while (0)

/* One draw, and whether the flags are right: CF alone, or none and zero. There may be none for a while. */
static int draw(int seed, int size, word *r)
{
	word flags;
	for (int i = 0; i < PATIENCE; i++) {
		if (seed)
			DRAW_OF("rdseed", size, *r, flags);
		else
			DRAW_OF("rdrand", size, *r, flags);
		if (flags & CARRY)
			return (flags & CONDITIONS) == CARRY;
		word mask = size == 2 ? 0xffff : size == 4 ? 0xffffffff : -1ul;
		if ((flags & CONDITIONS) != 0 || (*r & mask) != 0)
			return 0;
	}
	return 0;
}

static int compare(const void *a, const void *b)
{
	word x = *(const word *)a, y = *(const word *)b;
	return (x > y) - (x < y);
}

static int distinct(word *of, int n)
{
	int count = n > 0;
	qsort(of, n, sizeof *of, compare);
	for (int i = 1; i < n; i++)
		count += of[i] != of[i - 1];
	return count;
}

/* What holds for every size. */
static struct {
	int flags, above, bits, others;
} holds;

static void size_of(int seed, int size)
{
	word drawn[MANY], ones = 0, zeros = 0, mask = size == 2 ? 0xffff : size == 4 ? 0xffffffff : -1ul;
	/* 16 bits leave what is above, 32 bits clear it. */
	word above = size == 2 ? ~mask : 0;
	for (int i = 0; i < MANY; i++) {
		holds.flags &= draw(seed, size, &drawn[i]);
		holds.above &= (drawn[i] & ~mask) == above;
		ones |= drawn[i], zeros |= ~drawn[i];
	}
	holds.bits &= (ones & mask) == mask && (zeros & mask) == mask;
	holds.others &= distinct(drawn, MANY) >= (size == 2 ? MANY - 8 : MANY);
}

/* An instruction that the processor lacks is not asked. */
static void sizes(const char *insn, int seed, int has)
{
	char what[60];
	holds.flags = holds.above = holds.bits = holds.others = 1;
	for (unsigned size = 2; size <= sizeof(word) && has; size *= 2)
		size_of(seed, size);
	snprintf(what, sizeof what, "%s: flags", insn);
	ok(what, holds.flags);
	snprintf(what, sizeof what, "%s: what is above", insn);
	ok(what, holds.above);
	snprintf(what, sizeof what, "%s: each bit is both", insn);
	ok(what, holds.bits);
	snprintf(what, sizeof what, "%s: other numbers", insn);
	ok(what, holds.others);
}

/* What each of several draws, one behind another. */
static int has_random;
static word *all;
static void *fill(void *from)
{
	for (int i = 0; i < MANY && has_random; i++)
		draw(0, sizeof(word), (word *)from + i);
	return NULL;
}

static void apart(const char *what, int parts)
{
	same(what, has_random ? distinct(all, parts * MANY) : parts * MANY, parts * MANY);
}

static void others(void)
{
	pthread_t threads[2];
	all = mmap(NULL, 3 * MANY * sizeof *all, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, fill, all + (i + 1) * MANY);
	fill(all);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	apart("threads draw apart", 3);
	for (int i = 1; i < 3; i++)
		if (fork() == 0) {
			fill(all + i * MANY);
			_exit(0);
		}
	fill(all);
	while (wait(NULL) > 0)
		;
	apart("processes draw apart", 3);
	pid_t child = vfork();
	if (child == 0) {
		fill(all);
		_exit(0);
	}
	ended(child);
	fill(all + MANY);
	apart("so does a child that has its parent's memory", 2);
}

int main(void)
{
	unsigned a, b, c, d;
	int has[2] = {has_random = __get_cpuid(1, &a, &b, &c, &d) && c & bit_RDRND, __get_cpuid_count(7, 0, &a, &b, &c, &d) && b & bit_RDSEED};
	sizes("rdrand", 0, has[0]), sizes("rdseed", 1, has[1]);
	others();
	return done();
}
#else
int main(void) { return 0; }
#endif
