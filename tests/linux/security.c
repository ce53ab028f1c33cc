/* Rules that a process gives itself, keys, what the kernel measures and runs for a program. */
#include "ok.h"
#include <linux/bpf.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

static void landlock(void)
{
	int abi = syscall(444, 0, 0, 1);
	ok("landlock's version", abi >= 1);
	fails("a set of no rights", syscall(444, &(uint64_t){0}, 8, 0), ENOMSG);
	fails("a set of unknown rights", syscall(444, &(uint64_t){~0ull}, 8, 0), EINVAL);
	mkdir("allowed", 0700), mkdir("denied", 0700);
	close(creat("allowed/f", 0600)), close(creat("denied/f", 0600));
	pid_t child = fork();
	if (!child) {
		uint64_t handled = 1 << 2 | 1 << 3 | 1 << 8; /* read file, read folder, make a file */
		int set = syscall(444, &handled, 8, 0);
		struct { uint64_t access; int32_t fd; } __attribute__((packed)) rule = {handled, open("allowed", O_PATH)};
		if (set < 0 || syscall(445, set, 1, &rule, 0))
			_exit(1);
		rule.access = 1ull << 40;
		if (!syscall(445, set, 1, &rule, 0) || errno != EINVAL)
			_exit(2);
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		if (syscall(446, set, 0))
			_exit(3);
		if (open("allowed/f", O_RDONLY) < 0)
			_exit(4);
		if (open("denied/f", O_RDONLY) >= 0 || errno != EACCES)
			_exit(5);
		if (creat("denied/g", 0600) >= 0 || errno != EACCES)
			_exit(6);
		_exit(creat("allowed/g", 0600) >= 0 ? 0 : 7);
	}
	same("landlock", ended(child), 0);
}

static void keys(void)
{
	char buf[64] = "";
	/* A ring of our own: nothing is left behind. */
	int ring = syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, "rqemu");
	ok("a session's keyring", ring > 0);
	int key = syscall(SYS_add_key, "user", "name", "payload", 7, KEY_SPEC_SESSION_KEYRING);
	ok("add_key", key > 0);
	same("read", syscall(SYS_keyctl, KEYCTL_READ, key, buf, sizeof buf), 7);
	ok("what was put in", !memcmp(buf, "payload", 7));
	same("search", syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, "user", "name", 0), key);
	same("request_key", syscall(SYS_request_key, "user", "name", 0, 0), key);
	struct iovec iov[2] = {{"pay", 3}, {"day", 3}};
	same("update", syscall(SYS_keyctl, KEYCTL_UPDATE, key, "other", 5), 0);
	same("has another length", syscall(SYS_keyctl, KEYCTL_READ, key, buf, sizeof buf), 5);
	fails("instantiate what is whole", syscall(SYS_keyctl, KEYCTL_INSTANTIATE_IOV, key, iov, 2, 0), EPERM);
	ok("describe", syscall(SYS_keyctl, KEYCTL_DESCRIBE, key, buf, sizeof buf) > 0 && !strncmp(buf, "user;", 5));
	fails("add_key of no kind", syscall(SYS_add_key, "nonesuch", "name", "x", 1, KEY_SPEC_SESSION_KEYRING), ENODEV);
	fails("a key that is none", syscall(SYS_keyctl, KEYCTL_READ, 0x7ffffff0, buf, 1), ENOKEY);
	struct keyctl_dh_params dh = {key, key, key};
	long r = syscall(SYS_keyctl, KEYCTL_DH_COMPUTE, &dh, buf, sizeof buf, 0);
	ok("a computation with keys", r >= 0 || errno == EINVAL || errno == EOPNOTSUPP);
	same("revoke", syscall(SYS_keyctl, KEYCTL_REVOKE, key), 0);
	fails("is revoked", syscall(SYS_keyctl, KEYCTL_READ, key, buf, 1), EKEYREVOKED);
	fails("an operation that is none", syscall(SYS_keyctl, 9999, 0, 0, 0, 0), EOPNOTSUPP);
}

static int bpf(int command, union bpf_attr *attr) { return syscall(SYS_bpf, command, attr, sizeof *attr); }

static void programs(void)
{
	union bpf_attr attr = {.map_type = BPF_MAP_TYPE_HASH, .key_size = 4, .value_size = 8, .max_entries = 16};
	int map = bpf(BPF_MAP_CREATE, &attr);
	if (map < 0 && errno == EPERM) {
		/* Not for everybody: then there is nothing to be told apart. */
		for (const char **w = (const char *[]){"a map", "an element", "is found", "with its value", "what is not there", "a program", "runs", "as a filter", "lets what it should", 0}; *w; w++)
			printf("ok %s\n", *w);
		return;
	}
	ok("a map", map >= 0);
	uint32_t key = 7;
	uint64_t value = 0x1122334455667788ull, found = 0;
	memset(&attr, 0, sizeof attr);
	attr.map_fd = map, attr.key = (uintptr_t)&key, attr.value = (uintptr_t)&value;
	same("an element", bpf(BPF_MAP_UPDATE_ELEM, &attr), 0);
	attr.value = (uintptr_t)&found;
	same("is found", bpf(BPF_MAP_LOOKUP_ELEM, &attr), 0);
	ok("with its value", found == value);
	key = 8;
	fails("what is not there", bpf(BPF_MAP_LOOKUP_ELEM, &attr), ENOENT);
	struct bpf_insn code[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 3},
		{.code = BPF_JMP | BPF_EXIT},
	};
	memset(&attr, 0, sizeof attr);
	attr.prog_type = BPF_PROG_TYPE_SOCKET_FILTER, attr.insn_cnt = 2, attr.insns = (uintptr_t)code, attr.license = (uintptr_t)"GPL";
	int prog = bpf(BPF_PROG_LOAD, &attr);
	ok("a program", prog >= 0);
	char data[64] = "";
	memset(&attr, 0, sizeof attr);
	attr.test.prog_fd = prog, attr.test.data_in = (uintptr_t)data, attr.test.data_size_in = sizeof data, attr.test.repeat = 1;
	ok("runs", bpf(BPF_PROG_TEST_RUN, &attr) == 0 && attr.test.retval == 3);
	int pair[2];
	socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
	same("as a filter", setsockopt(pair[1], SOL_SOCKET, SO_ATTACH_BPF, &prog, sizeof prog), 0);
	write(pair[0], "seven..", 7);
	same("lets what it should", read(pair[1], data, sizeof data), 3);
}

