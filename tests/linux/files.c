/* Files and folders: opening, reading, positions, attributes, links, locks, folders' entries, space, copying. */
#include "ok.h"
#include <dirent.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <time.h>
#include <utime.h>

static void opening(void)
{
	umask(022);
	int fd = open("a", O_CREAT | O_EXCL | O_RDWR, 0666);
	ok("lowest descriptor", fd == 3);
	fails("O_EXCL", open("a", O_CREAT | O_EXCL, 0666), EEXIST);
	struct stat st;
	fstat(fd, &st);
	same("the mask of modes", st.st_mode & 07777, 0644);
	fails("O_DIRECTORY on a file", open("a", O_DIRECTORY), ENOTDIR);
	fails("a folder for writing", open(".", O_WRONLY), EISDIR);
	fails("a missing file", open("nothing", O_RDONLY), ENOENT);
	fails("a file as a folder", open("a/b", O_RDONLY), ENOTDIR);
	fails("a name too long", ({ char name[300]; memset(name, 'n', 299); name[299] = 0; open(name, O_RDONLY); }), ENAMETOOLONG);
	fails("a bad address", open((char *)1, O_RDONLY), EFAULT);
	symlink("a", "link");
	symlink("loop", "loop");
	fails("O_NOFOLLOW", open("link", O_NOFOLLOW), ELOOP);
	fails("a loop of links", open("loop", O_RDONLY), ELOOP);
	same("write", write(fd, "0123456789", 10), 10);
	int append = open("a", O_WRONLY | O_APPEND);
	same("O_APPEND", pwrite(append, "ab", 2, 0), 2);
	same("appends", lseek(fd, 0, SEEK_END), 12);
	same("flags", fcntl(append, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK), O_WRONLY | O_APPEND);
	fcntl(append, F_SETFL, O_NONBLOCK);
	same("changed flags", fcntl(append, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK), O_WRONLY | O_NONBLOCK);
	fails("reading what is for writing", read(append, &st, 1), EBADF);
	int path = open("a", O_PATH);
	fails("reading a path", read(path, &st, 1), EBADF);
	int truncated = open("a", O_WRONLY | O_TRUNC);
	fstat(truncated, &st);
	same("O_TRUNC", st.st_size, 0);
	int cloexec = open("a", O_RDONLY | O_CLOEXEC);
	same("O_CLOEXEC", fcntl(cloexec, F_GETFD), FD_CLOEXEC);
	same("dup2", dup2(fd, 100), 100);
	same("F_DUPFD", fcntl(fd, F_DUPFD, 200), 200);
	same("dup3", dup3(fd, 101, O_CLOEXEC) == 101 ? fcntl(101, F_GETFD) : -1, FD_CLOEXEC);
	fails("dup3 on itself", dup3(fd, fd, 0), EINVAL);
	same("close_range", (syscall)(SYS_close_range, 4, 250, 0), 0);
	fails("closed", fcntl(101, F_GETFD), EBADF);
	int hidden = open(".", O_TMPFILE | O_RDWR, 0600);
	char name[40];
	snprintf(name, sizeof name, "/proc/self/fd/%d", hidden);
	ok("O_TMPFILE", hidden >= 0 && linkat(AT_FDCWD, name, AT_FDCWD, "shown", AT_SYMLINK_FOLLOW) == 0 && access("shown", F_OK) == 0);
	int folder = open(".", O_RDONLY | O_DIRECTORY);
	same("openat", openat(folder, "a", O_RDONLY), folder + 1);
	fails("openat a bad folder", openat(999, "a", O_RDONLY), EBADF);
	close(fd), close(hidden), close(folder), close(folder + 1);
}

