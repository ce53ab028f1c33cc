/* i386's system calls by `int $0x80`: in 64-bit programs, too, whose numbers and structs are others. */
#include "ok.h"
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>

#if defined __x86_64__ || defined __i386__
typedef unsigned long word;

/* Registers beyond the low halves of arguments and the number are of no meaning. */
#ifdef __x86_64__
#define MORE 0x5555555500000000
#else
#define MORE 0
#endif

static long gate(unsigned number, word a, word b, word c, word d)
{
	long r;
	__asm__ volatile("int $0x80" : "=a"(r) : "0"((word)number | MORE), "b"(a | MORE), "c"(b | MORE), "d"(c | MORE), "S"(d | MORE), "D"(0l) : "memory");
	return r;
}

/* Six arguments, of which the last is in EBP. */
static long gate6(unsigned number, const unsigned *args)
{
	long r;
#ifdef __x86_64__
	__asm__ volatile("push %%rbp; mov 20(%1), %%ebp; mov 16(%1), %%edi; mov 12(%1), %%esi; mov 8(%1), %%edx; mov 4(%1), %%ecx; mov (%1), %%ebx; int $0x80; pop %%rbp"
		: "=a"(r) : "r"(args), "0"(number) : "rbx", "rcx", "rdx", "rsi", "rdi", "memory");
#else
	__asm__ volatile("push %%ebp; push %%ebx; mov %1, %%ebx; mov 20(%%ebx), %%ebp; mov 16(%%ebx), %%edi; mov 12(%%ebx), %%esi; mov 8(%%ebx), %%edx; mov 4(%%ebx), %%ecx; mov (%%ebx), %%ebx; int $0x80; pop %%ebx; pop %%ebp"
		: "=a"(r) : "c"(args), "0"(number) : "edx", "esi", "edi", "memory");
#endif
	return r;
}

#define low(p) ((word)(uintptr_t)(p))
static char buffer[4096];
static volatile int handled;
static void handler(int signo) { handled++; }

static void calls(void)
{
	same("getpid", gate(20, 0, 0, 0, 0), getpid());
	same("an error", gate(6, 12345, 0, 0, 0), -EBADF);
	same("no such number", gate(9999, 0, 0, 0, 0), -ENOSYS);
	int ends[2];
	pipe(ends);
	memcpy(buffer, "four", 4);
	same("write", gate(4, ends[1], low(buffer), 4, 0), 4);
	same("read", gate(3, ends[0], low(buffer + 100), 50, 0), 4);
	ok("what was written", !memcmp(buffer + 100, "four", 4));
	static unsigned time[2] = {0, 0x77777777};
	ok("times of 32 bits", gate(265, CLOCK_MONOTONIC, low(time), 0, 0) == 0 && time[1] < 1000000000);
	static unsigned st[24] = {0};
	struct stat s;
	fstat(ends[0], &s);
	ok("stat64", gate(197, ends[0], low(st), 0, 0) == 0 && st[4] == s.st_mode && st[3] == (unsigned)s.st_ino);
	unsigned args[6] = {0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0};
	long at = gate6(192, args);
	ok("memory is where they find it", (word)at < (word)-4096 && (word)at >> 16 >> 16 == 0);
	strcpy((char *)at, "there");
	same("munmap", gate(91, at, 8192, 0, 0), 0);
	static unsigned map[6] = {0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0};
	long old = gate(90, low(map), 0, 0, 0);
	ok("as long ago", (word)old < (word)-4096 && (word)old >> 16 >> 16 == 0 && *(char *)old == 0);
	static unsigned iov[4];
	iov[0] = low(buffer), iov[1] = 1, iov[2] = low(buffer + 1), iov[3] = 3;
	ok("vectors", gate(146, ends[1], low(iov), 2, 0) == 4 && gate(145, ends[0], low(iov), 2, 0) == 4);
	static int left = 0;
	write(ends[1], "sixsix", 6);
	ok("ioctl", gate(54, ends[0], 0x541b, low(&left), 0) == 0 && left == 6);
	static unsigned limit[2] = {0, 0};
	ok("limits", gate(191, 7, low(limit), 0, 0) == 0 && limit[0] > 3 && limit[1] >= limit[0]);
	pid_t child = gate(2, 0, 0, 0, 0);
	if (!child)
		gate(1, 9, 0, 0, 0);
	same("fork and exit", ended(child), 9);
}

