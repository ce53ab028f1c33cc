/* Namespaces, mounts by descriptors, events of whole file systems, quotas, handles of files. */
#include "ok.h"
#include <linux/mount.h>
#include <sched.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/quota.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/vfs.h>

static int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	int r = fd < 0 ? -1 : write(fd, text, strlen(text));
	close(fd);
	return r;
}

/* A user namespace with all rights in it. */
static int enter(int flags)
{
	char map[64];
	int uid = getuid(), gid = getgid();
	if (unshare(CLONE_NEWUSER | flags))
		return -1;
	put("/proc/self/setgroups", "deny");
	snprintf(map, sizeof map, "0 %d 1", uid);
	put("/proc/self/uid_map", map);
	snprintf(map, sizeof map, "0 %d 1", gid);
	put("/proc/self/gid_map", map);
	return 0;
}

static const struct { const char *name; int flag; } kinds[] = {
	{"cgroup", CLONE_NEWCGROUP}, {"ipc", CLONE_NEWIPC}, {"mnt", CLONE_NEWNS}, {"net", CLONE_NEWNET},
	{"pid", CLONE_NEWPID}, {"time", 0x80}, {"user", CLONE_NEWUSER}, {"uts", CLONE_NEWUTS},
};

static void namespaces(void)
{
	for (int n = 0; n < 8; n++) {
		char what[80], own[64], other[64], path[64];
		snprintf(path, sizeof path, "/proc/self/ns/%s", kinds[n].name);
		ssize_t len = readlink(path, own, 63);
		own[len > 0 ? len : 0] = 0;
		/* By unshare; a pid or time namespace is for children. */
		pid_t child = fork();
		if (!child) {
			if (kinds[n].flag == CLONE_NEWUSER ? unshare(CLONE_NEWUSER) : enter(kinds[n].flag))
				_exit(errno);
			if (kinds[n].flag == CLONE_NEWPID || kinds[n].flag == 0x80)
				strcat(path, "_for_children");
			len = readlink(path, other, 63);
			other[len > 0 ? len : 0] = 0;
			/* The pid namespace has no first process yet. */
			_exit(kinds[n].flag == CLONE_NEWPID ? (len > 0 ? 101 : 100) : strcmp(own, other) ? 100 : 101);
		}
		snprintf(what, sizeof what, "unshare %s", kinds[n].name);
		int r = ended(child);
		same(what, r, 100);
		/* By clone3, which knows all. */
		struct { uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup; } args = {0};
		args.flags = CLONE_NEWUSER | kinds[n].flag;
		args.exit_signal = SIGCHLD;
		snprintf(path, sizeof path, "/proc/self/ns/%s", kinds[n].name);
		child = syscall(435, &args, sizeof args);
		if (!child) {
			len = readlink(path, other, 63);
			other[len > 0 ? len : 0] = 0;
			_exit(strcmp(own, other) ? 100 : 101);
		}
		snprintf(what, sizeof what, "clone3 %s", kinds[n].name);
		/* /proc is the outer pid namespace's: it does not know this process. */
		r = ended(child);
		same(what, r, 100);
		/* By setns. */
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		child = fork();
		if (!child)
			_exit(setns(fd, kinds[n].flag) ? errno : 100);
		snprintf(what, sizeof what, "setns %s", kinds[n].name);
		r = ended(child);
		same(what, r, kinds[n].flag == CLONE_NEWUSER ? EINVAL : 100);
		same("its kind", ioctl(fd, 0xb703 /* NS_GET_NSTYPE */), kinds[n].flag);
		fails("of another kind", setns(fd, kinds[(n + 1) % 8].flag), EINVAL);
		close(fd);
	}
	/* The first process of a pid namespace, and what is orphaned there. */
	pid_t child = fork();
	if (!child) {
		if (enter(CLONE_NEWPID))
			_exit(errno);
		pid_t first = fork();
		if (!first)
			_exit(getpid() == 1 && getppid() == 0 ? 77 : 1);
		_exit(ended(first));
	}
	same("a first process", ended(child), 77);
	/* A host name of one's own. */
	child = fork();
	if (!child) {
		struct utsname u;
		_exit(enter(CLONE_NEWUTS) || sethostname("other", 5) || uname(&u) || strcmp(u.nodename, "other"));
	}
	same("a host name", ended(child), 0);
	/* setns by a process's descriptor. */
	int self = syscall(434, getpid(), 0);
	same("setns of a pidfd", setns(self, CLONE_NEWUTS | CLONE_NEWIPC), 0);
	close(self);
	fails("unshare of what is none", unshare(0x1), EINVAL);
	fails("clone of a namespace with the file system shared", syscall(SYS_clone, CLONE_NEWNS | CLONE_FS | SIGCHLD, 0, 0, 0, 0), EINVAL);
	fails("setns of no namespace", setns(0, 0), EINVAL);
}

