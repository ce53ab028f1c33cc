/* Instructions that trap: the signal, its code, where the program stands, and what the frame says of the exception. Single steps (TF). */
#include "ok.h"
#include <setjmp.h>
#include <sys/mman.h>
#include <ucontext.h>

#if defined __x86_64__ || defined __i386__
#ifdef __x86_64__
#define IP REG_RIP
#define OR_FLAGS "\x48\x81\x0c\x24"
#define AND_FLAGS "\x48\x81\x24\x24"
#define WIDE(narrow, wide) wide
#else
#define IP REG_EIP
#define OR_FLAGS "\x81\x0c\x24"
#define AND_FLAGS "\x81\x24\x24"
#define WIDE(narrow, wide) narrow
#endif
#define START_STEPPING "\x9c" OR_FLAGS "\x00\x01\x00\x00\x9d"
#define STOP_STEPPING "\x9c" AND_FLAGS "\xff\xfe\xff\xff\x9d"
enum { TF = 1 << 8, RF = 1 << 16 };

static uint8_t *page;
static sigjmp_buf back;
static siginfo_t info;
static ucontext_t context;

static void caught(int signo, siginfo_t *i, void *c)
{
	info = *i;
	context = *(ucontext_t *)c;
	siglongjmp(back, signo);
}

/* The signal that the code ends with, or 0. */
static int run(const char *code, int length)
{
	mprotect(page, 4096, PROT_READ | PROT_WRITE | PROT_EXEC);
	memset(page, 0x90, 128);
	memcpy(page, code, length);
	page[length] = 0xc3;
	mprotect(page, 4096, PROT_READ | PROT_EXEC);
	int signo = sigsetjmp(back, 1);
	if (!signo)
		((void (*)(void))page)();
	return signo;
}

static const struct {
	const char *what, *code;
	int length, signo, si_code, ip, vector, error;
} cases[] = {
#define CASE(what, code, ...) {what, code, sizeof code - 1, __VA_ARGS__}
	CASE("ud2", "\x0f\x0b", SIGILL, ILL_ILLOPN, 0, 6, 0),
	CASE("ud1", "\x0f\xb9\xc0", SIGILL, ILL_ILLOPN, 0, 6, 0),
	CASE("ud0", "\x0f\xff\xc0", SIGILL, ILL_ILLOPN, 0, 6, 0),
	CASE("lock of a register", "\xf0\x01\xc0", SIGILL, ILL_ILLOPN, 0, 6, 0),
	CASE("int3", "\xcc", SIGTRAP, SI_KERNEL, 1, 3, 0),
	CASE("int 3", "\xcd\x03", SIGTRAP, SI_KERNEL, 2, 3, 0),
	CASE("int 4", "\xcd\x04", SIGSEGV, SI_KERNEL, 2, 4, 0),
	CASE("int 1", "\xcd\x01", SIGSEGV, SI_KERNEL, 0, 13, 10),
	CASE("int 0", "\xcd\x00", SIGSEGV, SI_KERNEL, 0, 13, 2),
	CASE("int 0xff", "\xcd\xff", SIGSEGV, SI_KERNEL, 0, 13, 2042),
	CASE("hlt", "\xf4", SIGSEGV, SI_KERNEL, 0, 13, 0),
	CASE("cli", "\xfa", SIGSEGV, SI_KERNEL, 0, 13, 0),
	CASE("in", "\xec", SIGSEGV, SI_KERNEL, 0, 13, 0),
	CASE("out", "\xee", SIGSEGV, SI_KERNEL, 0, 13, 0),
	CASE("ins", "\x6c", SIGSEGV, SI_KERNEL, 0, 13, 0),
	CASE("rdmsr", "\x0f\x32", SIGSEGV, SI_KERNEL, 0, 13, 0),
	CASE("a control register", "\x0f\x20\xc0", SIGSEGV, SI_KERNEL, 0, 13, 0),
	CASE("lgdt", "\x0f\x01\x10", SIGSEGV, SI_KERNEL, 0, 13, 0),
	CASE("xsetbv", "\x0f\x01\xd1", SIGSEGV, SI_KERNEL, 0, 13, 0),
	CASE("a return to the kernel's programs", WIDE("\x0f\x35", "\x48\x0f\x07"), SIGSEGV, SI_KERNEL, 0, 13, 0),
	CASE("division by zero", "\x31\xc9\xf7\xf1", SIGFPE, FPE_INTDIV, 2, 0, 0),
	CASE("digits in base 0", WIDE("\x90\x90\xd4\x00", "\x31\xc9\xf7\xf1"), SIGFPE, FPE_INTDIV, 2, 0, 0),
	CASE("overflow", WIDE("\xb0\x7f\x04\x01\xce", "\x90\x90\x90\xcd\x04"), SIGSEGV, SI_KERNEL, 5, 4, 0),
	CASE("no overflow", WIDE("\x31\xc0\xce", "\x31\xc0"), 0, 0, 0, 0, 0),
	CASE("the kernel's memory", WIDE("\xa1\x00\xf0\xff\xff", "\x48\xb8\x00\x00\x00\x00\x00\x80\xff\xff\x8b\x00"), SIGSEGV, SEGV_MAPERR, WIDE(0, 10), 14, WIDE(4, 5)),
	CASE("a selector of nothing", "\xb8\x34\x12\x00\x00\x8e\xc0", SIGSEGV, SI_KERNEL, 5, 13, 0x1234),
	CASE("null for the stack", "\x31\xc0\x8e\xd0", SIGSEGV, SI_KERNEL, 2, 13, 0),
	CASE("a stack of another level", "\xb8\x2a\x00\x00\x00\x8e\xd0", SIGSEGV, SI_KERNEL, 5, 13, 0x28),
	CASE("a far return to nothing", "\x68\x37\x12\x00\x00\x6a\x00" WIDE("\xcb", "\x48\xcb"), SIGSEGV, SI_KERNEL, 7, 13, 0x1234),
	CASE("a far return to data", "\x6a\x2b\x6a\x00" WIDE("\xcb", "\x48\xcb"), SIGSEGV, SI_KERNEL, 4, 13, 0x28),
	CASE("one step", START_STEPPING "\x90" STOP_STEPPING, SIGTRAP, TRAP_TRACE, sizeof START_STEPPING, 1, 0),
	CASE("a step that is a jump", START_STEPPING "\xeb\x02\x90\x90" STOP_STEPPING, SIGTRAP, TRAP_TRACE, sizeof START_STEPPING - 1 + 4, 1, 0),
};

