/* Where the stack pointer is in a handler's frame when an instruction among pushes and pops faults or traps. */
#include "ok.h"
#include <setjmp.h>
#include <sys/mman.h>
#include <ucontext.h>

#if defined __x86_64__ || defined __i386__
#ifdef __x86_64__
#define SP "%%rsp"
#define AX "%%rax"
#define BX "%%rbx"
#define CX "%%rcx"
enum { REG = REG_RSP };
#else
#define SP "%%esp"
#define AX "%%eax"
#define BX "%%ebx"
#define CX "%%ecx"
enum { REG = REG_ESP };
#endif

static sigjmp_buf back;
static volatile long found;
static volatile long before;

static void handler(int signo, siginfo_t *info, void *context)
{
	(void)info;
	found = ((ucontext_t *)context)->uc_mcontext.gregs[REG];
	siglongjmp(back, signo);
}

/* What the code ends with, by a jump of the handler's. */
#define RUN(code) ({ \
	int signo = sigsetjmp(back, 1); \
	if (!signo) \
		__asm__ volatile("mov " SP ", %0\n xor " CX ", " CX "\n" code : "=m"(before) : "r"(bad) : "eax", "ebx", "ecx", "edx", "memory", "cc"); \
	signo; })

/* So many bytes lower than before. */
#define LOWER(what, code, signo, by) do { \
	same(what, RUN(code), signo); \
	same("there the stack pointer is", before - found, by); \
} while (0)

#define PUSH "push " AX "\n"
#define POP "pop " AX "\n"
#define READ "mov (%1), %%al\n"

int main(void)
{
	enum { W = sizeof(long) };
	static char other[65536];
	stack_t stack = {.ss_sp = other, .ss_size = sizeof other};
	sigaltstack(&stack, 0);
	struct sigaction on = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
	sigaction(SIGSEGV, &on, 0);
	sigaction(SIGFPE, &on, 0);
	sigaction(SIGILL, &on, 0);
	sigaction(SIGTRAP, &on, 0);
	char *bad = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mprotect(bad, 4096, PROT_NONE);
	for (int round = 0; round < 3; round++) {
		LOWER("an access after two pushes", PUSH PUSH READ, SIGSEGV, 2 * W);
		LOWER("after as many pops", PUSH PUSH POP POP READ, SIGSEGV, 0);
		LOWER("after a frame was made", PUSH "sub $40, " SP "\n" PUSH READ, SIGSEGV, 2 * W + 40);
		LOWER("and given back in part", "sub $40, " SP "\n" PUSH "add $16, " SP "\n" READ, SIGSEGV, W + 24);
		LOWER("behind what the processor says of itself", PUSH "xor %%eax, %%eax\n mov %1, " AX "\n push " AX "\n xor %%eax, %%eax\n cpuid\n pop " AX "\n mov (" AX "), %%al\n", SIGSEGV, W);
		LOWER("with the unit in between", PUSH "fldz\n fstp %%st(0)\n" PUSH "fldz\n fstp %%st(0)\n" READ, SIGSEGV, 2 * W);
		LOWER("behind a branch", PUSH "stc\n jc 1f\n nop\n 1:" PUSH READ, SIGSEGV, 2 * W);
		LOWER("a division by zero", PUSH PUSH "xor %%edx, %%edx\n div %%ecx\n", SIGFPE, 2 * W);
		LOWER("what is no instruction", PUSH "ud2\n", SIGILL, W);
		LOWER("a breakpoint", PUSH PUSH PUSH "int3\n", SIGTRAP, 3 * W);
		LOWER("a stack pointer kept meanwhile", "mov " SP ", " BX "\n" PUSH PUSH "mov " BX ", " SP "\n" PUSH READ, SIGSEGV, W);
		LOWER("a pushed stack pointer", "push " SP "\n" "pop " BX "\n" "mov " BX ", " SP "\n" PUSH READ, SIGSEGV, W);
		LOWER("an address on the stack", PUSH PUSH "lea 5(" SP "), " BX "\n" "sub " SP ", " BX "\n add " BX ", " SP "\n" READ, SIGSEGV, 2 * W - 5);
		same("an aligned stack", RUN(PUSH "and $-64, " SP "\n" PUSH READ), SIGSEGV);
		same("there the stack pointer is", found, ((before - W) & -64) - W);
		same("a push where no stack is", RUN("lea 4096(%1), " SP "\n add $8, " SP "\n" PUSH PUSH PUSH), SIGSEGV);
		same("there the stack pointer is", found - (long)bad, 4096);
	}
	return done();
}
#else
int main(void) { return 0; }
#endif
