/* Addresses with tags, keys of pointer authentication: what prctl says of them on aarch64. Other processors have nothing to say. */
#include "ok.h"
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define SET 55
#define GET 56
#define SET_KEYS 60
#define GET_KEYS 61

#ifdef __aarch64__
static void *tagged(void *p) { return (void *)((uintptr_t)p | 0x5a00000000000000ull); }

static void run(void)
{
	int pair[2];
	char text[8] = "tagged", got[8] = "";
	same("no tags at first", prctl(GET, 0, 0, 0, 0), 0);
	pipe(pair);
	fails("then a tagged address is a bad one", write(pair[1], tagged(text), 6), EFAULT);
	fails("the kernel looks at all arguments", prctl(GET, 1, 0, 0, 0), EINVAL);
	fails("when they are set too", prctl(SET, 1, 1, 0, 0), EINVAL);
	fails("memory tags are another thing", prctl(SET, 1 | 1 << 1 | 1 << 20, 0, 0, 0), EINVAL);
	same("tags", prctl(SET, 1, 0, 0, 0), 0);
	same("are told", prctl(GET, 0, 0, 0, 0), 1);
	same("write", write(pair[1], tagged(text), 6), 6);
	same("read", read(pair[0], tagged(got), 8), 6);
	ok("what was written", !strcmp(got, "tagged"));
	struct iovec iov[2] = {{tagged(text), 3}, {tagged(text + 3), 3}};
	same("writev", writev(pair[1], tagged(iov), 2), 6);
	same("readv", readv(pair[0], iov, 2), 6);
	int sockets[2];
	socketpair(AF_UNIX, SOCK_STREAM, 0, sockets);
	struct msghdr m = {.msg_iov = tagged(iov), .msg_iovlen = 2};
	same("sendmsg", sendmsg(sockets[0], tagged(&m), 0), 6);
	same("recvmsg", recvmsg(sockets[1], tagged(&m), 0), 6);
	char path[] = ".";
	same("a path", access(tagged(path), F_OK), 0);
	char *p = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	same("mprotect", mprotect(tagged(p), 4096, PROT_READ), 0);
	same("madvise", madvise(tagged(p + 4096), 4096, MADV_DONTNEED), 0);
	ok("where memory is to be has no tag", mmap(tagged(p), 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED);
	pid_t child = fork();
	if (!child)
		_exit(prctl(GET, 0, 0, 0, 0));
	same("a child has them", ended(child), 1);
	same("no more", prctl(SET, 0, 0, 0, 0), 0);
	fails("a bad address again", write(pair[1], tagged(text), 6), EFAULT);

	same("all keys", prctl(GET_KEYS, 0, 0, 0, 0), 15);
	fails("the generic one is not among them", prctl(SET_KEYS, 16, 16, 0, 0), EINVAL);
	fails("only what is named", prctl(SET_KEYS, 1, 2, 0, 0), EINVAL);
	fails("zeros", prctl(SET_KEYS, 1, 1, 1, 0), EINVAL);
	same("enabled again", prctl(SET_KEYS, 15, 15, 0, 0), 0);
}
#else
static void run(void)
{
	static const char *const lines[] = {
		"no tags at first", "then a tagged address is a bad one", "the kernel looks at all arguments", "when they are set too",
		"memory tags are another thing", "tags", "are told", "write", "read", "what was written", "writev", "readv", "sendmsg", "recvmsg",
		"a path", "mprotect", "madvise", "where memory is to be has no tag", "a child has them", "no more", "a bad address again", "all keys",
		"the generic one is not among them", "only what is named", "zeros", "enabled again",
	};
	int foreign = prctl(GET, 0, 0, 0, 0) == -1 && errno == EINVAL && prctl(GET_KEYS, 0, 0, 0, 0) == -1 && errno == EINVAL;
	for (int n = 0; n < sizeof lines / sizeof *lines; n++)
		ok(lines[n], foreign);
}
#endif

int main(void)
{
	run();
	return done();
}
