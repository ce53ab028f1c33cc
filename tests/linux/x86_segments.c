/* x86's segments: modify_ldt, set_thread_area, what selectors name, loads of segment registers, limits of 32-bit programs. */
#include "ok.h"
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>

#if defined __x86_64__ || defined __i386__
#include <asm/ldt.h>
#include <setjmp.h>

/* The segment register that C leaves alone, and one for checks of 32-bit code. */
#ifdef __x86_64__
#define FREE "gs"
#define IP REG_RIP
#define ONLY32(holds) 1
#define ONLY64(holds) (holds)
#else
#define FREE "fs"
#define IP REG_EIP
#define ONLY32(holds) (holds)
#define ONLY64(holds) 1
#endif

static sigjmp_buf back;
static volatile int code, trap;
static volatile unsigned seen_es, seen_ds;

static void leave(int signo, siginfo_t *info, void *context)
{
	ucontext_t *at = context;
	code = info->si_code, trap = at->uc_mcontext.gregs[REG_TRAPNO];
	siglongjmp(back, signo);
}

/* The signal that `work` ends by, or 0. */
#define signal_of(work) ({ int s = sigsetjmp(back, 1); if (!s) { work; } s; })
#define is_protection(s) ((s) == SIGSEGV && code == SI_KERNEL && trap == 13)

static int ldt(int func, void *data, unsigned long size)
{
	long r = syscall(SYS_modify_ldt, func, data, size);
	return r == -1 ? -errno : (int)r;
}

/* A local descriptor; its selector. */
static unsigned local(int entry, void *base, unsigned limit, unsigned flags)
{
	unsigned d[4] = {entry, (uintptr_t)base, limit, flags};
	return ldt(0x11, d, 16) ? 0 : entry << 3 | 7;
}

/* Bits of struct user_desc. */
enum { WIDE = 1, DOWN = 1 << 1, CODE = 2 << 1, READ_ONLY = 1 << 3, PAGES = 1 << 4, ABSENT = 1 << 5, USEABLE = 1 << 6 };

static void load(unsigned selector) { __asm__ volatile("mov %0, %%" FREE : : "r"(selector)); }
static unsigned loaded(void) { unsigned v; __asm__ volatile("mov %%" FREE ", %0" : "=r"(v)); return v & 0xffff; }
static int at(unsigned offset) { int v; __asm__ volatile("movl %%" FREE ":(%1), %0" : "=r"(v) : "r"((uintptr_t)offset)); return v; }
static void put(unsigned offset, int v) { __asm__ volatile("movl %0, %%" FREE ":(%1)" : : "r"(v), "r"((uintptr_t)offset) : "memory"); }

/* What LAR and LSL say; 1 if there is nothing. */
static unsigned lar(unsigned selector) { unsigned v = 1; __asm__("lar %1, %0" : "+r"(v) : "r"(selector) : "cc"); return v; }
static unsigned lsl(unsigned selector) { unsigned v = 1; __asm__("lsl %1, %0" : "+r"(v) : "r"(selector) : "cc"); return v; }
static int verr(unsigned selector) { char z; __asm__("verr %w1; setz %0" : "=q"(z) : "r"(selector) : "cc"); return z; }
static int verw(unsigned selector) { char z; __asm__("verw %w1; setz %0" : "=q"(z) : "r"(selector) : "cc"); return z; }

static int data[1024] __attribute__((aligned(4096)));

