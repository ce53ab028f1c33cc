/* ptrace(2): a program traces its children. */
#include "ok.h"
#include "traced.h"
#include <elf.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <link.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/utsname.h>

#ifndef PTRACE_GET_SYSCALL_INFO
#define PTRACE_GET_SYSCALL_INFO 0x420e
#endif
struct info { uint8_t op, pad[3]; uint32_t arch; uint64_t ip, sp; union { struct { uint64_t nr, args[6]; } entry; struct { int64_t rval; uint8_t is_error; } exit; }; };

static int status;
static int waits(pid_t child) { return waitpid(child, &status, __WALL) == child; }
static int is_stop(int signo) { return WIFSTOPPED(status) && status >> 8 == signo; }
static long trace(int request, pid_t pid, long addr, long data) { return syscall(SYS_ptrace, request, pid, addr, data); }

static volatile int handled;
static void handler(int signo) { handled = signo; }
static volatile long word = 42;

static void signals(void)
{
	signal(SIGUSR1, handler), signal(SIGUSR2, handler);
	raise(SIGUSR1);
	int first = handled;
	handled = 0;
	raise(SIGUSR2);
	int second = handled;
	signal(SIGTERM, SIG_IGN);
	raise(SIGTERM);
	_exit(first == SIGUSR2 && second == 0 && word == 43 ? 7 : 92);
}

static void calls(void)
{
	syscall(SYS_getppid);
	syscall(SYS_close, 12345);
	syscall(SYS_exit_group, 3);
}

static void tampered(void)
{
	int right = syscall(SYS_getppid) == 77;
	right += syscall(SYS_getppid) == -1 && errno == EXDEV;
	long other = syscall(SYS_getppid);
	_exit(right + (other == getpid()));
}

static void told_anew(void)
{
	int right = syscall(SYS_close, 12345) == -1 && errno == ENOTBLK;
	right += syscall(SYS_close, 12345) == 99;
	long other = syscall(SYS_close, 12345), group = syscall(SYS_getpgid, 12345);
	_exit(right + (other == getpid()) + (group == getpgid(0)));
}

static void family(void)
{
	pid_t grandchild = fork();
	if (!grandchild)
		_exit(5);
	int s;
	waitpid(grandchild, &s, 0);
	_exit(WEXITSTATUS(s) + 1);
}

static char self[4096];
static void another(void)
{
	execl(self, self, "exit", NULL);
}

static void crash(void) { *(volatile int *)16 = 1; }
static void loops(void)
{
	for (;;)
		word = word;
}
static void sleeps(void)
{
	for (;;)
		pause();
}

static void on_signals(void)
{
	siginfo_t si;
	pid_t pid = traced(signals);
	ok("its own stop", waits(pid) && is_stop(SIGSTOP));
	same("peek", ptrace(PTRACE_PEEKDATA, pid, &word, 0), 42);
	same("poke", ptrace(PTRACE_POKEDATA, pid, &word, 43L), 0);
	ok("that is its own memory", word == 42);
	ptrace(PTRACE_CONT, pid, 0, 0);
	ok("a signal", waits(pid) && is_stop(SIGUSR1));
	ok("of whom", ptrace(PTRACE_GETSIGINFO, pid, 0, &si) == 0 && si.si_signo == SIGUSR1 && si.si_pid == pid && si.si_code == SI_TKILL);
	ptrace(PTRACE_CONT, pid, 0, SIGUSR2);
	ok("another one", waits(pid) && is_stop(SIGUSR2));
	ptrace(PTRACE_CONT, pid, 0, 0);
	ok("an ignored one", waits(pid) && is_stop(SIGTERM));
	ptrace(PTRACE_CONT, pid, 0, SIGTERM);
	ok("what it saw of them", waits(pid) && WIFEXITED(status) && WEXITSTATUS(status) == 7);
	fails("nobody is there any more", ptrace(PTRACE_CONT, pid, 0, 0), ESRCH);
	fails("nor was", ptrace(PTRACE_ATTACH, 1 << 30, 0, 0), ESRCH);
}

