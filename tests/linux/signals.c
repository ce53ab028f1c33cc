/* Signals: delivery, siginfo, masks, queues, flags of sigaction, alternate stacks, nesting, restart, waiting. */
#include "ok.h"
#include <pthread.h>
#include <setjmp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>

static volatile int hits, last, depth, deepest;
static volatile siginfo_t seen;
static volatile int order[64], ordered;

static void note(int number) { hits++, last = number; }
static void note_info(int number, siginfo_t *info, void *context)
{
	(void)context;
	hits++, last = number, seen = *info;
	if (ordered < 64)
		order[ordered++] = info->si_value.sival_int;
}

static void handle(int number, void (*handler)(int, siginfo_t *, void *), int flags)
{
	struct sigaction action = {.sa_flags = flags | SA_SIGINFO};
	action.sa_sigaction = handler;
	sigaction(number, &action, NULL);
}

static sigset_t only(int number)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, number);
	return set;
}

static void every_signal(void)
{
	int delivered = 0, tried = 0;
	for (int number = 1; number <= 64; number++) {
		if (number == SIGKILL || number == SIGSTOP || number == 32 || number == 33)
			continue;
		tried++;
		signal(number, note);
		last = 0;
		raise(number);
		delivered += last == number;
		signal(number, SIG_DFL);
	}
	same("every signal is delivered", delivered, tried);
	fails("SIGKILL has no handler", sigaction(SIGKILL, &(struct sigaction){.sa_handler = note}, NULL), EINVAL);
	fails("signal 65", kill(getpid(), 65), EINVAL);
	same("signal 0", kill(getpid(), 0), 0);
}

static void default_actions(void)
{
	static const int fatal[] = {SIGHUP, SIGINT, SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGKILL, SIGUSR1, SIGSEGV, SIGUSR2,
		SIGPIPE, SIGALRM, SIGTERM, SIGSTKFLT, SIGXCPU, SIGXFSZ, SIGVTALRM, SIGPROF, SIGIO, SIGPWR, SIGSYS, 34, 64};
	static const int ignored[] = {SIGCHLD, SIGURG, SIGWINCH, SIGCONT};
	struct rlimit none = {0, 0};
	int right = 0;
	for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++) {
		pid_t child = fork();
		if (child == 0) {
			setrlimit(RLIMIT_CORE, &none);
			raise(fatal[i]);
			_exit(1);
		}
		right += ended(child) == -fatal[i];
	}
	same("fatal signals", right, sizeof fatal / sizeof *fatal);
	for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
		raise(ignored[i]);
	ok("ignored signals", 1);
	/* The child ends only when told to: one that has ended is no longer reported as continued. */
	int status, told[2];
	char byte;
	pipe(told);
	pid_t child = fork();
	if (child == 0) {
		raise(SIGSTOP);
		_exit(read(told[0], &byte, 1) == 1 ? 5 : 6);
	}
	waitpid(child, &status, WUNTRACED);
	ok("stopped", WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	if (child > 0)
		kill(child, SIGCONT);
	waitpid(child, &status, WCONTINUED);
	ok("continued", WIFCONTINUED(status));
	write(told[1], "", 1);
	same("and ended", ended(child), 5);
	close(told[0]);
	close(told[1]);
}

