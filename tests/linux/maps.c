/* What /proc tells of mappings: names as they are now, flags, PROCMAP_QUERY; and what a descriptor of such a file is. */
#include "ok.h"
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

static char text[1 << 20];

static ssize_t contents(const char *path)
{
	size_t n = 0;
	ssize_t got;
	int fd = open(path, O_RDONLY);
	if (fd < 0)
		return -1;
	while (n < sizeof text - 1 && (got = read(fd, text + n, sizeof text - 1 - n)) > 0)
		n += got;
	text[n] = 0;
	close(fd);
	return n;
}

/* A mapping's first line in a file, or that of its lines which begins with a word. */
static const char *line_of(const char *path, void *at, const char *word)
{
	char start[20];
	contents(path);
	snprintf(start, sizeof start, "%08lx-", (unsigned long)at);
	char *line = strstr(text, start);
	if (line && word)
		line = strstr(line, word);
	return line ? strtok(line, "\n") : "";
}

static char *file(const char *name, int protection, int flags)
{
	int fd = open(name, O_RDWR | O_CREAT, 0600);
	ftruncate(fd, 4096);
	char *at = mmap(NULL, 4096, protection, flags, fd, 0);
	close(fd);
	return at;
}

static int ends(const char *line, const char *end)
{
	return strlen(line) > strlen(end) && strcmp(line + strlen(line) - strlen(end), end) == 0;
}

static void names(void)
{
	char *at = file("gone", PROT_READ | PROT_WRITE, MAP_SHARED);
	ok("a file", ends(line_of("/proc/self/maps", at, NULL), "/gone"));
	unlink("gone");
	ok("removed", ends(line_of("/proc/self/maps", at, NULL), "/gone (deleted)"));
	at = file("before", PROT_READ, MAP_PRIVATE);
	rename("before", "after");
	ok("renamed", ends(line_of("/proc/self/maps", at, NULL), "/after"));
	unlink("after");
	at = file("two\nlines", PROT_READ, MAP_PRIVATE);
	ok("two lines", ends(line_of("/proc/self/maps", at, NULL), "/two\\012lines"));
	unlink("two\nlines");
}

static void flags(void)
{
	char *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	madvise(at, 4096, MADV_DONTFORK);
	madvise(at, 4096, MADV_DONTDUMP);
	const char *line = line_of("/proc/self/smaps", at, "VmFlags:");
	ok("flags of advice", strncmp(line, "VmFlags: rd wr mr mw me ", 24) == 0 && strstr(line, " dc ") && strstr(line, " dd ") && strstr(line, " nr "));
	madvise(at, 4096, MADV_DODUMP);
	mlock(at, 4096);
	line = line_of("/proc/self/smaps", at, "VmFlags:");
	ok("locked", strstr(line, " lo ") && !strstr(line, " dd "));
	munmap(at, 4096);
}

struct query {
	uint64_t size, flags, addr, start, end, rights, page_size, offset, inode;
	uint32_t major, minor, name_size, id_size;
	uint64_t name, id;
};
#define PROCMAP_QUERY _IOWR('f', 17, struct query)
#define OR_NEXT 16
#define OF_FILE 32

