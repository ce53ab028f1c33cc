/* What every program here uses to speak: one line a behaviour, "ok WHAT" where it is Linux's. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int failures;

/* Prints the line of one behaviour. */
__attribute__((unused)) static void ok(const char *what, int holds)
{
	if (holds)
		printf("ok %s\n", what);
	else
		printf("not ok %s (errno %d)\n", what, errno), failures++;
	fflush(stdout);
}

/* The same, with both values where they differ. */
__attribute__((unused)) static void same(const char *what, long long got, long long expected)
{
	if (got == expected)
		printf("ok %s\n", what);
	else
		printf("not ok %s: %lld (0x%llx), not %lld (errno %d)\n", what, got, got, expected, errno), failures++;
	fflush(stdout);
}

/* A call that must fail with this error. */
#define fails(what, call, error) (errno = 0, same(what, (long long)(call) == -1 ? errno : 0, error))

/* What a child did: its exit status, or minus the signal that killed it. */
__attribute__((unused)) static int ended(pid_t child)
{
	int status;
	if (waitpid(child, &status, 0) != child)
		return -1000;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* The program's exit status. */
__attribute__((unused)) static int done(void) { return failures != 0; }
