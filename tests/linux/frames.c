/* The edges of signals: alternative stacks, queues, what a fault says of itself, masks around handlers. */
#include "ok.h"
#include <pthread.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/signalfd.h>
#include <time.h>
#include <ucontext.h>

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1U << 31)
#endif

static char *alt, *alt2;
enum { ALT = 65536 };
static volatile int depth, on_alt, told_flags, told_second;
static stack_t in_handler, in_frame;

static int within(void *p, char *base) { return (char *)p >= base && (char *)p < base + ALT; }

static void nested(int signo, siginfo_t *info, void *context)
{
	char here;
	stack_t s;
	depth++;
	sigaltstack(0, &s);
	if (depth == 1) {
		on_alt = within(&here, alt), in_handler = s, in_frame = ((ucontext_t *)context)->uc_stack;
		told_flags = s.ss_flags;
		/* May the stack be changed while it is in use? */
		stack_t other = {.ss_sp = alt2, .ss_size = ALT, .ss_flags = 0};
		told_second = sigaltstack(&other, 0) ? errno : 0;
		raise(SIGUSR2);
	} else
		on_alt += 2 * within(&here, alt2) + 4 * within(&here, alt);
}

static void stacks(void)
{
	alt = mmap(0, ALT, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	alt2 = mmap(0, ALT, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct sigaction a = {.sa_sigaction = nested, .sa_flags = SA_SIGINFO | SA_ONSTACK};
	sigaction(SIGUSR1, &a, 0), sigaction(SIGUSR2, &a, 0);
	stack_t s = {.ss_sp = alt, .ss_size = ALT, .ss_flags = 0}, old;
	same("a stack", sigaltstack(&s, 0), 0);
	raise(SIGUSR1);
	same("both handlers on it", on_alt, 1 + 4);
	same("it is said to be in use", told_flags, SS_ONSTACK);
	same("and may not be changed", told_second, EPERM);
	same("in the frame it is not in use yet", in_frame.ss_flags, 0);
	same("after it", (sigaltstack(0, &old), old.ss_flags), 0);
	/* Taken off while a handler runs. */
	s.ss_flags = SS_AUTODISARM;
	same("one that is taken off", sigaltstack(&s, 0), 0);
	depth = on_alt = 0;
	raise(SIGUSR1);
	same("the first handler on it, the second on the other", on_alt, 1 + 2);
	same("it is said to be off", told_flags, SS_DISABLE);
	same("and may be changed", told_second, 0);
	ok("in the frame it is as it was", in_frame.ss_flags == (int)SS_AUTODISARM && in_frame.ss_sp == alt && in_frame.ss_size == ALT);
	sigaltstack(0, &old);
	ok("and after the handler", old.ss_flags == (int)SS_AUTODISARM && old.ss_sp == alt);
	s.ss_flags = SS_ONSTACK;
	same("SS_ONSTACK asks for nothing", sigaltstack(&s, 0), 0);
	s.ss_flags = 4;
	fails("flags that are none", sigaltstack(&s, 0), EINVAL);
	s.ss_flags = SS_DISABLE | SS_AUTODISARM;
	same("off", sigaltstack(&s, 0), 0);
	sigaltstack(0, &old);
	ok("is told", old.ss_size == 0 && old.ss_sp == 0);
	fails("at a bad address", sigaltstack((void *)16, 0), EFAULT);
	/* A handler whose stack is not there. */
	pid_t child = fork();
	if (!child) {
		s = (stack_t){.ss_sp = mmap(0, ALT, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), .ss_size = ALT};
		sigaltstack(&s, 0);
		raise(SIGUSR1);
		_exit(0);
	}
	same("a stack that cannot be written", ended(child), -SIGSEGV);
}

static volatile int order[64], values[64], count;
static void queued(int signo, siginfo_t *info, void *context)
{
	if (count < 64)
		order[count] = signo, values[count] = info->si_value.sival_int, count++;
}

static void queues(void)
{
	struct sigaction a = {.sa_sigaction = queued, .sa_flags = SA_SIGINFO};
	sigfillset(&a.sa_mask);
	sigset_t all, old, one;
	sigfillset(&all);
	for (int n = SIGRTMIN; n <= SIGRTMIN + 4; n++)
		sigaction(n, &a, 0);
	sigaction(SIGUSR1, &a, 0), sigaction(SIGUSR2, &a, 0);
	sigprocmask(SIG_BLOCK, &all, &old);
	for (int n = 0; n < 20; n++)
		sigqueue(getpid(), SIGRTMIN + 4 - n % 5, (union sigval){.sival_int = n});
	sigqueue(getpid(), SIGUSR2, (union sigval){.sival_int = 100});
	sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 101});
	sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 102});
	sigprocmask(SIG_SETMASK, &old, 0);
	same("each of them once, ordinary ones not", count, 22);
	int right = order[0] == SIGUSR1 && values[0] == 101 && order[1] == SIGUSR2;
	for (int n = 2; n < 22; n++)
		right &= order[n] == SIGRTMIN + (n - 2) / 4 && values[n] % 5 == 4 - (n - 2) / 4 && ((n - 2) % 4 == 0 || values[n] > values[n - 1]);
	ok("lowest first, each in order", right);
	/* A limit. */
	pid_t child = fork();
	if (!child) {
		struct rlimit l = {8, 8};
		sigprocmask(SIG_BLOCK, &all, 0);
		if (getuid() == 0 && setuid(65533))
			_exit(1);
		setrlimit(RLIMIT_SIGPENDING, &l);
		int n = 0;
		while (n < 100 && sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = n}) == 0)
			n++;
		_exit(n <= 8 && errno == EAGAIN ? 0 : 2);
	}
	same("RLIMIT_SIGPENDING", ended(child), 0);
	sigemptyset(&one), sigaddset(&one, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &one, &old);
	sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_ptr = (void *)0x12345678});
	int fd = signalfd(-1, &one, SFD_CLOEXEC);
	struct signalfd_siginfo info;
	same("signalfd", read(fd, &info, sizeof info), sizeof info);
	ok("its word", info.ssi_signo == SIGRTMIN && info.ssi_code == SI_QUEUE && info.ssi_ptr == 0x12345678 && info.ssi_pid == getpid());
	/* A timer's signal, and how many were lost. */
	timer_t timer;
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN, .sigev_value.sival_int = 77};
	timer_create(CLOCK_MONOTONIC, &event, &timer);
	struct itimerspec often = {{0, 1000000}, {0, 1000000}};
	timer_settime(timer, 0, &often, 0);
	usleep(50000);
	siginfo_t got;
	sigwaitinfo(&one, &got);
	ok("a timer's signal", got.si_code == SI_TIMER && got.si_value.sival_int == 77 && got.si_overrun > 5);
	timer_delete(timer);
	sigprocmask(SIG_SETMASK, &old, 0);
	ok("to oneself with any code", (got.si_code = -60, got.si_signo = SIGUSR1, syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, &got)) == 0);
	ok("and as the kernel's", (got.si_code = 5, syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, &got)) == 0);
	fails("to another not", (got.si_code = 0, syscall(SYS_rt_sigqueueinfo, getppid(), SIGUSR1, &got)), EPERM);
}

