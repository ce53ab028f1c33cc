/* Addresses with tags, keys of pointer authentication: what prctl says of them on aarch64, and of the former on RISC-V. Other processors have nothing
   to say. */
#include "ok.h"
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define SET 55
#define GET 56
#define SET_KEYS 60
#define GET_KEYS 61

#if defined __aarch64__ || __riscv_xlen == 64
static int own(int result) { return result == -1 ? -errno : result; }
static void *tagged(void *p) { return (void *)((uintptr_t)p | 0x5a00000000000000ull); }

/* How many bits RISC-V's programs ask for. */
#ifdef __riscv
#define PMLEN(bits) ((unsigned long)(bits) << 24)
#define MASKED(holds) (holds)
#else
#define PMLEN(bits) 0
#define MASKED(holds) 1
#endif

static void *thread(void *p)
{
	return (void *)(uintptr_t)MASKED(*(volatile char *)tagged(p) == 't' && prctl(SET, 0, 0, 0, 0) == -1 && errno == EBUSY);
}

/* What the processor overlooks, and how much of it. */
static void accesses(char *text)
{
	volatile int *word = tagged(&(int){5});
	char bytes[40] = "bytes that are copied as a vector";
	*word += 2;
	same("a load and a store", *word, 7);
	same("an atomic one", __atomic_add_fetch(word, 3, __ATOMIC_SEQ_CST), 10);
	same("of bytes", ((volatile char *)tagged(text))[3], 'g');
	volatile double *number = tagged(&(double){2.5});
	ok("of a number", *number * 2 == 5);
#ifdef __riscv
	long vl = 0;
	char to[40] = "";
	__asm__ volatile(".option push; .option arch, +v; vsetvli %0, %1, e8, m4, ta, ma; vle8.v v8, (%2); vse8.v v8, (%3); .option pop"
		: "=&r"(vl) : "r"(33L), "r"(tagged(bytes)), "r"(tagged(to)) : "memory");
	ok("of a vector", vl == 33 && !strcmp(to, bytes));
#else
	ok("of a vector", !memcmp(tagged(bytes), "bytes that are copied as a vector", 33));
#endif
	pthread_t t;
	void *got = 0;
	pthread_create(&t, 0, thread, text), pthread_join(t, &got);
	ok("threads have them, too, and cannot do without", (uintptr_t)got == 1);
}

static void amounts(void)
{
	ok("not without a number of bits", MASKED(prctl(SET, 1, 0, 0, 0) == -1 && errno == EINVAL));
	ok("nor with too many", MASKED(prctl(SET, PMLEN(17), 0, 0, 0) == -1 && errno == EINVAL));
	ok("16 bits", MASKED(prctl(SET, PMLEN(9), 0, 0, 0) == 0 && prctl(GET, 0, 0, 0, 0) == PMLEN(16)));
	ok("which are overlooked", MASKED(*(volatile int *)((uintptr_t)&(int){5} | 0x7fff000000000000) == 5));
	ok("7 bits", MASKED(prctl(SET, PMLEN(1), 0, 0, 0) == 0 && prctl(GET, 0, 0, 0, 0) == PMLEN(7)));
}

static void run(void)
{
	amounts();
	prctl(SET, 0, 0, 0, 0);
	int pair[2];
	char text[8] = "tagged", got[8] = "";
	same("no tags at first", prctl(GET, 0, 0, 0, 0), 0);
	pipe(pair);
	fails("then a tagged address is a bad one", write(pair[1], tagged(text), 6), EFAULT);
	fails("the kernel looks at all arguments", prctl(GET, 1, 0, 0, 0), EINVAL);
	fails("when they are set too", prctl(SET, 1, 1, 0, 0), EINVAL);
	fails("memory tags are another thing", prctl(SET, 1 | 1 << 1 | 1 << 20, 0, 0, 0), EINVAL);
	same("tags", prctl(SET, 1 | PMLEN(7), 0, 0, 0), 0);
	same("are told", prctl(GET, 0, 0, 0, 0), 1 | PMLEN(7));
	accesses(text);
	same("write", write(pair[1], tagged(text), 6), 6);
	same("read", read(pair[0], tagged(got), 8), 6);
	ok("what was written", !strcmp(got, "tagged"));
	struct iovec iov[2] = {{tagged(text), 3}, {tagged(text + 3), 3}};
	same("writev", writev(pair[1], tagged(iov), 2), 6);
	same("readv", readv(pair[0], iov, 2), 6);
	int sockets[2];
	socketpair(AF_UNIX, SOCK_STREAM, 0, sockets);
	struct msghdr m = {.msg_iov = tagged(iov), .msg_iovlen = 2};
	same("sendmsg", sendmsg(sockets[0], tagged(&m), 0), 6);
	same("recvmsg", recvmsg(sockets[1], tagged(&m), 0), 6);
	char path[] = ".";
	same("a path", access(tagged(path), F_OK), 0);
	char *p = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	same("mprotect", mprotect(tagged(p), 4096, PROT_READ), 0);
	same("madvise", madvise(tagged(p + 4096), 4096, MADV_DONTNEED), 0);
	ok("where memory is to be has no tag", mmap(tagged(p), 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED);
	pid_t child = fork();
	if (!child)
		_exit(prctl(GET, 0, 0, 0, 0) & 255);
	same("a child has them", ended(child), 1);
	same("no more", prctl(SET, 0, 0, 0, 0), 0);
	fails("a bad address again", write(pair[1], tagged(text), 6), EFAULT);

#ifdef __riscv
#define KEYS(result) (-EINVAL)
#else
#define KEYS(result) (result)
#endif
	same("all keys", own(prctl(GET_KEYS, 0, 0, 0, 0)), KEYS(15));
	fails("the generic one is not among them", prctl(SET_KEYS, 16, 16, 0, 0), EINVAL);
	fails("only what is named", prctl(SET_KEYS, 1, 2, 0, 0), EINVAL);
	fails("zeros", prctl(SET_KEYS, 1, 1, 1, 0), EINVAL);
	same("enabled again", own(prctl(SET_KEYS, 15, 15, 0, 0)), KEYS(0));
}
#else
static void run(void)
{
	static const char *const lines[] = {
		"not without a number of bits", "nor with too many", "16 bits", "which are overlooked", "7 bits", "no tags at first", "then a tagged address is a bad one", "the kernel looks at all arguments", "when they are set too",
		"memory tags are another thing", "tags", "are told", "a load and a store", "an atomic one", "of bytes", "of a number",
		"of a vector", "threads have them, too, and cannot do without", "write", "read", "what was written", "writev", "readv", "sendmsg", "recvmsg",
		"a path", "mprotect", "madvise", "where memory is to be has no tag", "a child has them", "no more", "a bad address again", "all keys",
		"the generic one is not among them", "only what is named", "zeros", "enabled again",
	};
	int foreign = prctl(GET, 0, 0, 0, 0) == -1 && errno == EINVAL && prctl(GET_KEYS, 0, 0, 0, 0) == -1 && errno == EINVAL;
	for (int n = 0; n < sizeof lines / sizeof *lines; n++)
		ok(lines[n], foreign);
}
#endif

int main(void)
{
	run();
	return done();
}
