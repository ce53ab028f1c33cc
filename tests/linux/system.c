/* Clocks and timers, limits, scheduling, ids, names, prctl, terminals: what programs ask of the system. */
#include "ok.h"
#include <limits.h>
#include <pty.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/times.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <termios.h>
#include <time.h>

static void clocks(void)
{
	struct timespec a, b;
	same("clock_gettime", clock_gettime(CLOCK_MONOTONIC, &a), 0);
	struct timespec nap = {.tv_nsec = 2000000};
	same("nanosleep", nanosleep(&nap, &nap), 0);
	same("the rest is left alone", nap.tv_nsec, 2000000);
	clock_gettime(CLOCK_MONOTONIC, &b);
	ok("time has passed", (b.tv_sec - a.tv_sec) * 1000000000LL + b.tv_nsec - a.tv_nsec >= 2000000);
	same("a time gone by", clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &a, NULL), 0);
	same("clock_getres", (clock_getres(CLOCK_MONOTONIC, &a), a.tv_nsec), 1);
	nap.tv_nsec = -1;
	fails("negative nanoseconds", nanosleep(&nap, NULL), EINVAL);
	fails("a clock that there is not", clock_gettime(99, &a), EINVAL);
	struct timeval tv;
	ok("gettimeofday", gettimeofday(&tv, NULL) == 0 && tv.tv_sec > 1600000000 && tv.tv_usec < 1000000);
	struct tms tms;
	ok("times", times(&tms) != (clock_t)-1 && tms.tms_utime >= 0);
	struct timex timex = {0};
	ok("adjtimex", adjtimex(&timex) >= 0 && timex.tick >= 9000 && timex.time.tv_sec > 1600000000);
	fails("setting the clock to nonsense", (nap.tv_nsec = 2000000000, clock_settime(CLOCK_REALTIME, &nap)), EINVAL);
}