static void siginfo(void)
{
	handle(SIGUSR1, note_info, 0);
	kill(getpid(), SIGUSR1);
	ok("siginfo of kill", seen.si_signo == SIGUSR1 && seen.si_code == SI_USER && seen.si_pid == getpid() && seen.si_uid == getuid());
	raise(SIGUSR1);
	ok("siginfo of raise", seen.si_code == SI_TKILL && seen.si_pid == getpid());
	sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 0x12345678});
	ok("siginfo of sigqueue", seen.si_code == SI_QUEUE && seen.si_value.sival_int == 0x12345678 && seen.si_pid == getpid());

	sigset_t both = only(SIGRTMIN + 1);
	sigaddset(&both, SIGRTMIN + 2);
	handle(SIGRTMIN + 1, note_info, 0);
	handle(SIGRTMIN + 2, note_info, 0);
	sigprocmask(SIG_BLOCK, &both, NULL);
	ordered = 0;
	for (int i = 0; i < 4; i++) {
		sigqueue(getpid(), SIGRTMIN + 2, (union sigval){.sival_int = 20 + i});
		sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 10 + i});
	}
	sigprocmask(SIG_UNBLOCK, &both, NULL);
	/* The kernel stacks the frames: the handler of the highest number is entered last and so runs first. */
	int queued = ordered, rising = 1;
	for (int i = 0; i < ordered; i++)
		for (int j = i + 1; j < ordered; j++)
			if (order[i] / 10 == order[j] / 10 && order[i] > order[j])
				rising = 0;
	same("real-time signals queue", queued, 8);
	ok("and keep their order", rising);

	sigset_t usr2 = only(SIGUSR2), pending;
	handle(SIGUSR2, note_info, 0);
	sigprocmask(SIG_BLOCK, &usr2, NULL);
	hits = 0;
	for (int i = 0; i < 5; i++)
		raise(SIGUSR2);
	sigpending(&pending);
	ok("a blocked signal is pending", hits == 0 && sigismember(&pending, SIGUSR2));
	sigprocmask(SIG_UNBLOCK, &usr2, NULL);
	same("ordinary signals do not queue", hits, 1);

	pid_t child = fork();
	if (child == 0)
		_exit(33);
	handle(SIGCHLD, note_info, 0);
	ok("child", ended(child) == 33);
	while ((child = fork()) == 0)
		_exit(44);
	siginfo_t info;
	memset(&info, 0, sizeof info);
	waitid(P_PID, child, &info, WEXITED | WNOWAIT);
	ok("waitid", info.si_signo == SIGCHLD && info.si_code == CLD_EXITED && info.si_status == 44 && info.si_pid == child);
	ended(child);
	ok("siginfo of SIGCHLD", seen.si_signo == SIGCHLD && seen.si_code == CLD_EXITED && seen.si_status == 44 && seen.si_pid == child);
	signal(SIGCHLD, SIG_DFL);
}

static void *raise_here(void *seen_from)
{
	raise(SIGUSR1);
	*(pid_t *)seen_from = seen.si_pid;
	return NULL;
}

/* A thread that sends to itself has the signal before the call returns, and tells who it is then. */
static void to_self(void)
{
	handle(SIGUSR1, note_info, 0);
	hits = 0;
	same("tgkill", syscall(SYS_tgkill, getpid(), getpid(), SIGUSR1), 0);
	ok("is there when it returns", hits == 1 && seen.si_code == SI_TKILL && seen.si_pid == getpid() && seen.si_uid == getuid());
	same("tkill", syscall(SYS_tkill, getpid(), SIGUSR1), 0);
	ok("too", hits == 2 && seen.si_code == SI_TKILL && seen.si_pid == getpid());
	fails("not of this process", syscall(SYS_tgkill, getppid(), getpid(), SIGUSR1), ESRCH);
	fails("no process", syscall(SYS_tgkill, -1, getpid(), SIGUSR1), EINVAL);
	fails("no such signal", syscall(SYS_tgkill, getpid(), getpid(), 65), EINVAL);
	same("no signal", syscall(SYS_tgkill, getpid(), getpid(), 0), 0);
	same("none of these came", hits, 2);
	pid_t child = fork();
	if (child == 0) {
		raise(SIGUSR1);
		_exit(hits == 3 && seen.si_pid == getpid() ? 7 : 8);
	}
	same("a child sends to itself", ended(child), 7);
	child = vfork();
	if (child == 0) {
		raise(SIGUSR1);
		_exit(seen.si_pid == getpid() ? 7 : 8);
	}
	same("a child in its parent's memory", ended(child), 7);
	pid_t from = 0;
	pthread_t thread;
	pthread_create(&thread, NULL, raise_here, &from);
	pthread_join(thread, NULL);
	ok("a thread's process", from == getpid() && hits == 4);
}

static void nest(int number)
{
	if (++depth > deepest)
		deepest = depth;
	if (depth < 20)
		raise(number);
	depth--;
}

static volatile int masked_inside;
static void look_at_mask(int number)
{
	sigset_t mask;
	sigprocmask(SIG_BLOCK, NULL, &mask);
	masked_inside = sigismember(&mask, number) + 2 * sigismember(&mask, SIGHUP) + 4 * sigismember(&mask, SIGWINCH);
}

