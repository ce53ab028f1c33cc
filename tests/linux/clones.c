/* clone in all its forms, descriptors of processes, limits, personalities, the layout of the address space. */
#include "ok.h"
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/auxv.h>

struct args { uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup; };
static int clone3(struct args *a, size_t size) { return syscall(435, a, size); }
/* One that must fail: a child that is made nevertheless does no more. */
static int refused(void *a, size_t size)
{
	int r = clone3(a, size);
	if (r == 0)
		_exit(0);
	return r;
}

static void clone3s(void)
{
	struct args a = {.exit_signal = SIGCHLD};
	char big[256];
	fails("clone3 with too little", refused(&a, 56), EINVAL);
	memset(big, 0, sizeof big);
	memcpy(big, &a, sizeof a);
	pid_t child = clone3((void *)big, sizeof big);
	if (!child)
		_exit(3);
	same("with more, but zeros", ended(child), 3);
	big[200] = 1;
	fails("with more", refused((void *)big, sizeof big), E2BIG);
	fails("with far more", refused((void *)big, 5000), E2BIG);
	fails("of nothing", refused(0, sizeof a), EFAULT);
	a = (struct args){.flags = SIGCHLD};
	fails("with a signal among the flags", refused(&a, sizeof a), EINVAL);
	a = (struct args){.exit_signal = 65};
	fails("with a signal that is none", refused(&a, sizeof a), EINVAL);
	a = (struct args){.exit_signal = SIGCHLD, .stack = (uintptr_t)big};
	fails("with a stack without size", refused(&a, sizeof a), EINVAL);
	a = (struct args){.exit_signal = SIGCHLD, .stack_size = 4096};
	fails("with a size without stack", refused(&a, sizeof a), EINVAL);
	a = (struct args){.exit_signal = SIGCHLD, .flags = 1ull << 40};
	fails("with a flag that is none", refused(&a, sizeof a), EINVAL);
	a = (struct args){.exit_signal = SIGCHLD, .flags = CLONE_THREAD};
	fails("a thread without its address space", refused(&a, sizeof a), EINVAL);
	a = (struct args){.exit_signal = SIGCHLD, .flags = CLONE_SIGHAND};
	fails("handlers without the address space", refused(&a, sizeof a), EINVAL);
	a = (struct args){.exit_signal = SIGCHLD, .flags = 1ull << 32 | CLONE_SIGHAND | CLONE_VM};
	fails("handlers cleared and shared", refused(&a, sizeof a), EINVAL);
	a = (struct args){.exit_signal = SIGCHLD, .set_tid_size = 1};
	fails("a number without numbers", refused(&a, sizeof a), EINVAL);
	a = (struct args){.exit_signal = SIGCHLD, .flags = CLONE_PARENT};
	fails("a sibling with a signal of its own", refused(&a, sizeof a), EINVAL);
	a = (struct args){.exit_signal = SIGCHLD, .set_tid = (uintptr_t)big};
	fails("numbers without how many", refused(&a, sizeof a), EINVAL);
	a = (struct args){.exit_signal = SIGCHLD, .set_tid_size = 99, .set_tid = (uintptr_t)big};
	fails("too many numbers", refused(&a, sizeof a), EINVAL);
	a = (struct args){.exit_signal = SIGCHLD, .flags = 1ull << 33, .cgroup = 999};
	fails("into a control group that is none", refused(&a, sizeof a), EBADF);

	int pidfd = -1, ptid = 0, ctid = 0;
	a = (struct args){.flags = CLONE_PIDFD | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID, .pidfd = (uintptr_t)&pidfd, .parent_tid = (uintptr_t)&ptid, .child_tid = (uintptr_t)&ctid, .exit_signal = SIGCHLD};
	child = clone3(&a, sizeof a);
	if (!child)
		_exit(ctid == getpid() ? 5 : 6);
	ok("a descriptor", pidfd >= 0 && fcntl(pidfd, F_GETFD) == FD_CLOEXEC);
	same("the parent is told", ptid, child);
	struct pollfd p = {pidfd, POLLIN};
	same("it is readable at the end", poll(&p, 1, 5000), 1);
	siginfo_t info;
	same("waitid by it", waitid(P_PIDFD, pidfd, &info, WEXITED), 0);
	ok("and how it ended", info.si_status == 5 && info.si_pid == child && info.si_code == CLD_EXITED);
	fails("then it is gone", syscall(424, pidfd, 0, 0, 0), ESRCH);
	close(pidfd);
	/* A number of our choice needs rights. */
	int wanted = 0x5555;
	a = (struct args){.exit_signal = SIGCHLD, .set_tid = (uintptr_t)&wanted, .set_tid_size = 1};
	child = clone3(&a, sizeof a);
	if (!child)
		_exit(getpid() == wanted ? 7 : 8);
	ok("a number of our choice", child == wanted && ended(child) == 7 || child == -1 && errno == EPERM);
	/* No signal at the end: a clone that only __WCLONE waits for. */
	a = (struct args){0};
	child = clone3(&a, sizeof a);
	if (!child)
		_exit(9);
	int status;
	fails("not a child for wait", waitpid(child, &status, 0), ECHILD);
	ok("but for __WCLONE", waitpid(child, &status, __WCLONE) == child && WEXITSTATUS(status) == 9);
	/* Handlers cleared. */
	signal(SIGUSR1, SIG_IGN), signal(SIGUSR2, (void (*)(int))_exit);
	a = (struct args){.exit_signal = SIGCHLD, .flags = 1ull << 32};
	child = clone3(&a, sizeof a);
	if (!child) {
		struct sigaction one, two;
		sigaction(SIGUSR1, 0, &one), sigaction(SIGUSR2, 0, &two);
		_exit(one.sa_handler == SIG_IGN && two.sa_handler == SIG_DFL ? 0 : 1);
	}
	same("handlers are cleared, ignored ones not", ended(child), 0);
	signal(SIGUSR1, SIG_DFL), signal(SIGUSR2, SIG_DFL);
}