struct mnt_request { uint32_t size, fd; uint64_t id, param, ns; };

static int mounts_child(void)
{
	if (enter(CLONE_NEWNS))
		return 99;
	mount(0, "/", 0, MS_REC | MS_PRIVATE, 0);
	mkdir("m", 0700), mkdir("n", 0700);
	int fs = syscall(430, "tmpfs", 1 /* FSOPEN_CLOEXEC */);
	ok("fsopen", fs >= 0);
	fails("fsopen of no file system", syscall(430, "nonesuch", 0), ENODEV);
	fails("fsopen with flags", syscall(430, "tmpfs", 8), EINVAL);
	same("fsconfig sets a string", syscall(431, fs, 1, "size", "1M", 0), 0);
	fails("fsconfig of no key", syscall(431, fs, 1, "nonesuch", "1M", 0), EINVAL);
	same("fsconfig makes it", syscall(431, fs, 6, 0, 0, 0), 0);
	int mnt = syscall(432, fs, 1, 2 /* MOUNT_ATTR_NOSUID */);
	ok("fsmount", mnt >= 0);
	same("move_mount", syscall(429, mnt, "", AT_FDCWD, "m", 4 /* F_EMPTY_PATH */), 0);
	struct statfs s;
	same("is there", statfs("m", &s), 0);
	same("a tmpfs", s.f_type, 0x01021994);
	same("of that size", s.f_blocks * s.f_bsize, 1 << 20);
	same("without set-id", s.f_flags & 2, 2);
	int tree = syscall(428, AT_FDCWD, "m", 1 | O_CLOEXEC /* OPEN_TREE_CLONE */);
	ok("open_tree", tree >= 0);
	struct { uint64_t set, clear, propagation, userns; } attr = {1 /* RDONLY */, 0, 0, 0};
	same("mount_setattr", syscall(442, tree, "", 0x1000 /* AT_EMPTY_PATH */, &attr, sizeof attr), 0);
	same("the copy goes elsewhere", syscall(429, tree, "", AT_FDCWD, "n", 4), 0);
	fails("and is read-only", creat("n/x", 0600), EROFS);
	ok("the first is not", creat("m/x", 0600) >= 0);
	int pick = syscall(433, AT_FDCWD, "m", 1);
	ok("fspick", pick >= 0);
	same("made anew", (syscall(431, pick, 1, "size", "2M", 0), syscall(431, pick, 7, 0, 0, 0)), 0);
	statfs("m", &s);
	same("with another size", s.f_blocks * s.f_bsize, 2 << 20);

	struct statx x;
	statx(AT_FDCWD, "m", 0, 0x4000 /* STATX_MNT_ID_UNIQUE */, &x);
	uint64_t id = *(uint64_t *)((char *)&x + 0x90), ids[64];
	struct mnt_request q = {sizeof q - 8, 0, id, 1 | 2 | 0x20, 0};
	struct { uint32_t size, spare; uint64_t mask; uint32_t dev_major, dev_minor; uint64_t magic; uint32_t flags, type; char rest[4096]; } sm;
	same("statmount", syscall(457, &q, &sm, sizeof sm, 0), 0);
	same("tells the file system", sm.magic, 0x01021994);
	q = (struct mnt_request){sizeof q - 8, 0, ~0ull, 0, 0};
	long count = syscall(458, &q, ids, 64, 0);
	int found = 0;
	for (long n = 0; n < count; n++)
		found += ids[n] == id;
	same("listmount", found, 1);
	fails("statmount of none", (q.id = 1ull << 40, syscall(457, &q, &sm, sizeof sm, 0)), ENOENT);
	same("umount", umount2("n", MNT_DETACH), 0);
	mkdir("m/old", 0700);
	same("pivot_root", (chdir("m"), syscall(SYS_pivot_root, ".", "old")), 0);
	ok("the new root", access("/x", F_OK) == 0);
	/* Programs are still started: from an old root, too. */
	return failures;
}

