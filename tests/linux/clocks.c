/* Time: the clocks, sleeping, interval timers, POSIX timers, processor time. */
#include "ok.h"
#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/timex.h>
#include <time.h>

static double seconds(clockid_t clock)
{
	struct timespec t = {0, 0};
	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static volatile int hits, value, code;
static void note(int number, siginfo_t *info, void *context)
{
	(void)number, (void)context;
	hits++, value = info->si_value.sival_int, code = info->si_code;
}

static void burn(double time)
{
	// Mostly its own time: asking for it is the kernel's.
	for (double end = seconds(CLOCK_PROCESS_CPUTIME_ID) + time; seconds(CLOCK_PROCESS_CPUTIME_ID) < end;)
		for (volatile int i = 0; i < 20000; i++)
			;
}

static void clocks(void)
{
	static const clockid_t all[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID,
		CLOCK_MONOTONIC_RAW, CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME, CLOCK_TAI};
	struct timespec t, direct;
	int right = 1;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		right &= clock_gettime(all[i], &t) == 0 && t.tv_nsec >= 0 && t.tv_nsec < 1000000000;
		right &= clock_getres(all[i], &t) == 0 && t.tv_sec == 0;
	}
	ok("every clock", right);
	fails("an unknown clock", clock_gettime(77, &t), EINVAL);
	long backwards = 0;
	double last = 0;
	for (int i = 0; i < 100000; i++) {
		double now = seconds(CLOCK_MONOTONIC);
		backwards += now < last, last = now;
	}
	same("monotonic", backwards, 0);
	struct timeval tv;
	gettimeofday(&tv, NULL);
	double difference = (double)tv.tv_sec + (double)tv.tv_usec * 1e-6 - seconds(CLOCK_REALTIME);
	ok("gettimeofday", difference > -1 && difference < 0.001);
	long long now = time(NULL);
	/* Its clock is the coarse one: for some milliseconds after each second it is behind the other. */
	ok("time", now - tv.tv_sec >= -1 && now - tv.tv_sec <= 1);
#ifdef SYS_clock_gettime64
	long long wide[2];
	ok("the 64-bit call", syscall(SYS_clock_gettime64, CLOCK_REALTIME, wide) == 0 && wide[0] - now <= 2 && wide[0] >= now && wide[1] < 1000000000);
#else
	ok("the 64-bit call", syscall(SYS_clock_gettime, CLOCK_REALTIME, &direct) == 0 && direct.tv_sec - now <= 2);
#endif
	clockid_t mine;
	ok("another process's clock", clock_getcpuclockid(getpid(), &mine) == 0 && clock_gettime(mine, &t) == 0);
	struct timex x = {0};
	ok("adjtimex", adjtimex(&x) >= 0 && x.tick > 5000);
}

static void sleeping(void)
{
	double start = seconds(CLOCK_MONOTONIC);
	struct timespec nap = {0, 20000000}, until;
	same("nanosleep", nanosleep(&nap, NULL), 0);
	double slept = seconds(CLOCK_MONOTONIC) - start;
	ok("long enough", slept >= 0.02 && slept < 20);
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += 20000000;
	if (until.tv_nsec >= 1000000000)
		until.tv_sec++, until.tv_nsec -= 1000000000;
	start = seconds(CLOCK_MONOTONIC);
	same("an absolute sleep", clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL), 0);
	ok("long enough", seconds(CLOCK_MONOTONIC) - start >= 0.015);
	same("in the past", clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &(struct timespec){1, 0}, NULL), 0);
	same("a bad length", clock_nanosleep(CLOCK_REALTIME, 0, &(struct timespec){0, 1000000000}, NULL), EINVAL);
}

