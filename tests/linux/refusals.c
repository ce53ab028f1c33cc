/* What a process refuses itself from some time on: that memory becomes executable, that calls of foreign code are made. */
#include "ok.h"
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>

#define SET_MDWE 65
#define GET_MDWE 66
#define REFUSE_EXEC_GAIN 1
#define NO_INHERIT 2

static char *room(int protection) { return mmap(NULL, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }

static int is_refused(void *at) { return at == MAP_FAILED && errno == EACCES; }

/* What a child does that refuses; the number of the first thing that is wrong. */
static int refusing(unsigned long bits, int inherited)
{
	char *before = room(PROT_READ | PROT_EXEC);
	if (prctl(SET_MDWE, bits, 0, 0, 0) != 0 || prctl(GET_MDWE, 0, 0, 0, 0) != bits)
		return 1;
	if (!is_refused(room(PROT_READ | PROT_WRITE | PROT_EXEC)))
		return 2;
	char *data = room(PROT_READ | PROT_WRITE);
	if (mprotect(data, 4096, PROT_READ | PROT_EXEC) == 0 || errno != EACCES)
		return 3;
	if (mprotect(before, 4096, PROT_READ) != 0 || mprotect(before, 4096, PROT_READ | PROT_EXEC) == 0)
		return 4;
	if (room(PROT_READ | PROT_EXEC) == MAP_FAILED)
		return 5;
	if (prctl(SET_MDWE, bits ^ NO_INHERIT, 0, 0, 0) == 0 || errno != EPERM)
		return 6;
	pid_t child = fork();
	if (child == 0)
		_exit(prctl(GET_MDWE, 0, 0, 0, 0));
	if (ended(child) != inherited)
		return 7;
	execl("/proc/self/exe", "after", inherited ? "1" : "0", (char *)NULL);
	return 8;
}

static void gain(void)
{
	pid_t child;
	same("nothing at first", prctl(GET_MDWE, 0, 0, 0, 0), 0);
	fails("an argument too many", prctl(GET_MDWE, 1, 0, 0, 0), EINVAL);
	fails("unknown bits", prctl(SET_MDWE, 4, 0, 0, 0), EINVAL);
	fails("nothing that is not inherited", prctl(SET_MDWE, NO_INHERIT, 0, 0, 0), EINVAL);
	if ((child = fork()) == 0)
		_exit(refusing(REFUSE_EXEC_GAIN, 1));
	same("a gain is refused", ended(child), 0);
	if ((child = fork()) == 0)
		_exit(refusing(REFUSE_EXEC_GAIN | NO_INHERIT, 0));
	same("a gain is refused to this process", ended(child), 0);
}

#define SET_DISPATCH 59
#define SYS_USER_DISPATCH 2

static volatile char selector;
static volatile int caught, wrong;

static void handler(int signo, siginfo_t *info, void *context)
{
	selector = 0;
	caught++;
	wrong += signo != SIGSYS || info->si_code != SYS_USER_DISPATCH || info->si_syscall != SYS_getpgid || !info->si_call_addr;
	(void)context;
}

static int dispatching(void)
{
	struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
	sigaction(SIGSYS, &action, NULL);
	if (prctl(SET_DISPATCH, 1, 0, 0, &selector) != 0)
		return errno == EINVAL ? 100 : 1;
	if (syscall(SYS_getpgid, 0) <= 0 || caught != 0)
		return 2;
	for (int n = 1; n <= 3; n++) {
		selector = 1;
		syscall(SYS_getpgid, 0);
		if (caught != n || wrong != 0)
			return 3;
	}
	pid_t child = fork();
	if (child == 0) {
		selector = 1;
		_exit(syscall(SYS_getpgid, 0) > 0 && caught == 3 ? 0 : 4);
	}
	if (ended(child) != 0)
		return 4;
	/* Of code everywhere, then of none. */
	if (prctl(SET_DISPATCH, 1, 4096, ~0UL, &selector) == 0 || errno != EINVAL)
		return 5;
	if (prctl(SET_DISPATCH, 1, 0, ~0UL, &selector) != 0)
		return 6;
	selector = 1;
	if (syscall(SYS_getpgid, 0) <= 0 || caught != 3)
		return 7;
	if (prctl(SET_DISPATCH, 0, 0, 0, 0) != 0)
		return 8;
	if (prctl(SET_DISPATCH, 0, 1, 0, 0) == 0 || errno != EINVAL)
		return 9;
	selector = 7;
	return 0;
}

static int unknown_selector(void)
{
	prctl(SET_DISPATCH, 1, 0, 0, &selector);
	selector = 7;
	return syscall(SYS_getpgid, 0) <= 0;
}

static void dispatch(void)
{
	/* The kernel's architectures with generic entry code have it. */
#if defined __aarch64__ || defined __arm__
	const int ends[2] = {100, 0};
#else
	const int ends[2] = {0, -SIGSYS};
#endif
	pid_t child = fork();
	if (child == 0)
		_exit(dispatching());
	same("calls are given back", ended(child), ends[0]);
	if ((child = fork()) == 0)
		_exit(unknown_selector());
	same("a selector that is none", ended(child), ends[1]);
}

static void places(void)
{
	unsigned size = 0;
	same("the size of what PR_SET_MM takes", prctl(35, 15, &size, 0, 0), 0);
	ok("a whole struct", size == 104 || size == 100);
}

int main(int count, char **arguments)
{
	if (count > 1)
		return prctl(GET_MDWE, 0, 0, 0, 0) != atoi(arguments[1]);
	gain();
	dispatch();
	places();
	return done();
}
