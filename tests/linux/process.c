/* Processes: fork, vfork, clone, exec in its forms, spawn, waiting, groups and sessions, descriptors of processes. */
#include "ok.h"
#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <poll.h>

extern char **environ;
static const char *self;
static volatile int shared_word;

/* What the program does when it was started by itself: prints how, in one line. */
static int child_role(int count, char **arguments)
{
	char path[4096] = "";
	if (strcmp(arguments[1], "report") == 0) {
		printf("%s:", arguments[0]);
		for (int i = 1; i < count; i++)
			printf(" [%s]", arguments[i]);
		printf(" %s %s\n", getenv("MARK") ? getenv("MARK") : "-", getenv("HOME") ? "home" : "no-home");
		return 11;
	}
	if (strcmp(arguments[1], "name") == 0) {
		prctl(PR_GET_NAME, path);
		return printf("%s\n", path), 0;
	}
	if (strcmp(arguments[1], "exe") == 0) {
		ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
		return length > 0 && strcmp(path, arguments[2]) == 0 ? 0 : 1;
	}
	if (strcmp(arguments[1], "signals") == 0) {
		struct sigaction a, b;
		sigset_t mask;
		sigaction(SIGUSR1, NULL, &a), sigaction(SIGUSR2, NULL, &b), sigprocmask(SIG_BLOCK, NULL, &mask);
		return (a.sa_handler == SIG_DFL) + 2 * (b.sa_handler == SIG_IGN) + 4 * sigismember(&mask, SIGHUP) + 8 * sigismember(&mask, SIGINT);
	}
	if (strcmp(arguments[1], "fd") == 0)
		return (fcntl(atoi(arguments[2]), F_GETFD) >= 0) + 2 * (fcntl(atoi(arguments[3]), F_GETFD) >= 0);
	return 99;
}

/* Runs body in a child whose output comes back as text. */
static int output_of(char *text, size_t size, void (*body)(void))
{
	int pipes[2];
	pipe(pipes);
	pid_t child = fork();
	if (child == 0) {
		dup2(pipes[1], 1);
		close(pipes[0]), close(pipes[1]);
		body();
		_exit(98);
	}
	close(pipes[1]);
	size_t length = 0;
	for (ssize_t n; length < size - 1 && (n = read(pipes[0], text + length, size - 1 - length)) > 0;)
		length += (size_t)n;
	text[length] = 0;
	close(pipes[0]);
	return ended(child);
}

static void plain(void) { execl(self, "zero", "report", "a b", "", "c", NULL); }
static void bare(void)
{
	char *arguments[] = {"bare", "report", NULL}, *environment[] = {"MARK=m", NULL};
	execve(self, arguments, environment);
}
static void by_descriptor(void)
{
	char *arguments[] = {"fexecve", "report", NULL}, *environment[] = {NULL};
	fexecve(open(self, O_RDONLY | O_CLOEXEC), arguments, environment);
}
/* A program in memory, whose name is that of its file. */
static void from_memory(void)
{
	char *arguments[] = {"memory", "name", NULL}, bytes[65536];
	int from = open(self, O_RDONLY), to = memfd_create("program", 0);
	for (ssize_t n; (n = read(from, bytes, sizeof bytes)) > 0;)
		write(to, bytes, (size_t)n);
	close(from);
	fexecve(to, arguments, environ);
}
static void by_proc(void) { execl("/proc/self/exe", "proc", "report", NULL); }
static void by_script(void)
{
	char name[] = "scriptXXXXXX", line[4200];
	int fd = mkstemp(name);
	fchmod(fd, 0755);
	dprintf(fd, "#!%s report\nnothing\n", self);
	close(fd);
	snprintf(line, sizeof line, "./%s", name);
	/* the script's name follows the interpreter's argument; print a constant in its place */
	execl(line, line, "x", NULL);
}

