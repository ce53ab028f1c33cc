/* Who and where a program is: its machine, auxiliary vector, limits, names, processors, its folder under /proc. */
#include "ok.h"
#include <elf.h>
#include <grp.h>
#include <link.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

extern char **environ;

#if defined(__aarch64__)
#define MACHINE "aarch64"
#define MACHINE32 "armv8l"
#define PLATFORM "aarch64"
#define ELF_MACHINE EM_AARCH64
#elif defined(__arm__)
#define MACHINE "armv"
#define MACHINE32 "armv8l"
#define PLATFORM "v"
#define ELF_MACHINE EM_ARM
#elif defined(__riscv)
#define MACHINE "riscv64"
#define MACHINE32 "riscv32"
/* there is none */
#define PLATFORM NULL
#define ELF_MACHINE EM_RISCV
#elif defined(__i386__)
/* Of the kernel, which need not be one for 64 bits. */
#define MACHINE (strcmp(u.machine, "x86_64") ? "i686" : "x86_64")
#define MACHINE32 "i686"
#define PLATFORM "i686"
#define ELF_MACHINE EM_386
#else
#define MACHINE "x86_64"
#define MACHINE32 "i686"
#define PLATFORM "x86_64"
#define ELF_MACHINE EM_X86_64
#endif

static size_t contents(const char *path, char *room, size_t size)
{
	int fd = open(path, O_RDONLY);
	size_t length = 0;
	for (ssize_t n; fd >= 0 && length < size - 1 && (n = read(fd, room + length, size - 1 - length)) > 0;)
		length += (size_t)n;
	close(fd);
	room[length] = 0;
	return length;
}

static void machine(void)
{
	struct utsname u;
	struct sysinfo info;
	uname(&u);
	ok("uname", strcmp(u.sysname, "Linux") == 0 && strncmp(u.machine, MACHINE, strlen(MACHINE)) == 0 && u.nodename[0] && u.version[0]);
	char arch[100];
	contents("/proc/sys/kernel/arch", arch, sizeof arch);
	ok("arch", strncmp(arch, MACHINE, strlen(MACHINE)) == 0);
	int usual = personality(0xffffffff), changed = personality(PER_LINUX32);
	ok("PER_LINUX32", changed == usual && uname(&u) == 0 && strcmp(u.machine, MACHINE32) == 0);
	personality(usual);
	int major = 0, minor = 0;
	ok("release", sscanf(u.release, "%d.%d", &major, &minor) == 2 && (major > 3));
	ok("sysinfo", sysinfo(&info) == 0 && info.totalram > 0 && info.uptime > 0 && info.procs > 0 && info.mem_unit > 0);
	cpu_set_t set;
	ok("affinity", sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) >= 1 && CPU_COUNT(&set) == sysconf(_SC_NPROCESSORS_ONLN));
	same("sched_setaffinity", sched_setaffinity(0, sizeof set, &set), 0);
	unsigned cpu = 9999;
	ok("getcpu", getcpu(&cpu, NULL) == 0 && CPU_ISSET(cpu, &set) && sched_getcpu() >= 0);
	ok("scheduler", sched_getscheduler(0) == SCHED_OTHER && sched_yield() == 0 && sched_get_priority_max(SCHED_FIFO) == 99);
	/* The tests themselves may have been started by nice. */
	int before = getpriority(PRIO_PROCESS, 0), after = before + 3 < 19 ? before + 3 : 19;
	ok("nice", nice(3) == after && getpriority(PRIO_PROCESS, 0) == after);
	static char text[200000];
	contents("/proc/cpuinfo", text, sizeof text);
#if defined(__aarch64__) || defined(__arm__)
	ok("/proc/cpuinfo", strstr(text, "Features\t") && strstr(text, "CPU implementer\t"));
#elif defined(__riscv)
	ok("/proc/cpuinfo", strstr(text, "isa\t\t: rv64imafdcv_") && strstr(text, "mmu\t\t: sv"));
