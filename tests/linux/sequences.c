/* Restartable sequences: counters of each processor that are added to without atomics, and code with sequences that comes later. */
#include "ok.h"
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>

struct area {
	uint32_t cpu_id_start, cpu_id;
	uint64_t rseq_cs;
	uint32_t flags, node_id, mm_cid, end[1];
};
#define SIG 0x0badf00d
#define THREADS 4
#define EACH 300000

static struct { long n; char pad[56]; } counters[1024];
static long otherwise;

/* Whether the number was added in a sequence; if not, the caller does it by an atomic. */
static int in_sequence(struct area *a, int cpu)
{
	void *at = &counters[cpu];
#if defined(__x86_64__)
	asm goto(".pushsection __rseq_cs, \"aw\"\n.balign 32\n3: .long 0, 0\n.quad 1f, 2f - 1f, 4f\n.popsection\n"
		 "leaq 3b(%%rip), %%rax\nmovq %%rax, 8(%[a])\n"
		 "1: cmpl %[cpu], 4(%[a])\njnz %l[not]\nmovq (%[at]), %%rax\naddq $1, %%rax\nmovq %%rax, (%[at])\n2:\n"
		 ".pushsection .text.aborts, \"ax\"\n.long %c[sig]\n4: jmp %l[not]\n.popsection\n"
		 :: [a] "r"(a), [cpu] "r"(cpu), [at] "r"(at), [sig] "i"(SIG) : "rax", "cc", "memory" : not);
	return 1;
#elif defined(__aarch64__)
	asm goto(".pushsection __rseq_cs, \"aw\"\n.balign 32\n3: .long 0, 0\n.quad 1f, 2f - 1f, 4f\n.popsection\n"
		 "adrp x9, 3b\nadd x9, x9, :lo12:3b\nstr x9, [%[a], 8]\n"
		 "1: ldr w9, [%[a], 4]\ncmp w9, %w[cpu]\nb.ne %l[not]\nldr x9, [%[at]]\nadd x9, x9, 1\nstr x9, [%[at]]\n2:\n"
		 ".pushsection .text.aborts, \"ax\"\n.long %c[sig]\n4: b %l[not]\n.popsection\n"
		 :: [a] "r"(a), [cpu] "r"(cpu), [at] "r"(at), [sig] "i"(SIG) : "x9", "cc", "memory" : not);
	return 1;
#endif
not:
	return 0;
}

static long rseq(void *area, unsigned len, int flags, unsigned sig) { return syscall(SYS_rseq, area, len, flags, sig); }

/* What the C library has registered gives its place. */
static void without_libc(void)
{
#if __GLIBC_PREREQ(2, 35)
	static volatile unsigned sigs[] = {0x53053053, 0xd428bc00, 0xe7f5def3, 0xf1401073};
	extern const ptrdiff_t __rseq_offset __attribute__((weak));
	extern const unsigned __rseq_size __attribute__((weak));
	if (&__rseq_offset && __rseq_size)
		for (int n = 0; n < 4; n++)
			rseq((char *)__builtin_thread_pointer() + __rseq_offset, 32, 1, sigs[n]);
#endif
}

static void *adds(void *unused)
{
	static __thread __attribute__((aligned(64))) struct area area = {.cpu_id = -1};
	without_libc();
	rseq(&area, 32, 0, SIG);
	for (int n = 0; n < EACH; n++)
		if ((int)area.cpu_id < 0 || !in_sequence(&area, *(volatile uint32_t *)&area.cpu_id_start))
			__atomic_fetch_add(&otherwise, 1, __ATOMIC_RELAXED);
	rseq(&area, 32, 1, SIG);
	return NULL;
}

static volatile unsigned later = 0x1badc0de;
static volatile int spins, stop;

static void *watches(void *good)
{
	static __thread __attribute__((aligned(64))) struct area area = {.cpu_id = -1};
	without_libc();
	if (rseq(&area, 32, 0, later) == 0)
		for (spins = 1; !stop; spins++)
			*(int *)good &= (int)*(volatile uint32_t *)&area.cpu_id < sysconf(_SC_NPROCESSORS_CONF);
	else
		*(int *)good = 0, spins = 1;
	*(int *)good &= rseq(&area, 32, 1, later) == 0 && area.cpu_id == -1u;
	return NULL;
}

int main(void)
{
	pthread_t t[THREADS];
	for (int n = 0; n < THREADS; n++)
		pthread_create(&t[n], NULL, adds, NULL);
	long sum = 0;
	for (int n = 0; n < THREADS; n++)
		pthread_join(t[n], NULL);
	for (int n = 0; n < 1024; n++)
		sum += counters[n].n;
	same("nothing is lost", sum + otherwise, THREADS * EACH);

	int good = 1, fd = open("sequences.code", O_RDWR | O_CREAT | O_TRUNC, 0700);
	unsigned words[2] = {0, later};
	pwrite(fd, words, 8, 4090), ftruncate(fd, 8192);
	pthread_create(&t[0], NULL, watches, &good);
	while (!spins)
		;
	int before = spins;
	char *code = mmap(NULL, 8192, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	ok("code that comes later", code != MAP_FAILED && !memcmp(code + 4090, words, 8));
	while (spins - before < 1000)
		;
	stop = 1;
	pthread_join(t[0], NULL);
	ok("and whoever is registered", good);
	unlink("sequences.code");
	return done();
}