static void exec_forms(void)
{
	char text[9000];
	unsetenv("MARK");
	same("execl", output_of(text, sizeof text, plain), 11);
	ok("its arguments", strncmp(text, "zero: [report] [a b] [] [c] - ", 30) == 0);
	same("execve with an environment", output_of(text, sizeof text, bare), 11);
	ok("its environment", strcmp(text, "bare: [report] m no-home\n") == 0);
	same("fexecve", output_of(text, sizeof text, by_descriptor), 11);
	ok("its output", strcmp(text, "fexecve: [report] - no-home\n") == 0);
	same("/proc/self/exe", output_of(text, sizeof text, by_proc), 11);
	ok("its output", strncmp(text, "proc: [report] - ", 17) == 0);
	same("a script", output_of(text, sizeof text, by_script), 11);
	ok("its arguments", strstr(text, ": [report] [./script") && strstr(text, "] [x] - "));
	fails("exec of nothing", execl("/no/such/file", "x", NULL), ENOENT);
	fails("exec of a folder", execl("/", "x", NULL), EACCES);
	fails("exec of data", ({ int fd = open("data", O_CREAT | O_WRONLY, 0755); write(fd, "\1\2\3\4", 4); close(fd); execl("./data", "data", NULL); }), ENOEXEC);
	fails("exec of a file without the right", ({ chmod("data", 0644); execl("./data", "data", NULL); }), EACCES);
	char big[200000];
	memset(big, 'x', sizeof big - 1);
	big[sizeof big - 1] = 0;
	fails("an argument too long", execl(self, "x", big, NULL), E2BIG);
}

static int execute_at(int dir, const char *path, int flags)
{
	char *arguments[] = {"at", "report", NULL};
	return syscall(SYS_execveat, dir, path, arguments, environ, flags);
}

static void exec_at(void)
{
	char text[9000];
	same("a program in memory", output_of(text, sizeof text, from_memory), 0);
	ok("its name", strcmp(text, "memfd:program\n") == 0);
	int script = open("at-script", O_CREAT | O_WRONLY, 0755), folder = open(".", O_RDONLY | O_CLOEXEC);
	dprintf(script, "#!%s report\n", self);
	close(script);
	script = open("at-script", O_RDONLY | O_CLOEXEC);
	fails("a script that its interpreter could not open", execute_at(script, "", AT_EMPTY_PATH), ENOENT);
	fails("one in such a folder", execute_at(folder, "at-script", 0), ENOENT);
	fails("no descriptor", execute_at(-1, "", AT_EMPTY_PATH), EBADF);
	fails("the working directory", execute_at(AT_FDCWD, "", AT_EMPTY_PATH), EACCES);
	fails("flags that are none", execute_at(AT_FDCWD, self, 0x8000), EINVAL);
	/* AT_EXECVE_CHECK, Linux 6.14 */
	same("a program is asked about", execute_at(AT_FDCWD, self, 0x10000), 0);
	same("a script by its descriptor", execute_at(script, "", AT_EMPTY_PATH | 0x10000), 0);
	fails("data without the right", execute_at(AT_FDCWD, "data", 0x10000), EACCES);
	fails("nothing", execute_at(AT_FDCWD, "no-such-file", 0x10000), ENOENT);
	close(script), close(folder);
}

static int exec_status(char *const arguments[])
{
	pid_t child = fork();
	if (child == 0) {
		execv(self, arguments);
		_exit(97);
	}
	return ended(child);
}

static void inheritance(void)
{
	char a[16], b[16];
	int kept = open("/dev/null", O_RDONLY), closed = open("/dev/null", O_RDONLY | O_CLOEXEC);
	snprintf(a, sizeof a, "%d", kept), snprintf(b, sizeof b, "%d", closed);
	same("close on exec", exec_status((char *[]){"x", "fd", a, b, NULL}), 1);
	signal(SIGUSR1, (void (*)(int))child_role);
	signal(SIGUSR2, SIG_IGN);
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	same("signals over exec", exec_status((char *[]){"x", "signals", NULL}), 7);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	signal(SIGUSR1, SIG_DFL);
	same("/proc/self/exe after exec", exec_status((char *[]){"x", "exe", (char *)self, NULL}), 0);
}

