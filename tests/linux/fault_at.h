/* Where a program faults: the handler notes the address and goes back to where `out` was set. */
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>

static sigjmp_buf out;
static void *volatile fault_at;

static void on_fault(int s, siginfo_t *info, void *context)
{
	(void)s, (void)context;
	fault_at = info->si_addr;
	siglongjmp(out, 1);
}

static void note_faults(void)
{
	struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
	sigaction(SIGSEGV, &action, NULL);
}