static void events(void)
{
	mkdir("watched", 0700);
	int in = inotify_init1(IN_NONBLOCK);
	same("inotify", inotify_add_watch(in, "watched", IN_CREATE | IN_DELETE), 1);
	close(creat("watched/file", 0600));
	char buf[4096] __attribute__((aligned(8)));
	struct inotify_event *e = (void *)buf;
	ok("tells of a new file", read(in, buf, sizeof buf) > 0 && e->mask == IN_CREATE && !strcmp(e->name, "file"));
	fails("fanotify_init with flags that are none", fanotify_init(0x80000000, O_RDONLY), EINVAL);
	int fan = fanotify_init(FAN_CLASS_NOTIF | FAN_NONBLOCK | FAN_REPORT_FID | FAN_REPORT_DFID_NAME, O_RDONLY);
	ok("fanotify_init", fan >= 0);
	same("fanotify_mark", fanotify_mark(fan, FAN_MARK_ADD | FAN_MARK_ONLYDIR, FAN_CREATE | FAN_ONDIR | FAN_EVENT_ON_CHILD, AT_FDCWD, "watched"), 0);
	mkdir("watched/dir", 0700);
	ssize_t n = read(fan, buf, sizeof buf);
	struct fanotify_event_metadata *m = (void *)buf;
	ok("tells of a new folder", n > 0 && m->mask == (FAN_CREATE | FAN_ONDIR) && m->fd == FAN_NOFD && m->pid == getpid());
	fails("a mark of nothing", fanotify_mark(fan, FAN_MARK_ADD, 0, AT_FDCWD, "watched"), EINVAL);
	fails("a mark of a bad path", fanotify_mark(fan, FAN_MARK_ADD, FAN_CREATE, AT_FDCWD, "nonesuch"), ENOENT);
	int perm = fanotify_init(FAN_CLASS_NOTIF, O_RDONLY | O_CLOEXEC);
	if (perm >= 0 && !fanotify_mark(perm, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, "watched/file")) {
		close(open("watched/file", O_RDONLY));
		ok("with a descriptor", read(perm, buf, sizeof buf) == sizeof *m && m->fd >= 0 && m->mask == FAN_OPEN);
	} else
		ok("with a descriptor", errno == EPERM);
	struct { struct file_handle h; char room[128]; } handle = {{128}};
	int mount_id;
	same("name_to_handle_at", name_to_handle_at(AT_FDCWD, "watched/file", &handle.h, &mount_id, 0), 0);
	ok("has bytes", handle.h.handle_bytes > 0 && handle.h.handle_bytes <= 128);
	handle.h.handle_bytes = 0;
	fails("no room", name_to_handle_at(AT_FDCWD, "watched/file", &handle.h, &mount_id, 0), EOVERFLOW);
	fails("quotactl of no device", quotactl(QCMD(Q_SYNC, USRQUOTA), "/nonesuch", 0, 0), ENOENT);
	fails("quotactl of no command", quotactl(QCMD(0x123456, USRQUOTA), "/nonesuch", 0, 0), ENOENT);
	same("quotactl syncs all", quotactl(QCMD(Q_SYNC, USRQUOTA), 0, 0, 0), 0);
	fails("quotactl_fd of no descriptor", syscall(443, 999, QCMD(Q_SYNC, USRQUOTA), 0, 0), EBADF);
}

static void attributes(void)
{
	int fd = creat("attributes", 0600);
	char buf[256];
	same("setxattr", fsetxattr(fd, "user.one", "1", 1, 0) == 0 || errno == EOPNOTSUPP, 1);
	struct { uint64_t value; uint32_t size, flags; } args = {(uintptr_t)buf, sizeof buf, 0};
	long r = syscall(464, AT_FDCWD, "attributes", 0, "user.one", &args, sizeof args);
	ok("getxattrat", r == 1 && buf[0] == '1' || r == -1 && errno == EOPNOTSUPP);
	args = (typeof(args)){(uintptr_t)"22", 2, 0};
	r = syscall(463, fd, "", 0x1000, "user.two", &args, sizeof args);
	ok("setxattrat", r == 0 || errno == EOPNOTSUPP);
	r = syscall(465, AT_FDCWD, "attributes", 0, buf, sizeof buf);
	ok("listxattrat", r > 0 || r == 0 || errno == EOPNOTSUPP);
	r = syscall(466, AT_FDCWD, "attributes", 0, "user.two");
	ok("removexattrat", r == 0 || errno == EOPNOTSUPP);
	fails("of what is not there", syscall(464, AT_FDCWD, "nonesuch", 0, "user.one", &args, sizeof args), ENOENT);
	same("fchmodat2", syscall(452, AT_FDCWD, "attributes", 0640, 0x100 /* AT_SYMLINK_NOFOLLOW */), 0);
	struct stat s;
	stat("attributes", &s);
	same("has set the mode", s.st_mode & 0777, 0640);
	fails("fchmodat2 with flags that are none", syscall(452, AT_FDCWD, "attributes", 0640, 1), EINVAL);
	struct { uint64_t xflags; uint32_t extsize, nextents, projid, cowextsize; } fa;
	r = syscall(468, AT_FDCWD, "attributes", &fa, sizeof fa, 0);
	ok("file_getattr", r == 0 || errno == EOPNOTSUPP || errno == ENOTTY);
}

/* /proc/self/ns of a process in a new pid namespace needs its own /proc. */
int main(void)
{
	namespaces();
	pid_t child = fork();
	if (!child) {
		int n = mounts_child();
		fflush(stdout);
		_exit(n);
	}
	same("mounts", ended(child), 0);
	events();
	attributes();
	return done();
}
