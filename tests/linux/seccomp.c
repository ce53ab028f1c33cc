/* seccomp(2): what filters may be, what they decide, whom they hold. */
#include "ok.h"
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#if defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#elif defined(__arm__)
#define ARCH AUDIT_ARCH_ARM
#elif defined(__riscv)
#define ARCH (sizeof(long) == 8 ? AUDIT_ARCH_RISCV64 : AUDIT_ARCH_RISCV32)
#elif defined(__i386__)
#define ARCH AUDIT_ARCH_I386
#else
#define ARCH AUDIT_ARCH_X86_64
#endif
#ifndef SYS_SECCOMP
#define SYS_SECCOMP 1
#endif

#define LOAD(member) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, member))
#define LOW(n) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[n]))
#define HIGH(n) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[n]) + 4)
#define IF(what, instructions) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, what, 0, instructions)
#define GIVE(value) BPF_STMT(BPF_RET | BPF_K, value)

static long seccomp(unsigned operation, unsigned flags, void *arguments) { return syscall(SYS_seccomp, operation, flags, arguments); }

static long install(unsigned flags, const struct sock_filter *filter, unsigned short length)
{
	struct sock_fprog program = {length, (struct sock_filter *)filter};
	return seccomp(SECCOMP_SET_MODE_FILTER, flags, &program);
}

#define INSTALL(flags, ...) install(flags, (struct sock_filter[]){__VA_ARGS__}, sizeof((struct sock_filter[]){__VA_ARGS__}) / sizeof(struct sock_filter))
/* This value for a call, all others allowed. */
#define ON(number, value) LOAD(nr), IF(number, 1), GIVE(value), GIVE(SECCOMP_RET_ALLOW)

/* Runs in a child that may filter: what it returns is its status. */
static int inside(int (*body)(void))
{
	pid_t child = fork();
	if (child == 0) {
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		_exit(body());
	}
	return ended(child);
}

static int error_of(long result) { return result == -1 ? errno : 0; }

static int refused(void)
{
	static const struct sock_filter bad[][2] = {
	    {LOAD(nr), LOAD(nr)},
	    {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2), GIVE(0)},
	    {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), GIVE(0)},
	    {BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0), GIVE(0)},
	    {BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0), GIVE(0)},
	    {BPF_STMT(BPF_LD | BPF_MEM, 0), GIVE(0)},
	    {BPF_STMT(BPF_ST, 16), GIVE(0)},
	    {BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), GIVE(0)},
	    {BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 2), GIVE(0)},
	    {BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 32), GIVE(0)},
	    {BPF_STMT(BPF_JMP | BPF_JA, 1), GIVE(0)},
	    {BPF_JUMP(BPF_JMP | BPF_JEQ, 0, 0, 1), GIVE(0)},
	};
	for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++)
		if (error_of(install(0, bad[i], 2)) != EINVAL)
			return 10 + i;
	static struct sock_filter many[4097];
	for (int i = 0; i < 4097; i++)
		many[i] = (struct sock_filter)GIVE(SECCOMP_RET_ALLOW);
	if (error_of(install(0, many, 4097)) != EINVAL || error_of(install(0, many, 0)) != EINVAL)
		return 1;
	if (error_of(install(0, (void *)16, 1)) != EFAULT || error_of(seccomp(SECCOMP_SET_MODE_FILTER, 0, (void *)16)) != EFAULT)
		return 2;
	if (error_of(install(1 << 10, many, 1)) != EINVAL || error_of(install(SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_NEW_LISTENER, many, 1)) != EINVAL)
		return 3;
	if (error_of(seccomp(SECCOMP_SET_MODE_STRICT, 1, NULL)) != EINVAL || error_of(seccomp(SECCOMP_SET_MODE_STRICT, 0, many)) != EINVAL || error_of(seccomp(99, 0, NULL)) != EINVAL)
		return 4;
	if (error_of(prctl(PR_SET_SECCOMP, 3, 0, 0, 0)) != EINVAL || prctl(PR_GET_SECCOMP) != 0)
		return 5;
	int n = 0;
	while (n < 20 && install(0, many, 4000) == 0)
		n++;
	/* The kernel counts instructions of its own. */
	return n >= 3 && n <= 8 && errno == ENOMEM && prctl(PR_GET_SECCOMP) == 2 ? 0 : 6;
}

