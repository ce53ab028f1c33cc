/* A process's folder under /proc, however it is reached, for itself and for others. */
#include "ok.h"
#include <dirent.h>
#include <linux/openat2.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

static char text[1 << 18], exe[4096];

/* Reads what is open, and closes it. */
static size_t drain(int fd)
{
	size_t length = 0;
	for (ssize_t n; fd >= 0 && length < sizeof text - 1 && (n = read(fd, text + length, sizeof text - 1 - length)) > 0;)
		length += (size_t)n;
	text[length] = 0;
	close(fd);
	return length;
}

static size_t contents(const char *path) { return drain(open(path, O_RDONLY)); }

/* The line of maps in `text` for an address: 1 if it has these permissions and this path. */
static int has_line(const void *address, const char *permissions, const char *path)
{
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		unsigned long start, end;
		char perms[5] = "", name[4096] = "";
		sscanf(line, "%lx-%lx %4s %*s %*s %*s %4095[^\n]", &start, &end, perms, name);
		if ((uintptr_t)address >= start && (uintptr_t)address < end)
			return strcmp(perms, permissions) == 0 && strcmp(name, path) == 0;
	}
	return 0;
}

static int has_code(void) { return has_line((void *)(uintptr_t)&has_code, "r-xp", exe); }

/* A number in a "name: value" file that was read. */
static unsigned long long number(const char *name, int base)
{
	char *at = strstr(text, name);
	return at ? strtoull(at + strlen(name), NULL, base) : 0xbadULL;
}