#else
	ok("/proc/cpuinfo", strstr(text, "flags\t") != NULL);
#endif
}

/* riscv_hwprobe(2): values of keys, and which processors have given ones. All are alike here; other guests have no such call. */
static void probe(void)
{
	int values = 1, which = 1, errors = 1;
#ifdef __riscv
	enum { CALL = 258, BASE = 3, EXTENSIONS = 4, WHICH_CPUS = 1 };
	struct { long long key; unsigned long long value; } pairs[2] = {{BASE}, {EXTENSIONS}}, strange = {1000, 5};
	cpu_set_t set, none;
	CPU_ZERO(&set);
	CPU_ZERO(&none);
	values = syscall(CALL, pairs, 2L, 0L, NULL, 0L) == 0 && pairs[0].value == 1 && (pairs[1].value & 3) == 3 && syscall(CALL, &strange, 1L, 0L, NULL, 0L) == 0 && strange.key == -1 && strange.value == 0;
	which = syscall(CALL, pairs, 2L, sizeof set, &set, WHICH_CPUS) == 0 && CPU_COUNT(&set) == sysconf(_SC_NPROCESSORS_ONLN);
	pairs[1].value = 3;
	which &= syscall(CALL, pairs, 2L, sizeof set, &set, WHICH_CPUS) == 0 && CPU_COUNT(&set) == sysconf(_SC_NPROCESSORS_ONLN);
	pairs[1].value = 1ULL << 62;
	which &= syscall(CALL, pairs, 2L, sizeof set, &set, WHICH_CPUS) == 0 && CPU_COUNT(&set) == 0;
	errors = syscall(CALL, pairs, 1L, sizeof none, &none, 0L) == -1 && errno == EINVAL;
	errors &= syscall(CALL, pairs, 1L, 0L, NULL, WHICH_CPUS) == -1 && errno == EINVAL && syscall(CALL, pairs, 1L, sizeof set, &set, 2L) == -1 && errno == EINVAL;
	errors &= syscall(CALL, pairs, 1L, sizeof set, NULL, 0L) == -1 && errno == EFAULT;
#endif
	ok("values of features", values);
	ok("processors that have features", which);
	ok("errors of these", errors);
}

static void auxiliary_vector(void)
{
	char text[4096], *name = (char *)getauxval(AT_EXECFN);
	readlink("/proc/self/exe", text, sizeof text);
	ok("AT_EXECFN", name && strrchr(name, '/') && strncmp(strrchr(text, '/'), strrchr(name, '/'), strlen(strrchr(name, '/'))) == 0);
	same("AT_PAGESZ", getauxval(AT_PAGESZ), 4096);
	ok("AT_UID and the others", getauxval(AT_UID) == getuid() && getauxval(AT_EUID) == geteuid() && getauxval(AT_GID) == getgid() && getauxval(AT_EGID) == getegid());
	same("AT_CLKTCK", getauxval(AT_CLKTCK), 100);
	same("AT_SECURE", getauxval(AT_SECURE), 0);
	same("AT_PHENT", getauxval(AT_PHENT), sizeof(ElfW(Phdr)));
	const ElfW(Phdr) *header = (void *)getauxval(AT_PHDR);
	int loads = 0;
	for (size_t i = 0; i < getauxval(AT_PHNUM); i++)
		loads += header[i].p_type == PT_LOAD;
	ok("AT_PHDR", loads >= 1 && loads < 10);
	const ElfW(Ehdr) *vdso = (void *)getauxval(AT_SYSINFO_EHDR);
	ok("AT_SYSINFO_EHDR", vdso && memcmp(vdso->e_ident, ELFMAG, 4) == 0 && vdso->e_machine == ELF_MACHINE && vdso->e_type == ET_DYN);
	unsigned long vector[200] = {0};
	int page = 0;
	ok("PR_GET_AUXV", prctl(0x41555856, vector, sizeof vector, 0, 0) > 20 * (int)sizeof *vector);
	for (int i = 0; i < 198 && vector[i]; i += 2)
		page += vector[i] == AT_PAGESZ && vector[i + 1] == 4096;
	same("its page size", page, 1);
	vector[2] = 77;
	ok("a part of it", prctl(0x41555856, vector, 2 * sizeof *vector, 0, 0) > 20 * (int)sizeof *vector && vector[2] == 77);
	fails("its arguments", prctl(0x41555856, vector, sizeof vector, 1, 0), EINVAL);
	const unsigned char *random = (void *)getauxval(AT_RANDOM);
	int zeros = 0;
	for (int i = 0; i < 16; i++)
		zeros += random[i] == 0;
	ok("AT_RANDOM", zeros < 8);
	const char *platform = (const char *)getauxval(AT_PLATFORM);
	const char *expected = PLATFORM;
	ok("AT_PLATFORM", expected ? platform && strncmp(platform, expected, strlen(expected)) == 0 : !platform);
	ok("AT_ENTRY", getauxval(AT_ENTRY) != 0);
	/* the file that the kernel keeps is the vector that the program was given */
	char **end = environ;
	while (*end)
		end++;
	static char file[8192];
	size_t length = contents("/proc/self/auxv", file, sizeof file);
	ok("/proc/self/auxv", length > 100 && memcmp(file, end + 1, length) == 0);
	ok("the stack's order", (uintptr_t)environ < (uintptr_t)(end + 1) && (uintptr_t)environ[0] > (uintptr_t)(end + 1));
}