static void flags(void)
{
	struct sigaction action = {.sa_handler = nest, .sa_flags = SA_NODEFER}, old;
	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
	same("SA_NODEFER nests", deepest, 20);
	action = (struct sigaction){.sa_handler = look_at_mask, .sa_mask = only(SIGHUP)};
	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
	same("the handler's mask", masked_inside, 3);
	action = (struct sigaction){.sa_handler = note, .sa_flags = SA_RESETHAND};
	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
	sigaction(SIGUSR1, NULL, &old);
	ok("SA_RESETHAND", old.sa_handler == SIG_DFL);
	action = (struct sigaction){.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT};
	sigaction(SIGCHLD, &action, NULL);
	pid_t child = fork();
	if (child == 0)
		_exit(0);
	fails("SA_NOCLDWAIT", waitpid(child, NULL, 0), ECHILD);
	signal(SIGCHLD, SIG_DFL);
}

static char stack[4 * 65536];
static volatile int on_stack, stack_flags;
static void where(int number)
{
	char local;
	stack_t now;
	(void)number;
	sigaltstack(NULL, &now);
	on_stack = &local > stack && &local < stack + sizeof stack;
	stack_flags = now.ss_flags;
}

static sigjmp_buf out;
static void leave(int number) { siglongjmp(out, number); }
/* ends by its signal alone */
static int overflow(int n)
{
	volatile char room[4096];
	room[0] = (char)n;
	return n < 0 ? 0 : overflow(n + 1) + room[0];
}

static void alternate_stack(void)
{
	stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack}, old;
	same("sigaltstack", sigaltstack(&alternate, NULL), 0);
	struct sigaction action = {.sa_handler = where, .sa_flags = SA_ONSTACK};
	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
	ok("the handler is on the alternate stack", on_stack && stack_flags == SS_ONSTACK);
	action.sa_flags = 0;
	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
	ok("and without the flag is not", !on_stack);
	action = (struct sigaction){.sa_handler = leave, .sa_flags = SA_ONSTACK};
	sigaction(SIGSEGV, &action, NULL);
	struct rlimit small = {1 << 20, 1 << 20};
	setrlimit(RLIMIT_STACK, &small);
	int number = sigsetjmp(out, 1);
	if (number == 0)
		overflow(0);
	same("stack overflow is caught", number, SIGSEGV);
	alternate.ss_size = 100;
	fails("a stack too small", sigaltstack(&alternate, NULL), ENOMEM);
	alternate.ss_flags = SS_DISABLE;
	sigaltstack(&alternate, NULL);
	sigaltstack(NULL, &old);
	same("disabled", old.ss_flags, SS_DISABLE);
	signal(SIGSEGV, SIG_DFL);
}

static int pipes[2];

/* What the reader waits for comes from its own handler. */
static void feed(int number)
{
	note(number);
	write(pipes[1], "x", 1);
}

static void interrupted_calls(void)
{
	/* Again and again, for the first may come before the call. */
	struct itimerval soon = {{0, 30000}, {0, 30000}}, once = {{0, 0}, {0, 30000}}, never = {{0, 0}, {0, 0}};
	char c = 0;
	pipe(pipes);
	struct sigaction action = {.sa_handler = note};
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	fails("read is interrupted", read(pipes[0], &c, 1), EINTR);
	setitimer(ITIMER_REAL, &never, NULL);
	action = (struct sigaction){.sa_handler = feed, .sa_flags = SA_RESTART};
	sigaction(SIGALRM, &action, NULL);
	hits = 0;
	setitimer(ITIMER_REAL, &once, NULL);
	same("read is restarted", read(pipes[0], &c, 1), 1);
	ok("after the handler", hits == 1 && c == 'x');
	action = (struct sigaction){.sa_handler = note};
	sigaction(SIGALRM, &action, NULL);
	struct timespec nap = {100, 60000000}, left = {0, 0};
	setitimer(ITIMER_REAL, &soon, NULL);
	fails("nanosleep is interrupted", nanosleep(&nap, &left), EINTR);
	ok("and tells what is left", left.tv_sec >= 50 && left.tv_sec <= 100 && left.tv_nsec < 1000000000);
	fails("pause", pause(), EINTR);
	setitimer(ITIMER_REAL, &never, NULL);
}