static void positions(void)
{
	int fd = open64("p", O_CREAT | O_RDWR, 0600);
	char a[4], b[6], big[10] = "";
	struct iovec two[2] = {{"abcd", 4}, {"efghij", 6}}, in[2] = {{a, 4}, {b, 6}};
	same("writev", writev(fd, two, 2), 10);
	same("pwritev", pwritev(fd, two, 1, 20), 4);
	lseek(fd, 0, SEEK_SET);
	ok("readv", readv(fd, in, 2) == 10 && memcmp(a, "abcd", 4) == 0 && memcmp(b, "efghij", 6) == 0);
	ok("preadv", preadv(fd, in, 2, 20) == 4 && memcmp(a, "abcd", 4) == 0);
	in[1].iov_len = -1;
	fails("a part of negative length", readv(fd, in, 2), EINVAL);
	same("position", lseek(fd, 0, SEEK_CUR), 10);
	ok("pread", pread(fd, big, 10, 8) == 10 && memcmp(big, "ij\0\0\0\0\0\0\0", 9) == 0);
	same("at the end", pread(fd, big, 10, 24), 0);
	fails("before the start", lseek(fd, -1, SEEK_SET), EINVAL);
	fails("a negative offset", pread(fd, big, 1, -1), EINVAL);
	long long far = 5ll << 32;
	same("beyond 4 GiB", lseek64(fd, far + 5, SEEK_SET), far + 5);
	same("a byte there", write(fd, "z", 1), 1);
	ok("is read back", pread64(fd, big, 1, far + 5) == 1 && big[0] == 'z');
	struct stat64 st;
	fstat64(fd, &st);
	same("its size", st.st_size, far + 6);
	same("SEEK_DATA", lseek64(fd, 1 << 20, SEEK_DATA) > (1 << 20), 1);
	same("ftruncate64", ftruncate64(fd, far), 0);
	same("truncate64", truncate64("p", 4096), 0);
	int folder = open(".", O_RDONLY);
	fails("read of a folder", read(folder, big, 1), EISDIR);
	fails("no descriptor", read(-1, big, 1), EBADF);
	lseek(fd, 0, SEEK_SET);
	fails("a bad buffer", read(fd, (void *)1, 10), EFAULT);
	same("nothing", read(fd, (void *)1, 0), 0);
	fails("too many vectors", writev(fd, two, 5000), EINVAL);
	same("fallocate", fallocate(fd, 0, 4096, 4096), 0);
	fstat64(fd, &st);
	same("grows", st.st_size, 8192);
	same("fsync", fsync(fd) | fdatasync(fd), 0);
	int pipes[2];
	pipe(pipes);
	fails("lseek of a pipe", lseek(pipes[0], 0, SEEK_CUR), ESPIPE);
	int out = open("q", O_CREAT | O_RDWR, 0600);
	off_t from = 0;
	pwrite(fd, "abcdefghij", 10, 0);
	ok("sendfile", sendfile(out, fd, &from, 10) == 10 && from == 10 && pread(out, big, 10, 0) == 10 && memcmp(big, "abcdefghij", 10) == 0);
	loff_t start = 2, target = 100;
	ok("copy_file_range", copy_file_range(fd, &start, out, &target, 5, 0) == 5 && start == 7 && target == 105 && pread(out, big, 5, 100) == 5 && memcmp(big, "cdefg", 5) == 0);
	loff_t where = 0;
	ok("splice", splice(fd, &where, pipes[1], NULL, 6, 0) == 6 && read(pipes[0], big, 10) == 6 && memcmp(big, "abcdef", 6) == 0);
	ok("vmsplice and tee", vmsplice(pipes[1], two, 2, 0) == 10 && ({ int other[2]; pipe(other); tee(pipes[0], other[1], 4, 0) == 4 && read(other[0], big, 9) == 4; }) && read(pipes[0], big, 10) == 10);
	same("posix_fadvise", posix_fadvise(fd, 0, 4096, POSIX_FADV_WILLNEED), 0);
	same("readahead", readahead(fd, 0, 4096), 0);
}

