/* What the frame of a handler says of a fault: the processor's error code of a page fault; a bound that is broken. */
#include "ok.h"
#include <setjmp.h>
#include <sys/mman.h>
#include <ucontext.h>

#if defined __x86_64__ || defined __i386__
static sigjmp_buf back;
static volatile int error, code, vector;

static void handler(int signo, siginfo_t *info, void *context)
{
	error = ((ucontext_t *)context)->uc_mcontext.gregs[REG_ERR];
	vector = ((ucontext_t *)context)->uc_mcontext.gregs[REG_TRAPNO];
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

/* An access with RAX, RBP and, if it sets it so, RSP where no address is: as signal and exception. 32-bit code can form all addresses. */
#ifdef __x86_64__
#define NOWHERE(access) ({ \
	int signo = sigsetjmp(back, 1); \
	if (!signo) \
		__asm__ volatile("mov %%rsp, %%r15\n mov %%rbp, %%r14\n mov %0, %%rbp\n mov %0, %%rax\n" access "\n mov %%r14, %%rbp\n mov %%r15, %%rsp" \
			: : "r"(1ul << 63) : "rax", "rcx", "rsi", "r14", "r15", "memory"); \
	signo * 100 + vector; })
#else
#define NOWHERE(access) 0
#endif

static void nowhere(void)
{
	static char stack[1 << 16];
	stack_t other = {.ss_sp = stack, .ss_size = sizeof stack};
	sigaltstack(&other, 0);
	int data = sizeof(long) == 8 ? SIGSEGV * 100 + 13 : 0, of_stack = sizeof(long) == 8 ? SIGBUS * 100 + 12 : 0;
	same("an address that is none", NOWHERE("mov (%%rax), %%ecx"), data);
	same("with RBP as its base", NOWHERE("mov 8(%%rbp), %%ecx"), of_stack);
	same("for an addition", NOWHERE("lock incl 8(%%rbp,%%rsi)"), of_stack);
	same("for a vector", NOWHERE("movaps (%%rbp), %%xmm0"), of_stack);
	same("for one that is not aligned", NOWHERE("movaps 8(%%rbp), %%xmm0"), data);
	same("for one that need not be", NOWHERE("movups 8(%%rbp), %%xmm0"), of_stack);
	same("for the unit", NOWHERE("fldl (%%rbp)"), of_stack);
	same("in another segment", NOWHERE("mov %%fs:(%%rbp), %%ecx"), data);
	same("with a prefix that is none", NOWHERE(".byte 0x3e\n mov (%%rbp), %%ecx"), of_stack);
	same("and with that of the stack", NOWHERE(".byte 0x36\n mov (%%rax), %%ecx"), data);
	same("by RSP", NOWHERE("mov %%rax, %%rsp\n mov (%%rsp), %%rcx"), of_stack);
	same("a push", NOWHERE("mov %%rax, %%rsp\n push %%rcx"), of_stack);
	same("a call", NOWHERE("mov %%rax, %%rsp\n call *%%rcx"), of_stack);
	same("a return", NOWHERE("mov %%rax, %%rsp\n ret"), of_stack);
	same("LEAVE", NOWHERE("leave"), of_stack);
	same("a push of what is nowhere", NOWHERE("push (%%rax)"), data);
	same("a pop from nowhere", NOWHERE("mov %%rax, %%rsp\n pop (%%r15)"), of_stack);
	same("the kernel's own code", code, sizeof(long) == 8 ? SI_KERNEL : 0);
}

int main(void)
{
	struct sigaction on = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
	sigaction(SIGSEGV, &on, 0), sigaction(SIGBUS, &on, 0);
	nowhere();
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