static void waiting(void)
{
	sigset_t set = only(SIGUSR1), all, old;
	siginfo_t info;
	sigprocmask(SIG_BLOCK, &set, &old);
	sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 77});
	same("sigwaitinfo", sigwaitinfo(&set, &info), SIGUSR1);
	same("its value", info.si_value.sival_int, 77);
	struct timespec none = {0, 1000000};
	fails("sigtimedwait", sigtimedwait(&set, &info, &none), EAGAIN);
	struct sigaction action = {.sa_handler = note};
	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
	hits = 0;
	sigfillset(&all);
	sigdelset(&all, SIGUSR1);
	fails("sigsuspend", sigsuspend(&all), EINTR);
	sigprocmask(SIG_BLOCK, NULL, &all);
	ok("and the mask is back", hits == 1 && sigismember(&all, SIGUSR1) && !sigismember(&all, SIGHUP));
	sigprocmask(SIG_SETMASK, &old, NULL);
	signal(SIGPIPE, SIG_IGN);
	int pipes[2];
	pipe(pipes);
	close(pipes[0]);
	fails("a broken pipe", write(pipes[1], "x", 1), EPIPE);
	signal(SIGPIPE, SIG_DFL);
}

static volatile sig_atomic_t sent;
static siginfo_t sent_info;

static void on_sent(int number, siginfo_t *info, void *context)
{
	(void)context;
	sent = number;
	sent_info = *info;
}

/* A process may get what faults send, with codes as faults have them, from the exit of a child, a descriptor and itself. */
static void like_faults(void)
{
	static const int numbers[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
	int good = 0, own = 0, descriptor = 0, deadly = 0;
	for (int n = 0; n < 5; n++) {
		handle(numbers[n], on_sent, SA_SIGINFO);
		sent = 0;
		pid_t child = syscall(SYS_clone, numbers[n], 0, 0, 0, 0);
		if (!child)
			_exit(3);
		while (waitpid(child, NULL, __WALL) != child)
			;
		good += sent == numbers[n] && sent_info.si_code == CLD_EXITED && sent_info.si_pid == child;
		siginfo_t info = {.si_signo = numbers[n], .si_code = 1};
		sent = 0;
		own += syscall(SYS_rt_sigqueueinfo, getpid(), numbers[n], &info) == 0 && sent == numbers[n] && sent_info.si_code == 1;
		int pair[2];
		socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
		fcntl(pair[0], F_SETOWN, getpid());
		fcntl(pair[0], F_SETSIG, numbers[n]);
		fcntl(pair[0], F_SETFL, O_ASYNC);
		sent = 0;
		write(pair[1], "x", 1);
		getppid();
		descriptor += sent == numbers[n] && sent_info.si_code == SI_SIGIO && sent_info.si_fd == pair[0];
		close(pair[0]), close(pair[1]);
		signal(numbers[n], SIG_DFL);
		pid_t victim = fork();
		if (!victim) {
			struct rlimit none = {0, 0};
			setrlimit(RLIMIT_CORE, &none);
			syscall(SYS_rt_sigqueueinfo, getpid(), numbers[n], &info);
			pause();
		}
		deadly += ended(victim) == -numbers[n];
	}
	int pair[2];
	handle(SIGRTMIN + 1, on_sent, SA_SIGINFO);
	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	fcntl(pair[0], F_SETOWN, getpid());
	fcntl(pair[0], F_SETSIG, SIGRTMIN + 1);
	fcntl(pair[0], F_SETFL, O_ASYNC);
	sent = 0;
	write(pair[1], "x", 1);
	getppid();
	ok("a real-time signal tells of a descriptor", sent == SIGRTMIN + 1 && sent_info.si_code == POLL_IN && sent_info.si_fd == pair[0]);
	close(pair[0]), close(pair[1]);
	same("signals like faults' from a child's exit", good, 5);
	same("the same from the process itself", own, 5);
	same("the same from a descriptor", descriptor, 5);
	same("the same without a handler", deadly, 5);
}

static void change_mask(int number, siginfo_t *info, void *context)
{
	(void)number, (void)info;
	sigaddset(&((ucontext_t *)context)->uc_sigmask, SIGWINCH);
}

int main(void)
{
	every_signal();
	default_actions();
	siginfo();
	to_self();
	flags();
	alternate_stack();
	interrupted_calls();
	waiting();
	like_faults();
	handle(SIGUSR1, change_mask, 0);
	raise(SIGUSR1);
	sigset_t mask;
	sigprocmask(SIG_BLOCK, NULL, &mask);
	ok("a mask set in the frame", sigismember(&mask, SIGWINCH) && !sigismember(&mask, SIGUSR1));
	return done();
}
