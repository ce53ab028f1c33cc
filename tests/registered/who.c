/* What a program that the kernel started by a registration knows of itself. With "again" it starts itself once more, as "second". */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <unistd.h>

extern char **environ;

int main(int count, char **arguments)
{
	int ours = 0;
	for (char **e = environ; *e; e++)
		ours += strstr(*e, "QEMU_") != NULL;
	char comm[16];
	prctl(PR_GET_NAME, comm);
	printf("%s|%s|%s|%s|uid %d euid %d secure %lu options %d\n", arguments[0], (char *)getauxval(AT_EXECFN), count > 1 ? arguments[1] : "", comm,
	       (int)getuid(), (int)geteuid(), getauxval(AT_SECURE), ours);
	fflush(stdout);
	if (count > 1 && strcmp(arguments[1], "again") == 0) {
		execl("/proc/self/exe", "-strace", "second", (char *)NULL);
		perror("execl");
		return 1;
	}
	return 0;
}
