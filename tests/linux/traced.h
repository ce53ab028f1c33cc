/* For the programs that trace: a child that stops itself before it goes on. */
#include <signal.h>
#include <sys/ptrace.h>
#include <unistd.h>

static pid_t traced(void (*what)(void))
{
	pid_t pid = fork();
	if (!pid) {
		if (ptrace(PTRACE_TRACEME, 0, 0, 0))
			_exit(90);
		raise(SIGSTOP);
		what();
		_exit(91);
	}
	return pid;
}