static void table(void)
{
	unsigned char bytes[8 * 8192];
	memset(bytes, 0xaa, sizeof bytes);
	same("there are no local descriptors", ldt(0, bytes, sizeof bytes), 0);
	same("nor by default", ldt(2, bytes, 77), 77);
	ok("which is said by zeros", bytes[0] == 0 && bytes[76] == 0 && bytes[77] == 0xaa);
	same("no more than so many", ldt(2, bytes, 999), 128);
	unsigned d[4] = {2, 0x12345678, 0x6789a, WIDE | PAGES | USEABLE};
	same("one is written", ldt(0x11, d, 16), 0);
	uint64_t words[6];
	memset(words, 0xaa, sizeof words);
	same("all that is asked for is read", ldt(0, words, sizeof words), sizeof words);
	ok("it stands in its place", words[2] == 0x12d6f3345678789a && !words[0] && !words[1] && !words[5]);
	same("a part", ldt(0, words, 20), 20);
	d[0] = 3;
	same("the old way", ldt(1, d, 16), 0);
	ldt(0, words, sizeof words);
	ok("leaves a bit out", words[3] == 0x12c6f3345678789a);
	same("no such way", ldt(77, d, 16), -ENOSYS);
	same("no such size", ldt(0x11, d, 15), -EINVAL);
	same("no memory", ldt(0x11, (void *)8, 16), -EFAULT);
	d[0] = 8192;
	same("no such entry", ldt(0x11, d, 16), -EINVAL);
	d[0] = 4, d[3] = 3 << 1 | WIDE;
	same("code that others may call", ldt(0x11, d, 16), -EINVAL);
	long r = syscall(SYS_modify_ldt, 77, d, 16);
	ok("errors have 32 bits", r == (sizeof r == 8 ? 0xffffffda : -1));
	unsigned empty[4] = {2, 0, 0, READ_ONLY | ABSENT};
	same("one is taken away", ldt(0x11, empty, 16), 0);
	ldt(0, words, sizeof words);
	ok("it is empty", !words[2] && words[3]);
}

static void questions(void)
{
	unsigned short cs, ss;
	__asm__("mov %%cs, %0" : "=r"(cs));
	__asm__("mov %%ss, %0" : "=r"(ss));
	same("the stack's rights", lar(ss), 0xcff300);
	same("its limit", lsl(ss), 0xffffffff);
	ok("code's rights", lar(cs) == (sizeof(long) == 8 ? 0xaffb00 : 0xcffb00));
	ok("code is read, not written", verr(cs) && !verw(cs) && verr(ss) && verw(ss));
	ok("code of either width", lar(0x23) == 0xcffb00 && lar(0x33) == 0xaffb00 && lsl(0x33) == 0xffffffff);
	ok("null is nothing", lar(0) == 1 && lsl(3) == 1 && !verr(0) && !verw(0));
	ok("the kernel's are nothing", lar(0x10) == 1 && lsl(0x18) == 1 && !verr(0x18));
	ok("nor are those that are not there", lar(0x27) == 1 && lsl(0xffff) == 1);
	unsigned bytes = local(0, data, 99, WIDE), pages = local(1, data, 2, WIDE | PAGES), code = local(2, 0, 0xfffff, WIDE | PAGES | CODE | READ_ONLY);
	same("a limit in bytes", lsl(bytes), 99);
	same("and in pages", lsl(pages), 0x2fff);
	same("rights of a local one", lar(bytes), 0x40f300);
	ok("code that may only be run", !verr(code) && lar(code) == 0xcff900);
	unsigned constant = local(3, data, 99, WIDE | READ_ONLY), absent = local(4, data, 99, WIDE | ABSENT);
	ok("what may only be read", verr(constant) && !verw(constant));
	ok("what is not there is told of, too", lar(absent) == 0x407300 && lsl(absent) == 99);
	unsigned short small = 0xbeef;
	__asm__("lar %1, %0" : "+r"(small) : "r"((unsigned short)ss) : "cc");
	same("16 bits of it", small, 0xf300);
	uint32_t flags, old = 0xbeef;
	__asm__("stc; lar %2, %0; sbb %1, %1" : "+r"(old), "=r"(flags) : "r"(0) : "cc");
	ok("CF stays, and the register", flags == 0xffffffff && old == 0xbeef);
	same("which processor this is has an entry", lar(0x7b) & 0xff00, 0xf500);
}

