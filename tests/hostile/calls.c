/* System calls with hostile arguments: bad pointers, edges of mappings, huge sizes, flags and descriptors at random.
 *
 *     calls NUMBERS SEED FIRST ROUNDS [say]
 *
 * NUMBERS is a file of lines "number name"; names that begin with "+" may block signals. A round is a child that makes some calls; it depends on seed and
 * number alone. The parent is to be process 1 of a namespace. It prints the call of a round that does not end. What an emulator says itself
 * is the caller's to look for; of which signal a round dies says nothing, for any of its calls may have sent it. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096, BUFFER = 16 * PAGE, CALLS = 24 };
/* How often the parent looks at a child, and how long it sleeps between: not a time, for on a loaded machine both wait. */
enum { LOOKS = 60000, PAUSE_US = 200 };
/* For so long a round that does not end can be looked at. */
enum { SHOWN_US = 10000000 };

static struct call {
	long number;
	char name[40];
} calls[1024];
static int count;

/* What the parent looks at when a child is dead or stuck. */
static volatile struct log {
	int call, made;
	unsigned long args[6];
	struct note {
		int call;
		unsigned long args[6];
	} notes[CALLS];
} *last;

/* The call that was made last. A child's may have overwritten the note. */
static const struct call *last_call(void)
{
	unsigned call = last->call;
	return &calls[call < (unsigned)count ? call : 0];
}

static uint64_t state;

