/* Calls that i386 had first, which programs of old still make: several in one, arguments in memory. Elsewhere what stands for them now. */
#include "ok.h"
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

static volatile int caught;
static void catch(int signo) { caught = signo; }

#ifdef __i386__
static long sockets(int call, long a, long b, long c, long d, long e, long f)
{
	long args[] = {a, b, c, d, e, f};
	return syscall(SYS_socketcall, call, args);
}
#endif

static void socket_calls(void)
{
	int pair[2] = {-1, -1}, type = 0;
	socklen_t size = sizeof type;
	char buf[8] = "";
	struct iovec iov = {buf, sizeof buf};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
#ifdef __i386__
	long made = sockets(8, AF_UNIX, SOCK_DGRAM, 0, (long)pair, 0, 0);
	long sent = sockets(9, pair[0], (long)"abc", 3, 0, 0, 0), got = sockets(12, pair[1], (long)buf, 8, 0, 0, 0);
	long again = sockets(11, pair[1], (long)"defg", 4, 0, 0, 0), whole = sockets(17, pair[0], (long)&message, 0, 0, 0, 0);
	long option = sockets(15, pair[0], SOL_SOCKET, SO_TYPE, (long)&type, (long)&size, 0);
	long down = sockets(13, pair[0], SHUT_WR, 0, 0, 0, 0), bad = sockets(21, 0, 0, 0, 0, 0, 0), error = errno;
	long nowhere = syscall(SYS_socketcall, 1, 8), fault = errno;
#else
	long made = socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
	long sent = send(pair[0], "abc", 3, 0), got = recvfrom(pair[1], buf, 8, 0, NULL, NULL);
	long again = sendto(pair[1], "defg", 4, 0, NULL, 0), whole = recvmsg(pair[0], &message, 0);
	long option = getsockopt(pair[0], SOL_SOCKET, SO_TYPE, &type, &size);
	long down = shutdown(pair[0], SHUT_WR), bad = -1, error = EINVAL, nowhere = -1, fault = EFAULT;
#endif
	ok("a pair of sockets", made == 0 && sent == 3 && got == 3);
	ok("messages", again == 4 && whole == 4 && memcmp(buf, "defg", 4) == 0);
	ok("options and shutdown", option == 0 && type == SOCK_DGRAM && down == 0);
	ok("errors of socketcall", bad == -1 && error == EINVAL && nowhere == -1 && fault == EFAULT);
}

struct text {
	long kind;
	char bytes[8];
};

static void ipc_calls(void)
{
	struct text out = {3, "hello"}, in = {0};
	struct sembuf up = {0, 2, 0};
	struct timespec none = {0, 0};
	char *at = NULL;
#ifdef __i386__
	long value = 5;
	int queue = syscall(SYS_ipc, 13, IPC_PRIVATE, 0600 | IPC_CREAT, 0, 0, 0);
	long sent = syscall(SYS_ipc, 11, queue, 6, 0, &out, 0);
	struct {
		void *where;
		long kind;
	} both = {&in, 3};
	long got = syscall(SYS_ipc, 12, queue, 8, 0, &both, 0);
	long peek = syscall(SYS_ipc, 1 << 16 | 12, queue, 8, IPC_NOWAIT, &in, 0), empty = errno;
	syscall(SYS_ipc, 14, queue, IPC_RMID, 0, 0, 0);
	int sem = syscall(SYS_ipc, 2, IPC_PRIVATE, 1, 0600 | IPC_CREAT, 0, 0);
	long set = syscall(SYS_ipc, 3, sem, 0, SETVAL, &value, 0), op = syscall(SYS_ipc, 1, sem, 1, 0, &up, 0);
	long timed = syscall(SYS_ipc, 4, sem, 1, 0, &up, &none), now = syscall(SYS_ipc, 3, sem, 0, GETVAL, &value, 0);
	syscall(SYS_ipc, 3, sem, 0, IPC_RMID, &value, 0);
	int shm = syscall(SYS_ipc, 23, IPC_PRIVATE, 4096, 0600 | IPC_CREAT, 0, 0);
	long attached = syscall(SYS_ipc, 21, shm, 0, &at, 0, 0);
	if (attached == 0)
		at[1] = 7;
	long detached = syscall(SYS_ipc, 22, 0, 0, 0, at, 0), gone = syscall(SYS_ipc, 24, shm, IPC_RMID, 0, 0, 0);
#else
	int queue = msgget(IPC_PRIVATE, 0600 | IPC_CREAT);
	long sent = msgsnd(queue, &out, 6, 0), got = msgrcv(queue, &in, 8, 3, 0), peek = msgrcv(queue, &in, 8, 0, IPC_NOWAIT), empty = errno;
	msgctl(queue, IPC_RMID, NULL);
	int sem = semget(IPC_PRIVATE, 1, 0600 | IPC_CREAT);
	long set = semctl(sem, 0, SETVAL, 5), op = semop(sem, &up, 1), timed = semtimedop(sem, &up, 1, &none), now = semctl(sem, 0, GETVAL);
	semctl(sem, 0, IPC_RMID);
	int shm = shmget(IPC_PRIVATE, 4096, 0600 | IPC_CREAT);
	at = shmat(shm, NULL, 0);
	long attached = at == (char *)-1 ? -1 : 0;
	if (attached == 0)
		at[1] = 7;
	long detached = shmdt(at), gone = shmctl(shm, IPC_RMID, NULL);
#endif
	ok("a queue of messages", queue >= 0 && sent == 0 && got == 6 && in.kind == 3 && strcmp(in.bytes, "hello") == 0);
	ok("an empty one", peek == -1 && empty == ENOMSG);
	ok("semaphores", sem >= 0 && set == 0 && op == 0 && timed == 0 && now == 9);
	ok("shared memory", shm >= 0 && attached == 0 && at != NULL && detached == 0 && gone == 0);
}