static void proc_self(int count, char **arguments)
{
	static char text[65536];
	char link[64], target[4096] = "";
	size_t length = contents("/proc/self/cmdline", text, sizeof text);
	ok("cmdline", count == 1 && length == strlen(arguments[0]) + 1 && strcmp(text, arguments[0]) == 0);
	contents("/proc/self/comm", text, sizeof text);
	char wanted[17] = "";
	strncpy(wanted, strrchr(arguments[0], '/') + 1, 15);
	text[strcspn(text, "\n")] = 0;
	ok("comm", strcmp(text, wanted) == 0);
	contents("/proc/self/stat", text, sizeof text);
	int pid = 0, parent = 0;
	char name[20], state;
	ok("stat", sscanf(text, "%d (%19[^)]) %c %d", &pid, name, &state, &parent) == 4 && pid == getpid() && parent == getppid() && state == 'R' && strcmp(name, wanted) == 0);
	snprintf(link, sizeof link, "/proc/%d/exe", getpid());
	ok("exe by number", readlink(link, target, sizeof target) > 0 && strcmp(strrchr(target, '/') + 1, strrchr(arguments[0], '/') + 1) == 0);
	contents("/proc/self/status", text, sizeof text);
	ok("status", strstr(text, "Threads:\t1\n") && strstr(text, "State:\tR"));
	contents("/proc/self/environ", text, sizeof text);
	ok("environ", environ[0] && strcmp(text, environ[0]) == 0 && !strstr(text, "QEMU_"));
	ok("root and cwd", readlink("/proc/self/cwd", target, sizeof target) > 0 && readlink("/proc/self/root", target, sizeof target) == 1);
	int fd = open("/proc/self/fd", O_RDONLY | O_DIRECTORY), extra = 0;
	for (int i = 3; i < 1024; i++)
		extra += i != fd && fcntl(i, F_GETFD) >= 0;
	ok("no descriptors but its own", fd == 3 && extra == 0);
	fd = open("/proc/self/mem", O_RDONLY);
	long here = 0x1234567, there = 0;
	ok("mem", pread64(fd, &there, sizeof there, (off64_t)(uintptr_t)&here) == sizeof there && there == here);
}

