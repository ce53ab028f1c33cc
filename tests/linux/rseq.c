/* rseq(2): what the kernel writes into a thread's area, and who may register. */
#include "ok.h"
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stddef.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>

struct area {
	uint32_t cpu_id_start, cpu_id;
	uint64_t rseq_cs;
	uint32_t flags, node_id, mm_cid, end[1];
};
/* In data: code that holds it would look like a sequence. */
static volatile unsigned SIG = 0x1badc0de;
static volatile unsigned libc_sigs[] = {0x53053053, 0xd428bc00, 0xe7f5def3, 0xf1401073};

static long rseq(void *area, unsigned len, int flags, unsigned sig) { return syscall(SYS_rseq, area, len, flags, sig); }

/* The area's number after a move to each processor that there is. */
static int follows(volatile struct area *a)
{
	cpu_set_t all, one;
	int good = 1;
	sched_getaffinity(0, sizeof all, &all);
	for (int round = 0; round < 50; round++)
		for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
			if (CPU_ISSET(cpu, &all)) {
				CPU_ZERO(&one);
				CPU_SET(cpu, &one);
				sched_setaffinity(0, sizeof one, &one);
				good &= a->cpu_id == cpu && a->cpu_id_start == cpu && sched_getcpu() == cpu;
			}
	sched_setaffinity(0, sizeof all, &all);
	return good;
}

static void *thread(void *unused)
{
	static __attribute__((aligned(64))) struct area area, other;
	/* the C library has registered one of its own, unless it is old or has none for this processor */
	ptrdiff_t *offset = NULL;
	unsigned *size = NULL;
#if __GLIBC_PREREQ(2, 35)
	extern const ptrdiff_t __rseq_offset __attribute__((weak));
	extern const unsigned __rseq_size __attribute__((weak));
	offset = (void *)&__rseq_offset, size = (void *)&__rseq_size;
#endif
	int libc = offset && size && *size;
	if (libc) {
		struct area *a = (void *)((char *)__builtin_thread_pointer() + *offset);
		ok("libc's area", follows(a));
#if defined(__x86_64__)
		unsigned sig = libc_sigs[0];
#elif defined(__aarch64__)
		unsigned sig = libc_sigs[1];
#elif defined(__arm__)
		unsigned sig = libc_sigs[2];
#else
		unsigned sig = libc_sigs[3];
#endif
		fails("another area", rseq(&area, 32, 0, sig), EINVAL);
		fails("the same again", rseq(a, 32, 0, sig), EBUSY);
		fails("the same with another signature", rseq(a, 32, 0, sig + 1), EPERM);
		fails("unregister with another signature", rseq(a, 32, 1, sig + 1), EPERM);
		same("unregister libc's", rseq(a, 32, 1, sig), 0);
		same("no number then", a->cpu_id, -1u);
	} else {
		for (int n = 0; n < 7; n++)
			printf("ok %s\n", (const char *[]){"libc's area", "another area", "the same again", "the same with another signature",
				"unregister with another signature", "unregister libc's", "no number then"}[n]);
	}
	fails("unregister what is not", rseq(&area, 32, 1, SIG), EINVAL);
	fails("misaligned", rseq((char *)&area + 8, 32, 0, SIG), EINVAL);
	fails("too short", rseq(&area, 16, 0, SIG), EINVAL);
	fails("unknown flags", rseq(&area, 32, 4, SIG), EINVAL);
	fails("no memory", rseq((void *)-4096l, 32, 0, SIG), EFAULT);
	area.cpu_id = -1;
	same("register", rseq(&area, 32, 0, SIG), 0);
	ok("it follows", follows(&area));
	if (!fork())
		_exit(!follows(&area) || rseq(&area, 32, 0, SIG) != -1 || errno != EBUSY);
	int status;
	wait(&status);
	same("a child has it too", status, 0);
	/* one that shares memory has not */
	if (!vfork())
		_exit(rseq(&other, 32, 0, SIG) || rseq(&other, 32, 1, SIG));
	wait(&status);
	same("a vfork's child has none", status, 0);
	ok("and leaves its parent's alone", follows(&area));
	area.rseq_cs = 0;
	same("unregister", rseq(&area, 32, 1, SIG), 0);
	same("nothing left", area.cpu_id, -1u);
	return NULL;
}

/* A sequence whose descriptor is no descriptor is a fault at the next look of the kernel's. */
static void lies(void)
{
	static __attribute__((aligned(64))) struct area area;
	static __attribute__((aligned(32))) struct { uint32_t version, flags; uint64_t start, length, abort; } bad = {0, 0, 4096, 4096, 1 << 20};
	if (rseq(&area, 32, 0, SIG))
		return;
	area.rseq_cs = (uintptr_t)&bad;
	for (;;)
		sched_yield();
}

static sigjmp_buf back;
static void leave(int signal) { siglongjmp(back, 1); }

/* So is an area that is gone, whatever was a fault before it: an address that can be none of memory. */
static void loses(void)
{
	void *area = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (rseq(area, 32, 0, SIG))
		return;
	signal(SIGSEGV, leave);
	if (!sigsetjmp(back, 1))
		*(volatile int *)(uintptr_t)0x0080000000000000;
	signal(SIGSEGV, SIG_DFL);
	munmap(area, 4096);
	for (;;)
		sched_yield();
}

static void *one(void *what)
{
#if __GLIBC_PREREQ(2, 35)
	extern const ptrdiff_t __rseq_offset __attribute__((weak));
	extern const unsigned __rseq_size __attribute__((weak));
	if (&__rseq_offset && __rseq_size) {
		for (int n = 0; n < 4; n++)
			rseq((char *)__builtin_thread_pointer() + __rseq_offset, 32, 1, libc_sigs[n]);
	}
#endif
	((void (*)(void))what)();
	_exit(1);
}

/* How a process ends whose thread does this, if nobody says anything about it. */
static int end_of(void (*what)(void))
{
	int said[2];
	char text;
	pthread_t t;
	pipe(said);
	pid_t child = fork();
	if (!child) {
		dup2(said[1], 2);
		close(said[1]);
		pthread_create(&t, NULL, one, what);
		pthread_join(t, NULL);
		_exit(1);
	}
	close(said[1]);
	int end = ended(child);
	return read(said[0], &text, 1) ? 1 : end;
}

int main(void)
{
	pthread_t t;
	pthread_create(&t, NULL, thread, NULL);
	pthread_join(t, NULL);
	ok("sizes", getauxval(27) == 0 || getauxval(27) >= 20 && getauxval(28) >= 32);
	same("a lie is a fault", end_of(lies), -SIGSEGV);
	int end = -SIGSEGV;
	for (int n = 0; n < 5 && end == -SIGSEGV; n++)
		end = end_of(loses);
	same("so is an area that is gone", end, -SIGSEGV);
	return done();
}