static int unprivileged(void)
{
	/* CAP_SYS_ADMIN would do as well. */
	unsigned header[2] = {0x20080522, 0}, none[6] = {0};
	syscall(SYS_capset, header, none);
	if (error_of(INSTALL(0, GIVE(SECCOMP_RET_ALLOW))) != EACCES)
		return 1;
	if (error_of(install(0, (void *)16, 1)) != EACCES)
		return 2;
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return INSTALL(0, GIVE(SECCOMP_RET_ALLOW)) != 0;
}

static int asked(void)
{
	unsigned action = SECCOMP_RET_TRAP, sizes_ok;
	unsigned short sizes[3];
	if (seccomp(SECCOMP_GET_ACTION_AVAIL, 0, &action) != 0)
		return 1;
	action = 0x12340000;
	if (error_of(seccomp(SECCOMP_GET_ACTION_AVAIL, 0, &action)) != EOPNOTSUPP || error_of(seccomp(SECCOMP_GET_ACTION_AVAIL, 1, &action)) != EINVAL)
		return 2;
	sizes_ok = seccomp(SECCOMP_GET_NOTIF_SIZES, 0, sizes) == 0 && sizes[0] == sizeof(struct seccomp_notif) && sizes[1] == sizeof(struct seccomp_notif_resp) && sizes[2] == sizeof(struct seccomp_data);
	return !sizes_ok;
}

static int errors(void)
{
	/* Much used before, so that it is made in the quickest way that there is. */
	for (int i = 0; i < 100000; i++)
		if (syscall(SYS_getppid) < 0)
			return 1;
	if (INSTALL(0, ON(SYS_getppid, SECCOMP_RET_ERRNO | 77)))
		return 2;
	for (int i = 0; i < 1000; i++)
		if (error_of(syscall(SYS_getppid)) != 77 || getpid() <= 0)
			return 3;
	if (INSTALL(0, ON(SYS_getuid, SECCOMP_RET_ERRNO)) || syscall(SYS_getuid) != 0)
		return 4;
	if (INSTALL(0, ON(SYS_getgid, SECCOMP_RET_ERRNO | 0xffff)) || syscall(SYS_getgid) != -1 || errno != 4095)
		return 5;
	/* 512 is a number of the kernel's own. */
	if (INSTALL(0, ON(SYS_getegid, SECCOMP_RET_ERRNO | 512)) || error_of(syscall(SYS_getegid)) != 512)
		return 6;
	/* The newest of those that decide the same, and what comes before the others. */
	if (INSTALL(0, ON(SYS_getppid, SECCOMP_RET_ERRNO | 78)) || error_of(syscall(SYS_getppid)) != 78)
		return 7;
	if (INSTALL(0, ON(SYS_getppid, SECCOMP_RET_TRACE)) || error_of(syscall(SYS_getppid)) != 78)
		return 8;
	return INSTALL(0, ON(SYS_geteuid, SECCOMP_RET_TRACE)) || error_of(syscall(SYS_geteuid)) != ENOSYS || INSTALL(0, ON(SYS_getpgid, SECCOMP_RET_LOG)) || syscall(SYS_getpgid, 0) < 0;
}

static int arguments(void)
{
	if (INSTALL(0, LOAD(nr), IF(SYS_dup3, 7), LOW(0), IF(-1u, 5), LOW(1), IF(7, 3), HIGH(2), IF(0, 1), GIVE(SECCOMP_RET_ERRNO | 99), GIVE(SECCOMP_RET_ALLOW)))
		return 1;
	if (error_of(syscall(SYS_dup3, -1, 7, 0)) != 99 || error_of(syscall(SYS_dup3, -1, 8, 0)) == 99 || error_of(syscall(SYS_dup3, -2, 7, 0)) == 99)
		return 2;
	if (sizeof(long) == 8 && error_of(syscall(SYS_dup3, -1L, 7L, 1L << 31 << 1)) == 99)
		return 3;
	if (INSTALL(0, LOAD(nr), IF(SYS_getppid, 3), LOAD(arch), IF(ARCH, 1), GIVE(SECCOMP_RET_ERRNO | 98), GIVE(SECCOMP_RET_ALLOW)))
		return 4;
	return syscall(SYS_getppid) != -1 || errno != 98;
}