static void loads(void)
{
	unsigned selector = local(0, data + 16, 0xfffff, WIDE | PAGES), absent = local(4, data, 99, WIDE | ABSENT);
	unsigned run = local(2, 0, 0xfffff, WIDE | PAGES | CODE | READ_ONLY);
	data[16] = 4711, data[17] = 4712;
	load(selector);
	ok("a local one is loaded", loaded() == selector && at(0) == 4711 && at(4) == 4712);
	put(8, 4713);
	same("written through", data[18], 4713);
	load(selector & ~3);
	same("with whatever level", loaded(), selector & ~3);
	ok("no such selector", is_protection(signal_of(load(0x1007))) && is_protection(signal_of(load(0x10))));
	ok("code that cannot be read", is_protection(signal_of(load(run))));
	ok("one that is not present", signal_of(load(absent)) == SIGBUS && code && trap == 11);
	same("what was there stays", loaded(), selector & ~3);
	ok("no stack is null", is_protection(signal_of(__asm__ volatile("mov %0, %%ss" : : "r"(0)))));
	ok("nor of another level", is_protection(signal_of(__asm__ volatile("mov %0, %%ss" : : "r"(0x28)))));
	ok("nor what may only be read", is_protection(signal_of(__asm__ volatile("mov %0, %%ss" : : "r"(local(3, 0, 0xfffff, WIDE | PAGES | READ_ONLY))))));
	local(0, data + 32, 0xfffff, WIDE | PAGES);
	load(selector), data[32] = 815;
	same("another base", at(0), 815);
	local(0, data + 16, 0xfffff, WIDE | PAGES);
	same("is not looked at before the next load", at(0), 815);
	load(selector);
	unsigned short far[5] = {0};
	unsigned offset = 77;
	memcpy(far, &offset, 4), far[2] = selector & ~3;
	__asm__ volatile("l" FREE "l %1, %0" : "=r"(offset) : "m"(far));
	ok("an offset and a selector", offset == 77 && loaded() == (selector & ~3));
	__asm__ volatile("push %0; pop %%" FREE : : "r"((long)selector));
	same("from the stack", loaded(), selector);
	unsigned empty[4] = {0, 0, 0, READ_ONLY | ABSENT};
	ldt(0x11, empty, 16);
	ok("nor that one is taken away", loaded() == selector && at(0) == 4711);
	ok("by then it is not there", is_protection(signal_of(load(selector))));
	load(3);
	same("null has levels", loaded(), 3);
	load(0x2b);
	same("all of memory", loaded(), 0x2b);
	load(0);
}

static void *thread(void *selector)
{
	load((uintptr_t)selector);
	return (void *)(uintptr_t)at(0);
}

static void sharing(void)
{
	unsigned selector = local(0, data + 16, 0xfffff, WIDE | PAGES);
	pthread_t t;
	void *got = 0;
	pthread_create(&t, 0, thread, (void *)(uintptr_t)selector), pthread_join(t, &got);
	same("threads share them", (uintptr_t)got, 4711);
	load(selector);
	pid_t child = fork();
	if (!child) {
		int before = at(0);
		local(0, data + 17, 0xfffff, WIDE | PAGES), load(selector);
		_exit(before == 4711 && at(0) == 4712 ? 5 : 6);
	}
	same("a child has copies", ended(child), 5);
	same("of its own", at(0), 4711);
	load(0);
}

#ifdef __i386__
#define ES(insn, ...) __asm__ volatile("mov %0, %%es; " insn "; mov %1, %%es" : : "r"(sel), "r"(flat), ##__VA_ARGS__ : "memory", "eax", "ecx", "esi", "edi", "cc")
static unsigned flat = 0x2b;
static int es_read(unsigned sel, unsigned offset) { int v; __asm__ volatile("mov %1, %%es; movl %%es:(%2), %0; mov %3, %%es" : "=&r"(v) : "r"(sel), "r"(offset), "r"(flat)); return v; }
static int es_byte(unsigned sel, unsigned offset) { int v; __asm__ volatile("mov %1, %%es; movzbl %%es:(%2), %0; mov %3, %%es" : "=&r"(v) : "r"(sel), "r"(offset), "r"(flat)); return v; }
static void es_write(unsigned sel, unsigned offset, int v) { __asm__ volatile("mov %0, %%es; movl %1, %%es:(%2); mov %3, %%es" : : "r"(sel), "r"(v), "r"(offset), "r"(flat) : "memory"); }
static void on_signal(int signo) { unsigned e, d; __asm__ volatile("mov %%es, %0; mov %%ds, %1" : "=r"(e), "=r"(d)); seen_es = e, seen_ds = d; }
#else
static unsigned flat;
static int es_read(unsigned sel, unsigned offset) { return 0; }
static int es_byte(unsigned sel, unsigned offset) { return 0; }
static void es_write(unsigned sel, unsigned offset, int v) { }
static void on_signal(int signo) { }
#endif