static void on_calls(void)
{
	struct info i;
	pid_t pid = traced(calls);
	waits(pid);
	same("options", ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD), 0);
	ptrace(PTRACE_SYSCALL, pid, 0, 0);
	ok("a call", waits(pid) && is_stop(SIGTRAP | 0x80));
	memset(&i, 0, sizeof i);
	same("what is told of it", trace(PTRACE_GET_SYSCALL_INFO, pid, sizeof i, (long)&i), 80);
	ok("its number", i.op == 1 && i.entry.nr == SYS_getppid);
	ptrace(PTRACE_SYSCALL, pid, 0, 0);
	ok("its end", waits(pid) && is_stop(SIGTRAP | 0x80));
	same("what is told of that", trace(PTRACE_GET_SYSCALL_INFO, pid, sizeof i, (long)&i), 33);
	ok("its result", i.op == 2 && i.exit.rval == getpid() && !i.exit.is_error);
	ptrace(PTRACE_SYSCALL, pid, 0, 0), waits(pid);
	trace(PTRACE_GET_SYSCALL_INFO, pid, sizeof i, (long)&i);
	ok("arguments", i.op == 1 && i.entry.nr == SYS_close && (uint32_t)i.entry.args[0] == 12345);
	ptrace(PTRACE_SYSCALL, pid, 0, 0), waits(pid);
	trace(PTRACE_GET_SYSCALL_INFO, pid, sizeof i, (long)&i);
	ok("an error", i.op == 2 && i.exit.rval == -EBADF && i.exit.is_error);
	ptrace(PTRACE_SYSCALL, pid, 0, 0), waits(pid);
	trace(PTRACE_GET_SYSCALL_INFO, pid, sizeof i, (long)&i);
	ok("the last one", i.op == 1 && i.entry.nr == SYS_exit_group);
	ptrace(PTRACE_SYSCALL, pid, 0, 0);
	ok("the end", waits(pid) && WIFEXITED(status) && WEXITSTATUS(status) == 3);
}

/* Where number and result of a call stand among the registers. */
#if defined __x86_64__
enum { NUMBER = 15, RESULT = 10 };
#elif defined __i386__
enum { NUMBER = 11, RESULT = 6 };
#elif defined __riscv
enum { NUMBER = 17, RESULT = 10 };
#else
enum { NUMBER = -1, RESULT = 0 };
#endif

static void set_word(pid_t pid, int which, long value)
{
	unsigned long regs[100];
	struct iovec io = {regs, sizeof regs};
	ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &io);
	regs[which] = value;
	ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &io);
}

static void set_number(pid_t pid, int number)
{
#if defined __aarch64__
	struct iovec io = {&number, sizeof number};
	ptrace(PTRACE_SETREGSET, pid, 0x404 /* NT_ARM_SYSTEM_CALL */, &io);
#elif defined __arm__
	ptrace(23 /* PTRACE_SET_SYSCALL */, pid, 0, number);
#else
	set_word(pid, NUMBER, number);
#endif
}

static int to_call(pid_t pid)
{
	ptrace(PTRACE_SYSCALL, pid, 0, 0);
	return waits(pid) && is_stop(SIGTRAP | 0x80);
}

static void on_tampering(void)
{
	pid_t pid = traced(tampered);
	waits(pid);
	ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD);
	to_call(pid), set_number(pid, -1), set_word(pid, RESULT, 77);
	ok("a call that is not made", to_call(pid));
	to_call(pid), set_number(pid, -1);
	ok("another", to_call(pid));
	set_word(pid, RESULT, -EXDEV);
	struct info told;
	ok("an error is told as one", trace(PTRACE_GET_SYSCALL_INFO, pid, sizeof told, (long)&told) == 33 && told.exit.rval == -EXDEV && told.exit.is_error);
	to_call(pid), set_number(pid, SYS_getpid), to_call(pid);
	ptrace(PTRACE_CONT, pid, 0, 0);
	ok("what it saw of these", waits(pid) && WIFEXITED(status) && WEXITSTATUS(status) == 3);
}

/* PTRACE_SET_SYSCALL_INFO is of Linux 6.16: on an older host nothing is known of it. */
static void on_telling(void)
{
	struct { struct info i; uint64_t rest; } told;
	pid_t pid = traced(told_anew);
	waits(pid);
	ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD);