static siginfo_t trapped;
static volatile int traps;
static volatile uintptr_t went_on;
static void on_trap(int number, siginfo_t *info, void *context)
{
	mcontext_t *registers = &((ucontext_t *)context)->uc_mcontext;
#if defined __x86_64__
	went_on = registers->gregs[REG_RIP];
#elif defined __i386__
	went_on = registers->gregs[REG_EIP];
#elif defined __arm__
	went_on = registers->arm_pc;
#elif defined __riscv
	went_on = registers->__gregs[0];
#else
	went_on = registers->pc;
#endif
	trapped = *info;
	traps += number == SIGSYS;
}

extern char __executable_start, etext;

static int trap(void)
{
	struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};
	sigaction(SIGSYS, &action, NULL);
	if (INSTALL(0, ON(SYS_getppid, SECCOMP_RET_TRAP | 0x1234)))
		return 1;
	syscall(SYS_getppid);
	syscall(SYS_getppid);
	if (traps != 2 || trapped.si_code != SYS_SECCOMP || trapped.si_errno != 0x1234 || trapped.si_signo != SIGSYS)
		return 2;
	if (trapped.si_syscall != SYS_getppid || trapped.si_arch != ARCH)
		return 3;
	/* Of a Thumb instruction, too, without a bit for that. */
	if ((uintptr_t)trapped.si_call_addr != went_on)
		return 4;
	/* i386's C library calls by the vDSO. */
	char *at = trapped.si_call_addr, *entry = (char *)getauxval(AT_SYSINFO);
	return !(at > &__executable_start && at < &etext || entry && at > entry && at < entry + 64);
}

static int trap_blocked(void)
{
	sigset_t set;
	struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};
	sigaction(SIGSYS, &action, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGSYS);
	sigprocmask(SIG_BLOCK, &set, NULL);
	INSTALL(0, ON(SYS_getppid, SECCOMP_RET_TRAP));
	syscall(SYS_getppid);
	return 1;
}

static int kill_process(void)
{
	INSTALL(0, ON(SYS_getppid, SECCOMP_RET_KILL_PROCESS));
	syscall(SYS_getppid);
	return 1;
}

static int unknown_action(void)
{
	INSTALL(0, ON(SYS_getppid, 0x00010000));
	syscall(SYS_getppid);
	return 1;
}

static int divides_by_zero(void)
{
	INSTALL(0, LOAD(nr), IF(SYS_getppid, 3), BPF_STMT(BPF_LDX | BPF_IMM, 0), BPF_STMT(BPF_ALU | BPF_DIV | BPF_X, 0), GIVE(SECCOMP_RET_ALLOW), GIVE(SECCOMP_RET_ALLOW));
	syscall(SYS_getppid);
	return 1;
}

static volatile int after;
static void *killed_thread(void *unused)
{
	(void)unused;
	INSTALL(0, ON(SYS_getppid, SECCOMP_RET_KILL_THREAD));
	syscall(SYS_getppid);
	after = 1;
	return NULL;
}

static int kill_thread(void)
{
	pthread_t thread;
	pthread_create(&thread, NULL, killed_thread, NULL);
	/* Gone without a word: only its id under /proc tells. */
	char path[40];
	for (int i = 0; i < 500; i++) {
		snprintf(path, sizeof path, "/proc/self/task");
		struct stat s;
		if (stat(path, &s) == 0 && s.st_nlink == 3)
			break;
		usleep(10000);
	}
	if (syscall(SYS_getppid) < 0)
		return 2;
	return after;
}

static int strict(void)
{
	char c = 'x';
	int ends[2];
	pipe(ends);
	prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0);
	if (write(ends[1], &c, 1) == 1 && read(ends[0], &c, 1) == 1)
		syscall(SYS_exit, 5);
	syscall(SYS_exit, 6);
	return 0;
}

static int strict_kills(void)
{
	for (int i = 0; i < 100000; i++)
		syscall(SYS_getppid);
	seccomp(SECCOMP_SET_MODE_STRICT, 0, NULL);
	syscall(SYS_getppid);
	syscall(SYS_exit, 6);
	return 0;
}

static volatile int started, go;
static void *spins(void *result)
{
	started = 1;
	while (!go)
		syscall(SYS_getppid);
	*(int *)result = error_of(syscall(SYS_getppid)) * 2 + prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
	return NULL;
}

static int in_step(void)
{
	pthread_t thread;
	int result = 0;
	pthread_create(&thread, NULL, spins, &result);
	while (!started)
		;
	if (INSTALL(SECCOMP_FILTER_FLAG_TSYNC, ON(SYS_getppid, SECCOMP_RET_ERRNO | 66)))
		return 1;
	go = 1;
	pthread_join(thread, NULL);
	return result != 66 * 2 + 1;
}