static void interval_timers(void)
{
	struct sigaction action = {.sa_flags = SA_SIGINFO};
	action.sa_sigaction = note;
	sigaction(SIGALRM, &action, NULL), sigaction(SIGVTALRM, &action, NULL), sigaction(SIGPROF, &action, NULL);
	struct itimerval often = {{0, 5000}, {0, 5000}}, left, none = {{0, 0}, {0, 0}};
	setitimer(ITIMER_REAL, &often, NULL);
	// A loaded machine may take its time.
	for (double end = seconds(CLOCK_MONOTONIC) + 5; hits < 8 && seconds(CLOCK_MONOTONIC) < end;)
		;
	ok("getitimer", getitimer(ITIMER_REAL, &left) == 0 && left.it_interval.tv_usec == 5000 && left.it_value.tv_usec <= 5000);
	setitimer(ITIMER_REAL, &none, &left);
	ok("ITIMER_REAL", hits >= 8 && hits <= 30);
	hits = 0;
	setitimer(ITIMER_VIRTUAL, &often, NULL);
	burn(0.15);
	setitimer(ITIMER_VIRTUAL, &none, NULL);
	ok("ITIMER_VIRTUAL", hits >= 1);
	hits = 0;
	setitimer(ITIMER_PROF, &often, NULL);
	burn(0.15);
	setitimer(ITIMER_PROF, &none, NULL);
	ok("ITIMER_PROF", hits >= 1);
	alarm(100);
	ok("alarm", alarm(0) >= 50);
}

static volatile int in_thread;
static void on_thread(union sigval v) { in_thread = v.sival_int; }

static void posix_timers(void)
{
	timer_t timer;
	struct sigaction action = {.sa_flags = SA_SIGINFO};
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 4, .sigev_value.sival_int = 4321};
	struct itimerspec often = {{0, 2000000}, {0, 2000000}}, left;
	action.sa_sigaction = note;
	sigaction(SIGRTMIN + 4, &action, NULL);
	same("timer_create", timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
	hits = 0;
	same("timer_settime", timer_settime(timer, 0, &often, NULL), 0);
	while (hits < 5)
		pause();
	ok("its signals", value == 4321 && code == SI_TIMER);
	ok("timer_gettime", timer_gettime(timer, &left) == 0 && left.it_interval.tv_nsec == 2000000);
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 4);
	sigprocmask(SIG_BLOCK, &set, NULL);
	usleep(30000);
	siginfo_t info;
	sigwaitinfo(&set, &info);
	ok("overrun", info.si_overrun >= 3 && timer_getoverrun(timer) >= 3);
	same("timer_delete", timer_delete(timer), 0);
	fails("deleted", timer_gettime(timer, &left), EINVAL);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	event = (struct sigevent){.sigev_notify = SIGEV_THREAD, .sigev_value.sival_int = 99};
	event.sigev_notify_function = on_thread;
	same("a timer that runs a thread", timer_create(CLOCK_REALTIME, &event, &timer), 0);
	often.it_interval.tv_nsec = 0;
	timer_settime(timer, 0, &often, NULL);
	for (int i = 0; i < 20000 && !in_thread; i++)
		usleep(1000);
	same("runs it", in_thread, 99);
	event = (struct sigevent){.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
	signal(SIGUSR1, SIG_IGN);
	same("a timer of processor time", timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &timer), 0);
}

static void usage(void)
{
	struct rusage before, after, child;
	struct tms t;
	getrusage(RUSAGE_SELF, &before);
	burn(0.05);
	getrusage(RUSAGE_SELF, &after);
	double used = (double)(after.ru_utime.tv_sec - before.ru_utime.tv_sec + after.ru_stime.tv_sec - before.ru_stime.tv_sec)
		+ (double)(after.ru_utime.tv_usec - before.ru_utime.tv_usec + after.ru_stime.tv_usec - before.ru_stime.tv_usec) * 1e-6;
	ok("getrusage", used > 0.03 && used < 2 && after.ru_maxrss > 0);
	pid_t pid = fork();
	if (pid == 0) {
		burn(0.05);
		_exit(0);
	}
	ended(pid);
	getrusage(RUSAGE_CHILDREN, &child);
	ok("of children", child.ru_utime.tv_sec * 1000000 + child.ru_utime.tv_usec + child.ru_stime.tv_sec * 1000000 + child.ru_stime.tv_usec > 20000);
	ok("times", times(&t) != -1 && t.tms_utime + t.tms_stime > 0 && t.tms_cutime + t.tms_cstime > 0);
	ok("clock", clock() > 0);
}

int main(void)
{
	clocks();
	sleeping();
	interval_timers();
	posix_timers();
	usage();
	return done();
}