static void ways(void)
{
	char path[100];
	int proc = open("/proc", O_RDONLY | O_DIRECTORY), self = open("/proc/self", O_PATH | O_DIRECTORY), here = open(".", O_RDONLY);
	ok("maps by self", contents("/proc/self/maps") && has_code());
	ok("by thread-self", contents("/proc/thread-self/maps") && has_code());
	snprintf(path, sizeof path, "/proc/%d/task/%d/maps", getpid(), getpid());
	ok("by numbers", contents(path) && has_code());
	ok("through a folder", drain(openat(proc, "self/maps", O_RDONLY)) && has_code());
	ok("through a folder of its own", drain(openat(self, "maps", O_RDONLY)) && has_code());
	ok("with dots", contents("/proc/../proc/./self//maps") && has_code());
	ok("through its root", contents("/proc/self/root/proc/self/maps") && has_code());
	ok("in the working directory", chdir("/proc/self") == 0 && contents("maps") && has_code() && fchdir(here) == 0);
	struct open_how how = {.flags = O_RDONLY};
	ok("by openat2", drain((int)syscall(SYS_openat2, proc, "self/maps", &how, sizeof how)) && has_code());
	how.resolve = RESOLVE_BENEATH;
	ok("by openat2, beneath", drain((int)syscall(SYS_openat2, self, "maps", &how, sizeof how)) && has_code());
	fails("no such file", openat(self, "mapz", O_RDONLY), ENOENT);
	fails("no folder", open("/proc/self/maps/x", O_RDONLY), ENOTDIR);
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	ok("close-on-exec", fcntl(fd, F_GETFD) == FD_CLOEXEC && (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY);
	fails("write", write(fd, "x", 1), EBADF);
	close(fd);
	close(proc);
	close(self);
	close(here);
}

static void executable(void)
{
	char target[4096] = "", other[4096] = "";
	struct stat of_link, of_file, of_path, through;
	int self = open("/proc/self", O_PATH | O_DIRECTORY), link = open("/proc/self/exe", O_PATH | O_NOFOLLOW);
	ok("exe is a link", lstat("/proc/self/exe", &of_link) == 0 && S_ISLNK(of_link.st_mode));
	ok("to the program", stat("/proc/self/exe", &of_file) == 0 && S_ISREG(of_file.st_mode) && stat(exe, &of_path) == 0 && of_file.st_ino == of_path.st_ino);
	ok("fstatat", fstatat(self, "exe", &through, 0) == 0 && through.st_ino == of_path.st_ino);
	ok("fstatat of the link", fstatat(self, "exe", &through, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(through.st_mode));
	ok("readlinkat", readlinkat(self, "exe", target, sizeof target) == (ssize_t)strlen(exe) && strcmp(target, exe) == 0);
	ok("readlinkat of the link itself", readlinkat(link, "", other, sizeof other) == (ssize_t)strlen(exe) && strcmp(other, exe) == 0);
	ok("readlink, cut", readlink("/proc/thread-self/exe", target, 3) == 3 && memcmp(target, exe, 3) == 0);
	fails("readlink into nothing", readlink("/proc/self/exe", target, 0), EINVAL);
	ok("realpath", realpath("/proc/self/exe", other) && strcmp(other, exe) == 0);
	int fd = openat(self, "exe", O_RDONLY);
	ok("opened", fstat(fd, &through) == 0 && through.st_ino == of_path.st_ino && read(fd, target, 4) == 4 && memcmp(target, "\177ELF", 4) == 0);
	close(fd);
	fails("O_NOFOLLOW", open("/proc/self/exe", O_RDONLY | O_NOFOLLOW), ELOOP);
	ok("access", access("/proc/self/exe", X_OK) == 0 && faccessat(self, "exe", R_OK, 0) == 0);
	struct open_how how = {.flags = O_RDONLY, .resolve = RESOLVE_NO_MAGICLINKS};
	fails("RESOLVE_NO_MAGICLINKS", syscall(SYS_openat2, self, "exe", &how, sizeof how), ELOOP);
	how.resolve = RESOLVE_BENEATH;
	fails("RESOLVE_BENEATH", syscall(SYS_openat2, self, "exe", &how, sizeof how), EXDEV);
	how.resolve = RESOLVE_IN_ROOT;
	fails("RESOLVE_IN_ROOT", syscall(SYS_openat2, self, "exe", &how, sizeof how), EXDEV);
	how.resolve = RESOLVE_NO_XDEV;
	fails("RESOLVE_NO_XDEV", syscall(SYS_openat2, self, "exe", &how, sizeof how), EXDEV);
	contents("/proc/self/maps");
	unsigned long start, end;
	char *line = text;
	while (line && !strstr(strtok(line, "\n"), exe))
		line = line + strlen(line) + 1;
	ok("a range of the program", sscanf(line, "%lx-%lx", &start, &end) == 2);
	snprintf(other, sizeof other, "map_files/%lx-%lx", start, end);
	ssize_t n = readlinkat(self, other, target, sizeof target - 1);
	ok("map_files", n > 0 && (target[n] = 0, strcmp(target, exe) == 0));
	ok("its link", lstat("/proc/self/exe", &of_link) == 0 && syscall(SYS_readlinkat, self, other, target, 3) == 3 && fstatat(self, other, &through, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(through.st_mode));
	ok("what it stands for", fstatat(self, other, &through, 0) == 0 && through.st_ino == of_path.st_ino);
	fails("of no mapping", readlinkat(self, "map_files/1000-2000", target, sizeof target), ENOENT);
	close(self);
	close(link);
}

/* The folder map_files beside the lines of maps that have a file: as many, and each is one. */
static void mappings(void)
{
	static char names[1000][40];
	static long positions[1000];
	int listed = 0, wanted = 0, found = 0, links = 1;
	DIR *folder = opendir("/proc/self/map_files");
	for (struct dirent *entry; folder && listed < 1000 && (entry = readdir(folder));)
		if (entry->d_name[0] != '.')
			links &= entry->d_type == DT_LNK, strcpy(names[listed], entry->d_name), positions[listed++] = telldir(folder);
	contents("/proc/self/maps");
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		unsigned long start, end;
		char name[40];
		if (!strchr(line, '/') || sscanf(line, "%lx-%lx", &start, &end) != 2)
			continue;
		snprintf(name, sizeof name, "%lx-%lx", start, end);
		wanted++;
		for (int i = 0; i < listed; i++)
			found += strcmp(names[i], name) == 0;
	}
	ok("map_files has the mappings", links && listed >= 2 && listed == wanted && found == wanted);
	seekdir(folder, positions[0]);
	ok("read on from a position", strcmp(readdir(folder)->d_name, names[1]) == 0);
	rewinddir(folder);
	ok("and from the beginning", strcmp(readdir(folder)->d_name, ".") == 0 && strcmp(readdir(folder)->d_name, "..") == 0 && strcmp(readdir(folder)->d_name, names[0]) == 0);
	rewinddir(folder);
	char few[8];
	fails("no room", syscall(SYS_getdents64, dirfd(folder), few, sizeof few), EINVAL);
	closedir(folder);
}

/* The inode that the oldest call tells; they begin with the device and it on every ABI. */
static unsigned long inode(long call, const char *path)
{
	unsigned long raw[64] = {0};
	return syscall(call, path, raw) == 0 ? raw[1] : 0;
}

/* Calls that change a file, by the program's own link, and one that does not follow it. */
static void changes(void)
{
	struct stat before, after;
	struct timespec times[2] = {{.tv_sec = 1000000}, {.tv_sec = 1000000}};
	stat(exe, &before);
	ok("chmod through exe", chmod("/proc/self/exe", 0711) == 0 && stat(exe, &after) == 0 && (after.st_mode & 0777) == 0711);
	chmod(exe, before.st_mode & 0777);
	ok("utimensat through exe", utimensat(AT_FDCWD, "/proc/self/exe", times, 0) == 0 && stat(exe, &after) == 0 && after.st_mtim.tv_sec == 1000000);
#ifdef SYS_lstat
	ok("lstat, the old one", inode(SYS_lstat, "/proc/self/exe") != inode(SYS_stat, exe) && inode(SYS_stat, "/proc/self/exe") == inode(SYS_stat, exe));
#else
	ok("lstat, the old one", lstat("/proc/self/exe", &before) == 0 && before.st_ino != after.st_ino);
#endif
}

static void handler(int number) { (void)number; }

static void state(void)
{
	sigset_t set;
	unsigned long long vm;
	contents("/proc/self/status");
	ok("no signals at first", number("SigCgt:", 16) == 0 && number("SigBlk:", 16) == 0);
	signal(SIGUSR1, handler);
	signal(SIGSEGV, handler);
	signal(SIGHUP, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigaddset(&set, SIGBUS);
	sigprocmask(SIG_BLOCK, &set, NULL);
	contents("/proc/self/status");
	ok("SigCgt", number("SigCgt:", 16) == (1 << (SIGUSR1 - 1) | 1 << (SIGSEGV - 1)));
	ok("SigIgn", number("SigIgn:", 16) & 1 << (SIGHUP - 1));
	ok("SigBlk", number("SigBlk:", 16) == (1 << (SIGUSR2 - 1) | 1 << (SIGBUS - 1)));
	ok("Pid", number("\nPid:", 10) == (unsigned)getpid() && number("\nPPid:", 10) == (unsigned)getppid() && number("Threads:", 10) == 1);
	vm = number("VmSize:", 10);
	unsigned long pages = 0, resident = 0, size = 0;
	contents("/proc/self/statm");
	sscanf(text, "%lu %lu", &pages, &resident);
	ok("statm", pages * 4 == vm && resident > 0 && resident <= pages * 100);
	contents("/proc/self/stat");
	sscanf(strrchr(text, ')'), ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %*u %lu", &size);
	ok("stat's size", size / 1024 == vm && vm < 1 << 16);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	struct rlimit limit = {3UL << 30, RLIM_INFINITY}, old;
	getrlimit(RLIMIT_AS, &old);
	limit.rlim_max = old.rlim_max;
	ok("RLIMIT_AS", setrlimit(RLIMIT_AS, &limit) == 0 && contents("/proc/self/limits") && number("Max address space", 10) == 3UL << 30);
	setrlimit(RLIMIT_AS, &old);
}

static void memory(void)
{
	char *room = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mprotect(room, 4096, PROT_NONE);
	mprotect(room + (1 << 20) - 4096, 4096, PROT_READ);
	memset(room + 4096, 1, (1 << 20) - 8192);
	contents("/proc/self/smaps");
	char line[40];
	snprintf(line, sizeof line, "%lx-", (unsigned long)room + 4096);
	char *at = strstr(text, line);
	ok("smaps", at && strstr(at, "rw-p") && (memmove(text, at, strlen(at) + 1), number("Size:", 10) == 1016) && number("Rss:", 10) >= 1000 && number("Private_Dirty:", 10) >= 1000);
	ok("its flags", (at = strstr(text, "VmFlags: ")) && strncmp(at, "VmFlags: rd wr mr", 17) == 0);
	contents("/proc/self/status");
	unsigned long long size = number("VmSize:", 10);
	contents("/proc/self/maps");
	unsigned long first = strtoul(text, NULL, 16);
	ok("smaps_rollup", contents("/proc/self/smaps_rollup") && strtoul(text, NULL, 16) == first && strstr(text, "[rollup]\n") && number("\nRss:", 10) >= 1000 && number("\nRss:", 10) <= size);
	ok("numa_maps", contents("/proc/self/numa_maps") == 0 || strtoul(text, NULL, 16) >= first && !strstr(text, "qemu"));
	int fd = open("/proc/self/mem", O_RDWR);
	ok("mem", pwrite64(fd, "abc", 3, (off64_t)(uintptr_t)room + 8192) == 3 && memcmp(room + 8192, "abc", 3) == 0);
	close(fd);
}

/* Another process of the same program. */
static void another(char *name)
{
	int ready[2], hold[2], status;
	char path[100], target[4096] = "", c;
	pipe(ready);
	pipe(hold);
	pid_t child = fork();
	if (child == 0) {
		close(hold[1]);
		dup2(hold[0], 0);
		dup2(ready[1], 1);
		close(ready[0]);
		execl("/proc/self/exe", "another name", "wait", (char *)NULL);
		_exit(1);
	}
	close(hold[0]);
	read(ready[0], &c, 1);
	snprintf(path, sizeof path, "/proc/%d/exe", child);
	ok("another's exe", readlink(path, target, sizeof target) == (ssize_t)strlen(exe) && strcmp(target, exe) == 0);
	struct stat theirs, ours;
	ok("its file", stat(path, &theirs) == 0 && stat(exe, &ours) == 0 && theirs.st_ino == ours.st_ino);
	snprintf(path, sizeof path, "/proc/%d/cmdline", child);
	ok("its arguments", contents(path) == 18 && memcmp(text, "another name\0wait", 18) == 0);
	snprintf(path, sizeof path, "/proc/%d/comm", child);
	ok("its name", contents(path) == 4 && strcmp(text, "exe\n") == 0);
	snprintf(path, sizeof path, "/proc/%d/status", child);
	ok("its status", contents(path) && strncmp(text, "Name:\texe\n", 10) == 0 && number("PPid:", 10) == (unsigned)getpid());
	snprintf(path, sizeof path, "/proc/%d/environ", child);
	ok("its environment", contents(path) > 0 && strstr(text, "=") && !strstr(text, "QEMU"));
	snprintf(path, sizeof path, "/proc/%d/maps", child);
	contents(path);
	int files = 0, strange = 0, stack = 0, code = 0;
	for (char *line = strtok(text, "\n"), *file; line; line = strtok(NULL, "\n")) {
		if ((file = strchr(line, '/')))
			strcmp(file, exe) == 0 ? files++ : strange++, code += strstr(line, " r-xp ") != NULL;
		stack += strstr(line, "[stack]") != NULL;
	}
	ok("its maps", files >= 2 && strange == 0 && stack == 1);
	same("its code", code, 1);
	close(hold[1]);
	ok("its end", waitpid(child, &status, 0) == child && status == 0);
	(void)name;
}

/* Opened before an execve, cmdline tells of the program after it; environ is of the memory that was, which is gone. */
static void over_execve(void)
{
	int status;
	pid_t child = fork();
	if (child == 0) {
		dup2(open("/proc/self/cmdline", O_RDONLY), 20);
		dup2(open("/proc/self/environ", O_RDONLY), 21);
		execle("/proc/self/exe", "after", "execve", (char *)NULL, (char *[]){"ONE=two", NULL});
		_exit(1);
	}
	ok("cmdline and environ over execve", waitpid(child, &status, 0) == child && status == 0);
}

static int after_execve(void)
{
	if (drain(20) != 13 || memcmp(text, "after\0execve", 13) != 0)
		return 2;
	return drain(21) == 0 ? 0 : 3;
}

static void *named(void *done)
{
	char path[100];
	prctl(PR_SET_NAME, "a thread");
	snprintf(path, sizeof path, "/proc/self/task/%d/comm", gettid());
	*(int *)done = contents(path) == 9 && strcmp(text, "a thread\n") == 0;
	contents("/proc/thread-self/stat");
	*(int *)done &= atoi(text) == gettid() && strstr(text, "(a thread)") != NULL;
	return NULL;
}

#include <pthread.h>

int main(int count, char **arguments)
{
	char c = 0;
	if (count > 1 && strcmp(arguments[1], "execve") == 0)
		return after_execve();
	if (count > 1)
		return write(1, &c, 1) != 1 || read(0, &c, 1) != 0;
	ok("exe", readlink("/proc/self/exe", exe, sizeof exe) > 0 && exe[0] == '/');
	ways();
	executable();
	mappings();
	changes();
	state();
	memory();
	another(arguments[0]);
	over_execve();
	pthread_t thread;
	int good = 0;
	pthread_create(&thread, NULL, named, &good);
	pthread_join(thread, NULL);
	ok("a thread's files", good);
	return done();
}