static volatile int tid;
static void *own_filter(void *unused)
{
	(void)unused;
	INSTALL(0, GIVE(SECCOMP_RET_ALLOW));
	tid = (int)syscall(SYS_gettid);
	while (!go)
		usleep(1000);
	return NULL;
}

static int out_of_step(void)
{
	pthread_t thread;
	go = 0;
	pthread_create(&thread, NULL, own_filter, NULL);
	while (!tid)
		usleep(1000);
	if (INSTALL(SECCOMP_FILTER_FLAG_TSYNC, ON(SYS_getppid, SECCOMP_RET_ERRNO | 66)) != tid || syscall(SYS_getppid) < 0)
		return 1;
	if (error_of(INSTALL(SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH, GIVE(SECCOMP_RET_ALLOW))) != ESRCH)
		return 2;
	go = 1;
	pthread_join(thread, NULL);
	return 0;
}

static void *tells(void *result)
{
	*(int *)result = error_of(syscall(SYS_getppid));
	return NULL;
}

static int inherited(void)
{
	int result = 0, status;
	pthread_t thread;
	INSTALL(0, ON(SYS_getppid, SECCOMP_RET_ERRNO | 55));
	pthread_create(&thread, NULL, tells, &result);
	pthread_join(thread, NULL);
	if (result != 55)
		return 1;
	pid_t child = fork();
	if (child == 0)
		_exit(error_of(syscall(SYS_getppid)));
	if (ended(child) != 55)
		return 2;
	if ((child = vfork()) == 0)
		_exit(error_of(syscall(SYS_getppid)));
	if (ended(child) != 55)
		return 3;
	if ((child = fork()) == 0) {
		execl("/proc/self/exe", "x", "tell", (char *)NULL);
		_exit(1);
	}
	if (ended(child) != 55)
		return 4;
	char *text = (char[8192]){0};
	read(open("/proc/self/status", O_RDONLY), text, 8191);
	return !strstr(text, "Seccomp:\t2") || !strstr(text, "NoNewPrivs:\t1");
}

/* The supervisor of a child: what the child's getppid is to do. */
static int listener, talk[2];

static int asks(void)
{
	listener = (int)INSTALL(SECCOMP_FILTER_FLAG_NEW_LISTENER, ON(SYS_dup3, SECCOMP_RET_USER_NOTIF));
	return listener < 0;
}

static int watched(int (*child_does)(void), int (*supervise)(pid_t, int))
{
	int pair[2];
	pipe(talk);
	pipe(pair);
	pid_t child = fork();
	if (child == 0) {
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		if (asks())
			_exit(200);
		write(pair[1], &listener, sizeof listener);
		char c;
		read(talk[0], &c, 1);
		close(listener);
		_exit(child_does());
	}
	int fd = -1, there;
	if (read(pair[0], &there, sizeof there) != sizeof there)
		return -ended(child);
	int pidfd = (int)syscall(SYS_pidfd_open, child, 0);
	fd = (int)syscall(438, pidfd, there, 0); /* pidfd_getfd */
	write(talk[1], "x", 1);
	int seen = supervise(child, fd);
	close(fd);
	int status = ended(child);
	close(pidfd);
	close(talk[0]), close(talk[1]), close(pair[0]), close(pair[1]);
	return seen ? 1000 + seen : status;
}

static struct seccomp_notif notif;

static int received(pid_t child, int fd, long first)
{
	memset(&notif, 0, sizeof notif);
	struct pollfd p = {fd, POLLIN, 0};
	if (poll(&p, 1, 10000) != 1 || p.revents != POLLIN || ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &notif))
		return 1;
	if (notif.pid != (unsigned)child || notif.data.nr != SYS_dup3 || notif.data.arch != ARCH || notif.flags)
		return 2;
	if (notif.data.args[0] != (unsigned long)first || notif.data.args[1] != 77 || notif.data.args[2] != 5)
		return 3;
	return ioctl(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &notif.id) != 0;
}

static int answered(int fd, int error, long long value, unsigned flags)
{
	struct seccomp_notif_resp response = {notif.id, value, error, flags};
	return ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &response) != 0;
}

