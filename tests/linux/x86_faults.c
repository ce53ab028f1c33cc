/* What the frame of a handler says of a fault: the processor's error code of a page fault; a bound that is broken. */
#include "ok.h"
#include <setjmp.h>
#include <sys/mman.h>
#include <ucontext.h>

#if defined __x86_64__ || defined __i386__
static sigjmp_buf back;
static volatile int error, code;

static void handler(int signo, siginfo_t *info, void *context)
{
	error = ((ucontext_t *)context)->uc_mcontext.gregs[REG_ERR];
	code = info->si_code;
	siglongjmp(back, signo);
}

/* The signal that an access ends with, or 0. */
#define ENDS(access) ({ int signo = sigsetjmp(back, 1); if (!signo) { access; } signo; })

/* 64-bit code has no BOUND: there it is what it does. */
#ifdef __i386__
#define BOUND(suffix, index, pair) __asm__ volatile("bound" suffix " %0, %1" : : "r"(index), "m"(pair))
#else
#define BOUND(suffix, index, pair) do { if ((index) < (pair)[0] || (index) > (pair)[1]) __asm__ volatile("hlt"); } while (0)
#endif

int main(void)
{
	struct sigaction on = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
	sigaction(SIGSEGV, &on, 0);
	volatile char *page = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	page[0] = 1;
	mprotect((void *)page, 4096, PROT_READ);
	same("a write where none may be", ENDS(page[0] = 2), SIGSEGV);
	same("it is forbidden", code, SEGV_ACCERR);
	same("the page is there", error, 7);
	mprotect((void *)page, 4096, PROT_NONE);
	same("a write where nothing may be", ENDS(page[0] = 2), SIGSEGV);
	same("it is forbidden", code, SEGV_ACCERR);
	same("the page is not there", error, 6);
	same("a read", ENDS((void)page[0]), SIGSEGV);
	same("the page is not there", error, 4);
	munmap((void *)page, 4096);
	same("without a mapping", ENDS((void)page[0]), SIGSEGV);
	same("there is none", code, SEGV_MAPERR);
	same("the page is not there", error, 4);
	static const int wide[2] = {-5, 7};
	static const short narrow[2] = {-5, 7};
	static const struct { int index, signo; } cases[] = {{-5, 0}, {7, 0}, {0, 0}, {-6, SIGSEGV}, {8, SIGSEGV}, {0x10000, SIGSEGV}};
	for (int i = 0; i < 6; i++) {
		same("bound", ENDS(BOUND("l", cases[i].index, wide)), cases[i].signo);
		same("bound of 16 bits", ENDS(BOUND("w", (short)cases[i].index, narrow)), (short)cases[i].index == cases[i].index ? cases[i].signo : 0);
	}
	same("the kernel's own code", code, SI_KERNEL);
	return done();
}
#else
int main(void) { return 0; }
#endif