static sigjmp_buf back;
static siginfo_t fault;
static void caught(int signo, siginfo_t *info, void *context)
{
	fault = *info;
	siglongjmp(back, 1);
}

/* What an access raises: its signal. */
static int load(volatile void *p, int size)
{
	memset(&fault, 0, sizeof fault);
	if (!sigsetjmp(back, 1)) {
		if (size == 1)
			*(volatile char *)p;
		else
			*(volatile char *)p = 1;
	}
	return fault.si_signo;
}

static void faults(void)
{
	struct sigaction a = {.sa_sigaction = caught, .sa_flags = SA_SIGINFO | SA_NODEFER};
	for (const int *s = (const int[]){SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, 0}; *s; s++)
		sigaction(*s, &a, 0);
	char *m = mmap(0, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mprotect(m + 4096, 4096, PROT_NONE), mprotect(m + 8192, 4096, PROT_READ), munmap(m + 12288, 4096);
	same("nothing to be read", load(m + 4100, 1), SIGSEGV);
	ok("says so", fault.si_code == SEGV_ACCERR && fault.si_addr == m + 4100);
	same("not to be written", load(m + 8200, 2), SIGSEGV);
	ok("says so", fault.si_code == SEGV_ACCERR && fault.si_addr == m + 8200);
	same("nothing there", load(m + 12300, 2), SIGSEGV);
	ok("says so", fault.si_code == SEGV_MAPERR && fault.si_addr == m + 12300);
	int fd = memfd_create("short", 0);
	ftruncate(fd, 4096);
	char *f = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	same("beyond the end of the file", load(f + 4096 + 5, 1), SIGBUS);
	ok("says so", fault.si_code == BUS_ADRERR && fault.si_addr == f + 4096 + 5);
	/* The file grows, and shrinks again. */
	ftruncate(fd, 8192);
	same("it has grown", load(f + 4096 + 5, 2), 0);
	ftruncate(fd, 4096);
	same("and shrunk", load(f + 4096 + 5, 1), SIGBUS);
	/* Calls say EFAULT where programs fault. */
	int pair[2];
	pipe(pair);
	fails("write from nothing", write(pair[1], m + 12300, 1), EFAULT);
	fails("from beyond the end", write(pair[1], f + 4096, 1), EFAULT);
	write(pair[1], "z", 1);
	fails("read to what is not writable", read(pair[0], m + 8192, 1), EFAULT);
	/* Sent by somebody: it says so, and comes when it is let in. */
	sigset_t set, old;
	sigemptyset(&set), sigaddset(&set, SIGSEGV);
	sigprocmask(SIG_BLOCK, &set, &old);
	memset(&fault, 0, sizeof fault);
	kill(getpid(), SIGSEGV);
	same("a SIGSEGV that is sent waits", fault.si_signo, 0);
	sigset_t waits;
	sigpending(&waits);
	same("is pending", sigismember(&waits, SIGSEGV), 1);
	if (!sigsetjmp(back, 1))
		sigprocmask(SIG_SETMASK, &old, 0);
	ok("then it comes", fault.si_signo == SIGSEGV && fault.si_code == SI_USER && fault.si_pid == getpid());
	sigprocmask(SIG_SETMASK, &old, 0);
	/* And one that is blocked kills when it is a fault. */
	pid_t child = fork();
	if (!child) {
		sigprocmask(SIG_BLOCK, &set, 0);
		*(volatile char *)16 = 1;
		_exit(0);
	}
	same("a blocked fault", ended(child), -SIGSEGV);
	child = fork();
	if (!child) {
		signal(SIGSEGV, SIG_IGN);
		*(volatile char *)16 = 1;
		_exit(0);
	}
	same("an ignored fault", ended(child), -SIGSEGV);
	child = fork();
	if (!child) {
		signal(SIGFPE, SIG_DFL);
		raise(SIGFPE);
		_exit(0);
	}
	same("SIGFPE that is sent", ended(child), -SIGFPE);
}

/* Handlers that change what they return to. */
static volatile int changed;
static void unblocks(int signo, siginfo_t *info, void *context)
{
	ucontext_t *u = context;
	sigaddset(&u->uc_sigmask, SIGUSR2);
	changed++;
}

static void masks(void)
{
	struct sigaction a = {.sa_sigaction = unblocks, .sa_flags = SA_SIGINFO};
	sigset_t old, set;
	sigaction(SIGUSR1, &a, 0);
	raise(SIGUSR1);
	sigprocmask(SIG_BLOCK, 0, &old);
	same("a mask set in the frame holds", sigismember(&old, SIGUSR2), 1);
	sigemptyset(&set), sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_UNBLOCK, &set, 0);
	fails("sigprocmask of no kind", sigprocmask(99, &set, 0), EINVAL);
	fails("rt_sigprocmask of another size", syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, 0, 4), EINVAL);
	fails("rt_sigaction of another size", syscall(SYS_rt_sigaction, SIGUSR1, 0, &a, 4), EINVAL);
	sigfillset(&set);
	sigprocmask(SIG_SETMASK, &set, 0);
	sigprocmask(SIG_SETMASK, 0, &old);
	same("SIGKILL is never blocked", sigismember(&old, SIGKILL) + sigismember(&old, SIGSTOP), 0);
	sigemptyset(&set);
	sigprocmask(SIG_SETMASK, &set, 0);
	/* Flags that a kernel does not know are cleared, so that programs can find out. */
	struct { void *handler; unsigned long flags; void *restorer; uint64_t mask; } k, got;
	syscall(SYS_rt_sigaction, SIGWINCH, 0, &k, 8);
	ok("the kernel's own struct", 1);
	a.sa_flags = SA_SIGINFO | 0x400 | 0x800;
	sigaction(SIGUSR1, &a, 0);
	sigaction(SIGUSR1, 0, &a);
	same("unknown flags are cleared", a.sa_flags & 0xc00, 0x800);
}