static void queries(void)
{
	char name[4096], id[64], *at = file("asked", PROT_READ | PROT_WRITE, MAP_SHARED);
	struct stat stat;
	lstat("asked", &stat);
	int fd = open("/proc/self/maps", O_RDONLY);
	struct query q = {.size = sizeof q, .addr = (uintptr_t)at + 5, .name = (uintptr_t)name, .name_size = sizeof name};
	same("a query", ioctl(fd, PROCMAP_QUERY, &q), 0);
	ok("its range", q.start == (uintptr_t)at && q.end == q.start + 4096 && q.rights == (1 | 2 | 8) && q.page_size == 4096 && q.offset == 0);
	ok("its file", q.inode == stat.st_ino && q.name_size == strlen(name) + 1 && ends(name, "/asked"));
	unlink("asked");
	q = (struct query){.size = sizeof q, .addr = (uintptr_t)at, .name = (uintptr_t)name, .name_size = sizeof name};
	ok("removed, in the query", ioctl(fd, PROCMAP_QUERY, &q) == 0 && ends(name, "/asked (deleted)"));
	q.name_size = 3;
	fails("no room for a name", ioctl(fd, PROCMAP_QUERY, &q), ENAMETOOLONG);
	q = (struct query){.size = sizeof q, .flags = OF_FILE | 4 | OR_NEXT, .addr = 0, .id = (uintptr_t)id, .id_size = sizeof id};
	same("the first code of a file", ioctl(fd, PROCMAP_QUERY, &q), 0);
	ok("is the program's", q.start <= (uintptr_t)queries && (uintptr_t)queries < q.end && q.rights == (1 | 4));
	same("no name is asked for", q.name_size, 0);
	q = (struct query){.size = sizeof q, .addr = 1};
	fails("nothing there", ioctl(fd, PROCMAP_QUERY, &q), ENOENT);
	q.flags = OR_NEXT;
	ok("the next one", ioctl(fd, PROCMAP_QUERY, &q) == 0 && q.start > 1);
	q.flags = 64;
	fails("unknown flags", ioctl(fd, PROCMAP_QUERY, &q), EINVAL);
	q.flags = 0, q.size = 16;
	fails("a struct too short", ioctl(fd, PROCMAP_QUERY, &q), EINVAL);
	q.size = 5000;
	fails("too long", ioctl(fd, PROCMAP_QUERY, &q), E2BIG);
	q.size = sizeof q, q.name_size = 10, q.name = 0;
	fails("a length without a name", ioctl(fd, PROCMAP_QUERY, &q), EINVAL);
	fails("of nowhere", ioctl(fd, PROCMAP_QUERY, (void *)8), EFAULT);
	close(fd);
	fd = open("/proc/self/status", O_RDONLY);
	fails("of another file", ioctl(fd, PROCMAP_QUERY, &q), ENOTTY);
	close(fd);
}

/* Whether two stats are of one file of /proc, which has no length. */
static int alike(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_mode == b->st_mode && a->st_nlink == b->st_nlink && a->st_size == 0 && b->st_size == 0;
}

static void descriptors(void)
{
	static const char *const files[] = {"maps", "smaps", "status", "stat", "statm", "auxv", "cmdline"};
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		char path[64], link[64], target[200] = "", what[64];
		struct statfs fs;
		snprintf(path, sizeof path, "/proc/%d/%s", getpid(), files[i]);
		int fd = open(path, O_RDONLY);
		snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
		snprintf(what, sizeof what, "%s: its link", files[i]);
		ok(what, readlink(link, target, sizeof target - 1) > 0 && strcmp(target, path) == 0);
		ok("its file system", fstatfs(fd, &fs) == 0 && fs.f_type == 0x9fa0);
		struct stat of_path, of_descriptor;
		struct statx x;
		ok("fstat", stat(path, &of_path) == 0 && fstat(fd, &of_descriptor) == 0 && alike(&of_path, &of_descriptor));
		ok("fstatat", fstatat(fd, "", &of_descriptor, AT_EMPTY_PATH) == 0 && alike(&of_path, &of_descriptor));
		ok("statx", statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &x) == 0 && x.stx_ino == of_path.st_ino && x.stx_size == 0 && x.stx_mode == of_path.st_mode);
		ok("stat by its link", stat(link, &of_descriptor) == 0 && alike(&of_path, &of_descriptor));
		ok("has no pages", mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED && errno == ENODEV);
		close(fd);
	}
	char link[64];
	int fd = open("/proc/self/maps", O_PATH);
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ok("opened by a descriptor's link", contents(link) > 0 && strstr(text, "[stack]") && !strstr(text, "rqemu"));
	close(fd);
	fd = open("/proc/self/maps", O_RDONLY);
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	char *at = file("later", PROT_READ, MAP_PRIVATE);
	ok("opened anew", ends(line_of(link, at, NULL), "/later"));
	close(fd);
	unlink("later");
}

