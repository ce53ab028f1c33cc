/* AArch64's guarded pages (BTI), random numbers and pointer authentication, as far as a program sees them. Elsewhere there is nothing to see, and
 * the lines say what would be. */
#include "ok.h"
#include <setjmp.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>

static const char *const kinds[] = {"nop", "bti", "bti c", "bti j", "bti jc", "paciasp"};
static const char *const ways[] = {"ret", "br x16", "blr", "br from a guarded page"};
/* Bit n: a branch of way n may arrive. */
static const int admitted[] = {1, 1, 7, 11, 15, 7};
enum { KINDS = 6, WAYS = 4 };

#ifdef __aarch64__
#include <ucontext.h>
enum { BTI = 0x10, X = PROT_READ | PROT_EXEC };

static sigjmp_buf back;
static int code, btype;
static void *at;
static void handler(int signo, siginfo_t *info, void *context)
{
	code = info->si_code, at = info->si_addr, btype = ((ucontext_t *)context)->uc_mcontext.pstate >> 10 & 3;
	siglongjmp(back, 1);
}

/* Targets of 16 bytes, then a jump through x9 and a signal handler with a target and without. */
static uint32_t text[] = {
	0xd503201f, 0x52800020, 0xd503201f, 0xd65f03c0, 0xd503241f, 0x52800020, 0xd503201f, 0xd65f03c0,
	0xd503245f, 0x52800020, 0xd503201f, 0xd65f03c0, 0xd503249f, 0x52800020, 0xd503201f, 0xd65f03c0,
	0xd50324df, 0x52800020, 0xd503201f, 0xd65f03c0, 0xd503233f, 0x52800020, 0xd50323bf, 0xd65f03c0,
	0xd503245f, 0xaa0003e9, 0xd61f0120, 0, /* bti c; mov x9, x0; br x9 */
};
static char *page;

/* Goes to the target, which returns 1; BTYPE is the way's number. */
static long arrive(void *target, int way)
{
	register void *x0 asm("x0") = target;
	register char *x2 asm("x2") = page + KINDS * 16;
	switch (way) {
	case 0:
		asm volatile("adr x30, 1f\n ret x0\n 1:" : "+r"(x0)::"x30", "memory");
		break;
	case 1:
		asm volatile("adr x30, 1f\n mov x16, x0\n br x16\n 1:" : "+r"(x0)::"x16", "x30", "memory");
		break;
	case 2:
		asm volatile("blr x0" : "+r"(x0)::"x30", "memory");
		break;
	case 3:
		asm volatile("blr x2" : "+r"(x0), "+r"(x2)::"x9", "x30", "memory");
		break;
	}
	return (long)x0;
}

static uint64_t rndr(void)
{
	uint64_t v, flags;
	asm volatile("cmp xzr, xzr\n mrs %0, s3_3_c2_c4_0\n mrs %1, nzcv" : "=r"(v), "=r"(flags)::"cc");
	return flags ? 0 : v;
}
static uint64_t pacga(uint64_t v)
{
	uint64_t code;
	asm volatile(".arch armv8.3-a\n pacga %0, %1, %2" : "=r"(code) : "r"(v), "r"(v + 1));
	return code;
}

static void guards(int guarded)
{
	struct sigaction act = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_NODEFER};
	sigaction(SIGILL, &act, NULL);
	for (int kind = 0; kind < KINDS; kind++)
		for (int way = 0; way < WAYS; way++) {
			char *target = page + 16 * kind;
			volatile int arrived = 0;
			if (sigsetjmp(back, 1) == 0)
				arrived = arrive(target, way) == 1;
			int may = !guarded || admitted[kind] >> way & 1;
			char what[80];
			snprintf(what, sizeof what, "%s at %s, page %sguarded", ways[way], kinds[kind], guarded ? "" : "un");
			if (!may)
				ok(what, !arrived && code == ILL_ILLOPC && at == target && btype == way);
			else
				ok(what, arrived);
		}
	signal(SIGILL, SIG_DFL);
}

int main(void)
{
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memcpy(page, text, sizeof text);
	ok("announced", (getauxval(AT_HWCAP2) >> 17 & 1) && (getauxval(AT_HWCAP2) >> 16 & 1) && (getauxval(AT_HWCAP) >> 30 & 1));
	mprotect(page, 4096, X);
	__builtin___clear_cache(page, page + 4096);
	guards(0);
	same("guarded", mprotect(page, 4096, X | BTI), 0);
	guards(1);
	same("unguarded again", mprotect(page, 4096, X), 0);
	guards(0);
	mprotect(page, 4096, X | BTI);

	struct sigaction act = {.sa_handler = (void (*)(int))(page + 2 * 16)};
	sigaction(SIGUSR1, &act, NULL);
	same("a handler that is a target", raise(SIGUSR1), 0);
	pid_t child = fork();
	if (child == 0) {
		act.sa_handler = (void (*)(int))page;
		sigaction(SIGUSR1, &act, NULL);
		raise(SIGUSR1);
		_exit(0);
	}
	same("and one that is none", ended(child), -SIGILL);

	uint64_t a = rndr(), b = rndr(), *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ok("random numbers", a && b && a != b);
	if ((child = fork()) == 0) {
		*shared = rndr();
		_exit(0);
	}
	ok("a child has others", ended(child) == 0 && *shared && *shared != rndr());

	uint64_t before = pacga(5);
	ok("codes of data", before == pacga(5) && before != pacga(6) && (uint32_t)before == 0);
	same("keys are kept", prctl(PR_PAC_RESET_KEYS, PR_PAC_APIAKEY, 0, 0, 0), 0);
	ok("those not named", pacga(5) == before);
	same("new keys", prctl(PR_PAC_RESET_KEYS, PR_PAC_APGAKEY, 0, 0, 0), 0);
	ok("give other codes", pacga(5) != before);
	fails("no such key", prctl(PR_PAC_RESET_KEYS, 32, 0, 0, 0), EINVAL);
	return done();
}
#else
static void guards(int guarded)
{
	for (int kind = 0; kind < KINDS; kind++)
		for (int way = 0; way < WAYS; way++)
			printf("ok %s at %s, page %sguarded\n", ways[way], kinds[kind], guarded ? "" : "un");
}

int main(void)
{
	puts("ok announced");
	guards(0);
	puts("ok guarded");
	guards(1);
	puts("ok unguarded again");
	guards(0);
	puts("ok a handler that is a target\nok and one that is none\nok random numbers\nok a child has others\nok codes of data");
	puts("ok keys are kept\nok those not named\nok new keys\nok give other codes\nok no such key");
	return done();
}
#endif