#define INFO(set, size) trace(set ? 0x4212 : PTRACE_GET_SYSCALL_INFO, pid, size, (long)&told)
#define REFUSED(what, error, change) (INFO(0, 88), change, errno = 0, ok(what, old || INFO(1, 88) == -1 && errno == error))
	to_call(pid), INFO(0, 88);
	struct utsname name;
	int major = 0, minor = 0;
	uname(&name), sscanf(name.release, "%d.%d", &major, &minor);
	int old = major * 100 + minor < 616;
	ok("the same again", old || INFO(1, 88) == 0);
	errno = 0;
	ok("too little", old || INFO(1, 87) == -1 && errno == EINVAL);
	REFUSED("another stop's", EINVAL, told.i.op = 2);
	REFUSED("flags", EINVAL, told.i.pad[1] = 1);
	REFUSED("a long number", ERANGE, told.i.entry.nr = 1ll << 32);
	INFO(0, 88), told.i.entry.nr = -1;
	ok("none is made", old || INFO(1, 88) == 0);
	to_call(pid), INFO(0, 88), told.i.exit.rval = -ENOTBLK, told.i.exit.is_error = 1;
	ok("an error instead", old || INFO(1, 88) == 0 && INFO(0, 88) && told.i.exit.rval == -ENOTBLK && told.i.exit.is_error);
	to_call(pid), to_call(pid), INFO(0, 88), told.i.exit.rval = 99, told.i.exit.is_error = 0;
	ok("a result instead", old || INFO(1, 88) == 0);
	to_call(pid), INFO(0, 88), told.i.entry.nr = SYS_getpid;
	ok("another call", old || INFO(1, 88) == 0 && INFO(0, 88) && told.i.entry.nr == SYS_getpid);
	to_call(pid), to_call(pid), INFO(0, 88), told.i.entry.args[0] = 0;
	ok("another argument", old || INFO(1, 88) == 0);
	ptrace(PTRACE_CONT, pid, 0, 0);
	ok("and what it saw", waits(pid) && WIFEXITED(status) && (old || WEXITSTATUS(status) == 4));
}

static void on_registers(void)
{
	char regs[1024], again[1024];
	pid_t pid = traced(calls);
	waits(pid);
	struct iovec io = {regs, sizeof regs};
	same("registers", ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &io), 0);
	ok("so many", io.iov_len > 64 && io.iov_len < 400 && io.iov_len % sizeof(long) == 0);
	same("set", ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &io), 0);
	struct iovec two = {again, sizeof again};
	ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &two);
	ok("are the same", two.iov_len == io.iov_len && !memcmp(regs, again, io.iov_len));
	struct iovec part = {again, 2 * sizeof(long)};
	ok("a part of them", ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &part) == 0 && part.iov_len == 2 * sizeof(long));
	struct iovec odd = {again, 7};
	fails("an odd part", ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &odd), EINVAL);
	fails("no such set", ptrace(PTRACE_GETREGSET, pid, 0x7777, &io), EINVAL);
	ptrace(PTRACE_CONT, pid, 0, 0);
	ok("it goes on as if nothing were", waits(pid) && WIFEXITED(status) && WEXITSTATUS(status) == 3);
}

static void on_family(void)
{
	unsigned long message = 0;
	pid_t pid = traced(family), other;
	waits(pid);
	ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL);
	ptrace(PTRACE_CONT, pid, 0, 0);
	ok("a birth", waits(pid) && is_stop(SIGTRAP | PTRACE_EVENT_FORK << 8));
	ok("of whom", ptrace(PTRACE_GETEVENTMSG, pid, 0, &message) == 0 && message > 0 && message != pid);
	other = message;
	ok("who stops", waits(other) && is_stop(SIGSTOP));
	ptrace(PTRACE_CONT, other, 0, 0);
	ptrace(PTRACE_CONT, pid, 0, 0);
	ok("and ends", waits(other) && is_stop(SIGTRAP | PTRACE_EVENT_EXIT << 8));
	ok("as is told", ptrace(PTRACE_GETEVENTMSG, other, 0, &message) == 0 && message == 5 << 8);
	ptrace(PTRACE_CONT, other, 0, 0);
	ok("is gone", waits(other) && WIFEXITED(status) && WEXITSTATUS(status) == 5);
	ok("its parent hears of it", waits(pid) && is_stop(SIGCHLD));
	ptrace(PTRACE_CONT, pid, 0, SIGCHLD);
	ok("and ends too", waits(pid) && is_stop(SIGTRAP | PTRACE_EVENT_EXIT << 8));
	ptrace(PTRACE_CONT, pid, 0, 0);
	ok("with its status", waits(pid) && WIFEXITED(status) && WEXITSTATUS(status) == 6);
}

