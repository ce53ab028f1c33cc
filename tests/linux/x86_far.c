/* Far returns, IRET and far jumps to 32-bit code and back, which 64-bit programs may do, too: what it computes, calls, faults, and signals in it. */
#define _GNU_SOURCE
#include "ok.h"
#include <sys/mman.h>
#include <ucontext.h>

#if defined __x86_64__ || defined __i386__
/* What both sides know, at an address of 32 bits. */
struct shared {
	unsigned back[2];       /* where the 32-bit code jumps to at its end */
	unsigned cs, sum, pid, adjusted, arguments, round, rounds, after_trap, after_fault, stack;
	char from[16], to[16];
};
enum { CODE = 4096, STACK = 32768, DATA = 36864, SIZE = 40960, CS32 = 0x23, CS64 = 0x33, DS = 0x2b, TURNS = 3000000 };

/* EDI has the struct's address, ESI what is added up. Positions of its own, so that it can be copied. */
__asm__(".pushsection .text\n.code32\n"
	".globl narrow, narrow_end, narrow_trap, narrow_fault\n"
	"narrow: mov $0x2b, %eax; mov %eax, %ds; mov %eax, %es\n"
	"mov %esp, 44(%edi)\n"
	"mov %cs, %eax; movzwl %ax, %eax; mov %eax, 8(%edi)\n"
	/* Opcodes that are prefixes in 64-bit code, or nothing. */
	"mov %esi, %eax; inc %eax; inc %eax; dec %eax; mov %eax, 12(%edi)\n"
	"mov $0x0f, %eax; aaa; movzwl %ax, %eax; mov %eax, 20(%edi)\n"
	"pusha; mov $0, %edi; popa\n"
	"push $40; push $2; call 1f; add $8, %esp; mov %eax, 24(%edi); jmp 2f\n"
	"1: push %ebp; mov %esp, %ebp; mov 8(%ebp), %eax; add 12(%ebp), %eax; leave; ret\n"
	"2: mov $20, %eax; int $0x80; mov %eax, 16(%edi)\n"
	/* Addresses go round the end of 32 bits. */
	"mov $-4, %eax; mov 8(%edi,%eax), %eax; mov %eax, 28(%edi)\n"
	"push %edi; push %esi; lea 48(%edi), %esi; lea 64(%edi), %edi; mov $16, %ecx; rep movsb; pop %esi; pop %edi\n"
	"xor %eax, %eax; mov $3000000, %ecx\n"
	"3: add $3, %eax; dec %ecx; jnz 3b; mov %eax, 32(%edi)\n"
	"narrow_trap: ud2; movl $1, 36(%edi)\n"
	/* Null selects nothing. */
	"xor %eax, %eax; mov %eax, %ds\n"
	"narrow_fault: mov (%edi), %ecx; mov $0x2b, %eax; mov %eax, %ds; movl $1, 40(%edi)\n"
	"ljmp *(%edi)\n"
	"narrow_end:\n"
#ifdef __x86_64__
	".code64\n"
#endif
	".popsection");
extern char narrow[], narrow_end[], narrow_trap[], narrow_fault[];

static char *low;
static volatile struct shared *shared;
static int traps, faults, codes;
#ifdef __x86_64__
static void *saved;
#endif

static void handler(int signo, siginfo_t *info, void *context)
{
	greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
#ifdef __x86_64__
	greg_t *pc = &regs[REG_RIP], cs = regs[REG_CSGSFS] & 0xffff;
#else
	greg_t *pc = &regs[REG_EIP], cs = regs[REG_CS] & 0xffff;
#endif
	char *at = low + CODE - narrow + (signo == SIGILL ? narrow_trap : narrow_fault);
	codes += cs == CS32 && (char *)*pc == at;
	signo == SIGILL ? traps++ : faults++;
	*pc += 2;
}