static void *empty(void *arg) { return 0; }
static volatile int stop, seen;
static void counts(int signo) { seen++; }
static void *busy(void *arg)
{
	unsigned long n = 0;
	while (!stop)
		n = n * 3 + 1;
	return (void *)n;
}

static void loads(void)
{
	/* Signals to a thread that never calls the kernel. */
	signal(SIGUSR1, counts);
	pthread_t thread;
	pthread_create(&thread, 0, busy, 0);
	for (int n = 0; n < 100; n++) {
		int before = seen;
		pthread_kill(thread, SIGUSR1);
		for (int m = 0; m < 10000 && seen == before; m++)
			usleep(100);
	}
	stop = 1;
	pthread_join(thread, 0);
	same("a hundred signals into a loop", seen, 100);
	struct itimerval often = {{0, 500}, {0, 500}};
	signal(SIGALRM, counts);
	seen = 0;
	setitimer(ITIMER_REAL, &often, 0);
	for (int n = 0; n < 100000 && seen < 50; n++) {
		pid_t child = fork();
		if (!child)
			_exit(0);
		while (waitpid(child, 0, 0) == -1 && errno == EINTR)
			;
		pthread_create(&thread, 0, empty, 0);
		pthread_join(thread, 0);
	}
	often = (struct itimerval){0};
	setitimer(ITIMER_REAL, &often, 0);
	ok("a timer over forks and threads", seen >= 50);
}

int main(void)
{
	stacks();
	queues();
	faults();
	masks();
	loads();
	return done();
}
