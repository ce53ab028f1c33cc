/* Errors in the kernel's order: hostile arguments to calls that then do nothing. What each answers is in its line. */
#include "ok.h"
#include <sys/syscall.h>
#include <sys/time.h>

static const struct {
	const char *name;
	int number;
} calls[] = {
#define C(name) {#name, SYS_##name},
	C(setxattr) C(lsetxattr) C(fsetxattr) C(getxattr) C(lgetxattr) C(fgetxattr) C(listxattr) C(llistxattr) C(flistxattr) C(removexattr)
	C(lremovexattr) C(fremovexattr) C(getcwd) C(eventfd2) C(epoll_create1) C(epoll_ctl) C(epoll_pwait) C(dup) C(dup3) C(fcntl) C(inotify_init1)
	C(inotify_add_watch) C(inotify_rm_watch) C(ioctl) C(flock) C(mknodat) C(mkdirat) C(unlinkat) C(symlinkat) C(linkat)
	C(faccessat) C(chdir) C(fchdir) C(fchmod) C(fchmodat) C(fchownat) C(fchown) C(openat) C(pipe2) C(getdents64) C(lseek) C(write) C(readv)
	C(writev) C(sendfile) C(signalfd4) C(vmsplice) C(splice) C(tee) C(readlinkat) C(fstat) C(fsync) C(fdatasync) C(timerfd_create)
	C(timerfd_settime) C(timerfd_gettime) C(utimensat) C(getitimer) C(timer_create) C(timer_gettime) C(timer_getoverrun) C(timer_settime)
	C(timer_delete) C(clock_gettime) C(clock_getres) C(sched_getparam) C(sched_rr_get_interval) C(rt_sigaction) C(rt_sigprocmask)
	C(rt_sigpending) C(getresuid) C(getresgid) C(getgroups) C(uname) C(gettimeofday) C(sysinfo) C(mq_open) C(mq_unlink) C(mq_timedsend)
	C(mq_timedreceive) C(mq_notify) C(mq_getsetattr) C(msgrcv) C(semtimedop) C(semop) C(socket) C(socketpair) C(bind) C(listen) C(accept)
	C(connect) C(getsockname) C(getpeername) C(setsockopt) C(getsockopt) C(shutdown) C(sendmsg) C(recvmsg) C(msync) C(mlock) C(munlock)
	C(remap_file_pages) C(accept4) C(recvmmsg) C(fanotify_init) C(fanotify_mark) C(name_to_handle_at) C(open_by_handle_at) C(sendmmsg)
	C(process_vm_readv) C(process_vm_writev) C(kcmp) C(sched_getattr) C(renameat2) C(memfd_create) C(mlock2) C(copy_file_range) C(statx)
#undef C
	/* One number everywhere. */
	{"pidfd_send_signal", 424}, {"io_uring_enter", 426}, {"io_uring_register", 427}, {"open_tree", 428}, {"move_mount", 429}, {"fsopen", 430},
	{"fsconfig", 431}, {"fsmount", 432}, {"fspick", 433}, {"pidfd_open", 434}, {"openat2", 437}, {"pidfd_getfd", 438}, {"faccessat2", 439},
	{"process_madvise", 440}, {"epoll_pwait2", 441}, {"mount_setattr", 442}, {"quotactl_fd", 443}, {"landlock_create_ruleset", 444},
	{"landlock_add_rule", 445}, {"cachestat", 451}, {"fchmodat2", 452}, {"futex_wake", 454}, {"futex_requeue", 456}, {"statmount", 457},
	{"listmount", 458}, {"lsm_get_self_attr", 459}, {"lsm_set_self_attr", 460}, {"lsm_list_modules", 461}, {"setxattrat", 463},
	{"getxattrat", 464}, {"listxattrat", 465}, {"removexattrat", 466}, {"open_tree_attr", 467}, {"file_getattr", 468}, {"file_setattr", 469},
};

static char memory[65536];

int main(void)
{
	int file = open("file", O_RDWR | O_CREAT, 0600);
	/* fchmod(0, 0) is among the calls: not on whatever the tests' input is, which may be the machine's /dev/null. */
	dup2(open("input", O_RDONLY | O_CREAT, 0600), 0);
	const long none = -1, bad = 16, good = (long)memory;
	const long patterns[][6] = {
		{0, 0, 0, 0, 0, 0}, {none, none, none, none, none, none}, {bad, bad, bad, bad, bad, bad}, {file, bad, bad, bad, bad, bad},
		{file, bad, 8, 0, 0, 0}, {AT_FDCWD, bad, 0, 0, 0, 0}, {good, bad, bad, bad, bad, bad},
	};
	for (int c = 0; c < sizeof calls / sizeof *calls; c++) {
		char line[256];
		int length = snprintf(line, sizeof line, "%s:", calls[c].name);
		for (int p = 0; p < sizeof patterns / sizeof *patterns; p++) {
			const long *a = patterns[p];
			int pair[2];
			pipe(pair);
			pid_t child = fork();
			if (!child) {
				struct itimerval limit = {{0, 0}, {2, 0}};
				setitimer(ITIMER_REAL, &limit, 0);
				errno = 0;
				int error = syscall(calls[c].number, a[0], a[1], a[2], a[3], a[4], a[5]) == -1 ? errno : 0;
				write(pair[1], &error, sizeof error);
				_exit(0);
			}
			int error = -1, end = ended(child);
			close(pair[1]);
			read(pair[0], &error, sizeof error);
			close(pair[0]);
			length += snprintf(line + length, sizeof line - length, " %d", end ? end : error);
		}
		ok(line, 1);
	}
	return done();
}
