/* Memory: mappings of every kind, protections, growth and moves, the program break, advice, what fork keeps and shares. */
#include "ok.h"
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

static size_t page;
static sigjmp_buf out;
static void leave(int number) { siglongjmp(out, number); }

/* Whether a byte can be read, and be written. */
static int can_read(const char *where) { return sigsetjmp(out, 1) == 0 ? (void)*(volatile const char *)where, 1 : 0; }
static int can_write(char *where) { return sigsetjmp(out, 1) == 0 ? *(volatile char *)where = 1, 1 : 0; }

static char *map(size_t pages, int protection, int flags, int fd, off_t offset)
{
	char *where = mmap(NULL, pages * page, protection, flags, fd, offset);
	return where == MAP_FAILED ? NULL : where;
}

static int temporary(const char *text, size_t length)
{
	char name[] = "memoryXXXXXX";
	int fd = mkstemp(name);
	unlink(name);
	ftruncate(fd, (off_t)length);
	pwrite(fd, text, strlen(text), 0);
	return fd;
}

static void anonymous(void)
{
	char *m = map(4, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int zero = 1;
	for (size_t i = 0; i < 4 * page; i++)
		zero &= m[i] == 0;
	ok("zeroed", zero && (uintptr_t)m % page == 0);
	mprotect(m + page, page, PROT_READ);
	ok("one page read-only", can_write(m) && !can_write(m + page) && can_read(m + page) && can_write(m + 2 * page));
	mprotect(m + page, page, PROT_NONE);
	ok("one page unreadable", !can_read(m + page) && can_read(m + page - 1) && can_read(m + 2 * page));
	munmap(m + 2 * page, page);
	ok("a hole", !can_read(m + 2 * page) && can_write(m + 3 * page));
	fails("mprotect over a hole", mprotect(m, 4 * page, PROT_READ), ENOMEM);
	ok("mprotect before the hole", !can_write(m) && can_read(m + page));
	same("fixed into the hole", (intptr_t)mmap(m + 2 * page, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), (intptr_t)m + 2 * (intptr_t)page);
	fails("MAP_FIXED_NOREPLACE", (intptr_t)mmap(m + 2 * page, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0), EEXIST);
	same("a free hint is taken", ({ munmap(m + 2 * page, page); (intptr_t)mmap(m + 2 * page, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }), (intptr_t)m + 2 * (intptr_t)page);
	fails("no length", (intptr_t)mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), EINVAL);
	fails("neither private nor shared", (intptr_t)mmap(NULL, page, PROT_READ, MAP_ANONYMOUS, -1, 0), EINVAL);
	fails("a bad descriptor", (intptr_t)mmap(NULL, page, PROT_READ, MAP_PRIVATE, 999, 0), EBADF);
	fails("munmap of a loose address", munmap(m + 1, page), EINVAL);
	fails("more than there is", (intptr_t)mmap(NULL, (size_t)-1 << 16, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
	munmap(m, 4 * page);
	same("munmap of nothing", munmap(m, 4 * page), 0);
	int many = 1;
	char *each[500];
	for (int i = 0; i < 500; i++)
		many &= (each[i] = map(1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) != NULL && can_write(each[i]);
	for (int i = 0; i < 500; i += 2)
		many &= munmap(each[i], page) == 0;
	for (int i = 0; i < 500; i++)
		many &= can_read(each[i]) == i % 2;
	ok("many mappings", many);
}

static void files(void)
{
	int fd = temporary("hello", 3 * page);
	char *private = map(3, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0), *shared = map(3, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), buffer[16];
	private[0] = 'J';
	pread(fd, buffer, 5, 0);
	ok("a private store stays private", memcmp(buffer, "hello", 5) == 0 && private[0] == 'J' && shared[0] == 'h');
	shared[1] = 'a';
	pread(fd, buffer, 5, 0);
	ok("a shared store reaches the file", memcmp(buffer, "hallo", 5) == 0);
	pwrite(fd, "W", 1, (off_t)page);
	ok("a write reaches the mapping", shared[page] == 'W' && private[page] == 'W');
	char *second = map(1, PROT_READ, MAP_SHARED, fd, (off_t)page);
	ok("an offset", second[0] == 'W');
	fails("a loose offset", (intptr_t)mmap(NULL, page, PROT_READ, MAP_SHARED, fd, 100), EINVAL);
	same("msync", msync(shared, 3 * page, MS_SYNC), 0);
	int readable = open("/proc/self/exe", O_RDONLY);
	fails("writable from a read-only file", (intptr_t)mmap(NULL, page, PROT_WRITE, MAP_SHARED, readable, 0), EACCES);
	char *exe = map(1, PROT_READ, MAP_PRIVATE, readable, 0);
	ok("the program itself", memcmp(exe, "\177ELF", 4) == 0);
	fails("mprotect to writable", mprotect(map(1, PROT_READ, MAP_SHARED, readable, 0), page, PROT_READ | PROT_WRITE), EACCES);
	ftruncate(fd, (off_t)page);
	signal(SIGBUS, leave);
	ok("beyond a truncated file", can_read(shared) && !can_read(shared + page));
	close(fd);
	ok("after close", shared[1] == 'a');
	fd = temporary("tail", 10);
	char *tail = map(1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ok("zeros beyond the end", tail[10] == 0 && tail[page - 1] == 0);
}

static void moves(void)
{
	char *m = map(4, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < 4; i++)
		m[(size_t)i * page] = (char)('a' + i);
	same("shrink", (intptr_t)mremap(m, 4 * page, 2 * page, 0), (intptr_t)m);
	ok("the rest is gone", can_read(m + page) && !can_read(m + 2 * page));
	char *wall = mmap(m + 2 * page, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	fails("no room to grow", (intptr_t)mremap(m, 2 * page, 8 * page, 0), ENOMEM);
	char *moved = mremap(m, 2 * page, 8 * page, MREMAP_MAYMOVE);
	ok("grown elsewhere", moved != MAP_FAILED && moved != m && moved[0] == 'a' && moved[page] == 'b' && can_write(moved + 7 * page) && !can_read(m));
	ok("the neighbour stays", can_read(wall));
	char *place = map(8, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	same("moved to a place", (intptr_t)mremap(moved, 8 * page, 8 * page, MREMAP_MAYMOVE | MREMAP_FIXED, place), (intptr_t)place);
	ok("with its bytes", place[0] == 'a' && place[page] == 'b' && !can_read(moved));
	fails("of nothing", (intptr_t)mremap(moved, page, 2 * page, MREMAP_MAYMOVE), EFAULT);
	char *shared = map(1, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), *twin = mremap(shared, 0, page, MREMAP_MAYMOVE);
	shared[5] = 9;
	ok("a second view", twin != MAP_FAILED && twin != shared && twin[5] == 9);
}

static void advice(void)
{
	char *m = map(4, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(m, 7, 4 * page);
	same("MADV_DONTNEED", madvise(m + page, page, MADV_DONTNEED), 0);
	ok("zeroes", m[page] == 0 && m[0] == 7 && m[2 * page] == 7);
	fails("advice on a loose address", madvise(m + 1, page, MADV_DONTNEED), EINVAL);
	fails("unknown advice", madvise(m, page, 12345), EINVAL);
	unsigned char resident[4];
	ok("mincore", mincore(m, 4 * page, resident) == 0 && (resident[0] & 1));
	same("mlock", mlock(m, page), 0);
	same("munlock", munlock(m, page), 0);
	madvise(m, page, MADV_DONTFORK);
	madvise(m + 2 * page, page, MADV_WIPEONFORK);
	pid_t child = fork();
	if (child == 0)
		_exit(can_read(m) + 2 * (m[2 * page] == 0) + 4 * (m[3 * page] == 7));
	same("advice for fork", ended(child), 6);
	int fd = memfd_create("sealed", MFD_ALLOW_SEALING);
	ftruncate(fd, (off_t)page);
	same("seals", fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK), 0);
	fails("a sealed file", write(fd, "x", 1), EPERM);
	fails("a sealed mapping", (intptr_t)mmap(NULL, page, PROT_WRITE, MAP_SHARED, fd, 0), EPERM);
}

/* The kernel's call: a C library's brk may refuse (musl). It returns the break, the old one if it cannot be moved. */
static char *set_break(char *to) { return (char *)syscall(SYS_brk, to); }

static void program_break(void)
{
	char *start = set_break(NULL), *end = start + 10 * page;
	ok("brk grows", set_break(end) == end && can_write(end - page) && start[5 * page] == 0);
	ok("brk stays where it cannot go", set_break((char *)1) == end && set_break((char *)-1) == end);
	start[page] = 5;
	ok("brk shrinks", set_break(start + 2 * page) == start + 2 * page && start[page] == 5 && !can_read(start + 3 * page));
	set_break(start + 5 * page);
	ok("and grows with zeros", start[3 * page] == 0);
	set_break(start);
	ok("an odd break is exact", set_break(start + 100) == start + 100 && set_break(NULL) == start + 100);
	set_break(start);
}

static void shared_with_children(void)
{
	volatile int *shared = (int *)map(1, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	volatile int *private = (int *)map(1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pid_t child = fork();
	if (child == 0) {
		*shared = 1, *private = 1;
		_exit(0);
	}
	ended(child);
	ok("shared and private after fork", *shared == 1 && *private == 0);
}

/* What /proc says of this process's memory. */
static void maps(void)
{
	char *m = map(2, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), line[500], wanted[40], *start;
	FILE *file = fopen("/proc/self/maps", "r");
	int found = 0, stack = 0, self = 0, order = 1, foreign = 0;
	unsigned long long last = 0;
	char path[400];
	path[readlink("/proc/self/exe", path, sizeof path - 1)] = 0;
	snprintf(wanted, sizeof wanted, "%08lx-", (unsigned long)m);
	while (fgets(line, sizeof line, file)) {
		unsigned long long low = strtoull(line, &start, 16), high = strtoull(start + 1, NULL, 16);
		order &= low >= last && high > low, last = high;
		found |= strncmp(line, wanted, strlen(wanted)) == 0 && strstr(line, " r-xp 00000000 ") != NULL;
		stack |= strstr(line, "[stack]") && (uintptr_t)&m >= low && (uintptr_t)&m < high;
		self |= strstr(line, path) != NULL;
		foreign |= strstr(line, "qemu") != NULL;
	}
	ok("maps has the mapping", found);
	ok("maps has the stack", stack);
	ok("maps has the program", self);
	ok("maps is in order", order);
	ok("maps has no emulator", !foreign);
}

/* In a child: RLIMIT_DATA counts private memory that can be written. */
static void data_limit(void)
{
	struct rlimit limit = {16u << 20, 16u << 20};
	enum { SIZE = 32 << 20, HOW = MAP_PRIVATE | MAP_ANONYMOUS };
	setrlimit(RLIMIT_DATA, &limit);
	int right = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, HOW, -1, 0) == MAP_FAILED && errno == ENOMEM;
	char *at = mmap(NULL, SIZE, PROT_READ, HOW, -1, 0);
	right &= at != MAP_FAILED;
	right &= mprotect(at, SIZE, PROT_READ | PROT_WRITE) == -1 && errno == ENOMEM;
	right &= mprotect(at, SIZE / 8, PROT_READ | PROT_WRITE) == 0;
	right &= mmap(at, SIZE / 8, PROT_READ | PROT_WRITE, HOW | MAP_FIXED, -1, 0) == at;
	right &= mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
	_exit(right);
}

/* The program that the limited child has become. */
static int limited(void)
{
	struct rlimit limit;
	return getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur == 64u << 20 && limit.rlim_max == 64u << 20 &&
	       mmap(NULL, 256u << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == ENOMEM;
}

int main(int argc, char **argv)
{
	if (argc == 2)
		return limited();
	page = (size_t)sysconf(_SC_PAGESIZE);
	signal(SIGSEGV, leave);
	anonymous();
	files();
	moves();
	advice();
	program_break();
	shared_with_children();
	maps();
	struct rlimit limit = {64u << 20, 64u << 20};
	pid_t child = fork();
	if (child == 0) {
		setrlimit(RLIMIT_AS, &limit);
		_exit(mmap(NULL, 256u << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == ENOMEM);
	}
	same("RLIMIT_AS", ended(child), 1);
	if ((child = fork()) == 0) {
		setrlimit(RLIMIT_AS, &limit);
		execl("/proc/self/exe", argv[0], "limited", NULL);
	}
	same("RLIMIT_AS after execve", ended(child), 1);
	if ((child = fork()) == 0)
		data_limit();
	same("RLIMIT_DATA", ended(child), 1);
	/* From above what a program has at low addresses to below its stack, whatever may be between that is not its own. */
	ok("munmap of a range far beyond all mappings", sizeof(long) == 4 || munmap((void *)(1L << 40), 0x6e0000000000L) == 0);
	return done();
}