/* Into the code and out of it again, by a far return or by IRET. */
static void go(int by_iret)
{
	unsigned long entry = (unsigned long)(low + CODE), stack = (unsigned long)(low + STACK);
#ifdef __x86_64__
	__asm__ volatile("push %%rbp; lea 1f(%%rip), %%rax; push %%rax; mov %%rsp, %[saved]\n"
		"test %[iret], %[iret]; jz 2f\n"
		"mov $0x2b, %%eax; push %%rax; push %[stack]; pushf; mov $0x23, %%eax; push %%rax; push %[entry]; iretq\n"
		"2: mov %[stack], %%rsp; mov $0x23, %%eax; push %%rax; push %[entry]; lretq\n"
		"1: pop %%rbp"
		: : [saved] "m"(saved), [iret] "r"(by_iret), [stack] "r"(stack), [entry] "r"(entry), "D"(shared), "S"(41)
		: "rax", "rbx", "rcx", "rdx", "memory", "cc");
#else
	__asm__ volatile("push %%ebp; push %%ebx; mov %%esp, %%ebx; mov %[stack], %%esp; push %%ebx\n"
		"test %[iret], %[iret]; jz 2f\n"
		"pushf; push %%cs; push %[entry]; iret\n"
		"2: push %%cs; push %[entry]; lret\n"
		".globl narrow_back\nnarrow_back: mov %[stack], %%esp; mov -4(%%esp), %%esp; pop %%ebx; pop %%ebp"
		: : [iret] "r"(by_iret), [stack] "d"(stack), [entry] "c"(entry), "D"(shared), "S"(41) : "eax", "memory", "cc");
#endif
}

static void once(const char *how, int by_iret)
{
	char what[80];
	memset((void *)&shared->cs, 0, sizeof *shared - sizeof shared->back);
	memcpy((void *)shared->from, "sixteen letters", 16);
	traps = faults = codes = 0;
	go(by_iret);
#define SAME(text, got, expected) (snprintf(what, sizeof what, "%s: %s", how, text), same(what, got, expected))
	SAME("the selector", shared->cs, CS32);
	SAME("increments", shared->sum, 42);
	SAME("a decimal instruction", shared->adjusted, 0x105);
	SAME("a call with its arguments", shared->arguments, 42);
	SAME("a system call", shared->pid, getpid());
	SAME("an address that goes round", shared->round, shared->back[1]);
	SAME("a repeated move", memcmp((void *)shared->to, "sixteen letters", 16), 0);
	SAME("a loop", shared->rounds, 3 * TURNS);
	SAME("a trap", traps * 10 + shared->after_trap, 11);
	SAME("null in DS", faults * 10 + shared->after_fault, 11);
	SAME("what their frames say", codes, 2);
#undef SAME
}

int main(void)
{
#ifdef __x86_64__
	enum { FLAGS = MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT };
#else
	enum { FLAGS = MAP_PRIVATE | MAP_ANONYMOUS };
	extern char narrow_back[];
#endif
	low = mmap(NULL, SIZE, PROT_READ | PROT_WRITE | PROT_EXEC, FLAGS, -1, 0);
	shared = (void *)(low + DATA);
	memcpy(low + CODE, narrow, narrow_end - narrow);
#ifdef __x86_64__
	/* mov saved, %rsp; ret: movabs saved's address to RAX, RSP from there. */
	unsigned char way[] = {0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0x48, 0x8b, 0x20, 0xc3};
	void *at = &saved;
	memcpy(way + 2, &at, 8);
	memcpy(low, way, sizeof way);
	shared->back[0] = (unsigned long)low, shared->back[1] = CS64;
#else
	unsigned short cs;
	__asm__("mov %%cs, %0" : "=r"(cs));
	shared->back[0] = (unsigned long)narrow_back, shared->back[1] = cs;
#endif
	static char handler_stack[65536];
	stack_t stack = {.ss_sp = handler_stack, .ss_size = sizeof handler_stack};
	struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
	sigaltstack(&stack, NULL);
	sigaction(SIGILL, &action, NULL), sigaction(SIGSEGV, &action, NULL);
	once("by a far return", 0);
	once("by IRET", 1);
	return done();
}
#else
int main(void) { return 0; }
#endif