static volatile int word;
static char stack[2][65536] __attribute__((aligned(16)));
static int change(void *arg) { word = (intptr_t)arg; return 12; }
static int ends_early(void *arg)
{
	signal(SIGSEGV, SIG_DFL);
	*(volatile int *)8 = 1;
	return 0;
}
static int runs_long(void *arg)
{
	for (int n = 0; n < 1000 && word != 77; n++)
		usleep(1000);
	return word == 77 ? 21 : 22;
}
static int opens(void *arg) { return open("/dev/null", O_RDONLY); }
static int moves(void *arg) { return chdir("/"); }

static void shared(void)
{
	int status;
	pid_t child = clone(change, stack[0] + 65536, CLONE_VM | SIGCHLD, (void *)31);
	same("memory without a thread: its end", ended(child), 12);
	same("its store", word, 31);
	child = clone(runs_long, stack[0] + 65536, CLONE_VM | SIGCHLD, 0);
	word = 77;
	same("both run", ended(child), 21);
	child = clone(ends_early, stack[0] + 65536, CLONE_VM | SIGCHLD, 0);
	same("one that faults ends alone", ended(child), -SIGSEGV);
	child = clone(opens, stack[0] + 65536, CLONE_FILES | SIGCHLD, 0);
	int fd = ended(child);
	ok("descriptors shared", fcntl(fd, F_GETFD) == 0);
	close(fd);
	char before[4096], after[4096];
	getcwd(before, sizeof before);
	child = clone(moves, stack[0] + 65536, CLONE_FS | SIGCHLD, 0);
	same("the folder shared", ended(child), 0);
	ok("moves both", getcwd(after, sizeof after) && !strcmp(after, "/"));
	chdir(before);
	/* The parent of the parent. */
	child = fork();
	if (!child) {
		pid_t sibling = clone(change, stack[1] + 65536, CLONE_PARENT | SIGCHLD, 0);
		_exit(sibling > 0 && waitpid(sibling, &status, 0) == -1 && errno == ECHILD ? 0 : 1);
	}
	same("a sibling", ended(child), 0);
	same("is a child too", (waitpid(-1, &status, 0), WEXITSTATUS(status)), 12);
	child = clone(change, stack[0] + 65536, CLONE_VM | CLONE_VFORK | CLONE_UNTRACED | SIGCHLD, (void *)32);
	same("untraced, as sanitizers do it", word, 32);
	ended(child);
}