static int steps, most;
static void count(int signo, siginfo_t *i, void *c)
{
	greg_t *regs = ((ucontext_t *)c)->uc_mcontext.gregs;
	steps++;
	if (!(regs[REG_EFL] & TF) || (long)i->si_addr != regs[IP] || i->si_code != TRAP_TRACE)
		most = steps;
}

static int stepped(const char *code, int length)
{
	steps = most = 0;
	run(code, length);
	return steps;
}
#define STEPPED(code) stepped(START_STEPPING code STOP_STEPPING, sizeof(START_STEPPING code STOP_STEPPING) - 1)

/* What programs may see of the kernel's tables. */
static void tables(void)
{
	unsigned long word = -1;
	char table[10];
	__asm__ volatile("smsw %k0" : "+r"(word));
	same("the machine's status", (unsigned)word & 0x33, 0x33);
	__asm__ volatile("str %k0" : "+r"(word));
	same("the task", (unsigned)word, 0x40);
	__asm__ volatile("sldt %k0" : "+r"(word));
	same("no local descriptors", (unsigned)word, 0);
	__asm__ volatile("sgdt %0; sidt %0" : "=m"(table));
	ok("descriptors and gates", 1);
}

int main(void)
{
	page = mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct sigaction on = {.sa_sigaction = caught, .sa_flags = SA_SIGINFO};
	for (int i = 0; i < 4; i++)
		sigaction((int[]){SIGILL, SIGTRAP, SIGFPE, SIGSEGV}[i], &on, 0);
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		int signo = run(cases[i].code, cases[i].length);
		same(cases[i].what, signo, cases[i].signo);
		if (!signo)
			continue;
		greg_t *regs = context.uc_mcontext.gregs;
		same("its code", info.si_code, cases[i].si_code);
		same("its place", regs[IP] - (long)page, cases[i].ip);
		same("its vector", regs[REG_TRAPNO], cases[i].vector);
		same("its error code", regs[REG_ERR], cases[i].error);
		same("a fault comes back", !!(regs[REG_EFL] & RF), signo != SIGTRAP && cases[i].vector != 4);
		same("steps", !!(regs[REG_EFL] & TF), cases[i].si_code == TRAP_TRACE && signo == SIGTRAP);
	}
	on.sa_sigaction = count;
	sigaction(SIGTRAP, &on, 0);
	same("three instructions to stop", STEPPED(""), 3);
	same("the last of them does not step", most, 3);
	same("two jumps, one taken", STEPPED("\x31\xc0\x75\x00\x74\x00"), 6);
	same("a call and a return", STEPPED("\xe8\x02\x00\x00\x00\xeb\x01\xc3"), 6);
	same("a system call, and what is behind it", STEPPED(WIDE("\xb8\x14\x00\x00\x00\xcd\x80\x90", "\xb8\x27\x00\x00\x00\x0f\x05\x90")), 5);
	tables();
	return done();
}
#else
int main(void) { return 0; }
#endif