static int answers(pid_t child, int fd)
{
	if (fd < 0)
		return 9;
	int bad = received(child, fd, -7);
	if (bad || answered(fd, -41, 0, 0))
		return bad + 10;
	bad = received(child, fd, -8);
	if (bad || answered(fd, 0, 42, 0))
		return bad + 20;
	bad = received(child, fd, -9);
	struct seccomp_notif_resp wrong = {notif.id, 1, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE};
	if (bad || error_of(ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &wrong)) != EINVAL)
		return bad + 30;
	if (answered(fd, 0, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE))
		return 39;
	bad = received(child, fd, -10);
	struct seccomp_notif_addfd add = {notif.id, 0, (unsigned)fd, 0, 0};
	int number = ioctl(fd, SECCOMP_IOCTL_NOTIF_ADDFD, &add);
	if (bad || number < 0 || answered(fd, 0, number, 0))
		return bad + 40;
	int late = error_of(answered(fd, 0, 0, 0) ? -1 : 0);
	if (late != ENOENT && late != EINPROGRESS)
		return 49;
	memset(&notif, 1, sizeof notif);
	if (error_of(ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &notif)) != EINVAL)
		return 50;
	return 0;
}

static int is_answered(void)
{
	if (error_of(syscall(SYS_dup3, -7L, 77, 5)) != 41 || syscall(SYS_dup3, -8L, 77, 5) != 42)
		return 1;
	/* Goes on: 5 is no flag of it. */
	if (error_of(syscall(SYS_dup3, -9L, 77, 5)) != EINVAL)
		return 2;
	int fd = (int)syscall(SYS_dup3, -10L, 77, 5);
	if (fcntl(fd, F_GETFD) < 0)
		return 3;
	close(fd);
	/* Nobody listens any more. */
	return error_of(syscall(SYS_dup3, -11L, 77, 5)) != ENOSYS;
}

static int starts_another(void)
{
	execl("/proc/self/exe", "x", "ask", (char *)NULL);
	return 1;
}

static int answers_once(pid_t child, int fd)
{
	int bad = received(child, fd, -7);
	return bad || answered(fd, -43, 0, 0);
}

static void on_alarm(int number) { (void)number; }
static int is_interrupted(void)
{
	struct sigaction action = {.sa_handler = on_alarm};
	sigaction(SIGALRM, &action, NULL);
	ualarm(200000, 0);
	return error_of(syscall(SYS_dup3, -7L, 77, 5)) != EINTR;
}
static int lets_it_wait(pid_t child, int fd)
{
	int bad = received(child, fd, -7);
	struct pollfd p = {fd, POLLIN, 0};
	poll(&p, 1, 10000);
	/* It has gone: there is nothing to answer. */
	return bad || p.revents != POLLHUP || error_of(ioctl(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &notif.id)) != ENOENT;
}

static int second_listener(void)
{
	return asks() || error_of(INSTALL(SECCOMP_FILTER_FLAG_NEW_LISTENER, GIVE(SECCOMP_RET_ALLOW))) != EBUSY;
}

int main(int count, char **arguments_)
{
	if (count > 1 && strcmp(arguments_[1], "tell") == 0)
		return error_of(syscall(SYS_getppid));
	if (count > 1)
		return error_of(syscall(SYS_dup3, -7L, 77, 5));
	same("filters that are refused", inside(refused), 0);
	pid_t child = fork();
	if (child == 0)
		_exit(unprivileged());
	same("who may not", ended(child), 0);
	same("questions", inside(asked), 0);
	same("errors", inside(errors), 0);
	same("arguments and architecture", inside(arguments), 0);
	same("trap", inside(trap), 0);
	same("trap, blocked", inside(trap_blocked), -SIGSYS);
	same("kill the process", inside(kill_process), -SIGSYS);
	same("an unknown action", inside(unknown_action), -SIGSYS);
	same("division by zero", inside(divides_by_zero), -SIGSYS);
	same("kill a thread", inside(kill_thread), 0);
	same("strict", inside(strict), 5);
	same("strict kills", inside(strict_kills), -SIGKILL);
	same("threads in step", inside(in_step), 0);
	same("threads out of step", inside(out_of_step), 0);
	same("inherited", inside(inherited), 0);
	same("a supervisor", watched(is_answered, answers), 0);
	same("over execve", watched(starts_another, answers_once), 43);
	same("interrupted", watched(is_interrupted, lets_it_wait), 0);
	same("a second listener", inside(second_listener), 0);
	return done();
}
