/* System calls and what may happen around them: signals in every window, bad addresses, other threads. */
#include "ok.h"
#include <pthread.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

static volatile sig_atomic_t hits;
static void note(int number) { (void)number, hits++; }

static void handle(int number, void (*handler)(int), int flags)
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
	sigaction(number, &action, NULL);
}

/* A signal that a call sends to its own thread is handled before the call returns. */
static void at_once(void)
{
	handle(SIGUSR1, note, 0);
	long late = 0, wrong = 0;
	pid_t me = getpid(), thread = syscall(SYS_gettid);
	for (int i = 0; i < 5000; i++) {
		hits = 0;
		wrong += syscall(SYS_tgkill, me, thread, SIGUSR1) != 0;
		late += hits != 1;
	}
	same("handled when the call returns", late, 0);
	same("which succeeds", wrong, 0);
}

static void addresses(void)
{
	char *hole = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mprotect(hole + 4096, 4096, PROT_NONE);
	int fds[2];
	pipe(fds);
	write(fds[1], "abcdefgh", 8);
	for (int i = 0; i < 3; i++) {
		fails("read to nowhere", read(fds[0], hole + 4096, 1), EFAULT);
		fails("write from nowhere", write(fds[1], hole + 4096, 1), EFAULT);
		fails("time to nowhere", syscall(SYS_clock_gettime, CLOCK_MONOTONIC, hole + 4096), EFAULT);
		fails("time to two pages", syscall(SYS_clock_gettime, CLOCK_MONOTONIC, hole + 4092), EFAULT);
		fails("time to null", syscall(SYS_clock_gettime, CLOCK_MONOTONIC, NULL), EFAULT);
		fails("time of day to nowhere", syscall(SYS_gettimeofday, hole + 4096, NULL), EFAULT);
		fails("processor to nowhere", syscall(SYS_getcpu, hole + 4096, NULL, NULL), EFAULT);
		fails("no such clock", syscall(SYS_clock_gettime, 77, hole), EINVAL);
		fails("no such descriptor", read(-1, hole, 1), EBADF);
	}
	same("and the pipe is as it was", read(fds[0], hole, 4096), 8);
	unsigned cpu = ~0u, node = ~0u;
	ok("processor", syscall(SYS_getcpu, &cpu, &node, NULL) == 0 && cpu < CPU_SETSIZE && node < 1024);
	same("processor without places", syscall(SYS_getcpu, NULL, NULL, NULL), 0);
	same("resolution without a place", clock_getres(CLOCK_MONOTONIC, NULL), 0);
	close(fds[0]), close(fds[1]);
}

/* Calls under a timer: results and registers come through. */
static void under_a_timer(void)
{
	handle(SIGALRM, note, SA_RESTART);
	struct itimerval often = {{0, 300}, {0, 300}}, never = {{0, 0}, {0, 0}};
	pid_t me = getpid(), parent = getppid();
	long wrong = 0, backwards = 0;
	struct timespec last = {0, 0};
	hits = 0;
	setitimer(ITIMER_REAL, &often, NULL);
	for (int i = 0; i < 20000 || (hits < 20 && i < 100000000); i++) {
		struct timespec now;
		wrong += syscall(SYS_getppid) != parent || syscall(SYS_getpid) != me;
		wrong += clock_gettime(CLOCK_MONOTONIC, &now) != 0;
		backwards += now.tv_sec < last.tv_sec || (now.tv_sec == last.tv_sec && now.tv_nsec < last.tv_nsec);
		last = now;
	}
	setitimer(ITIMER_REAL, &never, NULL);
	same("calls between signals", wrong, 0);
	same("time between signals", backwards, 0);
	ok("the signals came", hits >= 20);
}

static int fds[2];
static pthread_t reader;
enum { BYTES = 1000 };
static volatile int finished;

static void *disturb(void *unused)
{
	(void)unused;
	for (int i = 0; i < BYTES; i++) {
		pthread_kill(reader, SIGUSR1);
		if (i % 3 == 0)
			sched_yield();
		write(fds[1], "x", 1);
		if (i % 5 == 0)
			pthread_kill(reader, SIGUSR1);
	}
	return NULL;
}

/* A blocking read is disturbed from another thread: no byte is lost, and EINTR comes only to handlers without SA_RESTART. */
static void blocking(const char *what, int flags, int may_fail)
{
	handle(SIGUSR1, note, flags);
	reader = pthread_self();
	pipe(fds);
	hits = 0;
	pthread_t other;
	pthread_create(&other, NULL, disturb, NULL);
	long got = 0, interrupted = 0, wrong = 0;
	while (got < BYTES) {
		char c = 0;
		ssize_t n = read(fds[0], &c, 1);
		if (n == 1)
			got++, wrong += c != 'x';
		else if (n == -1 && errno == EINTR)
			interrupted++;
		else
			wrong++;
	}
	pthread_join(other, NULL);
	ok(what, got == BYTES && wrong == 0 && (may_fail || interrupted == 0) && hits > 0);
	close(fds[0]), close(fds[1]);
}

enum { KINDS = 3, EACH = 1000 };
static volatile int count[KINDS], next[KINDS], disorder, unmasked;
static volatile int deferred;

