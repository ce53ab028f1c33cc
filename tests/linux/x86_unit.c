/* FNSTENV, FNSAVE and FXSAVE where nothing can be written: the frame has the unit as it was, with the address of its last instruction. */
#include "ok.h"
#include <sys/mman.h>
#include <ucontext.h>

#if defined __x86_64__ || defined __i386__
#ifdef __x86_64__
#define IP REG_RIP
#define FX(at) ((unsigned char *)(at)->uc_mcontext.fpregs)
#define LEA(label, to) "lea " label "(%%rip), %%rax; mov %%rax, " to "; "
#else
#define IP REG_EIP
#define FX(at) ((unsigned char *)(at)->uc_mcontext.fpregs + 112)
#define LEA(label, to) "lea " label ", %%eax; mov %%eax, " to "; "
#endif

static volatile uintptr_t divided, stored, next;
static volatile int faults;
static unsigned short control, status;
static unsigned char tags;
static unsigned last;

static void handler(int signo, siginfo_t *info, void *context)
{
	ucontext_t *at = context;
	faults += signo == SIGSEGV && (uintptr_t)at->uc_mcontext.gregs[IP] == stored;
	memcpy(&control, FX(at), 2);
	memcpy(&status, FX(at) + 2, 2);
	tags = FX(at)[4];
	memcpy(&last, FX(at) + 8, 4);
	at->uc_mcontext.gregs[IP] = next;
}

/* A division by zero waits, so that all processors keep its address. */
#define FAULT(insn) do { \
	unsigned short unmasked = 0x37b; \
	faults = 0, last = 0; \
	__asm__ volatile("fninit; fldcw %[unmasked]; " LEA("1f", "%[divided]") LEA("2f", "%[stored]") LEA("3f", "%[next]") \
		"fld1; fldz; 1: fdivrp; 2: " insn "; 3: fninit" \
		: [divided] "=m"(divided), [stored] "=m"(stored), [next] "=m"(next) : [unmasked] "m"(unmasked), [page] "r"(page) : "memory", "eax"); \
	ok(insn " faults once", faults == 1); \
	ok(insn ": exceptions have the masks that they had", (control & 0x3f) == 0x3b); \
	ok(insn ": the exception waits", (status & 0x80ff) == 0x8084 && tags == 0xc0); \
	ok(insn ": the last instruction", last == (unsigned)divided); \
} while (0)

int main(void)
{
	char *page = mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct sigaction on = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
	sigaction(SIGSEGV, &on, 0);
	FAULT("fnstenv (%[page])");
	FAULT("fnsave (%[page])");
	FAULT("fxsave (%[page])");

	unsigned short words[28], unmasked = 0x37b, after;
	__asm__ volatile("fninit; fldcw %[unmasked]; fnstenv %[words]; fnstcw %[after]; fninit"
		: [words] "=m"(words), [after] "=m"(after) : [unmasked] "m"(unmasked));
	ok("fnstenv stores the masks that there were, and sets all", (words[0] & 0x3f) == 0x3b && (after & 0x3f) == 0x3f);
	// One register in use, which becomes the second.
	__asm__ volatile("fninit; fld1; fnstenv %[words]" : [words] "+m"(words));
	words[2] = words[2] & ~0x3800 | 6 << 11, words[4] = 0x1fff;
	double second;
	__asm__ volatile("fldenv %[words]; fincstp; fstpl %[second]; fninit" : [second] "=m"(second) : [words] "m"(words));
	ok("fldenv moves the top, and registers stay", second == 1);
	return done();
}
#else
int main(void) { return 0; }
#endif