static void attributes(void)
{
	struct stat st, other;
	int fd = open("s", O_CREAT | O_RDWR, 0640);
	write(fd, "12345", 5);
	stat("s", &st);
	ok("stat", S_ISREG(st.st_mode) && (st.st_mode & 07777) == 0640 && st.st_size == 5 && st.st_nlink == 1 && st.st_uid == getuid() && st.st_gid == getgid() && st.st_blksize >= 512 && st.st_ino != 0);
	fstat(fd, &other);
	ok("fstat is the same file", st.st_ino == other.st_ino && st.st_dev == other.st_dev && st.st_mtim.tv_nsec == other.st_mtim.tv_nsec);
	struct statx sx;
	ok("statx", statx(AT_FDCWD, "s", 0, STATX_ALL, &sx) == 0 && sx.stx_ino == st.st_ino && sx.stx_size == 5 && sx.stx_mode == st.st_mode && sx.stx_mtime.tv_sec == st.st_mtime && makedev(sx.stx_dev_major, sx.stx_dev_minor) == st.st_dev);
	stat("/dev/null", &st);
	ok("a device", S_ISCHR(st.st_mode) && major(st.st_rdev) == 1 && minor(st.st_rdev) == 3);
	link("s", "hard");
	symlink("s", "soft");
	lstat("soft", &st);
	ok("lstat", S_ISLNK(st.st_mode) && st.st_size == 1);
	stat("soft", &st);
	ok("two names", st.st_nlink == 2 && st.st_ino == other.st_ino);
	char text[10] = "????";
	ok("readlink", readlink("soft", text, 10) == 1 && text[0] == 's' && text[1] == '?');
	fails("readlink of a file", readlink("s", text, 10), EINVAL);
	same("chmod", ({ chmod("s", 04711); stat("s", &st); st.st_mode & 07777; }), 04711);
	same("fchmodat", ({ fchmodat(AT_FDCWD, "s", 0600, 0); fstat(fd, &st); st.st_mode & 07777; }), 0600);
	same("chown", chown("s", (uid_t)-1, getgid()), 0);
	struct timespec times[2] = {{1000000000, 123456789}, {1100000000, 987654321}};
	utimensat(AT_FDCWD, "s", times, 0);
	stat("s", &st);
	ok("utimensat", st.st_atim.tv_sec == 1000000000 && st.st_atim.tv_nsec == 123456789 && st.st_mtim.tv_sec == 1100000000 && st.st_mtim.tv_nsec == 987654321);
	times[0].tv_nsec = UTIME_OMIT, times[1].tv_nsec = UTIME_NOW;
	futimens(fd, times);
	stat("s", &st);
	ok("one time only", st.st_atim.tv_sec == 1000000000 && st.st_mtim.tv_sec > 1500000000);
	struct utimbuf old = {5, 6};
	utime("s", &old);
	stat("s", &st);
	ok("utime", st.st_atime == 5 && st.st_mtime == 6);
	ok("access", access("s", R_OK | W_OK) == 0 && access("none", F_OK) == -1 && errno == ENOENT && faccessat(AT_FDCWD, "s", R_OK, AT_EACCESS) == 0);
	struct statfs fs;
	struct statvfs vfs;
	ok("statfs", statfs(".", &fs) == 0 && fs.f_bsize > 0 && fs.f_blocks > 0 && fs.f_namelen == 255 && statvfs(".", &vfs) == 0 && vfs.f_namemax == 255 && vfs.f_blocks == fs.f_blocks);
	statfs("/proc", &fs);
	same("the type of /proc", fs.f_type, 0x9fa0);
	if (setxattr("s", "user.key", "value", 5, 0) == 0) {
		char list[100] = "";
		ok("extended attributes", getxattr("s", "user.key", text, 10) == 5 && memcmp(text, "value", 5) == 0 && listxattr("s", list, 100) >= 9 && removexattr("s", "user.key") == 0);
	} else
		ok("extended attributes", errno == EOPNOTSUPP);
	umask(077);
	ok("mknod of a pipe", mkfifo("fifo", 0666) == 0 && stat("fifo", &st) == 0 && S_ISFIFO(st.st_mode) && (st.st_mode & 0777) == 0600);
}