static void descriptors(void)
{
	int self = syscall(434, getpid(), 0);
	ok("pidfd_open", self >= 0);
	fails("of nobody", syscall(434, 0x7ffffff, 0), ESRCH);
	fails("of a negative number", syscall(434, -1, 0), EINVAL);
	fails("with flags that are none", syscall(434, getpid(), 1), EINVAL);
	int pair[2];
	pipe(pair);
	int other = syscall(438, self, pair[0], 0);
	ok("pidfd_getfd", other >= 0 && other != pair[0]);
	write(pair[1], "q", 1);
	char c = 0;
	ok("is the same file", read(other, &c, 1) == 1 && c == 'q');
	fails("of no descriptor", syscall(438, self, 999, 0), EBADF);
	sigset_t set, old;
	sigemptyset(&set), sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, &old);
	siginfo_t info = {.si_signo = SIGUSR1, .si_code = SI_QUEUE, .si_value.sival_int = 17}, got;
	same("pidfd_send_signal with a word", syscall(424, self, SIGUSR1, &info, 0), 0);
	sigwaitinfo(&set, &got);
	ok("arrives", got.si_code == SI_QUEUE && got.si_value.sival_int == 17);
	info.si_signo = SIGUSR2;
	fails("of another signal", syscall(424, self, SIGUSR1, &info, 0), EINVAL);
	sigprocmask(SIG_SETMASK, &old, 0);
	pid_t child = fork();
	if (!child)
		pause();
	int fd = syscall(434, child, 2048 /* PIDFD_NONBLOCK */);
	siginfo_t w;
	fails("waitid that would wait", waitid(P_PIDFD, fd, &w, WEXITED), EAGAIN);
	kill(child, SIGKILL);
	struct pollfd p = {fd, POLLIN};
	poll(&p, 1, 5000);
	same("and then", waitid(P_PIDFD, fd, &w, WEXITED), 0);
	ok("killed", w.si_code == CLD_KILLED && w.si_status == SIGKILL);
}