static void registers(void)
{
#ifdef __x86_64__
	unsigned long r8 = 0, r11 = 0, rcx = 0;
	__asm__ volatile("mov $0x1122334455667788, %%r8; mov %%r8, %%r11; mov %%r8, %%rcx; mov $20, %%eax; int $0x80; mov %%r8, %0; mov %%r11, %1; mov %%rcx, %2" : "=r"(r8), "=r"(r11), "=r"(rcx) : : "rax", "rcx", "r8", "r11");
	ok("others stay", r8 == 0x1122334455667788 && r11 == r8 && rcx == r8);
#else
	ok("others stay", 1);
#endif
	struct sigaction a = {.sa_handler = handler, .sa_flags = SA_RESTART};
	sigaction(SIGALRM, &a, 0);
	int ends[2];
	pipe(ends);
	pid_t child = fork();
	if (!child) {
		usleep(60000), kill(getppid(), SIGALRM), usleep(60000), write(ends[1], "x", 1);
		_exit(0);
	}
	same("a call that is made again", gate(3, ends[0], low(buffer), 1, 0), 1);
	ok("behind a handler", handled == 1 && ended(child) == 0);
	a.sa_flags = 0;
	sigaction(SIGALRM, &a, 0);
	child = fork();
	if (!child)
		usleep(60000), kill(getppid(), SIGALRM), _exit(0);
	same("or that is not", gate(3, ends[0], low(buffer), 1, 0), -EINTR);
	ended(child);
}

static void filtered(void)
{
	pid_t child = fork();
	if (!child) {
		struct sock_filter code[] = {
			BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 4),
			BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_I386, 0, 3),
			BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
			BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 20, 0, 1),
			BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 77),
			BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		};
		struct sock_fprog prog = {6, code};
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
		long own = syscall(SYS_getpid), again = gate(20, 0, 0, 0, 0), other = gate(24, 0, 0, 0, 0), pid = syscall(SYS_getppid);
		ok("filters know whose call it is", again == -77 && other >= 0 && pid > 0 && (sizeof own == 8 ? own > 0 : own == -1));
		_exit(0);
	}
	ended(child);
}

/* The page at a fixed address that 64-bit programs once called. */
static void page(void)
{
	static char line[4096];
	int there = 0;
	FILE *maps = fopen("/proc/self/maps", "r");
	while (fgets(line, sizeof line, maps))
		there |= !strncmp(line, "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]", 83);
	fclose(maps);
#ifdef __x86_64__
	long (*old_time)(long *) = (void *)0xffffffffff600400, now = 0;
	ok("the old page tells the time", !there || labs(old_time(&now) - time(0)) < 2 && labs(now - time(0)) < 2);
	int (*old_getcpu)(unsigned *, unsigned *, void *) = (void *)0xffffffffff600800;
	unsigned cpu = -1;
	ok("and the processor", !there || old_getcpu(&cpu, 0, 0) == 0 && cpu < 4096);
	pid_t child = fork();
	if (!child)
		_exit(((int (*)(void))0xffffffffff600c00)());
	same("and nothing else", ended(child), -SIGSEGV);
	child = fork();
	if (!child)
		_exit(*(volatile char *)0xffffffffff600000 == 'x');
	same("it cannot be read", ended(child), -SIGSEGV);
#else
	ok("the old page tells the time", !there);
	ok("and the processor", 1);
	ok("and nothing else", 1);
	ok("it cannot be read", 1);
#endif
}

int main(void)
{
	calls();
	page();
	registers();
	filtered();
	return done();
}
#else
int main(void) { return 0; }
#endif