static void memory_and_waiting(void)
{
	int ends[2];
	fd_set readable;
	struct timeval second = {1, 0};
	pipe(ends);
	write(ends[1], "x", 1);
	FD_ZERO(&readable);
	FD_SET(ends[0], &readable);
#ifdef __i386__
	long map[] = {0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0};
	char *at = (char *)syscall(SYS_mmap, map);
	long odd[] = {0, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 100};
	long refused = syscall(SYS_mmap, odd), error = errno;
	long wait[] = {ends[0] + 1, (long)&readable, 0, 0, (long)&second};
	long ready = syscall(SYS_select, wait);
#else
	char *at = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long refused = -1, error = EINVAL;
	long ready = select(ends[0] + 1, &readable, NULL, NULL, &second);
#endif
	if (at != MAP_FAILED)
		at[5000] = 1;
	ok("memory", at != MAP_FAILED && munmap(at, 8192) == 0);
	ok("an offset within a page", refused == -1 && error == EINVAL);
	ok("a readable pipe", ready == 1 && FD_ISSET(ends[0], &readable));
}

static void names_and_signals(void)
{
	struct utsname now;
	uname(&now);
#ifdef __i386__
	char old[5][65], oldest[5][9];
	long first = syscall(SYS_olduname, old), second = syscall(SYS_oldolduname, oldest);
	ok("names", first == 0 && strcmp(old[2], now.release) == 0 && strcmp(old[4], now.machine) == 0);
	ok("short names", second == 0 && strncmp(oldest[2], now.release, 8) == 0 && oldest[2][8] == 0);
	long before = syscall(SYS_ssetmask, 1 << (SIGUSR2 - 1)), mask = syscall(SYS_sgetmask);
	syscall(SYS_ssetmask, before);
	ok("masks", mask == 1 << (SIGUSR2 - 1) && syscall(SYS_sgetmask) == before);
	long was = syscall(SYS_signal, SIGUSR1, catch);
	raise(SIGUSR1);
	ok("a handler", was == (long)SIG_DFL && caught == SIGUSR1);
	struct sigaction action;
	sigaction(SIGUSR1, NULL, &action);
	ok("for one signal", action.sa_handler == SIG_DFL);
#else
	ok("names", now.release[0] != 0);
	ok("short names", 1);
	ok("masks", 1);
	struct sigaction action = {.sa_handler = catch, .sa_flags = SA_RESETHAND | SA_NODEFER};
	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
	ok("a handler", caught == SIGUSR1);
	sigaction(SIGUSR1, NULL, &action);
	ok("for one signal", action.sa_handler == SIG_DFL);
#endif
}

int main(void)
{
	socket_calls();
	ipc_calls();
	memory_and_waiting();
	names_and_signals();
	return done();
}