static void folders(void)
{
	char path[5000], old[5000];
	getcwd(old, sizeof old);
	same("mkdir", mkdir("d", 0755), 0);
	fails("mkdir again", mkdir("d", 0755), EEXIST);
	chdir("d");
	getcwd(path, sizeof path);
	ok("getcwd", strncmp(path, old, strlen(old)) == 0 && strcmp(path + strlen(old), "/d") == 0);
	fails("a small buffer", getcwd(path, 2) ? 0 : -1, ERANGE);
	for (int i = 0; i < 300; i++) {
		snprintf(path, sizeof path, "entry-%d-%0*d", i, i % 50, i);
		close(creat(path, 0600));
	}
	mkdir("sub", 0700);
	symlink("nowhere", "sym");
	DIR *folder = opendir(".");
	int files = 0, kinds = 0;
	long middle = 0;
	char after[300] = "";
	for (struct dirent *entry; (entry = readdir(folder));) {
		files += entry->d_type == DT_REG && entry->d_ino != 0;
		kinds += (entry->d_type == DT_DIR) + 10 * (entry->d_type == DT_LNK);
		if (files == 150 && !middle) {
			middle = telldir(folder);
			entry = readdir(folder);
			strcpy(after, entry->d_name);
			files += entry->d_type == DT_REG, kinds += (entry->d_type == DT_DIR) + 10 * (entry->d_type == DT_LNK);
		}
	}
	ok("entries", files == 300 && kinds == 13);
	seekdir(folder, middle);
	ok("seekdir", strcmp(readdir(folder)->d_name, after) == 0);
	closedir(folder);
	fails("rmdir of a full folder", rmdir("../d"), ENOTEMPTY);
	fails("unlink of a folder", unlink("sub"), EISDIR);
	same("unlinkat", unlinkat(AT_FDCWD, "sub", AT_REMOVEDIR), 0);
	same("rename", rename("sym", "mys"), 0);
	close(creat("x", 0600)), close(creat("y", 0600));
	fails("RENAME_NOREPLACE", renameat2(AT_FDCWD, "x", AT_FDCWD, "y", RENAME_NOREPLACE), EEXIST);
	same("RENAME_EXCHANGE", renameat2(AT_FDCWD, "x", AT_FDCWD, "mys", RENAME_EXCHANGE), 0);
	ok("exchanged", readlink("x", path, 100) == 7);
	fails("rename of nothing", rename("nothing", "z"), ENOENT);
	same("fchdir", ({ int fd = open("..", O_RDONLY | O_DIRECTORY); fchdir(fd); }), 0);
	ok("and back", strcmp(getcwd(path, sizeof path), old) == 0);
}

static int try_lock(int fd, int command, short type, off_t start, off_t length)
{
	struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
	return fcntl(fd, command, &lock);
}

static void locks(void)
{
	int fd = open("lock", O_CREAT | O_RDWR, 0600);
	same("a lock", try_lock(fd, F_SETLK, F_WRLCK, 10, 10), 0);
	pid_t parent = getpid(), child = fork();
	if (child == 0) {
		int other = open("lock", O_RDWR), right = try_lock(other, F_SETLK, F_RDLCK, 15, 1) == -1 && (errno == EAGAIN || errno == EACCES);
		struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0};
		right &= fcntl(other, F_GETLK, &lock) == 0 && lock.l_type == F_WRLCK && lock.l_start == 10 && lock.l_len == 10 && lock.l_pid == parent;
		right &= try_lock(other, F_SETLK, F_WRLCK, 20, 5) == 0 && flock(other, LOCK_EX | LOCK_NB) == 0;
		_exit(right);
	}
	same("as another process sees it", ended(child), 1);
	int again = open("lock", O_RDWR);
	same("an open file's lock", try_lock(again, F_OFD_SETLK, F_WRLCK, 100, 1), 0);
	fails("against another open file", try_lock(fd, F_OFD_SETLK, F_WRLCK, 100, 1), EAGAIN);
	same("unlock", try_lock(fd, F_SETLK, F_UNLCK, 0, 0), 0);
	same("flock", flock(fd, LOCK_EX), 0);
	fails("flock twice", flock(again, LOCK_EX | LOCK_NB), EWOULDBLOCK);
	child = fork();
	if (child == 0) {
		usleep(30000);
		flock(fd, LOCK_UN);
		_exit(0);
	}
	same("waits for it", flock(again, LOCK_EX), 0);
	ended(child);
}

static void interrupted(int signal)
{
}