static void queued(int number, siginfo_t *info, void *context)
{
	(void)context;
	int kind = number - (SIGRTMIN + 1);
	disorder += info->si_value.sival_int < next[kind];
	if (deferred) {
		disorder += info->si_value.sival_int != next[kind];
		sigset_t mask;
		sigprocmask(SIG_BLOCK, NULL, &mask);
		unmasked += !sigismember(&mask, number);
	}
	next[kind] = info->si_value.sival_int + 1;
	__sync_fetch_and_add(&count[kind], 1);
}

static void *storm(void *target)
{
	for (int i = 0; i < EACH; i++)
		for (int kind = 0; kind < KINDS; kind++) {
			union sigval value = {.sival_int = i};
			/* As many as the stack can hold. */
			while (i * KINDS + kind - (count[0] + count[1] + count[2]) > 300)
				sched_yield();
			while (pthread_sigqueue(*(pthread_t *)target, SIGRTMIN + 1 + kind, value) != 0)
				sched_yield();
		}
	finished = 1;
	return NULL;
}

static volatile double work = 1;

/* Queued signals of several kinds fall on a thread that does this meanwhile: each comes once. */
static void storms(const char *what, int flags, void (*meanwhile)(void))
{
	for (int kind = 0; kind < KINDS; kind++) {
		struct sigaction action = {.sa_sigaction = queued, .sa_flags = SA_SIGINFO | SA_RESTART | flags};
		if (kind == 1)
			sigaddset(&action.sa_mask, SIGRTMIN + 1);
		sigaction(SIGRTMIN + 1 + kind, &action, NULL);
		count[kind] = next[kind] = 0;
	}
	disorder = unmasked = finished = 0;
	deferred = !(flags & SA_NODEFER);
	pthread_t self = pthread_self(), other;
	pthread_create(&other, NULL, storm, &self);
	while (!finished)
		meanwhile();
	pthread_join(other, NULL);
	for (int i = 0; i < 1000 && count[0] + count[1] + count[2] < KINDS * EACH; i++)
		usleep(1000);
	ok(what, count[0] == EACH && count[1] == EACH && count[2] == EACH && unmasked == 0 && (disorder == 0 || !deferred));
	sigset_t mask;
	sigprocmask(SIG_BLOCK, NULL, &mask);
	ok("and the mask is empty", !sigismember(&mask, SIGRTMIN + 1) && !sigismember(&mask, SIGRTMIN + 2) && !sigismember(&mask, SIGRTMIN + 3));
}

static void compute(void)
{
	for (int i = 0; i < 1000; i++)
		work = work * 0.999 + i;
}
static void call(void)
{
	for (int i = 0; i < 100; i++)
		syscall(SYS_getppid);
}
static void wait_a_little(void)
{
	struct timespec t = {0, 100000};
	struct pollfd none;
	sigset_t nothing, some;
	sigemptyset(&nothing);
	sigemptyset(&some);
	sigaddset(&some, SIGRTMIN + 2);
	ppoll(&none, 0, &t, &nothing);
	ppoll(&none, 0, &t, &some);
}
static void mask_and_unmask(void)
{
	sigset_t some, old;
	sigemptyset(&some);
	sigaddset(&some, SIGRTMIN + 1);
	sigaddset(&some, SIGRTMIN + 3);
	sigprocmask(SIG_BLOCK, &some, &old);
	work = work * 0.999 + syscall(SYS_getpid);
	sigprocmask(SIG_SETMASK, &old, NULL);
}

static void *block(void *unused)
{
	(void)unused;
	char c = 0;
	long got = 0;
	while (got < 100 && read(fds[0], &c, 1) == 1)
		got++, work = work + got;
	return (void *)got;
}

/* Threads wait in calls while the addresses that another one uses get a tag, which old translations cannot take. */
static void waiting_threads(void)
{
	pipe(fds);
	pthread_t others[3];
	for (int i = 0; i < 3; i++)
		pthread_create(&others[i], NULL, block, NULL);
	long sum = 0;
	for (int i = 0; i < 300; i++) {
		static int numbers[300];
		numbers[i] = 1;
		int *number = &numbers[i];
#ifdef __aarch64__
		number = (int *)((uintptr_t)number | (uintptr_t)0x5a << 56);
#endif
		usleep(100);
		sum += *(volatile int *)number;
		write(fds[1], "x", 1);
	}
	same("numbers", sum, 300);
	long got = 0;
	for (int i = 0; i < 3; i++) {
		void *result;
		if (i == 2)
			close(fds[1]);
		pthread_join(others[i], &result);
		got += (long)result;
	}
	same("bytes", got, 300);
}

int main(void)
{
	at_once();
	addresses();
	under_a_timer();
	blocking("a read that is made again", SA_RESTART, 0);
	blocking("a read that is given up", 0, 1);
	storms("signals over computing", 0, compute);
	storms("signals over calls", 0, call);
	storms("signals over waiting", 0, wait_a_little);
	storms("signals over changes of the mask", 0, mask_and_unmask);
	storms("signals that are not deferred", SA_NODEFER, compute);
	storms("nor over calls", SA_NODEFER, call);
	waiting_threads();
	return done();
}