static void timers(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	sigaddset(&set, SIGALRM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	timer_t timer;
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN, .sigev_value.sival_int = 99};
	same("timer_create", timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
	struct itimerspec it = {.it_value.tv_nsec = 1000000}, old;
	same("timer_settime", timer_settime(timer, 0, &it, NULL), 0);
	siginfo_t info;
	same("its signal", sigwaitinfo(&set, &info), SIGRTMIN);
	same("its value", info.si_value.sival_int, 99);
	same("its code", info.si_code, SI_TIMER);
	it.it_value.tv_sec = 100;
	timer_settime(timer, 0, &it, NULL);
	ok("timer_gettime", timer_gettime(timer, &old) == 0 && old.it_value.tv_sec >= 99);
	same("timer_delete", timer_delete(timer), 0);
	struct itimerval real = {.it_value.tv_usec = 1000}, before;
	same("setitimer", setitimer(ITIMER_REAL, &real, NULL), 0);
	same("SIGALRM", sigwaitinfo(&set, &info), SIGALRM);
	real.it_value.tv_sec = 50;
	setitimer(ITIMER_REAL, &real, NULL);
	ok("getitimer", getitimer(ITIMER_REAL, &before) == 0 && before.it_value.tv_sec >= 49);
	same("alarm", alarm(0) >= 49, 1);
	struct timespec soon = {.tv_nsec = 1000000};
	fails("sigtimedwait's time", sigtimedwait(&set, &info, &soon), EAGAIN);
}

static void limits(void)
{
	struct rlimit l = {.rlim_cur = 64, .rlim_max = 128};
	same("setrlimit", setrlimit(RLIMIT_CORE, &l), 0);
	memset(&l, 0, sizeof l);
	same("getrlimit", getrlimit(RLIMIT_CORE, &l), 0);
	same("rlim_cur", l.rlim_cur, 64);
	struct rlimit64 wide;
	same("prlimit64", prlimit64(0, RLIMIT_CORE, NULL, &wide), 0);
	same("rlim_max", wide.rlim_max, 128);
	l.rlim_cur = 256;
	fails("more than the hard one", setrlimit(RLIMIT_CORE, &l), EINVAL);
	fails("a limit that there is not", getrlimit(99, &l), EINVAL);
	l.rlim_cur = 1 << 30;
	l.rlim_max = RLIM_INFINITY;
	same("a limited address space", setrlimit(RLIMIT_AS, &l), 0);
	getrlimit(RLIMIT_AS, &l);
	same("is remembered", l.rlim_cur, 1 << 30);
	struct rusage usage;
	ok("getrusage", getrusage(RUSAGE_SELF, &usage) == 0 && usage.ru_maxrss > 0);
	struct sysinfo info;
	ok("sysinfo", sysinfo(&info) == 0 && info.procs > 0 && (double)info.totalram * info.mem_unit > 1e7);
}

static void scheduling(void)
{
	cpu_set_t set;
	ok("sched_getaffinity", sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0);
	same("sched_setaffinity", sched_setaffinity(0, sizeof set, &set), 0);
	fails("too small a mask", syscall(SYS_sched_getaffinity, 0, 0, &set), EINVAL);
	struct sched_param param;
	same("sched_getparam", sched_getparam(0, &param) | param.sched_priority, 0);
	same("sched_get_priority_max", sched_get_priority_max(SCHED_FIFO), 99);
	struct timespec slice;
	same("sched_rr_get_interval", sched_rr_get_interval(0, &slice), 0);
	/* The tests themselves may have been started by nice. */
	int niceness = getpriority(PRIO_PROCESS, 0) + 3;
	niceness = niceness < 19 ? niceness : 19;
	same("nice", nice(3), niceness);
	same("getpriority", getpriority(PRIO_PROCESS, 0), niceness);
	unsigned cpu = -1, node = -1;
	ok("getcpu", syscall(SYS_getcpu, &cpu, &node, NULL) == 0 && cpu < 4096);
	same("sched_yield", sched_yield(), 0);
}

static void names(void)
{
	struct utsname name;
	ok("uname", uname(&name) == 0 && strcmp(name.sysname, "Linux") == 0);
	char text[20] = "";
	same("PR_SET_NAME", prctl(PR_SET_NAME, "a name of 15 and more"), 0);
	same("PR_GET_NAME", prctl(PR_GET_NAME, text), 0);
	ok("cut off", strcmp(text, "a name of 15 an") == 0);
	int number = -1;
	prctl(PR_SET_PDEATHSIG, SIGUSR1);
	same("PR_GET_PDEATHSIG", prctl(PR_GET_PDEATHSIG, &number), 0);
	same("the signal", number, SIGUSR1);
	same("PR_SET_CHILD_SUBREAPER", prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	same("PR_GET_CHILD_SUBREAPER", (prctl(PR_GET_CHILD_SUBREAPER, &number), number), 1);
	fails("an operation that there is not", prctl(123456), EINVAL);
	uid_t a, b, c;
	same("getresuid", getresuid(&a, &b, &c), 0);
	ok("ids", a == getuid() && b == geteuid());
	gid_t groups[256];
	ok("getgroups", getgroups(256, groups) == getgroups(0, NULL));
	fails("too few", getgroups(0, NULL) > 1 ? getgroups(1, groups) : (errno = EINVAL, -1), EINVAL);
	same("setpgid", setpgid(0, 0), 0);
	same("getpgid", getpgid(0), getpid());
	same("umask", (umask(027), umask(022)), 027);
	char bytes[16] = "";
	same("getrandom", getrandom(bytes, 16, 0), 16);
	fails("getrandom's flags", getrandom(bytes, 16, 0x100), EINVAL);
	fails("a call that there is not", syscall(9999), ENOSYS);
}

static void terminals(void)
{
	int master, slave;
	struct winsize size = {.ws_row = 24, .ws_col = 80};
	struct termios t;
	if (openpty(&master, &slave, NULL, NULL, &size) < 0) {
		/* No pty here, nor on the host. */
		return;
	}
	ok("isatty", isatty(slave) == 1);
	memset(&size, 0, sizeof size);
	same("TIOCGWINSZ", ioctl(slave, TIOCGWINSZ, &size), 0);
	same("ws_col", size.ws_col, 80);
	same("tcgetattr", tcgetattr(slave, &t), 0);
	same("VEOF", t.c_cc[VEOF], 4);
	ok("ECHO", t.c_lflag & ECHO);
	cfmakeraw(&t);
	cfsetspeed(&t, B9600);
	same("tcsetattr", tcsetattr(slave, TCSANOW, &t), 0);
	memset(&t, 0, sizeof t);
	tcgetattr(slave, &t);
	ok("raw", !(t.c_lflag & (ECHO | ICANON)) && cfgetospeed(&t) == B9600);
	write(master, "abc", 3);
	int waiting = -1;
	usleep(10000);
	same("FIONREAD", ioctl(slave, FIONREAD, &waiting), 0);
	same("bytes", waiting, 3);
	int one = 1;
	same("FIONBIO", ioctl(slave, FIONBIO, &one), 0);
	same("O_NONBLOCK", fcntl(slave, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	unsigned number = -1;
	ok("TIOCGPTN", ioctl(master, TIOCGPTN, &number) == 0 && number < 4096);
	fails("TCGETS of no terminal", ioctl(fileno(fopen("/dev/null", "r")), TCGETS, &t), ENOTTY);
	fails("a request that there is not", ioctl(slave, 0x1234, &t), ENOTTY);
	pid_t child = fork();
	if (child == 0) {
		setsid();
		if (ioctl(slave, TIOCSCTTY, 0) < 0 || tcgetpgrp(slave) != getpid())
			_exit(1);
		_exit(tcgetsid(slave) == getpid() ? 42 : 2);
	}
	same("a controlling terminal", ended(child), 42);
}

int main(void)
{
	clocks();
	timers();
	limits();
	scheduling();
	names();
	terminals();
	return done();
}
