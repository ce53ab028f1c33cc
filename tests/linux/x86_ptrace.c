/* What debuggers see of x86's registers, and change. */
#include "ok.h"
#include "traced.h"
#include <elf.h>
#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>

#if defined __x86_64__ || defined __i386__
#ifdef __x86_64__
#define IP rip
#define SP rsp
#define AX rax
#define DX rdx
#define SI rsi
#define ORIG orig_rax
#define ARG0 rdi
#define FP_SIZE 512
#define ONLY32(holds) 1
#else
#define IP eip
#define SP esp
#define AX eax
#define DX edx
#define SI esi
#define ORIG orig_eax
#define ARG0 ebx
#define FP_SIZE 108
#define ONLY32(holds) (holds)
#endif

static int status;
static int waits(pid_t child) { return waitpid(child, &status, __WALL) == child; }
static int is_stop(int signo) { return WIFSTOPPED(status) && status >> 8 == signo; }
static struct user_regs_struct regs;
static void get(pid_t pid) { memset(&regs, 0, sizeof regs), ptrace(PTRACE_GETREGS, pid, 0, &regs); }
static long user(pid_t pid, size_t at) { errno = 0; return ptrace(PTRACE_PEEKUSER, pid, at, 0); }

static pid_t child(void (*what)(void))
{
	pid_t pid = traced(what);
	waits(pid);
	return pid;
}

/* Registers that are known, then a breakpoint, then what they are. */
static void jumped(void) { _exit(33); }
static void known(void)
{
	static float four[4] = {1, 2, 3, 4};
	unsigned after;
	__asm__ volatile("fninit; fld1; fldpi; movups %1, %%xmm5; mov $0x1234567, %%eax; mov $0x89, %%edx; mov $0x5a, %%esi; stc; int3; sbb %%edx, %%eax; mov %%eax, %0" : "=m"(after) : "m"(four) : "eax", "edx", "esi");
	_exit(after == 0x1234567 - 0x89 - 1 ? 3 : after == 1000 - 0x89 ? 4 : 5);
}

static void steps(void)
{
	static char from[16] = "twelve bytes", to[16];
#ifdef __x86_64__
	__asm__ volatile("int3; nop; nop; mov $3, %%ecx; lea %0, %%rsi; lea %1, %%rdi; rep movsl; nop" : : "m"(from), "m"(to) : "rcx", "rsi", "rdi", "memory");
#else
	__asm__ volatile("int3; nop; nop; mov $3, %%ecx; lea %0, %%esi; lea %1, %%edi; rep movsl; nop" : : "m"(from), "m"(to) : "ecx", "esi", "edi", "memory");
#endif
	_exit(to[11] == 's' ? 8 : 9);
}

static void calls(void)
{
	long r = syscall(SYS_getppid);
	int was = r == -1 ? errno : 0;
	long s = syscall(SYS_close, 12345);
	_exit(was == ENOSYS && s == 777 ? 6 : 7);
}

static void on_general(void)
{
	pid_t pid = child(known);
	ptrace(PTRACE_CONT, pid, 0, 0);
	ok("a breakpoint", waits(pid) && is_stop(SIGTRAP));
	get(pid);
	same("no call is on its way", (int)regs.ORIG, -1);
	ok("general registers", regs.AX == 0x1234567 && regs.DX == 0x89 && regs.SI == 0x5a);
	unsigned short cs, ss;
	__asm__("mov %%cs, %0; mov %%ss, %1" : "=r"(cs), "=r"(ss));
#ifdef __x86_64__
	ok("segments", regs.cs == cs && regs.ss == ss && regs.fs_base);
#else
	ok("segments", (regs.xcs & 0xffff) == cs && (regs.xss & 0xffff) == ss && (regs.xds & 0xffff) == ss && regs.xgs & 0xffff);
#endif
	same("EFLAGS", regs.eflags & 0xcd5 & 1, 1);
	ok("interrupts are on", regs.eflags & 0x200);
	long word = ptrace(PTRACE_PEEKTEXT, pid, regs.IP - 1, 0);
	same("where it stands: behind INT3", word & 0xff, 0xcc);
	same("a word", user(pid, offsetof(struct user_regs_struct, AX)), 0x1234567);
	same("a word behind registers", user(pid, sizeof regs + 8), 0);
	ok("beyond all words", user(pid, 4096) == -1 && errno == EIO);
	ok("half a word", user(pid, 2) == -1 && errno == EIO);
	same("a debug register", user(pid, offsetof(struct user, u_debugreg[7])), 0);
	same("that stays as it is", ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg[7]), 0), 0);
	same("what is no register", ptrace(PTRACE_POKEUSER, pid, sizeof regs + 8, 1), ONLY32(0) ? -1 : 0);
	same("a word is written", ptrace(PTRACE_POKEUSER, pid, offsetof(struct user_regs_struct, AX), 1000), 0);
	get(pid);
	regs.eflags &= ~1;
	same("and all of them", ptrace(PTRACE_SETREGS, pid, 0, &regs), 0);
	struct iovec io = {&regs, sizeof regs};
	ok("so they are a set", ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &io) == 0 && io.iov_len == sizeof regs && regs.AX == 1000 && !(regs.eflags & 1));
	ptrace(PTRACE_CONT, pid, 0, 0);
	ok("it goes on with them", waits(pid) && WIFEXITED(status) && WEXITSTATUS(status) == 4);
	pid = child(known);
	get(pid);
	regs.IP = (uintptr_t)jumped;
	regs.SP = (regs.SP & ~15) - 128 - sizeof(long);
	ptrace(PTRACE_SETREGS, pid, 0, &regs), ptrace(PTRACE_CONT, pid, 0, 0);
	ok("somewhere else", waits(pid) && WIFEXITED(status) && WEXITSTATUS(status) == 33);
}