static void limits(void)
{
	unsigned sel = local(5, data + 4, 15, WIDE), down = local(6, data, 15, WIDE | DOWN), constant = local(7, data, 15, WIDE | READ_ONLY);
	for (int n = 0; n < 32; n++)
		data[n] = 100 + n;
	ok("a base counts", ONLY32(es_read(sel, 0) == 104 && es_read(sel, 12) == 107));
	ok("behind the limit", ONLY32(is_protection(signal_of(es_read(sel, 16)))));
	ok("across it", ONLY32(is_protection(signal_of(es_read(sel, 13)))));
	ok("up to it", ONLY32(es_byte(sel, 15) == 0));
	ok("a write", ONLY32((es_write(sel, 8, 9), data[6] == 9) && is_protection(signal_of(es_write(sel, 14, 1)))));
	ok("downwards", ONLY32(es_read(down, 16) == 104 && is_protection(signal_of(es_read(down, 15)))));
	ok("what may only be read", ONLY32(es_read(constant, 0) == 100 && is_protection(signal_of(es_write(constant, 0, 1)))));
	ok("null", ONLY32(is_protection(signal_of(es_read(0, (uintptr_t)data)))));
	ok("code", ONLY32(es_read(0x23, (uintptr_t)data) == 100 && is_protection(signal_of(es_write(0x23, (uintptr_t)data, 1)))));
	ok("a stack has none", ONLY32(es_read(0x2b, (uintptr_t)data) == 100));
	unsigned after = 0;
	pid_t self = getpid();
	ok("one that is taken away is null", ONLY32(({ unsigned empty[4] = {9, 0, 0, READ_ONLY | ABSENT}; unsigned one = local(9, data, 15, WIDE); __asm__ volatile("mov %0, %%es" : : "r"(one)); ldt(0x11, empty, 16); __asm__ volatile("mov %%es, %0; mov %1, %%es" : "=&r"(one) : "r"(flat)); (one & 0xffff) == 0; })));
	ok("strings go there", ONLY32(({ ES("xor %%edi, %%edi; mov $4, %%ecx; mov $7, %%eax; rep stosl", "r"(0)); data[4] == 7 && data[7] == 7 && data[8] == 108; })));
	ok("as far as the limit", ONLY32(is_protection(signal_of(ES("xor %%edi, %%edi; mov $5, %%ecx; mov $8, %%eax; rep stosl", "r"(0)))) && data[7] == 8 && data[8] == 108));
	ok("from one to another", ONLY32(({ ES("mov %2, %%esi; xor %%edi, %%edi; movsl", "r"(data)); data[4] == 100; })));
	ok("limits of the free one", ONLY32(({ load(local(8, data, 3, WIDE)); at(0) == 100 && is_protection(signal_of(at(4))); })));
	load(0);
	/* Handlers have all of memory, and what they return to has its own again. */
	signal(SIGUSR1, on_signal);
	ok("handlers and what they return to", ONLY32(({
		__asm__ volatile("mov %1, %%es; int $0x80; mov %%es, %0; mov %2, %%es" : "=&r"(after) : "r"(sel), "r"(flat), "a"(37), "b"(self), "c"(SIGUSR1) : "memory");
		(after & 0xffff) == sel && (seen_es & 0xffff) == 0x2b && (seen_ds & 0xffff) == 0x2b; })));
}

static void threads(void)
{
	static struct user_desc d = {-1, 0, 0xfffff, 1, 0, 0, 1, 0, 1}, e = {0}, none = {0, 0, 0, 0, 0, 1, 0, 1, 0};
	d.base_addr = (uintptr_t)data;
	ok("a thread's own", ONLY32(syscall(SYS_set_thread_area, &d) == 0 && d.entry_number >= 12 && d.entry_number <= 14));
	unsigned selector = d.entry_number << 3 | 3;
	none.entry_number = e.entry_number = d.entry_number;
	ok("as it was set", ONLY32(syscall(SYS_get_thread_area, &e) == 0 && !memcmp(&d, &e, sizeof d)));
	ok("is loaded", ONLY32((load(selector), at(4) == data[1])));
	d.base_addr = (uintptr_t)(data + 8), d.limit = 7, d.limit_in_pages = 0;
	ok("and follows", ONLY32(syscall(SYS_set_thread_area, &d) == 0 && at(0) == data[8]));
	ok("with its limit", ONLY32(is_protection(signal_of(at(8))) && lsl(selector) == 7));
	d.seg_32bit = 0;
	ok("none of 16 bits", ONLY32(syscall(SYS_set_thread_area, &d) == -1 && errno == EINVAL));
	d.seg_32bit = 1, d.entry_number = 77;
	ok("no such entry for it", ONLY32(syscall(SYS_set_thread_area, &d) == -1 && errno == EINVAL));
	ok("nor to read", ONLY32(syscall(SYS_get_thread_area, &d) == -1 && errno == EINVAL));
	ok("taken away it is null", ONLY32(syscall(SYS_set_thread_area, &none) == 0 && loaded() == 0));
	unsigned short to = 0x28, from = 3;
	char z = 0;
	ok("a level is raised", ONLY32(({ __asm__("arpl %2, %0; setz %1" : "+r"(to), "=q"(z) : "r"(from) : "cc"); to == 0x2b && z; })));
	ok("64-bit programs have none", ONLY64(syscall(SYS_set_thread_area, data) == -1 && errno == ENOSYS));
	ok("a base that is set goes with null", ONLY64((load(0x2b), syscall(SYS_arch_prctl, 0x1001, data + 8), loaded() == 0 && at(4) == data[9])));
}