/* SplitMix64 */
static uint64_t next(void)
{
	uint64_t z = state += 0x9e3779b97f4a7c15;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static unsigned below(unsigned bound) { return next() % bound; }

static char *buffer, *edge, *locked;
static int fds;

static const char *const paths[] = {"", ".", "..", "/", "file", "folder", "link", "none/none", "/proc/self/exe", "/proc/self/maps", "/proc/self/mem",
	"/proc/self/fd/3", "/proc/self/cmdline", "/proc/self/map_files", "/proc/thread-self/stat", "/proc/cpuinfo", "/proc/self/task/../exe", "user.x", "tmpfs"};
static const uint64_t nowhere[] = {1, 8, 0xfff, 0x1000, 0x7ffff000, 0x80000000, 0xbffffffc, 0xfffff000, 0xfffffffe, 0x100000000, 0x555555554000, 0x7f0000000000,
	0x7f8000000000, 0x7ffffffff000, 0x7fffffffffff, 0x800000000000, 0xffff800000000000, 0xfffffffffffff000, 0xfffffffffffffff8, 0xff00000000001000};

static unsigned long value(void)
{
	switch (below(18)) {
	case 0: return 0;
	case 1: return below(64);
	case 2: case 3: return 3 + below(fds);
	case 4: return -1;
	case 5: return 1UL << below(8 * sizeof(long));
	case 6: return (1UL << below(8 * sizeof(long))) - 1;
	case 7: return (uint32_t)next();
	case 8: return next();
	case 9: case 10: return (unsigned long)buffer + (below(BUFFER) & ~15);
	case 11: return (unsigned long)buffer + below(BUFFER);
	case 12: return (unsigned long)edge + PAGE - below(128);
	case 13: return (unsigned long)locked + below(PAGE);
	case 14: return nowhere[below(sizeof nowhere / sizeof *nowhere)];
	case 15: return (unsigned long)paths[below(sizeof paths / sizeof *paths)];
	case 16: return -(unsigned long)below(200);
	default: return PAGE * (unsigned long)below(64);
	}
}

/* The buffer's words are arguments as well: lengths, descriptors, pointers to more of the same. */
static void fill(void)
{
	for (int n = 0; n < 64; n++) {
		unsigned at = below(BUFFER - 64) & ~7;
		for (int w = 0; w < 8; w++)
			if (below(4))
				((unsigned long *)(buffer + at))[w] = below(3) ? value() : 0;
	}
	*(unsigned long *)(edge + PAGE - 8 * (1 + below(15))) = value();
}

static sigjmp_buf out;
static void stop(int signal) { siglongjmp(out, 1); }

/* What a call may have changed that ends calls which wait. */
static void arm_alarm(void)
{
	struct sigaction action = {.sa_handler = stop};
	struct itimerval soon = {{0, 20000}, {0, 20000}};
	sigset_t none;
	sigemptyset(&none);
	sigaction(SIGALRM, &action, 0);
	setitimer(ITIMER_REAL, &soon, 0);
	sigprocmask(SIG_SETMASK, &none, 0);
}

/* The output is the children's too: one may have asked not to wait where the pipe is full. */
static void wait_for_readers(void) { fcntl(1, F_SETFL, fcntl(1, F_GETFL) & ~O_NONBLOCK); }

static void print(const char *what)
{
	wait_for_readers();
	const struct call *c = last_call();
	printf("%s: %s(0x%lx, 0x%lx, 0x%lx, 0x%lx, 0x%lx, 0x%lx), call %d\n", what, c->name, last->args[0], last->args[1], last->args[2], last->args[3],
		last->args[4], last->args[5], last->made);
	fflush(stdout);
}

/* The calls of a round up to the one that print told of. */
static void print_notes(void)
{
	for (int n = 0; n < CALLS && n <= last->made; n++) {
		volatile struct note *note = &last->notes[n];
		unsigned call = note->call;
		printf("  %d %s(", n, calls[call < (unsigned)count ? call : 0].name);
		for (int i = 0; i < 6; i++)
			printf("%s0x%lx", i ? ", " : "", note->args[i]);
		puts(")");
	}
	fflush(stdout);
}

static void child(int say)
{
	pid_t self = getpid();
	static volatile int n;
	struct rlimit space = {1 << 30, 1 << 30}, files = {64, 64}, size = {1 << 20, 1 << 20}, core = {0, 0};
	setrlimit(RLIMIT_AS, &space);
	setrlimit(RLIMIT_NOFILE, &files);
	setrlimit(RLIMIT_FSIZE, &size);
	setrlimit(RLIMIT_CORE, &core);
	/* the parent may trace it, and not the other way round */
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	for (n = 0; n < CALLS; n++) {
		if (sigsetjmp(out, 1))
			continue;
		fill();
		int call = below(count);
		unsigned long a[6];
		for (int i = 0; i < 6; i++)
			a[i] = value();
		/* of the parent, which it would end: of processor time, say */
		if (!strcmp(calls[call].name, "prlimit64") && a[0] == 1)
			a[0] = 0;
		for (int i = 0; i < 6; i++)
			last->args[i] = last->notes[n].args[i] = a[i];
		last->call = last->notes[n].call = call;
		last->made = n;
		if (say)
			print("call");
		arm_alarm();
		syscall(calls[call].number, a[0], a[1], a[2], a[3], a[4], a[5]);
		if (getpid() != self)
			_exit(0);
	}
	_exit(0);
}

static void round_of(uint64_t seed, uint64_t number, int say)
{
	int status = 0, stuck = 0, looks = 0;
	char what[80];
	state = seed * 0x2545f4914f6cdd1d + number;
	last->made = -1;
	pid_t pid = fork();
	if (!pid)
		child(say);
	if (pid < 0)
		return;
	/* A call may stop it, by a signal that its own child sends or as a tracee: that is no waiting. */
	while (!waitpid(pid, &status, WNOHANG | WUNTRACED)) {
		usleep(PAUSE_US);
		if (stuck || ++looks < (last_call()->name[0] == '+' ? LOOKS / 15 : LOOKS))
			continue;
		stuck = 1;
		if (last_call()->name[0] != '+' && last->made >= 0) {
			snprintf(what, sizeof what, "stuck in round %llu", (unsigned long long)number);
			print(what);
			print_notes();
			for (int shown = 0; shown < SHOWN_US; shown += PAUSE_US)
				usleep(PAUSE_US);
		}
		kill(pid, SIGKILL);
	}
	kill(-1, SIGKILL);
	while (waitpid(-1, &status, WNOHANG) > 0)
		;
}

static void drop_rights(void)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct none[2] = {{0, 0, 0}, {0, 0, 0}};
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	for (int cap = 0; cap < 64; cap++)
		prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	syscall(SYS_capset, &header, none);
	/* children cannot write its memory */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

static void descriptors(void)
{
	int pair[2];
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	fds = 0;
	fds += open("file", O_RDWR | O_CREAT, 0600) >= 0;
	fds += write(3, paths, sizeof paths) > 0 && open(".", O_RDONLY | O_DIRECTORY) >= 0;
	mkdir("folder", 0700);
	symlink("file", "link");
	fds += pipe(pair) ? 0 : 2;
	fds += socketpair(AF_UNIX, SOCK_STREAM, 0, pair) ? 0 : 2;
	fds += eventfd(1, EFD_NONBLOCK) >= 0;
	fds += epoll_create1(0) >= 0;
	fds += timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK) >= 0;
	fds += inotify_init1(IN_NONBLOCK) >= 0;
	fds += signalfd(-1, &set, SFD_NONBLOCK) >= 0;
	fds += socket(AF_INET, SOCK_DGRAM, 0) >= 0;
	fds += socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0) >= 0;
	fds += socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, 0) >= 0;
	fds += syscall(SYS_memfd_create, "memory", 0) >= 0;
	fds += open("/proc/self", O_RDONLY | O_DIRECTORY) >= 0;
	fds += open("/proc/self/maps", O_RDONLY) >= 0;
}

int main(int argc, char **argv)
{
	if (argc < 5)
		return 2;
	FILE *numbers = fopen(argv[1], "r");
	while (numbers && count < 1024 && fscanf(numbers, "%ld %39s", &calls[count].number, calls[count].name) == 2)
		count++;
	fclose(numbers);
	uint64_t seed = strtoull(argv[2], 0, 0), first = strtoull(argv[3], 0, 0), rounds = strtoull(argv[4], 0, 0);
	last = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	buffer = mmap(0, BUFFER, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	edge = mmap(0, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mprotect(edge + PAGE, PAGE, PROT_NONE);
	locked = mmap(0, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	/* kill(0) is to hit nobody outside */
	setsid();
	descriptors();
	drop_rights();
	for (uint64_t n = first; n < first + rounds; n++)
		round_of(seed, n, argc > 5);
	wait_for_readers();
	printf("done: %llu rounds, %d descriptors, %d numbers\n", (unsigned long long)rounds, fds, count);
	return 0;
}