static void on_exec(void)
{
	pid_t pid = traced(another);
	waits(pid);
	ptrace(PTRACE_CONT, pid, 0, 0);
	ok("a new program", waits(pid) && is_stop(SIGTRAP));
	ptrace(PTRACE_CONT, pid, 0, 0);
	ok("runs", waits(pid) && WIFEXITED(status) && WEXITSTATUS(status) == 11);
	pid = traced(another);
	waits(pid);
	ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXEC | PTRACE_O_TRACESYSGOOD);
	ptrace(PTRACE_SYSCALL, pid, 0, 0), waits(pid);
	ptrace(PTRACE_SYSCALL, pid, 0, 0);
	ok("an event of its own", waits(pid) && is_stop(SIGTRAP | PTRACE_EVENT_EXEC << 8));
	ptrace(PTRACE_SYSCALL, pid, 0, 0);
	ok("the call's end", waits(pid) && is_stop(SIGTRAP | 0x80));
	ptrace(PTRACE_CONT, pid, 0, 0);
	ok("and on", waits(pid) && WIFEXITED(status) && WEXITSTATUS(status) == 11);
}

static void on_faults(void)
{
	siginfo_t si;
	pid_t pid = traced(crash);
	waits(pid);
	ptrace(PTRACE_CONT, pid, 0, 0);
	ok("a fault", waits(pid) && is_stop(SIGSEGV));
	ok("where", ptrace(PTRACE_GETSIGINFO, pid, 0, &si) == 0 && si.si_addr == (void *)16 && si.si_code == SEGV_MAPERR);
	ptrace(PTRACE_CONT, pid, 0, SIGSEGV);
	ok("kills", waits(pid) && WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

static void on_attach(void)
{
	pid_t pid = fork();
	if (!pid)
		loops();
	same("attach", ptrace(PTRACE_ATTACH, pid, 0, 0), 0);
	ok("stops it", waits(pid) && is_stop(SIGSTOP));
	same("what it does", ptrace(PTRACE_PEEKDATA, pid, &word, 0), 42);
	fails("no interrupt", ptrace(PTRACE_INTERRUPT, pid, 0, 0), EIO);
	same("detach", ptrace(PTRACE_DETACH, pid, 0, 0), 0);
	usleep(20000);
	ok("it runs", waitpid(pid, &status, WNOHANG | __WALL) == 0);
	fails("nobody's", ptrace(PTRACE_PEEKDATA, pid, &word, 0), ESRCH);
	kill(pid, SIGKILL);
	ok("until it is killed", waits(pid) && WTERMSIG(status) == SIGKILL);
}

static void on_seize(void (*what)(void), const char *name)
{
	char text[80];
	pid_t pid = fork();
	if (!pid)
		what();
	usleep(20000);
	snprintf(text, sizeof text, "seize one that %s", name);
	same(text, ptrace(PTRACE_SEIZE, pid, 0, 0), 0);
	ok("it does not stop", waitpid(pid, &status, WNOHANG | __WALL) == 0);
	for (int n = 0; n < 20; n++) {
		if (ptrace(PTRACE_INTERRUPT, pid, 0, 0) || !waits(pid) || !is_stop(SIGTRAP | PTRACE_EVENT_STOP << 8)) {
			ok("a stop that was asked for", 0);
			break;
		}
		ptrace(PTRACE_CONT, pid, 0, 0);
	}
	kill(pid, SIGSTOP);
	ok("a stop signal", waits(pid) && is_stop(SIGSTOP));
	ptrace(PTRACE_CONT, pid, 0, SIGSTOP);
	ok("a group stop", waits(pid) && is_stop(SIGSTOP | PTRACE_EVENT_STOP << 8));
	same("listen", ptrace(PTRACE_LISTEN, pid, 0, 0), 0);
	kill(pid, SIGCONT);
	ok("its end", waits(pid) && is_stop(SIGTRAP | PTRACE_EVENT_STOP << 8));
	ptrace(PTRACE_CONT, pid, 0, 0);
	ok("the signal for that", waits(pid) && is_stop(SIGCONT));
	ptrace(PTRACE_CONT, pid, 0, SIGCONT);
	kill(pid, SIGTERM);
	ok("another signal", waits(pid) && is_stop(SIGTERM));
	ptrace(PTRACE_CONT, pid, 0, SIGTERM);
	ok("the end of it", waits(pid) && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

/* As strace starts a program: one that has stopped itself has no end of that call to show. */
static void on_start(void)
{
	struct info i = {0};
	pid_t pid = fork();
	if (!pid)
		syscall(SYS_kill, getpid(), SIGSTOP), calls();
	ok("a child that has stopped", waitpid(pid, &status, WUNTRACED) == pid && is_stop(SIGSTOP));
	same("seize it", ptrace(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACESYSGOOD), 0);
	ok("its group stop", waits(pid) && is_stop(SIGSTOP | PTRACE_EVENT_STOP << 8));
	kill(pid, SIGCONT);
	do
		ptrace(PTRACE_SYSCALL, pid, 0, 0);
	while (waits(pid) && WIFSTOPPED(status) && !is_stop(SIGTRAP | 0x80));
	trace(PTRACE_GET_SYSCALL_INFO, pid, sizeof i, (long)&i);
	ok("its first call", i.op == 1 && i.entry.nr == SYS_getppid);
	kill(pid, SIGKILL);
	ok("killed there", waits(pid) && WIFSIGNALED(status));
}

/* A function of the vDSO's: its symbols end where their names begin. */
static void *in_vdso(const char *name)
{
	const char *vdso = (void *)getauxval(AT_SYSINFO_EHDR), *strings = NULL;
	const ElfW(Ehdr) *header = (void *)vdso;
	const ElfW(Sym) *symbol = NULL;
	for (int n = 0; vdso && n < header->e_phnum; n++) {
		const ElfW(Phdr) *part = (void *)(vdso + header->e_phoff + n * sizeof *part);
		for (const ElfW(Dyn) *d = (void *)(vdso + part->p_offset); part->p_type == PT_DYNAMIC && d->d_tag; d++) {
			if (d->d_tag == DT_SYMTAB)
				symbol = (void *)(vdso + d->d_un.d_ptr);
			if (d->d_tag == DT_STRTAB)
				strings = vdso + d->d_un.d_ptr;
		}
	}
	for (; symbol && strings && (const char *)(symbol + 1) <= strings; symbol++)
		if (strcmp(strings + symbol->st_name, name) == 0)
			return (void *)(vdso + symbol->st_value);
	return NULL;
}

static int (*probe)(void *, size_t, size_t, void *, unsigned);
static void probes(void)
{
	int64_t pair[2] = {4, 0};
	if (probe)
		probe(pair, 1, 0, NULL, 0);
	calls();
}

/* RISC-V's vDSO knows what riscv_hwprobe would say. */
static void on_vdso(void)
{
	struct info i = {0};
	probe = in_vdso("__vdso_riscv_hwprobe");
#ifdef __riscv
	if (!probe)
		ok("it knows the processor", 0);
#endif
	pid_t pid = traced(probes);
	waits(pid);
	ptrace(PTRACE_SYSCALL, pid, 0, 0), waits(pid);
	ok("no call is told without the option", trace(PTRACE_GET_SYSCALL_INFO, pid, sizeof i, (long)&i) == 24 && i.op == 0);
	kill(pid, SIGKILL);
	waits(pid);
	pid = traced(probes);
	waits(pid);
	ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD);
	ptrace(PTRACE_SYSCALL, pid, 0, 0), waits(pid);
	trace(PTRACE_GET_SYSCALL_INFO, pid, sizeof i, (long)&i);
	ok("what the vDSO answers is no call", i.op == 1 && i.entry.nr == SYS_getppid);
	kill(pid, SIGKILL);
	waits(pid);
}

/* A filter leaves getppid to the tracer. */
static void filtered(void)
{
	struct sock_filter rows[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE | 77),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = {4, rows};
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0))
		_exit(92);
	long parent = syscall(SYS_getppid);
	_exit(parent > 0 ? 5 : errno == ENOSYS ? 6 : 93);
}

static void on_filters(void)
{
	struct { struct info i; uint64_t data; } told = {{0}};
	unsigned long message = 0;
	pid_t pid = traced(filtered);
	waits(pid);
	ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESECCOMP);
	ptrace(PTRACE_CONT, pid, 0, 0);
	ok("a filter asks the tracer", waits(pid) && status >> 8 == (SIGTRAP | PTRACE_EVENT_SECCOMP << 8));
	ok("with its number", trace(PTRACE_GETEVENTMSG, pid, 0, (long)&message) == 0 && message == 77);
	ok("about a call", trace(PTRACE_GET_SYSCALL_INFO, pid, sizeof told, (long)&told) >= 84 && told.i.op == 3 && told.i.entry.nr == SYS_getppid && (uint32_t)told.data == 77);
	ptrace(PTRACE_SYSCALL, pid, 0, 0);
	ok("which is made", waits(pid) && is_stop(SIGTRAP) && trace(PTRACE_GET_SYSCALL_INFO, pid, sizeof told.i, (long)&told) >= 24);
	ptrace(PTRACE_CONT, pid, 0, 0);
	ok("and ends well", waits(pid) && WIFEXITED(status) && WEXITSTATUS(status) == 5);
	pid = traced(filtered);
	waits(pid);
	ptrace(PTRACE_CONT, pid, 0, 0);
	ok("without the option there is no such call", waits(pid) && WIFEXITED(status) && WEXITSTATUS(status) == 6);
}