/* The program's own file, renamed and removed while it runs: in a copy of it. */
static int copied(void)
{
	char target[4096] = "";
	rename("copy", "another");
	readlink("/proc/self/exe", target, sizeof target - 1);
	if (!ends(target, "/another") || access("/proc/self/exe", X_OK) != 0)
		return 1;
	unlink("another");
	memset(target, 0, sizeof target);
	readlink("/proc/self/exe", target, sizeof target - 1);
	return ends(target, "/another (deleted)") ? 0 : 2;
}

/* MAP_SHARED_VALIDATE: flags that the file's mmap does not know are refused. */
static void validated(void)
{
	int fd = open("validated", O_RDWR | O_CREAT, 0600), memory = memfd_create("validated", 0), both = PROT_READ | PROT_WRITE;
	ftruncate(fd, 2 * 4096), ftruncate(memory, 4096);
	char *at = mmap(NULL, 4096, both, MAP_SHARED_VALIDATE | MAP_POPULATE, fd, 4096);
	ok("MAP_SHARED_VALIDATE", at != MAP_FAILED && (at[5] = 'v', pread(fd, text, 1, 4096 + 5)) == 1 && text[0] == 'v');
	ok("of a memory file", mmap(NULL, 4096, both, MAP_SHARED_VALIDATE, memory, 0) != MAP_FAILED);
	ok("at an address", mmap(at, 4096, both, MAP_SHARED_VALIDATE | MAP_FIXED, fd, 0) == at && at[5] == 0);
	fails("not with MAP_SYNC", mmap(NULL, 4096, both, MAP_SHARED_VALIDATE | MAP_SYNC, memory, 0) == MAP_FAILED ? -1 : 0, EOPNOTSUPP);
	fails("nor with a flag that is new", mmap(NULL, 4096, both, MAP_SHARED_VALIDATE | 1 << 25, fd, 0) == MAP_FAILED ? -1 : 0, EOPNOTSUPP);
	fails("nor with MAP_FIXED_NOREPLACE", mmap(at + (1 << 20), 4096, both, MAP_SHARED_VALIDATE | MAP_FIXED_NOREPLACE, fd, 0) == MAP_FAILED ? -1 : 0, EOPNOTSUPP);
}

static void executable(void)
{
	pid_t child;
	int from = open("/proc/self/exe", O_RDONLY), to = open("copy", O_WRONLY | O_CREAT, 0700);
	for (ssize_t n; (n = read(from, text, sizeof text)) > 0;)
		write(to, text, n);
	close(from);
	close(to);
	if ((child = fork()) == 0)
		execl("./copy", "copy", "x", (char *)NULL), _exit(99);
	same("the program's own file", ended(child), 0);
}

/* A child tells of its memory, and its parent is told the same. */
static void of_another(void)
{
	char path[40], *own = mmap(NULL, sizeof text, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int ready[2];
	syscall(SYS_brk, syscall(SYS_brk, 0) + 8192);
	pipe(ready);
	pid_t child = fork();
	if (!child) {
		contents("/proc/self/maps"), strcpy(own, text);
		write(ready[1], "", 1);
		pause(), _exit(0);
	}
	snprintf(path, sizeof path, "/proc/%d/maps", child);
	contents(path);
	ok("another's heap at once", strstr(text, "[heap]\n") != NULL);
	read(ready[0], own + sizeof text - 1, 1);
	contents(path);
	int heaps = 0, stacks = 0, vdsos = !strstr(own, "[vdso]"), foreign = 0;
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		unsigned long start, end, from, to;
		sscanf(line, "%lx-%lx", &start, &end);
		heaps += ends(line, " [heap]"), stacks += ends(line, " [stack]"), vdsos += ends(line, " [vdso]") && strstr(line, " r-xp ");
		char *there = own;
		while (there && sscanf(there, "%lx-%lx", &from, &to) == 2 && to <= start)
			(there = strchr(there, '\n')) && there++;
		foreign += !there || !*there || end <= from;
	}
	ok("its heap, stack and vDSO", heaps == 1 && stacks == 1 && vdsos == 1);
	ok("nothing that it does not know of", !foreign);
	kill(child, SIGKILL), ended(child);
}

int main(int count, char **arguments)
{
	if (count > 1)
		return copied();
	names();
	flags();
	queries();
	descriptors();
	validated();
	executable();
	of_another();
	return done();
}