static void on_vectors(void)
{
	static unsigned char fp[FP_SIZE], state[4096], tls[48];
	pid_t pid = child(known);
	ptrace(PTRACE_CONT, pid, 0, 0), waits(pid);
	same("x87's registers", ptrace(PTRACE_GETFPREGS, pid, 0, fp), 0);
	ok("pi and one", FP_SIZE == 512 ? fp[32 + 9] == 0x40 && fp[32 + 7] == 0xc9 && fp[48 + 9] == 0x3f && fp[48 + 7] == 0x80 : fp[28 + 9] == 0x40 && fp[28 + 7] == 0xc9 && fp[38 + 9] == 0x3f);
	ok("control, status, tags", fp[0] == 0x7f && fp[1] == 3);
	struct iovec io = {state, sizeof state};
	same("all of the state", ptrace(PTRACE_GETREGSET, pid, NT_X86_XSTATE, &io), 0);
	float four[4];
	memcpy(four, state + 160 + 5 * 16, 16);
	ok("SSE's", io.iov_len >= 576 && four[0] == 1 && four[3] == 4);
	ok("what is enabled", (state[464] & 3) == 3 && (state[512] & 3) == 3);
	four[0] = 9, memcpy(state + 160 + 5 * 16, four, 16);
	same("is written", ptrace(PTRACE_SETREGSET, pid, NT_X86_XSTATE, &io), 0);
	memset(state, 0, sizeof state);
	ptrace(PTRACE_GETREGSET, pid, NT_X86_XSTATE, &io);
	memcpy(four, state + 160 + 5 * 16, 16);
	ok("and read", four[0] == 9 && four[1] == 2 && state[41] == 0x40);
	memset(state + 24, 0xff, 4);
	fails("a bit of MXCSR that is reserved", ptrace(PTRACE_SETREGSET, pid, NT_X86_XSTATE, &io), EINVAL);
	same("x87's are written", ptrace(PTRACE_SETFPREGS, pid, 0, fp), 0);
	io = (struct iovec){tls, sizeof tls};
	ok("a thread's descriptors", ONLY32(ptrace(PTRACE_GETREGSET, pid, 0x200, &io) == 0 && io.iov_len == 48 && tls[0] == 12 && tls[16] == 13));
	unsigned desc[4] = {0};
	ok("one of them", ONLY32(ptrace(25, pid, 12, desc) == 0 && desc[0] == 12));
	ok("one that is none", ONLY32(ptrace(25, pid, 77, desc) == -1 && errno == EINVAL));
	ok("SSE's for 32-bit programs", ONLY32(ptrace(18, pid, 0, state) == 0 && state[160 + 5 * 16 + 7] == 0x40));
	ptrace(PTRACE_CONT, pid, 0, 0);
	ok("that was all", waits(pid) && WIFEXITED(status) && WEXITSTATUS(status) == 3);
}

static void on_steps(void)
{
	siginfo_t si;
	pid_t pid = child(steps);
	ptrace(PTRACE_CONT, pid, 0, 0), waits(pid);
	get(pid);
	unsigned long at = regs.IP;
	ptrace(PTRACE_SINGLESTEP, pid, 0, 0);
	ok("a step", waits(pid) && is_stop(SIGTRAP));
	get(pid);
	same("of one instruction", regs.IP, at + 1);
	ok("is told", ptrace(PTRACE_GETSIGINFO, pid, 0, &si) == 0 && si.si_code == TRAP_TRACE && si.si_addr == (void *)(at + 1));
	ok("no flag shows it", !(regs.eflags & 0x100));
	int n = 0, moving = 0;
	for (unsigned long last = at; n < 20; n++, last = regs.IP) {
		ptrace(PTRACE_SINGLESTEP, pid, 0, 0), waits(pid), get(pid);
		moving += regs.IP == last;
		if (moving && regs.IP != last)
			break;
	}
	ok("a repeated one step by step", moving >= 2);
	ptrace(PTRACE_CONT, pid, 0, 0);
	ok("the end", waits(pid) && WIFEXITED(status) && WEXITSTATUS(status) == 8);
}

static void on_calls(void)
{
	pid_t pid = child(calls);
	ptrace(PTRACE_SYSCALL, pid, 0, 0), waits(pid);
	get(pid);
	ok("a call", (int)regs.ORIG == SYS_getppid && (int)regs.AX == -ENOSYS);
	ptrace(PTRACE_POKEUSER, pid, offsetof(struct user_regs_struct, ORIG), -1);
	ptrace(PTRACE_SYSCALL, pid, 0, 0), waits(pid);
	get(pid);
	ok("that is not made", (int)regs.AX == -ENOSYS);
	ptrace(PTRACE_SYSCALL, pid, 0, 0), waits(pid);
	get(pid);
	ok("arguments", (int)regs.ORIG == SYS_close && (int)regs.ARG0 == 12345);
	regs.ORIG = SYS_getpid;
	ptrace(PTRACE_SETREGS, pid, 0, &regs);
	ptrace(PTRACE_SYSCALL, pid, 0, 0), waits(pid);
	get(pid);
	same("another one", (int)regs.AX, pid);
	same("its number", (int)regs.ORIG, SYS_getpid);
	regs.AX = 777;
	ptrace(PTRACE_SETREGS, pid, 0, &regs);
	ptrace(PTRACE_CONT, pid, 0, 0);
	ok("results", waits(pid) && WIFEXITED(status) && WEXITSTATUS(status) == 6);
}

int main(void)
{
	alarm(50);
	on_general();
	on_vectors();
	on_steps();
	on_calls();
	return done();
}
#else
int main(void) { return 0; }
#endif