static void vforks(void)
{
	volatile int local = 0;
	pid_t child = vfork();
	if (child == 0) {
		local = 5, shared_word = 6;
		_exit(7);
	}
	same("vfork", ended(child), 7);
	ok("vfork shares memory", local == 5 && shared_word == 6);
	child = vfork();
	if (child == 0) {
		execl("/no/such/file", "x", NULL);
		shared_word = errno;
		_exit(1);
	}
	ended(child);
	same("an error in a vfork child", shared_word, ENOENT);
	child = vfork();
	if (child == 0) {
		execl(self, "x", "signals", NULL);
		_exit(96);
	}
	ok("exec from vfork", ended(child) < 16);
}

static void spawns(void)
{
	pid_t child = 0;
	same("posix_spawn of nothing", posix_spawn(&child, "/no/such/file", NULL, NULL, (char *[]){"x", NULL}, environ), ENOENT);
	posix_spawn_file_actions_t actions;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 1, "spawned", O_WRONLY | O_CREAT | O_TRUNC, 0600);
	same("posix_spawn", posix_spawn(&child, self, &actions, NULL, (char *[]){"spawn", "report", NULL}, (char *[]){NULL}), 0);
	same("its status", ended(child), 11);
	char text[100] = "";
	read(open("spawned", O_RDONLY), text, 99);
	ok("its output", strcmp(text, "spawn: [report] - no-home\n") == 0);
	same("system", system("exit 9"), 9 << 8);
	FILE *pipe = popen("echo from a shell", "r");
	ok("popen", fgets(text, sizeof text, pipe) && strcmp(text, "from a shell\n") == 0 && pclose(pipe) == 0);
}

static int cloned(void *argument) { return ++*(int *)argument; }
static char stack[65536] __attribute__((aligned(16)));

static void clones(void)
{
	int word = 40;
	same("clone shares memory", ended(clone(cloned, stack + sizeof stack, CLONE_VM | SIGCHLD, &word)), 41);
	same("its store", word, 41);
	same("clone without", ended(clone(cloned, stack + sizeof stack, SIGCHLD, &word)), 42);
	same("no store", word, 41);
	pid_t tid = 0;
	long child = syscall(SYS_clone, CLONE_PARENT_SETTID | SIGCHLD, 0, &tid, 0, 0);
	if (child == 0)
		_exit(1);
	ok("CLONE_PARENT_SETTID", ended((pid_t)child) == 1 && tid == child);
	int (*unwaited)(void *) = cloned;
	child = clone(unwaited, stack + sizeof stack, CLONE_VM | CLONE_FILES, &word);
	same("__WCLONE", waitpid((pid_t)child, &(int){0}, __WCLONE), child);
}

static void waits(void)
{
	int status;
	siginfo_t info;
	pid_t child = fork();
	if (child == 0)
		_exit(300);
	same("an exit status is a byte", ended(child), 44);
	fails("no child", wait(&status), ECHILD);
	if ((child = fork()) == 0)
		for (;;)
			pause();
	same("WNOHANG", waitpid(child, &status, WNOHANG), 0);
	/* (Minus one is everybody.) */
	if (child > 0)
		kill(child, SIGKILL);
	memset(&info, 0, sizeof info);
	waitid(P_PID, (id_t)child, &info, WEXITED);
	ok("waitid of a killed child", info.si_code == CLD_KILLED && info.si_status == SIGKILL);
	if ((child = fork()) == 0)
		_exit(6);
	struct rusage usage;
	ok("wait4", wait4(child, &status, 0, &usage) == child && WEXITSTATUS(status) == 6);
	if ((child = fork()) == 0) {
		usleep(20000);
		_exit(8);
	}
	int fd = (int)syscall(SYS_pidfd_open, child, 0);
	struct pollfd poll_for = {.fd = fd, .events = POLLIN};
	ok("pidfd", fd >= 0 && poll(&poll_for, 1, 20000) == 1);
	same("pidfd_send_signal", syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0), 0);
	memset(&info, 0, sizeof info);
	same("waitid of a pidfd", waitid(P_PIDFD, (id_t)fd, &info, WEXITED) ?: info.si_status, 8);
}