// openat2 sets O_LARGEFILE for everybody; a handle and O_TMPFILE do not.
static void long_by_other_ways(int bound, int large)
{
	struct { uint64_t flags, mode, resolve; } how = {O_RDWR};
	struct { struct file_handle h; char rest[128]; } handle = {{128}};
	int mount, fd = syscall(SYS_openat, AT_FDCWD, "long", O_CREAT | O_RDWR | large, 0600);
	ftruncate64(fd, 0x80000001);
	int again = syscall(437, AT_FDCWD, "long", &how, sizeof how);
	ok("openat2 opens a long file", again >= 0 && pwrite64(again, "a", 1, 0x80000001) == 1);
	close(again);
	int named = !name_to_handle_at(AT_FDCWD, "long", &handle.h, &mount, 0), here = open(".", O_RDONLY | O_DIRECTORY);
	// for root alone
	again = named ? open_by_handle_at(here, &handle.h, O_RDWR) : -1;
	ok("a handle does not", !named || errno == EPERM || (bound ? again < 0 && errno == EOVERFLOW : again >= 0));
	close(again);
	errno = 0;
	again = named ? open_by_handle_at(here, &handle.h, O_RDWR | large) : -1;
	ok("but with O_LARGEFILE", !named || errno == EPERM || (again >= 0 && pwrite64(again, "a", 1, 0x80000001) == 1));
	close(again), close(here), close(fd), unlink("long");
	fd = syscall(SYS_openat, AT_FDCWD, ".", O_TMPFILE | O_RDWR, 0600);
	errno = 0;
	ok("a file without a name", fd < 0 || (pwrite64(fd, "a", 1, 0x80000000) == (bound ? -1 : 1) && errno == (bound ? EFBIG : 0)));
	close(fd);
}

// What is opened without O_LARGEFILE, which 64-bit ABIs and those that have had no other off_t always set, ends at 2 GiB.
static void long_files(void)
{
#if __SIZEOF_LONG__ == 4 && defined SYS_open
	int large = 00100000, bound = 1;
#ifdef __arm__
	large = 00400000;
#endif
#else
	int large = 0, bound = 0;
#endif
	int plain = syscall(SYS_openat, AT_FDCWD, "long", O_CREAT | O_RDWR, 0600);
	ok("O_LARGEFILE is told", bound ? !(fcntl(plain, F_GETFL) & large) : 1);
	errno = 0;
	ok("a byte before 2 GiB", pwrite64(plain, "ab", 2, 0x7ffffffe) == (bound ? 1 : 2));
	ok("a byte behind it", pwrite64(plain, "a", 1, 0x7fffffff) == (bound ? -1 : 1) && errno == (bound ? EFBIG : 0));
	close(plain);
	int wide = syscall(SYS_openat, AT_FDCWD, "long", O_RDWR | large);
	ok("and with O_LARGEFILE", pwrite64(wide, "a", 1, 0x80000000) == 1 && (fcntl(wide, F_GETFL) & large) == large);
	const int flags[] = {O_RDONLY, O_RDWR, O_WRONLY | O_TRUNC, O_PATH};
	int opened = 0, overflows = 0;
	for (int i = 0; i < 4; i++) {
		struct stat64 stat;
		fstat64(wide, &stat);
		if (i == 2 && stat.st_size < 0x7fffffff)
			break;
		int fd = syscall(SYS_openat, AT_FDCWD, "long", flags[i]);
		fd < 0 ? overflows += errno == EOVERFLOW : opened++;
		close(fd);
		ftruncate64(wide, 0x80000001);
	}
	ok("a long file is opened", opened == (bound ? 1 : 4) && overflows == (bound ? 3 : 0));
	ftruncate64(wide, 3);
	plain = syscall(SYS_openat, AT_FDCWD, "long", O_RDONLY);
	ok("a short one again", plain >= 0 && read(plain, (char[4]){0}, 4) == 3);
	close(plain), close(wide), unlink("long");
	long_by_other_ways(bound, large);
	// One that waits for its other end is interrupted.
	mkfifo("fifo", 0600);
	struct sigaction action = {.sa_handler = interrupted};
	sigaction(SIGALRM, &action, NULL);
	struct itimerval soon = {{0, 20000}, {0, 20000}}, never = {0};
	setitimer(ITIMER_REAL, &soon, NULL);
	fails("open of a pipe without a reader", syscall(SYS_openat, AT_FDCWD, "fifo", O_WRONLY), EINTR);
	setitimer(ITIMER_REAL, &never, NULL);
	unlink("fifo");
}

int main(void)
{
	for (int fd = 3; fd < 1024; fd++)
		close(fd);
	opening();
	positions();
	attributes();
	folders();
	locks();
	long_files();
	return done();
}