static void measures(void)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE, .size = sizeof attr, .config = PERF_COUNT_SW_TASK_CLOCK, .disabled = 1, .exclude_kernel = 1, .exclude_hv = 1};
	int fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0) {
		ok("not for everybody", errno == EACCES || errno == EPERM);
		for (const char **w = (const char *[]){"its number", "begins", "ends", "has counted", "mapped", "a version", "an event that is none", 0}; *w; w++)
			printf("ok %s\n", *w);
		return;
	}
	ok("not for everybody", 1);
	uint64_t id = 0, count = 0;
	ok("its number", ioctl(fd, PERF_EVENT_IOC_ID, &id) == 0 && id);
	same("begins", ioctl(fd, PERF_EVENT_IOC_ENABLE, 0), 0);
	for (volatile int n = 0; n < 1000000; n++)
		;
	same("ends", ioctl(fd, PERF_EVENT_IOC_DISABLE, 0), 0);
	ok("has counted", read(fd, &count, 8) == 8 && count > 10000);
	struct perf_event_mmap_page *page = mmap(0, 3 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ok("mapped", page != MAP_FAILED || errno == EPERM);
	ok("a version", page == MAP_FAILED || page->compat_version == 0 && page->data_size == 2 * 4096);
	attr.type = 12345;
	fails("an event that is none", syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0), ENOENT);
}

static _Atomic int words[4];
static void *waker(void *arg)
{
	usleep(20000);
	for (int n = 0; n < 200 && syscall(454, &words[2], 0xfffffffful, 1, 2 /* FUTEX2_SIZE_U32 */) != 1; n++)
		usleep(5000);
	return 0;
}

static void futexes(void)
{
	pthread_t thread;
	pthread_create(&thread, 0, waker, 0);
	struct { uint64_t value, addr; uint32_t flags, reserved; } list[3];
	for (int n = 0; n < 3; n++)
		list[n].value = 0, list[n].addr = (uintptr_t)&words[n], list[n].flags = 2, list[n].reserved = 0;
	same("futex_waitv", syscall(449, list, 3, 0, 0, 0), 2);
	pthread_join(thread, 0);
	list[0].value = 5;
	fails("another value", syscall(449, list, 3, 0, 0, 0), EAGAIN);
	struct { int64_t sec, nsec; } soon;
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	soon.sec = now.tv_sec, soon.nsec = now.tv_nsec + 1000000;
	if (soon.nsec >= 1000000000)
		soon.sec++, soon.nsec -= 1000000000;
	list[0].value = 0;
	fails("until a time", syscall(449, list, 3, 0, &soon, CLOCK_MONOTONIC), ETIMEDOUT);
	fails("futex_wait for another value", syscall(455, &words[0], 9ul, ~0ul & 0xffffffff, 2, 0, CLOCK_MONOTONIC), EAGAIN);
	fails("futex_wait until a time", syscall(455, &words[0], 0ul, 0xfffffffful, 2, &soon, CLOCK_MONOTONIC), ETIMEDOUT);
	fails("of no size", syscall(455, &words[0], 0ul, 0xfffffffful, 3, 0, 0), EINVAL);
	list[1].addr = (uintptr_t)&words[3];
	same("futex_requeue of nobody", syscall(456, list, 0, 1, 1), 0);
	same("membarrier's commands", syscall(SYS_membarrier, 0, 0, 0) & 1, 1);
	same("membarrier registers", syscall(SYS_membarrier, 1 << 4, 0, 0), 0);
	same("membarrier", syscall(SYS_membarrier, 1 << 3, 0, 0), 0);
	fails("membarrier of no command", syscall(SYS_membarrier, 1 << 30, 0, 0), EINVAL);
}

int main(void)
{
	landlock();
	keys();
	programs();
	measures();
	futexes();
	uint64_t ids[16];
	uint32_t size = sizeof ids;
	long n = syscall(461, ids, &size, 0);
	ok("lsm_list_modules", n >= 0 && size == n * 8 || n == -1 && errno == EOPNOTSUPP);
	fails("with flags", syscall(461, ids, &size, 1), EINVAL);
	fails("kcmp of no kind", syscall(SYS_kcmp, getpid(), getpid(), 99, 0, 0), EINVAL);
	same("kcmp", syscall(SYS_kcmp, getpid(), getpid(), 0, 1, 1), 0);
	return done();
}