/* Far returns, jumps and calls, and IRET, to `selector`. `LINK` pushes the address of label 1. */
#ifdef __x86_64__
#define AWAY "sub $128, %%rsp; "
#define BACK "; add $128, %%rsp"
#define LINK "lea 1f(%%rip), %%rax; push %%rax; "
#define RETURN "lretq; ud2; 1:"
#define STACK "mov %%rsp, %%rcx; mov %%ss, %%eax; push %%rax; push %%rcx; "
#define IRET "iretq; ud2; 1:"
#else
#define AWAY ""
#define BACK ""
#define LINK "call 2f; 2: addl $1f - 2b, (%%esp); "
#define RETURN "lret; ud2; 1:"
#define STACK ""
#define IRET "iret; ud2; 1:"
#endif
struct far { unsigned offset; unsigned short selector; };

static int far_return(long selector) { __asm__ volatile(AWAY "push %0; " LINK RETURN BACK : : "r"(selector) : "memory", "rax", "cc"); return 1; }
static long interrupt_return(long selector, long flags)
{
	long after;
	__asm__ volatile(AWAY STACK "push %2; push %1; " LINK IRET " pushf; cld; pop %0" BACK : "=&r"(after) : "r"(selector), "r"(flags) : "memory", "rax", "rcx", "cc");
	return after & 0xcd5;
}

/* Code for them, which counts and goes back. */
extern char far_callee[], far_target[];
__asm__(".text; far_callee: incl far_count; lret; far_target: incl far_count; ret");
int far_count;

static int far_call(unsigned selector)
{
	struct far to = {(uintptr_t)far_callee, selector};
	__asm__ volatile(AWAY "lcall *(%0)" BACK : : "r"(&to) : "memory", "cc");
	return far_count;
}

static int far_jump(unsigned selector)
{
	struct far to = {(uintptr_t)far_target, selector};
	__asm__ volatile(AWAY LINK "ljmp *(%0); ud2; 1:" BACK : : "r"(&to) : "memory", "rax", "cc");
	return far_count;
}

static void far(void)
{
	unsigned cs;
	__asm__("mov %%cs, %0" : "=r"(cs));
	ok("a far return", far_return(cs));
	ok("not to a deeper level", is_protection(signal_of(far_return(cs & ~3))));
	ok("nor to the kernel, to data or nowhere", is_protection(signal_of(far_return(0x13))) && is_protection(signal_of(far_return(0x2b))) && is_protection(signal_of(far_return(3))));
	same("a far call", far_call(cs), 1);
	same("with whatever level", far_call(cs & ~3), 2);
	ok("not to data", is_protection(signal_of(far_call(0x2b))));
	same("a far jump", far_jump(cs), 3);
	same("a return from an interrupt", interrupt_return(cs, 0x246), 0x44);
	same("with other flags", interrupt_return(cs, 0xe93), 0xc91);
	ok("not to a deeper level of it", is_protection(signal_of(interrupt_return(cs & ~3, 0x202))));
}

int main(void)
{
	struct sigaction action = {.sa_sigaction = leave, .sa_flags = SA_SIGINFO};
	sigaction(SIGSEGV, &action, 0), sigaction(SIGBUS, &action, 0);
	table();
	questions();
	loads();
	sharing();
	limits();
	threads();
	far();
	return done();
}
#else
int main(void) { return 0; }
#endif