/* Signals that wait, and the mask. */
static void on_pending(void)
{
	struct { uint64_t off; uint32_t flags; int32_t nr; } which = {0, 1, 10};
	siginfo_t pending[10];
	uint64_t mask = -1;
	memset(pending, 0, sizeof pending);
	pid_t pid = traced(sleeps);
	waits(pid);
	same("PTRACE_SETSIGMASK", trace(PTRACE_SETSIGMASK, pid, 8, (long)&mask), 0);
	ok("PTRACE_GETSIGMASK", trace(PTRACE_GETSIGMASK, pid, 8, (long)&mask) == 0 && mask == ~(1ULL << (SIGKILL - 1) | 1ULL << (SIGSTOP - 1)));
	sigqueue(pid, SIGRTMIN + 1, (union sigval){.sival_int = 5}), sigqueue(pid, SIGRTMIN + 2, (union sigval){.sival_int = 6});
	same("PTRACE_PEEKSIGINFO", trace(PTRACE_PEEKSIGINFO, pid, (long)&which, (long)pending), 2);
	ok("what waits", pending[0].si_signo == SIGRTMIN + 1 && pending[1].si_value.sival_int == 6 && pending[1].si_pid == getpid());
	which.off = 1;
	ok("from the second on", trace(PTRACE_PEEKSIGINFO, pid, (long)&which, (long)pending) == 1 && pending[0].si_value.sival_int == 6);
	which.flags = 0;
	same("none is the thread's own", trace(PTRACE_PEEKSIGINFO, pid, (long)&which, (long)pending), 0);
	which.nr = -1;
	fails("less than none", trace(PTRACE_PEEKSIGINFO, pid, (long)&which, (long)pending), EINVAL);
	ptrace(PTRACE_DETACH, pid, 0, 0);
	usleep(20000);
	kill(pid, SIGKILL);
	ok("the mask stays", waits(pid) && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* A root with nothing in it has no /proc to look at the other through. */
static void on_bare_root(void)
{
	char empty[] = "/tmp/bareXXXXXX";
	int here = open("/", O_RDONLY | O_DIRECTORY), entered = mkdtemp(empty) && (!geteuid() || !unshare(CLONE_NEWUSER)) && !chroot(empty);
	if (!entered) {
		ok("without /proc: a stop", 1);
		ok("without /proc: a fault", 1);
		return;
	}
	pid_t pid = traced(crash);
	ok("without /proc: a stop", waits(pid) && is_stop(SIGSTOP));
	ptrace(PTRACE_CONT, pid, 0, 0);
	ok("without /proc: a fault", waits(pid) && is_stop(SIGSEGV));
	kill(pid, SIGKILL);
	waits(pid);
	fchdir(here);
	chroot(".");
	rmdir(empty);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return 11;
	readlink("/proc/self/exe", self, sizeof self - 1);
	alarm(50);
	on_signals();
	on_calls();
	on_tampering();
	on_telling();
	on_registers();
	on_family();
	on_exec();
	on_faults();
	on_attach();
	on_start();
	on_vdso();
	on_filters();
	on_pending();
	on_bare_root();
	on_seize(loops, "computes");
	on_seize(sleeps, "sleeps");
	fails("no such request", ptrace(0x1234, getpid(), 0, 0), ESRCH);
	return done();
}