static void names_and_limits(void)
{
	char name[16] = "";
	struct rlimit limit, old;
	same("PR_SET_NAME", prctl(PR_SET_NAME, "a new name"), 0);
	ok("PR_GET_NAME", prctl(PR_GET_NAME, name) == 0 && strcmp(name, "a new name") == 0);
	ok("PR_SET_DUMPABLE", prctl(PR_SET_DUMPABLE, 0) == 0 && prctl(PR_GET_DUMPABLE) == 0 && prctl(PR_SET_DUMPABLE, 1) == 0);
	ok("PR_SET_NO_NEW_PRIVS", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0);
	ok("PR_SET_TIMERSLACK", prctl(PR_SET_TIMERSLACK, 60000) == 0 && prctl(PR_GET_TIMERSLACK) == 60000);
	fails("an unknown prctl", prctl(9999, 0, 0, 0, 0), EINVAL);
	ok("RLIMIT_NOFILE", getrlimit(RLIMIT_NOFILE, &old) == 0 && old.rlim_cur > 10);
	limit = (struct rlimit){20, old.rlim_max};
	same("setrlimit", setrlimit(RLIMIT_NOFILE, &limit), 0);
	int last = -1, fd;
	while ((fd = dup(1)) >= 0)
		last = fd;
	ok("holds", last == 19 && errno == EMFILE);
	for (fd = 3; fd < 20; fd++)
		close(fd);
	ok("prlimit", prlimit(0, RLIMIT_NOFILE, &old, &limit) == 0 && limit.rlim_cur == 20);
	ok("RLIM_INFINITY", getrlimit(RLIMIT_CPU, &limit) == 0 && limit.rlim_cur == RLIM_INFINITY);
	limit = (struct rlimit){30, 20};
	fails("the soft above the hard", setrlimit(RLIMIT_CORE, &limit), EINVAL);
	unsigned char random[300] = {0};
	int zeros = 0;
	same("getrandom", getrandom(random, sizeof random, 0), sizeof random);
	for (int i = 0; i < 300; i++)
		zeros += random[i] == 0;
	ok("is random", zeros < 20);
	ok("personality", (personality(0xffffffff) & 0xff) == PER_LINUX || (personality(0xffffffff) & 0xff) == PER_LINUX32);
	gid_t groups[100];
	ok("groups", getgroups(100, groups) >= 0 && getresuid(&(uid_t){0}, &(uid_t){0}, &(uid_t){0}) == 0);
	/* A parent, group or session from outside the process's pid namespace is number 0. */
	ok("ids", getpid() > 0 && getppid() >= 0 && getpgrp() >= 0 && getsid(0) >= 0 && getpgid(0) == getpgrp());
	ok("umask", umask(077) != 077 && umask(022) == 077);
}

static void errors(void)
{
	fails("an unknown call", syscall(4000), ENOSYS);
	fails("a bad pointer for uname", uname((void *)16), EFAULT);
	fails("a bad pointer for pipe", syscall(SYS_pipe2, 16, 0), EFAULT);
	fails("a bad pointer for clock_gettime", syscall(SYS_clock_gettime, 0, 16), EFAULT);
	fails("a bad pointer for getcwd", syscall(SYS_getcwd, 16, 100), EFAULT);
	fails("a bad pointer for write", write(open("/dev/zero", O_RDWR), NULL, 0) ?: syscall(SYS_write, ({ int p[2]; pipe(p); p[1]; }), 16, 5), EFAULT);
	fails("a bad pointer for sigaction", syscall(SYS_rt_sigaction, SIGUSR1, 16, 0, 8), EFAULT);
	fails("a bad size for sigprocmask", syscall(SYS_rt_sigprocmask, 0, 0, 0, 7), EINVAL);
	fails("a bad pointer for execve", syscall(SYS_execve, 16, 0, 0), EFAULT);
	fails("a bad pointer for statx", syscall(SYS_statx, -100, 16, 0, 0, 0), EFAULT);
}

int main(int count, char **arguments)
{
	for (int fd = 3; fd < 1024; fd++)
		close(fd);
	machine();
	probe();
	auxiliary_vector();
	proc_self(count, arguments);
	names_and_limits();
	errors();
	return done();
}