static void groups(void)
{
	pid_t child = fork();
	if (child == 0) {
		int right = setsid() == getpid() && getsid(0) == getpid() && getpgrp() == getpid() && setpgid(0, 0) == -1 && errno == EPERM;
		_exit(right);
	}
	same("setsid", ended(child), 1);
	child = fork();
	if (child == 0) {
		setpgid(0, 0);
		for (;;)
			pause();
	}
	setpgid(child, child);
	ok("setpgid", getpgid(child) == child);
	killpg(child, SIGTERM);
	same("killpg", ended(child), -SIGTERM);
	same("an orphan's parent", ({
		int pipes[2];
		pid_t parent = 0;
		pipe(pipes);
		prctl(PR_SET_CHILD_SUBREAPER, 1);
		if ((child = fork()) == 0) {
			pid_t original = getpid();
			if (fork() == 0) {
				while ((parent = getppid()) == original)
					usleep(1000);
				write(pipes[1], &parent, sizeof parent);
				_exit(0);
			}
			_exit(0);
		}
		ended(child);
		read(pipes[0], &parent, sizeof parent);
		wait(NULL);
		parent;
	}), getpid());
	same("PR_SET_PDEATHSIG", ({
		int pipes[2], status = 0;
		pipe(pipes);
		if ((child = fork()) == 0) {
			pid_t grandchild = fork();
			if (grandchild == 0) {
				prctl(PR_SET_PDEATHSIG, SIGUSR1);
				write(pipes[1], "x", 1);
				for (;;)
					pause();
			}
			read(pipes[0], &status, 1);
			_exit(0);
		}
		ended(child);
		wait(&status);
		WTERMSIG(status);
	}), SIGUSR1);
}

static volatile int running = 1;
static void *allocate(void *unused)
{
	while (running)
		free(malloc((size_t)(rand() % 5000)));
	return unused;
}

static void fork_under_threads(void)
{
	pthread_t thread[4];
	int right = 0;
	for (int i = 0; i < 4; i++)
		pthread_create(&thread[i], NULL, allocate, NULL);
	for (int i = 0; i < 60; i++) {
		pid_t child = fork();
		if (child == 0) {
			free(malloc(3000));
			DIR *tasks = opendir("/proc/self/task");
			int count = 0;
			while (readdir(tasks))
				count++;
			_exit(count);
		}
		right += ended(child) == 3;
	}
	running = 0;
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	same("fork beside running threads", right, 60);
}

static void *exit_group(void *unused) { exit(13); return unused; }
static void *exec_here(void *unused) { execl(self, "x", "report", NULL); return unused; }
static void ends_of_threads(void)
{
	pid_t child = fork();
	pthread_t thread;
	if (child == 0) {
		pthread_create(&thread, NULL, exit_group, NULL);
		for (;;)
			pause();
	}
	same("exit from a thread", ended(child), 13);
	child = fork();
	if (child == 0) {
		dup2(open("/dev/null", O_WRONLY), 1);
		pthread_create(&thread, NULL, allocate, NULL);
		pthread_create(&thread, NULL, exec_here, NULL);
		for (;;)
			pause();
	}
	same("exec from a thread", ended(child), 11);
	child = fork();
	if (child == 0) {
		running = 1;
		pthread_create(&thread, NULL, allocate, NULL);
		abort();
	}
	same("abort beside a thread", ended(child), -SIGABRT);
}

int main(int count, char **arguments)
{
	static char path[4096];
	if (count > 1)
		return child_role(count, arguments);
	readlink("/proc/self/exe", path, sizeof path - 1);
	self = path;
	setenv("HOME", "/", 1);
	exec_forms();
	exec_at();
	inheritance();
	vforks();
	spawns();
	clones();
	waits();
	groups();
	fork_under_threads();
	struct rlimit none = {0, 0};
	setrlimit(RLIMIT_CORE, &none);
	ends_of_threads();
	return done();
}
