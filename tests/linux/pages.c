/* Calls about pages: faults served by the program itself, hidden and sealed memory, policies, protection keys. */
#include "ok.h"
#include <linux/memfd.h>
#include <linux/mempolicy.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define PAGE 4096
static char *fresh(size_t pages, int prot)
{
	return mmap(0, pages * PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static int uffd;
static void *serve(void *arg)
{
	static char page[PAGE] __attribute__((aligned(PAGE)));
	for (int n = 0; n < 3; n++) {
		struct pollfd p = {uffd, POLLIN, 0};
		poll(&p, 1, 10000);
		struct uffd_msg m;
		if (read(uffd, &m, sizeof m) != sizeof m || m.event != UFFD_EVENT_PAGEFAULT)
			return (void *)1;
		memset(page, 'a' + n, sizeof page);
		struct uffdio_copy copy = {.dst = m.arg.pagefault.address & ~(uint64_t)(PAGE - 1), .src = (uintptr_t)page, .len = PAGE};
		if (ioctl(uffd, UFFDIO_COPY, &copy) || copy.copy != PAGE)
			return (void *)2;
	}
	return 0;
}

static sigjmp_buf back;
static int got_signal, got_code;
static void *got_addr;
static void on_fault(int signo, siginfo_t *info, void *context)
{
	got_signal = signo, got_code = info->si_code, got_addr = info->si_addr;
	siglongjmp(back, 1);
}
static int faults(volatile char *p)
{
	struct sigaction a = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
	sigaction(SIGSEGV, &a, 0), sigaction(SIGBUS, &a, 0);
	got_signal = 0;
	if (!sigsetjmp(back, 1))
		*p;
	return got_signal;
}

static void user_faults(void)
{
	fails("userfaultfd with flags that are none", syscall(SYS_userfaultfd, 0x1234560), EINVAL);
	uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	ok("userfaultfd", uffd >= 0);
	same("close on exec", fcntl(uffd, F_GETFD), FD_CLOEXEC);
	struct uffdio_api api = {.api = UFFD_API};
	same("its interface", ioctl(uffd, UFFDIO_API, &api), 0);
	char *m = fresh(4, PROT_READ | PROT_WRITE);
	struct uffdio_register r = {.range = {(uintptr_t)m, 4 * PAGE}, .mode = UFFDIO_REGISTER_MODE_MISSING};
	same("register", ioctl(uffd, UFFDIO_REGISTER, &r), 0);
	pthread_t thread;
	pthread_create(&thread, 0, serve, 0);
	same("a read of a missing page", m[10], 'a');
	m[PAGE] = 'x';
	ok("a write to another", m[PAGE] == 'x' && m[PAGE + 1] == 'b');
	/* The kernel's own access. */
	int pair[2];
	pipe(pair);
	same("a call that reads a third", write(pair[1], m + 2 * PAGE, 5), 5);
	char buf[8] = "";
	read(pair[0], buf, 5);
	ok("what it read", !strcmp(buf, "ccccc"));
	void *result;
	pthread_join(thread, &result);
	same("the thread that serves", (intptr_t)result, 0);
	struct uffdio_zeropage zero = {.range = {(uintptr_t)m + 3 * PAGE, PAGE}};
	same("a page of zeros", ioctl(uffd, UFFDIO_ZEROPAGE, &zero), 0);
	same("reads so", m[3 * PAGE + 7], 0);
	same("unregister", ioctl(uffd, UFFDIO_UNREGISTER, &r.range), 0);
	close(uffd);

	uffd = syscall(SYS_userfaultfd, O_CLOEXEC | 1 /* UFFD_USER_MODE_ONLY */);
	api = (struct uffdio_api){.api = UFFD_API, .features = UFFD_FEATURE_SIGBUS};
	same("with SIGBUS instead", ioctl(uffd, UFFDIO_API, &api), 0);
	m = fresh(1, PROT_READ | PROT_WRITE);
	r.range = (struct uffdio_range){(uintptr_t)m, PAGE};
	same("register again", ioctl(uffd, UFFDIO_REGISTER, &r), 0);
	same("a missing page is SIGBUS", faults(m + 5), SIGBUS);
	same("its code", got_code, BUS_ADRERR);
	close(uffd);
}

static void hidden(void)
{
#ifdef SYS_memfd_secret
	int fd = syscall(SYS_memfd_secret, O_CLOEXEC);
	fails("memfd_secret with flags that are none", syscall(SYS_memfd_secret, 0x123), EINVAL);
	ok("memfd_secret", fd >= 0);
	same("its size", ftruncate(fd, PAGE), 0);
	char *m = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ok("mapped", m != MAP_FAILED);
	strcpy(m, "secret");
	ok("read by the program", !strcmp(m, "secret"));
	/* The kernel's direct map lacks it: nobody else reads it. */
	char other[8];
	struct iovec local = {other, 7}, remote = {m, 7};
	fails("by process_vm_readv not", process_vm_readv(getpid(), &local, 1, &remote, 1, 0), EFAULT);
	close(fd);
#else
	/* arm's kernel has no such call. */
	for (const char **w = (const char *[]){"memfd_secret with flags that are none", "memfd_secret", "its size", "mapped", "read by the program", "by process_vm_readv not", 0}; *w; w++)
		printf("ok %s\n", *w);
#endif
}

static void sealed(void)
{
	char *m = fresh(3, PROT_READ | PROT_WRITE);
	int supported = syscall(462, m + PAGE, PAGE, 0) == 0;
	if (sizeof(long) == 4 || !supported) {
		/* mseal is for kernels of 64 bits. */
		supported = 0;
	}
	ok("mseal with flags", syscall(462, m, PAGE, 1) == -1 && (errno == EINVAL || sizeof(long) == 4));
	ok("sealed memory is not unmapped", !supported || munmap(m + PAGE, PAGE) && errno == EPERM);
	ok("nor with its neighbours", !supported || munmap(m, 3 * PAGE) && errno == EPERM);
	ok("nor protected", !supported || mprotect(m + PAGE, PAGE, PROT_READ) && errno == EPERM);
	ok("nor mapped over", !supported || mmap(m + PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED && errno == EPERM);
	ok("nor moved", !supported || mremap(m + PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, m + 16 * PAGE) == MAP_FAILED && errno == EPERM);
	m[PAGE] = 1;
	same("but written", m[PAGE], 1);
	ok("its neighbours are as before", m[0] == 0 && m[2 * PAGE] == 0);
}

static void policies(void)
{
	int mode = -1;
	unsigned long nodes[1024 / 8 / sizeof(long)] = {0};
	same("get_mempolicy", syscall(SYS_get_mempolicy, &mode, nodes, 1024, 0, 0), 0);
	same("the default", mode, MPOL_DEFAULT);
	same("get_mempolicy of what is allowed", syscall(SYS_get_mempolicy, 0, nodes, 1024, 0, MPOL_F_MEMS_ALLOWED), 0);
	same("node 0", nodes[0] & 1, 1);
	nodes[0] = 1;
	same("set_mempolicy", syscall(SYS_set_mempolicy, MPOL_BIND, nodes, 8 * sizeof(long)), 0);
	same("it is told", (syscall(SYS_get_mempolicy, &mode, nodes, 1024, 0, 0), mode), MPOL_BIND);
	same("and back", syscall(SYS_set_mempolicy, MPOL_DEFAULT, 0, 0), 0);
	fails("set_mempolicy of no mode", syscall(SYS_set_mempolicy, 99, nodes, 8), EINVAL);
	char *m = fresh(2, PROT_READ | PROT_WRITE);
	same("mbind", syscall(SYS_mbind, m, 2 * PAGE, MPOL_PREFERRED, nodes, 8 * sizeof(long), 0), 0);
	same("of an address", syscall(SYS_get_mempolicy, &mode, nodes, 1024, m, MPOL_F_ADDR), 0);
	same("is told", mode, MPOL_PREFERRED);
	fails("mbind of nothing", syscall(SYS_mbind, m + 1, PAGE, MPOL_BIND, nodes, 8 * sizeof(long), 0), EINVAL);
	m[0] = 1;
	void *pages[2] = {m, m + 64 * 1024 * 1024};
	int status[2] = {-99, -99};
	same("move_pages asks", syscall(SYS_move_pages, 0, 1, pages, 0, status, 0), 0);
	same("where a page is", status[0], 0);
	nodes[0] = 1;
	same("migrate_pages", syscall(SYS_migrate_pages, 0, 8 * sizeof(long), nodes, nodes), 0);
	fails("set_mempolicy_home_node without policy", syscall(450, m, 2 * PAGE, 99, 0), EINVAL);
}

static void others(void)
{
	/* Memory of a file whose pages are turned round. */
	int fd = memfd_create("round", 0);
	ftruncate(fd, 3 * PAGE);
	for (int n = 0; n < 3; n++)
		pwrite(fd, &(char){'0' + n}, 1, n * PAGE);
	char *m = mmap(0, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	same("remap_file_pages", syscall(SYS_remap_file_pages, m, PAGE, 0, 2, 0), 0);
	ok("shows another page", m[0] == '2' && m[PAGE] == '1' && m[2 * PAGE] == '2');
	m[0] = 'x';
	same("of the same file", m[2 * PAGE], 'x');
	fails("with a protection", syscall(SYS_remap_file_pages, m, PAGE, PROT_READ, 2, 0), EINVAL);
	fails("of private memory", syscall(SYS_remap_file_pages, fresh(1, PROT_READ), PAGE, 0, 0, 0), EINVAL);

	struct { uint64_t off, len; } range = {0, 3 * PAGE};
	struct { uint64_t cache, dirty, writeback, evicted, recently; } stat;
	same("cachestat", syscall(451, fd, &range, &stat, 0), 0);
	same("pages in the cache", stat.cache, 3);
	fails("cachestat with flags", syscall(451, fd, &range, &stat, 1), EINVAL);
	fails("cachestat of nothing", syscall(451, 999, &range, &stat, 0), EBADF);

	unsigned char in[3] = {9, 9, 9};
	m = fresh(3, PROT_READ | PROT_WRITE);
	m[PAGE] = 1;
	same("mincore", mincore(m, 3 * PAGE, in), 0);
	ok("tells of one page", (in[0] & 1) == 0 && (in[1] & 1) == 1 && (in[2] & 1) == 0);
	munmap(m + 2 * PAGE, PAGE);
	fails("mincore over a hole", mincore(m, 3 * PAGE, in), ENOMEM);
	same("mlock", mlock(m, PAGE), 0);
	fails("mlock over a hole", mlock(m, 3 * PAGE), ENOMEM);
	fails("mlock2 with flags that are none", syscall(SYS_mlock2, m, PAGE, 8), EINVAL);
	same("munlock", munlock(m, PAGE), 0);

	m = fresh(4, PROT_READ | PROT_WRITE);
	memset(m, 1, 4 * PAGE);
	int self = syscall(434, getpid(), 0);
	struct iovec iov[2] = {{m, PAGE}, {m + 2 * PAGE, PAGE}};
	same("process_madvise", syscall(440, self, iov, 2, MADV_COLD, 0), 2 * PAGE);
	fails("process_madvise with flags", syscall(440, self, iov, 2, MADV_COLD, 1), EINVAL);
	fails("process_mrelease of a living process", syscall(448, self, 0), EINVAL);

	same("madvise DONTNEED", madvise(m, PAGE, MADV_DONTNEED), 0);
	ok("is zero again", m[0] == 0 && m[PAGE] == 1);
	same("madvise FREE", madvise(m, PAGE, MADV_FREE), 0);
	fails("madvise of no advice", madvise(m, PAGE, 9999), EINVAL);
	fails("madvise of half a page", madvise(m + 1, PAGE, MADV_DONTNEED), EINVAL);
	same("madvise of nothing", madvise(m, 0, MADV_DONTNEED), 0);
	same("madvise POPULATE_WRITE", madvise(m, 4 * PAGE, 23), 0);
	mprotect(m, PAGE, PROT_READ);
	fails("of memory that is not writable", madvise(m, 4 * PAGE, 23), EINVAL);
	munmap(m + PAGE, PAGE);
	fails("madvise over a hole", madvise(m, 4 * PAGE, MADV_DONTNEED), ENOMEM);
	m = fresh(2, PROT_READ | PROT_WRITE);
	m[0] = 1, m[PAGE] = 1;
	same("madvise WIPEONFORK", madvise(m, PAGE, MADV_WIPEONFORK), 0);
	pid_t child = fork();
	if (!child)
		_exit(m[0] == 0 && m[PAGE] == 1);
	same("a child finds zeros", ended(child), 1);
	same("madvise DONTFORK", madvise(m + PAGE, PAGE, MADV_DONTFORK), 0);
	child = fork();
	if (!child) {
		signal(SIGSEGV, SIG_DFL);
		_exit(m[PAGE]);
	}
	same("a child finds nothing", ended(child), -SIGSEGV);
	same("madvise GUARD_INSTALL", madvise(m, PAGE, 102), 0);
	same("a guard faults", faults(m), SIGSEGV);
	same("with the code", got_code, SEGV_MAPERR + 0 * 1);
	same("and is taken off", madvise(m, PAGE, 103), 0);
	same("then there are zeros", m[0], 0);
}

int main(void)
{
	user_faults();
	hidden();
	sealed();
	policies();
	others();
	return done();
}