static void limits(void)
{
	struct rlimit l, m;
	same("getrlimit", getrlimit(RLIMIT_NOFILE, &l), 0);
	struct rlimit low = {20, l.rlim_max};
	same("setrlimit", setrlimit(RLIMIT_NOFILE, &low), 0);
	int fds[32], n = 0;
	while (n < 32 && (fds[n] = dup(0)) >= 0)
		n++;
	ok("descriptors end there", n < 20 && errno == EMFILE);
	while (n)
		close(fds[--n]);
	setrlimit(RLIMIT_NOFILE, &l);
	low = (struct rlimit){30, 20};
	fails("soft above hard", setrlimit(RLIMIT_CORE, &low), EINVAL);
	fails("a limit that is none", setrlimit(99, &low), EINVAL);
	pid_t child = fork();
	if (!child) {
		low = (struct rlimit){4096, 4096};
		setrlimit(RLIMIT_FSIZE, &low);
		signal(SIGXFSZ, SIG_IGN);
		int fd = creat("long", 0600);
		char page[8192] = "";
		_exit(write(fd, page, sizeof page) == 4096 && write(fd, page, 1) == -1 && errno == EFBIG ? 0 : 1);
	}
	same("RLIMIT_FSIZE", ended(child), 0);
	child = fork();
	if (!child) {
		low = (struct rlimit){1, 2};
		setrlimit(RLIMIT_CPU, &low);
		for (;;)
			;
	}
	same("RLIMIT_CPU", ended(child), -SIGXCPU);
	child = fork();
	if (!child) {
		low = (struct rlimit){1 << 16, 1 << 16};
		setrlimit(RLIMIT_MEMLOCK, &low);
		prctl(PR_CAPBSET_DROP, 14 /* CAP_IPC_LOCK */, 0, 0, 0);
		if (getuid() == 0)
			setuid(65534);
		void *m = mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		_exit(mlock(m, 1 << 12) == 0 && mlock(m, 1 << 20) == -1 && errno == ENOMEM ? 0 : 1);
	}
	same("RLIMIT_MEMLOCK", ended(child), 0);
	child = fork();
	if (!child) {
		low = (struct rlimit){64 << 20, 64 << 20};
		setrlimit(RLIMIT_AS, &low);
		void *a = mmap(0, 16 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		void *b = mmap(0, 128 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		struct rlimit told;
		getrlimit(RLIMIT_AS, &told);
		_exit(a != MAP_FAILED && b == MAP_FAILED && errno == ENOMEM && told.rlim_cur == 64 << 20 ? 0 : 1);
	}
	same("RLIMIT_AS", ended(child), 0);
	child = fork();
	if (!child)
		pause();
	same("prlimit of a child", prlimit(child, RLIMIT_NOFILE, &(struct rlimit){50, 60}, &m), 0);
	prlimit(child, RLIMIT_NOFILE, 0, &m);
	ok("is told", m.rlim_cur == 50 && m.rlim_max == 60);
	same("prlimit of a child's memory", prlimit(child, RLIMIT_STACK, 0, &m), 0);
	kill(child, SIGKILL), ended(child);
	struct rlimit inf = {RLIM_INFINITY, RLIM_INFINITY};
	getrlimit(RLIMIT_CPU, &m);
	ok("no limit", m.rlim_cur == RLIM_INFINITY);
}

/* What a program started anew says of its address space. */
static int told(const char *self, unsigned long persona, const char *what)
{
	int pair[2];
	pipe(pair);
	pid_t child = fork();
	if (!child) {
		personality(persona);
		dup2(pair[1], 1);
		execl(self, self, what, NULL);
		_exit(98);
	}
	close(pair[1]);
	char buf[128] = "";
	read(pair[0], buf, sizeof buf - 1);
	close(pair[0]);
	ended(child);
	return atoi(buf);
}

static int hash(unsigned long v) { return (v >> 12) * 2654435761u >> 4; }

/* 1: memory that may be executed; 2: that may not. */
static int is_code(void *page)
{
	FILE *f = fopen("/proc/self/maps", "r");
	char line[512];
	int found = 0;
	while (fgets(line, sizeof line, f)) {
		unsigned long a, b;
		char flags[8];
		if (sscanf(line, "%lx-%lx %7s", &a, &b, flags) == 3 && a <= (uintptr_t)page && (uintptr_t)page < b)
			found = flags[2] == 'x' ? 1 : 2;
	}
	fclose(f);
	return found;
}

static int child_role(const char *what)
{
	int here;
	int *heap = sbrk(0);
	if (!strcmp(what, "where"))
		return printf("%d", hash((uintptr_t)&here ^ (uintptr_t)mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) * 3 ^ (uintptr_t)heap * 5 ^ getauxval(AT_SYSINFO_EHDR) * 7));
	if (!strcmp(what, "order")) {
		char *first = mmap(0, 65536, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		char *second = mmap(0, 65536, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		return printf("%d", (second > first) + 2 * ((char *)first > (char *)heap) + 4 * ((char *)&here > first));
	}
	if (!strcmp(what, "zero"))
		return printf("%d", mincore(0, 4096, (void *)&here) == 0);
	if (!strcmp(what, "name")) {
		struct utsname u;
		uname(&u);
		return printf("%d", !strncmp(u.release, "2.6.", 4));
	}
	if (!strcmp(what, "persona"))
		return printf("%d", personality(0xffffffff));
	return 0;
}

static void personalities(const char *self)
{
	same("no persona", personality(0xffffffff), 0);
	same("set and told", (personality(ADDR_NO_RANDOMIZE), personality(0xffffffff)), ADDR_NO_RANDOMIZE);
	personality(0);
	same("kept over exec", told(self, ADDR_NO_RANDOMIZE | STICKY_TIMEOUTS, "persona"), ADDR_NO_RANDOMIZE | STICKY_TIMEOUTS);
	int a = told(self, ADDR_NO_RANDOMIZE, "where"), b = told(self, ADDR_NO_RANDOMIZE, "where");
	same("ADDR_NO_RANDOMIZE", a, b);
	a = told(self, 0, "where"), b = told(self, 0, "where");
	ok("and without", a != b);
	same("mappings grow down, above the heap, below the stack", told(self, 0, "order"), 2 + 4);
	same("ADDR_COMPAT_LAYOUT: they grow up", told(self, ADDR_COMPAT_LAYOUT, "order") & 1, 1);
	personality(READ_IMPLIES_EXEC);
	same("READ_IMPLIES_EXEC", is_code(mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)), 1);
	same("is told", personality(0xffffffff), READ_IMPLIES_EXEC);
	personality(0);
	same("and without", is_code(mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)), 2);
	if (geteuid() == 0)
		same("MMAP_PAGE_ZERO", told(self, MMAP_PAGE_ZERO, "zero"), 1);
	same("no page at zero", told(self, 0, "zero"), 0);
	same("UNAME26", told(self, UNAME26, "name"), 1);
}

int main(int count, char **arguments)
{
	if (count > 1)
		return child_role(arguments[1]), 0;
	clone3s();
	shared();
	descriptors();
	limits();
	personalities(arguments[0]);
	return done();
}
