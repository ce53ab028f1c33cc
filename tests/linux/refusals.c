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

/* The kernel's, for every width of program. */
struct map {
	uint64_t start_code, end_code, start_data, end_data, start_brk, brk, start_stack, arg_start, arg_end, env_start, env_end, auxv;
	uint32_t auxv_size, exe_fd;
};

static size_t contents(const char *path, char *to, size_t size)
{
	int fd = open(path, O_RDONLY);
	ssize_t length = read(fd, to, size);
	close(fd);
	return length < 0 ? 0 : length;
}

/* A field of /proc/self/stat by its number, from 3 on; 0 if it is not there. */
static uint64_t field(int number)
{
	char text[2048];
	text[contents("/proc/self/stat", text, sizeof text - 1)] = 0;
	char *at = strrchr(text, ')');
	for (; at && number > 2; number--)
		at = strchr(at + 1, ' ');
	return at ? strtoull(at, NULL, 10) : 0;
}

static int set_map(const struct map *map) { return prctl(PR_SET_MM, 14, map, sizeof *map, 0); }

/* With one member changed. */
#define with(member, value) ({ struct map m = map; m.member = (value); set_map(&m); })

static void mapped(void)
{
	static const char arguments[] = "renamed\0program", environment[] = "A=b";
	/* The kernel tells of memory that is no file's. */
	char *strings = memcpy(room(PROT_READ | PROT_WRITE), arguments, sizeof arguments), *more = strings + sizeof arguments;
	memcpy(more, environment, sizeof environment);
	struct map map = {field(26), field(27), field(45), field(46), field(47), (uintptr_t)sbrk(0), field(28), (uintptr_t)strings,
			  (uintptr_t)more, (uintptr_t)more, (uintptr_t)more + sizeof environment, 0, 0, -1};
	ok("the heap's start is told", map.start_brk != 0 && map.start_brk <= map.brk);
	same("a map of memory", set_map(&map), 0);
	char text[4096];
	ok("its arguments", contents("/proc/self/cmdline", text, sizeof text) == sizeof arguments && memcmp(text, arguments, sizeof arguments) == 0);
	ok("its environment", contents("/proc/self/environ", text, sizeof text) == sizeof environment && memcmp(text, environment, sizeof environment) == 0);
	ok("in stat too", field(48) == map.arg_start);
	same("its code", with(end_code, map.end_code - 1), 0);
	ok("told", field(27) == map.end_code - 1);
	ok("the heap is where it was", set_map(&map) == 0 && field(47) == map.start_brk && (uintptr_t)sbrk(0) == map.brk);
	fails("of another size", prctl(PR_SET_MM, 14, &map, sizeof map - 8, 0), EINVAL);
	fails("with a fifth argument", prctl(PR_SET_MM, 14, &map, sizeof map, 1), EINVAL);
	fails("from nowhere", prctl(PR_SET_MM, 14, 16, sizeof map, 0), EFAULT);
	fails("code that is empty", with(start_code, map.end_code), EINVAL);
	fails("data that end first", with(end_data, map.start_data - 1), EINVAL);
	fails("a heap that ends first", with(brk, map.start_brk - 1), EINVAL);
	fails("arguments that end first", with(arg_end, map.arg_start - 1), EINVAL);
	fails("a stack beyond all memory", with(start_stack, ~0ull), EINVAL);
	fails("a vector from nowhere", with(auxv_size, 16), EINVAL);
	fails("a vector that is too long", ({ struct map m = map; m.auxv = (uintptr_t)text; m.auxv_size = 4096; set_map(&m); }), EINVAL);

	unsigned long *vector = (unsigned long *)text;
	map.auxv_size = contents("/proc/self/auxv", text, sizeof text);
	map.auxv = (uintptr_t)text;
	for (int i = 0; vector[i]; i += 2)
		if (vector[i] == 17) /* AT_CLKTCK */
			vector[i + 1] = 123;
	same("with a vector", set_map(&map), 0);
	char again[sizeof text];
	size_t length = contents("/proc/self/auxv", again, sizeof again);
	ok("which is told", length >= map.auxv_size && memcmp(again, text, map.auxv_size) == 0);
}

int main(int count, char **arguments)
{
	if (count > 1)
		return prctl(GET_MDWE, 0, 0, 0, 0) != atoi(arguments[1]);
	gain();
	dispatch();
	places();
	mapped();
	return done();
}
